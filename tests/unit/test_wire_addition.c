/* What head office added to the catalogue, as it travels: in replies, and back in requests. */
#include "tests/unit/check.h"

#include <string.h>

#include "protocol/wire/wire.h"
#include "tests/unit/wire_make.h"

static struct err err;

static struct added_field a_field(void) {
    return (struct added_field){.entity = 4,
                                .tag = 65536,
                                .group = 65536,
                                .type = FIELD_DECIMAL,
                                .set_of = FIELD_ENUM,
                                .rule = RULE_MAX,
                                .scale = 3,
                                .flags = ADDITION_RETIRED,
                                .min = -7,
                                .max = INT64_MAX,
                                .name = SLICE("width"),
                                .label = {SLICE("Width"), SLICE("宽度")}};
}

static struct added_value a_value(void) {
    return (struct added_value){.entity = 4,
                                .field = 5,
                                .number = 70000,
                                .flags = ADDITION_RETIRED,
                                .name = SLICE("odd"),
                                .label = {SLICE("Odd"), SLICE("奇")}};
}

TEST(additions_come_back_as_they_were) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_LINE);
    struct added_field field = a_field();
    struct added_value value = a_value();
    struct additions all = {&field, 1, &value, 1}, back;
    CHECK_OK(wire_write_additions(&all, &bytes, &err));
    CHECK_OK(wire_read_additions(buf_slice(&bytes), &mem, &back, &err));
    CHECK_INT(back.field_count, 1);
    CHECK_INT(back.value_count, 1);
    const struct added_field *f = &back.fields[0];
    CHECK(f->entity == 4 && f->tag == 65536 && f->group == 65536 && f->type == FIELD_DECIMAL);
    CHECK(f->set_of == FIELD_ENUM && f->rule == RULE_MAX && f->scale == 3 && f->flags == 1);
    CHECK(f->min == -7 && f->max == INT64_MAX && slice_equal(f->name, SLICE("width")));
    CHECK(slice_equal(f->label[LANG_EN], SLICE("Width")));
    CHECK(slice_equal(f->label[LANG_ZH], SLICE("宽度")));
    const struct added_value *v = &back.values[0];
    CHECK(v->entity == 4 && v->field == 5 && v->number == 70000 && v->flags == 1);
    CHECK(slice_equal(v->name, SLICE("odd")) && slice_equal(v->label[LANG_ZH], SLICE("奇")));
}

TEST(an_item_says_its_length_so_that_later_releases_may_say_more) {
    static const uint8_t longer[] = {0,                                   /* no fields */
                                     1,                                   /* one value */
                                     15,                                  /* of 15 bytes: */
                                     4,   5, 0xF0, 0xA2, 0x04, 0,         /* 4, 5, 70000, no flags */
                                     1,   'a', 1, 'A', 1, 'B',            /* a, A, B */
                                     9,   9, 9};                          /* of a later release */
    static const uint8_t shorter[] = {0, 1, 5, 4, 5, 0xF0, 0xA2, 0x04};
    static const uint8_t cut_field[] = {1, 3, 4, 5, 6, 0};
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct additions back;
    CHECK_OK(wire_read_additions(slice_of(longer, sizeof longer), &mem, &back, &err));
    CHECK(back.field_count == 0 && back.value_count == 1 && back.values[0].number == 70000);
    CHECK(slice_equal(back.values[0].label[LANG_ZH], SLICE("B")));
    CHECK_STATUS(wire_read_additions(slice_of(shorter, sizeof shorter), &mem, &back, &err),
                 ST_MALFORMED);
    CHECK_STATUS(wire_read_additions(slice_of(cut_field, sizeof cut_field), &mem, &back, &err),
                 ST_MALFORMED);
    CHECK_STATUS(wire_read_additions(slice_of(longer, sizeof longer - 1), &mem, &back, &err),
                 ST_MALFORMED);
    CHECK_STATUS(wire_read_additions(SLICE("\xff\xff\x7f"), &mem, &back, &err), ST_MALFORMED);
}

TEST(what_no_message_holds_is_not_written) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf big = buf_new(BUF_MAX_MESSAGE);
    struct added_field field = a_field();
    struct added_value value = a_value();
    for (size_t i = 0; i < (size_t)BUF_MAX_LINE + 1; i++) buf_put_byte(&big, 'a');
    field.name = buf_slice(&big);
    struct additions fields = {&field, 1, NULL, 0};
    CHECK_STATUS(wire_write_additions(&fields, &bytes, &err), ST_TOO_LARGE);
    value.name = buf_slice(&big);
    struct additions values = {NULL, 0, &value, 1};
    CHECK_STATUS(wire_write_additions(&values, &bytes, &err), ST_TOO_LARGE);
}

static struct slice sample(struct arena *mem, const char *name) {
    struct sample samples[SAMPLE_COUNT];
    make_samples(mem, samples);
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        if (strcmp(samples[i].name, name) == 0) return samples[i].message;
    CHECK(false);
    return (struct slice){0};
}

TEST(a_reply_and_a_request_carry_them_with_the_signature) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct round_reply reply;
    struct round_request request;
    CHECK_OK(wire_read_round_reply(sample(&mem, "round-reply-fields"), 17, &mem, &reply, &err));
    CHECK(reply.has_news && reply.added_count == 1 && reply.people_count == 1);
    CHECK_INT(reply.added[0].added.field_count, 4);
    CHECK_INT(reply.added[0].added.value_count, 2);
    CHECK(reply.added[0].signature[0] == 0x51 && reply.added[0].signature[1] == 0x52);
    CHECK_OK(wire_read_round_request(sample(&mem, "round-request-fields"), &mem, &request, &err));
    CHECK_INT(request.added_count, 1);
    CHECK(slice_equal(request.added[0].bytes, reply.added[0].bytes));
}

/* Section 16 with a list whose bytes are no list; and with none at all. */
TEST(a_message_with_a_list_that_cannot_be_read_is_refused) {
    static const uint8_t none[] = {0}, bad[] = {1, 1, 9}, inside[2 + 1 + SIGN_BYTES] = {1, 1, 9};
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct slice good = stored_form(sample(&mem, "round-request-fields"), &mem);
    const struct slice wrong[] = {slice_of(none, sizeof none), slice_of(bad, sizeof bad),
                                  slice_of(inside, sizeof inside)};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
        struct round_request request;
        struct reader r = reader_of(slice_of(good.data + 4, good.len - 4));
        buf_put(&message, good.data, 4);
        while (reader_left(&r) > 0) {
            uint64_t tag = reader_varint(&r);
            struct slice content = reader_bytes(&r, good.len);
            buf_put_varint(&message, tag);
            buf_put_bytes(&message, tag == 16 ? wrong[i] : content);
        }
        enum status status = wire_read_round_request(buf_slice(&message), &mem, &request, &err);
        CHECK_INT(status, i == 0 ? ST_OK : ST_MALFORMED);
    }
}

TEST(the_org_signs_a_text_that_nothing_else_begins_with) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    wire_additions_signed(SLICE("xy"), &text);
    CHECK_TEXT(buf_text(&text), "roadbook catalogue 1\nxy");
}
