/* Errors, slices, arenas, buffers, readers and JSON; and the same while memory runs out. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/fault.h"

/* ------------------------------------------------------------------ errors */

struct status_row {
    const char *name;
    enum status status;
    int number, http, exit;
    bool retry;
};

/* The golden list: these numbers travel on the wire and stand in scripts. Lines are only ever added. */
static const struct status_row STATUS_GOLDEN[] = {
    {"OK", ST_OK, 0, 200, 0, false},
    {"INVALID", ST_INVALID, 1, 422, 65, false},
    {"USAGE", ST_USAGE, 2, 400, 64, false},
    {"NOT_FOUND", ST_NOT_FOUND, 3, 404, 66, false},
    {"CONFLICT", ST_CONFLICT, 4, 409, 65, false},
    {"DENIED", ST_DENIED, 5, 403, 77, false},
    {"UNAUTHENTIC", ST_UNAUTHENTIC, 6, 401, 77, false},
    {"OFFLINE", ST_OFFLINE, 7, 503, 69, true},
    {"BUSY", ST_BUSY, 8, 503, 75, true},
    {"TOO_LARGE", ST_TOO_LARGE, 9, 413, 65, false},
    {"MALFORMED", ST_MALFORMED, 10, 400, 76, false},
    {"VERSION", ST_VERSION, 11, 426, 76, false},
    {"DAMAGED", ST_DAMAGED, 12, 500, 74, false},
    {"DISK", ST_DISK, 13, 507, 74, true},
    {"NO_MEMORY", ST_NO_MEMORY, 14, 503, 71, true},
    {"INTERNAL", ST_INTERNAL, 15, 500, 70, false},
    {"GONE", ST_GONE, 16, 410, 69, false},
    {"CANCELLED", ST_CANCELLED, 17, 499, 130, false},
    {"CLONED", ST_CLONED, 18, 409, 78, false},
    {"TRY_AGAIN", ST_TRY_AGAIN, 19, 401, 75, true},
    {"LIMITED", ST_LIMITED, 20, 429, 75, true},
    {"REVOKED", ST_REVOKED, 21, 403, 78, false},
};

TEST(statuses_keep_their_numbers) {
#define COUNT_ROW(...) +1
    CHECK_INT(ARRAY_COUNT(STATUS_GOLDEN), 0 STATUS_ROWS(COUNT_ROW));
#undef COUNT_ROW
    for EACH(row, STATUS_GOLDEN) {
        CHECK_ROW_INT(row, row->status, row->number);
        CHECK_ROW_INT(row, status_from_number(row->number), row->status);
        CHECK_ROW_INT(row, status_http(row->status), row->http);
        CHECK_ROW_INT(row, status_exit(row->status), row->exit);
        CHECK_ROW_INT(row, status_is_retryable(row->status), row->retry);
        CHECK_ROW_TEXT(row, status_name(row->status), row->name);
        CHECK_ROW(row, status_text(row->status, LANG_EN)[0] != 0);
        CHECK_ROW(row, text_is_utf8(slice_from(status_text(row->status, LANG_ZH))));
    }
}

TEST(unknown_numbers_are_internal_errors) {
    static const int64_t numbers[] = {-1, 22, 255, INT64_MAX, INT64_MIN, 0x100000000};
    for EACH(number, numbers) CHECK_INT(status_from_number(*number), ST_INTERNAL);
    CHECK_TEXT(status_name((enum status)99), "INTERNAL");
    CHECK_TEXT(status_text((enum status)99, LANG_EN), "internal error");
    CHECK_INT(status_http((enum status)99), 500);
    CHECK_INT(status_exit((enum status)99), 70);
    CHECK(!status_is_retryable((enum status)99));
}

TEST(an_error_is_said_in_both_languages) {
    struct err err;
    CHECK_INT(err_set(&err, ST_INVALID, "no such field: %s, %d", "没有此字段：%s，%d", "colour", 7),
              ST_INVALID);
    CHECK_INT(err.status, ST_INVALID);
    CHECK_TEXT(err.text[LANG_EN], "no such field: colour, 7");
    CHECK_TEXT(err.text[LANG_ZH], "没有此字段：colour，7");
}

TEST(an_error_may_go_nowhere) {
    CHECK_INT(err_set(NULL, ST_DISK, "x", "x"), ST_DISK);
    CHECK_INT(err_wrap(NULL, ST_DISK, "x", "x"), ST_DISK);
    CHECK_INT(err_no_memory(NULL), ST_NO_MEMORY);
}

TEST(wrapping_puts_context_before_the_text) {
    struct err err;
    (void)err_set(&err, ST_DAMAGED, "bad page %d", "第 %d 页损坏", 3);
    CHECK_INT(err_wrap(&err, ST_DAMAGED, "store %s", "数据库 %s", "a"), ST_DAMAGED);
    CHECK_INT(err.status, ST_DAMAGED);
    CHECK_TEXT(err.text[LANG_EN], "store a: bad page 3");
    CHECK_TEXT(err.text[LANG_ZH], "数据库 a：第 3 页损坏");
}

TEST(wrapping_what_was_never_set_says_the_status) {
    struct err err = {.status = ST_OK};
    CHECK_INT(err_wrap(&err, ST_BUSY, "store", "数据库"), ST_BUSY);
    CHECK_TEXT(err.text[LANG_EN], "store: busy");
    CHECK_TEXT(err.text[LANG_ZH], "数据库：忙");
}

TEST(an_error_may_quote_itself) {
    struct err err;
    (void)err_set(&err, ST_DISK, "inner", "内");
    (void)err_set(&err, ST_DISK, "outer %s", "外 %s", err.text[LANG_EN]);
    CHECK_TEXT(err.text[LANG_EN], "outer inner");
    CHECK_TEXT(err.text[LANG_ZH], "外 inner");
}

/* Three-byte characters behind 0, 1 and 2 letters, so that the cut falls on each of their bytes. */
TEST(a_long_error_is_cut_between_characters) {
    char text[1024];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3) memcpy(text + i, "客", 4);
        struct err err;
        (void)err_set(&err, ST_INVALID, "%s", "%s", text);
        size_t whole = shift + (ERR_TEXT_BYTES - 1 - shift) / 3 * 3;
        CHECK_INT(strlen(err.text[LANG_EN]), whole);
        CHECK_INT(strlen(err.text[LANG_ZH]), whole);
        CHECK(text_is_utf8(slice_from(err.text[LANG_ZH])));
        (void)err_wrap(&err, ST_INVALID, "ab", "甲");
        CHECK(strlen(err.text[LANG_EN]) > ERR_TEXT_BYTES - 4);
        CHECK(text_is_utf8(slice_from(err.text[LANG_EN])));
        CHECK(text_is_utf8(slice_from(err.text[LANG_ZH])));
    }
}

TEST(an_error_is_cut_between_characters_of_any_length) {
    static const struct {
        const char *name, *character;
        size_t bytes;
    } rows[] = {{"two bytes", "é", 2}, {"four bytes", "🙂", 4}};
    for EACH(row, rows) {
        for (size_t shift = 0; shift < row->bytes; shift++) {
            char text[1024] = {0};
            struct err err;
            memset(text, 'x', shift);
            for (size_t i = shift; i + row->bytes < sizeof text; i += row->bytes) memcpy(text + i, row->character, row->bytes);
            (void)err_set(&err, ST_INVALID, "%s", "%s", text);
            CHECK_ROW_INT(row, strlen(err.text[LANG_EN]), shift + (ERR_TEXT_BYTES - 1 - shift) / row->bytes * row->bytes);
            CHECK_ROW(row, text_is_utf8(slice_from(err.text[LANG_ZH])));
        }
    }
}

/* Bytes that are no characters are cut where the room ends. */
TEST(an_error_of_rubbish_is_cut_as_well) {
    char text[1024] = {0};
    struct err err;
    memset(text, 0x80, sizeof text - 1);
    (void)err_set(&err, ST_INVALID, "%s", "%s", text);
    CHECK_INT(strlen(err.text[LANG_EN]), ERR_TEXT_BYTES - 1);
}

/* A wide character that the C locale cannot show makes printf fail. */
TEST(a_text_that_cannot_be_made_is_none) {
    struct err err;
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct buf buf = buf_new(BUF_MAX_LINE);
    (void)err_set(&err, ST_INVALID, "%ls", "%ls", L"\x5BA2");
    CHECK_TEXT(err.text[LANG_EN], "");
    CHECK(arena_printf(&mem, "%ls", L"\x5BA2") == NULL);
    buf_printf(&buf, "%ls", L"\x5BA2");
    CHECK_STATUS(buf_status(&buf, &err), ST_NO_MEMORY);
    (void)err_set(&err, ST_INVALID, "%s", "%s", "");
    (void)err_wrap(&err, ST_INVALID, "name", "名称");
    CHECK_TEXT(err.text[LANG_EN], "name: not valid");
    buf_free(&buf);
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ slices */

TEST(slices_compare_bytewise_the_shorter_first) {
    static const struct {
        const char *name, *a, *b;
        int order;
    } rows[] = {{"equal", "ab", "ab", 0},        {"empty", "", "", 0},      {"nothing", NULL, "", 0},
                {"shorter", "a", "ab", -1},      {"longer", "ab", "a", 1},  {"less", "aa", "ab", -1},
                {"high bytes", "\xff", "a", 1}, {"empty first", "", "a", -1}};
    for EACH(row, rows) {
        struct slice a = slice_from(row->a), b = slice_from(row->b);
        CHECK_ROW_INT(row, slice_compare(a, b), row->order);
        CHECK_ROW_INT(row, slice_compare(b, a), -row->order);
        CHECK_ROW_INT(row, slice_equal(a, b), row->order == 0);
    }
    CHECK(slice_starts(SLICE("abc"), SLICE("ab")));
    CHECK(slice_starts(SLICE("abc"), (struct slice){0}));
    CHECK(!slice_starts(SLICE("a"), SLICE("ab")));
    CHECK(!slice_starts(SLICE("abc"), SLICE("b")));
}

TEST(cutting_yields_every_part) {
    struct slice rest = SLICE("a,,bc"), part;
    CHECK(slice_cut(&rest, ',', &part));
    CHECK_SLICE(part, "a");
    CHECK(slice_cut(&rest, ',', &part));
    CHECK_SLICE(part, "");
    CHECK(slice_cut(&rest, ',', &part));
    CHECK_SLICE(part, "bc");
    CHECK(!slice_cut(&rest, ',', &part));
    CHECK_SLICE(part, "bc");
    rest = (struct slice){0};
    CHECK(!slice_cut(&rest, ',', &part));
}

TEST(trimming_takes_blanks_of_both_kinds) {
    static const struct {
        const char *name, *in, *out;
    } rows[] = {{"none", "a b", "a b"},     {"ascii", " \t\r\n\v\fa ", "a"}, {"wide", "　客户　 ", "客户"},
                {"only blanks", " 　 ", ""}, {"empty", "", ""},              {"inside stays", "客　户", "客　户"},
               {"neighbours of the wide blank", "、あ", "、あ"}, {"a control character stays", "\x01" "a\x0e", "\x01" "a\x0e"}};
    for EACH(row, rows) {
        CHECK_ROW_SLICE(row, slice_trim(slice_from(row->in)), slice_from(row->out));
    }
}

/* ------------------------------------------------------------------ arenas */

TEST(arena_items_are_zeroed_aligned_and_apart) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    static const size_t sizes[] = {1, 3, 16, 17, 4000, 5000, 100, 3 * 1024 * 1024, 8, 0};
    uint8_t *items[ARRAY_COUNT(sizes)];
    size_t total = 0;
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        items[i] = arena_alloc(&mem, sizes[i]);
        CHECK(items[i] != NULL);
        CHECK_INT((uintptr_t)items[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < sizes[i]; at++) CHECK_INT(items[i][at], 0);
        if (sizes[i]) memset(items[i], (int)i + 1, sizes[i]);
        total += sizes[i];
    }
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (size_t at = 0; at < sizes[i]; at++) CHECK_INT(items[i][at], i + 1);
    }
    CHECK_INT(mem.used, total);
    arena_clear(&mem);
    CHECK_INT(mem.used, 0);
}

TEST(an_arena_gives_its_cap_and_not_one_byte_more) {
    struct arena mem = arena_new(100);
    CHECK(arena_alloc(&mem, 60) != NULL);
    CHECK(arena_alloc(&mem, 41) == NULL);
    CHECK(arena_alloc(&mem, 40) != NULL);
    CHECK(arena_alloc(&mem, 1) == NULL);
    CHECK(arena_alloc(&mem, SIZE_MAX) == NULL);
    CHECK_INT(mem.used, 100);
    arena_clear(&mem);
    CHECK(arena_alloc(&mem, 100) != NULL);
    arena_clear(&mem);
    arena_clear(&mem);
}

TEST(an_array_too_large_to_count_is_refused) {
    struct arena mem = arena_new(SIZE_MAX);
    CHECK(arena_array(&mem, SIZE_MAX / 2, 3) == NULL);
    CHECK(arena_alloc(&mem, SIZE_MAX) == NULL);
    CHECK(ARENA_ARRAY(&mem, 10, int64_t) != NULL);
    CHECK_INT(mem.used, 80);
    arena_clear(&mem);
}

TEST(many_small_items_keep_their_content) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    enum { COUNT = 20000 };
    uint32_t **items = ARENA_ARRAY(&mem, COUNT, uint32_t *);
    CHECK(items != NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i] = arena_array(&mem, 1 + i % 7, sizeof(uint32_t));
        CHECK(items[i] != NULL);
        *items[i] = i;
    }
    for (uint32_t i = 0; i < COUNT; i++) CHECK_INT(*items[i], i);
    arena_clear(&mem);
}

TEST(copies_end_with_a_zero) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct slice copy = arena_copy(&mem, SLICE("ab\0c"));
    CHECK_SLICE(copy, "ab\0c");
    CHECK_INT(copy.data[4], 0);
    CHECK(arena_copy(&mem, (struct slice){0}).data != NULL);
    CHECK_TEXT(arena_string(&mem, SLICE("text")), "text");
    CHECK_TEXT(arena_printf(&mem, "%s-%05d", "x", 42), "x-00042");
    CHECK_TEXT(arena_printf(&mem, "%s", ""), "");
    arena_clear(&mem);
    struct arena small = arena_new(4);
    CHECK(arena_copy(&small, SLICE("four")).data == NULL);
    CHECK(arena_printf(&small, "four") == NULL);
    CHECK(arena_string(&small, SLICE("abc")) != NULL);
    arena_clear(&small);
}

/* ------------------------------------------------------------------ buffers */

TEST(a_buffer_fails_at_its_maximum_and_stays_failed) {
    struct buf buf = buf_new(100);
    struct err err;
    for (int i = 0; i < 100; i++) buf_put_byte(&buf, 'x');
    CHECK_OK(buf_status(&buf, &err));
    CHECK_INT(buf_slice(&buf).len, 100);
    CHECK_INT(strlen(buf_text(&buf)), 100);
    buf_put_byte(&buf, 'y');
    CHECK_STATUS(buf_status(&buf, &err), ST_TOO_LARGE);
    CHECK_TEXT(err.text[LANG_EN], "more than 100 bytes");
    CHECK_TEXT(buf_text(&buf), "");
    CHECK_INT(buf_slice(&buf).len, 0);
    buf_put_text(&buf, "");
    buf_printf(&buf, "%d", 1);
    CHECK_STATUS(buf_status(&buf, &err), ST_TOO_LARGE);
    buf_reset(&buf);
    buf_put_text(&buf, "again");
    CHECK_OK(buf_status(&buf, &err));
    CHECK_TEXT(buf_text(&buf), "again");
    buf_free(&buf);
    buf_free(&buf);
    buf_free(NULL);
    CHECK_TEXT(buf_text(&buf), "");
}

TEST(the_greatest_maximum_leaves_room_for_the_closing_zero) {
    struct buf buf = buf_new(SIZE_MAX);
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    buf_put_text(&buf, "abc");
    CHECK_TEXT(buf_text(&buf), "abc");
    CHECK(arena_string(&mem, slice_of("", SIZE_MAX)) == NULL);
    buf_free(&buf);
}

TEST(every_way_of_appending_respects_the_maximum) {
    struct err err;
    for (size_t max = 0; max < 20; max++) {
        struct buf a = buf_new(max), b = buf_new(max), c = buf_new(max);
        buf_printf(&a, "%s", "0123456789");
        CHECK_STATUS(buf_status(&a, &err), max < 10 ? ST_TOO_LARGE : ST_OK);
        buf_put_bytes(&b, SLICE("0123456789"));
        CHECK_STATUS(buf_status(&b, &err), max < 11 ? ST_TOO_LARGE : ST_OK);
        buf_put_json_text(&c, "0123456789");
        CHECK_STATUS(buf_status(&c, &err), max < 12 ? ST_TOO_LARGE : ST_OK);
        buf_free(&a);
        buf_free(&b);
        buf_free(&c);
    }
}

TEST(an_empty_buffer_is_an_empty_text) {
    struct buf buf = buf_new(BUF_MAX_LINE);
    CHECK_TEXT(buf_text(&buf), "");
    buf_put(&buf, NULL, 0);
    buf_put_slice(&buf, (struct slice){0});
    buf_put_text(&buf, NULL);
    CHECK_INT(buf_slice(&buf).len, 0);
    buf_free(&buf);
}

TEST(json_strings_are_escaped) {
    static const struct {
        const char *name;
        struct slice in;
        const char *out;
    } rows[] = {
        {"plain", {(const uint8_t *)"abc", 3}, "\"abc\""},
        {"empty", {0}, "\"\""},
        {"quote and backslash", {(const uint8_t *)"a\"b\\", 4}, "\"a\\\"b\\\\\""},
        {"named controls", {(const uint8_t *)"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
        {"other controls", {(const uint8_t *)"\0\x01\x1f", 3}, "\"\\u0000\\u0001\\u001f\""},
        {"delete and slash stay", {(const uint8_t *)"\x7f/", 2}, "\"\x7f/\""},
        {"chinese stays", {(const uint8_t *)"\xE5\xAE\xA2", 3}, "\"客\""},
        {"broken byte", {(const uint8_t *)"a\xFF" "b", 3}, "\"a\xEF\xBF\xBD" "b\""},
    };
    for EACH(row, rows) {
        struct buf buf = buf_new(BUF_MAX_LINE);
        buf_put_json_string(&buf, row->in);
        CHECK_ROW_TEXT(row, buf_text(&buf), row->out);
        buf_free(&buf);
    }
}

/* ------------------------------------------------------------------ readers */

TEST(varints_are_written_as_leb128_and_come_back) {
    static const struct {
        const char *name;
        uint64_t value;
        struct slice bytes;
    } rows[] = {
        {"0", 0, {(const uint8_t *)"\x00", 1}},
        {"127", 127, {(const uint8_t *)"\x7f", 1}},
        {"128", 128, {(const uint8_t *)"\x80\x01", 2}},
        {"300", 300, {(const uint8_t *)"\xac\x02", 2}},
        {"16383", 16383, {(const uint8_t *)"\xff\x7f", 2}},
        {"16384", 16384, {(const uint8_t *)"\x80\x80\x01", 3}},
        {"2^63", 1ULL << 63, {(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10}},
        {"largest", UINT64_MAX, {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10}},
    };
    for EACH(row, rows) {
        struct buf buf = buf_new(BUF_MAX_LINE);
        buf_put_varint(&buf, row->value);
        CHECK_ROW_SLICE(row, buf_slice(&buf), row->bytes);
        struct reader r = reader_of(buf_slice(&buf));
        CHECK_ROW(row, reader_varint(&r) == row->value);
        CHECK_ROW(row, reader_done(&r));
        for (size_t cut = 0; cut < row->bytes.len; cut++) {
            struct reader short_one = reader_of(slice_of(row->bytes.data, cut));
            CHECK_ROW_INT(row, reader_varint(&short_one), 0);
            CHECK_ROW(row, short_one.failed && !reader_done(&short_one));
        }
        buf_free(&buf);
    }
}

TEST(varints_that_do_not_fit_are_refused) {
    static const struct {
        const char *name;
        struct slice bytes;
        bool ok;
    } rows[] = {
        {"65 bits", {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, false},
        {"tenth byte goes on", {(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x81\x00", 11}, false},
        {"eleven bytes of nothing", {(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11}, false},
        {"longer than needed but ten at most", {(const uint8_t *)"\x80\x00", 2}, true},
        {"ten bytes of nothing", {(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10}, true},
    };
    for EACH(row, rows) {
        struct reader r = reader_of(row->bytes);
        CHECK_ROW_INT(row, reader_varint(&r), 0);
        CHECK_ROW_INT(row, reader_done(&r), row->ok);
        CHECK_ROW_INT(row, reader_left(&r), 0);
    }
}

TEST(signed_numbers_are_zigzag) {
    static const struct {
        const char *name;
        int64_t value;
        size_t bytes;
        uint8_t first;
    } rows[] = {{"0", 0, 1, 0},   {"-1", -1, 1, 1},   {"1", 1, 1, 2},       {"-2", -2, 1, 3},
                {"-64", -64, 1, 0x7f}, {"64", 64, 2, 0x80}, {"largest", INT64_MAX, 10, 0xfe},
                {"smallest", INT64_MIN, 10, 0xff}};
    for EACH(row, rows) {
        struct buf buf = buf_new(BUF_MAX_LINE);
        buf_put_signed(&buf, row->value);
        CHECK_ROW_INT(row, buf.len, row->bytes);
        CHECK_ROW_INT(row, buf.data[0], row->first);
        struct reader r = reader_of(buf_slice(&buf));
        CHECK_ROW_INT(row, reader_signed(&r), row->value);
        CHECK_ROW(row, reader_done(&r));
        buf_free(&buf);
    }
}

TEST(a_number_above_its_maximum_fails) {
    struct reader r = reader_of(SLICE("\x05\x06\x01"));
    CHECK_INT(reader_varint_max(&r, 5), 5);
    CHECK_INT(reader_varint_max(&r, 5), 0);
    CHECK(r.failed);
    CHECK_INT(reader_byte(&r), 0);
    CHECK_INT(reader_left(&r), 0);
}

/* The message is read from a copy of exactly its length, so that the sanitizers see a byte too far. */
TEST(a_message_cut_anywhere_fails_and_is_never_read_past_its_end) {
    struct buf buf = buf_new(BUF_MAX_LINE);
    buf_put_byte(&buf, 7);
    buf_put_varint(&buf, 1000);
    buf_put_bytes(&buf, SLICE("hello"));
    buf_put_signed(&buf, -1000);
    buf_put_text(&buf, "tail");
    for (size_t len = 0; len <= buf.len; len++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        uint8_t *exact = arena_alloc(&mem, len);
        CHECK(exact != NULL);
        if (len) memcpy(exact, buf.data, len);
        struct reader r = reader_of(slice_of(exact, len));
        uint8_t byte = reader_byte(&r);
        uint64_t number = reader_varint(&r);
        struct slice bytes = reader_bytes(&r, 5);
        int64_t negative = reader_signed(&r);
        struct slice tail = reader_take(&r, 4);
        CHECK_INT(reader_done(&r), len == buf.len);
        CHECK_INT(r.failed, len != buf.len);
        CHECK_INT(byte, len >= 1 ? 7 : 0);
        CHECK_INT(number, len >= 3 ? 1000 : 0);
        CHECK_INT(bytes.len, len >= 9 ? 5 : 0);
        CHECK_INT(negative, len >= 11 ? -1000 : 0);
        CHECK_INT(tail.len, len == buf.len ? 4 : 0);
        arena_clear(&mem);
    }
    buf_free(&buf);
}

TEST(bytes_longer_than_allowed_or_there_fail) {
    struct reader longer = reader_of(SLICE("\x03" "abc"));
    CHECK_INT(reader_bytes(&longer, 2).len, 0);
    CHECK(longer.failed);
    struct reader missing = reader_of(SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "abc"));
    CHECK_INT(reader_bytes(&missing, SIZE_MAX).len, 0);
    CHECK(missing.failed);
    struct reader empty = reader_of((struct slice){0});
    CHECK(reader_done(&empty));
    CHECK_INT(reader_take(&empty, 0).len, 0);
    CHECK(reader_done(&empty));
}

/* ------------------------------------------------------------------ JSON */

TEST(json_is_read) {
    SCOPED(json_free) struct json *root = NULL;
    struct err err;
    CHECK_OK(json_parse(SLICE("{\"name\":\"客户\",\"n\":-5,\"list\":[1,\"b\",[]],\"f\":1.5,\"x\":null}"),
                        &root, &err));
    struct slice text;
    int64_t number = 0;
    CHECK(json_text(json_member(root, "name"), &text));
    CHECK_SLICE(text, "客户");
    CHECK(json_int(json_member(root, "n"), &number));
    CHECK_INT(number, -5);
    CHECK_INT(json_count(root), 5);
    const struct json *list = json_member(root, "list");
    CHECK_INT(json_count(list), 3);
    CHECK(json_text(json_item(list, 1), &text));
    CHECK_SLICE(text, "b");
    CHECK(json_item(list, 3) == NULL);
    CHECK(json_member(root, "absent") == NULL);
    CHECK(json_member(list, "name") == NULL);
    CHECK(!json_int(json_member(root, "name"), &number));
    CHECK(!json_int(json_member(root, "f"), &number));
    CHECK(!json_text(json_member(root, "x"), &text));
    CHECK(!json_text(NULL, &text));
    CHECK(!json_int(NULL, &number));
    CHECK_INT(json_count(NULL), 0);
    CHECK_INT(json_count(json_member(root, "n")), 0);
    CHECK(json_item(NULL, 0) == NULL && json_member(NULL, "a") == NULL);
}

TEST(what_is_not_json_is_malformed) {
    static const struct {
        const char *name, *text;
    } rows[] = {{"empty", ""},          {"cut", "{\"a\":"},         {"rubbish behind", "{} x"},
                {"twice", "{\"a\":1,\"a\":2}"}, {"no quotes", "{a:1}"}, {"NUL in a string", "\"\\u0000\""},
                {"broken UTF-8", "\"\xff\""},   {"comma", "[1,]"},      {"large", "99999999999999999999"},
                {"lone surrogate", "\"\\ud800\""}};
    for EACH(row, rows) {
        struct json *root = NULL;
        struct err err = {.status = ST_OK};
        CHECK_ROW_INT(row, json_parse(slice_from(row->text), &root, &err), ST_MALFORMED);
        CHECK_ROW(row, root == NULL && err.status == ST_MALFORMED);
        json_free(&root);
    }
    struct err err;
    struct json *root = NULL;
    CHECK_STATUS(json_parse((struct slice){0}, &root, &err), ST_MALFORMED);
    json_free(NULL);
}

TEST(json_nested_without_end_is_refused) {
    char text[10000];
    memset(text, '[', sizeof text);
    struct json *root = NULL;
    struct err err;
    CHECK_STATUS(json_parse(slice_of(text, sizeof text), &root, &err), ST_MALFORMED);
}

/* ------------------------------------------------------------------ memory runs out */

TEST(a_buffer_without_memory_fails_cleanly_at_each_allocation) {
    bool fired = true;
    size_t rounds = 0;
    for (size_t n = 1; fired; n++, rounds++) {
        struct buf buf = buf_new(BUF_MAX_LINE);
        struct err err;
        fault_arm(n);
        for (int i = 0; i < 1000; i++) buf_printf(&buf, "%d,", i);
        fired = fault_fired();
        fault_disarm();
        CHECK_STATUS(buf_status(&buf, &err), fired ? ST_NO_MEMORY : ST_OK);
        CHECK_INT(buf_slice(&buf).len, fired ? 0 : 3890);
        buf_reset(&buf);
        buf_put_text(&buf, "works again");
        CHECK_TEXT(buf_text(&buf), "works again");
        buf_free(&buf);
    }
    CHECK(rounds > 5);
}

TEST(an_arena_without_memory_fails_cleanly_at_each_allocation) {
    bool fired = true;
    size_t rounds = 0;
    for (size_t n = 1; fired; n++, rounds++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        size_t refused = 0, used = 0;
        fault_arm(n);
        for (size_t bytes = 1; bytes < 300000; bytes *= 2) {
            uint8_t *item = arena_alloc(&mem, bytes);
            if (item) {
                item[bytes - 1] = 1;
                used += bytes;
            } else {
                refused++;
            }
        }
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(refused, fired ? 1 : 0);
        CHECK_INT(mem.used, used);
        CHECK(arena_printf(&mem, "works") != NULL);
        arena_clear(&mem);
    }
    CHECK(rounds > 3);
}

/* jansson calls a missing token buffer a syntax error, so that both statuses can come. */
TEST(json_without_memory_fails_cleanly_at_each_allocation) {
    static const char text[] = "{\"name\":\"a text of some length\",\"list\":[1,2,{\"b\":[\"c\",true]}]}";
    bool fired = true;
    size_t rounds = 0;
    for (size_t n = 1; fired; n++, rounds++) {
        struct json *root = NULL;
        struct err err;
        fault_arm(n);
        enum status status = json_parse(SLICE(text), &root, &err);
        fired = fault_fired();
        fault_disarm();
        CHECK(status == ST_OK || (fired && (status == ST_NO_MEMORY || status == ST_MALFORMED)));
        CHECK((status == ST_OK) == (root != NULL));
        json_free(&root);
        CHECK_OK(json_parse(SLICE(text), &root, &err));
        json_free(&root);
    }
    CHECK(rounds > 5);
}
