#!/usr/bin/env python3
"""test_fields.py BIN: head office adds fields and values at run time; laptops use them like their own.

Added on a running server, edited offline on two laptops, in conflict, exported and imported, asked for in plain SQL;
limits that came later; retired; and a server that was set back to a backup from before they were added."""
import csv
import io
import json
import os
import signal
import sqlite3
import sys
import time

from programs import World, check, main

REPS = ("wang", "li")
FLEET = ("--type", "int", "--label", "Vehicles", "--label-zh", "车辆数", "--max", "500")
GRADE = ("--type", "enum", "--label", "Grade", "--label-zh", "评级", "--values", "good:Good:好,poor:Poor:差")


def sync_all(world, times=2):
    for _ in range(times):
        for rep in REPS:
            world.laptop(rep, "sync")


def account(run, name="Acme"):
    return run("get", "account", name, "--json").json()


def field_of(run, name, entity="account"):
    return next((f for f in run("fields", entity, "--json").json() if f["name"] == name), None)


def refused(result, *words):
    check(result.code != 0, f"this should have been refused: {result}")
    for word in words:
        check(word in result.err, f"{word!r} is not said: {result}")


def proved(world, when):
    for rep in REPS:
        result = world.laptop(rep, "sync", "--verify")
        check("equals the server" in result.err, f"{when}: {result}")
        check(world.laptop(rep, "verify").code == 0, f"{when}: verify of {rep}")
    check(world.office("verify").code == 0, f"{when}: verify finds something")


def what_cannot_be_added(world):
    office = world.office
    labels = ("--label", "X", "--label-zh", "某")
    refused(office("field", "add", "account", "website", *labels, fails=True), "website", "already")
    refused(office("field", "add", "account", "x", "--label", "Website", "--label-zh", "某", fails=True), "Website")
    refused(office("field", "add", "account", "Two words", *labels, fails=True), "a-z")
    refused(office("field", "add", "account", "x", "--label", "X", fails=True), "--label-zh")
    refused(office("field", "add", "account", "x", "--type", "ref", *labels, fails=True), "ref")
    refused(office("field", "add", "account", "x", "--type", "enum", *labels, fails=True), "--values")
    refused(office("field", "add", "account", "x", "--rule", "max", *labels, fails=True), "go together")
    refused(office("field", "add", "account", "x", "--rule", "frozen", *labels, fails=True), "state")
    refused(office("field", "add", "account", "x", "--type", "int", "--min", "9", "--max", "1", *labels, fails=True),
            "above the greatest")
    refused(office("value", "add", "account", "status", "odd", *labels, fails=True), "release")
    refused(office("value", "add", "account", "website", "odd", *labels, fails=True), "no enumeration")
    refused(office("value", "add", "account", "kind", "large", *labels, fails=True), "already")
    refused(office("field", "change", "account", "website", "--retire", fails=True), "release")
    refused(office("field", "add", "account", "x", "--lang", "zh", "--label", "X", fails=True), "中文")
    fullwidth = ("--type", "enum", "--values", "a:A:甲，b:B:乙")
    refused(office("field", "add", "account", "x", *fullwidth, *labels, fails=True), "plain : and ,")
    alike = ("--type", "enum", "--values", "a:A:甲,b:B:甲")
    refused(office("field", "add", "account", "x", *alike, *labels, fails=True), "called that already: 甲")
    refused(office("value", "add", "account", "kind", "x", "--label", "X", "--label-zh", "政府机构", fails=True), "already")
    refused(office("field", "add", "account", "x", "--max", "0", *labels, fails=True), "at least 1")
    refused(office("field", "add", "account", "x", "--lang", "zh", "--rule", "max", *labels, fails=True), "只用于数值")
    check(office("field", "list", "--json").json() == [], "something was added")


def a_limit_on_one_side(world):
    """--min alone has no end, also for laptops."""
    depth = ("--type", "int", "--label", "Depth", "--label-zh", "深度", "--min", "-5")
    check(">=-5" in world.office("field", "add", "account", "depth", *depth).out, "the limit is not told")
    sync_all(world)
    world.laptop("wang", "set", "account", "Acme", "depth=1000000")
    refused(world.laptop("wang", "set", "account", "Acme", "depth=-6", fails=True), "at least -5")
    sync_all(world)
    check(account(world.office)["depth"] == 1000000, "the number did not come")
    refused(world.office("field", "change", "account", "depth", "--label", "Website", fails=True), "already")


def fields_are_added(world):
    """On the running server: the next round brings them, and no row travels for it."""
    trial = world.office("field", "add", "account", "fleet", *FLEET, "--dry-run")
    check("nothing was written" in trial.out, str(trial))
    check(world.office("field", "list", "--json").json() == [], "a dry run added something")
    tag = world.office("field", "add", "account", "fleet", *FLEET, "--json").json()["tag"]
    world.office("field", "add", "account", "grade", *GRADE)
    world.office("field", "add", "account", "budget", "--type", "money", "--label", "Budget", "--label-zh", "预算")
    world.office("field", "add", "account", "seen", "--type", "date", "--rule", "max", "--label", "Seen", "--label-zh",
                 "见于")
    world.office("field", "add", "account", "stars", "--type", "int", "--rule", "counter", "--label", "Stars",
                 "--label-zh", "星")
    world.office("field", "add", "account", "labels", "--type", "set", "--label", "Labels", "--label-zh", "标记")
    world.office("field", "add", "contact", "nick", "--personal", "--label", "Nickname", "--label-zh", "昵称")
    story = world.office("field", "add", "account", "story", "--type", "note", "--label", "Story", "--label-zh", "经过", "--json").json()
    check(story["rule"] == "text", f"of two people's notes one would go: {story}")
    world.office("value", "add", "account", "kind", "startup", "--label", "Start-up", "--label-zh", "初创企业")
    refused(world.office("field", "add", "account", "fleet", *FLEET, fails=True), "already")
    listed = world.office("field", "list", "account", "--json").json()
    check([f["name"] for f in listed] == ["fleet", "grade", "budget", "budget_currency", "seen", "stars", "labels", "story"],
          str(listed))
    tags = [f["tag"] for f in listed]
    check(tags[0] == tag and min(tags) >= 65536 and tags == sorted(set(tags)), str(tags))
    check("Vehicles" in world.office("field", "list").out, "the table has no label")
    values = world.office("value", "list", "account", "kind", "--json").json()
    check(values[-1]["name"] == "startup" and values[-1]["number"] >= 65536 and values[-1]["added"], str(values))
    for rep in REPS:
        result = world.laptop(rep, "sync", "--json").json()
        check(result.get("rows_received", 0) == 0, f"rows travelled for a field: {result}")
        f = field_of(lambda *w, rep=rep: world.laptop(rep, *w), "fleet")
        check(f and f["label"]["zh"] == "车辆数" and f["max"] == 500 and f["added"], str(f))
    check("startup" in world.laptop("wang", "fields", "account").out, "the value is not shown")


def edited_offline(world):
    """Both laptops work without the server; conflicts are decided by the rules."""
    world.stop_server()
    refused(world.laptop("wang", "set", "account", "Acme", "fleet=501", fails=True), "500")
    refused(world.laptop("wang", "set", "account", "Acme", "grade=odd", fails=True), "good, poor")
    world.laptop("wang", "set", "account", "Acme", "fleet=40", "grade=good", "budget=12.50", "budget_currency=CNY",
                 "seen=2026-03-01", "stars+=2", "labels+=red", "kind=startup")
    check(account(lambda *w: world.laptop("wang", *w))["pending"], "the edit does not wait")
    world.laptop("wang", "set", "account", "Acme", "website=https://acme.example")
    world.laptop("wang", "undo")
    time.sleep(0.05)
    world.laptop("li", "set", "account", "Acme", "fleet=60", "seen=2026-02-01", "stars+=3", "labels+=blue")
    world.laptop("li", "add", "account", "name=Made offline", "fleet=7", "评级=差", "kind=初创企业")
    world.laptop("li", "add", "contact", "account=Acme", "name=Zhou", "nick=Z")
    world.start_server()
    sync_all(world)
    for run in (world.office, *(lambda *w, rep=rep: world.laptop(rep, *w) for rep in REPS)):
        row = account(run)
        check((row["fleet"], row["grade"], row["budget"], row["budget_currency"], row["seen"], row["stars"]) ==
              (60, "good", 12.5, "CNY", "2026-03-01", 5), str(row))
        check(sorted(row["labels"]) == ["blue", "red"] and row["kind"] == "startup", str(row))
        row = account(run, "Made offline")
        check((row["fleet"], row["grade"], row["kind"]) == (7, "poor", "startup"), str(row))
        check([r["name"] for r in run("list", "account", "fleet>=50", "--json").json()] == ["Acme"], "a condition")
        names = [r["name"] for r in run("list", "account", "fleet>0", "--sort", "-fleet", "--json").json()]
        check(names == ["Acme", "Made offline"], str(names))
    conflicts = world.office("conflicts", "--json").json()
    check({c["field"] for c in conflicts} == {"fleet", "seen"}, str(conflicts))
    mine = world.laptop("wang", "conflicts", "--json").json()
    check(any(c["field"] == "fleet" for c in mine), str(mine))
    check("Vehicles" in world.laptop("wang", "history", "account", "Acme").out, "the history names no field")
    check("60" in world.office("history", "account", "Acme", "fleet").out, "head office's history")
    proved(world, "edited offline")


def plain_sql_and_files(world):
    book = os.path.join(world.laptop_home("wang"), "book.db")
    with sqlite3.connect(f"file:{book}?mode=ro", uri=True) as db:
        row = db.execute("SELECT fleet, grade, budget, seen, kind FROM account WHERE name = 'Acme'").fetchone()
    check(row == (60, "good", 12.5, "2026-03-01", "startup"), str(row))
    row = world.office("sql", "SELECT fleet, grade, budget, seen, kind FROM account WHERE name = 'Acme'", "--json").json()
    check(row == [{"fleet": 60, "grade": "good", "budget": 12.5, "seen": "2026-03-01", "kind": "startup"}], str(row))
    text = world.laptop("wang", "export", "account").out
    rows = list(csv.DictReader(io.StringIO(text)))
    acme = next(r for r in rows if r["name"] == "Acme")
    check((acme["fleet"], acme["grade"], acme["stars"]) == ("60", "good", "5"), str(acme))
    path = os.path.join(world.dir, "edited.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"id,车辆数,Grade\n{acme['id']},61,Poor\n,9,Good\n".replace(",9,Good\n", ""))
    world.laptop("wang", "import", "account", path, "--match", "id")
    world.laptop("wang", "sync")
    check((account(world.office)["fleet"], account(world.office)["grade"]) == (61, "poor"), "the import")
    lines = [json.loads(x) for x in world.office("export", "account", "--format", "jsonl").out.splitlines()]
    check(next(x for x in lines if x["name"] == "Acme")["fleet"] == 61, str(lines))
    world.import_rows("account", "name,fleet\nBy head office,11\n")
    sync_all(world)
    check(account(lambda *w: world.laptop("li", *w), "By head office")["fleet"] == 11, "head office's import")


def limits_bind_who_knew_them(world):
    """An edit made before the lower limit was known comes in; one made after it is refused where it is made."""
    world.laptop("wang", "set", "account", "Acme", "fleet=400")
    world.office("field", "change", "account", "fleet", "--max", "100", "--label", "Cars")
    world.laptop("wang", "sync")
    check(account(world.office)["fleet"] == 400, "an edit of before the limit was refused")
    check(world.laptop("wang", "held", "--json").json() == [], "something is held")
    refused(world.laptop("wang", "set", "account", "Acme", "fleet=101", fails=True), "100")
    world.laptop("wang", "set", "account", "Acme", "website=https://a.example")    # the value of before may stay
    check(field_of(lambda *w: world.laptop("wang", *w), "fleet")["label"]["en"] == "Cars", "the label did not change")
    sync_all(world)
    proved(world, "after the limit")


def retired(world):
    world.office("field", "change", "account", "budget", "--retire")
    world.office("value", "change", "account", "kind", "startup", "--retire")
    check(all(f["retired"] for f in world.office("field", "list", "--json").json() if "budget" in f["name"]),
          "the currency is not retired with its amount")
    sync_all(world)
    refused(world.laptop("li", "set", "account", "Acme", "budget=1", fails=True), "retired")
    refused(world.laptop("li", "add", "account", "name=New", "kind=startup", fails=True), "retired")
    refused(world.office("set", "account", "Acme", "budget=1", fails=True), "retired")
    refused(world.office("add", "account", "name=New", "kind=startup", fails=True), "retired")
    row = account(lambda *w: world.laptop("li", *w))
    check((row["budget"], row["kind"]) == (12.5, "startup"), f"what is retired is kept: {row}")
    world.office("value", "change", "account", "kind", "startup", "--restore")
    sync_all(world)
    world.laptop("li", "add", "account", "name=New", "kind=startup")
    sync_all(world)


def a_persons_data_is_erased(world):
    """A field about a person goes with the rest of what is his, out of the file as well."""
    world.laptop("li", "set", "contact", "Zhou", "nick=Zhouzhou-the-first")
    sync_all(world)
    check(world.office("get", "contact", "Zhou", "--json").json()["nick"] == "Zhouzhou-the-first", "no nickname")
    world.office("erase", "Zhou", "--why", "asked for it")
    sync_all(world)
    rows = world.office("list", "contact", "--json").json()
    check([r["nick"] for r in rows] == [None], str(rows))
    world.stop_server()
    for name in os.listdir(os.path.join(world.home, "org")):
        path = os.path.join(world.home, "org", name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                check(b"Zhouzhou-the-first" not in file.read(), f"{name} still has it")
    world.start_server()
    proved(world, "erased")


def the_server_comes_back_from_before(world, backup):
    """What the backup does not know comes back from the laptops, under the same numbers."""
    before = {f["name"]: f["tag"] for f in world.office("field", "list", "--json").json()}
    world.laptop("wang", "set", "account", "Acme", "fleet=33")
    world.laptop("wang", "sync")
    world.laptop("li", "sync")
    world.laptop("li", "set", "account", "Made offline", "fleet=44")         # in the outbox meanwhile
    world.stop_server(signal.SIGKILL)
    world.office("restore", backup)
    check(world.office("field", "list", "--json").json() == [], "the backup knows the fields")
    other = world.office("field", "add", "account", "other", "--label", "Other", "--label-zh", "其他", "--json").json()
    check(other["tag"] > max(before.values()), f"{other} may be taken for {before}")
    world.start_server()
    sync_all(world)
    world.office("recovery", "accept")      # rows of head office that only laptops have
    sync_all(world)
    world.office("recovery", "end")
    sync_all(world)
    after = {f["name"]: f["tag"] for f in world.office("field", "list", "--json").json()}
    check(after == {**before, "other": other["tag"]}, f"{before} became {after}")
    for run in (world.office, *(lambda *w, rep=rep: world.laptop(rep, *w) for rep in REPS)):
        row = account(run)
        check((row["fleet"], row["grade"], row["kind"], row["seen"]) == (33, "poor", "startup", "2026-03-01"), str(row))
        check(account(run, "Made offline")["fleet"] == 44, str(account(run, "Made offline")))
        check(row["other"] is None, str(row))
    proved(world, "restored")


def run(world):
    world.start_server()
    for rep in REPS:
        world.user(rep)
        world.laptop(rep, "enroll", world.link(rep))
    world.office("add", "account", "name=Acme", "website=https://old.example")
    sync_all(world)
    backup = os.path.join(world.dir, "backup.db")
    world.office("backup", backup)
    what_cannot_be_added(world)
    fields_are_added(world)
    edited_offline(world)
    plain_sql_and_files(world)
    limits_bind_who_knew_them(world)
    a_limit_on_one_side(world)
    retired(world)
    a_persons_data_is_erased(world)
    world.stop_server()
    world.start_server()
    check(account(world.office)["fleet"] == 400, "after a restart")
    the_server_comes_back_from_before(world, backup)


if __name__ == "__main__":
    sys.exit(main(run, World(sys.argv[1])))
