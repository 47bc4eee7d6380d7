/* Growing buffers with a mandatory maximum, which fail sticky: append freely, test once.
 *
 * There is always room for one byte behind the content, so that buf_text can close it with a zero
 * without asking for memory. That byte does not count towards the maximum.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base/base.h"

enum { BUF_BYTES_FIRST = 256, VARINT_BYTES_MAX = 10 };

struct buf buf_new(size_t max) {
    return (struct buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_free(struct buf *buf) {
    if (!buf) return;
    free(buf->data);
    *buf = buf_new(buf->max);
}

void buf_reset(struct buf *buf) {
    buf->len = 0;
    buf->failed = false;
    buf->too_large = false;
}

/* Doubled until needed fits, which is at most the maximum and the closing zero. */
static size_t capacity_for(const struct buf *buf, size_t needed) {
    size_t most = buf->max + 1, cap = buf->cap ? buf->cap : BUF_BYTES_FIRST;
    while (cap < needed) cap = cap <= most / 2 ? cap * 2 : most;
    return cap < most ? cap : most;
}

/* Makes room for len more bytes and the closing zero. */
static bool reserve(struct buf *buf, size_t len) {
    if (buf->failed) return false;
    if (len > buf->max - buf->len) {
        buf->failed = buf->too_large = true;
        return false;
    }
    size_t needed = buf->len + len + 1;
    if (needed <= buf->cap) return true;
    size_t cap = capacity_for(buf, needed);
    uint8_t *data = realloc(buf->data, cap);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void buf_put(struct buf *buf, const void *data, size_t len) {
    if (len == 0 || !reserve(buf, len)) return;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
}

void buf_put_slice(struct buf *buf, struct slice s) {
    buf_put(buf, s.data, s.len);
}

void buf_put_byte(struct buf *buf, uint8_t byte) {
    if (reserve(buf, 1)) buf->data[buf->len++] = byte;
}

void buf_put_text(struct buf *buf, const char *zero_terminated) {
    buf_put_slice(buf, slice_from(zero_terminated));
}

void buf_printf(struct buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)bytes)) {
        (void)vsnprintf((char *)buf->data + buf->len, (size_t)bytes + 1, format, again);
        buf->len += (size_t)bytes;
    }
    va_end(again);
}

static size_t write_varint(uint8_t *bytes, uint64_t value) {
    size_t count = 0;
    for (; value >= 0x80; value >>= 7) bytes[count++] = (uint8_t)(value | 0x80);
    bytes[count++] = (uint8_t)value;
    return count;
}

void buf_put_varint(struct buf *buf, uint64_t value) {
    uint8_t bytes[VARINT_BYTES_MAX];
    bool any_fits = !buf->failed && buf->cap > VARINT_BYTES_MAX &&
                    buf->len < buf->cap - VARINT_BYTES_MAX; /* and the closing zero */
    if (any_fits)
        buf->len += write_varint(buf->data + buf->len, value);
    else
        buf_put(buf, bytes, write_varint(bytes, value));
}

void buf_put_signed(struct buf *buf, int64_t value) {
    uint64_t twice = (uint64_t)value << 1;
    buf_put_varint(buf, value < 0 ? ~twice : twice);
}

void buf_put_bytes(struct buf *buf, struct slice s) {
    buf_put_varint(buf, s.len);
    buf_put_slice(buf, s);
}

static void put_json_escape(struct buf *buf, int32_t point) {
    switch (point) {
    case '"': buf_put_text(buf, "\\\""); break;
    case '\\': buf_put_text(buf, "\\\\"); break;
    case '\b': buf_put_text(buf, "\\b"); break;
    case '\f': buf_put_text(buf, "\\f"); break;
    case '\n': buf_put_text(buf, "\\n"); break;
    case '\r': buf_put_text(buf, "\\r"); break;
    case '\t': buf_put_text(buf, "\\t"); break;
    default: buf_printf(buf, "\\u%04x", (unsigned)point); break;
    }
}

void buf_put_json_string(struct buf *buf, struct slice s) {
    buf_put_byte(buf, '"');
    for (int32_t point; (point = text_next(&s)) >= 0;) {
        if (point < 0x20 || point == '"' || point == '\\') {
            put_json_escape(buf, point);
        } else {
            buf_put_code_point(buf, point);
        }
    }
    buf_put_byte(buf, '"');
}

void buf_put_json_text(struct buf *buf, const char *zero_terminated) {
    buf_put_json_string(buf, slice_from(zero_terminated));
}

struct slice buf_slice(const struct buf *buf) {
    if (buf->failed) return (struct slice){0};
    return slice_of(buf->data, buf->len);
}

const char *buf_text(struct buf *buf) {
    if (buf->failed || !buf->data) return "";
    buf->data[buf->len] = 0;
    return (const char *)buf->data;
}

enum status buf_status(const struct buf *buf, struct err *err) {
    if (!buf->failed) return ST_OK;
    if (!buf->too_large) return err_no_memory(err);
    return err_set(err, ST_TOO_LARGE, "more than %zu bytes", "超过 %zu 字节", buf->max);
}
