/* A server that went back in time, as head office sees it: laptops and server in one process, the
 * server's file set back behind its back. */
#include <string.h>

#include "syncd/store/centre_compact.h"
#include "syncd/store/lives.h"
#include "tests/unit/check.h"
#include "tests/world/world.h"

static struct world w;
static struct world_laptop *wang, *li;

static const struct entity *account(void) {
    return catalogue_entity(&w.catalogue, SLICE("account"));
}

static int64_t create(struct world_laptop *l, const char *name) {
    struct err err;
    struct field_edit edit = {entity_field(account(), SLICE("name")), FIELD_EDIT_SET,
                              value_text(slice_from(name))};
    uint32_t batch;
    int64_t id;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_create(l->store, account(), &edit, 1, &id, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
    return id;
}

static void sync(struct world_laptop *l) {
    struct err err;
    struct agent_result result;
    CHECK_OK(world_sync(l, &result, &err));
}

static void start(void) {
    struct err err;
    CHECK_OK(world_open(23, &w, &err));
    CHECK_OK(world_laptop_add(&w, "wang", &err));
    CHECK_OK(world_laptop_add(&w, "li", &err));
    wang = world_laptop(&w, SLICE("wang"));
    li = world_laptop(&w, SLICE("li"));
    CHECK_OK(world_settle(&w, &err));
    sync(wang); /* what a round asks from is what its laptop has */
    sync(li);
    world_server_off(&w); /* and is written when the server stops */
    CHECK_OK(world_server_on(&w, &err));
}

static struct centre_head head(void) {
    struct err err;
    struct centre_head head;
    CHECK_OK(centre_head(org_centre(w.office), &head, &err));
    return head;
}

/* What is noted in memory only is written when the server stops. */
static struct centre_device device(const struct world_laptop *l) {
    struct err err;
    struct centre_device device;
    struct store_identity identity;
    world_server_off(&w);
    CHECK_OK(world_server_on(&w, &err));
    CHECK_OK(store_identity(l->store, &identity, &err));
    CHECK_OK(centre_device(org_centre(w.office), identity.device, &device, &err));
    return device;
}

static int64_t behind(const struct centre_device *d) {
    struct err err;
    int64_t entries, ms;
    CHECK_OK(
        centre_log_behind(org_centre(w.office), d->number, d->cursor, &entries, &ms, &err));
    CHECK(entries == 0 || ms > 0);
    return entries;
}

/* The book as it was when one account less was there; wang knows of it, li does not. */
static void go_back(void) {
    struct err err;
    CHECK_OK(world_backup(&w, false, &err));
    (void)create(wang, "远大集团");
    sync(wang);
    CHECK_OK(world_rollback(&w, &err));
}

TEST(how_far_a_laptop_is_behind_is_counted_in_changes) {
    struct err err;
    start();
    int64_t before = head().position.seq;
    go_back();
    sync(wang); /* the epoch's entry, and what was given back: the account, its creator's grant */
    struct centre_device d = device(li);
    CHECK_INT(d.cursor, before);
    CHECK_INT(behind(&d), head().position.seq - epoch_start(2) + 1);
    CHECK(behind(&d) >= 2 && behind(&d) < 10);
    CHECK_OK(world_settle(&w, &err));
    sync(li);
    d = device(li);
    CHECK_INT(behind(&d), 0);
    world_close(&w);
}

TEST(a_cursor_of_a_life_that_is_forgotten_is_not_noted) {
    struct err err;
    start();
    go_back();
    int64_t common = head().position.seq;
    struct centre_device d = device(wang);
    CHECK(d.cursor <= common);
    sync(wang);
    d = device(wang);
    CHECK(d.cursor <= common || d.cursor >= epoch_start(2));
    int64_t passed;
    CHECK_OK(centre_passed(org_centre(w.office), d.number, common + 1, &passed, &err));
    CHECK_INT(passed, common); /* a book of an earlier release may have noted one */
    CHECK_OK(centre_passed(org_centre(w.office), d.number, epoch_start(2), &passed, &err));
    CHECK_INT(passed, epoch_start(2));
    world_close(&w);
}

TEST(a_recovery_that_is_over_holds_no_tombstone) {
    struct err err;
    struct centre_horizon horizon;
    start();
    go_back();
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(centre_recovery_end(org_centre(w.office), &err));
    sync(wang); /* reads anew: its last request of this names cursor 0 */
    sync(li);
    struct centre_device d = device(wang);
    CHECK(d.cursor >= epoch_start(2));
    d = device(li);
    CHECK_OK(centre_horizon(org_centre(w.office), &horizon, &err));
    CHECK(horizon.seq >= epoch_start(2));
    CHECK_OK(world_settle(&w, &err));
    sync(wang);
    sync(li);
    d = device(li);
    CHECK_INT(behind(&d), 0);
    CHECK_OK(centre_horizon(org_centre(w.office), &horizon, &err));
    CHECK_INT(horizon.seq, head().position.seq);
    world_close(&w);
}
