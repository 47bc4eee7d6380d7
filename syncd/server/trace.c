/* Each message into a numbered file: start line, fields, empty line, body. For tools/inspect. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/server/serve.h"

struct trace {
    char *dir;
    _Atomic int64_t number;
};

enum status trace_open(const char *dir, struct trace **out, struct err *err) {
    TRY(platform_make_dir(dir, err));
    struct trace *trace = calloc(1, sizeof *trace);
    if (!trace || !(trace->dir = strdup(dir))) {
        free(trace);
        return err_no_memory(err);
    }
    *out = trace;
    return ST_OK;
}

void trace_close(struct trace *trace) {
    if (!trace) return;
    free(trace->dir);
    free(trace);
}

static void message_write(const struct trace *trace, int64_t number, const char *kind,
                          const struct session_http *m) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf path = buf_new(BUF_MAX_LINE);
    session_http_write(m, &text);
    buf_printf(&path, "%s/%06lld-%s.http", trace->dir, (long long)number, kind);
    if (buf_status(&text, NULL) != ST_OK || buf_status(&path, NULL) != ST_OK) return;
    (void)platform_write_file_private(buf_text(&path), buf_slice(&text), NULL);
}

/* What enrols holds the code of a link: it is left out. */
static bool holds_a_code(const struct session_http *request) {
    const char *what = request->path ? strrchr(request->path, '/') : NULL;
    return what && strcmp(what, "/enroll") == 0;
}

void trace_write(struct trace *trace, const struct session_http *request,
                 const struct session_http *reply) {
    int64_t number = atomic_fetch_add(&trace->number, 2) + 1;
    if (!holds_a_code(request)) message_write(trace, number, "request", request);
    message_write(trace, number + 1, "reply", reply);
}
