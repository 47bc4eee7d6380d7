/* Three-way merge of notes: by line, then by word inside lines that both sides touched.
 *
 * Passages between common anchors (what stands in the old version and in both new ones) are looked
 * at one by one: what one side left alone takes the other's form; what both changed keeps both,
 * theirs first, and what both wrote stands once. Common parts come from Myers' O(ND) algorithm
 * (Algorithmica 1, 1986), with a cap on its work: two texts that differ in more places than that
 * have no use for a merge by word, and count as overlapping.
 */
#include "protocol/model/catalogue.h"

#include <string.h>

enum {
    DIFF_EDITS_MAX = 1000,                 /* its trace takes about 4 MB, a few ms */
    DIFF_SCRATCH_BYTES = 16 * 1024 * 1024, /* room for that trace; freed after each comparison */
    NOT_MATCHED = -1,
    TOO_FAR = -1
};

struct tokens {
    const struct slice *items;
    size_t count;
};

static struct tokens part_of(struct tokens t, size_t from, size_t to) {
    return (struct tokens){t.items + from, to - from};
}

static bool tokens_equal(struct tokens a, struct tokens b) {
    if (a.count != b.count) return false;
    for (size_t i = 0; i < a.count; i++)
        if (!slice_equal(a.items[i], b.items[i])) return false;
    return true;
}

/* ------------------------------------------------------------------ cutting into lines and words
 */

/* Without their line feeds; a text that is empty has no lines. */
static enum status cut_lines(struct slice text, struct arena *mem, struct tokens *out,
                             struct err *err) {
    size_t most = 1, count = 0;
    for (size_t i = 0; i < text.len; i++) most += text.data[i] == '\n';
    struct slice *items = ARENA_ARRAY(mem, most, struct slice);
    if (!items) return err_no_memory(err);
    for (size_t start = 0; text.len > 0 && start <= text.len;) {
        const uint8_t *feed =
            start < text.len ? memchr(text.data + start, '\n', text.len - start) : NULL;
        size_t end = feed ? (size_t)(feed - text.data) : text.len;
        items[count++] = slice_of(text.data + start, end - start);
        start = end + 1;
    }
    *out = (struct tokens){items, count};
    return ST_OK;
}

/* Letters and digits of scripts that write words apart; anything from the CJK blocks up is a word
 * by itself. */
static bool joins_words(int32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return c >= 0xC0 && c < 0x2000;
}

static struct slice next_word(struct slice *rest) {
    struct slice at = *rest, here;
    int32_t c = text_next(&at);
    if (joins_words(c)) {
        do {
            here = at;
            c = text_next(&at);
        } while (c >= 0 && joins_words(c));
        at = here;
    }
    struct slice word = slice_of(rest->data, (size_t)(at.data - rest->data));
    *rest = at;
    return word;
}

/* A passage of lines as words; between two lines stands a line feed. */
static enum status cut_words(struct tokens lines, struct arena *mem, struct tokens *out,
                             struct err *err) {
    size_t most = lines.count, count = 0;
    for (size_t i = 0; i < lines.count; i++) most += lines.items[i].len;
    struct slice *items = ARENA_ARRAY(mem, most + 1, struct slice);
    if (!items) return err_no_memory(err);
    for (size_t i = 0; i < lines.count; i++) {
        struct slice rest = lines.items[i];
        if (i > 0) items[count++] = SLICE("\n");
        while (rest.len > 0) items[count++] = next_word(&rest);
    }
    *out = (struct tokens){items, count};
    return ST_OK;
}

/* Blanks and punctuation, also those of Chinese. */
static bool is_separator(struct slice word) {
    int32_t c = text_next(&word);
    if (c < 0x80) return !joins_words(c);
    return (c >= 0x2000 && c < 0x2070) || (c >= 0x3000 && c < 0x3040) ||
           (c >= 0xFF00 && c < 0xFF10) || (c >= 0xFF1A && c < 0xFF21);
}

/* ------------------------------------------------------------------ common parts of two lists */

/* Furthest points of Myers' diagonals, one row of 2d+1 per number of edits d. */
struct trace {
    int32_t *rows[DIFF_EDITS_MAX + 1];
};

static int32_t furthest(const struct trace *trace, int d, int k) {
    return trace->rows[d][k + d];
}

/* Where diagonal k is entered with d edits: down from k+1 (true) or right from k-1. */
static bool enters_down(const struct trace *trace, int d, int k) {
    return k == -d || (k != d && furthest(trace, d - 1, k - 1) < furthest(trace, d - 1, k + 1));
}

static int32_t enter(const struct trace *trace, int d, int k) {
    if (d == 0) return 0;
    return enters_down(trace, d, k) ? furthest(trace, d - 1, k + 1)
                                    : furthest(trace, d - 1, k - 1) + 1;
}

/* The number of edits between a and b, or TOO_FAR. Running out of memory is an error and never a
 * result: the same texts must merge alike on every machine. */
static enum status run_diff(struct tokens a, struct tokens b, struct arena *mem,
                            struct trace *trace, int *out, struct err *err) {
    int32_t n = (int32_t)a.count, m = (int32_t)b.count;
    for (int d = 0; d <= DIFF_EDITS_MAX; d++) {
        trace->rows[d] = ARENA_ARRAY(mem, 2 * (size_t)d + 1, int32_t);
        if (!trace->rows[d]) return err_no_memory(err);
        for (int k = -d; k <= d; k += 2) {
            int32_t x = enter(trace, d, k), y = x - k;
            while (x < n && y < m && slice_equal(a.items[x], b.items[y])) x++, y++;
            trace->rows[d][k + d] = x;
            if (x >= n && y >= m) {
                *out = d;
                return ST_OK;
            }
        }
    }
    *out = TOO_FAR;
    return ST_OK;
}

/* Walks back from the end: the diagonal stretches are the common parts. */
static void walk_back(struct tokens a, struct tokens b, const struct trace *trace, int edits,
                      int64_t *match) {
    int32_t x = (int32_t)a.count, k = (int32_t)a.count - (int32_t)b.count;
    for (int d = edits;; d--) {
        int32_t start = enter(trace, d, k);
        for (; x > start; x--) match[x - 1] = x - 1 - k;
        if (d == 0) return;
        bool down = enters_down(trace, d, k);
        x = down ? start : start - 1;
        k = down ? k + 1 : k - 1;
    }
}

/* match[i] is the place in b of a's i-th item, or NOT_MATCHED. *out_close false: too far apart to
 * say. */
static enum status match_lists(struct tokens a, struct tokens b, struct arena *mem, int64_t **out,
                               bool *out_close, struct err *err) {
    size_t head = 0, tail = 0, least = a.count < b.count ? a.count : b.count;
    int64_t *match = ARENA_ARRAY(mem, a.count + 1, int64_t);
    struct arena scratch SCOPED(arena_clear) = arena_new(DIFF_SCRATCH_BYTES);
    struct trace *trace = ARENA_NEW(&scratch, struct trace);
    int edits = TOO_FAR;
    if (!match || !trace) return err_no_memory(err);
    while (head < least && slice_equal(a.items[head], b.items[head])) head++;
    while (tail < least - head &&
           slice_equal(a.items[a.count - 1 - tail], b.items[b.count - 1 - tail]))
        tail++;
    for (size_t i = 0; i < a.count; i++) match[i] = i < head ? (int64_t)i : NOT_MATCHED;
    for (size_t i = 0; i < tail; i++) match[a.count - 1 - i] = (int64_t)(b.count - 1 - i);
    struct tokens am = part_of(a, head, a.count - tail), bm = part_of(b, head, b.count - tail);
    TRY(run_diff(am, bm, &scratch, trace, &edits, err));
    if (edits != TOO_FAR) walk_back(am, bm, trace, edits, match + head);
    for (size_t i = head; i < a.count - tail; i++)
        if (match[i] != NOT_MATCHED) match[i] += (int64_t)head;
    *out = match;
    *out_close = edits != TOO_FAR;
    return ST_OK;
}

/* ------------------------------------------------------------------ passages between anchors */

struct versions {
    struct tokens base, mine, theirs;
};

struct anchors {
    int64_t *mine, *theirs; /* places of base items, NOT_MATCHED: no anchor */
};

static bool is_anchor(const struct anchors *at, size_t b) {
    return at->mine[b] != NOT_MATCHED && at->theirs[b] != NOT_MATCHED;
}

static enum status find_anchors(const struct versions *v, struct arena *mem, struct anchors *out,
                                bool *out_close, struct err *err) {
    bool mine_close, theirs_close;
    TRY(match_lists(v->base, v->mine, mem, &out->mine, &mine_close, err));
    TRY(match_lists(v->base, v->theirs, mem, &out->theirs, &theirs_close, err));
    *out_close = mine_close && theirs_close;
    return ST_OK;
}

struct passage {
    struct versions part;
    bool at_start, at_end; /* touches an end of the lists */
    struct slice anchor;   /* what follows it, data NULL at the end */
};

struct walk {
    size_t base, mine, theirs;
    bool done;
};

/* The next passage up to its anchor; false after the last. */
static bool next_passage(const struct versions *v, const struct anchors *at, struct walk *w,
                         struct passage *out) {
    size_t b = w->base;
    if (w->done) return false;
    while (b < v->base.count && !is_anchor(at, b)) b++;
    bool end = b == v->base.count;
    size_t m = end ? v->mine.count : (size_t)at->mine[b],
           t = end ? v->theirs.count : (size_t)at->theirs[b];
    out->part = (struct versions){part_of(v->base, w->base, b), part_of(v->mine, w->mine, m),
                                  part_of(v->theirs, w->theirs, t)};
    out->at_start = w->base == 0;
    out->at_end = end;
    out->anchor = end ? (struct slice){0} : v->base.items[b];
    *w = (struct walk){b + 1, m + 1, t + 1, end};
    return true;
}

static bool starts_with(struct tokens t, struct tokens prefix) {
    return t.count >= prefix.count && tokens_equal(part_of(t, 0, prefix.count), prefix);
}

static bool ends_with(struct tokens t, struct tokens suffix) {
    return t.count >= suffix.count &&
           tokens_equal(part_of(t, t.count - suffix.count, t.count), suffix);
}

/* Of two that were added at one place one goes on where the other ends, or begins before it. */
static bool is_part(struct tokens of, struct tokens t) {
    return starts_with(of, t) || ends_with(of, t);
}

enum choice { TAKE_MINE, TAKE_THEIRS, TAKE_BOTH };

static enum choice choose(const struct versions *part) {
    if (tokens_equal(part->mine, part->base)) return TAKE_THEIRS;
    if (tokens_equal(part->theirs, part->base) || tokens_equal(part->theirs, part->mine))
        return TAKE_MINE;
    if (part->mine.count == 0)
        return TAKE_THEIRS; /* one cut it away, the other wrote anew: nothing is lost */
    if (part->theirs.count == 0) return TAKE_MINE;
    if (part->base.count == 0 && is_part(part->theirs, part->mine)) return TAKE_THEIRS;
    if (part->base.count == 0 && is_part(part->mine, part->theirs)) return TAKE_MINE;
    return TAKE_BOTH;
}

static void put_tokens(struct buf *out, struct tokens t) {
    for (size_t i = 0; i < t.count; i++) buf_put_slice(out, t.items[i]);
}

/* ------------------------------------------------------------------ by word */

static bool is_line_feed(struct slice word) {
    return word.len == 1 && word.data[0] == '\n';
}

/* What keeps two passages apart that follow each other: whole lines stay lines, words stay words.
 */
static void put_gap(struct buf *out, bool whole_lines, struct slice next) {
    if (out->len == 0) return;
    if (whole_lines) {
        buf_put_byte(out, '\n');
        return;
    }
    uint8_t last = out->data[out->len - 1];
    if (last != ' ' && last != '\n' && joins_words(text_next(&next)) &&
        (last >= 0x80 || joins_words(last)))
        buf_put_byte(out, ' ');
}

static bool merge_words(const struct versions *v, const struct anchors *at, struct buf *out) {
    struct walk walk = {0};
    struct passage p;
    bool overlap = false, line_start = true;
    while (next_passage(v, at, &walk, &p)) {
        enum choice choice = choose(&p.part);
        if (choice != TAKE_MINE) put_tokens(out, p.part.theirs);
        if (choice == TAKE_BOTH) {
            overlap = true;
            put_gap(out, line_start && (p.at_end || is_line_feed(p.anchor)), p.part.mine.items[0]);
        }
        if (choice != TAKE_THEIRS) put_tokens(out, p.part.mine);
        if (!p.at_end) buf_put_slice(out, p.anchor);
        line_start = !p.at_end && is_line_feed(p.anchor);
    }
    return overlap;
}

/* Whether neighbour is an anchor next to b in all three. */
static bool runs_on(const struct anchors *at, size_t b, size_t neighbour) {
    int64_t step = (int64_t)neighbour - (int64_t)b;
    return is_anchor(at, neighbour) && at->mine[neighbour] == at->mine[b] + step &&
           at->theirs[neighbour] == at->theirs[b] + step;
}

/* A lone blank between two rewritten words holds nothing together: without it the passages stay
 * readable. */
static void drop_weak_anchors(const struct versions *v, struct anchors *at) {
    size_t count = v->base.count;
    for (size_t b = 0; b < count; b++) {
        if (!is_anchor(at, b) || !is_separator(v->base.items[b]) || is_line_feed(v->base.items[b]))
            continue;
        bool held = (b > 0 && runs_on(at, b, b - 1)) || (b + 1 < count && runs_on(at, b, b + 1));
        if (!held) at->mine[b] = NOT_MATCHED;
    }
}

static void put_lines(struct buf *out, struct tokens lines, bool *first) {
    for (size_t i = 0; i < lines.count; i++) {
        if (!*first) buf_put_byte(out, '\n');
        *first = false;
        buf_put_slice(out, lines.items[i]);
    }
}

/* Theirs, then mine; the lines with which both begin or end stand once. */
static void put_both(struct buf *out, struct tokens theirs, struct tokens mine, bool *first) {
    size_t head = 0, tail = 0;
    size_t least = theirs.count < mine.count ? theirs.count : mine.count;
    while (head < least && slice_equal(theirs.items[head], mine.items[head])) head++;
    while (tail < least - head &&
           slice_equal(theirs.items[theirs.count - 1 - tail], mine.items[mine.count - 1 - tail]))
        tail++;
    put_lines(out, part_of(theirs, 0, theirs.count - tail), first);
    put_lines(out, part_of(mine, head, mine.count), first);
}

/* One only added lines above or below lines that the other changed: no overlap. Not so by word,
 * where an added character makes another word of its neighbour. */
static bool put_added_lines(struct buf *out, struct tokens base, struct tokens added,
                            struct tokens changed, bool *first) {
    if (base.count == 0) return false;
    if (starts_with(added, base)) {
        put_lines(out, changed, first);
        put_lines(out, part_of(added, base.count, added.count), first);
        return true;
    }
    if (!ends_with(added, base)) return false;
    put_lines(out, part_of(added, 0, added.count - base.count), first);
    put_lines(out, changed, first);
    return true;
}

/* Lines that both changed. Lines that both added, or that differ in too much, stay whole, one after
 * the other. */
static enum status refine(const struct versions *lines, struct arena *mem, struct buf *out,
                          bool *first, bool *overlap, struct err *err) {
    struct versions words;
    struct anchors at;
    bool close = false;
    if (put_added_lines(out, lines->base, lines->mine, lines->theirs, first)) return ST_OK;
    if (put_added_lines(out, lines->base, lines->theirs, lines->mine, first)) return ST_OK;
    TRY(cut_words(lines->base, mem, &words.base, err));
    TRY(cut_words(lines->mine, mem, &words.mine, err));
    TRY(cut_words(lines->theirs, mem, &words.theirs, err));
    if (lines->base.count > 0) TRY(find_anchors(&words, mem, &at, &close, err));
    if (!close) {
        *overlap = true;
        put_both(out, lines->theirs, lines->mine, first);
        return ST_OK;
    }
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    if (merge_words(&words, &at, &text)) {
        buf_reset(&text);
        drop_weak_anchors(&words, &at);
        *overlap |= merge_words(&words, &at, &text);
    }
    TRY(buf_status(&text, err));
    if (!*first) buf_put_byte(out, '\n');
    *first = false;
    buf_put_slice(out, buf_slice(&text));
    return ST_OK;
}

/* ------------------------------------------------------------------ by line */

static enum status merge_lines(const struct versions *v, const struct anchors *at,
                               struct arena *mem, struct buf *out, bool *overlap, struct err *err) {
    struct walk walk = {0};
    struct passage p;
    bool first = true;
    while (next_passage(v, at, &walk, &p)) {
        switch (choose(&p.part)) {
        case TAKE_MINE: put_lines(out, p.part.mine, &first); break;
        case TAKE_THEIRS: put_lines(out, p.part.theirs, &first); break;
        case TAKE_BOTH: TRY(refine(&p.part, mem, out, &first, overlap, err)); break;
        }
        if (!p.at_end) put_lines(out, (struct tokens){&p.anchor, 1}, &first);
    }
    return ST_OK;
}

enum status text_merge(struct slice base, bool has_base, struct slice mine, struct slice theirs,
                       struct arena *mem, struct slice *out, bool *out_overlap, struct err *err) {
    struct versions v = {0};
    struct anchors at;
    bool overlap = false, close = false;
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    if (slice_equal(mine, theirs)) {
        *out = mine;
        *out_overlap = false;
        return ST_OK;
    }
    TRY(cut_lines(mine, mem, &v.mine, err));
    TRY(cut_lines(theirs, mem, &v.theirs, err));
    if (has_base) {
        TRY(cut_lines(base, mem, &v.base, err));
        TRY(find_anchors(&v, mem, &at, &close, err));
    }
    if (close) {
        TRY(merge_lines(&v, &at, mem, &text, &overlap, err));
    } else {
        bool first = true;
        overlap = true;
        put_both(&text, v.theirs, v.mine, &first);
    }
    TRY(buf_status(&text, err));
    *out = arena_copy(mem, buf_slice(&text));
    if (!out->data) return err_no_memory(err);
    *out_overlap = overlap;
    return ST_OK;
}
