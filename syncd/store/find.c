/* Searching everything by words: the index finds ids, the rows give title and passage. */
#include "syncd/store/store_private.h"
#include "syncd/store/words.h"

#include <string.h>

enum {
    PASSAGE_BEFORE = 24, /* characters shown before the hit */
    PASSAGE_AFTER = 56,  /* from its beginning on */
    TYPED_WORDS_MAX = 32
};

/* ------------------------------------------------------------------ the passage */

static bool begins_with(const struct word *word, const struct word *typed) {
    return word->len >= typed->len && memcmp(word->folded, typed->folded, typed->len) == 0;
}

static size_t read_words(struct slice typed, struct word words[TYPED_WORDS_MAX]) {
    size_t count = 0, at = 0;
    while (count < TYPED_WORDS_MAX && word_next(typed, &at, &words[count])) count++;
    return count;
}

/* Does the run of typed words from first on, as far as it is a phrase, stand in the text at *word?
 */
static bool stands_here(struct slice text, struct word word, size_t at, const struct word *typed,
                        size_t count, size_t first) {
    for (size_t i = first;; i++) {
        if (!begins_with(&word, &typed[i])) return false;
        bool goes_on = typed[i].alone && i + 1 < count && typed[i + 1].alone &&
                       typed[i + 1].start == typed[i].end;
        if (!goes_on) return true;
        if (!word_next(text, &at, &word)) return false;
    }
}

static bool is_middle_of_phrase(const struct word *typed, size_t i) {
    return i > 0 && typed[i].alone && typed[i - 1].alone && typed[i - 1].end == typed[i].start;
}

/* Where the first hit begins; false when no typed word is in the text. */
static bool first_hit(struct slice text, const struct word *typed, size_t count, size_t *out) {
    struct word word;
    for (size_t at = 0; word_next(text, &at, &word);) {
        for (size_t i = 0; i < count; i++) {
            if (is_middle_of_phrase(typed, i) || !stands_here(text, word, at, typed, count, i))
                continue;
            *out = word.start;
            return true;
        }
    }
    return false;
}

static size_t back_by_characters(struct slice text, size_t at, size_t count) {
    while (at > 0 && count > 0) {
        at--;
        while (at > 0 && (text.data[at] & 0xC0) == 0x80) at--;
        count--;
    }
    return at;
}

static size_t on_by_characters(struct slice text, size_t at, size_t count) {
    struct slice rest = slice_of(text.data + at, text.len - at);
    while (count > 0 && rest.len > 0) {
        (void)text_next(&rest);
        count--;
    }
    return text.len - rest.len;
}

static enum status cut_passage(struct slice text, size_t hit, struct arena *mem, struct slice *out,
                               struct err *err) {
    size_t start = back_by_characters(text, hit, PASSAGE_BEFORE);
    size_t end = on_by_characters(text, hit, PASSAGE_AFTER);
    char *passage = arena_printf(mem, "%s%.*s%s", start > 0 ? "…" : "", (int)(end - start),
                                 (const char *)text.data + start, end < text.len ? "…" : "");
    if (!passage) return err_no_memory(err);
    for (char *c = passage; *c; c++)
        if (*c == '\n' || *c == '\r' || *c == '\t') *c = ' ';
    *out = slice_from(passage);
    return ST_OK;
}

/* ------------------------------------------------------------------ hits */

struct search {
    struct store *store;
    struct word typed[TYPED_WORDS_MAX];
    size_t typed_count;
    store_found *found;
    void *ctx;
};

static enum status fill_found(struct search *search, const struct entity *e, int64_t id,
                              const struct value *values, struct arena *mem, struct found *out,
                              struct err *err) {
    struct slice title, body;
    size_t hit = 0;
    *out = (struct found){.entity = e, .id = id};
    TRY(rows_text(e, values, mem, &title, &body, err));
    TRY(store_title(search->store, e, id, mem, &out->title, err));
    if (first_hit(body, search->typed, search->typed_count, &hit))
        return cut_passage(body, hit, mem, &out->passage, err);
    if (first_hit(title, search->typed, search->typed_count, &hit))
        return cut_passage(title, hit, mem, &out->passage, err);
    return cut_passage(body, 0, mem, &out->passage, err);
}

static enum status report_hit(struct search *search, int64_t id, struct arena *mem,
                              struct err *err) {
    const struct entity *e;
    struct value *values;
    struct row_meta meta;
    struct found found;
    int64_t final;
    bool there = false;
    TRY(store_locate(search->store, id, &e, &final, err));
    if (!e || final != id) return ST_OK;
    TRY(rows_read(search->store->db, e, search->store->role, id, mem, &values, &meta, &there, err));
    if (!there || meta.gone != 0) return ST_OK;
    TRY(fill_found(search, e, id, values, mem, &found, err));
    return search->found(search->ctx, &found, err);
}

static enum status walk_hits(struct search *search, struct db_stmt *s, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    enum status status = ST_OK;
    bool more = true;
    while (status == ST_OK) {
        status = db_step(s, &more, err);
        if (status != ST_OK || !more) break;
        status = report_hit(search, db_int(s, 0), &mem, err);
        arena_clear(&mem);
    }
    arena_clear(&mem);
    return status;
}

enum status store_find(struct store *store, struct slice typed, int64_t limit, store_found *found,
                       void *ctx, struct err *err) {
    struct search search = {.store = store, .found = found, .ctx = ctx};
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct db_stmt *s = NULL;
    search.typed_count = read_words(typed, search.typed);
    enum status status = db_text_query(store->db, typed, limit, &mem, &s, err);
    if (status == ST_OK) {
        status = walk_hits(&search, s, err);
        db_reset(s);
    }
    arena_clear(&mem);
    return status;
}
