/* What travels only where a server went back in time: marks, batches given back with signed
 * receipts, the backup. */
#include "tests/unit/check.h"

#include <string.h>

#include "protocol/wire/columns.h"
#include "protocol/wire/wire.h"

static struct err err;

static struct batch a_batch(uint32_t number, struct change *change, struct edit *edit,
                            struct value *value) {
    *value = value_text(SLICE("ships in spring"));
    *edit = (struct edit){
        .cell_tag = 14, .base = {7, 0}, .today = {7, 0}, .values = value, .value_count = 1};
    *change = (struct change){
        .kind = CHANGE_EDIT, .entity_tag = 6, .row = id_make(3, 9), .edits = edit, .edit_count = 1};
    return (struct batch){.number = number,
                          .cursor = 7,
                          .stamp = {1000, 1, 50, 0},
                          .changes = change,
                          .change_count = 1};
}

/* The receipts section and the org's signature, as a laptop keeps them. */
static void a_proof(struct arena *mem, struct receipt_proof *out) {
    static struct buf message;
    struct sign_key key = sign_key_from_seed((const uint8_t[SIGN_SEED_BYTES]){4});
    struct receipt_edit edit = {.cell_tag = 14, .outcome = OUTCOME_LOST, .seq = 41};
    struct receipt_line line = {.outcome = OUTCOME_LOST,
                                .row = id_make(3, 9),
                                .prev = 40,
                                .seq = 0,
                                .edits = &edit,
                                .edit_count = 1};
    struct receipt receipt = {
        .batch = 5, .at = 42, .time_ms = 9000, .lines = &line, .line_count = 1};
    struct round_reply reply = {.epoch = 1, .receipts = &receipt, .receipt_count = 1}, back;
    message = buf_new(BUF_MAX_MESSAGE);
    CHECK_OK(wire_write_round_reply(&reply, 3, &key, 6, &message, &err));
    CHECK_OK(wire_read_round_reply(buf_slice(&message), 3, mem, &back, &err));
    out->bytes = arena_copy(mem, back.receipts_bytes);
    memcpy(out->signature, back.receipts_signature, SIGN_BYTES);
    buf_free(&message);
}

static void a_request(struct arena *mem, struct buf *out) {
    struct change change;
    struct edit edit;
    struct value value;
    struct batch batch = a_batch(5, &change, &edit, &value);
    struct receipt_proof proof = {0};
    struct position marks[] = {{7, {{1}}}, {90, {{2}}}};
    a_proof(mem, &proof);
    struct give_back given = {.before = {{8}},
                              .signature = {9},
                              .batches = &batch,
                              .batch_count = 1,
                              .proofs = &proof,
                              .proof_count = 1};
    struct round_request request = {
        .epoch = 2, .last_batch = 5, .marks = marks, .mark_count = 2, .given = &given};
    CHECK_OK(wire_write_round_request(&request, 6, out, &err));
}

TEST(marks_and_what_is_given_back_travel) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    struct round_request back;
    a_request(&mem, &message);
    CHECK_OK(wire_read_round_request(buf_slice(&message), &mem, &back, &err));
    CHECK_INT(back.mark_count, 2);
    CHECK_INT(back.marks[1].seq, 90);
    CHECK_INT(back.marks[1].chain.bytes[0], 2);
    CHECK(back.given != NULL);
    CHECK_INT(back.given->before.bytes[0], 8);
    CHECK_INT(back.given->signature[0], 9);
    CHECK_INT(back.given->batch_count, 1);
    CHECK_INT(back.given->batches[0].number, 5);
    CHECK_INT(back.given->batches[0].changes[0].edits[0].base.seq, 7);
    CHECK_INT(back.given->proof_count, 1);
    CHECK_INT(back.given->proofs[0].device, 3);
    CHECK_INT(back.given->proofs[0].receipts[0].at, 42);
    CHECK_INT(back.given->proofs[0].receipts[0].lines[0].edits[0].outcome, OUTCOME_LOST);
}

TEST(nothing_that_is_cut_or_bent_is_given_back) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    struct round_request back;
    a_request(&mem, &message);
    for (size_t len = 0; len < message.len; len++)
        CHECK(wire_read_round_request(slice_of(message.data, len), &mem, &back, &err) != ST_OK);
    for (size_t i = 0; i < message.len; i++) { /* any answer but a crash */
        message.data[i] ^= 0x55;
        (void)wire_read_round_request(buf_slice(&message), &mem, &back, &err);
        message.data[i] ^= 0x55;
    }
}

TEST(a_reply_says_what_a_backup_covers) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    struct sign_key key = sign_key_from_seed((const uint8_t[SIGN_SEED_BYTES]){4});
    struct round_reply reply = {.epoch = 2, .has_backup = true, .backup = 77, .recovering = true},
                       back;
    struct position mark = {77, {{9}}};
    reply.marks = &mark;
    reply.mark_count = 1;
    CHECK_OK(wire_write_round_reply(&reply, 3, &key, 6, &message, &err));
    CHECK_OK(wire_read_round_reply(buf_slice(&message), 3, &mem, &back, &err));
    CHECK(back.has_backup && back.recovering);
    CHECK_INT(back.backup, 77);
    CHECK_INT(back.mark_count, 1);
    CHECK_INT(back.marks[0].seq, 77);
    CHECK_INT(back.marks[0].chain.bytes[0], 9);
}

TEST(the_server_s_word_travels_both_ways) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    struct sign_key key = sign_key_from_seed((const uint8_t[SIGN_SEED_BYTES]){4});
    struct round_reply reply = {.epoch = 1, .has_voucher = true, .voucher = {7, 8, 9}}, told;
    CHECK_OK(wire_write_round_reply(&reply, 3, &key, 6, &message, &err));
    CHECK_OK(wire_read_round_reply(buf_slice(&message), 3, &mem, &told, &err));
    CHECK(told.has_voucher);
    CHECK(memcmp(told.voucher, reply.voucher, VOUCHER_BYTES) == 0);
    struct round_request request = {
        .epoch = 1, .has_voucher = true, .voucher = {.last_batch = 300, .mac = {7, 8, 9}}};
    struct round_request heard;
    buf_reset(&message);
    CHECK_OK(wire_write_round_request(&request, 6, &message, &err));
    CHECK_OK(wire_read_round_request(buf_slice(&message), &mem, &heard, &err));
    CHECK(heard.has_voucher);
    CHECK_INT(heard.voucher.last_batch, 300);
    CHECK(memcmp(heard.voucher.mac, request.voucher.mac, VOUCHER_BYTES) == 0);
}

/* Stored, so that the section stands at the end as it is: its length is the byte before it. */
TEST(a_word_of_another_length_is_malformed) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sign_key key = sign_key_from_seed((const uint8_t[SIGN_SEED_BYTES]){4});
    struct round_reply reply = {.epoch = 1, .has_voucher = true, .voucher = {0xF1}}, told;
    struct round_request request = {
        .epoch = 1, .has_voucher = true, .voucher = {.last_batch = 3, .mac = {0xF1}}};
    struct round_request heard;
    for (int of_reply = 0; of_reply < 2; of_reply++) {
        SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
        if (of_reply)
            CHECK_OK(wire_write_round_reply(&reply, 3, &key, 6, &message, &err));
        else
            CHECK_OK(wire_write_round_request(&request, 6, &message, &err));
        uint8_t *at = memchr(message.data, 0xF1, message.len);
        CHECK(at != NULL);
        uint8_t *length = of_reply ? at - 1 : at - 2;
        CHECK_INT(*length, of_reply ? VOUCHER_BYTES : VOUCHER_BYTES + 1);
        *length -= 1;
        struct slice cut = slice_of(message.data, message.len - 1);
        if (of_reply)
            CHECK_STATUS(wire_read_round_reply(cut, 3, &mem, &told, &err), ST_MALFORMED);
        else
            CHECK_STATUS(wire_read_round_request(cut, &mem, &heard, &err), ST_MALFORMED);
    }
}

TEST(rows_of_a_forgotten_life_travel_as_one_batch) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    struct sign_key key = sign_key_from_seed((const uint8_t[SIGN_SEED_BYTES]){4});
    struct change changes[2];
    struct edit edits[2];
    struct value values[2];
    struct batch batches[2];
    for (int i = 0; i < 2; i++) batches[i] = a_batch(0, &changes[i], &edits[i], &values[i]);
    struct round_request request = {.epoch = 2, .facts = batches}, heard;
    CHECK_OK(wire_write_round_request(&request, 6, &message, &err));
    CHECK_OK(wire_read_round_request(buf_slice(&message), &mem, &heard, &err));
    CHECK(heard.facts != NULL && heard.batch_count == 0);
    CHECK_INT(heard.facts->change_count, 1);
    CHECK_INT(heard.facts->changes[0].edits[0].base.seq, 7);
    CHECK_SLICE(heard.facts->changes[0].edits[0].values[0].text, "ships in spring");
    for (size_t len = 0; len < message.len; len++) { /* without the whole section: none, or bent */
        enum status cut = wire_read_round_request(slice_of(message.data, len), &mem, &heard, &err);
        CHECK(cut != ST_OK || !heard.facts);
    }
    for (uint32_t taken = 0; taken < 300; taken += 299) {
        struct round_reply reply = {.epoch = 2, .wants_facts = true, .facts_taken = taken}, told;
        buf_reset(&message);
        CHECK_OK(wire_write_round_reply(&reply, 3, &key, 6, &message, &err));
        CHECK_OK(wire_read_round_reply(buf_slice(&message), 3, &mem, &told, &err));
        CHECK(told.wants_facts);
        CHECK_INT(told.facts_taken, taken);
    }
}

/* Two batches, or none, stand where one is due: the section of facts is that of batches. */
TEST(facts_in_several_batches_are_malformed) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct round_request heard;
    for (size_t count = 0; count < 3; count += 2) {
        SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
        SCOPED(buf_free) struct buf section = buf_new(BUF_MAX_MESSAGE);
        SCOPED(buf_free) struct buf head = buf_new(BUF_MAX_MESSAGE);
        struct change changes[2];
        struct edit edits[2];
        struct value values[2];
        struct batch batches[2];
        struct round_request plain = {.epoch = 2};
        for (int i = 0; i < 2; i++)
            batches[i] = a_batch((uint32_t)i, &changes[i], &edits[i], &values[i]);
        CHECK_OK(batches_write(batches, count, &section, NULL, &err));
        CHECK_OK(wire_write_round_request(&plain, 6, &head, &err));
        buf_put_slice(&message, buf_slice(&head)); /* stored: one more section may stand behind */
        CHECK_INT(message.data[3], 0);
        buf_put_varint(&message, 44);
        buf_put_varint(&message, section.len);
        buf_put_slice(&message, buf_slice(&section));
        CHECK_STATUS(wire_read_round_request(buf_slice(&message), &mem, &heard, &err),
                     ST_MALFORMED);
    }
}
