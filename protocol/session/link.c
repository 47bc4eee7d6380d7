/* The enrolment link: https://HOST[:PORT]/ORG/enroll#CODE.ORGKEY[.TLSPIN]
 *
 * People copy links by hand and out of mails that break lines, so that each way in which one can be
 * wrong has a text that says what to do. No text repeats what stands behind the #.
 */
#include <string.h>

#include "protocol/session/session.h"

#define SCHEME "https://"
#define WHERE "/enroll"
enum { LINK_BYTES_MAX = 512 };

static bool is_host_char(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
}

static bool port_is_valid(struct slice port) {
    int64_t number;
    return port.len > 0 && port.data[0] >= '1' && port.data[0] <= '9' &&
           text_to_int(port, &number) && number <= 65535;
}

/* What stands behind the host: nothing, or a port. */
static bool port_is_fine(struct slice rest) {
    if (rest.len == 0) return true;
    return rest.data[0] == ':' && port_is_valid(slice_of(rest.data + 1, rest.len - 1));
}

static bool bracketed_is_valid(struct slice s) {
    size_t len = 1;
    while (len < s.len && s.data[len] != ']') {
        uint8_t c = s.data[len++];
        if (c != ':' && c != '.' && !(c >= '0' && c <= '9') &&
            !((c | 32) >= 'a' && (c | 32) <= 'f')) {
            return false;
        }
    }
    return len >= 3 && len < s.len && port_is_fine(slice_of(s.data + len + 1, s.len - len - 1));
}

static bool authority_is_valid(struct slice s) {
    if (s.len && s.data[0] == '[') return bracketed_is_valid(s);
    size_t len = 0;
    while (len < s.len && is_host_char(s.data[len])) len++;
    return len > 0 && port_is_fine(slice_of(s.data + len, s.len - len));
}

static bool is_org_char(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool org_is_valid(struct slice s) {
    if (s.len == 0 || s.len > SESSION_ORG_BYTES_MAX) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_org_char(s.data[i])) return false;
    }
    return true;
}

static void copy_text(struct slice s, char *out) {
    memcpy(out, s.data, s.len);
    out[s.len] = 0;
}

static bool ends_with(struct slice s, struct slice end) {
    return s.len >= end.len && memcmp(s.data + s.len - end.len, end.data, end.len) == 0;
}

/* The part before #. */
static enum status address_read(struct slice s, struct session_link *out, struct err *err) {
    struct slice scheme = SLICE(SCHEME), where = SLICE(WHERE), rest, authority;
    if (!slice_starts(s, scheme)) {
        return err_set(err, ST_INVALID, "an enrolment link begins with https://; copy it whole",
                       "注册链接应以 https:// 开头；请完整复制");
    }
    rest = slice_of(s.data + scheme.len, s.len - scheme.len);
    if (!ends_with(rest, where)) {
        return err_set(err, ST_INVALID,
                       "this is not an enrolment link: /enroll is missing; copy it whole",
                       "这不是注册链接：缺少 /enroll；请完整复制");
    }
    rest.len -= where.len;
    if (!slice_cut(&rest, '/', &authority) || !authority_is_valid(authority) ||
        scheme.len + authority.len >= sizeof out->base_url) {
        return err_set(err, ST_INVALID,
                       "the server's address in the link is not valid; ask for a new link",
                       "链接中的服务器地址无效；请索取新的链接");
    }
    if (!org_is_valid(rest)) {
        return err_set(err, ST_INVALID, "the link names no organisation; ask for a new link",
                       "链接中没有组织名称；请索取新的链接");
    }
    copy_text(slice_of(s.data, scheme.len + authority.len), out->base_url);
    copy_text(rest, out->org);
    return ST_OK;
}

/* Exactly out[bytes] in base64url. which: what the secret is called, in both languages. */
static enum status secret_read(struct slice text, const char *const which[LANG_COUNT], size_t bytes,
                               uint8_t *out, struct err *err) {
    SCOPED(buf_free) struct buf decoded = buf_new(HASH_BYTES);
    bool fine = base64_decode(text, true, &decoded);
    if (decoded.failed && !decoded.too_large) return err_no_memory(err);
    if (fine && !decoded.failed && decoded.len == bytes) {
        memcpy(out, decoded.data, bytes);
        return ST_OK;
    }
    return err_set(
        err, ST_INVALID, "the link is damaged: its %s%.0s is not complete; copy the link whole",
        "链接已损坏：其中的%.0s%s不完整；请完整复制链接", which[LANG_EN], which[LANG_ZH]);
}

/* The part after #. */
static enum status secrets_read(struct slice s, struct session_link *out, struct err *err) {
    static const char *const code_name[] = {"code", "注册码"};
    static const char *const key_name[] = {"key", "密钥"};
    static const char *const pin_name[] = {"certificate pin", "证书指纹"};
    struct slice code = {0}, key = {0}, pin = {0};
    bool has_key = slice_cut(&s, '.', &code) && slice_cut(&s, '.', &key);
    if (!has_key) {
        return err_set(
            err, ST_INVALID,
            "the link ends too early: what stands behind # is missing or cut; copy it whole",
            "链接不完整：# 之后的内容缺失或被截断；请完整复制");
    }
    TRY(secret_read(code, code_name, sizeof out->code, out->code, err));
    TRY(secret_read(key, key_name, sizeof out->org_public, out->org_public, err));
    out->has_tls_pin = slice_cut(&s, '.', &pin);
    if (out->has_tls_pin) TRY(secret_read(pin, pin_name, sizeof out->tls_pin, out->tls_pin, err));
    if (s.len > 0) {
        return err_set(err, ST_INVALID, "there is something behind the link; copy the link alone",
                       "链接后面有多余的内容；请只复制链接本身");
    }
    return ST_OK;
}

enum status session_link_read(struct slice text, struct session_link *out, struct err *err) {
    struct session_link link = {0};
    struct slice rest = slice_trim(text), address;
    if (rest.len == 0)
        return err_set(err, ST_INVALID, "the enrolment link is empty", "注册链接为空");
    if (rest.len > LINK_BYTES_MAX) {
        return err_set(err, ST_INVALID,
                       "this is too long for an enrolment link; copy the link alone",
                       "内容过长，不是注册链接；请只复制链接本身");
    }
    (void)slice_cut(&rest, '#', &address);
    TRY(address_read(address, &link, err));
    TRY(secrets_read(rest, &link, err));
    *out = link;
    return ST_OK;
}

enum status session_link_write(const struct session_link *link, struct buf *out, struct err *err) {
    buf_printf(out, "%s/%s" WHERE "#", link->base_url, link->org);
    buf_put_base64(out, slice_of(link->code, sizeof link->code), true);
    buf_put_byte(out, '.');
    buf_put_base64(out, slice_of(link->org_public, sizeof link->org_public), true);
    if (link->has_tls_pin) {
        buf_put_byte(out, '.');
        buf_put_base64(out, slice_of(link->tls_pin, sizeof link->tls_pin), true);
    }
    return buf_status(out, err);
}
