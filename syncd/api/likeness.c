/* Folding of names, telephones and addresses, and how alike two of them are. See likeness.h; which
 * rows are compared at all is in likeness_find.c.
 */
#include "syncd/api/likeness.h"

#include <stdlib.h>
#include <string.h>

enum { CJK_FROM = 0x2E80, PHONE_DIGITS_MIN = 7, PHONE_DIGITS = 11, PAIRS_MAX = 256 };

/* ------------------------------------------------------------------ names */

/* Longest first: what is cut out of a folded name wherever it ends. */
static const char *const CHINESE_FORMS[] = {
    "集团股份有限公司", "股份有限公司", "有限责任公司", "集团有限公司", "股份公司", "有限公司",
    "集团公司",         "分公司",       "总公司",       "集团",         "公司"};
static const char *const LATIN_FORMS[] = {
    "co",  "ltd", "limited", "inc", "incorporated", "corp",    "corporation", "company", "gmbh",
    "mbh", "ag",  "kg",      "ohg", "ug",           "sa",      "sas",         "sarl",    "srl",
    "spa", "bv",  "nv",      "plc", "llc",          "llp",     "lp",          "pte",     "pty",
    "bhd", "sdn", "oy",      "oyj", "ab",           "as",      "aps",         "kk",      "sp",
    "zoo", "kft", "doo",     "sro", "group",        "holding", "holdings",    "the",     "and"};

static bool is_latin_form(struct slice word) {
    for (size_t i = 0; i < ARRAY_COUNT(LATIN_FORMS); i++)
        if (slice_equal(word, slice_from(LATIN_FORMS[i]))) return true;
    return false;
}

static bool counts(int32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
    bool sign = c < 0xC0 || c == 0xD7 || c == 0xF7 || (c >= 0x2000 && c <= 0x206F) ||
                (c >= 0x2190 && c < CJK_FROM) || (c >= 0x3000 && c <= 0x303F) ||
                (c >= 0xFE10 && c <= 0xFE6F) || c == 0x30FB;
    return !sign;
}

/* Cuts Chinese forms off the end of s; what stands in brackets behind them was put before. */
static struct slice cut_chinese(struct slice s) {
    for (size_t i = 0; i < ARRAY_COUNT(CHINESE_FORMS); i++) {
        struct slice form = slice_from(CHINESE_FORMS[i]);
        if (s.len <= form.len) continue;
        if (memcmp(s.data + s.len - form.len, form.data, form.len) == 0)
            return slice_of(s.data, s.len - form.len);
    }
    return s;
}

static void put_word(struct buf *out, struct slice word, bool all) {
    if (all || !is_latin_form(word)) buf_put_slice(out, word);
}

/* Words of Latin letters are looked up, everything else stands as it is. */
static void put_name(struct slice folded, bool all, struct buf *out) {
    struct slice rest = folded, word = {0};
    for (;;) {
        const uint8_t *at = rest.data;
        int32_t c = text_next(&rest);
        bool latin = c >= 0 && c < CJK_FROM && counts(c);
        if (latin && word.len == 0) word.data = at;
        if (latin) word.len = (size_t)(rest.data - word.data);
        if (latin) continue;
        if (word.len > 0) put_word(out, word, all);
        word.len = 0;
        if (c < 0) return;
        if (counts(c)) buf_put_code_point(out, c);
    }
}

enum status likeness_name(struct slice name, struct arena *mem, struct slice *out,
                          struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct slice folded;
    TRY(text_fold(name, mem, &folded, err));
    put_name(folded, false, &text);
    if (text.len == 0) put_name(folded, true, &text);
    TRY(buf_status(&text, err));
    struct slice cut = cut_chinese(cut_chinese(buf_slice(&text)));
    *out = arena_copy(mem, cut);
    return out->data ? ST_OK : err_no_memory(err);
}

/* ------------------------------------------------------------------ telephones */

/* 0086 and +86 go, and so does the zero before an area code; of what is left the end counts. */
enum status likeness_phone(struct slice phone, struct arena *mem, struct slice *out,
                           struct err *err) {
    struct slice folded;
    TRY(text_fold(phone, mem, &folded, err));
    uint8_t *digits = arena_alloc(mem, folded.len + 1);
    size_t count = 0, from = 0;
    if (!digits) return err_no_memory(err);
    for (size_t i = 0; i < folded.len; i++) {
        if (folded.data[i] == 'x' || folded.data[i] == '#') break; /* an extension */
        if (folded.data[i] >= '0' && folded.data[i] <= '9') digits[count++] = folded.data[i];
    }
    while (from < count && digits[from] == '0') from++;
    if (count - from > PHONE_DIGITS && memcmp(digits + from, "86", 2) == 0) from += 2;
    while (from < count && digits[from] == '0') from++;
    if (count - from > PHONE_DIGITS) from = count - PHONE_DIGITS;
    *out =
        count - from < PHONE_DIGITS_MIN ? (struct slice){0} : slice_of(digits + from, count - from);
    return ST_OK;
}

/* ------------------------------------------------------------------ how alike */

static size_t pairs_of(struct slice s, uint64_t *out) {
    size_t count = 0;
    int32_t before = text_next(&s);
    for (int32_t c = text_next(&s); c >= 0 && count < PAIRS_MAX; c = text_next(&s)) {
        out[count++] = (uint64_t)before << 32 | (uint32_t)c;
        before = c;
    }
    return count;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Dice's coefficient of the pairs of neighbours (Dice 1945). */
int likeness_of_names(struct slice a, struct slice b) {
    uint64_t x[PAIRS_MAX], y[PAIRS_MAX];
    size_t m, n, i = 0, k = 0, both = 0;
    if (a.len == 0 || b.len == 0) return 0;
    if (slice_equal(a, b)) return 100;
    m = pairs_of(a, x);
    n = pairs_of(b, y);
    if (m + n == 0) return 0;
    qsort(x, m, sizeof *x, by_number);
    qsort(y, n, sizeof *y, by_number);
    while (i < m && k < n) {
        if (x[i] == y[k])
            both++, i++, k++;
        else if (x[i] < y[k])
            i++;
        else
            k++;
    }
    return (int)(200 * both / (m + n));
}

/* ------------------------------------------------------------------ in words */

void likeness_write(unsigned reasons, enum lang lang, struct buf *out) {
    static const char *const TEXTS[][LANG_COUNT] = {
        {"same registration number", "统一社会信用代码相同"},
        {"same name", "名称相同"},
        {"similar name", "名称相近"},
        {"short name of one is the name of the other", "一方简称即另一方名称"},
        {"same telephone", "电话相同"},
        {"same e-mail", "邮箱相同"},
        {"same address", "地址相同"},
        {"of the same account", "同属一个客户"},
        {"but registration numbers differ", "但统一社会信用代码不同"}};
    bool first = true;
    for (unsigned i = 0; i < ARRAY_COUNT(TEXTS); i++) {
        if (!(reasons >> i & 1)) continue;
        if (!first) buf_put_text(out, lang == LANG_ZH ? "；" : "; ");
        buf_put_text(out, TEXTS[i][lang]);
        first = false;
    }
}
