/* May a change come in? In this order: is what it names there; does it build on what was refused;
 * does it keep the limits; may its author write it. The first no decides.
 */
#include "protocol/model/addition.h"
#include "syncd/server/merge.h"
#include "syncd/store/centre_compact.h"

#include <string.h>

static const struct outcome_edit TAKEN = {OUTCOME_APPLIED, REASON_NONE};

static struct outcome_edit refused(enum reason reason) {
    return (struct outcome_edit){OUTCOME_REFUSED, reason};
}

static struct outcome_edit waits(enum reason reason) {
    return (struct outcome_edit){OUTCOME_WAITING, reason};
}

static bool is_at_head_office(const struct merge *m) {
    return m->approved || m->author.number == 0 || m->author.role == USER_OFFICE;
}

/* ------------------------------------------------------------------ shape, references, limits */

static bool fits(const struct merge_edit *me, bool creating) {
    const struct edit *edit = &me->edit;
    if (!me->cell) return edit->kind == EDIT_SET && edit->value_count > 0;
    if (me->cell->tag != edit->cell_tag || me->cell->rule == RULE_DERIVED) return false;
    switch (edit->kind) {
    case EDIT_SET:
        if (me->cell->rule == RULE_COUNTER || me->cell->rule == RULE_SET)
            return creating && edit->value_count == 1;
        return edit->value_count == me->cell->count;
    case EDIT_COUNT: return me->cell->rule == RULE_COUNTER && edit->value_count == 1;
    case EDIT_ELEMENTS: return me->cell->rule == RULE_SET && edit->value_count == 2;
    }
    return false;
}

static enum status target_exists(struct merge *m, const struct field *f, struct value v, bool *out,
                                 struct err *err) {
    bool dead;
    const struct entity *target = catalogue_entity(m->cat, slice_from(f->refers_to));
    *out = true;
    if (f->type != FIELD_REF || v.kind != VALUE_INT) return ST_OK;
    *out = false;
    if (!target) return ST_OK;
    TRY(centre_row_probe(m->c, target, v.number, out, &dead, err));
    return *out ? ST_OK : merge_restore(m, v.number, out, err);
}

static enum status targets_exist(struct merge *m, const struct entity *e,
                                 const struct merge_edit *me, bool *out, struct err *err) {
    *out = true;
    if (!me->cell) return ST_OK;
    for (size_t i = 0; i < me->cell->count && *out; i++)
        if (e->fields[me->cell->first + i].type == FIELD_REF)
            TRY(target_exists(m, &e->fields[me->cell->first + i], me->edit.values[i], out, err));
    return ST_OK;
}

static struct outcome_edit elements_within_limits(const struct field *f, const struct edit *edit) {
    struct slice element,
        rest = edit->values[0].kind == VALUE_TEXT ? edit->values[0].text : (struct slice){0};
    for (int i = 0; i < 2; i++)
        if (edit->values[i].kind == VALUE_INT) return refused(REASON_LIMIT);
    while (slice_cut(&rest, '\n', &element))
        if (field_check_element(f, element, NULL) != ST_OK) return refused(REASON_LIMIT);
    return TAKEN;
}

/* Limits that head office changed bind who had seen them. */
static struct outcome_edit within_limits(const struct merge *m, const struct entity *e,
                                         const struct merge_edit *me) {
    const struct edit *edit = &me->edit;
    int64_t cursor = m->author.number == 0 ? INT64_MAX : m->batch->cursor;
    if (!me->cell) return TAKEN;
    const struct field *first = &e->fields[me->cell->first];
    if (edit->kind == EDIT_ELEMENTS) return elements_within_limits(first, edit);
    if (edit->kind == EDIT_COUNT)
        return edit->values[0].kind == VALUE_INT ? TAKEN : refused(REASON_LIMIT);
    for (size_t i = 0; i < me->cell->count; i++) {
        if (field_check_since(&first[i], edit->values[i], cursor, NULL) == ST_OK) continue;
        bool missing = first[i].required && edit->values[i].kind == VALUE_NULL;
        return refused(missing ? REASON_REQUIRED : REASON_LIMIT);
    }
    return TAKEN;
}

/* Two rows with one natural key cannot be: the edit that would make them stays out. */
static enum status key_is_free(struct merge *m, const struct centre_row *row,
                               const struct merge_edit *me, bool *out, struct err *err) {
    const struct entity *e = row->entity;
    int64_t other = 0;
    *out = true;
    if (!me->cell || !judge_is_key(e, me->cell)) return ST_OK;
    struct value *values = ARENA_ARRAY(m->mem, e->field_count, struct value);
    if (!values) return err_no_memory(err);
    memcpy(values, row->values, e->field_count * sizeof *values);
    memcpy(values + me->cell->first, me->edit.values, me->cell->count * sizeof *values);
    TRY(centre_row_by_key(m->c, e, values, &other, err));
    *out = other == 0 || other == row->id;
    return ST_OK;
}

/* A row that would come to own itself through its new owner. */
static enum status closes_a_cycle(struct merge *m, const struct centre_row *row,
                                  const struct merge_edit *me, bool *out, struct err *err) {
    enum { OWNERS_MAX = 64 }; /* no book is that deep */
    const struct entity *e = row->entity;
    *out = false;
    if (e->owner_field < 0 || !me->cell || (size_t)e->owner_field < me->cell->first ||
        (size_t)e->owner_field >= me->cell->first + me->cell->count)
        return ST_OK;
    struct value owner = me->edit.values[(size_t)e->owner_field - me->cell->first];
    for (int depth = 0; owner.kind == VALUE_INT && e && e->owner_field >= 0; depth++) {
        struct centre_row above;
        bool found;
        *out = owner.number == row->id || depth == OWNERS_MAX;
        if (*out) return ST_OK;
        e = catalogue_entity(m->cat, slice_from(e->fields[e->owner_field].refers_to));
        if (!e || e->owner_field < 0) return ST_OK;
        TRY(centre_row_read(m->c, e, owner.number, m->mem, &above, &found, err));
        owner = found ? above.values[e->owner_field] : value_null();
    }
    return ST_OK;
}

/* A text made on top of a refused text holds the refused words. */
static enum status holds_refused_text(struct merge *m, const struct merge_edit *me, bool *out,
                                      struct err *err) {
    struct base base;
    *out = false;
    if (!me->cell || me->cell->rule != RULE_TEXT || me->edit.base.own == 0) return ST_OK;
    return centre_quarantine_find(m->c, m->author.number, me->edit.base.own, m->change->row,
                                  me->edit.cell_tag, &base, out, err);
}

/* ------------------------------------------------------------------ who may write */

bool judge_is_key(const struct entity *e, const struct cell *cell) {
    for (size_t i = 0; i < ENTITY_KEY_MAX && e->key[i]; i++) {
        const struct field *f = entity_field(e, slice_from(e->key[i]));
        if (f && entity_cell_of(e, f) == cell) return true;
    }
    return false;
}

static enum status is_of_same_user(struct merge *m, uint32_t device, bool *out, struct err *err) {
    struct centre_device maker;
    *out = device == m->author.number;
    if (*out) return ST_OK;
    enum status status = centre_device(m->c, device, &maker, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    if (status == ST_OK) *out = maker.user != 0 && maker.user == m->author.user;
    return status;
}

enum status judge_is_author(struct merge *m, const struct centre_row *row, bool *out,
                            struct err *err) {
    const struct entity *e = row->entity;
    *out = true;
    if (m->approved || m->author.number == 0) return ST_OK;
    if (e->author && strcmp(e->author, "id") == 0) {
        *out = row->id == m->author.employee;
        return ST_OK;
    }
    struct value v = e->author_field >= 0 ? row->values[e->author_field] : value_null();
    if (v.kind != VALUE_INT) return is_of_same_user(m, id_device(row->id), out, err);
    *out = m->author.employee != 0 && v.number == m->author.employee;
    return ST_OK;
}

/* The field that names who writes this cell; NULL: the row's author does. */
static const struct field *writer_of(const struct entity *e, const struct cell *cell) {
    const char *name = cell ? e->fields[cell->first].written_by : NULL;
    return name ? entity_field(e, slice_from(name)) : NULL;
}

static bool is_writer(const struct merge *m, const struct centre_row *row,
                      const struct field *writer) {
    struct value v = row->values[entity_field_index(row->entity, writer)];
    return is_at_head_office(m) ||
           (v.kind == VALUE_INT && m->author.employee != 0 && v.number == m->author.employee);
}

static const struct field *freezing_field(const struct entity *e) {
    return e->frozen_field >= 0 ? &e->fields[e->frozen_field] : NULL;
}

static bool is_submitted(const struct centre_row *row) {
    const struct field *f = freezing_field(row->entity);
    if (!f) return false;
    struct value v = row->values[entity_field_index(row->entity, f)];
    return v.kind == VALUE_INT && v.number >= (int64_t)row->entity->frozen_from;
}

bool judge_is_draft(const struct centre_row *row) {
    return freezing_field(row->entity) && !is_submitted(row);
}

/* Edits of the batch that submits the row belong to what was submitted. */
static bool is_frozen(const struct merge *m, const struct centre_row *row) {
    if (!is_submitted(row)) return false;
    const struct cell *cell = entity_cell_of(row->entity, freezing_field(row->entity));
    const struct clock *clock = row_clock_of(&row->clock, cell->tag);
    return !(clock->device == m->author.number && clock->batch == m->batch->number);
}

/* A submitted row does not become a draft again. */
static bool would_thaw(const struct merge *m, const struct centre_row *row,
                       const struct merge_edit *me) {
    const struct field *f = freezing_field(row->entity);
    if (!f || !is_frozen(m, row) || entity_cell_of(row->entity, f) != me->cell) return false;
    struct value v = me->edit.values[entity_field_index(row->entity, f) - me->cell->first];
    return v.kind != VALUE_INT || v.number < (int64_t)row->entity->frozen_from;
}

enum status judge_rule(struct merge *m, const struct centre_row *row, const struct merge_edit *me,
                       struct outcome_edit *out, struct err *err) {
    bool author = true;
    enum rule rule = me->cell ? me->cell->rule : RULE_LAST;
    *out = TAKEN;
    if (rule == RULE_APPEND)
        *out = refused(REASON_APPEND);
    else if (rule == RULE_OFFICE && !is_at_head_office(m))
        *out = waits(REASON_OFFICE);
    else if (rule == RULE_FROZEN && is_frozen(m, row))
        *out = refused(REASON_FROZEN);
    else if (me->cell && would_thaw(m, row, me))
        *out = refused(REASON_FROZEN);
    else if (rule == RULE_OWNER && writer_of(row->entity, me->cell))
        author = is_writer(m, row, writer_of(row->entity, me->cell));
    else if (rule == RULE_OWNER || rule == RULE_FROZEN)
        TRY(judge_is_author(m, row, &author, err));
    if (!author) *out = waits(REASON_OWNER);
    return ST_OK;
}

/* ------------------------------------------------------------------ one edit, creations, deletes
 */

enum status judge_edit(struct merge *m, const struct entity *e, const struct centre_row *row,
                       struct merge_edit *me, struct err *err) {
    bool there, depends, free_key = true, cycle = false;
    me->verdict = TAKEN;
    if (!fits(me, row == NULL)) {
        me->verdict = refused(me->cell ? REASON_LIMIT : REASON_UNKNOWN_FIELD);
        return ST_OK;
    }
    TRY(targets_exist(m, e, me, &there, err));
    if (!there) {
        me->verdict = refused(REASON_UNKNOWN_REFERENCE);
        return ST_OK;
    }
    TRY(holds_refused_text(m, me, &depends, err));
    me->verdict = depends ? refused(REASON_DEPENDS) : within_limits(m, e, me);
    if (!row || !is_taken(me->verdict.outcome)) return ST_OK;
    TRY(key_is_free(m, row, me, &free_key, err));
    TRY(closes_a_cycle(m, row, me, &cycle, err));
    if (!free_key || cycle) {
        me->verdict = refused(cycle ? REASON_CYCLE : REASON_LIMIT);
        return ST_OK;
    }
    return judge_rule(m, row, me, &me->verdict, err);
}

static bool is_given(const struct merge_edit *edits, size_t count, const struct entity *e,
                     size_t field) {
    for (size_t i = 0; i < count; i++) {
        const struct cell *cell = edits[i].cell;
        if (cell && field >= cell->first && field < cell->first + cell->count &&
            edits[i].edit.values[field - cell->first].kind != VALUE_NULL)
            return true;
    }
    return e->fields[field].rule == RULE_DERIVED;
}

/* A laptop of another release may not know what has become required since. */
static bool lacks_required(struct merge *m, const struct entity *e, const struct merge_edit *edits,
                           size_t count) {
    bool same = memcmp(m->author.catalogue.bytes, m->cat->release.bytes, CHAIN_BYTES) == 0;
    if (m->author.number > 0 && !same) return false;
    for (size_t f = 0; f < e->field_count; f++)
        if (e->fields[f].required && !is_given(edits, count, e, f)) return true;
    return false;
}

/* An id is its device's own, and names one row for ever. */
static enum status id_is_free(struct merge *m, const struct entity *e, bool *out, struct err *err) {
    int64_t id = m->change->row, survivor;
    bool found, dead;
    *out = id_is_valid(id) && (m->approved || id_device(id) == m->author.number);
    if (!*out) return ST_OK;
    TRY(centre_alias_resolve(m->c, id, &survivor, err));
    TRY(centre_row_probe(m->c, e, id, &found, &dead, err));
    TRY(centre_was_collected(m->c, id, 0, &dead, err));
    *out = !found && !dead && survivor == id;
    return ST_OK;
}

/* A creation is refused as a whole; but what only head office writes waits, and the rest comes in.
 */
enum status judge_create(struct merge *m, const struct entity *e, struct merge_edit *edits,
                         struct outcome_edit *out, struct err *err) {
    struct outcome_edit verdict = TAKEN;
    bool is_free;
    TRY(id_is_free(m, e, &is_free, err));
    if (!is_free) verdict = refused(REASON_DENIED);
    for (size_t i = 0; i < m->change->edit_count; i++) {
        struct merge_edit *me = &edits[i];
        TRY(judge_edit(m, e, NULL, me, err));
        bool sooner =
            me->verdict.reason == REASON_UNKNOWN_REFERENCE && verdict.reason != REASON_DENIED;
        if (!is_taken(me->verdict.outcome) && (is_taken(verdict.outcome) || sooner))
            verdict = me->verdict;
        if (is_taken(me->verdict.outcome) && me->cell && me->cell->rule == RULE_OFFICE &&
            !is_at_head_office(m))
            me->verdict = waits(REASON_OFFICE);
    }
    if (is_taken(verdict.outcome) && lacks_required(m, e, edits, m->change->edit_count))
        verdict = refused(REASON_REQUIRED);
    if (is_taken(verdict.outcome) && e->office_only && !is_at_head_office(m))
        verdict = waits(REASON_OFFICE);
    *out = verdict;
    return ST_OK;
}

enum status judge_delete(struct merge *m, const struct centre_row *row, struct outcome_edit *out,
                         struct err *err) {
    const struct entity *e = row->entity;
    bool author = true;
    *out = TAKEN;
    if (e->append_only && !is_at_head_office(m))
        *out = refused(REASON_APPEND);
    else if (e->office_only && !is_at_head_office(m))
        *out = waits(REASON_OFFICE);
    else if (is_submitted(row) && is_frozen(m, row))
        *out = refused(REASON_FROZEN);
    else if (judge_is_draft(row))
        TRY(judge_is_author(m, row, &author, err));
    if (!author) *out = waits(REASON_OWNER);
    return ST_OK;
}
