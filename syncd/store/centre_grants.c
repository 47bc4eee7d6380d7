/* Grants follow the rules: what is open is compared with what should be, home by home or user by
 * user, and the difference opens and ends at one seq.
 */
#include <string.h>

#include "syncd/store/centre_digest.h"
#include "syncd/store/centre_private.h"
#include "syncd/store/centre_scope.h"

enum { DAY_MS = 86400000, MINUTE_MS = 60000, SETTLE_ARENA_CAP = 256 * 1024 * 1024 };

int64_t centre_day(const struct centre_scope *scope, int64_t ms) {
    int64_t local = ms + (int64_t)scope->utc_offset_min * MINUTE_MS;
    return local >= 0 ? local / DAY_MS : (local - DAY_MS + 1) / DAY_MS;
}

struct settling {
    struct centre *c;
    struct arena *mem; /* of one home or user */
    int64_t seq, now_ms, day;
    bool any; /* the seq is used */
};

static enum status open_one(struct settling *s, int64_t user, int64_t home, int64_t born,
                            struct err *err) {
    struct centre_grant grant = {
        .user = user, .home = home, .since = born ? born : s->seq, .born = born != 0};
    if (!born) s->any = true;
    return centre_grant_open(s->c, &grant, err);
}

static enum status end_one(struct settling *s, int64_t user, int64_t home, struct err *err) {
    s->any = true;
    return centre_grant_end(s->c, user, home, s->seq, s->now_ms, err);
}

/* Both lists ascend. */
static enum status settle_home(struct settling *s, const struct unsettled_home *h,
                               struct err *err) {
    int64_t *want, *have;
    size_t wanted, held, w = 0, i = 0;
    TRY(centre_entitled(s->c, h->home, s->day, s->mem, &want, &wanted, err));
    TRY(centre_holders(s->c, h->home, s->mem, &have, &held, err));
    while (w < wanted || i < held) {
        if (w < wanted && i < held && want[w] == have[i]) {
            w++, i++;
        } else if (i == held || (w < wanted && want[w] < have[i])) {
            TRY(open_one(s, want[w++], h->home, h->born, err));
        } else {
            TRY(end_one(s, have[i++], h->home, err));
        }
    }
    return ST_OK;
}

static enum status settle_user(struct settling *s, int64_t id, struct err *err) {
    struct centre_user user;
    struct centre_grant *have;
    int64_t *want;
    size_t wanted, held, w = 0, i = 0;
    TRY(centre_user_by_id(s->c, id, &user, err));
    TRY(centre_entitlements(s->c, &user, s->day, s->mem, &want, &wanted, err));
    TRY(centre_grants(s->c, id, s->mem, &have, &held, err));
    while (w < wanted || i < held) {
        if (w < wanted && i < held && want[w] == have[i].home) {
            w++, i++;
        } else if (i == held || (w < wanted && want[w] < have[i].home)) {
            TRY(open_one(s, id, want[w++], 0, err));
        } else {
            TRY(end_one(s, id, have[i++].home, err));
        }
    }
    return ST_OK;
}

static enum status log_scope(struct settling *s, struct err *err) {
    struct log_entry entry = {.seq = s->seq, .time_ms = s->now_ms, .kind = LOG_SCOPE};
    return s->any ? centre_log_add(s->c, &entry, err) : ST_OK;
}

static struct settling settling_of(struct centre *c, struct arena *mem) {
    struct settling s = {.c = c, .mem = mem, .seq = centre_next_seq(c), .now_ms = centre_now(c)};
    s.day = centre_day(&c->scope, s.now_ms);
    return s;
}

enum status centre_grants_settle(struct centre *c, const struct centre_unsettled *unsettled,
                                 struct err *err) {
    if (!c->scope.granted) return ST_OK;
    struct arena mem = arena_new(SETTLE_ARENA_CAP);
    struct settling s = settling_of(c, &mem);
    enum status status = ST_OK;
    for (size_t i = 0; i < unsettled->home_count && status == ST_OK; i++) {
        status = settle_home(&s, &unsettled->homes[i], err);
        arena_clear(&mem);
    }
    for (size_t i = 0; i < unsettled->user_count && status == ST_OK; i++) {
        status = settle_user(&s, unsettled->users[i], err);
        arena_clear(&mem);
    }
    if (status == ST_OK) status = log_scope(&s, err);
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ open and granted */

/* Until now everyone held "all", which no table said. Head office goes on holding it. */
static enum status grant_users(struct settling *s, struct err *err) {
    struct arena ids = arena_new(SETTLE_ARENA_CAP);
    int64_t *users = NULL, all = home_make(HOME_CLASS_ALL, 0);
    size_t count = 0;
    enum status status = centre_user_ids(s->c, &ids, &users, &count, err);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        struct centre_grant grant = {
            .user = users[i], .home = all, .since = s->c->scope.open_since};
        status = centre_grant_open(s->c, &grant, err);
        if (status == ST_OK) status = settle_user(s, users[i], err);
        arena_clear(s->mem);
    }
    arena_clear(&ids);
    return status;
}

static enum status end_all(struct settling *s, struct err *err) {
    struct db_stmt *stmt;
    TRY(db_prepare(s->c->db,
                   "UPDATE grant_home SET until_seq = ?, until_ms = ? WHERE until_seq = 0", &stmt,
                   err));
    db_bind_int(stmt, 1, s->seq);
    db_bind_int(stmt, 2, s->now_ms);
    return db_run(stmt, err);
}

static enum status change_scope(struct settling *s, bool granted, struct err *err) {
    struct centre_scope scope = s->c->scope;
    scope.granted = granted;
    scope.day = s->day;
    if (!granted) scope.open_since = s->seq;
    if (!granted) TRY(end_all(s, err));
    TRY(centre_scope_put(s->c, &scope, err));
    if (granted) TRY(centre_reasons_of_makers(s->c, err));
    if (granted) TRY(grant_users(s, err));
    s->any = true;
    s->c->due_is_known = false;
    return log_scope(s, err);
}

enum status centre_scope_change(struct centre *c, bool granted, struct err *err) {
    if (granted == c->scope.granted) return ST_OK;
    if (granted && !centre_scope_is_possible(c))
        return err_set(err, ST_INVALID, "the catalogue has no accounts, territories and teams",
                       "目录中没有客户、区域与团队");
    struct arena mem = arena_new(SETTLE_ARENA_CAP);
    struct settling s = settling_of(c, &mem);
    enum status status = change_scope(&s, granted, err);
    arena_clear(&mem);
    return status == ST_OK ? centre_digests_rebuild(c, err) : status;
}

enum status centre_users_at(struct centre *c, int64_t seq, struct arena *mem, int64_t **out_users,
                            size_t *out_count, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "SELECT user FROM grant_home WHERE since = ?1 UNION"
                   " SELECT user FROM grant_home WHERE until_seq = ?1 AND until_seq > 0 ORDER BY 1",
                   &s, err));
    db_bind_int(s, 1, seq);
    return centre_take_ids(s, mem, out_users, out_count, err);
}

/* ------------------------------------------------------------------ what is due */

void centre_due_forget(struct centre *c) {
    c->due_is_known = false;
}

static enum status find_due(struct centre *c, int64_t *out_ms, struct err *err) {
    int64_t due_ms, day = 0;
    TRY(centre_dated_next(c, &due_ms, err));
    if (c->scope.granted) TRY(centre_teams_turn_next(c, c->scope.day, &day, err));
    int64_t day_ms = day * DAY_MS - (int64_t)c->scope.utc_offset_min * MINUTE_MS;
    if (day > 0 && (due_ms == 0 || day_ms < due_ms)) due_ms = day_ms;
    *out_ms = due_ms;
    return ST_OK;
}

enum status centre_due_next(struct centre *c, int64_t *out_ms, struct err *err) {
    if (!c->due_is_known) TRY(find_due(c, &c->due_ms, err));
    c->due_is_known = true;
    *out_ms = c->due_ms;
    return ST_OK;
}
