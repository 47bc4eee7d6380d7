/* Values as people write and read them, and as JSON.
 *
 * The law of this file: what field_write_text writes, field_parse reads back as the same value.
 */
#include "protocol/model/catalogue.h"

#include <string.h>

/* ------------------------------------------------------------------ reading numbers */

static bool drop_prefix(struct slice *s, struct slice prefix) {
    if (!slice_starts(*s, prefix)) return false;
    *s = slice_trim(slice_of(s->data + prefix.len, s->len - prefix.len));
    return true;
}

static void drop_currency(struct slice *s) {
    const struct slice signs[] = {SLICE("¥"), SLICE("￥"), SLICE("$"), SLICE("€"), SLICE("£")};
    for (size_t i = 0; i < ARRAY_COUNT(signs); i++)
        if (drop_prefix(s, signs[i])) return;
}

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* More characters than the longest number has with all its separators; what is longer has zeros in
 * front. */
enum { NUMBER_BYTES_MAX = 64 };

/* Copies s without the separators of thousands: 1 to 3 digits, then groups of exactly 3, none
 * behind the point. false when a comma stands elsewhere: 1,23 may be meant as a fraction. */
static bool drop_thousands(struct slice s, uint8_t out[NUMBER_BYTES_MAX], size_t *out_count) {
    size_t count = 0, digits = 0;
    bool grouped = false, behind_point = false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (c == ',') {
            if (behind_point || digits == 0 || digits > 3 || (grouped && digits != 3)) return false;
            grouped = true;
            digits = 0;
            continue;
        }
        if (c == '.' && grouped && digits != 3) return false;
        behind_point |= c == '.';
        if (is_digit(c)) digits++;
        out[count++] = c;
    }
    if (grouped && !behind_point && digits != 3) return false;
    *out_count = count;
    return true;
}

/* -¥1,234.50 and ¥-1,234.50 both: sign, currency, sign, number. Takes no memory, so that a lack of
 * it cannot look like a wrong number. The sign stays with its digits, so that the least number
 * fits. */
static bool read_number(struct slice s, unsigned scale, int64_t *out) {
    uint8_t plain[1 + NUMBER_BYTES_MAX] = {'-'};
    size_t count;
    int64_t number;
    bool negative = drop_prefix(&s, SLICE("-"));
    drop_currency(&s);
    if (!negative) negative = drop_prefix(&s, SLICE("-"));
    if (s.len == 0 || s.len > NUMBER_BYTES_MAX || !is_digit(s.data[0])) return false;
    if (!drop_thousands(s, plain + 1, &count)) return false;
    s = negative ? slice_of(plain, count + 1) : slice_of(plain + 1, count);
    if (!(scale == 0 ? text_to_int(s, &number) : text_to_decimal(s, scale, &number))) return false;
    *out = number;
    return true;
}

static enum status parse_number(const struct field *f, struct slice text, struct arena *mem,
                                int64_t *out, struct err *err) {
    struct slice narrow;
    TRY(text_fold(text, mem, &narrow, err));
    if (read_number(slice_trim(narrow), field_scale(f), out)) return ST_OK;
    if (field_scale(f) == 0)
        return err_set(err, ST_INVALID, "must be a whole number, such as 1200",
                       "必须是整数，例如 1200");
    return err_set(err, ST_INVALID, "must be a number with at most %u digits behind the point",
                   "必须是数字，小数最多 %u 位", field_scale(f));
}

/* ------------------------------------------------------------------ reading the other types */

static bool is_one_of(struct slice s, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(s, slice_from(words[i]))) return true;
    return false;
}

static enum status parse_bool(struct slice text, struct arena *mem, int64_t *out, struct err *err) {
    static const char *const YES[] = {"yes", "y", "true", "1", "是"};
    static const char *const NO[] = {"no", "n", "false", "0", "否"};
    struct slice word;
    TRY(text_fold(text, mem, &word, err));
    bool yes = is_one_of(word, YES, ARRAY_COUNT(YES));
    if (!yes && !is_one_of(word, NO, ARRAY_COUNT(NO)))
        return err_set(err, ST_INVALID, "must be yes or no", "必须是“是”或“否”");
    *out = yes;
    return ST_OK;
}

static enum status parse_enum(const struct field *f, struct slice text, int64_t *out,
                              struct err *err) {
    const struct enum_value *v = enum_by_text(f->values, text);
    if (!v) return field_check(f, value_int(INT64_MIN), err); /* says which there are */
    *out = v->number;
    return ST_OK;
}

static enum status parse_date(struct slice text, int64_t *out, struct err *err) {
    if (date_parse(text, out)) return ST_OK;
    return err_set(err, ST_INVALID, "must be a date, such as 2026-03-01",
                   "必须是日期，例如 2026-03-01");
}

static enum status parse_time(struct slice text, int utc_offset_min, int64_t *out,
                              struct err *err) {
    if (time_parse(text, utc_offset_min, out)) return ST_OK;
    return err_set(err, ST_INVALID, "must be a date and time, such as 2026-03-01T09:30",
                   "必须是日期和时间，例如 2026-03-01T09:30");
}

static enum status parse_id(struct slice text, int64_t *out, struct err *err) {
    if (id_parse(text, out)) return ST_OK;
    return err_set(err, ST_INVALID, "must be the id of a row, such as 3-1Z7K",
                   "必须是记录编号，例如 3-1Z7K");
}

/* ------------------------------------------------------------------ reading sets */

static bool is_separator(int32_t c) {
    return c == ',' || c == ';' || c == '\n' || c == '\r' || c == 0x3001 || c == 0xFF0C ||
           c == 0xFF1B;
}

/* Cuts the next element off; false at the end. */
static bool cut_element(struct slice *rest, struct slice *out) {
    struct slice at = *rest;
    if (rest->len == 0) return false;
    for (;;) {
        struct slice here = at;
        int32_t c = text_next(&at);
        if (c >= 0 && !is_separator(c)) continue;
        *out = slice_trim(slice_of(rest->data, (size_t)(here.data - rest->data)));
        *rest = c < 0 ? slice_of(here.data, 0) : at;
        return true;
    }
}

/* The one spelling of an element: the name of an enum value, the decimal of an id. */
static enum status spell_element(const struct field *f, struct slice text, struct arena *mem,
                                 struct slice *out, struct err *err) {
    int64_t id;
    *out = text;
    if (f->set_of == FIELD_ENUM) {
        const struct enum_value *v = enum_by_text(f->values, text);
        if (v) *out = slice_from(v->name);
    } else if (f->set_of == FIELD_REF) {
        if (parse_id(text, &id, err) != ST_OK) return field_check_element(f, SLICE("-"), err);
        const char *number = arena_printf(mem, "%lld", (long long)id);
        if (!number) return err_no_memory(err);
        *out = slice_from(number);
    }
    return field_check_element(f, *out, err);
}

static enum status parse_set(const struct field *f, struct slice text, struct arena *mem,
                             struct value *out, struct err *err) {
    struct slice rest = text, part;
    size_t most = 0, count = 0;
    while (cut_element(&rest, &part)) most++;
    struct slice *elements = ARENA_ARRAY(mem, most + 1, struct slice);
    if (!elements) return err_no_memory(err);
    for (rest = text; cut_element(&rest, &part);)
        if (part.len > 0) TRY(spell_element(f, part, mem, &elements[count++], err));
    return set_make(elements, count, mem, out, err);
}

/* ------------------------------------------------------------------ reading a field */

/* Line ends as one line feed each; s is not empty. */
static enum status unify_lines(struct slice s, struct arena *mem, struct slice *out,
                               struct err *err) {
    *out = s;
    if (!memchr(s.data, '\r', s.len)) return ST_OK;
    uint8_t *kept = arena_alloc(mem, s.len);
    size_t count = 0;
    if (!kept) return err_no_memory(err);
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '\r')
            kept[count++] = s.data[i];
        else if (i + 1 == s.len || s.data[i + 1] != '\n')
            kept[count++] = '\n';
    }
    *out = slice_of(kept, count);
    return ST_OK;
}

static enum status parse_text(struct slice text, struct arena *mem, struct value *out,
                              struct err *err) {
    struct slice copy = arena_copy(mem, text); /* the caller's input may go before the value does */
    if (!copy.data) return err_no_memory(err);
    *out = value_text(copy);
    return ST_OK;
}

static enum status parse_as(const struct field *f, struct slice text, int utc_offset_min,
                            struct arena *mem, struct value *out, struct err *err) {
    int64_t number = 0;
    switch (f->type) {
    case FIELD_TEXT: return parse_text(text, mem, out, err);
    case FIELD_NOTE:
        TRY(unify_lines(text, mem, &text, err));
        return parse_text(text, mem, out, err);
    case FIELD_SET: return parse_set(f, text, mem, out, err);
    case FIELD_INT:
    case FIELD_DECIMAL:
    case FIELD_MONEY: TRY(parse_number(f, text, mem, &number, err)); break;
    case FIELD_DATE: TRY(parse_date(text, &number, err)); break;
    case FIELD_TIME: TRY(parse_time(text, utc_offset_min, &number, err)); break;
    case FIELD_BOOL: TRY(parse_bool(text, mem, &number, err)); break;
    case FIELD_ENUM: TRY(parse_enum(f, text, &number, err)); break;
    case FIELD_REF: TRY(parse_id(text, &number, err)); break;
    }
    *out = value_int(number);
    return ST_OK;
}

static bool wraps_itself(const struct field *f) {
    return f->type == FIELD_SET || f->type == FIELD_ENUM;
}

enum status field_parse(const struct field *f, struct slice text, int utc_offset_min,
                        struct arena *mem, struct value *out, struct err *err) {
    struct value v = value_null();
    struct slice normal;
    text = slice_trim(text);
    if (!text_is_utf8(text))
        return err_set(err, ST_INVALID, "%s%.0s: must be UTF-8 text", "%.0s%s：必须是 UTF-8 文本",
                       f->label[LANG_EN], f->label[LANG_ZH]);
    TRY(text_nfc(text, mem, &normal, err));
    if (normal.len > 0) {
        enum status status = parse_as(f, normal, utc_offset_min, mem, &v, err);
        if (status != ST_OK)
            return wraps_itself(f) ? status
                                   : err_wrap(err, status, "%s%.0s", "%.0s%s", f->label[LANG_EN],
                                              f->label[LANG_ZH]);
    }
    TRY(field_check(f, v, err));
    *out = v;
    return ST_OK;
}

/* ------------------------------------------------------------------ writing */

static void write_number(struct buf *out, int64_t number) {
    buf_printf(out, "%lld", (long long)number);
}

static void write_enum(const struct field *f, int64_t number, enum lang lang, struct buf *out) {
    const struct enum_value *v = enum_by_number(f->values, number);
    if (v)
        buf_put_text(out, v->label[lang]);
    else
        write_number(out, number); /* of a later release */
}

static void write_set_text(const struct field *f, struct slice set, enum lang lang,
                           struct buf *out) {
    struct slice element;
    for (bool first = true; set_next(&set, &element); first = false) {
        const struct enum_value *v =
            f->set_of == FIELD_ENUM ? enum_by_text(f->values, element) : NULL;
        if (!first) buf_put_text(out, ", ");
        buf_put_slice(out, v ? slice_from(v->label[lang]) : element);
    }
}

static void write_id(struct buf *out, int64_t id) {
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    buf_put_text(out, text);
}

void field_write_text(const struct field *f, struct value v, enum lang lang, int utc_offset_min,
                      struct buf *out) {
    if (v.kind == VALUE_NULL) return;
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NOTE: buf_put_slice(out, v.text); return;
    case FIELD_SET: write_set_text(f, v.text, lang, out); return;
    case FIELD_INT: write_number(out, v.number); return;
    case FIELD_DECIMAL:
    case FIELD_MONEY: buf_put_decimal(out, v.number, field_scale(f)); return;
    case FIELD_DATE: buf_put_date(out, v.number); return;
    case FIELD_TIME: buf_put_time(out, v.number, utc_offset_min); return;
    case FIELD_BOOL:
        buf_put_text(out, lang == LANG_ZH ? (v.number ? "是" : "否") : (v.number ? "yes" : "no"));
        return;
    case FIELD_ENUM: write_enum(f, v.number, lang, out); return;
    case FIELD_REF: write_id(out, v.number); return;
    }
}

static void write_set_json(const struct field *f, struct slice set, struct buf *out) {
    struct slice element;
    buf_put_byte(out, '[');
    for (bool first = true; set_next(&set, &element); first = false) {
        if (!first) buf_put_byte(out, ',');
        if (f->set_of == FIELD_REF)
            buf_put_slice(out, element);
        else
            buf_put_json_string(out, element);
    }
    buf_put_byte(out, ']');
}

static void write_enum_json(const struct field *f, int64_t number, struct buf *out) {
    const struct enum_value *v = enum_by_number(f->values, number);
    if (v)
        buf_put_json_text(out, v->name);
    else
        write_number(out, number);
}

void field_write_json(const struct field *f, struct value v, struct buf *out) {
    if (v.kind == VALUE_NULL) {
        buf_put_text(out, "null");
        return;
    }
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NOTE: buf_put_json_string(out, v.text); return;
    case FIELD_SET: write_set_json(f, v.text, out); return;
    case FIELD_INT:
    case FIELD_REF: write_number(out, v.number); return;
    case FIELD_DECIMAL:
    case FIELD_MONEY: buf_put_decimal(out, v.number, field_scale(f)); return;
    case FIELD_BOOL: buf_put_text(out, v.number ? "true" : "false"); return;
    case FIELD_ENUM: write_enum_json(f, v.number, out); return;
    case FIELD_DATE:
    case FIELD_TIME:
        buf_put_byte(out, '"');
        field_write_text(f, v, LANG_EN, 0, out);
        buf_put_byte(out, '"');
        return;
    }
}
