#!/usr/bin/env python3
"""The real roadbook-server over real TLS: commands, serving, stopping. Python's standard library only.

usage: test_server.py BIN_DIR        (the folder with roadbook-server and e2e_laptop)
"""
import json
import os
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

BIN = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build/bin"
SERVER = os.path.join(BIN, "roadbook-server")
LAPTOP = os.path.join(BIN, "e2e_laptop")
DAEMON = os.path.join(BIN, "roadbook-syncd")
INSPECT = os.path.join(BIN, "roadbook-inspect")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Centre:
    """A server in a temporary folder."""

    def __init__(self, orgs=("acme",)):
        self.dir = tempfile.mkdtemp(prefix="roadbook-test-")
        self.home = os.path.join(self.dir, "home")
        self.port = free_port()
        self.url = "https://localhost:%d" % self.port
        self.process = None
        self.run("init", "--listen", "127.0.0.1:%d" % self.port, "--public-url", self.url)
        for org in orgs:
            self.run("org", "add", org, "--label", org.title(), "--scope", "open")

    def command(self, *words):
        env = dict(os.environ, LC_ALL="C.UTF-8", USER="tester")
        return subprocess.run([SERVER, "--home", self.home, *words], capture_output=True, text=True, env=env)

    def run(self, *words):
        done = self.command(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def json(self, *words):
        return json.loads(self.run(*words, "--json"))

    def serve(self, *words):
        self.log_path = os.path.join(self.dir, "log")
        self.log = open(self.log_path, "a")
        self.process = subprocess.Popen([SERVER, "--home", self.home, "serve", *words], stderr=self.log)
        for _ in range(200):
            if self.health() == 200:
                return
            time.sleep(0.05)
        raise AssertionError("the server does not answer: " + open(self.log_path).read())

    def get(self, path):
        trust = ssl.create_default_context(cafile=os.path.join(self.home, "tls", "cert.pem"))
        return urllib.request.urlopen(self.url + path, context=trust, timeout=10)

    def health(self):
        try:
            return self.get("/health").status
        except urllib.error.HTTPError as e:
            return e.code
        except OSError:
            return 0

    def metric(self, name):
        for line in self.get("/metrics").read().decode().splitlines():
            if line.rsplit(" ", 1)[0] == name:
                return int(line.rsplit(" ", 1)[1])
        raise AssertionError("no figure " + name)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process = None
        self.log.close()
        return code

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log.close()
        shutil.rmtree(self.dir)

    def laptop(self, name, *words):
        return subprocess.run([LAPTOP, os.path.join(self.dir, name), *words], capture_output=True, text=True)

    def enrol(self, name, user, *options):
        link = self.run("link", user, *options).strip().splitlines()[-1]
        done = self.laptop(name, "enroll", link)
        assert done.returncode == 0, done.stderr
        return link

    def names(self, name):
        return self.laptop(name, "names").stdout.split("\n")[:-1]


class ServerTest(unittest.TestCase):
    orgs = ("acme",)

    def setUp(self):
        self.centre = Centre(self.orgs)
        self.addCleanup(self.centre.close)

    def until(self, what, seconds=10):
        end = time.time() + seconds
        while not what():
            self.assertLess(time.time(), end, "it did not happen in time")
            time.sleep(0.02)

    def worked(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class Commands(ServerTest):
    def test_init_twice_is_refused_and_files_are_private(self):
        done = self.centre.command("init")
        self.assertEqual(done.returncode, 65)
        self.assertIn("already", done.stderr)
        for folder, _, files in os.walk(self.centre.home):
            self.assertEqual(os.stat(folder).st_mode & 0o77, 0, folder)
            for name in files:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o77, 0, name)

    def test_exit_codes(self):
        rows = [(("frob",), 64), ((), 0), (("org",), 64), (("list",), 64), (("link",), 64), (("user", "add", "x", "--role", "king"), 64),
                (("link", "nobody"), 66), (("history", "account", "nobody"), 66), (("--org", "other", "status"), 66),
                (("device", "revoke", "9"), 66), (("org", "add", "Bad Name"), 64), (("org", "add", "acme"), 65),
                (("requests", "approve", "99"), 66), (("help",), 0), (("help", "link"), 0), (("link", "--help"), 0),
                (("version",), 0), (("verify",), 0)]
        for words, code in rows:
            self.assertEqual(self.centre.command(*words).returncode, code, words)

    def test_every_command_has_help_in_both_languages(self):
        names = self.complete("")
        self.assertIn("org", names)
        for name in names:
            for second in self.complete(name, "") if name in ("org", "user", "device", "requests") else [""]:
                for lang, usage in (("en", "usage: "), ("zh", "用法：")):
                    words = [word for word in (name, second) if word]
                    self.assertIn(usage + " ".join(["roadbook-server", *words]), self.centre.run(*words, "--help", "--lang", lang))

    def test_the_help_of_a_family_holds_the_options_of_each(self):
        for family, options in (("user", ("--name", "--role", "--org")), ("org", ("--label", "--home")), ("device", ("--json",)),
                                ("requests", ("--all",)), ("link", ("--days", "--qr", "--no-pin"))):
            for lang in ("en", "zh"):
                text = self.centre.run(family, "--help", "--lang", lang)
                for option in options:
                    self.assertIn("  " + option, text.replace("-a, ", "  "), (family, option))

    def complete(self, *words):
        script = ('source <("$0" completion bash); compopt() { :; }; COMP_WORDS=("$@"); '
                  'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _roadbook-server; echo "${COMPREPLY[*]}"')
        done = subprocess.run(["bash", "-c", script, SERVER, "roadbook-server", *words], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_each_place_has_its_words(self):
        for words, expected in ((("or",), ["org"]), (("org", "a"), ["add"]), (("user", "add", "--ro"), ["--role"]),
                                (("user", "add", "--role", ""), ["rep", "manager", "office"]), (("list", "acc"), ["account"]),
                                (("list", "account", "na"), ["name="]), (("requests", "app"), ["approve"])):
            self.assertEqual(self.complete(*words), expected, words)

    def test_options_stand_anywhere(self):
        self.assertEqual(self.centre.command("--json", "org", "--lang=zh", "list").returncode, 0)
        for words, part in ((("org",), "org add"), (("org", "--help"), "org list"), (("user", "add", "x", "--qr"), "--qr"),
                            (("bogus",), "no such command"), (("link",), "usage: roadbook-server link LOGIN")):
            done = self.centre.command(*words)
            self.assertEqual(done.returncode, 0 if "--help" in words else 64, words)
            if words != ("org",):
                self.assertIn(part, done.stdout + done.stderr)

    def test_errors_are_problem_details_with_json(self):
        done = self.centre.command("link", "nobody", "--json")
        problem = json.loads(done.stderr)
        self.assertEqual((problem["status"], problem["code"]), (404, "NOT_FOUND"))
        self.assertIn("detail_zh", problem)

    def test_messages_follow_the_locale(self):
        env = dict(os.environ, LC_ALL="zh_CN.UTF-8")
        done = subprocess.run([SERVER, "--home", self.centre.home, "link", "nobody"], capture_output=True, text=True, env=env)
        self.assertIn("没有用户", done.stderr)
        self.assertIn("There".lower(), self.centre.command("link", "nobody", "--lang", "en").stderr.lower())

    def test_a_user_is_an_employee_too(self):
        self.centre.run("user", "add", "li.na", "--name", "李娜", "--role", "rep")
        users = self.centre.json("user", "list")
        self.assertEqual([(u["login"], u["name"], u["role"], u["active"]) for u in users], [("li.na", "李娜", "rep", True)])
        rows = self.centre.json("sql", "SELECT id, login, name FROM employee")
        self.assertEqual(rows, [{"id": users[0]["employee"], "login": "li.na", "name": "李娜"}])
        self.assertEqual(self.centre.command("user", "add", "li.na").returncode, 65)

    def test_import_list_get_export_history(self):
        c = self.centre
        path = os.path.join(c.dir, "accounts.csv")
        with open(path, "w", encoding="gb18030") as file:
            file.write("客户名称,客户编号,国家\n大众汽车,A1,德国\n宝马,A2,德国\n")
        self.assertEqual({k: v for k, v in c.json("import", "account", path, "--dry-run").items() if k != "rows"},
                         {"created": 2, "updated": 0, "unchanged": 0, "refused": 0,
                          "mapping": ["客户名称 -> name", "客户编号 -> external_no", "国家 -> country"]})
        strange = os.path.join(c.dir, "strange.csv")
        with open(strange, "w", encoding="utf-8") as file:
            file.write("name,Mascot\n宝马,Bär\n")
        self.assertIn("not taken: Mascot -> - (no such field)", c.run("import", "account", strange, "--dry-run"))
        self.assertEqual(c.json("list", "account"), [])
        self.assertEqual(c.json("import", "account", path)["created"], 2)
        self.assertEqual(c.json("import", "account", path, "--match", "external_no")["unchanged"], 2)
        report = os.path.join(c.dir, "report.csv")
        c.run("import", "account", path, "--match", "external_no", "--report", report)
        with open(report, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[0], "Line,Result,ID,Reason")
        self.assertRegex(lines[1], r"^2,unchanged,0-[0-9A-Z]+,$")
        rows = c.json("list", "account", "name~宝", "--columns", "name,country,status")
        self.assertEqual([(r["name"], r["country"]) for r in rows], [("宝马", "德国")])
        self.assertEqual(c.json("get", "account", "大众")["external_no"], "A1")
        self.assertIn("大众汽车", c.run("get", "account", "大众"))
        lines = c.run("export", "account", "--format", "jsonl").strip().splitlines()
        self.assertEqual(sorted(json.loads(line)["name"] for line in lines), ["大众汽车", "宝马"])
        self.assertTrue(c.run("export", "account").startswith("id,name,"))
        back = os.path.join(c.dir, "back.csv")
        with open(back, "w", encoding="utf-8") as file:
            file.write(c.run("export", "account", "--bom").replace("宝马", "宝马集团"))
        self.assertEqual({k: v for k, v in c.json("import", "account", back, "--match", "id").items() if k not in ("rows", "mapping")},
                         {"created": 0, "updated": 1, "unchanged": 1, "refused": 0})
        history = c.json("history", "account", "宝马", "name")
        self.assertEqual([(h["value"], h["outcome"]) for h in history if h["field"] == "name"],
                         [("宝马", "applied"), ("宝马集团", "applied")])

    def test_limits_stand_in_the_configuration(self):
        path = os.path.join(self.centre.home, "server.conf")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("#address_connections = 2000\n", text)
        self.assertIn("forwarded = no\n", text)
        for line, code, part in (("address_requests = many", 65, "address_requests takes 0 to 1000000"),
                                 ("read_timeout = 0", 65, "read_timeout takes 1 to 3600"),
                                 ("forwarded = yes", 64, "Unix socket")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + line + "\n")
            done = self.centre.command("serve")
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(part, done.stderr)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.assertEqual(self.centre.command("serve", "--device-calls", "x").returncode, 64)

    def test_sql_only_reads(self):
        self.assertNotEqual(self.centre.command("sql", "DELETE FROM r_account").returncode, 0)
        self.assertEqual(self.centre.json("sql", "SELECT 1 AS a, 'x' AS b, NULL AS c, 1.5 AS d"),
                         [{"a": 1, "b": "x", "c": None, "d": 1.5}])

    def test_a_reader_of_a_newer_release_migrates_too(self):
        c = self.centre
        c.run("add", "account", "name=大众汽车")
        book = sqlite3.connect(os.path.join(c.home, "org", "acme.db"))
        with book:
            book.execute("DROP VIEW account")
            book.execute("ALTER TABLE r_account DROP COLUMN country")
            book.execute("UPDATE meta SET value = x'00' WHERE name = 'catalogue'")
        book.close()
        self.assertEqual(c.json("list", "account", "--columns", "name,country")[0]["country"], None)

    def test_a_link_prints_as_qr_code(self):
        self.centre.run("user", "add", "li")
        text = self.centre.run("link", "li", "--qr")
        self.assertIn("▀", text)
        self.assertTrue(text.strip().splitlines()[-1].startswith(self.centre.url + "/acme/enroll#"))
        self.assertNotIn("▀", self.centre.run("link", "li"))


class Serving(ServerTest):
    def setUp(self):
        super().setUp()
        self.centre.run("user", "add", "li", "--name", "李娜")
        self.centre.serve()

    def test_two_laptops_meet(self):
        c = self.centre
        c.enrol("a", "li")
        c.enrol("b", "li")
        self.worked(c.laptop("a", "add", "大众汽车"))
        self.worked(c.laptop("a", "sync"))
        self.worked(c.laptop("b", "sync"))
        self.assertEqual(c.names("b"), ["大众汽车"])
        self.assertEqual(c.json("sql", "SELECT name FROM account"), [{"name": "大众汽车"}])
        self.assertEqual(c.metric('roadbook_changes_total{outcome="applied"}'), 1)
        self.assertEqual(c.metric('roadbook_org_head{org="acme"}'), 2)       # the employee and the account
        self.assertEqual(len(c.json("device", "list")), 2)

    def test_a_link_is_good_once(self):
        link = self.centre.enrol("a", "li")
        done = self.centre.laptop("b", "enroll", link)
        self.assertEqual(done.returncode, 77)
        self.assertIn("DENIED", done.stderr)

    def test_a_revoked_laptop_and_an_inactive_user_are_refused(self):
        c = self.centre
        c.enrol("a", "li")
        c.run("device", "revoke", "1")
        self.worked(c.laptop("a", "add", "x"))
        done = c.laptop("a", "sync")
        self.assertEqual(done.returncode, 78)
        self.assertIn("revoked", done.stderr)
        self.assertEqual(len(c.json("requests")), 1)                          # its work waits for head office
        c.enrol("b", "li")
        c.run("user", "deactivate", "li")
        self.assertEqual(c.laptop("b", "sync").returncode, 77)
        c.run("user", "activate", "li")
        self.worked(c.laptop("b", "sync"))

    def test_commands_work_while_it_serves_and_laptops_see_it(self):
        c = self.centre
        c.enrol("a", "li")
        self.worked(c.laptop("a", "sync"))
        c.run("user", "add", "wang", "--name", "王芳")
        self.worked(c.laptop("a", "sync"))
        self.assertEqual(c.run("verify", "--json"), "[]\n")
        backup = os.path.join(c.dir, "copy.db")
        c.run("backup", backup)
        self.assertEqual(os.stat(backup).st_mode & 0o77, 0)
        self.assertEqual(c.command("backup", backup).returncode, 65)

    def test_it_stops_gracefully_and_goes_on_where_it_was(self):
        c = self.centre
        c.enrol("a", "li")
        self.worked(c.laptop("a", "add", "one"))
        self.worked(c.laptop("a", "sync"))
        self.assertEqual(c.stop(), 0)
        self.worked(c.laptop("a", "add", "two"))
        self.assertNotEqual(c.laptop("a", "sync").returncode, 0)
        c.serve()
        self.worked(c.laptop("a", "sync"))
        self.assertEqual(c.json("sql", "SELECT name FROM account ORDER BY name"), [{"name": "one"}, {"name": "two"}])

    def test_it_may_be_killed_at_any_moment(self):
        c = self.centre
        for name in "ab":
            c.enrol(name, "li")
        counts = {}
        def work(name):
            counts[name] = c.laptop(name, "days", "40")
        threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        for t in threads:
            t.start()
        for _ in range(4):
            time.sleep(0.3)
            c.stop(signal.SIGKILL)
            c.serve()
        for t in threads:
            t.join()
        for name in "abab":
            self.worked(c.laptop(name, "sync"))
        self.assertEqual(len(c.names("a")), 80)
        self.assertEqual(c.names("a"), c.names("b"))
        self.assertEqual(c.run("verify", "--json"), "[]\n")

    def test_many_laptops_at_once(self):
        c = self.centre
        names = ["l%d" % i for i in range(8)]
        for name in names:
            c.enrol(name, "li")
        done = {}
        def work(name):
            done[name] = c.laptop(name, "days", "10")
        threads = [threading.Thread(target=work, args=(n,)) for n in names]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for name in names:
            self.assertEqual(self.worked(done[name]).strip(), "10")
            self.worked(c.laptop(name, "sync"))
            self.assertEqual(len(c.names(name)), 80)

    def test_news_reaches_a_waiting_laptop_at_once(self):
        c = self.centre
        for name in "ab":
            c.enrol(name, "li")
        daemon = subprocess.Popen([DAEMON, "--home", os.path.join(c.dir, "b")], stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        self.until(lambda: c.metric("roadbook_waiting") == 1)
        self.worked(c.laptop("a", "add", "by laptop"))
        self.worked(c.laptop("a", "sync"))
        self.until(lambda: c.names("b") == ["by laptop"], 3)
        self.until(lambda: c.metric("roadbook_waiting") == 1)
        head = c.metric('roadbook_org_head{org="acme"}')
        c.run("user", "add", "wang")                       # by another process than the one that waits
        self.until(lambda: c.metric("roadbook_waits_total") >= 2 and c.metric("roadbook_waiting") == 1, 3)
        self.assertEqual(c.metric('roadbook_org_head{org="acme"}'), head + 1)
        begun = time.time()
        self.assertEqual(c.stop(), 0)                      # a laptop that waits does not hold it up
        self.assertLess(time.time() - begun, 5)

    def test_addresses_and_methods(self):
        for path, code in (("/nothing", 404), ("/", 404)):
            with self.assertRaises(urllib.error.HTTPError) as e:
                self.centre.get(path)
            self.assertEqual(e.exception.code, code)
            e.exception.close()

    def test_a_second_server_on_the_same_folder_says_so(self):
        done = subprocess.run([SERVER, "--home", self.centre.home, "serve"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 75)
        self.assertIn("a server runs on this folder already", done.stderr)

    def test_a_second_server_at_the_same_port_says_so(self):
        port, other = self.centre.url.removeprefix("https://").split(":")[1], self.centre.home + "-other"
        listen = f"127.0.0.1:{port}"
        subprocess.run([SERVER, "--home", other, "init", "--public-url", self.centre.url, "--listen", listen], check=True, capture_output=True)
        done = subprocess.run([SERVER, "--home", other, "serve"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 75)
        self.assertIn(port + ": Address already in use", done.stderr)

    def test_the_log_holds_no_secret(self):
        c = self.centre
        link = c.enrol("a", "li")
        code = link.split("#")[1].split(".")[0]
        self.worked(c.laptop("a", "add", "secret name"))
        self.worked(c.laptop("a", "sync"))
        c.stop()
        with open(c.log_path) as log:
            text = log.read()
        self.assertIn("event=enroll", text)
        self.assertIn("event=round org=acme device=1", text)
        self.assertNotIn(code, text)
        self.assertNotIn("secret name", text)


class Tracing(ServerTest):
    def test_a_trace_is_readable_and_a_replay_refused(self):
        c = self.centre
        trace = os.path.join(c.dir, "trace")
        c.run("user", "add", "li")
        c.serve("--trace", trace)
        c.enrol("a", "li")
        self.worked(c.laptop("a", "add", "大众汽车"))
        self.worked(c.laptop("a", "sync"))
        text = self.worked(subprocess.run([INSPECT, trace], capture_output=True, text=True))
        self.assertIn('"message":"round request"', text)
        self.assertIn("大众汽车", text)
        rounds = []
        for name in sorted(os.listdir(trace)):
            with open(os.path.join(trace, name), "rb") as message:
                if message.readline().startswith(b"POST /acme/round"):
                    rounds.append(name)
        again = subprocess.run([INSPECT, "replay", os.path.join(trace, rounds[0]), "--url", c.url, "--insecure"],
                               capture_output=True, text=True)
        self.worked(again)
        self.assertIn("TRY_AGAIN", again.stdout)
        book = self.worked(subprocess.run([INSPECT, os.path.join(c.home, "org", "acme.db")], capture_output=True, text=True))
        self.assertIn("r_account", book)


class TwoOrgs(ServerTest):
    orgs = ("acme", "other")

    def test_nothing_crosses(self):
        c = self.centre
        self.assertEqual(c.command("user", "list").returncode, 64)
        for org in self.orgs:
            c.run("--org", org, "user", "add", "li")
        c.serve()
        c.enrol("a", "li", "--org", "acme")
        c.enrol("b", "li", "--org", "other")
        self.worked(c.laptop("a", "add", "only acme"))
        for name in "abab":
            self.worked(c.laptop(name, "sync"))
        self.assertEqual(c.names("b"), [])
        self.assertEqual(c.json("--org", "other", "sql", "SELECT count(*) AS n FROM account"), [{"n": 0}])
        self.assertEqual([o["org"] for o in c.json("org", "list")], ["acme", "other"])
        c.run("org", "add", "third", "--scope", "open")
        c.run("--org", "third", "user", "add", "li")
        c.enrol("d", "li", "--org", "third")
        self.worked(c.laptop("d", "sync"))


class UnixSocket(ServerTest):
    def test_it_serves_behind_a_proxy(self):
        c = self.centre
        path = os.path.join(c.dir, "sock")
        process = subprocess.Popen([SERVER, "--home", c.home, "serve", "--unix", path], stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(100):
            if os.path.exists(path):
                break
            time.sleep(0.05)
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b""
        while True:
            piece = s.recv(4096)
            if not piece:
                break
            text += piece
        s.close()
        self.assertTrue(text.startswith(b"HTTP/1.1 200"), text)
        self.assertIn(b'"status":"ok"', text)


if __name__ == "__main__":
    unittest.main()
