/* Identities, values, the catalogue and what it derives. The laws walk every field of the release, so that a
 * field that breaks one is found on the day that it is declared. */
#include "protocol/model/model.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
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

/* ------------------------------------------------------------------ identities */

TEST(an_id_reads_as_device_counter_and_check) {
    char text[ID_TEXT_BYTES];
    id_format(id_make(3, 1 * 1024 + 31 * 32 + 7), text);    /* digits 3 | 1 Z 7 */
    /* check over GF(32): 3; 3*2^1 = 7; 7*2 = 14 ^ 31 = 17; 17*2 = 34 ^ 37 = 7 ^ 7 = 0; closing step 0 */
    CHECK_TEXT(text, "3-1Z70");
    CHECK_INT(id_device(id_make(3, 2023)), 3);
    CHECK_INT(id_counter(id_make(3, 2023)), 2023);
    CHECK_INT(id_make(3, 2023), 3 * 4294967296 + 2023);
}

TEST(ids_are_read_as_people_say_them) {
    static const struct {
        const char *name, *text;
        int64_t expected;                                  /* 0: refused */
    } rows[] = {
        {"short form", "3-1Z70", 3 * 4294967296 + 2023},
        {"lower case, O for 0, L for 1", " 3-lz7o ", 3 * 4294967296 + 2023},
        {"decimal", "12884903911", 3 * 4294967296 + 2023},
        {"wrong check", "3-1Z71", 0},
        {"no counter", "3-", 0},
        {"only a check", "3-0", 0},
        {"no device", "-1Z70", 0},
        {"U is no digit", "3-1U70", 0},
        {"device too great", "ZZZZZ-10", 0},
        {"zero", "0", 0},
        {"negative", "-5", 0},
        {"above the greatest", "9007199254740992", 0},
        {"the greatest", "9007199254740991", 9007199254740991},
        {"empty", "", 0},
    };
    for EACH(row, rows) {
        int64_t id = 0;
        CHECK_ROW_INT(row, id_parse(slice_from(row->text), &id), row->expected != 0);
        CHECK_ROW_INT(row, id, row->expected);
    }
}

TEST(every_wrong_character_and_swap_of_an_id_is_found) {
    static const char DIGITS[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t state = 1234567;
    for (int round = 0; round < 300; round++) {
        int64_t id = (int64_t)(next_random(&state) & (uint64_t)ID_MAX), parsed;
        char text[ID_TEXT_BYTES];
        if (!id_is_valid(id)) continue;
        id_format(id, text);
        CHECK(id_parse(slice_from(text), &parsed) && parsed == id);
        for (size_t i = 0; text[i]; i++) {
            char was = text[i], next = text[i + 1];
            if (was == '-') continue;
            for (const char *digit = DIGITS; *digit; digit++) {
                text[i] = *digit;
                CHECK_INT(id_parse(slice_from(text), &parsed), *digit == was);
            }
            text[i] = was;
            if (!next || next == '-' || next == was) continue;
            text[i] = next;
            text[i + 1] = was;
            CHECK(!id_parse(slice_from(text), &parsed));
            text[i] = was;
            text[i + 1] = next;
        }
    }
}

/* ------------------------------------------------------------------ values and sets */

TEST(a_set_has_one_spelling) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct err err = {0};
    struct slice elements[] = {SLICE("b"), SLICE("a"), SLICE("b"), SLICE("ab")};
    struct value set, other;
    CHECK_OK(set_make(elements, 4, &mem, &set, &err));
    CHECK_SLICE(set.text, "a\nab\nb");
    CHECK_INT(set_count(set), 3);
    CHECK(set_has(set, SLICE("ab")) && !set_has(set, SLICE("")) && !set_has(set, SLICE("c")));
    CHECK_OK(set_add(set, SLICE("aa"), &mem, &other, &err));
    CHECK_SLICE(other.text, "a\naa\nab\nb");
    CHECK_OK(set_add(set, SLICE("a"), &mem, &other, &err));
    CHECK(value_equal(set, other));
    CHECK_OK(set_remove(set, SLICE("ab"), &mem, &other, &err));
    CHECK_SLICE(other.text, "a\nb");
    CHECK_OK(set_remove(set, SLICE("x"), &mem, &other, &err));
    CHECK(value_equal(set, other));
    CHECK_OK(set_make(NULL, 0, &mem, &set, &err));
    CHECK_INT(set.kind, VALUE_NULL);
    CHECK_OK(set_add(set, SLICE("a"), &mem, &set, &err));
    CHECK_OK(set_remove(set, SLICE("a"), &mem, &set, &err));
    CHECK_INT(set.kind, VALUE_NULL);
    struct slice wrong[] = {SLICE("a\nb")}, empty[] = {SLICE("")};
    CHECK_STATUS(set_make(wrong, 1, &mem, &set, &err), ST_INVALID);
    CHECK_STATUS(set_make(empty, 1, &mem, &set, &err), ST_INVALID);
    arena_clear(&mem);
}

TEST(values_are_equal_by_content) {
    struct arena mem = arena_new(64);
    struct value copy;
    CHECK_INT(value_text(SLICE("")).kind, VALUE_NULL);
    CHECK(value_equal(value_null(), value_text(SLICE(""))));
    CHECK(!value_equal(value_null(), value_int(0)));
    CHECK(!value_equal(value_int(1), value_text(SLICE("1"))));
    CHECK(value_copy(value_text(SLICE("a")), &mem, &copy) && value_equal(copy, value_text(SLICE("a"))));
    CHECK(!value_copy(value_text(SLICE("0123456789012345678901234567890123456789012345678901234567890123456789")), &mem, &copy));
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ the release */

TEST(every_rule_and_type_is_used_and_everything_has_two_languages) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    int rules[RULE_COUNT] = {0}, types[FIELD_SET + 1] = {0};
    CHECK_INT(cat.count, 11);
    for (size_t i = 0; i < cat.count; i++) {
        const struct entity *e = &cat.entities[i];
        CHECK_INT(e->tag, i + 1);
        for (size_t k = 0; k < e->field_count; k++) {
            rules[e->fields[k].rule]++;
            types[e->fields[k].type]++;
            for (int lang = 0; lang < LANG_COUNT; lang++) CHECK(e->fields[k].label[lang] && *e->fields[k].label[lang]);
        }
    }
    for (enum rule rule = 0; rule < RULE_COUNT; rule++) {
        CHECK(rules[rule] > 0);
        CHECK(*rule_name(rule) && *rule_label(rule, LANG_EN) && *rule_label(rule, LANG_ZH));
    }
    for (enum field_type type = FIELD_TEXT; type <= FIELD_SET; type++) CHECK(types[type] > 0);
    for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++)
        CHECK(*outcome_name(outcome) && *outcome_label(outcome, LANG_EN) && *outcome_label(outcome, LANG_ZH));
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
        CHECK(*reason_text(reason, LANG_EN) && *reason_text(reason, LANG_ZH));
    CHECK_TEXT(outcome_label(OUTCOME_LOST, LANG_ZH), "被其他修改取代");
    arena_clear(&mem);
}

TEST(each_field_is_found_by_name_tag_and_cell) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    for (size_t i = 0; i < cat.count; i++) {
        const struct entity *e = &cat.entities[i];
        size_t fields = 0;
        CHECK(catalogue_entity(&cat, slice_from(e->name)) == e && catalogue_entity_by_tag(&cat, e->tag) == e);
        for (size_t k = 0; k < e->field_count; k++) {
            const struct field *f = &e->fields[k];
            const struct cell *c = entity_cell_of(e, f);
            CHECK(entity_field(e, slice_from(f->name)) == f && entity_field_by_tag(e, f->tag) == f);
            CHECK_INT(entity_field_index(e, f), k);
            CHECK(c && c == entity_cell(e, f->tag) && k >= c->first && k < c->first + c->count && c->rule == f->rule);
        }
        for (size_t k = 0; k < e->cell_count; k++) {
            CHECK_INT(e->cells[k].index, k);
            CHECK_INT(e->cells[k].tag, e->fields[e->cells[k].first].tag);
            CHECK_INT(e->cells[k].first, fields);
            fields += e->cells[k].count;
        }
        CHECK_INT(fields, e->field_count);
    }
    const struct entity *account = catalogue_entity(&cat, SLICE("account"));
    const struct cell *address = entity_cell(account, field_of(&cat, "account", "street")->tag);
    CHECK_INT(address->count, 4);
    CHECK_INT(address->tag, field_of(&cat, "account", "province")->tag);
    CHECK_TEXT(cell_name(account, address), "address");
    CHECK_TEXT(cell_name(account, entity_cell(account, 1)), "name");
    CHECK_INT(account->owner_field, -1);
    CHECK_INT(catalogue_entity(&cat, SLICE("contact"))->owner_field, 0);
    CHECK(!catalogue_entity(&cat, SLICE("accoun")) && !catalogue_entity_by_tag(&cat, 99) && !entity_cell(account, 99));
    CHECK(!entity_field(account, SLICE("nam")) && !entity_field_by_tag(account, 0));
    arena_clear(&mem);
}

TEST(enumerations_are_read_in_either_language) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    const struct enumeration *stages = field_of(&cat, "opportunity", "stage")->values;
    CHECK_INT(enum_by_text(stages, SLICE("WON"))->number, 6);
    CHECK_INT(enum_by_text(stages, SLICE("成交"))->number, 6);
    CHECK_INT(enum_by_text(stages, SLICE("Prospecting"))->number, 1);
    CHECK(!enum_by_text(stages, SLICE("wo")) && !enum_by_text(stages, SLICE("")) && !enum_by_number(stages, 7));
    CHECK_TEXT(enum_by_number(stages, 5)->label[LANG_ZH], "战败");
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ declarations */

static const struct enum_value COLOURS[] = {{1, "red", {"Red", "红"}}, {2, "blue", {"Blue", "蓝"}}};
static const struct enum_value TWICE[] = {{1, "red", {"Red", "红"}}, {1, "blue", {"Blue", "蓝"}}};
static const struct enum_value MUTE[] = {{1, "red", {"Red", ""}}};
static const uint32_t UNKNOWN_STEP[][2] = {{1, 9}};
static const struct enumeration COLOUR = {"colour", COLOURS, 2, NULL, 0};
static const struct enumeration COLOUR_TWICE = {"colour", TWICE, 2, NULL, 0};
static const struct enumeration COLOUR_MUTE = {"colour", MUTE, 1, NULL, 0};
static const struct enumeration COLOUR_STEP = {"colour", COLOURS, 2, UNKNOWN_STEP, 1};

#define F(tag_, name_, type_, rule_, ...) \
    {.tag = tag_, .name = name_, .type = FIELD_##type_, .rule = RULE_##rule_, .label = {"x", "某"}, __VA_ARGS__}
#define PLAIN .group = NULL

/* A thing with a name, and up to three more fields. */
static enum status build(const struct field *more, struct entity e, struct err *err) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct field fields[4] = {F(1, "name", TEXT, LAST, PLAIN)};
    struct catalogue cat;
    size_t count = 1;
    for (; count < 4 && more && more[count - 1].tag != 0; count++) fields[count] = more[count - 1];
    if (!e.name) e.name = "thing";
    if (!e.title) e.title = "name";
    if (!e.label[0]) e.label[0] = "Thing", e.label[1] = "物";
    if (e.tag == 0) e.tag = 1;
    if (e.homes[0].kind == HOME_NONE) e.homes[0].kind = HOME_PUBLIC;
    if (!e.fields) {
        e.fields = fields;
        e.field_count = count;
    }
    enum status status = catalogue_build(&e, 1, &mem, &cat, err);
    arena_clear(&mem);
    return status;
}

TEST(a_wrong_field_is_refused) {
    static const struct {
        const char *name;
        struct field more[3];
        enum status status;
    } rows[] = {
        {"nothing wrong", {F(2, "colour", ENUM, STATE, .values = &COLOUR), F(4, "n", INT, COUNTER, PLAIN)}, ST_OK},
        {"nothing wrong, a group", {F(2, "a", MONEY, LAST, .group = "g"), F(3, "b", TEXT, LAST, .group = "g")}, ST_OK},
        {"the tag again", {F(1, "b", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"tags descend", {F(3, "b", TEXT, LAST, PLAIN), F(2, "c", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"the name again", {F(2, "name", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"a name that SQL would quote", {F(2, "Two words", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"the name id", {F(2, "id", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"one language", {{.tag = 2, .name = "b", .label = {"x", NULL}}}, ST_INTERNAL},
        {"a torn group", {F(2, "a", TEXT, LAST, .group = "g"), F(3, "b", TEXT, LAST, PLAIN), F(4, "c", TEXT, LAST, .group = "g")}, ST_INTERNAL},
        {"a group of two rules", {F(2, "a", TEXT, LAST, .group = "g"), F(3, "b", TEXT, OFFICE, .group = "g")}, ST_INTERNAL},
        {"money without a currency beside it", {F(2, "a", MONEY, LAST, PLAIN)}, ST_INTERNAL},
        {"an enum without values", {F(2, "a", ENUM, LAST, PLAIN)}, ST_INTERNAL},
        {"values without an enum", {F(2, "a", TEXT, LAST, .values = &COLOUR)}, ST_INTERNAL},
        {"a number twice", {F(2, "a", ENUM, LAST, .values = &COLOUR_TWICE)}, ST_INTERNAL},
        {"a value without a label", {F(2, "a", ENUM, LAST, .values = &COLOUR_MUTE)}, ST_INTERNAL},
        {"a step to an unknown value", {F(2, "a", ENUM, STATE, .values = &COLOUR_STEP)}, ST_INTERNAL},
        {"a reference to nothing", {F(2, "a", REF, LAST, PLAIN)}, ST_INTERNAL},
        {"a reference to no entity", {F(2, "a", REF, LAST, .refers_to = "other")}, ST_INTERNAL},
        {"a target without reference", {F(2, "a", TEXT, LAST, .refers_to = "thing")}, ST_INTERNAL},
        {"a set of notes", {F(2, "a", SET, SET, .set_of = FIELD_NOTE)}, ST_INTERNAL},
        {"the set rule on a text", {F(2, "a", TEXT, SET, PLAIN)}, ST_INTERNAL},
        {"a counter of texts", {F(2, "a", TEXT, COUNTER, PLAIN)}, ST_INTERNAL},
        {"a counter in a group", {F(2, "a", INT, COUNTER, .group = "g")}, ST_INTERNAL},
        {"max of texts", {F(2, "a", TEXT, MAX, PLAIN)}, ST_INTERNAL},
        {"min of a bool", {F(2, "a", BOOL, MIN, PLAIN)}, ST_INTERNAL},
        {"a state that is no enum", {F(2, "a", INT, STATE, PLAIN)}, ST_INTERNAL},
        {"merged text in one line", {F(2, "a", TEXT, TEXT, PLAIN)}, ST_INTERNAL},
        {"derived without SQL", {F(2, "a", INT, DERIVED, PLAIN)}, ST_INTERNAL},
        {"SQL without derived", {F(2, "a", INT, LAST, .derive = "1")}, ST_INTERNAL},
        {"derived and required", {F(2, "a", INT, DERIVED, .derive = "1", .required = true)}, ST_INTERNAL},
        {"no such rule", {{.tag = 2, .name = "a", .rule = RULE_COUNT, .label = {"x", "某"}}}, ST_INTERNAL},
        {"limits the wrong way round", {F(2, "a", INT, LAST, .min = 2, .max = 1)}, ST_INTERNAL},
        {"a scale on a whole number", {F(2, "a", INT, LAST, .scale = 2)}, ST_INTERNAL},
        {"a scale beyond 9", {F(2, "a", DECIMAL, LAST, .scale = 10)}, ST_INTERNAL},
        {"a search weight beyond 10", {F(2, "a", TEXT, LAST, .search = 11)}, ST_INTERNAL},
        {"an owner that may be missing", {F(2, "a", REF, LAST, .refers_to = "thing", .owns = true)}, ST_INTERNAL},
        {"an owner that is the row's own kind", {F(2, "a", REF, LAST, .refers_to = "thing", .owns = true, .required = true)}, ST_INTERNAL},
        {"frozen without a state that freezes", {F(2, "a", TEXT, FROZEN, PLAIN)}, ST_INTERNAL},
    };
    for EACH(row, rows) {
        struct err err = {0};
        CHECK_ROW_INT(row, build(row->more, (struct entity){0}, &err), row->status);
        CHECK_ROW(row, row->status == ST_OK || (*err.text[LANG_EN] && *err.text[LANG_ZH]));
    }
}

TEST(a_wrong_entity_is_refused) {
    static const struct field STATE_AND_FROZEN[] = {F(1, "name", TEXT, FROZEN, PLAIN), F(2, "state", ENUM, STATE, .values = &COLOUR)};
    static const struct {
        const char *name;
        struct entity e;
        enum status status;
    } rows[] = {
        {"nothing wrong", {.name = "thing"}, ST_OK},
        {"frozen by its state", {.fields = STATE_AND_FROZEN, .field_count = 2, .frozen_by = "state", .frozen_from = 2}, ST_OK},
        {"frozen from no state", {.fields = STATE_AND_FROZEN, .field_count = 2, .frozen_by = "state", .frozen_from = 3}, ST_INTERNAL},
        {"frozen by no state", {.fields = STATE_AND_FROZEN, .field_count = 2, .frozen_by = "name", .frozen_from = 2}, ST_INTERNAL},
        {"nothing to freeze", {.frozen_by = "name"}, ST_INTERNAL},
        {"a name with blanks", {.name = "a thing"}, ST_INTERNAL},
        {"one language", {.label = {"Thing", ""}}, ST_INTERNAL},
        {"no fields", {.fields = STATE_AND_FROZEN, .field_count = 0}, ST_INTERNAL},
        {"too many fields", {.fields = STATE_AND_FROZEN, .field_count = 65}, ST_INTERNAL},
        {"a title that is no field", {.title = "nome"}, ST_INTERNAL},
        {"a key that is no field", {.key = {"name", "nome"}}, ST_INTERNAL},
        {"an author that is no field", {.author = "nome"}, ST_INTERNAL},
        {"an author that is no reference", {.author = "name"}, ST_INTERNAL},
        {"the row as its author", {.author = "id"}, ST_OK},
        {"a home that is no reference", {.homes = {{HOME_TEAM, "name"}}}, ST_INTERNAL},
        {"a public home with a field", {.homes = {{HOME_PUBLIC, "name"}}}, ST_INTERNAL},
        {"inherits from no owner", {.homes = {{HOME_INHERIT, NULL}}}, ST_INTERNAL},
    };
    for EACH(row, rows) {
        struct err err = {0};
        CHECK_ROW_INT(row, build(NULL, row->e, &err), row->status);
    }
}

TEST(entities_have_ascending_tags_and_different_names) {
    static const struct field FIELDS[] = {F(1, "name", TEXT, LAST, PLAIN)};
    struct entity two[2];
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    struct err err = {0};
    for (uint32_t i = 0; i < 2; i++)
        two[i] = (struct entity){.tag = i + 1, .name = i ? "b" : "a", .label = {"x", "某"}, .title = "name",
                                 .homes = {{HOME_PUBLIC, NULL}}, .fields = FIELDS, .field_count = 1};
    CHECK_OK(catalogue_build(two, 2, &mem, &cat, &err));
    two[1].tag = 1;
    CHECK_STATUS(catalogue_build(two, 2, &mem, &cat, &err), ST_INTERNAL);
    two[1].tag = 2;
    two[1].name = "a";
    CHECK_STATUS(catalogue_build(two, 2, &mem, &cat, &err), ST_INTERNAL);
    CHECK_STATUS(catalogue_build(two, 0, &mem, &cat, &err), ST_INTERNAL);
    arena_clear(&mem);
}

static bool version_is(const struct catalogue *a, const struct catalogue *b) {
    return memcmp(&a->version, &b->version, sizeof a->version) == 0;
}

TEST(the_version_changes_with_any_declaration) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem), again = release(&mem), other;
    struct entity entities[ENTITY_COUNT_MAX];
    struct field fields[ENTITY_FIELDS_MAX];
    struct err err = {0};
    const struct entity *account = catalogue_entity(&cat, SLICE("account"));
    CHECK(version_is(&cat, &again));
    memcpy(entities, cat.entities, cat.count * sizeof *entities);
    struct entity *mine = &entities[account - cat.entities];
    for (int change = 0; change < 6; change++) {
        memcpy(fields, account->fields, account->field_count * sizeof *fields);
        mine->fields = fields;
        mine->label[LANG_EN] = change == 0 ? "Client" : account->label[LANG_EN];
        fields[0].label[LANG_ZH] = change == 1 ? "客户全称" : fields[0].label[LANG_ZH];
        fields[0].max += change == 2;
        fields[0].personal = change == 3;
        fields[0].also = change == 4 ? "Firm" : fields[0].also;
        fields[0].unit = change == 5 ? "" : fields[0].unit;      /* an empty text is not none */
        CHECK_OK(catalogue_build(entities, cat.count, &mem, &other, &err));
        CHECK(!version_is(&cat, &other));
    }
    arena_clear(&mem);
}

TEST(an_older_release_lacks_the_later_fields) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem), older;
    struct err err = {0};
    const struct entity *account = catalogue_entity(&cat, SLICE("account"));
    uint32_t tag = field_of(&cat, "account", "external_no")->tag;
    CHECK_OK(catalogue_without(&cat, account->tag, tag, &mem, &older, &err));
    const struct entity *e = catalogue_entity(&older, SLICE("account"));
    CHECK(entity_field(e, SLICE("remarks")) && !entity_field(e, SLICE("external_no")) && !entity_field(e, SLICE("country")));
    CHECK_INT(older.count, cat.count);
    CHECK(!version_is(&cat, &older));
    CHECK_STATUS(catalogue_without(&cat, 99, 1, &mem, &older, &err), ST_NOT_FOUND);
    CHECK_STATUS(catalogue_without(&cat, account->tag, 1, &mem, &older, &err), ST_INTERNAL);
    arena_clear(&mem);
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
        CHECK_STATUS(field_check(f, value_text(SLICE("a\rb")), &err), ST_INVALID);
        CHECK_STATUS(field_check(f, value_text(SLICE("\xC0\x80")), &err), ST_INVALID);
        CHECK_INT(field_check(f, value_text(SLICE("a\nb")), &err), f->type == FIELD_NOTE ? ST_OK : ST_INVALID);
    } else if (f->type == FIELD_SET) {
        int64_t max = f->max ? f->max : 64;
        CHECK_STATUS(field_check(f, value_text(many_elements(max + 1, mem)), &err), ST_INVALID);
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

/* ------------------------------------------------------------------ documents */

TEST(the_catalogue_is_written_as_json_and_text) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    struct err err = {0};
    for (size_t i = 0; i <= cat.count; i++) {
        struct buf out = buf_new(BUF_MAX_BATCH), text = buf_new(BUF_MAX_BATCH);
        struct json *json = NULL;
        if (i == cat.count) catalogue_write_entities(&cat, CATALOGUE_JSON, LANG_EN, &out);
        else catalogue_write_fields(&cat.entities[i], CATALOGUE_JSON, LANG_ZH, &out);
        CHECK_OK(json_parse(buf_slice(&out), &json, &err));
        CHECK_INT(json_count(json), i == cat.count ? cat.count : cat.entities[i].field_count);
        if (i == cat.count) catalogue_write_entities(&cat, CATALOGUE_TEXT, LANG_ZH, &text);
        else catalogue_write_fields(&cat.entities[i], CATALOGUE_TEXT, LANG_ZH, &text);
        size_t lines = 0;
        for (size_t k = 0; k < text.len; k++) lines += text.data[k] == '\n';
        CHECK_INT(lines, i == cat.count ? cat.count : cat.entities[i].field_count);
        json_free(&json);
        buf_free(&out);
        buf_free(&text);
    }
    arena_clear(&mem);
}

static void write_document(const struct catalogue *cat, struct buf *out) {
    buf_put_text(out, "# The catalogue\n\n");
    catalogue_write_entities(cat, CATALOGUE_MARKDOWN, LANG_EN, out);
    for (size_t i = 0; i < cat->count; i++) {
        const struct entity *e = &cat->entities[i];
        buf_printf(out, "\n## %s (%s, %s)\n\n", e->name, e->label[LANG_EN], e->label[LANG_ZH]);
        catalogue_write_fields(e, CATALOGUE_MARKDOWN, LANG_ZH, out);
    }
}

/* UPDATE=1 rewrites the golden file; the difference is then reviewed like code. */
TEST(the_catalogue_is_the_one_in_the_golden_file) {
    static const char PATH[] = "tests/golden/catalogue.md";
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    struct buf now = buf_new(BUF_MAX_BATCH), golden = buf_new(BUF_MAX_BATCH);
    uint8_t block[4096];
    write_document(&cat, &now);
    bool update = getenv("UPDATE") != NULL;
    FILE *file = fopen(PATH, update ? "wb" : "rb");
    CHECK(file != NULL);
    if (update) {
        CHECK_INT(fwrite(now.data, 1, now.len, file), now.len);
    } else {
        for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;) buf_put(&golden, block, got);
        CHECK_SLICES(buf_slice(&now), buf_slice(&golden));
    }
    CHECK_INT(fclose(file), 0);
    buf_free(&now);
    buf_free(&golden);
    arena_clear(&mem);
}
