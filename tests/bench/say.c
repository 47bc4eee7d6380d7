/* What measures and says: clocks, series, the table and the JSON. */
#include "tests/bench/bench.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------------ small things */

void bench_fail(const char *what, const struct err *err) {
    fprintf(stderr, "%s: %s\n", what, err ? err->text[LANG_EN] : "failed");
    exit(1);
}

const char *bench_note(struct bench *b, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return arena_string(&b->mem, slice_from(line));
}

const char *bench_dir(struct bench *b) {
    struct err err;
    char *path = arena_printf(&b->mem, "%s/%u", b->dir, b->dirs++);
    MUST(platform_make_dir(path, &err));
    return path;
}

static double clock_us(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double cpu_us(void) {
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

double cpu_thread_us(void) {
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

double wall_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}

/* ------------------------------------------------------------------ series */

void series_add(struct series *s, double v) {
    if (s->count < SERIES_MAX) s->v[s->count++] = v;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double series_quantile(const struct series *s, double share) {
    static struct series sorted;                           /* too large for a stack of a thread; main's alone */
    if (s->count == 0) return 0;
    sorted = *s;
    qsort(sorted.v, sorted.count, sizeof sorted.v[0], compare);
    size_t at = (size_t)(share * (double)(sorted.count - 1) + 0.5);
    return sorted.v[at];
}

double series_median(const struct series *s) {
    return series_quantile(s, 0.5);
}

/* ------------------------------------------------------------------ the table */

static bool is_ok(const struct figure *f) {
    double v = f->judge_value ? f->value : f->ratio;
    switch (f->judge) {
    case AT_MOST: return v <= f->target;
    case AT_LEAST: return v >= f->target;
    case JUST_SAYS: return true;
    }
    return false;
}

static void put_number(char out[24], double v) {
    if (v == 0) (void)snprintf(out, 24, "-");
    else if (v >= 1000 || v == (double)(int64_t)v) (void)snprintf(out, 24, "%.0f", v);
    else if (v >= 10) (void)snprintf(out, 24, "%.1f", v);
    else (void)snprintf(out, 24, "%.3f", v);
}

static void print_figure(const struct figure *f) {
    char value[24], control[24], ratio[24], target[40], number[24];
    if (f->value == 0) (void)snprintf(value, sizeof value, "0");
    else put_number(value, f->value);
    put_number(control, f->control);
    if (f->ratio == 0) (void)snprintf(ratio, sizeof ratio, "-");
    else (void)snprintf(ratio, sizeof ratio, "%.3f", f->ratio);
    put_number(number, f->target);
    if (f->judge == JUST_SAYS) (void)snprintf(target, sizeof target, "-");
    else (void)snprintf(target, sizeof target, "%s %s%s", f->judge == AT_MOST ? "<=" : ">=", number, f->judge_value ? "" : " x");
    const char *verdict = f->judge == JUST_SAYS ? "" : is_ok(f) ? "ok" : "MISSED";
    printf("%-22s %11s %11s %7s  %-9s %-7s %-5s %s\n", f->name, value, control, ratio, target, verdict, f->unit, f->note);
}

void bench_say(struct bench *b, struct figure figure) {
    if (b->figure_count == ARRAY_COUNT(b->figures)) bench_fail("too many figures", NULL);
    b->figures[b->figure_count++] = figure;
    print_figure(&figure);
    (void)fflush(stdout);
}

static void put_json(FILE *to, const char *name, double v, bool there) {
    if (there) fprintf(to, ", \"%s\": %.6g", name, v);
    else fprintf(to, ", \"%s\": null", name);
}

void bench_write_json(const struct bench *b, const char *path) {
    FILE *to = fopen(path, "w");
    if (!to) bench_fail(path, NULL);
    fputs("[\n", to);
    for (size_t i = 0; i < b->figure_count; i++) {
        const struct figure *f = &b->figures[i];
        fprintf(to, "  {\"name\": \"%s\"", f->name);
        put_json(to, "value", f->value, true);
        put_json(to, "control", f->control, f->control != 0);
        put_json(to, "ratio", f->ratio, f->ratio != 0);
        put_json(to, "target", f->target, f->judge != JUST_SAYS);
        fprintf(to, ", \"ok\": %s}%s\n", is_ok(f) ? "true" : "false", i + 1 < b->figure_count ? "," : "");
    }
    fputs("]\n", to);
    if (fclose(to) != 0) bench_fail(path, NULL);
}

void bench_print_machine(const struct bench *b) {
    struct utsname name;
    char line[256], model[128] = "unknown processor";
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && fgets(line, sizeof line, info))
        if (sscanf(line, "model name : %127[^\n]", model) == 1) break;
    if (info) (void)fclose(info);
    (void)uname(&name);
    double load = 0;
    (void)getloadavg(&load, 1);
    printf("machine: %s, %ld processors, %s %s, load %.1f; files below %s; %s\n\n", model, sysconf(_SC_NPROCESSORS_ONLN),
           name.sysname, name.release, load, b->dir, b->quick ? "quick: smaller sizes" : "full sizes");
    printf("%-22s %11s %11s %7s  %-9s %-7s %-5s %s\n", "name", "value", "control", "ratio", "target", "", "unit", "what");
}

/* ------------------------------------------------------------------ starting and judging */

void bench_start(struct bench *b) {
    struct err err;
    const char *dir;
    b->mem = arena_new((size_t)4 << 30);
    platform_env(&b->env);
    MUST(crypto_start(&err));
    MUST(catalogue_release(&b->mem, &b->cat, &err));
    MUST(platform_temp_dir(&b->mem, &dir, &err));
    (void)snprintf(b->dir, sizeof b->dir, "%s", dir);
    b->visit = catalogue_entity(&b->cat, SLICE("visit"));
    b->account = catalogue_entity(&b->cat, SLICE("account"));
    b->employee = catalogue_entity(&b->cat, SLICE("employee"));
    (void)platform_raise_fd_limit(20000);
}

int bench_missed(const struct bench *b) {
    int count = 0;
    for (size_t i = 0; i < b->figure_count; i++) count += !is_ok(&b->figures[i]);
    return count;
}
