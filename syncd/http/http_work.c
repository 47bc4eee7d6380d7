/* Worker threads. What is offloaded stands in lines by the first part of its path, which names an
 * org; the lines take turns, so that a busy org does not hold up a quiet one. The lines need no
 * limit of their own: a connection has one request in hand, connections are limited, and so are the
 * bytes that all requests hold.
 */
#include <stdlib.h>
#include <string.h>

#include "http_private.h"

static size_t lane_of(const struct http_request *request) {
    uint32_t sum = 2166136261u; /* FNV-1a */
    for (const char *at = request->path + 1; at[-1] != 0 && *at != 0 && *at != '/'; at++)
        sum = (sum ^ (uint8_t)*at) * 16777619u;
    return (sum ^ sum >> 16) & (HTTP_LANES - 1);
}

/* The first of the line whose turn it is; that line goes to the end of the turns. */
static struct http_request *take_turn(struct http_workers *workers) {
    if (workers->turn_count == 0) return NULL;
    uint8_t at = workers->turns[0];
    struct http_lane *lane = &workers->lanes[at];
    struct http_request *request = lane->first;
    lane->first = request->work_next;
    request->work_next = NULL;
    memmove(workers->turns, workers->turns + 1, --workers->turn_count);
    if (lane->first != NULL)
        workers->turns[workers->turn_count++] = at;
    else
        lane->last = NULL;
    return request;
}

static struct http_request *next_request(struct http_workers *workers) {
    platform_lock(workers->mutex);
    while (workers->turn_count == 0 && !workers->stopping)
        platform_cond_wait(workers->cond, workers->mutex);
    struct http_request *request = take_turn(workers);
    platform_release(workers->mutex);
    return request;
}

static void worker_run(void *ctx) {
    struct http_workers *workers = ctx;
    for (struct http_request *request; (request = next_request(workers)) != NULL;)
        request->work(request->work_ctx, request);
}

enum status http_workers_start(struct http_workers *workers, unsigned count, struct err *err) {
    if (count == 0) return ST_OK;
    workers->mutex = platform_mutex_new();
    workers->cond = platform_cond_new();
    workers->threads = calloc(count, sizeof *workers->threads);
    if (workers->mutex == NULL || workers->cond == NULL || workers->threads == NULL)
        return err_no_memory(err);
    for (unsigned i = 0; i < count; i++) {
        TRY(platform_thread_start(worker_run, workers, &workers->threads[i], err));
        workers->count = i + 1;
    }
    return ST_OK;
}

void http_workers_add(struct http_workers *workers, struct http_request *request) {
    size_t at = lane_of(request);
    struct http_lane *lane = &workers->lanes[at];
    platform_lock(workers->mutex);
    if (lane->last != NULL) {
        lane->last->work_next = request;
    } else {
        lane->first = request;
        workers->turns[workers->turn_count++] = (uint8_t)at;
    }
    lane->last = request;
    platform_cond_signal(workers->cond);
    platform_release(workers->mutex);
}

void http_workers_stop(struct http_workers *workers) {
    if (workers->mutex != NULL && workers->cond != NULL) {
        platform_lock(workers->mutex);
        workers->stopping = true;
        platform_cond_broadcast(workers->cond);
        platform_release(workers->mutex);
    }
    for (unsigned i = 0; i < workers->count; i++) platform_thread_join(workers->threads[i]);
    free(workers->threads);
    platform_cond_free(workers->cond);
    platform_mutex_free(workers->mutex);
    *workers = (struct http_workers){0};
}
