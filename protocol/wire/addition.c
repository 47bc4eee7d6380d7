/* What head office added to the catalogue, as it travels: whole, and signed by the org, so that a
 * laptop can give it back to a server that went back in time.
 */
#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"

static void code_labels(struct coder *c, struct slice label[LANG_COUNT]) {
    for (int lang = 0; lang < LANG_COUNT; lang++) label[lang] = code_text(c, label[lang]);
}

static void code_field(struct coder *c, struct added_field *f) {
    f->entity = code_u32(c, f->entity);
    f->tag = code_u32(c, f->tag);
    f->group = code_u32(c, f->group);
    f->type = code_u32(c, f->type);
    f->set_of = code_u32(c, f->set_of);
    f->rule = code_u32(c, f->rule);
    f->scale = code_u32(c, f->scale);
    f->flags = code_u32(c, f->flags);
    f->min = code_signed(c, f->min);
    f->max = code_signed(c, f->max);
    f->name = code_text(c, f->name);
    code_labels(c, f->label);
}

static void code_value_added(struct coder *c, struct added_value *v) {
    v->entity = code_u32(c, v->entity);
    v->field = code_u32(c, v->field);
    v->number = code_u32(c, v->number);
    v->flags = code_u32(c, v->flags);
    v->name = code_text(c, v->name);
    code_labels(c, v->label);
}

/* Each stands in bytes of its own: what a later release says behind it is passed over. */
static void write_field(struct coder *c, struct added_field f) {
    SCOPED(buf_free) struct buf item = buf_new(BUF_MAX_LINE);
    struct coder inner = coder_writing(&item);
    code_field(&inner, &f);
    if (coder_failed(&inner)) coder_fail(c, ST_TOO_LARGE);
    (void)code_text(c, buf_slice(&item));
}

static void write_value(struct coder *c, struct added_value v) {
    SCOPED(buf_free) struct buf item = buf_new(BUF_MAX_LINE);
    struct coder inner = coder_writing(&item);
    code_value_added(&inner, &v);
    if (coder_failed(&inner)) coder_fail(c, ST_TOO_LARGE);
    (void)code_text(c, buf_slice(&item));
}

enum status wire_write_additions(const struct additions *added, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    (void)code_number(&c, added->field_count, ADDITION_FIELDS_MAX);
    for (size_t i = 0; i < added->field_count; i++) write_field(&c, added->fields[i]);
    (void)code_number(&c, added->value_count, ADDITION_VALUES_MAX);
    for (size_t i = 0; i < added->value_count; i++) write_value(&c, added->values[i]);
    return coder_status(&c, err);
}

static void read_fields(struct coder *c, struct additions *a) {
    a->field_count = (size_t)code_number(c, 0, ADDITION_FIELDS_MAX);
    a->fields = code_items(c, NULL, a->field_count, sizeof *a->fields);
    for (size_t i = 0; i < a->field_count && !coder_failed(c); i++) {
        struct coder item = coder_reading(code_text(c, (struct slice){0}), NULL);
        code_field(&item, &a->fields[i]);
        if (coder_failed(&item)) coder_fail(c, ST_MALFORMED);
    }
}

static void read_values(struct coder *c, struct additions *a) {
    a->value_count = (size_t)code_number(c, 0, ADDITION_VALUES_MAX);
    a->values = code_items(c, NULL, a->value_count, sizeof *a->values);
    for (size_t i = 0; i < a->value_count && !coder_failed(c); i++) {
        struct coder item = coder_reading(code_text(c, (struct slice){0}), NULL);
        code_value_added(&item, &a->values[i]);
        if (coder_failed(&item)) coder_fail(c, ST_MALFORMED);
    }
}

enum status wire_read_additions(struct slice bytes, struct arena *mem, struct additions *out,
                                struct err *err) {
    struct coder c = coder_reading(bytes, mem);
    struct additions added = {0};
    read_fields(&c, &added);
    if (!coder_failed(&c)) read_values(&c, &added);
    TRY(coder_end(&c, err));
    *out = added;
    return ST_OK;
}

void wire_additions_signed(struct slice bytes, struct buf *out) {
    buf_put_text(out, "roadbook catalogue 1\n");
    buf_put_slice(out, bytes);
}

/* ------------------------------------------------------------------ sections */

static void code_signed_additions(struct coder *c, struct signed_additions *s) {
    s->bytes = code_text(c, s->bytes);
    code_fixed(c, s->signature, SIGN_BYTES);
}

enum status added_write(const struct signed_additions *items, size_t count, struct buf *out,
                        struct err *err) {
    struct coder c = coder_writing(out);
    (void)code_number(&c, count, WIRE_ADDITIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct signed_additions item = items[i];
        code_signed_additions(&c, &item);
    }
    return coder_status(&c, err);
}

enum status added_read(struct slice section, struct arena *mem, size_t room,
                       struct signed_additions **out, size_t *out_count, struct err *err) {
    struct coder c = coder_reading(section, mem);
    (void)room;
    size_t count = (size_t)code_number(&c, 0, WIRE_ADDITIONS_MAX);
    struct signed_additions *items = code_items(&c, NULL, count, sizeof *items);
    for (size_t i = 0; i < count && !coder_failed(&c); i++) code_signed_additions(&c, &items[i]);
    TRY(coder_end(&c, err));
    for (size_t i = 0; i < count; i++)
        TRY(wire_read_additions(items[i].bytes, mem, &items[i].added, err));
    *out = items;
    *out_count = count;
    return ST_OK;
}
