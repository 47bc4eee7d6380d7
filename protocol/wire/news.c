/* The small sections of a reply: what became of held entries, aliases, who works on which device,
 * and what others' edits wait of rows that are seen here. */
#include "protocol/wire/columns.h"

enum { NEWS_MAX = 1000000, NEWS_COLUMNS = 7, NEWS_IDS = 2 };

struct news_columns {
    struct columns set;
    struct column columns[NEWS_COLUMNS], seq;
    struct id_column ids[NEWS_IDS];
};

static size_t news_count(struct columns *set, size_t count) {
    return (size_t)code_number(&set->coder, count, NEWS_MAX);
}

static void code_held(struct news_columns *n, struct held_news **held, size_t *count) {
    struct columns *set = &n->set;
    *count = news_count(set, *count);
    *held = code_items(&set->coder, *held, *count, sizeof **held);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct held_news h = (*held)[i];
        h.seq = column_signed(set, &n->seq, h.seq);
        h.id.batch = column_u32(set, &n->columns[0], h.id.batch);
        h.id.change = column_u32(set, &n->columns[1], h.id.change);
        h.id.cell_tag = column_u32(set, &n->columns[2], h.id.cell_tag);
        h.state = (enum held_state)column_number(set, &n->columns[3], h.state, HELD_WITHDRAWN);
        if (set->coder.reading) (*held)[i] = h;
    }
}

static void code_aliases(struct news_columns *n, struct alias_news **aliases, size_t *count) {
    struct columns *set = &n->set;
    *count = news_count(set, *count);
    *aliases = code_items(&set->coder, *aliases, *count, sizeof **aliases);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct alias_news a = (*aliases)[i];
        a.seq = column_signed(set, &n->seq, a.seq);
        a.from = column_id(set, &n->ids[0], a.from);
        a.to = column_id(set, &n->ids[1], a.to);
        if (set->coder.reading) (*aliases)[i] = a;
    }
}

static void code_people(struct news_columns *n, struct person **people, size_t *count) {
    struct columns *set = &n->set;
    *count = news_count(set, *count);
    *people = code_items(&set->coder, *people, *count, sizeof **people);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct person p = (*people)[i];
        p.device = column_u32(set, &n->columns[0], p.device);
        p.employee = column_id(set, &n->ids[0], p.employee);
        p.name = column_text(set, &n->columns[1], p.name);
        if (set->coder.reading) (*people)[i] = p;
    }
}

enum status held_write(const struct held_news *held, size_t count, struct buf *out,
                       struct err *err) {
    struct news_columns n = {0};
    columns_start(&n.set);
    struct held_news *items = (struct held_news *)(uintptr_t)held;
    code_held(&n, &items, &count);
    return columns_finish(&n.set, out, NULL, err);
}

enum status held_read(struct slice section, struct arena *mem, size_t room, struct held_news **out,
                      size_t *out_count, struct err *err) {
    struct news_columns n = {0};
    columns_open(&n.set, section, mem, room);
    struct held_news *held = NULL;
    size_t count = 0;
    code_held(&n, &held, &count);
    TRY(columns_close(&n.set, err));
    *out = held;
    *out_count = count;
    return ST_OK;
}

enum status aliases_write(const struct alias_news *aliases, size_t count, struct buf *out,
                          struct err *err) {
    struct news_columns n = {0};
    columns_start(&n.set);
    struct alias_news *items = (struct alias_news *)(uintptr_t)aliases;
    code_aliases(&n, &items, &count);
    return columns_finish(&n.set, out, NULL, err);
}

enum status aliases_read(struct slice section, struct arena *mem, size_t room,
                         struct alias_news **out, size_t *out_count, struct err *err) {
    struct news_columns n = {0};
    columns_open(&n.set, section, mem, room);
    struct alias_news *aliases = NULL;
    size_t count = 0;
    code_aliases(&n, &aliases, &count);
    TRY(columns_close(&n.set, err));
    *out = aliases;
    *out_count = count;
    return ST_OK;
}

enum status people_write(const struct person *people, size_t count, struct buf *out,
                         struct err *err) {
    struct news_columns n = {0};
    columns_start(&n.set);
    struct person *items = (struct person *)(uintptr_t)people;
    code_people(&n, &items, &count);
    return columns_finish(&n.set, out, NULL, err);
}

enum status people_read(struct slice section, struct arena *mem, size_t room, struct person **out,
                        size_t *out_count, struct err *err) {
    struct news_columns n = {0};
    columns_open(&n.set, section, mem, room);
    struct person *people = NULL;
    size_t count = 0;
    code_people(&n, &people, &count);
    TRY(columns_close(&n.set, err));
    *out = people;
    *out_count = count;
    return ST_OK;
}

/* ------------------------------------------------------------------ edits of others */

static void code_others(struct news_columns *n, struct others_edit **others, size_t *count) {
    struct columns *set = &n->set;
    *count = (size_t)code_number(&set->coder, *count, WIRE_OTHERS_MAX);
    *others = code_items(&set->coder, *others, *count, sizeof **others);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct others_edit o = (*others)[i];
        o.seq = column_signed(set, &n->seq, o.seq);
        o.time_ms = column_signed(set, &n->columns[0], o.time_ms);
        o.device = column_u32(set, &n->columns[1], o.device);
        o.id.batch = column_u32(set, &n->columns[2], o.id.batch);
        o.id.change = column_u32(set, &n->columns[3], o.id.change);
        o.id.cell_tag = column_u32(set, &n->columns[4], o.id.cell_tag);
        o.reason = (enum reason)column_number(set, &n->columns[5], o.reason, UINT8_MAX);
        o.content = column_text(set, &n->columns[6], o.content);
        if (set->coder.reading) (*others)[i] = o;
    }
}

enum status others_write(const struct others_edit *others, size_t count, struct buf *out,
                         struct err *err) {
    struct news_columns n = {0};
    columns_start(&n.set);
    struct others_edit *items = (struct others_edit *)(uintptr_t)others;
    code_others(&n, &items, &count);
    return columns_finish(&n.set, out, NULL, err);
}

enum status others_read(struct slice section, struct arena *mem, size_t room,
                        struct others_edit **out, size_t *out_count, struct err *err) {
    struct news_columns n = {0};
    columns_open(&n.set, section, mem, room);
    struct others_edit *others = NULL;
    size_t count = 0;
    code_others(&n, &others, &count);
    TRY(columns_close(&n.set, err));
    for (size_t i = 0; i < count; i++) {
        struct change change;
        TRY(change_read(others[i].content, mem, &change, err));
    }
    *out = others;
    *out_count = count;
    return ST_OK;
}
