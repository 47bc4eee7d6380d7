/* Saves: one transaction of the person is one transaction of the database and one batch of the
 * outbox.
 *
 * The write lock is taken at the start, so that the batch's number is known while it is put
 * together. The batch lives in memory until the commit writes it as one row: a save of a new visit
 * touches the visit's pages, the full text's and one of the outbox.
 */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <string.h>

static struct save *save_of(struct store *store) {
    assert(store->laptop && store->laptop->save.open); /* store_begin comes first */
    return &store->laptop->save;
}

static void save_reset(struct save *save) {
    arena_clear(&save->mem);
    *save = (struct save){.mem = arena_new(ARENA_CAP_DEFAULT)};
}

/* Read anew for each save: this very handle may have written it. */
static enum status who_am_i(struct store *store, struct laptop *laptop, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db, "SELECT device, employee FROM secret_identity", &s, err));
    TRY(db_step(s, &row, err));
    laptop->device = row ? (uint32_t)db_int(s, 0) : 0;
    laptop->employee = row ? db_int(s, 1) : 0;
    db_reset(s);
    return ST_OK;
}

static enum status begin_batch(struct store *store, struct err *err) {
    struct laptop *laptop;
    struct stamp now;
    uint32_t newest, counter;
    bool moved;
    TRY(laptop_get(store, &laptop, err));
    TRY(who_am_i(store, laptop, err));
    if (laptop->device == 0)
        return err_set(err, ST_DENIED, "this laptop is not enrolled yet: roadbook enroll LINK",
                       "本机尚未登记：请先运行 roadbook enroll LINK");
    struct laptop_state state = laptop->state;
    TRY(clock_note(store, &state, &now, &moved, err));
    if (moved) TRY(state_write(store, &state, err));
    TRY(outbox_newest(store->db, &newest, &counter, err));
    save_reset(&laptop->save);
    laptop->save.counter = counter;
    laptop->save.batch =
        (struct batch){.number = newest + 1, .cursor = state.cursor.seq, .stamp = now};
    laptop->save.open = true;
    return ST_OK;
}

enum status store_begin(struct store *store, struct err *err) {
    TRY(store_lease_check(store, err));
    return save_begin(store, err);
}

enum status save_begin(struct store *store, struct err *err) {
    assert(!store->laptop || !store->laptop->save.open);
    TRY(db_begin(store->db, true, err));
    enum status status = begin_batch(store, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}

void store_rollback(struct store *store) {
    if (db_in_transaction(store->db)) db_rollback(store->db);
    if (!store->laptop) return;
    save_reset(&store->laptop->save);
    refs_forget(store);
    store->laptop->known = false; /* what was written to the state is not there any more */
}

void store_batch_import(struct store *store, int64_t import_id) {
    save_of(store)->batch.import_id = import_id;
}

void store_batch_all_or_nothing(struct store *store) {
    save_of(store)->batch.flags |= BATCH_ALL_OR_NOTHING;
}

/* ------------------------------------------------------------------ the batch in memory */

enum {
    HEAD_BYTES = 128,   /* number, stamp and counts of the batch itself */
    NUMBERS_BYTES = 64, /* of an item */
    EDIT_BYTES = 16,    /* of an edit whose bases are zero: tag, kind, count, two bases */
    INT_BYTES = 11,     /* of a value: its kind and the longest number */
    TEXT_BYTES = 6      /* before a text: its kind and length */
};

/* A creation has no bases. */
static size_t edit_bytes_at_most(const struct edit *edit) {
    bool zero = (edit->base.seq | edit->today.seq) == 0 && (edit->base.own | edit->today.own) == 0;
    size_t bytes = zero ? EDIT_BYTES : NUMBERS_BYTES;
    for (size_t k = 0; k < edit->value_count; k++) {
        const struct value *v = &edit->values[k];
        bytes += v->kind == VALUE_TEXT ? TEXT_BYTES + v->text.len : INT_BYTES;
    }
    return bytes;
}

/* More than the canonical bytes of a change can be. */
static size_t bytes_at_most(const struct change *change) {
    size_t bytes = NUMBERS_BYTES * (1 + change->retry_count);
    for (size_t i = 0; i < change->edit_count; i++) bytes += edit_bytes_at_most(&change->edits[i]);
    for (size_t i = 0; i < change->unit_count; i++)
        bytes += NUMBERS_BYTES * (1 + change->unit[i].cell_count);
    return bytes;
}

static enum status count_bytes(struct save *save, struct err *err) {
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    for (size_t i = 0; i < save->batch.change_count; i++)
        change_write(&save->batch.changes[i], &bytes);
    save->bytes = bytes.len;
    return buf_status(&bytes, err);
}

/* Most batches are far from full, so that a bound does; what is written is counted when the bound
 * no longer does. */
enum status save_room(struct store *store, const struct change *probe, struct err *err) {
    struct save *save = save_of(store);
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    size_t most = bytes_at_most(probe);
    if (save->batch.change_count < BATCH_ROWS_MAX &&
        save->bytes + most <= BATCH_BYTES_MAX - HEAD_BYTES) {
        save->bytes += most;
        return ST_OK;
    }
    TRY(count_bytes(save, err));
    change_write(probe, &bytes);
    bool full = save->batch.change_count >= BATCH_ROWS_MAX || bytes.too_large ||
                save->bytes + bytes.len > BATCH_BYTES_MAX - HEAD_BYTES;
    if (full && save->batch.change_count > 0)
        return err_set(err, ST_TOO_LARGE,
                       "this transaction is full: commit it and begin the next one",
                       "本次提交已满：请先提交，再继续");
    if (full)
        return err_set(err, ST_TOO_LARGE, "too much for one transaction: at most %d KiB",
                       "一次提交最多%d KiB", BATCH_BYTES_MAX / 1024);
    TRY(buf_status(&bytes, err));
    save->bytes += bytes.len;
    return ST_OK;
}

static enum status add_change(struct save *save, const struct change *change, struct change **out,
                              struct err *err) {
    struct batch *b = &save->batch;
    if (b->change_count == save->change_cap) {
        size_t cap = save->change_cap ? save->change_cap * 2 : 8;
        struct change *grown = ARENA_ARRAY(&save->mem, cap, struct change);
        if (!grown) return err_no_memory(err);
        if (b->change_count > 0) memcpy(grown, b->changes, b->change_count * sizeof *grown);
        b->changes = grown;
        save->change_cap = cap;
    }
    b->changes[b->change_count] = *change;
    *out = &b->changes[b->change_count++];
    return ST_OK;
}

static struct change *find_change(struct save *save, int64_t row) {
    for (size_t i = save->batch.change_count; i > 0; i--) {
        struct change *change = &save->batch.changes[i - 1];
        if (change->row == row) return change;
    }
    return NULL;
}

enum status save_change(struct store *store, const struct entity *e, int64_t row,
                        struct change **out, struct err *err) {
    struct save *save = save_of(store);
    struct change *there = find_change(save, row);
    if (there && there->kind != CHANGE_DELETE) {
        *out = there;
        return ST_OK;
    }
    struct change fresh = {.kind = CHANGE_EDIT, .entity_tag = e->tag, .row = row};
    return add_change(save, &fresh, out, err);
}

struct change *save_creation(struct store *store, int64_t row) {
    struct change *there = find_change(save_of(store), row);
    return there && there->kind == CHANGE_CREATE ? there : NULL;
}

static enum status copy_values(struct arena *mem, const struct value *values, size_t count,
                               struct value **out, struct err *err) {
    struct value *copy = ARENA_ARRAY(mem, count + 1, struct value);
    if (!copy) return err_no_memory(err);
    for (size_t i = 0; i < count; i++)
        if (!value_copy(values[i], mem, &copy[i])) return err_no_memory(err);
    *out = copy;
    return ST_OK;
}

enum status change_put_edit(struct store *store, struct change *change, const struct edit *edit,
                            struct err *err) {
    struct arena *mem = &save_of(store)->mem;
    struct edit copy = *edit;
    TRY(copy_values(mem, edit->values, edit->value_count, &copy.values, err));
    change_drop_edit(change, edit->cell_tag);
    struct edit *edits = ARENA_ARRAY(mem, change->edit_count + 1, struct edit);
    size_t at = 0;
    if (!edits) return err_no_memory(err);
    while (at < change->edit_count && change->edits[at].cell_tag < edit->cell_tag) at++;
    if (at > 0) memcpy(edits, change->edits, at * sizeof *edits);
    edits[at] = copy;
    if (at < change->edit_count)
        memcpy(edits + at + 1, change->edits + at, (change->edit_count - at) * sizeof *edits);
    change->edits = edits;
    change->edit_count++;
    return ST_OK;
}

void change_drop_edit(struct change *change, uint32_t cell) {
    size_t kept = 0;
    for (size_t i = 0; i < change->edit_count; i++)
        if (change->edits[i].cell_tag != cell) change->edits[kept++] = change->edits[i];
    change->edit_count = kept;
}

enum status change_add_retries(struct store *store, struct change *change,
                               const struct refusal_id *ids, size_t count, struct err *err) {
    if (count == 0) return ST_OK;
    struct refusal_id *all =
        ARENA_ARRAY(&save_of(store)->mem, change->retry_count + count, struct refusal_id);
    if (!all) return err_no_memory(err);
    if (change->retry_count > 0) memcpy(all, change->retry_of, change->retry_count * sizeof *all);
    memcpy(all + change->retry_count, ids, count * sizeof *all);
    change->retry_of = all;
    change->retry_count += count;
    return ST_OK;
}

/* ------------------------------------------------------------------ creating */

/* The day that the person's calendar shows. */
static int64_t business_day(const struct env *env, int64_t unix_ms) {
    int offset_min =
        env->utc_offset_min ? env->utc_offset_min(env->ctx, unix_ms) : BUSINESS_DAY_OFFSET_MIN;
    int64_t local_ms = unix_ms + (int64_t)offset_min * 60000;
    return local_ms / 86400000 - (local_ms % 86400000 < 0);
}

/* A row that can be a person's own is its maker's at first: what is in no home is seen by nobody.
 */
static bool is_makers(const struct entity *e, const struct field *f) {
    if (e->author && strcmp(e->author, f->name) == 0) return true;
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++)
        if (e->homes[i].kind == HOME_OWN && e->homes[i].field && f->rule == RULE_LAST &&
            strcmp(e->homes[i].field, f->name) == 0)
            return true;
    return false;
}

static struct value first_value(const struct store *store, const struct entity *e,
                                const struct field *f, int64_t moment_ms) {
    const struct laptop *laptop = store->laptop;
    bool is_known = laptop->employee != 0 && f->type == FIELD_REF;
    if (is_known && is_makers(e, f)) return value_int(laptop->employee);
    if (f->rule == RULE_STATE && f->values && f->values->count > 0)
        return value_int(f->values->values[0].number);
    if (f->type == FIELD_DATE && strcmp(f->name, "business_date") == 0)
        return value_int(business_day(store->env, moment_ms));
    return value_null();
}

static enum status put_given(const struct entity *e, const struct field_edit *given,
                             struct value *v, struct arena *mem, struct err *err) {
    if (given->field->rule == RULE_DERIVED)
        return err_set(err, ST_INVALID, "%s is computed and cannot be given",
                       "%s由系统计算，不能填写", given->field->name);
    if (given->kind == FIELD_EDIT_SET) {
        *v = given->value;
        return ST_OK;
    }
    struct edit edit = {.kind = EDIT_COUNT,
                        .values = (struct value[]){given->value, value_null()},
                        .value_count = 1};
    struct value *result;
    switch (given->kind) {
    case FIELD_EDIT_SET:
    case FIELD_EDIT_COUNT: break;
    case FIELD_EDIT_ADD:
        edit.kind = EDIT_ELEMENTS;
        edit.value_count = 2;
        break;
    case FIELD_EDIT_REMOVE: return ST_OK; /* from an empty set */
    }
    TRY(edit_apply(entity_cell_of(e, given->field), &edit, v, mem, &result, err));
    *v = result[0];
    return ST_OK;
}

static bool is_filled(const struct cell *cell, const struct value *values) {
    bool filled = false;
    if (cell->rule == RULE_DERIVED) return false;
    for (size_t i = cell->first; i < cell->first + cell->count; i++)
        filled |= values[i].kind != VALUE_NULL;
    return filled;
}

/* A creation holds the cells that are not empty, as plain values, which are the caller's yet. */
static enum status creation(struct save *save, const struct entity *e, int64_t id,
                            struct value *values, struct change *out, struct err *err) {
    struct change change = {.kind = CHANGE_CREATE, .entity_tag = e->tag, .row = id};
    uint64_t filled = 0;
    size_t count = 0;
    for (size_t c = 0; c < e->cell_count; c++) {
        if (!is_filled(&e->cells[c], values)) continue;
        filled |= (uint64_t)1 << c;
        count++;
    }
    change.edits = ARENA_ARRAY(&save->mem, count + 1, struct edit);
    if (!change.edits) return err_no_memory(err);
    for (size_t c = 0; c < e->cell_count; c++) {
        const struct cell *cell = &e->cells[c];
        if (!(filled >> c & 1)) continue;
        struct edit *edit = &change.edits[change.edit_count++]; /* its bases are zero */
        edit->cell_tag = cell->tag;
        edit->kind = EDIT_SET;
        edit->values = &values[cell->first];
        edit->value_count = cell->count;
    }
    *out = change;
    return ST_OK;
}

/* From here on the values of a creation are the save's own. */
static enum status keep_values(struct save *save, struct change *change, struct err *err) {
    size_t count = 0;
    for (size_t i = 0; i < change->edit_count; i++) count += change->edits[i].value_count;
    struct value *copy = ARENA_ARRAY(&save->mem, count + 1, struct value);
    if (!copy) return err_no_memory(err);
    for (size_t i = 0; i < change->edit_count; i++) {
        struct edit *edit = &change->edits[i];
        const struct value *values = edit->values;
        edit->values = copy;
        for (size_t k = 0; k < edit->value_count; k++, copy++) {
            *copy = values[k];
            if (copy->kind == VALUE_TEXT && !value_copy(*copy, &save->mem, copy))
                return err_no_memory(err);
        }
    }
    return ST_OK;
}

static enum status new_id(struct store *store, int64_t *out, struct err *err) {
    struct save *save = save_of(store);
    if (save->counter == UINT32_MAX)
        return err_set(err, ST_TOO_LARGE, "this laptop has no ids left: enrol it anew",
                       "本机编号已用尽：请重新登记");
    *out = id_make(store->laptop->device, save->counter);
    return ST_OK;
}

/* First eight bytes of a hash tell, when an import is taken back, whether anyone touched the row
 * since. */
static enum status note_import_creation(struct store *store, const struct entity *e, int64_t id,
                                        const struct value *values, struct err *err) {
    const struct batch *b = &save_of(store)->batch;
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    rows_image_write(e, values, false, &bytes);
    TRY(buf_status(&bytes, err));
    struct hash hash = hash_sha256(buf_slice(&bytes));
    TRY(db_prepare(
        store->db,
        "INSERT OR REPLACE INTO import_row(import_id, batch, row_id, cell, entity, after)"
        " VALUES (?,?,?,0,?,?)",
        &s, err));
    db_bind_int(s, 1, b->import_id);
    db_bind_int(s, 2, b->number);
    db_bind_int(s, 3, id);
    db_bind_int(s, 4, e->tag);
    db_bind_blob(s, 5, slice_of(hash.bytes, 8));
    return db_run(s, err);
}

/* When it was: the first instant that the person gave (the start of a visit), else now. */
static int64_t moment_of(const struct entity *e, const struct value *values, int64_t wall_ms) {
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].type == FIELD_TIME && values[i].kind == VALUE_INT) return values[i].number;
    return wall_ms;
}

/* What the person gave; the rest by default. *out_given: bits of fields whose references have to be
 * looked up. values[e->field_count], all NULL before. */
static enum status creation_values(struct store *store, const struct entity *e,
                                   const struct field_edit *edits, size_t count, struct arena *mem,
                                   struct value *values, uint64_t *out_given, struct err *err) {
    uint64_t given = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = entity_field_index(e, edits[i].field);
        TRY(put_given(e, &edits[i], &values[at], mem, err));
        given |= (uint64_t)1 << at;
    }
    int64_t moment_ms = moment_of(e, values, save_of(store)->batch.stamp.wall_ms);
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        if (given >> i & 1 || f->rule == RULE_DERIVED) continue;
        values[i] = first_value(store, e, f, moment_ms);
    }
    *out_given = given;
    return ST_OK;
}

static enum status insert_created(struct store *store, const struct entity *e,
                                  struct change *change, const struct value *values,
                                  const struct refusal_id *retry, struct err *err) {
    struct save *save = save_of(store);
    struct row_meta meta = {.seq = -(int64_t)save->batch.number};
    struct change *kept;
    TRY(rows_insert(store->db, e, ROWS_LAPTOP, change->row, values, &meta, true, err));
    if (save->batch.import_id != 0) TRY(note_import_creation(store, e, change->row, values, err));
    TRY(keep_values(save, change, err));
    TRY(add_change(save, change, &kept, err));
    return change_add_retries(store, kept, retry, retry ? 1 : 0, err);
}

enum status save_create(struct store *store, const struct entity *e, int64_t id,
                        const struct field_edit *edits, size_t count,
                        const struct refusal_id *retry, int64_t *out_id, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct value values[ENTITY_FIELDS_MAX];
    struct change change;
    uint64_t given;
    bool fresh = id == 0;
    if (e->office_only)
        return err_set(err, ST_DENIED, "only head office creates and deletes these: %s%.0s",
                       "仅总部可新建或删除：%.0s%s", e->name, e->label[LANG_ZH]);
    memset(values, 0, e->field_count * sizeof *values);
    TRY(creation_values(store, e, edits, count, &mem, values, &given, err));
    if (fresh) TRY(new_id(store, &id, err));
    TRY(check_values(e, values, UINT64_MAX, err));
    TRY(check_not_retired(e, values, NULL, err));
    TRY(check_refs(store, e, id, values, given, err));
    TRY(check_key(store, e, id, values, err));
    TRY(creation(save_of(store), e, id, values, &change, err));
    TRY(save_room(store, &change, err));
    TRY(insert_created(store, e, &change, values, retry, err));
    if (fresh) save_of(store)->counter++;
    *out_id = id;
    return ST_OK;
}

enum status store_create(struct store *store, const struct entity *e,
                         const struct field_edit *edits, size_t count, int64_t *out_id,
                         struct err *err) {
    TRY(added_check(store, e, err));
    return save_create(store, e, 0, edits, count, NULL, out_id, err);
}

/* ------------------------------------------------------------------ deleting */

/* The base of a row, and of those of its cells that have another. */
static enum status unit_bases(struct store *store, struct unit_row *u, const struct local *local,
                              struct arena *mem, struct err *err) {
    const struct entity *e = local->e;
    u->base = (struct base){local->meta.seq > 0 ? local->meta.seq : 0,
                            local->meta.seq < 0 ? (uint32_t)-local->meta.seq : 0};
    u->cells = ARENA_ARRAY(mem, e->cell_count + 1, struct unit_cell);
    if (!u->cells) return err_no_memory(err);
    for (size_t c = 0; c < e->cell_count; c++) {
        struct base base;
        if (e->cells[c].rule == RULE_DERIVED) continue;
        TRY(cell_base(store->db, local, e->cells[c].tag, &base, err));
        if (base.seq == u->base.seq && base.own == u->base.own) continue;
        u->cells[u->cell_count++] = (struct unit_cell){e->cells[c].tag, base};
    }
    return ST_OK;
}

static enum status hide_unit(struct store *store, const struct change *change, struct err *err) {
    for (size_t i = 0; i < change->unit_count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        struct local local;
        const struct entity *e = catalogue_entity_by_tag(store->cat, change->unit[i].entity_tag);
        TRY(local_read(store, e, change->unit[i].row, &mem, &local, err));
        if (local.found) TRY(local_set_gone(store, &local, GONE_HIDDEN, &mem, err));
    }
    return ST_OK;
}

static enum status check_may_delete(const struct entity *e, struct err *err) {
    if (e->office_only)
        return err_set(err, ST_DENIED, "only head office creates and deletes these: %s%.0s",
                       "仅总部可新建或删除：%.0s%s", e->name, e->label[LANG_ZH]);
    if (e->append_only)
        return err_set(err, ST_DENIED, "these are never deleted: %s%.0s",
                       "此类记录不可删除：%.0s%s", e->name, e->label[LANG_ZH]);
    return ST_OK;
}

enum status save_delete(struct store *store, const struct entity *e, int64_t id,
                        const struct refusal_id *retry, size_t *out_rows, struct err *err) {
    struct save *save = save_of(store);
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct change change = {.kind = CHANGE_DELETE, .entity_tag = e->tag, .row = id}, *kept;
    struct local local;
    TRY(check_may_delete(e, err));
    TRY(local_visible(store, e, id, &mem, &local, err));
    TRY(local_unit(store, e, id, &save->mem, &change.unit, &change.unit_count, err));
    for (size_t i = 0; i < change.unit_count; i++) {
        struct arena row_mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        const struct entity *of = catalogue_entity_by_tag(store->cat, change.unit[i].entity_tag);
        TRY(local_read(store, of, change.unit[i].row, &row_mem, &local, err));
        TRY(unit_bases(store, &change.unit[i], &local, &save->mem, err));
    }
    TRY(save_room(store, &change, err));
    TRY(hide_unit(store, &change, err));
    TRY(add_change(save, &change, &kept, err));
    TRY(change_add_retries(store, kept, retry, retry ? 1 : 0, err));
    *out_rows = change.unit_count;
    return ST_OK;
}

enum status store_delete(struct store *store, const struct entity *e, int64_t id, size_t *out_rows,
                         struct err *err) {
    TRY(added_check(store, e, err));
    return save_delete(store, e, id, NULL, out_rows, err);
}

/* ------------------------------------------------------------------ committing */

static enum status forget_old_imports(struct store *store, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db,
                   "DELETE FROM import_row WHERE import_id NOT IN (SELECT import_id FROM"
                   " (SELECT import_id, max(batch) AS newest FROM import_row GROUP BY import_id"
                   "  ORDER BY newest DESC LIMIT ?) kept)",
                   &s, err));
    db_bind_int(s, 1, IMPORTS_KEPT);
    return db_run(s, err);
}

/* Looks only when an import has its first batch. */
static enum status note_import(struct store *store, struct err *err) {
    struct db_stmt *s;
    bool earlier;
    TRY(db_prepare(store->db, "SELECT 1 FROM import_row WHERE import_id = ? AND batch < ? LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, save_of(store)->batch.import_id);
    db_bind_int(s, 2, save_of(store)->batch.number);
    TRY(db_step(s, &earlier, err));
    db_reset(s);
    return earlier ? ST_OK : forget_old_imports(store, err);
}

static enum status write_batch(struct store *store, struct err *err) {
    struct save *save = save_of(store);
    const struct batch *b = &save->batch;
    struct buf content SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    batch_write(b, &content);
    TRY(buf_status(&content, err));
    TRY(db_prepare(
        store->db,
        "INSERT INTO outbox(n, sent, done, made_ms, counter, changes, import_id, chain, content)"
        " VALUES (?,0,0,?,?,?,?,NULL,?)",
        &s, err));
    db_bind_int(s, 1, b->number);
    db_bind_int(s, 2, b->stamp.wall_ms);
    db_bind_int(s, 3, save->counter);
    db_bind_int(s, 4, (int64_t)b->change_count);
    db_bind_int(s, 5, b->import_id);
    db_bind_blob(s, 6, buf_slice(&content));
    TRY(db_run(s, err));
    return b->import_id != 0 ? note_import(store, err) : ST_OK;
}

enum status store_commit(struct store *store, uint32_t *out_batch, struct err *err) {
    struct save *save = save_of(store);
    uint32_t number = save->batch.number;
    if (save->batch.change_count == 0) {
        store_rollback(store);
        *out_batch = 0;
        return ST_OK;
    }
    enum status status = write_batch(store, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) {
        store_rollback(store);
        return status;
    }
    save_reset(save);
    *out_batch = number;
    return ST_OK;
}
