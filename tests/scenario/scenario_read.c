/* What the words of a scenario mean. */
#include "tests/scenario/scenario.h"

enum status scenario_wrong(struct err *err, const char *what, struct slice where) {
    return err_set(err, ST_USAGE, "%s: %.*s", "%s：%.*s", what, (int)where.len,
                   (const char *)where.data);
}

enum status scenario_split(struct slice line, struct arena *mem, struct words *out,
                           struct err *err) {
    out->count = 0;
    for (size_t i = 0; i < line.len;) {
        if (line.data[i] == ' ') {
            i++;
            continue;
        }
        if (line.data[i] == '#') break;
        if (out->count == WORDS_MAX) return scenario_wrong(err, "too many words", line);
        uint8_t *word = arena_alloc(mem, line.len + 1);
        if (!word) return err_no_memory(err);
        size_t n = 0;
        for (bool quoted = false; i < line.len && (quoted || line.data[i] != ' '); i++) {
            if (line.data[i] == '"')
                quoted = !quoted;
            else if (line.data[i] == '\\' && i + 1 < line.len && line.data[i + 1] == 'n')
                word[n++] = '\n', i++;
            else
                word[n++] = line.data[i];
        }
        out->at[out->count++] = slice_of(word, n);
    }
    return ST_OK;
}

struct named_row *scenario_find_row(struct scenario *s, struct slice name) {
    for (size_t i = 0; i < s->row_count; i++)
        if (is(name, s->rows[i].name)) return &s->rows[i];
    return NULL;
}

enum status scenario_name_row(struct scenario *s, struct slice name, const struct entity *e,
                              int64_t id, struct err *err) {
    if (s->row_count == NAMES_MAX) return scenario_wrong(err, "too many names", name);
    struct named_row *row = &s->rows[s->row_count++];
    snprintf(row->name, sizeof(row->name), "%.*s", (int)name.len, (const char *)name.data);
    row->entity = e;
    row->id = id;
    return ST_OK;
}

const struct entity *scenario_entity(struct scenario *s, struct world_laptop *l, uint32_t tag) {
    struct store *store = l ? l->store : world_office_store(&s->world);
    struct err ignored; /* then it knows what it knew before */
    (void)store_refresh(store, &ignored);
    return catalogue_entity_by_tag(store_catalogue(store), tag);
}

/* "+10m", "-3y" in milliseconds. */
enum status scenario_read_span(struct slice text, int64_t *out, struct err *err) {
    int64_t sign = text.len && text.data[0] == '-' ? -1 : 1, n;
    if (text.len < 3 || !text_to_int(slice_of(text.data + 1, text.len - 2), &n))
        return scenario_wrong(err, "no span of time", text);
    int64_t unit = 0;
    switch (text.data[text.len - 1]) {
    case 's': unit = 1000; break;
    case 'm': unit = 60 * 1000; break;
    case 'h': unit = 3600 * 1000; break;
    case 'd': unit = 86400 * 1000; break;
    case 'y': unit = (int64_t)365 * 86400 * 1000; break;
    default: return scenario_wrong(err, "no unit of time", text);
    }
    *out = sign * n * unit;
    return ST_OK;
}

static enum status read_value(struct scenario *s, const struct field *f, struct slice text,
                              struct value *out, struct err *err) {
    struct named_row *row = f->type == FIELD_REF ? scenario_find_row(s, text) : NULL;
    if (row) {
        *out = value_int(row->id);
        return ST_OK;
    }
    return field_parse(f, text, 0, &s->mem, out, err);
}

/* name=value, name+=value, name-=value */
static enum status read_edit(struct scenario *s, const struct entity *e, struct slice word,
                             struct field_edit *out, struct err *err) {
    const uint8_t *eq = memchr(word.data, '=', word.len);
    if (!eq || eq == word.data) return scenario_wrong(err, "not FIELD=VALUE", word);
    size_t name = (size_t)(eq - word.data);
    struct slice text = slice_of(eq + 1, word.len - name - 1);
    uint8_t sign = eq[-1];
    if (sign == '+' || sign == '-') name--;
    *out = (struct field_edit){.field = entity_field(e, slice_of(word.data, name))};
    if (!out->field) return scenario_wrong(err, "no such field", word);
    if (sign != '+' && sign != '-') return read_value(s, out->field, text, &out->value, err);
    if (out->field->type == FIELD_SET) {
        out->kind = sign == '+' ? FIELD_EDIT_ADD : FIELD_EDIT_REMOVE;
        return field_parse(out->field, text, 0, &s->mem, &out->value, err);
    }
    out->kind = FIELD_EDIT_COUNT;
    TRY(field_parse(out->field, text, 0, &s->mem, &out->value, err));
    if (sign == '-') out->value.number = -out->value.number;
    return ST_OK;
}

enum status scenario_read_edits(struct scenario *s, const struct entity *e, const struct words *w,
                                size_t from, struct field_edit *out, size_t *out_count,
                                struct err *err) {
    *out_count = 0;
    for (size_t i = from; i < w->count; i++)
        TRY(read_edit(s, e, w->at[i], &out[(*out_count)++], err));
    return ST_OK;
}

/* ROW.FIELD; without a point the field is NULL. */
enum status scenario_read_place(struct scenario *s, struct slice word, struct named_row **out_row,
                                const struct field **out_field, struct err *err) {
    const uint8_t *point = memchr(word.data, '.', word.len);
    size_t n = point ? (size_t)(point - word.data) : word.len;
    *out_row = scenario_find_row(s, slice_of(word.data, n));
    if (!*out_row) return scenario_wrong(err, "no such row", word);
    (*out_row)->entity = scenario_entity(s, NULL, (*out_row)->entity->tag);
    *out_field =
        point ? entity_field((*out_row)->entity, slice_of(point + 1, word.len - n - 1)) : NULL;
    return point && !*out_field ? scenario_wrong(err, "no such field", word) : ST_OK;
}
