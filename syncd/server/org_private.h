/* Private to syncd/server: the handles, and what pushes and replies both ask. */
#ifndef ROADBOOK_ORG_PRIVATE_H
#define ROADBOOK_ORG_PRIVATE_H

#include "syncd/server/merge.h"
#include "syncd/store/lives.h"

struct org {
    struct centre *c;
    bool went_back; /* its file had been set back, this opening found */
};
struct org_reader {
    struct centre *c;
};

/* ST_DENIED: the user is inactive. What a revoked laptop has not sent is taken, whoever its user
 * is.
 */
enum status org_check_device(const struct centre_device *device, struct err *err) NODISCARD;
/* Revoked, or of a release older than head office still allows: it gets nothing but receipts. */
bool org_gets_receipts_only(const struct centre_head *head, const struct centre_device *device);

/* ------------------------------------------------------------------ lives.c */

/* Has this log the same chain there? */
enum status org_position_known(struct centre *c, const struct position *at, bool *out,
                               struct err *err) NODISCARD;
/* Another epoch, or a position that this log does not have: REPLY_EPOCH, made by the writer. */
enum status org_is_elsewhere(struct centre *c, const struct centre_head *head,
                             const struct round_request *request, bool *out,
                             struct err *err) NODISCARD;
/* Batches, new or given back, facts or definitions: more than questions. */
bool org_carries(const struct round_request *request);
/* That, or the news that older batches are lost: work for the writer. */
bool org_brings(const struct centre_device *device, const struct round_request *request);
/* Would the request begin another epoch? */
bool org_claims_more(const struct centre_head *head, const struct round_request *request);
/* Does the server's own word in it show that the server went back? */
enum status org_claim_is_proved(struct centre *c, const struct sign_key *key,
                                const struct centre_device *device,
                                const struct round_request *request, bool *out,
                                struct err *err) NODISCARD;
/* ST_CONFLICT where the writer noted a claim of this device and began nothing. */
enum status org_refuse_claim(struct centre *c, uint32_t device, struct err *err) NODISCARD;
/* Begins another epoch if this request is the first to know better, and notes where the device's
 * log and this one part. Inside a write transaction. */
enum status org_enter_epoch(struct centre *c, uint32_t device, const struct centre_head *head,
                            const struct round_request *request, struct err *err) NODISCARD;
/* Of a laptop that was told of this epoch in a life that is forgotten: its cursor, which this log
 * knows, is where they part. Inside a write transaction. */
enum status org_enter_again(struct centre *c, uint32_t device, const struct centre_head *head,
                            const struct round_request *request, struct centre_parting *out,
                            struct err *err) NODISCARD;
/* The mark of the announced backup, for laptops that go by it: a server that is set back to it then
 * parts from them just there. Idle rounds say nothing. */
enum status org_tell_backup(struct centre *c, const struct centre_head *head,
                            const struct round_request *request, struct arena *mem,
                            struct round_reply *out, struct err *err) NODISCARD;
/* *out: NULL in the first epoch. */
enum status org_former(struct centre *c, uint32_t device, int64_t epoch, struct arena *mem,
                       const struct former **out, struct err *err) NODISCARD;
/* What was said to a batch in the forgotten life; NULL: nothing is known of it. */
const struct receipt *org_old_receipt(const struct give_back *given, uint32_t batch);
/* Signatures and shape of what is given back. ST_DENIED, ST_INVALID. */
enum status org_check_given(struct centre *c, const struct centre_device *device,
                            const struct give_back *given, struct err *err) NODISCARD;
/* Rows of the forgotten life that a laptop tells are kept as claims. Only while the server
 * recovers. *out: how many the request told. */
enum status org_facts_put(struct centre *c, const struct centre_device *device,
                          const struct round_request *request, uint32_t *out,
                          struct err *err) NODISCARD;
/* It has given back its own, or what it gives back waits for a row: now it may tell what it knows
 * of others' work. */
enum status org_wants_facts(struct centre *c, const struct centre_device *device,
                            const struct centre_head *head, const struct round_request *request,
                            bool *out, struct err *err) NODISCARD;
/* Does the batch name a row that is not there, and may still be given back? What the batches from
 * first on create is there by then. */
enum status org_lacks(struct centre *c, const struct batch *first, const struct batch *batch,
                      const struct receipt *old, bool *out, struct err *err) NODISCARD;

/* The receipt of a batch, with what is so now. */
enum status reply_receipt(struct centre *c, const struct batch *batch,
                          const struct journal_entry *entry, struct arena *mem, struct receipt *out,
                          struct err *err) NODISCARD;

struct centre_dated;
/* What is due now is applied, inside the open transaction. */
enum status scope_due(struct centre *c, bool *out_done, struct err *err) NODISCARD;
/* One dated operation as if its time had come. */
enum status scope_apply(struct centre *c, const struct centre_dated *op, int64_t *out_moved,
                        struct err *err) NODISCARD;
/* A batch of head office inside the open transaction. ST_CONFLICT: a change did not come in. */
/* The same as head office's word for what was told by others; *out_seqs: of each change. */
enum status office_take(struct centre *c, const struct change *change, struct slice person,
                        struct arena *mem, bool *out_taken, int64_t *out_seq,
                        struct err *err) NODISCARD;
enum status office_write(struct centre *c, const struct change *changes, size_t count,
                         struct slice person, struct arena *mem, struct err *err) NODISCARD;

#endif
