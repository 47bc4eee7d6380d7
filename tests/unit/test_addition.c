/* What head office adds to the catalogue: what may be added, the catalogue that comes of it, and
 * which limits bind whom. */
#include "protocol/model/addition.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

enum { FIRST = FIELD_ADDED_FIRST, ACCOUNT = 4, CONTACT = 5, KIND = 5, STATUS = 22 };

static struct err err;

struct book {
    struct arena mem;
    struct catalogue release;
};

static void book_open(struct book *b) {
    b->mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(catalogue_release(&b->mem, &b->release, &err));
}

static void book_close(struct book *b) {
    arena_clear(&b->mem);
}

#define LABELS .label = {SLICE("Label"), SLICE("名称")}
#define TYPED(tag_, type_, name_, ...)                                                               \
    { .entity = ACCOUNT, .tag = (tag_), .type = (type_), .name = SLICE(name_), LABELS, __VA_ARGS__ }
#define WHOLE(tag_, name_, ...) TYPED(tag_, FIELD_INT, name_, __VA_ARGS__)
#define VALUE(field_, number_, name_)                                                                \
    { .entity = ACCOUNT, .field = (field_), .number = (number_), .name = SLICE(name_), LABELS }

static const struct entity *account_with(struct book *b, const struct added_field *fields,
                                         size_t count, const struct added_value *values,
                                         size_t value_count) {
    static struct catalogue cat;
    struct additions added = {(struct added_field *)(uintptr_t)fields, count,
                              (struct added_value *)(uintptr_t)values, value_count};
    CHECK_OK(catalogue_add(&b->release, &added, &b->mem, &cat, &err));
    CHECK_INT(cat.count, b->release.count);
    CHECK(memcmp(&cat.release, &b->release.version, sizeof cat.release) == 0);
    return catalogue_entity_by_tag(&cat, ACCOUNT);
}

/* ------------------------------------------------------------------ building */

TEST(added_fields_stand_by_tag_behind_those_of_the_release) {
    struct book b;
    book_open(&b);
    const struct entity *before = catalogue_entity_by_tag(&b.release, ACCOUNT);
    const struct added_field fields[] = {
        WHOLE(FIRST + 9, "last", .flags = ADDITION_RETIRED),
        WHOLE(FIRST + 1, "first", .rule = RULE_COUNTER, .max = 7, .flags = ADDITION_PERSONAL)};
    const struct entity *e = account_with(&b, fields, 2, NULL, 0);
    size_t count = before->field_count;
    CHECK_INT(e->field_count, count + 2);
    const struct field *f = &e->fields[count];
    CHECK_TEXT(f->name, "first");
    CHECK(f->tag == FIRST + 1 && f->rule == RULE_COUNTER && f->max == 7 && f->personal);
    CHECK(!f->retired && field_is_added(f) && !field_is_added(&e->fields[0]));
    CHECK_TEXT(f->label[LANG_ZH], "名称");
    CHECK_TEXT(e->fields[count + 1].name, "last");
    CHECK(e->fields[count + 1].retired);
    CHECK_INT(e->cell_count, before->cell_count + 2);
    CHECK_INT(entity_cell(e, FIRST + 1)->index, before->cell_count);
    CHECK(before->field_count == count); /* the release's is as it was */
    book_close(&b);
}

TEST(money_and_its_currency_are_one_cell) {
    struct book b;
    book_open(&b);
    const struct added_field fields[] = {
        TYPED(FIRST, FIELD_MONEY, "budget", .group = FIRST),
        TYPED(FIRST + 1, FIELD_TEXT, "budget_currency", .group = FIRST, .max = 3),
        WHOLE(FIRST + 2, "alone", .min = 0)};
    const struct entity *e = account_with(&b, fields, 3, NULL, 0);
    const struct cell *cell = entity_cell(e, FIRST + 1);
    CHECK(cell && cell->tag == FIRST && cell->count == 2);
    CHECK_TEXT(cell_name(e, cell), "budget");
    CHECK(entity_cell(e, FIRST + 2)->count == 1);
    book_close(&b);
}

TEST(values_are_added_to_enums_of_the_release_and_to_new_ones) {
    struct book b;
    book_open(&b);
    const struct added_field fields[] = {TYPED(FIRST, FIELD_ENUM, "grade", .min = 0),
                                         TYPED(FIRST + 1, FIELD_SET, "kinds", .set_of = FIELD_ENUM, .rule = RULE_SET)};
    const struct added_value values[] = {
        VALUE(FIRST, FIRST + 4, "poor"),     VALUE(FIRST, FIRST + 3, "good"),
        VALUE(KIND, FIRST + 5, "startup"),   VALUE(KIND, FIRST + 5, "again"),
        VALUE(STATUS, FIRST + 6, "ignored"), VALUE(FIRST + 1, FIRST + 7, "one"),
        VALUE(KIND, 99, "too_low"),          VALUE(KIND, FIRST + 8, "Bad Name")};
    const struct entity *e = account_with(&b, fields, 2, values, ARRAY_COUNT(values));
    const struct field *grade = entity_field(e, SLICE("grade"));
    CHECK_INT(grade->values->count, 2);
    CHECK_TEXT(grade->values->values[0].name, "good"); /* by number */
    CHECK_TEXT(grade->values->values[1].name, "poor");
    const struct field *kind = entity_field_by_tag(e, KIND);
    const struct entity *before = catalogue_entity_by_tag(&b.release, ACCOUNT);
    size_t own = entity_field_by_tag(before, KIND)->values->count;
    CHECK_INT(kind->values->count, own + 1);
    CHECK_TEXT(enum_by_number(kind->values, FIRST + 5)->name, "startup");
    const struct enumeration *states = entity_field_by_tag(e, STATUS)->values;
    CHECK(states == entity_field_by_tag(before, STATUS)->values); /* a state's order is declared */
    CHECK_INT(entity_field(e, SLICE("kinds"))->values->count, 1);
    CHECK_OK(field_check(kind, value_int(FIRST + 5), &err));
    CHECK_STATUS(field_check(kind, value_int(FIRST + 9), &err), ST_INVALID);
    book_close(&b);
}

/* A release took the name that head office had given; and two of head office's share one. */
TEST(a_name_that_is_taken_gets_a_number_behind_it) {
    struct book b;
    book_open(&b);
    const struct added_field fields[] = {
        WHOLE(FIRST, "website", .min = 0), WHOLE(FIRST + 1, "website", .min = 0),
        WHOLE(FIRST + 2, "revenue", .min = 0), /* the name of a group */
        WHOLE(FIRST + 3, "id", .min = 0)};
    const struct added_value values[] = {VALUE(KIND, FIRST + 9, "large")};
    const struct entity *e = account_with(&b, fields, 4, values, 1);
    static const char *const names[] = {"website_2", "website_3", "revenue_2", "id_2"};
    for (uint32_t i = 0; i < 4; i++) CHECK_TEXT(entity_field_by_tag(e, FIRST + i)->name, names[i]);
    CHECK_TEXT(enum_by_number(entity_field_by_tag(e, KIND)->values, FIRST + 9)->name, "large_2");
    book_close(&b);
}

TEST(what_this_release_cannot_make_sense_of_is_left_out) {
    const struct {
        const char *name;
        struct added_field f[2];
    } rows[] = {
        {"a tag of the release's", {WHOLE(99, "x", .min = 0)}},
        {"a type of a later release", {TYPED(FIRST, 77, "x", .min = 0)}},
        {"a reference", {TYPED(FIRST, FIELD_REF, "x", .min = 0)}},
        {"a set of references", {TYPED(FIRST, FIELD_SET, "x", .set_of = FIELD_REF)}},
        {"a rule of a later release", {WHOLE(FIRST, "x", .rule = 77)}},
        {"a state", {WHOLE(FIRST, "x", .rule = RULE_STATE)}},
        {"derived", {WHOLE(FIRST, "x", .rule = RULE_DERIVED)}},
        {"frozen where nothing freezes", {WHOLE(FIRST, "x", .rule = RULE_FROZEN)}},
        {"type and rule that do not fit", {WHOLE(FIRST, "x", .rule = RULE_TEXT)}},
        {"an enum without values", {TYPED(FIRST, FIELD_ENUM, "x", .min = 0)}},
        {"a scale of a whole number", {WHOLE(FIRST, "x", .scale = 2)}},
        {"limits the wrong way round", {WHOLE(FIRST, "x", .min = 2, .max = 1)}},
        {"a least text", {TYPED(FIRST, FIELD_TEXT, "x", .min = -1)}},
        {"a text of less than nothing", {TYPED(FIRST, FIELD_TEXT, "x", .min = -2, .max = -1)}},
        {"a line too long", {TYPED(FIRST, FIELD_TEXT, "x", .max = 2001)}},
        {"a note too long", {TYPED(FIRST, FIELD_NOTE, "x", .max = 20001)}},
        {"a set too large", {TYPED(FIRST, FIELD_SET, "x", .rule = RULE_SET, .max = 257)}},
        {"a limit of dates", {TYPED(FIRST, FIELD_DATE, "x", .max = 9)}},
        {"a name in capitals", {WHOLE(FIRST, "X", .min = 0)}},
        {"no name", {WHOLE(FIRST, "", .min = 0)}},
        {"a name with a zero in it", {WHOLE(FIRST, "a\0b", .min = 0)}},
        {"a name that is too long",
         {WHOLE(FIRST, "a23456789012345678901234567890123456789012345678", .min = 0)}},
        {"an English label missing",
         {{.entity = ACCOUNT, .tag = FIRST, .type = FIELD_INT, .name = SLICE("x"),
           .label = {{0}, SLICE("名")}}}},
        {"a Chinese label that is no text",
         {{.entity = ACCOUNT, .tag = FIRST, .type = FIELD_INT, .name = SLICE("x"),
           .label = {SLICE("X"), SLICE("\xff")}}}},
        {"a label of two lines",
         {{.entity = ACCOUNT, .tag = FIRST, .type = FIELD_INT, .name = SLICE("x"),
           .label = {SLICE("X\nY"), SLICE("名")}}}},
        {"a label with a delete",
         {{.entity = ACCOUNT, .tag = FIRST, .type = FIELD_INT, .name = SLICE("x"),
           .label = {SLICE("X\x7f"), SLICE("名")}}}},
        {"money without its group", {TYPED(FIRST, FIELD_MONEY, "x", .min = 0)}},
        {"a group without its first field",
         {TYPED(FIRST + 1, FIELD_TEXT, "x", .group = FIRST)}},
        {"a group of two rules",
         {WHOLE(FIRST, "x", .group = FIRST), WHOLE(FIRST + 1, "y", .group = FIRST, .rule = RULE_OFFICE)}},
        {"a group with an unknown part",
         {WHOLE(FIRST, "x", .group = FIRST), TYPED(FIRST + 1, 77, "y", .group = FIRST)}},
        {"an entity of a later release",
         {{.entity = 99, .tag = FIRST, .type = FIELD_INT, .name = SLICE("x"), LABELS}}},
    };
    struct book b;
    book_open(&b);
    size_t own = catalogue_entity_by_tag(&b.release, ACCOUNT)->field_count;
    for EACH(row, rows) {
        size_t count = row->f[1].tag ? 2 : 1;
        CHECK_ROW_INT(row, account_with(&b, row->f, count, NULL, 0)->field_count, own);
    }
    book_close(&b);
}

/* A label of 60 Chinese characters is 180 bytes; of 61 it is too long. */
TEST(labels_are_counted_in_characters) {
    char text[61 * 3 + 1] = "";
    struct book b;
    book_open(&b);
    for (int i = 0; i < 61; i++) memcpy(text + 3 * i, "名", 3);
    size_t own = catalogue_entity_by_tag(&b.release, ACCOUNT)->field_count;
    struct added_field f = WHOLE(FIRST, "x", .min = 0);
    f.label[LANG_ZH] = slice_of(text, 180);
    CHECK_INT(account_with(&b, &f, 1, NULL, 0)->field_count, own + 1);
    f.label[LANG_ZH] = slice_of(text, 183);
    CHECK_INT(account_with(&b, &f, 1, NULL, 0)->field_count, own);
    book_close(&b);
}

/* Of groups that are mixed up the part that does not stand behind its first field is left out. */
TEST(a_group_stands_together) {
    struct book b;
    book_open(&b);
    size_t own = catalogue_entity_by_tag(&b.release, ACCOUNT)->field_count;
    const struct added_field fields[] = {
        WHOLE(FIRST, "a", .group = FIRST), WHOLE(FIRST + 1, "b", .group = FIRST + 1),
        WHOLE(FIRST + 2, "a_too", .group = FIRST), WHOLE(FIRST + 3, "b_too", .group = FIRST + 1)};
    const struct entity *e = account_with(&b, fields, 4, NULL, 0);
    CHECK_INT(e->field_count, own + 3);
    CHECK(entity_field_by_tag(e, FIRST + 2) == NULL);
    CHECK_INT(entity_cell(e, FIRST + 1)->count, 2);
    book_close(&b);
}

TEST(there_is_room_for_24) {
    struct added_field fields[30];
    char names[30][8];
    struct book b;
    book_open(&b);
    size_t own = catalogue_entity_by_tag(&b.release, ACCOUNT)->field_count;
    for (uint32_t i = 0; i < 30; i++) {
        int len = snprintf(names[i], sizeof names[i], "f%u", i);
        fields[i] = (struct added_field)WHOLE(FIRST + i, "x", .min = 0);
        fields[i].name = slice_of(names[i], (size_t)len);
    }
    const struct entity *e = account_with(&b, fields, 30, NULL, 0);
    CHECK_INT(e->field_count, own + 24);
    struct catalogue full = {.entities = e, .count = 1};
    struct added_field one_more = WHOLE(FIRST + 40, "one_more", .min = 0);
    CHECK_STATUS(addition_check_field(&full, &one_more, NULL, 0, &err), ST_TOO_LARGE);
    book_close(&b);
}

TEST(the_first_of_two_with_one_tag_counts) {
    struct book b;
    book_open(&b);
    const struct added_field fields[] = {WHOLE(FIRST, "newer", .max = 5),
                                         WHOLE(FIRST, "older", .max = 9)};
    const struct entity *e = account_with(&b, fields, 2, NULL, 0);
    CHECK_TEXT(entity_field_by_tag(e, FIRST)->name, "newer");
    CHECK(entity_field(e, SLICE("older")) == NULL);
    book_close(&b);
}

TEST(a_list_covers_another_if_it_names_all_of_it) {
    struct added_field two[] = {WHOLE(FIRST, "a", .min = 0), WHOLE(FIRST + 1, "b", .min = 0)};
    struct added_field other[] = {{.entity = CONTACT, .tag = FIRST}};
    struct added_value values[] = {VALUE(KIND, FIRST, "v"), VALUE(KIND, FIRST + 1, "w")};
    struct added_value of_other[] = {{.entity = CONTACT, .field = KIND, .number = FIRST}};
    struct added_value of_field[] = {VALUE(KIND + 1, FIRST, "v")};
    struct additions all = {two, 2, values, 2}, some = {two + 1, 1, values + 1, 1}, none = {0};
    struct additions odd = {other, 1, NULL, 0}, odd_value = {NULL, 0, of_other, 1},
                     odd_field = {NULL, 0, of_field, 1};
    CHECK(additions_cover(&all, &some) && additions_cover(&all, &all));
    CHECK(additions_cover(&none, &none) && !additions_cover(&none, &some));
    CHECK(!additions_cover(&some, &all));
    CHECK(!additions_cover(&all, &odd) && !additions_cover(&all, &odd_value));
    CHECK(!additions_cover(&all, &odd_field));
    struct additions only_fields = {two, 2, NULL, 0};
    CHECK(!additions_cover(&only_fields, &all));
}

/* ------------------------------------------------------------------ what head office may do */

TEST(what_cannot_be_added_is_said_with_the_reason) {
    const struct added_value GOOD[] = {VALUE(FIRST, FIRST + 1, "good")};
    const struct added_value ALIKE[] = {VALUE(FIRST, FIRST + 1, "good"), VALUE(FIRST, FIRST + 2, "fine")};
    const struct added_value TWICE[] = {VALUE(FIRST, FIRST + 1, "good"),
                                               VALUE(FIRST, FIRST + 2, "good")};
    const struct added_value WRONG[] = {VALUE(FIRST, FIRST + 1, "Good")};
    const struct {
        const char *name;
        struct added_field f;
        const struct added_value *values;
        size_t count;
        enum status status;
    } rows[] = {
        {"nothing wrong", WHOLE(FIRST, "x", .min = -5, .max = 5), NULL, 0, ST_OK},
        {"an enum", TYPED(FIRST, FIELD_ENUM, "x", .min = 0), GOOD, 1, ST_OK},
        {"money in its group", TYPED(FIRST, FIELD_MONEY, "x", .group = FIRST), NULL, 0, ST_OK},
        {"no entity", {.entity = 99, .tag = FIRST, .name = SLICE("x"), LABELS}, NULL, 0, ST_NOT_FOUND},
        {"a reference", TYPED(FIRST, FIELD_REF, "x", .min = 0), NULL, 0, ST_INVALID},
        {"a state", WHOLE(FIRST, "x", .rule = RULE_STATE), NULL, 0, ST_INVALID},
        {"frozen", WHOLE(FIRST, "x", .rule = RULE_FROZEN), NULL, 0, ST_INVALID},
        {"a name of the release", WHOLE(FIRST, "website", .min = 0), NULL, 0, ST_CONFLICT},
        {"the name of a group", WHOLE(FIRST, "revenue", .min = 0), NULL, 0, ST_CONFLICT},
        {"the label of another field",
         {.entity = ACCOUNT, .tag = FIRST, .type = FIELD_INT, .name = SLICE("x"),
          .label = {SLICE("Website"), SLICE("某")}}, NULL, 0, ST_CONFLICT},
        {"a name in capitals", WHOLE(FIRST, "X", .min = 0), NULL, 0, ST_INVALID},
        {"limits the wrong way round", WHOLE(FIRST, "x", .min = 2, .max = 1), NULL, 0, ST_INVALID},
        {"a limit of dates", TYPED(FIRST, FIELD_DATE, "x", .max = 1), NULL, 0, ST_INVALID},
        {"an enum without values", TYPED(FIRST, FIELD_ENUM, "x", .min = 0), NULL, 0, ST_INVALID},
        {"a value twice", TYPED(FIRST, FIELD_ENUM, "x", .min = 0), TWICE, 2, ST_INVALID},
        {"two values of one label", TYPED(FIRST, FIELD_ENUM, "x", .min = 0), ALIKE, 2, ST_CONFLICT},
        {"a value in capitals", TYPED(FIRST, FIELD_ENUM, "x", .min = 0), WRONG, 1, ST_INVALID},
        {"the greatest of texts", TYPED(FIRST, FIELD_TEXT, "x", .rule = RULE_MAX), NULL, 0,
         ST_INVALID},
        {"no Chinese label",
         {.entity = ACCOUNT, .tag = FIRST, .type = FIELD_INT, .name = SLICE("x"),
          .label = {SLICE("X"), {0}}}, NULL, 0, ST_INVALID},
    };
    struct book b;
    book_open(&b);
    for EACH(row, rows)
        CHECK_ROW_INT(row, addition_check_field(&b.release, &row->f, row->values, row->count, &err),
                      row->status);
    book_close(&b);
}

TEST(values_are_added_where_nothing_goes_by_them) {
    const struct {
        const char *name;
        struct added_value v;
        enum status status;
    } rows[] = {
        {"nothing wrong", VALUE(KIND, FIRST, "startup"), ST_OK},
        {"no such field", VALUE(999, FIRST, "x"), ST_NOT_FOUND},
        {"no such entity", {.entity = 99, .field = 1, .name = SLICE("x"), LABELS}, ST_NOT_FOUND},
        {"a text", VALUE(1, FIRST, "x"), ST_INVALID},
        {"a state", VALUE(STATUS, FIRST, "x"), ST_INVALID},
        {"what the program goes by",
         {.entity = 14, .field = 9, .name = SLICE("x"), LABELS}, ST_INVALID},
        {"a name in capitals", VALUE(KIND, FIRST, "X"), ST_INVALID},
        {"a name that is there", VALUE(KIND, FIRST, "large"), ST_CONFLICT},
        {"a label that is there",
         {.entity = ACCOUNT, .field = KIND, .name = SLICE("x"), .label = {SLICE("X"), SLICE("政府机构")}},
         ST_CONFLICT},
        {"a label that is a name",
         {.entity = ACCOUNT, .field = KIND, .name = SLICE("x"), .label = {SLICE("large"), SLICE("某")}},
         ST_CONFLICT},
    };
    struct book b;
    book_open(&b);
    for EACH(row, rows)
        CHECK_ROW_INT(row, addition_check_value(&b.release, &row->v, &err), row->status);
    book_close(&b);
}

/* ------------------------------------------------------------------ limits */

TEST(limits_bind_who_had_seen_them) {
    static const struct {
        const char *name;
        int64_t value, cursor;
        enum status status;
    } rows[] = {{"within", 50, 9, ST_OK},
                {"above, and it had seen the limit", 51, 9, ST_INVALID},
                {"above, from before", 51, 8, ST_OK},
                {"above all that ever held", 101, 8, ST_INVALID}};
    const struct field f = {.type = FIELD_INT, .label = {"x", "某"}, .min = 0, .max = 50,
                            .loose_min = 0, .loose_max = 100, .since = 9};
    for EACH(row, rows)
        CHECK_ROW_INT(row, field_check_since(&f, value_int(row->value), row->cursor, &err),
                      row->status);
}

TEST(the_widest_limits_are_kept) {
    struct added_field f = {.type = FIELD_INT, .min = 1, .max = 9}, g = f;
    addition_widen(&f, NULL);
    CHECK(f.loose_min == 1 && f.loose_max == 9);
    g.min = 3;
    g.max = 20;
    addition_widen(&g, &f); /* of 1..9 and 3..20 */
    CHECK(g.loose_min == 1 && g.loose_max == 20);
    struct added_field h = {.type = FIELD_MONEY, .min = 2, .max = 4};
    addition_widen(&h, &g);
    CHECK(h.loose_min == 1 && h.loose_max == 20);
    h.min = h.max = 0; /* no limits */
    addition_widen(&h, &g);
    CHECK(h.loose_min == 0 && h.loose_max == 0);
    h.min = h.max = 5;
    addition_widen(&h, &(struct added_field){.type = FIELD_INT});
    CHECK(h.loose_min == 0 && h.loose_max == 0); /* there were none once */
    struct added_field text = {.type = FIELD_TEXT, .max = 10}, wide = {.type = FIELD_TEXT};
    addition_widen(&wide, NULL);
    CHECK_INT(wide.loose_max, 200); /* what a line holds */
    addition_widen(&text, &wide);
    CHECK_INT(text.loose_max, 200);
    struct added_field set = {.type = FIELD_SET, .max = 3};
    addition_widen(&set, NULL);
    CHECK_INT(set.loose_max, 3);
}

TEST(what_is_retired_takes_no_new_entries) {
    static const struct enum_value VALUES[] = {{1, "a", {"A", "甲"}, false}, {2, "b", {"B", "乙"}, true}};
    static const struct enumeration BOTH = {"both", VALUES, 2, NULL, 0, false};
    struct field f = {.type = FIELD_ENUM, .values = &BOTH, .label = {"x", "某"}};
    CHECK(!field_is_retired_for(&f, value_int(1)) && field_is_retired_for(&f, value_int(2)));
    CHECK(!field_is_retired_for(&f, value_int(3)) && !field_is_retired_for(&f, value_null()));
    CHECK_STATUS(field_check(&f, value_int(3), &err), ST_INVALID);
    CHECK_TEXT(err.text[LANG_EN], "x: must be one of: a");
    f.retired = true;
    CHECK(field_is_retired_for(&f, value_int(1)));
    struct field number = {.type = FIELD_INT};
    CHECK(!field_is_retired_for(&number, value_int(2)));
}

TEST(what_is_retired_stays_and_may_be_emptied) {
    static const struct enum_value VALUES[] = {{1, "a", {"A", "甲"}, false}, {2, "b", {"B", "乙"}, true}};
    static const struct enumeration BOTH = {"both", VALUES, 2, NULL, 0, false};
    struct field f = {.type = FIELD_ENUM, .values = &BOTH, .label = {"Grade", "评级"}};
    struct field set = {.type = FIELD_SET, .set_of = FIELD_ENUM, .values = &BOTH, .label = {"Set", "集"}};
    const struct value none = value_null();
    CHECK_STATUS(field_check_entry(&f, value_int(1), none, &err), ST_OK);
    CHECK_STATUS(field_check_entry(&f, value_int(2), value_int(2), &err), ST_OK);
    CHECK_STATUS(field_check_entry(&f, value_int(2), value_int(1), &err), ST_INVALID);
    CHECK_TEXT(err.text[LANG_EN], "Grade: head office retired this value, choose another");
    CHECK_TEXT(err.text[LANG_ZH], "评级：此取值已由总部停用，请另选");
    CHECK_STATUS(field_check_entry(&set, value_text(SLICE("a\nb")), value_text(SLICE("b")), &err), ST_OK);
    CHECK_STATUS(field_check_entry(&set, value_text(SLICE("a\nb")), value_text(SLICE("a")), &err), ST_INVALID);
    CHECK_STATUS(field_check_entry(&set, none, value_text(SLICE("b")), &err), ST_OK);
    f.retired = true;
    CHECK_STATUS(field_check_entry(&f, none, value_int(1), &err), ST_OK);
    CHECK_STATUS(field_check_entry(&f, value_int(1), none, &err), ST_INVALID);
    CHECK_TEXT(err.text[LANG_EN], "Grade is no longer used: head office retired it");
}

/* A change asks too; a field or value is not in its own way. */
TEST(a_label_is_taken_once_also_when_it_changes) {
    struct book b;
    book_open(&b);
    const struct entity *e = catalogue_entity_by_tag(&b.release, ACCOUNT);
    const struct field *kind = entity_field_by_tag(e, KIND);
    struct added_field f = {.tag = KIND, .label = {slice_from(kind->label[LANG_EN]), SLICE("某")}};
    CHECK_STATUS(addition_check_field_label(e, &f, &err), ST_OK);
    f.tag = FIRST;
    CHECK_STATUS(addition_check_field_label(e, &f, &err), ST_CONFLICT);
    const struct enum_value *v = &kind->values->values[0];
    struct added_value value = {.number = v->number, .label = {slice_from(v->label[LANG_EN]), SLICE("某")}};
    CHECK_STATUS(addition_check_value_label(kind->values, &value, &err), ST_OK);
    value.number = FIRST;
    CHECK_STATUS(addition_check_value_label(kind->values, &value, &err), ST_CONFLICT);
    book_close(&b);
}

/* Whatever type meets whatever rule, both languages say why not. */
TEST(what_does_not_go_together_is_said_in_chinese) {
    const struct added_value one[] = {VALUE(FIRST, FIRST + 1, "good")};
    struct book b;
    int refused = 0;
    book_open(&b);
    for (uint32_t type = FIELD_TEXT; type <= FIELD_SET; type++)
        for (uint32_t rule = RULE_LAST; rule < RULE_COUNT; rule++)
            for (uint32_t scale = 0; scale < 2; scale++) {
                struct added_field f = TYPED(FIRST, type, "x", .rule = rule, .scale = scale);
                bool values = type == FIELD_ENUM;
                if (type == FIELD_MONEY) f.group = FIRST;
                if (addition_check_field(&b.release, &f, values ? one : NULL, values, &err) == ST_OK) continue;
                const char *what = strstr(err.text[LANG_EN], "together: ");
                CHECK(!what || !strstr(err.text[LANG_ZH], what + strlen("together: ")));
                refused += what != NULL;
            }
    CHECK(refused > 40);
    book_close(&b);
}

TEST(a_number_may_have_a_limit_on_one_side) {
    struct field f = {.type = FIELD_DECIMAL, .scale = 1, .min = -5, .max = INT64_MAX, .label = {"X", "某"}};
    CHECK_STATUS(field_check(&f, value_int(1000000), &err), ST_OK);
    CHECK_STATUS(field_check(&f, value_int(-6), &err), ST_INVALID);
    CHECK_TEXT(err.text[LANG_EN], "X: must be at least -0.5");
    CHECK_TEXT(err.text[LANG_ZH], "某：不得小于 -0.5");
}

/* The documents say which fields were added, and which are retired. */
TEST(documents_name_what_was_added) {
    SCOPED(buf_free) struct buf json = buf_new(BUF_MAX_BATCH), text = buf_new(BUF_MAX_BATCH);
    struct book b;
    book_open(&b);
    const struct added_field fields[] = {
        TYPED(FIRST, FIELD_ENUM, "grade", .flags = ADDITION_RETIRED)};
    struct added_value values[] = {VALUE(FIRST, FIRST + 1, "good"), VALUE(FIRST, FIRST + 2, "poor")};
    values[1].flags = ADDITION_RETIRED;
    const struct entity *e = account_with(&b, fields, 1, values, 2);
    catalogue_write_fields(e, CATALOGUE_JSON, LANG_EN, &json);
    CHECK(strstr(buf_text(&json), "\"added\":true,\"retired\":true") != NULL);
    CHECK(strstr(buf_text(&json), "{\"number\":65538,\"name\":\"poor\",\"label\":{\"en\":\"Label\","
                                  "\"zh\":\"名称\"},\"retired\":true}") != NULL);
    catalogue_write_fields(e, CATALOGUE_TEXT, LANG_EN, &text);
    CHECK(strstr(buf_text(&text), "good (retired)\n") != NULL);
    buf_reset(&text);
    catalogue_write_fields(e, CATALOGUE_TEXT, LANG_ZH, &text);
    CHECK(strstr(buf_text(&text), "（已停用）") != NULL);
    book_close(&b);
}
