/* A whole row in one blob, beside the tables: what was collected, what was merged into another,
 * what an import made.
 *
 * The fields of the release stand by place, since they are only ever appended to. What was added at
 * run time stands behind them by tag: a later release appends its own fields in front of it. All of
 * it is one list of values, so that images of older releases are read the same way.
 *
 *   [0 .. 39]  fields of the release, filled up with nothing if anything follows
 *   then       tag, value; tag, value ...
 */
#include <string.h>

#include "protocol/wire/wire.h"
#include "syncd/store/rows.h"

enum { IMAGE_VALUES_MAX = ENTITY_BUILT_IN_MAX + 2 * ENTITY_ADDED_MAX };

void rows_image_write(const struct entity *e, const struct value *values, bool trim,
                      struct buf *out) {
    struct value image[IMAGE_VALUES_MAX] = {{0}};
    size_t built_in = 0, count = ENTITY_BUILT_IN_MAX;
    for (size_t i = 0; i < e->field_count; i++) {
        if (!field_is_added(&e->fields[i])) {
            image[built_in++] = values[i];
        } else if (values[i].kind != VALUE_NULL) {
            image[count++] = value_int(e->fields[i].tag);
            image[count++] = values[i];
        }
    }
    if (count == ENTITY_BUILT_IN_MAX) count = built_in;
    while (trim && count > 0 && image[count - 1].kind == VALUE_NULL) count--;
    values_write(image, count, out);
}

enum status rows_image_read(const struct entity *e, struct slice bytes, struct arena *mem,
                            struct value **out, struct err *err) {
    struct value *image, *values = ARENA_ARRAY(mem, e->field_count + 1, struct value);
    struct slice copy = arena_copy(mem, bytes);
    size_t count;
    if (!values || (bytes.len > 0 && !copy.data)) return err_no_memory(err);
    TRY(values_read(copy, mem, &image, &count, err));
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        if (!field_is_added(f) && i < count && i < ENTITY_BUILT_IN_MAX) values[i] = image[i];
        for (size_t k = ENTITY_BUILT_IN_MAX; field_is_added(f) && k + 1 < count; k += 2)
            if (image[k].kind == VALUE_INT && image[k].number == (int64_t)f->tag)
                values[i] = image[k + 1];
    }
    *out = values;
    return ST_OK;
}
