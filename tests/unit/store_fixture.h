/* What the tests of the store share: a folder that goes again, a world that stands still, values for every field. */
#ifndef ROADBOOK_STORE_FIXTURE_H
#define ROADBOOK_STORE_FIXTURE_H

#include "syncd/store/rows.h"
#include "syncd/store/store.h"
#include "tests/unit/check.h"

struct fixture {
    char folder[64];
    char path[128];                                        /* book.db in the folder */
    struct arena mem;
    struct catalogue cat;
};

void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);                      /* removes the folder */
const struct env *fixture_env(void);
const struct entity *fixture_entity(const struct fixture *f, const char *name);
const struct field *fixture_field(const struct entity *e, const char *name);
/* A store of that kind on f->path; fails the test when it does not open. */
struct store *fixture_store(struct fixture *f, enum store_kind kind);
/* Values for all stored fields of an entity, different by salt. */
struct value *fixture_values(const struct entity *e, int64_t salt, struct arena *mem);
struct value *fixture_empty(const struct entity *e, struct arena *mem);
void fixture_set(const struct entity *e, struct value *values, const char *field, struct value v);
struct value text_value(const char *text);

#endif
