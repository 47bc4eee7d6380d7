/* The listener: HTTP/1.1 over TLS (or plain, on loopback and behind a reverse proxy), on libevent's
 * loops.
 *
 * libevent waits and keeps the timers, OpenSSL encrypts; the messages are read and written here.
 * libevent's own evhttp cannot leave out Date, does not cut a client that trickles one byte at a
 * time, and takes requests whose length can be read in two ways, so it is not used.
 *
 * A connection lives on one loop and so on one thread. Its handler runs there and must not block:
 * it answers at once (http_reply), has the work done on a worker thread (http_offload), or lets the
 * client wait (http_park). Each request is answered by exactly one http_reply, from any thread;
 * until then the request is a valid object, also when its client is long gone.
 *
 *      head and body read --> handler --> http_reply ------------------------> written, next
 * request |  ^                                 ^ |  +-- http_offload --> worker ------+
 *                               +----- http_park ----> any thread ---+
 *
 * One request of a connection is in hand at a time; what a client sends ahead waits, unread beyond
 * one head. A client that closes its sending side while its request is in hand counts as gone.
 */
#ifndef ROADBOOK_HTTP_H
#define ROADBOOK_HTTP_H

#include "protocol/base/base.h"

struct http_server;
struct http_request;

typedef void http_handler(void *ctx, struct http_request *request);
typedef void http_job(void *ctx);

/* One header field. Text is zero-terminated. */
struct http_field {
    const char *name;
    const char *value;
};

/* What a client may take. Zero takes the value that stands here. */
struct http_limits {
    size_t header_bytes_max;   /* 8 KiB: request line and fields; more is answered with 431 */
    size_t body_bytes_max;     /* 1 MiB: more is answered with 413 */
    unsigned connections_max;  /* 20,000: for one more the longest idle one is closed; when none is
                                  idle, the new one is answered with 503 */
    unsigned idle_timeout_s;   /* 75: a kept-alive connection without a request */
    unsigned read_timeout_s;   /* 20: a handshake, a head; a body or reply may take this and ... */
    unsigned rate_bytes_s_min; /* 1024: ... as much more as its bytes take at this rate, and no
                                  pause is longer than read_timeout_s */
    size_t held_bytes_max;     /* 256 MiB: bodies and replies in memory, half of it for one address;
                                  above it requests are answered with 503 */
    /* Of one address; 0: no limit. A quiet address may do what 20 seconds allow at once. */
    unsigned address_connections_max; /* further ones are answered with 429, or closed */
    unsigned address_connects_s;      /* new connections a second */
    unsigned address_requests_s;      /* tokens a second, for http_charge */
};

/* Texts are borrowed until http_close. */
struct http_config {
    const char *host;      /* a name or address to listen at; NULL means all */
    uint16_t port;         /* 0 takes any free one */
    const char *unix_path; /* listen here instead, behind a reverse proxy that does the TLS */
    bool is_forwarded; /* the last of X-Forwarded-For is the client's address: a proxy sets it */
    const char *cert_path; /* PEM, the whole chain; NULL: no TLS */
    const char *key_path;
    unsigned loops;   /* threads that serve connections; 0 means 1 */
    unsigned workers; /* threads for http_offload; 0: offloaded work runs on the loop */
    struct http_limits limits;
    http_handler *handler; /* runs on the loop of the request's connection */
    void *ctx;
};

/* Listens, but serves nobody before http_start.
 * Returns ST_BUSY when someone else listens there, ST_NOT_FOUND for an unknown host, ST_DENIED,
 * ST_INVALID for a certificate or key that cannot be used. Thread: open, start, stop and close are
 * called from one thread that is not the server's own. */
enum status http_open(const struct http_config *config, struct http_server **out_server,
                      struct err *err) NODISCARD;
uint16_t http_port(const struct http_server *server); /* 0 for a Unix socket */
enum status http_start(struct http_server *server, struct err *err) NODISCARD;
/* Accepts nobody any more, ends idle connections, wakes what is parked, lets requests in hand be
 * answered for up to grace_ms, cuts the rest, and waits for the workers to finish what was
 * offloaded. */
void http_stop(struct http_server *server, int64_t grace_ms);
/* Stops without grace when still running, and frees everything, also requests that nobody answered:
 * no function of this header may be called with any of it afterwards. NULL is fine. */
void http_close(struct http_server *server);
unsigned http_connections(const struct http_server *server); /* open now */
bool http_is_stopping(const struct http_server *server);

/* Runs job(ctx) once on loop 0 after ms. Not run when the server stops before. Any thread. */
enum status http_after(struct http_server *server, int64_t ms, http_job *job, void *ctx,
                       struct err *err) NODISCARD;

/* ------------------------------------------------------------------ a request
 *
 * What the getters return is borrowed until http_reply. They may be called by whoever holds the
 * request.
 */
const char *http_method(const struct http_request *request); /* "GET" */
const char *http_path(const struct http_request *request);   /* as sent, without the query */
const char *http_query(const struct http_request *request);  /* behind the "?", or "" */
/* The field's value without blanks around it, or NULL; of several with the name the first. */
const char *http_header(const struct http_request *request, const char *name);
struct slice http_body(const struct http_request *request);
/* The client's address without port. With is_forwarded the last of X-Forwarded-For, which is the
 * one that the proxy added; "unix" for a Unix socket where nothing says more. */
const char *http_peer(const struct http_request *request);
bool http_is_tls(const struct http_request *request);
bool http_is_gone(const struct http_request *request); /* nobody will read the reply */

/* Answers: the status line, exactly these fields, Content-Length, and Connection when the
 * connection ends (or when a 1.0 client asked to keep it). Nothing else is sent, no Date and no
 * Content-Type. A HEAD request gets the length of body but not the body. What is passed is copied.
 * The request belongs to the listener again: the caller must not touch it any more. When memory is
 * exhausted the connection is closed without a reply. Thread: any. fields[count] must hold no line
 * breaks. */
void http_reply(struct http_request *request, int code, const struct http_field *fields,
                size_t count, struct slice body);
/* Answers with {"type":"about:blank","title":..,"status":..} (RFC 9457) and the code's usual title.
 */
void http_reply_problem(struct http_request *request, int code);

/* Each address has two purses, so that a flood of what is refused leaves proofs their own; that of
 * proofs fills a fifth as fast. */
enum http_purse { HTTP_PURSE_REQUESTS, HTTP_PURSE_PROOFS, HTTP_PURSE_COUNT };

/* Takes tokens of the request's address. 0: done; else nothing was taken, and after that many
 * milliseconds there will be as many. Any thread, by the holder of the request. */
int64_t http_charge(struct http_request *request, enum http_purse purse, unsigned tokens);

/* Has work(ctx, request) run on a worker thread; the caller lets go of the request. Any thread. */
void http_offload(struct http_request *request, http_handler *work, void *ctx);

/* Lets the client wait. on_end(ctx, request) is called at most once, on the loop of the connection,
 * when timeout_ms has passed, the client is gone, or the server stops, unless the request has been
 * answered by then. It must see to it that the request is answered: at once, or by
 * whoever has taken it to answer it. Keep waiting requests in a list with a lock; who takes one out
 * of the list answers it, and nobody else; park a request before it goes into the list. Thread:
 * any, by the holder of the request. */
void http_park(struct http_request *request, int64_t timeout_ms, http_handler *on_end, void *ctx);

/* ------------------------------------------------------------------ certificates */

/* Makes an EC P-256 key and a certificate that it signs itself, for host_names[count] (names or IP
 * addresses; the first is also the subject), valid from yesterday for days. Both files are written
 * with mode 0600; existing ones are replaced. */
enum status http_make_certificate(const char *const *host_names, size_t count, unsigned days,
                                  const char *cert_path, const char *key_path,
                                  struct err *err) NODISCARD;

enum { HTTP_PIN_BYTES = 8 + 44 + 1 }; /* "sha256//", base64 of 32 bytes, zero */

/* The pin of a certificate's public key, in the form that curl takes: "sha256//" and the base64 of
 * the SHA-256 of its SubjectPublicKeyInfo. A new certificate for the same key keeps its pin. */
enum status http_certificate_pin(const char *cert_path, char out[HTTP_PIN_BYTES],
                                 struct err *err) NODISCARD;

#endif
