/* Who sees what, of an org: the setting, what users hold and why, what is dated. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/server_teams.h"

/* ------------------------------------------------------------------ one run */

void teaming_close(struct teaming *t) {
    server_org_release(&t->org);
}

enum status teaming_open(struct server *server, struct teaming *out, struct err *err) {
    out->server = server;
    TRY(server_org_open(server, &out->org, err));
    out->book = server_book(server, centre_store(org_centre(out->org)));
    return org_scope(out->org, &out->scope, err);
}

enum status teaming_granted(const struct teaming *t, struct err *err) {
    if (t->scope.granted) return ST_OK;
    return err_set(
        err, ST_CONFLICT,
        "this org is open: everyone sees everything. First: roadbook-server org scope "
        "granted",
        "该机构未限定范围，所有人可见全部内容。请先运行：roadbook-server org scope granted");
}

/* ------------------------------------------------------------------ what would change */

enum status effects_print(struct server *server, const struct scope_effect *effects, size_t count,
                          struct err *err) {
    static const struct listing_column COLUMNS[] = {{"login", {"Login", "登录名"}},
                                                    {"name", {"Name", "姓名"}},
                                                    {"opened", {"Grants opened", "新增授权"}},
                                                    {"closed", {"Grants ended", "结束授权"}},
                                                    {"gained", {"Rows gained", "新增可见"}},
                                                    {"lost", {"Rows lost", "不再可见"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "Nobody would gain or lose anything.", "不会有任何人增加或失去可见内容。");
    for (size_t i = 0; i < count; i++) {
        listing_string(l, effects[i].login);
        listing_string(l, effects[i].name);
        listing_int(l, (int64_t)effects[i].opened);
        listing_int(l, (int64_t)effects[i].closed);
        listing_int(l, effects[i].gained);
        listing_int(l, effects[i].lost);
    }
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ the setting */

static enum status scope_show(struct teaming *t, struct err *err) {
    static const struct listing_column COLUMNS[] = {
        {"scope", {"Who sees what", "可见范围"}},
        {"lease_days", {"Days that edits count after a withdrawal", "撤权后修改仍有效的天数"}},
        {"zone", {"Time zone of the org's days", "机构日期所用时区"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    SCOPED(buf_free) struct buf zone = buf_new(BUF_MAX_LINE);
    bool granted = t->scope.granted;
    TRY(listing_open(t->server, COLUMNS, ARRAY_COUNT(COLUMNS), true, &l, err));
    listing_string(l, t->server->json ? (granted ? "granted" : "open")
                                      : server_say(t->server,
                                                   granted ? "granted: by territory, team and "
                                                             "ownership"
                                                           : "open: everyone sees everything",
                                                   granted ? "授权：按区域、团队和负责人"
                                                           : "开放：所有人可见全部内容"));
    listing_int(l, t->scope.lease_days);
    api_put_zone(t->scope.utc_offset_min, &zone);
    listing_text(l, buf_slice(&zone));
    return listing_close(&l, err);
}

static enum status scope_change(struct teaming *t, bool granted, bool dry_run, struct err *err) {
    struct scope_effect *effects;
    size_t count;
    if (dry_run) {
        TRY(org_scope_set_preview(t->org, granted, &t->server->mem, &effects, &count, err));
        return effects_print(t->server, effects, count, err);
    }
    TRY(org_scope_set(t->org, granted, err));
    TRY(org_scope(t->org, &t->scope, err));
    return scope_show(t, err);
}

enum status server_cmd_org_scope(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    const char *word = line->word_count > 0 ? line->words[0] : "";
    TRY(teaming_open(program, &t, err));
    if (word[0] == 0) return scope_show(&t, err);
    bool granted = strcmp(word, "granted") == 0;
    if (!granted && strcmp(word, "open") != 0)
        return err_set(err, ST_USAGE, "open or granted, not %s", "应为 open 或 granted，而非 %s",
                       word);
    return scope_change(&t, granted, command_has(line, "--dry-run"), err);
}

enum status server_cmd_org_lease(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    int64_t days;
    TRY(teaming_open(program, &t, err));
    if (line->word_count == 0) return scope_show(&t, err);
    if (!text_to_int(slice_from(line->words[0]), &days))
        return err_set(err, ST_USAGE, "%s is no number of days", "%s 不是天数", line->words[0]);
    TRY(org_lease_set(t.org, days, err));
    TRY(org_scope(t.org, &t.scope, err));
    return scope_show(&t, err);
}

/* "+08:00", "-05:30", "+8" */
static bool zone_parse(const char *text, int *out_min) {
    int hours = 0, minutes = 0;
    char sign = 0, end = 0;
    int got = sscanf(text, "%c%2d:%2d%c", &sign, &hours, &minutes, &end);
    bool fits = (got == 2 || got == 3) && (sign == '+' || sign == '-') && hours >= 0 &&
                hours <= 14 && minutes >= 0 && minutes < 60;
    *out_min = (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
    return fits;
}

enum status server_cmd_org_zone(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    int minutes;
    TRY(teaming_open(program, &t, err));
    if (line->word_count == 0) return scope_show(&t, err);
    if (!zone_parse(line->words[0], &minutes))
        return err_set(err, ST_USAGE, "a zone is written like +08:00, not %s",
                       "时区应写作 +08:00，而非 %s", line->words[0]);
    TRY(org_zone_set(t.org, minutes, err));
    TRY(org_scope(t.org, &t.scope, err));
    return scope_show(&t, err);
}

/* ------------------------------------------------------------------ what a user holds */

static enum status grants_print(struct teaming *t, const struct scope_grant *grants, size_t count,
                                struct err *err) {
    static const struct listing_column COLUMNS[] = {{"home", {NULL, NULL}},
                                                    {"label", {"Sees", "可见"}},
                                                    {"since", {"Since", "开始"}},
                                                    {"reasons", {"Because", "原因"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    TRY(listing_open(t->server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    for (size_t i = 0; i < count; i++) {
        buf_reset(&text);
        home_write(grants[i].home, &text);
        listing_text(l, buf_slice(&text));
        buf_reset(&text);
        TRY(org_home_label(t->org, grants[i].home, t->server->lang, &text, err));
        listing_text(l, buf_slice(&text));
        listing_time(l, grants[i].since_ms);
        buf_reset(&text);
        scope_reasons_write(grants[i].reasons, t->server->lang, &text);
        listing_text(l, buf_slice(&text));
    }
    return listing_close(&l, err);
}

enum status server_cmd_grants(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    struct centre_user user;
    struct scope_grant *grants;
    size_t count;
    TRY(teaming_open(program, &t, err));
    enum status status =
        centre_user_by_login(org_centre(t.org), slice_from(line->words[0]), &user, err);
    if (status == ST_NOT_FOUND)
        return err_set(err, ST_NOT_FOUND, "no user %s (roadbook-server user list)",
                       "没有用户 %s（见 roadbook-server user list）", line->words[0]);
    TRY(status);
    TRY(org_grants(t.org, user.id, &t.server->mem, &grants, &count, err));
    return grants_print(&t, grants, count, err);
}

/* ------------------------------------------------------------------ what is dated */

static enum status put_title(struct teaming *t, const char *entity, int64_t id, struct listing *l,
                             struct err *err) {
    struct slice title;
    const struct entity *e = catalogue_entity(t->server->cat, slice_from(entity));
    if (id == 0) {
        listing_null(l);
        return ST_OK;
    }
    TRY(store_title(t->book.store, e, id, &t->server->mem, &title, err));
    listing_text(l, title);
    return ST_OK;
}

static const char *dated_state(const struct teaming *t, const struct centre_dated *op) {
    if (op->cancelled)
        return t->server->json ? "cancelled" : server_say(t->server, "cancelled", "已取消");
    if (op->handover > 0 && op->done_seq == 0 && !op->cancelled && !op->is_signed)
        return t->server->json ? "unsigned"
                               : server_say(t->server, "waits for signatures", "待签字");
    if (op->done_seq > 0) return t->server->json ? "done" : server_say(t->server, "done", "已执行");
    return t->server->json ? "waits" : server_say(t->server, "waits", "待执行");
}

enum status dated_print(struct teaming *t, const struct centre_dated *ops, size_t count,
                        struct err *err) {
    static const struct listing_column COLUMNS[] = {{"id", {"No.", "编号"}},
                                                    {"kind", {"What", "事项"}},
                                                    {"account", {"Account", "客户"}},
                                                    {"from", {"From", "移交人"}},
                                                    {"to", {"To", "接收人"}},
                                                    {"due", {"On", "生效"}},
                                                    {"person", {"Ordered by", "下达人"}},
                                                    {"state", {"State", "状态"}},
                                                    {"accounts", {"Accounts", "客户数"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(listing_open(t->server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    for (size_t i = 0; i < count; i++) {
        bool assign = ops[i].kind == DATED_ASSIGN;
        listing_int(l, ops[i].id);
        listing_string(l, t->server->json
                              ? (assign ? "assign" : "handover")
                              : server_say(t->server, assign ? "assignment" : "handover",
                                           assign ? "指派" : "过户"));
        TRY(put_title(t, "account", ops[i].account, l, err));
        TRY(put_title(t, "employee", ops[i].from, l, err));
        TRY(put_title(t, "employee", ops[i].to, l, err));
        listing_time(l, ops[i].due_ms);
        listing_string(l, ops[i].person);
        listing_string(l, dated_state(t, &ops[i]));
        if (ops[i].done_seq > 0)
            listing_int(l, ops[i].accounts);
        else
            listing_null(l);
    }
    return listing_close(&l, err);
}

enum status server_cmd_dated_list(void *program, const struct command_line *line, struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    struct centre_dated *ops;
    size_t count;
    TRY(teaming_open(program, &t, err));
    TRY(org_dated_list(t.org, command_has(line, "--all"), &t.server->mem, &ops, &count, err));
    return dated_print(&t, ops, count, err);
}

enum status server_cmd_dated_cancel(void *program, const struct command_line *line,
                                    struct err *err) {
    SCOPED(teaming_close) struct teaming t = {0};
    int64_t id;
    TRY(teaming_open(program, &t, err));
    if (!text_to_int(slice_from(line->words[0]), &id))
        return err_set(err, ST_USAGE, "%s is no number of an operation", "%s 不是编号",
                       line->words[0]);
    TRY(org_dated_cancel(t.org, id, err));
    if (t.server->json) printf("{\"cancelled\":%lld}\n", (long long)id);
    server_tell(t.server, "%lld is cancelled", "%lld 已取消", (long long)id);
    return ST_OK;
}
