/* Proof that replicas agree: a hash of a row, and sums of such hashes (PROTOCOL.md, "Proof of
 * equality").
 *
 * A sum counts each row once per home that holds it, so that homes can be granted, withdrawn and
 * repaired alone. Sums are numbers of 128 bits: a row that changes is taken out and put in again.
 */
#ifndef ROADBOOK_WIRE_DIGEST_H
#define ROADBOOK_WIRE_DIGEST_H

#include "protocol/wire/wire.h"

struct book_digest {
    uint8_t sum[BOOK_DIGEST_BYTES]; /* little-endian, modulo 2^128 */
    int64_t rows;
};

/* What both ends hash: references are final survivors of aliases; derived fields do not count. */
struct digest_row {
    const struct entity *entity;
    int64_t id, seq;
    const struct value *values;     /* one per field */
    const struct record_cell *more; /* cells that this release does not know, by tag */
    size_t more_count;
};

/* key: the org's public signing key. scratch: for the bytes that are hashed, reset first.
 * ST_NO_MEMORY. */
enum status digest_of_row(const struct digest_row *row, const uint8_t key[SIGN_PUBLIC_BYTES],
                          struct buf *scratch, uint8_t out[BOOK_DIGEST_BYTES],
                          struct err *err) NODISCARD;
void digest_add(struct book_digest *digest, const uint8_t hash[BOOK_DIGEST_BYTES]);
void digest_remove(struct book_digest *digest, const uint8_t hash[BOOK_DIGEST_BYTES]);
/* times: how often; may be negative. */
void digest_join(struct book_digest *digest, const struct book_digest *other, int times);
bool digest_equal(const struct book_digest *a, const struct book_digest *b);

/* The low 64 bits of a hash or a sum. */
uint64_t digest_low(const uint8_t sum[BOOK_DIGEST_BYTES]);

/* The tree in which two books that differ find the rows: 256 buckets, each of 256, each of rows. */
enum { DIGEST_FAN = 256, DIGEST_BUCKETS = DIGEST_FAN * DIGEST_FAN };
/* The bucket of a row, by hash of entity and id: 0..DIGEST_BUCKETS-1. */
uint32_t digest_bucket(uint32_t entity_tag, int64_t id);

#endif
