/* Columns of numbers and texts: each packing comes back, and costs what it should. */
#include "tests/unit/check.h"
#include "tests/unit/fault.h"
#include "tests/unit/wire_make.h"

#include "protocol/wire/columns.h"

enum { MANY = 1000 };

static struct err err;

static uint64_t mixed(uint64_t n) {
    n = (n ^ n >> 31) * 0x9E3779B97F4A7C15u;
    return n ^ n >> 29;
}

static int64_t zero(size_t i) {
    return (int64_t)(i * 0);
}
static int64_t same(size_t i) {
    return (int64_t)(i * 0) - 5;
}
static int64_t steps(size_t i) {
    return 1000 + 7 * (int64_t)i;
}
static int64_t squares(size_t i) {
    return (int64_t)(i * i) * 3 - 9;
}
static int64_t coin(size_t i) {
    return mixed(i) & 1 ? 1700000000000 : -1;
}
static int64_t few(size_t i) {
    return (int64_t)(mixed(i) % 3) * 1000;
}
static int64_t dozen(size_t i) {
    return (int64_t)(mixed(i) % 12) * 5 - 30;
}
static int64_t small(size_t i) {
    return (int64_t)(mixed(i) % 100);
}
static int64_t wide(size_t i) {
    return (int64_t)mixed(i);
}
static int64_t ids(size_t i) {
    return 70000 + (int64_t)(mixed(i) % 4000);
}
static int64_t minutes(size_t i) {
    return 1700000000000 + (int64_t)(mixed(i) % 5000) * 60000;
}
static int64_t rising(size_t i) {
    return 1700000000000 + (int64_t)i * 300000 + (int64_t)(mixed(i) % 9000);
}
static int64_t ends(size_t i) {
    return i % 2 ? INT64_MAX : INT64_MIN;
}
static int64_t skewed(size_t i) {
    return i % 50 ? 1 : (int64_t)(mixed(i) % 100000);
}

static const struct {
    const char *name;
    int64_t (*at)(size_t i);
    size_t bytes_max; /* for MANY of them; deflate makes less of it */
} ROWS[] = {
    {"zeros", zero, 1},
    {"the same", same, 2},
    {"steps", steps, 5},
    {"squares", squares, 6},
    {"a coin", coin, 140},
    {"three numbers", few, 1010},
    {"a dozen", dozen, 1010},
    {"small numbers", small, 1010},
    {"any 64 bits", wide, 9300},
    {"ids", ids, 2020},
    {"whole minutes", minutes, 2020},
    {"rising instants", rising, 4000},
    {"both ends", ends, 160},
    {"mostly one", skewed, 3020},
};

static void fill(int64_t *values, size_t count, int64_t (*at)(size_t i)) {
    for (size_t i = 0; i < count; i++) values[i] = at(i);
}

TEST(columns_of_numbers_come_back_and_are_small) {
    static int64_t values[MANY];
    for
        EACH (row, ROWS) {
            for (size_t count = 1; count <= MANY; count = count < 70 ? count + 1 : count + 465) {
                SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
                SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
                fill(values, count, row->at);
                ints_write(values, NULL, count, &buf);
                if (count == MANY) CHECK_ROW(row, buf.len <= row->bytes_max);
                struct coder c = coder_reading(buf_slice(&buf), &mem);
                struct ints ints;
                bool failed = false;
                ints_open(&ints, &c);
                for (size_t i = 0; i < count; i++)
                    CHECK_ROW_INT(row, ints_next(&ints, NULL, &failed), values[i]);
                CHECK_ROW(row, !failed && ints_done(&ints));
                CHECK_OK(coder_end(&c, &err));
            }
        }
}

TEST(a_column_has_no_more_numbers_than_it_has) {
    const struct {
        const char *name;
        struct slice bytes;
        size_t count; /* that can be drawn */
    } CUT[] = {
        {"varints", SLICE("\x02\x00\x02\x01\x02"), 2},
        {"bits", SLICE("\x03\x02\x00\x02\x01\x05"), 8},
        {"planes", SLICE("\x04\x00\x02\x04\x01\x02\x03\x04"), 2},
        {"scaled varints", SLICE("\x05\x00\x0A\x02\x01\x02"), 2},
        {"a place that is none", SLICE("\x03\x03\x00\x02\x04\x01\xC0"), 3},
    };
    for
        EACH (row, CUT) {
            SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            struct coder c = coder_reading(row->bytes, &mem);
            struct ints ints;
            bool failed = false;
            ints_open(&ints, &c);
            CHECK_ROW(row, !coder_failed(&c));
            for (size_t i = 0; i < row->count; i++) (void)ints_next(&ints, NULL, &failed);
            CHECK_ROW(row, !failed);
            (void)ints_next(&ints, NULL, &failed);
            CHECK_ROW(row, failed);
        }
}

TEST(heads_of_columns_that_are_none_are_refused) {
    const struct {
        const char *name;
        struct slice bytes;
    } BAD[] = {
        {"nothing", {NULL, 0}},
        {"a packing", SLICE("\x07\x00")},
        {"an order", SLICE("\x18\x00")},
        {"a relation", SLICE("\x60\x00")},
        {"bits of nothing", SLICE("\x03\x00\x01\x00")},
        {"too many to be bits", SLICE("\x03\x11\x00")},
        {"planes without width", SLICE("\x04\x00\x00\x00")},
        {"planes too wide", SLICE("\x04\x00\x09\x00")},
        {"a length too long", SLICE("\x02\x00\x05\x00")},
    };
    for
        EACH (row, BAD) {
            SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            struct coder c = coder_reading(row->bytes, &mem);
            struct ints ints;
            ints_open(&ints, &c);
            CHECK_ROW(row, coder_failed(&c));
        }
}

TEST(an_end_is_told_by_its_start_and_a_date_by_its_time) {
    static int64_t start[MANY], end[MANY], date[MANY];
    static struct beside beside[MANY], of_date[MANY];
    SCOPED(buf_free) struct buf alone = buf_new(BUF_MAX_MESSAGE), told = buf_new(BUF_MAX_MESSAGE);
    for (size_t i = 0; i < MANY; i++) {
        start[i] = 1700000000000 + (int64_t)(mixed(i) % 1000000) * 60000;
        end[i] = start[i] + 1800000;
        date[i] = start[i] / 86400000;
        beside[i] = (struct beside){start[i], start[i] / 86400000};
        of_date[i] = (struct beside){end[i], start[i] / 86400000};
    }
    ints_write(end, beside, MANY, &told);
    CHECK(told.len <= 6);
    ints_write(date, of_date, MANY, &alone);
    CHECK_INT(alone.len, 1);
    buf_free(&alone);
    buf_free(&told);
}

/* ------------------------------------------------------------------ texts */

static struct slice sentence(struct arena *mem, size_t i) {
    return slice_from(
        arena_printf(mem, "%zu Water in the wash compartment was %llu degrees, see rule %llu.", i,
                     (unsigned long long)mixed(i) % 100, (unsigned long long)mixed(i + 7)));
}

static void round_trip_texts(const struct slice *texts, size_t count, struct arena *mem,
                             size_t *out_bytes) {
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    struct columns set;
    struct column col = {0};
    struct cuts cuts = {0};
    columns_start(&set);
    for (size_t i = 0; i < count; i++) (void)column_text(&set, &col, texts[i]);
    CHECK_OK(columns_finish(&set, &buf, &cuts, &err));
    *out_bytes = buf.len;
    col = (struct column){0};
    columns_open(&set, buf_slice(&buf), mem, CODER_ROOM_BASE);
    for (size_t i = 0; i < count; i++)
        CHECK_SLICES(column_text(&set, &col, (struct slice){0}), texts[i]);
    CHECK_OK(columns_close(&set, &err));
}

TEST(texts_come_back_plain_and_distinct_and_with_far_repeats) {
    enum { COUNT = 2000 };
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    static struct slice texts[COUNT];
    size_t bytes, plain_bytes;
    for (size_t i = 0; i < COUNT; i++) texts[i] = sentence(&mem, i);
    round_trip_texts(texts, COUNT, &mem, &plain_bytes);
    for (size_t i = COUNT / 2; i < COUNT; i++) { /* said before, with another beginning */
        texts[i] = slice_from(arena_printf(&mem, "%zu.%.*s", i, (int)texts[i - COUNT / 2].len,
                                           (const char *)texts[i - COUNT / 2].data));
    }
    round_trip_texts(texts, COUNT, &mem, &bytes);
    CHECK_INT(bytes < plain_bytes * 3 / 4 ? 0 : bytes, 0);
    for (size_t i = 0; i < COUNT; i++) texts[i] = texts[i % 10];
    round_trip_texts(texts, COUNT, &mem, &bytes);
    CHECK(bytes < 3000);
    for (size_t i = 0; i < COUNT; i++) texts[i] = slice_of("x", i % 2); /* empty ones too */
    round_trip_texts(texts, COUNT, &mem, &bytes);
    round_trip_texts(texts, 1, &mem, &bytes);
}

TEST(a_section_with_anything_left_over_is_refused) {
    const struct {
        const char *name;
        struct slice section;
    } BAD[] = {
        {"numbers longer than all", SLICE("\x05\x00")},
        {"a form of texts that is none", SLICE("\x03\x00\x01\x00\x02x")},
        {"texts nobody asked for", SLICE("\x04\x00\x01\x01\x02\x00xy")},
        {"a column too many", SLICE("\x04\x00\x00\x00\x00")},
        {"repeats that say less", SLICE("\x04\x00\x03\x01\x06\x01\x03\x01\x00\x00\x00x")},
        {"a repeat of nothing", SLICE("\x04\x00\x03\x01\x06\x01\x04\x01\x00\x01\x06\x00xyz")},
        {"repeats without columns", SLICE("\x04\x00\x03\x01\x06\x01\x04\x01")},
        {"no bytes but a repeat", SLICE("\x04\x00\x03\x01\x06\x01\x00\x00")},
    };
    for
        EACH (row, BAD) {
            SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            struct columns set;
            struct column col = {0};
            columns_open(&set, row->section, &mem, CODER_ROOM_BASE);
            (void)column_text(&set, &col, (struct slice){0});
            CHECK_ROW(row, columns_close(&set, &err) != ST_OK);
        }
}

TEST(what_unfolds_to_too_much_is_refused) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct coder c = coder_reading(SLICE("xy"), &mem);
    c.room = 100;
    CHECK(code_items(&c, NULL, 10, 10) != NULL);
    CHECK(code_items(&c, NULL, 1, 1) == NULL);
    CHECK_STATUS(coder_end(&c, &err), ST_TOO_LARGE);
}

/* ------------------------------------------------------------------ a page with far repeats */

enum { PAGE_ROWS = 150 };

/* Notes of which each later one says what an earlier one said. */
static struct round_reply a_page(struct arena *mem) {
    struct round_reply page = {.record_count = PAGE_ROWS};
    struct value *notes = ARENA_ARRAY(mem, PAGE_ROWS, struct value);
    struct record_cell *cells = ARENA_ARRAY(mem, PAGE_ROWS, struct record_cell);
    page.records = ARENA_ARRAY(mem, PAGE_ROWS, struct record);
    CHECK(notes && cells && page.records);
    for (size_t i = 0; i < PAGE_ROWS; i++) {
        struct slice said = sentence(mem, i < PAGE_ROWS / 2 ? i : i - PAGE_ROWS / 2);
        notes[i] = value_text(slice_from(arena_printf(mem, "%zu: %s", i, (const char *)said.data)));
        cells[i] = (struct record_cell){14, &notes[i], 1};
        page.records[i] = (struct record){
            6, RECORD_WHOLE, id_make(17, (uint32_t)i + 1), 10 + (int64_t)i, &cells[i], 1};
    }
    return page;
}

static enum status read_page(struct slice message, struct arena *mem, struct round_reply *out) {
    enum status status = wire_read_round_reply(message, 17, mem, out, &err);
    if (status != ST_OK) arena_clear(mem);
    return status;
}

TEST(a_page_with_far_repeats_survives_strangers) {
    SCOPED(arena_clear)
    struct arena mem = arena_new(ARENA_CAP_DEFAULT),
                 work = arena_new(ARENA_CAP_DEFAULT);
    struct round_reply page = a_page(&mem), back;
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
    CHECK_OK(wire_write_round_reply(&page, 17, NULL, 9, &buf, &err));
    struct slice stored = stored_form(buf_slice(&buf), &mem);
    CHECK_OK(read_page(stored, &work, &back));
    CHECK_SLICES(back.records[PAGE_ROWS - 1].cells[0].values[0].text,
                 page.records[PAGE_ROWS - 1].cells[0].values[0].text);
    uint8_t *bytes = (uint8_t *)(uintptr_t)stored.data;
    for (size_t at = 4; at < stored.len; at += at < 1500 ? 1 : 97) {
        uint8_t before = bytes[at];
        for (unsigned value = 0; value < 256; value += 15) {
            bytes[at] = (uint8_t)value;
            (void)read_page(stored, &work, &back);
        }
        bytes[at] = before;
        arena_clear(&work);
    }
}

TEST(a_page_that_meets_want_of_memory_is_told) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct round_reply page = a_page(&mem), back;
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        SCOPED(arena_clear) struct arena work = arena_new(ARENA_CAP_DEFAULT);
        SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_MESSAGE);
        fault_arm(n);
        enum status status = wire_write_round_reply(&page, 17, NULL, 9, &buf, &err);
        if (status == ST_OK) status = read_page(buf_slice(&buf), &work, &back);
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(status, fired ? ST_NO_MEMORY : ST_OK);
    }
}
