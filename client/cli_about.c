/* roadbook verify, sql, entities, fields, completion, help, version. */
#include <string.h>

#include "client/cli.h"

enum { CLI_BOOK_PATH_BYTES = 4096 };

/* ------------------------------------------------------------------ verify */

static bool verify_progress(void *ctx, int64_t done, int64_t total) {
    const struct cli *cli = ctx;
    cli_progress(cli, "checking: %lld of %lld", "检查中：%lld / %lld", (long long)done,
                 (long long)total);
    return true;
}

static void findings_json(struct cli *cli, struct slice findings, int64_t rows) {
    struct slice line;
    bool first = true;
    cli_json_int(cli, "rows", rows, true);
    cli_json_key(cli, "findings", false);
    buf_put_byte(&cli->out, '[');
    while (slice_cut(&findings, '\n', &line)) {
        if (line.len == 0) continue;
        if (!first) buf_put_byte(&cli->out, ',');
        buf_put_json_string(&cli->out, line);
        first = false;
    }
    buf_put_text(&cli->out, "]}\n");
}

enum status cli_about_verify(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    int64_t rows = 0;
    (void)line;
    SCOPED(buf_free) struct buf findings = buf_new(BUF_MAX_MESSAGE);
    enum status status = store_verify(cli->store, verify_progress, cli, &findings, &rows, err);
    cli_progress_end(cli);
    if (status != ST_OK) return status;
    TRY(buf_status(&findings, err));
    if (cli->json)
        findings_json(cli, buf_slice(&findings), rows);
    else if (findings.len == 0)
        cli_say(cli, "%lld rows checked, all is well\n", "已检查 %lld 条记录，一切正常\n",
                (long long)rows);
    else
        buf_put_slice(&cli->out, buf_slice(&findings));
    if (findings.len == 0) return ST_OK;
    return err_set(err, ST_DAMAGED,
                   "the book has faults: send this list to the administrator; what was not sent "
                   "yet is safe to keep using",
                   "账本存在问题：请将以上清单发给管理员；尚未发送的内容可继续使用");
}

/* ------------------------------------------------------------------ sql */

struct asking {
    struct cli *cli;
    struct api_table *table;
    int64_t rows;
};

static void put_cell(const struct sql_cell *cell, bool json, struct buf *out) {
    if (cell->is_null)
        buf_put_text(out, json ? "null" : "");
    else if (cell->is_text && json)
        buf_put_json_string(out, cell->text);
    else if (cell->is_text)
        buf_put_slice(out, cell->text);
    else if (cell->is_real)
        buf_printf(out, "%.15g", cell->real);
    else
        buf_printf(out, "%lld", (long long)cell->number);
}

static void sql_text(struct asking *a, const struct sql_cell *cells, size_t count) {
    for (size_t i = 0; i < count; i++) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_BATCH);
        put_cell(&cells[i], false, &text);
        for (size_t k = 0; k < text.len; k++)
            if (text.data[k] == '\n') text.data[k] = ' ';
        api_table_cell(a->table, buf_slice(&text));
    }
}

static void sql_json(struct asking *a, const char *const *names, const struct sql_cell *cells,
                     size_t count) {
    struct cli *cli = a->cli;
    if (a->rows > 1) buf_put_text(&cli->out, ",\n");
    for (size_t i = 0; i < count; i++) {
        cli_json_key(cli, names[i], i == 0);
        put_cell(&cells[i], true, &cli->out);
    }
    buf_put_byte(&cli->out, '}');
}

static enum status sql_row(void *ctx, const char *const *names, const struct sql_cell *cells,
                           size_t count, struct err *err) {
    struct asking *a = ctx;
    if (!cells) {
        if (a->cli->json) return ST_OK;
        TRY(api_table_open(count, &a->table, err));
        for (size_t i = 0; i < count; i++) cli_table_text(a->table, names[i]);
        return ST_OK;
    }
    a->rows++;
    if (a->cli->json)
        sql_json(a, names, cells, count);
    else
        sql_text(a, cells, count);
    return cli_flush_some(a->cli, err);
}

enum status cli_about_sql(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct asking a = {.cli = cli};
    if (cli->json) buf_put_byte(&cli->out, '[');
    enum status status = store_sql(cli->store, line->words[0], sql_row, &a, err);
    if (status == ST_OK && a.table) cli_table_write(cli, a.table);
    api_table_close(a.table);
    if (status != ST_OK) return status;
    if (cli->json) buf_put_text(&cli->out, "]\n");
    return ST_OK;
}

/* ------------------------------------------------------------------ the catalogue */

static enum status form_of(const struct cli *cli, enum catalogue_form *out, struct err *err) {
    const char *typed = command_value(cli->line, "--format");
    *out = cli->json ? CATALOGUE_JSON : CATALOGUE_TEXT;
    if (!typed) return ST_OK;
    if (!strcmp(typed, "text"))
        *out = CATALOGUE_TEXT;
    else if (!strcmp(typed, "json"))
        *out = CATALOGUE_JSON;
    else if (!strcmp(typed, "markdown"))
        *out = CATALOGUE_MARKDOWN;
    else
        return err_set(err, ST_USAGE, "--format takes text, json or markdown, not: %s",
                       "--format 只能是 text、json 或 markdown，而不是：%s", typed);
    return ST_OK;
}

/* Head office may have added to what the release declares. Without a book, or a place for one, the
 * release speaks. */
static void look_into_book(struct cli *cli) {
    struct err ignored;
    char path[CLI_BOOK_PATH_BYTES];
    if (!cli->home && platform_data_dir(&cli->mem, &cli->home, &ignored) != ST_OK) return;
    int len = snprintf(path, sizeof path, "%s/%s", cli->home, AGENT_STORE_FILE);
    if (len > 0 && (size_t)len < sizeof path && platform_exists(path))
        (void)cli_book_open(cli, false, &ignored);
}

enum status cli_about_entities(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    enum catalogue_form form;
    (void)line;
    TRY(form_of(cli, &form, err));
    look_into_book(cli);
    catalogue_write_entities(cli->cat, form, cli->lang, &cli->out);
    return ST_OK;
}

enum status cli_about_fields(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    const struct entity *e;
    enum catalogue_form form;
    (void)line;
    TRY(form_of(cli, &form, err));
    look_into_book(cli);
    TRY(cli_entity(cli, 0, &e, err));
    catalogue_write_fields(e, form, cli->lang, &cli->out);
    return ST_OK;
}

/* ------------------------------------------------------------------ completion */

enum status cli_about_completion(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    look_into_book(cli);
    return command_completion(cli->set, line->words[0], cli->cat, &cli->out, err);
}

/* ------------------------------------------------------------------ help, version */

enum status cli_about_help(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    return command_help_words(cli->set, line->words, line->word_count, cli->lang, &cli->out, err);
}

enum status cli_about_version(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    (void)line, (void)err;
    command_version(cli->set, cli->json, &cli->out);
    return ST_OK;
}
