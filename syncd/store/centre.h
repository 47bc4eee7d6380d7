/* The server's half of the book on disk: one file per org. Log, journal, ledger, quarantine, old
 * versions of texts, devices, users, links; and the rows with their clocks, as the merge needs
 * them.
 *
 * Everything that is SQL at the server is behind this page; the merge (syncd/server) stands on it.
 * A handle belongs to one thread at a time: one that writes, and one for each thread that only
 * reads.
 */
#ifndef ROADBOOK_CENTRE_H
#define ROADBOOK_CENTRE_H

#include "syncd/store/store.h"

struct centre;

enum {
    CENTRE_LABEL_BYTES = 128, /* names of orgs, users, devices */
    CENTRE_LOGIN_BYTES = 64,
    CENTRE_RELEASE_BYTES = 32,
    CENTRE_USERS_MAX = 100000 /* per org; more is an import gone wrong */
};

/* ------------------------------------------------------------------ opening */

struct centre_config {
    const char *path; /* the org's file */
    bool create;
    bool read_only;                    /* a reader: no call below that writes */
    const struct catalogue *catalogue; /* must outlive the handle */
    const struct env *env;             /* likewise */
};

/* As store_open. A file that was made and has no org in it yet opens too: centre_org_create comes
 * next. */
enum status centre_open(const struct centre_config *config, struct centre **out,
                        struct err *err) NODISCARD;
void centre_close(struct centre *c);
/* For reading rows: store_get, store_list, store_find, store_sql, store_backup, store_verify.
 * Borrowed. */
struct store *centre_store(struct centre *c);
const struct catalogue *centre_catalogue(const struct centre *c);
const struct env *centre_env(const struct centre *c);

/* ------------------------------------------------------------------ the org */

struct centre_org {
    char label[CENTRE_LABEL_BYTES];
    int64_t epoch;
    int64_t created_ms;
    int64_t news_version;              /* moves with any change of users and devices */
    uint8_t key_seed[SIGN_SEED_BYTES]; /* of the org's signing key */
};

/* Epoch 1, a fresh signing key, device 0, ids of the server from a random start. ST_CONFLICT: there
 * is one. */
enum status centre_org_create(struct centre *c, struct slice label, struct err *err) NODISCARD;
/* ST_NOT_FOUND: centre_org_create was never called. */
enum status centre_org(struct centre *c, struct centre_org *out, struct err *err) NODISCARD;

/* Where the log stands. Read again only when another handle committed: else it touches no table. */
struct centre_head {
    struct position position;
    int64_t time_ms; /* commit time of the last entry */
    int64_t epoch;
    int64_t news_version;
    int64_t backup;          /* a backup holds everything up to this seq; 0: none was announced */
    bool recovering;         /* see lives.h */
    int64_t minimum_release; /* release_number; 0: any */
    int64_t key_changes;     /* of the org's key (org_keys.h) */
};
enum status centre_head(struct centre *c, struct centre_head *out, struct err *err) NODISCARD;
/* The head as the last call saw it (any that read head or device): for several questions of one
 * request. */
void centre_head_kept(const struct centre *c, struct centre_head *out);

/* ------------------------------------------------------------------ users */

enum user_role { USER_REP = 1, USER_MANAGER = 2, USER_OFFICE = 3 };
const char *user_role_name(enum user_role role); /* "rep", "manager", "office" */
bool user_role_parse(struct slice name, enum user_role *out);

struct centre_user {
    int64_t id;
    char login[CENTRE_LOGIN_BYTES];
    char name[CENTRE_LABEL_BYTES];
    int64_t employee; /* row id of the employee, 0: none */
    enum user_role role;
    bool active;
};

/* user->id is ignored. ST_CONFLICT: the login is taken; ST_NOT_FOUND: no such employee row. */
enum status centre_user_add(struct centre *c, const struct centre_user *user, int64_t *out_id,
                            struct err *err) NODISCARD;
enum status centre_user_by_login(struct centre *c, struct slice login, struct centre_user *out,
                                 struct err *err) NODISCARD;
enum status centre_user_by_id(struct centre *c, int64_t id, struct centre_user *out,
                              struct err *err) NODISCARD;
/* An inactive user gets no rounds and no links; his devices stay as they are. */
enum status centre_user_activate(struct centre *c, int64_t id, bool active,
                                 struct err *err) NODISCARD;
typedef enum status centre_user_row(void *ctx, const struct centre_user *user, struct err *err);
enum status centre_users(struct centre *c, centre_user_row *row, void *ctx,
                         struct err *err) NODISCARD;

/* ------------------------------------------------------------------ devices */

struct centre_device {
    uint32_t number; /* 0: the server itself, head office's own edits */
    int64_t user;    /* 0 for device 0 */
    char user_name[CENTRE_LABEL_BYTES];
    int64_t employee;    /* of the user */
    enum user_role role; /* of the user */
    bool user_active;
    bool revoked;
    char name[CENTRE_LABEL_BYTES]; /* what the laptop calls itself */
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    bool has_key; /* a hello agreed on key; good until key_until_ms */
    uint8_t key[MAC_BYTES];
    int64_t key_until_ms;
    uint32_t last_batch; /* the highest that the journal has, and the chain there */
    struct chain chain;
    char release[CENTRE_RELEASE_BYTES];
    struct chain catalogue;
    int64_t enrolled_ms, seen_ms; /* seen 0: never */
    int64_t cursor;               /* what it last said that it has */
    bool wipe;                    /* revoked, and its book is to be deleted */
    int64_t revoked_ms;           /* when head office said so; 0: never, or in an older release */
    int64_t wiped_ms;             /* when it said that it had deleted the book; 0: not yet */
    int64_t offset_ms;            /* its wall clock less ours at the last contact */
    int64_t told_ms;              /* when it last reported how it is; 0: never: */
    struct device_report report;
    uint32_t formerly;       /* the laptop of which this one's book was a copy; 0: none ... */
    uint32_t formerly_batch; /* ... whose batches up to this one are its own */
};

/* ST_NOT_FOUND. Kept in memory until another handle commits: an idle round reads no table. */
enum status centre_device(struct centre *c, uint32_t number, struct centre_device *out,
                          struct err *err) NODISCARD;
typedef enum status centre_device_row(void *ctx, const struct centre_device *device,
                                      struct err *err);
enum status centre_devices(struct centre *c, centre_device_row *row, void *ctx,
                           struct err *err) NODISCARD;
/* Of a revoked device only unsent work is taken, into quarantine. Revoking twice is fine: wipe is
 * only ever added. ST_NOT_FOUND. */
enum status centre_device_revoke(struct centre *c, uint32_t number, bool wipe,
                                 struct err *err) NODISCARD;
/* While changes of this device are merged: what the laptop did of which its book was a copy counts
 * as its own, in the rows that are read. NULL: nobody's are. */
void centre_as(struct centre *c, const struct centre_device *author);
/* The laptop's programs are of another release now. */
enum status centre_device_release(struct centre *c, uint32_t number, struct slice release,
                                  struct err *err) NODISCARD;
/* The laptop says that it deleted its book by that order; of another order: nothing. */
enum status centre_device_wiped(struct centre *c, uint32_t number, int64_t order_ms,
                                struct err *err) NODISCARD;
/* Laptops of an older release get receipts only: MAJOR.MINOR.PATCH, or empty for any. ST_INVALID.
 */
enum status centre_minimum_release_set(struct centre *c, struct slice release,
                                       struct err *err) NODISCARD;
/* What a hello agreed on, when the org's key had been changed so often; nothing is done if it was
 * changed again. */
enum status centre_device_key(struct centre *c, uint32_t number, const uint8_t key[MAC_BYTES],
                              int64_t until_ms, struct slice release, const struct chain *catalogue,
                              int64_t key_changes, struct err *err) NODISCARD;
/* That a device was there. Not durable work: collect in memory, write now and then. */
struct centre_contact {
    uint32_t device;
    int64_t seen_ms;
    int64_t cursor;
    int64_t offset_ms;
    bool has_report;
    struct device_report report;
};
enum status centre_contacts(struct centre *c, const struct centre_contact *contacts, size_t count,
                            struct err *err) NODISCARD;

/* ------------------------------------------------------------------ links */

/* code: 16 random bytes, of which only the hash is kept. ST_NOT_FOUND: no such user; ST_INVALID:
 * inactive. */
enum status centre_link_make(struct centre *c, int64_t user, const uint8_t code[16],
                             int64_t expires_ms, struct err *err) NODISCARD;
/* Enrols a laptop: a new device number, or the one that the same code and key got before (a lost
 * reply is asked for again). ST_NOT_FOUND: unknown; ST_GONE: expired; ST_CONFLICT: used by another
 * laptop; ST_DENIED: the user is inactive, or the laptop that used it is revoked. */
enum status centre_link_take(struct centre *c, const struct enroll_request *request,
                             struct centre_device *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ the log */

enum log_kind {
    LOG_CREATE = 1,
    LOG_EDIT,
    LOG_DELETE,         /* the outcome of a change; one seq each */
    LOG_TAKEN,          /* a further row of a delete's unit */
    LOG_REVIVED,        /* a row that an edit brought back */
    LOG_DECIDED,        /* head office closed an entry of quarantine */
    LOG_WITHDRAWN,      /* its author did */
    LOG_MOVED = 10,     /* the row came to other homes, with its owner */
    LOG_SCOPE = 11,     /* grants opened or ended at this seq: of the user in change; 0: of many */
    LOG_UNITED = 12,    /* the row became another: see unite.h */
    LOG_JOINED = 13,    /* the row that it became */
    LOG_PARTED = 14,    /* a row by which that was undone */
    LOG_CATALOGUE = 15, /* head office changed the fields: see centre_added.h */
    LOG_KEY = 16,       /* the org's key became another: see org_keys.h */
    LOG_EPOCH = 20      /* another life of the log begins; the seqs before it were never issued */
};

/* In an org of granted scope an entry says where its row was seen: syncd/store/centre_scope.h. */
struct log_homes;

struct log_entry {
    int64_t seq, time_ms;
    enum log_kind kind;
    uint32_t entity_tag;
    int64_t row;                    /* the row reached */
    uint32_t device, batch, change; /* change: its position in the batch */
    enum outcome outcome;
    const struct log_homes *homes; /* NULL: not noted; of an entry that was read: until the next */
};

/* ------------------------------------------------------------------ clocks of a row
 *
 * A row has one clock, and cells have one of their own only where it differs. A set cell lists the
 * adds that no later add or remove had seen, only where they are not simply "each element, added by
 * the cell's clock".
 *
 * Bytes: version 1, or 2 where changes came with a row that became this one; clock of the row; then
 * for each cell with its own clock, by tag: tag << 1 | has dots, the clock as differences to the
 * row's, and the dots. About 14 bytes for a row that nobody edited.
 */
struct clock_cell {
    uint32_t tag;
    struct clock clock;
    bool has_dots; /* else each element of the value, added by clock */
    struct dot *dots;
    size_t dot_count;
};
struct row_clock {
    struct clock row;
    struct clock_cell *cells; /* exceptions, by tag */
    size_t count, room;
};

void row_clock_write(const struct row_clock *clock, struct buf *out);
/* ST_DAMAGED: not such bytes. Elements of dots borrow from bytes. */
enum status row_clock_read(struct slice bytes, struct arena *mem, struct row_clock *out,
                           struct err *err) NODISCARD;
const struct clock *row_clock_of(const struct row_clock *clock, uint32_t tag);
/* The dots of a set cell that has this value now. */
enum status row_clock_dots(const struct row_clock *clock, uint32_t tag, struct value set,
                           struct arena *mem, struct dot **out, size_t *out_count,
                           struct err *err) NODISCARD;
/* dots NULL: the cell is no set. */
enum status row_clock_put(struct row_clock *clock, uint32_t tag, const struct clock *to,
                          const struct dot *dots, size_t dot_count, struct arena *mem,
                          struct err *err) NODISCARD;

/* ------------------------------------------------------------------ rows, for the merge */

struct centre_row {
    const struct entity *entity;
    int64_t id;
    int64_t seq;
    int64_t whole;        /* seq since which it counts as whole */
    int64_t dead;         /* seq of the delete that took it; 0: living */
    struct value *values; /* one per field */
    struct row_clock clock;
    struct slice more; /* cells that this release does not know */
};

enum status centre_row_read(struct centre *c, const struct entity *e, int64_t id, struct arena *mem,
                            struct centre_row *out, bool *out_found, struct err *err) NODISCARD;
enum status centre_row_insert(struct centre *c, const struct centre_row *row,
                              struct err *err) NODISCARD;
/* cell_mask: bit = index of a cell whose values changed; the hidden columns are always written. */
enum status centre_row_update(struct centre *c, const struct centre_row *row, uint64_t cell_mask,
                              struct err *err) NODISCARD;
/* Without values: what a check of a reference needs. Found rows are remembered. */
enum status centre_row_probe(struct centre *c, const struct entity *e, int64_t id, bool *out_found,
                             bool *out_dead, struct err *err) NODISCARD;
/* The row's present seq; 0: no such row. */
enum status centre_row_seq(struct centre *c, const struct entity *e, int64_t id, int64_t *out_seq,
                           struct err *err) NODISCARD;
/* 0: none. Dead ones count. */
enum status centre_row_by_key(struct centre *c, const struct entity *e, const struct value *values,
                              int64_t *out_id, struct err *err) NODISCARD;
struct centre_ref {
    const struct entity *entity;
    int64_t row;
};
/* Living rows owned by this one, directly. */
enum status centre_row_owned(struct centre *c, const struct entity *e, int64_t id,
                             struct arena *mem, struct centre_ref **out, size_t *out_count,
                             struct err *err) NODISCARD;
/* A living row with a seq above since that refers to this one by field, owning or not. */
struct centre_referrer {
    const struct entity *entity;
    const struct field *field;
    int64_t row;
    struct slice clock; /* bytes of its row clock */
};
enum status centre_row_referrers(struct centre *c, const struct entity *e, int64_t id,
                                 int64_t since, struct arena *mem, struct centre_referrer **out,
                                 size_t *out_count, struct err *err) NODISCARD;
/* The unknown cells of a row: read all, put one. */
enum status centre_more_read(struct slice more, struct arena *mem, struct record_cell **out,
                             size_t *out_count, struct err *err) NODISCARD;
enum status centre_more_put(struct slice more, const struct record_cell *cell, struct arena *mem,
                            struct slice *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ aliases */

int64_t centre_alias_count(struct centre *c); /* 0: nothing has to be resolved */
/* It became another row at some time, if only for a while. */
enum status centre_was_alias(struct centre *c, int64_t id, bool *out, struct err *err) NODISCARD;
/* The survivor; the row itself when it is no alias. */
enum status centre_alias_resolve(struct centre *c, int64_t id, int64_t *out,
                                 struct err *err) NODISCARD;
enum status centre_alias_add(struct centre *c, int64_t seq, int64_t from, int64_t to,
                             struct err *err) NODISCARD;
/* What each row became last, by seq: itself again, if that was undone. */
enum status centre_aliases_after(struct centre *c, int64_t seq, struct arena *mem,
                                 struct alias_news **out, size_t *out_count,
                                 struct err *err) NODISCARD;

/* ------------------------------------------------------------------ writing: transactions, log,
 * journal */

enum status centre_begin(struct centre *c, bool write, struct err *err) NODISCARD;
enum status centre_commit(struct centre *c,
                          struct err *err) NODISCARD; /* durable when it returns ST_OK */
void centre_rollback(struct centre *c);               /* also when there is nothing to roll back */
void centre_end(struct centre *c);                    /* of a transaction that only read */
/* One level deep for a job, one for a batch: names "job" and "batch". Undo puts the head back too.
 */
enum centre_mark { CENTRE_MARK_JOB, CENTRE_MARK_BATCH, CENTRE_MARK_COUNT };
enum status centre_mark_set(struct centre *c, enum centre_mark mark, struct err *err) NODISCARD;
enum status centre_mark_keep(struct centre *c, enum centre_mark mark, struct err *err) NODISCARD;
enum status centre_mark_undo(struct centre *c, enum centre_mark mark, struct err *err) NODISCARD;

/* The next seq, with the head as this transaction sees it. */
int64_t centre_next_seq(const struct centre *c);
/* Commit time: max(the last one, the wall clock). */
int64_t centre_now(struct centre *c);
/* entry->seq must be centre_next_seq. Extends the chain of the log. */
enum status centre_log_add(struct centre *c, const struct log_entry *entry,
                           struct err *err) NODISCARD;
/* ST_NOT_FOUND. */
enum status centre_log_entry(struct centre *c, int64_t seq, struct log_entry *out,
                             struct err *err) NODISCARD;
/* Commit time of a seq; 0 when there is none. */
enum status centre_log_time(struct centre *c, int64_t seq, int64_t *out_time_ms,
                            struct err *err) NODISCARD;
/* The chain at a seq, without looking whether the head moved since centre_head. ST_NOT_FOUND above
 * the head. */
enum status centre_log_chain(struct centre *c, int64_t seq, struct chain *out,
                             struct err *err) NODISCARD;
typedef enum status centre_log_row(void *ctx, const struct log_entry *entry, bool *out_stop,
                                   struct err *err);
enum status centre_log_walk(struct centre *c, int64_t after, centre_log_row *row, void *ctx,
                            struct err *err) NODISCARD;

/* What became of a batch: kept so that a batch that comes again gets its receipt again. */
struct outcome_edit {
    enum outcome outcome;
    enum reason reason;
};
struct outcome_change {
    enum outcome outcome;
    enum reason reason;
    int64_t row;
    int64_t prev, seq;          /* as in struct receipt_line */
    struct outcome_edit *edits; /* one per edit of the change */
    size_t edit_count;
};
enum journal_reduced {
    JOURNAL_WHOLE = 0,
    JOURNAL_BARE = 1,  /* older than the history that is kept: without bytes */
    JOURNAL_ERASED = 2 /* personal values are taken out of the bytes */
};
struct journal_entry {
    uint32_t device, batch;
    struct slice bytes; /* canonical; the chain is over them as they came */
    enum journal_reduced reduced;
    struct slice signature; /* of the push that brought it; empty for device 0 */
    struct chain chain;     /* of the device, after this batch */
    int64_t first_seq, last_seq, received_ms;
    struct slice person;                   /* device 0: who at head office; else empty */
    const struct outcome_change *outcomes; /* one per change */
    size_t outcome_count;
};
/* In the transaction that also tells centre_device_moved where the device stands after its last
 * batch. */
enum status centre_journal_add(struct centre *c, const struct journal_entry *entry,
                               struct err *err) NODISCARD;
/* The highest batch that the journal has of a device, and its chain there: once a push. */
enum status centre_device_moved(struct centre *c, uint32_t device, uint32_t batch,
                                const struct chain *chain, struct err *err) NODISCARD;
/* ST_NOT_FOUND. */
enum status centre_journal(struct centre *c, uint32_t device, uint32_t batch, struct arena *mem,
                           struct journal_entry *out, struct err *err) NODISCARD;
/* Also of the last of batches that are missing since the server went back. */
enum status centre_journal_chain(struct centre *c, uint32_t device, uint32_t batch,
                                 struct chain *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ ledger, quarantine, texts */

enum status centre_ledger_add(struct centre *c, const struct ledger_entry *entry,
                              struct err *err) NODISCARD;
typedef enum status centre_ledger_row(void *ctx, const struct ledger_entry *entry, struct err *err);
/* Of seqs in (after, to], by seq; row 0: of all rows. */
enum status centre_ledger(struct centre *c, int64_t after, int64_t to, int64_t row,
                          struct arena *mem, centre_ledger_row *each, void *ctx,
                          struct err *err) NODISCARD;

struct quarantine_entry {
    uint32_t device;
    struct refusal_id id;
    int64_t seq; /* of the outcome */
    int64_t time_ms;
    uint32_t entity_tag;
    int64_t row;      /* as named by the author */
    struct base base; /* of the edit; zero for a whole change */
    enum outcome outcome;
    enum reason reason;
    enum held_state state;
    int64_t state_seq;    /* when it was closed; 0: open */
    struct slice content; /* the change (change_read), with only that edit */
};
enum status centre_quarantine_add(struct centre *c, const struct quarantine_entry *entry,
                                  struct err *err) NODISCARD;
enum status centre_quarantine(struct centre *c, uint32_t device, const struct refusal_id *id,
                              struct arena *mem, struct quarantine_entry *out,
                              struct err *err) NODISCARD;
/* The edit of an own batch that did not come in, by the row as it was named. */
enum status centre_quarantine_find(struct centre *c, uint32_t device, uint32_t batch, int64_t row,
                                   uint32_t cell_tag, struct base *out_base, bool *out_found,
                                   struct err *err) NODISCARD;
/* Open entries only; *out_closed false when there was none. */
enum status centre_quarantine_close(struct centre *c, uint32_t device, const struct refusal_id *id,
                                    enum held_state state, int64_t seq, bool *out_closed,
                                    struct err *err) NODISCARD;
/* The entry that was closed at this seq. */
enum status centre_quarantine_closed(struct centre *c, int64_t seq, struct arena *mem,
                                     struct quarantine_entry *out, bool *out_found,
                                     struct err *err) NODISCARD;
typedef enum status centre_quarantine_row(void *ctx, const struct quarantine_entry *entry,
                                          struct err *err);
enum status centre_quarantine_list(struct centre *c, bool also_closed, struct arena *mem,
                                   centre_quarantine_row *each, void *ctx,
                                   struct err *err) NODISCARD;
/* Open entries that came in too late, or where their author had no access: their rows are somebody
 * else's, who is told of them. row 0: of all rows. */
enum status centre_quarantine_denied(struct centre *c, int64_t row, struct arena *mem,
                                     centre_quarantine_row *each, void *ctx,
                                     struct err *err) NODISCARD;
/* Entries of this device that were closed at seqs in (after, to]. */
enum status centre_held_news(struct centre *c, uint32_t device, int64_t after, int64_t to,
                             struct arena *mem, struct held_news **out, size_t *out_count,
                             struct err *err) NODISCARD;

/* A change that came in though its author's access to the row had ended when it came. */
struct centre_late {
    int64_t seq; /* of its first entry of the log */
    int64_t time_ms;
    uint32_t device, batch, change;
    uint32_t entity_tag;
    int64_t row; /* that it reached */
};
enum status centre_late_add(struct centre *c, const struct centre_late *late,
                            struct err *err) NODISCARD;
typedef enum status centre_late_row(void *ctx, const struct centre_late *late, struct err *err);
/* After a seq, oldest first. */
enum status centre_late(struct centre *c, int64_t after, centre_late_row *each, void *ctx,
                        struct err *err) NODISCARD;

/* The text that a cell had up to now, from this seq on. */
enum status centre_text_keep(struct centre *c, int64_t row, uint32_t cell_tag, int64_t seq,
                             struct value text, struct err *err) NODISCARD;
enum status centre_text_at(struct centre *c, int64_t row, uint32_t cell_tag, int64_t seq,
                           struct arena *mem, struct value *out, bool *out_found,
                           struct err *err) NODISCARD;
/* Later deletes of a row that was dead already: they lose too if it comes back. */
enum status centre_delete_also(struct centre *c, int64_t unit, int64_t seq,
                               struct err *err) NODISCARD;
enum status centre_deletes_of(struct centre *c, int64_t unit, struct arena *mem, int64_t **out_seqs,
                              size_t *out_count, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ for head office */

enum status centre_people(struct centre *c, struct arena *mem, struct person **out,
                          size_t *out_count, struct err *err) NODISCARD;
/* The next id of a row that head office makes. Inside a write transaction. */
enum status centre_office_id(struct centre *c, int64_t *out_id, struct err *err) NODISCARD;

/* One edit of a row, oldest first: who changed it, when, having seen what. */
struct centre_history {
    struct log_entry entry;
    int64_t edit_ms; /* commit time; the edit itself may be older */
    struct slice person, device_name;
    uint32_t cell_tag; /* 0: creation, deletion, return */
    enum outcome outcome;
    enum reason reason;
    struct base base;
    const struct value
        *values; /* as the author sent them; a count: the delta; elements: adds, removes */
    size_t value_count;
    enum edit_kind edit_kind;
};
typedef enum status centre_history_row(void *ctx, const struct centre_history *line,
                                       struct err *err);
/* cell_tag 0: all cells. */
enum status centre_history(struct centre *c, int64_t row, uint32_t cell_tag,
                           centre_history_row *each, void *ctx, struct err *err) NODISCARD;

struct centre_counts { /* for status and metrics */
    int64_t users, devices, devices_revoked;
    int64_t log, journal, ledger, quarantine_open, aliases, text_versions, rows, rows_dead;
};
enum status centre_counts(struct centre *c, struct centre_counts *out, struct err *err) NODISCARD;

/* Everything that can be checked: the chain of the log recomputed, the journal's chain of each
 * device, each row's seq named by the log entry there, clocks readable and none above its row's
 * seq. Each finding is a line. */
enum status centre_verify_all(struct centre *c, store_progress *progress, void *ctx,
                              struct buf *out_findings, struct err *err) NODISCARD;

#endif
