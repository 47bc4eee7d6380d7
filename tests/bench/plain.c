/* The control: what the same SQLite does with the same rows when nobody keeps an outbox. Tables, indexes, full text,
 * settings and the way statements are kept are the store's own; only the hidden columns and tables are missing. */
#define SQLITE_ENABLE_SESSION 1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "syncd/store/db_private.h"
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <string.h>

struct plain {
    struct bench *b;
    struct db *db;
    char path[BENCH_PATH_BYTES + 16];
    int flags;
    sqlite3_session *session;
    char insert[1024], upsert[2048];
    size_t fields[BENCH_CELLS];
};

struct db *plain_db(struct plain *p) {
    return p->db;
}

const char *plain_path(struct plain *p) {
    return p->path;
}

/* ------------------------------------------------------------------ the schema */

static void cut(char *line, const char *part) {
    char *at = strstr(line, part);
    if (at) memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
}

static void make_tables(struct plain *p, enum rows_role role) {
    struct err err;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    struct slice rest, line;
    rows_schema_sql(&p->b->cat, role, &sql);
    rest = buf_slice(&sql);
    MUST(db_begin(p->db, true, &err));
    while (slice_cut(&rest, '\n', &line)) {
        if (!slice_starts(line, SLICE("CREATE TABLE IF NOT EXISTS \"r_")) && !slice_starts(line, SLICE("CREATE INDEX IF NOT EXISTS \"r_")))
            continue;
        char *text = arena_string(&p->b->mem, line);
        cut(text, " _seq INTEGER, _gone INTEGER, _more BLOB,");
        cut(text, " _seq INTEGER, _whole INTEGER, _dead INTEGER, _clock BLOB, _more BLOB,");
        MUST(db_exec(p->db, text, &err));
    }
    if (p->flags & PLAIN_SEARCH) MUST(db_text_create(p->db, &err));
    if (p->flags & PLAIN_SESSION) MUST(db_exec(p->db, "CREATE TABLE outbox(n INTEGER PRIMARY KEY, content BLOB)", &err));
    MUST(db_commit(p->db, &err));
}

static void make_statements(struct plain *p) {
    struct buf names SCOPED(buf_free) = buf_new(BUF_MAX_LINE), marks SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct buf sets SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    static const char *const TYPED[BENCH_CELLS] = {"account", "author", "type", "started_at", "ended_at", "method", "face_to_face",
                                                   "score", "talking_points", "result", "business_date", "state"};
    for (size_t i = 0; i < BENCH_CELLS; i++) {
        p->fields[i] = entity_field_index(p->b->visit, entity_field(p->b->visit, slice_from(TYPED[i])));
        buf_printf(&names, ", \"%s\"", TYPED[i]);
        buf_put_text(&marks, ", ?");
        buf_printf(&sets, "%s\"%s\" = excluded.\"%s\"", i ? ", " : "", TYPED[i], TYPED[i]);
    }
    (void)snprintf(p->insert, sizeof p->insert, "INSERT INTO r_visit(id%s) VALUES(?%s)", buf_text(&names), buf_text(&marks));
    (void)snprintf(p->upsert, sizeof p->upsert, "%s ON CONFLICT(id) DO UPDATE SET %s", p->insert, buf_text(&sets));
}

struct plain *plain_open(struct bench *b, enum rows_role role, int flags) {
    struct err err;
    struct plain *p = ARENA_NEW(&b->mem, struct plain);
    p->b = b;
    p->flags = flags;
    (void)snprintf(p->path, sizeof p->path, "%s/plain.db", bench_dir(b));
    MUST(db_open(p->path, DB_CREATE, &p->db, &err));
    make_tables(p, role);
    make_statements(p);
    return p;
}

void plain_close(struct plain *p) {
    db_close(p->db);
}

/* ------------------------------------------------------------------ writing */

static void session_begin(struct plain *p) {
    if (sqlite3session_create(p->db->sqlite, "main", &p->session) != SQLITE_OK ||
        sqlite3session_attach(p->session, "r_visit") != SQLITE_OK)
        bench_fail("the session extension does not work", NULL);
}

/* The changeset goes where the outbox would go. */
static void session_end(struct plain *p) {
    struct err err;
    struct db_stmt *s;
    void *bytes = NULL;
    int count = 0;
    if (sqlite3session_changeset(p->session, &count, &bytes) != SQLITE_OK) bench_fail("no changeset", NULL);
    sqlite3session_delete(p->session);
    MUST(db_prepare(p->db, "INSERT INTO outbox(content) VALUES(?)", &s, &err));
    db_bind_blob(s, 1, slice_of(bytes, (size_t)count));
    MUST(db_run(s, &err));
    sqlite3_free(bytes);
}

void plain_begin(struct plain *p) {
    struct err err;
    MUST(db_begin(p->db, true, &err));
    if (p->flags & PLAIN_SESSION) session_begin(p);
}

void plain_commit(struct plain *p) {
    struct err err;
    if (p->flags & PLAIN_SESSION) session_end(p);
    MUST(db_commit(p->db, &err));
}

static void bind(struct db_stmt *s, int at, struct value v) {
    if (v.kind == VALUE_NULL) db_bind_null(s, at);
    else if (v.kind == VALUE_INT) db_bind_int(s, at, v.number);
    else db_bind_text(s, at, v.text);
}

static void run_row(struct plain *p, const char *sql, int64_t id, const struct visit *v) {
    struct err err;
    struct db_stmt *s;
    MUST(db_prepare(p->db, sql, &s, &err));
    db_bind_int(s, 1, id);
    for (size_t i = 0; i < BENCH_CELLS; i++) bind(s, (int)i + 2, v->values[p->fields[i]]);
    MUST(db_run(s, &err));
}

void plain_insert(struct plain *p, int64_t id, const struct visit *v) {
    struct err err;
    run_row(p, p->insert, id, v);
    if (p->flags & PLAIN_SEARCH) MUST(db_text_add(p->db, id, v->title, v->body, &err));
}

void plain_titles(struct plain *p, const struct lap *l) {
    struct err err;
    size_t sites = work_sites(l->b), each = sites / (l->slices ? l->slices : 1) + 1;
    for (size_t i = 0; i < sites; i++) {
        char title[32];
        (void)snprintf(title, sizeof title, "Site %zu", i);
        if (i % each == 0) MUST(db_begin(p->db, true, &err));
        MUST(db_text_add(p->db, l->accounts[i], slice_from(title), (struct slice){0}, &err));
        if ((i + 1) % each == 0 || i + 1 == sites) MUST(db_commit(p->db, &err));
    }
}

void plain_upsert(struct plain *p, int64_t id, const struct visit *v, const struct visit *old) {
    struct err err;
    run_row(p, p->upsert, id, v);
    if (!(p->flags & PLAIN_SEARCH)) return;
    if (old) MUST(db_text_remove(p->db, id, old->title, old->body, &err));
    MUST(db_text_add(p->db, id, v->title, v->body, &err));
}

void plain_two(struct plain *p, int64_t id, const struct field_edit two[2]) {
    struct err err;
    struct db_stmt *s;
    MUST(db_prepare(p->db, "UPDATE r_visit SET score = ?, advice_next = ? WHERE id = ?", &s, &err));
    bind(s, 1, two[0].value);
    bind(s, 2, two[1].value);
    db_bind_int(s, 3, id);
    MUST(db_run(s, &err));
}

int64_t db_used_bytes(struct db *db, const char *table) {
    sqlite3_stmt *s;
    int64_t bytes = -1;
    const char *sql = table ? "SELECT sum(pgsize - unused) FROM dbstat WHERE name = ?" : "SELECT sum(pgsize - unused) FROM dbstat";
    if (sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL) != SQLITE_OK) bench_fail(sqlite3_errmsg(db->sqlite), NULL);
    if (table) sqlite3_bind_text(s, 1, table, -1, SQLITE_STATIC);
    if (sqlite3_step(s) == SQLITE_ROW) bytes = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return bytes;
}
