/* The book as head office reads and fills it: list, get, import, export. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/server.h"

enum { IMPORT_FILE_MAX = 512 * 1024 * 1024 };

struct api_book server_book(const struct server *server, struct store *store) {
    int64_t now = server->env.wall_ms(server->env.ctx);
    return (struct api_book){.store = store,
                             .lang = server->lang,
                             .utc_offset_min = platform_utc_offset_minutes(now),
                             .columns = platform_is_terminal(1) ? platform_terminal_columns() : 0};
}

void server_put_row(const struct server *server, struct store *store, const struct entity *e,
                    int64_t row, struct buf *out) {
    struct arena mem SCOPED(arena_clear) = arena_new(BUF_MAX_MESSAGE);
    struct slice title = {0};
    char text[ID_TEXT_BYTES] = "?";
    if (id_is_valid(row)) id_format(row, text);
    bool titled = e && store_title(store, e, row, &mem, &title, NULL) == ST_OK && title.len > 0 &&
                  !slice_equal(title, slice_from(text));
    if (!titled) {
        buf_put_text(out, text);
        return;
    }
    buf_put_slice(out, title);
    buf_printf(out, server_say(server, " (%s)", "（%s）"), text);
}

static enum status print(struct buf *out, struct err *err) {
    TRY(buf_status(out, err));
    (void)fwrite(out->data, 1, out->len, stdout);
    buf_reset(out);
    return ST_OK;
}

/* ------------------------------------------------------------------ queries */

struct selection { /* what list shows */
    struct api_book book;
    struct query query;
    const struct field *fields[ENTITY_FIELDS_MAX];
    size_t field_count;
};

static enum status conditions_read(struct server *server, struct selection *s, struct err *err) {
    size_t count = server->line->word_count - 1;
    struct condition *conditions = ARENA_ARRAY(&server->mem, count + 1, struct condition);
    if (!conditions) return err_no_memory(err);
    for (size_t i = 0; i < count; i++)
        TRY(api_condition(&s->book, s->query.entity, slice_from(server->line->words[i + 1]),
                          &server->mem, &conditions[i], err));
    s->query.conditions = conditions;
    s->query.condition_count = count;
    return ST_OK;
}

static enum status columns_read(struct server *server, struct selection *s, struct err *err) {
    const char *columns = command_value(server->line, "--columns");
    struct slice rest = slice_from(columns), name;
    if (!columns) {
        s->field_count = api_list_fields(s->query.entity, s->fields, ENTITY_FIELDS_MAX);
        return ST_OK;
    }
    while (slice_cut(&rest, ',', &name)) {
        if (s->field_count == ENTITY_FIELDS_MAX)
            return err_set(err, ST_USAGE, "too many columns", "列过多");
        TRY(api_field(s->query.entity, slice_trim(name), &s->fields[s->field_count++], err));
    }
    return ST_OK;
}

static enum status sort_read(struct server *server, struct selection *s, struct err *err) {
    const char *sort = command_value(server->line, "--sort");
    if (!sort || !sort[0]) return ST_OK;
    s->query.descending = sort[0] == '-';
    return api_field(s->query.entity, slice_from(sort + s->query.descending), &s->query.sort, err);
}

static enum status selection_read(struct server *server, struct store *store, struct selection *s,
                                  struct err *err) {
    *s = (struct selection){.book = server_book(server, store)};
    TRY(api_entity(server->cat, slice_from(server->line->words[0]), &s->query.entity, err));
    TRY(conditions_read(server, s, err));
    TRY(sort_read(server, s, err));
    TRY(command_number(server->line, "--limit", 0, INT64_MAX, 0, &s->query.limit, err));
    return command_number(server->line, "--offset", 0, INT64_MAX, 0, &s->query.offset, err);
}

/* ------------------------------------------------------------------ list */

struct lister {
    struct selection *s;
    struct buf *out;
    struct api_table *table; /* NULL: JSON */
    struct arena mem;
    size_t rows;
};

static enum status json_row(void *ctx, const struct row *row, struct err *err) {
    struct lister *l = ctx;
    const struct field *const *fields = l->s->field_count ? l->s->fields : NULL;
    buf_put_text(l->out, l->rows++ ? ",\n " : "[");
    api_row_json(&l->s->book, row, fields, l->s->field_count, l->out);
    return l->out->len > 65536 ? print(l->out, err) : ST_OK;
}

static enum status table_row(void *ctx, const struct row *row, struct err *err) {
    struct lister *l = ctx;
    char id[ID_TEXT_BYTES];
    id_format(row->id, id);
    api_table_cell(l->table, slice_from(id));
    for (size_t i = 0; i < l->s->field_count; i++) {
        SCOPED(buf_free) struct buf line = buf_new(BUF_MAX_BATCH);
        struct slice text;
        const struct field *f = l->s->fields[i];
        TRY(api_value_text(&l->s->book, f, row->values[entity_field_index(row->entity, f)], &l->mem,
                           &text, err));
        api_value_line(f, text, &line);
        api_table_cell(l->table, buf_slice(&line));
    }
    arena_clear(&l->mem);
    l->rows++;
    return ST_OK;
}

static void table_head(struct lister *l) {
    api_table_cell(l->table, l->s->book.lang == LANG_ZH ? SLICE("编号") : SLICE("ID"));
    for (size_t i = 0; i < l->s->field_count; i++) {
        const struct field *f = l->s->fields[i];
        if (f->type == FIELD_INT || f->type == FIELD_DECIMAL || f->type == FIELD_MONEY)
            api_table_right(l->table, i + 1);
        api_table_cell(l->table, slice_from(f->label[l->s->book.lang]));
    }
}

static enum status list_table(struct server *server, struct selection *s, struct buf *out,
                              struct err *err) {
    struct lister l = {.s = s, .out = out, .mem = arena_new(16 * 1024 * 1024)};
    TRY(api_table_open(s->field_count + 1, &l.table, err));
    table_head(&l);
    enum status status = store_list(s->book.store, &s->query, table_row, &l, err);
    if (!command_value(server->line, "--columns")) api_table_hide_empty(l.table);
    if (status == ST_OK && l.rows > 0) api_table_write(l.table, s->book.columns, out);
    if (status == ST_OK && l.rows == 0)
        (void)fprintf(stderr, "%s\n", server_say(server, "no rows", "没有记录"));
    api_table_close(l.table);
    arena_clear(&l.mem);
    TRY(status);
    return print(out, err);
}

static enum status list_json(struct server *server, struct selection *s, struct buf *out,
                             struct err *err) {
    struct lister l = {.s = s, .out = out};
    if (!command_value(server->line, "--columns")) s->field_count = 0; /* all of them */
    TRY(store_list(s->book.store, &s->query, json_row, &l, err));
    buf_put_text(out, l.rows ? "]\n" : "[]\n");
    return print(out, err);
}

enum status server_cmd_list(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(buf_free) struct buf out = buf_new(BUF_MAX_FILE);
    struct selection s;
    TRY(server_reader_open(server, &reader, err));
    TRY(selection_read(server, centre_store(org_reader_centre(reader)), &s, err));
    TRY(columns_read(server, &s, err));
    return server->json ? list_json(server, &s, &out, err) : list_table(server, &s, &out, err);
}

enum status server_cmd_get(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(buf_free) struct buf out = buf_new(BUF_MAX_MESSAGE);
    const struct entity *e;
    struct row row;
    int64_t id;
    TRY(server_reader_open(server, &reader, err));
    struct store *store = centre_store(org_reader_centre(reader));
    struct api_book book = server_book(server, store);
    TRY(api_entity(server->cat, slice_from(line->words[0]), &e, err));
    TRY(store_resolve(store, e, slice_from(line->words[1]), &id, err));
    TRY(store_get(store, e, id, &server->mem, &row, err));
    if (server->json) {
        api_row_json(&book, &row, NULL, 0, &out);
        buf_put_text(&out, "\n");
    } else {
        buf_printf(&out, "%s ", e->label[server->lang]);
        server_put_row(server, store, e, row.id, &out);
        buf_put_byte(&out, '\n');
        TRY(api_row_text(&book, &row, &out, err));
    }
    return print(&out, err);
}

/* ------------------------------------------------------------------ export */

static enum status write_piece(void *ctx, struct slice piece, struct err *err) {
    (void)ctx;
    if (fwrite(piece.data, 1, piece.len, stdout) == piece.len) return ST_OK;
    return err_set(err, ST_DISK, "cannot write the output", "无法写出结果");
}

enum status server_cmd_export(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    const char *format = command_value(line, "--format");
    enum export_form form =
        server->json || (format && strcmp(format, "jsonl") == 0) ? EXPORT_JSONL : EXPORT_CSV;
    struct selection s;
    int64_t rows;
    if (format && strcmp(format, "jsonl") != 0 && strcmp(format, "csv") != 0)
        return err_set(err, ST_USAGE, "--format takes csv or jsonl", "--format 须为 csv 或 jsonl");
    TRY(server_reader_open(server, &reader, err));
    TRY(selection_read(server, centre_store(org_reader_centre(reader)), &s, err));
    return export_run(&s.book, &s.query, form, command_has(line, "--bom"), write_piece, NULL, &rows,
                      err);
}

/* ------------------------------------------------------------------ import */

struct importer {
    struct server *server;
    struct buf report; /* CSV of all rows, with --report */
    struct buf rows;   /* JSON of all rows */
    bool terminal;
    size_t reported, refused;
};

enum { REFUSALS_SHOWN_MAX = 50 };
static const char *const FATES[IMPORT_FATES] = {"created", "updated", "unchanged", "refused"};

static const char *fate_label(const struct server *server, enum import_fate fate) {
    static const char *const labels[IMPORT_FATES] = {"新建", "更新", "无变化", "未导入"};
    return server->lang == LANG_ZH ? labels[fate] : FATES[fate];
}

static void report_head(struct importer *im) {
    static const char *const heads[][LANG_COUNT] = {
        {"Line", "行"}, {"Result", "结果"}, {"ID", "编号"}, {"Reason", "原因"}};
    for (size_t i = 0; i < ARRAY_COUNT(heads); i++)
        csv_write_field(&im->report, slice_from(heads[i][im->server->lang]), i == 0);
    csv_write_end(&im->report);
}

static void report_csv(struct importer *im, const struct import_row *row) {
    char number[24], id[ID_TEXT_BYTES] = "";
    (void)snprintf(number, sizeof number, "%lld", (long long)row->line);
    if (row->id) id_format(row->id, id);
    if (im->report.len == 0) report_head(im);
    csv_write_field(&im->report, slice_from(number), true);
    csv_write_field(&im->report, slice_from(fate_label(im->server, row->fate)), false);
    csv_write_field(&im->report, slice_from(id), false);
    csv_write_field(&im->report,
                    slice_from(row->fate == IMPORT_REFUSED ? row->why.text[im->server->lang] : ""),
                    false);
    csv_write_end(&im->report);
}

static void report_json(struct importer *im, const struct import_row *row) {
    buf_printf(&im->rows, "%s{\"line\":%lld,\"fate\":\"%s\",\"id\":%lld",
               im->reported++ ? ",\n " : "", (long long)row->line, FATES[row->fate],
               (long long)row->id);
    if (row->fate == IMPORT_REFUSED) {
        buf_put_text(&im->rows, ",\"why\":");
        buf_put_json_text(&im->rows, row->why.text[im->server->lang]);
    }
    buf_put_text(&im->rows, "}");
}

static enum status on_row(void *ctx, const struct import_row *row, struct err *err) {
    struct importer *im = ctx;
    (void)err;
    if (command_value(im->server->line, "--report")) report_csv(im, row);
    if (im->server->json)
        report_json(im, row);
    else if (row->fate == IMPORT_REFUSED && im->refused++ < REFUSALS_SHOWN_MAX)
        server_tell(im->server, "line %lld: %s", "第 %lld 行：%s", (long long)row->line,
                    row->why.text[im->server->lang]);
    return ST_OK;
}

static bool on_progress(void *ctx, int64_t done, int64_t total) {
    struct importer *im = ctx;
    if (im->terminal && total > 0)
        (void)fprintf(stderr, "\r%lld %%\033[K", (long long)(done * 100 / total));
    return true;
}

static enum status options_read(struct server *server, struct import_options *out,
                                struct err *err) {
    const char *map = command_value(server->line, "--map"),
               *match = command_value(server->line, "--match");
    *out = (struct import_options){.encoding = command_value(server->line, "--encoding"),
                                   .map = slice_from(map),
                                   .dry_run = command_has(server->line, "--dry-run")};
    if (command_has(server->line, "--create-only")) out->mode = IMPORT_CREATE_ONLY;
    if (command_has(server->line, "--update-only")) out->mode = IMPORT_UPDATE_ONLY;
    TRY(api_entity(server->cat, slice_from(server->line->words[0]), &out->entity, err));
    TRY(import_match(out, match, err));
    return platform_read_file(server->line->words[1], IMPORT_FILE_MAX, &server->mem, &out->bytes,
                              err);
}

/* A column that no field is meant by is not passed over silently. */
static void left_out_print(struct server *server, const struct import_totals *t) {
    struct slice rest = t->mapping, line;
    while (slice_cut(&rest, '\n', &line))
        if (memmem(line.data, line.len, " -> -", 5))
            server_tell(server, "not taken: %.*s", "未导入的列：%.*s", (int)line.len,
                        (const char *)line.data);
}

static void mapping_json(const struct import_totals *t, struct buf *out) {
    struct slice rest = t->mapping, line;
    size_t count = 0;
    while (slice_cut(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        if (count++ > 0) buf_put_byte(out, ',');
        buf_put_json_string(out, line);
    }
}

static enum status totals_json(struct importer *im, const struct import_totals *t,
                               struct err *err) {
    SCOPED(buf_free) struct buf mapping = buf_new(BUF_MAX_BATCH);
    mapping_json(t, &mapping);
    TRY(buf_status(&mapping, err));
    TRY(buf_status(&im->rows, err));
    printf("{\"created\":%lld,\"updated\":%lld,\"unchanged\":%lld,\"refused\":%lld,"
           "\"mapping\":[%s],\"rows\":[%s]}\n",
           (long long)t->rows[IMPORT_CREATED], (long long)t->rows[IMPORT_UPDATED],
           (long long)t->rows[IMPORT_UNCHANGED], (long long)t->rows[IMPORT_REFUSED],
           buf_text(&mapping), buf_text(&im->rows));
    return ST_OK;
}

static enum status totals_print(struct importer *im, const struct import_totals *t,
                                struct err *err) {
    struct server *server = im->server;
    const char *report = command_value(server->line, "--report");
    if (im->terminal) (void)fputs("\r\033[K", stderr);
    if (report) {
        TRY(buf_status(&im->report, err));
        TRY(platform_write_file_private(report, buf_slice(&im->report), err));
    }
    if (server->json) return totals_json(im, t, err);
    left_out_print(server, t);
    if (im->refused > REFUSALS_SHOWN_MAX)
        server_tell(server, "and %zu more refused; see --report FILE",
                    "另有 %zu 行被拒绝；用 --report 可得全部清单",
                    im->refused - REFUSALS_SHOWN_MAX);
    server_tell(server, "%lld created, %lld updated, %lld unchanged, %lld refused",
                "新建 %lld 条，更新 %lld 条，无变化 %lld 条，未导入 %lld 条",
                (long long)t->rows[IMPORT_CREATED], (long long)t->rows[IMPORT_UPDATED],
                (long long)t->rows[IMPORT_UNCHANGED], (long long)t->rows[IMPORT_REFUSED]);
    if (command_has(server->line, "--dry-run"))
        server_tell(server, "This was a trial: nothing was written.",
                    "这只是试运行：没有写入任何内容。");
    return ST_OK;
}

enum status server_cmd_import(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    SCOPED(server_org_release) struct org *org = NULL;
    SCOPED(office_close) struct office *office = NULL;
    struct import_options options;
    struct import_totals totals;
    struct importer im = {.server = server,
                          .report = buf_new(BUF_MAX_FILE),
                          .rows = buf_new(BUF_MAX_FILE),
                          .terminal = platform_is_terminal(2) && !server->json};
    TRY(server_org_open(server, &org, err));
    TRY(options_read(server, &options, err));
    int64_t import_id;
    TRY(org_office_id(org, &import_id, err));
    TRY(office_open(server, org, import_id, &office, err));
    struct api_writer writer = office_writer(office);
    struct api_book book = server_book(server, centre_store(org_centre(org)));
    enum status status =
        import_run(&book, &writer, &options, on_row, on_progress, &im, &server->mem, &totals, err);
    if (status == ST_OK) status = totals_print(&im, &totals, err);
    buf_free(&im.report);
    buf_free(&im.rows);
    return status;
}
