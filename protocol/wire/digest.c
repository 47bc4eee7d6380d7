/* Hashes of rows and their sums. */
#include <string.h>

#include "protocol/wire/coder.h"
#include "protocol/wire/digest.h"

_Static_assert((int)BOOK_DIGEST_BYTES == (int)DIGEST_BYTES_SHORT, "a digest is one BLAKE2b");

static bool all_null(const struct value *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (values[i].kind != VALUE_NULL) return false;
    return true;
}

static void put_cell(struct buf *out, uint32_t tag, const struct value *values, size_t count) {
    if (all_null(values, count)) return;
    buf_put_varint(out, tag);
    buf_put_varint(out, count); /* as values_write has it, without its way around */
    for (size_t i = 0; i < count; i++) {
        buf_put_varint(out, values[i].kind);
        if (values[i].kind == VALUE_INT) buf_put_signed(out, values[i].number);
        if (values[i].kind == VALUE_TEXT) buf_put_bytes(out, values[i].text);
    }
}

/* Cells that are known and cells that are not stand in one order, by tag: what one release knows
 * and another does not gives the same bytes. */
static void put_cells(const struct digest_row *row, struct buf *out) {
    size_t more = 0;
    for (size_t i = 0; i < row->entity->cell_count; i++) {
        const struct cell *cell = &row->entity->cells[i];
        for (; more < row->more_count && row->more[more].cell_tag < cell->tag; more++)
            put_cell(out, row->more[more].cell_tag, row->more[more].values,
                     row->more[more].value_count);
        if (cell->rule != RULE_DERIVED)
            put_cell(out, cell->tag, row->values + cell->first, cell->count);
    }
    for (; more < row->more_count; more++)
        put_cell(out, row->more[more].cell_tag, row->more[more].values,
                 row->more[more].value_count);
}

enum status digest_of_row(const struct digest_row *row, const uint8_t key[SIGN_PUBLIC_BYTES],
                          struct buf *scratch, uint8_t out[BOOK_DIGEST_BYTES], struct err *err) {
    buf_reset(scratch);
    buf_put_varint(scratch, row->entity->tag);
    buf_put_varint(scratch, (uint64_t)row->id);
    buf_put_varint(scratch, (uint64_t)row->seq);
    put_cells(row, scratch);
    TRY(buf_status(scratch, err));
    hash_blake2b(slice_of(key, SIGN_PUBLIC_BYTES), buf_slice(scratch), out);
    return ST_OK;
}

void digest_add(struct book_digest *digest, const uint8_t hash[BOOK_DIGEST_BYTES]) {
    unsigned carry = 0;
    for (size_t i = 0; i < BOOK_DIGEST_BYTES; i++) {
        carry += (unsigned)digest->sum[i] + hash[i];
        digest->sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
    digest->rows++;
}

void digest_remove(struct book_digest *digest, const uint8_t hash[BOOK_DIGEST_BYTES]) {
    uint8_t negative[BOOK_DIGEST_BYTES];
    unsigned carry = 1; /* two's complement */
    for (size_t i = 0; i < BOOK_DIGEST_BYTES; i++) {
        carry += (uint8_t)~hash[i];
        negative[i] = (uint8_t)carry;
        carry >>= 8;
    }
    digest_add(digest, negative);
    digest->rows -= 2;
}

void digest_join(struct book_digest *digest, const struct book_digest *other, int times) {
    int64_t rows = digest->rows + other->rows * times;
    for (int i = 0; i < times; i++) digest_add(digest, other->sum);
    for (int i = 0; i > times; i--) digest_remove(digest, other->sum);
    digest->rows = rows;
}

bool digest_equal(const struct book_digest *a, const struct book_digest *b) {
    return a->rows == b->rows && memcmp(a->sum, b->sum, BOOK_DIGEST_BYTES) == 0;
}

uint64_t digest_low(const uint8_t sum[BOOK_DIGEST_BYTES]) {
    uint64_t low = 0;
    for (size_t i = 0; i < sizeof low; i++) low |= (uint64_t)sum[i] << (8 * i);
    return low;
}

/* The mixer of SplitMix64: ids are dense, buckets must not be. */
uint32_t digest_bucket(uint32_t entity_tag, int64_t id) {
    uint64_t x = (uint64_t)id + ((uint64_t)entity_tag << 56);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((x ^ (x >> 31)) % DIGEST_BUCKETS);
}
