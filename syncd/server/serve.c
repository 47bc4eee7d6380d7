/* roadbook-server serve: the service behind the listener, until a signal ends it.
 *
 * The main thread only waits: for signals, for the service manager's watchdog, and to write
 * contacts now and then. To stop: nobody is accepted any more, long polls end with 204, what runs
 * is finished, writers empty their queues.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/server/serve.h"
#include "syncd/server/server.h"

enum {
    SERVE_TICK_MS = 10 * 1000, /* the watchdog's interval in the unit is three of these */
    SERVE_GRACE_MS = 10 * 1000,
    SERVE_FDS_OWN = 256 /* files of orgs, beside the connections */
};

struct serve {
    struct server *server;
    struct server_settings settings;
    const char *host;
    uint16_t port;
    unsigned workers;
    struct gate gate;
    int signal_fd;
};

/* ------------------------------------------------------------------ where it listens */

/* "HOST:PORT", "[::1]:PORT", ":PORT". */
static enum status listen_read(struct serve *serve, struct err *err) {
    const char *text = serve->settings.listen, *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || !text_to_int(slice_from(colon + 1), &port) || port < 0 || port > 65535)
        return err_set(err, ST_USAGE, "--listen takes HOST:PORT, such as 0.0.0.0:8443",
                       "--listen 须为 主机:端口，如 0.0.0.0:8443");
    struct slice host = slice_of(text, (size_t)(colon - text));
    if (host.len > 1 && host.data[0] == '[') host = slice_of(host.data + 1, host.len - 2);
    serve->port = (uint16_t)port;
    if (host.len == 0) return ST_OK;
    serve->host = arena_string(&serve->server->mem, host);
    return serve->host ? ST_OK : err_no_memory(err);
}

static enum status limits_take(struct serve *serve, struct err *err) {
    for (size_t i = 0; i < SERVER_LIMIT_COUNT; i++) {
        const struct server_limit_row *row = &server_limits[i];
        int64_t *limit = &serve->settings.limits[i];
        TRY(command_number(serve->server->line, row->option, row->least, row->most, *limit, limit,
                           err));
    }
    return ST_OK;
}

/* Links made from now on name it. */
static enum status url_take(struct serve *serve, struct err *err) {
    struct server_settings *s = &serve->settings;
    const char *url = command_value(serve->server->line, "--public-url");
    if (!url || strcmp(url, s->public_url) == 0) return ST_OK;
    s->public_url = url;
    return server_settings_write(serve->server, s, err);
}

static enum status settings_take(struct serve *serve, struct err *err) {
    struct server *server = serve->server;
    struct server_settings *s = &serve->settings;
    const char *listen = command_value(server->line, "--listen"),
               *unix_path = command_value(server->line, "--unix");
    const char *cert = command_value(server->line, "--cert"),
               *key = command_value(server->line, "--key");
    int64_t workers;
    TRY(server_settings_read(server, s, err));
    TRY(url_take(serve, err));
    TRY(limits_take(serve, err));
    TRY(command_number(server->line, "--workers", 1, GATE_WORKERS_MAX, 4, &workers, err));
    serve->workers = (unsigned)workers;
    if (listen) s->listen = listen;
    if (unix_path)
        s->unix_path = unix_path;
    else if (listen)
        s->unix_path = "";
    if (cert) s->cert = cert;
    if (key) s->key = key;
    if (command_has(server->line, "--forwarded")) s->forwarded = true;
    if ((cert != NULL) != (key != NULL))
        return err_set(err, ST_USAGE, "--cert and --key belong together",
                       "--cert 与 --key 须同时给出");
    if (s->forwarded && !s->unix_path[0])
        return err_set(err, ST_USAGE, "--forwarded is for a proxy before a Unix socket (--unix)",
                       "--forwarded 仅用于 Unix 套接字（--unix）之前的代理");
    return s->unix_path[0] ? ST_OK : listen_read(serve, err);
}

static struct http_limits http_limits_of(const int64_t limits[SERVER_LIMIT_COUNT]) {
    return (struct http_limits){
        .body_bytes_max = WIRE_REQUEST_BYTES_MAX,
        .connections_max = (unsigned)limits[SERVER_LIMIT_CONNECTIONS],
        .idle_timeout_s = (unsigned)limits[SERVER_LIMIT_IDLE_TIMEOUT],
        .read_timeout_s = (unsigned)limits[SERVER_LIMIT_READ_TIMEOUT],
        .held_bytes_max = (size_t)limits[SERVER_LIMIT_HELD_MIB] << 20,
        .address_connections_max = (unsigned)limits[SERVER_LIMIT_ADDRESS_CONNECTIONS],
        .address_connects_s = (unsigned)limits[SERVER_LIMIT_ADDRESS_CONNECTS],
        .address_requests_s = (unsigned)limits[SERVER_LIMIT_ADDRESS_REQUESTS]};
}

static struct http_config http_config_of(struct serve *serve) {
    const struct server_settings *s = &serve->settings;
    bool behind_proxy = s->unix_path[0] != 0;
    bool plain = behind_proxy || command_has(serve->server->line, "--plain");
    return (struct http_config){.host = serve->host,
                                .port = serve->port,
                                .unix_path = behind_proxy ? s->unix_path : NULL,
                                .is_forwarded = behind_proxy && s->forwarded,
                                .cert_path = plain ? NULL : s->cert,
                                .key_path = plain ? NULL : s->key,
                                .loops = GATE_LOOPS,
                                .workers = serve->workers,
                                .limits = http_limits_of(s->limits),
                                .handler = gate_handle,
                                .ctx = &serve->gate};
}

/* ------------------------------------------------------------------ starting and stopping */

static enum status gate_fill(struct serve *serve, struct err *err) {
    struct gate *gate = &serve->gate;
    const char *trace = command_value(serve->server->line, "--trace");
    const int64_t *limits = serve->settings.limits;
    size_t readers = serve->workers + GATE_LOOPS +
                     2; /* and the thread that looks for other processes' commits */
    struct service_config config = {
        .dir = serve->server->home,
        .catalogue = &serve->server->catalogue,
        .env = &serve->server->env,
        .readers = readers,
        .device_requests_s = (uint32_t)limits[SERVER_LIMIT_DEVICE_REQUESTS],
        .device_calls_max = (uint32_t)limits[SERVER_LIMIT_DEVICE_CALLS]};
    gate->env = &serve->server->env;
    gate->lines = (struct gate_lines){.lock = platform_mutex_new(), .left = GATE_FAULT_LINES_MAX};
    if (!gate->lines.lock) return err_no_memory(err);
    gate->log_idle = command_has(serve->server->line, "--verbose");
    TRY(service_open(&config, &gate->service, err));
    TRY(readers_open(readers, &gate->readers, err));
    TRY(writers_open(gate, &gate->writers, err));
    TRY(waits_open(gate, &gate->waits, err));
    if (trace) TRY(trace_open(trace, &gate->trace, err));
    return ST_OK;
}

/* Where the system allows fewer files, connections end there as at any other limit: the longest
 * idle one makes room. Said once, since nobody would look for it. */
static void files_raise(struct serve *serve) {
    int64_t *connections = &serve->settings.limits[SERVER_LIMIT_CONNECTIONS];
    uint64_t own = SERVE_FDS_OWN, wanted = (uint64_t)*connections + own;
    uint64_t files = platform_raise_fd_limit(wanted);
    char line[160];
    if (files >= wanted) return;
    *connections = files > own * 2 ? (int64_t)(files - own) : (int64_t)own;
    (void)snprintf(
        line, sizeof line,
        "event=few-files files=%llu connections=%lld wanted=%llu advice=\"raise the hard "
        "limit of open files (LimitNOFILE, ulimit -Hn)\"",
        (unsigned long long)files, (long long)*connections, (unsigned long long)wanted);
    serve->server->env.log(serve->server->env.ctx, LOG_WARNING, line);
}

static enum status start(struct serve *serve, struct err *err) {
    TRY(platform_signals_open(&serve->signal_fd, err));
    files_raise(serve);
    TRY(gate_fill(serve, err));
    struct http_config config = http_config_of(serve);
    TRY(http_open(&config, &serve->gate.http, err));
    return http_start(serve->gate.http, err);
}

/* Also after a start that failed half-way. */
static void stop(struct serve *serve) {
    struct gate *gate = &serve->gate;
    gate->stopping = true;
    if (gate->http) http_stop(gate->http, SERVE_GRACE_MS);
    writers_close(gate->writers);
    waits_close(gate->waits);
    http_close(gate->http);
    service_close(gate->service);
    readers_close(gate->readers);
    trace_close(gate->trace);
    platform_mutex_free(gate->lines.lock);
    if (serve->signal_fd >= 0) platform_signals_close(serve->signal_fd);
}

static void say(const struct serve *serve, const char *line) {
    serve->server->env.log(serve->server->env.ctx, LOG_INFO, line);
}

static void say_started(const struct serve *serve) {
    char line[512];
    const struct server_settings *s = &serve->settings;
    if (s->unix_path[0])
        (void)snprintf(line, sizeof line, "event=listening unix=%s release=%s", s->unix_path,
                       ROADBOOK_VERSION);
    else
        (void)snprintf(line, sizeof line, "event=listening host=%s port=%u url=%s release=%s",
                       serve->host ? serve->host : "*", (unsigned)http_port(serve->gate.http),
                       s->public_url, ROADBOOK_VERSION);
    say(serve, line);
}

static enum status run(struct serve *serve, struct err *err) {
    for (;;) {
        size_t which;
        TRY(platform_wait(&serve->signal_fd, 1, SERVE_TICK_MS, &which, err));
        if (which == 0 && platform_signals_next(serve->signal_fd) == PLATFORM_SIGNAL_STOP)
            return ST_OK;
        if (which == 0) continue;
        service_flush(serve->gate.service);
        service_care(serve->gate.service);
        platform_notify("WATCHDOG=1");
    }
}

enum status server_cmd_serve(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    struct serve serve = {.server = server, .signal_fd = -1};
    SCOPED(platform_unlock) struct platform_lock lock = {-1};
    TRY(server_serve_lock(server, &lock, err));
    TRY(settings_take(&serve, err));
    enum status status = start(&serve, err);
    if (status == ST_OK) {
        say_started(&serve);
        platform_notify("READY=1");
        status = run(&serve, err);
        platform_notify("STOPPING=1");
        say(&serve, "event=stopping");
    }
    stop(&serve);
    if (status == ST_OK) say(&serve, "event=stopped");
    return status;
}
