/* Backups that laptops are told of, putting one in place of the book, and the recovery after that:
 * laptops give back what the server has forgotten, until head office ends it. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/server.h"
#include "syncd/store/lives.h"
#include "syncd/store/orders.h"
#include "syncd/store/org_keys.h"

/* ------------------------------------------------------------------ recovery */

struct returning {
    struct centre *c;
    struct listing *l;
    size_t waits; /* laptops that were here, and have not given back all */
};

static enum status device_row(void *ctx, const struct centre_returning *row, struct err *err) {
    struct returning *r = ctx;
    struct centre_device device;
    TRY(centre_device(r->c, row->device, &device, err));
    listing_int(r->l, row->device);
    listing_string(r->l, device.user_name);
    listing_bool(r->l, row->entered);
    listing_bool(r->l, row->settled);
    listing_int(r->l, row->missing);
    r->waits += row->entered && !row->settled;
    return ST_OK;
}

static enum status list_returning(struct server *server, struct centre *c, struct err *err) {
    static const struct listing_column columns[] = {
        {"device", {"device", "设备"}},
        {"user", {"user", "用户"}},
        {"was_here", {"was here", "已联系"}},
        {"gave_back", {"gave back", "已交还"}},
        {"missing_batches", {"missing batches", "缺失批次"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(listing_open(server, columns, ARRAY_COUNT(columns), false, &l, err));
    struct returning r = {.c = c, .l = l};
    TRY(centre_returnings(c, device_row, &r, err));
    TRY(listing_close(&l, err));
    if (r.waits > 0)
        server_tell(server,
                    "Who was here and has not given back all does so with the next syncs. If that "
                    "stays: what is left stands on a row that another laptop has to give back "
                    "first, or it waits for recovery end.",
                    "已联系但尚未交还完毕的电脑会在后续同步中继续交还。若一直如此：余下内容依赖另一台"
                    "电脑尚未交还的记录，或要等到 recovery end。");
    return ST_OK;
}

static enum status check_decided(struct org *org, struct err *err);

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

static enum status note_absent(void *ctx, const struct centre_returning *row, struct err *err) {
    struct buf *absent = ctx;
    (void)err;
    if (!row->settled)
        buf_printf(absent, "%s%u", absent->len > 0 ? ", " : "", (unsigned)row->device);
    return ST_OK;
}

enum status server_cmd_recovery_end(void *program, const struct command_line *line,
                                    struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    TRY(server_org_open(server, &org, err));
    SCOPED(buf_free) struct buf absent = buf_new(BUF_MAX_LINE);
    struct centre_recovery r;
    TRY(check_decided(org, err));
    TRY(centre_recovery(org_centre(org), &r, err));
    TRY(centre_returnings(org_centre(org), note_absent, &absent, err));
    if (r.recovering && absent.len > 0 && !command_has(line, "--yes"))
        return err_set(err, ST_CONFLICT,
                       "laptops that have not given back all yet: %s. Wait for their sync, or end "
                       "it without them: recovery end --yes",
                       "尚未全部交还的笔记本：%s。请等待其同步，或不再等待：recovery end --yes",
                       buf_text(&absent));
    TRY(centre_recovery_end(org_centre(org), err));
    server_tell(server,
                "The recovery is over: what still waited for other laptops comes in or is held.",
                "恢复已结束：仍在等待其他电脑的修改将被采用或留待处理。");
    if (absent.len > 0)
        server_tell(server,
                    "Laptops that had not given back all: %s. Their own work still comes in with "
                    "their next sync; rows of others that only they know are not asked for.",
                    "尚未全部交还的笔记本：%s。其自身的修改下次同步时仍会处理；"
                    "只有它们知道的他人记录将不再索取。",
                    buf_text(&absent));
    return ST_OK;
}

/* ------------------------------------------------------------------ rows as facts */

static const char *state_word(const struct server *server, enum fact_state state) {
    static const char *const WORDS[FACT_STATE_COUNT][3] = {
        [FACT_SAME] = {"same", "same", "相同"},
        [FACT_NEW] = {"new_row", "row not here", "本地无此记录"},
        [FACT_CHANGES] = {"changes", "older here", "此处较旧"},
        [FACT_NEWER] = {"newer_here", "newer here", "此处较新"},
        [FACT_DEAD] = {"deleted_here", "deleted here", "此处已删除"},
        [FACT_WAITS] = {"owner_not_here", "what it belongs to is not here", "所属记录不在本地"},
        [FACT_DENIED] = {"out_of_scope", "not in its scope", "超出其权限"},
        [FACT_DISPUTED] = {"disputed", "laptops differ", "各电脑不一致"},
        [FACT_REVOKED] = {"revoked", "only a revoked laptop says so", "仅已停用电脑如此记录"}};
    return server->json ? WORDS[state][0] : server_say(server, WORDS[state][1], WORDS[state][2]);
}

struct fact_listing {
    struct server *server;
    struct listing *l;
    struct centre *c;
};

/* A row that is not here is called as the laptop calls it. */
static void put_fact_row(const struct fact_listing *f, const struct fact_line *line,
                         struct buf *out) {
    const struct entity *e = line->entity;
    const struct field *title = e->title ? entity_field(e, slice_from(e->title)) : NULL;
    char id[ID_TEXT_BYTES];
    buf_printf(out, "%s ", e->label[f->server->lang]);
    for (size_t i = 0; title && line->state == FACT_NEW && i < line->change.edit_count; i++) {
        const struct edit *edit = &line->change.edits[i];
        if (entity_cell(e, edit->cell_tag) != entity_cell_of(e, title)) continue;
        if (edit->value_count == 0 || edit->values[0].kind != VALUE_TEXT) continue;
        id_format(line->row, id);
        buf_put_slice(out, edit->values[0].text);
        buf_printf(out, server_say(f->server, " (%s)", "（%s）"), id);
        return;
    }
    server_put_row(f->server, centre_store(f->c), e, line->row, out);
}

/* Programs get names; people see what they decide about. */
static void put_fact_content(const struct fact_listing *f, const struct fact_line *line,
                             struct buf *out) {
    const struct entity *e = line->entity;
    if (!f->server->json) {
        server_put_edits(f->server, centre_store(f->c), e, &line->change, true, out);
        return;
    }
    for (size_t i = 0; i < line->change.edit_count; i++) {
        const struct cell *cell = entity_cell(e, line->change.edits[i].cell_tag);
        buf_printf(out, "%s%s", i > 0 ? " " : "", e->fields[cell->first].name);
    }
}

static enum status put_fact(void *ctx, const struct fact_line *line, struct err *err) {
    struct fact_listing *f = ctx;
    struct centre_device device;
    char id[ID_TEXT_BYTES];
    SCOPED(buf_free) struct buf row = buf_new(BUF_MAX_LINE), content = buf_new(BUF_MAX_MESSAGE);
    TRY(centre_device(f->c, line->device, &device, err));
    put_fact_row(f, line, &row);
    put_fact_content(f, line, &content);
    TRY(buf_status(&content, err));
    id_format(line->row, id);
    listing_int(f->l, line->device);
    listing_string(f->l, device.user_name);
    listing_string(f->l, line->entity->name);
    listing_string(f->l, id);
    listing_text(f->l, buf_slice(&row));
    listing_string(f->l, state_word(f->server, line->state));
    listing_text(f->l, buf_slice(&content));
    return ST_OK;
}

enum status server_cmd_recovery_facts(void *program, const struct command_line *line,
                                      struct err *err) {
    static const struct listing_column COLUMNS[] = {
        {"device", {"Laptop", "笔记本"}}, {"user", {"User", "用户"}},
        {"entity", {NULL, NULL}},         {"row", {NULL, NULL}},
        {NULL, {"Row", "记录"}},          {"state", {"State", "状态"}},
        {"fields", {"What laptops have", "笔记本上的内容"}}};
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    (void)line;
    TRY(server_reader_open(server, &reader, err));
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    listing_none(l, "laptops know of nothing that the book lacks", "笔记本上没有账本所缺的内容");
    struct fact_listing facts = {server, l, org_reader_centre(reader)};
    TRY(org_facts(facts.c, 0, put_fact, &facts, err));
    return listing_close(&l, err);
}

/* 0: no laptop is named. */
static enum status laptop_given(const struct command_line *line, uint32_t *out, struct err *err) {
    int64_t number = 0;
    *out = 0;
    if (line->word_count == 0) return ST_OK;
    if (!text_to_int(slice_from(line->words[0]), &number) || number < 1 || number > ID_DEVICE_MAX)
        return err_set(err, ST_USAGE, "give the laptop's number; see roadbook-server device list",
                       "请给出笔记本编号；请看 roadbook-server device list");
    *out = (uint32_t)number;
    return ST_OK;
}

enum status server_cmd_recovery_accept(void *program, const struct command_line *line,
                                       struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    int64_t taken, left;
    uint32_t device;
    TRY(laptop_given(line, &device, err));
    TRY(server_org_open(server, &org, err));
    TRY(org_facts_take(org, device, &taken, &left, err));
    if (server->json) printf("{\"taken\":%lld,\"left\":%lld}\n", (long long)taken, (long long)left);
    server_tell(server, "%lld rows taken, %lld left: recovery facts lists them.",
                "已采用 %lld 条记录，余 %lld 条：用 recovery facts 查看。", (long long)taken,
                (long long)left);
    return ST_OK;
}

enum status server_cmd_recovery_reject(void *program, const struct command_line *line,
                                       struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    uint32_t device;
    TRY(laptop_given(line, &device, err));
    TRY(server_org_open(server, &org, err));
    TRY(centre_facts_drop(org_centre(org), device, err));
    server_tell(server, "None of it is taken.", "均不予采用。");
    return ST_OK;
}

struct fact_count {
    int64_t open;
};

static enum status count_open(void *ctx, const struct fact_line *line, struct err *err) {
    struct fact_count *count = ctx;
    (void)err;
    count->open +=
        line->state == FACT_NEW || line->state == FACT_CHANGES || line->state == FACT_DISPUTED ||
        line->state == FACT_REVOKED;
    return ST_OK;
}

/* What nobody gave back is lost with the end, unless head office says so. */
static enum status check_decided(struct org *org, struct err *err) {
    struct fact_count count = {0};
    TRY(org_facts(org_centre(org), 0, count_open, &count, err));
    if (count.open == 0) return ST_OK;
    return err_set(
        err, ST_CONFLICT,
        "laptops know of %lld rows that nobody gave back: look with recovery facts, "
        "then recovery accept or recovery reject",
        "笔记本上有 %lld 条记录无人交还：请用 recovery facts 查看，再运行 recovery accept "
        "或 recovery reject",
        (long long)count.open);
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
static enum status copy_book(struct server *server, const char *file, const char *path,
                             const char *to, struct err *err) {
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct org_config config = server_org_config(server, file);
    struct centre_org facts;
    TRY(org_reader_open(&config, &reader, err));
    TRY(centre_org(org_reader_centre(reader), &facts, err));
    bytes_wipe(&facts, sizeof facts);
    TRY(centre_keys_fit(org_reader_centre(reader), path, err));
    if (platform_exists(to)) TRY(platform_remove(to, err));
    return store_backup(centre_store(org_reader_centre(reader)), to, NULL, NULL, err);
}

/* Laptops may know more than the backup: another epoch begins at once, unless the opening has begun
 * it. */
static enum status begin_anew(struct server *server, const char *path, int64_t epoch,
                              struct centre_recovery *out, struct err *err) {
    SCOPED(server_org_release) struct org *org = NULL;
    struct org_config config = server_org_config(server, path);
    struct centre_head head;
    TRY(org_open(&config, &org, err));
    struct centre *c = org_centre(org);
    if (org_went_back(org)) return centre_recovery(c, out, err);
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
    TRY(copy_book(server, file, path, fresh, err));
    TRY(orders_adopt(file, path, err)); /* what was ordered since the backup stands */
    TRY(keys_adopt(file, path, err));   /* and no key comes back that was replaced */
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
