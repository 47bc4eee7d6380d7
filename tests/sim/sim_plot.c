/* What chance alone brings together too seldom: in a third of the runs, once, some few events in a
 * certain order. Who plays which part, and on what, is drawn; before and after it the run goes on
 * as ever, and the checks are the same.
 */
#include "tests/sim/sim.h"

enum { HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

/* Everybody in some order. */
struct cast {
    struct sim *s;
    struct world_laptop *who[LAPTOPS];
};

static struct cast cast_of(struct sim *s) {
    struct cast cast = {.s = s};
    for (size_t i = 0; i < LAPTOPS; i++) {
        size_t at = sim_draw(s, i + 1);
        cast.who[i] = cast.who[at];
        cast.who[at] = &s->world.laptops[i];
    }
    return cast;
}

static void sync(struct sim *s, struct world_laptop *l) {
    size_t i = (size_t)(l - s->world.laptops);
    struct err err;
    if (s->failure[0] || sim_is_out(s, l)) return;
    s->one_way_left[i] = 0;
    SAY(s, "  %s syncs\n", l->name);
    if (sim_life_sync(s, l, &err) != ST_OK) {
        sim_fail_err(s, "sync", &err);
        return;
    }
    if (s->revoked[i]) return; /* it is out, or waits until the server is whole again */
    sim_glance(s, l);
    sim_prove(s, l);
}

static void sync_all(const struct cast *cast) {
    for (size_t i = 0; i < LAPTOPS; i++) sync(cast->s, cast->who[i]);
}

static const struct place *place(const char *entity, enum kind kind) {
    for (size_t i = 0; i < sim_place_count; i++)
        if (sim_places[i].kind == kind && !strcmp(sim_places[i].entity, entity))
            return &sim_places[i];
    return NULL;
}

static int64_t office_row(struct sim *s, const char *entity) {
    s->catalogue = &s->world.catalogue;
    return sim_any_row(s, world_office_store(&s->world), sim_entity(s, entity));
}

static bool lives(struct sim *s, const char *entity, int64_t id) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, slice_from(entity));
    struct row row;
    struct err err;
    return store_get(world_office_store(&s->world), e, id, &s->mem, &row, &err) == ST_OK &&
           !row.gone && row.id == id;
}

/* Rather one that this person does not see. */
static int64_t unseen_row(struct sim *s, const struct world_laptop *l, const char *entity) {
    int64_t id = office_row(s, entity);
    for (int i = 0; i < 4 && s->homes && sim_sees_row(s, l, entity, id); i++)
        id = office_row(s, entity);
    return id;
}

static int64_t account_of(struct sim *s, int64_t contact) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, SLICE("contact"));
    struct row row;
    struct err err;
    if (!contact ||
        store_get(world_office_store(&s->world), e, contact, &s->mem, &row, &err) != ST_OK)
        return 0;
    return row.values[e->owner_field].number;
}

/* All have what there is, and there are contacts. */
static void with_contacts(const struct cast *cast) {
    struct sim *s = cast->s;
    for (size_t i = 0; i < LAPTOPS && !office_row(s, "contact"); i++) {
        sim_people_event(s, cast->who[i], SIM_CREATE);
        sync(s, cast->who[i]);
    }
    sync_all(cast);
}

/* ------------------------------------------------------------------ rows that come back */

/* Of a contact, of its account, and an edit that had seen neither. */
static void two_deletes(struct cast *cast) {
    struct sim *s = cast->s;
    with_contacts(cast);
    int64_t contact = office_row(s, "contact"), account = account_of(s, contact);
    if (!account) return;
    sim_count(s, SIM_TWO_DELETES);
    sim_people_delete(s, cast->who[0], "contact", contact);
    sim_people_delete(s, cast->who[1], "account", account);
    sim_people_save(s, cast->who[2], place("contact", KIND_LAST), contact, 0);
    *cast = cast_of(s);
    sync_all(cast);
}

/* An edit that comes when what it was done to is collected, and is approved. */
static void too_late(struct cast *cast) {
    struct sim *s = cast->s;
    struct centre_scope scope;
    with_contacts(cast);
    int64_t contact = office_row(s, "contact"), account = account_of(s, contact);
    if (!account) return;
    sim_count(s, SIM_TOO_LATE);
    centre_scope(org_centre(s->world.office), &scope);
    sim_people_save(s, cast->who[0], place("contact", KIND_LAST), contact, 0);
    if (sim_draw(s, 2)) sim_people_delete(s, cast->who[1], "contact", contact);
    sim_people_delete(s, cast->who[1], "account", account);
    sync(s, cast->who[1]);
    sync(s, cast->who[2]);
    sim_count(s, SIM_DAYS_PASS);
    sim_pass(s, (scope.lease_days + 2) * DAY_MS);
    sync(s, cast->who[1]);
    sync(s, cast->who[2]);
    sim_life_compact(s);
    sync(s, cast->who[0]);
    for (int i = 0; i < 4; i++) sim_office_event(s, SIM_OFFICE_DECIDE);
    sync_all(cast);
}

/* ------------------------------------------------------------------ rows that become one */

/* Somebody who has not heard of it names a row that became another, or writes on it. */
static void former_name(struct cast *cast) {
    struct sim *s = cast->s;
    struct world_laptop *l = cast->who[0];
    bool contacts = sim_draw(s, 2);
    const char *entity = contacts ? "contact" : "account";
    with_contacts(cast);
    s->catalogue = l->catalogue;
    int64_t contact = sim_any_row(s, l->store, sim_entity(s, "contact"));
    int64_t loser = sim_any_row(s, l->store, sim_entity(s, entity));
    int64_t survivor = unseen_row(s, l, entity);
    if (!loser || loser == survivor) return;
    sim_count(s, SIM_FORMER_NAME);
    if (contacts && sim_draw(s, 2)) sim_take_part(s, l, loser);
    sync_all(cast);
    if (!lives(s, entity, loser) || !lives(s, entity, survivor)) return;
    if (contacts && s->homes && sim_draw(s, 2)) /* it was his to see, and is not any more */
        sim_office_set(s, entity, loser, "account", unseen_row(s, l, "account"));
    sim_unite_rows(s, sim_entity(s, entity), loser, survivor);
    s->catalogue = l->catalogue;
    if (contacts)
        sim_take_part(s, l, loser);
    else if (contact)
        sim_people_save(s, l, place("contact", KIND_REF), contact, loser);
    if (!contacts && sim_draw(s, 2)) sim_people_save(s, l, place(entity, KIND_LAST), loser, 0);
    sync(s, l);
    if (sim_draw(s, 2)) sim_part(s);
    sync_all(cast);
}

/* Counts before, while and after two accounts are one. */
static void count_parted(struct cast *cast) {
    struct sim *s = cast->s;
    const struct place *points = place("account", KIND_COUNT);
    sync_all(cast);
    int64_t loser = office_row(s, "account"), survivor = office_row(s, "account");
    if (!loser || loser == survivor) return;
    sim_people_save(s, cast->who[0], points, loser, 0);
    sim_people_save(s, cast->who[1], points, survivor, 0);
    sync_all(cast);
    if (!lives(s, "account", loser) || !lives(s, "account", survivor)) return;
    sim_unite_rows(s, sim_entity(s, "account"), loser, survivor);
    sim_people_save(s, cast->who[2], points, loser, 0);
    sync(s, cast->who[2]);
    sync(s, cast->who[0]);
    sim_people_save(s, cast->who[0], points, survivor, 0);
    sync(s, cast->who[0]);
    sim_part(s);
    sim_count(s, SIM_COUNT_PARTED);
    sync_all(cast);
}

/* ------------------------------------------------------------------ time */

/* A stick of a laptop whose clock the server knows. */
static void long_way(struct cast *cast) {
    struct sim *s = cast->s;
    struct world_laptop *l = cast->who[0];
    sync(s, l);
    int64_t account = sim_any_row(s, l->store, sim_entity(s, "account"));
    sim_count(s, SIM_LONG_WAY);
    sim_people_save(s, l, place("account", KIND_LAST), account, 0);
    sim_pass(s, 60000);
    sim_life_carry(s, l, (1 + (int64_t)sim_draw(s, 50)) * HOUR_MS);
}

/* ------------------------------------------------------------------ a server that goes back */

static void restart_server(struct sim *s) {
    struct err err;
    SAY(s, "  the server is opened again\n");
    world_server_off(&s->world);
    if (world_server_on(&s->world, &err) != ST_OK) sim_fail_err(s, "server", &err);
}

/* A remove is given back before the add that it had seen, which came before the backup or after. */
static void removed_first(struct cast *cast) {
    struct sim *s = cast->s;
    const struct place *tags = place("account", KIND_SET);
    bool before = sim_draw(s, 2);
    sync_all(cast);
    int64_t account = office_row(s, "account");
    if (!before) sim_backup(s, true);
    if (sim_draw(s, 2)) sync_all(cast);
    if (before && sim_draw(s, 2)) restart_server(s); /* the lives may part here, for all it knows */
    sim_people_save(s, cast->who[0], tags, account, 0);
    sync(s, cast->who[0]);
    if (before) { /* and what the other laptop gets next is from before it and from after it */
        sim_backup(s, true);
        sim_people_save(s, cast->who[0], place("account", KIND_LAST), account, 0);
        sync(s, cast->who[0]);
    }
    sync(s, cast->who[1]);
    for (int i = 0; i < 3; i++) sim_people_save(s, cast->who[1], tags, account, 0);
    sync(s, cast->who[1]);
    if (sim_draw(s, 2)) sync(s, cast->who[0]);
    sim_count(s, SIM_REMOVED_FIRST);
    sim_rollback(s);
    sync(s, cast->who[1]);
    sync(s, cast->who[0]);
}

/* An edit is on its way while a value comes that the server then forgets; it is undone, or not. */
static void answered_after(struct cast *cast) {
    struct sim *s = cast->s;
    const struct place *p = place("account", KIND_LAST);
    sync_all(cast);
    int64_t account = office_row(s, "account");
    sim_backup(s, sim_draw(s, 2));
    if (sim_draw(s, 2))
        sim_office_edit(s, p, account);
    else
        sim_people_save(s, cast->who[1], p, account, 0);
    sync(s, cast->who[1]);
    s->during.place = p;
    s->during.row = account;
    s->fault = SIM_EDIT_DURING_ROUND;
    sync(s, cast->who[0]);
    s->during.place = NULL;
    s->fault = SIM_WHAT_COUNT;
    sim_count(s, SIM_ANSWERED_AFTER);
    sim_rollback(s);
    if (sim_draw(s, 2)) sim_people_event(s, cast->who[0], SIM_UNDO);
    sync(s, cast->who[0]);
}

/* Before anybody tells the server that it went back it gives a seq again, to a note, that was a
 * count's in the life before: whoever saw the count has not seen the note. */
static void seq_again(struct cast *cast) {
    struct sim *s = cast->s;
    const struct place *points = place("account", KIND_COUNT), *text = place("account", KIND_TEXT);
    sync_all(cast);
    int64_t account = office_row(s, "account");
    sim_backup(s, true);
    sim_people_save(s, cast->who[1], points, account, 0);
    sync(s, cast->who[1]);
    sim_people_save(s, cast->who[2], points, account, 0);
    sync(s, cast->who[2]);
    sim_count(s, SIM_SEQ_AGAIN);
    sim_rollback(s);
    sim_people_save(s, cast->who[0], text, account, 0);
    sync(s, cast->who[0]);
    sync(s, cast->who[2]);
    sync(s, cast->who[0]);
    sim_people_save(s, cast->who[1], text, account, 0);
    sync(s, cast->who[1]);
}

/* Head office makes accounts before and after it went back; hours later, for it gives ids by the
 * hour of its opening. */
static void ids_after(struct cast *cast) {
    struct sim *s = cast->s;
    sim_backup(s, sim_draw(s, 2));
    sim_office_create(s);
    if (sim_draw(s, 2)) sync_all(cast);
    sim_pass(s, 2 * (int64_t)HOUR_MS);
    sim_rollback(s);
    sim_office_create(s);
    sim_count(s, SIM_IDS_AFTER);
    sync_all(cast);
}

/* ------------------------------------------------------------------ which may be played */

static bool goes_forward(const struct sim *s) {
    return s->rows && !s->rollback && !s->loose && !s->imaged;
}
static bool has_unites(const struct sim *s) {
    return s->unites && !s->loose;
}
static bool never_back(const struct sim *s) {
    return !s->rolled && !s->imaged;
}
static bool goes_back(const struct sim *s) {
    return s->rollback && !s->rolled;
}
static bool is_loose(const struct sim *s) {
    return s->loose && !s->rolled;
}

static const struct {
    bool (*may)(const struct sim *s);
    void (*play)(struct cast *cast);
    uint64_t weight; /* of those that fewer runs may have, more */
} plots[] = {
    {goes_forward, two_deletes, 2}, {goes_forward, too_late, 2}, {has_unites, former_name, 8},
    {has_unites, count_parted, 3},  {never_back, long_way, 1},   {goes_back, removed_first, 3},
    {goes_back, answered_after, 3}, {goes_back, seq_again, 3},   {is_loose, ids_after, 3}};

void sim_plot(struct sim *s) {
    struct cast cast = cast_of(s);
    size_t chosen = ARRAY_COUNT(plots);
    uint64_t seen = 0;
    for (size_t i = 0; i < LAPTOPS; i++)
        if (sim_is_out(s, cast.who[i]) || s->revoked[i]) return;
    for (size_t i = 0; i < ARRAY_COUNT(plots); i++) {
        if (!plots[i].may(s)) continue;
        seen += plots[i].weight;
        if (sim_draw(s, seen) < plots[i].weight) chosen = i;
    }
    if (chosen == ARRAY_COUNT(plots)) return;
    SAY(s, "  a plot:\n");
    plots[chosen].play(&cast);
    s->catalogue = &s->world.catalogue;
}
