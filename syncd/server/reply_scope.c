/* Scope in a reply: what ended and opened since the laptop heard of it, and rows of homes that are
 * being filled.
 *
 * New grants are told only when nothing is being filled, so that one seq says what is filled and
 * what is not. Rows come in the order of home, entity, id; a row that is in several homes comes
 * once: with the first home that brings it. The log stands still meanwhile; what happened in the
 * meantime comes by it afterwards.
 */
#include "syncd/server/reply.h"

#include <assert.h>
#include <string.h>

enum {
    FILL_IDS = 256,      /* ids that are looked up at once */
    FILL_CLOCK_EACH = 32 /* rows or empty homes between two looks at the clock */
};

/* ------------------------------------------------------------------ what the user sees */

enum status view_open(struct centre *c, const struct centre_device *device, struct arena *mem,
                      struct view *out, struct err *err) {
    struct view view = {.c = c};
    struct centre_grant *grants;
    TRY(centre_grants(c, device->user, mem, &grants, &view.grant_count, err));
    view.grants = grants;
    for (size_t i = 0; i < view.grant_count; i++)
        if (home_class(grants[i].home) == HOME_CLASS_ALL) view.all = true;
    *out = view;
    return ST_OK;
}

static const struct centre_grant *grant_of(const struct view *view, int64_t home) {
    size_t low = 0, high = view->grant_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (view->grants[mid].home == home) return &view->grants[mid];
        if (view->grants[mid].home < home)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

bool view_sees(const struct view *view, const struct homes *homes) {
    if (view->all) return true;
    for (size_t i = 0; i < homes->count; i++)
        if (grant_of(view, homes->at[i])) return true;
    return false;
}

enum status view_sees_row(const struct view *view, const struct entity *e, int64_t row, bool *out,
                          struct err *err) {
    struct homes homes;
    bool found = true;
    *out = view->all;
    if (view->all) return ST_OK;
    TRY(centre_homes_stored(view->c, e, row, &found, &homes, err));
    *out = found && view_sees(view, &homes);
    return ST_OK;
}

/* ------------------------------------------------------------------ what is told */

static bool is_fresh(const struct centre_head *head, const struct round_request *r) {
    return r->scope.told == 0 || r->scope.told > head->position.seq ||
           r->scope.filling > head->position.seq || r->cursor.seq == 0;
}

bool reply_scope_is_settled(const struct centre_head *head, const struct round_request *r) {
    if (head->position.seq == 0) return true;
    return !is_fresh(head, r) && r->scope.ready == r->scope.filling;
}

/* A home that came to be after the laptop's place in the log: the log brings all of it. */
static bool fills(const struct centre_grant *grant, int64_t cursor) {
    return !(grant->born && grant->since > cursor);
}

static enum status put_opened(const struct view *view, int64_t after, int64_t cursor,
                              struct arena *mem, struct round_reply *out, struct err *err) {
    out->opened = ARENA_ARRAY(mem, view->grant_count + 1, struct grant_news);
    if (!out->opened) return err_no_memory(err);
    for (size_t i = 0; i < view->grant_count; i++) {
        const struct centre_grant *g = &view->grants[i];
        if (g->since > after)
            out->opened[out->opened_count++] =
                (struct grant_news){g->home, g->since, fills(g, cursor)};
    }
    return ST_OK;
}

static bool is_told(const struct round_reply *out, int64_t home) {
    for (size_t low = 0, high = out->opened_count; low < high;) {
        size_t mid = low + (high - low) / 2;
        if (out->opened[mid].home == home) return true;
        if (out->opened[mid].home < home)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

/* Of what the laptop was told. A grant that opened again and is told now replaces the old one. */
static enum status put_closed(const struct view *view, const struct centre_device *device,
                              const struct centre_head *head, const struct round_request *request,
                              struct arena *mem, struct round_reply *out, struct err *err) {
    struct centre_grant *ended;
    size_t count;
    TRY(centre_grants_ended(view->c, device->user, request->scope.told, head->position.seq, mem,
                            &ended, &count, err));
    out->closed = ARENA_ARRAY(mem, count + 1, int64_t);
    if (!out->closed) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        bool known = ended[i].since <= request->scope.filling;
        if (known && !is_told(out, ended[i].home)) out->closed[out->closed_count++] = ended[i].home;
    }
    return ST_OK;
}

static enum status put_news(const struct view *view, const struct centre_device *device,
                            const struct centre_head *head, const struct round_request *request,
                            struct arena *mem, struct round_reply *out, struct err *err) {
    struct scope_position *at = &out->scope;
    *at = request->scope;
    if (is_fresh(head, request)) {
        *at = (struct scope_position){.told = head->position.seq, .filling = head->position.seq};
        out->has_scope = out->scope_whole = true;
        return put_opened(view, 0, out->cursor.seq, mem, out, err);
    }
    if (at->ready == at->filling)
        TRY(put_opened(view, at->filling, out->cursor.seq, mem, out, err));
    TRY(put_closed(view, device, head, request, mem, out, err));
    if (out->opened_count > 0) {
        at->filling = head->position.seq;
        at->at = (struct fill_key){0};
    }
    out->has_scope = out->opened_count + out->closed_count > 0;
    if (out->has_scope) at->told = head->position.seq;
    return ST_OK;
}

/* ------------------------------------------------------------------ homes being filled */

struct filling {
    const struct view *view;
    struct arena *mem;
    const int64_t *homes; /* being filled, ascending */
    size_t home_count;
    int64_t ready;
    struct fill_key at; /* the page reaches up to here */
    struct record *records;
    size_t count, room, bytes, bytes_max, looked_at;
    int64_t started_ms;
    bool full;
};

static int64_t boot_now(struct centre *c) {
    const struct env *env = centre_env(c);
    return env->boot_ms(env->ctx);
}

static void look_at_clock(struct filling *f) {
    if (++f->looked_at % FILL_CLOCK_EACH != 0) return;
    if (boot_now(f->view->c) - f->started_ms > ORG_PAGE_MS) f->full = true;
}

static bool is_filled(const struct filling *f, int64_t home) {
    for (size_t low = 0, high = f->home_count; low < high;) {
        size_t mid = low + (high - low) / 2;
        if (f->homes[mid] == home) return true;
        if (f->homes[mid] < home)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

/* Another home brings the row: one that is ready, or one before this among those being filled. */
static bool comes_elsewhere(const struct filling *f, const struct homes *homes, int64_t home) {
    for (size_t i = 0; i < homes->count; i++) {
        const struct centre_grant *g = grant_of(f->view, homes->at[i]);
        if (!g || g->home == home) continue;
        if (g->since <= f->ready) return true;
        if (g->home < home && is_filled(f, g->home)) return true;
    }
    return false;
}

static enum status fill_row(struct filling *f, const struct entity *e, int64_t home, int64_t id,
                            struct err *err) {
    struct centre_row row;
    struct record record;
    struct homes homes = {.count = 0};
    void *items = f->records;
    bool found;
    TRY(centre_row_read(f->view->c, e, id, f->mem, &row, &found, err));
    if (!found || row.dead) return ST_OK;
    if (!f->view->all) TRY(centre_homes_of(f->view->c, e, id, row.values, &homes, err));
    if (comes_elsewhere(f, &homes, home)) return ST_OK;
    TRY(reply_record(&row, -1, f->mem, &record, err));
    size_t bytes = wire_record_bytes(&record);
    f->full = f->count > 0 && f->bytes + bytes > f->bytes_max;
    if (f->full) return ST_OK;
    TRY(reply_grow(f->mem, &items, f->count, &f->room, sizeof *f->records, err));
    f->records = items;
    f->records[f->count++] = record;
    f->bytes += bytes;
    return ST_OK;
}

/* Stops in front of the row that is too much. */
static enum status fill_entity(struct filling *f, const struct entity *e, int64_t home,
                               int64_t after, struct err *err) {
    int64_t ids[FILL_IDS];
    size_t count = FILL_IDS;
    while (count == FILL_IDS && !f->full) {
        TRY(centre_home_rows(f->view->c, e, home, after, ids, FILL_IDS, &count, err));
        for (size_t i = 0; i < count && !f->full; i++) {
            TRY(fill_row(f, e, home, ids[i], err));
            if (f->full) break;
            after = ids[i];
            f->at = (struct fill_key){home, e->tag, after};
            look_at_clock(f);
        }
    }
    if (f->full) return ST_OK;
    f->at = (struct fill_key){home, e->tag, ID_MAX}; /* all of it */
    look_at_clock(f);
    return ST_OK;
}

static enum status fill_home(struct filling *f, int64_t home, struct err *err) {
    const struct catalogue *cat = centre_catalogue(f->view->c);
    struct fill_key from = f->at;
    for (size_t i = 0; i < cat->count && !f->full; i++) {
        const struct entity *e = &cat->entities[i];
        if (!centre_home_reaches(f->view->c, e, home_class(home))) continue;
        if (from.home == home && e->tag < from.entity_tag) continue;
        bool within = from.home == home && e->tag == from.entity_tag;
        TRY(fill_entity(f, e, home, within ? from.row : 0, err));
    }
    return ST_OK;
}

static enum status find_homes(const struct view *view, const struct scope_position *at,
                              int64_t cursor, struct arena *mem, struct filling *f,
                              struct err *err) {
    int64_t *homes = ARENA_ARRAY(mem, view->grant_count + 1, int64_t);
    if (!homes) return err_no_memory(err);
    for (size_t i = 0; i < view->grant_count; i++) {
        const struct centre_grant *g = &view->grants[i];
        if (g->since > at->ready && g->since <= at->filling && fills(g, cursor))
            homes[f->home_count++] = g->home;
    }
    f->homes = homes;
    return ST_OK;
}

static enum status put_filled(const struct view *view, const struct round_request *request,
                              struct arena *mem, struct round_reply *out, bool *out_filled,
                              struct err *err) {
    struct scope_position *at = &out->scope;
    struct filling f = {.view = view,
                        .mem = mem,
                        .ready = at->ready,
                        .at = at->at,
                        .bytes_max = reply_page_bytes(request->page_bytes),
                        .started_ms = boot_now(view->c)};
    TRY(find_homes(view, at, out->cursor.seq, mem, &f, err));
    for (size_t i = 0; i < f.home_count && !f.full; i++)
        if (f.homes[i] >= at->at.home) TRY(fill_home(&f, f.homes[i], err));
    out->has_scope = true;
    out->filled = f.records;
    out->filled_count = f.count;
    at->at = f.full ? f.at : (struct fill_key){0};
    if (!f.full) at->ready = at->filling;
    bool began = request->scope.ready == request->scope.filling;
    *out_filled = !began || f.home_count > 0; /* else all that opened comes by the log */
    out->more = f.full || out->cursor.seq < out->head.seq;
    return ST_OK;
}

enum status reply_scope(const struct view *view, const struct centre_device *device,
                        const struct centre_head *head, const struct round_request *request,
                        struct arena *mem, struct round_reply *out, bool *out_filled,
                        struct err *err) {
    *out_filled = false;
    if (head->position.seq == 0) return ST_OK;
    if (request->cursor.seq == 0) {
        out->cursor = head->position;
        out->since = head->position.seq;
    }
    TRY(put_news(view, device, head, request, mem, out, err));
    if (out->scope.ready == out->scope.filling) return ST_OK;
    return put_filled(view, request, mem, out, out_filled, err);
}
