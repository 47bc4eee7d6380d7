/* The catalogue: working out cells, and looking things up in it. What a declaration must fulfil
 * stands in declaration.c; the declarations of this release in entities.c.
 */
#include "protocol/model/catalogue.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* A cell is one field, or the run of neighbours with the same group. */
static enum status work_out_cells(struct entity *e, struct arena *mem, struct err *err) {
    struct cell *cells = ARENA_ARRAY(mem, e->field_count, struct cell);
    size_t count = 0;
    if (!cells) return err_no_memory(err);
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        if (f->group && i > 0 && e->fields[i - 1].group &&
            strcmp(f->group, e->fields[i - 1].group) == 0) {
            cells[count - 1].count++;
            continue;
        }
        cells[count] =
            (struct cell){.tag = f->tag, .rule = f->rule, .first = i, .count = 1, .index = count};
        count++;
    }
    e->cells = cells;
    e->cell_count = count;
    return ST_OK;
}

static int owner_field_of(const struct entity *e) {
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].owns) return (int)i;
    return -1;
}

static int field_at(const struct entity *e, const char *name) {
    const struct field *f = name ? entity_field(e, slice_from(name)) : NULL;
    return f ? (int)entity_field_index(e, f) : -1;
}

enum status catalogue_build(const struct entity *entities, size_t count, struct arena *mem,
                            struct catalogue *out, struct err *err) {
    TRY(declaration_check(entities, count, err));
    struct entity *built = ARENA_ARRAY(mem, count + 1, struct entity);
    if (!built) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        built[i] = entities[i];
        built[i].owner_field = owner_field_of(&entities[i]);
        built[i].author_field = field_at(&entities[i], entities[i].author);
        built[i].frozen_field = field_at(&entities[i], entities[i].frozen_by);
        TRY(work_out_cells(&built[i], mem, err));
    }
    struct catalogue cat = {.entities = built, .count = count};
    TRY(catalogue_digest(&cat, &cat.version, err));
    cat.release = cat.version;
    *out = cat;
    return ST_OK;
}

enum status catalogue_release(struct arena *mem, struct catalogue *out, struct err *err) {
    size_t count;
    const struct entity *entities = entities_declared(&count);
    return catalogue_build(entities, count, mem, out, err);
}

enum status catalogue_without(const struct catalogue *cat, uint32_t entity_tag,
                              uint32_t first_tag_left_out, struct arena *mem, struct catalogue *out,
                              struct err *err) {
    struct entity *older = ARENA_ARRAY(mem, cat->count + 1, struct entity);
    bool found = false;
    if (!older) return err_no_memory(err);
    for (size_t i = 0; i < cat->count; i++) {
        older[i] = cat->entities[i];
        if (older[i].tag != entity_tag) continue;
        found = true;
        while (older[i].field_count > 0 &&
               older[i].fields[older[i].field_count - 1].tag >= first_tag_left_out)
            older[i].field_count--;
    }
    if (!found)
        return err_set(err, ST_NOT_FOUND, "no entity with tag %u", "没有标号为 %u 的实体",
                       entity_tag);
    return catalogue_build(older, cat->count, mem, out, err);
}

/* ------------------------------------------------------------------ looking up */

/* The first letter tells most of them apart: rules name fields, for every edit that is merged. */
static bool is_named(const char *name, struct slice s) {
    if (s.len > 0 && (uint8_t)name[0] != s.data[0]) return false;
    return slice_equal(slice_from(name), s);
}

const struct entity *catalogue_entity(const struct catalogue *cat, struct slice name) {
    for (size_t i = 0; i < cat->count; i++)
        if (is_named(cat->entities[i].name, name)) return &cat->entities[i];
    return NULL;
}

const struct entity *catalogue_entity_by_tag(const struct catalogue *cat, uint32_t tag) {
    if (tag >= 1 && tag <= cat->count && cat->entities[tag - 1].tag == tag)
        return &cat->entities[tag - 1];
    for (size_t i = 0; i < cat->count; i++)
        if (cat->entities[i].tag == tag) return &cat->entities[i];
    return NULL;
}

const struct field *entity_field(const struct entity *e, struct slice name) {
    for (size_t i = 0; i < e->field_count; i++)
        if (is_named(e->fields[i].name, name)) return &e->fields[i];
    return NULL;
}

/* Tags mostly run 1, 2, 3 ..., so that the first guess is right. */
const struct field *entity_field_by_tag(const struct entity *e, uint32_t tag) {
    if (tag >= 1 && tag <= e->field_count && e->fields[tag - 1].tag == tag)
        return &e->fields[tag - 1];
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].tag == tag) return &e->fields[i];
    return NULL;
}

size_t entity_field_index(const struct entity *e, const struct field *f) {
    assert(f >= e->fields && f < e->fields + e->field_count);
    return (size_t)(f - e->fields);
}

const struct cell *entity_cell_of(const struct entity *e, const struct field *f) {
    size_t index = entity_field_index(e, f);
    for (size_t i = 0; i < e->cell_count; i++)
        if (index < e->cells[i].first + e->cells[i].count) return &e->cells[i];
    return NULL;
}

const struct cell *entity_cell(const struct entity *e, uint32_t tag) {
    const struct field *f = entity_field_by_tag(e, tag);
    return f ? entity_cell_of(e, f) : NULL;
}

const char *cell_name(const struct entity *e, const struct cell *c) {
    const struct field *f = &e->fields[c->first];
    return f->group ? f->group : f->name;
}

void cell_write_label(const struct entity *e, const struct cell *c, enum lang lang,
                      struct buf *out) {
    for (size_t i = 0; i < c->count; i++)
        buf_printf(out, "%s%s", i > 0 ? "/" : "", e->fields[c->first + i].label[lang]);
}

const struct enum_value *enum_by_number(const struct enumeration *values, int64_t number) {
    for (size_t i = 0; i < values->count; i++)
        if (values->values[i].number == number) return &values->values[i];
    return NULL;
}

static bool is_same_word(const char *word, struct slice text) {
    return strlen(word) == text.len && strncasecmp(word, (const char *)text.data, text.len) == 0;
}

const struct enum_value *enum_by_text(const struct enumeration *values, struct slice text) {
    for (size_t i = 0; i < values->count; i++) {
        const struct enum_value *v = &values->values[i];
        if (is_same_word(v->name, text)) return v;
        for (int lang = 0; lang < LANG_COUNT; lang++)
            if (is_same_word(v->label[lang], text)) return v;
    }
    return NULL;
}

/* ------------------------------------------------------------------ names */

static const struct {
    const char *name;
    const char *label[LANG_COUNT];
} RULES[RULE_COUNT] = {
    [RULE_LAST] = {"last", {"the later edit stands", "以较晚的修改为准"}},
    [RULE_COUNTER] = {"counter", {"amounts add up", "数量累加"}},
    [RULE_MAX] = {"max", {"the greater stands", "取较大者"}},
    [RULE_MIN] = {"min", {"the smaller stands", "取较小者"}},
    [RULE_SET] = {"set", {"elements are united", "逐项合并"}},
    [RULE_TEXT] = {"text", {"passages are merged", "按段落合并"}},
    [RULE_STATE] = {"state", {"the state further on stands", "以更靠后的状态为准"}},
    [RULE_OWNER] = {"owner", {"only the owner writes", "仅负责人可改"}},
    [RULE_OFFICE] = {"office", {"only head office writes", "仅总部可改"}},
    [RULE_FROZEN] = {"frozen", {"no more edits once submitted", "提交后不可改"}},
    [RULE_APPEND] = {"append", {"given once, never edited", "一经填写不可改"}},
    [RULE_DERIVED] = {"derived", {"computed", "自动计算"}},
};

const char *rule_name(enum rule rule) {
    return (unsigned)rule < RULE_COUNT ? RULES[rule].name : "unknown";
}

const char *rule_label(enum rule rule, enum lang lang) {
    assert(lang < LANG_COUNT);
    if ((unsigned)rule < RULE_COUNT) return RULES[rule].label[lang];
    return lang == LANG_ZH ? "未知" : "unknown";
}

const char *field_type_name(enum field_type type) {
    switch (type) {
    case FIELD_TEXT: return "text";
    case FIELD_NOTE: return "note";
    case FIELD_INT: return "int";
    case FIELD_DECIMAL: return "decimal";
    case FIELD_MONEY: return "money";
    case FIELD_DATE: return "date";
    case FIELD_TIME: return "time";
    case FIELD_BOOL: return "bool";
    case FIELD_ENUM: return "enum";
    case FIELD_REF: return "ref";
    case FIELD_SET: return "set";
    }
    return "unknown";
}
