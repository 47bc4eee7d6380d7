/* The coder: numbers, texts and arrays in either direction, with the limits of a decoder. */
#include "protocol/wire/coder.h"

struct coder coder_writing(struct buf *out) {
    return (struct coder){.out = out};
}

struct coder coder_reading(struct slice bytes, struct arena *mem) {
    return (struct coder){.reading = true,
                          .in = reader_of(bytes),
                          .mem = mem,
                          .room = CODER_ROOM_BASE + CODER_ROOM_FACTOR * bytes.len};
}

void coder_fail(struct coder *c, enum status status) {
    if (c->status == ST_OK) c->status = status;
}

enum status coder_status(const struct coder *c, struct err *err) {
    if (c->status == ST_NO_MEMORY) return err_no_memory(err);
    if (c->status == ST_TOO_LARGE) {
        return err_set(err, ST_TOO_LARGE, "the message unfolds to too much", "报文展开后过大");
    }
    if (c->status == ST_INTERNAL) {
        return err_set(err, ST_INTERNAL,
                       "the message cannot be written: its cells are out of order",
                       "报文无法写出：单元次序有误");
    }
    if (!c->reading) return buf_status(c->out, err);
    if (c->status != ST_OK || c->in.failed) {
        return err_set(err, ST_MALFORMED, "the bytes are not a message of this form",
                       "数据不符合报文格式");
    }
    return ST_OK;
}

enum status coder_end(struct coder *c, struct err *err) {
    if (c->reading && !coder_failed(c) && !reader_done(&c->in)) coder_fail(c, ST_MALFORMED);
    return coder_status(c, err);
}

void code_fixed(struct coder *c, uint8_t *bytes, size_t count) {
    if (!c->reading) {
        buf_put(c->out, bytes, count);
        return;
    }
    struct slice s = reader_take(&c->in, count);
    if (s.len == count) memcpy(bytes, s.data, count);
}

struct slice code_text(struct coder *c, struct slice text) {
    if (c->reading) return reader_bytes(&c->in, WIRE_TEXT_BYTES_MAX);
    buf_put_bytes(c->out, text);
    return text;
}

struct value code_value(struct coder *c, struct value value) {
    struct value v = {.kind = (enum value_kind)code_number(c, value.kind, VALUE_TEXT)};
    if (v.kind == VALUE_INT) v.number = code_signed(c, value.number);
    if (v.kind == VALUE_TEXT) v.text = code_text(c, value.text);
    return v;
}

void *coder_place(struct coder *c, size_t count, size_t item_bytes) {
    if (count == 0 || coder_failed(c)) return NULL;
    if (count > c->room / item_bytes) {
        coder_fail(c, ST_TOO_LARGE);
        return NULL;
    }
    c->room -= count * item_bytes;
    void *placed = arena_array(c->mem, count, item_bytes);
    if (!placed) coder_fail(c, ST_NO_MEMORY);
    return placed;
}
