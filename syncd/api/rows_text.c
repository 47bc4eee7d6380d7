/* Rows as people and programs read them. */
#include "syncd/api/api.h"

#include <string.h>

enum { LIST_FIELDS_MAX = 8, ROW_SCRATCH_CAP = 64 * 1024 * 1024 };

/* ------------------------------------------------------------------ JSON */

static void put_member(struct buf *out, const struct field *f, struct value v) {
    buf_put_byte(out, ',');
    buf_put_json_text(out, f->name);
    buf_put_byte(out, ':');
    if (f->type == FIELD_SET && v.kind == VALUE_NULL)
        buf_put_text(out, "[]"); /* always a list */
    else
        field_write_json(f, v, out);
}

void api_row_json(const struct api_book *book, const struct row *row,
                  const struct field *const *fields, size_t count, struct buf *out) {
    char id[ID_TEXT_BYTES] = "?";
    (void)book; /* programs read the same in every language */
    if (id_is_valid(row->id)) id_format(row->id, id);
    buf_printf(out, "{\"id\":%lld,\"short_id\":\"%s\"", (long long)row->id, id);
    for (size_t i = 0; !fields && i < row->entity->field_count; i++)
        put_member(out, &row->entity->fields[i], row->values[i]);
    for (size_t i = 0; fields && i < count; i++)
        put_member(out, fields[i], row->values[entity_field_index(row->entity, fields[i])]);
    buf_printf(out, ",\"seq\":%lld,\"pending\":%s", (long long)row->seq,
               row->pending ? "true" : "false");
    if (row->gone) buf_put_text(out, ",\"gone\":true");
    buf_put_byte(out, '}');
}

/* ------------------------------------------------------------------ values */

static enum status put_title(const struct api_book *book, const struct field *f, int64_t id,
                             struct arena *mem, struct buf *out, struct err *err) {
    const struct entity *e =
        catalogue_entity(store_catalogue(book->store), slice_from(f->refers_to));
    struct slice title;
    if (!e) return err_set(err, ST_INTERNAL, "%s refers to nothing", "%s 没有引用对象", f->name);
    TRY(store_title(book->store, e, id, mem, &title, err));
    buf_put_slice(out, title);
    return ST_OK;
}

static enum status put_titles(const struct api_book *book, const struct field *f, struct slice set,
                              struct arena *mem, struct buf *out, struct err *err) {
    struct slice element;
    for (bool first = true; slice_cut(&set, '\n', &element); first = false) {
        int64_t id;
        if (!first) buf_put_text(out, ", ");
        if (text_to_int(element, &id)) TRY(put_title(book, f, id, mem, out, err));
    }
    return ST_OK;
}

static enum status put_value(const struct api_book *book, const struct field *f, struct value v,
                             struct arena *mem, struct buf *out, struct err *err) {
    if (v.kind == VALUE_NULL) return ST_OK;
    if (f->type == FIELD_REF) return put_title(book, f, v.number, mem, out, err);
    if (f->type == FIELD_SET && f->set_of == FIELD_REF)
        return put_titles(book, f, v.text, mem, out, err);
    field_write_text(f, v, book->lang, book->utc_offset_min, out);
    return ST_OK;
}

enum status api_value_text(const struct api_book *book, const struct field *f, struct value v,
                           struct arena *mem, struct slice *out, struct err *err) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    TRY(put_value(book, f, v, mem, &text, err));
    TRY(buf_status(&text, err));
    struct slice copy = arena_copy(mem, buf_slice(&text));
    if (!copy.data) return err_no_memory(err);
    *out = copy;
    return ST_OK;
}

void api_value_line(const struct field *f, struct slice text, struct buf *out) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\n')
            buf_put_byte(out, text.data[i]);
        else
            buf_put_text(out, f->type == FIELD_SET ? ", " : " ");
    }
}

/* ------------------------------------------------------------------ times */

void api_put_minute(int64_t unix_ms, int utc_offset_min, struct buf *out) {
    enum { MINUTE_MS = 60000, DAY_MIN = 1440 };
    int64_t minutes = unix_ms / MINUTE_MS + utc_offset_min;
    buf_put_date(out, minutes / DAY_MIN);
    buf_printf(out, " %02d:%02d", (int)(minutes % DAY_MIN / 60), (int)(minutes % 60));
}

void api_put_zone(int utc_offset_min, struct buf *out) {
    int minutes = utc_offset_min < 0 ? -utc_offset_min : utc_offset_min;
    buf_put_text(out, "UTC");
    if (minutes == 0) return;
    buf_printf(out, "%c%d", utc_offset_min < 0 ? '-' : '+', minutes / 60);
    if (minutes % 60) buf_printf(out, ":%02d", minutes % 60);
}

/* ------------------------------------------------------------------ a row as text */

/* Further lines of a note stand under the first. */
static void put_indented(struct buf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        buf_put_byte(out, text.data[i]);
        if (text.data[i] == '\n') buf_put_text(out, "    ");
    }
}

static enum status put_line(const struct api_book *book, const struct field *f, struct value v,
                            struct arena *mem, struct buf *out, struct err *err) {
    struct slice text;
    if (v.kind == VALUE_NULL) return ST_OK;
    TRY(api_value_text(book, f, v, mem, &text, err));
    buf_printf(out, book->lang == LANG_ZH ? "%s：" : "%s: ", f->label[book->lang]);
    put_indented(out, text);
    if (f->type == FIELD_REF && id_is_valid(v.number)) {
        char id[ID_TEXT_BYTES];
        id_format(v.number, id);
        buf_printf(out, " (%s)", id);
    }
    buf_put_byte(out, '\n');
    return ST_OK;
}

enum status api_row_text(const struct api_book *book, const struct row *row, struct buf *out,
                         struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(ROW_SCRATCH_CAP);
    for (size_t i = 0; i < row->entity->field_count; i++)
        TRY(put_line(book, &row->entity->fields[i], row->values[i], &mem, out, err));
    return buf_status(out, err);
}

/* ------------------------------------------------------------------ which fields a list shows */

static bool is_title(const struct entity *e, const struct field *f) {
    return e->title && strcmp(e->title, f->name) == 0;
}

/* The order in which fields are worth a column. */
static int rank(const struct entity *e, const struct field *f) {
    if (is_title(e, f)) return 0;
    if (f->type == FIELD_REF) return 1;
    if (f->rule == RULE_STATE) return 2;
    if (f->type == FIELD_DATE) return 3;
    return 4;
}

size_t api_list_fields(const struct entity *e, const struct field **out, size_t max) {
    size_t count = 0, limit = max < LIST_FIELDS_MAX ? max : LIST_FIELDS_MAX;
    for (int worth = 0; worth < 4; worth++)
        for (size_t i = 0; i < e->field_count && count < limit; i++)
            if (rank(e, &e->fields[i]) == worth) out[count++] = &e->fields[i];
    return count;
}
