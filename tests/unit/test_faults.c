/* Faults anywhere in a whole round: the n-th send, the n-th allocation, the n-th disk call, on the
 * laptop and at the server. The only outcomes are that it worked, or that it failed cleanly,
 * nothing is lost, and a rerun succeeds.
 */
#include <stdio.h>

#include "syncd/store/centre_added.h"
#include "syncd/store/org_keys.h"
#include "tests/unit/check.h"
#include "tests/unit/fault.h"
#include "tests/unit/fault_vfs.h"
#include "tests/world/world.h"

enum { SENDS_MAX = 40, STRIDE = 40 };

struct shop {
    struct world world;
    int64_t acme;
    int64_t points; /* what the counter must come to */
    unsigned round;
};

static const struct entity *account(struct shop *s) {
    return catalogue_entity(&s->world.catalogue, SLICE("account"));
}

static void open_shop(struct shop *s) {
    struct err err;
    struct receipt receipt;
    *s = (struct shop){0};
    CHECK_OK(world_open(3, &s->world, &err));
    struct field_edit name = {entity_field(account(s), SLICE("name")), FIELD_EDIT_SET,
                              value_text(SLICE("Acme"))};
    CHECK_OK(world_office_save(&s->world, account(s), 0, &name, 1, &receipt, &s->acme, &err));
    CHECK_OK(world_laptop_add(&s->world, "A", &err));
    CHECK_OK(world_laptop_add(&s->world, "B", &err));
    CHECK_OK(world_settle(&s->world, &err));
}

/* A tag that is new each time, a number in the notes, and one more point. */
static void edit(struct shop *s, struct world_laptop *l) {
    struct err err;
    bool changed;
    uint32_t batch;
    char text[64];
    snprintf(text, sizeof(text), "%s%u", l->name, ++s->round);
    struct field_edit edits[] = {
        {entity_field(account(s), SLICE("tags")), FIELD_EDIT_ADD, value_text(slice_from(text))},
        {entity_field(account(s), SLICE("website")), FIELD_EDIT_SET, value_text(slice_from(text))},
        {entity_field(account(s), SLICE("points")), FIELD_EDIT_COUNT, value_int(1)}};
    size_t count = s->round % 50 ? 3 : 2; /* a set holds 64 elements: now and then they go */
    if (s->round % 50 == 0)
        edits[0] = (struct field_edit){entity_field(account(s), SLICE("tags")), FIELD_EDIT_SET,
                                       value_null()};
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, account(s), s->acme, edits, count, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
    s->points += count == 3;
}

/* After the fault: everybody syncs, all books are equal, every point is there. */
static void check_sound(struct shop *s) {
    struct err err;
    struct row row;
    struct buf difference SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    CHECK_OK(world_settle(&s->world, &err));
    CHECK_OK(world_compare(&s->world, &difference, &err));
    CHECK_TEXT(buf_text(&difference), "");
    CHECK_OK(
        store_get(world_office_store(&s->world), account(s), s->acme, &s->world.mem, &row, &err));
    CHECK_INT(row.values[entity_field_index(account(s), entity_field(account(s), SLICE("points")))]
                  .number,
              s->points);
}

static void lose(struct shop *s, unsigned n, enum world_fault fault) {
    struct err err;
    struct agent_result result;
    struct world_laptop *l = &s->world.laptops[n % 2];
    edit(s, l);
    l->fault = fault;
    (void)world_sync(l, &result, &err);
    edit(s, &s->world.laptops[(n + 1) % 2]);
    check_sound(s);
}

TEST(any_send_may_be_lost_either_way_or_come_twice) {
    static struct shop shop;
    open_shop(&shop);
    for (unsigned n = 0; n < SENDS_MAX; n++)
        lose(&shop, n,
             n % 3 == 0   ? WORLD_LOSE_REQUEST
             : n % 3 == 1 ? WORLD_LOSE_REPLY
                          : WORLD_REPEAT_REQUEST);
    world_close(&shop.world);
}

/* Both laptops have something to send; the fault strikes A's sync, wherever it is then: laptop,
 * wire, or server. */
static bool strike(struct shop *s, size_t n, bool disk, enum fault_disk kind) {
    struct err err;
    struct agent_result result;
    edit(s, &s->world.laptops[1]);
    CHECK_OK(world_sync(&s->world.laptops[1], &result, &err));
    edit(s, &s->world.laptops[0]);
    if (disk)
        fault_vfs_arm(n, kind, false);
    else
        fault_arm(n);
    (void)world_sync(&s->world.laptops[0], &result, &err);
    bool fired = disk ? fault_vfs_fired() : fault_fired();
    if (disk)
        fault_vfs_disarm();
    else
        fault_disarm();
    check_sound(s);
    return fired;
}

/* ------------------------------------------------------------------ fields that come */

enum { FIRST_ENTITY = 5, EACH_ENTITY = ENTITY_ADDED_MAX - 1, ENTITIES = 6 };

/* One more field, not of accounts, whose edits go on as before; once there are many, labels. */
static void change_fields(struct shop *s, unsigned *added) {
    struct err err;
    char text[32];
    struct centre *c = org_centre(s->world.office);
    struct added_field f = {.type = FIELD_INT, .entity = FIRST_ENTITY + *added / EACH_ENTITY};
    int len = snprintf(text, sizeof text, "f%u_%u", *added, s->round);
    f.name = f.label[LANG_EN] = f.label[LANG_ZH] = slice_of(text, (size_t)len);
    if (*added < EACH_ENTITY * ENTITIES) {
        CHECK_OK(centre_added_fields(c, &f, 1, NULL, 0, false, &err));
        (*added)++;
        return;
    }
    struct additions all;
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(centre_added(c, &mem, &all, &err));
    f.entity = all.fields[0].entity;
    f.tag = all.fields[0].tag;
    CHECK_OK(centre_added_change(c, &f, false, &err));
    arena_clear(&mem);
}

/* The catalogues are the same, and every column is there: a row can be read. */
static void check_fields(struct shop *s, unsigned added) {
    struct err err;
    for (size_t i = 0; i < s->world.laptop_count; i++) {
        struct store *store = s->world.laptops[i].store;
        unsigned count = 0;
        CHECK_OK(store_refresh(store, &err));
        const struct catalogue *cat = store_catalogue(store);
        for (size_t k = 0; k < cat->count; k++) {
            int64_t rows;
            struct query query = {.entity = &cat->entities[k]};
            for (size_t n = 0; n < cat->entities[k].field_count; n++) {
                const struct field *f = &cat->entities[k].fields[n];
                count += field_is_added(f);
                struct condition filled = {.field = f, .compare = COMPARE_NE};
                if (!field_is_added(f)) continue;
                query.conditions = &filled;
                query.condition_count = 1;
                CHECK_OK(store_count(store, &query, &rows, &err));
            }
        }
        CHECK_INT(count, added);
    }
}

static bool strike_fields(struct shop *s, size_t n, bool disk, unsigned *added) {
    struct err err;
    struct agent_result result;
    change_fields(s, added);
    edit(s, &s->world.laptops[0]);
    if (disk)
        fault_vfs_arm(n, n % 2 ? FAULT_DISK_FULL : FAULT_DISK_BROKEN, false);
    else
        fault_arm(n);
    (void)world_sync(&s->world.laptops[0], &result, &err);
    bool fired = disk ? fault_vfs_fired() : fault_fired();
    if (disk)
        fault_vfs_disarm();
    else
        fault_disarm();
    check_sound(s);
    check_fields(s, *added);
    return fired;
}

TEST(any_allocation_may_fail_while_fields_come) {
    static struct shop shop;
    unsigned added = 0;
    size_t n = 1;
    open_shop(&shop);
    while (strike_fields(&shop, n, false, &added)) n += 1 + n / STRIDE;
    CHECK(n > 100);
    world_close(&shop.world);
}

TEST(any_disk_call_may_fail_while_fields_come) {
    static struct shop shop;
    unsigned added = 0;
    size_t n = 1;
    fault_vfs_install();
    open_shop(&shop);
    while (strike_fields(&shop, n, true, &added)) n++;
    CHECK(n > 10);
    world_close(&shop.world);
}

/* ------------------------------------------------------------------ another key of the org */

static void arm(size_t n, bool disk) {
    if (disk)
        fault_vfs_arm(n, n % 2 ? FAULT_DISK_FULL : FAULT_DISK_BROKEN, false);
    else
        fault_arm(n);
}

static bool disarm(bool disk) {
    bool fired = disk ? fault_vfs_fired() : fault_fired();
    if (disk)
        fault_vfs_disarm();
    else
        fault_disarm();
    return fired;
}

/* The change itself, or the round by which a laptop hears of it. What failed in the middle the next
 * opening puts right, one way or the other: then a change works, and all follow. */
static bool strike_key(struct shop *s, size_t n, bool disk, bool change) {
    struct err err;
    struct key_record record;
    struct agent_result result;
    SCOPED(buf_free) struct buf said = buf_new(BUF_MAX_LINE);
    edit(s, &s->world.laptops[0]);
    if (change) arm(n, disk);
    enum status status =
        centre_key_change(org_centre(s->world.office), SLICE("office"), &record, &err);
    bool fired = change && disarm(disk);
    CHECK(status == ST_OK || fired);
    if (status != ST_OK) {
        world_server_off(&s->world);
        CHECK_OK(world_server_on(&s->world, &err));
    }
    CHECK_OK(centre_keys_verify(org_centre(s->world.office), &said, &err));
    CHECK_TEXT(buf_text(&said), "");
    if (!change) {
        arm(n, disk);
        (void)world_sync(&s->world.laptops[0], &result, &err);
        fired = disarm(disk);
    }
    check_sound(s);
    return fired;
}

static size_t strike_keys(bool disk, bool change) {
    enum { CHANGES = KEY_CHANGES_MAX / 2 - 1 }; /* one that failed may be made all the same */
    static struct shop shop;
    size_t n = 1;
    bool fired = true;
    while (fired) {
        open_shop(&shop);
        for (int i = 0; i < CHANGES && fired; i++) {
            fired = strike_key(&shop, n, disk, change);
            n += disk ? 1 : 1 + n / STRIDE;
        }
        world_close(&shop.world);
    }
    return n;
}

TEST(any_allocation_may_fail_while_the_key_changes) {
    CHECK(strike_keys(false, true) > 10);
    CHECK(strike_keys(false, false) > 100);
}

TEST(any_disk_call_may_fail_while_the_key_changes) {
    fault_vfs_install();
    CHECK(strike_keys(true, true) > 5);
    CHECK(strike_keys(true, false) > 10);
}

/* ------------------------------------------------------------------ rounds */

TEST(any_allocation_of_a_round_may_fail) {
    static struct shop shop;
    open_shop(&shop);
    size_t n = 1;
    while (strike(&shop, n, false, FAULT_DISK_FULL)) n += 1 + n / STRIDE;
    CHECK(n > 100); /* else the faults struck something smaller than a round */
    world_close(&shop.world);
}

TEST(any_disk_call_of_a_round_may_fail) {
    static struct shop shop;
    fault_vfs_install();
    open_shop(&shop);
    size_t n = 1;
    while (strike(&shop, n, true, n % 2 ? FAULT_DISK_FULL : FAULT_DISK_BROKEN)) n++;
    CHECK(n > 10);
    world_close(&shop.world);
}
