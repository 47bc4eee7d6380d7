/* Edits of others that were refused because their author had no access any more, of rows that are
 * here now. The server sends the whole list; here is only noted which of them is being taken over.
 */
#include "syncd/store/laptop.h"

#include <string.h>

/* ------------------------------------------------------------------ what the server tells */

static enum status put(struct store *store, const struct others_edit *other, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db,
                   "INSERT INTO others(device, batch, change, cell, seq, time_ms, reason, taken,"
                   " content) VALUES (?,?,?,?,?,?,?,0,?) ON CONFLICT DO UPDATE SET seq ="
                   " excluded.seq, content = excluded.content",
                   &s, err));
    const int64_t numbers[] = {other->device,         other->id.batch, other->id.change,
                               other->id.cell_tag,    other->seq,      other->time_ms,
                               (int64_t)other->reason};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    db_bind_blob(s, 8, other->content);
    return db_run(s, err);
}

static enum status has_any(struct store *store, bool *out, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "SELECT 1 FROM others LIMIT 1", &s, err));
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

enum status others_take(struct store *store, const struct round_reply *reply, struct err *err) {
    bool any;
    if (!reply->has_others) return ST_OK;
    TRY(has_any(store, &any, err));
    if (any) TRY(db_exec(store->db, "DELETE FROM others", err));
    for (size_t i = 0; i < reply->others_count; i++) TRY(put(store, &reply->others[i], err));
    return ST_OK;
}

/* ------------------------------------------------------------------ reading */

struct place { /* in the list */
    int64_t seq, device, batch, change, cell;
};

#define OTHERS_COLUMNS                                                                             \
    "SELECT seq, device, batch, change, cell, time_ms, reason, taken, content FROM others"

static enum status in_outbox(struct store *store, uint32_t *batch, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct outbox_row row;
    bool found = false;
    if (*batch > 0) TRY(outbox_get(store->db, *batch, &mem, &row, &found, err));
    if (!found) *batch = 0;
    return ST_OK;
}

static enum status read_one(struct store *store, struct db_stmt *s, struct arena *mem,
                            struct place *place, struct others_held *out, struct change *change,
                            struct err *err) {
    *place = (struct place){db_int(s, 0), db_int(s, 1), db_int(s, 2), db_int(s, 3), db_int(s, 4)};
    *out = (struct others_held){
        .device = (uint32_t)place->device,
        .id = {(uint32_t)place->batch, (uint32_t)place->change, (uint32_t)place->cell},
        .time_ms = db_int(s, 5),
        .reason = (enum reason)db_int(s, 6),
        .taken = (uint32_t)db_int(s, 7),
        .change = change};
    struct slice content = arena_copy(mem, db_blob(s, 8));
    if (!content.data) return err_no_memory(err);
    TRY(change_read(content, mem, change, err));
    out->entity = catalogue_entity_by_tag(store->cat, change->entity_tag);
    return alias_resolve(store->db, change->row, &out->row, err);
}

static enum status next(struct store *store, struct place *place, struct arena *mem,
                        struct others_held *out, struct change *change, bool *out_found,
                        struct err *err) {
    struct db_stmt *s;
    const int64_t after[] = {place->seq, place->device, place->batch, place->change, place->cell};
    TRY(db_prepare(store->db,
                   OTHERS_COLUMNS " WHERE (seq, device, batch, change, cell) > (?,?,?,?,?)"
                                  " ORDER BY seq, device, batch, change, cell LIMIT 1",
                   &s, err));
    for (size_t i = 0; i < ARRAY_COUNT(after); i++) db_bind_int(s, (int)i + 1, after[i]);
    TRY(db_step(s, out_found, err));
    enum status status = *out_found ? read_one(store, s, mem, place, out, change, err) : ST_OK;
    db_reset(s);
    if (status == ST_OK && *out_found) status = in_outbox(store, &out->taken, err);
    return status;
}

enum status store_others(struct store *store, store_others_row *row, void *ctx, struct err *err) {
    struct place place = {0};
    for (;;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        struct others_held other;
        struct change change;
        bool found;
        TRY(next(store, &place, &mem, &other, &change, &found, err));
        if (!found) return ST_OK;
        if (other.entity) TRY(row(ctx, &other, err));
    }
}

/* ------------------------------------------------------------------ taking one over */

struct search {
    uint32_t device;
    const struct refusal_id *id;
    struct others_held other;
    struct change change;
    struct arena *mem;
    bool found;
};

static enum status copy_change(struct search *s, const struct change *change, struct err *err) {
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    change_write(change, &bytes);
    TRY(buf_status(&bytes, err));
    struct slice copy = arena_copy(s->mem, buf_slice(&bytes));
    if (!copy.data) return err_no_memory(err);
    return change_read(copy, s->mem, &s->change, err);
}

static enum status seek(void *ctx, const struct others_held *other, struct err *err) {
    struct search *s = ctx;
    bool same = other->device == s->device && other->id.batch == s->id->batch &&
                other->id.change == s->id->change && other->id.cell_tag == s->id->cell_tag;
    if (!same) return ST_OK;
    s->found = true;
    s->other = *other;
    return copy_change(s, other->change, err);
}

static enum status check(const struct search *s, struct err *err) {
    if (!s->found)
        return err_set(err, ST_NOT_FOUND,
                       "no such edit of another waits (roadbook held shows those that do)",
                       "没有这样一项他人的待处理修改（可用 roadbook held 查看）");
    if (s->other.taken > 0)
        return err_set(err, ST_CONFLICT, "it is taken over already, in batch %u",
                       "已在批次%u中接手", s->other.taken);
    if (s->change.kind == CHANGE_EDIT && s->id->cell_tag != 0) return ST_OK;
    return err_set(err, ST_CONFLICT,
                   "a new row, or a delete, of another only head office can accept: ask it "
                   "(roadbook-server requests), or enter it yourself",
                   "他人的新建或删除只能由总部批准：请联系总部（roadbook-server requests），"
                   "或自行录入");
}

static enum status mark(struct store *store, const struct search *s, struct err *err) {
    struct db_stmt *stmt;
    TRY(db_prepare(store->db,
                   "UPDATE others SET taken = ? WHERE device = ? AND batch = ? AND change = ?"
                   " AND cell = ?",
                   &stmt, err));
    const int64_t numbers[] = {store->laptop->save.batch.number, s->device, s->id->batch,
                               s->id->change, s->id->cell_tag};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(stmt, (int)i + 1, numbers[i]);
    return db_run(stmt, err);
}

/* What others wrote into a note would be gone without a word: only head office has its old texts.
 */
static enum status replaces_a_note(const struct search *s, const struct form *form,
                                   struct err *err) {
    const struct cell *cell = entity_cell(s->other.entity, s->id->cell_tag);
    if (!cell || cell->rule != RULE_TEXT) return ST_OK;
    struct value today = form->values[cell->first];
    if (today.kind != VALUE_TEXT || today.text.len == 0) return ST_OK;
    return err_set(
        err, ST_CONFLICT,
        "it would take the place of the note that stands there: head office can merge both "
        "(roadbook-server requests), or write it into the note yourself",
        "这会取代现有备注：可请总部合并两者（roadbook-server requests），或自行写入备注");
}

static enum status take(struct store *store, struct search *s, struct err *err) {
    struct field_edit *said;
    struct form form;
    size_t count;
    uint32_t batch;
    bool changed;
    TRY(store_others(store, seek, s, err));
    TRY(check(s, err));
    TRY(held_say_again(s->other.entity, &s->change, s->mem, &said, &count, err));
    TRY(store_form(store, s->other.entity, s->other.row, s->mem, &form, err));
    TRY(replaces_a_note(s, &form, err));
    TRY(save_edit(store, s->other.entity, s->other.row, said, count, &form, NULL, &changed, err));
    if (!changed)
        return err_set(err, ST_CONFLICT,
                       "the row has this value already: head office can decline the edit",
                       "该记录已是此值：可请总部不予批准");
    TRY(mark(store, s, err));
    return store_commit(store, &batch, err);
}

enum status store_others_take(struct store *store, uint32_t device, const struct refusal_id *id,
                              struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct search s = {.device = device, .id = id, .mem = &mem};
    TRY(store_begin(store, err));
    enum status status = take(store, &s, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}
