/* The laptop's side of finding the rows that are not what the server says, and putting them right:
 * single rows, never the book, and nothing that the outbox names.
 */
#include <string.h>

#include "protocol/wire/digest.h"
#include "syncd/store/homes.h"
#include "syncd/store/laptop.h"

enum { WALK_IDS = 512 };

struct walk {
    struct store *store;
    struct repair_request *request;
    struct arena *mem;
    uint8_t key[SIGN_PUBLIC_BYTES];
    struct buf scratch;
    size_t room; /* of rows */
};

/* Where a bucket's sum stands in the request; false: nobody asked. */
static bool place_of(const struct repair_request *r, uint32_t bucket, size_t *out) {
    uint32_t place = r->step == REPAIR_ROWS ? bucket : bucket / DIGEST_FAN;
    *out = r->step == REPAIR_WHOLE ? place : 0;
    if (r->step == REPAIR_WHOLE) return true;
    for (size_t i = 0; i < r->place_count; i++) {
        if (r->places[i] != place) continue;
        *out = i * DIGEST_FAN + bucket % DIGEST_FAN;
        return true;
    }
    return false;
}

static enum status keep_row(struct walk *w, const struct entity *e, int64_t id, uint64_t hash,
                            struct err *err) {
    struct repair_request *r = w->request;
    if (r->row_count == REPAIR_ROWS_MAX)
        return err_set(err, ST_TOO_LARGE, "too many rows in these buckets", "待比对的记录过多");
    if (r->row_count == w->room) {
        size_t room = w->room ? w->room * 2 : 64;
        struct repair_row *rows = ARENA_ARRAY(w->mem, room, struct repair_row);
        if (!rows) return err_no_memory(err);
        if (r->row_count > 0) memcpy(rows, r->rows, r->row_count * sizeof *rows);
        r->rows = rows;
        w->room = room;
    }
    r->rows[r->row_count++] = (struct repair_row){e->tag, id, hash};
    return ST_OK;
}

static enum status walk_row(struct walk *w, const struct entity *e, int64_t id, struct err *err) {
    uint8_t hash[BOOK_DIGEST_BYTES];
    size_t at;
    bool here;
    if (!place_of(w->request, digest_bucket(e->tag, id), &at)) return ST_OK;
    TRY(digest_row_hash(w->store, e, id, w->key, &w->scratch, hash, &here, err));
    if (!here) return ST_OK;
    if (w->request->step == REPAIR_ROWS) return keep_row(w, e, id, digest_low(hash), err);
    w->request->sums[at] += digest_low(hash);
    return ST_OK;
}

static enum status walk_entity(struct walk *w, const struct entity *e, struct err *err) {
    int64_t ids[WALK_IDS], after = 0, all = home_make(HOME_CLASS_ALL, 0);
    size_t count = WALK_IDS;
    while (count == WALK_IDS) {
        TRY(homes_rows(w->store->db, w->store->cat, e, all, after, ID_MAX, ids, WALK_IDS, &count,
                       err));
        for (size_t i = 0; i < count; i++) TRY(walk_row(w, e, ids[i], err));
        if (count > 0) after = ids[count - 1];
    }
    return ST_OK;
}

enum status store_repair_request(struct store *store, enum repair_step step, const uint32_t *places,
                                 size_t place_count, struct arena *mem, struct repair_request *out,
                                 struct err *err) {
    struct repair_request request = {.step = step, .place_count = place_count};
    struct walk w = {.store = store, .request = &request, .mem = mem};
    if (step == REPAIR_WHOLE) request.sum_count = DIGEST_FAN;
    if (step == REPAIR_PARTS) request.sum_count = place_count * DIGEST_FAN;
    request.places = ARENA_ARRAY(mem, place_count + 1, uint32_t);
    request.sums = ARENA_ARRAY(mem, request.sum_count + 1, uint64_t);
    if (!request.places || !request.sums) return err_no_memory(err);
    if (place_count > 0) memcpy(request.places, places, place_count * sizeof *places);
    TRY(store_org_first(store, w.key, err));
    w.scratch = buf_new(BUF_MAX_BATCH);
    enum status status = db_begin(store->db, false, err);
    for (size_t i = 0; status == ST_OK && i < store->cat->count; i++)
        status = walk_entity(&w, &store->cat->entities[i], err);
    db_rollback(store->db);
    buf_free(&w.scratch);
    if (status == ST_OK) *out = request;
    return status;
}

/* ------------------------------------------------------------------ putting right */

/* What a person edited meanwhile is left to the next round. */
static enum status is_own(struct store *store, const struct local *local, bool *out,
                          struct err *err) {
    *out = local->found;
    if (!local->found) return ST_OK;
    *out = local->meta.seq < 0 || local->meta.gone == GONE_HIDDEN;
    return *out ? ST_OK : pending_any(store->db, local->id, out, err);
}

static enum status put_right(struct store *store, const struct record *record, int64_t *rows,
                             struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(store->cat, record->entity_tag);
    struct laptop_state state = store->laptop->state;
    struct apply_counts counts = {0};
    struct local local;
    bool own, reread = false;
    if (!e) return ST_OK;
    TRY(local_read(store, e, record->row, &mem, &local, err));
    TRY(is_own(store, &local, &own, err));
    if (own) return ST_OK;
    if (local.found) TRY(rows_delete(store->db, e, record->row, false, NULL, err));
    (*rows)++;
    return record_take(store, record, &mem, &state, &counts, &reread, err);
}

static enum status drop(struct store *store, const struct repair_row *row, int64_t *rows,
                        struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(store->cat, row->entity_tag);
    struct local local;
    bool own;
    if (!e) return ST_OK;
    TRY(local_read(store, e, row->row, &mem, &local, err));
    TRY(is_own(store, &local, &own, err));
    if (own || !local.found) return ST_OK;
    (*rows)++;
    refs_forget(store);
    return rows_delete(store->db, e, row->row, false, NULL, err);
}

static enum status note_repaired(struct store *store, int64_t rows, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(BUF_MAX_LINE);
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct slice before;
    int64_t count = 0;
    enum status status = store_setting(store, "repaired_rows", &mem, &before, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    if (status == ST_OK) (void)text_to_int(before, &count);
    buf_printf(&text, "%lld", (long long)(count + rows));
    return store_setting_set(store, "repaired_rows", buf_slice(&text), err);
}

static enum status put_all_right(struct store *store, const struct repair_reply *reply,
                                 int64_t *rows, struct err *err) {
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    for (size_t i = 0; i < reply->record_count; i++)
        TRY(put_right(store, &reply->records[i], rows, err));
    for (size_t i = 0; i < reply->drop_count; i++) TRY(drop(store, &reply->drops[i], rows, err));
    if (*rows > 0) TRY(rows_index_all(store->db, store->cat, err)); /* nobody knows what it holds */
    return digest_forget(store, err);
}

enum status store_repair(struct store *store, const struct repair_reply *reply, int64_t *out_rows,
                         struct err *err) {
    int64_t rows = 0;
    TRY(db_begin(store->db, true, err));
    enum status status = put_all_right(store, reply, &rows, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) {
        store_rollback(store);
        return status;
    }
    *out_rows = rows;
    return rows > 0 ? note_repaired(store, rows, err) : ST_OK;
}
