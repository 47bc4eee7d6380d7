/* The merge of whole rows: deletes and what comes back, twins that become one. */
#include "tests/unit/centre_world.h"

/* ------------------------------------------------------------------ deletes and what comes back */

struct family {
    int64_t account, contact, seq;
};

static struct family family(struct world *w) {
    struct family f;
    int64_t seq;
    f.account = account(w, "Acme", &seq);
    f.contact = new_id(w, 0);
    struct change *c = draft_change(w, 0, CHANGE_CREATE, "contact", f.contact);
    draft_number(w, c, "account", f.account, on(0));
    draft_text(w, c, "name", "Chen", on(0));
    f.seq = push(w, 0)->seq;
    return f;
}

static const struct receipt_line *delete_family(struct world *w, int at, const struct family *f, int64_t seen) {
    struct change *c = draft_change(w, at, CHANGE_DELETE, "account", f->account);
    draft_unit(w, c, "account", f->account, on(seen));
    draft_unit(w, c, "contact", f->contact, on(seen));
    return push(w, at);
}

TEST(a_delete_takes_the_unit_that_its_author_saw) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    const struct receipt_line *line = delete_family(&w, 1, &f, f.seq);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->state, ROW_DEAD);
    CHECK_INT(line->unit_count, 0);
    struct centre_row acc = row_at(&w, "account", f.account), contact = row_at(&w, "contact", f.contact);
    CHECK_INT(acc.dead, f.seq + 1);
    CHECK_INT(contact.dead, f.seq + 1);
    CHECK_INT(contact.seq, f.seq + 2);
    world_close(&w);
}

TEST(edit_beats_delete_also_an_edit_of_an_owned_row) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", f.contact), "title", "Director", on(f.seq));
    (void)push(&w, 0);
    const struct receipt_line *line = delete_family(&w, 1, &f, f.seq);
    CHECK_INT(line->outcome, OUTCOME_LOST);
    CHECK_INT(line->state, ROW_HERE);
    CHECK_INT(line->unit_count, 2);
    CHECK_INT(line->unit[1].state, ROW_HERE);
    CHECK_INT(row_at(&w, "account", f.account).dead, 0);
    CHECK_INT(ledger_of(&w, f.contact).count, 1);
    CHECK_INT(ledger_of(&w, f.contact).last.cell_tag, 0);
    world_close(&w);
}

TEST(a_delete_loses_to_an_owned_row_that_its_author_did_not_have) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t acc = account(&w, "Acme", &seq);
    struct change *c = draft_change(&w, 0, CHANGE_CREATE, "contact", new_id(&w, 0));
    draft_number(&w, c, "account", acc, on(0));
    draft_text(&w, c, "name", "Chen", on(0));
    (void)push(&w, 0);
    draft_unit(&w, draft_change(&w, 1, CHANGE_DELETE, "account", acc), "account", acc, on(seq));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_LOST);
    world_close(&w);
}

TEST(a_delete_lost_to_who_brought_the_row_there_not_to_who_made_it) {
    struct world w;
    int64_t seq, other_seq;
    world_open(&w);
    int64_t acc = account(&w, "Acme", &seq), other = account(&w, "Branch", &other_seq);
    int64_t contact = new_id(&w, 1);
    struct change *c = draft_change(&w, 1, CHANGE_CREATE, "contact", contact);
    draft_number(&w, c, "account", other, on(other_seq));
    draft_text(&w, c, "name", "Chen", on(0));
    int64_t made = push(&w, 1)->seq;
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", contact), "account", acc, on(made));
    (void)push(&w, 0);
    draft_unit(&w, draft_change(&w, 1, CHANGE_DELETE, "account", acc), "account", acc, on(made));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_LOST);
    CHECK_INT(ledger_of(&w, contact).last.winner_device, w.laptops[0].number);
    world_close(&w);
}

TEST(a_delete_loses_to_a_reference_that_its_author_had_not_seen) {
    struct world w;
    int64_t seq, other_seq;
    world_open(&w);
    int64_t acc = account(&w, "Acme", &seq), other = account(&w, "Branch", &other_seq);
    while (pull(&w, 1, 0)->more) {}
    struct change *c = draft_change(&w, 1, CHANGE_DELETE, "account", acc);
    draft_unit(&w, c, "account", acc, on(other_seq));
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "account", other), "parent", acc, on(other_seq));
    (void)push(&w, 0);
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_LOST);
    while (pull(&w, 1, 0)->more) {}
    c = draft_change(&w, 1, CHANGE_DELETE, "account", acc);     /* now it is seen */
    draft_unit(&w, c, "account", acc, on(head_of(&w)));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_APPLIED);
    world_close(&w);
}

TEST(a_later_edit_brings_the_whole_unit_back_whole) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    while (pull(&w, 2, 0)->more) {}
    (void)delete_family(&w, 1, &f, f.seq);
    (void)delete_family(&w, 3, &f, f.seq);                 /* once more: it loses too */
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", f.contact), "title", "Director", on(f.seq));
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(row_at(&w, "account", f.account).dead, 0);
    CHECK_INT(row_at(&w, "contact", f.contact).dead, 0);
    CHECK_INT(ledger_of(&w, f.account).count, 2);          /* both deletes */
    CHECK_INT(ledger_of(&w, f.account).last.loser_device, w.laptops[3].number);
    const struct round_reply *reply = pull(&w, 2, 0);
    CHECK_INT(reply->record_count, 2);
    CHECK_INT(reply->records[0].flags, RECORD_WHOLE);
    CHECK_INT(reply->records[1].flags, RECORD_WHOLE);
    world_close(&w);
}

TEST(an_edit_of_an_owned_row_brings_its_owner_back_though_it_died_later) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    draft_unit(&w, draft_change(&w, 1, CHANGE_DELETE, "contact", f.contact), "contact", f.contact, on(f.seq));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_APPLIED);
    draft_unit(&w, draft_change(&w, 1, CHANGE_DELETE, "account", f.account), "account", f.account, on(f.seq));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_APPLIED);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", f.contact), "title", "Director", on(f.seq));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    CHECK_INT(row_at(&w, "contact", f.contact).dead, 0);
    CHECK_INT(row_at(&w, "account", f.account).dead, 0);
    world_close(&w);
}

TEST(creating_an_owned_row_brings_its_dead_owner_back) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t acc = account(&w, "Acme", &seq);
    draft_unit(&w, draft_change(&w, 1, CHANGE_DELETE, "account", acc), "account", acc, on(seq));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_APPLIED);
    struct change *c = draft_change(&w, 0, CHANGE_CREATE, "contact", new_id(&w, 0));
    draft_number(&w, c, "account", acc, on(0));
    draft_text(&w, c, "name", "Chen", on(0));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    CHECK_INT(row_at(&w, "account", acc).dead, 0);
    world_close(&w);
}

/* ------------------------------------------------------------------ twins */

struct meeting {
    int64_t visit, contact;
};

static struct meeting meeting(struct world *w) {
    struct family f = family(w);
    struct meeting m = {.visit = new_id(w, 0), .contact = f.contact};
    struct change *c = draft_change(w, 0, CHANGE_CREATE, "visit", m.visit);
    draft_number(w, c, "account", f.account, on(0));
    (void)push(w, 0);
    return m;
}

static struct change *participant(struct world *w, int at, const struct meeting *m, int64_t id, int64_t role) {
    struct change *c = draft_change(w, at, CHANGE_CREATE, "visit_participant", id);
    draft_number(w, c, "visit", m->visit, on(0));
    draft_number(w, c, "contact", m->contact, on(0));
    draft_number(w, c, "role", role, on(0));
    return c;
}

TEST(the_second_row_of_one_natural_key_becomes_the_first) {
    struct world w;
    world_open(&w);
    struct meeting m = meeting(&w);
    int64_t first = new_id(&w, 0), second = new_id(&w, 1);
    (void)participant(&w, 0, &m, first, 1);
    w.now += 1000;
    (void)participant(&w, 1, &m, second, 2);
    (void)push(&w, 0);
    const struct receipt_line *line = push(&w, 1);
    CHECK_INT(line->outcome, OUTCOME_MERGED);
    CHECK_INT(line->row, first);
    CHECK_INT(line->seq, 0);
    CHECK_INT(cell_at(&w, "visit_participant", first, "role").number, 2);
    CHECK_INT(ledger_of(&w, first).count, 1);
    CHECK_INT(w.reply.alias_count, 1);
    CHECK_INT(w.reply.aliases[0].from, second);
    CHECK_INT(w.reply.aliases[0].to, first);
    draft_number(&w, draft_change(&w, 1, CHANGE_EDIT, "visit_participant", second), "role", 3, on_own(0, 1));
    line = push(&w, 1);                                    /* names the alias, on its own edit: a sequel */
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->row, first);
    CHECK_INT(ledger_of(&w, first).count, 1);
    world_close(&w);
}

TEST(a_base_on_an_alias_does_not_speak_of_the_survivor) {
    struct world w;
    world_open(&w);
    struct meeting m = meeting(&w);
    int64_t first = new_id(&w, 0), second = new_id(&w, 1);
    (void)participant(&w, 0, &m, first, 1);
    (void)push(&w, 0);
    (void)participant(&w, 1, &m, second, 2);
    (void)push(&w, 1);
    w.now += 1000;
    draft_number(&w, draft_change(&w, 2, CHANGE_EDIT, "visit_participant", first), "role", 4, on(head_of(&w)));
    (void)push(&w, 2);
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "visit_participant", second);
    w.laptops[0].batch.stamp.boot_ms -= 500;
    draft_number(&w, c, "role", 3, on(head_of(&w)));       /* a high seq, but of a row that had none of this */
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_LOST);
    struct change *d = draft_change(&w, 1, CHANGE_DELETE, "visit_participant", second);
    draft_unit(&w, d, "visit_participant", second, on(head_of(&w)));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_LOST);         /* nobody meant to delete the survivor */
    world_close(&w);
}

TEST(a_delete_that_had_not_seen_the_twin_loses) {
    struct world w;
    world_open(&w);
    struct meeting m = meeting(&w);
    int64_t first = new_id(&w, 0), second = new_id(&w, 1);
    (void)participant(&w, 0, &m, first, 1);
    int64_t made = push(&w, 0)->seq;
    struct change *c = draft_change(&w, 1, CHANGE_CREATE, "visit_participant", second);
    draft_number(&w, c, "visit", m.visit, on(0));
    draft_number(&w, c, "contact", m.contact, on(0));
    (void)push(&w, 1);
    struct change *d = draft_change(&w, 2, CHANGE_DELETE, "visit_participant", first);
    draft_unit(&w, d, "visit_participant", first, on(made));
    CHECK_INT(push(&w, 2)->outcome, OUTCOME_LOST);
    world_close(&w);
}

TEST(references_to_an_alias_are_written_as_the_survivor) {
    struct world w;
    world_open(&w);
    const char *const pairs[] = {"code", "north", "name", "North"};
    int64_t north = office_row(&w, "territory", pairs, 2), twin = new_id(&w, 3);
    struct change *c = draft_change(&w, 3, CHANGE_CREATE, "territory", twin);
    draft_text(&w, c, "code", "north", on(0));
    draft_text(&w, c, "name", "The North", on(0));
    CHECK_INT(push(&w, 3)->row, north);
    int64_t seq, id = account(&w, "Acme", &seq);
    draft_number(&w, draft_change(&w, 3, CHANGE_EDIT, "account", id), "territory", twin, on(seq));
    const struct receipt_line *line = push(&w, 3);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK(line->edits[0].has_values);                      /* its author may never hear of the alias */
    CHECK_INT(line->edits[0].values[0].number, north);
    CHECK_INT(cell_at(&w, "account", id, "territory").number, north);
    world_close(&w);
}
