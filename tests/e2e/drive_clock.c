/* For drive.py, preloaded: the machine's clocks as DRIVE_WALL_MS and DRIVE_BOOT_MS (added to the
 * real ones) and DRIVE_BOOT_FILE (the name of this run of the machine) say. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void add_ms(struct timespec *time, const char *name) {
    const char *text = getenv(name);
    if (!text) return;
    long long ms = atoll(text);
    long long ns = time->tv_nsec + ms % 1000 * 1000000;
    time->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
    time->tv_nsec = (ns + 1000000000) % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) add_ms(time, "DRIVE_WALL_MS");
    if (result == 0 && clock == CLOCK_BOOTTIME) add_ms(time, "DRIVE_BOOT_MS");
    return result;
}

int open(const char *path, int flags, ...) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    const char *boot = getenv("DRIVE_BOOT_FILE");
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    if (boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0) path = boot;
    return real(path, flags, mode);
}
