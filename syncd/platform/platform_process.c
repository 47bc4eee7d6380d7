/* The process among others: signals, waiting, the service manager, limits, bells. */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform_private.h"

/* A signal handler gets no context: the pipe's end that it writes to can only be found in a static.
 */
static _Atomic int signal_write_fd = -1;

static void on_signal(int number) {
    int kept = errno;
    uint8_t byte = number == SIGHUP ? PLATFORM_SIGNAL_RELOAD : PLATFORM_SIGNAL_STOP;
    ssize_t written = write(atomic_load(&signal_write_fd), &byte, 1);
    (void)written; /* a full pipe says already that there is something to do */
    errno = kept;
}

static enum status pipe_open(int fds[2], struct err *err) {
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return platform_errno(errno, "pipe", err);
    return ST_OK;
}

static void set_handler(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

enum status platform_signals_open(int *out_fd, struct err *err) {
    int fds[2];
    TRY(pipe_open(fds, err));
    atomic_store(&signal_write_fd, fds[1]);
    set_handler(SIGTERM, on_signal);
    set_handler(SIGINT, on_signal);
    set_handler(SIGHUP, on_signal);
    set_handler(SIGPIPE, SIG_IGN);
    *out_fd = fds[0];
    return ST_OK;
}

enum platform_signal platform_signals_next(int fd) {
    uint8_t byte;
    if (read(fd, &byte, 1) != 1) return PLATFORM_SIGNAL_NONE;
    return byte == PLATFORM_SIGNAL_RELOAD ? PLATFORM_SIGNAL_RELOAD : PLATFORM_SIGNAL_STOP;
}

void platform_signals_close(int fd) {
    set_handler(SIGTERM, SIG_DFL);
    set_handler(SIGINT, SIG_DFL);
    set_handler(SIGHUP, SIG_DFL);
    int write_fd = atomic_exchange(&signal_write_fd, -1);
    if (write_fd >= 0) close(write_fd);
    close(fd);
}

enum { WAIT_FDS_MAX = 16 }; /* a program waits for signals, a watch and a bell */

enum status platform_wait(const int fds[], size_t count, int64_t timeout_ms, size_t *out_which,
                          struct err *err) {
    if (count > WAIT_FDS_MAX)
        return err_set(err, ST_INTERNAL, "too many to wait for", "等待对象过多");
    struct pollfd polled[WAIT_FDS_MAX];
    for (size_t i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    int64_t until = platform_mono_ms() + timeout_ms;
    int ready;
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : until - platform_mono_ms();
        if (timeout_ms >= 0 && left < 0) left = 0;
        if (left > 86400000) left = 86400000;
        ready = poll(polled, (nfds_t)count, (int)left);
        if (ready > 0 || (ready == 0 && timeout_ms >= 0 && platform_mono_ms() >= until)) break;
        if (ready < 0 && errno != EINTR) return platform_errno(errno, "poll", err);
    }
    size_t which = 0;
    while (which < count && (ready == 0 || polled[which].revents == 0)) which++;
    *out_which = which;
    return ST_OK;
}

void platform_return_memory(void) {
#ifdef __GLIBC__
    enum { LARGE_BYTES = 128 * 1024 };
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* fixed: else it grows with what is freed */
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

void platform_notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@')) return;
    size_t len = strlen(path);
    if (len >= sizeof to.sun_path) return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') to.sun_path[0] = 0; /* a name in the abstract space begins with zero */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, to_len);
    close(fd);
}

uint64_t platform_raise_fd_limit(uint64_t want) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur >= want) return limit.rlim_cur;
    struct rlimit raised = {want, limit.rlim_max > want ? limit.rlim_max : want};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

enum status platform_bell_open(struct platform_bell *out, struct err *err) {
    int fds[2];
    TRY(pipe_open(fds, err));
    *out = (struct platform_bell){fds[0], fds[1]};
    return ST_OK;
}

void platform_bell_ring(const struct platform_bell *bell) {
    ssize_t written = write(bell->write_fd, "", 1);
    (void)written; /* full: it rings already */
}

void platform_bell_drain(const struct platform_bell *bell) {
    uint8_t bytes[256];
    while (read(bell->read_fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) continue;
}

void platform_bell_close(struct platform_bell *bell) {
    if (bell->read_fd >= 0) close(bell->read_fd);
    if (bell->write_fd >= 0) close(bell->write_fd);
    *bell = (struct platform_bell){-1, -1};
}
