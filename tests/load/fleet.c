/* Laptops: those that wait share a few threads, those that work have one each, so that they are as independent of
 * each other as in the field. */
#include "tests/load/load.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEEPERS = 4,                                           /* threads that hold the waiting ones */
    DAY_ROUNDS = 7,                                        /* 35 saves, 5 a round */
    PAGE_BYTES = 8 * 1024,                                 /* news of others, about what a rep's scope brings with a round */
    HERD_SECONDS_MAX = 300,
    STAY_S = 60                                            /* a laptop with nothing to do for longer hangs up */
};
#define NEVER ((int64_t)1 << 40)                           /* a seq that the head does not reach: no news for this laptop */

/* ------------------------------------------------------------------ figures */

void histogram_add(struct histogram *h, double us) {
    size_t row = us < 1 ? 0 : (size_t)(log(us) / log(1.03));
    atomic_fetch_add(&h->rows[row < HISTOGRAM_ROWS ? row : HISTOGRAM_ROWS - 1], 1);
    atomic_fetch_add(&h->count, 1);
    int64_t most = atomic_load(&h->most_us);
    while ((int64_t)us > most && !atomic_compare_exchange_weak(&h->most_us, &most, (int64_t)us)) continue;
}

double histogram_quantile(const struct histogram *h, double share) {
    double passed = 0, wanted = share * (double)atomic_load(&h->count);
    if (share >= 1) return (double)atomic_load(&h->most_us);
    for (size_t i = 0; i < HISTOGRAM_ROWS; i++) {
        passed += atomic_load(&h->rows[i]);
        if (passed > 0 && passed >= wanted) return pow(1.03, (double)i + 0.5);
    }
    return 0;
}

/* Offices of per_address laptops, each behind an address of its own: 127.1.0.1 and so on. */
static uint32_t address_of(const struct load *l, size_t number) {
    return (127u << 24 | 1u << 16) + 1 + (uint32_t)(number / l->per_address);
}

static void meet(struct load *l, size_t number, struct caller *out) {
    *out = (struct caller){.h = &l->h, .laptop = &l->h.laptops[number], .from = address_of(l, number)};
    hall_session(out->laptop, &out->session);
}

static void threads_run(size_t count, void (*run)(void *), char *items, size_t bytes) {
    struct err err;
    struct platform_thread **threads = calloc(count, sizeof *threads);
    if (!threads) bench_fail("no memory", NULL);
    for (size_t i = 0; i < count; i++) MUST(platform_thread_start(run, items + i * bytes, &threads[i], &err));
    for (size_t i = 0; i < count; i++) platform_thread_join(threads[i]);
    free(threads);
}

/* ------------------------------------------------------------------ laptops that wait */

struct keeper {
    struct crowd *crowd;
    size_t first, count;
    struct platform_thread *thread;
    struct pollfd *polled;
};
struct crowd {
    struct load *load;
    struct caller *callers;
    struct keeper keepers[KEEPERS];
    atomic_size_t held, answered, errors;
    atomic_bool stop;
};

static void crowd_join(struct crowd *c, size_t i) {
    struct load *l = c->load;
    struct caller *caller = &c->callers[i];
    meet(l, l->laptops + i, caller);
    caller->tls = tls_connect_from(l->client, l->h.port, caller->from, NULL);
    if (!caller->tls) {
        atomic_fetch_add(&c->errors, 1);
        return;
    }
    caller_idle(caller);
    caller_wait(caller, NEVER);
    atomic_fetch_add(&c->held, 1);
}

/* The wait is over, by its time: it begins again. */
static void answer_take(struct crowd *c, struct caller *caller) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct session_http reply;
    struct slice nothing;
    struct err err;
    if (!tls_receive(caller->tls, &mem, &reply, NULL) ||
        session_round_reply(&caller->session, &reply, &mem, &nothing, &err) != ST_OK) {
        tls_close(caller->tls);
        caller->tls = NULL;
        atomic_fetch_sub(&c->held, 1);
        if (!atomic_load(&c->stop)) atomic_fetch_add(&c->errors, 1);
        return;
    }
    atomic_fetch_add(&c->answered, 1);
    caller_wait(caller, NEVER);
}

static void keeper_run(void *ctx) {
    struct keeper *k = ctx;
    struct crowd *c = k->crowd;
    while (!atomic_load(&c->stop)) {
        for (size_t i = 0; i < k->count; i++) {
            const struct tls *tls = c->callers[k->first + i].tls;
            k->polled[i] = (struct pollfd){.fd = tls ? tls_fd(tls) : -1, .events = POLLIN};
        }
        if (poll(k->polled, k->count, 200) <= 0) continue;
        for (size_t i = 0; i < k->count && !atomic_load(&c->stop); i++)
            if (k->polled[i].revents) answer_take(c, &c->callers[k->first + i]);
    }
}

static void keepers_start(struct crowd *c, size_t count) {
    struct err err;
    size_t each = (count + KEEPERS - 1) / KEEPERS;
    for (size_t i = 0; i < KEEPERS; i++) {
        struct keeper *k = &c->keepers[i];
        size_t first = i * each < count ? i * each : count;
        *k = (struct keeper){.crowd = c, .first = first, .count = count - first < each ? count - first : each};
        k->polled = calloc(k->count + 1, sizeof *k->polled);
        if (!k->polled) bench_fail("no memory", NULL);
        MUST(platform_thread_start(keeper_run, k, &k->thread, &err));
    }
}

void crowd_open(struct load *l, struct crowd **out, double *out_kb_each) {
    enum { FIRST = 20 };                                   /* what the program takes once is not counted */
    struct crowd *c = calloc(1, sizeof *c);
    int64_t before = 0;
    if (!c || !(c->callers = calloc(l->waiting + 1, sizeof *c->callers))) bench_fail("no memory", NULL);
    c->load = l;
    for (size_t i = 0; i < l->waiting; i++) {
        if (i == FIRST) before = hall_rss_bytes(l->h.pid, "VmRSS");
        if (i % 500 == 0) fprintf(stderr, "\r%zu laptops wait ", i);
        crowd_join(c, i);
    }
    platform_sleep_ms(300);
    fprintf(stderr, "\r%zu laptops wait\n", atomic_load(&c->held));
    size_t counted = l->waiting > FIRST ? l->waiting - FIRST : 1;
    *out_kb_each = l->waiting > FIRST ? (double)(hall_rss_bytes(l->h.pid, "VmRSS") - before) / 1024 / (double)counted : 0;
    keepers_start(c, l->waiting);
    *out = c;
}

struct crowd_counts crowd_counts(const struct crowd *c) {
    return (struct crowd_counts){atomic_load(&c->held), atomic_load(&c->answered), atomic_load(&c->errors)};
}

void crowd_close(struct crowd *c) {
    atomic_store(&c->stop, true);
    for (size_t i = 0; i < KEEPERS; i++) {
        platform_thread_join(c->keepers[i].thread);
        free(c->keepers[i].polled);
    }
    for (size_t i = 0; i < c->load->waiting; i++) tls_close(c->callers[i].tls);
    free(c->callers);
    free(c);
}

/* ------------------------------------------------------------------ one laptop's work */

struct worker {
    struct load *load;
    struct outcome_counts *out;
    size_t number;
    int64_t days;
    double seconds, began_us;
    atomic_bool *go;                                       /* herd: the server is there; NULL: work as it comes */
};

/* What stands in the outbox of a day: its visits, then edits of some of them. rows[DAY_VISITS]. */
static void day_part(struct worker *w, int64_t day, size_t from, size_t to, int64_t *rows, struct batch *out, struct arena *mem) {
    struct load *l = w->load;
    struct hall_laptop *laptop = &l->h.laptops[w->number];
    size_t seed = w->number * 31 + (size_t)day;
    for (size_t i = from; i < to; i++) {
        if (i < DAY_VISITS) {
            struct visit visit = work_day_visit(l->b, &l->work, seed, i, mem);
            hall_create(&l->h, laptop, &visit, mem, &out[i - from]);
            rows[i] = out[i - from].changes[0].row;
        } else {
            struct field_edit two[2];
            work_two(l->b, seed, i - DAY_VISITS, mem, two);
            hall_edit(&l->h, laptop, rows[i - DAY_VISITS], laptop->top.seq, two, mem, &out[i - from]);
        }
    }
}

static size_t creates_in(const struct round_request *request) {
    size_t count = 0;
    for (size_t i = 0; i < request->batch_count; i++) count += request->batches[i].changes[0].kind == CHANGE_CREATE;
    return count;
}

static void count_failure(struct worker *w, int code) {
    if (code == 429 || code == 503) atomic_fetch_add(&w->out->later, 1);
    else if (code == 0) atomic_fetch_add(&w->out->broken, 1);
    else if (code != 401) atomic_fetch_add(&w->out->refused, 1);
}

/* Sends the round until it has its receipts, as late as the server asks; false after until_us. The rest of the log
 * is skipped: it stands for what is not in this rep's scope. */
static bool go_round(struct worker *w, struct caller *c, struct batch *batches, size_t count, double until_us) {
    struct round_request request;
    hall_request(&w->load->h, c->laptop, batches, count, NULL, &request);
    request.page_bytes = PAGE_BYTES;
    while (wall_us() < until_us) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct round_reply reply;
        int64_t wait_ms;
        double from = wall_us();
        if (caller_try(c, w->load->client, &request, &wait_ms, &reply, &mem)) {
            c->laptop->cursor = c->laptop->top;
            c->laptop->since = c->laptop->top.seq;
            histogram_add(&w->out->round_us, wall_us() - from);
            atomic_fetch_add(&w->out->rounds, 1);
            atomic_fetch_add(&w->load->visits_told, creates_in(&request));
            return true;
        }
        count_failure(w, c->code);
        if (wait_ms) platform_sleep_ms(wait_ms);
    }
    return false;
}

static void sleep_until(double us) {
    double left = us - wall_us();
    if (left > 0) platform_sleep_ms((int64_t)(left / 1000));
}

/* Rounds lie evenly over the time; each laptop begins at another moment. */
static void work_run(void *ctx) {
    enum { EACH = (DAY_VISITS + DAY_EDITS) / DAY_ROUNDS };
    struct worker *w = ctx;
    struct caller c;
    meet(w->load, w->number, &c);
    int64_t rounds = w->days * DAY_ROUNDS;
    double each_us = w->seconds * 1e6 / (double)rounds;
    double first_us = w->began_us + each_us * (double)(w->number * 7919 % w->load->laptops) / (double)w->load->laptops;
    int64_t rows[DAY_VISITS];
    for (int64_t i = 0; i < rounds; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct batch batches[EACH];
        size_t from = (size_t)(i % DAY_ROUNDS) * EACH;
        sleep_until(first_us + each_us * (double)i);
        day_part(w, i / DAY_ROUNDS, from, from + EACH, rows, batches, &mem);
        if (!go_round(w, &c, batches, EACH, w->began_us + (w->seconds + HERD_SECONDS_MAX) * 1e6)) {
            atomic_fetch_add(&w->out->starved, 1);
            break;
        }
        if (each_us < STAY_S * 1e6) continue;
        tls_close(c.tls);
        c.tls = NULL;
    }
    tls_close(c.tls);
}

static struct worker *workers_make(struct load *l, struct outcome_counts *out) {
    struct worker *workers = calloc(l->laptops, sizeof *workers);
    if (!workers) bench_fail("no memory", NULL);
    for (size_t i = 0; i < l->laptops; i++) workers[i] = (struct worker){.load = l, .out = out, .number = i};
    return workers;
}

struct progress {
    const struct outcome_counts *counts;
    const char *what;
    size_t goal;
    atomic_bool stop;
};

static void progress_run(void *ctx) {
    struct progress *p = ctx;
    for (int i = 0; !atomic_load(&p->stop); i++) {
        platform_sleep_ms(100);
        if (i % 10 == 0) fprintf(stderr, "\r%s: %zu of %zu rounds ", p->what, atomic_load(&p->counts->rounds), p->goal);
    }
    fprintf(stderr, "\r%s: %zu of %zu rounds\n", p->what, atomic_load(&p->counts->rounds), p->goal);
}

static void run_shown(struct load *l, struct worker *workers, void (*run)(void *), const struct outcome_counts *out,
                      const char *what, size_t goal) {
    struct err err;
    struct platform_thread *shown;
    struct progress progress = {.counts = out, .what = what, .goal = goal};
    MUST(platform_thread_start(progress_run, &progress, &shown, &err));
    threads_run(l->laptops, run, (char *)workers, sizeof *workers);
    atomic_store(&progress.stop, true);
    platform_thread_join(shown);
}

void fleet_work(struct load *l, int64_t days, double seconds, struct outcome_counts *out) {
    struct worker *workers = workers_make(l, out);
    double began = wall_us();
    for (size_t i = 0; i < l->laptops; i++) {
        workers[i].days = days;
        workers[i].seconds = seconds;
        workers[i].began_us = began;
    }
    run_shown(l, workers, work_run, out, "work", l->laptops * (size_t)days * DAY_ROUNDS);
    out->seconds = (wall_us() - began) / 1e6;
    free(workers);
}

/* ------------------------------------------------------------------ after an outage */


static void herd_run(void *ctx) {
    struct worker *w = ctx;
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct caller c;
    struct batch batches[DAY_VISITS + DAY_EDITS];
    int64_t rows[DAY_VISITS];
    meet(w->load, w->number, &c);
    day_part(w, w->days, 0, DAY_VISITS + DAY_EDITS, rows, batches, &mem);
    while (!atomic_load(w->go)) platform_sleep_ms(5);
    double began = wall_us();
    if (go_round(w, &c, batches, DAY_VISITS + DAY_EDITS, began + HERD_SECONDS_MAX * 1e6))
        histogram_add(&w->out->served_us, wall_us() - began);
    else
        atomic_fetch_add(&w->out->starved, 1);
    tls_close(c.tls);
}

struct starter {
    struct load *load;
    atomic_bool *go;
};

/* The laptops have their outbox ready before the server comes. */
static void starter_run(void *ctx) {
    struct starter *s = ctx;
    platform_sleep_ms(500 + (int64_t)s->load->laptops);
    hall_serve(&s->load->h);
    atomic_store(s->go, true);
}

void fleet_herd(struct load *l, struct outcome_counts *out) {
    struct err err;
    struct platform_thread *starting;
    atomic_bool go = false;
    struct starter starter = {l, &go};
    struct worker *workers = workers_make(l, out);
    for (size_t i = 0; i < l->laptops; i++) {
        workers[i].days = l->days + 1;
        workers[i].go = &go;
    }
    MUST(platform_thread_start(starter_run, &starter, &starting, &err));
    run_shown(l, workers, herd_run, out, "after the outage", l->laptops);
    platform_thread_join(starting);
    out->seconds = histogram_quantile(&out->served_us, 1) / 1e6;
    free(workers);
}
