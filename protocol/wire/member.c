/* Members of the JSON view, and values by the type of their field. With a catalogue, entities,
 * cells and values stand by name; without one, or for what this release does not know, by tag and
 * as they travel.
 */
#include "protocol/wire/member.h"

/* ------------------------------------------------------------------ members */

static void name(struct view *v, const char *member) {
    uint8_t before = v->out->len > 0 && !v->out->failed ? v->out->data[v->out->len - 1] : '{';
    if (before != '{' && before != '[') buf_put_byte(v->out, ',');
    if (!member) return;
    buf_put_json_text(v->out, member);
    buf_put_byte(v->out, ':');
}

void member_open(struct view *v, const char *member, char bracket) {
    name(v, member);
    buf_put_byte(v->out, (uint8_t)bracket);
}

void member_close(struct view *v, char bracket) {
    buf_put_byte(v->out, (uint8_t)bracket);
}

void member_number(struct view *v, const char *member, int64_t value) {
    name(v, member);
    buf_printf(v->out, "%lld", (long long)value);
}

void member_number_unless(struct view *v, const char *member, int64_t value, int64_t usual) {
    if (value != usual) member_number(v, member, value);
}

void member_truth(struct view *v, const char *member, bool value) {
    name(v, member);
    buf_put_text(v->out, value ? "true" : "false");
}

void member_word(struct view *v, const char *member, const char *value) {
    name(v, member);
    buf_put_json_text(v->out, value);
}

void member_text(struct view *v, const char *member, struct slice value) {
    name(v, member);
    buf_put_json_string(v->out, value);
}

void member_hex(struct view *v, const char *member, const uint8_t *bytes, size_t count) {
    name(v, member);
    buf_put_byte(v->out, '"');
    buf_put_hex(v->out, slice_of(bytes, count));
    buf_put_byte(v->out, '"');
}

void member_instant(struct view *v, const char *member, int64_t unix_ms) {
    name(v, member);
    buf_put_byte(v->out, '"');
    buf_put_time(v->out, unix_ms, 0);
    buf_put_byte(v->out, '"');
}

void member_row_id(struct view *v, const char *member, int64_t id) {
    if (!id_is_valid(id)) {
        member_number(v, member, id);
        return;
    }
    char form[ID_TEXT_BYTES];
    id_format(id, form);
    member_word(v, member, form);
}

void member_position(struct view *v, const char *member, const struct position *p) {
    member_open(v, member, '{');
    member_number(v, "seq", p->seq);
    member_hex(v, "chain", p->chain.bytes, CHAIN_BYTES);
    member_close(v, '}');
}

/* ------------------------------------------------------------------ entities, cells, values */

const struct entity *member_entity_of(const struct view *v, uint32_t tag) {
    return v->cat ? catalogue_entity_by_tag(v->cat, tag) : NULL;
}

void member_entity(struct view *v, uint32_t tag) {
    const struct entity *e = member_entity_of(v, tag);
    if (e) {
        member_word(v, "entity", e->name);
    } else {
        member_number(v, "entity", tag);
    }
}

void member_cell(struct view *v, const struct entity *e, uint32_t tag) {
    const struct cell *known = e ? entity_cell(e, tag) : NULL;
    if (known) {
        member_word(v, "cell", cell_name(e, known));
    } else {
        member_number(v, "cell", tag);
    }
}

static void plain_value(struct view *v, struct value value) {
    switch (value.kind) {
    case VALUE_NULL: buf_put_text(v->out, "null"); break;
    case VALUE_INT: buf_printf(v->out, "%lld", (long long)value.number); break;
    case VALUE_TEXT: buf_put_json_string(v->out, value.text); break;
    }
}

static bool is_text_type(enum field_type type) {
    return type == FIELD_TEXT || type == FIELD_NOTE || type == FIELD_SET;
}

/* By the field's type where the value is of its kind; a peer may send anything. */
static void field_value(struct view *v, const struct field *f, struct value value) {
    bool fits =
        f && value.kind != VALUE_NULL && (value.kind == VALUE_TEXT) == is_text_type(f->type);
    if (fits) {
        field_write_json(f, value, v->out);
    } else {
        plain_value(v, value);
    }
}

void member_values(struct view *v, const char *member, const struct entity *e, uint32_t tag,
                   const struct value *items, size_t count) {
    const struct cell *known = e ? entity_cell(e, tag) : NULL;
    member_open(v, member, '[');
    for (size_t i = 0; i < count; i++) {
        name(v, NULL);
        field_value(v, known && i < known->count ? &e->fields[known->first + i] : NULL, items[i]);
    }
    member_close(v, ']');
}
