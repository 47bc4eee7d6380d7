/* What became of edits: a row's history, the ledger, quarantine and change requests. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/server.h"
#include "syncd/store/centre_compact.h"

/* ------------------------------------------------------------------ values and names for people */

/* For programs: the values by place, as they stand. */
static void put_places(const struct server *server, const struct entity *e, const struct cell *cell,
                       const struct value *values, size_t count, struct buf *out) {
    int offset = platform_utc_offset_minutes(server->env.wall_ms(server->env.ctx));
    for (size_t i = 0; i < count && i < cell->count; i++) {
        if (i > 0) buf_put_text(out, " / ");
        field_write_text(&e->fields[cell->first + i], values[i], server->lang, offset, out);
    }
}

/* For people: what is there; references by title; in a group each with its label. */
static void put_present(const struct server *server, struct store *store, const struct entity *e,
                        const struct cell *cell, const struct value *values, size_t count,
                        struct buf *out) {
    struct api_book book = server_book(server, store);
    size_t from = out->len;
    for (size_t i = 0; i < count && i < cell->count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(BUF_MAX_MESSAGE);
        const struct field *f = &e->fields[cell->first + i];
        struct slice text;
        if (values[i].kind == VALUE_NULL) continue;
        if (out->len > from) buf_put_text(out, server_say(server, ", ", "，"));
        if (cell->count > 1)
            buf_printf(out, server_say(server, "%s: ", "%s："), f->label[server->lang]);
        if (api_value_text(&book, f, values[i], &mem, &text, NULL) == ST_OK)
            api_value_line(f, text, out);
    }
    if (out->len == from) buf_put_text(out, server_say(server, "(empty)", "（空）"));
}

static void put_values(const struct server *server, struct store *store, const struct entity *e,
                       const struct cell *cell, const struct value *values, size_t count,
                       struct buf *out) {
    if (server->json)
        put_places(server, e, cell, values, count, out);
    else
        put_present(server, store, e, cell, values, count, out);
}

static void put_edit_text(const struct server *server, struct store *store, const struct entity *e,
                          uint32_t cell_tag, enum edit_kind kind, const struct value *values,
                          size_t count, struct buf *out) {
    const struct cell *cell = e ? entity_cell(e, cell_tag) : NULL;
    if (!cell || count == 0) return;
    switch (kind) {
    case EDIT_SET: put_values(server, store, e, cell, values, count, out); break;
    case EDIT_COUNT:
        if (values[0].number >= 0) buf_put_text(out, "+");
        put_values(server, store, e, cell, values, 1, out);
        break;
    case EDIT_ELEMENTS:
        for (size_t i = 0; i < count && i < 2; i++) {
            if (values[i].kind == VALUE_NULL) continue;
            buf_put_text(out, i == 0 ? "+" : out->len ? " -" : "-");
            put_values(server, store, e, cell, &values[i], 1, out);
        }
        break;
    }
}

struct printing {
    struct server *server;
    struct centre *c;
    struct listing *l;
    const struct entity *e;
};

static void put_edit(struct printing *p, const struct entity *e, uint32_t tag, enum edit_kind kind,
                     const struct value *values, size_t count) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    put_edit_text(p->server, centre_store(p->c), e, tag, kind, values, count, &text);
    listing_text(p->l, buf_slice(&text));
}

/* Programs get names, people labels. */
static void put_cell(struct listing *l, const struct server *server, const struct entity *e,
                     uint32_t tag) {
    SCOPED(buf_free) struct buf label = buf_new(BUF_MAX_LINE);
    const struct cell *cell = e && tag ? entity_cell(e, tag) : NULL;
    if (cell && !server->json) cell_write_label(e, cell, server->lang, &label);
    if (!cell)
        listing_null(l);
    else
        listing_string(l, server->json ? cell_name(e, cell) : buf_text(&label));
}

/* Who a device belongs to. */
static void put_person(struct listing *l, struct server *server, struct centre *c,
                       uint32_t number) {
    struct centre_device device;
    if (number == 0)
        listing_string(l, server_say(server, "head office", "总部"));
    else if (centre_device(c, number, &device, NULL) == ST_OK)
        listing_string(l, device.user_name);
    else
        listing_int(l, number);
}

static void put_title(struct listing *l, struct server *server, struct centre *c,
                      const struct entity *e, int64_t row) {
    struct slice title;
    struct arena mem = arena_new(1024 * 1024);
    (void)server;
    if (e && store_title(centre_store(c), e, row, &mem, &title, NULL) == ST_OK)
        listing_text(l, title);
    else
        listing_null(l);
    arena_clear(&mem);
}

static void put_entity(struct listing *l, const struct server *server, const struct entity *e) {
    listing_string(l, !e ? NULL : server->json ? e->name : e->label[server->lang]);
}

/* For people: the kind, title and id of a row in one. */
static void put_row(struct printing *p, const struct entity *e, int64_t row) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    if (e) buf_printf(&text, "%s ", e->label[p->server->lang]);
    server_put_row(p->server, centre_store(p->c), e, row, &text);
    listing_text(p->l, buf_slice(&text));
}

/* ------------------------------------------------------------------ history */

static const char *history_what(const struct server *server, enum log_kind kind) {
    switch (kind) {
    case LOG_CREATE: return server_say(server, "created", "新建");
    case LOG_EDIT: return server_say(server, "edited", "修改");
    case LOG_DELETE: return server_say(server, "deleted", "删除");
    case LOG_TAKEN: return server_say(server, "deleted with its owner", "随上级删除");
    case LOG_REVIVED: return server_say(server, "brought back", "恢复");
    case LOG_DECIDED: return server_say(server, "decided", "审批");
    case LOG_WITHDRAWN: return server_say(server, "withdrawn", "撤回");
    case LOG_MOVED: return server_say(server, "moved with its owner", "随上级移动");
    case LOG_SCOPE: return server_say(server, "grants changed", "权限变更");
    case LOG_UNITED: return server_say(server, "merged into another", "并入其他记录");
    case LOG_JOINED: return server_say(server, "another was merged into it", "并入另一条记录");
    case LOG_PARTED: return server_say(server, "a merge was undone", "撤销合并");
    case LOG_CATALOGUE: return server_say(server, "fields changed", "更改了字段");
    case LOG_KEY: return server_say(server, "the org's key changed", "更换了组织密钥");
    case LOG_EPOCH: return server_say(server, "another life of the log", "日志新纪元");
    }
    return "";
}

/* The journal says in English whose laptop a row was recovered from (org_facts_take). */
static void put_author(struct printing *p, struct slice person) {
    static const char FROM[] = "recovered from laptop ";
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct slice number, rest = person;
    bool recovered = p->server->lang == LANG_ZH && !p->server->json &&
                     person.len > strlen(FROM) && memcmp(person.data, FROM, strlen(FROM)) == 0;
    if (recovered) {
        rest = slice_of(person.data + strlen(FROM), person.len - strlen(FROM));
        recovered = slice_cut(&rest, ' ', &number) && rest.len > 3;
    }
    if (recovered)
        buf_printf(&text, "由 %.*s 的笔记本 %.*s 恢复", (int)rest.len - 3, (const char *)rest.data + 3,
                   (int)number.len, (const char *)number.data);
    listing_text(p->l, recovered ? buf_slice(&text) : person);
}

static enum status history_row(void *ctx, const struct centre_history *line, struct err *err) {
    struct printing *p = ctx;
    (void)err;
    listing_int(p->l, line->entry.seq);
    listing_time(p->l, line->edit_ms);
    if (line->person.len == 0 && line->entry.device == 0)
        listing_string(p->l, server_say(p->server, "head office", "总部"));
    else
        put_author(p, line->person);
    listing_text(p->l, line->device_name);
    listing_string(p->l, history_what(p->server, line->entry.kind));
    put_cell(p->l, p->server, p->e, line->cell_tag);
    put_edit(p, p->e, line->cell_tag, line->edit_kind, line->values, line->value_count);
    listing_string(p->l, p->server->json ? outcome_name(line->outcome)
                                         : outcome_label(line->outcome, p->server->lang));
    listing_string(p->l,
                   line->reason == REASON_NONE ? NULL : reason_text(line->reason, p->server->lang));
    listing_int(p->l, line->base.seq);
    return ST_OK;
}

/* A row whose tombstone is gone has no name any more, only its id. What the log says of it stays.
 */
static enum status find_row(struct printing *p, const char *typed, int64_t *out_id,
                            struct err *err) {
    SCOPED(buf_free) struct buf day = buf_new(BUF_MAX_LINE);
    struct centre_collected it;
    struct centre_scope scope;
    bool collected = false;
    int64_t id;
    enum status status = store_resolve(centre_store(p->c), p->e, slice_from(typed), out_id, err);
    if (status != ST_NOT_FOUND || !id_parse(slice_from(typed), &id)) return status;
    TRY(centre_alias_resolve(p->c, id, &id, NULL));
    TRY(centre_collected(p->c, id, &p->server->mem, &it, &collected, NULL));
    if (!collected) return status;
    *out_id = id;
    centre_scope(p->c, &scope);
    buf_put_date(&day, centre_day(&scope, it.deleted_ms));
    server_tell(p->server,
                it.is_kept ? "This row was deleted on %s and collected; what it was is still kept "
                             "for requests approve. What is known of it:"
                           : "This row was deleted on %s and collected; what it was is not kept "
                             "any more. What is known of it:",
                it.is_kept ? "该记录已于 %s 删除并清理；内容仍保留，可由 requests approve 恢复。"
                             "已知的经过："
                           : "该记录已于 %s 删除并清理，内容已不再保留。已知的经过：",
                buf_text(&day));
    return ST_OK;
}

enum status server_cmd_history(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    static const struct listing_column COLUMNS[] = {
        {"seq", {"No.", "序号"}},       {"time", {"When", "时间"}},
        {"person", {"Who", "谁"}},      {"device", {"Laptop", "笔记本"}},
        {"what", {"What", "操作"}},     {"field", {"Field", "字段"}},
        {"value", {"Value", "内容"}},   {"outcome", {"Outcome", "结果"}},
        {"reason", {"Reason", "原因"}}, {"seen_seq", {"Had seen", "依据序号"}}};
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    const struct entity *e;
    const struct field *field = NULL;
    int64_t id;
    TRY(server_reader_open(server, &reader, err));
    struct centre *c = org_reader_centre(reader);
    TRY(api_entity(server->cat, slice_from(line->words[0]), &e, err));
    struct printing p = {.server = server, .c = c, .e = e};
    TRY(find_row(&p, line->words[1], &id, err));
    if (line->word_count == 3) TRY(api_field(e, slice_from(line->words[2]), &field, err));
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    p.l = l;
    TRY(centre_history(c, id, field ? entity_cell_of(e, field)->tag : 0, history_row, &p, err));
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ ledger */

/* Of a group, people are told the fields in which the two differ. */
static void put_differing(struct printing *p, const struct entity *e,
                          const struct ledger_entry *entry) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    const struct cell *cell = e && entry->cell_tag ? entity_cell(e, entry->cell_tag) : NULL;
    bool both = cell && cell->count > 1 && entry->loser && entry->winner && !p->server->json;
    for (size_t i = 0; both && i < cell->count && i < entry->value_count; i++) {
        if (value_equal(entry->winner[i], entry->loser[i])) continue;
        if (text.len > 0) buf_put_text(&text, server_say(p->server, ", ", "、"));
        buf_put_text(&text, e->fields[cell->first + i].label[p->server->lang]);
    }
    if (text.len > 0)
        listing_text(p->l, buf_slice(&text));
    else
        put_cell(p->l, p->server, e, entry->cell_tag);
}

static void put_side(struct printing *p, const struct entity *e, const struct ledger_entry *entry,
                     const struct value *values, uint32_t device) {
    put_edit(p, e, entry->cell_tag, EDIT_SET, values, values ? entry->value_count : 0);
    put_person(p->l, p->server, p->c, device);
}

static enum status ledger_row(void *ctx, const struct ledger_entry *entry, struct err *err) {
    struct printing *p = ctx;
    const struct entity *e = catalogue_entity_by_tag(p->server->cat, entry->entity_tag);
    (void)err;
    listing_int(p->l, entry->seq);
    listing_time(p->l, entry->winner_is_new ? entry->winner_time_ms : entry->loser_time_ms);
    put_entity(p->l, p->server, e);
    listing_id(p->l, entry->row);
    put_title(p->l, p->server, p->c, e, entry->row);
    put_row(p, e, entry->row);
    put_differing(p, e, entry);
    listing_string(p->l, p->server->json ? rule_name(entry->rule)
                                         : rule_label(entry->rule, p->server->lang));
    put_side(p, e, entry, entry->loser, entry->loser_device);
    put_side(p, e, entry, entry->winner, entry->winner_device);
    return ST_OK;
}

enum status server_cmd_conflicts(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    static const struct listing_column COLUMNS[] = {{"seq", {"No.", "序号"}},
                                                    {"time", {"When", "时间"}},
                                                    {"entity", {NULL, NULL}},
                                                    {"row", {NULL, NULL}},
                                                    {"title", {NULL, NULL}},
                                                    {NULL, {"Row", "记录"}},
                                                    {"field", {"Field", "字段"}},
                                                    {"rule", {"Rule", "规则"}},
                                                    {"lost", {"Gave way", "未采用的值"}},
                                                    {"lost_by", {"Whose", "谁的"}},
                                                    {"stands", {"Stands", "现值"}},
                                                    {"stands_by", {"Whose", "谁的"}}};
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    int64_t since;
    TRY(command_number(line, "--since", 0, INT64_MAX, 0, &since, err));
    TRY(server_reader_open(server, &reader, err));
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    struct printing p = {.server = server, .c = org_reader_centre(reader), .l = l};
    listing_none(l, "no conflicts", "没有冲突");
    TRY(centre_ledger(p.c, since, INT64_MAX, 0, &server->mem, ledger_row, &p, err));
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ what came late */

static enum status late_row(void *ctx, const struct centre_late *late, struct err *err) {
    struct printing *p = ctx;
    const struct entity *e = catalogue_entity_by_tag(p->server->cat, late->entity_tag);
    (void)err;
    listing_int(p->l, late->seq);
    listing_time(p->l, late->time_ms);
    put_person(p->l, p->server, p->c, late->device);
    listing_int(p->l, late->device);
    put_entity(p->l, p->server, e);
    listing_id(p->l, late->row);
    put_title(p->l, p->server, p->c, e, late->row);
    put_row(p, e, late->row);
    return ST_OK;
}

enum status server_cmd_late(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    static const struct listing_column COLUMNS[] = {
        {"seq", {"No.", "序号"}},    {"time", {"Came", "送达时间"}},
        {"person", {"Who", "谁"}},   {"device", {"Laptop", "笔记本"}},
        {"entity", {NULL, NULL}},    {"row", {NULL, NULL}},
        {"title", {NULL, NULL}},     {NULL, {"Row", "记录"}}};
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    int64_t since;
    TRY(command_number(line, "--since", 0, INT64_MAX, 0, &since, err));
    TRY(server_reader_open(server, &reader, err));
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    struct printing p = {.server = server, .c = org_reader_centre(reader), .l = l};
    listing_none(l, "nothing came late", "没有迟到的修改");
    TRY(centre_late(p.c, since, late_row, &p, err));
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ requests */

void server_put_edits(const struct server *server, struct store *store, const struct entity *e,
                      const struct change *change, bool named, struct buf *out) {
    for (size_t i = 0; i < change->edit_count; i++) {
        const struct edit *edit = &change->edits[i];
        const struct cell *cell = e ? entity_cell(e, edit->cell_tag) : NULL;
        if (!cell) continue;
        if (i > 0) buf_put_text(out, server_say(server, "; ", "；"));
        if (named && (server->json || cell->count == 1)) {
            cell_write_label(e, cell, server->lang, out);
            buf_put_text(out, server->json ? "=" : server_say(server, ": ", "："));
        }
        put_edit_text(server, store, e, edit->cell_tag, edit->kind, edit->values,
                      edit->value_count, out);
    }
}

static void put_content(struct printing *p, const struct entity *e,
                        const struct quarantine_entry *q) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    struct arena mem = arena_new(BUF_MAX_MESSAGE);
    struct change change;
    if (change_read(q->content, &mem, &change, NULL) == ST_OK) {
        if (change.kind == CHANGE_DELETE)
            buf_put_text(&text, server_say(p->server, "delete", "删除"));
        server_put_edits(p->server, centre_store(p->c), e, &change, !q->id.cell_tag, &text);
    }
    listing_text(p->l, buf_slice(&text));
    arena_clear(&mem);
}

/* Of a row whose tombstone is gone: when it was deleted, and that it can come back. */
static enum status put_reason(struct printing *p, const struct quarantine_entry *q,
                              struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct centre_collected it;
    struct centre_scope scope;
    bool collected = false;
    int64_t row;
    TRY(centre_alias_resolve(p->c, q->row, &row, err));
    if (q->reason == REASON_UNKNOWN_ROW)
        TRY(centre_collected(p->c, row, &p->server->mem, &it, &collected, err));
    if (!collected) {
        listing_string(p->l, reason_text(q->reason, p->server->lang));
        return ST_OK;
    }
    centre_scope(p->c, &scope);
    buf_put_text(&text, server_say(p->server, "deleted on ", "已于 "));
    buf_put_date(&text, centre_day(&scope, it.deleted_ms));
    if (it.is_kept)
        buf_put_text(&text, server_say(p->server, ": restore it? Approving brings it back",
                                       " 删除：是否恢复？批准即可恢复"));
    else
        buf_put_text(&text, server_say(p->server, ", and not kept any more",
                                       " 删除，内容已不再保留"));
    listing_text(p->l, buf_slice(&text));
    return ST_OK;
}

static enum status request_row(void *ctx, const struct quarantine_entry *q, struct err *err) {
    struct printing *p = ctx;
    const struct entity *e = catalogue_entity_by_tag(p->server->cat, q->entity_tag);
    listing_int(p->l, q->seq);
    listing_time(p->l, q->time_ms);
    put_person(p->l, p->server, p->c, q->device);
    put_entity(p->l, p->server, e);
    listing_id(p->l, q->row);
    put_title(p->l, p->server, p->c, e, q->row);
    put_row(p, e, q->row);
    put_cell(p->l, p->server, e, q->id.cell_tag);
    put_content(p, e, q);
    listing_string(p->l, p->server->json ? outcome_name(q->outcome)
                                         : outcome_label(q->outcome, p->server->lang));
    TRY(put_reason(p, q, err));
    listing_string(p->l, p->server->json ? held_state_name(q->state)
                                         : held_state_label(q->state, p->server->lang));
    return ST_OK;
}

enum status server_cmd_requests(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    static const struct listing_column COLUMNS[] = {
        {"number", {"No.", "编号"}},     {"time", {"When", "时间"}},
        {"person", {"Who", "谁"}},       {"entity", {NULL, NULL}},
        {"row", {NULL, NULL}},           {"title", {NULL, NULL}},
        {NULL, {"Row", "记录"}},         {"field", {"Field", "字段"}},
        {"content", {"Wanted", "要求"}}, {"outcome", {"Outcome", "结果"}},
        {"reason", {"Reason", "原因"}},  {"state", {"State", "状态"}}};
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(server_reader_open(server, &reader, err));
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    struct printing p = {.server = server, .c = org_reader_centre(reader), .l = l};
    listing_none(l, "no requests", "没有申请");
    TRY(centre_quarantine_list(p.c, command_has(line, "--all"), &server->mem, request_row, &p,
                               err));
    return listing_close(&l, err);
}

struct wanted {
    int64_t seq;
    bool found, closed;
    uint32_t device;
    struct refusal_id id;
};

static enum status request_match(void *ctx, const struct quarantine_entry *q, struct err *err) {
    struct wanted *w = ctx;
    (void)err;
    if (q->seq != w->seq || (w->found && q->state != HELD_OPEN)) return ST_OK;
    w->found = true;
    w->closed = q->state != HELD_OPEN;
    w->device = q->device;
    w->id = q->id;
    return ST_OK;
}

static enum status request_decide(struct server *server, bool approve, struct err *err) {
    SCOPED(server_org_release) struct org *org = NULL;
    struct wanted w = {0};
    if (!text_to_int(slice_from(server->line->words[0]), &w.seq))
        return err_set(err, ST_USAGE, "give the request's number; see roadbook-server requests",
                       "请给出申请编号；请看 roadbook-server requests");
    TRY(server_org_open(server, &org, err));
    TRY(centre_quarantine_list(org_centre(org), true, &server->mem, request_match, &w, err));
    if (!w.found)
        return err_set(err, ST_NOT_FOUND, "there is no request %s; see roadbook-server requests",
                       "没有编号为 %s 的申请；请看 roadbook-server requests",
                       server->line->words[0]);
    if (w.closed)
        return err_set(err, ST_CONFLICT, "request %s is closed already", "申请 %s 已处理",
                       server->line->words[0]);
    TRY(org_decide(org, w.device, &w.id, approve, server_person(server), err));
    if (server->json)
        printf("{\"number\":%lld,\"state\":\"%s\"}\n", (long long)w.seq,
               approve ? "approved" : "declined");
    if (approve)
        server_tell(server, "Approved: the value is written.", "已批准并写入。");
    else
        server_tell(server, "Declined: its author is told.", "未批准，已通知提交人。");
    return ST_OK;
}

enum status server_cmd_approve(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    return request_decide(server, true, err);
}

enum status server_cmd_decline(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    return request_decide(server, false, err);
}
