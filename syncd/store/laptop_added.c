/* What head office added to the catalogue, as a laptop keeps it: lists as they came, each signed by
 * the org. The newest counts. An older one stays only while it holds what the newest lacks: then
 * the server went back in time, and is given it with the next round, so that no tag gets another
 * meaning and no value loses its field.
 */
#include "syncd/store/laptop.h"

#include <string.h>

static enum status take_list(struct db_stmt *s, struct arena *mem, struct signed_additions *out,
                             struct err *err) {
    struct slice signature = db_blob(s, 1);
    out->bytes = arena_copy(mem, db_blob(s, 0));
    if (!out->bytes.data) return err_no_memory(err);
    if (signature.len != SIGN_BYTES)
        return err_set(err, ST_DAMAGED, "the fields of head office cannot be read",
                       "总部新增的字段无法读取");
    memcpy(out->signature, signature.data, SIGN_BYTES);
    return wire_read_additions(out->bytes, mem, &out->added, err);
}

enum status added_lists(struct store *store, struct arena *mem, struct signed_additions **out,
                        size_t *out_count, struct err *err) {
    struct signed_additions *lists = ARENA_ARRAY(mem, WIRE_ADDITIONS_MAX, struct signed_additions);
    enum status status = ST_OK;
    struct db_stmt *s;
    size_t count = 0;
    bool row = true;
    if (!lists) return err_no_memory(err);
    TRY(db_prepare(store->db, "SELECT bytes, signature FROM added_news ORDER BY n DESC LIMIT ?", &s,
                   err));
    db_bind_int(s, 1, WIRE_ADDITIONS_MAX);
    while (status == ST_OK) {
        status = db_step(s, &row, err);
        if (status != ST_OK || !row) break;
        status = take_list(s, mem, &lists[count++], err);
    }
    db_reset(s);
    *out = lists;
    *out_count = count;
    return status;
}

/* One list: of what several name the newest counts. */
enum status laptop_additions(struct store *store, struct arena *mem, struct additions *out,
                             struct err *err) {
    struct signed_additions *lists;
    struct additions all = {0};
    size_t count, fields = 0, values = 0;
    TRY(added_lists(store, mem, &lists, &count, err));
    for (size_t i = 0; i < count; i++) {
        fields += lists[i].added.field_count;
        values += lists[i].added.value_count;
    }
    all.fields = ARENA_ARRAY(mem, fields + 1, struct added_field);
    all.values = ARENA_ARRAY(mem, values + 1, struct added_value);
    if (!all.fields || !all.values) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const struct additions *a = &lists[i].added;
        for (size_t k = 0; k < a->field_count; k++) all.fields[all.field_count++] = a->fields[k];
        for (size_t k = 0; k < a->value_count; k++) all.values[all.value_count++] = a->values[k];
    }
    *out = all;
    return ST_OK;
}

/* ------------------------------------------------------------------ news */

static enum status put_list(struct store *store, const struct signed_additions *list,
                            struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "INSERT INTO added_news(bytes, signature) VALUES (?,?)", &s, err));
    db_bind_blob(s, 1, list->bytes);
    db_bind_blob(s, 2, slice_of(list->signature, SIGN_BYTES));
    return db_run(s, err);
}

static enum status drop_list(struct store *store, struct slice bytes, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "DELETE FROM added_news WHERE bytes = ?", &s, err));
    db_bind_blob(s, 1, bytes);
    return db_run(s, err);
}

/* The news are told by whoever knows no additions, too: an empty list covers nothing. */
enum status added_take(struct store *store, const struct round_reply *reply, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct additions none = {0};
    const struct signed_additions *news = reply->added_count > 0 ? &reply->added[0] : NULL;
    struct signed_additions *lists;
    bool lacks = false;
    size_t count;
    TRY(added_lists(store, &mem, &lists, &count, err));
    bool same = news && count > 0 && slice_equal(lists[0].bytes, news->bytes);
    for (size_t i = 0; i < count; i++) {
        if (additions_cover(news ? &news->added : &none, &lists[i].added))
            TRY(drop_list(store, lists[i].bytes, err));
        else
            lacks = true;
    }
    TRY(meta_int_set(store->db, "added_tells", lacks, err));
    if (news) TRY(put_list(store, news, err));
    return (same && count == 1) || (!news && count == 0) ? ST_OK : added_moved(store, err);
}

enum status added_tell(struct store *store, struct err *err) {
    return meta_int_set(store->db, "added_tells", 1, err);
}

enum status added_ask(struct store *store, struct arena *mem, struct round_request *request,
                      struct err *err) {
    int64_t tells;
    TRY(meta_int(store->db, "added_tells", &tells, err));
    return tells ? added_lists(store, mem, &request->added, &request->added_count, err) : ST_OK;
}

/* ------------------------------------------------------------------ rescue */

static enum status salvage_list(void *ctx, struct db_stmt *row, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct store *to = ctx;
    struct signed_additions list = {.bytes = db_blob(row, 2)};
    struct slice signature = db_blob(row, 3);
    bool sound = signature.len == SIGN_BYTES &&
                 wire_read_additions(list.bytes, &mem, &list.added, NULL) == ST_OK;
    if (!sound) return ST_OK; /* the next news bring it again */
    memcpy(list.signature, signature.data, SIGN_BYTES);
    return put_list(to, &list, err);
}

enum status added_rescue(struct store *to, struct db *damaged, struct err *err) {
    int64_t rows = 0;
    struct err unread;
    enum status status = db_salvage(damaged, "added_news", salvage_list, to, &rows, &unread);
    if (status == ST_DISK || status == ST_NO_MEMORY) {
        *err = unread;
        return status;
    }
    return added_moved(to, err);
}
