/* Rows of the book in the engine's tables: schema from the catalogue, reading, writing, full text.
 * Private to syncd/store; laptop and server stores stand on it.
 *
 * Table r_<entity>: id, one column per stored field (derived fields have none), then hidden
 * columns: laptop: _seq (the row's seq; negative: minus the own batch that created it, no receipt
 * yet), _gone (NULL here; 1 hidden by an own delete without receipt; 2 left, dead or aliased, stays
 *           read-only while the outbox names it), _more (cells that this release does not know)
 *   Added fields are columns called _<tag>; at the server they stand in one column _added, by tag
 *   (rows.c), so that an addition changes no table.
 *   server: _seq, _whole (seq since which the row counts as whole), _dead (seq of the delete that
 * took it, NULL: living), _clock (clocks and dots, centre.h), _more View <entity>: what people and
 * BI read: living rows, enum names, ISO dates, decimals as REAL, derived fields, id, short_id,
 * created_device, seq.
 */
#ifndef ROADBOOK_STORE_ROWS_H
#define ROADBOOK_STORE_ROWS_H

#include "syncd/store/db.h"
#include "syncd/store/store.h"

enum rows_role { ROWS_LAPTOP, ROWS_SERVER };

/* Creates or additively migrates tables, indexes (every reference, every natural key, dates of
 * visits, tasks and follow-ups, title), views. Cells kept in _more that the catalogue now knows
 * move into their columns. */
enum status rows_schema(struct db *db, const struct catalogue *cat, enum rows_role role,
                        struct err *err) NODISCARD;
/* The same after additions to the catalogue: columns of fields that before did not have, views. */
enum status rows_extend(struct db *db, const struct catalogue *before, const struct catalogue *cat,
                        enum rows_role role, struct err *err) NODISCARD;
void rows_schema_sql(const struct catalogue *cat, enum rows_role role,
                     struct buf *out); /* for the golden file */

/* Hidden columns of both roles; those of the other role are 0. */
struct row_meta {
    int64_t seq;
    int64_t gone; /* laptop: _gone; server: _dead; 0: living */
    int64_t whole;
    struct slice clock;
    struct slice more; /* values of unknown cells: record cells, see rows_more_* */
};

/* values: one per field of the entity (NULL for derived). Found: *out_found. Texts are copied to
 * mem. */
enum status rows_read(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                      struct arena *mem, struct value **out_values, struct row_meta *out_meta,
                      bool *out_found, struct err *err) NODISCARD;
/* Only whether the row is there, and its _gone or _dead. */
enum status rows_gone(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                      bool *out_found, int64_t *out_gone, struct err *err) NODISCARD;
/* New row; full text too when search is set (laptops). */
enum status rows_insert(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                        const struct value *values, const struct row_meta *meta, bool search,
                        struct err *err) NODISCARD;
/* Writes the fields of the cells in mask (bit = cell index) and always all hidden columns. old: the
 * values that the row has, for full text (may be NULL when search is false). */
enum status rows_update(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                        uint64_t cell_mask, const struct value *values, const struct row_meta *meta,
                        bool search, const struct value *old, struct err *err) NODISCARD;
enum status rows_delete(struct db *db, const struct entity *e, int64_t id, bool search,
                        const struct value *old, struct err *err) NODISCARD;
/* Full text of a row: title and body as indexed. */
enum status rows_text(const struct entity *e, const struct value *values, struct arena *mem,
                      struct slice *out_title, struct slice *out_body, struct err *err) NODISCARD;
/* Laptops: the full text anew, from the rows that are here. For when it cannot be trusted. */
enum status rows_index_all(struct db *db, const struct catalogue *cat, struct err *err) NODISCARD;
/* The row with this natural key; 0 when there is none. Living ones only on the laptop, all at the
 * server. */
enum status rows_by_key(struct db *db, const struct entity *e, enum rows_role role,
                        const struct value *values, int64_t *out_id, struct err *err) NODISCARD;
/* Ids of living rows that own_field says belong to owner. */
enum status rows_owned(struct db *db, const struct entity *e, enum rows_role role, int64_t owner,
                       struct arena *mem, int64_t **out_ids, size_t *out_count,
                       struct err *err) NODISCARD;
/* The unknown cells of a row: merges cells into more. */
enum status rows_more_put(struct slice more, const struct record_cell *cell, struct arena *mem,
                          struct slice *out, struct err *err) NODISCARD;
enum status rows_more_read(struct slice more, struct arena *mem, struct record_cell **out,
                           size_t *out_count, struct err *err) NODISCARD;

/* A whole row in few bytes, beside the tables: by place what the release declares, by tag what was
 * added. trim: without empty fields at its end. */
void rows_image_write(const struct entity *e, const struct value *values, bool trim,
                      struct buf *out);
/* *out: one per field, in mem. */
enum status rows_image_read(const struct entity *e, struct slice bytes, struct arena *mem,
                            struct value **out, struct err *err) NODISCARD;

/* The database of a store, for the files of this folder. */
struct db *store_db(struct store *store);

#endif
