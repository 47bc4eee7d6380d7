/* Which rows are compared: those that share a number, a telephone, an e-mail, or one of the rarest
 * pairs of letters of their names. Keys are hashed and sorted; a key that too many rows share says
 * nothing (a switchboard, 中国) and is passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "syncd/api/likeness.h"

enum {
    GROUP_MAX = 60,   /* rows of one key; of more the key is too common */
    RARE_PAIRS = 4,   /* of a name, by which it is looked for */
    SIMILAR_NAME = 70 /* of 100: names below that are others */
};

struct item { /* a row, folded */
    int64_t row, account;
    struct slice number, name, short_name, address;
    struct slice phones, emails; /* each on a line */
};

struct key {
    uint64_t hash;
    uint32_t item;
    bool rare; /* of a pair of letters */
};

struct finding {
    struct arena *mem;
    const struct entity *e;
    int min;
    int64_t only; /* 0: all */
    struct item *items;
    size_t count, room;
    struct key *keys;
    size_t key_count, key_room;
    struct likeness_pair *pairs;
    size_t pair_count, pair_room;
};

/* ------------------------------------------------------------------ reading rows */

static enum status grow(struct arena *mem, void **items, size_t count, size_t *room, size_t bytes,
                        struct err *err) {
    if (count < *room) return ST_OK;
    size_t larger = *room ? *room * 2 : 1024;
    void *copy = arena_array(mem, larger, bytes);
    if (!copy) return err_no_memory(err);
    if (count > 0) memcpy(copy, *items, count * bytes);
    *items = copy;
    *room = larger;
    return ST_OK;
}

static enum status fold_lines(struct finding *f, struct slice lines, bool phones, struct slice *out,
                              struct err *err) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    struct slice line, folded;
    while (slice_cut(&lines, '\n', &line)) {
        if (phones)
            TRY(likeness_phone(line, f->mem, &folded, err));
        else
            TRY(text_fold(slice_trim(line), f->mem, &folded, err));
        if (folded.len == 0) continue;
        buf_put_slice(&text, folded);
        buf_put_byte(&text, '\n');
    }
    TRY(buf_status(&text, err));
    *out = arena_copy(f->mem, buf_slice(&text));
    return out->data ? ST_OK : err_no_memory(err);
}

/* Columns: id, name, short name, number, phones, e-mails, address, account. */
static enum status take_row(void *ctx, const char *const *names, const struct sql_cell *cells,
                            size_t count, struct err *err) {
    struct finding *f = ctx;
    struct item item = {0};
    void *items = f->items;
    (void)names;
    if (!cells || count < 8) return ST_OK;
    if (f->count == LIKENESS_ROWS_MAX)
        return err_set(err, ST_TOO_LARGE, "more than %d rows", "超过 %d 条记录", LIKENESS_ROWS_MAX);
    item.row = cells[0].number;
    item.account = cells[7].number;
    TRY(likeness_name(cells[1].text, f->mem, &item.name, err));
    TRY(likeness_name(cells[2].text, f->mem, &item.short_name, err));
    TRY(likeness_name(cells[3].text, f->mem, &item.number, err));
    TRY(fold_lines(f, cells[4].text, true, &item.phones, err));
    TRY(fold_lines(f, cells[5].text, false, &item.emails, err));
    TRY(likeness_name(cells[6].text, f->mem, &item.address, err));
    TRY(grow(f->mem, &items, f->count, &f->room, sizeof item, err));
    f->items = items;
    f->items[f->count++] = item;
    return ST_OK;
}

static const char *sql_of(const struct entity *e) {
    if (strcmp(e->name, "account") == 0)
        return "SELECT id, name, short_name, registration_no, phones, emails,"
               " coalesce(city, '') || coalesce(street, ''), 0 FROM account ORDER BY id";
    if (strcmp(e->name, "contact") == 0)
        return "SELECT id, name, '', '', phones, emails, '', account FROM contact ORDER BY id";
    return NULL;
}

bool likeness_is_possible(const struct entity *e) {
    return sql_of(e) != NULL;
}

/* ------------------------------------------------------------------ keys */

static uint64_t hash_of(struct slice s, uint64_t kind) { /* FNV-1a */
    uint64_t h = 0xcbf29ce484222325u ^ kind;
    for (size_t i = 0; i < s.len; i++) h = (h ^ s.data[i]) * 0x100000001b3u;
    return h;
}

static enum status put_key(struct finding *f, uint32_t item, uint64_t hash, bool rare,
                           struct err *err) {
    void *keys = f->keys;
    TRY(grow(f->mem, &keys, f->key_count, &f->key_room, sizeof *f->keys, err));
    f->keys = keys;
    f->keys[f->key_count++] = (struct key){hash, item, rare};
    return ST_OK;
}

static enum status put_lines(struct finding *f, uint32_t item, struct slice lines, uint64_t kind,
                             struct err *err) {
    struct slice line;
    while (slice_cut(&lines, '\n', &line)) TRY(put_key(f, item, hash_of(line, kind), false, err));
    return ST_OK;
}

static enum status put_pairs(struct finding *f, uint32_t item, struct slice name, struct err *err) {
    struct slice rest = name;
    const uint8_t *from = rest.data;
    if (text_next(&rest) < 0) return ST_OK;
    for (;;) {
        const uint8_t *second = rest.data;
        if (text_next(&rest) < 0) return ST_OK;
        struct slice pair = slice_of(from, (size_t)(rest.data - from));
        TRY(put_key(f, item, hash_of(pair, 5), true, err));
        from = second;
    }
}

static enum status put_keys(struct finding *f, uint32_t at, struct err *err) {
    const struct item *item = &f->items[at];
    if (item->number.len > 0) TRY(put_key(f, at, hash_of(item->number, 1), false, err));
    if (item->name.len > 0) TRY(put_key(f, at, hash_of(item->name, 2), false, err));
    if (item->short_name.len > 0) TRY(put_key(f, at, hash_of(item->short_name, 2), false, err));
    TRY(put_lines(f, at, item->phones, 3, err));
    TRY(put_lines(f, at, item->emails, 4, err));
    if (item->account == 0) return put_pairs(f, at, item->name, err);
    return ST_OK; /* of people names are the same or they are not */
}

static int by_hash(const void *a, const void *b) {
    const struct key *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* ------------------------------------------------------------------ two rows */

static bool share_line(struct slice a, struct slice b) {
    struct slice line, other, rest;
    while (slice_cut(&a, '\n', &line))
        for (rest = b; slice_cut(&rest, '\n', &other);)
            if (slice_equal(line, other)) return true;
    return false;
}

static int both(int a, int b) { /* two hints are more than the stronger, and less than their sum */
    return a + b - a * b / 100;
}

static bool same(struct slice a, struct slice b) {
    return a.len > 0 && slice_equal(a, b);
}

/* Whether a name says little by itself: of two characters there are many. */
static int weight_of_name(struct slice name) {
    return text_length(name) < 3 ? 45 : 75;
}

static int score_name(const struct item *a, const struct item *b, unsigned *reasons) {
    bool shorter = same(a->short_name, b->name) || same(a->name, b->short_name) ||
                   same(a->short_name, b->short_name);
    if (same(a->name, b->name)) {
        *reasons |= LIKENESS_NAME;
        return weight_of_name(a->name);
    }
    if (shorter) *reasons |= LIKENESS_SHORT_NAME;
    if (shorter) return 55;
    int alike = a->account ? 0 : likeness_of_names(a->name, b->name);
    if (alike < SIMILAR_NAME) return 0;
    *reasons |= LIKENESS_SIMILAR_NAME;
    return 40 + 3 * (alike - SIMILAR_NAME) / 2;
}

static struct likeness_pair compare(const struct item *a, const struct item *b) {
    unsigned reasons = 0;
    int score = score_name(a, b, &reasons);
    if (same(a->number, b->number)) reasons |= LIKENESS_NUMBER;
    if (share_line(a->phones, b->phones)) reasons |= LIKENESS_PHONE;
    if (share_line(a->emails, b->emails)) reasons |= LIKENESS_EMAIL;
    if (same(a->address, b->address) && text_length(a->address) > 5) reasons |= LIKENESS_ADDRESS;
    if (reasons & LIKENESS_NUMBER) score = both(score, 95);
    if (reasons & LIKENESS_PHONE) score = both(score, 50);
    if (reasons & LIKENESS_EMAIL) score = both(score, 50);
    if (reasons & LIKENESS_ADDRESS) score = both(score, 40);
    if (score > 0 && a->account > 0 && a->account == b->account) {
        reasons |= LIKENESS_ACCOUNT;
        score = both(score, 50);
    }
    if (a->number.len > 0 && b->number.len > 0 && !(reasons & LIKENESS_NUMBER)) {
        reasons |= LIKENESS_OTHER_NUMBER;
        score /= 2;
    }
    return (struct likeness_pair){a->row, b->row, score > 100 ? 100 : score, reasons};
}

/* ------------------------------------------------------------------ all pairs */

static enum status look_at(struct finding *f, uint32_t a, uint32_t b, struct err *err) {
    void *pairs = f->pairs;
    if (a == b) return ST_OK;
    bool wanted = f->only == 0 || f->items[a].row == f->only || f->items[b].row == f->only;
    if (!wanted) return ST_OK;
    struct likeness_pair pair =
        a < b ? compare(&f->items[a], &f->items[b]) : compare(&f->items[b], &f->items[a]);
    if (pair.score < f->min) return ST_OK;
    TRY(grow(f->mem, &pairs, f->pair_count, &f->pair_room, sizeof pair, err));
    f->pairs = pairs;
    f->pairs[f->pair_count++] = pair;
    return ST_OK;
}

/* Of a row only its rarest pairs of letters are kept: first how many rows each has is counted, in
 * the sorted keys. */
struct rarest {
    uint32_t sizes[RARE_PAIRS]; /* ascending */
    size_t count;
};

static void note_size(struct rarest *r, uint32_t size) {
    size_t at = r->count < RARE_PAIRS ? r->count++ : RARE_PAIRS - 1;
    if (at == RARE_PAIRS - 1 && r->count == RARE_PAIRS && r->sizes[at] != 0 && r->sizes[at] <= size)
        return;
    r->sizes[at] = size;
    for (; at > 0 && r->sizes[at - 1] > r->sizes[at]; at--) {
        uint32_t swap = r->sizes[at];
        r->sizes[at] = r->sizes[at - 1];
        r->sizes[at - 1] = swap;
    }
}

static size_t group_end(const struct finding *f, size_t from) {
    size_t to = from;
    while (to < f->key_count && f->keys[to].hash == f->keys[from].hash) to++;
    return to;
}

static enum status count_rare(struct finding *f, struct rarest **out, struct err *err) {
    struct rarest *rarest = ARENA_ARRAY(f->mem, f->count + 1, struct rarest);
    if (!rarest) return err_no_memory(err);
    for (size_t i = 0, end; i < f->key_count; i = end) {
        end = group_end(f, i);
        if (!f->keys[i].rare || end - i < 2 || end - i > GROUP_MAX) continue;
        for (size_t k = i; k < end; k++) note_size(&rarest[f->keys[k].item], (uint32_t)(end - i));
    }
    *out = rarest;
    return ST_OK;
}

static bool is_rare(const struct rarest *r, size_t size) {
    return r->count > 0 && size <= r->sizes[r->count - 1];
}

static enum status look_at_group(struct finding *f, size_t from, size_t to,
                                 const struct rarest *rarest, struct err *err) {
    for (size_t i = from; i < to; i++) {
        uint32_t a = f->keys[i].item;
        if (f->keys[i].rare && !is_rare(&rarest[a], to - from)) continue;
        for (size_t k = i + 1; k < to; k++) {
            uint32_t b = f->keys[k].item;
            if (f->keys[k].rare && !is_rare(&rarest[b], to - from)) continue;
            TRY(look_at(f, a, b, err));
        }
    }
    return ST_OK;
}

static int by_rows(const void *a, const void *b) {
    const struct likeness_pair *x = a, *y = b;
    if (x->a != y->a) return x->a < y->a ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

static int by_score(const void *a, const void *b) {
    const struct likeness_pair *x = a, *y = b;
    return x->score != y->score ? y->score - x->score : by_rows(a, b);
}

static void sort_once(struct finding *f) {
    size_t kept = 0;
    if (f->pair_count == 0) return;
    qsort(f->pairs, f->pair_count, sizeof *f->pairs, by_rows);
    for (size_t i = 0; i < f->pair_count; i++)
        if (kept == 0 || by_rows(&f->pairs[kept - 1], &f->pairs[i]) != 0)
            f->pairs[kept++] = f->pairs[i];
    f->pair_count = kept;
    qsort(f->pairs, f->pair_count, sizeof *f->pairs, by_score);
}

enum status likeness_find(struct store *store, const struct entity *e, int64_t row, int min,
                          struct arena *mem, struct likeness_pair **out, size_t *out_count,
                          struct err *err) {
    struct finding f = {.mem = mem, .e = e, .min = min, .only = row};
    struct rarest *rarest;
    const char *sql = sql_of(e);
    if (!sql)
        return err_set(err, ST_INVALID, "only accounts and contacts are compared",
                       "只能查找重复的客户或联系人");
    TRY(store_sql(store, sql, take_row, &f, err));
    for (uint32_t i = 0; i < f.count; i++) TRY(put_keys(&f, i, err));
    if (f.key_count > 0) qsort(f.keys, f.key_count, sizeof *f.keys, by_hash);
    TRY(count_rare(&f, &rarest, err));
    for (size_t i = 0, end; i < f.key_count; i = end) {
        end = group_end(&f, i);
        if (end - i <= GROUP_MAX) TRY(look_at_group(&f, i, end, rarest, err));
    }
    sort_once(&f);
    *out = f.pairs;
    *out_count = f.pair_count;
    return ST_OK;
}
