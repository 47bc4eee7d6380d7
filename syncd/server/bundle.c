/* Head office's side of bundles. The laptop's request is merged as a round's; then the rounds that
 * would follow are played here, each asking from where the reply before left off, so that one stick
 * brings the laptop up to date.
 */
#include "syncd/server/bundle.h"

#include <string.h>

#include "protocol/session/bundle.h"
#include "syncd/store/org_keys.h"

enum {
    ANSWER_BYTES_MAX = BUNDLE_BYTES_MAX / 2, /* pages beyond that wait for the next bundle */
    ANSWER_PAGES_MAX = BUNDLE_MESSAGES_MAX / 2,
    ANSWER_DEFLATE_LEVEL = 9
};

struct answering {
    struct org *org;
    struct org_reader *reader;
    struct sign_key key;
    int64_t key_changes;
    struct key_changes keys; /* to be told */
    struct centre_device device;
    struct arena *mem;
    struct slice *messages;
    size_t count, bytes;
    struct bundle_done *done;
};

/* ------------------------------------------------------------------ what came */

static enum status check_address(const struct bundle *bundle, const char *name, struct err *err) {
    if (bundle->kind != BUNDLE_UP)
        return err_set(err, ST_INVALID,
                       "this bundle goes to a laptop (device %u of %s): import it there",
                       "此数据包应交给笔记本（第 %u 号设备，机构 %s）：请在那里导入",
                       (unsigned)bundle->device, bundle->org);
    if (strcmp(bundle->org, name) == 0) return ST_OK;
    return err_set(err, ST_INVALID, "this bundle is of org %s; this is %s (--org %s)",
                   "此数据包属于机构 %s；当前机构是 %s（--org %s）", bundle->org, name,
                   bundle->org);
}

static enum status merge_request(struct answering *a, const struct round_request *request,
                                 struct err *err) {
    TRY(org_check_push(&a->device, request, a->mem, err));
    TRY(org_merge_begin(a->org, err));
    enum status status = org_merge_batches(a->org, a->device.number, request, &a->done->push, err);
    if (status == ST_OK) status = org_merge_commit(a->org, err);
    if (status != ST_OK) org_merge_abort(a->org);
    return status;
}

/* A stick that was overtaken: what it holds is in the journal, and more. A copy of the book would
 * hold other batches under these numbers. */
static enum status is_older(struct answering *a, const struct round_request *request, bool *out,
                            struct err *err) {
    uint32_t last = request->last_batch + (uint32_t)request->batch_count;
    struct chain chain = request->last_chain, known = {{0}};
    *out = last < a->device.last_batch;
    if (!*out) return ST_OK;
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    for (size_t i = 0; i < request->batch_count; i++) {
        buf_reset(&bytes);
        batch_write(&request->batches[i], &bytes);
        TRY(buf_status(&bytes, err));
        chain = chain_next(&chain, buf_slice(&bytes));
    }
    if (last > 0)
        TRY(centre_journal_chain(org_centre(a->org), a->device.number, last, &known, err));
    *out = memcmp(known.bytes, chain.bytes, CHAIN_BYTES) == 0;
    return ST_OK;
}

/* ------------------------------------------------------------------ the answer */

static enum status keep(struct answering *a, const struct buf *message, struct err *err) {
    struct slice copy;
    TRY(buf_status(message, err));
    copy = arena_copy(a->mem, buf_slice(message));
    if (!copy.data) return err_no_memory(err);
    a->messages[a->count++] = copy;
    a->bytes += copy.len;
    return ST_OK;
}

/* The question without its batches: the laptop has them. */
static enum status keep_pair(struct answering *a, const struct round_request *asked,
                             const struct round_reply *reply, struct err *err) {
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    struct round_request question = *asked;
    question.batches = NULL;
    question.batch_count = 0;
    question.envelope = (struct envelope){0};
    TRY(wire_write_round_request(&question, ANSWER_DEFLATE_LEVEL, &message, err));
    TRY(keep(a, &message, err));
    buf_reset(&message);
    TRY(wire_write_round_reply(reply, a->device.number, &a->key, ANSWER_DEFLATE_LEVEL, &message,
                               err));
    return keep(a, &message, err);
}

/* What the laptop will ask once it has taken this reply. */
static void ask_on(struct round_request *request, const struct round_reply *reply,
                   const struct chain *chain) {
    *request = (struct round_request){.epoch = reply->epoch,
                                      .cursor = reply->cursor,
                                      .top = reply->head,
                                      .since = reply->since,
                                      .news_version = reply->news_version,
                                      .last_batch = reply->last_batch,
                                      .last_chain = *chain,
                                      .scope = reply->has_scope ? reply->scope : request->scope,
                                      .page_bytes = WIRE_PAGE_BYTES};
}

static enum status answer_page(struct answering *a, struct round_request *request, bool *out_more,
                               struct err *err) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct round_reply reply;
    enum status status = org_round(a->reader, a->device.number, request, &mem, &reply, err);
    if (status == ST_OK) org_vouch(&a->key, a->device.number, request, &reply);
    if (status == ST_OK) status = keep_pair(a, request, &reply, err);
    if (status == ST_OK) {
        *out_more = reply.kind == REPLY_ROUND && reply.more;
        a->done->records += reply.record_count + reply.filled_count;
        a->done->pages++;
        ask_on(request, &reply, &a->device.chain);
    }
    arena_clear(&mem);
    return status;
}

static enum status answer_all(struct answering *a, struct round_request *request, struct err *err) {
    bool more = true;
    TRY(centre_device(org_reader_centre(a->reader), a->device.number, &a->device, err));
    while (more && a->bytes < ANSWER_BYTES_MAX && a->done->pages < ANSWER_PAGES_MAX)
        TRY(answer_page(a, request, &more, err));
    a->done->more = more;
    return ST_OK;
}

static enum status seal_answer(struct answering *a, const char *name, int64_t now_ms,
                               const struct env *env, struct slice *out, struct err *err) {
    struct bundle bundle = {.kind = BUNDLE_DOWN,
                            .device = a->device.number,
                            .made_ms = now_ms,
                            .messages = a->messages,
                            .message_count = a->count,
                            .keys = a->keys};
    uint8_t ephemeral[BOX_SECRET_BYTES];
    struct centre_head head;
    TRY(centre_head(org_centre(a->org), &head, err));
    if (head.key_changes != a->key_changes)
        return err_set(err, ST_BUSY, "the org's key has just changed: import it again",
                       "组织密钥刚刚更换：请重新导入");
    (void)memcpy(bundle.org, name, strlen(name) + 1); /* the name was compared with a bundle's */
    env->random(env->ctx, ephemeral, sizeof ephemeral);
    enum status status =
        bundle_write(&bundle, &a->key, a->device.public_key, ephemeral, a->mem, out, err);
    bytes_wipe(ephemeral, sizeof ephemeral);
    return status;
}

static enum status revoked(struct err *err) {
    return err_set(err, ST_DENIED,
                   "this laptop is revoked: its unsent work is taken with its next contact over "
                   "the network",
                   "该笔记本已停用：其未发送的修改将在下次联网时收下");
}

/* Sealed to a key that is gone: nobody can read it any more, and the laptop has it all still. The
 * answer tells it the newest key, and it makes another bundle. */
static enum status tell_keys(struct answering *a, const char *name, const struct bundle *bundle,
                             struct slice *out, struct err *err) {
    struct centre *c = org_centre(a->org);
    const struct env *env = centre_env(c);
    if (a->device.revoked) return revoked(err);
    TRY(centre_keys_news(c, 0, a->mem, &a->keys, err));
    a->done->device = bundle->device;
    a->done->made_ms = bundle->made_ms;
    a->done->keys_only = true;
    return seal_answer(a, name, env->wall_ms(env->ctx), env, out, err);
}

static enum status take_in(struct answering *a, const char *name, struct slice file,
                           struct slice *out, struct err *err) {
    struct bundle bundle;
    struct round_request request;
    struct centre *c = org_centre(a->org);
    const struct env *env = centre_env(c);
    bool writes;
    TRY(bundle_look(file, &bundle, err));
    TRY(check_address(&bundle, name, err));
    TRY(centre_device(c, bundle.device, &a->device, err));
    if (a->key_changes > 0 && !bundle_is_sealed_to(file, &a->key, a->mem))
        return tell_keys(a, name, &bundle, out, err);
    TRY(bundle_read(file, &a->key, a->device.public_key, a->mem, &bundle, err));
    if (a->device.revoked) return revoked(err);
    if (bundle.message_count != 1)
        return err_set(err, ST_MALFORMED, "a bundle up holds one request",
                       "上行数据包应含一个请求");
    TRY(wire_read_round_request(bundle.messages[0], a->mem, &request, err));
    bundle_arrive(&request.envelope, centre_now(c));
    a->done->device = bundle.device;
    a->done->made_ms = bundle.made_ms;
    TRY(is_older(a, &request, &a->done->older, err));
    if (a->done->older) return ST_OK;
    TRY(org_must_write(a->reader, &a->device, &request, &writes, err));
    if (writes) TRY(merge_request(a, &request, err));
    TRY(answer_all(a, &request, err));
    return seal_answer(a, name, env->wall_ms(env->ctx), env, out, err);
}

enum status org_bundle(struct org *org, struct org_reader *reader, const char *name,
                       struct slice file, struct arena *mem, struct slice *out_answer,
                       struct bundle_done *out, struct err *err) {
    struct bundle_done done = {0};
    struct answering a = {.org = org, .reader = reader, .mem = mem, .done = &done};
    a.messages = ARENA_ARRAY(mem, BUNDLE_MESSAGES_MAX, struct slice);
    if (!a.messages) return err_no_memory(err);
    struct centre_head head;
    TRY(centre_head(org_centre(org), &head, err));
    a.key_changes = head.key_changes;
    TRY(org_key(org, &a.key, err));
    enum status status = take_in(&a, name, file, out_answer, err);
    bytes_wipe(&a.key, sizeof a.key);
    *out = done;
    return status;
}
