/* What the file knows about the server and about the clocks of its machine.
 *
 * The wall clock may jump, the boot clock may not: while both tick, their difference tells of
 * steps, which are summed up, so that the server can work out the age of an edit. Across a restart
 * only a wall clock that went back betrays itself; such a boot is suspect, and ages from before it
 * count as unknown.
 */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *const state_columns =
    "epoch, cursor_seq, cursor_chain, top_seq, top_chain, since, "
    "news_version, last_batch, last_chain, boot_id,"
    " boot_number, suspect_boot, note_wall, note_boot, steps, "
    "expected_offset, head, round_ms, complete, unknown,"
    " scope_told, scope_ready, scope_filling, scope_home,"
    " scope_entity, scope_row, seen_ms, lease_ms, lease_days, voucher,"
    " voucher_batch";

static struct chain chain_of(struct slice s) {
    struct chain chain = {{0}};
    if (s.len == CHAIN_BYTES) memcpy(chain.bytes, s.data, CHAIN_BYTES);
    return chain;
}

void state_take(struct db_stmt *s, struct laptop_state *out) {
    *out = (struct laptop_state){
        .epoch = db_int(s, 0),
        .cursor = {db_int(s, 1), chain_of(db_blob(s, 2))},
        .top = {db_int(s, 3), chain_of(db_blob(s, 4))},
        .since = db_int(s, 5),
        .news_version = db_int(s, 6),
        .last_batch = (uint32_t)db_int(s, 7),
        .last_chain = chain_of(db_blob(s, 8)),
        .boot_id = (uint64_t)db_int(s, 9),
        .boot_number = (uint32_t)db_int(s, 10),
        .suspect_boot = (uint32_t)db_int(s, 11),
        .note_wall_ms = db_int(s, 12),
        .note_boot_ms = db_int(s, 13),
        .steps_ms = db_int(s, 14),
        .expected_offset_ms = db_int(s, 15),
        .head = db_int(s, 16),
        .round_ms = db_int(s, 17),
        .complete = db_int(s, 18) != 0,
        .unknown = chain_of(db_blob(s, 19)),
        .scope = {.told = db_int(s, 20),
                  .ready = db_int(s, 21),
                  .filling = db_int(s, 22),
                  .at = {db_int(s, 23), (uint32_t)db_int(s, 24), db_int(s, 25)}},
        .seen_ms = db_int(s, 26),
        .lease_ms = db_int(s, 27),
        .lease_days = (uint32_t)db_int(s, 28),
        .has_voucher = db_blob(s, 29).len == VOUCHER_BYTES,
        .voucher = {.last_batch = (uint32_t)db_int(s, 30)},
    };
    if (out->has_voucher) memcpy(out->voucher.mac, db_blob(s, 29).data, VOUCHER_BYTES);
}

enum status state_read(struct db *db, struct laptop_state *out, bool *out_found, struct err *err) {
    struct db_stmt *s;
    bool row;
    char sql[512];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM state WHERE one = 1", state_columns);
    TRY(db_prepare(db, sql, &s, err));
    TRY(db_step(s, &row, err));
    if (row) state_take(s, out);
    db_reset(s);
    *out_found = row;
    return ST_OK;
}

enum status state_write(struct store *store, const struct laptop_state *state, struct err *err) {
    struct db_stmt *s;
    char sql[640];
    const int64_t numbers[] = {1,
                               state->epoch,
                               state->cursor.seq,
                               0,
                               state->top.seq,
                               0,
                               state->since,
                               state->news_version,
                               state->last_batch,
                               0,
                               (int64_t)state->boot_id,
                               state->boot_number,
                               state->suspect_boot,
                               state->note_wall_ms,
                               state->note_boot_ms,
                               state->steps_ms,
                               state->expected_offset_ms,
                               state->head,
                               state->round_ms,
                               state->complete,
                               0,
                               state->scope.told,
                               state->scope.ready,
                               state->scope.filling,
                               state->scope.at.home,
                               state->scope.at.entity_tag,
                               state->scope.at.row,
                               state->seen_ms,
                               state->lease_ms,
                               state->lease_days,
                               0,
                               state->voucher.last_batch};
    (void)snprintf(sql, sizeof sql,
                   "INSERT OR REPLACE INTO state(one, %s)"
                   " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                   state_columns);
    TRY(db_prepare(store->db, sql, &s, err));
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    db_bind_blob(s, 4, slice_of(state->cursor.chain.bytes, CHAIN_BYTES));
    db_bind_blob(s, 6, slice_of(state->top.chain.bytes, CHAIN_BYTES));
    db_bind_blob(s, 10, slice_of(state->last_chain.bytes, CHAIN_BYTES));
    db_bind_blob(s, 21, slice_of(state->unknown.bytes, CHAIN_BYTES));
    db_bind_blob(s, 31, slice_of(state->voucher.mac, state->has_voucher ? VOUCHER_BYTES : 0));
    TRY(db_run(s, err));
    if (store->laptop) store->laptop->state = *state;
    return ST_OK;
}

/* A release that knows more entities than the one that passed over some asks for everything once
 * more. */
static void state_after_upgrade(const struct store *store, struct laptop_state *state) {
    static const struct chain none = {{0}};
    bool passed_over = memcmp(&state->unknown, &none, sizeof none) != 0;
    if (!passed_over || memcmp(&state->unknown, &store->cat->release, sizeof none) == 0) return;
    state->cursor = (struct position){0};
    state->since = 0;
    scope_restart(state);
    state->unknown = none;
}

static enum status laptop_load(struct store *store, struct laptop *laptop, struct err *err) {
    struct laptop_state state = {.epoch = 1};
    struct store_identity identity;
    bool found;
    TRY(state_read(store->db, &state, &found, err));
    if (!found) state = (struct laptop_state){.epoch = 1};
    state_after_upgrade(store, &state);
    TRY(store_identity(store, &identity, err));
    laptop->device = identity.device;
    laptop->employee = identity.employee;
    bytes_wipe(&identity, sizeof identity);
    laptop->state = state;
    laptop->known = true;
    return lost_load(store, laptop, err);
}

enum status laptop_get(struct store *store, struct laptop **out, struct err *err) {
    int64_t version;
    assert(store->kind == STORE_LAPTOP);
    if (!store->laptop) {
        store->laptop = calloc(1, sizeof *store->laptop);
        if (!store->laptop) return err_no_memory(err);
    }
    struct laptop *laptop = store->laptop;
    TRY(db_data_version(store->db, &version, err));
    if (!laptop->known || laptop->data_version != version) {
        laptop->data_version = version;
        refs_forget(store);
        TRY(added_refresh(store, err));
        TRY(laptop_load(store, laptop, err));
    }
    *out = laptop;
    return ST_OK;
}

void laptop_stop(struct store *store) {
    if (!store->laptop) return;
    if (store->laptop->save.open) store_rollback(store);
    arena_clear(&store->laptop->save.mem);
    free(store->laptop);
    store->laptop = NULL;
}

/* ------------------------------------------------------------------ clocks */

/* The newest batch may have been written after the last reading that was noted. */
static enum status last_wall(struct store *store, const struct laptop_state *state, int64_t *out,
                             struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct outbox_row row;
    uint32_t newest, counter;
    bool found;
    *out = state->note_wall_ms;
    TRY(outbox_newest(store->db, &newest, &counter, err));
    TRY(outbox_get(store->db, newest, &mem, &row, &found, err));
    if (!found) return ST_OK;
    const struct stamp *made = &row.batch.stamp;
    bool later = made->boot_number == state->boot_number && made->boot_ms > state->note_boot_ms;
    if (later) *out = made->wall_ms;
    return ST_OK;
}

static enum status note_new_boot(struct store *store, struct laptop_state *state, uint64_t boot_id,
                                 int64_t wall, struct err *err) {
    int64_t last;
    TRY(last_wall(store, state, &last, err));
    state->boot_id = boot_id;
    state->boot_number++;
    if (wall < last) state->suspect_boot = state->boot_number;
    return ST_OK;
}

enum status clock_note(struct store *store, struct laptop_state *state, struct stamp *out_now,
                       bool *out_moved, struct err *err) {
    const struct env *env = store->env;
    int64_t wall = env->wall_ms(env->ctx), boot = env->boot_ms(env->ctx);
    uint64_t boot_id = env->boot_id(env->ctx);
    bool moved = state->boot_number == 0 || state->boot_id != boot_id;
    int64_t server_ms = lease_now(state, boot_id, boot);
    if (moved) {
        TRY(note_new_boot(store, state, boot_id, wall, err));
    } else {
        int64_t step = (wall - state->note_wall_ms) - (boot - state->note_boot_ms);
        if (step > CLOCK_SLACK_MS || step < -CLOCK_SLACK_MS) {
            state->steps_ms += step;
            state->expected_offset_ms += step;
            moved = true;
        }
    }
    if (moved || boot - state->note_boot_ms >= CLOCK_NOTE_MS) {
        state->note_wall_ms = wall;
        state->note_boot_ms = boot;
        state->seen_ms = server_ms;
    }
    *out_now = (struct stamp){.wall_ms = wall,
                              .boot_number = state->boot_number,
                              .boot_ms = boot,
                              .steps_ms = state->steps_ms};
    *out_moved = moved;
    return ST_OK;
}

/* An offset that moved though no step was seen moved while the machine was off. */
void clock_meet(struct laptop_state *state, const struct stamp *asked, int64_t server_ms) {
    int64_t offset = asked->wall_ms - server_ms + state->steps_ms - asked->steps_ms;
    int64_t off_by = offset - state->expected_offset_ms;
    if (off_by > CLOCK_SLACK_MS || off_by < -CLOCK_SLACK_MS)
        state->suspect_boot = state->boot_number;
    state->expected_offset_ms = offset;
}

static enum status note_clock(struct store *store, struct err *err) {
    struct laptop *laptop;
    struct stamp now;
    bool moved;
    TRY(laptop_get(store, &laptop, err));
    struct laptop_state state = laptop->state;
    TRY(clock_note(store, &state, &now, &moved, err));
    if (!moved && state.note_boot_ms == laptop->state.note_boot_ms) return ST_OK;
    return state_write(store, &state, err);
}

enum status store_clock_note(struct store *store, struct err *err) {
    TRY(db_begin(store->db, true, err));
    enum status status = note_clock(store, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}

enum status store_cursor(struct store *store, int64_t *out_epoch, int64_t *out_seq,
                         struct err *err) {
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    *out_epoch = laptop->state.epoch;
    *out_seq = laptop->state.cursor.seq;
    return ST_OK;
}

enum status store_newest_batch(struct store *store, uint32_t *out, struct err *err) {
    struct laptop *laptop;
    uint32_t newest, counter;
    TRY(laptop_get(store, &laptop, err));
    TRY(outbox_newest(store->db, &newest, &counter, err));
    *out = newest > laptop->state.last_batch ? newest : laptop->state.last_batch;
    return ST_OK;
}
