/* Whether a value may stand in a field: limits, membership, one spelling for each. */
#include "protocol/model/catalogue.h"

#include <stdio.h>
#include <string.h>

static const int64_t DATE_MIN = -719162, DATE_MAX = 2932896; /* 0001-01-01, 9999-12-31 */
static const int64_t DAY_MS = 86400000;

unsigned field_scale(const struct field *f) {
    if (f->type == FIELD_MONEY) return MONEY_SCALE;
    return f->type == FIELD_DECIMAL ? f->scale : 0;
}

bool field_holds_text(const struct field *f) {
    return f->type == FIELD_TEXT || f->type == FIELD_NOTE || f->type == FIELD_SET;
}

int64_t field_characters_max(const struct field *f) {
    if (f->max > 0) return f->max;
    return f->type == FIELD_NOTE ? NOTE_CHARACTERS_MAX : LINE_CHARACTERS_MAX;
}

int64_t field_elements_max(const struct field *f) {
    return f->max > 0 ? f->max : SET_ELEMENTS_MAX;
}

/* ------------------------------------------------------------------ text */

/* Control characters have no meaning in a book and break terminals and exports; a note may have
 * lines and tabs. */
static bool has_control(struct slice s, bool lines) {
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (lines && (c == '\n' || c == '\t')) continue;
        if (c < 0x20 || c == 0x7f) return true;
    }
    return false;
}

/* Whether s is ASCII without such characters for certain: most texts, eight bytes a step. */
static bool is_plain(struct slice s, bool lines) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t at = 0;
    for (uint64_t w; s.len - at >= sizeof w; at += sizeof w) {
        memcpy(&w, s.data + at, sizeof w);
        uint64_t not_plain = (w | (w + ones) | (w - ones * 0x20)) & high; /* 80, 7f, below 20 */
        if (not_plain && (!lines || w & high || has_control(slice_of(s.data + at, sizeof w), true)))
            return false;
    }
    for (size_t i = at; i < s.len; i++)
        if (s.data[i] >= 0x80) return false;
    return !has_control(slice_of(s.data + at, s.len - at), lines);
}

static enum status check_characters(struct slice s, bool lines, int64_t max, struct err *err) {
    if (s.len <= (uint64_t)max && is_plain(s, lines)) return ST_OK;
    if (!text_is_utf8(s))
        return err_set(err, ST_INVALID, "must be UTF-8 text", "必须是 UTF-8 文本");
    if (has_control(s, lines))
        return lines ? err_set(err, ST_INVALID, "must hold no control characters", "不得含控制字符")
                     : err_set(err, ST_INVALID, "must be one line", "必须是单行文字");
    if (text_length(s) > (uint64_t)max)
        return err_set(err, ST_INVALID, "must be at most %lld characters", "不得超过 %lld 个字符",
                       (long long)max);
    return ST_OK;
}

/* ------------------------------------------------------------------ numbers */

static enum status check_range(const struct field *f, int64_t number, int64_t min, int64_t max,
                               struct err *err) {
    if (number >= min && number <= max) return ST_OK;
    struct buf low SCOPED(buf_free) = buf_new(BUF_MAX_LINE),
                   high SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    buf_put_decimal(&low, min, field_scale(f));
    if (max == INT64_MAX)
        return err_set(err, ST_INVALID, "must be at least %s", "不得小于 %s", buf_text(&low));
    buf_put_decimal(&high, max, field_scale(f));
    return err_set(err, ST_INVALID, "must be from %s to %s", "必须在 %s 至 %s 之间", buf_text(&low),
                   buf_text(&high));
}

static enum status check_number(const struct field *f, int64_t number, struct err *err) {
    if (f->min == 0 && f->max == 0) return ST_OK;
    return check_range(f, number, f->min, f->max, err);
}

static enum status check_day(int64_t day, struct err *err) {
    if (day >= DATE_MIN && day <= DATE_MAX) return ST_OK;
    return err_set(err, ST_INVALID, "must be a date from 0001-01-01 to 9999-12-31",
                   "日期须在 0001-01-01 至 9999-12-31 之间");
}

/* What would be right: at most as many names as a line of text holds. */
static enum status not_a_member(const struct enumeration *values, struct err *err) {
    char en[300] = "", zh[300] = "";
    size_t en_len = 0, zh_len = 0;
    for (size_t i = 0; i < values->count; i++) {
        const struct enum_value *v = &values->values[i];
        size_t en_need = strlen(v->name) + 2, zh_need = strlen(v->label[LANG_ZH]) + 4;
        if (v->retired) continue;
        if (en_len + en_need >= sizeof en || zh_len + zh_need >= sizeof zh) break;
        en_len +=
            (size_t)snprintf(en + en_len, sizeof en - en_len, "%s%s", en_len ? ", " : "", v->name);
        zh_len += (size_t)snprintf(zh + zh_len, sizeof zh - zh_len, "%s%s", zh_len ? "、" : "",
                                   v->label[LANG_ZH]);
    }
    return err_set(err, ST_INVALID, "must be one of: %s%.0s", "必须是以下之一：%.0s%s", en, zh);
}

static enum status check_member(const struct field *f, int64_t number, struct err *err) {
    return enum_by_number(f->values, number) ? ST_OK : not_a_member(f->values, err);
}

/* ------------------------------------------------------------------ sets */

/* What separates elements where people type them cannot stand in one: a set that was written can be
 * read. */
static bool has_separator(struct slice s) {
    for (int32_t c = text_next(&s); c >= 0; c = text_next(&s))
        if (c == ',' || c == ';' || c == 0x3001 || c == 0xFF0C || c == 0xFF1B) return true;
    return false;
}

static enum status check_element(const struct field *f, struct slice element, struct err *err) {
    int64_t id;
    if (element.len == 0) return err_set(err, ST_INVALID, "an element is empty", "有空的项");
    TRY(check_characters(element, false, ELEMENT_CHARACTERS_MAX, err));
    if (f->set_of == FIELD_ENUM) {
        const struct enum_value *v = enum_by_text(f->values, element);
        return v && slice_equal(slice_from(v->name), element) ? ST_OK
                                                              : not_a_member(f->values, err);
    }
    if (f->set_of == FIELD_REF)
        return element.data[0] != '0' && text_to_int(element, &id) &&
                       id_is_valid(id) /* 07 would be 7 twice */
                   ? ST_OK
                   : err_set(err, ST_INVALID, "must be ids of rows", "必须是记录编号");
    struct slice trimmed = slice_trim(element);
    if (has_separator(element) || trimmed.len != element.len)
        return err_set(err, ST_INVALID, "an element holds no comma, semicolon or blank at its ends",
                       "每一项不得含逗号、分号、顿号，首尾不得有空格");
    return ST_OK;
}

static enum status check_set(const struct field *f, struct value v, int64_t max, struct err *err) {
    struct slice rest = v.text, element;
    if (!set_is_canonical(v.text))
        return err_set(err, ST_INVALID, "a set is sorted and holds each element once",
                       "集合须排序且不重复");
    if (set_count(v) > (uint64_t)max)
        return err_set(err, ST_INVALID, "must be at most %lld elements", "不得超过 %lld 项",
                       (long long)max);
    while (set_next(&rest, &element)) TRY(check_element(f, element, err));
    return ST_OK;
}

/* ------------------------------------------------------------------ fields */

static int64_t size_max(const struct field *f, bool merged) {
    if (merged && (f->rule == RULE_TEXT || f->rule == RULE_SET)) return INT64_MAX;
    return f->type == FIELD_SET ? field_elements_max(f) : field_characters_max(f);
}

static enum status check_value(const struct field *f, struct value v, bool merged,
                               struct err *err) {
    if (v.kind == VALUE_NULL)
        return f->required ? err_set(err, ST_INVALID, "is required", "为必填项") : ST_OK;
    if ((v.kind == VALUE_TEXT) != field_holds_text(f))
        return v.kind == VALUE_TEXT ? err_set(err, ST_INVALID, "must be a number", "必须是数字")
                                    : err_set(err, ST_INVALID, "must be text", "必须是文字");
    if (v.kind == VALUE_TEXT && v.text.len == 0)
        return err_set(err, ST_INVALID, "an empty text is spelt as no value", "空文本应表示为无值");
    switch (f->type) {
    case FIELD_TEXT: return check_characters(v.text, false, size_max(f, merged), err);
    case FIELD_NOTE: return check_characters(v.text, true, size_max(f, merged), err);
    case FIELD_SET: return check_set(f, v, size_max(f, merged), err);
    case FIELD_INT:
    case FIELD_DECIMAL:
    case FIELD_MONEY: return check_number(f, v.number, err);
    case FIELD_DATE: return check_day(v.number, err);
    case FIELD_TIME: return check_day(v.number / DAY_MS, err);
    case FIELD_BOOL: return check_range(f, v.number, 0, 1, err);
    case FIELD_ENUM: return check_member(f, v.number, err);
    case FIELD_REF:
        return id_is_valid(v.number)
                   ? ST_OK
                   : err_set(err, ST_INVALID, "must be the id of a row", "必须是记录编号");
    }
    return ST_OK;
}

static enum status in_field(const struct field *f, enum status status, struct err *err) {
    if (status == ST_OK) return ST_OK;
    return err_wrap(err, status, "%s%.0s", "%.0s%s", f->label[LANG_EN], f->label[LANG_ZH]);
}

enum status field_check(const struct field *f, struct value v, struct err *err) {
    return in_field(f, check_value(f, v, false, err), err);
}

enum status field_check_merged(const struct field *f, struct value v, struct err *err) {
    return in_field(f, check_value(f, v, true, err), err);
}

enum status field_check_element(const struct field *f, struct slice element, struct err *err) {
    return in_field(f, check_element(f, element, err), err);
}
