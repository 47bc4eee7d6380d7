/* Private to syncd/api: a hash table from bytes to an id or an item, in an arena. Entries are never
 * taken out. */
#ifndef ROADBOOK_API_LOOKUP_H
#define ROADBOOK_API_LOOKUP_H

#include "protocol/base/base.h"

struct lookup_entry {
    bool used;
    uint64_t hash;
    struct slice key;
    int64_t number; /* the user's; 0 when new */
    void *item;     /* likewise, NULL */
};

struct lookup {
    struct arena *mem; /* owner: whoever made the table */
    struct lookup_entry *entries;
    size_t cap, count; /* cap is 0 or a power of two, at least twice count */
};

struct lookup lookup_new(struct arena *mem); /* no allocation yet */
/* NULL: not there. Valid until the next lookup_put. */
struct lookup_entry *lookup_find(const struct lookup *l, struct slice key);
/* Finds or adds; the key is copied. NULL: no memory. Valid until the next lookup_put. */
struct lookup_entry *lookup_put(struct lookup *l, struct slice key) NODISCARD;

#endif
