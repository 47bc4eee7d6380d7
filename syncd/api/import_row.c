/* One record of an import: its cells become values, the row that it is about is found, and what
 * differs is saved.
 *
 * An empty cell says nothing: a list from another system that lacks a column's content must not
 * empty ours.
 */
#include "syncd/api/import.h"

#include <string.h>

/* What the record says, by field. */
struct given {
    struct value values[ENTITY_FIELDS_MAX];
    bool has[ENTITY_FIELDS_MAX];
};

/* Concerns this record alone; the others go on. */
static bool is_about_the_row(enum status status) {
    switch (status) {
    case ST_INVALID:
    case ST_USAGE:
    case ST_NOT_FOUND:
    case ST_CONFLICT:
    case ST_DENIED:
    case ST_TOO_LARGE:
    case ST_GONE: return true;
    case ST_OK:
    case ST_UNAUTHENTIC:
    case ST_OFFLINE:
    case ST_BUSY:
    case ST_MALFORMED:
    case ST_VERSION:
    case ST_DAMAGED:
    case ST_DISK:
    case ST_NO_MEMORY:
    case ST_INTERNAL:
    case ST_CANCELLED:
    case ST_CLONED:
    case ST_TRY_AGAIN:
    case ST_LIMITED:
    case ST_REVOKED: return false;
    }
    return false;
}

/* ------------------------------------------------------------------ cells */

static enum status in_field(const struct field *f, enum status status, struct err *err) {
    if (status == ST_OK) return ST_OK;
    return err_wrap(err, status, "%s%.0s", "%.0s%s", f->label[LANG_EN], f->label[LANG_ZH]);
}

static enum status find_reference(const struct import *im, const struct field *f, struct slice text,
                                  struct arena *mem, int64_t *out, struct err *err) {
    struct slice normal;
    const struct directory *d = import_directory(im, f->refers_to);
    if (!d) return err_set(err, ST_INTERNAL, "%s refers to nothing", "%s 没有引用对象", f->name);
    TRY(text_nfc(slice_trim(text), mem, &normal, err));
    return in_field(f, directory_find(d, normal, mem, out, err), err);
}

/* References in a set are named like any other, apart by semicolons. */
static enum status parse_references(const struct import *im, const struct field *f,
                                    struct slice text, struct arena *mem, struct value *out,
                                    struct err *err) {
    struct slice part, *elements = ARENA_ARRAY(mem, text.len + 1, struct slice);
    size_t count = 0;
    if (!elements) return err_no_memory(err);
    while (slice_cut(&text, ';', &part)) {
        int64_t id;
        if (slice_trim(part).len == 0) continue;
        TRY(find_reference(im, f, part, mem, &id, err));
        const char *number = arena_printf(mem, "%lld", (long long)id);
        if (!number) return err_no_memory(err);
        elements[count++] = slice_from(number);
    }
    return set_make(elements, count, mem, out, err);
}

static enum status parse_cell(const struct import *im, const struct field *f, struct slice text,
                              struct arena *mem, struct value *out, struct err *err) {
    int64_t id;
    if (f->type == FIELD_REF) {
        TRY(find_reference(im, f, text, mem, &id, err));
        *out = value_int(id);
        return ST_OK;
    }
    if (f->type == FIELD_SET && f->set_of == FIELD_REF)
        return parse_references(im, f, text, mem, out, err);
    return field_parse(f, text, im->book->utc_offset_min, mem, out, err);
}

static enum status parse_cells(const struct import *im, const struct slice *cells, size_t count,
                               struct arena *mem, struct given *out, struct err *err) {
    const struct entity *e = im->options->entity;
    for (size_t i = 0; i < count; i++) {
        if (slice_trim(cells[i]).len == 0) continue;
        if (i >= im->mapping.count)
            return err_set(
                err, ST_INVALID,
                "there are more columns than the head of the file has: is a quote missing?",
                "列数多于表头：是否缺少引号？");
        const struct field *f = im->mapping.fields[i];
        if (!f) continue;
        size_t at = entity_field_index(e, f);
        TRY(parse_cell(im, f, cells[i], mem, &out->values[at], err));
        out->has[at] = out->values[at].kind != VALUE_NULL;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ which row */

bool import_match_key(const struct import *im, const struct value *values, struct buf *out) {
    bool any = false;
    for (size_t i = 0; i < im->match_count; i++) {
        struct value v = values[entity_field_index(im->options->entity, im->match[i])];
        buf_put_byte(out, (uint8_t)v.kind);
        if (v.kind == VALUE_INT) buf_put_signed(out, v.number);
        if (v.kind == VALUE_TEXT) buf_put_bytes(out, v.text);
        any |= v.kind != VALUE_NULL;
    }
    return any;
}

/* *out_id 0: there is none. */
static enum status find_row(const struct import *im, struct slice key, int64_t *out_id,
                            struct err *err) {
    const struct lookup_entry *entry = key.len > 0 ? lookup_find(&im->known, key) : NULL;
    *out_id = entry ? entry->number : 0;
    if (entry && entry->number == 0)
        return err_set(err, ST_CONFLICT,
                       "several rows have this %s%.0s: it does not tell which to update",
                       "%.0s多条记录的“%s”相同：无法确定更新哪一条", im->match[0]->label[LANG_EN],
                       im->match[0]->label[LANG_ZH]);
    if (entry && im->options->mode == IMPORT_CREATE_ONLY)
        return err_set(err, ST_CONFLICT, "a row with this %s%.0s is there already",
                       "%.0s已有“%s”相同的记录", im->match[0]->label[LANG_EN],
                       im->match[0]->label[LANG_ZH]);
    if (!entry && im->options->mode == IMPORT_UPDATE_ONLY)
        return err_set(err, ST_NOT_FOUND, "there is no such row to update", "没有可更新的对应记录");
    return ST_OK;
}

/* As export writes it: 1-16, or ="1-16". */
static struct slice bare_id(struct slice cell) {
    struct slice s = slice_trim(cell);
    bool formula = s.len > 3 && s.data[0] == '=' && s.data[1] == '"' && s.data[s.len - 1] == '"';
    return formula ? slice_of(s.data + 2, s.len - 3) : s;
}

/* A record without an id is a new row. Only the form with its check character counts: a bare number
 * is hardly ever one of ours. */
static enum status find_by_id(const struct import *im, const struct slice *cells, size_t count,
                              int64_t *out_id, struct err *err) {
    const struct entity *of = NULL, *e = im->options->entity;
    struct slice typed =
        im->mapping.id < count ? bare_id(cells[im->mapping.id]) : (struct slice){0};
    struct slice shown = text_prefix(typed, 40);
    const char *text = (const char *)shown.data;
    int64_t id;
    *out_id = 0;
    if (typed.len == 0 && im->options->mode == IMPORT_UPDATE_ONLY)
        return err_set(err, ST_NOT_FOUND, "the row has no id: there is nothing to update",
                       "该行没有编号：没有可更新的对应记录");
    if (typed.len == 0) return ST_OK;
    if (!memchr(typed.data, '-', typed.len) || !id_parse(typed, &id))
        return err_set(err, ST_INVALID,
                       "\"%.*s\" is not an id: has the spreadsheet made a date of it? export --bom "
                       "prevents that",
                       "“%.*s”不是编号：是否被表格软件改成了日期？用 export --bom 导出可避免",
                       (int)shown.len, text);
    TRY(store_locate(im->book->store, id, &of, &id, err));
    if (of != e)
        return err_set(err, ST_NOT_FOUND, "there is no %s%.0s with the id %.*s",
                       "%.0s%s中没有编号 %.*s", e->name, e->label[LANG_ZH], (int)shown.len, text);
    if (im->options->mode == IMPORT_CREATE_ONLY)
        return err_set(err, ST_CONFLICT, "the row %.*s is there already", "记录 %.*s 已存在",
                       (int)shown.len, text);
    *out_id = id;
    return ST_OK;
}

/* ------------------------------------------------------------------ remembering what this import
 * did */

static enum status remember_values(struct import *im, int64_t id, const struct value *values,
                                   struct err *err) {
    const struct entity *e = im->options->entity;
    struct value *kept = ARENA_ARRAY(&im->batch_mem, e->field_count, struct value);
    if (!kept) return err_no_memory(err);
    for (size_t i = 0; i < e->field_count; i++)
        if (!value_copy(values[i], &im->batch_mem, &kept[i])) return err_no_memory(err);
    struct lookup_entry *entry = lookup_put(&im->touched, slice_of(&id, sizeof id));
    if (!entry) return err_no_memory(err);
    entry->item = kept;
    return ST_OK;
}

static enum status remember(struct import *im, int64_t id, const struct value *values,
                            struct slice key, struct err *err) {
    struct directory *own = import_directory(im, im->options->entity->name);
    TRY(remember_values(im, id, values, err));
    if (own) TRY(directory_add(own, id, values, err));
    if (key.len == 0) return ST_OK;
    struct lookup_entry *entry = lookup_put(&im->known, key);
    if (!entry) return err_no_memory(err);
    entry->number = id;
    return ST_OK;
}

/* The row as it is now. A program may keep the writes of its open batch to itself, so own ones come
 * first; a copy, since the batch may be committed and forgotten before the row is done. */
static enum status present_values(const struct import *im, int64_t id, struct arena *mem,
                                  struct value **out, struct err *err) {
    const struct lookup_entry *entry = lookup_find(&im->touched, slice_of(&id, sizeof id));
    struct row row;
    if (entry || id < 0) { /* below 0: made up by a dry run, perhaps forgotten since */
        const struct value *values = entry ? entry->item : NULL;
        *out = ARENA_ARRAY(mem, im->options->entity->field_count, struct value);
        if (!*out) return err_no_memory(err);
        for (size_t i = 0; values && i < im->options->entity->field_count; i++)
            if (!value_copy(values[i], mem, &(*out)[i])) return err_no_memory(err);
        return ST_OK;
    }
    TRY(store_get(im->book->store, im->options->entity, id, mem, &row, err));
    *out = row.values;
    return ST_OK;
}

/* ------------------------------------------------------------------ saving */

struct save {
    int64_t id; /* 0: create */
    const struct field_edit *edits;
    size_t count;
    bool changed;
};

static enum status write_once(struct import *im, struct save *save, struct err *err) {
    const struct api_writer *w = im->writer;
    const struct entity *e = im->options->entity;
    TRY(import_ensure_open(im, err));
    if (save->id != 0)
        return w->edit(w->ctx, e, save->id, save->edits, save->count, &save->changed, err);
    save->changed = true;
    return w->create(w->ctx, e, save->edits, save->count, &save->id, err);
}

/* A full batch makes room for the next; a row that does not fit an empty one either is refused. */
static enum status write_row(struct import *im, struct save *save, struct err *err) {
    bool was_open = im->open;
    enum status status = write_once(im, save, err);
    if (status != ST_TOO_LARGE || !was_open) return status;
    TRY(import_flush(im, err));
    return write_once(im, save, err);
}

static enum status check_required(const struct entity *e, const struct given *given,
                                  struct err *err) {
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].required && !given->has[i])
            TRY(field_check(&e->fields[i], value_null(), err));
    return ST_OK;
}

static enum status create_row(struct import *im, const struct given *given, struct slice key,
                              struct import_row *out, struct err *err) {
    const struct entity *e = im->options->entity;
    struct field_edit edits[ENTITY_FIELDS_MAX];
    struct save save = {.edits = edits};
    TRY(check_required(e, given, err));
    for (size_t i = 0; i < e->field_count; i++)
        if (given->has[i])
            edits[save.count++] =
                (struct field_edit){&e->fields[i], FIELD_EDIT_SET, given->values[i]};
    if (im->options->dry_run)
        save.id = --im->made_up_id;
    else
        TRY(write_row(im, &save, err));
    out->fate = IMPORT_CREATED;
    out->id = im->options->dry_run ? 0 : save.id;
    return remember(im, save.id, given->values, key, err);
}

/* a without the elements of b. */
static enum status set_less(struct value a, struct value b, struct arena *mem, struct value *out,
                            struct err *err) {
    struct slice rest = a.kind == VALUE_TEXT ? a.text : (struct slice){0}, element;
    struct value left = a;
    while (slice_cut(&rest, '\n', &element))
        if (set_has(b, element)) TRY(set_remove(left, element, mem, &left, err));
    *out = left;
    return ST_OK;
}

static enum status add_edits(const struct field *f, struct value present, struct value given,
                             struct arena *mem, struct field_edit *edits, size_t *count,
                             struct err *err) {
    struct value adds, removes;
    if (f->rule != RULE_SET) {
        edits[(*count)++] = (struct field_edit){f, FIELD_EDIT_SET, given};
        return ST_OK;
    }
    TRY(set_less(given, present, mem, &adds, err));
    TRY(set_less(present, given, mem, &removes, err));
    if (adds.kind != VALUE_NULL) edits[(*count)++] = (struct field_edit){f, FIELD_EDIT_ADD, adds};
    if (removes.kind != VALUE_NULL)
        edits[(*count)++] = (struct field_edit){f, FIELD_EDIT_REMOVE, removes};
    return ST_OK;
}

static enum status update_row(struct import *im, int64_t id, const struct given *given,
                              struct slice key, struct arena *mem, struct import_row *out,
                              struct err *err) {
    const struct entity *e = im->options->entity;
    struct field_edit edits[2 * ENTITY_FIELDS_MAX];
    struct save save = {.id = id, .edits = edits, .changed = true};
    struct value *present, after[ENTITY_FIELDS_MAX];
    TRY(present_values(im, id, mem, &present, err));
    for (size_t i = 0; i < e->field_count; i++) {
        after[i] = given->has[i] ? given->values[i] : present[i];
        if (value_equal(after[i], present[i])) continue;
        TRY(add_edits(&e->fields[i], present[i], after[i], mem, edits, &save.count, err));
    }
    out->id = id > 0 ? id : 0;
    out->fate = IMPORT_UNCHANGED;
    if (save.count == 0) return ST_OK;
    if (!im->options->dry_run) TRY(write_row(im, &save, err));
    if (save.changed) out->fate = IMPORT_UPDATED;
    return remember(im, id, after, key, err);
}

static enum status take(struct import *im, const struct slice *cells, size_t count,
                        struct arena *mem, struct import_row *out, struct err *err) {
    struct given *given = ARENA_NEW(mem, struct given);
    struct buf key SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    int64_t id;
    if (!given) return err_no_memory(err);
    TRY(parse_cells(im, cells, count, mem, given, err));
    if (!import_match_key(im, given->values, &key)) buf_reset(&key);
    TRY(buf_status(&key, err));
    if (im->options->match_id)
        TRY(find_by_id(im, cells, count, &id, err));
    else
        TRY(find_row(im, buf_slice(&key), &id, err));
    if (id == 0) return create_row(im, given, buf_slice(&key), out, err);
    return update_row(im, id, given, buf_slice(&key), mem, out, err);
}

enum status import_row_take(struct import *im, const struct slice *cells, size_t count,
                            struct arena *mem, struct import_row *out, struct err *err) {
    struct import_row row = {.line = out->line};
    struct err why = {.status = ST_OK};
    enum status status = take(im, cells, count, mem, &row, &why);
    if (status != ST_OK && !is_about_the_row(status)) {
        if (err) *err = why;
        return status;
    }
    if (status != ST_OK)
        row = (struct import_row){.line = out->line, .fate = IMPORT_REFUSED, .why = why};
    *out = row;
    return ST_OK;
}
