/* What a person types about rows: entities, fields, FIELD=VALUE, conditions. */
#include "syncd/api/api.h"
#include "syncd/api/directory.h"

#include <string.h>

enum { NAME_BYTES_MAX = 512 }; /* no name of ours is nearly as long */

/* ------------------------------------------------------------------ names */

/* Folded, with blanks for underlines; too long is like nothing. */
static struct slice fold_name(struct slice text, struct arena *mem) {
    struct slice folded;
    text = slice_trim(text);
    if (text.len > NAME_BYTES_MAX || !text_is_utf8(text) ||
        text_fold(text, mem, &folded, NULL) != ST_OK)
        return (struct slice){0};
    folded = arena_copy(mem, folded);
    uint8_t *own = (uint8_t *)(uintptr_t)folded.data; /* the copy above */
    for (size_t i = 0; own && i < folded.len; i++)
        if (own[i] == '_') own[i] = ' ';
    return folded.data ? folded : (struct slice){0};
}

static bool is_called(struct slice typed, const char *name, const char *const label[LANG_COUNT],
                      bool by_label, struct arena *mem) {
    if (!by_label) return slice_equal(typed, fold_name(slice_from(name), mem));
    for (int lang = 0; lang < LANG_COUNT; lang++)
        if (slice_equal(typed, fold_name(slice_from(label[lang]), mem))) return true;
    return false;
}

static const char *shown(struct slice text, char out[NAME_BYTES_MAX + 1]) {
    struct slice cut = text_prefix(text, 60);
    memcpy(out, cut.data ? (const char *)cut.data : "", cut.len);
    out[cut.len] = 0;
    return text_is_utf8(cut) ? out : "?";
}

static enum status no_entity(const struct catalogue *cat, struct slice text, struct err *err) {
    struct buf en SCOPED(buf_free) = buf_new(BUF_MAX_LINE),
                  zh SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    char typed[NAME_BYTES_MAX + 1];
    for (size_t i = 0; i < cat->count; i++) {
        buf_printf(&en, "%s%s", i > 0 ? ", " : "", cat->entities[i].name);
        buf_printf(&zh, "%s%s（%s）", i > 0 ? "、" : "", cat->entities[i].name,
                   cat->entities[i].label[LANG_ZH]);
    }
    return err_set(err, ST_USAGE, "there is no entity \"%s\": there are %s%.0s",
                   "没有“%s”这种记录，可用的有：%.0s%s", shown(text, typed), buf_text(&en),
                   buf_text(&zh));
}

enum status api_entity(const struct catalogue *cat, struct slice text, const struct entity **out,
                       struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(BUF_MAX_BATCH);
    struct slice typed = fold_name(text, &mem);
    for (int by_label = 0; typed.len > 0 && by_label < 2; by_label++)
        for (size_t i = 0; i < cat->count; i++) {
            const struct entity *e = &cat->entities[i];
            if (!is_called(typed, e->name, e->label, by_label == 1, &mem)) continue;
            *out = e;
            return ST_OK;
        }
    return no_entity(cat, text, err);
}

static enum status no_field(const struct entity *e, struct slice text, struct err *err) {
    struct buf names SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    char typed[NAME_BYTES_MAX + 1];
    for (size_t i = 0; i < e->field_count; i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", e->fields[i].name);
    return err_set(err, ST_USAGE, "%s has no field \"%s\": it has %s",
                   "%s 没有字段“%s”，可用的有：%s", e->name, shown(text, typed), buf_text(&names));
}

enum status api_field(const struct entity *e, struct slice text, const struct field **out,
                      struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(BUF_MAX_BATCH);
    struct slice typed = fold_name(text, &mem);
    for (int by_label = 0; typed.len > 0 && by_label < 2; by_label++)
        for (size_t i = 0; i < e->field_count; i++) {
            const struct field *f = &e->fields[i];
            if (!is_called(typed, f->name, f->label, by_label == 1, &mem)) continue;
            *out = f;
            return ST_OK;
        }
    return no_field(e, text, err);
}

/* ------------------------------------------------------------------ values */

struct first_two {
    int64_t id;
    size_t count;
};

static enum status count_row(void *ctx, const struct row *row, struct err *err) {
    struct first_two *found = ctx;
    (void)err;
    found->id = row->id;
    found->count++;
    return ST_OK;
}

/* A number of another system goes before a bare number as id: people read it off their papers. */
static enum status find_by_external(const struct api_book *book, const struct entity *e,
                                    struct slice text, struct first_two *out, struct err *err) {
    const struct field *f = directory_external(e);
    *out = (struct first_two){0, 0};
    if (!f || text.len == 0 || !text_is_utf8(text)) return ST_OK;
    struct condition is = {.field = f, .compare = COMPARE_EQ, .value = value_text(text)};
    struct query q = {.entity = e, .conditions = &is, .condition_count = 1, .limit = 2};
    return store_list(book->store, &q, count_row, out, err);
}

static enum status find_reference(const struct api_book *book, const struct field *f,
                                  struct slice text, int64_t *out, struct err *err) {
    const struct entity *e =
        catalogue_entity(store_catalogue(book->store), slice_from(f->refers_to));
    struct first_two found;
    if (!e) return err_set(err, ST_INTERNAL, "%s refers to nothing", "%s 没有引用对象", f->name);
    text = slice_trim(text);
    TRY(find_by_external(book, e, text, &found, err));
    if (found.count == 1) {
        *out = found.id;
        return ST_OK;
    }
    enum status status = store_resolve(book->store, e, text, out, err);
    if (status == ST_OK) return ST_OK;
    return err_wrap(err, status, "%s%.0s", "%.0s%s", f->label[LANG_EN], f->label[LANG_ZH]);
}

static enum status reference_set(const struct api_book *book, const struct field *f,
                                 struct slice text, struct arena *mem, struct value *out,
                                 struct err *err) {
    struct slice part, *elements = ARENA_ARRAY(mem, text.len + 1, struct slice);
    size_t count = 0;
    if (!elements) return err_no_memory(err);
    while (slice_cut(&text, ',', &part)) {
        int64_t id;
        if (slice_trim(part).len == 0) continue;
        TRY(find_reference(book, f, part, &id, err));
        const char *number = arena_printf(mem, "%lld", (long long)id);
        if (!number) return err_no_memory(err);
        elements[count++] = slice_from(number);
    }
    return set_make(elements, count, mem, out, err);
}

enum status api_value(const struct api_book *book, const struct field *f, struct slice text,
                      struct arena *mem, struct value *out, struct err *err) {
    int64_t id;
    bool empty = slice_trim(text).len == 0;
    if (f->type == FIELD_SET && f->set_of == FIELD_REF && !empty)
        return reference_set(book, f, text, mem, out, err);
    if (f->type != FIELD_REF || empty)
        return field_parse(f, text, book->utc_offset_min, mem, out, err);
    TRY(find_reference(book, f, text, &id, err));
    *out = value_int(id);
    return ST_OK;
}

/* Steps and values to compare with are not values of the field: its limits do not bind them. */
static struct field without_limits(const struct field *f) {
    struct field loose = *f;
    loose.min = loose.max = 0;
    loose.required = false;
    return loose;
}

/* ------------------------------------------------------------------ edits */

static enum status not_an_edit(struct slice word, struct err *err) {
    char typed[NAME_BYTES_MAX + 1];
    return err_set(err, ST_USAGE, "\"%s\" is not FIELD=VALUE", "“%s”不是 字段=内容 的形式",
                   shown(word, typed));
}

static enum status step_edit(const struct api_book *book, const struct field *f, bool plus,
                             struct slice text, struct arena *mem, struct field_edit *out,
                             struct err *err) {
    struct field loose = without_limits(f);
    struct field_edit edit = {.field = f, .kind = FIELD_EDIT_COUNT};
    if (f->rule != RULE_COUNTER && f->rule != RULE_SET)
        return err_set(err, ST_USAGE, "+= and -= are for sets and counters, and %s is neither",
                       "+= 和 -= 只用于集合和计数字段，%s 不是", f->name);
    TRY(api_value(book, f->rule == RULE_SET ? f : &loose, text, mem, &edit.value, err));
    if (edit.value.kind == VALUE_NULL)
        return err_set(err, ST_USAGE, "%s: nothing stands behind the sign", "%s：符号后没有内容",
                       f->name);
    if (f->rule == RULE_SET)
        edit.kind = plus ? FIELD_EDIT_ADD : FIELD_EDIT_REMOVE;
    else if (!plus && __builtin_sub_overflow((int64_t)0, edit.value.number, &edit.value.number))
        return err_set(err, ST_INVALID, "%s: the number is too large", "%s：数值过大", f->name);
    *out = edit;
    return ST_OK;
}

enum status api_edit(const struct api_book *book, const struct entity *e, struct slice word,
                     struct arena *mem, struct field_edit *out, struct err *err) {
    const uint8_t *equals = word.len > 0 ? memchr(word.data, '=', word.len) : NULL;
    const struct field *f;
    if (!equals || equals == word.data) return not_an_edit(word, err);
    size_t at = (size_t)(equals - word.data);
    struct slice text = slice_of(equals + 1, word.len - at - 1);
    uint8_t sign = word.data[at - 1] == '+' || word.data[at - 1] == '-' ? word.data[at - 1] : 0;
    TRY(api_field(e, slice_of(word.data, sign ? at - 1 : at), &f, err));
    if (f->rule == RULE_DERIVED)
        return err_set(err, ST_INVALID, "%s is computed and cannot be given",
                       "%s由系统计算，不能填写", f->name);
    if (sign) return step_edit(book, f, sign == '+', text, mem, out, err);
    struct field_edit edit = {.field = f, .kind = FIELD_EDIT_SET};
    TRY(api_value(book, f, text, mem, &edit.value, err));
    *out = edit;
    return ST_OK;
}

/* ------------------------------------------------------------------ conditions */

static const struct {
    struct slice sign;
    enum compare compare;
} SIGNS[] = {
    /* the longer ones first */
    {{(const uint8_t *)"!=", 2}, COMPARE_NE},      {{(const uint8_t *)">=", 2}, COMPARE_GE},
    {{(const uint8_t *)"<=", 2}, COMPARE_LE},      {{(const uint8_t *)"=", 1}, COMPARE_EQ},
    {{(const uint8_t *)"~", 1}, COMPARE_CONTAINS}, {{(const uint8_t *)">", 1}, COMPARE_GT},
    {{(const uint8_t *)"<", 1}, COMPARE_LT},
};

static bool split_condition(struct slice word, struct slice *out_name, enum compare *out_compare,
                            struct slice *out_text) {
    for (size_t at = 1; at < word.len; at++) {
        struct slice rest = slice_of(word.data + at, word.len - at);
        for (size_t i = 0; i < ARRAY_COUNT(SIGNS); i++) {
            if (!slice_starts(rest, SIGNS[i].sign)) continue;
            *out_name = slice_of(word.data, at);
            *out_compare = SIGNS[i].compare;
            *out_text = slice_of(rest.data + SIGNS[i].sign.len, rest.len - SIGNS[i].sign.len);
            return true;
        }
    }
    return false;
}

static enum status condition_value(const struct api_book *book, const struct field *f,
                                   enum compare compare, struct slice text, struct arena *mem,
                                   struct value *out, struct err *err) {
    struct field loose = without_limits(f);
    struct slice normal;
    if (compare != COMPARE_CONTAINS) {
        TRY(api_value(book, &loose, text, mem, out, err));
        if (f->type != FIELD_SET || set_count(*out) <= 1) return ST_OK;
        return err_set(err, ST_USAGE, "%s: compare with one element at a time",
                       "%s：每个条件只能比较一项", f->name);
    }
    if (!text_is_utf8(text)) return err_set(err, ST_INVALID, "not UTF-8 text", "不是 UTF-8 文字");
    TRY(text_nfc(text, mem, &normal, err));
    normal = arena_copy(mem, normal);
    if (!normal.data) return err_no_memory(err);
    *out = value_text(normal);
    return ST_OK;
}

enum status api_condition(const struct api_book *book, const struct entity *e, struct slice word,
                          struct arena *mem, struct condition *out, struct err *err) {
    struct condition c;
    struct slice name, text;
    char typed[NAME_BYTES_MAX + 1];
    if (!split_condition(word, &name, &c.compare, &text))
        return err_set(err, ST_USAGE,
                       "\"%s\" is not a condition: FIELD=VALUE, or with != ~ > >= < <=",
                       "“%s”不是条件：应为 字段=内容，或用 != ~ > >= < <=", shown(word, typed));
    TRY(api_field(e, name, &c.field, err));
    TRY(condition_value(book, c.field, c.compare, text, mem, &c.value, err));
    *out = c;
    return ST_OK;
}
