/* Arenas: the memory of one operation, freed at once.
 *
 * Items are cut from blocks that double from 4 KiB to 1 MiB, so that a small operation costs one
 * allocation and a large one few. An item too large for that gets a block of its own, placed behind
 * the current one, whose rest stays in use. Items are zeroed when they are handed out: most
 * operations use little of their first block. An item alone comes zeroed from calloc, which is free
 * for fresh pages.
 */
#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base/base.h"

enum { BLOCK_BYTES_FIRST = 4 * 1024, BLOCK_BYTES_MAX = 1024 * 1024 };

struct arena_block {
    struct arena_block *previous;
    size_t used, size; /* of bytes; used <= size */
    alignas(max_align_t) uint8_t bytes[];
};

struct arena arena_new(size_t cap) {
    return (struct arena){.cap = cap};
}

void arena_clear(struct arena *mem) {
    while (mem->last) {
        struct arena_block *block = mem->last;
        mem->last = block->previous;
        free(block);
    }
    mem->used = 0;
}

/* A block that is full from the start. */
static void *alloc_alone(struct arena *mem, size_t bytes) {
    if (bytes > SIZE_MAX - sizeof(struct arena_block)) return NULL;
    struct arena_block *block = calloc(1, sizeof *block + bytes);
    if (!block) return NULL;
    block->used = block->size = bytes;
    struct arena_block **place = mem->last ? &mem->last->previous : &mem->last;
    block->previous = *place;
    *place = block;
    return block->bytes;
}

#ifdef ARENA_DEBUG

static void *alloc_item(struct arena *mem, size_t bytes) {
    return alloc_alone(mem, bytes);
}

#else

static struct arena_block *block_new(struct arena *mem, size_t size) {
    struct arena_block *block = malloc(sizeof *block + size);
    if (!block) return NULL;
    *block = (struct arena_block){.previous = mem->last, .size = size};
    mem->last = block;
    return block;
}

static size_t next_block_size(const struct arena *mem) {
    size_t size = mem->last ? mem->last->size : 0;
    if (size < BLOCK_BYTES_FIRST / 2) return BLOCK_BYTES_FIRST;
    return size >= BLOCK_BYTES_MAX / 2 ? BLOCK_BYTES_MAX : 2 * size;
}

static void *take_from_last(struct arena *mem, size_t bytes) {
    const size_t align = alignof(max_align_t);
    struct arena_block *block = mem->last;
    if (!block) return NULL;
    size_t pad = (align - block->used % align) % align;
    size_t room = block->size - block->used;
    if (room < pad || room - pad < bytes) return NULL;
    void *item = block->bytes + block->used + pad;
    block->used += pad + bytes;
    return memset(item, 0, bytes);
}

static void *alloc_item(struct arena *mem, size_t bytes) {
    void *item = take_from_last(mem, bytes);
    if (item) return item;
    size_t size = next_block_size(mem);
    if (bytes > size / 2) return alloc_alone(mem, bytes);
    return block_new(mem, size) ? take_from_last(mem, bytes) : NULL;
}

#endif

void *arena_alloc(struct arena *mem, size_t bytes) {
    if (bytes > mem->cap - mem->used) return NULL;
    void *item = alloc_item(mem, bytes);
    if (item) mem->used += bytes;
    return item;
}

void *arena_array(struct arena *mem, size_t count, size_t item_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow(count, item_bytes, &bytes)) return NULL;
    return arena_alloc(mem, bytes);
}

struct slice arena_copy(struct arena *mem, struct slice s) {
    char *copy = arena_string(mem, s);
    return copy ? slice_of(copy, s.len) : (struct slice){0};
}

char *arena_string(struct arena *mem, struct slice s) {
    if (s.len == SIZE_MAX) return NULL;
    char *copy = arena_alloc(mem, s.len + 1);
    if (copy && s.len) memcpy(copy, s.data, s.len);
    return copy;
}

char *arena_printf(struct arena *mem, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = bytes < 0 ? NULL : arena_alloc(mem, (size_t)bytes + 1);
    if (text) (void)vsnprintf(text, (size_t)bytes + 1, format, again);
    va_end(again);
    return text;
}
