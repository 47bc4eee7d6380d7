/* Additions to the catalogue: what head office may add, and the catalogue that comes of it.
 *
 * Building is lenient, adding is strict. What a server of a later release added may be of a type or
 * rule that this release does not know: then the field stays unknown here, its cells are kept aside
 * with the row, and everything else goes on.
 */
#include "protocol/model/addition.h"
#include "protocol/model/catalogue.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 2000, NOTE_MAX = 20000, SET_MAX = 256 };
/* More than there can be namesakes, so that a free name is always found. */
enum { SUFFIX_MAX = ADDITION_VALUES_MAX + ADDITION_FIELDS_MAX + ENTITY_FIELDS_MAX };

/* ------------------------------------------------------------------ what may be added */

static bool is_number(uint32_t type) {
    return type == FIELD_INT || type == FIELD_DECIMAL || type == FIELD_MONEY;
}

static bool is_enum(const struct field *f) {
    return f->type == FIELD_ENUM || (f->type == FIELD_SET && f->set_of == FIELD_ENUM);
}

bool field_takes_values(const struct field *f) {
    return is_enum(f) && f->rule != RULE_STATE && f->rule != RULE_DERIVED && f->values &&
           !f->values->closed;
}

static bool type_may_be_added(uint32_t type, uint32_t set_of) {
    if (type == FIELD_SET) return set_of == FIELD_TEXT || set_of == FIELD_ENUM;
    return type < FIELD_SET && type != FIELD_REF;
}

static bool rule_may_be_added(uint32_t rule) {
    return rule < RULE_COUNT && rule != RULE_STATE && rule != RULE_DERIVED;
}

static bool limits_are_sound(const struct added_field *f) {
    if (f->min > f->max) return false;
    if (is_number(f->type)) return true;
    if (f->min != 0 || f->max < 0) return false;
    switch ((enum field_type)f->type) {
    case FIELD_TEXT: return f->max <= TEXT_MAX;
    case FIELD_NOTE: return f->max <= NOTE_MAX;
    case FIELD_SET: return f->max <= SET_MAX;
    case FIELD_INT:
    case FIELD_DECIMAL:
    case FIELD_MONEY:
    case FIELD_DATE:
    case FIELD_TIME:
    case FIELD_BOOL:
    case FIELD_ENUM:
    case FIELD_REF: break;
    }
    return f->max == 0;
}

static int64_t size_max(const struct added_field *f) {
    struct field field = {.type = (enum field_type)f->type, .max = f->max};
    return f->type == FIELD_SET ? field_elements_max(&field) : field_characters_max(&field);
}

void addition_widen(struct added_field *f, const struct added_field *before) {
    bool number = is_number(f->type);
    bool free = f->min == 0 && f->max == 0; /* a number without limits */
    if (before && before->loose_min == 0 && before->loose_max == 0) free = true;
    f->loose_min = f->min;
    f->loose_max = number ? f->max : size_max(f); /* nothing else of it has limits */
    if (before && before->loose_min < f->loose_min) f->loose_min = before->loose_min;
    if (before && before->loose_max > f->loose_max) f->loose_max = before->loose_max;
    if (number && free) f->loose_min = f->loose_max = 0;
}

/* ------------------------------------------------------------------ names */

struct names { /* of the fields and groups, or of the values, that are there */
    const struct entity *entity;
    const struct field *fields;
    size_t field_count;
    const struct enum_value *values;
    size_t value_count;
};

static bool is_called(const char *name, struct slice s) {
    return name && slice_equal(slice_from(name), s);
}

static bool is_taken(const struct names *n, struct slice name) {
    for (size_t i = 0; i < n->field_count; i++)
        if (is_called(n->fields[i].name, name) || is_called(n->fields[i].group, name)) return true;
    for (size_t i = 0; i < n->value_count; i++)
        if (is_called(n->values[i].name, name)) return true;
    return slice_equal(name, SLICE("id"));
}

/* The name as it is, or with the first number behind it that makes it free. NULL: no memory. */
static const char *free_name(const struct names *n, struct slice name, struct arena *mem) {
    char text[ADDITION_NAME_BYTES + 8];
    for (int i = 2; is_taken(n, name) && i <= SUFFIX_MAX; i++) {
        int len = snprintf(text, sizeof text, "%.*s_%d", (int)name.len, (const char *)name.data, i);
        struct slice next = slice_of(text, (size_t)len);
        if (!is_taken(n, next)) return arena_string(mem, next);
    }
    return arena_string(mem, name);
}

static bool copy_labels(const struct slice from[LANG_COUNT], struct arena *mem,
                        const char *to[LANG_COUNT]) {
    for (int lang = 0; lang < LANG_COUNT; lang++) {
        to[lang] = arena_string(mem, from[lang]);
        if (!to[lang]) return false;
    }
    return true;
}

/* A later server's words are shown on screens here too: one short line, whatever it sends. */
static bool is_word(struct slice name) {
    char text[ADDITION_NAME_BYTES];
    if (name.len == 0 || name.len >= sizeof text) return false;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    return strlen(text) == name.len && declaration_is_name(text);
}

static bool is_label(struct slice label) {
    if (label.len == 0 || !text_is_utf8(label)) return false;
    if (text_length(label) > ADDITION_LABEL_CHARACTERS) return false;
    for (size_t i = 0; i < label.len; i++)
        if (label.data[i] < 0x20 || label.data[i] == 0x7f) return false;
    return true;
}

static bool has_words(struct slice name, const struct slice label[LANG_COUNT]) {
    return is_word(name) && is_label(label[LANG_EN]) && is_label(label[LANG_ZH]);
}

/* ------------------------------------------------------------------ values */

struct adding {
    const struct additions *added;
    struct arena *mem;
};

static bool value_fits(const struct added_value *v) {
    return v->number >= FIELD_ADDED_FIRST && has_words(v->name, v->label);
}

static size_t values_of(const struct adding *a, uint32_t entity, uint32_t field) {
    size_t count = 0;
    for (size_t i = 0; i < a->added->value_count; i++)
        count += a->added->values[i].entity == entity && a->added->values[i].field == field;
    return count;
}

static bool has_number(const struct names *n, uint32_t number) {
    for (size_t i = 0; i < n->value_count; i++)
        if (n->values[i].number == number) return true;
    return false;
}

/* Values stand by number, behind those of the release. */
static void put_value(struct enum_value *values, size_t first, size_t count,
                      const struct enum_value *v) {
    size_t at = count;
    for (; at > first && values[at - 1].number > v->number; at--) values[at] = values[at - 1];
    values[at] = *v;
}

/* The enumeration before (NULL: none), and what was added to it. *out NULL: there are no values. */
static enum status extend_values(struct adding *a, uint32_t entity, uint32_t field,
                                 const char *name, const struct enumeration *before,
                                 const struct enumeration **out, struct err *err) {
    size_t first = before ? before->count : 0, count = first;
    struct enumeration *e = ARENA_NEW(a->mem, struct enumeration);
    struct enum_value *values =
        ARENA_ARRAY(a->mem, first + values_of(a, entity, field) + 1, struct enum_value);
    if (!e || !values) return err_no_memory(err);
    if (before) memcpy(values, before->values, first * sizeof *values);
    for (size_t i = 0; i < a->added->value_count; i++) {
        const struct added_value *from = &a->added->values[i];
        struct names n = {.values = values, .value_count = count};
        if (from->entity != entity || from->field != field || !value_fits(from) ||
            has_number(&n, from->number))
            continue;
        struct enum_value v = {.number = from->number,
                               .name = free_name(&n, from->name, a->mem),
                               .retired = from->flags & ADDITION_RETIRED};
        if (!v.name || !copy_labels(from->label, a->mem, v.label)) return err_no_memory(err);
        put_value(values, first, count++, &v);
    }
    *e = before ? *before : (struct enumeration){.name = name};
    e->values = values;
    e->count = count;
    *out = count > 0 ? e : NULL;
    return ST_OK;
}

/* ------------------------------------------------------------------ fields */

/* The field by itself, with the values that the release or the additions know for it. */
static enum status make_field(struct adding *a, const struct added_field *from, struct names *n,
                              struct field *out, struct err *err) {
    struct field f = {.tag = from->tag,
                      .type = (enum field_type)from->type,
                      .set_of = (enum field_type)from->set_of,
                      .rule = (enum rule)from->rule,
                      .scale = from->scale,
                      .min = from->min,
                      .max = from->max,
                      .loose_min = from->loose_min,
                      .loose_max = from->loose_max,
                      .since = from->since,
                      .personal = from->flags & ADDITION_PERSONAL,
                      .retired = from->flags & ADDITION_RETIRED};
    f.name = free_name(n, from->name, a->mem);
    if (!f.name || !copy_labels(from->label, a->mem, f.label)) return err_no_memory(err);
    if (is_enum(&f)) TRY(extend_values(a, from->entity, from->tag, f.name, NULL, &f.values, err));
    *out = f;
    return ST_OK;
}

static const struct added_field *opener_of(const struct adding *a, const struct added_field *f) {
    for (size_t i = 0; i < a->added->field_count; i++) {
        const struct added_field *other = &a->added->fields[i];
        if (other->entity == f->entity && other->tag == f->group) return other;
    }
    return NULL;
}

/* Whether this release can make something of it; the fields of a group stand or fall together. */
static bool field_is_known(const struct entity *e, const struct added_field *f) {
    return f->tag >= FIELD_ADDED_FIRST && has_words(f->name, f->label) &&
           type_may_be_added(f->type, f->set_of) && rule_may_be_added(f->rule) &&
           limits_are_sound(f) && (f->rule != RULE_FROZEN || e->frozen_by);
}

static bool group_is_known(const struct adding *a, const struct entity *e,
                           const struct added_field *f) {
    if (f->group == 0) return field_is_known(e, f);
    bool known = opener_of(a, f) != NULL;
    for (size_t i = 0; i < a->added->field_count && known; i++) {
        const struct added_field *other = &a->added->fields[i];
        if (other->entity == f->entity && other->group == f->group)
            known = field_is_known(e, other) && other->rule == f->rule;
    }
    return known;
}

static const struct field *by_tag(const struct field *fields, size_t count, uint32_t tag) {
    for (size_t i = 0; i < count; i++)
        if (fields[i].tag == tag) return &fields[i];
    return NULL;
}

/* The next field of the entity above a tag. */
static const struct added_field *next_field(const struct adding *a, const struct entity *e,
                                            uint32_t after) {
    const struct added_field *best = NULL;
    for (size_t i = 0; i < a->added->field_count; i++) {
        const struct added_field *f = &a->added->fields[i];
        bool later = f->entity == e->tag && f->tag > after && group_is_known(a, e, f);
        if (later && (!best || f->tag < best->tag)) best = f;
    }
    return best;
}

/* A group is called by its first field, behind which it stands. */
static bool join_group(const struct added_field *from, struct field *fields, size_t count) {
    if (from->group == 0) return true;
    if (from->group == from->tag) {
        fields[count].group = fields[count].name;
        return true;
    }
    const struct field *opener = by_tag(fields, count, from->group);
    bool joins = opener && opener->group && fields[count - 1].group == opener->group;
    if (joins) fields[count].group = opener->group;
    return joins;
}

static enum status append_fields(struct adding *a, const struct entity *e, struct field *fields,
                                 size_t *count, struct err *err) {
    size_t most = *count + ENTITY_ADDED_MAX;
    const struct added_field *from = next_field(a, e, 0);
    for (; from && *count < most; from = next_field(a, e, from->tag)) {
        struct names n = {.fields = fields, .field_count = *count};
        TRY(make_field(a, from, &n, &fields[*count], err));
        bool first = from->group == 0 || from->group == from->tag;
        if (!join_group(from, fields, *count)) continue;
        if (declaration_wrong_field(&fields[*count], first)) continue;
        (*count)++;
    }
    return ST_OK;
}

static bool is_added_to(const struct adding *a, const struct entity *e) {
    for (size_t i = 0; i < a->added->field_count; i++)
        if (a->added->fields[i].entity == e->tag) return true;
    for (size_t i = 0; i < a->added->value_count; i++)
        if (a->added->values[i].entity == e->tag) return true;
    return false;
}

static enum status extend_entity(struct adding *a, struct entity *e, struct err *err) {
    if (!is_added_to(a, e)) return ST_OK;
    size_t count = e->field_count;
    struct field *fields = ARENA_ARRAY(a->mem, count + ENTITY_ADDED_MAX + 1, struct field);
    if (!fields) return err_no_memory(err);
    memcpy(fields, e->fields, count * sizeof *fields);
    for (size_t i = 0; i < count; i++) {
        struct field *f = &fields[i];
        if (!field_takes_values(f) || values_of(a, e->tag, f->tag) == 0) continue;
        TRY(extend_values(a, e->tag, f->tag, NULL, f->values, &f->values, err));
    }
    TRY(append_fields(a, e, fields, &count, err));
    e->fields = fields;
    e->field_count = count;
    return ST_OK;
}

enum status catalogue_add(const struct catalogue *release, const struct additions *added,
                          struct arena *mem, struct catalogue *out, struct err *err) {
    struct adding a = {.added = added, .mem = mem};
    struct entity *entities = ARENA_ARRAY(mem, release->count + 1, struct entity);
    if (!entities) return err_no_memory(err);
    memcpy(entities, release->entities, release->count * sizeof *entities);
    for (size_t i = 0; i < release->count; i++) TRY(extend_entity(&a, &entities[i], err));
    struct catalogue cat;
    TRY(catalogue_build(entities, release->count, mem, &cat, err));
    cat.release = release->release;
    *out = cat;
    return ST_OK;
}

bool additions_cover(const struct additions *a, const struct additions *b) {
    for (size_t i = 0; i < b->field_count; i++) {
        bool found = false;
        for (size_t k = 0; k < a->field_count && !found; k++)
            found =
                a->fields[k].entity == b->fields[i].entity && a->fields[k].tag == b->fields[i].tag;
        if (!found) return false;
    }
    for (size_t i = 0; i < b->value_count; i++) {
        bool found = false;
        for (size_t k = 0; k < a->value_count && !found; k++)
            found = a->values[k].entity == b->values[i].entity &&
                    a->values[k].field == b->values[i].field &&
                    a->values[k].number == b->values[i].number;
        if (!found) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ checks of head office */

enum status addition_check_label(const struct slice label[LANG_COUNT], struct err *err) {
    if (is_label(label[LANG_EN]) && is_label(label[LANG_ZH])) return ST_OK;
    return err_set(err, ST_INVALID,
                   "give a label of 1 to %d characters in both languages: --label and --label-zh",
                   "请用 --label 和 --label-zh 给出英文和中文名称，各 1 至 %d 个字符",
                   ADDITION_LABEL_CHARACTERS);
}

static enum status check_words(struct slice name, const struct slice label[LANG_COUNT],
                               struct err *err) {
    if (!is_word(name))
        return err_set(err, ST_INVALID,
                       "a name begins with a letter a-z and holds a-z, 0-9 and _, at most %d: %.*s",
                       "名称须以小写字母开头，只含 a-z、0-9 和 _，最多 %d 个字符：%.*s",
                       ADDITION_NAME_BYTES - 1, (int)name.len, (const char *)name.data);
    return addition_check_label(label, err);
}

enum status addition_check_change(const struct added_field *f, struct err *err) {
    TRY(check_words(f->name, f->label, err));
    if (limits_are_sound(f)) return ST_OK;
    if (is_number(f->type))
        return err_set(err, ST_INVALID, "the least value is above the greatest",
                       "最小值大于最大值");
    return err_set(
        err, ST_INVALID,
        "--min is for numbers; --max is for numbers, texts (at most %d characters), "
        "notes (%d) and sets (%d elements)",
        "--min 只用于数值；--max 用于数值、单行文字（最多 %d 字）、备注（%d 字）和集合（%d 项）",
        TEXT_MAX, NOTE_MAX, SET_MAX);
}

static enum status check_kind(const struct entity *e, const struct added_field *f,
                              struct err *err) {
    if (!type_may_be_added(f->type, f->set_of))
        return err_set(err, ST_INVALID,
                       "fields of type %s cannot be added: they need rows of their own, and a "
                       "release",
                       "不能新增 %s 类型的字段：这需要单独的记录和新版本",
                       field_type_name((enum field_type)f->type));
    if (!rule_may_be_added(f->rule))
        return err_set(err, ST_INVALID,
                       "fields of rule %s cannot be added: their order, or what computes them, is "
                       "declared by a release",
                       "不能新增规则为 %s 的字段：其次序或算法由版本声明",
                       rule_name((enum rule)f->rule));
    if (f->rule == RULE_FROZEN && !e->frozen_by)
        return err_set(err, ST_INVALID, "%s%.0s has no state that freezes it",
                       "%.0s%s没有可冻结的状态", e->name, e->label[LANG_ZH]);
    return addition_check_change(f, err);
}

enum status addition_check_field_label(const struct entity *e, const struct added_field *f,
                                       struct err *err) {
    for (size_t i = 0; i < e->field_count; i++)
        for (int lang = 0; lang < LANG_COUNT; lang++)
            if (e->fields[i].tag != f->tag && is_called(e->fields[i].label[lang], f->label[lang]))
                return err_set(err, ST_CONFLICT, "%s%.0s has a field called that already: %.*s",
                               "%.0s%s已有同名字段：%.*s", e->name, e->label[LANG_ZH],
                               (int)f->label[lang].len, (const char *)f->label[lang].data);
    return ST_OK;
}

static enum status check_room(const struct entity *e, const struct added_field *f,
                              struct err *err) {
    struct names n = {.fields = e->fields, .field_count = e->field_count};
    size_t added = 0;
    for (size_t i = 0; i < e->field_count; i++) added += field_is_added(&e->fields[i]);
    if (is_taken(&n, f->name))
        return err_set(err, ST_CONFLICT, "%s%.0s has a field or group of that name already: %.*s",
                       "%.0s%s已有此名称的字段或字段组：%.*s", e->name, e->label[LANG_ZH],
                       (int)f->name.len, (const char *)f->name.data);
    if (added >= ENTITY_ADDED_MAX)
        return err_set(err, ST_TOO_LARGE,
                       "at most %d fields can be added to one entity, retired ones included",
                       "每个实体最多可新增 %d 个字段，含已停用的", ENTITY_ADDED_MAX);
    return ST_OK;
}

static enum status label_is_taken(struct slice label, struct err *err) {
    return err_set(err, ST_CONFLICT, "another value is called that already: %.*s",
                   "已有其他取值用此名称：%.*s", (int)label.len, (const char *)label.data);
}

enum status addition_check_value_label(const struct enumeration *values,
                                       const struct added_value *v, struct err *err) {
    for (size_t i = 0; i < values->count; i++)
        for (int lang = 0; lang < LANG_COUNT; lang++) {
            const struct enum_value *other = &values->values[i];
            bool same = is_called(other->label[lang], v->label[lang]) ||
                        is_called(other->name, v->label[lang]);
            if (same && other->number != v->number) return label_is_taken(v->label[lang], err);
        }
    return ST_OK;
}

/* Of values that come together. */
static enum status check_new_values(const struct added_value *values, size_t count,
                                    struct err *err) {
    for (size_t i = 0; i < count; i++) {
        TRY(check_words(values[i].name, values[i].label, err));
        for (size_t k = 0; k < i; k++) {
            if (slice_equal(values[k].name, values[i].name))
                return err_set(err, ST_INVALID, "a value stands twice: %.*s", "取值重复：%.*s",
                               (int)values[i].name.len, (const char *)values[i].name.data);
            for (int lang = 0; lang < LANG_COUNT; lang++)
                if (slice_equal(values[k].label[lang], values[i].label[lang]))
                    return label_is_taken(values[i].label[lang], err);
        }
    }
    return ST_OK;
}

/* What declaration_wrong_field can find with a field that passed check_kind. */
static const char *in_chinese(const char *what) {
    static const char *const WORDS[][2] = {
        {"a scale belongs to decimals and is at most 9", "只有 decimal 有小数位数，最多 9 位"},
        {"max and min need numbers, dates or times", "max 和 min 只用于数值、日期或时间"},
        {"a counter is a number that stands alone", "counter 只用于 int 和 decimal"},
        {"the set rule is for sets that stand alone", "set 规则只用于 set 类型"},
        {"the text rule is for notes that stand alone", "text 规则只用于 note 类型"}};
    for (size_t i = 0; i < ARRAY_COUNT(WORDS); i++)
        if (strcmp(WORDS[i][0], what) == 0) return WORDS[i][1];
    return what;
}

/* By making it: type, rule, scale and values as any declaration. */
static enum status check_made(const struct added_field *f, const struct added_value *values,
                              size_t value_count, struct err *err) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct additions own = {.values = (struct added_value *)(uintptr_t)values,
                            .value_count = value_count};
    struct adding a = {.added = &own, .mem = &mem};
    struct names n = {0};
    struct field made;
    enum status status = make_field(&a, f, &n, &made, err);
    if (status == ST_OK && f->group != 0) made.group = "group";
    const char *what = status == ST_OK ? declaration_wrong_field(&made, true) : NULL;
    if (what && is_enum(&made) && !made.values)
        status = err_set(err, ST_INVALID, "an enumeration needs at least one value: --values",
                         "枚举至少需要一个取值：--values");
    else if (what)
        status = err_set(err, ST_INVALID, "type and rule do not go together: %s%.0s",
                         "%.0s类型与规则不符：%s", what, in_chinese(what));
    arena_clear(&mem);
    return status;
}

enum status addition_check_field(const struct catalogue *cat, const struct added_field *f,
                                 const struct added_value *values, size_t value_count,
                                 struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(cat, f->entity);
    if (!e)
        return err_set(err, ST_NOT_FOUND, "no entity with tag %u", "没有标号为 %u 的实体",
                       f->entity);
    TRY(check_kind(e, f, err));
    TRY(check_room(e, f, err));
    TRY(addition_check_field_label(e, f, err));
    TRY(check_new_values(values, value_count, err));
    return check_made(f, values, value_count, err);
}

enum status addition_check_value(const struct catalogue *cat, const struct added_value *v,
                                 struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(cat, v->entity);
    const struct field *f = e ? entity_field_by_tag(e, v->field) : NULL;
    if (!f) return err_set(err, ST_NOT_FOUND, "there is no such field", "没有该字段");
    if (!is_enum(f))
        return err_set(err, ST_INVALID,
                       "%s is no enumeration: values belong to enums and sets of them",
                       "%s 不是枚举：取值只用于枚举及其集合", f->name);
    if (!field_takes_values(f))
        return err_set(err, ST_INVALID,
                       "%s goes by its values in the program itself: a release adds them",
                       "%s 的取值由程序使用：须由新版本增加", f->name);
    TRY(check_words(v->name, v->label, err));
    struct names n = {.values = f->values->values, .value_count = f->values->count};
    if (is_taken(&n, v->name))
        return err_set(err, ST_CONFLICT, "%s has a value of that name already: %.*s",
                       "%s 已有此取值：%.*s", f->name, (int)v->name.len,
                       (const char *)v->name.data);
    return addition_check_value_label(f->values, v, err);
}

/* ------------------------------------------------------------------ checks of edits */

enum status field_check_since(const struct field *f, struct value v, int64_t cursor,
                              struct err *err) {
    struct field loose = *f;
    if (cursor >= f->since) return field_check(f, v, err);
    loose.min = f->loose_min;
    loose.max = f->loose_max;
    return field_check(&loose, v, err);
}

/* A set's elements that stood before may stay. */
static bool adds_retired_element(const struct field *f, struct value now, struct value before) {
    struct slice element, rest = now.kind == VALUE_TEXT ? now.text : (struct slice){0};
    if (f->type != FIELD_SET || f->set_of != FIELD_ENUM) return false;
    while (slice_cut(&rest, '\n', &element)) {
        const struct enum_value *v = enum_by_text(f->values, element);
        if (v && v->retired && !set_has(before, element)) return true;
    }
    return false;
}

enum status field_check_entry(const struct field *f, struct value now, struct value before,
                              struct err *err) {
    if (now.kind == VALUE_NULL || value_equal(now, before)) return ST_OK;
    if (f->retired)
        return err_set(err, ST_INVALID, "%s%.0s is no longer used: head office retired it",
                       "%.0s“%s”已由总部停用，不再填写", f->label[LANG_EN], f->label[LANG_ZH]);
    if (!field_is_retired_for(f, now) && !adds_retired_element(f, now, before)) return ST_OK;
    return err_set(err, ST_INVALID, "%s%.0s: head office retired this value, choose another",
                   "%.0s%s：此取值已由总部停用，请另选", f->label[LANG_EN], f->label[LANG_ZH]);
}

bool field_is_retired_for(const struct field *f, struct value v) {
    if (f->retired) return true;
    if (f->type != FIELD_ENUM || v.kind != VALUE_INT) return false;
    const struct enum_value *value = enum_by_number(f->values, v.number);
    return value && value->retired;
}
