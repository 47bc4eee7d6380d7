/* Compacting by night, in the time between laptops: each step takes the org's writing for some
 * milliseconds. A run that does not end in one go goes on with the next look.
 */
#include "syncd/server/compact.h"
#include "syncd/server/service_private.h"
#include "syncd/store/centre_copy.h"

enum { CARE_MS = 500 }; /* of one look at an org */

static int64_t boot_ms(const struct service *service) {
    return service->config.env->boot_ms(service->config.env->ctx);
}

static enum status step(struct service_org *org, bool *out_done, struct err *err) {
    bool due = org->compaction != NULL;
    *out_done = true;
    if (!due) TRY(org_compact_is_due(org->write, &due, err));
    if (!due) return ST_OK;
    if (!org->compaction) TRY(centre_copy_ready(org_centre(org->write), err));
    if (!org->compaction) TRY(org_compact_begin(org->write, false, &org->compaction, err));
    TRY(org_compact_step(org->write, org->compaction, out_done, err));
    if (*out_done) service_compact_stop(org);
    return ST_OK;
}

static void care(struct service *service, struct service_org *org) {
    struct err problem;
    int64_t begun = boot_ms(service);
    for (bool done = false; !done && boot_ms(service) - begun < CARE_MS;) {
        platform_lock(org->write_lock);
        if (step(org, &done, &problem) != ST_OK) { /* what fails is tried anew with the next look */
            service_compact_stop(org);
            done = true;
        }
        platform_release(org->write_lock);
        if (!done) centre_let_others(); /* who waits for the lock gets it */
    }
}

void service_compact_stop(struct service_org *org) {
    compaction_end(org->compaction);
    org->compaction = NULL;
}

void service_care(struct service *service) {
    int count = service->org_count;
    for (int i = 0; i < count; i++) care(service, service->orgs[i]);
}
