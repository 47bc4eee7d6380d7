/* Text, numbers as people write them, dates and instants. */
#include <string.h>

#include "tests/unit/check.h"

/* ------------------------------------------------------------------ UTF-8 */

struct utf8_row {
    const char *name;
    struct slice bytes;
    bool is_utf8;
    size_t length;             /* with U+FFFD for each broken byte */
};

#define BYTES(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

static const struct utf8_row UTF8_ROWS[] = {
    {"empty", {0}, true, 0},
    {"ascii", BYTES("abc"), true, 3},
    {"two bytes", BYTES("\xC3\xA9"), true, 1},
    {"chinese", BYTES("\xE5\xAE\xA2\xE6\x88\xB7"), true, 2},
    {"emoji", BYTES("\xF0\x9F\x98\x80"), true, 1},
    {"last code point", BYTES("\xF4\x8F\xBF\xBF"), true, 1},
    {"U+FFFD itself", BYTES("\xEF\xBF\xBD"), true, 1},
    {"below surrogates", BYTES("\xED\x9F\xBF"), true, 1},
    {"above surrogates", BYTES("\xEE\x80\x80"), true, 1},
    {"NUL inside", BYTES("a\0b"), false, 3},
    {"lone continuation", BYTES("\x80"), false, 1},
    {"lead without rest", BYTES("\xC3"), false, 1},
    {"lead then ascii", BYTES("\xC3" "A"), false, 2},
    {"three bytes cut to two", BYTES("\xE5\xAE"), false, 2},
    {"four bytes cut to three", BYTES("\xF0\x9F\x98"), false, 3},
    {"overlong slash in two", BYTES("\xC0\xAF"), false, 2},
    {"overlong in two, C1", BYTES("\xC1\xBF"), false, 2},
    {"overlong in three", BYTES("\xE0\x9F\xBF"), false, 3},
    {"overlong in four", BYTES("\xF0\x8F\xBF\xBF"), false, 4},
    {"first surrogate", BYTES("\xED\xA0\x80"), false, 3},
    {"last surrogate", BYTES("\xED\xBF\xBF"), false, 3},
    {"above U+10FFFF", BYTES("\xF4\x90\x80\x80"), false, 4},
    {"F5", BYTES("\xF5\x80\x80\x80"), false, 4},
    {"FE and FF", BYTES("\xFE\xFF"), false, 2},
    {"broken between whole", BYTES("a\xFF\xC3\xA9"), false, 3},
};

TEST(utf8_is_told_from_broken_bytes) {
    for EACH(row, UTF8_ROWS) {
        CHECK_ROW_INT(row, text_is_utf8(row->bytes), row->is_utf8);
        CHECK_ROW_INT(row, text_length(row->bytes), row->length);
    }
}

TEST(every_code_point_survives_writing_and_reading) {
    struct buf buf = buf_new(BUF_MAX_LINE);
    for (int32_t point = 1; point <= 0x10FFFF; point++) {
        if (point >= 0xD800 && point <= 0xDFFF) continue;
        buf_reset(&buf);
        buf_put_code_point(&buf, point);
        struct slice s = buf_slice(&buf);
        CHECK(text_is_utf8(s));
        CHECK_INT(text_next(&s), point);
        CHECK_INT(s.len, 0);
    }
    buf_free(&buf);
}

TEST(what_is_no_code_point_is_written_as_replacement) {
    static const int32_t points[] = {-1, 0xD800, 0xDFFF, 0x110000, INT32_MAX};
    for EACH(point, points) {
        struct buf buf = buf_new(16);
        buf_put_code_point(&buf, *point);
        CHECK_SLICE(buf_slice(&buf), "\xEF\xBF\xBD");
        buf_free(&buf);
    }
}

TEST(next_goes_on_after_a_broken_byte_and_ends) {
    struct slice s = SLICE("a\xE5\xAE" "b");
    CHECK_INT(text_next(&s), 'a');
    CHECK_INT(text_next(&s), 0xFFFD);
    CHECK_INT(text_next(&s), 0xFFFD);
    CHECK_INT(text_next(&s), 'b');
    CHECK_INT(text_next(&s), -1);
    CHECK_INT(text_next(&s), -1);
}

TEST(a_prefix_does_not_cut_a_character) {
    static const struct {
        const char *name, *text;
        size_t bytes_max;
        const char *prefix;
    } rows[] = {
        {"all fits", "客户", 6, "客户"},     {"more than fits", "客户", 99, "客户"},
        {"second cut late", "客户", 5, "客"}, {"second cut early", "客户", 4, "客"},
        {"one whole", "客户", 3, "客"},      {"first cut", "客户", 2, ""},
        {"nothing", "客户", 0, ""},          {"ascii", "abc", 2, "ab"},
        {"emoji cut", "x😀", 4, "x"},        {"emoji whole", "x😀y", 5, "x😀"},
    };
    for EACH(row, rows) {
        CHECK_ROW_SLICE(row, text_prefix(slice_from(row->text), row->bytes_max),
                        slice_from(row->prefix));
    }
}

TEST(a_prefix_of_rubbish_stays_within_the_limit) {
    CHECK_INT(text_prefix(SLICE("\x80\x80\x80\x80\x80\x80\x80\x80"), 6).len, 6);
    CHECK_INT(text_prefix(SLICE("\x80\x80\x80"), 1).len, 1);
}

/* ------------------------------------------------------------------ normal forms */

TEST(nfc_composes_and_borrows_what_is_normal) {
    static const struct {
        const char *name, *in, *out;
        bool borrowed;
    } rows[] = {
        {"empty", "", "", true},
        {"ascii", "plain", "plain", true},
        {"latin composed", "caf\xC3\xA9", "caf\xC3\xA9", true},
        {"e and acute", "cafe\xCC\x81", "caf\xC3\xA9", false},
        {"chinese", "重点客户，张三（上海）", "重点客户，张三（上海）", true},
        {"full-width stays", "ＡＢ", "ＡＢ", true},
        {"angstrom sign", "\xE2\x84\xAB", "\xC3\x85", false},
        {"hangul jamo", "\xE1\x84\x80\xE1\x85\xA1", "\xEA\xB0\x80", false},
        {"hangul syllable", "\xEA\xB0\x80", "\xEA\xB0\x80", true},
        {"cjk compatibility", "\xEF\xA4\x80", "\xE8\xB1\x88", false},
        {"marks are ordered", "a\xCC\x81\xCC\xA3", "\xE1\xBA\xA1\xCC\x81", false},
    };
    struct err err;
    for EACH(row, rows) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct slice in = slice_from(row->in), out = {0};
        CHECK_OK(text_nfc(in, &mem, &out, &err));
        CHECK_ROW_SLICE(row, out, slice_from(row->out));
        CHECK_ROW_INT(row, out.data == in.data, row->borrowed);
        arena_clear(&mem);
    }
}

/* The quick way says "normal" for whole ranges: each character of them must be so, alone and behind a
 * letter that composes with many marks. */
TEST(every_character_that_nfc_lets_pass_quickly_is_normal) {
    static const struct {
        int32_t first, last;
    } ranges[] = {{0x1, 0x2FF},       {0x2010, 0x2027}, {0x3001, 0x3029},
                  {0x3400, 0x4DBF},   {0x4E00, 0x9FFF}, {0xFF00, 0xFFEF}};
    struct buf buf = buf_new(64);
    struct err err;
    for EACH(range, ranges) {
        for (int32_t point = range->first; point <= range->last; point++) {
            struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            buf_reset(&buf);
            buf_put_byte(&buf, 'o');
            buf_put_code_point(&buf, point);
            size_t plain = buf.len;
            buf_put_text(&buf, "e\xCC\x81");   /* makes the whole text take the slow way */
            struct slice out = {0};
            CHECK_OK(text_nfc(buf_slice(&buf), &mem, &out, &err));
            CHECK_INT(out.len, plain + 2);
            CHECK_SLICES(slice_of(out.data, plain), slice_of(buf.data, plain));
            arena_clear(&mem);
        }
    }
    buf_free(&buf);
}

TEST(normal_forms_refuse_broken_bytes) {
    for EACH(row, UTF8_ROWS) {
        if (row->is_utf8 || strcmp(row->name, "NUL inside") == 0) continue;
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct err err;
        struct slice out = SLICE("untouched");
        CHECK_ROW_INT(row, text_nfc(row->bytes, &mem, &out, &err), ST_INVALID);
        CHECK_ROW_INT(row, text_fold(row->bytes, &mem, &out, &err), ST_INVALID);
        CHECK_ROW_SLICE(row, out, SLICE("untouched"));
        arena_clear(&mem);
    }
}

TEST(folding_brings_equal_things_together) {
    static const struct {
        const char *name, *in, *out;
    } rows[] = {
        {"empty", "", ""},
        {"ascii", "ACME Ltd. 42", "acme ltd. 42"},
        {"full-width", "Ａｂ１２", "ab12"},
        {"full-width among chinese", "ＡＢＣ公司", "abc公司"},
        {"sharp s", "Straße", "strasse"},
        {"umlaut", "MÜLLER", "müller"},
        {"decomposed umlaut", "MU\xCC\x88LLER", "müller"},
        {"ligature", "ﬁne", "fine"},
        {"half-width katakana", "ｶ", "カ"},
        {"circled", "①", "1"},
        {"full-width blank", "a\xE3\x80\x80" "b", "a b"},
        {"final sigma", "ΟΔΟΣ", "οδοσ"},
    };
    struct err err;
    for EACH(row, rows) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct slice out = {0};
        CHECK_OK(text_fold(slice_from(row->in), &mem, &out, &err));
        CHECK_ROW_SLICE(row, out, slice_from(row->out));
        CHECK_ROW(row, out.data != slice_from(row->in).data);
        arena_clear(&mem);
    }
}

TEST(texts_that_do_not_fit_the_arena_say_so) {
    struct arena mem = arena_new(4);
    struct err err;
    struct slice out = SLICE("untouched");
    CHECK_STATUS(text_nfc(SLICE("cafe\xCC\x81"), &mem, &out, &err), ST_NO_MEMORY);
    CHECK_STATUS(text_fold(SLICE("PLAIN"), &mem, &out, &err), ST_NO_MEMORY);
    CHECK_SLICE(out, "untouched");
    arena_clear(&mem);
}

TEST(columns_are_those_of_a_terminal) {
    static const struct {
        const char *name, *text;
        size_t columns;
    } rows[] = {{"empty", "", 0},      {"ascii", "abc", 3},       {"chinese", "客户", 4},
                {"mixed", "A客b", 4},  {"combining", "e\xCC\x81", 1}, {"full-width", "Ａ，", 4}};
    for EACH(row, rows) CHECK_ROW_INT(row, text_columns(slice_from(row->text)), row->columns);
}

/* ------------------------------------------------------------------ numbers */

TEST(integers_are_read_whole_or_not_at_all) {
    static const struct {
        const char *name, *text;
        bool ok;
        int64_t value;
    } rows[] = {
        {"zero", "0", true, 0},
        {"minus zero", "-0", true, 0},
        {"leading zeros", "007", true, 7},
        {"negative", "-42", true, -42},
        {"largest", "9223372036854775807", true, INT64_MAX},
        {"smallest", "-9223372036854775808", true, INT64_MIN},
        {"one too large", "9223372036854775808", false, 0},
        {"one too small", "-9223372036854775809", false, 0},
        {"far too large", "99999999999999999999999", false, 0},
        {"empty", "", false, 0},
        {"minus alone", "-", false, 0},
        {"two minus", "--1", false, 0},
        {"plus", "+1", false, 0},
        {"blank before", " 1", false, 0},
        {"blank behind", "1 ", false, 0},
        {"letter", "1a", false, 0},
        {"point", "1.", false, 0},
        {"decimal", "1.0", false, 0},
        {"full-width digit", "１", false, 0},
    };
    for EACH(row, rows) {
        int64_t value = 0;
        CHECK_ROW_INT(row, text_to_int(slice_from(row->text), &value), row->ok);
        CHECK_ROW_INT(row, value, row->value);
    }
}

TEST(decimals_are_read_at_their_scale) {
    static const struct {
        const char *name, *text;
        unsigned scale;
        bool ok;
        int64_t value;
    } rows[] = {
        {"full scale", "12.345", 3, true, 12345},
        {"less than scale", "12.3", 3, true, 12300},
        {"no point", "12", 3, true, 12000},
        {"negative below one", "-0.05", 2, true, -5},
        {"scale 0", "12", 0, true, 12},
        {"largest", "92233720368547758.07", 2, true, INT64_MAX},
        {"smallest", "-92233720368547758.08", 2, true, INT64_MIN},
        {"one too large", "92233720368547758.08", 2, false, 0},
        {"too large by its fraction", "9223372036854775807.1", 1, false, 0},
        {"too large when scaled", "92233720368547759", 2, false, 0},
        {"too many digits", "1.234", 2, false, 0},
        {"too many zeros", "1.200", 2, false, 0},
        {"point at scale 0", "1.0", 0, false, 0},
        {"no digit before", ".5", 2, false, 0},
        {"no digit behind", "5.", 2, false, 0},
        {"two points", "1.2.3", 3, false, 0},
        {"comma", "1,5", 2, false, 0},
        {"sign inside", "1.-5", 2, false, 0},
        {"exponent", "1e3", 2, false, 0},
        {"empty", "", 2, false, 0},
    };
    for EACH(row, rows) {
        int64_t value = 0;
        CHECK_ROW_INT(row, text_to_decimal(slice_from(row->text), row->scale, &value), row->ok);
        CHECK_ROW_INT(row, value, row->value);
    }
}

TEST(decimals_are_written_with_all_their_digits) {
    static const struct {
        const char *name;
        int64_t scaled;
        unsigned scale;
        const char *text;
    } rows[] = {
        {"plain", 12345, 3, "12.345"},       {"zeros behind", 12000, 3, "12.000"},
        {"below one", 5, 2, "0.05"},         {"negative below one", -5, 2, "-0.05"},
        {"zero", 0, 2, "0.00"},              {"scale 0", -7, 0, "-7"},
        {"largest", INT64_MAX, 2, "92233720368547758.07"},
        {"smallest", INT64_MIN, 2, "-92233720368547758.08"},
    };
    for EACH(row, rows) {
        struct buf buf = buf_new(BUF_MAX_LINE);
        int64_t back = 1;
        buf_put_decimal(&buf, row->scaled, row->scale);
        CHECK_ROW_TEXT(row, buf_text(&buf), row->text);
        CHECK_ROW(row, text_to_decimal(buf_slice(&buf), row->scale, &back));
        CHECK_ROW_INT(row, back, row->scaled);
        buf_free(&buf);
    }
}

TEST(a_scale_beyond_all_is_the_greatest) {
    struct buf wide = buf_new(BUF_MAX_LINE), widest = buf_new(BUF_MAX_LINE);
    buf_put_decimal(&wide, 5, 1000);
    buf_put_decimal(&widest, 5, 18);
    CHECK_TEXT(buf_text(&wide), "0.000000000000000005");
    CHECK_TEXT(buf_text(&widest), "0.000000000000000005");
    buf_free(&wide);
    buf_free(&widest);
}

/* ------------------------------------------------------------------ calendar */

TEST(days_count_from_1970) {
    static const struct {
        const char *name;
        int year;
        unsigned month, day;
        int64_t days;
    } rows[] = {
        {"epoch", 1970, 1, 1, 0},          {"before", 1969, 12, 31, -1},
        {"1900 no leap", 1900, 3, 1, -25508}, {"1900 february", 1900, 2, 28, -25509},
        {"2000 leap", 2000, 2, 29, 11016}, {"2000 march", 2000, 3, 1, 11017},
        {"year 1", 1, 1, 1, -719162},      {"year 0 leap", 0, 2, 29, -719469},
        {"far", 9999, 12, 31, 2932896},    {"2026", 2026, 3, 1, 20513},
    };
    for EACH(row, rows) {
        int year;
        unsigned month, day;
        CHECK_ROW_INT(row, days_from_civil(row->year, row->month, row->day), row->days);
        civil_from_days(row->days, &year, &month, &day);
        CHECK_ROW_INT(row, year, row->year);
        CHECK_ROW_INT(row, month, row->month);
        CHECK_ROW_INT(row, day, row->day);
    }
}

TEST(every_day_of_a_thousand_years_comes_back) {
    for (int64_t days = -25567; days < 365243; days++) {
        int year;
        unsigned month, day;
        civil_from_days(days, &year, &month, &day);
        CHECK_INT(days_from_civil(year, month, day), days);
    }
}

TEST(days_beyond_all_years_do_no_harm) {
    int year;
    unsigned month, day;
    civil_from_days(INT64_MAX, &year, &month, &day);
    CHECK(year > 900000 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
    civil_from_days(INT64_MIN, &year, &month, &day);
    CHECK(year < -900000 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
}

TEST(dates_are_read_in_the_ways_people_write_them) {
    static const struct {
        const char *name, *text;
        bool ok;
        int64_t days;
    } rows[] = {
        {"dashes", "2026-03-01", true, 20513},
        {"slashes", "2026/3/1", true, 20513},
        {"month of three digits", "2026-003-1", false, 0},
        {"a letter for the month", "2026-x-01", false, 0},
        {"a letter for the day", "2026-03-x", false, 0},
        {"no digits for the month", "2026x301", false, 0},
        {"slashes with zeros", "2026/03/01", true, 20513},
        {"digits", "20260301", true, 20513},
        {"instant", "2026-03-01T23:30:00-08:00", true, 20513},
        {"instant with blank", "2026-03-01 09:30", true, 20513},
        {"leap day 2000", "2000-02-29", true, 11016},
        {"leap day 2024", "2024-02-29", true, 19782},
        {"last of year", "9999-12-31", true, 2932896},
        {"no leap day 1900", "1900-02-29", false, 0},
        {"no leap day 2023", "2023-02-29", false, 0},
        {"february 30", "2024-02-30", false, 0},
        {"april 31", "2026-04-31", false, 0},
        {"month 0", "2026-00-10", false, 0},
        {"month 13", "2026-13-01", false, 0},
        {"day 0", "2026-01-00", false, 0},
        {"day 32", "2026-01-32", false, 0},
        {"empty", "", false, 0},
        {"year only", "2026", false, 0},
        {"month only", "2026-03", false, 0},
        {"two digit year", "26-03-01", false, 0},
        {"mixed separators", "2026-03/01", false, 0},
        {"seven digits", "2026031", false, 0},
        {"nine digits", "202603011", false, 0},
        {"rubbish behind", "2026-03-01x", false, 0},
        {"T and nothing", "2026-03-01T", false, 0},
        {"bad clock behind", "2026-03-01T25:00", false, 0},
        {"blank before", " 2026-03-01", false, 0},
        {"negative", "-2026-03-01", false, 0},
    };
    for EACH(row, rows) {
        int64_t days = 0;
        CHECK_ROW_INT(row, date_parse(slice_from(row->text), &days), row->ok);
        CHECK_ROW_INT(row, days, row->days);
    }
}

TEST(instants_are_read_with_their_zone) {
    static const struct {
        const char *name, *text;
        int offset_minutes;
        bool ok;
        int64_t unix_ms;
    } rows[] = {
        {"epoch", "1970-01-01T00:00:00Z", 480, true, 0},
        {"china", "2026-03-01T09:30:00+08:00", 0, true, 1772328600000},
        {"no zone means the given one", "2026-03-01T09:30:00", 480, true, 1772328600000},
        {"no seconds", "2026-03-01T09:30", 480, true, 1772328600000},
        {"blank for T", "2026-03-01 09:30:00", 480, true, 1772328600000},
        {"small letters", "2026-03-01t01:30:00z", 0, true, 1772328600000},
        {"no colon in zone", "2026-03-01T09:30:00+0800", 0, true, 1772328600000},
        {"west over midnight", "2026-02-28T20:30:00-05:00", 0, true, 1772328600000},
        {"half hours", "2026-03-01T07:00:00+05:30", 0, true, 1772328600000},
        {"minus zero zone", "2026-03-01T01:30:00-00:00", 60, true, 1772328600000},
        {"date alone", "2026-03-01", 480, true, 1772294400000},
        {"milliseconds", "1970-01-01T00:00:00.123Z", 0, true, 123},
        {"tenth", "1970-01-01T00:00:00.5Z", 0, true, 500},
        {"microseconds are cut", "1970-01-01T00:00:00.123999Z", 0, true, 123},
        {"before the epoch", "1969-12-31T23:59:59.999Z", 0, true, -1},
        {"leap second", "2016-12-31T23:59:60Z", 0, true, 1483228800000},
        {"leap second in china", "2017-01-01T07:59:60+08:00", 0, true, 1483228800000},
        {"no leap second at noon", "2016-12-31T12:00:60Z", 0, false, 0},
        {"second 61", "2016-12-31T23:59:61Z", 0, false, 0},
        {"hour 24", "2026-03-01T24:00:00Z", 0, false, 0},
        {"minute 60", "2026-03-01T23:60:00Z", 0, false, 0},
        {"zone hour 24", "2026-03-01T00:00:00+24:00", 0, false, 0},
        {"zone minute 60", "2026-03-01T00:00:00+08:60", 0, false, 0},
        {"zone cut", "2026-03-01T00:00:00+08", 0, false, 0},
        {"one digit hour", "2026-03-01T9:30:00Z", 0, false, 0},
        {"a letter behind the fraction", "1970-01-01T00:00:00.1239xZ", 0, false, 0},
        {"a colon in the fraction", "1970-01-01T00:00:00.123:Z", 0, false, 0},
        {"a slash in the fraction", "1970-01-01T00:00:00.123/Z", 0, false, 0},
        {"no zone behind the fraction", "1970-01-01T00:00:00.1239", 0, true, 123},
        {"no colon in the clock", "2026-03-01T0930", 0, false, 0},
        {"one digit of minutes", "2026-03-01T09:3", 0, false, 0},
        {"one digit of seconds", "2026-03-01T09:30:1", 0, false, 0},
        {"one digit in the zone", "2026-03-01T09:30+8", 0, false, 0},
        {"a zone without hours", "2026-03-01T09:30-", 0, false, 0},
        {"a zone by name", "2026-03-01T09:30 CST", 0, false, 0},
        {"point and nothing", "2026-03-01T00:00:00.Z", 0, false, 0},
        {"rubbish behind", "2026-03-01T00:00:00Zx", 0, false, 0},
        {"zone without time", "2026-03-01+08:00", 0, false, 0},
        {"bad date", "2026-02-29T00:00:00Z", 0, false, 0},
        {"empty", "", 0, false, 0},
    };
    for EACH(row, rows) {
        int64_t unix_ms = 0;
        CHECK_ROW_INT(row, time_parse(slice_from(row->text), row->offset_minutes, &unix_ms), row->ok);
        CHECK_ROW_INT(row, unix_ms, row->unix_ms);
    }
}

TEST(instants_are_written_in_a_zone) {
    static const struct {
        const char *name;
        int64_t unix_ms;
        int offset_minutes;
        const char *text;
    } rows[] = {
        {"epoch", 0, 0, "1970-01-01T00:00:00Z"},
        {"china", 1772328600000, 480, "2026-03-01T09:30:00+08:00"},
        {"new york", 1772328600000, -300, "2026-02-28T20:30:00-05:00"},
        {"newfoundland", 1772328600000, -210, "2026-02-28T22:00:00-03:30"},
        {"nepal", 1772328600000, 345, "2026-03-01T07:15:00+05:45"},
        {"just before the epoch", -1, 0, "1969-12-31T23:59:59Z"},
        {"milliseconds are cut", 1999, 0, "1970-01-01T00:00:01Z"},
    };
    for EACH(row, rows) {
        struct buf buf = buf_new(BUF_MAX_LINE);
        buf_put_time(&buf, row->unix_ms, row->offset_minutes);
        CHECK_ROW_TEXT(row, buf_text(&buf), row->text);
        buf_free(&buf);
    }
}

TEST(no_instant_is_too_far_to_be_written) {
    static const int64_t far[] = {INT64_MIN, INT64_MAX};
    for EACH(unix_ms, far) {
        struct buf buf = buf_new(BUF_MAX_LINE);
        buf_put_time(&buf, *unix_ms, 840);
        buf_put_date(&buf, *unix_ms);
        CHECK(buf.len > 20);
        buf_free(&buf);
    }
}
