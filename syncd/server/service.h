/* The centre without sockets and threads: requests in, replies out. roadbook-server puts HTTP and
 * threads around it; tests and the simulator call it directly.
 *
 * A request passes three steps, so that the program can spread them over threads:
 *   service_open_job   decode, check proof and limits           any worker, no lock of the org held
 *   service_merge      one transaction for many jobs            the org's one writer at a time
 *   service_answer     receipts, page, proof                    any worker, own read handle
 * service_handle does the three in a row.
 */
#ifndef ROADBOOK_SERVER_SERVICE_H
#define ROADBOOK_SERVER_SERVICE_H

#include "protocol/session/session.h"
#include "syncd/store/store.h"

enum {
    SERVICE_GROUP_CHANGES_MAX = 2000, /* changes of one group commit ... */
    SERVICE_GROUP_MS_MAX = 50,        /* ... and how long it may collect and merge */
    SERVICE_WAIT_MS_MAX = 50 * 1000,  /* a long poll is held that long */
    SERVICE_ORGS_MAX = 1000
};

struct service;
struct service_config {
    const char *dir; /* holds org/NAME.db */
    const struct catalogue *catalogue;
    const struct env *env;
    size_t readers; /* read handles per org: one per worker thread */
    /* What one laptop may do; 0: no limit. More is refused with ST_LIMITED and Retry-After. */
    uint32_t device_requests_s; /* a quiet laptop may send what 20 seconds allow at once */
    uint32_t device_calls_max;  /* requests in hand at one time */
};
enum status service_open(const struct service_config *config, struct service **out,
                         struct err *err) NODISCARD;
void service_close(struct service *service);

enum service_kind {
    SERVICE_ENROLL,
    SERVICE_HELLO,
    SERVICE_ROUND,
    SERVICE_WAIT,
    SERVICE_CONTENT,
    SERVICE_REPAIR
};
struct service_job;

/* Never fails for want of a good request: then *out_job is NULL and *out_reply the refusal. reader:
 * which read handle the calling thread owns, below config.readers. The job lives in mem. */
void service_open_job(struct service *service, size_t reader, const struct session_http *request,
                      struct arena *mem, struct service_job **out_job,
                      struct session_http *out_reply);
enum service_kind service_job_kind(const struct service_job *job);
/* True when service_merge has to be called before service_answer (enrolments, rounds with batches).
 */
bool service_job_writes(const struct service_job *job);
size_t service_job_changes(const struct service_job *job);
uint32_t service_job_device(const struct service_job *job); /* 0: an enrolment */
int service_job_org(const struct service_job *job); /* index of the org: one writer per org */
/* Waits: the seq to pass, and whether the head has passed it. A wait in an epoch that is over is
 * over too. */
int64_t service_job_seq(const struct service_job *job);
bool service_wait_is_over(struct service *service, size_t reader, const struct service_job *job);
/* A round that moves nothing: cheap enough to be answered on the thread that serves connections. */
bool service_job_is_idle(const struct service_job *job);
/* The writer is behind: the reply asks the laptop to come again not before that. */
void service_job_slow(struct service_job *job, uint32_t retry_ms);
/* Where an org's log stands. Touches no table unless another handle committed. false when it cannot
 * be read. */
bool service_head(struct service *service, size_t reader, int org, int64_t *out_seq);
/* Works out whom the commits up to the head concern, however many there are. */
void service_route(struct service *service, size_t reader, int org);
/* Of a wait: has something happened that its laptop has to hear of, as far as is worked out? */
bool service_wait_concerns(const struct service_job *job);
/* Applies what head office ordered for a date that has come; true if the head moved. On any thread.
 */
bool service_due(struct service *service, int org);
/* Orgs that are open; their indexes are below it. */
int service_org_count(const struct service *service);
/* All of one org. One durable commit; a job that fails alone is refused alone. */
void service_merge(struct service *service, struct service_job **jobs, size_t count);
void service_answer(struct service *service, size_t reader, struct service_job *job,
                    struct arena *mem, struct session_http *out_reply);

/* The job is over, answered or not: its laptop may ask again. NULL is fine. */
void service_close_job(struct service_job *job);

void service_handle(struct service *service, const struct session_http *request, struct arena *mem,
                    struct session_http *out_reply);

/* Writes what is only kept in memory: when devices were last there, and their session keys. Now and
 * then, and at the end (service_close does it). A crash before it costs those laptops one more
 * hello. */
void service_flush(struct service *service);
/* Compacts orgs whose night has come, for half a second each at most; goes on with the next call.
 * On one thread. */
void service_care(struct service *service);
/* Whether the folder and every open org can be read. */
enum status service_health(struct service *service, size_t reader, struct err *err) NODISCARD;

/* What a job did, for one line of a log: no keys, codes or nonces. */
struct service_note {
    const char *org;  /* "" when unknown */
    const char *what; /* "round"; "" when unknown */
    uint32_t device;
    size_t batches, repeats, changes;
    size_t outcomes[OUTCOME_COUNT];
    size_t records;
    int64_t head;
};
void service_job_note(const struct service_job *job, struct service_note *out);

/* Figures for /metrics and status: one line "name value" each, Prometheus text format. */
void service_metrics(struct service *service, struct buf *out);

#endif
