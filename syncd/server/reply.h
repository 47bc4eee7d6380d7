/* Private to syncd/server: what the files of a reply share.
 *
 *   reply.c           the log, what else is new
 *   reply_receipts.c  what became of what was sent
 *   others.c          edits of others that wait, of rows that the user sees
 *   reply_scope.c     what a user sees; which grants he hears of; rows of homes being filled
 */
#ifndef ROADBOOK_REPLY_H
#define ROADBOOK_REPLY_H

#include "syncd/server/org_private.h"
#include "syncd/store/centre_scope.h"

struct view { /* what the user of a device sees */
    struct centre *c;
    bool all;                          /* everything: nothing has to be looked up */
    const struct centre_grant *grants; /* open ones, by home */
    size_t grant_count;
};

enum status view_open(struct centre *c, const struct centre_device *device, struct arena *mem,
                      struct view *out, struct err *err) NODISCARD;
bool view_sees(const struct view *view, const struct homes *homes);
/* By the homes that the row has now; false: no such row either. */
enum status view_sees_row(const struct view *view, const struct entity *e, int64_t row, bool *out,
                          struct err *err) NODISCARD;

/* Receipts of the batches of a request that the server has, as things stand now. */
enum status reply_receipts(const struct view *view, uint32_t device,
                           const struct round_request *request, struct arena *mem,
                           struct round_reply *out, struct err *err) NODISCARD;
/* A record with the cells changed since a seq; whole if the row became whole after it. */
enum status reply_record(const struct centre_row *row, int64_t since, struct arena *mem,
                         struct record *out, struct err *err) NODISCARD;
/* Room for one more item. */
enum status reply_grow(struct arena *mem, void **items, size_t count, size_t *room, size_t bytes,
                       struct err *err) NODISCARD;
size_t reply_page_bytes(uint32_t asked);

/* Grants that ended and opened, and a page of the homes being filled: sets cursor and since too
 * when the book is fresh, and more. *out_filled: homes are being filled, so the log does not move
 * in this reply: its records are older than the filled rows, and new grants may wait. */
enum status reply_scope(const struct view *view, const struct centre_device *device,
                        const struct centre_head *head, const struct round_request *request,
                        struct arena *mem, struct round_reply *out, bool *out_filled,
                        struct err *err) NODISCARD;
/* Has the laptop heard of its homes, and of all their rows? */
bool reply_scope_is_settled(const struct centre_head *head, const struct round_request *request);

/* Edits of others that were refused because they had no access any more, of rows that the user sees
 * now: the whole list. In an open org nothing. */
enum status reply_others(const struct view *view, const struct centre_device *device,
                         struct arena *mem, struct round_reply *out, struct err *err) NODISCARD;

/* The digest of all that the user sees: of a reply after which the laptop has everything. */
enum status reply_digest(const struct view *view, struct arena *mem, struct round_reply *out,
                         struct err *err) NODISCARD;

#endif
