/* What a declaration must fulfil. A wrong one is a fault of the program, found when it starts and
 * by every test, with its place: never later, in somebody's book.
 */
#include "protocol/model/catalogue.h"

#include <string.h>

static enum status wrong(struct err *err, const struct entity *e, const struct field *f,
                         const char *what) {
    return err_set(err, ST_INTERNAL, "declaration of %s%s%s: %s", "声明 %s%s%s 有误：%s",
                   e->name ? e->name : "(no name)", f ? "." : "",
                   f ? (f->name ? f->name : "(no name)") : "", what);
}

bool declaration_is_name(const char *s) {
    if (!s || *s < 'a' || *s > 'z') return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_')) return false;
    return true;
}

static bool has_labels(const char *const label[LANG_COUNT]) {
    for (int lang = 0; lang < LANG_COUNT; lang++)
        if (!label[lang] || !*label[lang]) return false;
    return true;
}

static bool is_same(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static const struct entity *find_entity(const struct entity *entities, size_t count,
                                        const char *name) {
    for (size_t i = 0; i < count; i++)
        if (is_same(entities[i].name, name)) return &entities[i];
    return NULL;
}

static const struct field *find_field(const struct entity *e, const char *name) {
    return name ? entity_field(e, slice_from(name)) : NULL;
}

static bool is_number(enum field_type type) {
    return type == FIELD_INT || type == FIELD_DECIMAL || type == FIELD_MONEY;
}

/* ------------------------------------------------------------------ enumerations */

static const char *wrong_enumeration(const struct enumeration *values) {
    if (!declaration_is_name(values->name) || values->count == 0)
        return "the enumeration has no name or no values";
    for (size_t i = 0; i < values->count; i++) {
        const struct enum_value *v = &values->values[i];
        if (v->number == 0 || !declaration_is_name(v->name))
            return "an enumeration value has no number or no name";
        if (!has_labels(v->label)) return "an enumeration value lacks a label in one language";
        for (size_t k = 0; k < i; k++)
            if (values->values[k].number == v->number || is_same(values->values[k].name, v->name))
                return "two enumeration values share number or name";
    }
    for (size_t i = 0; i < values->illegal_count; i++)
        if (!enum_by_number(values, values->illegal[i][0]) ||
            !enum_by_number(values, values->illegal[i][1]))
            return "an illegal step names an unknown value";
    return NULL;
}

/* ------------------------------------------------------------------ fields */

static const char *wrong_type(const struct field *f) {
    bool is_enum = f->type == FIELD_ENUM || (f->type == FIELD_SET && f->set_of == FIELD_ENUM);
    bool is_ref = f->type == FIELD_REF || (f->type == FIELD_SET && f->set_of == FIELD_REF);
    if (f->type == FIELD_SET && f->set_of != FIELD_TEXT && !is_enum && !is_ref)
        return "a set is of text, enum or ref";
    if (f->type == FIELD_SET && is_ref)
        return "a set of references is not supported by the merge: make rows of them";
    if (is_enum != (f->values != NULL)) return "an enumeration belongs to enums, and only to them";
    if (is_ref != (f->refers_to != NULL)) return "a target belongs to references, and only to them";
    if (f->scale > FIELD_SCALE_MAX || (f->scale != 0 && f->type != FIELD_DECIMAL))
        return "a scale belongs to decimals and is at most 9";
    if (f->type == FIELD_MONEY && !f->group) return "money stands in a group with its currency";
    if (f->min > f->max) return "the least value is above the greatest";
    if (f->owns && (f->type != FIELD_REF || !f->required))
        return "an owner is a required reference";
    if (f->search > SEARCH_WEIGHT_MAX) return "the search weight is above 10";
    return is_enum ? wrong_enumeration(f->values) : NULL;
}

/* first: the field opens its cell; the others of a group follow its fate. */
static const char *wrong_rule(const struct field *f, bool first) {
    bool ordered = is_number(f->type) || f->type == FIELD_DATE || f->type == FIELD_TIME;
    if ((f->rule == RULE_DERIVED) != (f->derive != NULL))
        return "derived fields, and only they, have SQL";
    switch (f->rule) {
    case RULE_LAST:
    case RULE_OWNER:
    case RULE_OFFICE:
    case RULE_FROZEN:
    case RULE_APPEND: return NULL;
    case RULE_MAX:
    case RULE_MIN: return !first || ordered ? NULL : "max and min need numbers, dates or times";
    case RULE_STATE: return !first || f->type == FIELD_ENUM ? NULL : "a state is an enum";
    case RULE_COUNTER:
        return is_number(f->type) && !f->group ? NULL : "a counter is a number that stands alone";
    case RULE_SET:
        return f->type == FIELD_SET && !f->group ? NULL
                                                 : "the set rule is for sets that stand alone";
    case RULE_TEXT:
        return f->type == FIELD_NOTE && !f->group ? NULL
                                                  : "the text rule is for notes that stand alone";
    case RULE_DERIVED:
        return !f->required && !f->group ? NULL
                                         : "a derived field stands alone and is never required";
    case RULE_COUNT: break;
    }
    return "there is no such rule";
}

const char *declaration_wrong_field(const struct field *f, bool first) {
    if (!declaration_is_name(f->name) || is_same(f->name, "id"))
        return "a name is a-z, 0-9 and _, and not id";
    if (f->group && !declaration_is_name(f->group)) return "a group's name is a-z, 0-9 and _";
    if (!has_labels(f->label)) return "a label lacks one language";
    const char *what = wrong_type(f);
    return what ? what : wrong_rule(f, first);
}

/* Returns what is wrong with the field at index among its neighbours. */
static const char *wrong_writer(const struct entity *e, const struct field *f) {
    if (!f->written_by) return NULL;
    if (f->rule != RULE_OWNER) return "only what an owner writes has a writer";
    for (size_t i = 0; i < e->field_count; i++)
        if (is_same(e->fields[i].name, f->written_by))
            return e->fields[i].type == FIELD_REF ? NULL : "a writer is named by a reference";
    return "there is no field of that name for the writer";
}

static const char *wrong_place(const struct entity *e, size_t index) {
    const struct field *f = &e->fields[index];
    const struct field *before = index > 0 ? f - 1 : NULL;
    bool joins = before && is_same(before->group, f->group);
    if (f->tag == 0 || (before && f->tag <= before->tag)) return "tags ascend from 1";
    if (joins && before->rule != f->rule) return "the fields of a group have one rule";
    const char *writer = wrong_writer(e, f);
    if (writer) return writer;
    for (size_t i = 0; i < index; i++) {
        if (is_same(e->fields[i].name, f->name)) return "two fields share a name";
        if (f->owns && e->fields[i].owns) return "a row has one owner";
        if (!joins && is_same(e->fields[i].group, f->group))
            return "the fields of a group are neighbours";
    }
    return NULL;
}

static enum status check_field(const struct entity *e, size_t index, const struct entity *entities,
                               size_t count, struct err *err) {
    const struct field *f = &e->fields[index];
    bool first = index == 0 || !is_same(e->fields[index - 1].group, f->group);
    const char *what = declaration_wrong_field(f, first);
    if (!what && f->refers_to && !find_entity(entities, count, f->refers_to))
        what = "it refers to no entity";
    if (!what) what = wrong_place(e, index);
    return what ? wrong(err, e, f, what) : ST_OK;
}

/* ------------------------------------------------------------------ entities */

static const char *wrong_freezing(const struct entity *e) {
    const struct field *state = find_field(e, e->frozen_by);
    bool has_frozen = false;
    for (size_t i = 0; i < e->field_count; i++) has_frozen |= e->fields[i].rule == RULE_FROZEN;
    if (has_frozen != (e->frozen_by != NULL))
        return "frozen fields, and only they, need a state that freezes";
    if (!e->frozen_by) return NULL;
    if (!state || state->rule != RULE_STATE || !state->values ||
        !enum_by_number(state->values, e->frozen_from))
        return "what freezes a row is one of its states";
    return NULL;
}

static const char *wrong_names(const struct entity *e) {
    const struct field *author = find_field(e, e->author);
    if (!find_field(e, e->title)) return "the title is no field";
    for (size_t i = 0; i < ENTITY_KEY_MAX && e->key[i]; i++) {
        const struct field *f = find_field(e, e->key[i]);
        if (!f || f->rule == RULE_DERIVED) return "the natural key names no field that is sent";
    }
    if (e->author && !is_same(e->author, "id") && (!author || author->type != FIELD_REF))
        return "the author is a reference, or id";
    return NULL;
}

static const char *wrong_home(const struct entity *e, const struct home_rule *home, bool owned) {
    const struct field *f = find_field(e, home->field);
    switch (home->kind) {
    case HOME_NONE: return home->field ? "no home has no field" : NULL;
    case HOME_PUBLIC:
    case HOME_OFFICE: return home->field ? "this home has no field" : NULL;
    case HOME_INHERIT: return home->field || !owned ? "only an owned row inherits its homes" : NULL;
    case HOME_TERRITORY:
    case HOME_TEAM:
    case HOME_OWN:
        return home->field && (!f || f->type != FIELD_REF) ? "a home is named by a reference"
                                                           : NULL;
    }
    return "there is no such home";
}

static const char *wrong_homes(const struct entity *e) {
    bool owned = false;
    for (size_t i = 0; i < e->field_count; i++) owned |= e->fields[i].owns;
    if (e->homes[0].kind == HOME_NONE) return "a row needs a home";
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++) {
        const char *what = wrong_home(e, &e->homes[i], owned);
        if (what) return what;
    }
    return NULL;
}

/* Owners lead to an entity without owner, in fewer steps than there are entities. */
static bool owners_end(const struct entity *e, const struct entity *entities, size_t count) {
    for (size_t steps = 0; e && steps <= count; steps++) {
        const char *owner = NULL;
        for (size_t i = 0; i < e->field_count; i++)
            if (e->fields[i].owns) owner = e->fields[i].refers_to;
        if (!owner) return true;
        e = find_entity(entities, count, owner);
    }
    return false;
}

static const char *wrong_entity(const struct entity *entities, size_t index) {
    const struct entity *e = &entities[index];
    if (!declaration_is_name(e->name)) return "a name is a-z, 0-9 and _";
    if (!has_labels(e->label)) return "a label lacks one language";
    if (e->tag == 0 || (index > 0 && e->tag <= entities[index - 1].tag))
        return "tags ascend from 1";
    if (find_entity(entities, index, e->name)) return "two entities share a name";
    size_t built_in = 0;
    bool fits = e->field_count <= ENTITY_FIELDS_MAX;
    for (size_t i = 0; fits && i < e->field_count; i++) built_in += !field_is_added(&e->fields[i]);
    if (built_in == 0 || built_in > ENTITY_BUILT_IN_MAX)
        return "an entity has 1 to 40 fields of its own";
    if (e->field_count - built_in > ENTITY_ADDED_MAX) return "at most 24 fields can be added";
    return NULL;
}

enum status declaration_check(const struct entity *entities, size_t count, struct err *err) {
    if (count == 0 || count > ENTITY_COUNT_MAX)
        return err_set(err, ST_INTERNAL, "a catalogue has 1 to %d entities",
                       "目录须有 1 至 %d 个实体", (int)ENTITY_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *what = wrong_entity(entities, i);
        if (what) return wrong(err, &entities[i], NULL, what);
    }
    for (size_t i = 0; i < count; i++) {
        const struct entity *e = &entities[i];
        for (size_t k = 0; k < e->field_count; k++) TRY(check_field(e, k, entities, count, err));
        const char *what = wrong_names(e);
        if (!what) what = wrong_freezing(e);
        if (!what) what = wrong_homes(e);
        if (!what && !owners_end(e, entities, count)) what = "the row would own itself";
        if (what) return wrong(err, e, NULL, what);
    }
    return ST_OK;
}
