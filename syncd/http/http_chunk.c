/* Bodies in chunks (RFC 9112, 7.1), for clients that do not know the length beforehand. As strict
 * as the head: lines end in CRLF and are short, so that no two readers see different bodies. */
#include <string.h>

#include "http_private.h"

enum { CHUNK_LINE_MAX = 256, CHUNK_DIGITS_MAX = 8 };

/* The next line without its CRLF. *out_line.data is NULL when it is not whole yet. */
static int take_line(struct slice *in, struct slice *out_line) {
    const uint8_t *end = in->len > 0 ? memmem(in->data, in->len, "\r\n", 2) : NULL;
    *out_line = (struct slice){NULL, 0};
    if (end == NULL) return in->len > CHUNK_LINE_MAX ? 400 : 0;
    size_t len = (size_t)(end - in->data);
    if (len > CHUNK_LINE_MAX) return 400;
    *out_line = slice_of(in->data, len);
    *in = slice_of(end + 2, in->len - len - 2);
    return 0;
}

static int digit_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Extensions behind a semicolon mean nothing to us. */
static bool parse_size(struct slice line, size_t *out) {
    size_t size = 0, i = 0;
    for (; i < line.len && digit_value(line.data[i]) >= 0; i++)
        size = size * 16 + (size_t)digit_value(line.data[i]);
    if (i == 0 || i > CHUNK_DIGITS_MAX) return false;
    for (size_t at = i; at < line.len; at++)
        if (line.data[at] < ' ' && line.data[at] != '\t') return false;
    while (i < line.len && (line.data[i] == ' ' || line.data[i] == '\t')) i++;
    if (i < line.len && line.data[i] != ';') return false;
    *out = size;
    return true;
}

static int begin_chunk(struct http_request *request, struct slice line) {
    if (!parse_size(line, &request->chunk_left)) return 400;
    size_t max = request->loop->server->config.limits.body_bytes_max;
    if (request->chunk_left > max - request->body.len) return 413;
    request->chunk = request->chunk_left > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER;
    return 0;
}

static int skip_trailer(struct http_request *request, struct slice line) {
    if (line.len == 0) request->chunk = HTTP_CHUNK_DONE;
    request->trailer_bytes += line.len + 2;
    return request->trailer_bytes > request->loop->server->config.limits.header_bytes_max ? 431 : 0;
}

static void take_data(struct http_request *request, struct slice *in) {
    size_t bytes = in->len < request->chunk_left ? in->len : request->chunk_left;
    buf_put(&request->body, in->data, bytes);
    request->chunk_left -= bytes;
    *in = slice_of(in->data + bytes, in->len - bytes);
    if (request->chunk_left == 0) request->chunk = HTTP_CHUNK_DATA_END;
}

int http_take_chunks(struct http_request *request, struct slice in, size_t *out_used) {
    struct slice rest = in;
    while (request->chunk != HTTP_CHUNK_DONE) {
        struct slice line;
        if (request->chunk == HTTP_CHUNK_DATA) {
            if (rest.len == 0) break;
            take_data(request, &rest);
            continue;
        }
        int code = take_line(&rest, &line);
        if (code != 0) return code;
        if (line.data == NULL) break;
        if (request->chunk == HTTP_CHUNK_SIZE) {
            code = begin_chunk(request, line);
        } else if (request->chunk == HTTP_CHUNK_TRAILER) {
            code = skip_trailer(request, line);
        } else {
            if (line.len > 0) return 400;
            request->chunk = HTTP_CHUNK_SIZE;
        }
        if (code != 0) return code;
    }
    *out_used = in.len - rest.len;
    return 0;
}
