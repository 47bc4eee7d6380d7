/* Rows that become one in a run. */
#include "tests/sim/sim.h"

#include "syncd/server/unite.h"

enum { PART_OF_100 = 12 };

int64_t sim_final(struct sim *s, int64_t id) {
    const struct entity *e;
    int64_t final = id;
    struct err err;
    if (store_locate(world_office_store(&s->world), id, &e, &final, &err) != ST_OK)
        sim_fail_err(s, "locate", &err);
    return final;
}

static void note_united(struct sim *s, int64_t from, int64_t to, const bool saw[LAPTOPS]) {
    struct united u = {.from = from, .to = to};
    if (s->united_count == UNITED_MAX) return;
    for (size_t i = 0; i < LAPTOPS; i++)
        u.keeps[i] = saw[i] && !sim_sees_children(s, &s->world.laptops[i], to);
    s->united[s->united_count++] = u;
}

/* Now and then a field of the loser is chosen. */
static enum status unite(struct sim *s, const struct entity *e, int64_t loser, int64_t survivor,
                         struct err *err) {
    struct unite_choice choice = {.side = UNITE_LOSER};
    struct unite_order order = {.loser = loser,
                                .survivor = survivor,
                                .choices = &choice,
                                .choice_count = sim_draw(s, 3) ? 0 : 1,
                                .person = SLICE("office")};
    struct unite_result result;
    const char *field = strcmp(e->name, "account") ? "title" : "website";
    choice.field = entity_field(e, slice_from(field));
    return org_unite(s->world.office, &order, false, &s->mem, &result, err);
}

/* It was a mistake: they are two rows again. */
void sim_part(struct sim *s) {
    struct unite_parting result;
    struct err err;
    int64_t loser = s->united_last;
    enum status status = org_part(s->world.office, loser, false, &s->mem, &result, &err);
    SAY(s, "  office undoes the merging of %lld: %s\n", (long long)loser, status_name(status));
    if (status == ST_CONFLICT) return; /* undone already, or what it became is no more */
    if (status == ST_NOT_FOUND && s->rolled) return; /* in this life it never was merged */
    if (status != ST_OK) sim_fail_err(s, "part", &err);
    for (size_t i = 0; i < s->united_count; i++)
        if (s->united[i].from == loser) s->united[i--] = s->united[--s->united_count];
    s->parted = true;
    sim_count(s, SIM_PARTED);
}

void sim_unite(struct sim *s) {
    if (s->united_last && sim_chance(s, PART_OF_100)) {
        sim_part(s);
        return;
    }
    bool accounts = sim_draw(s, 3) > 0;
    const struct entity *e =
        catalogue_entity(&s->world.catalogue, accounts ? SLICE("account") : SLICE("contact"));
    int64_t loser = sim_any_row(s, world_office_store(&s->world), e),
            survivor = sim_any_row(s, world_office_store(&s->world), e);
    /* One whose grants come by its territory, and end with its name. */
    if (accounts && s->homes && !sim_has_territory(s, loser))
        loser = sim_any_row(s, world_office_store(&s->world), e);
    sim_unite_rows(s, e, loser, survivor);
}

void sim_unite_rows(struct sim *s, const struct entity *e, int64_t loser, int64_t survivor) {
    bool accounts = !strcmp(e->name, "account"), saw[LAPTOPS];
    struct err err;
    if (!loser || loser == survivor || s->united_count == UNITED_MAX) return;
    for (size_t i = 0; accounts && s->homes && i < LAPTOPS; i++)
        saw[i] = sim_sees_children(s, &s->world.laptops[i], loser);
    enum status status = unite(s, e, loser, survivor, &err);
    if (status == ST_CONFLICT && s->rolled) return; /* not before the recovery has ended */
    if (status != ST_OK) sim_fail_err(s, "unite", &err);
    sim_count(s, SIM_UNITE);
    s->united_any = true;
    s->united_last = loser;
    SAY(s, "  office merges %s %lld into %lld\n", e->name, (long long)loser, (long long)survivor);
    if (accounts && s->homes) note_united(s, loser, survivor, saw);
}

/* ------------------------------------------------------------------ what stays over both */

struct adding {
    struct sim *s;
    const struct place *place;
    int64_t sum;
};
static enum status add_row(void *ctx, const struct row *row, struct err *err) {
    struct adding *a = ctx;
    struct value v = sim_value_of(a->s, a->place, row->values);
    (void)err;
    if (v.kind == VALUE_INT) a->sum += v.number;
    return ST_OK;
}

static void check_sum(struct sim *s, const struct place *p) {
    struct query query = {.entity = sim_entity_of(s, p)};
    struct adding is = {.s = s, .place = p};
    struct err err;
    int64_t want = 0;
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].place == p && s->deeds[i].fate == FATE_ACCEPTED) want += s->deeds[i].delta;
    if (store_list(world_office_store(&s->world), &query, add_row, &is, &err) != ST_OK)
        sim_fail_err(s, "list", &err);
    if (is.sum != want)
        sim_fail(s, "the counters of all rows are not the sum of all deltas", is.sum, want);
}

void sim_unite_sums(struct sim *s) {
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].kind == KIND_DELETE && s->deeds[i].fate != FATE_UNDONE) return;
    for (size_t i = 0; i < sim_place_count; i++)
        if (sim_places[i].kind == KIND_COUNT) check_sum(s, &sim_places[i]);
}

/* ------------------------------------------------------------------ who took part */

static const struct entity *entity(struct sim *s, const char *name) {
    return sim_entity(s, name);
}

static enum status make_visit(struct sim *s, struct world_laptop *l, int64_t *out,
                              struct err *err) {
    const struct entity *e = entity(s, "visit");
    int64_t account = sim_any_row(s, l->store, entity(s, "account"));
    struct field_edit edits[] = {
        {entity_field(e, SLICE("account")), FIELD_EDIT_SET, value_int(account)},
        {entity_field(e, SLICE("business_date")), FIELD_EDIT_SET, value_int(20000)}};
    *out = sim_any_row(s, l->store, e);
    if (*out || !account) return ST_OK;
    struct deed *deed = sim_deed_new(s, (size_t)(l - s->world.laptops), 0, NULL, KIND_CREATE);
    if (!deed) return ST_OK;
    TRY(store_begin(l->store, err));
    TRY(store_create(l->store, e, edits, ARRAY_COUNT(edits), out, err));
    TRY(store_commit(l->store, &deed->batch, err));
    deed->row = *out;
    sim_deed_done(s, deed);
    return ST_OK;
}

static enum status take_part(struct sim *s, struct world_laptop *l, int64_t contact,
                             struct err *err) {
    const struct entity *e = entity(s, "visit_participant");
    int64_t visit = 0, id;
    if (!contact) contact = sim_any_row(s, l->store, entity(s, "contact"));
    TRY(make_visit(s, l, &visit, err));
    struct deed *deed = sim_deed_new(s, (size_t)(l - s->world.laptops), 0, NULL, KIND_CREATE);
    if (!visit || !contact || !deed) return ST_OK;
    struct field_edit edits[] = {
        {entity_field(e, SLICE("visit")), FIELD_EDIT_SET, value_int(visit)},
        {entity_field(e, SLICE("contact")), FIELD_EDIT_SET, value_int(contact)}};
    TRY(store_begin(l->store, err));
    TRY(store_create(l->store, e, edits, ARRAY_COUNT(edits), &id, err));
    TRY(store_commit(l->store, &deed->batch, err));
    deed->row = id;
    deed->part = true;
    sim_deed_done(s, deed);
    return ST_OK;
}

void sim_take_part(struct sim *s, struct world_laptop *l, int64_t contact) {
    struct err err;
    enum status status = take_part(s, l, contact, &err);
    if (status == ST_OK) sim_count(s, SIM_TAKE_PART);
    if (status == ST_OK) return;
    store_rollback(l->store);
    bool fine =
        status == ST_CONFLICT || status == ST_GONE || status == ST_DENIED || status == ST_NOT_FOUND;
    if (!fine) sim_fail_err(s, "take part", &err);
}
