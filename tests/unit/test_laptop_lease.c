/* For how long a laptop's book may be used without a round, whatever its clock says. */
#include <string.h>

#include "tests/unit/check.h"
#include "tests/world/world.h"

static const int64_t DAY = (int64_t)24 * 3600 * 1000;

static struct world w;
static struct world_laptop *wang;

static void start(void) {
    struct err err;
    CHECK_OK(world_open(1, &w, &err));
    CHECK_OK(world_laptop_add(&w, "wang", &err));
    CHECK_OK(world_settle(&w, &err));
    wang = world_laptop(&w, SLICE("wang"));
}

static bool is_locked(void) {
    struct store_lease lease;
    struct err err;
    CHECK_OK(store_lease(wang->store, &lease, &err));
    return lease.locked;
}

static enum status save(enum status begun, const char *name, struct err *err) {
    const struct entity *e = catalogue_entity(&w.catalogue, SLICE("account"));
    struct field_edit edit = {entity_field(e, SLICE("name")), FIELD_EDIT_SET,
                              value_text(slice_from(name))};
    uint32_t batch;
    int64_t id;
    TRY(begun);
    TRY(store_create(wang->store, e, &edit, 1, &id, err));
    return store_commit(wang->store, &batch, err);
}

TEST(a_book_is_locked_after_thirty_days_and_a_round_opens_it) {
    struct agent_result result;
    struct err err;
    start();
    w.now_ms += 30 * DAY - 1000;
    CHECK(!is_locked());
    CHECK_OK(save(store_begin(wang->store, &err), "in time", &err));
    w.now_ms += 2000;
    CHECK(is_locked());
    CHECK_STATUS(store_begin(wang->store, &err), ST_DENIED);
    CHECK(strstr(err.text[LANG_EN], "roadbook sync") && strstr(err.text[LANG_ZH], "锁定"));
    CHECK_OK(world_sync(wang, &result, &err));
    CHECK_INT(result.counts.applied, 1); /* what was saved in time went along */
    CHECK(!is_locked());
    CHECK_OK(save(store_begin(wang->store, &err), "again", &err));
    world_close(&w);
}

TEST(what_was_open_in_a_form_is_not_lost) {
    struct store_lease lease;
    struct err err;
    start();
    w.now_ms += 29 * DAY;
    CHECK_OK(store_lease(wang->store, &lease, &err));
    int64_t shown_ms = lease.now_ms;
    w.now_ms += 2 * DAY;
    CHECK_OK(save(store_begin_shown(wang->store, shown_ms, &err), "typed in time", &err));
    CHECK_STATUS(store_begin_shown(wang->store, shown_ms + 2 * DAY, &err), ST_DENIED);
    CHECK_STATUS(store_begin_shown(wang->store, 0, &err), ST_DENIED);
    world_close(&w);
}

TEST(a_clock_that_is_set_gains_and_costs_nothing) {
    struct err err;
    start();
    CHECK_OK(world_step(wang, -300 * DAY, &err)); /* back, while the machine runs */
    w.now_ms += 20 * DAY;
    CHECK_OK(store_clock_note(wang->store, &err));
    CHECK(!is_locked());
    CHECK_OK(world_reboot(wang, -900 * DAY, &err)); /* and while it is off */
    w.now_ms += 9 * DAY;
    CHECK_OK(store_clock_note(wang->store, &err));
    CHECK(!is_locked());
    w.now_ms += 2 * DAY;
    CHECK(is_locked()); /* 31 days of running time */
    struct agent_result result;
    CHECK_OK(world_sync(wang, &result, &err));
    CHECK_OK(world_reboot(wang, 5000 * DAY, &err)); /* years ahead: nobody is locked out for that */
    CHECK(!is_locked());
    world_close(&w);
}

TEST(the_orgs_days_count) {
    struct agent_result result;
    struct err err;
    start();
    CHECK_OK(store_lease_set(wang->store, 3, &err));
    w.now_ms += 4 * DAY;
    CHECK(is_locked());
    CHECK_OK(world_restart(wang, &err));
    CHECK(is_locked());
    CHECK_OK(world_sync(wang, &result, &err)); /* a new greeting: the server says 30 */
    w.now_ms += 4 * DAY;
    CHECK(!is_locked());
    world_close(&w);
}

/* ------------------------------------------------------------------ revoking */

static uint32_t number_of(struct world_laptop *l) {
    struct store_identity identity;
    struct err err;
    CHECK_OK(store_identity(l->store, &identity, &err));
    return identity.device;
}

TEST(a_revoked_book_gives_its_work_and_is_locked) {
    struct agent_result result;
    struct device_order order;
    struct err err;
    start();
    CHECK_OK(save(store_begin(wang->store, &err), "unsent", &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), number_of(wang), false, &err));
    CHECK_STATUS(world_sync(wang, &result, &err), ST_REVOKED);
    CHECK_INT(result.counts.waiting, 1);
    CHECK_INT(agent_order(wang->agent, &order), ORDER_REVOKED);
    CHECK(is_locked());
    CHECK_OK(centre_device_revoke(org_centre(w.office), number_of(wang), true, &err));
    CHECK_STATUS(world_sync(wang, &result, &err), ST_REVOKED);
    CHECK_INT(agent_order(wang->agent, &order), ORDER_WIPE);
    world_close(&w);
}
