/* The engine door: what the store needs of a database, and nothing else. db_sqlite.c is the driver
 * of SQLite and the only file that includes sqlite3.h; a driver for another engine implements this
 * page.
 *
 * SQL that passes through here keeps to what SQLite and PostgreSQL share (INSERT ... ON CONFLICT,
 * parameters as ?, no triggers); what is the engine's own (full text, backup, pragmas) has a
 * function. Private to syncd/store. A handle belongs to one thread at a time.
 */
#ifndef ROADBOOK_STORE_DB_H
#define ROADBOOK_STORE_DB_H

#include "protocol/base/base.h"

struct db;
struct db_stmt;

/* DB_ERASES: what is taken out leaves no bytes in the file (db_erase.c). */
enum db_flags { DB_CREATE = 1, DB_READ_ONLY = 2, DB_ERASES = 4 };
enum { DB_BUSY_MS = 10000 }; /* how long a writer waits for another */

/* WAL, synchronous=FULL, foreign keys off (the merge owns references), file mode 0600, own
 * tokenizer registered. ST_NOT_FOUND without DB_CREATE, ST_DAMAGED for a file that is not a
 * database. */
enum status db_open(const char *path, int flags, struct db **out, struct err *err) NODISCARD;
void db_close(struct db *db); /* finalizes the cached statements */
enum status db_exec(struct db *db, const char *sql, struct err *err) NODISCARD;

/* Statements are cached by their text for the life of the handle: asking again with the same text
 * is a hash lookup. Returned reset and unbound; borrowed. While one is being stepped through,
 * asking for the same text gives another copy, so that a callback may read what its caller reads.
 */
enum status db_prepare(struct db *db, const char *sql, struct db_stmt **out,
                       struct err *err) NODISCARD;
/* A second way into the same cache, without building the text: by an object, what is done with it,
 * and a mask. NULL: not there yet; then prepare by text and keep it. db_forget empties this way
 * when the objects go. */
struct db_stmt *db_kept(struct db *db, const void *object, uint32_t what, uint64_t mask);
enum status db_keep(struct db *db, const void *object, uint32_t what, uint64_t mask,
                    struct db_stmt *s, struct err *err) NODISCARD;
void db_forget(struct db *db);
void db_bind_null(struct db_stmt *s, int index); /* index from 1; failures stick until db_step */
void db_bind_int(struct db_stmt *s, int index, int64_t v);
void db_bind_text(struct db_stmt *s, int index,
                  struct slice v); /* bytes must live until the reset */
void db_bind_blob(struct db_stmt *s, int index, struct slice v);
size_t db_parameter_count(const struct db_stmt *s);
enum status db_step(struct db_stmt *s, bool *out_row, struct err *err) NODISCARD;
enum status db_run(struct db_stmt *s, struct err *err) NODISCARD; /* step to the end, then reset */
void db_reset(struct db_stmt *s);
int db_column_count(struct db_stmt *s);
const char *db_column_name(struct db_stmt *s, int column);
bool db_is_null(struct db_stmt *s, int column); /* columns from 0 */
bool db_is_text(struct db_stmt *s, int column);
bool db_is_real(struct db_stmt *s, int column);
int64_t db_int(struct db_stmt *s, int column);
double db_real(struct db_stmt *s, int column);
struct slice db_text(struct db_stmt *s, int column); /* borrowed until the next step */
struct slice db_blob(struct db_stmt *s, int column);

enum status db_begin(struct db *db, bool write, struct err *err) NODISCARD;
enum status db_commit(struct db *db, struct err *err) NODISCARD;
void db_rollback(struct db *db);
/* Between two write transactions of a long piece of work: whoever waits for the lock gets it. Takes
 * 2 ms. */
void db_let_others(void);
bool db_in_transaction(const struct db *db);
int64_t db_changes(const struct db *db); /* rows changed by the last statement */
/* Moves when another handle or process committed. About a microsecond. */
enum status db_data_version(struct db *db, int64_t *out, struct err *err) NODISCARD;
enum status db_checkpoint(struct db *db, struct err *err) NODISCARD;
/* Outside of a transaction: everything into the file itself, and the log empty. *out_done false: a
 * reader or a writer was in the way; nobody is waited for. */
enum status db_checkpoint_all(struct db *db, bool *out_done, struct err *err) NODISCARD;

/* Do these bytes stand anywhere in the file itself, also where nothing is? Its log is not looked
 * at. Through the engine's own handle: a file of the engine must never be opened and closed beside
 * it, since that ends the locks of the whole process. */
enum status db_file_has(struct db *db, struct slice bytes, bool *out, struct err *err) NODISCARD;

typedef bool db_progress(void *ctx, int64_t done, int64_t total); /* false: stop */
enum status db_backup(struct db *db, const char *path, db_progress *progress, void *ctx,
                      struct err *err) NODISCARD;
/* The engine's own check. Each finding is a line in *out; none: empty. */
enum status db_integrity(struct db *db, struct buf *out, struct err *err) NODISCARD;
/* As db_prepare, for a text that is not worth keeping. The caller releases it. */
enum status db_prepare_once(struct db *db, const char *sql, struct db_stmt **out,
                            struct err *err) NODISCARD;
/* Read-only statement by a person: refuses whatever would write or attach, and tables whose names
 * begin with secret_. Not cached; the caller releases it. All cached statements are compiled again
 * at their next use: not for what programs ask. */
enum status db_prepare_read_only(struct db *db, const char *sql, struct db_stmt **out,
                                 struct err *err) NODISCARD;
void db_release(struct db_stmt *s); /* resets what is cached, ends what is not */
/* Another file stands at the path that this one was opened by. */
bool db_has_moved(const struct db *db);
/* Puts the pages that say what tables there are, of a file that was just made, over those of a
 * damaged one: they are the same in each file that was made by this release. */
enum status db_mend_schema(const char *fresh_path, const char *damaged_path,
                           struct err *err) NODISCARD;
/* Copies what can still be read of a damaged file's table, row by row, skipping what cannot. */
typedef enum status db_salvage_row(void *ctx, struct db_stmt *row, struct err *err);
enum status db_salvage(struct db *damaged, const char *table, db_salvage_row *row, void *ctx,
                       int64_t *out_rows, struct err *err) NODISCARD;

/* Full text: one contentless index, rowid = row id (ids are unique across entities). Words of Latin
 * script are folded words, every Chinese, Japanese or Korean character is a word, so that a phrase
 * finds any substring. */
enum status db_text_create(struct db *db, struct err *err) NODISCARD;
enum status db_text_add(struct db *db, int64_t id, struct slice title, struct slice body,
                        struct err *err) NODISCARD;
enum status db_text_remove(struct db *db, int64_t id, struct slice title, struct slice body,
                           struct err *err) NODISCARD;
/* Turns what a person typed into a query (words by prefix, Chinese runs as phrases, all must occur)
 * and steps through ids, best first. *out_stmt as from db_prepare; column 0 is the id. ST_INVALID:
 * nothing to search for. */
enum status db_text_query(struct db *db, struct slice typed, int64_t limit, struct arena *mem,
                          struct db_stmt **out_stmt, struct err *err) NODISCARD;
/* Some milliseconds of merging, so that no word of rows that were taken out stays in the index.
 * first: begin with all that there is now. *out_done: nothing is left to merge. */
enum status db_text_compact(struct db *db, bool first, bool *out_done, struct err *err) NODISCARD;
/* Empties the index. */
enum status db_text_clear(struct db *db, struct err *err) NODISCARD;
/* A sum over all the index holds, and what one row adds to it: equal when the index is that of the
 * rows. */
enum status db_text_sum(struct db *db, uint64_t *out, struct err *err) NODISCARD;
uint64_t db_text_sum_row(int64_t id, struct slice title, struct slice body);

/* ------------------------------------------------------------------ recording (db_record.c)
 *
 * What is written between start and take, as bytes; undone savepoints leave nothing in it.
 */
struct db_record;
enum status db_record_start(struct db *db, struct db_record **out, struct err *err) NODISCARD;
void db_record_stop(struct db_record *record);
/* Appends to out; nothing when nothing was written. */
enum status db_record_take(struct db_record *record, struct buf *out, struct err *err) NODISCARD;
/* Does it again. *conflicts grows by rows that stood otherwise than when it was recorded. */
enum status db_record_apply(struct db *db, struct slice changes, int64_t *conflicts,
                            struct err *err) NODISCARD;

#endif
