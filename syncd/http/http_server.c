/* Opening, starting and stopping the listener. Loop 0 accepts and hands the connections out in
 * turn, so that the loops carry the same load with few clients as well, and a second process that
 * wants the same port is told that it is taken (with SO_REUSEPORT it would quietly get half of the
 * clients). */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http_private.h"

enum {
    ACCEPTS_MAX = 64,      /* per event; the loop has connections of its own to serve */
    LISTEN_BACKLOG = 1024, /* two thousand laptops may come back at once */
    ACCEPT_PAUSE_MS = 100, /* without descriptors, accepting again at once would spin */
    LOOPS_MAX = 64,
    WORKERS_MAX = 256
};

/* ------------------------------------------------------------------ listening */

static const char *listen_reason_zh(int number, const char *otherwise) {
    switch (number) {
    case EADDRINUSE: return "该地址已被占用";
    case EADDRNOTAVAIL: return "本机没有该地址";
    case EACCES:
    case EPERM: return "没有权限";
    default: return otherwise;
    }
}

static enum status socket_err(int number, const char *what, struct err *err) {
    enum status status = ST_INTERNAL;
    if (number == EADDRINUSE)
        status = ST_BUSY;
    else if (number == EACCES || number == EPERM)
        status = ST_DENIED;
    else if (number == EADDRNOTAVAIL || number == ENOENT)
        status = ST_NOT_FOUND;
    char text[128];
    const char *reason = strerror_r(number, text, sizeof text);
    return err_set(err, status, "cannot listen at %s: %s%.0s", "无法监听 %s：%.0s%s", what, reason,
                   listen_reason_zh(number, reason));
}

static int bind_listen(const struct sockaddr *address, socklen_t len, int family, int *out_fd) {
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int number = errno;
        close(fd);
        return number;
    }
    *out_fd = fd;
    return 0;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) return 0;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
}

static enum status listen_tcp(struct http_server *server, struct err *err) {
    char service[8], what[128];
    const char *host = server->config.host;
    snprintf(service, sizeof service, "%u", server->config.port);
    snprintf(what, sizeof what, "%s:%s", host != NULL ? host : "*", service);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(host, service, &hints, &found);
    if (result != 0)
        return err_set(err, ST_NOT_FOUND, "cannot listen at %s: %s", "无法监听 %s：%s", what,
                       gai_strerror(result));
    int number = EADDRNOTAVAIL;
    /* With no host the IPv6 socket also takes IPv4, so it is tried first. */
    for (int pass = 0; pass < 2 && server->listen_fd < 0; pass++)
        for (struct addrinfo *at = found; at != NULL && server->listen_fd < 0; at = at->ai_next)
            if ((at->ai_family == AF_INET6) == ((pass == 0) == (host == NULL)))
                number =
                    bind_listen(at->ai_addr, at->ai_addrlen, at->ai_family, &server->listen_fd);
    freeaddrinfo(found);
    if (server->listen_fd < 0) return socket_err(number, what, err);
    server->port = bound_port(server->listen_fd);
    return ST_OK;
}

/* A socket that a dead process left behind refuses connections and may go. */
static bool is_left_behind(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static enum status listen_unix(struct http_server *server, struct err *err) {
    const char *path = server->config.unix_path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address.sun_path)
        return err_set(err, ST_INVALID, "the path of the socket is too long: %s",
                       "套接字路径过长：%s", path);
    memcpy(address.sun_path, path, len);
    if (is_left_behind(&address)) unlink(path);
    int number =
        bind_listen((const struct sockaddr *)&address, sizeof address, AF_UNIX, &server->listen_fd);
    if (number != 0) return socket_err(number, path, err);
    /* The proxy runs as another user of the same group. */
    if (chmod(path, 0660) != 0) return socket_err(errno, path, err);
    return ST_OK;
}

/* ------------------------------------------------------------------ accepting; on loop 0 */

static void peer_text(const struct sockaddr_storage *address, char out[HTTP_PEER_BYTES]) {
    memcpy(out, "unix", 5);
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out, HTTP_PEER_BYTES);
    } else if (address->ss_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(ip))
            inet_ntop(AF_INET, &ip->s6_addr[12], out, HTTP_PEER_BYTES);
        else
            inet_ntop(AF_INET6, ip, out, HTTP_PEER_BYTES);
    }
}

/* The loop of an arrival owns what it holds from then on. */
static void hand_out(struct http_server *server, const struct http_arrival *arrived) {
    struct http_loop *loop = &server->loops[server->next_loop++ % server->loop_count];
    struct http_arrival *arrival;
    if (loop == &server->loops[0]) {
        http_conn_open(loop, arrived);
    } else if ((arrival = calloc(1, sizeof *arrival)) != NULL) {
        *arrival = *arrived;
        http_loop_give(loop, arrival);
    } else {
        http_arrival_drop(server, arrived);
    }
}

void http_arrival_drop(struct http_server *server, const struct http_arrival *arrival) {
    close(arrival->fd);
    http_leave(server, arrival->peer_entry, arrival->turned_away);
}

void http_leave(struct http_server *server, struct http_peer *peer, int turned_away) {
    if (turned_away != 0)
        atomic_fetch_sub(&server->turned_away, 1);
    else
        http_peer_disconnect(server->peers, peer);
    http_peer_release(server->peers, peer);
    atomic_fetch_sub(&server->connections, 1);
}

/* Full is full for those whose requests are in hand; who only keeps a connection makes room. Other
 * loops' connections are not looked at. */
static bool make_room(struct http_server *server) {
    if (atomic_load(&server->connections) < server->config.limits.connections_max) return true;
    return http_conn_cut_oldest(&server->loops[0]);
}

static void admit(struct http_server *server, int fd, const char *peer) {
    struct http_arrival arrival = {.fd = fd};
    memcpy(arrival.peer, peer, strlen(peer) + 1);
    arrival.peer_entry = http_peer_hold(server->peers, peer);
    if (!http_peer_connect(server->peers, arrival.peer_entry))
        arrival.turned_away = 429;
    else if (!make_room(server)) {
        http_peer_disconnect(server->peers, arrival.peer_entry);
        arrival.turned_away = 503;
    }
    if (arrival.turned_away != 0 && atomic_load(&server->turned_away) >= HTTP_TURNED_AWAY_MAX) {
        close(fd);
        http_peer_release(server->peers, arrival.peer_entry);
        return;
    }
    if (arrival.turned_away != 0) atomic_fetch_add(&server->turned_away, 1);
    atomic_fetch_add(&server->connections, 1);
    hand_out(server, &arrival);
}

static bool is_exhausted(int number) {
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

static void pause_accepting(struct http_server *server) {
    struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};
    event_del(&server->listen_event);
    event_add(&server->resume_event, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct http_server *server = ctx;
    event_add(&server->listen_event, NULL);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *ctx) {
    (void)what;
    struct http_server *server = ctx;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        char peer[HTTP_PEER_BYTES];
        int fd =
            accept4(listen_fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR)) continue;
        if (fd < 0) {
            if (is_exhausted(errno)) pause_accepting(server);
            return;
        }
        peer_text(&address, peer);
        admit(server, fd, peer);
    }
}

void http_accept_on(struct http_server *server) {
    struct event_base *base = server->loops[0].base;
    event_assign(&server->listen_event, base, server->listen_fd, EV_READ | EV_PERSIST, on_accept,
                 server);
    evtimer_assign(&server->resume_event, base, on_resume, server);
    event_add(&server->listen_event, NULL);
}

void http_accept_off(struct http_server *server) {
    event_del(&server->listen_event);
    event_del(&server->resume_event);
    close(server->listen_fd);
    server->listen_fd = -1;
    if (server->config.unix_path != NULL) unlink(server->config.unix_path);
}

/* ------------------------------------------------------------------ life */

static void set_default(unsigned *value, unsigned standard) {
    if (*value == 0) *value = standard;
}

static void set_limits(struct http_limits *limits) {
    if (limits->header_bytes_max == 0) limits->header_bytes_max = 8 * 1024;
    if (limits->body_bytes_max == 0) limits->body_bytes_max = 1024 * 1024;
    set_default(&limits->connections_max, 20000);
    set_default(&limits->idle_timeout_s, 75);
    set_default(&limits->read_timeout_s, 20);
    set_default(&limits->rate_bytes_s_min, 1024);
    if (limits->held_bytes_max == 0) limits->held_bytes_max = 256 * 1024 * 1024;
}

static enum status open_parts(struct http_server *server, struct err *err) {
    const struct http_config *config = &server->config;
    TRY(http_peers_open(&config->limits, &server->peers, err));
    server->loops = calloc(config->loops, sizeof *server->loops);
    if (server->loops == NULL) return err_no_memory(err);
    for (unsigned i = 0; i < config->loops; i++) {
        server->loop_count = i + 1;
        TRY(http_loop_open(&server->loops[i], server, err));
    }
    if (config->unix_path != NULL) return listen_unix(server, err);
    if (config->cert_path != NULL)
        TRY(http_tls_open(config->cert_path, config->key_path, &server->tls, err));
    return listen_tcp(server, err);
}

enum status http_open(const struct http_config *config, struct http_server **out_server,
                      struct err *err) {
    if (config->loops > LOOPS_MAX || config->workers > WORKERS_MAX || config->handler == NULL)
        return err_set(err, ST_INVALID, "at most %d loops and %d workers",
                       "最多 %d 个事件循环和 %d 个工作线程", LOOPS_MAX, WORKERS_MAX);
    if (config->cert_path != NULL && config->key_path == NULL)
        return err_set(err, ST_INVALID, "a certificate needs its key", "证书缺少私钥");
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) return err_no_memory(err);
    server->config = *config;
    server->listen_fd = -1;
    set_default(&server->config.loops, 1);
    set_limits(&server->config.limits);
    enum status status = open_parts(server, err);
    if (status != ST_OK) {
        http_close(server);
        return status;
    }
    *out_server = server;
    return ST_OK;
}

uint16_t http_port(const struct http_server *server) {
    return server->port;
}

enum status http_start(struct http_server *server, struct err *err) {
    TRY(http_workers_start(&server->workers, server->config.workers, err));
    server->started = true;
    http_accept_on(server);
    for (unsigned i = 0; i < server->loop_count; i++)
        TRY(platform_thread_start(http_loop_run, &server->loops[i], &server->loops[i].thread, err));
    return ST_OK;
}

void http_stop(struct http_server *server, int64_t grace_ms) {
    if (!server->started || server->stopped) return;
    server->stopped = true;
    server->grace_ms = grace_ms > 0 ? grace_ms : 0;
    atomic_store(&server->stopping, true);
    for (unsigned i = 0; i < server->loop_count; i++) http_loop_wake(&server->loops[i]);
    for (unsigned i = 0; i < server->loop_count; i++) platform_thread_join(server->loops[i].thread);
    http_workers_stop(&server->workers);
}

void http_close(struct http_server *server) {
    if (server == NULL) return;
    http_stop(server, 0);
    http_workers_stop(&server->workers);
    if (server->listen_fd >= 0) {
        close(server->listen_fd);
        if (server->config.unix_path != NULL) unlink(server->config.unix_path);
    }
    for (unsigned i = 0; i < server->loop_count; i++) http_loop_close(&server->loops[i]);
    free(server->loops);
    http_peers_close(server->peers);
    SSL_CTX_free(server->tls);
    free(server);
}

unsigned http_connections(const struct http_server *server) {
    return atomic_load(&server->connections);
}

bool http_is_stopping(const struct http_server *server) {
    return atomic_load(&server->stopping);
}
