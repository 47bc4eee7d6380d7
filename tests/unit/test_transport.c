/* The laptop's way to the server over real TLS on loopback: what crosses the connection to the
 * byte, and what the person reads when it does not come about. */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/agent/transport.h"
#include "syncd/http/http.h"
#include "syncd/platform/platform.h"
#include "tests/unit/check.h"

enum { BIG_BYTES = WIRE_REPLY_BYTES_MAX + 1 };

struct site {
    struct arena mem;
    const char *dir;
    const char *cert;
    struct http_server *server;
    char base_url[64];
    uint8_t pin[HASH_BYTES];
    uint8_t *big;
    struct transport *transport; /* for what is done during an exchange */
};

static void on_wait_end(void *ctx, struct http_request *request) {
    (void)ctx;
    http_reply(request, 204, NULL, 0, (struct slice){0});
}

/* /echo: the body and the fields that must not be there; /wait: nothing; /big: too much; else 503.
 */
static void on_request(void *ctx, struct http_request *request) {
    static const struct http_field fields[] = {
        {"Content-Type", "a/b"}, {"X-Other", "y"}, {"Roadbook-Nonce", " n.1 "}};
    struct site *site = ctx;
    const char *path = http_path(request);
    bool chatty = http_header(request, "User-Agent") || http_header(request, "Accept") ||
                  http_header(request, "Expect");
    if (strcmp(path, "/echo") == 0) {
        http_reply(request, chatty ? 400 : 200, fields, ARRAY_COUNT(fields), http_body(request));
    } else if (strcmp(path, "/wait") == 0) {
        http_park(request, 10000, on_wait_end, NULL);
    } else if (strcmp(path, "/big") == 0) {
        http_reply(request, 200, NULL, 0, slice_of(site->big, BIG_BYTES));
    } else {
        http_reply_problem(request, 503);
    }
}

static void read_pin(struct site *site) {
    struct err err = {0};
    char text[HTTP_PIN_BYTES];
    SCOPED(buf_free) struct buf pin = buf_new(HASH_BYTES);
    CHECK_OK(http_certificate_pin(site->cert, text, &err));
    CHECK(base64_decode(slice_from(text + strlen("sha256//")), false, &pin));
    CHECK_INT(pin.len, HASH_BYTES);
    memcpy(site->pin, pin.data, HASH_BYTES);
}

static void site_open(struct site *site) {
    static const char *const names[] = {"127.0.0.1"};
    static const char *const proxies[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_COUNT(proxies); i++) (void)unsetenv(proxies[i]);
    *site = (struct site){.mem = arena_new(ARENA_CAP_DEFAULT)};
    CHECK_OK(transport_start(&err));
    CHECK_OK(platform_temp_dir(&site->mem, &site->dir, &err));
    site->cert = arena_printf(&site->mem, "%s/cert.pem", site->dir);
    const char *key = arena_printf(&site->mem, "%s/key.pem", site->dir);
    site->big = arena_alloc(&site->mem, BIG_BYTES);
    CHECK(site->cert && key && site->big);
    CHECK_OK(http_make_certificate(names, 1, 30, site->cert, key, &err));
    read_pin(site);
    struct http_config config = {.host = "127.0.0.1",
                                 .cert_path = site->cert,
                                 .key_path = key,
                                 .handler = on_request,
                                 .ctx = site};
    CHECK_OK(http_open(&config, &site->server, &err));
    CHECK_OK(http_start(site->server, &err));
    (void)snprintf(site->base_url, sizeof site->base_url, "https://127.0.0.1:%u",
                   (unsigned)http_port(site->server));
}

static void site_close(struct site *site) {
    struct err err = {0};
    http_close(site->server);
    CHECK_OK(platform_remove_tree(site->dir, &err));
    arena_clear(&site->mem);
    transport_end();
}

static struct session_http request_for(const char *path) {
    return (struct session_http){.method = "POST",
                                 .path = path,
                                 .fields = {{"Content-Type", "a/b"}},
                                 .field_count = 1,
                                 .body = SLICE("0123456789")};
}

static enum status ask(struct site *site, const struct transport_config *config, const char *path,
                       struct session_http *out, struct err *err) {
    struct transport *t = NULL;
    struct session_http request = request_for(path);
    TRY(transport_open(config, &t, err));
    struct transport_door door = transport_door(t);
    enum status status = door.exchange(door.ctx, &request, &site->mem, out, err);
    transport_close(t);
    return status;
}

TEST(an_exchange_carries_what_it_is_given_and_nothing_else) {
    struct site site;
    struct err err = {0};
    struct session_http request = request_for("/echo"), reply;
    struct transport *t;
    site_open(&site);
    struct transport_config config = {.base_url = site.base_url, .tls_pin = site.pin};
    CHECK_OK(transport_open(&config, &t, &err));
    for (unsigned i = 1; i <= 3; i++) {
        CHECK_OK(transport_exchange(t, &request, &site.mem, &reply, &err));
        CHECK_INT(reply.code, 200);
        CHECK_SLICE(reply.body, "0123456789");
        CHECK_INT(reply.field_count, 2);
        CHECK_TEXT(session_http_field(&reply, "roadbook-nonce"), "n.1");
        size_t sent = strlen("POST /echo HTTP/1.1\r\nHost: \r\n") + strlen(site.base_url) - 8 +
                      strlen("Content-Type: a/b\r\nContent-Length: 10\r\n\r\n0123456789");
        size_t received = strlen("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Other: y\r\n"
                                 "Roadbook-Nonce:  n.1 \r\nContent-Length: 10\r\n\r\n0123456789");
        CHECK_INT(transport_bytes(t).sent, i * sent);
        CHECK_INT(transport_bytes(t).received, i * received);
        CHECK_INT(http_connections(site.server), 1);
    }
    request.path = "/else";
    CHECK_OK(transport_exchange(t, &request, &site.mem, &reply, &err));
    CHECK_INT(reply.code, 503);
    request.method = "GET";
    request.body = (struct slice){0};
    CHECK_OK(transport_exchange(t, &request, &site.mem, &reply, &err));
    CHECK_INT(reply.code, 503);
    transport_close(t);
    site_close(&site);
}

TEST(a_certificate_stands_by_pin_or_by_authority) {
    static const char *const nobody = "/nowhere/ca.pem";
    uint8_t wrong[HASH_BYTES] = {1};
    struct site site;
    struct err err = {0};
    struct session_http reply;
    site_open(&site);
    struct transport_config config = {.base_url = site.base_url, .ca_path = site.cert};
    CHECK_OK(ask(&site, &config, "/echo", &reply, &err));
    config.ca_path = NULL;
    CHECK_STATUS(ask(&site, &config, "/echo", &reply, &err), ST_UNAUTHENTIC);
    CHECK(strstr(err.text[LANG_EN], "not trusted") != NULL);
    config.tls_pin = wrong;
    CHECK_STATUS(ask(&site, &config, "/echo", &reply, &err), ST_UNAUTHENTIC);
    CHECK(strstr(err.text[LANG_EN], "not the one of the enrolment link") != NULL);
    config = (struct transport_config){.base_url = site.base_url, .ca_path = nobody};
    CHECK_STATUS(ask(&site, &config, "/echo", &reply, &err), ST_INVALID);
    site_close(&site);
}

static FILE *open_file(const char *path, const char *mode) {
    FILE *file = fopen(path, mode);
    CHECK(file != NULL);
    return file;
}

/* What a laptop sees whose clock is ahead of the certificate's end, or behind its beginning. */
struct clock_row {
    const char *name;
    long begin_s, end_s; /* of the certificate, from now */
};

static const struct clock_row CLOCK_ROWS[] = {
    {"a clock ahead", -86400, -3600},
    {"a clock behind", 3600, 86400},
};

/* Signs the certificate anew with these dates. */
static void date_certificate(const char *cert_path, const char *key_path,
                             const struct clock_row *row) {
    FILE *cert_file = open_file(cert_path, "r"), *key_file = open_file(key_path, "r");
    X509 *cert = PEM_read_X509(cert_file, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
    CHECK(cert != NULL && key != NULL);
    (void)fclose(cert_file);
    (void)fclose(key_file);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(cert), row->begin_s) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(cert), row->end_s) != NULL);
    CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
    cert_file = open_file(cert_path, "w");
    CHECK_INT(PEM_write_X509(cert_file, cert), 1);
    (void)fclose(cert_file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void check_clock(const struct clock_row *row) {
    static const char *const names[] = {"127.0.0.1"};
    struct site site;
    struct err err = {0};
    struct session_http reply;
    struct http_server *old;
    char url[64];
    site_open(&site);
    const char *cert = arena_printf(&site.mem, "%s/old.pem", site.dir);
    const char *key = arena_printf(&site.mem, "%s/old-key.pem", site.dir);
    CHECK_OK(http_make_certificate(names, 1, 1, cert, key, &err));
    date_certificate(cert, key, row);
    struct http_config served = {.host = "127.0.0.1",
                                 .cert_path = cert,
                                 .key_path = key,
                                 .handler = on_request,
                                 .ctx = &site};
    CHECK_OK(http_open(&served, &old, &err));
    CHECK_OK(http_start(old, &err));
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u", (unsigned)http_port(old));
    struct transport_config config = {.base_url = url, .ca_path = cert};
    CHECK_ROW_INT(row, ask(&site, &config, "/echo", &reply, &err), ST_UNAUTHENTIC);
    CHECK_ROW(row, strstr(err.text[LANG_EN], "date and time") != NULL);
    site.cert = cert;
    read_pin(&site);
    config = (struct transport_config){.base_url = url, .tls_pin = site.pin};
    CHECK_OK(ask(&site, &config, "/echo", &reply, &err));
    http_close(old);
    site_close(&site);
}

TEST(a_wrong_clock_is_named_and_a_pin_does_not_mind) {
    for EACH(row, CLOCK_ROWS) check_clock(row);
}

struct trouble_row {
    const char *name;
    const char *base_url;
    const char *proxy; /* HTTPS_PROXY */
    enum status expected;
    const char *says;
};

static const struct trouble_row TROUBLE_ROWS[] = {
    {"nobody listens", "https://127.0.0.1:1", NULL, ST_OFFLINE, "does not answer"},
    {"no such name", "https://nowhere.invalid", NULL, ST_OFFLINE, "name was not found"},
    {"no such proxy", "https://127.0.0.1:1", "http://nowhere.invalid:1", ST_OFFLINE,
     "proxy's name"},
    {"nobody listens at the proxy", "https://nowhere.invalid", "http://127.0.0.1:1", ST_OFFLINE,
     "proxy"},
    {"not https", "http://127.0.0.1:1", NULL, ST_INVALID, "https://"},
    {"no host", "https://", NULL, ST_INVALID, "https://host"},
    {"a path for a host", "https:///x", NULL, ST_INVALID, "https://host"},
};

TEST(each_trouble_has_a_text_that_says_what_to_do) {
    struct site site;
    struct session_http reply;
    site_open(&site);
    for EACH(row, TROUBLE_ROWS) {
        struct transport_config config = {.base_url = row->base_url, .tls_pin = site.pin};
        struct err err = {0};
        if (row->proxy) (void)setenv("HTTPS_PROXY", row->proxy, 1);
        CHECK_ROW_INT(row, ask(&site, &config, "/echo", &reply, &err), row->expected);
        (void)unsetenv("HTTPS_PROXY");
        CHECK_ROW_INT(row, err.status, row->expected);
        if (!strstr(err.text[LANG_EN], row->says))
            CHECK_ROW_TEXT(row, err.text[LANG_EN], row->says);
        CHECK_ROW(row, err.text[LANG_ZH][0] != 0);
    }
    site_close(&site);
}

TEST(a_proxy_that_does_not_let_through_is_named) {
    struct site site;
    struct err err = {0};
    struct session_http reply;
    char proxy[64];
    struct http_server *plain;
    site_open(&site);
    struct http_config config = {.host = "127.0.0.1", .handler = on_request, .ctx = &site};
    CHECK_OK(http_open(&config, &plain, &err));
    CHECK_OK(http_start(plain, &err));
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", (unsigned)http_port(plain));
    (void)setenv("HTTPS_PROXY", proxy, 1);
    struct transport_config to = {.base_url = "https://book.invalid", .tls_pin = site.pin};
    CHECK_STATUS(ask(&site, &to, "/echo", &reply, &err), ST_OFFLINE);
    (void)unsetenv("HTTPS_PROXY");
    CHECK(strstr(err.text[LANG_EN], "proxy does not let") != NULL);
    http_close(plain);
    site_close(&site);
}

TEST(a_reply_that_is_too_large_is_cut_off) {
    struct site site;
    struct err err = {0};
    struct session_http reply;
    site_open(&site);
    struct transport_config config = {.base_url = site.base_url, .tls_pin = site.pin};
    CHECK_STATUS(ask(&site, &config, "/big", &reply, &err), ST_TOO_LARGE);
    site_close(&site);
}

TEST(a_server_that_does_not_answer_is_left_in_time) {
    struct site site;
    struct err err = {0};
    struct session_http reply;
    site_open(&site);
    struct transport_config config = {
        .base_url = site.base_url, .tls_pin = site.pin, .exchange_ms = 300};
    CHECK_STATUS(ask(&site, &config, "/wait", &reply, &err), ST_OFFLINE);
    CHECK(strstr(err.text[LANG_EN], "in time") != NULL);
    site_close(&site);
}

static void cancel_now(void *ctx, uint64_t sent_bytes, uint64_t received_bytes) {
    struct site *site = ctx;
    (void)received_bytes;
    if (sent_bytes == 10 && site->transport) transport_cancel(site->transport);
}

TEST(an_exchange_can_be_cancelled) {
    struct site site;
    struct err err = {0};
    struct session_http request = request_for("/wait"), reply;
    site_open(&site);
    struct transport_config config = {.base_url = site.base_url,
                                      .tls_pin = site.pin,
                                      .progress = cancel_now,
                                      .progress_ctx = &site};
    CHECK_OK(transport_open(&config, &site.transport, &err));
    CHECK_STATUS(transport_exchange(site.transport, &request, &site.mem, &reply, &err),
                 ST_CANCELLED);
    CHECK_STATUS(transport_exchange(site.transport, &request, &site.mem, &reply, &err),
                 ST_CANCELLED);
    struct transport *t = site.transport;
    site.transport = NULL;
    transport_resume(t);
    request.path = "/echo";
    CHECK_OK(transport_exchange(t, &request, &site.mem, &reply, &err));
    transport_close(t);
    transport_close(NULL);
    site_close(&site);
}
