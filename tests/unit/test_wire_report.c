/* What head office and its laptops tell each other about the laptop itself. */
#include <string.h>

#include "tests/unit/check.h"
#include "protocol/wire/wire.h"

static struct arena mem;
static struct buf out;

static struct slice written(enum status status) {
    CHECK_INT(status, ST_OK);
    struct slice bytes = arena_copy(&mem, buf_slice(&out));
    buf_reset(&out);
    return bytes;
}

static void begin(void) {
    mem = arena_new(64 * 1024 * 1024);
    out = buf_new(BUF_MAX_MESSAGE);
}

static void end(void) {
    arena_clear(&mem);
    buf_free(&out);
}

TEST(a_report_costs_a_few_bytes_and_comes_back) {
    struct round_request m = {.epoch = 1, .page_bytes = WIRE_PAGE_BYTES}, read;
    struct err err;
    begin();
    size_t plain = written(wire_write_round_request(&m, 6, &out, &err)).len;
    m.has_report = true;
    m.report = (struct device_report){41, 123456, 98765, DISK_ENCRYPTED};
    struct slice bytes = written(wire_write_round_request(&m, 6, &out, &err));
    CHECK(bytes.len - plain <= 12);
    CHECK_OK(wire_read_round_request(bytes, &mem, &read, &err));
    CHECK(read.has_report);
    CHECK_INT(read.report.newest_batch, 41);
    CHECK_INT(read.report.used_kib, 123456);
    CHECK_INT(read.report.free_mib, 98765);
    CHECK_INT(read.report.disk, DISK_ENCRYPTED);
    end();
}

TEST(orders_terms_and_wipes_come_back) {
    struct round_reply reply = {.epoch = 1}, reply_read;
    struct hello_request hello = {.device = 3, .has_wiped = true, .wiped_order_ms = 1234567890123};
    struct hello_reply terms = {.lease_days = 30}, terms_read;
    struct hello_request hello_read;
    struct err err;
    begin();
    reply.order = (struct device_order){.kind = ORDER_WIPE, .time_ms = 99, .signature = {1, 2, 3}};
    struct slice bytes = written(wire_write_round_reply(&reply, 3, NULL, 6, &out, &err));
    CHECK_OK(wire_read_round_reply(bytes, 3, &mem, &reply_read, &err));
    CHECK_INT(reply_read.order.kind, ORDER_WIPE);
    CHECK_INT(reply_read.order.time_ms, 99);
    CHECK_INT(reply_read.order.signature[2], 3);
    bytes = written(wire_write_hello_request(&hello, &out, &err));
    CHECK_OK(wire_read_hello_request(bytes, &mem, &hello_read, &err));
    CHECK(hello_read.has_wiped);
    CHECK_INT(hello_read.wiped_order_ms, 1234567890123);
    bytes = written(wire_write_hello_reply(&terms, &out, &err));
    CHECK_OK(wire_read_hello_reply(bytes, &mem, &terms_read, &err));
    CHECK_INT(terms_read.lease_days, 30);
    end();
}

TEST(a_copy_says_its_chain) {
    struct chain chains[3] = {{{1}}, {{2}}, {{3}}};
    struct copied_book copy = {.last_batch = 7, .chains = chains, .chain_count = 3};
    struct enroll_request m = {.copy = &copy}, read;
    struct enroll_reply reply = {.device = 9, .has_kept = true, .kept = {.last = 8}}, reply_read;
    struct err err;
    begin();
    struct slice bytes = written(wire_write_enroll_request(&m, &out, &err));
    CHECK_OK(wire_read_enroll_request(bytes, &mem, &read, &err));
    CHECK_INT(read.copy->last_batch, 7);
    CHECK_INT(read.copy->chain_count, 3);
    CHECK_INT(read.copy->chains[2].bytes[0], 3);
    CHECK_INT(read.copy->save_count, 0);
    copy.saves = chains + 1;
    copy.save_count = 2;
    bytes = written(wire_write_enroll_request(&m, &out, &err));
    CHECK_OK(wire_read_enroll_request(bytes, &mem, &read, &err));
    CHECK_INT(read.copy->save_count, 2);
    CHECK_INT(read.copy->saves[1].bytes[0], 3);
    copy.save_count = 1; /* one for each batch, or none */
    bytes = written(wire_write_enroll_request(&m, &out, &err));
    CHECK_STATUS(wire_read_enroll_request(bytes, &mem, &read, &err), ST_MALFORMED);
    bytes = written(wire_write_enroll_reply(&reply, &out, &err));
    CHECK_OK(wire_read_enroll_reply(bytes, &mem, &reply_read, &err));
    CHECK(reply_read.has_kept);
    CHECK_INT(reply_read.kept.last, 8);
    CHECK(!reply_read.kept.otherwise);
    reply.kept = (struct kept_batches){9, true, {{4}}};
    bytes = written(wire_write_enroll_reply(&reply, &out, &err));
    CHECK_OK(wire_read_enroll_reply(bytes, &mem, &reply_read, &err));
    CHECK_INT(reply_read.kept.last, 9);
    CHECK(reply_read.kept.otherwise);
    CHECK_INT(reply_read.kept.chain.bytes[0], 4);
    end();
}

/* Any prefix of a section, and anything behind it, is refused or another message: never a crash. */
TEST(what_is_cut_is_refused) {
    struct round_reply reply = {.order = {.kind = ORDER_REVOKED}}, read;
    struct err err;
    begin();
    struct slice bytes = written(wire_write_round_reply(&reply, 3, NULL, 6, &out, &err));
    for (size_t len = 0; len < bytes.len; len++)
        CHECK(wire_read_round_reply(slice_of(bytes.data, len), 3, &mem, &read, &err) != ST_OK ||
              read.order.kind == ORDER_NONE);
    end();
}

TEST(releases_compare_as_numbers) {
    static const struct {
        const char *name;
        bool is_release;
        int64_t number;
    } ROWS[] = {
        {"0.1.0", true, 1000000},         {"0.2.0", true, 2000000},
        {"1.0.0", true, 1000000000000},   {"0.1.9", true, 1000009},
        {"0.10.0", true, 10000000},       {"1.2.3-rc1", true, 1000002000003},
        {"1.2", false, 0},                {"", false, 0},
        {"v1.2.3", false, 0},             {"1.2.3.4", false, 0},
        {"0.0.0", false, 0},              {"1.2.3x", false, 0},
        {"1.2.9999999", false, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(ROWS); i++) {
        int64_t number = 0;
        CHECK_ROW_INT(&ROWS[i], wire_release_number(slice_from(ROWS[i].name), &number),
                      ROWS[i].is_release);
        CHECK_ROW_INT(&ROWS[i], number, ROWS[i].number);
    }
    begin();
    wire_release_write(1000002000003, &out);
    CHECK_TEXT(buf_text(&out), "1.2.3");
    end();
}
