/* One run: what it begins with, what is on in it, step by step what happens. */
#include "tests/sim/sim.h"

#include "protocol/model/catalogue.h"
#include "syncd/server/scope.h"

static const char *const names[SIM_WHAT_COUNT] = {
#define ROW(name, weight) [SIM_##name] = #name,
    SIM_EVENT_ROWS(ROW) SIM_FAULT_ROWS(ROW)
#undef ROW
#define ROW(name) [SIM_##name] = #name,
        SIM_COUNT_ROWS(ROW)
#undef ROW
};
static const int weights[SIM_FAULTS] = {
#define ROW(name, weight) [SIM_##name] = weight,
    SIM_EVENT_ROWS(ROW) SIM_FAULT_ROWS(ROW)
#undef ROW
};

const char *sim_what_name(enum sim_what what) {
    return names[what];
}

/* ------------------------------------------------------------------ chance */

uint64_t sim_draw(struct sim *s, uint64_t below) { /* xorshift64* (Vigna 2016) */
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return below ? (s->random * 0x2545f4914f6cdd1du >> 16) % below : 0;
}
bool sim_chance(struct sim *s, unsigned of_100) {
    return sim_draw(s, 100) < of_100;
}

enum sim_what sim_pick(struct sim *s, int first, int end) {
    uint64_t sum = 0;
    for (int i = first; i < end; i++) sum += (uint64_t)s->weight[i];
    if (!sum) return (enum sim_what)end;
    uint64_t at = sim_draw(s, sum);
    int i = first;
    while (at >= (uint64_t)s->weight[i]) at -= (uint64_t)s->weight[i++];
    return (enum sim_what)i;
}

/* ------------------------------------------------------------------ what is noted */

void sim_count(struct sim *s, enum sim_what what) {
    s->counts[what]++;
}
void sim_fail(struct sim *s, const char *what, int64_t a, int64_t b) {
    if (!s->failure[0])
        snprintf(s->failure, sizeof(s->failure), "%s (%lld, %lld)", what, (long long)a,
                 (long long)b);
}
void sim_fail_err(struct sim *s, const char *what, const struct err *err) {
    if (!s->failure[0])
        snprintf(s->failure, sizeof(s->failure), "%s: %s: %.700s", what, status_name(err->status),
                 err->text[LANG_EN]);
}

const char *sim_why(const struct err *err) {
    return strchr(err->text[LANG_EN], '/') ? status_name(err->status) : err->text[LANG_EN];
}

/* ------------------------------------------------------------------ the beginning */

enum { OLD_FIELDS = 31 }; /* account: the release before had fewer fields than this tag */

static enum status add_accounts(struct sim *s, struct err *err) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, SLICE("account"));
    for (size_t i = 0; i < s->accounts; i++) {
        struct field_edit name = {entity_field(e, SLICE("name")), FIELD_EDIT_SET,
                                  value_text(SLICE("account"))};
        struct receipt receipt;
        int64_t id;
        TRY(world_office_save(&s->world, e, 0, &name, 1, &receipt, &id, err));
    }
    return ST_OK;
}

enum status sim_begin(size_t variant, struct sim *s, struct err *err) {
    static const char *const people[LAPTOPS] = {"A", "B", "C"};
    struct org_reader *reader; /* once for all runs */
    memset(s, 0, sizeof(*s));
    s->accounts = variant + 1;
    s->homes = variant == VARIANTS - 1;
    s->mem = arena_new(ARENA_CAP_DEFAULT);
    TRY(world_open(variant + 1, &s->world, err));
    const struct entity *e = catalogue_entity(&s->world.catalogue, SLICE("account"));
    TRY(catalogue_without(&s->world.catalogue, e->tag, OLD_FIELDS, &s->world.mem, &s->old, err));
    TRY(add_accounts(s, err));
    for (size_t i = 0; i < LAPTOPS; i++)
        TRY(world_laptop_add_as(&s->world, people[i], i == MANAGER ? USER_MANAGER : USER_REP, err));
    if (s->homes) TRY(sim_scope_begin(s, err));
    TRY(world_office_reader(&s->world, &reader, err));
    return world_settle(&s->world, err);
}

void sim_end(struct sim *s) {
    world_close(&s->world);
    arena_clear(&s->mem);
}

/* ------------------------------------------------------------------ swarm */

static uint64_t start_of(uint64_t seed) {
    uint64_t z = seed * 0x9e3779b97f4a7c15u + 0x1234567;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t sim_variant_of(uint64_t seed) {
    return (size_t)(start_of(seed) >> 8) % VARIANTS;
}

static void choose_kinds(struct sim *s) {
    if (sim_chance(s, 30)) {
        s->kinds = BIT(KIND_LAST) | BIT(KIND_GROUP);
    } else {
        for (int k = KIND_LAST; k < KIND_END; k++)
            if (sim_draw(s, 2)) s->kinds |= BIT((unsigned)k);
    }
    if (!(s->kinds & ~BIT(KIND_REF))) s->kinds |= BIT(KIND_LAST);
    s->rows = s->homes || s->loose || sim_chance(s, 45) || s->unites;
    if (!s->rows) s->kinds &= ~BIT(KIND_REF);
    if (!s->kinds) s->kinds = BIT(KIND_LAST);
}

enum { ROLLBACK_OF_100 = 15, LOOSE_OF_100 = 5, COPIED_OF = 8, IMAGED_OF = 8, UNITES_OF = 4 };
enum { PLOT_OF = 3, PLOT_BEFORE = 24 }; /* of the seeds; before that step */
bool sim_rolls_back(uint64_t seed) {
    return (start_of(seed) >> 16) % 100 < ROLLBACK_OF_100;
}
bool sim_is_loose(uint64_t seed) {
    return !sim_rolls_back(seed) && (start_of(seed) >> 16) % 100 < ROLLBACK_OF_100 + LOOSE_OF_100;
}

bool sim_is_imaged(uint64_t seed) {
    return !sim_rolls_back(seed) && !sim_is_loose(seed) && (start_of(seed) >> 56) % IMAGED_OF == 0;
}

/* Not by a draw: all other seeds mean what they meant. */
size_t sim_plot_step(uint64_t seed) {
    uint64_t draw = start_of(seed ^ 0x706c6f74);
    return draw % PLOT_OF == 0 ? 4 + (size_t)(draw >> 16) % PLOT_BEFORE : SIZE_MAX;
}

bool sim_may_unite(uint64_t seed) {
    return !sim_rolls_back(seed) && (start_of(seed) >> 60) % UNITES_OF == 0;
}

/* What the rules promise after a server went back is for what laptops hold: deletes and what waits
 * are not in these runs. */
static void choose_rollback(struct sim *s) {
    static const enum sim_what off[] = {SIM_OFFICE_DELETE, SIM_OFFICE_DECIDE, SIM_DELETE,
                                        SIM_IMPORT,        SIM_IMPORT_REVERT, SIM_RETRY,
                                        SIM_DROP};
    if (!s->homes) s->weight[SIM_SCOPE_CHANGE] = 0;
    if (s->loose) {
        s->weight[SIM_BACKUP] = 14;
        s->weight[SIM_ROLLBACK] = 12;
        return;
    }
    if (!s->rollback) {
        s->weight[SIM_BACKUP] = s->weight[SIM_ROLLBACK] = 0;
        return;
    }
    s->rows = false;
    s->kinds &= ~(BIT(KIND_REF) | BIT(KIND_OFFICE));
    if (!s->kinds) s->kinds = BIT(KIND_LAST);
    for (size_t i = 0; i < ARRAY_COUNT(off); i++) s->weight[off[i]] = 0;
    s->weight[SIM_BACKUP] = 14;
    s->weight[SIM_ROLLBACK] = 12;
    s->weight[SIM_CREATE] = 8;
}

/* Each kind of event and fault is off, as usual, or often. */
static void choose_weights(struct sim *s) {
    static const int times[] = {0, 1, 1, 3};
    for (int i = 0; i < SIM_FAULTS; i++)
        s->weight[i] = weights[i] * times[sim_draw(s, ARRAY_COUNT(times))];
    if (!s->weight[SIM_EDIT]) s->weight[SIM_EDIT] = weights[SIM_EDIT] / 2;
    if (!s->weight[SIM_ROUND]) s->weight[SIM_ROUND] = weights[SIM_ROUND] / 2;
    if (!s->rows)
        s->weight[SIM_CREATE] = s->weight[SIM_DELETE] = s->weight[SIM_IMPORT] =
            s->weight[SIM_IMPORT_REVERT] = s->weight[SIM_OFFICE_DELETE] = 0;
    static const unsigned often[] = {0, 15, 35, 60};
    s->trouble = often[sim_draw(s, ARRAY_COUNT(often))];
    s->steps = 28 + (size_t)sim_draw(s, 28);
    s->meets = sim_chance(s, 75);
}

static void choose_unites(struct sim *s) {
    s->unites = s->unites && s->rows && !s->rollback;
    if (!s->unites) s->weight[SIM_UNITE] = 0;
    if (!s->unites) s->weight[SIM_TAKE_PART] = 0;
    if (s->unites) s->kinds &= ~(BIT(KIND_STATE) | BIT(KIND_OFFICE));
    if (!s->kinds) s->kinds = BIT(KIND_LAST);
}

static void choose_clocks(struct sim *s) {
    for (size_t i = 0; i < LAPTOPS; i++) {
        s->world.laptops[i].offset_ms = (int64_t)sim_draw(s, 3) * 9000000 - 9000000;
        s->stands[i] = s->weight[SIM_CLOCK_STANDS] && sim_chance(s, 20);
        if (s->stands[i]) sim_count(s, SIM_CLOCK_STANDS);
    }
}

/* Where tombstones are collected, a lease of days lets laptops come late. */
static void choose_lease(struct sim *s) {
    struct err err;
    if (!s->weight[SIM_COMPACT] || !sim_chance(s, 50)) return;
    if (org_lease_set(s->world.office, 1 + (int64_t)sim_draw(s, 6), &err) != ST_OK)
        sim_fail_err(s, "lease", &err);
    s->leased = true;
}

/* ------------------------------------------------------------------ steps */

static void pass_time(struct sim *s, int64_t ms) {
    s->world.now_ms += ms;
    for (size_t i = 0; i < LAPTOPS; i++)
        if (s->stands[i]) s->world.laptops[i].offset_ms -= ms;
}

void sim_pass(struct sim *s, int64_t ms) {
    pass_time(s, ms);
    sim_scope_sights(s);
    sim_dated_due(s);
}

static struct world_laptop *choose_laptop(struct sim *s) {
    enum { SAME_PERSON = 35 };
    bool same = s->meets && sim_chance(s, SAME_PERSON);
    if (!same) s->last_laptop = sim_draw(s, LAPTOPS);
    while (s->out[s->last_laptop]) s->last_laptop = sim_draw(s, LAPTOPS);
    return &s->world.laptops[s->last_laptop];
}

static void happens(struct sim *s, struct world_laptop *l, enum sim_what event) {
    if (event >= SIM_OFFICE_EDIT && event <= SIM_UNITE)
        sim_office_event(s, event);
    else if (event == SIM_ROUND || event >= SIM_RESTART)
        sim_trouble_event(s, l, event);
    else
        sim_people_event(s, l, event);
}

static void step(struct sim *s) {
    struct world_laptop *l = choose_laptop(s);
    pass_time(s, 1000 + (int64_t)sim_draw(s, 60000));
    if (s->weight[SIM_DAYS_PASS] && sim_chance(s, 3)) {
        pass_time(s, (int64_t)sim_draw(s, 1 + sim_draw(s, 40)) * 86400000);
        sim_count(s, SIM_DAYS_PASS);
    }
    if (s->dated) pass_time(s, sim_dated_pause(s));
    s->fault = SIM_WHAT_COUNT;
    sim_scope_sights(s);
    sim_dated_due(s);
    if (s->imaged) sim_image_step(s);
    if (s->step == s->plot_step) sim_plot(s);
    if (sim_is_out(s, l)) return;
    do { /* a form that is opened is left open, and something else is done */
        s->opened = false;
        happens(s, l, sim_pick(s, 0, SIM_EVENTS));
    } while (s->opened && !sim_is_out(s, l) && !s->failure[0]);
    s->catalogue = &s->world.catalogue;
}

static void count_disk(struct sim *s) {
    struct disk_counts counts;
    disk_counts(&counts);
    s->counts[SIM_WRITE_LOST] = counts.lost;
    s->counts[SIM_WRITE_TORN] = counts.torn;
}

/* The world that all runs share was opened elsewhere. */
static void begin_marked(struct sim *s) {
    struct err err;
    world_server_off(&s->world);
    if (world_server_on(&s->world, &err) != ST_OK) sim_fail_err(s, "server", &err);
}

void sim_run(struct sim *s, uint64_t seed, bool trace) {
    s->random = start_of(seed) | 1;
    s->trace = trace;
    s->catalogue = &s->world.catalogue;
    s->fault = SIM_WHAT_COUNT;
    s->world.network = (struct world_network){s, sim_trouble_exchange};
    s->world.random_state = sim_draw(s, UINT64_MAX);
    for (size_t i = 0; i < LAPTOPS; i++) s->world.laptops[i].random_state = sim_draw(s, UINT64_MAX);
    disk_seed(sim_draw(s, UINT64_MAX));
    s->rollback = sim_rolls_back(seed);
    s->loose = sim_is_loose(seed);
    s->marked = s->loose && start_of(seed) >> 32 & 1;
    s->copied = (start_of(seed) >> 40) % COPIED_OF == 0;
    s->imaged = sim_is_imaged(seed);
    s->unites = sim_may_unite(seed);
    for (size_t i = 0; i < LAPTOPS; i++) s->device[i] = (uint32_t)i + 1;
    s->pressed = start_of(seed) >> 52 & 1;
    s->dated = s->homes && start_of(seed) >> 44 & 1;
    s->plot_step = sim_plot_step(seed);
    choose_kinds(s);
    choose_weights(s);
    choose_rollback(s);
    choose_unites(s);
    sim_choose_places(s, sim_chance(s, 60) ? 1 + sim_draw(s, 3) : PLACES_MAX);
    choose_clocks(s);
    choose_lease(s);
    if (s->marked) begin_marked(s);
    if (s->copied) sim_copy_begin(s);
    if (s->dated) sim_dated_begin(s, start_of(seed) >> 48);
    for (int i = 0; s->homes && i < 6; i++) sim_scope_office(s);
    for (; s->step < s->steps && !s->failure[0]; s->step++) {
        SAY(s, "%zu\n", s->step);
        step(s);
    }
    SAY(s, "--- at rest\n");
    if (!s->failure[0]) sim_look(s);
    count_disk(s);
}
