/* A second copy of an org's book that grows with each commit: a folder, best on another disk, with
 * whole books (bases) and what each transaction did since. From it a book can be made as it was at
 * any time, or altogether anew.
 *
 * What a transaction did is on disk there before whoever wrote is answered. Each handle that writes
 * has a file of its own; the numbers of the transactions say in which order they come. A base and
 * what came after it is a line. Another one begins at an opening, or at night, when a number is
 * missing (a machine stopped between the commit and the copy), when the line knows more than the
 * book (it was set back, and gives numbers again), after an update of the tables, and when its
 * changes are larger than the book and than COPY_LINE_BYTES. Lines that are older than anyone asks
 * for can be removed, base and changes together.
 */
#ifndef ROADBOOK_CENTRE_COPY_H
#define ROADBOOK_CENTRE_COPY_H

#include "syncd/store/centre.h"

enum { COPY_PATH_BYTES = 1024, COPY_FILES_MAX = 100000, COPY_LINE_BYTES = 256 * 1024 * 1024 };

struct centre_copy {
    bool on;
    char dir[COPY_PATH_BYTES];
    int64_t number; /* of the last transaction */
};
enum status centre_copy(struct centre *c, struct centre_copy *out, struct err *err) NODISCARD;
/* Makes a base and goes on from there. The folder is made if need be; other orgs do not share it.
 */
enum status centre_copy_start(struct centre *c, const char *dir, store_progress *progress,
                              void *ctx, struct err *err) NODISCARD;
enum status centre_copy_stop(struct centre *c, struct err *err) NODISCARD;
/* After opening, before anything is written, and now and then: begins another line when it has to,
 * as said above. */
enum status centre_copy_ready(struct centre *c, struct err *err) NODISCARD;

struct copy_read {
    int64_t base;      /* the number at which the base stands */
    int64_t number;    /* the last transaction done again */
    int64_t time_ms;   /* its time */
    int64_t conflicts; /* rows that stood otherwise: should be 0 */
    bool gap;          /* a transaction is missing: what comes after it was left out */
};
/* Makes a book at path from a folder, as it was at until_ms (INT64_MAX: the latest). ST_NOT_FOUND:
 * no base that old. */
enum status copy_book_at(const char *dir, const char *path, int64_t until_ms, struct copy_read *out,
                         struct err *err) NODISCARD;

#endif
