/* One connection: bytes in, requests out, replies back, within its time limits. All of it runs on
 * the thread of the connection's loop.
 *
 * Functions that find the connection finished only set dead; the one that libevent or the loop
 * called frees it at its end (settle), so that nothing on the way works with freed memory. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_private.h"

enum { RECEIVED_NOTHING = 0, RECEIVED_END = -1, RECEIVED_ERROR = -2 };

int64_t http_now_ms(void) {
    return platform_mono_ms();
}

static const struct http_limits *limits_of(const struct http_conn *conn) {
    return &conn->loop->server->config.limits;
}

/* ------------------------------------------------------------------ bytes */

static ssize_t receive(struct http_conn *conn, uint8_t *into, size_t bytes) {
    if (conn->ssl == NULL) {
        ssize_t got = recv(conn->fd, into, bytes, 0);
        if (got > 0) return got;
        if (got == 0) return RECEIVED_END;
        return errno == EAGAIN || errno == EINTR ? RECEIVED_NOTHING : RECEIVED_ERROR;
    }
    size_t got;
    ERR_clear_error();
    if (SSL_read_ex(conn->ssl, into, bytes, &got) == 1) return (ssize_t)got;
    int reason = SSL_get_error(conn->ssl, 0);
    if (reason == SSL_ERROR_ZERO_RETURN) return RECEIVED_END;
    return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? RECEIVED_NOTHING
                                                                           : RECEIVED_ERROR;
}

/* Bytes written; 0: not now; -1: never again. */
static ssize_t transmit(struct http_conn *conn, const uint8_t *from, size_t bytes) {
    if (conn->ssl == NULL) {
        ssize_t put = send(conn->fd, from, bytes, MSG_NOSIGNAL);
        if (put >= 0) return put;
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    size_t put;
    ERR_clear_error();
    if (SSL_write_ex(conn->ssl, from, bytes, &put) == 1) return (ssize_t)put;
    int reason = SSL_get_error(conn->ssl, 0);
    return reason == SSL_ERROR_WANT_WRITE || reason == SSL_ERROR_WANT_READ ? 0 : -1;
}

static bool has_out(const struct http_conn *conn) {
    return conn->out_at < conn->out.len;
}

/* How much of out has arrived: what the kernel has taken is not there yet, and one that does not
 * read may have megabytes under way. What TLS adds is not counted. */
static void note_arrived(struct http_conn *conn) {
    int under_way = 0;
    if (ioctl(conn->fd, SIOCOUTQ, &under_way) != 0 || under_way < 0) under_way = 0;
    size_t waits = (size_t)under_way;
    size_t arrived = conn->out_at > waits ? conn->out_at - waits : 0;
    if (arrived <= conn->out_acked) return;
    conn->out_acked = arrived;
    conn->moved_ms = http_now_ms();
}

static void begin_waiting(struct http_conn *conn) {
    if (conn->write_ms != 0) return;
    note_arrived(conn);
    conn->out_base = conn->out_acked;
    conn->write_ms = conn->moved_ms = http_now_ms();
}

static void flush(struct http_conn *conn) {
    while (!conn->dead && has_out(conn)) {
        ssize_t put = transmit(conn, conn->out.data + conn->out_at, conn->out.len - conn->out_at);
        if (put < 0) conn->dead = true;
        if (put <= 0) {
            begin_waiting(conn);
            return;
        }
        conn->out_at += (size_t)put;
    }
    /* Waiting connections are many: they keep no buffers. */
    buf_free(&conn->out);
    conn->out = buf_new(BUF_MAX_MESSAGE + BUF_MAX_LINE);
    conn->out_at = conn->out_acked = 0;
    conn->write_ms = 0;
}

static void consume(struct http_conn *conn, size_t bytes) {
    size_t left = conn->in.len - bytes;
    if (left > 0) memmove(conn->in.data, conn->in.data + bytes, left);
    conn->in.len = left;
    if (left > 0) return;
    size_t max = conn->in.max;
    buf_free(&conn->in);
    conn->in = buf_new(max);
}

/* ------------------------------------------------------------------ events and time limits */

/* The average since since_ms must keep the rate, and no pause since moved_ms be too long. */
static int64_t at_rate(const struct http_conn *conn, int64_t since_ms, size_t bytes,
                       int64_t moved_ms) {
    const struct http_limits *limits = limits_of(conn);
    int64_t patience_ms = (int64_t)limits->read_timeout_s * 1000;
    int64_t slow_ms = since_ms + patience_ms + (int64_t)(bytes * 1000 / limits->rate_bytes_s_min);
    return slow_ms < moved_ms + patience_ms ? slow_ms : moved_ms + patience_ms;
}

static int64_t deadline_of(const struct http_conn *conn) {
    int64_t since_ms = conn->since_ms;
    if (conn->state == HTTP_LINGERING) return since_ms + HTTP_LINGER_MS;
    if (conn->state == HTTP_HANDSHAKE) return at_rate(conn, since_ms, 0, since_ms);
    if (has_out(conn))
        return at_rate(conn, conn->write_ms, conn->out_acked - conn->out_base, conn->moved_ms);
    if (conn->state == HTTP_WORKING)
        return conn->request->park.on_end != NULL ? conn->request->park.until_ms : INT64_MAX;
    if (conn->request != NULL)
        return at_rate(conn, since_ms, conn->request->body.len, conn->moved_ms);
    if (conn->in.len > 0) return at_rate(conn, since_ms, 0, since_ms);
    return since_ms + (int64_t)limits_of(conn)->idle_timeout_s * 1000;
}

/* The timer is only moved when it must go off earlier. One that goes off too early looks at the
 * deadline and goes to sleep again: a busy connection does not touch the heap of timers. */
static void arm_timer(struct http_conn *conn) {
    int64_t deadline_ms = deadline_of(conn);
    if (deadline_ms >= conn->timer_ms) return;
    int64_t left_ms = deadline_ms - http_now_ms();
    if (left_ms < 1) left_ms = 1;
    struct timeval left = {left_ms / 1000, (left_ms % 1000) * 1000};
    if (event_add(&conn->timer_event, &left) != 0) conn->dead = true;
    conn->timer_ms = deadline_ms;
}

static bool may_read(const struct http_conn *conn) {
    if (conn->input_ended) return false;
    if (conn->state == HTTP_HANDSHAKE || conn->state == HTTP_LINGERING) return true;
    return conn->in.len < limits_of(conn)->header_bytes_max;
}

static bool must_write(const struct http_conn *conn) {
    if (conn->state == HTTP_HANDSHAKE) return SSL_want_write(conn->ssl);
    return has_out(conn);
}

static bool turn(struct event *event, bool *is_on, bool want) {
    if (*is_on == want) return true;
    *is_on = want;
    return (want ? event_add(event, NULL) : event_del(event)) == 0;
}

static void leave_free(struct http_conn *conn) {
    struct http_loop *loop = conn->loop;
    if (!conn->is_free) return;
    conn->is_free = false;
    if (conn->free_next != NULL)
        conn->free_next->free_prev = conn->free_prev;
    else
        loop->free_last = conn->free_prev;
    if (conn->free_prev != NULL)
        conn->free_prev->free_next = conn->free_next;
    else
        loop->free_first = conn->free_next;
    conn->free_next = conn->free_prev = NULL;
}

/* Also one that shakes hands or sends a head takes room without a request. */
static void keep_free_list(struct http_conn *conn) {
    struct http_loop *loop = conn->loop;
    bool is_free = conn->state == HTTP_HANDSHAKE ||
                   (conn->state == HTTP_READING && conn->request == NULL && !has_out(conn));
    if (!is_free) leave_free(conn);
    if (!is_free || conn->is_free) return;
    conn->is_free = true;
    conn->free_prev = loop->free_last;
    if (loop->free_last != NULL)
        loop->free_last->free_next = conn;
    else
        loop->free_first = conn;
    loop->free_last = conn;
}

static void watch(struct http_conn *conn) {
    if (conn->dead) return;
    keep_free_list(conn);
    http_peer_bytes(conn->loop->server->peers, conn->peer_entry, &conn->held, conn->out.len);
    bool was_reading = conn->reading;
    if (!turn(&conn->read_event, &conn->reading, may_read(conn)) ||
        !turn(&conn->write_event, &conn->writing, must_write(conn)))
        conn->dead = true;
    /* What TLS has read already makes no socket readable. */
    bool unread = !was_reading && conn->reading && conn->ssl != NULL && SSL_has_pending(conn->ssl);
    if (conn->more || unread) event_active(&conn->read_event, EV_READ, 0);
    arm_timer(conn);
}

/* ------------------------------------------------------------------ requests */

/* Answers what cannot be taken, and ends the connection: where the next request begins is not
 * known. */
static void refuse(struct http_conn *conn, int code) {
    http_build_problem(conn->request, code, true, &conn->out);
    if (conn->request != NULL) http_request_free(conn->request);
    conn->request = NULL;
    conn->close_after = true;
}

/* Empty lines before a request are allowed for (RFC 9112, 2.2). */
static void skip_empty_lines(struct http_conn *conn) {
    size_t bytes = 0;
    while (bytes + 2 <= conn->in.len && memcmp(conn->in.data + bytes, "\r\n", 2) == 0) bytes += 2;
    if (bytes > 0) consume(conn, bytes);
}

static bool is_full(const struct http_conn *conn) {
    return http_peer_is_full(conn->loop->server->peers, http_request_peer(conn->request));
}

/* Takes a whole head off the input. true when there is a request, or a refusal to be written. */
static bool take_head(struct http_conn *conn) {
    size_t max = limits_of(conn)->header_bytes_max;
    skip_empty_lines(conn);
    size_t bytes = http_head_length(buf_slice(&conn->in));
    if (bytes == 0 && conn->in.len < max) return false;
    if (bytes == 0 || bytes > max) {
        refuse(conn, 431);
        return true;
    }
    conn->request = http_request_new(conn, slice_of(conn->in.data, bytes));
    if (conn->request == NULL) {
        conn->dead = true;
        return false;
    }
    consume(conn, bytes);
    leave_free(conn);
    conn->since_ms = conn->moved_ms = http_now_ms();
    int code = conn->turned_away != 0 ? conn->turned_away : http_parse_head(conn->request, bytes);
    if (code == 0 && is_full(conn)) code = 503;
    if (code != 0) refuse(conn, code);
    return true;
}

/* Moves what is there of the body. Returns 0, or the code to refuse the request with. */
static int take_body(struct http_conn *conn) {
    struct http_request *request = conn->request;
    size_t missing = request->body_bytes - request->body.len;
    size_t bytes = conn->in.len < missing ? conn->in.len : missing;
    if (request->chunk != HTTP_CHUNK_NONE) {
        int code = http_take_chunks(request, buf_slice(&conn->in), &bytes);
        if (code != 0) return code;
    } else {
        buf_put(&request->body, conn->in.data, bytes);
    }
    if (request->body.failed) return 503; /* it is within the limit, so memory is exhausted */
    if (bytes > 0) consume(conn, bytes);
    http_peer_bytes(conn->loop->server->peers, http_request_peer(request), &request->held,
                    request->body.len);
    return is_full(conn) ? 503 : 0;
}

static bool is_complete(const struct http_request *request) {
    if (request->chunk != HTTP_CHUNK_NONE) return request->chunk == HTTP_CHUNK_DONE;
    return request->body.len == request->body_bytes;
}

static void absorb_reply(struct http_conn *conn, struct http_request *request) {
    if (request->wire.failed) conn->dead = true;
    if (conn->out.len == 0) {
        buf_free(&conn->out);
        conn->out = request->wire;
        conn->out_at = 0;
        request->wire = buf_new(0);
    } else {
        buf_put_slice(&conn->out, buf_slice(&request->wire));
        if (conn->out.failed) conn->dead = true;
    }
    conn->close_after |= request->wire_closes;
    conn->request = NULL;
    conn->state = HTTP_READING;
    conn->since_ms = http_now_ms();
    http_request_free(request);
}

static void dispatch(struct http_conn *conn) {
    struct http_request *request = conn->request;
    struct http_loop *loop = conn->loop;
    const struct http_config *config = &loop->server->config;
    conn->state = HTTP_WORKING;
    loop->dispatching = request;
    config->handler(config->ctx, request);
    loop->dispatching = NULL;
    if (request->answered_here) absorb_reply(conn, request);
}

/* One step from input towards a reply. false when there is nothing to do before more happens. */
static bool take_request(struct http_conn *conn) {
    if (conn->dead || conn->state != HTTP_READING || conn->close_after || has_out(conn))
        return false;
    if (conn->request == NULL) {
        if (!take_head(conn)) return false;
        if (conn->request == NULL) return true;
    }
    int code = take_body(conn);
    if (code != 0) {
        refuse(conn, code);
        return true;
    }
    if (is_complete(conn->request)) {
        dispatch(conn);
        return true;
    }
    if (!conn->request->expects_continue || conn->request->body.len > 0) return false;
    conn->request->expects_continue = false;
    buf_put_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
    return true;
}

/* Ends the sending side and waits for the client's end: closing with unread input would reset the
 * connection, and the client might never read the reply (RFC 9112, 9.6). */
static void linger(struct http_conn *conn) {
    if (conn->ssl != NULL) (void)SSL_shutdown(conn->ssl);
    shutdown(conn->fd, SHUT_WR);
    if (conn->input_ended || (conn->loop->stopping && conn->in.len == 0)) conn->dead = true;
    consume(conn, conn->in.len);
    if (conn->request != NULL) http_request_free(conn->request);
    conn->request = NULL;
    conn->state = HTTP_LINGERING;
    conn->since_ms = http_now_ms();
}

static bool is_idle(const struct http_conn *conn) {
    return conn->state == HTTP_READING && conn->request == NULL && conn->in.len == 0 &&
           !has_out(conn);
}

/* Does all that can be done now, or as much as is fair to the other connections. */
static void step(struct http_conn *conn) {
    int steps = 0;
    do flush(conn);
    while (take_request(conn) && ++steps < HTTP_STEPS_MAX);
    conn->more = steps == HTTP_STEPS_MAX;
    if (conn->more) flush(conn);
    bool ends = conn->close_after && conn->state == HTTP_READING && !has_out(conn);
    if (!conn->dead && (ends || (conn->loop->stopping && is_idle(conn)))) linger(conn);
    watch(conn);
}

/* ------------------------------------------------------------------ ends */

static void end_park(struct http_request *request) {
    struct http_park park = request->park;
    request->park.on_end = NULL;
    if (park.on_end != NULL && !atomic_load(&request->answered)) park.on_end(park.ctx, request);
}

/* The request in hand lives on until it is answered. */
static void let_go(struct http_conn *conn) {
    struct http_request *request = conn->request;
    if (request == NULL) return;
    conn->request = NULL;
    if (conn->state != HTTP_WORKING) {
        http_request_free(request);
        return;
    }
    request->conn = NULL;
    atomic_store(&request->gone, true);
    end_park(request);
}

static void conn_free(struct http_conn *conn) {
    struct http_loop *loop = conn->loop;
    event_del(&conn->read_event);
    event_del(&conn->write_event);
    event_del(&conn->timer_event);
    if (conn->next != NULL) conn->next->prev = conn->prev;
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        loop->conns = conn->next;
    let_go(conn);
    leave_free(conn);
    http_peer_bytes(loop->server->peers, conn->peer_entry, &conn->held, 0);
    http_leave(loop->server, conn->peer_entry, conn->turned_away);
    SSL_free(conn->ssl);
    close(conn->fd);
    buf_free(&conn->in);
    buf_free(&conn->out);
    free(conn);
    http_loop_check_end(loop);
}

static void settle(struct http_conn *conn) {
    if (conn->dead) conn_free(conn);
}

/* ------------------------------------------------------------------ what libevent calls */

static void handshake(struct http_conn *conn) {
    ERR_clear_error();
    int result = SSL_accept(conn->ssl);
    if (result == 1) {
        conn->state = HTTP_READING;
        conn->since_ms = http_now_ms();
    } else {
        int reason = SSL_get_error(conn->ssl, result);
        if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) conn->dead = true;
    }
    watch(conn);
}

static void drop_input(struct http_conn *conn) {
    ssize_t got = recv(conn->fd, conn->loop->scratch, HTTP_SCRATCH_BYTES, 0);
    if (got > 0) conn->lingered += (size_t)got;
    bool waits = got < 0 && (errno == EAGAIN || errno == EINTR);
    if ((got <= 0 && !waits) || conn->lingered > HTTP_LINGER_BYTES_MAX) conn->dead = true;
}

/* A client that ends its side while a reply is on its way still gets all of it. */
static void input_end(struct http_conn *conn, bool orderly) {
    if (orderly && conn->state == HTTP_READING && has_out(conn)) {
        conn->input_ended = conn->close_after = true;
        watch(conn);
    } else {
        conn->dead = true;
    }
}

static void fill(struct http_conn *conn) {
    for (int reads = 0; reads < HTTP_READS_MAX; reads++) {
        if (conn->dead || conn->state == HTTP_LINGERING || !may_read(conn)) return;
        ssize_t got = receive(conn, conn->loop->scratch, HTTP_SCRATCH_BYTES);
        if (got < 0) input_end(conn, got == RECEIVED_END);
        if (got <= 0) return;
        conn->moved_ms = http_now_ms();
        if (is_idle(conn)) conn->since_ms = conn->moved_ms;
        buf_put(&conn->in, conn->loop->scratch, (size_t)got);
        if (conn->in.failed) conn->dead = true;
        step(conn);
        bool more = conn->ssl != NULL ? SSL_has_pending(conn->ssl) == 1 : got == HTTP_SCRATCH_BYTES;
        if (!more) return;
    }
    if (!conn->dead && conn->ssl != NULL) event_active(&conn->read_event, EV_READ, 0);
}

/* What TLS has read already makes no socket readable, so that it is looked for in any case. */
static void go_on(struct http_conn *conn) {
    if (conn->more) step(conn);
    fill(conn);
}

static void on_read(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct http_conn *conn = ctx;
    if (conn->state == HTTP_HANDSHAKE) handshake(conn);
    if (conn->state == HTTP_LINGERING)
        drop_input(conn);
    else if (!conn->dead && conn->state != HTTP_HANDSHAKE)
        go_on(conn);
    settle(conn);
}

static void on_write(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct http_conn *conn = ctx;
    if (conn->state != HTTP_HANDSHAKE) {
        step(conn);
    } else {
        handshake(conn);
        if (conn->state == HTTP_READING) fill(conn);
    }
    settle(conn);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct http_conn *conn = ctx;
    conn->timer_ms = INT64_MAX;
    if (has_out(conn)) note_arrived(conn);
    if (deadline_of(conn) > http_now_ms()) {
        arm_timer(conn);
    } else if (conn->state == HTTP_WORKING && !has_out(conn)) {
        end_park(conn->request);
    } else if (conn->state == HTTP_READING && !is_idle(conn) && !has_out(conn)) {
        refuse(conn, 408);
        step(conn);
    } else {
        conn->dead = true;
    }
    settle(conn);
}

/* ------------------------------------------------------------------ what the loop calls */

static bool start_tls(struct http_conn *conn, SSL_CTX *tls) {
    if (tls == NULL) return true;
    conn->ssl = SSL_new(tls);
    if (conn->ssl == NULL || SSL_set_fd(conn->ssl, conn->fd) != 1) return false;
    SSL_set_accept_state(conn->ssl);
    conn->state = HTTP_HANDSHAKE;
    return true;
}

void http_conn_open(struct http_loop *loop, const struct http_arrival *arrival) {
    struct http_conn *conn = calloc(1, sizeof *conn);
    int on = 1, unsent = HTTP_UNSENT_BYTES, fd = arrival->fd;
    if (conn == NULL) {
        http_arrival_drop(loop->server, arrival);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* Unix sockets have none */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    conn->loop = loop;
    conn->fd = fd;
    conn->state = HTTP_READING;
    conn->since_ms = http_now_ms();
    conn->timer_ms = INT64_MAX;
    conn->in = buf_new(limits_of(conn)->header_bytes_max + HTTP_SCRATCH_BYTES);
    conn->out = buf_new(BUF_MAX_MESSAGE + BUF_MAX_LINE);
    memcpy(conn->peer, arrival->peer, sizeof conn->peer);
    conn->peer_entry = arrival->peer_entry;
    conn->turned_away = arrival->turned_away;
    event_assign(&conn->read_event, loop->base, fd, EV_READ | EV_PERSIST, on_read, conn);
    event_assign(&conn->write_event, loop->base, fd, EV_WRITE | EV_PERSIST, on_write, conn);
    evtimer_assign(&conn->timer_event, loop->base, on_timer, conn);
    conn->next = loop->conns;
    if (conn->next != NULL) conn->next->prev = conn;
    loop->conns = conn;
    if (!start_tls(conn, loop->server->tls)) conn->dead = true;
    watch(conn);
    settle(conn);
}

void http_conn_answer(struct http_request *request) {
    struct http_conn *conn = request->conn;
    if (conn == NULL) {
        http_request_free(request);
        return;
    }
    absorb_reply(conn, request);
    step(conn);
    settle(conn);
}

void http_conn_park(struct http_request *request, const struct http_park *park) {
    request->park = *park;
    if (request->conn == NULL || request->loop->stopping)
        end_park(request);
    else
        arm_timer(request->conn);
}

void http_conn_stop(struct http_conn *conn) {
    if (conn->state == HTTP_WORKING)
        end_park(conn->request);
    else if (conn->state != HTTP_READING)
        conn->dead = true;
    else
        step(conn);
    settle(conn);
}

bool http_conn_cut_oldest(struct http_loop *loop) {
    if (loop->free_first == NULL) return false;
    http_conn_cut(loop->free_first);
    return true;
}

void http_conn_cut(struct http_conn *conn) {
    conn->dead = true;
    settle(conn);
}
