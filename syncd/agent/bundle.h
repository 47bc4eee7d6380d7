/* Rounds by a stick: the laptop's side of bundles (protocol/session/bundle.h). */
#ifndef ROADBOOK_AGENT_BUNDLE_H
#define ROADBOOK_AGENT_BUNDLE_H

#include "syncd/agent/agent.h"

struct bundle_made {
    size_t batches; /* in it */
    bool left;      /* more wait: they fit into the next one, after the answer to this one */
};
/* What a round would send now; its batches count as sent. *out in mem. ST_DENIED: not enrolled. */
enum status bundle_export(struct store *store, const struct env *env, struct arena *mem,
                          struct slice *out, struct bundle_made *out_made,
                          struct err *err) NODISCARD;

struct bundle_taken {
    struct agent_result result;
    bool
        stale; /* this book has gone on since it asked: nothing was taken, and nothing is missing */
    bool more; /* the answer did not fit: send another bundle up */
    bool keys; /* it told of another key of the org */
};
/* Applies the answer that head office gave. Twice, or too late, does nothing. ST_INVALID: of
 * another laptop, or a bundle up. ST_UNAUTHENTIC, ST_CLONED as in a round. Stopped or failed in the
 * middle: give it the same file again. */
enum status bundle_import(struct store *store, struct slice file, agent_progress_call *call,
                          void *ctx, struct bundle_taken *out, struct err *err) NODISCARD;

#endif
