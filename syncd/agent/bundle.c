/* The laptop's side of bundles: the same request that a round would send, the same replies. */
#include "syncd/agent/bundle.h"

#include <string.h>

#include "protocol/session/bundle.h"

enum { BUNDLE_PAGE_BYTES = 128 * 1024 * 1024, BUNDLE_DEFLATE_LEVEL = 9 };

static enum status identity_get(struct store *store, struct store_identity *out, struct err *err) {
    TRY(store_identity(store, out, err));
    if (out->device != 0) return ST_OK;
    return err_set(err, ST_DENIED,
                   "this laptop is not enrolled: that needs the network once (roadbook enroll)",
                   "本机尚未登记：登记需联网一次（roadbook enroll）");
}

/* ------------------------------------------------------------------ up */

static enum status make_request(struct store *store, struct arena *mem, struct slice *out,
                                struct bundle_made *made, struct err *err) {
    struct round_request request;
    struct store_status status;
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    TRY(store_round_request(store, mem, &request, err));
    TRY(wire_write_round_request(&request, BUNDLE_DEFLATE_LEVEL, &message, err));
    TRY(store_status(store, &status, err));
    *out = arena_copy(mem, buf_slice(&message));
    if (!out->data) return err_no_memory(err);
    made->batches = request.batch_count;
    made->left = status.outbox_batches > (int64_t)request.batch_count;
    return ST_OK;
}

static enum status seal_request(const struct store_identity *identity, const struct env *env,
                                struct slice message, struct arena *mem, struct slice *out,
                                struct err *err) {
    struct bundle bundle = {.kind = BUNDLE_UP,
                            .device = identity->device,
                            .made_ms = env->wall_ms(env->ctx),
                            .messages = &message,
                            .message_count = 1};
    uint8_t ephemeral[BOX_SECRET_BYTES];
    memcpy(bundle.org, identity->org, sizeof bundle.org);
    env->random(env->ctx, ephemeral, sizeof ephemeral);
    struct sign_key key = sign_key_from_seed(identity->key_seed);
    enum status status =
        bundle_write(&bundle, &key, identity->org_public, ephemeral, mem, out, err);
    bytes_wipe(&key, sizeof key);
    bytes_wipe(ephemeral, sizeof ephemeral);
    return status;
}

enum status bundle_export(struct store *store, const struct env *env, struct arena *mem,
                          struct slice *out, struct bundle_made *out_made, struct err *err) {
    struct store_identity identity;
    struct slice message;
    TRY(identity_get(store, &identity, err));
    TRY(make_request(store, mem, &message, out_made, err));
    enum status status = seal_request(&identity, env, message, mem, out, err);
    bytes_wipe(&identity, sizeof identity);
    return status;
}

/* ------------------------------------------------------------------ down */

struct taking {
    struct store *store;
    const struct store_identity *identity;
    agent_progress_call *call;
    void *ctx;
    struct bundle_taken *out;
};

static enum status check_address(const struct bundle *bundle, const struct store_identity *identity,
                                 struct err *err) {
    if (bundle->kind != BUNDLE_DOWN)
        return err_set(err, ST_INVALID,
                       "this bundle goes to head office: what comes back from there is for here",
                       "此数据包应交给总部：总部返回的数据包才在此导入");
    if (strcmp(bundle->org, identity->org) == 0 && bundle->device == identity->device) return ST_OK;
    return err_set(err, ST_INVALID, "this bundle is for device %u of %s; this is device %u of %s",
                   "此数据包发给第 %u 号设备（机构 %s）；本机是第 %u 号设备（机构 %s）",
                   (unsigned)bundle->device, bundle->org, (unsigned)identity->device,
                   identity->org);
}

static void add_counts(struct apply_counts *sum, const struct apply_counts *c) {
    sum->applied += c->applied;
    sum->merged += c->merged;
    sum->lost += c->lost;
    sum->waiting += c->waiting;
    sum->refused += c->refused;
    sum->approved += c->approved;
    sum->declined += c->declined;
    sum->rows_changed += c->rows_changed;
    sum->rows_gone += c->rows_gone;
}

static enum status apply_page(struct taking *t, const struct round_request *asked,
                              const struct round_reply *reply, struct err *err) {
    struct apply *apply;
    struct apply_counts counts;
    struct agent_progress *progress = &t->out->result.progress;
    enum status status = ST_OK;
    bool done = false;
    TRY(store_apply_begin(t->store, asked, reply, &apply, err));
    while (status == ST_OK && !done) {
        status = store_apply_slice(apply, &done, err);
        progress->cursor = reply->cursor.seq;
        if (status == ST_OK && t->call && !t->call(t->ctx, progress) && !done)
            status = err_set(err, ST_CANCELLED, "stopped: import the same file again",
                             "已停止：请重新导入同一文件");
    }
    store_apply_counts(apply, &counts);
    add_counts(&t->out->result.counts, &counts);
    store_apply_end(apply);
    return status;
}

static bool same_scope(const struct scope_position *a, const struct scope_position *b) {
    bool fills = a->filling > a->ready;
    return a->told == b->told && a->ready == b->ready && a->filling == b->filling &&
           (!fills || (a->at.home == b->at.home && a->at.entity_tag == b->at.entity_tag &&
                       a->at.row == b->at.row));
}

/* A page is for a book that stands where it was asked from; one that was taken already, by this
 * file or over the network, is passed by. */
static enum status is_due(struct taking *t, const struct round_request *asked, bool *out,
                          struct err *err) {
    struct round_request now;
    TRY(store_round_position(t->store, &now, err));
    *out = now.epoch == asked->epoch && now.cursor.seq == asked->cursor.seq &&
           now.last_batch == asked->last_batch && now.since == asked->since &&
           same_scope(&now.scope, &asked->scope);
    return ST_OK;
}

static enum status take_page(struct taking *t, struct slice question, struct slice answer,
                             struct arena *mem, bool *out_taken, struct err *err) {
    struct round_request asked;
    struct round_reply reply;
    struct agent_progress *progress = &t->out->result.progress;
    TRY(wire_read_round_request(question, mem, &asked, err));
    TRY(wire_read_round_reply(answer, t->identity->device, mem, &reply, err));
    TRY(is_due(t, &asked, out_taken, err));
    if (!*out_taken && reply.kind != REPLY_CLONED) return ST_OK;
    progress->rounds++;
    progress->rows_received += (int64_t)(reply.record_count + reply.filled_count);
    progress->bytes_down += (int64_t)answer.len;
    progress->head = reply.head.seq;
    t->out->more = reply.more;
    return apply_page(t, &asked, &reply, err);
}

static enum status take_pages(struct taking *t, const struct bundle *bundle, struct err *err) {
    bool any = false;
    if (bundle->message_count % 2 != 0)
        return err_set(err, ST_MALFORMED, "the bundle holds a question without its answer",
                       "数据包内容不完整");
    for (size_t i = 0; i + 1 < bundle->message_count; i += 2) {
        struct arena mem = arena_new(BUNDLE_PAGE_BYTES);
        bool taken = false;
        enum status status =
            take_page(t, bundle->messages[i], bundle->messages[i + 1], &mem, &taken, err);
        arena_clear(&mem);
        if (status != ST_OK) return status;
        any |= taken;
    }
    t->out->stale = !any;
    return ST_OK;
}

/* Where it tells of another key of the org, that is kept before anything else is taken. */
static enum status open_answer(struct store *store, struct slice file,
                               const struct store_identity *identity, struct arena *mem,
                               struct bundle *out, struct bundle_taken *taken, struct err *err) {
    struct key_changes known;
    struct key_trust trust;
    TRY(store_org_keys(store, mem, &known, err));
    TRY(store_org_first(store, trust.first, err));
    memcpy(trust.now, identity->org_public, SIGN_PUBLIC_BYTES);
    trust.changes = known.total;
    struct sign_key key = sign_key_from_seed(identity->key_seed);
    enum status status = bundle_read_down(file, &key, &trust, mem, out, err);
    bytes_wipe(&key, sizeof key);
    TRY(status);
    taken->keys = trust.changes > known.total;
    return store_org_keys_add(store, &out->keys, err);
}

static enum status import_in(struct store *store, struct slice file, struct taking *t,
                             struct arena *mem, struct err *err) {
    struct store_identity identity;
    struct bundle bundle;
    TRY(identity_get(store, &identity, err));
    TRY(bundle_look(file, &bundle, err));
    TRY(check_address(&bundle, &identity, err));
    enum status status = open_answer(store, file, &identity, mem, &bundle, t->out, err);
    t->identity = &identity;
    if (status == ST_OK) status = take_pages(t, &bundle, err);
    bytes_wipe(&identity, sizeof identity);
    return status;
}

enum status bundle_import(struct store *store, struct slice file, agent_progress_call *call,
                          void *ctx, struct bundle_taken *out, struct err *err) {
    struct arena mem = arena_new(2 * (size_t)BUNDLE_BYTES_MAX);
    struct bundle_taken taken = {0};
    struct taking t = {.store = store, .call = call, .ctx = ctx, .out = &taken};
    enum status status = import_in(store, file, &t, &mem, err);
    arena_clear(&mem);
    *out = taken;
    return status;
}
