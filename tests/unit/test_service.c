/* The centre in process: enrolment, pushes, pulls, who may not, bad bodies, copies, groups. */
#include "syncd/store/org_keys.h"
#include "tests/unit/service_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------ the main path */

TEST(a_laptop_enrols_pushes_and_another_pulls) {
    struct world w;
    struct laptop a, b;
    struct round_reply reply;
    world_open(&w);
    laptop_ready(&a, &w);
    laptop_ready(&b, &w);
    CHECK(a.identity.device != b.identity.device);
    laptop_push(&a, "大众汽车", &reply);
    CHECK_INT(reply.kind, REPLY_ROUND);
    CHECK_INT(reply.last_batch, 1);
    CHECK_INT(reply.receipt_count, 1);
    CHECK_INT(reply.receipts[0].lines[0].outcome, OUTCOME_APPLIED);
    laptop_pull(&b, &reply);
    CHECK_INT(reply.filled_count, 1);
    CHECK(!reply.more);
    CHECK_INT(reply.filled[0].row, id_make(a.identity.device, 1));
    CHECK(world_metric_is(&w, "roadbook_changes_total{outcome=\"applied\"} 1\n"));
    CHECK(world_metric_is(&w, "roadbook_org_head{org=\"acme\"} 1\n"));
    world_close(&w);
}

TEST(a_lost_reply_is_asked_for_again_and_applied_once) {
    struct world w;
    struct laptop a;
    struct round_reply first, second;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct batch batch = laptop_batch(&a, 1, "Acme");
    struct round_request r = laptop_round(&a, &batch, 1);
    CHECK_OK(laptop_send(&a, &r, &first, &err));
    CHECK_OK(laptop_send(&a, &r, &second, &err));
    CHECK_INT(second.receipts[0].at, first.receipts[0].at);
    CHECK_INT(second.head.seq, first.head.seq);
    CHECK(world_metric_is(&w, "roadbook_batches_total 1\n"));
    CHECK(world_metric_is(&w, "roadbook_batches_repeated_total 1\n"));
    world_close(&w);
}

TEST(an_enrolment_with_the_same_code_and_key_gets_the_same_number) {
    struct world w;
    struct laptop a, thief;
    struct err err;
    world_open(&w);
    laptop_new(&a, &w);
    laptop_link(&w, &a.link);
    CHECK_OK(laptop_enroll(&a, &err));
    uint32_t device = a.identity.device;
    a.identity.device = 0;
    CHECK_OK(laptop_enroll(&a, &err));
    CHECK_INT(a.identity.device, device);
    laptop_new(&thief, &w);
    thief.link = a.link;
    CHECK_STATUS(laptop_enroll(&thief, &err), ST_DENIED);
    w.env.random(w.env.ctx, thief.link.code, sizeof thief.link.code);
    CHECK_STATUS(laptop_enroll(&thief, &err), ST_DENIED);
    world_close(&w);
}

TEST(a_session_key_survives_a_restart_of_the_server) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    laptop_pull(&a, &reply);
    service_close(w.service);
    world_serve(&w);
    struct round_request r = laptop_round(&a, NULL, 0);
    CHECK_STATUS(laptop_send(&a, &r, &reply, &err),
                 ST_TRY_AGAIN); /* the nonce was the old process's */
    CHECK(!session_needs_hello(&a.session, &w.env));
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
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
    struct round_request r = laptop_round(&a, NULL, 0), other = laptop_round(&b, NULL, 0);
    while (laptop_send(&a, &r, &reply, &err) == ST_OK && taken < 40) taken++;
    CHECK_INT(err.status, ST_LIMITED);
    CHECK(taken >= 10 && taken < 40); /* a few more for the seconds that passed */
    CHECK(strstr(err.text[LANG_ZH], "频繁") != NULL);
    session_lend(&b.session, &copy); /* the other laptop does not notice, but one at a time */
    CHECK_OK(session_round_request(&copy, "round", laptop_encoded(&b, &other), &w.mem, &w.request,
                                   &err));
    service_open_job(w.service, 0, &w.request, &w.mem, &job, &refused);
    CHECK(job != NULL);
    CHECK_STATUS(laptop_send(&b, &other, &reply, &err), ST_LIMITED);
    service_close_job(job);
    service_close_job(job); /* once is enough */
    laptop_pull(&b, &reply);
    platform_sleep_ms(1100);
    laptop_pull(&a, &reply);
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
    struct org *org = world_own_org(&w);
    CHECK_OK(centre_device_revoke(org_centre(org), a.identity.device, true, &err));
    org_close(org);
    struct batch batch = laptop_batch(&a, 1, "Acme");
    struct round_request r = laptop_round(&a, &batch, 1);
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
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
    CHECK_OK(laptop_hello(&a, &err)); /* for work that it had not sent */
    world_close(&w);
}

TEST(an_inactive_user_is_refused) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct org *org = world_own_org(&w);
    CHECK_OK(centre_user_activate(org_centre(org), w.user, false, &err));
    org_close(org);
    struct round_request r = laptop_round(&a, NULL, 0);
    CHECK_STATUS(laptop_send(&a, &r, &reply, &err), ST_DENIED);
    world_close(&w);
}

TEST(a_push_signed_by_another_key_is_refused) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct batch batch = laptop_batch(&a, 1, "Acme");
    struct round_request r = laptop_round(&a, &batch, 1);
    r.signature[5] ^= 1;
    CHECK_STATUS(laptop_send(&a, &r, &reply, &err), ST_DENIED);
    CHECK(world_metric_is(&w, "roadbook_batches_total 0\n"));
    CHECK(world_metric_is(&w, "roadbook_errors_total{code=\"DENIED\"} 1\n"));
    world_close(&w);
}

TEST(a_captured_round_cannot_be_sent_again) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    struct session_http again;
    world_open(&w);
    laptop_ready(&a, &w);
    laptop_pull(&a, &reply);
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
    struct batch batch =
        laptop_batch(&a, 1, "A name that is long enough to be worth a byte or two");
    struct round_request r = laptop_round(&a, &batch, 1);
    struct slice whole = laptop_encoded(&a, &r);
    for (size_t len = 0; len < whole.len; len++) {
        enum status status = nonsense(&a, slice_of(whole.data, len), &err);
        CHECK(status == ST_MALFORMED || status == ST_VERSION);
    }
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
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
    struct batch batch = laptop_batch(&a, 1, "Acme");
    struct round_request r = laptop_round(&a, &batch, 1);
    struct slice whole = laptop_encoded(&a, &r);
    for (size_t bit = 0; bit < whole.len * 8; bit += 7) {
        struct slice copy = arena_copy(&w.mem, whole);
        ((uint8_t *)copy.data)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        (void)nonsense(&a, copy, &err); /* outside the batches it may be another valid request */
        if (session_needs_hello(&a.session, &w.env)) CHECK_OK(laptop_hello(&a, &err));
    }
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
    if (reply.kind == REPLY_EPOCH) { /* one spoke of more than the server has: it went back */
        r.epoch = reply.epoch;
        r.cursor = r.top = reply.cursor;
        CHECK_OK(laptop_send(&a, &r, &reply, &err));
    }
    CHECK_INT(reply.receipt_count, 1);
    CHECK_INT(reply.receipts[0].lines[0].outcome, OUTCOME_APPLIED);
    CHECK(world_metric_is(&w, "roadbook_batches_total 1\n"));
    world_close(&w);
}

TEST(a_body_that_is_not_the_digests_is_refused) {
    struct world w;
    struct laptop a;
    struct session_http request, reply;
    struct err err;
    world_open(&w);
    laptop_ready(&a, &w);
    struct round_request r = laptop_round(&a, NULL, 0);
    CHECK_OK(
        session_round_request(&a.session, "round", laptop_encoded(&a, &r), &w.mem, &request, &err));
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
    struct batch ours = laptop_batch(&a, 1, "Acme"), theirs = laptop_batch(&a, 1, "Other");
    struct round_request r = laptop_round(&a, &ours, 1);
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    CHECK_OK(laptop_send(&a, &r, &reply, &err)); /* a repeat is none */
    CHECK_INT(reply.kind, REPLY_ROUND);
    CHECK_INT(reply.receipt_count, 1);
    r = laptop_round(&a, &theirs, 1);
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
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
        *batch = laptop_batch(&laptops[i], number, "Acme");
        struct round_request r = laptop_round(&laptops[i], batch, 1);
        CHECK_OK(session_round_request(&laptops[i].session, "round",
                                       laptop_encoded(&laptops[i], &r), &w.mem, &requests[i],
                                       &err));
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
    CHECK_OK(laptop_read(&laptops[0], &replies[0], &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    CHECK_OK(laptop_read(&laptops[2], &replies[2], &reply, &err));
    CHECK_INT(reply.receipt_count, 1);
    CHECK(laptop_read(&laptops[1], &replies[1], &reply, &err) != ST_OK ||
          reply.kind == REPLY_CLONED);
    CHECK(world_metric_is(&w, "roadbook_commits_total 1\n"));
    CHECK(world_metric_is(&w, "roadbook_batches_total 2\n"));
    world_close(&w);
}

/* ------------------------------------------------------------------ another key */

static void key_change(struct world *w) {
    struct err err;
    struct key_record record;
    struct org *org = world_own_org(w);
    CHECK_OK(centre_key_change(org_centre(org), SLICE("office"), &record, &err));
    org_close(org);
}

static struct service_job *opened(struct laptop *l, const struct round_request *r) {
    struct err err;
    struct service_job *job;
    struct session_http refused;
    struct world *w = l->w;
    CHECK_OK(session_round_request(&l->session, "round", laptop_encoded(l, r), &w->mem, &w->request,
                                   &err));
    service_open_job(w->service, 0, &w->request, &w->mem, &job, &refused);
    CHECK(job != NULL);
    return job;
}

/* The laptop that brings a batch while another program changes the key is told nothing that the new
 * key signs before it has heard of it: it greets, and brings the same again. */
TEST(a_key_that_is_changed_while_a_round_is_in_hand) {
    for (int merged = 0; merged < 2; merged++) {
        struct world w;
        struct laptop a;
        struct err err;
        struct session_http answer;
        struct round_reply reply;
        world_open(&w);
        laptop_ready(&a, &w);
        struct batch batch = laptop_batch(&a, 1, "Acme");
        struct round_request r = laptop_round(&a, &batch, 1);
        struct service_job *job = opened(&a, &r);
        if (!merged) key_change(&w); /* before it comes in, or after */
        service_merge(w.service, &job, 1);
        if (merged) key_change(&w);
        service_answer(w.service, 0, job, &w.mem, &answer);
        service_close_job(job);
        CHECK_INT(answer.code, 401);
        CHECK(!session_http_field(&answer, "Roadbook-Nonce"));
        CHECK_STATUS(laptop_read(&a, &answer, &reply, &err), ST_TRY_AGAIN);
        CHECK_OK(laptop_hello(&a, &err));
        CHECK_INT(a.session.identity.key_changes, 1);
        CHECK_OK(laptop_send(&a, &r, &reply, &err));
        CHECK_INT(reply.receipts[0].lines[0].outcome, OUTCOME_APPLIED);
        CHECK(sign_check(a.session.identity.org_public, reply.receipts_bytes,
                         reply.receipts_signature));
        CHECK(!sign_check(w.org_public, reply.receipts_bytes, reply.receipts_signature));
        CHECK(world_metric_is(&w, "roadbook_batches_total 1\n"));
        world_close(&w);
    }
}

/* A session is good under one key of the org alone, in memory and in the book. */
TEST(a_change_of_the_key_ends_all_sessions) {
    struct world w;
    struct laptop a, b;
    struct err err;
    struct round_reply reply;
    world_open(&w);
    laptop_ready(&a, &w);
    laptop_ready(&b, &w);
    key_change(&w);
    struct round_request r = laptop_round(&a, NULL, 0), other = laptop_round(&b, NULL, 0);
    CHECK_STATUS(laptop_send(&a, &r, &reply, &err), ST_TRY_AGAIN);
    CHECK_INT(a.session.state, SESSION_NEW);
    service_flush(w.service); /* nor does it come back from the disk */
    service_close(w.service);
    world_serve(&w);
    CHECK_STATUS(laptop_send(&b, &other, &reply, &err), ST_TRY_AGAIN);
    CHECK_OK(laptop_hello(&a, &err));
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
    service_flush(w.service);
    service_close(w.service);
    world_serve(&w); /* the new one is kept */
    enum status again = laptop_send(&a, &r, &reply, &err);
    CHECK(again == ST_OK || a.session.state == SESSION_READY); /* perhaps with another nonce */
    world_close(&w);
}

/* An order is signed with the newest key, for laptops that are away as for those that are here. */
TEST(an_order_after_a_change_is_signed_with_the_newest_key) {
    struct world w;
    struct laptop a;
    struct err err;
    struct round_reply reply;
    world_open(&w);
    laptop_ready(&a, &w);
    struct org *org = world_own_org(&w);
    CHECK_OK(centre_device_revoke(org_centre(org), a.identity.device, true, &err));
    org_close(org);
    key_change(&w);
    key_change(&w);
    struct round_request r = laptop_round(&a, NULL, 0);
    CHECK_STATUS(laptop_send(&a, &r, &reply, &err), ST_TRY_AGAIN);
    CHECK_OK(laptop_hello(&a, &err));
    CHECK_OK(laptop_send(&a, &r, &reply, &err));
    CHECK_INT(reply.order.kind, ORDER_WIPE);
    CHECK(session_order_is_signed(&a.session.identity, &reply.order));
    CHECK(!session_order_is_signed(&a.identity, &reply.order)); /* it knows the first key alone */
    world_close(&w);
}
