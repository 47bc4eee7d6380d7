/* Private to syncd/store: what its files share about an open store.
 *
 * store.c owns the life of the handle. laptop_*.c and centre_*.c hang what they need for a store of
 * their kind on the pointers below and are called through the hooks at the end.
 */
#ifndef ROADBOOK_STORE_PRIVATE_H
#define ROADBOOK_STORE_PRIVATE_H

#include "protocol/model/addition.h"
#include "syncd/store/db.h"
#include "syncd/store/rows.h"
#include "syncd/store/store.h"

struct laptop; /* laptop_*.c: the save in progress, counters, clocks */
struct centre; /* centre_*.c */

/* Name of the setting with a copy of the identity, as it lies in memory: on another page of the
 * file, since a laptop whose identity cannot be read has to be enrolled again. */
#define STORE_SPARE_IDENTITY "identity"

struct store {
    struct db *db;
    const struct catalogue *cat;     /* with what was added at run time: the release's, or own */
    const struct catalogue *release; /* as config said */
    struct catalogue own;
    struct arena own_mem; /* of all catalogues that the handle ever had: rows name their entities */
    int64_t added_version; /* of the additions in cat; 0: there are none */
    const struct env *env;
    enum store_kind kind;
    enum rows_role role; /* follows from kind */
    bool read_only;
    bool is_current; /* schema and catalogue are those of this release; readers may find older */
    char *path;
    struct laptop *laptop; /* NULL until laptop_*.c needs it; laptop_stop frees it */
    struct centre *centre; /* likewise, centre_stop */
};

/* Memory of one call inside the store: large enough for any row, small enough for a laptop. */
enum { STORE_SCRATCH_CAP = 16 * 1024 * 1024 };

/* The first form of the whole file. Moves only when an older release could no longer work with it.
 */
enum { STORE_SCHEMA_VERSION = 2 }; /* 2: the org's private key is among the secrets */
enum { STORE_LAYOUT = 5 }; /* hidden tables that were only added: an older release may go on */

/* Small facts about the file itself: table meta(name, value). *out 0 when absent. */
enum status meta_int(struct db *db, const char *name, int64_t *out, struct err *err) NODISCARD;
enum status meta_int_set(struct db *db, const char *name, int64_t value, struct err *err) NODISCARD;
enum status meta_blob(struct db *db, const char *name, struct arena *mem, struct slice *out,
                      struct err *err) NODISCARD;
enum status meta_blob_set(struct db *db, const char *name, struct slice value,
                          struct err *err) NODISCARD;

/* A column of just that many bytes; else false, and *out stays. */
bool column_take(struct db_stmt *s, int column, uint8_t *out, size_t bytes);

/* added.c: the catalogue follows the additions in the file. Cheap when they did not move. */
enum status added_refresh(struct store *store, struct err *err) NODISCARD;
/* They moved in this transaction: next version, columns and views. */
enum status added_moved(struct store *store, struct err *err) NODISCARD;
/* ST_CONFLICT: the entity is of a catalogue that the handle had before. */
enum status added_check(const struct store *store, const struct entity *e,
                        struct err *err) NODISCARD;
/* What each half keeps: read into mem. */
enum status laptop_additions(struct store *store, struct arena *mem, struct additions *out,
                             struct err *err) NODISCARD;
enum status centre_additions_read(struct db *db, struct arena *mem, struct additions *out,
                                  struct err *err) NODISCARD;

/* Table alias(from_id INTEGER PRIMARY KEY, to_id INTEGER): ids that became another; to_id is always
 * final. */
enum status alias_resolve(struct db *db, int64_t id, int64_t *out, struct err *err) NODISCARD;

/* Hooks. schema runs inside the transaction that makes or migrates the file, only when the schema
 * version or the catalogue's moved on: CREATE TABLE IF NOT EXISTS ... . stop is called by
 * store_close before the database closes. verify appends findings, one a line. is_pending: does the
 * outbox name the row? */
enum status laptop_schema(struct db *db, struct err *err) NODISCARD;
void laptop_stop(struct store *store);
enum status laptop_verify(struct store *store, struct buf *out_findings, struct err *err) NODISCARD;
enum status laptop_is_pending(struct store *store, const struct entity *e, int64_t id, bool *out,
                              struct err *err) NODISCARD;
enum status centre_schema(struct db *db, struct err *err) NODISCARD;
void centre_stop(struct store *store);
void centre_catalogue_moved(struct store *store); /* the centre's part follows store->cat */
enum status centre_verify(struct store *store, struct buf *out_findings, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ SQL of rows (rows_sql.c) */

const char *rows_living_sql(enum rows_role role);      /* "_gone IS NULL" or "_dead IS NULL" */
bool rows_holds_text(const struct field *f);           /* its column is TEXT */
unsigned rows_scale(const struct field *f);            /* digits behind the point */
bool rows_is_stored(const struct field *f);            /* has a column */
void rows_put_name(struct buf *sql, const char *name); /* quoted */
void rows_put_table(struct buf *sql, const struct entity *e); /* "r_visit" */
/* , "account", "note" FROM "r_visit": the stored columns, behind those that the caller wants first.
 */
void rows_put_columns(struct buf *sql, const struct entity *e, enum rows_role role);
/* What a field is in a row of its table: a column, or its place in the server's packed column. */
void rows_put_field(struct buf *sql, const struct field *f, enum rows_role role);
bool rows_is_column(const struct field *f, enum rows_role role);
/* The name of its column: of an added field by its tag, since names may be taken by a later
 * release. */
void rows_put_column(struct buf *sql, const struct field *f);
/* The raw value of a field of the row r: its column, or what derives it from living rows. */
void rows_put_value(struct buf *sql, const struct catalogue *cat, enum rows_role role,
                    const struct field *f);
void rows_put_table_ddl(struct buf *sql, const struct entity *e, enum rows_role role);
void rows_put_index_ddl(struct buf *sql, const struct entity *e); /* each ends with ";\n" */
void rows_put_view_ddl(struct buf *sql, const struct catalogue *cat, const struct entity *e,
                       enum rows_role role);
extern const char *const ROWS_COMMON_DDL; /* meta, alias, identity, settings */

/* The values of a row from columns that begin at first, one per stored field (all: derived ones
 * too). */
enum status rows_take_values(const struct entity *e, struct db_stmt *s, int first, bool all,
                             struct arena *mem, struct value **out, struct err *err) NODISCARD;

/* Columns of a row for people: id, _seq, _gone or _dead, one per field. store_take_row reads them.
 */
void store_put_columns(const struct store *store, const struct entity *e, struct buf *sql);
enum status store_take_row(struct store *store, const struct entity *e, struct db_stmt *s,
                           struct arena *mem, struct row *out, struct err *err) NODISCARD;

#endif
