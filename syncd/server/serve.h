/* Private to the program: sockets and threads around the service.
 *
 *   gate    takes requests from the listener, decides on which thread each step runs, sends replies
 *   writer  one thread per org: takes what is queued, merges it in one commit
 *   waits   long polls, until their org's head moves
 *   readers which read handle a thread may use
 *   trace   each message into a numbered file
 *
 * A call is one request in hand. It is in one place at a time, and whoever takes it from there owns
 * it:
 *
 *   loop -- open --+-- idle round ---------------------------> reply
 *                  +-- page, hello ----> worker -- answer ---> reply
 *                  +-- batches, code --> writer -- merge ----> worker -- answer --> reply
 *                  +-- wait -----------> waits -- the head moved, or the time is over --> reply
 */
#ifndef ROADBOOK_SERVER_SERVE_H
#define ROADBOOK_SERVER_SERVE_H

#include <stdatomic.h>

#include "syncd/http/http.h"
#include "syncd/platform/platform.h"
#include "syncd/server/service.h"

enum {
    CALL_MEMORY_MAX = 192 * 1024 * 1024, /* of one call: an inflated message, decoded */
    GATE_INLINE_BYTES_MAX = 700,         /* larger bodies hold batches: not for the loop */
    GATE_LOOPS = 1,
    GATE_WORKERS_MAX = 16,
    GATE_CALL_TOKENS = 1,    /* what an address pays: for a page such as /metrics, */
    GATE_PROOF_TOKENS = 1,   /* for a signature that has to be checked, from a purse of its own, */
    GATE_FAULT_TOKENS = 5,   /* and for what was refused. Proved requests are paid by the laptop */
    GATE_FAULT_LINES_S = 10, /* log lines of refused requests, and at most ... */
    GATE_FAULT_LINES_MAX = 200, /* ... so many at once; the next line says how many were left out */
    WRITER_QUEUE_MAX = 512,     /* calls waiting for one org's writer ... */
    WRITER_QUEUE_DEVICE_MAX = 2, /* ... of one laptop, whose connection may have been cut once */
    /* The memory of the calls of all orgs from the queue to the reply, and of one org's; more are
     * told to come again. */
    WRITERS_BYTES_MAX = 512 * 1024 * 1024,
    WRITER_BYTES_MAX = WRITERS_BYTES_MAX / 2,
    WRITER_SLOT_MS_MAX = 60 * 1000, /* the farthest retry slot */
    WAITS_POLL_MS = 200,            /* how soon commits of other processes are noticed */
    WAITS_DATED_MS = 1000           /* how soon what is dated is applied, when nobody comes */
};

struct gate;
struct call {
    struct gate *gate;
    struct http_request *http;
    struct arena mem;
    struct session_http request;
    struct service_job *job;
    int64_t arrived_us;
    size_t bytes_in;
    struct call *next; /* in the writer's queue, or among calls to be woken */
    int64_t turn;      /* in the writer's queue, which is sorted by it */
    size_t queued_bytes;
    struct writer *writer; /* that counts queued_bytes; NULL: none does */
};

struct gate_lines { /* how many refusals may still be logged */
    struct platform_mutex *lock;
    int64_t left, at_ms, left_out;
};

struct gate {
    struct service *service;
    struct http_server *http;
    const struct env *env;
    struct readers *readers;
    struct writers *writers;
    struct waits *waits;
    struct trace *trace; /* NULL: none */
    bool log_idle;       /* a line also for rounds that moved nothing */
    struct gate_lines lines;
    _Atomic bool stopping;
    _Atomic int64_t replies;
};

void gate_handle(void *ctx, struct http_request *request); /* http_handler; ctx: struct gate */
/* The second half of a call, on the calling thread. */
void gate_answer(struct call *call);
/* The same on a worker, or here when there are none any more. */
void gate_answer_later(struct call *call);
void gate_refuse(struct call *call, enum status status, int64_t retry_ms, const char *en,
                 const char *zh);

enum status readers_open(size_t count, struct readers **out, struct err *err) NODISCARD;
void readers_close(struct readers *readers);
size_t
readers_take(struct readers *readers); /* waits for one; the same thread gives it back soon */
bool readers_try(struct readers *readers, size_t *out);
void readers_give(struct readers *readers, size_t reader);

enum status writers_open(struct gate *gate, struct writers **out, struct err *err) NODISCARD;
/* Merges what is queued, then ends the threads. */
void writers_close(struct writers *writers);
/* Queues the call, or refuses it with a slot to come again. */
void writers_add(struct writers *writers, struct call *call);
/* The call is over: its memory is counted no more. */
void writers_release(struct call *call);
size_t writers_queued(struct writers *writers);

enum status waits_open(struct gate *gate, struct waits **out, struct err *err) NODISCARD;
void waits_close(struct waits *waits);
void waits_add(struct waits *waits, struct call *call);
/* The org's head may have moved: answers those who waited for that. */
void waits_wake(struct waits *waits, int org);
size_t waits_count(struct waits *waits);

enum status trace_open(const char *dir, struct trace **out, struct err *err) NODISCARD;
void trace_close(struct trace *trace);
/* Files NNNNNN-request.http and NNNNNN-reply.http, numbered in order: start line, fields, empty
 * line, body. Failures are not reported: a trace must not stop the service. */
void trace_write(struct trace *trace, const struct session_http *request,
                 const struct session_http *reply);

#endif
