/* roadbook imports, revert. The list is a setting of the store, one line an import:
 * number, time, entity, created, updated, unchanged, refused, reverted, file, parted by tabs.
 */
#include <stdio.h>
#include <string.h>

#include "client/cli_file.h"

#define IMPORTS_SETTING "imports"
#define IMPORTS_LOCK_FILE "import.lock"

enum status cli_imports_lock(const struct cli *cli, struct import_lock *out, struct err *err) {
    enum { LOCK_PATH_BYTES = 4096 };
    char path[LOCK_PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", cli->home, IMPORTS_LOCK_FILE);
    if (n <= 0 || n >= LOCK_PATH_BYTES)
        return err_set(err, ST_USAGE, "the path is too long: %s", "路径过长：%s", cli->home);
    enum status status = platform_lock_try(path, &out->lock, err);
    if (status == ST_BUSY)
        return err_set(err, ST_BUSY,
                       "another import into this book is running: wait for it, then try again",
                       "本账本正在进行另一次导入：请稍候再试");
    out->held = status == ST_OK;
    return status;
}

void cli_imports_unlock(struct import_lock *lock) {
    if (lock->held) platform_unlock(&lock->lock);
    lock->held = false;
}

/* ------------------------------------------------------------------ the list */

static bool number_of(struct slice *line, int64_t *out) {
    struct slice part;
    return slice_cut(line, '\t', &part) && text_to_int(part, out);
}

static bool record_read(const struct cli *cli, struct slice line, struct import_record *out) {
    struct import_record r = {0};
    struct slice entity;
    int64_t reverted = 0;
    if (!number_of(&line, &r.id) || !number_of(&line, &r.time_ms) ||
        !slice_cut(&line, '\t', &entity))
        return false;
    for (size_t i = 0; i < IMPORT_FATES; i++)
        if (!number_of(&line, &r.rows[i])) return false;
    if (!number_of(&line, &reverted)) return false;
    r.reverted = reverted != 0;
    r.entity = catalogue_entity(cli->cat, entity);
    struct slice name = text_prefix(line, IMPORT_NAME_BYTES - 1);
    if (name.len > 0) memcpy(r.file, name.data, name.len);
    *out = r;
    return r.entity != NULL;
}

static void record_write(const struct import_record *r, struct buf *out) {
    buf_printf(out, "%lld\t%lld\t%s", (long long)r->id, (long long)r->time_ms, r->entity->name);
    for (size_t i = 0; i < IMPORT_FATES; i++) buf_printf(out, "\t%lld", (long long)r->rows[i]);
    buf_printf(out, "\t%d\t%s\n", r->reverted ? 1 : 0, r->file);
}

static enum status imports_load(struct cli *cli, struct import_record **out, size_t *out_count,
                                struct err *err) {
    struct slice text = {0}, line;
    struct err absent;
    struct import_record *records = ARENA_ARRAY(&cli->mem, IMPORTS_KEPT + 1, struct import_record);
    size_t count = 0;
    if (!records) return err_no_memory(err);
    enum status status = store_setting(cli->store, IMPORTS_SETTING, &cli->mem, &text, &absent);
    if (status != ST_OK && status != ST_NOT_FOUND) {
        *err = absent;
        return status;
    }
    while (count < IMPORTS_KEPT && slice_cut(&text, '\n', &line))
        if (record_read(cli, line, &records[count])) count++;
    *out = records; /* with room for one more */
    *out_count = count;
    return ST_OK;
}

static enum status imports_save(struct cli *cli, const struct import_record *records, size_t count,
                                struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_BATCH);
    for (size_t i = count > IMPORTS_KEPT ? count - IMPORTS_KEPT : 0; i < count; i++)
        record_write(&records[i], &text);
    TRY(buf_status(&text, err));
    return store_setting_set(cli->store, IMPORTS_SETTING, buf_slice(&text), err);
}

static void name_of(const char *path, char out[IMPORT_NAME_BYTES]) {
    const char *slash = strrchr(path, '/');
    struct slice name = text_prefix(slice_from(slash ? slash + 1 : path), IMPORT_NAME_BYTES - 1);
    for (size_t i = 0; i < name.len; i++) out[i] = name.data[i] < ' ' ? ' ' : (char)name.data[i];
    out[name.len] = 0;
}

enum status cli_imports_begin(struct cli *cli, const struct entity *e, const char *path,
                              bool dry_run, struct import_record *out, struct err *err) {
    struct import_record *records, next = {.time_ms = cli->env.wall_ms(cli->env.ctx), .entity = e};
    size_t count;
    name_of(path, next.file);
    if (!dry_run) {
        TRY(imports_load(cli, &records, &count, err));
        next.id = count ? records[count - 1].id + 1 : 1;
        records[count] = next;
        TRY(imports_save(cli, records, count + 1, err));
    }
    *out = next;
    return ST_OK;
}

enum status cli_imports_note(struct cli *cli, const struct import_record *record, struct err *err) {
    struct import_record *records;
    size_t count;
    TRY(imports_load(cli, &records, &count, err));
    for (size_t i = 0; i < count; i++)
        if (records[i].id == record->id) records[i] = *record;
    return imports_save(cli, records, count, err);
}

/* ------------------------------------------------------------------ imports */

static void record_json(struct cli *cli, const struct import_record *r) {
    cli_json_int(cli, "import", r->id, true);
    cli_json_time(cli, "time", r->time_ms, false);
    cli_json_string(cli, "entity", r->entity->name, false);
    cli_json_string(cli, "file", r->file, false);
    cli_json_int(cli, "created", r->rows[IMPORT_CREATED], false);
    cli_json_int(cli, "updated", r->rows[IMPORT_UPDATED], false);
    cli_json_int(cli, "unchanged", r->rows[IMPORT_UNCHANGED], false);
    cli_json_int(cli, "refused", r->rows[IMPORT_REFUSED], false);
    cli_json_bool(cli, "reverted", r->reverted, false);
    buf_put_byte(&cli->out, '}');
}

static void record_cells(struct cli *cli, struct api_table *table, const struct import_record *r) {
    cli_table_int(table, r->id);
    cli_table_time(cli, table, r->time_ms);
    cli_table_text(table, r->entity->label[cli->lang]);
    cli_table_text(table, r->file);
    for (size_t i = 0; i < IMPORT_FATES; i++) cli_table_int(table, r->rows[i]);
    cli_table_text(table, r->reverted ? cli_pick(cli, "reverted", "已撤回") : "");
}

enum status cli_file_imports(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {{.label = {"No.", "编号"}, .right = true},
                                                {.label = {"When", "时间"}},
                                                {.label = {"Kind", "类别"}},
                                                {.label = {"File", "文件"}},
                                                {.label = {"Created", "新建"}, .right = true},
                                                {.label = {"Updated", "更新"}, .right = true},
                                                {.label = {"Unchanged", "无变化"}, .right = true},
                                                {.label = {"Refused", "未导入"}, .right = true},
                                                {.label = {"", ""}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    struct import_record *records;
    size_t count;
    (void)line;
    TRY(imports_load(cli, &records, &count, err));
    if (cli->json) {
        buf_put_byte(&cli->out, '[');
        for (size_t i = 0; i < count; i++) {
            if (i > 0) buf_put_text(&cli->out, ",\n");
            record_json(cli, &records[i]);
        }
        buf_put_text(&cli->out, "]\n");
        return ST_OK;
    }
    TRY(cli_table_open(cli, columns, ARRAY_COUNT(columns), &table, err));
    for (size_t i = 0; i < count; i++) record_cells(cli, table, &records[i]);
    if (count > 0)
        cli_table_write(cli, table);
    else
        cli_note(cli, "nothing was imported here", "本机没有导入过文件");
    return ST_OK;
}

/* ------------------------------------------------------------------ revert */

static enum status find_import(struct cli *cli, const char *typed, struct import_record *out,
                               struct err *err) {
    struct import_record *records;
    size_t count;
    int64_t id;
    bool found = false;
    TRY(imports_load(cli, &records, &count, err));
    if (!text_to_int(slice_from(typed), &id)) id = 0;
    for (size_t i = 0; i < count; i++) {
        if (records[i].id != id) continue;
        *out = records[i];
        found = true;
    }
    if (found) return ST_OK;
    return err_set(err, ST_NOT_FOUND, "there is no import %s (roadbook imports shows them)",
                   "没有编号为 %s 的导入（可用 roadbook imports 查看）", typed);
}

enum status cli_file_revert(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct import_record record;
    int64_t rows = 0, kept = 0;
    SCOPED(cli_imports_unlock) struct import_lock lock = {0};
    TRY(cli_imports_lock(cli, &lock, err));
    TRY(find_import(cli, line->words[0], &record, err));
    TRY(store_import_revert(cli->store, record.id, &rows, &kept, err));
    record.reverted = true;
    TRY(cli_imports_note(cli, &record, err));
    cli_saved(cli);
    if (cli->json) {
        cli_json_int(cli, "import", record.id, true);
        cli_json_int(cli, "reverted", rows, false);
        cli_json_int(cli, "kept", kept, false);
        buf_put_text(&cli->out, "}\n");
        return ST_OK;
    }
    cli_say(cli, "rows that are as they were before the import: %lld\n",
            "%lld 条记录已恢复到导入之前\n", (long long)rows);
    if (kept)
        cli_say(cli, "%lld were kept since somebody has edited them meanwhile\n",
                "%lld 条此后已被修改，予以保留\n", (long long)kept);
    return ST_OK;
}
