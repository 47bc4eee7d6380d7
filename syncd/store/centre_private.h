/* Private to syncd/store: what the files of the server's half share. */
#ifndef ROADBOOK_CENTRE_PRIVATE_H
#define ROADBOOK_CENTRE_PRIVATE_H

#include "syncd/store/centre.h"
#include "syncd/store/centre_scope.h"
#include "syncd/store/store_private.h"

#define SETTING_SEED "org_key_seed" /* a secret: no statement of head office reads it */

enum {
    CENTRE_DEVICES_KEPT = 1024, /* device records in memory: half a megabyte at most */
    CENTRE_ROWS_KEPT = 4096     /* rows known to live: references repeat themselves */
};

struct centre {
    struct store *store;
    struct db *db;
    const struct catalogue *cat;
    const struct env *env;
    bool head_is_known;
    bool ids_begun;       /* head office has given one since the book was opened */
    int64_t data_version; /* of the engine when head and devices were read */
    struct centre_head head;
    struct centre_scope scope;
    int64_t due_ms;                              /* when something dated happens next; 0: never */
    bool due_is_known;                           /* ... else it has to be worked out */
    struct centre_head marks[CENTRE_MARK_COUNT]; /* the head when a mark was set */
    int64_t aliases;
    uint32_t as, as_formerly, as_batch; /* centre_as; as 0: nobody */
    int64_t timed_seq, timed_ms;        /* the seq whose time was asked last; 0: none */
    int64_t ledger_seq;                 /* entries of one seq are counted */
    int64_t ledger_ord;
    bool collected_known, collected_any; /* have tombstones ever been collected here? */
    bool copies;                         /* each transaction is copied to a folder */
    struct copying *copying;             /* centre_copy.c; NULL until then */
    struct reached *reached;             /* centre_reached.c; NULL: not followed */
    struct digests *digests;             /* centre_digest.c; NULL until something is written */
    bool digest_marks[CENTRE_MARK_COUNT];
    struct centre_device *devices[CENTRE_DEVICES_KEPT]; /* by number modulo */
    struct centre_ref living[CENTRE_ROWS_KEPT];         /* by id modulo */
};

/* ------------------------------------------------------------------ centre_copies.c */

/* The device under whose number the journal has this batch of a device. */
enum status centre_device_then(struct centre *c, uint32_t *device, uint32_t batch,
                               struct err *err) NODISCARD;
/* As centre_as says, in a row that was read. */
void centre_relabel(const struct centre *c, struct row_clock *clock);
/* Which laptop of the user a book is a copy of (0: of none, it has sent nothing yet), and the last
 * batch that both have. ST_CONFLICT. */
enum status centre_copy_find(struct centre *c, int64_t user, const struct copied_book *copy,
                             uint32_t *out_device, uint32_t *out_batch, struct chain *out_chain,
                             struct err *err) NODISCARD;

/* Forgets what may have been changed by others, or was undone. */
void centre_forget(struct centre *c);
/* Makes the head current; cheap when nobody else committed. */
enum status centre_refresh(struct centre *c, struct err *err) NODISCARD;
/* The additions as they are, signed with the org's present key. Inside a transaction. */
enum status centre_added_sign(struct centre *c, struct err *err) NODISCARD;
/* The greatest number that an addition has; 0: there are none. */
enum status centre_added_greatest(struct centre *c, int64_t *out, struct err *err) NODISCARD;
/* News of people moved: next version, remembered devices forgotten. Inside a transaction. */
enum status centre_news(struct centre *c, struct err *err) NODISCARD;
/* Runs inside the transaction that is open, or in one of its own. */
typedef enum status centre_work(struct centre *c, void *ctx, struct err *err);
enum status centre_write(struct centre *c, centre_work *work, void *ctx, struct err *err) NODISCARD;

/* The setting before anything is set, and one number of it by its name in meta. */
struct centre_scope centre_scope_default(void);
void centre_scope_take(struct centre_scope *scope, struct slice name, int64_t value);
/* Steps to the end: column 0, as an array in mem. */
enum status centre_take_ids(struct db_stmt *s, struct arena *mem, int64_t **out, size_t *out_count,
                            struct err *err) NODISCARD;
struct chain log_chain(const struct chain *before, const struct log_entry *entry);
void log_entry_take(struct db_stmt *s, struct log_entry *out); /* of the columns LOG_COLUMNS */
void log_homes_write(const struct log_homes *homes, struct buf *out);
bool log_homes_read(struct slice bytes, struct log_homes *out); /* false: none, or damaged */
enum { LOG_COLUMN_COUNT = 9 };
#define LOG_COLUMNS "seq, time_ms, kind, entity, row, device, batch, change, outcome"
/* Digests follow what the handle does: a transaction begins anew or is undone to a mark; the commit
 * writes the sums first. */
void centre_digests_begin(struct centre *c);
void centre_digests_mark(struct centre *c, enum centre_mark mark);
void centre_digests_undo(struct centre *c, enum centre_mark mark);
void centre_digests_stop(struct centre *c);
enum status centre_digests_flush(struct centre *c, struct err *err) NODISCARD;
enum status centre_digest_seen(struct centre *c, const struct centre_row *row,
                               struct err *err) NODISCARD;
enum status centre_digest_insert(struct centre *c, const struct centre_row *row,
                                 struct err *err) NODISCARD;
/* The copy follows what the handle does: begin, take before the commit, put after it. */
enum status centre_copy_begin(struct centre *c, struct err *err) NODISCARD;
enum status centre_copy_take(struct centre *c, struct err *err) NODISCARD;
enum status centre_copy_put(struct centre *c, struct err *err) NODISCARD;
void centre_copy_end(struct centre *c);
/* The mark beside the book follows what is committed; errors cost nothing but the mark. */
void centre_reached_note(struct centre *c);
void centre_reached_stop(struct centre *c);
/* A chain as a column holds it; anything of another length is the zero chain. */
struct chain chain_of(struct slice bytes);
void text_put(char *out, size_t room, struct slice s); /* cut at a character, zero-terminated */

#endif
