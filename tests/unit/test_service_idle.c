/* The centre in process: rounds that say nothing, waits, rounds as JSON, orgs that come. */
#include "tests/unit/service_world.h"

#include <stdio.h>
#include <string.h>

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
    laptop_push(&a, "Acme", &reply);
    while (reply.more) laptop_pull(&a, &reply);
    laptop_pull(&a, &reply);
    struct round_request r = laptop_round(&a, NULL, 0);
    CHECK_OK(
        session_round_request(&a.session, "round", laptop_encoded(&a, &r), &w.mem, &request, &err));
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
    laptop_push(&b, "Acme", &reply);
    CHECK(service_wait_is_over(w.service, 0, job));
    service_answer(w.service, 0, job, &w.mem, &answer);
    CHECK_INT(answer.code, 204);
    CHECK_OK(session_round_reply(&a.session, &answer, &w.mem, &message, &err));
    CHECK_INT(message.len, 0);
    world_close(&w);
}

static int64_t noted_cursor(struct world *w, const struct laptop *l) {
    struct err err;
    struct centre_device device;
    service_flush(w->service);
    struct org *org = world_own_org(w);
    CHECK_OK(centre_device(org_centre(org), l->identity.device, &device, &err));
    org_close(org);
    return device.cursor;
}

static void wait_from(struct laptop *l, int64_t epoch, int64_t seq) {
    struct err err;
    struct session_http request, answer;
    struct service_job *job;
    SCOPED(buf_free) struct buf body = buf_new(BUF_MAX_LINE);
    struct wait_request wait = {.epoch = epoch, .seq = seq};
    CHECK_OK(wire_write_wait_request(&wait, &body, &err));
    CHECK_OK(
        session_round_request(&l->session, "wait", buf_slice(&body), &l->w->mem, &request, &err));
    service_open_job(l->w->service, 0, &request, &l->w->mem, &job, &answer);
    CHECK(job != NULL);
    service_answer(l->w->service, 0, job, &l->w->mem, &answer);
    CHECK_INT(answer.code, 204);
}

TEST(a_laptop_that_waits_has_the_log_up_to_there) {
    struct world w;
    struct laptop a;
    struct round_reply reply;
    world_open(&w);
    laptop_ready(&a, &w);
    laptop_push(&a, "Acme", &reply);
    while (reply.more) laptop_pull(&a, &reply);
    int64_t asked_from = noted_cursor(&w, &a);
    CHECK(asked_from < a.cursor.seq);         /* of the last round only where it began is known */
    wait_from(&a, a.epoch + 1, a.cursor.seq); /* of another epoch, beyond the log: counts not */
    wait_from(&a, a.epoch, a.cursor.seq + 1);
    CHECK_INT(noted_cursor(&w, &a), asked_from);
    wait_from(&a, a.epoch, a.cursor.seq);
    CHECK_INT(noted_cursor(&w, &a), a.cursor.seq);
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
    struct round_request r = laptop_round(&a, NULL, 0);
    CHECK_OK(
        session_round_request(&a.session, "round", laptop_encoded(&a, &r), &w.mem, &request, &err));
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
    struct org_config config = {.path = w.path, .catalogue = &w.catalogue, .env = &w.env};
    CHECK_OK(org_create(&config, SLICE("Second"), &err));
    service_handle(w.service, &request, &w.mem, &reply);
    CHECK_INT(reply.code, 401);
    world_close(&w);
}
