/* What a handler sees of a request, and the bytes of its reply. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_private.h"

static size_t count_lines(struct slice head) {
    size_t lines = 0;
    for (size_t i = 0; i < head.len; i++) lines += head.data[i] == '\n';
    return lines;
}

struct http_request *http_request_new(struct http_conn *conn, struct slice head) {
    size_t fields = count_lines(head);
    if (fields > HTTP_FIELDS_MAX) fields = HTTP_FIELDS_MAX;
    struct http_request *request = calloc(1, sizeof *request);
    if (request == NULL) return NULL;
    request->text = malloc(head.len + 1);
    request->fields = calloc(fields + 1, sizeof *request->fields);
    if (request->text == NULL || request->fields == NULL) {
        http_request_free(request);
        return NULL;
    }
    memcpy(request->text, head.data, head.len);
    request->text[head.len] = 0;
    request->method = request->path = request->query = "";
    request->body = buf_new(conn->loop->server->config.limits.body_bytes_max);
    request->wire = buf_new(BUF_MAX_MESSAGE + BUF_MAX_LINE);
    request->conn = conn;
    request->is_forwarded = conn->loop->server->config.is_forwarded;
    request->is_tls = conn->ssl != NULL;
    memcpy(request->peer, conn->peer, sizeof request->peer);
    /* In the list of the living from here on, so that http_close finds it. */
    request->loop = conn->loop;
    request->live_next = conn->loop->live;
    if (request->live_next != NULL) request->live_next->live_prev = request;
    conn->loop->live = request;
    return request;
}

void http_request_free(struct http_request *request) {
    if (request->loop != NULL) {
        struct http_peers *peers = request->loop->server->peers;
        if (request->peer_entry != NULL)
            http_peer_bytes(peers, request->peer_entry, &request->held, 0);
        http_peer_release(peers, request->peer_entry);
        if (request->live_next != NULL) request->live_next->live_prev = request->live_prev;
        if (request->live_prev != NULL)
            request->live_prev->live_next = request->live_next;
        else
            request->loop->live = request->live_next;
    }
    buf_free(&request->body);
    buf_free(&request->wire);
    free(request->fields);
    free(request->text);
    free(request);
}

const char *http_method(const struct http_request *request) {
    return request->method;
}

const char *http_path(const struct http_request *request) {
    return request->path;
}

const char *http_query(const struct http_request *request) {
    return request->query;
}

const char *http_header(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->count; i++)
        if (strcasecmp(request->fields[i].name, name) == 0) return request->fields[i].value;
    return NULL;
}

struct slice http_body(const struct http_request *request) {
    return buf_slice(&request->body);
}

static const char *last_forwarded(const struct http_request *request) {
    const char *last = NULL;
    for (size_t i = 0; i < request->count; i++)
        if (strcasecmp(request->fields[i].name, "X-Forwarded-For") == 0)
            last = request->fields[i].value;
    const char *comma = last != NULL ? strrchr(last, ',') : NULL;
    if (comma == NULL) return last;
    for (comma++; *comma == ' ' || *comma == '\t';) comma++;
    return comma;
}

/* Anything but an address would be a way around the limits, and into the log. */
const char *http_peer(const struct http_request *request) {
    uint8_t raw[16];
    const char *last = request->is_forwarded ? last_forwarded(request) : NULL;
    if (last == NULL || (inet_pton(AF_INET, last, raw) != 1 && inet_pton(AF_INET6, last, raw) != 1))
        return request->peer;
    return last;
}

struct http_peer *http_request_peer(struct http_request *request) {
    if (request->peer_entry == NULL)
        request->peer_entry = http_peer_hold(request->loop->server->peers, http_peer(request));
    return request->peer_entry;
}

/* Behind a proxy that does not say whose a request is, all would pay for one. */
int64_t http_charge(struct http_request *request, enum http_purse purse, unsigned tokens) {
    if (strcmp(http_peer(request), "unix") == 0) return 0;
    return http_peer_charge(request->loop->server->peers, http_request_peer(request), purse,
                            tokens);
}

bool http_is_tls(const struct http_request *request) {
    return request->is_tls;
}

bool http_is_gone(const struct http_request *request) {
    return atomic_load(&request->gone);
}

void http_build_reply(const struct http_request *request, int code, const struct http_field *fields,
                      size_t count, struct slice body, bool closes, struct buf *out) {
    bool bodyless = code == 204 || code == 304;
    buf_printf(out, "HTTP/1.1 %d %s\r\n", code, http_reason(code));
    for (size_t i = 0; i < count; i++) {
        assert(strpbrk(fields[i].value, "\r\n") == NULL);
        buf_put_text(out, fields[i].name);
        buf_put(out, ": ", 2);
        buf_put_text(out, fields[i].value);
        buf_put(out, "\r\n", 2);
    }
    if (!bodyless) buf_printf(out, "Content-Length: %zu\r\n", body.len);
    if (closes)
        buf_put_text(out, "Connection: close\r\n");
    else if (request != NULL && request->is_old)
        buf_put_text(out, "Connection: keep-alive\r\n");
    buf_put(out, "\r\n", 2);
    if (!bodyless && !(request != NULL && request->is_head)) buf_put_slice(out, body);
}

/* Those that say "later" say when. */
void http_build_problem(const struct http_request *request, int code, bool closes,
                        struct buf *out) {
    static const char retry_s[] = {'0' + HTTP_RETRY_S, 0};
    static const struct http_field fields[] = {{"Content-Type", "application/problem+json"},
                                               {"Retry-After", retry_s}};
    char body[160];
    int len =
        snprintf(body, sizeof body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d}",
                 http_reason(code), code);
    assert(len > 0 && (size_t)len < sizeof body);
    size_t count = code == 429 || code == 503 ? 2 : 1;
    http_build_reply(request, code, fields, count, slice_of(body, (size_t)len), closes, out);
}

/* The reply is made by the thread that answers; the loop only writes it. */
static void begin_reply(struct http_request *request) {
    bool before = atomic_exchange(&request->answered, true);
    assert(!before); /* two replies to one request */
    request->wire_closes = !request->keep_alive || http_is_stopping(request->loop->server);
}

static void end_reply(struct http_request *request) {
    struct http_loop *loop = request->loop;
    bool in_handler = platform_thread_self() == loop->self && loop->dispatching == request;
    platform_lock(loop->mutex);
    if (in_handler && !request->queued) {
        request->answered_here = true; /* sent when the handler returns */
        platform_release(loop->mutex);
        return;
    }
    request->has_reply = true;
    http_loop_send(request);
}

void http_reply(struct http_request *request, int code, const struct http_field *fields,
                size_t count, struct slice body) {
    begin_reply(request);
    http_build_reply(request, code, fields, count, body, request->wire_closes, &request->wire);
    end_reply(request);
}

void http_reply_problem(struct http_request *request, int code) {
    begin_reply(request);
    http_build_problem(request, code, request->wire_closes, &request->wire);
    end_reply(request);
}

void http_offload(struct http_request *request, http_handler *work, void *ctx) {
    struct http_workers *workers = &request->loop->server->workers;
    if (workers->count == 0) {
        work(ctx, request);
        return;
    }
    request->work = work;
    request->work_ctx = ctx;
    http_workers_add(workers, request);
}

void http_park(struct http_request *request, int64_t timeout_ms, http_handler *on_end, void *ctx) {
    struct http_loop *loop = request->loop;
    int64_t until_ms = http_now_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    platform_lock(loop->mutex);
    request->park_asked = (struct http_park){until_ms, on_end, ctx};
    request->has_park = true;
    http_loop_send(request);
}
