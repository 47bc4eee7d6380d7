/* What people are told of the homes that this laptop holds. */
#include "syncd/store/laptop.h"

#include "syncd/store/homes.h"

#include <string.h>

enum { COUNT_STEP = 512 };

static enum status count_in(struct store *store, const struct entity *e, int64_t home, int64_t *sum,
                            struct err *err) {
    int64_t ids[COUNT_STEP], after = 0;
    size_t count;
    do {
        TRY(homes_rows(store->db, store->cat, e, home, after, ID_MAX, ids, COUNT_STEP, &count,
                       err));
        *sum += (int64_t)count;
        if (count > 0) after = ids[count - 1];
    } while (count == COUNT_STEP);
    return ST_OK;
}

static const char *entity_of(enum home_class class) {
    switch (class) {
    case HOME_CLASS_OWN: return "employee";
    case HOME_CLASS_TEAM: return "account";
    case HOME_CLASS_TERRITORY: return "territory";
    case HOME_CLASS_NONE:
    case HOME_CLASS_PUBLIC:
    case HOME_CLASS_OFFICE:
    case HOME_CLASS_ALL:
    case HOME_CLASS_COUNT: break;
    }
    return NULL;
}

/* A home's row need not be here: then its short id is its name. */
static enum status describe(struct store *store, struct held_home *home, struct arena *mem,
                            struct err *err) {
    const char *name = entity_of(home_class(home->home));
    const struct entity *e = name ? catalogue_entity(store->cat, slice_from(name)) : NULL;
    char text[ID_TEXT_BYTES];
    if (!e) return ST_OK;
    home->entity = e;
    home->row = home_id(home->home);
    if (store_title(store, e, home->row, mem, &home->name, err) == ST_OK) return ST_OK;
    id_format(home->row, text);
    home->name = arena_copy(mem, slice_from(text));
    return home->name.data ? ST_OK : err_no_memory(err);
}

static enum status next_home(struct store *store, struct held_home *home, bool *out_found,
                             struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db,
                   "SELECT home, since, fills FROM home WHERE home > ? ORDER BY home LIMIT 1", &s,
                   err));
    db_bind_int(s, 1, home->home);
    TRY(db_step(s, out_found, err));
    *home =
        (struct held_home){.home = db_int(s, 0), .since = db_int(s, 1), .fills = db_int(s, 2) != 0};
    db_reset(s);
    return ST_OK;
}

enum status store_homes(struct store *store, store_home *each, void *ctx, struct err *err) {
    struct held_home home = {.home = 0};
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    const struct scope_position *p = &laptop->state.scope;
    for (;;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        bool found;
        TRY(next_home(store, &home, &found, err));
        if (!found) return ST_OK;
        home.fills = home.fills && (p->filling == p->ready || home.home >= p->at.home);
        TRY(describe(store, &home, &mem, err));
        for (size_t i = 0; i < store->cat->count; i++)
            TRY(count_in(store, &store->cat->entities[i], home.home, &home.rows, err));
        TRY(each(ctx, &home, err));
    }
}

enum status homes_status(struct store *store, const struct laptop_state *state,
                         struct store_status *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(laptop_number(store, "SELECT count(*) FROM home", &out->homes, err));
    TRY(laptop_number(store, "SELECT count(*) FROM left_row", &out->leaving, err));
    out->filling = state->scope.filling > state->scope.ready;
    TRY(db_prepare(store->db, "SELECT count(*) FROM home WHERE fills = 1 AND home >= ?", &s, err));
    db_bind_int(s, 1, state->scope.at.home);
    TRY(db_step(s, &row, err));
    out->homes_to_fill = out->filling ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ what left, and what came */

static void take_out(int64_t *ids, size_t *count, int64_t id) {
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (ids[i] != id) ids[kept++] = ids[i];
    *count = kept;
}

static void put_in(int64_t *ids, size_t *count, int64_t id) {
    take_out(ids, count, id);
    if (*count < STORE_MOVES_MAX) ids[(*count)++] = id;
}

void moves_left(struct store *store, int64_t account) {
    struct store_moves *moves = &store->laptop->moves;
    take_out(moves->came, &moves->came_count, account);
    put_in(moves->left, &moves->left_count, account);
}

void moves_came(struct store *store, int64_t account) {
    struct store_moves *moves = &store->laptop->moves;
    take_out(moves->left, &moves->left_count, account);
    put_in(moves->came, &moves->came_count, account);
}

const struct store_moves *store_moves(const struct store *store) {
    static const struct store_moves none;
    return store->laptop ? &store->laptop->moves : &none;
}
