/* Rows as a file that import takes back. References stand by the name that a person would use and
 * that only one row has; names are looked up once per row that is referred to.
 */
#include "syncd/api/api.h"
#include "syncd/api/directory.h"
#include "syncd/api/lookup.h"

#include <stdio.h>
#include <string.h>

enum {
    PIECE_BYTES = 64 * 1024,
    NAMES_BYTES_MAX = 512 * 1024 * 1024, /* names of some five million rows */
    EXPORT_SCRATCH_CAP = 64 * 1024 * 1024
};

struct exporter {
    const struct api_book *book;
    const struct entity *entity;
    enum export_form form;
    bool excel;
    export_write *write;
    void *ctx;
    struct directory
        *directories[ENTITY_FIELDS_MAX]; /* of each field that refers; several may be the same */
    struct arena names_mem;
    struct lookup names; /* id -> struct slice */
    struct buf out;
    int64_t rows;
};

static bool is_exported(const struct field *f) {
    return f->rule != RULE_DERIVED;
}

static enum status send(struct exporter *x, size_t at_least, struct err *err) {
    TRY(buf_status(&x->out, err));
    if (x->out.len == 0 || x->out.len < at_least) return ST_OK;
    TRY(x->write(x->ctx, buf_slice(&x->out), err));
    buf_reset(&x->out);
    return ST_OK;
}

/* ------------------------------------------------------------------ values */

static enum status name_of(struct exporter *x, size_t field, int64_t id, struct arena *mem,
                           struct slice *out, struct err *err) {
    struct lookup_entry *entry = lookup_find(&x->names, slice_of(&id, sizeof id));
    struct slice name, *kept;
    if (!entry) {
        TRY(directory_name(x->directories[field], id, mem, &name, err));
        kept = ARENA_NEW(&x->names_mem, struct slice);
        if (kept) *kept = arena_copy(&x->names_mem, name);
        entry = kept && kept->data ? lookup_put(&x->names, slice_of(&id, sizeof id)) : NULL;
        if (!entry) return err_no_memory(err);
        entry->item = kept;
    }
    *out = *(const struct slice *)entry->item;
    return ST_OK;
}

static enum status put_set(struct exporter *x, size_t field, struct slice set, struct arena *mem,
                           struct buf *out, struct err *err) {
    const struct field *f = &x->entity->fields[field];
    struct slice rest = set, element;
    for (bool first = true; slice_cut(&rest, '\n', &element); first = false) {
        int64_t id;
        if (!first) buf_put_text(out, "; ");
        if (f->set_of == FIELD_REF && text_to_int(element, &id))
            TRY(name_of(x, field, id, mem, &element, err));
        buf_put_slice(out, element);
    }
    return ST_OK;
}

static enum status put_value(struct exporter *x, size_t field, struct value v, struct arena *mem,
                             struct buf *out, struct err *err) {
    const struct field *f = &x->entity->fields[field];
    struct slice name;
    if (v.kind == VALUE_NULL) return ST_OK;
    if (f->type == FIELD_SET) return put_set(x, field, v.text, mem, out, err);
    if (f->type == FIELD_REF) {
        TRY(name_of(x, field, v.number, mem, &name, err));
        buf_put_slice(out, name);
        return ST_OK;
    }
    const struct enum_value *word =
        f->type == FIELD_ENUM ? enum_by_number(f->values, v.number) : NULL;
    if (word)
        buf_put_text(out, word->name);
    else
        field_write_text(f, v, LANG_EN, x->book->utc_offset_min, out);
    return ST_OK;
}

/* ------------------------------------------------------------------ rows */

static void put_head(struct exporter *x) {
    csv_write_field(&x->out, SLICE("id"), true);
    for (size_t i = 0; i < x->entity->field_count; i++)
        if (is_exported(&x->entity->fields[i]))
            csv_write_field(&x->out, slice_from(x->entity->fields[i].name), false);
    csv_write_end(&x->out);
}

/* A spreadsheet would take 1-16 for a day in January; a formula that is a text it leaves alone. */
static void put_id(struct exporter *x, int64_t id) {
    char text[ID_TEXT_BYTES], formula[ID_TEXT_BYTES + 4];
    id_format(id, text);
    (void)snprintf(formula, sizeof formula, "=\"%s\"", text);
    csv_write_field(&x->out, slice_from(x->excel ? formula : text), true);
}

static enum status put_csv_row(struct exporter *x, const struct row *row, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(EXPORT_SCRATCH_CAP);
    struct buf cell SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    put_id(x, row->id);
    for (size_t i = 0; i < x->entity->field_count; i++) {
        if (!is_exported(&x->entity->fields[i])) continue;
        buf_reset(&cell);
        TRY(put_value(x, i, row->values[i], &mem, &cell, err));
        TRY(buf_status(&cell, err));
        csv_write_field(&x->out, buf_slice(&cell), false);
    }
    csv_write_end(&x->out);
    return ST_OK;
}

static enum status export_row(void *ctx, const struct row *row, struct err *err) {
    struct exporter *x = ctx;
    x->rows++;
    if (x->form == EXPORT_CSV) TRY(put_csv_row(x, row, err));
    if (x->form == EXPORT_JSONL) {
        api_row_json(x->book, row, NULL, 0, &x->out);
        buf_put_byte(&x->out, '\n');
    }
    return send(x, PIECE_BYTES, err);
}

/* ------------------------------------------------------------------ the run */

static struct directory *opened(const struct exporter *x, const struct entity *e) {
    for (size_t i = 0; i < ENTITY_FIELDS_MAX; i++)
        if (x->directories[i] && directory_entity(x->directories[i]) == e) return x->directories[i];
    return NULL;
}

static enum status open_directories(struct exporter *x, struct err *err) {
    for (size_t i = 0; i < x->entity->field_count; i++) {
        const struct field *f = &x->entity->fields[i];
        if (!f->refers_to || !is_exported(f)) continue;
        const struct entity *e =
            catalogue_entity(store_catalogue(x->book->store), slice_from(f->refers_to));
        if (!e)
            return err_set(err, ST_INTERNAL, "%s refers to nothing", "%s 没有引用对象", f->name);
        x->directories[i] = opened(x, e);
        if (!x->directories[i]) TRY(directory_open(x->book->store, e, &x->directories[i], err));
    }
    return ST_OK;
}

static void close_directories(struct exporter *x) {
    for (size_t i = 0; i < ENTITY_FIELDS_MAX; i++) {
        struct directory *d = x->directories[i];
        for (size_t k = i; d && k < ENTITY_FIELDS_MAX; k++)
            if (x->directories[k] == d) x->directories[k] = NULL;
        directory_close(d);
    }
}

static enum status run(struct exporter *x, const struct query *query, struct err *err) {
    if (x->excel) buf_put_text(&x->out, "\xEF\xBB\xBF");
    if (x->form == EXPORT_CSV) {
        TRY(open_directories(x, err));
        put_head(x);
    }
    TRY(store_list(x->book->store, query, export_row, x, err));
    return send(x, 0, err);
}

enum status export_run(const struct api_book *book, const struct query *query,
                       enum export_form form, bool excel, export_write *write, void *ctx,
                       int64_t *out_rows, struct err *err) {
    struct exporter x = {.book = book,
                         .entity = query->entity,
                         .form = form,
                         .excel = excel,
                         .write = write,
                         .ctx = ctx,
                         .names_mem = arena_new(NAMES_BYTES_MAX),
                         .out = buf_new(BUF_MAX_MESSAGE)};
    x.names = lookup_new(&x.names_mem);
    enum status status = run(&x, query, err);
    if (status == ST_OK) *out_rows = x.rows;
    close_directories(&x);
    arena_clear(&x.names_mem);
    buf_free(&x.out);
    return status;
}
