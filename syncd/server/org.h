/* One org at the server: the merge of batches and the making of replies. No SQL, no HTTP, no
 * threads.
 *
 * One handle writes (struct org): its thread takes jobs together in a group commit. Any number of
 * handles read (struct org_reader), one per thread; each reply is made in one read transaction.
 *
 * A round: the worker reads the device (org_device), checks revocation and proof, decodes, checks
 * the push (org_check_push); if there are batches a job goes to the writer (org_merge_batches ...
 * org_merge_commit); then the worker makes the reply (org_round) and signs it with org_key.
 */
#ifndef ROADBOOK_ORG_H
#define ROADBOOK_ORG_H

#include "syncd/store/centre.h"

struct org;
struct org_reader;

enum {
    ORG_GROUP_CHANGES_MAX = 2000, /* a group commit: after that many changes ... */
    ORG_GROUP_MS = 50,            /* ... or that long the writer commits */
    ORG_PAGE_MS = 50,             /* a page is cut when making it took that long */
    ORG_OFFSET_SLACK_MS = 2000    /* a wall clock that is that near to what it was is trusted */
};

struct org_config {
    const char *path;
    const struct catalogue *catalogue; /* must outlive the handles */
    const struct env *env;
};

/* Makes the file and the org in it. ST_CONFLICT: there is one. */
enum status org_create(const struct org_config *config, struct slice label,
                       struct err *err) NODISCARD;
enum status org_open(const struct org_config *config, struct org **out, struct err *err) NODISCARD;
void org_close(struct org *org);
/* This opening found that the book's file had been set back, and began another epoch. */
bool org_went_back(const struct org *org);
/* For the functions of centre.h that write: users, links, keys, contacts. Never between
 * org_merge_begin and the commit. Borrowed. */
struct centre *org_centre(struct org *org);
/* The org's signing key, for replies. */
enum status org_key(struct org *org, struct sign_key *out, struct err *err) NODISCARD;

enum status org_reader_open(const struct org_config *config, struct org_reader **out,
                            struct err *err) NODISCARD;
void org_reader_close(struct org_reader *reader);
struct centre *org_reader_centre(struct org_reader *reader);

/* ------------------------------------------------------------------ pushes */

/* Is the signature the device's, over the chain after the last batch? Needs no store; do it before
 * the writer's turn, which then finds the batches spelt in mem. ST_OK without batches.
 * ST_UNAUTHENTIC. */
enum status org_check_push(const struct centre_device *device, const struct round_request *request,
                           struct arena *mem, struct err *err) NODISCARD;

struct org_push {
    enum reply_kind kind;    /* REPLY_CLONED, REPLY_EPOCH: nothing was taken */
    bool waits;              /* nothing was taken yet: it names rows that may still be given back */
    bool wants_facts; /* it has given back: rows of the forgotten life may be told */
    uint32_t facts;   /* that were told now */
    uint32_t last_batch;     /* the highest of this device that the server has */
    size_t batches, repeats; /* taken now; had before */
    size_t changes;
    size_t outcomes[OUTCOME_COUNT]; /* of the changes taken now */
};

/* A group commit: begin, any number of jobs, commit. A job that fails leaves nothing behind and
 * does not hurt the others; after ST_DISK, ST_DAMAGED or ST_NO_MEMORY abort the group. */
enum status org_merge_begin(struct org *org, struct err *err) NODISCARD;
/* Merges the batches of a request, in order, exactly once each; before them what it gives back. A
 * request of another epoch, or with a position that this log does not have, moves the server into
 * another epoch if need be: org_round then says REPLY_EPOCH. ST_INVALID: a gap before the first
 * batch; ST_DENIED: revoked, or the user is inactive, or what is given back is not proved. */
enum status org_merge_batches(struct org *org, uint32_t device, const struct round_request *request,
                              struct org_push *out, struct err *err) NODISCARD;
/* Durable for all jobs when it returns ST_OK; on failure all of them are undone. */
enum status org_merge_commit(struct org *org, struct err *err) NODISCARD;
void org_merge_abort(struct org *org);

/* ------------------------------------------------------------------ rows as facts */

enum fact_state {
    FACT_SAME,     /* the book says so already */
    FACT_NEW,      /* the row is not there */
    FACT_CHANGES,  /* cells are otherwise here, and older */
    FACT_NEWER,    /* cells are otherwise here, and newer or mixed: nothing is done */
    FACT_DEAD,     /* the row was deleted here */
    FACT_WAITS,    /* a row that is not here, of one that is not here either */
    FACT_DENIED,   /* outside of what the laptop may see */
    FACT_DISPUTED, /* laptops say different things of one seq */
    FACT_REVOKED,  /* only a laptop that is revoked says so: taken when that one is named */
    FACT_STATE_COUNT
};
struct fact_line {
    uint32_t device;
    const struct entity *entity;
    int64_t row, seq;
    enum fact_state state;
    struct change change; /* what taking it would do; NEW, CHANGES */
};
typedef enum status fact_row(void *ctx, const struct fact_line *line, struct err *err);
/* What laptops told of the forgotten life and the book does not say; device 0: all of them. */
enum status org_facts(struct centre *c, uint32_t device, fact_row *row, void *ctx,
                      struct err *err) NODISCARD;
/* Head office takes what can be taken, as its own edits: nothing that is newer is touched. A
 * laptop's facts alone are taken even where another disputes them. */
enum status org_facts_take(struct org *org, uint32_t device, int64_t *out_taken, int64_t *out_left,
                           struct err *err) NODISCARD;

/* ------------------------------------------------------------------ vouchers */

/* The server's word for the head that a reply tells: put into it, unless the laptop has it
 * already. */
void org_vouch(const struct sign_key *key, uint32_t device, const struct round_request *request,
               struct round_reply *reply);

/* ------------------------------------------------------------------ replies */

/* Must the request go through org_merge_batches before org_round? */
enum status org_must_write(struct org_reader *reader, const struct centre_device *device,
                           const struct round_request *request, bool *out,
                           struct err *err) NODISCARD;
enum status org_head(struct org_reader *reader, struct centre_head *out, struct err *err) NODISCARD;
/* ST_NOT_FOUND. Says nothing about revocation: look at ->revoked and ->user_active. */
enum status org_device(struct org_reader *reader, uint32_t number, struct centre_device *out,
                       struct err *err) NODISCARD;
/* The reply to a request whose batches are merged (or that has none): receipts of its batches as it
 * is now, the log after its cursor, news. reply->kind may be REPLY_CLONED. retry_ms is left 0 for
 * the caller. An idle round reads no table. Everything is placed in mem or borrowed from the
 * request. ST_INVALID as above; ST_BUSY: another epoch began in the meantime, ask again. */
enum status org_round(struct org_reader *reader, uint32_t device,
                      const struct round_request *request, struct arena *mem,
                      struct round_reply *out, struct err *err) NODISCARD;
/* The reply to an idle round, by head and device as they were read together a moment ago: the file
 * is not asked again. false: not so idle, org_round says what it is. */
/* The same for a laptop that lags behind the head, though nothing of what happened since concerns
 * it: its cursor moves to the head. Where it stands in the log has been checked. */
bool org_round_quiet(const struct centre_head *head, const struct centre_device *device,
                     const struct round_request *request, int64_t wall_ms, struct round_reply *out);
bool org_round_idle(const struct centre_head *head, const struct centre_device *device,
                    const struct round_request *request, int64_t wall_ms, struct round_reply *out);

/* What head office has ordered a revoked laptop to do, signed for it; ORDER_NONE for others. Goes
 * with each reply to it. */
void org_order(const struct centre_device *device, struct slice org_name,
               const struct sign_key *key, struct device_order *out);

/* A step of finding the rows in which a laptop's book differs. Reads all that the user sees.
 * ST_BUSY: the server recovers. */
enum status org_repair(struct org_reader *reader, const struct centre_device *device,
                       const struct repair_request *request, struct arena *mem,
                       struct repair_reply *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ head office
 *
 * Own edits of head office go through the same merge, as batches of device 0. Each call is a
 * transaction of its own (not between org_merge_begin and the commit).
 */

/* An id for a row to be created. */
enum status org_office_id(struct org *org, int64_t *out_id, struct err *err) NODISCARD;
/* changes: bases with seq 0 mean "as it is now"; row ids of creations from org_office_id. At most
 * BATCH_ROWS_MAX. person: who did it, for the journal. *out_receipt: as a laptop would get it. */
enum status org_office_save(struct org *org, const struct change *changes, size_t count,
                            uint32_t flags, int64_t import_id, struct slice person,
                            struct arena *mem, struct receipt *out_receipt,
                            struct err *err) NODISCARD;
/* Closes an entry of quarantine: approved, the edit is written as the server's; declined, it only
 * says so. The author is told. ST_NOT_FOUND; ST_CONFLICT: closed already, or it cannot be written
 * as things are (the text says why). */
enum status org_decide(struct org *org, uint32_t device, const struct refusal_id *id, bool approve,
                       struct slice person, struct err *err) NODISCARD;

#endif
