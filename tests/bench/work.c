/* The workloads, from the real visits of the inspectors of Wake County: see README.md. */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PASSES = 4, PASS_DAYS = 1500, SOURCE_BYTES_MAX = 16 * 1024 * 1024, QUICK_SITES = 300 };

struct source_visit {
    int64_t site, day, score;
    bool again;                                            /* a re-inspection */
    struct slice note;
};

struct source {
    struct source_visit *visits;
    size_t count, sites;
};

/* ------------------------------------------------------------------ reading */

static struct slice unescape(struct slice s, struct arena *mem) {
    uint8_t *out = arena_alloc(mem, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\\' && i + 1 < s.len) {
            i++;
            out[n++] = s.data[i] == 'n' ? '\n' : s.data[i];
        } else {
            out[n++] = s.data[i];
        }
    }
    return slice_of(out, n);
}

static void read_line(struct slice line, struct source_visit *v, struct arena *mem) {
    struct slice site, day, score, kind;
    bool good = slice_cut(&line, '\t', &site) && slice_cut(&line, '\t', &day) && slice_cut(&line, '\t', &score) &&
                slice_cut(&line, '\t', &kind) && text_to_int(site, &v->site) && date_parse(day, &v->day) &&
                text_to_int(score, &v->score);
    if (!good) bench_fail("the notes cannot be read", NULL);
    v->again = kind.data[0] == 'R';
    v->note = unescape(line, mem);
}

static const struct source *source_of(struct bench *b) {
    static struct source source;                           /* read once */
    struct err err;
    struct slice text, line;
    if (source.count) return &source;
    MUST(platform_read_file(b->work_path, SOURCE_BYTES_MAX, &b->mem, &text, &err));
    source.visits = ARENA_ARRAY(&b->mem, 30000, struct source_visit);
    while (slice_cut(&text, '\n', &line) && source.count < 30000) {
        if (line.len == 0) continue;
        struct source_visit *v = &source.visits[source.count++];
        read_line(line, v, &b->mem);
        if (b->quick) v->site %= QUICK_SITES;              /* fewer accounts to make */
        if ((size_t)v->site >= source.sites) source.sites = (size_t)v->site + 1;
    }
    return &source;
}

size_t work_sites(struct bench *b) {
    return source_of(b)->sites;
}

/* ------------------------------------------------------------------ visits */

static void set(struct bench *b, struct value *values, const char *field, struct value v) {
    values[entity_field_index(b->visit, entity_field(b->visit, slice_from(field)))] = v;
}

static bool is_short(struct slice note) {
    return note.len <= 40;
}

static struct slice grade(int64_t score) {
    return score >= 900 ? SLICE("Grade A") : score >= 800 ? SLICE("Grade B") : SLICE("Grade C");
}

/* The columns that the source does not have follow from i: begin and end of the visit. */
static struct visit make(struct bench *b, const struct source_visit *v, int64_t account, int64_t author, size_t i,
                         int64_t day, struct slice note, struct arena *mem) {
    struct err err;
    struct visit out = {.values = ARENA_ARRAY(mem, b->visit->field_count, struct value)};
    int64_t start = day * 86400000 + (480 + (int64_t)(i * 2654435761u % 540)) * 60000;
    set(b, out.values, "account", value_int(account));
    set(b, out.values, "author", value_int(author));
    set(b, out.values, "type", value_int(v->again ? 4 : 6));
    set(b, out.values, "started_at", value_int(start));
    set(b, out.values, "ended_at", value_int(start + (20 + (int64_t)(i * 40503u % 70)) * 60000));
    set(b, out.values, "method", value_int(1));
    set(b, out.values, "face_to_face", value_int(1));
    set(b, out.values, "score", value_int(v->score));
    set(b, out.values, "talking_points", value_text(note));
    set(b, out.values, "result", value_text(grade(v->score)));
    set(b, out.values, "business_date", value_int(day));
    set(b, out.values, "state", value_int(1));
    MUST(rows_text(b->visit, out.values, mem, &out.title, &out.body, &err));
    return out;
}

void work_make(struct bench *b, size_t count, const int64_t *accounts, int64_t author, struct arena *mem, struct work *out) {
    const struct source *s = source_of(b);
    *out = (struct work){.visits = ARENA_ARRAY(mem, count, struct visit), .count = count, .author = author,
                         .account_count = s->sites};
    out->accounts = ARENA_ARRAY(mem, s->sites, int64_t);
    memcpy(out->accounts, accounts, s->sites * sizeof accounts[0]);
    for (size_t i = 0; i < count; i++) {
        size_t at = i % s->count, pass = i / s->count;
        const struct source_visit *v = &s->visits[at];
        bool used = is_short(v->note) || at % PASSES == pass % PASSES;
        out->visits[i] = make(b, v, accounts[v->site], author, i, v->day + (int64_t)pass * PASS_DAYS,
                              used ? v->note : SLICE(""), mem);
    }
}

struct visit work_day_visit(struct bench *b, const struct work *w, size_t day, size_t at, struct arena *mem) {
    const struct source *s = source_of(b);
    size_t i = (day * 211 + at * 7) % s->count;
    const struct source_visit *v = &s->visits[i];
    return make(b, v, w->accounts[v->site], w->author, day * 20 + at, 20600 + (int64_t)day, v->note, mem);
}

static const char *const TYPED[BENCH_CELLS] = {"account", "author", "type", "started_at", "ended_at", "method",
                                               "face_to_face", "score", "talking_points", "result", "business_date",
                                               "state"};

size_t work_edits(struct bench *b, const struct value *values, struct field_edit edits[BENCH_CELLS]) {
    static const struct field *fields[BENCH_CELLS];        /* looked up once: it is measured with what it is used for */
    static size_t at[BENCH_CELLS];
    size_t count = 0;
    for (size_t i = 0; i < BENCH_CELLS; i++) {
        if (!fields[i]) {
            fields[i] = entity_field(b->visit, slice_from(TYPED[i]));
            at[i] = entity_field_index(b->visit, fields[i]);
        }
        const struct field *f = fields[i];
        struct value v = values[at[i]];
        if (v.kind != VALUE_NULL) edits[count++] = (struct field_edit){f, FIELD_EDIT_SET, v};
    }
    return count;
}

void work_two(struct bench *b, size_t day, size_t at, struct arena *mem, struct field_edit out[2]) {
    const struct source *s = source_of(b);
    size_t i = (day * 389 + at * 31) % s->count;
    while (is_short(s->visits[i].note)) i = (i + 1) % s->count;
    struct slice text = text_prefix(s->visits[i].note, 80);
    out[0] = (struct field_edit){entity_field(b->visit, SLICE("score")), FIELD_EDIT_SET,
                                 value_int(s->visits[i].score / 2 + 5 * (int64_t)(1 + (day + at) % 7))};
    out[1] = (struct field_edit){entity_field(b->visit, SLICE("advice_next")), FIELD_EDIT_SET,
                                 value_text(slice_trim(arena_copy(mem, text)))};
}

/* ------------------------------------------------------------------ the control of bytes */

void work_columns(struct bench *b, const int64_t *ids, const struct visit *visits, size_t count, struct buf *out) {
    for (size_t i = 0; i < count; i++) buf_printf(out, "%lld\n", (long long)ids[i]);
    for (size_t c = 0; c < BENCH_CELLS; c++) {
        size_t at = entity_field_index(b->visit, entity_field(b->visit, slice_from(TYPED[c])));
        for (size_t i = 0; i < count; i++) {
            struct value v = visits[i].values[at];
            if (v.kind == VALUE_INT) buf_printf(out, "%lld", (long long)v.number);
            if (v.kind == VALUE_TEXT) buf_put_slice(out, v.text);
            buf_put_byte(out, '\n');
        }
    }
}

size_t work_xz(struct bench *b, struct slice text) {
    char line[BENCH_PATH_BYTES * 2], path[BENCH_PATH_BYTES + 16];
    size_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s/columns", b->dir);
    FILE *to = fopen(path, "wb");
    if (!to || fwrite(text.data, 1, text.len, to) != text.len || fclose(to) != 0) bench_fail("cannot write columns", NULL);
    (void)snprintf(line, sizeof line, "xz -9 -T1 --check=none -c '%s' | wc -c", path);
    FILE *from = popen(line, "r");
    if (!from || fscanf(from, "%zu", &bytes) != 1 || pclose(from) != 0 || bytes == 0)
        bench_fail("xz does not work; install xz-utils", NULL);
    (void)unlink(path);
    return bytes;
}
