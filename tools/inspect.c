/* Shows what travels and what is stored: messages, traces, books; and asks a traced request again.
 *
 *   roadbook-inspect FILE...             a message, a traced request or reply, or a book
 *   roadbook-inspect FOLDER              every message of a trace
 *   roadbook-inspect replay FILE --url https://HOST:PORT [--cacert FILE | --pin PIN | --insecure]
 *
 * A replayed round is refused by its nonce: that is what it is for. The reply is shown.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol/session/session.h"
#include "syncd/platform/platform.h"
#include "syncd/store/store.h"

enum { FILE_BYTES_MAX = 64 * 1024 * 1024, HEAD_FIELDS_MAX = 32, FOLDER_FILES_MAX = 100000 };

struct inspect {
    struct env env;
    struct catalogue catalogue;
    enum lang lang;
    struct arena mem;
};

/* ------------------------------------------------------------------ traced messages */

struct traced {
    bool is_request;
    char *path;        /* requests */
    struct slice head; /* start line and fields */
    struct slice body;
};

static bool traced_read(struct slice file, struct arena *mem, struct traced *out) {
    const uint8_t *end = file.len > 4 ? memmem(file.data, file.len, "\r\n\r\n", 4) : NULL;
    *out = (struct traced){.body = file};
    if (!end) return false;
    out->is_request = slice_starts(file, SLICE("POST "));
    if (!out->is_request && !slice_starts(file, SLICE("HTTP/1.1 "))) return false;
    size_t head = (size_t)(end - file.data);
    out->head = slice_of(file.data, head);
    out->body = slice_of(end + 4, file.len - head - 4);
    struct slice rest = out->head, word;
    (void)slice_cut(&rest, ' ', &word);
    (void)slice_cut(&rest, ' ', &word);
    out->path = arena_string(mem, word);
    return true;
}

static bool is_message(struct slice body) {
    return body.len > 0 && body.data[0] != '{' && body.data[0] != '<';
}

static enum status body_print(struct inspect *in, struct slice body, struct err *err) {
    SCOPED(buf_free) struct buf out = buf_new(BUF_MAX_FILE);
    if (body.len == 0) return ST_OK;
    if (!is_message(body)) {
        printf("%.*s\n", (int)body.len, (const char *)body.data);
        return ST_OK;
    }
    enum status status = wire_write_json(body, &in->catalogue, &out, err);
    if (status == ST_MALFORMED ||
        status == ST_VERSION) { /* a trace holds what came, also when it was nonsense */
        printf("(%s)\n", err->text[in->lang]);
        return ST_OK;
    }
    TRY(status);
    TRY(buf_status(&out, err));
    printf("%s\n", buf_text(&out));
    return ST_OK;
}

static enum status message_print(struct inspect *in, const char *name, struct slice file,
                                 struct err *err) {
    struct traced traced;
    if (traced_read(file, &in->mem, &traced))
        printf("%s (%zu bytes)\n%.*s\n\n", name, traced.body.len, (int)traced.head.len,
               (const char *)traced.head.data);
    else
        printf("%s (%zu bytes)\n", name, traced.body.len);
    return body_print(in, traced.body, err);
}

/* ------------------------------------------------------------------ books */

static void text_print(struct slice text) {
    SCOPED(buf_free) struct buf hex = buf_new(BUF_MAX_MESSAGE);
    if (!text_is_utf8(text)) {
        buf_put_hex(&hex, text);
        text = buf_slice(&hex);
    }
    printf("%.*s", (int)text.len, (const char *)text.data);
}

static enum status sql_row(void *ctx, const char *const *names, const struct sql_cell *cells,
                           size_t count, struct err *err) {
    (void)ctx;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        const char *gap = i + 1 == count ? "\n" : "  ";
        if (!cells)
            printf("%s%s", names[i], gap);
        else if (cells[i].is_null)
            printf("-%s", gap);
        else if (cells[i].is_text) {
            text_print(cells[i].text);
            printf("%s", gap);
        } else if (cells[i].is_real)
            printf("%g%s", cells[i].real, gap);
        else
            printf("%lld%s", (long long)cells[i].number, gap);
    }
    return ST_OK;
}

struct name_list {
    char names[256][64];
    size_t count;
};

static enum status name_row(void *ctx, const char *const *names, const struct sql_cell *cells,
                            size_t count, struct err *err) {
    struct name_list *list = ctx;
    (void)names;
    (void)err;
    if (!cells || count != 1 || list->count == ARRAY_COUNT(list->names)) return ST_OK;
    (void)snprintf(list->names[list->count++], sizeof list->names[0], "%.*s",
                   (int)cells[0].text.len, (const char *)cells[0].text.data);
    return ST_OK;
}

static enum status count_row(void *ctx, const char *const *names, const struct sql_cell *cells,
                             size_t count, struct err *err) {
    (void)names;
    (void)err;
    if (cells && count == 1)
        printf("  %-28s %lld\n", (const char *)ctx, (long long)cells[0].number);
    return ST_OK;
}

static bool is_plain(const char *name) {
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_') return false;
    return true;
}

static enum status tables_print(struct store *store, struct err *err) {
    static struct name_list list;
    list.count = 0;
    TRY(store_sql(store, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
                  name_row, &list, err));
    for (size_t i = 0; i < list.count; i++) {
        char sql[128];
        if (!is_plain(list.names[i])) continue;
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", list.names[i]);
        (void)store_sql(store, sql, count_row, list.names[i], NULL);
    }
    return ST_OK;
}

static enum status outbox_row(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)ctx;
    (void)err;
    printf("  batch %u%s: %zu changes\n", (unsigned)entry->batch, entry->sent ? " (sent)" : "",
           entry->content->change_count);
    return ST_OK;
}

static enum status book_open(struct inspect *in, const char *path, enum store_kind kind,
                             struct store **out, struct err *err) {
    struct store_config config = {.path = path,
                                  .kind = kind,
                                  .read_only = true,
                                  .catalogue = &in->catalogue,
                                  .env = &in->env};
    return store_open(&config, out, err);
}

static bool has_table(struct store *store, const char *name) {
    static struct name_list list;
    char sql[128];
    list.count = 0;
    (void)snprintf(sql, sizeof sql, "SELECT name FROM sqlite_master WHERE name = '%s'", name);
    return store_sql(store, sql, name_row, &list, NULL) == ST_OK && list.count > 0;
}

static enum status book_print(struct inspect *in, const char *path, struct err *err) {
    struct store *store;
    enum store_kind kind = STORE_SERVER;
    enum status opened = book_open(in, path, kind, &store, err);
    if (opened == ST_INVALID) opened = book_open(in, path, kind = STORE_LAPTOP, &store, err);
    TRY(opened);
    printf("%s: the book of %s\n", path,
           kind == STORE_LAPTOP ? "a laptop" : "an org, at the server");
    enum status status = tables_print(store, err);
    if (status == ST_OK && kind == STORE_LAPTOP) {
        printf("outbox:\n");
        status = store_outbox(store, outbox_row, NULL, err);
    }
    if (status == ST_OK && kind == STORE_SERVER && has_table(store, "log")) {
        printf("the log's last entries:\n");
        status =
            store_sql(store, "SELECT * FROM log ORDER BY seq DESC LIMIT 20", sql_row, NULL, err);
    }
    store_close(store);
    return status;
}

/* ------------------------------------------------------------------ files and folders */

static enum status file_print(struct inspect *in, const char *path, struct err *err) {
    struct slice file;
    TRY(platform_read_file(path, BUF_MAX_FILE, &in->mem, &file, err));
    if (slice_starts(file, SLICE("SQLite format 3"))) return book_print(in, path, err);
    if (file.len > FILE_BYTES_MAX)
        return err_set(err, ST_TOO_LARGE, "%s is no message", "%s 不是消息文件", path);
    return message_print(in, path, file, err);
}

static enum status folder_print(struct inspect *in, const char *path, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    const char *const *names;
    size_t count;
    TRY(platform_list_dir(path, FOLDER_FILES_MAX, &mem, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        const char *name = arena_printf(&mem, "%s/%s", path, names[i]);
        if (!name) return err_no_memory(err);
        TRY(file_print(in, name, err));
        arena_clear(&in->mem);
        TRY(catalogue_release(&in->mem, &in->catalogue, err));
        (void)putchar('\n');
    }
    return ST_OK;
}

static enum status path_print(struct inspect *in, const char *path, struct err *err) {
    return platform_is_dir(path) ? folder_print(in, path, err) : file_print(in, path, err);
}

/* ------------------------------------------------------------------ replay */

static size_t on_body(char *data, size_t one, size_t count, void *ctx) {
    buf_put(ctx, data, one * count);
    return one * count;
}

static size_t on_head(char *data, size_t one, size_t count, void *ctx) {
    (void)ctx;
    (void)fwrite(data, one, count, stdout);
    return one * count;
}

static struct curl_slist *fields_of(const struct traced *traced, struct arena *mem) {
    struct curl_slist *list = NULL;
    struct slice rest = traced->head, line;
    (void)slice_cut(&rest, '\n', &line);
    while (slice_cut(&rest, '\n', &line)) {
        char *text = arena_string(mem, slice_trim(line));
        if (text && text[0]) list = curl_slist_append(list, text);
    }
    return curl_slist_append(list, "Expect:");
}

struct replay_options {
    const char *file, *url, *cacert, *pin;
    bool insecure;
};

static enum status replay_send(struct inspect *in, const struct replay_options *o,
                               const struct traced *traced, struct buf *reply, struct err *err) {
    CURL *curl = curl_easy_init();
    char *url = arena_printf(&in->mem, "%s%s", o->url, traced->path);
    if (!curl || !url) return err_no_memory(err);
    struct curl_slist *fields = fields_of(traced, &in->mem);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)traced->body.data);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)traced->body.len);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    if (o->cacert) curl_easy_setopt(curl, CURLOPT_CAINFO, o->cacert);
    if (o->pin) curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, o->pin);
    if (o->insecure || o->pin) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(fields);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        return err_set(err, ST_OFFLINE, "%s: %s", "%s：%s", url, curl_easy_strerror(code));
    return ST_OK;
}

static enum status replay(struct inspect *in, const struct replay_options *o, struct err *err) {
    struct slice file;
    struct traced traced;
    SCOPED(buf_free) struct buf reply = buf_new(BUF_MAX_MESSAGE);
    if (!o->file || !o->url)
        return err_set(err, ST_USAGE, "usage: roadbook-inspect replay FILE --url https://HOST:PORT",
                       "用法：roadbook-inspect replay 文件 --url https://主机:端口");
    TRY(platform_read_file(o->file, FILE_BYTES_MAX, &in->mem, &file, err));
    if (!traced_read(file, &in->mem, &traced) || !traced.is_request)
        return err_set(err, ST_INVALID, "%s is no traced request", "%s 不是请求记录", o->file);
    TRY(replay_send(in, o, &traced, &reply, err));
    return body_print(in, buf_slice(&reply), err);
}

static enum status replay_args(struct inspect *in, int argc, char **argv, struct err *err) {
    struct replay_options o = {0};
    for (int i = 2; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--url") == 0 && more)
            o.url = argv[++i];
        else if (strcmp(argv[i], "--cacert") == 0 && more)
            o.cacert = argv[++i];
        else if (strcmp(argv[i], "--pin") == 0 && more)
            o.pin = argv[++i];
        else if (strcmp(argv[i], "--insecure") == 0)
            o.insecure = true;
        else if (argv[i][0] != '-' && !o.file)
            o.file = argv[i];
        else
            return err_set(err, ST_USAGE, "unknown option %s", "未知选项 %s", argv[i]);
    }
    return replay(in, &o, err);
}

/* ------------------------------------------------------------------ main */

static void usage(void) {
    (void)puts(
        "roadbook-inspect FILE|FOLDER...   messages, traces and books in readable form\n"
        "roadbook-inspect replay FILE --url https://HOST:PORT [--cacert FILE | --pin PIN | "
        "--insecure]\n"
        "                                  sends a traced request again and shows the reply");
}

static enum status run(struct inspect *in, int argc, char **argv, struct err *err) {
    TRY(crypto_start(err));
    TRY(catalogue_release(&in->mem, &in->catalogue, err));
    if (strcmp(argv[1], "replay") == 0) return replay_args(in, argc, argv, err);
    for (int i = 1; i < argc; i++) TRY(path_print(in, argv[i], err));
    return ST_OK;
}

int main(int argc, char **argv) {
    struct inspect in = {.lang = platform_lang(), .mem = arena_new(BUF_MAX_FILE)};
    struct err err = {.status = ST_OK};
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        usage();
        return argc < 2 ? status_exit(ST_USAGE) : 0;
    }
    platform_env(&in.env);
    enum status status = run(&in, argc, argv, &err);
    if (status != ST_OK) (void)fprintf(stderr, "roadbook-inspect: %s\n", err.text[in.lang]);
    arena_clear(&in.mem);
    return status_exit(status);
}
