/* Compacting of an org's book, how long its history is kept, and the erasing of personal data. All
 * of it while the server runs. */
#include <stdio.h>

#include "syncd/server/compact.h"
#include "syncd/server/server.h"

/* ------------------------------------------------------------------ compact */

static void show(const struct server *server, const struct compacted *r) {
    if (server->json || !platform_is_terminal(2)) return;
    (void)fprintf(stderr, "\r%lld / %lld\033[K", (long long)r->done, (long long)r->total);
}

static void end_show(const struct server *server) {
    if (!server->json && platform_is_terminal(2)) (void)fputs("\r\033[K", stderr);
}

static enum status run_all(struct server *server, struct org *org, struct compaction *run,
                           struct err *err) {
    enum status status = ST_OK;
    for (bool done = false; !done && status == ST_OK;) {
        status = org_compact_step(org, run, &done, err);
        show(server, compaction_result(run));
        if (status == ST_OK && !done) centre_let_others();
    }
    end_show(server);
    return status;
}

static enum status print(struct server *server, const struct compacted *r, struct err *err) {
    static const struct listing_column COLUMNS[] = {
        {"passed_seq", {"Every laptop has no.", "各笔记本均已收到序号"}},
        {"laptops", {"Laptops waited for", "需等待的笔记本"}},
        {"laptops_away", {"Laptops away longer than the lease", "超过租期未联系的笔记本"}},
        {"deletes", {"Deletes that are over", "已清理的删除"}},
        {"rows", {"Rows of theirs", "相应记录"}},
        {"deletes_kept", {"Deletes that something still needs", "仍被引用的删除"}},
        {"texts", {"Old texts", "旧文本版本"}},
        {"left_homes", {"Homes that rows left", "记录的离开记载"}},
        {"ledger", {"Entries of the ledger", "冲突记录"}},
        {"batches", {"Batches of the journal", "日志簿批次"}},
        {"images", {"Contents of collected rows", "已清理记录的内容"}},
        {"bytes_before", {"Bytes before", "整理前字节数"}},
        {"bytes_after", {"Bytes after", "整理后字节数"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), true, &l, err));
    listing_int(l, r->horizon.seq);
    listing_int(l, r->horizon.laptops);
    listing_int(l, r->horizon.away);
    listing_int(l, r->deletes);
    listing_int(l, r->rows);
    listing_int(l, r->stay);
    listing_int(l, r->items[COMPACT_TEXTS]);
    listing_int(l, r->items[COMPACT_LEAVES]);
    listing_int(l, r->items[COMPACT_LEDGER]);
    listing_int(l, r->items[COMPACT_JOURNAL]);
    listing_int(l, r->items[COMPACT_CONTENTS]);
    listing_int(l, r->bytes_before);
    listing_int(l, r->bytes_after);
    return listing_close(&l, err);
}

enum status server_cmd_compact(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    struct compaction *run = NULL;
    bool dry_run = command_has(line, "--dry-run");
    TRY(server_org_open(server, &org, err));
    TRY(org_compact_begin(org, dry_run, &run, err));
    enum status status = run_all(server, org, run, err);
    if (status == ST_OK && dry_run)
        server_tell(server, "Nothing was changed. This would go:", "未作改动。将会清理：");
    if (status == ST_OK) status = print(server, compaction_result(run), err);
    compaction_end(run);
    return status;
}

/* ------------------------------------------------------------------ how long history is kept */

enum status server_cmd_org_keep_history(void *program, const struct command_line *line,
                                        struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    int64_t days = 0;
    const char *word = line->word_count > 0 ? line->words[0] : NULL;
    TRY(server_org_open(server, &org, err));
    struct centre *c = org_centre(org);
    bool number = word && text_to_int(slice_from(word), &days) && days > 0;
    if (word && !number && !slice_equal(slice_from(word), SLICE("forever")))
        return err_set(err, ST_USAGE, "%s is no number of days, nor \"forever\"",
                       "%s 不是天数，也不是 forever", word);
    if (word) TRY(centre_keep_history_set(c, number ? days : 0, err));
    TRY(centre_keep_history(c, &days, err));
    if (server->json) printf("{\"keep_history_days\":%lld}\n", (long long)days);
    if (days == 0)
        server_tell(server, "History is kept for ever.", "历史永久保留。");
    else
        server_tell(server, "History is kept for %lld days.", "历史保留 %lld 天。",
                    (long long)days);
    return ST_OK;
}

/* ------------------------------------------------------------------ erase */

enum status server_cmd_erase(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    struct centre_erased erased;
    const char *why = command_value(line, "--why");
    int64_t row;
    if (!why || !why[0])
        return err_set(err, ST_USAGE, "say why: --why TEXT", "须注明原因：--why 文字");
    TRY(server_org_open(server, &org, err));
    const struct entity *e = catalogue_entity(server->cat, SLICE("contact"));
    TRY(store_resolve(centre_store(org_centre(org)), e, slice_from(line->words[0]), &row, err));
    TRY(org_erase(org, e, row, server_person(server), slice_from(why), &erased, err));
    if (server->json)
        printf("{\"batches\":%lld,\"ledger\":%lld,\"texts\":%lld,\"held\":%lld,\"images\":%lld}\n",
               (long long)erased.batches, (long long)erased.ledger, (long long)erased.texts,
               (long long)erased.held, (long long)erased.images);
    server_tell(
        server,
        "The person's data is erased from the row, and from the past: %lld batches of the "
        "journal, %lld entries of the ledger, %lld old texts, %lld held edits, %lld earlier "
        "images.",
        "已清除该人的个人信息：日志簿 %lld 批、冲突记录 %lld 条、旧文本 %lld "
        "份、待处理修改 %lld 项、旧内容 %lld 份。",
        (long long)erased.batches, (long long)erased.ledger, (long long)erased.texts,
        (long long)erased.held, (long long)erased.images);
    server_tell(server,
                "Laptops get it with their next sync. Older backups still hold it: make a new one "
                "and destroy them.",
                "各笔记本将在下次同步时清除。旧备份中仍有该信息：请重新备份并销毁旧备份。");
    return ST_OK;
}
