/* The first step of a request: what it is, whether it is proved, what it says. On any thread. */
#include <string.h>
#include <strings.h>

#include "syncd/server/reply.h"
#include "syncd/server/scope.h"
#include "syncd/server/service_private.h"

struct kind_row {
    const char *what;
    enum service_kind kind;
};
static const struct kind_row KINDS[] = {{"enroll", SERVICE_ENROLL},   {"hello", SERVICE_HELLO},
                                        {"round", SERVICE_ROUND},     {"wait", SERVICE_WAIT},
                                        {"content", SERVICE_CONTENT}, {"repair", SERVICE_REPAIR}};

static int64_t now_ms(const struct service *service) {
    return service->config.env->wall_ms(service->config.env->ctx);
}

void service_nonce_next(struct service_job *job, char out[SESSION_NONCE_BYTES_MAX + 1]) {
    platform_lock(job->service->nonces_lock);
    session_nonce_give(job->service->nonces, (uint32_t)job->org_index, job->device, out);
    platform_release(job->service->nonces_lock);
}

static enum status nonce_take(struct service_job *job, const char *nonce, struct err *err) {
    platform_lock(job->service->nonces_lock);
    enum status status =
        session_nonce_take(job->service->nonces, (uint32_t)job->org_index, job->device, nonce, err);
    platform_release(job->service->nonces_lock);
    return status;
}

void service_problem(struct service *service, const struct err *problem, const char *nonce,
                     struct arena *mem, struct session_http *out) {
    service_count_error(service, problem->status);
    if (session_server_problem(problem, nonce, mem, out, NULL) == ST_OK) return;
    *out = (struct session_http){.code = 503}; /* no memory even for the text */
}

/* ------------------------------------------------------------------ what it is */

static enum status kind_find(const char *what, enum service_kind *out, struct err *err) {
    for (size_t i = 0; i < ARRAY_COUNT(KINDS); i++) {
        if (strcmp(KINDS[i].what, what) != 0) continue;
        *out = KINDS[i].kind;
        return ST_OK;
    }
    return err_set(err, ST_NOT_FOUND, "there is nothing at this address", "该地址没有内容");
}

static bool wants_json(const struct session_http *request) {
    const char *accept = session_http_field(request, "Accept");
    return accept && strcasecmp(accept, WIRE_MEDIA_TYPE_JSON) == 0;
}

static enum status address_read(struct service_job *job, struct err *err) {
    char name[SESSION_ORG_BYTES_MAX + 1];
    const char *what;
    if (!session_path(job->request.path, name, &what))
        return err_set(err, ST_NOT_FOUND, "there is no Roadbook at this address",
                       "该地址没有 Roadbook 服务");
    TRY(kind_find(what, &job->kind, err));
    TRY(service_org_find(job->service, name, &job->org, &job->org_index, err));
    job->json = wants_json(&job->request);
    return ST_OK;
}

/* ------------------------------------------------------------------ who it is */

static enum status unknown_device(struct err *err) {
    return err_set(err, ST_UNAUTHENTIC,
                   "this laptop is not known here: ask head office for a new link and enrol again",
                   "服务器不认识本机：请向总部索取新链接并重新登记");
}

static enum status device_find(struct service_job *job, struct err *err) {
    struct org_reader *handle;
    job->device = session_request_device(&job->request);
    if (job->device == 0) return unknown_device(err);
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    enum status status = org_device(handle, job->device, &job->known, err);
    return status == ST_NOT_FOUND ? unknown_device(err) : status;
}

/* Only after the proof: nobody else learns about a device. What a revoked laptop has not sent is
 * taken, and its orders are told with the receipts. */
static enum status device_may(const struct service_job *job, struct err *err) {
    bool brings = job->kind == SERVICE_HELLO || job->kind == SERVICE_ROUND;
    if (job->known.revoked && !brings)
        return err_set(err, ST_DENIED, "head office has revoked this laptop", "总部已停用本机");
    if (!job->known.revoked && !job->known.user_active)
        return err_set(err, ST_DENIED, "the user %s is not active any more: ask head office",
                       "用户 %s 已停用：请联系总部", job->known.user_name);
    return ST_OK;
}

/* ------------------------------------------------------------------ what it says */

/* Only after the proof: nobody else uses up what a laptop may do. */
static enum status device_enter(struct service_job *job, uint32_t tokens, struct err *err) {
    int64_t wait_ms =
        service_devices_enter(&job->org->devices, &job->service->config, job->device, tokens);
    job->entered = wait_ms == 0;
    if (job->entered) return ST_OK;
    job->retry_ms = (uint32_t)wait_ms;
    return err_set(err, ST_LIMITED,
                   "this laptop asks too often; nothing is lost, it comes again by itself",
                   "本机请求过于频繁；数据不会丢失，稍后会自动重试");
}

static enum status hello_open(struct service_job *job, struct arena *mem, struct err *err) {
    TRY(device_find(job, err));
    TRY(session_server_hello(&job->request, job->known.public_key, mem, &job->as.hello, err));
    TRY(device_may(job, err));
    return device_enter(job, SERVICE_HELLO_TOKENS, err);
}

static enum status round_read(struct service_job *job, struct arena *mem, struct err *err) {
    struct round_request *round = &job->as.round;
    TRY(wire_read_round_request(job->request.body, mem, round, err));
    for (size_t i = 0; i < round->batch_count; i++) job->changes += round->batches[i].change_count;
    for (size_t i = 0; round->given && i < round->given->batch_count; i++)
        job->changes += round->given->batches[i].change_count;
    if (round->facts) job->changes += round->facts->change_count;
    enum status status = org_check_push(&job->known, round, mem, err);
    /* 401 would have the laptop agree on a new key and send the same again. */
    if (status == ST_UNAUTHENTIC)
        return err_set(
            err, ST_DENIED,
            "the batches are not signed by this laptop's key: nothing was taken; run "
            "roadbook verify and tell head office",
            "这些批次不是用本机密钥签名的：未接收任何内容；请运行 roadbook verify 并告知总部");
    return status;
}

/* Whether the device has everything and brings nothing. */
static void idle_find(struct service_job *job) {
    const struct round_request *round = &job->as.round;
    struct org_reader *handle;
    struct centre_head head;
    if (round->batch_count > 0 || round->facts || job->known.revoked) return;
    if (service_org_reader(job->service, job->org, job->reader, &handle, NULL) != ST_OK) return;
    centre_head_kept(org_reader_centre(handle), &head); /* read with the device a moment ago */
    job->idle = head.position.seq == round->cursor.seq &&
                head.news_version == round->news_version && reply_scope_is_settled(&head, round);
    job->idle_head = head;
}

/* The head moved on, but nothing of it concerns this laptop. */
static void quiet_find(struct service_job *job) {
    const struct round_request *round = &job->as.round;
    struct org_reader *handle;
    struct round_reply reply;
    if (job->idle || job->writes || round->cursor.seq == 0) return;
    if (!org_round_quiet(&job->idle_head, &job->known, round, 0, &reply)) return;
    if (service_org_reader(job->service, job->org, job->reader, &handle, NULL) != ST_OK) return;
    job->quiet = !service_concerns(job->org, handle, &job->known, round->cursor.seq);
    job->idle = job->quiet;
}

static bool is_at(const struct position *at, const struct position *head) {
    return at->seq == head->seq && memcmp(at->chain.bytes, head->chain.bytes, CHAIN_BYTES) == 0;
}

/* Batches; and a laptop that knows more of the log than this server does. */
static enum status writes_find(struct service_job *job, struct err *err) {
    const struct round_request *round = &job->as.round;
    const struct centre_head *head = &job->idle_head;
    struct org_reader *handle;
    bool quiet = job->idle && !round->given && round->epoch == head->epoch &&
                 round->last_batch == job->known.last_batch &&
                 is_at(&round->cursor, &head->position) && is_at(&round->top, &head->position);
    int64_t due_ms = atomic_load_explicit(&job->org->due_ms, memory_order_relaxed);
    job->writes = due_ms > 0 && due_ms <= now_ms(job->service); /* what is dated comes first */
    if (job->writes) job->idle = false;
    if (quiet || job->writes) return ST_OK;
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    TRY(org_must_write(handle, &job->known, round, &job->writes, err));
    if (job->writes) job->idle = false;
    return ST_OK;
}

static enum status proof_check(struct service_job *job, struct arena *mem, struct err *err) {
    const char *nonce;
    struct org_reader *handle;
    struct centre_head head;
    TRY(device_find(job, err));
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    centre_head_kept(org_reader_centre(handle), &head); /* read with the device a moment ago */
    job->key_changes = head.key_changes;
    if (!service_devices_key(&job->org->devices, &job->known, job->key_changes,
                             now_ms(job->service), job->key))
        return err_set(err, ST_UNAUTHENTIC,
                       "the session's key is not good any more; agree on a new one",
                       "会话密钥已失效，请重新协商");
    TRY(session_server_round(&job->request, job->key, mem, &nonce, err));
    return nonce_take(job, nonce, err);
}

/* *out_proved: the peer is who it says, so that a refusal may name its next nonce. */
static enum status proved_open(struct service_job *job, struct arena *mem, bool *out_proved,
                               struct err *err) {
    enum status status = proof_check(job, mem, err);
    *out_proved = status == ST_OK || status == ST_TRY_AGAIN;
    TRY(status);
    TRY(device_may(job, err));
    TRY(device_enter(job, 1, err));
    if (job->kind == SERVICE_WAIT)
        return wire_read_wait_request(job->request.body, mem, &job->as.wait, err);
    if (job->kind == SERVICE_CONTENT)
        return wire_read_content_request(job->request.body, mem, &job->as.content, err);
    if (job->kind == SERVICE_REPAIR)
        return wire_read_repair_request(job->request.body, mem, &job->as.repair, err);
    TRY(round_read(job, mem, err));
    idle_find(job);
    TRY(writes_find(job, err));
    quiet_find(job);
    return ST_OK;
}

static enum status job_open(struct service_job *job, struct arena *mem, bool *out_proved,
                            struct err *err) {
    TRY(address_read(job, err));
    if (job->request.body.len > WIRE_REQUEST_BYTES_MAX)
        return err_set(err, ST_TOO_LARGE, "the message is larger than %d MiB", "消息超过 %d MiB",
                       WIRE_REQUEST_BYTES_MAX / (1024 * 1024));
    switch (job->kind) {
    case SERVICE_ENROLL: return session_server_enroll(&job->request, mem, &job->as.enroll, err);
    case SERVICE_HELLO: return hello_open(job, mem, err);
    case SERVICE_ROUND:
    case SERVICE_WAIT:
    case SERVICE_CONTENT:
    case SERVICE_REPAIR: return proved_open(job, mem, out_proved, err);
    }
    return ST_OK;
}

static void put_retry(const struct service_job *job, struct arena *mem, struct session_http *out) {
    const char *seconds = arena_printf(mem, "%u", (job->retry_ms + 999) / 1000);
    if (!seconds || out->field_count == SESSION_FIELDS_MAX) return;
    out->fields[out->field_count++] = (struct session_field){"Retry-After", seconds};
}

void service_open_job(struct service *service, size_t reader, const struct session_http *request,
                      struct arena *mem, struct service_job **out_job,
                      struct session_http *out_reply) {
    struct err problem;
    bool proved = false;
    *out_job = NULL;
    service_count(service, FIGURE_BYTES_IN, (int64_t)request->body.len);
    struct service_job *job = ARENA_NEW(mem, struct service_job);
    if (!job) {
        (void)err_no_memory(&problem);
        service_problem(service, &problem, NULL, mem, out_reply);
        return;
    }
    job->service = service;
    job->reader = reader;
    job->request = *request;
    if (job_open(job, mem, &proved, &problem) == ST_OK) {
        *out_job = job;
        return;
    }
    service_close_job(job);
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    if (proved) service_nonce_next(job, nonce);
    service_problem(service, &problem, proved ? nonce : NULL, mem, out_reply);
    if (problem.status == ST_LIMITED) put_retry(job, mem, out_reply);
}

void service_close_job(struct service_job *job) {
    if (!job || !job->entered) return;
    job->entered = false;
    service_devices_leave(&job->org->devices, job->device);
}

/* ------------------------------------------------------------------ what is known of a job */

enum service_kind service_job_kind(const struct service_job *job) {
    return job->kind;
}

bool service_job_writes(const struct service_job *job) {
    return job->kind == SERVICE_ENROLL || (job->kind == SERVICE_ROUND && job->writes);
}

size_t service_job_changes(const struct service_job *job) {
    return job->changes;
}

uint32_t service_job_device(const struct service_job *job) {
    return job->kind == SERVICE_ENROLL ? 0 : job->device;
}

int service_job_org(const struct service_job *job) {
    return job->org_index;
}

int64_t service_job_seq(const struct service_job *job) {
    return job->kind == SERVICE_WAIT ? job->as.wait.seq : 0;
}

bool service_job_is_idle(const struct service_job *job) {
    return job->idle;
}

void service_job_slow(struct service_job *job, uint32_t retry_ms) {
    job->retry_ms = retry_ms;
}

bool service_wait_is_over(struct service *service, size_t reader, const struct service_job *job) {
    struct org_reader *handle;
    struct centre_head head;
    if (service_org_reader(service, job->org, reader, &handle, NULL) != ST_OK) return true;
    if (org_head(handle, &head, NULL) != ST_OK) return true;
    if (head.epoch != job->as.wait.epoch) return true;
    return head.position.seq > job->as.wait.seq &&
           service_concerns(job->org, handle, &job->known, job->as.wait.seq);
}

bool service_wait_concerns(const struct service_job *job) {
    platform_lock(job->org->routes_lock);
    bool concerns = routes_concern(job->org->routes, &job->known, job->as.wait.seq);
    platform_release(job->org->routes_lock);
    return concerns;
}

void service_job_note(const struct service_job *job, struct service_note *out) {
    *out = (struct service_note){.org = job->org ? job->org->name : "",
                                 .what = KINDS[job->kind].what,
                                 .device = job->device,
                                 .batches = job->push.batches,
                                 .repeats = job->push.repeats,
                                 .changes = job->push.changes,
                                 .records = job->records,
                                 .head = job->head};
    memcpy(out->outcomes, job->push.outcomes, sizeof out->outcomes);
}
