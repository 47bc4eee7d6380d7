/* The listener on real sockets: what is on the wire to the byte, who waits for whom, and what happens to
 * requests whose client, time or server comes to an end. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "fault.h"
#include "syncd/http/http.h"
#include "syncd/platform/platform.h"

/* ------------------------------------------------------------------ a server to talk to */

enum { WAITING_MAX = 256, BIG_BYTES = 8 * 1024 * 1024 };

struct app {
    struct arena mem;
    const char *dir;
    struct http_config config;
    struct http_server *server;
    struct platform_mutex *mutex;
    struct http_request *waiting[WAITING_MAX];   /* under mutex */
    size_t count;
    atomic_int waits, ends, gones, blocks, jobs;
    atomic_bool release;
};

static void reply_text(struct http_request *request, const char *text) {
    http_reply(request, 200, NULL, 0, slice_from(text));
}

static struct http_request *take(struct app *app, const struct http_request *wanted) {
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
    if (take(app, request) != NULL) reply_text(request, "end");
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
    if (strcmp(path, "/work-wait") == 0) wait_here(app, request);
    else http_reply(request, 200, NULL, 0, http_body(request));
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
    if (strcmp(path, "/hello") == 0) http_reply(request, 200, fields, 2, SLICE("hi"));
    else if (strcmp(path, "/seen") == 0) reply_seen(request);
    else if (strcmp(path, "/none") == 0) http_reply(request, 204, NULL, 0, SLICE(""));
    else if (strcmp(path, "/echo") == 0) http_reply(request, 200, NULL, 0, http_body(request));
    else if (strcmp(path, "/big") == 0) reply_big(request);
    else if (strcmp(path, "/wait") == 0) wait_here(app, request);
    else if (strncmp(path, "/work", 5) == 0) http_offload(request, work, app);
    else if (strcmp(path, "/block") == 0) {
        block_here(app);
        reply_text(request, "unblocked");
    } else http_reply_problem(request, 404);
}

static struct app *app_new(void) {
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

static void app_start(struct app *app) {
    struct err err;
    CHECK_OK(http_open(&app->config, &app->server, &err));
    CHECK_OK(http_start(app->server, &err));
}

static struct app *app_started(void) {
    struct app *app = app_new();
    app_start(app);
    return app;
}

static void app_free(struct app *app) {
    struct err err;
    http_close(app->server);
    CHECK_OK(platform_remove_tree(app->dir, &err));
    platform_mutex_free(app->mutex);
    arena_clear(&app->mem);
    free(app);
}

static const char *app_path(struct app *app, const char *name) {
    return arena_printf(&app->mem, "%s/%s", app->dir, name);
}

static void make_certificate(struct app *app) {
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    struct err err;
    app->config.cert_path = app_path(app, "cert.pem");
    app->config.key_path = app_path(app, "key.pem");
    CHECK_OK(http_make_certificate(names, 3, 365, app->config.cert_path, app->config.key_path, &err));
}

static bool reaches(atomic_int *value, int wanted) {
    for (int i = 0; i < 5000 && atomic_load(value) < wanted; i++) platform_sleep_ms(1);
    return atomic_load(value) == wanted;
}

static bool connections_reach(const struct app *app, unsigned wanted) {
    for (int i = 0; i < 5000 && http_connections(app->server) != wanted; i++) platform_sleep_ms(1);
    return http_connections(app->server) == wanted;
}

/* ------------------------------------------------------------------ a client without a library */

static int set_patience(int fd) {
    struct timeval patience = {10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static int dial(const struct app *app) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_port(app->server))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return set_patience(fd);
}

static void say_bytes(int fd, struct slice bytes) {
    while (bytes.len > 0) {
        ssize_t put = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (put <= 0) return;            /* the server may have heard enough */
        bytes.data += put;
        bytes.len -= (size_t)put;
    }
}

static void say(int fd, const char *text) { say_bytes(fd, slice_from(text)); }

/* Reads exactly the expected text. */
static void hear(int fd, const char *expected) {
    char text[4096] = {0};
    size_t len = strlen(expected);
    CHECK(len < sizeof text);
    ssize_t got = recv(fd, text, len, MSG_WAITALL);
    CHECK(got >= 0);
    CHECK_TEXT(text, expected);
}

static void hear_end(int fd) {
    char byte;
    CHECK_INT(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

#define ASK(method, path) method " " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET(path) ASK("GET", path)
#define OK_TEXT(length, text) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" text
#define PROBLEM(code, title, length, connection)                                                     \
    "HTTP/1.1 " code " " title "\r\nContent-Type: application/problem+json\r\nContent-Length: "      \
    length "\r\n" connection "\r\n{\"type\":\"about:blank\",\"title\":\"" title "\",\"status\":" code "}"
#define CHUNKED(coding)                                                                              \
    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: " coding "\r\n\r\n"
#define CLOSE "Connection: close\r\n"

/* ------------------------------------------------------------------ the wire */

TEST(a_reply_is_exactly_what_was_given) {
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, GET("/hello"));
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\nhi");
    say(fd, GET("/none"));
    hear(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    say(fd, ASK("HEAD", "/hello"));
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\n");
    say(fd, GET("/missing"));
    hear(fd, PROBLEM("404", "Not Found", "55", ""));
    say(fd, "GET /seen?a=b%20c&d HTTP/1.1\r\nHost: h\r\nX-Odd:  \t v w \t\r\n\r\n");
    hear(fd, OK_TEXT("39", "GET|/seen|a=b%20c&d|v w|127.0.0.1|plain"));
    say(fd, "GET http://h:1/seen HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, OK_TEXT("31", "GET|/seen||none|127.0.0.1|plain"));
    say(fd, "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Close\r\n\r\n");
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    hear_end(fd);
    app_free(app);
}

TEST(old_clients_are_served_as_they_expect) {
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, "GET /echo HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    say(fd, "GET /echo HTTP/1.0\r\n\r\n");
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    hear_end(fd);
    app_free(app);
}

TEST(requests_sent_ahead_are_answered_in_order) {
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, "\r\nPOST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo"
            "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nthree");
    hear(fd, OK_TEXT("3", "one") OK_TEXT("3", "two") OK_TEXT("5", "three"));
    close(fd);
    app_free(app);
}

TEST(a_flood_sent_ahead_waits_unread_and_is_answered) {
    enum { FLOOD = 2000 };
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, GET("/block"));
    CHECK(reaches(&app->blocks, 1));
    for (int i = 0; i < FLOOD; i++) say(fd, GET("/work"));
    atomic_store(&app->release, true);
    hear(fd, OK_TEXT("9", "unblocked"));
    for (int i = 0; i < FLOOD; i++) hear(fd, OK_TEXT("0", ""));
    close(fd);
    app_free(app);
}

TEST(a_request_may_come_in_any_pieces) {
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"a length", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"},
        {"chunks", CHUNKED("chunked") "1\r\nb\r\n03;x=\"y\"\r\nody\r\n0\r\nT: v\r\n\r\n"},
    };
    struct app *app = app_started();
    int fd = dial(app), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for EACH(row, rows) {
        struct slice whole = slice_from(row->text);
        for (size_t piece = 1; piece <= whole.len; piece += piece < 8 ? 1 : 17) {
            for (size_t at = 0; at < whole.len; at += piece) {
                size_t left = whole.len - at;
                say_bytes(fd, slice_of(whole.data + at, left < piece ? left : piece));
            }
            hear(fd, OK_TEXT("4", "body"));
        }
        say_bytes(fd, whole);            /* and two at once */
        say_bytes(fd, whole);
        hear(fd, OK_TEXT("4", "body") OK_TEXT("4", "body"));
    }
    close(fd);
    app_free(app);
}

TEST(a_client_that_asks_first_is_told_to_go_on) {
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    hear(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "ok");
    hear(fd, OK_TEXT("2", "ok"));
    close(fd);
    app_free(app);
}

TEST(malformed_requests_are_refused) {
    static const struct {
        const char *name, *text, *start;
    } rows[] = {
        {"not HTTP", "hello there\r\n\r\n", "HTTP/1.1 400 "},
        {"later version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505 "},
        {"no path", "GET seen HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
        {"no host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
        {"bare line feed", "GET / HTTP/1.1\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
        {"folded field", "GET / HTTP/1.1\r\nHost: h\r\n more\r\n\r\n", "HTTP/1.1 400 "},
        {"blank before colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "HTTP/1.1 400 "},
        {"no colon", "GET / HTTP/1.1\r\nHost: h\r\nx\r\n\r\n", "HTTP/1.1 400 "},
        {"control character", "GET / HTTP/1.1\r\nHost: h\x01\r\n\r\n", "HTTP/1.1 400 "},
        {"blank in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
        {"equal lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
         "HTTP/1.1 400 "},
        {"signed length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx", "HTTP/1.1 400 "},
        {"list of lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\nx",
         "HTTP/1.1 400 "},
        {"huge length",
         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nx", "HTTP/1.1 400 "},
        {"two framings",
         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
         "HTTP/1.1 400 "},
        {"unknown coding", CHUNKED("gzip") "", "HTTP/1.1 501 "},
        {"two codings", CHUNKED("chunked\r\nTransfer-Encoding: chunked") "0\r\n\r\n", "HTTP/1.1 400 "},
        {"old and chunked", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "HTTP/1.1 400 "},
        {"chunk without size", CHUNKED("chunked") "\r\nx\r\n", "HTTP/1.1 400 "},
        {"chunk size in words", CHUNKED("chunked") "one\r\n", "HTTP/1.1 400 "},
        {"chunk size signed", CHUNKED("chunked") "-1\r\n", "HTTP/1.1 400 "},
        {"chunk size too long", CHUNKED("chunked") "000000001\r\n", "HTTP/1.1 400 "},
        {"chunk longer than said", CHUNKED("chunked") "1\r\nxy\r\n", "HTTP/1.1 400 "},
        {"bare line feed in a size", CHUNKED("chunked") "1;\nx\r\n", "HTTP/1.1 400 "},
        {"chunk over the limit", CHUNKED("chunked") "ffffffff\r\n", "HTTP/1.1 413 "},
        {"unknown expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", "HTTP/1.1 417 "},
    };
    struct app *app = app_started();
    for EACH(row, rows) {
        char text[14] = {0};
        int fd = dial(app);
        say(fd, row->text);
        CHECK_ROW_INT(row, recv(fd, text, 13, MSG_WAITALL), 13);
        CHECK_ROW_TEXT(row, text, row->start);
        char rest[1024];
        ssize_t got;
        do got = recv(fd, rest, sizeof rest, 0);
        while (got > 0);
        CHECK_ROW_INT(row, got, 0);
        close(fd);
    }
    app_free(app);
}

TEST(a_zero_byte_in_a_head_is_refused) {
    struct app *app = app_started();
    int fd = dial(app);
    say_bytes(fd, SLICE("GET / HTTP/1.1\r\nHost: h\0x\r\n\r\n"));
    hear(fd, PROBLEM("400", "Bad Request", "57", CLOSE));
    hear_end(fd);
    app_free(app);
}

TEST(too_large_bodies_and_heads_are_refused) {
    struct app *app = app_new();
    app->config.limits.body_bytes_max = 10;
    app->config.limits.header_bytes_max = 1024;
    app_start(app);
    int fd = dial(app);
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789");
    hear(fd, OK_TEXT("10", "0123456789"));
    say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
    hear(fd, PROBLEM("413", "Content Too Large", "63", CLOSE));
    char *junk = malloc(500000);
    memset(junk, 'x', 500000);
    say_bytes(fd, slice_of(junk, 500000));       /* must not reset the connection */
    shutdown(fd, SHUT_WR);
    hear_end(fd);
    fd = dial(app);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    say_bytes(fd, slice_of(junk, 2000));
    hear(fd, PROBLEM("431", "Request Header Fields Too Large", "77", CLOSE));
    hear_end(fd);
    fd = dial(app);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 64; i++) say(fd, "X: y\r\n");
    say(fd, "\r\n");
    hear(fd, PROBLEM("431", "Request Header Fields Too Large", "77", CLOSE));
    hear_end(fd);
    free(junk);
    app_free(app);
}

TEST(a_slow_reader_gets_all_of_a_large_reply) {
    struct app *app = app_started();
    int fd = dial(app), small = 64 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, GET("/big"));
    hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n");
    shutdown(fd, SHUT_WR);
    char *bytes = malloc(BIG_BYTES);
    platform_sleep_ms(20);
    CHECK_INT(recv(fd, bytes, BIG_BYTES, MSG_WAITALL), BIG_BYTES);
    CHECK_INT(bytes[BIG_BYTES - 1], 'b');
    hear_end(fd);
    free(bytes);
    app_free(app);
}

/* ------------------------------------------------------------------ time limits */

TEST(slow_clients_are_cut) {
    struct app *app = app_new();
    app->config.limits.read_timeout_s = 1;
    app->config.limits.idle_timeout_s = 1;
    app->config.limits.rate_bytes_s_min = 1000000;
    app_start(app);
    int idle = dial(app), head = dial(app), body = dial(app), reader = dial(app);
    say(head, "GET /hel");
    say(body, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
    say(reader, GET("/big"));
    /* One byte now and then does not help. */
    for (int i = 0; i < 4; i++) {
        platform_sleep_ms(200);
        say(head, "l");
    }
    hear(head, PROBLEM("408", "Request Timeout", "61", CLOSE));
    hear_end(head);
    hear(body, PROBLEM("408", "Request Timeout", "61", CLOSE));
    hear_end(body);
    hear_end(idle);
    CHECK(connections_reach(app, 0));    /* who does not read its reply is cut as well */
    close(reader);
    app_free(app);
}

TEST(an_idle_connection_lives_on_after_each_request) {
    struct app *app = app_new();
    app->config.limits.idle_timeout_s = 1;
    app_start(app);
    int fd = dial(app);
    for (int i = 0; i < 3; i++) {
        platform_sleep_ms(500);
        say(fd, GET("/echo"));
        hear(fd, OK_TEXT("0", ""));
    }
    hear_end(fd);
    app_free(app);
}

/* ------------------------------------------------------------------ threads */

TEST(a_blocked_loop_does_not_hold_the_other) {
    struct app *app = app_started();
    int first = dial(app), second = dial(app);   /* handed out in turn */
    say(first, GET("/echo"));
    hear(first, OK_TEXT("0", ""));
    say(second, GET("/block"));
    CHECK(reaches(&app->blocks, 1));
    say(first, GET("/echo"));
    hear(first, OK_TEXT("0", ""));
    atomic_store(&app->release, true);
    hear(second, OK_TEXT("9", "unblocked"));
    close(first);
    close(second);
    app_free(app);
}

TEST(offloaded_work_does_not_hold_the_loop) {
    struct app *app = app_new();
    app->config.loops = 1;
    app_start(app);
    int first = dial(app), second = dial(app);
    say(first, GET("/work-block"));
    CHECK(reaches(&app->blocks, 1));
    say(second, "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nworker");
    hear(second, OK_TEXT("6", "worker"));
    atomic_store(&app->release, true);
    hear(first, OK_TEXT("0", ""));
    close(first);
    close(second);
    app_free(app);
}

TEST(without_workers_the_loop_does_the_work) {
    struct app *app = app_new();
    app->config.workers = 0;
    app_start(app);
    int fd = dial(app);
    say(fd, "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
    hear(fd, OK_TEXT("2", "ok"));
    close(fd);
    app_free(app);
}

/* ------------------------------------------------------------------ waiting requests */

TEST(a_waiting_request_is_answered_from_another_thread) {
    static const struct {
        const char *name, *text;
    } rows[] = {{"parked by the handler", GET("/wait")}, {"parked by a worker", GET("/work-wait")}};
    for EACH(row, rows) {
        struct app *app = app_started();
        int fd = dial(app);
        for (int i = 1; i <= 20; i++) {
            say(fd, row->text);
            CHECK_ROW(row, reaches(&app->waits, i));
            reply_text(take(app, NULL), "news");
            hear(fd, OK_TEXT("4", "news"));
        }
        CHECK_ROW_INT(row, atomic_load(&app->ends), 0);
        close(fd);
        app_free(app);
    }
}

TEST(a_waiting_request_ends_with_its_time) {
    struct app *app = app_started();
    int fd = dial(app);
    int64_t before_ms = platform_mono_ms();
    say(fd, GET("/wait?50"));
    hear(fd, OK_TEXT("3", "end"));
    CHECK(platform_mono_ms() - before_ms >= 50);
    CHECK_INT(atomic_load(&app->ends), 1);
    say(fd, GET("/work-wait?1"));
    hear(fd, OK_TEXT("3", "end"));
    CHECK_INT(atomic_load(&app->gones), 0);
    close(fd);
    app_free(app);
}

TEST(a_waiting_request_outlives_its_client) {
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, GET("/wait"));
    CHECK(reaches(&app->waits, 1));
    struct http_request *request = take(app, NULL);      /* so that its end does not answer it */
    close(fd);
    CHECK(reaches(&app->gones, 1));
    CHECK(connections_reach(app, 0));
    CHECK(http_is_gone(request));
    CHECK_TEXT(http_path(request), "/wait");
    reply_text(request, "too late");
    fd = dial(app);
    say(fd, GET("/wait"));
    CHECK(reaches(&app->waits, 2));
    close(fd);                                           /* answered by its end */
    CHECK(reaches(&app->ends, 2));
    app_free(app);
}

TEST(work_outlives_its_client) {
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, GET("/work-block"));
    CHECK(reaches(&app->blocks, 1));
    close(fd);
    CHECK(connections_reach(app, 0));
    atomic_store(&app->release, true);
    fd = dial(app);
    say(fd, GET("/echo"));
    hear(fd, OK_TEXT("0", ""));
    close(fd);
    app_free(app);
}

struct racer {
    struct app *app;
    atomic_bool done;
    int answered;
};

static void answer_all(void *ctx) {
    struct racer *racer = ctx;
    while (!atomic_load(&racer->done)) {
        struct http_request *request = take(racer->app, NULL);
        if (request == NULL) continue;
        reply_text(request, "end");
        racer->answered++;
    }
}

TEST(news_times_and_closing_clients_may_race) {
    struct err err;
    struct app *app = app_started();
    struct racer racer = {.app = app};
    struct platform_thread *thread;
    CHECK_OK(platform_thread_start(answer_all, &racer, &thread, &err));
    int fds[8];
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
            fds[i] = dial(app);
            say(fds[i], i % 2 ? GET("/wait?1") : GET("/work-wait?0"));
        }
        for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
            if (i % 4 < 2) hear(fds[i], OK_TEXT("3", "end"));
            close(fds[i]);
        }
    }
    CHECK(connections_reach(app, 0));
    CHECK(reaches(&app->waits, 480));
    atomic_store(&racer.done, true);
    platform_thread_join(thread);
    app_free(app);
}

/* ------------------------------------------------------------------ the end, limits, timers */

struct stopper {
    struct app *app;
    int64_t grace_ms;
};

static void stop_server(void *ctx) {
    struct stopper *stopper = ctx;
    http_stop(stopper->app->server, stopper->grace_ms);
}

TEST(stopping_lets_requests_in_hand_finish) {
    struct err err;
    struct app *app = app_started();
    struct platform_thread *thread;
    struct stopper stopper = {app, 10000};
    int busy = dial(app), idle = dial(app), waiting = dial(app);
    say(idle, GET("/echo"));
    hear(idle, OK_TEXT("0", ""));
    say(waiting, GET("/wait"));
    CHECK(reaches(&app->waits, 1));
    say(busy, GET("/work-block"));
    CHECK(reaches(&app->blocks, 1));
    CHECK_OK(platform_thread_start(stop_server, &stopper, &thread, &err));
    hear_end(idle);
    hear(waiting, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nend");
    hear_end(waiting);
    atomic_store(&app->release, true);
    hear(busy, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    hear_end(busy);
    platform_thread_join(thread);
    CHECK_INT(http_connections(app->server), 0);
    app_free(app);
}

TEST(stopping_cuts_what_takes_too_long) {
    struct err err;
    struct app *app = app_started();
    struct platform_thread *thread;
    struct stopper stopper = {app, 50};
    int busy = dial(app), half = dial(app);
    say(busy, GET("/work-block"));
    say(half, "GET /ec");
    CHECK(reaches(&app->blocks, 1));
    CHECK_OK(platform_thread_start(stop_server, &stopper, &thread, &err));
    hear_end(busy);
    hear_end(half);
    atomic_store(&app->release, true);
    platform_thread_join(thread);
    app_free(app);
}

TEST(closing_frees_requests_that_nobody_answered) {
    struct app *app = app_started();
    int fd = dial(app);
    say(fd, GET("/wait"));
    CHECK(reaches(&app->waits, 1));
    CHECK(take(app, NULL) != NULL);
    app_free(app);
    hear_end(fd);
}

TEST(a_server_that_was_never_started_closes) {
    struct err err;
    struct app *app = app_new();
    CHECK_OK(http_open(&app->config, &app->server, &err));
    struct http_server *second;
    struct http_config same = app->config;
    same.port = http_port(app->server);
    CHECK(same.port != 0);
    CHECK_STATUS(http_open(&same, &second, &err), ST_BUSY);
    same.host = "host.invalid";
    CHECK_STATUS(http_open(&same, &second, &err), ST_NOT_FOUND);
    app_free(app);
    http_close(NULL);
}

TEST(opening_survives_any_allocation_that_fails) {
    struct app *app = app_new();
    make_certificate(app);
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        struct err err;
        struct http_server *server = NULL;
        fault_arm(n);
        enum status status = http_open(&app->config, &server, &err);
        if (status == ST_OK) status = http_start(server, &err);
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(status, fired ? ST_NO_MEMORY : ST_OK);
        http_close(server);
    }
    app_free(app);
}

TEST(serving_survives_any_allocation_that_fails) {
    struct app *app = app_started();
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        char text[512] = {0};
        size_t len = 0;
        ssize_t got;
        fault_arm(n);
        int fd = dial(app);
        say(fd, "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        while ((got = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0) len += (size_t)got;
        fired = fault_fired();
        fault_disarm();
        close(fd);
        bool whole = strcmp(text, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok") == 0;
        CHECK(whole || (fired && (len == 0 || strncmp(text, "HTTP/1.1 503 ", 13) == 0)));
        CHECK(connections_reach(app, 0));
    }
    app_free(app);
}

TEST(connections_have_a_limit) {
    struct app *app = app_new();
    app->config.limits.connections_max = 2;
    app_start(app);
    int first = dial(app), second = dial(app);
    CHECK(connections_reach(app, 2));
    hear_end(dial(app));
    close(first);
    CHECK(connections_reach(app, 1));
    int third = dial(app);
    say(third, GET("/echo"));
    hear(third, OK_TEXT("0", ""));
    close(second);
    close(third);
    app_free(app);
}

static void count_job(void *ctx) {
    struct app *app = ctx;
    atomic_fetch_add(&app->jobs, 1);
}

TEST(a_timer_runs_once_and_not_after_the_end) {
    struct err err;
    struct app *app = app_started();
    int64_t before_ms = platform_mono_ms();
    CHECK_OK(http_after(app->server, 30, count_job, app, &err));
    CHECK_OK(http_after(app->server, 60000, count_job, app, &err));
    CHECK(reaches(&app->jobs, 1));
    CHECK(platform_mono_ms() - before_ms >= 30);
    http_stop(app->server, 0);
    CHECK_OK(http_after(app->server, 0, count_job, app, &err));
    CHECK_INT(atomic_load(&app->jobs), 1);
    app_free(app);
}

TEST(a_unix_socket_serves_a_proxy) {
    struct err err;
    struct app *app = app_new();
    app->config.unix_path = app_path(app, "socket");
    app_start(app);
    struct http_server *second;
    CHECK_STATUS(http_open(&app->config, &second, &err), ST_BUSY);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, app->config.unix_path, strlen(app->config.unix_path));
    int fd = set_patience(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    say(fd, "GET /seen HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n\r\n");
    hear(fd, OK_TEXT("33", "GET|/seen||none|203.0.113.9|plain"));
    say(fd, GET("/seen"));
    hear(fd, OK_TEXT("26", "GET|/seen||none|unix|plain"));
    close(fd);
    http_stop(app->server, 0);
    CHECK(!platform_exists(app->config.unix_path));
    app_free(app);
}

TEST(a_socket_left_behind_is_replaced) {
    struct app *app = app_new();
    app->config.unix_path = app_path(app, "socket");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, app->config.unix_path, strlen(app->config.unix_path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(fd, (const struct sockaddr *)&at, sizeof at) == 0);
    close(fd);
    app_start(app);
    app_free(app);
}

/* ------------------------------------------------------------------ TLS */

static size_t collect(char *bytes, size_t one, size_t count, void *ctx) {
    buf_put(ctx, bytes, one * count);
    return one * count;
}

static CURL *browser(struct app *app, const char *path, struct buf *body) {
    struct err err;
    char pin[HTTP_PIN_BYTES];
    CHECK_OK(http_certificate_pin(app->config.cert_path, pin, &err));
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, arena_printf(&app->mem, "https://127.0.0.1:%u%s",
                                                     http_port(app->server), path));
    curl_easy_setopt(curl, CURLOPT_CAINFO, app->config.cert_path);
    curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    return curl;
}

TEST(tls_serves_who_knows_the_key) {
    struct app *app = app_new();
    make_certificate(app);
    app_start(app);
    struct buf body = buf_new(BUF_MAX_LINE);
    CURL *curl = browser(app, "/seen", &body);
    for (int i = 0; i < 3; i++) {
        buf_reset(&body);
        CHECK_INT(curl_easy_perform(curl), CURLE_OK);
        CHECK_SLICE(buf_slice(&body), "GET|/seen||none|127.0.0.1|tls");
    }
    long connects = -1;
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
    CHECK_INT(connects, 0);              /* the first connection was kept */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY,
                     "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    CHECK_INT(curl_easy_perform(curl), CURLE_SSL_PINNEDPUBKEYNOTMATCH);
    curl_easy_cleanup(curl);
    buf_free(&body);
    app_free(app);
}

TEST(tls_carries_large_bodies_both_ways) {
    struct app *app = app_new();
    make_certificate(app);
    app->config.limits.body_bytes_max = BIG_BYTES;
    app_start(app);
    struct buf body = buf_new(BUF_MAX_MESSAGE);
    char *sent = malloc(BIG_BYTES);
    for (size_t i = 0; i < BIG_BYTES; i++) sent[i] = (char)(i * 31 >> 3);
    CURL *curl = browser(app, "/work", &body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)BIG_BYTES);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);    /* curl asks with Expect: 100-continue */
    for (int i = 0; i < 2; i++) {
        buf_reset(&body);
        CHECK_INT(curl_easy_perform(curl), CURLE_OK);
        CHECK_INT(body.len, BIG_BYTES);
        CHECK(memcmp(body.data, sent, BIG_BYTES) == 0);
    }
    curl_easy_cleanup(curl);
    free(sent);
    buf_free(&body);
    app_free(app);
}

TEST(tls_clients_may_wait_and_vanish) {
    struct app *app = app_new();
    make_certificate(app);
    app_start(app);
    struct buf body = buf_new(BUF_MAX_LINE);
    CURL *curl = browser(app, "/wait?60000", &body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 300L);
    CHECK_INT(curl_easy_perform(curl), CURLE_OPERATION_TIMEDOUT);
    CHECK(reaches(&app->gones, 1));
    curl_easy_setopt(curl, CURLOPT_URL, arena_printf(&app->mem, "https://127.0.0.1:%u/wait?20",
                                                     http_port(app->server)));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
    CHECK_INT(curl_easy_perform(curl), CURLE_OK);
    CHECK_SLICE(buf_slice(&body), "end");
    curl_easy_cleanup(curl);
    int plain = dial(app);               /* no TLS at all: cut, without an answer that makes sense */
    say(plain, GET("/echo"));
    char bytes[64];
    while (recv(plain, bytes, sizeof bytes, 0) > 0) continue;
    close(plain);
    CHECK(connections_reach(app, 0));
    buf_free(&body);
    app_free(app);
}

TEST(a_certificate_names_its_hosts_and_hides_its_key) {
    static const char *const good[] = {"roadbook.example"};
    static const char *const bad[] = {"a,DNS:b"};
    struct err err;
    struct app *app = app_new();
    make_certificate(app);
    struct stat info;
    char pin[HTTP_PIN_BYTES], other[HTTP_PIN_BYTES];
    CHECK(stat(app->config.key_path, &info) == 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    CHECK_OK(http_certificate_pin(app->config.cert_path, pin, &err));
    CHECK_INT(strlen(pin), HTTP_PIN_BYTES - 1);
    CHECK(strncmp(pin, "sha256//", 8) == 0);
    const char *cert = app_path(app, "c"), *key = app_path(app, "k");
    CHECK_STATUS(http_make_certificate(bad, 1, 365, cert, key, &err), ST_INVALID);
    CHECK_STATUS(http_make_certificate(good, 0, 365, cert, key, &err), ST_INVALID);
    CHECK_OK(http_make_certificate(good, 1, 365, cert, key, &err));
    CHECK_OK(http_certificate_pin(cert, other, &err));
    CHECK(strcmp(pin, other) != 0);
    CHECK_STATUS(http_certificate_pin(key, other, &err), ST_INVALID);
    CHECK_STATUS(http_certificate_pin(app_path(app, "no"), other, &err), ST_NOT_FOUND);
    app->config.key_path = key;          /* the key of another certificate */
    CHECK_STATUS(http_open(&app->config, &app->server, &err), ST_INVALID);
    app->config.cert_path = app->config.key_path = NULL;
    app_free(app);
}
