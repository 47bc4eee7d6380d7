/* Values, and sets as values: one spelling for each, so that equal means equal bytes everywhere. */
#include "protocol/model/catalogue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct value value_null(void) {
    return (struct value){.kind = VALUE_NULL};
}

struct value value_int(int64_t number) {
    return (struct value){.kind = VALUE_INT, .number = number};
}

struct value value_text(struct slice text) {
    if (text.len == 0) return value_null();
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

bool value_equal(struct value a, struct value b) {
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case VALUE_NULL: return true;
    case VALUE_INT: return a.number == b.number;
    case VALUE_TEXT: return slice_equal(a.text, b.text);
    }
    return false;
}

bool value_copy(struct value v, struct arena *mem, struct value *out) {
    if (v.kind == VALUE_TEXT) {
        v.text = arena_copy(mem, v.text);
        if (!v.text.data) return false;
    }
    *out = v;
    return true;
}

/* ------------------------------------------------------------------ sets */

bool set_next(struct slice *rest, struct slice *out_element) {
    return slice_cut(rest, '\n', out_element);
}

bool set_is_canonical(struct slice set) {
    struct slice before = {0}, element;
    if (set.len == 0 || set.data[set.len - 1] == '\n') return false;
    for (bool first = true; set_next(&set, &element); first = false) {
        if (element.len == 0) return false;
        if (!first && slice_compare(before, element) >= 0) return false;
        before = element;
    }
    return true;
}

static int compare_elements(const void *a, const void *b) {
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static bool element_is_sound(struct slice element) {
    return element.len > 0 && !memchr(element.data, '\n', element.len);
}

/* Elements are sorted and each stands once. */
static enum status join(const struct slice *elements, size_t count, struct arena *mem,
                        struct value *out, struct err *err) {
    size_t bytes = count;
    for (size_t i = 0; i < count; i++) bytes += elements[i].len;
    uint8_t *text = arena_alloc(mem, bytes + 1), *at = text;
    if (!text) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) *at++ = '\n';
        memcpy(at, elements[i].data, elements[i].len);
        at += elements[i].len;
    }
    *out = value_text(slice_of(text, (size_t)(at - text)));
    return ST_OK;
}

enum status set_make(const struct slice *elements, size_t count, struct arena *mem,
                     struct value *out, struct err *err) {
    struct slice *sorted = ARENA_ARRAY(mem, count + 1, struct slice);
    size_t kept = 0;
    if (!sorted) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (!element_is_sound(elements[i]))
            return err_set(err, ST_INVALID, "an element of a set is one line that is not empty",
                           "集合的每一项必须是一行非空文字");
        sorted[i] = elements[i];
    }
    if (count > 1) qsort(sorted, count, sizeof *sorted, compare_elements);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !slice_equal(sorted[kept - 1], sorted[i])) sorted[kept++] = sorted[i];
    return join(sorted, kept, mem, out, err);
}

static struct slice set_text(struct value set) {
    return set.kind == VALUE_TEXT ? set.text : (struct slice){0};
}

bool set_has(struct value set, struct slice element) {
    struct slice rest = set_text(set), each;
    while (set_next(&rest, &each))
        if (slice_equal(each, element)) return true;
    return false;
}

size_t set_count(struct value set) {
    struct slice rest = set_text(set), each;
    size_t count = 0;
    while (set_next(&rest, &each)) count++;
    return count;
}

/* The elements of the set but for one, with room for one more behind them. */
static struct slice *elements_without(struct value set, struct slice left_out, struct arena *mem,
                                      size_t *out_count) {
    struct slice rest = set_text(set), each;
    struct slice *elements = ARENA_ARRAY(mem, set_count(set) + 1, struct slice);
    size_t count = 0;
    if (!elements) return NULL;
    while (set_next(&rest, &each))
        if (!slice_equal(each, left_out)) elements[count++] = each;
    *out_count = count;
    return elements;
}

enum status set_add(struct value set, struct slice element, struct arena *mem, struct value *out,
                    struct err *err) {
    size_t count;
    if (set_has(set, element)) {
        *out = set;
        return ST_OK;
    }
    struct slice *elements = elements_without(set, element, mem, &count);
    if (!elements) return err_no_memory(err);
    elements[count] = element;
    return set_make(elements, count + 1, mem, out, err);
}

enum status set_remove(struct value set, struct slice element, struct arena *mem, struct value *out,
                       struct err *err) {
    size_t count;
    if (!set_has(set, element)) {
        *out = set;
        return ST_OK;
    }
    struct slice *elements = elements_without(set, element, mem, &count);
    if (!elements) return err_no_memory(err);
    return join(elements, count, mem, out, err);
}
