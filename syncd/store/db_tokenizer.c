/* Full text on FTS5: the tokenizer "roadbook", the index, queries.
 *
 * The index holds no content: rows are in their tables, and a row leaves the index by being given to it as it went
 * in. Results come in two runs, those with a hit in the title first, each newest first: ranking by bm25 would read
 * every hit of a common word before the first is shown.
 */
#include "syncd/store/db_private.h"
#include "syncd/store/words.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY_WORDS_MAX = 32 };                             /* what a person types into a search box */

/* ------------------------------------------------------------------ tokenizer */

static int tokenizer_create(void *ctx, const char **arguments, int count, Fts5Tokenizer **out) {
    (void)ctx, (void)arguments, (void)count;
    *out = (Fts5Tokenizer *)malloc(1);                     /* it has no state, but FTS5 wants an object */
    return *out ? SQLITE_OK : SQLITE_NOMEM;
}

static void tokenizer_delete(Fts5Tokenizer *tokenizer) {
    free(tokenizer);
}

static int tokenizer_run(Fts5Tokenizer *tokenizer, void *ctx, int flags, const char *text, int len,
                         int (*token)(void *, int, const char *, int, int, int)) {
    struct word word;
    size_t at = 0;
    (void)tokenizer, (void)flags;
    while (word_next(slice_of(text, (size_t)len), &at, &word)) {
        int code = token(ctx, 0, (const char *)word.folded, (int)word.len, (int)word.start, (int)word.end);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

static fts5_api *find_api(struct db *db) {
    fts5_api *api = NULL;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db->sqlite, "SELECT fts5(?1)", -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_pointer(stmt, 1, &api, "fts5_api_ptr", NULL);
        sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    return api;
}

enum status db_tokenizer_register(struct db *db, struct err *err) {
    fts5_tokenizer tokenizer = {tokenizer_create, tokenizer_delete, tokenizer_run};
    fts5_api *api = find_api(db);
    if (!api) {
        if (sqlite3_errcode(db->sqlite) == SQLITE_NOMEM) return err_no_memory(err);
        return err_set(err, ST_INTERNAL, "this SQLite has no full-text search (FTS5)", "此 SQLite 不支持全文检索（FTS5）");
    }
    int code = api->xCreateTokenizer(api, "roadbook", NULL, &tokenizer, NULL);
    return code == SQLITE_OK ? ST_OK : db_fail(db, code, err);
}

/* ------------------------------------------------------------------ the index */

enum status db_text_create(struct db *db, struct err *err) {
    return db_exec(db,
                   "CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(title, body, content='', columnsize=0,"
                   " tokenize='roadbook');"
                   "CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5vocab('search', 'instance')",
                   err);
}

enum status db_text_clear(struct db *db, struct err *err) {
    return db_exec(db, "INSERT INTO search(search) VALUES('delete-all')", err);
}

static void bind_texts(struct db_stmt *s, int64_t id, struct slice title, struct slice body) {
    db_bind_int(s, 1, id);
    db_bind_text(s, 2, title);
    db_bind_text(s, 3, body);
}

enum status db_text_add(struct db *db, int64_t id, struct slice title, struct slice body, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(db, "INSERT INTO search(rowid, title, body) VALUES(?, ?, ?)", &s, err));
    bind_texts(s, id, title, body);
    return db_run(s, err);
}

enum status db_text_remove(struct db *db, int64_t id, struct slice title, struct slice body, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(db, "INSERT INTO search(search, rowid, title, body) VALUES('delete', ?, ?, ?)", &s, err));
    bind_texts(s, id, title, body);
    return db_run(s, err);
}

/* ------------------------------------------------------------------ queries */

/* "word"* for a word by its beginning; neighbouring single characters become one phrase. Folded words hold only
 * letters and digits, so that nothing needs escaping. */
static bool write_query(struct slice typed, struct buf *out) {
    struct word word;
    size_t at = 0, behind = 0, count = 0;
    bool open = false;
    while (count < QUERY_WORDS_MAX && word_next(typed, &at, &word)) {
        bool joins = open && word.alone && word.start == behind;
        if (!joins) {
            if (open) buf_put_text(out, "\"");
            buf_put_text(out, count > 0 ? " AND \"" : "\"");
            open = true;
            count++;
        } else {
            buf_put_byte(out, ' ');
        }
        buf_put(out, word.folded, word.len);
        if (!word.alone) {
            buf_put_text(out, "\"*");
            open = false;
        }
        behind = word.end;
    }
    if (open) buf_put_text(out, "\"");
    return count > 0;
}

enum status db_text_query(struct db *db, struct slice typed, int64_t limit, struct arena *mem,
                          struct db_stmt **out_stmt, struct err *err) {
    struct db_stmt *s = NULL;
    struct buf query SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    if (!write_query(typed, &query))
        return err_set(err, ST_INVALID, "type at least one letter, digit or character to search for", "请至少输入一个字、字母或数字");
    TRY(buf_status(&query, err));
    const char *all = buf_text(&query);
    char *title = arena_printf(mem, "title : (%s)", all);
    char *body = arena_printf(mem, "(%s) NOT (title : (%s))", all, all);
    if (!title || !body) return err_no_memory(err);
    TRY(db_prepare(db,
                   "SELECT * FROM (SELECT rowid FROM search WHERE search MATCH ?1 ORDER BY rowid DESC LIMIT ?3)"
                   " UNION ALL "
                   "SELECT * FROM (SELECT rowid FROM search WHERE search MATCH ?2 ORDER BY rowid DESC LIMIT ?3)"
                   " LIMIT ?3",
                   &s, err));
    db_bind_text(s, 1, slice_from(title));
    db_bind_text(s, 2, slice_from(body));
    db_bind_int(s, 3, limit > 0 ? limit : INT64_MAX);
    *out_stmt = s;
    return ST_OK;
}

/* ------------------------------------------------------------------ checking */

static uint64_t mix(uint64_t hash) {
    hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94D049BB133111EB);
    return hash ^ hash >> 31;
}

static uint64_t sum_of_word(struct slice folded, int64_t id, unsigned column, uint64_t place) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < folded.len; i++) hash = (hash ^ folded.data[i]) * UINT64_C(0x100000001B3);
    return mix(mix(hash ^ (uint64_t)id) + place * 2 + column);
}

static uint64_t sum_of_text(int64_t id, unsigned column, struct slice text) {
    struct word word;
    uint64_t sum = 0, place = 0;
    for (size_t at = 0; word_next(text, &at, &word); place++)
        sum += sum_of_word(slice_of(word.folded, word.len), id, column, place);
    return sum;
}

uint64_t db_text_sum_row(int64_t id, struct slice title, struct slice body) {
    return sum_of_text(id, 0, title) + sum_of_text(id, 1, body);
}

enum status db_text_sum(struct db *db, uint64_t *out, struct err *err) {
    struct db_stmt *s = NULL;
    uint64_t sum = 0;
    bool row;
    TRY(db_prepare(db, "SELECT term, doc, col, offset FROM search_words", &s, err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        unsigned column = slice_equal(db_text(s, 2), SLICE("body"));
        sum += sum_of_word(db_text(s, 0), db_int(s, 1), column, (uint64_t)db_int(s, 3));
    }
    db_reset(s);
    *out = sum;
    return ST_OK;
}
