/* What a person types: entities, fields, FIELD=VALUE, conditions; and rows as people and programs read them. */
#include "tests/unit/api_world.h"

#include <stdio.h>
#include <string.h>

static const struct entity *account(struct api_world *a) {
    return world_entity(&a->w, "account");
}

TEST(entities_are_known_by_name_and_label) {
    static const struct {
        const char *name, *typed, *expected;
    } ROWS[] = {
        {"name", "account", "account"},       {"any case", "Account", "account"},
        {"Chinese", "客户", "account"},        {"label", "Follow-up", "followup"},
        {"blank for underline", "visit participant", "visit_participant"},
        {"label of two words", "拜访参与人", "visit_participant"},
        {"unknown", "shoe", NULL},            {"empty", "", NULL},
        {"broken", "\xFF", NULL},
    };
    struct api_world a;
    api_start(&a);
    for EACH(row, ROWS) {
        const struct entity *e = NULL;
        struct err err;
        CHECK_ROW_INT(row, api_entity(&a.w.f.cat, slice_from(row->typed), &e, &err), row->expected ? ST_OK : ST_USAGE);
        if (row->expected) CHECK_ROW_TEXT(row, e->name, row->expected);
        else CHECK_ROW(row, strstr(err.text[LANG_EN], "territory, employee, product, account"));
    }
    api_stop(&a);
}

TEST(fields_are_known_by_name_and_label) {
    static const struct {
        const char *name, *typed, *expected;
    } ROWS[] = {
        {"name", "credit_limit", "credit_limit"}, {"English label", "Credit Limit", "credit_limit"},
        {"Chinese label", "信用额度", "credit_limit"}, {"names of other systems are for imports", "Sector", NULL},
        {"unknown", "shoe", NULL},
    };
    struct api_world a;
    api_start(&a);
    for EACH(row, ROWS) {
        const struct field *f = NULL;
        struct err err;
        CHECK_ROW_INT(row, api_field(account(&a), slice_from(row->typed), &f, &err), row->expected ? ST_OK : ST_USAGE);
        if (row->expected) CHECK_ROW_TEXT(row, f->name, row->expected);
        else CHECK_ROW(row, strstr(err.text[LANG_EN], "registration_no"));
    }
    api_stop(&a);
}

TEST(edits_are_typed_as_words) {
    static const struct {
        const char *name, *word;
        enum status status;
        enum field_edit_kind kind;
        const char *field;
        enum value_kind value;
        int64_t number;
        const char *text;
    } ROWS[] = {
        {"a text", "name=Acme", ST_OK, FIELD_EDIT_SET, "name", VALUE_TEXT, 0, "Acme"},
        {"by label", "客户名称=平安 银行", ST_OK, FIELD_EDIT_SET, "name", VALUE_TEXT, 0, "平安 银行"},
        {"a sign of equality inside", "remarks=a=b", ST_OK, FIELD_EDIT_SET, "remarks", VALUE_TEXT, 0, "a=b"},
        {"empties", "city=", ST_OK, FIELD_EDIT_SET, "city", VALUE_NULL, 0, ""},
        {"money", "credit_limit=12.5", ST_OK, FIELD_EDIT_SET, "credit_limit", VALUE_INT, 1250, ""},
        {"an enum", "tier=战略性大客户", ST_OK, FIELD_EDIT_SET, "tier", VALUE_INT, 4, ""},
        {"a set", "tags=b,a", ST_OK, FIELD_EDIT_SET, "tags", VALUE_TEXT, 0, "a\nb"},
        {"adds", "tags+=b,a", ST_OK, FIELD_EDIT_ADD, "tags", VALUE_TEXT, 0, "a\nb"},
        {"removes", "tags-=a", ST_OK, FIELD_EDIT_REMOVE, "tags", VALUE_TEXT, 0, "a"},
        {"counts up", "points+=3", ST_OK, FIELD_EDIT_COUNT, "points", VALUE_INT, 3, ""},
        {"counts down", "points-=3", ST_OK, FIELD_EDIT_COUNT, "points", VALUE_INT, -3, ""},
        {"sets a counter", "points=3", ST_OK, FIELD_EDIT_SET, "points", VALUE_INT, 3, ""},
        {"no sign", "name", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"no field", "=x", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"only a step", "+=x", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"unknown field", "shoe=1", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"a step of a text", "name+=x", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"a step of nothing", "points+=", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"a required field is not emptied", "name=", ST_INVALID, 0, NULL, 0, 0, NULL},
        {"computed", "last_visit_on=2026-01-01", ST_INVALID, 0, NULL, 0, 0, NULL},
        {"not in the list", "tier=huge", ST_INVALID, 0, NULL, 0, 0, NULL},
        {"over its limit", "employees=100000001", ST_INVALID, 0, NULL, 0, 0, NULL},
    };
    struct api_world a;
    api_start(&a);
    for EACH(row, ROWS) {
        struct field_edit edit;
        struct err err;
        CHECK_ROW_INT(row, api_edit(&a.book, account(&a), slice_from(row->word), &a.w.f.mem, &edit, &err), row->status);
        if (row->status != ST_OK) continue;
        CHECK_ROW_TEXT(row, edit.field->name, row->field);
        CHECK_ROW_INT(row, edit.kind, row->kind);
        CHECK_ROW_INT(row, edit.value.kind, row->value);
        CHECK_ROW_INT(row, edit.value.number, row->number);
        CHECK_ROW_SLICE(row, edit.value.text, slice_from(row->text));
    }
    api_stop(&a);
}

TEST(references_are_typed_as_people_know_them) {
    static const struct {
        const char *name, *typed;
        enum status status;
        const char *found;                                 /* by its external number */
    } ROWS[] = {
        {"title", "平安银行", ST_OK, "000001.SZ"},
        {"beginning of a title", "acm", ST_OK, "100"},
        {"number of another system", "000001.SZ", ST_OK, "000001.SZ"},
        {"such a number before a row number", "100", ST_OK, "100"},
        {"nobody", "Nobody", ST_NOT_FOUND, NULL},
        {"two beginnings", "Tw", ST_CONFLICT, NULL},
    };
    struct api_world a;
    char id[ID_TEXT_BYTES];
    struct value v;
    struct err err;
    api_start(&a);
    api_take(&a, "account", "name,external_no\nAcme,100\n平安银行,000001.SZ\nTwin A,3\nTwin B,4\n", "2+ 3+ 4+ 5+");
    const struct field *f = fixture_field(world_entity(&a.w, "contact"), "account");
    for EACH(row, ROWS) {
        CHECK_ROW_INT(row, api_value(&a.book, f, slice_from(row->typed), &a.w.f.mem, &v, &err), row->status);
        if (row->found) CHECK_ROW_INT(row, v.number, api_row(&a, "account", "external_no", row->found));
    }
    id_format(a.last_id, id);
    CHECK_OK(api_value(&a.book, f, slice_from(id), &a.w.f.mem, &v, &err));
    CHECK_INT(v.number, a.last_id);
    CHECK_STATUS(api_value(&a.book, f, SLICE(" "), &a.w.f.mem, &v, &err), ST_INVALID);     /* required */
    api_stop(&a);
}

TEST(conditions_are_typed_as_words) {
    static const struct {
        const char *name, *word;
        enum status status;
        enum compare compare;
        const char *field;
        enum value_kind value;
        int64_t number;
        const char *text;
    } ROWS[] = {
        {"is", "city=Bonn", ST_OK, COMPARE_EQ, "city", VALUE_TEXT, 0, "Bonn"},
        {"is empty", "city=", ST_OK, COMPARE_EQ, "city", VALUE_NULL, 0, ""},
        {"a required field may be asked for emptiness", "name=", ST_OK, COMPARE_EQ, "name", VALUE_NULL, 0, ""},
        {"is not", "city!=Bonn", ST_OK, COMPARE_NE, "city", VALUE_TEXT, 0, "Bonn"},
        {"contains", "名称~x", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"contains, by label", "客户名称~银行", ST_OK, COMPARE_CONTAINS, "name", VALUE_TEXT, 0, "银行"},
        {"at least", "points>=-5", ST_OK, COMPARE_GE, "points", VALUE_INT, -5, ""},
        {"at most", "points<=5", ST_OK, COMPARE_LE, "points", VALUE_INT, 5, ""},
        {"above", "credit_limit>1.5", ST_OK, COMPARE_GT, "credit_limit", VALUE_INT, 150, ""},
        {"below", "founded_on<1970/1/2", ST_OK, COMPARE_LT, "founded_on", VALUE_INT, 1, ""},
        {"beyond the limits of the field", "employees<=100000001", ST_OK, COMPARE_LE, "employees", VALUE_INT, 100000001, ""},
        {"computed fields too", "open_opportunities>0", ST_OK, COMPARE_GT, "open_opportunities", VALUE_INT, 0, ""},
        {"an element", "tags=a", ST_OK, COMPARE_EQ, "tags", VALUE_TEXT, 0, "a"},
        {"two elements", "tags=a,b", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"the first sign counts", "remarks=a>=b", ST_OK, COMPARE_EQ, "remarks", VALUE_TEXT, 0, "a>=b"},
        {"no sign", "name", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"no field", "=x", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"unknown field", "shoe=1", ST_USAGE, 0, NULL, 0, 0, NULL},
        {"not a number", "points>many", ST_INVALID, 0, NULL, 0, 0, NULL},
        {"nothing", "", ST_USAGE, 0, NULL, 0, 0, NULL},
    };
    struct api_world a;
    api_start(&a);
    for EACH(row, ROWS) {
        struct condition c;
        struct err err;
        CHECK_ROW_INT(row, api_condition(&a.book, account(&a), slice_from(row->word), &a.w.f.mem, &c, &err), row->status);
        if (row->status != ST_OK) continue;
        CHECK_ROW_TEXT(row, c.field->name, row->field);
        CHECK_ROW_INT(row, c.compare, row->compare);
        CHECK_ROW_INT(row, c.value.kind, row->value);
        CHECK_ROW_INT(row, c.value.number, row->number);
        CHECK_ROW_SLICE(row, c.value.text, slice_from(row->text));
    }
    api_stop(&a);
}

/* ------------------------------------------------------------------ rows */

static struct row row_of(struct api_world *a, const char *entity, int64_t id) {
    struct row row;
    struct err err;
    CHECK_OK(store_get(a->w.store, world_entity(&a->w, entity), id, &a->w.f.mem, &row, &err));
    return row;
}

TEST(a_row_as_text_leaves_out_what_is_empty) {
    struct api_world a;
    struct buf text = buf_new(BUF_MAX_LINE);
    char id[ID_TEXT_BYTES], expected[256];
    struct err err;
    api_start(&a);
    api_take(&a, "account", "name\n平安银行\n", "2+");
    id_format(a.last_id, id);
    api_take(&a, "contact", "account,name,level,phones,notes\n平安银行,Ann,buyer,2;1,\"one\ntwo\"\n", "2+");
    struct row row = row_of(&a, "contact", a.last_id);
    CHECK_OK(api_row_text(&a.book, &row, &text, &err));
    snprintf(expected, sizeof expected,
             "Account: 平安银行 (%s)\nName: Ann\nLevel: Buyer\nPhones: 1, 2\nState: In office\nNotes: one\n    two\n", id);
    CHECK_TEXT(buf_text(&text), expected);
    buf_reset(&text);
    a.book.lang = LANG_ZH;
    CHECK_OK(api_row_text(&a.book, &row, &text, &err));
    snprintf(expected, sizeof expected,
             "客户：平安银行 (%s)\n姓名：Ann\n职级：采购员\n电话：1, 2\n在职状态：在职\n备注：one\n    two\n", id);
    CHECK_TEXT(buf_text(&text), expected);
    api_stop(&a);
    buf_free(&text);
}

TEST(a_row_as_json) {
    struct api_world a;
    struct buf text = buf_new(BUF_MAX_LINE);
    char id[ID_TEXT_BYTES], expected[256];
    api_start(&a);
    api_take(&a, "account", "name,tags,credit_limit,kind\nSay \"hi\",b;a,12.5,listed\n", "2+");
    struct row row = row_of(&a, "account", a.last_id);
    const struct field *fields[] = {fixture_field(row.entity, "name"), fixture_field(row.entity, "tags"),
                                    fixture_field(row.entity, "credit_limit"), fixture_field(row.entity, "kind"),
                                    fixture_field(row.entity, "city")};
    id_format(a.last_id, id);
    api_row_json(&a.book, &row, fields, ARRAY_COUNT(fields), &text);
    snprintf(expected, sizeof expected,
             "{\"id\":%lld,\"short_id\":\"%s\",\"name\":\"Say \\\"hi\\\"\",\"tags\":[\"a\",\"b\"],\"credit_limit\":12.50,"
             "\"kind\":\"listed\",\"city\":null,\"seq\":0,\"pending\":true}", (long long)a.last_id, id);
    CHECK_TEXT(buf_text(&text), expected);
    buf_reset(&text);
    api_row_json(&a.book, &row, NULL, 0, &text);
    CHECK(strstr(buf_text(&text), "\"last_visit_on\":null,\"seq\":0"));
    api_stop(&a);
    buf_free(&text);
}
