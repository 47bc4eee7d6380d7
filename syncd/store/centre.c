/* The server's handle on an org's file: opening, the org itself, the head, transactions.
 *
 * The head and the devices are kept in memory and read again only when the engine says that another
 * handle committed, so that an idle round reads no table. What a transaction changes it changes
 * here too; undoing it forgets.
 */
#include "syncd/store/centre_private.h"
#include "syncd/store/lives.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ small things */

struct chain chain_of(struct slice bytes) {
    struct chain chain = {{0}};
    if (bytes.len == CHAIN_BYTES) memcpy(chain.bytes, bytes.data, CHAIN_BYTES);
    return chain;
}

void text_put(char *out, size_t room, struct slice s) {
    struct slice cut = text_prefix(s, room - 1);
    if (cut.len > 0) memcpy(out, cut.data, cut.len);
    out[cut.len] = 0;
}

void centre_forget(struct centre *c) {
    c->head_is_known = false;
    c->timed_seq = 0;
    c->collected_known = false;
    memset(c->living, 0, sizeof c->living);
    for (size_t i = 0; i < CENTRE_DEVICES_KEPT; i++) {
        free(c->devices[i]);
        c->devices[i] = NULL;
    }
}

/* ------------------------------------------------------------------ life */

enum status centre_open(const struct centre_config *config, struct centre **out, struct err *err) {
    struct store_config sc = {.path = config->path,
                              .kind = STORE_SERVER,
                              .create = config->create,
                              .read_only = config->read_only,
                              .catalogue = config->catalogue,
                              .env = config->env};
    struct centre *c = calloc(1, sizeof *c);
    if (!c) return err_no_memory(err);
    enum status status = store_open(&sc, &c->store, err);
    if (status != ST_OK) {
        free(c);
        return status;
    }
    c->store->centre = c;
    c->db = c->store->db;
    c->cat = c->store->cat;
    c->env = config->env;
    *out = c;
    return ST_OK;
}

void centre_close(struct centre *c) {
    if (c) store_close(c->store);
}

/* Called by store_close while the database is still open. */
void centre_stop(struct store *store) {
    struct centre *c = store->centre;
    if (!c) return;
    centre_forget(c);
    centre_digests_stop(c);
    centre_copy_end(c);
    centre_reached_stop(c);
    free(c);
    store->centre = NULL;
}

struct store *centre_store(struct centre *c) {
    return c->store;
}

const struct catalogue *centre_catalogue(const struct centre *c) {
    return c->cat;
}

const struct env *centre_env(const struct centre *c) {
    return c->env;
}

void centre_catalogue_moved(struct store *store) {
    store->centre->cat = store->cat;
}

/* ------------------------------------------------------------------ head */

static enum status read_last(struct centre *c, struct centre_head *head, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT seq, chain, time_ms FROM log ORDER BY seq DESC LIMIT 1", &s,
                   err));
    TRY(db_step(s, &row, err));
    if (row) {
        head->position.seq = db_int(s, 0);
        head->position.chain = chain_of(db_blob(s, 1));
        head->time_ms = db_int(s, 2);
    }
    db_reset(s);
    TRY(db_prepare(c->db, "SELECT count(*) FROM alias", &s, err));
    TRY(db_step(s, &row, err));
    c->aliases = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

/* All small numbers of the org in one statement: an idle round in a busy org comes here each time.
 */
static enum status read_numbers(struct centre *c, struct centre_head *head, struct err *err) {
    int64_t recovering = 0, added = 0;
    const struct {
        const char *name;
        int64_t *to;
    } rows[] = {{"epoch", &head->epoch},
                {"news_version", &head->news_version},
                {"backup", &head->backup},
                {"minimum_release", &head->minimum_release},
                {"key_changes", &head->key_changes},
                {"added_version", &added}};
    struct centre_scope scope = centre_scope_default();
    struct db_stmt *s;
    bool row = true, copies = false;
    TRY(db_prepare(c->db, "SELECT name, value FROM meta WHERE typeof(value) = 'integer'", &s, err));
    while (row) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        struct slice name = db_text(s, 0);
        for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
            if (slice_equal(name, slice_from(rows[i].name))) *rows[i].to = db_int(s, 1);
        if (slice_equal(name, SLICE("recovering"))) recovering = db_int(s, 1);
        if (slice_equal(name, SLICE("copies"))) copies = db_int(s, 1) != 0;
        centre_scope_take(&scope, name, db_int(s, 1));
    }
    db_reset(s);
    head->recovering = head->epoch > 1 && recovering != 0;
    c->scope = scope;
    c->copies = copies;
    if (added == c->store->added_version) return ST_OK;
    TRY(added_refresh(c->store, err));
    centre_catalogue_moved(c->store);
    return ST_OK;
}

enum status centre_refresh(struct centre *c, struct err *err) {
    int64_t version;
    TRY(db_data_version(c->db, &version, err));
    if (c->head_is_known && version == c->data_version) return ST_OK;
    struct centre_head head = {0};
    centre_forget(c);
    TRY(read_last(c, &head, err));
    TRY(read_numbers(c, &head, err));
    c->due_is_known = false;
    c->head = head;
    c->data_version = version;
    c->head_is_known = true;
    return ST_OK;
}

enum status centre_head(struct centre *c, struct centre_head *out, struct err *err) {
    TRY(centre_refresh(c, err));
    *out = c->head;
    return ST_OK;
}

void centre_head_kept(const struct centre *c, struct centre_head *out) {
    *out = c->head;
}

int64_t centre_next_seq(const struct centre *c) {
    return c->head.position.seq + 1;
}

int64_t centre_now(struct centre *c) {
    int64_t wall = c->env->wall_ms(c->env->ctx);
    return wall > c->head.time_ms ? wall : c->head.time_ms;
}

/* ------------------------------------------------------------------ transactions */

enum status centre_begin(struct centre *c, bool write, struct err *err) {
    TRY(db_begin(c->db, write, err));
    centre_digests_begin(c);
    enum status status = centre_refresh(c, err);
    if (status == ST_OK && write) status = centre_copy_begin(c, err);
    if (status != ST_OK) db_rollback(c->db);
    return status;
}

enum status centre_commit(struct centre *c, struct err *err) {
    enum status status = centre_digests_flush(c, err);
    if (status == ST_OK) status = centre_copy_take(c, err);
    if (status == ST_OK) status = db_commit(c->db, err);
    if (status != ST_OK) {
        centre_rollback(c);
        return status;
    }
    centre_reached_note(c);
    return centre_copy_put(c, err);
}

void centre_rollback(struct centre *c) {
    if (db_in_transaction(c->db)) db_rollback(c->db);
    centre_digests_begin(c);
    centre_forget(c);
}

void centre_end(struct centre *c) {
    if (db_in_transaction(c->db)) db_rollback(c->db);
}

static const char *const MARK_SET[CENTRE_MARK_COUNT] = {"SAVEPOINT job", "SAVEPOINT batch"};
static const char *const MARK_KEEP[CENTRE_MARK_COUNT] = {"RELEASE job", "RELEASE batch"};
static const char *const MARK_UNDO[CENTRE_MARK_COUNT] = {"ROLLBACK TO job", "ROLLBACK TO batch"};

static enum status run(struct centre *c, const char *sql, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, sql, &s, err));
    return db_run(s, err);
}

enum status centre_mark_set(struct centre *c, enum centre_mark mark, struct err *err) {
    c->marks[mark] = c->head;
    centre_digests_mark(c, mark);
    return run(c, MARK_SET[mark], err);
}

enum status centre_mark_keep(struct centre *c, enum centre_mark mark, struct err *err) {
    return run(c, MARK_KEEP[mark], err);
}

enum status centre_mark_undo(struct centre *c, enum centre_mark mark, struct err *err) {
    TRY(run(c, MARK_UNDO[mark], err));
    TRY(run(c, MARK_KEEP[mark], err));
    centre_digests_undo(c, mark);
    centre_forget(c);
    return centre_refresh(c, err);
}

enum status centre_write(struct centre *c, centre_work *work, void *ctx, struct err *err) {
    if (db_in_transaction(c->db)) return work(c, ctx, err);
    TRY(centre_begin(c, true, err));
    enum status status = work(c, ctx, err);
    if (status == ST_OK) return centre_commit(c, err);
    centre_rollback(c);
    return status;
}

/* ------------------------------------------------------------------ the org */

static enum status org_exists(struct centre *c, bool *out, struct err *err) {
    int64_t epoch;
    TRY(meta_int(c->db, "epoch", &epoch, err));
    *out = epoch > 0;
    return ST_OK;
}

/* Ids of the server start at a random place below 2^24: an org restored and made anew does not give
 * the same. */
static enum status make_org(struct centre *c, void *ctx, struct err *err) {
    const struct slice *label = ctx;
    uint8_t seed[SIGN_SEED_BYTES], jump[3];
    bool exists;
    struct db_stmt *s;
    TRY(org_exists(c, &exists, err));
    if (exists) return err_set(err, ST_CONFLICT, "the org exists already", "组织已存在");
    c->env->random(c->env->ctx, seed, sizeof seed);
    c->env->random(c->env->ctx, jump, sizeof jump);
    TRY(meta_blob_set(c->db, "org_label", *label, err));
    TRY(store_setting_set(c->store, SETTING_SEED, slice_of(seed, sizeof seed), err));
    bytes_wipe(seed, sizeof seed);
    TRY(meta_int_set(c->db, "office_counter", 1 + jump[0] + jump[1] * 256 + jump[2] * 65536, err));
    TRY(meta_int_set(c->db, "created_ms", c->env->wall_ms(c->env->ctx), err));
    TRY(meta_int_set(c->db, "news_version", 1, err));
    TRY(meta_int_set(c->db, "epoch", 1, err));
    TRY(db_prepare(c->db, "INSERT INTO device(number, user, name, enrolled_ms) VALUES (0, 0, ?, ?)",
                   &s, err));
    db_bind_text(s, 1, SLICE("server"));
    db_bind_int(s, 2, c->env->wall_ms(c->env->ctx));
    TRY(db_run(s, err));
    centre_forget(c);
    return ST_OK;
}

enum status centre_org_create(struct centre *c, struct slice label, struct err *err) {
    if (label.len == 0 || label.len >= CENTRE_LABEL_BYTES || !text_is_utf8(label))
        return err_set(err, ST_INVALID, "an org needs a name of at most %d bytes",
                       "组织名称不可为空，且不超过 %d 字节", CENTRE_LABEL_BYTES - 1);
    return centre_write(c, make_org, &label, err);
}

/* A backup of before has it where everybody's numbers are. */
static enum status read_seed(struct centre *c, struct arena *mem, struct slice *out,
                             struct err *err) {
    enum status status = store_setting(c->store, SETTING_SEED, mem, out, err);
    return status == ST_NOT_FOUND ? meta_blob(c->db, SETTING_SEED, mem, out, err) : status;
}

enum status centre_org(struct centre *c, struct centre_org *out, struct err *err) {
    struct arena mem = arena_new(64 * 1024);
    struct centre_org org = {0};
    struct slice label, seed;
    enum status status = meta_int(c->db, "epoch", &org.epoch, err);
    if (status == ST_OK) status = meta_int(c->db, "created_ms", &org.created_ms, err);
    if (status == ST_OK) status = meta_int(c->db, "news_version", &org.news_version, err);
    if (status == ST_OK && org.epoch == 0)
        status = err_set(err, ST_NOT_FOUND, "there is no org in this file", "此文件中没有组织");
    if (status == ST_OK) status = meta_blob(c->db, "org_label", &mem, &label, err);
    if (status == ST_OK) status = read_seed(c, &mem, &seed, err);
    if (status == ST_OK && seed.len != SIGN_SEED_BYTES)
        status = err_set(err, ST_DAMAGED, "the org's key is damaged", "组织密钥已损坏");
    if (status == ST_OK) {
        text_put(org.label, sizeof org.label, label);
        memcpy(org.key_seed, seed.data, SIGN_SEED_BYTES);
        *out = org;
    }
    bytes_wipe(&org, sizeof org);
    arena_clear(&mem);
    return status;
}

enum status centre_news(struct centre *c, struct err *err) {
    int64_t version;
    TRY(meta_int(c->db, "news_version", &version, err));
    TRY(meta_int_set(c->db, "news_version", version + 1, err));
    centre_forget(c);
    return centre_refresh(c, err);
}

struct office_id {
    int64_t id;
};

/* A book may have been set back by hand, and nobody can tell before the first laptop comes: so an
 * opening goes on well after what the life before can have given since the last one noted. */
static enum status begin_ids(struct centre *c, int64_t *counter, struct err *err) {
    int64_t now_ms = centre_now(c), begun_ms;
    TRY(meta_int(c->db, "office_ids_ms", &begun_ms, err));
    int64_t hours = begun_ms > 0 && now_ms > begun_ms ? (now_ms - begun_ms) / CENTRE_HOUR_MS : 0;
    int64_t jump = hours * CENTRE_OFFICE_IDS_AN_HOUR;
    if (jump > CENTRE_OFFICE_IDS_IDLE) jump = CENTRE_OFFICE_IDS_IDLE;
    if (*counter < UINT32_MAX - jump) *counter += jump;
    return meta_int_set(c->db, "office_ids_ms", now_ms, err);
}

static enum status next_office_id(struct centre *c, void *ctx, struct err *err) {
    struct office_id *next = ctx;
    int64_t counter;
    TRY(meta_int(c->db, "office_counter", &counter, err));
    if (counter <= 0 || counter >= UINT32_MAX)
        return err_set(err, ST_DAMAGED, "the server's id counter is damaged",
                       "服务器编号计数已损坏");
    if (!c->ids_begun) TRY(begin_ids(c, &counter, err));
    TRY(meta_int_set(c->db, "office_counter", counter + 1, err));
    next->id = id_make(0, (uint32_t)counter);
    return ST_OK;
}

enum status centre_office_id(struct centre *c, int64_t *out_id, struct err *err) {
    struct office_id next = {0};
    TRY(centre_write(c, next_office_id, &next, err));
    c->ids_begun = true;
    *out_id = next.id;
    return ST_OK;
}
