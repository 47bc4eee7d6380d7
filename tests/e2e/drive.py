#!/usr/bin/env python3
"""drive.py BIN [--seed N | --seeds A..B] [--minutes M]: random people at the real programs.

Three to five laptops of two to four people in a small tree of territories, head office, and a
server behind a proxy; one number decides what they do. People create, edit, delete, import and
attach, offline; sync, over lines that are cut, slow or doubled, or by sticks in any order; programs
are killed in saves and rounds; clocks jump; accounts move, become one with others and two again;
teams, territories and fields change; laptops are lost, or come back from images; the server is
backed up, and goes back to backups and snapshots, twice in a row too, until head office ends the
recovery.

Now and then the troubles stop, all sync until nothing is left, and every book is compared with a
model that is worked out from what was done (drive_look.py): who sees what, what stands, what may
have gone. A failing run prints its seed and keeps its folder, where steps.log has the commands. The
same seed makes the same steps; what a kill or a cut hits is up to the machine.

--only 3,5,9 makes only these steps, --without and --focus leave kinds of steps out or make them
more frequent, --trace tells them as they go.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback

from drive_look import Look
from drive_steps import Steps
from drive_world import Laptop
from programs import Failed, check


class Driver(Steps):
    # ------------------------------------------------------------------ a run

    STEPS = {"edit": 30, "create": 14, "delete": 5, "import": 3, "submit": 2, "move_contact": 2,
             "attach": 2, "held": 2, "sync": 14, "cut_sync": 9, "killed_sync": 4, "daemon": 4,
             "kill_server": 1, "stick_out": 2, "stick_in": 2, "stick_back": 2, "clock": 2,
             "reboot": 1, "day": 1, "set_back": 2, "office_edit": 5, "office_create": 3,
             "office_delete": 2, "assign": 3, "territory": 2, "people_move": 1,
             "territory_move": 1, "team": 3, "handover": 1, "sign": 2, "merge": 3, "unmerge": 1,
             "requests": 2, "field": 1, "compact": 1, "lost": 1, "backup": 2, "snapshot": 1,
             "restore": 2, "end_recovery": 1}
    ALWAYS = {"edit", "create", "sync"}
    PROFILES = {
        "even": [],
        "restore": ["backup", "restore", "snapshot", "merge", "unmerge", "delete", "requests",
                    "territory", "assign", "attach", "field", "held"],
        "people": ["territory", "people_move", "territory_move", "team", "assign", "handover",
                   "sign", "merge", "held"]}

    def set_up(self):
        r, office = self.random, self.office
        self.codes = ["CN", "E", "N", "E1"]
        office("territory", "add", "CN")
        for code, above in (("E", "CN"), ("N", "CN"), ("E1", "E")):
            office("territory", "add", code, "--under", above)
        self.users = ["wang", "li", "zhao", "chen"][:r.randint(2, 4)]
        self.roles = {user: "manager" if i == 2 else "rep" for i, user in enumerate(self.users)}
        self.roles["wang"] = r.choice(["rep", "rep", "manager"])
        for i, user in enumerate(self.users):
            office("user", "add", user, "--role", self.roles[user])
            office("set", "employee", user, f"territory={r.choice(self.codes)}")
        for i in range(r.randint(3, 5)):
            office("add", "account", f"name=Acct{i}", f"territory={r.choice(self.codes)}",
                   f"owner={(self.users + [r.choice(self.users)] * 5)[i]}")
        self.laptops = []
        self.start_server()
        more = r.randint(3, 5) - len(self.users)
        for i, user in enumerate(self.users + [r.choice(self.users) for _ in range(more)]):
            laptop = Laptop(f"{user}{i}", user)
            link = self.quiet("link", user, "--json").json()["link"]
            self.do(laptop, "enroll", link, "--name", laptop.name)
            laptop.number = i + 1
            self.makers[laptop.number] = user
            self.laptops.append(laptop)
            self.sync(laptop)
        self.employees = {e["login"]: e["id"] for e in self.rows("office", "employee")}
        self.kill_rate = r.choice([0, 0.1, 0.3])
        self.choose_kinds(r)

    def choose_kinds(self, r):
        """Swarm: the seed decides which kinds of steps there are, and how often."""
        profile = r.choice(["even", "restore", "restore", "people"])
        focus = [k for k in self.options.focus.split(",") if k]
        often = self.PROFILES[profile] + focus
        self.weights = {k: n * (3 if k in often else 1) for k, n in self.STEPS.items()}
        self.kinds = [k for k in self.STEPS if r.random() < (0.8 if k in often else 0.6)
                      or k in self.ALWAYS or k in focus]
        self.kinds = [k for k in self.kinds if k not in self.options.without.split(",")]
        self.tell(f"seed {self.seed}: {len(self.laptops)} laptops, {self.roles}, {self.scope}, "
                  f"{profile}; {' '.join(self.kinds)}")

    def run(self):
        self.set_up()
        only = None
        if self.options.only:
            only = {int(x) for x in self.options.only.split(",")}
        step = 0
        for phase in range(self.random.randint(2, 4)):
            for _ in range(self.random.randint(10, 30)):
                step += 1
                r = random.Random(f"{self.seed}/{step}")
                kind = r.choices(self.kinds, weights=[self.weights[k] for k in self.kinds])[0]
                if only is not None and step not in only:
                    continue
                self.counts[kind] = self.counts.get(kind, 0) + 1
                self.tell(f"{step} {kind}")
                getattr(self, "step_" + kind)(r)
            self.tell("quiet")
            self.quiesce(random.Random(f"{self.seed}/quiet{phase}"))
            Look(self).all()

    def quiesce(self, r):
        self.proxy.plan = []
        self.step_end_recovery(r)
        for _ in range(3):
            for laptop in self.living():
                result = self.sync(laptop)
                check(result.code == 0, f"at rest a sync fails: {result}")
        for laptop in self.living():
            left = self.json(laptop, "pending")
            check(left == [], f"the outbox of {laptop.name} does not empty: {left}")

    def close(self, keep):
        self.trace.close()
        self.proxy.close()
        self.world.close(keep=keep)


def one(options, seed):
    driver = Driver(options, seed)
    began = time.monotonic()
    try:
        driver.run()
    except (Failed, subprocess.TimeoutExpired) as failure:
        driver.close(keep=True)
        print(f"seed {seed} FAILED: {failure}\n  {driver.dir}/steps.log", flush=True)
        return False, driver.counts
    except BaseException:
        driver.close(keep=True)
        print(f"seed {seed} broke: {driver.dir}/steps.log", flush=True)
        traceback.print_exc()
        return False, driver.counts
    print(f"seed {seed}: {sum(driver.counts.values())} steps, {len(driver.deeds)} deeds, "
          f"{driver.restores} restores, {time.monotonic() - began:.0f} s", flush=True)
    driver.close(keep=False)
    return True, driver.counts


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bin")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", help="A..B")
    parser.add_argument("--minutes", type=float, default=10 ** 6)
    parser.add_argument("--only", default="")
    parser.add_argument("--focus", default="")
    parser.add_argument("--without", default="")
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    first = options.seed if options.seed is not None else int(time.time())
    last = options.seed if options.seed is not None else 10 ** 12
    if options.seeds:
        first, last = map(int, options.seeds.split(".."))
    return options, range(first, last + 1)


def run_seeds(options, seeds):
    until = time.monotonic() + options.minutes * 60
    runs, failed, counts = 0, [], {}
    for seed in seeds:
        if time.monotonic() > until:
            break
        good, seen = one(options, seed)
        runs += 1
        failed += [] if good else [seed]
        for kind, n in seen.items():
            counts[kind] = counts.get(kind, 0) + n
    print(", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
    print(f"{runs} runs, {len(failed)} failed" + (f": {failed}" if failed else ""))
    return 1 if failed else 0


def main():
    options, seeds = read_options()
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drive_clock.c")
    with tempfile.TemporaryDirectory() as folder:
        options.clock = os.path.join(folder, "clock.so")
        build = ["cc", "-shared", "-fPIC", "-O1", "-o", options.clock, source, "-ldl"]
        subprocess.run(build, check=True)
        return run_seeds(options, seeds)


if __name__ == "__main__":
    sys.exit(main())
