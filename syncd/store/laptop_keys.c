/* The org's keys at a laptop: the identity has the newest, a setting the statements that lead to it
 * from the first (succession.h). A rescued or renumbered book keeps both; where the two do not fit,
 * the identity counts, and the next greeting brings the statements anew. */
#include "protocol/wire/succession.h"
#include "syncd/store/laptop.h"

#include <string.h>

#define SETTING_KEYS "org_keys"
enum { KEYS_MEMORY = 256 * 1024 };

static bool leads_to(const struct key_changes *keys, const uint8_t key[SIGN_PUBLIC_BYTES]) {
    return keys->count > 0 && keys->count == keys->total &&
           memcmp(keys->items[keys->count - 1].new_public, key, SIGN_PUBLIC_BYTES) == 0;
}

static enum status read_keys(struct store *store, const uint8_t now[SIGN_PUBLIC_BYTES],
                             struct arena *mem, struct key_changes *out, struct err *err) {
    struct slice bytes = {0};
    *out = (struct key_changes){0};
    enum status status = store_setting(store, SETTING_KEYS, mem, &bytes, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    TRY(status);
    TRY(keys_read(bytes, mem, out, err));
    if (!leads_to(out, now)) *out = (struct key_changes){0};
    return ST_OK;
}

enum status store_org_keys(struct store *store, struct arena *mem, struct key_changes *out,
                           struct err *err) {
    struct store_identity identity;
    TRY(store_identity(store, &identity, err));
    enum status status = read_keys(store, identity.org_public, mem, out, err);
    bytes_wipe(&identity, sizeof identity);
    return status;
}

static void first_of(const struct key_changes *keys, const uint8_t now[SIGN_PUBLIC_BYTES],
                     uint8_t out[SIGN_PUBLIC_BYTES]) {
    memcpy(out, keys->count > 0 ? keys->items[0].old_public : now, SIGN_PUBLIC_BYTES);
}

enum status store_org_first(struct store *store, uint8_t out[SIGN_PUBLIC_BYTES], struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(KEYS_MEMORY);
    struct store_identity identity;
    struct key_changes keys;
    TRY(store_identity(store, &identity, err));
    enum status status = read_keys(store, identity.org_public, &mem, &keys, err);
    if (status == ST_OK) first_of(&keys, identity.org_public, out);
    bytes_wipe(&identity, sizeof identity);
    return status;
}

/* ------------------------------------------------------------------ taking news */

static enum status do_not_meet(struct err *err) {
    return err_set(err, ST_CONFLICT,
                   "what was said about the org's keys does not go on from what this book knows: "
                   "nothing was taken; sync again",
                   "关于组织密钥的声明与本账本所知不衔接：未采用任何内容，请重新同步");
}

/* *out: what is known, and behind it what is new. */
static enum status join(const struct key_changes *known, const struct key_changes *news,
                        struct arena *mem, struct key_changes *out, struct err *err) {
    size_t first = news->total - news->count;
    if (first > known->count) return do_not_meet(err);
    for (size_t i = first; i < known->count && i - first < news->count; i++)
        if (memcmp(known->items[i].new_public, news->items[i - first].new_public,
                   SIGN_PUBLIC_BYTES) != 0)
            return do_not_meet(err);
    *out = *known;
    if (news->total <= known->total) return ST_OK;
    out->items = ARENA_ARRAY(mem, news->total, struct key_change);
    if (!out->items) return err_no_memory(err);
    if (first > 0) memcpy(out->items, known->items, first * sizeof *out->items);
    memcpy(out->items + first, news->items, news->count * sizeof *out->items);
    out->total = news->total;
    out->count = news->total;
    return ST_OK;
}

static enum status put_keys(struct store *store, const struct key_changes *keys, struct err *err) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_LINE);
    TRY(keys_write(keys, &bytes, err));
    TRY(buf_status(&bytes, err));
    return store_setting_set(store, SETTING_KEYS, buf_slice(&bytes), err);
}

static enum status add(struct store *store, const struct key_changes *news,
                       struct store_identity *identity, struct arena *mem, struct err *err) {
    struct key_changes known, all;
    uint8_t before[SIGN_PUBLIC_BYTES], after[SIGN_PUBLIC_BYTES];
    TRY(store_identity(store, identity, err));
    TRY(read_keys(store, identity->org_public, mem, &known, err));
    TRY(join(&known, news, mem, &all, err));
    if (all.total == known.total) return ST_OK;
    first_of(&known, identity->org_public, before);
    memcpy(identity->org_public, all.items[all.count - 1].new_public, SIGN_PUBLIC_BYTES);
    first_of(&all, identity->org_public, after);
    TRY(put_keys(store, &all, err));
    TRY(store_identity_set(store, identity, err));
    bool same = memcmp(before, after, SIGN_PUBLIC_BYTES) == 0;
    return same ? ST_OK : digest_forget(store, err); /* sums that were keyed by another one */
}

enum status store_org_keys_add(struct store *store, const struct key_changes *news,
                               struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(KEYS_MEMORY);
    struct store_identity identity = {0};
    struct laptop *laptop;
    if (news->count == 0) return ST_OK;
    TRY(laptop_get(store, &laptop, err));
    TRY(db_begin(store->db, true, err));
    enum status status = add(store, news, &identity, &mem, err);
    bytes_wipe(&identity, sizeof identity);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK && db_in_transaction(store->db)) db_rollback(store->db);
    return status;
}
