/* Texts that fold when they leave, and undo. */
#include "tests/unit/laptop_world.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ texts */

TEST(unsent_edits_of_one_text_become_one_when_they_leave) {
    struct world w;
    struct err err;
    struct buf findings = buf_new(BUF_MAX_LINE);
    int64_t rows;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "one");
    world_set(&w, "account", id, "remarks", "one two");
    world_set(&w, "account", id, "website", "a.example");
    world_set(&w, "account", id, "remarks", "one two three");
    CHECK_INT(world_number(&w, "SELECT count(*) FROM outbox WHERE changes = 1"), 3);
    for (int i = 0; i < 2; i++) {                          /* the reply is lost: the same once more */
        world_ask(&w);
        CHECK_INT(w.request.batch_count, 3);
        CHECK_INT(w.request.batches[0].change_count, 0);
        CHECK_INT(world_asked(&w, 1)->cell_tag, fixture_field(world_entity(&w, "account"), "website")->tag);
        CHECK_SLICE(world_asked(&w, 2)->values[0].text, "one two three");
        CHECK_INT(world_asked(&w, 2)->base.seq, 1);
        CHECK_INT(world_asked(&w, 2)->base.own, 0);
        CHECK_INT(world_asked(&w, 2)->today.own, 0);
    }
    world_set(&w, "account", id, "remarks", "one two three four"); /* the one before was sent: no fold */
    world_ask(&w);
    CHECK_INT(world_asked(&w, 3)->base.own, 3);
    CHECK_OK(store_verify(w.store, NULL, NULL, &findings, &rows, &err));
    CHECK_TEXT(buf_text(&findings), "");
    world_receipts(&w);
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM before_edit"), 0);
    buf_free(&findings);
    world_stop(&w);
}

TEST(each_unsent_edit_of_a_text_is_undone_alone) {
    struct world w;
    struct err err;
    uint32_t undone, fresh;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "one");
    world_set(&w, "account", id, "remarks", "one two");
    world_set(&w, "account", id, "remarks", "one two three");
    CHECK_STATUS(store_undo(w.store, 1, &undone, &fresh, &err), ST_CONFLICT);
    CHECK_OK(store_undo(w.store, 0, &undone, &fresh, &err));
    CHECK_INT(undone, 2);
    CHECK_TEXT(world_text(&w, "account", id, "remarks"), "one two");
    world_set(&w, "account", id, "remarks", "one two 3"); /* stands on the first, as if the second had not been */
    world_ask(&w);
    CHECK_SLICE(world_asked(&w, 2)->values[0].text, "one two 3");
    CHECK_INT(world_asked(&w, 2)->base.own, 0);
    world_receipts(&w);
    world_apply(&w);
    world_set(&w, "account", id, "remarks", "four");
    world_set(&w, "account", id, "remarks", "five");
    for (int i = 0; i < 2; i++) CHECK_OK(store_undo(w.store, 0, &undone, &fresh, &err));
    CHECK_TEXT(world_text(&w, "account", id, "remarks"), "one two 3");
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    world_stop(&w);
}

TEST(a_text_that_folds_leaves_the_rest_of_its_batch_alone) {
    struct world w;
    struct err err;
    bool changed;
    uint32_t batch, undone, fresh;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "one");
    struct field_edit both[] = {world_edit(&w, "account", "remarks", FIELD_EDIT_SET, "one two"),
                                world_edit(&w, "account", "website", FIELD_EDIT_SET, "a.example")};
    CHECK_OK(store_begin(w.store, &err));
    CHECK_OK(store_edit(w.store, world_entity(&w, "account"), id, both, 2, NULL, &changed, &err));
    CHECK_OK(store_commit(w.store, &batch, &err));
    world_set(&w, "account", id, "remarks", "one two three");
    world_ask(&w);
    CHECK_INT(w.request.batches[0].changes[0].edit_count, 1);
    CHECK_SLICE(world_asked(&w, 0)->values[0].text, "a.example");
    CHECK_OK(store_undo(w.store, 2, &undone, &fresh, &err)); /* it was sent: what it left with is taken back */
    CHECK_INT(fresh, 3);
    CHECK_TEXT(world_text(&w, "account", id, "remarks"), "one");
    CHECK_TEXT(world_text(&w, "account", id, "website"), "a.example");
    world_stop(&w);
}

TEST(a_text_of_an_all_or_nothing_batch_stays_in_it) {
    struct world w;
    struct err err;
    bool changed;
    uint32_t batch;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "one");
    struct field_edit edit = world_edit(&w, "account", "remarks", FIELD_EDIT_SET, "one two");
    CHECK_OK(store_begin(w.store, &err));
    store_batch_all_or_nothing(w.store);
    CHECK_OK(store_edit(w.store, world_entity(&w, "account"), id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(w.store, &batch, &err));
    world_set(&w, "account", id, "remarks", "one two three");
    world_ask(&w);
    CHECK_INT(w.request.batches[0].change_count, 1);
    CHECK_INT(world_asked(&w, 1)->base.own, 1);
    world_stop(&w);
}

/* What the first retry was to release, the batch that takes it in releases. */
TEST(a_retried_text_that_folds_releases_all_the_same) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "one");
    world_set(&w, "account", id, "remarks", "one two");
    world_ask(&w);
    struct receipt *r = world_receipt(&w);
    r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_REFUSED;
    r->lines[0].reason = r->lines[0].edits[0].reason = REASON_LIMIT;
    r->lines[0].seq = 0, r->lines[0].edits[0].seq = 1;
    world_values(&w, &r->lines[0].edits[0], "account", "remarks", "one");
    world_apply(&w);
    struct refusal_id held = {1, 0, fixture_field(world_entity(&w, "account"), "remarks")->tag};
    CHECK_OK(store_held_retry(w.store, &held, NULL, 0, &err));
    world_set(&w, "account", id, "remarks", "one two three");
    world_ask(&w);
    CHECK_INT(w.request.batches[0].change_count, 0);
    CHECK_INT(w.request.batches[1].changes[0].retry_count, 1);
    CHECK_INT(w.request.batches[1].changes[0].retry_of[0].batch, 1);
    CHECK_INT(world_number(&w, "SELECT retried FROM held"), 3);
    CHECK_STATUS(store_held_drop(w.store, &held, &err), ST_CONFLICT);
    world_stop(&w);
}

/* A text saved again and again is more than a push holds, and yet one push. */
TEST(a_long_text_saved_often_leaves_once) {
    enum { SAVES = 80, TEXT_BYTES = 20000 };
    struct world w;
    char *text = malloc(TEXT_BYTES + 1);
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "one");
    memset(text, 'x', TEXT_BYTES);
    text[TEXT_BYTES] = 0;
    for (int i = 0; i < SAVES; i++) {
        text[0] = (char)('a' + i % 26);
        world_set(&w, "account", id, "remarks", text);
    }
    world_ask(&w);
    CHECK_INT(w.request.batch_count, SAVES);
    for (int i = 0; i + 1 < SAVES; i++) CHECK_INT(w.request.batches[i].change_count, 0);
    CHECK_INT(world_asked(&w, SAVES - 1)->base.own, 0);
    free(text);
    world_stop(&w);
}

TEST(a_text_of_a_stale_form_is_merged_at_once) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "alpha beta gamma");
    struct form form = world_form(&w, "account", id);
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);              /* seq 2 */
    world_cell(&w, "account", "remarks", "alpha beta gamma delta");
    world_apply(&w);
    world_op(&w, "account", id, "remarks", FIELD_EDIT_SET, "first alpha beta gamma", &form);
    CHECK_TEXT(world_text(&w, "account", id, "remarks"), "first alpha beta gamma delta");
    world_ask(&w);
    CHECK_INT(world_asked(&w, 0)->base.seq, 2);                  /* the result stands on today's base */
    world_stop(&w);
}

/* ------------------------------------------------------------------ undo */

TEST(undo_of_an_edit_shows_what_the_server_has_by_now) {
    struct world w;
    struct err err;
    uint32_t undone, fresh;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old");
    world_set(&w, "account", id, "name", "mine");
    world_reopen(&w);
    world_ask(&w);                                         /* this marks it as sent: a new batch undoes it */
    CHECK_OK(store_undo(w.store, 1, &undone, &fresh, &err));
    CHECK_INT(fresh, 2);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "old");
    CHECK_STATUS(store_undo(w.store, 1, &undone, &fresh, &err), ST_CONFLICT);
    CHECK_STATUS(store_undo(w.store, 9, &undone, &fresh, &err), ST_NOT_FOUND);
    world_ask(&w);
    world_receipts(&w);
    world_apply(&w);
    CHECK_STATUS(store_undo(w.store, 2, &undone, &fresh, &err), ST_CONFLICT);
    CHECK_STATUS(store_undo(w.store, 0, &undone, &fresh, &err), ST_NOT_FOUND);
    world_stop(&w);
}

TEST(an_unsent_edit_undone_after_a_pull_shows_the_pulled_value) {
    struct world w;
    struct err err;
    uint32_t undone, fresh;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old");
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);
    world_cell(&w, "account", "name", "theirs");
    world_set(&w, "account", id, "name", "mine");          /* after the read of the round */
    world_apply(&w);
    CHECK_OK(store_undo(w.store, 0, &undone, &fresh, &err));
    CHECK_TEXT(world_text(&w, "account", id, "name"), "theirs");
    world_stop(&w);
}

TEST(a_creation_is_undone_unless_something_stands_on_it) {
    struct world w;
    struct err err;
    uint32_t undone, fresh;
    char text[32];
    world_start(&w);
    int64_t account = world_add(&w, "account", "name", "Li");
    snprintf(text, sizeof text, "%lld", (long long)account);
    int64_t contact = world_add2(&w, "contact", "account", text, "name", "Wang");
    CHECK_STATUS(store_undo(w.store, 1, &undone, &fresh, &err), ST_CONFLICT);
    CHECK_OK(store_undo(w.store, 0, &undone, &fresh, &err));
    CHECK(!world_sees(&w, "contact", contact));
    CHECK_OK(store_undo(w.store, 0, &undone, &fresh, &err));
    CHECK(!world_sees(&w, "account", account));
    CHECK_INT(world_add(&w, "account", "name", "new"), id_make(WORLD_DEVICE, 3));   /* ids are not used again */
    world_stop(&w);
}

TEST(a_delete_is_undone) {
    struct world w;
    struct err err;
    uint32_t undone, fresh;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "Li");
    world_rm(&w, "account", id);
    CHECK(!world_sees(&w, "account", id));
    CHECK_OK(store_undo(w.store, 0, &undone, &fresh, &err));
    CHECK_TEXT(world_text(&w, "account", id, "name"), "Li");
    world_stop(&w);
}
