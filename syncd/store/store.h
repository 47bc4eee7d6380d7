/* The book on disk. One interface for every program; the engine is below it (db.h).
 *
 * Common part: open, read, query, verify. Laptop part: saves, outbox, receipts, what a round
 * brings. The server's part is in centre.h. All programs may have the file open at once (WAL); a
 * handle belongs to one thread at a time.
 */
#ifndef ROADBOOK_STORE_H
#define ROADBOOK_STORE_H

#include "protocol/model/model.h"
#include "protocol/wire/wire.h"

struct store;

enum store_kind { STORE_LAPTOP, STORE_SERVER };
struct store_config {
    const char *path; /* the file */
    enum store_kind kind;
    bool create; /* make it when it is not there */
    bool read_only;
    const struct catalogue *catalogue; /* must outlive the store */
    const struct env *env;             /* likewise */
};

/* ST_NOT_FOUND, ST_DAMAGED (the text says how to rebuild), ST_VERSION (written by a newer release),
 * ST_DISK. */
enum status store_open(const struct store_config *config, struct store **out,
                       struct err *err) NODISCARD;
void store_close(struct store *store);
/* That of the release, with what head office added as far as the handle has looked. Borrowed; what
 * was looked up in it stays in memory until the store is closed. */
const struct catalogue *store_catalogue(const struct store *store);
/* Looks at what others did to the catalogue: for who keeps a book open while others sync it. */
enum status store_refresh(struct store *store, struct err *err) NODISCARD;
/* False: a reader opened a file of an older release, in which newer fields are not there yet. */
bool store_is_current(const struct store *store);
/* Moves when anyone else committed to the file. */
enum status store_version(struct store *store, int64_t *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ reading */

struct row {
    const struct entity *entity;
    int64_t id;
    int64_t seq;          /* 0: not yet at the server */
    bool gone;            /* read-only, on its way out; see rows.h */
    bool pending;         /* the outbox names it */
    struct value *values; /* one per field; derived fields filled in */
};

enum status store_get(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                      struct row *out, struct err *err) NODISCARD;
/* Follows aliases; finds the entity of an id. NULL entity: no such row. */
enum status store_locate(struct store *store, int64_t id, const struct entity **out_entity,
                         int64_t *out_id, struct err *err) NODISCARD;
/* What a person typed for a row: short form, number, natural key, title or a unique prefix of it,
 * or another name or number that a search weighs high. ST_NOT_FOUND, ST_CONFLICT (the text lists
 * the first candidates). */
enum status store_resolve(struct store *store, const struct entity *e, struct slice typed,
                          int64_t *out_id, struct err *err) NODISCARD;
/* Before a row is deleted that store_resolve found: ST_CONFLICT where what was typed is the id of
 * one that became this one, for whoever typed it means that one. */
enum status store_is_itself(struct store *store, const struct entity *e, struct slice typed,
                            int64_t id, struct err *err) NODISCARD;
/* The name by which people know a row; its short id when it has no title. */
enum status store_title(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                        struct slice *out, struct err *err) NODISCARD;

enum compare {
    COMPARE_EQ,
    COMPARE_NE,
    COMPARE_LT,
    COMPARE_LE,
    COMPARE_GT,
    COMPARE_GE,
    COMPARE_CONTAINS
};
struct condition {
    const struct field *field; /* any, also derived */
    enum compare compare;
    struct value value; /* EQ with NULL: empty. A set: EQ means has the element */
};
struct query {
    const struct entity *entity;
    const struct condition *conditions;
    size_t condition_count;
    const struct field *sort; /* NULL: by id */
    bool descending;
    int64_t limit; /* 0: all */
    int64_t offset;
};
typedef enum status store_row(void *ctx, const struct row *row,
                              struct err *err); /* row borrowed for the call */
enum status store_list(struct store *store, const struct query *query, store_row *row, void *ctx,
                       struct err *err) NODISCARD;
enum status store_count(struct store *store, const struct query *query, int64_t *out,
                        struct err *err) NODISCARD;

struct found {
    const struct entity *entity;
    int64_t id;
    struct slice title;
    struct slice passage; /* about 80 characters around the first hit */
};
typedef enum status store_found(void *ctx, const struct found *found, struct err *err);
enum status store_find(struct store *store, struct slice typed, int64_t limit, store_found *found,
                       void *ctx, struct err *err) NODISCARD;

/* Read-only SQL on the stable views. */
struct sql_cell {
    bool is_null, is_text, is_real;
    int64_t number;
    double real;
    struct slice text;
};
typedef enum status
store_sql_row(void *ctx, const char *const *names, const struct sql_cell *cells, size_t count,
              struct err *err); /* the first call has cells NULL: only the names */
enum status store_sql(struct store *store, const char *sql, store_sql_row *row, void *ctx,
                      struct err *err) NODISCARD;

typedef bool store_progress(void *ctx, int64_t done, int64_t total);
/* Everything that can be checked alone: the engine's check, references, clocks, outbox chain, full
 * text. Each finding is a line. total_rows: rows looked at. */
enum status store_verify(struct store *store, store_progress *progress, void *ctx,
                         struct buf *out_findings, int64_t *out_rows, struct err *err) NODISCARD;
enum status store_backup(struct store *store, const char *path, store_progress *progress, void *ctx,
                         struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop: who it is */

struct store_identity {
    char org[33];
    char base_url[256];
    char user[128];
    char org_label[128];
    uint32_t device;  /* 0: not enrolled */
    int64_t employee; /* row id, 0: none */
    uint8_t key_seed[SIGN_SEED_BYTES];
    uint8_t org_public[SIGN_PUBLIC_BYTES];
    bool has_tls_pin;
    uint8_t tls_pin[HASH_BYTES];
};
enum status store_identity(struct store *store, struct store_identity *out,
                           struct err *err) NODISCARD;
enum status store_identity_set(struct store *store, const struct store_identity *identity,
                               struct err *err) NODISCARD;
/* The changes of the org's key that this book has heard of, all from the first one on; none where
 * they do not lead to the identity's key. */
enum status store_org_keys(struct store *store, struct arena *mem, struct key_changes *out,
                           struct err *err) NODISCARD;
/* The org's first key, which names it: hashes of rows are keyed by it. */
enum status store_org_first(struct store *store, uint8_t out[SIGN_PUBLIC_BYTES],
                            struct err *err) NODISCARD;
/* Takes changes that the caller has checked, and the newest key as the org's, in one transaction.
 * What is known already is fine. ST_CONFLICT: they do not go on from what is known. */
enum status store_org_keys_add(struct store *store, const struct key_changes *news,
                               struct err *err) NODISCARD;
/* Small named settings and counters of programs (not synced). ST_NOT_FOUND when absent. */
enum status store_setting(struct store *store, const char *name, struct arena *mem,
                          struct slice *out, struct err *err) NODISCARD;
enum status store_setting_set(struct store *store, const char *name, struct slice value,
                              struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop: saves
 *
 * store_begin, then any of create/edit/delete, then store_commit: one batch. Nothing is visible to
 * others, and nothing in the outbox, before the commit; after it, it is durable.
 */
enum field_edit_kind { FIELD_EDIT_SET, FIELD_EDIT_COUNT, FIELD_EDIT_ADD, FIELD_EDIT_REMOVE };
struct field_edit {
    const struct field *field;
    enum field_edit_kind kind;
    struct value value; /* COUNT: the delta. ADD, REMOVE: a set of elements */
};

/* What a form showed: values and bases of a row when it was opened. Plain data, may be kept or sent
 * (ETag). */
struct form {
    int64_t row;
    struct value *values; /* one per field */
    struct base *bases;   /* one per cell */
};
enum status store_form(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                       struct form *out, struct err *err) NODISCARD;

/* Takes the write lock. ST_DENIED: the lease has ended. */
enum status store_begin(struct store *store, struct err *err) NODISCARD;
void store_rollback(struct store *store);
/* For imports: marks the batch. ST_TOO_LARGE from a save means: commit and begin the next one. */
void store_batch_import(struct store *store, int64_t import_id);
void store_batch_all_or_nothing(struct store *store);
/* Checks limits, required fields, references, natural key (ST_CONFLICT names the row that has it),
 * permissions. Fields that the person did not give get their defaults: author the enrolled
 * employee, business_date today, states their first value, where the catalogue has such fields. */
enum status store_create(struct store *store, const struct entity *e,
                         const struct field_edit *edits, size_t count, int64_t *out_id,
                         struct err *err) NODISCARD;
/* Only what really changes is logged; *out_changed false when nothing did. form NULL: the person
 * looked at the row as it is. The edit of one field of a group carries the group. */
enum status store_edit(struct store *store, const struct entity *e, int64_t id,
                       const struct field_edit *edits, size_t count, const struct form *form,
                       bool *out_changed, struct err *err) NODISCARD;
enum status store_delete(struct store *store, const struct entity *e, int64_t id, size_t *out_rows,
                         struct err *err) NODISCARD;
/* *out_batch: 0 when nothing was logged. */
enum status store_commit(struct store *store, uint32_t *out_batch, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop: outbox */

struct outbox_entry {
    uint32_t batch;
    bool sent;                   /* its bytes may have left: it never changes any more */
    int64_t made_ms;             /* wall clock of the edit */
    const struct batch *content; /* borrowed for the call */
};
typedef enum status store_outbox_row(void *ctx, const struct outbox_entry *entry, struct err *err);
enum status store_outbox(struct store *store, store_outbox_row *row, void *ctx,
                         struct err *err) NODISCARD;
/* Takes back a batch (0: the latest with content) that was not sent: its number stays, empty. A
 * batch that was sent is undone by a new batch with the values from before (*out_new_batch, else
 * 0). ST_CONFLICT when later edits of the same cells stand on it. */
enum status store_undo(struct store *store, uint32_t batch, uint32_t *out_undone,
                       uint32_t *out_new_batch, struct err *err) NODISCARD;
/* Undoes every batch of an import, newest first: creates, and updates that nobody touched since. */
enum status store_import_revert(struct store *store, int64_t import_id, int64_t *out_rows,
                                int64_t *out_kept, struct err *err) NODISCARD;

struct conflict { /* a ledger entry that concerns this book, for people */
    struct ledger_entry entry;
    bool done;              /* a person has dealt with it */
    struct slice row_title; /* borrowed for the call */
};
typedef enum status store_conflict_row(void *ctx, const struct conflict *conflict, struct err *err);
enum status store_conflicts(struct store *store, bool also_done, store_conflict_row *row, void *ctx,
                            struct err *err) NODISCARD;
enum conflict_take {
    CONFLICT_KEEP,      /* only marks it done */
    CONFLICT_TAKE_LOST, /* writes the value that lost as a new edit by someone who saw what won */
    CONFLICT_TAKE_MINE, /* the same where it is this laptop's; else what stands is mine, or merged
                         */
};
struct conflict_choice {
    int64_t seq;        /* of the ledger: what one change lost, or took */
    struct slice field; /* by name or label: only this one, or its group; empty: all of that seq */
    enum conflict_take take;
};
/* *out_written: how many values that lost stand again. */
enum status store_conflict_resolve(struct store *store, const struct conflict_choice *choice,
                                   size_t *out_written, struct err *err) NODISCARD;

struct held { /* an own edit that the server did not take */
    struct refusal_id id;
    enum outcome outcome; /* waiting or refused */
    enum reason reason;
    enum held_state state;
    const struct entity *entity;
    int64_t row;
    const struct change *change;     /* as sent; with only that edit when id names a cell */
    int64_t decided_seq, decided_ms; /* when that was heard; 0: not decided */
    bool seen;                       /* its person took note of the decision */
};
typedef enum status store_held_row(void *ctx, const struct held *held, struct err *err);
enum status store_held(struct store *store, bool also_closed, store_held_row *row, void *ctx,
                       struct err *err) NODISCARD;
/* Sends it again as a new edit, on what its author was shown; values replaces it when given. */
enum status store_held_retry(struct store *store, const struct refusal_id *id,
                             const struct field_edit *edits, size_t count,
                             struct err *err) NODISCARD;
/* Gives it up: closed here at once, at head office when the batch that says so arrives. If that
 * decided meanwhile, its decision stands. ST_CONFLICT when it is on its way again. Of one that was
 * declined: its person took note, nothing else. */
enum status store_held_drop(struct store *store, const struct refusal_id *id,
                            struct err *err) NODISCARD;

/* An edit of somebody else that was refused because he had no access to its row any more, which is
 * here: it waits at head office. */
struct others_held {
    uint32_t device;
    struct refusal_id id; /* there */
    int64_t time_ms;      /* when it was refused */
    enum reason reason;
    const struct entity *entity;
    int64_t row;
    const struct change *change;
    uint32_t taken; /* the own batch, still in the outbox, that takes it over; 0: none */
};
typedef enum status store_others_row(void *ctx, const struct others_held *other, struct err *err);
/* In the order in which they were refused; that of rows which are gone are left out. */
enum status store_others(struct store *store, store_others_row *row, void *ctx,
                         struct err *err) NODISCARD;
/* Says the same as an own edit, on the row as it is now; when that comes in the other is closed, as
 * approved. ST_NOT_FOUND: no such edit waits. ST_CONFLICT: it is taken over already, the row has
 * this value already, or only head office can (a creation, a delete). */
enum status store_others_take(struct store *store, uint32_t device, const struct refusal_id *id,
                              struct err *err) NODISCARD;

struct receipt_note { /* what happened to a change, kept for people */
    uint32_t batch;
    int64_t at, time_ms;
    const struct entity *entity;
    int64_t row;
    uint32_t cell_tag; /* 0: the whole change */
    enum change_kind kind;
    enum outcome outcome;
    enum reason reason;
};
typedef enum status store_receipt_row(void *ctx, const struct receipt_note *note, struct err *err);
/* Of the newest batches first; limit 0: all that are kept (the last STORE_RECEIPTS_KEPT batches in
 * short form). */
enum { STORE_RECEIPTS_KEPT = 10000 };
enum status store_receipts(struct store *store, int64_t limit, store_receipt_row *row, void *ctx,
                           struct err *err) NODISCARD;

struct store_status {
    int64_t rows;
    int64_t outbox_batches, outbox_changes, unsent_batches;
    int64_t conflicts_open, held_open;
    int64_t declined;                 /* own edits, of which nobody took note here yet */
    int64_t others_held;              /* edits of others that wait, of rows that are here */
    int64_t cursor, head, epoch;      /* head: the server's at last contact */
    bool complete;                    /* the last round said "no more" */
    int64_t homes;                    /* that this laptop may see */
    bool filling;                     /* rows of homes granted lately are still coming ... */
    int64_t homes_to_fill;            /* ... of so many */
    int64_t leaving;                  /* rows that left, of which own edits are unanswered */
    int64_t last_round_ms;            /* server time of the last round, 0: never */
    int64_t last_attempt_ms;          /* own wall clock */
    char last_error[LANG_COUNT][256]; /* empty: the last attempt worked */
};
enum status store_status(struct store *store, struct store_status *out, struct err *err) NODISCARD;
/* The number of the newest own batch, with a receipt or not; 0: none yet. Cheap. */
enum status store_newest_batch(struct store *store, uint32_t *out, struct err *err) NODISCARD;
/* Where this laptop stands in the server's log. Cheap. */
enum status store_cursor(struct store *store, int64_t *out_epoch, int64_t *out_seq,
                         struct err *err) NODISCARD;
/* The homes that this laptop holds, in the order in which they are filled. */
struct held_home {
    int64_t home;                /* protocol/model/home.h */
    const struct entity *entity; /* of the row that it is the home of; NULL: of none */
    int64_t row;
    struct slice name; /* of that row; borrowed for the call */
    int64_t since, rows;
    bool fills; /* its rows are still coming */
};
typedef enum status store_home(void *ctx, const struct held_home *home, struct err *err);
enum status store_homes(struct store *store, store_home *each, void *ctx,
                        struct err *err) NODISCARD;
enum status store_attempt(struct store *store, const struct err *failure,
                          struct err *err) NODISCARD; /* NULL: it worked */

/* History of a row as this laptop knows it, in the order of the log: who made it, own changes with
 * their values and what became of them, what came from the server (who did it only the server
 * knows), what lost, at last own edits that have no receipt yet. Of the past some ten thousand
 * entries are kept; the whole history is at the server. */
struct history_line {
    int64_t seq;         /* 0: not yet at the server, or of the maker: not known */
    int64_t time_ms;     /* 0: not known */
    uint32_t device;     /* 0 with "news": not known */
    struct slice person; /* empty with "news" */
    const char *what;    /* "create", "edit", "delete", "lost", "news", "approved", "declined" */
    uint32_t cell_tag;   /* 0: the row */
    enum edit_kind kind;
    const struct value *values;
    size_t value_count;
    struct slice detail; /* name of the outcome, or of the rule by which it lost; may be empty */
};
typedef enum status store_history_row(void *ctx, const struct history_line *line, struct err *err);
enum status store_history(struct store *store, const struct entity *e, int64_t id,
                          store_history_row *row, void *ctx, struct err *err) NODISCARD;
/* "王芳" for a device number, from the catalogue news; "device 7" when unknown. */
enum status store_person(struct store *store, uint32_t device, struct arena *mem, struct slice *out,
                         struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop: lease
 *
 * For so long the book may be used without a round that worked. Time is counted by the server's
 * time at the last round and the boot clock since: a wall clock that is set gains nothing. Nothing
 * is ever deleted for it, and rounds go on.
 */
enum { STORE_LEASE_DAYS = 30 }; /* where the server says nothing */
struct store_lease {
    int64_t now_ms;     /* the server's time, as far as is certain */
    int64_t by_wall_ms; /* as the wall clock says: to show how old data is */
    int64_t until_ms;   /* 0: there was no round yet, nothing to lock */
    bool locked;
};
enum status store_lease(struct store *store, struct store_lease *out, struct err *err) NODISCARD;
enum status store_lease_set(struct store *store, uint32_t days, struct err *err) NODISCARD;
/* ST_DENIED with the text for people, in both languages, when it has ended. */
enum status store_lease_check(struct store *store, struct err *err) NODISCARD;
/* As store_begin, for what was already open in a form when the lease ended: shown_ms is the lease's
 * now_ms when the form was shown. */
enum status store_begin_shown(struct store *store, int64_t shown_ms, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop: rounds */

/* Notes the clocks: new boot, wall clock stepped since the last look. Saves do it too; a daemon
 * does it each minute. */
enum status store_clock_note(struct store *store, struct err *err) NODISCARD;

/* What to ask next. Unsent edits of one text become one; the batches are marked as sent, durably,
 * before it returns. Up to WIRE_PUSH_BYTES of batches. */
enum status store_round_request(struct store *store, struct arena *mem, struct round_request *out,
                                struct err *err) NODISCARD;

/* The server recovers and asked for rows of the life that it forgot, and there are some: another
 * round tells them. */
enum status store_has_facts(struct store *store, bool *out, struct err *err) NODISCARD;

/* Where this laptop stands, as a request says it: without clocks and batches, and nothing is
 * marked. */
enum status store_round_position(struct store *store, struct round_request *out,
                                 struct err *err) NODISCARD;

/* Applies a reply in slices; each is one transaction that holds the write lock at most
 * APPLY_SLICE_MS. A crash between slices loses nothing: the cursor moves with the last. request:
 * the one that the reply answers. A request of which nobody knows when it was asked (a bundle's)
 * has no boot number: it says nothing about clocks. */
enum { APPLY_SLICE_MS = 20 };
struct apply;
enum status store_apply_begin(struct store *store, const struct round_request *request,
                              const struct round_reply *reply, struct apply **out,
                              struct err *err) NODISCARD;
enum status store_apply_slice(struct apply *apply, bool *out_done, struct err *err) NODISCARD;
void store_apply_end(struct apply *apply); /* also in the middle */
struct apply_counts {
    int64_t applied, merged, lost, waiting, refused; /* of own changes, by their receipts */
    int64_t rows_changed, rows_gone;
    int64_t approved, declined; /* own edits that waited, by what head office decided */
};
void store_apply_counts(const struct apply *apply, struct apply_counts *out);

/* Which accounts left this laptop, and which came to it, as wholes or with what is behind their
 * header, since this handle was opened: by ids, since of what left nothing may stay on disk. */
enum { STORE_MOVES_MAX = 1024 };
struct store_moves {
    int64_t left[STORE_MOVES_MAX], came[STORE_MOVES_MAX];
    size_t left_count, came_count; /* STORE_MOVES_MAX: so many at least */
    int64_t rows_left;
};
const struct store_moves *store_moves(const struct store *store); /* until the store is closed */

/* Does the book hold what the server said with the last round? Counts at most about rows_max rows
 * again, and goes on there next time; afresh: all of them. BOOK_NOT_PROVED: something is still to
 * be sent, fetched or counted. */
enum book_proof { BOOK_NOT_PROVED, BOOK_EQUAL, BOOK_DIFFERS };
enum status store_prove(struct store *store, int64_t rows_max, bool afresh, enum book_proof *out,
                        struct err *err) NODISCARD;

/* One of so many shares of the homes is counted again next time, so that damage of the file is
 * found too. */
enum status store_prove_again(struct store *store, unsigned share, unsigned shares,
                              struct err *err) NODISCARD;
/* A step of finding the rows that differ; places as the reply before gave them. Reads every row. */
enum status store_repair_request(struct store *store, enum repair_step step, const uint32_t *places,
                                 size_t place_count, struct arena *mem, struct repair_request *out,
                                 struct err *err) NODISCARD;
/* Puts the rows of a reply right; those that the outbox names stay as they are. *out_rows: how many
 * were put right or dropped. */
enum status store_repair(struct store *store, const struct repair_reply *reply, int64_t *out_rows,
                         struct err *err) NODISCARD;

/* Another file stands at this one's path: open that. Cheap. */
bool store_has_moved(const struct store *store);
/* What a book says when it asks for a number of its own: the chain of its batches, and its saves.
 */
enum status store_copy(struct store *store, struct arena *mem, struct copied_book *out,
                       struct err *err) NODISCARD;
/* A book that was a copy, or lost its identity, under a new identity: writes the file at new_path,
 * with what was not sent and everything that the server does not have; the rest comes with the next
 * round. kept: what the server has of it. The book at old_path is closed, and stays. */
enum status store_renumber(const char *old_path, const char *new_path,
                           const struct store_identity *identity, const struct kept_batches *kept,
                           const struct catalogue *cat, const struct env *env,
                           struct err *err) NODISCARD;
/* A damaged file: opens what can be read of it, and rescues identity, counters and outbox into a
 * new store at new_path, which then fills itself from the server. *out_batches rescued;
 * *out_unreadable: batches that could not be read. */
enum status store_rescue(const char *damaged_path, const char *new_path,
                         const struct catalogue *cat, const struct env *env, int64_t *out_batches,
                         int64_t *out_unreadable, struct err *err) NODISCARD;

#endif
