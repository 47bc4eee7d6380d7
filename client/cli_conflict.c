/* roadbook conflicts, resolve: values that gave way to another, for a person to look at. */
#include "client/cli.h"

/* ------------------------------------------------------------------ list */

struct conflicts {
    struct cli *cli;
    struct api_table *table;
    int64_t count;
};

static void put_side(struct conflicts *c, const struct ledger_entry *entry, const struct entity *e,
                     const struct value *values, uint32_t device, struct buf *out) {
    struct cli *cli = c->cli;
    struct slice person;
    struct err ignored;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_BATCH);
    if (entry->cell_tag)
        cli_put_values(cli, e, entry->cell_tag, values, entry->value_count, &text);
    else
        cli_put_cell(cli, e, 0, &text);
    for (size_t i = 0; i < text.len; i++)
        buf_put_byte(out, text.data[i] == '\n' ? ' ' : text.data[i]);
    if (device == 0)
        buf_put_text(out, cli_pick(cli, " (merged)", "（合并所得）"));
    else if (device == cli->identity.device)
        buf_put_text(out, cli_pick(cli, " (you)", "（您）"));
    else if (store_person(cli->store, device, &cli->mem, &person, &ignored) == ST_OK)
        buf_printf(out, cli_pick(cli, " (%.*s)", "（%.*s）"), (int)person.len,
                   (const char *)person.data);
}

/* Of a group, the fields in which the two differ. */
static void put_fields(const struct cli *cli, const struct ledger_entry *l, const struct entity *e,
                       struct buf *out) {
    const struct cell *cell = l->cell_tag ? entity_cell(e, l->cell_tag) : NULL;
    for (size_t i = 0; cell && i < cell->count && i < l->value_count; i++) {
        if (value_equal(l->winner[i], l->loser[i])) continue;
        if (out->len > 0) buf_put_text(out, cli_pick(cli, ", ", "、"));
        buf_put_text(out, e->fields[cell->first + i].label[cli->lang]);
    }
    if (out->len == 0) cli_put_cell(cli, e, l->cell_tag, out);
}

static void conflict_cells(struct conflicts *c, const struct conflict *conflict,
                           const struct entity *e) {
    struct cli *cli = c->cli;
    const struct ledger_entry *l = &conflict->entry;
    SCOPED(buf_free)
    struct buf row = buf_new(BUF_MAX_LINE), stands = buf_new(BUF_MAX_BATCH),
               lost = buf_new(BUF_MAX_BATCH);
    SCOPED(buf_free) struct buf field = buf_new(BUF_MAX_LINE);
    char id[ID_TEXT_BYTES];
    id_format(l->row, id);
    put_fields(cli, l, e, &field);
    buf_printf(&row, cli_pick(cli, "%s %.*s (%s)", "%s %.*s（%s）"), e->label[cli->lang],
               (int)conflict->row_title.len, (const char *)conflict->row_title.data, id);
    put_side(c, l, e, l->winner, l->winner_device, &stands);
    put_side(c, l, e, l->loser, l->loser_device, &lost);
    cli_table_int(c->table, l->seq);
    cli_table_time(cli, c->table,
                   l->winner_time_ms > l->loser_time_ms ? l->winner_time_ms : l->loser_time_ms);
    api_table_cell(c->table, buf_slice(&row));
    api_table_cell(c->table, buf_slice(&field));
    api_table_cell(c->table, buf_slice(&stands));
    api_table_cell(c->table, buf_slice(&lost));
    cli_table_text(c->table, rule_label(l->rule, cli->lang));
    cli_table_text(c->table, conflict->done ? cli_pick(cli, "done", "已处理") : "");
}

static void side_json(struct cli *cli, const char *key, const struct ledger_entry *l,
                      const struct entity *e, const struct value *values, uint32_t device,
                      int64_t time_ms) {
    struct slice person = {0};
    struct err ignored;
    cli_json_key(cli, key, false);
    cli_json_int(cli, "device", device, true);
    if (device && store_person(cli->store, device, &cli->mem, &person, &ignored) == ST_OK)
        cli_json_text(cli, "person", person, false);
    cli_json_bool(cli, "mine", device == cli->identity.device, false);
    cli_json_time(cli, "time", time_ms, false);
    cli_json_key(cli, "values", false);
    cli_json_values(cli, e, l->cell_tag, values, l->value_count);
    buf_put_byte(&cli->out, '}');
}

static void conflict_json(struct conflicts *c, const struct conflict *conflict,
                          const struct entity *e) {
    struct cli *cli = c->cli;
    const struct ledger_entry *l = &conflict->entry;
    const struct cell *cell = l->cell_tag ? entity_cell(e, l->cell_tag) : NULL;
    if (c->count > 1) buf_put_text(&cli->out, ",\n");
    cli_json_int(cli, "seq", l->seq, true);
    cli_json_string(cli, "entity", e->name, false);
    cli_json_id(cli, l->row, false);
    cli_json_text(cli, "title", conflict->row_title, false);
    cli_json_key(cli, "field", false);
    if (cell)
        buf_put_json_text(&cli->out, cell_name(e, cell));
    else
        buf_put_text(&cli->out, "null");
    cli_json_string(cli, "rule", rule_name(l->rule), false);
    side_json(cli, "winner", l, e, l->winner, l->winner_device, l->winner_time_ms);
    side_json(cli, "loser", l, e, l->loser, l->loser_device, l->loser_time_ms);
    cli_json_bool(cli, "done", conflict->done, false);
    buf_put_byte(&cli->out, '}');
}

static enum status conflict_row(void *ctx, const struct conflict *conflict, struct err *err) {
    struct conflicts *c = ctx;
    const struct entity *e = catalogue_entity_by_tag(c->cli->cat, conflict->entry.entity_tag);
    if (!e) return ST_OK; /* of a newer release */
    c->count++;
    if (c->table)
        conflict_cells(c, conflict, e);
    else
        conflict_json(c, conflict, e);
    return cli_flush_some(c->cli, err);
}

enum status cli_conflict_list(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {{.label = {"No.", "编号"}, .right = true},
                                                {.label = {"When", "时间"}},
                                                {.label = {"Row", "记录"}},
                                                {.label = {"Field", "字段"}},
                                                {.label = {"Stands", "现值"}},
                                                {.label = {"Gave way", "未采用的值"}},
                                                {.label = {"Rule", "规则"}},
                                                {.label = {"", ""}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    struct conflicts c = {.cli = cli, .table = table};
    TRY(store_conflicts(cli->store, command_has(line, "--all"), conflict_row, &c, err));
    cli_list_end(cli, table, c.count, "no conflicts", "没有冲突");
    return ST_OK;
}

/* ------------------------------------------------------------------ resolve */

/* "12": all that one change lost or took; "12.city": of that, one field. */
static enum status choice_read(const struct cli *cli, const char *typed,
                               struct conflict_choice *out, struct err *err) {
    struct conflict_choice choice = {.take = CONFLICT_KEEP};
    struct slice rest = slice_from(typed), number;
    bool is_number = slice_cut(&rest, '.', &number) && text_to_int(number, &choice.seq);
    if (!is_number)
        return err_set(err, ST_USAGE,
                       "not the number of a conflict: %s (roadbook conflicts shows them)",
                       "不是冲突编号：%s（可用 roadbook conflicts 查看）", typed);
    choice.field = rest;
    if (command_has(cli->line, "--take-lost")) choice.take = CONFLICT_TAKE_LOST;
    if (command_has(cli->line, "--take-mine")) choice.take = CONFLICT_TAKE_MINE;
    *out = choice;
    return ST_OK;
}

static enum status resolve_one(struct cli *cli, const char *typed, int64_t *out_seq,
                               bool *out_taken, struct err *err) {
    struct conflict_choice choice;
    size_t written;
    TRY(choice_read(cli, typed, &choice, err));
    enum status status = store_conflict_resolve(cli->store, &choice, &written, err);
    if (status == ST_NOT_FOUND)
        return err_set(err, ST_NOT_FOUND,
                       "there is no conflict %s (roadbook conflicts --all shows them)",
                       "没有编号为 %s 的冲突（可用 roadbook conflicts --all 查看）", typed);
    TRY(status);
    *out_seq = choice.seq;
    *out_taken = written > 0;
    return ST_OK;
}

enum status cli_conflict_resolve(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    int64_t seq;
    bool taken;
    int given = command_has(line, "--take-mine") + command_has(line, "--take-lost") +
                command_has(line, "--keep");
    if (given > 1)
        return err_set(err, ST_USAGE,
                       "only one of --take-mine, --take-lost and --keep can be given",
                       "--take-mine、--take-lost、--keep 只能选一个");
    if (cli->json) buf_put_byte(&cli->out, '[');
    for (size_t i = 0; i < line->word_count; i++) {
        TRY(resolve_one(cli, line->words[i], &seq, &taken, err));
        if (taken) cli_saved(cli);
        if (!cli->json) {
            cli_say(cli, "%s: %s\n", "%s：%s\n", line->words[i],
                    taken
                        ? cli_pick(cli, "the value that gave way stands again", "已恢复未采用的值")
                        : cli_pick(cli, "kept as it is", "保持现值"));
            continue;
        }
        if (i > 0) buf_put_byte(&cli->out, ',');
        cli_json_int(cli, "seq", seq, true);
        cli_json_bool(cli, "taken", taken, false);
        buf_put_byte(&cli->out, '}');
    }
    if (cli->json) buf_put_text(&cli->out, "]\n");
    return ST_OK;
}
