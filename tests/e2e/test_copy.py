#!/usr/bin/env python3
"""test_copy.py BIN: a second copy that grows with each commit; a book made from it as it was at a time, or altogether
anew; the server killed between a commit and its copy."""
import glob
import os
import signal
import sqlite3
import sys
import time
from datetime import datetime, timezone

from programs import World, check, main


def rows(path):
    """All that a book holds, table by table; what is about the copy itself left out."""
    held = {}
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%'")]
    for table in tables:
        held[table] = sorted(map(repr, db.execute(f'SELECT * FROM "{table}"').fetchall()))
    db.close()
    return held


def book(world):
    return os.path.join(world.home, "org", world.org + ".db")


def made(world, name, *options):
    path = os.path.join(world.dir, name)
    result = world.office("copy", "read", os.path.join(world.dir, "copy"), path, "--json", *options).json()
    check(result["conflicts"] == 0 and not result["gap"], result)
    return path


def differences(one, other):
    return [table for table in one if one[table] != other.get(table)]


def all_of_it_is_copied(world):
    world.office("copy", "start", os.path.join(world.dir, "copy"))
    world.start_server()
    for rep in ("wang", "li"):
        world.user(rep)
        world.laptop(rep, "enroll", world.link(rep))
    for number in range(10):
        world.laptop("wang", "add", "account", f"name=Acct{number}", "tags=a,b")
    world.laptop("wang", "sync")
    world.laptop("li", "sync")
    world.laptop("li", "set", "account", "Acct3", "city=杭州")
    world.laptop("wang", "set", "account", "Acct3", "city=上海")
    world.laptop("li", "rm", "account", "Acct4")
    world.laptop("li", "sync")
    world.laptop("wang", "sync")
    world.office("set", "account", "Acct5", "tier=strategic")
    world.stop_server()
    again = made(world, "again.db")
    check(differences(rows(book(world)), rows(again)) == [], differences(rows(book(world)), rows(again)))


def as_it_was_then(world):
    time.sleep(0.05)
    then = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    before = rows(book(world))
    time.sleep(1.1)
    world.office("set", "account", "Acct6", "city=后来")
    past = rows(made(world, "past.db", "--until", then))
    check(past["r_account"] == before["r_account"], "the past is not as it was")
    now = rows(made(world, "now.db"))
    check(now["r_account"] != before["r_account"], "the latest is not the latest")


def killed_in_the_middle(world):
    for number in range(6):
        world.start_server()
        for k in range(5):
            world.laptop("wang", "add", "account", f"name=Kill{number}-{k}")
        world.laptop("wang", "sync")
        world.stop_server(signal.SIGKILL)
    world.start_server()
    world.laptop("wang", "sync")
    world.stop_server()
    again = made(world, "after-kills.db")
    check(differences(rows(book(world)), rows(again)) == [], differences(rows(book(world)), rows(again)))


def a_torn_copy_makes_a_new_base(world):
    logs = sorted(glob.glob(os.path.join(world.dir, "copy", "changes-*.log")), key=os.path.getmtime)
    with open(logs[-1], "r+b") as file:
        file.truncate(max(0, os.path.getsize(logs[-1]) - 5))
    bases = len(glob.glob(os.path.join(world.dir, "copy", "base-*.db")))
    world.office("set", "account", "Acct7", "city=新")
    check(len(glob.glob(os.path.join(world.dir, "copy", "base-*.db"))) == bases + 1, "no new base")
    again = made(world, "torn.db")
    check(differences(rows(book(world)), rows(again)) == [], differences(rows(book(world)), rows(again)))


def what_was_revoked_since_stays_so(world):
    """A book of before, made from the copy alone: the folder says what was ordered since."""
    world.user("gone")
    world.laptop("gone", "enroll", world.link("gone"))
    time.sleep(1.1)
    then = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    time.sleep(1.1)
    number = str(next(d["device"] for d in world.office("device", "list", "--json").json() if d["user"] == "Gone"))
    world.office("device", "lost", number)
    world.stop_server()
    os.remove(os.path.join(world.home, "org", world.org + ".revoked"))
    world.office("restore", made(world, "before.db", "--until", then))
    device = world.office("device", "show", number, "--json").json()
    check((device[0] if isinstance(device, list) else device)["state"] == "to_wipe", device)


def it_can_be_used(world):
    path = made(world, "use.db")
    world.office("restore", path)
    world.start_server()
    world.laptop("wang", "sync")
    world.laptop("li", "sync")
    world.office("recovery", "end")
    world.laptop("wang", "sync")
    check(world.laptop("li", "get", "account", "Acct3", "--json").json()["city"] in ("杭州", "上海"), "Acct3 is gone")
    world.office("verify")
    older_than_the_copy(world)


def older_than_the_copy(world):
    """A backup is restored that the copy is ahead of: its numbers are given again."""
    backup = os.path.join(world.dir, "older.db")
    world.office("backup", backup)
    for number in range(4):
        world.laptop("wang", "add", "account", f"name=Forgotten{number}")
        world.laptop("wang", "sync")
    world.stop_server()
    forgotten = rows(made(world, "forgotten.db"))
    time.sleep(0.05)
    then = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    time.sleep(0.05)
    world.office("restore", backup)
    world.start_server()
    world.laptop("li", "sync")
    world.laptop("wang", "sync")
    world.office("recovery", "end")
    world.laptop("li", "add", "account", "name=Of this life")
    world.laptop("li", "sync")
    world.stop_server()
    again = rows(made(world, "this-life.db"))
    check(differences(rows(book(world)), again) == [], differences(rows(book(world)), again))
    past = rows(made(world, "that-life.db", "--until", then))
    check(differences(forgotten, past) == [], differences(forgotten, past))
    world.start_server()


def run(world):
    for step in (all_of_it_is_copied, as_it_was_then, killed_in_the_middle, a_torn_copy_makes_a_new_base, it_can_be_used,
                 what_was_revoked_since_stays_so):
        print(step.__name__.replace("_", " "), flush=True)
        step(world)


if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1])))
