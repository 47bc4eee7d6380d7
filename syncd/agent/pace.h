/* How large the next piece may be: what a line carries before it breaks, as it shows.
 *
 * Some lines break after a certain number of bytes (a proxy, a tunnel, a dying signal). What was
 * under way then goes again, so a piece is never more than a sixteenth of what the line has carried
 * by now. Once it broke, the place is narrowed down, a smaller piece each time, and when it broke
 * there again and again, a new connection is made before that place: then nothing is lost at all. A
 * line that passes the place is thought sound again. A piece is also so small that it takes half a
 * second at the speed of the last ones: rows do not wait longer than that.
 *
 * Plain value, no clock: the caller says what happened.
 */
#ifndef ROADBOOK_PACE_H
#define ROADBOOK_PACE_H

#include "protocol/base/base.h"

enum {
    PACE_PIECE_MIN = 4 * 1024,
    PACE_PIECE_FIRST = 16 * 1024,
    PACE_PIECE_MAX = 256 * 1024,
    PACE_PIECE_MS = 500,        /* what one piece may take */
    PACE_OVERHEAD_BYTES = 1024, /* what HTTP and the head add to a piece, at most */
    PACE_NEAR_BYTES = 1536,     /* the place is known well enough */
    PACE_CUTS_SURE = 3,         /* so often it has to break there */
    PACE_TRUST_ROUNDS = 64      /* connections until the place is tried again */
};

struct pace {
    int64_t carried;   /* bytes of answered exchanges on the present connection */
    int64_t low;       /* a connection has carried that much ... */
    int64_t high;      /* ... and broke before that; 0: never */
    uint32_t cuts;     /* how often in between */
    uint32_t closed;   /* connections given up before low since it last broke */
    int64_t bytes, ms; /* of the last pieces, for the speed */
};

/* Bytes of the next piece; 0: make a new connection first (then call pace_fresh). */
size_t pace_next(const struct pace *pace);
/* An exchange of so many bytes both ways was answered, in so many ms. */
void pace_ok(struct pace *pace, int64_t bytes, int64_t ms);
/* The line broke with so many bytes under way. */
void pace_cut(struct pace *pace, int64_t bytes);
/* The caller gave the connection up as pace_next asked. */
void pace_fresh(struct pace *pace);

#endif
