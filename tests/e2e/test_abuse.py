#!/usr/bin/env python3
"""test_abuse.py BIN [--seconds S] [--patience S]: whoever attacks the real server, a laptop that behaves gets its rounds, the server's
memory stays bounded, its log holds no secret and does not swell, and it works afterwards. Without --seconds each attack
runs once (some 10 seconds); with it they are repeated for that long. --patience is the server's read timeout (2 s): more
for slow builds.
"""
import argparse
import os
import re
import select
import socket
import ssl
import sys
import threading
import time

from programs import Failed, World, check, is_listening, main

parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--seconds", type=float, default=0)
parser.add_argument("--patience", type=int, default=2)
OPTIONS = parser.parse_args()
CONNECTIONS, OF_ADDRESS = 300, 120
LIMITS = ["--read-timeout", OPTIONS.patience, "--idle-timeout", 30, "--connections", CONNECTIONS, "--address-connections", OF_ADDRESS,
          "--address-connects", 100, "--address-requests", 60, "--held-mib", 16]
PATIENCE = OPTIONS.patience * 2 + 4     # of a test that waits for a cut, on a busy machine
ROUND_SECONDS_MAX = 15              # for a round of the good laptop: program start, TLS, push, receipt
GROWTH_MAX = (96 if OPTIONS.patience < 5 else 512) << 20    # sanitizers keep what was freed
TLS = ssl._create_unverified_context()


# ---------------------------------------------------------------------- clients

def dial(world, address="127.0.0.66", receive_bytes=None):
    s = socket.socket()
    if receive_bytes:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    s.settimeout(20)
    s.bind((address, 0))
    s.connect(("127.0.0.1", world.port))
    return s


def dial_tls(world, address="127.0.0.66", **options):
    s = dial(world, address, **options)
    try:
        return TLS.wrap_socket(s)
    except (OSError, ssl.SSLError):
        s.close()
        raise


def read_reply(s, kept=b""):
    """(status, fields, body, what came behind it); status 0: the connection ended."""
    data = kept
    while b"\r\n\r\n" not in data:
        piece = receive(s)
        if not piece:
            return 0, {}, b"", b""
        data += piece
    head, data = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    length = int(fields.get("content-length", 0))
    while len(data) < length:
        piece = receive(s)
        if not piece:
            return 0, {}, b"", b""
        data += piece
    return int(lines[0].split()[1]), fields, data[:length], data[length:]


def receive(s):
    try:
        return s.recv(65536)
    except (ConnectionError, ssl.SSLError):
        return b""


def ask(world, raw, **options):
    """The status of one request on a connection of its own."""
    with dial_tls(world, **options) as s:
        s.sendall(raw)
        return read_reply(s)[0]


def is_cut(s, seconds):
    """Whether the server ends the connection in time, without reading what it sent."""
    poll = select.poll()
    poll.register(s.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(seconds * 1000))


class Good(threading.Thread):
    """A laptop that behaves: it saves a visit and syncs, again and again."""

    def __init__(self, world):
        super().__init__()
        self.world, self.slowest, self.rounds, self.trouble, self.done = world, 0, 0, None, threading.Event()
        self.account = world.laptop("good", "list", "account", "--json").json()[0]["id"]

    def one(self):
        self.world.laptop("good", "add", "visit", f"account={self.account}", f"talking_points=visit {self.rounds}")
        begun = time.monotonic()
        self.world.laptop("good", "sync")
        took = time.monotonic() - begun
        check(took < ROUND_SECONDS_MAX, f"a round of the good laptop took {took:.1f} s")
        self.rounds, self.slowest = self.rounds + 1, max(self.slowest, took)

    def run(self):
        try:
            while not self.done.wait(0.2):
                self.one()
        except (Failed, OSError) as failure:
            self.trouble = failure

    def finish(self):
        self.done.set()
        self.join()
        if self.trouble:
            raise self.trouble
        check(self.rounds > 2, f"the good laptop had only {self.rounds} rounds")


def rss(world):
    with open(f"/proc/{world.server.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024


def cpu_seconds(world):
    with open(f"/proc/{world.server.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------------- slow ones

def all_cut(connections, name, trickle):
    """Each connection is cut, however it goes on sending."""
    until, left = time.monotonic() + PATIENCE, list(connections)
    while left and time.monotonic() < until:
        for s in list(left):
            try:
                s.send(trickle)
                ended = is_cut(s, 0)
            except OSError:
                ended = True
            if ended:
                left.remove(s)
                s.close()
        time.sleep(0.2)
    count = len(left)
    for s in left:
        s.close()
    check(not left, f"{name}: {count} of {len(connections)} still hold their connection after {PATIENCE} s")


def slow_head(world):
    crowd = [dial_tls(world, "127.0.0.10") for _ in range(40)]
    for s in crowd:
        s.send(b"POST /acme/round HTTP/1.1\r\nHost: h\r\nX-Slow: ")
    all_cut(crowd, "slow heads", b"a")


def slow_body(world):
    crowd = [dial_tls(world, "127.0.0.11") for _ in range(40)]
    for s in crowd:
        s.send(b"POST /acme/round HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
    all_cut(crowd, "slow bodies", b"ab")
    burst = [dial_tls(world, "127.0.0.11") for _ in range(5)]
    for s in burst:                                          # fast first, so that the average would last for long
        s.sendall(b"POST /acme/round HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 400000)
    check(all(is_cut(s, PATIENCE) for s in burst), "a body that stops half-way is not cut")
    for s in burst:
        s.close()


def slow_chunks(world):
    crowd = [dial_tls(world, "127.0.0.12") for _ in range(20)]
    for s in crowd:
        s.send(b"POST /acme/round HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    all_cut(crowd, "slow chunks", b"1\r\na\r\n")


def slow_reader(world):
    crowd = []
    for _ in range(10):
        s = dial_tls(world, "127.0.0.13", receive_bytes=4096)
        s.setblocking(False)
        try:
            for _ in range(100):
                s.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n" * 100)
        except (BlockingIOError, ssl.SSLWantWriteError):
            pass                                             # the server reads no further until its replies are read
        crowd.append(s)
    until = time.monotonic() + PATIENCE + 2
    cut = [is_cut(s, max(0.01, until - time.monotonic())) for s in crowd]
    for s in crowd:
        s.close()
    check(all(cut), f"{cut.count(False)} that do not read their replies are not cut")


def half_open(world):
    crowd = [dial(world, "127.0.0.14") for _ in range(100)]
    cut = [is_cut(s, PATIENCE) for s in crowd]
    for s in crowd:
        s.close()
    check(all(cut), f"{cut.count(False)} that never shake hands are not cut")


# ---------------------------------------------------------------------- heads that two readers read differently

HOST = b"Host: h\r\n"
HEADS = [
    ("good", b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n", {200}),
    ("two lengths", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {400}),
    ("two equal lengths", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", {400}),
    ("lengths in a list", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: 3, 3\r\n\r\nabc", {400}),
    ("length and coding", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("two codings", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("unknown coding", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    ("signed length", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: +3\r\n\r\nabc", {400}),
    ("negative length", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: -3\r\n\r\n", {400}),
    ("length of another base", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: 0x3\r\n\r\nabc", {400}),
    ("huge length", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n", {413}),
    ("length beyond numbers", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    ("huge chunk", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", {413}),
    ("chunk beyond numbers", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", {400}),
    ("lines without CR", b"GET /health HTTP/1.1\nHost: h\n\n", {0, 400, 408}),
    ("one line without CR", b"GET /health HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", {400}),
    ("folded field", b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", {400}),
    ("blank before the colon", b"GET /health HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n", {400}),
    ("zero byte", b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", {400}),
    ("no host", b"GET /health HTTP/1.1\r\n\r\n", {400}),
    ("two hosts", b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n", {400}),
    ("many fields", b"GET /health HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n", {431}),
    ("a long field", b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 20000 + b"\r\n\r\n", {431}),
    ("a long address", b"GET /" + b"y" * 20000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {431}),
    ("odd method", b"BREW /health HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    ("small letters", b"get /health HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    ("no method", b" /health HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    ("tunnel", b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}),
    ("whole address", b"GET http://example.com/health HTTP/1.1\r\n" + HOST + b"\r\n", {200}),
    ("address without path", b"GET http://example.com HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {405}),
    ("up the tree", b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", {404}),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", {400}),
    ("unknown expectation", b"POST /acme/round HTTP/1.1\r\n" + HOST + b"Expect: magic\r\nContent-Length: 1\r\n\r\na", {417}),
]


def odd_heads(world):
    for number, (name, raw, codes) in enumerate(HEADS):
        got = ask(world, raw, address=f"127.0.1.{number + 1}")
        check(got in codes, f"{name}: {got} instead of {sorted(codes)}")
    with dial(world) as s:                                   # plain HTTP where TLS is spoken
        s.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        check(b"200 OK" not in receive(s), "the port of TLS speaks plain HTTP")


# ---------------------------------------------------------------------- floods

def pipelining(world):
    count, address = 1000, "127.0.0.20"
    with dial_tls(world, address) as s:
        sender = threading.Thread(target=lambda: s.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n" * count))
        sender.start()
        codes, kept = [], b""
        for _ in range(count):
            code, _, _, kept = read_reply(s, kept)
            codes.append(code)
            if code == 0:
                break
        sender.join()
    check(codes.count(0) == 0 and set(codes) <= {200, 429}, f"requests sent ahead were lost: {len(codes)} of {count}, {set(codes)}")


def many_connections(world):
    """One address takes no more than its part; several together push out only who is idle."""
    crowd = []
    for number in range(6):
        for _ in range(OF_ADDRESS // 2):
            try:
                crowd.append(dial_tls(world, f"127.0.0.{30 + number}"))
            except (OSError, ssl.SSLError):
                pass
    check(len(crowd) > CONNECTIONS // 2, f"only {len(crowd)} connections came about")
    one, refused = [], 0
    for _ in range(OF_ADDRESS + 20):
        try:
            one.append(dial_tls(world, "127.0.0.40"))
        except (OSError, ssl.SSLError):
            refused += 1
    answered = []
    for s in one[-5:]:
        try:
            s.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            answered.append(read_reply(s)[0])
        except OSError:
            answered.append(0)
    check(refused > 0 or set(answered) & {429, 0}, f"one address may have {len(one)} connections: {answered}")
    world.laptop("good", "sync")
    for s in crowd + one:
        s.close()


class Captured:
    """A request of a laptop as it stood on the line."""

    def __init__(self, path):
        with open(path, "rb") as file:
            head, self.body = file.read().split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        self.start = lines[0].split(b" HTTP/")[0]
        self.fields = [line for line in lines[1:] if not line.lower().startswith((b"host:", b"content-length:"))]
        self.signature = next(line for line in self.fields if line.lower().startswith(b"signature:"))

    def raw(self, change=None):
        fields = [change(f) if change and f is self.signature else f for f in self.fields]
        return b"\r\n".join([self.start + b" HTTP/1.1", b"Host: h", *fields, b"Content-Length: %d" % len(self.body), b"", self.body])


def flood(world, make, count, address):
    """Statuses of requests one after the other; the last refusal's fields and body."""
    codes, last, s = {}, None, None
    for number in range(count):
        s = s or dial_tls(world, address)
        s.sendall(make(number))
        code, fields, body, _ = read_reply(s)
        codes[code] = codes.get(code, 0) + 1
        if code == 429:
            last = fields, body.decode()
        if code == 0 or fields.get("connection") == "close":
            s.close()
            s = None
    if s:
        s.close()
    return codes, last


def bad_signatures(world, captured):
    def break_it(number):
        return captured.raw(lambda f: re.sub(rb":[A-Za-z0-9+/]{6}", b":" + (b"%06d" % number), f, count=1))
    before, begun, lines = cpu_seconds(world), time.monotonic(), log_lines(world)
    count = 3000
    codes, last = flood(world, break_it, count, "127.0.0.1")     # the address of the good laptop, as in one office
    each_us = (cpu_seconds(world) - before) / count * 1e6
    check(set(codes) <= {401, 429} and codes.get(401) and codes.get(429), f"bad signatures got {codes}")
    fields, body = last
    check(int(fields["retry-after"]) >= 1, "no Retry-After")
    check('"code":"LIMITED"' in body and '"detail"' in body and '"detail_zh"' in body, f"no problem details in both languages: {body}")
    check(each_us < 5000, f"a bad signature costs the server {each_us:.0f} us (the good laptop's rounds included)")
    new_lines, seconds = log_lines(world) - lines, time.monotonic() - begun
    check(new_lines < 400 + 30 * seconds, f"{new_lines} lines of log for {count} bad signatures in {seconds:.0f} s")


def replays(world, captured):
    visits = len(world.office("list", "visit", "--json", "--limit", "100000").json())
    codes, _ = flood(world, lambda _: captured.raw(), 300, "127.0.0.50")
    check(set(codes) <= {401, 429} and codes.get(401), f"replays got {codes}")
    after = world.office("sql", "SELECT count(*) AS n, count(DISTINCT talking_points) AS d FROM visit", "--json").json()[0]
    check(after["n"] == after["d"] and after["n"] >= visits, f"replays changed the book: {after}, before {visits}")


def huge_pushes(world):
    """A laptop that brings an import as large as a month of an office; the good one does not stand behind it."""
    rows = "".join(f"{world.account_name},heavy {n} {time.monotonic_ns()}\n" for n in range(3000))
    path = os.path.join(world.dir, "heavy.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("account,talking_points\n" + rows)
    world.laptop("heavy", "import", "visit", path)
    world.laptop("heavy", "sync", timeout=120)


# ---------------------------------------------------------------------- the log

def log_lines(world):
    with open(world.log.name, "rb") as file:
        return file.read().count(b"\n")


def log_is_clean(world, captured):
    secrets = [captured.signature.split(b":", 2)[-1].strip(b": ")[:20], b"sk-visit", b"talking_points"]
    for line in captured.fields:
        found = re.search(rb'nonce="([^"]+)"', line)
        if found:
            secrets.append(found.group(1))
    with open(world.log.name, "rb") as file:
        text = file.read()
    for secret in secrets:
        check(len(secret) < 8 or secret not in text, f"the log holds {secret!r}")
    check(text.count(b"event=") == text.count(b"\n"), "a line of the log was made by somebody else")


# ---------------------------------------------------------------------- together

def capture(world):
    """One real round with its signature, from a server that keeps its messages."""
    trace = os.path.join(world.dir, "trace")
    world.start_server("--trace", trace)
    world.import_rows("account", "name\nAcme Works\n")
    world.account_name = "Acme Works"
    for name in ("good", "heavy"):
        world.user(name)
        world.laptop(name, "enroll", world.link(name))
        world.laptop(name, "sync")
    world.laptop("good", "add", "visit", "account=Acme Works", "talking_points=first")
    world.laptop("good", "sync")
    paths = [os.path.join(trace, n) for n in sorted(os.listdir(trace))]
    rounds = [p for p in paths if p.endswith("-request.http") and open(p, "rb").readline().startswith(b"POST /acme/round")]
    check(rounds, "no round was kept")
    captured = Captured(rounds[-1])
    codes, _ = flood(world, lambda _: captured.raw(), 5, "127.0.0.51")   # by the same process that answered it
    check(set(codes) == {401}, f"a replay was taken: {codes}")
    world.stop_server()
    return captured


def at_once(world, attacks):
    """Runs attacks beside each other; the first failure is raised."""
    failures = []

    def one(attack):
        try:
            attack()
        except Exception as failure:
            failures.append(Failed(f"{type(failure).__name__}: {failure}"))
    threads = [threading.Thread(target=one, args=(attack,)) for attack in attacks]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


def attack_all(world, captured):
    at_once(world, [lambda a=a: a(world) for a in (slow_head, slow_body, slow_chunks, half_open)])
    at_once(world, [lambda: slow_reader(world), lambda: odd_heads(world), lambda: pipelining(world), lambda: huge_pushes(world)])
    at_once(world, [lambda: bad_signatures(world, captured), lambda: replays(world, captured)])
    many_connections(world)


def run(world):
    captured = capture(world)
    world.start_server(*map(str, LIMITS))
    world.laptop("good", "sync")
    before, begun = rss(world), time.monotonic()
    good = Good(world)
    good.start()
    try:
        while True:
            attack_all(world, captured)
            if time.monotonic() - begun >= OPTIONS.seconds:
                break
    finally:
        good.done.set()
        good.join()
    good.finish()
    grown = rss(world) - before
    check(grown < GROWTH_MAX, f"the server grew by {grown >> 20} MiB")
    good.one()                                               # and it works afterwards
    there = world.office("sql", "SELECT count(*) AS n FROM visit WHERE talking_points LIKE 'visit %'", "--json").json()[0]["n"]
    check(there == good.rounds, f"{there} of {good.rounds} visits of the good laptop are in the book")
    check(world.stop_server() == 0, "the server did not stop in order")
    log_is_clean(world, captured)
    check(not is_listening(world.port), "somebody still listens")
    print(f"{good.rounds} rounds of the good laptop, the slowest {good.slowest:.1f} s; the server grew by {grown / 1048576:.1f} MiB; "
          f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    sys.exit(main(run, World(OPTIONS.bin)))
