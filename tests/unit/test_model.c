/* Identities, values, the catalogue and what it derives. */
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
        {"I for 1", "3-IZ70", 3 * 4294967296 + 2023},
        {"a check that is no digit", "3-1Z7U", 0},
        {"a digit behind z", "3-1{70", 0},
        {"the id 0", "0-00", 0},
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
    CHECK(value_copy(value_int(7), &mem, &copy) && value_equal(copy, value_int(7)));
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
    CHECK_INT(cat.count, 14);
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

/* ------------------------------------------------------------------ releases */

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
