"""The steps of drive.py: what people, head office, machines and the network do."""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time

from drive_look import Look
from drive_world import OWNER, RULES, SYNC_CODES, TITLE, TOKEN, Base
from programs import check


EDITED = ["account", "contact", "opportunity", "order", "task", "followup", "visit"]
OWNED = ["contact", "visit", "opportunity", "order", "attachment", "team_member", "followup"]


class Steps(Base):
    # ------------------------------------------------------------------ steps: people

    def some_laptop(self, r):
        return r.choice([x for x in self.laptops if not x.dead])

    def new_cell(self, r, entity, row, field, rule):
        """(words of the command, op) of an edit by deed number counter + 1, or None."""
        token = f"e{self.counter + 1:04d}"
        shown = row.get(field) if row else None
        if rule in ("last", "frozen"):
            return [f"{field}={token}"], ("value", token, self.seen(shown))
        if rule == "group":
            return [f"city={token}", f"street=s{token}"], ("value", token, self.seen(shown))
        if rule == "office":
            limit = f"{self.counter + 1}.00"
            return [f"credit_limit={limit}", "credit_currency=CNY"], ("office", limit, frozenset())
        if rule == "max":
            day = self.day(r.randint(0, 1) * 5000 + self.counter + 1)
            return [f"{field}={day}"], ("max", day, shown)
        if rule == "counter":
            return [f"{field}+={self.counter + 1}"], ("count", self.counter + 1, frozenset())
        if rule == "shared":
            element = r.choice(["hot", "vip"])
            gone = element in (shown or [])
            op = ("off" if gone else "on", element, frozenset())
            return [f"{field}{'-' if gone else '+'}={element}"], op
        if rule == "set":
            shown = shown or []
            if shown and r.random() < 0.4:
                gone = r.choice(shown)
                return [f"{field}-={gone}"], ("remove", gone, frozenset())
            if len(shown) > 50:
                return None
            return [f"{field}+={token}"], ("add", token, frozenset())
        lines = (shown or "").split("\n") if shown else []
        removed = []
        kind = r.random()
        if lines and kind < 0.2:
            removed = TOKEN.findall(lines.pop(r.randrange(len(lines))))
            added = []
        elif lines and kind < 0.5:
            i = r.randrange(len(lines))
            words = lines[i].split(" ")
            words.insert(r.randint(0, len(words)), token)
            lines[i] = " ".join(words)
            added = [token]
        else:
            lines.insert(r.randint(0, len(lines)), token)
            added = [token]
        removed = [w for w in removed if w not in TOKEN.findall("\n".join(lines))]
        text = "\n".join(lines)
        return [f"{field}={text}"], ("text", (added, removed), self.seen(shown))

    def save(self, r, actor, entity, row, words, cells):
        """An edit of a row by somebody; killed at times. Returns the deed if it was done."""
        deed = self.deed(actor, "set", cells)
        if actor == "office":
            result = self.office("set", entity, row["id"], *words, fails=True)
            check(result.code in (0, 65, 66), f"{result}")
            if result.code == 0:
                self.done(deed)
            else:
                self.counter -= 1
            return deed
        kill = self.perhaps(r, 0.05)
        result = self.do(actor, "set", entity, row["id"], *words, kill=kill, fails=True)
        if "read-only" in result.err and result.code:
            return None
        check(result.code in (0, None), f"this should have worked: {result}")
        if result.code is None:
            after = next((x for x in self.rows(actor, entity) if x["id"] == row["id"]), None)
            if after == row:
                self.tell("   (nothing was saved)")
                return None
        self.done(deed)
        if result.code == 0 and r.random() < 0.05:
            result = self.do(actor, "undo", fails=True)
            if result.code == 0:
                deed.state = "undone"
        return deed

    def can_write(self, actor, entity, row):
        if entity == "visit":
            own = actor != "office" and row["author"] == self.employees[actor.user]
            return own and row["state"] == "draft"
        return True

    def some_row(self, r, actor, weights, tries):
        """One that the actor may write, half the time one of the first: mostly where others work. None, None: none."""
        for _ in range(tries):
            entity = r.choices(EDITED, weights=weights)[0]
            rows = [x for x in self.rows(actor, entity) if self.can_write(actor, entity, x)]
            if rows:
                return entity, r.choice(rows[:3] if r.random() < 0.5 else rows)
        return None, None

    def step_edit(self, r, actor=None):
        actor = actor or self.some_laptop(r)
        entity, row = self.some_row(r, actor, [9, 5, 2, 2, 2, 1, 1], 6)
        if row is None:
            return
        rules = dict(RULES[entity])
        if entity == "account":
            known = self.fields_here() if actor == "office" else actor.fields
            rules.update({f: rule for f, rule in self.custom.items() if f in known})
        words, cells = [], {}
        for field in r.sample(sorted(rules), min(len(rules), r.choice([1, 1, 1, 2, 3]))):
            if rules[field] == "office" and actor != "office" and r.random() < 0.5:
                continue
            made = self.new_cell(r, entity, row, field, rules[field])
            if made:
                words += made[0]
                cells[entity, row["id"], field] = made[1]
        if not words:
            return
        self.save(r, actor, entity, row, words, cells)

    def step_office_edit(self, r):
        self.step_edit(r, "office")

    def step_create(self, r, actor=None):
        actor = actor or self.some_laptop(r)
        entity = r.choices(EDITED, weights=[2, 5, 2, 2, 1, 2, 4])[0]
        token = f"e{self.counter + 1:04d}"
        title = TITLE[entity]
        words, refs = [f"{title}={token}"], set()
        above = {"account": None, "followup": "visit"}.get(entity, "account")
        if above:
            rows = self.rows(actor, above)
            if not rows:
                return
            owner = r.choice(rows[:3] if r.random() < 0.6 else rows)
            words.append(f"{above}={owner['id']}")
            refs.add((above, owner["id"]))
        if entity == "visit" and r.random() < 0.5:
            people = [x for x in self.rows(actor, "contact") if x["account"] == owner["id"]]
            if people:
                person = r.choice(people)["id"]
                words.append(f"contact={person}")
                refs.add(("contact", person))
        if entity == "account" and actor == "office":
            words += [f"territory={r.choice(self.codes)}"] if r.random() < 0.8 else []
            words += [f"owner={r.choice(self.users)}"] if r.random() < 0.6 else []
        if entity == "visit" and actor == "office":
            return
        deed = self.deed(actor, "create", {})
        if actor == "office":
            made = self.office("add", entity, *words, "--json", fails=True)
            if made.code != 0:
                self.counter -= 1
                return
            row = made.json()["id"]
        else:
            kill = self.perhaps(r, 0.05)
            made = self.do(actor, "add", entity, *words, "--json", kill=kill)
            there = [x for x in self.rows(actor, entity) if x[title] == token]
            if not there:
                check(made.code is None, f"a row that was saved is not there: {made}")
                self.tell("   (nothing was saved)")
                return
            row = there[0]["id"]
        is_text = RULES[entity].get(title) == "text"
        op = ("text", ([token], []), frozenset()) if is_text else ("value", token, frozenset())
        deed.cells = {(entity, row, title): op}
        deed.rows = {(entity, row)} | refs
        deed.main = (entity, row)
        self.done(deed)

    def step_office_create(self, r):
        self.step_create(r, "office")

    def unit_of(self, actor, entity, row):
        """The row and what it owns, as far as somebody sees it."""
        unit = {(entity, row)}
        for child in OWNED:
            owner = OWNER[child]
            if any(e == owner for e, _ in unit):
                rows = self.rows(actor, child)
                unit |= {(child, x["id"]) for x in rows if (owner, x[owner]) in unit}
        return unit

    def step_delete(self, r, actor=None):
        actor = actor or self.some_laptop(r)
        entity, row = self.some_row(r, actor, [1, 6, 2, 0, 1, 0, 1], 4)
        if row is None:
            return
        unit = self.unit_of(actor, entity, row["id"])
        deed = self.deed(actor, "delete", {})
        deed.unit, deed.main = unit, (entity, row["id"])
        if actor == "office":
            if self.office("rm", entity, row["id"], fails=True).code == 0:
                self.done(deed)
            return
        kill = self.perhaps(r, 0.05)
        result = self.do(actor, "rm", entity, row["id"], "--yes", kill=kill, fails=True)
        check(result.code in (0, None, 65), f"{result}")
        if any(x["id"] == row["id"] for x in self.rows(actor, entity)):
            check(result.code != 0, f"a row is there that was deleted: {result}")
            return
        self.done(deed)

    def step_office_delete(self, r):
        self.step_delete(r, "office")

    def step_import(self, r):
        laptop = self.some_laptop(r)
        accounts = self.rows(laptop, "account")
        if not accounts:
            return
        path = os.path.join(self.dir, "import.csv")
        if r.random() < 0.5:
            account = r.choice(accounts)
            deeds = [self.deed(laptop, "create", {}) for _ in range(r.randint(1, 8))]
            with open(path, "w", encoding="utf-8") as file:
                file.write("account,name\n")
                file.writelines(f"{account['short_id']},{d.token}\n" for d in deeds)
            result = self.do(laptop, "import", "contact", path, kill=self.perhaps(r, 0.1))
            there = {x["name"]: x for x in self.rows(laptop, "contact")}
            for deed in deeds:
                if deed.token in there:
                    row = there[deed.token]["id"]
                    deed.cells = {("contact", row, "name"): ("value", deed.token, frozenset())}
                    deed.rows = {("contact", row), ("account", account["id"])}
                    deed.main = ("contact", row)
                    self.done(deed)
                else:
                    check(result.code is None, f"{deed.token} is not there: {result}")
            return
        chosen = r.sample(accounts, min(len(accounts), 3))
        deeds = [(self.deed(laptop, "set", {}), row) for row in chosen]
        with open(path, "w", encoding="utf-8") as file:
            file.write("id,industry\n")
            file.writelines(f"{row['short_id']},{d.token}\n" for d, row in deeds)
        words = ("import", "account", path, "--match", "id")
        result = self.do(laptop, *words, kill=self.perhaps(r, 0.1))
        there = {x["id"]: x["industry"] for x in self.rows(laptop, "account")}
        for deed, row in deeds:
            if there.get(row["id"]) == deed.token:
                op = ("value", deed.token, self.seen(row["industry"]))
                deed.cells = {("account", row["id"], "industry"): op}
                deed.rows = {("account", row["id"])}
                self.done(deed)
            else:
                check(result.code is None, f"{deed.token} was imported and is not there: {result}")

    def step_submit(self, r):
        laptop = self.some_laptop(r)
        rows = [x for x in self.rows(laptop, "visit") if self.can_write(laptop, "visit", x)]
        if rows:
            row = r.choice(rows)
            cell = ("visit", row["id"], "state")
            deed = self.deed(laptop, "set", {cell: ("state", "submitted", frozenset())})
            self.do(laptop, "set", "visit", row["id"], "state=submitted")
            self.done(deed)

    def step_move_contact(self, r):
        laptop = self.some_laptop(r)
        rows, accounts = self.rows(laptop, "contact"), self.rows(laptop, "account")
        if rows and accounts:
            row, account = r.choice(rows), r.choice(accounts)
            if row["account"] == account["id"]:
                return
            cell = ("contact", row["id"], "account")
            deed = self.deed(laptop, "set", {cell: ("state", account["id"], frozenset())})
            words = ("set", "contact", row["id"], f"account={account['id']}")
            if self.do(laptop, *words, fails=True).code == 0:
                deed.weak = {("account", account["id"])}
                deed.rows |= deed.weak
                self.done(deed)

    def step_attach(self, r):
        laptop = self.some_laptop(r)
        rows = self.rows(laptop, "account")
        if not rows:
            return
        row = r.choice(rows)
        deed = self.deed(laptop, "create", {})
        size = r.choice([10, 5000, 300000, 900000])
        data = deed.token.encode() + random.Random(deed.n).randbytes(size)
        path = os.path.join(self.dir, deed.token + ".bin")
        with open(path, "wb") as file:
            file.write(data)
        self.do(laptop, "attach", "account", row["id"], path, kill=self.perhaps(r, 0.05))
        there = [x for x in self.rows(laptop, "attachment") if deed.token in x["title"]]
        if there:
            deed.main = ("attachment", there[0]["id"])
            deed.cells = {(*deed.main, "title"): ("value", deed.token, frozenset())}
            deed.rows = {deed.main, ("account", row["id"])}
            self.files[there[0]["id"]] = hashlib.sha256(data).hexdigest()
            self.done(deed)
        os.remove(path)

    def step_held(self, r):
        laptop = self.some_laptop(r)
        held = [h for h in self.json(laptop, "held") if h["state"] == "open" and not h["person"]]
        if held:
            word = r.choice(["retry", "retry", "retry", "drop"])
            self.do(laptop, "held", word, r.choice(held)["held"], fails=True)

    def json(self, laptop, *words):
        return self.world.run("roadbook", *words, "--json", env=self.env_of(laptop)).json()

    # ------------------------------------------------------------------ steps: exchange

    def sync(self, laptop, kill=None, words=()):
        result = self.do(laptop, "sync", *words, fails=True, kill=kill)
        if result.code == 0:
            self.note_synced(laptop)
        else:
            laptop.maybe |= set(self.deeds)
            check(result.code in (None, *SYNC_CODES), f"sync: {result}")
        return result

    def step_sync(self, r):
        self.sync(self.some_laptop(r))

    def step_cut_sync(self, r):
        def amount():
            return int(2 ** r.uniform(6, 14)) if r.random() < 0.8 else r.randint(1, 900000)
        kinds = [("up", amount), ("down", amount), ("slow", lambda: r.uniform(0, 0.08)),
                 ("twice", lambda: 0)]
        with self.proxy.lock:
            chosen = [r.choice(kinds) for _ in range(r.randint(1, 4))]
            self.proxy.plan = [(kind, amount()) for kind, amount in chosen]
            self.tell(f"   connections: {self.proxy.plan}")
        self.sync(self.some_laptop(r))
        self.proxy.plan = []

    def step_killed_sync(self, r):
        self.sync(self.some_laptop(r), kill=r.uniform(0.01, 0.2))

    def step_daemon(self, r):
        """The daemon, killed at some moment; the server too at times."""
        laptop = self.some_laptop(r)
        argv = [os.path.join(self.world.bin, "roadbook-syncd")]
        with open(os.path.join(self.dir, laptop.name + ".log"), "ab") as log:
            process = subprocess.Popen(argv, env={**self.world.env, **self.env_of(laptop)},
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            time.sleep(r.uniform(0.02, 0.5))
            if r.random() < 0.3:
                self.world.stop_server(signal.SIGKILL)
                self.start_server()
                time.sleep(r.uniform(0, 0.3))
            code = process.poll()
            check(code is None, f"the daemon of {laptop.name} ended with {code}")
            process.kill()
            process.wait()
        laptop.maybe |= set(self.deeds)
        self.tell(f"   the daemon of {laptop.name} ran, and was killed")

    def step_kill_server(self, r):
        self.world.stop_server(signal.SIGKILL)
        self.start_server()

    def step_stick_out(self, r):
        laptop = self.some_laptop(r)
        path = os.path.join(self.dir, f"stick-{laptop.name}-{len(laptop.sticks)}")
        if self.do(laptop, "bundle", "export", path, fails=True).code == 0:
            laptop.sticks.append(path)
            self.stick_used = True

    def step_stick_in(self, r):
        laptop = self.some_laptop(r)
        if laptop.sticks:
            path = r.choice(laptop.sticks[-3:])
            answer = f"{path}-answer-{len(laptop.answers)}"
            result = self.office("bundle", "import", path, answer, fails=True)
            check(result.code in (0, 65, 69, 75), f"{result}")
            if result.code == 0 and os.path.exists(answer):
                laptop.answers.append(answer)

    def step_stick_back(self, r):
        laptop = self.some_laptop(r)
        if laptop.answers:
            result = self.do(laptop, "bundle", "import", r.choice(laptop.answers[-3:]), fails=True)
            check(result.code in (0, 65, 69, 75), f"{result}")
            laptop.maybe |= set(self.deeds)

    # ------------------------------------------------------------------ steps: machines

    def step_clock(self, r):
        laptop = self.some_laptop(r)
        seconds = r.choice([600, 86400, 40 * 86400, 3 * 365 * 86400])
        laptop.wall += r.choice([-1, 1]) * seconds * 1000
        self.tell(f"   the clock of {laptop.name} is off by {laptop.wall // 1000} s")

    def step_reboot(self, r):
        laptop = self.some_laptop(r)
        laptop.boot_file = os.path.join(self.dir, f"boot-{laptop.name}-{r.randrange(10**9)}")
        with open(laptop.boot_file, "w", encoding="utf-8") as file:
            file.write(f"{r.randrange(10**12):012d}-boot\n")
        now = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        laptop.boot = 30000 - now - self.days * 86400000
        self.reboots = True
        self.tell(f"   {laptop.name} was started anew")

    def step_set_back(self, r):
        """A laptop's disk comes back from an image: it knows less than the server has of it."""
        laptop = self.some_laptop(r)
        home = self.world.laptop_home(laptop.name)
        image = home + ".image"
        if laptop.image is None:
            if self.recovering or self.sync(laptop).code != 0 or self.json(laptop, "pending"):
                return
            shutil.copytree(home, image)
            laptop.image = set(self.deeds), set(laptop.sure), set(laptop.maybe), self.restores
            return
        if self.recovering or laptop.image[3] != self.restores:
            return
        known, laptop.sure, laptop.maybe, _ = laptop.image
        laptop.image = None
        shutil.rmtree(home)
        shutil.move(image, home)
        for deed in self.deeds.values():
            if deed.laptop is laptop and deed.n not in known:
                deed.away = True
                deed.volatile |= not deed.acked
        result = self.do(laptop, "sync", fails=True)
        if result.code == 0:
            self.note_synced(laptop)
            return
        link = self.quiet("link", laptop.user, "--json").json()["link"]
        self.do(laptop, "enroll", link, "--again", "--name", laptop.name)
        laptop.number = max(d["device"] for d in self.quiet("device", "list", "--json").json())
        self.makers[laptop.number] = laptop.user
        laptop.sticks, laptop.answers = [], []
        check(self.sync(laptop).code == 0, "it does not sync after it was enrolled again")

    def step_day(self, r):
        if self.days < 5:
            self.world.stop_server()
            self.days += 1
            self.start_server()
            self.touched(*self.office_accounts(r, 100))
            self.tell("   a day passes")

    # ------------------------------------------------------------------ steps: head office

    def office_accounts(self, r, count=1):
        rows = self.rows("office", "account")
        return [x["id"] for x in r.sample(rows, min(len(rows), count))]

    def step_assign(self, r):
        accounts = self.office_accounts(r, r.randint(1, 3))
        if accounts:
            day = self.day(int(time.time() / 86400) + self.days + r.randint(0, 2))
            when = r.choice([[], [], ["--from", day]])
            self.office("assign", *accounts, "--to", r.choice(self.users), *when, fails=True)
            self.touched(*accounts)

    def step_territory(self, r):
        for account in self.office_accounts(r):
            self.office("set", "account", account, f"territory={r.choice(self.codes)}", fails=True)
            self.touched(account)

    def step_people_move(self, r):
        self.office("set", "employee", r.choice(self.users), f"territory={r.choice(self.codes)}")

    def step_territory_move(self, r):
        a, b = r.sample(self.codes, 2)
        self.office("territory", "move", a, "--under", b, fails=True)

    def step_team(self, r):
        for account in self.office_accounts(r):
            user = r.choice(self.users)
            self.touched(account)
            if r.random() < 0.6:
                self.office("team", "add", account, user, fails=True)
            else:
                self.office("team", "remove", account, user, fails=True)

    def step_handover(self, r):
        a, b = r.sample(self.users, 2)
        self.office("handover", a, b, *r.choice([[], ["--unsigned"]]), fails=True)
        self.touched(*self.office_accounts(r, 100))

    def step_sign(self, r):
        laptop = self.some_laptop(r)
        waiting = self.json(laptop, "sign")
        if waiting:
            self.do(laptop, "sign", waiting[0]["short_id"], fails=True)
            self.touched(*self.office_accounts(r, 100))

    def step_merge(self, r):
        entity = r.choice(["account", "account", "contact"])
        rows = self.rows("office", entity)
        if len(rows) < 4:
            return
        a, b = (x["id"] for x in r.sample(rows, 2))
        look = Look(self, False)
        held = {u for u in self.users if entity == "account" and a in look.grants(u)[1]}
        words = [] if entity == "account" else ["--entity", entity]
        if self.office("merge", a, "into", b, *words, fails=True).code == 0:
            self.joined((entity, a), (entity, b))
            self.merged[a] = entity
            now = Look(self, False)        # who has the survivor by a rule needs no other reason
            self.reasons[a] = b, {u for u in held if b not in now.grants(u)[1]}
            self.touched(*[x for x in (a, b) if entity == "account"])

    def joined(self, a, b):
        self.groups[self.root(a)] = self.root(b)

    def step_unmerge(self, r):
        done = [m["loser"] for m in self.merges() if m["loser"] in self.merged]
        if done:
            loser = r.choice(done)
            into = next(m["survivor"] for m in self.merges() if m["loser"] == loser)
            done = self.office("merge", "undo", loser, fails=True)
            if done.code == 0:
                self.reasons.pop(loser, None)
            self.touched(loser, into)

    def merges(self):
        return [m for m in self.quiet("merge", "list", "--json").json() if not m["undone"]]

    def step_requests(self, r):
        waiting = self.quiet("requests", "--json").json()
        if waiting:
            chosen = r.choice(waiting)
            self.office("requests", r.choice(["approve", "decline"]), chosen["number"], fails=True)
            self.touched(chosen["row"])

    def step_field(self, r):
        if len(self.custom) < 5:
            name = f"x{len(self.custom)}_{self.counter}"
            kinds = [("text", "last"), ("int", "counter"), ("set", "set"), ("note", "text")]
            type_, rule = r.choice(kinds)
            options = ["--rule", rule] if rule == "counter" else []
            options += ["--label", name, "--label-zh", name]
            if self.office("field", "add", "account", name, "--type", type_, *options).code == 0:
                self.custom[name] = rule

    def step_compact(self, r):
        self.office("compact")

    def step_lost(self, r):
        living = [x for x in self.laptops if not x.dead]
        if len(living) < 3:
            return
        laptop = r.choice(living)
        wipe = r.random() < 0.5
        unsent = set(TOKEN.findall(json.dumps(self.json(laptop, "pending"))))
        self.office("device", "lost" if wipe else "revoke", laptop.number)
        laptop.dead = True
        open_ = {d.n for d in self.deeds.values() if d.laptop is laptop and not d.acked}
        for n in open_:
            self.deeds[n].volatile = True
        if r.random() < 0.6:
            result = self.do(laptop, "sync", fails=True)
            check(result.code != 0, f"a revoked laptop syncs: {result}")
            if not self.recovering:
                there = json.dumps(self.quiet("requests", "--all", "--json").json()) + "".join(
                    json.dumps(self.rows("office", e)) for e in RULES)
                there += self.quiet("conflicts", "--json").out
                lost = {t for t in unsent if t not in there}
                check(not lost, f"{lost} of the revoked {laptop.name} are nowhere")
                book = os.path.join(self.world.laptop_home(laptop.name), "book.db")
                check(not wipe or not os.path.exists(book), f"not wiped: {result}")

    def step_backup(self, r):
        path = os.path.join(self.dir, f"backup-{len(self.backups)}.db")
        self.office("backup", path)
        self.backups.append((path, set(self.served), set(self.deeds)))
        self.reasons_then[path] = dict(self.reasons)

    def book_files(self):
        folder = os.path.join(self.world.home, "org")
        return [os.path.join(folder, f"acme.db{end}") for end in ("", "-wal", "-shm")]

    def step_snapshot(self, r):
        """The machine's files set aside, and set back later: nobody tells the server."""
        if self.snapshot is None:
            self.world.stop_server()
            folder = os.path.join(self.dir, "snapshot")
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
            for path in self.book_files():
                if os.path.exists(path):
                    shutil.copy2(path, folder)
            self.start_server()
            self.snapshot = folder, set(self.served), len(self.backups)
            self.reasons_then[folder] = dict(self.reasons)
            return
        folder, served, older = self.snapshot
        self.reasons = self.reasons_then[folder]
        self.world.stop_server(signal.SIGKILL)
        for path in self.book_files():
            if os.path.exists(path):
                os.remove(path)
            kept = os.path.join(folder, os.path.basename(path))
            if os.path.exists(kept):
                shutil.copy2(kept, path)
        self.start_server()
        self.snapshot, self.unannounced = None, True
        self.gone_back(served, set().union(*(m for _, _, m in self.backups[older:])) - served)

    def step_restore(self, r):
        if not self.backups:
            return self.step_backup(r)
        i = len(self.backups) - 1 if r.random() < 0.75 else r.randrange(len(self.backups))
        path, served, _ = self.backups[i]
        self.reasons = dict(self.reasons_then[path])
        self.world.stop_server(r.choice([signal.SIGKILL, signal.SIGTERM]))
        self.office("restore", path)
        self.start_server()
        self.gone_back(served, set().union(*(m for _, _, m in self.backups[i + 1:])) - served)
        return None

    def gone_back(self, served, later):
        for d in self.deeds.values():
            if d.n in served or d.state != "yes":
                continue
            if d.who == "office" or d.away or d.n in later or d.laptop.dead:
                d.volatile = True
            elif not d.acked:
                d.orphan = True
        self.served, self.recovering = set(served), True
        self.restores += 1

    def step_end_recovery(self, r):
        if not self.recovering:
            return
        for _ in range(3):
            for laptop in self.living():
                self.sync(laptop)
        if "recovers since" not in self.quiet("recovery", "status").out:
            self.recovering = False            # no laptop knew more than the server
            return
        for _ in range(3):                 # what was taken lets others come in, and tell more
            facts = self.quiet("recovery", "facts", "--json").json()
            if all(f["state"] in ("newer_here", "dead") for f in facts):
                break
            self.office("recovery", r.choice(["accept", "accept", "reject"]))
            for laptop in self.living() * 2:
                self.sync(laptop)
        result = self.office("recovery", "end", fails=True)
        if result.code != 0:
            status = self.quiet("recovery", "status", "--json").json()
            numbers = {x.number for x in self.living()}
            bad = [s for s in status if s["device"] in numbers and not s["gave_back"]]
            gaps = any(s["missing_batches"] for s in status)   # what comes behind may wait for them
            check(gaps or not bad, f"living laptops have not given back all: {status}, {result}")
            self.office("recovery", "end", "--yes")
        self.recovering = False
        for _ in range(2):
            for laptop in self.living():
                self.sync(laptop)

    def made(self):
        """(account, user) of the accounts that laptops made."""
        users = self.makers
        made = [d.main for d in self.deeds.values() if d.kind == "create"]
        return [(row, users[row >> 32]) for e, row in made if e == "account" and row >> 32]

    def now(self, row, merges):
        """The row that a row is now."""
        into = {m["loser"]: m["survivor"] for m in merges}
        while row in into:
            row = into[row]
        return row

    def living(self):
        return [x for x in self.laptops if not x.dead]

