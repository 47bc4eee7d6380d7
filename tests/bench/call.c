/* A laptop without a store, which goes rounds over TLS with the server's program. */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <string.h>

enum { ROUND_TRIES = 3 };

/* Writes the request of the next round; batches may be NULL. */
void caller_make(struct caller *c, const struct round_request *request, struct arena *mem, struct session_http *out) {
    struct err err;
    struct buf message = buf_new(BUF_MAX_MESSAGE);
    MUST(wire_write_round_request(request, 6, &message, &err));
    struct slice body = arena_copy(mem, buf_slice(&message));
    buf_free(&message);
    MUST(session_round_request(&c->session, "round", body, mem, out, &err));
}

bool caller_take(struct caller *c, const struct session_http *http, struct arena *mem, struct round_reply *out) {
    struct err err;
    struct slice answer;
    enum status status = session_round_reply(&c->session, http, mem, &answer, &err);
    if (status == ST_TRY_AGAIN) return false;
    if (status != ST_OK) bench_fail("a round", &err);
    MUST(wire_read_round_reply(answer, c->laptop->device, mem, out, &err));
    c->laptop->cursor = out->cursor;
    c->laptop->since = out->since;
    if (out->has_scope) c->laptop->scope = out->scope;
    c->laptop->top = out->head;
    if (out->has_news) c->laptop->news = out->news_version;
    return true;
}

/* One round until it is answered. */
void caller_round(struct caller *c, struct batch *batches, size_t count, struct arena *mem, struct round_reply *out) {
    struct round_request request;
    hall_request(c->h, c->laptop, batches, count, NULL, &request);
    for (int i = 0; i < ROUND_TRIES; i++) {
        struct session_http http, reply;
        caller_make(c, &request, mem, &http);
        if (!tls_send(c->tls, &http) || !tls_receive(c->tls, mem, &reply, NULL)) bench_fail("the connection broke", NULL);
        if (caller_take(c, &reply, mem, out)) return;
    }
    bench_fail("no nonce is good", NULL);
}

void caller_idle(struct caller *c) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct round_reply reply;
    caller_round(c, NULL, 0, &mem, &reply);
}

/* Connects when it has to. *out_wait_ms: when to try again; 0: at once. */
bool caller_try(struct caller *c, struct tls_client *client, const struct round_request *request, int64_t *out_wait_ms,
                struct round_reply *out, struct arena *mem) {
    struct session_http http, reply;
    int64_t retry_s = 0;
    *out_wait_ms = 1000;
    if (!c->tls) c->tls = tls_connect_from(client, c->h->port, c->from, NULL);
    c->code = 0;
    if (!c->tls) return false;
    caller_make(c, request, mem, &http);
    if (!tls_send(c->tls, &http) || !tls_receive(c->tls, mem, &reply, &retry_s)) {
        tls_close(c->tls);
        c->tls = NULL;
        c->session.state = SESSION_READY;
        return false;
    }
    c->code = reply.code;
    if (reply.code >= 400 && reply.code != 401) {
        c->session.state = SESSION_READY;
        *out_wait_ms = retry_s ? retry_s * 1000 : 1000;
        return false;
    }
    *out_wait_ms = 0;
    return caller_take(c, &reply, mem, out) && out->receipt_count == request->batch_count;
}

void caller_wait(struct caller *c, int64_t seq) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct err err;
    struct session_http http;
    struct wait_request wait = {.epoch = 1, .seq = seq};
    MUST(wire_write_wait_request(&wait, &message, &err));
    MUST(session_round_request(&c->session, "wait", buf_slice(&message), &mem, &http, &err));
    if (!tls_send(c->tls, &http)) bench_fail("the connection broke", NULL);
}
