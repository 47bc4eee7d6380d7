/* The listener's threads and lives: who waits for whom, and what happens to requests whose client, time or
 * server comes to an end; Unix sockets, TLS, certificates. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault.h"
#include "http_app.h"

/* ------------------------------------------------------------------ threads */

TEST(a_blocked_loop_does_not_hold_the_other) {
    struct app *app = app_started();
    int first = app_dial(app), second = app_dial(app);   /* handed out in turn */
    client_say(first, GET("/echo"));
    client_hear(first, OK_TEXT("0", ""));
    client_say(second, GET("/block"));
    CHECK(app_reaches(&app->blocks, 1));
    client_say(first, GET("/echo"));
    client_hear(first, OK_TEXT("0", ""));
    atomic_store(&app->release, true);
    client_hear(second, OK_TEXT("9", "unblocked"));
    close(first);
    close(second);
    app_free(app);
}

TEST(offloaded_work_does_not_hold_the_loop) {
    struct app *app = app_new();
    app->config.loops = 1;
    app_start(app);
    int first = app_dial(app), second = app_dial(app);
    client_say(first, GET("/work-block"));
    CHECK(app_reaches(&app->blocks, 1));
    client_say(second, "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nworker");
    client_hear(second, OK_TEXT("6", "worker"));
    atomic_store(&app->release, true);
    client_hear(first, OK_TEXT("0", ""));
    close(first);
    close(second);
    app_free(app);
}

TEST(without_workers_the_loop_does_the_work) {
    struct app *app = app_new();
    app->config.workers = 0;
    app_start(app);
    int fd = app_dial(app);
    client_say(fd, "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
    client_hear(fd, OK_TEXT("2", "ok"));
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
        int fd = app_dial(app);
        for (int i = 1; i <= 20; i++) {
            client_say(fd, row->text);
            CHECK_ROW(row, app_reaches(&app->waits, i));
            app_reply(app_take(app, NULL), "news");
            client_hear(fd, OK_TEXT("4", "news"));
        }
        CHECK_ROW_INT(row, atomic_load(&app->ends), 0);
        close(fd);
        app_free(app);
    }
}

TEST(a_waiting_request_ends_with_its_time) {
    struct app *app = app_started();
    int fd = app_dial(app);
    int64_t before_ms = platform_mono_ms();
    client_say(fd, GET("/wait?50"));
    client_hear(fd, OK_TEXT("3", "end"));
    CHECK(platform_mono_ms() - before_ms >= 50);
    CHECK_INT(atomic_load(&app->ends), 1);
    client_say(fd, GET("/work-wait?1"));
    client_hear(fd, OK_TEXT("3", "end"));
    CHECK_INT(atomic_load(&app->gones), 0);
    close(fd);
    app_free(app);
}

TEST(a_waiting_request_outlives_its_client) {
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, GET("/wait"));
    CHECK(app_reaches(&app->waits, 1));
    struct http_request *request = app_take(app, NULL);      /* so that its end does not answer it */
    close(fd);
    CHECK(app_reaches(&app->gones, 1));
    CHECK(app_connections_reach(app, 0));
    CHECK(http_is_gone(request));
    CHECK_TEXT(http_path(request), "/wait");
    app_reply(request, "too late");
    fd = app_dial(app);
    client_say(fd, GET("/wait"));
    CHECK(app_reaches(&app->waits, 2));
    close(fd);                                           /* answered by its end */
    CHECK(app_reaches(&app->ends, 2));
    app_free(app);
}

TEST(work_outlives_its_client) {
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, GET("/work-block"));
    CHECK(app_reaches(&app->blocks, 1));
    close(fd);
    CHECK(app_connections_reach(app, 0));
    atomic_store(&app->release, true);
    fd = app_dial(app);
    client_say(fd, GET("/echo"));
    client_hear(fd, OK_TEXT("0", ""));
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
        struct http_request *request = app_take(racer->app, NULL);
        if (request == NULL) continue;
        app_reply(request, "end");
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
            fds[i] = app_dial(app);
            client_say(fds[i], i % 2 ? GET("/wait?1") : GET("/work-wait?0"));
        }
        for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
            if (i % 4 < 2) client_hear(fds[i], OK_TEXT("3", "end"));
            close(fds[i]);
        }
    }
    CHECK(app_connections_reach(app, 0));
    CHECK(app_reaches(&app->waits, 480));
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
    int busy = app_dial(app), idle = app_dial(app), waiting = app_dial(app);
    client_say(idle, GET("/echo"));
    client_hear(idle, OK_TEXT("0", ""));
    client_say(waiting, GET("/wait"));
    CHECK(app_reaches(&app->waits, 1));
    client_say(busy, GET("/work-block"));
    CHECK(app_reaches(&app->blocks, 1));
    CHECK_OK(platform_thread_start(stop_server, &stopper, &thread, &err));
    client_hear_end(idle);
    client_hear(waiting, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nend");
    client_hear_end(waiting);
    atomic_store(&app->release, true);
    client_hear(busy, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client_hear_end(busy);
    platform_thread_join(thread);
    CHECK_INT(http_connections(app->server), 0);
    app_free(app);
}

TEST(stopping_cuts_what_takes_too_long) {
    struct err err;
    struct app *app = app_started();
    struct platform_thread *thread;
    struct stopper stopper = {app, 50};
    int busy = app_dial(app), half = app_dial(app);
    client_say(busy, GET("/work-block"));
    client_say(half, "GET /ec");
    CHECK(app_reaches(&app->blocks, 1));
    CHECK_OK(platform_thread_start(stop_server, &stopper, &thread, &err));
    client_hear_cut(busy);
    client_hear_cut(half);
    atomic_store(&app->release, true);
    platform_thread_join(thread);
    app_free(app);
}

TEST(closing_frees_requests_that_nobody_answered) {
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, GET("/wait"));
    CHECK(app_reaches(&app->waits, 1));
    CHECK(app_take(app, NULL) != NULL);
    app_free(app);
    client_hear_cut(fd);
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
    app_certify(app);
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
        int fd = app_dial(app);
        client_say(fd, "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        while ((got = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0) len += (size_t)got;
        fired = fault_fired();
        fault_disarm();
        close(fd);
        bool whole = strcmp(text, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok") == 0;
        CHECK(whole || (fired && (len == 0 || strncmp(text, "HTTP/1.1 503 ", 13) == 0)));
        CHECK(app_connections_reach(app, 0));
    }
    app_free(app);
}

#define LATER "Retry-After: 5\r\nContent-Length: "
#define FULL                                                                                       \
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n" LATER         \
    "65\r\nConnection: close\r\n\r\n"                                                              \
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}"
#define TOO_MANY                                                                                   \
    "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\n" LATER           \
    "63\r\nConnection: close\r\n\r\n"                                                              \
    "{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429}"

TEST(the_longest_idle_connection_makes_room) {
    struct app *app = app_new();
    app->config.loops = 1;
    app->config.limits.connections_max = 2;
    app_start(app);
    int first = app_dial(app), second = app_dial(app);
    CHECK(app_connections_reach(app, 2));
    client_say(first, GET("/echo")); /* now the second is idle for longer */
    client_hear(first, OK_TEXT("0", ""));
    int third = app_dial(app);
    client_say(third, GET("/echo"));
    client_hear(third, OK_TEXT("0", ""));
    client_hear_end(second);
    client_say(first, GET("/echo"));
    client_hear(first, OK_TEXT("0", ""));
    close(first);
    close(third);
    app_free(app);
}

TEST(a_full_server_says_so) {
    struct app *app = app_new();
    app->config.loops = 1;
    app->config.limits.connections_max = 1;
    app_start(app);
    int busy = app_dial(app);
    client_say(busy, GET("/wait"));
    CHECK(app_reaches(&app->waits, 1));
    int late = app_dial(app);
    client_say(late, GET("/echo"));
    client_hear(late, FULL);
    client_hear_end(late);
    app_reply(app_take(app, NULL), "news");
    client_hear(busy, OK_TEXT("4", "news"));
    close(busy);
    app_free(app);
}

TEST(an_address_has_so_many_connections) {
    struct app *app = app_new();
    app->config.limits.address_connections_max = 2;
    app_start(app);
    int first = app_dial(app), second = app_dial(app), third = app_dial(app);
    client_say(third, GET("/echo"));
    client_hear(third, TOO_MANY);
    client_hear_end(third);
    close(first);
    CHECK(app_connections_reach(app, 1));
    int fourth = app_dial(app);
    client_say(fourth, GET("/echo"));
    client_hear(fourth, OK_TEXT("0", ""));
    close(second);
    close(fourth);
    app_free(app);
}

TEST(an_address_opens_so_many_connections) {
    struct app *app = app_new();
    app->config.limits.address_connects_s = 1;
    app_start(app);
    int refused = 0;
    for (int i = 0; i < 22; i++) { /* 20 at once, and perhaps one more for a second that passes */
        char byte = 0;
        int fd = app_dial(app);
        client_say(fd, GET("/none"));
        CHECK(recv(fd, &byte, 1, 0) == 1);
        char rest[512] = {0};
        CHECK(recv(fd, rest, sizeof rest - 1, 0) > 0);
        refused += strncmp(rest, "TTP/1.1 429", 11) == 0;
        close(fd);
    }
    CHECK(refused == 1 || refused == 2);
    app_free(app);
}

#define FROM(address) "GET /charge HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: " address "\r\n\r\n"

TEST(each_address_has_its_tokens) {
    struct app *app = app_new();
    app->config.is_forwarded = true;
    app->config.limits.address_requests_s = 1; /* 20 at once; /charge takes 10 */
    app_start(app);
    int fd = app_dial(app);
    const struct {
        const char *ask, *hear;
    } rows[] = {
        {FROM("192.0.2.1"), OK_TEXT("3", "yes")},        {FROM("192.0.2.1"), OK_TEXT("3", "yes")},
        {FROM("192.0.2.1"), OK_TEXT("2", "no")},         {FROM("192.0.2.2"), OK_TEXT("3", "yes")},
        {FROM("2001:db8::1"), OK_TEXT("3", "yes")},      {FROM("2001:db8::2"), OK_TEXT("3", "yes")},
        {FROM("2001:db8::ffff:3"), OK_TEXT("2", "no")},  {FROM("2001:db8:0:1::1"), OK_TEXT("3", "yes")},
        {FROM("1.1.1.1, 192.0.2.1"), OK_TEXT("2", "no")},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        client_say(fd, rows[i].ask);
        client_hear(fd, rows[i].hear);
    }
    close(fd);
    app_free(app);
}

TEST(an_address_may_make_the_server_hold_so_much) {
    static uint8_t bytes[700];
    struct app *app = app_new();
    app->config.limits.held_bytes_max = 1200; /* 600 for one address */
    app_start(app);
    int small = app_dial(app), large = app_dial(app);
    client_say(small, "POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n");
    client_say_bytes(small, slice_of(bytes, 500));
    CHECK(app_reaches(&app->waits, 1));
    client_say(large, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n");
    client_say_bytes(large, slice_of(bytes, 200));
    client_hear(large, FULL);
    close(large);
    app_reply(app_take(app, NULL), "news");
    client_hear(small, OK_TEXT("4", "news"));
    large = app_dial(app);
    client_say(large, "POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n");
    client_say_bytes(large, slice_of(bytes, 200));
    client_hear(large, "HTTP/1.1 204 No Content\r\n\r\n");
    close(small);
    close(large);
    app_free(app);
}

TEST(many_requests_sent_ahead_take_turns_with_others) {
    enum { AHEAD = 2000 };
    struct app *app = app_new();
    app->config.loops = 1;
    app_start(app);
    int flood = app_dial(app), other = app_dial(app);
    for (int i = 0; i < AHEAD; i++) client_say(flood, GET("/none"));
    client_say(other, GET("/echo"));
    client_hear(other, OK_TEXT("0", ""));
    for (int i = 0; i < AHEAD; i++) client_hear(flood, "HTTP/1.1 204 No Content\r\n\r\n");
    close(flood);
    close(other);
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
    CHECK(app_reaches(&app->jobs, 1));
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
    int fd = client_patience(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    /* Who may reach the socket may say what it likes: it counts only where a proxy sets it. */
    client_say(fd, "GET /seen HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
    client_hear(fd, OK_TEXT("26", "GET|/seen||none|unix|plain"));
    client_say(fd, GET("/seen"));
    client_hear(fd, OK_TEXT("26", "GET|/seen||none|unix|plain"));
    close(fd);
    http_stop(app->server, 0);
    CHECK(!platform_exists(app->config.unix_path));
    app_free(app);
}

TEST(a_proxy_says_who_asks) {
    struct app *app = app_new();
    app->config.is_forwarded = true;
    app_start(app);
    int fd = app_dial(app);
    client_say(fd, "GET /seen HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n\r\n");
    client_hear(fd, OK_TEXT("33", "GET|/seen||none|203.0.113.9|plain"));
    close(fd);
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
    app_certify(app);
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
    app_certify(app);
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
    app_certify(app);
    app_start(app);
    struct buf body = buf_new(BUF_MAX_LINE);
    CURL *curl = browser(app, "/wait?60000", &body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 300L);
    CHECK_INT(curl_easy_perform(curl), CURLE_OPERATION_TIMEDOUT);
    CHECK(app_reaches(&app->gones, 1));
    curl_easy_setopt(curl, CURLOPT_URL, arena_printf(&app->mem, "https://127.0.0.1:%u/wait?20",
                                                     http_port(app->server)));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
    CHECK_INT(curl_easy_perform(curl), CURLE_OK);
    CHECK_SLICE(buf_slice(&body), "end");
    curl_easy_cleanup(curl);
    int plain = app_dial(app);               /* no TLS at all: cut, without an answer that makes sense */
    client_say(plain, GET("/echo"));
    char bytes[64];
    while (recv(plain, bytes, sizeof bytes, 0) > 0) continue;
    close(plain);
    CHECK(app_connections_reach(app, 0));
    buf_free(&body);
    app_free(app);
}

TEST(a_certificate_names_its_hosts_and_hides_its_key) {
    static const char *const good[] = {"roadbook.example"};
    static const char *const bad[] = {"a,DNS:b"};
    struct err err;
    struct app *app = app_new();
    app_certify(app);
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
