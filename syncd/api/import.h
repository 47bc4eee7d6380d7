/* Private to syncd/api: the parts of an import. import_map.c reads the head, import_row.c takes one
 * row, import.c runs the whole with its batches and reports.
 */
#ifndef ROADBOOK_API_IMPORT_H
#define ROADBOOK_API_IMPORT_H

#include "syncd/api/api.h"
#include "syncd/api/directory.h"
#include "syncd/api/lookup.h"

/* How far a file is read, in bytes of its UTF-8 form. */
int64_t csv_position(const struct csv *csv, int64_t *out_total);

struct mapping {                                 /* which field each column of the file is for */
    const struct field *fields[CSV_COLUMNS_MAX]; /* NULL: left out */
    size_t count;
    size_t id; /* the column of the rows' ids, with match_id */
};
/* *out_text: a line for each column, for people. In mem. */
enum status mapping_make(const struct import_options *options, enum lang lang,
                         const struct slice *head, size_t count, struct arena *mem,
                         struct mapping *out, struct slice *out_text, struct err *err) NODISCARD;

struct import_note; /* a report that waits for the commit of its batch */

struct import {
    const struct api_book *book;
    const struct api_writer *writer;
    const struct import_options *options;
    import_report *report;
    import_progress *progress;
    void *ctx;
    struct csv *csv;
    struct mapping mapping;
    struct directory
        *directories[ENTITY_COUNT_MAX]; /* of the entities that columns refer to, by position */
    const struct field *match[ENTITY_KEY_MAX];
    size_t match_count;
    struct arena known_mem;
    struct lookup known;    /* match key -> id; 0: several rows have it */
    struct arena batch_mem; /* what concerns the open batch only */
    struct lookup touched;  /* id -> values after what this batch did */
    struct import_note *first, *last;
    bool open;
    int64_t made_up_id; /* of rows that a dry run would create: -1, -2 ... */
    struct import_totals totals;
};

/* Commits the open batch and tells the reports that waited for it. */
enum status import_flush(struct import *im, struct err *err) NODISCARD;
enum status import_ensure_open(struct import *im, struct err *err) NODISCARD;

/* Takes one record. Fails only with what ends the whole; else *out says what became of the row. */
enum status import_row_take(struct import *im, const struct slice *cells, size_t count,
                            struct arena *mem, struct import_row *out, struct err *err) NODISCARD;
/* The directory of what a reference refers to; NULL: no column does. */
struct directory *import_directory(const struct import *im, const char *entity);
/* Which row a record is about, as bytes; false when it says nothing of it. values[e->field_count].
 */
bool import_match_key(const struct import *im, const struct value *values, struct buf *out);

#endif
