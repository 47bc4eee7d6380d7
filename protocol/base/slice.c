/* Slices: looking at bytes that somebody else owns. */
#include <string.h>

#include "protocol/base/base.h"

struct slice slice_from(const char *zero_terminated) {
    if (!zero_terminated) return (struct slice){0};
    return slice_of(zero_terminated, strlen(zero_terminated));
}

struct slice slice_of(const void *data, size_t len) {
    return (struct slice){data, len};
}

bool slice_equal(struct slice a, struct slice b) {
    if (a.len != b.len) return false;
    return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}

int slice_compare(struct slice a, struct slice b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0) return order < 0 ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}

bool slice_starts(struct slice s, struct slice prefix) {
    return s.len >= prefix.len && slice_equal((struct slice){s.data, prefix.len}, prefix);
}

bool slice_cut(struct slice *rest, char separator, struct slice *out_part) {
    if (rest->len == 0) return false;
    const uint8_t *found = memchr(rest->data, separator, rest->len);
    size_t part = found ? (size_t)(found - rest->data) : rest->len;
    size_t gone = found ? part + 1 : part;
    *out_part = (struct slice){rest->data, part};
    *rest = (struct slice){rest->data + gone, rest->len - gone};
    return true;
}

static bool is_ascii_blank(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* U+3000, the blank of Chinese typing. */
static bool is_wide_blank(const uint8_t *at) {
    return at[0] == 0xE3 && at[1] == 0x80 && at[2] == 0x80;
}

static size_t blank_at_start(struct slice s) {
    if (s.len >= 1 && is_ascii_blank(s.data[0])) return 1;
    if (s.len >= 3 && is_wide_blank(s.data)) return 3;
    return 0;
}

static size_t blank_at_end(struct slice s) {
    if (s.len >= 1 && is_ascii_blank(s.data[s.len - 1])) return 1;
    if (s.len >= 3 && is_wide_blank(s.data + s.len - 3)) return 3;
    return 0;
}

struct slice slice_trim(struct slice s) {
    for (size_t blank; (blank = blank_at_start(s)) > 0;) {
        s.data += blank;
        s.len -= blank;
    }
    for (size_t blank; (blank = blank_at_end(s)) > 0;) s.len -= blank;
    return s;
}
