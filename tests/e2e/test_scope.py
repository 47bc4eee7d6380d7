#!/usr/bin/env python3
"""test_scope.py BIN: who sees what, with the real programs: territories, teams, moves, a handover that both sign; what
was withdrawn is gone from the laptop's files, to the byte."""
import contextlib
import datetime
import glob
import os
import sqlite3
import sys
import time

from programs import World, check, main

REPS = ("wang", "li", "zhao")


def names(world, rep):
    return sorted(row["name"] for row in world.laptop(rep, "list", "account", "--json", "--limit", "1000").json())


def contacts(world, rep):
    return sorted(row["name"] for row in world.laptop(rep, "list", "contact", "--json", "--limit", "1000").json())


def sync(world, *reps):
    for rep in reps or REPS:
        world.laptop(rep, "sync")


def bytes_of(world, rep):
    found = b""
    for path in glob.glob(os.path.join(world.laptop_home(rep), "book.db*")):
        with open(path, "rb") as file:
            found += file.read()
    return found


def a_company_with_two_regions(world):
    world.office("territory", "add", "CN", "--name", "全国")
    for code, name in (("E", "华东"), ("N", "华北")):
        world.office("territory", "add", code, "--name", name, "--under", "CN")
    check(world.office("territory", "add", "E", fails=True).code == 65, "a code that is taken")
    for rep, code in (("wang", "E"), ("li", "N"), ("zhao", "CN")):
        world.office("user", "add", rep, "--name", rep.title(), "--role", "manager" if rep == "zhao" else "rep")
        world.office("set", "employee", rep, f"territory={code}")
    for number in range(6):
        code = "E" if number < 3 else "N"
        world.office("add", "account", f"name=Acct{number}", f"territory={code}", f"remarks=机密{number}keepsecret{number}")
        world.office("add", "contact", f"account=Acct{number}", f"name=Person{number}")
    world.office("assign", "Acct0", "Acct1", "--to", "wang")
    world.office("assign", "Acct3", "--to", "li")
    world.start_server()
    for rep in REPS:
        world.laptop(rep, "enroll", world.link(rep))
    sync(world)


def each_sees_his_own(world):
    check(names(world, "wang") == ["Acct0", "Acct1", "Acct2"], names(world, "wang"))
    check(names(world, "li") == ["Acct3", "Acct4", "Acct5"], names(world, "li"))
    check(len(names(world, "zhao")) == 6, names(world, "zhao"))
    check(contacts(world, "wang") == ["Person0", "Person1"], contacts(world, "wang"))
    check(contacts(world, "li") == ["Person3"], contacts(world, "li"))
    check(len(contacts(world, "zhao")) == 6, "a manager sees what is in his territory")
    check(b"keepsecret4" not in bytes_of(world, "wang"), "wang's file holds what he may not see")


def an_account_moves(world):
    gone = world.office("set", "account", "Acct1", "territory=N")
    check(gone.code == 0, str(gone))
    preview = world.office("assign", "Acct1", "--to", "li", "--dry-run", "--json").json()
    by_login = {row["login"]: row for row in preview}
    check(by_login["wang"]["lost"] == 2 and by_login["li"]["gained"] == 1, preview)
    world.office("assign", "Acct1", "--to", "li")
    said = world.laptop("wang", "sync").out
    check("1 account left this laptop (2 rows): Acct1\n" in said and "new here" not in said, said)
    said = world.laptop("li", "sync", env={"LC_ALL": "zh_CN.UTF-8"}).out
    check("1 个客户新到本机：Acct1\n" in said and "移出" not in said, said)
    check("Acct1" not in world.laptop("wang", "sync").out, "it is said twice")
    sync(world)
    check(names(world, "wang") == ["Acct0", "Acct2"], names(world, "wang"))
    check("Acct1" in names(world, "li") and "Person1" in contacts(world, "li"), "li lacks what came to him")
    for word in (b"keepsecret1", b"Person1"):
        check(word not in bytes_of(world, "wang"), f"{word} is still in wang's file")


def edits_made_before_a_withdrawal_count(world):
    world.laptop("wang", "set", "account", "Acct0", "website=wang.example")
    world.laptop("wang", "set", "contact", "Person0", "wechat=sales0")
    world.office("assign", "Acct0", "--to", "li")
    said = world.laptop("wang", "sync").out  # he sees its header still, and by that who has it
    check("1 account left this laptop (1 row): Acct0 (now Li)\n" in said, said)
    sync(world)
    row = world.office("get", "account", "Acct0", "--json").json()
    check(row["website"] == "wang.example", row)
    receipts = world.laptop("wang", "receipts", "--json", "--limit", "2").json()
    reasons = {receipt["entity"]: (receipt["outcome"], receipt["reason"][:5]) for receipt in receipts}
    check(reasons == {"account": ("applied", ""), "contact": ("applied", "late:")}, receipts)  # he sees accounts of E
    late = world.office("late", "--json").json()
    check([(entry["person"], entry["title"]) for entry in late] == [("Wang", "Person0")], late)
    story = world.office("history", "contact", "Person0", "wechat", "--json").json()
    check(story[-1]["value"] == "+sales0" and story[-1]["reason"].startswith("late:"), story)
    check(contacts(world, "wang") == [], contacts(world, "wang"))


def a_month_passes(world):
    """For grants that have ended and rows that have left: the lease of offline work is over."""
    month = 31 * 86400000
    with contextlib.closing(sqlite3.connect(os.path.join(world.dir, "server", "org", "acme.db"))) as book, book:
        book.execute("UPDATE grant_home SET until_ms = until_ms - ? WHERE until_seq > 0", (month,))
        book.execute("UPDATE leave_row SET time_ms = time_ms - ?", (month,))


def the_new_owner_hears_of_what_the_former_one_writes(world):
    world.office("assign", "Acct2", "--to", "wang")
    sync(world, "wang")
    world.laptop("wang", "set", "contact", "Person2", "wechat=fromwang", "name=Person2b")
    world.laptop("wang", "set", "contact", "Person2", "notes=likes tea")
    world.laptop("wang", "add", "contact", "account=Acct2", "name=Newcomer")
    world.office("set", "account", "Acct2", "territory=N")
    world.office("assign", "Acct2", "--to", "li")
    world.stop_server()
    a_month_passes(world)
    world.start_server()
    sync(world, "wang", "li")
    check(len(world.laptop("wang", "held", "--json").json()) == 4, "wang's own")
    waits = world.laptop("li", "held", "--json").json()
    seen = sorted((entry["person"], entry["kind"], entry["state"]) for entry in waits)
    check(seen == [("Wang", "create", "open")] + [("Wang", "edit", "open")] * 3, waits)
    check(world.laptop("li", "status", "--json").json()["others_held"] == 4, "status does not say so")
    table = world.laptop("li", "held", env={"LC_ALL": "zh_CN.UTF-8"})
    check("他人" in table.err and "fromwang" in table.out and "作者当时已无权访问" in table.out, str(table))
    made = [entry["held"] for entry in waits if entry["kind"] == "create"]
    check("head office" in world.laptop("li", "held", "take", made[0], fails=True).err, "a creation")
    check(world.laptop("li", "held", "take", "3.0", fails=True).code == 64, "an own one's number")
    note = [entry["held"] for entry in waits if "likes tea" in str(entry["edits"])]
    world.laptop("li", "set", "contact", "Person2", "notes=met in May")
    check("note" in world.laptop("li", "held", "take", note[0], fails=True).err, "a note that would be replaced")
    wechat = [e["held"] for e in waits if "fromwang" in str(e["edits"])]
    world.laptop("li", "held", "take", wechat[0])
    check("already" in world.laptop("li", "held", "take", wechat[0], fails=True).err, "twice")
    sync(world, "li", "wang")
    check(len(world.laptop("li", "held", "--json").json()) == 3, "it waits still")
    check(len(world.laptop("wang", "held", "--json").json()) == 3, "its author does not hear that it was taken over")
    people = world.office("list", "contact", "--json").json()
    person = [p for p in people if p["name"] == "Person2"][0]
    check("fromwang" in str(person["wechat"]), person)
    for request in world.office("requests", "--json").json():
        word = "approve" if "likes tea" in str(request) else "decline"
        world.office("requests", word, str(request["number"]))
    sync(world, "li")
    notes = world.laptop("li", "get", "contact", "Person2", "--json").json()["notes"]
    check("likes tea" in notes and "met in May" in notes, f"an approved note stands beside what was there: {notes}")
    said = world.laptop("wang", "sync").out
    check("head office declined 2 of your edits, of rows that left this laptop\n" in said, said)
    check(world.laptop("li", "held", "--json").json() == [], "decided, and still here")
    check(world.laptop("li", "status", "--json").json()["others_held"] == 0, "status still counts it")
    sync(world)
    check(world.laptop("wang", "held", "--all", "--json").json() == [], "of what left something is kept")


def a_team_member_sees_it_all(world):
    world.office("team", "add", "Acct3", "wang", "--role", "technical")
    sync(world)
    check("Acct3" in names(world, "wang") and "Person3" in contacts(world, "wang"), "the team member sees nothing")
    world.office("team", "remove", "Acct3", "wang")
    moved = world.laptop("wang", "sync", "--json").json()
    check([row["name"] for row in moved["accounts_left"]] == ["Acct3"] and moved["accounts_came"] == [], moved)
    sync(world)
    check("Acct3" not in names(world, "wang"), "the team member still sees it")
    check(b"keepsecret3" not in bytes_of(world, "wang"), "its remarks are still in the file")


def a_handover_waits_for_both_signatures(world):
    before = contacts(world, "li")
    check(len(before) == 3, before)
    check(world.office("handover", "li", "li", fails=True).code == 65, "a handover to himself")  # leaves nothing to sign
    world.office("handover", "li", "wang", "--reason", "moves away")
    sync(world)
    check(contacts(world, "li") == before, "it took effect unsigned")
    state = world.office("dated", "list", "--json").json()
    check([row["state"] for row in state] == ["unsigned"], state)
    for rep in ("li", "wang"):
        waiting = world.laptop(rep, "sign", "--json").json()
        check(len(waiting) == 1, waiting)
        refused = world.laptop("zhao", "sign", waiting[0]["short_id"], fails=True)
        check(refused.code != 0, "somebody else could sign")
        world.laptop(rep, "sign", waiting[0]["short_id"])
        sync(world, rep)
    deadline = time.monotonic() + 30
    while contacts(world, "wang") != before and time.monotonic() < deadline:
        sync(world)
        time.sleep(0.2)
    check(contacts(world, "wang") == before, contacts(world, "wang"))
    sync(world)
    check(contacts(world, "li") == [], contacts(world, "li"))
    done = world.office("dated", "list", "--all", "--json").json()
    check(done[-1]["state"] == "done" and done[-1]["accounts"] == 3, done)
    sync(world)
    for rep in ("li", "wang"):
        check([row["state"] for row in world.laptop(rep, "list", "handover", "--json").json()] == ["done"], rep)
    world.office("handover", "wang", "li", "--on", "2099-01-01")
    sync(world)
    check(len(world.laptop("li", "sign", "--json").json()) == 1, "nothing to sign")
    world.office("dated", "cancel", str(world.office("dated", "list", "--json").json()[0]["id"]))
    sync(world)
    check(world.laptop("li", "sign", "--json").json() == [], "a cancelled handover waits for a signature")


def orders_hold_from_today_on(world):
    past, today = "2020-02-01", datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    for words in (("assign", "Acct5", "--to", "li", "--from", past), ("handover", "wang", "li", "--on", past),
                  ("team", "add", "Acct5", "li", "--from", past), ("team", "add", "Acct5", "li", "--until", past),
                  ("team", "add", "Acct5", "li", "--from", "2099-02-01", "--until", "2099-01-31")):
        refused = world.office(*words, fails=True)
        check(refused.code == 65 and ("is over" in refused.err or "before the first" in refused.err), str(refused))
    check("已经过去" in world.office("assign", "Acct5", "--to", "li", "--from", past, fails=True,
                                 env={"LC_ALL": "zh_CN.UTF-8"}).err, "in Chinese")
    check(world.office("team", "list", "Acct5", "--json").json() == [], "a membership was made")
    check(world.office("assign", "Acct5", "--to", "li", "--from", "1st May", fails=True).code == 64, "no date")
    check(len(world.office("dated", "list", "--json").json()) == 0, "something waits")
    done = world.office("assign", "Acct5", "--to", "li", "--from", today, "--json").json()
    check([row["state"] for row in done] == ["done"], done)  # at once


def a_merge_says_which_one_goes(world):
    before = names(world, "zhao")
    for words in (("Acct4", "Acct5"), ("Acct4",), ("Acct4", "Acct5", "into"), ("Acct4", "in", "to", "Acct5")):
        refused = world.office("merge", *words, fails=True)
        check(refused.code == 64 and "LOSER into SURVIVOR" in refused.err, str(refused))
    check("并入" in world.office("merge", "Acct4", "Acct5", fails=True, env={"LC_ALL": "zh_CN.UTF-8"}).err, "in Chinese")
    sync(world, "zhao")
    check(names(world, "zhao") == before, "something was merged")


def one_of_two_losers_parts(world):
    """Who saw the survivor for the one that is an account again sees that, and the survivor no more."""
    rows = {}
    for name, owner in (("Left", "wang"), ("Right", "zhao"), ("Middle", "li")):
        world.office("add", "account", f"name={name}", "territory=N", f"owner={owner}")
        rows[name] = world.office("get", "account", name, "--json").json()["id"]
    sync(world)
    world.office("merge", "Left", "into", "Middle")
    world.office("merge", "Right", "into", "Middle")
    sync(world)
    check("Middle" in names(world, "wang"), "who saw the loser sees the survivor")
    world.office("merge", "undo", str(rows["Left"]))
    sync(world)
    check("Left" in names(world, "wang") and "Middle" not in names(world, "wang"), names(world, "wang"))
    check("Middle" in names(world, "zhao") and "Middle" in names(world, "li"), names(world, "zhao"))
    for row in (rows["Left"], rows["Middle"]):
        world.office("rm", "account", str(row))
    sync(world)


def contacts_that_are_one_part_by_the_id_that_the_list_shows(world):
    world.office("add", "account", "name=Haus", "territory=N", "owner=li")
    for name in ("Kong One", "Kong Two"):
        world.office("add", "contact", f"name={name}", "account=Haus")
    sync(world)
    world.office("merge", "Kong One", "into", "Kong Two", "--entity", "contact")
    check(any("Contact" in line and "Kong One" in line for line in world.office("merge", "list").out.splitlines()), "the list does not say what it was")
    shown = next(m for m in world.office("merge", "list", "--json").json() if m["name"] == "Kong One")
    check(shown["entity"] == "contact", str(shown))
    world.office("merge", "undo", str(shown["loser"]))
    sync(world)
    contacts = [row["name"] for row in world.laptop("li", "list", "contact", "--json").json()]
    check("Kong One" in contacts and "Kong Two" in contacts, str(contacts))
    world.office("rm", "account", "Haus", "--yes")
    sync(world)


def a_merged_account_did_not_leave(world):
    """Its id finds the one that it became: nothing is told to be gone that is there. Who deletes by that id means the one that
    is no more."""
    ids = [world.office("add", "account", f"name={name}", "territory=N", "owner=li", "--json").json()["id"] for name in ("Twin A", "Twin B")]
    sync(world, "li")
    world.office("merge", "Twin A", "into", "Twin B")
    said = world.laptop("li", "sync", env={"LC_ALL": "zh_CN.UTF-8"}).out
    check("Twin A 已并入 Twin B\n" in said and "移出" not in said, said)
    check("Twin" not in world.laptop("li", "sync").out, "it is said twice")
    for refused in (world.laptop("li", "rm", "account", ids[0], fails=True), world.laptop("li", "rm", ids[0], fails=True),
                    world.office("rm", "account", ids[0], fails=True)):
        check(refused.code == 65 and "became Twin B" in refused.err, str(refused))
    check(world.office("get", "account", ids[0], "--json").json()["name"] == "Twin B", "what it became is gone")


def a_visit_names_what_its_account_became(world):
    """Made offline of an account that became another, which its author does not see: his own visit names that one, as the
    server's does."""
    gone = world.office("add", "account", "name=Named before", "owner=li", "--json").json()["id"]
    now = world.office("add", "account", "name=Named now", "owner=wang", "--json").json()["id"]
    sync(world, "li")
    visit = world.laptop("li", "add", "visit", f"account={gone}", "talking_points=of the former name", "--json").json()["id"]
    world.office("set", "account", gone, "owner=wang")
    world.office("merge", gone, "into", now)
    sync(world, "li")
    check(world.laptop("li", "get", "account", now, fails=True).code != 0, "li sees it")
    there = world.office("get", "visit", visit, "--json").json()["account"]
    here = world.laptop("li", "get", "visit", visit, "--json").json()["account"]
    check(there == now and here == now, f"the visit names {here} here, {there} there, not {now}")
    world.laptop("li", "verify")


def head_office_decides(world):
    """A hint when saving, a line with the sync that brings the decision, until the person takes note."""
    saved = world.laptop("wang", "set", "account", "Acct0", "tier=strategic", "city=Hefei")
    check("Head office decides" in saved.err and "City" not in saved.err, str(saved))
    check("Head office" not in world.laptop("wang", "set", "account", "Acct0", "city=Wuhu").err, "the city is his")
    saved = world.laptop("wang", "set", "account", "Acct1", "tier=strategic", "name=Acct1", "--json").json()
    check(saved["change_requests"] == ["tier"] and saved["name"] == "Acct1", saved)
    told = world.laptop("wang", "set", "account", "Acct3", "tier=strategic", env={"LC_ALL": "zh_CN.UTF-8"})
    check("由总部决定" in told.err, str(told))
    world.laptop("wang", "sync")
    numbers = [request["number"] for request in world.office("requests", "--json").json()]
    check(len(numbers) == 3, numbers)
    world.office("requests", "approve", numbers[0])
    for number in numbers[1:]:
        world.office("requests", "decline", number)
    said = world.laptop("wang", "sync").out
    check("head office declined 2 of your edits" in said and "1 of your change requests was approved" in said, said)
    check("declined" not in world.laptop("wang", "sync").out, "it is said twice")
    status = world.laptop("wang", "status", "--json").json()
    check(status["declined"] == 2 and "Declined:    2" in world.laptop("wang", "status").out, status)
    held = world.laptop("wang", "held", "--json").json()
    check([entry["state"] for entry in held] == ["declined", "declined"], held)
    story = world.laptop("wang", "history", "account", "Acct1", "--json").json()
    check(story[-1]["what"] == "declined" and story[-1]["person"], story)
    office = world.office("history", "account", "Acct1", "tier", "--json").json()
    check(office[-1]["what"] == "decided" and office[-1]["reason"].startswith("head office declined"), office)
    for entry in held:
        world.laptop("wang", "held", "drop", entry["held"])
    check(world.laptop("wang", "held", "--json").json() == [], "noted, and listed still")
    check(world.laptop("wang", "status", "--json").json()["declined"] == 0, "noted, and counted still")
    sync(world)


def books_are_proved(world):
    for rep in REPS:
        result = world.laptop(rep, "sync", "--verify")
        check("equals the server" in result.err or "一致" in result.err, str(result))
        world.laptop(rep, "verify")
    world.office("verify")


def run(world):
    steps = (a_company_with_two_regions, each_sees_his_own, an_account_moves, edits_made_before_a_withdrawal_count,
             a_team_member_sees_it_all, a_handover_waits_for_both_signatures,
             the_new_owner_hears_of_what_the_former_one_writes, head_office_decides,
             orders_hold_from_today_on, a_merge_says_which_one_goes, a_merged_account_did_not_leave, a_visit_names_what_its_account_became,
             contacts_that_are_one_part_by_the_id_that_the_list_shows,
             one_of_two_losers_parts, books_are_proved)
    for step in steps:
        print(step.__name__.replace("_", " "), flush=True)
        step(world)


if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1], scope="granted")))
