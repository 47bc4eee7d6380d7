/* Rounds by a stick: head office's side of bundles (protocol/session/bundle.h). */
#ifndef ROADBOOK_SERVER_BUNDLE_H
#define ROADBOOK_SERVER_BUNDLE_H

#include "syncd/server/org.h"

struct bundle_done {
    uint32_t device;
    int64_t made_ms; /* by the laptop's wall clock */
    bool older;      /* all of it is here by a newer one, whose answer counts: there is none */
    bool keys_only;  /* it was sealed to a key that the org has replaced (or was changed on the
                        way): nothing was taken, and the answer only tells the newest key */
    struct org_push push;
    size_t pages, records;
    bool more; /* the answer is full: the laptop sends another bundle up */
};
/* Takes what a laptop sent on a stick, exactly once as in rounds, and makes the answer for it.
 * name: of the org. ST_INVALID: of another org, or a bundle down; ST_NOT_FOUND: no such device;
 * else as rounds. *out_answer in mem. */
enum status org_bundle(struct org *org, struct org_reader *reader, const char *name,
                       struct slice file, struct arena *mem, struct slice *out_answer,
                       struct bundle_done *out, struct err *err) NODISCARD;

#endif
