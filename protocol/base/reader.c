/* Reading bytes that a stranger may have written: never past the end, and a failure stays. */
#include "protocol/base/base.h"

struct reader reader_of(struct slice s) {
    if (s.len == 0) return (struct reader){0};
    return (struct reader){.at = s.data, .end = s.data + s.len};
}

/* Leaves nothing to read, so that a loop over what is left ends. */
static void fail(struct reader *r) {
    r->at = r->end;
    r->failed = true;
}

uint8_t reader_byte(struct reader *r) {
    if (r->at == r->end) {
        fail(r);
        return 0;
    }
    return *r->at++;
}

uint64_t reader_varint(struct reader *r) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = reader_byte(r);
        if (r->failed) return 0;
        bool overflows = shift == 63 && byte > 1;
        if (overflows) break;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
    fail(r);
    return 0;
}

uint64_t reader_varint_max(struct reader *r, uint64_t max) {
    uint64_t value = reader_varint(r);
    if (value <= max) return value;
    fail(r);
    return 0;
}

int64_t reader_signed(struct reader *r) {
    uint64_t twice = reader_varint(r);
    int64_t half = (int64_t)(twice >> 1);
    return twice & 1 ? -half - 1 : half;
}

struct slice reader_take(struct reader *r, size_t len) {
    if (len > reader_left(r)) {
        fail(r);
        return (struct slice){0};
    }
    if (len == 0) return (struct slice){r->at, 0};
    struct slice taken = {r->at, len};
    r->at += len;
    return taken;
}

struct slice reader_bytes(struct reader *r, size_t len_max) {
    return reader_take(r, (size_t)reader_varint_max(r, len_max));
}

size_t reader_left(const struct reader *r) {
    return r->at == r->end ? 0 : (size_t)(r->end - r->at);
}

bool reader_done(const struct reader *r) {
    return !r->failed && r->at == r->end;
}
