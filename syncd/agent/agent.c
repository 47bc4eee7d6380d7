/* Rounds: hello when the key is old, push, pull, apply, until there is nothing more either way.
 *
 * One arena per round, cleared before the next. The order inside a round is what keeps it safe: the
 * store marks batches as sent, durably, before the first byte leaves, and moves its cursor only
 * with the last slice; so a crash or a lost reply anywhere means that the same question is asked
 * again.
 */
#include "syncd/agent/agent.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/agent/report.h"
#include "syncd/platform/platform.h"

enum {
    AGENT_ROUND_BYTES_MAX = 128 * 1024 * 1024, /* memory of one round */
    AGENT_PROOF_TRIES_MAX = 3,                 /* hellos or nonces refused in a row */
    AGENT_ROUNDS_MAX = 1000000,                /* a server that never ends is a fault */
    AGENT_DEFLATE_LEVEL = 9,
    AGENT_TIME_BACK_MS = 10 * 60 * 1000 /* a server's clock may be set right by some minutes */
};

struct agent {
    struct agent_config config;
    struct session session;
    bool enrolled;     /* session has the identity */
    uint32_t retry_ms; /* the slot that a busy server named instead of an answer; 0: none */
    unsigned trace_number;
    int64_t minimum_release;   /* that the server asks for; 0: any */
    struct device_order order; /* of head office to this laptop */
    bool gives_back; /* what the server forgot: the last round brought of it, and more may follow */
    bool time_is_back; /* the server's clock stands before what it told earlier */
};

enum status agent_open(const struct agent_config *config, struct agent **out, struct err *err) {
    struct agent *agent = calloc(1, sizeof(*agent));
    if (!agent) return err_no_memory(err);
    agent->config = *config;
    *out = agent;
    return ST_OK;
}

void agent_close(struct agent *agent) {
    if (!agent) return;
    bytes_wipe(&agent->session, sizeof(agent->session));
    free(agent);
}

/* ------------------------------------------------------------------ identity */

void agent_identity(const struct store_identity *from, struct session_identity *out) {
    memset(out, 0, sizeof(*out));
    snprintf(out->org, sizeof(out->org), "%s", from->org);
    out->device = from->device;
    out->key = sign_key_from_seed(from->key_seed);
    memcpy(out->org_public, from->org_public, SIGN_PUBLIC_BYTES);
}

/* Of the org's keys that the book has heard of. */
static enum status take_trust(struct store *store, struct session_identity *mine, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(1024 * 1024);
    struct key_changes keys;
    TRY(store_org_keys(store, &mem, &keys, err));
    mine->key_changes = keys.total;
    return store_org_first(store, mine->org_first, err);
}

static enum status load_identity(struct agent *agent, struct err *err) {
    if (agent->enrolled) return ST_OK;
    struct store_identity identity;
    TRY(store_identity(agent->config.store, &identity, err));
    if (!identity.device)
        return err_set(err, ST_DENIED,
                       "this laptop is not enrolled: ask the administrator for a link, then run: "
                       "roadbook enroll LINK",
                       "本机尚未登记：请向管理员索取登记链接，然后运行 roadbook enroll 链接");
    struct session_identity mine;
    agent_identity(&identity, &mine);
    TRY(take_trust(agent->config.store, &mine, err));
    session_start(&agent->session, &mine);
    agent->enrolled = true;
    return ST_OK;
}

/* ------------------------------------------------------------------ trace */

/* One file a message, as it stood on the line: head, blank line, body. */
static void trace(struct agent *agent, const char *what, const struct session_http *m,
                  struct arena *mem) {
    if (!agent->config.trace_dir) return;
    struct buf text = buf_new(BUF_MAX_MESSAGE);
    session_http_write(m, &text);
    char *path =
        arena_printf(mem, "%s/%06u-%s.http", agent->config.trace_dir, ++agent->trace_number, what);
    struct err ignored;
    if (path) (void)platform_write_file_private(path, buf_slice(&text), &ignored);
    buf_free(&text);
}

enum { RETRY_AFTER_S_MAX = 3600 };

/* A busy server says in plain HTTP when to come again. Nobody vouches for it, so it is held within
 * an hour. */
static uint32_t retry_after_ms(const struct session_http *answer) {
    const char *text = session_http_field(answer, "Retry-After");
    int64_t seconds;
    if (!text || !text_to_int(slice_from(text), &seconds) || seconds < 0) return 0;
    return (uint32_t)(seconds < RETRY_AFTER_S_MAX ? seconds : RETRY_AFTER_S_MAX) * 1000;
}

static enum status exchange(struct agent *agent, const char *what,
                            const struct session_http *request, struct arena *mem,
                            struct session_http *out, struct err *err) {
    if (strcmp(what, "enroll")) trace(agent, what, request, mem); /* that one holds the code */
    const struct transport_door *door = agent->config.transport;
    TRY(door->exchange(door->ctx, request, mem, out, err));
    trace(agent, "reply", out, mem);
    agent->retry_ms = retry_after_ms(out);
    return ST_OK;
}

/* The newest key is on the disk before anything that it signed is used. Where that fails the
 * session goes with it: the next one begins with what the book knows. */
static enum status keep_keys(struct agent *agent, const struct key_changes *keys, struct err *err) {
    enum status status = store_org_keys_add(agent->config.store, keys, err);
    if (status == ST_OK) return ST_OK;
    bytes_wipe(&agent->session, sizeof(agent->session));
    agent->enrolled = false;
    return status;
}

/* ------------------------------------------------------------------ enrolment */

static void take_link(const struct session_link *link, struct store_identity *identity) {
    snprintf(identity->org, sizeof(identity->org), "%s", link->org);
    snprintf(identity->base_url, sizeof(identity->base_url), "%s", link->base_url);
    memcpy(identity->org_public, link->org_public, SIGN_PUBLIC_BYTES);
    identity->has_tls_pin = link->has_tls_pin;
    memcpy(identity->tls_pin, link->tls_pin, sizeof(identity->tls_pin));
}

/* The key is in the store before the code is spent: a lost reply is asked for again with the same
 * key. */
static enum status prepare_identity(struct agent *agent, const struct session_link *link,
                                    struct store_identity *identity, struct err *err) {
    TRY(store_identity(agent->config.store, identity, err));
    if (identity->device)
        return err_set(err, ST_CONFLICT, "this book is enrolled already (device %u of %s)",
                       "此账本已登记（第 %u 号设备，组织 %s）", identity->device, identity->org);
    static const uint8_t nothing[SIGN_SEED_BYTES];
    if (bytes_equal_secret(identity->key_seed, nothing, sizeof(nothing)))
        agent->config.env->random(agent->config.env->ctx, identity->key_seed, SIGN_SEED_BYTES);
    take_link(link, identity);
    return store_identity_set(agent->config.store, identity, err);
}

static void keep_text(char *out, size_t bytes, struct slice text) {
    struct slice cut = text_prefix(text, bytes - 1);
    memcpy(out, cut.data, cut.len);
    out[cut.len] = 0;
}

/* copy NULL: a new book. */
static enum status enroll_exchange(struct agent *agent, const struct session_link *link,
                                   struct slice device_name, struct copied_book *copy,
                                   struct arena *mem, struct store_identity *identity,
                                   struct enroll_reply *out, struct err *err) {
    struct session_identity mine;
    struct session_http request, answer;
    agent_identity(identity, &mine);
    TRY(session_enroll_again_request(&mine, link, device_name, slice_from(ROADBOOK_VERSION), copy,
                                     mem, &request, err));
    TRY(exchange(agent, "enroll", &request, mem, &answer, err));
    TRY(session_enroll_reply(&mine, &answer, mem, out, err));
    memcpy(identity->org_public, mine.org_public, SIGN_PUBLIC_BYTES);
    bytes_wipe(&mine, sizeof(mine));
    identity->device = out->device;
    identity->employee = out->employee;
    keep_text(identity->user, sizeof(identity->user), out->user);
    keep_text(identity->org_label, sizeof(identity->org_label), out->org_label);
    return ST_OK;
}

static enum status enroll_in(struct agent *agent, const struct session_link *link,
                             struct slice device_name, struct arena *mem, struct err *err) {
    struct store_identity identity;
    struct enroll_reply reply;
    TRY(prepare_identity(agent, link, &identity, err));
    TRY(enroll_exchange(agent, link, device_name, NULL, mem, &identity, &reply, err));
    /* The keys first: the answer can be asked for again until the book has a number. */
    TRY(store_org_keys_add(agent->config.store, &reply.keys, err));
    return store_identity_set(agent->config.store, &identity, err);
}

enum status agent_enroll(struct agent *agent, const struct session_link *link,
                         struct slice device_name, struct err *err) {
    struct arena mem = arena_new(AGENT_ROUND_BYTES_MAX);
    enum status status = enroll_in(agent, link, device_name, &mem, err);
    arena_clear(&mem);
    return status;
}

enum status agent_enroll_copy(struct agent *agent, const struct session_link *link,
                              struct slice device_name, struct copied_book *copy,
                              struct store_identity *identity, struct kept_batches *out_kept,
                              struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(AGENT_ROUND_BYTES_MAX);
    struct enroll_reply reply;
    take_link(link, identity);
    TRY(enroll_exchange(agent, link, device_name, copy, &mem, identity, &reply, err));
    if (!reply.has_kept)
        return err_set(err, ST_VERSION, "the server is too old to take over a copied book",
                       "服务器版本过旧，无法接管复制的账本");
    *out_kept = reply.kept;
    return ST_OK;
}

/* ------------------------------------------------------------------ proof */

/* For how long the book may be used offline, and the oldest release that may sync. */
static enum status take_terms(struct agent *agent, const struct hello_reply *reply,
                              struct err *err) {
    int64_t minimum;
    bool is_release = wire_release_number(reply->minimum_release, &minimum);
    agent->minimum_release = is_release ? minimum : 0;
    if (reply->lease_days == 0) return ST_OK;
    return store_lease_set(agent->config.store, reply->lease_days, err);
}

static bool is_too_old(const struct agent *agent) {
    int64_t mine;
    return wire_release_number(SLICE(ROADBOOK_VERSION), &mine) && mine < agent->minimum_release;
}

static enum status too_old(const struct agent *agent, struct err *err) {
    SCOPED(buf_free) struct buf release = buf_new(BUF_MAX_LINE);
    wire_release_write(agent->minimum_release, &release);
    return err_set(err, ST_VERSION,
                   "this laptop has Roadbook %s, and head office asks for %s or newer: update it. "
                   "What you had not sent is sent; nothing new comes until then",
                   "本机的 Roadbook 版本为 %s，总部要求 %s 或更新版本：请升级。未发送的内容已发送；"
                   "升级前不会收到新内容",
                   ROADBOOK_VERSION, buf_text(&release));
}

static enum status greet(struct agent *agent, struct arena *mem, struct err *err) {
    struct session_http request, answer;
    struct hello_reply reply;
    const struct agent_config *c = &agent->config;
    TRY(session_hello_request(&agent->session, slice_from(ROADBOOK_VERSION), &c->catalogue->release,
                              c->env, mem, &request, err));
    TRY(exchange(agent, "hello", &request, mem, &answer, err));
    TRY(session_hello_reply(&agent->session, &answer, c->env, mem, &reply, err));
    TRY(keep_keys(agent, &reply.keys, err));
    return take_terms(agent, &reply, err);
}

/* Sends one message with proof; a refused nonce or an old key costs another try, not the round. */
static enum status ask(struct agent *agent, const char *what, struct slice message,
                       struct arena *mem, struct slice *out, struct err *err) {
    enum status status = ST_TRY_AGAIN;
    for (int i = 0; i < AGENT_PROOF_TRIES_MAX && status == ST_TRY_AGAIN; i++) {
        if (session_needs_hello(&agent->session, agent->config.env)) TRY(greet(agent, mem, err));
        struct session_http request, answer;
        TRY(session_round_request(&agent->session, what, message, mem, &request, err));
        TRY(exchange(agent, what, &request, mem, &answer, err));
        status = session_round_reply(&agent->session, &answer, mem, out, err);
    }
    return status;
}

/* ------------------------------------------------------------------ one round */

struct round {
    struct round_request request;
    struct round_reply reply;
    bool outbox_left; /* more batches than fitted into this push */
};

static enum status any_entry(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)entry;
    *(bool *)ctx = true;
    return err_set(err, ST_CANCELLED, "found one", "已找到");
}

enum status agent_outbox_has_any(struct store *store, bool *out, struct err *err) {
    bool any = false;
    enum status status = store_outbox(store, any_entry, &any, err);
    if (status != ST_OK && !any) return status;
    *out = any;
    return ST_OK;
}

static enum status ask_round(struct agent *agent, struct arena *mem, struct round *out,
                             struct agent_progress *progress, struct err *err) {
    TRY(store_round_request(agent->config.store, mem, &out->request, err));
    TRY(report_put(&agent->config, &out->request, err));
    struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    TRY(wire_write_round_request(&out->request, AGENT_DEFLATE_LEVEL, &message, err));
    struct slice answer;
    enum status asked = ask(agent, "round", buf_slice(&message), mem, &answer, err);
    if (asked != ST_OK && agent->session.state == SESSION_ASKING)
        session_start(&agent->session, &agent->session.identity); /* its nonce may be spent */
    TRY(asked);
    TRY(wire_read_round_reply(answer, agent->session.identity.device, mem, &out->reply, err));
    TRY(report_told(&agent->config, &out->request, err));
    progress->rounds++;
    progress->batches_sent += (int64_t)out->request.batch_count;
    progress->rows_received += (int64_t)(out->reply.record_count + out->reply.filled_count);
    if (out->reply.has_scope) progress->filling = out->reply.scope.filling > out->reply.scope.ready;
    progress->bytes_up += (int64_t)message.len;
    progress->bytes_down += (int64_t)answer.len;
    progress->head = out->reply.head.seq;
    return ST_OK;
}

static enum status check_receipts(const struct agent *agent, const struct round_reply *reply,
                                  struct err *err) {
    if (!reply->receipt_count) return ST_OK;
    if (sign_check(agent->session.identity.org_public, reply->receipts_bytes,
                   reply->receipts_signature))
        return ST_OK;
    return err_set(err, ST_UNAUTHENTIC,
                   "the receipts do not bear the signature of %s: nothing was taken from them; "
                   "tell the administrator",
                   "回执上没有 %s 的有效签名：未采用任何内容，请告知管理员",
                   agent->session.identity.org);
}

static enum status check_added(const struct agent *agent, const struct round_reply *reply,
                               struct err *err) {
    for (size_t i = 0; i < reply->added_count; i++) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
        wire_additions_signed(reply->added[i].bytes, &text);
        TRY(buf_status(&text, err));
        if (!sign_check(agent->session.identity.org_public, buf_slice(&text),
                        reply->added[i].signature))
            return err_set(err, ST_UNAUTHENTIC,
                           "the new fields do not bear the signature of %s: nothing was taken; "
                           "tell the administrator",
                           "新增字段上没有 %s 的有效签名：未采用任何内容，请告知管理员",
                           agent->session.identity.org);
    }
    return ST_OK;
}

/* An order that the org has not signed for this laptop is no order. */
static enum status take_order(struct agent *agent, const struct device_order *order,
                              struct err *err) {
    if (order->kind != ORDER_NONE && !session_order_is_signed(&agent->session.identity, order))
        return err_set(err, ST_UNAUTHENTIC,
                       "an order to this laptop does not bear the signature of %s: it was not "
                       "obeyed; tell the administrator",
                       "对本机的指令上没有 %s 的有效签名：未予执行，请告知管理员",
                       agent->session.identity.org);
    agent->order = *order;
    return ST_OK;
}

/* An honest server that went back in time says so, by another epoch. Its clock is another matter:
 * what it says now is taken, and the person is told. */
static enum status check_age(struct agent *agent, const struct round_request *request,
                             const struct round_reply *reply, struct err *err) {
    struct store_lease known;
    struct store *store = agent->config.store;
    if (reply->epoch == request->epoch && reply->head.seq < request->top.seq)
        return err_set(
            err, ST_CONFLICT,
            "the server answered with an older state (%lld) than it had told this "
            "laptop before (%lld): nothing was taken; tell the administrator",
            "服务器返回的状态（%lld）比此前告知本机的（%lld）更旧：未采用任何内容，请告知管"
            "理员",
            (long long)reply->head.seq, (long long)request->top.seq);
    TRY(store_lease(store, &known, err));
    int64_t back_ms = known.now_ms > 0 ? known.now_ms - reply->time_ms : 0;
    bool is_back = back_ms > AGENT_TIME_BACK_MS;
    if (is_back == agent->time_is_back && !is_back) return ST_OK;
    agent->time_is_back = is_back;
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", is_back ? (long long)(back_ms / 1000) : 0);
    return store_setting_set(store, AGENT_TIME_BACK_SETTING, slice_from(text), err);
}

static enum status check_reply(struct agent *agent, const struct round_request *request,
                               const struct round_reply *reply, struct err *err) {
    switch (reply->kind) {
    case REPLY_ROUND:
        TRY(check_age(agent, request, reply, err));
        TRY(take_order(agent, &reply->order, err));
        TRY(check_added(agent, reply, err));
        return check_receipts(agent, reply, err);
    case REPLY_CLONED:
        return err_set(
            err, ST_CLONED,
            "this book is a copy, or was set back to an older state: the server knows its saves up "
            "to %u. Nothing "
            "was sent and nothing is lost: what was saved here stays here (roadbook pending). Ask "
            "the administrator for a link and run: roadbook enroll LINK --again. The book gets a "
            "number of its own, and what was saved here is sent",
            "此账本是副本，或已被还原到旧状态：服务器已有其截至第 %u "
            "批的修改。未发送任何内容，也未丢失任何内容：此处保存的内容仍在（roadbook pending）。"
            "请向管理员索取链接，然后运行 roadbook enroll 链接 --again：账本会获得自己的编号，"
            "此处保存的内容随即发送",
            reply->last_batch);
    case REPLY_EPOCH: return ST_OK; /* the store enters it, and asks again */
    }
    return err_set(err, ST_MALFORMED, "a reply of unknown kind", "未知类型的回复");
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

static enum status apply_round(struct agent *agent, const struct round *round,
                               agent_progress_call *call, void *ctx, struct agent_result *result,
                               struct err *err) {
    struct apply *apply;
    TRY(store_apply_begin(agent->config.store, &round->request, &round->reply, &apply, err));
    enum status status = ST_OK;
    bool done = false;
    while (status == ST_OK && !done) {
        status = store_apply_slice(apply, &done, err);
        result->progress.cursor = round->reply.cursor.seq;
        if (status == ST_OK && call && !call(ctx, &result->progress) && !done)
            status = err_set(err, ST_CANCELLED, "stopped; what was not applied comes again",
                             "已停止；未处理的内容会重新获取");
    }
    struct apply_counts counts;
    store_apply_counts(apply, &counts);
    add_counts(&result->counts, &counts);
    store_apply_end(apply);
    return status;
}

/* What it brought waits at the server: nothing of it came in. */
static bool waits_there(const struct round *round) {
    const struct round_request *asked = &round->request;
    if (asked->given) return round->reply.last_batch < asked->given->batches[0].number;
    return asked->batch_count > 0 && round->reply.last_batch <= asked->last_batch;
}

/* Another epoch; or something was taken of what is given back, and more may follow. */
static bool goes_on(const struct round *round) {
    return round->reply.kind == REPLY_EPOCH || (round->request.given && !waits_there(round));
}

static enum status sync_once(struct agent *agent, struct arena *mem, agent_progress_call *call,
                             void *ctx, struct agent_result *result, bool *out_again,
                             struct err *err) {
    struct round round = {0};
    TRY(ask_round(agent, mem, &round, &result->progress, err));
    TRY(check_reply(agent, &round.request, &round.reply, err));
    TRY(apply_round(agent, &round, call, ctx, result, err));
    result->retry_ms = round.reply.retry_ms;
    result->went_back |= round.reply.kind == REPLY_EPOCH;
    bool waits = result->waits = waits_there(&round);
    bool ordered = agent->order.kind != ORDER_NONE; /* what was saved meanwhile goes before it */
    agent->gives_back = round.request.given != NULL;
    if (!waits && (round.request.batch_count || ordered))
        TRY(agent_outbox_has_any(agent->config.store, &round.outbox_left, err));
    bool gets_nothing = ordered || is_too_old(agent);
    bool facts = false;
    if (round.reply.wants_facts) TRY(store_has_facts(agent->config.store, &facts, err));
    *out_again =
        (round.reply.more && !gets_nothing) || round.outbox_left || goes_on(&round) || facts;
    return ST_OK;
}

static enum status revoked(struct err *err) {
    return err_set(
        err, ST_REVOKED,
        "head office has revoked this laptop: what was not sent is with head office now, "
        "and nothing new comes. Ask head office, who can give a new link",
        "总部已停用本机：未发送的修改已交由总部处理，本机不再收到新内容。请联系总部获取新"
        "链接");
}

/* Nothing is left here that head office has not. */
static enum status obey(struct agent *agent, struct err *err) {
    bool any;
    TRY(agent_outbox_has_any(agent->config.store, &any, err));
    if (!any && !agent->gives_back) return revoked(err);
    return err_set(
        err, ST_BUSY,
        "head office has revoked this laptop, but cannot take what was not sent yet: the "
        "book stays until it can; sync again later",
        "总部已停用本机，但暂时无法接收未发送的修改：账本保留至可接收为止，请稍后再同步");
}

static enum status sync_all(struct agent *agent, agent_progress_call *call, void *ctx,
                            struct agent_result *result, struct err *err) {
    TRY(load_identity(agent, err));
    bool again = true;
    for (int i = 0; again; i++) {
        if (i == AGENT_ROUNDS_MAX)
            return err_set(err, ST_INTERNAL, "the server never says that there is no more",
                           "服务器始终不结束同步");
        struct arena mem = arena_new(AGENT_ROUND_BYTES_MAX);
        enum status status = sync_once(agent, &mem, call, ctx, result, &again, err);
        arena_clear(&mem);
        if (status != ST_OK) return status;
    }
    if (agent->order.kind != ORDER_NONE) return obey(agent, err);
    return is_too_old(agent) ? too_old(agent, err) : ST_OK;
}

enum order_kind agent_order(const struct agent *agent, struct device_order *out) {
    *out = agent->order;
    return agent->order.kind;
}

enum status agent_sync(struct agent *agent, agent_progress_call *call, void *ctx,
                       struct agent_result *out, struct err *err) {
    memset(out, 0, sizeof(*out));
    agent->retry_ms = 0;
    agent->order = (struct device_order){0};
    struct err local = {0};
    enum status status = sync_all(agent, call, ctx, out, &local);
    if (status != ST_OK && agent->retry_ms > 0) out->retry_ms = agent->retry_ms;
    struct err ignored;
    (void)store_attempt(agent->config.store, status == ST_OK ? NULL : &local, &ignored);
    if (status != ST_OK && err) *err = local;
    return status;
}

/* ------------------------------------------------------------------ other messages */

enum status agent_ask(struct agent *agent, const char *what, struct slice message,
                      struct arena *mem, struct slice *out, struct err *err) {
    agent->retry_ms = 0;
    TRY(load_identity(agent, err));
    return ask(agent, what, message, mem, out, err);
}

uint32_t agent_device(const struct agent *agent) {
    return agent->session.identity.device;
}

uint32_t agent_retry_ms(const struct agent *agent) {
    return agent->retry_ms;
}

/* ------------------------------------------------------------------ waiting */

enum status agent_wake(const char *home, struct err *err) {
    struct buf path SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    buf_printf(&path, "%s/" AGENT_WAKE_DIR, home);
    TRY(platform_make_dir(buf_text(&path), err));
    buf_put_text(&path, "/now");
    TRY(buf_status(&path, err));
    return platform_touch(buf_text(&path), err);
}

void agent_session(struct agent *agent, struct session *out) {
    session_lend(&agent->session, out);
}

static enum status wait_in(struct session *copy, const struct transport_door *transport,
                           const struct wait_request *wait, struct arena *mem, struct err *err) {
    struct buf message SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    TRY(wire_write_wait_request(wait, &message, err));
    struct session_http request, answer;
    TRY(session_round_request(copy, "wait", buf_slice(&message), mem, &request, err));
    TRY(transport->exchange(transport->ctx, &request, mem, &answer, err));
    struct slice nothing;
    return session_round_reply(copy, &answer, mem, &nothing, err);
}

enum status agent_wait(struct session *copy, const struct transport_door *transport, int64_t epoch,
                       int64_t seq, struct err *err) {
    struct arena mem = arena_new(1024 * 1024);
    struct wait_request wait = {.epoch = epoch, .seq = seq};
    enum status status = wait_in(copy, transport, &wait, &mem, err);
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ backing off */

enum { BACKOFF_FIRST_MS = 2000, BACKOFF_MAX_MS = 15 * 60 * 1000 };

int64_t agent_backoff_ms(uint32_t failures, uint32_t server_retry_ms, uint64_t random) {
    int64_t base = BACKOFF_FIRST_MS;
    for (uint32_t i = 1; i < failures && base < BACKOFF_MAX_MS; i++) base *= 2;
    if (base > BACKOFF_MAX_MS) base = BACKOFF_MAX_MS;
    if (server_retry_ms) base = (int64_t)server_retry_ms;
    int64_t jitter = (int64_t)(random % 1024) * base / 2048; /* up to half */
    return server_retry_ms ? base + jitter / 4 : base / 2 + jitter;
}
