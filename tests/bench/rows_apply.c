/* What a round costs the laptop: preparing a push, applying what came, and saving meanwhile. */
#include "tests/bench/bench.h"

#include <stdatomic.h>
#include <string.h>

/* ------------------------------------------------------------------ rows in place */

enum { FILL_PAGE = 20000 };

/* Others' visits, until the laptop has that many. Texts repeat after the first 100,000. */
static int64_t fill(struct lap *l, size_t count) {
    int64_t first = id_make(LAP_OTHER, l->counter + 1), ignored;
    for (size_t done = 0; done < count; done += FILL_PAGE) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct work work;
        size_t n = count - done < FILL_PAGE ? count - done : FILL_PAGE;
        work_make(l->b, n, l->accounts, l->author, &mem, &work);
        (void)lap_pull(l, work.visits, n, &ignored);
    }
    return first;
}

static void save_day(struct lap *l, size_t day, const int64_t *mine, size_t mine_count) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct work work = {.accounts = l->accounts, .author = l->author};
    struct field_edit two[2];
    for (size_t i = 0; i < DAY_VISITS; i++) {
        struct visit v = work_day_visit(l->b, &work, day, i, &mem);
        (void)lap_save(l, &v);
    }
    for (size_t i = 0; i < DAY_EDITS; i++) {
        work_two(l->b, day, i, &mem, two);
        lap_edit(l, mine[(day * DAY_EDITS + i * 3) % mine_count], two);
    }
}

/* Wall and CPU time of one preparation: outbox read and marked as sent, encoded, deflated. */
static double prepare_day(struct lap *l, size_t day, const int64_t *mine, size_t mine_count, double *out_wall) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    struct round_request request;
    save_day(l, day, mine, mine_count);
    double cpu = cpu_us(), wall = wall_us();
    lap_ask(l, &mem, &request, &message);
    *out_wall = wall_us() - wall;
    cpu = cpu_us() - cpu;
    lap_receipts(l, &request, &mem);
    return cpu;
}

static void save_mine(struct lap *l, int64_t *mine, size_t count) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct work work;
    struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    struct round_request request;
    work_make(l->b, count, l->accounts, l->author, &mem, &work);
    for (size_t i = 0; i < count; i++) mine[i] = lap_save(l, &work.visits[i]);
    lap_ask(l, &mem, &request, &message);
    lap_receipts(l, &request, &mem);
}

/* One durable commit of one small row on this disk, in microseconds of wall time. */
static double commit_us(struct plain *p, const struct visit *v, uint32_t at) {
    plain_begin(p);
    plain_insert(p, id_make(9, at + 1), v);
    double from = wall_us();
    plain_commit(p);
    return wall_us() - from;
}

enum { MINE = 60 };

void rows_prepare(struct bench *b) {
    static struct series small, large, small_wall, large_wall, commits;
    struct lap laps[2];
    int64_t mine[2][MINE];
    size_t sizes[2] = {b->quick ? 10000 : 100000, b->quick ? 100000 : 1000000}, turns = b->quick ? 9 : 21;
    struct plain *plain = plain_open(b, ROWS_LAPTOP, 0);
    struct work one;
    for (size_t i = 0; i < 2; i++) {
        lap_open(b, &laps[i]);
        (void)fill(&laps[i], sizes[i]);
        save_mine(&laps[i], mine[i], MINE);
    }
    work_make(b, 1, laps[0].accounts, laps[0].author, &b->mem, &one);
    for (size_t t = 0; t <= turns; t++) {
        double wall[2], cpu[2];
        for (size_t i = 0; i < 2; i++) cpu[i] = prepare_day(&laps[i], t, mine[i], MINE, &wall[i]);
        double commit = commit_us(plain, &one.visits[0], (uint32_t)t);
        if (t == 0) continue;
        series_add(&small, cpu[0] / 1e3);
        series_add(&large, cpu[1] / 1e3);
        series_add(&small_wall, wall[0] / 1e3);
        series_add(&large_wall, wall[1] / 1e3);
        series_add(&commits, commit / 1e3);
    }
    double s = series_median(&small), l = series_median(&large);
    bench_say(b, (struct figure){"prepare-push", s, 0, 0, 1, AT_MOST, true, "ms",
                                 bench_note(b, "CPU, %zu rows in the store (wall %.2f ms, of which a durable commit takes %.2f)", sizes[0],
                                            series_median(&small_wall), series_median(&commits))});
    bench_say(b, (struct figure){"prepare-push-large", l, 0, 0, 1, AT_MOST, true, "ms",
                                 bench_note(b, "the same, %zu rows (wall %.2f ms)", sizes[1], series_median(&large_wall))});
    bench_say(b, (struct figure){"prepare-push-flat", l, s, l / s, 1.2, AT_MOST, false, "ms", "large against small: the same for both"});
    plain_close(plain);
    lap_close(&laps[0]);
    lap_close(&laps[1]);
}

/* ------------------------------------------------------------------ a day's bytes */

void rows_push_bytes(struct bench *b) {
    static struct series ours, xz;
    struct lap l;
    int64_t mine[MINE];
    size_t days = b->quick ? 9 : 25;
    lap_open(b, &l);
    (void)fill(&l, b->quick ? 1000 : 10000);
    save_mine(&l, mine, MINE);
    for (size_t day = 0; day < days; day++) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE), bare SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
        struct work work = {.accounts = l.accounts, .author = l.author};
        struct visit visits[DAY_VISITS];
        int64_t ids[DAY_VISITS];
        struct field_edit two[DAY_EDITS][2];
        struct round_request request;
        save_day(&l, day, mine, MINE);
        lap_ask(&l, &mem, &request, &message);
        for (size_t i = 0; i < DAY_VISITS; i++) {
            visits[i] = work_day_visit(b, &work, day, i, &mem);
            ids[i] = request.batches[i].changes[0].row;
        }
        work_columns(b, ids, visits, DAY_VISITS, &bare);
        for (size_t i = 0; i < DAY_EDITS; i++) {
            work_two(b, day, i, &mem, two[i]);
            buf_printf(&bare, "%lld\n", (long long)mine[(day * DAY_EDITS + i * 3) % MINE]);
        }
        for (size_t i = 0; i < DAY_EDITS; i++) buf_printf(&bare, "%lld\n", (long long)two[i][0].value.number);
        for (size_t i = 0; i < DAY_EDITS; i++) {
            buf_put_slice(&bare, two[i][1].value.text);
            buf_put_byte(&bare, '\n');
        }
        series_add(&ours, (double)message.len);
        series_add(&xz, (double)work_xz(b, buf_slice(&bare)));
        lap_receipts(&l, &request, &mem);
    }
    double v = series_median(&ours), c = series_median(&xz);
    bench_say(b, (struct figure){"push-bytes", v, c, v / c, 1.0, AT_MOST, false, "bytes",
                                 bench_note(b, "a day's push: %d visits, %d edits; xz -9 of the columns; median of %zu days", DAY_VISITS, DAY_EDITS, days)});
    lap_close(&l);
}

/* ------------------------------------------------------------------ applying */

/* The same rows in transactions of the same size, in CPU microseconds. */
static double plain_apply(struct plain *p, const struct work *w, int64_t first, size_t per_commit) {
    double from = cpu_us();
    for (size_t i = 0; i < w->count; i++) {
        if (i % per_commit == 0) plain_begin(p);
        plain_upsert(p, first + (int64_t)i, &w->visits[i], NULL);
        if ((i + 1) % per_commit == 0 || i + 1 == w->count) plain_commit(p);
    }
    return cpu_us() - from;
}

/* The rows that fill() has put on a laptop, in the control's file. */
static void plain_fill(struct plain *p, const struct lap *l, size_t count) {
    for (size_t done = 0; done < count; done += FILL_PAGE) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct work work;
        size_t n = count - done < FILL_PAGE ? count - done : FILL_PAGE;
        work_make(l->b, n, l->accounts, l->author, &mem, &work);
        (void)plain_apply(p, &work, id_make(LAP_OTHER, (uint32_t)done + 1), 500);
    }
}

void rows_apply(struct bench *b) {
    static struct series ours, plain, large, plain_large;
    struct lap l, big;
    size_t small_rows = b->quick ? 5000 : 10000, big_rows = b->quick ? 100000 : 1000000, each = b->quick ? 2000 : 5000;
    struct plain *p = plain_open(b, ROWS_LAPTOP, PLAIN_SEARCH), *plain_big = plain_open(b, ROWS_LAPTOP, PLAIN_SEARCH);
    struct work work;
    lap_open(b, &l);
    lap_open(b, &big);
    plain_titles(p, &l);
    plain_titles(plain_big, &big);
    (void)fill(&l, small_rows);
    (void)fill(&big, big_rows);
    plain_fill(p, &l, small_rows);
    plain_fill(plain_big, &big, big_rows);
    for (size_t t = 0; t < 7; t++) {
        int64_t first;
        work_make(b, each, l.accounts, l.author, &b->mem, &work);
        double v = lap_pull(&l, work.visits, each, &first);
        size_t per_commit = each / (l.slices ? l.slices : 1);
        double c = plain_apply(p, &work, first, per_commit ? per_commit : 1);
        double x = lap_pull(&big, work.visits, each, &first);
        per_commit = each / (big.slices ? big.slices : 1);
        double y = plain_apply(plain_big, &work, first, per_commit ? per_commit : 1);
        series_add(&ours, (double)each / v * 1e6);
        series_add(&plain, (double)each / c * 1e6);
        series_add(&large, (double)each / x * 1e6);
        series_add(&plain_large, (double)each / y * 1e6);
    }
    double v = series_median(&ours), c = series_median(&plain), x = series_median(&large), y = series_median(&plain_large);
    bench_say(b, (struct figure){"apply", v, c, v / c, 0.5, AT_LEAST, false, "row/s", "new visits applied on a laptop, per second of CPU; plain upsert"});
    bench_say(b, (struct figure){"apply-large", x / v, y / c, x / v / (y / c), 0.8, AT_LEAST, false, "x",
                                 bench_note(b, "its speed with %zu rows in the store (%.0f row/s) against %zu; plain upsert's own (%.0f row/s)",
                                            big_rows, x, small_rows, y)});
    lap_close(&l);
    lap_close(&big);
    plain_close(p);
    plain_close(plain_big);
}

/* ------------------------------------------------------------------ saving meanwhile */

struct loading {
    struct lap *lap;
    size_t rows;
    atomic_bool done;
};

static void load(void *ctx) {
    struct loading *loading = ctx;
    (void)fill(loading->lap, loading->rows);
    atomic_store(&loading->done, true);
}

void rows_busy_save(struct bench *b) {
    static struct series waits, alone;
    struct err err;
    struct lap l, person;
    struct work work;
    struct platform_thread *thread;
    lap_open(b, &l);
    person = l;
    struct store_config config = {.path = l.path, .kind = STORE_LAPTOP, .catalogue = &b->cat, .env = &b->env};
    MUST(store_open(&config, &person.store, &err));
    work_make(b, 4000, l.accounts, l.author, &b->mem, &work);
    for (size_t i = 0; i < 50; i++) {
        double from = wall_us();
        (void)lap_save(&person, &work.visits[i]);
        series_add(&alone, (wall_us() - from) / 1e3);
    }
    struct loading loading = {.lap = &l, .rows = b->quick ? 60000 : 400000};
    MUST(platform_thread_start(load, &loading, &thread, &err));
    for (size_t i = 50; i < 4000 && !atomic_load(&loading.done); i++) {
        double from = wall_us();
        (void)lap_save(&person, &work.visits[i]);
        series_add(&waits, (wall_us() - from) / 1e3);
        platform_sleep_ms(5);
    }
    platform_thread_join(thread);
    double v = series_quantile(&waits, 0.99), c = series_quantile(&alone, 0.99);
    bench_say(b, (struct figure){"save-while-loading", v, c, v / c, 50, AT_MOST, true, "ms",
                                 bench_note(b, "wall p99 of %zu saves while a first load applies (p50 %.2f); alone", waits.count, series_median(&waits))});
    store_close(person.store);
    lap_close(&l);
}
