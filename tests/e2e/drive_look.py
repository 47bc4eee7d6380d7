"""What must be so at rest, for drive.py: worked out from what was done.

Every deed wrote a word of its own ("e0017"), and notes what its author was shown: so what it had
seen can be read from values. What a delete or a remove had seen is known from syncs: surely, or
perhaps.
"""
import hashlib
import os
import time

from drive_world import DERIVED, ENTITIES, TOKEN
from programs import check

GRANTING = ["territory", "employee", "account", "team_member"]


class Look:
    """Head office's book now; whole: all of it, with ledger and quarantine."""

    def __init__(self, driver, whole=True):
        self.d = driver
        entities = ENTITIES if whole else GRANTING
        self.book = {e: {x["id"]: x for x in driver.rows("office", e)} for e in entities}
        self.merges = driver.merges()
        self.histories, self.gone, self.where = {}, set(), ""
        if not whole:
            return
        self.lost = " ".join(str(c["lost"]) for c in driver.quiet("conflicts", "--json").json())
        self.requests = driver.quiet("requests", "--all", "--json").json()
        self.waiting = " ".join(str(q["content"]) for q in self.requests)

    def all(self):
        known = set().union(*(x.fields for x in self.d.living()))
        gone = known - self.d.fields_here()
        check(not gone, f"added fields are gone that laptops knew: {gone}")
        for laptop in self.d.living():
            self.laptop(laptop)
        self.rows()
        self.cells()
        self.proofs()
        self.contents()

    # ---------------------------------------------------------------- who sees what

    def above(self, territory):
        chain = []
        while territory and territory not in chain:
            chain.append(territory)
            territory = (self.book["territory"].get(territory) or {}).get("parent")
        return chain

    def grants(self, user):
        """People whose own work, accounts whose team, and territories that somebody sees."""
        d, book = self.d, self.book
        me = d.employees[user]
        mine = book["employee"][me]["territory"]
        today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + d.days * 86400))

        def manages(territory):
            return d.roles[user] == "manager" and mine and mine in self.above(territory)

        own = {me} | {e for e, x in book["employee"].items() if manages(x["territory"])}
        teams = {a for a, x in book["account"].items()
                 if x["owner"] == me or manages(x["territory"])}
        teams |= {d.now(row, self.merges) for row, maker in d.made() if maker == user}
        teams |= {row for row, users in d.reasons.values() if user in users}
        for m in book["team_member"].values():
            if m["employee"] == me and (m["from_on"] or "") <= today <= (m["until_on"] or "9999"):
                teams.add(m["account"])
        return own, teams, {t for t in book["territory"] if mine and mine in self.above(t)}

    def visible(self, user):
        book = self.book
        if self.d.scope == "open":
            return {e: set(book[e]) for e in ENTITIES}
        own, teams, territories = self.grants(user)
        seen = {e: set(book[e]) if e in ("territory", "employee") else set() for e in ENTITIES}
        for a, x in book["account"].items():
            if a in teams or x["territory"] in territories:
                seen["account"].add(a)
        personal = {"visit": "author", "task": "owner", "opportunity": "owner"}
        for e in ("contact", "visit", "task", "opportunity", "order", "team_member", "attachment"):
            for row, x in book[e].items():
                if x["account"] in teams or (e in personal and x[personal[e]] in own):
                    seen[e].add(row)
        seen["followup"] = {row for row, x in book["followup"].items()
                            if x["visit"] in seen["visit"]}
        seen["handover"] = {row for row, x in book["handover"].items()
                            if x["from_employee"] in own or x["to_employee"] in own}
        return seen

    def laptop(self, laptop):
        """Its rows are head office's that its person may see, but for what is held."""
        seen = self.visible(laptop.user)
        held = {(h["entity"], h["id"]) for h in self.d.json(laptop, "held")}
        for e in ENTITIES:
            mine = {x["id"]: x for x in self.d.rows(laptop, e)}
            extra = {x for x in set(mine) - seen[e] if (e, x) not in held}
            lacks = seen[e] - set(mine)
            names = [mine[x]["short_id"] + ("" if x in self.book[e] else " (dead)") for x in extra]
            check(not extra, f"{laptop.name} has {e} that its person may not see: {names}")
            names = [self.book[e][x]["short_id"] for x in lacks]
            check(not lacks, f"{laptop.name} lacks {e}: {names}")
            for row in seen[e]:
                if (e, row) not in held:
                    self.is_equal(laptop, e, mine[row], self.book[e][row])

    def is_equal(self, laptop, e, mine, theirs):
        for field, value in theirs.items():
            check(field in DERIVED or mine.get(field) == value,
                  f"{laptop.name}, {e} {theirs['short_id']}, {field}: {mine.get(field)!r}, "
                  f"head office has {value!r}")

    # ---------------------------------------------------------------- rows

    def group(self, key):
        """All rows that were ever made one with a row."""
        root = self.d.root(key)
        return {key, root} | {k for k in self.d.groups if self.d.root(k) == root}

    def refused(self, deed):
        return deed.token in self.waiting

    def rows(self):
        """A row is there unless a delete had seen all; a delete that had seen all stands."""
        deeds = [x for x in self.d.deeds.values() if x.state == "yes"]
        deletes = [x for x in deeds if x.kind == "delete"]
        others = [x for x in deeds if x.kind != "delete"]
        for create in (x for x in deeds if x.kind == "create"):
            group = self.group(create.main)
            of_row = [x for x in deletes if x.unit & group]
            if not any(row in self.book[e] for e, row in group):
                self.may_be_gone(create, [x for x in others if (x.rows - x.weak) & group],
                                 of_row)
            elif len(group) == 1:
                for x in of_row:
                    self.may_live(create, x, others)

    def may_be_gone(self, create, touching, deletes):
        if create.volatile or self.refused(create):
            return
        check(deletes, f"{create.main} {create.token} is gone, and nobody deleted it")
        unseen = [[t.n for t in touching if t.n not in x.maybe and not t.volatile
                   and not self.refused(t) and t is not create] for x in deletes]
        check([] in unseen, f"{create.main} {create.token} is gone, though no delete had seen all: "
                            f"{[x.n for x in deletes]} had not seen {unseen}")

    def may_live(self, create, delete, others):
        if delete.volatile or delete.orphan or (delete.who != "office" and not delete.acked):
            return
        ids = {row for _, row in delete.unit}
        refused = any(q["row"] in ids and q["content"] == "delete" for q in self.requests)
        unit = {k for u in delete.unit for k in self.group(u)}
        unseen = any(t.rows & unit and t.n not in delete.sure for t in others)
        check(refused or unseen or any(k in self.d.groups for k in unit),
              f"{create.main} {create.token} lives, though delete {delete.n} had seen all")

    # ---------------------------------------------------------------- values

    def cells(self):
        by_cell = {}
        for deed in self.d.deeds.values():
            for (e, row, field), op in deed.cells.items():
                by_cell.setdefault((self.d.root((e, row)), field), []).append((deed, op))
        checks = {"value": self.value, "text": self.text, "count": self.count, "add": self.set,
                  "remove": self.set, "on": self.shared, "off": self.shared, "max": self.greatest}
        for (key, field), ops in by_cell.items():
            group = self.group(key)
            living = [self.book[e][row] for e, row in group if row in self.book[e]]
            self.gone = {deed.n for deed, _ in ops if not self.stands(deed, group)}
            self.where = f"{sorted(group)} {field}"
            ops = [(deed, op) for deed, op in ops if deed.state == "yes"]
            if living and ops and ops[0][1][0] in checks:
                checks[ops[0][1][0]](group, living, field, ops)

    def stands(self, deed, group):
        """Does the row that it named live, or the one which that is now?"""
        return any(self.d.now(row, self.merges) in self.book[e] for e, row in deed.rows & group)

    def held(self, field, group):
        ids = {row for _, row in group}
        return any(q["field"] == field and q["row"] in ids for q in self.requests)

    def value(self, group, living, field, ops):
        """Each is there, in the ledger, in quarantine, or was seen by one that replaced it."""
        shown = [str(x.get(field) or "") for x in living]
        finals = {t for text in shown for t in TOKEN.findall(text)}
        strange = finals - {deed.token for deed, _ in ops}
        check(not strange, f"{self.where}: {strange}, which nobody wrote, or was undone")
        heirs = {}
        for deed, op in ops:
            for n in op[2]:
                heirs.setdefault(n, []).append(deed)
        for deed, _ in ops:
            if deed.volatile:
                continue
            if deed.token in finals:
                self.won(deed, group, heirs, ops)
            elif deed.n not in heirs and deed.n not in self.gone:
                check(deed.token in self.lost or self.refused(deed),
                      f"{self.where}: {deed.token} of {deed.who} is neither there ({shown}) nor "
                      f"in ledger or quarantine")
        for x in living if field == "city" else []:
            token = TOKEN.search(str(x["city"]))
            check(not token or x["street"] == "s" + token.group(), f"half an address: {x}")

    def won(self, deed, group, heirs, ops):
        """Nothing stands over what had seen it; of concurrent edits the later stands."""
        d = self.d
        if len(group) > 1 or deed.orphan or self.refused(deed) or d.unannounced:
            return
        for other in heirs.get(deed.n, []):
            forgiven = d.restores and other.token in self.lost     # to what the server forgot
            check(other.volatile or self.refused(other) or forgiven,
                  f"{self.where} is {deed.token}, though {other.token} had seen it and came in")
        if d.reboots or d.restores or d.stick_used or deed.who == "office":
            return
        for other, _ in ops:
            seen = any(not self.refused(x) for x in heirs.get(other.n, []))
            check(seen or other.volatile or self.refused(other) or other.time < deed.time + 4,
                  f"{self.where}: {deed.token} stands, though {other.token} is later")

    def text(self, group, living, field, ops):
        text = " ".join(str(x.get(field) or "") for x in living)
        words = set(TOKEN.findall(text))
        strange = words - {w for _, op in ops for w in op[1][0]}
        check(not strange, f"{self.where}: words that nobody wrote: {strange}")
        there = words | {w for _, op in ops for w in op[1][1]}
        for deed, op in ops:
            lost = [w for w in op[1][0] if w not in there and w not in self.waiting]
            check(not lost or deed.volatile or deed.n in self.gone,
                  f"{self.where}: {lost} of {deed.who} is lost: {text!r}")

    def count(self, group, living, field, ops):
        if self.held(field, group) or self.gone:
            return
        total = round(sum(float(x.get(field) or 0) for x in living), 3)
        sure = sum(op[1] for deed, op in ops if not deed.volatile)
        perhaps = [op[1] for deed, op in ops if deed.volatile]
        sums = {sure}
        for n in perhaps[:14]:
            sums |= {s + n for s in sums}
        check(total in sums, f"{self.where} is {total}, not {sure}, or with some of {perhaps}: "
                             f"{[(deed.n, deed.who, op[1]) for deed, op in ops]}")

    def set(self, group, living, field, ops):
        there = {v for x in living for v in x.get(field) or []}
        strange = there - {op[1] for _, op in ops if op[0] == "add"}
        check(not strange, f"{self.where}: elements that nobody added: {strange}")
        for deed, op in ops:
            removes = [x for x, o in ops if o[0] == "remove" and o[1] == op[1]]
            if op[0] != "add" or deed.volatile or self.refused(deed):
                continue
            check(removes or op[1] in there or deed.n in self.gone,
                  f"{self.where}: {op[1]} of {deed.who} is lost")
            taken = len(group) == 1 and any(not x.volatile for x in removes)
            check(not taken or op[1] not in there or "-" + op[1] in self.waiting,
                  f"{self.where}: {op[1]} is there, though {[x.n for x in removes]} took it off")

    def shared(self, group, living, field, ops):
        """An element that several add: a remove takes the adds that it had seen, and no other."""
        there = {v for x in living for v in x.get(field) or []}
        ops = [(deed, op) for deed, op in ops if deed.n not in self.gone]
        strange = there - {op[1] for _, op in ops}
        check(not strange, f"{self.where}: elements that nobody added: {strange}")
        for element in {op[1] for _, op in ops}:
            adds = [deed for deed, op in ops if op[:2] == ("on", element)]
            removes = [deed for deed, op in ops if op[:2] == ("off", element)]
            stand = [a.n for a in adds
                     if not a.volatile and not any(a.n in x.maybe for x in removes)]
            held = self.held(field, group)
            check(element in there or not stand or held,
                  f"{self.where}: {element} of {stand} is lost: {[x.n for x in removes]}")
            sure = [x for x in removes if not x.volatile and (x.acked or x.who == "office")]
            taken = adds and all(any(a.n in x.sure for x in sure) for a in adds)
            vague = len(group) > 1 or self.d.unannounced or held
            check(vague or not taken or element not in there,
                  f"{self.where}: {element} is there: {[x.n for x in sure]} had seen all")

    def greatest(self, group, living, field, ops):
        finals = [x.get(field) or "" for x in living]
        ops = [(deed, op) for deed, op in ops if deed.n not in self.gone]
        strange = set(finals) - {op[1] for _, op in ops} - {""}
        check(not strange, f"{self.where}: {strange}, which nobody wrote")
        shown = {op[2] for _, op in ops}
        for deed, op in ops:
            free = deed.volatile or op[1] in shown or self.held(field, group)
            check(free or max(finals) >= op[1],
                  f"{self.where} is {finals}, less than {op[1]} of {deed.token}")

    # ---------------------------------------------------------------- proofs

    def proofs(self):
        d = self.d
        d.office("verify")
        for laptop in d.living():
            result = d.do(laptop, "sync", "--verify")
            check("equals the server" in result.err, f"{result}")
            d.do(laptop, "verify")

    def contents(self):
        d = self.d
        path = os.path.join(d.dir, "out.bin")
        for laptop in d.living():
            for x in d.rows(laptop, "attachment"):
                if x["id"] not in d.files or not x["arrived_at"]:
                    continue
                d.do(laptop, "fetch", x["short_id"])
                d.do(laptop, "attachments", "export", x["short_id"], path)
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                check(digest == d.files[x["id"]], f"{laptop.name} has another file: {x}")
                os.remove(path)
