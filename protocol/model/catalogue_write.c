/* The catalogue as a document, and as the bytes whose hash is its version. */
#include "protocol/model/catalogue.h"

#include <string.h>

/* ------------------------------------------------------------------ digest */

static void put_string(struct buf *out, const char *s) {
    buf_put_byte(out, s != NULL);
    buf_put_bytes(out, slice_from(s));
}

static void put_strings(struct buf *out, const char *const *strings, size_t count) {
    for (size_t i = 0; i < count; i++) put_string(out, strings[i]);
}

static void put_enumeration(struct buf *out, const struct enumeration *values) {
    put_string(out, values->name);
    buf_put_varint(out, values->count);
    for (size_t i = 0; i < values->count; i++) {
        buf_put_varint(out, values->values[i].number);
        put_string(out, values->values[i].name);
        put_strings(out, values->values[i].label, LANG_COUNT);
    }
    buf_put_varint(out, values->illegal_count);
    for (size_t i = 0; i < values->illegal_count; i++) {
        buf_put_varint(out, values->illegal[i][0]);
        buf_put_varint(out, values->illegal[i][1]);
    }
}

static void put_field(struct buf *out, const struct field *f) {
    const uint64_t numbers[] = {f->tag,  f->type,     f->rule,   f->scale, f->required,
                                f->owns, f->personal, f->search, f->set_of};
    const char *const strings[] = {f->name,   f->group, f->refers_to, f->unit,
                                   f->derive, f->also,  f->written_by};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) buf_put_varint(out, numbers[i]);
    buf_put_signed(out, f->min);
    buf_put_signed(out, f->max);
    put_strings(out, strings, ARRAY_COUNT(strings));
    put_strings(out, f->label, LANG_COUNT);
    buf_put_byte(out, f->values != NULL);
    if (f->values) put_enumeration(out, f->values);
}

static void put_entity(struct buf *out, const struct entity *e) {
    const uint64_t numbers[] = {e->tag, e->frozen_from, e->office_only, e->append_only,
                                e->field_count};
    const char *const strings[] = {e->name, e->title, e->author, e->frozen_by};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) buf_put_varint(out, numbers[i]);
    put_strings(out, strings, ARRAY_COUNT(strings));
    put_strings(out, e->label, LANG_COUNT);
    put_strings(out, e->key, ENTITY_KEY_MAX);
    for (size_t i = 0; i < ENTITY_HOMES_MAX; i++) {
        buf_put_varint(out, e->homes[i].kind);
        put_string(out, e->homes[i].field);
    }
}

/* One link per entity and per field. */
static enum status link_up(struct buf *text, struct chain *chain, struct err *err) {
    TRY(buf_status(text, err));
    *chain = chain_next(chain, buf_slice(text));
    buf_reset(text);
    return ST_OK;
}

enum status catalogue_digest(const struct catalogue *cat, struct chain *out, struct err *err) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct chain chain = {0};
    for (size_t i = 0; i < cat->count; i++) {
        const struct entity *e = &cat->entities[i];
        put_entity(&text, e);
        TRY(link_up(&text, &chain, err));
        for (size_t k = 0; k < e->field_count; k++) {
            put_field(&text, &e->fields[k]);
            TRY(link_up(&text, &chain, err));
        }
    }
    *out = chain;
    return ST_OK;
}

/* ------------------------------------------------------------------ JSON */

static void json_string(struct buf *out, const char *name, const char *value) {
    if (!value) return;
    buf_printf(out, ",\"%s\":", name);
    buf_put_json_text(out, value);
}

static void json_label(struct buf *out, const char *const label[LANG_COUNT]) {
    buf_put_text(out, ",\"label\":{\"en\":");
    buf_put_json_text(out, label[LANG_EN]);
    buf_put_text(out, ",\"zh\":");
    buf_put_json_text(out, label[LANG_ZH]);
    buf_put_byte(out, '}');
}

static void json_flag(struct buf *out, const char *name, bool value) {
    if (value) buf_printf(out, ",\"%s\":true", name);
}

static void json_values(struct buf *out, const struct enumeration *values) {
    buf_put_text(out, ",\"values\":[");
    for (size_t i = 0; i < values->count; i++) {
        buf_printf(out, "%s{\"number\":%u", i ? "," : "", values->values[i].number);
        json_string(out, "name", values->values[i].name);
        json_label(out, values->values[i].label);
        json_flag(out, "retired", values->values[i].retired);
        buf_put_byte(out, '}');
    }
    buf_put_byte(out, ']');
}

/* Of numbers in the unit that people write; of texts characters, of sets elements. */
static void json_limits(const struct field *f, struct buf *out) {
    bool is_text = f->type == FIELD_TEXT || f->type == FIELD_NOTE;
    if (is_text || f->type == FIELD_SET) {
        buf_printf(out, ",\"max\":%lld",
                   (long long)(is_text ? field_characters_max(f) : field_elements_max(f)));
        return;
    }
    if (f->min == 0 && f->max == 0) return;
    buf_put_text(out, ",\"min\":");
    buf_put_decimal(out, f->min, field_scale(f));
    if (f->max == INT64_MAX) return;
    buf_put_text(out, ",\"max\":");
    buf_put_decimal(out, f->max, field_scale(f));
}

static void json_field(const struct field *f, struct buf *out) {
    buf_printf(out, "{\"tag\":%u", f->tag);
    json_string(out, "name", f->name);
    json_label(out, f->label);
    json_string(out, "type", field_type_name(f->type));
    json_string(out, "rule", rule_name(f->rule));
    json_string(out, "group", f->group);
    json_flag(out, "required", f->required);
    json_flag(out, "owns", f->owns);
    json_flag(out, "personal", f->personal);
    json_flag(out, "added", field_is_added(f));
    json_flag(out, "retired", f->retired);
    json_limits(f, out);
    if (field_scale(f) > 0) buf_printf(out, ",\"scale\":%u", field_scale(f));
    if (f->search > 0) buf_printf(out, ",\"search\":%u", (unsigned)f->search);
    if (f->type == FIELD_SET) json_string(out, "set_of", field_type_name(f->set_of));
    json_string(out, "refers_to", f->refers_to);
    json_string(out, "unit", f->unit);
    if (f->values) json_values(out, f->values);
    buf_put_byte(out, '}');
}

static void json_entity(const struct entity *e, struct buf *out) {
    buf_printf(out, "{\"tag\":%u", e->tag);
    json_string(out, "name", e->name);
    json_label(out, e->label);
    json_string(out, "title", e->title);
    buf_put_text(out, ",\"key\":[");
    for (size_t i = 0; i < ENTITY_KEY_MAX && e->key[i]; i++) {
        if (i > 0) buf_put_byte(out, ',');
        buf_put_json_text(out, e->key[i]);
    }
    buf_put_byte(out, ']');
    json_flag(out, "office_only", e->office_only);
    json_flag(out, "append_only", e->append_only);
    buf_printf(out, ",\"fields\":%zu}", e->field_count);
}

/* ------------------------------------------------------------------ text and Markdown */

static void pad(struct buf *out, const char *text, size_t columns) {
    size_t width = text_columns(slice_from(text));
    buf_put_text(out, text);
    for (buf_put_byte(out, ' '); width < columns; width++) buf_put_byte(out, ' ');
}

static const char *home_name(enum home_kind kind) {
    switch (kind) {
    case HOME_NONE: return "";
    case HOME_TERRITORY: return "territory";
    case HOME_TEAM: return "team";
    case HOME_OWN: return "own";
    case HOME_PUBLIC: return "public";
    case HOME_OFFICE: return "office";
    case HOME_INHERIT: return "inherit";
    }
    return "";
}

static void put_homes(const struct entity *e, struct buf *out) {
    for (size_t i = 0; i < ENTITY_HOMES_MAX && e->homes[i].kind != HOME_NONE; i++) {
        buf_printf(out, "%s%s", i ? ", " : "", home_name(e->homes[i].kind));
        if (e->homes[i].field) buf_printf(out, "(%s)", e->homes[i].field);
    }
}

static void put_key(const struct entity *e, struct buf *out) {
    for (size_t i = 0; i < ENTITY_KEY_MAX && e->key[i]; i++)
        buf_printf(out, "%s%s", i ? ", " : "", e->key[i]);
}

static void put_type(const struct field *f, struct buf *out) {
    buf_put_text(out, field_type_name(f->type));
    if (f->type == FIELD_SET) buf_printf(out, " of %s", field_type_name(f->set_of));
    if (f->refers_to) buf_printf(out, " %s", f->refers_to);
    if (f->values) buf_printf(out, " %s", f->values->name);
}

/* Limits in the unit that people write. */
static void put_limits(const struct field *f, enum lang lang, struct buf *out) {
    if (f->required) buf_put_text(out, lang == LANG_ZH ? "必填 " : "required ");
    if (f->type == FIELD_TEXT || f->type == FIELD_NOTE)
        buf_printf(out, "<=%lld", (long long)field_characters_max(f));
    else if (f->type == FIELD_SET)
        buf_printf(out, lang == LANG_ZH ? "<=%lld 项" : "<=%lld elements",
                   (long long)field_elements_max(f));
    else if (f->max == INT64_MAX) {
        buf_put_text(out, ">=");
        buf_put_decimal(out, f->min, f->min == 0 ? 0 : field_scale(f));
    } else if (f->min != 0 || f->max != 0) {
        buf_put_decimal(out, f->min, field_scale(f));
        buf_put_text(out, "..");
        buf_put_decimal(out, f->max, field_scale(f));
    }
    if (f->unit) buf_printf(out, " %s", f->unit);
}

/* What may be typed for an enumeration: error messages name the values likewise. */
static void put_values(const struct field *f, enum lang lang, struct buf *out) {
    for (size_t i = 0; f->values && i < f->values->count; i++) {
        const struct enum_value *v = &f->values->values[i];
        if (v->retired) continue;
        if (i > 0) buf_put_text(out, lang == LANG_ZH ? "、" : ", ");
        buf_put_text(out, lang == LANG_ZH ? v->label[lang] : v->name);
    }
}

static void markdown_field(const struct field *f, enum lang lang, struct buf *out) {
    buf_printf(out, "| %u | `%s` | %s | ", f->tag, f->name, f->label[lang]);
    put_type(f, out);
    buf_printf(out, " | %s | %s | ", rule_name(f->rule), f->group ? f->group : "");
    put_limits(f, LANG_EN, out);
    buf_put_text(out, " |\n");
}

static void text_field(const struct field *f, enum lang lang, struct buf *out) {
    struct buf type SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    put_type(f, &type);
    pad(out, f->name, 20);
    pad(out, f->label[lang], 28);
    pad(out, buf_text(&type), 28);
    pad(out, rule_label(f->rule, lang), 30);
    put_limits(f, lang, out);
    if (f->values && f->type == FIELD_SET) buf_put_text(out, lang == LANG_ZH ? "：" : ": ");
    put_values(f, lang, out);
    if (f->retired) buf_put_text(out, lang == LANG_ZH ? " （已停用）" : " (retired)");
    buf_put_byte(out, '\n');
}

static void markdown_entity(const struct entity *e, enum lang lang, struct buf *out) {
    buf_printf(out, "| %u | `%s` | %s | ", e->tag, e->name, e->label[lang]);
    put_key(e, out);
    buf_put_text(out, " | ");
    put_homes(e, out);
    buf_put_text(out, " |\n");
}

static void text_entity(const struct entity *e, enum lang lang, struct buf *out) {
    pad(out, e->name, 20);
    pad(out, e->label[lang], 16);
    put_homes(e, out);
    buf_put_byte(out, '\n');
}

/* ------------------------------------------------------------------ documents */

static void put_head(enum catalogue_form form, const char *markdown, struct buf *out) {
    if (form == CATALOGUE_JSON) buf_put_byte(out, '[');
    if (form == CATALOGUE_MARKDOWN) buf_put_text(out, markdown);
}

static void put_foot(enum catalogue_form form, struct buf *out) {
    if (form == CATALOGUE_JSON) buf_put_text(out, "]\n");
}

void catalogue_write_entities(const struct catalogue *cat, enum catalogue_form form, enum lang lang,
                              struct buf *out) {
    put_head(form,
             lang == LANG_ZH
                 ? "| 标号 | 实体 | 名称 | 自然键 | 归属 |\n|---|---|---|---|---|\n"
                 : "| tag | entity | label | natural key | homes |\n|---|---|---|---|---|\n",
             out);
    for (size_t i = 0; i < cat->count; i++) {
        switch (form) {
        case CATALOGUE_TEXT: text_entity(&cat->entities[i], lang, out); break;
        case CATALOGUE_MARKDOWN: markdown_entity(&cat->entities[i], lang, out); break;
        case CATALOGUE_JSON:
            if (i > 0) buf_put_byte(out, ',');
            json_entity(&cat->entities[i], out);
            break;
        }
    }
    put_foot(form, out);
}

void catalogue_write_fields(const struct entity *e, enum catalogue_form form, enum lang lang,
                            struct buf *out) {
    put_head(
        form,
        lang == LANG_ZH
            ? "| 标号 | 字段 | 名称 | 类型 | 规则 | 组 | 限制 |\n|---|---|---|---|---|---|---|\n"
            : "| tag | field | label | type | rule | group | limits "
              "|\n|---|---|---|---|---|---|---|\n",
        out);
    for (size_t i = 0; i < e->field_count; i++) {
        switch (form) {
        case CATALOGUE_TEXT: text_field(&e->fields[i], lang, out); break;
        case CATALOGUE_MARKDOWN: markdown_field(&e->fields[i], lang, out); break;
        case CATALOGUE_JSON:
            if (i > 0) buf_put_byte(out, ',');
            json_field(&e->fields[i], out);
            break;
        }
    }
    put_foot(form, out);
}
