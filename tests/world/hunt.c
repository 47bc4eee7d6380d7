/* Random runs: one seed makes people, clocks that are off, and a bad network; at rest the oracles
 * look.
 *
 *     hunt [--seed N] [--runs N] [--profile cells|kinds|rows|refused|homes|rollback|united|shared]
 *         [--kept FILE] [--trace]
 *
 * Converging is not correct. Each edit is remembered with what its author had been shown: values
 * carry the number of the edit that wrote them ("e17"), so what a person saw can be read off the
 * screen. No rule of the product reads it; only the oracles below do. Of every edit that the server
 * accepted they demand that it is in the value, or in the ledger, or was seen by an edit that is;
 * that nothing loses to an edit that it had seen; that counters are the sum of their deltas, sets
 * their adds less the removes, that no word of a text vanishes or stands twice; that a delete
 * stands only over edits that it had seen; and that all books are equal.
 */
#include "tests/world/hunt.h"

#include "syncd/platform/platform.h"

const struct place hunt_places[] = {
    {"account", "website", NULL, KIND_LAST}, {"account", "city", "street", KIND_GROUP},
    {"account", "points", NULL, KIND_COUNT}, {"account", "tags", NULL, KIND_SET},
    {"account", "remarks", NULL, KIND_TEXT}, {"account", "last_contact_on", NULL, KIND_MAX},
    {"account", "status", NULL, KIND_STATE}, {"account", "tier", NULL, KIND_OFFICE},
    {"contact", "title", NULL, KIND_LAST},   {"contact", "phones", NULL, KIND_SET},
    {"contact", "account", NULL, KIND_REF}};
const size_t hunt_place_count = ARRAY_COUNT(hunt_places);

static const struct profile profiles[] = {
    {"cells", BIT(KIND_LAST) | BIT(KIND_GROUP), 1, false, false, false, false},
    {"kinds",
     BIT(KIND_LAST) | BIT(KIND_GROUP) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_TEXT) |
         BIT(KIND_MAX) | BIT(KIND_STATE),
     1, false, false, false, false},
    {"rows", BIT(KIND_LAST) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_REF), 3, true, false, false,
     false},
    {"refused",
     BIT(KIND_LAST) | BIT(KIND_COUNT) | BIT(KIND_TEXT) | BIT(KIND_SET) | BIT(KIND_OFFICE), 2, true,
     false, false, false},
    {"homes", BIT(KIND_LAST) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_TEXT) | BIT(KIND_REF), 4,
     true, true, false, false},
    {"rollback",
     BIT(KIND_LAST) | BIT(KIND_GROUP) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_TEXT) |
         BIT(KIND_MAX) | BIT(KIND_STATE),
     2, false, false, true, false},
    {"united",
     BIT(KIND_LAST) | BIT(KIND_GROUP) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_TEXT) |
         BIT(KIND_MAX) | BIT(KIND_REF),
     4, true, false, false, true},
    {"shared", BIT(KIND_LAST) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_REF), 5, true, true,
     false, true}};

/* ------------------------------------------------------------------ what all need */

uint64_t hunt_draw(struct run *r, uint64_t below) { /* xorshift64* (Vigna 2016) */
    r->random ^= r->random >> 12;
    r->random ^= r->random << 25;
    r->random ^= r->random >> 27;
    return (r->random * 0x2545f4914f6cdd1du >> 16) % below;
}

void hunt_join(struct mask *m, const struct mask *other) {
    for (size_t i = 0; i < MASK_WORDS; i++) m->word[i] |= other->word[i];
}

void hunt_fail(struct run *r, const char *what, int64_t a, int64_t b) {
    if (!r->failure[0])
        snprintf(r->failure, sizeof(r->failure), "%s (%lld, %lld)", what, (long long)a,
                 (long long)b);
}
void hunt_fail_err(struct run *r, const char *what, const struct err *err) {
    if (!r->failure[0])
        snprintf(r->failure, sizeof(r->failure), "%s: %s: %.700s", what, status_name(err->status),
                 err->text[LANG_EN]);
}

/* The edit that a value names: "e17" -> 17; -1 for none. */
static int64_t edit_of(struct slice text) {
    int64_t n;
    if (text.len < 2 || text.data[0] != 'e' ||
        !text_to_int(slice_of(text.data + 1, text.len - 1), &n))
        return -1;
    return n;
}
int64_t hunt_edit_in(struct run *r, const struct place *p, struct value v) {
    int64_t n = -1;
    if (p->kind == KIND_LAST || p->kind == KIND_GROUP) n = edit_of(v.text);
    if (p->kind == KIND_MAX && v.kind == VALUE_INT) n = v.number % EDITS_MAX;
    return n >= 0 && (size_t)n < r->edit_count ? n : -1;
}

const struct entity *hunt_entity_of(struct run *r, const struct place *p) {
    return catalogue_entity(&r->world.catalogue, slice_from(p->entity));
}
const struct field *hunt_field_of(struct run *r, const struct place *p) {
    return entity_field(hunt_entity_of(r, p), slice_from(p->field));
}

/* What a shown value has seen: the edits behind it. Sets and texts: all whose elements and words
 * stand there. */
void hunt_see(struct run *r, const struct place *p, const struct entity *e,
              const struct value *values, struct mask *out) {
    struct value v = values[entity_field_index(e, hunt_field_of(r, p))];
    int64_t n = hunt_edit_in(r, p, v);
    if (n >= 0) hunt_join(out, &r->edits[n].seen);
}

/* ------------------------------------------------------------------ runs */

static enum status begin(struct run *r, uint64_t seed, struct err *err) {
    TRY(world_open(seed, &r->world, err));
    const struct entity *e = catalogue_entity(&r->world.catalogue, SLICE("account"));
    for (size_t i = 0; i < r->profile->accounts; i++) {
        struct field_edit name = {entity_field(e, SLICE("name")), FIELD_EDIT_SET,
                                  value_text(SLICE("account"))};
        struct receipt receipt;
        int64_t id;
        TRY(world_office_save(&r->world, e, 0, &name, 1, &receipt, &id, err));
    }
    static const char *const names[LAPTOPS] = {"A", "B", "C"};
    for (size_t i = 0; i < LAPTOPS; i++) TRY(world_laptop_add(&r->world, names[i], err));
    for (size_t i = 0; i < LAPTOPS; i++)
        r->world.laptops[i].offset_ms = (int64_t)hunt_draw(r, 3) * 9000000 - 9000000;
    if (r->profile->homes) TRY(hunt_scope_begin(r, err));
    TRY(world_settle(&r->world, err));
    return r->profile->rollback ? world_backup(&r->world, true, err) : ST_OK;
}

static bool one(const struct profile *profile, uint64_t seed, bool trace) {
    static struct run run;
    struct run *r = &run;
    memset(r, 0, sizeof(*r));
    r->profile = profile;
    r->trace = trace;
    r->random = seed * 0x9e3779b97f4a7c15u + 0x1234567;
    r->mem = arena_new(ARENA_CAP_DEFAULT);
    struct err err = {0};
    if (begin(r, seed, &err) != ST_OK) hunt_fail_err(r, "begin", &err);
    int steps = profile->rollback ? STEPS_ROLLBACK : STEPS;
    for (int i = 0; i < steps && !r->failure[0]; i++) hunt_step(r);
    SAY(r, "--- heal\n");
    if (!r->failure[0]) hunt_look(r);
    if (r->failure[0] && trace)
        printf("kept: %s\n", r->world.dir);
    else
        world_close(&r->world);
    arena_clear(&r->mem);
    if (r->failure[0])
        printf("FAILED %s seed %llu: %s\n", profile->name, (unsigned long long)seed, r->failure);
    return !r->failure[0];
}

/* Lines "PROFILE SEED": runs that failed once. */
static bool kept_seeds(const char *path, bool trace) {
    FILE *file = fopen(path, "r");
    char name[32];
    unsigned long long seed;
    bool good = file != NULL;
    if (!file) printf("FAILED: cannot read %s\n", path);
    while (file && fscanf(file, "%31s %llu", name, &seed) == 2)
        for (size_t p = 0; p < ARRAY_COUNT(profiles); p++)
            if (!strcmp(name, profiles[p].name)) good = one(&profiles[p], seed, trace) && good;
    if (file) fclose(file);
    return good;
}

int main(int argc, char **argv) {
    uint64_t seed = 1, runs = 40;
    bool kept = true;
    const char *only = NULL;
    bool trace = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--runs") && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--profile") && i + 1 < argc)
            only = argv[++i];
        else if (!strcmp(argv[i], "--kept") && i + 1 < argc)
            kept = kept_seeds(argv[++i], trace) && kept;
        else if (!strcmp(argv[i], "--trace"))
            trace = true;
        else {
            fprintf(stderr, "usage: hunt [--seed N] [--runs N] [--profile "
                            "cells|kinds|rows|refused|homes|rollback|united|shared] [--kept FILE] "
                            "[--trace]\n");
            return 64;
        }
    }
    uint64_t failed = 0, passed = 0;
    for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
        if (only && strcmp(only, profiles[p].name)) continue;
        for (uint64_t i = 0; i < runs; i++)
            one(&profiles[p], seed + i, trace) ? passed++ : failed++;
    }
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed != 0 || !kept;
}
