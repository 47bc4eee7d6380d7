/* What a pull does: a cell that is pending goes to the pending table and the person's value stays;
 * all others take the server's value, with full text and row seq in the same transaction.
 */
#include "syncd/store/laptop.h"

#include <string.h>

struct pulling {
    struct store *store;
    const struct entity *e;
    const struct record *record;
    struct arena *mem;
    struct local local;
    struct value *values; /* the row as it will be */
    uint64_t mask;
    bool any_pending; /* looked up once for each row */
    bool fresh;       /* it was not here */
};

/* Between going back and noticing, a server gives old numbers again; and a laptop may not know
 * exactly where both lives part. What stands there now is of this epoch, and so is what rests on
 * it. */
static enum status take_seq(struct pulling *p, struct err *err) {
    p->local.meta.seq = p->record->seq;
    if (!seq_is_lost(p->store, p->record->seq)) return ST_OK;
    p->local.meta.seq = epoch_start(p->store->laptop->state.epoch);
    return reissued_put(p->store, p->record->row, p->record->seq, err);
}

static bool cell_fits(const struct cell *cell, const struct record_cell *given) {
    return cell && cell->rule != RULE_DERIVED && cell->tag == given->cell_tag &&
           cell->count == given->value_count;
}

static enum status take_cell(struct pulling *p, const struct cell *cell, const struct value *values,
                             struct err *err) {
    struct pending pending = {0};
    if (p->any_pending)
        TRY(pending_get(p->store->db, p->record->row, cell->tag, p->mem, &pending, err));
    TRY(pending_note(p->store->db, p->e->tag, p->record->row, cell->tag, &pending, values,
                     cell->count, p->record->seq, err));
    if (pending.found && !p->fresh) return ST_OK; /* the person's value stays */
    memcpy(&p->values[cell->first], values, cell->count * sizeof *values);
    p->mask |= cell_bit(cell);
    return ST_OK;
}

/* In a whole record an absent cell is empty. Cells that this release does not know, or knows in
 * another shape, are kept as they came. */
static enum status take_cells(struct pulling *p, struct err *err) {
    struct value empty[ENTITY_FIELDS_MAX];
    uint64_t given = 0;
    memset(empty, 0, sizeof empty);
    for (size_t i = 0; i < p->record->cell_count; i++) {
        const struct record_cell *from = &p->record->cells[i];
        const struct cell *cell = entity_cell(p->e, from->cell_tag);
        if (cell_fits(cell, from)) {
            given |= cell_bit(cell);
            TRY(take_cell(p, cell, from->values, err));
        } else {
            TRY(rows_more_put(p->local.meta.more, from, p->mem, &p->local.meta.more, err));
        }
    }
    if (!(p->record->flags & RECORD_WHOLE)) return ST_OK;
    for (size_t c = 0; c < p->e->cell_count; c++) {
        const struct cell *cell = &p->e->cells[c];
        if (cell->rule == RULE_DERIVED || (given & cell_bit(cell))) continue;
        TRY(take_cell(p, cell, empty, err));
    }
    return ST_OK;
}

/* It is a row of its own again: it comes by a record, and so does what names it. */
static enum status drop_alias(struct store *store, int64_t id, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "DELETE FROM alias WHERE from_id = ?", &s, err));
    db_bind_int(s, 1, id);
    return db_run(s, err);
}

static enum status take_new(struct pulling *p, struct err *err) {
    p->fresh = true;
    p->local = (struct local){.e = p->e, .id = p->record->row, .found = true};
    p->values = ARENA_ARRAY(p->mem, p->e->field_count, struct value);
    if (!p->values) return err_no_memory(err);
    TRY(take_cells(p, err));
    TRY(take_seq(p, err));
    p->local.values = p->values;
    TRY(rows_insert(p->store->db, p->e, ROWS_LAPTOP, p->record->row, p->values, &p->local.meta,
                    true, err));
    TRY(digest_touch(p->store, p->e, p->record->row, p->values, err));
    TRY(drop_alias(p->store, p->record->row, err)); /* a server that went back knows of none */
    /* After a rescue the person's edits are put on the row again as it arrives. */
    return p->any_pending ? outbox_replay(p->store, &p->local, p->mem, err) : ST_OK;
}

/* Is the row here as the record has it? A merge re-points without a seq: if the server forgot it by
 * going back, the row comes at the seq that it has here, and names another. */
static bool tells_nothing(const struct pulling *p) {
    if (p->store->laptop->lost_count == 0 || !(p->record->flags & RECORD_WHOLE)) return true;
    if (p->local.meta.gone != GONE_HERE || p->local.meta.seq != p->record->seq) return true;
    for (size_t i = 0; i < p->record->cell_count; i++) {
        const struct record_cell *from = &p->record->cells[i];
        const struct cell *cell = entity_cell(p->e, from->cell_tag);
        for (size_t k = 0; cell_fits(cell, from) && k < cell->count; k++)
            if (p->e->fields[cell->first + k].type == FIELD_REF &&
                !value_equal(p->local.values[cell->first + k], from->values[k]))
                return false;
    }
    return true;
}

static enum status take_known(struct pulling *p, bool remember, struct err *err) {
    bool whole = p->record->flags & RECORD_WHOLE;
    if (whole && p->local.meta.gone == GONE_DOOMED) {
        TRY(local_set_gone(p->store, &p->local, GONE_HERE, p->mem, err));
        TRY(forget_not(p->store, p->local.id, err));
    }
    p->values = local_copy(&p->local, p->mem);
    if (!p->values) return err_no_memory(err);
    if (whole) p->local.meta.more = (struct slice){0};
    TRY(take_cells(p, err));
    if (remember) TRY(past_note(p->store, &p->local, p->mask, p->values, p->record->seq, err));
    TRY(take_seq(p, err));
    TRY(digest_touch(p->store, p->e, p->record->row, p->local.values, err));
    TRY(local_write(p->store, &p->local, p->mask, p->values, err));
    TRY(digest_touch(p->store, p->e, p->record->row, p->values, err));
    return ahead_trim(p->store->db, p->record->row, p->local.meta.seq, err);
}

static enum status take_dead(struct pulling *p, struct apply_counts *counts, struct err *err) {
    bool gone, lost = seq_is_lost(p->store, p->local.meta.seq);
    if (!p->local.found || (p->record->seq <= p->local.meta.seq && !lost)) return ST_OK;
    counts->rows_gone++;
    TRY(local_doom(p->store, &p->local, p->mem, &gone, err));
    if (gone) return ST_OK;
    if (p->local.meta.seq >= 0) p->local.meta.seq = p->record->seq;
    return rows_update(p->store->db, p->e, ROWS_LAPTOP, p->record->row, 0, p->local.values,
                       &p->local.meta, false, NULL, err);
}

/* An older leave than what is here is history: the row came back since. */
static enum status take_left(struct pulling *p, struct apply_counts *counts, struct err *err) {
    const struct row_meta *meta = &p->local.meta;
    bool left = p->local.found && meta->gone != GONE_DOOMED && p->record->seq >= meta->seq;
    return left ? forget_row(p->store, &p->local, counts, err) : ST_OK;
}

enum status record_take(struct store *store, const struct record *record, struct arena *mem,
                        struct laptop_state *state, struct apply_counts *counts, bool *out_reread,
                        struct err *err) {
    struct pulling p = {.store = store,
                        .record = record,
                        .mem = mem,
                        .e = catalogue_entity_by_tag(store->cat, record->entity_tag)};
    if (!p.e) { /* of a newer release: read again when we know it */
        state->unknown = store->cat->release;
        return ST_OK;
    }
    TRY(local_read(store, p.e, record->row, mem, &p.local, err));
    if (record->flags & RECORD_LEFT) return take_left(&p, counts, err);
    if (record->flags & RECORD_DEAD) return take_dead(&p, counts, err);
    bool known = p.local.found && p.local.meta.seq >= record->seq &&
                 p.local.meta.gone != GONE_DOOMED && !seq_is_lost(store, p.local.meta.seq);
    if (known && tells_nothing(&p)) return ST_OK;
    TRY(pending_any(store->db, record->row, &p.any_pending, err));
    if (p.local.found) {
        counts->rows_changed++;
        return take_known(&p, counts->rows_changed <= PAST_ROUND_ROWS, err);
    }
    if (!(record->flags &
          RECORD_WHOLE)) { /* a part of what is not here: ask for everything again */
        *out_reread = true;
        return ST_OK;
    }
    counts->rows_changed++;
    return take_new(&p, err);
}

/* ------------------------------------------------------------------ a row that became another */

static enum status repoint_column(struct store *store, const struct entity *e,
                                  const struct field *f, const struct alias_news *news,
                                  struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    char table[128];
    struct db_stmt *s;
    (void)snprintf(table, sizeof table, "r_%s", e->name);
    buf_put_text(&sql, "UPDATE ");
    rows_put_name(&sql, table);
    buf_put_text(&sql, " SET ");
    rows_put_name(&sql, f->name);
    buf_put_text(&sql, " = ? WHERE ");
    rows_put_name(&sql, f->name);
    buf_put_text(&sql, " = ?");
    TRY(buf_status(&sql, err));
    TRY(db_prepare(store->db, buf_text(&sql), &s, err));
    db_bind_int(s, 1, news->to);
    db_bind_int(s, 2, news->from);
    return db_run(s, err);
}

/* The alias alone re-points, the same way here as at the server: nothing becomes pending by it.
 * target NULL: neither row is here; ids are unique across entities. */
static enum status repoint(struct store *store, const struct entity *target,
                           const struct alias_news *news, struct err *err) {
    for (size_t i = 0; i < store->cat->count; i++) {
        const struct entity *e = &store->cat->entities[i];
        for (size_t k = 0; k < e->field_count; k++) {
            const struct field *f = &e->fields[k];
            bool refers = f->type == FIELD_REF && f->rule != RULE_DERIVED &&
                          (!target || strcmp(f->refers_to, target->name) == 0);
            if (refers) TRY(repoint_column(store, e, f, news, err));
        }
    }
    return ST_OK;
}

/* One cell whose server's value names the row that is no more. */
static enum status repoint_pending_cell(struct store *store, const struct cell *cell,
                                        const struct entity *e, int64_t row,
                                        const struct alias_news *news, struct arena *mem,
                                        struct err *err) {
    struct pending p;
    bool moved = false;
    TRY(pending_get(store->db, row, cell->tag, mem, &p, err));
    for (size_t i = 0; p.found && i < p.value_count && i < cell->count; i++) {
        bool names = e->fields[cell->first + i].type == FIELD_REF &&
                     p.values[i].kind == VALUE_INT && p.values[i].number == news->from;
        if (names) p.values[i].number = news->to;
        moved |= names;
    }
    return moved ? pending_put(store->db, e->tag, row, cell->tag, &p, err) : ST_OK;
}

static enum status next_pending(struct store *store, int64_t *row, uint32_t *cell, uint32_t *entity,
                                bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(
        store->db,
        "SELECT row_id, cell, entity FROM pending WHERE (row_id, cell) > (?,?) AND vals IS NOT NULL"
        " ORDER BY row_id, cell LIMIT 1",
        &s, err));
    db_bind_int(s, 1, *row);
    db_bind_int(s, 2, *cell);
    TRY(db_step(s, out_found, err));
    if (*out_found) {
        *row = db_int(s, 0);
        *cell = (uint32_t)db_int(s, 1);
        *entity = (uint32_t)db_int(s, 2);
    }
    db_reset(s);
    return ST_OK;
}

static enum status repoint_pending(struct store *store, const struct alias_news *news,
                                   struct arena *mem, struct err *err) {
    int64_t row = 0;
    uint32_t tag = 0, entity;
    for (;;) {
        bool found;
        TRY(next_pending(store, &row, &tag, &entity, &found, err));
        if (!found) return ST_OK;
        const struct entity *e = catalogue_entity_by_tag(store->cat, entity);
        const struct cell *cell = e ? entity_cell(e, tag) : NULL;
        if (cell) TRY(repoint_pending_cell(store, cell, e, row, news, mem, err));
    }
}

static enum status write_alias(struct store *store, const struct alias_news *news,
                               struct err *err) {
    static const char *const sql[] = {"UPDATE alias SET to_id = ? WHERE to_id = ?",
                                      "INSERT OR REPLACE INTO alias(to_id, from_id) VALUES (?,?)"};
    for (size_t i = 0; i < ARRAY_COUNT(sql); i++) {
        struct db_stmt *s;
        TRY(db_prepare(store->db, sql[i], &s, err));
        db_bind_int(s, 1, news->to);
        db_bind_int(s, 2, news->from);
        TRY(db_run(s, err));
    }
    return ST_OK;
}

static enum status find_row(struct store *store, int64_t id, struct arena *mem, struct local *out,
                            struct err *err) {
    *out = (struct local){0};
    for (size_t i = 0; i < store->cat->count && !out->found; i++)
        TRY(local_read(store, &store->cat->entities[i], id, mem, out, err));
    return ST_OK;
}

enum status alias_take(struct store *store, const struct alias_news *news, struct arena *mem,
                       struct apply_counts *counts, struct err *err) {
    struct local from, to;
    bool gone;
    if (news->from == news->to) return drop_alias(store, news->from, err);
    TRY(digest_forget(store, err));
    TRY(write_alias(store, news, err));
    TRY(find_row(store, news->from, mem, &from, err));
    TRY(find_row(store, news->to, mem, &to, err));
    const struct entity *target = from.found ? from.e : to.found ? to.e : NULL;
    TRY(repoint(store, target, news, err));
    TRY(repoint_pending(store, news, mem, err));
    TRY(scope_repointed(store, news->from, news->to, err));
    if (!from.found) return ST_OK;
    counts->rows_gone++;
    if (!to.found) TRY(forget_begin(store, err));
    return local_doom(store, &from, mem, &gone, err);
}
