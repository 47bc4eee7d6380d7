/* Homes of rows, from the home rules of the catalogue. */
#include "protocol/model/home.h"

#include <assert.h>
#include <string.h>

int64_t home_make(enum home_class class, int64_t id) {
    assert(class > HOME_CLASS_NONE && class < HOME_CLASS_COUNT && id >= 0 && id <= ID_MAX);
    return ((int64_t) class << (ID_COUNTER_BITS + ID_DEVICE_BITS)) | id;
}

enum home_class home_class(int64_t home) {
    int64_t class = home >> (ID_COUNTER_BITS + ID_DEVICE_BITS);
    return home > 0 && class < HOME_CLASS_COUNT ? (enum home_class) class : HOME_CLASS_NONE;
}

int64_t home_id(int64_t home) {
    return home & ID_MAX;
}

static bool has_id(enum home_class class) {
    return class == HOME_CLASS_OWN || class == HOME_CLASS_TEAM || class == HOME_CLASS_TERRITORY;
}

bool home_is_valid(int64_t home) {
    enum home_class class = home_class(home);
    return class != HOME_CLASS_NONE && has_id(class) == (home_id(home) > 0);
}

void home_write(int64_t home, struct buf *out) {
    static const char *const names[HOME_CLASS_COUNT] = {"none",   "own",    "team", "territory",
                                                        "public", "office", "all"};
    enum home_class class = home_class(home);
    char id[ID_TEXT_BYTES];
    buf_put_text(out, names[class]);
    if (!has_id(class)) return;
    id_format(home_id(home), id);
    buf_put_text(out, " ");
    buf_put_text(out, id);
}

bool homes_have(const struct homes *homes, int64_t home) {
    for (size_t i = 0; i < homes->count; i++)
        if (homes->at[i] == home) return true;
    return false;
}

bool homes_equal(const struct homes *a, const struct homes *b) {
    return a->count == b->count && memcmp(a->at, b->at, a->count * sizeof a->at[0]) == 0;
}

void homes_add(struct homes *homes, int64_t home) {
    if (homes_have(homes, home)) return;
    assert(homes->count < ROW_HOMES_MAX);
    size_t at = homes->count++;
    for (; at > 0 && homes->at[at - 1] > home; at--) homes->at[at] = homes->at[at - 1];
    homes->at[at] = home;
}

/* 0: the rule's field is empty. */
static int64_t rule_id(const struct entity *e, const struct home_rule *rule, int64_t row,
                       const struct value *values) {
    if (!rule->field) return row;
    const struct field *f = entity_field(e, slice_from(rule->field));
    struct value v = f ? values[entity_field_index(e, f)] : value_null();
    return v.kind == VALUE_INT && id_is_valid(v.number) ? v.number : 0;
}

static void add_of_id(struct homes *out, enum home_class class, int64_t id) {
    if (id > 0) homes_add(out, home_make(class, id));
}

static void add_rule(const struct entity *e, const struct home_rule *rule, int64_t row,
                     const struct value *values, const struct homes *of_owner, struct homes *out) {
    switch (rule->kind) {
    case HOME_NONE: break;
    case HOME_TERRITORY: add_of_id(out, HOME_CLASS_TERRITORY, rule_id(e, rule, row, values)); break;
    case HOME_TEAM: add_of_id(out, HOME_CLASS_TEAM, rule_id(e, rule, row, values)); break;
    case HOME_OWN: add_of_id(out, HOME_CLASS_OWN, rule_id(e, rule, row, values)); break;
    case HOME_PUBLIC: homes_add(out, home_make(HOME_CLASS_PUBLIC, 0)); break;
    case HOME_OFFICE: homes_add(out, home_make(HOME_CLASS_OFFICE, 0)); break;
    case HOME_INHERIT:
        for (size_t i = 0; of_owner && i < of_owner->count; i++) homes_add(out, of_owner->at[i]);
        break;
    }
}

void homes_of_row(const struct entity *e, int64_t row, const struct value *values,
                  const struct homes *of_owner, struct homes *out) {
    struct homes homes = {.count = 0};
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++)
        add_rule(e, &e->homes[i], row, values, of_owner, &homes);
    *out = homes;
}

bool homes_inherit(const struct entity *e) {
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++)
        if (e->homes[i].kind == HOME_INHERIT) return true;
    return false;
}

bool homes_depend_on(const struct entity *e, const struct cell *cell) {
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++) {
        const struct home_rule *rule = &e->homes[i];
        const struct field *f = rule->field ? entity_field(e, slice_from(rule->field)) : NULL;
        if (rule->kind == HOME_INHERIT && e->owner_field >= 0) f = &e->fields[e->owner_field];
        if (f && entity_cell_of(e, f) == cell) return true;
    }
    return false;
}
