/* The real server over real TLS on loopback, against a handler of the same library that only replies. */
#include "tests/bench/bench.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/agent/agent.h"

/* ------------------------------------------------------------------ rounds per second of the server's CPU */

struct sides {
    struct hall h;
    struct tls_client *client;
    struct caller caller;
    int empty_pid;
    uint16_t empty_port;
    struct tls *empty;
    struct session_http plain;                             /* what the empty handler is asked: as large as a round */
};

static void sides_open(struct bench *b, struct sides *s, size_t reply_bytes) {
    memset(s, 0, sizeof *s);
    hall_open(b, &s->h, 4);
    hall_serve(&s->h);
    s->client = tls_client_open();
    s->caller.h = &s->h;
    s->caller.laptop = &s->h.laptops[1];
    hall_session(s->caller.laptop, &s->caller.session);
    s->caller.tls = tls_connect(s->client, s->h.port, NULL);
    s->empty_pid = empty_start(b, &s->h, reply_bytes, &s->empty_port);
    s->empty = tls_connect(s->client, s->empty_port, NULL);
    if (!s->caller.tls || !s->empty) bench_fail("cannot connect", NULL);
    struct round_request request;
    for (int i = 0; i < 5; i++) caller_idle(&s->caller);
    hall_request(&s->h, s->caller.laptop, NULL, 0, NULL, &request);
    caller_make(&s->caller, &request, &b->mem, &s->plain);
    s->caller.session.state = SESSION_READY;               /* that one is not sent to the server */
}

static void sides_close(struct sides *s) {
    tls_close(s->caller.tls);
    tls_close(s->empty);
    tls_client_close(s->client);
    child_stop(s->empty_pid);
    hall_close(&s->h);
}

static void empty_round(struct sides *s) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct session_http reply;
    if (!tls_send(s->empty, &s->plain) || !tls_receive(s->empty, &mem, &reply, NULL)) bench_fail("the connection broke", NULL);
}

static double idle_us(struct sides *s, size_t count) {
    double from = hall_cpu_us(s->h.pid);
    for (size_t i = 0; i < count; i++) caller_idle(&s->caller);
    return (hall_cpu_us(s->h.pid) - from) / (double)count;
}

static double empty_us(struct sides *s, size_t count) {
    double from = hall_cpu_us(s->empty_pid);
    for (size_t i = 0; i < count; i++) empty_round(s);
    return (hall_cpu_us(s->empty_pid) - from) / (double)count;
}

static struct tls *again(struct sides *s, struct tls *old, uint16_t port) {
    struct tls_session *session = tls_keep(old);
    tls_close(old);
    struct tls *t = tls_connect(s->client, port, session);
    tls_forget(session);
    if (!t) bench_fail("cannot connect", NULL);
    if (!tls_was_resumed(t)) bench_fail("the handshake was not resumed", NULL);
    return t;
}

static double resumed_us(struct sides *s, size_t count) {
    double from = hall_cpu_us(s->h.pid);
    for (size_t i = 0; i < count; i++) {
        s->caller.tls = again(s, s->caller.tls, s->h.port);
        caller_idle(&s->caller);
    }
    return (hall_cpu_us(s->h.pid) - from) / (double)count;
}

static double resumed_empty_us(struct sides *s, size_t count) {
    double from = hall_cpu_us(s->empty_pid);
    for (size_t i = 0; i < count; i++) {
        s->empty = again(s, s->empty, s->empty_port);
        empty_round(s);
    }
    return (hall_cpu_us(s->empty_pid) - from) / (double)count;
}

/* A save of one visit goes up, alone, and its receipt comes back. */
static double push_us(struct sides *s, const struct work *w, size_t *at, size_t count) {
    double from = hall_cpu_us(s->h.pid);
    for (size_t i = 0; i < count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct batch batch;
        struct round_reply reply;
        hall_create(&s->h, s->caller.laptop, &w->visits[(*at)++ % w->count], &mem, &batch);
        caller_round(&s->caller, &batch, 1, &mem, &reply);
        if (reply.receipt_count != 1) bench_fail("no receipt", NULL);
    }
    return (hall_cpu_us(s->h.pid) - from) / (double)count;
}

void rows_rounds(struct bench *b) {
    static struct series ours, empty, resumed, resumed_empty, pushed;
    struct sides s;
    struct work w;
    size_t each = b->quick ? 300 : 3000, few = b->quick ? 40 : 400, at = 0;
    sides_open(b, &s, 120);
    work_make(b, 1000, s.h.accounts, s.h.author, &b->mem, &w);
    for (int t = 0; t < 6; t++) {
        double v = idle_us(&s, each), c = empty_us(&s, each), x = resumed_us(&s, few), xc = resumed_empty_us(&s, few);
        double p = push_us(&s, &w, &at, few);
        if (t == 0) continue;
        series_add(&ours, v);
        series_add(&empty, c);
        series_add(&resumed, x);
        series_add(&resumed_empty, xc);
        series_add(&pushed, p);
    }
    double v = series_median(&ours), c = series_median(&empty), x = series_median(&resumed), xc = series_median(&resumed_empty);
    double p = series_median(&pushed);
    bench_say(b, (struct figure){"rounds", 1e6 / v, 1e6 / c, c / v, 0.4, AT_LEAST, false, "rnd/s",
                                 "per second of the server's CPU, over kept-alive TLS, nothing new; handler that only replies"});
    bench_say(b, (struct figure){"rounds-resumed", 1e6 / x, 1e6 / xc, xc / x, 0.85, AT_LEAST, false, "rnd/s", "the same, each on a new connection that resumes its TLS session"});
    bench_say(b, (struct figure){"rounds-push", 1e6 / p, 1e6 / c, c / p, 0, JUST_SAYS, false, "rnd/s", "the same, kept alive, each with one new visit, merged and committed alone"});
    sides_close(&s);
}

/* ------------------------------------------------------------------ idle rounds */

static void enroll(struct hall *h, struct store *store, const char *text) {
    struct err err;
    struct session_link link;
    struct agent *agent;
    struct transport *transport;
    MUST(session_link_read(slice_from(text), &link, &err));
    struct transport_config config = {.base_url = link.base_url, .tls_pin = link.tls_pin};
    MUST(transport_open(&config, &transport, &err));
    struct transport_door door = transport_door(transport);
    struct agent_config ac = {.store = store, .catalogue = &h->b->cat, .env = &h->b->env, .transport = &door};
    MUST(agent_open(&ac, &agent, &err));
    MUST(agent_enroll(agent, &link, SLICE("bench"), &err));
    agent_close(agent);
    transport_close(transport);
}

void net_enroll(struct hall *h, const char *home, const char *link, struct store **out) {
    struct err err;
    struct store_config config = {.path = arena_printf(&h->b->mem, "%s/" AGENT_STORE_FILE, home), .kind = STORE_LAPTOP,
                                  .create = true, .catalogue = &h->b->cat, .env = &h->b->env};
    MUST(store_open(&config, out, &err));
    enroll(h, *out, link);
}

/* The real agent's idle round: bytes of requests and replies with their heads. */
static double idle_bytes(struct bench *b, struct hall *h, const char *link, double *out_trips) {
    struct err err;
    struct store *store;
    struct store_identity identity;
    struct agent *agent;
    struct transport *transport;
    struct agent_result result;
    net_enroll(h, bench_dir(b), link, &store);
    MUST(store_identity(store, &identity, &err));
    struct transport_config config = {.base_url = identity.base_url, .tls_pin = identity.tls_pin};
    MUST(transport_open(&config, &transport, &err));
    struct transport_door door = transport_door(transport);
    struct agent_config ac = {.store = store, .catalogue = &b->cat, .env = &b->env, .transport = &door};
    MUST(agent_open(&ac, &agent, &err));
    for (int i = 0; i < 3; i++) MUST(agent_sync(agent, NULL, NULL, &result, &err));
    struct transport_bytes from = transport_bytes(transport);
    MUST(agent_sync(agent, NULL, NULL, &result, &err));
    struct transport_bytes to = transport_bytes(transport);
    *out_trips = result.progress.rounds;
    agent_close(agent);
    transport_close(transport);
    store_close(store);
    return (double)(to.sent - from.sent + to.received - from.received);
}

void rows_idle(struct bench *b) {
    struct hall h;
    char link[1024];
    double trips;
    hall_open(b, &h, 3);
    hall_link(&h, link, sizeof link);
    double us = idle_cpu_us(b, &h);
    hall_serve(&h);
    double bytes = idle_bytes(b, &h, link, &trips);
    bench_say(b, (struct figure){"idle-bytes", bytes, 0, 0, 700, AT_MOST, true, "bytes", "HTTP both ways, heads and bodies, of the real agent's idle round"});
    bench_say(b, (struct figure){"idle-round-trips", trips, 0, 0, 1, AT_MOST, true, "trips", "requests of an idle round"});
    bench_say(b, (struct figure){"idle-cpu", us, 0, 0, 25, AT_MOST, true, "us", "server CPU of an idle round beyond TLS and HTTP; another process commits at every 10th"});
    hall_close(&h);
}

/* ------------------------------------------------------------------ laptops that wait */

void rows_waiting(struct bench *b) {
    struct hall h;
    size_t count = b->quick ? 200 : 1000;
    hall_open(b, &h, count);
    hall_serve(&h);
    struct tls_client *client = tls_client_open();
    struct caller *callers = ARENA_ARRAY(&b->mem, count, struct caller);
    int64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        struct caller *c = &callers[i];
        *c = (struct caller){.h = &h, .laptop = &h.laptops[i], .tls = tls_connect(client, h.port, NULL)};
        if (!c->tls) bench_fail("cannot connect", NULL);
        hall_session(c->laptop, &c->session);
        caller_idle(c);
        caller_wait(c, c->laptop->cursor.seq);
        if (i == 20) before = hall_rss_bytes(h.pid, "VmRSS");   /* what the program takes once is not counted */
    }
    platform_sleep_ms(300);
    double each = (double)(hall_rss_bytes(h.pid, "VmRSS") - before) / (double)(count - 21) / 1024;
    for (size_t i = 0; i < count; i++) tls_close(callers[i].tls);
    tls_client_close(client);
    bench_say(b, (struct figure){"waiting-memory", each, 0, 0, 64, AT_MOST, true, "KB",
                                 bench_note(b, "growth of the server's memory a waiting laptop, TLS included; %zu laptops", count)});
    hall_close(&h);
}

/* ------------------------------------------------------------------ after an outage */

struct herd {
    struct hall *h;
    struct work *work;
    struct tls_client *client;
    atomic_bool go;
    double began;
};
struct herd_laptop {
    struct herd *herd;
    size_t number;
    double served_s;                                       /* since the server came back */
    struct platform_thread *thread;
};

enum { HERD_TRIES = 200, HERD_PAGE = 64 * 1024 };

/* A day of work waits on the laptop; the laptop connects, agrees on a nonce, pushes, and has its receipts and a page. */
static void herd_day(void *ctx) {
    struct herd_laptop *l = ctx;
    struct herd *herd = l->herd;
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct caller c = {.h = herd->h, .laptop = &herd->h->laptops[l->number]};
    struct batch batches[DAY_VISITS];
    struct round_request request;
    for (size_t i = 0; i < DAY_VISITS; i++)
        hall_create(herd->h, c.laptop, &herd->work->visits[(l->number * DAY_VISITS + i) % herd->work->count], &mem, &batches[i]);
    hall_request(herd->h, c.laptop, batches, DAY_VISITS, NULL, &request);
    request.page_bytes = HERD_PAGE;
    hall_session(c.laptop, &c.session);
    while (!atomic_load(&herd->go)) platform_sleep_ms(5);
    for (int i = 0; i < HERD_TRIES && l->served_s == 0; i++) {
        int64_t wait_ms;
        struct arena page SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
        struct round_reply reply;
        if (caller_try(&c, herd->client, &request, &wait_ms, &reply, &page)) l->served_s = (wall_us() - herd->began) / 1e6;
        else if (wait_ms) platform_sleep_ms(wait_ms);
    }
    tls_close(c.tls);
}

void rows_outage(struct bench *b) {
    static struct series served;
    struct err err;
    struct hall h;
    struct work w;
    size_t count = b->quick ? 200 : 2000, starved = 0;
    hall_open(b, &h, count);
    work_make(b, 2000, h.accounts, h.author, &b->mem, &w);
    struct herd herd = {.h = &h, .work = &w, .client = tls_client_open()};
    struct herd_laptop *laptops = ARENA_ARRAY(&b->mem, count, struct herd_laptop);
    for (size_t i = 0; i < count; i++) {
        laptops[i] = (struct herd_laptop){.herd = &herd, .number = i};
        MUST(platform_thread_start(herd_day, &laptops[i], &laptops[i].thread, &err));
    }
    platform_sleep_ms(500);
    hall_serve(&h);
    herd.began = wall_us();
    atomic_store(&herd.go, true);
    for (size_t i = 0; i < count; i++) {
        platform_thread_join(laptops[i].thread);
        if (laptops[i].served_s == 0) starved++;
        else series_add(&served, laptops[i].served_s);
    }
    tls_client_close(herd.client);
    double last = starved ? 1e6 : series_quantile(&served, 1);
    bench_say(b, (struct figure){"outage", last, 0, 0, 60, AT_MOST, true, "s",
                                 bench_note(b, "until the last of %zu laptops that come at once has pushed its day (median %.1f s, %zu starved)",
                                            count, series_median(&served), starved)});
    hall_close(&h);
}
