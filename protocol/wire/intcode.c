/* One column of numbers: differences of order 0, 1 or 2, then the cheapest packing; distances are
 * divided by what divides them all, since people enter times by the minute.
 *
 * The writer tries each and compares what deflate will make of it: the bytes for short columns, the
 * entropy of the bytes for long ones. The reader draws one number at a time and places nothing.
 */
#include "protocol/wire/columns.h"

enum {
    ORDER_COUNT = 3,
    DISTINCT_MAX = 16,
    ENTROPY_COUNT_MIN = 64,
    PLANES_COUNT_MIN = 64,
    PLANE_WIDTH_MAX = 8
};

/* The first byte of a column: packing, order, relation. */
enum { PACKING_MASK = 7, ORDER_SHIFT = 3, ORDER_MASK = 3, RELATION_SHIFT = 5 };

/* What the packings of one order would cost. */
struct plan {
    unsigned order;
    enum packing packing;
    unsigned width;
    size_t cost; /* in bits */
    uint64_t low, scale;
    uint64_t distinct[DISTINCT_MAX];
    size_t distinct_count;
};

/* What number i is related to. */
static int64_t beside_value(const struct beside *beside, size_t i, enum relation relation) {
    switch (relation) {
    case RELATION_NUMBER: return beside[i].number;
    case RELATION_DAY: return beside[i].day;
    case RELATION_NONE:
    case RELATION_COUNT: break;
    }
    return 0;
}

/* How many steps of the scale above the least number. */
static uint64_t place_of(uint64_t v, const struct plan *plan) {
    return plan->scale == 1 ? v - plan->low : (v - plan->low) / plan->scale;
}

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
    return bits / 256 + bits / 8192; /* deflate's codes are of whole bits */
}

static size_t varints_cost(const uint64_t *v, size_t n, const struct plan *plan) {
    size_t counts[256] = {0}, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t rest = place_of(v[i], plan);
        for (; rest >= 0x80; rest >>= 7, bytes++) counts[(uint8_t)(rest | 0x80)]++;
        counts[rest]++;
        bytes++;
    }
    return n < ENTROPY_COUNT_MIN ? bytes * 8 : entropy_bits(counts, bytes);
}

static size_t planes_cost(const uint64_t *v, size_t n, const struct plan *plan) {
    size_t bits = 0;
    for (unsigned plane = 0; plane < plan->width; plane++) {
        size_t counts[256] = {0};
        for (size_t i = 0; i < n; i++) counts[(uint8_t)(place_of(v[i], plan) >> (8 * plane))]++;
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
    for (size_t i = 0; i < plan->distinct_count; i++)
        bits += 8 * varint_bytes(plan->distinct[i] << 1);
    return bits;
}

/* The least number, the scale, and the length in bytes. */
static size_t low_cost(const struct plan *plan) {
    return 8 *
           (varint_bytes(plan->low << 1) + (plan->scale > 1 ? varint_bytes(plan->scale) : 0) + 1);
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

static uint64_t find_scale(const uint64_t *v, size_t n, uint64_t low) {
    uint64_t scale = 0;
    for (size_t i = 0; i < n && scale != 1; i++) {
        for (uint64_t a = v[i] - low; a != 0;) { /* Euclid */
            uint64_t rest = scale % a;
            scale = a;
            a = rest;
        }
    }
    return scale;
}

static void plan_take(struct plan *best, struct plan offer) {
    if (offer.cost < best->cost) *best = offer;
}

static struct plan plan_constant(struct plan plan) {
    plan.packing = plan.low == 0 ? PACKING_ZERO : PACKING_SAME;
    if (plan.low != 0) plan.cost += 8 * varint_bytes(plan.low << 1);
    return plan;
}

/* The best packing of v[n], n > 0; head_bits: what the differences cost already. */
static struct plan plan_packing(const uint64_t *v, size_t n, unsigned order, size_t head_bits) {
    uint64_t span;
    struct plan plan = {.order = order, .low = find_low(v, n, &span), .cost = head_bits};
    if (span == 0) return plan_constant(plan);
    plan.scale = find_scale(v, n, plan.low);
    struct plan best = plan;
    best.packing = plan.scale > 1 ? PACKING_SCALED_VARINTS : PACKING_VARINTS;
    best.cost = head_bits + low_cost(&plan) + varints_cost(v, n, &plan);
    if (find_distinct(v, n, &plan)) {
        plan.packing = PACKING_BITS;
        plan.width = bits_for(plan.distinct_count);
        plan.cost = head_bits + bits_cost(&plan, n);
        plan_take(&best, plan);
    }
    if (n >= PLANES_COUNT_MIN) {
        plan.packing = plan.scale > 1 ? PACKING_SCALED_PLANES : PACKING_PLANES;
        plan.width = bytes_for(span / plan.scale);
        plan.cost = head_bits + low_cost(&plan) + 8 + planes_cost(v, n, &plan);
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
    for (size_t i = 0; i < n; i++) bytes += varint_bytes(place_of(v[i], plan));
    buf_put_signed(out, (int64_t)plan->low);
    if (plan->scale > 1) buf_put_varint(out, plan->scale);
    buf_put_varint(out, bytes);
    for (size_t i = 0; i < n; i++) buf_put_varint(out, place_of(v[i], plan));
}

static void pack_bits(const uint64_t *v, size_t n, const struct plan *plan, struct buf *out) {
    buf_put_byte(out, (uint8_t)plan->distinct_count);
    for (size_t i = 0; i < plan->distinct_count; i++)
        buf_put_signed(out, (int64_t)plan->distinct[i]);
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
    if (plan->scale > 1) buf_put_varint(out, plan->scale);
    buf_put_byte(out, (uint8_t)plan->width);
    buf_put_varint(out, n * plan->width);
    for (unsigned plane = 0; plane < plan->width; plane++) {
        for (size_t i = 0; i < n; i++)
            buf_put_byte(out, (uint8_t)(place_of(v[i], plan) >> (8 * plane)));
    }
}

static void pack(const uint64_t *v, size_t n, const struct plan *plan, struct buf *out) {
    switch (plan->packing) {
    case PACKING_ZERO: break;
    case PACKING_SAME: buf_put_signed(out, (int64_t)plan->low); break;
    case PACKING_VARINTS:
    case PACKING_SCALED_VARINTS: pack_varints(v, n, plan, out); break;
    case PACKING_BITS: pack_bits(v, n, plan, out); break;
    case PACKING_PLANES:
    case PACKING_SCALED_PLANES: pack_planes(v, n, plan, out); break;
    case PACKING_COUNT: break;
    }
}

/* The cheapest of all orders. v is a copy to work on and ends as differences of order 2. */
static struct plan plan_column(uint64_t *v, size_t n) {
    struct plan best = plan_packing(v, n, 0, 0);
    size_t head_bits = 0;
    for (unsigned order = 1; order < ORDER_COUNT && order < n && best.packing != PACKING_ZERO;
         order++) {
        head_bits += 8 * varint_bytes(v[order - 1] << 1);
        difference(v + order - 1, n - order + 1);
        plan_take(&best, plan_packing(v + order, n - order, order, head_bits));
    }
    return best;
}

/* values less what they are related to; the copy to work on is out_v. */
static bool take_values(const int64_t *values, const struct beside *beside, size_t count,
                        enum relation relation, struct buf *out_v) {
    buf_reset(out_v);
    buf_put(out_v, values, count * sizeof *values);
    uint64_t *v = (uint64_t *)(void *)out_v->data;
    for (size_t i = 0; !out_v->failed && i < count; i++)
        v[i] -= (uint64_t)beside_value(beside, i, relation);
    return !out_v->failed;
}

/* The relation, and within it the plan, that cost least; SIZE_MAX: no memory. */
static struct plan plan_relations(const int64_t *values, const struct beside *beside, size_t count,
                                  struct buf *copy, enum relation *out_relation) {
    struct plan best = {.cost = SIZE_MAX};
    enum relation last = beside ? RELATION_COUNT - 1 : RELATION_NONE;
    for (enum relation r = RELATION_NONE; r <= last && best.cost > 0; r++) {
        if (!take_values(values, beside, count, r, copy)) return (struct plan){.cost = SIZE_MAX};
        struct plan plan = plan_column((uint64_t *)(void *)copy->data, count);
        if (plan.cost >= best.cost) continue;
        best = plan;
        *out_relation = r;
    }
    return best;
}

void ints_write(const int64_t *values, const struct beside *beside, size_t count, struct buf *out) {
    SCOPED(buf_free) struct buf copy = buf_new(BUF_MAX_FILE);
    enum relation relation = RELATION_NONE;
    struct plan plan = plan_relations(values, beside, count, &copy, &relation);
    bool planned = plan.cost < SIZE_MAX && take_values(values, beside, count, relation, &copy);
    if (!planned) {
        out->failed = true;
        return;
    }
    uint64_t *v = (uint64_t *)(void *)copy.data;
    for (unsigned order = 0; order < plan.order; order++) difference(v + order, count - order);
    buf_put_byte(out, (uint8_t)((unsigned)relation << RELATION_SHIFT | plan.order << ORDER_SHIFT |
                                (unsigned)plan.packing));
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

static void open_low(struct ints *ints, struct coder *c, bool scaled) {
    ints->low = (uint64_t)reader_signed(&c->in);
    ints->scale = scaled ? reader_varint(&c->in) : 1;
}

static void open_planes(struct ints *ints, struct coder *c) {
    ints->width = reader_byte(&c->in);
    if (ints->width < 1 || ints->width > PLANE_WIDTH_MAX) coder_fail(c, ST_MALFORMED);
}

static void open_packing(struct ints *ints, struct coder *c) {
    switch (ints->packing) {
    case PACKING_ZERO:
    case PACKING_COUNT: return;
    case PACKING_SAME: open_low(ints, c, false); return;
    case PACKING_VARINTS: open_low(ints, c, false); break;
    case PACKING_SCALED_VARINTS: open_low(ints, c, true); break;
    case PACKING_BITS: open_bits(ints, c); break;
    case PACKING_PLANES:
    case PACKING_SCALED_PLANES:
        open_low(ints, c, ints->packing == PACKING_SCALED_PLANES);
        open_planes(ints, c);
        break;
    }
    if (!coder_failed(c)) ints->in = reader_of(reader_bytes(&c->in, reader_left(&c->in)));
}

void ints_open(struct ints *ints, struct coder *c) {
    *ints = (struct ints){0};
    unsigned head = reader_byte(&c->in);
    ints->relation = (enum relation)(head >> RELATION_SHIFT);
    ints->order = head >> ORDER_SHIFT & ORDER_MASK;
    ints->packing = (enum packing)(head & PACKING_MASK);
    bool known = ints->relation < RELATION_COUNT && ints->order < ORDER_COUNT &&
                 ints->packing < PACKING_COUNT;
    if (!known) coder_fail(c, ST_MALFORMED);
    if (ints->order > 0) ints->first = (uint64_t)reader_signed(&c->in);
    if (ints->order > 1) ints->step = (uint64_t)reader_signed(&c->in);
    if (known) open_packing(ints, c);
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
    return ints->low + v * ints->scale;
}

static uint64_t packed_at(struct ints *ints, size_t index, bool *failed) {
    switch (ints->packing) {
    case PACKING_ZERO:
    case PACKING_COUNT: break;
    case PACKING_SAME: return ints->low;
    case PACKING_BITS: return bits_at(ints, index, failed);
    case PACKING_PLANES:
    case PACKING_SCALED_PLANES: return planes_at(ints, index, failed);
    case PACKING_VARINTS:
    case PACKING_SCALED_VARINTS: {
        uint64_t steps = reader_varint(&ints->in);
        if (ints->in.failed) *failed = true;
        return ints->low + steps * ints->scale;
    }
    }
    return 0;
}

int64_t ints_next(struct ints *ints, const struct beside *beside, bool *failed) {
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
    return (int64_t)(ints->last + (uint64_t)(beside ? beside_value(beside, 0, ints->relation) : 0));
}

bool ints_done(const struct ints *ints) {
    size_t packed = ints->used < ints->order ? 0 : ints->used - ints->order;
    switch (ints->packing) {
    case PACKING_BITS: return (packed * ints->width + 7) / 8 == reader_left(&ints->in);
    case PACKING_PLANES:
    case PACKING_SCALED_PLANES: return packed * ints->width == reader_left(&ints->in);
    case PACKING_VARINTS:
    case PACKING_SCALED_VARINTS: return reader_left(&ints->in) == 0;
    case PACKING_ZERO:
    case PACKING_SAME:
    case PACKING_COUNT: break;
    }
    return true;
}
