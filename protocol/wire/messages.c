/* Messages: header, sections, and the heads of each kind.
 *
 * Header: magic byte, version, kind, coding; for the deflated coding then 4 bytes that name the
 * dictionary and the length of the payload as a varint. Payload: sections of tag, length and bytes;
 * sections with a tag that this release does not know are skipped.
 */
#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"

enum { MAGIC = 0xB7, HEADER_BYTES = 4, DEFLATE_BYTES_MIN = 96 };
enum coding { CODING_STORED, CODING_DEFLATED };

/* ------------------------------------------------------------------ header and sections */

static void put_header(struct buf *out, enum message_kind kind, enum coding coding) {
    uint8_t header[HEADER_BYTES] = {MAGIC, WIRE_VERSION, (uint8_t)kind, (uint8_t)coding};
    buf_put(out, header, sizeof header);
}

void message_put_stored(struct buf *out, enum message_kind kind, const struct buf *payload) {
    put_header(out, kind, CODING_STORED);
    buf_put_slice(out, buf_slice(payload));
}

/* Deflate begins with work on the whole dictionary, which a message of a few bytes never earns
 * back. */
static enum status put_coded(struct buf *out, enum message_kind kind, const struct buf *payload,
                             const struct cuts *cuts, int level, struct err *err) {
    size_t begin = out->len;
    if (payload->len >= DEFLATE_BYTES_MIN) {
        put_header(out, kind, CODING_DEFLATED);
        buf_put_slice(out, dictionary_name());
        buf_put_varint(out, payload->len);
        TRY(deflate_write(buf_slice(payload), cuts->at, cuts->count, level, out, err));
        if (out->len - begin < HEADER_BYTES + payload->len) return ST_OK;
        out->len = begin;
    }
    message_put_stored(out, kind, payload);
    return buf_status(out, err);
}

/* Appends the message with this payload to out, deflated where that is shorter. */
enum status message_put(enum message_kind kind, const struct buf *payload, const struct cuts *cuts,
                        int level, size_t bytes_max, struct buf *out, struct err *err) {
    TRY(buf_status(payload, err));
    size_t begin = out->len;
    TRY(put_coded(out, kind, payload, cuts, level, err));
    if (out->len - begin <= bytes_max) return ST_OK;
    out->len = begin;
    return err_set(err, ST_TOO_LARGE, "a message of more than %zu bytes", "报文超过 %zu 字节",
                   bytes_max);
}

void message_put_section(struct buf *payload, enum section section, const struct buf *content) {
    buf_put_varint(payload, section);
    buf_put_bytes(payload, buf_slice(content));
    if (content->failed) payload->failed = true;
}

static enum status inflate_payload(struct reader *r, struct arena *mem, struct slice *out,
                                   struct err *err) {
    struct slice name = reader_take(r, dictionary_name().len);
    uint64_t bytes = reader_varint(r);
    if (r->failed) return err_set(err, ST_MALFORMED, "the message is cut short", "报文不完整");
    if (!slice_equal(name, dictionary_name())) {
        return err_set(err, ST_VERSION, "deflated with another dictionary", "压缩字典不同");
    }
    if (bytes > WIRE_INFLATED_BYTES_MAX) {
        return err_set(err, ST_TOO_LARGE, "the message inflates to more than %d bytes",
                       "报文解压后超过 %d 字节", WIRE_INFLATED_BYTES_MAX);
    }
    return deflate_read(reader_take(r, reader_left(r)), mem, (size_t)bytes, out, err);
}

/* The header's kind, without looking at anything else. */
enum status message_kind_of(struct slice bytes, enum message_kind *out, struct err *err) {
    if (bytes.len < HEADER_BYTES || bytes.data[0] != MAGIC) {
        return err_set(err, ST_MALFORMED, "not a message of this protocol", "不是本协议的报文");
    }
    if (bytes.data[1] != WIRE_VERSION) {
        return err_set(err, ST_VERSION, "wire version %u; this release speaks %d",
                       "报文版本 %u；本版支持 %d", (unsigned)bytes.data[1], WIRE_VERSION);
    }
    if (bytes.data[2] < 1 || bytes.data[2] >= MESSAGE_KIND_COUNT) {
        return err_set(err, ST_MALFORMED, "no message of kind %u", "没有类型为 %u 的报文",
                       (unsigned)bytes.data[2]);
    }
    *out = (enum message_kind)bytes.data[2];
    return ST_OK;
}

static enum status open_payload(struct slice bytes, enum message_kind kind, size_t bytes_max,
                                struct arena *mem, struct slice *out, struct err *err) {
    if (bytes.len > bytes_max) {
        return err_set(err, ST_TOO_LARGE, "a message of more than %zu bytes", "报文超过 %zu 字节",
                       bytes_max);
    }
    enum message_kind is;
    TRY(message_kind_of(bytes, &is, err));
    if (is != kind) return err_set(err, ST_MALFORMED, "a message of another kind", "报文类型不符");
    struct reader r = reader_of(slice_of(bytes.data + HEADER_BYTES, bytes.len - HEADER_BYTES));
    if (bytes.data[3] == CODING_DEFLATED) return inflate_payload(&r, mem, out, err);
    if (bytes.data[3] != CODING_STORED) {
        return err_set(err, ST_VERSION, "coding %u is not known", "未知的编码 %u",
                       (unsigned)bytes.data[3]);
    }
    *out = reader_take(&r, reader_left(&r));
    return ST_OK;
}

enum status message_open(struct slice bytes, enum message_kind kind, size_t bytes_max,
                         struct arena *mem, struct parts *out, struct err *err) {
    struct slice payload = {0};
    TRY(open_payload(bytes, kind, bytes_max, mem, &payload, err));
    *out = (struct parts){.payload_bytes = payload.len};
    struct reader r = reader_of(payload);
    while (reader_left(&r) > 0) {
        uint64_t tag = reader_varint(&r);
        struct slice content = reader_bytes(&r, payload.len);
        if (tag >= SECTION_COUNT) continue;
        if (out->has[tag]) r.failed = true;
        out->at[tag] = content;
        out->has[tag] = true;
    }
    if (!r.failed && out->has[SECTION_HEAD]) return ST_OK;
    return err_set(err, ST_MALFORMED, "the sections of the message are damaged",
                   "报文的分段已损坏");
}

static size_t room_of(const struct parts *parts) {
    return CODER_ROOM_BASE + CODER_ROOM_FACTOR * parts->payload_bytes;
}

/* ------------------------------------------------------------------ rounds */

enum request_flags {
    REQUEST_TOP_IS_CURSOR = 1,
    REQUEST_SINCE_IS_CURSOR = 2,
    REQUEST_USUAL_PAGE = 4,
    REQUEST_NO_BATCHES_YET = 8,
    REQUEST_NOTHING_YET = 16,
    REQUEST_FLAGS = 31
};
enum reply_flags {
    REPLY_CURSOR_IS_HEAD = 1,
    REPLY_SINCE_IS_CURSOR = 2,
    REPLY_MORE = 4,
    REPLY_RETRY = 8,
    REPLY_NEWS = 16,
    REPLY_FLAGS = 31
};

static bool position_equal(const struct position *a, const struct position *b) {
    return a->seq == b->seq && memcmp(a->chain.bytes, b->chain.bytes, CHAIN_BYTES) == 0;
}

static void code_position(struct coder *c, struct position *p) {
    p->seq = code_seq(c, p->seq);
    code_fixed(c, p->chain.bytes, CHAIN_BYTES);
}

static void code_envelope(struct coder *c, struct envelope *e) {
    e->now.wall_ms = code_signed(c, e->now.wall_ms);
    e->now.boot_number = code_u32(c, e->now.boot_number);
    e->now.boot_ms = code_signed(c, e->now.boot_ms);
    e->now.steps_ms = code_signed(c, e->now.steps_ms);
    e->expected_offset_ms = code_signed(c, e->expected_offset_ms);
    e->suspect_boot = code_u32(c, e->suspect_boot);
}

static unsigned request_flags(const struct round_request *m) {
    struct position nothing = {0};
    struct position batches = {m->last_batch, m->last_chain};
    unsigned flags = 0;
    if (position_equal(&m->top, &m->cursor)) flags |= REQUEST_TOP_IS_CURSOR;
    if (m->since == m->cursor.seq) flags |= REQUEST_SINCE_IS_CURSOR;
    if (m->page_bytes == WIRE_PAGE_BYTES) flags |= REQUEST_USUAL_PAGE;
    if (position_equal(&batches, &nothing)) flags |= REQUEST_NO_BATCHES_YET;
    if (position_equal(&m->cursor, &nothing)) flags |= REQUEST_NOTHING_YET;
    return flags;
}

static void code_round_request(struct coder *c, struct round_request *m) {
    unsigned flags = (unsigned)code_number(c, request_flags(m), REQUEST_FLAGS);
    m->epoch = code_seq(c, m->epoch);
    if (!(flags & REQUEST_NOTHING_YET)) code_position(c, &m->cursor);
    if (flags & REQUEST_TOP_IS_CURSOR) {
        m->top = m->cursor;
    } else {
        code_position(c, &m->top);
    }
    m->since = flags & REQUEST_SINCE_IS_CURSOR ? m->cursor.seq : code_seq(c, m->since);
    m->news_version = code_seq(c, m->news_version);
    if (!(flags & REQUEST_NO_BATCHES_YET)) {
        m->last_batch = code_u32(c, m->last_batch);
        code_fixed(c, m->last_chain.bytes, CHAIN_BYTES);
    }
    code_envelope(c, &m->envelope);
    m->page_bytes = flags & REQUEST_USUAL_PAGE ? WIRE_PAGE_BYTES : code_u32(c, m->page_bytes);
}

static enum status put_request_scope(const struct round_request *m, struct buf *payload,
                                     struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (m->scope.told == 0) return ST_OK;
    TRY(scope_write(&m->scope, m->wants_digest, &part, err));
    message_put_section(payload, SECTION_SCOPE, &part);
    return ST_OK;
}

static enum status put_recovery(const struct round_request *m, struct buf *payload,
                                struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_MESSAGE);
    if (m->mark_count > 0) {
        TRY(marks_write(m->marks, m->mark_count, &part, err));
        message_put_section(payload, SECTION_MARKS, &part);
    }
    if (m->has_voucher) {
        buf_reset(&part);
        TRY(voucher_write(&m->voucher, &part, err));
        message_put_section(payload, SECTION_VOUCHER, &part);
    }
    if (m->facts) {
        buf_reset(&part);
        TRY(batches_write(m->facts, 1, &part, NULL, err));
        message_put_section(payload, SECTION_FACTS, &part);
    }
    if (m->added_count > 0) {
        buf_reset(&part);
        TRY(added_write(m->added, m->added_count, &part, err));
        message_put_section(payload, SECTION_ADDED, &part);
    }
    if (!m->given) return ST_OK;
    buf_reset(&part);
    TRY(given_write(m->given, &part, err));
    message_put_section(payload, SECTION_GIVEN, &part);
    return ST_OK;
}

static enum status read_recovery(const struct parts *parts, struct arena *mem,
                                 struct round_request *m, struct err *err) {
    if (parts->has[SECTION_MARKS])
        TRY(marks_read(parts->at[SECTION_MARKS], mem, &m->marks, &m->mark_count, err));
    if (parts->has[SECTION_FACTS])
        TRY(facts_read(parts->at[SECTION_FACTS], mem, room_of(parts), &m->facts, err));
    m->has_voucher = parts->has[SECTION_VOUCHER];
    if (m->has_voucher) TRY(voucher_read(parts->at[SECTION_VOUCHER], mem, &m->voucher, err));
    if (parts->has[SECTION_ADDED])
        TRY(added_read(parts->at[SECTION_ADDED], mem, room_of(parts), &m->added, &m->added_count,
                       err));
    if (parts->has[SECTION_GIVEN])
        TRY(given_read(parts->at[SECTION_GIVEN], mem, room_of(parts), &m->given, err));
    return ST_OK;
}

enum status wire_write_round_request(const struct round_request *m, int level, struct buf *out,
                                     struct err *err) {
    SCOPED(buf_free) struct buf payload = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_MESSAGE);
    struct coder c = coder_writing(&part);
    struct round_request copy = *m;
    struct cuts cuts = {0};
    code_round_request(&c, &copy);
    message_put_section(&payload, SECTION_HEAD, &part);
    if (m->batch_count > 0) {
        buf_reset(&part);
        buf_put(&part, m->signature, SIGN_BYTES);
        message_put_section(&payload, SECTION_SIGNATURE, &part);
        buf_reset(&part);
        TRY(batches_write(m->batches, m->batch_count, &part, &cuts, err));
        message_put_section(&payload, SECTION_BATCHES, &part);
        for (size_t i = 0; i < cuts.count; i++) cuts.at[i] += payload.len - part.len;
    }
    TRY(put_recovery(m, &payload, err));
    TRY(put_request_scope(m, &payload, err));
    if (m->has_report) {
        buf_reset(&part);
        TRY(report_write(&m->report, &part, err));
        message_put_section(&payload, SECTION_REPORT, &part);
    }
    return message_put(MESSAGE_ROUND_REQUEST, &payload, &cuts, level, WIRE_REQUEST_BYTES_MAX, out,
                       err);
}

static enum status malformed_sections(struct err *err) {
    return err_set(err, ST_MALFORMED, "sections that belong together are not both there",
                   "报文缺少配套的分段");
}

enum status wire_read_round_request(struct slice bytes, struct arena *mem,
                                    struct round_request *out, struct err *err) {
    struct parts parts;
    TRY(message_open(bytes, MESSAGE_ROUND_REQUEST, WIRE_REQUEST_BYTES_MAX, mem, &parts, err));
    struct round_request m = {0};
    struct coder c = coder_reading(parts.at[SECTION_HEAD], mem);
    code_round_request(&c, &m);
    TRY(coder_end(&c, err));
    if (parts.has[SECTION_BATCHES] != parts.has[SECTION_SIGNATURE]) return malformed_sections(err);
    if (parts.has[SECTION_BATCHES]) {
        TRY(batches_read(parts.at[SECTION_BATCHES], mem, room_of(&parts), &m.batches,
                         &m.batch_count, err));
        if (parts.at[SECTION_SIGNATURE].len != SIGN_BYTES || m.batch_count == 0)
            return malformed_sections(err);
        memcpy(m.signature, parts.at[SECTION_SIGNATURE].data, SIGN_BYTES);
    }
    TRY(read_recovery(&parts, mem, &m, err));
    m.has_report = parts.has[SECTION_REPORT];
    if (m.has_report) TRY(report_read(parts.at[SECTION_REPORT], &m.report, err));
    if (parts.has[SECTION_SCOPE])
        TRY(scope_read(parts.at[SECTION_SCOPE], mem, &m.scope, &m.wants_digest, err));
    *out = m;
    return ST_OK;
}

/* ------------------------------------------------------------------ replies */

static unsigned reply_flags(const struct round_reply *m) {
    unsigned flags = 0;
    if (position_equal(&m->cursor, &m->head)) flags |= REPLY_CURSOR_IS_HEAD;
    if (m->since == m->cursor.seq) flags |= REPLY_SINCE_IS_CURSOR;
    if (m->more) flags |= REPLY_MORE;
    if (m->retry_ms > 0) flags |= REPLY_RETRY;
    if (m->has_news) flags |= REPLY_NEWS;
    return flags;
}

static void code_round_reply(struct coder *c, struct round_reply *m) {
    unsigned flags = (unsigned)code_number(c, reply_flags(m), REPLY_FLAGS);
    m->epoch = code_seq(c, m->epoch);
    m->time_ms = code_signed(c, m->time_ms);
    code_position(c, &m->head);
    if (flags & REPLY_CURSOR_IS_HEAD) {
        m->cursor = m->head;
    } else {
        code_position(c, &m->cursor);
    }
    m->since = flags & REPLY_SINCE_IS_CURSOR ? m->cursor.seq : code_seq(c, m->since);
    m->more = (flags & REPLY_MORE) != 0;
    m->retry_ms = flags & REPLY_RETRY ? code_u32(c, m->retry_ms) : 0;
    m->last_batch = code_u32(c, m->last_batch);
    m->has_news = (flags & REPLY_NEWS) != 0;
    if (m->has_news) m->news_version = code_seq(c, m->news_version);
}

static void code_reply_head(struct coder *c, struct round_reply *m) {
    m->kind = (enum reply_kind)code_number(c, m->kind, REPLY_CLONED);
    switch (m->kind) {
    case REPLY_ROUND: code_round_reply(c, m); break;
    case REPLY_EPOCH:
        m->epoch = code_seq(c, m->epoch);
        code_position(c, &m->cursor);
        break;
    case REPLY_CLONED: m->last_batch = code_u32(c, m->last_batch); break;
    }
}

/* What the org signs: the device that the receipts are for, and the section as it travels. */
static void put_receipts_bytes(uint32_t device, struct slice section, struct buf *out) {
    buf_put_varint(out, device);
    buf_put_slice(out, section);
}

static enum status put_receipts(const struct round_reply *m, uint32_t device,
                                const struct sign_key *key, struct buf *payload, struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf signed_bytes = buf_new(BUF_MAX_MESSAGE);
    TRY(receipts_write(m->receipts, m->receipt_count, &part, err));
    put_receipts_bytes(device, buf_slice(&part), &signed_bytes);
    TRY(buf_status(&signed_bytes, err));
    message_put_section(payload, SECTION_RECEIPTS, &part);
    uint8_t signature[SIGN_BYTES];
    sign_make(key, buf_slice(&signed_bytes), signature);
    buf_reset(&part);
    buf_put(&part, signature, sizeof signature);
    message_put_section(payload, SECTION_SIGNATURE, &part);
    return ST_OK;
}

/* A page brings the log or rows of homes being filled, hardly ever both: cuts are of the first. */
static enum status put_records(enum section section, const struct record *records, size_t count,
                               struct buf *payload, struct cuts *cuts, struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_MESSAGE);
    bool first = cuts->count == 0;
    if (count == 0) return ST_OK;
    TRY(records_write(records, count, &part, first ? cuts : NULL, err));
    message_put_section(payload, section, &part);
    for (size_t i = 0; first && i < cuts->count; i++) cuts->at[i] += payload->len - part.len;
    return ST_OK;
}

#define PUT_PART(section, write, items, count)                                                     \
    do {                                                                                           \
        if ((count) == 0) break;                                                                   \
        buf_reset(&part);                                                                          \
        TRY(write(items, count, &part, err));                                                      \
        message_put_section(payload, section, &part);                                              \
    } while (0)

static enum status put_reply_parts(const struct round_reply *m, struct buf *payload,
                                   struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_MESSAGE);
    if (m->has_news) PUT_PART(SECTION_PEOPLE, people_write, m->people, m->people_count);
    if (m->has_news) PUT_PART(SECTION_ADDED, added_write, m->added, m->added_count);
    PUT_PART(SECTION_ALIASES, aliases_write, m->aliases, m->alias_count);
    PUT_PART(SECTION_LEDGER, ledger_write, m->ledger, m->ledger_count);
    PUT_PART(SECTION_HELD, held_write, m->held, m->held_count);
    if (late_count(m->receipts, m->receipt_count) > 0)
        PUT_PART(SECTION_LATE, late_write, m->receipts, m->receipt_count);
    if (m->has_others) {
        buf_reset(&part);
        TRY(others_write(m->others, m->others_count, &part, err));
        message_put_section(payload, SECTION_OTHERS, &part);
    }
    if (!m->has_scope) return ST_OK;
    buf_reset(&part);
    TRY(scope_write(&m->scope, m->scope_whole, &part, err));
    message_put_section(payload, SECTION_SCOPE, &part);
    PUT_PART(SECTION_OPENED, opened_write, m->opened, m->opened_count);
    PUT_PART(SECTION_CLOSED, closed_write, m->closed, m->closed_count);
    return ST_OK;
}

static enum status put_backup(const struct round_reply *m, struct buf *payload, struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (!m->has_backup) return ST_OK;
    TRY(backup_write(m->backup, m->recovering, &part, err));
    message_put_section(payload, SECTION_BACKUP, &part);
    buf_reset(&part);
    PUT_PART(SECTION_MARKS, marks_write, m->marks, m->mark_count);
    return ST_OK;
}

static enum status put_voucher(const struct round_reply *m, struct buf *payload, struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (!m->has_voucher) return ST_OK;
    buf_put(&part, m->voucher, sizeof m->voucher);
    TRY(buf_status(&part, err));
    message_put_section(payload, SECTION_VOUCHER, &part);
    return ST_OK;
}

static enum status put_facts_wanted(const struct round_reply *m, struct buf *payload,
                                    struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (!m->wants_facts) return ST_OK;
    buf_put_varint(&part, m->facts_taken);
    TRY(buf_status(&part, err));
    message_put_section(payload, SECTION_FACTS, &part);
    return ST_OK;
}

static enum status read_facts_wanted(const struct parts *parts, struct arena *mem,
                                     struct round_reply *m, struct err *err) {
    m->wants_facts = parts->has[SECTION_FACTS];
    if (!m->wants_facts) return ST_OK;
    struct coder c = coder_reading(parts->at[SECTION_FACTS], mem);
    m->facts_taken = code_u32(&c, 0);
    return coder_end(&c, err);
}

static enum status read_voucher(const struct parts *parts, struct round_reply *m, struct err *err) {
    m->has_voucher = parts->has[SECTION_VOUCHER];
    if (!m->has_voucher) return ST_OK;
    if (parts->at[SECTION_VOUCHER].len != VOUCHER_BYTES) return malformed_sections(err);
    memcpy(m->voucher, parts->at[SECTION_VOUCHER].data, VOUCHER_BYTES);
    return ST_OK;
}

static enum status put_order(const struct round_reply *m, struct buf *payload, struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (m->order.kind == ORDER_NONE) return ST_OK;
    TRY(order_write(&m->order, &part, err));
    message_put_section(payload, SECTION_ORDER, &part);
    return ST_OK;
}

static enum status put_digest(const struct round_reply *m, struct buf *payload, struct err *err) {
    SCOPED(buf_free) struct buf part = buf_new(BUF_MAX_LINE);
    if (!m->has_digest) return ST_OK;
    TRY(digest_write(m->digest, m->digest_rows, &part, err));
    message_put_section(payload, SECTION_DIGEST, &part);
    return ST_OK;
}

enum status wire_write_round_reply(const struct round_reply *m, uint32_t device,
                                   const struct sign_key *key, int level, struct buf *out,
                                   struct err *err) {
    SCOPED(buf_free) struct buf payload = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf head = buf_new(BUF_MAX_LINE);
    struct coder c = coder_writing(&head);
    struct round_reply copy = *m;
    struct cuts cuts = {0};
    code_reply_head(&c, &copy);
    message_put_section(&payload, SECTION_HEAD, &head);
    if (m->kind == REPLY_ROUND) {
        if (m->receipt_count > 0) TRY(put_receipts(m, device, key, &payload, err));
        TRY(put_reply_parts(m, &payload, err));
        TRY(put_digest(m, &payload, err));
        TRY(put_backup(m, &payload, err));
        TRY(put_voucher(m, &payload, err));
        TRY(put_facts_wanted(m, &payload, err));
        TRY(put_order(m, &payload, err));
        TRY(put_records(SECTION_RECORDS, m->records, m->record_count, &payload, &cuts, err));
        if (m->has_scope)
            TRY(put_records(SECTION_FILLED, m->filled, m->filled_count, &payload, &cuts, err));
    }
    return message_put(MESSAGE_ROUND_REPLY, &payload, &cuts, level, WIRE_REPLY_BYTES_MAX, out, err);
}

static enum status read_receipts(const struct parts *parts, uint32_t device, struct arena *mem,
                                 struct round_reply *m, struct err *err) {
    struct slice section = parts->at[SECTION_RECEIPTS], signature = parts->at[SECTION_SIGNATURE];
    if (parts->has[SECTION_RECEIPTS] != parts->has[SECTION_SIGNATURE])
        return malformed_sections(err);
    if (!parts->has[SECTION_RECEIPTS]) return ST_OK;
    TRY(receipts_read(section, mem, room_of(parts), &m->receipts, &m->receipt_count, err));
    if (signature.len != SIGN_BYTES || m->receipt_count == 0) return malformed_sections(err);
    memcpy(m->receipts_signature, signature.data, SIGN_BYTES);
    SCOPED(buf_free) struct buf signed_bytes = buf_new(BUF_MAX_MESSAGE);
    put_receipts_bytes(device, section, &signed_bytes);
    TRY(buf_status(&signed_bytes, err));
    m->receipts_bytes = arena_copy(mem, buf_slice(&signed_bytes));
    return m->receipts_bytes.data ? ST_OK : err_no_memory(err);
}

#define READ_PART(section, read, items, count)                                                     \
    do {                                                                                           \
        if (!parts.has[section]) break;                                                            \
        TRY(read(parts.at[section], mem, room_of(&parts), &(items), &(count), err));               \
        if ((count) == 0) return malformed_sections(err);                                          \
    } while (0)

static enum status read_scope(const struct parts *p, struct arena *mem, struct round_reply *m,
                              struct err *err) {
    struct parts parts = *p;
    m->has_scope = parts.has[SECTION_SCOPE];
    if (!m->has_scope) return ST_OK;
    TRY(scope_read(parts.at[SECTION_SCOPE], mem, &m->scope, &m->scope_whole, err));
    READ_PART(SECTION_OPENED, opened_read, m->opened, m->opened_count);
    READ_PART(SECTION_CLOSED, closed_read, m->closed, m->closed_count);
    READ_PART(SECTION_FILLED, records_read, m->filled, m->filled_count);
    return ST_OK;
}

enum status wire_read_round_reply(struct slice bytes, uint32_t device, struct arena *mem,
                                  struct round_reply *out, struct err *err) {
    struct parts parts;
    TRY(message_open(bytes, MESSAGE_ROUND_REPLY, WIRE_REPLY_BYTES_MAX, mem, &parts, err));
    struct round_reply m = {0};
    struct coder c = coder_reading(parts.at[SECTION_HEAD], mem);
    code_reply_head(&c, &m);
    TRY(coder_end(&c, err));
    if (m.kind == REPLY_ROUND) {
        TRY(read_receipts(&parts, device, mem, &m, err));
        if (m.has_news) READ_PART(SECTION_PEOPLE, people_read, m.people, m.people_count);
        if (m.has_news) READ_PART(SECTION_ADDED, added_read, m.added, m.added_count);
        READ_PART(SECTION_ALIASES, aliases_read, m.aliases, m.alias_count);
        READ_PART(SECTION_LEDGER, ledger_read, m.ledger, m.ledger_count);
        READ_PART(SECTION_HELD, held_read, m.held, m.held_count);
        if (parts.has[SECTION_LATE])
            TRY(late_read(parts.at[SECTION_LATE], mem, room_of(&parts), m.receipts,
                          m.receipt_count, err));
        m.has_others = parts.has[SECTION_OTHERS];
        if (m.has_others)
            TRY(others_read(parts.at[SECTION_OTHERS], mem, room_of(&parts), &m.others,
                            &m.others_count, err));
        READ_PART(SECTION_RECORDS, records_read, m.records, m.record_count);
        TRY(read_scope(&parts, mem, &m, err));
        m.has_backup = parts.has[SECTION_BACKUP];
        if (m.has_backup)
            TRY(backup_read(parts.at[SECTION_BACKUP], mem, &m.backup, &m.recovering, err));
        if (parts.has[SECTION_MARKS])
            TRY(marks_read(parts.at[SECTION_MARKS], mem, &m.marks, &m.mark_count, err));
        TRY(read_voucher(&parts, &m, err));
        TRY(read_facts_wanted(&parts, mem, &m, err));
        if (parts.has[SECTION_ORDER]) TRY(order_read(parts.at[SECTION_ORDER], &m.order, err));
        m.has_digest = parts.has[SECTION_DIGEST];
        if (m.has_digest)
            TRY(digest_read(parts.at[SECTION_DIGEST], mem, m.digest, &m.digest_rows, err));
    }
    *out = m;
    return ST_OK;
}
