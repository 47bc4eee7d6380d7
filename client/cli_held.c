/* roadbook held: own edits that the server refused, or that wait. Nothing of them is lost: they are
 * sent again as they are or changed, or given up. */
#include <stdio.h>

#include "client/cli.h"

enum { HELD_ID_BYTES = 40 };

static void id_text(const struct refusal_id *id, char out[HELD_ID_BYTES]) {
    if (id->cell_tag)
        snprintf(out, HELD_ID_BYTES, "%u.%u.%u", id->batch, id->change, id->cell_tag);
    else
        snprintf(out, HELD_ID_BYTES, "%u.%u", id->batch, id->change);
}

static enum status id_read(const char *text, struct refusal_id *out, struct err *err) {
    struct slice rest = slice_from(text), part;
    int64_t numbers[3] = {0};
    size_t count = 0;
    bool good = true;
    while (good && slice_cut(&rest, '.', &part)) {
        good = count < ARRAY_COUNT(numbers) && text_to_int(part, &numbers[count]) &&
               numbers[count] >= 0 && numbers[count] <= UINT32_MAX;
        count++;
    }
    if (!good || count < 2)
        return err_set(err, ST_USAGE,
                       "not the number of a held edit: %s (roadbook held shows them)",
                       "不是待处理修改的编号：%s（可用 roadbook held 查看）", text);
    *out = (struct refusal_id){.batch = (uint32_t)numbers[0],
                               .change = (uint32_t)numbers[1],
                               .cell_tag = (uint32_t)numbers[2]};
    return ST_OK;
}

/* ------------------------------------------------------------------ list */

struct holding {
    struct cli *cli;
    struct api_table *table;
    int64_t count;
};

static void held_json(struct holding *h, const struct held *held, const char *id) {
    struct cli *cli = h->cli;
    if (h->count > 1) buf_put_text(&cli->out, ",\n");
    cli_json_string(cli, "held", id, true);
    cli_json_string(cli, "outcome", outcome_name(held->outcome), false);
    cli_json_string(cli, "reason", reason_text(held->reason, cli->lang), false);
    cli_json_string(cli, "state", held_state_name(held->state), false);
    cli_json_string(cli, "entity", held->entity ? held->entity->name : "", false);
    cli_json_id(cli, held->row, false);
    cli_json_string(cli, "kind", held->change ? cli_change_name(held->change->kind) : "", false);
    cli_json_key(cli, "edits", false);
    buf_put_byte(&cli->out, '[');
    for (size_t i = 0; held->entity && held->change && i < held->change->edit_count; i++) {
        if (i > 0) buf_put_byte(&cli->out, ',');
        cli_json_edit(cli, held->entity, &held->change->edits[i]);
    }
    buf_put_text(&cli->out, "]}");
}

static void held_cells(struct holding *h, const struct held *held, const char *id) {
    struct cli *cli = h->cli;
    SCOPED(buf_free) struct buf what = buf_new(BUF_MAX_BATCH), row = buf_new(BUF_MAX_LINE);
    if (held->entity) {
        buf_printf(&row, "%s ", held->entity->label[cli->lang]);
        cli_put_row(cli, held->entity, held->row, &row);
    }
    for (size_t i = 0; held->entity && held->change && i < held->change->edit_count; i++) {
        if (i > 0) buf_put_text(&what, cli_pick(cli, "; ", "；"));
        cli_put_edit(cli, held->entity, &held->change->edits[i], &what);
    }
    if (what.len == 0 && held->change)
        buf_put_text(&what, cli_change_label(cli, held->change->kind));
    for (size_t i = 0; i < what.len; i++)
        if (what.data[i] == '\n') what.data[i] = ' ';
    cli_table_text(h->table, id);
    api_table_cell(h->table, buf_slice(&row));
    api_table_cell(h->table, buf_slice(&what));
    cli_table_text(h->table, outcome_label(held->outcome, cli->lang));
    cli_table_text(h->table, held->state == HELD_OPEN ? reason_text(held->reason, cli->lang)
                                                      : held_state_label(held->state, cli->lang));
}

static enum status held_row(void *ctx, const struct held *held, struct err *err) {
    struct holding *h = ctx;
    char id[HELD_ID_BYTES];
    id_text(&held->id, id);
    h->count++;
    if (h->table)
        held_cells(h, held, id);
    else
        held_json(h, held, id);
    return cli_flush_some(h->cli, err);
}

enum status cli_held_list(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {{.label = {"No.", "编号"}},
                                                {.label = {"Row", "记录"}},
                                                {.label = {"Edit", "修改"}},
                                                {.label = {"Outcome", "结果"}},
                                                {.label = {"Reason", "原因"}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    struct holding h = {.cli = cli, .table = table};
    TRY(store_held(cli->store, command_has(line, "--all"), held_row, &h, err));
    cli_list_end(cli, table, h.count, "the server took everything", "所有修改均已被服务器接受");
    TRY(cli_flush(cli, err));
    if (h.count > 0)
        cli_note(
            cli,
            "\nSend one again with: roadbook held retry NO [FIELD=VALUE...]; give it up with: "
            "roadbook held drop NO",
            "\n重新提交：roadbook held retry 编号 [字段=值...]；放弃：roadbook held drop 编号");
    return ST_OK;
}

/* ------------------------------------------------------------------ retry, drop */

struct seeking {
    struct refusal_id id;
    const struct entity *entity;
};

static enum status seek(void *ctx, const struct held *held, struct err *err) {
    struct seeking *s = ctx;
    (void)err;
    bool same = held->id.batch == s->id.batch && held->id.change == s->id.change &&
                held->id.cell_tag == s->id.cell_tag;
    if (same) s->entity = held->entity;
    return ST_OK;
}

static void say_done(struct cli *cli, const char *en, const char *zh) {
    if (cli->json) {
        cli_json_string(cli, "held", cli_word(cli, 0), true);
        cli_json_bool(cli, "done", true, false);
        buf_put_text(&cli->out, "}\n");
    } else {
        cli_say(cli, "%s\n", "%s\n", cli_pick(cli, en, zh));
    }
}

enum status cli_held_retry(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct seeking s = {0};
    struct field_edit *edits = NULL;
    size_t count = 0;
    TRY(id_read(line->words[0], &s.id, err));
    TRY(store_held(cli->store, false, seek, &s, err));
    if (!s.entity)
        return err_set(err, ST_NOT_FOUND, "no edit %s is held (roadbook held shows those that are)",
                       "没有编号为 %s 的待处理修改（可用 roadbook held 查看）", line->words[0]);
    TRY(cli_edits(cli, s.entity, 1, &edits, &count, err));
    TRY(store_held_retry(cli->store, &s.id, count ? edits : NULL, count, err));
    cli_saved(cli);
    say_done(cli, "it goes to the server again with the next sync", "将在下次同步时重新提交");
    return ST_OK;
}

enum status cli_held_drop(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct refusal_id id;
    TRY(id_read(line->words[0], &id, err));
    TRY(store_held_drop(cli->store, &id, err));
    cli_saved(cli);
    say_done(cli, "withdrawn; head office hears of it with the next sync",
             "已撤回；总部将在下次同步时获知");
    return ST_OK;
}
