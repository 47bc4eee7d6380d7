/* Makes a book that belongs to somebody without a server: make_book HOME. For tests of the command
 * line. */
#include <stdio.h>
#include <string.h>

#include "syncd/agent/daemon.h"
#include "syncd/platform/platform.h"

static enum status make(const char *home, struct arena *mem, struct err *err) {
    struct env env;
    struct catalogue catalogue;
    struct store *store;
    struct err note;
    platform_env(&env);
    TRY(crypto_start(err));
    TRY(catalogue_release(mem, &catalogue, err));
    TRY(book_open(home, &catalogue, &env, &store, &note, err));
    struct store_identity identity = {.org = "demo",
                                      .org_label = "Demo 公司",
                                      .user = "fang.wang",
                                      .device = 1,
                                      .base_url = "https://127.0.0.1:1"};
    enum status status = store_identity_set(store, &identity, err);
    store_close(store);
    return status;
}

int main(int argc, char **argv) {
    struct err err = {0};
    if (argc != 2) {
        fputs("usage: make_book HOME\n", stderr);
        return status_exit(ST_USAGE);
    }
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    enum status status = make(argv[1], &mem, &err);
    if (status != ST_OK) fprintf(stderr, "make_book: %s\n", err.text[LANG_EN]);
    arena_clear(&mem);
    return status_exit(status);
}
