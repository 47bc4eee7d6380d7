/* What head office does: its own edits and deletes, and decisions on what waits. It sees the
 * server's book as it is, so that each of its edits has seen all that stands there. */
#include "tests/sim/sim.h"

static struct centre *centre(struct sim *s) {
    return org_centre(s->world.office);
}

static enum fate fate_of(const struct receipt *receipt) {
    return receipt->lines[0].outcome >= OUTCOME_WAITING ? FATE_HELD : FATE_ACCEPTED;
}

void sim_office_edit(struct sim *s, const struct place *p, int64_t id) {
    const struct entity *e = sim_entity_of(s, p);
    struct store *book = world_office_store(&s->world);
    int64_t same;
    struct row row;
    struct err err;
    if (!id || store_get(book, e, id, &s->mem, &row, &err) != ST_OK) return;
    if (!sim_may_come_back(s, p)) return;
    struct deed *d = sim_deed_new(s, OFFICE, id, p, p->kind);
    int64_t account = p->kind == KIND_REF ? sim_any_row(s, book, sim_entity(s, "account")) : 0;
    struct field_edit edits[2];
    size_t count;
    if (!d || !sim_make(s, p, d, row.values, row.values, account, edits, &count)) return;
    sim_see(s, p, row.values, &d->seen);
    struct receipt receipt;
    enum status status = world_office_save(&s->world, e, id, edits, count, &receipt, &same, &err);
    if (status != ST_OK) {
        if (status != ST_INVALID) sim_fail_err(s, "head office", &err);
        return;
    }
    d->batch = receipt.batch;
    d->fate = fate_of(&receipt);
    sim_deed_done(s, d);
    sim_count(s, SIM_OFFICE_EDIT);
}

static void do_edit(struct sim *s) {
    const struct place *p = sim_any_place(s);
    sim_office_edit(s, p, sim_any_row(s, world_office_store(&s->world), sim_entity_of(s, p)));
}

void sim_office_create(struct sim *s) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, SLICE("account"));
    struct deed *d = sim_deed_new(s, OFFICE, 0, NULL, KIND_CREATE);
    struct receipt receipt;
    struct err err;
    if (!d) return;
    struct field_edit name = {entity_field(e, SLICE("name")), FIELD_EDIT_SET, sim_text(s, d->word)};
    if (world_office_save(&s->world, e, 0, &name, 1, &receipt, &d->row, &err) != ST_OK) {
        sim_fail_err(s, "head office creates", &err);
        return;
    }
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].kind == KIND_CREATE && s->deeds[i].row == d->row)
            sim_fail(s, "an id was given twice", (int64_t)i, d->row);
    d->batch = receipt.batch;
    d->fate = fate_of(&receipt);
    sim_deed_done(s, d);
}

static void do_delete(struct sim *s) {
    const struct entity *e = sim_entity(s, sim_draw(s, 2) ? "account" : "contact");
    struct store *book = world_office_store(&s->world);
    int64_t id = sim_any_row(s, book, e);
    struct row row;
    struct err err;
    if (!id || store_get(book, e, id, &s->mem, &row, &err) != ST_OK) return;
    struct deed *d = sim_deed_new(s, OFFICE, id, NULL, KIND_DELETE);
    if (!d) return;
    sim_see_row(s, &row, &d->seen);
    struct unit_row unit = {.row = id, .entity_tag = e->tag};
    struct change change = {
        .kind = CHANGE_DELETE, .entity_tag = e->tag, .row = id, .unit = &unit, .unit_count = 1};
    struct receipt receipt;
    if (org_office_save(s->world.office, &change, 1, 0, 0, SLICE("office"), &s->mem, &receipt,
                        &err) != ST_OK) {
        sim_fail_err(s, "head office deletes", &err);
        return;
    }
    d->batch = receipt.batch;
    d->fate = fate_of(&receipt); /* where it lost, the ledger says so */
    sim_deed_done(s, d);
    sim_count(s, SIM_OFFICE_DELETE);
}

/* ------------------------------------------------------------------ decisions */

struct open_entry {
    struct sim *s;
    uint64_t seen;
    uint32_t device, batch, entity_tag;
    struct refusal_id id;
    int64_t row;
};
static enum status pick_entry(void *ctx, const struct quarantine_entry *entry, struct err *err) {
    (void)err;
    struct open_entry *pick = ctx;
    if (sim_draw(pick->s, ++pick->seen)) return ST_OK;
    pick->device = entry->device;
    pick->id = entry->id;
    pick->row = entry->row;
    pick->entity_tag = entry->entity_tag;
    return ST_OK;
}

/* Head office decides in view of what stands there: what it approves has seen that. */
static bool approve_deeds(struct sim *s, const struct open_entry *entry) {
    const struct entity *e = catalogue_entity_by_tag(&s->world.catalogue, entry->entity_tag);
    struct row row;
    struct err err;
    bool there =
        store_get(world_office_store(&s->world), e, entry->row, &s->mem, &row, &err) == ST_OK;
    for (size_t i = 0; i < s->deed_count; i++) {
        struct deed *d = &s->deeds[i];
        if (d->device != entry->device || d->batch != entry->id.batch || d->row != entry->row)
            continue;
        if (there && d->place) sim_see(s, d->place, row.values, &d->seen);
    }
    return there;
}

static void mark_approved(struct sim *s, const struct open_entry *entry) {
    for (size_t i = 0; i < s->deed_count; i++) {
        struct deed *d = &s->deeds[i];
        if (d->device != entry->device || d->batch != entry->id.batch || d->row != entry->row)
            continue;
        d->approved = true;
        d->approved_step = s->step;
        if (d->kind == KIND_DELETE)
            memset(&d->seen, 0xff, sizeof d->seen); /* of all that is below */
    }
}

/* A set waits together with the set beside it that names the deed. */
static enum status pick_beside(void *ctx, const struct quarantine_entry *entry, struct err *err) {
    (void)err;
    struct open_entry *pick = ctx;
    bool same = entry->device == pick->device && entry->id.batch == pick->id.batch &&
                entry->row == pick->row && entry->id.cell_tag != pick->id.cell_tag;
    if (same) pick->id = entry->id;
    pick->seen += same;
    return ST_OK;
}

static void note_decision(struct sim *s, const struct open_entry *entry, bool approve) {
    if (s->decision_count == DECISIONS_MAX) return;
    s->decisions[s->decision_count++] =
        (struct decision){entry->device, entry->id, approve ? HELD_APPROVED : HELD_DECLINED};
}

static enum status decide(struct sim *s, const struct open_entry *pick, bool approve,
                          struct err *err) {
    struct open_entry beside = *pick;
    TRY(org_decide(s->world.office, pick->device, &pick->id, approve, SLICE("office"), err));
    beside.seen = 0;
    TRY(centre_quarantine_list(centre(s), false, &s->mem, pick_beside, &beside, err));
    return !beside.seen ? ST_OK
                        : org_decide(s->world.office, beside.device, &beside.id, approve,
                                     SLICE("office"), err);
}

static void do_decide(struct sim *s) {
    struct open_entry pick = {.s = s};
    struct err err;
    if (centre_quarantine_list(centre(s), false, &s->mem, pick_entry, &pick, &err) != ST_OK) {
        sim_fail_err(s, "quarantine", &err);
        return;
    }
    if (!pick.seen) return;
    bool approve = sim_chance(s, 50), there = true;
    if (approve) there = approve_deeds(s, &pick);
    enum status status = decide(s, &pick, approve, &err);
    if (status != ST_OK && status != ST_CONFLICT) sim_fail_err(s, "decide", &err);
    if (status != ST_OK) return;
    if (approve) mark_approved(s, &pick);
    note_decision(s, &pick, approve);
    s->restored |= !there;
    SAY(s, "  office %s batch %u of %u\n", approve ? "approves" : "declines", pick.id.batch,
        pick.device);
    sim_count(s, SIM_OFFICE_DECIDE);
}

void sim_office_event(struct sim *s, enum sim_what event) {
    s->catalogue = &s->world.catalogue;
    if (event == SIM_OFFICE_EDIT) do_edit(s);
    if (event == SIM_OFFICE_DELETE) do_delete(s);
    if (event == SIM_OFFICE_DECIDE) do_decide(s);
    if (event == SIM_UNITE) sim_unite(s);
    if (event != SIM_SCOPE_CHANGE) return;
    sim_count(s, event);
    sim_scope_office(s);
}
