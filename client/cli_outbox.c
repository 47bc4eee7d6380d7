/* roadbook pending, undo, receipts: what this laptop did, what is still on its way, what became of
 * it. */
#include "client/cli.h"

enum { PENDING_CHANGES_SHOWN = 20 };

static const char *title_of(struct cli *cli, const struct change *change, struct buf *out) {
    const struct entity *e = catalogue_entity_by_tag(cli->cat, change->entity_tag);
    if (e) {
        buf_printf(out, "%s ", e->label[cli->lang]);
        cli_put_row(cli, e, change->row, out);
    }
    return buf_text(out);
}

static const char *change_label(const struct cli *cli, const struct change *change) {
    if (change_is_withdrawal(change)) return cli_pick(cli, "withdrawn", "撤回");
    return cli_change_label(cli, change->kind);
}

static const char *change_name(const struct change *change) {
    return change_is_withdrawal(change) ? "withdraw" : cli_change_name(change->kind);
}

/* ------------------------------------------------------------------ pending */

struct pending {
    struct cli *cli;
    bool all;
    int64_t batches;
};

/* The further lines of a note stand under its first. */
static void put_indented(struct buf *out, struct slice text) {
    struct slice line;
    for (bool first = true; slice_cut(&text, '\n', &line); first = false) {
        buf_put_text(out, first ? "    " : "      ");
        buf_put_slice(out, line);
        buf_put_byte(out, '\n');
    }
}

static void change_text(struct cli *cli, const struct change *change) {
    const struct entity *e = catalogue_entity_by_tag(cli->cat, change->entity_tag);
    SCOPED(buf_free) struct buf line = buf_new(BUF_MAX_BATCH);
    buf_printf(&line, "  %s ", change_label(cli, change));
    (void)title_of(cli, change, &line);
    buf_put_byte(&line, '\n');
    for (size_t i = 0; e && i < change->edit_count; i++) {
        SCOPED(buf_free) struct buf edit = buf_new(BUF_MAX_BATCH);
        cli_put_edit(cli, e, &change->edits[i], &edit);
        put_indented(&line, buf_slice(&edit));
    }
    if (change->kind == CHANGE_DELETE && change->unit_count > 1)
        buf_printf(&line,
                   cli_pick(cli, "    with %zu rows of its own\n", "    连同名下 %zu 条记录\n"),
                   change->unit_count - 1);
    buf_put_slice(&cli->out, buf_slice(&line));
}

static void change_json(struct cli *cli, const struct change *change) {
    const struct entity *e = catalogue_entity_by_tag(cli->cat, change->entity_tag);
    struct slice title = {0};
    struct err ignored;
    cli_json_string(cli, "kind", change_name(change), true);
    cli_json_string(cli, "entity", e ? e->name : "", false);
    cli_json_id(cli, change->row, false);
    if (e && store_title(cli->store, e, change->row, &cli->mem, &title, &ignored) == ST_OK)
        cli_json_text(cli, "title", title, false);
    cli_json_key(cli, "edits", false);
    buf_put_byte(&cli->out, '[');
    for (size_t i = 0; e && i < change->edit_count; i++) {
        if (i > 0) buf_put_byte(&cli->out, ',');
        cli_json_edit(cli, e, &change->edits[i]);
    }
    buf_put_text(&cli->out, "]}");
}

static void batch_text(struct pending *p, const struct outbox_entry *entry) {
    struct cli *cli = p->cli;
    const struct batch *b = entry->content;
    SCOPED(buf_free) struct buf when = buf_new(BUF_MAX_LINE);
    cli_put_time(cli, entry->made_ms, &when);
    cli_say(cli, "%u  %s  %s\n", "%u  %s  %s\n", entry->batch, buf_text(&when),
            entry->sent ? cli_pick(cli, "on its way, no answer yet", "发送中，尚无回执")
                        : cli_pick(cli, "not sent yet", "尚未发送"));
    size_t shown = p->all || b->change_count <= PENDING_CHANGES_SHOWN ? b->change_count
                                                                      : PENDING_CHANGES_SHOWN;
    for (size_t i = 0; i < shown; i++) change_text(cli, &b->changes[i]);
    if (shown < b->change_count)
        cli_say(cli, "  and %zu more (see them with --all)\n",
                "  还有 %zu 项（用 --all 查看全部）\n", b->change_count - shown);
}

static void batch_json(struct pending *p, const struct outbox_entry *entry) {
    struct cli *cli = p->cli;
    if (p->batches > 1) buf_put_text(&cli->out, ",\n");
    cli_json_int(cli, "batch", entry->batch, true);
    cli_json_bool(cli, "sent", entry->sent, false);
    cli_json_time(cli, "time", entry->made_ms, false);
    if (entry->content->import_id) cli_json_int(cli, "import", entry->content->import_id, false);
    cli_json_key(cli, "changes", false);
    buf_put_byte(&cli->out, '[');
    for (size_t i = 0; i < entry->content->change_count; i++) {
        if (i > 0) buf_put_byte(&cli->out, ',');
        change_json(cli, &entry->content->changes[i]);
    }
    buf_put_text(&cli->out, "]}");
}

static enum status pending_row(void *ctx, const struct outbox_entry *entry, struct err *err) {
    struct pending *p = ctx;
    if (entry->content->change_count == 0) return ST_OK; /* a number whose content was taken back */
    p->batches++;
    if (p->cli->json)
        batch_json(p, entry);
    else
        batch_text(p, entry);
    return cli_flush_some(p->cli, err);
}

enum status cli_outbox_pending(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct pending p = {.cli = cli, .all = command_has(line, "--all")};
    if (cli->json) buf_put_byte(&cli->out, '[');
    TRY(store_outbox(cli->store, pending_row, &p, err));
    if (cli->json)
        buf_put_text(&cli->out, "]\n");
    else if (p.batches == 0)
        cli_note(cli, "nothing is waiting to be sent", "没有待发送的内容");
    return ST_OK;
}

/* ------------------------------------------------------------------ undo */

struct undoing {
    struct cli *cli;
    uint32_t wanted; /* 0: the latest with content */
    uint32_t found;
    struct buf text; /* what it did, read before it is gone ... */
    const struct entity *entities[PENDING_CHANGES_SHOWN]; /* ... and rows that it deleted: they get
                                                             their names back */
    int64_t rows[PENDING_CHANGES_SHOWN];
    size_t deleted;
};

static enum status describe(void *ctx, const struct outbox_entry *entry, struct err *err) {
    struct undoing *u = ctx;
    const struct batch *b = entry->content;
    (void)err;
    if (b->change_count == 0 || (u->wanted != 0 && u->wanted != entry->batch)) return ST_OK;
    u->found = entry->batch;
    buf_reset(&u->text);
    u->deleted = 0;
    for (size_t i = 0; i < b->change_count && i < PENDING_CHANGES_SHOWN; i++) {
        const struct change *c = &b->changes[i];
        const struct entity *e = catalogue_entity_by_tag(u->cli->cat, c->entity_tag);
        if (c->kind == CHANGE_DELETE && e) {
            u->entities[u->deleted] = e;
            u->rows[u->deleted++] = c->row;
            continue;
        }
        buf_printf(&u->text, "  %s ", change_label(u->cli, c));
        (void)title_of(u->cli, c, &u->text);
        for (size_t k = 0; e && c->kind == CHANGE_EDIT && k < c->edit_count; k++) {
            buf_put_text(&u->text, k ? cli_pick(u->cli, ", ", "、") : cli_pick(u->cli, ": ", "："));
            cli_put_cell(u->cli, e, c->edits[k].cell_tag, &u->text);
        }
        buf_put_byte(&u->text, '\n');
    }
    if (b->change_count > PENDING_CHANGES_SHOWN)
        buf_printf(&u->text, cli_pick(u->cli, "  and %zu more\n", "  还有 %zu 项\n"),
                   b->change_count - PENDING_CHANGES_SHOWN);
    return ST_OK;
}

static void say_undone(struct undoing *u, uint32_t undone, uint32_t again) {
    struct cli *cli = u->cli;
    if (cli->json) {
        cli_json_int(cli, "undone", undone, true);
        cli_json_int(cli, "new_batch", again, false);
        buf_put_text(&cli->out, "}\n");
        return;
    }
    cli_say(cli, "undone (batch %u):\n", "已撤销（第 %u 批）：\n", undone);
    for (size_t i = 0; i < u->deleted; i++) {
        buf_printf(&cli->out, "  %s %s ", cli_change_label(cli, CHANGE_DELETE),
                   u->entities[i]->label[cli->lang]);
        cli_put_row(cli, u->entities[i], u->rows[i], &cli->out);
        buf_put_byte(&cli->out, '\n');
    }
    buf_put_slice(&cli->out, buf_slice(&u->text));
    if (again)
        cli_say(cli, "It had been sent already: batch %u takes it back with the next sync.\n",
                "它已发送：第 %u 批将在下次同步时予以撤回。\n", again);
}

enum status cli_outbox_undo(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct undoing u = {.cli = cli};
    int64_t typed = 0;
    uint32_t undone = 0, again = 0;
    if (line->word_count > 0 &&
        (!text_to_int(slice_from(line->words[0]), &typed) || typed < 1 || typed > UINT32_MAX))
        return err_set(err, ST_USAGE, "not the number of a batch: %s (roadbook pending shows them)",
                       "不是批号：%s（可用 roadbook pending 查看）", line->words[0]);
    u.wanted = (uint32_t)typed;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_BATCH);
    u.text = text;
    enum status status = store_outbox(cli->store, describe, &u, err);
    text = u.text; /* it may have moved; freed at the end */
    if (status == ST_OK)
        status = store_undo(cli->store, u.wanted ? u.wanted : u.found, &undone, &again, err);
    if (status != ST_OK) return status;
    cli_saved(cli);
    say_undone(&u, undone, again);
    return ST_OK;
}

/* ------------------------------------------------------------------ receipts */

/* An edit's receipt is told cell by cell, but that of a withdrawal, which has none. */
static bool of_withdrawal(const struct receipt_note *n) {
    return n->kind == CHANGE_EDIT && n->cell_tag == 0;
}

struct receipts {
    struct cli *cli;
    struct api_table *table;
    int64_t count;
};

static void receipt_json(struct receipts *r, const struct receipt_note *n) {
    struct cli *cli = r->cli;
    const struct cell *cell = n->cell_tag && n->entity ? entity_cell(n->entity, n->cell_tag) : NULL;
    if (r->count > 1) buf_put_text(&cli->out, ",\n");
    cli_json_int(cli, "batch", n->batch, true);
    cli_json_int(cli, "seq", n->at, false);
    cli_json_time(cli, "time", n->time_ms, false);
    cli_json_string(cli, "kind", of_withdrawal(n) ? "withdraw" : cli_change_name(n->kind), false);
    cli_json_string(cli, "entity", n->entity ? n->entity->name : "", false);
    cli_json_id(cli, n->row, false);
    cli_json_key(cli, "field", false);
    if (cell)
        buf_put_json_text(&cli->out, cell_name(n->entity, cell));
    else
        buf_put_text(&cli->out, "null");
    cli_json_string(cli, "outcome", outcome_name(n->outcome), false);
    cli_json_string(cli, "reason", reason_text(n->reason, cli->lang), false);
    buf_put_byte(&cli->out, '}');
}

static enum status receipt_row(void *ctx, const struct receipt_note *n, struct err *err) {
    struct receipts *r = ctx;
    struct cli *cli = r->cli;
    r->count++;
    if (!r->table) {
        receipt_json(r, n);
        return cli_flush_some(cli, err);
    }
    cli_table_int(r->table, n->batch);
    cli_table_time(cli, r->table, n->time_ms);
    cli_table_text(r->table, of_withdrawal(n) ? cli_pick(cli, "withdrawn", "撤回")
                                              : cli_change_label(cli, n->kind));
    SCOPED(buf_free) struct buf what = buf_new(BUF_MAX_LINE);
    if (n->entity) {
        buf_printf(&what, "%s ", n->entity->label[cli->lang]);
        cli_put_row(cli, n->entity, n->row, &what);
    }
    api_table_cell(r->table, buf_slice(&what));
    if (n->cell_tag && n->entity)
        cli_table_cell(cli, r->table, n->entity, n->cell_tag);
    else
        cli_table_text(r->table, "");
    cli_table_text(r->table, outcome_label(n->outcome, cli->lang));
    cli_table_text(r->table, reason_text(n->reason, cli->lang));
    return ST_OK;
}

enum status cli_outbox_receipts(void *program, const struct command_line *line, struct err *err) {
    enum { RECEIPTS_SHOWN = 50 };
    static const struct cli_column columns[] = {{.label = {"Batch", "批号"}, .right = true},
                                                {.label = {"When", "时间"}},
                                                {.label = {"What", "操作"}},
                                                {.label = {"Row", "记录"}},
                                                {.label = {"Field", "字段"}},
                                                {.label = {"Outcome", "结果"}},
                                                {.label = {"Reason", "原因"}}};
    struct cli *cli = program;
    SCOPED(cli_table_close) struct api_table *table = NULL;
    int64_t limit;
    TRY(command_number(line, "--limit", 0, INT64_MAX, RECEIPTS_SHOWN, &limit, err));
    TRY(cli_list_begin(cli, columns, ARRAY_COUNT(columns), &table, err));
    struct receipts r = {.cli = cli, .table = table};
    TRY(store_receipts(cli->store, limit, receipt_row, &r, err));
    cli_list_end(cli, table, r.count, "no receipts yet", "还没有回执");
    return ST_OK;
}
