/* The listener's wire, to the byte: what is sent, what is refused, who is cut for being slow. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_app.h"

/* ------------------------------------------------------------------ the wire */

TEST(a_reply_is_exactly_what_was_given) {
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, GET("/hello"));
    client_hear(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\nhi");
    client_say(fd, GET("/none"));
    client_hear(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    client_say(fd, ASK("HEAD", "/hello"));
    client_hear(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\n");
    client_say(fd, GET("/missing"));
    client_hear(fd, PROBLEM("404", "Not Found", "55", ""));
    client_say(fd, "GET /seen?a=b%20c&d HTTP/1.1\r\nHost: h\r\nX-Odd:  \t v w \t\r\n\r\n");
    client_hear(fd, OK_TEXT("39", "GET|/seen|a=b%20c&d|v w|127.0.0.1|plain"));
    client_say(fd, "GET http://h:1/seen HTTP/1.1\r\nHost: h\r\n\r\n");
    client_hear(fd, OK_TEXT("31", "GET|/seen||none|127.0.0.1|plain"));
    client_say(fd, "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Close\r\n\r\n");
    client_hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client_hear_end(fd);
    app_free(app);
}

TEST(old_clients_are_served_as_they_expect) {
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, "GET /echo HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    client_hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    client_say(fd, "GET /echo HTTP/1.0\r\n\r\n");
    client_hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client_hear_end(fd);
    app_free(app);
}

TEST(requests_sent_ahead_are_answered_in_order) {
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, "\r\nPOST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo"
            "POST /work HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nthree");
    client_hear(fd, OK_TEXT("3", "one") OK_TEXT("3", "two") OK_TEXT("5", "three"));
    close(fd);
    app_free(app);
}

TEST(a_flood_sent_ahead_waits_unread_and_is_answered) {
    enum { FLOOD = 2000 };
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, GET("/block"));
    CHECK(app_reaches(&app->blocks, 1));
    for (int i = 0; i < FLOOD; i++) client_say(fd, GET("/work"));
    atomic_store(&app->release, true);
    client_hear(fd, OK_TEXT("9", "unblocked"));
    for (int i = 0; i < FLOOD; i++) client_hear(fd, OK_TEXT("0", ""));
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
    int fd = app_dial(app), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for EACH(row, rows) {
        struct slice whole = slice_from(row->text);
        for (size_t piece = 1; piece <= whole.len; piece += piece < 8 ? 1 : 17) {
            for (size_t at = 0; at < whole.len; at += piece) {
                size_t left = whole.len - at;
                client_say_bytes(fd, slice_of(whole.data + at, left < piece ? left : piece));
            }
            client_hear(fd, OK_TEXT("4", "body"));
        }
        client_say_bytes(fd, whole);            /* and two at once */
        client_say_bytes(fd, whole);
        client_hear(fd, OK_TEXT("4", "body") OK_TEXT("4", "body"));
    }
    close(fd);
    app_free(app);
}

TEST(a_client_that_asks_first_is_told_to_go_on) {
    struct app *app = app_started();
    int fd = app_dial(app);
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    client_hear(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(fd, "ok");
    client_hear(fd, OK_TEXT("2", "ok"));
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
        int fd = app_dial(app);
        client_say(fd, row->text);
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
    int fd = app_dial(app);
    client_say_bytes(fd, SLICE("GET / HTTP/1.1\r\nHost: h\0x\r\n\r\n"));
    client_hear(fd, PROBLEM("400", "Bad Request", "57", CLOSE));
    client_hear_end(fd);
    app_free(app);
}

TEST(too_large_bodies_and_heads_are_refused) {
    struct app *app = app_new();
    app->config.limits.body_bytes_max = 10;
    app->config.limits.header_bytes_max = 1024;
    app_start(app);
    int fd = app_dial(app);
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789");
    client_hear(fd, OK_TEXT("10", "0123456789"));
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
    client_hear(fd, PROBLEM("413", "Content Too Large", "63", CLOSE));
    char *junk = malloc(500000);
    memset(junk, 'x', 500000);
    client_say_bytes(fd, slice_of(junk, 500000));       /* must not reset the connection */
    shutdown(fd, SHUT_WR);
    client_hear_end(fd);
    fd = app_dial(app);
    client_say(fd, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    client_say_bytes(fd, slice_of(junk, 2000));
    client_hear(fd, PROBLEM("431", "Request Header Fields Too Large", "77", CLOSE));
    client_hear_end(fd);
    fd = app_dial(app);
    client_say(fd, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 64; i++) client_say(fd, "X: y\r\n");
    client_say(fd, "\r\n");
    client_hear(fd, PROBLEM("431", "Request Header Fields Too Large", "77", CLOSE));
    client_hear_end(fd);
    free(junk);
    app_free(app);
}

TEST(a_slow_reader_gets_all_of_a_large_reply) {
    struct app *app = app_started();
    int fd = app_dial(app), small = 64 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client_say(fd, GET("/big"));
    client_hear(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n");
    shutdown(fd, SHUT_WR);
    char *bytes = malloc(BIG_BYTES);
    platform_sleep_ms(20);
    CHECK_INT(recv(fd, bytes, BIG_BYTES, MSG_WAITALL), BIG_BYTES);
    CHECK_INT(bytes[BIG_BYTES - 1], 'b');
    client_hear_end(fd);
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
    int idle = app_dial(app), head = app_dial(app), body = app_dial(app), reader = app_dial(app);
    client_say(head, "GET /hel");
    client_say(body, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
    client_say(reader, GET("/big"));
    /* One byte now and then does not help. */
    for (int i = 0; i < 4; i++) {
        platform_sleep_ms(200);
        client_say(head, "l");
    }
    client_hear(head, PROBLEM("408", "Request Timeout", "61", CLOSE));
    client_hear_end(head);
    client_hear(body, PROBLEM("408", "Request Timeout", "61", CLOSE));
    client_hear_end(body);
    client_hear_end(idle);
    CHECK(app_connections_reach(app, 0));    /* who does not read its reply is cut as well */
    close(reader);
    app_free(app);
}

TEST(an_idle_connection_lives_on_after_each_request) {
    struct app *app = app_new();
    app->config.limits.idle_timeout_s = 1;
    app_start(app);
    int fd = app_dial(app);
    for (int i = 0; i < 3; i++) {
        platform_sleep_ms(500);
        client_say(fd, GET("/echo"));
        client_hear(fd, OK_TEXT("0", ""));
    }
    client_hear_end(fd);
    app_free(app);
}
