/* Shapes: which cells occur with which kind of thing, so that cells of the same meaning share
 * columns. */
#include "protocol/wire/columns.h"

enum { SHAPES_FIRST = 8, KEYS_FIRST = 16, SHAPE_BYTES_MIN = 3, KEY_BYTES_MIN = 3 };

static int key_compare(const struct cell_key *a, const struct cell_key *b) {
    if (a->tag != b->tag) return a->tag < b->tag ? -1 : 1;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->value_count != b->value_count) return a->value_count < b->value_count ? -1 : 1;
    return 0;
}

/* A longer array in mem with the same beginning; NULL fails the coder. */
static void *grown(struct shapes *shapes, struct coder *c, const void *items, size_t count,
                   size_t max, size_t item_bytes) {
    void *longer = arena_array(shapes->mem, max, item_bytes);
    if (!longer) {
        coder_fail(c, ST_NO_MEMORY);
        return NULL;
    }
    if (count > 0) memcpy(longer, items, count * item_bytes);
    return longer;
}

static struct shape *find_shape(struct shapes *shapes, uint32_t entity, uint32_t kind) {
    for (size_t i = 0; i < shapes->count; i++) {
        struct shape *shape = &shapes->items[i];
        if (shape->entity == entity && shape->kind == kind) return shape;
    }
    return NULL;
}

static struct shape *add_shape(struct shapes *shapes, struct coder *c, uint32_t entity,
                               uint32_t kind) {
    if (shapes->count == SHAPES_MAX) {
        coder_fail(c, ST_TOO_LARGE);
        return NULL;
    }
    if (shapes->count == shapes->max) {
        size_t max = shapes->max ? 2 * shapes->max : SHAPES_FIRST;
        struct shape *items = grown(shapes, c, shapes->items, shapes->count, max, sizeof *items);
        if (!items) return NULL;
        shapes->items = items;
        shapes->max = max;
    }
    struct shape *shape = &shapes->items[shapes->count++];
    *shape = (struct shape){.entity = entity, .kind = kind};
    return shape;
}

static bool insert_key(struct shapes *shapes, struct coder *c, struct shape *shape, size_t at,
                       struct cell_key key) {
    if (shape->cell_count == SHAPE_CELLS_MAX) {
        coder_fail(c, ST_TOO_LARGE);
        return false;
    }
    if (shape->cell_count == shape->key_max) {
        size_t max = shape->key_max ? 2 * shape->key_max : KEYS_FIRST;
        struct cell_key *keys = grown(shapes, c, shape->keys, shape->cell_count, max, sizeof *keys);
        if (!keys) return false;
        shape->keys = keys;
        shape->key_max = max;
    }
    memmove(shape->keys + at + 1, shape->keys + at, (shape->cell_count - at) * sizeof key);
    shape->keys[at] = key;
    shape->cell_count++;
    return true;
}

void shapes_learn(struct shapes *shapes, struct coder *c, uint32_t entity, uint32_t kind,
                  const struct cell_key *keys, size_t key_count) {
    struct shape *shape = find_shape(shapes, entity, kind);
    if (!shape) shape = add_shape(shapes, c, entity, kind);
    if (!shape) return;
    size_t at = 0;
    for (size_t i = 0; i < key_count; i++) {
        if (i > 0 && keys[i].tag <= keys[i - 1].tag) {
            coder_fail(c, ST_INTERNAL);
            return;
        }
        while (at < shape->cell_count && key_compare(&shape->keys[at], &keys[i]) < 0) at++;
        bool known = at < shape->cell_count && key_compare(&shape->keys[at], &keys[i]) == 0;
        if (!known && !insert_key(shapes, c, shape, at, keys[i])) return;
    }
}

/* ------------------------------------------------------------------ the table of shapes */

static void code_cell(struct coder *c, struct shape *shape, size_t index) {
    struct shape_cell *cell = &shape->cells[index];
    if (!c->reading) cell->key = shape->keys[index];
    cell->key.tag = code_u32(c, cell->key.tag);
    cell->key.kind = code_u32(c, cell->key.kind);
    cell->key.value_count = (size_t)code_number(c, cell->key.value_count, ENTITY_FIELDS_MAX);
    bool ascending = index == 0 || key_compare(&shape->cells[index - 1].key, &cell->key) < 0;
    if (!ascending) coder_fail(c, ST_MALFORMED);
}

/* Room for what both directions work with; not counted against what a message may unfold to. */
static void *work_room(struct shapes *shapes, struct coder *c, size_t count, size_t item_bytes) {
    if (coder_failed(c) || count == 0) return NULL;
    if (c->reading) return code_items(c, NULL, count, item_bytes);
    void *placed = arena_array(shapes->mem, count, item_bytes);
    if (!placed) coder_fail(c, ST_NO_MEMORY);
    return placed;
}

static void code_shape(struct shapes *shapes, struct coder *c, struct shape *shape) {
    shape->entity = code_u32(c, shape->entity);
    shape->kind = code_u32(c, shape->kind);
    shape->cell_count = (size_t)code_number(c, shape->cell_count, SHAPE_CELLS_MAX);
    if (c->reading && shape->cell_count > reader_left(&c->in) / KEY_BYTES_MIN) {
        coder_fail(c, ST_MALFORMED);
    }
    size_t words = (shape->cell_count + MASK_BITS - 1) / MASK_BITS;
    shape->cells = work_room(shapes, c, shape->cell_count, sizeof *shape->cells);
    shape->masks = work_room(shapes, c, words, sizeof *shape->masks);
    shape->mask = work_room(shapes, c, words, sizeof *shape->mask);
    for (size_t i = 0; i < shape->cell_count && !coder_failed(c); i++) {
        code_cell(c, shape, i);
        struct shape_cell *cell = &shape->cells[i];
        cell->values = work_room(shapes, c, cell->key.value_count, sizeof *cell->values);
    }
}

void shapes_code(struct shapes *shapes, struct coder *c) {
    shapes->count = (size_t)code_number(c, shapes->count, SHAPES_MAX);
    if (c->reading) {
        if (shapes->count > reader_left(&c->in) / SHAPE_BYTES_MIN) coder_fail(c, ST_MALFORMED);
        shapes->items = work_room(shapes, c, shapes->count, sizeof *shapes->items);
    }
    for (size_t i = 0; i < shapes->count && !coder_failed(c); i++) {
        code_shape(shapes, c, &shapes->items[i]);
    }
}

/* ------------------------------------------------------------------ the second walk */

struct shape *shapes_pick(struct shapes *shapes, struct columns *set, uint32_t entity,
                          uint32_t kind) {
    uint64_t index = 0;
    if (!set->coder.reading && !columns_failed(set)) {
        index = (uint64_t)(find_shape(shapes, entity, kind) - shapes->items);
    }
    index = column_number(set, &shapes->which, index, SHAPES_MAX);
    if (columns_failed(set)) return NULL;
    if (index < shapes->count) return &shapes->items[index];
    coder_fail(&set->coder, ST_MALFORMED);
    return NULL;
}

static void set_bits(struct shape *shape, const struct cell_key *keys, size_t key_count,
                     size_t words) {
    memset(shape->mask, 0, words * sizeof *shape->mask);
    size_t at = 0;
    for (size_t i = 0; i < key_count; i++) {
        while (key_compare(&shape->cells[at].key, &keys[i]) != 0) at++;
        shape->mask[at / MASK_BITS] |= 1u << (at % MASK_BITS);
    }
}

/* A tag stands once in a thing, though it may stand in the shape with several counts. */
static bool tags_are_distinct(struct shape *shape) {
    uint64_t before = UINT64_MAX;
    size_t at = 0;
    for (const struct shape_cell *cell; (cell = shape_next(shape, &at));) {
        if (cell->key.tag == before) return false;
        before = cell->key.tag;
    }
    return true;
}

void shape_mask(struct shape *shape, struct columns *set, const struct cell_key *keys,
                size_t key_count, size_t *out_count) {
    *out_count = 0;
    size_t words = (shape->cell_count + MASK_BITS - 1) / MASK_BITS;
    if (words == 0 || columns_failed(set)) return;
    if (!set->coder.reading) set_bits(shape, keys, key_count, words);
    size_t count = 0;
    for (size_t i = 0; i < words; i++) {
        size_t cells = shape->cell_count - i * MASK_BITS;
        uint64_t max = cells >= MASK_BITS ? UINT32_MAX : (1u << cells) - 1;
        shape->mask[i] = (uint32_t)column_number(set, &shape->masks[i], shape->mask[i], max);
        count += (size_t)__builtin_popcount(shape->mask[i]);
    }
    if (!tags_are_distinct(shape)) coder_fail(&set->coder, ST_MALFORMED);
    *out_count = columns_failed(set) ? 0 : count;
}

struct shape_cell *shape_next(struct shape *shape, size_t *at) {
    while (*at < shape->cell_count) {
        size_t i = (*at)++;
        if (shape->mask[i / MASK_BITS] & 1u << (i % MASK_BITS)) return &shape->cells[i];
    }
    return NULL;
}
