/* Which rows may be the same: folding, and pairs among a few rows. */
#include "syncd/api/likeness.h"
#include "tests/unit/check.h"

TEST(what_does_not_count_in_a_name_is_left_out) {
    static const struct {
        const char *name, *folded;
    } rows[] = {
        {"Hainan Ferry Co., Ltd", "hainanferry"},
        {"HAINAN  FERRY (Group) Limited", "hainanferry"},
        {"ＨＡＩＮＡＮ　Ferry", "hainanferry"},
        {"Müller & Söhne GmbH & Co. KG", "müllersöhne"},
        {"海南渡轮股份有限公司", "海南渡轮"},
        {"海南渡轮（集团）有限公司", "海南渡轮"},
        {"海南 渡轮·公司", "海南渡轮"},
        {"中国石油天然气集团有限公司", "中国石油天然气"},
        {"Group Ltd", "groupltd"}, /* nothing else is left */
        {"公司", "公司"},
        {"", ""},
    };
    struct arena mem = arena_new(1024 * 1024);
    struct err err;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct slice folded;
        CHECK_OK(likeness_name(slice_from(rows[i].name), &mem, &folded, &err));
        CHECK_SLICES(folded, slice_from(rows[i].folded));
    }
    arena_clear(&mem);
}

TEST(telephones_are_their_digits_without_the_country) {
    static const struct {
        const char *phone, *digits;
    } rows[] = {{"+86 898 6666 1234", "89866661234"},
                {"0898-66661234", "89866661234"},
                {"0086 (0)898 66661234", "89866661234"},
                {"138 0000 1111", "13800001111"},
                {"+8613800001111", "13800001111"},
                {"０８９８－６６６６１２３４", "89866661234"},
                {"66661234 #12", "66661234"},
                {"110", ""},
                {"", ""}};
    struct arena mem = arena_new(1024 * 1024);
    struct err err;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct slice digits;
        CHECK_OK(likeness_phone(slice_from(rows[i].phone), &mem, &digits, &err));
        CHECK_SLICES(digits, slice_from(rows[i].digits));
    }
    arena_clear(&mem);
}

/* Pairs of "abcd": ab bc cd; of "abce": ab bc ce. Two of three each: 2 * 2 / 6. */
TEST(names_are_as_alike_as_the_pairs_that_they_share) {
    CHECK_INT(likeness_of_names(SLICE("abcd"), SLICE("abce")), 66);
    CHECK_INT(likeness_of_names(SLICE("abcd"), SLICE("abcd")), 100);
    CHECK_INT(likeness_of_names(SLICE("abcd"), SLICE("wxyz")), 0);
    CHECK_INT(likeness_of_names(SLICE("海南渡轮"), SLICE("海南渡船")), 66);
    CHECK_INT(likeness_of_names(SLICE(""), SLICE("a")), 0);
}

TEST(reasons_are_said_in_words) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    likeness_write(LIKENESS_NAME | LIKENESS_PHONE, LANG_EN, &text);
    CHECK_SLICE(buf_slice(&text), "same name; same telephone");
    buf_reset(&text);
    likeness_write(LIKENESS_NUMBER | LIKENESS_OTHER_NUMBER, LANG_ZH, &text);
    CHECK_SLICE(buf_slice(&text), "统一社会信用代码相同；但统一社会信用代码不同");
}
