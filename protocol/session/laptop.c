/* The laptop's end of the conversation: enrolment, hello, rounds and waits.
 *
 * A struct session changes only through move(), by the table of transitions below, and satisfies
 * assert_sound() before and after. A reply that proves nothing changes nothing but the state: keys
 * and the book stay, and the caller asks again.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "protocol/session/fields.h"
#include "protocol/session/keys.h"
#include "protocol/session/nonces.h"
#include "protocol/session/signature.h"
#include "protocol/wire/succession.h"

/* ------------------------------------------------------------------ states
 *
 * GREETING and ASKING lead to themselves where a request was sent whose reply never came. ASKING
 * leads to GREETING where the key became too old meanwhile. */
static const bool ALLOWED[SESSION_STATE_COUNT][SESSION_STATE_COUNT] = {
    [SESSION_NEW] = {[SESSION_NEW] = true, [SESSION_GREETING] = true},
    [SESSION_GREETING] = {[SESSION_NEW] = true, [SESSION_GREETING] = true, [SESSION_READY] = true},
    [SESSION_READY] = {[SESSION_NEW] = true, [SESSION_GREETING] = true, [SESSION_ASKING] = true},
    [SESSION_ASKING] = {[SESSION_NEW] = true,
                        [SESSION_GREETING] = true,
                        [SESSION_READY] = true,
                        [SESSION_ASKING] = true},
};

static bool is_zero(const void *data, size_t bytes) {
    static const uint8_t zeros[64];
    assert(bytes <= sizeof zeros);
    return bytes_equal_secret(data, zeros, bytes);
}

/* Secrets exist in the states that need them, and in no other. */
static void assert_sound(const struct session *s) {
    bool has_box = !is_zero(s->box_secret, sizeof s->box_secret);
    bool has_nonce = nonces_well_formed(slice_from(s->nonce));
    bool has_key = !is_zero(s->key, sizeof s->key);
    bool is_asking = !is_zero(s->asked_signature, sizeof s->asked_signature);
    bool has_greeted = s->state == SESSION_READY || s->state == SESSION_ASKING;
    assert(has_box == (s->state == SESSION_GREETING));
    assert(has_nonce == has_greeted);
    assert(has_key == has_greeted);
    assert(is_asking == (s->state == SESSION_GREETING || s->state == SESSION_ASKING));
}

/* Forgets what the new state does not keep. What it needs beyond that the caller has put there
 * before. */
static void move(struct session *s, enum session_state to) {
    assert(ALLOWED[s->state][to]);
    if (to != SESSION_GREETING) bytes_wipe(s->box_secret, sizeof s->box_secret);
    if (to == SESSION_NEW || to == SESSION_READY)
        bytes_wipe(s->asked_signature, sizeof s->asked_signature);
    if (to == SESSION_NEW || to == SESSION_GREETING) {
        bytes_wipe(s->key, sizeof s->key);
        bytes_wipe(s->nonce, sizeof s->nonce);
        s->key_until_boot_ms = 0;
    }
    s->state = to;
    assert_sound(s);
}

void session_start(struct session *s, const struct session_identity *identity) {
    *s = (struct session){.identity = *identity, .state = SESSION_NEW};
    assert_sound(s);
}

bool session_needs_hello(const struct session *s, const struct env *env) {
    if (s->state == SESSION_NEW || s->state == SESSION_GREETING) return true;
    return env->boot_ms(env->ctx) >= s->key_until_boot_ms;
}

/* ------------------------------------------------------------------ requests */

/* params: what stands behind the components in Signature-Input. */
static enum status request_make(const char *org, const char *what, struct slice body,
                                const char *params, const struct signature_key *key,
                                struct arena *mem, uint8_t *out_signature, struct session_http *out,
                                struct err *err) {
    struct session_http request = {.method = "POST", .body = body};
    request.path = arena_printf(mem, "/%s/%s", org, what);
    char *input = arena_printf(mem, SIGNATURE_REQUEST "%s", params);
    if (!request.path || !input) return err_no_memory(err);
    fields_add(&request, "Content-Type", WIRE_MEDIA_TYPE);
    TRY(fields_add_digest(&request, mem, err));
    TRY(signature_add(&request, NULL, input, key, mem, out_signature, err));
    *out = request;
    return ST_OK;
}

static enum status not_proved(enum status status, struct err *err) {
    if (status != ST_UNAUTHENTIC) return status;
    return err_set(err, ST_UNAUTHENTIC,
                   "the reply carries no proof of the server; a proxy may have changed it: try "
                   "another network",
                   "回复未带有效的服务器证明，可能被代理改动；请换一个网络重试");
}

/* Digest and signature of a reply that has a body. */
static enum status reply_check(const struct session_http *reply, const struct session_http *request,
                               const char *components, const struct signature_key *key,
                               struct signature_params *out, struct err *err) {
    TRY(not_proved(signature_check(reply, request, components, key, out, err), err));
    return not_proved(fields_check_digest(reply, err), err);
}

/* ------------------------------------------------------------------ the org's key */

static struct key_trust trust_of(const struct session_identity *identity) {
    struct key_trust trust = {.changes = identity->key_changes};
    memcpy(trust.first, identity->org_first, SIGN_PUBLIC_BYTES);
    memcpy(trust.now, identity->org_public, SIGN_PUBLIC_BYTES);
    return trust;
}

static void trust_take(struct session_identity *identity, const struct key_trust *trust) {
    identity->key_changes = trust->changes;
    memcpy(identity->org_first, trust->first, SIGN_PUBLIC_BYTES);
    memcpy(identity->org_public, trust->now, SIGN_PUBLIC_BYTES);
}

/* What cannot be read and is not proved may have been changed on the way. */
static enum status unread(enum status proved, enum status read, struct err *err) {
    if (read == ST_OK || proved == ST_OK || read == ST_NO_MEMORY) return read;
    return not_proved(ST_UNAUTHENTIC, err);
}

/* proved: by the key that is trusted now. Else what the reply says of the org's keys was looked at
 * before it is proved: each of these statements proves itself. */
static enum status org_follow(const struct session_http *reply, const struct session_http *request,
                              const char *components, bool proved, const struct key_changes *keys,
                              struct key_trust *trust, struct signature_params *params,
                              struct err *err) {
    struct key_trust next;
    TRY(key_trust_follow(trust, keys, &next, err));
    struct signature_key key = {.public_key = next.now};
    bool same = memcmp(next.now, trust->now, SIGN_PUBLIC_BYTES) == 0;
    if (!proved || !same) TRY(reply_check(reply, request, components, &key, params, err));
    *trust = next;
    return ST_OK;
}

/* ------------------------------------------------------------------ enrolment */

enum status session_enroll_request(const struct session_identity *identity,
                                   const struct session_link *link, struct slice device_name,
                                   struct slice release, struct arena *mem,
                                   struct session_http *out, struct err *err) {
    return session_enroll_again_request(identity, link, device_name, release, NULL, mem, out, err);
}

enum status session_enroll_again_request(const struct session_identity *identity,
                                         const struct session_link *link, struct slice device_name,
                                         struct slice release, struct copied_book *copy,
                                         struct arena *mem, struct session_http *out,
                                         struct err *err) {
    struct enroll_request message = {.code = slice_of(link->code, sizeof link->code),
                                     .device_name = device_name,
                                     .release = release,
                                     .copy = copy};
    sign_public(&identity->key, message.device_public);
    SCOPED(buf_free) struct buf encoded = buf_new(WIRE_REQUEST_BYTES_MAX);
    TRY(wire_write_enroll_request(&message, &encoded, err));
    struct slice body;
    TRY(fields_copy_body(&encoded, mem, &body, err));
    struct signature_key key = {.sign = &identity->key};
    return request_make(link->org, "enroll", body, "", &key, mem, NULL, out, err);
}

/* Whether the reply names this laptop's key as the one that it answers. */
static enum status answers_us(const struct session_identity *identity, struct slice nonce,
                              struct err *err) {
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    sign_public(&identity->key, public_key);
    SCOPED(buf_free) struct buf expected = buf_new(SESSION_NONCE_BYTES_MAX);
    buf_put_base64(&expected, slice_of(public_key, sizeof public_key), true);
    TRY(buf_status(&expected, err));
    return slice_equal(nonce, buf_slice(&expected)) ? ST_OK : not_proved(ST_UNAUTHENTIC, err);
}

/* The link's key may be any of the org's: of those before it and those after it the reply tells. */
enum status session_enroll_reply(struct session_identity *identity,
                                 const struct session_http *reply, struct arena *mem,
                                 struct enroll_reply *out, struct err *err) {
    if (reply->code != 200) return session_problem(reply, err);
    struct enroll_reply message;
    struct signature_params params;
    struct signature_key key = {.public_key = identity->org_public};
    struct key_trust trust = {.changes = 0};
    memcpy(trust.now, identity->org_public, SIGN_PUBLIC_BYTES);
    enum status proved = reply_check(reply, NULL, SIGNATURE_ENROLL_REPLY, &key, &params, err);
    if (proved != ST_UNAUTHENTIC) TRY(proved);
    TRY(unread(proved, wire_read_enroll_reply(reply->body, mem, &message, err), err));
    TRY(org_follow(reply, NULL, SIGNATURE_ENROLL_REPLY, proved == ST_OK, &message.keys, &trust,
                   &params, err));
    TRY(answers_us(identity, params.nonce, err));
    trust_take(identity, &trust);
    *out = message;
    return ST_OK;
}

/* ------------------------------------------------------------------ hello */

static struct slice hello_params(const struct session *s, const struct env *env,
                                 struct arena *mem) {
    int64_t wall_s = env->wall_ms(env->ctx) / 1000;
    return slice_from(arena_printf(mem, ";created=%" PRId64 ";keyid=\"%" PRIu32 "\"",
                                   wall_s > 0 ? wall_s : 1, s->identity.device));
}

static enum status hello_make(const struct session *s, struct hello_request *message,
                              const struct env *env, struct arena *mem, uint8_t *out_secret,
                              uint8_t *out_signature, struct session_http *out, struct err *err) {
    SCOPED(buf_free) struct buf encoded = buf_new(WIRE_REQUEST_BYTES_MAX);
    struct slice body;
    message->device = s->identity.device;
    message->key_changes = s->identity.key_changes;
    message->wall_ms = env->wall_ms(env->ctx);
    env->random(env->ctx, out_secret, BOX_SECRET_BYTES);
    box_public(out_secret, message->box_public);
    TRY(wire_write_hello_request(message, &encoded, err));
    TRY(fields_copy_body(&encoded, mem, &body, err));
    struct slice params = hello_params(s, env, mem);
    if (!params.data) return err_no_memory(err);
    struct signature_key key = {.sign = &s->identity.key};
    return request_make(s->identity.org, "hello", body, (const char *)params.data, &key, mem,
                        out_signature, out, err);
}

enum status session_hello_request(struct session *s, struct slice release,
                                  const struct chain *catalogue, const struct env *env,
                                  struct arena *mem, struct session_http *out, struct err *err) {
    assert(s->identity.device != 0);
    uint8_t secret[BOX_SECRET_BYTES], signature[SIGN_BYTES];
    struct hello_request message = {.release = release, .catalogue = *catalogue};
    struct session_http request;
    TRY(hello_make(s, &message, env, mem, secret, signature, &request, err));
    memcpy(s->box_secret, secret, sizeof secret);
    memcpy(s->asked_signature, signature, sizeof signature);
    bytes_wipe(secret, sizeof secret);
    move(s, SESSION_GREETING);
    *out = request;
    return ST_OK;
}

enum status session_wiped_request(const struct session_identity *identity, int64_t order_ms,
                                  struct slice release, const struct env *env, struct arena *mem,
                                  struct session_http *out, struct err *err) {
    uint8_t secret[BOX_SECRET_BYTES], signature[SIGN_BYTES];
    struct session s;
    struct hello_request message = {
        .release = release, .has_wiped = true, .wiped_order_ms = order_ms};
    session_start(&s, identity);
    enum status status = hello_make(&s, &message, env, mem, secret, signature, out, err);
    bytes_wipe(secret, sizeof secret);
    bytes_wipe(&s, sizeof s);
    return status;
}

bool session_order_is_signed(const struct session_identity *identity,
                             const struct device_order *order) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_LINE);
    uint8_t own[SIGN_PUBLIC_BYTES];
    sign_public(&identity->key, own);
    wire_order_bytes(order, slice_from(identity->org), identity->device, own, &bytes);
    return !bytes.failed && sign_check(identity->org_public, buf_slice(&bytes), order->signature);
}

/* The request that a reply has to cover, as far as its signature needs it. */
static enum status asked(const struct session *s, size_t bytes, struct arena *mem,
                         struct session_http *out, struct err *err) {
    char *text = signature_text(slice_of(s->asked_signature, bytes), mem);
    if (!text) return err_no_memory(err);
    *out = (struct session_http){0};
    fields_add(out, "Signature", text);
    return ST_OK;
}

static enum status hello_take(const struct session *s, const struct session_http *reply,
                              struct arena *mem, struct hello_reply *out, struct key_trust *trust,
                              uint8_t out_key[MAC_BYTES], struct err *err) {
    struct session_http request;
    struct signature_params params;
    struct signature_key org = {.public_key = trust->now};
    uint8_t own_public[BOX_PUBLIC_BYTES];
    TRY(asked(s, SIGN_BYTES, mem, &request, err));
    enum status proved = reply_check(reply, &request, SIGNATURE_REPLY, &org, &params, err);
    if (proved != ST_UNAUTHENTIC) TRY(proved);
    TRY(unread(proved, wire_read_hello_reply(reply->body, mem, out, err), err));
    TRY(org_follow(reply, &request, SIGNATURE_REPLY, proved == ST_OK, &out->keys, trust, &params,
                   err));
    if (!nonces_well_formed(out->nonce) || out->key_ms <= 0) {
        return err_set(err, ST_MALFORMED, "the server's greeting is not complete",
                       "服务器的问候不完整");
    }
    box_public(s->box_secret, own_public);
    if (keys_agree(s->box_secret, out->box_public, own_public, out->box_public, s->identity.device,
                   out_key)) {
        return ST_OK;
    }
    return err_set(err, ST_MALFORMED, "the server's greeting holds no usable key",
                   "服务器的问候中没有可用的密钥");
}

enum status session_hello_reply(struct session *s, const struct session_http *reply,
                                const struct env *env, struct arena *mem, struct hello_reply *out,
                                struct err *err) {
    assert(s->state == SESSION_GREETING);
    struct hello_reply hello;
    struct key_trust trust = trust_of(&s->identity);
    uint8_t key[MAC_BYTES];
    enum status status = reply->code == 200 ? hello_take(s, reply, mem, &hello, &trust, key, err)
                                            : session_problem(reply, err);
    if (status != ST_OK) {
        move(s, SESSION_NEW);
        return status;
    }
    trust_take(&s->identity, &trust);
    int64_t lives_ms = hello.key_ms < SESSION_KEY_MS ? hello.key_ms : SESSION_KEY_MS;
    memcpy(s->key, key, sizeof key);
    memcpy(s->nonce, hello.nonce.data, hello.nonce.len);
    s->key_until_boot_ms = env->boot_ms(env->ctx) + lives_ms;
    bytes_wipe(key, sizeof key);
    move(s, SESSION_READY);
    *out = hello;
    return ST_OK;
}

/* ------------------------------------------------------------------ rounds */

enum status session_round_request(struct session *s, const char *what, struct slice message,
                                  struct arena *mem, struct session_http *out, struct err *err) {
    assert(s->state == SESSION_READY || s->state == SESSION_ASKING);
    assert(strcmp(what, "round") == 0 || strcmp(what, "wait") == 0 ||
           strcmp(what, "content") == 0 || strcmp(what, "repair") == 0);
    uint8_t signature[SIGN_BYTES] = {0};
    struct signature_key key = {.mac = s->key};
    struct session_http request;
    char *params =
        arena_printf(mem, ";nonce=\"%s\";keyid=\"%" PRIu32 "\"", s->nonce, s->identity.device);
    if (!params) return err_no_memory(err);
    TRY(request_make(s->identity.org, what, message, params, &key, mem, signature, &request, err));
    memcpy(s->asked_signature, signature, sizeof signature);
    nonces_next(s->nonce, s->nonce);
    move(s, SESSION_ASKING);
    *out = request;
    return ST_OK;
}

void session_lend(struct session *s, struct session *out) {
    assert(s->state == SESSION_READY);
    *out = *s;
    nonces_next(s->nonce, s->nonce);
}

static void nonce_set(struct session *s, struct slice nonce) {
    memcpy(s->nonce, nonce.data, nonce.len);
    s->nonce[nonce.len] = 0;
}

/* A refused nonce brings a new one; a key that the server does not know, or finds too old, brings
 * none and means a hello. */
static enum status try_again(struct session *s, const struct session_http *reply, struct err *err) {
    struct slice nonce;
    if (fields_single(reply, "Roadbook-Nonce", &nonce) && nonces_well_formed(nonce)) {
        nonce_set(s, nonce);
        move(s, SESSION_READY);
        return err_set(err, ST_TRY_AGAIN, "the server gave a new nonce; the same is asked again",
                       "服务器给出了新的随机数，将重新请求");
    }
    move(s, SESSION_NEW);
    return err_set(err, ST_TRY_AGAIN, "the session's key is not good any more; a new one is agreed",
                   "会话密钥已失效，将重新协商");
}

static enum status refused(struct session *s, const struct session_http *reply, struct err *err) {
    enum status status = session_problem(reply, err);
    if (reply->code == 401 && (status == ST_TRY_AGAIN || status == ST_UNAUTHENTIC)) {
        return try_again(s, reply, err);
    }
    move(s, SESSION_READY);
    if (status != ST_GONE) return status;
    if (err) err->status = ST_DENIED;
    return ST_DENIED;
}

static enum status round_check(const struct session *s, const struct session_http *reply,
                               struct arena *mem, struct signature_params *out, struct err *err) {
    struct session_http request;
    struct signature_key key = {.mac = s->key};
    TRY(asked(s, MAC_BYTES, mem, &request, err));
    if (reply->code == 200) return reply_check(reply, &request, SIGNATURE_REPLY, &key, out, err);
    if (reply->body.len) return not_proved(ST_UNAUTHENTIC, err);
    return not_proved(signature_check(reply, &request, SIGNATURE_REPLY_EMPTY, &key, out, err), err);
}

enum status session_round_reply(struct session *s, const struct session_http *reply,
                                struct arena *mem, struct slice *out_message, struct err *err) {
    assert(s->state == SESSION_ASKING);
    if (reply->code != 200 && reply->code != 204) return refused(s, reply, err);
    struct signature_params params = {0};
    enum status status = round_check(s, reply, mem, &params, err);
    if (status == ST_OK && params.nonce.data) {
        if (nonces_well_formed(params.nonce))
            nonce_set(s, params.nonce);
        else
            status = not_proved(ST_UNAUTHENTIC, err);
    }
    move(s, SESSION_READY);
    if (status != ST_OK) return status;
    *out_message = reply->body;
    return ST_OK;
}
