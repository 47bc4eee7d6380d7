/* A small web server on the listener, and a client that shows every byte: for the tests of http. */
#ifndef ROADBOOK_HTTP_APP_H
#define ROADBOOK_HTTP_APP_H

#include <stdatomic.h>

#include "check.h"
#include "syncd/http/http.h"
#include "syncd/platform/platform.h"

enum { WAITING_MAX = 256, BIG_BYTES = 8 * 1024 * 1024 };

struct app {
    struct arena mem;
    const char *dir;
    struct http_config config;
    struct http_server *server;
    struct platform_mutex *mutex;
    struct http_request *waiting[WAITING_MAX]; /* under mutex */
    size_t count;
    atomic_int waits, ends, gones, blocks, jobs;
    atomic_bool release;
};

struct app *app_new(void);
void app_start(struct app *app);
struct app *app_started(void);
/* Also closes the server. */
void app_free(struct app *app);
/* A path in the app's own folder. */
const char *app_path(struct app *app, const char *name);
/* Makes a certificate and lets the server use it. */
void app_certify(struct app *app);
/* Takes wanted, or with NULL any, out of those that wait; the caller answers it. NULL when it is
 * not there. */
struct http_request *app_take(struct app *app, const struct http_request *wanted);
void app_reply(struct http_request *request, const char *text);
/* Wait up to five seconds. */
bool app_reaches(atomic_int *value, int wanted);
bool app_connections_reach(const struct app *app, unsigned wanted);
/* A client without a library. Reading and writing give up after ten seconds. */
int app_dial(const struct app *app);
int client_patience(int fd);
void client_say(int fd, const char *text);
void client_say_bytes(int fd, struct slice bytes);
/* Reads exactly the expected text. */
void client_hear(int fd, const char *expected);
/* Expect the end, and close. A cut may be a reset: the input was not read. */
void client_hear_end(int fd);
void client_hear_cut(int fd);

#define ASK(method, path) method " " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET(path) ASK("GET", path)
#define OK_TEXT(length, text) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" text
#define PROBLEM(code, title, length, connection)                                                   \
    "HTTP/1.1 " code " " title                                                                     \
    "\r\nContent-Type: application/problem+json\r\nContent-Length: " length "\r\n" connection      \
    "\r\n{\"type\":\"about:blank\",\"title\":\"" title "\",\"status\":" code "}"
#define CHUNKED(coding) "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: " coding "\r\n\r\n"
#define CLOSE "Connection: close\r\n"

#endif
