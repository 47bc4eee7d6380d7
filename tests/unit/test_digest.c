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
