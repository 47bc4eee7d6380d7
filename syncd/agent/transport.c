/* HTTPS by libcurl, which only this file includes.
 *
 * One easy handle per transport keeps connection and TLS session; HTTP/1.1, since one exchange at a
 * time gains nothing by 2. libcurl adds Host and Content-Length and no other field: an idle round
 * has to fit 700 bytes. Redirects are not followed: what is signed for one address is not for
 * another.
 *
 * With a pin the key of the server's certificate is compared and nothing else: a wrong clock of the
 * laptop then locks nobody out, and a certificate made at init needs no authority.
 */
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/agent/transport.h"

enum {
    CONNECT_MS = 15 * 1000,
    EXCHANGE_MS = 120 * 1000,
    STALL_S = 60, /* above the 50 s that a wait is held */
    REPLY_HEADER_BYTES_MAX = 16 * 1024,
    URL_BYTES_MAX = 512
};

struct transport {
    CURL *easy;
    char base_url[URL_BYTES_MAX];
    char url[URL_BYTES_MAX]; /* of the exchange under way */
    void (*progress)(void *ctx, uint64_t sent_bytes, uint64_t received_bytes);
    void *progress_ctx;
    atomic_bool cancelled;
    struct transport_bytes bytes;
    uint64_t connects;
    bool renew;                    /* before the next exchange */
    char trouble[CURL_ERROR_SIZE]; /* libcurl's own words for the last fault */
};

enum status transport_start(struct err *err) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) return ST_OK;
    return err_set(err, ST_INTERNAL, "the HTTP library does not start", "HTTP 库无法启动");
}

void transport_end(void) {
    curl_global_cleanup();
}

/* ------------------------------------------------------------------ errors */

/* What a code of libcurl means for the person at the laptop. Certificates and proxies have
 * functions of their own below, since the code alone does not tell their cases apart. */
struct trouble_row {
    CURLcode code;
    enum status status;
    const char *text[LANG_COUNT];
};

static const struct trouble_row TROUBLE_ROWS[] = {
    {CURLE_COULDNT_RESOLVE_HOST,
     ST_OFFLINE,
     {"the server's name was not found: no network, or a wrong address",
      "找不到服务器名称：没有网络，或地址有误"}},
    {CURLE_COULDNT_RESOLVE_PROXY,
     ST_OFFLINE,
     {"the proxy's name was not found; check HTTPS_PROXY", "找不到代理名称；请检查 HTTPS_PROXY"}},
    {CURLE_COULDNT_CONNECT,
     ST_OFFLINE,
     {"the server does not answer at this address: it is down, or a firewall or proxy is in the "
      "way",
      "该地址的服务器没有响应：服务器未运行，或被防火墙、代理阻挡"}},
    {CURLE_OPERATION_TIMEDOUT,
     ST_OFFLINE,
     {"the server did not answer in time; the connection is slow or cut, the work is kept and sent "
      "later",
      "服务器未及时响应；网络缓慢或中断，数据已保留，稍后发送"}},
    {CURLE_SEND_ERROR, ST_OFFLINE, {"the connection was cut while sending", "发送时连接中断"}},
    {CURLE_RECV_ERROR, ST_OFFLINE, {"the connection was cut while receiving", "接收时连接中断"}},
    {CURLE_GOT_NOTHING,
     ST_OFFLINE,
     {"the server closed the connection without an answer", "服务器未答复即关闭连接"}},
    {CURLE_PARTIAL_FILE, ST_OFFLINE, {"the reply was cut short", "回复不完整"}},
    {CURLE_PROXY,
     ST_OFFLINE,
     {"the proxy refuses the connection; check HTTPS_PROXY and its sign-in",
      "代理拒绝连接；请检查 HTTPS_PROXY 及其登录"}},
    {CURLE_SSL_CONNECT_ERROR,
     ST_OFFLINE,
     {"no secure connection comes about; something that is not the server may answer at this "
      "address",
      "无法建立安全连接；该地址可能不是 Roadbook 服务器"}},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH,
     ST_UNAUTHENTIC,
     {"the server's certificate is not the one of the enrolment link: this network may be "
      "intercepted, try another; "
      "or the server has a new certificate, ask the administrator for a new link",
      "服务器证书与注册链接中的不一致：网络可能被监听，请换一个网络；或服务器已更换证书，请向管理员"
      "索取新的链接"}},
    {CURLE_SSL_CACERT_BADFILE,
     ST_INVALID,
     {"the file of certificate authorities cannot be read", "无法读取证书颁发机构文件"}},
    {CURLE_UNSUPPORTED_PROTOCOL,
     ST_INVALID,
     {"the server's address is not https", "服务器地址不是 https"}},
    {CURLE_URL_MALFORMAT, ST_INVALID, {"the server's address is not valid", "服务器地址无效"}},
    {CURLE_WEIRD_SERVER_REPLY,
     ST_MALFORMED,
     {"what answers is not a web server", "应答的不是网页服务器"}},
    {CURLE_OUT_OF_MEMORY, ST_NO_MEMORY, {"out of memory", "内存不足"}},
    {CURLE_ABORTED_BY_CALLBACK, ST_CANCELLED, {"cancelled", "已取消"}},
};

/* A certificate that does not stand: a wrong date of this laptop is the usual cause, and the one
 * that the person can mend. The verdicts are X509_V_ERR_CERT_NOT_YET_VALID and
 * X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL. */
static enum status certificate_trouble(const struct transport *t, struct err *err) {
    long verdict = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (verdict == 9 || verdict == 10) {
        return err_set(
            err, ST_UNAUTHENTIC,
            "the server's certificate is not valid today: check this laptop's date and time; if "
            "they are "
            "right, tell the administrator that the certificate has run out",
            "服务器证书今天无效：请检查本机的日期和时间；若无误，请告知管理员证书已过期");
    }
    return err_set(
        err, ST_UNAUTHENTIC,
        "the server's certificate is not trusted (%s): this network may be intercepted, try "
        "another; or ask "
        "the administrator for an enrolment link with a pin",
        "服务器证书不受信任（%s）：网络可能被监听，请换一个网络；或向管理员索取带指纹的注册链接",
        t->trouble);
}

/* Where a proxy refuses the tunnel, its code says why. */
static enum status proxy_trouble(long code, struct err *err) {
    if (code == 407) {
        return err_set(
            err, ST_OFFLINE,
            "the proxy wants a sign-in; set it in HTTPS_PROXY as http://user:password@host:port",
            "代理需要登录；请在 HTTPS_PROXY 中设置 http://用户:密码@主机:端口");
    }
    return err_set(err, ST_OFFLINE,
                   "the proxy does not let the connection through (HTTP %ld); ask who runs it",
                   "代理不允许该连接（HTTP %ld）；请联系代理管理员", code);
}

static enum status trouble(const struct transport *t, CURLcode code, struct err *err) {
    long proxy_code = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_code);
    if (code == CURLE_PEER_FAILED_VERIFICATION) return certificate_trouble(t, err);
    if (proxy_code >= 300) return proxy_trouble(proxy_code, err);
    for (size_t i = 0; i < ARRAY_COUNT(TROUBLE_ROWS); i++) {
        const struct trouble_row *row = &TROUBLE_ROWS[i];
        if (row->code != code) continue;
        return err_set(err, row->status, "%s: %s%.0s", "%s：%.0s%s", t->base_url,
                       row->text[LANG_EN], row->text[LANG_ZH]);
    }
    return err_set(err, ST_OFFLINE, "%s: the exchange failed: %s", "%s：通信失败：%s", t->base_url,
                   t->trouble[0] ? t->trouble : curl_easy_strerror(code));
}

/* ------------------------------------------------------------------ one reply */

struct reply {
    struct session_http http;
    struct buf body;
    size_t header_bytes;
    struct arena *mem;
    enum status status; /* why a callback stopped libcurl */
};

/* Fields that session reads; others are not worth the arena. */
static bool is_wanted(struct slice name) {
    static const char *const wanted[] = {"content-type", "content-digest", "signature-input",
                                         "signature",    "roadbook-nonce", "retry-after"};
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        size_t len = strlen(wanted[i]);
        if (name.len == len && curl_strnequal((const char *)name.data, wanted[i], len)) return true;
    }
    return false;
}

static enum status keep_field(struct reply *r, struct slice line) {
    struct slice rest = slice_trim(line), name;
    if (!slice_cut(&rest, ':', &name) || !is_wanted(name)) return ST_OK;
    if (r->http.field_count == SESSION_FIELDS_MAX) return ST_MALFORMED;
    const char *name_text = arena_string(r->mem, name);
    const char *value = arena_string(r->mem, slice_trim(rest));
    if (!name_text || !value) return ST_NO_MEMORY;
    r->http.fields[r->http.field_count++] = (struct session_field){name_text, value};
    return ST_OK;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx) {
    struct reply *r = ctx;
    struct slice line = slice_of(data, size * count);
    if (slice_starts(line, SLICE("HTTP/")))
        r->http.field_count = 0; /* after 100, or the proxy's own */
    r->header_bytes += line.len;
    r->status = r->header_bytes > REPLY_HEADER_BYTES_MAX ? ST_TOO_LARGE : keep_field(r, line);
    return r->status == ST_OK ? line.len : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx) {
    struct reply *r = ctx;
    buf_put(&r->body, data, size * count);
    if (!r->body.failed) return size * count;
    r->status = r->body.too_large ? ST_TOO_LARGE : ST_NO_MEMORY;
    return 0;
}

static int on_progress(void *ctx, curl_off_t download_total, curl_off_t downloaded,
                       curl_off_t upload_total, curl_off_t uploaded) {
    struct transport *t = ctx;
    (void)download_total;
    (void)upload_total;
    if (t->progress) t->progress(t->progress_ctx, (uint64_t)uploaded, (uint64_t)downloaded);
    return atomic_load(&t->cancelled) ? 1 : 0;
}

/* Counts what crosses the connection. libcurl's own sums count the body of a small request twice.
 */
static int on_traffic(CURL *easy, curl_infotype type, char *data, size_t size, void *ctx) {
    struct transport *t = ctx;
    (void)easy;
    (void)data;
    if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT) t->bytes.sent += size;
    if (type == CURLINFO_HEADER_IN || type == CURLINFO_DATA_IN) t->bytes.received += size;
    return 0;
}

/* ------------------------------------------------------------------ opening */

/* The options that hold for the handle's life. */
static CURLcode set_general(CURL *easy, const struct transport_config *config) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    if (!code) code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L); /* a new one ends the old */
    if (!code) code = curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    long connect_ms = (long)(config->connect_ms ? config->connect_ms : CONNECT_MS);
    long exchange_ms = (long)(config->exchange_ms ? config->exchange_ms : EXCHANGE_MS);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, exchange_ms);
    return code;
}

static CURLcode set_trust(CURL *easy, const struct transport_config *config) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!code && config->ca_path) code = curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_path);
    if (code || !config->tls_pin) return code;
    SCOPED(buf_free) struct buf pin = buf_new(BUF_MAX_LINE);
    buf_put_text(&pin, "sha256//");
    buf_put_base64(&pin, slice_of(config->tls_pin, HASH_BYTES), false);
    code = curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, buf_text(&pin));
    if (buf_status(&pin, NULL) != ST_OK) return CURLE_OUT_OF_MEMORY;
    if (!code) code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    return code;
}

static CURLcode set_callbacks(struct transport *t) {
    CURLcode code = curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->trouble);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_DEBUGFUNCTION, on_traffic);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_DEBUGDATA, t);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_VERBOSE, 1L);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
    return code;
}

enum status transport_open(const struct transport_config *config, struct transport **out,
                           struct err *err) {
    struct slice url = slice_from(config->base_url);
    struct slice scheme = SLICE("https://");
    bool has_host =
        slice_starts(url, scheme) && url.len > scheme.len && url.data[scheme.len] != '/';
    if (!has_host || url.len >= URL_BYTES_MAX - 64) {
        return err_set(err, ST_INVALID, "the server's address is not https://host:port",
                       "服务器地址不是 https://主机:端口");
    }
    struct transport *t = calloc(1, sizeof *t);
    if (t) t->easy = curl_easy_init();
    if (!t || !t->easy) {
        transport_close(t);
        return err_no_memory(err);
    }
    memcpy(t->base_url, url.data, url.len);
    t->progress = config->progress;
    t->progress_ctx = config->progress_ctx;
    atomic_init(&t->cancelled, false);
    CURLcode code = set_general(t->easy, config);
    if (!code) code = set_trust(t->easy, config);
    if (!code) code = set_callbacks(t);
    if (code) {
        enum status status = trouble(t, code, err);
        transport_close(t);
        return status;
    }
    *out = t;
    return ST_OK;
}

void transport_close(struct transport *t) {
    if (!t) return;
    if (t->easy) curl_easy_cleanup(t->easy);
    free(t);
}

void transport_cancel(struct transport *t) {
    atomic_store(&t->cancelled, true);
}

void transport_resume(struct transport *t) {
    atomic_store(&t->cancelled, false);
}

struct transport_bytes transport_bytes(const struct transport *t) {
    return t->bytes;
}

uint64_t transport_connects(const struct transport *t) {
    return t->connects;
}

void transport_renew(struct transport *t) {
    t->renew = true;
}

/* ------------------------------------------------------------------ exchanging */

static void free_list(struct curl_slist **list) {
    curl_slist_free_all(*list);
}

static bool add_line(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;
    if (longer) *list = longer;
    return longer != NULL;
}

/* The request's fields, and the names of those that libcurl would add and nobody needs. */
static enum status lines_make(const struct session_http *request, struct arena *mem,
                              struct curl_slist **out, struct err *err) {
    bool fine =
        add_line(out, "Accept:") && add_line(out, "User-Agent:") && add_line(out, "Expect:");
    for (size_t i = 0; fine && i < request->field_count; i++) {
        fine = add_line(
            out, arena_printf(mem, "%s: %s", request->fields[i].name, request->fields[i].value));
    }
    return fine ? ST_OK : err_no_memory(err);
}

static CURLcode set_request(struct transport *t, const struct session_http *request,
                            struct curl_slist *lines, struct reply *reply) {
    bool is_post = strcmp(request->method, "GET") != 0;
    CURLcode code = curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, lines);
    if (!code && is_post) code = curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
    if (!code && is_post) {
        code =
            curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    }
    if (!code && is_post) {
        const void *body = request->body.len ? (const void *)request->body.data : "";
        code = curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body);
    }
    if (!code && !is_post) code = curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, reply);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, reply);
    return code;
}

/* Nothing of the request, its lines or the reply may be reached through the handle after the
 * exchange. */
static void forget_request(struct transport *t) {
    (void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, NULL);
    (void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, NULL);
    (void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, NULL);
}

static void count_connects(struct transport *t) {
    long made = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made);
    if (made > 0) t->connects += (uint64_t)made;
}

/* The reason of a callback goes before libcurl's, which only knows that one refused. */
static enum status outcome(const struct transport *t, const struct reply *reply, CURLcode code,
                           struct err *err) {
    if (code == CURLE_OK) return ST_OK;
    switch ((int)reply->status) {
    case ST_OK: return trouble(t, code, err);
    case ST_NO_MEMORY: return err_no_memory(err);
    case ST_TOO_LARGE:
        return err_set(err, ST_TOO_LARGE, "%s: the reply is too large", "%s：回复过大",
                       t->base_url);
    default:
        return err_set(err, ST_MALFORMED, "%s: the reply is not Roadbook's",
                       "%s：收到的不是 Roadbook 的回复", t->base_url);
    }
}

static enum status reply_finish(const struct transport *t, struct reply *r,
                                struct session_http *out, struct err *err) {
    long code = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
    r->http.code = (int)code;
    if (r->body.len) {
        r->http.body = arena_copy(r->mem, buf_slice(&r->body));
        if (!r->http.body.data) return err_no_memory(err);
    }
    *out = r->http;
    return ST_OK;
}

enum status transport_exchange(struct transport *t, const struct session_http *request,
                               struct arena *mem, struct session_http *out, struct err *err) {
    if (atomic_load(&t->cancelled)) return err_set(err, ST_CANCELLED, "cancelled", "已取消");
    int len = snprintf(t->url, sizeof t->url, "%s%s", t->base_url, request->path);
    if (len < 0 || (size_t)len >= sizeof t->url) {
        return err_set(err, ST_INVALID, "the server's address is too long", "服务器地址过长");
    }
    SCOPED(free_list) struct curl_slist *lines = NULL;
    TRY(lines_make(request, mem, &lines, err));
    struct reply reply = {.body = buf_new(WIRE_REPLY_BYTES_MAX), .mem = mem};
    t->trouble[0] = 0;
    CURLcode code = set_request(t, request, lines, &reply);
    if (!code) code = curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, t->renew ? 1L : 0L);
    t->renew = false;
    if (!code) code = curl_easy_perform(t->easy);
    count_connects(t);
    forget_request(t);
    enum status status = outcome(t, &reply, code, err);
    if (status == ST_OK) status = reply_finish(t, &reply, out, err);
    buf_free(&reply.body);
    return status;
}

static enum status door_exchange(void *ctx, const struct session_http *request, struct arena *mem,
                                 struct session_http *out, struct err *err) {
    return transport_exchange(ctx, request, mem, out, err);
}

static uint64_t door_connects(void *ctx) {
    return transport_connects(ctx);
}

static void door_renew(void *ctx) {
    transport_renew(ctx);
}

struct transport_door transport_door(struct transport *t) {
    return (struct transport_door){t, door_exchange, door_connects, door_renew};
}
