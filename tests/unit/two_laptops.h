/* A small world for unit tests: laptops of wang and li at one server, at rest. */
#ifndef ROADBOOK_TEST_TWO_LAPTOPS_H
#define ROADBOOK_TEST_TWO_LAPTOPS_H

#include "syncd/store/lives.h"
#include "tests/unit/check.h"
#include "tests/world/world.h"

static struct world w;
static struct world_laptop *wang, *li;

static inline const struct entity *account(void) {
    return catalogue_entity(&w.catalogue, SLICE("account"));
}

static inline int64_t create(struct world_laptop *l, const char *name) {
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

static inline void sync(struct world_laptop *l) {
    struct err err;
    struct agent_result result;
    CHECK_OK(world_sync(l, &result, &err));
}

static inline void open_two(uint64_t seed) {
    struct err err;
    CHECK_OK(world_open(seed, &w, &err));
    CHECK_OK(world_laptop_add(&w, "wang", &err));
    CHECK_OK(world_laptop_add(&w, "li", &err));
    wang = world_laptop(&w, SLICE("wang"));
    li = world_laptop(&w, SLICE("li"));
}

static inline void start(void) {
    struct err err;
    open_two(23);
    CHECK_OK(world_settle(&w, &err));
    sync(wang); /* what a round asks from is what its laptop has */
    sync(li);
    world_server_off(&w); /* and is written when the server stops */
    CHECK_OK(world_server_on(&w, &err));
}

static inline void reopen(void) {
    struct err err;
    world_server_off(&w);
    CHECK_OK(world_server_on(&w, &err));
}

static inline struct centre_head head(void) {
    struct err err;
    struct centre_head head;
    CHECK_OK(centre_head(org_centre(w.office), &head, &err));
    return head;
}

/* What is noted in memory only is written when the server stops. */
static inline struct centre_device device(const struct world_laptop *l) {
    struct err err;
    struct centre_device device;
    struct store_identity identity;
    world_server_off(&w);
    CHECK_OK(world_server_on(&w, &err));
    CHECK_OK(store_identity(l->store, &identity, &err));
    CHECK_OK(centre_device(org_centre(w.office), identity.device, &device, &err));
    return device;
}

#endif
