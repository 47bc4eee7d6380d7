#!/usr/bin/env python3
"""test_recovery.py BIN: the server comes back from an old backup while laptops hold newer acknowledged work.

Announced with `roadbook-server restore`, and unannounced: its file is set back while it is stopped. Nothing that was
acknowledged is lost, and all books are equal in the end."""
import glob
import os
import shutil
import signal
import sqlite3
import sys

from programs import World, check, main

REPS = ("wang", "li", "zhao")


def rows(run):
    """The accounts as everybody should have them."""
    fields = ("name", "website", "points", "tags", "remarks")
    return sorted(tuple(str(row.get(f)) for f in fields)
                  for row in run("list", "account", "--json", "--limit", "1000").json())


def books(world):
    return {"office": rows(world.office), **{rep: rows(lambda *w, rep=rep: world.laptop(rep, *w)) for rep in REPS}}


def sync_all(world, times=2):
    for _ in range(times):
        for rep in REPS:
            world.laptop(rep, "sync")


def all_equal(world, when):
    seen = books(world)
    for who, book in seen.items():
        check(book == seen["office"], f"{when}: {who} has another book than head office:\n{book}\n{seen['office']}")
    return seen["office"]


def work(world, round_number):
    """Each rep makes an account, and all edit the shared one."""
    for i, rep in enumerate(REPS):
        world.laptop(rep, "add", "account", f"name={rep} {round_number}", f"website=https://{rep}.{round_number}")
        world.laptop(rep, "set", "account", "Shared", f"points+={i + 1}", f"tags+={rep}{round_number}")
        world.laptop(rep, "sync")
        world.office("set", "account", "Shared", f"industry={rep} {round_number}")


def books_are_proved(world, when):
    """Also where a laptop does not know exactly where the server's two lives part."""
    for rep in REPS:
        result = world.laptop(rep, "sync", "--verify")
        check("equals the server" in result.err, f"{when}: {result}")


def value(book, name, field):
    return next(row for row in book if row[0] == name)[("name", "website", "points", "tags", "remarks").index(field)]


def everything_is_there(world, rounds, when):
    book = all_equal(world, when)
    names = {row[0] for row in book}
    for n in range(1, rounds + 1):
        for rep in REPS:
            check(f"{rep} {n}" in names, f"{when}: {rep} {n} is lost")
            check(f"{rep}{n}" in value(book, "Shared", "tags"), f"{when}: a tag of {rep} in round {n} is lost")
    check(value(book, "Shared", "points") == str(6 * rounds), f"{when}: {value(book, 'Shared', 'points')} points")


def end_recovery(world, alone=False):
    status = world.office("recovery", "status", "--json").json()
    absent = [row["device"] for row in status if not row["gave_back"]]
    check([row["user"] for row in status if row["device"] == number_of(world, "wang")] in ([], ["Wang"]), str(status))
    check(alone or all(row["was_here"] and row["gave_back"] and row["missing_batches"] == 0 for row in status), str(status))
    world.office("recovery", "accept")  # head office's own edits, which laptops have in their books
    if absent:
        refused = world.office("recovery", "end", fails=True)
        check(refused.code != 0 and "--yes" in refused.err and all(f"{number}" in refused.err for number in absent), str(refused))
    said = world.office("recovery", "end", *(["--yes"] if absent else [])).out
    check(("had not given back" in said) == (absent != []) and all(f"{number}" in said for number in absent), said)
    sync_all(world)
    check(world.office("verify").code == 0, "verify finds something")
    books_are_proved(world, "after the recovery")


def run(world):
    world.start_server()
    for rep in REPS:
        world.user(rep)
        world.laptop(rep, "enroll", world.link(rep))
    world.office("add", "account", "name=Shared")
    sync_all(world)
    work(world, 1)
    backup = os.path.join(world.dir, "backup.db")
    world.office("backup", backup)
    work(world, 2)
    sync_all(world)
    everything_is_there(world, 2, "before")
    world.laptop("wang", "set", "account", "Shared", "remarks=written while the server is away")
    refused = world.office("restore", backup, fails=True)
    check(refused.code == 75, f"restored under a running server: {refused}")
    world.stop_server(signal.SIGKILL)
    world.office("restore", backup)
    world.start_server()
    sync_all(world)
    end_recovery(world)
    everything_is_there(world, 2, "restored")
    check("written while" in value(all_equal(world, "restored"), "Shared", "remarks"), "the outbox is lost")
    a_laptop_lies(world)
    unannounced(world)
    nobody_gives_it_back(world)
    only_one_has_it(world)
    edited_before_he_heard_of_it(world)
    revoked_since(world)
    gone_back_twice(world)
    two_in_the_life_that_is_lost(world)
    behind_batches_that_nobody_has(world)
    who_made_an_account_has_it_still(world.bin)


def a_laptop_lies(world):
    """It says that it was told more than the server knows: without the server's word nothing begins."""
    epoch = "select value from meta where name = 'epoch'"
    before = world.office("sql", epoch).out
    path = os.path.join(world.laptop_home("wang"), "book.db")
    with sqlite3.connect(path) as book:
        kept = book.execute("SELECT top_seq, voucher FROM state").fetchone()
        check(kept[1] is not None and len(kept[1]) == 16, f"no word of the server's is kept: {kept}")
        book.execute("UPDATE state SET top_seq = top_seq + 100, voucher = x'00112233445566778899aabbccddeeff'")
    book.close()
    for _ in range(2):
        refused = world.laptop("wang", "sync", fails=True)
        check(refused.code != 0 and "prove" in refused.err, str(refused))
    check(world.office("sql", epoch).out == before, "a forged claim began an epoch")
    status = world.office("recovery", "status")
    check(f"Laptop {number_of(world, 'wang')} says" in status.out + status.err, str(status))
    world.laptop("li", "sync")  # others notice nothing
    with sqlite3.connect(path) as book:
        book.execute("UPDATE state SET top_seq = ?, voucher = ?", kept)
    book.close()
    world.laptop("wang", "sync")


def nobody_gives_it_back(world):
    """Head office's own edits since the backup, and a laptop that never comes: others have them in their books."""
    world.user("chen")
    world.laptop("chen", "enroll", world.link("chen"))
    world.office("add", "account", "name=Facts", "website=https://before", "points=10", "tags=old")
    sync_all(world)
    world.laptop("chen", "sync")
    backup = os.path.join(world.dir, "facts.db")
    world.office("backup", backup)
    world.office("set", "account", "Facts", "website=https://office", "tier=strategic", "tags+=office")
    world.laptop("chen", "sync")
    world.laptop("chen", "add", "account", "name=Chens own", "website=https://chen")
    world.laptop("chen", "set", "account", "Facts", "points+=5", "city=Chengdu")
    world.laptop("chen", "sync")
    sync_all(world)
    world.laptop("li", "set", "account", "Facts", "points+=1", "industry=given back")
    world.laptop("li", "sync")
    world.laptop("wang", "sync")
    before = {row["name"]: row for row in world.laptop("wang", "list", "account", "--json", "--limit", "1000").json()}
    world.stop_server(signal.SIGKILL)
    world.office("restore", backup)
    world.start_server()
    world.office("set", "account", "Facts", "remarks=of the present life")
    sync_all(world, 3)
    facts = world.office("recovery", "facts", "--json").json()
    check({f["state"] for f in facts} >= {"new_row", "changes"}, str(facts))
    seen = world.office("recovery", "facts").out  # head office sees what it decides about
    check("Account Chens own (" in seen and "Website: https://chen" in seen, seen)
    refused = world.office("recovery", "end", fails=True)
    check(refused.code != 0 and "recovery accept" in refused.err, str(refused))
    world.office("recovery", "accept")
    check(world.office("recovery", "facts", "--json").json() == [] or
          {f["state"] for f in world.office("recovery", "facts", "--json").json()} == {"newer_here"}, "facts are left")
    end_recovery(world, alone=True)
    after = {row["name"]: row for row in world.office("list", "account", "--json", "--limit", "1000").json()}
    for field in ("website", "tier", "city", "industry"):
        check(after["Facts"].get(field) == before["Facts"].get(field), f"{field}: {after['Facts']}, was {before['Facts']}")
    check(after["Facts"]["remarks"] == "of the present life", "a fact overwrote what is newer")
    check(after["Chens own"]["website"] == "https://chen" and after["Chens own"]["id"] == before["Chens own"]["id"],
          f"the row of a laptop that never came is lost, or another: {after.get('Chens own')}")
    history = world.office("history", "account", "Facts").out
    check("recovered from laptop" in history, f"nobody says where it is from:\n{history}")
    chinese = world.office("history", "account", "Facts", "--lang", "zh").out
    check("的笔记本" in chinese and "recovered" not in chinese, chinese)
    all_equal(world, "what nobody gave back")
    held_before = world.office("sql", "select count(*) from quarantine").out
    result = world.laptop("chen", "sync", fails=True)  # it comes after all: nothing is there twice
    check(result.code == 0, str(result))
    sync_all(world)
    again = {row["name"]: row for row in world.office("list", "account", "--json", "--limit", "1000").json()}
    check(again["Facts"]["points"] == after["Facts"]["points"], f"counted twice: {again['Facts']}, was {after['Facts']}")
    check(rows(lambda *w: world.laptop("chen", *w)) == rows(world.office), "chen has another book than head office")
    held = world.office("sql", "select count(*) from quarantine").out
    check(held == held_before, f"what it gave back is held, though it is in the book: {held}, was {held_before}")
    check(world.office("verify").code == 0, "verify finds something")


def only_one_has_it(world):
    """Head office's account since the backup: the one laptop that has it also wrote on it, so what it gives back waits."""
    backup = os.path.join(world.dir, "only.db")
    world.office("backup", backup)
    world.office("add", "account", "name=Only", "points=7")
    world.laptop("li", "sync")
    world.laptop("li", "add", "contact", "account=Only", "name=Onlys man")
    world.laptop("li", "set", "account", "Only", "points+=3", "city=Lanzhou")
    world.laptop("li", "sync")
    world.stop_server(signal.SIGKILL)
    world.office("restore", backup)
    world.start_server()
    world.laptop("li", "set", "account", "Only", "remarks=written after it")
    said = [world.laptop("li", "sync").out for _ in range(3)]
    check("waits here: the server recovers" in said[-1], f"li is not told why nothing was sent: {said}")
    facts = world.office("recovery", "facts", "--json").json()
    check("new_row" in {fact["state"] for fact in facts}, f"the account that nobody else has is not told: {facts}")
    world.office("recovery", "accept")
    for _ in range(2):
        sync_all(world)
    end_recovery(world, alone=True)
    sync_all(world, 2)
    row = world.office("get", "account", "Only", "--json").json()
    check(row["points"] == 10 and row["city"] == "Lanzhou" and row["remarks"] == "written after it",
          f"lost, or counted twice: {row}")
    check("Onlys man" in world.office("list", "contact").out, "what was made below it is lost")
    all_equal(world, "what only one had")


def edited_before_he_heard_of_it(world):
    """Head office's task since the backup: who has it changed its title before he heard that it is forgotten."""
    backup = os.path.join(world.dir, "heard.db")
    world.office("backup", backup)
    world.office("add", "task", "title=Call them", "account=Only")
    sync_all(world)
    world.stop_server(signal.SIGKILL)
    world.office("restore", backup)
    world.start_server()
    world.laptop("li", "set", "task", "Call them", "title=Call them twice", "body=before noon")
    for _ in range(2):
        world.laptop("li", "sync")
    told = world.office("recovery", "facts").out
    check("Call them" in told and "twice" not in told, f"the title as the server had it is not told: {told}")
    world.office("recovery", "accept")
    sync_all(world, 2)
    end_recovery(world, alone=True)
    task = world.office("list", "task", "--json").json()
    check([t["title"] for t in task] == ["Call them twice"] and task[0]["body"] == "before noon", f"lost: {task}")
    check(world.laptop("li", "held", "--json").json() == [], "his edit is held")


def gone_back_twice(world):
    """What a laptop told of others' work in the life between, and nobody took yet, it tells again."""
    world.office("add", "account", "name=Twice told", "website=https://one", "points=1")
    sync_all(world)
    backup = os.path.join(world.dir, "twice.db")
    world.office("backup", backup)
    sync_all(world)
    world.office("set", "account", "Twice told", "website=https://two", "points+=5")
    world.laptop("wang", "sync")
    for _ in range(2):
        world.stop_server(signal.SIGKILL)
        world.office("restore", backup)
        world.start_server()
        for _ in range(2):
            world.laptop("wang", "sync")
        check("https://two" in world.office("recovery", "facts").out, "it is not told")
        world.laptop("li", "set", "account", "Twice told", "industry=x")  # the row comes anew, without it
        world.laptop("li", "sync")
        world.laptop("wang", "sync")
    end_recovery(world, alone=True)
    row = world.office("get", "account", "Twice told", "--json").json()
    check((row["website"], row["points"], row["industry"]) == ("https://two", 6, "x"), f"lost: {row}")


def two_in_the_life_that_is_lost(world):
    """They are one in the backup: what was told of the one does not replace what was done to the other."""
    world.office("add", "account", "name=Half A", "website=https://half.a")
    world.office("add", "account", "name=Half B")
    loser = world.office("get", "account", "Half A", "--json").json()["id"]
    world.office("merge", "Half A", "into", "Half B")
    backup = os.path.join(world.dir, "halves.db")
    world.office("backup", backup)
    sync_all(world)
    world.office("merge", "undo", str(loser))
    sync_all(world)
    world.laptop("li", "set", "account", str(loser), "name=Half A of Li")
    world.laptop("li", "sync")
    world.office("set", "account", "Half B", "industry=halves")
    sync_all(world)
    world.stop_server(signal.SIGKILL)
    world.office("restore", backup)
    world.start_server()
    sync_all(world, 3)
    world.office("recovery", "accept")
    end_recovery(world, alone=True)
    row = next(r for r in world.office("list", "account", "--json", "--limit", "1000").json() if "Half" in r["name"])
    check(row["name"] == "Half A of Li" and row["website"] == "https://half.a", f"what was given back is replaced: {row}")
    check(row["industry"] == "halves", f"what head office did to the other is lost: {row}")


def behind_batches_that_nobody_has(world):
    """An older backup than the latest, then one of the life that followed: he gives back what comes behind the gap."""
    older, latest, third = (os.path.join(world.dir, f"gap{n}.db") for n in range(3))
    world.office("backup", older)
    world.laptop("li", "set", "account", "Half", "country=lost")
    world.laptop("li", "sync")
    world.office("set", "account", "Half", "industry=behind it")
    world.office("backup", latest)
    world.office("set", "account", "Half", "industry=behind the backup")
    world.laptop("li", "sync")  # and lets go of it
    for backup in (older, third):
        world.stop_server(signal.SIGKILL)
        world.office("restore", backup)
        world.start_server()
        world.laptop("li", "set", "account", "Half", "short_name=" + os.path.basename(backup))
        world.laptop("li", "sync")
        world.laptop("li", "sync")
        if backup == older:
            world.office("backup", third)
    sync_all(world, 3)
    check(sum(row["missing_batches"] for row in world.office("recovery", "status", "--json").json()) > 0, "nothing is missing")
    end_recovery(world, alone=True)
    refused = world.office("recovery", "end", fails=True)
    check("no recovery" in refused.err and "--yes" not in refused.err, f"what is over is ended again: {refused}")
    check("gap2.db" in world.office("get", "account", "Half").out, "what he wrote last is lost")


def who_made_an_account_has_it_still(programs):
    """Where people see what they are granted: it comes back from his other laptop, as head office's creation."""
    world = World(programs, scope="granted")
    try:
        world.start_server()
        world.user("wang")
        for laptop in ("first", "second"):
            world.laptop(laptop, "enroll", world.link("wang"))
        backup = os.path.join(world.dir, "granted.db")
        world.office("backup", backup)
        world.laptop("first", "add", "account", "name=His own")
        world.laptop("first", "sync")
        world.laptop("second", "sync")
        world.office("device", "revoke", "1")
        world.stop_server(signal.SIGKILL)
        world.office("restore", backup)
        world.start_server()
        for _ in range(2):
            world.laptop("second", "sync")
        world.office("recovery", "accept")
        world.office("recovery", "end", "--yes")
        world.laptop("second", "sync")
        check("His own" in world.laptop("second", "list", "account").out, "who made it does not see it")
        check("made the account" in world.office("grants", "wang").out, "it is not granted to him")
        world.laptop("second", "set", "account", "His own", "industry=his")
        world.laptop("second", "sync")
        check("his" in world.office("get", "account", "His own").out, "he cannot write it")
    finally:
        world.close()


def number_of(world, rep):
    return next(d["device"] for d in world.office("device", "list", "--json").json() if d["user"] == rep.title())


def revoked_since(world):
    """What the backup does not know stands beside the book."""
    for rep in ("stolen", "leaver"):
        world.user(rep)
        world.laptop(rep, "enroll", world.link(rep))
        world.laptop(rep, "sync")
    backup = os.path.join(world.dir, "before-revoking.db")
    world.office("backup", backup)
    world.office("device", "revoke", str(number_of(world, "stolen")))
    world.office("user", "deactivate", "leaver")
    orders = os.path.join(world.home, "org", world.org + ".revoked")
    check(os.stat(orders).st_mode & 0o777 == 0o600, "others can read the orders")
    world.stop_server(signal.SIGKILL)
    world.office("restore", backup)
    world.start_server()
    for rep in ("stolen", "leaver"):
        result = world.laptop(rep, "sync", fails=True)
        check(result.code != 0, f"{rep} is let in again: {result}")
    states = {d["user"]: d["state"] for d in world.office("device", "list", "--json").json()}
    check((states["Stolen"], states["Leaver"]) == ("revoked", "inactive"), states)
    said = [world.laptop(rep, "sync").out for rep in REPS]
    check(all("came back from a backup" in text for text in said), f"a rep is not told: {said}")
    sync_all(world)
    world.office("recovery", "accept")
    world.office("recovery", "end", "--yes")
    check(world.office("verify").code == 0, "verify finds something")


def set_aside(world, name):
    """A copy of the book's files, as a machine's snapshot has them."""
    world.stop_server()
    aside = os.path.join(world.dir, name)
    os.makedirs(aside)
    for path in glob.glob(os.path.join(world.home, "org", "acme.db*")):
        if "before" not in path:
            shutil.copy2(path, aside)
    world.start_server()
    return aside


def set_back(world, aside, elsewhere=False):
    """elsewhere: on a new machine, which knows nothing of how far the book had come."""
    world.stop_server(signal.SIGKILL)
    if elsewhere:
        os.remove(os.path.join(world.home, "org", "acme.head"))
    book = os.path.join(world.home, "org", "acme.db")
    for path in (book, book + "-wal", book + "-shm"):
        if os.path.exists(path):
            os.remove(path)
    for path in os.listdir(aside):
        shutil.copy2(os.path.join(aside, path), os.path.join(world.home, "org", path))
    world.start_server()


def unannounced(world):
    """The disk goes back: nobody tells the server."""
    aside = set_aside(world, "aside")
    work(world, 3)
    sync_all(world)
    set_back(world, aside, elsewhere=True)
    said = world.office("add", "account", "name=made before it notices")
    check("set back" not in said.err and said.err == "", f"a new machine cannot know: {said}")
    sync_all(world)
    end_recovery(world)
    everything_is_there(world, 3, "set back")
    set_back_by_hand(world)


def set_back_by_hand(world):
    """Who opens the book first finds it older than the line beside it, and says so once."""
    aside = set_aside(world, "by-hand")
    work(world, 4)
    sync_all(world)
    world.stop_server(signal.SIGKILL)
    set_back(world, aside)
    world.stop_server()
    set_back(world, aside)  # again, before any laptop came
    world.stop_server()
    said = [world.office("set", "account", "Shared", "remarks=of the present life") for _ in range(2)]
    check("older state" in said[0].err and said[1].err == "", f"head office is not told, or twice: {said}")
    status = world.office("recovery", "status", "--json")
    check(status.code == 0, str(status))
    world.start_server()
    sync_all(world)
    end_recovery(world)
    everything_is_there(world, 4, "set back by hand")
    an_older_backup_than_the_latest(world)


def an_older_backup_than_the_latest(world):
    """What lies between the two is on no laptop any more: that is said before the server is started."""
    first, latest = (os.path.join(world.dir, name) for name in ("first.db", "latest.db"))
    for path in (first, latest):
        world.office("backup", path)
        world.office("add", "account", f"name=after {os.path.basename(path)}")
    world.stop_server()
    result = world.office("restore", first)
    check("later backup" in result.out + result.err, str(result))
    result = world.office("restore", latest)
    check("later backup" not in result.out + result.err, str(result))
    world.start_server()
    sync_all(world)
    end_recovery(world)
    check("after latest.db" not in str(all_equal(world, "the latest")), "head office's own edit came from nowhere")
    check("after first.db" in str(all_equal(world, "the latest")), "the latest backup was not restored")
    twice_before_all_were_here(world)


def twice_before_all_were_here(world):
    """In the life between only one gives back: the other's edit had seen his in the life before that."""
    aside = set_aside(world, "twice")
    world.laptop("wang", "set", "account", "Shared", "website=https://first.example")
    sync_all(world, 1)
    world.laptop("li", "set", "account", "Shared", "website=https://second.example")
    world.laptop("li", "sync")
    set_back(world, aside)
    world.laptop("wang", "sync")
    check("event=set-back org=acme" in world.server_log(40), f"the server's log does not say it: {world.server_log(40)}")
    set_back(world, aside)
    world.laptop("li", "sync")
    sync_all(world)
    end_recovery(world)
    website = value(all_equal(world, "twice"), "Shared", "website")
    check(website == "https://second.example", f"{website} stands, which the other edit had seen")


if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1])))
