/* Reading JSON, by jansson, which only this file includes. A struct json is a json_t.
 *
 * Strict: no member twice, nothing behind the value, no NUL in strings, well-formed UTF-8, and the
 * nesting that jansson allows (2048). jansson seeds its hash tables itself, against tables made to
 * collide; the seed shows in no result.
 */
#include <jansson.h>

#include "protocol/base/base.h"

static json_t *of(struct json *value) {
    return (json_t *)value;
}

static const json_t *of_const(const struct json *value) {
    return (const json_t *)value;
}

/* jansson gives no reason at all in some places where memory is missing. */
static bool is_memory_failure(const json_error_t *failure) {
    enum json_error_code code = json_error_code(failure);
    return code == json_error_out_of_memory || code == json_error_unknown;
}

enum status json_parse(struct slice text, struct json **out, struct err *err) {
    json_error_t failure = {.line = -1};
    json_t *root = json_loadb((const char *)text.data, text.len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &failure);
    if (root) {
        *out = (struct json *)root;
        return ST_OK;
    }
    if (is_memory_failure(&failure)) return err_no_memory(err);
    return err_set(err, ST_MALFORMED, "not JSON: %s (line %d)", "不是有效的 JSON：%s（第 %d 行）",
                   failure.text, failure.line);
}

void json_free(struct json **root) {
    if (!root) return;
    json_decref(of(*root));
    *root = NULL;
}

const struct json *json_member(const struct json *object, const char *name) {
    return (const struct json *)json_object_get(of_const(object), name);
}

const struct json *json_item(const struct json *array, size_t index) {
    return (const struct json *)json_array_get(of_const(array), index);
}

size_t json_count(const struct json *value) {
    const json_t *inner = of_const(value);
    return json_is_object(inner) ? json_object_size(inner) : json_array_size(inner);
}

bool json_text(const struct json *value, struct slice *out) {
    if (!json_is_string(of_const(value))) return false;
    *out = slice_of(json_string_value(of_const(value)), json_string_length(of_const(value)));
    return true;
}

bool json_int(const struct json *value, int64_t *out) {
    if (!json_is_integer(of_const(value))) return false;
    *out = json_integer_value(of_const(value));
    return true;
}
