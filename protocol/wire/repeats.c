/* Repeats that deflate cannot see: its window is 32 KiB, a page of notes is longer, and notes say
 * the same sentences again and again.
 *
 * Long passages that stood anywhere earlier in a section's texts are taken out before deflate and
 * named by columns: how many bytes come before, how long, how far back. Short or near repeats are
 * left to deflate. The method is that of rzip (Tridgell 1999, chapter 4), with chains in place of
 * sparse samples since a page is small.
 *
 * Bytes: form; for the plain form the texts; else bytes in all, number of repeats, three columns,
 * what is left.
 */
#include "protocol/wire/columns.h"

enum form { FORM_PLAIN, FORM_REPEATS, FORM_COUNT };
enum {
    HASHED_BYTES = 12,   /* what a repeat begins with at least */
    FAR_BYTES_MIN = 20,  /* naming a repeat costs about 5 bytes */
    NEAR_BYTES_MIN = 40, /* deflate names a near one in 3, but 258 bytes at a time */
    NEAR = 20 * 1024,
    CHAIN_MAX = 64,            /* earlier places that are tried */
    AREA_BYTES_MIN = 8 * 1024, /* all in sight of deflate, with its dictionary */
    HASH_BITS = 16
};

struct finder {
    struct slice area;
    uint32_t *heads; /* by hash: last position + 1 */
    uint32_t *chain; /* by position: the one before with the same hash + 1 */
    size_t known;    /* positions below this are in the chains */
};

struct repeat {
    size_t at, bytes, from;
};

static size_t hash_at(const uint8_t *p) {
    uint64_t a;
    uint32_t b;
    memcpy(&a, p, sizeof a);
    memcpy(&b, p + sizeof a, sizeof b);
    return (size_t)(((a ^ (uint64_t)b << 17) * 0x9E3779B97F4A7C15u) >> (64 - HASH_BITS));
}

static void learn_up_to(struct finder *f, size_t end) {
    for (; f->known < end && f->known + HASHED_BYTES <= f->area.len; f->known++) {
        size_t h = hash_at(f->area.data + f->known);
        f->chain[f->known] = f->heads[h];
        f->heads[h] = (uint32_t)f->known + 1;
    }
}

static size_t same_bytes(const struct finder *f, size_t a, size_t b) {
    size_t n = 0;
    while (b + n < f->area.len && f->area.data[a + n] == f->area.data[b + n]) n++;
    return n;
}

/* The longest repeat that begins at this place; bytes 0: none worth naming. */
static struct repeat longest_at(const struct finder *f, size_t at) {
    struct repeat best = {.at = at};
    if (at + HASHED_BYTES > f->area.len) return best;
    uint32_t next = f->heads[hash_at(f->area.data + at)];
    for (int tries = 0; next != 0 && tries < CHAIN_MAX; tries++) {
        size_t from = next - 1;
        size_t bytes = same_bytes(f, from, at);
        size_t least = at - from < NEAR ? NEAR_BYTES_MIN : FAR_BYTES_MIN;
        if (bytes >= least && bytes > best.bytes) best = (struct repeat){at, bytes, from};
        next = f->chain[from];
    }
    return best;
}

/* The next repeat at or after from; bytes 0: none. One that begins a byte later and is longer wins.
 */
static struct repeat next_repeat(struct finder *f, size_t from) {
    for (size_t at = from; at < f->area.len; at++) {
        learn_up_to(f, at);
        struct repeat found = longest_at(f, at);
        if (found.bytes == 0) continue;
        learn_up_to(f, at + 1);
        struct repeat later = longest_at(f, at + 1);
        return later.bytes > found.bytes + 1 ? later : found;
    }
    return (struct repeat){0};
}

struct repeats {
    struct buf gaps, lengths, backs; /* int64_t each */
    struct buf left;
    size_t count;
};

static void repeats_free(struct repeats *r) {
    buf_free(&r->gaps);
    buf_free(&r->lengths);
    buf_free(&r->backs);
    buf_free(&r->left);
}

static void put_number(struct buf *buf, size_t number) {
    int64_t value = (int64_t)number;
    buf_put(buf, &value, sizeof value);
}

static void find_repeats(struct finder *f, struct repeats *out) {
    size_t at = 0;
    for (struct repeat r; (r = next_repeat(f, at)).bytes > 0; at = r.at + r.bytes) {
        put_number(&out->gaps, r.at - at);
        put_number(&out->lengths, r.bytes);
        put_number(&out->backs, r.at - r.from);
        buf_put(&out->left, f->area.data + at, r.at - at);
        out->count++;
    }
    buf_put(&out->left, f->area.data + at, f->area.len - at);
}

static void write_column(const struct buf *gathered, size_t count, struct buf *out) {
    if (gathered->failed) {
        out->failed = true;
        return;
    }
    ints_write((const int64_t *)(const void *)gathered->data, NULL, count, out);
}

static void write_repeats(const struct repeats *r, size_t area_bytes, struct buf *out) {
    buf_put_byte(out, FORM_REPEATS);
    buf_put_varint(out, area_bytes);
    buf_put_varint(out, r->count);
    write_column(&r->gaps, r->count, out);
    write_column(&r->lengths, r->count, out);
    write_column(&r->backs, r->count, out);
    buf_put_slice(out, buf_slice(&r->left));
    if (r->left.failed) out->failed = true;
}

static void write_plain(struct slice area, struct buf *out) {
    buf_put_byte(out, FORM_PLAIN);
    buf_put_slice(out, area);
}

void repeats_write(struct slice area, struct buf *out) {
    if (area.len == 0) return;
    if (area.len < AREA_BYTES_MIN) {
        write_plain(area, out);
        return;
    }
    SCOPED(arena_clear) struct arena mem = arena_new(SIZE_MAX);
    struct finder f = {.area = area,
                       .heads = ARENA_ARRAY(&mem, (size_t)1 << HASH_BITS, uint32_t),
                       .chain = ARENA_ARRAY(&mem, area.len, uint32_t)};
    if (!f.heads || !f.chain) {
        out->failed = true;
        return;
    }
    SCOPED(repeats_free)
    struct repeats r = {buf_new(BUF_MAX_FILE), buf_new(BUF_MAX_FILE), buf_new(BUF_MAX_FILE),
                        buf_new(BUF_MAX_MESSAGE), 0};
    find_repeats(&f, &r);
    if (r.count > 0) {
        write_repeats(&r, area.len, out);
    } else {
        write_plain(area, out);
    }
}

/* ------------------------------------------------------------------ reading */

static bool copy_left(struct reader *left, uint8_t *area, size_t at, size_t bytes) {
    struct slice s = reader_take(left, bytes);
    if (s.len > 0) memcpy(area + at, s.data, s.len);
    return s.len == bytes;
}

/* Byte by byte, since a repeat may run into itself. */
static void copy_repeat(uint8_t *area, size_t at, size_t back, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) area[at + i] = area[at + i - back];
}

static bool unfold(struct ints columns[3], size_t count, struct reader *left, uint8_t *area,
                   size_t bytes) {
    size_t at = 0;
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t gap = (uint64_t)ints_next(&columns[0], NULL, &failed);
        uint64_t length = (uint64_t)ints_next(&columns[1], NULL, &failed);
        uint64_t back = (uint64_t)ints_next(&columns[2], NULL, &failed);
        bool fits = !failed && gap <= bytes - at && length <= bytes - at - gap && length > 0;
        if (!fits || !copy_left(left, area, at, (size_t)gap)) return false;
        at += (size_t)gap;
        if (back == 0 || back > at) return false;
        copy_repeat(area, at, (size_t)back, (size_t)length);
        at += (size_t)length;
    }
    bool used_up = ints_done(&columns[0]) && ints_done(&columns[1]) && ints_done(&columns[2]);
    return used_up && reader_left(left) == bytes - at && copy_left(left, area, at, bytes - at);
}

static struct slice read_repeats(struct coder *c, struct reader *r) {
    size_t bytes = (size_t)reader_varint_max(r, WIRE_INFLATED_BYTES_MAX);
    size_t count = (size_t)reader_varint_max(r, bytes);
    struct reader outer = c->in;
    struct ints columns[3];
    c->in = *r;
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) ints_open(&columns[i], c);
    *r = c->in;
    c->in = outer;
    if (r->failed) coder_fail(c, ST_MALFORMED);
    uint8_t *area = code_items(c, NULL, bytes, 1);
    if (!area) {
        coder_fail(c, ST_MALFORMED);
        return (struct slice){0};
    }
    if (!unfold(columns, count, r, area, bytes)) coder_fail(c, ST_MALFORMED);
    return slice_of(area, bytes);
}

struct slice repeats_read(struct coder *c, struct slice packed) {
    struct reader r = reader_of(packed);
    if (packed.len == 0 || coder_failed(c)) return (struct slice){0};
    uint8_t form = reader_byte(&r);
    if (form == FORM_PLAIN) return reader_take(&r, reader_left(&r));
    if (form == FORM_REPEATS) return read_repeats(c, &r);
    coder_fail(c, ST_MALFORMED);
    return (struct slice){0};
}
