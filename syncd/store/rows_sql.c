/* The SQL of rows: tables, indexes and views, written from the catalogue. The only place that knows
 * how a field looks to somebody who reads the file with another program.
 */
#include "syncd/store/store_private.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MONEY_DIGITS = 2 };

const char *const ROWS_COMMON_DDL =
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;\n"
    "CREATE TABLE IF NOT EXISTS alias(from_id INTEGER PRIMARY KEY, to_id INTEGER);\n"
    "CREATE INDEX IF NOT EXISTS alias_to ON alias(to_id);\n"
    "CREATE TABLE IF NOT EXISTS secret_identity(id INTEGER PRIMARY KEY CHECK (id = 1), org TEXT, "
    "base_url TEXT,"
    " user TEXT, org_label TEXT, device INTEGER, employee INTEGER, key_seed BLOB, org_public BLOB, "
    "tls_pin BLOB);\n"
    "CREATE TABLE IF NOT EXISTS secret_setting(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;\n";

const char *rows_living_sql(enum rows_role role) {
    return role == ROWS_LAPTOP ? "_gone IS NULL" : "_dead IS NULL";
}

bool rows_holds_text(const struct field *f) {
    return f->type == FIELD_TEXT || f->type == FIELD_NOTE || f->type == FIELD_SET;
}

bool rows_is_stored(const struct field *f) {
    return f->rule != RULE_DERIVED;
}

unsigned rows_scale(const struct field *f) {
    if (f->type == FIELD_MONEY) return MONEY_DIGITS;
    return f->type == FIELD_DECIMAL ? f->scale : 0;
}

void rows_put_name(struct buf *sql, const char *name) {
    buf_put_byte(sql, '"');
    buf_put_text(sql, name);
    buf_put_byte(sql, '"');
}

void rows_put_table(struct buf *sql, const struct entity *e) {
    buf_put_text(sql, "\"r_");
    buf_put_text(sql, e->name);
    buf_put_byte(sql, '"');
}

bool rows_is_column(const struct field *f, enum rows_role role) {
    return rows_is_stored(f) && (role == ROWS_LAPTOP || !field_is_added(f));
}

void rows_put_column(struct buf *sql, const struct field *f) {
    if (field_is_added(f))
        buf_printf(sql, "\"_%u\"", f->tag);
    else
        rows_put_name(sql, f->name);
}

/* What stands between "<30>TAG:" and the next <30>. With functions alone that a view may use where
 * the engine trusts no schema; JSON's are not among them in the engine of Debian 12. */
static void put_packed(struct buf *sql, const struct field *f, const char *column) {
    char rest[160];
    int len = snprintf(rest, sizeof rest, "substr(%s,nullif(instr(%s,char(30)||'%u:'),0)+%d)",
                       column, column, f->tag, snprintf(NULL, 0, "%u", f->tag) + 2);
    assert(len > 0 && (size_t)len < sizeof rest);
    buf_printf(sql, rows_holds_text(f) ? "substr(%s,1,instr(%s,char(30))-1)"
                                       : "CAST(substr(%s,1,instr(%s,char(30))-1) AS INTEGER)",
               rest, rest);
}

void rows_put_field(struct buf *sql, const struct field *f, enum rows_role role) {
    if (rows_is_column(f, role))
        rows_put_column(sql, f);
    else
        put_packed(sql, f, "_added");
}

void rows_put_columns(struct buf *sql, const struct entity *e, enum rows_role role) {
    for (size_t i = 0; i < e->field_count; i++) {
        if (!rows_is_stored(&e->fields[i])) continue;
        buf_put_text(sql, ", ");
        rows_put_field(sql, &e->fields[i], role);
    }
    buf_put_text(sql, " FROM ");
    rows_put_table(sql, e);
}

/* ------------------------------------------------------------------ values */

static bool is_word_byte(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* The entity whose table r_<entity> begins at text; NULL: none does. */
static const struct entity *table_at(const struct catalogue *cat, const char *text,
                                     size_t *out_len) {
    size_t len = 2;
    if (strncmp(text, "r_", 2) != 0) return NULL;
    while (is_word_byte(text[len])) len++;
    *out_len = len;
    return catalogue_entity(cat, slice_of(text + 2, len - 2));
}

/* Declarations derive from tables; what derives must not count rows that are deleted or on their
 * way out. */
static void put_derived(struct buf *sql, const struct catalogue *cat, enum rows_role role,
                        const char *derive) {
    buf_put_byte(sql, '(');
    for (const char *at = derive; *at;) {
        size_t len = 0;
        bool begins = at == derive || !is_word_byte(at[-1]);
        const struct entity *e = begins ? table_at(cat, at, &len) : NULL;
        if (!e) {
            buf_put_byte(sql, (uint8_t)*at++);
            continue;
        }
        buf_put_text(sql, "(SELECT * FROM ");
        rows_put_table(sql, e);
        buf_printf(sql, " WHERE %s)", rows_living_sql(role));
        at += len;
    }
    buf_put_byte(sql, ')');
}

void rows_put_value(struct buf *sql, const struct catalogue *cat, enum rows_role role,
                    const struct field *f) {
    if (!rows_is_stored(f)) {
        put_derived(sql, cat, role, f->derive);
        return;
    }
    if (!rows_is_column(f, role)) {
        put_packed(sql, f, "r._added");
        return;
    }
    buf_put_text(sql, "r.");
    rows_put_column(sql, f);
}

/* ------------------------------------------------------------------ tables and indexes */

void rows_put_table_ddl(struct buf *sql, const struct entity *e, enum rows_role role) {
    buf_put_text(sql, "CREATE TABLE IF NOT EXISTS ");
    rows_put_table(sql, e);
    buf_put_text(sql, role == ROWS_LAPTOP
                          ? "(id INTEGER PRIMARY KEY, _seq INTEGER, _gone INTEGER, _more BLOB"
                          : "(id INTEGER PRIMARY KEY, _seq INTEGER, _whole INTEGER, _dead INTEGER, "
                            "_clock BLOB, _more BLOB, _added TEXT");
    for (size_t i = 0; i < e->field_count; i++) {
        if (!rows_is_column(&e->fields[i], role)) continue;
        buf_put_text(sql, ", ");
        rows_put_column(sql, &e->fields[i]);
        buf_put_text(sql, rows_holds_text(&e->fields[i]) ? " TEXT" : " INTEGER");
    }
    buf_put_text(sql, ");\n");
}

static void put_index_head(struct buf *sql, const struct entity *e, const char *name) {
    buf_printf(sql, "CREATE INDEX IF NOT EXISTS \"r_%s_%s\" ON ", e->name, name);
    rows_put_table(sql, e);
    buf_put_byte(sql, '(');
}

static void put_key_index(struct buf *sql, const struct entity *e) {
    if (!e->key[0]) return;
    put_index_head(sql, e, "key");
    for (size_t i = 0; i < ENTITY_KEY_MAX && e->key[i]; i++) {
        if (i > 0) buf_put_text(sql, ", ");
        rows_put_name(sql, e->key[i]);
    }
    buf_put_text(sql, ");\n");
}

/* References, the dates by which people list what is to do or was done, and the hash by which an
 * attachment's content is looked for. The index of the natural key already serves its first field.
 */
static bool wants_index(const struct entity *e, const struct field *f) {
    if (!rows_is_stored(f)) return false;
    if (e->key[0] && strcmp(e->key[0], f->name) == 0) return false;
    if (f->type == FIELD_REF) return true;
    if (f->type == FIELD_TEXT && strcmp(f->name, "content") == 0) return true;
    return f->type == FIELD_DATE &&
           (strcmp(f->name, "business_date") == 0 || strcmp(f->name, "due_on") == 0);
}

static void put_title_index(struct buf *sql, const struct entity *e) {
    const struct field *title = e->title ? entity_field(e, slice_from(e->title)) : NULL;
    if (!title || title->type != FIELD_TEXT) return;
    put_index_head(sql, e, "title");
    rows_put_name(sql, title->name);
    buf_put_text(sql, " COLLATE NOCASE);\n");
}

void rows_put_index_ddl(struct buf *sql, const struct entity *e) {
    put_key_index(sql, e);
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        if (!wants_index(e, f)) continue;
        put_index_head(sql, e, f->name);
        rows_put_name(sql, f->name);
        if (f->type !=
            FIELD_TEXT) { /* a text is looked for with IS, which a part would not serve */
            buf_put_text(sql, ") WHERE ");
            rows_put_name(sql, f->name);
            buf_put_text(sql, " IS NOT NULL");
        } else
            buf_put_byte(sql, ')');
        buf_put_text(sql, ";\n");
    }
    put_title_index(sql, e);
}

/* ------------------------------------------------------------------ views */

static void put_sql_string(struct buf *sql, const char *text) {
    buf_put_byte(sql, '\'');
    for (; *text; text++) {
        if (*text == '\'') buf_put_byte(sql, '\'');
        buf_put_byte(sql, (uint8_t)*text);
    }
    buf_put_byte(sql, '\'');
}

/* The short form in plain SQL, so that any program can read the view: base32 of device and counter,
 * then the check character by Horner's rule over GF(32), one step a digit (id.c). SQLite has no
 * XOR: a ^ b is (a | b) - (a & b). */
#define BASE32 "'0123456789ABCDEFGHJKMNPQRSTVWXYZ'"
#define CHECK "((y|v)-(y&v))"
#define CHECK_DOUBLED                                                                              \
    "CASE WHEN " CHECK "<16 THEN " CHECK "*2 ELSE (" CHECK "*2-32|5)-(" CHECK "*2-32&5) END"

static void put_base32(struct buf *sql, const char *number, int digits) {
    buf_put_text(sql, "coalesce(nullif(ltrim(");
    for (int i = digits - 1; i >= 0; i--) {
        buf_printf(sql, "substr(a,(%s>>%d&31)+1,1)", number, i * 5);
        if (i > 0) buf_put_text(sql, "||");
    }
    buf_put_text(sql, ",'0'),''),'0')");
}

static void put_short_id(struct buf *sql) {
    buf_put_text(sql,
                 "(WITH RECURSIVE h(p,s,y,v) AS (SELECT d||'-'||c,d||c||'0',0,0 FROM (SELECT ");
    put_base32(sql, "d", 5);
    buf_put_text(sql, " AS d,");
    put_base32(sql, "c", 7);
    buf_put_text(
        sql, " AS c FROM (SELECT " BASE32 " AS a,r.id>>32 AS d,r.id&4294967295 AS c))"
             " UNION ALL SELECT p,substr(s,2)," CHECK_DOUBLED ",instr(" BASE32 ",substr(s,1,1))-1"
             " FROM h WHERE s<>'') SELECT p||substr(" BASE32 "," CHECK "+1,1) FROM h WHERE s='')");
}

static void put_enum_names(struct buf *sql, const struct enumeration *values, const char *value) {
    buf_printf(sql, "CASE %s", value);
    for (size_t i = 0; i < values->count; i++) {
        buf_printf(sql, " WHEN %u THEN ", values->values[i].number);
        put_sql_string(sql, values->values[i].name);
    }
    buf_printf(sql, " ELSE %s END", value);
}

static void put_shown(struct buf *sql, const struct field *f, const char *value) {
    switch (f->type) {
    case FIELD_DATE: buf_printf(sql, "date(%s*86400,'unixepoch')", value); return;
    case FIELD_TIME:
        buf_printf(sql, "strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ',%s/1000,'unixepoch')", value);
        return;
    case FIELD_ENUM: put_enum_names(sql, f->values, value); return;
    case FIELD_DECIMAL:
    case FIELD_MONEY:
        buf_printf(sql, "%s/1", value);
        for (unsigned i = 0; i < rows_scale(f); i++) buf_put_byte(sql, '0');
        buf_put_text(sql, ".0");
        return;
    case FIELD_TEXT:
    case FIELD_NOTE:
    case FIELD_INT:
    case FIELD_BOOL:
    case FIELD_REF:
    case FIELD_SET: buf_put_text(sql, value); return;
    }
}

void rows_put_view_ddl(struct buf *sql, const struct catalogue *cat, const struct entity *e,
                       enum rows_role role) {
    struct buf value SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    buf_put_text(sql, "CREATE VIEW ");
    rows_put_name(sql, e->name);
    buf_put_text(sql, " AS SELECT r.id AS id, ");
    put_short_id(sql);
    buf_put_text(sql, " AS short_id, r.id>>32 AS created_device");
    for (size_t i = 0; i < e->field_count; i++) {
        buf_reset(&value);
        rows_put_value(&value, cat, role, &e->fields[i]);
        if (value.failed) sql->failed = true;
        buf_put_text(sql, ", ");
        put_shown(sql, &e->fields[i], buf_text(&value));
        buf_put_text(sql, " AS ");
        rows_put_name(sql, e->fields[i].name);
    }
    buf_put_text(sql,
                 role == ROWS_LAPTOP ? ", max(r._seq,0) AS seq FROM " : ", r._seq AS seq FROM ");
    rows_put_table(sql, e);
    buf_printf(sql, " r WHERE r.%s;\n", rows_living_sql(role));
}

void rows_schema_sql(const struct catalogue *cat, enum rows_role role, struct buf *out) {
    buf_put_text(out, ROWS_COMMON_DDL);
    for (size_t i = 0; i < cat->count; i++) {
        rows_put_table_ddl(out, &cat->entities[i], role);
        rows_put_index_ddl(out, &cat->entities[i]);
        rows_put_view_ddl(out, cat, &cat->entities[i], role);
    }
}
