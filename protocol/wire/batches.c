/* The batches of a push as columns. What is read is exactly what was written, in the same order,
 * since the canonical bytes of each batch are what its signature covers.
 */
#include "protocol/wire/columns.h"

/* Columns of a shape of changes, and of its cells. */
enum { OF_BASE_SEQ, OF_BASE_OWN, OF_UNIT_COUNT, OF_RETRY_COUNT };
enum { CELL_BASE_SEQ, CELL_BASE_OWN, CELL_TODAY_SEQ, CELL_TODAY_OWN };

struct batch_columns {
    struct columns *set;
    struct shapes shapes;
    struct cell_key *keys; /* writing: of the change at hand */
    struct column number, flags, cursor, wall, boot_number, boot, steps, import_id, change_count;
    struct column unit_entity, unit_seq, unit_own, unit_cells, unit_tag, unit_cell_seq,
        unit_cell_own;
    struct id_column unit_row;
    struct column retry_batch, retry_change, retry_cell;
};

static const struct cell_key *keys_of(struct batch_columns *b, const struct change *change) {
    for (size_t i = 0; !b->set->coder.reading && i < change->edit_count; i++) {
        const struct edit *e = &change->edits[i];
        b->keys[i] = (struct cell_key){e->cell_tag, e->kind, e->value_count};
    }
    return b->keys;
}

static void code_base_columns(struct batch_columns *b, struct shape_cell *cell, struct edit *e,
                              struct base expected) {
    struct columns *set = b->set;
    struct column *col = cell->columns;
    e->base.seq = column_near(set, &col[CELL_BASE_SEQ], e->base.seq, expected.seq);
    e->base.own = column_u32_near(set, &col[CELL_BASE_OWN], e->base.own, expected.own);
    e->today.seq = column_near(set, &col[CELL_TODAY_SEQ], e->today.seq, e->base.seq);
    e->today.own = column_u32_near(set, &col[CELL_TODAY_OWN], e->today.own, e->base.own);
}

static void code_edit_columns(struct batch_columns *b, struct shape_cell *cell, struct edit *e,
                              struct base expected, struct beside *beside) {
    struct coder *c = &b->set->coder;
    if (c->reading) {
        if (cell->key.kind > EDIT_ELEMENTS) coder_fail(c, ST_MALFORMED);
        e->cell_tag = cell->key.tag;
        e->kind = (enum edit_kind)cell->key.kind;
        e->value_count = cell->key.value_count;
    }
    code_base_columns(b, cell, e, expected);
    e->values = code_items(c, e->values, e->value_count, sizeof *e->values);
    for (size_t i = 0; i < e->value_count && !columns_failed(b->set); i++) {
        e->values[i] = column_value(b->set, &cell->values[i], e->values[i], beside);
    }
}

/* All edits of a change mostly have one base: it stands with the change, and the edits name their
 * distance from it. */
static void code_edits(struct batch_columns *b, struct shape *shape, struct change *change) {
    struct columns *set = b->set;
    shape_mask(shape, set, keys_of(b, change), change->edit_count, &change->edit_count);
    change->edits =
        code_items(&set->coder, change->edits, change->edit_count, sizeof *change->edits);
    if (change->edit_count == 0 || columns_failed(set)) return;
    struct base base = change->edits[0].base;
    base.seq = column_signed(set, &shape->columns[OF_BASE_SEQ], base.seq);
    base.own = column_u32(set, &shape->columns[OF_BASE_OWN], base.own);
    size_t at = 0;
    struct beside beside = {0};
    for (size_t i = 0; i < change->edit_count && !columns_failed(set); i++) {
        code_edit_columns(b, shape_next(shape, &at), &change->edits[i], base, &beside);
    }
}

static void code_unit_row(struct batch_columns *b, struct unit_row *u) {
    struct columns *set = b->set;
    u->entity_tag = column_u32(set, &b->unit_entity, u->entity_tag);
    u->row = column_id(set, &b->unit_row, u->row);
    u->base.seq = column_signed(set, &b->unit_seq, u->base.seq);
    u->base.own = column_u32(set, &b->unit_own, u->base.own);
    u->cell_count = (size_t)column_number(set, &b->unit_cells, u->cell_count, SHAPE_CELLS_MAX);
    u->cells = code_items(&set->coder, u->cells, u->cell_count, sizeof *u->cells);
    for (size_t i = 0; i < u->cell_count && !columns_failed(set); i++) {
        struct unit_cell *cell = &u->cells[i];
        cell->cell_tag = column_u32(set, &b->unit_tag, cell->cell_tag);
        cell->base.seq = column_near(set, &b->unit_cell_seq, cell->base.seq, u->base.seq);
        cell->base.own = column_u32(set, &b->unit_cell_own, cell->base.own);
    }
}

static void code_unit(struct batch_columns *b, struct shape *shape, struct change *change) {
    struct columns *set = b->set;
    change->unit_count = (size_t)column_number(set, &shape->columns[OF_UNIT_COUNT],
                                               change->unit_count, UNIT_ROWS_MAX);
    change->unit = code_items(&set->coder, change->unit, change->unit_count, sizeof *change->unit);
    for (size_t i = 0; i < change->unit_count && !columns_failed(set); i++) {
        code_unit_row(b, &change->unit[i]);
    }
}

static void code_retries(struct batch_columns *b, struct shape *shape, struct change *change) {
    struct columns *set = b->set;
    change->retry_count = (size_t)column_number(set, &shape->columns[OF_RETRY_COUNT],
                                                change->retry_count, WIRE_CHANGES_MAX);
    change->retry_of =
        code_items(&set->coder, change->retry_of, change->retry_count, sizeof *change->retry_of);
    for (size_t i = 0; i < change->retry_count && !columns_failed(set); i++) {
        struct refusal_id *id = &change->retry_of[i];
        id->batch = column_u32(set, &b->retry_batch, id->batch);
        id->change = column_u32(set, &b->retry_change, id->change);
        id->cell_tag = column_u32(set, &b->retry_cell, id->cell_tag);
    }
}

static void code_change_columns(struct batch_columns *b, struct change *change) {
    struct columns *set = b->set;
    struct shape *shape = shapes_pick(&b->shapes, set, change->entity_tag, change->kind);
    if (!shape) return;
    if (shape->kind > CHANGE_DELETE) coder_fail(&set->coder, ST_MALFORMED);
    change->entity_tag = shape->entity;
    change->kind = (enum change_kind)shape->kind;
    change->row = column_id(set, &shape->rows, change->row);
    code_edits(b, shape, change);
    code_unit(b, shape, change);
    code_retries(b, shape, change);
    bool sound = columns_failed(set) || !set->coder.reading || change_is_sound(change);
    if (!sound) coder_fail(&set->coder, ST_MALFORMED);
}

/* wall clock less boot clock is the same all day, unless one of them stepped. */
static void code_stamp(struct batch_columns *b, struct stamp *stamp) {
    stamp->wall_ms = column_signed(b->set, &b->wall, stamp->wall_ms);
    stamp->boot_number = column_u32(b->set, &b->boot_number, stamp->boot_number);
    stamp->boot_ms = column_near(b->set, &b->boot, stamp->boot_ms, stamp->wall_ms);
    stamp->steps_ms = column_signed(b->set, &b->steps, stamp->steps_ms);
}

static void code_batch_columns(struct batch_columns *b, struct batch *batch) {
    struct columns *set = b->set;
    batch->number = column_u32(set, &b->number, batch->number);
    batch->flags = column_u32(set, &b->flags, batch->flags);
    batch->cursor = column_signed(set, &b->cursor, batch->cursor);
    code_stamp(b, &batch->stamp);
    batch->import_id = column_signed(set, &b->import_id, batch->import_id);
    batch->change_count =
        (size_t)column_number(set, &b->change_count, batch->change_count, WIRE_CHANGES_MAX);
    batch->changes =
        code_items(&set->coder, batch->changes, batch->change_count, sizeof *batch->changes);
    for (size_t i = 0; i < batch->change_count && !columns_failed(set); i++) {
        code_change_columns(b, &batch->changes[i]);
    }
}

static void code_batches(struct batch_columns *b, struct batch **batches, size_t *count) {
    struct columns *set = b->set;
    *count = (size_t)code_number(&set->coder, *count, WIRE_BATCHES_MAX);
    shapes_code(&b->shapes, &set->coder);
    *batches = code_items(&set->coder, *batches, *count, sizeof **batches);
    size_t changes = 0;
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct batch copy = (*batches)[i];
        code_batch_columns(b, &copy);
        if (set->coder.reading) (*batches)[i] = copy;
        changes += copy.change_count;
        if (changes > WIRE_CHANGES_MAX) coder_fail(&set->coder, ST_TOO_LARGE);
    }
}

static size_t most_edits(const struct batch *batches, size_t count) {
    size_t most = 1;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < batches[i].change_count; j++) {
            size_t edits = batches[i].changes[j].edit_count;
            if (edits > most) most = edits;
        }
    }
    return most;
}

static void learn(struct batch_columns *b, const struct batch *batches, size_t count) {
    struct coder *c = &b->set->coder;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < batches[i].change_count && !coder_failed(c); j++) {
            const struct change *change = &batches[i].changes[j];
            shapes_learn(&b->shapes, c, change->entity_tag, change->kind, keys_of(b, change),
                         change->edit_count);
        }
    }
}

enum status batches_write(const struct batch *batches, size_t count, struct buf *out,
                          struct cuts *cuts, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct columns set;
    columns_start(&set);
    struct batch_columns b = {.set = &set, .shapes = {.mem = &mem}};
    b.keys = ARENA_ARRAY(&mem, most_edits(batches, count), struct cell_key);
    struct batch *items = (struct batch *)(uintptr_t)batches;
    if (b.keys) {
        learn(&b, batches, count);
        code_batches(&b, &items, &count);
    } else {
        coder_fail(&set.coder, ST_NO_MEMORY);
    }
    return columns_finish(&set, out, cuts, err);
}

enum status batches_read(struct slice section, struct arena *mem, size_t room, struct batch **out,
                         size_t *out_count, struct err *err) {
    struct columns set;
    columns_open(&set, section, mem, room);
    struct batch_columns b = {.set = &set, .shapes = {.mem = mem}};
    struct batch *batches = NULL;
    size_t count = 0;
    code_batches(&b, &batches, &count);
    TRY(columns_close(&set, err));
    *out = batches;
    *out_count = count;
    return ST_OK;
}
