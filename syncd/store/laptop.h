/* Private to the laptop's half of the store: the save in progress, what the file knows about clocks
 * and the server, and the hidden tables. Rules: PROTOCOL.md, "What a pull and a receipt do on the
 * laptop".
 *
 * Tables (laptop_schema.c):
 *   state       one row: epoch, cursor, clocks, last batch with a receipt
 *   outbox      batches without a receipt, and the newest one as a stub, so that neither its
 *               number nor the id counter in it is ever given again
 *
 *   pending     cells that the outbox names, of edits (of a creation the row has _seq = -batch)
 *
 *   ahead       cells known from a receipt beyond the row's seq
 *
 *   before_edit what a cell showed before an edit of the outbox, for undo and for edit and retry
 *
 *   emptied     base of an edit that was undone: a form may still show it
 *
 *   past        the newest own changes that the server answered, and what it changed in a row that
 *               was here, for the history of the row
 *
 *   home        homes held, by the seq of the grant; fills: its rows are still coming
 *
 *   leaving     homes withdrawn whose rows have not all gone yet
 *
 *   lacked      rows that a page of a home being filled did not hold, though a later one may
 *
 *   left_row    rows that left, of which something is still here: they wait for a receipt, or an
 *               own edit of theirs stands in quarantine
 *
 *   reissued    the server's seq of rows that stand at the start of an epoch here
 *
 *   others      edits of others that wait in quarantine, of rows that are here
 *   fact        rows as they were above the parting, when the server began another epoch
 *
 *   ledger, held, receipt, people, import_row, attempt
 */
#ifndef ROADBOOK_STORE_LAPTOP_H
#define ROADBOOK_STORE_LAPTOP_H

#include "syncd/store/store_private.h"

enum {
    CLOCK_SLACK_MS = 2000,         /* less is the usual noise of a network and a clock */
    CLOCK_NOTE_MS = 30000,         /* a reading younger than that need not be written */
    BUSINESS_DAY_OFFSET_MIN = 480, /* where nobody says where the person is: China */
    OWNERS_MAX = 100,              /* a chain of owners longer than that is a circle */
    EMPTIED_KEPT = 10000,          /* batches for which an open form may still know an undone one */
    IMPORTS_KEPT = 8,              /* imports that can be taken back */
    SHOWN_MAX = 20,                /* candidates and the like in a message */
    KNOWN_REFS = 4096,             /* rows that saves remember to have seen; a power of two */
    PAST_KEPT = 10000,             /* entries of the history: some megabytes of edits by hand */
    PAST_BYTES = 4096,             /* a longer change is told without its values */
    PAST_BATCH_CHANGES = 50,       /* more is an import, which has its file */
    PAST_ROUND_ROWS = 500 /* news of more rows at once is a day's absence: not remembered */
};

struct laptop_state {
    int64_t epoch;
    struct position cursor, top;
    int64_t since, news_version;
    uint32_t last_batch; /* with a receipt, and the chain there */
    struct chain last_chain;
    uint64_t boot_id;
    uint32_t boot_number, suspect_boot;
    int64_t note_wall_ms, note_boot_ms; /* the last reading of both clocks */
    int64_t steps_ms, expected_offset_ms;
    int64_t head, round_ms; /* the server's seq and time at the last round */
    bool complete;
    struct chain unknown; /* catalogue that did not know an entity; zero: none such */
    struct scope_position scope;
    int64_t
        seen_ms; /* the server's time at the last reading of the clocks, as far as known; 0: not */
    int64_t lease_ms;    /* the same when a round last worked */
    uint32_t lease_days; /* 0: nothing was said */
    bool has_voucher;    /* the server's word for top */
    struct voucher voucher;
};

enum {
    LOST_MAX = 64,                     /* times that a server went back in the life of this file */
    MARKS_KEPT = 12,                   /* older positions, for a server that went back */
    KEPT_BYTES_MAX = 64 * 1024 * 1024, /* acknowledged batches that no backup covers */
    GIVE_BYTES = 512 * 1024,           /* batches and receipts given back in one request */
    FACT_BYTES_MAX = 64 * 1024 * 1024, /* rows of a forgotten life, all in all: newest first */
    FACT_ROWS = 1000                   /* ... in one request */
};

struct known_ref { /* this field may name this row */
    const struct field *by;
    int64_t id;
};

struct save {
    bool open;
    struct arena mem;
    struct batch batch;
    size_t change_cap;
    size_t bytes;     /* canonical, so far: at most */
    uint32_t counter; /* the next id's */
};

struct laptop {
    struct laptop_state state;
    bool known;           /* state and the two below are as in the file ... */
    int64_t data_version; /* ... as long as this has not moved */
    uint32_t device;
    int64_t employee;
    bool sums_known, sums; /* whether the file has sums of homes (laptop_digest.c) */
    bool tell_marks;       /* the next request names older positions */
    bool tell_facts;       /* the server recovers, and asked for rows of the life that it forgot */
    struct lost_branch lost[LOST_MAX];
    size_t lost_count;
    struct save save;
    struct store_moves moves;
    /* Rows that saves found here, by hash of the id: until a row goes or a save is rolled back
     * (refs_forget), or another handle commits. */
    struct known_ref refs[KNOWN_REFS];
    bool any_ref;
};

/* A row as this laptop has it. */
struct local {
    const struct entity *e;
    int64_t id;
    bool found;
    struct value *values; /* one per field */
    struct row_meta meta;
};
enum { GONE_HERE = 0, GONE_HIDDEN = 1, GONE_DOOMED = 2 };

/* ------------------------------------------------------------------ laptop_state.c */

/* The laptop part of a store, with the state as the file has it now. */
enum status laptop_get(struct store *store, struct laptop **out, struct err *err) NODISCARD;
enum status state_write(struct store *store, const struct laptop_state *state,
                        struct err *err) NODISCARD;
/* The state as the file has it, for rescue. *out_found false: there is none. */
enum status state_read(struct db *db, struct laptop_state *out, bool *out_found,
                       struct err *err) NODISCARD;
void state_take(struct db_stmt *row, struct laptop_state *out);
extern const char *const state_columns;
/* Reads both clocks into state: *out_now is the stamp of an edit made now. *out_moved: worth
 * writing at once. */
enum status clock_note(struct store *store, struct laptop_state *state, struct stamp *out_now,
                       bool *out_moved, struct err *err) NODISCARD;
/* laptop_lease.c: the server's time now, by the last reading; before that is noted anew. */
int64_t lease_now(const struct laptop_state *state, uint64_t boot_id, int64_t boot_ms);
/* A reply came. fresh: just now, over the network. */
void lease_renew(struct laptop_state *state, const struct round_reply *reply, bool fresh);
/* What the server's time says about the wall clock. */
void clock_meet(struct laptop_state *state, const struct stamp *asked, int64_t server_ms);
/* Runs an SQL statement that answers with one number; 0 for no row. */
enum status laptop_number(struct store *store, const char *sql, int64_t *out,
                          struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_cells.c */

struct pending {
    bool found;
    int64_t base_seq;
    uint32_t own;         /* the last own batch that edits the cell */
    int64_t seq;          /* of the server's value; -1: not known */
    struct value *values; /* the server's value; NULL: not known */
    size_t value_count;
};
enum status pending_get(struct db *db, int64_t row, uint32_t cell, struct arena *mem,
                        struct pending *out, struct err *err) NODISCARD;
enum status pending_put(struct db *db, uint32_t entity, int64_t row, uint32_t cell,
                        const struct pending *p, struct err *err) NODISCARD;
/* Keeps the server's value if it is newer than the one known. */
enum status pending_note(struct db *db, uint32_t entity, int64_t row, uint32_t cell,
                         struct pending *p, const struct value *values, size_t count, int64_t seq,
                         struct err *err) NODISCARD;
enum status pending_drop(struct db *db, int64_t row, uint32_t cell, struct err *err) NODISCARD;
enum status pending_any(struct db *db, int64_t row, bool *out, struct err *err) NODISCARD;
enum status ahead_get(struct db *db, int64_t row, uint32_t cell, int64_t *out,
                      struct err *err) NODISCARD;
enum status ahead_put(struct db *db, int64_t row, uint32_t cell, int64_t seq,
                      struct err *err) NODISCARD;
enum status ahead_trim(struct db *db, int64_t row, int64_t seq, struct err *err) NODISCARD;
enum status before_put(struct db *db, uint32_t batch, int64_t row, uint32_t cell,
                       const struct value *values, size_t count, struct err *err) NODISCARD;
/* values NULL when there is none. */
enum status before_get(struct db *db, uint32_t batch, int64_t row, uint32_t cell, struct arena *mem,
                       struct value **out, size_t *out_count, struct err *err) NODISCARD;
/* What stood in the cell before the first edit that has no receipt: the server's value, as long as
 * a pull brought no other. values NULL when there is none. */
enum status before_first(struct db *db, int64_t row, uint32_t cell, struct arena *mem,
                         struct value **out, size_t *out_count, struct err *err) NODISCARD;
/* row 0: of all rows. */
enum status before_drop(struct db *db, uint32_t batch, int64_t row, uint32_t cell,
                        struct err *err) NODISCARD;
enum status emptied_put(struct db *db, uint32_t batch, int64_t row, uint32_t cell, struct base base,
                        struct err *err) NODISCARD;
enum status emptied_resolve(struct db *db, int64_t row, uint32_t cell, struct base *base,
                            struct err *err) NODISCARD;
/* The base of an edit made now by someone who looks at the row as it is. */
enum status cell_base(struct db *db, const struct local *local, uint32_t cell, struct base *out,
                      struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_local.c */

enum status local_read(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                       struct local *out, struct err *err) NODISCARD;
/* As local_read, and it is there to be seen: else ST_NOT_FOUND or ST_GONE. */
enum status local_visible(struct store *store, const struct entity *e, int64_t id,
                          struct arena *mem, struct local *out, struct err *err) NODISCARD;
/* Writes the cells in mask and the hidden columns; local->values become values. */
enum status local_write(struct store *store, struct local *local, uint64_t mask,
                        struct value *values, struct err *err) NODISCARD;
enum status local_set_gone(struct store *store, struct local *local, int64_t gone,
                           struct arena *mem, struct err *err) NODISCARD;
enum status local_remove(struct store *store, struct local *local, struct err *err) NODISCARD;
/* It left, died or became another: goes, unless the outbox names it. *out_gone: it went. */
enum status local_doom(struct store *store, struct local *local, struct arena *mem, bool *out_gone,
                       struct err *err) NODISCARD;
/* A doomed row goes when the outbox names it no more. */
enum status local_sweep(struct store *store, struct local *local, bool *out_gone,
                        struct err *err) NODISCARD;
/* A copy of the row's values, to change. */
struct value *local_copy(const struct local *local, struct arena *mem);
uint64_t cell_bit(const struct cell *c);
/* Every row that the row owns in sight, and what these own; the row itself first. */
enum status local_unit(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                       struct unit_row **out, size_t *out_count, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_check.c */

enum status check_values(const struct entity *e, const struct value *values, uint64_t cells,
                         struct err *err) NODISCARD;
enum status check_refs(struct store *store, const struct entity *e, int64_t id,
                       struct value *values, uint64_t fields, struct err *err) NODISCARD;
/* A row goes or comes back: what the save in progress remembers of rows counts no more. */
void refs_forget(struct store *store);
enum status check_key(struct store *store, const struct entity *e, int64_t id,
                      const struct value *values, struct err *err) NODISCARD;
/* What head office retired takes no new values. before NULL: the row is new. */
enum status check_not_retired(const struct entity *e, const struct value *values,
                              const struct value *before, struct err *err) NODISCARD;
enum status check_may_edit(const struct entity *e, const struct value *values,
                           const struct field *f, struct err *err) NODISCARD;
bool row_is_frozen(const struct entity *e, const struct value *values);

/* ------------------------------------------------------------------ laptop_save.c */

/* store_begin, whatever the lease says. */
enum status save_begin(struct store *store, struct err *err) NODISCARD;
/* Makes room for one more change; ST_TOO_LARGE when the batch is full. probe: it, or what is added
 * to one. */
enum status save_room(struct store *store, const struct change *probe, struct err *err) NODISCARD;
/* The change of the row in this batch, made when it is not there. */
enum status save_change(struct store *store, const struct entity *e, int64_t row,
                        struct change **out, struct err *err) NODISCARD;
struct change *save_creation(struct store *store, int64_t row); /* made in this batch; else NULL */
/* Copies an edit into a change; an edit of the same cell there gives way. */
enum status change_put_edit(struct store *store, struct change *change, const struct edit *edit,
                            struct err *err) NODISCARD;
void change_drop_edit(struct change *change, uint32_t cell);
enum status change_add_retries(struct store *store, struct change *change,
                               const struct refusal_id *ids, size_t count,
                               struct err *err) NODISCARD;
enum status save_delete(struct store *store, const struct entity *e, int64_t id,
                        const struct refusal_id *retry, size_t *out_rows,
                        struct err *err) NODISCARD;
/* id 0: a new one. retry may be NULL. */
enum status save_create(struct store *store, const struct entity *e, int64_t id,
                        const struct field_edit *edits, size_t count,
                        const struct refusal_id *retry, int64_t *out_id, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_edit.c */

enum status save_edit(struct store *store, const struct entity *e, int64_t id,
                      const struct field_edit *edits, size_t count, const struct form *form,
                      const struct refusal_id *retry, bool *out_changed, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ what did not come in */

/* What a change that did not come in said, as edits of fields. */
enum status held_say_again(const struct entity *e, const struct change *change, struct arena *mem,
                           struct field_edit **out, size_t *out_count, struct err *err) NODISCARD;
/* An account, or the home of its team, left or came. */
void moves_left(struct store *store, int64_t account);
void moves_came(struct store *store, int64_t account);
/* The list of a reply takes the place of the one here; a reply without one changes nothing. */
enum status others_take(struct store *store, const struct round_reply *reply,
                        struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_outbox.c */

struct outbox_row {
    uint32_t n;
    bool sent;
    int64_t made_ms;
    uint32_t counter;
    struct batch batch;
    struct slice content; /* its canonical bytes */
    bool folded;          /* the batch is not what they say any more: while folding only */
};
enum status outbox_get(struct db *db, uint32_t n, struct arena *mem, struct outbox_row *out,
                       bool *out_found, struct err *err) NODISCARD;
typedef enum status outbox_each(void *ctx, struct outbox_row *row, struct err *err);
/* In order, from a number on. Each batch lives in mem of its own, until the next. */
enum status outbox_walk(struct db *db, uint32_t from, outbox_each *each, void *ctx,
                        struct err *err) NODISCARD;
enum status outbox_rewrite(struct db *db, const struct batch *batch, struct err *err) NODISCARD;
enum status outbox_newest(struct db *db, uint32_t *out_n, uint32_t *out_counter,
                          struct err *err) NODISCARD;
/* Puts all edits of the outbox on a row that has none of them, for rows that come back after a
 * rescue. */
enum status outbox_replay(struct store *store, struct local *local, struct arena *mem,
                          struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_fold.c */

/* The last of some batches takes in the text edits that its own stand on, where these were not
 * sent: they leave their batches. rows: in order, without gaps; rows and file say the same
 * afterwards. bytes: of all their contents, kept true. */
enum status fold_texts(struct store *store, struct outbox_row *rows, size_t count,
                       struct arena *mem, size_t *bytes, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_undo.c */

/* Takes back a batch that was not sent, inside a write transaction. */
enum status undo_unsent(struct store *store, const struct outbox_row *row,
                        struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_receipt.c */

/* One batch: its changes meet their receipt, and it leaves the outbox. proof: see proof_put. */
enum status receipt_take(struct store *store, const struct receipt *receipt, int64_t proof,
                         struct apply_counts *counts, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_report.c */

/* Steps through the ledger in the order in which it came: all of it, the entries of one row, or of
 * one seq (one change may lose in several cells). One query each, so that the caller may write
 * between. */
struct entry_walk {
    int64_t after;    /* number of the last entry; 0 at first */
    int64_t row, seq; /* 0: any */
    struct ledger_entry entry;
    bool done, found;
};

enum status entry_next(struct store *store, struct entry_walk *w, struct arena *mem,
                       struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_history.c */

/* Own changes, as the server answered them. */
enum status past_keep(struct store *store, const struct batch *batch, const struct receipt *receipt,
                      struct err *err) NODISCARD;
/* News from the server: the cells in mask become after, of which some may be as they were. */
enum status past_note(struct store *store, const struct local *before, uint64_t mask,
                      const struct value *after, int64_t seq, struct err *err) NODISCARD;
/* The row left this laptop: so does what was known of it. */
enum status past_forget(struct store *store, int64_t row, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_scope.c
 *
 * Homes come and go here, and rows with them. Rows that this laptop made and that have no receipt
 * yet are in no home: they stay.
 */

/* Where a pass over the rows of homes stands, between two of its steps. */
struct scope_pass {
    bool begun, done;
    bool looked;  /* at the rows that the pending table names */
    int64_t home; /* 0: none yet */
    uint32_t entity;
    int64_t row;
    int64_t *ids; /* of the page, ascending; made when first needed */
    size_t id_count;
};
/* Everything is to be asked for anew. */
void scope_restart(struct laptop_state *state);
/* What a reply says of homes as a whole: those that it does not name and that this laptop should
 * not have (an apply that was cut short left them) are withdrawn. */
enum status scope_take(struct store *store, const struct round_request *request,
                       const struct round_reply *reply, struct err *err) NODISCARD;
enum status scope_close(struct store *store, int64_t home, struct err *err) NODISCARD;
/* An account became another: where its home is leaving, its rows are now in one that leaves too,
 * unless it is held. */
enum status scope_repointed(struct store *store, int64_t from, int64_t to,
                            struct err *err) NODISCARD;
/* fresh: the laptop had told of no home yet, so that each is filled anew in any case. */
enum status scope_open(struct store *store, const struct grant_news *news, bool fresh,
                       struct err *err) NODISCARD;
/* Some rows of homes that were withdrawn go; until pass->done. */
enum status scope_leave_step(struct store *store, struct scope_pass *pass,
                             struct apply_counts *counts, struct err *err) NODISCARD;
/* Some rows go that are in the range of the reply's page and not in the page; until pass->done. */
enum status scope_speak_step(struct store *store, const struct round_request *request,
                             const struct round_reply *reply, struct scope_pass *pass,
                             struct apply_counts *counts, struct err *err) NODISCARD;
/* Nothing is being filled any more. */
enum status scope_filled(struct store *store, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_homes.c */

/* The part of the status that is about homes. */
enum status homes_status(struct store *store, const struct laptop_state *state,
                         struct store_status *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_forget.c
 *
 * What left goes with its bytes: the row, what it owned by inheriting its homes, what lost in it,
 * its history; then, in steps, the words in the index for full text, and the log of the engine.
 */

/* The row is in no home of this laptop any more. */
enum status forget_row(struct store *store, struct local *local, struct apply_counts *counts,
                       struct err *err) NODISCARD;
/* A home was withdrawn, or a row became another: what is known of rows that were deleted in it, or
 * of the one that is no more, goes at the end of the round, though no row left with it. */
enum status forget_begin(struct store *store, struct err *err) NODISCARD;
/* A row that left and waited for its receipt has gone. */
enum status forget_swept(struct store *store, int64_t row, struct err *err) NODISCARD;
/* A row that left is here again. */
enum status forget_not(struct store *store, int64_t row, struct err *err) NODISCARD;
/* Quarantine has closed an edit: nothing of it stays if its row left. */
enum status forget_held(struct store *store, uint32_t batch, uint32_t change,
                        struct err *err) NODISCARD;
/* Is there anything to do behind rows that left? It begins in a transaction of its own: the engine
 * writes the words of rows that went to its index only with the commit. */
enum status forget_is_due(struct store *store, bool *out, struct err *err) NODISCARD;
struct forget_pass { /* between two steps */
    bool begun, done;
    int64_t import_id, batch;
};
/* One step of it; until pass->done. */
enum status forget_step(struct store *store, struct forget_pass *pass, struct err *err) NODISCARD;
/* Outside of a transaction: the engine's log holds nothing of it either. Another reader may be in
 * the way; then the next round does it. */
enum status forget_end(struct store *store, struct err *err) NODISCARD;
/* ------------------------------------------------------------------ laptop_former.c */

enum status lost_load(struct store *store, struct laptop *laptop, struct err *err) NODISCARD;
/* A seq of a life that the server forgot: what stands there takes any news, and no receipt moves
 * it. */
bool seq_is_lost(const struct store *store, int64_t seq);
/* The row came at a seq that is lost here, and stands at the start of the epoch instead: the
 * server's own number is kept, for the digest. */
enum status reissued_put(struct store *store, int64_t row, int64_t seq, struct err *err) NODISCARD;
/* The number that the server has for a row that stands at seq here. */
enum status reissued_seq(struct store *store, int64_t row, int64_t seq, int64_t *out,
                         struct err *err) NODISCARD;
/* Head office has ended the recovery: *out_reread, once. What is still of the lost branch then was
 * given back by nobody, and goes by what the server has. */
enum status lost_is_over(struct store *store, const struct round_reply *reply,
                         const struct laptop_state *state, bool *out_reread,
                         struct err *err) NODISCARD;
enum status mark_put(struct store *store, const struct position *at, struct err *err) NODISCARD;
/* Receipts of a reply as the org signed them. *out_id: 0 when it has none. */
enum status proof_put(struct store *store, const struct round_reply *reply, int64_t *out_id,
                      struct err *err) NODISCARD;
/* Before the batch leaves the outbox. before: the device's chain before it. */
enum status kept_put(struct store *store, const struct receipt *receipt, const struct chain *before,
                     int64_t proof, struct err *err) NODISCARD;
/* A batch that was acknowledged in an earlier epoch. */
enum status kept_get(struct store *store, uint32_t batch, struct arena *mem, struct batch *out,
                     bool *out_found, struct err *err) NODISCARD;
/* It was given back: the receipt is of the present epoch. The receipt that is kept stays the first
 * one: what others had seen of the batch, they saw at the seq that it names, and should the server
 * go back once more, they name it so. */
enum status kept_given(struct store *store, const struct receipt *receipt,
                       struct err *err) NODISCARD;
/* What of it can be read in a damaged file. */
enum status former_rescue(struct store *to, struct db *damaged, struct err *err) NODISCARD;
enum status kept_trim(struct store *store, const struct round_reply *reply,
                      struct err *err) NODISCARD;
/* What the server has forgotten. *out: NULL: nothing. *out_chain: after the last. */
enum status give_back(struct store *store, struct arena *mem, struct give_back **out,
                      struct chain *out_chain, struct err *err) NODISCARD;
enum status marks_ask(struct store *store, struct arena *mem, struct round_request *request,
                      struct err *err) NODISCARD;
/* The server went back in time. The first time it is asked again, with the marks; then seqs of the
 * life that it forgot say nothing any more, and the log is read again from where both part. */
enum status enter_epoch(struct store *store, const struct round_request *request,
                        const struct round_reply *reply, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_facts.c */

/* Another epoch begins: the rows above back are kept as they are now, as the server had them, in
 * case that nobody else gives back what made them so. Inside a transaction. */
enum status facts_note(struct store *store, int64_t back, struct err *err) NODISCARD;
/* The next of them, if the server asked; else *out NULL. */
enum status facts_tell(struct store *store, struct arena *mem, struct batch **out,
                       struct err *err) NODISCARD;
/* What came in is told no more. */
enum status facts_told(struct store *store, const struct round_request *request,
                       const struct round_reply *reply, struct err *err) NODISCARD;
enum status facts_forget(struct store *store, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_added.c */

/* The lists of additions that are here, the newest first. */
enum status added_lists(struct store *store, struct arena *mem, struct signed_additions **out,
                        size_t *out_count, struct err *err) NODISCARD;
/* News of the catalogue: columns and views follow at once, before any row of the reply. */
enum status added_take(struct store *store, const struct round_reply *reply,
                       struct err *err) NODISCARD;
/* The server went back: the next request tells it what is known here. */
enum status added_tell(struct store *store, struct err *err) NODISCARD;
enum status added_ask(struct store *store, struct arena *mem, struct round_request *request,
                      struct err *err) NODISCARD;
/* Out of a damaged file, as far as it can be read. Inside a transaction. */
enum status added_rescue(struct store *to, struct db *damaged, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_pull.c */

enum status record_take(struct store *store, const struct record *record, struct arena *mem,
                        struct laptop_state *state, struct apply_counts *counts, bool *out_reread,
                        struct err *err) NODISCARD;
enum status alias_take(struct store *store, const struct alias_news *news, struct arena *mem,
                       struct apply_counts *counts, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ laptop_digest.c */

/* A row with these values came, changes or goes: the sums of its homes have to be counted anew. */
enum status digest_touch(struct store *store, const struct entity *e, int64_t row,
                         const struct value *values, struct err *err) NODISCARD;
/* All sums have. */
enum status digest_forget(struct store *store, struct err *err) NODISCARD;
/* Keeps what a reply says the book should come to. */
enum status digest_told(struct store *store, const struct round_reply *reply,
                        struct err *err) NODISCARD;
/* Has nothing been told since a round brought something? */
enum status digest_wanted(struct store *store, bool *out, struct err *err) NODISCARD;
/* *out_here false: not here, on its way out, or not yet at the server. */
enum status digest_row_hash(struct store *store, const struct entity *e, int64_t id,
                            const uint8_t key[SIGN_PUBLIC_BYTES], struct buf *scratch,
                            uint8_t out[BOOK_DIGEST_BYTES], bool *out_here,
                            struct err *err) NODISCARD;

#endif
