/* The digest in a reply: what the laptop should hold once it has taken it. */
#include <string.h>

#include "syncd/server/reply.h"
#include "syncd/store/centre_digest.h"

enum status reply_digest(const struct view *view, struct arena *mem, struct round_reply *out,
                         struct err *err) {
    struct book_digest digest;
    int64_t *homes = ARENA_ARRAY(mem, view->grant_count + 1, int64_t);
    if (!homes) return err_no_memory(err);
    for (size_t i = 0; i < view->grant_count; i++) homes[i] = view->grants[i].home;
    TRY(centre_digest(view->c, homes, view->grant_count, &digest, err));
    out->has_digest = true;
    memcpy(out->digest, digest.sum, BOOK_DIGEST_BYTES);
    out->digest_rows = digest.rows;
    return ST_OK;
}
