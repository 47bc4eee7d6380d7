/* Who sees what, for head office: settings, and what is dated. See scope.h. */
#include "syncd/server/scope.h"

#include <string.h>

#include "syncd/server/org_private.h"

enum { LEASE_DAYS_MAX = 3650, ZONE_MIN_MAX = 840, DAY_MS = 86400000, MINUTE_MS = 60000 };

typedef enum status scope_work(struct org *org, void *ctx, struct err *err);

/* In a transaction of its own, when what is due has been applied. */
static enum status write_scope(struct org *org, scope_work *work, void *ctx, struct err *err) {
    TRY(org_merge_begin(org, err));
    enum status status = work(org, ctx, err);
    if (status == ST_OK) return centre_commit(org->c, err);
    centre_rollback(org->c);
    return status;
}

/* ------------------------------------------------------------------ settings */

static enum status set_granted(struct org *org, void *ctx, struct err *err) {
    return centre_scope_change(org->c, *(bool *)ctx, err);
}

enum status org_scope_set(struct org *org, bool granted, struct err *err) {
    return write_scope(org, set_granted, &granted, err);
}

static enum status put_scope(struct centre *c, const struct centre_scope *scope, struct err *err) {
    centre_due_forget(c);
    return centre_scope_put(c, scope, err);
}

static enum status set_lease(struct org *org, void *ctx, struct err *err) {
    struct centre_scope scope;
    centre_scope(org->c, &scope);
    scope.lease_days = *(int64_t *)ctx;
    return put_scope(org->c, &scope, err);
}

enum status org_scope(struct org *org, struct centre_scope *out, struct err *err) {
    struct centre_head head;
    TRY(centre_head(org->c, &head, err));
    centre_scope(org->c, out);
    return ST_OK;
}

enum status org_lease_set(struct org *org, int64_t days, struct err *err) {
    if (days < 0 || days > LEASE_DAYS_MAX)
        return err_set(err, ST_INVALID, "a lease has 0 to %d days", "宽限期须为 0 至 %d 天",
                       LEASE_DAYS_MAX);
    return write_scope(org, set_lease, &days, err);
}

static enum status turn_to(struct centre *c, int64_t today, struct arena *mem, struct err *err);

/* The day may be another one at once, also the one before. */
static enum status set_zone(struct org *org, void *ctx, struct err *err) {
    struct centre_scope scope;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    centre_scope(org->c, &scope);
    scope.utc_offset_min = *(int *)ctx;
    TRY(put_scope(org->c, &scope, err));
    return turn_to(org->c, centre_day(&scope, centre_now(org->c)), &mem, err);
}

enum status org_zone_set(struct org *org, int utc_offset_min, struct err *err) {
    if (utc_offset_min < -ZONE_MIN_MAX || utc_offset_min > ZONE_MIN_MAX)
        return err_set(err, ST_INVALID, "a time zone is at most 14 hours from UTC",
                       "时区与 UTC 相差不超过 14 小时");
    return write_scope(org, set_zone, &utc_offset_min, err);
}

int64_t org_day_ms(const struct centre_scope *scope, int64_t day) {
    return day * DAY_MS - (int64_t)scope->utc_offset_min * MINUTE_MS;
}

/* ------------------------------------------------------------------ orders */

static enum status check_row(struct centre *c, const char *entity, int64_t id, const char *en,
                             const char *zh, struct err *err) {
    const struct entity *e = catalogue_entity(centre_catalogue(c), slice_from(entity));
    bool found = false, dead = false;
    if (e) TRY(centre_row_probe(c, e, id, &found, &dead, err));
    return found && !dead ? ST_OK : err_set(err, ST_NOT_FOUND, "%s%.0s", "%.0s%s", en, zh);
}

static enum status check_op(struct centre *c, const struct centre_dated *op, struct err *err) {
    static const char en[] = "no such employee", zh[] = "没有此员工";
    TRY(check_row(c, "employee", op->to, en, zh, err));
    if (op->kind == DATED_ASSIGN)
        return check_row(c, "account", op->account, "no such account", "没有此客户", err);
    TRY(check_row(c, "employee", op->from, en, zh, err));
    if (op->from != op->to) return ST_OK;
    return err_set(err, ST_INVALID, "nothing changes hands: both are the same person",
                   "交接双方为同一人");
}

struct orders {
    const struct centre_dated *ops;
    size_t count;
    int64_t *ids;
};

static enum status add_orders(struct org *org, void *ctx, struct err *err) {
    struct orders *orders = ctx;
    for (size_t i = 0; i < orders->count; i++) {
        struct centre_dated op = orders->ops[i];
        op.made_ms = centre_now(org->c);
        TRY(check_op(org->c, &op, err));
        TRY(centre_dated_add(org->c, &op, &orders->ids[i], err));
    }
    return ST_OK;
}

enum status org_dated_add_all(struct org *org, const struct centre_dated *ops, size_t count,
                              int64_t *out_ids, struct err *err) {
    struct orders orders = {ops, count, out_ids};
    return write_scope(org, add_orders, &orders, err);
}

enum status org_dated_add(struct org *org, const struct centre_dated *op, int64_t *out_id,
                          struct err *err) {
    return org_dated_add_all(org, op, 1, out_id, err);
}

enum status org_dated_list(struct org *org, bool also_done, struct arena *mem,
                           struct centre_dated **out, size_t *out_count, struct err *err) {
    return centre_dated_list(org->c, INT64_MAX, also_done, mem, out, out_count, err);
}

/* ------------------------------------------------------------------ what is due */

static int64_t owner_of(const struct centre_row *row) {
    const struct field *f = entity_field(row->entity, SLICE("owner"));
    struct value v = f ? row->values[entity_field_index(row->entity, f)] : value_null();
    return v.kind == VALUE_INT ? v.number : 0;
}

/* The change that gives an account to an employee; *out_needed false: it is dead, or his already.
 */
static enum status make_assignment(struct centre *c, const struct entity *e, int64_t account,
                                   int64_t to, struct arena *mem, struct change *out,
                                   bool *out_needed, struct err *err) {
    const struct field *f = entity_field(e, SLICE("owner"));
    struct centre_row row;
    bool found;
    *out_needed = false;
    TRY(centre_alias_resolve(c, account, &account, err));
    TRY(centre_row_read(c, e, account, mem, &row, &found, err));
    if (!found || row.dead || !f || owner_of(&row) == to) return ST_OK;
    struct edit *edit = ARENA_NEW(mem, struct edit);
    struct value *value = ARENA_NEW(mem, struct value);
    if (!edit || !value) return err_no_memory(err);
    *value = value_int(to);
    *edit = (struct edit){.cell_tag = entity_cell_of(e, f)->tag, .values = value, .value_count = 1};
    *out = (struct change){
        .kind = CHANGE_EDIT, .entity_tag = e->tag, .row = account, .edits = edit, .edit_count = 1};
    *out_needed = true;
    return ST_OK;
}

static enum status assign_all(struct centre *c, const int64_t *accounts, size_t count,
                              const struct centre_dated *op, int64_t *out_moved, struct err *err) {
    const struct entity *e = catalogue_entity(centre_catalogue(c), SLICE("account"));
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    enum status status = ST_OK;
    *out_moved = 0;
    for (size_t at = 0; at < count && status == ST_OK;) {
        struct change *changes = ARENA_ARRAY(&mem, BATCH_ROWS_MAX, struct change);
        size_t made = 0;
        if (!changes) status = err_no_memory(err);
        while (at < count && made < BATCH_ROWS_MAX && status == ST_OK) {
            bool needed = false;
            status =
                make_assignment(c, e, accounts[at++], op->to, &mem, &changes[made], &needed, err);
            if (needed) made++;
        }
        if (made > 0 && status == ST_OK)
            status = office_write(c, changes, made, slice_from(op->person), &mem, err);
        *out_moved += (int64_t)made;
        arena_clear(&mem);
    }
    arena_clear(&mem);
    return status;
}

enum status scope_apply(struct centre *c, const struct centre_dated *op, int64_t *out_moved,
                        struct err *err) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    const struct entity *employee = catalogue_entity(centre_catalogue(c), SLICE("employee"));
    int64_t *accounts = NULL;
    size_t count = 0;
    bool found = false, dead = false;
    enum status status = ST_OK;
    *out_moved = 0;
    if (employee) TRY(centre_row_probe(c, employee, op->to, &found, &dead, err));
    if (!found) return ST_OK; /* who was to get them is not there any more */
    if (op->kind == DATED_ASSIGN)
        status = assign_all(c, &op->account, 1, op, out_moved, err);
    else
        status = centre_accounts_of(c, op->from, &mem, &accounts, &count, err);
    if (op->kind == DATED_HANDOVER && status == ST_OK)
        status = assign_all(c, accounts, count, op, out_moved, err);
    arena_clear(&mem);
    return status;
}

/* What both sides see of it: ordered, cancelled, done. */
enum { HANDOVER_CANCELLED = 2, HANDOVER_DONE = 3 };

static enum status tell_handover(struct centre *c, const struct centre_dated *op, int64_t state,
                                 struct arena *mem, struct err *err) {
    const struct entity *e = catalogue_entity(centre_catalogue(c), SLICE("handover"));
    const struct field *f = e ? entity_field(e, SLICE("state")) : NULL;
    bool found = false, dead = false;
    if (op->handover > 0 && f) TRY(centre_row_probe(c, e, op->handover, &found, &dead, err));
    if (!found || dead) return ST_OK;
    struct value value = value_int(state);
    struct edit edit = {.cell_tag = entity_cell_of(e, f)->tag, .values = &value, .value_count = 1};
    struct change change = {.kind = CHANGE_EDIT,
                            .entity_tag = e->tag,
                            .row = op->handover,
                            .edits = &edit,
                            .edit_count = 1};
    return office_write(c, &change, 1, slice_from(op->person), mem, err);
}

static enum status apply_orders(struct centre *c, int64_t now_ms, struct arena *mem,
                                struct err *err) {
    struct centre_dated *ops;
    size_t count;
    TRY(centre_dated_list(c, now_ms, false, mem, &ops, &count, err));
    for (size_t i = 0; i < count; i++) {
        int64_t moved = 0;
        TRY(scope_apply(c, &ops[i], &moved, err));
        TRY(tell_handover(c, &ops[i], HANDOVER_DONE, mem, err));
        TRY(centre_dated_done(c, ops[i].id, centre_next_seq(c) - 1, moved, err));
    }
    return ST_OK;
}

struct cancelling {
    int64_t id;
    struct arena mem;
};

static enum status cancel_order(struct org *org, void *ctx, struct err *err) {
    struct cancelling *it = ctx;
    struct centre_dated *ops;
    size_t count;
    TRY(centre_dated_list(org->c, INT64_MAX, false, &it->mem, &ops, &count, err));
    TRY(centre_dated_cancel(org->c, it->id, err));
    for (size_t i = 0; i < count; i++)
        if (ops[i].id == it->id)
            TRY(tell_handover(org->c, &ops[i], HANDOVER_CANCELLED, &it->mem, err));
    return ST_OK;
}

enum status org_dated_cancel(struct org *org, int64_t id, struct err *err) {
    struct cancelling it = {id, arena_new(ARENA_CAP_DEFAULT)};
    enum status status = write_scope(org, cancel_order, &it, err);
    arena_clear(&it.mem);
    return status;
}

/* Memberships that begin or are over between the last day that was looked at and this one. */
static enum status turn_to(struct centre *c, int64_t today, struct arena *mem, struct err *err) {
    struct centre_scope scope;
    struct centre_unsettled unsettled = {.home_count = 0};
    int64_t *accounts;
    centre_scope(c, &scope);
    if (!scope.granted || today == scope.day) return ST_OK;
    int64_t first = today < scope.day ? today : scope.day;
    int64_t last = today < scope.day ? scope.day : today;
    TRY(centre_teams_turning(c, first, last, mem, &accounts, &unsettled.home_count, err));
    unsettled.homes = ARENA_ARRAY(mem, unsettled.home_count + 1, struct unsettled_home);
    if (!unsettled.homes) return err_no_memory(err);
    for (size_t i = 0; i < unsettled.home_count; i++)
        unsettled.homes[i].home = home_make(HOME_CLASS_TEAM, accounts[i]);
    TRY(centre_grants_settle(c, &unsettled, err));
    scope.day = today;
    centre_due_forget(c);
    return centre_scope_put(c, &scope, err);
}

static enum status turn_day(struct centre *c, int64_t now_ms, struct arena *mem, struct err *err) {
    struct centre_scope scope;
    centre_scope(c, &scope);
    int64_t today = centre_day(&scope, now_ms);
    return today > scope.day ? turn_to(c, today, mem, err) : ST_OK;
}

enum status scope_due(struct centre *c, bool *out_done, struct err *err) {
    int64_t due_ms, now_ms = centre_now(c);
    TRY(centre_due_next(c, &due_ms, err));
    *out_done = due_ms > 0 && due_ms <= now_ms;
    if (!*out_done) return ST_OK;
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    enum status status = turn_day(c, now_ms, &mem, err);
    if (status == ST_OK) status = apply_orders(c, now_ms, &mem, err);
    arena_clear(&mem);
    return status;
}

enum status org_due(struct org *org, int64_t *out_next_ms, bool *out_done, struct err *err) {
    struct centre_head head;
    int64_t due_ms;
    bool done = false;
    TRY(centre_head(org->c, &head, err));
    TRY(centre_due_next(org->c, &due_ms, err));
    if (due_ms > 0 && due_ms <= centre_now(org->c)) {
        TRY(centre_begin(org->c, true, err));
        enum status status = scope_due(org->c, &done, err);
        if (status == ST_OK) status = centre_commit(org->c, err);
        if (status != ST_OK) centre_rollback(org->c);
        TRY(status);
        TRY(centre_due_next(org->c, &due_ms, err));
    }
    if (out_next_ms) *out_next_ms = due_ms;
    if (out_done) *out_done = done;
    return ST_OK;
}
