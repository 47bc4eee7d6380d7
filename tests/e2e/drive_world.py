"""What drive.py drives: laptops, a server behind a proxy that cuts; and what is known of deeds."""
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

from programs import Result, World, check, free_port

TOKEN = re.compile(r"e\d{4}")
DERIVED = {"seq", "pending", "short_id", "open_opportunities", "last_visit_on", "duration_min",
           "followup_due"}
RULES = {
    "account": {"website": "last", "industry": "last", "name": "last", "city": "group",
                "points": "counter", "tags": "set", "phones": "shared", "remarks": "text",
                "last_contact_on": "max", "credit_limit": "office"},
    "contact": {"title": "last", "name": "last", "phones": "set", "notes": "text"},
    "opportunity": {"name": "last", "competitors": "set", "next_step": "text"},
    "order": {"delivered": "counter", "remarks": "text"},
    "task": {"title": "last", "checklist": "set", "body": "text"},
    "followup": {"opinion": "text"},
    "visit": {"talking_points": "frozen", "result": "frozen"},
}
TITLE = {"account": "name", "contact": "name", "opportunity": "name", "order": "number",
         "task": "title", "followup": "opinion", "visit": "talking_points"}
ENTITIES = ["territory", "employee", "account", "contact", "visit", "followup", "task",
            "opportunity", "order", "team_member", "attachment", "handover"]
OWNER = {"contact": "account", "visit": "account", "opportunity": "account", "order": "account",
         "attachment": "account", "team_member": "account", "followup": "visit"}
SYNC_CODES = (0, 69, 75)


class Deed:
    """What somebody did in one save."""

    def __init__(self, number, actor, kind, cells):
        self.n, self.kind = number, kind
        self.laptop = None if actor == "office" else actor
        self.who = actor if actor == "office" else actor.name
        self.cells = cells                 # (entity, row, field) -> (op, value, deeds it was shown)
        self.rows = {(e, r) for e, r, _ in cells}
        self.weak = set()                  # of rows: those that it named, if it did not lose
        self.unit = set()                  # of a delete: the rows that it names
        self.state = "yes"
        self.volatile = False              # nobody promised that it is kept
        self.orphan = False                # came in perhaps, in a life that is forgotten
        self.acked = False                 # its laptop has the receipt
        self.away = False                  # its laptop came back from an image without it
        self.sure, self.maybe = frozenset(), frozenset()   # what its author had seen
        self.time = time.monotonic()

    @property
    def token(self):
        return f"e{self.n:04d}"


class Laptop:
    def __init__(self, name, user):
        self.name, self.user = name, user
        self.sure, self.maybe = set(), set()
        self.wall, self.boot, self.boot_file, self.rebooted = 0, 0, None, False
        self.dead, self.fields, self.number, self.sticks, self.answers = False, set(), None, [], []
        self.image = None


class Proxy:
    """A TCP proxy that troubles the next connections as it is told."""

    def __init__(self, target):
        self.target, self.plan = target, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.lock, self.told = threading.Lock(), []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with self.lock:
                fault = self.plan.pop(0) if self.plan else None
            self.told = self.told[-30:] + [f"{time.time() % 1000:.3f} connection {fault}"]
            threading.Thread(target=self.carry, args=(client, fault), daemon=True).start()

    def carry(self, client, fault):
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError as error:
            self.told.append(f"{time.time() % 1000:.3f} {error}")
            client.close()
            return
        twin = None
        if fault and fault[0] == "twice":
            twin = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        kind, amount = fault if fault else (None, 0)
        both = [client, server]

        def pump(source, target, limit, slow):
            left = limit
            try:
                while True:
                    data = source.recv(16384 if left is None else max(1, min(16384, left)))
                    if not data:
                        break
                    if slow:
                        time.sleep(slow)
                    target.sendall(data)
                    if twin is not None and source is client:
                        twin.sendall(data)
                    if left is not None:
                        left -= len(data)
                        if left <= 0:
                            break
            except OSError as error:
                self.told.append(f"{time.time() % 1000:.3f} {error!r} {fault}")
            for s in both:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        slow = amount if kind == "slow" else 0
        words = (client, server, amount if kind == "up" else None, slow)
        up = threading.Thread(target=pump, daemon=True, args=words)
        up.start()
        pump(server, client, amount if kind == "down" else None, slow)
        up.join(5)
        for s in both + ([twin] if twin else []):
            s.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)      # wakes the thread that accepts
        self.socket.close()


class Base:
    """Commands, and what became of them."""

    def __init__(self, options, seed):
        self.options, self.seed = options, seed
        self.random = random.Random(seed)
        self.deeds, self.counter = {}, 0
        self.log_lines, self.counts = [], {}
        self.days, self.restores = 0, 0
        self.recovering, self.stick_used, self.reboots = False, False, False
        self.merged = {}                   # loser -> entity
        self.reasons = {}                  # loser -> survivor, who sees that for it alone
        self.groups, self.backups, self.served, self.custom, self.files = {}, [], set(), {}, {}
        self.weak = set()                  # rows whose cells went through a merge or its undo
        port = free_port()
        self.proxy = Proxy(port)
        self.scope = self.random.choice(["granted", "granted", "open"])
        self.world = World(options.bin, scope=self.scope, port=port, public=self.proxy.port)
        self.dir = self.world.dir
        self.trace = open(os.path.join(self.dir, "steps.log"), "w", encoding="utf-8")
        self.snapshot, self.unannounced, self.makers, self.reasons_then = None, False, {}, {}

    # ------------------------------------------------------------------ commands

    def tell(self, text):
        self.trace.write(f"{time.time() % 1000:.3f} {text}\n")
        self.trace.flush()
        if self.options.trace:
            print(text, flush=True)

    def clock(self, wall, boot, boot_file=None):
        env = {"LD_PRELOAD": self.options.clock, "DRIVE_WALL_MS": str(wall),
               "DRIVE_BOOT_MS": str(boot)}
        if boot_file:
            env["DRIVE_BOOT_FILE"] = boot_file
        return env if wall or boot or boot_file else {}

    def env_of(self, laptop):
        day = self.days * 86400000
        return {"ROADBOOK_HOME": self.world.laptop_home(laptop.name),
                **self.clock(laptop.wall + day, laptop.boot + day, laptop.boot_file)}

    def office_clock(self):
        return self.clock(self.days * 86400000, self.days * 86400000)

    def day(self, number):
        return time.strftime("%Y-%m-%d", time.gmtime(number * 86400))

    def tell_command(self, who, words, result):
        text = " ".join(map(str, words))
        self.tell(f"   {who}$ {text} -> {result.code} {result.err.strip()[:300]}")

    def office(self, *words, **options):
        result = self.quiet(*words, **options)
        self.tell_command("office", words, result)
        return result

    def quiet(self, *words, **options):
        return self.world.office(*words, env=self.office_clock(), **options)

    def perhaps(self, r, seconds):
        """When a command is killed, if it is."""
        return r.uniform(0, seconds) if r.random() < self.kill_rate else None

    def do(self, laptop, *words, fails=False, kill=None):
        """A command on a laptop; `kill`: seconds after which it is killed. None as code: it was."""
        argv = [os.path.join(self.world.bin, "roadbook"), *map(str, words)]
        env = {**self.world.env, **self.env_of(laptop)}
        process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=kill if kill is not None else 90)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            check(kill is not None, f"{laptop.name}: {words} hangs: {out} {err}")
            code = None
        out, err = (text.decode("utf-8", "replace") for text in (out, err))
        result = Result([laptop.name, *map(str, words)], code, out, err)
        self.tell_command(laptop.name, words, result)
        check(code is None or code >= 0, f"a crash: {result}")
        check(fails or code in (0, None), f"this should have worked: {result}")
        return result

    def start_server(self):
        self.world.env.update({"LD_PRELOAD": "", "DRIVE_WALL_MS": "0", "DRIVE_BOOT_MS": "0"})
        saved = dict(self.world.env)
        self.world.env.update(self.office_clock())
        self.world.start_server()
        self.world.env = saved

    # ------------------------------------------------------------------ the model

    def touched(self, *rows):
        """Head office did something to accounts that no value tells."""
        deed = self.deed("office", "touch", {})
        deed.rows = {("account", row) for row in rows}
        self.done(deed)

    def deed(self, actor, kind, cells):
        self.counter += 1
        deed = Deed(self.counter, actor, kind, cells)
        sure, maybe = (self.served, self.deeds) if actor == "office" else (actor.sure, actor.maybe)
        deed.sure, deed.maybe = frozenset(sure), frozenset(maybe)
        return deed

    def done(self, deed):
        deed.time = time.monotonic()
        self.deeds[deed.n] = deed
        if deed.laptop:
            deed.laptop.sure.add(deed.n)
            deed.laptop.maybe.add(deed.n)
        else:
            self.served.add(deed.n)

    def seen(self, text):
        return frozenset(int(t[1:]) for t in TOKEN.findall(json.dumps(text)))

    def root(self, key):
        while self.groups.get(key, key) != key:
            key = self.groups[key]
        return key

    def rows(self, actor, entity):
        """The rows that somebody sees."""
        words = ("export", entity, "--format", "jsonl")
        if actor == "office":
            out = self.quiet(*words).out
        else:
            out = self.world.run("roadbook", *words, env=self.env_of(actor)).out
        return [json.loads(line) for line in out.split("\n") if line]

    def note_synced(self, laptop):
        """A complete sync: what the laptop did is at the server, and it has what the server has."""
        mine = {d.n for d in self.deeds.values()
                if d.laptop is laptop and d.state == "yes" and not d.away}
        laptop.maybe |= set(self.deeds)
        if self.recovering:
            return
        self.served |= mine
        for n in mine:
            self.deeds[n].acked = True
        laptop.sure |= self.served
        laptop.fields = self.fields_here()

    def fields_here(self):
        if not self.custom:
            return set()
        return {f["name"] for f in self.quiet("field", "list", "--json").json()} & set(self.custom)

