/* Private to syncd/store: what is in the folder of a copy. */
#ifndef ROADBOOK_CENTRE_COPY_PRIVATE_H
#define ROADBOOK_CENTRE_COPY_PRIVATE_H

#include "syncd/store/centre_copy.h"

/* An entry: "RBC1", number, time (8 bytes each, least first), length of the changes (4 bytes); the
 * changes; the first bytes of the SHA-256 of both. */
enum { COPY_HEAD_BYTES = 24, COPY_SUM_BYTES = 8, COPY_NAME_BYTES = 96, COPY_LINE_NAME_BYTES = 48 };
#define COPY_BASE "base-"       /* base-LINE.db */
#define COPY_CHANGES "changes-" /* changes-LINE-HANDLE.log */

struct copy_line {
    bool has_base;
    int64_t whole_to; /* every transaction since the line began, up to this one, is there */
    int64_t last;     /* the greatest number that is there */
    int64_t bytes;    /* of the changes */
};
/* line: NUMBER-TIME_MS of its beginning. Reads no more than the heads of the entries. */
enum status copy_line_look(const char *dir, const char *line, struct copy_line *out,
                           struct err *err) NODISCARD;
/* When the latest line of the folder began; 0: there is none. */
enum status copy_latest_ms(const char *dir, int64_t *out, struct err *err) NODISCARD;

#endif
