/* The wire at its limits: what is cut inside a delete, what is one more than allowed, and texts so
 * long that deflate starts anew for them. */
#include "tests/unit/check.h"
#include "tests/unit/fault.h"
#include "tests/unit/wire_make.h"

#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"

#include <string.h>

static struct err err;

/* ------------------------------------------------------------------ canonical changes */

/* A delete of a row and an owned one, of which one cell was seen later; it releases what was
 * refused. */
static struct change a_delete(void) {
    static struct unit_cell cells[] = {{4, {9, 0}}, {5, {9, 2}}};
    static struct unit_row unit[] = {{9, 6, {7, 0}, NULL, 0}, {10, 7, {7, 1}, cells, 2}};
    static struct refusal_id retries[] = {{3, 0, 4}, {3, 1, 0}};
    return (struct change){.kind = CHANGE_DELETE,
                           .entity_tag = 6,
                           .row = 9,
                           .unit = unit,
                           .unit_count = 2,
                           .retry_of = retries,
                           .retry_count = 2};
}

TEST(a_delete_comes_back_and_none_that_is_cut) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH);
    struct change change = a_delete(), back;
    change_write(&change, &buf);
    CHECK_OK(change_read(buf_slice(&buf), &mem, &back, &err));
    CHECK_INT(back.unit_count, 2);
    CHECK_INT(back.unit[1].cells[1].base.own, 2);
    CHECK_INT(back.retry_of[1].change, 1);
    for (size_t len = 0; len < buf.len; len++)
        CHECK_STATUS(change_read(slice_of(buf.data, len), &mem, &back, &err), ST_MALFORMED);
    for (size_t cap = 0; cap < 256; cap += 8) {
        SCOPED(arena_clear) struct arena small = arena_new(cap);
        enum status status = change_read(buf_slice(&buf), &small, &back, &err);
        CHECK(status == ST_OK || status == ST_NO_MEMORY);
    }
}

TEST(other_spellings_of_a_change_are_refused) {
    const struct {
        const char *name;
        struct slice bytes;
        enum status status;
    } rows[] = {
        /* kind, entity, row, edits */
        {"as it is", SLICE("\x01\x06\x09\x00"), ST_OK},
        {"the greatest row", SLICE("\x01\x06\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x0F\x00"), ST_OK},
        {"a row above all", SLICE("\x01\x06\x80\x80\x80\x80\x80\x80\x80\x10\x00"), ST_MALFORMED},
        {"a long varint", SLICE("\x01\x86\x00\x09\x00"), ST_MALFORMED},
        {"a unit that is announced and empty", SLICE("\x06\x06\x09\x00\x00"), ST_MALFORMED},
        {"retries that are announced and none", SLICE("\x09\x06\x09\x00\x00"), ST_MALFORMED},
    };
    for
        EACH (row, rows) {
            SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            struct change change;
            CHECK_ROW_INT(row, change_read(row->bytes, &mem, &change, &err), row->status);
        }
}

TEST(a_change_that_meets_want_of_memory_is_told) {
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH);
    struct change change = a_delete(), back;
    struct batch batch = {.number = 1, .changes = &change, .change_count = 1}, batch_back;
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        buf_reset(&buf);
        change_write(&change, &buf);
        fault_arm(n);
        enum status status = change_read(buf_slice(&buf), &mem, &back, &err);
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(status, fired ? ST_NO_MEMORY : ST_OK);
    }
    fired = true;
    for (size_t n = 1; fired; n++) {
        SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        buf_reset(&buf);
        batch_write(&batch, &buf);
        fault_arm(n);
        enum status status = batch_read(buf_slice(&buf), &mem, &batch_back, &err);
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(status, fired ? ST_NO_MEMORY : ST_OK);
    }
}

TEST(a_unit_of_more_rows_than_allowed_is_refused) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH);
    struct change back;
    buf_put(&buf, "\x06\x06\x09\x00", 4);
    buf_put_varint(&buf, UNIT_ROWS_MAX + 1);
    for (int i = 0; i <= UNIT_ROWS_MAX; i++) buf_put(&buf, "\x01\x01\x00\x00\x00", 5);
    CHECK_STATUS(change_read(buf_slice(&buf), &mem, &back, &err), ST_TOO_LARGE);
}

/* ------------------------------------------------------------------ an old form's batch number */

static struct round_request a_push(struct batch *batch) {
    return (struct round_request){.batches = batch, .batch_count = 1};
}

/* Base and today at one seq, but on different own batches: told apart in every form. */
TEST(bases_that_differ_by_their_own_batch_come_back) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct value parts[] = {value_text(SLICE("a")), value_null()};
    struct edit edits[] = {{4, EDIT_ELEMENTS, {5, 1}, {5, 2}, parts, 2},
                           {5, EDIT_ELEMENTS, {5, 3}, {5, 3}, parts, 2}};
    struct change change = {
        .kind = CHANGE_EDIT, .entity_tag = 6, .row = 9, .edits = edits, .edit_count = 2};
    struct batch batch = {.number = 4, .changes = &change, .change_count = 1}, canonical;
    struct round_request push = a_push(&batch), back;
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_BATCH), view = buf_new(BUF_MAX_BATCH);
    batch_write(&batch, &buf);
    CHECK_OK(batch_read(buf_slice(&buf), &mem, &canonical, &err));
    buf_reset(&buf);
    CHECK_OK(wire_write_round_request(&push, 6, &buf, &err));
    CHECK_OK(wire_read_round_request(buf_slice(&buf), &mem, &back, &err));
    const struct edit *read[] = {canonical.changes[0].edits, back.batches[0].changes[0].edits};
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(read[i][0].base.own, 1);
        CHECK_INT(read[i][0].today.own, 2);
        CHECK_INT(read[i][1].base.own, 3);
        CHECK_INT(read[i][1].today.own, 3);
    }
    CHECK_OK(wire_write_json(buf_slice(&buf), NULL, &view, &err));
    CHECK(strstr(buf_text(&view), "\"today\":{\"seq\":5,\"own\":2}") != NULL);
}

/* ------------------------------------------------------------------ one more than allowed */

TEST(a_push_of_too_many_changes_is_not_written) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    struct change *changes = ARENA_ARRAY(&mem, WIRE_CHANGES_MAX + 1, struct change);
    CHECK(changes != NULL);
    for (int i = 0; i <= WIRE_CHANGES_MAX; i++)
        changes[i] = (struct change){.kind = CHANGE_EDIT, .entity_tag = 6, .row = i + 1};
    struct batch batches[] = {
        {.number = 1, .changes = changes, .change_count = WIRE_CHANGES_MAX / 2},
        {.number = 2, .changes = changes, .change_count = WIRE_CHANGES_MAX / 2 + 1}};
    struct round_request push = {.batches = batches, .batch_count = 2}, back;
    CHECK_STATUS(wire_write_round_request(&push, 1, &buf, &err), ST_TOO_LARGE);
    batches[1].change_count--;
    buf_reset(&buf);
    CHECK_OK(wire_write_round_request(&push, 1, &buf, &err));
    CHECK_OK(wire_read_round_request(buf_slice(&buf), &mem, &back, &err));
    CHECK_INT(back.batches[1].change_count, WIRE_CHANGES_MAX / 2);
}

TEST(a_page_of_too_many_kinds_of_rows_or_cells_is_not_written) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    struct record *records = ARENA_ARRAY(&mem, SHAPES_MAX + 1, struct record);
    struct record_cell *cells = ARENA_ARRAY(&mem, SHAPE_CELLS_MAX + 1, struct record_cell);
    struct value value = value_int(1);
    CHECK(records && cells);
    for (uint32_t i = 0; i <= SHAPES_MAX; i++)
        records[i] =
            (struct record){.entity_tag = i + 1, .flags = RECORD_DEAD, .row = i + 1, .seq = i + 1};
    struct round_reply page = {.records = records, .record_count = SHAPES_MAX + 1};
    CHECK_STATUS(wire_write_round_reply(&page, 17, NULL, 1, &buf, &err), ST_TOO_LARGE);
    for (uint32_t i = 0; i <= SHAPE_CELLS_MAX; i++)
        cells[i] = (struct record_cell){i + 1, &value, 1};
    struct record wide = {6, RECORD_WHOLE, 1, 1, cells, SHAPE_CELLS_MAX + 1};
    page = (struct round_reply){.records = &wide, .record_count = 1};
    buf_reset(&buf);
    CHECK_STATUS(wire_write_round_reply(&page, 17, NULL, 1, &buf, &err), ST_TOO_LARGE);
    CHECK(wire_record_bytes(&wide) > wire_record_bytes(&records[0]));
}

TEST(the_size_of_a_record_counts_its_texts) {
    struct value values[] = {value_text(SLICE("0123456789")), value_int(1)};
    struct record_cell cells[] = {{1, values, 1}, {2, values, 2}};
    struct record bare = {6, 0, 1, 1, NULL, 0}, one = {6, 0, 1, 1, cells, 1},
                  two = {6, 0, 1, 1, cells, 2};
    CHECK(wire_record_bytes(&one) >= wire_record_bytes(&bare) + 10);
    CHECK(wire_record_bytes(&two) >= wire_record_bytes(&one) + 10);
}

/* ------------------------------------------------------------------ long texts, with and without
 * repeats */

/* bytes letters of which no stretch comes twice, as far as 64 letters can. */
static struct slice noise(size_t bytes, uint64_t state, struct arena *mem) {
    char *text = arena_alloc(mem, bytes + 1);
    CHECK(text != NULL);
    for (size_t i = 0; i < bytes; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text[i] = (char)('0' + (state >> 33) % 64);
    }
    return slice_of(text, bytes);
}

TEST(a_push_of_long_texts_comes_back) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    for (size_t bytes = 20; bytes <= 200000; bytes *= 10) {
        SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
        struct value notes[] = {value_text(noise(bytes, 5, &mem)),
                                value_text(noise(bytes, 6, &mem))};
        struct edit edits[] = {{4, EDIT_SET, {1, 0}, {1, 0}, &notes[0], 1},
                               {5, EDIT_SET, {1, 0}, {1, 0}, &notes[1], 1}};
        struct change change = {
            .kind = CHANGE_EDIT, .entity_tag = 6, .row = 9, .edits = edits, .edit_count = 2};
        struct batch batch = {.number = 4, .changes = &change, .change_count = 1};
        struct round_request push = a_push(&batch), back;
        CHECK_OK(wire_write_round_request(&push, 6, &buf, &err));
        CHECK_OK(wire_read_round_request(buf_slice(&buf), &mem, &back, &err));
        for (size_t i = 0; i < 2; i++)
            CHECK_SLICES(back.batches[0].changes[0].edits[i].values[0].text, notes[i].text);
    }
}

/* Offsets may stand at the start, twice, or at the end. */
TEST(deflate_begins_anew_where_it_is_told) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    static const size_t cuts[] = {0, 0, 500, 500, 700, 1000};
    struct slice bytes = noise(1000, 9, &mem), back;
    CHECK_OK(deflate_write(bytes, cuts, ARRAY_COUNT(cuts), 9, &buf, &err));
    CHECK_OK(deflate_read(buf_slice(&buf), &mem, bytes.len, &back, &err));
    CHECK_SLICES(back, bytes);
    CHECK_STATUS(deflate_read(buf_slice(&buf), &mem, bytes.len + 1, &back, &err), ST_MALFORMED);
    CHECK_STATUS(deflate_read(buf_slice(&buf), &mem, bytes.len - 1, &back, &err), ST_MALFORMED);
    buf_put_byte(&buf, 0);
    CHECK_STATUS(deflate_read(buf_slice(&buf), &mem, bytes.len, &back, &err), ST_MALFORMED);
}

TEST(a_message_that_stays_too_large_is_taken_back) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    struct hello_request hello = {
        .device = 1, .release = noise((size_t)WIRE_REQUEST_BYTES_MAX * 3 / 2, 3, &mem)};
    buf_put_text(&buf, "before");
    CHECK_STATUS(wire_write_hello_request(&hello, &buf, &err), ST_TOO_LARGE);
    CHECK_TEXT(buf_text(&buf), "before");
}
