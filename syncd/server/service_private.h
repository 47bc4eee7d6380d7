/* Private to service_*.c: what its files share.
 *
 * Locks, from the outside in: orgs (the table of open orgs), an org's write, an org's devices,
 * nonces. None is held while a request is decoded or a proof is made; devices and nonces are held
 * for a lookup only. Read handles need none: a reader belongs to one thread at a time.
 */
#ifndef ROADBOOK_SERVICE_PRIVATE_H
#define ROADBOOK_SERVICE_PRIVATE_H

#include <stdatomic.h>

#include "syncd/platform/platform.h"
#include "syncd/server/org.h"
#include "syncd/server/routes.h"
#include "syncd/server/service.h"
#include "syncd/store/attachment.h"

#define SERVICE_MINIMUM_RELEASE "0.1.0"
enum {
    SERVICE_DEFLATE_LEVEL = 6,
    SERVICE_LATE_MS = 3 * 24 * 3600 * 1000, /* a laptop not heard of for so long is late */
    SERVICE_FLUSH_MS = 10 * 1000,           /* contacts and keys are written that often */
    SERVICE_KEY_SLACK_MS = 60 * 1000,       /* a key is taken that long after its end */
    SERVICE_BURST_S = 20,     /* tokens of a quiet laptop: what comes in so many seconds */
    SERVICE_HELLO_TOKENS = 10 /* two signatures and a key agreement */
};

/* What is kept in memory of a device beside the store: its newest key and contact. */
struct service_device {
    uint32_t number; /* 0: a free slot */
    bool has_key, key_is_new, seen_is_new;
    uint8_t key[MAC_BYTES];
    int64_t key_until_ms;
    int64_t key_changes; /* of the org's key, when it was agreed: good under that one only */
    int64_t seen_ms, cursor, offset_ms;
    bool report_is_new;
    struct device_report report;
    char release[CENTRE_RELEASE_BYTES];
    struct chain catalogue;
    int64_t tokens_milli, tokens_ms; /* thousandths; full at tokens_ms 0 */
    uint32_t calls;                  /* in hand now */
};

struct service_devices {
    struct platform_mutex *lock;
    struct service_device *slots; /* slot_count is a power of two, at most half used */
    size_t slot_count, used_count;
};

struct service_org {
    char name[SESSION_ORG_BYTES_MAX + 1];
    char *path;
    struct platform_mutex *key_lock; /* of the two below; innermost */
    struct sign_key key;
    int64_t key_changes; /* so often it had been changed when it was read */
    char label[CENTRE_LABEL_BYTES];
    struct platform_mutex *write_lock;
    struct org *write;
    int64_t flushed_ms; /* by the boot clock; under write_lock */
    struct platform_mutex *routes_lock;
    struct routes *routes;  /* under routes_lock */
    _Atomic int64_t due_ms; /* when something dated happens next, by the wall clock; 0: never */
    struct blobs blobs;
    struct platform_mutex *content_lock; /* of the two below; innermost */
    int64_t content_bytes;               /* what the folder holds, about */
    int64_t content_counted_ms;          /* by the boot clock; 0: never */
    int64_t content_swept_ms;            /* likewise; of the thread that flushes */
    struct compaction *compaction;       /* a run that goes on; under write_lock */
    struct service_devices devices;
    struct org_reader *readers[]; /* [service->config.readers], opened at first use */
};

/* ROW(name, Prometheus name, help): counters that only grow. */
#define SERVICE_FIGURES(ROW)                                                                       \
    ROW(ENROLLS, "roadbook_enrolments_total", "laptops enrolled")                                  \
    ROW(HELLOS, "roadbook_hellos_total", "session keys agreed")                                    \
    ROW(ROUNDS, "roadbook_rounds_total", "rounds answered")                                        \
    ROW(IDLE_ROUNDS, "roadbook_rounds_idle_total", "rounds that moved nothing")                    \
    ROW(WAITS, "roadbook_waits_total", "long polls answered")                                      \
    ROW(BATCHES, "roadbook_batches_total", "batches taken")                                        \
    ROW(REPEATS, "roadbook_batches_repeated_total", "batches that came again")                     \
    ROW(RECORDS, "roadbook_records_sent_total", "rows sent in pages")                              \
    ROW(REPAIRED, "roadbook_rows_repaired_total", "rows that a laptop had otherwise")              \
    ROW(PIECES, "roadbook_content_pieces_total", "pieces of attachments moved")                    \
    ROW(CONTENTS, "roadbook_contents_total", "attachments that came in whole")                     \
    ROW(BYTES_IN, "roadbook_request_bytes_total", "bytes of request bodies")                       \
    ROW(BYTES_OUT, "roadbook_reply_bytes_total", "bytes of reply bodies")                          \
    ROW(COMMITS, "roadbook_commits_total", "group commits")                                        \
    ROW(MERGE_MS, "roadbook_merge_milliseconds_total", "time spent in group commits")

enum service_figure {
#define SERVICE_FIGURE_ENUM(name, ...) FIGURE_##name,
    SERVICE_FIGURES(SERVICE_FIGURE_ENUM)
#undef SERVICE_FIGURE_ENUM
        FIGURE_COUNT
};

enum { SERVICE_STATUS_COUNT = 22 }; /* numbers of enum status */

struct service {
    struct service_config config;
    char *dir;
    struct platform_mutex *orgs_lock;
    struct service_org *_Atomic orgs[SERVICE_ORGS_MAX]; /* [0..org_count), never taken out */
    _Atomic int org_count;
    struct platform_mutex *nonces_lock;
    struct session_nonces *nonces;
    _Atomic int64_t figures[FIGURE_COUNT];
    _Atomic int64_t outcomes[OUTCOME_COUNT];
    _Atomic int64_t errors[SERVICE_STATUS_COUNT];
};

struct service_job {
    struct service *service;
    struct service_org *org;
    int org_index;
    size_t reader;
    enum service_kind kind;
    struct session_http request; /* borrowed from the caller */
    bool json;                   /* the reply as JSON */
    uint32_t device;
    struct centre_device known; /* not for enrolments */
    uint8_t key[MAC_BYTES];     /* rounds and waits */
    int64_t key_changes;        /* of the org's key, when that was looked up */
    union {
        struct enroll_request enroll;
        struct hello_request hello;
        struct round_request round;
        struct wait_request wait;
        struct content_request content;
        struct repair_request repair;
    } as;
    size_t changes;
    bool entered; /* counted among the calls of its device */
    bool writes;  /* a round that the writer must see */
    bool idle;
    bool quiet;                   /* idle though the head moved on: it moved elsewhere */
    struct centre_head idle_head; /* of an idle round, read together with known */
    uint32_t retry_ms;
    enum status failed; /* by the merge: ST_OK, or why it took nothing */
    struct err problem;
    struct org_push push;
    struct centre_device enrolled;
    size_t records;
    int64_t head;
};

/* The org of that name; opened at first use. ST_NOT_FOUND. */
enum status service_org_find(struct service *service, const char *name,
                             struct service_org **out_org, int *out_index,
                             struct err *err) NODISCARD;
enum status service_org_reader(struct service *service, struct service_org *org, size_t reader,
                               struct org_reader **out, struct err *err) NODISCARD;

/* The org's signing key as the book of this handle has it, and how often it was changed. Another
 * program may change it at any time. The caller wipes it. */
enum status service_org_key(struct service_org *org, struct org_reader *handle,
                            struct sign_key *out, int64_t *out_changes, struct err *err) NODISCARD;

/* The same without a look at the book: false where the key of so many changes is not in memory. */
bool service_org_key_kept(struct service_org *org, int64_t changes, struct sign_key *out);

/* Has anything happened in the org after seq that concerns the device's user, or may it? By the
 * head as this read handle sees it. */
bool service_concerns(struct service_org *org, struct org_reader *handle,
                      const struct centre_device *device, int64_t seq);

enum status service_devices_open(struct service_devices *devices, struct err *err) NODISCARD;
void service_devices_close(struct service_devices *devices);
/* The newest key of the device: of this process, else the stored one. false: none that is still
 * good. */
bool service_devices_key(struct service_devices *devices, const struct centre_device *known,
                         int64_t key_changes, int64_t now_ms, uint8_t out_key[MAC_BYTES]);
enum status service_devices_key_set(struct service_devices *devices,
                                    const struct hello_request *hello, const uint8_t key[MAC_BYTES],
                                    int64_t key_changes, int64_t until_ms,
                                    struct err *err) NODISCARD;
/* A round was answered. Where the laptop stands counts if it is in the present epoch: before that
 * its cursor may be of a life that is forgotten. One that reads anew still has what it had. */
void service_devices_seen(struct service_devices *devices, const struct centre_device *known,
                          int64_t now_ms, const struct round_request *round, bool in_epoch);
/* It waits, and so has everything up to there, though it has not said so by a round yet. */
void service_devices_waited(struct service_devices *devices, const struct centre_device *known,
                            int64_t now_ms, int64_t seq);
/* Writes what is new. The caller holds the org's write lock. */
void service_devices_flush(struct service_devices *devices, struct centre *centre);

/* Counts one more call of the device, whose proof was checked, and takes tokens. 0: done; else
 * nothing was, and the device may come again after that many milliseconds. */
int64_t service_devices_enter(struct service_devices *devices, const struct service_config *config,
                              uint32_t number, uint32_t tokens);
void service_devices_leave(struct service_devices *devices, uint32_t number);

/* service_content.c: the answer to a piece that was brought or is wanted. The caller has checked
 * the proof. */
enum status service_content_answer(struct service_job *job, struct arena *mem,
                                   struct content_reply *out, struct err *err) NODISCARD;
/* Once a day: removes what no row has named for long enough. By a read handle of its own. */
void service_content_care(struct service *service, struct service_org *org);
void service_compact_stop(struct service_org *org); /* of a run half-way */

void service_nonce_next(struct service_job *job, char out[SESSION_NONCE_BYTES_MAX + 1]);
/* A refusal; counted. nonce may be NULL. */
void service_problem(struct service *service, const struct err *problem, const char *nonce,
                     struct arena *mem, struct session_http *out);
void service_count(struct service *service, enum service_figure figure, int64_t by);
void service_count_error(struct service *service, enum status status);

#endif
