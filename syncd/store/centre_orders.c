/* Orders that outlive a restore (orders.h). The file is only ever appended to, inside a write
 * transaction of the book, so that one writer at a time does it. */
#include "syncd/store/orders.h"

#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/centre_copy.h"
#include "syncd/store/centre_private.h"

enum { SUM_DIGITS = 16, ORDERS_MEMORY = 4 * ORDERS_BYTES_MAX, WORDS_MAX = 6 };
#define COPY_NAME "revoked"

struct order {
    bool of_user;
    uint32_t device;
    bool wipe, active;
    int64_t time_ms;
    struct slice key, login; /* bytes */
};

struct orders {
    struct arena mem;
    char path[ORDERS_PATH_BYTES];
    struct slice bytes;
    struct order *items;
    size_t count;
    size_t bad_lines;
};

static void orders_free(struct orders *o) {
    arena_clear(&o->mem);
}

/* ------------------------------------------------------------------ where */

enum status book_beside(const char *book_path, const char *suffix, char out[ORDERS_PATH_BYTES],
                        struct err *err) {
    size_t len = strlen(book_path);
    if (len > 3 && strcmp(book_path + len - 3, ".db") == 0) len -= 3;
    int written = snprintf(out, ORDERS_PATH_BYTES, "%.*s%s", (int)len, book_path, suffix);
    if (written > 0 && written < ORDERS_PATH_BYTES) return ST_OK;
    return err_set(err, ST_TOO_LARGE, "the path of the book is too long", "账本路径过长");
}

enum status orders_path(const char *book_path, char out[ORDERS_PATH_BYTES], struct err *err) {
    return book_beside(book_path, ".revoked", out, err);
}

/* ------------------------------------------------------------------ lines */

static void put_line(const struct order *o, struct buf *out) {
    SCOPED(buf_free) struct buf line = buf_new(BUF_MAX_LINE);
    if (o->of_user)
        buf_printf(&line, "user %d %lld ", o->active ? 1 : 0, (long long)o->time_ms);
    else
        buf_printf(&line, "device %u %d %lld ", (unsigned)o->device, o->wipe ? 1 : 0,
                   (long long)o->time_ms);
    buf_put_hex(&line, o->of_user ? o->login : o->key);
    struct hash sum = hash_sha256(buf_slice(&line));
    buf_put_slice(out, buf_slice(&line));
    buf_put_text(out, " ");
    buf_put_hex(out, slice_of(sum.bytes, SUM_DIGITS / 2));
    buf_put_text(out, "\n");
    if (line.failed) out->failed = true;
}

static bool sum_is_right(struct slice line, struct slice *out_said) {
    SCOPED(buf_free) struct buf sum = buf_new(BUF_MAX_LINE);
    if (line.len < SUM_DIGITS + 2) return false;
    struct slice said = {line.data, line.len - SUM_DIGITS - 1};
    struct hash hash = hash_sha256(said);
    buf_put_hex(&sum, slice_of(hash.bytes, SUM_DIGITS / 2));
    *out_said = said;
    return line.data[said.len] == ' ' &&
           slice_equal(buf_slice(&sum), slice_of(line.data + said.len + 1, SUM_DIGITS));
}

static bool take_hex(struct slice text, struct arena *mem, struct slice *out) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_LINE);
    if (!hex_decode(text, &bytes)) return false;
    *out = arena_copy(mem, buf_slice(&bytes));
    return out->data != NULL;
}

static bool take_words(struct slice *words, size_t count, struct arena *mem, struct order *out) {
    int64_t device = 0, flag, time_ms;
    struct order o = {.of_user = count == 4};
    size_t at = o.of_user ? 1 : 2;
    bool named = o.of_user ? slice_equal(words[0], SLICE("user"))
                           : count == 5 && slice_equal(words[0], SLICE("device")) &&
                                 text_to_int(words[1], &device);
    if (!named || !text_to_int(words[at], &flag) || !text_to_int(words[at + 1], &time_ms))
        return false;
    o.device = (uint32_t)device;
    o.wipe = !o.of_user && flag == 1;
    o.active = o.of_user && flag == 1;
    o.time_ms = time_ms;
    if (!take_hex(words[at + 2], mem, o.of_user ? &o.login : &o.key)) return false;
    *out = o;
    return o.of_user || o.key.len == SIGN_PUBLIC_BYTES;
}

static bool take_line(struct slice line, struct arena *mem, struct order *out) {
    struct slice said, words[WORDS_MAX];
    size_t count = 0;
    if (!sum_is_right(line, &said)) return false;
    while (count < WORDS_MAX && slice_cut(&said, ' ', &words[count])) count++;
    return count >= 4 && take_words(words, count, mem, out);
}

static size_t count_lines(struct slice bytes) {
    size_t count = 1;
    for (size_t i = 0; i < bytes.len; i++) count += bytes.data[i] == '\n';
    return count;
}

/* None there is an empty one. */
static enum status orders_read(const char *path, struct orders *out, struct err *err) {
    struct slice rest, line;
    *out = (struct orders){.mem = arena_new(ORDERS_MEMORY)};
    (void)snprintf(out->path, sizeof out->path, "%s", path);
    if (platform_exists(path))
        TRY(platform_read_file(path, ORDERS_BYTES_MAX, &out->mem, &out->bytes, err));
    out->items = ARENA_ARRAY(&out->mem, count_lines(out->bytes), struct order);
    if (!out->items) return err_no_memory(err);
    rest = out->bytes;
    while (slice_cut(&rest, '\n', &line)) {
        if (line.len == 0) continue;
        if (take_line(line, &out->mem, &out->items[out->count]))
            out->count++;
        else
            out->bad_lines++;
    }
    return ST_OK;
}

static enum status orders_of(struct centre *c, struct orders *out, struct err *err) {
    char path[ORDERS_PATH_BYTES];
    *out = (struct orders){0};
    TRY(orders_path(c->store->path, path, err));
    return orders_read(path, out, err);
}

/* The copy's folder is a second place: what cannot be written there now, the next opening writes.
 */
static void copy_to(struct centre *c, struct slice bytes) {
    struct centre_copy copy;
    char path[COPY_PATH_BYTES + sizeof "/" COPY_NAME];
    struct platform_file_info info;
    if (centre_copy(c, &copy, NULL) != ST_OK || !copy.on) return;
    (void)snprintf(path, sizeof path, "%s/%s", copy.dir, COPY_NAME);
    if (platform_file_info(path, &info, NULL) == ST_OK && info.bytes == (int64_t)bytes.len) return;
    (void)platform_write_file_private(path, bytes, NULL);
}

static enum status append(struct centre *c, const struct orders *o, const struct buf *lines,
                          struct err *err) {
    SCOPED(buf_free) struct buf whole = buf_new(ORDERS_BYTES_MAX);
    bool torn = o->bytes.len > 0 && o->bytes.data[o->bytes.len - 1] != '\n';
    if (torn) buf_put_text(&whole, "\n");
    buf_put_slice(&whole, buf_slice(lines));
    TRY(buf_status(&whole, err));
    if (whole.len > 0) TRY(platform_append(o->path, (int64_t)o->bytes.len, buf_slice(&whole), err));
    if (!c) return ST_OK;
    buf_reset(&whole);
    buf_put_slice(&whole, o->bytes);
    if (torn) buf_put_text(&whole, "\n");
    buf_put_slice(&whole, buf_slice(lines));
    if (whole.len > 0 && !whole.failed) copy_to(c, buf_slice(&whole));
    return ST_OK;
}

/* ------------------------------------------------------------------ what stands in it */

static bool same_laptop(const struct order *a, const struct order *b) {
    return !a->of_user && a->device == b->device && slice_equal(a->key, b->key);
}

/* A later line with the same laptop can only say more. */
static bool has_device(const struct orders *o, const struct order *order) {
    for (size_t i = 0; i < o->count; i++)
        if (same_laptop(&o->items[i], order) && (o->items[i].wipe || !order->wipe)) return true;
    return false;
}

/* The last line of a user counts; NULL: there is none. */
static const struct order *last_of_user(const struct orders *o, struct slice login) {
    for (size_t i = o->count; i > 0; i--)
        if (o->items[i - 1].of_user && slice_equal(o->items[i - 1].login, login))
            return &o->items[i - 1];
    return NULL;
}

/* ------------------------------------------------------------------ giving an order */

static enum status give(struct centre *c, const struct order *order, struct err *err) {
    struct orders o;
    SCOPED(buf_free) struct buf line = buf_new(BUF_MAX_LINE);
    put_line(order, &line);
    enum status status = buf_status(&line, err);
    if (status != ST_OK) return status;
    status = orders_of(c, &o, err);
    bool known = status == ST_OK && !order->of_user && has_device(&o, order);
    if (status == ST_OK && !known) status = append(c, &o, &line, err);
    orders_free(&o);
    return status;
}

enum status centre_order_device(struct centre *c, uint32_t number, struct err *err) {
    struct db_stmt *s;
    uint8_t key[SIGN_PUBLIC_BYTES];
    struct order order = {.device = number, .key = slice_of(key, sizeof key)};
    bool row;
    TRY(db_prepare(c->db, "SELECT wipe, revoked_ms, public_key FROM device WHERE number = ?", &s,
                   err));
    db_bind_int(s, 1, number);
    TRY(db_step(s, &row, err));
    bool sound = row && db_blob(s, 2).len == sizeof key;
    if (sound) {
        order.wipe = db_int(s, 0) != 0;
        order.time_ms = db_int(s, 1);
        memcpy(key, db_blob(s, 2).data, sizeof key);
    }
    db_reset(s);
    return sound ? give(c, &order, err) : ST_OK;
}

enum status centre_order_user(struct centre *c, int64_t user, struct err *err) {
    struct centre_user it;
    TRY(centre_user_by_id(c, user, &it, err));
    struct order order = {.of_user = true,
                          .active = it.active,
                          .time_ms = c->env->wall_ms(c->env->ctx),
                          .login = slice_from(it.login)};
    return give(c, &order, err);
}

/* ------------------------------------------------------------------ at each opening */

static enum status obey_device(struct centre *c, const struct order *o, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "UPDATE device SET revoked = 1, wipe = max(wipe, ?1), revoked_ms = ?2"
                   " WHERE number = ?3 AND public_key = ?4 AND (revoked = 0 OR wipe < ?1)",
                   &s, err));
    db_bind_int(s, 1, o->wipe);
    db_bind_int(s, 2, o->time_ms);
    db_bind_int(s, 3, o->device);
    db_bind_blob(s, 4, o->key);
    return db_run(s, err);
}

static enum status obey_user(struct centre *c, const struct orders *all, const struct order *o,
                             struct err *err) {
    struct db_stmt *s;
    bool stands = !o->active && last_of_user(all, o->login) == o;
    TRY(db_prepare(c->db, "UPDATE org_user SET active = 0 WHERE login = ?1 AND active <> 0 AND ?2",
                   &s, err));
    db_bind_text(s, 1, o->login);
    db_bind_int(s, 2, stands);
    return db_run(s, err);
}

static enum status add_devices(struct centre *c, const struct orders *o, struct buf *lines,
                               struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db,
                   "SELECT number, wipe, revoked_ms, public_key FROM device WHERE revoked <> 0 AND "
                   "number > 0",
                   &s, err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        struct order order = {.device = (uint32_t)db_int(s, 0),
                              .wipe = db_int(s, 1) != 0,
                              .time_ms = db_int(s, 2),
                              .key = db_blob(s, 3)};
        if (order.key.len == SIGN_PUBLIC_BYTES && !has_device(o, &order)) put_line(&order, lines);
    }
    db_reset(s);
    return ST_OK;
}

static enum status add_users(struct centre *c, const struct orders *o, struct buf *lines,
                             struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT login FROM org_user WHERE active = 0", &s, err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        struct order order = {
            .of_user = true, .time_ms = c->env->wall_ms(c->env->ctx), .login = db_text(s, 0)};
        if (!last_of_user(o, order.login)) put_line(&order, lines);
    }
    db_reset(s);
    return ST_OK;
}

struct obeying {
    struct orders *orders;
    int64_t applied;
};

static enum status obey(struct centre *c, void *ctx, struct err *err) {
    struct obeying *it = ctx;
    for (size_t i = 0; i < it->orders->count; i++) {
        const struct order *o = &it->orders->items[i];
        TRY(o->of_user ? obey_user(c, it->orders, o, err) : obey_device(c, o, err));
        it->applied += db_changes(c->db);
    }
    return it->applied > 0 ? centre_news(c, err) : ST_OK;
}

struct writing_down {
    struct buf *lines;
};

static enum status write_down(struct centre *c, void *ctx, struct err *err) {
    struct writing_down *it = ctx;
    struct orders o;
    enum status status = orders_of(c, &o, err); /* as it is while nobody else writes */
    if (status == ST_OK) status = append(c, &o, it->lines, err);
    orders_free(&o);
    return status;
}

/* Orders that the book does not obey: asked first, so that an ordinary opening writes nothing. */
static enum status disobeyed(struct centre *c, const struct orders *all, const struct order *o,
                             bool *out, struct err *err) {
    struct db_stmt *s;
    const char *sql =
        o->of_user ? "SELECT 1 FROM org_user WHERE login = ?1 AND active <> 0"
                   : "SELECT 1 FROM device WHERE number = ?2 AND public_key = ?1 AND (revoked = 0 "
                     "OR wipe < ?3)";
    *out = false;
    if (o->of_user && (o->active || last_of_user(all, o->login) != o)) return ST_OK;
    TRY(db_prepare(c->db, sql, &s, err));
    if (o->of_user)
        db_bind_text(s, 1, o->login);
    else
        db_bind_blob(s, 1, o->key);
    if (!o->of_user) db_bind_int(s, 2, o->device);
    if (!o->of_user) db_bind_int(s, 3, o->wipe);
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

static enum status any_disobeyed(struct centre *c, const struct orders *o, bool *out,
                                 struct err *err) {
    *out = false;
    for (size_t i = 0; i < o->count && !*out; i++) TRY(disobeyed(c, o, &o->items[i], out, err));
    return ST_OK;
}

static enum status make_ready(struct centre *c, struct orders *o, int64_t *applied,
                              struct err *err) {
    SCOPED(buf_free) struct buf lines = buf_new(ORDERS_BYTES_MAX);
    struct obeying obeying = {.orders = o};
    struct writing_down down = {&lines};
    bool any;
    TRY(any_disobeyed(c, o, &any, err));
    if (any) TRY(centre_write(c, obey, &obeying, err));
    *applied = obeying.applied;
    TRY(add_devices(c, o, &lines, err));
    TRY(add_users(c, o, &lines, err));
    TRY(buf_status(&lines, err));
    if (lines.len > 0) return centre_write(c, write_down, &down, err);
    if (o->bytes.len > 0) copy_to(c, o->bytes);
    return ST_OK;
}

enum status centre_orders_ready(struct centre *c, int64_t *out_applied, struct err *err) {
    struct orders o;
    int64_t applied = 0;
    enum status status = orders_of(c, &o, err);
    if (status == ST_OK) status = make_ready(c, &o, &applied, err);
    orders_free(&o);
    if (status == ST_OK) *out_applied = applied;
    return status;
}

/* ------------------------------------------------------------------ from elsewhere */

static enum status adopt(const char *from, const char *to, struct err *err) {
    struct orders a, b = {0};
    SCOPED(buf_free) struct buf lines = buf_new(ORDERS_BYTES_MAX);
    enum status status = orders_read(from, &a, err);
    if (status == ST_OK) status = orders_read(to, &b, err);
    for (size_t i = 0; status == ST_OK && i < a.count; i++) {
        const struct order *o = &a.items[i], *there;
        there = o->of_user ? last_of_user(&b, o->login) : NULL;
        bool news = o->of_user ? !there || there->time_ms < o->time_ms : !has_device(&b, o);
        if (news) put_line(o, &lines);
    }
    if (status == ST_OK) status = buf_status(&lines, err);
    if (status == ST_OK) status = append(NULL, &b, &lines, err);
    orders_free(&a);
    orders_free(&b);
    return status;
}

enum status orders_adopt(const char *from_book, const char *to_book, struct err *err) {
    char from[ORDERS_PATH_BYTES], to[ORDERS_PATH_BYTES];
    TRY(orders_path(from_book, from, err));
    TRY(orders_path(to_book, to, err));
    return platform_exists(from) && strcmp(from, to) != 0 ? adopt(from, to, err) : ST_OK;
}

enum status orders_from_copy(const char *dir, const char *book_path, struct err *err) {
    char from[ORDERS_PATH_BYTES], to[ORDERS_PATH_BYTES];
    if (snprintf(from, sizeof from, "%s/%s", dir, COPY_NAME) >= (int)sizeof from) return ST_OK;
    TRY(orders_path(book_path, to, err));
    return platform_exists(from) ? adopt(from, to, err) : ST_OK;
}

/* ------------------------------------------------------------------ verify */

static enum status verify_orders(struct centre *c, const struct orders *o, struct buf *out,
                                 struct err *err) {
    for (size_t i = 0; i < o->count; i++) {
        bool bad;
        TRY(disobeyed(c, o, &o->items[i], &bad, err));
        if (bad && o->items[i].of_user)
            buf_printf(out, "orders: user %.*s was deactivated, and is active in this book\n",
                       (int)o->items[i].login.len, (const char *)o->items[i].login.data);
        else if (bad)
            buf_printf(out, "orders: laptop %u was revoked, and is not in this book\n",
                       (unsigned)o->items[i].device);
    }
    if (o->bad_lines > 0)
        buf_printf(out, "orders: %zu lines of %s cannot be read\n", o->bad_lines, o->path);
    return buf_status(out, err);
}

enum status centre_orders_verify(struct centre *c, struct buf *out_findings, struct err *err) {
    struct orders o;
    enum status status = orders_of(c, &o, err);
    if (status == ST_OK) status = verify_orders(c, &o, out_findings, err);
    orders_free(&o);
    return status;
}
