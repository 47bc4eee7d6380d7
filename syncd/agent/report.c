/* How this laptop is, for head office: told with a round when it changed notably, and daily, so
 * that an idle round stays as small as it is. What was told last is kept with the book.
 */
#include "syncd/agent/report.h"

#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"

#define REPORT_SETTING "report_told"
enum {
    REPORT_PATH_BYTES = 4096,
    REPORT_DAY_MS = 24 * 3600 * 1000,
    REPORT_NOTABLE_KIB = 16 * 1024, /* and a quarter of what it was */
    REPORT_SCARCE_MIB = 1024
};

struct told {
    int64_t at_ms;
    struct device_report report;
};

static int64_t file_kib(const char *home, const char *name) {
    char path[REPORT_PATH_BYTES];
    struct platform_file_info info;
    int n = snprintf(path, sizeof path, "%s/%s", home, name);
    if (n <= 0 || n >= REPORT_PATH_BYTES) return 0;
    return platform_file_info(path, &info, NULL) == ST_OK ? (info.bytes + 1023) / 1024 : 0;
}

static enum disk_kind disk_of(const char *home) {
    switch (platform_disk_encryption(home)) {
    case PLATFORM_DISK_PLAIN: return DISK_PLAIN;
    case PLATFORM_DISK_ENCRYPTED: return DISK_ENCRYPTED;
    case PLATFORM_DISK_UNKNOWN: break;
    }
    return DISK_UNKNOWN;
}

static enum status measure(const struct agent_config *c, struct device_report *out,
                           struct err *err) {
    int64_t free_bytes;
    *out = (struct device_report){.disk = disk_of(c->home)};
    TRY(store_newest_batch(c->store, &out->newest_batch, err));
    out->used_kib =
        file_kib(c->home, AGENT_STORE_FILE) + file_kib(c->home, AGENT_STORE_FILE "-wal");
    if (platform_disk_free(c->home, &free_bytes, NULL) == ST_OK)
        out->free_mib = free_bytes / (1024 * 1024);
    return ST_OK;
}

static bool differs_much(int64_t a, int64_t b, int64_t least) {
    int64_t by = a > b ? a - b : b - a;
    return by > least && by > b / 4;
}

static bool is_notable(const struct told *told, const struct device_report *now, int64_t now_ms,
                       const struct round_request *request) {
    const struct device_report *then = &told->report;
    int64_t age = now_ms - told->at_ms;
    bool stays = now->newest_batch > request->last_batch + request->batch_count;
    if (age < 0 || age >= REPORT_DAY_MS || now->disk != then->disk) return true;
    if (stays && now->newest_batch != then->newest_batch) return true;
    if (differs_much(now->used_kib, then->used_kib, REPORT_NOTABLE_KIB)) return true;
    return (now->free_mib < REPORT_SCARCE_MIB) != (then->free_mib < REPORT_SCARCE_MIB);
}

enum status report_put(const struct agent_config *c, struct round_request *request,
                       struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(64 * 1024);
    struct slice kept = {0};
    struct told told = {0};
    if (!c->home) return ST_OK;
    TRY(measure(c, &request->report, err));
    enum status status = store_setting(c->store, REPORT_SETTING, &mem, &kept, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    if (status == ST_OK && kept.len == sizeof told) memcpy(&told, kept.data, sizeof told);
    request->has_report =
        is_notable(&told, &request->report, c->env->wall_ms(c->env->ctx), request);
    return ST_OK;
}

enum status report_told(const struct agent_config *c, const struct round_request *request,
                        struct err *err) {
    struct told told;
    if (!request->has_report) return ST_OK;
    memset(&told, 0, sizeof told); /* also between the members */
    told.at_ms = c->env->wall_ms(c->env->ctx);
    told.report = request->report;
    return store_setting_set(c->store, REPORT_SETTING, slice_of(&told, sizeof told), err);
}
