/* Three-way merge of notes. */
#include "protocol/model/model.h"
#include "tests/unit/check.h"
#include "tests/unit/fault.h"

#include <string.h>

static struct slice merged(struct arena *mem, const char *base, const char *mine, const char *theirs, bool *overlap) {
    struct err err = {0};
    struct slice out;
    CHECK_OK(text_merge(slice_from(base), base != NULL, slice_from(mine), slice_from(theirs), mem, &out, overlap, &err));
    return out;
}

struct row {
    const char *name, *base, *mine, *theirs, *expected;
    bool overlap;
};

static void check_rows(const struct row *rows, size_t count) {
    for (const struct row *row = rows; row < rows + count; row++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        bool overlap;
        struct slice out = merged(&mem, row->base, row->mine, row->theirs, &overlap);
        CHECK_ROW_SLICE(row, out, slice_from(row->expected));
        CHECK_ROW_INT(row, overlap, row->overlap);
        arena_clear(&mem);
    }
}

TEST(edits_in_different_places_are_both_there_once) {
    static const struct row rows[] = {
        {"nothing changed", "a", "a", "a", "a", false},
        {"only mine", "a b", "a c", "a b", "a c", false},
        {"only theirs", "a b", "a b", "a c", "a c", false},
        {"both the same", "a b", "a c", "a c", "a c", false},
        {"both the same line among others", "a\nb\nc", "a\nB\nc", "a\nB\nC", "a\nB\nC", false},
        {"different lines", "one\ntwo\nthree", "ONE\ntwo\nthree", "one\ntwo\nTHREE", "ONE\ntwo\nTHREE", false},
        {"neighbouring lines", "a\nb\nc", "a\nB\nc", "a\nb\nC", "a\nB\nC", false},
        {"different words of a line", "the red fox runs", "the blue fox runs", "the red fox sleeps",
         "the blue fox sleeps", false},
        {"neighbouring words", "a b", "x b", "a y", "x y", false},
        {"an added line and a changed word", "call Li\nsend offer", "call Li\nvisit\nsend offer",
         "call Wang\nsend offer", "call Wang\nvisit\nsend offer", false},
        {"a removed line and a changed one", "a\nb\nc d", "a\nc d", "a\nb\nc e", "a\nc e", false},
        {"both removed other lines", "a\nb\nc\nd\ne", "a\nc\nd\ne", "a\nb\nc\ne", "a\nc\ne", false},
        {"one removed what the other changed", "a\nb\nc", "a\nc", "a\nB\nc", "a\nB\nc", false},
        {"the whole text removed, the other unchanged", "a\nb", "", "a\nb", "", false},
        {"a closing line feed stays", "a\nb\n", "A\nb\n", "a\nB\n", "A\nB\n", false},
        {"blank lines are lines", "a\n\nb", "a\n\nb\nc", "x\n\nb", "x\n\nb\nc", false},
        {"a number is a word", "price 100, qty 20", "price 120, qty 20", "price 100, qty 25",
         "price 120, qty 25", false},
        {"a first and a last line added", "b", "a\nb", "b\nc", "a\nb\nc", false},
    };
    check_rows(rows, ARRAY_COUNT(rows));
}

TEST(chinese_merges_by_character) {
    static const struct row rows[] = {
        {"two places of one sentence", "客户对价格不满意,要求下周再谈", "客户对价格很满意,要求下周再谈",
         "客户对价格不满意,要求下月再谈", "客户对价格很满意,要求下月再谈", false},
        {"an insert and a removal", "王经理今天到访并签字", "王总经理今天到访并签字", "王经理今天签字",
         "王总经理今天签字", false},
        {"the same character both", "张三", "李三", "王三", "王李三", true},
        {"two new lines at one place", "拜访记录", "拜访记录\n客户要合同", "拜访记录\n客户要样品",
         "拜访记录\n客户要样品\n客户要合同", true},
        {"letters among characters are words", "用SAP系统三年", "用Oracle系统三年", "用SAP系统五年",
         "用Oracle系统五年", false},
    };
    check_rows(rows, ARRAY_COUNT(rows));
}

TEST(what_both_changed_is_kept_twice_theirs_first) {
    static const struct row rows[] = {
        {"both added a line at the end", "x", "x\nb", "x\nc", "x\nc\nb", true},
        {"both wrote into nothing", "", "m", "t", "t\nm", true},
        {"one word", "see the boss", "see the manager", "see the director", "see the director manager", true},
        {"a line written anew by both", "a b c", "x y z", "p q r", "p q r\nx y z", true},
        {"one of three lines", "1\na b\n3", "1\nx y\n3", "1\np q\n3", "1\np q\nx y\n3", true},
        {"an overlap and a clean edit", "a\nb\nc", "M\nb\nC", "T\nb\nc", "T\nM\nb\nC", true},
        {"the old version is gone", NULL, "a\nb", "a\nc", "a\nc\nb", true},
        {"the old version is gone, but both agree", NULL, "a", "a", "a", false},
    };
    check_rows(rows, ARRAY_COUNT(rows));
}

TEST(what_both_wrote_stands_once) {
    static const struct row rows[] = {
        {"the same line", "x", "x\nb", "x\nb", "x\nb", false},
        {"one went on", "x", "x\nb", "x\nb\nc", "x\nb\nc", false},
        {"the other went on", "x", "x\nb\nc", "x\nb", "x\nb\nc", false},
        {"one had begun before", "x", "b\nx", "a\nb\nx", "a\nb\nx", false},
        {"both went on", "x", "x\na\nm", "x\na\nt", "x\na\nt\nm", true},
        {"both end alike", "", "m\nz", "t\nz", "t\nm\nz", true},
        {"into nothing", "", "opens at nine", "opens at nine\npays late", "opens at nine\npays late", false},
        {"a word, and more", "call Li", "call Li today", "call Li today at ten", "call Li today at ten", false},
        {"characters", "客户", "大客户", "很大客户", "很大客户", false},
        {"the old version is gone, one went on", NULL, "a\nb", "a\nb\nc", "a\nb\nc", true},
    };
    check_rows(rows, ARRAY_COUNT(rows));
}

/* ------------------------------------------------------------------ laws */

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

enum { WORDS = 40 };

/* Every word is unique: mine changes words of even blocks, theirs of odd blocks of five, with one word between
 * blocks that nobody changes. */
static void write_version(struct buf *out, uint64_t edits, unsigned side, char mark) {
    for (unsigned i = 0; i < WORDS; i++) {
        bool may = i % 5 != 4 && (side == 2 || (i / 5) % 2 == side);
        if (i > 0) buf_put_byte(out, i % 10 == 0 ? '\n' : ' ');
        if (may && (edits >> i & 1)) buf_printf(out, "%c%u", side == 2 ? ((i / 5) % 2 ? 't' : 'm') : mark, i);
        else buf_printf(out, "w%u", i);
    }
}

TEST(no_word_stands_twice_or_vanishes) {
    uint64_t state = 88172645463325252u;
    for (int round = 0; round < 2000; round++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        uint64_t edits = next_random(&state);
        struct buf base = buf_new(BUF_MAX_LINE), mine = buf_new(BUF_MAX_LINE), theirs = buf_new(BUF_MAX_LINE),
                   both = buf_new(BUF_MAX_LINE);
        bool overlap;
        write_version(&base, 0, 0, 'm');
        write_version(&mine, edits, 0, 'm');
        write_version(&theirs, edits, 1, 't');
        write_version(&both, edits, 2, ' ');
        CHECK_SLICES(merged(&mem, buf_text(&base), buf_text(&mine), buf_text(&theirs), &overlap), buf_slice(&both));
        CHECK(!overlap);
        CHECK_SLICES(merged(&mem, buf_text(&base), buf_text(&theirs), buf_text(&mine), &overlap), buf_slice(&both));
        buf_free(&base);
        buf_free(&mine);
        buf_free(&theirs);
        buf_free(&both);
        arena_clear(&mem);
    }
}

static struct slice random_text(uint64_t *state, struct arena *mem) {
    static const char *const ALPHABET[] = {"a", "b", " ", "\n", "客", "户", "c1", ","};
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    for (uint64_t left = next_random(state) % 12; left > 0; left--)
        buf_put_text(&text, ALPHABET[next_random(state) % ARRAY_COUNT(ALPHABET)]);
    return arena_copy(mem, buf_slice(&text));
}

TEST(any_three_texts_merge_and_keep_the_laws) {
    uint64_t state = 362436069;
    struct err err = {0};
    for (int round = 0; round < 20000; round++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct slice base = random_text(&state, &mem), mine = random_text(&state, &mem),
                     theirs = random_text(&state, &mem), out, other;
        bool overlap, other_overlap;
        CHECK_OK(text_merge(base, true, mine, base, &mem, &out, &overlap, &err));
        CHECK_SLICES(out, mine);
        CHECK_OK(text_merge(base, true, base, theirs, &mem, &out, &overlap, &err));
        CHECK_SLICES(out, theirs);
        CHECK_OK(text_merge(base, true, mine, theirs, &mem, &out, &overlap, &err));
        CHECK(text_is_utf8(out));
        CHECK_OK(text_merge(base, true, theirs, mine, &mem, &other, &other_overlap, &err));
        CHECK_INT(overlap, other_overlap);
        if (!overlap) CHECK_SLICES(out, other);
        arena_clear(&mem);
    }
}

TEST(texts_that_differ_everywhere_are_kept_whole) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct buf base = buf_new(BUF_MAX_BATCH), mine = buf_new(BUF_MAX_BATCH), theirs = buf_new(BUF_MAX_BATCH);
    bool overlap;
    for (int i = 0; i < 5000; i++) {
        buf_printf(&base, "b%d ", i);
        buf_printf(&mine, "m%d ", i);
        buf_printf(&theirs, "t%d ", i);
    }
    struct slice out = merged(&mem, buf_text(&base), buf_text(&mine), buf_text(&theirs), &overlap);
    CHECK(overlap);
    CHECK_INT(out.len, theirs.len + 1 + mine.len);
    CHECK(slice_starts(out, buf_slice(&theirs)));
    buf_free(&base);
    buf_free(&mine);
    buf_free(&theirs);
    arena_clear(&mem);
}

/* A lone separator that all three have between rewritten words holds nothing together; a word does. */
TEST(what_separates_words_holds_nothing_together) {
    static const struct {
        const char *name;
        bool separates;
    } rows[] = {
        {" ", true}, {"/", true}, {":", true}, {"@", true}, {"[", true}, {"`", true}, {"{", true}, {"\t", true},
        {"—", true}, {"、", true}, {"。", true}, {"，", true}, {"／", true}, {"：", true}, {"＠", true},
        {"「", true}, {"中", false}, {"ぁ", false}, {"１", false}, {"Ａ", false}, {"⁰", false}, {"€", false}, {"～", false},
        {"🙂", false},
    };
    for EACH(row, rows) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        bool overlap;
        const char *base = arena_printf(&mem, "x%sy", row->name), *mine = arena_printf(&mem, "a%sb", row->name),
                   *theirs = arena_printf(&mem, "c%sd", row->name),
                   *expected = arena_printf(&mem, row->separates ? "c%sd\na%sb" : "c a%sd b", row->name, row->name);
        struct slice out = merged(&mem, base, mine, theirs, &overlap);
        CHECK_ROW_SLICE(row, out, slice_from(expected));
        CHECK_ROW(row, overlap);
        arena_clear(&mem);
    }
}

static const struct row MEMORY_ROWS[] = {
    {"by word", "a b\nc", "a x\nc", "a b\nd", "a x\nd", false},
    {"by word, in one line", "the red fox runs", "the blue fox runs", "the red fox sleeps", "the blue fox sleeps", false},
    {"both rewrote a word", "the red fox runs", "the blue fox runs", "the green fox runs", "the green blue fox runs", true},
    {"the whole line", "x-y", "a-b", "c-d", "c-d\na-b", true},
    {"added to a changed line", "x y", "x y\nz", "a y", "a y\nz", false},
    {"no old version", NULL, "a", "b", "b\na", true},
};

static enum status merge_row(const struct row *row, struct arena *mem) {
    struct slice out;
    bool overlap;
    struct err err = {0};
    enum status status = text_merge(slice_from(row->base), row->base != NULL, slice_from(row->mine),
                                    slice_from(row->theirs), mem, &out, &overlap, &err);
    if (status != ST_OK) CHECK_ROW_INT(row, status, ST_NO_MEMORY);
    if (status == ST_OK) CHECK_ROW_SLICE(row, out, slice_from(row->expected));
    if (status == ST_OK) CHECK_ROW_INT(row, overlap, row->overlap);
    return status;
}

TEST(too_little_memory_is_an_error) {
    for EACH(row, MEMORY_ROWS) {
        enum status status = ST_NO_MEMORY;
        for (size_t cap = 0; status != ST_OK; cap += 8) {
            struct arena mem = arena_new(cap);
            status = merge_row(row, &mem);
            arena_clear(&mem);
        }
        bool fired = true;
        for (size_t n = 1; fired; n++) {
            struct arena mem = arena_new(ARENA_CAP_DEFAULT);
            fault_arm(n);
            status = merge_row(row, &mem);
            fired = fault_fired();
            fault_disarm();
            CHECK_ROW(row, status == ST_OK || fired);        /* a first try that failed may have been thrown away */
            arena_clear(&mem);
        }
    }
}
