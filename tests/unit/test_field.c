/* Values as people write and read them, and what may stand in a field. The laws walk every field of the release, so
 * that a field that breaks one is found on the day that it is declared. */
#include "protocol/model/model.h"
#include "tests/unit/check.h"

#include <string.h>

static struct catalogue release(struct arena *mem) {
    struct catalogue cat;
    struct err err = {0};
    CHECK_OK(catalogue_release(mem, &cat, &err));
    return cat;
}

static const struct field *field_of(const struct catalogue *cat, const char *entity, const char *field) {
    const struct entity *e = catalogue_entity(cat, slice_from(entity));
    CHECK(e != NULL);
    const struct field *f = entity_field(e, slice_from(field));
    CHECK(f != NULL);
    return f;
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ------------------------------------------------------------------ values as people write them */

struct parse_row {
    const char *name, *entity, *field, *text;
    int64_t number;
    const char *expected;                                  /* texts; NULL with number INT64_MIN: refused */
};

enum { OFFSET = 480 };                                     /* Beijing */
#define REFUSED INT64_MIN
#define NOTHING INT64_MAX

TEST(values_are_read_as_people_write_them) {
    static const struct parse_row rows[] = {
        {"a line is trimmed", "account", "name", "  华为 ", 0, "华为"},
        {"composed", "account", "name", "Cafe\xCC\x81", 0, "Caf\xC3\xA9"},
        {"two lines in a line", "account", "name", "a\nb", REFUSED, NULL},
        {"required", "account", "name", " ", REFUSED, NULL},
        {"not UTF-8", "account", "name", "\xFF", REFUSED, NULL},
        {"nothing", "account", "industry", "", NOTHING, NULL},
        {"a note keeps its lines", "account", "remarks", "a\r\nb\rc", 0, "a\nb\nc"},
        {"int", "account", "employees", "1200", 1200, NULL},
        {"thousands", "account", "employees", "1,200", 1200, NULL},
        {"full width", "account", "employees", "１２００", 1200, NULL},
        {"a comma that is none of thousands", "account", "employees", "12,00", REFUSED, NULL},
        {"text for a number", "account", "employees", "many", REFUSED, NULL},
        {"a fraction of a person", "account", "employees", "1.5", REFUSED, NULL},
        {"above the limit", "opportunity", "probability", "101", REFUSED, NULL},
        {"below it", "opportunity", "probability", "-1", REFUSED, NULL},
        {"money", "opportunity", "amount", "1,234.50", 123450, NULL},
        {"money with a sign", "opportunity", "amount", "￥1,234.5", 123450, NULL},
        {"money with a yen sign", "opportunity", "amount", "¥ 12", 1200, NULL},
        {"dollars", "opportunity", "amount", "$0.05", 5, NULL},
        {"a debt", "order", "amount", "-$1.25", -125, NULL},
        {"a debt, the other way", "order", "amount", "$-1.25", -125, NULL},
        {"a sign twice", "order", "amount", "-$-1.25", REFUSED, NULL},
        {"too fine", "opportunity", "amount", "1.234", REFUSED, NULL},
        {"a comma behind the point", "opportunity", "amount", "1.5,000", REFUSED, NULL},
        {"two commas", "opportunity", "amount", "1,,234", REFUSED, NULL},
        {"four digits before a comma", "opportunity", "amount", "1234,567", REFUSED, NULL},
        {"two digits between commas", "opportunity", "amount", "1,23,456", REFUSED, NULL},
        {"two digits between comma and point", "opportunity", "amount", "1,23.5", REFUSED, NULL},
        {"millions", "opportunity", "amount", "1,234,567.5", 123456750, NULL},
        {"a sign alone", "opportunity", "amount", "¥", REFUSED, NULL},
        {"no digit before the point", "opportunity", "amount", ".5", REFUSED, NULL},
        {"a letter", "account", "employees", "~", REFUSED, NULL},
        {"zeros in front", "account", "employees", "000000000000000000000000000012", 12, NULL},
        {"more digits than any number", "account", "employees",
         "00000000000000000000000000000000000000000000000000000000000000012", REFUSED, NULL},
        {"no time", "visit", "started_at", "morning", REFUSED, NULL},
        {"a tab in a note", "account", "remarks", "a\tb", 0, "a\tb"},
        {"a tab in a line", "account", "name", "a\tb", REFUSED, NULL},
        {"a bell", "account", "remarks", "a\ab", REFUSED, NULL},
        {"the delete character", "account", "remarks", "a\x7f" "b", REFUSED, NULL},
        {"a set with carriage returns", "account", "tags", "b\r\na", 0, "a\nb"},
        {"thousands without digits", "opportunity", "amount", ",234", REFUSED, NULL},
        {"decimal", "visit", "lat", "31.2304167", 312304167, NULL},
        {"decimal beyond the pole", "visit", "lat", "90.0000001", REFUSED, NULL},
        {"date", "account", "founded_on", "1970-01-02", 1, NULL},
        {"date with slashes", "account", "founded_on", "1970/1/3", 2, NULL},
        {"no date", "account", "founded_on", "1970-13-03", REFUSED, NULL},
        {"time with zone", "visit", "started_at", "1970-01-01T08:00:01+08:00", 1000, NULL},
        {"time without zone", "visit", "started_at", "1970-01-01 08:00:01", 1000, NULL},
        {"yes", "product", "active", "Yes", 1, NULL},
        {"no", "product", "active", "否", 0, NULL},
        {"maybe", "product", "active", "maybe", REFUSED, NULL},
        {"enum by name", "account", "kind", "listed", 3, NULL},
        {"enum by label", "account", "kind", "上市公司", 3, NULL},
        {"enum by label in any case", "account", "kind", "listed COMPANY", 3, NULL},
        {"no such value", "account", "kind", "club", REFUSED, NULL},
        {"id in short form", "contact", "account", "3-1Z70", 3 * 4294967296 + 2023, NULL},
        {"a name is no id", "contact", "account", "华为", REFUSED, NULL},
        {"a set with all separators", "account", "tags", "b, a;c、d，e；f\ng,, a", 0, "a\nb\nc\nd\ne\nf\ng"},
        {"a set of enum labels", "account", "party_roles", "客户, Supplier", 0, "customer\nsupplier"},
        {"a set with an unknown value", "account", "party_roles", "friend", REFUSED, NULL},
        {"a set of nothing", "account", "tags", " , ", NOTHING, NULL},
    };
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    for EACH(row, rows) {
        struct err err = {0};
        struct value v = value_int(-77);
        enum status status = field_parse(field_of(&cat, row->entity, row->field), slice_from(row->text), OFFSET, &mem, &v, &err);
        bool refused = row->number == REFUSED && !row->expected;
        CHECK_ROW_INT(row, status, refused ? ST_INVALID : ST_OK);
        if (refused) CHECK_ROW(row, *err.text[LANG_EN] && *err.text[LANG_ZH] && v.number == -77);
        else if (row->expected) CHECK_ROW_SLICE(row, v.text, slice_from(row->expected));
        else if (row->number == NOTHING) CHECK_ROW_INT(row, v.kind, VALUE_NULL);
        else CHECK_ROW_INT(row, v.number, row->number);
    }
    arena_clear(&mem);
}

TEST(an_error_names_the_field_in_both_languages) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    struct err err = {0};
    struct value v;
    CHECK_STATUS(field_parse(field_of(&cat, "account", "settlement"), SLICE("?"), 0, &mem, &v, &err), ST_INVALID);
    CHECK_TEXT(err.text[LANG_EN], "Settlement: must be one of: direct, dealer");
    CHECK(strstr(err.text[LANG_ZH], "结算方式") && strstr(err.text[LANG_ZH], "直供用户、经销商供货"));
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ sets of each kind */

static const struct enum_value ROLES[] = {{1, "customer", {"Customer", "客户"}, false}, {2, "supplier", {"Supplier", "供应商"}, false}};
static const struct enumeration ROLE = {"role", ROLES, 2, NULL, 0, false};
static const struct field TAGS = {.name = "tags", .type = FIELD_SET, .set_of = FIELD_TEXT, .max = 2, .label = {"Tags", "标签"}};
static const struct field PARTIES = {.name = "parties", .type = FIELD_SET, .set_of = FIELD_REF, .label = {"Parties", "各方"}};
static const struct field PARTY_ROLES = {.name = "roles", .type = FIELD_SET, .set_of = FIELD_ENUM, .values = &ROLE, .label = {"Roles", "角色"}};

TEST(an_element_has_one_spelling) {
    static const struct {
        const char *name, *element;
        const struct field *f;
        enum status status;
    } rows[] = {
        {"a text", "a b", &TAGS, ST_OK},
        {"nothing", "", &TAGS, ST_INVALID},
        {"a comma", "a,b", &TAGS, ST_INVALID},
        {"a semicolon", "a;b", &TAGS, ST_INVALID},
        {"a Chinese enumeration comma", "a、b", &TAGS, ST_INVALID},
        {"a wide comma", "a，b", &TAGS, ST_INVALID},
        {"a wide semicolon", "a；b", &TAGS, ST_INVALID},
        {"a blank before", " a", &TAGS, ST_INVALID},
        {"two lines", "a\nb", &TAGS, ST_INVALID},
        {"an id", "7", &PARTIES, ST_OK},
        {"an id with a zero before", "07", &PARTIES, ST_INVALID},
        {"zero", "0", &PARTIES, ST_INVALID},
        {"an id above all", "9007199254740992", &PARTIES, ST_INVALID},
        {"a name", "Li", &PARTIES, ST_INVALID},
        {"a value", "customer", &PARTY_ROLES, ST_OK},
        {"its label", "客户", &PARTY_ROLES, ST_INVALID},
        {"in capitals", "Customer", &PARTY_ROLES, ST_INVALID},
        {"no value", "friend", &PARTY_ROLES, ST_INVALID},
    };
    for EACH(row, rows) {
        struct err err = {0};
        CHECK_ROW_INT(row, field_check_element(row->f, slice_from(row->element), &err), row->status);
    }
}

TEST(a_set_is_checked_as_a_whole_and_each_element) {
    static const struct {
        const char *name, *set;
        const struct field *f;
        enum status status;
    } rows[] = {
        {"two of two", "a\nb", &TAGS, ST_OK},
        {"three of two", "a\nb\nc", &TAGS, ST_INVALID},
        {"an empty one", "a\n\nb", &TAGS, ST_INVALID},
        {"an empty one first", "\na", &TAGS, ST_INVALID},
        {"a separator", "a\nb,c", &TAGS, ST_INVALID},
        {"ids", "10\n9", &PARTIES, ST_OK},
        {"a name among ids", "10\nLi", &PARTIES, ST_INVALID},
    };
    for EACH(row, rows) {
        struct err err = {0};
        CHECK_ROW_INT(row, field_check(row->f, value_text(slice_from(row->set)), &err), row->status);
    }
}

TEST(a_set_of_references_is_read_and_written) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE), json = buf_new(BUF_MAX_LINE);
    struct err err = {0};
    struct value v;
    CHECK_OK(field_parse(&PARTIES, SLICE("9; 3-1Z70, 9"), 0, &mem, &v, &err));
    CHECK_SLICE(v.text, "12884903911\n9");
    field_write_text(&PARTIES, v, LANG_EN, 0, &text);
    CHECK_TEXT(buf_text(&text), "12884903911, 9");
    field_write_json(&PARTIES, v, &json);
    CHECK_TEXT(buf_text(&json), "[12884903911,9]");
    CHECK_STATUS(field_parse(&PARTIES, SLICE("9, Li"), 0, &mem, &v, &err), ST_INVALID);
    CHECK_TEXT(err.text[LANG_EN], "Parties: must be ids of rows");
    arena_clear(&mem);
}

/* What there is to choose from is named as far as a line of text holds it. */
TEST(a_long_enumeration_is_named_as_far_as_it_fits) {
    enum { COUNT = 60 };
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    for (int wide = 0; wide < 2; wide++) {
        struct enum_value values[COUNT];
        struct err err = {0};
        for (uint32_t i = 0; i < COUNT; i++)
            values[i] = (struct enum_value){i + 1, arena_printf(&mem, wide ? "v%u" : "a_long_name_%u", i),
                                            {"Label", wide ? "很长的名称" : "名"}, false};
        const struct enumeration all = {"all", values, COUNT, NULL, 0, false};
        const struct field f = {.name = "a", .type = FIELD_ENUM, .values = &all, .label = {"A", "甲"}};
        CHECK_STATUS(field_check(&f, value_int(99), &err), ST_INVALID);
        CHECK(strstr(err.text[LANG_EN], wide ? "v0, v1, v2" : "a_long_name_0, a_long_name_1"));
        CHECK(strlen(err.text[LANG_EN]) < 340 && strlen(err.text[LANG_ZH]) < 340);
        CHECK(text_is_utf8(slice_from(err.text[LANG_ZH])));
    }
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ laws over every field */

static struct value random_number(const struct field *f, uint64_t *state) {
    int64_t r = (int64_t)(next_random(state) >> 20);
    switch (f->type) {
    case FIELD_BOOL: return value_int(r % 2);
    case FIELD_ENUM: return value_int(f->values->values[(size_t)r % f->values->count].number);
    case FIELD_REF: return value_int(1 + r % ID_MAX);
    case FIELD_DATE: return value_int(r % 40000 - 20000);
    case FIELD_TIME: return value_int((r % 4000000000 - 2000000000) * 1000);
    case FIELD_INT: case FIELD_DECIMAL: case FIELD_MONEY:
        if (f->min == 0 && f->max == 0) return value_int(r % 2 ? r : -r);
        return value_int(f->max == INT64_MAX ? r : f->min + r % (f->max - f->min + 1));
    case FIELD_TEXT: case FIELD_NOTE: case FIELD_SET: break;
    }
    return value_null();
}

static struct slice random_word(uint64_t *state, bool lines, size_t most, struct arena *mem) {
    static const char *const PARTS[] = {"a", "Z", "7", "客", "户", "é", "-", "🙂", "b", "\n"};
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    size_t length = 1 + next_random(state) % (most < 30 ? most : 30);
    for (size_t i = 0; i < length; i++) {
        bool inner = lines && i > 0 && i + 1 < length;
        buf_put_text(&text, PARTS[next_random(state) % (inner ? ARRAY_COUNT(PARTS) : ARRAY_COUNT(PARTS) - 1)]);
    }
    return arena_copy(mem, buf_slice(&text));
}

static struct value random_set(const struct field *f, uint64_t *state, struct arena *mem) {
    struct slice elements[5];
    struct value set;
    struct err err = {0};
    size_t count = 1 + next_random(state) % 5;
    for (size_t i = 0; i < count; i++) {
        elements[i] = random_word(state, false, 20, mem);
        if (f->set_of == FIELD_ENUM) elements[i] = slice_from(f->values->values[next_random(state) % f->values->count].name);
        if (f->set_of == FIELD_REF) elements[i] = slice_from(arena_printf(mem, "%llu", (unsigned long long)(1 + next_random(state) % 9999)));
    }
    CHECK_OK(set_make(elements, count, mem, &set, &err));
    return set;
}

static struct value random_value(const struct field *f, uint64_t *state, struct arena *mem) {
    if (f->type == FIELD_SET) return random_set(f, state, mem);
    if (f->type == FIELD_TEXT || f->type == FIELD_NOTE)
        return value_text(random_word(state, f->type == FIELD_NOTE, f->max ? (size_t)f->max : 200, mem));
    return random_number(f, state);
}

static void check_round_trip(const struct field *f, struct value v, enum lang lang, struct arena *mem) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE), json SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct json *parsed SCOPED(json_free) = NULL;
    struct err err = {0};
    struct value back;
    CHECK_OK(field_check(f, v, &err));
    field_write_text(f, v, lang, OFFSET, &text);
    CHECK_OK(field_parse(f, buf_slice(&text), OFFSET, mem, &back, &err));
    if (!value_equal(v, back)) check_fail(CHECK_HERE, "%s: \"%s\" reads back as another value", f->name, buf_text(&text));
    field_write_json(f, v, &json);
    CHECK_OK(json_parse(buf_slice(&json), &parsed, &err));
}

/* Texts are looked at eight bytes at a time: what is wrong is found wherever it stands, and nothing beside it is. */
TEST(a_bad_byte_is_found_at_every_place) {
    static const struct {
        const char *name;
        uint8_t byte;
        enum status line, note;
    } rows[] = {
        {"the least printable", 0x20, ST_OK, ST_OK},       {"the last printable", 0x7E, ST_OK, ST_OK},
        {"the last control below", 0x1F, ST_INVALID, ST_INVALID}, {"delete", 0x7F, ST_INVALID, ST_INVALID},
        {"zero", 0x00, ST_INVALID, ST_INVALID},            {"a line break", '\n', ST_INVALID, ST_OK},
        {"a tab", '\t', ST_INVALID, ST_OK},                {"carriage return", '\r', ST_INVALID, ST_INVALID},
        {"half a character", 0x80, ST_INVALID, ST_INVALID}, {"no UTF-8 at all", 0xFF, ST_INVALID, ST_INVALID},
    };
    enum { LONGEST = 25 };
    struct field line = {.tag = 2, .name = "line", .label = {"Line", "行"}, .type = FIELD_TEXT};
    struct field note = {.tag = 3, .name = "note", .label = {"Note", "记"}, .type = FIELD_NOTE};
    uint8_t text[LONGEST];
    for EACH(row, rows) {
        struct err err = {0};
        for (size_t len = 1; len <= LONGEST; len++) {
            for (size_t at = 0; at < len; at++) {
                memset(text, 'a', sizeof text);
                text[at] = row->byte;
                CHECK_ROW_INT(row, field_check(&line, value_text(slice_of(text, len)), &err), row->line);
                CHECK_ROW_INT(row, field_check(&note, value_text(slice_of(text, len)), &err), row->note);
            }
        }
    }
}

TEST(what_is_written_reads_back_as_the_same) {
    struct arena catalogue_mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&catalogue_mem);
    uint64_t state = 987654321;
    for (size_t i = 0; i < cat.count; i++) {
        for (size_t k = 0; k < cat.entities[i].field_count; k++) {
            const struct field *f = &cat.entities[i].fields[k];
            struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            for (int round = 0; round < 60; round++)
                check_round_trip(f, random_value(f, &state, &mem), round % 2 ? LANG_ZH : LANG_EN, &mem);
            if (!f->required) check_round_trip(f, value_null(), LANG_EN, &mem);
            arena_clear(&mem);
        }
    }
    arena_clear(&catalogue_mem);
}

static struct slice repeated(const char *what, int64_t times, struct arena *mem) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    for (int64_t i = 0; i < times; i++) buf_put_text(&text, what);
    return arena_copy(mem, buf_slice(&text));
}

/* Elements 1000, 1001 ...: sorted as they come. */
static struct slice many_elements(int64_t count, struct arena *mem) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    for (int64_t i = 0; i < count; i++) buf_printf(&text, "%s%lld", i ? "\n" : "", (long long)(1000 + i));
    return arena_copy(mem, buf_slice(&text));
}

static void check_limits(const struct field *f, struct arena *mem) {
    struct err err = {0};
    bool is_text = f->type == FIELD_TEXT || f->type == FIELD_NOTE;
    if (is_text) {
        int64_t max = f->max ? f->max : f->type == FIELD_TEXT ? 200 : 20000;
        CHECK_OK(field_check(f, value_text(repeated("客", max, mem)), &err));
        CHECK_STATUS(field_check(f, value_text(repeated("客", max + 1, mem)), &err), ST_INVALID);
        CHECK_INT(field_check_merged(f, value_text(repeated("客", max + 1, mem)), &err),
                  f->rule == RULE_TEXT ? ST_OK : ST_INVALID);
        CHECK_STATUS(field_check(f, value_text(SLICE("a\rb")), &err), ST_INVALID);
        CHECK_STATUS(field_check(f, value_text(SLICE("\xC0\x80")), &err), ST_INVALID);
        CHECK_INT(field_check(f, value_text(SLICE("a\nb")), &err), f->type == FIELD_NOTE ? ST_OK : ST_INVALID);
    } else if (f->type == FIELD_SET) {
        int64_t max = f->max ? f->max : 64;
        CHECK_STATUS(field_check(f, value_text(many_elements(max + 1, mem)), &err), ST_INVALID);
        if (f->set_of == FIELD_TEXT)
            CHECK_INT(field_check_merged(f, value_text(many_elements(max + 1, mem)), &err),
                      f->rule == RULE_SET ? ST_OK : ST_INVALID);
        CHECK_STATUS(field_check(f, value_text(SLICE("customer\ncustomer")), &err), ST_INVALID);
        CHECK_STATUS(field_check(f, value_text(SLICE("b\na")), &err), ST_INVALID);
        CHECK_STATUS(field_check(f, value_text(SLICE("a\n")), &err), ST_INVALID);
        if (f->set_of != FIELD_TEXT) return;
        CHECK_OK(field_check(f, value_text(many_elements(max, mem)), &err));
        CHECK_STATUS(field_check_element(f, SLICE("a,b"), &err), ST_INVALID);
        CHECK_STATUS(field_check_element(f, repeated("x", 201, mem), &err), ST_INVALID);
        CHECK_OK(field_check_element(f, repeated("x", 200, mem), &err));
    } else if (f->min != 0 || f->max != 0) {
        CHECK_OK(field_check(f, value_int(f->min), &err));
        CHECK_OK(field_check(f, value_int(f->max), &err));
        CHECK_STATUS(field_check(f, value_int(f->min - 1), &err), ST_INVALID);
        if (f->max < INT64_MAX) CHECK_STATUS(field_check(f, value_int(f->max + 1), &err), ST_INVALID);
    } else if (f->type != FIELD_INT && f->type != FIELD_DECIMAL && f->type != FIELD_MONEY) {
        CHECK_STATUS(field_check(f, value_int(INT64_MAX), &err), ST_INVALID);
        CHECK_STATUS(field_check(f, value_int(INT64_MIN), &err), ST_INVALID);
    }
    CHECK_INT(field_check(f, value_null(), &err), f->required ? ST_INVALID : ST_OK);
    CHECK_INT(field_check(f, value_int(1), &err) == ST_OK, !is_text && f->type != FIELD_SET);
    CHECK_INT(field_check(f, value_text(SLICE("customer")), &err) == ST_OK && !is_text && f->type != FIELD_SET, false);
    CHECK_STATUS(field_check(f, (struct value){.kind = VALUE_TEXT}, &err), ST_INVALID);
}

TEST(every_limit_refuses_what_is_beyond_it) {
    struct arena catalogue_mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&catalogue_mem);
    for (size_t i = 0; i < cat.count; i++) {
        for (size_t k = 0; k < cat.entities[i].field_count; k++) {
            struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            check_limits(&cat.entities[i].fields[k], &mem);
            arena_clear(&mem);
        }
    }
    arena_clear(&catalogue_mem);
}

TEST(numbers_are_shown_as_people_read_them) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    static const struct {
        const char *name, *entity, *field;
        int64_t number;
        const char *en, *zh, *json;
    } rows[] = {
        {"money", "opportunity", "amount", 123450, "1234.50", "1234.50", "1234.50"},
        {"date", "account", "founded_on", 1, "1970-01-02", "1970-01-02", "\"1970-01-02\""},
        {"time", "visit", "started_at", 1000, "1970-01-01T08:00:01+08:00", "1970-01-01T08:00:01+08:00",
         "\"1970-01-01T00:00:01Z\""},
        {"yes", "product", "active", 1, "yes", "是", "true"},
        {"enum", "account", "kind", 3, "Listed company", "上市公司", "\"listed\""},
        {"enum of a later release", "account", "kind", 99, "99", "99", "99"},
        {"reference", "contact", "account", 3 * 4294967296 + 2023, "3-1Z70", "3-1Z70", "12884903911"},
    };
    for EACH(row, rows) {
        const struct field *f = field_of(&cat, row->entity, row->field);
        struct buf en = buf_new(BUF_MAX_LINE), zh = buf_new(BUF_MAX_LINE), json = buf_new(BUF_MAX_LINE);
        field_write_text(f, value_int(row->number), LANG_EN, OFFSET, &en);
        field_write_text(f, value_int(row->number), LANG_ZH, OFFSET, &zh);
        field_write_json(f, value_int(row->number), &json);
        CHECK_ROW_TEXT(row, buf_text(&en), row->en);
        CHECK_ROW_TEXT(row, buf_text(&zh), row->zh);
        CHECK_ROW_TEXT(row, buf_text(&json), row->json);
        buf_free(&en);
        buf_free(&zh);
        buf_free(&json);
    }
    arena_clear(&mem);
}
