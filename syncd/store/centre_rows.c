/* Rows of the book as the merge needs them: with their clocks, dead ones included. */
#include "syncd/store/centre_digest.h"
#include "syncd/store/centre_private.h"

#include <string.h>

enum { SQL_BYTES = 512, REFS_MAX = 200000 };

/* ------------------------------------------------------------------ reading and writing */

enum status centre_row_read(struct centre *c, const struct entity *e, int64_t id, struct arena *mem,
                            struct centre_row *out, bool *out_found, struct err *err) {
    struct row_meta meta;
    struct centre_row row = {.entity = e, .id = id};
    bool found;
    TRY(rows_read(c->db, e, ROWS_SERVER, id, mem, &row.values, &meta, &found, err));
    *out_found = found;
    if (!found) return ST_OK;
    row.seq = meta.seq;
    row.whole = meta.whole;
    row.dead = meta.gone;
    row.more = meta.more;
    TRY(row_clock_read(meta.clock, mem, &row.clock, err));
    centre_relabel(c, &row.clock);
    TRY(centre_digest_seen(c, &row, err));
    *out = row;
    return ST_OK;
}

static struct row_meta meta_of(const struct centre_row *row, const struct buf *clock) {
    return (struct row_meta){.seq = row->seq,
                             .gone = row->dead,
                             .whole = row->whole,
                             .clock = buf_slice(clock),
                             .more = row->more};
}

static struct centre_ref *living_slot(struct centre *c, int64_t id) {
    return &c->living[(uint64_t)id % CENTRE_ROWS_KEPT];
}

static void note_living(struct centre *c, const struct entity *e, int64_t id, bool living) {
    struct centre_ref *slot = living_slot(c, id);
    if (living)
        *slot = (struct centre_ref){e, id};
    else if (slot->row == id)
        *slot = (struct centre_ref){NULL, 0};
}

enum status centre_row_insert(struct centre *c, const struct centre_row *row, struct err *err) {
    SCOPED(buf_free) struct buf clock = buf_new(BUF_MAX_MESSAGE);
    row_clock_write(&row->clock, &clock);
    TRY(buf_status(&clock, err));
    struct row_meta meta = meta_of(row, &clock);
    TRY(rows_insert(c->db, row->entity, ROWS_SERVER, row->id, row->values, &meta, false, err));
    TRY(centre_digest_insert(c, row, err));
    note_living(c, row->entity, row->id, row->dead == 0);
    return ST_OK;
}

enum status centre_row_update(struct centre *c, const struct centre_row *row, uint64_t cell_mask,
                              struct err *err) {
    SCOPED(buf_free) struct buf clock = buf_new(BUF_MAX_MESSAGE);
    row_clock_write(&row->clock, &clock);
    TRY(buf_status(&clock, err));
    struct row_meta meta = meta_of(row, &clock);
    TRY(centre_digest_out(c, row->entity, row->id, NULL, err));
    TRY(rows_update(c->db, row->entity, ROWS_SERVER, row->id, cell_mask, row->values, &meta, false,
                    NULL, err));
    TRY(centre_digest_insert(c, row, err));
    note_living(c, row->entity, row->id, row->dead == 0);
    if (strcmp(row->entity->name, "handover") == 0) c->due_is_known = false; /* it may be signed */
    return ST_OK;
}

/* Numbers of the statements below, beside those of rows.c. */
enum kept { KEPT_DEAD = 1000, KEPT_SEQ };

static enum status prepare_text(struct centre *c, const char *before, const struct entity *e,
                                const char *after, struct db_stmt **out, struct err *err) {
    SCOPED(buf_free) struct buf sql = buf_new(SQL_BYTES);
    buf_printf(&sql, "%s\"r_%s\"%s", before, e->name, after);
    TRY(buf_status(&sql, err));
    return db_prepare(c->db, buf_text(&sql), out, err);
}

/* Without building the text again and again. */
static enum status prepare_for(struct centre *c, enum kept what, const char *before,
                               const struct entity *e, struct db_stmt **out, struct err *err) {
    *out = db_kept(c->db, e, what, 0);
    if (*out) return ST_OK;
    TRY(prepare_text(c, before, e, " WHERE id = ?", out, err));
    return db_keep(c->db, e, what, 0, *out, err);
}

enum status centre_row_probe(struct centre *c, const struct entity *e, int64_t id, bool *out_found,
                             bool *out_dead, struct err *err) {
    struct db_stmt *s;
    bool row;
    if (id != 0 && living_slot(c, id)->row == id && living_slot(c, id)->entity == e) {
        *out_found = true;
        *out_dead = false;
        return ST_OK;
    }
    TRY(prepare_for(c, KEPT_DEAD, "SELECT _dead FROM ", e, &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, &row, err));
    *out_found = row;
    *out_dead = row && !db_is_null(s, 0) && db_int(s, 0) != 0;
    db_reset(s);
    if (row && !*out_dead) note_living(c, e, id, true);
    return ST_OK;
}

enum status centre_row_seq(struct centre *c, const struct entity *e, int64_t id, int64_t *out_seq,
                           struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(prepare_for(c, KEPT_SEQ, "SELECT _seq FROM ", e, &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, &row, err));
    *out_seq = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status centre_row_by_key(struct centre *c, const struct entity *e, const struct value *values,
                              int64_t *out_id, struct err *err) {
    *out_id = 0;
    return e->key[0] ? rows_by_key(c->db, e, ROWS_SERVER, values, out_id, err) : ST_OK;
}

/* ------------------------------------------------------------------ owned rows and referrers */

static bool is_owned_by(const struct entity *child, const struct entity *owner) {
    if (child->owner_field < 0) return false;
    const char *name = child->fields[child->owner_field].refers_to;
    return name && strcmp(name, owner->name) == 0;
}

struct refs {
    struct centre_ref *items;
    size_t count, room;
};

static enum status add_refs(struct refs *refs, const struct entity *e, const int64_t *ids,
                            size_t count, struct arena *mem, struct err *err) {
    if (refs->count + count > REFS_MAX)
        return err_set(err, ST_TOO_LARGE, "a row owns too many rows", "一条记录所属的记录过多");
    if (refs->count + count > refs->room) {
        size_t room = (refs->count + count) * 2;
        struct centre_ref *items = ARENA_ARRAY(mem, room, struct centre_ref);
        if (!items) return err_no_memory(err);
        if (refs->count > 0) memcpy(items, refs->items, refs->count * sizeof *items);
        refs->items = items;
        refs->room = room;
    }
    for (size_t i = 0; i < count; i++) refs->items[refs->count++] = (struct centre_ref){e, ids[i]};
    return ST_OK;
}

enum status centre_row_owned(struct centre *c, const struct entity *e, int64_t id,
                             struct arena *mem, struct centre_ref **out, size_t *out_count,
                             struct err *err) {
    struct refs refs = {0};
    for (size_t i = 0; i < c->cat->count; i++) {
        const struct entity *child = &c->cat->entities[i];
        int64_t *ids;
        size_t count;
        if (!is_owned_by(child, e)) continue;
        TRY(rows_owned(c->db, child, ROWS_SERVER, id, mem, &ids, &count, err));
        TRY(add_refs(&refs, child, ids, count, mem, err));
    }
    *out = refs.items;
    *out_count = refs.count;
    return ST_OK;
}

struct referrers {
    struct centre_referrer *items;
    size_t count, room;
};

static enum status add_referrer(struct referrers *list, const struct centre_referrer *item,
                                struct arena *mem, struct err *err) {
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        struct centre_referrer *items = ARENA_ARRAY(mem, room, struct centre_referrer);
        if (!items) return err_no_memory(err);
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *item;
    return ST_OK;
}

static enum status referrers_by(struct centre *c, const struct entity *e, const struct field *f,
                                int64_t id, int64_t since, struct arena *mem,
                                struct referrers *list, struct err *err) {
    struct db_stmt *s;
    bool row;
    SCOPED(buf_free) struct buf after = buf_new(SQL_BYTES);
    buf_printf(&after, " WHERE \"%s\" = ? AND _dead IS NULL AND _seq > ?", f->name);
    TRY(prepare_text(c, "SELECT id, _clock FROM ", e, buf_text(&after), &s, err));
    db_bind_int(s, 1, id);
    db_bind_int(s, 2, since);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        struct centre_referrer item = {
            .entity = e, .field = f, .row = db_int(s, 0), .clock = arena_copy(mem, db_blob(s, 1))};
        status = item.clock.data ? add_referrer(list, &item, mem, err) : err_no_memory(err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

enum status centre_row_referrers(struct centre *c, const struct entity *e, int64_t id,
                                 int64_t since, struct arena *mem, struct centre_referrer **out,
                                 size_t *out_count, struct err *err) {
    struct referrers list = {0};
    for (size_t i = 0; i < c->cat->count; i++) {
        const struct entity *other = &c->cat->entities[i];
        for (size_t f = 0; f < other->field_count; f++) {
            const struct field *field = &other->fields[f];
            if (field->type != FIELD_REF || strcmp(field->refers_to, e->name) != 0) continue;
            TRY(referrers_by(c, other, field, id, since, mem, &list, err));
        }
    }
    *out = list.items;
    *out_count = list.count;
    return ST_OK;
}

/* ------------------------------------------------------------------ unknown cells */

enum status centre_more_read(struct slice more, struct arena *mem, struct record_cell **out,
                             size_t *out_count, struct err *err) {
    return rows_more_read(more, mem, out, out_count, err);
}

enum status centre_more_put(struct slice more, const struct record_cell *cell, struct arena *mem,
                            struct slice *out, struct err *err) {
    return rows_more_put(more, cell, mem, out, err);
}

/* ------------------------------------------------------------------ aliases */

int64_t centre_alias_count(struct centre *c) {
    return c->aliases;
}

enum status centre_was_alias(struct centre *c, int64_t id, bool *out, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "SELECT 1 FROM alias_log WHERE from_id = ? LIMIT 1", &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

enum status centre_alias_resolve(struct centre *c, int64_t id, int64_t *out, struct err *err) {
    if (c->aliases > 0) return alias_resolve(c->db, id, out, err);
    *out = id;
    return ST_OK;
}

static enum status insert_alias(struct centre *c, const char *sql, int64_t seq, int64_t from,
                                int64_t to, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, sql, &s, err));
    db_bind_int(s, 1, from);
    db_bind_int(s, 2, to);
    if (seq > 0) db_bind_int(s, 3, seq);
    return db_run(s, err);
}

enum status centre_alias_add(struct centre *c, int64_t seq, int64_t from, int64_t to,
                             struct err *err) {
    TRY(insert_alias(c, "INSERT INTO alias(from_id, to_id) VALUES (?, ?)", 0, from, to, err));
    TRY(insert_alias(c, "INSERT INTO alias_log(from_id, to_id, seq) VALUES (?, ?, ?)", seq, from,
                     to, err));
    c->aliases++;
    return ST_OK;
}

enum status centre_aliases_after(struct centre *c, int64_t seq, struct arena *mem,
                                 struct alias_news **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    bool row;
    size_t count = 0, room = 0;
    struct alias_news *list = NULL;
    TRY(db_prepare(c->db,
                   "SELECT l.seq, l.from_id, l.to_id FROM alias_log l WHERE l.seq > ? AND l.seq ="
                   " (SELECT max(seq) FROM alias_log WHERE from_id = l.from_id) ORDER BY l.seq,"
                   " l.from_id",
                   &s, err));
    db_bind_int(s, 1, seq);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        if (count == room) {
            room = room ? room * 2 : 16;
            struct alias_news *more = ARENA_ARRAY(mem, room, struct alias_news);
            if (!more) status = err_no_memory(err);
            if (!more) break;
            if (count > 0) memcpy(more, list, count * sizeof *list);
            list = more;
        }
        list[count++] = (struct alias_news){db_int(s, 0), db_int(s, 1), db_int(s, 2)};
        status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = list;
    *out_count = count;
    return ST_OK;
}
