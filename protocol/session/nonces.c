/* Nonces: what makes each request good once.
 *
 * The server keeps one number per device, the last that was taken, and the key of the process that
 * the tags are made with. A request of an earlier process carries another tag; a repeated or older
 * one a number that is not above the last. That a number is good says nothing about who sent it:
 * the signature over it does, and is checked first, so that only enrolled devices ever take room
 * here.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session/nonces.h"

enum {
    TAG_BYTES = 6, /* an old request passes for a new one once in 2^48 */
    TAG_CHARS = 8,
    NUMBER_DIGITS_MAX = 15,
    SKIP_MAX = 1 << 20, /* requests lost on the way, in one process */
    SLOTS_FIRST = 64
};

struct slot {
    uint64_t device; /* org and device number */
    int64_t last;    /* the last number taken; 0: the slot is free */
    char tag[TAG_CHARS + 1]; /* of the device, once a number was taken: making it is a MAC */
};

/* Invariant: slot_count is a power of two, and at least half of the slots are free. */
struct session_nonces {
    uint8_t key[MAC_BYTES];
    struct slot *slots;
    size_t slot_count, used_count;
};

/* ------------------------------------------------------------------ spelling */

static bool is_tag_char(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static bool split(struct slice nonce, struct slice *out_tag, int64_t *out_number) {
    struct slice number = nonce;
    if (nonce.len > SESSION_NONCE_BYTES_MAX || !slice_cut(&number, '.', out_tag)) return false;
    if (out_tag->len == 0 || number.len == 0 || number.len > NUMBER_DIGITS_MAX) return false;
    for (size_t i = 0; i < out_tag->len; i++) {
        if (!is_tag_char(out_tag->data[i])) return false;
    }
    for (size_t i = 0; i < number.len; i++) {
        if (number.data[i] < '0' || number.data[i] > '9') return false;
    }
    return number.data[0] != '0' && text_to_int(number, out_number);
}

bool nonces_well_formed(struct slice nonce) {
    struct slice tag;
    int64_t number;
    return split(nonce, &tag, &number) && nonce.len < SESSION_NONCE_BYTES_MAX;
}

void nonces_next(const char *nonce, char out[SESSION_NONCE_BYTES_MAX + 1]) {
    struct slice tag;
    int64_t number;
    char next[SESSION_NONCE_BYTES_MAX + 1];
    bool well_formed = split(slice_from(nonce), &tag, &number);
    assert(well_formed);
    int len = snprintf(next, sizeof next, "%.*s.%" PRId64, (int)tag.len, (const char *)tag.data,
                       number + 1);
    assert(len > 0 && len <= SESSION_NONCE_BYTES_MAX);
    memcpy(out, next, (size_t)len + 1);
}

/* ------------------------------------------------------------------ the server's numbers */

static uint64_t device_key(uint32_t org, uint32_t device) {
    return (uint64_t)org << 32 | device;
}

static void tag_make(const struct session_nonces *nonces, uint64_t device,
                     char out[TAG_CHARS + 1]) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t name[8], mac[MAC_BYTES];
    for (unsigned i = 0; i < sizeof name; i++) name[i] = (uint8_t)(device >> (8 * i));
    mac_sha256(slice_of(nonces->key, sizeof nonces->key), slice_of(name, sizeof name), mac);
    uint64_t bits = 0;
    for (unsigned i = 0; i < TAG_BYTES; i++) bits = bits << 8 | mac[i];
    for (unsigned i = 0; i < TAG_CHARS; i++) out[i] = alphabet[(bits >> (42 - 6 * i)) & 63];
    out[TAG_CHARS] = 0;
}

/* Where the device stands, or the free place where it would. Devices are spread by a
 * multiplication; no stranger chooses their numbers. */
static struct slot *slot_find(struct slot *slots, size_t count, uint64_t device) {
    size_t at = (size_t)((device * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (count - 1);
    while (slots[at].last && slots[at].device != device) at = (at + 1) & (count - 1);
    return &slots[at];
}

static void tag_of(const struct session_nonces *nonces, const struct slot *slot, uint64_t device,
                   char out[TAG_CHARS + 1]) {
    if (slot->last) memcpy(out, slot->tag, sizeof slot->tag);
    else tag_make(nonces, device, out);
}

static bool grow(struct session_nonces *nonces) {
    size_t count = nonces->slot_count * 2;
    struct slot *slots = calloc(count, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < nonces->slot_count; i++) {
        const struct slot *old = &nonces->slots[i];
        if (old->last) *slot_find(slots, count, old->device) = *old;
    }
    free(nonces->slots);
    nonces->slots = slots;
    nonces->slot_count = count;
    return true;
}

enum status session_nonces_open(const struct env *env, struct session_nonces **out,
                                struct err *err) {
    struct session_nonces *nonces = calloc(1, sizeof *nonces);
    if (nonces) nonces->slots = calloc(SLOTS_FIRST, sizeof *nonces->slots);
    if (!nonces || !nonces->slots) {
        session_nonces_close(nonces);
        return err_no_memory(err);
    }
    nonces->slot_count = SLOTS_FIRST;
    env->random(env->ctx, nonces->key, sizeof nonces->key);
    *out = nonces;
    return ST_OK;
}

void session_nonces_close(struct session_nonces *nonces) {
    if (!nonces) return;
    free(nonces->slots);
    bytes_wipe(nonces->key, sizeof nonces->key);
    free(nonces);
}

/* Giving takes no room: until one is taken, the device is given the same nonce again. */
void session_nonce_give(struct session_nonces *nonces, uint32_t org, uint32_t device,
                        char out[SESSION_NONCE_BYTES_MAX + 1]) {
    uint64_t name = device_key(org, device);
    char tag[TAG_CHARS + 1];
    const struct slot *slot = slot_find(nonces->slots, nonces->slot_count, name);
    tag_of(nonces, slot, name, tag);
    (void)snprintf(out, SESSION_NONCE_BYTES_MAX + 1, "%s.%" PRId64, tag, slot->last + 1);
}

static enum status not_good(struct err *err) {
    return err_set(err, ST_TRY_AGAIN,
                   "the request's nonce is not good any more; ask again with the new one",
                   "请求的随机数已失效，请用新的随机数重试");
}

enum status session_nonce_take(struct session_nonces *nonces, uint32_t org, uint32_t device,
                               const char *nonce, struct err *err) {
    uint64_t name = device_key(org, device);
    char expected[TAG_CHARS + 1];
    struct slice tag;
    int64_t number;
    if (!split(slice_from(nonce), &tag, &number) || tag.len != TAG_CHARS) return not_good(err);
    struct slot *slot = slot_find(nonces->slots, nonces->slot_count, name);
    tag_of(nonces, slot, name, expected);
    if (!bytes_equal_secret(tag.data, expected, TAG_CHARS)) return not_good(err);
    if (number <= slot->last || number - slot->last > SKIP_MAX) return not_good(err);
    if (slot->last == 0) {
        if ((nonces->used_count + 1) * 2 > nonces->slot_count && !grow(nonces))
            return err_no_memory(err);
        slot = slot_find(nonces->slots, nonces->slot_count, name);
        slot->device = name;
        memcpy(slot->tag, expected, sizeof slot->tag);
        nonces->used_count++;
    }
    slot->last = number;
    return ST_OK;
}
