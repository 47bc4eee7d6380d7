/* Hashes of rows and their sums. */
#include "protocol/wire/digest.h"
#include "tests/unit/check.h"

static struct arena mem;
static struct catalogue cat;
static const uint8_t KEY[SIGN_PUBLIC_BYTES] = {1, 2, 3};

struct sample {
    const struct entity *e;
    struct value values[ENTITY_FIELDS_MAX];
    struct digest_row row;
};

static void sample(struct sample *s) {
    struct err err;
    mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(catalogue_release(&mem, &cat, &err));
    *s = (struct sample){.e = catalogue_entity(&cat, SLICE("account"))};
    s->values[0] = value_text(SLICE("远大"));
    s->row = (struct digest_row){.entity = s->e, .id = 42, .seq = 7, .values = s->values};
}

static struct book_digest digest(const struct digest_row *row) {
    struct err err;
    struct buf scratch = buf_new(BUF_MAX_MESSAGE);
    struct book_digest out = {{0}, 0};
    uint8_t hash[BOOK_DIGEST_BYTES];
    CHECK_OK(digest_of_row(row, KEY, &scratch, hash, &err));
    digest_add(&out, hash);
    buf_free(&scratch);
    return out;
}

TEST(everything_about_a_row_counts) {
    struct sample s;
    sample(&s);
    struct book_digest first = digest(&s.row);
    struct digest_row id = s.row, seq = s.row, entity = s.row;
    id.id++;
    seq.seq++;
    entity.entity = catalogue_entity(&cat, SLICE("contact"));
    struct book_digest others[] = {digest(&id), digest(&seq), digest(&entity)};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) CHECK(!digest_equal(&first, &others[i]));
    s.values[0] = value_text(SLICE("远大集团"));
    struct book_digest named = digest(&s.row);
    CHECK(!digest_equal(&first, &named));
    arena_clear(&mem);
}

/* The bytes that are hashed, spelt by what PROTOCOL.md names: tag, id, seq, then tag and values. */
TEST(a_hash_is_what_the_document_says) {
    struct sample s;
    struct err err;
    uint8_t expected[BOOK_DIGEST_BYTES], hash[BOOK_DIGEST_BYTES];
    sample(&s);
    size_t at = entity_field_index(s.e, entity_field(s.e, SLICE("points")));
    s.values[at] = value_int(-3);
    struct buf bytes = buf_new(BUF_MAX_LINE), scratch = buf_new(BUF_MAX_LINE);
    buf_put_varint(&bytes, 4);
    buf_put_varint(&bytes, 42);
    buf_put_varint(&bytes, 7);
    buf_put_varint(&bytes, 1);
    values_write(&s.values[0], 1, &bytes);
    buf_put_varint(&bytes, 25);
    values_write(&s.values[at], 1, &bytes);
    hash_blake2b(slice_of(KEY, sizeof KEY), buf_slice(&bytes), expected);
    CHECK_OK(digest_of_row(&s.row, KEY, &scratch, hash, &err));
    CHECK(memcmp(hash, expected, sizeof hash) == 0);
    buf_free(&bytes);
    buf_free(&scratch);
    arena_clear(&mem);
}

TEST(nothing_counts_as_nothing) {
    struct sample s;
    sample(&s);
    struct book_digest before = digest(&s.row);
    s.values[1] = value_null();
    struct value none = value_null();
    struct record_cell more = {5000, &none, 1};
    s.row.more = &more;
    s.row.more_count = 1;
    struct book_digest after = digest(&s.row);
    CHECK(digest_equal(&before, &after));
    arena_clear(&mem);
}

TEST(derived_fields_do_not_count) {
    struct sample s;
    sample(&s);
    struct book_digest before = digest(&s.row);
    const struct field *f = entity_field(s.e, SLICE("open_opportunities"));
    CHECK(f);
    s.values[entity_field_index(s.e, f)] = value_int(5);
    struct book_digest after = digest(&s.row);
    CHECK(digest_equal(&before, &after));
    arena_clear(&mem);
}

/* A release that knows the cell and one that only keeps it agree. */
TEST(a_cell_that_is_not_known_counts_the_same) {
    struct sample s;
    sample(&s);
    struct catalogue old;
    struct err err;
    size_t at = entity_field_index(s.e, entity_field(s.e, SLICE("external_no")));
    s.values[at] = value_text(SLICE("C-0042"));
    struct book_digest known = digest(&s.row);
    CHECK_OK(catalogue_without(&cat, 4, 31, &mem, &old, &err));
    struct record_cell more = {31, &s.values[at], 1};
    struct digest_row row = s.row;
    row.entity = catalogue_entity(&old, SLICE("account"));
    row.more = &more;
    row.more_count = 1;
    struct book_digest kept = digest(&row);
    CHECK(digest_equal(&known, &kept));
    arena_clear(&mem);
}

TEST(a_sum_carries_over_all_its_bytes) {
    struct book_digest d = {{0}, 0};
    uint8_t all[BOOK_DIGEST_BYTES], one[BOOK_DIGEST_BYTES] = {1}, zero[BOOK_DIGEST_BYTES] = {0};
    memset(all, 0xFF, sizeof all);
    digest_add(&d, all);
    digest_add(&d, one);
    CHECK(memcmp(d.sum, zero, sizeof zero) == 0);
    CHECK_INT(d.rows, 2);
}

TEST(what_is_put_in_and_taken_out_is_gone) {
    struct sample s;
    sample(&s);
    struct book_digest a = digest(&s.row), sum = a, twice = a;
    s.row.id = 43;
    struct book_digest b = digest(&s.row);
    digest_join(&sum, &b, 1);
    CHECK_INT(sum.rows, 2);
    digest_remove(&sum, a.sum);
    CHECK(digest_equal(&sum, &b));
    digest_join(&twice, &b, 2);
    digest_join(&twice, &b, -2);
    CHECK(digest_equal(&twice, &a));
    arena_clear(&mem);
}

TEST(the_order_does_not_matter) {
    struct sample s;
    sample(&s);
    struct book_digest a = digest(&s.row);
    s.row.id = 99;
    struct book_digest b = digest(&s.row), ab = a, ba = b;
    digest_join(&ab, &b, 1);
    digest_join(&ba, &a, 1);
    CHECK(digest_equal(&ab, &ba));
    arena_clear(&mem);
}

/* 65,536 ids in a row, as laptops make them, over 65,536 buckets: near 1 - 1/e of them are met. */
TEST(dense_ids_spread_over_the_buckets) {
    static uint8_t met[DIGEST_BUCKETS];
    int count = 0;
    memset(met, 0, sizeof met);
    for (uint32_t i = 0; i < DIGEST_BUCKETS; i++) met[digest_bucket(6, id_make(17, i + 1))] = 1;
    for (uint32_t i = 0; i < DIGEST_BUCKETS; i++) count += met[i];
    CHECK(count > 40700 && count < 42200); /* 41,427 expected */
}

/* ------------------------------------------------------------------ repair messages */

static struct slice encoded(const struct repair_request *m) {
    struct err err;
    struct buf out = buf_new(BUF_MAX_MESSAGE);
    CHECK_OK(wire_write_repair_request(m, &out, &err));
    struct slice bytes = arena_copy(&mem, buf_slice(&out));
    buf_free(&out);
    return bytes;
}

TEST(a_repair_request_comes_back) {
    struct err err;
    struct repair_request read;
    mem = arena_new(ARENA_CAP_DEFAULT);
    uint64_t sums[DIGEST_FAN] = {1, UINT64_MAX, 3};
    uint32_t places[] = {7, 65535};
    struct repair_row rows[] = {{6, id_make(17, 1), 0x0123456789ABCDEF}, {4, 42, 0}};
    struct repair_request whole = {.step = REPAIR_WHOLE, .sums = sums, .sum_count = DIGEST_FAN};
    struct repair_request these = {
        .step = REPAIR_ROWS, .places = places, .place_count = 2, .rows = rows, .row_count = 2};
    CHECK_OK(wire_read_repair_request(encoded(&whole), &mem, &read, &err));
    CHECK_INT((int)read.sum_count, DIGEST_FAN);
    CHECK(memcmp(read.sums, sums, sizeof sums) == 0);
    CHECK_OK(wire_read_repair_request(encoded(&these), &mem, &read, &err));
    CHECK_INT(read.places[1], 65535);
    CHECK_INT((int)read.row_count, 2);
    CHECK(read.rows[0].hash == rows[0].hash && read.rows[0].row == rows[0].row);
    arena_clear(&mem);
}

TEST(a_repair_request_that_no_laptop_writes_is_refused) {
    struct err err;
    struct repair_request read;
    mem = arena_new(ARENA_CAP_DEFAULT);
    uint64_t sums[DIGEST_FAN] = {0};
    uint32_t places[] = {7};
    struct repair_request bad[] = {
        {.step = REPAIR_WHOLE, .sums = sums, .sum_count = 255},
        {.step = REPAIR_WHOLE,
         .sums = sums,
         .sum_count = DIGEST_FAN,
         .places = places,
         .place_count = 1},
        {.step = REPAIR_PARTS, .sums = sums, .sum_count = DIGEST_FAN},
        {.step = REPAIR_ROWS, .sums = sums, .sum_count = 1, .places = places, .place_count = 1},
        {.step = REPAIR_ROWS}};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK_INT(wire_read_repair_request(encoded(&bad[i]), &mem, &read, &err), ST_MALFORMED);
    struct repair_request good = {.step = REPAIR_WHOLE, .sums = sums, .sum_count = DIGEST_FAN};
    struct slice bytes = encoded(&good);
    for (size_t at = 0; at < bytes.len; at++)
        CHECK(wire_read_repair_request(slice_of(bytes.data, at), &mem, &read, &err) != ST_OK);
    arena_clear(&mem);
}

TEST(a_repair_reply_comes_back) {
    struct err err;
    struct buf out = buf_new(BUF_MAX_MESSAGE);
    struct repair_reply read;
    mem = arena_new(ARENA_CAP_DEFAULT);
    struct value name = value_text(SLICE("远大"));
    struct record_cell cell = {1, &name, 1};
    struct record record = {.entity_tag = 4,
                            .flags = RECORD_WHOLE,
                            .row = 42,
                            .seq = 9,
                            .cells = &cell,
                            .cell_count = 1};
    struct repair_row drop = {6, 77, 0};
    uint32_t places[] = {1, 2, 3};
    struct repair_reply reply = {.places = places,
                                 .place_count = 3,
                                 .records = &record,
                                 .record_count = 1,
                                 .drops = &drop,
                                 .drop_count = 1,
                                 .more = true};
    CHECK_OK(wire_write_repair_reply(&reply, 6, &out, &err));
    CHECK_OK(wire_read_repair_reply(buf_slice(&out), &mem, &read, &err));
    CHECK(read.more && read.place_count == 3 && read.drop_count == 1 && read.record_count == 1);
    CHECK_INT(read.drops[0].row, 77);
    CHECK_INT(read.records[0].seq, 9);
    CHECK(value_equal(read.records[0].cells[0].values[0], name));
    buf_free(&out);
    arena_clear(&mem);
}
