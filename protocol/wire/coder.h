/* Private to protocol/wire: one description of each thing for both directions.
 *
 * A coder writes or reads. Its functions take the value to write and return the value written or
 * read, so that `x->row = code_number(c, x->row, max)` is both encoder and decoder, and the two
 * cannot drift apart. A coder that failed stays failed; reads then yield zeros, so that callers
 * test once at the end and in loops that allocate.
 */
#ifndef ROADBOOK_WIRE_CODER_H
#define ROADBOOK_WIRE_CODER_H

#include "protocol/wire/wire.h"

struct coder {
    bool reading;
    enum status status; /* ST_OK, or why it failed first */
    struct buf *out;    /* writing */
    struct reader in;   /* reading */
    struct arena *mem;  /* reading: where things are placed */
    size_t room;        /* reading: bytes that may still be placed */
};

/* What a message may unfold to: constant columns hold many rows in a few bytes, so the limit cannot
 * be a multiple of the input alone. The first part lets any push of WIRE_PUSH_BYTES pass. */
enum { CODER_ROOM_BASE = 48 * 1024 * 1024, CODER_ROOM_FACTOR = 16, CODER_DEPTH_BYTES = 16 };

struct coder coder_writing(struct buf *out);
struct coder coder_reading(struct slice bytes, struct arena *mem);
void coder_fail(struct coder *c, enum status status);
/* The end of reading or writing: everything read, nothing failed. */
enum status coder_end(struct coder *c, struct err *err) NODISCARD;
enum status coder_status(const struct coder *c, struct err *err) NODISCARD;

/* Numbers stand in the header: a change has some fifty, nearly all of them below 128. */
static inline bool coder_failed(const struct coder *c) {
    return c->status != ST_OK || (c->reading ? c->in.failed : c->out->failed);
}

static inline uint64_t code_number(struct coder *c, uint64_t value, uint64_t max) {
    struct buf *out = c->out;
    if (c->reading) return reader_varint_max(&c->in, max);
    if (value < 0x80 && out->len + 1 < out->cap && !out->failed)
        out->data[out->len++] = (uint8_t)value;
    else
        buf_put_varint(out, value);
    return value;
}

static inline uint32_t code_u32(struct coder *c, uint32_t value) {
    return (uint32_t)code_number(c, value, UINT32_MAX);
}

/* Short when not negative. */
static inline int64_t code_seq(struct coder *c, int64_t value) {
    return (int64_t)code_number(c, (uint64_t)value, UINT64_MAX);
}

/* A number of items that take at least item_bytes each in what is left to read. */
static inline size_t code_count(struct coder *c, size_t count, size_t item_bytes) {
    return (size_t)code_number(c, count, c->reading ? reader_left(&c->in) / item_bytes : 0);
}

/* Short when near zero. */
static inline int64_t code_signed(struct coder *c, int64_t value) {
    uint64_t twice = (uint64_t)value << 1;
    if (c->reading) return reader_signed(&c->in);
    (void)code_number(c, value < 0 ? ~twice : twice, UINT64_MAX);
    return value;
}

void code_fixed(struct coder *c, uint8_t *bytes, size_t count);
struct slice code_text(struct coder *c, struct slice text); /* borrowed from the input */
struct value code_value(struct coder *c, struct value value);
/* Room for count items that are read, NULL after a failure. */
void *coder_place(struct coder *c, size_t count, size_t item_bytes);
/* Writing: items. Reading: room for count of them. */
static inline void *code_items(struct coder *c, void *items, size_t count, size_t item_bytes) {
    return c->reading ? coder_place(c, count, item_bytes) : items;
}

/* Checks that both forms of a change share; false: no honest laptop writes this. */
bool change_is_sound(const struct change *change);
void code_change(struct coder *c, struct change *change);
void code_batch(struct coder *c, struct batch *batch);

/* The first bytes of the SHA-256 of wire_dictionary(). */
struct slice dictionary_name(void);

/* ------------------------------------------------------------------ deflate.c */

/* Appends raw deflate of bytes. cuts[cut_count]: ascending offsets where statistics change, so that
 * a new block with its own codes begins there. */
enum status deflate_write(struct slice bytes, const size_t *cuts, size_t cut_count, int level,
                          struct buf *out, struct err *err) NODISCARD;
/* Exactly out_bytes come out, else ST_MALFORMED. */
enum status deflate_read(struct slice deflated, struct arena *mem, size_t out_bytes,
                         struct slice *out, struct err *err) NODISCARD;

#endif
