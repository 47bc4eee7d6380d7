/* Texts to rows: one table for each way in which a row may be meant, surest way first. */
#include "syncd/api/directory.h"

#include "syncd/api/lookup.h"

#include <stdlib.h>
#include <string.h>

enum { WAY_KEY, WAY_EXTERNAL, WAY_TITLE, WAY_COUNT };
enum {
    SEVERAL = 0,                            /* in a table: more than one row is known by the text */
    DIRECTORY_BYTES_MAX = 768 * 1024 * 1024 /* about five million accounts */
};

struct directory {
    struct store *store;
    const struct entity *entity;
    struct arena mem;
    const struct field *fields[WAY_COUNT]; /* NULL: the entity has no such way */
    struct lookup ways[WAY_COUNT];
    struct lookup folded; /* titles, folded */
};

const struct field *directory_external(const struct entity *e) {
    const struct field *f = entity_field(e, SLICE("external_no"));
    return f && f->type == FIELD_TEXT ? f : NULL;
}

static const struct field *text_field(const struct entity *e, const char *name) {
    const struct field *f = name ? entity_field(e, slice_from(name)) : NULL;
    return f && f->type == FIELD_TEXT && f->rule != RULE_DERIVED ? f : NULL;
}

static enum status note(struct lookup *l, struct slice text, int64_t id, struct err *err) {
    size_t before = l->count;
    struct lookup_entry *entry = lookup_put(l, text);
    if (!entry) return err_no_memory(err);
    if (l->count > before)
        entry->number = id;
    else if (entry->number != id)
        entry->number = SEVERAL;
    return ST_OK;
}

static enum status note_folded(struct directory *d, struct slice text, int64_t id,
                               struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(BUF_MAX_BATCH);
    struct slice folded;
    TRY(text_fold(text, &mem, &folded, err));
    return note(&d->folded, folded, id, err);
}

enum status directory_add(struct directory *d, int64_t id, const struct value *values,
                          struct err *err) {
    for (int way = 0; way < WAY_COUNT; way++) {
        if (!d->fields[way]) continue;
        struct value v = values[entity_field_index(d->entity, d->fields[way])];
        if (v.kind != VALUE_TEXT) continue;
        TRY(note(&d->ways[way], v.text, id, err));
        if (way == WAY_TITLE) TRY(note_folded(d, v.text, id, err));
    }
    return ST_OK;
}

static enum status add_row(void *ctx, const struct row *row, struct err *err) {
    return directory_add(ctx, row->id, row->values, err);
}

enum status directory_open(struct store *store, const struct entity *e, struct directory **out,
                           struct err *err) {
    struct directory *d = calloc(1, sizeof *d);
    if (!d) return err_no_memory(err);
    d->store = store;
    d->entity = e;
    d->mem = arena_new(DIRECTORY_BYTES_MAX);
    d->fields[WAY_KEY] = e->key[0] && !e->key[1] ? text_field(e, e->key[0]) : NULL;
    d->fields[WAY_EXTERNAL] = directory_external(e);
    d->fields[WAY_TITLE] = text_field(e, e->title);
    for (int way = 0; way < WAY_COUNT; way++) d->ways[way] = lookup_new(&d->mem);
    d->folded = lookup_new(&d->mem);
    bool is_named = d->fields[WAY_KEY] || d->fields[WAY_EXTERNAL] || d->fields[WAY_TITLE];
    struct query all = {.entity = e};
    enum status status = is_named ? store_list(store, &all, add_row, d, err) : ST_OK;
    if (status == ST_OK)
        *out = d;
    else
        directory_close(d);
    return status;
}

void directory_close(struct directory *d) {
    if (!d) return;
    arena_clear(&d->mem);
    free(d);
}

const struct entity *directory_entity(const struct directory *d) {
    return d->entity;
}

/* ------------------------------------------------------------------ finding */

static enum status several(const struct directory *d, struct slice text, struct err *err) {
    struct slice shown = text_prefix(text, 120);
    return err_set(err, ST_CONFLICT,
                   "\"%.*s\" could be several rows%.0s: name it by a number that only one has",
                   "“%.*s”对应多条%s记录：请用唯一的编号指明", (int)shown.len,
                   (const char *)shown.data, d->entity->label[LANG_ZH]);
}

/* Only the form with its check character: a bare number in a file is hardly ever one of ours.
 * *out_id 0: no. */
static enum status find_short_id(const struct directory *d, struct slice text, int64_t *out_id,
                                 struct err *err) {
    const struct entity *of = NULL;
    int64_t id;
    *out_id = 0;
    if (text.len == 0 || text.len >= ID_TEXT_BYTES || !memchr(text.data, '-', text.len) ||
        !id_parse(text, &id))
        return ST_OK;
    TRY(store_locate(d->store, id, &of, &id, err));
    if (of == d->entity) *out_id = id;
    return ST_OK;
}

enum status directory_find(const struct directory *d, struct slice text, struct arena *mem,
                           int64_t *out_id, struct err *err) {
    struct slice folded, shown = text_prefix(text, 120);
    const struct lookup_entry *entry = NULL;
    int64_t id = 0;
    for (int way = 0; way < WAY_COUNT && !entry; way++) entry = lookup_find(&d->ways[way], text);
    if (!entry) {
        TRY(text_fold(text, mem, &folded, err));
        entry = lookup_find(&d->folded, folded);
    }
    if (!entry) TRY(find_short_id(d, text, &id, err));
    if (!entry && id == 0)
        return err_set(err, ST_NOT_FOUND, "there is no %s%.0s called \"%.*s\"",
                       "%.0s%s中没有“%.*s”", d->entity->name, d->entity->label[LANG_ZH],
                       (int)shown.len, (const char *)shown.data);
    if (entry && entry->number == SEVERAL) return several(d, text, err);
    *out_id = entry ? entry->number : id;
    return ST_OK;
}

/* ------------------------------------------------------------------ naming */

static enum status short_name(int64_t id, struct arena *mem, struct slice *out, struct err *err) {
    char text[ID_TEXT_BYTES] = "?";
    if (id_is_valid(id)) id_format(id, text);
    *out = arena_copy(mem, slice_from(text));
    return out->data ? ST_OK : err_no_memory(err);
}

enum status directory_name(const struct directory *d, int64_t id, struct arena *mem,
                           struct slice *out, struct err *err) {
    struct row row;
    enum status status = store_get(d->store, d->entity, id, mem, &row, err);
    if (status == ST_NOT_FOUND) return short_name(id, mem, out, err);
    if (status != ST_OK) return status;
    for (int way = 0; way < WAY_COUNT; way++) {
        int64_t found = 0;
        if (!d->fields[way]) continue;
        struct value v = row.values[entity_field_index(d->entity, d->fields[way])];
        if (v.kind != VALUE_TEXT) continue;
        status = directory_find(d, v.text, mem, &found, err);
        if (status != ST_OK && status != ST_NOT_FOUND && status != ST_CONFLICT) return status;
        if (found != row.id) continue;
        *out = v.text;
        return ST_OK;
    }
    return short_name(row.id, mem, out, err);
}
