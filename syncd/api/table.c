/* A table for terminals: columns as wide as they need, the widest ones cut when the terminal is too
 * narrow.
 *
 * Width is counted in columns of the terminal, of which a Chinese character takes two.
 */
#include "syncd/api/api.h"

#include <stdlib.h>

enum {
    TABLE_BYTES_MAX = 512 * 1024 * 1024, /* a terminal would scroll for hours */
    GAP_COLUMNS = 2,
    CUT_COLUMNS_MIN = 6 /* narrower says nothing; then lines rather wrap */
};

struct api_table {
    size_t columns;
    struct arena mem;
    bool *right, *hidden;
    struct slice *cells; /* row by row */
    size_t count, cap;
    bool failed;
};

enum status api_table_open(size_t columns, struct api_table **out, struct err *err) {
    struct api_table *t = calloc(1, sizeof *t);
    if (!t) return err_no_memory(err);
    t->columns = columns > 0 ? columns : 1;
    t->mem = arena_new(TABLE_BYTES_MAX);
    t->right = ARENA_ARRAY(&t->mem, t->columns, bool);
    t->hidden = ARENA_ARRAY(&t->mem, t->columns, bool);
    if (!t->right || !t->hidden) {
        api_table_close(t);
        return err_no_memory(err);
    }
    *out = t;
    return ST_OK;
}

void api_table_close(struct api_table *t) {
    if (!t) return;
    arena_clear(&t->mem);
    free(t->cells);
    free(t);
}

void api_table_right(struct api_table *t, size_t column) {
    if (column < t->columns) t->right[column] = true;
}

void api_table_hide_empty(struct api_table *t) {
    for (size_t c = 0; c < t->columns; c++) t->hidden[c] = t->count > t->columns;
    for (size_t i = t->columns; i < t->count; i++)
        if (t->cells[i].len > 0) t->hidden[i % t->columns] = false;
}

/* Line feeds and other control characters would tear the table, or do worse to the terminal. */
static struct slice on_one_line(struct api_table *t, struct slice text) {
    struct slice copy = arena_copy(&t->mem, text);
    uint8_t *own = (uint8_t *)(uintptr_t)copy.data; /* the copy above */
    for (size_t i = 0; own && i < copy.len; i++) {
        if (own[i] < 0x20 || own[i] == 0x7F) own[i] = ' ';
        if (i > 0 && own[i - 1] == 0xC2 && own[i] < 0xA0)
            own[i] = 0xA0; /* C1 controls become a blank */
    }
    return copy;
}

void api_table_cell(struct api_table *t, struct slice text) {
    if (t->count == t->cap && !t->failed) {
        size_t cap = t->cap == 0 ? 64 : t->cap * 2;
        struct slice *cells = realloc(t->cells, cap * sizeof *cells);
        if (!cells)
            t->failed = true;
        else
            t->cells = cells, t->cap = cap;
    }
    if (t->failed) return;
    struct slice copy = on_one_line(t, text);
    if (!copy.data)
        t->failed = true;
    else
        t->cells[t->count++] = copy;
}

/* ------------------------------------------------------------------ widths */

static void find_widths(const struct api_table *t, size_t *widths) {
    for (size_t i = 0; i < t->count; i++) {
        size_t width = t->hidden[i % t->columns] ? 0 : text_columns(t->cells[i]);
        if (width > widths[i % t->columns]) widths[i % t->columns] = width;
    }
}

static size_t widest(const size_t *widths, size_t count) {
    size_t at = 0;
    for (size_t i = 1; i < count; i++)
        if (widths[i] > widths[at]) at = i;
    return at;
}

static void fit_widths(size_t *widths, size_t count, size_t terminal_columns) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) total += widths[i] > 0 ? widths[i] + GAP_COLUMNS : 0;
    total -= total > 0 ? GAP_COLUMNS : 0;
    while (terminal_columns > 0 && total > terminal_columns) {
        size_t at = widest(widths, count);
        if (widths[at] <= CUT_COLUMNS_MIN) return;
        widths[at]--;
        total--;
    }
}

/* ------------------------------------------------------------------ writing */

static void put_blanks(struct buf *out, size_t count) {
    for (size_t i = 0; i < count; i++) buf_put_byte(out, ' ');
}

/* What fits, with a sign that more was there. *out_width: columns taken. */
static void put_cut(struct buf *out, struct slice text, size_t width, size_t *out_width) {
    struct slice rest = text;
    size_t used = 0;
    for (;;) {
        struct slice before = rest;
        if (text_next(&rest) < 0) break;
        struct slice one = slice_of(before.data, (size_t)(rest.data - before.data));
        if (used + text_columns(one) > width - 1) break;
        used += text_columns(one);
        buf_put_slice(out, one);
    }
    buf_put_text(out, "…");
    *out_width = used + 1;
}

/* A row whose last cells are empty ends with its last letter. */
static void end_line(struct buf *out) {
    while (out->len > 0 && out->data[out->len - 1] == ' ') out->len--;
    buf_put_byte(out, '\n');
}

static void put_cell(const struct api_table *t, size_t i, size_t width, struct buf *out) {
    size_t column = i % t->columns, own = text_columns(t->cells[i]);
    bool last = column + 1 == t->columns;
    if (width == 0) {
        if (last) end_line(out);
        return;
    }
    if (own > width) {
        put_cut(out, t->cells[i], width, &own);
    } else if (t->right[column]) {
        put_blanks(out, width - own);
        buf_put_slice(out, t->cells[i]);
        own = width;
    } else {
        buf_put_slice(out, t->cells[i]);
    }
    if (!last)
        put_blanks(out, width - own + GAP_COLUMNS);
    else
        end_line(out);
}

void api_table_write(const struct api_table *t, unsigned terminal_columns, struct buf *out) {
    size_t *widths = calloc(t->columns, sizeof *widths);
    if (!widths || t->failed) {
        out->failed = true;
        free(widths);
        return;
    }
    find_widths(t, widths);
    fit_widths(widths, t->columns, terminal_columns);
    for (size_t i = 0; i < t->count; i++) put_cell(t, i, widths[i % t->columns], out);
    free(widths);
}
