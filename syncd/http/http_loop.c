/* One thread's loop, and what other threads send to it: replies, parkings, new connections, timers.
 * They put it in a list under the loop's mutex and ring its bell, once until it is heard. So
 * libevent needs no locks at all. */
#include <stdlib.h>
#include <unistd.h>

#include "http_private.h"

/* ------------------------------------------------------------------ sending; any thread */

/* Called with the mutex held, which it releases. */
static void ring(struct http_loop *loop) {
    bool rung = loop->rung;
    loop->rung = true;
    platform_release(loop->mutex);
    if (!rung) platform_bell_ring(&loop->bell);
}

void http_loop_send(struct http_request *request) {
    struct http_loop *loop = request->loop;
    if (!request->queued) {
        request->queued = true;
        request->queue_next = NULL;
        if (loop->queue_last != NULL)
            loop->queue_last->queue_next = request;
        else
            loop->queue_first = request;
        loop->queue_last = request;
    }
    ring(loop);
}

void http_loop_give(struct http_loop *loop, struct http_arrival *arrival) {
    platform_lock(loop->mutex);
    arrival->next = loop->arrivals;
    loop->arrivals = arrival;
    ring(loop);
}

void http_loop_wake(struct http_loop *loop) {
    platform_lock(loop->mutex);
    ring(loop);
}

enum status http_after(struct http_server *server, int64_t ms, http_job *job, void *ctx,
                       struct err *err) {
    struct http_loop *loop = &server->loops[0];
    struct http_timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL) return err_no_memory(err);
    timer->loop = loop;
    timer->due_ms = http_now_ms() + (ms > 0 ? ms : 0);
    timer->job = job;
    timer->ctx = ctx;
    platform_lock(loop->mutex);
    timer->next = loop->new_timers;
    loop->new_timers = timer;
    ring(loop);
    return ST_OK;
}

/* ------------------------------------------------------------------ receiving; the loop's thread
 */

static void drop_timer(struct http_timer *timer) {
    event_del(&timer->event);
    if (timer->next != NULL) timer->next->prev = timer->prev;
    if (timer->prev != NULL)
        timer->prev->next = timer->next;
    else
        timer->loop->timers = timer->next;
    free(timer);
}

static void on_due(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct http_timer *timer = ctx;
    http_job *job = timer->job;
    void *job_ctx = timer->ctx;
    drop_timer(timer);
    job(job_ctx);
}

static void arm(struct http_loop *loop, struct http_timer *timer) {
    timer->next = loop->timers;
    timer->prev = NULL;
    if (timer->next != NULL) timer->next->prev = timer;
    loop->timers = timer;
    evtimer_assign(&timer->event, loop->base, on_due, timer);
    int64_t left_ms = timer->due_ms - http_now_ms();
    if (left_ms < 0) left_ms = 0;
    struct timeval left = {left_ms / 1000, (left_ms % 1000) * 1000};
    if (event_add(&timer->event, &left) != 0) drop_timer(timer);
}

static void welcome(struct http_loop *loop, struct http_arrival *arrival) {
    if (loop->stopping) {
        http_arrival_drop(loop->server, arrival);
    } else {
        http_conn_open(loop, arrival);
    }
    free(arrival);
}

/* Takes one request's message off the queue. A reply overtakes a parking that was not seen yet. */
static bool receive_one(struct http_loop *loop) {
    platform_lock(loop->mutex);
    struct http_request *request = loop->queue_first;
    if (request == NULL) {
        platform_release(loop->mutex);
        return false;
    }
    loop->queue_first = request->queue_next;
    if (loop->queue_first == NULL) loop->queue_last = NULL;
    bool has_reply = request->has_reply;
    struct http_park park = request->park_asked;
    request->queued = request->has_park = false;
    platform_release(loop->mutex);
    if (has_reply)
        http_conn_answer(request);
    else
        http_conn_park(request, &park);
    return true;
}

static void on_grace_over(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct http_loop *loop = ctx;
    while (loop->conns != NULL) http_conn_cut(loop->conns);
}

static void begin_stop(struct http_loop *loop) {
    struct http_server *server = loop->server;
    loop->stopping = true;
    if (loop == &server->loops[0]) http_accept_off(server);
    while (loop->timers != NULL) drop_timer(loop->timers);
    struct timeval grace = {server->grace_ms / 1000, (server->grace_ms % 1000) * 1000};
    event_add(&loop->grace_event, &grace);
    for (struct http_conn *conn = loop->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        http_conn_stop(conn);
    }
}

void http_loop_check_end(struct http_loop *loop) {
    if (loop->stopping && loop->conns == NULL) event_base_loopbreak(loop->base);
}

static void on_bell(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct http_loop *loop = ctx;
    platform_bell_drain(&loop->bell);
    platform_lock(loop->mutex);
    loop->rung = false;
    struct http_arrival *arrival = loop->arrivals;
    struct http_timer *timer = loop->new_timers;
    loop->arrivals = NULL;
    loop->new_timers = NULL;
    platform_release(loop->mutex);
    if (!loop->stopping && atomic_load(&loop->server->stopping)) begin_stop(loop);
    for (struct http_arrival *next; arrival != NULL; arrival = next) {
        next = arrival->next;
        welcome(loop, arrival);
    }
    for (struct http_timer *next; timer != NULL; timer = next) {
        next = timer->next;
        if (loop->stopping)
            free(timer);
        else
            arm(loop, timer);
    }
    while (receive_one(loop)) continue;
    http_loop_check_end(loop);
}

void http_loop_run(void *ctx) {
    struct http_loop *loop = ctx;
    loop->self = platform_thread_self();
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

/* ------------------------------------------------------------------ life */

enum status http_loop_open(struct http_loop *loop, struct http_server *server, struct err *err) {
    loop->server = server;
    loop->bell = (struct platform_bell){-1, -1};
    loop->mutex = platform_mutex_new();
    loop->scratch = malloc(HTTP_SCRATCH_BYTES);
    struct event_config *config = event_config_new();
    if (config != NULL) {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        loop->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (loop->mutex == NULL || loop->scratch == NULL || loop->base == NULL)
        return err_no_memory(err);
    TRY(platform_bell_open(&loop->bell, err));
    event_assign(&loop->bell_event, loop->base, loop->bell.read_fd, EV_READ | EV_PERSIST, on_bell,
                 loop);
    evtimer_assign(&loop->grace_event, loop->base, on_grace_over, loop);
    if (event_add(&loop->bell_event, NULL) != 0) return err_no_memory(err);
    return ST_OK;
}

static void free_sent(struct http_loop *loop) {
    for (struct http_arrival *arrival = loop->arrivals, *next; arrival != NULL; arrival = next) {
        next = arrival->next;
        http_arrival_drop(loop->server, arrival);
        free(arrival);
    }
    for (struct http_timer *timer = loop->new_timers, *next; timer != NULL; timer = next) {
        next = timer->next;
        free(timer);
    }
}

void http_loop_close(struct http_loop *loop) {
    while (loop->timers != NULL) drop_timer(loop->timers);
    while (loop->live != NULL) http_request_free(loop->live);
    free_sent(loop);
    if (loop->base != NULL) {
        if (loop->bell.read_fd >= 0) {
            event_del(&loop->bell_event);
            event_del(&loop->grace_event);
        }
        event_base_free(loop->base);
    }
    platform_bell_close(&loop->bell);
    platform_mutex_free(loop->mutex);
    free(loop->scratch);
}
