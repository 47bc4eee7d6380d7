/* The centre in process: laptops made of protocol/session's laptop half, one org, no sockets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol/session/session.h"
#include "syncd/platform/platform.h"
#include "syncd/server/org.h"
#include "syncd/server/service.h"
#include "tests/unit/check.h"

struct world {
    struct env env;
    struct arena mem;
    struct catalogue catalogue;
    const char *dir;
    char *path;
    struct service *service;
    int64_t user;
    uint8_t org_public[SIGN_PUBLIC_BYTES];
    struct session_http request;
    uint32_t requests_s, calls_max; /* what one laptop may do */
};

static void quiet(void *ctx, enum log_level level, const char *line) {
    (void)ctx;
    (void)level;
    (void)line;
}

static struct org_config config_of(struct world *w) {
    return (struct org_config){.path = w->path, .catalogue = &w->catalogue, .env = &w->env};
}

static void world_org(struct world *w) {
    struct err err;
    struct org *org;
    struct sign_key key;
    struct org_config config = config_of(w);
    struct centre_user user = {.login = "li", .name = "李", .role = USER_REP, .active = true};
    CHECK_OK(org_create(&config, SLICE("Acme"), &err));
    CHECK_OK(org_open(&config, &org, &err));
    CHECK_OK(org_key(org, &key, &err));
    sign_public(&key, w->org_public);
    CHECK_OK(centre_user_add(org_centre(org), &user, &w->user, &err));
    org_close(org);
}

static void world_serve(struct world *w) {
    struct err err;
    struct service_config config = {.dir = w->dir,
                                    .catalogue = &w->catalogue,
                                    .env = &w->env,
                                    .readers = 2,
                                    .device_requests_s = w->requests_s,
                                    .device_calls_max = w->calls_max};
    CHECK_OK(service_open(&config, &w->service, &err));
}

static void world_open(struct world *w) {
    struct err err;
    *w = (struct world){.mem = arena_new(ARENA_CAP_DEFAULT)};
    platform_env(&w->env);
    w->env.log = quiet;
    CHECK_OK(crypto_start(&err));
    CHECK_OK(catalogue_release(&w->mem, &w->catalogue, &err));
    CHECK_OK(platform_temp_dir(&w->mem, &w->dir, &err));
    char *folder = arena_printf(&w->mem, "%s/org", w->dir);
    w->path = arena_printf(&w->mem, "%s/org/acme.db", w->dir);
    CHECK_OK(platform_make_dir(folder, &err));
    world_org(w);
    world_serve(w);
}

static void world_close(struct world *w) {
    struct err err;
    service_close(w->service);
    CHECK_OK(platform_remove_tree(w->dir, &err));
    arena_clear(&w->mem);
}

/* Runs something on the org's own handle, as another process would. */
static struct org *org_of(struct world *w) {
    struct err err;
    struct org *org;
    struct org_config config = config_of(w);
    CHECK_OK(org_open(&config, &org, &err));
    return org;
}

/* ------------------------------------------------------------------ a laptop */

struct laptop {
    struct world *w;
    struct session_identity identity;
    struct session session;
    struct session_link link;
    uint32_t last_batch;
    struct chain chain;
    struct position cursor, top;
    int64_t since, epoch, news_version;
    uint32_t counter;
    struct scope_position scope;
};

static void link_make(struct world *w, struct session_link *out) {
    struct err err;
    struct org *org = org_of(w);
    *out = (struct session_link){.base_url = "https://localhost:1", .org = "acme"};
    w->env.random(w->env.ctx, out->code, sizeof out->code);
    memcpy(out->org_public, w->org_public, sizeof out->org_public);
    CHECK_OK(centre_link_make(org_centre(org), w->user, out->code,
                              w->env.wall_ms(w->env.ctx) + 60000, &err));
    org_close(org);
}

static void laptop_new(struct laptop *l, struct world *w) {
    uint8_t seed[SIGN_SEED_BYTES];
    *l = (struct laptop){.w = w};
    w->env.random(w->env.ctx, seed, sizeof seed);
    l->identity.key = sign_key_from_seed(seed);
    (void)snprintf(l->identity.org, sizeof l->identity.org, "acme");
    memcpy(l->identity.org_public, w->org_public, sizeof w->org_public);
}

static enum status enroll(struct laptop *l, struct err *err) {
    struct session_http request, reply;
    struct enroll_reply enrolled;
    TRY(session_enroll_request(&l->identity, &l->link, SLICE("thinkpad"), SLICE("0.1.0"),
                               &l->w->mem, &request, err));
    service_handle(l->w->service, &request, &l->w->mem, &reply);
    TRY(session_enroll_reply(&l->identity, &reply, &l->w->mem, &enrolled, err));
    l->identity.device = enrolled.device;
    l->epoch = enrolled.epoch;
    session_start(&l->session, &l->identity);
    return ST_OK;
}

static enum status hello(struct laptop *l, struct err *err) {
    struct session_http request, reply;
    struct hello_reply answer;
    TRY(session_hello_request(&l->session, SLICE("0.1.0"), &l->w->catalogue.version, &l->w->env,
                              &l->w->mem, &request, err));
    service_handle(l->w->service, &request, &l->w->mem, &reply);
    return session_hello_reply(&l->session, &reply, &l->w->env, &l->w->mem, &answer, err);
}

static void laptop_ready(struct laptop *l, struct world *w) {
    struct err err;
    laptop_new(l, w);
    link_make(w, &l->link);
    CHECK_OK(enroll(l, &err));
    CHECK_OK(hello(l, &err));
}

/* One batch that creates an account. */
static struct batch batch_of(struct laptop *l, uint32_t number, const char *name) {
    struct world *w = l->w;
    const struct entity *e = catalogue_entity(&w->catalogue, SLICE("account"));
    const struct field *f = entity_field(e, SLICE("name"));
    struct value *value = ARENA_NEW(&w->mem, struct value);
    struct edit *edit = ARENA_NEW(&w->mem, struct edit);
    struct change *change = ARENA_NEW(&w->mem, struct change);
    *value = value_text(slice_from(name));
    *edit = (struct edit){
        .cell_tag = entity_cell_of(e, f)->tag, .kind = EDIT_SET, .values = value, .value_count = 1};
    *change = (struct change){.kind = CHANGE_CREATE,
                              .entity_tag = e->tag,
                              .edits = edit,
                              .edit_count = 1,
                              .row = id_make(l->identity.device, ++l->counter)};
    return (struct batch){.number = number,
                          .changes = change,
                          .change_count = 1,
                          .stamp = {.wall_ms = w->env.wall_ms(w->env.ctx),
                                    .boot_number = 1,
                                    .boot_ms = w->env.boot_ms(w->env.ctx)}};
}

static struct round_request round_of(struct laptop *l, struct batch *batches, size_t count) {
    struct round_request r = {.epoch = l->epoch,
                              .cursor = l->cursor,
                              .top = l->top,
                              .since = l->since,
                              .news_version = l->news_version,
                              .last_batch = l->last_batch,
                              .last_chain = l->chain,
                              .scope = l->scope,
                              .page_bytes = WIRE_PAGE_BYTES,
                              .batches = batches,
                              .batch_count = count};
    r.envelope.now = (struct stamp){.wall_ms = l->w->env.wall_ms(l->w->env.ctx),
                                    .boot_number = 1,
                                    .boot_ms = l->w->env.boot_ms(l->w->env.ctx)};
    struct chain chain = l->chain;
    for (size_t i = 0; i < count; i++) {
        SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_BATCH);
        batch_write(&batches[i], &bytes);
        chain = chain_next(&chain, buf_slice(&bytes));
    }
    if (count) sign_make(&l->identity.key, slice_of(chain.bytes, sizeof chain.bytes), r.signature);
    return r;
}

static struct slice encoded(struct laptop *l, const struct round_request *r) {
    struct err err;
    SCOPED(buf_free) struct buf bytes = buf_new(WIRE_REQUEST_BYTES_MAX);
    CHECK_OK(wire_write_round_request(r, 6, &bytes, &err));
    return arena_copy(&l->w->mem, buf_slice(&bytes));
}

static enum status reply_read(struct laptop *l, const struct session_http *reply,
                              struct round_reply *out, struct err *err) {
    struct slice message;
    TRY(session_round_reply(&l->session, reply, &l->w->mem, &message, err));
    return wire_read_round_reply(message, l->identity.device, &l->w->mem, out, err);
}

static enum status round_send(struct laptop *l, const struct round_request *r,
                              struct round_reply *out, struct err *err) {
    struct session_http reply;
    TRY(session_round_request(&l->session, "round", encoded(l, r), &l->w->mem, &l->w->request,
                              err));
    service_handle(l->w->service, &l->w->request, &l->w->mem, &reply);
    return reply_read(l, &reply, out, err);
}

/* What a store would keep. */
static void took(struct laptop *l, const struct round_request *r, const struct round_reply *reply) {
    for (size_t i = 0; i < r->batch_count; i++) {
        SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_BATCH);
        batch_write(&r->batches[i], &bytes);
        l->chain = chain_next(&l->chain, buf_slice(&bytes));
        l->last_batch = r->batches[i].number;
    }
    l->cursor = reply->cursor;
    l->top = reply->head;
    l->since = reply->since;
    if (reply->has_scope) l->scope = reply->scope;
    if (reply->has_news) l->news_version = reply->news_version;
}

static void push(struct laptop *l, const char *name, struct round_reply *reply) {
    struct err err;
    struct batch batch = batch_of(l, l->last_batch + 1, name);
    struct round_request r = round_of(l, &batch, 1);
    CHECK_OK(round_send(l, &r, reply, &err));
    took(l, &r, reply);
}

static void pull(struct laptop *l, struct round_reply *reply) {
    struct err err;
    struct round_request r = round_of(l, NULL, 0);
    CHECK_OK(round_send(l, &r, reply, &err));
    took(l, &r, reply);
}

static bool metric_is(struct world *w, const char *line) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    service_metrics(w->service, &text);
    return strstr(buf_text(&text), line) != NULL;
}

/* ------------------------------------------------------------------ the main path */

TEST(a_laptop_enrols_pushes_and_another_pulls) {
    struct world w;
    struct laptop a, b;
    struct round_reply reply;
    world_open(&w);
    laptop_ready(&a, &w);
    laptop_ready(&b, &w);
    CHECK(a.identity.device != b.identity.device);
    push(&a, "大众汽车", &reply);
    CHECK_INT(reply.kind, REPLY_ROUND);
    CHECK_INT(reply.last_batch, 1);
    CHECK_INT(reply.receipt_count, 1);
    CHECK_INT(reply.receipts[0].lines[0].outcome, OUTCOME_APPLIED);
    pull(&b, &reply);
    CHECK_INT(reply.filled_count, 1);
    CHECK(!reply.more);
    CHECK_INT(reply.filled[0].row, id_make(a.identity.device, 1));
    CHECK(metric_is(&w, "roadbook_changes_total{outcome=\"applied\"} 1\n"));
    CHECK(metric_is(&w, "roadbook_org_head{org=\"acme\"} 1\n"));
    world_close(&w);
}

TEST(a_lost_reply_is_asked_for_again_and_applied_once) {
    struct world w;
    struct laptop a;
    struct round_reply first, second;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct batch batch = batch_of(&a, 1, "Acme");
    struct round_request r = round_of(&a, &batch, 1);
    CHECK_OK(round_send(&a, &r, &first, &err));
    CHECK_OK(round_send(&a, &r, &second, &err));
    CHECK_INT(second.receipts[0].at, first.receipts[0].at);
    CHECK_INT(second.head.seq, first.head.seq);
    CHECK(metric_is(&w, "roadbook_batches_total 1\n"));
    CHECK(metric_is(&w, "roadbook_batches_repeated_total 1\n"));
    world_close(&w);
}

TEST(an_enrolment_with_the_same_code_and_key_gets_the_same_number) {
    struct world w;
    struct laptop a, thief;
    struct err err;
    world_open(&w);
    laptop_new(&a, &w);
    link_make(&w, &a.link);
    CHECK_OK(enroll(&a, &err));
    uint32_t device = a.identity.device;
    a.identity.device = 0;
    CHECK_OK(enroll(&a, &err));
    CHECK_INT(a.identity.device, device);
    laptop_new(&thief, &w);
    thief.link = a.link;
    CHECK_STATUS(enroll(&thief, &err), ST_DENIED);
    w.env.random(w.env.ctx, thief.link.code, sizeof thief.link.code);
    CHECK_STATUS(enroll(&thief, &err), ST_DENIED);
    world_close(&w);
}

TEST(a_session_key_survives_a_restart_of_the_server) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    pull(&a, &reply);
    service_close(w.service);
    world_serve(&w);
    struct round_request r = round_of(&a, NULL, 0);
    CHECK_STATUS(round_send(&a, &r, &reply, &err),
                 ST_TRY_AGAIN); /* the nonce was the old process's */
    CHECK(!session_needs_hello(&a.session, &w.env));
    CHECK_OK(round_send(&a, &r, &reply, &err));
    world_close(&w);
}

/* ------------------------------------------------------------------ how much one laptop may do */

/* Each laptop has 20 tokens at first, of which the hello takes 10, and one request in hand. */
TEST(a_laptop_that_asks_too_often_is_told_when_to_come_again) {
    struct world w;
    struct laptop a, b;
    struct round_reply reply;
    struct session copy;
    struct session_http refused;
    struct service_job *job;
    struct err err;
    int taken = 0;
    world_open(&w);
    w.requests_s = w.calls_max = 1;
    service_close(w.service);
    world_serve(&w);
    laptop_ready(&a, &w);
    laptop_ready(&b, &w);
    struct round_request r = round_of(&a, NULL, 0), other = round_of(&b, NULL, 0);
    while (round_send(&a, &r, &reply, &err) == ST_OK && taken < 40) taken++;
    CHECK_INT(err.status, ST_LIMITED);
    CHECK(taken >= 10 && taken < 40); /* a few more for the seconds that passed */
    CHECK(strstr(err.text[LANG_ZH], "频繁") != NULL);
    session_lend(&b.session, &copy); /* the other laptop does not notice, but one at a time */
    CHECK_OK(session_round_request(&copy, "round", encoded(&b, &other), &w.mem, &w.request, &err));
    service_open_job(w.service, 0, &w.request, &w.mem, &job, &refused);
    CHECK(job != NULL);
    CHECK_STATUS(round_send(&b, &other, &reply, &err), ST_LIMITED);
    service_close_job(job);
    service_close_job(job); /* once is enough */
    pull(&b, &reply);
    platform_sleep_ms(1100);
    pull(&a, &reply);
    world_close(&w);
}

/* ------------------------------------------------------------------ who may not */

TEST(of_a_revoked_laptop_only_unsent_work_is_taken) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct session copy;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct org *org = org_of(&w);
    CHECK_OK(centre_device_revoke(org_centre(org), a.identity.device, true, &err));
    org_close(org);
    struct batch batch = batch_of(&a, 1, "Acme");
    struct round_request r = round_of(&a, &batch, 1);
    CHECK_OK(round_send(&a, &r, &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    CHECK_INT(reply.receipts[0].lines[0].outcome, OUTCOME_WAITING);
    CHECK_INT(reply.receipts[0].lines[0].reason, REASON_REVOKED);
    CHECK_INT(reply.record_count + reply.filled_count + reply.people_count, 0);
    CHECK_INT(reply.order.kind, ORDER_WIPE);
    CHECK(session_order_is_signed(&a.identity, &reply.order));
    struct session_identity other = a.identity; /* an order is for one laptop alone */
    other.device++;
    CHECK(!session_order_is_signed(&other, &reply.order));
    reply.order.time_ms++;
    CHECK(!session_order_is_signed(&a.identity, &reply.order));
    session_lend(&a.session, &copy);
    session_start(&a.session, &a.identity);
    CHECK_OK(hello(&a, &err)); /* for work that it had not sent */
    world_close(&w);
}

TEST(an_inactive_user_is_refused) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct org *org = org_of(&w);
    CHECK_OK(centre_user_activate(org_centre(org), w.user, false, &err));
    org_close(org);
    struct round_request r = round_of(&a, NULL, 0);
    CHECK_STATUS(round_send(&a, &r, &reply, &err), ST_DENIED);
    world_close(&w);
}

TEST(a_push_signed_by_another_key_is_refused) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct batch batch = batch_of(&a, 1, "Acme");
    struct round_request r = round_of(&a, &batch, 1);
    r.signature[5] ^= 1;
    CHECK_STATUS(round_send(&a, &r, &reply, &err), ST_DENIED);
    CHECK(metric_is(&w, "roadbook_batches_total 0\n"));
    CHECK(metric_is(&w, "roadbook_errors_total{code=\"DENIED\"} 1\n"));
    world_close(&w);
}

TEST(a_captured_round_cannot_be_sent_again) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct session_http again;
    world_open(&w);
    laptop_ready(&a, &w);
    pull(&a, &reply);
    service_handle(w.service, &w.request, &w.mem, &again);
    CHECK_INT(again.code, 401);
    world_close(&w);
}

TEST(an_unknown_address_is_not_found) {
    struct world w;
    struct session_http reply;
    struct err err;
    static const struct row {
        const char *name, *path;
    } rows[] = {
        {"another org", "/other/round"}, {"no org", "/round"}, {"no such thing", "/acme/sync"},
        {"dots", "/../round"},           {"empty", "/"},       {"deep", "/acme/round/more"}};
    world_open(&w);
    for
        EACH (row, rows) {
            struct session_http request = {.method = "POST", .path = row->path};
            service_handle(w.service, &request, &w.mem, &reply);
            CHECK_ROW_INT(row, reply.code, 404);
            CHECK_ROW_INT(row, session_problem(&reply, &err), ST_NOT_FOUND);
        }
    world_close(&w);
}

/* ------------------------------------------------------------------ bad bodies */

/* A laptop that is who it says, and says nonsense. */
static enum status nonsense(struct laptop *l, struct slice body, struct err *err) {
    struct session_http request, reply;
    struct slice message;
    TRY(session_round_request(&l->session, "round", body, &l->w->mem, &request, err));
    service_handle(l->w->service, &request, &l->w->mem, &reply);
    return session_round_reply(&l->session, &reply, &l->w->mem, &message, err);
}

TEST(a_body_cut_anywhere_is_malformed_and_the_next_round_works) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct batch batch = batch_of(&a, 1, "A name that is long enough to be worth a byte or two");
    struct round_request r = round_of(&a, &batch, 1);
    struct slice whole = encoded(&a, &r);
    for (size_t len = 0; len < whole.len; len++) {
        enum status status = nonsense(&a, slice_of(whole.data, len), &err);
        CHECK(status == ST_MALFORMED || status == ST_VERSION);
    }
    CHECK_OK(round_send(&a, &r, &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    world_close(&w);
}

TEST(a_flipped_bit_never_comes_in) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct batch batch = batch_of(&a, 1, "Acme");
    struct round_request r = round_of(&a, &batch, 1);
    struct slice whole = encoded(&a, &r);
    for (size_t bit = 0; bit < whole.len * 8; bit += 7) {
        struct slice copy = arena_copy(&w.mem, whole);
        ((uint8_t *)copy.data)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        (void)nonsense(&a, copy, &err); /* outside the batches it may be another valid request */
        if (session_needs_hello(&a.session, &w.env)) CHECK_OK(hello(&a, &err));
    }
    CHECK_OK(round_send(&a, &r, &reply, &err));
    if (reply.kind == REPLY_EPOCH) { /* one spoke of more than the server has: it went back */
        r.epoch = reply.epoch;
        r.cursor = r.top = reply.cursor;
        CHECK_OK(round_send(&a, &r, &reply, &err));
    }
    CHECK_INT(reply.receipt_count, 1);
    CHECK_INT(reply.receipts[0].lines[0].outcome, OUTCOME_APPLIED);
    CHECK(metric_is(&w, "roadbook_batches_total 1\n"));
    world_close(&w);
}

TEST(a_body_that_is_not_the_digests_is_refused) {
    struct world w;
    struct laptop a;
    struct session_http request, reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct round_request r = round_of(&a, NULL, 0);
    CHECK_OK(session_round_request(&a.session, "round", encoded(&a, &r), &w.mem, &request, &err));
    request.body = slice_of(request.body.data, request.body.len - 1);
    service_handle(w.service, &request, &w.mem, &reply);
    CHECK_INT(reply.code, 401);
    world_close(&w);
}

/* ------------------------------------------------------------------ copies */

TEST(the_batch_of_a_copy_gets_no_receipt_of_the_original) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct batch ours = batch_of(&a, 1, "Acme"), theirs = batch_of(&a, 1, "Other");
    struct round_request r = round_of(&a, &ours, 1);
    CHECK_OK(round_send(&a, &r, &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    CHECK_OK(round_send(&a, &r, &reply, &err)); /* a repeat is none */
    CHECK_INT(reply.kind, REPLY_ROUND);
    CHECK_INT(reply.receipt_count, 1);
    r = round_of(&a, &theirs, 1);
    CHECK_OK(round_send(&a, &r, &reply, &err));
    CHECK_INT(reply.kind, REPLY_CLONED);
    CHECK_INT(reply.last_batch, 1);
    CHECK_INT(reply.receipt_count, 0);
    world_close(&w);
}

/* ------------------------------------------------------------------ groups */

TEST(a_job_that_fails_alone_is_refused_alone) {
    struct world w;
    struct laptop laptops[3];
    struct service_job *jobs[3];
    struct session_http requests[3], replies[3];
    struct err err;
    world_open(&w);
    for (size_t i = 0; i < 3; i++) {
        laptop_ready(&laptops[i], &w);
        struct batch *batch = ARENA_NEW(&w.mem, struct batch);
        uint32_t number = i == 1 ? 8 : 1; /* a gap: nobody ever saw 1 to 7 of it */
        *batch = batch_of(&laptops[i], number, "Acme");
        struct round_request r = round_of(&laptops[i], batch, 1);
        CHECK_OK(session_round_request(&laptops[i].session, "round", encoded(&laptops[i], &r),
                                       &w.mem, &requests[i], &err));
        service_open_job(w.service, 0, &requests[i], &w.mem, &jobs[i], &replies[i]);
        CHECK(jobs[i] != NULL);
        CHECK(service_job_writes(jobs[i]));
        CHECK_INT(service_job_changes(jobs[i]), 1);
    }
    service_merge(w.service, jobs, 3);
    for (size_t i = 0; i < 3; i++) service_answer(w.service, 1, jobs[i], &w.mem, &replies[i]);
    CHECK_INT(replies[0].code, 200);
    CHECK_INT(replies[2].code, 200);
    struct round_reply reply;
    CHECK_OK(reply_read(&laptops[0], &replies[0], &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    CHECK_OK(reply_read(&laptops[2], &replies[2], &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    CHECK(reply_read(&laptops[1], &replies[1], &reply, &err) != ST_OK ||
          reply.kind == REPLY_CLONED);
    CHECK(metric_is(&w, "roadbook_commits_total 1\n"));
    CHECK(metric_is(&w, "roadbook_batches_total 2\n"));
    world_close(&w);
}

/* ------------------------------------------------------------------ idle rounds, waits, JSON */

TEST(a_round_with_nothing_to_say_is_idle) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct session_http request, answer;
    struct service_job *job;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    push(&a, "Acme", &reply);
    while (reply.more) pull(&a, &reply);
    pull(&a, &reply);
    struct round_request r = round_of(&a, NULL, 0);
    CHECK_OK(session_round_request(&a.session, "round", encoded(&a, &r), &w.mem, &request, &err));
    service_open_job(w.service, 0, &request, &w.mem, &job, &answer);
    CHECK(job != NULL);
    CHECK(service_job_is_idle(job));
    CHECK(!service_job_writes(job));
    service_answer(w.service, 0, job, &w.mem, &answer);
    CHECK_INT(answer.code, 200);
    size_t bytes = request.body.len + answer.body.len;
    for (size_t i = 0; i < request.field_count; i++)
        bytes += strlen(request.fields[i].name) + strlen(request.fields[i].value) + 4;
    for (size_t i = 0; i < answer.field_count; i++)
        bytes += strlen(answer.fields[i].name) + strlen(answer.fields[i].value) + 4;
    CHECK(bytes < 700);
    world_close(&w);
}

TEST(a_wait_is_over_when_the_head_moves) {
    struct world w;
    struct laptop a, b;
    struct round_reply reply;
    struct session_http request, answer;
    struct service_job *job;
    struct slice message;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    laptop_ready(&b, &w);
    SCOPED(buf_free) struct buf body = buf_new(BUF_MAX_LINE);
    struct wait_request wait = {.epoch = a.epoch, .seq = 0};
    CHECK_OK(wire_write_wait_request(&wait, &body, &err));
    CHECK_OK(session_round_request(&a.session, "wait", buf_slice(&body), &w.mem, &request, &err));
    service_open_job(w.service, 0, &request, &w.mem, &job, &answer);
    CHECK(job != NULL);
    CHECK_INT(service_job_kind(job), SERVICE_WAIT);
    CHECK(!service_wait_is_over(w.service, 0, job));
    push(&b, "Acme", &reply);
    CHECK(service_wait_is_over(w.service, 0, job));
    service_answer(w.service, 0, job, &w.mem, &answer);
    CHECK_INT(answer.code, 204);
    CHECK_OK(session_round_reply(&a.session, &answer, &w.mem, &message, &err));
    CHECK_INT(message.len, 0);
    world_close(&w);
}

TEST(a_round_can_be_read_as_json) {
    struct world w;
    struct laptop a;
    struct session_http request, reply;
    struct json *root = NULL;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct round_request r = round_of(&a, NULL, 0);
    CHECK_OK(session_round_request(&a.session, "round", encoded(&a, &r), &w.mem, &request, &err));
    bool had = false;
    for (size_t i = 0; i < request.field_count; i++) {
        if (strcasecmp(request.fields[i].name, "Accept") != 0) continue;
        request.fields[i].value = WIRE_MEDIA_TYPE_JSON;
        had = true;
    }
    if (!had)
        request.fields[request.field_count++] =
            (struct session_field){"Accept", WIRE_MEDIA_TYPE_JSON};
    service_handle(w.service, &request, &w.mem, &reply);
    CHECK_INT(reply.code, 200);
    CHECK_TEXT(session_http_field(&reply, "Content-Type"), WIRE_MEDIA_TYPE_JSON);
    CHECK_OK(json_parse(reply.body, &root, &err));
    json_free(&root);
    world_close(&w);
}

TEST(an_org_added_while_serving_is_found) {
    struct world w;
    struct session_http request = {.method = "POST", .path = "/second/round"}, reply;
    struct err err;
    world_open(&w);
    service_handle(w.service, &request, &w.mem, &reply);
    CHECK_INT(reply.code, 404);
    w.path = arena_printf(&w.mem, "%s/org/second.db", w.dir);
    struct org_config config = config_of(&w);
    CHECK_OK(org_create(&config, SLICE("Second"), &err));
    service_handle(w.service, &request, &w.mem, &reply);
    CHECK_INT(reply.code, 401);
    world_close(&w);
}
