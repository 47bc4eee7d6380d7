/* Receipts as columns. The normal line (applied, here, as sent) has nothing to say but its row and
 * what the row's seq was before: seqs follow one another, edits have the seq of their line.
 */
#include "protocol/wire/columns.h"

enum { CELL_OUTCOME, CELL_REASON, CELL_SEQ, CELL_HAS_VALUES };

/* That a change came in late a section of its own tells: older releases know no such reason. */
static enum reason code_reason(struct columns *set, struct column *column, enum reason reason) {
    uint64_t number = reason == REASON_LATE ? REASON_NONE : reason;
    return (enum reason)column_number(set, column, number, REASON_LATE - 1);
}

struct receipt_columns {
    struct columns *set;
    struct shapes shapes;
    struct cell_key *keys; /* writing: of the line at hand */
    struct column batch, at, time, line_count;
    struct column outcome, reason, state, prev, seq, unit_count, unit_state;
    struct id_column row, unit_row;
    int64_t last_seq; /* of the line before that moved its row */
};

static const struct cell_key *keys_of(struct receipt_columns *r, const struct receipt_line *line) {
    for (size_t i = 0; !r->set->coder.reading && i < line->edit_count; i++) {
        r->keys[i] = (struct cell_key){line->edits[i].cell_tag, 0, line->edits[i].value_count};
    }
    return r->keys;
}

static void code_edit(struct receipt_columns *r, struct shape_cell *cell, struct receipt_edit *e,
                      const struct receipt_line *line) {
    struct columns *set = r->set;
    struct column *col = cell->columns;
    e->cell_tag = cell->key.tag;
    e->value_count = cell->key.value_count;
    e->outcome =
        (enum outcome)column_number(set, &col[CELL_OUTCOME], e->outcome, OUTCOME_COUNT - 1);
    e->reason = code_reason(set, &col[CELL_REASON], e->reason);
    e->seq = column_near(set, &col[CELL_SEQ], e->seq, line->seq);
    e->has_values = column_number(set, &col[CELL_HAS_VALUES], e->has_values, 1) != 0;
    e->values = code_items(&set->coder, e->values, e->value_count, sizeof *e->values);
    struct beside beside = {0};
    for (size_t i = 0; i < e->value_count && !columns_failed(set); i++) {
        e->values[i] = column_value(set, &cell->values[i], e->values[i], &beside);
    }
}

static void code_edits(struct receipt_columns *r, struct shape *shape, struct receipt_line *line) {
    struct columns *set = r->set;
    shape_mask(shape, set, keys_of(r, line), line->edit_count, &line->edit_count);
    line->edits = code_items(&set->coder, line->edits, line->edit_count, sizeof *line->edits);
    size_t at = 0;
    for (size_t i = 0; i < line->edit_count && !columns_failed(set); i++) {
        struct shape_cell *cell = shape_next(shape, &at);
        struct receipt_edit e = line->edits[i];
        if (set->coder.reading && cell->key.kind != 0) coder_fail(&set->coder, ST_MALFORMED);
        code_edit(r, cell, &e, line);
        if (set->coder.reading) line->edits[i] = e;
    }
}

static void code_unit(struct receipt_columns *r, struct receipt_line *line) {
    struct columns *set = r->set;
    line->unit_count = (size_t)column_number(set, &r->unit_count, line->unit_count, UNIT_ROWS_MAX);
    line->unit = code_items(&set->coder, line->unit, line->unit_count, sizeof *line->unit);
    for (size_t i = 0; i < line->unit_count && !columns_failed(set); i++) {
        struct unit_state u = line->unit[i];
        u.row = column_id(set, &r->unit_row, u.row);
        u.state = (enum row_state)column_number(set, &r->unit_state, u.state, ROW_GONE);
        if (set->coder.reading) line->unit[i] = u;
    }
}

static void code_line(struct receipt_columns *r, struct receipt_line *line) {
    struct columns *set = r->set;
    struct shape *shape = shapes_pick(&r->shapes, set, 0, 0);
    if (!shape) return;
    if (set->coder.reading && (shape->entity != 0 || shape->kind != 0)) {
        coder_fail(&set->coder, ST_MALFORMED);
    }
    line->outcome = (enum outcome)column_number(set, &r->outcome, line->outcome, OUTCOME_COUNT - 1);
    line->reason = code_reason(set, &r->reason, line->reason);
    line->state = (enum row_state)column_number(set, &r->state, line->state, ROW_GONE);
    line->row = column_id(set, &r->row, line->row);
    line->prev = column_signed(set, &r->prev, line->prev);
    line->seq = column_near(set, &r->seq, line->seq, r->last_seq);
    if (line->seq != 0) r->last_seq = line->seq;
    code_edits(r, shape, line);
    code_unit(r, line);
}

static void code_receipt(struct receipt_columns *r, struct receipt *receipt) {
    struct columns *set = r->set;
    receipt->batch = column_u32(set, &r->batch, receipt->batch);
    receipt->time_ms = column_signed(set, &r->time, receipt->time_ms);
    receipt->line_count =
        (size_t)column_number(set, &r->line_count, receipt->line_count, WIRE_CHANGES_MAX);
    receipt->lines =
        code_items(&set->coder, receipt->lines, receipt->line_count, sizeof *receipt->lines);
    for (size_t i = 0; i < receipt->line_count && !columns_failed(set); i++) {
        struct receipt_line line = receipt->lines[i];
        code_line(r, &line);
        if (set->coder.reading) receipt->lines[i] = line;
    }
    receipt->at = column_near(set, &r->at, receipt->at, r->last_seq);
}

/* What the first line that moved its row is one above. */
static int64_t seq_before(const struct receipt *receipts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < receipts[i].line_count; j++) {
            if (receipts[i].lines[j].seq > 0) return receipts[i].lines[j].seq - 1;
        }
    }
    return 0;
}

static void code_receipts(struct receipt_columns *r, struct receipt **receipts, size_t *count) {
    struct columns *set = r->set;
    *count = (size_t)code_number(&set->coder, *count, WIRE_BATCHES_MAX);
    r->last_seq = code_seq(&set->coder, set->coder.reading ? 0 : seq_before(*receipts, *count));
    shapes_code(&r->shapes, &set->coder);
    *receipts = code_items(&set->coder, *receipts, *count, sizeof **receipts);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct receipt copy = (*receipts)[i];
        code_receipt(r, &copy);
        if (set->coder.reading) (*receipts)[i] = copy;
    }
}

static size_t most_edits(const struct receipt *receipts, size_t count) {
    size_t most = 1;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < receipts[i].line_count; j++) {
            if (receipts[i].lines[j].edit_count > most) most = receipts[i].lines[j].edit_count;
        }
    }
    return most;
}

static void learn(struct receipt_columns *r, const struct receipt *receipts, size_t count) {
    struct coder *c = &r->set->coder;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < receipts[i].line_count && !coder_failed(c); j++) {
            const struct receipt_line *line = &receipts[i].lines[j];
            shapes_learn(&r->shapes, c, 0, 0, keys_of(r, line), line->edit_count);
        }
    }
}

enum status receipts_write(const struct receipt *receipts, size_t count, struct buf *out,
                           struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct columns set;
    columns_start(&set);
    struct receipt_columns r = {.set = &set, .shapes = {.mem = &mem}};
    r.keys = ARENA_ARRAY(&mem, most_edits(receipts, count), struct cell_key);
    struct receipt *items = (struct receipt *)(uintptr_t)receipts;
    if (r.keys) {
        learn(&r, receipts, count);
        code_receipts(&r, &items, &count);
    } else {
        coder_fail(&set.coder, ST_NO_MEMORY);
    }
    return columns_finish(&set, out, NULL, err);
}

enum status receipts_read(struct slice section, struct arena *mem, size_t room,
                          struct receipt **out, size_t *out_count, struct err *err) {
    struct columns set;
    columns_open(&set, section, mem, room);
    struct receipt_columns r = {.set = &set, .shapes = {.mem = mem}};
    struct receipt *receipts = NULL;
    size_t count = 0;
    code_receipts(&r, &receipts, &count);
    TRY(columns_close(&set, err));
    *out = receipts;
    *out_count = count;
    return ST_OK;
}
