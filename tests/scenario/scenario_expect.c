/* What must be so in a scenario. */
#include "tests/scenario/scenario.h"

enum status scenario_differs(struct err *err, const char *who, struct slice what, struct slice want,
                             struct slice have) {
    return err_set(err, ST_CONFLICT, "%s %.*s: expected \"%.*s\", is \"%.*s\"",
                   "%s %.*s：应为“%.*s”，实为“%.*s”", who, (int)what.len, (const char *)what.data,
                   (int)want.len, (const char *)want.data, (int)have.len, (const char *)have.data);
}

static enum status expect_number(const char *who, struct slice what, struct slice want,
                                 int64_t have, struct err *err) {
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)have);
    return is(want, text) ? ST_OK : scenario_differs(err, who, what, want, slice_from(text));
}

static enum status expect_cell(struct scenario *s, const char *who, struct store *store,
                               struct slice place, struct slice want, struct err *err) {
    struct named_row *named;
    const struct field *f;
    const struct entity *e;
    int64_t id;
    struct row row;
    TRY(scenario_read_place(s, place, &named, &f, err));
    if (!f) return scenario_wrong(err, "expect WHO NAME.FIELD VALUE", place);
    TRY(store_refresh(store, err));
    TRY(store_locate(store, named->id, &e, &id, err));
    if (!e) return scenario_differs(err, who, place, want, SLICE("(no such row)"));
    TRY(store_get(store, e, id, &s->mem, &row, err));
    const struct field *here = entity_field_by_tag(e, f->tag); /* it may not have heard of it */
    struct value v = here ? row.values[entity_field_index(e, here)] : value_null();
    struct named_row *target = f->type == FIELD_REF ? scenario_find_row(s, want) : NULL;
    if (target) {
        TRY(store_locate(store, target->id, &e, &id, err));
        return v.kind == VALUE_INT && v.number == id
                   ? ST_OK
                   : scenario_differs(err, who, place, want, SLICE("another row"));
    }
    struct buf have SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    field_write_text(f, v, LANG_EN, 0, &have);
    if (!have.len) buf_put_text(&have, "-");
    return slice_equal(buf_slice(&have), want)
               ? ST_OK
               : scenario_differs(err, who, place, want, buf_slice(&have));
}

static enum status expect_row(struct scenario *s, const char *who, struct store *store,
                              const struct words *w, struct err *err) {
    struct named_row *named = scenario_find_row(s, w->at[3]);
    if (!named) return scenario_wrong(err, "no such row", w->at[3]);
    struct row row = {0};
    const struct entity *e = catalogue_entity_by_tag(store_catalogue(store), named->entity->tag);
    enum status status = store_get(store, e, named->id, &s->mem, &row, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    bool has = status == ST_OK && !row.gone, want = is(w->at[2], "has");
    return has == want ? ST_OK
                       : scenario_differs(err, who, w->at[3], w->at[2],
                                          has ? SLICE("has") : SLICE("lacks"));
}

static enum status expect_count(struct scenario *s, const char *who, struct store *store,
                                const struct words *w, struct err *err) {
    struct query query = {.entity = catalogue_entity(&s->world.catalogue, w->at[3])};
    if (!query.entity || w->count != 5) return scenario_wrong(err, "count ENTITY N", w->at[3]);
    int64_t count;
    TRY(store_count(store, &query, &count, err));
    return expect_number(who, w->at[3], w->at[4], count, err);
}

static enum status expect_book(struct scenario *s, const char *who, struct store *store,
                               const struct words *w, struct err *err) {
    if (w->count < 4) return scenario_wrong(err, "expect WHO what?", w->at[0]);
    if (is(w->at[2], "has") || is(w->at[2], "lacks")) return expect_row(s, who, store, w, err);
    if (is(w->at[2], "count")) return expect_count(s, who, store, w, err);
    return expect_cell(s, who, store, w->at[2], w->at[3], err);
}

struct receipt_wanted {
    int64_t row;
    uint32_t cell_tag;
    bool found;
    enum outcome outcome;
};

static enum status take_receipt(void *ctx, const struct receipt_note *note, struct err *err) {
    (void)err;
    struct receipt_wanted *want = ctx;
    if (want->found || note->row != want->row || note->cell_tag != want->cell_tag) return ST_OK;
    want->found = true;
    want->outcome = note->outcome;
    return ST_OK;
}

static enum status expect_receipt(struct scenario *s, struct world_laptop *l, const struct words *w,
                                  struct err *err) {
    struct named_row *row;
    const struct field *f;
    if (w->count != 5) return scenario_wrong(err, "receipt NAME.FIELD OUTCOME", w->at[0]);
    TRY(scenario_read_place(s, w->at[3], &row, &f, err));
    struct receipt_wanted want = {.row = row->id,
                                  .cell_tag = f ? entity_cell_of(row->entity, f)->tag : 0};
    TRY(store_receipts(l->store, 0, take_receipt, &want, err));
    struct slice have = want.found ? slice_from(outcome_name(want.outcome)) : SLICE("(no receipt)");
    return slice_equal(have, w->at[4]) ? ST_OK
                                       : scenario_differs(err, l->name, w->at[3], w->at[4], have);
}

static const char *reason_name(enum reason reason) {
    static const char *const names[] = {
#define NAME(name, number, ...) [number] = #name,
        REASON_ROWS(NAME)
#undef NAME
    };
    return names[reason];
}

static enum status expect_held(struct scenario *s, struct world_laptop *l, const struct words *w,
                               struct err *err) {
    struct held_wanted held = {0};
    if (w->count == 4 && is(w->at[3], "none")) {
        TRY(store_held(l->store, false, scenario_take_held, &held, err));
        return held.count
                   ? scenario_differs(err, l->name, SLICE("held"), SLICE("none"), SLICE("some"))
                   : ST_OK;
    }
    if (w->count < 5) return scenario_wrong(err, "held NAME.FIELD OUTCOME [REASON]", w->at[0]);
    TRY(scenario_find_held(s, l, w->at[3], false, &held, err));
    struct slice have = held.found ? slice_from(outcome_name(held.outcome)) : SLICE("(not held)");
    if (!slice_equal(have, w->at[4]))
        return scenario_differs(err, l->name, w->at[3], w->at[4], have);
    if (w->count > 5 && !is(w->at[5], reason_name(held.reason)))
        return scenario_differs(err, l->name, w->at[3], w->at[5],
                                slice_from(reason_name(held.reason)));
    return ST_OK;
}

struct state_wanted {
    int64_t row;
    uint32_t device, cell_tag;
    const char *state;
};

static enum status take_state(void *ctx, const struct held *held, struct err *err) {
    struct state_wanted *want = ctx;
    (void)err;
    if (held->row == want->row && held->id.cell_tag == want->cell_tag)
        want->state = held_state_name(held->state);
    return ST_OK;
}

static enum status take_office_state(void *ctx, const struct quarantine_entry *entry,
                                     struct err *err) {
    struct state_wanted *want = ctx;
    (void)err;
    if (entry->device == want->device && entry->row == want->row &&
        entry->id.cell_tag == want->cell_tag)
        want->state = held_state_name(entry->state);
    return ST_OK;
}

/* What became of a held edit of a laptop, as that or as head office knows it. */
static enum status expect_state(struct scenario *s, const char *who, struct world_laptop *l,
                                bool at_office, struct slice place, struct slice state,
                                struct err *err) {
    struct named_row *row;
    const struct field *f;
    struct store_identity identity;
    TRY(scenario_read_place(s, place, &row, &f, err));
    TRY(store_identity(l->store, &identity, err));
    struct state_wanted want = {.row = row->id,
                                .device = identity.device,
                                .cell_tag = f ? entity_cell_of(row->entity, f)->tag : 0,
                                .state = "(not held)"};
    if (at_office)
        TRY(centre_quarantine_list(org_centre(s->world.office), true, &s->mem, take_office_state,
                                   &want, err));
    else
        TRY(store_held(l->store, true, take_state, &want, err));
    if (is(state, want.state)) return ST_OK;
    return scenario_differs(err, who, place, state, slice_from(want.state));
}

static enum status count_conflict(void *ctx, const struct conflict *conflict, struct err *err) {
    (void)conflict;
    (void)err;
    ++*(int64_t *)ctx;
    return ST_OK;
}

static enum status expect_laptop(struct scenario *s, struct world_laptop *l, const struct words *w,
                                 struct err *err) {
    struct slice what = w->at[2];
    if (is(what, "receipt")) return expect_receipt(s, l, w, err);
    if (is(what, "held")) return expect_held(s, l, w, err);
    if (is(what, "state") && w->count == 5)
        return expect_state(s, l->name, l, false, w->at[3], w->at[4], err);
    if (is(what, "conflicts") && w->count == 4) {
        int64_t count = 0;
        TRY(store_conflicts(l->store, false, count_conflict, &count, err));
        return expect_number(l->name, what, w->at[3], count, err);
    }
    if (is(what, "pending") && w->count == 4) {
        struct store_status status;
        TRY(store_status(l->store, &status, err));
        return expect_number(l->name, what, w->at[3], status.outbox_batches, err);
    }
    return expect_book(s, l->name, l->store, w, err);
}

struct ledger_wanted {
    struct scenario *s;
    const struct named_row *row;
    const struct field *field;
    struct slice loser, winner;
    bool found;
    int64_t count;
};

static void write_side(const struct ledger_wanted *want, const struct value *values, size_t count,
                       struct buf *out) {
    const struct cell *cell = entity_cell_of(want->row->entity, want->field);
    size_t at = entity_field_index(want->row->entity, want->field) - cell->first;
    if (values && at < count) field_write_text(want->field, values[at], LANG_EN, 0, out);
    if (!out->len) buf_put_text(out, "-");
}

static enum status take_ledger(void *ctx, const struct ledger_entry *entry, struct err *err) {
    struct ledger_wanted *want = ctx;
    want->count++;
    if (!want->row || (entry->row != want->row->id)) return ST_OK;
    if (!want->field) {
        want->found |= entry->cell_tag == 0;
        return ST_OK;
    }
    if (entity_cell_of(want->row->entity, want->field)->tag != entry->cell_tag) return ST_OK;
    struct buf loser SCOPED(buf_free) = buf_new(BUF_MAX_LINE),
                     winner SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    write_side(want, entry->loser, entry->value_count, &loser);
    write_side(want, entry->winner, entry->value_count, &winner);
    want->found |= slice_equal(buf_slice(&loser), want->loser) &&
                   slice_equal(buf_slice(&winner), want->winner);
    return buf_status(&winner, err);
}

static enum status expect_ledger(struct scenario *s, const struct words *w, struct err *err) {
    struct ledger_wanted want = {.s = s};
    struct centre *c = org_centre(s->world.office);
    bool count = w->count == 4 && is(w->at[2], "count");
    if (!count) {
        struct named_row *row;
        if (w->count != 5 && w->count != 3)
            return scenario_wrong(err, "ledger NAME.FIELD LOSER WINNER", w->at[0]);
        TRY(scenario_read_place(s, w->at[2], &row, &want.field, err));
        want.row = row;
        if (w->count == 5) want.loser = w->at[3], want.winner = w->at[4];
    }
    TRY(centre_ledger(c, 0, INT64_MAX, 0, &s->mem, take_ledger, &want, err));
    if (count) return expect_number("ledger", w->at[2], w->at[3], want.count, err);
    return want.found ? ST_OK
                      : scenario_differs(err, "ledger", w->at[2],
                                         w->count == 5 ? w->at[3] : SLICE("an entry"),
                                         SLICE("(no such entry)"));
}

enum status scenario_expects(struct scenario *s, const struct words *w, struct err *err) {
    if (w->count < 3) return scenario_wrong(err, "expect what?", w->at[0]);
    struct slice who = w->at[1];
    if (is(who, "ledger")) return expect_ledger(s, w, err);
    if (is(who, "office") && is(w->at[2], "state") && w->count == 6) {
        struct world_laptop *l = world_laptop(&s->world, w->at[3]);
        if (!l) return scenario_wrong(err, "no such laptop", w->at[3]);
        return expect_state(s, "office", l, true, w->at[4], w->at[5], err);
    }
    if (is(who, "office")) return expect_book(s, "office", world_office_store(&s->world), w, err);
    for (size_t i = 0; i < s->world.laptop_count; i++) {
        struct world_laptop *l = &s->world.laptops[i];
        if (is(who, "*") || is(who, l->name)) TRY(expect_laptop(s, l, w, err));
    }
    if (is(who, "*")) return expect_book(s, "office", world_office_store(&s->world), w, err);
    return world_laptop(&s->world, who) ? ST_OK : scenario_wrong(err, "nobody of that name", who);
}
