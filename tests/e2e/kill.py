#!/usr/bin/env python3
"""kill.py BIN [--seed N] [--kills N] [--seconds N]: the real programs, killed in the middle.

One server and three laptops on loopback, real TLS. Each laptop has a person who edits shared accounts and rows of
his own through `roadbook`, and a daemon that syncs. All three kinds of processes are killed with SIGKILL, most of them
while a round runs, and started again. At the end all sync; then

- no edit whose command said "saved" is lost: counters are exact sums, tags are there unless someone took them away,
  values of fields are there, or in the ledger, or in the history, lines of notes are there, rows are everywhere;
- a command that was killed did all of its transaction or nothing;
- all four books are equal, byte for byte, and pass `verify`.

A failing run prints its seed and keeps its folder. The same seed makes the same edits; what a kill hits is up to the
machine.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

from programs import Failed, World, check, main

ENTITIES = ["territory", "employee", "product", "account", "contact", "visit", "visit_participant", "followup", "task",
            "opportunity", "order"]
LAPTOPS = ["ada", "bo", "cy"]
ACCOUNTS = 10
LATE_S = 5                   # how much earlier than the last edit of a field the winning one may have been made: what one
                             # round takes at most, since ages are counted from when a request left
NOT_FOUND, CONFLICT = 66, 65
SYNC_CODES = (0, 69, 75)     # done, no connection, busy


class Model:
    """What was acknowledged. Every entry is made before the command runs, and settled after it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.points = collections.defaultdict(list)     # account -> [(delta, token)]; token None: surely done
        self.tags = {}                                  # (account, tag) -> [[kind, state]]
        self.tokens = {}                                # (account, token) -> "yes", "maybe"
        self.values = collections.defaultdict(list)     # (account, field) -> [[value, time, state, laptop]]
        self.lines = collections.defaultdict(list)      # account -> [[line, state]]
        self.rows = {}                                  # (entity, title) -> [state, id]; "gone" when deleted
        self.undone = []                                # (account, value of country)
        self.counts = collections.Counter()


class Kills:
    """How often what was killed, and whether it was in a round."""

    def __init__(self):
        self.lock = threading.Lock()
        self.all, self.in_round = collections.Counter(), collections.Counter()

    def note(self, kind, in_round):
        with self.lock:
            self.all[kind] += 1
            self.in_round[kind] += bool(in_round)

    def total(self):
        return sum(self.all.values())


def round_is_open(trace):
    """Whether the last message of a trace is a request: its reply had not come."""
    try:
        names = sorted(os.listdir(trace))
    except FileNotFoundError:
        return False
    return bool(names) and "reply" not in names[-1]


# ---------------------------------------------------------------------- one laptop

class Laptop:
    def __init__(self, world, name, model, kills, seed):
        self.world, self.name, self.model, self.kills = world, name, model, kills
        self.random = random.Random(f"{seed}-{name}")
        self.daemon, self.trace, self.traces, self.serial = None, None, 0, 0
        self.contacts, self.failed = [], None

    def unique(self, kind):
        self.serial += 1
        return f"{kind}-{self.name}-{self.serial}"

    # ---------------------------------------------------------------- processes

    def new_trace(self):
        self.traces += 1
        return os.path.join(self.world.dir, f"trace-{self.name}-{self.traces}")

    def start(self, program, words, out):
        argv = [os.path.join(self.world.bin, program), *words]
        env = {**self.world.env, "ROADBOOK_HOME": self.world.laptop_home(self.name)}
        return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=self.log)

    def start_daemon(self):
        self.trace = self.new_trace()
        self.daemon = self.start("roadbook-syncd", ["--trace", self.trace], self.log)

    def kill_daemon(self):
        """Waits a little for a round, then kills."""
        until = time.monotonic() + self.random.uniform(0, 0.25)
        while time.monotonic() < until and not round_is_open(self.trace):
            time.sleep(0.0005)
        time.sleep(self.random.choice([0, self.random.uniform(0, 0.02)]))   # also while the reply is taken in
        check(self.daemon.poll() is None, f"the daemon of {self.name} ended with {self.daemon.poll()}")
        self.daemon.kill()
        self.daemon.wait()
        self.kills.note("daemon", round_is_open(self.trace))
        shutil.rmtree(self.trace, ignore_errors=True)
        self.daemon = None

    def killed_sync(self):
        """`roadbook sync`, killed somewhere in it."""
        trace = self.new_trace()
        process = self.start("roadbook", ["sync", "--trace", trace], self.log)
        until = time.monotonic() + self.random.uniform(0.003, 0.08)
        while time.monotonic() < until and process.poll() is None:
            if round_is_open(trace) and self.random.random() < 0.3:
                break
            time.sleep(0.0005)
        if process.poll() is None:
            process.kill()
        code = process.wait()
        if code == -signal.SIGKILL:
            self.kills.note("client", round_is_open(trace))
        else:
            check(code in SYNC_CODES, f"sync of {self.name} ended with {code}")
        shutil.rmtree(trace, ignore_errors=True)

    def command(self, *words, may_kill=True):
        """Runs an edit. Returns (state, row): "yes" with what it printed, or "maybe" when it was killed."""
        argv = [*map(str, words), "--json"]
        if not may_kill or self.random.random() > 0.25:
            return "yes", self.world.laptop(self.name, *argv).json()
        process = self.start("roadbook", argv, subprocess.DEVNULL)
        time.sleep(self.random.uniform(0, 0.012))
        if process.poll() is None:
            process.kill()
        code = process.wait()
        if code == 0:
            return "yes", None
        check(code == -signal.SIGKILL, f"{self.name}: {words} ended with {code}")
        self.kills.note("client", False)
        return "maybe", None

    def attempt(self, *words):
        """An edit of what may be gone by now. Whether it was done."""
        result = self.world.laptop(self.name, *words, "--json", fails=True)
        check(result.code in (0, NOT_FOUND, CONFLICT), f"{self.name}: {result}")
        return result.code == 0

    # ---------------------------------------------------------------- edits

    def show(self, entity, row):
        return self.world.laptop(self.name, "get", entity, row, "--json").json()

    def add_points(self, account):
        """A counter, and a tag of its own that tells whether the transaction of a killed command is there."""
        delta, token = self.random.randint(1, 9), self.unique("token")
        kill = self.random.random() < 0.4
        words = [f"points+={delta}"] + ([f"emails+={token}@x.example"] if kill else [])
        state, _ = self.command("set", "account", account, *words, may_kill=kill)
        with self.model.lock:
            self.model.points[account].append((delta, token if kill else None))
            if kill:
                self.model.tokens[account, token + "@x.example"] = state

    def add_tag(self, account):
        tag = self.unique("tag")
        state, _ = self.command("set", "account", account, f"tags+={tag}")
        with self.model.lock:
            self.model.tags[account, tag] = [["add", state]]

    def remove_tag(self, account):
        tags = self.show("account", account)["tags"] or []
        if len(tags) < 3:
            return
        tag = self.random.choice(tags)
        key = (account, tag)
        with self.model.lock:
            self.model.tags.setdefault(key, []).append(["remove", "maybe"])
            entry = self.model.tags[key][-1]
        state, _ = self.command("set", "account", account, f"tags-={tag}")
        entry[1] = state

    def set_field(self, account):
        field = self.random.choice(["website", "industry", "short_name"])
        entry = [self.unique(field), time.time(), "maybe", self.name]
        with self.model.lock:
            self.model.values[account, field].append(entry)
        state, _ = self.command("set", "account", account, f"{field}={entry[0]}")
        entry[1], entry[2] = time.time(), state

    def set_group(self, account):
        """City and street are one cell: both come from one edit."""
        name = self.unique("place")
        entry = [name, time.time(), "maybe", self.name]
        with self.model.lock:
            self.model.values[account, "city"].append(entry)
        state, _ = self.command("set", "account", account, f"city={name}", f"street={name} street")
        entry[1], entry[2] = time.time(), state

    def add_line(self, account):
        """A line of a note. The daemon is not running, so that what is read is what is edited."""
        text = self.show("account", account)["remarks"] or ""
        line = self.unique("line")
        lines = text.split("\n") if text else []
        lines.insert(self.random.randint(0, len(lines)), line)
        state, _ = self.command("set", "account", account, "remarks=" + "\n".join(lines))
        with self.model.lock:
            self.model.lines[account].append([line, state])

    def add_row(self, account):
        entity, field = self.random.choice([("contact", "name"), ("task", "title"), ("visit", "talking_points"),
                                            ("opportunity", "name")])
        title = self.unique(entity)
        state, row = self.command("add", entity, f"account={account}", f"{field}={title}")
        with self.model.lock:
            self.model.rows[entity, title] = [state, row["id"] if row else None]
        if entity == "contact" and row:
            self.contacts.append((title, row["id"]))

    def remove_row(self, _):
        if not self.contacts:
            return
        title, row = self.contacts.pop(self.random.randrange(len(self.contacts)))
        self.model.rows["contact", title][0] = "maybe"
        state, _ = self.command("rm", "contact", row)
        self.model.rows["contact", title][0] = "gone" if state == "yes" else "maybe"

    def undo(self, account):
        """Takes a save back, sent already or not: its value must not stand in the end."""
        value = self.unique("country")
        self.command("set", "account", account, f"country={value}", may_kill=False)
        if self.attempt("undo"):
            with self.model.lock:
                self.model.undone.append((account, value))

    def fight(self, account):
        """Rows that one deletes while others edit them: whatever comes of it, all must show the same."""
        rows = self.world.laptop(self.name, "list", "opportunity", "name~fight", "--json", "--limit", "20").json()
        if len(rows) < 4:
            self.command("add", "opportunity", f"account={account}", f"name={self.unique('fight')}", "stage=prospecting")
            return
        row = self.random.choice(rows)["id"]
        self.attempt(*self.random.choice([["rm", "opportunity", row],
                                          ["set", "opportunity", row, f"next_step={self.unique('step')}", "stage=engaging"],
                                          ["set", "opportunity", row, f"competitors+={self.unique('rival')}"]]))

    def import_rows(self, account):
        """A series of contacts from a file; a killed import may have any part of them, each whole."""
        number = self.world.accounts.index(account)
        titles = [self.unique("imported") for _ in range(self.random.randint(2, 30))]
        path = os.path.join(self.world.dir, f"import-{self.name}.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("account,name,phones\n" + "".join(f"Account {number},{t},{t}@phone\n" for t in titles))
        state, _ = self.command("import", "contact", path)
        with self.model.lock:
            for title in titles:
                self.model.rows["contact", title] = [state, None]

    # ---------------------------------------------------------------- the day

    EDITS = [("points", add_points, 5), ("tag", add_tag, 3), ("untag", remove_tag, 2), ("field", set_field, 5),
             ("group", set_group, 2), ("row", add_row, 4), ("rm", remove_row, 1), ("undo", undo, 1), ("fight", fight, 3), ("import", import_rows, 1)]

    def edit(self):
        name, action, _ = self.random.choices(self.EDITS, weights=[w for _, _, w in self.EDITS])[0]
        self.model.counts[name] += 1
        action(self, self.random.choice(self.world.accounts))

    def day(self, is_over):
        with open(os.path.join(self.world.dir, f"{self.name}.log"), "ab") as self.log:
            try:
                self.start_daemon()
                while not is_over():
                    for _ in range(self.random.randint(1, 3)):
                        self.edit()
                    self.kill_daemon()
                    if self.random.random() < 0.5:
                        self.model.counts["line"] += 1
                        self.add_line(self.random.choice(self.world.accounts))
                    if self.random.random() < 0.7:
                        self.killed_sync()
                    self.start_daemon()
            except BaseException as failure:           # told by the main thread
                self.failed = failure
            finally:
                if self.daemon:
                    self.daemon.kill()
                    self.daemon.wait()


# ---------------------------------------------------------------------- the server

def kill_server(world, laptops, kills, rand):
    """Waits a little until a laptop is in a round, then kills and starts again on the same port."""
    until = time.monotonic() + rand.uniform(0, 0.4)
    while time.monotonic() < until and not any(l.trace and round_is_open(l.trace) for l in laptops):
        time.sleep(0.0005)
    check(world.server.poll() is None, f"the server ended by itself with {world.server.poll()}")
    in_round = any(l.trace and round_is_open(l.trace) for l in laptops)
    world.server.kill()
    world.server.wait()
    world.server = None
    kills.note("server", in_round)
    time.sleep(rand.choice([0, 0, 0, 0.1, 0.5]))
    world.start_server()


# ---------------------------------------------------------------------- what must hold

def settle(world):
    """Everybody syncs until nothing is left. The first round carries up, the second brings what came after."""
    for _ in range(2):
        for name in LAPTOPS:
            world.laptop(name, "sync")
    for name in LAPTOPS:
        check(world.laptop(name, "pending", "--json").json() == [], f"{name} still has something to send")
        check(world.laptop(name, "held", "--json").json() == [], f"{name}: the server did not take everything")


def check_equal(world):
    for entity in ENTITIES:
        office = world.office("export", entity, "--format", "jsonl").out
        for name in LAPTOPS:
            mine = world.laptop(name, "export", entity, "--format", "jsonl").out
            check(mine == office, f"{name} and head office differ in {entity}: {first_difference(mine, office)}")


def first_difference(mine, office):
    for a, b in zip(mine.split("\n"), office.split("\n")):
        if a != b:
            return f"\n  laptop: {a}\n  office: {b}"
    return "one has more rows"


def check_points(world, model, book):
    for account, deltas in model.points.items():
        emails = set(book[account]["emails"] or [])
        expected = sum(d for d, token in deltas if token is None or token + "@x.example" in emails)
        check((book[account]["points"] or 0) == expected,
              f"account {account} has {book[account]['points']} points instead of {expected}")
    for (account, token), state in model.tokens.items():
        there = token in (book[account]["emails"] or [])
        check(there or state == "maybe", f"account {account} lacks {token}, which was saved")


def check_tags(world, model, book):
    for (account, tag), story in model.tags.items():
        there = tag in (book[account]["tags"] or [])
        kinds = [kind for kind, _ in story]
        if "remove" not in kinds:
            check(there or story[0][1] == "maybe", f"account {account} lacks the tag {tag}, which was added")
        if ["remove", "yes"] in story:
            check(not there, f"account {account} has the tag {tag}, which was taken away after it was seen")


def check_lines(world, model, book):
    for account, lines in model.lines.items():
        text = (book[account]["remarks"] or "").split("\n")
        for line, state in lines:
            check(line in text or state == "maybe", f"account {account}: the line {line} is lost")


def check_values(world, model, book):
    """The last edit stands; the others are in the history of the row, the ledger's entries included."""
    ledger = world.office("conflicts", "--json").out
    histories = {}
    for (account, field), edits in model.values.items():
        final = book[account][field]
        histories.setdefault(account, world.office("history", "account", account, "--json").out)
        last = max((e[1] for e in edits if e[2] == "yes"), default=0)
        for value, when, state, laptop in edits:
            if value == final:
                check(when > last - LATE_S, f"account {account}: {field} is {final}, {last - when:.1f} s before the last")
            elif state == "yes":
                kept = value in histories[account] or value in ledger
                check(kept, f"account {account}: {field}={value} by {laptop} is neither there nor in history or ledger")
        check(not last or final in [e[0] for e in edits], f"account {account}: {field} is {final}, which nobody wrote")
        if field == "city" and final and final.startswith("place-"):
            check(book[account]["street"] == final + " street", f"account {account}: half of an address")


def check_undone(model, book):
    for account, value in model.undone:
        check(book[account]["country"] != value, f"account {account}: {value} was undone, and stands")


def check_rows(world, model):
    titles = {"contact": "name", "task": "title", "visit": "talking_points", "opportunity": "name"}
    for entity, field in titles.items():
        there = collections.Counter(row[field] for row in world.office("list", entity, "--json", "--limit", "100000").json())
        check(not there or max(there.values()) == 1, f"a {entity} is there twice: {there.most_common(1)}")
        for (kind, title), (state, _) in model.rows.items():
            if kind != entity:
                continue
            check(state != "yes" or title in there, f"{entity} {title} is lost")
            check(state != "gone" or title not in there, f"{entity} {title} is back from the dead")


def check_verify(world):
    world.office("verify")
    for name in LAPTOPS:
        world.laptop(name, "verify")


def check_all(world, model):
    settle(world)
    check_equal(world)
    book = {row["id"]: row for row in world.office("list", "account", "--json", "--limit", "1000").json()}
    check_points(world, model, book)
    check_tags(world, model, book)
    check_lines(world, model, book)
    check_values(world, model, book)
    check_undone(model, book)
    check_rows(world, model)
    check_verify(world)
    return len(world.office("conflicts", "--json").json())


# ---------------------------------------------------------------------- a run

def set_up(world):
    for name in LAPTOPS:
        world.user(name)
    rows = [f"Account {i},City {i},https://{i}.example" for i in range(ACCOUNTS)]
    world.import_rows("account", "name,city,website\n" + "\n".join(rows) + "\n")
    world.start_server()
    for name in LAPTOPS:
        world.laptop(name, "enroll", world.link(name))
        world.laptop(name, "sync")
    rows = world.laptop(LAPTOPS[0], "list", "account", "--json").json()
    world.accounts = [row["id"] for row in sorted(rows, key=lambda row: int(row["name"].split()[1]))]
    check(len(world.accounts) == ACCOUNTS, "the accounts did not arrive")


def run_day(world, model, kills, options):
    """Until each kind has its share of the kills."""
    began = time.monotonic()
    share = {"client": options.kills // 3, "daemon": options.kills // 3, "server": options.kills // 4}
    laptops = [Laptop(world, name, model, kills, options.seed) for name in LAPTOPS]

    def is_over():
        enough = kills.total() >= options.kills and all(kills.all[k] >= n for k, n in share.items())
        late = time.monotonic() - began > options.seconds
        return enough or late or any(l.failed for l in laptops)

    threads = [threading.Thread(target=l.day, args=(is_over,)) for l in laptops]
    for t in threads:
        t.start()
    rand = random.Random(f"{options.seed}-server")
    try:
        while not is_over():
            time.sleep(rand.uniform(0.1, 0.8))
            kill_server(world, laptops, kills, rand)
    finally:
        for l in laptops:
            l.failed = l.failed or (sys.exc_info()[1] is not None and Failed("stopped"))
        for t in threads:
            t.join()
    for l in laptops:
        if l.failed:
            raise l.failed
    check(kills.total() >= options.kills, f"only {kills.total()} kills in {options.seconds} s")


def run(world, options):
    model, kills = Model(), Kills()
    began = time.monotonic()
    set_up(world)
    run_day(world, model, kills, options)
    day = time.monotonic() - began
    conflicts = check_all(world, model)
    counts = ", ".join(f"{n} {kind}" for kind, n in sorted(model.counts.items()))
    print(f"seed {options.seed}: {kills.total()} kills in {day:.0f} s: "
          + ", ".join(f"{n} of a {kind} ({kills.in_round[kind]} in a round)" for kind, n in sorted(kills.all.items())))
    print(f"edits: {counts}; {len(model.rows)} rows; {conflicts} values in the ledger")
    print(f"nothing acknowledged is lost, four books are equal and verified, {time.monotonic() - began:.0f} s")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bin")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kills", type=int, default=220)
    parser.add_argument("--seconds", type=int, default=190)
    return parser.parse_args()


if __name__ == "__main__":
    given = read_options()
    print(f"seed {given.seed}", flush=True)
    code = main(lambda world: run(world, given), World(given.bin))
    if code:
        print(f"run it again: kill.py {given.bin} --seed {given.seed}")
    sys.exit(code)
