/* A hash table with open addressing. It only grows, within the cap of its arena: an import asks for
 * the same few texts ten thousand times, and each must not cost a query.
 */
#include "syncd/api/lookup.h"

enum { LOOKUP_FIRST_CAP = 64 };

static uint64_t hash_of(struct slice key) { /* FNV-1a, 64 bits */
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < key.len; i++) hash = (hash ^ key.data[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

struct lookup lookup_new(struct arena *mem) {
    return (struct lookup){.mem = mem};
}

/* The entry of the key, or the free one where it would stand. There always is a free one. */
static struct lookup_entry *place_of(struct lookup_entry *entries, size_t cap, uint64_t hash,
                                     struct slice key) {
    for (size_t at = (size_t)hash & (cap - 1);; at = (at + 1) & (cap - 1)) {
        struct lookup_entry *entry = &entries[at];
        if (!entry->used || (entry->hash == hash && slice_equal(entry->key, key))) return entry;
    }
}

struct lookup_entry *lookup_find(const struct lookup *l, struct slice key) {
    if (l->cap == 0) return NULL;
    struct lookup_entry *entry = place_of(l->entries, l->cap, hash_of(key), key);
    return entry->used ? entry : NULL;
}

static bool grow(struct lookup *l) {
    size_t cap = l->cap == 0 ? LOOKUP_FIRST_CAP : l->cap * 2;
    struct lookup_entry *entries = ARENA_ARRAY(l->mem, cap, struct lookup_entry);
    if (!entries) return false;
    for (size_t i = 0; i < l->cap; i++)
        if (l->entries[i].used)
            *place_of(entries, cap, l->entries[i].hash, l->entries[i].key) = l->entries[i];
    l->entries = entries;
    l->cap = cap;
    return true;
}

struct lookup_entry *lookup_put(struct lookup *l, struct slice key) {
    uint64_t hash = hash_of(key);
    if (l->count * 2 >= l->cap && !grow(l)) return NULL;
    struct lookup_entry *entry = place_of(l->entries, l->cap, hash, key);
    if (entry->used) return entry;
    struct slice copy = arena_copy(l->mem, key);
    if (!copy.data) return NULL;
    *entry = (struct lookup_entry){.used = true, .hash = hash, .key = copy};
    l->count++;
    return entry;
}
