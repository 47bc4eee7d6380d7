/* Which column of a file is which field: by name, label or one of the names that other systems use,
 * in both languages, whatever the case and width, with or without a unit in brackets. What the
 * person says goes first.
 */
#include "syncd/api/import.h"

#include <string.h>

/* Surest first. All columns are tried on one level before any is tried on the next. */
enum level { LEVEL_NAME, LEVEL_LABEL, LEVEL_ALSO, LEVEL_COUNT };

struct heading {
    struct slice shown; /* as it stands in the file */
    struct slice folded;
    struct slice bare;         /* without what stands in brackets behind it */
    bool decided;              /* by the person */
    bool is_id;                /* the ids of rows */
    const struct field *meant; /* known, though the column is left out */
};

struct word {
    struct slice folded; /* never empty */
    enum level level;
    const struct field *field;
};

struct mapper {
    const struct entity *entity;
    enum lang lang;
    bool match_id;
    struct arena *mem;
    struct word *words;
    size_t word_count;
    struct heading *headings;
    size_t count;
    struct mapping *mapping;
};

/* ------------------------------------------------------------------ words */

/* Folded, with blanks for underlines, so that annual_revenue and "Annual Revenue" are one. */
static enum status fold_word(struct slice text, struct arena *mem, struct slice *out,
                             struct err *err) {
    struct slice folded;
    TRY(text_fold(slice_trim(text), mem, &folded, err));
    folded = arena_copy(mem, slice_trim(folded));
    if (!folded.data) return err_no_memory(err);
    uint8_t *own = (uint8_t *)(uintptr_t)folded.data; /* the copy above, of this function alone */
    for (size_t i = 0; i < folded.len; i++)
        if (own[i] == '_') own[i] = ' ';
    *out = folded;
    return ST_OK;
}

static bool closes(struct slice s, const char *open, const char *close, size_t *out_at) {
    struct slice end = slice_from(close), begin = slice_from(open);
    if (s.len < end.len || memcmp(s.data + s.len - end.len, end.data, end.len) != 0) return false;
    for (size_t at = s.len - end.len; at > 0; at--)
        if (at + begin.len <= s.len && memcmp(s.data + at, begin.data, begin.len) == 0) {
            *out_at = at;
            return true;
        }
    return false;
}

/* "amount (cny)" -> "amount". Folding has made full-width brackets narrow. */
static struct slice without_brackets(struct slice s) {
    size_t at;
    if (closes(s, "(", ")", &at) || closes(s, "[", "]", &at) || closes(s, "【", "】", &at))
        return slice_trim(slice_of(s.data, at));
    return s;
}

static enum status add_word(struct mapper *m, struct slice text, enum level level,
                            const struct field *f, struct err *err) {
    struct word *w = &m->words[m->word_count];
    TRY(fold_word(text, m->mem, &w->folded, err));
    w->level = level;
    w->field = f;
    if (w->folded.len > 0) m->word_count++;
    return ST_OK;
}

static size_t count_words(const struct field *f) {
    size_t count = 1 + LANG_COUNT + 1; /* name, labels, the first of also */
    for (const char *c = f->also; c && *c; c++) count += *c == ',';
    return count;
}

static enum status add_words(struct mapper *m, const struct field *f, struct err *err) {
    struct slice rest = slice_from(f->also), also;
    TRY(add_word(m, slice_from(f->name), LEVEL_NAME, f, err));
    for (int lang = 0; lang < LANG_COUNT; lang++)
        TRY(add_word(m, slice_from(f->label[lang]), LEVEL_LABEL, f, err));
    while (slice_cut(&rest, ',', &also)) TRY(add_word(m, also, LEVEL_ALSO, f, err));
    return ST_OK;
}

/* All words by which fields are known, folded once. */
static enum status read_words(struct mapper *m, struct err *err) {
    size_t most = 0;
    for (size_t i = 0; i < m->entity->field_count; i++) most += count_words(&m->entity->fields[i]);
    m->words = ARENA_ARRAY(m->mem, most + 1, struct word);
    if (!m->words) return err_no_memory(err);
    for (size_t i = 0; i < m->entity->field_count; i++)
        TRY(add_words(m, &m->entity->fields[i], err));
    return ST_OK;
}

static const struct field *find_field(const struct mapper *m, struct slice folded,
                                      enum level level) {
    for (size_t i = 0; i < m->word_count; i++)
        if (m->words[i].level == level && slice_equal(m->words[i].folded, folded))
            return m->words[i].field;
    return NULL;
}

/* ------------------------------------------------------------------ columns */

static bool is_taken(const struct mapper *m, const struct field *f) {
    for (size_t i = 0; i < m->count; i++)
        if (m->mapping->fields[i] == f) return true;
    return false;
}

static enum status read_headings(struct mapper *m, const struct slice *head, struct err *err) {
    m->headings = ARENA_ARRAY(m->mem, m->count + 1, struct heading);
    if (!m->headings) return err_no_memory(err);
    for (size_t i = 0; i < m->count; i++) {
        struct heading *h = &m->headings[i];
        h->shown = arena_copy(m->mem, slice_trim(head[i]));
        if (!h->shown.data) return err_no_memory(err);
        TRY(fold_word(h->shown, m->mem, &h->folded, err));
        h->bare = without_brackets(h->folded);
    }
    return ST_OK;
}

static void map_level(struct mapper *m, enum level level, bool bare) {
    for (size_t i = 0; i < m->count; i++) {
        struct heading *h = &m->headings[i];
        if (h->decided || h->meant || (bare && h->bare.len == h->folded.len)) continue;
        const struct field *f = find_field(m, bare ? h->bare : h->folded, level);
        if (!f) continue;
        h->meant = f;
        if (f->rule != RULE_DERIVED && !is_taken(m, f)) m->mapping->fields[i] = f;
    }
}

/* ------------------------------------------------------------------ ids of rows */

/* Other systems call their numbers so as well: the column counts only when a person asks for it. */
static bool names_the_id(struct slice folded) {
    return slice_equal(folded, SLICE("id")) || slice_equal(folded, SLICE("short id")) ||
           slice_equal(folded, SLICE("编号"));
}

static bool has_id(const struct mapper *m) {
    bool any = false;
    for (size_t i = 0; i < m->count; i++) any |= m->headings[i].is_id;
    return any;
}

static void take_id(struct mapper *m, size_t column) {
    m->headings[column].decided = m->headings[column].is_id = true;
    m->mapping->id = column;
}

static enum status find_id(struct mapper *m, struct err *err) {
    if (!m->match_id) return ST_OK;
    for (size_t i = 0; i < m->count && !has_id(m); i++)
        if (!m->headings[i].decided && names_the_id(m->headings[i].folded)) take_id(m, i);
    if (has_id(m)) return ST_OK;
    return err_set(err, ST_USAGE, "no column of the file is id, by which rows are to be found",
                   "文件中没有用于匹配的列 id");
}

/* ------------------------------------------------------------------ what the person says */

static enum status map_target(struct mapper *m, struct slice name, const struct field **out,
                              struct err *err) {
    const struct field *f;
    TRY(api_field(m->entity, name, &f, err));
    if (f->rule == RULE_DERIVED)
        return err_set(err, ST_USAGE, "%s is computed and cannot be imported",
                       "%s由系统计算，不能导入", f->name);
    if (is_taken(m, f))
        return err_set(err, ST_USAGE, "--map gives two columns for %s", "--map 为 %s 指定了两列",
                       f->name);
    *out = f;
    return ST_OK;
}

static enum status map_pair(struct mapper *m, struct slice pair, struct err *err) {
    struct slice name = {0}, column, folded;
    size_t at = pair.len;
    while (at > 0 && pair.data[at - 1] != '=')
        at--; /* the last one: columns may have = in their names */
    if (at == 0)
        return err_set(err, ST_USAGE, "--map wants COLUMN=field, not \"%.*s\"",
                       "--map 应为 列名=字段，而不是“%.*s”", (int)pair.len,
                       (const char *)pair.data);
    column = slice_trim(slice_of(pair.data, at - 1));
    name = slice_trim(slice_of(pair.data + at, pair.len - at));
    TRY(fold_word(column, m->mem, &folded, err));
    for (size_t i = 0; i < m->count; i++) {
        struct heading *h = &m->headings[i];
        if (h->decided || !slice_equal(h->folded, folded)) continue;
        h->decided = true;
        if (slice_equal(name, SLICE("-"))) return ST_OK;
        if (m->match_id && !has_id(m) && slice_equal(name, SLICE("id"))) {
            take_id(m, i);
            return ST_OK;
        }
        return map_target(m, name, &m->mapping->fields[i], err);
    }
    return err_set(err, ST_USAGE, "--map: the file has no column \"%.*s\"",
                   "--map：文件中没有列“%.*s”", (int)column.len, (const char *)column.data);
}

static enum status map_given(struct mapper *m, struct slice map, struct err *err) {
    struct slice pair;
    while (slice_cut(&map, ',', &pair))
        if (slice_trim(pair).len > 0) TRY(map_pair(m, slice_trim(pair), err));
    return ST_OK;
}

/* ------------------------------------------------------------------ telling */

static void put_reason(const struct mapper *m, const struct heading *h, struct buf *out) {
    bool zh = m->lang == LANG_ZH;
    if (h->decided)
        buf_put_text(out, zh ? "（按 --map 略去）" : " (left out by --map)");
    else if (!h->meant && slice_equal(h->folded, SLICE("id")))
        buf_put_text(out, zh ? "（加 --match id 则按它查找记录）"
                             : " (with --match id it tells which row is meant)");
    else if (!h->meant)
        buf_put_text(out, zh ? "（没有这样的字段）" : " (no such field)");
    else if (h->meant->rule == RULE_DERIVED)
        buf_printf(out, zh ? "（%s 由系统计算）" : " (%s is computed)", h->meant->name);
    else
        buf_printf(out, zh ? "（%s 已有一列）" : " (%s has a column already)", h->meant->name);
}

static enum status tell(const struct mapper *m, struct slice *out_text, struct err *err) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    for (size_t i = 0; i < m->count; i++) {
        const struct heading *h = &m->headings[i];
        const struct field *f = m->mapping->fields[i];
        if (h->shown.len == 0 && !f) continue;
        buf_put_slice(&text, h->shown);
        buf_printf(&text, " -> %s", f ? f->name : h->is_id ? "id" : "-");
        if (!f && !h->is_id) put_reason(m, h, &text);
        buf_put_byte(&text, '\n');
    }
    TRY(buf_status(&text, err));
    *out_text = arena_copy(m->mem, buf_slice(&text));
    return out_text->data ? ST_OK : err_no_memory(err);
}

static enum status nothing_known(const struct mapper *m, struct err *err) {
    struct buf columns SCOPED(buf_free) = buf_new(BUF_MAX_LINE),
                       fields SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    for (size_t i = 0; i < m->count; i++) {
        if (i > 0) buf_put_text(&columns, ", ");
        buf_put_slice(&columns, text_prefix(m->headings[i].shown, 40));
    }
    for (size_t i = 0; i < m->entity->field_count; i++)
        if (m->entity->fields[i].rule != RULE_DERIVED)
            buf_printf(&fields, "%s%s", fields.len > 0 ? ", " : "", m->entity->fields[i].name);
    return err_set(err, ST_INVALID,
                   "no column of the file is a field: it has %.300s; the fields are %s",
                   "文件中没有可识别的列：列名为 %.300s；可用字段为 %s", buf_text(&columns),
                   buf_text(&fields));
}

enum status mapping_make(const struct import_options *options, enum lang lang,
                         const struct slice *head, size_t count, struct arena *mem,
                         struct mapping *out, struct slice *out_text, struct err *err) {
    struct mapping mapping = {.count = count};
    struct mapper m = {.entity = options->entity,
                       .lang = lang,
                       .match_id = options->match_id,
                       .mem = mem,
                       .count = count,
                       .mapping = &mapping};
    struct slice text;
    bool any = false;
    TRY(read_words(&m, err));
    TRY(read_headings(&m, head, err));
    TRY(map_given(&m, options->map, err));
    TRY(find_id(&m, err));
    for (int bare = 0; bare < 2; bare++)
        for (int level = 0; level < LEVEL_COUNT; level++)
            map_level(&m, (enum level)level, bare == 1);
    for (size_t i = 0; i < count; i++) any |= mapping.fields[i] != NULL;
    if (!any) return nothing_known(&m, err);
    TRY(tell(&m, &text, err));
    *out = mapping;
    *out_text = text;
    return ST_OK;
}
