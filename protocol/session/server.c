/* The server's end of the conversation. Nothing is kept here: the caller has the devices' keys in
 * its store and the nonces in its process.
 *
 * Every check ends in one text for all that can be wrong with a proof: who tries keys learns
 * nothing from it.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "protocol/session/fields.h"
#include "protocol/session/keys.h"
#include "protocol/session/nonces.h"
#include "protocol/session/signature.h"

/* ------------------------------------------------------------------ what a request is about */

static bool is_org_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool session_path(const char *path, char org[SESSION_ORG_BYTES_MAX + 1], const char **out_what) {
    if (path[0] != '/') return false;
    size_t len = 0;
    while (is_org_char(path[1 + len])) len++;
    if (len == 0 || len > SESSION_ORG_BYTES_MAX || path[1 + len] != '/') return false;
    const char *what = path + len + 2;
    size_t letters = strspn(what, "abcdefghijklmnopqrstuvwxyz");
    if (letters == 0 || what[letters] != 0) return false;
    memcpy(org, path + 1, len);
    org[len] = 0;
    *out_what = what;
    return true;
}

uint32_t session_request_device(const struct session_http *request) {
    struct signature_params params;
    if (signature_read(request, SIGNATURE_REQUEST, &params, NULL) != ST_OK) return 0;
    return params.device;
}

static enum status media_type_check(const struct session_http *request, struct err *err) {
    struct slice type;
    if (fields_single(request, "Content-Type", &type) && type.len == sizeof WIRE_MEDIA_TYPE - 1 &&
        strncasecmp((const char *)type.data, WIRE_MEDIA_TYPE, type.len) == 0) {
        return ST_OK;
    }
    return err_set(err, ST_MALFORMED, "the body must be of the type %s", "正文类型必须是 %s",
                   WIRE_MEDIA_TYPE);
}

static enum status request_check(const struct session_http *request,
                                 const struct signature_key *key, struct signature_params *out,
                                 struct err *err) {
    TRY(media_type_check(request, err));
    TRY(signature_check(request, NULL, SIGNATURE_REQUEST, key, out, err));
    return fields_check_digest(request, err);
}

/* ------------------------------------------------------------------ enrolment */

/* The message is read before it is proved, since the key that proves it stands in it; the code in
 * it is what the caller then judges. */
enum status session_server_enroll(const struct session_http *request, struct arena *mem,
                                  struct enroll_request *out, struct err *err) {
    struct enroll_request message;
    struct signature_params params;
    TRY(media_type_check(request, err));
    TRY(fields_check_digest(request, err));
    TRY(wire_read_enroll_request(request->body, mem, &message, err));
    struct signature_key key = {.public_key = message.device_public};
    TRY(request_check(request, &key, &params, err));
    *out = message;
    return ST_OK;
}

/* SIGNATURE_ENROLL_REPLY;nonce="the key of the device that is answered". */
static enum status enroll_input(const struct session_http *request, struct arena *mem, char **out,
                                struct err *err) {
    struct enroll_request message;
    TRY(wire_read_enroll_request(request->body, mem, &message, err));
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    buf_put_text(&text, SIGNATURE_ENROLL_REPLY ";nonce=\"");
    buf_put_base64(&text, slice_of(message.device_public, sizeof message.device_public), true);
    buf_put_text(&text, "\"");
    TRY(buf_status(&text, err));
    char *input = arena_string(mem, buf_slice(&text));
    if (!input) return err_no_memory(err);
    *out = input;
    return ST_OK;
}

enum status session_server_enroll_answer(const struct session_http *request,
                                         const struct enroll_reply *reply,
                                         const struct sign_key *org_key, struct arena *mem,
                                         struct session_http *out, struct err *err) {
    SCOPED(buf_free) struct buf encoded = buf_new(WIRE_REPLY_BYTES_MAX);
    struct session_http answer = {.code = 200};
    char *input;
    TRY(wire_write_enroll_reply(reply, &encoded, err));
    TRY(fields_copy_body(&encoded, mem, &answer.body, err));
    TRY(enroll_input(request, mem, &input, err));
    TRY(fields_add_digest(&answer, mem, err));
    struct signature_key key = {.sign = org_key};
    TRY(signature_add(&answer, request, input, &key, mem, NULL, err));
    *out = answer;
    return ST_OK;
}

/* ------------------------------------------------------------------ hello */

enum status session_server_hello(const struct session_http *request,
                                 const uint8_t device_public[SIGN_PUBLIC_BYTES], struct arena *mem,
                                 struct hello_request *out, struct err *err) {
    struct signature_key key = {.public_key = device_public};
    struct signature_params params;
    struct hello_request message;
    TRY(request_check(request, &key, &params, err));
    TRY(wire_read_hello_request(request->body, mem, &message, err));
    if (message.device == 0 || message.device != params.device) {
        return err_set(err, ST_MALFORMED, "the greeting is of another device than its signature",
                       "问候与签名不属于同一设备");
    }
    *out = message;
    return ST_OK;
}

enum status session_server_hello_answer(const struct session_http *request,
                                        const struct hello_request *hello,
                                        struct hello_reply *reply, const struct sign_key *org_key,
                                        const struct env *env, struct arena *mem,
                                        uint8_t out_key[MAC_BYTES], struct session_http *out,
                                        struct err *err) {
    uint8_t secret[BOX_SECRET_BYTES], agreed[MAC_BYTES];
    env->random(env->ctx, secret, sizeof secret);
    box_public(secret, reply->box_public);
    bool usable = keys_agree(secret, hello->box_public, hello->box_public, reply->box_public,
                             hello->device, agreed);
    bytes_wipe(secret, sizeof secret);
    if (!usable)
        return err_set(err, ST_MALFORMED, "the greeting holds no usable key",
                       "问候中没有可用的密钥");
    SCOPED(buf_free) struct buf encoded = buf_new(WIRE_REPLY_BYTES_MAX);
    struct session_http answer = {.code = 200};
    TRY(wire_write_hello_reply(reply, &encoded, err));
    TRY(fields_copy_body(&encoded, mem, &answer.body, err));
    TRY(fields_add_digest(&answer, mem, err));
    struct signature_key key = {.sign = org_key};
    TRY(signature_add(&answer, request, SIGNATURE_REPLY, &key, mem, NULL, err));
    memcpy(out_key, agreed, sizeof agreed);
    bytes_wipe(agreed, sizeof agreed);
    *out = answer;
    return ST_OK;
}

/* ------------------------------------------------------------------ rounds */

enum status session_server_round(const struct session_http *request, const uint8_t key[MAC_BYTES],
                                 struct arena *mem, const char **out_nonce, struct err *err) {
    struct signature_key mac = {.mac = key};
    struct signature_params params;
    TRY(request_check(request, &mac, &params, err));
    if (!params.nonce.data || params.device == 0) {
        return err_set(err, ST_UNAUTHENTIC, "the request has no nonce or names no device",
                       "请求缺少随机数或设备编号");
    }
    const char *nonce = arena_string(mem, params.nonce);
    if (!nonce) return err_no_memory(err);
    *out_nonce = nonce;
    return ST_OK;
}

/* Whether the laptop finds the next nonce by itself. */
static bool is_expected(const struct session_http *request, const char *next_nonce) {
    struct signature_params params;
    char used[SESSION_NONCE_BYTES_MAX + 1], next[SESSION_NONCE_BYTES_MAX + 1];
    if (signature_read(request, SIGNATURE_REQUEST, &params, NULL) != ST_OK) return false;
    if (!nonces_well_formed(params.nonce)) return false;
    memcpy(used, params.nonce.data, params.nonce.len);
    used[params.nonce.len] = 0;
    nonces_next(used, next);
    return strcmp(next, next_nonce) == 0;
}

enum status session_server_answer(const struct session_http *request, const uint8_t key[MAC_BYTES],
                                  int code, struct slice message, const char *next_nonce,
                                  struct arena *mem, struct session_http *out, struct err *err) {
    assert(code == 200 ? message.len > 0 : code == 204 && message.len == 0);
    struct session_http answer = {.code = code, .body = message};
    const char *input = code == 200 ? SIGNATURE_REPLY : SIGNATURE_REPLY_EMPTY;
    if (code == 200) TRY(fields_add_digest(&answer, mem, err));
    if (next_nonce && !is_expected(request, next_nonce)) {
        input = arena_printf(mem, "%s;nonce=\"%s\"", input, next_nonce);
        if (!input) return err_no_memory(err);
    }
    struct signature_key mac = {.mac = key};
    TRY(signature_add(&answer, request, input, &mac, mem, NULL, err));
    *out = answer;
    return ST_OK;
}
