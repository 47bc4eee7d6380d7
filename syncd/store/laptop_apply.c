/* Applying a reply, slice by slice. Each slice is one transaction; the first of them notes what the
 * server told about itself, the last one moves the cursor, so that a crash between two repeats what
 * is not done and no more. What a person saved between the read of a round and its slices is seen
 * by each slice afresh.
 *
 *   START -> CLOSED -> OPENED -> ALIASES -> LEAVING -> RECEIPTS -> HELD -> LEDGER -> RECORDS
 *         -> SPEAKING -> FILLED -> END -> FORGETTING -> DONE
 *
 * Aliases come before rows leave: what they re-point is in another home then. A page speaks for its
 * range before its rows are taken, which comes to the same, as it speaks of the others; in an empty
 * book it finds nothing to speak of.
 */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum stage {
    STAGE_START,
    STAGE_CLOSED,
    STAGE_OPENED,
    STAGE_ALIASES,
    STAGE_LEAVING,
    STAGE_RECEIPTS,
    STAGE_HELD,
    STAGE_LEDGER,
    STAGE_RECORDS,
    STAGE_SPEAKING,
    STAGE_FILLED,
    STAGE_END,
    STAGE_FORGETTING,
    STAGE_DONE
};

enum {
    SLICE_COMMIT_MS = 8,    /* of a slice's time, left for its commit */
    SLICE_ITEMS_MAX = 4000, /* when the clock does not say so, for the memory of the log */
    CLOCK_LOOK_ITEMS = 8    /* items between looks at the clock */
};

struct apply {
    struct store *store;
    const struct round_request *request;
    const struct round_reply *reply;
    enum stage stage;
    size_t at;            /* in the section of the stage */
    bool reread;          /* a part came of a row that is not here */
    int64_t proof;        /* of the receipts, see proof_put */
    struct chain unknown; /* see laptop_state */
    struct scope_pass leaving, speaking;
    bool forgets;
    struct forget_pass forgetting;
    struct apply_counts counts;
};

/* ------------------------------------------------------------------ the ends */

static enum status check_same_cursor(const struct apply *a, const struct laptop_state *state,
                                     struct err *err) {
    const struct scope_position *x = &state->scope, *y = &a->request->scope;
    bool same_scope = x->told == y->told && x->ready == y->ready && x->filling == y->filling &&
                      x->at.home == y->at.home && x->at.entity_tag == y->at.entity_tag &&
                      x->at.row == y->at.row;
    if (state->cursor.seq == a->request->cursor.seq && state->epoch == a->request->epoch &&
        same_scope)
        return ST_OK;
    return err_set(err, ST_CONFLICT, "another program synced this book in the meantime",
                   "期间另一程序已同步过本机数据");
}

static enum status take_people(struct apply *a, struct err *err) {
    struct db_stmt *s;
    TRY(db_exec(a->store->db, "DELETE FROM people", err));
    for (size_t i = 0; i < a->reply->people_count; i++) {
        const struct person *p = &a->reply->people[i];
        TRY(db_prepare(a->store->db,
                       "INSERT OR REPLACE INTO people(device, employee, name) VALUES (?,?,?)", &s,
                       err));
        db_bind_int(s, 1, p->device);
        db_bind_int(s, 2, p->employee);
        db_bind_text(s, 3, p->name);
        TRY(db_run(s, err));
    }
    return ST_OK;
}

/* The server's word for it comes along whenever it says something new. */
static void take_top(struct laptop_state *state, const struct round_reply *reply) {
    bool moved = memcmp(&state->top.chain, &reply->head.chain, sizeof state->top.chain) != 0 ||
                 state->top.seq != reply->head.seq;
    if (moved || reply->has_voucher) state->has_voucher = reply->has_voucher;
    if (reply->has_voucher) {
        state->voucher.last_batch = reply->last_batch;
        memcpy(state->voucher.mac, reply->voucher, VOUCHER_BYTES);
    }
    state->top = reply->head;
}

/* The top moves first: receipts tell of seqs beyond the cursor. */
static enum status take_start(struct apply *a, struct err *err) {
    const struct round_reply *reply = a->reply;
    struct laptop_state state = a->store->laptop->state;
    struct stamp now;
    bool moved;
    TRY(check_same_cursor(a, &state, err));
    TRY(clock_note(a->store, &state, &now, &moved, err));
    if (a->request->envelope.now.boot_number > 0)
        clock_meet(&state, &a->request->envelope.now, reply->time_ms);
    lease_renew(&state, reply, a->request->envelope.now.boot_number > 0);
    state.epoch = reply->epoch;
    if (reply->head.seq >= state.top.seq) take_top(&state, reply);
    state.head = reply->head.seq;
    if (reply->time_ms > state.round_ms) state.round_ms = reply->time_ms;
    if (reply->has_news) {
        TRY(take_people(a, err));
        TRY(added_take(a->store, reply, err));
        state.news_version = reply->news_version;
    }
    TRY(others_take(a->store, reply, err));
    a->unknown = state.unknown;
    TRY(proof_put(a->store, reply, &a->proof, err));
    TRY(state_write(a->store, &state, err));
    return scope_take(a->store, a->request, reply, err);
}

static enum status take_end(struct apply *a, struct err *err) {
    struct laptop_state state = a->store->laptop->state;
    TRY(check_same_cursor(a, &state, err));
    bool moved = state.cursor.seq != a->reply->cursor.seq || !state.complete;
    state.cursor = a->reply->cursor;
    state.since = a->reply->since;
    state.complete = !a->reply->more;
    state.unknown = a->unknown;
    if (state.cursor.seq > state.top.seq) {
        state.top = state.cursor;
        state.has_voucher = false;
    }
    if (a->reply->has_scope) state.scope = a->reply->scope;
    bool filled = a->reply->has_scope && state.scope.ready == state.scope.filling;
    TRY(lost_is_over(a->store, a->reply, &state, &a->reread, err));
    if (a->reread) {
        state.cursor = (struct position){0};
        state.since = 0;
        state.complete = false;
        scope_restart(&state);
    }
    for (size_t i = 0; i < a->reply->mark_count; i++)
        TRY(mark_put(a->store, &a->reply->marks[i], err));
    if (moved && state.complete) TRY(mark_put(a->store, &state.cursor, err));
    TRY(kept_trim(a->store, a->reply, err));
    TRY(facts_told(a->store, a->request, a->reply, err));
    TRY(digest_told(a->store, a->reply, err));
    TRY(state_write(a->store, &state, err));
    if (filled) TRY(scope_filled(a->store, err));
    return forget_is_due(a->store, &a->forgets, err);
}

/* ------------------------------------------------------------------ small sections */

static enum status take_held_news(struct apply *a, const struct held_news *news, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(a->store->db,
                   "UPDATE held SET state = ?1, decided_seq = ?5, decided_ms = ?6 WHERE batch = ?2"
                   " AND change = ?3 AND (cell = ?4 OR cell = 0 OR ?4 = 0)",
                   &s, err));
    db_bind_int(s, 1, (int64_t)news->state);
    db_bind_int(s, 2, news->id.batch);
    db_bind_int(s, 3, news->id.change);
    db_bind_int(s, 4, news->id.cell_tag);
    db_bind_int(s, 5, news->seq);
    db_bind_int(s, 6, a->reply->time_ms);
    TRY(db_run(s, err));
    a->counts.approved += news->state == HELD_APPROVED;
    a->counts.declined += news->state == HELD_DECLINED;
    return forget_held(a->store, news->id.batch, news->id.change, err);
}

static enum status take_ledger(struct apply *a, const struct ledger_entry *l, struct err *err) {
    struct buf loser SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct buf winner SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    const int64_t numbers[] = {l->seq,           l->entity_tag,     l->row,
                               l->cell_tag,      (int64_t)l->rule,  l->base_seq,
                               l->loser_device,  l->winner_device,  l->loser_batch,
                               l->loser_time_ms, l->winner_time_ms, l->winner_is_new};
    if (l->loser) values_write(l->loser, l->value_count, &loser);
    if (l->winner) values_write(l->winner, l->value_count, &winner);
    TRY(buf_status(&loser, err));
    TRY(buf_status(&winner, err));
    TRY(db_prepare(a->store->db,
                   "INSERT OR IGNORE INTO ledger VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)", &s, err));
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    db_bind_blob(s, 13, buf_slice(&loser));
    db_bind_blob(s, 14, buf_slice(&winner));
    return db_run(s, err);
}

static enum status take_record(struct apply *a, const struct record *record, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct laptop_state state = {.unknown = a->unknown};
    TRY(record_take(a->store, record, &mem, &state, &a->counts, &a->reread, err));
    a->unknown = state.unknown;
    return ST_OK;
}

/* Rows of a home being filled are whole, whatever else they are. */
static enum status take_filled(struct apply *a, const struct record *record, struct err *err) {
    struct record whole = *record;
    whole.flags |= RECORD_WHOLE;
    return take_record(a, &whole, err);
}

static enum status take_opened(struct apply *a, const struct grant_news *news, struct err *err) {
    bool fresh = a->request->scope.told == 0 || a->reply->scope_whole;
    return scope_open(a->store, news, fresh, err);
}

static enum status take_alias(struct apply *a, const struct alias_news *news, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    return alias_take(a->store, news, &mem, &a->counts, err);
}

/* ------------------------------------------------------------------ slices */

static bool stage_is_over(const struct apply *a) {
    const struct round_reply *reply = a->reply;
    switch (a->stage) {
    case STAGE_START:
    case STAGE_END: return a->at >= 1;
    case STAGE_CLOSED: return !reply->has_scope || a->at >= reply->closed_count;
    case STAGE_OPENED: return !reply->has_scope || a->at >= reply->opened_count;
    case STAGE_ALIASES: return a->at >= reply->alias_count;
    case STAGE_LEAVING: return a->leaving.done;
    case STAGE_RECEIPTS: return a->at >= reply->receipt_count;
    case STAGE_HELD: return a->at >= reply->held_count;
    case STAGE_LEDGER: return a->at >= reply->ledger_count;
    case STAGE_RECORDS: return a->at >= reply->record_count;
    case STAGE_SPEAKING: return !reply->has_scope || a->speaking.done;
    case STAGE_FILLED: return !reply->has_scope || a->at >= reply->filled_count;
    case STAGE_FORGETTING: return !a->forgets || reply->more || a->reread || a->forgetting.done;
    case STAGE_DONE: break;
    }
    return false;
}

static enum status take_item(struct apply *a, struct err *err) {
    const struct round_reply *reply = a->reply;
    switch (a->stage) {
    case STAGE_START: return take_start(a, err);
    case STAGE_CLOSED: return scope_close(a->store, reply->closed[a->at], err);
    case STAGE_OPENED: return take_opened(a, &reply->opened[a->at], err);
    case STAGE_ALIASES: return take_alias(a, &reply->aliases[a->at], err);
    case STAGE_LEAVING: return scope_leave_step(a->store, &a->leaving, &a->counts, err);
    case STAGE_RECEIPTS:
        return receipt_take(a->store, &reply->receipts[a->at], a->proof, &a->counts, err);
    case STAGE_HELD: return take_held_news(a, &reply->held[a->at], err);
    case STAGE_LEDGER: return take_ledger(a, &reply->ledger[a->at], err);
    case STAGE_RECORDS: return take_record(a, &reply->records[a->at], err);
    case STAGE_SPEAKING:
        return scope_speak_step(a->store, a->request, reply, &a->speaking, &a->counts, err);
    case STAGE_FILLED: return take_filled(a, &reply->filled[a->at], err);
    case STAGE_END: return take_end(a, err);
    case STAGE_FORGETTING: return forget_step(a->store, &a->forgetting, err);
    case STAGE_DONE: break;
    }
    return ST_OK;
}

static void next_item(struct apply *a) {
    a->at++;
    while (a->stage != STAGE_DONE && stage_is_over(a)) {
        a->stage++;
        a->at = 0;
    }
}

/* A receipt is up to 2,000 changes, a step of a pass some ten rows: each is a look at the clock. */
static bool is_time_to_look(const struct apply *a, size_t items) {
    bool heavy = a->stage == STAGE_RECEIPTS || (a->stage == STAGE_LEAVING && a->leaving.begun) ||
                 (a->stage == STAGE_SPEAKING && a->speaking.begun) ||
                 (a->stage == STAGE_FORGETTING && a->forgetting.begun);
    return heavy || items % CLOCK_LOOK_ITEMS == 0;
}

static enum status take_items(struct apply *a, struct err *err) {
    const struct env *env = a->store->env;
    struct laptop *laptop;
    int64_t began = env->boot_ms(env->ctx);
    TRY(laptop_get(a->store, &laptop, err));
    for (size_t items = 1; a->stage != STAGE_DONE && items <= SLICE_ITEMS_MAX; items++) {
        TRY(take_item(a, err));
        next_item(a);
        if (a->stage == STAGE_FORGETTING && !a->forgetting.begun)
            break; /* what went is committed */
        bool late = is_time_to_look(a, items) &&
                    env->boot_ms(env->ctx) - began >= APPLY_SLICE_MS - SLICE_COMMIT_MS;
        if (late) break;
    }
    return ST_OK;
}

enum status store_apply_slice(struct apply *a, bool *out_done, struct err *err) {
    struct apply before = *a;
    if (a->stage != STAGE_START)
        db_let_others(); /* a person's save does not wait for the whole reply */
    TRY(db_begin(a->store->db, true, err));
    if (a->store->laptop) a->store->laptop->sums_known = false;
    enum status status = take_items(a, err);
    if (status == ST_OK) status = db_commit(a->store->db, err);
    if (status != ST_OK) {
        store_rollback(a->store);
        before.speaking.ids = a->speaking.ids; /* of the reply, whatever became of the slice */
        before.speaking.id_count = a->speaking.id_count;
        *a = before; /* the slice may be tried again */
        return status;
    }
    *out_done = a->stage == STAGE_DONE;
    return *out_done && a->forgetting.begun ? forget_end(a->store, err) : ST_OK;
}

void store_apply_end(struct apply *apply) {
    if (!apply) return;
    free(apply->speaking.ids);
    free(apply);
}

void store_apply_counts(const struct apply *apply, struct apply_counts *out) {
    *out = apply->counts;
}

/* ------------------------------------------------------------------ other replies */

static enum status take_epoch(struct store *store, const struct round_request *request,
                              const struct round_reply *reply, struct err *err) {
    TRY(db_begin(store->db, true, err));
    enum status status = enter_epoch(store, request, reply, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}

enum status store_apply_begin(struct store *store, const struct round_request *request,
                              const struct round_reply *reply, struct apply **out,
                              struct err *err) {
    if (reply->kind == REPLY_CLONED)
        return err_set(err, ST_CLONED,
                       "this laptop's store was copied or set back: the server has batch %u of it. "
                       "Enrol it anew",
                       "本机数据是副本或被还原过：服务器已有批次%u。请重新登记", reply->last_batch);
    struct apply *a = calloc(1, sizeof *a);
    if (!a) return err_no_memory(err);
    *a = (struct apply){.store = store, .request = request, .reply = reply};
    if (reply->kind == REPLY_EPOCH) {
        enum status status = take_epoch(store, request, reply, err);
        if (status != ST_OK) {
            free(a);
            return status;
        }
        a->stage = STAGE_DONE;
    }
    *out = a;
    return ST_OK;
}
