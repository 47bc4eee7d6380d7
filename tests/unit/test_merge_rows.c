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

/* An edit is younger than what its author was shown, whatever its clocks say: else who was not shown it could beat it. */
TEST(an_edit_counts_as_made_no_earlier_than_what_it_stands_on) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    w.now += 50000;
    struct change *late = draft_change(&w, 1, CHANGE_EDIT, "account", id);
    draft_text(&w, late, "industry", "had not seen it", on(seq));
    w.now += 50000;
    int64_t shown = say(&w, 2, id, "industry", "shown", on(seq))->seq;
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_text(&w, c, "industry", "had seen it", on(shown));
    int64_t base_time = w.now;
    w.now += 50000;
    w.laptops[0].batch.stamp.boot_ms = base_time - 90000;  /* 40 s before the one that comes last */
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    struct centre_row row = row_at(&w, "account", id);
    CHECK_INT(row_clock_of(&row.clock, 6)->time_ms, base_time);
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_LOST);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "had seen it");
    CHECK_INT(ledger_of(&w, id).count, 1);
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

/* ------------------------------------------------------------------ what is kept of a merge */

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
