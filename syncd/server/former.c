/* Changes of a life that the server forgot meet those of the present one.
 *
 * A change that is given back brings the seq that its receipt had. Bases of the lost branch cover
 * it by that seq, and a cell notes the old seq up to which it has seen everything: what is given
 * back below that goes to the ledger only, as does what had lost then.
 */
#include "syncd/server/merge.h"
#include "syncd/store/lives.h"

#include <string.h>

const struct receipt_line *former_line(const struct merge *m) {
    if (!m->former || !m->former->receipt) return NULL;
    return &m->former->receipt->lines[m->change_at];
}

int64_t former_seq(const struct merge *m) {
    const struct receipt_line *line = former_line(m);
    if (!line) return 0;
    return line->seq > 0 ? line->seq : m->former->receipt->at;
}

void former_verdict(const struct merge *m, size_t edit, struct outcome_edit *verdict) {
    const struct receipt_line *line = former_line(m);
    if (line && !is_taken(line->edits[edit].outcome))
        *verdict = (struct outcome_edit){line->edits[edit].outcome, line->edits[edit].reason};
}

bool former_had_lost(const struct merge *m, uint32_t cell_tag) {
    const struct receipt_line *line = former_line(m);
    for (size_t i = 0; line && i < line->edit_count; i++)
        if (line->edits[i].cell_tag == cell_tag) return line->edits[i].outcome == OUTCOME_LOST;
    return false;
}

static enum status fill_dots(struct merge *m, const struct merge_in *in, struct former_life *room,
                             struct err *err) {
    if (in->dot_count == 0) return ST_OK;
    int64_t upto, *old = ARENA_ARRAY(m->mem, in->dot_count, int64_t);
    if (!old) return err_no_memory(err);
    for (size_t i = 0; i < in->dot_count; i++)
        TRY(centre_old(m->c, in->dots[i].clock.seq, 0, &old[i], &upto, err));
    room->dot_old = old;
    return ST_OK;
}

enum status former_fill(struct merge *m, struct merge_in *in, struct former_life *room,
                        struct err *err) {
    if (!m->former) return ST_OK;
    *room = (struct former_life){
        .lost = m->former->lost, .lost_count = m->former->lost_count, .edit_old = former_seq(m)};
    TRY(centre_old(m->c, in->clock.seq, in->cell->tag, &room->old, &room->upto, err));
    TRY(centre_fact_upto(m->c, in->clock.seq, in->cell->tag, &room->fact, err));
    TRY(fill_dots(m, in, room, err));
    in->life = room;
    return ST_OK;
}

enum status former_trim(struct merge *m, const struct merge_in *in, struct edit *edit,
                        struct err *err) {
    int64_t old = former_seq(m);
    if (old == 0 || in->cell->rule != RULE_SET || edit->values[0].kind != VALUE_TEXT) return ST_OK;
    struct slice rest = edit->values[0].text, element;
    struct value left = value_null();
    while (slice_cut(&rest, '\n', &element)) {
        int64_t upto;
        TRY(centre_removed(m->c, in->row, in->cell->tag, element, &upto, err));
        if (old > upto) TRY(set_add(left, element, m->mem, &left, err));
    }
    struct value *values = ARENA_ARRAY(m->mem, edit->value_count, struct value);
    if (!values) return err_no_memory(err);
    memcpy(values, edit->values, edit->value_count * sizeof *values);
    values[0] = left;
    edit->values = values;
    return ST_OK;
}

static bool replaces(enum rule rule) {
    return rule != RULE_COUNTER && rule != RULE_SET && rule != RULE_TEXT;
}

bool former_is_superseded(const struct merge *m, const struct merge_in *in) {
    int64_t old = former_seq(m);
    if (old == 0) return false;
    return former_had_lost(m, in->cell->tag) || old <= in->life->fact ||
           (replaces(in->cell->rule) && old <= in->life->upto);
}

static enum status note_removes(struct merge *m, const struct merge_in *in, struct err *err) {
    const struct edit *edit = in->edit;
    bool lost = base_is_lost(m->former->lost, m->former->lost_count, edit->base.seq, NULL);
    if (in->cell->rule != RULE_SET || edit->kind != EDIT_ELEMENTS || !lost ||
        edit->values[1].kind != VALUE_TEXT)
        return ST_OK;
    struct slice rest = edit->values[1].text, element;
    while (slice_cut(&rest, '\n', &element)) {
        if (element.len > CENTRE_REMOVED_ELEMENT_MAX) continue;
        TRY(centre_removed_put(m->c, in->row, in->cell->tag, element, edit->base.seq, err));
    }
    return ST_OK;
}

/* A value that combines what was given back with what is of this life is no longer what any fact
 * could say. Between going back and noticing, the server wrote in this life as well. */
static enum status note_fact(struct merge *m, const struct merge_in *in, struct err *err) {
    const struct former_life *life = in->life;
    struct centre_head head;
    int64_t seq = centre_next_seq(m->c), before = in->clock.seq;
    bool mixed = false;
    TRY(centre_head(m->c, &head, err));
    if (head.recovering && !replaces(in->cell->rule)) {
        TRY(centre_cell_is_mixed(m->c, before, in->cell->tag, &mixed, err));
        mixed |= life->edit_old == 0 || base_is_lost(life->lost, life->lost_count, before, NULL);
    }
    if (!mixed && life->fact == 0) return ST_OK;
    return centre_fact_mark(m->c, seq, in->cell->tag, life->fact, mixed, err);
}

/* What is covered by its old seq, or stood there when the lives parted, may have been beaten
 * unseen, by what the author saw: unless it is his own sequel, or the row stood at that change when
 * this one came. */
static bool may_be_beaten(const struct merge *m, const struct merge_in *in, struct base base) {
    const struct receipt_line *line = former_line(m);
    struct base own = {0, base.own};
    int64_t stood = in->life->old;
    if (stood == 0) (void)base_is_lost(in->life->lost, in->life->lost_count, base.seq, &stood);
    if (line && (in->life->old > 0 ? line->prev == stood : line->prev <= stood)) return false;
    return !clock_is_covered(&in->clock, own, m->author.number, in->named, in->row);
}

/* Nobody misses what never was. */
static bool is_empty(const struct merge_in *in) {
    for (size_t i = 0; i < in->cell->count; i++)
        if (in->present[i].kind != VALUE_NULL) return false;
    return true;
}

enum status former_note(struct merge *m, const struct merge_in *in, const struct merge_out *out,
                        bool *out_note, struct err *err) {
    *out_note = false;
    if (!m->former) return ST_OK;
    const struct former_life *life = in->life;
    struct base base = in->edit->today;
    bool seen = clock_is_covered_in(&in->clock, life->old, base, m->author.number, in->named,
                                    in->row, life);
    bool lost = base_is_lost(life->lost, life->lost_count, base.seq, NULL);
    int64_t old = life->edit_old > 0 && out->clock.device != 0 ? life->edit_old : 0;
    int64_t upto = life->edit_old;
    if (life->edit_old == 0 && lost) upto = base.seq; /* whatever it met here */
    if (life->edit_old == 0 && seen && life->upto > upto) upto = life->upto;
    TRY(note_removes(m, in, err));
    TRY(note_fact(m, in, err));
    *out_note =
        seen && lost && replaces(in->cell->rule) && !is_empty(in) && may_be_beaten(m, in, base);
    if (life->edit_old == 0 && upto == 0) return ST_OK;
    return centre_old_put(m->c, centre_next_seq(m->c), in->cell->tag, old, upto, err);
}

enum status former_covers(struct merge *m, const struct clock *clock, uint32_t cell_tag,
                          struct base base, int64_t row, bool *out, struct err *err) {
    struct former_life life = {0};
    *out = clock_is_covered(clock, base, m->author.number, row, row);
    if (!m->former || !base_is_lost(m->former->lost, m->former->lost_count, base.seq, NULL))
        return ST_OK;
    life.lost = m->former->lost;
    life.lost_count = m->former->lost_count;
    TRY(centre_old(m->c, clock->seq, cell_tag, &life.old, &life.upto, err));
    *out = clock_is_covered_in(clock, life.old, base, m->author.number, row, row, &life);
    return ST_OK;
}

enum status former_change(struct merge *m, struct err *err) {
    int64_t old = former_seq(m);
    return old > 0 ? centre_old_put(m->c, centre_next_seq(m->c), 0, old, old, err) : ST_OK;
}

bool former_is_first(const struct merge *m, const struct centre_row *row) {
    return m->former && row->seq < m->former->start;
}

enum status former_touch(struct merge *m, struct centre_row *row, struct err *err) {
    row->seq = row->whole = centre_next_seq(m->c);
    return centre_row_update(m->c, row, 0, err);
}
