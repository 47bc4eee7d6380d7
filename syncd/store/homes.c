/* Which homes a row is in, and which rows are in a home: the home rules of the catalogue as SQL.
 *
 * A row that inherits has the homes of the row that owns it, which may inherit in turn. Each rule
 * of a class becomes one condition on a column with an index, so that a small home is found without
 * a look at the rest of the table.
 */
#include "syncd/store/homes.h"

#include "syncd/store/store_private.h"

#include <string.h>

enum {
    OWNERS_MAX = 4,          /* how far a row inherits: as deep as entities own each other */
    WHAT_HOMES_STORED = 200, /* kept statements of this file: beyond those of rows.c and read.c */
    WHAT_HOMES_ROWS = 201    /* ... and one for each class of home after it */
};

static const struct entity *owner_entity(const struct catalogue *cat, const struct entity *e) {
    if (e->owner_field < 0) return NULL;
    return catalogue_entity(cat, slice_from(e->fields[e->owner_field].refers_to));
}

/* ------------------------------------------------------------------ of a row */

static bool is_named(const struct entity *e, size_t field) {
    if (e->owner_field == (int)field) return true;
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++)
        if (e->homes[i].field && strcmp(e->homes[i].field, e->fields[field].name) == 0) return true;
    return false;
}

static enum status prepare_stored(struct db *db, const struct entity *e, struct db_stmt **out,
                                  struct err *err) {
    *out = db_kept(db, e, WHAT_HOMES_STORED, 0);
    if (*out) return ST_OK;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    buf_put_text(&sql, "SELECT id");
    for (size_t i = 0; i < e->field_count; i++) {
        if (!is_named(e, i)) continue;
        buf_put_text(&sql, ", ");
        rows_put_name(&sql, e->fields[i].name);
    }
    buf_put_text(&sql, " FROM ");
    rows_put_table(&sql, e);
    buf_put_text(&sql, " WHERE id = ?");
    TRY(buf_status(&sql, err));
    TRY(db_prepare(db, buf_text(&sql), out, err));
    return db_keep(db, e, WHAT_HOMES_STORED, 0, *out, err);
}

/* Only the columns that decide; the others stay NULL. */
static enum status read_named(struct db *db, const struct entity *e, int64_t row,
                              struct value values[ENTITY_FIELDS_MAX], bool *out_found,
                              struct err *err) {
    struct db_stmt *s = NULL;
    int column = 1;
    TRY(prepare_stored(db, e, &s, err));
    db_bind_int(s, 1, row);
    TRY(db_step(s, out_found, err));
    for (size_t i = 0; i < e->field_count; i++) {
        values[i] = value_null();
        if (!*out_found || !is_named(e, i)) continue;
        if (!db_is_null(s, column)) values[i] = value_int(db_int(s, column));
        column++;
    }
    db_reset(s);
    return ST_OK;
}

static enum status of_values(struct db *db, const struct catalogue *cat, const struct entity *e,
                             int64_t row, const struct value *values, int depth, struct homes *out,
                             struct err *err);

static enum status of_stored(struct db *db, const struct catalogue *cat, const struct entity *e,
                             int64_t row, int depth, bool *out_found, struct homes *out,
                             struct err *err) {
    struct value values[ENTITY_FIELDS_MAX];
    bool found;
    TRY(read_named(db, e, row, values, &found, err));
    *out_found = found;
    if (found) return of_values(db, cat, e, row, values, depth, out, err);
    *out = (struct homes){.count = 0};
    return ST_OK;
}

static enum status of_values(struct db *db, const struct catalogue *cat, const struct entity *e,
                             int64_t row, const struct value *values, int depth, struct homes *out,
                             struct err *err) {
    struct homes of_owner = {.count = 0};
    const struct entity *owner = homes_inherit(e) ? owner_entity(cat, e) : NULL;
    if (owner && depth < OWNERS_MAX) {
        struct value v = values[e->owner_field];
        bool found;
        if (v.kind == VALUE_INT)
            TRY(of_stored(db, cat, owner, v.number, depth + 1, &found, &of_owner, err));
    }
    homes_of_row(e, row, values, &of_owner, out);
    return ST_OK;
}

enum status homes_of(struct db *db, const struct catalogue *cat, const struct entity *e,
                     int64_t row, const struct value *values, struct homes *out, struct err *err) {
    return of_values(db, cat, e, row, values, 0, out, err);
}

enum status homes_of_stored(struct db *db, const struct catalogue *cat, const struct entity *e,
                            int64_t row, bool *out_found, struct homes *out, struct err *err) {
    return of_stored(db, cat, e, row, 0, out_found, out, err);
}

/* ------------------------------------------------------------------ of a home */

static enum home_class class_of(enum home_kind kind) {
    switch (kind) {
    case HOME_TERRITORY: return HOME_CLASS_TERRITORY;
    case HOME_TEAM: return HOME_CLASS_TEAM;
    case HOME_OWN: return HOME_CLASS_OWN;
    case HOME_PUBLIC: return HOME_CLASS_PUBLIC;
    case HOME_OFFICE: return HOME_CLASS_OFFICE;
    case HOME_NONE:
    case HOME_INHERIT: return HOME_CLASS_NONE;
    }
    return HOME_CLASS_NONE;
}

static bool reaches(const struct catalogue *cat, const struct entity *e, enum home_class class,
                    int depth) {
    if (class == HOME_CLASS_ALL) return true;
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++)
        if (e->homes[i].kind != HOME_NONE && class_of(e->homes[i].kind) == class) return true;
    const struct entity *owner = homes_inherit(e) ? owner_entity(cat, e) : NULL;
    return owner && depth < OWNERS_MAX && reaches(cat, owner, class, depth + 1);
}

bool homes_reach(const struct catalogue *cat, const struct entity *e, enum home_class class) {
    return reaches(cat, e, class, 0);
}

/* t0 is the entity's table, t1 that of its owner, and so on. */
static void put_column(struct buf *sql, int table, const char *field) {
    buf_printf(sql, "t%d.", table);
    rows_put_name(sql, field ? field : "id");
}

static void put_or(struct buf *sql, bool *some) {
    buf_put_text(sql, *some ? " OR " : "");
    *some = true;
}

/* Conditions of the entity's own rules, then of those that it inherits. ?1 is the home's id. */
static void put_conditions(struct buf *sql, const struct catalogue *cat, const struct entity *e,
                           enum home_class class, int table, bool *some) {
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++) {
        const struct home_rule *rule = &e->homes[i];
        if (rule->kind == HOME_NONE || class_of(rule->kind) != class) continue;
        put_or(sql, some);
        if (class == HOME_CLASS_PUBLIC || class == HOME_CLASS_OFFICE) {
            buf_put_text(sql, "?1 = 0");
            continue;
        }
        put_column(sql, table, rule->field);
        buf_put_text(sql, " = ?1");
    }
    const struct entity *owner = homes_inherit(e) ? owner_entity(cat, e) : NULL;
    if (owner && table < OWNERS_MAX) put_conditions(sql, cat, owner, class, table + 1, some);
}

static void put_table(struct buf *sql, const struct entity *e, int table) {
    rows_put_table(sql, e);
    buf_printf(sql, " t%d", table);
}

/* The owner's table goes first, outermost: the home is found there, by index, and a CROSS JOIN
 * keeps the engine from going through all owned rows instead. Rules of its own beside inherited
 * ones would ask for another order; then the engine chooses. */
static void put_from(struct buf *sql, const struct catalogue *cat, const struct entity *e,
                     enum home_class class, int table) {
    const struct entity *owner = homes_inherit(e) ? owner_entity(cat, e) : NULL;
    if (!owner || class == HOME_CLASS_ALL || table >= OWNERS_MAX) {
        put_table(sql, e, table);
        return;
    }
    put_from(sql, cat, owner, class, table + 1);
    buf_put_text(sql, " CROSS JOIN ");
    put_table(sql, e, table);
}

static void put_joins(struct buf *sql, const struct catalogue *cat, const struct entity *e,
                      enum home_class class, int table) {
    const struct entity *owner = homes_inherit(e) ? owner_entity(cat, e) : NULL;
    if (!owner || class == HOME_CLASS_ALL || table >= OWNERS_MAX) return;
    buf_put_text(sql, " AND ");
    put_column(sql, table, e->fields[e->owner_field].name);
    buf_printf(sql, " = t%d.id", table + 1);
    put_joins(sql, cat, owner, class, table + 1);
}

static void write_rows(struct buf *sql, const struct catalogue *cat, const struct entity *e,
                       enum home_class class) {
    bool some = false;
    buf_put_text(sql, "SELECT t0.id FROM ");
    put_from(sql, cat, e, class, 0);
    buf_put_text(sql, " WHERE (");
    if (class == HOME_CLASS_ALL)
        buf_put_text(sql, "?1 = 0");
    else
        put_conditions(sql, cat, e, class, 0, &some);
    buf_put_text(sql, ")");
    put_joins(sql, cat, e, class, 0);
    buf_put_text(sql, " AND t0.id > ?2 AND t0.id <= ?3 ORDER BY t0.id LIMIT ?4");
}

static enum status prepare_rows(struct db *db, const struct catalogue *cat, const struct entity *e,
                                enum home_class class, struct db_stmt **out, struct err *err) {
    uint32_t what = WHAT_HOMES_ROWS + (uint32_t) class;
    *out = db_kept(db, e, what, 0);
    if (*out) return ST_OK;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    write_rows(&sql, cat, e, class);
    TRY(buf_status(&sql, err));
    TRY(db_prepare(db, buf_text(&sql), out, err));
    return db_keep(db, e, what, 0, *out, err);
}

enum status homes_rows(struct db *db, const struct catalogue *cat, const struct entity *e,
                       int64_t home, int64_t after, int64_t to, int64_t *ids, size_t room,
                       size_t *out_count, struct err *err) {
    struct db_stmt *s = NULL;
    size_t count = 0;
    bool row = homes_reach(cat, e, home_class(home)) && room > 0;
    if (row) TRY(prepare_rows(db, cat, e, home_class(home), &s, err));
    if (row) {
        db_bind_int(s, 1, home_id(home));
        db_bind_int(s, 2, after);
        db_bind_int(s, 3, to);
        db_bind_int(s, 4, (int64_t)room);
    }
    while (row) {
        TRY(db_step(s, &row, err));
        if (row) ids[count++] = db_int(s, 0);
    }
    if (s) db_reset(s);
    *out_count = count;
    return ST_OK;
}
