/* Long polls: calls that wait until the head of their org has passed a seq.
 *
 * A call stands in the list of its org from waits_add until someone takes it out; who takes it out
 * answers it. The listener's on_end may still be on its way then, for a call that is gone: so it is
 * given a seat, which lives as long as the list and knows whose it is. Seats are used again; a
 * request's address is not, as long as its on_end is on its way, since both belong to the loop's
 * thread.
 *
 * Commits of this process wake at once; commits of other processes (an import at the command line)
 * are noticed by a thread that looks every WAITS_POLL_MS, only while someone waits. Every
 * WAITS_DATED_MS it has what head office ordered for a date that has come applied.
 */
#include <stdlib.h>

#include "syncd/server/serve.h"

enum { SEATS_AT_ONCE = 256 };

struct seat {
    struct waits *waits;
    struct http_request *request; /* NULL: free */
    struct call *call;            /* NULL: not in the list yet */
    bool ended;                   /* before it was in the list */
    int org;
    struct seat *next, *previous; /* of the list, or the next free one */
};

struct seat_block {
    struct seat_block *next;
    struct seat seats[SEATS_AT_ONCE];
};

struct waits {
    struct gate *gate;
    struct platform_mutex *lock;
    struct platform_cond *work;
    struct platform_thread *poller;
    struct seat *first[SERVICE_ORGS_MAX];
    int64_t head[SERVICE_ORGS_MAX]; /* that take_over last looked with */
    struct seat_block *blocks;
    struct seat *free;
    size_t count;
    bool stop;
};

/* ------------------------------------------------------------------ seats, under the lock */

static bool seats_grow(struct waits *waits) {
    struct seat_block *block = calloc(1, sizeof *block);
    if (!block) return false;
    block->next = waits->blocks;
    waits->blocks = block;
    for (size_t i = 0; i < SEATS_AT_ONCE; i++) {
        block->seats[i].waits = waits;
        block->seats[i].next = waits->free;
        waits->free = &block->seats[i];
    }
    return true;
}

/* NULL when memory is exhausted. */
static struct seat *seat_take(struct waits *waits, struct http_request *request, int org) {
    if (!waits->free && !seats_grow(waits)) return NULL;
    struct seat *seat = waits->free;
    waits->free = seat->next;
    *seat = (struct seat){.waits = waits, .request = request, .org = org};
    return seat;
}

static void seat_free(struct waits *waits, struct seat *seat) {
    *seat = (struct seat){.waits = waits, .next = waits->free};
    waits->free = seat;
}

static void list_add(struct waits *waits, struct seat *seat, struct call *call) {
    seat->call = call;
    seat->next = waits->first[seat->org];
    if (seat->next) seat->next->previous = seat;
    waits->first[seat->org] = seat;
    waits->count++;
}

static struct call *list_remove(struct waits *waits, struct seat *seat) {
    struct call *call = seat->call;
    if (seat->previous)
        seat->previous->next = seat->next;
    else
        waits->first[seat->org] = seat->next;
    if (seat->next) seat->next->previous = seat->previous;
    waits->count--;
    seat_free(waits, seat);
    return call;
}

/* ------------------------------------------------------------------ waking */

/* The time is over, the client is gone, or the server stops. */
static void on_end(void *ctx, struct http_request *request) {
    struct seat *seat = ctx;
    struct waits *waits = seat->waits;
    struct call *mine = NULL;
    platform_lock(waits->lock);
    if (seat->request == request) {
        if (seat->call)
            mine = list_remove(waits, seat);
        else
            seat->ended = true;
    }
    platform_release(waits->lock);
    if (mine) gate_answer(mine);
}

/* Takes those out whose seq the head has passed, and returns them chained by next. Nobody is looked
 * at twice for the same head. */
static struct call *take_over(struct waits *waits, int org, int64_t head) {
    struct call *taken = NULL;
    platform_lock(waits->lock);
    bool moved = waits->head[org] != head;
    waits->head[org] = head;
    for (struct seat *seat = moved ? waits->first[org] : NULL, *next; seat; seat = next) {
        next = seat->next;
        if (service_job_seq(seat->call->job) >= head) continue;
        if (!service_wait_concerns(seat->call->job)) continue;
        struct call *call = list_remove(waits, seat);
        call->next = taken;
        taken = call;
    }
    platform_release(waits->lock);
    return taken;
}

static bool is_awaited(struct waits *waits, int org) {
    platform_lock(waits->lock);
    bool any = waits->first[org] != NULL;
    platform_release(waits->lock);
    return any;
}

void waits_wake(struct waits *waits, int org) {
    int64_t head;
    if (!is_awaited(waits, org)) return;
    size_t reader = readers_take(waits->gate->readers);
    bool known = service_head(waits->gate->service, reader, org, &head);
    if (known) service_route(waits->gate->service, reader, org);
    readers_give(waits->gate->readers, reader);
    struct call *taken = known ? take_over(waits, org, head) : NULL;
    while (taken) {
        struct call *call = taken;
        taken = call->next;
        call->next = NULL;
        gate_answer_later(call);
    }
}

/* ------------------------------------------------------------------ waiting */

/* Parked; now it goes into the list, unless its wait is over already. The head is read under the
 * lock: whoever commits after that takes the lock later and finds the call. */
static bool sit_down(struct waits *waits, struct seat *seat, struct call *call) {
    size_t reader = readers_take(waits->gate->readers);
    platform_lock(waits->lock);
    bool over = seat->ended || service_wait_is_over(waits->gate->service, reader, call->job);
    if (over)
        seat_free(waits, seat);
    else
        list_add(waits, seat, call);
    if (waits->count == 1) platform_cond_signal(waits->work);
    platform_release(waits->lock);
    readers_give(waits->gate->readers, reader);
    return !over;
}

void waits_add(struct waits *waits, struct call *call) {
    platform_lock(waits->lock);
    struct seat *seat = seat_take(waits, call->http, service_job_org(call->job));
    platform_release(waits->lock);
    if (!seat) {
        gate_answer(call);
        return;
    }
    http_park(call->http, SERVICE_WAIT_MS_MAX, on_end, seat);
    if (!sit_down(waits, seat, call)) gate_answer(call);
}

size_t waits_count(struct waits *waits) {
    platform_lock(waits->lock);
    size_t count = waits->count;
    platform_release(waits->lock);
    return count;
}

/* ------------------------------------------------------------------ commits of other processes */

/* Commits of other processes matter to those who wait; what is dated, to everyone. */
static void look_at_orgs(struct waits *waits, bool dated) {
    struct service *service = waits->gate->service;
    int count = service_org_count(service);
    for (int org = 0; org < count && !waits->stop; org++) {
        bool awaited = waits->first[org] != NULL;
        platform_release(waits->lock);
        bool moved = dated && service_due(service, org);
        if (awaited || moved) waits_wake(waits, org);
        platform_lock(waits->lock);
    }
}

static void poll_run(void *ctx) {
    struct waits *waits = ctx;
    int64_t dated_ms = 0;
    platform_lock(waits->lock);
    while (!waits->stop) {
        int64_t now_ms = platform_mono_ms();
        int64_t rest_ms = waits->count > 0 ? WAITS_POLL_MS : WAITS_DATED_MS;
        (void)platform_cond_wait_ms(waits->work, waits->lock, rest_ms);
        bool dated = now_ms - dated_ms >= WAITS_DATED_MS;
        if (dated) dated_ms = now_ms;
        look_at_orgs(waits, dated);
    }
    platform_release(waits->lock);
}

enum status waits_open(struct gate *gate, struct waits **out, struct err *err) {
    struct waits *waits = calloc(1, sizeof *waits);
    if (!waits) return err_no_memory(err);
    waits->gate = gate;
    waits->lock = platform_mutex_new();
    waits->work = platform_cond_new();
    enum status status = ST_OK;
    if (!waits->lock || !waits->work) status = err_no_memory(err);
    if (status == ST_OK) status = platform_thread_start(poll_run, waits, &waits->poller, err);
    if (status != ST_OK) {
        waits_close(waits);
        return status;
    }
    *out = waits;
    return ST_OK;
}

void waits_close(struct waits *waits) {
    if (!waits) return;
    if (waits->poller) {
        platform_lock(waits->lock);
        waits->stop = true;
        platform_cond_signal(waits->work);
        platform_release(waits->lock);
        platform_thread_join(waits->poller);
    }
    while (waits->blocks) {
        struct seat_block *block = waits->blocks;
        waits->blocks = block->next;
        free(block);
    }
    platform_cond_free(waits->work);
    platform_mutex_free(waits->lock);
    free(waits);
}
