/* Edits: from what the person touched, and what they were shown, to what is logged.
 *
 * A form may be older than the row. What it changed is logged on the base of what it showed, so
 * that the server sees what the author had not seen; only a text is merged here at once, since the
 * text that the form showed could be one that folding takes away, and counts and elements are
 * put on today's value.
 */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <string.h>

/* One cell of one save. */
struct touch {
    const struct cell *cell;
    struct edit edit;
    struct value *values; /* of the cell, as the person sees it then */
    bool changed;
    struct pending pending;
};

struct editing {
    struct store *store;
    struct local local;
    const struct form *form;
    const struct field_edit *edits;
    size_t count;
    uint32_t batch;
    struct arena *mem;
    struct touch *touches;
    size_t touch_count;
    uint64_t mask;        /* cells that change */
    uint64_t refs;        /* fields that the person gave */
    struct value *values; /* the row as it will be */
};

static const struct value *shown_values(const struct editing *ed, const struct cell *cell) {
    return &(ed->form ? ed->form->values : ed->local.values)[cell->first];
}

static const struct value *present_values(const struct editing *ed, const struct cell *cell) {
    return &ed->local.values[cell->first];
}

static bool values_equal(const struct value *a, const struct value *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!value_equal(a[i], b[i])) return false;
    return true;
}

/* What the form showed may have been undone since. */
static enum status form_base(const struct editing *ed, const struct cell *cell, struct base today,
                             struct base *out, struct err *err) {
    *out = today;
    if (!ed->form) return ST_OK;
    *out = ed->form->bases[cell->index];
    return emptied_resolve(ed->store->db, ed->local.id, cell->tag, out, err);
}

static enum status wrong_kind(const struct field *f, struct err *err) {
    return err_set(err, ST_INVALID, "%s cannot be edited that way", "%s不能这样修改", f->name);
}

/* ------------------------------------------------------------------ by rule */

static enum status touch_plain(struct editing *ed, struct touch *t, struct err *err) {
    const struct cell *cell = t->cell;
    const struct value *shown = shown_values(ed, cell), *present = present_values(ed, cell);
    bool touched = false;
    t->values = ARENA_ARRAY(ed->mem, cell->count, struct value);
    if (!t->values) return err_no_memory(err);
    memcpy(t->values, shown, cell->count * sizeof *shown);
    for (size_t i = 0; i < ed->count; i++) {
        const struct field *f = ed->edits[i].field;
        if (entity_cell_of(ed->local.e, f) != cell) continue;
        if (ed->edits[i].kind != FIELD_EDIT_SET) return wrong_kind(f, err);
        size_t at = entity_field_index(ed->local.e, f) - cell->first;
        touched |= !value_equal(ed->edits[i].value, shown[at]);
        t->values[at] = ed->edits[i].value;
    }
    t->changed = touched && !values_equal(t->values, present, cell->count);
    t->edit = (struct edit){.kind = EDIT_SET, .values = t->values, .value_count = cell->count};
    return ST_OK;
}

/* A text of an old form is merged at once, and stands on today's base then. */
static enum status touch_text(struct editing *ed, struct touch *t, struct err *err) {
    struct value shown = *shown_values(ed, t->cell), present = *present_values(ed, t->cell);
    TRY(touch_plain(ed, t, err));
    if (!t->changed || value_equal(shown, present)) return ST_OK;
    struct slice merged;
    bool overlap;
    TRY(text_merge(shown.text, true, t->values[0].text, present.text, ed->mem, &merged, &overlap,
                   err));
    t->values[0] = value_text(merged);
    t->changed = !value_equal(t->values[0], present);
    return ST_OK;
}

static int64_t number_or_zero(struct value v) {
    return v.kind == VALUE_INT ? v.number : 0;
}

/* "Set to" is a delta against what was shown. */
static enum status touch_counter(struct editing *ed, struct touch *t, struct err *err) {
    int64_t delta = 0, total, present = number_or_zero(*present_values(ed, t->cell));
    bool fits = true;
    for (size_t i = 0; i < ed->count; i++) {
        const struct field_edit *given = &ed->edits[i];
        if (entity_cell_of(ed->local.e, given->field) != t->cell) continue;
        if (given->kind != FIELD_EDIT_COUNT && given->kind != FIELD_EDIT_SET)
            return wrong_kind(given->field, err);
        int64_t by = number_or_zero(given->value);
        if (given->kind == FIELD_EDIT_SET)
            fits &= !__builtin_sub_overflow(by, number_or_zero(*shown_values(ed, t->cell)), &by);
        fits &= !__builtin_add_overflow(delta, by, &delta);
    }
    fits &= !__builtin_add_overflow(present, delta, &total);
    if (!fits) return err_set(err, ST_INVALID, "the number is too large", "数值过大");
    t->values = ARENA_ARRAY(ed->mem, 2, struct value);
    if (!t->values) return err_no_memory(err);
    t->values[0] = value_int(total);
    t->values[1] = value_int(delta);
    t->changed = delta != 0;
    t->edit = (struct edit){.kind = EDIT_COUNT, .values = &t->values[1], .value_count = 1};
    return ST_OK;
}

static struct slice text_or_empty(struct value v) {
    return v.kind == VALUE_TEXT ? v.text : (struct slice){0};
}

/* An add says something where the person did not see the element, a remove where it stands now. */
static enum status touch_element(struct editing *ed, struct touch *t, struct slice element,
                                 bool add, struct err *err) {
    struct value shown = *shown_values(ed, t->cell), *adds = &t->edit.values[0],
                 *removes = &t->edit.values[1];
    TRY(field_check_element(&ed->local.e->fields[t->cell->first], element, err));
    if (add) {
        TRY(set_remove(*removes, element, ed->mem, removes, err));
        if (!set_has(t->values[0], element) || !set_has(shown, element))
            TRY(set_add(*adds, element, ed->mem, adds, err));
        return set_add(t->values[0], element, ed->mem, &t->values[0], err);
    }
    TRY(set_remove(*adds, element, ed->mem, adds, err));
    if (set_has(*present_values(ed, t->cell), element))
        TRY(set_add(*removes, element, ed->mem, removes, err));
    return set_remove(t->values[0], element, ed->mem, &t->values[0], err);
}

static enum status touch_elements(struct editing *ed, struct touch *t, struct slice elements,
                                  struct value not_in, bool add, struct err *err) {
    struct slice rest = elements, element;
    while (slice_cut(&rest, '\n', &element))
        if (!set_has(not_in, element)) TRY(touch_element(ed, t, element, add, err));
    return ST_OK;
}

static enum status touch_set(struct editing *ed, struct touch *t, struct err *err) {
    struct value shown = *shown_values(ed, t->cell);
    t->values = ARENA_ARRAY(ed->mem, 3, struct value);
    if (!t->values) return err_no_memory(err);
    t->values[0] = *present_values(ed, t->cell);
    t->edit = (struct edit){.kind = EDIT_ELEMENTS, .values = &t->values[1], .value_count = 2};
    for (size_t i = 0; i < ed->count; i++) {
        const struct field_edit *given = &ed->edits[i];
        if (entity_cell_of(ed->local.e, given->field) != t->cell) continue;
        struct slice elements = text_or_empty(given->value);
        if (given->kind == FIELD_EDIT_COUNT) return wrong_kind(given->field, err);
        if (given->kind == FIELD_EDIT_SET) {
            TRY(touch_elements(ed, t, text_or_empty(shown), given->value, false, err));
            TRY(touch_elements(ed, t, elements, shown, true, err));
        } else {
            TRY(touch_elements(ed, t, elements, value_null(), given->kind == FIELD_EDIT_ADD, err));
        }
    }
    t->changed = t->edit.values[0].kind != VALUE_NULL || t->edit.values[1].kind != VALUE_NULL;
    return ST_OK;
}

/* ------------------------------------------------------------------ bases */

static const struct edit *edit_of(const struct change *change, uint32_t cell) {
    for (size_t i = 0; change && i < change->edit_count; i++)
        if (change->edits[i].cell_tag == cell) return &change->edits[i];
    return NULL;
}

static enum status set_bases(struct editing *ed, struct touch *t, struct err *err) {
    struct base today, shown;
    TRY(cell_base(ed->store->db, &ed->local, t->cell->tag, &today, err));
    TRY(form_base(ed, t->cell, today, &shown, err));
    t->edit.cell_tag = t->cell->tag;
    t->edit.today = today;
    t->edit.base = today;
    if (t->edit.kind == EDIT_ELEMENTS && t->edit.values[1].kind != VALUE_NULL) t->edit.base = shown;
    if (t->edit.kind == EDIT_SET && t->cell->rule != RULE_TEXT)
        t->edit.base = t->edit.today = shown;
    return pending_get(ed->store->db, ed->local.id, t->cell->tag, ed->mem, &t->pending, err);
}

/* ------------------------------------------------------------------ putting it together */

static enum status touch_cell(struct editing *ed, const struct cell *cell, struct err *err) {
    struct touch *t = &ed->touches[ed->touch_count];
    *t = (struct touch){.cell = cell};
    if (cell->rule == RULE_COUNTER)
        TRY(touch_counter(ed, t, err));
    else if (cell->rule == RULE_SET)
        TRY(touch_set(ed, t, err));
    else if (cell->rule == RULE_TEXT)
        TRY(touch_text(ed, t, err));
    else
        TRY(touch_plain(ed, t, err));
    if (!t->changed) return ST_OK;
    TRY(set_bases(ed, t, err));
    memcpy(&ed->values[cell->first], t->values, cell->count * sizeof *t->values);
    ed->mask |= cell_bit(cell);
    ed->touch_count++;
    return ST_OK;
}

static enum status plan(struct editing *ed, struct err *err) {
    const struct entity *e = ed->local.e;
    uint64_t cells = 0;
    ed->touches = ARENA_ARRAY(ed->mem, e->cell_count + 1, struct touch);
    ed->values = local_copy(&ed->local, ed->mem);
    if (!ed->touches || !ed->values) return err_no_memory(err);
    for (size_t i = 0; i < ed->count; i++) {
        TRY(check_may_edit(e, ed->local.values, ed->edits[i].field, err));
        cells |= cell_bit(entity_cell_of(e, ed->edits[i].field));
        ed->refs |= (uint64_t)1 << entity_field_index(e, ed->edits[i].field);
    }
    for (size_t c = 0; c < e->cell_count; c++)
        if (cells & cell_bit(&e->cells[c])) TRY(touch_cell(ed, &e->cells[c], err));
    return ST_OK;
}

/* What others added may have gone beyond the limit: taking out must go. */
static uint64_t growing_cells(const struct editing *ed) {
    uint64_t cells = ed->mask;
    for (size_t i = 0; i < ed->touch_count; i++) {
        const struct touch *t = &ed->touches[i];
        if (t->edit.kind == EDIT_ELEMENTS && t->edit.values[0].kind == VALUE_NULL)
            cells &= ~cell_bit(t->cell);
    }
    return cells;
}

static bool key_changes(const struct editing *ed) {
    const struct entity *e = ed->local.e;
    for (size_t i = 0; i < ENTITY_KEY_MAX && e->key[i]; i++) {
        size_t at = entity_field_index(e, entity_field(e, slice_from(e->key[i])));
        if (!value_equal(ed->values[at], ed->local.values[at])) return true;
    }
    return false;
}

static enum status check_plan(struct editing *ed, struct err *err) {
    const struct entity *e = ed->local.e;
    struct edit *edits = ARENA_ARRAY(ed->mem, ed->touch_count, struct edit);
    if (!edits) return err_no_memory(err);
    TRY(check_values(e, ed->values, growing_cells(ed), err));
    TRY(check_not_retired(e, ed->values, ed->local.values, err));
    TRY(check_refs(ed->store, e, ed->local.id, ed->values, ed->refs, err));
    if (key_changes(ed)) TRY(check_key(ed->store, e, ed->local.id, ed->values, err));
    for (size_t i = 0; i < ed->touch_count; i++) {
        struct touch *t = &ed->touches[i];
        if (t->edit.kind == EDIT_SET)
            t->edit.values = &ed->values[t->cell->first]; /* aliases are resolved there */
        edits[i] = t->edit;
    }
    struct change probe = {.kind = CHANGE_EDIT,
                           .entity_tag = e->tag,
                           .row = ed->local.id,
                           .edits = edits,
                           .edit_count = ed->touch_count};
    return save_room(ed->store, &probe, err);
}

/* A second edit of a cell in one transaction becomes one with the first, on the first one's base.
 */
static enum status combine(struct editing *ed, const struct edit *first, struct edit *edit,
                           struct err *err) {
    edit->base = first->base;
    edit->today = first->today;
    if (edit->kind == EDIT_COUNT) {
        if (__builtin_add_overflow(edit->values[0].number, first->values[0].number,
                                   &edit->values[0].number))
            return err_set(err, ST_INVALID, "the number is too large", "数值过大");
    } else if (edit->kind == EDIT_ELEMENTS) {
        struct slice element, rest = text_or_empty(first->values[0]);
        struct value adds = edit->values[0], removes = edit->values[1];
        while (slice_cut(&rest, '\n', &element))
            if (!set_has(edit->values[1], element))
                TRY(set_add(adds, element, ed->mem, &adds, err));
        for (rest = text_or_empty(first->values[1]); slice_cut(&rest, '\n', &element);)
            if (!set_has(edit->values[0], element))
                TRY(set_add(removes, element, ed->mem, &removes, err));
        edit->values[0] = adds;
        edit->values[1] = removes;
    }
    return ST_OK;
}

static enum status note_import_edit(struct editing *ed, const struct touch *t, struct err *err) {
    const struct batch *b = &ed->store->laptop->save.batch;
    struct buf before SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct buf after SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    values_write(present_values(ed, t->cell), t->cell->count, &before);
    values_write(&ed->values[t->cell->first], t->cell->count, &after);
    TRY(buf_status(&before, err));
    TRY(buf_status(&after, err));
    TRY(db_prepare(
        ed->store->db,
        "INSERT INTO import_row(import_id, batch, row_id, cell, entity, before, after) VALUES "
        "(?,?,?,?,?,?,?)"
        " ON CONFLICT(import_id, batch, row_id, cell) DO UPDATE SET after = excluded.after",
        &s, err));
    db_bind_int(s, 1, b->import_id);
    db_bind_int(s, 2, b->number);
    db_bind_int(s, 3, ed->local.id);
    db_bind_int(s, 4, t->cell->tag);
    db_bind_int(s, 5, ed->local.e->tag);
    db_bind_blob(s, 6, buf_slice(&before));
    db_bind_blob(s, 7, buf_slice(&after));
    return db_run(s, err);
}

static enum status log_touch(struct editing *ed, struct touch *t, struct change *change,
                             struct err *err) {
    struct db *db = ed->store->db;
    const struct edit *first = edit_of(change, t->cell->tag);
    if (first) TRY(combine(ed, first, &t->edit, err));
    TRY(before_put(db, ed->batch, ed->local.id, t->cell->tag, present_values(ed, t->cell),
                   t->cell->count, err));
    struct pending p = t->pending;
    int64_t low = t->edit.today.seq;
    if (!p.found || low < p.base_seq) p.base_seq = low;
    p.own = ed->batch;
    TRY(pending_put(db, ed->local.e->tag, ed->local.id, t->cell->tag, &p, err));
    if (ed->store->laptop->save.batch.import_id != 0) TRY(note_import_edit(ed, t, err));
    return change_put_edit(ed->store, change, &t->edit, err);
}

/* A row made in this very batch: its creation takes the new values. */
static enum status log_on_creation(struct editing *ed, struct change *creation, struct err *err) {
    for (size_t i = 0; i < ed->touch_count; i++) {
        const struct cell *cell = ed->touches[i].cell;
        struct edit edit = {.cell_tag = cell->tag,
                            .kind = EDIT_SET,
                            .values = &ed->values[cell->first],
                            .value_count = cell->count};
        bool empty = true;
        for (size_t k = 0; k < cell->count; k++) empty &= edit.values[k].kind == VALUE_NULL;
        if (empty)
            change_drop_edit(creation, cell->tag);
        else
            TRY(change_put_edit(ed->store, creation, &edit, err));
    }
    return ST_OK;
}

static enum status log_edits(struct editing *ed, const struct refusal_id *retry, struct err *err) {
    struct change *change = save_creation(ed->store, ed->local.id);
    if (change) {
        TRY(log_on_creation(ed, change, err));
    } else {
        TRY(save_change(ed->store, ed->local.e, ed->local.id, &change, err));
        for (size_t i = 0; i < ed->touch_count; i++)
            TRY(log_touch(ed, &ed->touches[i], change, err));
    }
    return change_add_retries(ed->store, change, retry, retry ? 1 : 0, err);
}

enum status save_edit(struct store *store, const struct entity *e, int64_t id,
                      const struct field_edit *edits, size_t count, const struct form *form,
                      const struct refusal_id *retry, bool *out_changed, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    assert(store->laptop && store->laptop->save.open);
    struct editing ed = {.store = store,
                         .form = form,
                         .edits = edits,
                         .count = count,
                         .mem = &mem,
                         .batch = store->laptop->save.batch.number};
    TRY(alias_resolve(store->db, id, &id, err));
    TRY(local_visible(store, e, id, &mem, &ed.local, err));
    if (form && form->row != id)
        return err_set(err, ST_CONFLICT,
                       "this row became another since the form was opened: open it again",
                       "表单打开后该记录已并入另一条：请重新打开");
    TRY(plan(&ed, err));
    if (ed.touch_count > 0) {
        TRY(check_plan(&ed, err));
        TRY(log_edits(&ed, retry, err));
        TRY(local_write(store, &ed.local, ed.mask, ed.values, err));
    }
    *out_changed = ed.touch_count > 0;
    return ST_OK;
}

enum status store_edit(struct store *store, const struct entity *e, int64_t id,
                       const struct field_edit *edits, size_t count, const struct form *form,
                       bool *out_changed, struct err *err) {
    TRY(added_check(store, e, err));
    return save_edit(store, e, id, edits, count, form, NULL, out_changed, err);
}

enum status store_form(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                       struct form *out, struct err *err) {
    struct local local;
    TRY(local_visible(store, e, id, mem, &local, err));
    struct form form = {
        .row = id, .values = local.values, .bases = ARENA_ARRAY(mem, e->cell_count, struct base)};
    if (!form.bases) return err_no_memory(err);
    for (size_t c = 0; c < e->cell_count; c++) {
        if (e->cells[c].rule == RULE_DERIVED) continue;
        TRY(cell_base(store->db, &local, e->cells[c].tag, &form.bases[c], err));
    }
    *out = form;
    return ST_OK;
}
