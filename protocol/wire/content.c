/* Messages that carry a piece of an attachment's content: a head and the piece, never deflated,
 * since photos and recordings are packed already. */
#include "protocol/wire/coder.h"
#include "protocol/wire/messages.h"

static void code_content_request(struct coder *c, struct content_request *m) {
    m->wants = code_number(c, m->wants, 1) != 0;
    code_fixed(c, m->content.bytes, sizeof m->content.bytes);
    m->bytes = code_seq(c, m->bytes);
    m->offset = code_seq(c, m->offset);
    m->bytes_max = code_u32(c, m->bytes_max);
}

static void code_content_reply(struct coder *c, struct content_reply *m) {
    m->whole = code_number(c, m->whole, 1) != 0;
    m->bytes = code_seq(c, m->bytes);
    m->offset = code_seq(c, m->offset);
}

static enum status piece_check(struct slice piece, int64_t bytes, int64_t offset, struct err *err) {
    if (piece.len > WIRE_PIECE_BYTES_MAX)
        return err_set(err, ST_TOO_LARGE, "a piece of more than %d bytes", "数据块超过 %d 字节",
                       WIRE_PIECE_BYTES_MAX);
    if (bytes >= 0 && offset >= 0) return ST_OK;
    return err_set(err, ST_MALFORMED, "a content of negative size", "内容大小为负数");
}

/* Writer and reader of a message of a head and a piece, which is not deflated. The head ends with
 * the piece's length, so that a message that was cut between the two is no message. */
#define PIECE_MESSAGE(name, kind)                                                                  \
    enum status wire_write_##name(const struct name *m, struct buf *out, struct err *err) {        \
        SCOPED(buf_free) struct buf head = buf_new(BUF_MAX_LINE);                                  \
        SCOPED(buf_free) struct buf payload = buf_new(BUF_MAX_MESSAGE);                            \
        struct coder c = coder_writing(&head);                                                     \
        struct name copy = *m;                                                                     \
        TRY(piece_check(m->piece, m->bytes, m->offset, err));                                      \
        code_##name(&c, &copy);                                                                    \
        (void)code_number(&c, m->piece.len, WIRE_PIECE_BYTES_MAX);                                 \
        message_put_section(&payload, SECTION_HEAD, &head);                                        \
        if (m->piece.len) {                                                                        \
            buf_put_varint(&payload, SECTION_PIECE);                                               \
            buf_put_bytes(&payload, m->piece);                                                     \
        }                                                                                          \
        TRY(buf_status(&payload, err));                                                            \
        message_put_stored(out, kind, &payload);                                                   \
        return buf_status(out, err);                                                               \
    }                                                                                              \
    enum status wire_read_##name(struct slice bytes, struct arena *mem, struct name *out,          \
                                 struct err *err) {                                                \
        struct parts parts;                                                                        \
        TRY(message_open(bytes, kind, WIRE_REQUEST_BYTES_MAX, mem, &parts, err));                  \
        struct coder c = coder_reading(parts.at[SECTION_HEAD], mem);                               \
        struct name m = {0};                                                                       \
        code_##name(&c, &m);                                                                       \
        m.piece = parts.at[SECTION_PIECE];                                                         \
        if (code_number(&c, 0, WIRE_PIECE_BYTES_MAX) != m.piece.len) coder_fail(&c, ST_MALFORMED); \
        TRY(coder_end(&c, err));                                                                   \
        TRY(piece_check(m.piece, m.bytes, m.offset, err));                                         \
        *out = m;                                                                                  \
        return ST_OK;                                                                              \
    }

PIECE_MESSAGE(content_request, MESSAGE_CONTENT_REQUEST)
PIECE_MESSAGE(content_reply, MESSAGE_CONTENT_REPLY)
