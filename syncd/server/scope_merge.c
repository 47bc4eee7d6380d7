/* What a merge does to scope: may its author touch the row; where is the row seen now; whose grants
 * have to follow.
 *
 * In an open org all of this is a look at one flag. In a granted one every entry of the log says in
 * which homes its row was seen, and which it left; rows that inherit follow their owner at once,
 * each with a seq of its own; grants are settled when the batch is through, in the same commit.
 */
#include "syncd/server/merge.h"
#include "syncd/store/centre_unite.h"

#include <string.h>

enum { DAY_MS = 86400000 };

static bool is_entity(const struct entity *e, const char *name) {
    return strcmp(e->name, name) == 0;
}

static int64_t ref_of(const struct entity *e, const struct value *values, const char *field) {
    const struct field *f = entity_field(e, slice_from(field));
    struct value v = f ? values[entity_field_index(e, f)] : value_null();
    return v.kind == VALUE_INT ? v.number : 0;
}

/* ------------------------------------------------------------------ whose grants may change */

static enum status grow(struct arena *mem, void **items, size_t count, size_t *room, size_t bytes,
                        struct err *err) {
    if (count < *room) return ST_OK;
    size_t larger = *room ? *room * 2 : 32;
    void *copy = arena_array(mem, larger, bytes);
    if (!copy) return err_no_memory(err);
    if (count > 0) memcpy(copy, *items, count * bytes);
    *items = copy;
    *room = larger;
    return ST_OK;
}

static enum status unsettle_home(struct merge *m, enum home_class class, int64_t id, int64_t born,
                                 struct err *err) {
    struct centre_unsettled *u = &m->scope.unsettled;
    void *items = u->homes;
    if (id <= 0) return ST_OK;
    int64_t home = home_make(class, id);
    if (u->home_count > 0 && u->homes[u->home_count - 1].home == home) return ST_OK;
    TRY(grow(m->mem, &items, u->home_count, &m->scope.home_room, sizeof *u->homes, err));
    u->homes = items;
    u->homes[u->home_count++] = (struct unsettled_home){home, born};
    return ST_OK;
}

static enum status unsettle_users(struct merge *m, const int64_t *users, size_t count,
                                  struct err *err) {
    struct centre_unsettled *u = &m->scope.unsettled;
    for (size_t i = 0; i < count; i++) {
        void *items = u->users;
        TRY(grow(m->mem, &items, u->user_count, &m->scope.user_room, sizeof *u->users, err));
        u->users = items;
        u->users[u->user_count++] = users[i];
    }
    return ST_OK;
}

static enum status unsettle_person(struct merge *m, int64_t employee, struct err *err) {
    int64_t *users;
    size_t count;
    TRY(unsettle_home(m, HOME_CLASS_OWN, employee, 0, err));
    TRY(centre_users_of(m->c, employee, m->mem, &users, &count, err));
    return unsettle_users(m, users, count, err);
}

/* Whoever works above a territory sees what hangs below it. */
static enum status unsettle_above(struct merge *m, int64_t territory, struct err *err) {
    int64_t *users;
    size_t count;
    if (territory == 0) return ST_OK;
    TRY(centre_users_above(m->c, territory, m->mem, &users, &count, err));
    return unsettle_users(m, users, count, err);
}

static enum status created(struct merge *m, const struct entity *e, int64_t id,
                           const struct value *values, int64_t seq, struct err *err) {
    if (is_entity(e, "account")) return unsettle_home(m, HOME_CLASS_TEAM, id, seq, err);
    if (is_entity(e, "employee")) return unsettle_home(m, HOME_CLASS_OWN, id, seq, err);
    if (is_entity(e, "territory")) return unsettle_home(m, HOME_CLASS_TERRITORY, id, seq, err);
    if (!is_entity(e, "team_member")) return ST_OK;
    centre_due_forget(m->c);
    return unsettle_home(m, HOME_CLASS_TEAM, ref_of(e, values, "account"), 0, err);
}

static bool differ(const struct entity *e, const struct value *a, const struct value *b,
                   const char *field) {
    return ref_of(e, a, field) != ref_of(e, b, field);
}

static enum status edited(struct merge *m, const struct entity *e, int64_t id,
                          const struct value *old, const struct value *now, struct err *err) {
    if (is_entity(e, "account") &&
        (differ(e, old, now, "owner") || differ(e, old, now, "territory")))
        return unsettle_home(m, HOME_CLASS_TEAM, id, 0, err);
    if (is_entity(e, "employee"))
        return differ(e, old, now, "territory") || differ(e, old, now, "active")
                   ? unsettle_person(m, id, err)
                   : ST_OK;
    if (is_entity(e, "territory") && differ(e, old, now, "parent")) {
        TRY(unsettle_above(m, ref_of(e, old, "parent"), err));
        return unsettle_above(m, id, err);
    }
    if (!is_entity(e, "team_member")) return ST_OK;
    centre_due_forget(m->c);
    TRY(unsettle_home(m, HOME_CLASS_TEAM, ref_of(e, old, "account"), 0, err));
    return unsettle_home(m, HOME_CLASS_TEAM, ref_of(e, now, "account"), 0, err);
}

enum status scope_turned(struct merge *m, const struct centre_row *row, struct err *err) {
    const struct entity *e = row->entity;
    if (!m->scope.on) return ST_OK;
    if (is_entity(e, "employee")) return unsettle_person(m, row->id, err);
    if (!is_entity(e, "team_member")) return ST_OK;
    centre_due_forget(m->c);
    return unsettle_home(m, HOME_CLASS_TEAM, ref_of(e, row->values, "account"), 0, err);
}

/* ------------------------------------------------------------------ where the row is seen */

void scope_begin(struct merge *m) {
    struct centre_scope scope;
    centre_scope(m->c, &scope);
    m->scope = (struct merge_scope){.on = scope.granted, .lease_ms = scope.lease_days * DAY_MS};
}

enum status scope_end(struct merge *m, struct err *err) {
    const struct centre_unsettled *u = &m->scope.unsettled;
    if (u->home_count + u->user_count == 0) return ST_OK;
    return centre_grants_settle(m->c, u, err);
}

enum status scope_log(struct merge *m, const struct entity *e, int64_t row, struct log_homes *room,
                      const struct log_homes **out, struct err *err) {
    bool found = false;
    *out = m->scope.homes;
    m->scope.homes = NULL;
    if (*out || !m->scope.on || !e) return ST_OK;
    *room = (struct log_homes){.at = {.count = 0}};
    TRY(centre_homes_stored(m->c, e, row, &found, &room->at, err));
    if (found) *out = room;
    return ST_OK;
}

enum status scope_watch(struct merge *m, const struct centre_row *row, struct scope_row *out,
                        struct err *err) {
    size_t count = row->entity->field_count;
    *out = (struct scope_row){.values = NULL};
    if (!m->scope.on) return ST_OK;
    out->values = ARENA_ARRAY(m->mem, count + 1, struct value);
    if (!out->values) return err_no_memory(err);
    memcpy(out->values, row->values, count * sizeof *row->values);
    return centre_homes_of(m->c, row->entity, row->id, row->values, &out->homes, err);
}

static void put_left(const struct homes *before, struct log_homes *homes) {
    homes->left = (struct homes){.count = 0};
    for (size_t i = 0; i < before->count; i++)
        if (!homes_have(&homes->at, before->at[i])) homes_add(&homes->left, before->at[i]);
}

static enum status note_leaves(struct merge *m, int64_t row, int64_t seq, const struct homes *left,
                               struct err *err) {
    for (size_t i = 0; i < left->count; i++)
        TRY(centre_leave_add(m->c, row, seq, left->at[i], m->now_ms, err));
    return ST_OK;
}

enum status scope_place(struct merge *m, struct centre_row *row, struct scope_row *before,
                        struct err *err) {
    if (!before->values) return ST_OK;
    struct log_homes *homes = &before->now;
    TRY(centre_homes_of(m->c, row->entity, row->id, row->values, &homes->at, err));
    put_left(&before->homes, homes);
    before->moved = !homes_equal(&before->homes, &homes->at);
    if (before->moved) row->whole = row->seq;
    TRY(note_leaves(m, row->id, row->seq, &homes->left, err));
    m->scope.homes = homes;
    return ST_OK;
}

/* ------------------------------------------------------------------ rows that follow */

static bool inherits_from(const struct entity *child, const struct entity *owner) {
    return child->owner_field >= 0 && homes_inherit(child) &&
           strcmp(child->fields[child->owner_field].refers_to, owner->name) == 0;
}

static enum status follow(struct merge *m, const struct entity *e, int64_t id,
                          const struct homes *before, const struct homes *now, struct err *err);

static enum status follow_one(struct merge *m, const struct entity *e, int64_t id,
                              const struct homes *owner_before, const struct homes *owner_now,
                              struct err *err) {
    struct centre_row row;
    struct homes before;
    struct log_homes homes;
    bool found;
    TRY(centre_row_read(m->c, e, id, m->mem, &row, &found, err));
    if (!found) return ST_OK;
    homes_of_row(e, id, row.values, owner_before, &before);
    homes_of_row(e, id, row.values, owner_now, &homes.at);
    if (homes_equal(&before, &homes.at)) return ST_OK;
    put_left(&before, &homes);
    int64_t seq = centre_next_seq(m->c);
    TRY(centre_row_moved(m->c, e, id, seq, &before, &homes.at, err));
    TRY(note_leaves(m, id, seq, &homes.left, err));
    m->scope.homes = &homes;
    TRY(merge_log(m, LOG_MOVED, e, id, OUTCOME_APPLIED, err));
    return follow(m, e, id, &before, &homes.at, err);
}

/* Dead ones too: what comes back later comes back where its owner is. */
static enum status follow(struct merge *m, const struct entity *e, int64_t id,
                          const struct homes *before, const struct homes *now, struct err *err) {
    for (size_t i = 0; i < m->cat->count; i++) {
        const struct entity *child = &m->cat->entities[i];
        int64_t *ids;
        size_t count;
        if (!inherits_from(child, e)) continue;
        TRY(centre_inheriting(m->c, child, id, m->mem, &ids, &count, err));
        for (size_t k = 0; k < count; k++) TRY(follow_one(m, child, ids[k], before, now, err));
    }
    return ST_OK;
}

enum status scope_follow(struct merge *m, const struct centre_row *row,
                         const struct scope_row *before, struct err *err) {
    if (!before->values) return ST_OK;
    TRY(edited(m, row->entity, row->id, before->values, row->values, err));
    if (!before->moved) return ST_OK;
    return follow(m, row->entity, row->id, &before->homes, &before->now.at, err);
}

/* ------------------------------------------------------------------ creations */

static bool makes_a_team(const struct entity *e) {
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++)
        if (e->homes[i].kind == HOME_TEAM && !e->homes[i].field) return true;
    return false;
}

enum status scope_give_to_maker(struct merge *m, int64_t made, int64_t account, struct err *err) {
    struct centre_device maker;
    enum status status = centre_device(m->c, id_device(made), &maker, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    if (status != ST_OK) return status;
    bool by_person = maker.user != 0 && maker.role != USER_OFFICE;
    int64_t home = home_make(HOME_CLASS_TEAM, account);
    return by_person ? centre_reason_add(m->c, maker.user, home, REASON_KIND_CREATOR, err) : ST_OK;
}

enum status scope_created(struct merge *m, const struct centre_row *row, struct log_homes *room,
                          struct err *err) {
    if (!m->scope.on) return ST_OK;
    *room = (struct log_homes){.at = {.count = 0}};
    TRY(centre_homes_of(m->c, row->entity, row->id, row->values, &room->at, err));
    m->scope.homes = room;
    TRY(created(m, row->entity, row->id, row->values, row->seq, err));
    bool by_person = m->author.user != 0 && m->author.role != USER_OFFICE;
    if (!makes_a_team(row->entity)) return ST_OK;
    if (!by_person)
        return scope_give_to_maker(m, row->id, row->id, err); /* head office took his creation */
    struct centre_grant grant = {.user = m->author.user,
                                 .home = home_make(HOME_CLASS_TEAM, row->id),
                                 .since = row->seq,
                                 .born = true};
    TRY(centre_reason_add(m->c, grant.user, grant.home, REASON_KIND_CREATOR, err));
    return centre_grant_open(m->c, &grant, err);
}

/* ------------------------------------------------------------------ may it come in? */

static bool is_asked(const struct merge *m) {
    bool given_back = former_line(m) != NULL; /* it came in before */
    return m->scope.on && !m->approved && !given_back && m->author.user != 0 &&
           m->author.role != USER_OFFICE;
}

/* By what an author may touch a row. The best of all homes counts. */
enum sight { SIGHT_NONE, SIGHT_ENDED, SIGHT_OPEN }; /* ended: after the batch's cursor */

/* left_ms: when the row left the home; 0: it is in it. *sight rises, if at all. */
static enum status permits_home(struct merge *m, int64_t home, int64_t left_ms, enum sight *sight,
                                struct err *err) {
    struct centre_grant *grants;
    size_t count;
    TRY(centre_grants_of(m->c, m->author.user, home, m->mem, &grants, &count, err));
    for (size_t i = 0; i < count && *sight < SIGHT_OPEN; i++) {
        int64_t late = left_ms ? left_ms : m->now_ms;
        bool ended = grants[i].until_seq > 0;
        if (ended && grants[i].until_seq <= m->batch->cursor) continue;
        if (ended && grants[i].until_ms < late) late = grants[i].until_ms;
        if (m->now_ms - late > m->scope.lease_ms) continue;
        *sight = ended || left_ms ? SIGHT_ENDED : SIGHT_OPEN;
    }
    return ST_OK;
}

static enum status permits_left(struct merge *m, const struct homes *now, int64_t row,
                                enum sight *sight, struct err *err) {
    struct centre_leave *leaves;
    size_t count;
    TRY(centre_leaves(m->c, row, m->batch->cursor, m->mem, &leaves, &count, err));
    for (size_t i = 0; i < count && *sight == SIGHT_NONE; i++)
        if (!homes_have(now, leaves[i].home))
            TRY(permits_home(m, leaves[i].home, leaves[i].time_ms, sight, err));
    return ST_OK;
}

/* The home of an account that became another is part of that one's. */
static enum status permits_united(struct merge *m, int64_t home, enum sight *sight,
                                  struct err *err) {
    int64_t *ids;
    size_t count;
    if (home_class(home) != HOME_CLASS_TEAM) return ST_OK;
    TRY(centre_aliases_of(m->c, home_id(home), m->mem, &ids, &count, err));
    for (size_t i = 0; i < count && *sight == SIGHT_NONE; i++)
        TRY(permits_home(m, home_make(HOME_CLASS_TEAM, ids[i]), 0, sight, err));
    return ST_OK;
}

/* An edit counts if, when it was made, no end of its author's sight of the row was known to him,
 * and it is not too late. That a grant was in force at the batch's cursor would be too strict: rows
 * of a newer one may have come by filling. What is seen no more now is marked as late. */
static enum status permits_homes(struct merge *m, const struct homes *homes, int64_t row,
                                 int64_t named, bool *out, struct err *err) {
    enum sight sight = SIGHT_NONE;
    for (size_t i = 0; i < homes->count && sight < SIGHT_OPEN; i++) {
        TRY(permits_home(m, homes->at[i], 0, &sight, err));
        if (sight == SIGHT_NONE) TRY(permits_united(m, homes->at[i], &sight, err));
    }
    if (sight < SIGHT_OPEN) TRY(permits_home(m, home_make(HOME_CLASS_ALL, 0), 0, &sight, err));
    if (sight == SIGHT_NONE) TRY(permits_left(m, homes, row, &sight, err));
    if (sight == SIGHT_NONE && named != row) TRY(permits_left(m, homes, named, &sight, err));
    m->late |= sight == SIGHT_ENDED;
    *out = sight != SIGHT_NONE;
    return ST_OK;
}

enum status scope_permits(struct merge *m, const struct centre_row *row, bool *out,
                          struct err *err) {
    struct homes homes;
    *out = true;
    if (!is_asked(m)) return ST_OK;
    TRY(centre_homes_of(m->c, row->entity, row->id, row->values, &homes, err));
    return permits_homes(m, &homes, row->id, m->change->row, out, err);
}

static enum status permits_target(struct merge *m, const struct field *f, struct value v, bool *out,
                                  struct err *err) {
    const struct entity *target = catalogue_entity(m->cat, slice_from(f->refers_to));
    struct homes homes;
    bool found;
    if (!target || v.kind != VALUE_INT) return ST_OK;
    TRY(centre_homes_stored(m->c, target, v.number, &found, &homes, err));
    return found ? permits_homes(m, &homes, v.number, v.number, out, err) : ST_OK;
}

enum status scope_permits_new(struct merge *m, const struct entity *e, const struct value *values,
                              bool *out, struct err *err) {
    *out = true;
    if (!is_asked(m)) return ST_OK;
    if (e->owner_field >= 0)
        TRY(permits_target(m, &e->fields[e->owner_field], values[e->owner_field], out, err));
    for (size_t i = 0; i < ENTITY_HOMES_MAX && *out; i++) {
        const struct home_rule *rule = &e->homes[i];
        if (rule->kind != HOME_TEAM || !rule->field) continue;
        const struct field *f = entity_field(e, slice_from(rule->field));
        if (f) TRY(permits_target(m, f, values[entity_field_index(e, f)], out, err));
    }
    return ST_OK;
}
