/* Head office's own saves: what import and `user add` write, as batches of device 0 through the
 * same merge.
 *
 * Each edit is made on the row as it is now: a set becomes adds and removes, a counter a
 * difference, a group is carried whole.
 */
#include <stdlib.h>
#include <string.h>

#include "syncd/server/server.h"

enum { OFFICE_BATCH_MEMORY = 64 * 1024 * 1024 };

struct office {
    struct server *server;
    struct org *org;
    int64_t import_id;
    struct arena mem;       /* of the batch that is being collected */
    struct change *changes; /* [BATCH_ROWS_MAX] while open */
    size_t count;
    size_t bytes; /* canonical, about */
    int64_t ids[BATCH_ROWS_MAX];
    size_t id_count; /* left of ids */
    size_t id_next;  /* how many to reserve next: doubles */
};

/* ------------------------------------------------------------------ changes */

static enum status edits_check(const struct field_edit *edits, size_t count, struct err *err) {
    for (size_t i = 0; i < count; i++) {
        const struct field *f = edits[i].field;
        if (f->rule == RULE_DERIVED)
            return err_set(err, ST_INVALID, "%s is computed and cannot be given",
                           "%s 由系统计算，不能填写", f->name);
        if (edits[i].kind == FIELD_EDIT_SET) TRY(field_check(f, edits[i].value, err));
    }
    return ST_OK;
}

/* The bytes of the values outlive the row of the file that they came from. */
static enum status value_keep(struct office *office, struct value v, struct value *out,
                              struct err *err) {
    office->bytes += v.text.len + 8;
    return value_copy(v, &office->mem, out) ? ST_OK : err_no_memory(err);
}

static enum status edit_new(struct office *office, struct edit *edit, uint32_t tag,
                            enum edit_kind kind, size_t count, struct err *err) {
    *edit = (struct edit){.cell_tag = tag,
                          .kind = kind,
                          .value_count = count,
                          .values = ARENA_ARRAY(&office->mem, count, struct value)};
    return edit->values ? ST_OK : err_no_memory(err);
}

/* What the set gains and loses when it becomes wanted. */
static enum status set_differences(struct office *office, struct value present, struct value wanted,
                                   struct value *adds, struct value *removes, struct err *err) {
    struct slice rest = wanted.text, element;
    *adds = *removes = value_null();
    while (wanted.kind == VALUE_TEXT && slice_cut(&rest, '\n', &element))
        if (!set_has(present, element)) TRY(set_add(*adds, element, &office->mem, adds, err));
    rest = present.text;
    while (present.kind == VALUE_TEXT && slice_cut(&rest, '\n', &element))
        if (!set_has(wanted, element)) TRY(set_add(*removes, element, &office->mem, removes, err));
    return ST_OK;
}

static enum status elements_edit(struct office *office, const struct cell *cell,
                                 const struct field_edit *given, struct value present,
                                 struct edit *out, struct err *err) {
    TRY(edit_new(office, out, cell->tag, EDIT_ELEMENTS, 2, err));
    struct value kept;
    TRY(value_keep(office, given->value, &kept, err));
    out->values[0] = out->values[1] = value_null();
    switch (given->kind) {
    case FIELD_EDIT_SET:
        return set_differences(office, present, kept, &out->values[0], &out->values[1], err);
    case FIELD_EDIT_ADD: out->values[0] = kept; return ST_OK;
    case FIELD_EDIT_REMOVE: out->values[1] = kept; return ST_OK;
    case FIELD_EDIT_COUNT: break;
    }
    return err_set(err, ST_INVALID, "%s takes elements", "%s 须填写元素", given->field->name);
}

static enum status count_edit(struct office *office, const struct cell *cell,
                              const struct field_edit *given, struct value present,
                              struct edit *out, struct err *err) {
    TRY(edit_new(office, out, cell->tag, EDIT_COUNT, 1, err));
    int64_t was = given->kind == FIELD_EDIT_SET && present.kind == VALUE_INT ? present.number : 0;
    out->values[0] = value_int(given->value.number - was);
    return ST_OK;
}

/* The given edits of one cell become one edit; *out_any false when the row has it already. */
static enum status cell_edit(struct office *office, const struct entity *e, const struct cell *cell,
                             const struct value *present, const struct field_edit *edits,
                             size_t count, struct edit *out, bool *out_any, struct err *err) {
    bool created = present == NULL;
    *out_any = false;
    for (size_t i = 0; i < count; i++) {
        if (entity_cell_of(e, edits[i].field) != cell) continue;
        size_t at = entity_field_index(e, edits[i].field);
        struct value was = created ? value_null() : present[at];
        if (!created && edits[i].kind == FIELD_EDIT_SET && value_equal(was, edits[i].value))
            continue;
        if (created && edits[i].value.kind == VALUE_NULL) continue;
        if (edits[i].kind != FIELD_EDIT_REMOVE)
            TRY(field_check_entry(edits[i].field, edits[i].value, was, err));
        if (!created && cell->rule == RULE_SET) {
            *out_any = true;
            return elements_edit(office, cell, &edits[i], was, out, err);
        }
        if (!created && cell->rule == RULE_COUNTER) {
            *out_any = true;
            return count_edit(office, cell, &edits[i], was, out, err);
        }
        if (!*out_any) {
            TRY(edit_new(office, out, cell->tag, EDIT_SET, cell->count, err));
            for (size_t f = 0; f < cell->count; f++)
                out->values[f] = created ? value_null() : present[cell->first + f];
        }
        *out_any = true;
        TRY(value_keep(office, edits[i].value, &out->values[at - cell->first], err));
    }
    return ST_OK;
}

static enum status change_make(struct office *office, const struct entity *e,
                               const struct value *present, const struct field_edit *edits,
                               size_t count, struct change *out, struct err *err) {
    out->entity_tag = e->tag;
    out->kind = present ? CHANGE_EDIT : CHANGE_CREATE;
    out->edits = ARENA_ARRAY(&office->mem, e->cell_count, struct edit);
    if (!out->edits) return err_no_memory(err);
    for (size_t i = 0; i < e->cell_count; i++) {
        bool any;
        TRY(cell_edit(office, e, &e->cells[i], present, edits, count, &out->edits[out->edit_count],
                      &any, err));
        if (any) out->edit_count++;
    }
    return ST_OK;
}

/* What a new row has where nobody said anything: the first value of each state. all[*count]: room
 * for every field. */
static void defaults_add(const struct entity *e, struct field_edit *all, size_t *count) {
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        bool given = f->rule != RULE_STATE || !f->values || f->values->count == 0;
        for (size_t k = 0; k < *count && !given; k++)
            given = all[k].field == f && all[k].value.kind != VALUE_NULL;
        if (!given)
            all[(*count)++] =
                (struct field_edit){f, FIELD_EDIT_SET, value_int(f->values->values[0].number)};
    }
}

static enum status room_check(const struct office *office, struct err *err) {
    if (office->count < BATCH_ROWS_MAX && office->bytes < BATCH_BYTES_MAX / 2) return ST_OK;
    return err_set(err, ST_TOO_LARGE, "the batch is full", "本批已满");
}

static enum status required_check(const struct entity *e, const struct field_edit *edits,
                                  size_t count, struct err *err) {
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        bool given = !f->required || f->rule == RULE_DERIVED;
        for (size_t k = 0; k < count && !given; k++)
            given = edits[k].field == f && edits[k].value.kind != VALUE_NULL;
        if (!given)
            return err_set(err, ST_INVALID, "%s is required%.0s", "%.0s必须填写：%s",
                           f->label[LANG_EN], f->label[LANG_ZH]);
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ the writer */

static enum status ids_reserve(struct office *office, struct err *err) {
    struct centre *centre = org_centre(office->org);
    TRY(centre_begin(centre, true, err));
    for (size_t i = office->id_next; i > 0; i--) {
        enum status status = centre_office_id(centre, &office->ids[i - 1], err);
        if (status == ST_OK) continue;
        centre_rollback(centre);
        return status;
    }
    TRY(centre_commit(centre, err));
    office->id_count = office->id_next;
    office->id_next = office->id_next < BATCH_ROWS_MAX / 2 ? office->id_next * 2 : BATCH_ROWS_MAX;
    return ST_OK;
}

static void batch_clear(struct office *office) {
    arena_clear(&office->mem);
    office->changes = NULL;
    office->count = office->bytes = 0;
}

static enum status office_begin(void *ctx, struct err *err) {
    struct office *office = ctx;
    batch_clear(office);
    office->changes = ARENA_ARRAY(&office->mem, BATCH_ROWS_MAX, struct change);
    return office->changes ? ST_OK : err_no_memory(err);
}

static enum status office_create(void *ctx, const struct entity *e, const struct field_edit *edits,
                                 size_t count, int64_t *out_id, struct err *err) {
    struct office *office = ctx;
    struct change change = {0};
    struct field_edit all[2 * ENTITY_FIELDS_MAX];
    if (count > ENTITY_FIELDS_MAX) return err_set(err, ST_TOO_LARGE, "too many fields", "字段过多");
    if (count) memcpy(all, edits, count * sizeof all[0]);
    TRY(room_check(office, err));
    TRY(edits_check(edits, count, err));
    TRY(required_check(e, edits, count, err));
    if (office->id_count == 0) TRY(ids_reserve(office, err));
    defaults_add(e, all, &count);
    TRY(change_make(office, e, NULL, all, count, &change, err));
    change.row = office->ids[--office->id_count];
    office->changes[office->count++] = change;
    *out_id = change.row;
    return ST_OK;
}

static enum status office_edit(void *ctx, const struct entity *e, int64_t id,
                               const struct field_edit *edits, size_t count, bool *out_changed,
                               struct err *err) {
    struct office *office = ctx;
    struct change change = {.row = id};
    struct row row;
    TRY(room_check(office, err));
    TRY(edits_check(edits, count, err));
    TRY(store_get(centre_store(org_centre(office->org)), e, id, &office->mem, &row, err));
    TRY(change_make(office, e, row.values, edits, count, &change, err));
    *out_changed = change.edit_count > 0;
    if (change.edit_count > 0) office->changes[office->count++] = change;
    return ST_OK;
}

static enum status receipt_check(const struct receipt *receipt, struct err *err) {
    for (size_t i = 0; i < receipt->line_count; i++) {
        const struct receipt_line *line = &receipt->lines[i];
        if (line->outcome != OUTCOME_REFUSED) continue;
        enum reason reason = line->reason;
        for (size_t k = 0; k < line->edit_count && reason == REASON_NONE; k++)
            reason = line->edits[k].reason;
        char id[ID_TEXT_BYTES];
        id_format(line->row, id);
        return err_set(err, ST_INVALID, "row %s was refused: %s%.0s; see roadbook-server requests",
                       "记录 %s 被拒绝：%.0s%s；请看 roadbook-server requests", id,
                       reason_text(reason, LANG_EN), reason_text(reason, LANG_ZH));
    }
    return ST_OK;
}

static enum status office_commit(void *ctx, struct err *err) {
    struct office *office = ctx;
    struct receipt receipt;
    enum status status = ST_OK;
    if (office->count > 0) {
        status = org_office_save(office->org, office->changes, office->count, 0, office->import_id,
                                 server_person(office->server), &office->mem, &receipt, err);
        if (status == ST_OK) status = receipt_check(&receipt, err);
    }
    batch_clear(office);
    return status;
}

static void office_rollback(void *ctx) {
    batch_clear(ctx);
}

enum status office_open(struct server *server, struct org *org, int64_t import_id,
                        struct office **out, struct err *err) {
    struct office *office = calloc(1, sizeof *office);
    if (!office) return err_no_memory(err);
    office->server = server;
    office->org = org;
    office->import_id = import_id;
    office->id_next = 1;
    office->mem = arena_new(OFFICE_BATCH_MEMORY);
    *out = office;
    return ST_OK;
}

void office_close(struct office **office) {
    if (!*office) return;
    arena_clear(&(*office)->mem);
    free(*office);
    *office = NULL;
}

struct api_writer office_writer(struct office *office) {
    return (struct api_writer){.ctx = office,
                               .begin = office_begin,
                               .create = office_create,
                               .edit = office_edit,
                               .commit = office_commit,
                               .rollback = office_rollback};
}
