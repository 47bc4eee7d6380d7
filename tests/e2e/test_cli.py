#!/usr/bin/env python3
"""The real program `roadbook` over a book without a server: every command, both languages, exit codes.

usage: test_cli.py ROADBOOK MAKE_BOOK [ROADBOOK_SERVER] [unittest options]

With a server also two laptops that disagree: conflicts, held edits, receipts.

Screens in tests/golden/screens are compared whole; UPDATE=1 writes them anew, and the difference is then
reviewed like code. Python's standard library only.
"""
import csv
import io
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROADBOOK, MAKE_BOOK = (str(pathlib.Path(p).resolve()) for p in sys.argv[1:3])
SERVER = str(pathlib.Path(sys.argv.pop(3)).resolve()) if len(sys.argv) > 3 and "/" in sys.argv[3] else None
SYNCD = os.path.join(os.path.dirname(ROADBOOK), "roadbook-syncd")
ROOT = pathlib.Path(__file__).resolve().parents[2]
SCREENS = ROOT / "tests" / "golden" / "screens"
DEMO = ROOT / "tools" / "demo-data"

ENV = {"PATH": os.environ["PATH"], "TZ": "UTC", "LANG": "C.UTF-8", "COLUMNS": "100"}
ENV.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})

OK, USAGE, INVALID, NOT_FOUND, OFFLINE, DENIED = 0, 64, 65, 66, 69, 77


class Book(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="roadbook-cli-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.home = os.path.join(self.dir, "home")
        subprocess.run([MAKE_BOOK, self.home], check=True)

    def run_cli(self, *words, code=OK, home=None):
        done = subprocess.run([ROADBOOK, "--home", home or self.home, *words], env=ENV, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        text = done.stdout.decode()
        self.assertEqual(done.returncode, code, f"{words}\n{text}\n{done.stderr.decode()}")
        return text, done.stderr.decode()

    def out(self, *words, **more):
        return self.run_cli(*words, **more)[0]

    def error(self, *words, code):
        text, err = self.run_cli(*words, code=code)
        self.assertNotEqual(err, "")
        return err

    def data(self, *words):
        return json.loads(self.out(*words, "--json"))

    def add(self, *words):
        return self.out("add", *words).strip()

    def write(self, name, content):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path


class Editing(Book):
    def test_add_prints_the_short_id_and_get_takes_it_alone(self):
        short = self.add("account", "name=Acme", "city=上海")
        row = self.data("get", short)
        self.assertEqual((row["short_id"], row["name"], row["city"], row["pending"]), (short, "Acme", "上海", True))
        self.assertIsInstance(row["id"], int)
        self.assertEqual(self.data("get", "account", str(row["id"]))["id"], row["id"])

    def test_add_with_json_gives_the_whole_row(self):
        row = self.data("add", "account", "name=Acme", "tags=b,a")
        self.assertEqual((row["name"], row["tags"], row["status"]), ("Acme", ["a", "b"], "prospect"))

    def test_sets_and_counters_take_deltas(self):
        self.add("account", "name=Acme", "tags=a,b", "points=3")
        row = self.data("set", "account", "Acme", "tags+=c", "tags-=a", "points+=5", "points-=1")
        self.assertEqual((row["tags"], row["points"]), (["b", "c"], 7))

    def test_an_empty_value_empties_the_field(self):
        self.add("account", "name=Acme", "city=Paris")
        self.assertIsNone(self.data("set", "account", "Acme", "city=")["city"])

    def test_a_set_is_always_a_list(self):
        self.add("account", "name=Acme", "tags=a")
        self.assertEqual(self.data("set", "account", "Acme", "tags=")["tags"], [])
        self.assertEqual(self.data("list", "account", "--columns", "tags")[0]["tags"], [])

    def test_setting_the_same_value_changes_nothing(self):
        self.add("account", "name=Acme")
        self.assertIn("nothing changed", self.out("set", "account", "Acme", "name=Acme"))
        self.assertEqual(len(self.data("pending")), 1)

    def test_references_take_names(self):
        self.add("account", "name=Acme Corporation")
        self.add("contact", "account=Acme", "name=王芳")
        account = self.data("get", "account", "Acme")["id"]
        self.assertEqual(self.data("get", "contact", "王芳")["account"], account)

    def test_a_prefix_of_two_names_is_refused_with_both(self):
        self.add("account", "name=Acme North")
        self.add("account", "name=Acme South")
        err = self.error("get", "account", "Acme", code=INVALID)
        self.assertIn("Acme North", err)
        self.assertIn("Acme South", err)

    def test_rm_takes_owned_rows_and_says_so(self):
        self.add("account", "name=Acme")
        self.add("contact", "account=Acme", "name=Wang")
        self.assertIn("1 row of its own", self.out("rm", "account", "Acme", "--yes"))
        self.assertEqual(self.data("list", "contact"), [])

    def test_rm_where_nobody_can_be_asked_needs_yes_for_owned_rows(self):
        self.add("account", "name=Acme")
        self.add("contact", "account=Acme", "name=Wang")
        for words in (("rm", "account", "Acme"), ("rm", "account", "Acme", "--json")):
            self.assertIn("--yes", self.error(*words, code=INVALID))
        self.assertIn("--yes", self.error("rm", "account", "Acme", "--lang", "zh", code=INVALID))
        self.assertEqual(len(self.data("list", "account") + self.data("list", "contact")), 2)
        self.out("rm", "contact", "Wang")                      # nothing belongs to it
        self.out("rm", "account", "Acme")
        self.assertEqual(self.data("list", "account"), [])

    def test_options_stand_anywhere(self):
        self.add("account", "name=B")
        self.add("account", "name=A")
        names = [r["name"] for r in json.loads(self.out("--json", "--sort", "name", "list", "--limit=1", "account"))]
        self.assertEqual(names, ["A"])

    def test_words_behind_two_dashes_are_plain(self):
        self.add("account", "--", "name=--json")
        self.assertEqual(self.data("list", "account")[0]["name"], "--json")

    def test_every_save_wakes_the_daemon(self):
        self.add("account", "name=Acme")
        self.assertTrue(os.listdir(os.path.join(self.home, "wake")))


class Reading(Book):
    def setUp(self):
        super().setUp()
        for name, points in (("Beta", 2), ("Acme 机械", 3), ("Gamma", 10)):
            self.add("account", f"name={name}", f"points={points}", "tags=x," + name[0].lower())

    def names(self, *words):
        return [r["name"] for r in self.data("list", "account", *words)]

    def test_conditions(self):
        rows = (
            (("points>=3",), ["Acme 机械", "Gamma"]),
            (("points<3",), ["Beta"]),
            (("points!=3",), ["Beta", "Gamma"]),
            (("name~机械",), ["Acme 机械"]),
            (("name=Beta",), ["Beta"]),
            (("tags=g",), ["Gamma"]),
            (("points>2", "points<10"), ["Acme 机械"]),
            (("city=",), ["Acme 机械", "Beta", "Gamma"]),
        )
        for words, expected in rows:
            with self.subTest(words):
                self.assertEqual(sorted(self.names(*words)), expected)

    def test_sort_limit_offset_columns(self):
        self.assertEqual(self.names("--sort", "points"), ["Beta", "Acme 机械", "Gamma"])
        self.assertEqual(self.names("--sort", "-points", "--limit", "1"), ["Gamma"])
        self.assertEqual(self.names("--sort", "points", "--limit", "1", "--offset", "1"), ["Acme 机械"])
        row = self.data("list", "account", "--columns", "name,points", "name=Beta")[0]
        self.assertEqual([k for k in row if k not in ("id", "short_id", "seq", "pending")], ["name", "points"])

    def test_find_takes_parts_of_words_in_chinese(self):
        found = self.data("find", "机械")
        self.assertEqual([(f["entity"], f["title"]) for f in found], [("account", "Acme 机械")])
        self.assertEqual(self.data("find", "nowhere"), [])

    def test_history_and_status(self):
        self.assertEqual(self.data("history", "account", "Beta")[0]["what"], "create")
        status = self.data("status")
        self.assertEqual((status["rows"], status["pending_changes"], status["device"]), (3, 3, 1))
        self.assertIsNone(status["data_as_of"])

    def test_sql_reads_and_never_writes(self):
        self.assertEqual(self.data("sql", "select count(*) as n, null as empty, 'a' as t from account"),
                         [{"n": 3, "empty": None, "t": "a"}])
        self.error("sql", "delete from account", code=INVALID)
        self.assertEqual(len(self.names()), 3)

    def test_verify(self):
        self.assertEqual(self.data("verify"), {"rows": 3, "findings": []})

    def test_nothing_lost_held_or_answered_yet(self):
        for command in ("conflicts", "held", "receipts", "imports"):
            self.assertEqual(self.data(command), [], command)


class Undoing(Book):
    def test_pending_shows_each_edit_by_field(self):
        self.add("account", "name=Acme", "tags=a")
        self.out("set", "account", "Acme", "tags+=b", "name=Acme 2")
        batches = self.data("pending")
        self.assertEqual([b["sent"] for b in batches], [False, False])
        self.assertIn({"tags": {"add": ["b"], "remove": []}}, [
            {k: {"add": v["add"], "remove": v["remove"] or []} for k, v in e.items()}
            for e in batches[1]["changes"][0]["edits"] if "tags" in e])

    def test_undo_says_what_it_undid(self):
        self.add("account", "name=Acme", "city=Paris")
        self.out("set", "account", "Acme", "name=Other")
        self.assertIn("Account name", self.out("undo"))
        self.assertEqual(self.data("get", "account", "Acme")["name"], "Acme")

    def test_undo_brings_a_deleted_row_back_by_name(self):
        self.add("account", "name=Acme")
        self.out("rm", "account", "Acme")
        self.assertIn("deleted Account Acme", self.out("undo"))
        self.assertEqual(len(self.data("list", "account")), 1)

    def test_undo_of_a_batch_by_number(self):
        self.add("account", "name=One")
        self.add("account", "name=Two")
        self.assertEqual(self.data("undo", "1")["undone"], 1)
        self.assertEqual([r["name"] for r in self.data("list", "account")], ["Two"])

    def test_nothing_to_undo(self):
        self.error("undo", code=NOT_FOUND)
        self.error("undo", "x", code=USAGE)


class Files(Book):
    def test_both_languages_name_columns(self):
        self.out("import", "account", self.write("en.csv", "Account name,City\r\nAcme,Paris\r\n"))
        self.out("import", "account", self.write("zh.csv", "\ufeff客户名称,城市\n机械,上海\n"))
        self.assertEqual(sorted((r["name"], r["city"]) for r in self.data("list", "account")),
                         [("Acme", "Paris"), ("机械", "上海")])

    def test_gb18030_is_found_out(self):
        totals = self.data("import", "account", str(DEMO / "accounts-cn.csv"))
        self.assertEqual(totals["encoding"], "gb18030")
        self.assertGreater(totals["created"], 100)
        self.assertEqual(totals["refused"], 0)
        self.assertEqual(len(self.data("list", "account")), totals["created"])

    def test_a_dry_run_writes_nothing(self):
        totals = self.data("import", "account", str(DEMO / "accounts-cn.csv"), "--dry-run")
        self.assertTrue(totals["dry_run"])
        self.assertGreater(totals["created"], 100)
        self.assertEqual((self.data("list", "account"), self.data("pending"), self.data("imports")), ([], [], []))

    def test_a_bad_row_is_refused_with_its_line_and_the_others_go_on(self):
        report = os.path.join(self.dir, "report.csv")
        path = self.write("a.csv", 'name,points\nAcme,1\n,2\n"Two\nlines",x\nBeta,4\n')
        totals = self.data("import", "account", path, "--report", report)
        self.assertEqual((totals["created"], totals["refused"]), (2, 2))
        self.assertEqual([r["line"] for r in totals["rows"] if r["fate"] == "refused"], [3, 4])
        with open(report, newline="", encoding="utf-8") as f:
            self.assertEqual([r[1] for r in csv.reader(f)], ["Result", "created", "refused", "refused", "created"])

    def test_nothing_could_be_taken_is_a_failure(self):
        self.run_cli("import", "account", self.write("a.csv", "name,points\nAcme,x\n"), code=INVALID)

    def test_match_updates_and_revert_restores(self):
        self.add("account", "name=Old name", "external_no=C1", "city=Paris")
        path = self.write("a.csv", "No,name,city\nC1,New name,Paris\nC2,Second,Lyon\n")
        totals = self.data("import", "account", path, "--map", "No=external_no", "--match", "external_no")
        self.assertEqual((totals["updated"], totals["created"]), (1, 1))
        again = self.data("import", "account", path, "--map", "No=external_no", "--match", "external_no")
        self.assertEqual(again["unchanged"], 2)
        self.assertEqual(self.data("revert", str(totals["import"]))["kept"], 0)
        self.assertEqual([(r["name"], r["city"]) for r in self.data("list", "account")], [("Old name", "Paris")])
        self.assertTrue(self.data("imports")[0]["reverted"])

    def test_revert_keeps_what_was_edited_since(self):
        totals = self.data("import", "account", self.write("a.csv", "name\nAcme\nBeta\n"))
        self.out("set", "account", "Acme", "city=Paris")
        self.assertEqual(self.data("revert", str(totals["import"]))["kept"], 1)
        self.assertEqual([r["name"] for r in self.data("list", "account")], ["Acme"])

    def test_an_import_larger_than_a_batch(self):
        path = self.write("a.csv", "name\n" + "".join(f"Account {i}\n" for i in range(4500)))
        totals = self.data("import", "account", path)
        self.assertEqual(totals["created"], 4500)
        self.assertGreaterEqual(totals["batches"], 3)
        self.assertEqual(self.data("revert", str(totals["import"]))["reverted"], 4500)
        self.assertEqual(self.data("list", "account"), [])

    def test_export_comes_back_unchanged(self):
        self.add("account", "name=Acme, Inc.", "tags=b,a", 'remarks=first "line"\nsecond', "founded_on=1999-12-31")
        self.add("contact", "account=Acme", "name=王芳")
        for entity in ("account", "contact"):
            path = self.write(entity + ".csv", self.out("export", entity, "--bom"))
            match = "name"
            totals = self.data("import", entity, path, "--match", match)
            self.assertEqual((totals["unchanged"], totals["refused"], totals["updated"]), (1, 0, 0), totals)

    def edited(self, text, changes, extra=()):
        """What a person does in a spreadsheet: cells by (name, column), and lines at the end. It takes ="x" for x."""
        rows = [[c[2:-1] if c.startswith('="') else c for c in r] for r in csv.reader(io.StringIO(text))]
        head = rows[0]
        for r in rows[1:]:
            for (name, column), value in changes.items():
                if r[head.index("name")] == name:
                    r[head.index(column)] = value
        rows += [[line.get(column, "") for column in head] for line in extra]
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        return out.getvalue()

    def test_export_edit_import_is_a_round_trip(self):
        for encoding in ("utf-8-sig", "gb18030"):
            with self.subTest(encoding):
                ids = [self.add("account", "name=宝山机械", "city=上海", "tags=a"), self.add("account", "name=Acme", "city=Paris"),
                       self.add("account", "name=Acme", "city=Lyon")]        # no name tells the last two apart
                text = self.out("export", "account", "--bom" if encoding == "utf-8-sig" else "city!=x").removeprefix("\ufeff")
                self.assertEqual(text.split(",")[0], "id")
                totals = self.data("import", "account", self.write("same.csv", text.encode(encoding)), "--match", "id")
                self.assertEqual((totals["unchanged"], totals["updated"], totals["created"], totals["refused"]), (3, 0, 0, 0))
                path = self.write("a.csv", self.edited(text, {("宝山机械", "tags"): "a; b", ("宝山机械", "name"): "宝山重工"},
                                                       [{"name": "新客户"}]).encode(encoding))
                totals = self.data("import", "account", path, "--match", "id")
                self.assertEqual((totals["unchanged"], totals["updated"], totals["created"], totals["refused"]), (2, 1, 1, 0))
                rows = {r["short_id"]: r for r in self.data("list", "account", "--columns", "name,city,tags")}
                self.assertEqual([(rows[i]["name"], rows[i]["city"]) for i in ids], [("宝山重工", "上海"), ("Acme", "Paris"), ("Acme", "Lyon")])
                self.assertEqual(rows[ids[0]]["tags"], ["a", "b"])
                for short in rows:
                    self.out("rm", short)

    def test_ids_of_an_import_are_checked(self):
        short = self.add("account", "name=Acme")
        contact = self.add("contact", "account=Acme", "name=Wang")
        path = self.write("a.csv", f"id,name\n{short},New\n16-Jan,B\n{contact},C\n9-9ZZZ,D\n,E\n")
        totals = self.data("import", "account", path, "--match", "id")
        self.assertEqual([r["fate"] for r in totals["rows"]], ["updated", "refused", "refused", "refused", "created"])
        self.assertIn("--bom", totals["rows"][1]["reason"])
        again = self.data("import", "account", path, "--match", "id", "--update-only", "--dry-run")
        self.assertEqual([r["fate"] for r in again["rows"]], ["unchanged"] + ["refused"] * 4)
        left = self.data("import", "account", self.write("b.csv", f"ID,name\n{short},Another\n"), "--dry-run")
        self.assertEqual(left["created"], 1)                   # other systems have a column ID too: it takes --match id
        self.assertIn("--match id", left["mapping"][0])
        self.assertIn("id", self.error("import", "account", self.write("c.csv", "name\nA\n"), "--match", "id", code=USAGE))
        self.assertEqual(self.data("import", "account", self.write("d.csv", f"Nr,name\n{short},Mapped\n"), "--map", "Nr=id",
                                   "--match", "id")["updated"], 1)

    def test_export_forms(self):
        self.add("account", "name=Acme", "tags=b,a")
        self.add("account", "name=Beta")
        rows = list(csv.DictReader(io.StringIO(self.out("export", "account", "name=Acme"))))
        self.assertEqual([(r["name"], r["tags"]) for r in rows], [("Acme", "a; b")])
        lines = [json.loads(s) for s in self.out("export", "account", "--format", "jsonl").splitlines()]
        self.assertEqual([r["name"] for r in lines], ["Acme", "Beta"])
        path = os.path.join(self.dir, "out.csv")
        self.assertEqual(self.out("export", "account", "--bom", "--output", path), "")
        with open(path, "rb") as f:
            self.assertTrue(f.read().startswith(b"\xef\xbb\xbf"))


class Mistakes(Book):
    def test_exit_codes_and_texts(self):
        rows = (
            (("bogus",), USAGE, "no such command"),
            (("list", "account", "--bogus"), USAGE, "no such option"),
            (("get", "account", "--sort", "name"), USAGE, "has no option --sort"),
            (("list",), USAGE, "usage: roadbook list ENTITY"),
            (("sync", "now"), USAGE, "too many arguments"),
            (("list", "acount"), USAGE, "acount"),
            (("list", "account", "naem=x"), USAGE, "naem"),
            (("list", "account", "--limit", "x"), USAGE, "--limit"),
            (("list", "account", "--limit"), USAGE, "needs a value"),
            (("add", "account", "city=Paris"), INVALID, "required"),
            (("add", "account", "name=A", "founded_on=yesterday"), INVALID, "Founded"),
            (("add", "account", "name=A", "kind=giant"), INVALID, "Kind"),
            (("add", "contact", "name=A", "account=Nobody"), NOT_FOUND, "Nobody"),
            (("get", "account", "Nobody"), NOT_FOUND, "Nobody"),
            (("get", "1-17"), USAGE, "not an id"),
            (("import", "account", "/nonexistent.csv"), NOT_FOUND, "nonexistent"),
            (("revert", "7"), NOT_FOUND, "roadbook imports"),
            (("resolve", "7"), NOT_FOUND, "roadbook conflicts"),
            (("held", "retry", "1.2"), NOT_FOUND, "roadbook held"),
            (("held", "drop", "x"), USAGE, "roadbook held"),
            (("export", "account", "--format", "xml"), USAGE, "jsonl"),
            (("completion", "fish"), USAGE, "bash"),
            (("--lang", "fr", "list", "account"), USAGE, "--lang"),
            (("sync",), OFFLINE, "127.0.0.1"),
        )
        for words, code, text in rows:
            with self.subTest(words):
                self.assertIn(text, self.error(*words, code=code))

    def test_errors_as_problem_details(self):
        out, err = self.run_cli("get", "account", "Nobody", "--json", code=NOT_FOUND)
        problem = json.loads(err)
        self.assertEqual(out, "")
        self.assertEqual((problem["status"], problem["code"], problem["title"]), (404, "NOT_FOUND", "not found"))
        self.assertIn("Nobody", problem["detail"])
        self.assertEqual(json.loads(self.error("--json", "bogus", code=USAGE))["status"], 400)

    def test_an_error_is_in_the_language_of_the_person(self):
        self.assertIn("没有此命令", self.error("--lang", "zh", "bogus", code=USAGE))

    def test_a_book_that_is_not_enrolled(self):
        home = os.path.join(self.dir, "none")
        for words in (("list", "account"), ("status",), ("sync",), ("add", "account", "name=A")):
            self.assertIn("roadbook enroll", self.run_cli(*words, home=home, code=DENIED)[1])
        self.assertFalse(os.path.exists(home))
        for words in (("entities",), ("fields", "account"), ("help",), ("version",), ("completion", "bash")):
            self.assertNotEqual(self.out(*words, home=home), "")
        self.run_cli("enroll", "https://nonsense", home=home, code=INVALID)

    def test_a_damaged_book_is_set_aside_and_a_new_one_made(self):
        self.add("account", "name=Acme")
        path = os.path.join(self.home, "book.db")
        for beside in (path + "-wal", path + "-shm"):
            if os.path.exists(beside):
                os.remove(beside)
        with open(path, "r+b") as f:
            f.write(b"this is no book at all" * 10)
        _, err = subprocess_both(self, "list", "account")
        self.assertIn("book.db.damaged-1", err)
        self.assertTrue(os.path.exists(path + ".damaged-1"))


def on_terminal(home, *words, typed=""):
    """What a person sees on a terminal of 60 columns, and the exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(ROADBOOK, [ROADBOOK, "--home", home, *words], dict(ENV, COLUMNS="60"))
    if typed:
        os.write(fd, typed.encode())
    seen = b""
    while select.select([fd], [], [], 30)[0]:
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(fd)
    return seen.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def subprocess_both(case, *words):
    done = subprocess.run([ROADBOOK, "--home", case.home, *words], env=ENV, capture_output=True, timeout=60)
    return done.stdout.decode(), done.stderr.decode()


class Completion(Book):
    def complete(self, *words):
        script = ('source <("$0" completion bash); compopt() { :; }; COMP_WORDS=("$@"); '
                  'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _roadbook; echo "${COMPREPLY[*]}"')
        done = subprocess.run(["bash", "-c", script, ROADBOOK, "roadbook", *words], env=ENV, capture_output=True, timeout=60)
        self.assertEqual(done.stderr.decode(), "")
        return done.stdout.decode().split()

    def test_each_place_has_its_words(self):
        rows = (
            (("li",), ["list"]),
            (("",), None),
            (("list", "acc"), ["account"]),
            (("list", "account", "na"), ["name="]),
            (("add", "account", "sho"), ["short_name="]),
            (("set", "account", "Acme", "sho"), ["short_name="]),
            (("set", "account", ""), []),
            (("list", "account", "--so"), ["--sort"]),
            (("list", "account", "--sort", "sho"), ["short_name"]),
            (("--home", "/tmp", "list", "acc"), ["account"]),
            (("held", "r"), ["retry"]),
            (("export", "account", "--format", ""), ["csv", "jsonl"]),
            (("--lang", ""), ["en", "zh"]),
            (("help", "hist"), ["history"]),
        )
        for words, expected in rows:
            with self.subTest(words):
                found = self.complete(*words)
                if expected is None:
                    self.assertIn("enroll", found)
                else:
                    self.assertEqual(found, expected)

    def test_every_command_has_help_in_both_languages(self):
        for command in self.complete(""):
            for lang, usage in (("en", "usage: roadbook " + command), ("zh", "用法：roadbook " + command)):
                self.assertIn(usage, self.out(command, "--help", "--lang", lang))


class Screens(Book):
    def screen(self, name, *words):
        text = self.out(*words)
        path = SCREENS / f"{name}.txt"
        if os.environ.get("UPDATE"):
            path.write_text(text, encoding="utf-8")
        self.assertEqual(path.read_text(encoding="utf-8"), text, f"{path}: UPDATE=1 writes it anew")

    def fill(self):
        self.add("account", "name=Acme Corporation", "city=Paris", "country=France", "tags=machines,export", "points=12",
                 "founded_on=1996-01-01", "annual_revenue=1100.04", "revenue_currency=USD",
                 "remarks=Buys in spring.\nAsk for Marie.")
        self.add("account", "name=上海宝山机械有限公司", "city=上海", "parent=Acme", "kind=large", "status=active", "points=7")
        self.add("contact", "account=上海", "name=王芳", "phones=021-1234567")

    def test_screens(self):
        self.fill()
        for lang in ("en", "zh"):
            self.screen(f"help-{lang}", "--help", "--lang", lang)
            self.screen(f"help-import-{lang}", "import", "--help", "--lang", lang)
            self.screen(f"list-account-{lang}", "list", "account", "--lang", lang)
            self.screen(f"list-columns-{lang}", "list", "account", "--columns", "name,city,points,tags", "--lang", lang)
            self.screen(f"get-account-{lang}", "get", "account", "Acme", "--lang", lang)
            self.screen(f"get-contact-{lang}", "get", "contact", "王芳", "--lang", lang)

    def on_terminal(self, *words, typed=""):
        return on_terminal(self.home, *words, typed=typed)

    def test_a_terminal_gets_narrow_tables_and_totals(self):
        self.fill()
        seen, code = self.on_terminal("list", "account")
        self.assertEqual(code, OK)
        self.assertIn("2 rows", seen)
        for line in seen.splitlines():
            self.assertLessEqual(sum(2 if ord(c) > 0x2E80 else 1 for c in line.rstrip()), 60, line)

    def test_a_person_is_asked_before_owned_rows_go(self):
        self.fill()
        seen, code = self.on_terminal("rm", "account", "上海", typed="n\n")
        self.assertIn("[y/N]", seen)
        self.assertNotEqual(code, OK)
        self.assertEqual(len(self.data("list", "account")), 2)
        self.on_terminal("rm", "account", "上海", typed="y\n")
        self.assertEqual(len(self.data("list", "account")), 1)


@unittest.skipUnless(SERVER, "no server was named")
class WithServer(Book):
    """Two laptops, 1 (Wang Fang) and 2 (Li Ming), and a server on loopback."""

    def setUp(self):
        super().setUp()
        self.centre = os.path.join(self.dir, "centre")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{s.getsockname()[1]}"
        self.server("init", self.centre, "--public-url", "https://" + address, "--listen", address)
        self.server("org", "add", "acme", "--scope", "open")
        self.server("user", "add", "wang", "--name", "王芳")
        self.server("user", "add", "li", "--name", "李明")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.addCleanup(self.log.close)
        self.process = subprocess.Popen([SERVER, "--home", self.centre, "serve"], env=ENV, stdout=self.log, stderr=self.log)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.terminate)
        self.laptops = {}
        for number, user in ((1, "wang"), (2, "li")):
            link = json.loads(self.server("link", user, "--json"))["link"]
            self.laptops[number] = os.path.join(self.dir, user)
            self.enroll(number, link)

    def server(self, *words):
        done = subprocess.run([SERVER, "--home", self.centre, *words], env=ENV, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def enroll(self, number, link):
        for _ in range(100):                               # until the server listens
            done = subprocess.run([ROADBOOK, "--home", self.laptops[number], "enroll", link, "--name", "laptop", "--json"], env=ENV,
                                  capture_output=True, timeout=60)
            if done.returncode != OFFLINE:
                break
            time.sleep(0.1)
        self.assertEqual(done.returncode, OK, done.stderr.decode())
        self.assertEqual(json.loads(done.stdout)["device"], number)

    def on(self, number, *words, code=OK):
        return self.run_cli(*words, home=self.laptops[number], code=code)[0]

    def data_on(self, number, *words):
        return json.loads(self.on(number, *words, "--json"))

    def disagree(self):
        """Both set the city; laptop 1 is later, syncs later, and asks for what only head office may write."""
        self.on(1, "add", "account", "name=Acme", "city=Paris", "tags=a", "points=1")
        for laptop in (1, 2):
            self.on(laptop, "sync")
        self.on(2, "set", "account", "Acme", "city=Berlin", "tags+=c", "points+=4")
        time.sleep(0.01)
        self.on(1, "set", "account", "Acme", "city=London", "tags+=b", "points+=2", "tier=partner")
        for laptop in (2, 1, 2):
            self.on(laptop, "sync")

    def test_two_laptops_disagree_and_a_person_decides(self):
        self.disagree()
        for laptop in (1, 2):
            row = self.data_on(laptop, "get", "account", "Acme")
            self.assertEqual((row["city"], row["tags"], row["points"]), ("London", ["a", "b", "c"], 7))
        conflict, = self.data_on(2, "conflicts")
        self.assertEqual((conflict["field"], conflict["winner"]["values"]["city"], conflict["loser"]["values"]["city"]),
                         ("address", "London", "Berlin"))
        self.assertEqual((conflict["winner"]["mine"], conflict["loser"]["mine"]), (False, True))
        self.assertEqual(conflict["winner"]["person"], "王芳")
        self.on(2, "resolve", f"{conflict['seq']}.行业", "--take-mine", code=NOT_FOUND)
        self.on(2, "resolve", f"{conflict['seq']}.城市", "--take-mine")  # as the table calls it
        for laptop in (2, 1):
            self.on(laptop, "sync")
            self.assertEqual(self.data_on(laptop, "get", "account", "Acme")["city"], "Berlin")
        self.assertEqual(self.data_on(2, "conflicts"), [])
        self.assertEqual([c["done"] for c in self.data_on(2, "conflicts", "--all")], [True])

    def compare(self, name, text):
        """With the times and the random ids of the server made alike."""
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-03-01 09:30", text)
        text = re.sub(r"\b0-[0-9A-Z]{4,9}\b", "0-2ABCDE", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8443", text))
        path = SCREENS / f"{name}.txt"
        if os.environ.get("UPDATE"):
            path.write_text(text, encoding="utf-8")
        self.assertEqual(path.read_text(encoding="utf-8"), text, f"{path}: UPDATE=1 writes it anew")

    def test_screens_of_both_ends(self):
        self.disagree()
        self.on(2, "set", "account", "Acme", "street=Main Street 1", "remarks=Call in May.\nAsk for Marie.")
        self.on(2, "sync")
        self.on(1, "sync")
        self.on(1, "set", "account", "Acme", "employees=12")
        for lang in ("en", "zh"):
            for name, words in (("history", ("history", "account", "Acme")), ("conflicts", ("conflicts",)), ("held", ("held",)),
                                ("pending", ("pending",)), ("receipts", ("receipts",)), ("find", ("find", "Marie"))):
                self.compare(f"laptop-{name}-{lang}", self.on(1, *words, "--lang", lang))
            for name, words in (("history", ("history", "account", "Acme")), ("conflicts", ("conflicts",)), ("requests", ("requests",)),
                                ("users", ("user", "list")), ("list", ("list", "account")), ("get", ("get", "account", "Acme")),
                                ("help-user", ("user", "--help"))):
                self.compare(f"server-{name}-{lang}", self.server(*words, "--lang", lang))

    def test_history_has_own_values_and_what_the_server_changed(self):
        self.disagree()
        lines = [(h["person"], h["what"], h["values"], h["detail"]) for h in self.data_on(1, "history", "account", "Acme")]
        self.assertIn(("王芳", "create", {"name": "Acme"}, "applied"), lines)
        self.assertIn(("王芳", "edit", {"tags": {"add": ["b"], "remove": None}}, "merged"), lines)
        self.assertIn(("王芳", "edit", {"points": {"add": 2}}, "merged"), lines)
        self.assertIn(("王芳", "edit", {"tier": "partner"}, "waiting"), lines)
        self.assertIn(("", "news", {"points": 7}, ""), lines)
        _, note = self.run_cli("history", "account", "Acme", home=self.laptops[1])
        self.assertIn("The whole history, with who did what, is at the server", note)

    def test_server_tables_name_the_zone_of_their_times(self):
        self.disagree()
        done = subprocess.run([SERVER, "--home", self.centre, "conflicts"], env=dict(ENV, TZ="Asia/Shanghai"), capture_output=True,
                              timeout=60)
        self.assertIn("When (UTC+8)", done.stdout.decode())
        self.assertNotIn("- /", done.stdout.decode())

    def test_what_only_head_office_writes_is_held(self):
        self.disagree()
        held, = self.data_on(1, "held")
        self.assertEqual((held["outcome"], held["edits"]), ("waiting", [{"tier": "partner"}]))
        self.assertEqual(self.data_on(1, "status")["held"], 1)
        self.assertIn("roadbook held", self.on(1, "sync"))
        self.assertEqual(len(json.loads(self.server("requests", "--json"))), 1)
        self.on(1, "held", "drop", held["held"])
        self.assertEqual(self.data_on(1, "held"), [])
        self.assertEqual([c["kind"] for b in self.data_on(1, "pending") for c in b["changes"]], ["withdraw"])
        self.on(1, "sync")
        self.assertEqual(json.loads(self.server("requests", "--json")), [])
        self.assertEqual([r["state"] for r in json.loads(self.server("requests", "--all", "--json"))], ["withdrawn"])
        self.assertEqual([h["state"] for h in self.data_on(1, "held", "--all")], ["withdrawn"])
        self.assertEqual(self.data_on(1, "receipts")[0]["kind"], "withdraw")

    def test_a_held_edit_is_sent_again(self):
        self.disagree()
        held, = self.data_on(1, "held")
        self.on(1, "held", "retry", held["held"], "tier=strategic")
        self.on(1, "sync")
        self.assertIn([{"tier": "strategic"}], [h["edits"] for h in self.data_on(1, "held")])

    def test_receipts_and_summary(self):
        self.on(1, "add", "account", "name=Acme")
        self.assertTrue(self.data_on(1, "pending"))
        done = self.data_on(1, "sync")
        self.assertEqual((done["changes_sent"], done["applied"]), (1, 1))
        self.assertEqual([r["outcome"] for r in self.data_on(1, "receipts")], ["applied"])
        self.assertEqual(self.data_on(1, "pending"), [])
        self.assertEqual(self.data_on(2, "sync")["rows_changed"], 1)
        self.assertIn("0 changes sent; 0 rows received", self.on(2, "sync"))
        self.assertIsNotNone(self.data_on(2, "status")["data_as_of"])

    def test_undo_of_what_was_sent_is_a_new_batch(self):
        self.on(1, "add", "account", "name=Acme", "city=Paris")
        self.on(1, "sync")
        self.on(1, "set", "account", "Acme", "city=London")
        self.process.terminate()
        self.process.wait()
        self.on(1, "sync", code=OFFLINE)
        undone = self.data_on(1, "undo")
        self.assertGreater(undone["new_batch"], undone["undone"])
        self.assertEqual(self.data_on(1, "get", "account", "Acme")["city"], "Paris")

    def test_the_daemon_of_a_copied_book_says_so_once_and_stops(self):
        self.on(1, "add", "account", "name=Acme")
        self.on(1, "sync")
        copy = os.path.join(self.dir, "copy")
        shutil.copytree(self.laptops[1], copy)
        self.on(1, "add", "account", "name=Beta")
        self.on(1, "sync")
        self.run_cli("add", "account", "name=Gamma", home=copy)
        done = subprocess.run([SYNCD, "--home", copy], env=ENV, capture_output=True, timeout=60)
        text = done.stderr.decode()
        self.assertEqual(done.returncode, 78, text)
        self.assertEqual(text.count("is a copy"), 1, text)
        self.assertIn("roadbook pending", text)
        self.assertIn("Gamma", self.run_cli("pending", home=copy)[0])

    def test_a_link_works_once(self):
        link = json.loads(self.server("link", "li", "--json"))["link"]
        self.laptops[3], self.laptops[4] = (os.path.join(self.dir, str(n)) for n in (3, 4))
        self.on(3, "enroll", link)
        self.assertNotIn(self.run_cli("enroll", link, home=self.laptops[4], code=DENIED)[1], "")

    def test_a_link_need_not_stand_in_the_command_line(self):
        link = json.loads(self.server("link", "li", "--json"))["link"]
        home = os.path.join(self.dir, "piped")
        done = subprocess.run([ROADBOOK, "--home", home, "enroll", "-"], env=ENV, input=link.encode() + b"\n",
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, OK, done.stderr.decode())
        link = json.loads(self.server("link", "li", "--json"))["link"]
        seen, code = on_terminal(os.path.join(self.dir, "asked"), "enroll", typed=link + "\n")
        self.assertEqual(code, OK, seen)
        self.assertIn("Link from head office:", seen)
        for words in (("enroll",), ("enroll", "-")):           # nobody there, nothing piped
            self.assertIn("standard input", self.run_cli(*words, home=os.path.join(self.dir, "none"), code=USAGE)[1])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
