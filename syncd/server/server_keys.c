/* The org's signing key: what there was, and a new one. */
#include "syncd/server/server_keys.h"

#include <stdio.h>
#include <string.h>

#include "syncd/store/org_keys.h"

enum { KEYS_SHOWN_MEMORY = 1024 * 1024 };

/* As a link has it. */
static void put_key(const uint8_t key[SIGN_PUBLIC_BYTES], struct buf *out) {
    buf_reset(out);
    buf_put_base64(out, slice_of(key, SIGN_PUBLIC_BYTES), true);
}

/* ------------------------------------------------------------------ showing */

static enum status list_keys(struct server *server, struct centre *c, struct arena *mem,
                             struct err *err) {
    static const struct listing_column COLUMNS[] = {
        {"number", {"No.", "序号"}},      {"key", {"Key", "密钥"}},
        {"since", {"Since", "起用时间"}}, {"replaced", {"Replaced", "更换时间"}},
        {"seq", {"At no.", "对应序号"}},  {"by", {"Changed by", "更换人"}}};
    SCOPED(listing_release) struct listing *l = NULL;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct key_records all;
    struct centre_org org;
    uint8_t now[SIGN_PUBLIC_BYTES];
    TRY(centre_keys(c, mem, &all, err));
    TRY(centre_key_now(c, now, err));
    TRY(centre_org(c, &org, err));
    int64_t since_ms = org.created_ms;
    bytes_wipe(&org, sizeof org);
    TRY(listing_open(server, COLUMNS, ARRAY_COUNT(COLUMNS), false, &l, err));
    for (size_t i = 0; i <= all.count; i++) {
        const struct key_record *next = i < all.count ? &all.items[i] : NULL;
        const struct key_record *came = i > 0 ? &all.items[i - 1] : NULL;
        put_key(next ? next->change.old_public : now, &text);
        listing_int(l, (int64_t)i + 1);
        listing_text(l, buf_slice(&text));
        listing_time(l, came ? came->change.time_ms : since_ms);
        if (next)
            listing_time(l, next->change.time_ms);
        else
            listing_null(l);
        if (came)
            listing_int(l, came->change.seq);
        else
            listing_null(l);
        listing_string(l, came ? came->person : "");
    }
    return listing_close(&l, err);
}

/* ------------------------------------------------------------------ changing */

static void say_changed(struct server *server, const struct key_record *r, int64_t number,
                        bool clean, const char *path) {
    SCOPED(buf_free) struct buf key = buf_new(BUF_MAX_LINE);
    SCOPED(buf_free) struct buf former = buf_new(BUF_MAX_LINE);
    put_key(r->change.new_public, &key);
    put_key(r->change.old_public, &former);
    if (server->json)
        printf("{\"number\":%lld,\"key\":\"%s\",\"former\":\"%s\",\"seq\":%lld,\"erased\":%s}\n",
               (long long)number, buf_text(&key), buf_text(&former), (long long)r->change.seq,
               clean ? "true" : "false");
    server_tell(server,
                "The org signs with key no. %lld from now on. Laptops hear of it with their next "
                "contact. Backups, copies and books set aside that are older still hold the old "
                "private key: whoever has one can deceive laptops that have not heard of the new "
                "one (device list says who was here).",
                "自现在起，组织使用第 %lld 个密钥签名。笔记本下次联系时获知。更早的备份、副本和保留"
                "的旧账本仍含旧私钥：持有者可欺骗尚未获知新密钥的笔记本（device list 显示各台最近的"
                "联系时间）。",
                (long long)number);
    if (!clean)
        server_tell(server,
                    "Bytes of the old private key still stand in %s or beside it, since programs "
                    "were reading there: they go when the server was stopped and started.",
                    "由于有程序正在读取，%s 或其旁仍留有旧私钥的字节：重启服务器后即清除。", path);
}

static enum status change(struct server *server, struct org *org, struct err *err) {
    struct centre *c = org_centre(org);
    struct centre_org before;
    struct centre_head head;
    struct key_record record;
    const char *name;
    bool clean = false;
    TRY(server_org_pick(server, &name, err));
    TRY(centre_org(c, &before, err));
    enum status status = centre_key_change(c, server_person(server), &record, err);
    if (status == ST_OK) status = centre_key_scrub(c, before.key_seed, &clean, err);
    bytes_wipe(&before, sizeof before);
    if (status == ST_OK) status = centre_head(c, &head, err);
    if (status == ST_OK)
        say_changed(server, &record, head.key_changes + 1, clean, server_org_path(server, name));
    return status;
}

enum status server_cmd_org_key(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(server_org_release) struct org *org = NULL;
    struct arena mem SCOPED(arena_clear) = arena_new(KEYS_SHOWN_MEMORY);
    bool changes = line->word_count > 0;
    if (changes && strcmp(line->words[0], "change") != 0)
        return err_set(err, ST_USAGE, "org key, or: org key change; not %s",
                       "应为 org key 或 org key change，而非 %s", line->words[0]);
    if (changes && !command_has(line, "--yes"))
        return err_set(
            err, ST_CONFLICT,
            "a new key is for ever: laptops that have heard of it believe no older one, and a "
            "server without org/NAME.keys, restored from an older backup, is refused by them. A "
            "stick on its way to head office has to be made again. Confirm with --yes",
            "更换密钥不可撤回：已获知的笔记本不再接受旧密钥；由旧备份还原而缺少 org/机构名.keys "
            "的服务器会被其拒绝；途中带往总部的数据包须重新导出。确认请加 --yes");
    TRY(server_org_open(server, &org, err));
    return changes ? change(server, org, err) : list_keys(server, org_centre(org), &mem, err);
}
