/* Receipts: what became of each change of a batch, and how things stand now, for whoever sent it
 * and what he may see.
 */
#include "syncd/server/reply.h"

static enum status find_unknown(const struct centre_row *row, uint32_t tag, struct arena *mem,
                                struct value **out, size_t *out_count, struct err *err) {
    struct record_cell *cells;
    size_t count;
    TRY(centre_more_read(row->more, mem, &cells, &count, err));
    *out = NULL;
    *out_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (cells[i].cell_tag != tag) continue;
        *out = cells[i].values;
        *out_count = cells[i].value_count;
    }
    return ST_OK;
}

/* Counts and elements say what was done, not what is there: only a creation can be compared with
 * the value. */
static bool differs(const struct change *change, const struct edit *edit,
                    const struct value *present, size_t count) {
    if (edit->kind != EDIT_SET && change->kind != CHANGE_CREATE) return true;
    if (edit->value_count < count) return true;
    for (size_t i = 0; i < count; i++)
        if (!value_equal(edit->values[i], present[i])) return true;
    return false;
}

/* It names a row that became another, if only for a while: what is written, and what its author
 * shows by now, may be another name than was sent. Who does not see what that became is not told of
 * it, but has to name it so. */
static enum status may_be_renamed(struct centre *c, const struct entity *e, const struct edit *edit,
                                  bool *out, struct err *err) {
    const struct cell *cell = entity_cell(e, edit->cell_tag);
    *out = false;
    for (size_t k = 0; cell && k < cell->count && k < edit->value_count && !*out; k++)
        if (e->fields[cell->first + k].type == FIELD_REF && edit->values[k].kind == VALUE_INT)
            TRY(centre_was_alias(c, edit->values[k].number, out, err));
    return ST_OK;
}

static enum status tell_edit(struct centre *c, const struct centre_row *row,
                             const struct change *change, const struct edit *edit,
                             struct arena *mem, struct receipt_edit *out, struct err *err) {
    const struct cell *cell = entity_cell(row->entity, edit->cell_tag);
    struct value *values = cell ? row->values + cell->first : NULL;
    size_t count = cell ? cell->count : 0;
    if (!cell) TRY(find_unknown(row, edit->cell_tag, mem, &values, &count, err));
    out->seq = row_clock_of(&row->clock, cell ? cell->tag : edit->cell_tag)->seq;
    TRY(may_be_renamed(c, row->entity, edit, &out->has_values, err));
    out->has_values |= differs(change, edit, values, count);
    if (!out->has_values) return ST_OK;
    out->values = values;
    out->value_count = count;
    return ST_OK;
}

/* Nothing happened to the row since, and everything came in as it was sent. */
static enum status is_as_sent(struct centre *c, const struct entity *e, const struct change *change,
                              const struct outcome_change *o, bool *out, struct err *err) {
    int64_t seq;
    *out = false;
    if (change->kind == CHANGE_DELETE || o->outcome != OUTCOME_APPLIED || o->seq == 0) return ST_OK;
    for (size_t i = 0; i < change->edit_count && change->kind == CHANGE_EDIT; i++)
        if (change->edits[i].kind != EDIT_SET) return ST_OK;
    bool renamed = false;
    TRY(centre_row_seq(c, e, o->row, &seq, err));
    for (size_t i = 0; i < change->edit_count && !renamed; i++)
        TRY(may_be_renamed(c, e, &change->edits[i], &renamed, err));
    *out = seq == o->seq && !renamed;
    return ST_OK;
}

static enum status tell_unit(const struct view *view, const struct change *change,
                             struct arena *mem, struct receipt_line *line, struct err *err) {
    struct centre *c = view->c;
    if (change->kind != CHANGE_DELETE) return ST_OK;
    line->unit = ARENA_ARRAY(mem, change->unit_count + 1, struct unit_state);
    if (!line->unit) return err_no_memory(err);
    for (size_t i = 0; i < change->unit_count; i++) {
        const struct entity *e =
            catalogue_entity_by_tag(centre_catalogue(c), change->unit[i].entity_tag);
        int64_t row;
        bool found, dead, sees;
        if (!e) continue;
        TRY(centre_alias_resolve(c, change->unit[i].row, &row, err));
        TRY(centre_row_probe(c, e, row, &found, &dead, err));
        if (!found || dead) continue;
        TRY(view_sees_row(view, e, row, &sees, err));
        line->unit[line->unit_count++] =
            (struct unit_state){change->unit[i].row, sees ? ROW_HERE : ROW_OUT};
    }
    return ST_OK;
}

static enum status tell_unseen(struct centre *c, const struct entity *e, struct receipt_line *line,
                               struct err *err) {
    bool found, dead;
    TRY(centre_row_probe(c, e, line->row, &found, &dead, err));
    line->state = !found ? ROW_GONE : dead ? ROW_DEAD : ROW_OUT;
    return ST_OK;
}

/* Of a row that its author may not see any more a receipt says that, and nothing else. */
static enum status tell_edits(const struct view *view, const struct entity *e,
                              const struct change *change, const struct outcome_change *o,
                              struct arena *mem, struct receipt_line *line, struct err *err) {
    struct centre *c = view->c;
    struct centre_row row;
    bool as_sent, found, sees;
    TRY(view_sees_row(view, e, line->row, &sees, err));
    if (!sees) return tell_unseen(c, e, line, err);
    TRY(is_as_sent(c, e, change, o, &as_sent, err));
    if (as_sent) {
        line->state = ROW_HERE;
        for (size_t i = 0; i < line->edit_count; i++) line->edits[i].seq = o->seq;
        return ST_OK;
    }
    TRY(centre_row_read(c, e, line->row, mem, &row, &found, err));
    line->state = !found ? ROW_GONE : row.dead ? ROW_DEAD : ROW_HERE;
    for (size_t i = 0; i < line->edit_count && line->state == ROW_HERE; i++)
        TRY(tell_edit(c, &row, change, &change->edits[i], mem, &line->edits[i], err));
    return ST_OK;
}

static enum status tell_change(const struct view *view, const struct change *change,
                               const struct outcome_change *o, struct arena *mem,
                               struct receipt_line *line, struct err *err) {
    struct centre *c = view->c;
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(c), change->entity_tag);
    *line = (struct receipt_line){.outcome = o->outcome,
                                  .reason = o->reason,
                                  .state = ROW_GONE,
                                  .prev = o->prev,
                                  .seq = o->seq,
                                  .edit_count = change->edit_count};
    TRY(centre_alias_resolve(c, o->row, &line->row, err));
    line->edits = ARENA_ARRAY(mem, line->edit_count + 1, struct receipt_edit);
    if (!line->edits) return err_no_memory(err);
    for (size_t i = 0; i < line->edit_count; i++)
        line->edits[i] = (struct receipt_edit){.cell_tag = change->edits[i].cell_tag,
                                               .outcome = o->edits[i].outcome,
                                               .reason = o->edits[i].reason};
    if (e) TRY(tell_edits(view, e, change, o, mem, line, err));
    return tell_unit(view, change, mem, line, err);
}

static bool matches(const struct batch *batch, const struct journal_entry *entry) {
    if (batch->change_count != entry->outcome_count) return false;
    for (size_t i = 0; i < batch->change_count; i++)
        if (batch->changes[i].edit_count != entry->outcomes[i].edit_count) return false;
    return true;
}

static enum status seen_receipt(const struct view *view, const struct batch *batch,
                                const struct journal_entry *entry, struct arena *mem,
                                struct receipt *out, struct err *err) {
    struct receipt receipt = {.batch = batch->number,
                              .at = entry->last_seq,
                              .time_ms = entry->received_ms,
                              .line_count = batch->change_count};
    if (!matches(batch, entry))
        return err_set(err, ST_CONFLICT, "batch %u is another one in the journal",
                       "第 %u 批与日志簿不符", (unsigned)batch->number);
    receipt.lines = ARENA_ARRAY(mem, receipt.line_count + 1, struct receipt_line);
    if (!receipt.lines) return err_no_memory(err);
    for (size_t i = 0; i < receipt.line_count; i++)
        TRY(tell_change(view, &batch->changes[i], &entry->outcomes[i], mem, &receipt.lines[i],
                        err));
    *out = receipt;
    return ST_OK;
}

enum status reply_receipt(struct centre *c, const struct batch *batch,
                          const struct journal_entry *entry, struct arena *mem, struct receipt *out,
                          struct err *err) {
    struct view office = {.c = c, .all = true};
    return seen_receipt(&office, batch, entry, mem, out, err);
}

enum status reply_receipts(const struct view *view, uint32_t device,
                           const struct round_request *request, struct arena *mem,
                           struct round_reply *out, struct err *err) {
    size_t given = request->given ? request->given->batch_count : 0;
    if (given + request->batch_count == 0) return ST_OK;
    out->receipts = ARENA_ARRAY(mem, given + request->batch_count, struct receipt);
    if (!out->receipts) return err_no_memory(err);
    for (size_t i = 0; i < given + request->batch_count; i++) {
        const struct batch *batch =
            i < given ? &request->given->batches[i] : &request->batches[i - given];
        struct journal_entry entry;
        if (batch->number > out->last_batch) break; /* it waits */
        TRY(centre_journal(view->c, device, batch->number, mem, &entry, err));
        TRY(seen_receipt(view, batch, &entry, mem, &out->receipts[out->receipt_count++], err));
    }
    return ST_OK;
}
