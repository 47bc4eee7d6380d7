/* Reads the head of a request (RFC 9112). Strict where leniency lets two readers of the same bytes
 * see different requests: lines end in CRLF, one length only, no folded fields, no blank before the
 * colon. */
#include <string.h>
#include <strings.h>

#include "http_private.h"

size_t http_head_length(struct slice in) {
    if (in.len < 4) return 0;
    const uint8_t *end = memmem(in.data, in.len, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end - in.data) + 4;
}

static bool is_token_char(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(const char *text) {
    const char *at = text;
    while (is_token_char(*at)) at++;
    return at != text && *at == 0;
}

/* Cuts a line off *rest by a zero in place of its CR; NULL when it is not well-formed. */
static char *cut_line(char **rest, char *end) {
    char *line = *rest;
    char *cr = memchr(line, '\r', (size_t)(end - line));
    if (cr == NULL || cr + 1 >= end || cr[1] != '\n') return NULL;
    *cr = 0;
    *rest = cr + 2;
    if (strlen(line) != (size_t)(cr - line)) return NULL; /* a zero inside */
    for (const char *at = line; *at; at++)
        if (((uint8_t)*at < 0x20 && *at != '\t') || *at == 0x7f) return NULL;
    return line;
}

/* A proxy may send the target with scheme and host; only the path matters here. */
static char *target_path(char *target) {
    if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
        return target;
    char *host = strstr(target, "://") + 3;
    char *slash = strchr(host, '/');
    return slash != NULL ? slash : NULL;
}

static int parse_request_line(struct http_request *request, char *line) {
    char *target = strchr(line, ' ');
    if (target == NULL) return 400;
    *target++ = 0;
    char *version = strchr(target, ' ');
    if (version == NULL || !is_token(line)) return 400;
    *version++ = 0;
    if (strncmp(version, "HTTP/", 5) != 0 || strlen(version) != 8) return 400;
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) return 505;
    char *path = target_path(target);
    if (path == NULL || (path[0] != '/' && strcmp(path, "*") != 0)) return 400;
    for (const char *at = path; *at; at++)
        if ((uint8_t)*at <= ' ') return 400;
    request->method = line;
    request->path = path;
    request->query = "";
    char *mark = strchr(path, '?');
    if (mark != NULL) {
        *mark = 0;
        request->query = mark + 1;
    }
    request->is_old = version[7] == '0';
    request->is_head = strcmp(line, "HEAD") == 0;
    return 0;
}

static char *trim_blanks(char *text) {
    while (*text == ' ' || *text == '\t') text++;
    char *end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t')) end--;
    *end = 0;
    return text;
}

static bool parse_field(char *line, struct http_field *out) {
    char *colon = strchr(line, ':');
    if (colon == NULL) return false;
    *colon = 0;
    if (!is_token(line)) return false; /* also refuses a folded line, which begins blank */
    *out = (struct http_field){line, trim_blanks(colon + 1)};
    return true;
}

/* true when the comma-separated list holds the word. */
static bool list_has(const char *list, const char *word) {
    struct slice rest = slice_from(list), part;
    size_t len = strlen(word);
    while (slice_cut(&rest, ',', &part)) {
        part = slice_trim(part);
        if (part.len == len && strncasecmp((const char *)part.data, word, len) == 0) return true;
    }
    return false;
}

static bool parse_length(const char *text, size_t *out) {
    size_t length = 0;
    if (*text == 0 || strlen(text) > 15) return false;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9') return false;
        length = length * 10 + (size_t)(*at - '0');
    }
    *out = length;
    return true;
}

/* What the fields say about the message itself. */
static int parse_framing(struct http_request *request) {
    unsigned lengths = 0, codings = 0, hosts = 0;
    request->keep_alive = !request->is_old;
    for (size_t i = 0; i < request->count; i++) {
        const char *name = request->fields[i].name, *value = request->fields[i].value;
        if (strcasecmp(name, "Content-Length") == 0) {
            lengths++;
            if (!parse_length(value, &request->body_bytes)) return 400;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
            codings++;
            if (strcasecmp(value, "chunked") != 0) return 501;
        } else if (strcasecmp(name, "Host") == 0) {
            hosts++;
        } else if (strcasecmp(name, "Connection") == 0) {
            if (list_has(value, "close"))
                request->keep_alive = false;
            else if (request->is_old && list_has(value, "keep-alive"))
                request->keep_alive = true;
        } else if (strcasecmp(name, "Expect") == 0) {
            if (strcasecmp(value, "100-continue") != 0) return 417;
            request->expects_continue = !request->is_old;
        }
    }
    if (lengths > 1 || (lengths > 0 && codings > 0)) return 400;
    if (hosts > 1 || (hosts == 0 && !request->is_old)) return 400;
    if (codings > 1 || (codings > 0 && request->is_old)) return 400;
    if (codings > 0) request->chunk = HTTP_CHUNK_SIZE;
    return request->body_bytes > request->loop->server->config.limits.body_bytes_max ? 413 : 0;
}

int http_parse_head(struct http_request *request, size_t head_bytes) {
    char *rest = request->text, *end = request->text + head_bytes;
    char *line = cut_line(&rest, end);
    if (line == NULL) return 400;
    int code = parse_request_line(request, line);
    if (code != 0) return code;
    while ((line = cut_line(&rest, end)) != NULL && *line != 0) {
        if (request->count == HTTP_FIELDS_MAX) return 431;
        if (!parse_field(line, &request->fields[request->count])) return 400;
        request->count++;
    }
    if (line == NULL) return 400;
    return parse_framing(request);
}

const char *http_reason(int code) {
    static const struct {
        int code;
        const char *text;
    } rows[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        if (rows[i].code == code) return rows[i].text;
    return "Status";
}
