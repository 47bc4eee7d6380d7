/* roadbook add, set, rm: one command is one transaction and one batch. */
#include "client/cli.h"

/* ------------------------------------------------------------------ what head office decides */

/* Is the edit of this field a request? Of an entity that only head office makes, each is. */
static bool is_request(const struct entity *e, const struct field_edit *edit, bool creates) {
    return edit->field->rule == RULE_OFFICE || (creates && e->office_only);
}

/* Said at once: else it is learnt with the next sync, far from the desk. Whether the user is head
 * office himself only the server knows. */
static void hint_requests(struct cli *cli, const struct entity *e, const struct field_edit *edits,
                          size_t count, bool creates) {
    SCOPED(buf_free) struct buf names = buf_new(BUF_MAX_LINE);
    for (size_t i = 0; i < count; i++) {
        if (!is_request(e, &edits[i], creates)) continue;
        if (names.len > 0) buf_put_text(&names, cli_pick(cli, ", ", "、"));
        buf_put_text(&names, edits[i].field->label[cli->lang]);
    }
    if (names.len == 0 || cli->json) return;
    cli_note(cli,
             "Head office decides %s: unless you are head office, this goes there as a change "
             "request with the next sync.",
             "%s由总部决定：除非您就是总部人员，否则将随下次同步作为变更申请提交。",
             buf_text(&names));
}

/* For programs: the row, and which of the fields given are requests. */
static enum status show_saved(struct cli *cli, const struct entity *e, int64_t id,
                              const struct field_edit *edits, size_t count, bool creates,
                              struct err *err) {
    bool any = false;
    TRY(cli_show_row(cli, e, id, err));
    for (size_t i = 0; cli->json && i < count; i++) {
        if (!is_request(e, &edits[i], creates)) continue;
        if (!any) cli->out.len -= 2; /* the brace and the line feed at its end */
        buf_printf(&cli->out, "%s\"%s\"", any ? "," : ",\"change_requests\":[",
                   edits[i].field->name);
        any = true;
    }
    if (any) buf_put_text(&cli->out, "]}\n");
    return buf_status(&cli->out, err);
}

/* ------------------------------------------------------------------ add */

enum status cli_edit_add(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    const struct entity *e;
    struct field_edit *edits;
    size_t count;
    int64_t id = 0;
    uint32_t batch;
    (void)line;
    TRY(cli_entity(cli, 0, &e, err));
    TRY(cli_edits(cli, e, 1, &edits, &count, err));
    TRY(store_begin(cli->store, err));
    enum status status = store_create(cli->store, e, edits, count, &id, err);
    if (status == ST_OK) status = store_commit(cli->store, &batch, err);
    if (status != ST_OK) {
        store_rollback(cli->store);
        return status;
    }
    cli_saved(cli);
    cli_duplicates_hint(cli, e, id);
    hint_requests(cli, e, edits, count, true);
    return show_saved(cli, e, id, edits, count, true, err);
}

/* ------------------------------------------------------------------ set */

static void say_set(struct cli *cli, const struct entity *e, int64_t id, bool changed) {
    SCOPED(buf_free) struct buf row = buf_new(BUF_MAX_LINE);
    cli_put_row(cli, e, id, &row);
    if (changed)
        cli_say(cli, "saved: %s\n", "已保存：%s\n", buf_text(&row));
    else
        cli_say(cli, "nothing changed: %s\n", "内容没有变化：%s\n", buf_text(&row));
}

enum status cli_edit_set(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    const struct entity *e;
    struct field_edit *edits;
    size_t count;
    int64_t id;
    uint32_t batch = 0;
    bool changed = false;
    (void)line;
    TRY(cli_entity(cli, 0, &e, err));
    TRY(store_resolve(cli->store, e, slice_from(cli_word(cli, 1)), &id, err));
    TRY(cli_edits(cli, e, 2, &edits, &count, err));
    TRY(store_begin(cli->store, err));
    enum status status = store_edit(cli->store, e, id, edits, count, NULL, &changed, err);
    if (status == ST_OK) status = store_commit(cli->store, &batch, err);
    if (status != ST_OK) {
        store_rollback(cli->store);
        return status;
    }
    if (changed) cli_saved(cli);
    if (!changed) count = 0;
    if (cli->json) return show_saved(cli, e, id, edits, count, false, err);
    say_set(cli, e, id, changed);
    hint_requests(cli, e, edits, count, false);
    return ST_OK;
}

/* ------------------------------------------------------------------ rm */

/* How many rows would go. The write lock is given back before anyone is asked. */
static enum status count_unit(struct cli *cli, const struct entity *e, int64_t id, size_t *out,
                              struct err *err) {
    TRY(store_begin(cli->store, err));
    enum status status = store_delete(cli->store, e, id, out, err);
    store_rollback(cli->store);
    return status;
}

static enum status delete_unit(struct cli *cli, const struct entity *e, int64_t id,
                               size_t *out_rows, struct err *err) {
    uint32_t batch;
    TRY(store_begin(cli->store, err));
    enum status status = store_delete(cli->store, e, id, out_rows, err);
    if (status == ST_OK) status = store_commit(cli->store, &batch, err);
    if (status != ST_OK) store_rollback(cli->store);
    return status;
}

/* What belongs to a row goes with it only if a person says so: at the terminal, or with --yes. */
static enum status agree_to_unit(struct cli *cli, const char *row, size_t owned, struct err *err) {
    if (owned == 0 || command_has(cli->line, "--yes")) return ST_OK;
    if (!cli_can_ask(cli))
        return err_set(err, ST_CONFLICT,
                       owned == 1 ? "nothing was deleted: %s has %zu row of its own that would go "
                                    "with it; add --yes to delete both"
                                  : "nothing was deleted: %s has %zu rows of its own that would go "
                                    "with it; add --yes to delete them all",
                       "没有删除任何内容：%s名下还有 %zu 条记录会一并删除；确认请加 --yes", row,
                       owned);
    if (cli_confirm(cli,
                    owned == 1 ? "%s has %zu row of its own that goes with it. Delete both?"
                               : "%s has %zu rows of its own that go with it. Delete them all?",
                    "%s名下还有 %zu 条记录会一并删除。全部删除吗？", row, owned))
        return ST_OK;
    return err_set(err, ST_CANCELLED, "nothing was deleted", "没有删除任何内容");
}

enum status cli_edit_rm(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    const struct entity *e;
    int64_t id;
    size_t rows = 0;
    TRY(cli_row(cli, 0, &e, &id, err));
    const char *typed = cli_word(cli, line->word_count > 1 ? 1 : 0);
    TRY(store_is_itself(cli->store, e, slice_from(typed), id, err));
    SCOPED(buf_free) struct buf row = buf_new(BUF_MAX_LINE);
    cli_put_row(cli, e, id, &row); /* while it still has its name */
    TRY(count_unit(cli, e, id, &rows, err));
    TRY(agree_to_unit(cli, buf_text(&row), rows - 1, err));
    TRY(delete_unit(cli, e, id, &rows, err));
    cli_saved(cli);
    if (cli->json) {
        cli_json_id(cli, id, true);
        cli_json_int(cli, "rows_deleted", (int64_t)rows, false);
        buf_put_text(&cli->out, "}\n");
        return ST_OK;
    }
    if (rows > 1)
        cli_say(cli,
                rows == 2 ? "deleted: %s and %zu row of its own\n"
                          : "deleted: %s and %zu rows of its own\n",
                "已删除：%s 及其名下 %zu 条记录\n", buf_text(&row), rows - 1);
    else
        cli_say(cli, "deleted: %s\n", "已删除：%s\n", buf_text(&row));
    return ST_OK;
}
