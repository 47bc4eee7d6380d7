#!/usr/bin/env python3
"""test_bad_input.py BIN: whatever is wrong, the real programs say clearly what to do, end with the right exit code or
HTTP status, and lose nothing."""
import json
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

from programs import ROOT, Failed, World, check, main

LIAR = os.path.join(ROOT, "tests/e2e/liar.mjs")
USAGE, DATA, NOTHING, OFFLINE, DISK, BUSY, PROTOCOL, DENIED = 64, 65, 66, 69, 74, 75, 76, 77   # exit codes
SKIPPED = []


def refused(result, code, *words):
    """The exit code, one of each group of words, and no trace of a crash."""
    codes = code if isinstance(code, tuple) else (code,)
    check(result.code in codes, f"exit {result.code} instead of {code}: {result}")
    said = (result.out + result.err).lower()
    for word in words:
        options = word if isinstance(word, tuple) else (word,)
        check(any(w.lower() in said for w in options), f"nothing about {word}: {result}")
    check(len(said) > 20, f"no clear message: {result}")
    as_json = [line for line in result.err.splitlines() if line.startswith("{")]
    for line in as_json:
        problem = json.loads(line)
        check(problem.get("detail") and problem.get("status"), f"not a problem document: {line}")


def visits(world):
    return {row["talking_points"] for row in world.office("list", "visit", "--json", "--limit", "10000").json()}


def pending(world, name):
    return len(world.laptop(name, "pending", "--json").json())


def account(world, name="ada"):
    return world.laptop(name, "list", "account", "--json", "--limit", "1").json()[0]["id"]


def add_visit(world, name, text, **options):
    return world.laptop(name, "add", "visit", f"account={account(world, name)}", f"talking_points={text}", "--json", **options)


# ---------------------------------------------------------------------- links

def wrong_links(world):
    link = world.link("eve")
    origin, secret = link.split("#")
    code, key, pin = secret.split(".")
    for name, bad in {"nothing like a link": "hello", "no secret": origin, "cut": link[:-10], "http": link.replace("https", "http"),
                      "half": f"{origin}#{code}"}.items():
        result = world.laptop("eve", "enroll", bad, "--json", fails=True)
        refused(result, (USAGE, DATA), ("link", "address"))
        check(code not in result.out + result.err, f"{name}: the secret is in the message")
    other = ("B" if code[0] == "A" else "A") + code[1:]
    refused(world.laptop("eve", "enroll", f"{origin}#{other}.{key}.{pin}", fails=True), DENIED, "link")
    refused(world.laptop("eve", "enroll", link.replace("/acme/", "/nobody/"), fails=True), (NOTHING, DENIED), ("address", "org", "nobody"))
    wrong_key = ("B" if key[0] == "A" else "A") + key[1:]
    refused(world.laptop("eve", "enroll", f"{origin}#{code}.{wrong_key}.{pin}", fails=True), DENIED, ("proof", "network", "key"))


def used_and_expired(world):
    link = world.link("eve")
    world.laptop("eve", "enroll", link)
    refused(world.laptop("mallory", "enroll", link, fails=True), DENIED, "used", ("new link", "ask"))
    late = world.link("eve")
    with sqlite3.connect(os.path.join(world.home, "org", "acme.db")) as db:
        db.execute("UPDATE link SET expires_ms = 1 WHERE device IS NULL OR device = 0")
    db.close()
    refused(world.laptop("mallory", "enroll", late, fails=True), DENIED, ("expired", "run out", "too old"), ("new link", "ask"))
    refused(world.laptop("mallory", "sync", fails=True), DENIED, "enrol")


def revoked(world):
    add_visit(world, "eve", "before the laptop was revoked")
    device = world.laptop("eve", "status", "--json").json()["device"]
    world.office("device", "revoke", device)
    refused(world.laptop("eve", "sync", fails=True), 78, "revoked", "head office")
    check(pending(world, "eve") == 0, "the edit of a revoked laptop was not taken")
    check(any(r["reason"] and "revoked" in json.dumps(r) for r in world.office("requests", "--json").json()),
          "the edit of a revoked laptop is lost")
    refused(world.laptop("eve", "list", "visit", fails=True), DENIED, "locked")


# ---------------------------------------------------------------------- messages

def liar(world):
    if not shutil.which("node"):
        SKIPPED.append("liar.mjs (node is not installed)")
        return
    state = os.path.join(world.dir, "liar.json")
    done = subprocess.run(["node", LIAR, world.link("bo"), state, str(account(world))], capture_output=True, timeout=300)
    check(done.returncode == 0, f"the liar failed: {done.stderr.decode()}")
    answers = json.loads(done.stdout)
    for name, code, problem in [
            ("good", 200, None), ("good again", 200, None), ("good at the end", 200, None),
            ("bad hmac", 401, "UNAUTHENTIC"), ("another body", 401, "UNAUTHENTIC"), ("no signature", 401, "UNAUTHENTIC"),
            ("unknown device", 401, "UNAUTHENTIC"), ("another type", 400, "MALFORMED"), ("used nonce", 401, "TRY_AGAIN"),
            ("unknown org", 404, "NOT_FOUND"), ("unknown path", 404, "NOT_FOUND"), ("empty", 400, "MALFORMED"),
            ("noise", 400, "MALFORMED"), ("truncated", 400, "MALFORMED"), ("wrong version", 426, "VERSION"),
            ("wrong coding", 426, "VERSION"), ("another dictionary", 426, "VERSION"), ("another kind", 400, "MALFORMED"),
            ("bomb", 413, "TOO_LARGE"), ("bomb that lies", 400, "MALFORMED"),
            ("gap", 422, "INVALID"), ("unsigned", 403, "DENIED"), ("a position of nowhere", 409, "CONFLICT")]:
        got = answers[name]
        check(got["code"] == code and problem in (None, got["problem"]), f"{name}: {got}")
    check(answers["as JSON"].get("kind") == "round", f"the debugging type: {answers['as JSON']}")
    check("kind" not in answers["a position of nowhere"], "it was believed without the server's word")
    for name, got in answers.items():
        check(got["code"] < 500, f"{name}: the server broke: {got}")
        if name.startswith("push flip"):
            check(got["code"] in (200, 400, 401, 403, 413, 422, 426), f"{name}: {got}")
    for name, outcome, reason in [
            ("a visit", "applied", 0), ("unknown entity", "refused", 4), ("unknown field", "applied", 0),
            ("over the limit", "refused", 1), ("outside the enum", "refused", 1), ("two lines in one", "refused", 1),
            ("not UTF-16 but number", "refused", 1), ("reference to nothing", "refused", 3)]:
        got = answers[name]
        check((got.get("outcome"), got.get("reason")) == (outcome, reason), f"{name}: {got}")
    check(answers["required is missing"].get("outcome") in ("refused", "applied"), "required is missing")


def without_proof(world):
    """Requests of somebody who knows only the address."""
    context = ssl._create_unverified_context()
    for method, path, body, code in [("GET", "/", None, 404), ("GET", "/acme/round", None, 404), ("POST", "/acme/round", b"", 401),
                                     ("POST", "/acme/enroll", b"\xb7\x01\x03\x00", (400, 401)), ("PUT", "/acme/round", b"x", 405),
                                     ("POST", "/", b"x", 404), ("POST", "/acme/" + "x" * 9000, b"x", (414, 431)),
                                     ("GET", "/health", None, 200)]:
        request = urllib.request.Request(world.url + path, data=body, method=method, headers={"Content-Type": "application/roadbook"})
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as reply:
                got, text = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            got, text = error.code, error.read()
        codes = code if isinstance(code, tuple) else (code,)
        check(got in codes, f"{method} {path[:20]}: {got} instead of {code}")
        if got >= 400:
            check(json.loads(text)["status"] == got, f"{method} {path[:20]}: not a problem document: {text[:200]!r}")


def too_large(world):
    """The server says no before it has read the body."""
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", world.port), timeout=20) as plain, context.wrap_socket(plain) as s:
        s.sendall(b"POST /acme/round HTTP/1.1\r\nHost: x\r\nContent-Type: application/roadbook\r\nContent-Length: 5242880\r\n\r\n")
        check(s.recv(100).startswith(b"HTTP/1.1 413"), "a body of 5 MiB is not refused at once")


# ---------------------------------------------------------------------- values at the command line

def wrong_values(world):
    row = account(world)
    before = world.laptop("ada", "get", "account", row, "--json").out
    for words, code, about in [
            (["add", "nothing", "x=1"], (USAGE, DATA, NOTHING), "nothing"),
            (["add", "visit", f"account={row}", "colour=red"], (USAGE, DATA, NOTHING), "colour"),
            (["add", "visit", f"account={row}", "place=" + "x" * 201], DATA, ("200", "long")),
            (["add", "visit", f"account={row}", "type=dancing"], DATA, ("routine", "dancing")),
            (["add", "visit", "account=Nobody at all"], (DATA, NOTHING), "nobody"),
            (["add", "visit", "account=99999999"], (DATA, NOTHING), ("99999999", "account")),
            (["add", "visit", "talking_points=without an account"], DATA, ("account", "required")),
            (["set", "account", row, "employees=-5"], DATA, ("employees", "least", "from")),
            (["set", "account", row, "last_contact_on=tomorrowish"], DATA, ("date", "tomorrowish")),
            (["set", "account", row, "open_opportunities=3"], (USAGE, DATA, DENIED), ("computed", "open")),
            (["get", "account", "8-88888"], (DATA, NOTHING), ""),
            (["frobnicate"], USAGE, "frobnicate"), (["list", "account", "--frob"], USAGE, "frob"),
            (["sql", "DELETE FROM account"], (USAGE, DATA, DENIED, NOTHING), "")]:
        refused(world.laptop("ada", *words, "--json", fails=True), code, about)
    check(world.laptop("ada", "get", "account", row, "--json").out == before, "a refused edit changed the row")
    check(pending(world, "ada") == 0, "a refused edit is in the outbox")


def in_both_languages(world):
    said = world.laptop("ada", "add", "visit", "account=Nobody", fails=True, env={"LC_ALL": "zh_CN.UTF-8", "LANG": "zh_CN.UTF-8"})
    check(any("\u4e00" <= c <= "\u9fff" for c in said.err), f"not in Chinese: {said}")


# ---------------------------------------------------------------------- machines

def server_down(world):
    world.stop_server()
    add_visit(world, "ada", "while the server was down")
    refused(world.laptop("ada", "sync", fails=True), OFFLINE, ("server", "connection"))
    check(pending(world, "ada") == 1, "the edit is lost")
    world.start_server()
    world.laptop("ada", "sync")
    check("while the server was down" in visits(world), "the visit did not arrive")


def limited(limit_bytes):
    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    return apply


def full_disk(world):
    """A small disk of its own for a laptop, filled up."""
    home = world.laptop_home("tiny")
    os.makedirs(home)
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", home],
                                                   capture_output=True).returncode == 0
    if not mounted:
        SKIPPED.append("full disk (a small disk needs root)")
        return
    try:
        world.laptop("tiny", "enroll", world.link("ada"))
        world.laptop("tiny", "sync")
        row = account(world, "tiny")
        with open(os.path.join(home, "ballast"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        saved, result = [], None
        for i in range(400):
            text = f"tight {i} " + "x" * 4000
            result = world.laptop("tiny", "add", "visit", f"account={row}", f"talking_points={text}", fails=True)
            if result.code != 0:
                break
            saved.append(text)
        refused(result, DISK, ("full", "space"))
        os.remove(os.path.join(home, "ballast"))
        world.laptop("tiny", "verify")
        world.laptop("tiny", "add", "visit", f"account={row}", "talking_points=after the disk was full")
        world.laptop("tiny", "sync")
        there = visits(world)
        check(all(t in there for t in saved), "a visit that was saved on the full disk is lost")
        check("after the disk was full" in there, "nothing works after the disk was full")
        check(f"tight {len(saved)} " + "x" * 4000 not in there, "a visit that was not saved arrived")
    finally:
        subprocess.run(["umount", home], check=False)


def full_disk_at_the_server(world):
    """Files may not grow any more: the server refuses, the laptop keeps."""
    path = os.path.join(world.home, "org", "acme.db")
    world.stop_server()
    argv = [os.path.join(world.bin, "roadbook-server"), "serve", "--listen", f"127.0.0.1:{world.port}"]
    size = os.path.getsize(path) // 2
    world.server = subprocess.Popen(argv, env=world.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    preexec_fn=limited(size), restore_signals=False)
    world.await_server()
    add_visit(world, "ada", "full server " + "y" * 15000)
    for i in range(60):
        result = world.laptop("ada", "sync", fails=True)
        if result.code != 0:
            break
        add_visit(world, "ada", f"full server {i} " + "y" * 15000)
    refused(result, (DISK, OFFLINE, BUSY), ("disk", "server"))
    check(pending(world, "ada") >= 1, "the edit that the server could not take is lost")
    world.stop_server()
    world.start_server()
    world.laptop("ada", "sync")
    check(pending(world, "ada") == 0 and any(v.startswith("full server") for v in visits(world)), "the edit did not arrive")
    world.office("verify")


def locked_store(world):
    path = os.path.join(world.laptop_home("ada"), "book.db")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        refused(add_visit(world, "ada", "while it was locked", fails=True), BUSY, ("busy", "another program", "lock", "in use"))
    finally:
        db.execute("ROLLBACK")
        db.close()
    check(pending(world, "ada") == 0, "a save that failed left something")
    add_visit(world, "ada", "after it was locked")
    world.laptop("ada", "sync")
    there = visits(world)
    check("after it was locked" in there and "while it was locked" not in there, "the lock changed what was saved")


def overwrite_middle(path):
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        for place in (size // 3 // 4096, size // 2 // 4096, 2 * size // 3 // 4096):
            file.seek(place * 4096)
            file.write(b"\xa5" * 3000)


def damaged_store(world):
    home = world.laptop_home("ada")
    texts = [f"before the damage {i}" for i in range(5)]
    for text in texts:
        add_visit(world, "ada", text)
    with sqlite3.connect(os.path.join(home, "book.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with open(os.path.join(home, "book.db"), "r+b") as file:   # the first page: whoever opens it notices
        file.write(b"\xff" * 4096)
    said = world.laptop("ada", "list", "account", "--json", fails=True)
    check("set aside" in said.err, f"nothing about the rescue: {said}")
    check(any(".damaged-" in name for name in os.listdir(home)), "the damaged file is gone")
    check(pending(world, "ada") == len(texts), f"{pending(world, 'ada')} of {len(texts)} batches were rescued")
    world.laptop("ada", "sync")
    check(set(texts) <= visits(world), "a rescued visit did not arrive")
    world.laptop("ada", "verify")
    same_book(world, "ada")


def damaged_under_the_daemon(world):
    """The daemon meets the damage, makes the book anew, and goes on."""
    home = world.laptop_home("ada")
    daemon = subprocess.Popen([os.path.join(world.bin, "roadbook-syncd")], env={**world.env, "ROADBOOK_HOME": home},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(os.path.join(home, "daemon.lock")), "the daemon does not start")
        time.sleep(0.5)
        with sqlite3.connect(os.path.join(home, "book.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        overwrite_middle(os.path.join(home, "book.db"))
        world.laptop("ada", "verify", fails=True)
        add_visit_when_whole(world, "after the damage under the daemon")
        wait_until(lambda: "after the damage under the daemon" in visits(world), "the daemon does not work with the new book")
        check(daemon.poll() is None, "the daemon has ended")
    finally:
        daemon.terminate()
        daemon.wait()
    world.laptop("ada", "verify")
    same_book(world, "ada")


def wait_until(is_so, text, seconds=30):
    until = time.monotonic() + seconds
    while not is_so():
        check(time.monotonic() < until, text)
        time.sleep(0.1)


def add_visit_when_whole(world, text):
    """The accounts come back with the daemon's next round."""
    wait_until(lambda: world.laptop("ada", "list", "account", "--json", "--limit", "1").json(), "the book does not come back")
    add_visit(world, "ada", text)


def damaged_anywhere(world):
    """Any one page but those of the outbox itself may be lost, and no unsent work is."""
    home, good = world.laptop_home("ada"), os.path.join(world.dir, "good")
    world.stop_server()
    for i in range(4):
        add_visit(world, "ada", f"before damage anywhere {i}")
    with sqlite3.connect(os.path.join(home, "book.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        roots = dict(db.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"))
    db.close()
    shutil.copytree(home, good)
    pages = range(1, os.path.getsize(os.path.join(home, "book.db")) // 4096 + 1)
    special = [1, roots["secret_identity"], roots["state"], roots["pending"]]

    def without(*lost):
        shutil.rmtree(home)
        shutil.copytree(good, home)
        with open(os.path.join(home, "book.db"), "r+b") as file:
            for page in lost:
                file.seek((page - 1) * 4096)
                file.write(b"\xa5" * 4096)
        return world.laptop("ada", "verify", fails=True)

    said = without(roots["secret_identity"], roots["secret_setting"])   # and the spare
    check("new link" in said.err, f"nothing about a new link: {said}")
    for page in special + random.Random(7).sample([p for p in pages if p not in (roots["outbox"], *special)], 16):
        said = without(page)
        check("set aside" in said.err, f"page {page}: {said}")
        check(pending(world, "ada") == 4, f"page {page}: {pending(world, 'ada')} of 4 batches were rescued")
    world.start_server()
    world.laptop("ada", "sync")
    check({f"before damage anywhere {i}" for i in range(4)} <= visits(world), "rescued visits did not arrive")
    same_book(world, "ada")


def damaged_in_the_middle(world):
    home = world.laptop_home("ada")
    add_visit(world, "ada", "before the second damage")
    with sqlite3.connect(os.path.join(home, "book.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    overwrite_middle(os.path.join(home, "book.db"))
    said = world.laptop("ada", "verify", fails=True)
    refused(said, (DISK, 0), "set aside", "rescued")   # 0: it showed when the book was opened, and verify saw the new one
    world.laptop("ada", "sync")
    check("before the second damage" in visits(world), "the rescued visit did not arrive")
    world.laptop("ada", "verify")
    same_book(world, "ada")


def same_book(world, name):
    world.laptop(name, "sync")
    for entity in ("account", "visit", "employee"):
        mine = world.laptop(name, "export", entity, "--format", "jsonl").out
        check(mine == world.office("export", entity, "--format", "jsonl").out, f"{name} has another book ({entity})")


# ---------------------------------------------------------------------- certificates

def make_certificate(world, name, key, *options):
    path = os.path.join(world.dir, f"{name}.pem")
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", path, "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", *options], check=True, capture_output=True)
    return path


def expired_certificate(world, key):
    """openssl ca is what lets the dates be chosen."""
    place = os.path.join(world.dir, "ca")
    os.makedirs(os.path.join(place, "new"))
    open(os.path.join(place, "index"), "w").close()
    config = os.path.join(place, "conf")
    with open(config, "w") as file:
        file.write(f"[ca]\ndefault_ca=me\n[me]\ndatabase={place}/index\nnew_certs_dir={place}/new\nrand_serial=yes\n"
                   "default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
    request, path = os.path.join(place, "request"), os.path.join(place, "expired.pem")
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=127.0.0.1", "-out", request], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", config, "-keyfile", key, "-in", request, "-out", path,
                    "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"], check=True, capture_output=True)
    return path


def certificates(world):
    if not shutil.which("openssl"):
        SKIPPED.append("certificates (openssl is not installed)")
        return
    own_key = os.path.join(world.home, "tls", "key.pem")
    world.stop_server()
    world.start_server("--cert", expired_certificate(world, own_key), "--key", own_key)
    add_visit(world, "ada", "under an expired certificate")
    world.laptop("ada", "sync")                  # the pin is of the key; dates do not matter
    check("under an expired certificate" in visits(world), "an expired certificate with the pinned key locks the laptop out")
    result = world.laptop("carol", "enroll", world.link("bo", "--no-pin"), fails=True)
    refused(result, DENIED, "certificate", ("date", "trusted", "pin"))
    world.stop_server()
    other_key = os.path.join(world.dir, "other.key")
    subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", other_key], check=True, capture_output=True)
    world.start_server("--cert", make_certificate(world, "other", other_key), "--key", other_key)
    add_visit(world, "ada", "in front of a stranger")
    refused(world.laptop("ada", "sync", fails=True), DENIED, "certificate", ("link", "network"))
    check(pending(world, "ada") == 1, "the edit is lost")
    world.stop_server()
    world.start_server()
    world.laptop("ada", "sync")
    check("in front of a stranger" in visits(world), "the edit did not arrive")


# ---------------------------------------------------------------------- all of it

CASES = [wrong_links, used_and_expired, revoked, without_proof, too_large, liar, wrong_values, in_both_languages, server_down,
         locked_store, full_disk, full_disk_at_the_server, certificates, damaged_store, damaged_in_the_middle, damaged_under_the_daemon,
         damaged_anywhere]


def run(world):
    for login in ("ada", "bo", "eve"):
        world.user(login)
    rows = [f"Customer {i},City {i},{'word ' * 40}{i}" for i in range(300)]
    world.import_rows("account", "name,city,remarks\n" + "\n".join(rows) + "\n")
    world.start_server()
    world.laptop("ada", "enroll", world.link("ada"))
    world.laptop("ada", "sync")
    wanted = sys.argv[2:]
    failures = 0
    for case in CASES:
        if wanted and case.__name__ not in wanted:
            continue
        began = time.monotonic()
        try:
            case(world)
            print(f"ok   {case.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)", flush=True)
        except Failed as failure:
            failures += 1
            print(f"FAIL {case.__name__.replace('_', ' ')}: {failure}", flush=True)
            if world.server is None:
                world.start_server()
    for text in SKIPPED:
        print(f"skipped: {text}")
    check(failures == 0, f"{failures} of {len(CASES)} cases failed")


if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1])))
