/* Statements by which the org's key passes on to the next: see succession.h. */
#include "protocol/wire/succession.h"

#include <string.h>

#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"

enum { VARINT_BYTES = 10 };

/* ------------------------------------------------------------------ one statement */

/* On the stack: what is signed never depends on memory. */
struct statement {
    uint8_t text[sizeof "roadbook key 1\n" + 3 * SIGN_PUBLIC_BYTES + 3 * VARINT_BYTES];
    size_t len;
};

static void put(struct statement *s, const void *bytes, size_t count) {
    memcpy(s->text + s->len, bytes, count);
    s->len += count;
}

static void put_varint(struct statement *s, uint64_t n) {
    for (; n >= 0x80; n >>= 7) s->text[s->len++] = (uint8_t)(n | 0x80);
    s->text[s->len++] = (uint8_t)n;
}

static struct slice statement(const struct key_change *change,
                              const uint8_t first[SIGN_PUBLIC_BYTES], uint32_t number,
                              struct statement *s) {
    uint64_t twice = (uint64_t)change->time_ms << 1;
    s->len = 0;
    put(s, "roadbook key 1\n", strlen("roadbook key 1\n"));
    put(s, first, SIGN_PUBLIC_BYTES);
    put_varint(s, number);
    put(s, change->old_public, SIGN_PUBLIC_BYTES);
    put(s, change->new_public, SIGN_PUBLIC_BYTES);
    put_varint(s, change->time_ms < 0 ? ~twice : twice);
    put_varint(s, (uint64_t)change->seq);
    return slice_of(s->text, s->len);
}

void key_change_make(struct key_change *change, const uint8_t first[SIGN_PUBLIC_BYTES],
                     uint32_t number, const struct sign_key *from, const struct sign_key *to) {
    struct statement s;
    sign_public(from, change->old_public);
    sign_public(to, change->new_public);
    struct slice text = statement(change, first, number, &s);
    sign_make(from, text, change->by_old);
    sign_make(to, text, change->by_new);
}

bool key_change_is_signed(const struct key_change *change, const uint8_t first[SIGN_PUBLIC_BYTES],
                          uint32_t number) {
    struct statement s;
    struct slice text = statement(change, first, number, &s);
    return sign_check(change->old_public, text, change->by_old) &&
           sign_check(change->new_public, text, change->by_new);
}

/* ------------------------------------------------------------------ the chain */

static bool same_key(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, SIGN_PUBLIC_BYTES) == 0;
}

static enum status not_followed(struct err *err) {
    return err_set(err, ST_UNAUTHENTIC,
                   "what was said about the org's new key is not signed by the key that this "
                   "laptop knows: nothing was taken; tell the administrator",
                   "关于组织新密钥的声明不是由本机所知的密钥签名的：未采用任何内容，请告知管理员");
}

/* Each leads on from the one before it, and is signed by both of its keys. */
static bool is_chain(const struct key_changes *changes, const uint8_t first[SIGN_PUBLIC_BYTES]) {
    uint32_t number = changes->total - (uint32_t)changes->count;
    for (size_t i = 0; i < changes->count; i++) {
        const struct key_change *change = &changes->items[i];
        if (i > 0 && !same_key(change->old_public, change[-1].new_public)) return false;
        if (same_key(change->old_public, change->new_public)) return false;
        if (!key_change_is_signed(change, first, number + (uint32_t)i + 1)) return false;
    }
    return true;
}

static bool has_key(const struct key_changes *changes, const uint8_t key[SIGN_PUBLIC_BYTES]) {
    bool has = same_key(changes->items[0].old_public, key);
    for (size_t i = 0; i < changes->count; i++)
        has = has || same_key(changes->items[i].new_public, key);
    return has;
}

enum status key_trust_follow(const struct key_trust *trust, const struct key_changes *changes,
                             struct key_trust *out, struct err *err) {
    struct key_trust next = *trust;
    if (changes->total < trust->changes)
        return err_set(err, ST_CONFLICT,
                       "it signs with an older key of the org than this laptop knows (no. %u "
                       "instead of no. %u): it was restored from an old backup, or it is not the "
                       "server. Nothing was taken; tell the administrator (SECURITY.md, Keys)",
                       "对方使用的组织密钥比本机所知的更旧（第 %u 个，本机已知第 %u 个）："
                       "它可能由旧备份还原，或并非真正的服务器。未采用任何内容，请告知管理员",
                       (unsigned)changes->total + 1, (unsigned)trust->changes + 1);
    if (changes->total == trust->changes && trust->changes > 0) {
        *out = next;
        return ST_OK;
    }
    if (changes->total == 0) {
        memcpy(next.first, trust->now, SIGN_PUBLIC_BYTES);
        *out = next;
        return ST_OK;
    }
    uint32_t before = changes->total - (uint32_t)changes->count;
    if (before > trust->changes) return not_followed(err);
    if (trust->changes == 0) memcpy(next.first, changes->items[0].old_public, SIGN_PUBLIC_BYTES);
    bool meets = trust->changes == 0
                     ? has_key(changes, trust->now)
                     : same_key(changes->items[trust->changes - before].old_public, trust->now);
    if (!meets || !is_chain(changes, next.first)) return not_followed(err);
    memcpy(next.now, changes->items[changes->count - 1].new_public, SIGN_PUBLIC_BYTES);
    next.changes = changes->total;
    *out = next;
    return ST_OK;
}

/* ------------------------------------------------------------------ coding */

static void code_succession(struct coder *c, struct key_change *k) {
    code_fixed(c, k->new_public, SIGN_PUBLIC_BYTES);
    k->time_ms = code_signed(c, k->time_ms);
    k->seq = code_seq(c, k->seq);
    code_fixed(c, k->by_old, SIGN_BYTES);
    code_fixed(c, k->by_new, SIGN_BYTES);
}

/* The old key of all but the first is the new one before it. */
static void code_keys(struct coder *c, struct key_changes *keys) {
    uint8_t old[SIGN_PUBLIC_BYTES] = {0};
    keys->total = (uint32_t)code_number(c, keys->total, KEY_CHANGES_MAX);
    keys->count = (size_t)code_number(c, keys->count, keys->total);
    keys->items = code_items(c, keys->items, keys->count, sizeof *keys->items);
    if (keys->count == 0 || coder_failed(c)) return;
    if (!c->reading) memcpy(old, keys->items[0].old_public, sizeof old);
    code_fixed(c, old, sizeof old);
    for (size_t i = 0; i < keys->count && !coder_failed(c); i++) {
        struct key_change k = keys->items[i];
        code_succession(c, &k);
        memcpy(k.old_public, old, sizeof old);
        memcpy(old, k.new_public, sizeof old);
        if (c->reading) keys->items[i] = k;
    }
}

enum status keys_write(const struct key_changes *keys, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    struct key_changes copy = *keys;
    if (keys->total > KEY_CHANGES_MAX || keys->count > keys->total)
        return err_set(err, ST_TOO_LARGE, "the org's key was changed more than %d times",
                       "组织密钥的更换次数超过 %d 次", KEY_CHANGES_MAX);
    code_keys(&c, &copy);
    return coder_status(&c, err);
}

enum status keys_read(struct slice section, struct arena *mem, struct key_changes *out,
                      struct err *err) {
    struct coder c = coder_reading(section, mem);
    struct key_changes keys = {0};
    code_keys(&c, &keys);
    TRY(coder_end(&c, err));
    *out = keys;
    return ST_OK;
}

enum status keys_known_write(uint32_t known, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    (void)code_number(&c, known, KEY_CHANGES_MAX);
    return coder_status(&c, err);
}

enum status keys_known_read(struct slice section, uint32_t *out, struct err *err) {
    struct coder c = coder_reading(section, NULL);
    uint32_t known = (uint32_t)code_number(&c, 0, KEY_CHANGES_MAX);
    TRY(coder_end(&c, err));
    *out = known;
    return ST_OK;
}
