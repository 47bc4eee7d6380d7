/* Digests of homes at the server: for each home, and for `all`, the sum of the hashes of its living
 * rows (protocol/wire/digest.h), kept in the commit that changes a row. In an open org `all` is the
 * only home that is kept.
 *
 * Whoever writes a row's table by other means than centre_row_insert, centre_row_update and
 * centre_row_moved takes the row out before and puts it in after.
 */
#ifndef ROADBOOK_CENTRE_DIGEST_H
#define ROADBOOK_CENTRE_DIGEST_H

#include "protocol/model/home.h"
#include "protocol/wire/digest.h"
#include "syncd/store/centre.h"

/* The sum over these homes. Inside a transaction, what it did is not in it before the commit. */
enum status centre_digest(struct centre *c, const int64_t *homes, size_t count,
                          struct book_digest *out, struct err *err) NODISCARD;

/* Inside a write transaction. homes NULL: those of the row's columns as they are now. Rows that are
 * dead or not there count as nothing. */
enum status centre_digest_out(struct centre *c, const struct entity *e, int64_t row,
                              const struct homes *homes, struct err *err) NODISCARD;
enum status centre_digest_in(struct centre *c, const struct entity *e, int64_t row,
                             const struct homes *homes, struct err *err) NODISCARD;

/* The low 64 bits of the hash of a row. */
enum status centre_row_hash(struct centre *c, const struct centre_row *row, uint64_t *out,
                            struct err *err) NODISCARD;

/* Makes the digests of a file that has none yet, of an older release. Reads every row. */
enum status centre_digests_ready(struct centre *c, struct err *err) NODISCARD;
/* Makes them anew: after the org's scope was switched. Inside a write transaction. */
enum status centre_digests_rebuild(struct centre *c, struct err *err) NODISCARD;
/* Compares what is kept with the rows: each home that differs is a line. */
enum status centre_digests_verify(struct centre *c, struct buf *out_findings,
                                  struct err *err) NODISCARD;

#endif
