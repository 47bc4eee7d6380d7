/* Shared by the files of the SQLite driver, the only ones that include sqlite3.h. */
#ifndef ROADBOOK_STORE_DB_PRIVATE_H
#define ROADBOOK_STORE_DB_PRIVATE_H

#include <sqlite3.h>

#include "syncd/store/db.h"

struct db_stmt {
    sqlite3_stmt *stmt;
    struct db *db;
    int bind_code; /* the first failed bind since the reset */
    char *sql;     /* key in the cache; NULL: not cached */
    uint64_t hash;
};

struct db_kept {
    const void *object;
    uint32_t what;
    uint64_t mask;
    struct db_stmt *stmt;
};

struct db {
    sqlite3 *sqlite;
    char *path;
    bool read_only;
    struct db_stmt **cache;        /* open addressing by hash of the text */
    size_t cache_size, cache_used; /* size: a power of two */
    struct db_kept *kept;          /* likewise by object, what, mask */
    size_t kept_size, kept_used;
    struct db_stmt *data_version;
};

/* Turns a code of SQLite into what the caller can do. */
enum status db_fail(struct db *db, int code, struct err *err);
/* Registers the tokenizer "roadbook". */
enum status db_tokenizer_register(struct db *db, struct err *err) NODISCARD;
/* db_erase.c: the name of the file system for files whose unused bytes are zeros. */
enum status db_erase_vfs(const char **out_name, struct err *err) NODISCARD;
void db_finalize(struct db_stmt *s); /* also what is cached: at the end of the handle */

#endif
