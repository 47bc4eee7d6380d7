/* How the commands speak: two languages, JSON, tables, progress. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cli.h"

/* ------------------------------------------------------------------ words */

const char *cli_pick(const struct cli *cli, const char *en, const char *zh) {
    return cli->lang == LANG_ZH ? zh : en;
}

static void put_formatted(struct buf *out, const char *format, va_list args) {
    char line[4096];
    int n = vsnprintf(line, sizeof(line), format, args);
    if (n > 0) buf_put_slice(out, text_prefix(slice_of(line, strlen(line)), sizeof(line)));
}

void cli_say(struct cli *cli, const char *en, const char *zh, ...) {
    va_list args;
    va_start(args, zh);
    put_formatted(&cli->out, cli_pick(cli, en, zh), args);
    va_end(args);
}

void cli_note(const struct cli *cli, const char *en, const char *zh, ...) {
    if (cli->json) return;
    va_list args;
    va_start(args, zh);
    vfprintf(stderr, cli_pick(cli, en, zh), args);
    va_end(args);
    fputc('\n', stderr);
}

void cli_progress(const struct cli *cli, const char *en, const char *zh, ...) {
    if (!cli->err_is_terminal || cli->json) return;
    va_list args;
    va_start(args, zh);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, cli_pick(cli, en, zh), args);
    va_end(args);
    fflush(stderr);
}

void cli_progress_end(const struct cli *cli) {
    if (!cli->err_is_terminal || cli->json) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

enum status cli_ask(const struct cli *cli, const char *en, const char *zh, char *buffer,
                    size_t room, struct slice *out, struct err *err) {
    if (cli->err_is_terminal && platform_is_terminal(PLATFORM_STDIN))
        fputs(cli_pick(cli, en, zh), stderr);
    bool read = fgets(buffer, (int)room, stdin) != NULL;
    struct slice line = slice_trim(slice_from(read ? buffer : ""));
    if (line.len == 0)
        return err_set(err, ST_USAGE, "nothing came on standard input", "标准输入没有内容");
    *out = line;
    return ST_OK;
}

bool cli_can_ask(const struct cli *cli) {
    return !cli->json && cli->err_is_terminal && platform_is_terminal(PLATFORM_STDIN);
}

bool cli_confirm(const struct cli *cli, const char *en, const char *zh, ...) {
    va_list args;
    va_start(args, zh);
    vfprintf(stderr, cli_pick(cli, en, zh), args);
    va_end(args);
    fputs(cli_pick(cli, " [y/N] ", "［y/N］"), stderr);
    char answer[16] = "";
    if (!fgets(answer, sizeof(answer), stdin)) return false;
    struct slice said = slice_trim(slice_from(answer));
    return slice_equal(said, SLICE("y")) || slice_equal(said, SLICE("Y")) ||
           slice_equal(said, SLICE("yes")) || slice_equal(said, SLICE("\xe6\x98\xaf")); /* 是 */
}

/* ------------------------------------------------------------------ JSON */

void cli_json_key(struct cli *cli, const char *key, bool first) {
    buf_put_byte(&cli->out, first ? '{' : ',');
    buf_put_json_text(&cli->out, key);
    buf_put_byte(&cli->out, ':');
}

void cli_json_int(struct cli *cli, const char *key, int64_t value, bool first) {
    cli_json_key(cli, key, first);
    buf_printf(&cli->out, "%lld", (long long)value);
}

void cli_json_bool(struct cli *cli, const char *key, bool value, bool first) {
    cli_json_key(cli, key, first);
    buf_put_text(&cli->out, value ? "true" : "false");
}

void cli_json_text(struct cli *cli, const char *key, struct slice value, bool first) {
    cli_json_key(cli, key, first);
    buf_put_json_string(&cli->out, value);
}

void cli_json_string(struct cli *cli, const char *key, const char *value, bool first) {
    cli_json_text(cli, key, slice_from(value), first);
}

void cli_json_time(struct cli *cli, const char *key, int64_t unix_ms, bool first) {
    cli_json_key(cli, key, first);
    if (unix_ms == 0) {
        buf_put_text(&cli->out, "null");
        return;
    }
    buf_put_byte(&cli->out, '"');
    buf_put_time(&cli->out, unix_ms, cli->book.utc_offset_min);
    buf_put_byte(&cli->out, '"');
}

void cli_json_id(struct cli *cli, int64_t id, bool first) {
    char text[ID_TEXT_BYTES] = "";
    if (id_is_valid(id)) id_format(id, text);
    cli_json_int(cli, "id", id, first);
    cli_json_string(cli, "short_id", text, false);
}

/* ------------------------------------------------------------------ values for people */

void cli_put_time(const struct cli *cli, int64_t unix_ms, struct buf *out) {
    (void)cli;
    if (unix_ms != 0) api_put_minute(unix_ms, platform_utc_offset_minutes(unix_ms), out);
}

void cli_put_bytes(int64_t bytes, struct buf *out) {
    static const char *const units[] = {"B", "KB", "MB", "GB"};
    double value = (double)bytes;
    size_t u = 0;
    while (value >= 1000 && u + 1 < ARRAY_COUNT(units)) {
        value /= 1000;
        u++;
    }
    buf_printf(out, u == 0 ? "%.0f %s" : "%.1f %s", value, units[u]);
}

void cli_put_row(struct cli *cli, const struct entity *e, int64_t id, struct buf *out) {
    char text[ID_TEXT_BYTES] = "?";
    struct slice title = {0};
    struct err ignored;
    if (id_is_valid(id)) id_format(id, text);
    struct arena mem = arena_new(BUF_MAX_BATCH);
    if (store_title(cli->store, e, id, &mem, &title, &ignored) == ST_OK && title.len > 0 &&
        !slice_equal(title, slice_from(text))) {
        buf_put_slice(out, title);
        buf_printf(out, cli->lang == LANG_ZH ? "（%s）" : " (%s)", text);
    } else {
        buf_put_text(out, text);
    }
    arena_clear(&mem);
}

static void put_value(struct cli *cli, const struct field *f, struct value v, struct buf *out) {
    struct arena mem = arena_new(BUF_MAX_MESSAGE);
    struct slice text;
    struct err ignored;
    if (v.kind == VALUE_NULL)
        buf_put_text(out, cli_pick(cli, "(empty)", "（空）"));
    else if (api_value_text(&cli->book, f, v, &mem, &text, &ignored) == ST_OK)
        buf_put_slice(out, text);
    else
        field_write_text(f, v, cli->lang, cli->book.utc_offset_min, out);
    arena_clear(&mem);
}

/* Of a group, the values that are there. */
void cli_put_values(struct cli *cli, const struct entity *e, uint32_t cell_tag,
                    const struct value *values, size_t count, struct buf *out) {
    const struct cell *cell = cell_tag ? entity_cell(e, cell_tag) : NULL;
    size_t shown = 0;
    for (size_t i = 0; cell && i < count && i < cell->count; i++) {
        if (cell->count > 1 && values[i].kind == VALUE_NULL) continue;
        if (shown++ > 0) buf_put_text(out, cli_pick(cli, ", ", "，"));
        put_value(cli, &e->fields[cell->first + i], values[i], out);
    }
    if (cell && count > 0 && shown == 0) buf_put_text(out, cli_pick(cli, "(empty)", "（空）"));
}

void cli_put_cell(const struct cli *cli, const struct entity *e, uint32_t cell_tag,
                  struct buf *out) {
    const struct cell *cell = cell_tag ? entity_cell(e, cell_tag) : NULL;
    if (cell)
        cell_write_label(e, cell, cli->lang, out);
    else
        buf_put_text(out, cli_pick(cli, "(whole row)", "（整条记录）"));
}

void cli_json_values(struct cli *cli, const struct entity *e, uint32_t cell_tag,
                     const struct value *values, size_t count) {
    const struct cell *cell = cell_tag ? entity_cell(e, cell_tag) : NULL;
    if (!cell || count == 0) {
        buf_put_text(&cli->out, "null");
        return;
    }
    for (size_t i = 0; i < count && i < cell->count; i++) {
        const struct field *f = &e->fields[cell->first + i];
        cli_json_key(cli, f->name, i == 0);
        field_write_json(f, values[i], &cli->out);
    }
    buf_put_byte(&cli->out, '}');
}

const char *cli_change_name(enum change_kind kind) {
    switch (kind) {
    case CHANGE_CREATE: return "create";
    case CHANGE_EDIT: return "edit";
    case CHANGE_DELETE: return "delete";
    }
    return "";
}

const char *cli_change_label(const struct cli *cli, enum change_kind kind) {
    switch (kind) {
    case CHANGE_CREATE: return cli_pick(cli, "new", "新建");
    case CHANGE_EDIT: return cli_pick(cli, "edited", "修改");
    case CHANGE_DELETE: return cli_pick(cli, "deleted", "删除");
    }
    return "";
}

static void put_elements(struct cli *cli, const struct field *f, struct value set, char sign,
                         struct buf *out) {
    struct slice rest = set.kind == VALUE_TEXT ? set.text : (struct slice){0}, element;
    while (slice_cut(&rest, '\n', &element)) {
        buf_printf(out, out->len > 0 ? " %c" : "%c", sign);
        put_value(cli, f, value_text(element), out);
    }
}

/* Field by field; of a group only what is there. */
static void put_set(struct cli *cli, const struct entity *e, const struct edit *edit,
                    struct buf *out) {
    const struct cell *cell = entity_cell(e, edit->cell_tag);
    size_t shown = 0;
    for (size_t i = 0; i < edit->value_count && i < cell->count; i++) {
        const struct field *f = &e->fields[cell->first + i];
        if (cell->count > 1 && edit->values[i].kind == VALUE_NULL) continue;
        if (shown++ > 0) buf_put_text(out, cli_pick(cli, ", ", "，"));
        buf_printf(out, "%s%s", f->label[cli->lang], cli_pick(cli, ": ", "："));
        put_value(cli, f, edit->values[i], out);
    }
    if (shown > 0) return;
    cli_put_cell(cli, e, edit->cell_tag, out);
    buf_put_text(out, cli_pick(cli, ": (empty)", "：（空）"));
}

static bool cell_has_value(const struct cell *cell, const struct edit *edit) {
    for (size_t i = 0; i < edit->value_count && i < cell->count; i++)
        if (edit->values[i].kind != VALUE_NULL) return true;
    return false;
}

void cli_put_operation(struct cli *cli, const struct entity *e, const struct edit *edit,
                       struct buf *out) {
    const struct field *f = entity_field_by_tag(e, edit->cell_tag);
    const struct cell *cell = f ? entity_cell(e, edit->cell_tag) : NULL;
    if (!cell || edit->value_count == 0) return;
    switch (edit->kind) {
    case EDIT_SET:
        if (cell->count > 1 && cell_has_value(cell, edit))
            put_set(cli, e, edit, out);
        else
            cli_put_values(cli, e, edit->cell_tag, edit->values, edit->value_count, out);
        break;
    case EDIT_COUNT:
        buf_put_text(out, edit->values[0].number < 0 ? "" : "+");
        put_value(cli, f, edit->values[0], out);
        break;
    case EDIT_ELEMENTS:
        put_elements(cli, f, edit->values[0], '+', out);
        put_elements(cli, f, edit->values[1], '-', out);
        break;
    }
}

void cli_put_edit(struct cli *cli, const struct entity *e, const struct edit *edit,
                  struct buf *out) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_BATCH);
    if (entity_field_by_tag(e, edit->cell_tag) && edit->kind == EDIT_SET) {
        put_set(cli, e, edit, out);
        return;
    }
    cli_put_cell(cli, e, edit->cell_tag, out);
    cli_put_operation(cli, e, edit, &text);
    buf_put_text(out, text.len > 0 ? " " : "");
    buf_put_slice(out, buf_slice(&text));
}

void cli_json_edit(struct cli *cli, const struct entity *e, const struct edit *edit) {
    const struct field *f = entity_field_by_tag(e, edit->cell_tag);
    if (!f) {
        buf_put_text(&cli->out, "null");
        return;
    }
    if (edit->kind == EDIT_SET) {
        cli_json_values(cli, e, edit->cell_tag, edit->values, edit->value_count);
        return;
    }
    cli_json_key(cli, f->name, true);
    cli_json_key(cli, "add", true);
    field_write_json(f, edit->values[0], &cli->out);
    if (edit->kind == EDIT_ELEMENTS) {
        cli_json_key(cli, "remove", false);
        field_write_json(f, edit->values[1], &cli->out);
    }
    buf_put_text(&cli->out, "}}");
}

/* ------------------------------------------------------------------ tables */

enum status cli_table_open(const struct cli *cli, const struct cli_column *columns, size_t count,
                           struct api_table **out, struct err *err) {
    TRY(api_table_open(count, out, err));
    for (size_t i = 0; i < count; i++) {
        if (columns[i].right) api_table_right(*out, i);
        cli_table_text(*out, columns[i].label[cli->lang]);
    }
    return ST_OK;
}

void cli_table_text(struct api_table *t, const char *text) {
    api_table_cell(t, slice_from(text));
}

void cli_table_int(struct api_table *t, int64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    cli_table_text(t, text);
}

void cli_table_time(const struct cli *cli, struct api_table *t, int64_t unix_ms) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    cli_put_time(cli, unix_ms, &text);
    api_table_cell(t, buf_slice(&text));
}

void cli_table_row(struct cli *cli, struct api_table *t, const struct entity *e, int64_t id) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    cli_put_row(cli, e, id, &text);
    api_table_cell(t, buf_slice(&text));
}

void cli_table_cell(struct cli *cli, struct api_table *t, const struct entity *e,
                    uint32_t cell_tag) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    cli_put_cell(cli, e, cell_tag, &text);
    api_table_cell(t, buf_slice(&text));
}

void cli_table_close(struct api_table **t) {
    api_table_close(*t);
    *t = NULL;
}

void cli_table_write(struct cli *cli, const struct api_table *t) {
    api_table_write(t, cli->book.columns, &cli->out);
}

enum status cli_list_begin(struct cli *cli, const struct cli_column *columns, size_t count,
                           struct api_table **out, struct err *err) {
    if (!cli->json) return cli_table_open(cli, columns, count, out, err);
    buf_put_byte(&cli->out, '[');
    return ST_OK;
}

void cli_list_end(struct cli *cli, const struct api_table *table, int64_t rows, const char *en,
                  const char *zh) {
    if (cli->json)
        buf_put_text(&cli->out, "]\n");
    else if (rows > 0)
        cli_table_write(cli, table);
    else
        cli_note(cli, "%s", "%s", cli_pick(cli, en, zh));
}

/* ------------------------------------------------------------------ rows */

enum status cli_show_row(struct cli *cli, const struct entity *e, int64_t id, struct err *err) {
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    if (!cli->json) {
        buf_printf(&cli->out, "%s\n", text);
        return ST_OK;
    }
    struct row row;
    TRY(store_get(cli->store, e, id, &cli->mem, &row, err));
    api_row_json(&cli->book, &row, NULL, 0, &cli->out);
    buf_put_byte(&cli->out, '\n');
    return ST_OK;
}
