/* The life of a store: opening, what the file knows about itself, identity, settings, aliases.
 *
 * Opening a file whose schema and catalogue are those of this release does no work on the schema:
 * it reads three facts from meta and is done.
 */
#include "syncd/store/store_private.h"

#include <stdlib.h>
#include <string.h>

enum { CATALOGUES_CAP = 64 * 1024 * 1024 }; /* some hundred kilobytes for each change of it */

/* ------------------------------------------------------------------ facts about the file */

static enum status meta_find(struct db *db, const char *name, struct db_stmt **out, bool *out_row,
                             struct err *err) {
    TRY(db_prepare(db, "SELECT value FROM meta WHERE name = ?", out, err));
    db_bind_text(*out, 1, slice_from(name));
    return db_step(*out, out_row, err);
}

enum status meta_int(struct db *db, const char *name, int64_t *out, struct err *err) {
    struct db_stmt *s = NULL;
    bool row;
    TRY(meta_find(db, name, &s, &row, err));
    *out = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status meta_blob(struct db *db, const char *name, struct arena *mem, struct slice *out,
                      struct err *err) {
    struct db_stmt *s = NULL;
    struct slice copy = {0};
    bool row;
    TRY(meta_find(db, name, &s, &row, err));
    if (row) copy = arena_copy(mem, db_blob(s, 0));
    db_reset(s);
    if (row && !copy.data) return err_no_memory(err);
    *out = copy;
    return ST_OK;
}

static enum status meta_prepare_set(struct db *db, const char *name, struct db_stmt **out,
                                    struct err *err) {
    TRY(db_prepare(db,
                   "INSERT INTO meta(name, value) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET "
                   "value = excluded.value",
                   out, err));
    db_bind_text(*out, 1, slice_from(name));
    return ST_OK;
}

enum status meta_int_set(struct db *db, const char *name, int64_t value, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(meta_prepare_set(db, name, &s, err));
    db_bind_int(s, 2, value);
    return db_run(s, err);
}

enum status meta_blob_set(struct db *db, const char *name, struct slice value, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(meta_prepare_set(db, name, &s, err));
    db_bind_blob(s, 2, value);
    return db_run(s, err);
}

/* ------------------------------------------------------------------ opening */

static enum status has_meta(struct db *db, bool *out, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'", &s,
                   err));
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

static enum status is_empty(struct db *db, bool *out, struct err *err) {
    struct db_stmt *s = NULL;
    bool row;
    TRY(db_prepare(db, "SELECT 1 FROM sqlite_master LIMIT 1", &s, err));
    TRY(db_step(s, &row, err));
    db_reset(s);
    *out = !row;
    return ST_OK;
}

static enum status refuse_foreign(struct store *store, struct err *err) {
    int64_t schema, kind;
    TRY(meta_int(store->db, "schema", &schema, err));
    TRY(meta_int(store->db, "kind", &kind, err));
    if (schema > STORE_SCHEMA_VERSION)
        return err_set(err, ST_VERSION, "%s was written by a newer release: update this program",
                       "%s 由更新的版本写成：请升级本程序", store->path);
    if (schema < 1 || kind != (int64_t)store->kind + 1)
        return err_set(err, ST_INVALID, "%s is not a book of this kind", "%s 不是此类数据文件",
                       store->path);
    return ST_OK;
}

/* *out_ready: schema and catalogue are those of this release. */
static enum status look_at_file(struct store *store, bool *out_ready, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct slice version = {0};
    int64_t layout = 0;
    bool has = false, empty = false;
    *out_ready = false;
    TRY(has_meta(store->db, &has, err));
    if (!has) {
        TRY(is_empty(store->db, &empty, err));
        if (empty && !store->read_only) return ST_OK;
        return err_set(err, ST_INVALID, "%s is not a book", "%s 不是本程序的数据文件", store->path);
    }
    TRY(refuse_foreign(store, err));
    TRY(added_refresh(store, err));
    TRY(meta_int(store->db, "layout", &layout, err));
    enum status status = meta_blob(store->db, "catalogue", &mem, &version, err);
    if (status == ST_OK)
        *out_ready = layout >= STORE_LAYOUT &&
                     slice_equal(version, slice_of(store->cat->version.bytes, CHAIN_BYTES));
    arena_clear(&mem);
    return status;
}

/* What is done to tables is in no change set: with a number left out the copy begins anew. */
static enum status leave_number_out(struct store *store, struct err *err) {
    int64_t number;
    TRY(meta_int(store->db, "copy_number", &number, err));
    return number > 0 ? meta_int_set(store->db, "copy_number", number + 1, err) : ST_OK;
}

static enum status make_schema(struct store *store, struct err *err) {
    TRY(rows_schema(store->db, store->cat, store->role, err));
    TRY(store->kind == STORE_LAPTOP ? laptop_schema(store->db, err)
                                    : centre_schema(store->db, err));
    TRY(meta_int_set(store->db, "schema", STORE_SCHEMA_VERSION, err));
    TRY(meta_int_set(store->db, "layout", STORE_LAYOUT, err));
    TRY(meta_int_set(store->db, "kind", (int64_t)store->kind + 1, err));
    if (store->kind == STORE_SERVER) TRY(leave_number_out(store, err));
    return meta_blob_set(store->db, "catalogue", slice_of(store->cat->version.bytes, CHAIN_BYTES),
                         err);
}

/* Another program may have done it while this one waited for the lock, so it looks again inside. A
 * reader leaves the file alone: it reads what is there, and what is not there yet says so. */
static enum status bring_up_to_date(struct store *store, struct err *err) {
    bool ready;
    TRY(look_at_file(store, &ready, err));
    store->is_current = ready || !store->read_only;
    if (ready || store->read_only) return ST_OK;
    TRY(db_begin(store->db, true, err));
    enum status status = look_at_file(store, &ready, err);
    if (status == ST_OK && !ready) status = make_schema(store, err);
    if (status == ST_OK) status = db_commit(store->db, err);
    if (status != ST_OK) db_rollback(store->db);
    return status;
}

static enum status open_parts(struct store *store, const struct store_config *config,
                              struct err *err) {
    int flags = (config->create ? DB_CREATE : 0) | (config->read_only ? DB_READ_ONLY : 0) |
                (config->kind == STORE_LAPTOP ? DB_ERASES : 0);
    store->path = strdup(config->path);
    if (!store->path) return err_no_memory(err);
    TRY(db_open(config->path, flags, &store->db, err));
    return bring_up_to_date(store, err);
}

enum status store_open(const struct store_config *config, struct store **out, struct err *err) {
    struct store *store = calloc(1, sizeof *store);
    if (!store) return err_no_memory(err);
    store->cat = store->release = config->catalogue;
    store->own_mem = arena_new(CATALOGUES_CAP);
    store->env = config->env;
    store->kind = config->kind;
    store->role = config->kind == STORE_LAPTOP ? ROWS_LAPTOP : ROWS_SERVER;
    store->read_only = config->read_only;
    enum status status = open_parts(store, config, err);
    if (status != ST_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return ST_OK;
}

void store_close(struct store *store) {
    if (!store) return;
    if (store->db) {
        laptop_stop(store);
        centre_stop(store);
    }
    db_close(store->db);
    arena_clear(&store->own_mem);
    free(store->path);
    free(store);
}

const struct catalogue *store_catalogue(const struct store *store) {
    return store->cat;
}

enum status store_refresh(struct store *store, struct err *err) {
    TRY(added_refresh(store, err));
    if (store->centre) centre_catalogue_moved(store);
    return ST_OK;
}

bool store_is_current(const struct store *store) {
    return store->is_current;
}

struct db *store_db(struct store *store) {
    return store->db;
}

enum status store_version(struct store *store, int64_t *out, struct err *err) {
    return db_data_version(store->db, out, err);
}

enum status store_backup(struct store *store, const char *path, store_progress *progress, void *ctx,
                         struct err *err) {
    return db_backup(store->db, path, progress, ctx, err);
}

/* ------------------------------------------------------------------ identity and settings */

static void take_text(struct db_stmt *s, int column, char *out, size_t room) {
    struct slice text = text_prefix(db_text(s, column), room - 1);
    if (text.len > 0) memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

bool column_take(struct db_stmt *s, int column, uint8_t *out, size_t bytes) {
    struct slice blob = db_blob(s, column);
    if (blob.len != bytes) return false;
    memcpy(out, blob.data, bytes);
    return true;
}

static void take_identity(struct db_stmt *s, struct store_identity *out) {
    take_text(s, 0, out->org, sizeof out->org);
    take_text(s, 1, out->base_url, sizeof out->base_url);
    take_text(s, 2, out->user, sizeof out->user);
    take_text(s, 3, out->org_label, sizeof out->org_label);
    out->device = (uint32_t)db_int(s, 4);
    out->employee = db_int(s, 5);
    (void)column_take(s, 6, out->key_seed, sizeof out->key_seed);
    (void)column_take(s, 7, out->org_public, sizeof out->org_public);
    out->has_tls_pin = column_take(s, 8, out->tls_pin, sizeof out->tls_pin);
}

enum status store_identity(struct store *store, struct store_identity *out, struct err *err) {
    struct db_stmt *s = NULL;
    struct store_identity identity = {0};
    bool row;
    TRY(db_prepare(
        store->db,
        "SELECT org, base_url, user, org_label, device, employee, key_seed, org_public, tls_pin"
        " FROM secret_identity",
        &s, err));
    TRY(db_step(s, &row, err));
    if (row) take_identity(s, &identity);
    db_reset(s);
    *out = identity;
    bytes_wipe(&identity, sizeof identity);
    return ST_OK;
}

enum status store_identity_set(struct store *store, const struct store_identity *identity,
                               struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(store->db,
                   "INSERT OR REPLACE INTO secret_identity(id, org, base_url, user, org_label, "
                   "device, employee,"
                   " key_seed, org_public, tls_pin) VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    db_bind_text(s, 1, slice_from(identity->org));
    db_bind_text(s, 2, slice_from(identity->base_url));
    db_bind_text(s, 3, slice_from(identity->user));
    db_bind_text(s, 4, slice_from(identity->org_label));
    db_bind_int(s, 5, identity->device);
    db_bind_int(s, 6, identity->employee);
    db_bind_blob(s, 7, slice_of(identity->key_seed, sizeof identity->key_seed));
    db_bind_blob(s, 8, slice_of(identity->org_public, sizeof identity->org_public));
    if (identity->has_tls_pin)
        db_bind_blob(s, 9, slice_of(identity->tls_pin, sizeof identity->tls_pin));
    TRY(db_run(s, err));
    return store_setting_set(store, STORE_SPARE_IDENTITY, slice_of(identity, sizeof *identity),
                             err);
}

enum status store_setting(struct store *store, const char *name, struct arena *mem,
                          struct slice *out, struct err *err) {
    struct db_stmt *s = NULL;
    struct slice copy = {0};
    bool row;
    TRY(db_prepare(store->db, "SELECT value FROM secret_setting WHERE name = ?", &s, err));
    db_bind_text(s, 1, slice_from(name));
    TRY(db_step(s, &row, err));
    if (row) copy = arena_copy(mem, db_blob(s, 0));
    db_reset(s);
    if (!row) return err_set(err, ST_NOT_FOUND, "no setting %s", "没有设置项 %s", name);
    if (!copy.data) return err_no_memory(err);
    *out = copy;
    return ST_OK;
}

enum status store_setting_set(struct store *store, const char *name, struct slice value,
                              struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(store->db,
                   "INSERT INTO secret_setting(name, value) VALUES(?, ?)"
                   " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                   &s, err));
    db_bind_text(s, 1, slice_from(name));
    db_bind_blob(s, 2, value);
    return db_run(s, err);
}

/* ------------------------------------------------------------------ aliases */

enum status alias_resolve(struct db *db, int64_t id, int64_t *out, struct err *err) {
    struct db_stmt *s = NULL;
    bool row;
    TRY(db_prepare(db, "SELECT to_id FROM alias WHERE from_id = ?", &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, &row, err));
    *out = row ? db_int(s, 0) : id;
    db_reset(s);
    return ST_OK;
}

bool store_has_moved(const struct store *store) {
    return db_has_moved(store->db);
}
