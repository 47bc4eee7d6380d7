/* The daemon: when to sync, and what to do in between.
 *
 *            saved, news, period, retry over
 *   IDLE ---------------------------------------> SYNC ---ok---> IDLE (a wait runs beside it)
 *    ^                                             |
 *    |______________ retry over __________ BACKOFF <-- failed
 *
 * While it is idle it moves contents of attachments, a piece at a time: before each it looks
 * whether a round is due, so that rows go first.
 *
 * One thread runs this loop and all rounds; a second one holds the long poll, on a connection and a
 * session copy of its own, and rings a bell. Nothing wakes the loop but signals, the wake folder,
 * the bell and one timer.
 */
#include "syncd/agent/daemon.h"

#include <stdio.h>
#include <string.h>

#include "syncd/agent/mover.h"
#include "syncd/agent/wipe.h"
#include "syncd/platform/platform.h"

enum {
    DAEMON_PATH_BYTES = 4096,
    DAEMON_LINE_BYTES = 1024,
    DAEMON_BUSY_RETRY_MS = 500,
    DAEMON_SWEEP_MS = 3600 * 1000
};

/* ------------------------------------------------------------------ the long poll */

enum waiter_state { WAITER_OFF, WAITER_ASKED, WAITER_OVER, WAITER_FAILED, WAITER_STOP };

struct waiter {
    struct platform_mutex *mutex;
    struct platform_cond *cond;
    struct platform_thread *thread;
    struct platform_bell bell;
    struct transport *transport;
    struct session session;
    int64_t epoch, seq;
    enum waiter_state state;
};

static void waiter_run(void *ctx) {
    struct waiter *w = ctx;
    platform_lock(w->mutex);
    while (w->state != WAITER_STOP) {
        if (w->state != WAITER_ASKED) {
            platform_cond_wait(w->cond, w->mutex);
            continue;
        }
        struct session session = w->session;
        int64_t epoch = w->epoch, seq = w->seq;
        platform_release(w->mutex);
        struct transport_door door = transport_door(w->transport);
        struct err err;
        enum status status = agent_wait(&session, &door, epoch, seq, &err);
        platform_lock(w->mutex);
        if (w->state == WAITER_ASKED) w->state = status == ST_OK ? WAITER_OVER : WAITER_FAILED;
        platform_bell_ring(&w->bell);
    }
    platform_release(w->mutex);
}

static enum status waiter_open(struct waiter *w, struct store *store, struct err *err) {
    w->mutex = platform_mutex_new();
    w->cond = platform_cond_new();
    if (!w->mutex || !w->cond) return err_no_memory(err);
    TRY(book_transport(store, &w->transport, err));
    return platform_thread_start(waiter_run, w, &w->thread, err);
}

static void waiter_close(struct waiter *w) {
    if (w->thread) {
        platform_lock(w->mutex);
        w->state = WAITER_STOP;
        platform_cond_broadcast(w->cond);
        platform_release(w->mutex);
        transport_cancel(w->transport);
        platform_thread_join(w->thread);
    }
    transport_close(w->transport);
    platform_bell_close(&w->bell);
    platform_cond_free(w->cond);
    platform_mutex_free(w->mutex);
    bytes_wipe(&w->session, sizeof(w->session));
}

/* Asks for news after seq unless a wait is under way already. */
static void waiter_ask(struct waiter *w, struct agent *agent, int64_t epoch, int64_t seq) {
    platform_lock(w->mutex);
    if (w->state != WAITER_ASKED && w->state != WAITER_STOP) {
        agent_session(agent, &w->session);
        w->epoch = epoch;
        w->seq = seq;
        w->state = WAITER_ASKED;
        platform_cond_signal(w->cond);
    }
    platform_release(w->mutex);
}

static enum waiter_state waiter_take(struct waiter *w) {
    platform_bell_drain(&w->bell);
    platform_lock(w->mutex);
    enum waiter_state state = w->state;
    if (state != WAITER_ASKED && state != WAITER_STOP) w->state = WAITER_OFF;
    platform_release(w->mutex);
    return state;
}

/* ------------------------------------------------------------------ the loop */

struct daemon {
    const struct daemon_config *config;
    struct store *store;
    struct agent *agent;
    struct transport *transport;
    struct transport_door door;
    struct waiter waiter;
    struct platform_watch *wake;
    struct platform_lock alone; /* one daemon a home */
    int signal_fd;
    char sync_lock[DAEMON_PATH_BYTES];
    uint32_t failures;
    int64_t due_ms; /* next round, by the monotonic clock */
    int64_t last_round_ms;
    int64_t proved_hour; /* of the monotonic clock */
    int64_t clock_due_ms;
    struct mover *mover;
    bool may_move;          /* the last round worked, and there may be contents to move */
    int64_t sweep_due_ms;   /* contents that no row names are looked for */
    uint32_t move_failures; /* in a row */
    int64_t move_due_ms;    /* not before that, after failures */
};

static void log_line(const struct daemon *d, enum log_level level, const char *line) {
    const struct env *env = d->config->env;
    env->log(env->ctx, level, line);
}

static void log_failure(const struct daemon *d, const struct err *err, int64_t again_ms) {
    char line[DAEMON_LINE_BYTES];
    snprintf(line, sizeof(line), "event=sync result=%s again_s=%lld text=\"%.700s\"",
             status_name(err->status), (long long)(again_ms / 1000), err->text[d->config->lang]);
    log_line(d, err->status == ST_OFFLINE ? LOG_INFO : LOG_WARNING, line);
}

static void log_success(const struct daemon *d, const struct agent_result *r, int64_t took_ms) {
    bool decided = r->counts.approved + r->counts.declined > 0;
    if (!r->progress.batches_sent && !r->progress.rows_received && !decided)
        return; /* idle rounds say nothing */
    char line[DAEMON_LINE_BYTES];
    snprintf(line, sizeof(line),
             "event=sync result=OK batches=%lld applied=%lld merged=%lld lost=%lld waiting=%lld "
             "refused=%lld approved=%lld declined=%lld rows=%lld "
             "up=%lld down=%lld head=%lld ms=%lld",
             (long long)r->progress.batches_sent, (long long)r->counts.applied,
             (long long)r->counts.merged, (long long)r->counts.lost, (long long)r->counts.waiting,
             (long long)r->counts.refused, (long long)r->counts.approved,
             (long long)r->counts.declined, (long long)r->progress.rows_received,
             (long long)r->progress.bytes_up, (long long)r->progress.bytes_down,
             (long long)r->progress.head, (long long)took_ms);
    log_line(d, LOG_INFO, line);
}

/* By order of head office. What must be told to the server is told at the end of this life. */
static enum status wipe(struct daemon *d, const struct device_order *order, struct err *err) {
    mover_close(d->mover);
    d->mover = NULL;
    TRY(wipe_book(&d->store, d->config->home, order, d->config->env, err));
    return wipe_check(d->config->home, err);
}

/* The book against what the server said; within a day every row is read again. What had to be put
 * right is told: it should never happen. That it could not be asked is no failure of the sync. */
static void prove(struct daemon *d) {
    enum { HOUR_MS = 3600 * 1000, SHARES = 24, ROWS_AT_ONCE = 2000 };
    char line[DAEMON_LINE_BYTES];
    struct agent_proof proof;
    struct err why;
    int64_t hour = platform_mono_ms() / HOUR_MS;
    if (hour != d->proved_hour)
        (void)store_prove_again(d->store, (unsigned)(hour % SHARES), SHARES, &why);
    d->proved_hour = hour;
    enum status status = agent_prove(d->agent, d->store, ROWS_AT_ONCE, &proof, &why);
    if (status == ST_OK && proof.repaired == 0 && proof.proof != BOOK_DIFFERS) return;
    snprintf(line, sizeof(line), "event=repair result=%s equal=%d rows=%lld trips=%lld bytes=%lld",
             status_name(status), proof.proof == BOOK_EQUAL, (long long)proof.repaired,
             (long long)proof.trips, (long long)proof.bytes);
    log_line(d, LOG_WARNING, line);
}

/* One sync under the lock that lets only one program of this home sync at a time. */
static enum status locked_sync(struct daemon *d, struct agent_result *result, struct err *err) {
    struct platform_lock lock;
    TRY(platform_lock_try(d->sync_lock, &lock, err));
    enum status status = agent_sync(d->agent, NULL, NULL, result, err);
    if (status == ST_OK) prove(d);
    struct device_order order;
    bool must_wipe = status == ST_REVOKED && agent_order(d->agent, &order) == ORDER_WIPE;
    if (must_wipe) status = wipe(d, &order, err);
    platform_unlock(&lock);
    return status;
}

static int64_t after_failure(struct daemon *d, const struct err *err, uint32_t retry_ms) {
    if (err->status == ST_BUSY && !retry_ms)
        return DAEMON_BUSY_RETRY_MS; /* `roadbook sync` has the lock */
    d->failures++;
    uint64_t random;
    d->config->env->random(d->config->env->ctx, &random, sizeof(random));
    return agent_backoff_ms(d->failures, retry_ms, random);
}

static enum status sync_now(struct daemon *d, struct err *err) {
    struct agent_result result = {0};
    int64_t began = platform_mono_ms();
    enum status status = locked_sync(d, &result, err);
    int64_t now = platform_mono_ms();
    d->last_round_ms = now;
    if (status == ST_CLONED || !d->store)
        return status; /* no round will go better: it is said once, at the end */
    if (status != ST_OK) {
        d->may_move = false;
        int64_t again = after_failure(d, err, result.retry_ms);
        d->due_ms = now + again;
        log_failure(d, err, again);
        return status;
    }
    d->failures = 0;
    d->may_move = true;
    mover_look(d->mover);
    if (result.counts.rows_gone > 0) d->sweep_due_ms = now;
    d->due_ms = now + (result.retry_ms ? (int64_t)result.retry_ms : DAEMON_PERIOD_MS);
    log_success(d, &result, now - began);
    struct store_status book;
    if (store_cursor(d->store, &book.epoch, &book.cursor, err) == ST_OK)
        waiter_ask(&d->waiter, d->agent, book.epoch, book.cursor);
    return ST_OK;
}

/* Soon, but not sooner than the gathering time after the last round, and never against a backoff.
 */
static void saved(struct daemon *d) {
    if (d->failures > 3) return;
    int64_t soon = d->last_round_ms + DAEMON_GATHER_MS, now = platform_mono_ms();
    if (soon < now) soon = now;
    if (soon < d->due_ms) d->due_ms = soon;
}

static void heard(struct daemon *d) {
    switch (waiter_take(&d->waiter)) {
    case WAITER_OVER:
        d->due_ms = platform_mono_ms(); /* a round also asks the next wait */
        break;
    case WAITER_FAILED:
        if (!d->failures) {
            int64_t soon = platform_mono_ms() + BACKOFF_WAIT_MS;
            if (soon < d->due_ms) d->due_ms = soon;
        }
        break;
    case WAITER_OFF:
    case WAITER_ASKED:
    case WAITER_STOP: break;
    }
}

/* ------------------------------------------------------------------ contents */

static void log_moved(const struct daemon *d, const struct mover_progress *before) {
    struct mover_progress p;
    mover_progress(d->mover, &p);
    bool is_done = p.up + p.down + p.refused > before->up + before->down + before->refused;
    if (!is_done) return;
    char line[DAEMON_LINE_BYTES];
    snprintf(line, sizeof(line),
             "event=content result=%s sent=%lld fetched=%lld refused=%lld up=%lld down=%lld "
             "left=%lld",
             p.refused > before->refused ? "REFUSED" : "OK", (long long)p.up, (long long)p.down,
             (long long)p.refused, (long long)p.bytes_up, (long long)p.bytes_down,
             (long long)p.left);
    log_line(d, p.refused > before->refused ? LOG_WARNING : LOG_INFO, line);
}

static void move_failed(struct daemon *d, const struct err *err) {
    uint64_t random;
    uint32_t retry_ms = agent_retry_ms(d->agent);
    d->config->env->random(d->config->env->ctx, &random, sizeof(random));
    if (err->status != ST_BUSY || retry_ms) d->move_failures++;
    int64_t again = agent_backoff_ms(d->move_failures, retry_ms, random);
    if (err->status == ST_BUSY && !retry_ms) again = DAEMON_BUSY_RETRY_MS;
    d->move_due_ms = platform_mono_ms() + again;
    char line[DAEMON_LINE_BYTES];
    snprintf(line, sizeof(line), "event=content result=%s again_s=%lld text=\"%.700s\"",
             status_name(err->status), (long long)(again / 1000), err->text[d->config->lang]);
    log_line(d, err->status == ST_OFFLINE || err->status == ST_BUSY ? LOG_INFO : LOG_WARNING, line);
}

static enum status locked_step(struct daemon *d, struct err *err) {
    struct platform_lock lock;
    bool more = false;
    TRY(platform_lock_try(d->sync_lock, &lock, err));
    enum status status = mover_step(d->mover, &more, err);
    platform_unlock(&lock);
    d->may_move = more;
    return status;
}

static void sweep(struct daemon *d) {
    struct err err;
    int64_t removed;
    d->sweep_due_ms = platform_mono_ms() + DAEMON_SWEEP_MS;
    if (mover_sweep(d->mover, &removed, &err) != ST_OK) log_failure(d, &err, 0);
}

/* Whether a piece may go now: nothing saved waits for its round. */
static bool may_move(const struct daemon *d) {
    int64_t now = platform_mono_ms();
    return d->may_move && d->due_ms - now > DAEMON_GATHER_MS && now >= d->move_due_ms;
}

static void move(struct daemon *d) {
    struct mover_progress before;
    struct err err;
    if (!may_move(d)) return;
    mover_progress(d->mover, &before);
    enum status status = locked_step(d, &err);
    log_moved(d, &before);
    if (status != ST_OK)
        move_failed(d, &err);
    else
        d->move_failures = 0;
    if (!d->may_move && platform_mono_ms() >= d->sweep_due_ms) sweep(d);
}

/* When the loop has something to do without anybody asking. */
static int64_t next_ms(const struct daemon *d) {
    int64_t next = d->due_ms < d->clock_due_ms ? d->due_ms : d->clock_due_ms;
    if (d->may_move && d->move_due_ms < next) next = d->move_due_ms;
    return next;
}

static void note_clock(struct daemon *d) {
    struct err err;
    if (store_clock_note(d->store, &err) != ST_OK) log_failure(d, &err, 0);
    d->clock_due_ms = platform_mono_ms() + DAEMON_CLOCK_MS;
}

static enum status wait_for_something(struct daemon *d, bool *out_stop, struct err *err) {
    int fds[] = {d->signal_fd, platform_watch_fd(d->wake), d->waiter.bell.read_fd};
    int64_t now = platform_mono_ms();
    int64_t until = next_ms(d);
    size_t which;
    TRY(platform_wait(fds, ARRAY_COUNT(fds), until > now ? until - now : 0, &which, err));
    enum platform_signal signal;
    while ((signal = platform_signals_next(d->signal_fd)) != PLATFORM_SIGNAL_NONE)
        *out_stop |= signal == PLATFORM_SIGNAL_STOP;
    if (which == 2) heard(d);
    if (platform_watch_drain(d->wake)) saved(d);
    if (platform_mono_ms() >= d->clock_due_ms) note_clock(d);
    return ST_OK;
}

/* ST_DAMAGED: another book stands there now, and has to be opened. ST_CLONED: this book is a copy,
 * of which a person has to hear. */
static enum status sync_or_mend(struct daemon *d, struct err *err) {
    struct err failure, note = {0};
    if (store_has_moved(d->store))
        return err_set(err, ST_DAMAGED, "the book was replaced", "账本文件已被替换");
    enum status synced = sync_now(d, &failure);
    bool is_over = synced == ST_CLONED || !d->store;
    if (is_over) *err = failure;
    if (is_over || synced != ST_DAMAGED) return is_over ? synced : ST_OK;
    const struct daemon_config *c = d->config;
    enum status status = book_mend(&d->store, c->home, c->catalogue, c->env, &note, err);
    if (d->store) return ST_OK;                 /* it was sound: the fault is the server's */
    if (status == ST_DAMAGED) return ST_DENIED; /* beyond rescue: a person has to enrol again */
    if (status == ST_OK) *err = note;
    return status == ST_OK ? ST_DAMAGED : status;
}

static enum status loop(struct daemon *d, struct err *err) {
    bool stop = false;
    platform_notify("READY=1");
    while (!stop) {
        if (platform_mono_ms() >= d->due_ms) TRY(sync_or_mend(d, err));
        move(d);
        TRY(wait_for_something(d, &stop, err));
    }
    platform_notify("STOPPING=1");
    return ST_OK;
}

/* ------------------------------------------------------------------ life */

static enum status take_locks(struct daemon *d, struct err *err) {
    char path[DAEMON_PATH_BYTES];
    const char *home = d->config->home;
    if (snprintf(path, sizeof(path), "%s/daemon.lock", home) >= (int)sizeof(path) ||
        snprintf(d->sync_lock, sizeof(d->sync_lock), "%s/" AGENT_LOCK_FILE, home) >=
            (int)sizeof(d->sync_lock))
        return err_set(err, ST_INVALID, "the path is too long: %s", "路径过长：%s", home);
    if (d->config->once) return ST_OK;
    enum status status = platform_lock_try(path, &d->alone, err);
    if (status == ST_BUSY)
        return err_set(err, ST_BUSY, "roadbook-syncd runs already for %s",
                       "roadbook-syncd 已在为 %s 运行", home);
    return status;
}

static enum status open_wake(struct daemon *d, struct err *err) {
    char path[DAEMON_PATH_BYTES];
    snprintf(path, sizeof(path), "%.4000s/" AGENT_WAKE_DIR, d->config->home);
    TRY(platform_make_dir(path, err));
    return platform_watch_open(path, false, &d->wake, err);
}

static enum status open_all(struct daemon *d, struct err *err) {
    struct err note;
    const struct daemon_config *c = d->config;
    TRY(book_open(c->home, c->catalogue, c->env, &d->store, &note, err));
    if (note.text[c->lang][0]) log_failure(d, &note, 0);
    TRY(take_locks(d, err));
    TRY(book_transport(d->store, &d->transport, err));
    d->door = transport_door(d->transport);
    struct agent_config agent = {.store = d->store,
                                 .catalogue = c->catalogue,
                                 .env = c->env,
                                 .transport = &d->door,
                                 .trace_dir = c->trace_dir,
                                 .home = c->home};
    TRY(agent_open(&agent, &d->agent, err));
    struct mover_config mover = {.agent = d->agent,
                                 .store = d->store,
                                 .transport = &d->door,
                                 .env = c->env,
                                 .home = c->home};
    TRY(mover_open(&mover, &d->mover, err));
    if (c->once) return ST_OK;
    TRY(platform_bell_open(&d->waiter.bell, err));
    TRY(open_wake(d, err));
    TRY(platform_signals_open(&d->signal_fd, err));
    return waiter_open(&d->waiter, d->store, err);
}

static void close_all(struct daemon *d) {
    if (!d->config->once) waiter_close(&d->waiter);
    mover_close(d->mover);
    agent_close(d->agent);
    transport_close(d->transport);
    platform_watch_close(d->wake);
    if (d->signal_fd >= 0) platform_signals_close(d->signal_fd);
    platform_unlock(&d->alone);
    store_close(d->store);
}

static enum status run_once(struct daemon *d, struct err *err) {
    struct agent_result result;
    TRY(locked_sync(d, &result, err));
    log_success(d, &result, 0);
    struct mover_progress before;
    enum status status = ST_OK;
    d->may_move = true;
    while (status == ST_OK && d->may_move) {
        mover_progress(d->mover, &before);
        status = locked_step(d, err);
        log_moved(d, &before);
    }
    return status;
}

static enum status run_life(const struct daemon_config *config, bool *out_again, struct err *err) {
    struct daemon d = {
        .config = config, .signal_fd = -1, .alone = {-1}, .waiter = {.bell = {-1, -1}}};
    enum status status = open_all(&d, err);
    *out_again = false;
    if (status == ST_OK) {
        note_clock(&d);
        status = config->once ? run_once(&d, err) : loop(&d, err);
        *out_again = status == ST_DAMAGED && !config->once;
        if (*out_again) log_failure(&d, err, 0);
    }
    close_all(&d);
    return status;
}

/* Until the server knows that the book is deleted the daemon is to be started again. */
static enum status tell_wiped(const struct daemon_config *config, struct err *err) {
    struct err failure;
    enum status told = wipe_tell(config->home, &failure);
    if (told == ST_OK || !status_is_retryable(told)) return ST_REVOKED;
    *err = failure;
    return told;
}

/* A life ends early when the book was damaged and stands there anew. */
enum status daemon_run(const struct daemon_config *config, struct err *err) {
    enum { LIVES_MAX = 100 };
    enum status status = ST_OK;
    bool again = true;
    for (int i = 0; again && i < LIVES_MAX; i++) status = run_life(config, &again, err);
    return status == ST_REVOKED ? tell_wiped(config, err) : status;
}
