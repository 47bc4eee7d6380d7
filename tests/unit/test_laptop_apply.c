/* What a pull and a receipt do on the laptop: one test for each sentence of PROTOCOL.md, with replies made by hand. */
#include "tests/unit/laptop_world.h"

#include <string.h>

enum { A = 1 };                                             /* the counter of the first row that device 1 made */
static int64_t other_row(uint32_t counter) {
    return id_make(1, counter);
}

TEST(a_created_row_becomes_the_servers_by_its_receipt) {
    struct world w;
    world_start(&w);
    int64_t id = world_add(&w, "account", "name", "Li");
    CHECK_INT(id, id_make(WORLD_DEVICE, 1));
    CHECK_INT(world_seq(&w, "account", id), 0);
    CHECK_INT(world_number(&w, "SELECT _seq FROM r_account"), -1);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    world_sync(&w);
    CHECK_INT(world_seq(&w, "account", id), 1);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM outbox WHERE done = 0"), 0);
    world_stop(&w);
}

/* A pulled cell that is pending goes to the pending table; the person's value stays. */
TEST(a_pulled_cell_that_is_pending_does_not_overwrite) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "old");
    world_set(&w, "account", id, "name", "mine");
    world_ask(&w);                                         /* nothing of it is answered: the reply was cut */
    (void)world_record(&w, "account", id, 0);
    world_cell(&w, "account", "name", "theirs");
    world_cell(&w, "account", "website", "their.site");
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "mine");
    CHECK_TEXT(world_text(&w, "account", id, "website"), "their.site");
    CHECK_INT(world_seq(&w, "account", id), 2);
    CHECK_INT(world_number(&w, "SELECT seq FROM pending"), 2);
    world_ask(&w);                                         /* the receipt: it lost; the value is what was pulled */
    struct receipt *r = world_receipt(&w);
    r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_LOST;
    r->lines[0].prev = 2, r->lines[0].edits[0].seq = 2;
    world_values(&w, &r->lines[0].edits[0], "account", "name", "theirs");
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "theirs");
    CHECK_INT(world_seq(&w, "account", id), 3);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    world_stop(&w);
}

/* Later edits of a pending cell keep the base of its first pending edit. */
TEST(a_later_edit_keeps_the_base_of_the_first) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "old");          /* seq 1 */
    world_set(&w, "account", id, "name", "mine");
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);              /* seq 2 comes between */
    world_cell(&w, "account", "name", "theirs");
    world_apply(&w);
    world_set(&w, "account", id, "name", "mine again");
    world_ask(&w);
    CHECK_INT(w.request.batch_count, 2);
    CHECK_INT(w.request.batches[0].changes[0].edits[0].base.seq, 1);
    CHECK_INT(w.request.batches[0].changes[0].edits[0].base.own, 0);
    CHECK_INT(w.request.batches[1].changes[0].edits[0].base.seq, 1);
    CHECK_INT(w.request.batches[1].changes[0].edits[0].base.own, 1);
    CHECK_INT(w.request.batches[1].cursor, 2);
    world_stop(&w);
}

/* A receipt with a later edit behind it is kept; the newer of receipt and pending value stands in the end. */
TEST(the_last_receipt_settles_the_cell) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "old");          /* seq 1 */
    world_set(&w, "account", id, "name", "first");
    world_set(&w, "account", id, "name", "second");
    world_ask(&w);
    struct receipt *r = world_receipt(&w);                 /* only the first: seq 2 */
    r->lines[0].edits[0].seq = 2;
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "second");
    CHECK_INT(world_number(&w, "SELECT own FROM pending"), 2);
    world_ask(&w);
    r = world_receipt(&w);                                 /* the second lost to a value at seq 9, not pulled yet */
    w.seq = 9;
    r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_LOST;
    r->lines[0].prev = 8, r->lines[0].seq = 10, r->lines[0].edits[0].seq = 9;
    world_values(&w, &r->lines[0].edits[0], "account", "name", "winner");
    w.seq = 10;
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "winner");
    CHECK_INT(world_seq(&w, "account", id), 2);            /* 8 is not what is here: only the pull moves it */
    CHECK_INT(world_number(&w, "SELECT seq FROM ahead"), 9);
    world_set(&w, "account", id, "name", "on top");        /* keeps that seq as its base ... */
    world_ask(&w);
    CHECK_INT(w.request.batches[0].changes[0].edits[0].base.seq, 9);
    (void)world_record(&w, "account", id, 0);              /* ... until the row's has passed it */
    world_cell(&w, "account", "website", "x");
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM ahead"), 0);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "on top");
    world_stop(&w);
}

/* A receipt is silent where the server has what was sent: that counts as news too. */
TEST(a_silent_receipt_means_what_was_sent) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "old");
    world_set(&w, "account", id, "name", "mine");
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);              /* seq 2, theirs, in a reply without the receipt */
    world_cell(&w, "account", "name", "theirs");
    world_apply(&w);
    world_ask(&w);
    struct receipt *r = world_receipt(&w);                 /* seq 3: mine won */
    r->lines[0].prev = 2, r->lines[0].edits[0].seq = 3;
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "mine");
    CHECK_INT(world_seq(&w, "account", id), 3);
    world_stop(&w);
}

/* For a row that left the scope a receipt holds no value; the row goes when the outbox names it no more. */
TEST(a_row_out_of_scope_goes_with_its_last_receipt) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "old");
    world_set(&w, "account", id, "name", "one");
    world_set(&w, "account", id, "website", "two.example");
    world_ask(&w);
    struct receipt *r = world_receipt(&w);
    r->lines[0].state = ROW_OUT;
    world_apply(&w);
    CHECK(!world_sees(&w, "account", id));
    CHECK_INT(world_number(&w, "SELECT _gone FROM r_account"), 2);
    world_ask(&w);
    r = world_receipt(&w);
    r->lines[0].state = ROW_OUT;
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    world_stop(&w);
}

/* An edit made between the read and the apply of a round is compared and set, never overwritten. */
TEST(an_edit_between_read_and_apply_is_not_lost) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "old");
    world_set(&w, "account", id, "name", "sent");
    world_ask(&w);
    struct receipt *r = world_receipt(&w);
    world_values(&w, &r->lines[0].edits[0], "account", "name", "merged");
    (void)world_record(&w, "account", id, 0);
    world_cell(&w, "account", "website", "theirs.example");
    world_set(&w, "account", id, "name", "while away");
    world_set(&w, "account", id, "website", "mine.example");
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "while away");
    CHECK_TEXT(world_text(&w, "account", id, "website"), "mine.example");
    world_ask(&w);
    CHECK_INT(w.request.batch_count, 2);
    CHECK_INT(w.request.last_batch, 1);
    world_stop(&w);
}

TEST(an_edit_between_two_slices_is_not_lost) {
    struct world w;
    struct err err;
    struct apply *apply;
    bool done = false;
    world_start(&w);
    int64_t id = other_row(A), last = 0;
    world_pull(&w, "account", id, "name", "old");
    world_ask(&w);
    w.boot_step = 20;                                      /* each look at the clock ends a slice */
    for (uint32_t i = 0; i < 30; i++) {
        last = other_row(A + i);
        (void)world_record(&w, "account", last, RECORD_WHOLE);
        world_cell(&w, "account", "name", "theirs");
    }
    w.reply.head.seq = w.reply.cursor.seq = w.seq;
    CHECK_OK(store_apply_begin(w.store, &w.request, &w.reply, &apply, &err));
    CHECK_OK(store_apply_slice(apply, &done, &err));
    CHECK(!done);
    CHECK_INT(world_number(&w, "SELECT cursor_seq FROM state"), 1);
    w.boot_step = 0;
    world_set(&w, "account", id, "name", "mine");
    while (!done) CHECK_OK(store_apply_slice(apply, &done, &err));
    store_apply_end(apply);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "mine");
    CHECK_TEXT(world_text(&w, "account", last, "name"), "theirs");
    CHECK_INT(world_number(&w, "SELECT cursor_seq FROM state"), 31);
    world_stop(&w);
}

TEST(a_crash_between_slices_is_repeated_and_loses_nothing) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t mine = world_add(&w, "account", "name", "mine");
    world_ask(&w);
    w.boot_step = 20;
    world_receipts(&w);
    for (uint32_t i = 0; i < 20; i++) {
        (void)world_record(&w, "account", other_row(A + i), RECORD_WHOLE);
        world_cell(&w, "account", "name", "theirs");
    }
    CHECK_OK(world_try_apply(&w, 2, &err));                /* then the power goes */
    world_reopen(&w);
    w.boot_step = 0;
    CHECK_INT(world_number(&w, "SELECT cursor_seq FROM state"), 0);
    struct round_reply again = w.reply;
    world_ask(&w);
    CHECK_INT(w.request.cursor.seq, 0);
    CHECK_INT(w.request.top.seq, 21);                      /* it was told so */
    CHECK_INT(w.request.last_batch, 1);
    CHECK_INT(w.request.batch_count, 0);
    w.reply = again;
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 21);
    CHECK_INT(world_seq(&w, "account", mine), 1);
    CHECK_INT(world_number(&w, "SELECT cursor_seq FROM state"), 21);
    world_stop(&w);
}

TEST(a_reply_to_an_older_cursor_is_refused) {
    struct world w;
    struct err err;
    world_start(&w);
    world_ask(&w);
    struct round_request old = w.request;
    world_pull(&w, "account", other_row(A), "name", "x");
    w.request = old;
    CHECK_STATUS(world_try_apply(&w, 10, &err), ST_CONFLICT);
    world_stop(&w);
}

TEST(news_that_is_not_newer_is_skipped) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "now");
    world_ask(&w);
    world_record(&w, "account", id, RECORD_WHOLE)->seq = 1;
    world_cell(&w, "account", "name", "then");
    world_record(&w, "account", id, RECORD_DEAD)->seq = 1;
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "now");
    world_stop(&w);
}

TEST(a_dead_record_takes_the_row_unless_the_outbox_names_it) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A), named = other_row(A + 1);
    world_pull(&w, "account", id, "name", "one");
    world_pull(&w, "account", named, "name", "two");
    world_set(&w, "account", named, "name", "mine");
    world_ask(&w);
    (void)world_record(&w, "account", id, RECORD_DEAD);
    (void)world_record(&w, "account", named, RECORD_DEAD);
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 1);
    CHECK(!world_sees(&w, "account", named));
    world_ask(&w);                                         /* the edit brings it back: it is sent whole */
    world_receipts(&w);
    (void)world_record(&w, "account", named, RECORD_WHOLE);
    world_cell(&w, "account", "name", "mine");
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", named, "name"), "mine");
    world_stop(&w);
}

TEST(a_delete_hides_at_once_and_its_receipt_decides) {
    struct world w;
    world_start(&w);
    int64_t gone = other_row(A), back = other_row(A + 1);
    world_pull(&w, "account", gone, "name", "goes");
    world_pull(&w, "account", back, "name", "stays");
    world_rm(&w, "account", gone);
    world_rm(&w, "account", back);
    CHECK(!world_sees(&w, "account", gone));
    world_ask(&w);
    (void)world_receipt(&w);
    struct receipt *r = world_receipt(&w);                 /* someone edited it: the delete lost */
    r->lines[0].outcome = OUTCOME_LOST;
    r->lines[0].state = ROW_HERE;
    r->lines[0].unit = &(struct unit_state){back, ROW_HERE};
    r->lines[0].unit_count = 1;
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 1);
    CHECK_TEXT(world_text(&w, "account", back, "name"), "stays");
    world_stop(&w);
}

TEST(a_delete_names_what_it_owns_and_cells_with_a_base_of_their_own) {
    struct world w;
    world_start(&w);
    int64_t account = other_row(A);
    world_pull(&w, "account", account, "name", "owner");
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)account);
    int64_t contact = world_add2(&w, "contact", "account", text, "name", "Li");
    world_set(&w, "account", account, "website", "x.example");
    world_rm(&w, "account", account);
    world_ask(&w);
    const struct change *change = &w.request.batches[2].changes[0];
    CHECK_INT(change->kind, CHANGE_DELETE);
    CHECK_INT(change->unit_count, 2);
    CHECK_INT(change->unit[0].row, account);
    CHECK_INT(change->unit[0].base.seq, 1);
    CHECK_INT(change->unit[0].cell_count, 1);
    CHECK_INT(change->unit[0].cells[0].base.own, 2);
    CHECK_INT(change->unit[1].row, contact);
    CHECK_INT(change->unit[1].base.own, 1);
    CHECK(!world_sees(&w, "contact", contact));
    world_stop(&w);
}

/* The alias alone re-points references; nothing becomes pending by it. */
TEST(an_alias_takes_the_loser_and_repoints_what_refers_to_it) {
    struct world w;
    world_start(&w);
    int64_t loser = other_row(A), survivor = other_row(A + 1);
    world_pull(&w, "account", loser, "name", "twin");
    world_pull(&w, "account", survivor, "name", "twin too");
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)loser);
    int64_t contact = world_add2(&w, "contact", "account", text, "name", "Li");
    world_sync(&w);
    world_set(&w, "account", loser, "website", "mine.example");
    world_ask(&w);
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){++w.seq, loser, survivor};
    struct receipt *r = world_receipt(&w);
    r->lines[0].row = survivor;                            /* reached the survivor */
    r->lines[0].prev = 2;
    r->lines[0].edits[0].seq = r->lines[0].seq;
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 1);
    CHECK_INT(world_number(&w, "SELECT account FROM r_contact"), survivor);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    CHECK_TEXT(world_text(&w, "account", survivor, "website"), "mine.example");
    CHECK_INT(world_seq(&w, "account", survivor), 2);      /* news about it, not all of it */
    CHECK(world_sees(&w, "contact", contact));
    world_stop(&w);
}

TEST(a_silent_receipt_of_a_reference_follows_the_alias) {
    struct world w;
    char text[32];
    world_start(&w);
    int64_t loser = other_row(A), survivor = other_row(A + 1), task = other_row(A + 2);
    world_pull(&w, "account", loser, "name", "twin");
    world_pull(&w, "account", survivor, "name", "twin too");
    world_pull(&w, "task", task, "title", "call");
    snprintf(text, sizeof text, "%lld", (long long)loser);
    world_set(&w, "task", task, "account", text);
    world_ask(&w);
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){++w.seq, loser, survivor};
    (void)world_receipt(&w);
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT account FROM r_task"), survivor);
    world_stop(&w);
}

TEST(a_refused_edit_goes_to_quarantine_and_the_cell_shows_the_servers) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "theirs");
    world_set(&w, "account", id, "name", "mine");
    world_ask(&w);
    struct receipt *r = world_receipt(&w);
    r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_REFUSED;
    r->lines[0].reason = r->lines[0].edits[0].reason = REASON_LIMIT;
    r->lines[0].seq = 0, r->lines[0].edits[0].seq = 1;
    world_values(&w, &r->lines[0].edits[0], "account", "name", "theirs");
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "theirs");
    CHECK_INT(world_number(&w, "SELECT count(*) FROM held WHERE state = 0 AND reason = 1"), 1);
    struct refusal_id held = {1, 0, fixture_field(world_entity(&w, "account"), "name")->tag};
    CHECK_OK(store_held_retry(w.store, &held, NULL, 0, &err));
    CHECK_TEXT(world_text(&w, "account", id, "name"), "mine");
    CHECK_STATUS(store_held_retry(w.store, &held, NULL, 0, &err), ST_CONFLICT);
    world_ask(&w);
    const struct change *change = &w.request.batches[0].changes[0];
    CHECK_INT(change->retry_count, 1);
    CHECK_INT(change->retry_of[0].batch, 1);
    CHECK_INT(change->edits[0].base.seq, 1);
    world_receipts(&w);
    w.reply.held[w.reply.held_count++] = (struct held_news){w.seq, held, HELD_RELEASED};
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM held WHERE state = 0"), 0);
    world_stop(&w);
}

TEST(a_refused_creation_goes_and_can_be_sent_again) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t id = world_add(&w, "account", "name", "Li");
    world_set(&w, "account", id, "website", "x.example");
    world_ask(&w);
    for (int i = 0; i < 2; i++) {
        struct receipt *r = world_receipt(&w);
        r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_REFUSED;
        r->lines[0].reason = r->lines[0].edits[0].reason = i ? REASON_DEPENDS : REASON_LIMIT;
        r->lines[0].state = ROW_GONE;
        r->lines[0].seq = r->lines[0].edits[0].seq = 0;
    }
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM held"), 2);
    struct refusal_id whole = {1, 0, 0};
    struct field_edit better = world_edit(&w, "account", "name", FIELD_EDIT_SET, "Li Ltd");
    CHECK_OK(store_held_retry(w.store, &whole, &better, 1, &err));
    CHECK_TEXT(world_text(&w, "account", id, "name"), "Li Ltd");
    world_sync(&w);
    CHECK(world_seq(&w, "account", id) > 0);
    world_stop(&w);
}

TEST(a_lost_edit_is_told_and_can_be_taken_back) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t id = other_row(A);
    const struct entity *e = world_entity(&w, "account");
    world_pull(&w, "account", id, "name", "winner");
    world_ask(&w);
    struct value lost[] = {text_value("loser")}, won[] = {text_value("winner")};
    w.reply.ledger[w.reply.ledger_count++] = (struct ledger_entry){
        .seq = ++w.seq, .entity_tag = e->tag, .row = id, .cell_tag = fixture_field(e, "name")->tag, .loser = lost,
        .winner = won, .value_count = 1, .loser_device = WORLD_DEVICE};
    world_apply(&w);
    struct conflict_choice take = {.seq = w.seq, .take = CONFLICT_TAKE_LOST}, unknown = {.seq = 999};
    size_t written;
    CHECK_OK(store_conflict_resolve(w.store, &take, &written, &err));
    CHECK_INT(written, 1);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "loser");
    CHECK_INT(world_number(&w, "SELECT count(*) FROM ledger WHERE done = 0"), 0);
    CHECK_STATUS(store_conflict_resolve(w.store, &unknown, &written, &err), ST_NOT_FOUND);
    world_stop(&w);
}

/* What the list of conflicts shows as standing is what won then. Who takes his value back has not
 * seen what a third person wrote since: to the server the two are concurrent. */
TEST(taking_a_value_back_has_seen_what_won_and_nothing_later) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t id = other_row(A);
    const struct entity *e = world_entity(&w, "account");
    world_pull(&w, "account", id, "website", "winner");
    world_ask(&w);
    struct value lost = text_value("loser"), won = text_value("winner");
    int64_t decided = ++w.seq;
    w.reply.ledger[w.reply.ledger_count++] =
        (struct ledger_entry){.seq = decided, .entity_tag = e->tag, .row = id, .loser = &lost, .winner = &won,
                              .cell_tag = fixture_field(e, "website")->tag, .value_count = 1, .loser_device = WORLD_DEVICE};
    world_apply(&w);
    world_pull(&w, "account", id, "website", "third");
    CHECK_INT(world_seq(&w, "account", id), decided + 1);
    size_t written;
    struct conflict_choice mine = {.seq = decided, .take = CONFLICT_TAKE_MINE};
    CHECK_OK(store_conflict_resolve(w.store, &mine, &written, &err));
    CHECK_INT(written, 1);
    CHECK_TEXT(world_text(&w, "account", id, "website"), "loser");
    world_ask(&w);
    const struct change *change = &w.request.batches[0].changes[0];
    CHECK_INT(change->edit_count, 1);
    CHECK_INT(change->edits[0].base.seq, decided);
    CHECK_INT(change->edits[0].base.own, 0);
    world_stop(&w);
}

/* Of a text, what the loser lacks of the text that won is taken out; a line of later stays. */
TEST(taking_a_text_back_leaves_what_was_written_since) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t id = other_row(A);
    const struct entity *e = world_entity(&w, "account");
    world_pull(&w, "account", id, "remarks", "theirs\nprice\nterms\ndates");
    world_ask(&w);
    struct value lost = text_value("price\nterms\ndates"), won = text_value("theirs\nprice\nterms\ndates");
    w.reply.ledger[w.reply.ledger_count++] =
        (struct ledger_entry){.seq = ++w.seq, .entity_tag = e->tag, .row = id, .loser = &lost, .winner = &won,
                              .cell_tag = fixture_field(e, "remarks")->tag, .value_count = 1, .loser_device = WORLD_DEVICE};
    world_apply(&w);
    struct conflict_choice mine = {.seq = w.seq, .take = CONFLICT_TAKE_MINE};
    world_pull(&w, "account", id, "remarks", "theirs\nprice\nterms\ndates\nlater");
    size_t written;
    CHECK_OK(store_conflict_resolve(w.store, &mine, &written, &err));
    CHECK_TEXT(world_text(&w, "account", id, "remarks"), "price\nterms\ndates\nlater");
    world_stop(&w);
}

TEST(of_several_conflicts_of_one_seq_each_can_be_settled_and_mine_is_mine_only) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t id = other_row(A);
    const struct entity *e = world_entity(&w, "account");
    world_pull(&w, "account", id, "name", "winner");
    world_ask(&w);
    struct value lost[] = {text_value("loser")}, won[] = {text_value("winner")};
    static const char *const fields[] = {"name", "website", "industry"};
    ++w.seq;
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
        w.reply.ledger[w.reply.ledger_count++] = (struct ledger_entry){
            .seq = w.seq, .entity_tag = e->tag, .row = id, .cell_tag = fixture_field(e, fields[i])->tag, .loser = lost,
            .winner = won, .value_count = 1, .loser_device = i == 1 ? WORLD_DEVICE + 1 : WORLD_DEVICE};
    world_apply(&w);
    size_t written;
    struct conflict_choice one = {w.seq, SLICE("industry"), CONFLICT_KEEP}, none = {w.seq, SLICE("city"), CONFLICT_KEEP};
    struct conflict_choice mine = {.seq = w.seq, .take = CONFLICT_TAKE_MINE};
    CHECK_STATUS(store_conflict_resolve(w.store, &none, &written, &err), ST_NOT_FOUND);
    CHECK_OK(store_conflict_resolve(w.store, &one, &written, &err));
    CHECK_INT(written, 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM ledger WHERE done = 0"), 2);
    CHECK_OK(store_conflict_resolve(w.store, &mine, &written, &err));
    CHECK_INT(written, 2);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "loser");
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account WHERE website IS NULL"), 1);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM ledger WHERE done = 0"), 0);
    world_stop(&w);
}

TEST(a_part_of_a_row_that_is_not_here_makes_it_ask_for_everything) {
    struct world w;
    world_start(&w);
    world_pull(&w, "account", other_row(A), "name", "x");
    world_ask(&w);
    (void)world_record(&w, "account", other_row(A + 1), 0);
    world_cell(&w, "account", "website", "x");
    world_apply(&w);
    world_ask(&w);
    CHECK_INT(w.request.cursor.seq, 0);
    CHECK_INT(w.request.since, 0);
    world_stop(&w);
}

TEST(cells_of_a_newer_release_are_kept) {
    struct world w;
    world_start(&w);
    struct value v[] = {text_value("new")};
    world_ask(&w);
    struct record *record = world_record(&w, "account", other_row(A), RECORD_WHOLE);
    world_cell(&w, "account", "name", "x");
    record->cells[record->cell_count++] = (struct record_cell){999, v, 1};
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT _more IS NOT NULL FROM r_account"), 1);
    world_stop(&w);
}

TEST(receipts_that_do_not_fit_are_refused) {
    struct world w;
    struct err err;
    world_start(&w);
    (void)world_add(&w, "account", "name", "x");
    world_ask(&w);
    struct receipt *r = world_receipt(&w);
    r->line_count = 0;
    CHECK_STATUS(world_try_apply(&w, 10, &err), ST_MALFORMED);
    r->line_count = 1;
    r->batch = 2;
    CHECK_STATUS(world_try_apply(&w, 10, &err), ST_MALFORMED);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM outbox WHERE done = 0"), 1);
    world_stop(&w);
}

TEST(counters_and_sets_take_what_the_receipt_tells) {
    struct world w;
    world_start(&w);
    int64_t id = other_row(A);
    world_pull(&w, "account", id, "name", "x");
    world_op(&w, "account", id, "points", FIELD_EDIT_COUNT, "5", NULL);
    world_op(&w, "account", id, "tags", FIELD_EDIT_ADD, "a", NULL);
    world_ask(&w);
    struct receipt *r = world_receipt(&w);
    world_values(&w, &r->lines[0].edits[0], "account", "points", "12");
    r = world_receipt(&w);                                 /* silent: what is shown is right */
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "points"), "12");
    CHECK_TEXT(world_text(&w, "account", id, "tags"), "a");
    world_stop(&w);
}

static void hear_epoch(struct world *w, int64_t epoch, int64_t back) {
    struct err err;
    struct apply *apply;
    bool done = false;
    struct round_reply reply = {.kind = REPLY_EPOCH, .epoch = epoch, .cursor = {.seq = back}};
    world_ask(w);
    CHECK_OK(store_apply_begin(w->store, &w->request, &reply, &apply, &err));
    CHECK_OK(store_apply_slice(apply, &done, &err));
    CHECK(done);
    store_apply_end(apply);
    world_ask(w);
}

/* First the server hears the older positions; then the log is read again from where both part, and
 * what stands above that keeps its old number, as the base of edits, until news come. */
TEST(a_new_epoch_is_entered_when_the_marks_were_told) {
    struct world w;
    struct err err;
    struct apply *apply;
    world_start(&w);
    world_pull(&w, "account", other_row(A), "name", "x");
    int64_t seq = world_seq(&w, "account", other_row(A));
    CHECK(seq > 0);
    hear_epoch(&w, 2, 0);
    CHECK_INT(w.request.epoch, 1);
    CHECK_INT(w.request.mark_count, 1);
    hear_epoch(&w, 2, 0);
    CHECK_INT(w.request.epoch, 2);
    CHECK_INT(w.request.mark_count, 0);
    CHECK_INT(w.request.cursor.seq, 0);
    CHECK_INT(w.request.since, 0);
    CHECK_INT(world_seq(&w, "account", other_row(A)), seq);
    struct round_reply cloned = {.kind = REPLY_CLONED, .last_batch = 9};
    CHECK_STATUS(store_apply_begin(w.store, &w.request, &cloned, &apply, &err), ST_CLONED);
    world_stop(&w);
}
