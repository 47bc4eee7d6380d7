/* The wire: canonical batches by hand, round trips of everything, and bytes of strangers. */
#include "tests/unit/check.h"
#include "tests/unit/fault.h"
#include "tests/unit/wire_make.h"

#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"

enum { ROUNDS = 150 };

static struct err err;

static struct sign_key a_key(void) {
    uint8_t seed[SIGN_SEED_BYTES] = {9};
    return sign_key_from_seed(seed);
}

/* ------------------------------------------------------------------ canonical batches */

TEST(a_batch_has_the_bytes_of_the_protocol) {
    struct value score = value_int(-3);
    struct edit edit = {4, EDIT_SET, {300, 0}, {300, 0}, &score, 1};
    struct change change = {
        .kind = CHANGE_EDIT, .entity_tag = 6, .row = 9, .edits = &edit, .edit_count = 1};
    struct batch batch = {
        .number = 1, .cursor = 5, .stamp = {7, 2, 3, -1}, .changes = &change, .change_count = 1};
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH);
    batch_write(&batch, &buf);
    /* number flags cursor; wall boot-number boot steps import; changes; kind entity row edits;
     * tag kind+base seq own values; int -3 */
    CHECK_SLICE(buf_slice(&buf),
                "\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x04\xAC\x02\x00"
                "\x01\x01\x05");
}

TEST(batches_come_back_and_have_one_spelling) {
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct maker maker = {&mem, seed};
        struct batch *batch = maker_batches(&maker, 1), back;
        SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH);
        batch_write(batch, &buf);
        CHECK_OK(batch_read(buf_slice(&buf), &mem, &back, &err));
        CHECK(batches_equal(batch, &back, 1));
        for (size_t i = 0; i < batch->change_count; i++) {
            struct change change;
            buf_reset(&buf);
            change_write(&batch->changes[i], &buf);
            CHECK_OK(change_read(buf_slice(&buf), &mem, &change, &err));
            CHECK_INT(change.row, batch->changes[i].row);
        }
    }
}

TEST(other_spellings_of_a_batch_are_refused) {
    const struct {
        const char *name;
        struct slice bytes;
    } ROWS[] = {
        {"empty", {NULL, 0}},
        {"a long varint", SLICE("\x81\x00\x00\x05\x0E\x02\x06\x01\x00\x00")},
        {"a byte too many", SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x00\x00")},
        {"more changes than bytes", SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x7F\x01\x06\x09\x00")},
        {"a kind of change that is none",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x03\x06\x09\x00")},
        {"a row that is none", SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x00\x00")},
        {"a kind of edit that is none",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x03\x01\x00")},
        {"an edit without values",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x00\x00\x00")},
        {"a text that is empty",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x00\x01\x02\x00")},
        {"a count that is no number",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x01\x01\x00")},
        {"elements that are numbers",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x02\x02\x01\x02\x00")},
        {"removes that are numbers",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x02\x02\x00\x01\x02")},
        {"a cell twice", SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x02\x04\x00\x01"
                               "\x00\x04\x00\x01\x00")},
        {"a base that needs no telling",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x01\x06\x09\x01\x04\x04\x00\x00\x01\x00")},
        {"a unit that is announced and empty",
         SLICE("\x01\x00\x05\x0E\x02\x06\x01\x00\x01\x06\x06\x09\x00\x00")},
    };
    for
        EACH (row, ROWS) {
            SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            struct batch batch;
            CHECK_ROW_INT(row, batch_read(row->bytes, &mem, &batch, &err), ST_MALFORMED);
        }
}

TEST(a_batch_cut_anywhere_is_refused) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct maker maker = {&mem, 5};
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH);
    struct batch *batch = maker_batches(&maker, 1), back;
    while (batch->change_count < 2) batch = maker_batches(&maker, 1);
    batch_write(batch, &buf);
    for (size_t len = 0; len < buf.len; len++) {
        CHECK_STATUS(batch_read(slice_of(buf.data, len), &mem, &back, &err), ST_MALFORMED);
    }
}

TEST(lists_of_values_come_back) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH);
    struct value values[] = {value_null(), value_int(5), value_text(SLICE("ab"))}, *back;
    size_t count;
    values_write(values, 3, &buf);
    CHECK_SLICE(buf_slice(&buf), "\x03\x00\x01\x0A\x02\x02"
                                 "ab");
    CHECK_OK(values_read(buf_slice(&buf), &mem, &back, &count, &err));
    CHECK_INT(count, 3);
    for (size_t i = 0; i < 3; i++) CHECK(value_equal(values[i], back[i]));
    CHECK_STATUS(values_read(SLICE("\x01\x02\x00"), &mem, &back, &count, &err), ST_MALFORMED);
    CHECK_STATUS(values_read(SLICE("\x01\x03"), &mem, &back, &count, &err), ST_MALFORMED);
    CHECK_STATUS(values_read(SLICE("\x01\x01\x80\x00"), &mem, &back, &count, &err), ST_MALFORMED);
    CHECK_OK(values_read(SLICE("\x00"), &mem, &back, &count, &err));
    CHECK_INT(count, 0);
}

/* ------------------------------------------------------------------ messages */

TEST(pushes_come_back_with_the_same_canonical_bytes) {
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct maker maker = {&mem, seed * 77};
        struct round_request m = maker_request(&maker, (size_t)maker_number(&maker, 40)), back;
        SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
        CHECK_OK(wire_write_round_request(&m, 1 + (int)(seed % 9), &buf, &err));
        CHECK_OK(wire_read_round_request(buf_slice(&buf), &mem, &back, &err));
        CHECK(requests_equal(&m, &back));
    }
}

TEST(replies_come_back) {
    struct sign_key key = a_key();
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    sign_public(&key, public_key);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct maker maker = {&mem, seed * 31};
        struct round_reply m = maker_reply(&maker, (size_t)(seed % 20)), back, stored;
        SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
        CHECK_OK(wire_write_round_reply(&m, 17, &key, 6, &buf, &err));
        CHECK_OK(wire_read_round_reply(buf_slice(&buf), 17, &mem, &back, &err));
        CHECK(replies_equal(&m, &back));
        CHECK_OK(
            wire_read_round_reply(stored_form(buf_slice(&buf), &mem), 17, &mem, &stored, &err));
        CHECK(replies_equal(&m, &stored));
        if (m.receipt_count == 0) continue;
        CHECK(sign_check(public_key, back.receipts_bytes, back.receipts_signature));
        CHECK_OK(wire_read_round_reply(buf_slice(&buf), 18, &mem, &back, &err));
        CHECK(!sign_check(public_key, back.receipts_bytes, back.receipts_signature));
    }
}

TEST(replies_of_other_kinds_hold_nothing_else) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    struct round_reply reply;
    make_samples(&mem, samples);
    CHECK_OK(wire_read_round_reply(samples[10].message, 17, &mem, &reply, &err));
    CHECK_INT(reply.kind, REPLY_EPOCH);
    CHECK_INT(reply.epoch, 2);
    CHECK_INT(reply.cursor.seq, 60);
    CHECK_INT(reply.cursor.chain.bytes[1], 0xA1);
    CHECK_OK(wire_read_round_reply(samples[11].message, 17, &mem, &reply, &err));
    CHECK_INT(reply.kind, REPLY_CLONED);
    CHECK_INT(reply.last_batch, 12);
}

TEST(hello_and_enrolment_come_back) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    struct hello_request hello;
    struct hello_reply answer;
    struct enroll_request enroll;
    struct enroll_reply enrolled;
    struct wait_request wait;
    make_samples(&mem, samples);
    CHECK_OK(wire_read_hello_request(samples[0].message, &mem, &hello, &err));
    CHECK_INT(hello.device, 17);
    CHECK_INT(hello.box_public[2], 3);
    CHECK_SLICE(hello.release, "0.1.0");
    CHECK_INT(hello.wall_ms, 1767268800000);
    CHECK_OK(wire_read_hello_reply(samples[1].message, &mem, &answer, &err));
    CHECK_INT(answer.key_ms, 86400000);
    CHECK_SLICE(answer.nonce, "n-1");
    CHECK_SLICE(answer.minimum_release, "0.1.0");
    CHECK_OK(wire_read_enroll_request(samples[2].message, &mem, &enroll, &err));
    CHECK_SLICE(enroll.code, "0123456789abcdef");
    CHECK_SLICE(enroll.device_name, "李伟的笔记本");
    CHECK_INT(enroll.device_public[1], 8);
    CHECK_OK(wire_read_enroll_reply(samples[3].message, &mem, &enrolled, &err));
    CHECK_INT(enrolled.employee, 12);
    CHECK_SLICE(enrolled.org_label, "华东办事处");
    CHECK_OK(wire_read_wait_request(samples[4].message, &mem, &wait, &err));
    CHECK_INT(wait.seq, 100);
}

TEST(pieces_of_contents_come_back) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    struct content_request brings, wants;
    struct content_reply reply;
    make_samples(&mem, samples);
    CHECK_OK(wire_read_content_request(samples[12].message, &mem, &brings, &err));
    CHECK(!brings.wants);
    CHECK_INT(brings.content.bytes[2], 0xC2);
    CHECK_INT(brings.bytes, 300000);
    CHECK_INT(brings.offset, 262144);
    CHECK_SLICE(brings.piece, "a piece of a photo");
    CHECK_OK(wire_read_content_request(samples[13].message, &mem, &wants, &err));
    CHECK(wants.wants);
    CHECK_INT(wants.bytes_max, 65536);
    CHECK_INT(wants.piece.len, 0);
    CHECK_OK(wire_read_content_reply(samples[14].message, &mem, &reply, &err));
    CHECK(reply.whole);
    CHECK_INT(reply.bytes, 300000);
    CHECK_SLICE(reply.piece, "a piece of a photo");
    CHECK_STATUS(wire_read_content_reply(samples[12].message, &mem, &reply, &err), ST_MALFORMED);
}

TEST(a_piece_has_a_limit_and_no_negative_place) {
    static uint8_t large[WIRE_PIECE_BYTES_MAX + 1];
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    struct content_request m = {.bytes = 1, .piece = slice_of(large, sizeof large)};
    CHECK_STATUS(wire_write_content_request(&m, &buf, &err), ST_TOO_LARGE);
    m.piece.len--;
    CHECK_OK(wire_write_content_request(&m, &buf, &err));
    m.offset = -1;
    CHECK_STATUS(wire_write_content_request(&m, &buf, &err), ST_MALFORMED);
}

TEST(normal_receipts_cost_next_to_nothing) {
    enum { LINES = 2000 };
    static struct receipt_line lines[LINES];
    static struct receipt_edit edits[LINES][3];
    struct receipt receipt = {1, 5000 + LINES, 1700000000000, lines, LINES};
    for (size_t i = 0; i < LINES; i++) {
        int64_t seq = 5001 + (int64_t)i;
        for (uint32_t j = 0; j < 3; j++) {
            edits[i][j] =
                (struct receipt_edit){.cell_tag = j + 1, .outcome = OUTCOME_APPLIED, .seq = seq};
        }
        lines[i] = (struct receipt_line){.outcome = OUTCOME_APPLIED,
                                         .row = id_make(17, (uint32_t)i + 1),
                                         .seq = seq,
                                         .edits = edits[i],
                                         .edit_count = 3};
    }
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    CHECK_OK(receipts_write(&receipt, 1, &buf, &err));
    CHECK_INT(buf.len < 100 ? 0 : buf.len, 0);
}

/* ------------------------------------------------------------------ bytes of strangers */

static enum status read_any(struct slice message, struct arena *mem) {
    SCOPED(buf_free) struct buf out = buf_new(BUF_MAX_MESSAGE);
    enum status status = wire_write_json(message, NULL, &out, &err);
    arena_clear(mem);
    return status;
}

/* A stored payload that ends behind a section is a message: of fewer parts. */
static bool has_fewer_parts(struct slice cut) {
    enum { HEADER_BYTES = 4 };
    if (cut.len <= HEADER_BYTES || cut.data[HEADER_BYTES - 1] != 0) return false;
    struct reader r = reader_of(slice_of(cut.data + HEADER_BYTES, cut.len - HEADER_BYTES));
    while (!r.failed && reader_left(&r) > 0) {
        (void)reader_varint(&r);
        (void)reader_bytes(&r, cut.len);
    }
    return !r.failed;
}

TEST(a_message_cut_anywhere_is_refused) {
    SCOPED(arena_clear)
    struct arena mem = arena_new(ARENA_CAP_DEFAULT),
                 work = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    for
        EACH (sample, samples) {
            for (size_t len = 0; len < sample->message.len; len++) {
                struct slice cut = slice_of(sample->message.data, len);
                CHECK_ROW(sample, has_fewer_parts(cut) || read_any(cut, &work) != ST_OK);
            }
            struct slice stored = stored_form(sample->message, &mem);
            for (size_t len = 0; len < stored.len; len++)
                (void)read_any(slice_of(stored.data, len), &work);
            CHECK_ROW_INT(sample, read_any(stored, &work), ST_OK);
        }
}

TEST(a_message_with_any_bit_flipped_is_survived) {
    SCOPED(arena_clear)
    struct arena mem = arena_new(ARENA_CAP_DEFAULT),
                 work = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    for
        EACH (sample, samples) {
            struct slice stored = stored_form(sample->message, &mem);
            uint8_t *bytes = (uint8_t *)(uintptr_t)stored.data;
            for (size_t bit = 0; bit < stored.len * 8; bit++) {
                bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
                (void)read_any(stored, &work);
                bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            }
        }
}

TEST(random_bytes_in_a_message_are_survived) {
    SCOPED(arena_clear)
    struct arena mem = arena_new(ARENA_CAP_DEFAULT),
                 work = arena_new(ARENA_CAP_DEFAULT);
    struct maker maker = {&mem, 99};
    struct sign_key key = a_key();
    for (size_t i = 0; i < 40; i++) {
        struct round_reply m = maker_reply(&maker, 6);
        SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
        CHECK_OK(wire_write_round_reply(&m, 17, &key, 6, &buf, &err));
        struct slice stored = stored_form(buf_slice(&buf), &mem);
        uint8_t *bytes = (uint8_t *)(uintptr_t)stored.data;
        for (size_t round = 0; round < 300 && stored.len > 5; round++) {
            size_t at = 4 + (size_t)maker_number(&maker, stored.len - 4);
            uint8_t before = bytes[at];
            bytes[at] = (uint8_t)maker_number(&maker, 256);
            (void)read_any(stored, &work);
            bytes[at] = before;
        }
    }
}

TEST(headers_of_other_kinds_are_told_apart) {
    const struct {
        const char *name;
        struct slice message;
        enum status expected;
    } ROWS[] = {
        {"too short", SLICE("\xB7\x01"), ST_MALFORMED},
        {"another magic byte", SLICE("\xB8\x01\x07\x00"), ST_MALFORMED},
        {"a later version", SLICE("\xB7\x02\x07\x00"), ST_VERSION},
        {"kind 0", SLICE("\xB7\x01\x00\x00"), ST_MALFORMED},
        {"a kind that is none", SLICE("\xB7\x01\x08\x00"), ST_MALFORMED},
        {"a coding of later", SLICE("\xB7\x01\x07\x02"), ST_VERSION},
        {"no head", SLICE("\xB7\x01\x07\x00"), ST_MALFORMED},
        {"a head twice", SLICE("\xB7\x01\x07\x00\x01\x02\x01\x05\x01\x02\x01\x05"), ST_MALFORMED},
        {"a head", SLICE("\xB7\x01\x07\x00\x01\x02\x01\x05"), ST_OK},
        {"a head that is too long", SLICE("\xB7\x01\x07\x00\x01\x03\x01\x05\x00"), ST_MALFORMED},
        {"an unknown section before and behind",
         SLICE("\xB7\x01\x07\x00\xC8\x01\x01\x00\x01\x02\x01\x05\x7F\x00"), ST_OK},
        {"another dictionary",
         SLICE("\xB7\x01\x07\x01"
               "abcd"
               "\x04"
               "xxxx"),
         ST_VERSION},
        {"a dictionary cut short",
         SLICE("\xB7\x01\x07\x01"
               "ab"),
         ST_MALFORMED},
        {"a round without signature",
         SLICE("\xB7\x01\x05\x00\x01\x0C\x1F\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00"),
         ST_MALFORMED},
    };
    SCOPED(arena_clear) struct arena work = arena_new(ARENA_CAP_DEFAULT);
    for
        EACH (row, ROWS) CHECK_ROW_INT(row, read_any(row->message, &work), row->expected);
}

TEST(a_message_of_another_kind_is_refused) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    struct wait_request wait;
    struct round_request request;
    struct round_reply reply;
    make_samples(&mem, samples);
    CHECK_STATUS(wire_read_wait_request(samples[5].message, &mem, &wait, &err), ST_MALFORMED);
    CHECK_STATUS(wire_read_round_request(samples[7].message, &mem, &request, &err), ST_MALFORMED);
    CHECK_STATUS(wire_read_round_reply(samples[5].message, 1, &mem, &reply, &err), ST_MALFORMED);
}

/* A header that announces this many bytes, then deflate of zeros. */
static void write_bomb(size_t announced, size_t real, struct buf *out) {
    SCOPED(buf_free) struct buf zeros = buf_new(BUF_MAX_MESSAGE);
    uint8_t some[1024] = {0};
    while (zeros.len < real) buf_put(&zeros, some, sizeof some);
    buf_put(out, "\xB7\x01\x07\x01", 4);
    buf_put_slice(out, dictionary_name());
    buf_put_varint(out, announced);
    CHECK_OK(deflate_write(buf_slice(&zeros), NULL, 0, 9, out, &err));
}

TEST(inflating_stops_at_the_cap) {
    const struct {
        const char *name;
        size_t announced, real;
        enum status expected;
    } ROWS[] = {
        {"more than the cap", WIRE_INFLATED_BYTES_MAX + 1, 1024, ST_TOO_LARGE},
        {"less than comes", 1024, 40 * 1024 * 1024, ST_MALFORMED},
        {"more than comes", 4096, 2048, ST_MALFORMED},
        {"more than deflate can hold", 30 * 1024 * 1024, 1024, ST_MALFORMED},
    };
    SCOPED(arena_clear) struct arena work = arena_new(ARENA_CAP_DEFAULT);
    for
        EACH (row, ROWS) {
            SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
            write_bomb(row->announced, row->real, &buf);
            CHECK_ROW_INT(row, read_any(buf_slice(&buf), &work), row->expected);
        }
}

TEST(messages_above_the_limits_are_refused) {
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    SCOPED(arena_clear) struct arena work = arena_new(ARENA_CAP_DEFAULT);
    uint8_t zeros[4096] = {0};
    buf_put(&buf, "\xB7\x01\x05\x00", 4);
    while (buf.len <= WIRE_REQUEST_BYTES_MAX) buf_put(&buf, zeros, sizeof zeros);
    CHECK_INT(read_any(buf_slice(&buf), &work), ST_TOO_LARGE);
}

TEST(cells_out_of_order_are_not_written) {
    struct value one = value_int(1);
    struct record_cell cells[] = {{5, &one, 1}, {5, &one, 1}};
    struct record record = {6, RECORD_WHOLE, 9, 10, cells, 2};
    struct round_reply reply = {.records = &record, .record_count = 1};
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    CHECK_STATUS(wire_write_round_reply(&reply, 1, NULL, 9, &buf, &err), ST_INTERNAL);
}

/* ------------------------------------------------------------------ memory that runs out */

static enum status write_and_read(const struct round_request *request,
                                  const struct round_reply *reply, struct buf *buf) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sign_key key = a_key();
    struct round_request request_back;
    struct round_reply reply_back;
    buf_reset(buf);
    TRY(wire_write_round_request(request, 9, buf, &err));
    TRY(wire_read_round_request(buf_slice(buf), &mem, &request_back, &err));
    buf_reset(buf);
    TRY(wire_write_round_reply(reply, 17, &key, 9, buf, &err));
    TRY(wire_read_round_reply(buf_slice(buf), 17, &mem, &reply_back, &err));
    struct slice message = arena_copy(&mem, buf_slice(buf));
    if (!message.data) return err_no_memory(&err);
    buf_reset(buf);
    return wire_write_json(message, NULL, buf, &err);
}

TEST(want_of_memory_is_told_and_leaves_nothing_behind) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct maker maker = {&mem, 4};
    struct round_request request = maker_request(&maker, 6);
    struct round_reply reply = maker_reply(&maker, 6);
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
        fault_arm(n);
        enum status status = write_and_read(&request, &reply, &buf);
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(status, fired ? ST_NO_MEMORY : ST_OK);
    }
}

TEST(want_of_memory_while_a_message_is_read_is_told) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    for EACH(sample, samples) {
        bool fired = true;
        for (size_t n = 1; fired; n++) {
            SCOPED(buf_free) struct buf view = buf_new(BUF_MAX_MESSAGE);
            fault_arm(n);
            enum status status = wire_write_json(sample->message, NULL, &view, &err);
            fired = fault_fired();
            fault_disarm();
            CHECK_ROW_INT(sample, status, fired ? ST_NO_MEMORY : ST_OK);
        }
    }
}

TEST(an_arena_that_is_too_small_is_told) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    for (size_t cap = 0; cap < 4000; cap += 16) {
        SCOPED(arena_clear) struct arena small = arena_new(cap);
        struct round_request request;
        enum status status = wire_read_round_request(samples[6].message, &small, &request, &err);
        CHECK(status == ST_NO_MEMORY || status == ST_OK);
    }
}

/* ------------------------------------------------------------------ sections that are none */

TEST(sections_without_content_are_refused) {
    static const uint8_t NO_SIGNATURE[3] = {2, 1, 0};
    const struct {
        const char *name;
        struct slice sections; /* behind the head of an idle reply */
        enum status expected;
    } ROWS[] = {
        {"nothing more", {NULL, 0}, ST_OK},
        {"people that nobody announced", SLICE("\x05\x02\x01\x00"), ST_OK},
        {"aliases", SLICE("\x06\x02\x01\x00"), ST_MALFORMED},
        {"ledger", SLICE("\x07\x03\x02\x00\x00"), ST_MALFORMED},
        {"held", SLICE("\x08\x02\x01\x00"), ST_MALFORMED},
        {"records", SLICE("\x09\x03\x02\x00\x00"), ST_MALFORMED},
        {"receipts without signature", SLICE("\x04\x04\x03\x00\x00\x00"), ST_MALFORMED},
        {"a signature without receipts", slice_of(NO_SIGNATURE, 3), ST_MALFORMED},
        {"a short signature", SLICE("\x04\x04\x03\x00\x00\x00\x02\x01\x00"), ST_MALFORMED},
        {"aliases that end early", SLICE("\x06\x02\x01\x01"), ST_MALFORMED},
        {"held that ends early", SLICE("\x08\x02\x01\x01"), ST_MALFORMED},
        {"ledger that ends early", SLICE("\x07\x02\x01\x01"), ST_MALFORMED},
    };
    SCOPED(arena_clear)
    struct arena mem = arena_new(ARENA_CAP_DEFAULT),
                 work = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    for
        EACH (row, ROWS) {
            SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_LINE);
            buf_put_slice(&buf, samples[7].message);
            buf_put_slice(&buf, row->sections);
            CHECK_ROW_INT(row, read_any(buf_slice(&buf), &work), row->expected);
        }
}

TEST(news_that_are_announced_may_be_none) {
    struct round_reply m = {.has_news = true, .news_version = 4}, back;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_LINE);
    CHECK_OK(wire_write_round_reply(&m, 17, NULL, 9, &buf, &err));
    CHECK_OK(wire_read_round_reply(buf_slice(&buf), 17, &mem, &back, &err));
    CHECK(back.has_news);
    CHECK_INT(back.news_version, 4);
    buf_put(&buf, "\x05\x02\x01\x00", 4);
    CHECK_STATUS(wire_read_round_reply(buf_slice(&buf), 17, &mem, &back, &err), ST_MALFORMED);
}

TEST(batches_that_are_none_are_refused) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    struct round_request request;
    make_samples(&mem, samples);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_LINE);
    buf_put_slice(&buf, samples[5].message);
    buf_put(&buf, "\x03\x03\x02\x00\x00\x02\x00", 7);
    CHECK_STATUS(wire_read_round_request(buf_slice(&buf), &mem, &request, &err), ST_MALFORMED);
}

/* ------------------------------------------------------------------ the view for people */

TEST(the_view_takes_any_message_with_and_without_names) {
    struct sign_key key = a_key();
    for (uint64_t seed = 1; seed <= 30; seed++) {
        SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct catalogue cat;
        struct maker maker = {&mem, seed * 5};
        struct round_reply reply = maker_reply(&maker, 12);
        struct round_request request = maker_request(&maker, 12);
        SCOPED(buf_free)
        struct buf message = buf_new(BUF_MAX_MESSAGE),
                   view = buf_new(BUF_MAX_MESSAGE);
        CHECK_OK(catalogue_release(&mem, &cat, &err));
        CHECK_OK(wire_write_round_reply(&reply, 17, &key, 6, &message, &err));
        CHECK_OK(wire_write_json(buf_slice(&message), seed % 2 ? &cat : NULL, &view, &err));
        buf_reset(&message);
        buf_reset(&view);
        CHECK_OK(wire_write_round_request(&request, 6, &message, &err));
        CHECK_OK(wire_write_json(buf_slice(&message), seed % 2 ? &cat : NULL, &view, &err));
        struct json *json;
        CHECK_OK(json_parse(buf_slice(&view), &json, &err));
        CHECK_INT(json_count(json_member(json, "batches")), 12);
        json_free(&json);
        buf_free(&view);
    }
}

TEST(a_view_that_does_not_fit_is_told) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sample samples[SAMPLE_COUNT];
    make_samples(&mem, samples);
    for (size_t max = 0; max < 300; max += 7) {
        SCOPED(buf_free) struct buf view = buf_new(max);
        CHECK_STATUS(wire_write_json(samples[9].message, NULL, &view, &err), ST_TOO_LARGE);
    }
}
