/* The lives of an org's log. A server that was restored, rolled back or promoted from a late
 * standby has gone back in time: laptops know more of its log than it does. It then begins another
 * epoch, whose seqs stand above all that the one before can have issued, and takes back what
 * laptops have kept.
 *
 * In an ordinary life, which never went back, nothing here is asked and all tables are empty but
 * that of openings.
 */
#ifndef ROADBOOK_LIVES_H
#define ROADBOOK_LIVES_H

#include "syncd/store/centre.h"

enum {
    CENTRE_LOST_MAX = 64,          /* times that one laptop met a server which had gone back */
    CENTRE_OPENINGS_KEPT = 1000,   /* heads at openings: each command of head office is one */
    CENTRE_EPOCHS_PER_OPENING = 4, /* a server goes back only while it is closed; a laptop that lies
                                      gets no more than these out of it */
    CENTRE_EPOCHS_AHEAD_MAX = 1000,   /* a laptop that names a later epoch lies */
    CENTRE_DEVICES_JUMP = 1024,       /* laptops enrolled in a life that is forgotten */
    CENTRE_OFFICE_IDS_JUMP = 1 << 22, /* rows that head office made in it */
    CENTRE_OFFICE_IDS_AN_HOUR = 8192, /* likewise, until somebody notices: by openings */
    CENTRE_OFFICE_IDS_IDLE = 1 << 28, /* no more at once, whatever the clock says: years */
    CENTRE_HOUR_MS = 3600 * 1000,
    CENTRE_REMOVED_ELEMENT_MAX = 4096,
    CENTRE_CLAIM_EACH_MS = 60 * 1000,
    CENTRE_FACTS_OF_DEVICE_MAX = 200000,
    CENTRE_FACT_PEERS_MAX = 8
};

/* Notes the head at this opening: two lives of a log part where the server was opened. Writes only
 * when the head has moved since the last. */
enum status centre_opening_note(struct centre *c, struct err *err) NODISCARD;

/* Beside the book stands a line with its head at the last commit: its name without ".db", then
 * ".head". Follows it from now on. Where the book knows less than the line, or other things, its
 * file was set back by hand: *out_behind, and another epoch has begun, before a seq is given twice.
 * At each opening for writing, before centre_opening_note. Where there is no line, or one of
 * another org, laptops say so when they come. */
enum status centre_reached_ready(struct centre *c, bool *out_behind, struct err *err) NODISCARD;

/* Begins this epoch, inside a write transaction: an entry of the log at its first seq, ids and
 * device numbers beyond what the life before can have given, recovery until head office ends it.
 * ST_CONFLICT: too many since the last opening. */
enum status centre_epoch_begin(struct centre *c, int64_t epoch, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ claims without proof */

/* A laptop says that the server went back, and cannot prove it. */
struct centre_claim {
    uint32_t device;
    int64_t epoch, seq; /* where it says that it stands */
    uint32_t last_batch;
    int64_t first_ms, last_ms, times;
};
/* Notes it, at most once a minute: who says so again and again wears no disk. */
enum status centre_claim_note(struct centre *c, const struct centre_claim *claim,
                              struct err *err) NODISCARD;
enum status centre_claim_is_noted(struct centre *c, uint32_t device, bool *out,
                                  struct err *err) NODISCARD;
typedef enum status centre_claim_row(void *ctx, const struct centre_claim *claim, struct err *err);
enum status centre_claims(struct centre *c, centre_claim_row *row, void *ctx,
                          struct err *err) NODISCARD;
/* Head office believes them, or knows it otherwise: another epoch begins, above all that was
 * claimed. */
enum status centre_recovery_begin(struct centre *c, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ where a laptop's log parts */

struct centre_parting {
    int64_t epoch;        /* of the server, that the laptop entered or has to enter */
    struct position back; /* the last that both have */
    int64_t lost_from; /* seqs in (lost_from, start) that the laptop knows are of the lost branch */
    int64_t start;
    bool settled; /* it has given back what it had */
};
enum status centre_parting(struct centre *c, uint32_t device, int64_t epoch,
                           struct centre_parting *out, bool *out_found, struct err *err) NODISCARD;
enum status centre_parting_put(struct centre *c, uint32_t device, const struct centre_parting *p,
                               struct err *err) NODISCARD;
/* Where two lives part that agree at seq from and no more at seq to: at the first opening from
 * there on; where none is known, at from. */
enum status centre_parting_find(struct centre *c, int64_t from, int64_t to, struct position *out,
                                struct err *err) NODISCARD;
/* Up to where a laptop with this cursor has the log: what it has of a life that is forgotten ends
 * where its log and this one part. */
enum status centre_passed(struct centre *c, uint32_t device, int64_t cursor, int64_t *out,
                          struct err *err) NODISCARD;
/* How many entries of the log stand above that, and when the first of them was made; 0, 0: none. */
enum status centre_log_behind(struct centre *c, uint32_t device, int64_t cursor,
                              int64_t *out_entries, int64_t *out_ms, struct err *err) NODISCARD;
/* All lost branches of a laptop. */
enum status centre_lost(struct centre *c, uint32_t device, struct arena *mem,
                        struct lost_branch **out, size_t *out_count, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ what was given back */

/* Of the change at this seq: the seq in its old receipt, and up to which old seq the cell has seen
 * everything. cell_tag 0: of all its cells that have none of their own, and of its adds to sets. */
enum status centre_old_put(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t old,
                           int64_t upto, struct err *err) NODISCARD;
/* 0, 0 when there is none. */
enum status centre_old(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t *out_old,
                       int64_t *out_upto, struct err *err) NODISCARD;
/* A remove of the lost branch took what was added up to this old seq, also what is given back
 * later. */
enum status centre_removed_put(struct centre *c, int64_t row, uint32_t cell_tag,
                               struct slice element, int64_t upto, struct err *err) NODISCARD;
enum status centre_removed(struct centre *c, int64_t row, uint32_t cell_tag, struct slice element,
                           int64_t *out_upto, struct err *err) NODISCARD;

/* Batches of a laptop that it had no more: acknowledged in the forgotten life, and lost. chain: of
 * the device after the last of them. */
enum status centre_missing_add(struct centre *c, uint32_t device, uint32_t first, uint32_t last,
                               const struct chain *chain, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ rows as facts */

/* A row of the forgotten life as a laptop had it: a claim, until head office takes it. */
struct centre_fact {
    uint32_t device;
    int64_t row, seq; /* seq of the forgotten life, at which the row stood like that */
    uint32_t entity_tag;
    int64_t back;         /* where the laptop's log and this one part */
    struct slice content; /* a change that sets each cell */
};
/* At most CENTRE_FACTS_OF_DEVICE_MAX of a laptop: what is more is left out. */
enum status centre_fact_put(struct centre *c, const struct centre_fact *fact,
                            struct err *err) NODISCARD;
/* Of the next row, or of an earlier life of this one, the one with the greatest seq. device 0:
 * whoever told it; after: zero at first. */
enum status centre_fact_next(struct centre *c, uint32_t device, const struct centre_fact *after,
                             struct arena *mem, struct centre_fact *out, bool *out_found,
                             struct err *err) NODISCARD;
/* What other laptops say of the same row at the same seq, as contents. */
enum status centre_fact_peers(struct centre *c, const struct centre_fact *fact, struct arena *mem,
                              struct slice out[CENTRE_FACT_PEERS_MAX], size_t *out_count,
                              struct err *err) NODISCARD;
/* What is told of this row and life. device 0: by all. */
enum status centre_fact_drop(struct centre *c, uint32_t device, const struct centre_fact *fact,
                             struct err *err) NODISCARD;
/* device 0: of all. */
enum status centre_facts_drop(struct centre *c, uint32_t device, struct err *err) NODISCARD;
/* Nothing that was given back of a row, since back, stood above upto then, or in another life. */
enum status centre_row_stood_below(struct centre *c, int64_t row, int64_t back, int64_t upto,
                                   bool *out, struct err *err) NODISCARD;
/* The value that the change at seq left holds all that was done up to this old seq; mixed: and
 * something of the present life. */
enum status centre_fact_mark(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t upto,
                             bool mixed, struct err *err) NODISCARD;
enum status centre_cell_is_mixed(struct centre *c, int64_t seq, uint32_t cell_tag, bool *out,
                                 struct err *err) NODISCARD;
enum status centre_fact_upto(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t *out,
                             struct err *err) NODISCARD;

/* ------------------------------------------------------------------ recovery and backups */

struct centre_recovery {
    bool recovering;
    int64_t epoch, began_ms; /* of the present epoch; began 0: the first */
    int64_t back;            /* the last seq that was there when it began */
    int64_t backup;          /* a backup holds everything up to this seq */
    int64_t given;           /* changes that were given back */
    int64_t missing;         /* batches that nobody had any more */
};
enum status centre_recovery(struct centre *c, struct centre_recovery *out,
                            struct err *err) NODISCARD;
/* Head office: all who live have given back. ST_CONFLICT: there is no recovery. */
enum status centre_recovery_end(struct centre *c, struct err *err) NODISCARD;
struct centre_returning { /* a laptop, seen by the recovery */
    uint32_t device;
    bool entered; /* it has been here in this epoch */
    bool settled;
    int64_t missing; /* its batches that are lost */
};
typedef enum status centre_returning_row(void *ctx, const struct centre_returning *row,
                                         struct err *err);
/* Every enrolled laptop that may sync: not revoked, and its user is active. */
enum status centre_returnings(struct centre *c, centre_returning_row *row, void *ctx,
                              struct err *err) NODISCARD;
/* A backup that holds everything up to seq is safe elsewhere. */
enum status centre_backup_announce(struct centre *c, int64_t seq, struct err *err) NODISCARD;

#endif
