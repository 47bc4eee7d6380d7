/* From entries of the log to the users who hold a home of their rows. See routes.h. */
#include "syncd/server/routes.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/store/centre_scope.h"

enum { USERS_ROOM = 1024, ROUTE_ARENA_CAP = 64 * 1024 * 1024 };

struct routes {
    bool granted;     /* else everything concerns everyone */
    int64_t from, to; /* of the log: what is known */
    int64_t everyone; /* the last change that concerns all */
    int64_t *last;    /* [room], by user */
    int64_t room;
};

enum status routes_open(struct routes **out, struct err *err) {
    struct routes *routes = calloc(1, sizeof *routes);
    if (!routes) return err_no_memory(err);
    *out = routes;
    return ST_OK;
}

void routes_close(struct routes *routes) {
    if (!routes) return;
    free(routes->last);
    free(routes);
}

/* Without memory for one user all are meant. */
static void mark(struct routes *routes, int64_t user, int64_t seq) {
    if (user >= routes->room && user < INT64_MAX / 2) {
        int64_t room = user + USERS_ROOM;
        int64_t *last = realloc(routes->last, (size_t)room * sizeof *last);
        if (last) {
            memset(last + routes->room, 0, (size_t)(room - routes->room) * sizeof *last);
            routes->last = last;
            routes->room = room;
        }
    }
    if (user > 0 && user < routes->room)
        routes->last[user] = seq;
    else
        routes->everyone = seq;
}

static void mark_all(struct routes *routes, const int64_t *users, size_t count, int64_t seq) {
    for (size_t i = 0; i < count; i++) mark(routes, users[i], seq);
}

/* ------------------------------------------------------------------ one entry */

struct following {
    struct routes *routes;
    struct centre *c;
    struct arena mem; /* of one entry */
    size_t entries;
};

static enum status route_homes(struct following *f, const struct homes *homes, int64_t seq,
                               struct err *err) {
    for (size_t i = 0; i < homes->count; i++) {
        int64_t *users;
        size_t count;
        if (home_class(homes->at[i]) == HOME_CLASS_PUBLIC) {
            f->routes->everyone = seq;
            continue;
        }
        TRY(centre_holders(f->c, homes->at[i], &f->mem, &users, &count, err));
        mark_all(f->routes, users, count, seq);
    }
    return ST_OK;
}

/* Its author hears of what became of it, also of what did not come in. */
static enum status route_author(struct following *f, const struct log_entry *entry,
                                struct err *err) {
    struct centre_device author;
    if (entry->device == 0) return ST_OK;
    enum status status = centre_device(f->c, entry->device, &author, err);
    if (status == ST_OK) mark(f->routes, author.user, entry->seq);
    return status == ST_NOT_FOUND ? ST_OK : status;
}

static enum status route_entry(struct following *f, const struct log_entry *entry,
                               struct err *err) {
    int64_t *users;
    size_t count;
    bool of_all = entry->kind == LOG_DECIDED || entry->kind == LOG_EPOCH ||
                  entry->kind == LOG_CATALOGUE;
    if (of_all) f->routes->everyone = entry->seq;
    if (of_all) return ST_OK;
    if (entry->kind == LOG_SCOPE) {
        TRY(centre_users_at(f->c, entry->seq, &f->mem, &users, &count, err));
        mark_all(f->routes, users, count, entry->seq);
        return ST_OK;
    }
    TRY(route_author(f, entry, err));
    if (!entry->homes) return ST_OK;
    TRY(route_homes(f, &entry->homes->at, entry->seq, err));
    return route_homes(f, &entry->homes->left, entry->seq, err);
}

static enum status take_entry(void *ctx, const struct log_entry *entry, bool *out_stop,
                              struct err *err) {
    struct following *f = ctx;
    TRY(route_entry(f, entry, err));
    arena_clear(&f->mem);
    f->routes->to = entry->seq;
    *out_stop = ++f->entries == ROUTES_ENTRIES_MAX;
    return ST_OK;
}

/* ------------------------------------------------------------------ following */

static void start_at(struct routes *routes, int64_t head, bool granted) {
    routes->granted = granted;
    routes->from = routes->to = head;
    routes->everyone = 0;
    if (routes->room > 0) memset(routes->last, 0, (size_t)routes->room * sizeof *routes->last);
}

static enum status read_on(struct routes *routes, struct centre *c, int64_t head, struct err *err) {
    struct following f = {.routes = routes, .c = c, .mem = arena_new(ROUTE_ARENA_CAP)};
    enum status status = centre_log_walk(c, routes->to, take_entry, &f, err);
    arena_clear(&f.mem);
    if (status != ST_OK) start_at(routes, head, routes->granted);
    return status;
}

enum status routes_follow(struct routes *routes, struct centre *c, bool *out_there,
                          struct err *err) {
    struct centre_head head;
    struct centre_scope scope;
    TRY(centre_head(c, &head, err));
    *out_there = routes->from > 0 && routes->to >= head.position.seq;
    if (*out_there) return ST_OK;
    TRY(centre_begin(c, false, err));
    enum status status = centre_head(c, &head, err);
    centre_scope(c, &scope);
    int64_t seq = status == ST_OK ? head.position.seq : 0;
    bool starts = routes->from == 0 || scope.granted != routes->granted || seq < routes->from;
    if (status == ST_OK && (starts || !scope.granted)) start_at(routes, seq, scope.granted);
    if (status == ST_OK && routes->to < seq) status = read_on(routes, c, seq, err);
    centre_end(c);
    *out_there = status == ST_OK && routes->to >= seq;
    return status;
}

/* Head office sees everything. */
bool routes_concern(const struct routes *routes, const struct centre_device *device, int64_t seq) {
    if (!routes->granted || device->role == USER_OFFICE) return true;
    if (seq < routes->from || routes->everyone > seq) return true;
    return device->user >= 0 && device->user < routes->room && routes->last[device->user] > seq;
}
