/* Orgs, users, laptops, and the links that enrol them. */
#include <stdio.h>
#include <string.h>

#include "protocol/session/session.h"
#include "syncd/http/http.h"
#include "syncd/server/scope.h"
#include "syncd/server/server.h"

/* ------------------------------------------------------------------ orgs */

static enum status org_name_check(const char *name, struct err *err) {
    char path[SESSION_ORG_BYTES_MAX + 16], org[SESSION_ORG_BYTES_MAX + 1];
    const char *what;
    int len = snprintf(path, sizeof path, "/%s/round", name);
    if (len > 0 && (size_t)len < sizeof path && session_path(path, org, &what)) return ST_OK;
    return err_set(
        err, ST_USAGE,
        "an org's name has up to %d letters a-z, digits, - and _; it stands in the address",
        "机构名最多 %d 个小写字母、数字、- 或 _，它是网址的一部分", SESSION_ORG_BYTES_MAX);
}

/* What a company has is not for everyone, unless it says so. */
static enum status scope_option(const struct command_line *line, bool *out_granted,
                                struct err *err) {
    const char *scope = command_value(line, "--scope");
    *out_granted = !scope || strcmp(scope, "granted") == 0;
    if (*out_granted || strcmp(scope, "open") == 0) return ST_OK;
    return err_set(err, ST_USAGE, "--scope is open or granted, not %s",
                   "--scope 应为 open 或 granted，而非 %s", scope);
}

static enum status org_grant_scopes(const struct org_config *config, struct err *err) {
    SCOPED(server_org_release) struct org *org = NULL;
    TRY(org_open(config, &org, err));
    return org_scope_set(org, true, err);
}

enum status server_cmd_org_add(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    struct server_settings settings;
    const char *name = line->words[0], *label = command_value(line, "--label");
    bool granted;
    TRY(server_settings_read(server, &settings, err));
    TRY(org_name_check(name, err));
    TRY(scope_option(line, &granted, err));
    const char *dir = server_path(server, "org"), *path = server_org_path(server, name);
    if (!dir || !path) return err_no_memory(err);
    TRY(platform_make_dir(dir, err));
    struct org_config config = server_org_config(server, path);
    enum status status = org_create(&config, slice_from(label && label[0] ? label : name), err);
    if (status == ST_CONFLICT)
        return err_set(err, ST_CONFLICT, "there is an org \"%s\" already", "机构“%s”已存在", name);
    TRY(status);
    if (granted) TRY(org_grant_scopes(&config, err));
    if (server->json) printf("{\"org\":\"%s\"}\n", name);
    server_tell(server, "Org %s is there. Next: roadbook-server user add LOGIN --name NAME",
                "机构 %s 已建立。下一步：roadbook-server user add 登录名 --name 姓名", name);
    return ST_OK;
}

static enum status org_row(struct server *server, struct listing *l, const char *name,
                           struct err *err) {
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct centre_org facts;
    struct centre_head head;
    struct centre_counts counts;
    const char *path = server_org_path(server, name);
    if (!path) return err_no_memory(err);
    struct org_config config = server_org_config(server, path);
    TRY(org_reader_open(&config, &reader, err));
    struct centre *centre = org_reader_centre(reader);
    TRY(centre_org(centre, &facts, err));
    TRY(org_head(reader, &head, err));
    TRY(centre_counts(centre, &counts, err));
    listing_string(l, name);
    listing_string(l, facts.label);
    listing_int(l, counts.users);
    listing_int(l, counts.devices - counts.devices_revoked);
    listing_int(l, counts.rows);
    listing_int(l, head.position.seq);
    listing_int(l, head.epoch);
    listing_int(l, counts.ledger);
    listing_int(l, counts.quarantine_open);
    listing_time(l, head.time_ms);
    return ST_OK;
}

static enum status orgs_print(struct server *server, const char *const *names, size_t count,
                              struct err *err) {
    static const struct listing_column COLUMNS[] = {{"org", {"Org", "机构"}},
                                                    {"label", {"Name", "名称"}},
                                                    {"users", {"Users", "用户"}},
                                                    {"devices", {"Laptops", "笔记本"}},
                                                    {"rows", {"Rows", "记录"}},
                                                    {"head", {"Latest no.", "最新序号"}},
                                                    {"epoch", {"Epoch", "纪元"}},
                                                    {"conflicts", {"Conflicts", "冲突"}},
                                                    {"requests", {"Open requests", "待办申请"}},
                                                    {"changed_at", {"Last change", "最近修改"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    for (size_t i = 0; i < count; i++) TRY(org_row(server, l, names[i], err));
    return listing_close(&l, err);
}

enum status server_cmd_org_list(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    const char **names;
    size_t count;
    TRY(server_orgs(server, &names, &count, err));
    return orgs_print(server, names, count, err);
}

enum status server_cmd_status(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    const char *name;
    if (!server->org_name) return server_cmd_org_list(server, line, err);
    TRY(server_org_pick(server, &name, err));
    return orgs_print(server, &name, 1, err);
}

/* ------------------------------------------------------------------ users */

static enum status first_id(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    if (*(int64_t *)ctx == 0) *(int64_t *)ctx = row->id;
    return ST_OK;
}

static enum status employee_find(struct org *org, const struct entity *e, const struct field *login,
                                 struct value value, int64_t *out_id, struct err *err) {
    struct condition same = {.field = login, .compare = COMPARE_EQ, .value = value};
    struct query query = {.entity = e, .conditions = &same, .condition_count = 1, .limit = 1};
    *out_id = 0;
    return store_list(centre_store(org_centre(org)), &query, first_id, out_id, err);
}

/* The employee row with that login: found, or made. */
static enum status employee_take(struct server *server, struct org *org,
                                 const struct centre_user *user, int64_t *out_id, struct err *err) {
    const struct entity *e = catalogue_entity(server->cat, SLICE("employee"));
    const struct field *login = entity_field(e, SLICE("login")),
                       *name = entity_field(e, SLICE("name"));
    const struct field *active = entity_field(e, SLICE("active"));
    struct field_edit edits[] = {{login, FIELD_EDIT_SET, value_text(slice_from(user->login))},
                                 {name, FIELD_EDIT_SET, value_text(slice_from(user->name))},
                                 {active, FIELD_EDIT_SET, value_int(1)}};
    SCOPED(office_close) struct office *office = NULL;
    TRY(employee_find(org, e, login, edits[0].value, out_id, err));
    if (*out_id != 0) return ST_OK;
    TRY(office_open(server, org, 0, &office, err));
    struct api_writer writer = office_writer(office);
    TRY(writer.begin(writer.ctx, err));
    TRY(writer.create(writer.ctx, e, edits, ARRAY_COUNT(edits), out_id, err));
    return writer.commit(writer.ctx, err);
}

static enum status text_take(char *out, size_t room, const char *text, struct err *err) {
    if (!text[0] || strlen(text) >= room || !text_is_utf8(slice_from(text)))
        return err_set(err, ST_USAGE, "a name has 1 to %zu bytes of UTF-8",
                       "名称须为 1 到 %zu 字节的 UTF-8 文本", room - 1);
    (void)snprintf(out, room, "%s", text);
    return ST_OK;
}

static enum status user_read(struct server *server, struct centre_user *user, struct err *err) {
    const char *name = command_value(server->line, "--name"),
               *role = command_value(server->line, "--role");
    *user = (struct centre_user){.role = USER_REP, .active = true};
    TRY(text_take(user->login, sizeof user->login, server->line->words[0], err));
    TRY(text_take(user->name, sizeof user->name, name ? name : server->line->words[0], err));
    if (role && !user_role_parse(slice_from(role), &user->role))
        return err_set(err, ST_USAGE, "--role takes rep, manager or office",
                       "--role 须为 rep、manager 或 office");
    return ST_OK;
}

enum status server_cmd_user_add(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    SCOPED(server_org_release) struct org *org = NULL;
    struct centre_user user, taken;
    int64_t id;
    TRY(user_read(server, &user, err));
    TRY(server_org_open(server, &org, err));
    if (centre_user_by_login(org_centre(org), slice_from(user.login), &taken, NULL) == ST_OK)
        return err_set(err, ST_CONFLICT, "there is a user \"%s\" already", "用户“%s”已存在",
                       user.login);
    TRY(employee_take(server, org, &user, &user.employee, err));
    TRY(centre_user_add(org_centre(org), &user, &id, err));
    if (server->json) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
        buf_put_json_text(&text, user.login);
        printf("{\"login\":%s,\"role\":\"%s\",\"employee\":%lld}\n", buf_text(&text),
               user_role_name(user.role), (long long)user.employee);
    }
    server_tell(server, "User %s is there. Next: roadbook-server link %s",
                "用户 %s 已建立。下一步：roadbook-server link %s", user.login, user.login);
    return ST_OK;
}

/* Programs and English readers get the word that --role takes. */
static const char *role_shown(const struct server *server, enum user_role role) {
    if (server->json || server->lang == LANG_EN) return user_role_name(role);
    switch (role) {
    case USER_REP: return "业务员";
    case USER_MANAGER: return "经理";
    case USER_OFFICE: return "总部";
    }
    return "";
}

struct user_listing {
    const struct server *server;
    struct listing *l;
};

static enum status user_row(void *ctx, const struct centre_user *user, struct err *err) {
    struct user_listing *u = ctx;
    struct listing *l = u->l;
    (void)err;
    listing_string(l, user->login);
    listing_string(l, user->name);
    listing_string(l, role_shown(u->server, user->role));
    listing_bool(l, user->active);
    listing_id(l, user->employee);
    return ST_OK;
}

enum status server_cmd_user_list(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    static const struct listing_column COLUMNS[] = {{"login", {"Login", "登录名"}},
                                                    {"name", {"Name", "姓名"}},
                                                    {"role", {"Role", "角色"}},
                                                    {"active", {"Active", "在用"}},
                                                    {"employee", {"Employee", "员工"}}};
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(server_reader_open(server, &reader, err));
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "no users yet: roadbook-server user add LOGIN",
                 "还没有用户：roadbook-server user add 登录名");
    struct user_listing users = {server, l};
    TRY(centre_users(org_reader_centre(reader), user_row, &users, err));
    return listing_close(&l, err);
}

static enum status user_find(struct org *org, const char *login, struct centre_user *out,
                             struct err *err) {
    enum status status = centre_user_by_login(org_centre(org), slice_from(login), out, err);
    if (status != ST_NOT_FOUND) return status;
    return err_set(err, ST_NOT_FOUND, "there is no user \"%s\"; see roadbook-server user list",
                   "没有用户“%s”；请看 roadbook-server user list", login);
}

static enum status user_activate(struct server *server, bool active, struct err *err) {
    SCOPED(server_org_release) struct org *org = NULL;
    struct centre_user user;
    TRY(server_org_open(server, &org, err));
    TRY(user_find(org, server->line->words[0], &user, err));
    TRY(centre_user_activate(org_centre(org), user.id, active, err));
    if (server->json) printf("{\"active\":%s}\n", active ? "true" : "false");
    if (active)
        server_tell(server, "%s may sync again.", "%s 已恢复同步。", user.login);
    else
        server_tell(server, "%s's laptops get no rounds any more.", "%s 的笔记本已停止同步。",
                    user.login);
    return ST_OK;
}

enum status server_cmd_user_deactivate(void *program, const struct command_line *line,
                                       struct err *err) {
    struct server *server = program;
    (void)line;
    return user_activate(server, false, err);
}

enum status server_cmd_user_activate(void *program, const struct command_line *line,
                                     struct err *err) {
    struct server *server = program;
    (void)line;
    return user_activate(server, true, err);
}

/* ------------------------------------------------------------------ links */

/* "sha256//BASE64" -> the 32 bytes. */
static enum status pin_read(const char *cert, uint8_t out[HASH_BYTES], struct err *err) {
    char pin[HTTP_PIN_BYTES];
    SCOPED(buf_free) struct buf bytes = buf_new(HASH_BYTES * 2);
    TRY(http_certificate_pin(cert, pin, err));
    if (!base64_decode(slice_from(pin + sizeof "sha256//" - 1), false, &bytes) ||
        bytes.len != HASH_BYTES)
        return err_set(err, ST_INTERNAL, "the certificate's pin is not readable",
                       "无法读取证书指纹");
    memcpy(out, bytes.data, HASH_BYTES);
    return ST_OK;
}

static enum status link_fill(struct server *server, struct org *org, struct session_link *link,
                             struct err *err) {
    struct server_settings settings;
    struct sign_key key;
    const char *name;
    TRY(server_settings_read(server, &settings, err));
    TRY(server_org_pick(server, &name, err));
    TRY(org_key(org, &key, err));
    *link = (struct session_link){.has_tls_pin =
                                      settings.pin && !command_has(server->line, "--no-pin")};
    if (strlen(settings.public_url) >= sizeof link->base_url ||
        strlen(name) > SESSION_ORG_BYTES_MAX)
        return err_set(err, ST_INVALID, "public_url in server.conf is too long",
                       "server.conf 中 public_url 过长");
    (void)snprintf(link->base_url, sizeof link->base_url, "%s", settings.public_url);
    (void)snprintf(link->org, sizeof link->org, "%s", name);
    sign_public(&key, link->org_public);
    bytes_wipe(&key, sizeof key);
    if (link->has_tls_pin) TRY(pin_read(settings.cert, link->tls_pin, err));
    server->env.random(server->env.ctx, link->code, sizeof link->code);
    return ST_OK;
}

static enum status link_print(struct server *server, const struct session_link *link,
                              const char *login, int64_t expires_ms, struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    SCOPED(buf_free) struct buf until = buf_new(BUF_MAX_LINE);
    SCOPED(buf_free) struct buf user = buf_new(BUF_MAX_LINE);
    TRY(session_link_write(link, &text, err));
    buf_put_time(&until, expires_ms, platform_utc_offset_minutes(expires_ms));
    buf_put_json_text(&user, login);
    if (server->json) {
        printf("{\"link\":\"%s\",\"user\":%s,\"expires_at\":\"%s\"}\n", buf_text(&text),
               buf_text(&user), buf_text(&until));
        return ST_OK;
    }
    if (command_has(server->line, "--qr") || platform_is_terminal(1))
        TRY(server_qr_print(buf_text(&text), err));
    printf("%s\n", buf_text(&text));
    if (platform_is_terminal(1))
        server_tell(server, "For one laptop of %s, until %s. On the laptop: roadbook enroll LINK",
                    "供 %s 的一台笔记本使用，有效期至 %s。在笔记本上运行：roadbook enroll 链接",
                    login, buf_text(&until));
    return ST_OK;
}

enum status server_cmd_link(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    struct centre_user user;
    struct session_link link;
    int64_t days;
    TRY(command_number(line, "--days", 1, 365, SERVER_LINK_DAYS, &days, err));
    TRY(server_org_open(server, &org, err));
    TRY(user_find(org, line->words[0], &user, err));
    TRY(link_fill(server, org, &link, err));
    int64_t expires_ms = server->env.wall_ms(server->env.ctx) + days * 24 * 3600 * 1000;
    TRY(centre_link_make(org_centre(org), user.id, link.code, expires_ms, err));
    enum status status = link_print(server, &link, user.login, expires_ms, err);
    bytes_wipe(&link, sizeof link);
    return status;
}
