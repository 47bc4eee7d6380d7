/* Rows for people and for programs: an aligned table, or JSON. Cells are kept until the end, since
 * a column is as wide as its widest cell. */
#include <stdio.h>
#include <stdlib.h>

#include "syncd/server/server.h"

struct cell_text {
    size_t at, len;                                                        /* in listing.texts */
    enum { CELL_NULL, CELL_TEXT, CELL_NUMBER, CELL_TIME, CELL_BARE } kind; /* BARE: JSON as it is */
};

struct listing {
    struct server *server;
    const struct listing_column *columns;
    size_t column_count;
    bool one, failed, keep_empty;
    int utc_offset_min; /* of now: what the head of a column of times says */
    const char *none[LANG_COUNT];
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
                          .utc_offset_min =
                              platform_utc_offset_minutes(server->env.wall_ms(server->env.ctx)),
                          .none = {"nothing", "没有内容"},
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

void listing_json(struct listing *l, struct slice json) {
    cell_add(l, json.len ? CELL_BARE : CELL_NULL, json);
}

void listing_none(struct listing *l, const char *en, const char *zh) {
    l->none[LANG_EN] = en;
    l->none[LANG_ZH] = zh;
}

void listing_keep_empty(struct listing *l) {
    l->keep_empty = true;
}

/* A time of the other half of the year may stand otherwise to Greenwich: then it says so itself. */
void listing_time(struct listing *l, int64_t unix_ms) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    int offset = platform_utc_offset_minutes(unix_ms);
    if (unix_ms == 0) {
        listing_null(l);
        return;
    }
    if (l->server->json) {
        buf_put_time(&text, unix_ms, offset);
    } else {
        api_put_minute(unix_ms, offset, &text);
        if (offset != l->utc_offset_min || l->one) {
            buf_put_byte(&text, ' ');
            api_put_zone(offset, &text);
        }
    }
    cell_add(l, CELL_TIME, buf_slice(&text));
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

static const struct cell_text *cell_at(const struct listing *l, size_t row, size_t column) {
    return &l->cells[row * l->column_count + column];
}

static void json_row(const struct listing *l, size_t row, struct buf *out) {
    const char *between = "{";
    for (size_t i = 0; i < l->column_count; i++) {
        const struct cell_text *cell = cell_at(l, row, i);
        if (!l->columns[i].name) continue;
        buf_put_text(out, between);
        between = ",";
        buf_put_json_text(out, l->columns[i].name);
        buf_put_text(out, ":");
        switch (cell->kind) {
        case CELL_NULL: buf_put_text(out, "null"); break;
        case CELL_TIME:
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

static bool has_kind(const struct listing *l, size_t rows, size_t column, int kind) {
    for (size_t row = 0; row < rows; row++)
        if ((int)cell_at(l, row, column)->kind == kind) return true;
    return false;
}

/* "When (UTC+8)" */
static void put_label(const struct listing *l, size_t rows, size_t column, struct buf *out) {
    buf_put_text(out, l->columns[column].label[l->server->lang]);
    if (!has_kind(l, rows, column, CELL_TIME)) return;
    buf_put_text(out, server_say(l->server, " (", "（"));
    api_put_zone(l->utc_offset_min, out);
    buf_put_text(out, server_say(l->server, ")", "）"));
}

static void table_fill(const struct listing *l, size_t rows, struct api_table *table) {
    size_t shown = 0;
    for (size_t i = 0; i < l->column_count; i++) {
        SCOPED(buf_free) struct buf label = buf_new(BUF_MAX_LINE);
        if (!l->columns[i].label[LANG_EN]) continue;
        put_label(l, rows, i, &label);
        if (has_kind(l, rows, i, CELL_NUMBER)) api_table_right(table, shown);
        api_table_cell(table, buf_slice(&label));
        shown++;
    }
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < l->column_count; i++)
            if (l->columns[i].label[LANG_EN])
                api_table_cell(table, cell_slice(l, cell_at(l, row, i)));
}

static enum status table_print(const struct listing *l, size_t rows, struct buf *out,
                               struct err *err) {
    struct api_table *table;
    size_t shown = 0;
    for (size_t i = 0; i < l->column_count; i++) shown += l->columns[i].label[LANG_EN] != NULL;
    TRY(api_table_open(shown, &table, err));
    table_fill(l, rows, table);
    if (!l->keep_empty) api_table_hide_empty(table);
    api_table_write(table, platform_is_terminal(1) ? platform_terminal_columns() : 0, out);
    api_table_close(table);
    return ST_OK;
}

static void lines_print(const struct listing *l, size_t rows, struct buf *out) {
    for (size_t at = 0; at < rows * l->column_count; at++) {
        const struct listing_column *column = &l->columns[at % l->column_count];
        if (l->cells[at].kind == CELL_NULL || !column->label[LANG_EN]) continue;
        buf_put_text(out, column->label[l->server->lang]);
        buf_put_text(out, server_say(l->server, ": ", "："));
        buf_put_slice(out, cell_slice(l, &l->cells[at]));
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
        (void)fprintf(stderr, "%s\n", l->none[l->server->lang]);
    else
        TRY(table_print(l, rows, &out, err));
    TRY(buf_status(&out, err));
    (void)fwrite(out.data, 1, out.len, stdout);
    return ST_OK;
}

enum status listing_close(struct listing **l, struct err *err) {
    enum status status = print(*l, err);
    listing_release(l);
    return status;
}
