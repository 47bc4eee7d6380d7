/* Backups that laptops are told of, putting one in place of the book, and the recovery after that:
 * laptops give back what the server has forgotten, until head office ends it. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/server.h"
#include "syncd/store/lives.h"
#include "syncd/store/orders.h"

/* ------------------------------------------------------------------ recovery */

static enum status device_row(void *ctx, const struct centre_returning *row, struct err *err) {
    struct listing *l = ctx;
    (void)err;
    listing_int(l, row->device);
    listing_bool(l, row->entered);
    listing_bool(l, row->settled);
    listing_int(l, row->missing);
    return ST_OK;
}

static enum status list_returning(struct server *server, struct centre *c, struct err *err) {
    static const struct listing_column columns[] = {
        {"device", {"device", "设备"}},
        {"was_here", {"was here", "已联系"}},
        {"gave_back", {"gave back", "已交还"}},
        {"missing_batches", {"missing batches", "缺失批次"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(listing_open(server, columns, ARRAY_COUNT(columns), false, &l, err));
    TRY(centre_returnings(c, device_row, l, err));
    return listing_close(&l, err);
}

static void tell_recovery(struct server *server, const struct centre_recovery *r) {
    if (r->began_ms == 0) {
        server_tell(server, "This server never went back in time.", "本服务器数据从未回退。");
        return;
    }
    server_tell(server,
                r->recovering ? "The server recovers since epoch %lld began."
                              : "The recovery of epoch %lld is over.",
                r->recovering ? "自纪元 %lld 开始以来服务器处于恢复状态。"
                              : "纪元 %lld 的恢复已结束。",
                (long long)r->epoch);
    server_tell(server,
                "It went back to seq %lld; %lld changes were given back; %lld batches are lost.",
                "数据回退到序号 %lld；已交还 %lld 项修改；丢失 %lld 批。", (long long)r->back,
                (long long)r->given, (long long)r->missing);
}

/* In the text only: programs read the list of laptops. */
static enum status tell_claim(void *ctx, const struct centre_claim *claim, struct err *err) {
    (void)err;
    server_tell(
        ctx,
        "Laptop %u says that this server went back, and cannot prove it (epoch %lld, seq "
        "%lld, %lld times). If the disk was set back: recovery begin; else enrol it anew.",
        "笔记本 %u 称本服务器数据已回退，但无法证明（纪元 %lld，序号 %lld，共 %lld 次）。若磁盘"
        "确曾回退，请运行 recovery begin；否则请让该电脑重新登记。",
        (unsigned)claim->device, (long long)claim->epoch, (long long)claim->seq,
        (long long)claim->times);
    return ST_OK;
}

enum status server_cmd_recovery_status(void *program, const struct command_line *line,
                                       struct err *err) {
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct centre_recovery r;
    (void)line;
    TRY(server_reader_open(server, &reader, err));
    TRY(centre_recovery(org_reader_centre(reader), &r, err));
    tell_recovery(server, &r);
    TRY(centre_claims(org_reader_centre(reader), tell_claim, server, err));
    return list_returning(server, org_reader_centre(reader), err);
}

enum status server_cmd_recovery_begin(void *program, const struct command_line *line,
                                      struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    struct centre_recovery r;
    (void)line;
    TRY(server_org_open(server, &org, err));
    TRY(centre_recovery_begin(org_centre(org), err));
    TRY(centre_recovery(org_centre(org), &r, err));
    server_tell(server,
                "Epoch %lld begins: laptops give back what the server has forgotten. Look with: "
                "recovery status; then: recovery end",
                "纪元 %lld 开始：各电脑会交还服务器所缺的内容。用 recovery status 查看，完成后运行 "
                "recovery end",
                (long long)r.epoch);
    return ST_OK;
}

enum status server_cmd_recovery_end(void *program, const struct command_line *line,
                                    struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    (void)line;
    TRY(server_org_open(server, &org, err));
    TRY(centre_recovery_end(org_centre(org), err));
    server_tell(server,
                "The recovery is over: what still waited for other laptops comes in or is held.",
                "恢复已结束：仍在等待其他电脑的修改将被采用或留待处理。");
    return ST_OK;
}

/* ------------------------------------------------------------------ restore */

enum { RESTORE_SUFFIXES = 3 };
static const char *const SUFFIXES[RESTORE_SUFFIXES] = {"", "-wal", "-shm"};

/* What the present file knows; nothing when there is none, or it cannot be read. */
static struct centre_head head_of(struct server *server, const char *path) {
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct org_config config = server_org_config(server, path);
    struct centre_head head, none = {.epoch = 0};
    if (!platform_exists(path) || org_reader_open(&config, &reader, NULL) != ST_OK) return none;
    return org_head(reader, &head, NULL) == ST_OK ? head : none;
}

static enum status set_aside(struct server *server, const char *path, const char *aside,
                             struct err *err) {
    for (int i = 0; i < RESTORE_SUFFIXES; i++) {
        const char *from = arena_printf(&server->mem, "%s%s", path, SUFFIXES[i]);
        const char *to = arena_printf(&server->mem, "%s%s", aside, SUFFIXES[i]);
        if (!from || !to) return err_no_memory(err);
        if (platform_exists(from)) TRY(platform_rename(from, to, err));
    }
    return ST_OK;
}

/* A copy made by the engine of what FILE holds, so that its own log is in it and FILE stays. */
static enum status copy_book(struct server *server, const char *file, const char *to,
                             struct err *err) {
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct org_config config = server_org_config(server, file);
    struct centre_org facts;
    TRY(org_reader_open(&config, &reader, err));
    TRY(centre_org(org_reader_centre(reader), &facts, err));
    bytes_wipe(&facts, sizeof facts);
    if (platform_exists(to)) TRY(platform_remove(to, err));
    return store_backup(centre_store(org_reader_centre(reader)), to, NULL, NULL, err);
}

/* Laptops may know more than the backup: another epoch begins at once. */
static enum status begin_anew(struct server *server, const char *path, int64_t epoch,
                              struct centre_recovery *out, struct err *err) {
    SCOPED(server_org_release) struct org *org = NULL;
    struct org_config config = server_org_config(server, path);
    struct centre_head head;
    TRY(org_open(&config, &org, err));
    struct centre *c = org_centre(org);
    TRY(centre_begin(c, true, err));
    enum status status = centre_head(c, &head, err);
    if (status == ST_OK)
        status = centre_epoch_begin(c, (head.epoch > epoch ? head.epoch : epoch) + 1, err);
    if (status == ST_OK) status = centre_commit(c, err);
    if (status != ST_OK) centre_rollback(c);
    TRY(status);
    return centre_recovery(c, out, err);
}

static enum status restore(struct server *server, const char *file, const char *path,
                           struct centre_recovery *out, int64_t *out_announced,
                           const char **out_aside, struct err *err) {
    int64_t now = server->env.wall_ms(server->env.ctx);
    const char *fresh = arena_printf(&server->mem, "%s.restoring", path);
    const char *aside = arena_printf(&server->mem, "%s.before-%lld", path, (long long)now);
    if (!fresh || !aside) return err_no_memory(err);
    struct centre_head head = head_of(server, path);
    TRY(copy_book(server, file, fresh, err));
    TRY(orders_adopt(file, path, err)); /* what was ordered since the backup stands */
    TRY(set_aside(server, path, aside, err));
    TRY(platform_rename(fresh, path, err));
    *out_aside = aside;
    *out_announced = head.backup;
    return begin_anew(server, path, head.epoch, out, err);
}

enum status server_cmd_restore(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(platform_unlock) struct platform_lock lock = {-1};
    struct centre_recovery r;
    const char *name, *path, *aside;
    int64_t announced;
    TRY(server_org_pick(server, &name, err));
    path = server_org_path(server, name);
    if (!path) return err_no_memory(err);
    if (server_serve_lock(server, &lock, err) != ST_OK)
        return err_set(err, ST_BUSY, "the server runs: stop it first", "服务器正在运行：请先停止");
    TRY(restore(server, line->words[0], path, &r, &announced, &aside, err));
    bool later = announced > r.back;
    if (server->json)
        printf("{\"epoch\":%lld,\"back\":%lld,\"later_backup\":%s}\n", (long long)r.epoch,
               (long long)r.back, later ? "true" : "false");
    server_tell(server, "The book of %s is as it was at seq %lld; what stood here is %s.",
                "%s 的账本已还原到序号 %lld；原文件保存为 %s。", name, (long long)r.back, aside);
    if (later) /* nothing is changed yet that restoring that one would not put right */
        server_tell(
            server,
            "There is a later backup, up to seq %lld, and laptops no longer keep what it "
            "holds: restore that one, unless it is lost.",
            "另有一份更新的备份（至序号 %lld），其中的内容笔记本已不再保留：除非该备份已丢失，"
            "请改用它还原。",
            (long long)announced);
    server_tell(server,
                "Start the server: laptops give back what it has forgotten. Look with: recovery "
                "status; then: recovery end",
                "请启动服务器：各电脑会交还它所缺的内容。用 recovery status 查看，完成后运行 "
                "recovery end");
    return ST_OK;
}
