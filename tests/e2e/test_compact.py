#!/usr/bin/env python3
"""test_compact.py BIN: a book is compacted while laptops work on it, and the program is killed in the middle.

`roadbook-server compact` runs beside `serve`, and is killed with SIGKILL again and again; so is the server. After each
kill the book passes `verify`, laptops sync, and in the end all is collected and all books are equal."""
import os
import random
import signal
import subprocess
import sys
import time

from programs import World, check, main

REPS = ("wang", "li")
ROWS = 4000
KILLS = 12


def names(run):
    return sorted(row["name"] for row in run("list", "account", "--json", "--limit", "5000").json())


def all_equal(world, when):
    office = names(world.office)
    for rep in REPS:
        book = names(lambda *w, rep=rep: world.laptop(rep, *w))
        check(book == office, f"{when}: {rep} has {len(book)} accounts, head office {len(office)}")
    return office


def dead(world):
    return world.office("sql", "SELECT count(*) AS n FROM r_account WHERE _dead IS NOT NULL", "--json").json()[0]["n"]


def sync_all(world):
    for _ in range(2):
        for rep in REPS:
            world.laptop(rep, "sync")


def kill_half_way(world, after_s):
    """True when the kill hit the run."""
    argv = [os.path.join(world.bin, "roadbook-server"), "compact"]
    process = subprocess.Popen(argv, env=world.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after_s)
    hit = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return hit


def run(world):
    world.start_server()
    for rep in REPS:
        world.user(rep)
        world.laptop(rep, "enroll", world.link(rep))
    path = os.path.join(world.dir, "gone.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("name,tags\n" + "".join(f"Gone {i:05},t{i}\n" for i in range(ROWS)))
    world.laptop("wang", "import", "account", path)
    world.office("add", "account", "name=Stays")
    sync_all(world)
    number = world.laptop("wang", "imports", "--json").json()[0]["import"]
    world.laptop("wang", "revert", str(number))
    sync_all(world)
    world.stop_server()                                 # what the laptops said that they have is written
    world.start_server()
    check(dead(world) == ROWS, f"{dead(world)} deleted rows")
    gone = world.office("sql", "SELECT id FROM r_account WHERE _dead IS NOT NULL LIMIT 1", "--json").json()[0]["id"]
    before = world.office("compact", "--dry-run", "--json").json()
    check(before["rows"] == ROWS, str(before))
    check(dead(world) == ROWS, "a dry run changed the book")
    hits, dice = 0, random.Random(7)
    for i in range(KILLS):
        hits += kill_half_way(world, 0.02 + dice.random() * 0.12)
        if i == KILLS // 2:
            world.stop_server(signal.SIGKILL)
            world.start_server()
        world.laptop("wang", "add", "account", f"name=New {i}")
        world.laptop("wang", "sync")
        check(world.office("verify").code == 0, "verify finds something")
        world.laptop("li", "sync")
        all_equal(world, f"after kill {i}")
    check(hits > 0, "no kill hit a run")
    left = dead(world)
    done = world.office("compact", "--json").json()
    check(done["rows"] == left, f"{done} of {left}")
    check(dead(world) == 0, f"{dead(world)} tombstones stay")
    check(done["bytes_after"] < before["bytes_before"] * 1.1, str(done))  # what they were is kept, for ever here
    story = world.office("history", "account", gone)
    check("This row was deleted on 20" in story.out and "and collected" in story.out, str(story))
    check("deleted" in story.out.splitlines()[-1], str(story))
    check(world.office("history", "account", "0-7ZZZZZ", fails=True).code in (65, 66), "a row that never was")
    for rep in REPS:
        world.laptop(rep, "sync")
    book = all_equal(world, "in the end")
    check(book == sorted(["Stays"] + [f"New {i}" for i in range(KILLS)]), str(book))
    check(world.office("verify").code == 0, "verify finds something")
    keep_and_erase(world)
    print(f"{ROWS} deleted rows, {KILLS} kills, {hits} of them in a run; {left} rows were left for the last")


def keep_and_erase(world):
    check("ever" in world.office("org", "keep-history").out, "history is not kept for ever")
    check(world.office("org", "keep-history", "400", "--json").json()["keep_history_days"] == 400, "not set")
    world.office("org", "keep-history", "many", fails=True)
    world.office("org", "lease", "21")
    world.office("org", "zone", "+05:30")
    for setting in ("lease", "zone", "scope"):  # without a value each shows what is so
        shown = world.office("org", setting, "--json").json()
        check(shown["lease_days"] == 21 and shown["zone"] == "UTC+5:30", f"org {setting} shows {shown}")
    world.office("org", "lease", "30")
    world.office("org", "zone", "+08:00")
    world.office("add", "contact", "account=Stays", "name=Xanthippe", "phones=13900000077")
    world.laptop("wang", "sync")
    world.office("erase", "Xanthippe", fails=True)      # why?
    world.office("erase", "Xanthippe", "--why", "she asked for it")
    world.laptop("wang", "sync")
    contact = world.laptop("wang", "list", "contact", "--json").json()[0]
    check(contact["name"] == "—" and not contact["phones"], str(contact))
    check(world.office("verify").code == 0, "verify finds something")
    world.stop_server()
    for name in os.listdir(os.path.join(world.home, "org")):
        path = os.path.join(world.home, "org", name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                check(b"Xanthippe" not in file.read(), f"{name} holds the erased name")


if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1])))
