/* Two real daemons and the real server: how soon an edit is seen; and what a first load takes of a laptop's memory. */
#include "tests/bench/bench.h"

#include <string.h>
#include <sys/wait.h>

#include "syncd/agent/agent.h"

static int daemon_start(struct bench *b, const char *home, bool once) {
    const char *program = arena_printf(&b->mem, "%s/roadbook-syncd", b->bin);
    const char *argv[] = {program, "--home", home, once ? "--once" : NULL, NULL};
    return child_start(argv);
}

/* ------------------------------------------------------------------ seen elsewhere */

enum { SEEN_MS_MAX = 5000 };

static bool has_row(struct store *store, const struct entity *e, int64_t id) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct err err;
    struct row row;
    return store_get(store, e, id, &mem, &row, &err) == ST_OK;
}

/* Milliseconds from the end of the save on one laptop until a query on the other shows it. */
static double seen_ms(struct bench *b, struct lap *from, const char *home, struct store *other, const struct visit *v) {
    struct err err;
    int64_t id = lap_save(from, v);
    double began = wall_us();
    MUST(agent_wake(home, &err));
    while (!has_row(other, b->visit, id)) {
        if (wall_us() - began > SEEN_MS_MAX * 1e3) return SEEN_MS_MAX;
        platform_sleep_ms(1);
    }
    return (wall_us() - began) / 1e3;
}

void rows_seen(struct bench *b) {
    static struct series took;
    struct hall h;
    struct work w;
    struct store *stores[2];
    const char *homes[2] = {bench_dir(b), bench_dir(b)};
    char links[2][1024];
    int pids[2];
    size_t count = b->quick ? 40 : 300;
    hall_open(b, &h, 1);
    for (int i = 0; i < 2; i++) hall_link(&h, links[i], sizeof links[i]);
    hall_serve(&h);
    for (int i = 0; i < 2; i++) {
        net_enroll(&h, homes[i], links[i], &stores[i]);
        pids[i] = daemon_start(b, homes[i], false);
    }
    work_make(b, count, h.accounts, h.author, &b->mem, &w);
    for (int i = 0; i < 2; i++)
        for (int ms = 0; !has_row(stores[i], b->account, h.accounts[work_sites(b) - 1]); ms += 10) {
            if (ms > 20000) bench_fail("the first load does not come", NULL);
            platform_sleep_ms(10);
        }
    platform_sleep_ms(300);
    struct lap from = {.b = b, .store = stores[0]};
    for (size_t i = 0; i < count; i++) {
        series_add(&took, seen_ms(b, &from, homes[0], stores[1], &w.visits[i]));
        platform_sleep_ms(60 + (int64_t)(i * 37 % 50));
    }
    for (int i = 0; i < 2; i++) {
        child_stop(pids[i]);
        store_close(stores[i]);
    }
    const char *note = bench_note(b, "wall, from the save on one laptop to its sight on another; two daemons, server, %zu visits", count);
    bench_say(b, (struct figure){"seen-p50", series_median(&took), 0, 0, 10, AT_MOST, true, "ms", note});
    bench_say(b, (struct figure){"seen-p99", series_quantile(&took, 0.99), 0, 0, 50, AT_MOST, true, "ms", note});
    hall_close(&h);
}

/* ------------------------------------------------------------------ memory of a first load */

static void fill_org(struct hall *h, size_t rows) {
    enum { PIECE = 20000 };
    for (size_t done = 0; done < rows; done += PIECE) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct work w;
        work_make(h->b, rows - done < PIECE ? rows - done : PIECE, h->accounts, h->author, &mem, &w);
        (void)hall_fill(h, &w, NULL);
    }
}

/* The peak of a program, looked at until it ends: what wait4 says of a child counts its parent's memory at the fork. */
static double peak_mb(int pid) {
    int status;
    int64_t peak = 0;
    for (;;) {
        int64_t now = hall_rss_bytes(pid, "VmHWM");
        if (now > 0) peak = now;                           /* before its exec it was this program's */
        int ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid) break;
        if (ended < 0) bench_fail("no child", NULL);
        platform_sleep_ms(1);
    }
    if (status != 0) bench_fail("roadbook-syncd --once", NULL);
    return (double)peak / 1048576;
}

static double first_load_mb(struct bench *b, size_t rows) {
    struct hall h;
    struct store *store;
    char link[1024];
    const char *home = bench_dir(b);
    hall_open(b, &h, 1);
    fill_org(&h, rows);
    hall_link(&h, link, sizeof link);
    hall_serve(&h);
    net_enroll(&h, home, link, &store);
    store_close(store);
    double mb = peak_mb(daemon_start(b, home, true));
    hall_close(&h);
    return mb;
}

void rows_memory(struct bench *b) {
    size_t rows = b->quick ? 30000 : 1000000;
    double mb = first_load_mb(b, rows);
    bench_say(b, (struct figure){"laptop-memory", mb, 0, 0, 24, AT_MOST, true, "MB",
                                 bench_note(b, "peak of roadbook-syncd in a first load of %zu rows%s", rows,
                                            b->quick ? "; 1,000,000 in a full run" : "")});
}
