/* CSV as spreadsheets and other systems write it. */
#include "syncd/api/api.h"
#include "tests/unit/check.h"

#include <string.h>

enum { SHOWN_BYTES = 512 };

/* The records as line:[a][b] one behind the other; the error's number when there is one. */
static void show(struct slice bytes, const char *encoding, char out[SHOWN_BYTES]) {
    struct buf text = buf_new(SHOWN_BYTES - 1);
    struct csv *csv = NULL;
    struct err err;
    enum status status = csv_open(bytes, encoding, &csv, &err);
    while (status == ST_OK) {
        const struct slice *fields;
        size_t count;
        int64_t line;
        status = csv_next(csv, &fields, &count, &line, &err);
        if (status != ST_OK || count == 0) break;
        buf_printf(&text, "%lld:", (long long)line);
        for (size_t i = 0; i < count; i++) buf_printf(&text, "[%.*s]", (int)fields[i].len, (const char *)fields[i].data);
    }
    if (status != ST_OK) buf_printf(&text, "!%s", status_name(status));
    CHECK(!text.failed);
    memcpy(out, buf_text(&text), text.len + 1);
    buf_free(&text);
    csv_close(csv);
}

TEST(records_are_read_as_they_come) {
    static const struct {
        const char *name, *bytes, *expected;
    } ROWS[] = {
        {"nothing", "", ""},
        {"only blank lines", "\r\n\n\r", ""},
        {"line feeds", "a,b\n1,2\n", "1:[a][b]2:[1][2]"},
        {"carriage returns and line feeds", "a,b\r\n1,2\r\n", "1:[a][b]2:[1][2]"},
        {"carriage returns alone", "a,b\r1,2", "1:[a][b]2:[1][2]"},
        {"no line end at the end", "a,b\n1,2", "1:[a][b]2:[1][2]"},
        {"empty fields", "a,b,c\n,,\n", "1:[a][b][c]2:[][][]"},
        {"a blank line between", "a\n\nb\n", "1:[a]3:[b]"},
        {"blank lines before the head", "\n\na,b\n", "3:[a][b]"},
        {"a quoted separator", "a,b\n\"x,y\",z\n", "1:[a][b]2:[x,y][z]"},
        {"a quoted quote", "a\n\"say \"\"hi\"\"\"\n", "1:[a]2:[say \"hi\"]"},
        {"a line break in quotes counts as a line", "a,b\n\"1\r\n2\",x\n3,4\n", "1:[a][b]2:[1\r\n2][x]4:[3][4]"},
        {"an empty quoted field", "a,b\n\"\",x\n", "1:[a][b]2:[][x]"},
        {"text behind the closing quote", "a,b\n\"x\"y,z\n", "1:[a][b]2:[xy][z]"},
        {"a quote inside a plain field", "a,b\n5\" pipe,z\n", "1:[a][b]2:[5\" pipe][z]"},
        {"a quote that is never closed", "a\n\"x\n", "1:[a]!INVALID"},
        {"semicolons", "a;b\n1,5;2\n", "1:[a][b]2:[1,5][2]"},
        {"bars, with commas as plain text", "a|b\nx, y|z\n", "1:[a][b]2:[x, y][z]"},
        {"tabs", "a\tb\n1\t2\n", "1:[a][b]2:[1][2]"},
        {"a quoted head does not mislead", "\"a;;;\",b\n1,2\n", "1:[a;;;][b]2:[1][2]"},
        {"one column", "a\n1;2\n", "1:[a]2:[1;2]"},
        {"a byte order mark", "\xEF\xBB\xBF" "a,b\n", "1:[a][b]"},
        {"a byte order mark before a quote", "\xEF\xBB\xBF\"a\",b\n", "1:[a][b]"},
        {"Chinese", "客户,城市\n平安银行,深圳\n", "1:[客户][城市]2:[平安银行][深圳]"},
    };
    for EACH(row, ROWS) {
        char shown[SHOWN_BYTES];
        show(slice_from(row->bytes), NULL, shown);
        CHECK_ROW_TEXT(row, shown, row->expected);
    }
}

TEST(encodings_are_found_or_given) {
    static const struct {
        const char *name;
        struct slice bytes;
        const char *encoding, *expected;
    } ROWS[] = {
        /* 客户 is BFCD BBA7; 倈 is 827C in GB18030, whose second byte is a bar */
        {"gb18030 found", {(const uint8_t *)"\xBF\xCD\xBB\xA7,b\n", 7}, NULL, "1:[客户][b]"},
        {"gb18030 given", {(const uint8_t *)"\xBF\xCD\xBB\xA7,b\n", 7}, "GB18030", "1:[客户][b]"},
        {"a second byte is no separator", {(const uint8_t *)"a|b\n\x82\x7C|c\n", 9}, NULL, "1:[a][b]2:[倈][c]"},
        {"four bytes", {(const uint8_t *)"\x81\x30\x81\x30\xBF\xCD\n", 7}, NULL, "1:[\xC2\x80客]"},
        {"neither", {(const uint8_t *)"a\xFF\xFF\n", 4}, NULL, "!INVALID"},
        {"not utf-8 as said", {(const uint8_t *)"\xBF\xCD\n", 3}, "utf-8", "!INVALID"},
        {"cut in the middle", {(const uint8_t *)"ab\xBF", 3}, "gb18030", "!INVALID"},
        {"unknown", {(const uint8_t *)"a\n", 2}, "klingon", "!USAGE"},
        {"zero bytes", {(const uint8_t *)"a\0b\n", 4}, NULL, "!INVALID"},
        {"utf-16 of spreadsheets", {(const uint8_t *)"\xFF\xFE" "a\0\t\0b\0\n\0", 10}, NULL, "1:[a][b]"},
        {"only a mark", {(const uint8_t *)"\xFF\xFE", 2}, NULL, ""},
        {"utf-8 said and marked", {(const uint8_t *)"\xEF\xBB\xBF" "a\n", 5}, "UTF-8", "1:[a]"},
    };
    for EACH(row, ROWS) {
        char shown[SHOWN_BYTES];
        show(row->bytes, row->encoding, shown);
        CHECK_ROW_TEXT(row, shown, row->expected);
    }
}

TEST(a_record_has_at_most_so_many_columns) {
    for (int extra = 0; extra < 2; extra++) {
        struct buf text = buf_new(BUF_MAX_LINE);
        struct csv *csv = NULL;
        struct err err;
        const struct slice *fields;
        size_t count = 0;
        int64_t line;
        for (int i = 0; i < CSV_COLUMNS_MAX - 1 + extra; i++) buf_put_byte(&text, ',');
        CHECK_OK(csv_open(buf_slice(&text), NULL, &csv, &err));
        CHECK_STATUS(csv_next(csv, &fields, &count, &line, &err), extra == 0 ? ST_OK : ST_TOO_LARGE);
        CHECK_INT(count, extra == 0 ? CSV_COLUMNS_MAX : 0);
        csv_close(csv);
        buf_free(&text);
    }
}

TEST(a_field_has_a_limit) {
    struct buf text = buf_new(BUF_MAX_MESSAGE);
    struct csv *csv = NULL;
    struct err err;
    const struct slice *fields;
    size_t count;
    int64_t line;
    buf_put_byte(&text, '"');
    for (int i = 0; i <= CSV_FIELD_BYTES_MAX; i++) buf_put_byte(&text, 'x');
    buf_put_byte(&text, '"');
    CHECK_OK(csv_open(buf_slice(&text), NULL, &csv, &err));
    CHECK_STATUS(csv_next(csv, &fields, &count, &line, &err), ST_TOO_LARGE);
    csv_close(csv);
    buf_free(&text);
}

TEST(what_is_written_is_read_back) {
    static const char *const TEXTS[] = {"plain", "", "a,b", "a;b", "say \"hi\"", "\"", "two\nlines", "cr\r\nlf", " blank",
                                        "bar|", "tab\t", "平安银行", "last"};
    struct buf text = buf_new(BUF_MAX_LINE);
    struct csv *csv = NULL;
    struct err err;
    const struct slice *fields;
    size_t count;
    int64_t line;
    for (size_t i = 0; i < ARRAY_COUNT(TEXTS); i++) csv_write_field(&text, slice_from(TEXTS[i]), i == 0);
    csv_write_end(&text);
    CHECK_OK(csv_open(buf_slice(&text), NULL, &csv, &err));
    CHECK_OK(csv_next(csv, &fields, &count, &line, &err));
    CHECK_INT(count, ARRAY_COUNT(TEXTS));
    for (size_t i = 0; i < count; i++) CHECK_SLICES(fields[i], slice_from(TEXTS[i]));
    csv_close(csv);
    buf_free(&text);
}

TEST(records_are_written_by_the_rfc) {
    struct buf text = buf_new(BUF_MAX_LINE);
    csv_write_field(&text, SLICE("a"), true);
    csv_write_field(&text, SLICE("say \"x\", y"), false);
    csv_write_field(&text, SLICE(""), false);
    csv_write_end(&text);
    CHECK_TEXT(buf_text(&text), "a,\"say \"\"x\"\", y\",\r\n");
    buf_free(&text);
}
