/* One edit meets one cell: which of them had seen the other, and what becomes of both.
 *
 * Relies on nothing but its arguments: the server, the laptop and the tests get the same answer
 * from the same facts. The rules and their reasons are in PROTOCOL.md, "Merging".
 *
 * Texts in results are borrowed from the present values and from the edit where nothing had to be
 * made anew.
 */
#include "protocol/model/catalogue.h"

#include <assert.h>
#include <string.h>

/* ------------------------------------------------------------------ who had seen what */

static int64_t clock_named(const struct clock *clock, int64_t row) {
    return clock->via ? clock->via : row;
}

/* The seq at which the change came to stand on the row that is named; NULL: it never did. */
static const int64_t *seq_on(const struct clock *clock, int64_t named, int64_t row) {
    if (row == named) return &clock->seq;
    for (size_t i = 0; i < clock->was_count; i++)
        if (clock->was[i].row == named) return &clock->was[i].seq;
    return NULL;
}

bool clock_is_covered(const struct clock *clock, struct base base, uint32_t device, int64_t named,
                      int64_t row) {
    if (clock->device == device && clock->batch > 0 && clock->batch <= base.own &&
        clock_named(clock, row) == named)
        return true;
    const int64_t *seq = seq_on(clock, named, row);
    return seq && *seq <= base.seq;
}

bool base_is_lost(const struct lost_branch *lost, size_t count, int64_t seq, int64_t *out_back) {
    for (size_t i = 0; i < count; i++) {
        if (seq <= lost[i].back || seq >= lost[i].start) continue;
        if (out_back) *out_back = lost[i].back;
        return true;
    }
    return false;
}

bool clock_is_covered_in(const struct clock *clock, int64_t old, struct base base, uint32_t device,
                         int64_t named, int64_t row, const struct former_life *life) {
    struct base own = {0, base.own};
    int64_t back;
    if (!life || !base_is_lost(life->lost, life->lost_count, base.seq, &back))
        return clock_is_covered(clock, base, device, named, row);
    if (clock_is_covered(clock, own, device, named, row)) return true;
    return row == named && (old > 0 ? old <= base.seq : clock->seq <= back);
}

/* Device 0 is nobody's window: what the server combined is its own of no author. */
bool clock_is_own(const struct clock *clock, uint32_t device, int64_t named, int64_t row) {
    return device != 0 && clock->device == device && clock_named(clock, row) == named;
}

/* ------------------------------------------------------------------ when it was made */

static int64_t saturate_add(int64_t a, int64_t b) {
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t saturate_subtract(int64_t a, int64_t b) {
    int64_t difference;
    if (!__builtin_sub_overflow(a, b, &difference)) return difference;
    return b < 0 ? INT64_MAX : INT64_MIN;
}

static bool wall_is_trusted(const struct stamp *made, const struct envelope *envelope,
                            int64_t now_ms, int64_t offset_slack_ms) {
    int64_t offset = saturate_subtract(envelope->now.wall_ms, now_ms);
    int64_t off_by = saturate_subtract(offset, envelope->expected_offset_ms);
    return made->boot_number > envelope->suspect_boot && off_by <= offset_slack_ms &&
           off_by >= -offset_slack_ms;
}

int64_t edit_time(const struct stamp *made, const struct envelope *envelope, int64_t now_ms,
                  int64_t base_time_ms, int64_t offset_slack_ms) {
    int64_t age = 0; /* clocks that cannot be trusted: counts as arrival */
    if (made->boot_number == envelope->now.boot_number) {
        age = saturate_subtract(envelope->now.boot_ms, made->boot_ms);
    } else if (wall_is_trusted(made, envelope, now_ms, offset_slack_ms)) {
        int64_t stepped = saturate_subtract(envelope->now.steps_ms, made->steps_ms);
        age = saturate_subtract(saturate_subtract(envelope->now.wall_ms, made->wall_ms), stepped);
    }
    int64_t time = saturate_subtract(now_ms, age);
    if (time > now_ms) time = now_ms;
    return time < base_time_ms ? base_time_ms : time;
}

/* ------------------------------------------------------------------ values of an edit */

static int64_t number_or_zero(struct value v) {
    return v.kind == VALUE_INT ? v.number : 0;
}

/* A creation may give a count or a set as a plain value: then it is what is added to nothing. */
static struct value edit_adds(const struct edit *edit) {
    return edit->values[0];
}

static struct value edit_removes(const struct edit *edit) {
    return edit->kind == EDIT_ELEMENTS ? edit->values[1] : value_null();
}

static struct slice text_of(struct value v) {
    return v.kind == VALUE_TEXT ? v.text : (struct slice){0};
}

static enum status wrong_edit(struct err *err) {
    return err_set(err, ST_INTERNAL, "an edit does not fit the rule of its cell",
                   "修改与字段的合并规则不符");
}

static bool edit_fits(const struct cell *cell, const struct edit *edit) {
    switch (cell->rule) {
    case RULE_COUNTER: return edit->kind != EDIT_ELEMENTS && edit->value_count == 1;
    case RULE_SET:
        return edit->kind == EDIT_ELEMENTS ? edit->value_count == 2
                                           : edit->kind == EDIT_SET && edit->value_count == 1;
    case RULE_LAST:
    case RULE_MAX:
    case RULE_MIN:
    case RULE_TEXT:
    case RULE_STATE:
    case RULE_OWNER:
    case RULE_OFFICE:
    case RULE_FROZEN:
    case RULE_APPEND: return edit->kind == EDIT_SET && edit->value_count == cell->count;
    case RULE_DERIVED:
    case RULE_COUNT: break;
    }
    return false;
}

static enum status apply_elements(const struct edit *edit, struct value present, struct arena *mem,
                                  struct value *out, struct err *err) {
    struct slice removes = text_of(edit_removes(edit)), adds = text_of(edit_adds(edit)), element;
    struct value set = present;
    while (set_next(&removes, &element)) TRY(set_remove(set, element, mem, &set, err));
    while (set_next(&adds, &element)) TRY(set_add(set, element, mem, &set, err));
    *out = set;
    return ST_OK;
}

enum status edit_apply(const struct cell *cell, const struct edit *edit,
                       const struct value *present, struct arena *mem, struct value **out_values,
                       struct err *err) {
    if (!edit_fits(cell, edit)) return wrong_edit(err);
    struct value *values = ARENA_ARRAY(mem, cell->count, struct value);
    if (!values) return err_no_memory(err);
    if (cell->rule == RULE_COUNTER)
        values[0] =
            value_int(saturate_add(number_or_zero(present[0]), number_or_zero(edit->values[0])));
    else if (cell->rule == RULE_SET)
        TRY(apply_elements(edit, present[0], mem, &values[0], err));
    else
        memcpy(values, edit->values, cell->count * sizeof *values);
    *out_values = values;
    return ST_OK;
}

/* ------------------------------------------------------------------ one function per kind of cell
 */

/* What all rules ask first. mine: the edit's clock with the name that it used. */
struct meeting {
    struct clock mine;
    bool seen; /* the author had seen the last change */
    bool own;  /* the last change is the author's, or seen */
};

static struct meeting meet(const struct merge_in *in) {
    struct meeting m = {.mine = in->edit_clock};
    m.mine.via = in->named == in->row ? 0 : in->named;
    m.seen = clock_is_covered_in(&in->clock, in->life ? in->life->old : 0, in->edit->today,
                                 m.mine.device, in->named, in->row, in->life);
    m.own = m.seen || clock_is_own(&in->clock, m.mine.device, in->named, in->row);
    return m;
}

/* A value that others had a part in is the server's, so that the author's next edit is no sequel of
 * it. */
static struct clock server_clock(struct clock clock) {
    clock.device = 0;
    clock.batch = 0;
    clock.via = 0;
    return clock;
}

/* Nothing is smaller than every value for max, greater for min: any value beats it. */
static bool is_further(enum rule rule, struct value new, struct value old) {
    if (new.kind != VALUE_INT) return false;
    if (old.kind != VALUE_INT) return true;
    return rule == RULE_MAX ? new.number > old.number : new.number < old.number;
}

/* A number that this release does not know stands behind those that it knows. */
static int64_t precedence(const struct enumeration *values, struct value v) {
    if (v.kind != VALUE_INT) return -1;
    for (size_t i = 0; i < values->count; i++)
        if (values->values[i].number == v.number) return (int64_t)i;
    return saturate_add((int64_t)values->count, v.number > 0 ? v.number : 0);
}

static bool state_wins(const struct enumeration *values, struct value step, struct value was) {
    if (precedence(values, step) <= precedence(values, was)) return false;
    for (size_t i = 0; i < values->illegal_count; i++)
        if (values->illegal[i][0] == was.number && values->illegal[i][1] == step.number)
            return false;
    return true;
}

/* Both are given back: the later of them decided the cell then, or it would be known to have lost.
 */
static bool is_decided(const struct former_life *life) {
    return life && life->edit_old > 0 && life->old > 0;
}

static bool concurrent_wins(const struct merge_in *in, const struct meeting *m) {
    enum rule rule = in->cell->rule;
    if (is_decided(in->life)) return in->life->edit_old > in->life->old;
    if (m->own) return m->mine.batch >= in->clock.batch; /* two windows: whatever the clocks say */
    if (rule == RULE_MAX || rule == RULE_MIN)
        return is_further(rule, in->edit->values[0], in->present[0]);
    if (rule == RULE_STATE)
        return state_wins(in->entity->fields[in->cell->first].values, in->edit->values[0],
                          in->present[0]);
    return m->mine.time_ms > in->clock.time_ms; /* ties go to what was there */
}

/* Also max, min, state and the rules of who may write: they differ only in who wins between
 * concurrent values. The loser leaves the clock alone: were it moved by a value that changed
 * nothing, an edit that saw the winner would look concurrent. */
static void merge_last(const struct merge_in *in, const struct meeting *m, struct merge_out *out) {
    bool wins = m->seen || concurrent_wins(in, m);
    memcpy(out->values, wins ? in->edit->values : in->present,
           in->cell->count * sizeof *out->values);
    out->outcome = wins ? OUTCOME_APPLIED : OUTCOME_LOST;
    out->clock = wins ? m->mine : in->clock;
    out->loser = m->seen ? LEDGER_NONE : wins ? LEDGER_OLD : LEDGER_NEW;
}

static void merge_combined(const struct meeting *m, struct merge_out *out) {
    out->outcome = m->seen ? OUTCOME_APPLIED : OUTCOME_MERGED;
    out->clock = m->own ? m->mine : server_clock(m->mine);
}

static void merge_counter(const struct merge_in *in, const struct meeting *m,
                          struct merge_out *out) {
    out->values[0] = value_int(
        saturate_add(number_or_zero(in->present[0]), number_or_zero(in->edit->values[0])));
    merge_combined(m, out);
}

static bool dot_is_seen(const struct merge_in *in, const struct dot *dot) {
    size_t i = (size_t)(dot - in->dots);
    int64_t old = in->life && in->life->dot_old ? in->life->dot_old[i] : 0;
    return clock_is_covered_in(&dot->clock, old, in->edit->base, in->edit_clock.device, in->named,
                               in->row, in->life);
}

/* Keeps those adds that the author had not seen: a remove takes only what it saw, and an add that
 * hid a stranger's would give that to the next remove. */
static size_t keep_dots(const struct merge_in *in, struct value adds, struct value removes,
                        struct dot *dots) {
    size_t count = 0;
    for (size_t i = 0; i < in->dot_count; i++) {
        const struct dot *dot = &in->dots[i];
        bool named = set_has(adds, dot->element) || set_has(removes, dot->element);
        if (!named || !dot_is_seen(in, dot)) dots[count++] = *dot;
    }
    return count;
}

static bool has_dot(const struct merge_out *out, struct slice element) {
    for (size_t i = 0; i < out->dot_count; i++)
        if (slice_equal(out->dots[i].element, element)) return true;
    return false;
}

static enum status merge_set(const struct merge_in *in, const struct meeting *m, struct arena *mem,
                             struct merge_out *out, struct err *err) {
    struct value adds = edit_adds(in->edit), removes = edit_removes(in->edit), set = in->present[0];
    struct slice rest = text_of(adds), element;
    out->dots = ARENA_ARRAY(mem, in->dot_count + set_count(adds) + 1, struct dot);
    if (!out->dots) return err_no_memory(err);
    out->dot_count = keep_dots(in, adds, removes, out->dots);
    while (set_next(&rest, &element)) {
        out->dots[out->dot_count++] = (struct dot){.element = element, .clock = m->mine};
        TRY(set_add(set, element, mem, &set, err));
    }
    for (rest = text_of(removes); set_next(&rest, &element);)
        if (!has_dot(out, element)) TRY(set_remove(set, element, mem, &set, err));
    out->values[0] = set;
    merge_combined(m, out);
    return ST_OK;
}

static enum status merge_note(const struct merge_in *in, const struct meeting *m, struct arena *mem,
                              struct merge_out *out, struct err *err) {
    struct slice mine = text_of(in->edit->values[0]), text;
    bool overlap;
    out->clock = m->mine;
    out->values[0] = in->edit->values[0];
    out->outcome = OUTCOME_APPLIED;
    if (m->seen) return ST_OK;
    TRY(text_merge(text_of(in->base_text), in->has_base_text, mine, text_of(in->present[0]), mem,
                   &text, &overlap, err));
    out->outcome = OUTCOME_MERGED;
    out->values[0] = value_text(text);
    if (!slice_equal(text, mine)) out->clock = server_clock(m->mine);
    out->loser = overlap ? LEDGER_OVERLAP : LEDGER_NONE;
    return ST_OK;
}

enum status merge_cell(const struct merge_in *in, struct arena *mem, struct merge_out *out,
                       struct err *err) {
    if (!edit_fits(in->cell, in->edit)) return wrong_edit(err);
    struct meeting m = meet(in);
    struct merge_out result = {.values = ARENA_ARRAY(mem, in->cell->count, struct value)};
    if (!result.values) return err_no_memory(err);
    switch (in->cell->rule) {
    case RULE_LAST:
    case RULE_MAX:
    case RULE_MIN:
    case RULE_STATE:
    case RULE_OWNER:
    case RULE_OFFICE:
    case RULE_FROZEN:
    case RULE_APPEND: merge_last(in, &m, &result); break;
    case RULE_COUNTER: merge_counter(in, &m, &result); break;
    case RULE_SET: TRY(merge_set(in, &m, mem, &result, err)); break;
    case RULE_TEXT: TRY(merge_note(in, &m, mem, &result, err)); break;
    case RULE_DERIVED:
    case RULE_COUNT: return wrong_edit(err);
    }
    *out = result;
    return ST_OK;
}
