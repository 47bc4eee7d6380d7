/* Tables in a terminal, with Chinese characters two columns wide. */
#include "syncd/api/api.h"
#include "tests/unit/check.h"

static void check_table(size_t columns, const char *const *cells, size_t count, unsigned terminal, const char *expected) {
    struct buf out = buf_new(BUF_MAX_LINE);
    struct api_table *t = NULL;
    struct err err;
    CHECK_OK(api_table_open(columns, &t, &err));
    api_table_right(t, columns - 1);
    api_table_right(t, columns);                           /* not there: nothing happens */
    for (size_t i = 0; i < count; i++) api_table_cell(t, slice_from(cells[i]));
    api_table_write(t, terminal, &out);
    CHECK_TEXT(buf_text(&out), expected);
    api_table_close(t);
    buf_free(&out);
}

TEST(columns_are_as_wide_as_they_need) {
    static const char *const CELLS[] = {"name", "qty", "ab", "7", "abcdef", "1200"};
    check_table(2, CELLS, ARRAY_COUNT(CELLS), 0,
                "name     qty\n"
                "ab         7\n"
                "abcdef  1200\n");
}

TEST(a_chinese_character_takes_two_columns) {
    static const char *const CELLS[] = {"客户", "数量", "平安银行", "3", "Acme", "12"};
    check_table(2, CELLS, ARRAY_COUNT(CELLS), 0,
                "客户      数量\n"                         /* 4 of 8 wide, and the gap */
                "平安银行     3\n"
                "Acme        12\n");
}

TEST(the_widest_column_is_cut_to_the_terminal) {
    static const char *const CELLS[] = {"a", "b", "abcdefghijklmnop", "12"};
    check_table(2, CELLS, ARRAY_COUNT(CELLS), 12,          /* 8 for the first, 2 for the gap, 2 for the second */
                "a          b\n"
                "abcdefg…  12\n");
}

TEST(a_cut_never_splits_a_wide_character) {
    static const char *const CELLS[] = {"中华人民共和国", "1"};
    check_table(2, CELLS, ARRAY_COUNT(CELLS), 11,          /* 8 wide: three characters and the sign make 7 */
                "中华人…   1\n");
}

TEST(columns_are_never_cut_to_nothing) {
    static const char *const CELLS[] = {"abcdefgh", "12345678"};
    check_table(2, CELLS, ARRAY_COUNT(CELLS), 3, "abcde…  12345…\n");
}

TEST(control_characters_do_not_reach_the_terminal) {
    static const char *const CELLS[] = {"two\nlines\t\x1B[31m", "\xC2\x9B" "x"};
    check_table(2, CELLS, ARRAY_COUNT(CELLS), 0, "two lines  [31m  \xC2\xA0x\n");
}

TEST(no_line_ends_with_blanks) {
    static const char *const CELLS[] = {"name", "city", "note", "Acme", "Paris", "", "B", "", "", "", "", ""};
    check_table(3, CELLS, ARRAY_COUNT(CELLS), 0, "name  city   note\nAcme  Paris\nB\n\n");
}
TEST(a_table_without_cells_is_nothing) {
    check_table(3, NULL, 0, 80, "");
}

/* Of account: the title, three references, the state, then dates, at most eight. */
TEST(a_list_shows_title_references_states_dates) {
    static const char *const EXPECTED[] = {"name", "parent", "territory", "owner", "status", "last_contact_on",
                                           "first_order_on", "founded_on"};
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    const struct field *fields[20];
    struct err err;
    CHECK_OK(catalogue_release(&mem, &cat, &err));
    const struct entity *account = catalogue_entity(&cat, SLICE("account"));
    CHECK_INT(api_list_fields(account, fields, ARRAY_COUNT(fields)), ARRAY_COUNT(EXPECTED));
    for (size_t i = 0; i < ARRAY_COUNT(EXPECTED); i++) CHECK_TEXT(fields[i]->name, EXPECTED[i]);
    CHECK_INT(api_list_fields(account, fields, 2), 2);
    arena_clear(&mem);
}
