/* The file of a bundle: head, seal, signature. Expected bytes by PROTOCOL.md, "Bundles". */
#include "protocol/session/bundle.h"
#include "tests/unit/check.h"

static struct arena mem;
static struct sign_key laptop, office;
static uint8_t laptop_public[SIGN_PUBLIC_BYTES], office_public[SIGN_PUBLIC_BYTES];
static const uint8_t EPHEMERAL[BOX_SECRET_BYTES] = {5};

static struct slice make(void) {
    static const uint8_t one[SIGN_SEED_BYTES] = {1}, two[SIGN_SEED_BYTES] = {2};
    struct err err;
    struct slice messages[] = {SLICE("question"), SLICE("answer")}, file;
    struct bundle bundle = {.kind = BUNDLE_UP,
                            .org = "acme",
                            .device = 17,
                            .made_ms = 1000,
                            .messages = messages,
                            .message_count = 2};
    mem = arena_new(ARENA_CAP_DEFAULT);
    laptop = sign_key_from_seed(one);
    office = sign_key_from_seed(two);
    sign_public(&laptop, laptop_public);
    sign_public(&office, office_public);
    CHECK_OK(bundle_write(&bundle, &laptop, office_public, EPHEMERAL, &mem, &file, &err));
    return file;
}

TEST(a_bundle_is_read_as_it_was_written) {
    struct err err;
    struct bundle bundle;
    CHECK_OK(bundle_read(make(), &office, laptop_public, &mem, &bundle, &err));
    CHECK_INT(bundle.kind, BUNDLE_UP);
    CHECK_TEXT(bundle.org, "acme");
    CHECK_INT(bundle.device, 17);
    CHECK_INT(bundle.made_ms, 1000);
    CHECK_INT((int)bundle.message_count, 2);
    CHECK(slice_equal(bundle.messages[0], SLICE("question")));
    CHECK(slice_equal(bundle.messages[1], SLICE("answer")));
    arena_clear(&mem);
}

/* magic, version 1, up, "acme", 17, 1000 as zigzag: 2000 */
TEST(its_head_is_what_the_document_says) {
    static const uint8_t head[] = {'R', 'B', 'B', 'U', 'N', 'D', 'L', 'E',  1,
                                   1,   4,   'a', 'c', 'm', 'e', 17,  0xD0, 0x0F};
    struct slice file = make();
    CHECK(file.len > sizeof head && memcmp(file.data, head, sizeof head) == 0);
    arena_clear(&mem);
}

TEST(another_reader_or_another_author) {
    struct err err;
    struct bundle bundle;
    struct slice file = make();
    CHECK_INT(bundle_read(file, &laptop, laptop_public, &mem, &bundle, &err), ST_UNAUTHENTIC);
    CHECK_INT(bundle_read(file, &office, office_public, &mem, &bundle, &err), ST_UNAUTHENTIC);
    arena_clear(&mem);
}

TEST(each_byte_counts) {
    struct err err;
    struct bundle bundle;
    struct slice file = make();
    for (size_t at = 0; at < file.len; at++) {
        uint8_t *bad = arena_alloc(&mem, file.len);
        memcpy(bad, file.data, file.len);
        bad[at] ^= 1;
        CHECK(bundle_read(slice_of(bad, file.len), &office, laptop_public, &mem, &bundle, &err));
        CHECK(bundle_read(slice_of(file.data, at), &office, laptop_public, &mem, &bundle, &err));
    }
    arena_clear(&mem);
}

TEST(a_newer_version_says_so) {
    struct err err;
    struct bundle bundle;
    struct slice file = make();
    uint8_t *newer = arena_alloc(&mem, file.len);
    memcpy(newer, file.data, file.len);
    newer[8] = 2;
    CHECK_INT(bundle_look(slice_of(newer, file.len), &bundle, &err), ST_VERSION);
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ clocks on the way */

static struct envelope envelope(int64_t wall_ms, int64_t offset_ms) {
    return (struct envelope){.now = {.wall_ms = wall_ms, .boot_number = 3, .boot_ms = 500},
                             .expected_offset_ms = offset_ms};
}

/* Written at server time 900 (wall 1000, 100 ahead); arrives at 5000: 4100 on the way. */
TEST(clocks_go_on_while_it_travels) {
    struct envelope e = envelope(1000, 100);
    bundle_arrive(&e, 5000);
    CHECK_INT(e.now.wall_ms, 5100);
    CHECK_INT(e.now.boot_ms, 4600);
}

TEST(a_clock_that_is_not_trusted_says_nothing_of_the_way) {
    struct envelope suspect = envelope(1000, 100), future = envelope(9000, 0), old = envelope(0, 0);
    suspect.suspect_boot = 3;
    bundle_arrive(&suspect, 5000);
    CHECK_INT(suspect.now.boot_ms, 500);
    bundle_arrive(&future, 5000);
    CHECK_INT(future.now.boot_ms, 500);
    bundle_arrive(&old, (int64_t)401 * 24 * 3600 * 1000);
    CHECK_INT(old.now.boot_ms, 500);
}
