/* roadbook import, export: files into the book and out of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cli_file.h"

/* ------------------------------------------------------------------ saving: one batch after
 * another */

struct saver {
    struct cli *cli;
    int64_t import;
};

static enum status save_begin(void *ctx, struct err *err) {
    struct saver *s = ctx;
    TRY(store_begin(s->cli->store, err));
    store_batch_import(s->cli->store, s->import);
    return ST_OK;
}

static enum status save_create(void *ctx, const struct entity *e, const struct field_edit *edits,
                               size_t count, int64_t *out_id, struct err *err) {
    struct saver *s = ctx;
    return store_create(s->cli->store, e, edits, count, out_id, err);
}

static enum status save_edit(void *ctx, const struct entity *e, int64_t id,
                             const struct field_edit *edits, size_t count, bool *out_changed,
                             struct err *err) {
    struct saver *s = ctx;
    return store_edit(s->cli->store, e, id, edits, count, NULL, out_changed, err);
}

static enum status save_commit(void *ctx, struct err *err) {
    struct saver *s = ctx;
    uint32_t batch;
    TRY(store_commit(s->cli->store, &batch, err));
    cli_saved(s->cli);
    return ST_OK;
}

static void save_rollback(void *ctx) {
    struct saver *s = ctx;
    store_rollback(s->cli->store);
}

/* ------------------------------------------------------------------ the report */

struct reporting {
    struct cli *cli;
    struct buf table; /* of --report */
    bool to_file;
    int64_t rows;
};

static const char *fate_name(enum import_fate fate) {
    static const char *const names[IMPORT_FATES] = {"created", "updated", "unchanged", "refused"};
    return names[fate];
}

static const char *fate_label(const struct cli *cli, enum import_fate fate) {
    static const char *const labels[IMPORT_FATES][LANG_COUNT] = {
        {"created", "新建"}, {"updated", "更新"}, {"unchanged", "无变化"}, {"refused", "未导入"}};
    return labels[fate][cli->lang];
}

static void report_json(struct reporting *r, const struct import_row *row) {
    struct cli *cli = r->cli;
    if (r->rows > 1) buf_put_text(&cli->out, ",\n");
    cli_json_int(cli, "line", row->line, true);
    cli_json_string(cli, "fate", fate_name(row->fate), false);
    if (row->id) cli_json_id(cli, row->id, false);
    if (row->fate == IMPORT_REFUSED) {
        cli_json_string(cli, "reason", row->why.text[cli->lang], false);
        cli_json_string(cli, "code", status_name(row->why.status), false);
    }
    buf_put_byte(&cli->out, '}');
}

static void report_file(struct reporting *r, const struct import_row *row) {
    char text[ID_TEXT_BYTES + 16];
    snprintf(text, sizeof(text), "%lld", (long long)row->line);
    csv_write_field(&r->table, slice_from(text), true);
    csv_write_field(&r->table, slice_from(fate_label(r->cli, row->fate)), false);
    text[0] = 0;
    if (row->id) id_format(row->id, text);
    csv_write_field(&r->table, slice_from(text), false);
    csv_write_field(&r->table,
                    slice_from(row->fate == IMPORT_REFUSED ? row->why.text[r->cli->lang] : ""),
                    false);
    csv_write_end(&r->table);
}

static enum status report_row(void *ctx, const struct import_row *row, struct err *err) {
    struct reporting *r = ctx;
    struct cli *cli = r->cli;
    r->rows++;
    if (r->to_file) report_file(r, row);
    if (cli->json)
        report_json(r, row);
    else if (row->fate == IMPORT_REFUSED) {
        cli_progress_end(cli);
        cli_say(cli, "line %lld: %s\n", "第 %lld 行：%s\n", (long long)row->line,
                row->why.text[cli->lang]);
        return cli_flush(cli, err);
    }
    return cli_flush_some(cli, err);
}

static bool report_progress(void *ctx, int64_t done, int64_t total) {
    struct reporting *r = ctx;
    cli_progress(r->cli, "%lld %%, %lld rows", "%lld %%，%lld 行",
                 (long long)(total > 0 ? done * 100 / total : 100), (long long)r->rows);
    return true;
}

static void report_head(struct reporting *r) {
    static const char *const heads[][LANG_COUNT] = {
        {"Line", "行"}, {"Result", "结果"}, {"ID", "编号"}, {"Reason", "原因"}};
    for (size_t i = 0; i < ARRAY_COUNT(heads); i++)
        csv_write_field(&r->table, slice_from(heads[i][r->cli->lang]), i == 0);
    csv_write_end(&r->table);
}

/* ------------------------------------------------------------------ import */

static enum status read_options(struct cli *cli, struct import_options *out, struct err *err) {
    const char *match = command_value(cli->line, "--match");
    struct import_options o = {.encoding = command_value(cli->line, "--encoding"),
                               .map = slice_from(command_value(cli->line, "--map")),
                               .dry_run = command_has(cli->line, "--dry-run")};
    bool create = command_has(cli->line, "--create-only"),
         update = command_has(cli->line, "--update-only");
    if (create && update)
        return err_set(err, ST_USAGE, "only one of --create-only and --update-only can be given",
                       "--create-only 与 --update-only 只能选一个");
    o.mode = create ? IMPORT_CREATE_ONLY : update ? IMPORT_UPDATE_ONLY : IMPORT_BOTH;
    TRY(cli_entity(cli, 0, &o.entity, err));
    TRY(import_match(&o, match, err));
    TRY(platform_read_file(cli_word(cli, 1), BUF_MAX_FILE, &cli->mem, &o.bytes, err));
    *out = o;
    return ST_OK;
}

static void totals_json(struct cli *cli, const struct import_totals *t, int64_t import,
                        bool dry_run) {
    struct slice mapping = t->mapping, line;
    bool first = true;
    buf_put_byte(&cli->out, ']');
    if (import) cli_json_int(cli, "import", import, false);
    cli_json_bool(cli, "dry_run", dry_run, false);
    cli_json_string(cli, "encoding", t->encoding ? t->encoding : "", false);
    for (enum import_fate f = 0; f < IMPORT_FATES; f++)
        cli_json_int(cli, fate_name(f), t->rows[f], false);
    cli_json_int(cli, "batches", (int64_t)t->batches, false);
    cli_json_key(cli, "mapping", false);
    buf_put_byte(&cli->out, '[');
    while (slice_cut(&mapping, '\n', &line)) {
        if (line.len == 0) continue;
        if (!first) buf_put_byte(&cli->out, ',');
        buf_put_json_string(&cli->out, line);
        first = false;
    }
    buf_put_text(&cli->out, "]}\n");
}

static void totals_text(struct cli *cli, const struct import_totals *t, int64_t import,
                        bool dry_run) {
    struct slice mapping = t->mapping, line;
    cli_say(cli, "Columns (%s):\n", "列（%s）：\n", t->encoding ? t->encoding : "utf-8");
    while (slice_cut(&mapping, '\n', &line)) {
        if (line.len == 0) continue;
        buf_put_text(&cli->out, "  ");
        buf_put_slice(&cli->out, line);
        buf_put_byte(&cli->out, '\n');
    }
    cli_say(cli, "%lld created, %lld updated, %lld unchanged, %lld refused\n",
            "新建 %lld 条，更新 %lld 条，无变化 %lld 条，未导入 %lld 条\n",
            (long long)t->rows[IMPORT_CREATED], (long long)t->rows[IMPORT_UPDATED],
            (long long)t->rows[IMPORT_UNCHANGED], (long long)t->rows[IMPORT_REFUSED]);
    if (dry_run)
        cli_say(cli, "This was a trial: nothing was written.\n",
                "这只是试运行：没有写入任何内容。\n");
    else if (t->rows[IMPORT_CREATED] + t->rows[IMPORT_UPDATED] > 0)
        cli_say(cli, "Take it all back with: roadbook revert %lld\n",
                "如需全部撤回：roadbook revert %lld\n", (long long)import);
}

static enum status run_import(struct cli *cli, const struct import_options *options, int64_t import,
                              struct reporting *r, struct import_totals *out, struct err *err) {
    struct saver saver = {.cli = cli, .import = import};
    struct api_writer writer = {.ctx = &saver,
                                .begin = save_begin,
                                .create = save_create,
                                .edit = save_edit,
                                .commit = save_commit,
                                .rollback = save_rollback};
    if (cli->json) buf_put_text(&cli->out, "{\"rows\":[");
    enum status status = import_run(&cli->book, &writer, options, report_row, report_progress, r,
                                    &cli->mem, out, err);
    cli_progress_end(cli);
    return status;
}

static enum status write_report(struct cli *cli, struct reporting *r, struct err *err) {
    TRY(buf_status(&r->table, err));
    return platform_write_file_private(command_value(cli->line, "--report"), buf_slice(&r->table),
                                       err);
}

/* Nothing came in although there was something: then the command has failed. */
static enum status import_status(const struct import_totals *t, struct err *err) {
    int64_t good = t->rows[IMPORT_CREATED] + t->rows[IMPORT_UPDATED] + t->rows[IMPORT_UNCHANGED];
    if (good > 0 || t->rows[IMPORT_REFUSED] == 0) return ST_OK;
    return err_set(err, ST_INVALID,
                   "no row of the file could be taken: the report names the reason of each",
                   "文件中没有一行可以导入：每行的原因见上面的报告");
}

enum status cli_file_import(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct import_options options;
    struct import_totals totals = {0};
    struct import_record record;
    TRY(read_options(cli, &options, err));
    SCOPED(cli_imports_unlock) struct import_lock lock = {0};
    TRY(cli_imports_lock(cli, &lock, err));
    TRY(cli_imports_begin(cli, options.entity, cli_word(cli, 1), options.dry_run, &record, err));
    struct reporting r = {.cli = cli,
                          .table = buf_new(BUF_MAX_FILE),
                          .to_file = command_value(line, "--report") != NULL};
    if (r.to_file) report_head(&r);
    enum status status = run_import(cli, &options, record.id, &r, &totals, err);
    if (!options.dry_run) {
        struct err ignored;
        memcpy(record.rows, totals.rows, sizeof(record.rows));
        enum status noted = cli_imports_note(cli, &record, status == ST_OK ? err : &ignored);
        if (status == ST_OK) status = noted;
    }
    if (status == ST_OK && r.to_file) status = write_report(cli, &r, err);
    buf_free(&r.table);
    if (status != ST_OK) return status;
    if (cli->json)
        totals_json(cli, &totals, record.id, options.dry_run);
    else
        totals_text(cli, &totals, record.id, options.dry_run);
    return import_status(&totals, err);
}

/* ------------------------------------------------------------------ export */

struct export_out {
    struct cli *cli;
    FILE *file; /* NULL: standard output */
};

static enum status export_piece(void *ctx, struct slice piece, struct err *err) {
    struct export_out *o = ctx;
    if (!o->file) {
        buf_put_slice(&o->cli->out, piece);
        return cli_flush_some(o->cli, err);
    }
    if (piece.len == 0 || fwrite(piece.data, 1, piece.len, o->file) == piece.len) return ST_OK;
    return err_set(err, ST_DISK, "the file could not be written: is the disk full?",
                   "文件无法写入：磁盘是否已满？");
}

static enum status export_form_of(const struct cli *cli, enum export_form *out, struct err *err) {
    const char *typed = command_value(cli->line, "--format");
    *out = cli->json ? EXPORT_JSONL : EXPORT_CSV;
    if (!typed || !strcmp(typed, "csv")) {
        if (typed) *out = EXPORT_CSV;
        return ST_OK;
    }
    *out = EXPORT_JSONL;
    if (!strcmp(typed, "jsonl")) return ST_OK;
    return err_set(err, ST_USAGE, "--format takes csv or jsonl, not: %s",
                   "--format 只能是 csv 或 jsonl，而不是：%s", typed);
}

static enum status export_close(struct export_out *o, enum status status, struct err *err) {
    if (!o->file) return status;
    bool closed = fclose(o->file) == 0;
    if (status != ST_OK || closed) return status;
    return err_set(err, ST_DISK, "the file could not be written: is the disk full?",
                   "文件无法写入：磁盘是否已满？");
}

enum status cli_file_export(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct export_out out = {.cli = cli};
    struct query query = {0};
    struct condition *conditions;
    enum export_form form;
    int64_t rows = 0;
    const char *path = command_value(line, "--output");
    TRY(export_form_of(cli, &form, err));
    TRY(cli_entity(cli, 0, &query.entity, err));
    TRY(cli_conditions(cli, query.entity, 1, &conditions, &query.condition_count, err));
    query.conditions = conditions;
    if (path && !(out.file = fopen(path, "wb")))
        return err_set(err, ST_DISK, "%s cannot be written: %s", "无法写入 %s：%s", path,
                       strerror(errno));
    enum status status = export_run(&cli->book, &query, form, command_has(line, "--bom"),
                                    export_piece, &out, &rows, err);
    status = export_close(&out, status, err);
    if (status == ST_OK && path)
        cli_note(cli, "%lld rows written to %s", "已将 %lld 条写入 %s", (long long)rows, path);
    return status;
}
