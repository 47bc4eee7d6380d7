/* What every program that shows or takes data needs: FIELD=VALUE arguments, rows as text and JSON,
 * CSV, import and export. Derived from the catalogue: no field is named here.
 *
 * Reads through syncd/store, on laptops and at the server alike; writes go through struct
 * api_writer, which each program fills with its own saves.
 */
#ifndef ROADBOOK_API_H
#define ROADBOOK_API_H

#include "syncd/store/store.h"

struct api_book { /* a book, and how its reader wants to see it */
    struct store *store;
    enum lang lang;
    int utc_offset_min;
    unsigned columns; /* of the terminal; 0: do not cut */
};

/* ------------------------------------------------------------------ arguments */

/* Text of a person for a field: field_parse, and references by short id, natural key, external
 * number or title. */
enum status api_value(const struct api_book *book, const struct field *f, struct slice text,
                      struct arena *mem, struct value *out, struct err *err) NODISCARD;
/* field=value, field+=value, field-=value; field= empties. The error names the fields that exist
 * when it is unknown. */
enum status api_edit(const struct api_book *book, const struct entity *e, struct slice word,
                     struct arena *mem, struct field_edit *out, struct err *err) NODISCARD;
/* field=v field!=v field~text field>=v field<=v field>v field<v */
enum status api_condition(const struct api_book *book, const struct entity *e, struct slice word,
                          struct arena *mem, struct condition *out, struct err *err) NODISCARD;
/* An entity by name or label in either language; the error lists those that exist. */
enum status api_entity(const struct catalogue *cat, struct slice text, const struct entity **out,
                       struct err *err) NODISCARD;
/* A field by name or label; the error lists those that exist. */
enum status api_field(const struct entity *e, struct slice text, const struct field **out,
                      struct err *err) NODISCARD;

/* ------------------------------------------------------------------ rows for people and programs
 */

/* {"id":123,"short_id":"3-1Z7K","name":"Acme",...,"seq":7,"pending":true}; fields == NULL: all.
 * Empty fields are null, empty sets []. */
void api_row_json(const struct api_book *book, const struct row *row,
                  const struct field *const *fields, size_t count, struct buf *out);
/* One "label: value" line a field that is not empty; references by title and short id. */
enum status api_row_text(const struct api_book *book, const struct row *row, struct buf *out,
                         struct err *err) NODISCARD;
/* The value of one field as a person reads it; references by title. */
enum status api_value_text(const struct api_book *book, const struct field *f, struct value v,
                           struct arena *mem, struct slice *out, struct err *err) NODISCARD;

/* The same on one line, for tables: line feeds of notes become blanks, between the elements of a
 * set commas. */
void api_value_line(const struct field *f, struct slice text, struct buf *out);
/* "2026-11-21 09:30", and the zone that stands so far from Greenwich: "UTC+8", "UTC+5:30". */
void api_put_minute(int64_t unix_ms, int utc_offset_min, struct buf *out);
void api_put_zone(int utc_offset_min, struct buf *out);

/* A table: first all cells, then written with columns as wide as they need, cut to the terminal. A
 * Chinese character takes two columns. Rows of JSON and CSV are not its business. */
struct api_table;
enum status api_table_open(size_t columns, struct api_table **out, struct err *err) NODISCARD;
void api_table_close(struct api_table *t);
void api_table_right(struct api_table *t, size_t column); /* numbers stand to the right */
void api_table_cell(struct api_table *t,
                    struct slice text); /* row by row; the first row is the head */
/* Columns that are empty in all rows so far are left out. */
void api_table_hide_empty(struct api_table *t);
void api_table_write(const struct api_table *t, unsigned terminal_columns, struct buf *out);
/* Fields that a list shows when nobody asked for certain ones: title, references, states, dates; at
 * most eight. */
size_t api_list_fields(const struct entity *e, const struct field **out, size_t max);

/* ------------------------------------------------------------------ CSV (RFC 4180) */

enum { CSV_COLUMNS_MAX = 500, CSV_FIELD_BYTES_MAX = 1024 * 1024 };
struct csv;
/* bytes: the whole file. encoding: "utf-8", "gb18030", or NULL to find out (BOM, else valid UTF-8,
 * else GB18030). The separator is , ; | or a tab, whichever the head has most of. */
enum status csv_open(struct slice bytes, const char *encoding, struct csv **out,
                     struct err *err) NODISCARD;
void csv_close(struct csv *csv);
const char *csv_encoding(const struct csv *csv);
/* The next record; *out_count 0 at the end. *out_line: where it begins, from 1. Fields borrowed
 * until the next call. */
enum status csv_next(struct csv *csv, const struct slice **out_fields, size_t *out_count,
                     int64_t *out_line, struct err *err) NODISCARD;
void csv_write_field(struct buf *out, struct slice text, bool first);
void csv_write_end(struct buf *out);

/* ------------------------------------------------------------------ import */

enum import_mode { IMPORT_BOTH, IMPORT_CREATE_ONLY, IMPORT_UPDATE_ONLY };
struct import_options {
    const struct entity *entity;
    struct slice bytes;
    const char *encoding; /* NULL: find out */
    struct slice map;     /* "COLUMN=field,COLUMN2=-"; over the names that are known */
    const struct field
        *match;    /* finds the row that exists; NULL: the natural key if there is one */
    bool match_id; /* rows are found by the column of their ids; then match is NULL */
    enum import_mode mode;
    bool dry_run;
};
/* How the program saves. A batch is opened by begin and closed by commit; ST_TOO_LARGE from create
 * or edit means: it is full, commit, begin another and try again. */
struct api_writer {
    void *ctx;
    enum status (*begin)(void *ctx, struct err *err);
    enum status (*create)(void *ctx, const struct entity *e, const struct field_edit *edits,
                          size_t count, int64_t *out_id, struct err *err);
    enum status (*edit)(void *ctx, const struct entity *e, int64_t id,
                        const struct field_edit *edits, size_t count, bool *out_changed,
                        struct err *err);
    enum status (*commit)(void *ctx, struct err *err);
    void (*rollback)(void *ctx);
};
enum import_fate { IMPORT_CREATED, IMPORT_UPDATED, IMPORT_UNCHANGED, IMPORT_REFUSED, IMPORT_FATES };
struct import_row {
    int64_t line;
    enum import_fate fate;
    int64_t id;     /* 0: refused, or created in a dry run */
    struct err why; /* refused */
};
struct import_totals {
    int64_t rows[IMPORT_FATES];
    size_t batches;
    const char *encoding;
    struct slice mapping; /* "column -> field" lines, and columns that were left out */
};
typedef enum status import_report(void *ctx, const struct import_row *row, struct err *err);
typedef bool import_progress(void *ctx, int64_t done,
                             int64_t total); /* bytes; false stops after this batch */
/* What --match says: a field of options->entity, by name or label, or id. NULL says nothing. */
enum status import_match(struct import_options *options, const char *typed,
                         struct err *err) NODISCARD;
/* Rows that cannot be taken are refused one by one; the others go on. A dry run writes nothing. An
 * empty cell says nothing: it empties no field. A row is reported when its batch is committed.
 * Errors are those of the whole: no column is known, the encoding is wrong, the disk is full.
 * ST_CANCELLED: progress said so; *out tells what was done until then. */
enum status import_run(const struct api_book *book, const struct api_writer *writer,
                       const struct import_options *options, import_report *report,
                       import_progress *progress, void *ctx, struct arena *mem,
                       struct import_totals *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ export */

enum export_form { EXPORT_CSV, EXPORT_JSONL };
/* What import takes back: CSV with field names as head, behind the short id of the row; sets joined
 * by "; ", references by natural key, external number or title when unique, else short id. write is
 * called with pieces. excel: with the mark by which Excel knows UTF-8, and ids in the form that it
 * does not take for dates. */
typedef enum status export_write(void *ctx, struct slice piece, struct err *err);
enum status export_run(const struct api_book *book, const struct query *query,
                       enum export_form form, bool excel, export_write *write, void *ctx,
                       int64_t *out_rows, struct err *err) NODISCARD;

#endif
