/* Fields of a message: looking them up, adding them, and proving the body by Content-Digest.
 *
 * Names of fields are the same in any case. Values are taken as they stand: a proof is over the
 * exact bytes, so that nothing here tidies more than the blanks around a value.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "protocol/session/fields.h"

#define DIGEST_PREFIX "sha-256=:"
enum { DIGEST_BYTES = sizeof DIGEST_PREFIX - 1 + 44 + 1 }; /* prefix, base64 of 32 bytes, colon */

const char *session_http_field(const struct session_http *m, const char *name) {
    for (size_t i = 0; i < m->field_count; i++) {
        if (strcasecmp(m->fields[i].name, name) == 0) return m->fields[i].value;
    }
    return NULL;
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t';
}

static struct slice trim_blanks(struct slice s) {
    while (s.len && is_blank(s.data[0])) s = slice_of(s.data + 1, s.len - 1);
    while (s.len && is_blank(s.data[s.len - 1])) s.len--;
    return s;
}

bool fields_single(const struct session_http *m, const char *name, struct slice *out) {
    const char *value = NULL;
    for (size_t i = 0; i < m->field_count; i++) {
        if (strcasecmp(m->fields[i].name, name) != 0) continue;
        if (value) return false;
        value = m->fields[i].value;
    }
    if (!value) return false;
    *out = trim_blanks(slice_from(value));
    return true;
}

void fields_add(struct session_http *m, const char *name, const char *value) {
    assert(m->field_count < SESSION_FIELDS_MAX);
    m->fields[m->field_count++] = (struct session_field){name, value};
}

/* The length of the dictionary's first member: up to the next comma that stands in no string. */
static size_t member_len(struct slice s) {
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        if (quoted && s.data[i] == '\\') {
            i++;
        } else if (s.data[i] == '"') {
            quoted = !quoted;
        } else if (s.data[i] == ',' && !quoted) {
            return i;
        }
    }
    return s.len;
}

bool fields_member(struct slice dictionary, const char *label, struct slice *out) {
    struct slice name = slice_from(label), found = {0};
    while (dictionary.len) {
        size_t len = member_len(dictionary);
        struct slice member = trim_blanks(slice_of(dictionary.data, len));
        size_t gone = len < dictionary.len ? len + 1 : len;
        dictionary = slice_of(dictionary.data + gone, dictionary.len - gone);
        if (member.len == 0) return false;
        if (!slice_starts(member, name)) continue;
        if (member.len == name.len || member.data[name.len] != '=') continue;
        if (found.data) return false;
        found = slice_of(member.data + name.len + 1, member.len - name.len - 1);
    }
    if (!found.data) return false;
    *out = found;
    return true;
}

static void digest_write(struct slice body, struct buf *out) {
    struct hash hash = hash_sha256(body);
    buf_put_text(out, DIGEST_PREFIX);
    buf_put_base64(out, slice_of(hash.bytes, sizeof hash.bytes), false);
    buf_put_byte(out, ':');
}

enum status fields_add_digest(struct session_http *m, struct arena *mem, struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(DIGEST_BYTES);
    digest_write(m->body, &text);
    TRY(buf_status(&text, err));
    char *value = arena_string(mem, buf_slice(&text));
    if (!value) return err_no_memory(err);
    fields_add(m, "Content-Digest", value);
    return ST_OK;
}

enum status fields_check_digest(const struct session_http *m, struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(DIGEST_BYTES);
    digest_write(m->body, &text);
    TRY(buf_status(&text, err));
    struct slice value;
    if (fields_single(m, "Content-Digest", &value) && slice_equal(value, buf_slice(&text))) {
        return ST_OK;
    }
    return err_set(err, ST_UNAUTHENTIC, "the body is not the one that its digest names",
                   "正文与其摘要不符");
}

/* ------------------------------------------------------------------ whole messages */

enum status fields_copy_body(const struct buf *encoded, struct arena *mem, struct slice *out,
                             struct err *err) {
    struct slice body = arena_copy(mem, buf_slice(encoded));
    if (!body.data) return err_no_memory(err);
    *out = body;
    return ST_OK;
}

void session_http_write(const struct session_http *m, struct buf *out) {
    if (m->method)
        buf_printf(out, "%s %s HTTP/1.1\r\n", m->method, m->path);
    else
        buf_printf(out, "HTTP/1.1 %d\r\n", m->code);
    for (size_t i = 0; i < m->field_count; i++)
        buf_printf(out, "%s: %s\r\n", m->fields[i].name, m->fields[i].value);
    buf_put_text(out, "\r\n");
    buf_put_slice(out, m->body);
}
