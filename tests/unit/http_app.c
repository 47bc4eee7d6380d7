/* What the app answers: /hello /seen /none /echo /big at once, /work... on a worker, /wait?ms
 * later. */
#include "http_app.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* ------------------------------------------------------------------ a server to talk to */

void app_reply(struct http_request *request, const char *text) {
    http_reply(request, 200, NULL, 0, slice_from(text));
}

struct http_request *app_take(struct app *app, const struct http_request *wanted) {
    struct http_request *found = NULL;
    platform_lock(app->mutex);
    for (size_t i = 0; i < app->count && found == NULL; i++) {
        if (wanted != NULL && app->waiting[i] != wanted) continue;
        found = app->waiting[i];
        app->waiting[i] = app->waiting[--app->count];
    }
    platform_release(app->mutex);
    return found;
}

static void on_wait_end(void *ctx, struct http_request *request) {
    struct app *app = ctx;
    atomic_fetch_add(&app->ends, 1);
    if (http_is_gone(request)) atomic_fetch_add(&app->gones, 1);
    if (app_take(app, request) != NULL) app_reply(request, "end");
}

static void wait_here(struct app *app, struct http_request *request) {
    int64_t timeout_ms = 60000;
    (void)text_to_int(slice_from(http_query(request)), &timeout_ms);
    http_park(request, timeout_ms, on_wait_end, app);
    platform_lock(app->mutex);
    CHECK(app->count < WAITING_MAX);
    app->waiting[app->count++] = request;
    platform_release(app->mutex);
    atomic_fetch_add(&app->waits, 1);
}

static void block_here(struct app *app) {
    atomic_fetch_add(&app->blocks, 1);
    while (!atomic_load(&app->release)) platform_sleep_ms(1);
}

static void work(void *ctx, struct http_request *request) {
    struct app *app = ctx;
    const char *path = http_path(request);
    if (strcmp(path, "/work-block") == 0) block_here(app);
    if (strcmp(path, "/work-wait") == 0)
        wait_here(app, request);
    else
        http_reply(request, 200, NULL, 0, http_body(request));
}

static void reply_big(struct http_request *request) {
    char *bytes = malloc(BIG_BYTES);
    CHECK(bytes != NULL);
    memset(bytes, 'b', BIG_BYTES);
    http_reply(request, 200, NULL, 0, slice_of(bytes, BIG_BYTES));
    free(bytes);
}

static void reply_seen(struct http_request *request) {
    struct buf text = buf_new(BUF_MAX_LINE);
    const char *odd = http_header(request, "x-ODD");
    buf_printf(&text, "%s|%s|%s|%s|%s|%s", http_method(request), http_path(request),
               http_query(request), odd != NULL ? odd : "none", http_peer(request),
               http_is_tls(request) ? "tls" : "plain");
    http_reply(request, 200, NULL, 0, buf_slice(&text));
    buf_free(&text);
}

static void handle(void *ctx, struct http_request *request) {
    static const struct http_field fields[] = {{"Content-Type", "text/plain"}, {"ETag", "\"1\""}};
    struct app *app = ctx;
    const char *path = http_path(request);
    if (strcmp(path, "/hello") == 0)
        http_reply(request, 200, fields, 2, SLICE("hi"));
    else if (strcmp(path, "/seen") == 0)
        reply_seen(request);
    else if (strcmp(path, "/none") == 0)
        http_reply(request, 204, NULL, 0, SLICE(""));
    else if (strcmp(path, "/echo") == 0)
        http_reply(request, 200, NULL, 0, http_body(request));
    else if (strcmp(path, "/charge") == 0)
        app_reply(request, http_charge(request, HTTP_PURSE_REQUESTS, 10) == 0 ? "yes" : "no");
    else if (strcmp(path, "/big") == 0)
        reply_big(request);
    else if (strcmp(path, "/wait") == 0)
        wait_here(app, request);
    else if (strncmp(path, "/work", 5) == 0)
        http_offload(request, work, app);
    else if (strcmp(path, "/block") == 0) {
        block_here(app);
        app_reply(request, "unblocked");
    } else
        http_reply_problem(request, 404);
}

struct app *app_new(void) {
    struct err err;
    struct app *app = calloc(1, sizeof *app);
    CHECK(app != NULL);
    app->mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(platform_temp_dir(&app->mem, &app->dir, &err));
    app->mutex = platform_mutex_new();
    app->config = (struct http_config){
        .host = "127.0.0.1", .loops = 2, .workers = 2, .handler = handle, .ctx = app};
    return app;
}

void app_start(struct app *app) {
    struct err err;
    CHECK_OK(http_open(&app->config, &app->server, &err));
    CHECK_OK(http_start(app->server, &err));
}

struct app *app_started(void) {
    struct app *app = app_new();
    app_start(app);
    return app;
}

void app_free(struct app *app) {
    struct err err;
    http_close(app->server);
    CHECK_OK(platform_remove_tree(app->dir, &err));
    platform_mutex_free(app->mutex);
    arena_clear(&app->mem);
    free(app);
}

const char *app_path(struct app *app, const char *name) {
    return arena_printf(&app->mem, "%s/%s", app->dir, name);
}

void app_certify(struct app *app) {
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    struct err err;
    app->config.cert_path = app_path(app, "cert.pem");
    app->config.key_path = app_path(app, "key.pem");
    CHECK_OK(
        http_make_certificate(names, 3, 365, app->config.cert_path, app->config.key_path, &err));
}

bool app_reaches(atomic_int *value, int wanted) {
    for (int i = 0; i < 5000 && atomic_load(value) < wanted; i++) platform_sleep_ms(1);
    return atomic_load(value) == wanted;
}

bool app_connections_reach(const struct app *app, unsigned wanted) {
    for (int i = 0; i < 5000 && http_connections(app->server) != wanted; i++) platform_sleep_ms(1);
    return http_connections(app->server) == wanted;
}

/* ------------------------------------------------------------------ a client without a library */

int client_patience(int fd) {
    struct timeval patience = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

int app_dial(const struct app *app) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_port(app->server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return client_patience(fd);
}

void client_say_bytes(int fd, struct slice bytes) {
    while (bytes.len > 0) {
        ssize_t put = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (put <= 0) return; /* the server may have heard enough */
        bytes.data += put;
        bytes.len -= (size_t)put;
    }
}

void client_say(int fd, const char *text) {
    client_say_bytes(fd, slice_from(text));
}

void client_hear(int fd, const char *expected) {
    char text[4096] = {0};
    size_t len = strlen(expected);
    CHECK(len < sizeof text);
    ssize_t got = recv(fd, text, len, MSG_WAITALL);
    CHECK(got >= 0);
    CHECK_TEXT(text, expected);
}

void client_hear_end(int fd) {
    char byte;
    CHECK_INT(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

void client_hear_cut(int fd) {
    char byte;
    CHECK(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
}
