#include "tests/world/world.h"

#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/lives.h"

#define ORG "demo"
enum { WORLD_SETTLE_ROUNDS = 12, WORLD_MEMORY = 256 * 1024 * 1024 };
static const int64_t world_start_ms = 1767225600000; /* 2026-01-01 */

/* ------------------------------------------------------------------ doors */

static uint64_t next_random(uint64_t *state) { /* splitmix64 (Steele, Lea, Flood 2014) */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fill_random(uint64_t *state, void *out, size_t bytes) {
    uint8_t *to = out;
    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)next_random(state);
}

static int64_t laptop_wall(void *ctx) {
    struct world_laptop *l = ctx;
    return l->world->now_ms + l->offset_ms;
}
static int64_t laptop_boot(void *ctx) {
    struct world_laptop *l = ctx;
    l->world->now_ms += l->slow_ms;
    return l->world->now_ms - l->boot_start_ms;
}
static uint64_t laptop_boot_id(void *ctx) {
    return ((struct world_laptop *)ctx)->boot_id;
}
static void laptop_random(void *ctx, void *out, size_t bytes) {
    fill_random(&((struct world_laptop *)ctx)->random_state, out, bytes);
}
static int64_t server_wall(void *ctx) {
    struct world *w = ctx;
    return w->now_ms + w->server_offset_ms;
}
static int64_t server_boot(void *ctx) {
    struct world *w = ctx;
    return w->now_ms += w->server_slow_ms;
}
static uint64_t server_boot_id(void *ctx) {
    (void)ctx;
    return 1;
}
static void server_random(void *ctx, void *out, size_t bytes) {
    fill_random(&((struct world *)ctx)->random_state, out, bytes);
}
static void no_log(void *ctx, enum log_level level, const char *line) {
    (void)ctx;
    (void)level;
    (void)line;
}

/* ------------------------------------------------------------------ the network */

static bool is_round(const struct session_http *request) {
    size_t n = strlen(request->path);
    return n > 6 && !strcmp(request->path + n - 6, "/round");
}

static enum status world_exchange(void *ctx, const struct session_http *request, struct arena *mem,
                                  struct session_http *out, struct err *err) {
    struct world_laptop *l = ctx;
    const struct world_network *network = &l->world->network;
    if (network->exchange) return network->exchange(network->ctx, l, request, mem, out, err);
    enum world_fault fault = is_round(request) ? l->fault : WORLD_FAULT_NONE;
    if (fault == WORLD_LOSE_REQUEST || fault == WORLD_LOSE_REPLY || fault == WORLD_REPEAT_REQUEST)
        l->fault = WORLD_FAULT_NONE;
    l->world->now_ms += 1;
    if (fault == WORLD_LOSE_REQUEST)
        return err_set(err, ST_OFFLINE, "the request was lost", "请求丢失");
    service_handle(l->world->service, request, mem, out);
    if (fault == WORLD_REPEAT_REQUEST) {
        struct session_http again;
        service_handle(l->world->service, request, mem, &again);
    }
    if (is_round(request) && out->code == 200 && l->replied)
        l->replied(l->replied_ctx, l, out->body);
    if (fault == WORLD_LOSE_REPLY)
        return err_set(err, ST_OFFLINE, "the reply was lost", "回复丢失");
    if (is_round(request) && out->code == 200 && l->during) {
        void (*during)(void *, struct world_laptop *) = l->during;
        l->during = NULL;
        during(l->during_ctx, l);
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ opening */

static void path_of(const struct world *w, const char *name, char out[WORLD_PATH_BYTES]) {
    char path[WORLD_PATH_BYTES]; /* out may be a part of *w */
    snprintf(path, sizeof(path), "%.400s/%.100s", w->dir, name);
    memcpy(out, path, sizeof(path));
}

static enum status open_server(struct world *w, bool create, struct err *err) {
    char path[WORLD_PATH_BYTES];
    path_of(w, "org/" ORG ".db", path);
    struct org_config config = {.path = path, .catalogue = w->server_catalogue, .env = &w->env};
    if (create) TRY(org_create(&config, SLICE("Demo 示例公司"), err));
    TRY(org_open(&config, &w->office, err));
    struct service_config service = {
        .dir = w->dir, .catalogue = w->server_catalogue, .env = &w->env, .readers = 1};
    return service_open(&service, &w->service, err);
}

static enum status make_org(struct world *w, struct err *err) {
    char path[WORLD_PATH_BYTES];
    path_of(w, "org", path);
    TRY(platform_make_dir(path, err));
    w->server_catalogue = &w->catalogue;
    return open_server(w, true, err);
}

void world_server_dir(const struct world *w, char out[WORLD_PATH_BYTES]) {
    path_of(w, "org", out);
}

void world_server_off(struct world *w) {
    service_close(w->service);
    org_reader_close(w->reader);
    org_close(w->office);
    w->service = NULL;
    w->reader = NULL;
    w->office = NULL;
}

enum status world_office_reader(struct world *w, struct org_reader **out, struct err *err) {
    char path[WORLD_PATH_BYTES];
    path_of(w, "org/" ORG ".db", path);
    struct org_config config = {.path = path, .catalogue = w->server_catalogue, .env = &w->env};
    if (!w->reader) TRY(org_reader_open(&config, &w->reader, err));
    *out = w->reader;
    return ST_OK;
}

enum status world_server_on(struct world *w, struct err *err) {
    return open_server(w, false, err);
}

enum status world_server_release(struct world *w, const struct catalogue *catalogue,
                                 struct err *err) {
    world_server_off(w);
    w->server_catalogue = catalogue;
    return world_server_on(w, err);
}

enum status world_backup(struct world *w, bool announce, struct err *err) {
    char path[WORLD_PATH_BYTES];
    struct centre_head head;
    path_of(w, "backup.db", path);
    if (platform_exists(path)) TRY(platform_remove(path, err));
    TRY(centre_head(org_centre(w->office), &head, err));
    TRY(store_backup(world_office_store(w), path, NULL, NULL, err));
    return announce ? centre_backup_announce(org_centre(w->office), head.position.seq, err) : ST_OK;
}

enum status world_forget_head(struct world *w, struct err *err) {
    char path[WORLD_PATH_BYTES];
    path_of(w, "org/" ORG ".head", path);
    return platform_exists(path) ? platform_remove(path, err) : ST_OK;
}

enum status world_rollback(struct world *w, struct err *err) {
    world_server_off(w);
    TRY(world_forget_head(w, err));
    return world_rollback_here(w, err);
}

enum status world_rollback_here(struct world *w, struct err *err) {
    static const char *const files[] = {"org/" ORG ".db-wal", "org/" ORG ".db-shm"};
    char from[WORLD_PATH_BYTES], to[WORLD_PATH_BYTES];
    world_server_off(w);
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        path_of(w, files[i], to);
        if (platform_exists(to)) TRY(platform_remove(to, err));
    }
    path_of(w, "backup.db", from);
    path_of(w, "org/" ORG ".db", to);
    struct arena mem SCOPED(arena_clear) = arena_new(WORLD_MEMORY);
    struct slice bytes;
    TRY(platform_read_file(from, WORLD_MEMORY, &mem, &bytes, err));
    TRY(platform_write_file_private(to, bytes, err));
    return world_server_on(w, err);
}

enum status world_open(uint64_t seed, struct world *out, struct err *err) {
    memset(out, 0, sizeof(*out));
    out->mem = arena_new(WORLD_MEMORY);
    out->random_state = seed;
    out->now_ms = world_start_ms;
    out->env =
        (struct env){out, server_wall, server_boot, server_boot_id, server_random, no_log, NULL};
    const char *dir;
    TRY(crypto_start(err));
    TRY(catalogue_release(&out->mem, &out->catalogue, err));
    TRY(platform_temp_dir(&out->mem, &dir, err));
    snprintf(out->dir, sizeof(out->dir), "%s", dir);
    return make_org(out, err);
}

static void close_handles(struct world_laptop *l) {
    agent_close(l->agent);
    store_close(l->store);
    store_close(l->sync_store);
    l->agent = NULL;
    l->store = l->sync_store = NULL;
}

void world_close(struct world *w) {
    for (size_t i = 0; i < w->laptop_count; i++) close_handles(&w->laptops[i]);
    world_server_off(w);
    struct err ignored;
    if (w->dir[0]) (void)platform_remove_tree(w->dir, &ignored);
    arena_clear(&w->mem);
}

static enum status open_handles(struct world_laptop *l, struct err *err) {
    char path[WORLD_PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s/book.db", l->dir);
    struct store_config config = {.path = path,
                                  .kind = STORE_LAPTOP,
                                  .create = true,
                                  .catalogue = l->catalogue,
                                  .env = &l->env};
    TRY(store_open(&config, &l->store, err));
    TRY(store_open(&config, &l->sync_store, err));
    struct agent_config agent = {
        .store = l->sync_store, .catalogue = l->catalogue, .env = &l->env, .transport = &l->door};
    return agent_open(&agent, &l->agent, err);
}

/* ------------------------------------------------------------------ laptops */

static enum status make_user(struct world *w, const char *name, enum user_role role,
                             int64_t *out_user, int64_t *out_employee, struct err *err) {
    const struct entity *e = catalogue_entity(&w->catalogue, SLICE("employee"));
    struct field_edit edits[] = {
        {entity_field(e, SLICE("login")), FIELD_EDIT_SET, value_text(slice_from(name))},
        {entity_field(e, SLICE("name")), FIELD_EDIT_SET, value_text(slice_from(name))}};
    struct receipt receipt;
    int64_t employee;
    TRY(world_office_save(w, e, 0, edits, ARRAY_COUNT(edits), &receipt, &employee, err));
    struct centre_user user = {.employee = employee, .role = role, .active = true};
    snprintf(user.login, sizeof(user.login), "%s", name);
    snprintf(user.name, sizeof(user.name), "%s", name);
    *out_employee = employee;
    return centre_user_add(org_centre(w->office), &user, out_user, err);
}

static enum status make_link(struct world *w, int64_t user, struct session_link *out,
                             struct err *err) {
    memset(out, 0, sizeof(*out));
    snprintf(out->base_url, sizeof(out->base_url), "https://server.test");
    snprintf(out->org, sizeof(out->org), ORG);
    fill_random(&w->random_state, out->code, sizeof(out->code));
    struct sign_key key;
    TRY(org_key(w->office, &key, err));
    sign_public(&key, out->org_public);
    return centre_link_make(org_centre(w->office), user, out->code, w->now_ms + 86400000, err);
}

enum status world_laptop_add(struct world *w, const char *name, struct err *err) {
    return world_laptop_add_as(w, name, USER_REP, err);
}

enum status world_laptop_add_as(struct world *w, const char *name, enum user_role role,
                                struct err *err) {
    if (w->laptop_count == WORLD_LAPTOPS_MAX)
        return err_set(err, ST_TOO_LARGE, "too many laptops", "电脑过多");
    struct world_laptop *l = &w->laptops[w->laptop_count];
    *l = (struct world_laptop){.world = w,
                               .catalogue = &w->catalogue,
                               .random_state = next_random(&w->random_state),
                               .boot_id = 1,
                               .boot_start_ms = w->now_ms - 1000};
    snprintf(l->name, sizeof(l->name), "%s", name);
    path_of(w, name, l->dir);
    l->env = (struct env){l, laptop_wall, laptop_boot, laptop_boot_id, laptop_random, no_log, NULL};
    l->door = (struct transport_door){.ctx = l, .exchange = world_exchange};
    TRY(platform_make_dir(l->dir, err));
    int64_t user;
    struct session_link link;
    TRY(make_user(w, name, role, &user, &l->employee, err));
    TRY(make_link(w, user, &link, err));
    w->laptop_count++;
    TRY(open_handles(l, err));
    return agent_enroll(l->agent, &link, slice_from(name), err);
}

/* In the book's place comes one that fills itself; a key of its own, for another has the old one.
 */
static enum status renumber(struct world_laptop *l, const struct store_identity *identity,
                            const struct kept_batches *kept, world_rename *rename,
                            struct err *err) {
    char path[WORLD_PATH_BYTES + 16], fresh[WORLD_PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s/book.db", l->dir);
    snprintf(fresh, sizeof(fresh), "%s/again.db", l->dir);
    world_laptop_off(l);
    TRY(store_renumber(path, fresh, identity, kept, l->catalogue, &l->env, err));
    rename(fresh, path);
    return world_laptop_on(l, err);
}

enum status world_enroll_again(struct world_laptop *l, world_rename *rename,
                               struct kept_batches *out_kept, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(WORLD_MEMORY);
    struct store_identity identity;
    struct centre_device device;
    struct copied_book copy;
    struct session_link link;
    TRY(store_identity(l->sync_store, &identity, err));
    TRY(centre_device(org_centre(l->world->office), identity.device, &device, err));
    TRY(make_link(l->world, device.user, &link, err));
    TRY(store_copy(l->sync_store, &mem, &copy, err));
    fill_random(&l->random_state, identity.key_seed, sizeof(identity.key_seed));
    identity.device = 0;
    TRY(agent_enroll_copy(l->agent, &link, slice_from(l->name), &copy, &identity, out_kept, err));
    return renumber(l, &identity, out_kept, rename, err);
}

struct world_laptop *world_laptop(struct world *w, struct slice name) {
    for (size_t i = 0; i < w->laptop_count; i++)
        if (slice_equal(slice_from(w->laptops[i].name), name)) return &w->laptops[i];
    return NULL;
}

static bool count_slice(void *ctx, const struct agent_progress *progress) {
    (void)progress;
    struct world_laptop *l = ctx;
    return l->fault != WORLD_CUT_SLICES || l->slices_left-- > 0;
}

enum status world_sync(struct world_laptop *l, struct agent_result *out, struct err *err) {
    enum status status = agent_sync(l->agent, count_slice, l, out, err);
    if (l->fault == WORLD_CUT_SLICES) {
        l->fault = WORLD_FAULT_NONE;
        TRY(world_restart(l, err));
    }
    return status;
}

static enum status is_settled(struct world *w, bool *out, struct err *err) {
    *out = true;
    struct centre_head head;
    TRY(centre_head(org_centre(w->office), &head, err));
    for (size_t i = 0; i < w->laptop_count; i++) {
        struct store_status s;
        if (!w->laptops[i].store) continue;
        TRY(store_status(w->laptops[i].store, &s, err));
        *out &= s.outbox_batches == 0 && s.cursor == head.position.seq;
    }
    return ST_OK;
}

enum status world_settle(struct world *w, struct err *err) {
    bool settled = false;
    for (int i = 0; i < WORLD_SETTLE_ROUNDS && !settled; i++) {
        for (size_t k = 0; k < w->laptop_count; k++) {
            struct agent_result result;
            if (w->laptops[k].store) TRY(world_sync(&w->laptops[k], &result, err));
        }
        TRY(is_settled(w, &settled, err));
    }
    return settled
               ? ST_OK
               : err_set(err, ST_INTERNAL, "the laptops never come to rest", "始终无法同步完成");
}

void world_laptop_off(struct world_laptop *l) {
    close_handles(l);
}

enum status world_laptop_on(struct world_laptop *l, struct err *err) {
    return open_handles(l, err);
}

enum status world_restart(struct world_laptop *l, struct err *err) {
    close_handles(l);
    return open_handles(l, err);
}

enum status world_release(struct world_laptop *l, const struct catalogue *catalogue,
                          struct err *err) {
    close_handles(l);
    l->catalogue = catalogue;
    return open_handles(l, err);
}

enum status world_reboot(struct world_laptop *l, int64_t offset_ms, struct err *err) {
    TRY(store_clock_note(l->sync_store, err)); /* the last reading before the machine went off */
    l->boot_id++;
    l->world->now_ms += 1000;
    l->boot_start_ms = l->world->now_ms;
    l->offset_ms += offset_ms;
    TRY(world_restart(l, err));
    return store_clock_note(l->sync_store, err);
}

enum status world_step(struct world_laptop *l, int64_t offset_ms, struct err *err) {
    TRY(store_clock_note(l->sync_store, err));
    l->offset_ms += offset_ms;
    return store_clock_note(l->sync_store, err);
}

/* ------------------------------------------------------------------ head office */

struct store *world_office_store(struct world *w) {
    return centre_store(org_centre(w->office));
}

static enum status office_values(struct world *w, const struct entity *e, int64_t id,
                                 struct arena *mem, struct value **out, struct err *err) {
    if (!id) {
        *out = ARENA_ARRAY(mem, e->field_count, struct value);
        return *out ? ST_OK : err_no_memory(err);
    }
    struct row row;
    TRY(store_get(world_office_store(w), e, id, mem, &row, err));
    *out = row.values;
    return ST_OK;
}

static enum status office_edit(const struct entity *e, const struct field_edit *from,
                               struct value *values, struct change *change, struct arena *mem,
                               struct err *err) {
    const struct cell *cell = entity_cell_of(e, from->field);
    struct edit *edit = NULL;
    for (size_t i = 0; i < change->edit_count; i++)
        if (change->edits[i].cell_tag == cell->tag) edit = &change->edits[i];
    if (!edit) edit = &change->edits[change->edit_count++];
    edit->cell_tag = cell->tag;
    if (from->kind == FIELD_EDIT_SET && cell->rule == RULE_SET && change->kind == CHANGE_CREATE)
        edit->kind = EDIT_SET;
    edit->value_count = cell->count;
    edit->values = &values[cell->first];
    switch (from->kind) {
    case FIELD_EDIT_SET:
        edit->kind = EDIT_SET;
        values[entity_field_index(e, from->field)] = from->value;
        break;
    case FIELD_EDIT_COUNT:
    case FIELD_EDIT_ADD:
    case FIELD_EDIT_REMOVE:
        edit->kind = from->kind == FIELD_EDIT_COUNT ? EDIT_COUNT : EDIT_ELEMENTS;
        edit->value_count = from->kind == FIELD_EDIT_COUNT ? 1 : 2;
        edit->values = ARENA_ARRAY(mem, 2, struct value);
        if (!edit->values) return err_no_memory(err);
        edit->values[from->kind == FIELD_EDIT_REMOVE] = from->value;
        break;
    }
    return ST_OK;
}

static void sort_edits(struct change *change) {
    for (size_t i = 1; i < change->edit_count; i++)
        for (size_t k = i; k && change->edits[k - 1].cell_tag > change->edits[k].cell_tag; k--) {
            struct edit swap = change->edits[k];
            change->edits[k] = change->edits[k - 1];
            change->edits[k - 1] = swap;
        }
}

enum status world_office_save(struct world *w, const struct entity *e, int64_t id,
                              const struct field_edit *edits, size_t count,
                              struct receipt *out_receipt, int64_t *out_id, struct err *err) {
    struct arena *mem = &w->mem;
    struct value *values;
    TRY(office_values(w, e, id, mem, &values, err));
    struct change change = {
        .kind = id ? CHANGE_EDIT : CHANGE_CREATE, .entity_tag = e->tag, .row = id};
    if (!id) TRY(org_office_id(w->office, &change.row, err));
    change.edits = ARENA_ARRAY(mem, count, struct edit);
    if (!change.edits) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) TRY(office_edit(e, &edits[i], values, &change, mem, err));
    sort_edits(&change);
    TRY(org_office_save(w->office, &change, 1, 0, 0, SLICE("office"), mem, out_receipt, err));
    *out_id = out_receipt->lines[0].row;
    return ST_OK;
}

enum status world_office_delete(struct world *w, const struct entity *e, int64_t id,
                                struct err *err) {
    struct receipt receipt;
    struct unit_row unit = {.row = id, .entity_tag = e->tag};
    struct change change = {
        .kind = CHANGE_DELETE, .entity_tag = e->tag, .row = id, .unit = &unit, .unit_count = 1};
    return org_office_save(w->office, &change, 1, 0, 0, SLICE("office"), &w->mem, &receipt, err);
}

/* ------------------------------------------------------------------ comparing books */

struct dump {
    struct buf *out;
    world_keep *keep; /* NULL: all */
    void *ctx;
};

static enum status dump_row(void *ctx, const struct row *row, struct err *err) {
    const struct dump *dump = ctx;
    struct buf *out = dump->out;
    const struct entity *e = row->entity;
    if (dump->keep && !dump->keep(dump->ctx, row)) return ST_OK;
    for (size_t i = 0; i < e->field_count; i++) {
        if (row->values[i].kind == VALUE_NULL || e->fields[i].rule == RULE_DERIVED) continue;
        buf_printf(out, "%s %lld %s=", e->name, (long long)row->id, e->fields[i].name);
        field_write_json(&e->fields[i], row->values[i], out);
        buf_put_byte(out, '\n');
    }
    buf_printf(out, "%s %lld.\n", e->name, (long long)row->id);
    return buf_status(out, err);
}

static enum status dump_some(struct store *store, world_keep *keep, void *ctx, struct buf *out,
                             struct err *err) {
    const struct catalogue *cat = store_catalogue(store);
    struct dump dump = {out, keep, ctx};
    for (size_t i = 0; i < cat->count; i++) {
        struct query query = {.entity = &cat->entities[i]};
        TRY(store_list(store, &query, dump_row, &dump, err));
    }
    return buf_status(out, err);
}

enum status world_dump(struct store *store, struct buf *out, struct err *err) {
    return dump_some(store, NULL, NULL, out, err);
}

static void first_difference(const char *who, struct slice want, struct slice have,
                             struct buf *out) {
    struct slice a, b;
    do {
        a = b = (struct slice){0};
        (void)slice_cut(&want, '\n', &a);
        (void)slice_cut(&have, '\n', &b);
    } while (slice_equal(a, b) && (a.len || b.len));
    buf_printf(out, "%s has \"%.*s\", head office \"%.*s\"", who, (int)b.len, (const char *)b.data,
               (int)a.len, (const char *)a.data);
}

/* A book that is as it should be has the digest that the server told. */
static enum status world_prove(struct world_laptop *l, struct buf *out_difference,
                               struct err *err) {
    enum book_proof proof;
    if (out_difference->len > 0) return ST_OK;
    TRY(store_prove(l->sync_store, INT64_MAX, false, &proof, err));
    if (proof == BOOK_DIFFERS) buf_printf(out_difference, "%s has another digest", l->name);
    return ST_OK;
}

enum status world_compare_some(struct world *w, struct world_laptop *l, world_keep *keep, void *ctx,
                               struct buf *out_difference, struct err *err) {
    struct buf want SCOPED(buf_free) = buf_new(BUF_MAX_FILE);
    struct buf have SCOPED(buf_free) = buf_new(BUF_MAX_FILE);
    TRY(dump_some(world_office_store(w), keep, ctx, &want, err));
    TRY(world_dump(l->store, &have, err));
    if (!slice_equal(buf_slice(&want), buf_slice(&have)))
        first_difference(l->name, buf_slice(&want), buf_slice(&have), out_difference);
    return world_prove(l, out_difference, err);
}

enum status world_compare(struct world *w, struct buf *out_difference, struct err *err) {
    struct buf want SCOPED(buf_free) = buf_new(BUF_MAX_FILE);
    TRY(world_dump(world_office_store(w), &want, err));
    for (size_t i = 0; i < w->laptop_count; i++) {
        struct buf have SCOPED(buf_free) = buf_new(BUF_MAX_FILE);
        if (!w->laptops[i].store) continue;
        TRY(world_dump(w->laptops[i].store, &have, err));
        if (slice_equal(buf_slice(&want), buf_slice(&have))) continue;
        first_difference(w->laptops[i].name, buf_slice(&want), buf_slice(&have), out_difference);
        return ST_OK;
    }
    for (size_t i = 0; i < w->laptop_count; i++)
        if (w->laptops[i].store) TRY(world_prove(&w->laptops[i], out_difference, err));
    return ST_OK;
}
