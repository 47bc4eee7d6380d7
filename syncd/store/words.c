/* Words of a text. Ranges instead of tables: this decides what a person can search for, not what is
 * valid. */
#include "syncd/store/words.h"

#include <string.h>

enum kind { KIND_BLANK, KIND_LETTER, KIND_ALONE };

struct range {
    int32_t first, last;
};

static bool is_in(int32_t point, const struct range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last) return true;
    return false;
}

static const struct range SCRIPTS_WITHOUT_BLANKS[] = {
    {0x4E00, 0x9FFF}, {0x3400, 0x4DBF}, {0x3005, 0x3007},   {0x3040, 0x30FF}, {0x3105, 0x318F},
    {0x31A0, 0x31BF}, {0x31F0, 0x31FF}, {0xAC00, 0xD7AF},   {0x1100, 0x11FF}, {0x2E80, 0x2FDF},
    {0xF900, 0xFAFF}, {0xFF66, 0xFFDC}, {0x20000, 0x3FFFF},
};

static const struct range SIGNS[] = {
    {0x0080, 0x00A9}, {0x00AB, 0x00B4}, {0x00B6, 0x00B9}, {0x00BB, 0x00BF}, {0x00D7, 0x00D7},
    {0x00F7, 0x00F7}, {0x2000, 0x206F}, {0x20A0, 0x20CF}, {0x2190, 0x2BFF}, {0x3000, 0x303F},
    {0xE000, 0xF8FF}, {0xFE10, 0xFE6F}, {0xFF00, 0xFFEF}, {0xFFF0, 0xFFFF}, {0x1F000, 0x1FAFF},
};

static enum kind kind_of(int32_t folded) {
    if (folded < 0x80) {
        bool letter = (folded >= 'a' && folded <= 'z') || (folded >= '0' && folded <= '9');
        return letter ? KIND_LETTER : KIND_BLANK;
    }
    if (is_in(folded, SCRIPTS_WITHOUT_BLANKS, ARRAY_COUNT(SCRIPTS_WITHOUT_BLANKS)))
        return KIND_ALONE;
    return is_in(folded, SIGNS, ARRAY_COUNT(SIGNS)) ? KIND_BLANK : KIND_LETTER;
}

static int32_t fold_latin(int32_t c) {
    if (c >= 0xC0 && c <= 0xDE) return c == 0xD7 ? c : c + 32;
    if (c == 0x130) return 'i';
    if (c == 0x178) return 0xFF;
    bool odd_is_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
    bool even_is_upper = (c >= 0x100 && c <= 0x137 && c != 0x131) || (c >= 0x14A && c <= 0x177);
    if (odd_is_upper) return c + (c & 1);
    return even_is_upper ? c | 1 : c;
}

static int32_t fold_greek(int32_t c) {
    if (c >= 0x391 && c <= 0x3AB && c != 0x3A2) return c + 32;
    if (c == 0x386) return 0x3AC;
    if (c >= 0x388 && c <= 0x38A) return c + 37;
    if (c == 0x38C) return 0x3CC;
    if (c == 0x38E || c == 0x38F) return c + 63;
    return c == 0x3C2 ? 0x3C3 : c; /* the sigma at the end of a word */
}

static int32_t fold_cyrillic(int32_t c) {
    if (c >= 0x410 && c <= 0x42F) return c + 32;
    if (c >= 0x400 && c <= 0x40F) return c + 80;
    bool even_is_upper = (c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || c >= 0x4D0;
    return even_is_upper ? c | 1 : c;
}

static int32_t fold(int32_t c) {
    if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c < 0x180) return fold_latin(c);
    if (c >= 0x370 && c <= 0x3FF) return fold_greek(c);
    return c >= 0x400 && c <= 0x52F ? fold_cyrillic(c) : c;
}

static size_t put_utf8(int32_t c, uint8_t *out) {
    uint32_t u = (uint32_t)c;
    if (u < 0x80) return out[0] = (uint8_t)u, 1;
    if (u < 0x800) return out[0] = (uint8_t)(0xC0 | u >> 6), out[1] = (uint8_t)(0x80 | (u & 63)), 2;
    size_t n = u < 0x10000 ? 3 : 4;
    out[0] = n == 3 ? (uint8_t)(0xE0 | u >> 12) : (uint8_t)(0xF0 | u >> 18);
    for (size_t i = 1; i < n; i++) out[i] = (uint8_t)(0x80 | (u >> (6 * (n - 1 - i)) & 63));
    return n;
}

/* One folded character at *at, which moves on; false at the end. */
static bool next_folded(struct slice text, size_t *at, int32_t *out) {
    if (*at >= text.len) return false;
    uint8_t byte = text.data[*at];
    if (byte < 0x80) {
        (*at)++;
        *out = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;
        return true;
    }
    struct slice rest = slice_of(text.data + *at, text.len - *at);
    *out = fold(text_next(&rest));
    *at = text.len - rest.len;
    return true;
}

bool word_next(struct slice text, size_t *at, struct word *out) {
    int32_t c;
    size_t before = *at;
    out->len = 0;
    while (next_folded(text, at, &c)) {
        enum kind kind = kind_of(c);
        if (out->len > 0 && kind != KIND_LETTER) {
            *at = before;
            return true;
        }
        if (kind != KIND_BLANK) {
            if (out->len == 0) out->start = before;
            if (out->len < WORD_BYTES_MAX) out->len += put_utf8(c, out->folded + out->len);
            out->end = *at;
            out->alone = kind == KIND_ALONE;
            if (out->alone) return true;
        }
        before = *at;
    }
    return out->len > 0;
}
