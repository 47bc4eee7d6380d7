/* The second step: what writes. Jobs of one org share transactions, so that one wait for the disk
 * serves many.
 *
 * A transaction takes jobs until it holds SERVICE_GROUP_CHANGES_MAX changes or has run
 * SERVICE_GROUP_MS_MAX. A job that fails alone is refused alone. When a whole transaction fails,
 * its jobs are tried one by one, so that the one that was too much for it does not take the others
 * with it.
 */
#include "syncd/server/scope.h"
#include "syncd/server/service_private.h"

static int64_t boot_ms(const struct service *service) {
    return service->config.env->boot_ms(service->config.env->ctx);
}

static void job_fail(struct service_job *job, enum status status, const struct err *problem) {
    job->failed = status;
    job->problem = *problem;
    job->push = (struct org_push){0};
}

/* A link that does not do is one thing to the laptop, whatever the reason: the text says it. */
static enum status link_status(enum status status) {
    return status == ST_NOT_FOUND || status == ST_GONE || status == ST_CONFLICT ? ST_DENIED
                                                                                : status;
}

static void enroll_merge(struct service_job *job) {
    struct err problem = {.status = ST_OK};
    enum status status =
        centre_link_take(org_centre(job->org->write), &job->as.enroll, &job->enrolled, &problem);
    problem.status = link_status(status);
    if (status != ST_OK)
        job_fail(job, problem.status, &problem);
    else
        job->device = job->enrolled.number;
}

/* After these nothing of the transaction can be trusted to be there. */
static bool is_fatal(enum status status) {
    return status == ST_DISK || status == ST_DAMAGED || status == ST_NO_MEMORY ||
           status == ST_BUSY || status == ST_INTERNAL;
}

static void count_push(struct service *service, const struct org_push *push) {
    service_count(service, FIGURE_BATCHES, (int64_t)push->batches);
    service_count(service, FIGURE_REPEATS, (int64_t)push->repeats);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        (void)atomic_fetch_add_explicit(&service->outcomes[i], (int64_t)push->outcomes[i],
                                        memory_order_relaxed);
}

static void group_counted(struct service *service, struct service_job **jobs, size_t count) {
    service_count(service, FIGURE_COMMITS, 1);
    for (size_t i = 0; i < count; i++)
        if (jobs[i]->failed == ST_OK) count_push(service, &jobs[i]->push);
}

static enum status job_merge(struct service_job *job, struct err *err) {
    job->failed = ST_OK;
    job->push = (struct org_push){0};
    enum status status =
        org_merge_batches(job->org->write, job->device, &job->as.round, &job->push, err);
    if (status != ST_OK) job_fail(job, status, err);
    return status;
}

/* The caller holds the org's write lock. */
static void note_due(struct service_org *org) {
    int64_t due_ms;
    if (centre_due_next(org_centre(org->write), &due_ms, NULL) == ST_OK)
        atomic_store_explicit(&org->due_ms, due_ms, memory_order_relaxed);
}

/* One transaction of the first jobs; *out_taken of them have their result, or none when it failed.
 */
static enum status group_merge(struct service *service, struct service_job **jobs, size_t count,
                               size_t *out_taken, struct err *err) {
    struct org *org = jobs[0]->org->write;
    int64_t begun = boot_ms(service);
    size_t taken = 0, changes = 0;
    TRY(org_merge_begin(org, err));
    while (taken < count) {
        enum status status = job_merge(jobs[taken], err);
        if (is_fatal(status)) {
            org_merge_abort(org);
            return status;
        }
        changes += jobs[taken++]->changes;
        if (changes >= SERVICE_GROUP_CHANGES_MAX ||
            boot_ms(service) - begun >= SERVICE_GROUP_MS_MAX)
            break;
    }
    TRY(org_merge_commit(org, err));
    note_due(jobs[0]->org);
    group_counted(service, jobs, taken);
    service_count(service, FIGURE_MERGE_MS, boot_ms(service) - begun);
    *out_taken = taken;
    return ST_OK;
}

static void rounds_merge(struct service *service, struct service_job **jobs, size_t count) {
    for (size_t at = 0, taken; at < count; at += taken) {
        struct err problem;
        enum status status = group_merge(service, jobs + at, count - at, &taken, &problem);
        if (status == ST_OK) continue;
        /* The whole transaction failed: the first job alone, then the rest. */
        if (count - at > 1) status = group_merge(service, jobs + at, 1, &taken, &problem);
        if (status != ST_OK) job_fail(jobs[at], status, &problem);
        taken = 1;
    }
}

void service_merge(struct service *service, struct service_job **jobs, size_t count) {
    if (count == 0) return;
    struct service_org *org = jobs[0]->org;
    platform_lock(org->write_lock);
    for (size_t at = 0; at < count;) {
        size_t end = at;
        while (end < count && jobs[end]->kind == SERVICE_ROUND) end++;
        if (end > at) rounds_merge(service, jobs + at, end - at);
        at = end;
        if (at < count) enroll_merge(jobs[at++]);
    }
    if (boot_ms(service) - org->flushed_ms >= SERVICE_FLUSH_MS) {
        service_devices_flush(&org->devices, org_centre(org->write));
        org->flushed_ms = boot_ms(service);
    }
    platform_release(org->write_lock);
}

bool service_due(struct service *service, int org_index) {
    struct service_org *org = service->orgs[org_index];
    bool done = false;
    platform_lock(org->write_lock);
    (void)org_due(org->write, NULL, &done, NULL); /* what fails is tried again with the next look */
    note_due(org);
    platform_release(org->write_lock);
    return done;
}
