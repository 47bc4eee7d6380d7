/* roadbook get, list, find, history. */
#include <string.h>

#include "client/cli.h"

enum {
    LIST_COLUMNS_MAX = ENTITY_FIELDS_MAX,
    LIST_WIDTH_MIN = 10 /* of a column with its gap, in a list nobody chose columns for */
};

/* ------------------------------------------------------------------ get */

/* Which cells of a row the server has not confirmed yet: one bit each. */
struct unconfirmed {
    const struct row *row;
    uint64_t cells;
    bool is_new; /* nor its creation */
};

static enum status note_cells(void *ctx, const struct outbox_entry *entry, struct err *err) {
    struct unconfirmed *u = ctx;
    (void)err;
    for (size_t i = 0; i < entry->content->change_count; i++) {
        const struct change *c = &entry->content->changes[i];
        if (c->row != u->row->id || c->entity_tag != u->row->entity->tag) continue;
        if (c->kind == CHANGE_CREATE) u->is_new = true;
        for (size_t k = 0; k < c->edit_count; k++) {
            const struct cell *cell = entity_cell(u->row->entity, c->edits[k].cell_tag);
            if (cell) u->cells |= UINT64_C(1) << cell->index;
        }
    }
    return ST_OK;
}

static enum status get_text(struct cli *cli, const struct row *row, struct err *err) {
    struct unconfirmed u = {.row = row};
    buf_printf(&cli->out, "%s ", row->entity->label[cli->lang]);
    cli_put_row(cli, row->entity, row->id, &cli->out);
    buf_put_byte(&cli->out, '\n');
    TRY(api_row_text(&cli->book, row, &cli->out, err));
    if (row->gone)
        cli_say(cli,
                "Read-only: it is leaving this laptop, and stays only until the server has "
                "answered your edits\n",
                "只读：该记录即将离开本机，仅保留到服务器答复您的修改为止\n");
    if (!row->pending) return ST_OK;
    TRY(store_outbox(cli->store, note_cells, &u, err));
    if (u.is_new) {
        cli_say(cli, "Not yet confirmed by the server: the whole row\n",
                "服务器尚未确认：整条记录\n");
        return ST_OK;
    }
    const char *between = cli_pick(cli, "Not yet confirmed by the server: ", "服务器尚未确认：");
    for (size_t c = 0; c < row->entity->cell_count; c++) {
        if (!(u.cells >> row->entity->cells[c].index & 1)) continue;
        buf_put_text(&cli->out, between);
        cli_put_cell(cli, row->entity, row->entity->cells[c].tag, &cli->out);
        between = cli_pick(cli, ", ", "、");
    }
    buf_put_text(&cli->out, u.cells ? "\n" : "");
    return ST_OK;
}

enum status cli_show_get(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    const struct entity *e;
    struct row row;
    int64_t id;
    (void)line;
    TRY(cli_row(cli, 0, &e, &id, err));
    TRY(store_get(cli->store, e, id, &cli->mem, &row, err));
    if (!cli->json) return get_text(cli, &row, err);
    api_row_json(&cli->book, &row, NULL, 0, &cli->out);
    buf_put_byte(&cli->out, '\n');
    return ST_OK;
}

/* ------------------------------------------------------------------ list */

struct listing {
    struct cli *cli;
    const struct field *fields[LIST_COLUMNS_MAX];
    size_t field_count;
    bool all_fields;         /* JSON when nobody asked for certain ones */
    struct api_table *table; /* NULL: JSON */
    struct arena mem;        /* of one row */
    bool any_gone;           /* a row is read-only, on its way out */
    int64_t rows;
};

static enum status pick_columns(struct listing *list, const struct entity *e, struct err *err) {
    const char *typed = command_value(list->cli->line, "--columns");
    struct slice rest = slice_from(typed), name;
    list->all_fields = !typed;
    if (!typed) {
        unsigned columns =
            list->cli->book.columns; /* a narrow terminal shows fewer fields, readable ones */
        size_t fit = columns > LIST_WIDTH_MIN * 2 ? columns / LIST_WIDTH_MIN - 1 : 1;
        list->field_count = api_list_fields(
            e, list->fields, columns && fit < LIST_COLUMNS_MAX ? fit : LIST_COLUMNS_MAX);
        return ST_OK;
    }
    while (slice_cut(&rest, ',', &name)) {
        if (list->field_count == LIST_COLUMNS_MAX)
            return err_set(err, ST_USAGE, "at most %d columns can be shown", "最多显示 %d 列",
                           (int)LIST_COLUMNS_MAX);
        TRY(api_field(e, slice_trim(name), &list->fields[list->field_count], err));
        list->field_count++;
    }
    return ST_OK;
}

static bool stands_right(const struct field *f) {
    return f->type == FIELD_INT || f->type == FIELD_DECIMAL || f->type == FIELD_MONEY;
}

static enum status list_head(struct listing *list, struct err *err) {
    struct cli *cli = list->cli;
    TRY(api_table_open(list->field_count + 1, &list->table, err));
    cli_table_text(list->table, cli_pick(cli, "ID", "编号"));
    for (size_t i = 0; i < list->field_count; i++) {
        if (stands_right(list->fields[i])) api_table_right(list->table, i + 1);
        cli_table_text(list->table, list->fields[i]->label[cli->lang]);
    }
    return ST_OK;
}

static enum status list_cells(struct listing *list, const struct row *row, struct err *err) {
    char id[ID_TEXT_BYTES + 1];
    id_format(row->id, id);
    if (row->pending || row->gone) memcpy(id + strlen(id), row->gone ? "!" : "*", 2);
    list->any_gone |= row->gone;
    cli_table_text(list->table, id);
    for (size_t i = 0; i < list->field_count; i++) {
        const struct field *f = list->fields[i];
        SCOPED(buf_free) struct buf line = buf_new(BUF_MAX_BATCH);
        struct slice text = {0};
        struct value v = row->values[entity_field_index(row->entity, f)];
        if (v.kind != VALUE_NULL)
            TRY(api_value_text(&list->cli->book, f, v, &list->mem, &text, err));
        api_value_line(f, text, &line);
        api_table_cell(list->table, buf_slice(&line));
    }
    arena_clear(&list->mem);
    return ST_OK;
}

static enum status list_row(void *ctx, const struct row *row, struct err *err) {
    struct listing *list = ctx;
    struct cli *cli = list->cli;
    list->rows++;
    if (list->table) return list_cells(list, row, err);
    buf_put_text(&cli->out, list->rows > 1 ? ",\n" : "");
    api_row_json(&cli->book, row, list->all_fields ? NULL : list->fields,
                 list->all_fields ? 0 : list->field_count, &cli->out);
    return cli_flush_some(cli, err);
}

static enum status list_query(struct cli *cli, struct query *out, struct err *err) {
    struct condition *conditions;
    const char *sort = command_value(cli->line, "--sort");
    struct query query = {0};
    TRY(cli_entity(cli, 0, &query.entity, err));
    TRY(cli_conditions(cli, query.entity, 1, &conditions, &query.condition_count, err));
    query.conditions = conditions;
    TRY(command_number(cli->line, "--limit", 0, INT64_MAX, 0, &query.limit, err));
    TRY(command_number(cli->line, "--offset", 0, INT64_MAX, 0, &query.offset, err));
    if (sort) {
        query.descending = sort[0] == '-';
        TRY(api_field(query.entity, slice_from(sort + (query.descending ? 1 : 0)), &query.sort,
                      err));
    }
    *out = query;
    return ST_OK;
}

static enum status list_json(struct listing *list, const struct query *query, struct err *err) {
    buf_put_byte(&list->cli->out, '[');
    TRY(store_list(list->cli->store, query, list_row, list, err));
    buf_put_text(&list->cli->out, "]\n");
    return ST_OK;
}

static enum status list_text(struct listing *list, const struct query *query, struct err *err) {
    struct cli *cli = list->cli;
    int64_t all = 0;
    TRY(list_head(list, err));
    TRY(store_list(cli->store, query, list_row, list, err));
    TRY(store_count(cli->store, query, &all, err));
    if (!command_value(cli->line, "--columns")) api_table_hide_empty(list->table);
    if (list->rows > 0) cli_table_write(cli, list->table);
    if (list->any_gone) cli_note(cli, "! read-only: leaving this laptop", "! 只读：即将离开本机");
    if (!cli->out_is_terminal) return ST_OK;
    if (list->rows < all)
        cli_say(cli, "%lld of %lld rows (more with --limit and --offset)\n",
                "显示 %lld 条，共 %lld 条（用 --limit 和 --offset 查看更多）\n",
                (long long)list->rows, (long long)all);
    else
        cli_say(cli, all == 1 ? "%lld row\n" : "%lld rows\n", "共 %lld 条\n", (long long)all);
    return ST_OK;
}

enum status cli_show_list(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct listing list = {.cli = cli, .mem = arena_new(BUF_MAX_MESSAGE)};
    struct query query;
    (void)line;
    TRY(list_query(cli, &query, err));
    TRY(pick_columns(&list, query.entity, err));
    enum status status = cli->json ? list_json(&list, &query, err) : list_text(&list, &query, err);
    api_table_close(list.table);
    arena_clear(&list.mem);
    return status;
}

/* ------------------------------------------------------------------ find */

struct finding {
    struct cli *cli;
    struct api_table *table;
    int64_t rows;
};

static enum status find_row(void *ctx, const struct found *found, struct err *err) {
    struct finding *f = ctx;
    struct cli *cli = f->cli;
    f->rows++;
    if (f->table) {
        char id[ID_TEXT_BYTES];
        id_format(found->id, id);
        cli_table_text(f->table, id);
        cli_table_text(f->table, found->entity->label[cli->lang]);
        api_table_cell(f->table, found->title);
        api_table_cell(f->table, found->passage);
        return ST_OK;
    }
    buf_put_text(&cli->out, f->rows > 1 ? ",\n" : "");
    cli_json_string(cli, "entity", found->entity->name, true);
    cli_json_id(cli, found->id, false);
    cli_json_text(cli, "title", found->title, false);
    cli_json_text(cli, "passage", found->passage, false);
    buf_put_byte(&cli->out, '}');
    return cli_flush_some(cli, err);
}

static enum status words_joined(struct cli *cli, struct slice *out, struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    for (size_t i = 0; i < cli->line->word_count; i++) {
        if (i > 0) buf_put_byte(&text, ' ');
        buf_put_text(&text, cli->line->words[i]);
    }
    TRY(buf_status(&text, err));
    *out = arena_copy(&cli->mem, buf_slice(&text));
    return out->data ? ST_OK : err_no_memory(err);
}

enum status cli_show_find(void *program, const struct command_line *line, struct err *err) {
    enum { FIND_LIMIT = 50 };
    static const struct cli_column columns[] = {{.label = {"ID", "编号"}},
                                                {.label = {"Kind", "类别"}},
                                                {.label = {"Name", "名称"}},
                                                {.label = {"Passage", "内容"}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    struct slice typed;
    int64_t limit;
    TRY(words_joined(cli, &typed, err));
    TRY(command_number(line, "--limit", 1, INT64_MAX, FIND_LIMIT, &limit, err));
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    struct finding finding = {.cli = cli, .table = table};
    TRY(store_find(cli->store, typed, limit, find_row, &finding, err));
    cli_list_end(cli, table, finding.rows, "nothing found", "没有找到");
    return ST_OK;
}

/* ------------------------------------------------------------------ history */

struct telling {
    struct cli *cli;
    const struct entity *entity;
    struct api_table *table;
    int64_t lines;
};

static const char *what_label(const struct cli *cli, const char *what) {
    static const struct {
        const char *name, *label[LANG_COUNT];
    } rows[] = {
        {"create", {"new", "新建"}},          {"edit", {"edited", "修改"}},
        {"delete", {"deleted", "删除"}},      {"lost", {"gave way", "未采用"}},
        {"news", {"changed", "已更改"}},      {"approved", {"approved", "已批准"}},
        {"declined", {"declined", "未批准"}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        if (!strcmp(rows[i].name, what)) return rows[i].label[cli->lang];
    return what;
}

static void put_detail(const struct cli *cli, struct slice detail, struct buf *out) {
    for (enum rule rule = 0; rule < RULE_COUNT; rule++) {
        if (!slice_equal(detail, slice_from(rule_name(rule)))) continue;
        buf_put_text(out, rule_label(rule, cli->lang));
        return;
    }
    for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        if (!slice_equal(detail, slice_from(outcome_name(outcome)))) continue;
        buf_put_text(out, outcome_label(outcome, cli->lang));
        return;
    }
    buf_put_slice(out, detail);
}

static struct edit edit_of(const struct history_line *line) {
    return (struct edit){.cell_tag = line->cell_tag,
                         .kind = line->kind,
                         .values = (struct value *)(uintptr_t)line->values, /* only read */
                         .value_count = line->values ? line->value_count : 0};
}

static void put_who(struct telling *t, const struct history_line *line) {
    if (line->person.len > 0 && line->device == 0)
        cli_table_text(t->table, cli_pick(t->cli, "head office", "总部"));
    else if (line->person.len > 0)
        api_table_cell(t->table, line->person);
    else
        cli_table_text(t->table, cli_pick(t->cli, "(from the server)", "（来自服务器）"));
}

static void history_cells(struct telling *t, const struct history_line *line) {
    struct cli *cli = t->cli;
    SCOPED(buf_free) struct buf values = buf_new(BUF_MAX_BATCH), flat = buf_new(BUF_MAX_BATCH);
    SCOPED(buf_free) struct buf outcome = buf_new(BUF_MAX_LINE);
    const struct field *f =
        line->cell_tag ? entity_field_by_tag(t->entity, line->cell_tag) : &t->entity->fields[0];
    struct edit edit = edit_of(line);
    cli_put_operation(cli, t->entity, &edit, &values);
    if (f) api_value_line(f, buf_slice(&values), &flat);
    put_detail(cli, line->detail, &outcome);
    if (line->seq == 0 && line->time_ms != 0)
        buf_put_text(&outcome, cli_pick(cli, "not confirmed yet", "尚未确认"));
    cli_table_time(cli, t->table, line->time_ms);
    put_who(t, line);
    cli_table_text(t->table, what_label(cli, line->what));
    if (line->cell_tag)
        cli_table_cell(cli, t->table, t->entity, line->cell_tag);
    else
        cli_table_text(t->table, "");
    api_table_cell(t->table, buf_slice(&flat));
    api_table_cell(t->table, buf_slice(&outcome));
}

static void history_json_values(struct telling *t, const struct history_line *line) {
    struct edit edit = edit_of(line);
    if (edit.value_count == 0)
        buf_put_text(&t->cli->out, "null");
    else
        cli_json_edit(t->cli, t->entity, &edit);
}

static enum status history_row(void *ctx, const struct history_line *line, struct err *err) {
    struct telling *t = ctx;
    struct cli *cli = t->cli;
    t->lines++;
    if (t->table) {
        history_cells(t, line);
        return ST_OK;
    }
    buf_put_text(&cli->out, t->lines > 1 ? ",\n" : "");
    cli_json_int(cli, "seq", line->seq, true);
    cli_json_time(cli, "time", line->time_ms, false);
    cli_json_int(cli, "device", line->device, false);
    cli_json_text(cli, "person", line->person, false);
    cli_json_string(cli, "what", line->what, false);
    cli_json_key(cli, "values", false);
    history_json_values(t, line);
    cli_json_text(cli, "detail", line->detail, false);
    buf_put_byte(&cli->out, '}');
    return cli_flush_some(cli, err);
}

enum status cli_show_history(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {
        {.label = {"When", "时间"}},  {.label = {"Who", "谁"}},     {.label = {"What", "操作"}},
        {.label = {"Field", "字段"}}, {.label = {"Value", "内容"}}, {.label = {"Outcome", "结果"}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    struct telling t = {.cli = cli};
    int64_t id;
    (void)line;
    TRY(cli_row(cli, 0, &t.entity, &id, err));
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    t.table = table;
    TRY(store_history(cli->store, t.entity, id, history_row, &t, err));
    if (table) api_table_hide_empty(table);
    cli_list_end(cli, table, t.lines, "nothing is known of it here", "本机没有相关记录");
    TRY(cli_flush(cli, err));
    cli_note(cli,
             "This is what this laptop has seen. The whole history, with who did what, is at the "
             "server.",
             "以上为本机所知的经过。完整记录（含修改人）在服务器上。");
    return ST_OK;
}
