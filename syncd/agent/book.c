/* Opening a laptop's book, also one whose file is damaged. */
#include <stdio.h>

#include "syncd/agent/daemon.h"
#include "syncd/agent/wipe.h"
#include "syncd/platform/platform.h"

enum { BOOK_PATH_BYTES = 4096, BOOK_DAMAGED_MAX = 1000 };

static enum status path_in(const char *home, const char *name, char out[BOOK_PATH_BYTES],
                           struct err *err) {
    int n = snprintf(out, BOOK_PATH_BYTES, "%s/%s", home, name);
    if (n > 0 && n < BOOK_PATH_BYTES) return ST_OK;
    return err_set(err, ST_INVALID, "the path is too long: %s", "路径过长：%s", home);
}

/* Moves the file and what SQLite keeps beside it to the first free name. */
static enum status set_aside(const char *path, char out[BOOK_PATH_BYTES], struct err *err) {
    for (int i = 1; i < BOOK_DAMAGED_MAX; i++) {
        int n = snprintf(out, BOOK_PATH_BYTES, "%s.damaged-%d", path, i);
        if (n <= 0 || n >= BOOK_PATH_BYTES - 8) break;
        if (platform_exists(out)) continue;
        static const char *const beside[] = {"-wal", "-shm"};
        for (size_t k = 0; k < ARRAY_COUNT(beside); k++) {
            char from[BOOK_PATH_BYTES + 8], to[BOOK_PATH_BYTES + 8];
            snprintf(from, sizeof(from), "%s%s", path, beside[k]);
            snprintf(to, sizeof(to), "%s%s", out, beside[k]);
            if (platform_exists(from)) TRY(platform_rename(from, to, err));
        }
        return platform_rename(path, out, err);
    }
    return err_set(err, ST_DISK, "too many damaged books beside %s: remove the old ones",
                   "%s 旁的损坏文件过多：请清理旧文件", path);
}

static enum status beyond_rescue(const char *aside, struct err *err) {
    return err_set(err, ST_DAMAGED,
                   "the book was damaged so much that nothing can be read of it: it is kept as %s. "
                   "What the server has comes "
                   "back: ask head office for a new link and run: roadbook enroll LINK",
                   "账本文件损坏严重，无法读取任何内容，已另存为 "
                   "%s。服务器上的内容可以取回：请向总部索取新链接，然后运行 roadbook enroll 链接",
                   aside);
}

static enum status rescue(const char *home, const char *path, const struct catalogue *catalogue,
                          const struct env *env, struct err *out_note, struct err *err) {
    char lock_path[BOOK_PATH_BYTES], aside[BOOK_PATH_BYTES];
    TRY(path_in(home, AGENT_LOCK_FILE, lock_path, err));
    struct platform_lock lock;
    TRY(platform_lock_try(lock_path, &lock, err));
    int64_t batches = 0, unreadable = 0;
    enum status status = set_aside(path, aside, err);
    if (status == ST_OK)
        status = store_rescue(aside, path, catalogue, env, &batches, &unreadable, err);
    platform_unlock(&lock);
    struct err ignored;
    (void)agent_wake(home, &ignored); /* the daemon has the old file open */
    if (status == ST_DAMAGED) return beyond_rescue(aside, err);
    if (status != ST_OK) return status;
    (void)err_set(out_note, ST_DAMAGED,
                  "the book was damaged: it was set aside as %s, and %lld unsent batches were "
                  "rescued (%lld could not be "
                  "read); the rest comes back from the server with the next sync",
                  "账本文件已损坏：已另存为 %s，救回 %lld 批未发送的修改（%lld "
                  "批无法读取）；其余内容将在下次同步时从服务器取回",
                  aside, (long long)batches, (long long)unreadable);
    return ST_OK;
}

/* The rest does not come back by itself when even the identity could not be read. */
static void note_stranger(struct store *store, const char *path, struct err *out_note) {
    struct store_identity identity;
    struct err ignored;
    enum status status = store_identity(store, &identity, &ignored);
    bool is_stranger = status == ST_OK && identity.device == 0;
    bytes_wipe(&identity, sizeof(identity));
    if (!is_stranger) return;
    (void)err_set(
        out_note, ST_DAMAGED,
        "the book was damaged and was set aside beside %s; what was not sent was rescued "
        "as far as it could be read, but not who this laptop is: ask head office for a "
        "new link, then run: roadbook enroll",
        "账本文件已损坏，已另存于 %s 旁；未发送的修改已尽量救回，但本机的登记信息无法读取："
        "请向总部索取新链接，然后运行 roadbook enroll",
        path);
}

/* Nothing works without the identity: whether it can be read shows at once. */
static enum status open_readable(const struct store_config *config, struct store **out,
                                 struct err *err) {
    struct store_identity identity;
    struct store *store;
    TRY(store_open(config, &store, err));
    enum status status = store_identity(store, &identity, err);
    bytes_wipe(&identity, sizeof(identity));
    if (status == ST_OK)
        *out = store;
    else
        store_close(store);
    return status;
}

enum status book_open(const char *home, const struct catalogue *catalogue, const struct env *env,
                      struct store **out, struct err *out_note, struct err *err) {
    char path[BOOK_PATH_BYTES];
    *out_note = (struct err){0};
    TRY(platform_make_dir(home, err));
    TRY(wipe_check(home, err));
    TRY(path_in(home, AGENT_STORE_FILE, path, err));
    struct store_config config = {
        .path = path, .kind = STORE_LAPTOP, .create = true, .catalogue = catalogue, .env = env};
    enum status status = open_readable(&config, out, err);
    if (status != ST_DAMAGED) return status;
    TRY(rescue(home, path, catalogue, env, out_note, err));
    TRY(store_open(&config, out, err));
    note_stranger(*out, path, out_note);
    return ST_OK;
}

/* The engine's word alone is not enough: the server may have said that something of its own is
 * damaged. */
static bool is_damaged(struct store *store) {
    struct buf findings SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    struct err err;
    int64_t rows;
    enum status status = store_verify(store, NULL, NULL, &findings, &rows, &err);
    return status == ST_DAMAGED || (status == ST_OK && findings.len > 0);
}

enum status book_mend(struct store **store, const char *home, const struct catalogue *catalogue,
                      const struct env *env, struct err *out_note, struct err *err) {
    char path[BOOK_PATH_BYTES];
    *out_note = (struct err){0};
    if (!is_damaged(*store)) return ST_OK;
    TRY(path_in(home, AGENT_STORE_FILE, path, err));
    store_close(*store);
    *store = NULL;
    return rescue(home, path, catalogue, env, out_note, err);
}

enum status book_transport(struct store *store, struct transport **out, struct err *err) {
    struct store_identity identity;
    TRY(store_identity(store, &identity, err));
    if (!identity.base_url[0])
        return err_set(err, ST_DENIED,
                       "this laptop is not enrolled: ask the administrator for a link, then run: "
                       "roadbook enroll LINK",
                       "本机尚未登记：请向管理员索取登记链接，然后运行 roadbook enroll 链接");
    struct transport_config config = {.base_url = identity.base_url,
                                      .tls_pin = identity.has_tls_pin ? identity.tls_pin : NULL};
    enum status status = transport_open(&config, out, err);
    bytes_wipe(&identity, sizeof(identity));
    return status;
}
