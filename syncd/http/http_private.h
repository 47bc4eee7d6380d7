/* What the listener's files share.
 *
 * http_server.c  opening, starting, stopping; the listening socket
 * http_loop.c    one thread's loop and what other threads send to it
 * http_conn.c    one connection: bytes in, bytes out, time limits
 * http_parse.c   heads of requests, bytes to fields; pure
 * http_chunk.c   bodies in chunks; pure
 * http_request.c what a handler sees: getters, replying, parking
 * http_work.c    worker threads
 * http_peers.c   what is remembered of each address
 * http_tls.c     the TLS of the listener
 * http_cert.c    making certificates
 */
#ifndef ROADBOOK_HTTP_PRIVATE_H
#define ROADBOOK_HTTP_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "syncd/http/http.h"
#include "syncd/platform/platform.h"

enum {
    HTTP_FIELDS_MAX = 64,           /* browsers behind proxies send about 30 */
    HTTP_SCRATCH_BYTES = 64 * 1024, /* one read; belongs to the loop, not to a connection */
    HTTP_READS_MAX = 8,             /* per event, so that one fast client does not hold the loop */
    /* Read and dropped behind an early refusal, so that the client gets to read the refusal before
     * the connection is reset. */
    HTTP_LINGER_BYTES_MAX = 4 << 20,
    HTTP_LINGER_MS = 2000,
    /* Requests of one connection that are answered in a row before the others have their turn. */
    HTTP_STEPS_MAX = 32,
    /* Connections above the limit that still hear a clear refusal; further ones are just closed. */
    HTTP_TURNED_AWAY_MAX = 64,
    /* What the kernel keeps of a reply beyond what is under way; it would take megabytes for one
     * that does not read. */
    HTTP_UNSENT_BYTES = 256 * 1024,
    HTTP_RETRY_S = 5, /* what a refusal for want of room names */
    HTTP_LANES = 64,  /* a power of two */
    HTTP_PEER_BYTES = 64
};

/* A connection:
 *
 *   HANDSHAKE --> READING <--> WORKING        READING, WORKING --> LINGERING --> dead
 *
 * READING: between requests, or part of one is there. WORKING: the handler's side has the request.
 * LINGERING: the last reply was written and the sending side closed; input is dropped. */
enum http_conn_state { HTTP_HANDSHAKE, HTTP_READING, HTTP_WORKING, HTTP_LINGERING };

struct http_conn {
    struct http_loop *loop;
    struct http_conn *next, *prev; /* of the loop */
    int fd;
    SSL *ssl; /* NULL: plain */
    struct event read_event, write_event, timer_event;
    enum http_conn_state state;
    struct buf in;  /* read, not yet understood */
    struct buf out; /* to be written, from out_at on */
    size_t out_at;
    struct http_request *request; /* whose body is being read, or that is in hand */
    int64_t timer_ms;             /* when the timer goes off; INT64_MAX: it is off */
    int64_t since_ms;             /* when the present state, head or body began */
    int64_t write_ms;             /* when writing had to wait; 0: it does not */
    int64_t moved_ms;             /* when a byte of the body or reply last went over the line */
    size_t out_base, out_acked;   /* of out: had left when writing had to wait; has arrived */
    size_t lingered;
    struct http_peer *peer_entry;
    size_t held;     /* bytes of out that are counted */
    int turned_away; /* the code that its first request is refused with; 0: it is served */
    struct http_conn *free_next, *free_prev; /* of the loop's list of those without a request */
    bool is_free;                            /* in that list */
    bool more;                               /* what was read is not all looked at */
    bool reading, writing;                   /* which events are on */
    bool input_ended;                        /* the client said that it sends no more */
    bool close_after;                        /* once out is written */
    bool dead;                               /* freed when the event that runs now is done */
    char peer[HTTP_PEER_BYTES];
};

/* Where in a body of chunks the reading is. */
enum http_chunk_state {
    HTTP_CHUNK_NONE, /* the body has a length instead */
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_DATA_END,
    HTTP_CHUNK_TRAILER,
    HTTP_CHUNK_DONE
};

struct http_park {
    int64_t until_ms;
    http_handler *on_end;
    void *ctx;
};

struct http_request {
    struct http_loop *loop;
    struct http_conn *conn;                     /* loop thread only; NULL when the client is gone */
    struct http_request *live_next, *live_prev; /* loop thread only: all that are not freed */

    char *text; /* the head, cut up by zeros; the strings below point into it */
    const char *method, *path, *query;
    struct http_field *fields;
    size_t count;
    struct buf body;
    size_t body_bytes; /* as announced; 0 for chunks */
    enum http_chunk_state chunk;
    size_t chunk_left, trailer_bytes;
    bool is_head, is_old, keep_alive, expects_continue, is_forwarded, is_tls;
    char peer[HTTP_PEER_BYTES];
    struct http_peer *peer_entry;
    size_t held; /* bytes of the body that are counted */

    struct buf wire; /* the reply */
    bool wire_closes, answered_here;
    atomic_bool answered, gone;

    /* Under the loop's mutex: the message of another thread. */
    struct http_request *queue_next;
    bool queued, has_reply, has_park;
    struct http_park park_asked;
    struct http_park park; /* loop thread only; on_end NULL: not parked */

    struct http_request *work_next; /* under the workers' mutex */
    http_handler *work;
    void *work_ctx;
};

struct http_arrival { /* an accepted connection on its way to its loop */
    struct http_arrival *next;
    int fd;
    int turned_away;
    struct http_peer *peer_entry; /* held; counted as a connection unless turned away */
    char peer[HTTP_PEER_BYTES];
};

struct http_timer { /* of http_after */
    struct http_timer *next, *prev;
    struct http_loop *loop;
    struct event event;
    int64_t due_ms;
    http_job *job;
    void *ctx;
};

struct http_loop {
    struct http_server *server;
    struct event_base *base;
    struct platform_thread *thread;
    uint64_t self; /* names the loop's thread */
    struct platform_bell bell;
    struct event bell_event, grace_event;
    struct http_conn *conns;
    /* Those that have no request in hand, in the order in which they came to that. */
    struct http_conn *free_first, *free_last;
    struct http_request *live;
    struct http_request *dispatching; /* whose handler runs now */
    struct http_timer *timers;        /* armed */
    bool stopping;
    uint8_t *scratch; /* [HTTP_SCRATCH_BYTES] */

    struct platform_mutex *mutex; /* guards what other threads send */
    bool rung;                    /* the bell has been rung and not yet heard */
    struct http_request *queue_first, *queue_last;
    struct http_arrival *arrivals;
    struct http_timer *new_timers;
};

struct http_workers {
    struct platform_mutex *mutex;
    struct platform_cond *cond;
    struct platform_thread **threads;
    unsigned count;
    /* A line for each first part of a path, which names an org: the lines take turns, so that the
     * orgs do. The lines that are not empty stand in turns[0..turn_count). */
    struct http_lane {
        struct http_request *first, *last;
    } lanes[HTTP_LANES];
    uint8_t turns[HTTP_LANES];
    size_t turn_count;
    bool stopping;
};

struct http_server {
    struct http_config config;
    SSL_CTX *tls;
    int listen_fd;
    uint16_t port;
    struct event listen_event, resume_event;
    struct http_loop *loops;
    unsigned loop_count, next_loop;
    struct http_workers workers;
    struct http_peers *peers;
    atomic_uint connections, turned_away;
    atomic_bool stopping;
    int64_t grace_ms;
    bool started, stopped;
};

/* http_parse.c */
/* Bytes of the head, the empty line included, at the start of in; 0 when it is not complete. */
size_t http_head_length(struct slice in);
/* Understands request->text, which holds head_bytes and is cut up by it. Returns 0, or the code to
 * refuse it with. */
int http_parse_head(struct http_request *request, size_t head_bytes);
const char *http_reason(int code);

/* http_chunk.c */
/* Takes what is there of a body in chunks off in: *out_used bytes; request->chunk says whether that
 * was all. Returns 0, or the code to refuse the request with. */
int http_take_chunks(struct http_request *request, struct slice in, size_t *out_used);

/* http_request.c */
struct http_request *http_request_new(struct http_conn *conn, struct slice head);
void http_request_free(struct http_request *request);
/* The address that the request comes from, as far as the configuration trusts what says so. */
struct http_peer *http_request_peer(struct http_request *request);
/* Makes the bytes of a reply. closes adds "Connection: close". */
void http_build_reply(const struct http_request *request, int code, const struct http_field *fields,
                      size_t count, struct slice body, bool closes, struct buf *out);
void http_build_problem(const struct http_request *request, int code, bool closes, struct buf *out);

/* http_conn.c; loop thread only */
/* Closes the connection that has been without a request for longest. false: there is none. */
bool http_conn_cut_oldest(struct http_loop *loop);
void http_conn_open(struct http_loop *loop, const struct http_arrival *arrival);
void http_conn_answer(struct http_request *request); /* its wire is ready; frees the request */
void http_conn_park(struct http_request *request, const struct http_park *park);
void http_conn_stop(struct http_conn *conn); /* the server stops: ends when it can */
void http_conn_cut(struct http_conn *conn);  /* now */
int64_t http_now_ms(void);

/* http_loop.c */
enum status http_loop_open(struct http_loop *loop, struct http_server *server,
                           struct err *err) NODISCARD;
void http_loop_close(struct http_loop *loop);
void http_loop_run(void *loop);                    /* the thread */
void http_loop_send(struct http_request *request); /* tells about has_reply or has_park */
void http_loop_give(struct http_loop *loop, struct http_arrival *arrival);
void http_loop_wake(struct http_loop *loop);
void http_loop_check_end(struct http_loop *loop); /* leaves the loop when all is done */

/* http_server.c */
void http_accept_on(struct http_server *server); /* on loop 0 */
void http_accept_off(struct http_server *server);
/* Closes what was accepted and not opened. */
void http_arrival_drop(struct http_server *server, const struct http_arrival *arrival);
/* A connection has ended: counts it off everywhere. */
void http_leave(struct http_server *server, struct http_peer *peer, int turned_away);

/* http_peers.c; any thread */
enum status http_peers_open(const struct http_limits *limits, struct http_peers **out,
                            struct err *err) NODISCARD;
void http_peers_close(struct http_peers *peers);
/* The entry of an address, which stays its own until it is released. Never NULL. */
struct http_peer *http_peer_hold(struct http_peers *peers, const char *address);
void http_peer_release(struct http_peers *peers, struct http_peer *peer); /* NULL is fine */
/* Counts a connection; false, and nothing is counted, when the address has too many or opens them
 * too fast. */
bool http_peer_connect(struct http_peers *peers, struct http_peer *peer);
void http_peer_disconnect(struct http_peers *peers, struct http_peer *peer);
/* As http_charge. */
int64_t http_peer_charge(struct http_peers *peers, struct http_peer *peer, enum http_purse purse,
                         unsigned tokens);
/* What something that belongs to the address holds changes from *held bytes to now. */
void http_peer_bytes(struct http_peers *peers, struct http_peer *peer, size_t *held, size_t now);
/* The server, or the address, holds as many bytes as it may. */
bool http_peer_is_full(struct http_peers *peers, const struct http_peer *peer);

/* http_tls.c */
enum status http_tls_open(const char *cert_path, const char *key_path, SSL_CTX **out,
                          struct err *err) NODISCARD;
/* Says what OpenSSL complained about. */
enum status http_tls_err(enum status status, const char *what, struct err *err);

/* http_work.c */
enum status http_workers_start(struct http_workers *workers, unsigned count,
                               struct err *err) NODISCARD;
void http_workers_stop(struct http_workers *workers); /* does what is queued, then joins */
void http_workers_add(struct http_workers *workers, struct http_request *request);

#endif
