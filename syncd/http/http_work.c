/* Worker threads: one queue, first come first served. The queue needs no limit of its own, because
 * a connection has one request in hand and connections are limited. */
#include <stdlib.h>

#include "http_private.h"

static struct http_request *next_request(struct http_workers *workers) {
    platform_lock(workers->mutex);
    while (workers->first == NULL && !workers->stopping)
        platform_cond_wait(workers->cond, workers->mutex);
    struct http_request *request = workers->first;
    if (request != NULL) {
        workers->first = request->work_next;
        if (workers->first == NULL) workers->last = NULL;
        request->work_next = NULL;
    }
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
    platform_lock(workers->mutex);
    if (workers->last != NULL)
        workers->last->work_next = request;
    else
        workers->first = request;
    workers->last = request;
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
