/* From the listener to the service and back: which thread does what.
 *
 * The loop's thread answers what takes some ten microseconds: idle rounds, the start of a wait,
 * figures. Whatever decodes batches, checks a signature (Ed25519: some 60 microseconds), writes or
 * reads pages goes to a worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/server/serve.h"

static const char *const FIELDS[] = {"Content-Type", "Content-Digest", "Signature-Input",
                                     "Signature", "Accept"};
_Static_assert(sizeof FIELDS / sizeof FIELDS[0] <= SESSION_FIELDS_MAX, "all fit");

/* ------------------------------------------------------------------ replies */

/* Somebody who knows no key could else fill the disk. *out_left_out: lines left out before this
 * one. */
static bool may_log_refusal(struct gate *gate, int64_t *out_left_out) {
    struct gate_lines *lines = &gate->lines;
    int64_t now = platform_mono_ms();
    platform_lock(lines->lock);
    int64_t due = (now - lines->at_ms) * GATE_FAULT_LINES_S / 1000;
    if (due > 0) {
        lines->left =
            lines->left + due < GATE_FAULT_LINES_MAX ? lines->left + due : GATE_FAULT_LINES_MAX;
        lines->at_ms = now;
    }
    bool may = lines->left > 0;
    *out_left_out = may ? lines->left_out : 0;
    lines->left -= may;
    lines->left_out = may ? 0 : lines->left_out + 1;
    platform_release(lines->lock);
    return may;
}

static void log_call(const struct call *call, const struct session_http *reply) {
    struct gate *gate = call->gate;
    struct service_note note = {.org = "", .what = ""};
    if (call->job) service_job_note(call->job, &note);
    bool quiet = call->job && note.changes == 0 && note.records == 0 && reply->code < 300 &&
                 note.repeats == 0 &&
                 (service_job_kind(call->job) == SERVICE_WAIT ||
                  service_job_kind(call->job) == SERVICE_CONTENT || service_job_is_idle(call->job));
    int64_t left_out = 0;
    if (quiet && !gate->log_idle) return;
    if (reply->code >= 400 && reply->code < 500 && !may_log_refusal(gate, &left_out)) return;
    char line[700];
    (void)snprintf(
        line, sizeof line,
        "event=%s org=%s device=%u peer=%s code=%d in=%zu out=%zu ms=%.1f batches=%zu repeats=%zu "
        "applied=%zu merged=%zu lost=%zu waiting=%zu refused=%zu rows=%zu head=%lld left_out=%lld",
        note.what[0] ? note.what : "refused", note.org, (unsigned)note.device,
        http_peer(call->http), reply->code, call->bytes_in, reply->body.len,
        (double)(platform_mono_us() - call->arrived_us) / 1000.0, note.batches, note.repeats,
        note.outcomes[OUTCOME_APPLIED], note.outcomes[OUTCOME_MERGED], note.outcomes[OUTCOME_LOST],
        note.outcomes[OUTCOME_WAITING], note.outcomes[OUTCOME_REFUSED], note.records,
        (long long)note.head, (long long)left_out);
    gate->env->log(gate->env->ctx, reply->code >= 500 ? LOG_WARNING : LOG_INFO, line);
}

static void call_free(struct call *call) {
    writers_release(call);
    service_close_job(call->job);
    arena_clear(&call->mem);
    free(call);
}

/* The call is over. retry_ms 0: no Retry-After. */
static void call_reply(struct call *call, const struct session_http *reply, int64_t retry_ms) {
    struct http_field fields[SESSION_FIELDS_MAX + 1];
    char seconds[24];
    size_t count = 0;
    for (; count < reply->field_count; count++)
        fields[count] = (struct http_field){reply->fields[count].name, reply->fields[count].value};
    if (retry_ms > 0) {
        (void)snprintf(seconds, sizeof seconds, "%lld", (long long)((retry_ms + 999) / 1000));
        fields[count++] = (struct http_field){"Retry-After", seconds};
    }
    (void)atomic_fetch_add(&call->gate->replies, 1);
    log_call(call, reply);
    if (call->gate->trace) trace_write(call->gate->trace, &call->request, reply);
    http_reply(call->http, reply->code, fields, count, reply->body);
    call_free(call);
}

void gate_refuse(struct call *call, enum status status, int64_t retry_ms, const char *en,
                 const char *zh) {
    struct err problem;
    struct session_http reply = {.code = 503};
    (void)err_set(&problem, status, "%s%.0s", "%.0s%s", en, zh);
    (void)session_server_problem(&problem, NULL, &call->mem, &reply, NULL);
    call_reply(call, &reply, retry_ms);
}

/* ------------------------------------------------------------------ the steps */

void gate_answer(struct call *call) {
    struct gate *gate = call->gate;
    struct session_http reply = {.code = 503};
    size_t reader = readers_take(gate->readers);
    service_answer(gate->service, reader, call->job, &call->mem, &reply);
    readers_give(gate->readers, reader);
    call_reply(call, &reply, reply.code == 503 ? 1000 : 0);
}

static void answer_work(void *ctx, struct http_request *request) {
    (void)request;
    gate_answer(ctx);
}

void gate_answer_later(struct call *call) {
    if (call->gate->stopping)
        gate_answer(call);
    else
        http_offload(call->http, answer_work, call);
}

static void refuse_address(struct call *call, int64_t wait_ms) {
    gate_refuse(call, ST_LIMITED, wait_ms,
                "too many requests come from this address; nothing is lost, laptops come again by "
                "themselves",
                "该地址的请求过多；数据不会丢失，笔记本稍后会自动重试");
}

/* What is refused costs the address; proved requests cost it nothing, so that whoever shares the
 * address with an attacker goes on. */
static void call_refused(struct call *call, const struct session_http *reply) {
    bool is_fault = reply->code >= 400 && reply->code < 500 && reply->code != 429;
    int64_t wait_ms =
        is_fault ? http_charge(call->http, HTTP_PURSE_REQUESTS, GATE_FAULT_TOKENS) : 0;
    if (wait_ms > 0)
        refuse_address(call, wait_ms);
    else
        call_reply(call, reply, reply->code == 503 ? 1000 : 0);
}

static bool call_open(struct call *call, size_t reader) {
    struct session_http reply = {.code = 503};
    service_open_job(call->gate->service, reader, &call->request, &call->mem, &call->job, &reply);
    readers_give(call->gate->readers, reader);
    if (call->job) return true;
    call_refused(call, &reply);
    return false;
}

/* here: the calling thread may take its time. */
static void call_go_on(struct call *call, bool here) {
    if (service_job_writes(call->job))
        writers_add(call->gate->writers, call);
    else if (service_job_kind(call->job) == SERVICE_WAIT)
        waits_add(call->gate->waits, call);
    else if (here || service_job_is_idle(call->job))
        gate_answer(call);
    else
        http_offload(call->http, answer_work, call);
}

static void open_work(void *ctx, struct http_request *request) {
    struct call *call = ctx;
    (void)request;
    if (call_open(call, readers_take(call->gate->readers))) call_go_on(call, true);
}

/* Rounds, waits and pieces; what is not has a signature that is dear to check. */
static bool is_round(const struct call *call) {
    const char *what = strrchr(call->request.path, '/');
    return what && (strcmp(what, "/round") == 0 || strcmp(what, "/wait") == 0 ||
                    strcmp(what, "/content") == 0);
}

/* Without batches they are short. */
static bool is_quick(const struct call *call) {
    return is_round(call) && call->request.body.len <= GATE_INLINE_BYTES_MAX;
}

static struct call *call_new(struct gate *gate, struct http_request *http) {
    struct call *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    call->gate = gate;
    call->http = http;
    call->mem = arena_new(CALL_MEMORY_MAX);
    call->arrived_us = platform_mono_us();
    call->request.method = http_method(http);
    call->request.path = http_path(http);
    call->request.body = http_body(http);
    call->bytes_in = call->request.body.len;
    for (size_t i = 0; i < ARRAY_COUNT(FIELDS); i++) {
        const char *value = http_header(http, FIELDS[i]);
        if (value)
            call->request.fields[call->request.field_count++] =
                (struct session_field){FIELDS[i], value};
    }
    return call;
}

/* ------------------------------------------------------------------ health and figures */

static void health_reply(struct gate *gate, struct http_request *http) {
    static const struct http_field JSON = {"Content-Type", "application/json"};
    struct err err = {.status = ST_OK};
    char text[160];
    size_t reader = readers_take(gate->readers);
    bool well = !gate->stopping && service_health(gate->service, reader, &err) == ST_OK;
    readers_give(gate->readers, reader);
    (void)snprintf(text, sizeof text, "{\"status\":\"%s\",\"release\":\"%s\"}\n",
                   well             ? "ok"
                   : gate->stopping ? "stopping"
                                    : "failing",
                   ROADBOOK_VERSION);
    http_reply(http, well ? 200 : 503, &JSON, 1, slice_from(text));
}

static void metrics_work(void *ctx, struct http_request *http) {
    static const struct http_field TEXT = {"Content-Type", "text/plain; version=0.0.4"};
    struct gate *gate = ctx;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    service_metrics(gate->service, &text);
    buf_printf(
        &text,
        "# HELP roadbook_connections connections open now\n# TYPE roadbook_connections gauge\n"
        "roadbook_connections %u\n",
        http_connections(gate->http));
    buf_printf(&text,
               "# HELP roadbook_waiting laptops that wait for news\n# TYPE roadbook_waiting gauge\n"
               "roadbook_waiting %zu\n",
               waits_count(gate->waits));
    buf_printf(
        &text,
        "# HELP roadbook_queued rounds that wait for a writer\n# TYPE roadbook_queued gauge\n"
        "roadbook_queued %zu\n",
        writers_queued(gate->writers));
    http_reply(http, 200, &TEXT, 1, buf_slice(&text));
}

static bool answered_get(struct gate *gate, struct http_request *http) {
    const char *method = http_method(http), *path = http_path(http);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) return false;
    if (http_charge(http, HTTP_PURSE_REQUESTS, GATE_CALL_TOKENS) > 0)
        http_reply_problem(http, 429);
    else if (strcmp(path, "/health") == 0)
        health_reply(gate, http);
    else if (strcmp(path, "/metrics") == 0)
        http_offload(http, metrics_work, gate);
    else
        http_reply_problem(http, 404);
    return true;
}

void gate_handle(void *ctx, struct http_request *http) {
    struct gate *gate = ctx;
    size_t reader;
    if (answered_get(gate, http)) return;
    if (strcmp(http_method(http), "POST") != 0) {
        http_reply_problem(http, 405);
        return;
    }
    struct call *call = call_new(gate, http);
    if (!call) {
        http_reply_problem(http, 503);
        return;
    }
    int64_t wait_ms = is_round(call) ? 0 : http_charge(http, HTTP_PURSE_PROOFS, GATE_PROOF_TOKENS);
    if (wait_ms > 0)
        refuse_address(call, wait_ms);
    else if (!is_quick(call) || !readers_try(gate->readers, &reader))
        http_offload(http, open_work, call);
    else if (call_open(call, reader))
        call_go_on(call, false);
}
