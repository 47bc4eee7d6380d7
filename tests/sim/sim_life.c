/* The life of a fleet in a run: laptops that head office revokes, sticks that carry rounds where no
 * network is, tombstones that are collected.
 */
#include "tests/sim/sim.h"

#include "syncd/agent/bundle.h"
#include "syncd/server/bundle.h"
#include "syncd/server/compact.h"

static size_t index_of(const struct sim *s, const struct world_laptop *l) {
    return (size_t)(l - s->world.laptops);
}

/* ------------------------------------------------------------------ laptops that are revoked */

bool sim_is_out(const struct sim *s, const struct world_laptop *l) {
    return s->out[index_of(s, l)];
}

static size_t trusted(const struct sim *s) {
    size_t n = 0;
    for (size_t i = 0; i < LAPTOPS; i++) n += !s->revoked[i];
    return n;
}

/* Not the last one. With or without the order to delete the book. */
void sim_life_revoke(struct sim *s, struct world_laptop *l) {
    size_t i = index_of(s, l);
    bool wipe = sim_draw(s, 2);
    struct err err;
    if (s->revoked[i] || trusted(s) < 2) return;
    SAY(s, "  office revokes %s%s\n", l->name, wipe ? ", its book is to go" : "");
    if (centre_device_revoke(org_centre(s->world.office), s->device[i], wipe, &err) != ST_OK) {
        sim_fail_err(s, "revoke", &err);
        return;
    }
    struct centre_device device;
    if (centre_device(org_centre(s->world.office), s->device[i], &device, &err) != ST_OK)
        sim_fail_err(s, "revoke", &err);
    s->had[i] = device.last_batch;
    s->revoked[i] = true;
    s->wipes[i] = wipe;
    sim_count(s, SIM_REVOKE);
}

/* Its contact told it; what it had not sent is in quarantine, and it does nothing any more. */
bool sim_life_told(struct sim *s, struct world_laptop *l, enum status status) {
    size_t i = index_of(s, l);
    struct device_order order;
    if (status != ST_REVOKED) return false;
    if (!s->revoked[i]) sim_fail(s, "a laptop that is not revoked was told so", (int64_t)i, 0);
    enum order_kind kind = agent_order(l->agent, &order);
    if (s->wipes[i] != (kind == ORDER_WIPE))
        sim_fail(s, "a revoked laptop has another order", (int64_t)i, kind);
    SAY(s, "   %s is revoked\n", l->name);
    world_laptop_off(l);
    s->out[i] = true;
    sim_count(s, SIM_LAPTOP_OUT);
    return true;
}

enum status sim_life_sync(struct sim *s, struct world_laptop *l, struct err *err) {
    struct agent_result result;
    if (sim_is_out(s, l)) return ST_OK;
    enum status status = world_sync(l, &result, err);
    bool waits = s->rolled && s->revoked[index_of(s, l)] && status == ST_BUSY;
    return waits || sim_life_told(s, l, status) ? ST_OK : status;
}

static enum status tell(struct sim *s, struct world_laptop *l, struct err *err) {
    enum { ROUNDS_MAX = 20 };
    struct agent_result result;
    for (int i = 0; i < ROUNDS_MAX; i++)
        if (sim_life_told(s, l, world_sync(l, &result, err))) return ST_OK;
    return err_set(err, ST_INTERNAL, "%s never hears that it is revoked", "%s 始终未得知已被停用",
                   l->name);
}

enum status sim_life_settle(struct sim *s, struct err *err) {
    for (size_t i = 0; i < LAPTOPS; i++)
        if (s->revoked[i] && !s->out[i]) TRY(tell(s, &s->world.laptops[i], err));
    return world_settle(&s->world, err);
}

/* Nothing of the book goes to a laptop that is revoked. */
void sim_life_reply(struct sim *s, struct world_laptop *l, struct slice message) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct round_reply reply;
    struct err err;
    size_t i = index_of(s, l);
    if (!s->revoked[i]) return;
    if (wire_read_round_reply(message, s->device[i], &mem, &reply, &err) != ST_OK) return;
    if (reply.record_count || reply.filled_count || reply.ledger_count || reply.people_count)
        sim_fail(s, "a revoked laptop was sent something of the book", (int64_t)i,
                 (int64_t)reply.record_count);
}

/* ------------------------------------------------------------------ sticks */

static enum status at_office(struct sim *s, struct slice file, struct slice *out,
                             struct bundle_done *done, struct err *err) {
    struct org_reader *reader;
    TRY(world_office_reader(&s->world, &reader, err));
    return org_bundle(s->world.office, reader, "demo", file, &s->mem, out, done, err);
}

static struct stick *free_stick(struct sim *s) {
    struct stick *stick = &s->sticks[sim_draw(s, STICKS)];
    *stick = (struct stick){0};
    return stick;
}

static struct stick *write_stick(struct sim *s, struct world_laptop *l) {
    struct bundle_made made;
    struct slice file;
    struct err err;
    if (s->revoked[index_of(s, l)]) return NULL;
    enum status status = bundle_export(l->sync_store, &l->env, &s->mem, &file, &made, &err);
    if (status != ST_OK) {
        if (status != ST_DENIED) sim_fail_err(s, "a stick is not written", &err);
        return NULL;
    }
    SAY(s, "  %s writes a stick, %zu batches\n", l->name, made.batches);
    struct stick *stick = free_stick(s);
    *stick = (struct stick){file, index_of(s, l), true};
    sim_count(s, SIM_STICK_WRITTEN);
    return stick;
}

static void give_to_office(struct sim *s, const struct stick *from) {
    struct stick up = *from;
    struct slice answer = {0};
    struct bundle_done done;
    struct err err;
    enum status status = at_office(s, up.file, &answer, &done, &err);
    SAY(s, "  head office gets a stick of %s: %s\n", s->world.laptops[up.laptop].name,
        status != ST_OK ? sim_why(&err)
        : done.older    ? "an older one"
                        : "taken");
    if (status != ST_OK && !s->revoked[up.laptop]) sim_fail_err(s, "head office, a stick", &err);
    if (status != ST_OK || done.older || !answer.len) return;
    sim_count(s, SIM_STICK_TAKEN);
    s->stick_since |= s->rolled;
    *free_stick(s) = (struct stick){answer, up.laptop, false};
}

static void bring_home(struct sim *s, const struct stick *down) {
    struct world_laptop *l = &s->world.laptops[down->laptop];
    struct bundle_taken taken;
    struct err err;
    if (s->out[down->laptop] || s->revoked[down->laptop]) return;
    enum status status = bundle_import(l->sync_store, down->file, NULL, NULL, &taken, &err);
    SAY(s, "  %s gets its stick back: %s\n", l->name,
        status != ST_OK ? sim_why(&err)
        : taken.stale   ? "too late"
                        : "taken");
    if (status != ST_OK) sim_fail_err(s, "a stick does not come in", &err);
    if (status == ST_OK && !taken.stale) sim_count(s, SIM_STICK_HOME);
}

/* Any stick, at any time: in whatever order, again, or never. */
void sim_life_stick(struct sim *s, struct world_laptop *l) {
    struct stick *stick = &s->sticks[sim_draw(s, STICKS)];
    for (size_t i = 0; i < STICKS && (!stick->file.len || stick->up) && sim_chance(s, 70); i++)
        if (s->sticks[i].file.len) stick = &s->sticks[i];
    if (!stick->file.len || sim_chance(s, 20)) {
        (void)write_stick(s, l);
        return;
    }
    if (stick->up)
        give_to_office(s, stick);
    else
        bring_home(s, stick);
}

void sim_life_carry(struct sim *s, struct world_laptop *l, int64_t ms) {
    struct stick *stick = write_stick(s, l);
    sim_pass(s, ms);
    if (stick) give_to_office(s, stick);
}

/* ------------------------------------------------------------------ tombstones */

void sim_life_compact(struct sim *s) {
    struct compaction *run = NULL;
    struct err err;
    bool done = false;
    service_flush(s->world.service); /* who was there, and what he has */
    enum status status = org_compact_begin(s->world.office, false, &run, &err);
    while (status == ST_OK && !done) status = org_compact_step(s->world.office, run, &done, &err);
    if (status != ST_OK) {
        sim_fail_err(s, "compact", &err);
        return;
    }
    int64_t rows = compaction_result(run)->rows;
    compaction_end(run);
    SAY(s, "  the server compacts: %lld rows are collected\n", (long long)rows);
    sim_count(s, SIM_COMPACT);
    s->counts[SIM_COLLECTED] += rows;
}
