/* What a reply tells of edits and access: which of the own ones came in late, which of others wait. */
#include <string.h>

#include "protocol/wire/columns.h"
#include "tests/unit/check.h"

static struct err err;

struct told {
    struct arena mem;
    struct buf message;
    struct receipt_edit edits[2];
    struct receipt_line lines[2];
    struct receipt receipt;
    struct round_reply reply, back;
};

static void told_open(struct told *t) {
    *t = (struct told){.mem = arena_new(ARENA_CAP_DEFAULT), .message = buf_new(BUF_MAX_MESSAGE)};
    t->lines[0] = (struct receipt_line){
        .outcome = OUTCOME_MERGED, .row = id_make(3, 9), .seq = 7, .edits = t->edits};
    t->lines[1] = t->lines[0];
    t->lines[1].seq = 8;
    t->receipt = (struct receipt){.batch = 5, .at = 8, .lines = t->lines, .line_count = 2};
    t->reply = (struct round_reply){.epoch = 1, .receipts = &t->receipt, .receipt_count = 1};
}

static void told_close(struct told *t) {
    arena_clear(&t->mem);
    buf_free(&t->message);
}

static void there_and_back(struct told *t) {
    struct sign_key key = sign_key_from_seed((const uint8_t[SIGN_SEED_BYTES]){4});
    buf_reset(&t->message);
    CHECK_OK(wire_write_round_reply(&t->reply, 3, &key, 6, &t->message, &err));
    CHECK_OK(wire_read_round_reply(buf_slice(&t->message), 3, &t->mem, &t->back, &err));
}

TEST(a_change_that_came_late_says_so_in_its_line_and_its_edits) {
    struct told t;
    told_open(&t);
    t.lines[1].reason = REASON_LATE;
    t.lines[1].edit_count = 1;
    t.edits[0] = (struct receipt_edit){
        .cell_tag = 8, .outcome = OUTCOME_MERGED, .reason = REASON_LATE, .seq = 8};
    there_and_back(&t);
    CHECK_INT(t.back.receipts[0].lines[0].reason, REASON_NONE);
    CHECK_INT(t.back.receipts[0].lines[1].reason, REASON_LATE);
    CHECK_INT(t.back.receipts[0].lines[1].edits[0].reason, REASON_LATE);
    told_close(&t);
}

TEST(of_a_change_that_came_late_in_part_the_refused_part_keeps_its_reason) {
    struct told t;
    told_open(&t);
    t.lines[0].outcome = OUTCOME_REFUSED;
    t.lines[0].reason = REASON_LIMIT;
    t.lines[0].edit_count = 2;
    t.edits[0] = (struct receipt_edit){8, OUTCOME_REFUSED, REASON_LIMIT, 0, false, NULL, 0};
    t.edits[1] = (struct receipt_edit){9, OUTCOME_LOST, REASON_LATE, 0, false, NULL, 0};
    there_and_back(&t);
    CHECK_INT(t.back.receipts[0].lines[0].reason, REASON_LIMIT);
    CHECK_INT(t.back.receipts[0].lines[0].edits[0].reason, REASON_LIMIT);
    CHECK_INT(t.back.receipts[0].lines[0].edits[1].reason, REASON_LATE);
    told_close(&t);
}

TEST(what_did_not_come_late_costs_no_byte) {
    struct told t;
    told_open(&t);
    there_and_back(&t);
    CHECK_INT(late_count(t.back.receipts, t.back.receipt_count), 0);
    size_t plain = t.message.len;
    t.lines[0].reason = REASON_LATE;
    there_and_back(&t);
    CHECK(t.message.len > plain && t.message.len - plain <= 12);
    told_close(&t);
}

/* Sections as a faulty peer might write them: two numbers a change, batch and place. */
TEST(a_late_change_that_no_receipt_has_is_refused) {
    const struct {
        const char *name;
        uint32_t batch, change;
        enum status status;
    } rows[] = {{"it is there", 5, 1, ST_OK},
                {"no such batch", 6, 0, ST_MALFORMED},
                {"no such change", 5, 2, ST_MALFORMED}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct told t;
        struct receipt_line many[3];
        told_open(&t);
        for (size_t k = 0; k < ARRAY_COUNT(many); k++) many[k] = t.lines[0];
        many[rows[i].change].reason = REASON_LATE;
        struct receipt other = {.batch = rows[i].batch, .lines = many, .line_count = 3};
        CHECK_OK(late_write(&other, 1, &t.message, &err));
        enum status status =
            late_read(buf_slice(&t.message), &t.mem, 100000, &t.receipt, 1, &err);
        if (status != rows[i].status) check_fail(CHECK_HERE, "%s: %d", rows[i].name, (int)status);
        told_close(&t);
    }
}

TEST(a_cut_or_longer_section_of_late_changes_is_refused) {
    struct told t;
    told_open(&t);
    t.lines[0].reason = t.lines[1].reason = REASON_LATE;
    CHECK_OK(late_write(&t.receipt, 1, &t.message, &err));
    for (size_t cut = 0; cut < t.message.len; cut++)
        CHECK(late_read(slice_of(t.message.data, cut), &t.mem, 100000, &t.receipt, 1, &err) !=
              ST_OK);
    buf_put_byte(&t.message, 7); /* no form of texts */
    CHECK(late_read(buf_slice(&t.message), &t.mem, 100000, &t.receipt, 1, &err) != ST_OK);
    told_close(&t);
}

/* ------------------------------------------------------------------ edits of others */

static struct slice an_edit(struct told *t) {
    struct value value = value_text(SLICE("wang@example.cn"));
    struct edit edit = {.cell_tag = 8, .base = {7, 0}, .values = &value, .value_count = 1};
    struct change change = {
        .kind = CHANGE_EDIT, .entity_tag = 5, .row = id_make(0, 40), .edits = &edit, .edit_count = 1};
    buf_reset(&t->message);
    change_write(&change, &t->message);
    return arena_copy(&t->mem, buf_slice(&t->message));
}

TEST(edits_of_others_come_back_and_an_empty_list_is_there_too) {
    struct told t;
    told_open(&t);
    t.reply.receipt_count = 0;
    there_and_back(&t);
    CHECK(!t.back.has_others);
    t.reply.has_others = true;
    size_t plain = t.message.len;
    there_and_back(&t);
    CHECK(t.back.has_others);
    CHECK_INT(t.back.others_count, 0);
    CHECK(t.message.len - plain <= 5);
    struct others_edit others[] = {
        {90, 1234567890123, 7, {12, 0, 8}, REASON_DENIED, an_edit(&t)},
        {95, 1234567899999, 7, {12, 1, 0}, REASON_DENIED, an_edit(&t)}};
    t.reply.others = others;
    t.reply.others_count = 2;
    there_and_back(&t);
    CHECK_INT(t.back.others_count, 2);
    CHECK_INT(t.back.others[0].time_ms, 1234567890123);
    CHECK_INT(t.back.others[0].reason, REASON_DENIED);
    CHECK_INT(t.back.others[1].seq, 95);
    CHECK_INT(t.back.others[1].device, 7);
    CHECK_INT(t.back.others[1].id.batch, 12);
    CHECK_INT(t.back.others[1].id.change, 1);
    CHECK_INT(t.back.others[0].id.cell_tag, 8);
    CHECK(slice_equal(t.back.others[1].content, others[0].content));
    told_close(&t);
}

TEST(an_edit_of_another_that_is_no_change_is_refused) {
    struct told t;
    struct others_edit *back;
    size_t count;
    told_open(&t);
    struct others_edit other = {90, 1, 7, {12, 0, 8}, REASON_DENIED, an_edit(&t)};
    buf_reset(&t.message);
    CHECK_OK(others_write(&other, 1, &t.message, &err));
    CHECK_OK(others_read(buf_slice(&t.message), &t.mem, 100000, &back, &count, &err));
    for (size_t cut = 0; cut < t.message.len; cut++)
        CHECK(others_read(slice_of(t.message.data, cut), &t.mem, 100000, &back, &count, &err) !=
              ST_OK);
    other.content.len--;
    buf_reset(&t.message);
    CHECK_OK(others_write(&other, 1, &t.message, &err));
    CHECK_INT(others_read(buf_slice(&t.message), &t.mem, 100000, &back, &count, &err),
              ST_MALFORMED);
    told_close(&t);
}
