/* What a laptop keeps for a server that may go back in time, and what it does when one has.
 *
 * Acknowledged batches stay, with the receipts as the org signed them, until a backup covers them.
 * Positions of the log stay too, few and further apart the older they are, so that the server can
 * find where its log and this one part. When the server begins another epoch the laptop reads again
 * from there, and gives back what stands above.
 *
 *   kept   batches with a receipt: the epoch of the receipt, its seq, the chain before and after
 *
 *   proof  receipts of one reply, signed by the org
 *
 *   mark   positions at which a round said "no more"
 *
 *   lost   seqs that are of a life which the server forgot: a row there takes any news
 */
#include "syncd/store/laptop.h"

#include <string.h>

static enum status run(struct store *store, const char *sql, const int64_t *numbers, size_t count,
                       struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, sql, &s, err));
    for (size_t i = 0; i < count; i++) db_bind_int(s, (int)i + 1, numbers[i]);
    return db_run(s, err);
}
#define NUMBERS(...)                                                                               \
    ((const int64_t[]){__VA_ARGS__}), (sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static struct chain chain_of(struct slice s) {
    struct chain chain = {{0}};
    if (s.len == CHAIN_BYTES) memcpy(chain.bytes, s.data, CHAIN_BYTES);
    return chain;
}

/* ------------------------------------------------------------------ seqs that say nothing */

enum status lost_load(struct store *store, struct laptop *laptop, struct err *err) {
    struct db_stmt *s;
    bool row;
    size_t count = 0;
    TRY(db_prepare(store->db, "SELECT back, start FROM lost ORDER BY start DESC", &s, err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row || count == LOST_MAX) break;
        laptop->lost[count++] = (struct lost_branch){db_int(s, 0), db_int(s, 1)};
    }
    db_reset(s);
    laptop->lost_count = count;
    return ST_OK;
}

bool seq_is_lost(const struct store *store, int64_t seq) {
    const struct laptop *l = store->laptop;
    return l && base_is_lost(l->lost, l->lost_count, seq, NULL);
}

enum status reissued_put(struct store *store, int64_t row, int64_t seq, struct err *err) {
    return run(store, "INSERT OR REPLACE INTO reissued(row_id, seq) VALUES (?,?)",
               NUMBERS(row, seq), err);
}

enum status reissued_seq(struct store *store, int64_t row, int64_t seq, int64_t *out,
                         struct err *err) {
    struct db_stmt *s;
    bool found;
    *out = seq;
    if (seq <= 0 || seq % EPOCH_SEQS != 0) return ST_OK; /* no row of the server stands there */
    TRY(db_prepare(store->db, "SELECT seq FROM reissued WHERE row_id = ?", &s, err));
    db_bind_int(s, 1, row);
    TRY(db_step(s, &found, err));
    if (found) *out = db_int(s, 0);
    db_reset(s);
    return ST_OK;
}

enum status lost_is_over(struct store *store, const struct round_reply *reply,
                         const struct laptop_state *state, bool *out_reread, struct err *err) {
    int64_t open, kept;
    bool over = reply->has_backup && !reply->recovering && state->complete;
    if (over) TRY(facts_forget(store, err));
    if (!over || store->laptop->lost_count == 0) return ST_OK;
    TRY(laptop_number(store, "SELECT count(*) FROM lost WHERE over = 0", &open, err));
    TRY(laptop_number(store,
                      "SELECT count(*) FROM kept WHERE epoch < (SELECT epoch FROM state WHERE one "
                      "= 1)",
                      &kept, err));
    if (open == 0 || kept > 0) return ST_OK;
    *out_reread = true;
    return run(store, "UPDATE lost SET over = 1", NULL, 0, err);
}

/* ------------------------------------------------------------------ marks */

/* Of too many, the one goes that leaves the smallest gap for its age. */
static enum status thin_marks(struct store *store, struct err *err) {
    int64_t seq[MARKS_KEPT + 2];
    size_t count = 0, worst = 1;
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db, "SELECT seq FROM mark ORDER BY seq DESC LIMIT ?", &s, err));
    db_bind_int(s, 1, MARKS_KEPT + 2);
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        seq[count++] = db_int(s, 0);
    }
    db_reset(s);
    if (count <= MARKS_KEPT) return ST_OK;
    for (size_t i = 2; i + 1 < count; i++) {
        int64_t gap = seq[i - 1] - seq[i + 1], age = seq[0] - seq[i];
        int64_t worst_gap = seq[worst - 1] - seq[worst + 1], worst_age = seq[0] - seq[worst];
        if ((double)gap * (double)worst_age < (double)worst_gap * (double)age) worst = i;
    }
    return run(store, "DELETE FROM mark WHERE seq = ?", NUMBERS(seq[worst]), err);
}

enum status mark_put(struct store *store, const struct position *at, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "INSERT OR REPLACE INTO mark(seq, chain) VALUES (?,?)", &s, err));
    db_bind_int(s, 1, at->seq);
    db_bind_blob(s, 2, slice_of(at->chain.bytes, CHAIN_BYTES));
    TRY(db_run(s, err));
    return thin_marks(store, err);
}

static enum status marks_get(struct store *store, struct arena *mem, struct position **out,
                             size_t *out_count, struct err *err) {
    struct position *marks = ARENA_ARRAY(mem, WIRE_MARKS_MAX, struct position);
    struct db_stmt *s;
    bool row;
    size_t count = 0;
    if (!marks) return err_no_memory(err);
    TRY(db_prepare(store->db, "SELECT seq, chain FROM mark ORDER BY seq", &s, err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row || count == WIRE_MARKS_MAX) break;
        marks[count++] = (struct position){db_int(s, 0), chain_of(db_blob(s, 1))};
    }
    db_reset(s);
    *out = marks;
    *out_count = count;
    return ST_OK;
}

/* The position at a seq at which a round said "no more"; zeros when it is not known any more. */
static enum status mark_at(struct store *store, int64_t seq, struct position *out,
                           struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db, "SELECT chain FROM mark WHERE seq = ?", &s, err));
    db_bind_int(s, 1, seq);
    TRY(db_step(s, &row, err));
    *out = row ? (struct position){seq, chain_of(db_blob(s, 0))} : (struct position){0};
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ keeping */

enum status proof_put(struct store *store, const struct round_reply *reply, int64_t *out_id,
                      struct err *err) {
    struct db_stmt *s;
    *out_id = 0;
    if (reply->receipt_count == 0) return ST_OK;
    TRY(laptop_number(store, "SELECT coalesce(max(id), 0) + 1 FROM proof", out_id, err));
    TRY(db_prepare(store->db, "INSERT INTO proof(id, bytes, signature) VALUES (?,?,?)", &s, err));
    db_bind_int(s, 1, *out_id);
    db_bind_blob(s, 2, reply->receipts_bytes);
    db_bind_blob(s, 3, slice_of(reply->receipts_signature, SIGN_BYTES));
    return db_run(s, err);
}

enum status kept_put(struct store *store, const struct receipt *receipt, const struct chain *before,
                     int64_t proof, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(
        store->db,
        "INSERT OR REPLACE INTO kept(n, epoch, at, proof, before, chain, content)"
        " SELECT n, ?, ?, ?, ?, chain, content FROM outbox WHERE n = ? AND content IS NOT NULL",
        &s, err));
    db_bind_int(s, 1, store->laptop->state.epoch);
    db_bind_int(s, 2, receipt->at);
    db_bind_int(s, 3, proof);
    db_bind_blob(s, 4, slice_of(before->bytes, CHAIN_BYTES));
    db_bind_int(s, 5, receipt->batch);
    return db_run(s, err);
}

enum status kept_get(struct store *store, uint32_t batch, struct arena *mem, struct batch *out,
                     bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "SELECT content FROM kept WHERE n = ? AND epoch < ?", &s, err));
    db_bind_int(s, 1, batch);
    db_bind_int(s, 2, store->laptop->state.epoch);
    TRY(db_step(s, out_found, err));
    struct slice content = *out_found ? arena_copy(mem, db_blob(s, 0)) : (struct slice){0};
    db_reset(s);
    if (!*out_found) return ST_OK;
    if (!content.data) return err_no_memory(err);
    return batch_read(content, mem, out, err);
}

enum status kept_given(struct store *store, const struct receipt *receipt, struct err *err) {
    return run(store, "UPDATE kept SET epoch = ?, at = ? WHERE n = ?",
               NUMBERS(store->laptop->state.epoch, receipt->at, receipt->batch), err);
}

/* The oldest go first where there are too many. */
static enum status cap_kept(struct store *store, struct err *err) {
    int64_t bytes;
    TRY(laptop_number(store, "SELECT coalesce(sum(length(content)), 0) FROM kept", &bytes, err));
    if (bytes <= KEPT_BYTES_MAX) return ST_OK;
    return run(store,
               "DELETE FROM kept WHERE n IN (SELECT n FROM kept ORDER BY n LIMIT (SELECT count(*) "
               "/ 8 + 1 FROM kept))",
               NULL, 0, err);
}

enum status kept_trim(struct store *store, const struct round_reply *reply, struct err *err) {
    if (reply->receipt_count == 0 && !reply->has_backup) return ST_OK;
    if (reply->has_backup)
        TRY(run(store, "DELETE FROM kept WHERE epoch = ? AND at < ?",
                NUMBERS(reply->epoch, reply->backup), err));
    if (reply->receipt_count > 0) TRY(cap_kept(store, err));
    return run(store, "DELETE FROM proof WHERE id NOT IN (SELECT proof FROM kept)", NULL, 0, err);
}

/* ------------------------------------------------------------------ giving back */

struct giving {
    struct store *store;
    struct arena *mem;
    struct give_back *given;
    struct chain chain; /* after the last */
    size_t bytes;
    int64_t proof; /* the last one taken */
};

static enum status take_proof(struct giving *g, int64_t id, struct err *err) {
    struct receipt_proof *p = &g->given->proofs[g->given->proof_count];
    struct db_stmt *s;
    bool row;
    if (id == g->proof) return ST_OK;
    TRY(db_prepare(g->store->db, "SELECT bytes, signature FROM proof WHERE id = ?", &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, &row, err));
    bool sound = row && db_blob(s, 1).len == SIGN_BYTES;
    if (sound) {
        p->bytes = arena_copy(g->mem, db_blob(s, 0));
        memcpy(p->signature, db_blob(s, 1).data, SIGN_BYTES);
        g->bytes += p->bytes.len;
        g->given->proof_count++;
    }
    g->proof = id;
    db_reset(s);
    return sound && !p->bytes.data ? err_no_memory(err) : ST_OK;
}

static enum status take_kept(struct giving *g, struct db_stmt *s, bool *out_full, struct err *err) {
    struct give_back *given = g->given;
    struct slice content = db_blob(s, 3);
    struct batch *batch = &given->batches[given->batch_count];
    uint32_t n = (uint32_t)db_int(s, 0);
    bool first = given->batch_count == 0;
    *out_full = !first && (g->bytes + content.len > GIVE_BYTES ||
                           given->batch_count == WIRE_BATCHES_MAX || n != batch[-1].number + 1);
    if (*out_full) return ST_OK;
    if (first) given->before = chain_of(db_blob(s, 2));
    g->chain = chain_of(db_blob(s, 4));
    struct slice copy = arena_copy(g->mem, content);
    if (!copy.data) return err_no_memory(err);
    TRY(batch_read(copy, g->mem, batch, err));
    g->bytes += content.len;
    given->batch_count++;
    return take_proof(g, db_int(s, 1), err);
}

static enum status collect(struct giving *g, struct err *err) {
    struct db_stmt *s;
    bool row, full = false;
    TRY(db_prepare(g->store->db,
                   "SELECT n, proof, before, content, chain FROM kept WHERE epoch < ? ORDER BY n",
                   &s, err));
    db_bind_int(s, 1, g->store->laptop->state.epoch);
    enum status status = ST_OK;
    while (status == ST_OK && !full) {
        status = db_step(s, &row, err);
        if (status != ST_OK || !row) break;
        status = take_kept(g, s, &full, err);
    }
    db_reset(s);
    return status;
}

enum status give_back(struct store *store, struct arena *mem, struct give_back **out,
                      struct chain *out_chain, struct err *err) {
    int64_t any;
    struct give_back *given = ARENA_NEW(mem, struct give_back);
    struct giving g = {.store = store, .mem = mem, .given = given};
    *out = NULL;
    if (store->laptop->state.epoch == 1) return ST_OK; /* an ordinary life */
    TRY(laptop_number(
        store, "SELECT count(*) FROM kept WHERE epoch < (SELECT epoch FROM state WHERE one = 1)",
        &any, err));
    if (any == 0) return ST_OK;
    if (!given) return err_no_memory(err);
    given->batches = ARENA_ARRAY(mem, WIRE_BATCHES_MAX, struct batch);
    given->proofs = ARENA_ARRAY(mem, WIRE_BATCHES_MAX, struct receipt_proof);
    if (!given->batches || !given->proofs) return err_no_memory(err);
    TRY(collect(&g, err));
    if (given->batch_count > 0) *out = given;
    *out_chain = g.chain;
    return ST_OK;
}

enum status marks_ask(struct store *store, struct arena *mem, struct round_request *request,
                      struct err *err) {
    if (!store->laptop->tell_marks) return ST_OK;
    return marks_get(store, mem, &request->marks, &request->mark_count, err);
}

/* ------------------------------------------------------------------ another epoch */

/* Begin again at the last "no more": a row that moved on, in the life that is forgotten, before its
 * page came stands below the cursor. */
static enum status read_again(struct store *store, const struct position *back,
                              struct laptop_state *state, struct err *err) {
    /* What was granted and withdrawn in the life that is forgotten never was. */
    if (state->scope.told > back->seq || state->scope.filling > back->seq) scope_restart(state);
    if (state->since > back->seq) state->since = back->seq;
    if (state->cursor.seq <= state->since) return ST_OK;
    if (state->since == back->seq)
        state->cursor = *back;
    else
        TRY(mark_at(store, state->since, &state->cursor, err));
    state->since = state->cursor.seq;
    return ST_OK;
}

static enum status forget_above(struct store *store, const struct round_reply *reply,
                                const struct laptop_state *state, struct err *err) {
    int64_t back = reply->cursor.seq;
    TRY(run(store, "UPDATE pending SET seq = -1, vals = NULL WHERE seq > ?", NUMBERS(back), err));
    TRY(run(store, "DELETE FROM mark WHERE seq > ?", NUMBERS(back), err));
    return run(store, "INSERT OR REPLACE INTO lost(back, start, over) VALUES (?,?,0)",
               NUMBERS(back, epoch_start(state->epoch + 1)), err);
}

enum status enter_epoch(struct store *store, const struct round_request *request,
                        const struct round_reply *reply, struct err *err) {
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    struct laptop_state state = laptop->state;
    if (reply->epoch <= state.epoch || request->epoch != state.epoch) return ST_OK;
    bool knows_more = reply->cursor.seq < state.top.seq;
    laptop->tell_marks = knows_more && !laptop->tell_marks && request->mark_count == 0;
    if (laptop->tell_marks) return ST_OK; /* first the server hears where they may part */
    TRY(read_again(store, &reply->cursor, &state, err));
    if (knows_more) TRY(facts_note(store, reply->cursor.seq, err));
    if (knows_more) TRY(forget_above(store, reply, &state, err));
    /* An empty batch took no seq: of those that stand at the last one nobody knows. */
    TRY(run(store, "UPDATE kept SET epoch = ? WHERE epoch = ? AND at < ?",
            NUMBERS(reply->epoch, state.epoch, reply->cursor.seq), err));
    state.epoch = reply->epoch;
    state.top = reply->cursor.seq > state.cursor.seq ? reply->cursor : state.cursor;
    state.complete = false;
    state.has_voucher = false; /* it was of the epoch that is over */
    state.news_version = 0; /* the server may have given the number again, to other news */
    TRY(added_tell(store, err));
    TRY(state_write(store, &state, err));
    return lost_load(store, laptop, err);
}

/* ------------------------------------------------------------------ rescue */

struct salvage {
    struct store *to;
    const char *insert;
    int columns, first_blob; /* those before are numbers; the first column is the row's */
};

static enum status salvage_row(void *ctx, struct db_stmt *row, struct err *err) {
    const struct salvage *v = ctx;
    struct db_stmt *s;
    TRY(db_prepare(v->to->db, v->insert, &s, err));
    for (int i = 1; i <= v->columns; i++) {
        if (i < v->first_blob)
            db_bind_int(s, i, db_int(row, i));
        else
            db_bind_blob(s, i, db_blob(row, i));
    }
    return db_run(s, err);
}

enum status former_rescue(struct store *to, struct db *damaged, struct err *err) {
    static const struct {
        const char *table, *insert;
        int columns, first_blob;
    } tables[] = {{"kept", "INSERT OR IGNORE INTO kept VALUES (?,?,?,?,?,?,?)", 7, 5},
                  {"proof", "INSERT OR IGNORE INTO proof VALUES (?,?,?)", 3, 2},
                  {"mark", "INSERT OR IGNORE INTO mark VALUES (?,?)", 2, 2},
                  {"lost", "INSERT OR IGNORE INTO lost VALUES (?,?,?)", 3, 4}};
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
        struct salvage v = {to, tables[i].insert, tables[i].columns, tables[i].first_blob};
        int64_t rows;
        struct err unread; /* what cannot be read is lost; the outbox is not */
        enum status status = db_salvage(damaged, tables[i].table, salvage_row, &v, &rows, &unread);
        if (status == ST_DISK || status == ST_NO_MEMORY) {
            *err = unread;
            return status;
        }
    }
    return ST_OK;
}
