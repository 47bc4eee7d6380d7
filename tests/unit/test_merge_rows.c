/* The rules of the merge at the level of rows: who had seen what, what loses, what comes back, what stays out. */
#include "tests/unit/centre_world.h"

/* ------------------------------------------------------------------ last-writer cells */

TEST(an_edit_that_saw_the_value_applies) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    const struct receipt_line *line = say(&w, 1, id, "industry", "steel", on(seq));
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->prev, seq);
    CHECK_INT(line->seq, seq + 1);
    CHECK_INT(line->edits[0].seq, seq + 1);
    CHECK(!line->edits[0].has_values);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "steel");
    CHECK_INT(ledger_of(&w, id).count, 0);
    world_close(&w);
}

TEST(of_concurrent_edits_the_later_stands_and_the_other_is_in_the_ledger) {
    static const struct {
        const char *name;
        int64_t first_age, second_age;                     /* at the push of the second */
        const char *stands;
        enum outcome outcome;
    } rows[] = {
        {"second is later", 9000, 1000, "second", OUTCOME_APPLIED},
        {"second is earlier though pushed later", 2000, 9000, "first", OUTCOME_LOST},
        {"ties go to server order", 5000, 5000, "first", OUTCOME_LOST},
    };
    for EACH(row, rows) {
        struct world w;
        int64_t seq;
        world_open(&w);
        int64_t id = account(&w, "Acme", &seq), end = w.now + 20000;
        w.now = end - row->first_age;
        struct change *first = draft_change(&w, 0, CHANGE_EDIT, "account", id);
        w.now = end - row->second_age;
        struct change *second = draft_change(&w, 1, CHANGE_EDIT, "account", id);
        draft_text(&w, first, "industry", "first", on(seq));
        draft_text(&w, second, "industry", "second", on(seq));
        w.now = end;
        (void)push(&w, 0);
        const struct receipt_line *line = push(&w, 1);
        CHECK_ROW_INT(row, line->outcome, row->outcome);
        CHECK_ROW_TEXT(row, text_at(&w, "account", id, "industry"), row->stands);
        CHECK_ROW_INT(row, ledger_of(&w, id).count, 1);
        CHECK_ROW(row, line->edits[0].has_values == (row->outcome == OUTCOME_LOST));
        CHECK_ROW_INT(row, line->edits[0].seq, row->outcome == OUTCOME_LOST ? seq + 1 : seq + 2);
        CHECK_ROW_INT(row, line->seq, row->outcome == OUTCOME_LOST ? 0 : seq + 2);
        CHECK_INT(head_of(&w), seq + 2);                   /* what lost took a seq too */
        world_close(&w);
    }
}

TEST(a_ledger_entry_names_both_values_and_both_authors) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct change *early = draft_change(&w, 1, CHANGE_EDIT, "account", id);
    draft_text(&w, early, "industry", "early", on(seq));
    w.now += 5000;
    (void)say(&w, 0, id, "industry", "late", on(seq));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_LOST);
    struct ledger_entry e = ledger_of(&w, id).last;
    CHECK_SLICE(e.loser[0].text, "early");
    CHECK_SLICE(e.winner[0].text, "late");
    CHECK_INT(e.loser_device, w.laptops[1].number);
    CHECK_INT(e.winner_device, w.laptops[0].number);
    CHECK_INT(e.loser_batch, 1);
    CHECK_INT(e.base_seq, seq);
    CHECK_INT(e.rule, RULE_LAST);
    CHECK_INT(e.loser_time_ms, w.now - 5000);
    CHECK_INT(e.winner_time_ms, w.now);
    CHECK(!e.winner_is_new);
    world_close(&w);
}

TEST(of_two_windows_of_one_laptop_the_later_batch_wins_whatever_the_clocks_say) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    w.now += 90000;
    (void)say(&w, 0, id, "industry", "first window", on(seq));
    w.now -= 50000;                                        /* the wall clock was set back; base is the form's */
    const struct receipt_line *line = say(&w, 0, id, "industry", "second window", on(seq));
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "second window");
    CHECK_INT(ledger_of(&w, id).count, 1);
    CHECK_SLICE(ledger_of(&w, id).last.loser[0].text, "first window");
    world_close(&w);
}

TEST(an_own_sequel_is_no_conflict) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    (void)say(&w, 0, id, "industry", "one", on(seq));      /* batch 2, receipt lost: the base stays */
    CHECK_INT(say(&w, 0, id, "industry", "two", on_own(seq, 2))->outcome, OUTCOME_APPLIED);
    CHECK_INT(ledger_of(&w, id).count, 0);
    world_close(&w);
}

TEST(a_strangers_edit_after_an_own_one_is_not_covered_by_the_own_batch) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct change *sequel = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_text(&w, sequel, "industry", "mine again", on_own(seq, 1));
    w.now += 5000;
    (void)say(&w, 1, id, "industry", "stranger", on(seq));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_LOST);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "stranger");
    world_close(&w);
}

TEST(a_wrong_wall_clock_changes_no_outcome) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    (void)say(&w, 1, id, "industry", "now", on(seq));
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    w.laptops[0].batch.stamp.wall_ms = w.now + 1000000000; /* years ahead; the boot clock says 5 s old */
    w.laptops[0].batch.stamp.boot_ms = w.now - 5000;
    draft_text(&w, c, "industry", "older", on(seq));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_LOST);
    world_close(&w);
}

TEST(a_group_is_one_cell) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    for (int at = 0; at < 2; at++) {
        struct edit *e = draft_edit(&w, draft_change(&w, at, CHANGE_EDIT, "account", id), "city", EDIT_SET, on(seq), 4);
        e->values[1] = value_text(at ? SLICE("Xi'an") : SLICE("Lanzhou"));
        e->values[2] = value_text(at ? SLICE("West Street 1") : SLICE("River Road 2"));
        w.now += 1000;
    }
    (void)push(&w, 0);
    (void)push(&w, 1);
    CHECK_TEXT(text_at(&w, "account", id, "city"), "Xi'an");
    CHECK_TEXT(text_at(&w, "account", id, "street"), "West Street 1");
    CHECK_INT(ledger_of(&w, id).count, 1);
    CHECK_INT(ledger_of(&w, id).last.value_count, 4);
    world_close(&w);
}

/* ------------------------------------------------------------------ rules that combine, and precedence */

TEST(counts_add_and_a_sum_is_nobodys_sequel) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    for (int at = 0; at < 2; at++)
        draft_count(&w, draft_change(&w, at, CHANGE_EDIT, "account", id), "points", at ? 5 : 3, on(seq));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    const struct receipt_line *line = push(&w, 1);
    CHECK_INT(line->outcome, OUTCOME_MERGED);
    CHECK(line->edits[0].has_values);
    CHECK_INT(line->edits[0].values[0].number, 8);
    struct centre_row row = row_at(&w, "account", id);
    CHECK_INT(row_clock_of(&row.clock, 25)->device, 0);
    CHECK_INT(ledger_of(&w, id).count, 0);
    world_close(&w);
}

TEST(a_maximum_ignores_what_is_smaller_and_its_clock_stays) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    for (int at = 0; at < 2; at++)
        draft_number(&w, draft_change(&w, at, CHANGE_EDIT, "account", id), "last_contact_on", at ? 100 : 200, on(seq));
    w.now += 1000;
    int64_t won = push(&w, 0)->seq;
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_LOST);
    CHECK_INT(cell_at(&w, "account", id, "last_contact_on").number, 200);
    struct centre_row row = row_at(&w, "account", id);
    CHECK_INT(row_clock_of(&row.clock, 23)->seq, won);
    CHECK_INT(row.seq, won);
    CHECK_INT(ledger_of(&w, id).count, 1);
    world_close(&w);
}

TEST(of_concurrent_steps_of_a_state_the_further_stands_unless_it_is_illegal) {
    static const struct {
        const char *name;
        int64_t first, second, stands;
        enum outcome outcome;
    } rows[] = {
        {"further", 2, 3, 3, OUTCOME_APPLIED},
        {"not as far", 3, 2, 3, OUTCOME_LOST},
        {"from lost to closed is no combined step", 4, 5, 4, OUTCOME_LOST},
    };
    for EACH(row, rows) {
        struct world w;
        int64_t seq;
        world_open(&w);
        int64_t id = account(&w, "Acme", &seq);
        for (int at = 0; at < 2; at++)
            draft_number(&w, draft_change(&w, at, CHANGE_EDIT, "account", id), "status",
                         at ? row->second : row->first, on(seq));
        (void)push(&w, 0);
        CHECK_ROW_INT(row, push(&w, 1)->outcome, row->outcome);
        CHECK_ROW_INT(row, cell_at(&w, "account", id, "status").number, row->stands);
        world_close(&w);
    }
}

TEST(a_remove_takes_only_the_adds_that_it_had_seen) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    draft_elements(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "tags", "big\nold", "", on(seq));
    int64_t added = push(&w, 0)->seq;
    struct change *remove = draft_change(&w, 1, CHANGE_EDIT, "account", id);
    draft_elements(&w, remove, "tags", "", "big\nold", on(added));
    draft_elements(&w, draft_change(&w, 2, CHANGE_EDIT, "account", id), "tags", "big", "", on(added));
    (void)push(&w, 2);                                     /* adds "big" once more, unseen by the remove */
    const struct receipt_line *line = push(&w, 1);
    CHECK_INT(line->outcome, OUTCOME_MERGED);
    CHECK_TEXT(text_at(&w, "account", id, "tags"), "big");
    CHECK_SLICE(line->edits[0].values[0].text, "big");
    world_close(&w);
}

TEST(an_own_add_does_not_hide_a_strangers_from_the_next_remove) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    draft_elements(&w, draft_change(&w, 1, CHANGE_EDIT, "account", id), "tags", "big", "", on(seq));
    (void)push(&w, 1);
    draft_elements(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "tags", "big", "", on(seq));
    (void)push(&w, 0);                                     /* concurrent with the stranger's add */
    draft_elements(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "tags", "", "big", on_own(seq, 2));
    (void)push(&w, 0);                                     /* saw its own add only */
    CHECK_TEXT(text_at(&w, "account", id, "tags"), "big");
    world_close(&w);
}

TEST(texts_are_merged_on_the_version_that_was_shown) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    int64_t base = say(&w, 0, id, "remarks", "pays late\nlikes tea", on_own(seq, 1))->seq;
    struct change *mine = draft_change(&w, 1, CHANGE_EDIT, "account", id);
    draft_text(&w, mine, "remarks", "pays late\nlikes green tea", on(base));
    (void)say(&w, 2, id, "remarks", "pays on time\nlikes tea", on(base));
    const struct receipt_line *line = push(&w, 1);
    CHECK_INT(line->outcome, OUTCOME_MERGED);
    CHECK_TEXT(text_at(&w, "account", id, "remarks"), "pays on time\nlikes green tea");
    CHECK_SLICE(line->edits[0].values[0].text, "pays on time\nlikes green tea");
    CHECK_INT(ledger_of(&w, id).count, 0);
    struct centre_row row = row_at(&w, "account", id);
    CHECK_INT(row_clock_of(&row.clock, 30)->device, 0);    /* a merged value is the server's */
    world_close(&w);
}

TEST(the_base_of_a_text_on_an_own_pending_text_is_that_one) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    int64_t base = say(&w, 0, id, "remarks", "one", on_own(seq, 1))->seq;
    (void)say(&w, 0, id, "remarks", "one two", on(base));  /* batch 3, no receipt at the laptop */
    (void)say(&w, 1, id, "remarks", "zero one two", on(base + 1));
    (void)say(&w, 0, id, "remarks", "one two three", on_own(base, 3));
    CHECK_TEXT(text_at(&w, "account", id, "remarks"), "zero one two three");
    world_close(&w);
}

TEST(overlapping_texts_keep_both_and_tell_the_ledger) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    int64_t base = say(&w, 0, id, "remarks", "red", on_own(seq, 1))->seq;
    struct change *mine = draft_change(&w, 1, CHANGE_EDIT, "account", id);
    draft_text(&w, mine, "remarks", "green", on(base));
    (void)say(&w, 2, id, "remarks", "blue", on(base));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_MERGED);
    const char *both = text_at(&w, "account", id, "remarks");
    CHECK(strstr(both, "blue") && strstr(both, "green"));
    CHECK(strstr(both, "blue") < strstr(both, "green"));
    CHECK_INT(ledger_of(&w, id).count, 1);
    world_close(&w);
}

/* ------------------------------------------------------------------ what stays out */

TEST(what_does_not_come_in_says_why_and_does_not_block_the_rest) {
    struct world w;
    int64_t seq;
    struct quarantine_entry held;
    struct err err = {0};
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_text(&w, c, "industry", "steel", on(seq));
    draft_number(&w, c, "parent", 12345, on(seq));
    draft_number(&w, c, "tier", 3, on(seq));
    draft_number(&w, c, "status", 77, on(seq));
    draft_number(&w, c, "open_opportunities", 1, on(seq));
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_REFUSED);
    CHECK_INT(line->seq, seq + 1);
    CHECK_INT(line->edits[0].outcome, OUTCOME_APPLIED);
    CHECK_INT(line->edits[1].reason, REASON_UNKNOWN_REFERENCE);
    CHECK_INT(line->edits[2].outcome, OUTCOME_WAITING);
    CHECK_INT(line->edits[2].reason, REASON_OFFICE);
    CHECK_INT(line->edits[3].reason, REASON_LIMIT);
    CHECK_INT(line->edits[4].outcome, OUTCOME_REFUSED);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "steel");
    struct refusal_id tier = {2, 0, 18};
    CHECK_OK(centre_quarantine(org_centre(w.org), w.laptops[0].number, &tier, &w.mem, &held, &err));
    CHECK_INT(held.base.seq, seq);
    CHECK_INT(held.outcome, OUTCOME_WAITING);
    struct change kept;
    CHECK_OK(change_read(held.content, &w.mem, &kept, &err));
    CHECK_INT(kept.edit_count, 1);
    CHECK_INT(kept.edits[0].values[0].number, 3);
    world_close(&w);
}

TEST(an_edit_of_a_row_that_is_not_there_is_kept) {
    struct world w;
    int64_t seq;
    struct quarantine_entry held;
    struct err err = {0};
    world_open(&w);
    (void)account(&w, "Acme", &seq);
    const struct receipt_line *line = say(&w, 0, id_make(9, 9), "industry", "x", on(seq));
    CHECK_INT(line->reason, REASON_UNKNOWN_ROW);
    CHECK_INT(line->state, ROW_GONE);
    CHECK_INT(head_of(&w), seq + 1);
    struct refusal_id id = {2, 0, 6};
    CHECK_OK(centre_quarantine(org_centre(w.org), w.laptops[0].number, &id, &w.mem, &held, &err));
    world_close(&w);
}

TEST(creations_are_refused_as_a_whole) {
    static const struct {
        const char *name, *entity;
        bool with_name, with_owner, foreign_id;
        enum outcome outcome;
        enum reason reason;
    } rows[] = {
        {"no required field", "account", false, false, false, OUTCOME_REFUSED, REASON_REQUIRED},
        {"owner not there", "contact", true, true, false, OUTCOME_REFUSED, REASON_UNKNOWN_REFERENCE},
        {"an id of another device", "account", true, false, true, OUTCOME_REFUSED, REASON_DENIED},
        {"only head office creates", "product", true, false, false, OUTCOME_WAITING, REASON_OFFICE},
    };
    for EACH(row, rows) {
        struct world w;
        struct err err = {0};
        struct quarantine_entry held;
        world_open(&w);
        int64_t id = row->foreign_id ? id_make(99, 1) : new_id(&w, 0);
        struct change *c = draft_change(&w, 0, CHANGE_CREATE, row->entity, id);
        if (row->with_owner) draft_number(&w, c, "account", 4711, on(0));
        if (strcmp(row->entity, "product") == 0) draft_text(&w, c, "sku", "1", on(0));
        if (row->with_name) draft_text(&w, c, "name", "x", on(0));
        const struct receipt_line *line = push(&w, 0);
        CHECK_ROW_INT(row, line->outcome, row->outcome);
        CHECK_ROW_INT(row, line->reason, row->reason);
        struct refusal_id whole = {1, 0, 0};
        CHECK_OK(centre_quarantine(org_centre(w.org), w.laptops[0].number, &whole, &w.mem, &held, &err));
        CHECK_ROW_INT(row, held.reason, row->reason);
        world_close(&w);
    }
}

TEST(a_text_on_a_refused_text_waits_with_it_and_other_edits_stand_on_its_base) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    char long_text[30000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    CHECK_INT(say(&w, 0, id, "remarks", long_text, on(seq))->reason, REASON_LIMIT);         /* batch 2 */
    CHECK_INT(say(&w, 0, id, "remarks", "short", on_own(seq, 2))->reason, REASON_DEPENDS);
    memset(long_text + 300, 0, 1);
    CHECK_INT(say(&w, 0, id, "industry", long_text, on(seq))->reason, REASON_LIMIT);        /* batch 4 */
    (void)say(&w, 1, id, "industry", "stranger", on(seq));
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    w.laptops[0].batch.stamp.boot_ms -= 60000;
    draft_text(&w, c, "industry", "mine", on_own(head_of(&w), 4));   /* saw what the refused one saw: no stranger */
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_LOST);
    world_close(&w);
}

TEST(of_an_all_or_nothing_batch_nothing_comes_in_when_something_does_not) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq), other = new_id(&w, 0);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "steel", on(seq));
    draft_text(&w, draft_change(&w, 0, CHANGE_CREATE, "account", other), "name", "Other", on(0));
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "status", 77, on(seq));
    w.laptops[0].batch.flags = BATCH_ALL_OR_NOTHING;
    const struct receipt_line *lines = push(&w, 0);
    CHECK_INT(lines[0].reason, REASON_BATCH);
    CHECK_INT(lines[1].reason, REASON_BATCH);
    CHECK_INT(lines[1].state, ROW_GONE);
    CHECK_INT(lines[2].reason, REASON_LIMIT);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "");
    CHECK_INT(head_of(&w), seq + 3);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "steel", on(seq));
    w.laptops[0].batch.flags = BATCH_ALL_OR_NOTHING;
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    world_close(&w);
}

TEST(a_submitted_visit_is_frozen_and_a_draft_is_its_authors) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t acc = account(&w, "Acme", &seq), visit = new_id(&w, 0);
    struct change *c = draft_change(&w, 0, CHANGE_CREATE, "visit", visit);
    draft_number(&w, c, "account", acc, on(0));
    draft_number(&w, c, "author", w.laptops[0].employee, on(0));
    draft_number(&w, c, "state", 1, on(0));
    int64_t made = push(&w, 0)->seq;
    draft_text(&w, draft_change(&w, 1, CHANGE_EDIT, "visit", visit), "place", "Hall", on(made));
    const struct receipt_line *line = push(&w, 1);
    CHECK_INT(line->outcome, OUTCOME_WAITING);
    CHECK_INT(line->reason, REASON_OWNER);
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "state", 2, on(made));
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "place", "Office", on(made));
    const struct receipt_line *lines = push(&w, 0);        /* in the batch that submits it: belongs to it */
    CHECK_INT(lines[1].outcome, OUTCOME_APPLIED);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "place", "Home", on_own(made, 3));
    CHECK_INT(push(&w, 0)->reason, REASON_FROZEN);
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "state", 1, on(head_of(&w)));
    CHECK_INT(push(&w, 0)->reason, REASON_FROZEN);
    struct change *d = draft_change(&w, 0, CHANGE_DELETE, "visit", visit);
    draft_unit(&w, d, "visit", visit, on(head_of(&w)));
    CHECK_INT(push(&w, 0)->reason, REASON_FROZEN);
    CHECK_TEXT(text_at(&w, "visit", visit, "place"), "Office");
    world_close(&w);
}

TEST(cells_of_a_later_release_are_kept_and_passed_on) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    while (pull(&w, 1, 0)->more) {}
    struct edit *e = draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "new", on(seq));
    e->cell_tag = 900;
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->edits[0].seq, line->seq);
    const struct round_reply *reply = pull(&w, 1, 0);
    CHECK_INT(reply->record_count, 1);
    CHECK_INT(reply->records[0].cell_count, 1);
    CHECK_INT(reply->records[0].cells[0].cell_tag, 900);
    CHECK_SLICE(reply->records[0].cells[0].values[0].text, "new");
    draft_count(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "points", 1, on(seq))->cell_tag = 901;
    CHECK_INT(push(&w, 0)->reason, REASON_UNKNOWN_FIELD);  /* how to add is not known here */
    world_close(&w);
}

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
    CHECK(!line->edits[0].has_values);
    CHECK_INT(cell_at(&w, "account", id, "territory").number, north);
    world_close(&w);
}

/* ------------------------------------------------------------------ head office */

TEST(head_office_decides_and_the_author_is_told) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    while (pull(&w, 0, 0)->more) {}
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_number(&w, c, "tier", 3, on(seq));
    draft_edit(&w, c, "credit_limit", EDIT_SET, on(seq), 2)->values[0] = value_int(500000);
    (void)push(&w, 0);
    struct refusal_id tier = {2, 0, 18}, credit = {2, 0, 19};
    uint32_t device = w.laptops[0].number;
    CHECK_OK(org_decide(w.org, device, &tier, true, SLICE("Qian"), &err));
    CHECK_OK(org_decide(w.org, device, &credit, false, SLICE("Qian"), &err));
    CHECK_STATUS(org_decide(w.org, device, &tier, false, SLICE("Qian"), &err), ST_CONFLICT);
    CHECK_INT(cell_at(&w, "account", id, "tier").number, 3);
    CHECK_INT(cell_at(&w, "account", id, "credit_limit").kind, VALUE_NULL);
    const struct round_reply *reply = pull(&w, 0, 0);
    CHECK_INT(reply->held_count, 2);
    CHECK_INT(reply->held[0].state, HELD_APPROVED);
    CHECK_INT(reply->held[0].id.cell_tag, 18);
    CHECK_INT(reply->held[1].state, HELD_DECLINED);
    CHECK_INT(pull(&w, 1, 0)->held_count, 0);
    world_close(&w);
}

TEST(a_retry_releases_its_entry) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    while (pull(&w, 0, 0)->more) {}
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "status", 77, on(seq));
    (void)push(&w, 0);
    struct refusal_id old = {2, 0, 22};
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_number(&w, c, "status", 2, on(seq));
    c->retry_of = &old;
    c->retry_count = 1;
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    CHECK_INT(w.reply.held_count, 1);
    CHECK_INT(w.reply.held[0].state, HELD_RELEASED);
    world_close(&w);
}

static enum status remember(void *ctx, const struct centre_history *line, struct err *err) {
    char *out = ctx;
    (void)err;
    (void)snprintf(out + strlen(out), 200 - strlen(out), "%.*s:%.*s@%lld ", (int)line->person.len,
                   (const char *)line->person.data, (int)line->values[0].text.len,
                   (const char *)line->values[0].text.data, (long long)line->base.seq);
    return ST_OK;
}

TEST(history_says_who_changed_a_cell_having_seen_what) {
    struct world w;
    struct err err = {0};
    char told[200] = "", expected[200];
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    int64_t first = say(&w, 1, id, "name", "Acme Ltd", on(seq))->seq;
    (void)say(&w, 0, id, "industry", "steel", on(seq));
    (void)say(&w, 2, id, "name", "Acme Group", on(first));
    CHECK_OK(centre_history(org_centre(w.org), id, 1, remember, told, &err));
    (void)snprintf(expected, sizeof expected, "wang:Acme@0 li:Acme Ltd@%lld zhao:Acme Group@%lld ", (long long)seq,
                   (long long)first);
    CHECK_TEXT(told, expected);
    world_close(&w);
}

TEST(a_row_that_nobody_edited_has_few_hidden_bytes) {
    struct clock made = {.seq = 100000, .device = 300, .batch = 5000, .time_ms = 1780000000000};
    struct row_clock clock = {.row = made}, again;
    struct arena mem = arena_new(65536);
    struct err err = {0};
    struct buf bytes = buf_new(BUF_MAX_LINE);
    row_clock_write(&clock, &bytes);
    CHECK(bytes.len <= 15);
    struct dot dots[2] = {{SLICE("a"), {.seq = 100002, .device = 7}}, {SLICE("b"), {.seq = 100001, .via = 9}}};
    CHECK_OK(row_clock_put(&clock, 14, &dots[0].clock, dots, 2, &mem, &err));
    CHECK_OK(row_clock_put(&clock, 3, &dots[1].clock, NULL, 0, &mem, &err));
    buf_reset(&bytes);
    row_clock_write(&clock, &bytes);
    CHECK_OK(row_clock_read(buf_slice(&bytes), &mem, &again, &err));
    CHECK_INT(again.count, 2);
    CHECK_INT(again.cells[0].tag, 3);
    CHECK_INT(again.cells[0].clock.via, 9);
    CHECK_INT(again.cells[1].dot_count, 2);
    CHECK_INT(again.cells[1].dots[1].clock.seq, 100001);
    for (size_t cut = 0; cut < bytes.len; cut++) {         /* cut anywhere: an answer, never a crash */
        struct row_clock part;
        (void)!row_clock_read(slice_of(bytes.data, cut), &mem, &part, &err);
    }
    buf_free(&bytes);
    arena_clear(&mem);
}
