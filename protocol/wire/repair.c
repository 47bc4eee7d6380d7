/* Messages by which a laptop finds, and gets, the rows in which its book differs. */
#include "protocol/wire/columns.h"
#include "protocol/wire/digest.h"
#include "protocol/wire/messages.h"

enum { PLACES_MAX = DIGEST_FAN };

static void code_sum(struct coder *c, uint64_t *sum) {
    uint8_t bytes[sizeof *sum];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(*sum >> (8 * i));
    code_fixed(c, bytes, sizeof bytes);
    if (!c->reading) return;
    *sum = 0;
    for (size_t i = 0; i < sizeof bytes; i++) *sum |= (uint64_t)bytes[i] << (8 * i);
}

static void code_places(struct coder *c, uint32_t **places, size_t *count) {
    *count = code_count(c, *count, 1);
    *places = code_items(c, *places, *count, sizeof **places);
    for (size_t i = 0; i < *count && !coder_failed(c); i++)
        (*places)[i] = (uint32_t)code_number(c, (*places)[i], DIGEST_BUCKETS - 1);
    if (*count > PLACES_MAX) coder_fail(c, ST_MALFORMED);
}

static void code_rows(struct coder *c, struct repair_row **rows, size_t *count, bool hashes) {
    *count = code_count(c, *count, 2);
    *rows = code_items(c, *rows, *count, sizeof **rows);
    for (size_t i = 0; i < *count && !coder_failed(c); i++) {
        struct repair_row row = (*rows)[i];
        row.entity_tag = code_u32(c, row.entity_tag);
        row.row = code_seq(c, row.row);
        if (hashes) code_sum(c, &row.hash);
        if (row.row < 0 || row.row > ID_MAX) coder_fail(c, ST_MALFORMED);
        if (c->reading) (*rows)[i] = row;
    }
    if (*count > REPAIR_ROWS_MAX) coder_fail(c, ST_MALFORMED);
}

static bool request_is_sound(const struct repair_request *m) {
    switch (m->step) {
    case REPAIR_WHOLE:
        return m->place_count == 0 && m->sum_count == DIGEST_FAN && m->row_count == 0;
    case REPAIR_PARTS:
        return m->place_count > 0 && m->place_count <= REPAIR_PARTS_MAX &&
               m->sum_count == m->place_count * DIGEST_FAN && m->row_count == 0;
    case REPAIR_ROWS:
        return m->place_count > 0 && m->place_count <= REPAIR_BUCKETS_MAX && m->sum_count == 0;
    }
    return false;
}

static void code_repair_request(struct coder *c, struct repair_request *m) {
    m->step = (enum repair_step)code_number(c, m->step, REPAIR_ROWS);
    code_places(c, &m->places, &m->place_count);
    m->sum_count = code_count(c, m->sum_count, sizeof *m->sums);
    m->sums = code_items(c, m->sums, m->sum_count, sizeof *m->sums);
    for (size_t i = 0; i < m->sum_count && !coder_failed(c); i++) {
        uint64_t sum = m->sums[i];
        code_sum(c, &sum);
        if (c->reading) m->sums[i] = sum;
    }
    code_rows(c, &m->rows, &m->row_count, true);
    if (c->reading && !coder_failed(c) && !request_is_sound(m)) coder_fail(c, ST_MALFORMED);
}

static void code_repair_reply(struct coder *c, struct repair_reply *m) {
    m->more = code_number(c, m->more, 1) != 0;
    code_places(c, &m->places, &m->place_count);
    code_rows(c, &m->drops, &m->drop_count, false);
}

enum status wire_write_repair_request(const struct repair_request *m, struct buf *out,
                                      struct err *err) {
    SCOPED(buf_free) struct buf payload = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf head = buf_new(BUF_MAX_MESSAGE);
    struct coder c = coder_writing(&head);
    struct repair_request copy = *m;
    struct cuts none = {0};
    code_repair_request(&c, &copy);
    TRY(coder_status(&c, err));
    message_put_section(&payload, SECTION_HEAD, &head);
    return message_put(MESSAGE_REPAIR_REQUEST, &payload, &none, 6, WIRE_REQUEST_BYTES_MAX, out,
                       err);
}

enum status wire_read_repair_request(struct slice bytes, struct arena *mem,
                                     struct repair_request *out, struct err *err) {
    struct parts parts;
    struct repair_request m = {0};
    TRY(message_open(bytes, MESSAGE_REPAIR_REQUEST, WIRE_REQUEST_BYTES_MAX, mem, &parts, err));
    struct coder c = coder_reading(parts.at[SECTION_HEAD], mem);
    code_repair_request(&c, &m);
    TRY(coder_end(&c, err));
    *out = m;
    return ST_OK;
}

enum status wire_write_repair_reply(const struct repair_reply *m, int level, struct buf *out,
                                    struct err *err) {
    SCOPED(buf_free) struct buf payload = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_MESSAGE);
    struct coder c = coder_writing(&part);
    struct repair_reply copy = *m;
    struct cuts none = {0};
    code_repair_reply(&c, &copy);
    TRY(coder_status(&c, err));
    message_put_section(&payload, SECTION_HEAD, &part);
    if (m->record_count > 0) {
        buf_reset(&part);
        TRY(records_write(m->records, m->record_count, &part, NULL, err));
        message_put_section(&payload, SECTION_RECORDS, &part);
    }
    return message_put(MESSAGE_REPAIR_REPLY, &payload, &none, level, WIRE_REPLY_BYTES_MAX, out,
                       err);
}

enum status wire_read_repair_reply(struct slice bytes, struct arena *mem, struct repair_reply *out,
                                   struct err *err) {
    struct parts parts;
    struct repair_reply m = {0};
    TRY(message_open(bytes, MESSAGE_REPAIR_REPLY, WIRE_REPLY_BYTES_MAX, mem, &parts, err));
    struct coder c = coder_reading(parts.at[SECTION_HEAD], mem);
    code_repair_reply(&c, &m);
    TRY(coder_end(&c, err));
    size_t room = CODER_ROOM_BASE + CODER_ROOM_FACTOR * parts.payload_bytes;
    if (parts.has[SECTION_RECORDS])
        TRY(records_read(parts.at[SECTION_RECORDS], mem, room, &m.records, &m.record_count, err));
    *out = m;
    return ST_OK;
}
