#!/usr/bin/env python3
"""test_stranger.py BIN: a client written from PROTOCOL.md alone (stranger.mjs) talks with the real server over TLS:
it enrols by link, pulls what head office has, pushes a visit, and is refused where it has to be."""
import json
import os
import shutil
import subprocess
import sys

from programs import ROOT, Failed, World, check, main

STRANGER = os.path.join(ROOT, "tests/e2e/stranger.mjs")
NAME = 1                                         # cell of account
SKIPPED = 77


def stranger(*words, fails=False):
    done = subprocess.run(["node", STRANGER, *words], capture_output=True, timeout=60)
    if fails:
        check(done.returncode != 0, f"the stranger should have been refused: {words}")
        return done.stderr.decode()
    check(done.returncode == 0, f"the stranger failed: {done.stderr.decode()}")
    return json.loads(done.stdout)


def make_book(world):
    world.user("ada")
    rows = ["name,city,tags,remarks"]
    rows += [f'Customer {i},City {i % 7},"tag {i % 3}; all","Line one of {i}.' + "\n" + f'The usual second line, {i % 5}."'
             for i in range(400)]
    world.import_rows("account", "\n".join(rows) + "\n")


def visits(world):
    return world.office("list", "visit", "--json").json()


def pushes_and_pulls(world, link, state):
    got = stranger("run", link, state, "Wants samples by March. 三月前要样品。")
    names = {row["cells"][str(NAME)][0] for row in got["rows"] if row["entity"] == 4}
    check(names == {f"Customer {i}" for i in range(400)}, f"{len(names)} of 400 accounts were pulled")
    outcomes = [line["outcome"] for receipt in got["receipts"] for line in receipt["lines"]]
    check(outcomes == ["applied"], f"the receipts say {outcomes}")
    rows = visits(world)
    check([row["talking_points"] for row in rows] == ["Wants samples by March. 三月前要样品。"], f"head office has {rows}")
    check(rows[0]["id"] == got["pushed"], f"another row: {rows[0]['id']} instead of {got['pushed']}")
    check(rows[0]["account"] in {row["id"] for row in got["rows"]}, "the visit belongs to no account")


def goes_on_after_a_restart(world, link, state):
    """The server forgot the nonces and the stranger its session; both go on."""
    world.import_rows("account", "name,city\nMade later,Oslo\n")
    world.stop_server()
    world.start_server()
    got = stranger("run", link, state)
    new = [row["cells"][str(NAME)][0] for row in got["rows"]]
    check("Made later" in new, f"the new account was not pulled: {new}")
    check(len(new) < 5, f"what it had was sent again: {len(new)} rows")


def follows_other_keys(world, link, state):
    """The org changes its key twice; the stranger walks the chain forwards, a second one, by an old link, as well."""
    old_link = world.link("ada")
    for _ in range(2):
        world.office("org", "key", "change", "--yes")
    stranger("run", link, state)
    check(json.load(open(state, encoding="utf-8"))["trust"]["heard"] == 2, "it has not heard of both changes")
    for number, by in enumerate((old_link, world.link("ada"))):    # from the first key on, and from the newest back
        second = os.path.join(world.dir, f"second{number}.json")
        got = stranger("run", by, second, "After another key.")    # its receipt is signed with the newest
        check([line["outcome"] for receipt in got["receipts"] for line in receipt["lines"]] == ["applied"], f"{got['receipts']}")
        trust = json.load(open(second, encoding="utf-8"))["trust"]
        check(trust == json.load(open(state, encoding="utf-8"))["trust"], f"it believes {trust}")


def is_refused(world, link, state):
    said = stranger("run", link, os.path.join(world.dir, "other.json"), fails=True)
    check("403" in said, f"a used link: {said}")
    broken = link[:-1] + ("A" if link[-1] != "A" else "Q")
    said = stranger("run", broken, os.path.join(world.dir, "third.json"), fails=True)
    check("pinned" in said, f"another pin: {said}")
    device = json.load(open(state, encoding="utf-8"))["device"]
    world.office("device", "revoke", str(device))
    world.import_rows("account", "name,city\nMade last,Oslo\n")
    got = stranger("run", link, state)
    check(got["rows"] == [], f"a revoked device still gets rows: {got['rows']}")


def run(world):
    done = subprocess.run(["node", STRANGER, "check", os.path.join(ROOT, "protocol/PROTOCOL.md")], capture_output=True)
    check(done.returncode == 0, f"the transcript does not prove itself: {done.stderr.decode()}")
    make_book(world)
    world.start_server()
    link, state = world.link("ada"), os.path.join(world.dir, "stranger.json")
    pushes_and_pulls(world, link, state)
    goes_on_after_a_restart(world, link, state)
    follows_other_keys(world, link, state)
    is_refused(world, link, state)
    print("a stranger's client enrols, pulls, pushes, goes on, follows other keys, and is refused where it has to be")


if __name__ == "__main__":
    if not shutil.which("node"):
        print("skipped: node is not installed")
        sys.exit(SKIPPED)
    sys.exit(main(run, World(sys.argv[1])))
