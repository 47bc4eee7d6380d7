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
    SERVE_FDS_WANTED = 65536
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

static enum status settings_take(struct serve *serve, struct err *err) {
    struct server *server = serve->server;
    struct server_settings *s = &serve->settings;
    const char *listen = command_value(server->line, "--listen"),
               *unix_path = command_value(server->line, "--unix");
    const char *cert = command_value(server->line, "--cert"),
               *key = command_value(server->line, "--key");
    const char *url = command_value(server->line, "--public-url");
    int64_t workers;
    TRY(server_settings_read(server, s, err));
    TRY(command_number(server->line, "--workers", 1, GATE_WORKERS_MAX, 4, &workers, err));
    serve->workers = (unsigned)workers;
    if (listen) s->listen = listen;
    if (unix_path)
        s->unix_path = unix_path;
    else if (listen)
        s->unix_path = "";
    if (cert) s->cert = cert;
    if (key) s->key = key;
    if (url && strcmp(url, s->public_url) != 0) {
        s->public_url = url;
        TRY(server_settings_write(server, s, err)); /* links made from now on name it */
    }
    if ((cert != NULL) != (key != NULL))
        return err_set(err, ST_USAGE, "--cert and --key belong together",
                       "--cert 与 --key 须同时给出");
    return s->unix_path[0] ? ST_OK : listen_read(serve, err);
}

static struct http_config http_config_of(struct serve *serve) {
    const struct server_settings *s = &serve->settings;
    bool behind_proxy = s->unix_path[0] != 0;
    bool plain = behind_proxy || command_has(serve->server->line, "--plain");
    return (struct http_config){.host = serve->host,
                                .port = serve->port,
                                .unix_path = behind_proxy ? s->unix_path : NULL,
                                .cert_path = plain ? NULL : s->cert,
                                .key_path = plain ? NULL : s->key,
                                .loops = GATE_LOOPS,
                                .workers = serve->workers,
                                .limits = {.body_bytes_max = WIRE_REQUEST_BYTES_MAX},
                                .handler = gate_handle,
                                .ctx = &serve->gate};
}

/* ------------------------------------------------------------------ starting and stopping */

static enum status gate_fill(struct serve *serve, struct err *err) {
    struct gate *gate = &serve->gate;
    const char *trace = command_value(serve->server->line, "--trace");
    size_t readers = serve->workers + GATE_LOOPS +
                     2; /* and the thread that looks for other processes' commits */
    struct service_config config = {.dir = serve->server->home,
                                    .catalogue = &serve->server->catalogue,
                                    .env = &serve->server->env,
                                    .readers = readers};
    gate->env = &serve->server->env;
    gate->log_idle = command_has(serve->server->line, "--verbose");
    TRY(service_open(&config, &gate->service, err));
    TRY(readers_open(readers, &gate->readers, err));
    TRY(writers_open(gate, &gate->writers, err));
    TRY(waits_open(gate, &gate->waits, err));
    if (trace) TRY(trace_open(trace, &gate->trace, err));
    return ST_OK;
}

static enum status start(struct serve *serve, struct err *err) {
    TRY(platform_signals_open(&serve->signal_fd, err));
    (void)platform_raise_fd_limit(SERVE_FDS_WANTED);
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
        platform_notify("WATCHDOG=1");
    }
}

enum status server_cmd_serve(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    struct serve serve = {.server = server, .signal_fd = -1};
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
