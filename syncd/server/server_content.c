/* roadbook-server attachments: what the files of attachments take, which are here, what nobody
 * needs any more, how much there may be. */
#include <stdio.h>
#include <string.h>

#include "syncd/server/content.h"
#include "syncd/server/server.h"

enum { MIB = 1024 * 1024 };

/* The folder of the org that --org names, or the only one. */
static enum status folder_find(struct server *server, struct blobs *out, struct err *err) {
    const char *name;
    TRY(server_org_pick(server, &name, err));
    const char *path = server_org_path(server, name);
    if (!path) return err_no_memory(err);
    return content_folder(path, out, err);
}

/* ------------------------------------------------------------------ status */

struct counted {
    const struct blobs *blobs;
    int64_t rows, waiting, missing;
};

static enum status count_row(void *ctx, const struct attachment *a, struct err *err) {
    struct counted *c = ctx;
    (void)err;
    c->rows++;
    if (!a->arrived_ms)
        c->waiting++;
    else if (!a->is_sound || !blob_is_here(c->blobs, &a->content))
        c->missing++;
    return ST_OK;
}

enum status server_cmd_content_status(void *program, const struct command_line *line,
                                      struct err *err) {
    static const struct listing_column columns[] = {
        {"rows", {"Attachments", "附件数"}},
        {"waiting", {"Not here yet", "尚未到达"}},
        {"missing", {"Missing", "缺失"}},
        {"files", {"Files", "文件数"}},
        {"bytes", {"Bytes", "字节数"}},
        {"parts", {"On their way", "传输中"}},
        {"part_bytes", {"Bytes of these", "传输中字节数"}},
        {"bytes_max", {"Room for all, bytes", "总容量（字节）"}},
        {"file_bytes_max", {"Largest file, bytes", "单个文件上限（字节）"}},
        {"folder", {"Folder", "目录"}}};
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    struct blobs blobs;
    struct blob_sum sum;
    struct content_limits limits;
    struct counted counted = {.blobs = &blobs};
    (void)line;
    TRY(server_reader_open(server, &reader, err));
    TRY(folder_find(server, &blobs, err));
    struct store *store = centre_store(org_reader_centre(reader));
    TRY(content_limits(store, &limits, err));
    TRY(blob_sum(&blobs, &sum, err));
    TRY(attachment_list(store, NULL, false, count_row, &counted, err));
    TRY(listing_open(server, columns, ARRAY_COUNT(columns), true, &l, err));
    listing_int(l, counted.rows);
    listing_int(l, counted.waiting);
    listing_int(l, counted.missing);
    listing_int(l, sum.contents);
    listing_int(l, sum.bytes);
    listing_int(l, sum.parts);
    listing_int(l, sum.part_bytes);
    listing_int(l, limits.org_bytes);
    listing_int(l, limits.file_bytes);
    listing_string(l, blobs.dir);
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ list */

struct listed {
    struct server *server;
    struct store *store;
    struct blobs blobs;
    struct listing *listing;
};

static void list_where(struct listed *x, const struct attachment *a) {
    bool here = a->is_sound && blob_is_here(&x->blobs, &a->content);
    if (x->server->json)
        listing_string(x->listing, here ? "here" : a->arrived_ms ? "missing" : "laptop");
    else if (here)
        listing_string(x->listing, server_say(x->server, "here", "在服务器"));
    else if (a->arrived_ms)
        listing_string(x->listing, server_say(x->server, "missing", "缺失"));
    else
        listing_string(x->listing,
                       server_say(x->server, "on the laptop that made it", "在添加它的电脑上"));
}

static enum status list_row(void *ctx, const struct attachment *a, struct err *err) {
    struct listed *x = ctx;
    char hex[BLOB_NAME_BYTES + 1] = "";
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct slice account;
    const struct entity *e = catalogue_entity(x->server->cat, SLICE("account"));
    TRY(store_title(x->store, e, a->account, &mem, &account, err));
    if (a->is_sound) blob_name(&a->content, hex);
    listing_id(x->listing, a->row);
    listing_text(x->listing, a->title);
    listing_text(x->listing, account);
    listing_int(x->listing, a->bytes);
    list_where(x, a);
    listing_int(x->listing, attachment_device(a->row));
    listing_time(x->listing, a->arrived_ms);
    listing_string(x->listing, hex);
    return ST_OK;
}

enum status server_cmd_content_list(void *program, const struct command_line *line,
                                    struct err *err) {
    static const struct listing_column columns[] = {{"id", {"ID", "编号"}},
                                                    {"title", {"Title", "标题"}},
                                                    {"account", {"Account", "客户"}},
                                                    {"size", {"Size", "大小"}},
                                                    {"where", {"Where", "位置"}},
                                                    {"device", {"Laptop", "电脑"}},
                                                    {"arrived_at", {"Here since", "到达时间"}},
                                                    {"content", {"SHA-256", "SHA-256"}}};
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    struct listed x = {.server = server};
    TRY(server_reader_open(server, &reader, err));
    TRY(folder_find(server, &x.blobs, err));
    TRY(listing_open(server, columns, ARRAY_COUNT(columns), false, &l, err));
    x.store = centre_store(org_reader_centre(reader));
    x.listing = l;
    bool waiting = command_has(line, "--waiting");
    TRY(attachment_list(x.store, NULL, waiting, list_row, &x, err));
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ gc */

enum status server_cmd_content_gc(void *program, const struct command_line *line, struct err *err) {
    enum { DAYS_MAX = 3650 };
    struct server *server = program;
    SCOPED(server_reader_release) struct org_reader *reader = NULL;
    struct blobs blobs;
    struct content_swept swept;
    int64_t days;
    bool dry = command_has(line, "--dry-run");
    TRY(command_number(line, "--days", 0, DAYS_MAX, CONTENT_GC_DAYS, &days, err));
    TRY(server_reader_open(server, &reader, err));
    TRY(folder_find(server, &blobs, err));
    TRY(content_sweep(centre_store(org_reader_centre(reader)), &blobs,
                      server->env.wall_ms(server->env.ctx), days, dry, &swept, err));
    if (server->json)
        printf("{\"removed\":%lld,\"bytes\":%lld,\"waiting\":%lld,\"dry_run\":%s}\n",
               (long long)swept.removed, (long long)swept.bytes, (long long)swept.waiting,
               dry ? "true" : "false");
    server_tell(server,
                dry ? "Would remove %lld files (%lld bytes); %lld more are not needed, but not for "
                      "%lld days yet."
                    : "Removed %lld files (%lld bytes); %lld more are not needed, but not for %lld "
                      "days yet.",
                dry ? "将删除 %lld 个文件（%lld 字节）；另有 %lld 个已无用，但未满 %lld 天。"
                    : "已删除 %lld 个文件（%lld 字节）；另有 %lld 个已无用，但未满 %lld 天。",
                (long long)swept.removed, (long long)swept.bytes, (long long)swept.waiting,
                (long long)days);
    return ST_OK;
}

/* ------------------------------------------------------------------ limits */

enum status server_cmd_content_limits(void *program, const struct command_line *line,
                                      struct err *err) {
    static const struct listing_column columns[] = {
        {"file_mib", {"Largest file, MiB", "单个文件上限（MiB）"}},
        {"org_mib", {"Room for all, MiB", "总容量（MiB）"}}};
    enum { FILE_MIB_MAX = 64 * 1024, ORG_MIB_MAX = 1024 * 1024 * 1024 };
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    SCOPED(listing_release) struct listing *l = NULL;
    struct content_limits limits;
    int64_t file_mib, org_mib;
    TRY(server_org_open(server, &org, err));
    struct store *store = centre_store(org_centre(org));
    TRY(content_limits(store, &limits, err));
    TRY(command_number(line, "--file", 0, FILE_MIB_MAX, limits.file_bytes / MIB, &file_mib, err));
    TRY(command_number(line, "--quota", 0, ORG_MIB_MAX, limits.org_bytes / MIB, &org_mib, err));
    limits = (struct content_limits){file_mib * MIB, org_mib * MIB};
    if (command_value(line, "--file") || command_value(line, "--quota"))
        TRY(content_limits_set(store, &limits, err));
    TRY(listing_open(server, columns, ARRAY_COUNT(columns), true, &l, err));
    listing_int(l, file_mib);
    listing_int(l, org_mib);
    return listing_close(&l, err);
}
