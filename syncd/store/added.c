/* The catalogue of an open store: that of the release, and what head office added at run time.
 *
 * A number in the file says which additions it has. The handle looks at it whenever it looks at
 * what others may have written, and builds its catalogue anew when the number moved. What it had
 * before stays in memory until the handle closes, since rows in hand name their entities.
 */
#include "syncd/store/store_private.h"

#define ADDED_VERSION "added_version"
enum { ADDITIONS_CAP = 16 * 1024 * 1024 };

static enum status read_additions(struct store *store, struct arena *mem, struct additions *out,
                                  struct err *err) {
    return store->kind == STORE_LAPTOP ? laptop_additions(store, mem, out, err)
                                       : centre_additions_read(store->db, mem, out, err);
}

static enum status build(struct store *store, int64_t version, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(ADDITIONS_CAP);
    struct additions added = {0};
    struct catalogue cat;
    TRY(read_additions(store, &mem, &added, err));
    TRY(catalogue_add(store->release, &added, &store->own_mem, &cat, err));
    store->own = cat;
    store->cat = &store->own;
    store->added_version = version;
    return ST_OK;
}

enum status added_refresh(struct store *store, struct err *err) {
    int64_t version;
    TRY(meta_int(store->db, ADDED_VERSION, &version, err));
    return version == store->added_version ? ST_OK : build(store, version, err);
}

enum status added_moved(struct store *store, struct err *err) {
    struct catalogue before = *store->cat;
    int64_t version;
    TRY(meta_int(store->db, ADDED_VERSION, &version, err));
    TRY(meta_int_set(store->db, ADDED_VERSION, version + 1, err));
    TRY(build(store, version + 1, err));
    TRY(rows_extend(store->db, &before, store->cat, store->role, err));
    return meta_blob_set(store->db, "catalogue", slice_of(store->cat->version.bytes, CHAIN_BYTES),
                         err);
}

enum status added_check(const struct store *store, const struct entity *e, struct err *err) {
    const struct entity *now = catalogue_entity_by_tag(store->cat, e->tag);
    if (!now || now == e || now->fields == e->fields) return ST_OK;
    return err_set(err, ST_CONFLICT, "head office changed the fields meanwhile: do it once more",
                   "期间总部更改了字段：请重做一次");
}
