/* The home folder: where it is, its configuration, the orgs in it.
 *
 *   server.conf   name = value     tls/cert.pem tls/key.pem     org/NAME.db
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session/session.h"
#include "syncd/http/http.h"
#include "syncd/server/server.h"

enum {
    CONFIG_BYTES_MAX = 64 * 1024,
    ORGS_MAX = 1000,
    FILES_MAX = 4 * ORGS_MAX
}; /* each org: three files */

const char *server_path(struct server *server, const char *name) {
    return arena_printf(&server->mem, "%s/%s", server->home, name);
}

enum status server_serve_lock(struct server *server, struct platform_lock *out, struct err *err) {
    const char *path = server_path(server, "serve.lock");
    if (!path) return err_no_memory(err);
    enum status status = platform_lock_try(path, out, err);
    if (status == ST_BUSY)
        return err_set(err, ST_BUSY, "a server runs on this folder already",
                       "该目录上已有服务器在运行");
    return status;
}

enum status server_home_find(struct server *server, struct err *err) {
    const char *given = command_value(server->line, "--home");
    const char *data = getenv("XDG_DATA_HOME"), *user = getenv("HOME");
    if (!given) given = getenv("ROADBOOK_SERVER_HOME");
    server->org_name = command_value(server->line, "--org");
    if (given && given[0])
        server->home = given;
    else if (platform_is_administrator())
        server->home = "/var/lib/roadbook";
    else if (data && data[0])
        server->home = arena_printf(&server->mem, "%s/roadbook-server", data);
    else if (user && user[0])
        server->home = arena_printf(&server->mem, "%s/.local/share/roadbook-server", user);
    else
        return err_set(err, ST_USAGE, "say where the server's folder is: --home DIR",
                       "请用 --home 指定服务器目录");
    return server->home ? ST_OK : err_no_memory(err);
}

struct slice server_person(const struct server *server) {
    const char *name = command_value(server->line, "--as");
    if (!name || !name[0]) name = getenv("SUDO_USER");
    if (!name || !name[0]) name = getenv("USER");
    return slice_from(name && name[0] ? name : "office");
}

/* ------------------------------------------------------------------ configuration */

static enum status not_made(const struct server *server, struct err *err) {
    return err_set(err, ST_NOT_FOUND, "there is no server in %s yet: run roadbook-server init",
                   "%s 中还没有服务器：请先运行 roadbook-server init", server->home);
}

const struct server_limit_row server_limits[SERVER_LIMIT_COUNT] = {
#define SERVER_LIMIT_ROW(id, name, option, standard, least, most, en, zh)                          \
    {name, option, standard, least, most, en},
    SERVER_LIMIT_ROWS(SERVER_LIMIT_ROW)
#undef SERVER_LIMIT_ROW
};

static void limits_standard(struct server_settings *out) {
    for (size_t i = 0; i < SERVER_LIMIT_COUNT; i++) out->limits[i] = server_limits[i].standard;
}

/* *out_known: whether it is the name of a limit. */
static enum status limit_take(struct slice name, struct slice value, size_t line, bool *out_known,
                              struct server_settings *out, struct err *err) {
    *out_known = false;
    for (size_t i = 0; i < SERVER_LIMIT_COUNT; i++) {
        const struct server_limit_row *row = &server_limits[i];
        int64_t number;
        if (!slice_equal(name, slice_from(row->name))) continue;
        if (!text_to_int(value, &number) || number < row->least || number > row->most)
            return err_set(err, ST_INVALID, "server.conf, line %zu: %s takes %lld to %lld",
                           "server.conf 第 %zu 行：%s 须为 %lld 至 %lld", line, row->name,
                           (long long)row->least, (long long)row->most);
        out->limits[i] = number;
        *out_known = true;
    }
    return ST_OK;
}

static enum status setting_take(struct server *server, struct slice name, struct slice value,
                                size_t line, struct server_settings *out, struct err *err) {
    const struct {
        const char *name;
        const char **place;
    } rows[] = {{"listen", &out->listen},
                {"unix", &out->unix_path},
                {"cert", &out->cert},
                {"key", &out->key},
                {"public_url", &out->public_url}};
    char *text = arena_string(&server->mem, value);
    bool is_limit;
    if (!text) return err_no_memory(err);
    TRY(limit_take(name, value, line, &is_limit, out, err));
    if (slice_equal(name, SLICE("pin"))) out->pin = strcmp(text, "yes") == 0;
    if (slice_equal(name, SLICE("forwarded"))) out->forwarded = strcmp(text, "yes") == 0;
    if (is_limit || slice_equal(name, SLICE("pin")) || slice_equal(name, SLICE("forwarded")))
        return ST_OK;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (!slice_equal(name, slice_from(rows[i].name))) continue;
        *rows[i].place = text;
        return ST_OK;
    }
    return err_set(err, ST_INVALID, "server.conf, line %zu: no such setting",
                   "server.conf 第 %zu 行：没有此项设置", line);
}

static enum status settings_parse(struct server *server, struct slice text,
                                  struct server_settings *out, struct err *err) {
    struct slice line;
    for (size_t number = 1; slice_cut(&text, '\n', &line); number++) {
        struct slice name, value = slice_trim(line);
        if (value.len == 0 || value.data[0] == '#') continue;
        (void)slice_cut(&value, '=', &name);
        TRY(setting_take(server, slice_trim(name), slice_trim(value), number, out, err));
    }
    return ST_OK;
}

enum status server_settings_read(struct server *server, struct server_settings *out,
                                 struct err *err) {
    struct slice text;
    struct server_settings settings = {
        .listen = "", .unix_path = "", .cert = "", .key = "", .public_url = "", .pin = false};
    const char *path = server_path(server, "server.conf");
    if (!path) return err_no_memory(err);
    limits_standard(&settings);
    enum status status = platform_read_file(path, CONFIG_BYTES_MAX, &server->mem, &text, err);
    if (status == ST_NOT_FOUND) return not_made(server, err);
    TRY(status);
    TRY(settings_parse(server, text, &settings, err));
    *out = settings;
    return ST_OK;
}

enum status server_settings_write(struct server *server, const struct server_settings *s,
                                  struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(CONFIG_BYTES_MAX);
    buf_printf(
        &text,
        "# Roadbook's server. Lines: name = value. Options of `roadbook-server serve` win "
        "over these.\n\n"
        "# Where it listens.\nlisten = %s\n\n"
        "# A Unix socket instead, behind a reverse proxy that does the TLS.\n%sunix = %s\n\n"
        "# Whether that proxy says in X-Forwarded-For whose a request is. Say yes only when it "
        "sets that field\n# itself: else anybody can pass for another address.\n"
        "forwarded = %s\n\n"
        "# Certificate (the whole chain) and key, as PEM.\ncert = %s\nkey = %s\n\n"
        "# What laptops dial: it stands in every enrolment link.\npublic_url = %s\n\n"
        "# Whether links hold the pin of that certificate's key. Say no with a certificate "
        "of a public authority.\n"
        "pin = %s\n",
        s->listen, s->unix_path[0] ? "" : "#",
        s->unix_path[0] ? s->unix_path : "/run/roadbook/server.sock", s->forwarded ? "yes" : "no",
        s->cert, s->key, s->public_url, s->pin ? "yes" : "no");
    buf_put_text(&text, "\n# What clients may do. Lines with # show what holds without them.\n");
    for (size_t i = 0; i < SERVER_LIMIT_COUNT; i++) {
        const struct server_limit_row *row = &server_limits[i];
        buf_printf(&text, "# %s\n%s%s = %lld\n", row->help,
                   s->limits[i] == row->standard ? "#" : "", row->name, (long long)s->limits[i]);
    }
    TRY(buf_status(&text, err));
    const char *path = server_path(server, "server.conf");
    if (!path) return err_no_memory(err);
    return platform_write_file_private(path, buf_slice(&text), err);
}

/* ------------------------------------------------------------------ init */

/* "https://host:port" -> host, without brackets. */
static enum status url_host(struct server *server, const char *url, const char **out,
                            struct err *err) {
    const char *start = url + sizeof "https://" - 1;
    if (strncmp(url, "https://", 8) != 0 || start[0] == 0 || strchr(start, '/'))
        return err_set(err, ST_USAGE, "the public URL is like https://book.example.com:8443",
                       "公开地址形如 https://book.example.com:8443");
    size_t len = start[0] == '[' ? strcspn(++start, "]") : strcspn(start, ":");
    char *host = arena_string(&server->mem, slice_of(start, len));
    if (!host) return err_no_memory(err);
    *out = host;
    return ST_OK;
}

static enum status certificate_make(struct server *server, const struct server_settings *s,
                                    struct err *err) {
    const char *host, *tls = server_path(server, "tls");
    if (!tls) return err_no_memory(err);
    TRY(url_host(server, s->public_url, &host, err));
    TRY(platform_make_dir(tls, err));
    const char *names[] = {host, "localhost", "127.0.0.1", "::1"};
    return http_make_certificate(names, ARRAY_COUNT(names), 3650, s->cert, s->key, err);
}

enum status server_cmd_init(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    const char *listen = command_value(line, "--listen"),
               *url = command_value(line, "--public-url");
    if (line->word_count == 1) server->home = line->words[0];
    TRY(platform_absolute_path(server->home, &server->mem, &server->home, err));
    const char *org = server_path(server, "org"), *config = server_path(server, "server.conf");
    if (!listen) listen = arena_printf(&server->mem, "0.0.0.0:%d", SERVER_PORT);
    if (!url) url = arena_printf(&server->mem, "https://localhost:%d", SERVER_PORT);
    struct server_settings settings = {.listen = listen,
                                       .unix_path = "",
                                       .public_url = url,
                                       .pin = true,
                                       .cert = server_path(server, "tls/cert.pem"),
                                       .key = server_path(server, "tls/key.pem")};
    limits_standard(&settings);
    if (!org || !config || !listen || !url || !settings.cert || !settings.key)
        return err_no_memory(err);
    if (platform_exists(config))
        return err_set(err, ST_CONFLICT, "there is a server in %s already", "%s 中已有服务器",
                       server->home);
    TRY(platform_make_dir(server->home, err));
    TRY(platform_make_dir(org, err));
    TRY(certificate_make(server, &settings, err));
    TRY(server_settings_write(server, &settings, err));
    if (server->json)
        printf("{\"home\":\"%s\",\"public_url\":\"%s\"}\n", server->home, settings.public_url);
    server_tell(
        server,
        "The server's folder is %s; laptops will dial %s.\nNext: roadbook-server org add NAME",
        "服务器目录为 %s；笔记本将连接 %s。\n下一步：roadbook-server org add 机构名", server->home,
        settings.public_url);
    return ST_OK;
}

/* ------------------------------------------------------------------ orgs */

const char *server_org_path(struct server *server, const char *name) {
    return arena_printf(&server->mem, "%s/org/%s.db", server->home, name);
}

struct org_config server_org_config(struct server *server, const char *path) {
    return (struct org_config){.path = path, .catalogue = &server->catalogue, .env = &server->env};
}

enum status server_orgs(struct server *server, const char ***out_names, size_t *out_count,
                        struct err *err) {
    const char **orgs = ARENA_ARRAY(&server->mem, ORGS_MAX, const char *);
    const char *path = server_path(server, "org"), *const * names;
    size_t name_count, count = 0;
    if (!orgs || !path) return err_no_memory(err);
    enum status status = platform_list_dir(path, FILES_MAX, &server->mem, &names, &name_count, err);
    if (status == ST_NOT_FOUND) return not_made(server, err);
    TRY(status);
    for (size_t i = 0; i < name_count && count < ORGS_MAX; i++) {
        struct slice name = slice_from(names[i]);
        if (name.len <= 3 || strcmp(names[i] + name.len - 3, ".db") != 0) continue;
        orgs[count] = arena_string(&server->mem, slice_of(name.data, name.len - 3));
        if (!orgs[count++]) return err_no_memory(err);
    }
    *out_names = orgs;
    *out_count = count;
    return ST_OK;
}

enum status server_org_pick(struct server *server, const char **out_name, struct err *err) {
    const char **names;
    size_t count;
    TRY(server_orgs(server, &names, &count, err));
    if (!server->org_name) {
        if (count == 0)
            return err_set(err, ST_NOT_FOUND, "there is no org yet: roadbook-server org add NAME",
                           "还没有机构：请运行 roadbook-server org add 机构名");
        if (count > 1)
            return err_set(err, ST_USAGE, "there are %zu orgs: say which with --org NAME",
                           "共有 %zu 个机构：请用 --org 指定", count);
        *out_name = names[0];
        return ST_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], server->org_name) != 0) continue;
        *out_name = names[i];
        return ST_OK;
    }
    return err_set(err, ST_NOT_FOUND, "there is no org \"%s\"; see roadbook-server org list",
                   "没有机构“%s”；请看 roadbook-server org list", server->org_name);
}

enum status server_org_open(struct server *server, struct org **out, struct err *err) {
    const char *name, *path;
    TRY(server_org_pick(server, &name, err));
    if (!(path = server_org_path(server, name))) return err_no_memory(err);
    struct org_config config = server_org_config(server, path);
    TRY(org_open(&config, out, err));
    server->cat = centre_catalogue(org_centre(*out));
    if (org_went_back(*out))
        (void)fprintf(stderr, "%s\n",
                      server_say(server,
                                 "The book's file was set back to an older state: laptops give "
                                 "back what it has forgotten. See: recovery status",
                                 "账本文件已被换回较早的状态：各电脑会交还它所缺的内容。"
                                 "请看 recovery status"));
    return ST_OK;
}

/* After an update of the programs the first who comes migrates, also one who only wants to read. */
static enum status bring_up_to_date(const struct org_config *config, struct err *err) {
    struct org_reader *reader;
    struct org *org;
    TRY(org_reader_open(config, &reader, err));
    bool is_current = store_is_current(centre_store(org_reader_centre(reader)));
    org_reader_close(reader);
    if (is_current) return ST_OK;
    TRY(org_open(config, &org, err));
    org_close(org);
    return ST_OK;
}

enum status server_reader_open(struct server *server, struct org_reader **out, struct err *err) {
    const char *name, *path;
    TRY(server_org_pick(server, &name, err));
    if (!(path = server_org_path(server, name))) return err_no_memory(err);
    struct org_config config = server_org_config(server, path);
    TRY(bring_up_to_date(&config, err));
    TRY(org_reader_open(&config, out, err));
    server->cat = centre_catalogue(org_reader_centre(*out));
    return ST_OK;
}

void server_org_release(struct org **org) {
    org_close(*org);
}

void server_reader_release(struct org_reader **reader) {
    org_reader_close(*reader);
}
