/* One column of numbers: differences of order 0, 1 or 2, then the cheapest packing.
 *
 * The writer tries each and compares what deflate will make of it: the bytes for short columns, the
 * entropy of the bytes for long ones. The reader draws one number at a time and places nothing.
 */
#include "protocol/wire/columns.h"

enum { ORDER_COUNT = 3, DISTINCT_MAX = 16, ENTROPY_COUNT_MIN = 64, PLANES_COUNT_MIN = 64,
       PACKING_BITS_OF_HEAD = 3, PLANE_WIDTH_MAX = 8 };

/* What the packings of one order would cost. */
struct plan {
    unsigned order;
    enum packing packing;
    unsigned width;
    size_t cost;                                           /* in bits */
    uint64_t low;
    uint64_t distinct[DISTINCT_MAX];
    size_t distinct_count;
};

static size_t varint_bytes(uint64_t v) {
    size_t n = 1;
    for (; v >= 0x80; v >>= 7) n++;
    return n;
}

/* log2(n) in 1/256: the whole part, and linear in between, which is near enough to choose by. */
static size_t log2_256(size_t n) {
    unsigned whole = 63u - (unsigned)__builtin_clzll(n);
    uint64_t part = whole >= 8 ? (uint64_t)n >> (whole - 8) : (uint64_t)n << (8 - whole);
    return whole * 256u + (size_t)(part - 256);
}

static size_t entropy_bits(const size_t counts[256], size_t total) {
    size_t bits = 0;
    for (size_t i = 0; i < 256; i++) {
        if (counts[i] > 0) bits += counts[i] * (log2_256(total) - log2_256(counts[i]));
    }
    return bits / 256;
}

static size_t varints_cost(const uint64_t *v, size_t n, uint64_t low) {
    size_t counts[256] = {0}, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t rest = v[i] - low;
        for (; rest >= 0x80; rest >>= 7, bytes++) counts[(uint8_t)(rest | 0x80)]++;
        counts[rest]++;
        bytes++;
    }
    return n < ENTROPY_COUNT_MIN ? bytes * 8 : entropy_bits(counts, bytes);
}

static size_t planes_cost(const uint64_t *v, size_t n, uint64_t low, unsigned width) {
    size_t bits = 0;
    for (unsigned plane = 0; plane < width; plane++) {
        size_t counts[256] = {0};
        for (size_t i = 0; i < n; i++) counts[(uint8_t)((v[i] - low) >> (8 * plane))]++;
        bits += entropy_bits(counts, n);
    }
    return bits;
}

/* Collects the distinct numbers, in order of appearance; false when there are too many. */
static bool find_distinct(const uint64_t *v, size_t n, struct plan *plan) {
    plan->distinct_count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t d = 0;
        while (d < plan->distinct_count && plan->distinct[d] != v[i]) d++;
        if (d < plan->distinct_count) continue;
        if (d == DISTINCT_MAX) return false;
        plan->distinct[plan->distinct_count++] = v[i];
    }
    return true;
}

static unsigned bits_for(size_t distinct_count) {
    return distinct_count <= 2 ? 1 : distinct_count <= 4 ? 2 : 4;
}

static unsigned bytes_for(uint64_t v) {
    unsigned n = 1;
    for (; v > 0xFF; v >>= 8) n++;
    return n;
}

static size_t bits_cost(const struct plan *plan, size_t n) {
    size_t bits = n * bits_for(plan->distinct_count) + 8;
    for (size_t i = 0; i < plan->distinct_count; i++) bits += 8 * varint_bytes(plan->distinct[i] << 1);
    return bits;
}

/* The least, taking numbers as signed, and the greatest distance from it. */
static uint64_t find_low(const uint64_t *v, size_t n, uint64_t *out_span) {
    int64_t low = (int64_t)v[0], high = low;
    for (size_t i = 1; i < n; i++) {
        if ((int64_t)v[i] < low) low = (int64_t)v[i];
        if ((int64_t)v[i] > high) high = (int64_t)v[i];
    }
    *out_span = (uint64_t)high - (uint64_t)low;
    return (uint64_t)low;
}

static void plan_take(struct plan *best, struct plan offer) {
    if (offer.cost < best->cost) *best = offer;
}

/* The best packing of v[n], n > 0; head_bits: what the differences cost already. */
static struct plan plan_packing(const uint64_t *v, size_t n, unsigned order, size_t head_bits) {
    uint64_t span;
    struct plan plan = {.order = order, .low = find_low(v, n, &span)};
    if (span == 0) {
        plan.packing = plan.low == 0 ? PACKING_ZERO : PACKING_SAME;
        plan.cost = head_bits + (plan.low == 0 ? 0 : 8 * varint_bytes(plan.low << 1));
        return plan;
    }
    bool starts_at_zero = plan.low <= 0x3F;                /* a small least number buys nothing */
    uint64_t low = starts_at_zero && span + plan.low < 0x80 ? 0 : plan.low;
    struct plan best = plan;
    best.packing = PACKING_VARINTS;
    best.low = low;
    best.cost = head_bits + 16 + varints_cost(v, n, low);
    if (find_distinct(v, n, &plan)) {
        plan.packing = PACKING_BITS;
        plan.width = bits_for(plan.distinct_count);
        plan.cost = head_bits + 16 + bits_cost(&plan, n);
        plan_take(&best, plan);
    }
    if (n >= PLANES_COUNT_MIN) {
        plan.packing = PACKING_PLANES;
        plan.width = bytes_for(span);
        plan.cost = head_bits + 24 + planes_cost(v, n, plan.low, plan.width);
        plan_take(&best, plan);
    }
    return best;
}

/* Replaces v[n] by differences; the first stays. */
static void difference(uint64_t *v, size_t n) {
    for (size_t i = n; i-- > 1;) v[i] -= v[i - 1];
}

static void pack_varints(const uint64_t *v, size_t n, const struct plan *plan, struct buf *out) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += varint_bytes(v[i] - plan->low);
    buf_put_signed(out, (int64_t)plan->low);
    buf_put_varint(out, bytes);
    for (size_t i = 0; i < n; i++) buf_put_varint(out, v[i] - plan->low);
}

static void pack_bits(const uint64_t *v, size_t n, const struct plan *plan, struct buf *out) {
    buf_put_byte(out, (uint8_t)plan->distinct_count);
    for (size_t i = 0; i < plan->distinct_count; i++) buf_put_signed(out, (int64_t)plan->distinct[i]);
    buf_put_varint(out, (n * plan->width + 7) / 8);
    uint8_t byte = 0;
    unsigned filled = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned place = 0;
        while (plan->distinct[place] != v[i]) place++;
        byte = (uint8_t)(byte | place << filled);
        filled += plan->width;
        if (filled < 8 && i + 1 < n) continue;
        buf_put_byte(out, byte);
        byte = 0;
        filled = 0;
    }
}

static void pack_planes(const uint64_t *v, size_t n, const struct plan *plan, struct buf *out) {
    buf_put_signed(out, (int64_t)plan->low);
    buf_put_byte(out, (uint8_t)plan->width);
    buf_put_varint(out, n * plan->width);
    for (unsigned plane = 0; plane < plan->width; plane++) {
        for (size_t i = 0; i < n; i++) buf_put_byte(out, (uint8_t)((v[i] - plan->low) >> (8 * plane)));
    }
}

static void pack(const uint64_t *v, size_t n, const struct plan *plan, struct buf *out) {
    switch (plan->packing) {
    case PACKING_ZERO: break;
    case PACKING_SAME: buf_put_signed(out, (int64_t)plan->low); break;
    case PACKING_VARINTS: pack_varints(v, n, plan, out); break;
    case PACKING_BITS: pack_bits(v, n, plan, out); break;
    case PACKING_PLANES: pack_planes(v, n, plan, out); break;
    case PACKING_COUNT: break;
    }
}

/* The cheapest of all orders. v is a copy to work on and ends as differences of order 2. */
static struct plan plan_column(uint64_t *v, size_t n) {
    struct plan best = plan_packing(v, n, 0, 0);
    size_t head_bits = 0;
    for (unsigned order = 1; order < ORDER_COUNT && order < n && best.packing != PACKING_ZERO; order++) {
        head_bits += 8 * varint_bytes(v[order - 1] << 1);
        difference(v + order - 1, n - order + 1);
        plan_take(&best, plan_packing(v + order, n - order, order, head_bits));
    }
    return best;
}

void ints_write(const int64_t *values, size_t count, struct buf *out) {
    SCOPED(buf_free) struct buf copy = buf_new(BUF_MAX_FILE);
    buf_put(&copy, values, count * sizeof *values);
    if (copy.failed) {
        out->failed = true;
        return;
    }
    uint64_t *v = (uint64_t *)(void *)copy.data;
    struct plan plan = plan_column(v, count);
    memcpy(v, values, count * sizeof *values);
    for (unsigned order = 0; order < plan.order; order++) difference(v + order, count - order);
    buf_put_byte(out, (uint8_t)(plan.order << PACKING_BITS_OF_HEAD | plan.packing));
    for (unsigned i = 0; i < plan.order; i++) buf_put_signed(out, (int64_t)v[i]);
    pack(v + plan.order, count - plan.order, &plan, out);
}

/* ------------------------------------------------------------------ reading */

static void open_bits(struct ints *ints, struct coder *c) {
    ints->distinct_count = reader_byte(&c->in);
    if (ints->distinct_count > DISTINCT_MAX) coder_fail(c, ST_MALFORMED);
    ints->distinct = code_items(c, NULL, ints->distinct_count, sizeof *ints->distinct);
    if (!ints->distinct) {
        coder_fail(c, ST_MALFORMED);
        return;
    }
    for (size_t i = 0; i < ints->distinct_count; i++) {
        ints->distinct[i] = (uint64_t)reader_signed(&c->in);
    }
    ints->width = bits_for(ints->distinct_count);
}

static void open_planes(struct ints *ints, struct coder *c) {
    ints->low = (uint64_t)reader_signed(&c->in);
    ints->width = reader_byte(&c->in);
    if (ints->width < 1 || ints->width > PLANE_WIDTH_MAX) coder_fail(c, ST_MALFORMED);
}

void ints_open(struct ints *ints, struct coder *c) {
    *ints = (struct ints){0};
    unsigned head = reader_byte(&c->in);
    ints->order = head >> PACKING_BITS_OF_HEAD;
    ints->packing = (enum packing)(head & ((1u << PACKING_BITS_OF_HEAD) - 1));
    if (ints->order >= ORDER_COUNT || ints->packing >= PACKING_COUNT) coder_fail(c, ST_MALFORMED);
    if (ints->order > 0) ints->first = (uint64_t)reader_signed(&c->in);
    if (ints->order > 1) ints->step = (uint64_t)reader_signed(&c->in);
    switch (ints->packing) {
    case PACKING_ZERO:
    case PACKING_COUNT: return;
    case PACKING_SAME: ints->low = (uint64_t)reader_signed(&c->in); return;
    case PACKING_VARINTS: ints->low = (uint64_t)reader_signed(&c->in); break;
    case PACKING_BITS: open_bits(ints, c); break;
    case PACKING_PLANES: open_planes(ints, c); break;
    }
    if (coder_failed(c)) return;
    ints->in = reader_of(reader_bytes(&c->in, reader_left(&c->in)));
}

static uint64_t bits_at(const struct ints *ints, size_t index, bool *failed) {
    size_t bit = index * ints->width;
    if (bit / 8 >= reader_left(&ints->in)) {
        *failed = true;
        return 0;
    }
    size_t place = (size_t)(ints->in.at[bit / 8] >> (bit % 8)) & ((1u << ints->width) - 1);
    if (place >= ints->distinct_count) *failed = true;
    return place < ints->distinct_count ? ints->distinct[place] : 0;
}

static uint64_t planes_at(const struct ints *ints, size_t index, bool *failed) {
    size_t rows = reader_left(&ints->in) / ints->width;
    if (index >= rows) {
        *failed = true;
        return 0;
    }
    uint64_t v = 0;
    for (unsigned plane = 0; plane < ints->width; plane++) {
        v |= (uint64_t)ints->in.at[plane * rows + index] << (8 * plane);
    }
    return ints->low + v;
}

static uint64_t packed_at(struct ints *ints, size_t index, bool *failed) {
    uint64_t v = 0;
    switch (ints->packing) {
    case PACKING_ZERO:
    case PACKING_COUNT: return 0;
    case PACKING_SAME: return ints->low;
    case PACKING_BITS: return bits_at(ints, index, failed);
    case PACKING_PLANES: return planes_at(ints, index, failed);
    case PACKING_VARINTS:
        v = ints->low + reader_varint(&ints->in);
        *failed = *failed || ints->in.failed;
        break;
    }
    return v;
}

int64_t ints_next(struct ints *ints, bool *failed) {
    size_t at = ints->used++;
    if (ints->order == 0) {
        ints->last = packed_at(ints, at, failed);
    } else if (at == 0) {
        ints->last = ints->first;
        ints->slope = ints->step;
    } else if (ints->order == 1) {
        ints->last += packed_at(ints, at - 1, failed);
    } else {
        if (at > 1) ints->slope += packed_at(ints, at - 2, failed);
        ints->last += ints->slope;
    }
    return (int64_t)ints->last;
}

bool ints_done(const struct ints *ints) {
    size_t packed = ints->used < ints->order ? 0 : ints->used - ints->order;
    switch (ints->packing) {
    case PACKING_BITS: return (packed * ints->width + 7) / 8 == reader_left(&ints->in);
    case PACKING_PLANES: return packed * ints->width == reader_left(&ints->in);
    case PACKING_VARINTS: return reader_left(&ints->in) == 0;
    case PACKING_ZERO:
    case PACKING_SAME:
    case PACKING_COUNT: break;
    }
    return true;
}
