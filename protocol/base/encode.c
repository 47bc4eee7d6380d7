/* Base64 (RFC 4648) and hex.
 *
 * Decoding is strict: no blanks, exactly the padding that belongs there, and no stray bits in the
 * last character, so that one value has one text. Content is not secret here; keys travel as bytes.
 */
#include <string.h>

#include "protocol/base/base.h"

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL_SAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void buf_put_base64(struct buf *buf, struct slice s, bool url_safe) {
    const char *alphabet = url_safe ? URL_SAFE : STANDARD;
    for (size_t at = 0; at < s.len; at += 3) {
        size_t left = s.len - at;
        uint32_t group = (uint32_t)s.data[at] << 16;
        if (left > 1) group |= (uint32_t)s.data[at + 1] << 8;
        if (left > 2) group |= s.data[at + 2];
        char text[4];
        for (unsigned i = 0; i < 4; i++) text[i] = alphabet[(group >> (18 - 6 * i)) & 63];
        size_t used = left > 2 ? 4 : left + 1;
        buf_put(buf, text, used);
        if (!url_safe) buf_put(buf, "==", 4 - used);
    }
}

static int base64_value(uint8_t c, bool url_safe) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (url_safe ? '-' : '+')) return 62;
    if (c == (url_safe ? '_' : '/')) return 63;
    return -1;
}

/* Removes the padding; false when it is not as the alphabet wants it. */
static bool strip_padding(struct slice *text, bool url_safe) {
    if (url_safe) return true;
    if (text->len % 4 != 0) return false;
    for (int i = 0; i < 2 && text->len > 0 && text->data[text->len - 1] == '='; i++) text->len--;
    return true;
}

/* One group of two to four characters into one to three bytes. */
static bool decode_group(struct slice group, bool url_safe, uint8_t out[3]) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < group.len ? base64_value(group.data[i], url_safe) : 0;
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
    }
    if (group.len == 2 && (bits & 0xFFFF)) return false;
    if (group.len == 3 && (bits & 0xFF)) return false;
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return group.len >= 2;
}

/* What was appended before the fault is taken back. */
static bool take_back(struct buf *out, size_t len) {
    if (!out->failed) out->len = len;
    return false;
}

bool base64_decode(struct slice text, bool url_safe, struct buf *out) {
    size_t start = out->len;
    if (!strip_padding(&text, url_safe)) return false;
    for (size_t at = 0; at < text.len; at += 4) {
        size_t count = text.len - at < 4 ? text.len - at : 4;
        uint8_t bytes[3];
        if (!decode_group(slice_of(text.data + at, count), url_safe, bytes)) {
            return take_back(out, start);
        }
        buf_put(out, bytes, count - 1);
    }
    return true;
}

void buf_put_hex(struct buf *buf, struct slice s) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < s.len; i++) {
        buf_put_byte(buf, (uint8_t)digits[s.data[i] >> 4]);
        buf_put_byte(buf, (uint8_t)digits[s.data[i] & 15]);
    }
}

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct slice text, struct buf *out) {
    size_t start = out->len;
    if (text.len % 2 != 0) return false;
    for (size_t at = 0; at < text.len; at += 2) {
        int high = hex_value(text.data[at]), low = hex_value(text.data[at + 1]);
        if (high < 0 || low < 0) return take_back(out, start);
        buf_put_byte(out, (uint8_t)(high << 4 | low));
    }
    return true;
}
