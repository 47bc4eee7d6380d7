/* Clocks, random numbers and the log: the real world behind struct env. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "platform_private.h"

#ifndef CLOCK_BOOTTIME
#define CLOCK_BOOTTIME CLOCK_MONOTONIC
#endif

static int64_t clock_us(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) abort();
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t platform_mono_ms(void) {
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t platform_mono_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}

void platform_sleep_ms(int64_t ms) {
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static int env_utc_offset_min(void *ctx, int64_t unix_ms) {
    (void)ctx;
    return platform_utc_offset_minutes(unix_ms);
}

static int64_t env_wall_ms(void *ctx) {
    (void)ctx;
    return clock_us(CLOCK_REALTIME) / 1000;
}

static int64_t env_boot_ms(void *ctx) {
    (void)ctx;
    return clock_us(CLOCK_BOOTTIME) / 1000;
}

/* Without random numbers no key and no nonce is safe, so their failure ends the process. */
static void env_random(void *ctx, void *out, size_t bytes) {
    (void)ctx;
    uint8_t *at = out;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) abort();
        at += got;
        bytes -= (size_t)got;
    }
}

/* The boot's name travels in ctx itself: computed once, and still no state anywhere. */
static uint64_t env_boot_id(void *ctx) {
    return (uint64_t)(uintptr_t)ctx;
}

static uint64_t fnv1a(const char *text, size_t len) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++) hash = (hash ^ (uint8_t)text[i]) * 1099511628211u;
    return hash;
}

static uintptr_t boot_name(void) {
    char text[64];
    ssize_t len = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        len = read(fd, text, sizeof text);
        close(fd);
    }
    if (len > 0) return (uintptr_t)fnv1a(text, (size_t)len);
    uintptr_t invented;
    env_random(NULL, &invented, sizeof invented);
    return invented;
}

static const char *level_name(enum log_level level) {
    switch (level) {
    case LOG_ERROR: return "error";
    case LOG_WARNING: return "warning";
    case LOG_INFO: return "info";
    case LOG_DEBUG: return "debug";
    }
    return "error";
}

/* One write per line, so that lines of several threads and processes do not mix. */
static void env_log(void *ctx, enum log_level level, const char *line) {
    (void)ctx;
    struct timespec now;
    struct tm utc;
    char text[4096], stamp[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    int len = snprintf(text, sizeof text, "ts=%s.%03dZ level=%s %s", stamp,
                       (int)(now.tv_nsec / 1000000), level_name(level), line);
    if (len < 0) return;
    size_t used = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    /* A line break from outside must not make a line of its own. */
    for (size_t i = 0; i < used; i++)
        if ((uint8_t)text[i] < 0x20) text[i] = ' ';
    text[used++] = '\n';
    ssize_t written = write(STDERR_FILENO, text, used);
    (void)written;
}

void platform_env(struct env *out) {
    *out = (struct env){
        .ctx = (void *)boot_name(),
        .wall_ms = env_wall_ms,
        .boot_ms = env_boot_ms,
        .boot_id = env_boot_id,
        .random = env_random,
        .log = env_log,
        .utc_offset_min = env_utc_offset_min,
    };
}
