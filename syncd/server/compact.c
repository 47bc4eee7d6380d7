/* Compacting in slices: a delete or some hundred items a transaction, so that no laptop waits. A
 * run that is killed leaves whole slices; the next goes on.
 */
#include "syncd/server/compact.h"

#include <stdlib.h>

#include "syncd/server/org_private.h"

enum {
    COMPACT_MEMORY = 64 * 1024 * 1024,
    STEP_UNITS = 64, /* deletes in one transaction ... */
    STEP_ROWS = 500, /* ... or rows; a delete is never cut */
    NIGHT_MS = 2 * 3600 * 1000
};

struct compaction {
    bool dry_run;
    struct arena mem;
    int64_t *units;
    size_t unit_count, unit_at;
    enum compact_part part;
    struct compact_place place;
    struct compacted result;
};

enum status org_compact_begin(struct org *org, bool dry_run, struct compaction **out,
                              struct err *err) {
    struct compaction *run = calloc(1, sizeof *run);
    if (!run) return err_no_memory(err);
    run->dry_run = dry_run;
    run->mem = arena_new(COMPACT_MEMORY);
    struct compacted *r = &run->result;
    enum status status = centre_horizon(org->c, &r->horizon, err);
    if (status == ST_OK) status = centre_bytes(org->c, &r->bytes_before, err);
    if (status == ST_OK)
        status = centre_passed_deletes(org->c, &r->horizon, &run->mem, &run->units,
                                       &run->unit_count, err);
    if (status != ST_OK) {
        compaction_end(run);
        return status;
    }
    r->bytes_after = r->bytes_before;
    r->total = (int64_t)run->unit_count + COMPACT_PART_COUNT;
    *out = run;
    return ST_OK;
}

void compaction_end(struct compaction *run) {
    if (!run) return;
    arena_clear(&run->mem);
    free(run);
}

const struct compacted *compaction_result(const struct compaction *run) {
    return &run->result;
}

/* ------------------------------------------------------------------ steps */

static enum status collect_some(struct org *org, struct compaction *run, struct err *err) {
    struct compacted *r = &run->result;
    int64_t taken = 0;
    for (int i = 0; i < STEP_UNITS && run->unit_at < run->unit_count && taken < STEP_ROWS; i++) {
        int64_t rows;
        TRY(centre_collect(org->c, run->units[run->unit_at], &r->horizon, &rows, err));
        run->unit_at++;
        r->deletes += rows > 0;
        r->stay += rows == 0;
        r->rows += rows;
        taken += rows;
    }
    r->done = (int64_t)run->unit_at;
    return ST_OK;
}

static enum status compact_some(struct org *org, struct compaction *run, struct err *err) {
    int64_t items;
    bool done;
    TRY(centre_compact(org->c, run->part, &run->result.horizon, &run->place, &items, &done, err));
    run->result.items[run->part] += items;
    if (!done) return ST_OK;
    run->part++;
    run->place = (struct compact_place){0, 0};
    run->result.done++;
    return ST_OK;
}

static enum status slice(struct org *org, struct compaction *run, struct err *err) {
    if (run->unit_at < run->unit_count) return collect_some(org, run, err);
    return compact_some(org, run, err);
}

/* A slice that was undone is not to be counted twice by the next try. */
static enum status transact(struct org *org, struct compaction *run, struct err *err) {
    struct compaction before = *run;
    TRY(centre_begin(org->c, true, err));
    enum status status = slice(org, run, err);
    if (status == ST_OK && !run->dry_run)
        status = centre_commit(org->c, err);
    else
        centre_rollback(org->c);
    if (status != ST_OK) *run = before;
    return status;
}

enum status org_compact_step(struct org *org, struct compaction *run, bool *out_done,
                             struct err *err) {
    bool flushed;
    *out_done = run->unit_at == run->unit_count && run->part == COMPACT_PART_COUNT;
    if (*out_done) return ST_OK;
    TRY(transact(org, run, err));
    *out_done = run->unit_at == run->unit_count && run->part == COMPACT_PART_COUNT;
    if (!*out_done || run->dry_run) return ST_OK;
    TRY(centre_compacted_note(org->c, err));
    TRY(centre_flushed(org->c, &flushed, err)); /* a reader in the way: the next run does it */
    return centre_bytes(org->c, &run->result.bytes_after, err);
}

enum status org_compact_is_due(struct org *org, bool *out, struct err *err) {
    struct centre_head head;
    struct centre_scope scope;
    int64_t last_ms;
    TRY(centre_head(org->c, &head, err));
    centre_scope(org->c, &scope);
    TRY(centre_compacted(org->c, &last_ms, err));
    *out = false;
    if (last_ms == 0) return centre_compacted_note(org->c, err); /* the first night comes */
    int64_t now = centre_now(org->c);
    *out = centre_day(&scope, now - NIGHT_MS) > centre_day(&scope, last_ms - NIGHT_MS);
    return ST_OK;
}

/* ------------------------------------------------------------------ personal data */

static bool is_personal(const struct entity *e, const struct cell *cell) {
    for (size_t i = 0; i < cell->count; i++)
        if (e->fields[cell->first + i].personal) return true;
    return false;
}

/* Of a set: all its elements removed. A required text cannot be empty. */
static enum status put_edit(const struct centre_row *row, const struct cell *cell,
                            struct arena *mem, struct edit *out, struct err *err) {
    const struct entity *e = row->entity;
    size_t count = cell->rule == RULE_SET ? 2 : cell->count;
    *out = (struct edit){.cell_tag = cell->tag,
                         .kind = cell->rule == RULE_SET ? EDIT_ELEMENTS : EDIT_SET,
                         .values = ARENA_ARRAY(mem, count, struct value),
                         .value_count = count};
    if (!out->values) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) out->values[i] = value_null();
    if (cell->rule == RULE_SET) {
        out->values[1] = row->values[cell->first];
        return ST_OK;
    }
    for (size_t i = 0; i < cell->count; i++) {
        const struct field *f = &e->fields[cell->first + i];
        if (!f->personal)
            out->values[i] = row->values[cell->first + i];
        else if (f->required && f->type == FIELD_TEXT)
            out->values[i] = value_text(SLICE(CENTRE_ERASED_TEXT));
    }
    return ST_OK;
}

static bool is_empty(const struct centre_row *row, const struct edit *edit,
                     const struct cell *cell) {
    if (cell->rule == RULE_SET) return edit->values[1].kind == VALUE_NULL;
    for (size_t i = 0; i < cell->count; i++)
        if (!value_equal(edit->values[i], row->values[cell->first + i])) return false;
    return true;
}

static enum status make_change(const struct centre_row *row, struct arena *mem, struct change *out,
                               bool *out_personal, struct err *err) {
    const struct entity *e = row->entity;
    *out = (struct change){.kind = CHANGE_EDIT, .entity_tag = e->tag, .row = row->id};
    out->edits = ARENA_ARRAY(mem, e->cell_count + 1, struct edit);
    if (!out->edits) return err_no_memory(err);
    *out_personal = false;
    for (size_t i = 0; i < e->cell_count; i++) {
        const struct cell *cell = &e->cells[i];
        struct edit *edit = &out->edits[out->edit_count];
        if (cell->rule == RULE_DERIVED || !is_personal(e, cell)) continue;
        *out_personal = true;
        TRY(put_edit(row, cell, mem, edit, err));
        if (!is_empty(row, edit, cell)) out->edit_count++;
    }
    return ST_OK;
}

static enum status erase(struct org *org, const struct entity *e, int64_t id, struct slice note,
                         struct arena *mem, struct centre_erased *out, struct err *err) {
    struct centre_row row;
    struct change change;
    bool found, personal = true;
    TRY(centre_alias_resolve(org->c, id, &id, err));
    TRY(centre_row_read(org->c, e, id, mem, &row, &found, err));
    if (found) {
        TRY(make_change(&row, mem, &change, &personal, err));
        if (!personal)
            return err_set(err, ST_INVALID, "%s has no personal fields", "%s 没有个人信息字段",
                           e->name);
        if (change.edit_count > 0 && !row.dead)
            TRY(office_write(org->c, &change, 1, note, mem, err));
    } else {
        TRY(centre_was_collected(org->c, id, 0, &found, err));
    }
    if (!found) return err_set(err, ST_NOT_FOUND, "there is no such row", "没有该记录");
    return centre_erase_personal(org->c, e, id, out, err);
}

enum status org_erase(struct org *org, const struct entity *e, int64_t row, struct slice person,
                      struct slice why, struct centre_erased *out, struct err *err) {
    struct arena mem = arena_new(COMPACT_MEMORY);
    SCOPED(buf_free) struct buf note = buf_new(BUF_MAX_LINE);
    struct centre_erased erased = {0};
    bool flushed;
    buf_put_slice(&note, person);
    buf_put_text(&note, ": ");
    buf_put_slice(&note, why);
    enum status status = buf_status(&note, err);
    if (status == ST_OK) status = org_merge_begin(org, err);
    if (status == ST_OK) {
        status = erase(org, e, row, buf_slice(&note), &mem, &erased, err);
        if (status == ST_OK) status = centre_commit(org->c, err);
        if (status != ST_OK) centre_rollback(org->c);
    }
    arena_clear(&mem);
    TRY(status);
    *out = erased;
    return centre_flushed(org->c, &flushed, err);
}
