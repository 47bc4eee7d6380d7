/* What laptops and head office do in a scenario. */
#include "syncd/store/centre_added.h"
#include "tests/scenario/scenario.h"

/* ------------------------------------------------------------------ laptops act */

static enum status do_add(struct scenario *s, struct world_laptop *l, const struct words *w,
                          struct err *err) {
    const struct entity *e = w->count > 3 ? catalogue_entity(&s->world.catalogue, w->at[2]) : NULL;
    if (!e) return scenario_wrong(err, "add ENTITY NAME FIELD=VALUE", w->at[0]);
    e = scenario_entity(s, l, e->tag);
    struct field_edit edits[WORDS_MAX];
    size_t count;
    int64_t id;
    TRY(scenario_read_edits(s, e, w, 4, edits, &count, err));
    if (!l) {
        struct receipt receipt;
        TRY(world_office_save(&s->world, e, 0, edits, count, &receipt, &id, err));
        if (receipt.lines[0].outcome > OUTCOME_MERGED)
            return err_set(err, ST_INVALID, "head office: %s", "总部：%s",
                           reason_text(receipt.lines[0].reason, LANG_EN));
        return scenario_name_row(s, w->at[3], e, id, err);
    }
    TRY(store_begin(l->store, err));
    enum status status = store_create(l->store, e, edits, count, &id, err);
    uint32_t batch;
    if (status == ST_OK) status = store_commit(l->store, &batch, err);
    if (status != ST_OK) {
        store_rollback(l->store);
        return status;
    }
    return scenario_name_row(s, w->at[3], e, id, err);
}

static enum status save_edits(struct world_laptop *l, const struct entity *e, int64_t id,
                              const struct field_edit *edits, size_t count, const struct form *form,
                              struct err *err) {
    TRY(store_begin(l->store, err));
    bool changed;
    uint32_t batch;
    enum status status = store_edit(l->store, e, id, edits, count, form, &changed, err);
    if (status == ST_OK) status = store_commit(l->store, &batch, err);
    if (status != ST_OK) store_rollback(l->store);
    return status;
}

static enum status do_set(struct scenario *s, struct world_laptop *l, const struct words *w,
                          struct err *err) {
    struct named_row *row = w->count > 2 ? scenario_find_row(s, w->at[2]) : NULL;
    if (!row) return scenario_wrong(err, "set NAME FIELD=VALUE", w->at[0]);
    struct field_edit edits[WORDS_MAX];
    size_t count;
    const struct entity *e = scenario_entity(s, l, row->entity->tag);
    TRY(scenario_read_edits(s, e, w, 3, edits, &count, err));
    if (l) return save_edits(l, e, row->id, edits, count, NULL, err);
    struct receipt receipt;
    int64_t id;
    return world_office_save(&s->world, e, row->id, edits, count, &receipt, &id, err);
}

static enum status do_rm(struct scenario *s, struct world_laptop *l, const struct words *w,
                         struct err *err) {
    struct named_row *row = w->count > 2 ? scenario_find_row(s, w->at[2]) : NULL;
    if (!row) return scenario_wrong(err, "rm NAME", w->at[0]);
    const struct entity *e = scenario_entity(s, l, row->entity->tag);
    if (!l) return world_office_delete(&s->world, e, row->id, err);
    size_t rows;
    uint32_t batch;
    TRY(store_begin(l->store, err));
    enum status status = store_delete(l->store, e, row->id, &rows, err);
    if (status == ST_OK) status = store_commit(l->store, &batch, err);
    if (status != ST_OK) store_rollback(l->store);
    return status;
}

static enum status do_form(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct err *err) {
    struct named_row *row = w->count == 4 ? scenario_find_row(s, w->at[3]) : NULL;
    if (!row || s->form_count == FORMS_MAX) return scenario_wrong(err, "form F NAME", w->at[0]);
    struct named_form *form = &s->forms[s->form_count++];
    snprintf(form->name, sizeof(form->name), "%.*s", (int)w->at[2].len,
             (const char *)w->at[2].data);
    form->entity = scenario_entity(s, l, row->entity->tag);
    return store_form(l->store, form->entity, row->id, &s->mem, &form->form, err);
}

static enum status do_save(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct err *err) {
    for (size_t i = 0; i < s->form_count && w->count > 2; i++) {
        struct named_form *form = &s->forms[i];
        if (!is(w->at[2], form->name)) continue;
        struct field_edit edits[WORDS_MAX];
        size_t count;
        TRY(scenario_read_edits(s, form->entity, w, 3, edits, &count, err));
        return save_edits(l, form->entity, form->form.row, edits, count, &form->form, err);
    }
    return scenario_wrong(err, "save FORM FIELD=VALUE", w->at[0]);
}

enum status scenario_take_held(void *ctx, const struct held *held, struct err *err) {
    (void)err;
    struct held_wanted *want = ctx;
    want->count++;
    if (held->row != want->row || (held->id.cell_tag != want->cell_tag && held->id.cell_tag))
        return ST_OK;
    want->found = true;
    want->id = held->id;
    want->outcome = held->outcome;
    want->reason = held->reason;
    return ST_OK;
}

enum status scenario_find_held(struct scenario *s, struct world_laptop *l, struct slice place,
                               bool also_closed, struct held_wanted *out, struct err *err) {
    struct named_row *row;
    const struct field *field;
    TRY(scenario_read_place(s, place, &row, &field, err));
    *out = (struct held_wanted){.row = row->id,
                                .cell_tag = field ? entity_cell_of(row->entity, field)->tag : 0};
    return store_held(l->store, also_closed, scenario_take_held, out, err);
}

static enum status do_held(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct err *err) {
    struct held_wanted held;
    if (w->count != 3) return scenario_wrong(err, "retry or drop NAME.FIELD", w->at[0]);
    TRY(scenario_find_held(s, l, w->at[2], false, &held, err));
    if (!held.found) return scenario_wrong(err, "nothing is held", w->at[2]);
    return is(w->at[1], "drop") ? store_held_drop(l->store, &held.id, err)
                                : store_held_retry(l->store, &held.id, NULL, 0, err);
}

static void run_during(void *ctx, struct world_laptop *l) {
    struct scenario *s = ctx;
    (void)l;
    s->during_status = scenario_run_line(s, s->during, s->during_err);
}

static enum status do_sync(struct scenario *s, struct world_laptop *l, const struct words *w,
                           struct slice line, struct err *err) {
    struct agent_result result;
    s->during_status = ST_OK;
    if (w->count > 2 && is(w->at[2], "during:")) {
        const uint8_t *at = memmem(line.data, line.len, "during:", 7);
        s->during = slice_of(at + 7, line.len - (size_t)(at + 7 - line.data));
        s->during_err = err;
        l->during = run_during;
        l->during_ctx = s;
    } else if (w->count > 2) {
        l->fault = is(w->at[2], "lose-request") ? WORLD_LOSE_REQUEST
                   : is(w->at[2], "lose-reply") ? WORLD_LOSE_REPLY
                   : is(w->at[2], "repeat")     ? WORLD_REPEAT_REQUEST
                   : is(w->at[2], "cut")        ? WORLD_CUT_SLICES
                                                : WORLD_FAULT_NONE;
        int64_t n = 1;
        if (l->fault == WORLD_FAULT_NONE || (w->count > 3 && !text_to_int(w->at[3], &n)))
            return scenario_wrong(err, "unknown fault", line);
        l->slices_left = (int)n;
        (void)world_sync(l, &result, err); /* it is meant to go wrong */
        return ST_OK;
    }
    TRY(world_sync(l, &result, err));
    return s->during_status;
}

static enum status do_clock(struct world_laptop *l, const struct words *w, struct err *err) {
    int64_t span = 0;
    if (w->count > 2) TRY(scenario_read_span(w->at[2], &span, err));
    if (is(w->at[1], "reboot")) return world_reboot(l, span, err);
    if (is(w->at[1], "step")) return world_step(l, span, err);
    l->offset_ms = span;
    return ST_OK;
}

enum status scenario_laptop_acts(struct scenario *s, struct world_laptop *l, const struct words *w,
                                 struct slice line, struct err *err) {
    struct slice what = w->count > 1 ? w->at[1] : SLICE("");
    s->world.now_ms += 1000; /* each act of a person takes a second */
    if (is(what, "add")) return do_add(s, l, w, err);
    if (is(what, "set")) return do_set(s, l, w, err);
    if (is(what, "rm")) return do_rm(s, l, w, err);
    if (is(what, "form")) return do_form(s, l, w, err);
    if (is(what, "save")) return do_save(s, l, w, err);
    if (is(what, "retry") || is(what, "drop")) return do_held(s, l, w, err);
    if (is(what, "sync")) return do_sync(s, l, w, line, err);
    if (is(what, "restart")) return world_restart(l, err);
    if (is(what, "reboot") || is(what, "step") || is(what, "clock")) return do_clock(l, w, err);
    uint32_t undone, batch;
    if (is(what, "undo")) return store_undo(l->store, 0, &undone, &batch, err);
    return scenario_wrong(err, "a laptop cannot do that", line);
}

/* ------------------------------------------------------------------ head office acts */

static enum status office_decides(struct scenario *s, const struct words *w, struct err *err) {
    struct world_laptop *l = w->count == 4 ? world_laptop(&s->world, w->at[2]) : NULL;
    if (!l) return scenario_wrong(err, "approve LAPTOP NAME.FIELD", w->at[0]);
    struct held_wanted held;
    TRY(scenario_find_held(s, l, w->at[3], true, &held, err));
    if (!held.found) return scenario_wrong(err, "nothing is held", w->at[3]);
    struct store_identity identity;
    TRY(store_identity(l->store, &identity, err));
    return org_decide(s->world.office, identity.device, &held.id, is(w->at[1], "approve"),
                      SLICE("office"), err);
}

/* merge LOSER SURVIVOR [FIELD=loser|survivor ...] */
static enum status office_merges(struct scenario *s, const struct words *w, struct err *err) {
    struct named_row *loser = w->count > 3 ? scenario_find_row(s, w->at[2]) : NULL;
    struct named_row *survivor = w->count > 3 ? scenario_find_row(s, w->at[3]) : NULL;
    struct unite_choice choices[WORDS_MAX];
    struct unite_result result;
    if (!loser || !survivor) return scenario_wrong(err, "merge LOSER SURVIVOR", w->at[0]);
    struct unite_order order = {.loser = loser->id,
                                .survivor = survivor->id,
                                .choices = choices,
                                .choice_count = w->count - 4,
                                .person = SLICE("office")};
    for (size_t i = 4; i < w->count; i++) {
        struct slice side = w->at[i], name;
        (void)slice_cut(&side, '=', &name);
        choices[i - 4].field = entity_field(survivor->entity, name);
        choices[i - 4].side = is(side, "loser") ? UNITE_LOSER : UNITE_SURVIVOR;
        if (!choices[i - 4].field) return scenario_wrong(err, "no such field", w->at[i]);
    }
    return org_unite(s->world.office, &order, false, &s->mem, &result, err);
}

static enum status office_parts(struct scenario *s, const struct words *w, struct err *err) {
    struct named_row *loser = w->count > 2 ? scenario_find_row(s, w->at[2]) : NULL;
    struct unite_parting result;
    if (!loser) return scenario_wrong(err, "unmerge LOSER", w->at[0]);
    return org_part(s->world.office, loser->id, false, &s->mem, &result, err);
}

/* ------------------------------------------------------------------ head office adds fields */

static enum status read_type(struct slice word, uint32_t *out, struct err *err) {
    for (uint32_t type = FIELD_TEXT; type <= FIELD_SET; type++)
        if (is(word, field_type_name((enum field_type)type))) {
            *out = type;
            return ST_OK;
        }
    return scenario_wrong(err, "no such type", word);
}

static enum status read_rule(struct slice word, uint32_t *out, struct err *err) {
    for (uint32_t rule = RULE_LAST; rule < RULE_COUNT; rule++)
        if (is(word, rule_name((enum rule)rule))) {
            *out = rule;
            return ST_OK;
        }
    return scenario_wrong(err, "no such rule", word);
}

/* office field ENTITY NAME TYPE RULE [MAX] */
static enum status office_field(struct scenario *s, const struct words *w, struct err *err) {
    const struct entity *e = w->count > 5 ? catalogue_entity(&s->world.catalogue, w->at[2]) : NULL;
    if (!e) return scenario_wrong(err, "field ENTITY NAME TYPE RULE [MAX]", w->at[0]);
    struct added_field f = {.entity = e->tag, .name = w->at[3], .label = {w->at[3], w->at[3]}};
    TRY(read_type(w->at[4], &f.type, err));
    TRY(read_rule(w->at[5], &f.rule, err));
    if (w->count > 6 && !text_to_int(w->at[6], &f.max))
        return scenario_wrong(err, "no number", w->at[6]);
    return centre_added_fields(org_centre(s->world.office), &f, 1, NULL, 0, false, err);
}

static enum status find_added(struct scenario *s, const struct words *w,
                              const struct entity **out_entity, const struct field **out,
                              struct err *err) {
    const struct entity *e = w->count > 4 ? catalogue_entity(&s->world.catalogue, w->at[2]) : NULL;
    if (!e) return scenario_wrong(err, "ENTITY FIELD WHAT", w->at[0]);
    *out_entity = scenario_entity(s, NULL, e->tag);
    *out = entity_field(*out_entity, w->at[3]);
    return *out ? ST_OK : scenario_wrong(err, "no such field", w->at[3]);
}

/* office value ENTITY FIELD NAME */
static enum status office_value(struct scenario *s, const struct words *w, struct err *err) {
    const struct entity *e;
    const struct field *f;
    TRY(find_added(s, w, &e, &f, err));
    struct added_value v = {
        .entity = e->tag, .field = f->tag, .name = w->at[4], .label = {w->at[4], w->at[4]}};
    return centre_added_value(org_centre(s->world.office), &v, false, err);
}

/* office limit ENTITY FIELD MAX; office limit ENTITY FIELD retired */
static enum status office_limit(struct scenario *s, const struct words *w, struct err *err) {
    const struct entity *e;
    const struct field *f;
    TRY(find_added(s, w, &e, &f, err));
    struct added_field now = {
        .entity = e->tag, .tag = f->tag, .max = f->max, .label = {w->at[3], w->at[3]}};
    if (is(w->at[4], "retired"))
        now.flags = ADDITION_RETIRED;
    else if (!text_to_int(w->at[4], &now.max))
        return scenario_wrong(err, "no number", w->at[4]);
    return centre_added_change(org_centre(s->world.office), &now, false, err);
}

enum status scenario_office_acts(struct scenario *s, const struct words *w, struct slice line,
                                 struct err *err) {
    struct slice what = w->count > 1 ? w->at[1] : SLICE("");
    s->world.now_ms += 1000;
    if (is(what, "add")) return do_add(s, NULL, w, err);
    if (is(what, "set")) return do_set(s, NULL, w, err);
    if (is(what, "rm")) return do_rm(s, NULL, w, err);
    if (is(what, "approve") || is(what, "decline")) return office_decides(s, w, err);
    if (is(what, "merge")) return office_merges(s, w, err);
    if (is(what, "unmerge")) return office_parts(s, w, err);
    if (is(what, "field")) return office_field(s, w, err);
    if (is(what, "value")) return office_value(s, w, err);
    if (is(what, "limit")) return office_limit(s, w, err);
    return scenario_wrong(err, "head office cannot do that", line);
}
