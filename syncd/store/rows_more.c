/* Cells that this release does not know, kept as they came until a later release does: in one blob
 * a row, by tag. Each is: tag, count of values, and for each its kind and content.
 */
#include "syncd/store/rows.h"

#include <string.h>

enum { MORE_CELLS_MAX = 4096, MORE_TEXT_MAX = 1024 * 1024 };

static void write_cell(const struct record_cell *cell, struct buf *out) {
    buf_put_varint(out, cell->cell_tag);
    buf_put_varint(out, cell->value_count);
    for (size_t i = 0; i < cell->value_count; i++) {
        const struct value *v = &cell->values[i];
        buf_put_byte(out, (uint8_t)v->kind);
        if (v->kind == VALUE_INT) buf_put_signed(out, v->number);
        if (v->kind == VALUE_TEXT) buf_put_bytes(out, v->text);
    }
}

static struct value read_value(struct reader *r) {
    switch (reader_byte(r)) {
    case VALUE_NULL: return value_null();
    case VALUE_INT: return value_int(reader_signed(r));
    case VALUE_TEXT: return value_text(reader_bytes(r, MORE_TEXT_MAX));
    default: r->failed = true; return value_null();
    }
}

static enum status read_cell(struct reader *r, struct arena *mem, struct record_cell *out,
                             struct err *err) {
    out->cell_tag = (uint32_t)reader_varint_max(r, UINT32_MAX);
    out->value_count = (size_t)reader_varint_max(r, ENTITY_FIELDS_MAX);
    out->values = ARENA_ARRAY(mem, out->value_count + 1, struct value);
    if (!out->values) return err_no_memory(err);
    for (size_t i = 0; i < out->value_count; i++) out->values[i] = read_value(r);
    return ST_OK;
}

static size_t count_cells(struct slice more) {
    struct reader r = reader_of(more);
    size_t count = 0;
    for (; reader_left(&r) > 0 && !r.failed; count++) {
        (void)reader_varint(&r);
        for (uint64_t n = reader_varint_max(&r, ENTITY_FIELDS_MAX); n > 0 && !r.failed; n--)
            (void)read_value(&r);
    }
    return count;
}

enum status rows_more_read(struct slice more, struct arena *mem, struct record_cell **out,
                           size_t *out_count, struct err *err) {
    size_t count = count_cells(more);
    struct reader r = reader_of(more);
    struct record_cell *cells = ARENA_ARRAY(mem, count + 1, struct record_cell);
    if (!cells) return err_no_memory(err);
    for (size_t i = 0; i < count && !r.failed; i++) TRY(read_cell(&r, mem, &cells[i], err));
    if (!reader_done(&r) || count > MORE_CELLS_MAX)
        return err_set(err, ST_DAMAGED, "the kept cells of a row cannot be read",
                       "某记录中保留的字段无法读取");
    *out = cells;
    *out_count = count;
    return ST_OK;
}

static bool is_null_cell(const struct record_cell *cell) {
    for (size_t i = 0; i < cell->value_count; i++)
        if (cell->values[i].kind != VALUE_NULL) return false;
    return true;
}

static void write_all_but(const struct record_cell *cells, size_t count,
                          const struct record_cell *cell, struct buf *out) {
    bool written = is_null_cell(cell);
    for (size_t i = 0; i < count; i++) {
        if (!written && cells[i].cell_tag >= cell->cell_tag) {
            write_cell(cell, out);
            written = true;
        }
        if (cells[i].cell_tag != cell->cell_tag) write_cell(&cells[i], out);
    }
    if (!written) write_cell(cell, out);
}

enum status rows_more_put(struct slice more, const struct record_cell *cell, struct arena *mem,
                          struct slice *out, struct err *err) {
    struct record_cell *cells;
    size_t count;
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    TRY(rows_more_read(more, mem, &cells, &count, err));
    write_all_but(cells, count, cell, &bytes);
    TRY(buf_status(&bytes, err));
    struct slice copy = {0};
    if (bytes.len > 0) {
        copy = arena_copy(mem, buf_slice(&bytes));
        if (!copy.data) return err_no_memory(err);
    }
    *out = copy;
    return ST_OK;
}
