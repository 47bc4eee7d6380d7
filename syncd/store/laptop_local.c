/* Rows as this laptop has them: reading, writing, hiding, and letting them go. */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <string.h>

uint64_t cell_bit(const struct cell *c) {
    return (uint64_t)1 << c->index;
}

struct value *local_copy(const struct local *local, struct arena *mem) {
    struct value *copy = ARENA_ARRAY(mem, local->e->field_count, struct value);
    if (copy) memcpy(copy, local->values, local->e->field_count * sizeof *copy);
    return copy;
}

enum status local_read(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                       struct local *out, struct err *err) {
    struct local local = {.e = e, .id = id};
    TRY(rows_read(store->db, e, ROWS_LAPTOP, id, mem, &local.values, &local.meta, &local.found,
                  err));
    *out = local;
    return ST_OK;
}

enum status local_visible(struct store *store, const struct entity *e, int64_t id,
                          struct arena *mem, struct local *out, struct err *err) {
    char text[ID_TEXT_BYTES];
    struct local local;
    TRY(local_read(store, e, id, mem, &local, err));
    id_format(id_is_valid(id) ? id : 0, text);
    if (!local.found || local.meta.gone == GONE_HIDDEN)
        return err_set(err, ST_NOT_FOUND, "no such %s%.0s here: %s", "这里没有该%.0s%s：%s",
                       e->name, e->label[LANG_ZH], text);
    if (local.meta.gone == GONE_DOOMED)
        return err_set(err, ST_GONE, "this %s%.0s is read-only, it is leaving this laptop: %s",
                       "该%.0s%s只读，即将离开本机：%s", e->name, e->label[LANG_ZH], text);
    *out = local;
    return ST_OK;
}

enum status local_write(struct store *store, struct local *local, uint64_t mask,
                        struct value *values, struct err *err) {
    bool search = mask != 0 && local->meta.gone == GONE_HERE;
    TRY(rows_update(store->db, local->e, ROWS_LAPTOP, local->id, mask, values, &local->meta, search,
                    search ? local->values : NULL, err));
    local->values = values;
    return ST_OK;
}

/* Only rows that people see are in the full text. A row without text was never put in: the engine
 * counts what it holds, and takes a count below nothing for damage. */
static enum status show_text(struct store *store, const struct local *local, bool shown,
                             struct arena *mem, struct err *err) {
    struct slice title, body;
    TRY(rows_text(local->e, local->values, mem, &title, &body, err));
    if (title.len + body.len == 0) return ST_OK;
    return shown ? db_text_add(store->db, local->id, title, body, err)
                 : db_text_remove(store->db, local->id, title, body, err);
}

enum status local_set_gone(struct store *store, struct local *local, int64_t gone,
                           struct arena *mem, struct err *err) {
    bool was_here = local->meta.gone == GONE_HERE, is_here = gone == GONE_HERE;
    if (was_here != is_here) TRY(show_text(store, local, is_here, mem, err));
    local->meta.gone = gone;
    refs_forget(store);
    return rows_update(store->db, local->e, ROWS_LAPTOP, local->id, 0, local->values, &local->meta,
                       false, NULL, err);
}

static enum status forget_cells(struct store *store, int64_t id, struct err *err) {
    static const char *const forget[] = {"DELETE FROM pending WHERE row_id = ?",
                                         "DELETE FROM ahead WHERE row_id = ?"};
    for (size_t i = 0; i < ARRAY_COUNT(forget); i++) {
        struct db_stmt *s;
        TRY(db_prepare(store->db, forget[i], &s, err));
        db_bind_int(s, 1, id);
        TRY(db_run(s, err));
    }
    return ST_OK;
}

enum status local_remove(struct store *store, struct local *local, struct err *err) {
    TRY(digest_touch(store, local->e, local->id, local->values, err));
    refs_forget(store);
    TRY(rows_delete(store->db, local->e, local->id, local->meta.gone == GONE_HERE, local->values,
                    err));
    local->found = false;
    TRY(past_forget(store, local->id, err));
    return forget_cells(store, local->id, err);
}

static enum status is_named(struct store *store, const struct local *local, bool *out,
                            struct err *err) {
    *out = true;
    return local->meta.seq < 0 ? ST_OK : pending_any(store->db, local->id, out, err);
}

enum status local_doom(struct store *store, struct local *local, struct arena *mem, bool *out_gone,
                       struct err *err) {
    bool named;
    TRY(is_named(store, local, &named, err));
    *out_gone =
        !named || local->meta.gone == GONE_HIDDEN; /* what was deleted here need not be shown */
    bool doomed = local->meta.gone == GONE_DOOMED;
    if (!*out_gone)
        return doomed ? ST_OK : local_set_gone(store, local, GONE_DOOMED, mem, err);
    TRY(local_remove(store, local, err));
    return doomed ? forget_swept(store, local->id, err) : ST_OK;
}

enum status local_sweep(struct store *store, struct local *local, bool *out_gone, struct err *err) {
    bool named;
    *out_gone = false;
    if (!local->found || local->meta.gone != GONE_DOOMED) return ST_OK;
    TRY(is_named(store, local, &named, err));
    if (named) return ST_OK;
    *out_gone = true;
    TRY(local_remove(store, local, err));
    return forget_swept(store, local->id, err);
}

enum status laptop_is_pending(struct store *store, const struct entity *e, int64_t id, bool *out,
                              struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct local local;
    TRY(local_read(store, e, id, &mem, &local, err));
    if (!local.found) {
        *out = false;
        return ST_OK;
    }
    if (local.meta.gone == GONE_HIDDEN) {
        *out = true;
        return ST_OK;
    }
    return is_named(store, &local, out, err);
}

/* ------------------------------------------------------------------ units of a delete */

struct unit {
    struct unit_row *rows;
    size_t count, cap;
    struct arena *mem;
};

static enum status unit_add(struct unit *unit, uint32_t entity_tag, int64_t row, struct err *err) {
    if (unit->count == UNIT_ROWS_MAX)
        return err_set(err, ST_TOO_LARGE, "it owns more than %d rows: delete some of these first",
                       "其下属记录超过%d条：请先删除一部分", UNIT_ROWS_MAX);
    if (unit->count > 0 && unit->rows[0].row == row)
        return ST_OK; /* one owner each: a circle ends at its start */
    if (unit->count == unit->cap) {
        size_t cap = unit->cap ? unit->cap * 2 : 16;
        struct unit_row *grown = ARENA_ARRAY(unit->mem, cap, struct unit_row);
        if (!grown) return err_no_memory(err);
        if (unit->count > 0) memcpy(grown, unit->rows, unit->count * sizeof *grown);
        unit->rows = grown;
        unit->cap = cap;
    }
    unit->rows[unit->count++] = (struct unit_row){.row = row, .entity_tag = entity_tag};
    return ST_OK;
}

static bool is_owned_by(const struct entity *owned, const struct entity *owner) {
    return owned->owner_field >= 0 &&
           strcmp(owned->fields[owned->owner_field].refers_to, owner->name) == 0;
}

static enum status unit_add_owned(struct store *store, struct unit *unit, size_t at,
                                  struct err *err) {
    int64_t owner = unit->rows[at].row;
    const struct entity *of = catalogue_entity_by_tag(store->cat, unit->rows[at].entity_tag);
    for (size_t i = 0; i < store->cat->count; i++) {
        const struct entity *e = &store->cat->entities[i];
        int64_t *ids;
        size_t count;
        if (!is_owned_by(e, of)) continue;
        TRY(rows_owned(store->db, e, ROWS_LAPTOP, owner, unit->mem, &ids, &count, err));
        for (size_t k = 0; k < count; k++) TRY(unit_add(unit, e->tag, ids[k], err));
    }
    return ST_OK;
}

enum status local_unit(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                       struct unit_row **out, size_t *out_count, struct err *err) {
    struct unit unit = {.mem = mem};
    TRY(unit_add(&unit, e->tag, id, err));
    for (size_t i = 0; i < unit.count; i++) TRY(unit_add_owned(store, &unit, i, err));
    *out = unit.rows;
    *out_count = unit.count;
    return ST_OK;
}
