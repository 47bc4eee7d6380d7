/* roadbook-server copy: a second copy that grows with each commit, and books made from it. */
#include <stdio.h>

#include "syncd/server/server.h"
#include "syncd/store/centre_copy.h"
#include "syncd/store/orders.h"
#include "syncd/store/org_keys.h"

static bool show_progress(void *ctx, int64_t done, int64_t total) {
    const struct server *server = ctx;
    if (!server->json && total > 0 && platform_is_terminal(2))
        (void)fprintf(stderr, "\r%lld %%\033[K", (long long)(done * 100 / total));
    return true;
}

enum status server_cmd_copy_start(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    const char *dir;
    TRY(platform_absolute_path(line->words[0], &server->mem, &dir, err));
    TRY(server_org_open(server, &org, err));
    TRY(centre_copy_start(org_centre(org), dir, show_progress, server, err));
    if (server->json) printf("{\"copy\":true}\n");
    server_tell(server, "Each commit is copied to %s from now on, before anyone is answered.",
                "自即刻起，每次提交都会先复制到 %s，然后才答复。", dir);
    return ST_OK;
}

enum status server_cmd_copy_stop(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    (void)line;
    TRY(server_org_open(server, &org, err));
    TRY(centre_copy_stop(org_centre(org), err));
    if (server->json) printf("{\"copy\":false}\n");
    server_tell(server, "No further commits are copied.", "不再复制后续提交。");
    return ST_OK;
}

enum status server_cmd_copy_status(void *program, const struct command_line *line,
                                   struct err *err) {
    static const struct listing_column COLUMNS[] = {{"on", {"Copying", "正在复制"}},
                                                    {"dir", {"Folder", "目录"}},
                                                    {"number", {"Transactions", "事务数"}}};
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    struct centre_copy copy;
    (void)line;
    TRY(server_reader_open(server, &reader, err));
    TRY(centre_copy(org_reader_centre(reader), &copy, err));
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), true, &l, err));
    listing_bool(l, copy.on);
    listing_string(l, copy.dir);
    listing_int(l, copy.number);
    return listing_close(&l, err);
}

/* "2026-11-22T10:00Z" and what else an instant may be written as; in the terminal's zone. */
static enum status until_given(struct server *server, const struct command_line *line, int64_t *out,
                               struct err *err) {
    const char *text = command_value(line, "--until");
    const struct field instant = {.name = "until", .type = FIELD_TIME, .label = {"until", "截止"}};
    struct value v;
    *out = INT64_MAX;
    if (!text) return ST_OK;
    int zone = platform_utc_offset_minutes(server->env.wall_ms(server->env.ctx));
    TRY(field_parse(&instant, slice_from(text), zone, &server->mem, &v, err));
    *out = v.number;
    return ST_OK;
}

enum status server_cmd_copy_read(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    struct copy_read read;
    int64_t until_ms;
    SCOPED(buf_free) struct buf when = buf_new(BUF_MAX_LINE);
    TRY(until_given(server, line, &until_ms, err));
    if (platform_exists(line->words[1]))
        return err_set(err, ST_CONFLICT, "%s is there already", "%s 已存在", line->words[1]);
    TRY(copy_book_at(line->words[0], line->words[1], until_ms, &read, err));
    TRY(orders_from_copy(line->words[0], line->words[1], err));
    TRY(keys_from_copy(line->words[0], line->words[1], err));
    if (server->json) {
        printf("{\"base\":%lld,\"number\":%lld,\"time_ms\":%lld,\"conflicts\":%lld,\"gap\":%s}\n",
               (long long)read.base, (long long)read.number, (long long)read.time_ms,
               (long long)read.conflicts, read.gap ? "true" : "false");
        return ST_OK;
    }
    api_put_minute(read.time_ms, 0, &when);
    server_tell(server,
                "%s: the book as it was at %s UTC (transaction %lld). To use it: roadbook-server "
                "restore %s",
                "%s：%s（UTC）时的账本（第 %lld 个事务）。启用：roadbook-server restore %s",
                line->words[1], buf_text(&when), (long long)read.number, line->words[1]);
    if (read.gap)
        server_tell(server, "A transaction is missing in the copy: what came after is not in it.",
                    "副本缺少一个事务：其后的内容未包含在内。");
    return ST_OK;
}
