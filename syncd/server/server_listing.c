/* Rows for people and for programs: an aligned table, or JSON. Cells are kept until the end, since
 * a column is as wide as its widest cell. */
#include <stdio.h>
#include <stdlib.h>

#include "syncd/server/server.h"

struct cell_text {
    size_t at, len;                                             /* in listing.texts */
    enum { CELL_NULL, CELL_TEXT, CELL_NUMBER, CELL_BARE } kind; /* CELL_BARE: JSON as it stands */
};

struct listing {
    struct server *server;
    const struct listing_column *columns;
    size_t column_count;
    bool one, failed;
    struct cell_text *cells;
    size_t count, room;
    struct buf texts;
};

enum status listing_open(struct server *server, const struct listing_column *columns, size_t count,
                         bool one, struct listing **out, struct err *err) {
    struct listing *l = calloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    *l = (struct listing){.server = server,
                          .columns = columns,
                          .column_count = count,
                          .one = one,
                          .texts = buf_new(BUF_MAX_FILE)};
    *out = l;
    return ST_OK;
}

void listing_release(struct listing **l) {
    if (!*l) return;
    buf_free(&(*l)->texts);
    free((*l)->cells);
    free(*l);
    *l = NULL;
}

static void cell_add(struct listing *l, int kind, struct slice text) {
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        struct cell_text *cells = realloc(l->cells, room * sizeof *cells);
        if (!cells) {
            l->failed = true;
            return;
        }
        l->cells = cells;
        l->room = room;
    }
    struct cell_text *cell = &l->cells[l->count++];
    cell->at = l->texts.len;
    cell->len = text.len;
    cell->kind = (__typeof__(cell->kind))kind;
    buf_put_slice(&l->texts, text);
}

void listing_null(struct listing *l) {
    cell_add(l, CELL_NULL, (struct slice){0});
}

void listing_text(struct listing *l, struct slice text) {
    cell_add(l, text.len ? CELL_TEXT : CELL_NULL, text);
}

void listing_string(struct listing *l, const char *text) {
    listing_text(l, slice_from(text));
}

void listing_int(struct listing *l, int64_t number) {
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    cell_add(l, CELL_NUMBER, slice_of(text, (size_t)len));
}

void listing_real(struct listing *l, const char *number) {
    cell_add(l, CELL_NUMBER, slice_from(number));
}

void listing_bool(struct listing *l, bool yes) {
    if (l->server->json)
        cell_add(l, CELL_BARE, yes ? SLICE("true") : SLICE("false"));
    else
        cell_add(l, CELL_TEXT,
                 slice_from(yes ? server_say(l->server, "yes", "是")
                                : server_say(l->server, "no", "否")));
}

void listing_time(struct listing *l, int64_t unix_ms) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    if (unix_ms == 0) {
        listing_null(l);
        return;
    }
    buf_put_time(&text, unix_ms, platform_utc_offset_minutes(unix_ms));
    listing_text(l, buf_slice(&text));
}

void listing_id(struct listing *l, int64_t id) {
    char text[ID_TEXT_BYTES];
    if (id == 0)
        listing_null(l);
    else if (l->server->json)
        listing_int(l, id);
    else {
        id_format(id, text);
        listing_string(l, text);
    }
}

/* ------------------------------------------------------------------ printing */

static struct slice cell_slice(const struct listing *l, const struct cell_text *cell) {
    return slice_of(l->texts.data + cell->at, cell->len);
}

static void json_row(const struct listing *l, size_t row, struct buf *out) {
    buf_put_text(out, "{");
    for (size_t i = 0; i < l->column_count; i++) {
        const struct cell_text *cell = &l->cells[row * l->column_count + i];
        if (i > 0) buf_put_text(out, ",");
        buf_put_json_text(out, l->columns[i].name);
        buf_put_text(out, ":");
        switch (cell->kind) {
        case CELL_NULL: buf_put_text(out, "null"); break;
        case CELL_TEXT: buf_put_json_string(out, cell_slice(l, cell)); break;
        case CELL_NUMBER:
        case CELL_BARE: buf_put_slice(out, cell_slice(l, cell)); break;
        }
    }
    buf_put_text(out, "}");
}

static void json_print(const struct listing *l, size_t rows, struct buf *out) {
    if (!l->one) buf_put_text(out, "[");
    for (size_t row = 0; row < rows; row++) {
        if (row > 0) buf_put_text(out, ",\n ");
        json_row(l, row, out);
    }
    buf_put_text(out, l->one ? "\n" : "]\n");
}

/* One line, cut to the width of a table. */
static struct slice shown(const struct listing *l, const struct cell_text *cell) {
    struct slice text = cell_slice(l, cell), line;
    if (!slice_cut(&text, '\n', &line)) return text;
    if (l->one) return cell_slice(l, cell);
    line = text_prefix(line, LISTING_TEXT_COLUMNS * 4); /* what a column can hold at most */
    while (text_columns(line) > LISTING_TEXT_COLUMNS) line = text_prefix(line, line.len - 1);
    return line;
}

static void pad(struct buf *out, size_t columns) {
    while (columns-- > 0) buf_put_text(out, " ");
}

static void table_cell(struct buf *out, struct slice text, size_t width, bool right, bool last) {
    size_t columns = text_columns(text), blank = columns < width ? width - columns : 0;
    if (right) pad(out, blank);
    buf_put_slice(out, text);
    if (!right && !last) pad(out, blank);
    if (!last) buf_put_text(out, "  ");
}

static void table_print(const struct listing *l, size_t rows, struct buf *out) {
    size_t widths[LISTING_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < l->column_count; i++) {
        widths[i] = text_columns(slice_from(l->columns[i].label[l->server->lang]));
        for (size_t row = 0; row < rows; row++) {
            size_t columns = text_columns(shown(l, &l->cells[row * l->column_count + i]));
            if (columns > widths[i]) widths[i] = columns;
        }
    }
    for (size_t i = 0; i < l->column_count; i++) {
        bool right = rows > 0 && l->cells[i].kind == CELL_NUMBER;
        table_cell(out, slice_from(l->columns[i].label[l->server->lang]), widths[i], right,
                   i + 1 == l->column_count);
    }
    buf_put_text(out, "\n");
    for (size_t at = 0; at < rows * l->column_count; at++) {
        size_t i = at % l->column_count;
        bool last = i + 1 == l->column_count;
        table_cell(out, shown(l, &l->cells[at]), widths[i], l->cells[at].kind == CELL_NUMBER, last);
        if (last) buf_put_text(out, "\n");
    }
}

static void lines_print(const struct listing *l, size_t rows, struct buf *out) {
    for (size_t at = 0; at < rows * l->column_count; at++) {
        if (l->cells[at].kind == CELL_NULL) continue;
        buf_put_text(out, l->columns[at % l->column_count].label[l->server->lang]);
        buf_put_text(out, server_say(l->server, ": ", "："));
        buf_put_slice(out, shown(l, &l->cells[at]));
        buf_put_text(out, "\n");
    }
}

static enum status print(const struct listing *l, struct err *err) {
    SCOPED(buf_free) struct buf out = buf_new(BUF_MAX_FILE);
    if (l->failed || buf_status(&l->texts, NULL) != ST_OK) return err_no_memory(err);
    size_t rows = l->count / l->column_count;
    if (l->server->json)
        json_print(l, rows, &out);
    else if (l->one)
        lines_print(l, rows, &out);
    else if (rows == 0)
        buf_printf(&out, "%s\n", server_say(l->server, "(nothing)", "（无）"));
    else
        table_print(l, rows, &out);
    TRY(buf_status(&out, err));
    (void)fwrite(out.data, 1, out.len, stdout);
    return ST_OK;
}

enum status listing_close(struct listing **l, struct err *err) {
    enum status status = print(*l, err);
    listing_release(l);
    return status;
}
