/* The laptop's side of the exchange: enrolment, rounds, and the daemon's loop. Program
 * roadbook-syncd is a thin main over it; `roadbook sync` uses the same rounds.
 *
 * The agent owns no data: everything durable is in the store. It reaches the network through a
 * transport (transport.h), the clock and random numbers through env, so that tests and the
 * simulator can be both.
 */
#ifndef ROADBOOK_AGENT_H
#define ROADBOOK_AGENT_H

#include "protocol/session/session.h"
#include "syncd/agent/transport.h"
#include "syncd/store/store.h"

/* Where things are below a laptop's home folder (0700). */
#define AGENT_STORE_FILE "book.db"
#define AGENT_LOCK_FILE "sync.lock" /* held while a round runs: at most one syncs at a time */
#define AGENT_WAKE_DIR                                                                             \
    "wake" /* a file in it is touched by whoever saved: the daemon                                 \
              watches the folder */

/* A setting of the book: by how many seconds the server's clock went back at the last contact. */
#define AGENT_TIME_BACK_SETTING "server_time_back_s"

struct agent_config {
    struct store *store;
    const struct catalogue *catalogue;
    const struct env *env;
    const struct transport_door *transport; /* borrowed */
    const char *trace_dir;                  /* NULL: none; else each message into a numbered file */
    const char *home; /* the book's folder, of which head office is told; NULL: it is not */
};
struct agent;
enum status agent_open(const struct agent_config *config, struct agent **out,
                       struct err *err) NODISCARD;
void agent_close(struct agent *agent);

/* Enrols: makes the key (kept in the store before the first byte leaves, so that a lost reply can
 * be asked for again), exchanges the link's code for a device number. ST_DENIED: used, expired or
 * wrong code, each with its own text. ST_CONFLICT: this book is enrolled already. */
enum status agent_enroll(struct agent *agent, const struct session_link *link,
                         struct slice device_name, struct err *err) NODISCARD;

/* The exchange alone, of a book that is a copy: identity->key_seed is the key of its own; the rest
 * of identity is filled in, and nothing is kept. *out_kept: what the server has of it. */
enum status agent_enroll_copy(struct agent *agent, const struct session_link *link,
                              struct slice device_name, struct copied_book *copy,
                              struct store_identity *identity, struct kept_batches *out_kept,
                              struct err *err) NODISCARD;

struct agent_progress { /* what a person is shown during a round */
    uint32_t rounds;
    int64_t batches_sent, rows_received;
    int64_t bytes_up, bytes_down; /* HTTP bodies */
    int64_t cursor, head;
    bool filling; /* rows of homes are coming */
};
typedef bool
agent_progress_call(void *ctx,
                    const struct agent_progress *progress); /* false: stop after this slice */

struct agent_result {
    struct agent_progress progress;
    struct apply_counts counts;
    uint32_t retry_ms; /* the server's slot; 0: none */
    bool waits;        /* what is to go waits here: the server lacks a row that it names */
    bool went_back;    /* the server came back from a backup; what it lacks is given back to it */
};
/* Rounds until there is nothing more to send or to fetch: hello when needed, push, pull, apply.
 * Records the attempt in the store. Retries a nonce that was refused at most 3 times, everything
 * else is the caller's. ST_CLONED: this store is a copy or was set back; the text says what to do.
 * ST_REVOKED: head office has revoked this laptop, and what it had not sent is taken: agent_order.
 * ST_VERSION: this release is too old; what was not sent is taken, and nothing else came. */
enum status agent_sync(struct agent *agent, agent_progress_call *call, void *ctx,
                       struct agent_result *out, struct err *err) NODISCARD;

/* Is anything here that the server has not answered? */
enum status agent_outbox_has_any(struct store *store, bool *out, struct err *err) NODISCARD;
/* The order of head office that the last sync brought, checked; ORDER_NONE: none. After ORDER_WIPE
 * the program deletes the book (wipe.h). */
enum order_kind agent_order(const struct agent *agent, struct device_order *out);
/* What a session needs of the book's identity. The caller wipes it. */
void agent_identity(const struct store_identity *from, struct session_identity *out);

struct agent_proof {
    enum book_proof proof;
    int64_t repaired;     /* rows that were not what the server said, put right */
    int64_t trips, bytes; /* of repairing */
};
/* Is the book what the server said with the last round? Counts at most about rows_max rows; where
 * it differs, repairs the rows that do. After agent_sync. */
enum status agent_prove(struct agent *agent, struct store *store, int64_t rows_max,
                        struct agent_proof *out, struct err *err) NODISCARD;

/* One proved exchange beside rounds, with a hello before it where the key is old: what is
 * "content". *out in mem. A line that breaks costs no new hello: the next message takes the next
 * nonce. */
enum status agent_ask(struct agent *agent, const char *what, struct slice message,
                      struct arena *mem, struct slice *out, struct err *err) NODISCARD;
uint32_t agent_device(const struct agent *agent); /* 0 before the first exchange */
/* The slot that a busy server named instead of an answer to the last exchange; 0: none. */
uint32_t agent_retry_ms(const struct agent *agent);

/* Tells a running daemon of this home that something was saved. */
enum status agent_wake(const char *home, struct err *err) NODISCARD;

/* A long poll on a transport of its own, beside rounds: ST_OK when the server has news or the time
 * is over: a round tells which. Uses a copy of the session, so that it may run in another thread
 * while the agent works; make the copy with agent_session between rounds. ST_TRY_AGAIN: sync first,
 * then wait with a new copy. */
void agent_session(struct agent *agent, struct session *out);
enum status agent_wait(struct session *copy, const struct transport_door *transport, int64_t epoch,
                       int64_t seq, struct err *err) NODISCARD;

/* When to try again after failures in a row: grows from 2 s to 15 min, with jitter; the server's
 * slot wins. */
int64_t agent_backoff_ms(uint32_t failures, uint32_t server_retry_ms, uint64_t random);

#endif
