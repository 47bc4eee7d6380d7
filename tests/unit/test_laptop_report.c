/* What the store tells people about their work: receipts, quarantine, history, status, names. */
#include "syncd/store/laptop.h"
#include "tests/unit/laptop_world.h"

#include <string.h>

struct seen {
    int count;
    enum outcome outcomes[8];
    uint32_t cells[8];
    int64_t rows[8];
};

static enum status see_note(void *ctx, const struct receipt_note *note, struct err *err) {
    struct seen *seen = ctx;
    (void)err;
    CHECK(seen->count < 8);
    seen->outcomes[seen->count] = note->outcome;
    seen->cells[seen->count] = note->cell_tag;
    seen->rows[seen->count++] = note->row;
    return ST_OK;
}

TEST(receipts_tell_the_newest_first_and_edits_that_fared_otherwise) {
    struct world w;
    struct err err;
    world_start(&w);
    int64_t first = world_add(&w, "account", "name", "Li");
    int64_t second = world_add2(&w, "account", "name", "Wang", "website", "x.example");
    world_ask(&w);
    (void)world_receipt(&w);
    struct receipt *r = world_receipt(&w);
    r->lines[0].outcome = OUTCOME_WAITING;
    r->lines[0].edits[1].outcome = OUTCOME_WAITING;
    r->lines[0].edits[1].reason = REASON_OFFICE;
    uint32_t cell = r->lines[0].edits[1].cell_tag;
    world_values(&w, &r->lines[0].edits[1], "account", "website", "");
    world_apply(&w);
    struct seen seen = {0};
    CHECK_OK(store_receipts(w.store, 0, see_note, &seen, &err));
    size_t states = 1;                                     /* the account's first state came in as well */
    CHECK_INT(seen.rows[0], second);
    CHECK_INT(seen.outcomes[0], OUTCOME_WAITING);
    CHECK_INT(seen.rows[seen.count - 1], first);
    CHECK_INT(seen.outcomes[seen.count - 1], OUTCOME_APPLIED);
    CHECK_INT(seen.count, 3 + (int)states);                /* two changes, and two edits that were applied */
    struct seen one = {0};
    CHECK_OK(store_receipts(w.store, 1, see_note, &one, &err));
    CHECK_INT(one.count, 1);
    CHECK_INT(world_number(&w, "SELECT cell FROM held"), cell);
    CHECK_TEXT(world_text(&w, "account", second, "website"), "");
    world_stop(&w);
}

static enum status see_held(void *ctx, const struct held *held, struct err *err) {
    (void)err;
    CHECK_INT(held->change->edit_count, 1);
    CHECK_INT(held->reason, REASON_LIMIT);
    ++*(int *)ctx;
    return ST_OK;
}

TEST(held_edits_are_listed_until_they_are_dropped) {
    struct world w;
    struct err err;
    int count = 0;
    world_start(&w);
    int64_t id = id_make(1, 1);
    world_pull(&w, "account", id, "name", "theirs");
    world_set(&w, "account", id, "name", "mine");
    world_ask(&w);
    struct receipt *r = world_receipt(&w);
    r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_REFUSED;
    r->lines[0].edits[0].reason = REASON_LIMIT;
    r->lines[0].seq = 0;
    world_values(&w, &r->lines[0].edits[0], "account", "name", "theirs");
    world_apply(&w);
    CHECK_OK(store_held(w.store, false, see_held, &count, &err));
    CHECK_INT(count, 1);
    struct refusal_id held = {1, 0, r->lines[0].edits[0].cell_tag};
    CHECK_OK(store_held_drop(w.store, &held, &err));
    CHECK_OK(store_held(w.store, false, see_held, &count, &err));
    CHECK_INT(count, 1);
    CHECK_OK(store_held(w.store, true, see_held, &count, &err));
    CHECK_INT(count, 2);
    CHECK_STATUS(store_held_retry(w.store, &held, NULL, 0, &err), ST_NOT_FOUND);
    world_stop(&w);
}

static enum status see_line(void *ctx, const struct history_line *line, struct err *err) {
    (void)err;
    buf_printf(ctx, "%s by %.*s; ", line->what, (int)line->person.len, (const char *)line->person.data);
    return ST_OK;
}

TEST(history_tells_who_made_it_and_what_waits) {
    struct world w;
    struct err err;
    struct buf text = buf_new(BUF_MAX_LINE);
    struct person people[] = {{1, 0, SLICE("王芳")}, {WORLD_DEVICE, 0, SLICE("Li")}};
    world_start(&w);
    int64_t id = id_make(1, 1);
    world_pull(&w, "account", id, "name", "old");
    world_ask(&w);
    w.reply.has_news = true;
    w.reply.news_version = 4;
    w.reply.people = people;
    w.reply.people_count = 2;
    world_apply(&w);
    world_set(&w, "account", id, "name", "new");
    world_rm(&w, "account", id);
    CHECK_OK(store_history(w.store, world_entity(&w, "account"), id, see_line, &text, &err));
    CHECK_TEXT(buf_text(&text), "create by 王芳; edit by Li; delete by Li; ");
    world_ask(&w);
    CHECK_INT(w.request.news_version, 4);
    buf_free(&text);
    world_stop(&w);
}

static enum status see_values(void *ctx, const struct history_line *line, struct err *err) {
    (void)err;
    struct value v = line->value_count ? line->values[0] : value_null();
    buf_printf(ctx, "%s %.*s ", line->what, (int)line->person.len, (const char *)line->person.data);
    if (v.kind == VALUE_TEXT) buf_put_slice(ctx, v.text);
    if (v.kind == VALUE_INT) buf_printf(ctx, "%lld", (long long)v.number);
    buf_printf(ctx, " %.*s; ", (int)line->detail.len, (const char *)line->detail.data);
    return ST_OK;
}

static int64_t past_count(struct world *w) {
    int64_t n;
    struct err err;
    CHECK_OK(laptop_number(w->store, "SELECT count(*) FROM past", &n, &err));
    return n;
}

TEST(history_keeps_own_values_and_tells_what_the_server_changed) {
    struct world w;
    struct err err;
    struct buf text = buf_new(BUF_MAX_LINE);
    world_start(&w);
    int64_t id = id_make(1, 1);
    world_pull(&w, "account", id, "name", "old");
    CHECK_INT(past_count(&w), 0);                             /* a row that comes is no change of it */
    world_set(&w, "account", id, "name", "mine");
    world_ask(&w);
    world_receipt(&w);
    world_apply(&w);
    world_pull(&w, "account", id, "name", "theirs");
    world_pull(&w, "account", id, "name", "theirs");          /* the same again says nothing new */
    CHECK_OK(store_history(w.store, world_entity(&w, "account"), id, see_values, &text, &err));
    CHECK_TEXT(buf_text(&text), "create device 1  ; edit device 3 mine applied; news  theirs ; ");
    CHECK_INT(past_count(&w), 2);
    buf_free(&text);
    world_stop(&w);
}

TEST(a_row_that_leaves_takes_its_past_along) {
    struct world w;
    world_start(&w);
    int64_t id = id_make(1, 1);
    world_pull(&w, "account", id, "name", "old");
    world_pull(&w, "account", id, "name", "new");
    CHECK_INT(past_count(&w), 1);
    world_ask(&w);
    world_record(&w, "account", id, RECORD_DEAD);
    world_apply(&w);
    CHECK_INT(past_count(&w), 0);
    world_stop(&w);
}

TEST(status_counts_what_is_there_and_what_waits) {
    struct world w;
    struct err err, failure;
    struct store_status st;
    world_start(&w);
    int64_t id = id_make(1, 1);
    world_pull(&w, "account", id, "name", "old");
    world_set(&w, "account", id, "name", "new");
    world_ask(&w);
    (void)world_add(&w, "account", "name", "more");
    (void)err_set(&failure, ST_OFFLINE, "no road", "没有路");
    CHECK_OK(store_attempt(w.store, &failure, &err));
    CHECK_OK(store_status(w.store, &st, &err));
    CHECK_INT(st.rows, 2);
    CHECK_INT(st.outbox_batches, 2);
    CHECK_INT(st.outbox_changes, 2);
    CHECK_INT(st.unsent_batches, 1);
    CHECK_INT(st.cursor, 1);
    CHECK_INT(st.complete, true);
    CHECK_INT(st.last_attempt_ms, w.wall);
    CHECK_TEXT(st.last_error[LANG_ZH], "没有路");
    CHECK_OK(store_attempt(w.store, NULL, &err));
    CHECK_OK(store_status(w.store, &st, &err));
    CHECK_TEXT(st.last_error[LANG_EN], "");
    world_stop(&w);
}
