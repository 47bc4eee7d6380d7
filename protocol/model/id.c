/* Row ids and the short form in which people read them to each other.
 *
 * The short form is Crockford base32 (no I, L, O, U), device and counter with a hyphen between
 * them, and a check character. The check is a polynomial over GF(32): unlike a sum it finds every
 * wrong character and every swap of two neighbours, the two mistakes that people make.
 */
#include "protocol/model/model.h"

#include <assert.h>

static const char ALPHABET[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
enum { DIGIT_BITS = 5, DIGIT_COUNT = 32, GF32_POLYNOMIAL = 0x25 }; /* x^5 + x^2 + 1, primitive */

int64_t id_make(uint32_t device, uint32_t counter) {
    assert(device <= ID_DEVICE_MAX);
    return ((int64_t)device << ID_COUNTER_BITS) | (int64_t)counter;
}

uint32_t id_device(int64_t id) {
    return (uint32_t)((uint64_t)id >> ID_COUNTER_BITS) & ID_DEVICE_MAX;
}

uint32_t id_counter(int64_t id) {
    return (uint32_t)((uint64_t)id & UINT32_MAX);
}

bool id_is_valid(int64_t id) {
    return id >= 1 && id <= ID_MAX;
}

static unsigned check_step(unsigned check, unsigned digit) {
    check <<= 1;
    if (check & DIGIT_COUNT) check ^= GF32_POLYNOMIAL;
    return check ^ digit;
}

/* Writes number without leading zeros (0 is "0"), puts its digits into the check; returns the end.
 */
static char *put_digits(char *at, uint32_t number, unsigned *check) {
    unsigned shift = 0;
    while (shift + DIGIT_BITS < 32 && number >> (shift + DIGIT_BITS)) shift += DIGIT_BITS;
    for (;; shift -= DIGIT_BITS) {
        unsigned digit = number >> shift & (DIGIT_COUNT - 1);
        *check = check_step(*check, digit);
        *at++ = ALPHABET[digit];
        if (shift == 0) return at;
    }
}

void id_format(int64_t id, char out[ID_TEXT_BYTES]) {
    unsigned check = 0;
    char *at = put_digits(out, id_device(id), &check);
    *at++ = '-';
    at = put_digits(at, id_counter(id), &check);
    *at++ = ALPHABET[check_step(check, 0)];
    *at = '\0';
}

static int digit_of(uint8_t c) {
    if (c >= 'a' && c <= 'z') c = (uint8_t)(c - 'a' + 'A');
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    for (int i = 0; i < DIGIT_COUNT; i++)
        if ((uint8_t)ALPHABET[i] == c) return i;
    return -1;
}

static bool read_digits(struct slice s, uint64_t max, unsigned *check, uint64_t *out) {
    uint64_t number = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = digit_of(s.data[i]);
        if (digit < 0) return false;
        number = number << DIGIT_BITS | (uint64_t)digit;
        if (number > max) return false;
        *check = check_step(*check, (unsigned)digit);
    }
    *out = number;
    return true;
}

static bool parse_short(struct slice device, struct slice rest, int64_t *out) {
    unsigned check = 0;
    uint64_t device_number, counter;
    if (rest.len < 2) return false;
    int last = digit_of(rest.data[rest.len - 1]);
    rest.len--;
    if (!read_digits(device, ID_DEVICE_MAX, &check, &device_number)) return false;
    if (!read_digits(rest, UINT32_MAX, &check, &counter)) return false;
    if (last < 0 || check_step(check, 0) != (unsigned)last) return false;
    int64_t id = id_make((uint32_t)device_number, (uint32_t)counter);
    if (!id_is_valid(id)) return false;
    *out = id;
    return true;
}

bool id_parse(struct slice text, int64_t *out) {
    text = slice_trim(text);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '-')
            return parse_short(slice_of(text.data, i),
                               slice_of(text.data + i + 1, text.len - i - 1), out);
    int64_t id;
    if (!text_to_int(text, &id) || !id_is_valid(id)) return false;
    *out = id;
    return true;
}
