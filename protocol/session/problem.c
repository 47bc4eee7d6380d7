/* Problem details (RFC 9457): how a refusal travels, and what becomes of one on arrival.
 *
 * A problem is not proved: proxies answer with errors of their own, and a server that does not know
 * the device has no key to prove anything with. So nothing is ever lost for a problem; it only says
 * what to do next.
 */
#include <string.h>

#include "protocol/session/fields.h"

#define PROBLEM_MEDIA_TYPE "application/problem+json"
enum { PROBLEM_BYTES_MAX = 16 * 1024 }; /* ours have at most 2 KiB */

/* What a code means when nobody says more. */
struct code_row {
    int code;
    enum status status;
    const char *text[LANG_COUNT];
};

static const struct code_row CODE_ROWS[] = {
    {400, ST_MALFORMED, {"the server did not understand the message", "服务器无法理解该消息"}},
    {401,
     ST_UNAUTHENTIC,
     {"the server does not accept this laptop's proof", "服务器不接受本机的身份证明"}},
    {403,
     ST_DENIED,
     {"the server or a proxy refuses; ask the administrator",
      "服务器或代理拒绝访问；请联系管理员"}},
    {404, ST_NOT_FOUND, {"there is no Roadbook at this address", "该地址没有 Roadbook 服务"}},
    {407,
     ST_OFFLINE,
     {"the proxy wants a sign-in; set it in HTTPS_PROXY", "代理需要登录；请在 HTTPS_PROXY 中设置"}},
    {408, ST_OFFLINE, {"the connection is too slow", "连接太慢"}},
    {409, ST_CONFLICT, {"conflicts with what the server has", "与服务器上的内容冲突"}},
    {410, ST_GONE, {"no longer there", "已不存在"}},
    {413,
     ST_TOO_LARGE,
     {"the server or a proxy finds the message too large", "服务器或代理认为消息过大"}},
    {422, ST_INVALID, {"the server finds the content not valid", "服务器认为内容无效"}},
    {426,
     ST_VERSION,
     {"the server needs another release of Roadbook", "服务器需要其他版本的 Roadbook"}},
    {429, ST_LIMITED, {"too many requests; try later", "请求过多；请稍后再试"}},
    {500,
     ST_INTERNAL,
     {"the server has a fault; tell the administrator", "服务器出错；请告知管理员"}},
    {502, ST_OFFLINE, {"the proxy does not reach the server", "代理无法连接服务器"}},
    {503, ST_BUSY, {"the server is busy; try later", "服务器忙；请稍后再试"}},
    {504, ST_OFFLINE, {"the proxy does not reach the server", "代理无法连接服务器"}},
    {507,
     ST_DISK,
     {"the server's disk is full or failing; tell the administrator",
      "服务器磁盘已满或故障；请告知管理员"}},
    {511,
     ST_OFFLINE,
     {"this network wants a sign-in; open a web page first", "此网络需要登录；请先打开网页"}},
};

static enum status by_code(int code, struct err *err) {
    for (size_t i = 0; i < ARRAY_COUNT(CODE_ROWS); i++) {
        const struct code_row *row = &CODE_ROWS[i];
        if (row->code != code) continue;
        return err_set(err, row->status, "%s%.0s (HTTP %d)", "%.0s%s（HTTP %d）",
                       row->text[LANG_EN], row->text[LANG_ZH], code);
    }
    return err_set(err, ST_OFFLINE,
                   "an answer that is not Roadbook's (HTTP %d); this network may want a sign-in",
                   "收到的不是 Roadbook 的回答（HTTP %d）；此网络可能需要登录", code);
}

static bool status_from_name(struct slice name, enum status *out) {
    static const enum status ALL[] = {
#define STATUS_ITEM(status_name_, ...) ST_##status_name_,
        STATUS_ROWS(STATUS_ITEM)
#undef STATUS_ITEM
    };
    for (size_t i = 0; i < ARRAY_COUNT(ALL); i++) {
        if (ALL[i] == ST_OK || !slice_equal(name, slice_from(status_name(ALL[i])))) continue;
        *out = ALL[i];
        return true;
    }
    return false;
}

/* A stranger's text must not move the cursor of a terminal: neither by the control characters of
 * ASCII nor by U+0080 to U+009F, two bytes in UTF-8, of which one begins a command as ESC [ does.
 */
static void tidy(char *text) {
    for (; *text; text++) {
        uint8_t byte = (uint8_t)text[0], next = (uint8_t)text[1];
        if (byte == 0xC2 && next >= 0x80 && next <= 0x9F)
            text[0] = text[1] = ' ';
        else if (byte < ' ' || byte == 0x7F)
            text[0] = ' ';
    }
}

static bool from_json(const struct json *root, struct err *err) {
    struct slice code, en, zh;
    enum status status;
    if (!json_text(json_member(root, "code"), &code) || !status_from_name(code, &status))
        return false;
    if (!json_text(json_member(root, "detail"), &en) || en.len == 0)
        en = slice_from(status_text(status, LANG_EN));
    if (!json_text(json_member(root, "detail_zh"), &zh) || zh.len == 0) zh = en;
    struct slice texts[LANG_COUNT] = {[LANG_EN] = en, [LANG_ZH] = zh};
    *err = (struct err){.status = status};
    for (int lang = 0; lang < LANG_COUNT; lang++) {
        struct slice kept = text_prefix(texts[lang], ERR_TEXT_BYTES - 1);
        memcpy(err->text[lang], kept.data, kept.len);
        tidy(err->text[lang]);
    }
    return true;
}

enum status session_problem(const struct session_http *reply, struct err *err) {
    struct slice type;
    struct err local;
    if (!err) err = &local;
    bool is_problem = fields_single(reply, "Content-Type", &type) &&
                      slice_starts(type, SLICE(PROBLEM_MEDIA_TYPE)) &&
                      reply->body.len <= PROBLEM_BYTES_MAX;
    if (!is_problem) return by_code(reply->code, err);
    SCOPED(json_free) struct json *root = NULL;
    enum status parsed = json_parse(reply->body, &root, err);
    if (parsed == ST_NO_MEMORY) return parsed;
    if (parsed != ST_OK || !from_json(root, err)) return by_code(reply->code, err);
    return err->status;
}

void session_problem_write(const struct err *err, struct buf *out) {
    buf_put_text(out, "{\"type\":\"about:blank\",\"title\":");
    buf_put_json_text(out, status_text(err->status, LANG_EN));
    buf_printf(out, ",\"status\":%d,\"detail\":", status_http(err->status));
    buf_put_json_text(out, err->text[LANG_EN]);
    buf_put_text(out, ",\"detail_zh\":");
    buf_put_json_text(out, err->text[LANG_ZH]);
    buf_put_text(out, ",\"code\":");
    buf_put_json_text(out, status_name(err->status));
    buf_put_text(out, "}");
}

enum status session_server_problem(const struct err *problem, const char *next_nonce,
                                   struct arena *mem, struct session_http *out, struct err *err) {
    SCOPED(buf_free) struct buf body = buf_new(BUF_MAX_LINE);
    session_problem_write(problem, &body);
    TRY(buf_status(&body, err));
    struct session_http reply = {.code = status_http(problem->status)};
    reply.body = arena_copy(mem, buf_slice(&body));
    if (!reply.body.data) return err_no_memory(err);
    fields_add(&reply, "Content-Type", PROBLEM_MEDIA_TYPE);
    if (next_nonce) {
        char *nonce = arena_string(mem, slice_from(next_nonce));
        if (!nonce) return err_no_memory(err);
        fields_add(&reply, "Roadbook-Nonce", nonce);
    }
    *out = reply;
    return ST_OK;
}
