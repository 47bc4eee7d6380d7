/* Does this book hold what the server says it should? The sum of each home that is held is kept as
 * long as nothing of it changed; a round throws away the sums of the homes that it touches, and
 * they are counted again from the rows as they stand in the file. A sum that is kept too long costs
 * one count of everything before anything is repaired.
 */
#include <string.h>

#include "protocol/wire/digest.h"
#include "syncd/store/homes.h"
#include "syncd/store/laptop.h"

enum { COUNT_IDS = 256, COUNT_AGAIN_MS = 10 * 60 * 1000 };

/* ------------------------------------------------------------------ what a round touches */

static enum status forget_home(struct store *store, int64_t home, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "DELETE FROM home_sum WHERE home = ?", &s, err));
    db_bind_int(s, 1, home);
    return db_run(s, err);
}

static enum status any_sums(struct store *store, bool *out, struct err *err) {
    struct laptop *laptop = store->laptop;
    int64_t found = 0;
    if (!laptop->sums_known)
        TRY(laptop_number(store, "SELECT 1 FROM home_sum LIMIT 1", &found, err));
    if (!laptop->sums_known) laptop->sums = found != 0;
    laptop->sums_known = true;
    *out = laptop->sums;
    return ST_OK;
}

enum status digest_touch(struct store *store, const struct entity *e, int64_t row,
                         const struct value *values, struct err *err) {
    struct homes homes;
    bool any;
    TRY(any_sums(store, &any, err));
    if (!any) return ST_OK;
    TRY(homes_of(store->db, store->cat, e, row, values, &homes, err));
    TRY(forget_home(store, home_make(HOME_CLASS_ALL, 0), err));
    for (size_t i = 0; i < homes.count; i++) TRY(forget_home(store, homes.at[i], err));
    return ST_OK;
}

enum status digest_forget(struct store *store, struct err *err) {
    TRY(db_exec(store->db, "DELETE FROM home_sum", err));
    store->laptop->sums_known = false;
    return ST_OK;
}

/* ------------------------------------------------------------------ what the server said */

static bool brings_something(const struct round_reply *r) {
    return r->record_count > 0 || r->filled_count > 0 || r->receipt_count > 0 ||
           r->alias_count > 0 || r->opened_count > 0 || r->closed_count > 0 || r->more;
}

/* A reply that brings nothing leaves true what was told. */
enum status digest_told(struct store *store, const struct round_reply *reply, struct err *err) {
    struct db_stmt *s;
    if (!reply->has_digest)
        return brings_something(reply) ? db_exec(store->db, "DELETE FROM told_digest", err) : ST_OK;
    TRY(db_prepare(store->db,
                   "INSERT OR REPLACE INTO told_digest(one, seq, sum, rows) VALUES (1,?,?,?)", &s,
                   err));
    db_bind_int(s, 1, reply->head.seq);
    db_bind_blob(s, 2, slice_of(reply->digest, BOOK_DIGEST_BYTES));
    db_bind_int(s, 3, reply->digest_rows);
    return db_run(s, err);
}

enum status digest_wanted(struct store *store, bool *out, struct err *err) {
    int64_t told;
    TRY(laptop_number(store, "SELECT count(*) FROM told_digest", &told, err));
    *out = told == 0;
    return ST_OK;
}

struct told {
    int64_t seq;
    struct book_digest digest;
};

static enum status read_told(struct store *store, struct told *out, bool *out_found,
                             struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "SELECT seq, sum, rows FROM told_digest WHERE one = 1", &s, err));
    TRY(db_step(s, out_found, err));
    if (*out_found) {
        struct slice sum = db_blob(s, 1);
        out->seq = db_int(s, 0);
        out->digest.rows = db_int(s, 2);
        *out_found = sum.len == BOOK_DIGEST_BYTES;
        if (*out_found) memcpy(out->digest.sum, sum.data, BOOK_DIGEST_BYTES);
    }
    db_reset(s);
    return ST_OK;
}

/* Only a book that has everything, and nothing of its own that the server has not seen, can be
 * compared. */
static enum status is_at_rest(struct store *store, const struct told *told, bool *out,
                              struct err *err) {
    struct laptop *laptop;
    int64_t busy;
    TRY(laptop_get(store, &laptop, err));
    const struct laptop_state *state = &laptop->state;
    *out = state->complete && state->cursor.seq >= told->seq &&
           state->scope.ready == state->scope.filling;
    if (!*out) return ST_OK;
    TRY(laptop_number(
        store,
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE done = 0) OR EXISTS (SELECT 1 FROM "
        "pending) OR EXISTS (SELECT 1 FROM leaving)",
        &busy, err));
    *out = busy == 0;
    return ST_OK;
}

/* ------------------------------------------------------------------ counting */

struct counting {
    struct store *store;
    uint8_t key[SIGN_PUBLIC_BYTES];
    struct buf scratch;
    int64_t rows_left; /* of this call */
};

enum status digest_row_hash(struct store *store, const struct entity *e, int64_t id,
                            const uint8_t key[SIGN_PUBLIC_BYTES], struct buf *scratch,
                            uint8_t out[BOOK_DIGEST_BYTES], bool *out_here, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct local local;
    struct record_cell *more = NULL;
    struct digest_row row = {.entity = e, .id = id};
    TRY(local_read(store, e, id, &mem, &local, err));
    *out_here = local.found && local.meta.gone == GONE_HERE && local.meta.seq >= 0;
    if (!*out_here) return ST_OK;
    if (local.meta.more.len > 0)
        TRY(rows_more_read(local.meta.more, &mem, &more, &row.more_count, err));
    row.more = more;
    TRY(reissued_seq(store, id, local.meta.seq, &row.seq, err));
    row.values = local.values;
    return digest_of_row(&row, key, scratch, out, err);
}

static enum status count_ids(struct counting *n, const struct entity *e, const int64_t *ids,
                             size_t count, struct book_digest *sum, struct err *err) {
    for (size_t i = 0; i < count; i++) {
        uint8_t hash[BOOK_DIGEST_BYTES];
        bool here;
        TRY(digest_row_hash(n->store, e, ids[i], n->key, &n->scratch, hash, &here, err));
        if (here) digest_add(sum, hash);
    }
    n->rows_left -= (int64_t)count;
    return ST_OK;
}

static enum status count_entity(struct counting *n, const struct entity *e, int64_t home,
                                struct book_digest *sum, struct err *err) {
    int64_t ids[COUNT_IDS], after = 0;
    size_t count;
    if (!homes_reach(n->store->cat, e, home_class(home))) return ST_OK;
    do {
        TRY(homes_rows(n->store->db, n->store->cat, e, home, after, ID_MAX, ids, COUNT_IDS, &count,
                       err));
        TRY(count_ids(n, e, ids, count, sum, err));
        if (count > 0) after = ids[count - 1];
    } while (count == COUNT_IDS);
    return ST_OK;
}

static enum status count_rows(struct counting *n, int64_t home, struct book_digest *out,
                              struct err *err) {
    *out = (struct book_digest){.rows = 0};
    for (size_t i = 0; i < n->store->cat->count; i++)
        TRY(count_entity(n, &n->store->cat->entities[i], home, out, err));
    return ST_OK;
}

static enum status keep_sum(struct store *store, int64_t home, const struct book_digest *sum,
                            struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "INSERT OR REPLACE INTO home_sum(home, sum, rows) VALUES (?,?,?)", &s,
                   err));
    db_bind_int(s, 1, home);
    db_bind_blob(s, 2, slice_of(sum->sum, BOOK_DIGEST_BYTES));
    db_bind_int(s, 3, sum->rows);
    return db_run(s, err);
}

/* Nobody waits for the count: it reads one moment of the book, and is kept only if nobody wrote
 * since. */
static enum status count_home(struct counting *n, int64_t home, struct err *err) {
    struct store *store = n->store;
    struct book_digest sum;
    int64_t before, after;
    TRY(db_begin(store->db, false, err));
    enum status status = db_data_version(store->db, &before, err);
    if (status == ST_OK) status = count_rows(n, home, &sum, err);
    db_rollback(store->db);
    if (status != ST_OK) return status;
    TRY(db_begin(store->db, true, err));
    status = db_data_version(store->db, &after, err);
    if (status == ST_OK && before == after) status = keep_sum(store, home, &sum, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}

static enum status next_uncounted(struct store *store, int64_t after, int64_t *out,
                                  struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db,
                   "SELECT home FROM home WHERE home > ? AND home NOT IN (SELECT home FROM "
                   "home_sum) ORDER BY home LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, after);
    TRY(db_step(s, &row, err));
    *out = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

static enum status count_homes(struct counting *n, struct err *err) {
    int64_t home = 0;
    for (;;) {
        TRY(next_uncounted(n->store, home, &home, err));
        if (home == 0 || n->rows_left <= 0) return ST_OK;
        TRY(count_home(n, home, err));
    }
}

/* ------------------------------------------------------------------ comparing */

static enum status add_up(struct store *store, struct book_digest *out, bool *out_all,
                          struct err *err) {
    struct db_stmt *s;
    bool row;
    *out = (struct book_digest){.rows = 0};
    *out_all = true;
    TRY(db_prepare(store->db,
                   "SELECT s.sum, s.rows FROM home h LEFT JOIN home_sum s ON s.home = h.home", &s,
                   err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        struct book_digest one = {.rows = db_int(s, 1)};
        struct slice sum = db_blob(s, 0);
        if (sum.len == BOOK_DIGEST_BYTES)
            memcpy(one.sum, sum.data, BOOK_DIGEST_BYTES);
        else
            *out_all = false;
        digest_join(out, &one, 1);
        status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

static enum status compare(struct store *store, const struct told *told, enum book_proof *out,
                           struct err *err) {
    struct book_digest mine;
    bool rest, all;
    *out = BOOK_NOT_PROVED;
    TRY(db_begin(store->db, false, err));
    enum status status = is_at_rest(store, told, &rest, err);
    if (status == ST_OK) status = add_up(store, &mine, &all, err);
    db_rollback(store->db);
    if (status == ST_OK && rest && all)
        *out = digest_equal(&mine, &told->digest) ? BOOK_EQUAL : BOOK_DIFFERS;
    return status;
}

static enum status note_equal(struct store *store, struct err *err) {
    char text[24];
    struct buf line SCOPED(buf_free) = buf_new(sizeof text);
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    buf_printf(&line, "%lld", (long long)laptop->state.round_ms);
    return store_setting_set(store, "equal_ms", buf_slice(&line), err);
}

/* A book that is larger than what may be counted at once is not counted after every round. */
static enum status is_too_soon(struct store *store, const struct told *told, int64_t rows_max,
                               bool *out, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(BUF_MAX_LINE);
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    const struct env *env = store->env;
    struct slice before;
    int64_t now = env->wall_ms(env->ctx), then = 0;
    *out = false;
    if (told->digest.rows <= rows_max) return ST_OK;
    enum status status = store_setting(store, "counted_ms", &mem, &before, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    if (status == ST_OK) (void)text_to_int(before, &then);
    *out = now >= then && now - then < COUNT_AGAIN_MS;
    if (*out) return ST_OK;
    buf_printf(&text, "%lld", (long long)now);
    return store_setting_set(store, "counted_ms", buf_slice(&text), err);
}

enum status store_prove_again(struct store *store, unsigned share, unsigned shares,
                              struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "DELETE FROM home_sum WHERE home % ?1 = ?2", &s, err));
    db_bind_int(s, 1, shares);
    db_bind_int(s, 2, share);
    return db_run(s, err);
}

enum status store_prove(struct store *store, int64_t rows_max, bool afresh, enum book_proof *out,
                        struct err *err) {
    struct told told;
    bool found, rest = false;
    *out = BOOK_NOT_PROVED;
    TRY(read_told(store, &told, &found, err));
    if (found) TRY(is_at_rest(store, &told, &rest, err));
    bool soon = false;
    if (rest && !afresh) TRY(is_too_soon(store, &told, rows_max, &soon, err));
    if (!rest || soon) return ST_OK;
    struct counting n = {.store = store, .rows_left = rows_max};
    TRY(store_org_first(store, n.key, err));
    n.scratch = buf_new(BUF_MAX_BATCH);
    enum status status = afresh ? digest_forget(store, err) : ST_OK;
    if (status == ST_OK) status = count_homes(&n, err);
    buf_free(&n.scratch);
    if (status == ST_OK) status = compare(store, &told, out, err);
    if (status == ST_OK && *out == BOOK_EQUAL) status = note_equal(store, err);
    return status;
}
