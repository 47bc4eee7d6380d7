/* Every cell of a living row against the deeds that the server took: one rule of the design after
 * the other. */
#include "tests/sim/sim.h"

enum { KEPT = BIT(KIND_LAST) | BIT(KIND_GROUP) | BIT(KIND_SET) | BIT(KIND_TEXT) };
enum { SLACK_MS = 2500 }; /* ORG_OFFSET_SLACK_MS, and the way of the message */

static bool is_taken(const struct deed *d, const struct place *p, const struct row *row) {
    return d->place == p && d->final == row->id && d->fate == FATE_ACCEPTED;
}

/* What head office did comes back as a fact, by the word of laptops whose people may see the row.
 * It does not stand against what the present life wrote. */
static bool is_met(struct sim *s, size_t fact) {
    const struct deed *d = &s->deeds[fact];
    unsigned by = d->fact;
    for (size_t i = 0; s->homes && i < LAPTOPS; i++)
        if (!sim_sees_row(s, &s->world.laptops[i], d->place->entity, d->row)) by &= ~BIT(i);
    if (!by || sim_parts_early(s)) return d->fact;
    for (size_t k = 0; k < s->deed_count; k++) {
        const struct deed *other = &s->deeds[k];
        bool present = k >= s->rolled_deeds || mask_has(&s->present, k) || mask_has(&s->orphans, k);
        if (present && other->place == d->place && other->row == d->row) return true;
    }
    return false;
}

/* Of what shows who wrote it: in the value, in the ledger, or seen by one that is. */
static void check_seen(struct sim *s, const struct place *p, const struct row *row,
                       const struct sim_ledger *g) {
    struct mask good = g->losers;
    for (size_t i = 0; i < s->deed_count; i++)
        if (mask_has(&g->losers, i)) mask_join(&good, &s->deeds[i].seen);
    mask_join(&good, &s->looked);
    /* Of a row that was collected comes back what is approved; what a delete had seen is gone. */
    for (size_t i = 0; s->restored && i < s->deed_count; i++)
        if (s->deeds[i].kind == KIND_DELETE && s->deeds[i].fate == FATE_ACCEPTED)
            mask_join(&good, &s->deeds[i].seen);
    /* What beat it may come back as a fact, without the ledger that said so. */
    for (size_t i = 0; s->rolled && i <= LAPTOPS; i++)
        if (i == OFFICE || s->revoked[i]) mask_join(&good, &s->lost_to[i]);
    sim_see(s, p, row->values, &good);
    for (size_t i = 0; i < s->deed_count; i++)
        if (is_taken(&s->deeds[i], p, row) && !mask_has(&good, i) && !is_met(s, i))
            sim_fail(s, "an acknowledged edit was lost", (int64_t)i, row->id);
}

static void check_group(struct sim *s, const struct place *p, const struct row *row) {
    const struct field *second = entity_field(row->entity, slice_from(p->second));
    struct value a = sim_value_of(s, p, row->values),
                 b = row->values[entity_field_index(row->entity, second)];
    if (!value_equal(a, b)) sim_fail(s, "a group was torn apart", row->id, 0);
}

/* Of a revoked laptop, in a life that is forgotten: what it gives back waits for head office, but
 * it may also come back in facts, by what others show. */
static bool is_uncertain(struct sim *s, const struct place *p, const struct row *row) {
    for (size_t i = 0; s->rolled && i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        if (d->author != OFFICE && s->revoked[d->author] && d->fate != FATE_ACCEPTED &&
            d->place == p && d->final == row->id)
            return true;
    }
    return false;
}

static void check_count(struct sim *s, const struct place *p, const struct row *row) {
    int64_t want = 0;
    for (size_t i = 0; i < s->deed_count; i++)
        if (is_taken(&s->deeds[i], p, row)) want += s->deeds[i].delta;
    struct value v = sim_value_of(s, p, row->values);
    int64_t is = v.kind == VALUE_INT ? v.number : 0;
    if (is != want && !is_uncertain(s, p, row))
        sim_fail(s, "a counter is not the sum of its deltas", is, want);
}

/* An add stands unless a remove of the same element had seen it. */
static bool is_removed(struct sim *s, const struct place *p, const struct row *row, size_t add) {
    for (size_t k = 0; k < s->deed_count; k++) {
        const struct deed *d = &s->deeds[k];
        if (is_taken(d, p, row) && !d->add && !strcmp(d->word, s->deeds[add].word) &&
            mask_has(&d->seen, add))
            return true;
    }
    return false;
}

/* Something was done with this element that nobody holds a receipt of. */
static bool is_orphaned(struct sim *s, const struct place *p, int64_t row, const char *word) {
    for (size_t i = 0; i < s->deed_count; i++)
        if (mask_has(&s->orphans, i) && s->deeds[i].place == p && s->deeds[i].final == row &&
            !strcmp(s->deeds[i].word, word))
            return true;
    return false;
}

/* Head office may approve a remove before the add that it had seen: then it writes the add anew. */
static bool is_approved_twice(struct sim *s, const struct place *p, const struct row *row,
                              const char *word) {
    size_t n = 0;
    for (size_t i = 0; i < s->deed_count; i++)
        n += is_taken(&s->deeds[i], p, row) && s->deeds[i].approved &&
             !strcmp(s->deeds[i].word, word);
    return n > 1;
}

static void check_set(struct sim *s, const struct place *p, const struct row *row) {
    struct value v = sim_value_of(s, p, row->values);
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        if (!is_taken(d, p, row)) continue;
        bool wanted = false;
        for (size_t k = 0; k < s->deed_count; k++)
            wanted |= is_taken(&s->deeds[k], p, row) && s->deeds[k].add &&
                      !strcmp(s->deeds[k].word, d->word) && !is_removed(s, p, row, k);
        bool there = v.kind == VALUE_TEXT && set_has(v, slice_from(d->word));
        bool excused = there && (sim_parts_early(s) || is_orphaned(s, p, row->id, d->word) ||
                                 is_approved_twice(s, p, row, d->word));
        if (there != wanted && !excused && !is_uncertain(s, p, row))
            sim_fail(s,
                     there ? "a set keeps what a remove had seen"
                           : "a set lost an add that no remove had seen",
                     (int64_t)i, row->id);
    }
}

static int count_word(struct slice text, const char *word) {
    int n = 0;
    for (struct slice part; slice_cut(&text, '\n', &part);)
        for (struct slice bit; slice_cut(&part, ' ', &bit);)
            n += slice_equal(bit, slice_from(word));
    return n;
}

static bool is_taken_out(const struct sim *s, const struct place *p, const struct row *row,
                         const char *word) {
    for (size_t k = 0; k < s->deed_count; k++)
        if (s->deeds[k].place == p && s->deeds[k].final == row->id &&
            !strcmp(s->deeds[k].removed, word))
            return true;
    return false;
}

static void check_text(struct sim *s, const struct place *p, const struct row *row) {
    struct value v = sim_value_of(s, p, row->values);
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        if (!is_taken(d, p, row)) continue;
        bool removed = is_taken_out(s, p, row, d->word);
        int times = count_word(v.kind == VALUE_TEXT ? v.text : (struct slice){0}, d->word);
        bool no_base =
            s->rolled || (s->counts[SIM_COMPACT] && s->counts[SIM_DAYS_PASS]) || s->image.used;
        /* Old versions of texts went with their life, were collected, or the server has them only
         * folded otherwise than a laptop that was set back. Where one took a word out that stands
         * in what another wrote beside it, both passages are kept. */
        if (times > 1 && !no_base && !removed)
            sim_fail(s, "a word stands twice", (int64_t)i, row->id);
        if (times || removed) continue;
        SAY(s, "  %s of %lld is \"%.*s\"\n", p->field, (long long)row->id, (int)v.text.len,
            (const char *)v.text.data);
        sim_fail(s, "an acknowledged word was dropped", (int64_t)i, row->id);
    }
}

/* The time of an edit is its own, or that of its arrival, or between for what came on a stick; but
 * no earlier than what it stands on. */
static void check_time(struct sim *s, const struct place *p, const struct row *row) {
    int64_t n = sim_deed_in(s, p, sim_value_of(s, p, row->values)), arrival = 0;
    struct centre *c = org_centre(s->world.office);
    struct centre_row stored;
    bool found = false;
    struct err err;
    if (n < 0 || s->rolled || s->united_any || /* a merge gives cells another seq */
        s->deeds[n].author == OFFICE || s->deeds[n].kind == KIND_CREATE)
        return;
    const struct deed *d = &s->deeds[n];
    const struct cell *cell = entity_cell_of(row->entity, sim_field_of(s, p));
    if (centre_row_read(c, row->entity, row->id, &s->mem, &stored, &found, &err) != ST_OK || !found)
        return;
    const struct clock *clock = row_clock_of(&stored.clock, cell->tag);
    if (clock->device != d->device || clock->batch != d->batch) return;
    if (centre_log_time(c, clock->seq, &arrival, &err) != ST_OK) return;
    int64_t off = clock->time_ms - d->made_ms;
    /* How long a stick was on its way only a clock can say that is trusted. */
    bool by_stick = s->counts[SIM_STICK_TAKEN] && !d->timed && (off >= 0 || s->stands[d->author]) &&
                    clock->time_ms <= arrival;
    if (by_stick) return;
    if (clock->time_ms != arrival && (off > SLACK_MS || off < -SLACK_MS))
        sim_fail(s, "the time of an edit is neither its own nor that of its arrival", n, off);
}

/* ------------------------------------------------------------------ what holds of every run */

/* Somebody, in whatever life, wrote on top of it or deleted the row in view of it. */
static bool is_seen_by_any(const struct sim *s, size_t deed) {
    if (mask_has(&s->looked, deed)) return true;
    for (size_t k = 0; k < s->deed_count; k++)
        if (k != deed && s->deeds[k].fate != FATE_UNDONE && mask_has(&s->deeds[k].seen, deed))
            return true;
    return false;
}

/* Who writes again has heard what became of what he wrote before, in whatever life that was. */
static bool is_replaced(const struct sim *s, size_t deed) {
    const struct deed *d = &s->deeds[deed];
    for (size_t k = deed + 1; k < s->deed_count; k++)
        if (s->deeds[k].author == d->author && s->deeds[k].place == d->place &&
            s->deeds[k].final == d->final && s->deeds[k].fate == FATE_ACCEPTED)
            return d->kind == KIND_LAST || d->kind == KIND_GROUP;
    return false;
}

/* What the server took, and nobody saw or removed, is there or in the ledger, in whatever life it
 * was taken. */
static void check_kept(struct sim *s, const struct place *p, const struct row *row,
                       const struct sim_ledger *g) {
    struct value v = sim_value_of(s, p, row->values);
    struct slice text = v.kind == VALUE_TEXT ? v.text : (struct slice){0};
    struct mask good = g->losers;
    sim_see(s, p, row->values, &good);
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        if (!is_taken(d, p, row) || d->author == OFFICE || is_seen_by_any(s, i)) continue;
        if (is_replaced(s, i)) continue;
        bool there = p->kind == KIND_TEXT
                         ? count_word(text, d->word) > 0 || is_taken_out(s, p, row, d->word)
                     : p->kind == KIND_SET ? !d->add || set_has(v, slice_from(d->word))
                                           : mask_has(&good, i);
        if (!there) sim_fail(s, "an acknowledged edit was lost", (int64_t)i, row->id);
    }
}

/* What head office counted, before it approved or by itself, may be gone with a life. */
static bool is_of_laptops(const struct sim *s, const struct place *p, const struct row *row) {
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        bool sure = d->author != OFFICE && !s->revoked[d->author] && d->fate == FATE_ACCEPTED;
        if (d->place == p && d->final == row->id && d->fate != FATE_UNDONE &&
            (!sure || d->approved))
            return false;
    }
    return true;
}

void sim_cells_check(struct sim *s, const struct row *row, const struct sim_ledger *ledger) {
    for (size_t i = 0; i < sim_place_count; i++) {
        const struct place *p = &sim_places[i];
        if (sim_entity_of(s, p) != row->entity) continue;
        if (s->loose && BIT((unsigned)p->kind) & KEPT) check_kept(s, p, row, ledger);
        bool sure = s->loose && p->kind == KIND_COUNT && is_of_laptops(s, p, row);
        if (sure) check_count(s, p, row);
        if (s->loose && p->kind == KIND_GROUP) check_group(s, p, row);
        if (s->loose) continue;
        if (p->kind == KIND_LAST || p->kind == KIND_GROUP || p->kind == KIND_MAX)
            check_seen(s, p, row, ledger);
        if (p->kind == KIND_LAST || p->kind == KIND_GROUP) check_time(s, p, row);
        if (p->kind == KIND_GROUP) check_group(s, p, row);
        if (p->kind == KIND_COUNT) check_count(s, p, row);
        if (p->kind == KIND_SET) check_set(s, p, row);
        if (p->kind == KIND_TEXT) check_text(s, p, row);
    }
}
