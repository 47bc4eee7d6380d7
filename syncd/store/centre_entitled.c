/* Who should see what: the rules of scope as SQL over accounts, employees, territories and teams.
 *
 * Two sides of one relation: the users of a home, for a change of an account or a team, and the
 * homes of a user, for a change of a person or of the tree of territories. What the one says the
 * other must say: tests compare them.
 */
#include <stdlib.h>
#include <string.h>

#include "syncd/store/centre_private.h"
#include "syncd/store/centre_scope.h"

/* Users who count: head office holds everything anyway, and who left the company holds nothing. */
#define COUNTS "u.role <> 3 AND coalesce(e.active, 1) <> 0 AND e._dead IS NULL"
/* A territory and those above it. UNION ends the walk where the tree runs in a circle. */
#define UP(start)                                                                                  \
    "WITH RECURSIVE up(id) AS (" start                                                             \
    " UNION SELECT t.parent FROM r_territory t JOIN up ON t.id = up.id WHERE t.parent IS NOT "     \
    "NULL) "
#define DOWN                                                                                       \
    "WITH RECURSIVE down(id) AS (SELECT territory FROM r_employee WHERE id = ?1"                   \
    " UNION SELECT t.id FROM r_territory t JOIN down ON t.parent = down.id) "
#define IN_FORCE                                                                                   \
    "m._dead IS NULL AND (m.from_on IS NULL OR m.from_on <= ?2)"                                   \
    " AND (m.until_on IS NULL OR m.until_on >= ?2)"

/* ------------------------------------------------------------------ reasons that no row tells */

static enum status add_reason(struct centre *c, int64_t user, int64_t home, int64_t kind,
                              struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO reason(user, home, kind) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                   &s, err));
    db_bind_int(s, 1, user);
    db_bind_int(s, 2, home);
    db_bind_int(s, 3, kind);
    return db_run(s, err);
}

enum status centre_reason_add(struct centre *c, int64_t user, int64_t home, enum reason_kind kind,
                              struct err *err) {
    return add_reason(c, user, home, (int64_t)kind, err);
}

enum status centre_reason_merged(struct centre *c, int64_t user, int64_t home, int64_t loser,
                                 struct err *err) {
    return add_reason(c, user, home, -loser, err);
}

enum status centre_reasons_of_makers(struct centre *c, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO reason(user, home, kind)"
                   " SELECT d.user, ?1 + m.now, ?2"
                   " FROM (SELECT id AS made, id AS now FROM r_account"
                   " UNION ALL SELECT from_id, to_id FROM alias WHERE to_id IN"
                   " (SELECT id FROM r_account)) m"
                   " JOIN device d ON d.number = m.made >> ?3 JOIN org_user u ON u.id = d.user"
                   " WHERE u.role <> 3 AND m.now NOT IN (SELECT from_id FROM alias)"
                   " ON CONFLICT DO NOTHING",
                   &s, err));
    db_bind_int(s, 1, home_make(HOME_CLASS_TEAM, 0));
    db_bind_int(s, 2, REASON_KIND_CREATOR);
    db_bind_int(s, 3, ID_COUNTER_BITS);
    return db_run(s, err);
}

/* ------------------------------------------------------------------ the users of a home */

static const char *const OF_TEAM = UP(
    "SELECT territory FROM r_account WHERE id = ?1") "SELECT u.id FROM r_account a JOIN r_employee "
                                                     "e ON e.id = a.owner JOIN org_user u"
                                                     " ON u.employee = e.id WHERE a.id = ?1 "
                                                     "AND " COUNTS
                                                     " UNION SELECT u.id FROM r_team_member m JOIN "
                                                     "r_employee e ON e.id = m.employee"
                                                     " JOIN org_user u ON u.employee = e.id WHERE "
                                                     "m.account = ?1 AND " IN_FORCE " AND " COUNTS
                                                     " UNION SELECT u.id FROM up JOIN r_employee e "
                                                     "ON e.territory = up.id JOIN org_user u"
                                                     " ON u.employee = e.id WHERE u.role = 2 "
                                                     "AND " COUNTS " UNION SELECT u.id FROM reason "
                                                     "r JOIN org_user u ON u.id = "
                                                     "r.user LEFT JOIN r_employee e"
                                                     " ON e.id = u.employee WHERE r.home = ?3 "
                                                     "AND " COUNTS " ORDER BY 1";

static const char *const OF_OWN = UP(
    "SELECT territory FROM r_employee WHERE id = ?1") "SELECT u.id FROM r_employee e JOIN org_user "
                                                      "u ON u.employee = e.id WHERE e.id = ?1 "
                                                      "AND " COUNTS
                                                      " UNION SELECT u.id FROM up JOIN r_employee "
                                                      "e ON e.territory = up.id JOIN org_user u"
                                                      " ON u.employee = e.id WHERE u.role = 2 AND "
                                                      "?2 = ?2 AND ?3 = ?3 AND " COUNTS
                                                      " ORDER BY 1";

static const char *const OF_TERRITORY =
    UP("SELECT ?1") "SELECT u.id FROM up JOIN r_employee e ON e.territory = up.id JOIN org_user u"
                    " ON u.employee = e.id WHERE ?2 = ?2 AND ?3 = ?3 AND " COUNTS " ORDER BY 1";

static const char *const OF_PUBLIC =
    "SELECT u.id FROM org_user u LEFT JOIN r_employee e ON e.id = u.employee"
    " WHERE ?1 = ?1 AND ?2 = ?2 AND ?3 = ?3 AND " COUNTS " ORDER BY 1";

static const char *const OF_ALL =
    "SELECT id FROM org_user WHERE role = 3 AND ?1 = ?1 AND ?2 = ?2 AND ?3 = ?3 ORDER BY 1";

static const char *users_sql(enum home_class class) {
    switch (class) {
    case HOME_CLASS_OWN: return OF_OWN;
    case HOME_CLASS_TEAM: return OF_TEAM;
    case HOME_CLASS_TERRITORY: return OF_TERRITORY;
    case HOME_CLASS_PUBLIC: return OF_PUBLIC;
    case HOME_CLASS_ALL: return OF_ALL;
    case HOME_CLASS_OFFICE: /* whoever may see it holds "all" */
    case HOME_CLASS_NONE:
    case HOME_CLASS_COUNT: return NULL;
    }
    return NULL;
}

enum status centre_entitled(struct centre *c, int64_t home, int64_t day, struct arena *mem,
                            int64_t **out_users, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    const char *sql = users_sql(home_class(home));
    *out_users = NULL;
    *out_count = 0;
    if (!sql) return ST_OK;
    TRY(db_prepare(c->db, sql, &s, err));
    db_bind_int(s, 1, home_id(home));
    db_bind_int(s, 2, day);
    db_bind_int(s, 3, home);
    return centre_take_ids(s, mem, out_users, out_count, err);
}

/* ------------------------------------------------------------------ the homes of a user */

struct home_source { /* ids of one kind of home; ?1 the employee, ?2 the day, ?3 the user */
    enum home_class class;
    bool managers_only;
    const char *sql;
};

#define NAMED " AND ?2 = ?2 AND ?3 = ?3"
static const struct home_source SOURCES[] = {
    {HOME_CLASS_OWN, false, "SELECT e.id FROM r_employee e WHERE e.id = ?1" NAMED},
    {HOME_CLASS_OWN, true,
     DOWN "SELECT e.id FROM down JOIN r_employee e ON e.territory = down.id WHERE 1 = 1" NAMED},
    {HOME_CLASS_TEAM, false, "SELECT a.id FROM r_account a WHERE a.owner = ?1" NAMED},
    {HOME_CLASS_TEAM, false,
     "SELECT m.account FROM r_team_member m JOIN r_account a ON a.id = m.account"
     " WHERE m.employee = ?1 AND ?3 = ?3 AND " IN_FORCE},
    {HOME_CLASS_TEAM, true,
     DOWN "SELECT a.id FROM down JOIN r_account a ON a.territory = down.id WHERE 1 = 1" NAMED},
    {HOME_CLASS_TERRITORY, false, DOWN "SELECT id FROM down WHERE id IS NOT NULL" NAMED},
};
#undef NAMED

struct home_list {
    int64_t *at;
    size_t count, room;
};

static enum status put_home(struct home_list *list, int64_t home, struct arena *mem,
                            struct err *err) {
    if (list->count == CENTRE_GRANTS_MAX)
        return err_set(err, ST_TOO_LARGE, "a user can be granted %d homes at most",
                       "一个用户最多可授予 %d 个范围", CENTRE_GRANTS_MAX);
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        int64_t *at = ARENA_ARRAY(mem, room, int64_t);
        if (!at) return err_no_memory(err);
        if (list->count > 0) memcpy(at, list->at, list->count * sizeof *at);
        list->at = at;
        list->room = room;
    }
    list->at[list->count++] = home;
    return ST_OK;
}

static enum status put_source(struct centre *c, const struct home_source *source,
                              const struct centre_user *user, int64_t day, struct arena *mem,
                              struct home_list *list, struct err *err) {
    struct db_stmt *s;
    int64_t *ids;
    size_t count;
    TRY(db_prepare(c->db, source->sql, &s, err));
    db_bind_int(s, 1, user->employee);
    db_bind_int(s, 2, day);
    db_bind_int(s, 3, user->id);
    TRY(centre_take_ids(s, mem, &ids, &count, err));
    for (size_t i = 0; i < count; i++)
        if (ids[i] > 0) TRY(put_home(list, home_make(source->class, ids[i]), mem, err));
    return ST_OK;
}

static enum status put_reasons(struct centre *c, int64_t user, struct arena *mem,
                               struct home_list *list, struct err *err) {
    struct db_stmt *s;
    int64_t *homes;
    size_t count;
    TRY(db_prepare(c->db, "SELECT home FROM reason WHERE user = ?", &s, err));
    db_bind_int(s, 1, user);
    TRY(centre_take_ids(s, mem, &homes, &count, err));
    for (size_t i = 0; i < count; i++) TRY(put_home(list, homes[i], mem, err));
    return ST_OK;
}

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sort_once(struct home_list *list) {
    size_t kept = 0;
    if (list->count > 1) qsort(list->at, list->count, sizeof *list->at, by_number);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->at[kept - 1] != list->at[i]) list->at[kept++] = list->at[i];
    list->count = kept;
}

static enum status counts(struct centre *c, int64_t user, bool *out, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "SELECT 1 FROM org_user u LEFT JOIN r_employee e ON e.id = u.employee"
                   " WHERE u.id = ? AND " COUNTS,
                   &s, err));
    db_bind_int(s, 1, user);
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

enum status centre_entitlements(struct centre *c, const struct centre_user *user, int64_t day,
                                struct arena *mem, int64_t **out_homes, size_t *out_count,
                                struct err *err) {
    struct home_list list = {0};
    bool does = false;
    if (user->role == USER_OFFICE) {
        TRY(put_home(&list, home_make(HOME_CLASS_ALL, 0), mem, err));
    } else {
        TRY(counts(c, user->id, &does, err));
    }
    if (does) {
        TRY(put_home(&list, home_make(HOME_CLASS_PUBLIC, 0), mem, err));
        TRY(put_reasons(c, user->id, mem, &list, err));
    }
    for (size_t i = 0; i < ARRAY_COUNT(SOURCES) && does && user->employee > 0; i++)
        if (!SOURCES[i].managers_only || user->role == USER_MANAGER)
            TRY(put_source(c, &SOURCES[i], user, day, mem, &list, err));
    sort_once(&list);
    *out_homes = list.at;
    *out_count = list.count;
    return ST_OK;
}

/* ------------------------------------------------------------------ why */

static enum status holds(struct centre *c, const char *sql, const struct centre_user *user,
                         int64_t home, int64_t day, bool *out, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, sql, &s, err));
    db_bind_int(s, 1, user->employee);
    db_bind_int(s, 2, day);
    db_bind_int(s, 3, user->id);
    db_bind_int(s, 4, home_id(home));
    db_bind_int(s, 5, home);
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

struct why {
    enum home_class class;
    bool managers_only;
    unsigned bit;
    const char *sql;
};
#define NAMED " AND ?1 = ?1 AND ?2 = ?2 AND ?3 = ?3 AND ?4 = ?4 AND ?5 = ?5"
static const struct why WHY[] = {
    {HOME_CLASS_OWN, false, GRANT_SELF, "SELECT 1 WHERE ?1 = ?4" NAMED},
    {HOME_CLASS_OWN, true, GRANT_MANAGER,
     DOWN "SELECT 1 FROM r_employee e JOIN down ON e.territory = down.id WHERE e.id = ?4" NAMED},
    {HOME_CLASS_TEAM, false, GRANT_OWNER,
     "SELECT 1 FROM r_account WHERE id = ?4 AND owner = ?1" NAMED},
    {HOME_CLASS_TEAM, false, GRANT_MEMBER,
     "SELECT 1 FROM r_team_member m WHERE m.account = ?4 AND m.employee = ?1 AND " IN_FORCE NAMED},
    {HOME_CLASS_TEAM, true, GRANT_MANAGER,
     DOWN "SELECT 1 FROM r_account a JOIN down ON a.territory = down.id WHERE a.id = ?4" NAMED},
    {HOME_CLASS_TEAM, false, GRANT_CREATOR,
     "SELECT 1 FROM reason WHERE user = ?3 AND home = ?5 AND kind = 1" NAMED},
    {HOME_CLASS_TEAM, false, GRANT_MERGED,
     "SELECT 1 FROM reason WHERE user = ?3 AND home = ?5 AND (kind = 2 OR kind < 0)" NAMED},
    {HOME_CLASS_TERRITORY, false, GRANT_TERRITORY, DOWN "SELECT 1 FROM down WHERE id = ?4" NAMED},
    {HOME_CLASS_PUBLIC, false, GRANT_EVERYONE, "SELECT 1 WHERE 1 = 1" NAMED},
};
#undef NAMED

enum status centre_grant_reasons(struct centre *c, const struct centre_user *user, int64_t home,
                                 int64_t day, unsigned *out, struct err *err) {
    unsigned bits = 0;
    bool office = home_class(home) == HOME_CLASS_ALL;
    if (office) bits = user->role == USER_OFFICE ? GRANT_OFFICE : GRANT_EVERYONE;
    for (size_t i = 0; i < ARRAY_COUNT(WHY); i++) {
        bool yes = false;
        if (WHY[i].class != home_class(home)) continue;
        if (WHY[i].managers_only && user->role != USER_MANAGER) continue;
        TRY(holds(c, WHY[i].sql, user, home, day, &yes, err));
        if (yes) bits |= WHY[i].bit;
    }
    *out = bits;
    return ST_OK;
}

/* ------------------------------------------------------------------ whom a change concerns */

static enum status ids_of(struct centre *c, const char *sql, int64_t a, int64_t b,
                          struct arena *mem, int64_t **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, sql, &s, err));
    db_bind_int(s, 1, a);
    db_bind_int(s, 2, b);
    return centre_take_ids(s, mem, out, out_count, err);
}

/* A membership until the 5th is over on the 6th. */
enum status centre_teams_turning(struct centre *c, int64_t after, int64_t to, struct arena *mem,
                                 int64_t **out_accounts, size_t *out_count, struct err *err) {
    return ids_of(c,
                  "SELECT DISTINCT account FROM r_team_member WHERE _dead IS NULL"
                  " AND account IS NOT NULL AND ((from_on > ?1 AND from_on <= ?2)"
                  " OR (until_on + 1 > ?1 AND until_on + 1 <= ?2)) ORDER BY 1",
                  after, to, mem, out_accounts, out_count, err);
}

enum status centre_teams_turn_next(struct centre *c, int64_t day, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db,
                   "SELECT min(d) FROM (SELECT from_on AS d FROM r_team_member WHERE _dead IS NULL"
                   " AND from_on > ?1 UNION ALL SELECT until_on + 1 FROM r_team_member"
                   " WHERE _dead IS NULL AND until_on + 1 > ?1)",
                   &s, err));
    db_bind_int(s, 1, day);
    TRY(db_step(s, &row, err));
    *out = row && !db_is_null(s, 0) ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status centre_users_above(struct centre *c, int64_t territory, struct arena *mem,
                               int64_t **out_users, size_t *out_count, struct err *err) {
    return ids_of(c,
                  UP("SELECT ?1") "SELECT u.id FROM up JOIN r_employee e ON e.territory = up.id "
                                  "JOIN org_user u"
                                  " ON u.employee = e.id WHERE ?2 = ?2 ORDER BY 1",
                  territory, 0, mem, out_users, out_count, err);
}

enum status centre_users_of(struct centre *c, int64_t employee, struct arena *mem,
                            int64_t **out_users, size_t *out_count, struct err *err) {
    return ids_of(c, "SELECT id FROM org_user WHERE employee = ?1 AND ?2 = ?2 ORDER BY 1", employee,
                  0, mem, out_users, out_count, err);
}

enum status centre_user_ids(struct centre *c, struct arena *mem, int64_t **out_users,
                            size_t *out_count, struct err *err) {
    return ids_of(c, "SELECT id FROM org_user WHERE ?1 = ?2 ORDER BY 1", 0, 0, mem, out_users,
                  out_count, err);
}

enum status centre_accounts_of(struct centre *c, int64_t employee, struct arena *mem,
                               int64_t **out_ids, size_t *out_count, struct err *err) {
    return ids_of(c,
                  "SELECT id FROM r_account WHERE owner = ?1 AND _dead IS NULL AND ?2 = ?2"
                  " ORDER BY id",
                  employee, 0, mem, out_ids, out_count, err);
}
