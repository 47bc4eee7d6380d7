/* Private to syncd/server: the handles, and what pushes and replies both ask. */
#ifndef ROADBOOK_ORG_PRIVATE_H
#define ROADBOOK_ORG_PRIVATE_H

#include "syncd/server/merge.h"

struct org {
    struct centre *c;
};
struct org_reader {
    struct centre *c;
};

/* ST_CONFLICT: another epoch, or a position that this log does not have. ST_DENIED: revoked or
 * inactive. */
enum status org_check_position(struct centre *c, const struct centre_head *head,
                               const struct centre_device *device,
                               const struct round_request *request, struct err *err) NODISCARD;

/* The receipt of a batch, with what is so now. */
enum status reply_receipt(struct centre *c, const struct batch *batch,
                          const struct journal_entry *entry, struct arena *mem, struct receipt *out,
                          struct err *err) NODISCARD;

#endif
