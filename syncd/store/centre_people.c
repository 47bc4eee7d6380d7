/* Users, their laptops, and the links that enrol them. */
#include "syncd/store/centre_private.h"
#include "syncd/store/orders.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ roles */

static const char *const ROLE_NAMES[] = {
    [USER_REP] = "rep", [USER_MANAGER] = "manager", [USER_OFFICE] = "office"};

const char *user_role_name(enum user_role role) {
    return role >= USER_REP && role <= USER_OFFICE ? ROLE_NAMES[role] : "unknown";
}

bool user_role_parse(struct slice name, enum user_role *out) {
    for (enum user_role r = USER_REP; r <= USER_OFFICE; r++) {
        if (!slice_equal(name, slice_from(ROLE_NAMES[r]))) continue;
        *out = r;
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ users */

#define USER_COLUMNS "id, login, name, employee, role, active"

static void take_user(struct db_stmt *s, struct centre_user *out) {
    *out = (struct centre_user){.id = db_int(s, 0),
                                .employee = db_int(s, 3),
                                .role = (enum user_role)db_int(s, 4),
                                .active = db_int(s, 5) != 0};
    text_put(out->login, sizeof out->login, db_text(s, 1));
    text_put(out->name, sizeof out->name, db_text(s, 2));
}

static enum status one_user(struct db_stmt *s, struct centre_user *out, struct err *err) {
    bool row;
    TRY(db_step(s, &row, err));
    if (row) take_user(s, out);
    db_reset(s);
    return row ? ST_OK : err_set(err, ST_NOT_FOUND, "no such user", "没有此用户");
}

enum status centre_user_by_login(struct centre *c, struct slice login, struct centre_user *out,
                                 struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "SELECT " USER_COLUMNS " FROM org_user WHERE login = ?", &s, err));
    db_bind_text(s, 1, login);
    return one_user(s, out, err);
}

enum status centre_user_by_id(struct centre *c, int64_t id, struct centre_user *out,
                              struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "SELECT " USER_COLUMNS " FROM org_user WHERE id = ?", &s, err));
    db_bind_int(s, 1, id);
    return one_user(s, out, err);
}

struct new_user {
    const struct centre_user *user;
    int64_t id;
};

static enum status check_user(struct centre *c, const struct centre_user *user, struct err *err) {
    struct centre_user other;
    bool found, dead;
    const struct entity *employee = catalogue_entity(c->cat, SLICE("employee"));
    if (!user->login[0] || !user->name[0])
        return err_set(err, ST_INVALID, "a user needs a login and a name", "用户须有登录名和姓名");
    if (user->role < USER_REP || user->role > USER_OFFICE)
        return err_set(err, ST_INVALID, "a role is rep, manager or office",
                       "角色须为 rep、manager 或 office");
    enum status status = centre_user_by_login(c, slice_from(user->login), &other, NULL);
    if (status == ST_OK)
        return err_set(err, ST_CONFLICT, "the login %s is taken", "登录名 %s 已被使用",
                       user->login);
    if (status != ST_NOT_FOUND)
        return centre_user_by_login(c, slice_from(user->login), &other, err);
    if (user->employee == 0) return ST_OK;
    if (!employee)
        return err_set(err, ST_NOT_FOUND, "the catalogue has no employees", "目录中没有员工实体");
    TRY(centre_row_probe(c, employee, user->employee, &found, &dead, err));
    return found && !dead ? ST_OK : err_set(err, ST_NOT_FOUND, "no such employee", "没有此员工");
}

static enum status add_user(struct centre *c, void *ctx, struct err *err) {
    struct new_user *add = ctx;
    struct db_stmt *s;
    bool row;
    TRY(check_user(c, add->user, err));
    TRY(db_prepare(c->db, "SELECT coalesce(max(id), 0) + 1, count(*) FROM org_user", &s, err));
    TRY(db_step(s, &row, err));
    add->id = db_int(s, 0);
    bool full = db_int(s, 1) >= CENTRE_USERS_MAX;
    db_reset(s);
    if (full)
        return err_set(err, ST_TOO_LARGE, "an org has at most %d users", "一个组织最多 %d 个用户",
                       CENTRE_USERS_MAX);
    TRY(db_prepare(c->db, "INSERT INTO org_user(" USER_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)", &s,
                   err));
    db_bind_int(s, 1, add->id);
    db_bind_text(s, 2, slice_from(add->user->login));
    db_bind_text(s, 3, slice_from(add->user->name));
    db_bind_int(s, 4, add->user->employee);
    db_bind_int(s, 5, (int64_t)add->user->role);
    db_bind_int(s, 6, add->user->active);
    TRY(db_run(s, err));
    struct centre_unsettled unsettled = {.users = &add->id, .user_count = 1};
    TRY(centre_news(c, err));
    return centre_grants_settle(c, &unsettled, err);
}

enum status centre_user_add(struct centre *c, const struct centre_user *user, int64_t *out_id,
                            struct err *err) {
    struct new_user add = {.user = user};
    TRY(centre_write(c, add_user, &add, err));
    *out_id = add.id;
    return ST_OK;
}

static enum status activate_user(struct centre *c, void *ctx, struct err *err) {
    const struct centre_user *user = ctx;
    struct db_stmt *s;
    TRY(db_prepare(c->db, "UPDATE org_user SET active = ? WHERE id = ?", &s, err));
    db_bind_int(s, 1, user->active);
    db_bind_int(s, 2, user->id);
    TRY(db_run(s, err));
    if (db_changes(c->db) == 0) return err_set(err, ST_NOT_FOUND, "no such user", "没有此用户");
    TRY(centre_news(c, err));
    return centre_order_user(c, user->id, err);
}

enum status centre_user_activate(struct centre *c, int64_t id, bool active, struct err *err) {
    struct centre_user user = {.id = id, .active = active};
    return centre_write(c, activate_user, &user, err);
}

enum status centre_users(struct centre *c, centre_user_row *each, void *ctx, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT " USER_COLUMNS " FROM org_user ORDER BY login", &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        struct centre_user user;
        take_user(s, &user);
        status = each(ctx, &user, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

/* ------------------------------------------------------------------ devices */

#define DEVICE_SELECT                                                                              \
    "SELECT d.number, d.user, u.name, u.employee, u.role, u.active, d.revoked, d.name, "           \
    "d.public_key,"                                                                                \
    " d.session_key, d.key_until_ms, d.last_batch, d.chain, d.release, d.catalogue, "              \
    "d.enrolled_ms,"                                                                               \
    " d.seen_ms, d.cursor, d.wipe, d.revoked_ms, d.wiped_ms, d.offset_ms, d.told_ms, d.newest,"    \
    " d.used_kib, d.free_mib, d.disk, d.formerly, d.formerly_batch"                                \
    " FROM device d LEFT JOIN org_user u ON u.id = d.user"

static void take_device(struct db_stmt *s, struct centre_device *out) {
    struct slice key = db_blob(s, 9), public_key = db_blob(s, 8);
    *out = (struct centre_device){.number = (uint32_t)db_int(s, 0),
                                  .user = db_int(s, 1),
                                  .employee = db_int(s, 3),
                                  .role = (enum user_role)db_int(s, 4),
                                  .user_active = db_int(s, 5) != 0,
                                  .revoked = db_int(s, 6) != 0,
                                  .key_until_ms = db_int(s, 10),
                                  .last_batch = (uint32_t)db_int(s, 11),
                                  .enrolled_ms = db_int(s, 15),
                                  .seen_ms = db_int(s, 16),
                                  .cursor = db_int(s, 17),
                                  .wipe = db_int(s, 18) != 0,
                                  .revoked_ms = db_int(s, 19),
                                  .wiped_ms = db_int(s, 20),
                                  .offset_ms = db_int(s, 21),
                                  .told_ms = db_int(s, 22),
                                  .report = {.newest_batch = (uint32_t)db_int(s, 23),
                                             .used_kib = db_int(s, 24),
                                             .free_mib = db_int(s, 25),
                                             .disk = (enum disk_kind)db_int(s, 26)},
                                  .formerly = (uint32_t)db_int(s, 27),
                                  .formerly_batch = (uint32_t)db_int(s, 28)};
    out->has_key = key.len == MAC_BYTES;
    if (out->has_key) memcpy(out->key, key.data, MAC_BYTES);
    public_key = db_blob(s, 8);
    if (public_key.len == SIGN_PUBLIC_BYTES)
        memcpy(out->public_key, public_key.data, SIGN_PUBLIC_BYTES);
    text_put(out->user_name, sizeof out->user_name, db_text(s, 2));
    text_put(out->name, sizeof out->name, db_text(s, 7));
    text_put(out->release, sizeof out->release, db_text(s, 13));
    out->chain = chain_of(db_blob(s, 12));
    out->catalogue = chain_of(db_blob(s, 14));
    if (out->number > 0) return;
    out->role = USER_OFFICE; /* the server itself */
    out->user_active = true;
}

static enum status read_device(struct centre *c, uint32_t number, struct centre_device *out,
                               struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, DEVICE_SELECT " WHERE d.number = ?", &s, err));
    db_bind_int(s, 1, number);
    TRY(db_step(s, &row, err));
    if (row) take_device(s, out);
    db_reset(s);
    return row ? ST_OK
               : err_set(err, ST_NOT_FOUND, "no device %u", "没有设备 %u", (unsigned)number);
}

enum status centre_device(struct centre *c, uint32_t number, struct centre_device *out,
                          struct err *err) {
    TRY(centre_refresh(c, err));
    struct centre_device **kept = &c->devices[number % CENTRE_DEVICES_KEPT];
    if (!*kept || (*kept)->number != number) {
        struct centre_device device;
        TRY(read_device(c, number, &device, err));
        if (!*kept) *kept = calloc(1, sizeof **kept);
        if (!*kept) return err_no_memory(err);
        **kept = device;
    }
    *out = **kept;
    return ST_OK;
}

enum status centre_devices(struct centre *c, centre_device_row *each, void *ctx, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, DEVICE_SELECT " WHERE d.number > 0 ORDER BY d.number", &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        struct centre_device device;
        take_device(s, &device);
        status = each(ctx, &device, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

struct session_key {
    uint32_t number;
    const uint8_t *key;
    int64_t until_ms;
    struct slice release;
    const struct chain *catalogue;
    int64_t key_changes;
};

/* One that was agreed under a key of the org which was replaced meanwhile is not kept. */
static enum status set_key(struct centre *c, void *ctx, struct err *err) {
    const struct session_key *k = ctx;
    struct db_stmt *s;
    if (k->key_changes != c->head.key_changes) return ST_OK;
    TRY(db_prepare(c->db,
                   "UPDATE device SET session_key = ?, key_until_ms = ?, release = ?, catalogue = ?"
                   " WHERE number = ?",
                   &s, err));
    db_bind_blob(s, 1, slice_of(k->key, MAC_BYTES));
    db_bind_int(s, 2, k->until_ms);
    db_bind_text(s, 3, text_prefix(k->release, CENTRE_RELEASE_BYTES - 1));
    db_bind_blob(s, 4, slice_of(k->catalogue->bytes, CHAIN_BYTES));
    db_bind_int(s, 5, k->number);
    TRY(db_run(s, err));
    if (db_changes(c->db) == 0)
        return err_set(err, ST_NOT_FOUND, "no device %u", "没有设备 %u", (unsigned)k->number);
    free(c->devices[k->number % CENTRE_DEVICES_KEPT]);
    c->devices[k->number % CENTRE_DEVICES_KEPT] = NULL;
    return ST_OK;
}

enum status centre_device_key(struct centre *c, uint32_t number, const uint8_t key[MAC_BYTES],
                              int64_t until_ms, struct slice release, const struct chain *catalogue,
                              int64_t key_changes, struct err *err) {
    struct session_key k = {number, key, until_ms, release, catalogue, key_changes};
    return centre_write(c, set_key, &k, err);
}

/* ------------------------------------------------------------------ links */

struct new_link {
    int64_t user;
    struct hash code;
    int64_t expires_ms;
};

static enum status make_link(struct centre *c, void *ctx, struct err *err) {
    const struct new_link *link = ctx;
    struct centre_user user;
    struct db_stmt *s;
    TRY(centre_user_by_id(c, link->user, &user, err));
    if (!user.active)
        return err_set(err, ST_INVALID, "the user %s is inactive", "用户 %s 已停用", user.login);
    TRY(db_prepare(c->db, "INSERT INTO link(code_hash, user, expires_ms) VALUES (?, ?, ?)", &s,
                   err));
    db_bind_blob(s, 1, slice_of(link->code.bytes, HASH_BYTES));
    db_bind_int(s, 2, link->user);
    db_bind_int(s, 3, link->expires_ms);
    return db_run(s, err);
}

enum status centre_link_make(struct centre *c, int64_t user, const uint8_t code[16],
                             int64_t expires_ms, struct err *err) {
    struct new_link link = {user, hash_sha256(slice_of(code, 16)), expires_ms};
    return centre_write(c, make_link, &link, err);
}

struct link {
    const struct enroll_request *request;
    struct hash code;
    int64_t user, expires_ms;
    uint32_t device;                   /* 0: not used yet */
    uint32_t formerly, formerly_batch; /* of a copy */
    struct chain formerly_chain;
};

static enum status read_link(struct centre *c, struct link *link, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT user, expires_ms, device FROM link WHERE code_hash = ?", &s,
                   err));
    db_bind_blob(s, 1, slice_of(link->code.bytes, HASH_BYTES));
    TRY(db_step(s, &row, err));
    if (row) {
        link->user = db_int(s, 0);
        link->expires_ms = db_int(s, 1);
        link->device = (uint32_t)db_int(s, 2);
    }
    db_reset(s);
    if (row) return ST_OK;
    return err_set(err, ST_NOT_FOUND,
                   "this enrolment link is not known here: ask head office for a new one",
                   "此注册链接无效：请向总部索取新的链接");
}

/* A lost reply is asked for again: the same code and key get the same number, also after the link
 * expired. */
static enum status check_again(struct centre *c, const struct link *link, struct err *err) {
    struct centre_device device;
    TRY(read_device(c, link->device, &device, err));
    if (!bytes_equal_secret(device.public_key, link->request->device_public, SIGN_PUBLIC_BYTES))
        return err_set(err, ST_CONFLICT,
                       "this enrolment link was used by another laptop (%s): ask for a new one",
                       "此注册链接已被另一台电脑（%s）使用：请索取新的链接", device.name);
    if (device.revoked)
        return err_set(err, ST_DENIED, "this laptop was revoked by head office",
                       "此电脑已被总部吊销");
    return ST_OK;
}

static enum status insert_device(struct centre *c, const struct link *link, uint32_t number,
                                 struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO device(number, user, public_key, name, release, enrolled_ms,"
                   " last_batch, chain, formerly, formerly_batch)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    db_bind_int(s, 1, number);
    db_bind_int(s, 2, link->user);
    db_bind_blob(s, 3, slice_of(link->request->device_public, SIGN_PUBLIC_BYTES));
    db_bind_text(s, 4, text_prefix(link->request->device_name, CENTRE_LABEL_BYTES - 1));
    db_bind_text(s, 5, text_prefix(link->request->release, CENTRE_RELEASE_BYTES - 1));
    db_bind_int(s, 6, c->env->wall_ms(c->env->ctx));
    db_bind_int(s, 7, link->formerly_batch);
    db_bind_blob(s, 8, slice_of(link->formerly_chain.bytes, CHAIN_BYTES));
    db_bind_int(s, 9, link->formerly);
    db_bind_int(s, 10, link->formerly_batch);
    TRY(db_run(s, err));
    TRY(db_prepare(c->db, "UPDATE link SET device = ? WHERE code_hash = ?", &s, err));
    db_bind_int(s, 1, number);
    db_bind_blob(s, 2, slice_of(link->code.bytes, HASH_BYTES));
    return db_run(s, err);
}

static enum status enrol(struct centre *c, struct link *link, struct err *err) {
    struct db_stmt *s;
    int64_t from;
    bool row;
    if (c->env->wall_ms(c->env->ctx) >= link->expires_ms)
        return err_set(err, ST_GONE,
                       "this enrolment link has expired: ask head office for a new one",
                       "此注册链接已过期：请向总部索取新的链接");
    TRY(meta_int(c->db, "devices_from", &from, err));
    TRY(db_prepare(c->db, "SELECT coalesce(max(number), 0) + 1 FROM device", &s, err));
    TRY(db_step(s, &row, err));
    int64_t number = db_int(s, 0) > from ? db_int(s, 0) : from;
    db_reset(s);
    if (number > ID_DEVICE_MAX)
        return err_set(err, ST_TOO_LARGE, "all device numbers are used", "设备编号已用完");
    if (link->request->copy)
        TRY(centre_copy_find(c, link->user, link->request->copy, &link->formerly,
                             &link->formerly_batch, &link->formerly_chain, err));
    TRY(insert_device(c, link, (uint32_t)number, err));
    link->device = (uint32_t)number;
    return centre_news(c, err);
}

static enum status take_link(struct centre *c, void *ctx, struct err *err) {
    struct link *link = ctx;
    struct centre_user user;
    TRY(read_link(c, link, err));
    TRY(centre_user_by_id(c, link->user, &user, err));
    if (!user.active)
        return err_set(err, ST_DENIED, "the user %s is inactive", "用户 %s 已停用", user.login);
    if (!text_is_utf8(link->request->device_name) || !text_is_utf8(link->request->release))
        return err_set(err, ST_INVALID, "the name of the laptop is not text",
                       "电脑名称不是有效文本");
    return link->device ? check_again(c, link, err) : enrol(c, link, err);
}

enum status centre_link_take(struct centre *c, const struct enroll_request *request,
                             struct centre_device *out, struct err *err) {
    struct link link = {.request = request, .code = hash_sha256(request->code)};
    TRY(centre_write(c, take_link, &link, err));
    return centre_device(c, link.device, out, err);
}

/* ------------------------------------------------------------------ news */

enum status centre_people(struct centre *c, struct arena *mem, struct person **out,
                          size_t *out_count, struct err *err) {
    struct db_stmt *s;
    bool row;
    size_t count = 0, room = 0;
    struct person *people = NULL;
    TRY(db_prepare(
        c->db,
        "SELECT d.number, u.employee, u.name FROM device d JOIN org_user u ON u.id = d.user"
        " ORDER BY d.number",
        &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        if (count == room) {
            room = room ? room * 2 : 64;
            struct person *more = ARENA_ARRAY(mem, room, struct person);
            if (!more) status = err_no_memory(err);
            if (!more) break;
            if (count > 0) memcpy(more, people, count * sizeof *people);
            people = more;
        }
        struct slice name = arena_copy(mem, db_text(s, 2));
        people[count++] = (struct person){(uint32_t)db_int(s, 0), db_int(s, 1), name};
        status = name.data ? db_step(s, &row, err) : err_no_memory(err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = people;
    *out_count = count;
    return ST_OK;
}
