/* What head office knows of its laptops, and what a laptop was told of its edits, each against what
 * is so.
 */
#include "tests/sim/sim.h"

enum { FLUSH_EACH = 4, CONTACT_MS = 60000, OFFSET_MS = 2000 };

static bool is_near(int64_t a, int64_t b, int64_t by) {
    return a - b <= by && b - a <= by;
}

/* After a round that worked: it was here just now, its clock is that much off, and it has at least
 * what the server believes, for by that tombstones are collected. */
void sim_status_glance(struct sim *s, struct world_laptop *l) {
    size_t i = (size_t)(l - s->world.laptops);
    struct centre *c = org_centre(s->world.office);
    struct centre_device device;
    struct err err;
    uint32_t newest = 0;
    if (s->rolled || s->step % FLUSH_EACH != 1) return;
    service_flush(s->world.service); /* contacts are noted by the way */
    enum status status = centre_device(c, s->device[i], &device, &err);
    if (status == ST_OK) status = store_newest_batch(l->store, &newest, &err);
    if (status != ST_OK) {
        sim_fail_err(s, "status", &err);
        return;
    }
    if (device.cursor > s->cursor[i])
        sim_fail(s, "head office believes that a laptop has more than it has", device.cursor,
                 s->cursor[i]);
    if (!is_near(device.seen_ms, s->world.now_ms, CONTACT_MS))
        sim_fail(s, "head office does not know that a laptop was here", device.seen_ms,
                 s->world.now_ms);
    if (!is_near(device.offset_ms, l->offset_ms, OFFSET_MS))
        sim_fail(s, "head office shows another clock error", device.offset_ms, l->offset_ms);
    if (device.report.newest_batch > newest)
        sim_fail(s, "head office waits for saves that nobody made", device.report.newest_batch,
                 newest);
}

/* What a receipt calls lost is in the ledger, at the centre, for who looks later. */
void sim_status_receipts(struct sim *s, const struct sim_ledger *ledger) {
    for (size_t i = 0; i < s->deed_count && !s->rolled && !s->united_any; i++) {
        const struct deed *d = &s->deeds[i];
        bool shows = d->kind == KIND_LAST || d->kind == KIND_GROUP;
        if (shows && d->answered && !d->told_lost && !d->approved && mask_has(&ledger->late, i))
            sim_fail(s, "an edit lost as it came, and its receipt does not say so", (int64_t)i,
                     d->row);
        if (shows && d->told_lost && d->fate == FATE_ACCEPTED && !mask_has(&ledger->losers, i))
            sim_fail(s, "a receipt says lost, and the ledger does not have it", (int64_t)i, d->row);
    }
}
