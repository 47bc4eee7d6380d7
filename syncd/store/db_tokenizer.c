/* Full text on FTS5: the tokenizer "roadbook", the index, queries.
 *
 * The index holds no content: rows are in their tables, and a row leaves the index by being given
 * to it as it went in. Results come in two runs, those with all words in the title first, each
 * newest first: ranking by bm25 would read every hit of a common word before the first is shown.
 * For the same reason words of titles are terms of their own, with a mark before them: asking for
 * the titles with a common word does not touch the texts with it.
 */
#include "syncd/store/db_private.h"
#include "syncd/store/words.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TITLE_MARK = 1 };       /* no text of a person begins with it */
enum { COMPACT_PAGES = 32 };   /* of the index, merged in one step: a few milliseconds */
enum { QUERY_WORDS_MAX = 32 }; /* what a person types into a search box */

/* ------------------------------------------------------------------ tokenizer */

static int tokenizer_create(void *ctx, const char **arguments, int count, Fts5Tokenizer **out) {
    (void)ctx, (void)arguments, (void)count;
    *out = (Fts5Tokenizer *)malloc(1); /* it has no state, but FTS5 wants an object */
    return *out ? SQLITE_OK : SQLITE_NOMEM;
}

static void tokenizer_delete(Fts5Tokenizer *tokenizer) {
    free(tokenizer);
}

static int tokenizer_run(Fts5Tokenizer *tokenizer, void *ctx, int flags, const char *text, int len,
                         int (*token)(void *, int, const char *, int, int, int)) {
    struct word word;
    size_t at = 0;
    char marked[sizeof word.folded + 1] = {TITLE_MARK};
    bool mark = len > 0 && text[0] == TITLE_MARK;
    (void)tokenizer, (void)flags;
    while (word_next(slice_of(text, (size_t)len), &at, &word)) {
        memcpy(marked + 1, word.folded, word.len);
        int code =
            token(ctx, 0, marked + !mark, (int)word.len + mark, (int)word.start, (int)word.end);
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
        return err_set(err, ST_INTERNAL, "this SQLite has no full-text search (FTS5)",
                       "此 SQLite 不支持全文检索（FTS5）");
    }
    int code = api->xCreateTokenizer(api, "roadbook", NULL, &tokenizer, NULL);
    return code == SQLITE_OK ? ST_OK : db_fail(db, code, err);
}

/* ------------------------------------------------------------------ the index */

enum status db_text_create(struct db *db, struct err *err) {
    return db_exec(
        db,
        "CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(title, body, content='', "
        "columnsize=0,"
        " tokenize='roadbook');"
        "CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5vocab('search', 'instance')",
        err);
}

enum status db_text_clear(struct db *db, struct err *err) {
    return db_exec(db, "INSERT INTO search(search) VALUES('delete-all')", err);
}

static enum status run_with_texts(struct db_stmt *s, int64_t id, struct slice title,
                                  struct slice body, struct err *err) {
    struct buf marked SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    buf_put_byte(&marked, TITLE_MARK);
    buf_put_slice(&marked, title);
    TRY(buf_status(&marked, err));
    db_bind_int(s, 1, id);
    db_bind_text(s, 2, title.len > 0 ? buf_slice(&marked) : title);
    db_bind_text(s, 3, body);
    return db_run(s, err);
}

enum status db_text_add(struct db *db, int64_t id, struct slice title, struct slice body,
                        struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(db, "INSERT INTO search(rowid, title, body) VALUES(?, ?, ?)", &s, err));
    return run_with_texts(s, id, title, body, err);
}

enum status db_text_remove(struct db *db, int64_t id, struct slice title, struct slice body,
                           struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(db, "INSERT INTO search(search, rowid, title, body) VALUES('delete', ?, ?, ?)",
                   &s, err));
    return run_with_texts(s, id, title, body, err);
}

/* Words of a row that was taken out stay in older parts of the index, beside the note that they are
 * gone, until those parts are merged with the newer ones. */
enum status db_text_compact(struct db *db, bool first, bool *out_done, struct err *err) {
    struct db_stmt *s = NULL;
    int64_t before = sqlite3_total_changes64(db->sqlite);
    TRY(db_prepare(db, "INSERT INTO search(search, rank) VALUES('merge', ?)", &s, err));
    db_bind_int(s, 1, first ? -COMPACT_PAGES : COMPACT_PAGES);
    TRY(db_run(s, err));
    *out_done = !first && sqlite3_total_changes64(db->sqlite) - before < 2;
    return ST_OK;
}

/* ------------------------------------------------------------------ queries */

struct part {          /* a word by its beginning, or a phrase of characters */
    size_t start, end; /* of the text of parts */
    bool phrase;
};

/* Folded words hold only letters and digits, so that nothing needs escaping. */
static size_t read_parts(struct slice typed, struct buf *text, struct part parts[QUERY_WORDS_MAX]) {
    struct word word;
    size_t at = 0, behind = 0, count = 0;
    while (word_next(typed, &at, &word)) {
        bool joins = count > 0 && parts[count - 1].phrase && word.alone && word.start == behind;
        if (!joins && count == QUERY_WORDS_MAX) break;
        if (!joins) parts[count++] = (struct part){.start = text->len, .phrase = word.alone};
        buf_put(text, word.folded, word.len);
        parts[count - 1].end = text->len;
        behind = word.end;
    }
    return count;
}

static void put_part(struct buf *out, const struct buf *text, const struct part *part, bool title) {
    buf_put_byte(out, '"');
    if (title) buf_put_byte(out, TITLE_MARK);
    buf_put(out, text->data + part->start, part->end - part->start);
    buf_put_text(out, part->phrase ? "\"" : "\"*");
}

/* All parts in the title: a AND b. Each in title or body: (a OR b) AND ..., without those of the
 * first run. */
static void put_queries(const struct buf *text, const struct part *parts, size_t count,
                        struct buf *titles, struct buf *others) {
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_put_text(titles, " AND ");
        put_part(titles, text, &parts[i], true);
    }
    buf_put_byte(others, '(');
    for (size_t i = 0; i < count; i++) {
        buf_put_text(others, i > 0 ? " AND (" : "(");
        put_part(others, text, &parts[i], true);
        buf_put_text(others, " OR ");
        put_part(others, text, &parts[i], false);
        buf_put_byte(others, ')');
    }
    buf_put_text(others, ") NOT (");
    buf_put_slice(others, buf_slice(titles));
    buf_put_byte(others, ')');
}

static enum status prepare_query(struct db *db, struct slice titles, struct slice others,
                                 int64_t limit, struct db_stmt **out_stmt, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(db,
                   "SELECT * FROM (SELECT rowid FROM search WHERE search MATCH ?1 ORDER BY rowid "
                   "DESC LIMIT ?3)"
                   " UNION ALL "
                   "SELECT * FROM (SELECT rowid FROM search WHERE search MATCH ?2 ORDER BY rowid "
                   "DESC LIMIT ?3)"
                   " LIMIT ?3",
                   &s, err));
    db_bind_text(s, 1, titles);
    db_bind_text(s, 2, others);
    db_bind_int(s, 3, limit > 0 ? limit : INT64_MAX);
    *out_stmt = s;
    return ST_OK;
}

enum status db_text_query(struct db *db, struct slice typed, int64_t limit, struct arena *mem,
                          struct db_stmt **out_stmt, struct err *err) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE),
                    titles SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct buf others SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct part parts[QUERY_WORDS_MAX];
    size_t count = read_parts(typed, &text, parts);
    TRY(buf_status(&text, err));
    if (count == 0)
        return err_set(err, ST_INVALID,
                       "type at least one letter, digit or character to search for",
                       "请至少输入一个字、字母或数字");
    put_queries(&text, parts, count, &titles, &others);
    TRY(buf_status(&titles, err));
    TRY(buf_status(&others, err));
    struct slice first = arena_copy(mem, buf_slice(&titles)),
                 second = arena_copy(mem, buf_slice(&others));
    if (!first.data || !second.data) return err_no_memory(err);
    return prepare_query(db, first, second, limit, out_stmt, err);
}

/* ------------------------------------------------------------------ checking */

static uint64_t mix(uint64_t hash) {
    hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94D049BB133111EB);
    return hash ^ hash >> 31;
}

static uint64_t sum_of_word(struct slice folded, int64_t id, unsigned column, uint64_t place) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < folded.len; i++)
        hash = (hash ^ folded.data[i]) * UINT64_C(0x100000001B3);
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
        struct slice term = db_text(s, 0);
        if (column == 0 && term.len > 0)
            term = slice_of(term.data + 1, term.len - 1); /* without the mark */
        sum += sum_of_word(term, db_int(s, 1), column, (uint64_t)db_int(s, 3));
    }
    db_reset(s);
    *out = sum;
    return ST_OK;
}
