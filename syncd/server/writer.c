/* One writer thread per org, started when the org gets its first batch: it takes what is queued, in
 * the order of arrival, merges it in one transaction and hands the calls to the workers, which make
 * the replies while it merges the next. It never waits for more: a lone batch is merged at once,
 * and a queue that has grown in the meantime shares one wait for the disk.
 *
 * The queue is sorted by turns (turns.h), so that it is fair among laptops. When it is full a
 * laptop gets a slot of its own to come again: the slots follow each other as fast as the writer
 * works, so that a herd comes back as a line.
 */
#include <stdlib.h>

#include "syncd/server/serve.h"
#include "syncd/server/turns.h"

enum {
    GROUP_CALLS_MAX = 256,
    CALL_MS_FIRST = 20,
    CALL_COST = 20 /* of a call beside its changes, in changes */
};

struct writer {
    struct writers *owner;
    struct platform_mutex *lock;
    struct platform_cond *work;
    struct platform_thread *thread;
    struct call *first; /* sorted by turn */
    size_t count, bytes;
    struct turns turns;
    int64_t call_us; /* how long a call takes, a moving mean */
    int64_t slot_ms; /* the last retry slot given, by the steady clock */
    bool stop;
};

struct writers {
    struct gate *gate;
    struct platform_mutex *lock;
    struct writer *of[SERVICE_ORGS_MAX];
    _Atomic size_t bytes; /* of all orgs */
    bool stop;
};

/* ------------------------------------------------------------------ the thread */

/* Waits for calls and takes those of one group; 0: stop. */
static size_t group_take(struct writer *writer, struct call **out_calls) {
    size_t count = 0, changes = 0;
    platform_lock(writer->lock);
    while (!writer->first && !writer->stop) platform_cond_wait(writer->work, writer->lock);
    while (writer->first && count < GROUP_CALLS_MAX && changes < SERVICE_GROUP_CHANGES_MAX) {
        struct call *call = writer->first;
        writer->first = call->next;
        call->next = NULL;
        turns_served(&writer->turns, call->turn);
        changes += service_job_changes(call->job);
        out_calls[count++] = call;
    }
    writer->count -= count;
    platform_release(writer->lock);
    return count;
}

static void group_done(struct writer *writer, size_t count, int64_t us) {
    platform_lock(writer->lock);
    int64_t each = us / (int64_t)count;
    writer->call_us = (writer->call_us * 7 + each) / 8;
    platform_release(writer->lock);
}

static void writer_run(void *ctx) {
    struct writer *writer = ctx;
    struct gate *gate = writer->owner->gate;
    struct call *calls[GROUP_CALLS_MAX];
    struct service_job *jobs[GROUP_CALLS_MAX];
    for (size_t count; (count = group_take(writer, calls)) > 0;) {
        int64_t begun_us = platform_mono_us();
        for (size_t i = 0; i < count; i++) jobs[i] = calls[i]->job;
        int org = service_job_org(jobs[0]);
        service_merge(gate->service, jobs, count);
        group_done(writer, count, platform_mono_us() - begun_us);
        for (size_t i = 0; i < count; i++) gate_answer_later(calls[i]);
        waits_wake(gate->waits, org);
    }
}

/* ------------------------------------------------------------------ starting and stopping */

static void writer_close(struct writer *writer) {
    if (!writer) return;
    if (writer->thread) {
        platform_lock(writer->lock);
        writer->stop = true;
        platform_cond_signal(writer->work);
        platform_release(writer->lock);
        platform_thread_join(writer->thread);
    }
    platform_cond_free(writer->work);
    platform_mutex_free(writer->lock);
    free(writer);
}

static struct writer *writer_start(struct writers *writers) {
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer) return NULL;
    writer->owner = writers;
    writer->call_us = CALL_MS_FIRST * 1000;
    writer->lock = platform_mutex_new();
    writer->work = platform_cond_new();
    if (!writer->lock || !writer->work ||
        platform_thread_start(writer_run, writer, &writer->thread, NULL) != ST_OK) {
        writer_close(writer);
        return NULL;
    }
    return writer;
}

/* NULL: out of memory or threads, or the server stops. */
static struct writer *writer_of(struct writers *writers, int org) {
    platform_lock(writers->lock);
    if (!writers->of[org] && !writers->stop) writers->of[org] = writer_start(writers);
    struct writer *writer = writers->of[org];
    platform_release(writers->lock);
    return writer;
}

enum status writers_open(struct gate *gate, struct writers **out, struct err *err) {
    struct writers *writers = calloc(1, sizeof *writers);
    if (!writers) return err_no_memory(err);
    writers->gate = gate;
    writers->lock = platform_mutex_new();
    if (!writers->lock) {
        free(writers);
        return err_no_memory(err);
    }
    *out = writers;
    return ST_OK;
}

void writers_close(struct writers *writers) {
    if (!writers) return;
    platform_lock(writers->lock);
    writers->stop = true;
    platform_release(writers->lock);
    for (int i = 0; i < SERVICE_ORGS_MAX; i++) writer_close(writers->of[i]);
    platform_mutex_free(writers->lock);
    free(writers);
}

/* ------------------------------------------------------------------ queueing */

/* The next slot behind the last one given, no nearer than when the queue will be empty. */
static int64_t slot_next(struct writer *writer) {
    int64_t now = platform_mono_ms();
    int64_t empty = now + (int64_t)writer->count * writer->call_us / 1000;
    int64_t each_ms = writer->call_us / 1000 + 1;
    if (writer->slot_ms < empty) writer->slot_ms = empty;
    if (writer->slot_ms < now + WRITER_SLOT_MS_MAX) writer->slot_ms += each_ms;
    return writer->slot_ms - now;
}

static size_t count_of_device(const struct writer *writer, uint32_t device) {
    size_t count = 0;
    for (const struct call *call = writer->first; call; call = call->next)
        count += device != 0 && service_job_device(call->job) == device;
    return count;
}

static void insert(struct writer *writer, struct call *call) {
    struct call **at = &writer->first;
    call->turn = turns_next(&writer->turns, service_job_device(call->job),
                            CALL_COST + (int64_t)service_job_changes(call->job));
    while (*at && (*at)->turn <= call->turn) at = &(*at)->next;
    call->next = *at;
    *at = call;
    call->writer = writer;
    call->queued_bytes = call->mem.used;
    writer->count++;
    writer->bytes += call->queued_bytes;
    (void)atomic_fetch_add(&writer->owner->bytes, call->queued_bytes);
}

static bool has_room(const struct writer *writer, const struct call *call) {
    return !writer->stop && writer->count < WRITER_QUEUE_MAX && writer->bytes < WRITER_BYTES_MAX &&
           atomic_load(&writer->owner->bytes) < WRITERS_BYTES_MAX &&
           count_of_device(writer, service_job_device(call->job)) < WRITER_QUEUE_DEVICE_MAX;
}

void writers_add(struct writers *writers, struct call *call) {
    struct writer *writer = writer_of(writers, service_job_org(call->job));
    int64_t retry_ms = 1000;
    bool taken = false;
    if (writer) {
        platform_lock(writer->lock);
        taken = has_room(writer, call);
        bool behind = writer->count >= WRITER_QUEUE_MAX / 2;
        if (behind) retry_ms = slot_next(writer);
        if (taken && behind) service_job_slow(call->job, (uint32_t)retry_ms);
        if (taken) {
            insert(writer, call);
            platform_cond_signal(writer->work);
        }
        platform_release(writer->lock);
    }
    if (!taken)
        gate_refuse(call, ST_BUSY, retry_ms,
                    "the server has much to do; this laptop comes again by itself",
                    "服务器繁忙，本机稍后会自动重试");
}

void writers_release(struct call *call) {
    struct writer *writer = call->writer;
    if (!writer) return;
    call->writer = NULL;
    platform_lock(writer->lock);
    writer->bytes -= call->queued_bytes;
    platform_release(writer->lock);
    (void)atomic_fetch_sub(&writer->owner->bytes, call->queued_bytes);
}

size_t writers_queued(struct writers *writers) {
    size_t count = 0;
    for (int i = 0; i < SERVICE_ORGS_MAX; i++) {
        platform_lock(writers->lock);
        struct writer *writer = writers->of[i];
        platform_release(writers->lock);
        if (!writer) continue;
        platform_lock(writer->lock);
        count += writer->count;
        platform_release(writer->lock);
    }
    return count;
}
