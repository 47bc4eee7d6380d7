/* The outbox: batches without a receipt, in order, and what a round asks. */
#include "syncd/store/laptop.h"

#include <string.h>

enum status outbox_newest(struct db *db, uint32_t *out_n, uint32_t *out_counter, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(db, "SELECT n, counter FROM outbox ORDER BY n DESC LIMIT 1", &s, err));
    TRY(db_step(s, &row, err));
    *out_n = row ? (uint32_t)db_int(s, 0) : 0;
    *out_counter = row ? (uint32_t)db_int(s, 1) : 1;
    db_reset(s);
    return ST_OK;
}

/* Columns n, sent, made_ms, counter, content. */
static enum status take_row(struct db_stmt *s, struct arena *mem, struct outbox_row *out,
                            struct err *err) {
    struct outbox_row row = {.n = (uint32_t)db_int(s, 0),
                             .sent = db_int(s, 1) != 0,
                             .made_ms = db_int(s, 2),
                             .counter = (uint32_t)db_int(s, 3)};
    row.content = arena_copy(mem, db_blob(s, 4));
    if (!row.content.data) return err_no_memory(err);
    enum status status = batch_read(row.content, mem, &row.batch, err);
    if (status == ST_NO_MEMORY) return status;
    if (status != ST_OK || row.batch.number != row.n)
        return err_set(err, ST_DAMAGED, "batch %u of the outbox cannot be read: roadbook verify",
                       "待发批次%u无法读取：请运行 roadbook verify", row.n);
    *out = row;
    return ST_OK;
}

enum status outbox_get(struct db *db, uint32_t n, struct arena *mem, struct outbox_row *out,
                       bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(db,
                   "SELECT n, sent, made_ms, counter, content FROM outbox WHERE n = ? AND done = 0",
                   &s, err));
    db_bind_int(s, 1, n);
    TRY(db_step(s, out_found, err));
    enum status status = *out_found ? take_row(s, mem, out, err) : ST_OK;
    db_reset(s);
    return status;
}

/* One query for each batch, so that whoever is called may change the table. */
static enum status next_row(struct db *db, uint32_t from, struct arena *mem, struct outbox_row *out,
                            bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(db,
                   "SELECT n, sent, made_ms, counter, content FROM outbox WHERE n >= ? AND done = "
                   "0 ORDER BY n LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, from);
    TRY(db_step(s, out_found, err));
    enum status status = *out_found ? take_row(s, mem, out, err) : ST_OK;
    db_reset(s);
    return status;
}

enum status outbox_walk(struct db *db, uint32_t from, outbox_each *each, void *ctx,
                        struct err *err) {
    for (;;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        struct outbox_row row;
        bool found;
        TRY(next_row(db, from, &mem, &row, &found, err));
        if (!found) return ST_OK;
        TRY(each(ctx, &row, err));
        from = row.n + 1;
    }
}

enum status outbox_rewrite(struct db *db, const struct batch *batch, struct err *err) {
    struct buf content SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    batch_write(batch, &content);
    TRY(buf_status(&content, err));
    TRY(db_prepare(db, "UPDATE outbox SET content = ?, changes = ? WHERE n = ? AND sent = 0", &s,
                   err));
    db_bind_blob(s, 1, buf_slice(&content));
    db_bind_int(s, 2, (int64_t)batch->change_count);
    db_bind_int(s, 3, batch->number);
    return db_run(s, err);
}

struct outbox_listing {
    store_outbox_row *row;
    void *ctx;
};

static enum status list_entry(void *ctx, struct outbox_row *row, struct err *err) {
    const struct outbox_listing *listing = ctx;
    struct outbox_entry entry = {
        .batch = row->n, .sent = row->sent, .made_ms = row->made_ms, .content = &row->batch};
    return listing->row(listing->ctx, &entry, err);
}

enum status store_outbox(struct store *store, store_outbox_row *row, void *ctx, struct err *err) {
    struct outbox_listing listing = {row, ctx};
    return outbox_walk(store->db, 0, list_entry, &listing, err);
}

/* ------------------------------------------------------------------ replaying after a rescue */

struct replay {
    struct store *store;
    struct local *local;
    struct arena *mem;
};

/* What a cell showed before each is known again: so it can be undone. */
static enum status replay_edits(struct replay *r, uint32_t batch, const struct change *change,
                                struct err *err) {
    const struct entity *e = r->local->e;
    for (size_t i = 0; i < change->edit_count; i++) {
        const struct cell *cell = entity_cell(e, change->edits[i].cell_tag);
        struct value *values, *all;
        if (!cell) continue;
        const struct value *before = &r->local->values[cell->first];
        TRY(before_put(r->store->db, batch, r->local->id, cell->tag, before, cell->count, err));
        TRY(edit_apply(cell, &change->edits[i], before, r->mem, &values, err));
        all = local_copy(r->local, r->mem);
        if (!all) return err_no_memory(err);
        for (size_t k = 0; k < cell->count; k++)
            if (!value_copy(values[k], r->mem, &all[cell->first + k])) return err_no_memory(err);
        TRY(local_write(r->store, r->local, cell_bit(cell), all, err));
    }
    return ST_OK;
}

static enum status replay_batch(void *ctx, struct outbox_row *row, struct err *err) {
    struct replay *r = ctx;
    for (size_t i = 0; i < row->batch.change_count; i++) {
        const struct change *change = &row->batch.changes[i];
        if (change->kind == CHANGE_EDIT && change->row == r->local->id)
            TRY(replay_edits(r, row->n, change, err));
        for (size_t k = 0; k < change->unit_count; k++)
            if (change->unit[k].row == r->local->id)
                TRY(local_set_gone(r->store, r->local, GONE_HIDDEN, r->mem, err));
    }
    return ST_OK;
}

enum status outbox_replay(struct store *store, struct local *local, struct arena *mem,
                          struct err *err) {
    struct replay replay = {store, local, mem};
    return outbox_walk(store->db, 0, replay_batch, &replay, err);
}

/* ------------------------------------------------------------------ what a round asks */

enum {
    PUSH_ROWS_FIRST = 16,
    PUSH_READ_BYTES = 8 * WIRE_PUSH_BYTES /* what folding may make small enough for one push */
};

struct push {
    struct store *store;
    struct arena *mem;
    struct chain chain;
    size_t bytes, read_bytes, changes;
    struct outbox_row *rows;
    size_t count, room;
};

static enum status push_room(struct push *push, struct err *err) {
    if (push->count < push->room) return ST_OK;
    size_t room = push->room ? 2 * push->room : PUSH_ROWS_FIRST;
    struct outbox_row *rows = ARENA_ARRAY(push->mem, room, struct outbox_row);
    if (!rows) return err_no_memory(err);
    if (push->count > 0) memcpy(rows, push->rows, push->count * sizeof *rows);
    push->rows = rows;
    push->room = room;
    return ST_OK;
}

static bool is_full(const struct push *push, size_t bytes, int64_t changes) {
    return push->count > 0 &&
           (push->bytes + bytes > WIRE_PUSH_BYTES || push->read_bytes + bytes > PUSH_READ_BYTES ||
            push->changes + (size_t)changes > WIRE_CHANGES_MAX || push->count == WIRE_BATCHES_MAX);
}

/* What folds counts as it is afterwards. */
static enum status push_row(struct push *push, struct db_stmt *s, bool *out_full, struct err *err) {
    size_t bytes = db_blob(s, 4).len;
    *out_full = is_full(push, bytes, db_int(s, 5));
    if (*out_full) return ST_OK;
    TRY(push_room(push, err));
    struct outbox_row *row = &push->rows[push->count];
    TRY(take_row(s, push->mem, row, err));
    push->count++;
    push->changes += row->batch.change_count;
    push->read_bytes += bytes;
    push->bytes += bytes;
    return fold_texts(push->store, push->rows, push->count, push->mem, &push->bytes, err);
}

static enum status collect(struct push *push, uint32_t after, struct err *err) {
    struct db_stmt *s;
    bool row, full = false;
    enum status status = ST_OK;
    TRY(db_prepare(push->store->db,
                   "SELECT n, sent, made_ms, counter, content, changes FROM outbox WHERE n > ? AND"
                   " done = 0 ORDER BY n",
                   &s, err));
    db_bind_int(s, 1, after);
    while (status == ST_OK && !full) {
        status = db_step(s, &row, err);
        if (status != ST_OK || !row) break;
        status = push_row(push, s, &full, err);
    }
    db_reset(s);
    return status;
}

/* The chain of a batch is fixed by the mark that it was sent. */
static enum status mark_sent(struct push *push, uint32_t n, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(push->store->db,
                   "UPDATE outbox SET sent = 1, chain = ? WHERE n = ? AND sent = 0", &s, err));
    db_bind_blob(s, 1, slice_of(push->chain.bytes, CHAIN_BYTES));
    db_bind_int(s, 2, n);
    return db_run(s, err);
}

static enum status mark_all(struct push *push, struct batch **out, struct err *err) {
    struct batch *batches = ARENA_ARRAY(push->mem, push->count + 1, struct batch);
    if (!batches) return err_no_memory(err);
    for (size_t i = 0; i < push->count; i++) {
        const struct outbox_row *row = &push->rows[i];
        batches[i] = row->batch;
        push->chain = chain_next(&push->chain, row->content);
        if (!row->sent) TRY(mark_sent(push, row->n, err));
    }
    *out = batches;
    return ST_OK;
}

static enum status sign_push(struct store *store, const struct chain *chain,
                             uint8_t out[SIGN_BYTES], struct err *err) {
    struct store_identity identity;
    TRY(store_identity(store, &identity, err));
    struct sign_key key = sign_key_from_seed(identity.key_seed);
    sign_make(&key, slice_of(chain->bytes, CHAIN_BYTES), out);
    bytes_wipe(&key, sizeof key);
    bytes_wipe(&identity, sizeof identity);
    return ST_OK;
}

/* Where the laptop stands: all of a request but clocks and batches. */
static struct round_request position_of(const struct laptop_state *state) {
    return (struct round_request){.epoch = state->epoch,
                                  .cursor = state->cursor,
                                  .top = state->top,
                                  .since = state->since,
                                  .news_version = state->news_version,
                                  .last_batch = state->last_batch,
                                  .last_chain = state->last_chain,
                                  .scope = state->scope,
                                  .has_voucher = state->has_voucher,
                                  .voucher = state->voucher,
                                  .page_bytes = WIRE_PAGE_BYTES / 4};
}

enum status store_round_position(struct store *store, struct round_request *out, struct err *err) {
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    *out = position_of(&laptop->state);
    return ST_OK;
}

static enum status ask(struct store *store, struct arena *mem, struct round_request *out,
                       struct err *err) {
    struct laptop *laptop;
    struct stamp now;
    bool moved;
    TRY(laptop_get(store, &laptop, err));
    struct laptop_state state = laptop->state;
    TRY(clock_note(store, &state, &now, &moved, err));
    if (moved) TRY(state_write(store, &state, err));
    struct push push = {.store = store, .mem = mem, .chain = state.last_chain};
    struct batch *batches;
    struct give_back *given;
    struct chain given_chain;
    TRY(give_back(store, mem, &given, &given_chain, err));
    if (!given) TRY(collect(&push, state.last_batch, err));
    TRY(mark_all(&push, &batches, err));
    struct round_request request = position_of(&state);
    request.envelope = (struct envelope){.now = now,
                                         .expected_offset_ms = state.expected_offset_ms,
                                         .suspect_boot = state.suspect_boot};
    request.batches = batches;
    request.batch_count = push.count;
    TRY(digest_wanted(store, &request.wants_digest, err));
    request.given = given;
    if (given) TRY(sign_push(store, &given_chain, given->signature, err));
    TRY(marks_ask(store, mem, &request, err));
    TRY(added_ask(store, mem, &request, err));
    TRY(facts_tell(store, mem, &request.facts, err));
    if (push.count > 0) TRY(sign_push(store, &push.chain, request.signature, err));
    *out = request;
    return ST_OK;
}

enum status store_round_request(struct store *store, struct arena *mem, struct round_request *out,
                                struct err *err) {
    struct round_request request;
    TRY(db_begin(store->db, true, err));
    enum status status = ask(store, mem, &request, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) {
        store_rollback(store);
        return status;
    }
    *out = request;
    return ST_OK;
}
