/* Runs scenario files (README.md beside this file): test_scenarios [-v] FILE... */
#include "syncd/platform/platform.h"
#include "tests/scenario/scenario.h"

/* ------------------------------------------------------------------ lines and files */

static enum status sync_line(struct scenario *s, const struct words *w, struct err *err) {
    if (w->count == 1) return world_settle(&s->world, err);
    for (size_t i = 1; i < w->count; i++) {
        struct world_laptop *l = world_laptop(&s->world, w->at[i]);
        struct agent_result result;
        if (!l) return scenario_wrong(err, "no such laptop", w->at[i]);
        TRY(world_sync(l, &result, err));
    }
    return ST_OK;
}

static enum status laptops_line(struct scenario *s, const struct words *w, struct err *err) {
    for (size_t i = 1; i < w->count; i++) {
        char *name = arena_string(&s->mem, w->at[i]);
        if (!name) return err_no_memory(err);
        TRY(world_laptop_add(&s->world, name, err));
    }
    return world_settle(&s->world, err);
}

/* "fails COMMAND" or "fails STATUS: COMMAND" */
static enum status fails_line(struct scenario *s, struct slice line, struct err *err) {
    struct slice rest = slice_of(line.data + 6, line.len - 6), command = rest;
    const uint8_t *colon = memchr(rest.data, ':', rest.len);
    char want[32] = "";
    if (colon && !memchr(rest.data, ' ', (size_t)(colon - rest.data))) {
        snprintf(want, sizeof(want), "%.*s", (int)(colon - rest.data), (const char *)rest.data);
        command = slice_of(colon + 1, rest.len - (size_t)(colon + 1 - rest.data));
    }
    enum status status = scenario_run_line(s, command, err);
    if (status == ST_OK) return scenario_wrong(err, "it was not refused", command);
    if (want[0] && strcmp(want, status_name(status)))
        return scenario_differs(err, "fails", command, slice_from(want),
                                slice_from(status_name(status)));
    return ST_OK;
}

enum status scenario_run_line(struct scenario *s, struct slice line, struct err *err) {
    struct words w;
    line = slice_trim(line);
    TRY(scenario_split(line, &s->mem, &w, err));
    if (!w.count) return ST_OK;
    struct world_laptop *l = world_laptop(&s->world, w.at[0]);
    if (l) return scenario_laptop_acts(s, l, &w, line, err);
    if (is(w.at[0], "office")) return scenario_office_acts(s, &w, line, err);
    if (is(w.at[0], "expect")) return scenario_expects(s, &w, err);
    if (is(w.at[0], "sync")) return sync_line(s, &w, err);
    if (is(w.at[0], "laptops")) return laptops_line(s, &w, err);
    if (is(w.at[0], "fails")) return fails_line(s, line, err);
    if (is(w.at[0], "time") && w.count == 2) {
        int64_t span;
        TRY(scenario_read_span(w.at[1], &span, err));
        s->world.now_ms += span;
        return ST_OK;
    }
    return scenario_wrong(err, "unknown command", line);
}

static enum status at_rest(struct scenario *s, struct err *err) {
    struct buf difference SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    TRY(world_settle(&s->world, err));
    TRY(world_compare(&s->world, &difference, err));
    if (!difference.len) return ST_OK;
    return err_set(err, ST_CONFLICT, "at the end the books differ: %s", "结束时账本不一致：%s",
                   buf_text(&difference));
}

static enum status run_lines(struct scenario *s, struct slice text, bool verbose, struct err *err) {
    struct slice line;
    while (slice_cut(&text, '\n', &line)) {
        s->line++;
        if (verbose) printf("%3d  %.*s\n", s->line, (int)line.len, (const char *)line.data);
        TRY(scenario_run_line(s, line, err));
    }
    s->line++;
    return at_rest(s, err);
}

static bool run_file(const char *file, bool verbose) {
    static struct scenario scenario; /* too large for a stack */
    struct scenario *s = &scenario;
    memset(s, 0, sizeof(*s));
    s->file = file;
    s->mem = arena_new(ARENA_CAP_DEFAULT);
    struct err err = {0};
    struct slice text;
    enum status status = platform_read_file(file, TEXT_MAX * 64, &s->mem, &text, &err);
    if (status == ST_OK) status = world_open(42, &s->world, &err);
    if (status == ST_OK) status = run_lines(s, text, verbose, &err);
    if (status != ST_OK)
        printf("FAILED %s:%d: %s: %s\n", file, s->line, status_name(status), err.text[LANG_EN]);
    world_close(&s->world);
    arena_clear(&s->mem);
    return status == ST_OK;
}

int main(int argc, char **argv) {
    int failed = 0, ran = 0;
    bool verbose = argc > 1 && !strcmp(argv[1], "-v");
    for (int i = 1 + verbose; i < argc; i++, ran++) failed += !run_file(argv[i], verbose);
    printf("%d passed, %d failed\n", ran - failed, failed);
    return failed || !ran;
}
