/* For how long the book may be used without a round.
 *
 * The laptop keeps the server's time as far as it knows: told with each round, moved on by the boot
 * clock, which no one sets. The wall clock has no say: set back it would prolong the lease, and one
 * that is wrong by years would lock out an honest person far from any network. So the time during
 * which the machine was off does not count.
 */
#include "syncd/store/laptop.h"

enum { DAY_MS = 24 * 3600 * 1000, LEASE_NOTE_MS = 3600 * 1000, LEASE_DAYS_MAX = 36500 };

int64_t lease_now(const struct laptop_state *state, uint64_t boot_id, int64_t boot_ms) {
    if (state->seen_ms == 0) return 0;
    bool same = state->boot_number > 0 && state->boot_id == boot_id;
    int64_t passed = boot_ms - (same ? state->note_boot_ms : 0);
    return state->seen_ms + (passed > 0 ? passed : 0);
}

/* What was carried here on a stick says what was so when it was written. */
void lease_renew(struct laptop_state *state, const struct round_reply *reply, bool fresh) {
    if (reply->order.kind != ORDER_NONE) {
        state->lease_ms = 1; /* long over */
        return;
    }
    if (fresh) {
        state->seen_ms = state->lease_ms = reply->time_ms;
        return;
    }
    if (reply->time_ms > state->seen_ms) state->seen_ms = reply->time_ms;
    if (reply->time_ms > state->lease_ms) state->lease_ms = reply->time_ms;
}

enum status store_lease(struct store *store, struct store_lease *out, struct err *err) {
    struct laptop *laptop;
    const struct env *env = store->env;
    TRY(laptop_get(store, &laptop, err));
    const struct laptop_state *s = &laptop->state;
    int64_t days = s->lease_days ? s->lease_days : STORE_LEASE_DAYS;
    struct store_lease lease = {.now_ms =
                                    lease_now(s, env->boot_id(env->ctx), env->boot_ms(env->ctx)),
                                .by_wall_ms = env->wall_ms(env->ctx) - s->expected_offset_ms};
    if (s->lease_ms > 0) lease.until_ms = s->lease_ms + days * DAY_MS;
    lease.locked = lease.until_ms > 0 && lease.now_ms > lease.until_ms;
    *out = lease;
    return ST_OK;
}

/* The reading is kept now and then, so that time counts also where nothing is ever saved. */
static enum status note_sometimes(struct store *store, struct err *err) {
    struct laptop *laptop;
    const struct env *env = store->env;
    TRY(laptop_get(store, &laptop, err));
    const struct laptop_state *s = &laptop->state;
    bool same = s->boot_number > 0 && s->boot_id == env->boot_id(env->ctx);
    int64_t passed = env->boot_ms(env->ctx) - s->note_boot_ms;
    if (s->seen_ms == 0 || (same && passed < LEASE_NOTE_MS) || db_in_transaction(store->db))
        return ST_OK;
    return store_clock_note(store, err);
}

enum status store_lease_check(struct store *store, struct err *err) {
    struct store_lease lease;
    TRY(note_sometimes(store, err));
    TRY(store_lease(store, &lease, err));
    if (!lease.locked) return ST_OK;
    return err_set(
        err, ST_DENIED,
        "this book is locked: it was offline for longer than head office allows. Connect "
        "to the network and run: roadbook sync. Nothing is lost: what was saved here "
        "is still here, and goes with that sync",
        "账本已锁定：离线时间超过总部允许的期限。请连接网络并运行 roadbook sync。"
        "已保存的内容仍在本机，不会丢失，届时将一并同步");
}

enum status store_begin_shown(struct store *store, int64_t shown_ms, struct err *err) {
    struct store_lease lease;
    TRY(store_lease(store, &lease, err));
    bool was_open = shown_ms > 0 && shown_ms <= lease.until_ms;
    if (lease.locked && !was_open) return store_lease_check(store, err);
    return save_begin(store, err);
}

enum status store_lease_set(struct store *store, uint32_t days, struct err *err) {
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    if (days > LEASE_DAYS_MAX) days = LEASE_DAYS_MAX;
    if (laptop->state.lease_days == days) return ST_OK;
    TRY(db_begin(store->db, true, err));
    enum status status = laptop_get(store, &laptop, err);
    struct laptop_state state = laptop->state;
    state.lease_days = days;
    if (status == ST_OK) status = state_write(store, &state, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}
