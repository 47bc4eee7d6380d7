/* Text: UTF-8, Unicode normal forms, widths, and numbers as people write them.
 *
 * The decoder is our own, since it must be strict (no surrogates, no overlong forms) and must go on
 * after a broken byte. The tables of Unicode come from utf8proc, which only this file includes.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "protocol/base/base.h"

enum { REPLACEMENT = 0xFFFD, DECIMAL_SCALE_MAX = 18 };

/* ------------------------------------------------------------------ UTF-8 */

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

/* Bytes of the character that begins with lead; 0 when none can. */
static size_t sequence_bytes(uint8_t lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return 2;
    if (lead >= 0xE0 && lead <= 0xEF) return 3;
    if (lead >= 0xF0 && lead <= 0xF4) return 4;
    return 0;
}

/* The smallest code point that needs so many bytes; a smaller one is an overlong form. */
static int32_t sequence_least(size_t bytes) {
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return least[bytes];
}

/* The character at the start of s, which is not empty. Returns its bytes, 0 when it is broken. */
static size_t decode(struct slice s, int32_t *out_point) {
    static const uint8_t lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t bytes = sequence_bytes(s.data[0]);
    if (bytes == 0 || bytes > s.len) return 0;
    int32_t point = s.data[0] & lead_bits[bytes];
    for (size_t i = 1; i < bytes; i++) {
        if (!is_continuation(s.data[i])) return 0;
        point = (point << 6) | (s.data[i] & 0x3F);
    }
    if (point < sequence_least(bytes) || point > 0x10FFFF) return 0;
    if (point >= 0xD800 && point <= 0xDFFF) return 0;
    *out_point = point;
    return bytes;
}

bool text_is_utf8(struct slice s) {
    while (s.len > 0) {
        int32_t point;
        size_t bytes = decode(s, &point);
        if (bytes == 0 || point == 0) return false;
        s.data += bytes;
        s.len -= bytes;
    }
    return true;
}

struct slice text_prefix(struct slice s, size_t bytes_max) {
    if (s.len <= bytes_max) return s;
    for (size_t back = 0; back <= 3 && back <= bytes_max; back++) {
        if (is_continuation(s.data[bytes_max - back])) continue;
        return (struct slice){s.data, bytes_max - back};
    }
    return (struct slice){s.data, bytes_max}; /* not UTF-8: there is no character to keep whole */
}

int32_t text_next(struct slice *s) {
    if (s->len == 0) return -1;
    int32_t point = REPLACEMENT;
    size_t bytes = decode(*s, &point);
    if (bytes == 0) bytes = 1;
    s->data += bytes;
    s->len -= bytes;
    return point;
}

size_t text_length(struct slice s) {
    size_t count = 0;
    while (text_next(&s) >= 0) count++;
    return count;
}

void buf_put_code_point(struct buf *buf, int32_t code_point) {
    bool valid = code_point >= 0 && code_point <= 0x10FFFF &&
                 !(code_point >= 0xD800 && code_point <= 0xDFFF);
    uint32_t point = valid ? (uint32_t)code_point : REPLACEMENT;
    uint8_t bytes[4];
    size_t count = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = count; i-- > 1; point >>= 6) bytes[i] = (uint8_t)(0x80 | (point & 0x3F));
    bytes[0] = (uint8_t)(lead[count] | point);
    buf_put(buf, bytes, count);
}

/* ------------------------------------------------------------------ normal forms */

static bool is_ascii(struct slice s) {
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] >= 0x80) return false;
    }
    return true;
}

/* Ranges whose characters never change in form C and never combine with a neighbour: Latin, the
 * punctuation and characters of Chinese, full-width forms. Most text of this program is in them. */
static bool is_plainly_nfc(int32_t point) {
    return point < 0x300 || (point >= 0x4E00 && point <= 0x9FFF) ||
           (point >= 0x3400 && point <= 0x4DBF) || (point >= 0x3001 && point <= 0x3029) ||
           (point >= 0xFF00 && point <= 0xFFEF) || (point >= 0x2010 && point <= 0x2027);
}

/* True only when s is UTF-8 and in form C for certain. */
static bool is_quickly_nfc(struct slice s) {
    while (s.len > 0) {
        int32_t point;
        size_t bytes = decode(s, &point);
        if (bytes == 0 || !is_plainly_nfc(point)) return false;
        s.data += bytes;
        s.len -= bytes;
    }
    return true;
}

static enum status map_failure(utf8proc_ssize_t code, struct err *err) {
    if (code == UTF8PROC_ERROR_NOMEM || code == UTF8PROC_ERROR_OVERFLOW) return err_no_memory(err);
    return err_set(err, ST_INVALID, "the text is not UTF-8", "文本不是有效的 UTF-8");
}

/* Maps s into mem. When same_ok, a result equal to s is s itself. */
static enum status map_text(struct slice s, int options, bool same_ok, struct arena *mem,
                            struct slice *out, struct err *err) {
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t len =
        utf8proc_map(s.data, (utf8proc_ssize_t)s.len, &mapped, (utf8proc_option_t)options);
    if (len < 0) return map_failure(len, err);
    struct slice result = {mapped, (size_t)len};
    struct slice kept = same_ok && slice_equal(result, s) ? s : arena_copy(mem, result);
    free(mapped);
    if (!kept.data) return err_no_memory(err);
    *out = kept;
    return ST_OK;
}

enum status text_nfc(struct slice s, struct arena *mem, struct slice *out, struct err *err) {
    if (is_quickly_nfc(s)) {
        *out = s;
        return ST_OK;
    }
    return map_text(s, UTF8PROC_STABLE | UTF8PROC_COMPOSE, true, mem, out, err);
}

static enum status fold_ascii(struct slice s, struct arena *mem, struct slice *out,
                              struct err *err) {
    char *lower = arena_string(mem, s);
    if (!lower) return err_no_memory(err);
    for (size_t i = 0; i < s.len; i++) {
        if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] + ('a' - 'A'));
    }
    *out = slice_of(lower, s.len);
    return ST_OK;
}

enum status text_fold(struct slice s, struct arena *mem, struct slice *out, struct err *err) {
    if (is_ascii(s)) return fold_ascii(s, mem, out, err);
    int options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
    return map_text(s, options, false, mem, out, err);
}

size_t text_columns(struct slice s) {
    size_t columns = 0;
    for (int32_t point; (point = text_next(&s)) >= 0;) {
        int width = utf8proc_charwidth(point);
        if (width > 0) columns += (size_t)width;
    }
    return columns;
}

/* ------------------------------------------------------------------ numbers */

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

/* Appends a digit to a number that is kept negative, since that side reaches one further. */
static bool add_digit(int64_t *negative, unsigned digit) {
    int64_t next;
    if (__builtin_mul_overflow(*negative, (int64_t)10, &next)) return false;
    return !__builtin_sub_overflow(next, (int64_t)digit, negative);
}

static bool with_sign(int64_t negative, bool minus, int64_t *out) {
    if (!minus && negative == INT64_MIN) return false;
    *out = minus ? negative : -negative;
    return true;
}

static bool cut_minus(struct slice *s) {
    bool minus = s->len > 0 && s->data[0] == '-';
    if (minus) *s = slice_of(s->data + 1, s->len - 1);
    return minus;
}

bool text_to_int(struct slice s, int64_t *out) {
    return text_to_decimal(s, 0, out);
}

bool text_to_decimal(struct slice s, unsigned scale, int64_t *out) {
    bool minus = cut_minus(&s);
    int64_t negative = 0;
    size_t at = 0;
    for (; at < s.len && is_digit(s.data[at]); at++) {
        if (!add_digit(&negative, s.data[at] - (unsigned)'0')) return false;
    }
    if (at == 0) return false;
    unsigned behind = 0;
    if (at < s.len && s.data[at] == '.') {
        at++;
        for (; at < s.len && is_digit(s.data[at]) && behind < scale; at++, behind++) {
            if (!add_digit(&negative, s.data[at] - (unsigned)'0')) return false;
        }
        if (behind == 0) return false;
    }
    if (at != s.len) return false;
    for (; behind < scale; behind++) {
        if (!add_digit(&negative, 0)) return false;
    }
    return with_sign(negative, minus, out);
}

void buf_put_decimal(struct buf *buf, int64_t scaled, unsigned scale) {
    if (scale > DECIMAL_SCALE_MAX) scale = DECIMAL_SCALE_MAX;
    uint64_t size = scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled;
    uint64_t unit = 1;
    for (unsigned i = 0; i < scale; i++) unit *= 10;
    if (scaled < 0) buf_put_byte(buf, '-');
    buf_printf(buf, "%llu", (unsigned long long)(size / unit));
    if (scale > 0) buf_printf(buf, ".%0*llu", (int)scale, (unsigned long long)(size % unit));
}
