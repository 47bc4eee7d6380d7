/* Declarations of entities and fields: each way to get one wrong is found when the program starts. */
#include "protocol/model/model.h"
#include "tests/unit/check.h"

#include <string.h>

static const struct enum_value COLOURS[] = {{1, "red", {"Red", "红"}, false}, {2, "blue", {"Blue", "蓝"}, false}};
static const struct enum_value TWICE[] = {{1, "red", {"Red", "红"}, false}, {1, "blue", {"Blue", "蓝"}, false}};
static const struct enum_value MUTE[] = {{1, "red", {"Red", ""}, false}};
static const struct enum_value NAMESAKES[] = {{1, "red", {"Red", "红"}, false}, {2, "red", {"Blue", "蓝"}, false}};
static const struct enum_value NUMBERLESS[] = {{0, "red", {"Red", "红"}, false}};
static const struct enum_value LOUD[] = {{1, "Red", {"Red", "红"}, false}};
static const uint32_t UNKNOWN_STEP[][2] = {{1, 9}}, STEP_FROM_UNKNOWN[][2] = {{9, 1}};
static const struct enumeration COLOUR = {"colour", COLOURS, 2, NULL, 0, false};
static const struct enumeration COLOUR_TWICE = {"colour", TWICE, 2, NULL, 0, false};
static const struct enumeration COLOUR_MUTE = {"colour", MUTE, 1, NULL, 0, false};
static const struct enumeration COLOUR_NAMESAKES = {"colour", NAMESAKES, 2, NULL, 0, false};
static const struct enumeration COLOUR_NUMBERLESS = {"colour", NUMBERLESS, 1, NULL, 0, false};
static const struct enumeration COLOUR_LOUD = {"colour", LOUD, 1, NULL, 0, false};
static const struct enumeration COLOUR_EMPTY = {"colour", COLOURS, 0, NULL, 0, false};
static const struct enumeration COLOUR_NAMELESS = {NULL, COLOURS, 2, NULL, 0, false};
static const struct enumeration COLOUR_STEP_FROM = {"colour", COLOURS, 2, STEP_FROM_UNKNOWN, 1, false};
static const struct enumeration COLOUR_STEP = {"colour", COLOURS, 2, UNKNOWN_STEP, 1, false};

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
        {"nothing wrong, a greatest time and a least date", {F(2, "a", TIME, MAX, PLAIN), F(3, "b", DATE, MIN, PLAIN)}, ST_OK},
        {"nothing wrong, two groups side by side", {F(2, "a_1", INT, LAST, .group = "g"), F(3, "b", TEXT, LAST, .group = "h")}, ST_OK},
        {"a set of references", {F(2, "a", SET, SET, .set_of = FIELD_REF, .refers_to = "thing")}, ST_INTERNAL},
        {"no name", {F(2, NULL, TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"a name that begins with a digit", {F(2, "2b", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"a name that begins with {", {F(2, "{", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"a name with a hyphen", {F(2, "a-b", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"a name with a colon", {F(2, "a:b", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"a name with {", {F(2, "a{b", TEXT, LAST, PLAIN)}, ST_INTERNAL},
        {"a group in capitals", {F(2, "a", TEXT, LAST, .group = "G")}, ST_INTERNAL},
        {"an enum of no values", {F(2, "a", ENUM, LAST, .values = &COLOUR_EMPTY)}, ST_INTERNAL},
        {"an enum without a name", {F(2, "a", ENUM, LAST, .values = &COLOUR_NAMELESS)}, ST_INTERNAL},
        {"a value without a number", {F(2, "a", ENUM, LAST, .values = &COLOUR_NUMBERLESS)}, ST_INTERNAL},
        {"a value with a name in capitals", {F(2, "a", ENUM, LAST, .values = &COLOUR_LOUD)}, ST_INTERNAL},
        {"two values with one name", {F(2, "a", ENUM, LAST, .values = &COLOUR_NAMESAKES)}, ST_INTERNAL},
        {"a step from an unknown value", {F(2, "a", ENUM, STATE, .values = &COLOUR_STEP_FROM)}, ST_INTERNAL},
        {"a set in a group", {F(2, "a", SET, SET, .set_of = FIELD_TEXT, .group = "g")}, ST_INTERNAL},
        {"merged text in a group", {F(2, "a", NOTE, TEXT, .group = "g")}, ST_INTERNAL},
        {"derived in a group", {F(2, "a", INT, DERIVED, .derive = "1", .group = "g")}, ST_INTERNAL},
        {"an owner that is a text", {F(2, "a", TEXT, LAST, .owns = true, .required = true)}, ST_INTERNAL},
        {"a rule of a later release", {{.tag = 2, .name = "a", .rule = (enum rule)99, .label = {"x", "某"}}}, ST_INTERNAL},
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
    static const struct field TAG_0[] = {F(0, "name", TEXT, LAST, PLAIN)};
    static const struct field DERIVED[] = {F(1, "name", TEXT, LAST, PLAIN), F(2, "size", INT, DERIVED, .derive = "1")};
    static const struct field STATE_IN_GROUP[] = {F(1, "name", TEXT, FROZEN, PLAIN), F(2, "state", ENUM, STATE, .values = &COLOUR, .group = "g"),
                                                  F(3, "since", DATE, STATE, .group = "g")};
    static const struct field TWO_OWNERS[] = {F(1, "name", TEXT, LAST, PLAIN),
                                              F(2, "a", REF, LAST, .refers_to = "thing", .owns = true, .required = true),
                                              F(3, "b", REF, LAST, .refers_to = "thing", .owns = true, .required = true)};
    static const struct {
        const char *name;
        struct entity e;
        enum status status;
    } rows[] = {
        {"a tag 0", {.fields = TAG_0, .field_count = 1}, ST_INTERNAL},
        {"two owners", {.fields = TWO_OWNERS, .field_count = 3}, ST_INTERNAL},
        {"a key of what is never sent", {.fields = DERIVED, .field_count = 2, .key = {"size"}}, ST_INTERNAL},
        {"frozen by a field that is none", {.fields = STATE_AND_FROZEN, .field_count = 2, .frozen_by = "stage", .frozen_from = 2}, ST_INTERNAL},
        {"frozen by a state's date", {.fields = STATE_IN_GROUP, .field_count = 3, .frozen_by = "since", .frozen_from = 2}, ST_INTERNAL},
        {"frozen by a state in a group", {.fields = STATE_IN_GROUP, .field_count = 3, .frozen_by = "state", .frozen_from = 2}, ST_OK},
        {"no label at all", {.label = {"", "物"}}, ST_INTERNAL},
        {"all homes", {.homes = {{HOME_TERRITORY, NULL}, {HOME_TEAM, NULL}, {HOME_OWN, NULL}}}, ST_OK},
        {"a home that is no field", {.homes = {{HOME_OWN, "nome"}}}, ST_INTERNAL},
        {"no home with a field", {.homes = {{HOME_OFFICE, NULL}, {HOME_NONE, "name"}}}, ST_INTERNAL},
        {"an office home with a field", {.homes = {{HOME_OFFICE, "name"}}}, ST_INTERNAL},
        {"a home of a later release", {.homes = {{(enum home_kind)77, NULL}}}, ST_INTERNAL},
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

TEST(what_nothing_was_declared_of_is_refused) {
    static const struct field FIELDS[] = {F(1, "name", TEXT, LAST, PLAIN)};
    const struct entity fine = {.tag = 1, .name = "a", .label = {"x", "某"}, .title = "name",
                                .homes = {{HOME_PUBLIC, NULL}}, .fields = FIELDS, .field_count = 1};
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    struct err err = {0};
    struct entity e = fine;
    CHECK_OK(catalogue_build(&e, 1, &mem, &cat, &err));
    CHECK_STATUS(catalogue_build(&e, ENTITY_COUNT_MAX + 1, &mem, &cat, &err), ST_INTERNAL);
    e.tag = 0;
    CHECK_STATUS(catalogue_build(&e, 1, &mem, &cat, &err), ST_INTERNAL);
    e = fine;
    e.name = NULL;
    CHECK_STATUS(catalogue_build(&e, 1, &mem, &cat, &err), ST_INTERNAL);
    CHECK(strstr(err.text[LANG_EN], "(no name)") != NULL);
    e = fine;
    e.homes[0].kind = HOME_NONE;
    CHECK_STATUS(catalogue_build(&e, 1, &mem, &cat, &err), ST_INTERNAL);
    arena_clear(&mem);
}

TEST(owners_lead_to_an_entity_without_owner) {
    static const struct field OWNER[] = {F(1, "name", TEXT, LAST, PLAIN)};
    struct field owned[] = {F(1, "name", TEXT, LAST, PLAIN),
                            F(2, "a", REF, LAST, .refers_to = "a", .owns = true, .required = true)};
    struct entity two[] = {{.tag = 1, .name = "a", .label = {"x", "某"}, .title = "name",
                            .homes = {{HOME_PUBLIC, NULL}}, .fields = OWNER, .field_count = 1},
                           {.tag = 2, .name = "b", .label = {"x", "某"}, .title = "name",
                            .homes = {{HOME_INHERIT, NULL}}, .fields = owned, .field_count = 2}};
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    struct err err = {0};
    CHECK_OK(catalogue_build(two, 2, &mem, &cat, &err));
    two[1].homes[0].field = "a";
    CHECK_STATUS(catalogue_build(two, 2, &mem, &cat, &err), ST_INTERNAL);
    two[1].homes[0].field = NULL;
    struct field first[] = {F(1, "name", TEXT, LAST, PLAIN),
                            F(2, "b", REF, LAST, .refers_to = "b", .owns = true, .required = true)};
    two[0].fields = first;
    two[0].field_count = 2;
    CHECK_STATUS(catalogue_build(two, 2, &mem, &cat, &err), ST_INTERNAL);    /* a owns b owns a */
    owned[1].refers_to = "nowhere";
    CHECK_STATUS(catalogue_build(two, 2, &mem, &cat, &err), ST_INTERNAL);
    arena_clear(&mem);
}

/* Tags with gaps are found as well, and each home has a word. */
TEST(tags_may_have_gaps) {
    static const struct field FIELDS[] = {F(1, "name", TEXT, LAST, PLAIN), F(4, "a", INT, LAST, .min = -5, .max = INT64_MAX),
                                          F(9, "b", TEXT, LAST, PLAIN)};
    const struct entity two[] = {
        {.tag = 1, .name = "one", .label = {"One", "一"}, .title = "name", .fields = FIELDS, .field_count = 3,
         .homes = {{HOME_TERRITORY, NULL}, {HOME_TEAM, NULL}, {HOME_OWN, NULL}}},
        {.tag = 7, .name = "seven", .label = {"Seven", "七"}, .title = "name", .fields = FIELDS, .field_count = 3,
         .homes = {{HOME_OFFICE, NULL}, {HOME_PUBLIC, NULL}}}};
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    struct err err = {0};
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE), fields = buf_new(BUF_MAX_LINE);
    CHECK_OK(catalogue_build(two, 2, &mem, &cat, &err));
    CHECK(catalogue_entity_by_tag(&cat, 7) == &cat.entities[1]);
    CHECK(catalogue_entity_by_tag(&cat, 2) == NULL);
    CHECK(catalogue_entity_by_tag(&cat, 0) == NULL);
    CHECK(entity_field_by_tag(&cat.entities[0], 9) == &FIELDS[2]);
    CHECK(entity_field_by_tag(&cat.entities[0], 2) == NULL);
    catalogue_write_entities(&cat, CATALOGUE_MARKDOWN, LANG_ZH, &text);
    CHECK(strstr(buf_text(&text), "| territory, team, own |") != NULL);
    CHECK(strstr(buf_text(&text), "| office, public |") != NULL);
    catalogue_write_fields(&cat.entities[0], CATALOGUE_MARKDOWN, LANG_EN, &fields);
    CHECK(strstr(buf_text(&fields), "| tag | field |") != NULL);
    CHECK(strstr(buf_text(&fields), ">=-5") != NULL);
    arena_clear(&mem);
}

TEST(what_a_later_release_calls_by_number_has_a_word) {
    for (int lang = 0; lang < LANG_COUNT; lang++) {
        CHECK_TEXT(rule_label((enum rule)99, (enum lang)lang), lang == LANG_ZH ? "未知" : "unknown");
        CHECK_TEXT(outcome_label((enum outcome)99, (enum lang)lang), lang == LANG_ZH ? "未知" : "unknown");
        CHECK(*reason_text((enum reason)99, (enum lang)lang) && *reason_text(REASON_COUNT, (enum lang)lang));
        CHECK_TEXT(reason_text(REASON_NONE, (enum lang)lang), "");
    }
    CHECK_TEXT(rule_name(RULE_COUNT), "unknown");
    CHECK_TEXT(outcome_name(OUTCOME_COUNT), "unknown");
    CHECK_TEXT(field_type_name((enum field_type)99), "unknown");
}
