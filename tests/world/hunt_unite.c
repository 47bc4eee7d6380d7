/* Rows that become one in a hunt. */
#include "tests/world/hunt.h"

#include "syncd/server/unite.h"

int64_t hunt_final(struct run *r, int64_t id) {
    const struct entity *e;
    int64_t final = id;
    struct err err;
    if (store_locate(world_office_store(&r->world), id, &e, &final, &err) != ST_OK)
        hunt_fail_err(r, "locate", &err);
    return final;
}

static void note_united(struct run *r, int64_t from, int64_t to, const bool saw[LAPTOPS]) {
    struct united u = {.from = from, .to = to};
    if (r->united_count == UNITED_MAX) return;
    for (size_t i = 0; i < LAPTOPS; i++)
        u.keeps[i] = saw[i] && !hunt_sees_team(r, &r->world.laptops[i], to);
    r->united[r->united_count++] = u;
}

/* Now and then a field of the loser is chosen. */
static enum status unite(struct run *r, const struct entity *e, int64_t loser, int64_t survivor,
                         struct err *err) {
    struct unite_choice choice = {.side = UNITE_LOSER};
    struct unite_order order = {.loser = loser,
                                .survivor = survivor,
                                .choices = &choice,
                                .choice_count = hunt_draw(r, 3) ? 0 : 1,
                                .person = SLICE("office")};
    struct unite_result result;
    const char *field = strcmp(e->name, "account") ? "title" : "website";
    choice.field = entity_field(e, slice_from(field));
    return org_unite(r->world.office, &order, false, &r->mem, &result, err);
}

void hunt_unite(struct run *r) {
    bool accounts = hunt_draw(r, 3) > 0, saw[LAPTOPS];
    const struct entity *e =
        catalogue_entity(&r->world.catalogue, accounts ? SLICE("account") : SLICE("contact"));
    int64_t loser = hunt_any_row(r, world_office_store(&r->world), e),
            survivor = hunt_any_row(r, world_office_store(&r->world), e);
    struct err err;
    if (!loser || loser == survivor || r->united_count == UNITED_MAX) return;
    for (size_t i = 0; accounts && r->profile->homes && i < LAPTOPS; i++)
        saw[i] = hunt_sees_team(r, &r->world.laptops[i], loser);
    if (unite(r, e, loser, survivor, &err) != ST_OK) hunt_fail_err(r, "unite", &err);
    SAY(r, "  office merges %s %lld into %lld\n", e->name, (long long)loser, (long long)survivor);
    if (accounts && r->profile->homes) note_united(r, loser, survivor, saw);
}

static const struct entity *entity(struct run *r, const char *name) {
    return catalogue_entity(&r->world.catalogue, slice_from(name));
}

static enum status make_visit(struct run *r, struct world_laptop *l, int64_t *out,
                              struct err *err) {
    const struct entity *e = entity(r, "visit");
    int64_t account = hunt_any_row(r, l->store, entity(r, "account"));
    struct field_edit edits[] = {
        {entity_field(e, SLICE("account")), FIELD_EDIT_SET, value_int(account)},
        {entity_field(e, SLICE("business_date")), FIELD_EDIT_SET, value_int(20000)}};
    *out = hunt_any_row(r, l->store, e);
    if (*out || !account) return ST_OK;
    struct deed *deed = hunt_new_edit(r, l, 0, NULL, KIND_CREATE);
    if (!deed) return ST_OK;
    TRY(store_begin(l->store, err));
    TRY(store_create(l->store, e, edits, ARRAY_COUNT(edits), out, err));
    TRY(store_commit(l->store, &deed->batch, err));
    deed->row = *out;
    r->edit_count++;
    return ST_OK;
}

static enum status take_part(struct run *r, struct world_laptop *l, struct err *err) {
    const struct entity *e = entity(r, "visit_participant");
    int64_t visit = 0, id, contact = hunt_any_row(r, l->store, entity(r, "contact"));
    TRY(make_visit(r, l, &visit, err));
    struct deed *deed = hunt_new_edit(r, l, 0, NULL, KIND_CREATE);
    if (!visit || !contact || !deed) return ST_OK;
    struct field_edit edits[] = {
        {entity_field(e, SLICE("visit")), FIELD_EDIT_SET, value_int(visit)},
        {entity_field(e, SLICE("contact")), FIELD_EDIT_SET, value_int(contact)}};
    TRY(store_begin(l->store, err));
    TRY(store_create(l->store, e, edits, ARRAY_COUNT(edits), &id, err));
    TRY(store_commit(l->store, &deed->batch, err));
    deed->row = id;
    SAY(r, "  %s notes participant %lld (%lld in %lld) e%zu\n", l->name, (long long)id,
        (long long)contact, (long long)visit, r->edit_count);
    r->edit_count++;
    return ST_OK;
}

void hunt_take_part(struct run *r, struct world_laptop *l) {
    struct err err;
    enum status status = take_part(r, l, &err);
    if (status == ST_OK) return;
    store_rollback(l->store);
    if (status != ST_CONFLICT && status != ST_GONE) hunt_fail_err(r, "take part", &err);
}
