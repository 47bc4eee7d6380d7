/* Care of the files: backup, verify, read-only SQL. All of it while the server runs. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/server.h"
#include "syncd/store/lives.h"

/* ------------------------------------------------------------------ backup */

static bool show_progress(void *ctx, int64_t done, int64_t total) {
    const struct server *server = ctx;
    if (!server->json && total > 0 && platform_is_terminal(2))
        (void)fprintf(stderr, "\r%lld %%\033[K", (long long)(done * 100 / total));
    return true;
}

static void end_progress(const struct server *server) {
    if (!server->json && platform_is_terminal(2)) (void)fputs("\r\033[K", stderr);
}

enum status server_cmd_backup(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(server_org_release) struct org *org = NULL;
    struct centre_head head;
    const char *path = line->words[0];
    TRY(server_reader_open(server, &reader, err));
    TRY(org_head(reader, &head, err)); /* it may hold more */
    if (platform_exists(path))
        return err_set(err, ST_CONFLICT, "%s is there already", "%s 已存在", path);
    enum status status =
        store_backup(centre_store(org_reader_centre(reader)), path, show_progress, server, err);
    end_progress(server);
    TRY(status);
    TRY(server_org_open(server, &org, err));
    TRY(centre_backup_announce(org_centre(org), head.position.seq, err));
    if (server->json) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
        buf_put_json_text(&text, path);
        printf("{\"backup\":%s}\n", buf_text(&text));
    }
    server_tell(server, "The book is copied to %s.", "已备份到 %s。", path);
    return ST_OK;
}

/* ------------------------------------------------------------------ verify */

static enum status org_verify(struct server *server, const char *name, struct buf *findings,
                              struct err *err) {
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    const char *path = server_org_path(server, name);
    if (!path) return err_no_memory(err);
    struct org_config config = server_org_config(server, path);
    TRY(org_reader_open(&config, &reader, err));
    enum status status =
        centre_verify_all(org_reader_centre(reader), show_progress, server, findings, err);
    end_progress(server);
    return status;
}

static void findings_print(struct server *server, const char *name, struct buf *findings,
                           size_t *lines) {
    struct slice rest = buf_slice(findings), line;
    while (slice_cut(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
        buf_put_json_string(&text, line);
        if (server->json)
            printf("%s{\"org\":\"%s\",\"finding\":%s}", *lines ? ",\n " : "", name,
                   buf_text(&text));
        else
            printf("%s: %.*s\n", name, (int)line.len, (const char *)line.data);
        (*lines)++;
    }
}

enum status server_cmd_verify(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    (void)line;
    const char **names, *one;
    size_t count, lines = 0;
    TRY(server_orgs(server, &names, &count, err));
    if (server->org_name) {
        TRY(server_org_pick(server, &one, err));
        names = &one;
        count = 1;
    }
    if (server->json) (void)putchar('[');
    for (size_t i = 0; i < count; i++) {
        SCOPED(buf_free) struct buf findings = buf_new(BUF_MAX_MESSAGE);
        TRY(org_verify(server, names[i], &findings, err));
        findings_print(server, names[i], &findings, &lines);
    }
    if (server->json) (void)puts("]");
    if (lines > 0)
        return err_set(err, ST_DAMAGED,
                       "%zu findings: restore the latest backup beside it and compare",
                       "发现 %zu 处问题：请将最近的备份恢复到旁边并比对", lines);
    server_tell(server, "All that can be checked is right (orgs: %zu).",
                "可检查的内容均正确（机构数：%zu）。", count);
    return ST_OK;
}

/* ------------------------------------------------------------------ SQL */

struct sql_output {
    struct server *server;
    struct listing *listing;
    struct listing_column columns[LISTING_COLUMNS_MAX];
};

static enum status sql_head(struct sql_output *out, const char *const *names, size_t count,
                            struct err *err) {
    if (count > LISTING_COLUMNS_MAX)
        return err_set(err, ST_TOO_LARGE, "at most %d columns", "最多 %d 列", LISTING_COLUMNS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *name = arena_string(&out->server->mem, slice_from(names[i]));
        if (!name) return err_no_memory(err);
        out->columns[i] = (struct listing_column){.name = name, .label = {name, name}};
    }
    TRY(listing_open(out->server, out->columns, count, false, &out->listing, err));
    listing_keep_empty(out->listing);
    listing_none(out->listing, "no rows", "没有结果");
    return ST_OK;
}

static enum status sql_row(void *ctx, const char *const *names, const struct sql_cell *cells,
                           size_t count, struct err *err) {
    struct sql_output *out = ctx;
    char text[40];
    if (!cells) return sql_head(out, names, count, err);
    for (size_t i = 0; i < count; i++) {
        if (cells[i].is_null)
            listing_null(out->listing);
        else if (cells[i].is_text)
            listing_text(out->listing, cells[i].text);
        else if (!cells[i].is_real)
            listing_int(out->listing, cells[i].number);
        else {
            (void)snprintf(text, sizeof text, "%.15g", cells[i].real);
            listing_real(out->listing, text);
        }
    }
    return ST_OK;
}

enum status server_cmd_sql(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct sql_output out = {.server = server};
    TRY(server_reader_open(server, &reader, err));
    enum status status =
        store_sql(centre_store(org_reader_centre(reader)), line->words[0], sql_row, &out, err);
    if (status == ST_OK && out.listing) return listing_close(&out.listing, err);
    listing_release(&out.listing);
    return status;
}
