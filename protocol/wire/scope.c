/* The sections about homes: where a laptop stands with them, what was granted and withdrawn, and
 * the digest of all that it should hold.
 */
#include "protocol/model/home.h"
#include "protocol/wire/columns.h"

/* ------------------------------------------------------------------ where it stands */

/* SCOPE_WHOLE: in a reply, opened is all that there is; in a request, the digest is wanted. */
enum scope_flags { SCOPE_FILLS = 1, SCOPE_WHOLE = 2, SCOPE_FLAGS = 3 };

static void code_fill_key(struct coder *c, struct fill_key *key) {
    key->home = code_seq(c, key->home);
    key->entity_tag = code_u32(c, key->entity_tag);
    key->row = code_seq(c, key->row);
}

static bool position_is_sound(const struct scope_position *p) {
    bool ordered = p->ready >= 0 && p->filling >= p->ready && p->told >= 0;
    bool at = p->at.home == 0 ? p->at.entity_tag == 0 && p->at.row == 0 : home_is_valid(p->at.home);
    return ordered && at && p->at.row >= 0 && p->at.row <= ID_MAX;
}

/* Nothing is being filled nearly always: three numbers then, of which the later are differences. */
static void code_scope(struct coder *c, struct scope_position *p, bool *whole) {
    bool fills = p->filling > p->ready;
    unsigned flags = (fills ? SCOPE_FILLS : 0u) | (*whole ? SCOPE_WHOLE : 0u);
    flags = (unsigned)code_number(c, flags, SCOPE_FLAGS);
    *whole = flags & SCOPE_WHOLE;
    p->told = code_seq(c, p->told);
    p->ready = p->told - code_signed(c, p->told - p->ready);
    if (!(flags & SCOPE_FILLS)) {
        p->filling = p->ready;
        return;
    }
    p->filling = p->ready + code_seq(c, p->filling - p->ready);
    code_fill_key(c, &p->at);
}

enum status scope_write(const struct scope_position *position, bool whole, struct buf *out,
                        struct err *err) {
    struct coder c = coder_writing(out);
    struct scope_position copy = *position;
    code_scope(&c, &copy, &whole);
    return coder_end(&c, err);
}

enum status scope_read(struct slice section, struct arena *mem, struct scope_position *out,
                       bool *out_whole, struct err *err) {
    struct coder c = coder_reading(section, mem);
    struct scope_position position = {0};
    bool whole = false;
    code_scope(&c, &position, &whole);
    if (!coder_failed(&c) && !position_is_sound(&position)) coder_fail(&c, ST_MALFORMED);
    TRY(coder_end(&c, err));
    *out = position;
    *out_whole = whole;
    return ST_OK;
}

/* ------------------------------------------------------------------ grants and withdrawals */

struct home_columns {
    struct columns set;
    struct column class, since, fills;
    struct id_column ids;
};

static int64_t code_home(struct home_columns *h, int64_t home) {
    struct columns *set = &h->set;
    uint64_t class = column_number(set, &h->class, home_class(home), HOME_CLASS_COUNT - 1);
    int64_t id = column_id(set, &h->ids, home_id(home));
    if (!set->coder.reading || columns_failed(set)) return home;
    bool sound = class != HOME_CLASS_NONE && id >= 0 && id <= ID_MAX &&
                 home_is_valid(home_make((enum home_class) class, id));
    if (sound) return home_make((enum home_class) class, id);
    coder_fail(&set->coder, ST_MALFORMED);
    return 0;
}

static void code_opened(struct home_columns *h, struct grant_news **news, size_t *count) {
    struct columns *set = &h->set;
    *count = (size_t)code_number(&set->coder, *count, WIRE_HOMES_MAX);
    *news = code_items(&set->coder, *news, *count, sizeof **news);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct grant_news n = (*news)[i];
        n.home = code_home(h, n.home);
        n.since = column_signed(set, &h->since, n.since);
        n.fills = column_number(set, &h->fills, n.fills, 1) != 0;
        if (set->coder.reading) (*news)[i] = n;
    }
}

static void code_closed(struct home_columns *h, int64_t **homes, size_t *count) {
    struct columns *set = &h->set;
    *count = (size_t)code_number(&set->coder, *count, WIRE_HOMES_MAX);
    *homes = code_items(&set->coder, *homes, *count, sizeof **homes);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        int64_t home = code_home(h, (*homes)[i]);
        if (set->coder.reading) (*homes)[i] = home;
    }
}

enum status opened_write(const struct grant_news *opened, size_t count, struct buf *out,
                         struct err *err) {
    struct home_columns h = {0};
    columns_start(&h.set);
    struct grant_news *items = (struct grant_news *)(uintptr_t)opened;
    code_opened(&h, &items, &count);
    return columns_finish(&h.set, out, NULL, err);
}

enum status opened_read(struct slice section, struct arena *mem, size_t room,
                        struct grant_news **out, size_t *out_count, struct err *err) {
    struct home_columns h = {0};
    struct grant_news *opened = NULL;
    size_t count = 0;
    columns_open(&h.set, section, mem, room);
    code_opened(&h, &opened, &count);
    TRY(columns_close(&h.set, err));
    *out = opened;
    *out_count = count;
    return ST_OK;
}

enum status closed_write(const int64_t *homes, size_t count, struct buf *out, struct err *err) {
    struct home_columns h = {0};
    columns_start(&h.set);
    int64_t *items = (int64_t *)(uintptr_t)homes;
    code_closed(&h, &items, &count);
    return columns_finish(&h.set, out, NULL, err);
}

enum status closed_read(struct slice section, struct arena *mem, size_t room, int64_t **out,
                        size_t *out_count, struct err *err) {
    struct home_columns h = {0};
    int64_t *homes = NULL;
    size_t count = 0;
    columns_open(&h.set, section, mem, room);
    code_closed(&h, &homes, &count);
    TRY(columns_close(&h.set, err));
    *out = homes;
    *out_count = count;
    return ST_OK;
}

/* ------------------------------------------------------------------ digest */

static void code_digest(struct coder *c, uint8_t digest[BOOK_DIGEST_BYTES], int64_t *rows) {
    code_fixed(c, digest, BOOK_DIGEST_BYTES);
    *rows = code_seq(c, *rows);
}

enum status digest_write(const uint8_t digest[BOOK_DIGEST_BYTES], int64_t rows, struct buf *out,
                         struct err *err) {
    struct coder c = coder_writing(out);
    uint8_t copy[BOOK_DIGEST_BYTES];
    for (size_t i = 0; i < BOOK_DIGEST_BYTES; i++) copy[i] = digest[i];
    code_digest(&c, copy, &rows);
    return coder_end(&c, err);
}

enum status digest_read(struct slice section, struct arena *mem, uint8_t out[BOOK_DIGEST_BYTES],
                        int64_t *out_rows, struct err *err) {
    struct coder c = coder_reading(section, mem);
    code_digest(&c, out, out_rows);
    return coder_end(&c, err);
}
