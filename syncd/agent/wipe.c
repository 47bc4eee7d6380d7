/* Deleting the book by order of head office. */
#include "syncd/agent/wipe.h"

#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"

enum { WIPE_PATH_BYTES = 4096, WIPE_FILE_BYTES_MAX = 256 * 1024, WIPE_CONNECT_MS = 15000 };

static enum status path_of(const char *home, const char *name, char out[WIPE_PATH_BYTES],
                           struct err *err) {
    int n = snprintf(out, WIPE_PATH_BYTES, "%s/%s", home, name);
    if (n > 0 && n < WIPE_PATH_BYTES) return ST_OK;
    return err_set(err, ST_INVALID, "the path is too long: %s", "路径过长：%s", home);
}

/* ------------------------------------------------------------------ the tombstone */

struct tombstone {
    int64_t order_ms;
    bool told;
    struct slice org, base_url, path, body; /* body in base64 */
    struct slice pin;                       /* in base64; empty: none */
    struct session_field fields[SESSION_FIELDS_MAX];
    size_t field_count;
};

static void put_member(struct buf *out, const char *name, struct slice text) {
    buf_printf(out, ",\n \"%s\":", name);
    buf_put_json_string(out, text);
}

static enum status tombstone_write(const char *home, const struct tombstone *t, struct err *err) {
    SCOPED(buf_free) struct buf out = buf_new(WIPE_FILE_BYTES_MAX);
    char path[WIPE_PATH_BYTES];
    TRY(path_of(home, WIPE_TOMBSTONE_FILE, path, err));
    buf_put_text(&out, "{\"why\":\"Head office has had the book on this laptop deleted. / "
                       "总部已下令删除本机账本。\"");
    buf_printf(&out, ",\n \"order_ms\":%lld,\n \"told\":%d", (long long)t->order_ms, t->told);
    put_member(&out, "org", t->org);
    put_member(&out, "base_url", t->base_url);
    put_member(&out, "pin", t->pin);
    put_member(&out, "path", t->path);
    put_member(&out, "body", t->body);
    buf_put_text(&out, ",\n \"fields\":[");
    for (size_t i = 0; i < t->field_count; i++) {
        buf_put_text(&out, i ? ",[" : "[");
        buf_put_json_text(&out, t->fields[i].name);
        buf_put_text(&out, ",");
        buf_put_json_text(&out, t->fields[i].value);
        buf_put_text(&out, "]");
    }
    buf_put_text(&out, "]}\n");
    TRY(buf_status(&out, err));
    return platform_write_file_private(path, buf_slice(&out), err);
}

static enum status damaged(struct err *err) {
    return err_set(err, ST_DAMAGED, "%s cannot be read", "无法读取 %s", WIPE_TOMBSTONE_FILE);
}

static enum status take_field(const struct json *pair, struct arena *mem, struct tombstone *t,
                              struct err *err) {
    struct slice name, value;
    if (t->field_count == SESSION_FIELDS_MAX || !json_text(json_item(pair, 0), &name) ||
        !json_text(json_item(pair, 1), &value))
        return damaged(err);
    struct session_field field = {arena_string(mem, name), arena_string(mem, value)};
    if (!field.name || !field.value) return err_no_memory(err);
    t->fields[t->field_count++] = field;
    return ST_OK;
}

static bool take_text(const struct json *root, const char *name, struct arena *mem,
                      struct slice *out) {
    struct slice text;
    if (!json_text(json_member(root, name), &text)) return false;
    *out = arena_copy(mem, text);
    return out->data != NULL;
}

/* ST_NOT_FOUND: there is none. */
static enum status tombstone_read(const char *home, struct arena *mem, struct tombstone *out,
                                  struct err *err) {
    SCOPED(json_free) struct json *root = NULL;
    struct tombstone t = {0};
    struct slice bytes;
    char path[WIPE_PATH_BYTES];
    int64_t told;
    TRY(path_of(home, WIPE_TOMBSTONE_FILE, path, err));
    TRY(platform_read_file(path, WIPE_FILE_BYTES_MAX, mem, &bytes, err));
    if (json_parse(bytes, &root, err) != ST_OK) return damaged(err);
    bool whole =
        json_int(json_member(root, "order_ms"), &t.order_ms) &&
        json_int(json_member(root, "told"), &told) && take_text(root, "org", mem, &t.org) &&
        take_text(root, "base_url", mem, &t.base_url) && take_text(root, "pin", mem, &t.pin) &&
        take_text(root, "path", mem, &t.path) && take_text(root, "body", mem, &t.body);
    if (!whole) return damaged(err);
    t.told = told != 0;
    const struct json *fields = json_member(root, "fields");
    for (size_t i = 0; i < json_count(fields); i++)
        TRY(take_field(json_item(fields, i), mem, &t, err));
    *out = t;
    return ST_OK;
}

/* ------------------------------------------------------------------ deleting */

static enum status erase(const char *home, struct err *err) {
    static const char *const KEEP[] = {WIPE_TOMBSTONE_FILE, AGENT_LOCK_FILE, "daemon.lock"};
    return platform_erase_dir(home, KEEP, ARRAY_COUNT(KEEP), err);
}

static enum status bury(struct store *store, const char *home, const struct device_order *order,
                        const struct env *env, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(WIPE_FILE_BYTES_MAX * 4);
    SCOPED(buf_free) struct buf body = buf_new(WIPE_FILE_BYTES_MAX);
    SCOPED(buf_free) struct buf pin = buf_new(BUF_MAX_LINE);
    struct store_identity identity;
    struct session_identity mine;
    struct session_http request;
    TRY(store_identity(store, &identity, err));
    agent_identity(&identity, &mine);
    enum status status = session_wiped_request(&mine, order->time_ms, SLICE(ROADBOOK_VERSION), env,
                                               &mem, &request, err);
    bytes_wipe(&mine, sizeof mine);
    bytes_wipe(identity.key_seed, sizeof identity.key_seed);
    TRY(status);
    buf_put_base64(&body, request.body, false);
    if (identity.has_tls_pin)
        buf_put_base64(&pin, slice_of(identity.tls_pin, sizeof identity.tls_pin), false);
    struct tombstone t = {.order_ms = order->time_ms,
                          .org = slice_from(identity.org),
                          .base_url = slice_from(identity.base_url),
                          .path = slice_from(request.path),
                          .body = buf_slice(&body),
                          .pin = buf_slice(&pin),
                          .field_count = request.field_count};
    memcpy(t.fields, request.fields, sizeof t.fields);
    TRY(buf_status(&body, err));
    return tombstone_write(home, &t, err);
}

enum status wipe_book(struct store **store, const char *home, const struct device_order *order,
                      const struct env *env, struct err *err) {
    bool any;
    TRY(agent_outbox_has_any(*store, &any, err));
    if (any)
        return err_set(
            err, ST_BUSY,
            "something was saved since the last sync: it goes to head office first; sync "
            "again",
            "上次同步之后又有保存：须先交给总部，请再次同步");
    TRY(bury(*store, home, order, env, err));
    store_close(*store);
    *store = NULL;
    return erase(home, err);
}

static enum status says_why(struct err *err) {
    return err_set(
        err, ST_REVOKED,
        "head office has had the book on this laptop deleted; what was not sent then is "
        "with head office. For a new book ask head office for a link, then run: roadbook "
        "enroll",
        "总部已下令删除本机账本；当时未发送的修改已交由总部处理。如需新账本，请向总部索取"
        "链接，然后运行 roadbook enroll");
}

enum status wipe_check(const char *home, struct err *err) {
    char path[WIPE_PATH_BYTES];
    TRY(path_of(home, WIPE_TOMBSTONE_FILE, path, err));
    if (!platform_exists(path)) return ST_OK;
    TRY(erase(home, err));
    return says_why(err);
}

/* ------------------------------------------------------------------ telling */

static enum status tell(const struct tombstone *t, struct arena *mem, struct err *err) {
    SCOPED(buf_free) struct buf body = buf_new(WIPE_FILE_BYTES_MAX);
    SCOPED(buf_free) struct buf pin = buf_new(BUF_MAX_LINE);
    struct session_http request = {.method = "POST", .field_count = t->field_count}, reply;
    struct transport *transport;
    const char *url = arena_string(mem, t->base_url);
    request.path = arena_string(mem, t->path);
    if (!url || !request.path) return err_no_memory(err);
    if (!base64_decode(t->body, false, &body) || !base64_decode(t->pin, false, &pin))
        return damaged(err);
    memcpy(request.fields, t->fields, sizeof request.fields);
    request.body = buf_slice(&body);
    struct transport_config config = {.base_url = url,
                                      .tls_pin = pin.len == HASH_BYTES ? pin.data : NULL,
                                      .connect_ms = WIPE_CONNECT_MS};
    TRY(transport_open(&config, &transport, err));
    enum status status = transport_exchange(transport, &request, mem, &reply, err);
    transport_close(transport);
    TRY(status);
    return reply.code == 200 ? ST_OK : session_problem(&reply, err);
}

enum status wipe_tell(const char *home, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(16 * 1024 * 1024);
    struct tombstone t;
    enum status status = tombstone_read(home, &mem, &t, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    TRY(status);
    if (t.told) return ST_OK;
    TRY(tell(&t, &mem, err));
    t.told = true;
    return tombstone_write(home, &t, err);
}

enum status wipe_forget(const char *home, struct err *err) {
    char path[WIPE_PATH_BYTES];
    TRY(path_of(home, WIPE_TOMBSTONE_FILE, path, err));
    if (!platform_exists(path)) return ST_OK;
    TRY(erase(home, err));
    return platform_remove(path, err);
}
