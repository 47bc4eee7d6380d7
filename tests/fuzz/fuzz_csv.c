/* Bytes as a file to import: whatever they are, reading them ends, each field lies within its limit, and what was read
 * is read again when it is written. The first record is mapped as a head, too. */
#include <assert.h>

#include "syncd/api/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void map_head(const struct slice *fields, size_t count, struct slice map) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    struct mapping mapping;
    struct slice text;
    if (catalogue_release(&mem, &cat, NULL) == ST_OK) {
        struct import_options options = {.entity = catalogue_entity(&cat, SLICE("account")), .map = map};
        (void)!mapping_make(&options, LANG_ZH, fields, count, &mem, &mapping, &text, NULL);
    }
    arena_clear(&mem);
}

/* One record, written and read again. */
static void check_round_trip(const struct slice *fields, size_t count) {
    struct buf line = buf_new(BUF_MAX_MESSAGE);
    struct csv *csv = NULL;
    const struct slice *again;
    size_t again_count;
    int64_t number;
    buf_put_text(&line, ",,,,,,,,,,\r\n");                  /* so that the separator is known */
    for (size_t i = 0; i < count; i++) csv_write_field(&line, fields[i], i == 0);
    csv_write_end(&line);
    if (!line.failed && csv_open(buf_slice(&line), "utf-8", &csv, NULL) == ST_OK &&
        csv_next(csv, &again, &again_count, &number, NULL) == ST_OK &&
        csv_next(csv, &again, &again_count, &number, NULL) == ST_OK && (count > 1 || fields[0].len > 0)) {
        assert(again_count == count);
        for (size_t i = 0; i < count; i++) assert(slice_equal(again[i], fields[i]));
    }
    csv_close(csv);
    buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct csv *csv = NULL;
    const struct slice *fields;
    size_t count = 1, records = 0;
    int64_t line;
    if (csv_open(slice_of(data, size), NULL, &csv, NULL) != ST_OK) return 0;
    while (count > 0 && csv_next(csv, &fields, &count, &line, NULL) == ST_OK) {
        assert(count <= CSV_COLUMNS_MAX && line >= 1);
        if (count == 0) break;
        for (size_t i = 0; i < count; i++) assert(fields[i].len <= CSV_FIELD_BYTES_MAX && text_is_utf8(fields[i]));
        check_round_trip(fields, count);
        if (records++ == 0) map_head(fields, count, slice_of(data, size));
    }
    csv_close(csv);
    return 0;
}
