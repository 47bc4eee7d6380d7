/* Digests of homes. What a transaction does to them is collected in a list, so that a mark can be
 * undone by cutting it; the commit writes the sums, one row a home.
 */
#include "syncd/store/centre_digest.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/store/centre_private.h"
#include "syncd/store/org_keys.h"

enum {
    LATEST = 1024,               /* rows whose hash of this transaction is remembered */
    STEPS_MAX = 64 * 1024 * 1024 /* of one transaction */
};

struct step { /* one row into, or out of, one home */
    int64_t home;
    uint8_t hash[BOOK_DIGEST_BYTES];
    bool out;
};

struct latest { /* a row as this transaction saw or left it last */
    const struct entity *entity;
    int64_t row;
    bool living;
    uint8_t hash[BOOK_DIGEST_BYTES];
    struct homes homes;
};

struct digests {
    uint8_t key[SIGN_PUBLIC_BYTES];
    struct buf scratch;
    struct step *steps;
    size_t count, room;
    size_t marks[CENTRE_MARK_COUNT];
    struct latest latest[LATEST]; /* by id modulo */
};

/* ------------------------------------------------------------------ life */

static enum status digests_of(struct centre *c, struct digests **out, struct err *err) {
    uint8_t first[SIGN_PUBLIC_BYTES];
    *out = c->digests;
    if (c->digests) return ST_OK;
    TRY(centre_key_first(c, first, err));
    struct digests *d = calloc(1, sizeof *d);
    if (!d) return err_no_memory(err);
    memcpy(d->key, first, sizeof d->key);
    d->scratch = buf_new(BUF_MAX_BATCH);
    *out = c->digests = d;
    return ST_OK;
}

void centre_digests_stop(struct centre *c) {
    if (!c->digests) return;
    buf_free(&c->digests->scratch);
    free(c->digests->steps);
    free(c->digests);
    c->digests = NULL;
}

static void forget_latest(struct digests *d) {
    memset(d->latest, 0, sizeof d->latest);
}

void centre_digests_begin(struct centre *c) {
    if (!c->digests) return;
    c->digests->count = 0;
    forget_latest(c->digests);
}

void centre_digests_mark(struct centre *c, enum centre_mark mark) {
    if (c->digests) c->digests->marks[mark] = c->digests->count;
    c->digest_marks[mark] = c->digests != NULL;
}

void centre_digests_undo(struct centre *c, enum centre_mark mark) {
    if (!c->digests) return;
    c->digests->count = c->digest_marks[mark] ? c->digests->marks[mark] : 0;
    forget_latest(c->digests);
}

/* ------------------------------------------------------------------ rows */

static enum status hash_row(struct digests *d, const struct centre_row *row, struct arena *mem,
                            uint8_t out[BOOK_DIGEST_BYTES], struct err *err) {
    struct digest_row it = {
        .entity = row->entity, .id = row->id, .seq = row->seq, .values = row->values};
    struct record_cell *more = NULL;
    if (row->more.len > 0) TRY(rows_more_read(row->more, mem, &more, &it.more_count, err));
    it.more = more;
    return digest_of_row(&it, d->key, &d->scratch, out, err);
}

/* What a row counts for as it stands. In an open org no home but `all` is kept. */
static enum status look(struct centre *c, struct digests *d, const struct centre_row *row,
                        const struct homes *homes, struct latest *out, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    *out = (struct latest){.entity = row->entity, .row = row->id, .living = row->dead == 0};
    if (!out->living) return ST_OK;
    TRY(hash_row(d, row, &mem, out->hash, err));
    if (!c->scope.granted) return ST_OK;
    if (homes)
        out->homes = *homes;
    else
        TRY(centre_homes_of(c, row->entity, row->id, row->values, &out->homes, err));
    return ST_OK;
}

enum status centre_row_hash(struct centre *c, const struct centre_row *row, uint64_t *out,
                            struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    uint8_t hash[BOOK_DIGEST_BYTES];
    struct digests *d;
    TRY(digests_of(c, &d, err));
    TRY(hash_row(d, row, &mem, hash, err));
    *out = digest_low(hash);
    return ST_OK;
}

static struct latest *slot_of(struct digests *d, int64_t row) {
    return &d->latest[(uint64_t)row % LATEST];
}

static enum status look_in_file(struct centre *c, struct digests *d, const struct entity *e,
                                int64_t id, const struct homes *homes, struct latest *out,
                                struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct centre_row row = {.entity = e, .id = id};
    struct row_meta meta;
    bool found;
    *out = (struct latest){.entity = e, .row = id};
    TRY(rows_read(c->db, e, ROWS_SERVER, id, &mem, &row.values, &meta, &found, err));
    if (!found) return ST_OK;
    row.seq = meta.seq;
    row.dead = meta.gone;
    row.more = meta.more;
    return look(c, d, &row, homes, out, err);
}

/* ------------------------------------------------------------------ steps */

static enum status put_step(struct digests *d, int64_t home, const struct latest *row, bool out,
                            struct err *err) {
    if (d->count == STEPS_MAX)
        return err_set(err, ST_TOO_LARGE, "too many changes at once", "一次改动过多");
    if (d->count == d->room) {
        size_t room = d->room ? d->room * 2 : 256;
        struct step *steps = realloc(d->steps, room * sizeof *steps);
        if (!steps) return err_no_memory(err);
        d->steps = steps;
        d->room = room;
    }
    struct step *step = &d->steps[d->count++];
    *step = (struct step){.home = home, .out = out};
    memcpy(step->hash, row->hash, BOOK_DIGEST_BYTES);
    return ST_OK;
}

static enum status put_row(struct digests *d, const struct latest *row, bool out, struct err *err) {
    if (!row->living) return ST_OK;
    TRY(put_step(d, home_make(HOME_CLASS_ALL, 0), row, out, err));
    for (size_t i = 0; i < row->homes.count; i++) TRY(put_step(d, row->homes.at[i], row, out, err));
    return ST_OK;
}

/* A row was read for the merge: what it counts for need not be read again if it changes. */
enum status centre_digest_seen(struct centre *c, const struct centre_row *row, struct err *err) {
    struct digests *d;
    if (c->store->read_only || !db_in_transaction(c->db)) return ST_OK;
    TRY(digests_of(c, &d, err));
    struct latest *slot = slot_of(d, row->id);
    if (slot->row == row->id && slot->entity == row->entity) return ST_OK;
    return look(c, d, row, NULL, slot, err);
}

enum status centre_digest_insert(struct centre *c, const struct centre_row *row, struct err *err) {
    struct digests *d;
    TRY(digests_of(c, &d, err));
    TRY(look(c, d, row, NULL, slot_of(d, row->id), err));
    return put_row(d, slot_of(d, row->id), false, err);
}

/* Called before the row is written. */
enum status centre_digest_out(struct centre *c, const struct entity *e, int64_t row,
                              const struct homes *homes, struct err *err) {
    struct digests *d;
    TRY(digests_of(c, &d, err));
    struct latest *slot = slot_of(d, row), before;
    if (slot->row == row && slot->entity == e) {
        before = *slot;
        if (homes && c->scope.granted) before.homes = *homes;
    } else {
        TRY(look_in_file(c, d, e, row, homes, &before, err));
    }
    *slot = (struct latest){0};
    return put_row(d, &before, true, err);
}

enum status centre_digest_in(struct centre *c, const struct entity *e, int64_t row,
                             const struct homes *homes, struct err *err) {
    struct digests *d;
    TRY(digests_of(c, &d, err));
    TRY(look_in_file(c, d, e, row, homes, slot_of(d, row), err));
    return put_row(d, slot_of(d, row), false, err);
}

/* ------------------------------------------------------------------ sums */

static enum status read_sum(struct centre *c, int64_t home, struct book_digest *out,
                            struct err *err) {
    struct db_stmt *s;
    bool row;
    *out = (struct book_digest){.rows = 0};
    TRY(db_prepare(c->db, "SELECT sum, rows FROM home_digest WHERE home = ?", &s, err));
    db_bind_int(s, 1, home);
    TRY(db_step(s, &row, err));
    struct slice sum = row ? db_blob(s, 0) : (struct slice){0};
    if (sum.len == BOOK_DIGEST_BYTES) memcpy(out->sum, sum.data, BOOK_DIGEST_BYTES);
    if (row) out->rows = db_int(s, 1);
    db_reset(s);
    return ST_OK;
}

static enum status write_sum(struct centre *c, int64_t home, const struct book_digest *sum,
                             struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO home_digest(home, sum, rows) VALUES (?, ?, ?) ON CONFLICT(home) DO "
                   "UPDATE SET sum = excluded.sum, rows = excluded.rows",
                   &s, err));
    db_bind_int(s, 1, home);
    db_bind_blob(s, 2, slice_of(sum->sum, BOOK_DIGEST_BYTES));
    db_bind_int(s, 3, sum->rows);
    return db_run(s, err);
}

static int by_home(const void *a, const void *b) {
    const struct step *left = a, *right = b;
    return (left->home > right->home) - (left->home < right->home);
}

enum status centre_digests_flush(struct centre *c, struct err *err) {
    struct digests *d = c->digests;
    if (!d || d->count == 0) return ST_OK;
    qsort(d->steps, d->count, sizeof *d->steps, by_home);
    for (size_t i = 0; i < d->count;) {
        int64_t home = d->steps[i].home;
        struct book_digest sum;
        TRY(read_sum(c, home, &sum, err));
        for (; i < d->count && d->steps[i].home == home; i++)
            if (d->steps[i].out)
                digest_remove(&sum, d->steps[i].hash);
            else
                digest_add(&sum, d->steps[i].hash);
        TRY(write_sum(c, home, &sum, err));
    }
    d->count = 0;
    return ST_OK;
}

enum status centre_digest(struct centre *c, const int64_t *homes, size_t count,
                          struct book_digest *out, struct err *err) {
    struct book_digest total = {.rows = 0}, one;
    for (size_t i = 0; i < count; i++) {
        TRY(read_sum(c, homes[i], &one, err));
        digest_join(&total, &one, 1);
    }
    *out = total;
    return ST_OK;
}

/* ------------------------------------------------------------------ all of them */

typedef enum status row_id(void *ctx, const struct entity *e, int64_t id, struct err *err);

static enum status each_row(struct centre *c, row_id *each, void *ctx, struct err *err) {
    enum { IDS = 512 };
    for (size_t i = 0; i < c->cat->count; i++) {
        const struct entity *e = &c->cat->entities[i];
        int64_t ids[IDS], after = 0;
        size_t count;
        do {
            TRY(centre_home_rows(c, e, home_make(HOME_CLASS_ALL, 0), after, ids, IDS, &count, err));
            for (size_t k = 0; k < count; k++) TRY(each(ctx, e, ids[k], err));
            if (count > 0) after = ids[count - 1];
        } while (count == IDS);
    }
    return ST_OK;
}

static enum status add_row(void *ctx, const struct entity *e, int64_t id, struct err *err) {
    enum { FLUSH_AT = 100000 };
    struct centre *c = ctx;
    if (c->digests && c->digests->count > FLUSH_AT) TRY(centre_digests_flush(c, err));
    return centre_digest_in(c, e, id, NULL, err);
}

enum status centre_digests_rebuild(struct centre *c, struct err *err) {
    struct digests *d;
    TRY(digests_of(c, &d, err));
    d->count = 0;
    forget_latest(d);
    TRY(db_exec(c->db, "DELETE FROM home_digest", err));
    TRY(each_row(c, add_row, c, err));
    TRY(centre_digests_flush(c, err));
    return meta_int_set(c->db, "digests", 1, err);
}

static enum status rebuild_work(struct centre *c, void *ctx, struct err *err) {
    int64_t ready;
    (void)ctx;
    TRY(meta_int(c->db, "digests", &ready, err));
    return ready ? ST_OK : centre_digests_rebuild(c, err);
}

enum status centre_digests_ready(struct centre *c, struct err *err) {
    int64_t ready;
    TRY(meta_int(c->db, "digests", &ready, err));
    return ready ? ST_OK : centre_write(c, rebuild_work, NULL, err);
}

/* ------------------------------------------------------------------ verifying */

struct counted {
    struct centre *c;
    struct digests *d;
};

static enum status count_row(void *ctx, const struct entity *e, int64_t id, struct err *err) {
    struct counted *it = ctx;
    struct latest row;
    TRY(look_in_file(it->c, it->d, e, id, NULL, &row, err));
    return put_row(it->d, &row, false, err);
}

static enum status compare_sum(struct centre *c, int64_t home, const struct book_digest *counted,
                               struct buf *out, struct err *err) {
    struct book_digest kept;
    TRY(read_sum(c, home, &kept, err));
    if (digest_equal(&kept, counted)) return ST_OK;
    buf_put_text(out, "digest: ");
    home_write(home, out);
    buf_printf(out, ": %lld rows counted, %lld kept\n", (long long)counted->rows,
               (long long)kept.rows);
    return ST_OK;
}

/* Homes that are kept although no row is in them must be empty sums. */
static enum status compare_rest(struct centre *c, struct digests *d, struct buf *out,
                                struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT home, rows FROM home_digest WHERE rows <> 0 ORDER BY home", &s,
                   err));
    enum status status = db_step(s, &row, err);
    size_t at = 0;
    while (status == ST_OK && row) {
        int64_t home = db_int(s, 0);
        while (at < d->count && d->steps[at].home < home) at++;
        if (at == d->count || d->steps[at].home != home) {
            buf_put_text(out, "digest: ");
            home_write(home, out);
            buf_put_text(out, ": kept, but no row is there\n");
        }
        status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

static enum status verify_with(struct centre *c, struct digests *d, struct buf *out,
                               struct err *err) {
    struct counted counted = {c, d};
    TRY(each_row(c, count_row, &counted, err));
    if (d->count > 0) qsort(d->steps, d->count, sizeof *d->steps, by_home);
    for (size_t i = 0; i < d->count;) {
        struct book_digest sum = {.rows = 0};
        int64_t home = d->steps[i].home;
        for (; i < d->count && d->steps[i].home == home; i++) digest_add(&sum, d->steps[i].hash);
        TRY(compare_sum(c, home, &sum, out, err));
    }
    return compare_rest(c, d, out, err);
}

enum status centre_digests_verify(struct centre *c, struct buf *out_findings, struct err *err) {
    struct digests *d;
    TRY(centre_refresh(c, err));
    TRY(digests_of(c, &d, err));
    d->count = 0;
    enum status status = verify_with(c, d, out_findings, err);
    d->count = 0;
    forget_latest(d);
    return status;
}
