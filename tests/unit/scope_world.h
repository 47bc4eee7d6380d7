/* A granted org with a few people, and laptops that keep what the replies say: the rows that they would hold, by the
 * rules of PROTOCOL.md, "Scope". For test_org_scope.c.
 */
#ifndef ROADBOOK_SCOPE_WORLD_H
#define ROADBOOK_SCOPE_WORLD_H

#include "syncd/server/scope.h"
#include "tests/unit/centre_world.h"

enum { HELD_MAX = 4096, HOMES_MAX = 256, MANAGER = 2, OFFICE = 3 };

/* ------------------------------------------------------------------ head office */

static inline void office_set(struct world *w, const char *entity, int64_t id, const char *field, const char *text) {
    struct err err = {0};
    const struct entity *e = world_entity(w, entity);
    const struct field *f = entity_field(e, slice_from(field));
    struct value v = value_null();
    struct receipt receipt;
    if (text) CHECK_OK(field_parse(f, slice_from(text), 0, &w->mem, &v, &err));
    struct edit edit = {.cell_tag = entity_cell_of(e, f)->tag, .values = &v, .value_count = 1};
    struct change change = {.kind = CHANGE_EDIT, .entity_tag = e->tag, .row = id, .edits = &edit, .edit_count = 1};
    CHECK_OK(org_office_save(w->org, &change, 1, 0, 0, SLICE("office"), &w->mem, &receipt, &err));
    CHECK_INT(receipt.lines[0].outcome, OUTCOME_APPLIED);
}

static inline const char *number(struct world *w, int64_t id) {
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    return arena_string(&w->mem, slice_from(text));
}

static inline int64_t territory(struct world *w, const char *code, int64_t parent) {
    const char *pairs[] = {"code", code, "name", code, "parent", parent ? number(w, parent) : ""};
    return office_row(w, "territory", pairs, parent ? 3 : 2);
}

static inline int64_t office_account(struct world *w, const char *name, int64_t in, int64_t owner) {
    const char *pairs[6] = {"name", name};
    size_t count = 1;
    if (in) {
        pairs[2] = "territory";
        pairs[3] = number(w, in);
        count++;
    }
    if (owner) {
        pairs[2 * count] = "owner";
        pairs[2 * count + 1] = number(w, owner);
        count++;
    }
    return office_row(w, "account", pairs, count);
}

static inline int64_t member(struct world *w, int64_t account, int64_t employee, const char *from, const char *until) {
    const char *pairs[8] = {"account", number(w, account), "employee", number(w, employee)};
    size_t count = 2;
    if (from) {
        pairs[2 * count] = "from_on";
        pairs[2 * count++ + 1] = from;
    }
    if (until) {
        pairs[2 * count] = "until_on";
        pairs[2 * count++ + 1] = until;
    }
    return office_row(w, "team_member", pairs, count);
}

/* Two territories in one country; laptop 0 works in the north, 1 in the south, the manager above both. */
struct map {
    int64_t country, north, south;
};

static inline struct map granted_open(struct world *w) {
    struct err err = {0};
    struct map map;
    world_open(w);
    map.country = territory(w, "CN", 0);
    map.north = territory(w, "N", map.country);
    map.south = territory(w, "S", map.country);
    office_set(w, "employee", w->laptops[0].employee, "territory", number(w, map.north));
    office_set(w, "employee", w->laptops[1].employee, "territory", number(w, map.south));
    office_set(w, "employee", w->laptops[MANAGER].employee, "territory", number(w, map.country));
    CHECK_OK(org_scope_set(w->org, true, &err));
    return map;
}

/* ------------------------------------------------------------------ what a laptop holds */

struct book {
    int64_t rows[HELD_MAX], seqs[HELD_MAX];
    size_t count;
    int64_t homes[HOMES_MAX];
    size_t home_count;
    size_t records, filled, left, dead, pages;
};

static inline void drop(struct book *b, int64_t row) {
    for (size_t i = 0; i < b->count; i++)
        if (b->rows[i] == row) {
            b->rows[i] = b->rows[--b->count];
            b->seqs[i] = b->seqs[b->count];
            return;
        }
}

static inline bool has(const struct book *b, int64_t row) {
    for (size_t i = 0; i < b->count; i++)
        if (b->rows[i] == row) return true;
    return false;
}

static inline void put(struct book *b, const struct record *r) {
    drop(b, r->row);
    CHECK(b->count < HELD_MAX);
    b->rows[b->count] = r->row;
    b->seqs[b->count++] = r->seq;
}

static inline bool holds(const struct book *b, const struct homes *homes) {
    for (size_t i = 0; i < b->home_count; i++)
        if (b->homes[i] == home_make(HOME_CLASS_ALL, 0) || homes_have(homes, b->homes[i])) return true;
    return false;
}

static inline void end_home(struct book *b, int64_t home) {
    for (size_t i = 0; i < b->home_count; i++)
        if (b->homes[i] == home) b->homes[i--] = b->homes[--b->home_count];
}

static inline struct homes homes_at(struct world *w, int64_t row, bool *out_lives) {
    struct err err = {0};
    struct homes homes = {.count = 0};
    *out_lives = false;
    for (size_t i = 0; i < w->cat.count; i++) {
        bool found, dead;
        struct centre *c = org_reader_centre(w->reader);
        CHECK_OK(centre_homes_stored(c, &w->cat.entities[i], row, &found, &homes, &err));
        if (!found) continue;
        CHECK_OK(centre_row_probe(c, &w->cat.entities[i], row, &found, &dead, &err));
        *out_lives = !dead;
        return homes;
    }
    return homes;
}

/* Rows that no home holds any more go: by their columns at the server, which a laptop has too. */
static inline void sweep(struct world *w, struct book *b) {
    for (size_t i = 0; i < b->count; i++) {
        bool lives;
        struct homes homes = homes_at(w, b->rows[i], &lives);
        if (!holds(b, &homes)) drop(b, b->rows[i--]);
    }
}

/* Applies w->reply. Every row in it must be one that the laptop may see. */
static inline void take(struct world *w, struct book *b) {
    const struct round_reply *r = &w->reply;
    if (r->has_scope && r->scope_whole) b->home_count = 0;
    for (size_t i = 0; i < r->closed_count; i++) end_home(b, r->closed[i]);
    for (size_t i = 0; i < r->opened_count; i++) {
        end_home(b, r->opened[i].home);
        CHECK(b->home_count < HOMES_MAX);
        b->homes[b->home_count++] = r->opened[i].home;
    }
    sweep(w, b);
    for (size_t i = 0; i < r->record_count; i++) {
        const struct record *x = &r->records[i];
        if (x->flags & RECORD_LEFT) {
            b->left++;
            CHECK_INT(x->cell_count, 0);
            drop(b, x->row);
        } else if (x->flags & RECORD_DEAD) {
            b->dead++;
            CHECK_INT(x->cell_count, 0);
            drop(b, x->row);
        } else {
            bool lives;
            struct homes homes = homes_at(w, x->row, &lives);
            CHECK(holds(b, &homes));
            CHECK((x->flags & RECORD_WHOLE) || has(b, x->row));
            put(b, x);
            b->records++;
        }
    }
    for (size_t i = 0; i < r->filled_count; i++) {
        bool lives;
        struct homes homes = homes_at(w, r->filled[i].row, &lives);
        CHECK(holds(b, &homes));
        CHECK_INT(r->filled[i].flags, RECORD_WHOLE);
        put(b, &r->filled[i]);
        b->filled++;
    }
    b->pages++;
}

static inline void round_of(struct world *w, int at, struct book *b, uint32_t page_bytes) {
    (void)pull(w, at, page_bytes);
    take(w, b);
}

static inline void sync_book(struct world *w, int at, struct book *b) {
    do round_of(w, at, b, 0);
    while (w->reply.more);
}

/* The book holds exactly the living rows of the homes that the rules give its user. */
static inline void check_book(struct world *w, int at, const struct book *b) {
    struct err err = {0};
    struct centre *c = org_reader_centre(w->reader);
    struct centre_device device;
    struct centre_user user;
    struct centre_scope scope;
    int64_t *homes;
    size_t count, want = 0;
    CHECK_OK(org_device(w->reader, w->laptops[at].number, &device, &err));
    CHECK_OK(centre_user_by_id(c, device.user, &user, &err));
    centre_scope(c, &scope);
    CHECK_OK(centre_entitlements(c, &user, centre_day(&scope, w->now), &w->mem, &homes, &count, &err));
    CHECK_INT(b->home_count, count);
    struct book should = {.count = 0};
    for (size_t i = 0; i < count; i++) should.homes[should.home_count++] = homes[i];
    for (size_t e = 0; e < w->cat.count; e++) {
        int64_t ids[HELD_MAX];
        size_t rows;
        CHECK_OK(centre_home_rows(c, &w->cat.entities[e], home_make(HOME_CLASS_ALL, 0), 0, ids, HELD_MAX, &rows, &err));
        for (size_t i = 0; i < rows; i++) {
            bool lives;
            struct homes of = homes_at(w, ids[i], &lives);
            bool in = lives && holds(&should, &of);
            if (in != has(b, ids[i])) (void)fprintf(stderr, "row %s %s\n", number(w, ids[i]), in ? "is missing" : "stayed");
            CHECK(in == has(b, ids[i]));
            want += in;
        }
    }
    CHECK_INT(b->count, want);
}

/* The relation from both sides, and what is open. */
static inline void check_grants(struct world *w) {
    struct err err = {0};
    struct centre *c = org_reader_centre(w->reader);
    struct centre_scope scope;
    int64_t *users;
    size_t user_count;
    (void)head_of(w);
    centre_scope(c, &scope);
    CHECK_OK(centre_user_ids(c, &w->mem, &users, &user_count, &err));
    for (size_t u = 0; u < user_count; u++) {
        struct centre_user user;
        struct centre_grant *grants;
        int64_t *homes;
        size_t count, open;
        CHECK_OK(centre_user_by_id(c, users[u], &user, &err));
        CHECK_OK(centre_entitlements(c, &user, scope.day, &w->mem, &homes, &count, &err));
        CHECK_OK(centre_grants(c, users[u], &w->mem, &grants, &open, &err));
        CHECK_INT(open, count);
        for (size_t i = 0; i < open && i < count; i++) {
            int64_t *entitled;
            size_t many;
            unsigned why;
            bool found = false;
            CHECK_INT(grants[i].home, homes[i]);
            CHECK_OK(centre_entitled(c, homes[i], scope.day, &w->mem, &entitled, &many, &err));
            for (size_t k = 0; k < many; k++) found |= entitled[k] == users[u];
            CHECK(found);
            CHECK_OK(centre_grant_reasons(c, &user, homes[i], scope.day, &why, &err));
            CHECK(why != 0);
        }
    }
}

static inline int64_t visit(struct world *w, int at, int64_t account, int64_t author) {
    int64_t id = new_id(w, at);
    struct change *c = draft_change(w, at, CHANGE_CREATE, "visit", id);
    (void)draft_number(w, c, "account", account, on(0));
    (void)draft_number(w, c, "author", author, on(0));
    return id;
}

#endif
