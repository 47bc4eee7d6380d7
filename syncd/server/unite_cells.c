/* The cells of two rows that become one. What stood on the loser is compared, later, with edits
 * that name the loser; so whatever comes over from it remembers where it stood.
 */
#include <string.h>

#include "syncd/server/unite_private.h"

/* ------------------------------------------------------------------ clocks */

/* A change that comes over from the loser. Of more rows than are remembered the oldest go: then an
 * edit that names one of them counts as concurrent. */
static enum status came_over(struct unite *u, const struct clock *from, struct clock *out,
                             struct err *err) {
    size_t skip = from->was_count >= CLOCK_WAS_MAX ? 1 : 0, count = from->was_count - skip;
    struct clock_was *was = ARENA_ARRAY(u->m->mem, count + 1, struct clock_was);
    if (!was) return err_no_memory(err);
    if (count > 0) memcpy(was, from->was + skip, count * sizeof *was);
    was[count] = (struct clock_was){u->from.id, from->seq};
    *out = *from;
    out->seq = u->seq;
    out->via = from->via ? from->via : u->from.id;
    out->was = was;
    out->was_count = count + 1;
    return ST_OK;
}

static struct clock server_clock(const struct unite *u) {
    return (struct clock){.seq = u->seq, .time_ms = u->m->now_ms};
}

/* ------------------------------------------------------------------ what stands */

static const struct unite_choice *choice_of(const struct unite *u, const struct cell *cell) {
    for (size_t i = 0; i < u->choice_count; i++)
        if (entity_cell_of(u->to.entity, u->choices[i].field) == cell) return &u->choices[i];
    return NULL;
}

static bool is_empty(const struct value *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (values[i].kind != VALUE_NULL) return false;
    return true;
}

static bool are_equal(const struct value *a, const struct value *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!value_equal(a[i], b[i])) return false;
    return true;
}

/* One of both named the other: the row does not name itself. */
static bool names_itself(const struct unite *u, const struct cell *cell,
                         const struct value *values) {
    for (size_t i = 0; i < cell->count; i++) {
        const struct field *f = &u->to.entity->fields[cell->first + i];
        if (f->type != FIELD_REF || strcmp(f->refers_to, u->to.entity->name) != 0 ||
            values[i].kind != VALUE_INT)
            continue;
        if (values[i].number == u->from.id || values[i].number == u->to.id) return true;
    }
    return false;
}

static enum status put(struct unite *u, const struct cell *cell, const struct value *values,
                       const struct clock *clock, const struct dot *dots, size_t dot_count,
                       struct err *err) {
    struct centre_row *to = &u->to;
    const struct clock *was = row_clock_of(&to->clock, cell->tag);
    if (cell->rule == RULE_TEXT)
        TRY(centre_text_keep(u->m->c, to->id, cell->tag, was->seq, to->values[cell->first], err));
    TRY(row_clock_put(&to->clock, cell->tag, clock, dots, dot_count, u->m->mem, err));
    memcpy(to->values + cell->first, values, cell->count * sizeof *values);
    u->mask |= (uint64_t)1 << cell->index;
    return ST_OK;
}

/* ------------------------------------------------------------------ the ledger */

static bool was_edited(const struct centre_row *row, const struct cell *cell) {
    return row_clock_of(&row->clock, cell->tag) != &row->clock.row;
}

/* Nothing that nobody ever wrote loses nothing. */
static enum status note_loser(struct unite *u, const struct cell *cell, const struct centre_row *of,
                              const struct value *loser, const struct clock *lost,
                              const struct clock *won, struct err *err) {
    struct ledger_entry entry = {.seq = u->seq,
                                 .entity_tag = u->to.entity->tag,
                                 .row = u->to.id,
                                 .cell_tag = cell->tag,
                                 .rule = cell->rule,
                                 .loser_device = lost->device,
                                 .loser_batch = lost->batch,
                                 .loser_time_ms = lost->time_ms,
                                 .winner_device = won->device,
                                 .winner_time_ms = won->time_ms,
                                 .winner_is_new = of == &u->to,
                                 .loser = (struct value *)loser,
                                 .winner = u->to.values + cell->first,
                                 .value_count = cell->count};
    if (is_empty(loser, cell->count) && !was_edited(of, cell)) return ST_OK;
    return centre_ledger_add(u->m->c, &entry, err);
}

/* ------------------------------------------------------------------ one of both */

/* Nothing is smaller than every value for max, greater for min. */
static bool is_further(enum rule rule, struct value new, struct value old) {
    if (new.kind != VALUE_INT || old.kind != VALUE_INT) return false;
    return rule == RULE_MAX ? new.number > old.number : new.number < old.number;
}

/* What nobody chose: what is there stands over nothing, the greater or smaller where the rule says
 * so, else the survivor's. */
static bool takes_by_itself(const struct unite *u, const struct cell *cell,
                            const struct value *mine, const struct value *theirs) {
    if (judge_is_key(u->to.entity, cell) || names_itself(u, cell, theirs)) return false;
    if (is_empty(mine, cell->count)) return true;
    return (cell->rule == RULE_MAX || cell->rule == RULE_MIN) &&
           is_further(cell->rule, theirs[0], mine[0]);
}

static enum status unite_one(struct unite *u, const struct cell *cell, struct unite_cell *out,
                             struct err *err) {
    const struct unite_choice *choice = choice_of(u, cell);
    const struct clock theirs = *row_clock_of(&u->from.clock, cell->tag);
    const struct clock mine = *row_clock_of(&u->to.clock, cell->tag);
    struct clock clock;
    bool takes =
        choice ? choice->side == UNITE_LOSER : takes_by_itself(u, cell, out->survivor, out->loser);
    if (!takes) {
        out->how = UNITE_KEEPS;
        if (judge_is_key(u->to.entity, cell)) return ST_OK; /* it is the same row that it names */
        return note_loser(u, cell, &u->from, out->loser, &theirs, &mine, err);
    }
    out->how = UNITE_TAKES;
    TRY(came_over(u, &theirs, &clock, err));
    if (choice) { /* head office decides now; who saw the value on the loser has still seen it */
        clock.device = clock.batch = 0;
        clock.via = 0;
        clock.time_ms = u->m->now_ms;
    }
    TRY(put(u, cell, out->loser, &clock, NULL, 0, err));
    return note_loser(u, cell, &u->to, out->survivor, &mine, &clock, err);
}

/* ------------------------------------------------------------------ both */

static enum status unite_counts(struct unite *u, const struct cell *cell, struct unite_cell *out,
                                struct err *err) {
    int64_t mine = out->survivor[0].kind == VALUE_INT ? out->survivor[0].number : 0;
    int64_t sum, theirs = out->loser[0].kind == VALUE_INT ? out->loser[0].number : 0;
    struct clock clock = server_clock(u);
    out->how = theirs == 0 ? UNITE_KEEPS : UNITE_COMBINES;
    if (theirs == 0) return ST_OK;
    if (__builtin_add_overflow(mine, theirs, &sum)) sum = theirs > 0 ? INT64_MAX : INT64_MIN;
    struct value value = value_int(sum);
    return put(u, cell, &value, &clock, NULL, 0, err);
}

static enum status unite_sets(struct unite *u, const struct cell *cell, struct unite_cell *out,
                              struct err *err) {
    struct arena *mem = u->m->mem;
    struct dot *mine, *theirs;
    size_t count, more;
    struct clock clock = server_clock(u);
    struct value set = out->survivor[0];
    TRY(row_clock_dots(&u->to.clock, cell->tag, out->survivor[0], mem, &mine, &count, err));
    TRY(row_clock_dots(&u->from.clock, cell->tag, out->loser[0], mem, &theirs, &more, err));
    out->how = more == 0 ? UNITE_KEEPS : UNITE_COMBINES;
    if (more == 0) return ST_OK;
    struct dot *dots = ARENA_ARRAY(mem, count + more, struct dot);
    if (!dots) return err_no_memory(err);
    if (count > 0) memcpy(dots, mine, count * sizeof *dots);
    for (size_t i = 0; i < more; i++) {
        dots[count + i].element = theirs[i].element;
        TRY(came_over(u, &theirs[i].clock, &dots[count + i].clock, err));
        TRY(set_add(set, theirs[i].element, mem, &set, err));
    }
    return put(u, cell, &set, &clock, dots, count + more, err);
}

/* Without a version that both come from, what differs is kept of both. */
static enum status unite_texts(struct unite *u, const struct cell *cell, struct unite_cell *out,
                               struct err *err) {
    struct slice text, mine = out->survivor[0].text, theirs = out->loser[0].text;
    struct clock clock = server_clock(u);
    bool overlap;
    int64_t stood = row_clock_of(&u->from.clock, cell->tag)->seq;
    out->how = UNITE_KEEPS;
    if (out->loser[0].kind != VALUE_TEXT && !was_edited(&u->from, cell)) return ST_OK;
    TRY(centre_text_keep(u->m->c, u->from.id, cell->tag, stood, out->loser[0], err));
    if (out->loser[0].kind != VALUE_TEXT || value_equal(out->loser[0], out->survivor[0]))
        return ST_OK;
    if (out->survivor[0].kind != VALUE_TEXT) mine = (struct slice){0};
    out->how = UNITE_COMBINES;
    TRY(text_merge((struct slice){0}, mine.len == 0, theirs, mine, u->m->mem, &text, &overlap,
                   err));
    struct value value = value_text(text);
    return put(u, cell, &value, &clock, NULL, 0, err);
}

/* ------------------------------------------------------------------ all cells */

/* The survivor named the loser, and would name itself: it names what the loser does, or nothing. */
static enum status forget_itself(struct unite *u, const struct cell *cell, struct unite_cell *out,
                                 struct err *err) {
    const struct clock *theirs = row_clock_of(&u->from.clock, cell->tag);
    struct clock clock = server_clock(u);
    struct value *none = ARENA_ARRAY(u->m->mem, cell->count, struct value);
    if (!none) return err_no_memory(err);
    out->how = UNITE_TAKES;
    if (names_itself(u, cell, out->loser)) return put(u, cell, none, &clock, NULL, 0, err);
    TRY(came_over(u, theirs, &clock, err));
    return put(u, cell, out->loser, &clock, NULL, 0, err);
}

static enum status unite_by_rule(struct unite *u, const struct cell *cell, struct unite_cell *out,
                                 struct err *err) {
    switch (cell->rule) {
    case RULE_COUNTER: return unite_counts(u, cell, out, err);
    case RULE_SET: return unite_sets(u, cell, out, err);
    case RULE_TEXT: return unite_texts(u, cell, out, err);
    case RULE_LAST:
    case RULE_MAX:
    case RULE_MIN:
    case RULE_STATE:
    case RULE_OWNER:
    case RULE_OFFICE:
    case RULE_FROZEN:
    case RULE_APPEND: return unite_one(u, cell, out, err);
    case RULE_DERIVED:
    case RULE_COUNT: break;
    }
    return ST_OK;
}

static enum status copy_values(const struct value *values, size_t count, struct arena *mem,
                               const struct value **out, struct err *err) {
    struct value *copy = ARENA_ARRAY(mem, count, struct value);
    if (!copy) return err_no_memory(err);
    memcpy(copy, values, count * sizeof *copy);
    *out = copy;
    return ST_OK;
}

static bool combines(enum rule rule) {
    return rule == RULE_COUNTER || rule == RULE_SET || rule == RULE_TEXT;
}

static enum status unite_cell(struct unite *u, const struct cell *cell, struct err *err) {
    struct unite_cell out = {.cell = cell, .how = UNITE_SAME};
    const struct value *mine = u->to.values + cell->first;
    TRY(copy_values(mine, cell->count, u->m->mem, &out.survivor, err));
    out.loser = u->from.values + cell->first;
    bool either = !is_empty(out.survivor, cell->count) || !is_empty(out.loser, cell->count);
    bool edited = was_edited(&u->to, cell) || was_edited(&u->from, cell);
    if (names_itself(u, cell, out.survivor))
        TRY(forget_itself(u, cell, &out, err));
    else if ((either || edited) &&
             (combines(cell->rule) || !are_equal(out.survivor, out.loser, cell->count)))
        TRY(unite_by_rule(u, cell, &out, err));
    TRY(copy_values(u->to.values + cell->first, cell->count, u->m->mem, &out.stands, err));
    if (either) u->cells[u->cell_count++] = out;
    return ST_OK;
}

static const struct record_cell *find_unknown(const struct record_cell *cells, size_t count,
                                              uint32_t tag) {
    for (size_t i = 0; i < count; i++)
        if (cells[i].cell_tag == tag) return &cells[i];
    return NULL;
}

static enum status lose_unknown(struct unite *u, const struct record_cell *mine,
                                const struct record_cell *theirs, struct err *err) {
    const struct clock *lost = row_clock_of(&u->from.clock, theirs->cell_tag);
    const struct clock *won = row_clock_of(&u->to.clock, theirs->cell_tag);
    bool fits = mine->value_count == theirs->value_count;
    if (fits && are_equal(mine->values, theirs->values, mine->value_count)) return ST_OK;
    struct ledger_entry entry = {.seq = u->seq,
                                 .entity_tag = u->to.entity->tag,
                                 .row = u->to.id,
                                 .cell_tag = theirs->cell_tag,
                                 .rule = RULE_LAST,
                                 .loser_device = lost->device,
                                 .loser_batch = lost->batch,
                                 .loser_time_ms = lost->time_ms,
                                 .winner_device = won->device,
                                 .winner_time_ms = won->time_ms,
                                 .loser = theirs->values,
                                 .winner = fits ? mine->values : theirs->values,
                                 .value_count = theirs->value_count};
    return centre_ledger_add(u->m->c, &entry, err);
}

/* Cells of a later release: the survivor's stands, but what is there over nothing. */
static enum status unite_unknown(struct unite *u, struct err *err) {
    struct arena *mem = u->m->mem;
    struct record_cell *mine, *theirs;
    size_t count, more;
    TRY(centre_more_read(u->to.more, mem, &mine, &count, err));
    TRY(centre_more_read(u->from.more, mem, &theirs, &more, err));
    for (size_t i = 0; i < more; i++) {
        uint32_t tag = theirs[i].cell_tag;
        const struct record_cell *has = find_unknown(mine, count, tag);
        struct clock clock;
        if (has) TRY(lose_unknown(u, has, &theirs[i], err));
        if (has) continue;
        TRY(came_over(u, row_clock_of(&u->from.clock, tag), &clock, err));
        TRY(centre_more_put(u->to.more, &theirs[i], mem, &u->to.more, err));
        TRY(row_clock_put(&u->to.clock, tag, &clock, NULL, 0, mem, err));
    }
    return ST_OK;
}

enum status unite_cells(struct unite *u, struct err *err) {
    const struct entity *e = u->to.entity;
    u->cells = ARENA_ARRAY(u->m->mem, e->cell_count + 1, struct unite_cell);
    if (!u->cells) return err_no_memory(err);
    for (size_t i = 0; i < e->cell_count; i++)
        if (e->cells[i].rule != RULE_DERIVED) TRY(unite_cell(u, &e->cells[i], err));
    return unite_unknown(u, err);
}
