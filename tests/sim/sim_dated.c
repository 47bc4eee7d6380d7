/* What comes at its date, in half of the runs with grants: memberships that begin and end, accounts
 * and all accounts of a person that go to another. What is due is worked out here from the orders
 * as head office gave them, and from the rows as they were before.
 */
#include "tests/sim/sim.h"

#include "syncd/server/scope.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000, ZONES = 3 };

static const int zones[ZONES] = {0, 480, -600}; /* minutes east of Greenwich */

int64_t sim_day_now(const struct sim *s) {
    return (s->world.now_ms + (int64_t)s->zone_min * 60000) / DAY_MS;
}

void sim_dated_begin(struct sim *s, uint64_t draw) {
    struct err err;
    s->zone_min = zones[draw % ZONES];
    if (org_zone_set(s->world.office, s->zone_min, &err) != ST_OK) sim_fail_err(s, "zone", &err);
    s->day = sim_day_now(s);
}

int64_t sim_dated_pause(struct sim *s) {
    return (int64_t)sim_draw(s, 10) * HOUR_MS;
}

/* ------------------------------------------------------------------ what head office orders */

static void order(struct sim *s, struct centre_dated op) {
    struct err err;
    if (s->order_count == ORDERS_MAX) return;
    enum status status = org_dated_add(s->world.office, &op, &op.id, &err);
    SAY(s, "  office orders %s %lld from %lld to %lld in %lld h: %s\n",
        op.kind == DATED_ASSIGN ? "account" : "handover", (long long)op.account, (long long)op.from,
        (long long)op.to, (long long)(op.due_ms - s->world.now_ms) / HOUR_MS, status_name(status));
    if (status == ST_OK)
        s->orders[s->order_count++] = op;
    else if (status != ST_INVALID) /* he has it already */
        sim_fail_err(s, "an order", &err);
}

void sim_dated_order(struct sim *s, int64_t account, int64_t from, int64_t to) {
    int64_t due_ms = s->world.now_ms + (1 + (int64_t)sim_draw(s, 60)) * HOUR_MS;
    if (s->order_count && sim_chance(s, 40)) { /* just before another one, on the same account */
        const struct centre_dated *other = &s->orders[s->order_count - 1];
        due_ms = other->due_ms - (int64_t)sim_draw(s, 2) * HOUR_MS;
        struct row row;
        struct err err;
        const struct entity *e = catalogue_entity(&s->world.catalogue, SLICE("account"));
        bool there = other->account &&
                     store_get(world_office_store(&s->world), e, other->account, &s->mem, &row,
                               &err) == ST_OK &&
                     !row.gone;
        if (account && there) account = row.id;
    }
    if (account)
        order(s, (struct centre_dated){
                     .kind = DATED_ASSIGN, .account = account, .to = to, .due_ms = due_ms});
    else if (from && from != to) /* else there is no account */
        order(s, (struct centre_dated){
                     .kind = DATED_HANDOVER, .from = from, .to = to, .due_ms = due_ms});
}

void sim_dated_cancel(struct sim *s) {
    struct err err;
    if (!s->order_count) return;
    size_t at = (size_t)sim_draw(s, s->order_count);
    SAY(s, "  office takes order %lld back\n", (long long)s->orders[at].id);
    if (org_dated_cancel(s->world.office, s->orders[at].id, &err) != ST_OK)
        sim_fail_err(s, "an order is not taken back", &err);
    s->orders[at] = s->orders[--s->order_count];
}

/* ------------------------------------------------------------------ what is due */

struct account {
    int64_t id, owner;
};
struct accounts {
    struct account *items;
    size_t count;
};
enum { ACCOUNTS_MAX = 2048 };

static enum status note_account(void *ctx, const struct row *row, struct err *err) {
    struct accounts *all = ctx;
    const struct field *owner = entity_field(row->entity, SLICE("owner"));
    struct value v = row->values[entity_field_index(row->entity, owner)];
    (void)err;
    if (all->count < ACCOUNTS_MAX)
        all->items[all->count++] = (struct account){row->id, v.kind == VALUE_INT ? v.number : 0};
    return ST_OK;
}

static void read_accounts(struct sim *s, struct accounts *out) {
    struct query query = {.entity = catalogue_entity(&s->world.catalogue, SLICE("account"))};
    struct err err;
    out->count = 0;
    if (store_list(world_office_store(&s->world), &query, note_account, out, &err) != ST_OK)
        sim_fail_err(s, "list", &err);
}

static void apply(struct sim *s, const struct centre_dated *op, struct accounts *all) {
    int64_t account = op->account ? sim_final(s, op->account) : 0;
    for (size_t i = 0; i < all->count; i++) {
        struct account *a = &all->items[i];
        if (op->kind == DATED_ASSIGN ? a->id == account : a->owner == op->from) a->owner = op->to;
    }
}

/* The next that is due, and was not applied by a commit of before: of those the server says it. */
static bool take_due(struct sim *s, struct centre_dated *out) {
    size_t first = s->order_count;
    for (size_t i = 0; i < s->order_count; i++) {
        const struct centre_dated *a = &s->orders[i];
        if (a->due_ms > s->world.now_ms) continue;
        if (first == s->order_count || a->due_ms < s->orders[first].due_ms ||
            (a->due_ms == s->orders[first].due_ms && a->id < s->orders[first].id))
            first = i;
    }
    if (first == s->order_count) return false;
    *out = s->orders[first];
    s->orders[first] = s->orders[--s->order_count];
    return true;
}

static bool waits(struct sim *s, const struct centre_dated *op) {
    struct centre_dated *list;
    struct err err;
    size_t count;
    if (org_dated_list(s->world.office, false, &s->mem, &list, &count, &err) != ST_OK)
        sim_fail_err(s, "orders", &err);
    for (size_t i = 0; i < count && !s->failure[0]; i++)
        if (list[i].id == op->id) return true;
    return false;
}

static void compare(struct sim *s, const struct accounts *must, const struct accounts *is) {
    if (must->count != is->count)
        sim_fail(s, "an order made or removed accounts", (int64_t)must->count, (int64_t)is->count);
    for (size_t i = 0; i < is->count && !s->failure[0]; i++)
        if (must->items[i].owner != is->items[i].owner)
            sim_fail(s, "an account is not whose it is from today on", is->items[i].id,
                     must->items[i].owner);
}

void sim_dated_due(struct sim *s) {
    static struct account before[ACCOUNTS_MAX], after[ACCOUNTS_MAX];
    struct accounts must = {before, 0}, is = {after, 0};
    struct centre_dated op;
    struct err err;
    if (!s->dated || s->failure[0]) return;
    s->catalogue = &s->world.catalogue;
    read_accounts(s, &must);
    while (take_due(s, &op)) {
        if (!waits(s, &op)) continue;
        sim_count(s, SIM_ORDER_DUE);
        apply(s, &op, &must);
    }
    if (org_due(s->world.office, NULL, NULL, &err) != ST_OK) sim_fail_err(s, "what is due", &err);
    if (sim_day_now(s) != s->day) sim_count(s, SIM_DAY_TURNED);
    s->day = sim_day_now(s);
    read_accounts(s, &is);
    if (!s->rolled) compare(s, &must, &is); /* else orders of before may be given again */
}

bool sim_dated_moved(const struct sim *s) {
    for (size_t i = 0; i < s->order_count; i++)
        if (s->orders[i].due_ms <= s->world.now_ms) return true;
    return sim_day_now(s) != s->day;
}
