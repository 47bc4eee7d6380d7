/* Which read handle a thread may use: a stack of free numbers, so that the handle used last, whose
 * pages are warm, is taken first. */
#include <stdlib.h>

#include "syncd/server/serve.h"

struct readers {
    struct platform_mutex *lock;
    struct platform_cond *freed;
    size_t count;
    size_t free[]; /* [0..count) */
};

enum status readers_open(size_t count, struct readers **out, struct err *err) {
    struct readers *readers = calloc(1, sizeof *readers + count * sizeof readers->free[0]);
    if (!readers) return err_no_memory(err);
    readers->lock = platform_mutex_new();
    readers->freed = platform_cond_new();
    if (!readers->lock || !readers->freed) {
        readers_close(readers);
        return err_no_memory(err);
    }
    for (size_t i = 0; i < count; i++) readers->free[i] = count - 1 - i;
    readers->count = count;
    *out = readers;
    return ST_OK;
}

void readers_close(struct readers *readers) {
    if (!readers) return;
    platform_cond_free(readers->freed);
    platform_mutex_free(readers->lock);
    free(readers);
}

size_t readers_take(struct readers *readers) {
    platform_lock(readers->lock);
    while (readers->count == 0) platform_cond_wait(readers->freed, readers->lock);
    size_t reader = readers->free[--readers->count];
    platform_release(readers->lock);
    return reader;
}

bool readers_try(struct readers *readers, size_t *out) {
    platform_lock(readers->lock);
    bool got = readers->count > 0;
    if (got) *out = readers->free[--readers->count];
    platform_release(readers->lock);
    return got;
}

void readers_give(struct readers *readers, size_t reader) {
    platform_lock(readers->lock);
    readers->free[readers->count++] = reader;
    platform_cond_signal(readers->freed);
    platform_release(readers->lock);
}
