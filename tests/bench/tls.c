/* A client of one connection over TLS, as thin as it can be: it counts bytes and resumes sessions. */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES_MAX = 16384 };

struct tls_client {
    SSL_CTX *ctx;
};
struct tls {
    SSL *ssl;
    int fd;
    uint16_t port;
    size_t bytes;
};

struct tls_client *tls_client_open(void) {
    struct tls_client *c = calloc(1, sizeof *c);
    if (!c || !(c->ctx = SSL_CTX_new(TLS_client_method()))) bench_fail("no TLS", NULL);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_NONE, NULL);     /* its own server on loopback */
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);    /* thousands of them wait */
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    return c;
}

void tls_client_close(struct tls_client *c) {
    SSL_CTX_free(c->ctx);
    free(c);
}

struct tls *tls_connect(struct tls_client *c, uint16_t port, struct tls_session *resume) {
    return tls_connect_from(c, port, 0, resume);
}

static bool come_from(int fd, uint32_t from) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
    return from == 0 || bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

int tls_fd(const struct tls *t) {
    return t->fd;
}

struct tls *tls_connect_from(struct tls_client *c, uint16_t port, uint32_t from, struct tls_session *resume) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct tls *t = calloc(1, sizeof *t);
    int one = 1;
    if (!t) bench_fail("no memory", NULL);
    t->port = port;
    t->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (t->fd < 0 || !come_from(t->fd, from) || connect(t->fd, (struct sockaddr *)&at, sizeof at) != 0) goto failed;
    (void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    t->ssl = SSL_new(c->ctx);
    if (!t->ssl || SSL_set_fd(t->ssl, t->fd) != 1) goto failed;
    if (resume) (void)SSL_set_session(t->ssl, (SSL_SESSION *)resume);
    if (SSL_connect(t->ssl) == 1) return t;
failed:
    tls_close(t);
    return NULL;
}

bool tls_was_resumed(const struct tls *t) {
    return SSL_session_reused(t->ssl) == 1;
}

struct tls_session *tls_keep(struct tls *t) {
    return (struct tls_session *)SSL_get1_session(t->ssl);
}

void tls_forget(struct tls_session *s) {
    SSL_SESSION_free((SSL_SESSION *)s);
}

void tls_close(struct tls *t) {
    if (!t) return;
    if (t->ssl) (void)SSL_shutdown(t->ssl);
    SSL_free(t->ssl);
    if (t->fd >= 0) (void)close(t->fd);
    free(t);
}

size_t tls_bytes(const struct tls *t) {
    return t->bytes;
}

/* ------------------------------------------------------------------ messages */

bool tls_send(struct tls *t, const struct session_http *request) {
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    buf_printf(&out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", request->method, request->path, t->port);
    for (size_t i = 0; i < request->field_count; i++)
        buf_printf(&out, "%s: %s\r\n", request->fields[i].name, request->fields[i].value);
    buf_printf(&out, "Content-Length: %zu\r\n\r\n", request->body.len);
    buf_put_slice(&out, request->body);
    t->bytes += out.len;
    return SSL_write(t->ssl, out.data, (int)out.len) == (int)out.len;
}

static bool read_more(struct tls *t, struct buf *in) {
    uint8_t piece[16384];
    int n = SSL_read(t->ssl, piece, sizeof piece);
    if (n <= 0) return false;
    t->bytes += (size_t)n;
    buf_put(in, piece, (size_t)n);
    return true;
}

static const char *copy(struct arena *mem, const char *from, size_t len) {
    return arena_string(mem, slice_of(from, len));
}

/* The head, up to and with the empty line; the length that it says. */
static size_t read_head(const char *head, struct arena *mem, struct session_http *out, int64_t *out_retry_s) {
    size_t length = 0;
    int64_t number;
    *out = (struct session_http){.code = (int)strtol(head + 9, NULL, 10)};
    for (const char *at = strstr(head, "\r\n") + 2; at[0] != '\r'; at = strstr(at, "\r\n") + 2) {
        const char *colon = strchr(at, ':'), *end = strstr(at, "\r\n");
        const char *name = copy(mem, at, (size_t)(colon - at)), *value = copy(mem, colon + 2, (size_t)(end - colon - 2));
        if (!strcasecmp(name, "Content-Length") && text_to_int(slice_from(value), &number)) length = (size_t)number;
        else if (!strcasecmp(name, "Retry-After") && text_to_int(slice_from(value), &number)) *out_retry_s = number;
        else if (out->field_count < SESSION_FIELDS_MAX) out->fields[out->field_count++] = (struct session_field){name, value};
    }
    return length;
}

bool tls_receive(struct tls *t, struct arena *mem, struct session_http *out, int64_t *out_retry_s) {
    struct buf in SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    int64_t retry_s = 0;
    char *end;
    do {
        if (!read_more(t, &in)) return false;
        end = strstr(buf_text(&in), "\r\n\r\n");
    } while (!end);
    size_t head = (size_t)(end - buf_text(&in)) + 4;
    char *text = arena_string(mem, slice_of(in.data, head));
    size_t length = read_head(text, mem, out, &retry_s);
    while (in.len < head + length)
        if (!read_more(t, &in)) return false;
    out->body = arena_copy(mem, slice_of(in.data + head, length));
    if (out_retry_s) *out_retry_s = retry_s;
    return true;
}
