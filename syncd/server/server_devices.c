/* The laptops, as head office sees them: how they are, and what becomes of those that are lost. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/server.h"
#include "syncd/store/lives.h"

enum { LATE_DAYS = 3, DEVICE_HOUR_MS = 3600 * 1000, DEVICE_DAY_MS = 24 * DEVICE_HOUR_MS };

/* ------------------------------------------------------------------ what is known of one */

struct device_view {
    struct server *server;
    struct listing *l;
    struct centre *centre;
    struct centre_head head;
    int64_t now_ms, late_ms;
    bool only_late;
    uint32_t only; /* 0: all */
    bool found;
};

/* One word for programs and for people. */
static const char *state_of(const struct device_view *v, const struct centre_device *d) {
    const struct server *server = v->server;
    if (server->json && d->wiped_ms) return "wiped";
    if (server->json && d->wipe) return "to_wipe";
    if (server->json) return d->revoked ? "revoked" : d->user_active ? "active" : "inactive";
    if (d->wiped_ms) return server_say(server, "wiped", "已清除");
    if (d->wipe) return server_say(server, "to be wiped", "待清除");
    if (d->revoked) return server_say(server, "revoked", "已停用");
    return d->user_active ? server_say(server, "active", "在用")
                          : server_say(server, "user inactive", "用户已停用");
}

/* A laptop that nobody expects is not late. */
static bool is_late(const struct device_view *v, const struct centre_device *d) {
    int64_t seen = d->seen_ms ? d->seen_ms : d->enrolled_ms;
    return !d->revoked && d->user_active && v->now_ms - seen >= v->late_ms;
}

/* How many changes the laptop does not have, and how long ago the oldest of them was made. */
static enum status lag_of(const struct device_view *v, const struct centre_device *d,
                          int64_t *out_changes, int64_t *out_ms, struct err *err) {
    int64_t since;
    TRY(centre_log_behind(v->centre, d->number, d->cursor, out_changes, &since, err));
    *out_ms = since > 0 && since < v->now_ms ? v->now_ms - since : 0;
    return ST_OK;
}

static int64_t outbox_of(const struct centre_device *d) {
    if (d->report.newest_batch <= d->last_batch) return 0;
    return (int64_t)d->report.newest_batch - d->last_batch;
}

static void put_tenths(struct listing *l, int64_t value, int64_t unit) {
    char text[32];
    (void)snprintf(text, sizeof text, "%.1f", (double)value / (double)unit);
    listing_real(l, strcmp(text, "-0.0") == 0 ? "0.0" : text);
}

static const char *disk_of(const struct server *server, enum disk_kind disk) {
    switch (disk) {
    case DISK_PLAIN: return server_say(server, "not encrypted", "未加密");
    case DISK_ENCRYPTED: return server_say(server, "encrypted", "已加密");
    case DISK_UNKNOWN:
    case DISK_KIND_COUNT: break;
    }
    return "";
}

static const char *disk_name(enum disk_kind disk) {
    return disk == DISK_PLAIN ? "plain" : disk == DISK_ENCRYPTED ? "encrypted" : "";
}

static void put_report(const struct device_view *v, const struct centre_device *d) {
    struct listing *l = v->l;
    if (!d->told_ms) {
        for (int i = 0; i < 4; i++) listing_null(l);
        return;
    }
    listing_int(l, outbox_of(d));
    put_tenths(l, d->report.used_kib, 1024);
    put_tenths(l, d->report.free_mib, 1024);
    listing_string(l, v->server->json ? disk_name(d->report.disk)
                                      : disk_of(v->server, d->report.disk));
}

static void put_clock(struct listing *l, const struct centre_device *d) {
    if (d->seen_ms)
        put_tenths(l, d->offset_ms, 1000);
    else
        listing_null(l);
}

static enum status put_device(void *ctx, const struct centre_device *d, struct err *err) {
    struct device_view *v = ctx;
    struct listing *l = v->l;
    int64_t changes, lag;
    if (v->only && d->number != v->only) return ST_OK;
    if (v->only_late && !is_late(v, d)) return ST_OK;
    v->found = true;
    TRY(lag_of(v, d, &changes, &lag, err));
    listing_int(l, d->number);
    listing_string(l, d->user_name);
    listing_string(l, d->name);
    listing_string(l, d->release);
    listing_string(l, state_of(v, d));
    listing_time(l, d->seen_ms);
    if (v->server->json)
        listing_bool(l, is_late(v, d));
    else
        listing_string(l, is_late(v, d) ? server_say(v->server, "late", "失联") : "");
    listing_int(l, changes);
    put_tenths(l, lag, DEVICE_HOUR_MS);
    put_report(v, d);
    put_clock(l, d);
    listing_bool(l, d->revoked);
    listing_int(l, d->last_batch);
    listing_int(l, d->cursor);
    listing_time(l, d->enrolled_ms);
    listing_time(l, d->revoked ? d->revoked_ms : 0);
    listing_time(l, d->wiped_ms);
    if (d->formerly)
        listing_int(l, d->formerly);
    else
        listing_null(l);
    listing_time(l, d->told_ms);
    return ST_OK;
}

/* What only `device show` says has no label in the list. */
#define DEVICE_COLUMNS(en, zh)                                                                     \
    {"device", {"No.", "编号"}}, {"user", {"User", "用户"}}, {"name", {"Laptop", "笔记本"}},       \
        {"release", {"Release", "版本"}}, {"state", {"State", "状态"}},                            \
        {"seen_at", {"Last seen", "最近联系"}}, {"late", {"Late", "失联"}},                        \
        {"lag_changes", {"Behind", "落后"}}, {"lag_hours", {"Hours behind", "落后小时"}},          \
        {"outbox_batches", {"Unsent", "未发批次"}}, {"used_mib", {"Book MiB", "账本 MiB"}},        \
        {"free_gib", {"Free GiB", "剩余 GiB"}}, {"disk", {"Disk", "磁盘"}},                        \
        {"clock_error_s", {"Clock off s", "时钟偏差秒"}}, {"revoked", {NULL, NULL}},               \
        {"last_batch", {en("Batches"), zh("批次")}},                                               \
        {"cursor", {en("Has up to"), zh("已同步至")}},                                             \
        {"enrolled_at", {en("Enrolled"), zh("登记时间")}},                                         \
        {"revoked_at", {en("Revoked"), zh("停用时间")}},                                           \
        {"wiped_at", {en("Wiped"), zh("清除时间")}},                                               \
        {"formerly", {en("Copy of No."), zh("原为设备")}}, {                                       \
        "told_at", {                                                                               \
            en("Last report"), zh("最近自报")                                                      \
        }                                                                                          \
    }
#define COLUMN_SHOWN(text) text
#define COLUMN_LEFT_OUT(text) NULL

static enum status view_open(struct server *server, struct org_reader *reader, bool one,
                             struct device_view *out, struct err *err) {
    static const struct listing_column IN_LIST[] = {
        DEVICE_COLUMNS(COLUMN_LEFT_OUT, COLUMN_LEFT_OUT)};
    static const struct listing_column OF_ONE[] = {DEVICE_COLUMNS(COLUMN_SHOWN, COLUMN_SHOWN)};
    *out = (struct device_view){.server = server,
                                .centre = org_reader_centre(reader),
                                .now_ms = server->env.wall_ms(server->env.ctx)};
    TRY(org_head(reader, &out->head, err));
    return listing_open(server, one ? OF_ONE : IN_LIST, ARRAY_COUNT(IN_LIST), one, &out->l, err);
}

enum status server_cmd_device_list(void *program, const struct command_line *line,
                                   struct err *err) {
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct device_view v;
    int64_t days;
    TRY(command_number(line, "--late-after", 1, 3650, LATE_DAYS, &days, err));
    TRY(server_reader_open(server, &reader, err));
    TRY(view_open(server, reader, false, &v, err));
    SCOPED(listing_release) struct listing *l = v.l;
    v.late_ms = days * DEVICE_DAY_MS;
    v.only_late = command_has(line, "--late");
    if (v.only_late)
        listing_none(l, "no laptop is late", "没有失联的笔记本");
    else
        listing_none(l, "no laptops yet: roadbook-server link LOGIN",
                     "还没有笔记本：roadbook-server link 登录名");
    TRY(centre_devices(v.centre, put_device, &v, err));
    return listing_close(&l, err);
}

static enum status number_read(const char *text, uint32_t *out, struct err *err) {
    int64_t number;
    if (!text_to_int(slice_from(text), &number) || number < 1 || number > ID_DEVICE_MAX)
        return err_set(err, ST_USAGE, "give the laptop's number; see roadbook-server device list",
                       "请给出笔记本编号；请看 roadbook-server device list");
    *out = (uint32_t)number;
    return ST_OK;
}

static enum status no_laptop(uint32_t number, struct err *err) {
    return err_set(err, ST_NOT_FOUND, "there is no laptop %u; see roadbook-server device list",
                   "没有编号为 %u 的笔记本；请看 roadbook-server device list", (unsigned)number);
}

enum status server_cmd_device_show(void *program, const struct command_line *line,
                                   struct err *err) {
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct centre_device device;
    struct device_view v;
    uint32_t number;
    TRY(number_read(line->words[0], &number, err));
    TRY(server_reader_open(server, &reader, err));
    enum status status = org_device(reader, number, &device, err);
    if (status == ST_NOT_FOUND) return no_laptop(number, err);
    TRY(status);
    TRY(view_open(server, reader, true, &v, err));
    SCOPED(listing_release) struct listing *l = v.l;
    v.late_ms = LATE_DAYS * (int64_t)DEVICE_DAY_MS;
    v.only = number;
    TRY(put_device(&v, &device, err));
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ lost ones */

static enum status revoke(struct server *server, const char *word, bool wipe, struct err *err) {
    SCOPED(server_org_release) struct org *org = NULL;
    uint32_t number;
    TRY(number_read(word, &number, err));
    TRY(server_org_open(server, &org, err));
    enum status status = centre_device_revoke(org_centre(org), number, wipe, err);
    if (status == ST_NOT_FOUND) return no_laptop(number, err);
    TRY(status);
    if (server->json)
        printf("{\"device\":%u,\"revoked\":true,\"wipe\":%s}\n", (unsigned)number,
               wipe ? "true" : "false");
    if (wipe)
        server_tell(server,
                    "Laptop %u: with its next contact its unsent work goes to quarantine, and its "
                    "book is deleted. device show %u says when that is done.",
                    "笔记本 %u：下次联系时，未发送的修改转入待审，账本随即删除。完成时间见 device "
                    "show %u。",
                    (unsigned)number, (unsigned)number);
    else
        server_tell(server,
                    "Laptop %u gets nothing any more; what it has not sent goes to quarantine.",
                    "编号 %u 的笔记本已停用；其未发送的修改将转入待审。", (unsigned)number);
    return ST_OK;
}

enum status server_cmd_device_revoke(void *program, const struct command_line *line,
                                     struct err *err) {
    return revoke(program, line->words[0], command_has(line, "--wipe"), err);
}

enum status server_cmd_device_lost(void *program, const struct command_line *line,
                                   struct err *err) {
    return revoke(program, line->words[0], true, err);
}

/* ------------------------------------------------------------------ releases */

enum status server_cmd_org_minimum(void *program, const struct command_line *line,
                                   struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct centre_head head;
    TRY(server_org_open(server, &org, err));
    if (line->word_count > 0) {
        bool none = strcmp(line->words[0], "none") == 0;
        struct slice release = none ? (struct slice){0} : slice_from(line->words[0]);
        TRY(centre_minimum_release_set(org_centre(org), release, err));
    }
    TRY(centre_head(org_centre(org), &head, err));
    if (head.minimum_release > 0) wire_release_write(head.minimum_release, &text);
    TRY(buf_status(&text, err));
    if (server->json)
        printf("{\"minimum_release\":%s%s%s}\n", text.len ? "\"" : "",
               text.len ? buf_text(&text) : "null", text.len ? "\"" : "");
    if (text.len)
        server_tell(server, "Laptops older than %s send what they have and get nothing.",
                    "低于 %s 的笔记本只能发送，不能接收。", buf_text(&text));
    else
        server_tell(server, "Laptops of any release may sync.", "任何版本的笔记本均可同步。");
    return ST_OK;
}
