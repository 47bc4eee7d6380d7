/* Threads, mutexes and conditions: thin names over POSIX threads. Misuse of a mutex is a fault of
 * this program, so it is asserted, not returned. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "platform_private.h"

struct platform_mutex {
    pthread_mutex_t mutex;
};
struct platform_cond {
    pthread_cond_t cond;
};
struct platform_thread {
    pthread_t thread;
    void (*run)(void *ctx);
    void *ctx;
};

static void must(int result) {
    assert(result == 0);
}

struct platform_mutex *platform_mutex_new(void) {
    struct platform_mutex *mutex = calloc(1, sizeof *mutex);
    if (mutex != NULL) must(pthread_mutex_init(&mutex->mutex, NULL));
    return mutex;
}

void platform_mutex_free(struct platform_mutex *mutex) {
    if (mutex != NULL) must(pthread_mutex_destroy(&mutex->mutex));
    free(mutex);
}

void platform_lock(struct platform_mutex *mutex) {
    must(pthread_mutex_lock(&mutex->mutex));
}

void platform_release(struct platform_mutex *mutex) {
    must(pthread_mutex_unlock(&mutex->mutex));
}

/* Waits by the monotonic clock: a step of the wall clock must not stretch a wait. */
struct platform_cond *platform_cond_new(void) {
    struct platform_cond *cond = calloc(1, sizeof *cond);
    if (cond == NULL) return NULL;
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes));
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
    must(pthread_cond_init(&cond->cond, &attributes));
    must(pthread_condattr_destroy(&attributes));
    return cond;
}

void platform_cond_free(struct platform_cond *cond) {
    if (cond != NULL) must(pthread_cond_destroy(&cond->cond));
    free(cond);
}

void platform_cond_wait(struct platform_cond *cond, struct platform_mutex *mutex) {
    must(pthread_cond_wait(&cond->cond, &mutex->mutex));
}

bool platform_cond_wait_ms(struct platform_cond *cond, struct platform_mutex *mutex,
                           int64_t timeout_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (timeout_ms % 1000) * 1000000;
    until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
    until.tv_nsec = (long)(ns % 1000000000);
    int result = pthread_cond_timedwait(&cond->cond, &mutex->mutex, &until);
    assert(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

void platform_cond_signal(struct platform_cond *cond) {
    must(pthread_cond_signal(&cond->cond));
}

void platform_cond_broadcast(struct platform_cond *cond) {
    must(pthread_cond_broadcast(&cond->cond));
}

static void *thread_main(void *ctx) {
    const struct platform_thread *thread = ctx;
    thread->run(thread->ctx);
    return NULL;
}

enum status platform_thread_start(void (*run)(void *ctx), void *ctx, struct platform_thread **out,
                                  struct err *err) {
    struct platform_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL) return err_no_memory(err);
    thread->run = run;
    thread->ctx = ctx;
    sigset_t all, before;
    sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before)); /* a thread inherits the mask */
    int number = pthread_create(&thread->thread, NULL, thread_main, thread);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL));
    if (number != 0) {
        free(thread);
        return platform_errno(number, "thread", err);
    }
    *out = thread;
    return ST_OK;
}

void platform_thread_join(struct platform_thread *thread) {
    if (thread == NULL) return;
    must(pthread_join(thread->thread, NULL));
    free(thread);
}

uint64_t platform_thread_self(void) {
    return (uint64_t)(uintptr_t)pthread_self();
}
