/* What the centre does: merging, idle rounds, first loads. In this process, without sockets. */
#include "tests/bench/bench.h"

#include "protocol/model/home.h"

#include <string.h>

#include "syncd/server/service.h"

/* ------------------------------------------------------------------ merging */

enum { GROUP_DAYS = 57, GROUP_MOST = GROUP_DAYS * (DAY_VISITS + DAY_EDITS), MERGE_LAPTOPS = 8 };

struct group {                                             /* of days, or of imports */
    struct round_request requests[GROUP_DAYS];
    uint32_t devices[GROUP_DAYS];
    size_t count, changes;
    struct visit visits[GROUP_MOST];                       /* for the control, in order; values NULL: an edit */
    int64_t rows[GROUP_MOST];
    struct field_edit two[GROUP_MOST][2];
};

static int64_t head_seq(struct hall *h) {
    struct err err;
    struct centre_head head;
    MUST(org_head(h->reader, &head, &err));
    return head.position.seq;
}

static void add_day(struct hall *h, const struct work *w, const int64_t *ids, size_t day, struct group *g, struct arena *mem) {
    struct hall_laptop *l = &h->laptops[1 + day % (h->laptop_count - 1)];
    struct batch *batches = ARENA_ARRAY(mem, DAY_VISITS + DAY_EDITS, struct batch);
    int64_t base = head_seq(h);
    for (size_t i = 0; i < DAY_VISITS + DAY_EDITS; i++) {
        size_t at = g->changes++;
        if (i < DAY_VISITS) {
            g->visits[at] = work_day_visit(h->b, w, day, i, mem);
            hall_create(h, l, &g->visits[at], mem, &batches[i]);
        } else {
            g->visits[at].values = NULL;
            work_two(h->b, day, i, mem, g->two[at]);
            hall_edit(h, l, ids[(day * 7919 + i * 131) % w->count], base, g->two[at], mem, &batches[i]);
        }
        g->rows[at] = batches[i].changes[0].row;
    }
    g->devices[g->count] = l->device;
    hall_request(h, l, batches, DAY_VISITS + DAY_EDITS, mem, &g->requests[g->count++]);
}

/* CPU microseconds of one group commit. Not inlined, like its control, so that a profiler tells the two apart. */
__attribute__((noinline)) static double merge_group(struct hall *h, struct group *g) {
    struct err err;
    size_t applied = 0;
    double from = cpu_us();
    MUST(org_merge_begin(h->org, &err));
    for (size_t i = 0; i < g->count; i++) {
        struct org_push push;
        MUST(org_merge_batches(h->org, g->devices[i], &g->requests[i], &push, &err));
        applied += push.outcomes[OUTCOME_APPLIED] + push.outcomes[OUTCOME_MERGED] + push.outcomes[OUTCOME_LOST];
    }
    MUST(org_merge_commit(h->org, &err));
    double took = cpu_us() - from;
    if (applied != g->changes) bench_fail("not every change was merged", NULL);
    return took;
}

__attribute__((noinline)) static double plain_group(struct plain *p, const struct group *g) {
    double from = cpu_us();
    plain_begin(p);
    for (size_t i = 0; i < g->changes; i++) {
        if (g->visits[i].values) plain_upsert(p, g->rows[i], &g->visits[i], NULL);
        else plain_two(p, g->rows[i], g->two[i]);
    }
    plain_commit(p);
    return cpu_us() - from;
}

static void plain_fill(struct plain *p, const struct work *w, const int64_t *ids) {
    plain_begin(p);
    for (size_t i = 0; i < w->count; i++) plain_upsert(p, ids[i], &w->visits[i], NULL);
    plain_commit(p);
}

/* Bulk: batches of 1000 new visits, as imports send them. */
static double plain_import_us(struct plain *p, const struct work *w, const int64_t *ids) {
    double from = cpu_us();
    for (size_t i = 0; i < w->count; i++) {
        if (i % 1000 == 0) plain_begin(p);
        plain_upsert(p, ids[i], &w->visits[i], NULL);
        if ((i + 1) % 1000 == 0) plain_commit(p);
    }
    return cpu_us() - from;
}

void rows_merge(struct bench *b) {
    static struct series ours, plain, bulk, plain_bulk;
    static struct group g;
    struct hall h;
    struct work w;
    size_t rows = b->quick ? 10000 : 100000, turns = b->quick ? 7 : 15, day = 0;
    hall_open(b, &h, MERGE_LAPTOPS);
    struct plain *p = plain_open(b, ROWS_SERVER, 0);
    work_make(b, rows, h.accounts, h.author, &b->mem, &w);
    int64_t *ids = ARENA_ARRAY(&b->mem, rows, int64_t);
    (void)hall_fill(&h, &w, ids);
    plain_fill(p, &w, ids);
    struct work more = {.visits = w.visits, .count = 2000, .accounts = w.accounts, .author = w.author};
    for (size_t t = 0; t < turns; t++) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        int64_t more_ids[2000];
        g.count = g.changes = 0;
        for (size_t i = 0; i < GROUP_DAYS; i++) add_day(&h, &w, ids, day++, &g, &mem);
        series_add(&ours, (double)g.changes / merge_group(&h, &g) * 1e6);
        series_add(&plain, (double)g.changes / plain_group(p, &g) * 1e6);
        series_add(&bulk, 2000 / hall_fill(&h, &more, more_ids) * 1e6);
        series_add(&plain_bulk, 2000 / plain_import_us(p, &more, more_ids) * 1e6);
    }
    double v = series_median(&ours), c = series_median(&plain), x = series_median(&bulk), xc = series_median(&plain_bulk);
    bench_say(b, (struct figure){"merge", v, c, v / c, 0.4, AT_LEAST, false, "chg/s",
                                 bench_note(b, "days of reps merged, per second of CPU; group commits of %d; plain upsert", GROUP_MOST)});
    bench_say(b, (struct figure){"merge-import", x, xc, x / xc, 0.4, AT_LEAST, false, "chg/s", "the same, imports: batches of 1000 new visits"});
    plain_close(p);
    hall_close(&h);
}

/* ------------------------------------------------------------------ first load */

/* The bodies of the replies that fill a new laptop, as the server makes them. */
void rows_first_load(struct bench *b) {
    struct err err;
    struct hall h;
    struct work w;
    struct sign_key key;
    size_t rows = b->quick ? 20000 : 100000, bytes = 0, records = 0;
    bool more = true;
    hall_open(b, &h, 2);
    work_make(b, rows, h.accounts, h.author, &b->mem, &w);
    int64_t *ids = ARENA_ARRAY(&b->mem, rows, int64_t);
    struct hall_laptop *l = &h.laptops[1];
    (void)hall_fill(&h, &w, ids);
    struct centre_head head;
    MUST(org_head(h.reader, &head, &err));
    l->cursor = l->top = head.position;                    /* amid its first load: accounts are there, visits come next */
    l->since = head.position.seq;
    l->scope = (struct scope_position){l->since, 0, l->since, {home_make(HOME_CLASS_ALL, 0), b->account->tag, ID_MAX}};
    MUST(org_key(h.org, &key, &err));
    while (more) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
        struct round_request request;
        struct round_reply reply;
        hall_request(&h, l, NULL, 0, NULL, &request);
        MUST(org_round(h.reader, l->device, &request, &mem, &reply, &err));
        MUST(wire_write_round_reply(&reply, l->device, &key, 6, &message, &err));
        bytes += message.len;
        records += reply.filled_count;
        more = reply.more;
        l->cursor = reply.cursor;
        l->top = reply.head;
        l->since = reply.since;
        if (reply.has_scope) l->scope = reply.scope;
        if (reply.has_news) l->news = reply.news_version;
    }
    if (records != rows) bench_fail("the first load is not complete", NULL);
    struct buf bare SCOPED(buf_free) = buf_new(BUF_MAX_FILE);
    work_columns(b, ids, w.visits, rows, &bare);
    double v = (double)bytes / (double)rows, c = (double)work_xz(b, buf_slice(&bare)) / (double)rows;
    bench_say(b, (struct figure){"first-load-bytes", v, c, v / c, 1.3, AT_MOST, false, "bytes",
                                 bench_note(b, "a visit, bodies of the replies, %zu visits; xz -9 of the columns in one piece", rows)});
    hall_close(&h);
}

/* ------------------------------------------------------------------ idle rounds, without sockets */

struct idle {
    struct hall *h;
    struct service *service;
    struct session session;
};

static bool idle_round(struct idle *idle, struct hall_laptop *l, double *out_us) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT), at_server SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    struct err err;
    struct round_request request;
    struct session_http asked, reply = {.code = 503};
    struct service_job *job = NULL;
    struct slice answer;
    hall_request(idle->h, l, NULL, 0, NULL, &request);
    MUST(wire_write_round_request(&request, 9, &message, &err));
    MUST(session_round_request(&idle->session, "round", buf_slice(&message), &mem, &asked, &err));
    double from = cpu_thread_us();
    service_open_job(idle->service, 0, &asked, &at_server, &job, &reply);
    if (job) service_answer(idle->service, 0, job, &at_server, &reply);
    *out_us = cpu_thread_us() - from;
    enum status status = session_round_reply(&idle->session, &reply, &mem, &answer, &err);
    if (status == ST_TRY_AGAIN) return false;
    if (status != ST_OK) bench_fail("an idle round", &err);
    struct round_reply round;
    MUST(wire_read_round_reply(answer, l->device, &mem, &round, &err));
    l->cursor = round.cursor;
    l->since = round.since;
    if (round.has_scope) l->scope = round.scope;
    l->top = round.head;
    if (round.has_news) l->news = round.news_version;
    return true;
}

double idle_cpu_us(struct bench *b, struct hall *h) {
    static struct series us;
    struct err err;
    struct idle idle = {.h = h};
    struct hall_laptop *l = &h->laptops[1];
    struct service_config config = {.dir = h->dir, .catalogue = &b->cat, .env = &b->env, .readers = 1};
    us.count = 0;
    MUST(service_open(&config, &idle.service, &err));
    hall_session(l, &idle.session);
    for (size_t i = 0; i < (b->quick ? 1500 : 5000); i++) {
        double took;
        bool counts = idle_round(&idle, l, &took) && i > 100;
        if (counts) series_add(&us, took);
        struct centre_contact contact = {
            .device = h->laptops[0].device, .seen_ms = (int64_t)i, .cursor = 1};
        if (i % 10 == 0)
            MUST(centre_contacts(org_centre(h->org), &contact, 1, &err));
    }
    service_close(idle.service);
    double sum = 0;
    for (size_t i = 0; i < us.count; i++) sum += us.v[i];
    return sum / (double)us.count;                         /* the mean: rounds after another's commit count too */
}
