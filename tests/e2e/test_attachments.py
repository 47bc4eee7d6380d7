#!/usr/bin/env python3
"""Attachments with the real programs over real TLS: sent, fetched, deduplicated, cut, killed, refused, saved data.

usage: test_attachments.py BIN_DIR [NAME...]
"""
import hashlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time

from programs import Failed, World, check, free_port, main

KIB, MIB = 1024, 1024 * 1024
CUT = 256 * KIB


class Line:
    """A TCP proxy before the server: counts bytes, cuts each connection after so many, may be slow or off."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.cut_after = None           # bytes of both directions of one connection
        self.rate = None                # bytes a second, both directions
        self.off = False
        self.bytes = self.cuts = self.connections = 0
        self.up = self.down = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.stopping = False
        threading.Thread(target=self.accept, daemon=True).start()

    def reset(self):
        self.bytes = self.cuts = self.connections = self.up = self.down = 0

    def accept(self):
        while not self.stopping:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.off:
                client.close()
                continue
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        with self.lock:
            self.connections += 1
        carried, other = 0, {client: server, server: client}
        for s in other:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                ready, _, _ = select.select(list(other), [], [], 60)
                for s in ready:
                    room = 16 * KIB if self.cut_after is None else min(16 * KIB, self.cut_after - carried)
                    data = s.recv(max(room, 1))
                    if not data or self.off:
                        return
                    if self.cut_after is not None and carried + len(data) > self.cut_after:
                        data = data[:self.cut_after - carried]
                    other[s].sendall(data)
                    carried += len(data)
                    with self.lock:
                        self.bytes += len(data)
                        if s is client:
                            self.up += len(data)
                        else:
                            self.down += len(data)
                    if self.cut_after is not None and carried >= self.cut_after:
                        with self.lock:
                            self.cuts += 1
                        return
                    if self.rate:
                        time.sleep(len(data) / self.rate)
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def close(self):
        self.stopping = True
        self.listener.close()


class Fleet:
    """A world whose laptops reach the server through the line."""

    def __init__(self, world):
        self.w = world
        self.real_port = free_port()
        self.line = Line(self.real_port)
        world.port = self.line.port

    def serve(self, *options):
        """The server listens on its own port; links name the line's."""
        url = f"https://127.0.0.1:{self.line.port}"
        self.w.port = self.real_port
        self.w.start_server("--public-url", url, *options)

    def enrol(self, name):
        self.w.user(name)
        self.w.laptop(name, "enroll", self.w.link(name))

    def account(self, name="Acme"):
        self.w.office("add", "account", f"name={name}")

    def file(self, name, size, seed=1):
        path = os.path.join(self.w.dir, name)
        with open(path, "wb") as out:
            out.write(random.Random(seed).randbytes(size))
        return path

    def attach(self, laptop, path, *options, about=("account", "Acme")):
        return self.w.laptop(laptop, "attach", *about, path, *options, "--json").json()["id"]

    def listed(self, laptop):
        return {a["id"]: a for a in self.w.laptop(laptop, "attachments", "--json").json()}

    def stored(self):
        folder = os.path.join(self.w.home, "org", self.w.org + ".blob")
        return {d + n: os.path.join(folder, d, n) for d in os.listdir(folder) if len(d) == 2
                for n in os.listdir(os.path.join(folder, d))} if os.path.isdir(folder) else {}

    def same(self, laptop, row, path):
        out = os.path.join(self.w.dir, f"out-{laptop}-{row}")
        self.w.laptop(laptop, "attachments", "export", row, out)
        with open(out, "rb") as a, open(path, "rb") as b:
            check(a.read() == b.read(), f"{laptop}'s copy of {path} differs")
        os.remove(out)


def sha(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def sync(fleet, *names):
    for name in names:
        fleet.w.laptop(name, "sync")


# ------------------------------------------------------------------ the tests

def test_a_file_goes_up_and_comes_down(fleet):
    photo = fleet.file("场地.JPG", 700 * KIB)
    report = fleet.file("report.pdf", 300 * KIB, 2)
    first = fleet.attach("lin", photo, "--title", "Shop front")
    second = fleet.attach("lin", report)
    before = fleet.listed("lin")[first]
    check(before["here"] and not before["at_server"], f"not here before the sync: {before}")
    sync(fleet, "lin", "chen")
    check(set(fleet.stored()) == {sha(photo), sha(report)}, "the server does not have both")
    for path in fleet.stored().values():
        check(os.stat(path).st_mode & 0o777 == 0o600, f"{path} is not 0600")
    row = fleet.listed("chen")[second]
    check(row["where"] == "server" and not row["here"], f"chen should know where it is: {row}")
    fleet.w.laptop("chen", "fetch", second)
    fleet.same("chen", second, report)
    fleet.w.laptop("chen", "fetch", "--account", "Acme")
    fleet.same("chen", first, photo)
    sync(fleet, "lin")
    check(fleet.listed("lin")[first]["at_server"], "lin does not know that it arrived")
    name = fleet.w.laptop("chen", "get", "attachment", first, "--json").json()
    check(name["file_name"] == "场地.JPG" and name["kind"] == "photo" and name["title"] == "Shop front", f"{name}")


def test_a_row_says_on_which_laptop_its_file_is(fleet):
    path = fleet.file("plan.bin", 90 * KIB)
    row = fleet.attach("lin", path)
    fleet.w.laptop("lin", "sync", "--rows-only")
    sync(fleet, "chen")
    there = fleet.listed("chen")[row]
    check(there["where"] == "laptop" and there["person"] == "Lin" and there["device"] == 1, f"{there}")
    text = fleet.w.laptop("chen", "attachments").out
    check("on the laptop of Lin (device 1)" in text, text)
    failed = fleet.w.laptop("chen", "attachments", "export", row, os.path.join(fleet.w.dir, "x"), fails=True)
    check(failed.code == 66 and "Lin" in failed.err, str(failed))
    zh = fleet.w.laptop("chen", "attachments", "--lang", "zh").out
    check("在Lin的电脑上（设备 1）" in zh, zh)


def test_the_same_file_of_two_laptops_goes_up_once(fleet):
    path = fleet.file("brochure.pdf", 2 * MIB)
    fleet.account("Beta")
    fleet.attach("lin", path)
    sync(fleet, "lin", "chen")
    row = fleet.attach("chen", path, about=("account", "Beta"))
    fleet.line.reset()
    sync(fleet, "chen")
    check(fleet.line.bytes < 32 * KIB, f"{fleet.line.bytes} bytes for a file that the server has")
    check(len(fleet.stored()) == 1, "stored more than once")
    sync(fleet, "chen")
    check(fleet.listed("chen")[row]["at_server"], "chen's row does not say that it is at the server")


def test_a_line_that_is_cut_every_256_kib_costs_one_percent(fleet):
    size = 24 * MIB
    plain, cut = fleet.file("plain.bin", size, 3), fleet.file("cut.bin", size, 4)
    fleet.attach("lin", plain)
    fleet.line.reset()
    sync(fleet, "lin")
    uncut_up = fleet.line.bytes
    row = fleet.attach("lin", cut)
    fleet.w.laptop("lin", "sync", "--rows-only")
    fleet.line.cut_after = CUT
    fleet.line.reset()
    fleet.w.laptop("lin", "send", row, timeout=300)
    up = fleet.line.bytes
    check(fleet.line.connections >= size // CUT, f"only {fleet.line.connections} connections")
    say("up", size, uncut_up, up, fleet.line)
    check(sha(cut) in fleet.stored(), "it did not arrive")
    fleet.line.cut_after = None
    sync(fleet, "chen")
    rows = {a["title"]: i for i, a in fleet.listed("chen").items()}
    fleet.line.reset()
    fleet.w.laptop("chen", "fetch", rows["plain.bin"])
    uncut_down = fleet.line.bytes
    fleet.line.cut_after = CUT
    fleet.line.reset()
    fleet.w.laptop("chen", "fetch", rows["cut.bin"], timeout=300)
    say("down", size, uncut_down, fleet.line.bytes, fleet.line)
    fleet.same("chen", rows["cut.bin"], cut)
    for what, plainly, cutly in ("up", uncut_up, up), ("down", uncut_down, fleet.line.bytes):
        check(cutly <= plainly * 1.01, f"{what}: {cutly} bytes where an uncut line takes {plainly}")


def say(what, size, uncut, cut, line):
    print(f"  {what}: file {size}, uncut {uncut} (+{100 * uncut / size - 100:.2f} %), cut {cut} "
          f"(+{100 * cut / size - 100:.2f} % of the file, +{100 * cut / uncut - 100:.2f} % of uncut), "
          f"{line.connections} connections, {line.cuts} cuts")


def test_rows_do_not_wait_for_files(fleet):
    big = fleet.file("big.bin", 6 * MIB)
    fleet.line.rate = 400 * KIB                    # some 15 s for the file
    row = fleet.attach("lin", big)
    with Daemon(fleet, "lin"):
        until = time.monotonic() + 30
        while fleet.line.up < 600 * KIB:
            check(time.monotonic() < until, "the file does not begin to move")
            time.sleep(0.05)
        slow = 0
        for i in range(3):
            began = time.monotonic()
            fleet.w.laptop("lin", "set", "account", "Acme", f"remarks=note {i}")
            while not fleet.w.office("get", "account", "Acme", "--json").json()["remarks"] == f"note {i}":
                check(time.monotonic() - began < 8, "a row waits for a file")
            slow = max(slow, time.monotonic() - began)
        check(sha(big) not in fleet.stored(), "the file was done before: the test shows nothing")
        print(f"  slowest row {slow:.2f} s while the file goes up at 400 KiB/s")
        check(slow < 3, f"a row took {slow:.2f} s")
        wait_for(lambda: sha(big) in fleet.stored(), 60, "the file never arrives")
    fleet.line.rate = None
    sync(fleet, "lin")
    check(fleet.listed("lin")[row]["at_server"], "the row does not say that it arrived")


def test_killed_in_the_middle_it_goes_on_where_it_was(fleet):
    big = fleet.file("big.bin", 8 * MIB)
    fleet.line.rate = 3 * MIB
    row = fleet.attach("lin", big)
    fleet.w.laptop("lin", "sync", "--rows-only")
    fleet.line.reset()
    for i in range(3):                             # the laptop's program dies
        daemon = Daemon(fleet, "lin")
        target = (i + 1) * MIB
        wait_for(lambda: fleet.line.up > target, 30, "nothing moves")
        daemon.kill()
    with Daemon(fleet, "lin"):                     # the server dies
        wait_for(lambda: fleet.line.up > 4 * MIB, 30, "nothing moves")
        fleet.w.stop_server(signal.SIGKILL)
        fleet.serve()
        wait_for(lambda: sha(big) in fleet.stored(), 90, "the file never arrives")
    extra = fleet.line.up - os.path.getsize(big)
    print(f"  {extra} bytes more than the file after four kills")
    check(extra < 6 * 300 * KIB, f"{extra} bytes were sent again")
    sync(fleet, "chen")
    command = subprocess.Popen([os.path.join(fleet.w.bin, "roadbook"), "fetch", str(row)], env=home_of(fleet, "chen"),
                               stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    fleet.line.reset()
    wait_for(lambda: fleet.line.down > 3 * MIB, 30, "nothing comes down")
    command.kill()
    command.wait()
    part = fleet.listed("chen")[row]["bytes_here"]
    check(2 * MIB < part < 8 * MIB, f"{part} bytes are here after the kill")
    fleet.line.reset()
    fleet.line.rate = None
    sync(fleet, "chen")                            # the wish was remembered
    check(fleet.line.down < 8 * MIB - part + 300 * KIB, f"{fleet.line.down} bytes for the rest of {part}")
    fleet.same("chen", row, big)


def test_limits_say_so_in_both_languages(fleet):
    fleet.w.office("attachments", "limits", "--file", 1)
    large, small = fleet.file("large.bin", 2 * MIB), fleet.file("small.bin", 900 * KIB, 7)
    row = fleet.attach("lin", large)
    fleet.attach("lin", small)
    sync(fleet, "lin")
    check(set(fleet.stored()) == {sha(small)}, "the small one should be there, and only that")
    refused = fleet.listed("lin")[row]["refused"]
    check("larger than head office allows (1 MiB" in refused, refused)
    zh = fleet.w.laptop("lin", "attachments", "--lang", "zh").out
    check("文件超过总部允许的大小" in zh, zh)
    fleet.w.office("attachments", "limits", "--file", 10, "--quota", 2)
    again = fleet.w.laptop("lin", "send", row, fails=True)
    check(again.code == 65, str(again))
    refused = fleet.listed("lin")[row]["refused"]
    check("no more room at the server (2 MiB" in refused, refused)
    fleet.w.office("attachments", "limits", "--quota", 100)
    fleet.w.laptop("lin", "send", row)
    check(sha(large) in fleet.stored(), "it is allowed now")
    check(fleet.listed("lin")[row]["refused"] == "", "the refusal is over")


def test_data_saver_moves_rows_and_small_files_only(fleet):
    fleet.w.laptop("lin", "data-saver", "on", "--below", 20)
    big, small = fleet.file("big.jpg", 200 * KIB), fleet.file("small.jpg", 8 * KIB, 5)
    row, little = fleet.attach("lin", big), fleet.attach("lin", small)
    sync(fleet, "lin", "chen")
    check(set(fleet.stored()) == {sha(small)}, "only the small one goes by itself")
    check(len(fleet.listed("chen")) == 2, "rows always go")
    fleet.w.laptop("lin", "send", row)
    check(sha(big) in fleet.stored(), "asked for, it goes")
    fleet.w.laptop("lin", "data-saver", "off")
    third = fleet.file("third.jpg", 150 * KIB, 6)
    fleet.attach("lin", third)
    sync(fleet, "lin")
    check(sha(third) in fleet.stored(), "off again, it goes by itself")
    check(fleet.listed("lin")[little]["here"], "it stays here")


def test_pictures_of_own_accounts_come_by_themselves(fleet):
    who = fleet.w.office("list", "employee", "name=Chen", "--json").json()[0]["id"]
    fleet.w.office("set", "account", "Acme", f"owner={who}")
    photo, pdf, huge = fleet.file("a.jpg", 60 * KIB), fleet.file("b.pdf", 60 * KIB, 8), fleet.file("c.jpg", 2 * MIB, 9)
    rows = [fleet.attach("lin", p) for p in (photo, pdf, huge)]
    sync(fleet, "lin", "chen")
    here = [fleet.listed("chen")[r]["here"] for r in rows]
    check(here == [True, False, False], f"photo, paper, large photo: {here}")


def test_bad_files_and_names_are_refused(fleet):
    empty = fleet.file("empty.txt", 0)
    for words, part in ((("account", "Acme", empty), "is empty"),
                        (("account", "Acme", fleet.w.dir), "is a folder"),
                        (("account", "Acme", os.path.join(fleet.w.dir, "none")), "No such file"),
                        (("employee", "Lin", empty), "an account, a visit"),
                        (("account", "Acme", "/dev/zero"), "no plain file")):
        done = fleet.w.laptop("lin", "attach", *words, fails=True)
        check(done.code != 0 and part in done.err, str(done))
    # A row of another program may say anything: it never becomes a path.
    for i, name in enumerate(("../../escape", "/etc/passwd", "..", ".ssh", "a\\b\\evil.exe")):
        path = fleet.file(f"f{i}", 100, 20 + i)
        hexa = sha(path)
        made = fleet.w.laptop("lin", "add", "attachment", "account=Acme", f"file_name={name}", "size=100",
                              f"content={hexa}", "--json").json()["id"]
        folder = os.path.join(fleet.w.laptop_home("lin"), "blob", hexa[:2])
        os.makedirs(folder, exist_ok=True)
        with open(path, "rb") as a, open(os.path.join(folder, hexa[2:]), "wb") as b:
            b.write(a.read())
        below = os.path.join(fleet.w.dir, f"below-{i}")
        os.mkdir(below)
        done = subprocess.run([os.path.join(fleet.w.bin, "roadbook"), "attachments", "export", str(made)], cwd=below,
                              env=home_of(fleet, "lin"), capture_output=True)
        check(done.returncode == 0, done.stderr.decode())
        written = os.listdir(below)
        check(len(written) == 1 and written[0] in ("escape", "passwd", "file", "ssh", "evil.exe"), f"{name}: {written}")
    for content in ("", "zz", "../" * 21 + "a", "A" * 64):
        fleet.w.laptop("lin", "add", "attachment", "account=Acme", "size=5", f"content={content}", fails=True)
    sync(fleet, "lin")
    # A file that changed on disk is not taken as what it is called.
    path = fleet.file("honest.bin", 50 * KIB, 40)
    row = fleet.attach("lin", path)
    stored = os.path.join(fleet.w.laptop_home("lin"), "blob", sha(path)[:2], sha(path)[2:])
    with open(stored, "r+b") as file:
        file.write(b"changed")
    sync(fleet, "lin")
    check(sha(path) not in fleet.stored(), "the server took what is not what it is called")
    check("not those that the row names" in fleet.listed("lin")[row]["refused"], str(fleet.listed("lin")[row]))
    done = fleet.w.laptop("lin", "attachments", "export", row, os.path.join(fleet.w.dir, "bad"), fails=True)
    check(done.code == 74, str(done))


def test_what_nobody_names_is_collected(fleet):
    path = fleet.file("old.bin", 50 * KIB)
    row = fleet.attach("lin", path)
    sync(fleet, "lin", "chen")
    fleet.w.laptop("chen", "rm", "attachment", row)
    sync(fleet, "chen", "lin")
    swept = fleet.w.office("attachments", "gc", "--json").json()
    check(swept["removed"] == 0 and swept["waiting"] == 1, f"{swept}")
    swept = fleet.w.office("attachments", "gc", "--days", 0, "--dry-run", "--json").json()
    check(swept["removed"] == 1 and sha(path) in fleet.stored(), f"{swept}")
    swept = fleet.w.office("attachments", "gc", "--days", 0, "--json").json()
    check(swept["removed"] == 1 and not fleet.stored(), f"{swept}")
    status = fleet.w.office("attachments", "status", "--json").json()
    status = status[0] if isinstance(status, list) else status
    check(status["files"] == 0 and status["bytes"] == 0, f"{status}")


def test_a_file_that_the_server_lost_is_brought_again(fleet):
    path = fleet.file("lost.bin", 120 * KIB)
    row = fleet.attach("lin", path)
    sync(fleet, "lin", "chen")
    os.remove(fleet.stored()[sha(path)])
    done = fleet.w.laptop("chen", "fetch", row, fails=True)
    sync(fleet, "chen", "lin")
    check(sha(path) in fleet.stored(), f"lin did not bring it again; {done}")
    sync(fleet, "chen")
    fleet.w.laptop("chen", "fetch", row)
    fleet.same("chen", row, path)


# ------------------------------------------------------------------ running

def home_of(fleet, name):
    return {**fleet.w.env, "ROADBOOK_HOME": fleet.w.laptop_home(name)}


class Daemon:
    def __init__(self, fleet, name):
        self.process = subprocess.Popen([os.path.join(fleet.w.bin, "roadbook-syncd")], env=home_of(fleet, name),
                                        stdout=fleet.w.log, stderr=fleet.w.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)


def wait_for(condition, seconds, text):
    until = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < until, text)
        time.sleep(0.02)


def run_one(world, test):
    fleet = Fleet(world)
    fleet.serve()
    fleet.enrol("lin")
    fleet.enrol("chen")
    fleet.account()
    sync(fleet, "lin", "chen")
    try:
        test(fleet)
    finally:
        fleet.line.close()


def run_all():
    bin_dir, names = sys.argv[1], sys.argv[2:]
    tests = [f for n, f in globals().items() if n.startswith("test_") and (not names or any(x in n for x in names))]
    for test in tests:
        began = time.monotonic()
        if main(lambda world: run_one(world, test), World(bin_dir)):
            print(f"{test.__name__} FAILED")
            return 1
        print(f"{test.__name__} {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_all())
