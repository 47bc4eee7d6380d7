/* The linker's --wrap sends our calls here. Shared libraries are not relinked, so jansson is told through
 * the hook that it has for this. */
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/unit/fault.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
__attribute__((weak)) void json_set_alloc_funcs(void *(*allocate)(size_t), void (*release)(void *));

static atomic_size_t left;     /* allocations until the fault, that one counted; 0 when not armed */
static atomic_bool fired;

void fault_arm(size_t n) {
    if (json_set_alloc_funcs) json_set_alloc_funcs(__wrap_malloc, free);
    fired = false;
    left = n;
}

void fault_disarm(void) {
    left = 0;
}

bool fault_fired(void) {
    return fired;
}

static bool fails_now(void) {
    size_t before = left;
    while (before > 0 && !atomic_compare_exchange_weak(&left, &before, before - 1)) continue;
    if (before != 1) return false;
    fired = true;
    return true;
}

void *__wrap_malloc(size_t bytes) {
    return fails_now() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) {
    return fails_now() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes) {
    return fails_now() ? NULL : __real_realloc(old, bytes);
}
