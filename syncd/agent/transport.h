/* The laptop's way to the server: one HTTPS exchange at a time over a connection that is kept
 * alive.
 *
 * The rest of the agent sees struct transport_door, so that a test or the simulator can be the
 * network.
 */
#ifndef ROADBOOK_TRANSPORT_H
#define ROADBOOK_TRANSPORT_H

#include "protocol/session/session.h"

/* The network, as the agent sees it. exchange: carries a request to the server and yields its
 * reply, whatever its code; fields and body in mem. ST_OFFLINE when it did not get there or nothing
 * came back: then nobody knows whether the server has acted on it. */
struct transport_door {
    void *ctx;
    enum status (*exchange)(void *ctx, const struct session_http *request, struct arena *mem,
                            struct session_http *out, struct err *err);
    /* The two below may be NULL: a network without connections. */
    uint64_t (*connects)(void *ctx); /* how many connections were made so far */
    void (*renew)(void *ctx);        /* the next exchange makes a new connection */
};

struct transport_config {
    const char *base_url;   /* "https://host:port" */
    const uint8_t *tls_pin; /* [HASH_BYTES] SHA-256 of the certificate's public key; NULL: none.
                               With a pin, neither issuer, name nor date is looked at */
    const char *ca_path;    /* a bundle of authorities; NULL: the system's */
    int64_t connect_ms;     /* until connected; 0: 15 s */
    int64_t exchange_ms;    /* for one exchange; 0: 120 s. A wait is held 50 s */
    /* Called now and then during an exchange, with bytes of bodies; may be NULL. */
    void (*progress)(void *ctx, uint64_t sent_bytes, uint64_t received_bytes);
    void *progress_ctx;
};

/* All that crossed the connection above TLS: headers and bodies. */
struct transport_bytes {
    uint64_t sent, received;
};

struct transport;

/* Once per process, before any thread is started and before the first transport_open. */
enum status transport_start(struct err *err) NODISCARD;
void transport_end(void);

/* Connects to nothing yet. A proxy is taken from HTTPS_PROXY, https_proxy, ALL_PROXY and NO_PROXY.
 * Returns: ST_INVALID when the address or the CA bundle is not usable, ST_NO_MEMORY.
 * Owns: the caller closes *out; config is copied. */
enum status transport_open(const struct transport_config *config, struct transport **out,
                           struct err *err) NODISCARD;
void transport_close(struct transport *t); /* NULL is fine */

/* One exchange. Returns: ST_OFFLINE (not reached, cut, timed out), ST_UNAUTHENTIC (the certificate
 * is not the server's), ST_TOO_LARGE (a reply above WIRE_REPLY_BYTES_MAX), ST_CANCELLED,
 * ST_MALFORMED (not HTTP), ST_NO_MEMORY; the text says what to do. Any HTTP code is ST_OK here. */
enum status transport_exchange(struct transport *t, const struct session_http *request,
                               struct arena *mem, struct session_http *out,
                               struct err *err) NODISCARD;
/* Ends the exchange under way within a second, and each later one at once until transport_resume.
 * The only calls that may come from another thread or a signal handler. */
void transport_cancel(struct transport *t);
void transport_resume(struct transport *t);

struct transport_bytes transport_bytes(const struct transport *t); /* since it was opened */
uint64_t transport_connects(const struct transport *t);            /* connections made so far */
/* The next exchange makes a new connection, and the one before is closed. */
void transport_renew(struct transport *t);
struct transport_door transport_door(struct transport *t);         /* lives as long as t */

#endif
