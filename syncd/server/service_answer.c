/* The third step: receipts, page, proof. On any thread, from a read handle of its own. */
#include <string.h>

#include "syncd/server/service_private.h"
#include "syncd/store/centre_scope.h"
#include "syncd/store/org_keys.h"

static int64_t now_ms(const struct service *service) {
    return service->config.env->wall_ms(service->config.env->ctx);
}

/* ------------------------------------------------------------------ debugging: the reply as JSON
 */

static enum status as_json(const struct service_job *job, struct slice message, struct arena *mem,
                           struct slice *out, struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    TRY(wire_write_json(message, job->service->config.catalogue, &text, err));
    TRY(buf_status(&text, err));
    struct slice json = arena_copy(mem, buf_slice(&text));
    if (!json.data) return err_no_memory(err);
    *out = json;
    return ST_OK;
}

static void put_type(const struct service_job *job, struct session_http *out) {
    if (!job->json || out->body.len == 0 || out->field_count == SESSION_FIELDS_MAX) return;
    out->fields[out->field_count++] = (struct session_field){"Content-Type", WIRE_MEDIA_TYPE_JSON};
}

/* ------------------------------------------------------------------ the org's key */

static void key_forget(struct sign_key *key) {
    bytes_wipe(key, sizeof *key);
}

static enum status key_of(struct service_job *job, struct sign_key *out, int64_t *out_changes,
                          struct err *err) {
    struct org_reader *handle;
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    return service_org_key(job->org, handle, out, out_changes, err);
}

/* What leads to the key that signs, and nothing that came after it. */
static enum status keys_told(struct org_reader *handle, int64_t changes, uint32_t known,
                             struct arena *mem, struct key_changes *out, struct err *err) {
    *out = (struct key_changes){0};
    if (changes == 0) return ST_OK;
    TRY(centre_keys_news(org_reader_centre(handle), known, mem, out, err));
    while (out->total > changes) {
        out->total--;
        if (out->count > 0) out->count--;
    }
    return ST_OK;
}

/* A session that was agreed under another key of the org ends: the laptop has to hear of it by a
 * greeting before it is told anything that the new one signs. An idle round has nothing signed but
 * a voucher, of the time before: it asks the book nothing more. */
static enum status session_key_of(struct service_job *job, struct sign_key *out, struct err *err) {
    int64_t changes;
    if (job->idle && service_org_key_kept(job->org, job->key_changes, out)) return ST_OK;
    TRY(key_of(job, out, &changes, err));
    if (changes == job->key_changes) return ST_OK;
    return err_set(err, ST_UNAUTHENTIC, "the org's key has changed; agree on a new session",
                   "组织密钥已更换，请重新协商会话");
}

/* ------------------------------------------------------------------ each kind */

/* As the copy has them, or otherwise. */
static void kept_of(const struct copied_book *copy, const struct centre_device *device,
                    struct kept_batches *out) {
    uint32_t last = device->formerly_batch;
    size_t at = last >= copy->last_batch ? last - copy->last_batch : copy->chain_count;
    bool same = at < copy->chain_count &&
                memcmp(copy->chains[at].bytes, device->chain.bytes, CHAIN_BYTES) == 0;
    *out = (struct kept_batches){
        .last = last, .otherwise = copy->save_count > 0 && !same, .chain = device->chain};
}

static enum status enroll_answer(struct service_job *job, struct arena *mem,
                                 struct session_http *out, struct err *err) {
    SCOPED(key_forget) struct sign_key key = {{0}};
    struct org_reader *handle;
    struct centre_head head;
    struct key_changes keys;
    int64_t changes;
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    TRY(key_of(job, &key, &changes, err));
    TRY(org_head(handle, &head, err));
    TRY(keys_told(handle, changes, 0, mem, &keys, err));
    const struct centre_device *device = &job->enrolled;
    struct enroll_reply reply = {.device = device->number,
                                 .employee = device->employee,
                                 .user = slice_from(device->user_name),
                                 .org_label = slice_from(job->org->label),
                                 .epoch = head.epoch,
                                 .time_ms = now_ms(job->service),
                                 .has_kept = job->as.enroll.copy != NULL,
                                 .keys = keys};
    if (reply.has_kept) kept_of(job->as.enroll.copy, device, &reply.kept);
    service_count(job->service, FIGURE_ENROLLS, 1);
    return session_server_enroll_answer(&job->request, &reply, &key, mem, out, err);
}

/* What head office asks of all laptops. */
static enum status terms_read(struct service_job *job, struct buf *out_minimum,
                              uint32_t *out_lease_days, struct err *err) {
    struct org_reader *handle;
    struct centre_head head;
    struct centre_scope scope;
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    TRY(org_head(handle, &head, err));
    centre_scope(org_reader_centre(handle), &scope);
    if (head.minimum_release > 0)
        wire_release_write(head.minimum_release, out_minimum);
    else
        buf_put_text(out_minimum, SERVICE_MINIMUM_RELEASE);
    *out_lease_days = scope.lease_days > 0 ? (uint32_t)scope.lease_days : 1;
    return buf_status(out_minimum, err);
}

/* What must be durable before the answer: that the book was deleted, and another release, by which
 * it is decided at once what the laptop gets. */
static enum status note_greeting(struct service_job *job, struct err *err) {
    const struct hello_request *hello = &job->as.hello;
    struct slice release = text_prefix(hello->release, CENTRE_RELEASE_BYTES - 1);
    bool updated = !slice_equal(release, slice_from(job->known.release));
    if (!hello->has_wiped && !updated) return ST_OK;
    struct centre *centre = org_centre(job->org->write);
    enum status status = ST_OK;
    platform_lock(job->org->write_lock);
    if (updated) status = centre_device_release(centre, job->device, release, err);
    if (status == ST_OK && hello->has_wiped)
        status = centre_device_wiped(centre, job->device, hello->wiped_order_ms, err);
    platform_release(job->org->write_lock);
    return status;
}

static enum status hello_answer(struct service_job *job, struct arena *mem,
                                struct session_http *out, struct err *err) {
    SCOPED(key_forget) struct sign_key org_key = {{0}};
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    uint8_t key[MAC_BYTES];
    uint32_t lease_days;
    struct org_reader *handle;
    struct key_changes keys;
    int64_t changes;
    SCOPED(buf_free) struct buf minimum = buf_new(BUF_MAX_LINE);
    TRY(note_greeting(job, err));
    TRY(terms_read(job, &minimum, &lease_days, err));
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    TRY(key_of(job, &org_key, &changes, err));
    TRY(keys_told(handle, changes, job->as.hello.key_changes, mem, &keys, err));
    service_nonce_next(job, nonce);
    int64_t now = now_ms(job->service);
    struct hello_reply reply = {.time_ms = now,
                                .key_ms = SESSION_KEY_MS,
                                .nonce = slice_from(nonce),
                                .release = slice_from(ROADBOOK_VERSION),
                                .minimum_release = buf_slice(&minimum),
                                .lease_days = lease_days,
                                .keys = keys};
    TRY(session_server_hello_answer(&job->request, &job->as.hello, &reply, &org_key,
                                    job->service->config.env, mem, key, out, err));
    enum status status = service_devices_key_set(&job->org->devices, &job->as.hello, key, changes,
                                                 now + SESSION_KEY_MS, err);
    bytes_wipe(key, sizeof key);
    service_count(job->service, FIGURE_HELLOS, 1);
    return status;
}

/* A wait has no proof of its position: what this log does not reach counts for nothing. */
static void note_waited(struct service_job *job) {
    const struct wait_request *wait = &job->as.wait;
    struct org_reader *handle;
    struct centre_head head;
    if (wait->seq <= job->known.cursor) return;
    if (service_org_reader(job->service, job->org, job->reader, &handle, NULL) != ST_OK) return;
    if (org_head(handle, &head, NULL) != ST_OK) return;
    if (wait->epoch == head.epoch && wait->seq <= head.position.seq)
        service_devices_waited(&job->org->devices, &job->known, now_ms(job->service), wait->seq);
}

static enum status wait_answer(struct service_job *job, struct arena *mem, struct session_http *out,
                               struct err *err) {
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    note_waited(job);
    service_nonce_next(job, nonce);
    service_count(job->service, FIGURE_WAITS, 1);
    return session_server_answer(&job->request, job->key, 204, (struct slice){0}, nonce, mem, out,
                                 err);
}

/* Of a copy nothing was merged: what the journal holds under its numbers are another's batches. */
static enum status round_reply_of(struct service_job *job, struct arena *mem,
                                  struct round_reply *out, struct err *err) {
    struct org_reader *handle;
    if (job->push.kind == REPLY_CLONED) {
        *out = (struct round_reply){.kind = REPLY_CLONED,
                                    .last_batch = job->push.last_batch,
                                    .time_ms = now_ms(job->service)};
        return ST_OK;
    }
    if (job->quiet &&
        org_round_quiet(&job->idle_head, &job->known, &job->as.round, now_ms(job->service), out))
        return ST_OK;
    if (job->idle &&
        org_round_idle(&job->idle_head, &job->known, &job->as.round, now_ms(job->service), out))
        return ST_OK;
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    return org_round(handle, job->device, &job->as.round, mem, out, err);
}

static enum status round_message(struct service_job *job, struct arena *mem, struct slice *out,
                                 bool *out_in_epoch, struct err *err) {
    SCOPED(key_forget) struct sign_key key = {{0}};
    struct round_reply reply;
    TRY(round_reply_of(job, mem, &reply, err));
    TRY(session_key_of(job, &key, err));
    if (reply.wants_facts) reply.facts_taken = job->push.facts;
    org_vouch(&key, job->device, &job->as.round, &reply);
    if (reply.kind == REPLY_ROUND && job->known.revoked)
        org_order(&job->known, slice_from(job->org->name), &key, &reply.order);
    if (job->retry_ms > reply.retry_ms) reply.retry_ms = job->retry_ms;
    SCOPED(buf_free) struct buf encoded = buf_new(WIRE_REPLY_BYTES_MAX);
    TRY(wire_write_round_reply(&reply, job->device, &key, SERVICE_DEFLATE_LEVEL, &encoded, err));
    TRY(buf_status(&encoded, err));
    struct slice message = arena_copy(mem, buf_slice(&encoded));
    if (!message.data) return err_no_memory(err);
    job->records = reply.record_count;
    job->head = reply.head.seq;
    *out_in_epoch = reply.kind == REPLY_ROUND;
    *out = message;
    return ST_OK;
}

static enum status round_answer(struct service_job *job, struct arena *mem,
                                struct session_http *out, struct err *err) {
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    struct slice message;
    bool in_epoch;
    TRY(round_message(job, mem, &message, &in_epoch, err));
    if (job->json) TRY(as_json(job, message, mem, &message, err));
    service_nonce_next(job, nonce);
    TRY(session_server_answer(&job->request, job->key, 200, message, nonce, mem, out, err));
    put_type(job, out);
    service_count(job->service, FIGURE_ROUNDS, 1);
    service_count(job->service, FIGURE_RECORDS, (int64_t)job->records);
    if (job->idle) service_count(job->service, FIGURE_IDLE_ROUNDS, 1);
    service_devices_seen(&job->org->devices, &job->known, now_ms(job->service), &job->as.round,
                         in_epoch);
    return ST_OK;
}

static enum status content_answer(struct service_job *job, struct arena *mem,
                                  struct session_http *out, struct err *err) {
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    struct content_reply reply;
    SCOPED(buf_free) struct buf encoded = buf_new(WIRE_REPLY_BYTES_MAX);
    TRY(service_content_answer(job, mem, &reply, err));
    TRY(wire_write_content_reply(&reply, &encoded, err));
    struct slice message = arena_copy(mem, buf_slice(&encoded));
    if (!message.data) return err_no_memory(err);
    service_nonce_next(job, nonce);
    service_count(job->service, FIGURE_PIECES, 1);
    return session_server_answer(&job->request, job->key, 200, message, nonce, mem, out, err);
}

static enum status repair_answer(struct service_job *job, struct arena *mem,
                                 struct session_http *out, struct err *err) {
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    struct repair_reply reply;
    struct org_reader *handle;
    SCOPED(buf_free) struct buf encoded = buf_new(WIRE_REPLY_BYTES_MAX);
    TRY(service_org_reader(job->service, job->org, job->reader, &handle, err));
    TRY(org_repair(handle, &job->known, &job->as.repair, mem, &reply, err));
    TRY(wire_write_repair_reply(&reply, SERVICE_DEFLATE_LEVEL, &encoded, err));
    struct slice message = arena_copy(mem, buf_slice(&encoded));
    if (!message.data) return err_no_memory(err);
    service_nonce_next(job, nonce);
    service_count(job->service, FIGURE_REPAIRED, (int64_t)(reply.record_count + reply.drop_count));
    return session_server_answer(&job->request, job->key, 200, message, nonce, mem, out, err);
}

static enum status job_answer(struct service_job *job, struct arena *mem, struct session_http *out,
                              struct err *err) {
    if (job->failed != ST_OK) {
        *err = job->problem;
        return job->failed;
    }
    switch (job->kind) {
    case SERVICE_ENROLL: return enroll_answer(job, mem, out, err);
    case SERVICE_HELLO: return hello_answer(job, mem, out, err);
    case SERVICE_WAIT: return wait_answer(job, mem, out, err);
    case SERVICE_ROUND: return round_answer(job, mem, out, err);
    case SERVICE_CONTENT: return content_answer(job, mem, out, err);
    case SERVICE_REPAIR: return repair_answer(job, mem, out, err);
    }
    return ST_OK;
}

void service_answer(struct service *service, size_t reader, struct service_job *job,
                    struct arena *mem, struct session_http *out_reply) {
    struct err problem;
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    job->reader = reader;
    if (job_answer(job, mem, out_reply, &problem) != ST_OK) {
        bool proved = (job->kind == SERVICE_ROUND || job->kind == SERVICE_WAIT ||
                       job->kind == SERVICE_CONTENT || job->kind == SERVICE_REPAIR) &&
                      problem.status != ST_UNAUTHENTIC; /* the session is over */
        if (proved) service_nonce_next(job, nonce);
        service_problem(service, &problem, proved ? nonce : NULL, mem, out_reply);
    }
    bytes_wipe(job->key, sizeof job->key);
    service_count(service, FIGURE_BYTES_OUT, (int64_t)out_reply->body.len);
}
