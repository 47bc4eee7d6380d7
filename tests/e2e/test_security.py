#!/usr/bin/env python3
"""test_security.py BIN: what SECURITY.md says of the real programs: laptops that are late, lost, revoked or copied, and
secrets that show nowhere."""
import base64
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time

from programs import Failed, World, check, main

DENIED, REVOKED, VERSION = 77, 78, 76


def device_of(world, name):
    return world.laptop(name, "status", "--json").json()["device"]


def shown(world, number):
    got = world.office("device", "show", number, "--json").json()
    return got[0] if isinstance(got, list) else got


def add_account(world, name, title):
    return world.laptop(name, "add", "account", f"name={title}", "--json").json()["id"]


def pending(world, name):
    return len(world.laptop(name, "pending", "--json").json())


def flushed(world, number, what, seconds=30):
    """The server writes contacts every ten seconds, and at its end."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        got = shown(world, number)
        if what(got):
            return got
        time.sleep(0.3)
    raise Failed(f"the server does not know it: {got}")


def rows_of(world, sql):
    return world.office("sql", sql, "--json").json()


def book_bytes(world, name):
    home = world.laptop_home(name)
    return b"".join(open(os.path.join(at, f), "rb").read() for at, _, files in os.walk(home) for f in files)


# ---------------------------------------------------------------------- status of every laptop

def status_of_each(world):
    world.laptop("ada", "enroll", world.link("ada"))
    add_account(world, "ada", "Volkswagen")
    world.laptop("ada", "sync")
    number = device_of(world, "ada")
    world.stop_server()
    world.start_server()
    got = shown(world, number)
    check(got["state"] == "active" and not got["late"], f"state: {got}")
    check(got["seen_at"] and got["told_at"], f"contact: {got}")
    check(got["outbox_batches"] == 0 and got["lag_changes"] <= 3, f"lag: {got}")
    check(got["used_mib"] > 0 and got["free_gib"] > 0, f"storage: {got}")
    check(got["release"] and abs(got["clock_error_s"]) < 5, f"clock: {got}")
    world.laptop("bo", "enroll", world.link("bo"), "--no-sync")
    listed = world.office("device", "list", "--json").json()
    check(len(listed) == 2 and listed[1]["lag_changes"] > 0, f"a laptop that has nothing: {listed}")
    text = world.office("device", "list").out
    check("Last seen" in text and "Behind" in text, f"the table: {text}")


def late_ones(world):
    number = device_of(world, "bo")
    world.stop_server()
    with sqlite3.connect(os.path.join(world.home, "org", "acme.db")) as db:
        db.execute("UPDATE device SET enrolled_ms = enrolled_ms - 400000000, seen_ms = 0 WHERE number = ?", (number,))
    db.close()
    world.start_server()
    late = world.office("device", "list", "--late", "--json").json()
    check([d["device"] for d in late] == [number], f"late ones: {late}")
    check("late" in world.office("device", "list").out, "the table does not mark the late")
    check("失联" in world.office("device", "list", "--lang", "zh").out, "nor in Chinese")
    world.laptop("ada", "sync")                               # the server opens an org when somebody asks
    figures = subprocess.run(["curl", "-sk", world.url + "/metrics"], capture_output=True, text=True).stdout
    for line in ('roadbook_devices{org="acme"} 2', 'roadbook_devices_late{org="acme"} 1'):
        check(line in figures, f"no {line}: {figures[-900:]}")


# ---------------------------------------------------------------------- a lost laptop

def lost(world):
    world.laptop("eve", "enroll", world.link("eve"))
    world.laptop("eve", "sync")
    number, home = device_of(world, "eve"), world.laptop_home("eve")
    check(b"Volkswagen" in book_bytes(world, "eve"), "the book came")
    with sqlite3.connect(os.path.join(home, "book.db")) as db:
        seed = db.execute("SELECT key_seed FROM secret_identity").fetchone()[0]
    db.close()
    add_account(world, "eve", "Unsent and important")
    world.office("device", "lost", number)
    check(shown(world, number)["state"] == "to_wipe", "the order is not shown")
    result = world.laptop("eve", "sync", fails=True)
    check(result.code == REVOKED and "deleted" in result.err, f"what the person hears: {result}")
    held = world.office("requests", "--json").json()
    check(any("Unsent and important" in json.dumps(h) for h in held), f"unsent work is lost: {held}")
    left = sorted(os.listdir(home))
    check(all(f in ("revoked.json", "sync.lock", "daemon.lock") for f in left), f"left of the book: {left}")
    rest = book_bytes(world, "eve")
    check(b"Volkswagen" not in rest and seed not in rest, "names or keys are still there")
    check(json.load(open(os.path.join(home, "revoked.json")))["told"] == 1, "the server was not told")
    got = shown(world, number)
    check(got["state"] == "wiped" and got["wiped_at"], f"the server does not say when: {got}")
    for words in (("list", "account"), ("status",), ("sync",)):
        check(world.laptop("eve", *words, fails=True).code == REVOKED, f"{words} after the wipe")
    check("删除" in world.laptop("eve", "status", "--lang", "zh", fails=True).err, "not in Chinese")
    number = [h for h in held if "Unsent and important" in json.dumps(h)][0]
    world.office("requests", "approve", number.get("number", number.get("request", number.get("no"))))
    check(rows_of(world, "SELECT name FROM account WHERE name LIKE 'Unsent%'"), "head office cannot take it over")
    world.laptop("eve", "enroll", world.link("eve"))         # found again
    check(world.laptop("eve", "list", "account", "--json").json(), "a new link gives a new book")


def wiped_while_away(world):
    """The answer to the order is lost: it is told with the next visit."""
    world.laptop("gus", "enroll", world.link("gus"))
    number, home = device_of(world, "gus"), world.laptop_home("gus")
    world.office("device", "revoke", number, "--wipe")
    code = subprocess.run([os.path.join(world.bin, "roadbook-syncd"), "--home", home, "--once"], env=world.env,
                          capture_output=True, timeout=60).returncode
    check(code == REVOKED, f"the daemon ends with {code}")
    check(shown(world, number)["state"] == "wiped", "the daemon does not wipe, or does not tell")
    tombstone = os.path.join(home, "revoked.json")
    said = json.load(open(tombstone))
    said["told"] = 0
    json.dump(said, open(tombstone, "w"))
    open(os.path.join(home, "book.db"), "w").write("a crash left this")
    check(world.laptop("gus", "sync", fails=True).code == REVOKED, "sync after the wipe")
    check(not os.path.exists(os.path.join(home, "book.db")), "what a crash left stays")
    check(json.load(open(tombstone))["told"] == 1, "it is not told again")


def under_the_daemon(world):
    """The daemon waits for news when the order comes: it obeys, tells, and ends with the code that needs a person."""
    world.laptop("kai", "enroll", world.link("kai"))
    number, home = device_of(world, "kai"), world.laptop_home("kai")
    daemon = subprocess.Popen([os.path.join(world.bin, "roadbook-syncd"), "--home", home], env=world.env,
                              stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        world.office("device", "lost", number)
        add_account(world, "kai", "Saved while the order was given")   # its save is a round
        check(daemon.wait(timeout=30) == REVOKED, f"the daemon ends with {daemon.returncode}")
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()
    check(not os.path.exists(os.path.join(home, "book.db")), "the book is still there")
    check(shown(world, number)["state"] == "wiped", "the server does not know")
    held = world.office("requests", "--json").json()
    check(any("Saved while the order" in json.dumps(h) for h in held), "what was saved is lost")


# ---------------------------------------------------------------------- the lease

def lease(world):
    world.laptop("hal", "enroll", world.link("hal"))
    world.laptop("hal", "sync")
    book = os.path.join(world.laptop_home("hal"), "book.db")
    add_account(world, "hal", "Made in time")
    with sqlite3.connect(book) as db:                         # as if 31 days had passed since the last round
        db.execute("UPDATE state SET lease_ms = lease_ms - 31 * 86400000")
    db.close()
    for words in (("list", "account"), ("add", "account", "name=Too late"), ("find", "Volkswagen"), ("sql", "SELECT 1")):
        result = world.laptop("hal", *words, fails=True)
        check(result.code == DENIED and "roadbook sync" in result.err, f"a locked book: {result}")
    check("锁定" in world.laptop("hal", "list", "account", "--lang", "zh", fails=True).err, "not in Chinese")
    check(pending(world, "hal") == 1, "what was saved is lost")
    check(world.laptop("hal", "status", "--json").json()["locked"] is True, "status does not say so")
    check("Locked" in world.laptop("hal", "status").out, "status does not say so in words")
    world.laptop("hal", "sync")
    check(pending(world, "hal") == 0 and world.laptop("hal", "list", "account", "--json").json(), "a round does not unlock")
    world.office("org", "lease", "7")
    world.laptop("hal", "sync")
    status = world.laptop("hal", "status", "--json").json()
    check(status["offline_until"] < status["data_as_of"][:8] + "99" and not status["locked"], f"the org's days: {status}")


# ---------------------------------------------------------------------- an old release

def too_old(world):
    add_account(world, "hal", "Made by an old release")
    world.office("org", "minimum-release", "99.0.0")
    add_account(world, "ada", "News for all")
    check(world.laptop("ada", "sync", fails=True).code == VERSION, "an old release syncs")
    result = world.laptop("hal", "sync", fails=True)
    check(result.code == VERSION and "99.0.0" in result.err and "update" in result.err, f"what it hears: {result}")
    check("升级" in world.laptop("hal", "sync", "--lang", "zh", fails=True).err, "not in Chinese")
    check(pending(world, "hal") == 0, "its outbox is not taken")
    check(rows_of(world, "SELECT 1 FROM account WHERE name = 'Made by an old release'"), "its work is not there")
    names = [a["name"] for a in world.laptop("hal", "list", "account", "--json", "--limit", "1000").json()]
    check("News for all" not in names, "an old release gets rows")
    check("99.0.0" in world.laptop("hal", "status").out, "status does not say so")
    check(world.office("org", "minimum-release", "new", fails=True).code != 0, "not a release")
    world.office("org", "minimum-release", "none")
    world.laptop("hal", "sync")
    names = [a["name"] for a in world.laptop("hal", "list", "account", "--json", "--limit", "1000").json()]
    check("News for all" in names, "nothing comes after the update")


# ---------------------------------------------------------------------- copies

def add_visit(world, name, account, text):
    return world.laptop(name, "add", "visit", f"account={account}", f"talking_points={text}", "--json").json()["id"]


def copied(world):
    """Two laptops of one book: both work on, the second gets a number of its own, and nothing is lost or twice there."""
    world.laptop("jo", "enroll", world.link("jo"))
    world.laptop("jo", "sync")
    account = add_account(world, "jo", "Seen by both")
    world.laptop("jo", "sync")
    twin = add_account(world, "jo", "Not sent when copied")    # in both outboxes, and sent by the first
    shutil.copytree(world.laptop_home("jo"), world.laptop_home("jo2"))
    number = device_of(world, "jo")
    on_first = add_account(world, "jo", "Made on the first")
    world.laptop("jo", "set", "account", account, "remarks=from the first")
    world.laptop("jo", "sync")
    world.laptop("jo2", "set", "account", twin, "name=Renamed on the copy")
    on_copy = add_account(world, "jo2", "Made on the copy")
    check(on_first == on_copy, "the copies give the same ids, or this tests nothing")
    add_visit(world, "jo2", on_copy, "A visit to what the copy made")
    world.laptop("jo2", "set", "account", on_copy, "city=Hamburg")
    world.laptop("jo2", "set", "account", account, "city=Bremen")
    result = world.laptop("jo2", "sync", fails=True)
    check(result.code == REVOKED and "--again" in result.err, f"a copy is not seen: {result}")
    check(world.laptop("jo2", "enroll", world.link("ada"), "--again", fails=True).code != 0, "the link of another user")
    waiting = pending(world, "jo2")
    link = world.link("jo")
    world.laptop("jo2", "enroll", link, "--again")
    check(pending(world, "jo2") == 0 and waiting > 0, "what the copy saved is not sent")
    new = device_of(world, "jo2")
    check(new != number, "the number is the old one")
    check(shown(world, new)["formerly"] == number, f"head office does not see it: {shown(world, new)}")
    names = [row["name"] for row in rows_of(world, "SELECT name FROM account")]
    for name in ("Seen by both", "Renamed on the copy", "Made on the first", "Made on the copy"):
        check(names.count(name) == 1, f"{name}: {names.count(name)} times")
    lost = [entry for entry in world.office("conflicts", "--json").json() if "Not sent when copied" in json.dumps(entry)]
    check(lost == [], f"what the original sent of the copy's own work is no conflict: {lost}")
    row = rows_of(world, "SELECT city, remarks FROM account WHERE name = 'Seen by both'")[0]
    check(row == {"city": "Bremen", "remarks": "from the first"}, f"the edits of both: {row}")
    row = rows_of(world, "SELECT a.name, a.city, a.created_device FROM visit v JOIN account a ON a.id = v.account"
                         " WHERE v.talking_points LIKE 'A visit to what%'")[0]
    check(row == {"name": "Made on the copy", "city": "Hamburg", "created_device": new}, f"what the copy made: {row}")
    for name in ("jo", "jo2"):
        world.laptop(name, "sync")
        world.laptop(name, "verify")
    lists = [world.laptop(name, "list", "account", "--json", "--limit", "1000").json() for name in ("jo", "jo2")]
    check(sorted(a["id"] for a in lists[0]) == sorted(a["id"] for a in lists[1]), "the two books differ")
    add_account(world, "jo", "The first goes on")
    add_account(world, "jo2", "The copy goes on")
    for name in ("jo", "jo2"):
        world.laptop(name, "sync")
    check(len(rows_of(world, "SELECT 1 FROM account WHERE name LIKE '% goes on'")) == 2, "they do not go on")
    check(world.office("verify", "--json").json() == [], "the server's book is not sound")


def set_back(world):
    """A machine restored from an image: what was sent since is not there twice, what it makes now is sent."""
    home, image = world.laptop_home("jo"), os.path.join(world.dir, "image")
    add_account(world, "jo", "Before the image")
    shutil.copytree(home, image)
    add_account(world, "jo", "After the image")
    world.laptop("jo", "sync")
    shutil.rmtree(home)
    shutil.copytree(image, home)
    check(world.laptop("jo", "sync", fails=True).code == REVOKED, "a book that was set back is not seen")
    add_account(world, "jo", "Made after the restore")
    world.laptop("jo", "enroll", world.link("jo"), "--again")
    names = [row["name"] for row in rows_of(world, "SELECT name FROM account")]
    for name in ("Before the image", "After the image", "Made after the restore"):
        check(names.count(name) == 1, f"{name}: {names.count(name)} times")
    check(any(a["name"] == "After the image" for a in world.laptop("jo", "list", "account", "--json", "--limit", "1000").json()),
          "what was forgotten does not come back")


def set_back_amid_notes(world):
    """The image was made between two saves of one note: sent as one, the first batch became another than the image has."""
    home, image = world.laptop_home("jo"), os.path.join(world.dir, "image-amid")
    account = add_account(world, "jo", "With notes")
    world.laptop("jo", "sync")
    world.laptop("jo", "set", "account", account, "remarks=opens at nine")
    world.laptop("jo", "set", "account", account, "points+=3")
    add_account(world, "jo", "Made between the notes")
    shutil.copytree(home, image)
    world.laptop("jo", "set", "account", account, "remarks=opens at nine\npays late")
    world.laptop("jo", "sync")
    shutil.rmtree(home)
    shutil.copytree(image, home)
    world.laptop("jo", "set", "account", account, "remarks=opens at nine\nasks for samples", "points+=4")
    check(world.laptop("jo", "sync", fails=True).code == REVOKED, "a book that was set back is not seen")
    world.laptop("jo", "enroll", world.link("jo"), "--again")
    row = rows_of(world, "SELECT points, remarks FROM account WHERE name = 'With notes'")[0]
    check(row["points"] == 7, f"counted twice, or not at all: {row}")
    check(sorted(row["remarks"].split("\n")) == ["asks for samples", "opens at nine", "pays late"], f"a line twice, or gone: {row}")
    check(len(rows_of(world, "SELECT 1 FROM account WHERE name = 'Made between the notes'")) == 1, "a row is there twice")
    check(world.office("verify", "--json").json() == [], "the server's book is not sound")
    world.laptop("jo", "verify")


def without_identity(world):
    """A damaged file of which the outbox could be read, but not who the laptop is."""
    made = add_account(world, "jo2", "Saved before the damage")
    add_visit(world, "jo2", made, "A visit before the damage")
    with sqlite3.connect(os.path.join(world.laptop_home("jo2"), "book.db")) as db:
        db.execute("UPDATE secret_identity SET device = 0, key_seed = zeroblob(32)")
    db.close()
    check(world.laptop("jo2", "sync", fails=True).code == DENIED, "it still knows who it is")
    world.laptop("jo2", "enroll", world.link("jo"))
    rows = rows_of(world, "SELECT a.name FROM visit v JOIN account a ON a.id = v.account"
                          " WHERE v.talking_points = 'A visit before the damage'")
    check(rows == [{"name": "Saved before the damage"}], f"what was saved is lost: {rows}")
    check(pending(world, "jo2") == 0, "something waits still")


# ---------------------------------------------------------------------- secrets

def base64_forms(raw):
    plain = base64.b64encode(raw).rstrip(b"=")
    return [raw, plain, plain.replace(b"+", b"-").replace(b"/", b"_"), raw.hex().encode()]


def secrets_of(world, name):
    """The keys of the org and of a laptop, the key of their session, and what checks vouchers of former keys."""
    with sqlite3.connect(os.path.join(world.laptop_home(name), "book.db")) as db:
        seed = db.execute("SELECT key_seed FROM secret_identity").fetchone()[0]
    db.close()
    with sqlite3.connect(os.path.join(world.home, "org", "acme.db")) as db:
        org = db.execute("SELECT value FROM secret_setting WHERE name = 'org_key_seed'").fetchone()[0]
        sessions = [row[0] for row in db.execute("SELECT session_key FROM device WHERE session_key IS NOT NULL")]
        former = [row[0] for row in db.execute("SELECT voucher FROM secret_org_key")]
    db.close()
    return [form for raw in [seed, org, *sessions, *former] for form in base64_forms(raw)]


def watch(process, code):
    """What the list of processes shows of it while it runs."""
    seen = b""
    while process.poll() is None:
        for name in ("cmdline", "environ"):
            try:
                seen += open(f"/proc/{process.pid}/{name}", "rb").read()
            except OSError:
                pass
    check(code.encode() not in seen, "the code of the link is in the list of processes")


def secrets_show_nowhere(world):
    """Every command of the laptop and many of the server, with traces and logs; then all that was said is searched."""
    world.stop_server()
    trace, traced = os.path.join(world.dir, "server-trace"), os.path.join(world.dir, "laptop-trace")
    world.start_server("--trace", trace)
    world.user("ivy")
    link = world.link("ivy")
    code = link.split("#")[1].split(".")[0]
    raw = base64.urlsafe_b64decode(code + "==")
    env = {**world.env, "ROADBOOK_HOME": world.laptop_home("ivy")}
    process = subprocess.Popen([os.path.join(world.bin, "roadbook"), "enroll", "-"], env=env, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.stdin.write(link.encode() + b"\n")
    process.stdin.close()
    watch(process, code)
    said = process.stdout.read()
    process.stdout.close()
    check(process.returncode == 0, f"the link by standard input: {said}")
    account = add_account(world, "ivy", "Spoken of")
    commands = [("sync", "--trace", traced), ("status",), ("pending",), ("receipts",), ("conflicts",), ("held",), ("verify",),
                ("list", "account"), ("get", "account", account), ("history", "account", account), ("export", "account"),
                ("find", "Spoken"), ("attachments",), ("imports",), ("help",), ("version",), ("enroll", link),
                ("enroll", link[:-3]), ("sql", "SELECT * FROM account"), ("sql", "SELECT * FROM secret_identity"),
                ("sql", "SELECT * FROM sqlite_master"), ("undo",), ("sync",)]
    for words in commands:
        for more in ((), ("--json",)):
            result = world.laptop("ivy", *words, *more, fails=True)
            said += (result.out + result.err).encode()
    before = secrets_of(world, "ivy")
    for words in (("org", "key"), ("org", "key", "change"), ("org", "key", "change", "--yes"), ("org", "key"),
                  ("org", "key", "change", "--yes", "--json"), ("org", "key", "--json"), ("sql", "SELECT * FROM secret_org_key"),
                  ("device", "list"), ("device", "show", "1"), ("user", "list"), ("org", "list"), ("status",), ("verify",),
                  ("requests", "--all"), ("conflicts",), ("sql", "SELECT * FROM device"), ("sql", "SELECT * FROM meta"),
                  ("sql", "SELECT name, hex(value) FROM meta"), ("sql", "SELECT number, hex(session_key) FROM device"),
                  ("sql", "SELECT * FROM link"), ("history", "account", account)):
        result = world.office(*words, fails=True)
        said += (result.out + result.err).encode()
    daemon = subprocess.run([os.path.join(world.bin, "roadbook-syncd"), "--once", "--trace", traced], env=env,
                            capture_output=True, timeout=60)
    said += daemon.stdout + daemon.stderr
    world.stop_server()
    said += open(world.log.name, "rb").read()
    for folder in (trace, traced):
        names = os.listdir(folder)
        check(names, f"{folder} is empty")
        said += b"".join(open(os.path.join(folder, n), "rb").read() for n in names)
    world.start_server()
    for secret in before + secrets_of(world, "ivy") + base64_forms(raw):
        check(secret not in said, f"a secret was said near: {said[max(0, said.find(secret) - 200):][:200]}")


def modes(world):
    for top in (world.home, world.laptop_home("ada")):
        for at, folders, files in os.walk(top):
            for name in folders + files:
                path = os.path.join(at, name)
                mode = stat.S_IMODE(os.lstat(path).st_mode)
                if name == "cert.pem":
                    continue                                  # everyone is shown it
                check(mode & 0o077 == 0, f"{path} has the mode {mode:o}")


def run(world):
    for login in ("ada", "bo", "eve", "gus", "hal", "jo", "kai"):
        world.user(login)
    world.start_server("--trace", os.path.join(world.dir, "trace"))
    world.stop_server()
    world.start_server()
    for part in PARTS:
        part(world)
        print(f"  {part.__name__.replace('_', ' ')}", flush=True)


PARTS = [status_of_each, late_ones, lost, wiped_while_away, under_the_daemon, lease, too_old, copied, set_back, set_back_amid_notes, without_identity, secrets_show_nowhere, modes]

if __name__ == "__main__":
    os.umask(0)                                               # the programs see to it themselves
    sys.exit(main(run, World(sys.argv[1])))
