/* The messages of enrolment, hello and waiting: a head, and hardly ever a section beside it. */
#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"
#include "protocol/wire/succession.h"

static void code_hello_request(struct coder *c, struct hello_request *m) {
    m->device = code_u32(c, m->device);
    code_fixed(c, m->box_public, sizeof m->box_public);
    m->release = code_text(c, m->release);
    code_fixed(c, m->catalogue.bytes, sizeof m->catalogue.bytes);
    m->wall_ms = code_signed(c, m->wall_ms);
}

static void code_hello_reply(struct coder *c, struct hello_reply *m) {
    code_fixed(c, m->box_public, sizeof m->box_public);
    m->time_ms = code_signed(c, m->time_ms);
    m->key_ms = code_signed(c, m->key_ms);
    m->nonce = code_text(c, m->nonce);
    m->release = code_text(c, m->release);
    m->minimum_release = code_text(c, m->minimum_release);
}

static void code_enroll_request(struct coder *c, struct enroll_request *m) {
    m->code = code_text(c, m->code);
    code_fixed(c, m->device_public, sizeof m->device_public);
    m->device_name = code_text(c, m->device_name);
    m->release = code_text(c, m->release);
}

static void code_enroll_reply(struct coder *c, struct enroll_reply *m) {
    m->device = code_u32(c, m->device);
    m->employee = code_seq(c, m->employee);
    m->user = code_text(c, m->user);
    m->org_label = code_text(c, m->org_label);
    m->epoch = code_seq(c, m->epoch);
    m->time_ms = code_signed(c, m->time_ms);
}

static void code_wait_request(struct coder *c, struct wait_request *m) {
    m->epoch = code_seq(c, m->epoch);
    m->seq = code_seq(c, m->seq);
}

/* Sections beside the head. */
static enum status put_hello_request(const struct hello_request *m, struct buf *payload,
                                     struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (m->has_wiped) {
        TRY(wiped_write(m->wiped_order_ms, &part, err));
        message_put_section(payload, SECTION_WIPED, &part);
    }
    if (m->key_changes == 0) return ST_OK;
    buf_reset(&part);
    TRY(keys_known_write(m->key_changes, &part, err));
    message_put_section(payload, SECTION_KEYS, &part);
    return ST_OK;
}

static enum status take_hello_request(const struct parts *parts, struct arena *mem,
                                      struct hello_request *m, struct err *err) {
    (void)mem;
    m->has_wiped = parts->has[SECTION_WIPED];
    if (m->has_wiped) TRY(wiped_read(parts->at[SECTION_WIPED], &m->wiped_order_ms, err));
    if (!parts->has[SECTION_KEYS]) return ST_OK;
    return keys_known_read(parts->at[SECTION_KEYS], &m->key_changes, err);
}

static enum status put_keys(const struct key_changes *keys, struct buf *payload, struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (keys->total == 0) return ST_OK;
    TRY(keys_write(keys, &part, err));
    message_put_section(payload, SECTION_KEYS, &part);
    return ST_OK;
}

static enum status take_keys(const struct parts *parts, struct arena *mem, struct key_changes *keys,
                             struct err *err) {
    if (!parts->has[SECTION_KEYS]) return ST_OK;
    return keys_read(parts->at[SECTION_KEYS], mem, keys, err);
}

static enum status put_hello_reply(const struct hello_reply *m, struct buf *payload,
                                   struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    TRY(put_keys(&m->keys, payload, err));
    if (m->lease_days == 0) return ST_OK;
    TRY(terms_write(m->lease_days, &part, err));
    message_put_section(payload, SECTION_TERMS, &part);
    return ST_OK;
}

static enum status take_hello_reply(const struct parts *parts, struct arena *mem,
                                    struct hello_reply *m, struct err *err) {
    TRY(take_keys(parts, mem, &m->keys, err));
    if (!parts->has[SECTION_TERMS]) return ST_OK;
    return terms_read(parts->at[SECTION_TERMS], &m->lease_days, err);
}

static enum status put_enroll_request(const struct enroll_request *m, struct buf *payload,
                                      struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_MESSAGE);
    if (!m->copy) return ST_OK;
    TRY(copy_write(m->copy, &part, err));
    message_put_section(payload, SECTION_COPY, &part);
    if (m->copy->save_count == 0) return ST_OK;
    buf_reset(&part);
    TRY(saves_write(m->copy, &part, err));
    message_put_section(payload, SECTION_SAVES, &part);
    return ST_OK;
}

static enum status take_enroll_request(const struct parts *parts, struct arena *mem,
                                       struct enroll_request *m, struct err *err) {
    if (!parts->has[SECTION_COPY]) return ST_OK;
    m->copy = ARENA_NEW(mem, struct copied_book);
    if (!m->copy) return err_no_memory(err);
    TRY(copy_read(parts->at[SECTION_COPY], mem, m->copy, err));
    if (!parts->has[SECTION_SAVES]) return ST_OK;
    return saves_read(parts->at[SECTION_SAVES], mem, m->copy, err);
}

static enum status put_enroll_reply(const struct enroll_reply *m, struct buf *payload,
                                    struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    TRY(put_keys(&m->keys, payload, err));
    if (!m->has_kept) return ST_OK;
    buf_reset(&part);
    TRY(kept_write(m->kept.last, &part, err));
    message_put_section(payload, SECTION_KEPT, &part);
    if (!m->kept.otherwise) return ST_OK;
    buf_reset(&part);
    TRY(taken_write(&m->kept.chain, &part, err));
    message_put_section(payload, SECTION_TAKEN, &part);
    return ST_OK;
}

static enum status take_enroll_reply(const struct parts *parts, struct arena *mem,
                                     struct enroll_reply *m, struct err *err) {
    TRY(take_keys(parts, mem, &m->keys, err));
    m->has_kept = parts->has[SECTION_KEPT];
    if (m->has_kept) TRY(kept_read(parts->at[SECTION_KEPT], &m->kept.last, err));
    m->kept.otherwise = m->has_kept && parts->has[SECTION_TAKEN];
    return m->kept.otherwise ? taken_read(parts->at[SECTION_TAKEN], &m->kept.chain, err) : ST_OK;
}

static enum status put_wait_request(const struct wait_request *m, struct buf *payload,
                                    struct err *err) {
    (void)m;
    (void)payload;
    (void)err;
    return ST_OK;
}

static enum status take_wait_request(const struct parts *parts, struct arena *mem,
                                     struct wait_request *m, struct err *err) {
    (void)parts;
    (void)mem;
    (void)m;
    (void)err;
    return ST_OK;
}

/* Writer and reader of a message that is a head, and hardly ever more. */
#define HEAD_MESSAGE(name, kind)                                                                   \
    enum status wire_write_##name(const struct name *m, struct buf *out, struct err *err) {        \
        SCOPED(buf_free) struct buf head = buf_new(BUF_MAX_MESSAGE);                               \
        SCOPED(buf_free) struct buf payload = buf_new(BUF_MAX_MESSAGE);                            \
        struct coder c = coder_writing(&head);                                                     \
        struct name copy = *m;                                                                     \
        struct cuts none = {0};                                                                    \
        code_##name(&c, &copy);                                                                    \
        message_put_section(&payload, SECTION_HEAD, &head);                                        \
        TRY(put_##name(m, &payload, err));                                                         \
        return message_put(kind, &payload, &none, 9, WIRE_REQUEST_BYTES_MAX, out, err);            \
    }                                                                                              \
    enum status wire_read_##name(struct slice bytes, struct arena *mem, struct name *out,          \
                                 struct err *err) {                                                \
        struct parts parts;                                                                        \
        TRY(message_open(bytes, kind, WIRE_REQUEST_BYTES_MAX, mem, &parts, err));                  \
        struct coder c = coder_reading(parts.at[SECTION_HEAD], mem);                               \
        struct name m = {0};                                                                       \
        code_##name(&c, &m);                                                                       \
        TRY(coder_end(&c, err));                                                                   \
        TRY(take_##name(&parts, mem, &m, err));                                                    \
        *out = m;                                                                                  \
        return ST_OK;                                                                              \
    }

HEAD_MESSAGE(hello_request, MESSAGE_HELLO_REQUEST)
HEAD_MESSAGE(hello_reply, MESSAGE_HELLO_REPLY)
HEAD_MESSAGE(enroll_request, MESSAGE_ENROLL_REQUEST)
HEAD_MESSAGE(enroll_reply, MESSAGE_ENROLL_REPLY)
HEAD_MESSAGE(wait_request, MESSAGE_WAIT_REQUEST)

/* The head of the message of keys is what the section of a reply is. */
enum status wire_write_keys(const struct key_changes *m, struct buf *out, struct err *err) {
    SCOPED(buf_free) struct buf head = buf_new(BUF_MAX_LINE);
    SCOPED(buf_free) struct buf payload = buf_new(BUF_MAX_LINE);
    TRY(keys_write(m, &head, err));
    message_put_section(&payload, SECTION_HEAD, &head);
    message_put_stored(out, MESSAGE_KEYS, &payload);
    return buf_status(out, err);
}

enum status wire_read_keys(struct slice bytes, struct arena *mem, struct key_changes *out,
                           struct err *err) {
    struct parts parts;
    TRY(message_open(bytes, MESSAGE_KEYS, WIRE_REQUEST_BYTES_MAX, mem, &parts, err));
    return keys_read(parts.at[SECTION_HEAD], mem, out, err);
}

bool wire_is_keys(struct slice message) {
    enum message_kind kind;
    return message_kind_of(message, &kind, NULL) == ST_OK && kind == MESSAGE_KEYS;
}
