/* Edits meet cells; rows are created, or turn out to be there already. */
#include "syncd/server/merge.h"

#include <string.h>

/* ------------------------------------------------------------------ edits as they will be merged
 */

static enum status resolve_references(struct merge *m, const struct entity *e,
                                      struct merge_edit *me, struct err *err) {
    if (!me->cell || me->edit.kind != EDIT_SET || centre_alias_count(m->c) == 0) return ST_OK;
    for (size_t i = 0; i < me->cell->count && i < me->edit.value_count; i++) {
        const struct value *v = &me->edit.values[i];
        int64_t to;
        if (e->fields[me->cell->first + i].type != FIELD_REF || v->kind != VALUE_INT) continue;
        TRY(centre_alias_resolve(m->c, v->number, &to, err));
        if (to == v->number) continue;
        struct value *copy = ARENA_ARRAY(m->mem, me->edit.value_count, struct value);
        if (!copy) return err_no_memory(err);
        memcpy(copy, me->edit.values, me->edit.value_count * sizeof *copy);
        copy[i] = value_int(to);
        me->edit.values = copy;
    }
    return ST_OK;
}

static enum status prepare(struct merge *m, const struct entity *e, struct merge_edit **out,
                           struct err *err) {
    size_t count = m->change->edit_count;
    struct merge_edit *edits = ARENA_ARRAY(m->mem, count + 1, struct merge_edit);
    if (!edits) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        edits[i].edit = m->change->edits[i];
        edits[i].cell = entity_cell(e, edits[i].edit.cell_tag);
        TRY(resolve_references(m, e, &edits[i], err));
    }
    *out = edits;
    return ST_OK;
}

/* ------------------------------------------------------------------ texts */

/* The text as the author's own batch sent it, under the name that he used. */
static bool sent_text(const struct batch *batch, int64_t named, uint32_t cell_tag,
                      struct value *out) {
    bool found = false;
    for (size_t i = 0; i < batch->change_count; i++) {
        const struct change *change = &batch->changes[i];
        if (change->row != named) continue;
        for (size_t k = 0; k < change->edit_count; k++) {
            const struct edit *edit = &change->edits[k];
            if (edit->cell_tag != cell_tag || edit->value_count != 1) continue;
            *out = edit->values[0];
            found = true;
        }
    }
    return found;
}

static enum status own_text(struct merge *m, uint32_t own, int64_t named, uint32_t cell_tag,
                            struct value *out, bool *out_found, struct err *err) {
    struct journal_entry entry;
    struct batch batch;
    *out_found = false;
    if (own == m->batch->number) {
        *out_found = sent_text(m->batch, named, cell_tag, out);
        return ST_OK;
    }
    enum status status = centre_journal(m->c, m->author.number, own, m->mem, &entry, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    if (status != ST_OK) return status;
    if (entry.reduced != JOURNAL_WHOLE) return ST_OK;
    TRY(batch_read(entry.bytes, m->mem, &batch, err));
    *out_found = sent_text(&batch, named, cell_tag, out);
    return ST_OK;
}

/* What the author of a text was shown. */
static enum status base_text(struct merge *m, struct merge_in *in, struct err *err) {
    struct base base = in->edit->base;
    uint32_t tag = in->cell->tag;
    if (in->cell->rule != RULE_TEXT ||
        clock_is_covered_in(&in->clock, in->life ? in->life->old : 0, in->edit->today,
                            m->author.number, in->named, in->row, in->life))
        return ST_OK;
    if (base.own > 0)
        return own_text(m, base.own, in->named, tag, &in->base_text, &in->has_base_text, err);
    if (in->life && base_is_lost(in->life->lost, in->life->lost_count, base.seq, NULL))
        return ST_OK;         /* it went with its life */
    if (in->named != in->row) /* as it stood on the row that became this one */
        return centre_text_at(m->c, in->named, tag, base.seq, m->mem, &in->base_text,
                              &in->has_base_text, err);
    if (in->clock.seq > base.seq)
        return centre_text_at(m->c, in->row, tag, base.seq, m->mem, &in->base_text,
                              &in->has_base_text, err);
    in->base_text = in->present[0];
    in->has_base_text = true;
    return ST_OK;
}

static struct slice words_of(struct value v) {
    return v.kind == VALUE_TEXT ? v.text : (struct slice){0};
}

/* As merge_cell would, without its outcome. */
static enum status merged_text(struct merge *m, struct merge_in *in, struct value *out,
                               struct err *err) {
    struct former_life room;
    struct slice text;
    struct value mine = in->edit->values[0], present = in->present[0];
    bool overlap;
    TRY(former_fill(m, in, &room, err));
    *out = mine;
    if (clock_is_covered_in(&in->clock, in->life ? in->life->old : 0, in->edit->today,
                            m->author.number, in->named, in->row, in->life))
        return ST_OK;
    TRY(base_text(m, in, err));
    TRY(text_merge(words_of(in->base_text), in->has_base_text, words_of(mine), words_of(present),
                   m->mem, &text, &overlap, err));
    *out = value_text(text);
    return ST_OK;
}

enum status edit_keep_words(struct merge *m, const struct centre_row *row, struct change *change,
                            struct err *err) {
    for (size_t i = 0; i < change->edit_count; i++) {
        struct edit *edit = &change->edits[i];
        const struct cell *cell = entity_cell(row->entity, edit->cell_tag);
        if (!cell || cell->rule != RULE_TEXT || edit->kind != EDIT_SET || edit->value_count != 1)
            continue;
        struct merge_in in = {.entity = row->entity,
                              .cell = cell,
                              .row = row->id,
                              .named = change->row,
                              .present = row->values + cell->first,
                              .clock = *row_clock_of(&row->clock, cell->tag),
                              .edit = edit};
        struct value *values = ARENA_NEW(m->mem, struct value);
        if (!values) return err_no_memory(err);
        TRY(merged_text(m, &in, values, err));
        edit->values = values;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ ledger */

/* Of overlapping texts both passages stand; the ledger shows what the author sent beside what it
 * became. */
static enum status note_loser(struct merge *m, const struct merge_in *in,
                              const struct merge_out *out, struct err *err) {
    bool old = out->loser == LEDGER_OLD;
    struct ledger_entry entry = {.seq = centre_next_seq(m->c),
                                 .entity_tag = in->entity->tag,
                                 .row = in->row,
                                 .cell_tag = in->cell->tag,
                                 .rule = in->cell->rule,
                                 .base_seq = in->edit->base.seq,
                                 .value_count = in->cell->count};
    if (out->loser == LEDGER_NONE) return ST_OK;
    entry.loser_device = old ? in->clock.device : in->edit_clock.device;
    entry.loser_batch = old ? in->clock.batch : in->edit_clock.batch;
    entry.loser_time_ms = old ? in->clock.time_ms : in->edit_clock.time_ms;
    entry.winner_device = old ? in->edit_clock.device : out->clock.device;
    entry.winner_time_ms = old ? in->edit_clock.time_ms : out->clock.time_ms;
    entry.winner_is_new = out->loser != LEDGER_NEW;
    entry.loser = old ? (struct value *)in->present : in->edit->values;
    entry.winner = out->values;
    return centre_ledger_add(m->c, &entry, err);
}

/* ------------------------------------------------------------------ one edit meets one cell */

/* A cell that this release does not know: the last writer stands, whatever its rule is elsewhere.
 */
static enum status unknown_present(struct merge *m, const struct centre_row *row,
                                   const struct edit *edit, struct value **out, struct err *err) {
    struct record_cell *cells;
    size_t count;
    struct value *values = ARENA_ARRAY(m->mem, edit->value_count, struct value);
    if (!values) return err_no_memory(err);
    TRY(centre_more_read(row->more, m->mem, &cells, &count, err));
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; cells[i].cell_tag == edit->cell_tag && k < cells[i].value_count &&
                           k < edit->value_count;
             k++)
            values[k] = cells[i].values[k];
    *out = values;
    return ST_OK;
}

static enum status write_cell(struct merge *m, struct centre_row *row, const struct merge_in *in,
                              bool known, const struct merge_out *out, struct err *err) {
    bool is_set = in->cell->rule == RULE_SET;
    struct record_cell unknown = {in->cell->tag, out->values, in->cell->count};
    if (in->cell->rule == RULE_TEXT)
        TRY(centre_text_keep(m->c, row->id, in->cell->tag, in->clock.seq, in->present[0], err));
    TRY(row_clock_put(&row->clock, in->cell->tag, &out->clock, is_set ? out->dots : NULL,
                      out->dot_count, m->mem, err));
    if (!known) return centre_more_put(row->more, &unknown, m->mem, &row->more, err);
    memcpy(row->values + in->cell->first, out->values, in->cell->count * sizeof *row->values);
    return ST_OK;
}

static enum status fill_in(struct merge *m, struct centre_row *row, struct merge_edit *me,
                           struct cell *unknown, struct merge_in *in, struct err *err) {
    struct value *present = NULL;
    in->edit = &me->edit;
    in->row = row->id;
    in->named = m->change->row;
    in->entity = row->entity;
    in->cell = me->cell ? me->cell : unknown;
    in->clock = *row_clock_of(&row->clock, in->cell->tag);
    in->edit_clock = (struct clock){
        .seq = centre_next_seq(m->c), .device = m->author.number, .batch = m->batch->number};
    TRY(merge_time(m, me->edit.base.seq, &in->edit_clock.time_ms, err));
    if (!me->cell) {
        TRY(unknown_present(m, row, &me->edit, &present, err));
        in->present = present;
        return ST_OK;
    }
    in->present = row->values + me->cell->first;
    if (me->cell->rule == RULE_SET) {
        struct dot *dots;
        TRY(row_clock_dots(&row->clock, me->cell->tag, in->present[0], m->mem, &dots,
                           &in->dot_count, err));
        in->dots = dots;
    }
    return ST_OK;
}

/* What is given back after its successor. What its author had seen did not beat it: what did is
 * not back yet, and the ledger names no winner. */
static enum status supersede(struct merge *m, const struct merge_in *in, struct merge_edit *me,
                             struct err *err) {
    bool seen = clock_is_covered_in(&in->clock, in->life ? in->life->old : 0, in->edit->today,
                                    m->author.number, in->named, in->row, in->life);
    struct value *nothing = ARENA_ARRAY(m->mem, in->cell->count, struct value);
    if (!nothing) return err_no_memory(err);
    struct merge_out out = {.outcome = OUTCOME_LOST,
                            .values = seen ? nothing : (struct value *)in->present,
                            .clock = seen ? (struct clock){0} : in->clock,
                            .loser = LEDGER_NEW};
    me->verdict.outcome = OUTCOME_LOST;
    return note_loser(m, in, &out, err);
}

/* *moved becomes true, and *mask gets the cell, when the row changed. */
static enum status meet(struct merge *m, struct centre_row *row, struct merge_edit *me,
                        uint64_t *mask, bool *moved, struct err *err) {
    struct cell unknown = {
        .tag = me->edit.cell_tag, .rule = RULE_LAST, .count = me->edit.value_count};
    struct merge_in in = {0};
    struct merge_out out;
    struct former_life life;
    bool note = false;
    TRY(fill_in(m, row, me, &unknown, &in, err));
    TRY(former_fill(m, &in, &life, err));
    TRY(merge_stands_on(m, in.named, in.cell->tag, &me->edit.today, err));
    TRY(base_text(m, &in, err));
    TRY(merge_stands_on(m, in.named, in.cell->tag, &me->edit.base, err));
    if (former_is_superseded(m, &in)) return supersede(m, &in, me, err);
    TRY(former_trim(m, &in, &me->edit, err));
    TRY(merge_cell(&in, m->mem, &out, err));
    me->verdict.outcome = out.outcome;
    if (out.outcome != OUTCOME_LOST) TRY(former_note(m, &in, &out, &note, err));
    if (note) out.loser = LEDGER_OLD;
    TRY(note_loser(m, &in, &out, err));
    if (out.outcome == OUTCOME_LOST) return ST_OK;
    if (me->cell) *mask |= (uint64_t)1 << me->cell->index;
    *moved = true;
    return write_cell(m, row, &in, me->cell != NULL, &out, err);
}

/* ------------------------------------------------------------------ edits of a row */

static void tell(struct outcome_change *out, const struct merge_edit *edits, enum outcome outcome) {
    out->outcome = outcome;
    for (size_t i = 0; i < out->edit_count; i++) {
        out->edits[i] = edits[i].verdict;
        if (edits[i].verdict.outcome > out->outcome || out->reason == REASON_NONE)
            out->reason = edits[i].verdict.reason;
        out->outcome = worse(out->outcome, edits[i].verdict.outcome);
    }
}

static enum status hold_refused(struct merge *m, const struct merge_edit *edits, struct err *err) {
    for (size_t i = 0; i < m->change->edit_count; i++) {
        struct merge_edit sent = {.edit = m->change->edits[i]};
        if (!is_taken(edits[i].verdict.outcome)) TRY(merge_hold(m, &sent, edits[i].verdict, err));
    }
    return ST_OK;
}

static bool any_is_taken(const struct merge_edit *edits, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (is_taken(edits[i].verdict.outcome)) return true;
    return false;
}

/* An edit brings a dead row back, and with it its owners, that live as long as it does. */
static enum status bring_back(struct merge *m, struct centre_row *row, struct err *err) {
    bool found;
    if (!row->dead) return ST_OK;
    TRY(merge_revive(m, row->entity, row->id, err));
    return centre_row_read(m->c, row->entity, row->id, m->mem, row, &found, err);
}

static enum status revive_targets(struct merge *m, const struct entity *e,
                                  const struct merge_edit *edits, struct err *err) {
    for (size_t i = 0; i < m->change->edit_count; i++)
        if (edits[i].cell && edits[i].verdict.outcome == OUTCOME_APPLIED)
            TRY(merge_revive_targets(m, e, edits[i].cell, edits[i].edit.values, err));
    return ST_OK;
}

/* Something of what is given back did not decide its cell. */
static bool former_is_undecided(const struct merge *m, const struct merge_edit *edits) {
    bool undecided = false;
    for (size_t i = 0; former_line(m) && i < m->change->edit_count; i++)
        undecided |= edits[i].verdict.outcome >= OUTCOME_LOST;
    return undecided;
}

static enum status merge_taken(struct merge *m, struct centre_row *row, struct merge_edit *edits,
                               struct outcome_change *out, struct err *err) {
    uint64_t mask = 0;
    bool moved = false;
    int64_t prev;
    struct scope_row before;
    TRY(merge_time(m, m->change->edits[0].base.seq, &m->when_ms, err));
    TRY(bring_back(m, row, err));
    TRY(scope_watch(m, row, &before, err));
    prev = row->seq;
    for (size_t i = 0; i < m->change->edit_count; i++)
        if (is_taken(edits[i].verdict.outcome)) TRY(meet(m, row, &edits[i], &mask, &moved, err));
    TRY(hold_refused(m, edits, err));
    TRY(merge_release(m, err));
    if (former_is_undecided(m, edits)) {
        row->whole = centre_next_seq(m->c); /* replicas may show the life before */
        moved = true;
    }
    if (moved) {
        if (former_is_first(m, row)) row->whole = centre_next_seq(m->c);
        TRY(former_change(m, err));
        out->prev = prev;
        out->seq = row->seq = centre_next_seq(m->c);
        TRY(scope_place(m, row, &before, err));
        TRY(centre_row_update(m->c, row, mask, err));
    }
    tell(out, edits, OUTCOME_APPLIED);
    TRY(merge_log(m, LOG_EDIT, row->entity, row->id, out->outcome, err));
    if (moved) TRY(scope_follow(m, row, &before, err));
    TRY(revive_targets(m, row->entity, edits, err));
    return others_taken_over(m, row, edits, err);
}

static const struct outcome_edit DENIED = {OUTCOME_REFUSED, REASON_DENIED};

enum status merge_edits(struct merge *m, const struct entity *e, struct outcome_change *out,
                        struct err *err) {
    struct centre_row row;
    struct merge_edit *edits;
    bool found, permitted;
    TRY(centre_alias_resolve(m->c, m->change->row, &out->row, err));
    TRY(centre_row_read(m->c, e, out->row, m->mem, &row, &found, err));
    if (!found) {
        TRY(merge_restore(m, out->row, &found, err));
        if (found) TRY(centre_row_read(m->c, e, out->row, m->mem, &row, &found, err));
    }
    if (!found)
        return merge_refuse(m, e, out->row,
                            (struct outcome_edit){OUTCOME_REFUSED, REASON_UNKNOWN_ROW}, out, err);
    TRY(scope_permits(m, &row, &permitted, err));
    if (!permitted) return merge_refuse(m, e, out->row, DENIED, out, err);
    TRY(prepare(m, e, &edits, err));
    for (size_t i = 0; i < m->change->edit_count; i++) TRY(judge_edit(m, e, &row, &edits[i], err));
    for (size_t i = 0; i < m->change->edit_count; i++) former_verdict(m, i, &edits[i].verdict);
    if (any_is_taken(edits, m->change->edit_count)) return merge_taken(m, &row, edits, out, err);
    TRY(hold_refused(m, edits, err));
    TRY(merge_release(m, err));
    tell(out, edits, OUTCOME_APPLIED);
    if (former_line(m) && !row.dead) TRY(former_touch(m, &row, err));
    return merge_log(m, LOG_EDIT, e, row.id, out->outcome, err);
}

/* ------------------------------------------------------------------ creation */

static enum status put_created(struct merge *m, struct centre_row *row, const struct merge_edit *me,
                               struct err *err) {
    if (!is_taken(me->verdict.outcome)) return ST_OK;
    if (!me->cell) {
        struct record_cell unknown = {me->edit.cell_tag, me->edit.values, me->edit.value_count};
        return centre_more_put(row->more, &unknown, m->mem, &row->more, err);
    }
    size_t count = me->edit.kind == EDIT_SET ? me->cell->count : 1;
    memcpy(row->values + me->cell->first, me->edit.values, count * sizeof *row->values);
    return ST_OK;
}

/* The row with the same natural key, if there is one. */
static enum status find_twin(struct merge *m, struct centre_row *row, bool *out_found,
                             struct err *err) {
    int64_t id;
    TRY(centre_row_by_key(m->c, row->entity, row->values, &id, err));
    *out_found = id != 0;
    return id ? centre_row_read(m->c, row->entity, id, m->mem, row, out_found, err) : ST_OK;
}

/* The key is the same on both sides. It counts as edited, else a delete that had not seen this row
 * would take it. */
static enum status meet_key(struct merge *m, struct centre_row *twin, struct merge_edit *me,
                            struct err *err) {
    struct clock clock = {.seq = centre_next_seq(m->c), .time_ms = m->when_ms};
    me->verdict.outcome = OUTCOME_MERGED;
    return row_clock_put(&twin->clock, me->cell->tag, &clock, NULL, 0, m->mem, err);
}

static enum status meet_twin(struct merge *m, struct centre_row *twin, struct merge_edit *me,
                             uint64_t *mask, struct err *err) {
    bool moved;
    me->edit.base = me->edit.today = (struct base){0, 0};
    if (!is_taken(me->verdict.outcome)) return ST_OK;
    if (me->cell && judge_is_key(twin->entity, me->cell)) return meet_key(m, twin, me, err);
    if (!me->cell || me->cell->rule != RULE_APPEND) TRY(judge_rule(m, twin, me, &me->verdict, err));
    return is_taken(me->verdict.outcome) ? meet(m, twin, me, mask, &moved, err) : ST_OK;
}

/* The second creation of one natural key makes no row: it becomes an alias, and its cells are
 * concurrent edits. */
static enum status merge_twin(struct merge *m, struct centre_row *twin, struct merge_edit *edits,
                              struct outcome_change *out, struct err *err) {
    uint64_t mask = 0;
    struct scope_row before;
    out->row = twin->id;
    TRY(bring_back(m, twin, err));
    TRY(scope_watch(m, twin, &before, err));
    if (twin->id != m->change->row)
        TRY(centre_alias_add(m->c, centre_next_seq(m->c), m->change->row, twin->id, err));
    for (size_t i = 0; i < m->change->edit_count; i++)
        TRY(meet_twin(m, twin, &edits[i], &mask, err));
    TRY(hold_refused(m, edits, err));
    TRY(merge_release(m, err));
    bool whole = former_is_undecided(m, edits) || former_is_first(m, twin);
    twin->seq = centre_next_seq(m->c);
    if (whole) twin->whole = twin->seq;
    TRY(former_change(m, err));
    TRY(scope_place(m, twin, &before, err));
    TRY(centre_row_update(m->c, twin, mask, err));
    tell(out, edits, OUTCOME_MERGED);
    TRY(merge_log(m, LOG_CREATE, twin->entity, twin->id, out->outcome, err));
    TRY(scope_follow(m, twin, &before, err));
    return revive_targets(m, twin->entity, edits, err);
}

static enum status insert_created(struct merge *m, struct centre_row *row,
                                  const struct merge_edit *edits, struct outcome_change *out,
                                  struct err *err) {
    int64_t seq = centre_next_seq(m->c);
    struct log_homes homes;
    row->id = m->change->row;
    row->seq = row->whole = out->seq = seq;
    row->clock = (struct row_clock){.row = {.seq = seq,
                                            .device = m->author.number,
                                            .batch = m->batch->number,
                                            .time_ms = m->when_ms}};
    TRY(centre_row_insert(m->c, row, err));
    TRY(former_change(m, err));
    TRY(hold_refused(m, edits, err));
    TRY(merge_release(m, err));
    TRY(scope_created(m, row, &homes, err));
    tell(out, edits, OUTCOME_APPLIED);
    TRY(merge_log(m, LOG_CREATE, row->entity, row->id, out->outcome, err));
    return revive_targets(m, row->entity, edits, err);
}

/* A creation that did not come in then does not now; of one that did, some edits may have waited.
 */
static void former_created(const struct merge *m, struct merge_edit *edits,
                           struct outcome_edit *verdict) {
    const struct receipt_line *line = former_line(m);
    if (!line) return;
    bool refused = line->seq == 0 && !is_taken(line->outcome);
    if (refused && is_taken(verdict->outcome))
        *verdict = (struct outcome_edit){line->outcome, line->reason};
    for (size_t i = 0; i < m->change->edit_count; i++) former_verdict(m, i, &edits[i].verdict);
}

/* Given back after head office took the row as another laptop had it. */
static enum status find_recovered(struct merge *m, struct centre_row *row, bool *out_found,
                                  struct err *err) {
    *out_found = false;
    if (!former_line(m)) return ST_OK;
    return centre_row_read(m->c, row->entity, m->change->row, m->mem, row, out_found, err);
}

enum status merge_create(struct merge *m, const struct entity *e, struct outcome_change *out,
                         struct err *err) {
    struct merge_edit *edits;
    struct outcome_edit verdict;
    struct centre_row row = {.entity = e}, twin = {.entity = e};
    struct log_homes homes;
    bool found, permitted;
    TRY(prepare(m, e, &edits, err));
    TRY(judge_create(m, e, edits, &verdict, err));
    TRY(find_recovered(m, &row, &found, err));
    if (found) return merge_twin(m, &row, edits, out, err);
    former_created(m, edits, &verdict);
    if (!is_taken(verdict.outcome)) return merge_refuse(m, e, m->change->row, verdict, out, err);
    TRY(merge_time(m, 0, &m->when_ms, err));
    row.values = ARENA_ARRAY(m->mem, e->field_count, struct value);
    if (!row.values) return err_no_memory(err);
    for (size_t i = 0; i < m->change->edit_count; i++) TRY(put_created(m, &row, &edits[i], err));
    TRY(scope_permits_new(m, e, row.values, &permitted, err));
    if (!permitted) {
        TRY(others_refused_new(m, e, row.values, &homes, err));
        return merge_refuse(m, e, m->change->row, DENIED, out, err);
    }
    twin.values = row.values;
    TRY(find_twin(m, &twin, &found, err));
    if (found) return merge_twin(m, &twin, edits, out, err);
    return insert_created(m, &row, edits, out, err);
}
