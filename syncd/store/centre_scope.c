/* Grants, their history, and the homes that rows left. See centre_scope.h. */
#include "syncd/store/centre_scope.h"

#include <string.h>

#include "syncd/store/centre_digest.h"
#include "syncd/store/centre_private.h"
#include "syncd/store/homes.h"

/* ------------------------------------------------------------------ the setting */

void centre_scope_take(struct centre_scope *scope, struct slice name, int64_t value) {
    if (slice_equal(name, SLICE("scope_granted"))) scope->granted = value != 0;
    if (slice_equal(name, SLICE("scope_since"))) scope->open_since = value;
    if (slice_equal(name, SLICE("scope_lease_days"))) scope->lease_days = value;
    if (slice_equal(name, SLICE("scope_utc_offset"))) scope->utc_offset_min = (int)value;
    if (slice_equal(name, SLICE("scope_day"))) scope->day = value;
}

struct centre_scope centre_scope_default(void) {
    return (struct centre_scope){.open_since = 1, .lease_days = CENTRE_LEASE_DAYS};
}

void centre_scope(const struct centre *c, struct centre_scope *out) {
    *out = c->scope;
}

enum status centre_scope_put(struct centre *c, const struct centre_scope *scope, struct err *err) {
    TRY(meta_int_set(c->db, "scope_granted", scope->granted, err));
    TRY(meta_int_set(c->db, "scope_since", scope->open_since, err));
    TRY(meta_int_set(c->db, "scope_lease_days", scope->lease_days, err));
    TRY(meta_int_set(c->db, "scope_utc_offset", scope->utc_offset_min, err));
    TRY(meta_int_set(c->db, "scope_day", scope->day, err));
    c->scope = *scope;
    return ST_OK;
}

bool centre_scope_is_possible(const struct centre *c) {
    static const char *const needed[] = {"account", "employee", "territory", "team_member"};
    for (size_t i = 0; i < ARRAY_COUNT(needed); i++)
        if (!catalogue_entity(c->cat, slice_from(needed[i]))) return false;
    return true;
}

/* ------------------------------------------------------------------ homes of rows */

enum status centre_homes_of(struct centre *c, const struct entity *e, int64_t row,
                            const struct value *values, struct homes *out, struct err *err) {
    return homes_of(c->db, c->cat, e, row, values, out, err);
}

enum status centre_homes_stored(struct centre *c, const struct entity *e, int64_t row,
                                bool *out_found, struct homes *out, struct err *err) {
    return homes_of_stored(c->db, c->cat, e, row, out_found, out, err);
}

enum status centre_home_rows(struct centre *c, const struct entity *e, int64_t home, int64_t after,
                             int64_t *ids, size_t room, size_t *out_count, struct err *err) {
    return homes_rows(c->db, c->cat, e, home, after, ID_MAX, ids, room, out_count, err);
}

bool centre_home_reaches(struct centre *c, const struct entity *e, enum home_class class) {
    return homes_reach(c->cat, e, class);
}

static enum status prepare_for(struct centre *c, const struct entity *e, const char *before,
                               const char *between, const char *column, const char *after,
                               struct db_stmt **out, struct err *err) {
    SCOPED(buf_free) struct buf sql = buf_new(BUF_MAX_LINE);
    buf_printf(&sql, "%s\"r_%s\"%s\"%s\"%s", before, e->name, between, column, after);
    TRY(buf_status(&sql, err));
    return db_prepare(c->db, buf_text(&sql), out, err);
}

enum status centre_inheriting(struct centre *c, const struct entity *e, int64_t owner,
                              struct arena *mem, int64_t **out_ids, size_t *out_count,
                              struct err *err) {
    struct db_stmt *s;
    *out_ids = NULL;
    *out_count = 0;
    if (e->owner_field < 0) return ST_OK;
    TRY(prepare_for(c, e, "SELECT id FROM ", " WHERE ", e->fields[e->owner_field].name,
                    " = ? ORDER BY id", &s, err));
    db_bind_int(s, 1, owner);
    return centre_take_ids(s, mem, out_ids, out_count, err);
}

enum status centre_row_moved(struct centre *c, const struct entity *e, int64_t row, int64_t seq,
                             const struct homes *from, const struct homes *to, struct err *err) {
    struct db_stmt *s;
    TRY(centre_digest_out(c, e, row, from, err));
    TRY(prepare_for(c, e, "UPDATE ", " SET _seq = ?1, _whole = ?1 WHERE ", "id", " = ?2", &s, err));
    db_bind_int(s, 1, seq);
    db_bind_int(s, 2, row);
    TRY(db_run(s, err));
    return centre_digest_in(c, e, row, to, err);
}

enum status centre_leave_add(struct centre *c, int64_t row, int64_t seq, int64_t home,
                             int64_t time_ms, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "INSERT INTO leave_row(row, seq, home, time_ms) VALUES (?, ?, ?, ?)", &s,
                   err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, seq);
    db_bind_int(s, 3, home);
    db_bind_int(s, 4, time_ms);
    return db_run(s, err);
}

/* ------------------------------------------------------------------ lists out of a statement */

static enum status grow(struct arena *mem, void **items, size_t count, size_t *room, size_t bytes,
                        struct err *err) {
    if (count < *room) return ST_OK;
    size_t larger = *room ? *room * 2 : 16;
    void *copy = arena_array(mem, larger, bytes);
    if (!copy) return err_no_memory(err);
    if (count > 0) memcpy(copy, *items, count * bytes);
    *items = copy;
    *room = larger;
    return ST_OK;
}

enum status centre_take_ids(struct db_stmt *s, struct arena *mem, int64_t **out, size_t *out_count,
                            struct err *err) {
    void *ids = NULL;
    size_t count = 0, room = 0;
    bool row;
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        status = grow(mem, &ids, count, &room, sizeof(int64_t), err);
        if (status == ST_OK) ((int64_t *)ids)[count++] = db_int(s, 0);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = ids;
    *out_count = count;
    return ST_OK;
}

enum status centre_leaves(struct centre *c, int64_t row, int64_t after, struct arena *mem,
                          struct centre_leave **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    void *list = NULL;
    size_t count = 0, room = 0;
    bool more;
    TRY(db_prepare(c->db,
                   "SELECT seq, home, time_ms FROM leave_row WHERE row = ? AND seq > ? "
                   "ORDER BY seq, home",
                   &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, after);
    enum status status = db_step(s, &more, err);
    while (status == ST_OK && more) {
        status = grow(mem, &list, count, &room, sizeof(struct centre_leave), err);
        if (status != ST_OK) break;
        ((struct centre_leave *)list)[count++] =
            (struct centre_leave){db_int(s, 0), db_int(s, 1), db_int(s, 2)};
        status = db_step(s, &more, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = list;
    *out_count = count;
    return ST_OK;
}

/* ------------------------------------------------------------------ grants */

#define GRANT_COLUMNS "user, home, since, until_seq, until_ms, born"

static enum status take_grants(struct db_stmt *s, struct arena *mem, struct centre_grant **out,
                               size_t *out_count, struct err *err) {
    void *list = NULL;
    size_t count = 0, room = 0;
    bool row;
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        status = grow(mem, &list, count, &room, sizeof(struct centre_grant), err);
        if (status != ST_OK) break;
        ((struct centre_grant *)list)[count++] = (struct centre_grant){.user = db_int(s, 0),
                                                                       .home = db_int(s, 1),
                                                                       .since = db_int(s, 2),
                                                                       .until_seq = db_int(s, 3),
                                                                       .until_ms = db_int(s, 4),
                                                                       .born = db_int(s, 5) != 0};
        status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = list;
    *out_count = count;
    return ST_OK;
}

static enum status grant_of_all(struct centre *c, int64_t user, struct arena *mem,
                                struct centre_grant **out, size_t *out_count, struct err *err) {
    struct centre_grant *all = ARENA_NEW(mem, struct centre_grant);
    if (!all) return err_no_memory(err);
    *all = (struct centre_grant){
        .user = user, .home = home_make(HOME_CLASS_ALL, 0), .since = c->scope.open_since};
    *out = all;
    *out_count = 1;
    return ST_OK;
}

enum status centre_grants(struct centre *c, int64_t user, struct arena *mem,
                          struct centre_grant **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    if (!c->scope.granted) return grant_of_all(c, user, mem, out, out_count, err);
    TRY(db_prepare(c->db,
                   "SELECT " GRANT_COLUMNS " FROM grant_home WHERE user = ? AND until_seq = 0"
                   " ORDER BY home",
                   &s, err));
    db_bind_int(s, 1, user);
    return take_grants(s, mem, out, out_count, err);
}

/* Of several lives of one grant the first is the one that a laptop may know: it ended last of those
 * that it was told of. */
static size_t first_of_each(struct centre_grant *grants, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || grants[kept - 1].home != grants[i].home) grants[kept++] = grants[i];
    return kept;
}

enum status centre_grants_ended(struct centre *c, int64_t user, int64_t after, int64_t to,
                                struct arena *mem, struct centre_grant **out, size_t *out_count,
                                struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "SELECT " GRANT_COLUMNS " FROM grant_home WHERE user = ? AND until_seq > ?"
                   " AND until_seq <= ? ORDER BY home, since",
                   &s, err));
    db_bind_int(s, 1, user);
    db_bind_int(s, 2, after);
    db_bind_int(s, 3, to);
    TRY(take_grants(s, mem, out, out_count, err));
    *out_count = first_of_each(*out, *out_count);
    return ST_OK;
}

enum status centre_grants_of(struct centre *c, int64_t user, int64_t home, struct arena *mem,
                             struct centre_grant **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    if (!c->scope.granted && home == home_make(HOME_CLASS_ALL, 0))
        return grant_of_all(c, user, mem, out, out_count, err);
    TRY(db_prepare(c->db,
                   "SELECT " GRANT_COLUMNS " FROM grant_home WHERE user = ? AND home = ? ORDER BY "
                   "since",
                   &s, err));
    db_bind_int(s, 1, user);
    db_bind_int(s, 2, home);
    return take_grants(s, mem, out, out_count, err);
}

enum status centre_holders(struct centre *c, int64_t home, struct arena *mem, int64_t **out,
                           size_t *out_count, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "SELECT user FROM grant_home WHERE home = ? AND until_seq = 0 ORDER BY user", &s,
                   err));
    db_bind_int(s, 1, home);
    return centre_take_ids(s, mem, out, out_count, err);
}

enum status centre_grant_open(struct centre *c, const struct centre_grant *g, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO grant_home(" GRANT_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)"
                   " ON CONFLICT(user, home, since) DO UPDATE SET until_seq = excluded.until_seq,"
                   " until_ms = excluded.until_ms, born = excluded.born",
                   &s, err));
    db_bind_int(s, 1, g->user);
    db_bind_int(s, 2, g->home);
    db_bind_int(s, 3, g->since);
    db_bind_int(s, 4, g->until_seq);
    db_bind_int(s, 5, g->until_ms);
    db_bind_int(s, 6, g->born);
    return db_run(s, err);
}

enum status centre_grant_end(struct centre *c, int64_t user, int64_t home, int64_t seq,
                             int64_t time_ms, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "UPDATE grant_home SET until_seq = ?, until_ms = ? WHERE user = ? AND home = ?"
                   " AND until_seq = 0",
                   &s, err));
    db_bind_int(s, 1, seq);
    db_bind_int(s, 2, time_ms);
    db_bind_int(s, 3, user);
    db_bind_int(s, 4, home);
    return db_run(s, err);
}
