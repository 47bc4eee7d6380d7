/* Enrolling a book anew that has saves already: it was a copy, or its identity is lost. */
#include <stdio.h>
#include <string.h>

#include "syncd/agent/daemon.h"
#include "syncd/platform/platform.h"

#define AGAIN_SEED_SETTING                                                                         \
    "again_seed" /* kept before the first byte leaves, as with any enrolment */
enum { AGAIN_PATH_BYTES = 4096 };

static enum status path_of(const char *home, const char *name, char out[AGAIN_PATH_BYTES],
                           struct err *err) {
    int n = snprintf(out, AGAIN_PATH_BYTES, "%s/%s", home, name);
    if (n > 0 && n < AGAIN_PATH_BYTES) return ST_OK;
    return err_set(err, ST_INVALID, "the path is too long: %s", "路径过长：%s", home);
}

/* A key of its own: the other copy has the old one. */
static enum status seed_take(struct store *store, const struct env *env,
                             uint8_t out[SIGN_SEED_BYTES], struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(64 * 1024);
    struct slice kept = {0};
    enum status status = store_setting(store, AGAIN_SEED_SETTING, &mem, &kept, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    if (status == ST_OK && kept.len == SIGN_SEED_BYTES) {
        memcpy(out, kept.data, SIGN_SEED_BYTES);
        return ST_OK;
    }
    env->random(env->ctx, out, SIGN_SEED_BYTES);
    return store_setting_set(store, AGAIN_SEED_SETTING, slice_of(out, SIGN_SEED_BYTES), err);
}

static enum status ask(struct agent *agent, const struct session_link *link, struct slice name,
                       struct store *store, const struct env *env, struct store_identity *out,
                       struct kept_batches *out_kept, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(16 * 1024 * 1024);
    struct store_identity mine;
    struct copied_book copy;
    TRY(store_identity(store, &mine, err));
    TRY(seed_take(store, env, mine.key_seed, err));
    TRY(store_copy(store, &mem, &copy, err));
    mine.device = 0;
    TRY(agent_enroll_copy(agent, link, name, &copy, &mine, out_kept, err));
    *out = mine;
    bytes_wipe(&mine, sizeof mine);
    return ST_OK;
}

/* Another program that has the file open would write into a file that nobody reads any more. */
static enum status check_alone(const char *path, struct err *err) {
    char wal[AGAIN_PATH_BYTES + 8];
    struct platform_file_info info;
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    if (platform_file_info(wal, &info, NULL) != ST_OK || info.bytes == 0) return ST_OK;
    return err_set(err, ST_BUSY,
                   "another program has this book open (roadbook-syncd?): stop it, then try again",
                   "另一程序正打开此账本（roadbook-syncd？）：请停止后再试");
}

static enum status swap(struct store **store, const char *home, const struct catalogue *catalogue,
                        const struct env *env, const struct store_identity *identity,
                        const struct kept_batches *kept, struct err *err) {
    char path[AGAIN_PATH_BYTES], fresh[AGAIN_PATH_BYTES];
    TRY(path_of(home, AGENT_STORE_FILE, path, err));
    TRY(path_of(home, AGENT_STORE_FILE ".again", fresh, err));
    store_close(*store);
    *store = NULL;
    TRY(check_alone(path, err));
    TRY(platform_erase_file(fresh, err)); /* of an attempt that was cut short */
    TRY(store_renumber(path, fresh, identity, kept, catalogue, env, err));
    return platform_rename(fresh, path, err);
}

enum status book_enroll_again(struct store **store, struct agent *agent, const char *home,
                              const struct catalogue *catalogue, const struct env *env,
                              const struct session_link *link, struct slice device_name,
                              struct err *err) {
    struct store_identity identity;
    struct err note;
    struct kept_batches kept;
    TRY(ask(agent, link, device_name, *store, env, &identity, &kept, err));
    enum status status = swap(store, home, catalogue, env, &identity, &kept, err);
    bytes_wipe(&identity, sizeof identity);
    if (!*store) {
        enum status opened =
            book_open(home, catalogue, env, store, &note, status == ST_OK ? err : NULL);
        if (status == ST_OK) status = opened;
    }
    TRY(status);
    return store_setting_set(*store, AGAIN_SEED_SETTING, (struct slice){0}, err);
}
