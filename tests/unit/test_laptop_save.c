/* Saves: what is logged and on which base, forms, imports, clocks, rescue, a failing disk. */
#include "tests/unit/fault_vfs.h"
#include "tests/unit/laptop_world.h"

#include <string.h>

TEST(an_edit_logs_only_what_really_changes) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "same");
    CHECK_INT(world_set(&w, "account", id, "name", "same"), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM outbox"), 0);
    CHECK_INT(world_set(&w, "account", id, "name", "other"), 1);
    world_stop(&w);
}

/* Base as shown: a form older than the row logs the base of what it showed. */
TEST(a_form_keeps_the_base_of_what_it_showed) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old");                /* seq 1 */
    struct form form = world_form(&w, "account", id);
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);              /* seq 2 */
    world_cell(&w, "account", "name", "theirs");
    world_apply(&w);
    world_op(&w, "account", id, "name", FIELD_EDIT_SET, "mine", &form);
    world_ask(&w);
    CHECK_INT(world_asked(&w, 0)->base.seq, 1);
    CHECK_INT(world_asked(&w, 0)->today.seq, 1);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "mine");
    world_stop(&w);
}

TEST(a_field_that_a_form_did_not_touch_is_not_logged) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old");
    struct form form = world_form(&w, "account", id);
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);
    world_cell(&w, "account", "name", "theirs");
    world_apply(&w);
    CHECK_INT(world_op(&w, "account", id, "name", FIELD_EDIT_SET, "old", &form), 0);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "theirs");
    world_stop(&w);
}

TEST(a_form_that_showed_an_undone_edit_has_the_base_of_that_edit) {
    struct world w;
    struct err err;
    uint32_t undone, fresh;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old");
    world_set(&w, "account", id, "name", "oops");
    struct form form = world_form(&w, "account", id);
    CHECK_OK(store_undo(w.store, 0, &undone, &fresh, &err));
    CHECK_INT(undone, 1);
    CHECK_INT(fresh, 0);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "old");
    world_op(&w, "account", id, "name", FIELD_EDIT_SET, "mine", &form);
    world_ask(&w);
    CHECK_INT(w.request.batch_count, 2);
    CHECK_INT(w.request.batches[0].change_count, 0);       /* the number stays, empty */
    CHECK_INT(world_asked(&w, 1)->base.seq, 1);
    CHECK_INT(world_asked(&w, 1)->base.own, 0);
    world_stop(&w);
}

TEST(counts_and_adds_of_an_old_form_stand_on_today) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "points", "10");
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);              /* seq 2 */
    world_cell(&w, "account", "tags", "a;b");
    world_apply(&w);
    struct form form = world_form(&w, "account", id);
    world_ask(&w);
    (void)world_record(&w, "account", id, 0);              /* seq 3 */
    world_cell(&w, "account", "points", "30");
    world_apply(&w);
    world_op(&w, "account", id, "points", FIELD_EDIT_SET, "15", &form);   /* +5 against what was shown */
    world_op(&w, "account", id, "tags", FIELD_EDIT_ADD, "c", &form);
    world_op(&w, "account", id, "tags", FIELD_EDIT_REMOVE, "a", &form);
    CHECK_TEXT(world_text(&w, "account", id, "points"), "35");
    CHECK_TEXT(world_text(&w, "account", id, "tags"), "b\nc");
    world_ask(&w);
    CHECK_INT(world_asked(&w, 0)->values[0].number, 5);
    CHECK_INT(world_asked(&w, 0)->base.seq, 3);
    CHECK_INT(world_asked(&w, 1)->base.seq, 3);
    CHECK_INT(world_asked(&w, 2)->base.seq, 2);                  /* a remove carries the form's base */
    CHECK_INT(world_asked(&w, 2)->today.seq, 3);
    world_stop(&w);
}

TEST(a_group_travels_as_one) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "city", "Wuxi");
    world_set(&w, "account", id, "street", "Main 1");
    world_ask(&w);
    CHECK_INT(world_asked(&w, 0)->value_count, 4);
    CHECK_SLICE(world_asked(&w, 0)->values[1].text, "Wuxi");
    CHECK_SLICE(world_asked(&w, 0)->values[2].text, "Main 1");
    world_stop(&w);
}

/* ------------------------------------------------------------------ numbers, chains, transactions */

TEST(numbers_and_ids_are_never_used_again) {
    struct world w;
    world_start(&w);
    (void)world_add(&w, "account", "name", "one");
    world_sync(&w);
    world_reopen(&w);
    CHECK_INT(world_add(&w, "account", "name", "two"), id_make(WORLD_DEVICE, 2));
    world_ask(&w);
    CHECK_INT(w.request.batches[0].number, 2);
    CHECK_INT(w.request.last_batch, 1);
    world_stop(&w);
}

TEST(a_batch_that_was_sent_keeps_its_bytes_and_its_chain) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "one");
    world_set(&w, "account", id, "remarks", "two");
    world_ask(&w);
    struct buf bytes = buf_new(BUF_MAX_BATCH);
    batch_write(&w.request.batches[0], &bytes);
    struct chain zero = {{0}}, chain = chain_next(&zero, buf_slice(&bytes));
    uint8_t public_key[SIGN_PUBLIC_BYTES], seed[SIGN_SEED_BYTES];
    memset(seed, 9, sizeof seed);
    struct sign_key key = sign_key_from_seed(seed);
    sign_public(&key, public_key);
    CHECK(sign_check(public_key, slice_of(chain.bytes, CHAIN_BYTES), w.request.signature));
    buf_free(&bytes);
    world_reopen(&w);
    world_set(&w, "account", id, "remarks", "three");
    world_ask(&w);
    CHECK_INT(w.request.batch_count, 2);
    CHECK_SLICE(world_asked(&w, 0)->values[0].text, "two");
    struct buf findings = buf_new(BUF_MAX_LINE);
    struct err err;
    int64_t rows;
    CHECK_OK(store_verify(w.store, NULL, NULL, &findings, &rows, &err));
    CHECK_TEXT(buf_text(&findings), "");
    buf_free(&findings);
    world_stop(&w);
}

static const char *verified(struct world *w) {
    struct buf findings SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct err err;
    int64_t rows;
    CHECK_OK(store_verify(w->store, NULL, NULL, &findings, &rows, &err));
    return arena_printf(&w->f.mem, "%s", buf_text(&findings));
}

TEST(a_row_deleted_here_is_no_fault_of_the_full_text) {
    struct world w;
    world_start(&w);
    int64_t id = world_pulled(&w, "remarks", "some words");
    CHECK_TEXT(verified(&w), "");
    world_rm(&w, "account", id);
    CHECK_TEXT(verified(&w), "");
    world_ask(&w);
    CHECK_TEXT(verified(&w), "");
    world_stop(&w);
}

/* Two laptops may fill a set together beyond what one of them may write. */
TEST(a_set_that_others_overfilled_is_no_fault_and_can_be_emptied) {
    struct world w;
    struct err err;
    world_start(&w);
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    int64_t id = id_make(1, 1);
    bool changed;
    world_pull(&w, "task", id, "title", "count");
    buf_put_text(&sql, "UPDATE r_task SET done_items = '");
    for (int i = 0; i < 66; i++) buf_printf(&sql, "%s%02d", i ? "\n" : "", i);
    buf_put_text(&sql, "'");
    CHECK_OK(db_exec(store_db(w.store), buf_text(&sql), &err));
    CHECK_TEXT(verified(&w), "");
    CHECK(world_op(&w, "task", id, "done_items", FIELD_EDIT_REMOVE, "05", NULL) > 0);
    struct field_edit add = world_edit(&w, "task", "done_items", FIELD_EDIT_ADD, "new");
    CHECK_OK(store_begin(w.store, &err));
    CHECK_STATUS(store_edit(w.store, world_entity(&w, "task"), id, &add, 1, NULL, &changed, &err), ST_INVALID);
    store_rollback(w.store);
    world_stop(&w);
}

TEST(a_rollback_leaves_nothing) {
    struct world w;
    struct err err;
    int64_t id;
    uint32_t batch;
    world_start(&w);
    struct field_edit name = world_edit(&w, "account", "name", FIELD_EDIT_SET, "x");
    CHECK_OK(store_begin(w.store, &err));
    CHECK_OK(store_create(w.store, world_entity(&w, "account"), &name, 1, &id, &err));
    store_rollback(w.store);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 0);
    CHECK_OK(store_begin(w.store, &err));
    CHECK_OK(store_commit(w.store, &batch, &err));
    CHECK_INT(batch, 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM outbox"), 0);
    world_stop(&w);
}

TEST(edits_of_one_row_in_one_transaction_are_one_change) {
    struct world w;
    struct err err;
    uint32_t batch;
    bool changed;
    world_start(&w);
    int64_t id = world_pulled(&w, "points", "10");
    const struct entity *e = world_entity(&w, "account");
    struct field_edit edits[] = {world_edit(&w, "account", "points", FIELD_EDIT_COUNT, "2"),
                                 world_edit(&w, "account", "name", FIELD_EDIT_SET, "a"),
                                 world_edit(&w, "account", "points", FIELD_EDIT_COUNT, "3"),
                                 world_edit(&w, "account", "name", FIELD_EDIT_SET, "b")};
    CHECK_OK(store_begin(w.store, &err));
    for (size_t i = 0; i < ARRAY_COUNT(edits); i++)
        CHECK_OK(store_edit(w.store, e, id, &edits[i], 1, NULL, &changed, &err));
    CHECK_OK(store_commit(w.store, &batch, &err));
    world_ask(&w);
    CHECK_INT(w.request.batches[0].change_count, 1);
    CHECK_INT(w.request.batches[0].changes[0].edit_count, 2);
    CHECK_SLICE(world_asked(&w, 0)->values[0].text, "b");
    CHECK_INT(world_asked(&w, 0)->base.own, 0);
    CHECK_INT(w.request.batches[0].changes[0].edits[1].values[0].number, 5);
    CHECK_TEXT(world_text(&w, "account", id, "points"), "15");
    world_stop(&w);
}

TEST(a_full_batch_says_so_and_keeps_what_it_has) {
    struct world w;
    struct err err;
    int64_t id;
    uint32_t batch;
    enum status status = ST_OK;
    int rows = 0;
    world_start(&w);
    struct field_edit name = world_edit(&w, "account", "name", FIELD_EDIT_SET, "x");
    CHECK_OK(store_begin(w.store, &err));
    while (status == ST_OK && rows < 5000) {
        status = store_create(w.store, world_entity(&w, "account"), &name, 1, &id, &err);
        rows += status == ST_OK;
    }
    CHECK_INT(status, ST_TOO_LARGE);
    CHECK_INT(rows, BATCH_ROWS_MAX);
    CHECK_OK(store_commit(w.store, &batch, &err));
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), BATCH_ROWS_MAX);
    world_sync(&w);
    world_stop(&w);
}

/* ------------------------------------------------------------------ what is refused here */

TEST(saves_are_checked) {
    static const struct {
        const char *name, *entity, *field, *text;
        enum status expected;
    } rows[] = {
        {"a reference to nothing", "contact", "account", "4242424242", ST_INVALID},
        {"a required field emptied", "account", "name", "", ST_INVALID},
        {"a computed field", "account", "open_opportunities", "3", ST_INVALID},
        {"an office field passes, as a change request", "account", "tier", "", ST_OK},
    };
    struct world w;
    struct err err;
    char text[32];
    world_start(&w);
    int64_t account = world_add(&w, "account", "name", "Li");
    snprintf(text, sizeof text, "%lld", (long long)account);
    int64_t contact = world_add2(&w, "contact", "account", text, "name", "Wang");
    for EACH(row, rows) {
        int64_t id = strcmp(row->entity, "account") == 0 ? account : contact;
        CHECK_ROW_INT(row, world_try_set(&w, row->entity, id, row->field, row->text, &err), row->expected);
    }
    int64_t visit = world_add2(&w, "visit", "account", text, "place", "Wuxi");
    CHECK_TEXT(world_text(&w, "visit", visit, "business_date"), "2026-01-01");
    CHECK_OK(world_try_set(&w, "visit", visit, "place", "Suzhou", &err));
    const struct field *state = fixture_field(world_entity(&w, "visit"), "state");
    CHECK_OK(world_try_set(&w, "visit", visit, "state", state->values->values[1].name, &err));
    CHECK_STATUS(world_try_set(&w, "visit", visit, "place", "Nanjing", &err), ST_DENIED);
    int64_t made;
    struct field_edit name = world_edit(&w, "product", "name", FIELD_EDIT_SET, "x");
    CHECK_OK(store_begin(w.store, &err));
    CHECK_STATUS(store_create(w.store, world_entity(&w, "product"), &name, 1, &made, &err), ST_DENIED);
    store_rollback(w.store);
    world_stop(&w);
}

TEST(a_laptop_that_is_not_enrolled_saves_nothing) {
    struct world w;
    struct err err;
    struct store_identity nobody = {.org = "acme"};
    world_start(&w);
    CHECK_OK(store_identity_set(w.store, &nobody, &err));
    CHECK_STATUS(store_begin(w.store, &err), ST_DENIED);
    world_stop(&w);
}

/* ------------------------------------------------------------------ imports */

TEST(an_import_is_taken_back) {
    struct world w;
    struct err err;
    int64_t made, rows, kept;
    uint32_t batch;
    bool changed;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old"), touched;
    const struct entity *e = world_entity(&w, "account");
    struct field_edit name = world_edit(&w, "account", "name", FIELD_EDIT_SET, "imported");
    CHECK_OK(store_begin(w.store, &err));
    store_batch_import(w.store, 77);
    CHECK_OK(store_create(w.store, e, &name, 1, &made, &err));
    CHECK_OK(store_create(w.store, e, &name, 1, &touched, &err));
    CHECK_OK(store_edit(w.store, e, id, &name, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(w.store, &batch, &err));
    world_sync(&w);
    world_set(&w, "account", touched, "website", "x.example");
    CHECK_OK(store_import_revert(w.store, 77, &rows, &kept, &err));
    CHECK_INT(rows, 2);
    CHECK_INT(kept, 1);
    CHECK(!world_sees(&w, "account", made));
    CHECK(world_sees(&w, "account", touched));
    CHECK_TEXT(world_text(&w, "account", id, "name"), "old");
    world_stop(&w);
}

TEST(an_import_that_was_not_sent_leaves_nothing) {
    struct world w;
    struct err err;
    int64_t made, rows, kept;
    uint32_t batch;
    world_start(&w);
    struct field_edit name = world_edit(&w, "account", "name", FIELD_EDIT_SET, "imported");
    CHECK_OK(store_begin(w.store, &err));
    store_batch_import(w.store, 78);
    CHECK_OK(store_create(w.store, world_entity(&w, "account"), &name, 1, &made, &err));
    CHECK_OK(store_commit(w.store, &batch, &err));
    CHECK_OK(store_import_revert(w.store, 78, &rows, &kept, &err));
    CHECK_INT(rows, 1);
    CHECK_INT(kept, 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 0);
    CHECK_INT(world_number(&w, "SELECT sum(changes) FROM outbox"), 0);
    world_stop(&w);
}

/* ------------------------------------------------------------------ clocks */

TEST(steps_of_the_wall_clock_are_summed_up) {
    struct world w;
    struct err err;
    world_start(&w);
    CHECK_OK(store_clock_note(w.store, &err));
    w.wall += 60000, w.boot += 60000;                      /* time passes */
    CHECK_OK(store_clock_note(w.store, &err));
    CHECK_INT(world_number(&w, "SELECT steps FROM state"), 0);
    w.wall -= 3600000, w.boot += 1000;                     /* set back an hour, a second later */
    (void)world_add(&w, "account", "name", "x");
    world_ask(&w);
    CHECK_INT(w.request.envelope.now.steps_ms, -3601000);
    CHECK_INT(w.request.batches[0].stamp.steps_ms, -3601000);
    CHECK_INT(w.request.envelope.expected_offset_ms, -3601000);
    CHECK_INT(w.request.envelope.suspect_boot, 0);
    world_stop(&w);
}

TEST(a_boot_that_begins_with_the_clock_set_back_is_suspect) {
    struct world w;
    struct err err;
    world_start(&w);
    CHECK_OK(store_clock_note(w.store, &err));
    w.boot_id++, w.boot = 5000, w.wall += 1000;
    world_ask(&w);
    CHECK_INT(w.request.envelope.now.boot_number, 2);
    CHECK_INT(w.request.envelope.suspect_boot, 0);
    w.boot += 50000, w.wall += 50000;
    (void)world_add(&w, "account", "name", "x");           /* the last reading is that of the batch */
    w.boot_id++, w.boot = 5000, w.wall -= 40000;
    world_ask(&w);
    CHECK_INT(w.request.envelope.now.boot_number, 3);
    CHECK_INT(w.request.envelope.suspect_boot, 3);
    world_stop(&w);
}

TEST(an_offset_that_moved_unseen_makes_the_boot_suspect) {
    struct world w;
    world_start(&w);
    world_sync(&w);                                        /* offset 0, as expected */
    CHECK_INT(world_number(&w, "SELECT suspect_boot FROM state"), 0);
    world_ask(&w);
    w.reply.time_ms = w.wall - 10000;
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT suspect_boot FROM state"), 1);
    CHECK_INT(world_number(&w, "SELECT expected_offset FROM state"), 10000);
    world_stop(&w);
}

/* ------------------------------------------------------------------ rescue and a failing disk */

TEST(a_damaged_store_gives_back_its_outbox) {
    struct world w;
    struct err err;
    char fresh[160];
    int64_t batches, unreadable;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old");
    int64_t synced = world_add(&w, "account", "name", "synced");
    world_sync(&w);
    int64_t made = world_add(&w, "account", "name", "made");
    world_set(&w, "account", made, "website", "x.example");
    world_set(&w, "account", id, "name", "mine");
    world_ask(&w);
    store_close(w.store);
    w.store = NULL;
    snprintf(fresh, sizeof fresh, "%s/fresh.db", w.f.folder);
    CHECK_OK(store_rescue(w.f.path, fresh, &w.f.cat, &w.env, &batches, &unreadable, &err));
    CHECK_INT(batches, 3);
    CHECK_INT(unreadable, 0);
    snprintf(w.f.path, sizeof w.f.path, "%s/fresh.db", w.f.folder);
    world_reopen(&w);
    CHECK_TEXT(world_text(&w, "account", made, "website"), "x.example");
    CHECK(!world_sees(&w, "account", synced));
    struct chain before = w.request.last_chain;
    world_ask(&w);
    CHECK_INT(w.request.batch_count, 3);
    CHECK_INT(w.request.last_batch, 1);
    CHECK(memcmp(&before, &w.request.last_chain, sizeof before) == 0);
    CHECK_INT(w.request.cursor.seq, 0);
    (void)world_record(&w, "account", id, RECORD_WHOLE);
    world_cell(&w, "account", "name", "old");
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "mine");
    world_sync(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    CHECK(id_counter(world_add(&w, "account", "name", "later")) > id_counter(made));
    world_stop(&w);
}

TEST(what_was_rescued_is_undone_to_what_stood_before) {
    struct world w;
    struct err err;
    char fresh[160];
    int64_t batches, unreadable;
    uint32_t undone, batch;
    world_start(&w);
    int64_t made = world_add(&w, "account", "name", "made");
    world_set(&w, "account", made, "website", "x.example");
    world_set(&w, "account", made, "website", "y.example");
    store_close(w.store);
    w.store = NULL;
    snprintf(fresh, sizeof fresh, "%s/fresh.db", w.f.folder);
    CHECK_OK(store_rescue(w.f.path, fresh, &w.f.cat, &w.env, &batches, &unreadable, &err));
    snprintf(w.f.path, sizeof w.f.path, "%s/fresh.db", w.f.folder);
    world_reopen(&w);
    CHECK_TEXT(world_text(&w, "account", made, "website"), "y.example");
    CHECK_OK(store_undo(w.store, 0, &undone, &batch, &err));
    CHECK_TEXT(world_text(&w, "account", made, "website"), "x.example");
    CHECK_OK(store_undo(w.store, 0, &undone, &batch, &err));
    CHECK_TEXT(world_text(&w, "account", made, "website"), "");
    world_sync(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM before_edit"), 0);
    world_stop(&w);
}

/* One of a save, a request and an apply, with its n-th disk call failing. false: there was none so far. */
enum act { ACT_SAVE, ACT_ASK, ACT_APPLY, ACT_COUNT };

static bool run_with_fault(enum act act, size_t n) {
    struct world w;
    struct err err;
    enum status status = ST_OK;
    world_start(&w);
    int64_t id = world_pulled(&w, "name", "old");
    if (act != ACT_SAVE) world_set(&w, "account", id, "name", "mine");
    if (act == ACT_APPLY) {
        world_ask(&w);
        world_receipts(&w);
    }
    fault_vfs_arm(n, FAULT_DISK_FULL, false);
    switch (act) {
    case ACT_SAVE: status = world_try_set(&w, "account", id, "name", "mine", &err); break;
    case ACT_ASK: status = store_round_request(w.store, &w.f.mem, &w.request, &err); break;
    case ACT_APPLY: status = world_try_apply(&w, 100, &err); break;
    case ACT_COUNT: break;
    }
    bool fired = fault_vfs_fired();
    fault_vfs_disarm();
    world_reopen(&w);
    bool saved = act != ACT_SAVE || status == ST_OK;
    CHECK_TEXT(world_text(&w, "account", id, "name"), saved ? "mine" : "old");
    world_ask(&w);
    CHECK_INT(w.request.batch_count + w.request.last_batch, saved);
    if (act == ACT_APPLY && status == ST_OK) CHECK_INT(w.request.last_batch, 1);
    CHECK_OK(world_try_set(&w, "account", id, "name", "again", &err));
    world_sync(&w);
    CHECK_TEXT(world_text(&w, "account", id, "name"), "again");
    world_stop(&w);
    return fired;
}

TEST(a_disk_that_fails_at_any_write_loses_nothing_that_was_acknowledged) {
    fault_vfs_install();
    for (enum act act = ACT_SAVE; act < ACT_COUNT; act++)
        for (size_t n = 1; run_with_fault(act, n); n++) CHECK(n < 500);
}
