/* roadbook held: own edits that the server refused, or that wait; and edits of others that were
 * refused because the row is not theirs any more but is here. Nothing of them is lost: own ones are
 * sent again as they are or changed, or given up, others' taken over. */
#include <stdio.h>
#include <string.h>

#include "client/cli.h"

enum { HELD_ID_BYTES = 40 };

static void id_text(const struct refusal_id *id, char out[HELD_ID_BYTES]) {
    if (id->cell_tag)
        snprintf(out, HELD_ID_BYTES, "%u.%u.%u", id->batch, id->change, id->cell_tag);
    else
        snprintf(out, HELD_ID_BYTES, "%u.%u", id->batch, id->change);
}

/* Of another: the laptop's number goes in front. */
static void others_id_text(const struct others_held *other, char out[HELD_ID_BYTES]) {
    char id[HELD_ID_BYTES];
    id_text(&other->id, id);
    snprintf(out, HELD_ID_BYTES, "%u:%.*s", other->device, HELD_ID_BYTES / 2, id);
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
    bool all; /* what is settled as well */
    int64_t count, others, declined;
};

/* What both kinds show. */
struct holding_row {
    const char *id, *person; /* person "": an own edit */
    const struct entity *entity;
    int64_t row;
    const struct change *change;
};

static void row_json(struct holding *h, const struct holding_row *r) {
    struct cli *cli = h->cli;
    if (h->count > 1) buf_put_text(&cli->out, ",\n");
    cli_json_string(cli, "held", r->id, true);
    cli_json_string(cli, "person", r->person, false);
    cli_json_string(cli, "entity", r->entity ? r->entity->name : "", false);
    cli_json_id(cli, r->row, false);
    cli_json_string(cli, "kind", r->change ? cli_change_name(r->change->kind) : "", false);
    cli_json_key(cli, "edits", false);
    buf_put_byte(&cli->out, '[');
    for (size_t i = 0; r->entity && r->change && i < r->change->edit_count; i++) {
        if (i > 0) buf_put_byte(&cli->out, ',');
        cli_json_edit(cli, r->entity, &r->change->edits[i]);
    }
    buf_put_byte(&cli->out, ']');
}

static void row_cells(struct holding *h, const struct holding_row *r) {
    struct cli *cli = h->cli;
    SCOPED(buf_free) struct buf what = buf_new(BUF_MAX_BATCH), row = buf_new(BUF_MAX_LINE);
    if (r->entity) {
        buf_printf(&row, "%s ", r->entity->label[cli->lang]);
        cli_put_row(cli, r->entity, r->row, &row);
    }
    for (size_t i = 0; r->entity && r->change && i < r->change->edit_count; i++) {
        if (i > 0) buf_put_text(&what, cli_pick(cli, "; ", "；"));
        cli_put_edit(cli, r->entity, &r->change->edits[i], &what);
    }
    if (what.len == 0 && r->change) buf_put_text(&what, cli_change_label(cli, r->change->kind));
    for (size_t i = 0; i < what.len; i++)
        if (what.data[i] == '\n') what.data[i] = ' ';
    cli_table_text(h->table, r->id);
    cli_table_text(h->table, r->person[0] ? r->person : cli_pick(cli, "you", "本人"));
    api_table_cell(h->table, buf_slice(&row));
    api_table_cell(h->table, buf_slice(&what));
}

static enum status held_row(void *ctx, const struct held *held, struct err *err) {
    struct holding *h = ctx;
    struct cli *cli = h->cli;
    char id[HELD_ID_BYTES];
    const struct holding_row r = {id, "", held->entity, held->row, held->change};
    if (held->state != HELD_OPEN && (held->state != HELD_DECLINED || held->seen) && !h->all)
        return ST_OK;
    id_text(&held->id, id);
    h->count++;
    h->declined += held->state == HELD_DECLINED;
    if (h->table) {
        row_cells(h, &r);
        cli_table_text(h->table, held->state == HELD_DECLINED
                                     ? held_state_label(held->state, cli->lang)
                                     : outcome_label(held->outcome, cli->lang));
        cli_table_text(h->table, held->state == HELD_OPEN ? reason_text(held->reason, cli->lang)
                                 : held->state == HELD_DECLINED
                                     ? cli_pick(cli, "head office declined it", "总部未批准")
                                     : held_state_label(held->state, cli->lang));
    } else {
        row_json(h, &r);
        cli_json_string(cli, "outcome", outcome_name(held->outcome), false);
        cli_json_string(cli, "reason", reason_text(held->reason, cli->lang), false);
        cli_json_string(cli, "state", held_state_name(held->state), false);
        buf_put_byte(&cli->out, '}');
    }
    return cli_flush_some(cli, err);
}

/* The reason is told to its author as "you": here it is about him. */
static const char *others_reason(const struct cli *cli) {
    return cli_pick(cli, "its author had no access to this row any more",
                    "作者当时已无权访问该记录");
}

static void others_cells(struct holding *h, const struct others_held *other,
                         const struct holding_row *r) {
    struct cli *cli = h->cli;
    SCOPED(buf_free) struct buf why = buf_new(BUF_MAX_LINE);
    row_cells(h, r);
    cli_table_text(h->table, outcome_label(OUTCOME_REFUSED, cli->lang));
    if (other->taken > 0) {
        buf_put_text(
            &why, cli_pick(cli, "taken over: goes with the next sync", "已接手：随下次同步提交"));
    } else {
        cli_put_time(cli, other->time_ms, &why);
        buf_printf(&why, cli_pick(cli, ": %s", "：%s"), others_reason(cli));
    }
    api_table_cell(h->table, buf_slice(&why));
}

static enum status others_row(void *ctx, const struct others_held *other, struct err *err) {
    struct holding *h = ctx;
    struct cli *cli = h->cli;
    SCOPED(arena_clear) struct arena mem = arena_new(BUF_MAX_LINE);
    char id[HELD_ID_BYTES];
    struct slice person;
    TRY(store_person(cli->store, other->device, &mem, &person, err));
    const struct holding_row r = {id, arena_string(&mem, person), other->entity, other->row,
                                  other->change};
    if (!r.person) return err_no_memory(err);
    others_id_text(other, id);
    h->count++;
    h->others++;
    if (h->table) {
        others_cells(h, other, &r);
    } else {
        row_json(h, &r);
        cli_json_string(cli, "outcome", outcome_name(OUTCOME_REFUSED), false);
        cli_json_string(cli, "reason", others_reason(cli), false);
        cli_json_string(cli, "state", other->taken > 0 ? "taken" : "open", false);
        cli_json_time(cli, "time", other->time_ms, false);
        buf_put_byte(&cli->out, '}');
    }
    return cli_flush_some(cli, err);
}

static void say_what_to_do(struct cli *cli, const struct holding *h) {
    if (h->declined > 0 && !h->all)
        cli_note(cli, "\nWhat was declined is listed until you take note: roadbook held drop NO",
                 "\n未获批准的修改会一直列出，直到您确认知悉：roadbook held drop 编号");
    if (h->count > h->others + h->declined)
        cli_note(
            cli,
            "\nSend one again with: roadbook held retry NO [FIELD=VALUE...]; give it up with: "
            "roadbook held drop NO",
            "\n重新提交：roadbook held retry 编号 [字段=值...]；放弃：roadbook held drop 编号");
    if (h->others > 0)
        cli_note(cli,
                 "\nWhat another wrote of a row that is yours now you take over with: roadbook "
                 "held take NO; or head office decides (roadbook-server requests).",
                 "\n他人对现归您的记录所作的修改，可接手：roadbook held take 编号；"
                 "或由总部决定（roadbook-server requests）。");
}

enum status cli_held_list(void *program, const struct command_line *line, struct err *err) {
    static const struct cli_column columns[] = {
        {.label = {"No.", "编号"}},  {.label = {"Whose", "谁的"}},   {.label = {"Row", "记录"}},
        {.label = {"Edit", "修改"}}, {.label = {"Outcome", "结果"}}, {.label = {"Reason", "原因"}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    struct holding h = {.cli = cli, .table = table, .all = command_has(line, "--all")};
    TRY(store_held(cli->store, true, held_row, &h, err));
    TRY(store_others(cli->store, others_row, &h, err));
    cli_list_end(cli, table, h.count, "the server took everything", "所有修改均已被服务器接受");
    TRY(cli_flush(cli, err));
    say_what_to_do(cli, &h);
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
    struct store_status before, after;
    struct refusal_id id;
    TRY(id_read(line->words[0], &id, err));
    TRY(store_status(cli->store, &before, err));
    TRY(store_held_drop(cli->store, &id, err));
    TRY(store_status(cli->store, &after, err));
    if (after.declined < before.declined) {
        say_done(cli, "noted; it is not listed any more", "已知悉，不再列出");
        return ST_OK;
    }
    cli_saved(cli);
    say_done(cli, "withdrawn; head office hears of it with the next sync",
             "已撤回；总部将在下次同步时获知");
    return ST_OK;
}

enum status cli_held_take(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct slice rest = slice_from(line->words[0]), number;
    struct refusal_id id;
    int64_t device;
    bool whole = slice_cut(&rest, ':', &number);
    if (!whole || rest.len == 0 || !text_to_int(number, &device) || device < 0 ||
        device > UINT32_MAX)
        return err_set(err, ST_USAGE,
                       "not the number of another's edit, as 7:12.0.3: %s (roadbook held shows "
                       "them); own ones are sent again with roadbook held retry",
                       "不是他人修改的编号（形如 7:12.0.3）：%s（可用 roadbook held 查看）；"
                       "自己的修改请用 roadbook held retry",
                       line->words[0]);
    TRY(id_read(strchr(line->words[0], ':') + 1, &id, err));
    TRY(store_others_take(cli->store, (uint32_t)device, &id, err));
    cli_saved(cli);
    say_done(cli, "it is your edit now, and goes to the server with the next sync",
             "已作为您的修改保存，将随下次同步提交");
    return ST_OK;
}
