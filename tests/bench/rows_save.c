/* What a save costs the person's laptop: time, bytes written, bytes kept. */
#include "tests/bench/bench.h"

#include <string.h>

#include "tests/unit/fault_vfs.h"

static double bytes_written(void) {
    struct fault_vfs_counts counts;
    fault_vfs_counts(&counts);
    return (double)counts.bytes;
}

/* ------------------------------------------------------------------ one visit, one transaction */

struct saves {
    struct lap lap;
    struct plain *plain, *session;
    struct work work;
    size_t at;                                             /* the next visit */
    uint32_t counter;
};

static double plain_saves(struct saves *s, struct plain *p, size_t count) {
    double from = cpu_us();
    for (size_t i = 0; i < count; i++) {
        plain_begin(p);
        plain_insert(p, id_make(LAP_DEVICE, s->counter + (uint32_t)i), &s->work.visits[s->at + i]);
        plain_commit(p);
    }
    return cpu_us() - from;
}

static double lap_saves(struct saves *s, size_t count) {
    double from = cpu_us();
    for (size_t i = 0; i < count; i++) (void)lap_save(&s->lap, &s->work.visits[s->at + i]);
    return cpu_us() - from;
}

static void saves_open(struct bench *b, struct saves *s, size_t count) {
    memset(s, 0, sizeof *s);
    lap_open(b, &s->lap);
    s->plain = plain_open(b, ROWS_LAPTOP, PLAIN_SEARCH);
    s->session = plain_open(b, ROWS_LAPTOP, PLAIN_SEARCH | PLAIN_SESSION);
    plain_titles(s->plain, &s->lap);
    plain_titles(s->session, &s->lap);
    work_make(b, count, s->lap.accounts, s->lap.author, &b->mem, &s->work);
    s->counter = 1;
}

static void saves_close(struct saves *s) {
    lap_close(&s->lap);
    plain_close(s->plain);
    plain_close(s->session);
}

void rows_save(struct bench *b) {
    static struct series ours, plain, session, ours_bytes, plain_bytes;
    struct saves s;
    size_t each = b->quick ? 100 : 1000, turns = b->quick ? 5 : 9;
    saves_open(b, &s, each * (turns + 1));
    for (size_t t = 0; t <= turns; t++) {                  /* the first turn fills caches and does not count */
        double w0 = bytes_written(), cpu = lap_saves(&s, each), w1 = bytes_written();
        double plain_cpu = plain_saves(&s, s.plain, each), w2 = bytes_written();
        double session_cpu = plain_saves(&s, s.session, each);
        s.at += each;
        s.counter += (uint32_t)each;
        if (t == 0) continue;
        series_add(&ours, cpu / (double)each);
        series_add(&plain, plain_cpu / (double)each);
        series_add(&session, session_cpu / (double)each);
        series_add(&ours_bytes, (w1 - w0) / (double)each);
        series_add(&plain_bytes, (w2 - w1) / (double)each);
    }
    double v = series_median(&ours), c = series_median(&plain), x = series_median(&session);
    double vb = series_median(&ours_bytes), cb = series_median(&plain_bytes);
    bench_say(b, (struct figure){"save-cpu", v, c, v / c, 1.25, AT_MOST, false, "us", "CPU of saving one visit; plain SQLite"});
    bench_say(b, (struct figure){"save-cpu-session", v, x, v / x, 1.25, JUST_SAYS, false, "us", "the same; SQLite's session extension, changeset kept"});
    bench_say(b, (struct figure){"save-bytes", vb, cb, vb / cb, 1.25, AT_MOST, false, "bytes", "written for it, checkpoints included"});
    saves_close(&s);
}

/* ------------------------------------------------------------------ bulk insert */

__attribute__((noinline)) static double plain_bulk(struct saves *s, struct plain *p, size_t count) {
    double from = cpu_us();
    plain_begin(p);
    for (size_t i = 0; i < count; i++)
        plain_insert(p, id_make(LAP_DEVICE, s->counter + (uint32_t)i), &s->work.visits[s->at + i]);
    plain_commit(p);
    return cpu_us() - from;
}

__attribute__((noinline)) static double lap_bulk(struct saves *s, size_t count) {
    struct err err;
    struct field_edit edits[BENCH_CELLS];
    int64_t id;
    uint32_t batch;
    double from = cpu_us();
    MUST(store_begin(s->lap.store, &err));
    for (size_t i = 0; i < count; i++) {
        size_t n = work_edits(s->lap.b, s->work.visits[s->at + i].values, edits);
        MUST(store_create(s->lap.store, s->lap.b->visit, edits, n, &id, &err));
    }
    MUST(store_commit(s->lap.store, &batch, &err));
    return cpu_us() - from;
}

void rows_bulk(struct bench *b) {
    static struct series ours, plain, session;
    struct saves s;
    size_t each = 500, per_turn = b->quick ? 4 : 20, turns = b->quick ? 5 : 10;
    saves_open(b, &s, each * per_turn * turns);
    for (size_t t = 0; t < turns; t++) {
        double v = 0, c = 0, x = 0;
        for (size_t k = 0; k < per_turn; k++) {
            v += lap_bulk(&s, each);
            c += plain_bulk(&s, s.plain, each);
            x += plain_bulk(&s, s.session, each);
            s.at += each;
            s.counter += (uint32_t)each;
        }
        series_add(&ours, v / (double)(each * per_turn));
        series_add(&plain, c / (double)(each * per_turn));
        series_add(&session, x / (double)(each * per_turn));
    }
    double v = series_median(&ours), c = series_median(&plain), x = series_median(&session);
    const char *note = bench_note(b, "CPU a visit, %zu a transaction, %zu in all; plain SQLite", each, s.work.count);
    bench_say(b, (struct figure){"bulk-insert", v, c, v / c, 1.3, AT_MOST, false, "us", note});
    bench_say(b, (struct figure){"bulk-insert-session", v, x, v / x, 1.3, JUST_SAYS, false, "us", "the same; SQLite's session extension, changeset kept"});
    saves_close(&s);
}

/* ------------------------------------------------------------------ what stays hidden in a row */

/* All bytes in use of both files after every batch has its receipt and a backup covers it, less what an empty
 * book has. */
void rows_hidden(struct bench *b) {
    struct err err;
    struct saves s;
    size_t each = 500, turns = b->quick ? 10 : 100;
    struct db *db;
    saves_open(b, &s, each * turns);
    int64_t id = 0, empty = 0, plain_empty = db_used_bytes(plain_db(s.plain), NULL);
    (void)id;
    MUST(db_open(s.lap.path, DB_READ_ONLY, &db, &err));
    empty = db_used_bytes(db, NULL);
    for (size_t t = 0; t < turns; t++) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
        struct round_request request;
        (void)lap_bulk(&s, each);
        (void)plain_bulk(&s, s.plain, each);
        s.at += each;
        s.counter += (uint32_t)each;
        lap_ask(&s.lap, &mem, &request, &message);
        lap_receipts(&s.lap, &request, &mem);
    }
    double rows = (double)(each * turns);
    double table = (double)db_used_bytes(db, "r_visit"), plain_table = (double)db_used_bytes(plain_db(s.plain), "r_visit");
    double v = ((double)(db_used_bytes(db, NULL) - empty) - (double)(db_used_bytes(plain_db(s.plain), NULL) - plain_empty)) / rows;
    const char *note = bench_note(b, "a visit in the whole file, after receipt and backup; of them %.1f in the row itself", (table - plain_table) / rows);
    bench_say(b, (struct figure){"hidden-bytes", v, 0, 0, 16, AT_MOST, true, "bytes", note});
    db_close(db);
    saves_close(&s);
}
