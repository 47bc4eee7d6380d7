/* HTTP Message Signatures (RFC 9421): the base that is signed, writing the two fields, checking
 * them.
 *
 * Strict where a lenient reader could be led astray: the component list must be the expected one to
 * the byte, a parameter that is not ours or comes twice is refused, so is a field that comes twice.
 * Other labels are left to those who put them there.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "protocol/session/fields.h"
#include "protocol/session/signature.h"

#define LABEL "s"
enum {
    COMPONENTS_MAX = 16,
    INPUT_BYTES_MAX = 512, /* ours have about 90 */
    KEYID_DIGITS_MAX = 10
};

static enum status no_proof(struct err *err) {
    return err_set(err, ST_UNAUTHENTIC, "the message carries no valid signature",
                   "消息没有有效签名");
}

/* ------------------------------------------------------------------ the base */

struct component {
    struct slice whole; /* "name";req as it stands */
    struct slice name;
    bool of_request;
};

static bool take(struct slice *s, const char *text) {
    struct slice prefix = slice_from(text);
    if (!slice_starts(*s, prefix)) return false;
    *s = slice_of(s->data + prefix.len, s->len - prefix.len);
    return true;
}

static bool take_component(struct slice *s, struct component *out) {
    struct slice start = *s;
    if (!take(s, "\"") || !slice_cut(s, '"', &out->name)) return false;
    out->of_request = take(s, ";req");
    out->whole = slice_of(start.data, start.len - s->len);
    return out->name.len > 0;
}

/* The inner list of input into at most COMPONENTS_MAX components. */
static bool components_read(struct slice input, struct component out[COMPONENTS_MAX],
                            size_t *out_count) {
    size_t count = 0;
    if (!take(&input, "(")) return false;
    while (!take(&input, ")")) {
        if (count == COMPONENTS_MAX || (count > 0 && !take(&input, " "))) return false;
        if (!take_component(&input, &out[count])) return false;
        for (size_t i = 0; i < count; i++) {
            if (slice_equal(out[i].whole, out[count].whole)) return false;
        }
        count++;
    }
    *out_count = count;
    return true;
}

static bool is(struct slice name, const char *text) {
    return slice_equal(name, slice_from(text));
}

/* Line ends would let one component speak for another. */
static bool put_value(struct slice value, bool lower_case, struct buf *out) {
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < ' ' && value.data[i] != '\t') return false;
    }
    size_t begin = out->len;
    buf_put_slice(out, value);
    for (size_t i = begin; lower_case && i < out->len; i++) {
        if (out->data[i] >= 'A' && out->data[i] <= 'Z') out->data[i] += 'a' - 'A';
    }
    return true;
}

static bool put_path(const char *path, struct buf *out) {
    struct slice rest = slice_from(path), before_query;
    if (!slice_cut(&rest, '?', &before_query)) return false;
    return put_value(before_query, false, out);
}

static bool put_field(const struct session_http *m, struct slice name, bool lower_case,
                      struct buf *out) {
    char field[64];
    struct slice value;
    if (name.len >= sizeof field) return false;
    memcpy(field, name.data, name.len);
    field[name.len] = 0;
    return fields_single(m, field, &value) && put_value(value, lower_case, out);
}

static bool put_component(const struct session_http *m, struct slice name, struct buf *out) {
    if (is(name, "@method")) return m->method && put_value(slice_from(m->method), false, out);
    if (is(name, "@path")) return m->path && put_path(m->path, out);
    if (is(name, "@authority")) return put_field(m, SLICE("host"), true, out);
    if (is(name, "@status")) {
        buf_printf(out, "%d", m->code);
        return m->code >= 100 && m->code <= 999;
    }
    return name.data[0] != '@' && put_field(m, name, false, out);
}

enum status signature_base(const struct session_http *m, const struct session_http *request,
                           struct slice input, struct buf *out, struct err *err) {
    struct component components[COMPONENTS_MAX];
    size_t count;
    if (!components_read(input, components, &count)) {
        return err_set(err, ST_MALFORMED, "the list of signed components is not well-formed",
                       "签名组成部分列表格式错误");
    }
    for (size_t i = 0; i < count; i++) {
        const struct component *c = &components[i];
        const struct session_http *source = c->of_request ? request : m;
        buf_put_slice(out, c->whole);
        buf_put_text(out, ": ");
        if (!source || !put_component(source, c->name, out)) {
            return err_set(err, ST_MALFORMED, "the signed component %.*s is not in the message",
                           "消息中没有已签名的组成部分 %.*s", (int)c->whole.len,
                           (const char *)c->whole.data);
        }
        buf_put_byte(out, '\n');
    }
    buf_put_text(out, "\"@signature-params\": ");
    buf_put_slice(out, input);
    return buf_status(out, err);
}

/* ------------------------------------------------------------------ making */

size_t signature_make(const struct signature_key *key, struct slice base, uint8_t out[SIGN_BYTES]) {
    if (key->mac) {
        mac_sha256(slice_of(key->mac, MAC_BYTES), base, out);
        return MAC_BYTES;
    }
    assert(key->sign);
    sign_make(key->sign, base, out);
    return SIGN_BYTES;
}

char *signature_text(struct slice bytes, struct arena *mem) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    buf_put_text(&text, LABEL "=:");
    buf_put_base64(&text, bytes, false);
    buf_put_byte(&text, ':');
    return buf_status(&text, NULL) == ST_OK ? arena_string(mem, buf_slice(&text)) : NULL;
}

enum status signature_add(struct session_http *m, const struct session_http *request,
                          const char *input, const struct signature_key *key, struct arena *mem,
                          uint8_t *out_bytes, struct err *err) {
    SCOPED(buf_free) struct buf base = buf_new(BUF_MAX_LINE);
    TRY(signature_base(m, request, slice_from(input), &base, err));
    uint8_t bytes[SIGN_BYTES];
    size_t len = signature_make(key, buf_slice(&base), bytes);
    char *input_text = arena_printf(mem, LABEL "=%s", input);
    char *text = signature_text(slice_of(bytes, len), mem);
    if (!input_text || !text) return err_no_memory(err);
    fields_add(m, "Signature-Input", input_text);
    fields_add(m, "Signature", text);
    if (out_bytes) memcpy(out_bytes, bytes, len);
    return ST_OK;
}

/* ------------------------------------------------------------------ reading */

static bool take_string(struct slice *s, struct slice *out) {
    if (!take(s, "\"")) return false;
    const uint8_t *end = s->len ? memchr(s->data, '"', s->len) : NULL;
    if (!end) return false;
    *out = slice_of(s->data, (size_t)(end - s->data));
    *s = slice_of(end + 1, s->len - out->len - 1);
    return out->len > 0 && !memchr(out->data, '\\', out->len);
}

static bool take_digits(struct slice *s, struct slice *out) {
    size_t len = 0;
    while (len < s->len && s->data[len] >= '0' && s->data[len] <= '9') len++;
    *out = slice_of(s->data, len);
    *s = slice_of(s->data + len, s->len - len);
    return len > 0;
}

/* A whole number from 1 to max in its only spelling; text is not empty. */
static bool read_number(struct slice text, int64_t max, int64_t *out) {
    if (text.data[0] < '1' || text.data[0] > '9') return false;
    return text_to_int(text, out) && *out <= max;
}

static bool take_param(struct slice *s, struct signature_params *p) {
    struct slice text;
    int64_t number;
    if (take(s, ";nonce=")) return !p->nonce.data && take_string(s, &p->nonce);
    if (take(s, ";keyid=")) {
        if (p->device || !take_string(s, &text) || text.len > KEYID_DIGITS_MAX) return false;
        if (!read_number(text, UINT32_MAX, &number)) return false;
        p->device = (uint32_t)number;
        return true;
    }
    if (take(s, ";created=")) {
        if (p->created || !take_digits(s, &text)) return false;
        return read_number(text, INT64_MAX, &p->created);
    }
    return false;
}

/* Our member of Signature-Input: all of it, and its parameters. */
static bool input_read(const struct session_http *m, const char *components,
                       struct slice *out_input, struct signature_params *out) {
    struct slice field, rest;
    if (!fields_single(m, "Signature-Input", &field) || !fields_member(field, LABEL, &rest))
        return false;
    if (rest.len > INPUT_BYTES_MAX) return false;
    struct slice input = rest;
    struct signature_params params = {0};
    if (!take(&rest, components)) return false;
    while (rest.len) {
        if (!take_param(&rest, &params)) return false;
    }
    if (params.nonce.len > SESSION_NONCE_BYTES_MAX) return false;
    *out_input = input;
    *out = params;
    return true;
}

enum status signature_read(const struct session_http *m, const char *components,
                           struct signature_params *out, struct err *err) {
    struct slice input;
    return input_read(m, components, &input, out) ? ST_OK : no_proof(err);
}

/* The bytes of our member of Signature; their number is the key's. */
static enum status bytes_read(const struct session_http *m, size_t expected,
                              uint8_t out[SIGN_BYTES], struct err *err) {
    SCOPED(buf_free) struct buf bytes = buf_new(SIGN_BYTES);
    struct slice field, member;
    if (!fields_single(m, "Signature", &field)) return no_proof(err);
    if (!fields_member(field, LABEL, &member)) return no_proof(err);
    if (member.len < 2 || member.data[0] != ':' || member.data[member.len - 1] != ':')
        return no_proof(err);
    bool decoded = base64_decode(slice_of(member.data + 1, member.len - 2), false, &bytes);
    if (bytes.failed && !bytes.too_large) return err_no_memory(err);
    if (!decoded || bytes.failed || bytes.len != expected) return no_proof(err);
    memcpy(out, bytes.data, expected);
    return ST_OK;
}

static bool bytes_prove(const struct signature_key *key, struct slice base, const uint8_t *bytes) {
    if (key->public_key) return sign_check(key->public_key, base, bytes);
    uint8_t expected[SIGN_BYTES];
    mac_sha256(slice_of(key->mac, MAC_BYTES), base, expected);
    return bytes_equal_secret(expected, bytes, MAC_BYTES);
}

enum status signature_check(const struct session_http *m, const struct session_http *request,
                            const char *components, const struct signature_key *key,
                            struct signature_params *out, struct err *err) {
    assert(key->public_key || key->mac);
    struct slice input;
    struct signature_params params;
    uint8_t bytes[SIGN_BYTES];
    if (!input_read(m, components, &input, &params)) return no_proof(err);
    TRY(bytes_read(m, key->public_key ? SIGN_BYTES : MAC_BYTES, bytes, err));
    SCOPED(buf_free) struct buf base = buf_new(BUF_MAX_LINE);
    enum status made = signature_base(m, request, input, &base, err);
    if (made == ST_NO_MEMORY) return made;
    if (made != ST_OK || !bytes_prove(key, buf_slice(&base), bytes)) return no_proof(err);
    *out = params;
    return ST_OK;
}
