/* How large the next piece may be. pace.h says why. */
#include "syncd/agent/pace.h"

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static bool is_sure(const struct pace *p) {
    return p->high > 0 && p->cuts >= PACE_CUTS_SURE && p->high - p->low <= PACE_NEAR_BYTES;
}

/* By speed, and by what there is to lose. */
static int64_t usual(const struct pace *p) {
    int64_t piece = most(p->carried / 16, PACE_PIECE_FIRST);
    if (p->ms > 0) piece = least(piece, p->bytes * PACE_PIECE_MS / p->ms);
    return most(least(piece, PACE_PIECE_MAX), PACE_PIECE_MIN);
}

/* Nothing is lost below low, so that may go at once; from there on by halves. */
static int64_t near_the_place(const struct pace *p) {
    int64_t safe = p->low - p->carried - PACE_OVERHEAD_BYTES;
    if (safe >= PACE_PIECE_MIN) return safe;
    if (p->high - p->carried <= PACE_NEAR_BYTES) return PACE_NEAR_BYTES; /* through the place */
    return most((p->high - p->carried) / 2 - PACE_OVERHEAD_BYTES, PACE_OVERHEAD_BYTES / 2);
}

size_t pace_next(const struct pace *p) {
    int64_t by_time = p->ms > 0 ? p->bytes * PACE_PIECE_MS / p->ms : PACE_PIECE_MAX;
    by_time = most(least(by_time, PACE_PIECE_MAX), PACE_PIECE_MIN);
    if (p->high == 0 || p->carried >= p->high) return (size_t)usual(p);
    if (is_sure(p) && p->closed < PACE_TRUST_ROUNDS &&
        p->low - p->carried - PACE_OVERHEAD_BYTES < PACE_PIECE_MIN)
        return p->carried > 0 ? 0 : PACE_PIECE_MIN;
    return (size_t)least(near_the_place(p), by_time);
}

void pace_ok(struct pace *p, int64_t bytes, int64_t ms) {
    p->carried += bytes;
    if (p->high > 0 && p->carried >= p->high) p->low = p->high = p->cuts = p->closed = 0;
    if (p->high > 0 && p->carried > p->low) p->low = p->carried;
    p->bytes = p->bytes / 2 + bytes;
    p->ms = p->ms / 2 + ms;
}

void pace_cut(struct pace *p, int64_t bytes) {
    int64_t end = p->carried + bytes;
    bool is_elsewhere = p->high > 0 && p->carried + PACE_OVERHEAD_BYTES < p->low && end < p->low;
    if (p->high == 0 || is_elsewhere) {
        p->low = p->carried;
        p->high = end;
        p->cuts = 0;
    } else if (end < p->high)
        p->high = end;
    if (p->low > p->high) p->low = p->carried;
    p->cuts++;
    p->closed = 0;
    p->carried = 0;
}

void pace_fresh(struct pace *p) {
    p->carried = 0;
    p->closed++;
}
