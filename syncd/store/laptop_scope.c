/* Homes at the laptop: which are held, and which rows must go when one is withdrawn or when a page
 * of a home being filled lacks them (PROTOCOL.md, "Scope").
 *
 * Which homes a row is in follows from its columns, as the server has them: what a person edited
 * and the server has not seen moves nothing. A row stays as long as a home that is held holds it.
 */
#include "syncd/store/laptop.h"

#include "syncd/store/homes.h"

#include <stdlib.h>
#include <string.h>

enum {
    STEP_ROWS = 32,   /* of a pass: letting one go costs some 0.1 ms */
    STEP_LOOKS = 64,  /* empty homes and entities passed over in one step */
    INHERIT_DEPTH = 4 /* as deep as entities own each other */
};

void scope_restart(struct laptop_state *state) {
    state->scope = (struct scope_position){0};
}

/* ------------------------------------------------------------------ small statements */

static enum status run(struct store *store, const char *sql, int64_t a, int64_t b, int64_t c,
                       struct err *err) {
    const int64_t numbers[] = {a, b, c};
    struct db_stmt *s;
    TRY(db_prepare(store->db, sql, &s, err));
    size_t count = db_parameter_count(s);
    for (size_t i = 0; i < count; i++) db_bind_int(s, (int)i + 1, numbers[i]);
    return db_run(s, err);
}

/* One row of up to two numbers. */
static enum status ask(struct store *store, const char *sql, int64_t a, int64_t b, bool *out_found,
                       int64_t out[2], struct err *err) {
    const int64_t numbers[] = {a, b};
    struct db_stmt *s;
    TRY(db_prepare(store->db, sql, &s, err));
    size_t count = db_parameter_count(s);
    for (size_t i = 0; i < count; i++) db_bind_int(s, (int)i + 1, numbers[i]);
    TRY(db_step(s, out_found, err));
    for (int i = 0; *out_found && i < db_column_count(s) && i < 2; i++) out[i] = db_int(s, i);
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ homes of a row */

/* The server's value of a cell that a person edited: what a pull brought, or what stood there. */
static enum status overlay_cell(struct store *store, int64_t row, const struct cell *cell,
                                struct arena *mem, struct value *values, struct err *err) {
    struct pending p;
    TRY(pending_get(store->db, row, cell->tag, mem, &p, err));
    if (!p.found) return ST_OK;
    if (!p.values)
        TRY(before_first(store->db, row, cell->tag, mem, &p.values, &p.value_count, err));
    if (!p.values || p.value_count != cell->count) return ST_OK;
    memcpy(&values[cell->first], p.values, cell->count * sizeof *values);
    return ST_OK;
}

static enum status overlay(struct store *store, const struct local *local, struct arena *mem,
                           struct value *values, struct err *err) {
    bool any;
    memcpy(values, local->values, local->e->field_count * sizeof *values);
    TRY(pending_any(store->db, local->id, &any, err));
    for (size_t c = 0; any && c < local->e->cell_count; c++) {
        const struct cell *cell = &local->e->cells[c];
        if (homes_depend_on(local->e, cell))
            TRY(overlay_cell(store, local->id, cell, mem, values, err));
    }
    return ST_OK;
}

static enum status homes_at(struct store *store, const struct local *local, struct arena *mem,
                            int depth, struct homes *out, struct err *err) {
    const struct entity *e = local->e;
    struct value values[ENTITY_FIELDS_MAX];
    struct homes of_owner = {.count = 0};
    TRY(overlay(store, local, mem, values, err));
    if (homes_inherit(e) && e->owner_field >= 0 && depth < INHERIT_DEPTH) {
        const struct entity *owner =
            catalogue_entity(store->cat, slice_from(e->fields[e->owner_field].refers_to));
        struct value id = values[e->owner_field];
        struct local up = {.found = false};
        if (owner && id.kind == VALUE_INT) TRY(local_read(store, owner, id.number, mem, &up, err));
        if (up.found && up.meta.gone != GONE_DOOMED)
            TRY(homes_at(store, &up, mem, depth + 1, &of_owner, err));
    }
    homes_of_row(e, local->id, values, &of_owner, out);
    return ST_OK;
}

/* ------------------------------------------------------------------ grants */

enum status scope_repointed(struct store *store, int64_t from, int64_t to, struct err *err) {
    return run(store,
               "INSERT OR IGNORE INTO leaving(home) SELECT ?2 WHERE EXISTS"
               " (SELECT 1 FROM leaving WHERE home = ?1) AND NOT EXISTS"
               " (SELECT 1 FROM home WHERE home = ?2)",
               home_make(HOME_CLASS_TEAM, from), home_make(HOME_CLASS_TEAM, to), 0, err);
}

static enum status withdraw(struct store *store, int64_t home, struct err *err) {
    int64_t to = home_id(home);
    TRY(run(store, "DELETE FROM home WHERE home = ?", home, 0, 0, err));
    TRY(run(store, "DELETE FROM home_sum WHERE home = ?", home, 0, 0, err));
    TRY(run(store, "INSERT OR IGNORE INTO leaving(home) VALUES (?)", home, 0, 0, err));
    if (home_class(home) != HOME_CLASS_TEAM) return ST_OK;
    TRY(alias_resolve(store->db, to, &to, err));
    return to == home_id(home) ? ST_OK : scope_repointed(store, home_id(home), to, err);
}

enum status scope_close(struct store *store, int64_t home, struct err *err) {
    bool found;
    int64_t since[2];
    TRY(ask(store, "SELECT since FROM home WHERE home = ?", home, 0, &found, since, err));
    if (found && home_class(home) == HOME_CLASS_TEAM) moves_left(store, home_id(home));
    return found ? withdraw(store, home, err) : ST_OK;
}

enum status scope_open(struct store *store, const struct grant_news *news, bool fresh,
                       struct err *err) {
    bool found;
    int64_t since[2];
    TRY(ask(store, "SELECT since FROM home WHERE home = ?", news->home, 0, &found, since, err));
    if (found && !fresh) {
        if (since[0] == news->since) return ST_OK; /* an apply that was cut short took it */
        TRY(withdraw(store, news->home, err));
    }
    if (!found && !fresh && news->fills && home_class(news->home) == HOME_CLASS_TEAM)
        moves_came(store, home_id(news->home));
    return run(store, "INSERT OR REPLACE INTO home(home, since, fills) VALUES (?,?,?)", news->home,
               news->since, news->fills, err);
}

static bool is_opened(const struct round_reply *reply, int64_t home) {
    size_t low = 0, high = reply->opened_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (reply->opened[mid].home == home) return true;
        if (reply->opened[mid].home < home)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

/* Homes above a seq that the reply does not name. */
static enum status withdraw_unnamed(struct store *store, const struct round_reply *reply,
                                    int64_t above, struct err *err) {
    int64_t home[2] = {0, 0};
    bool found = true;
    while (found) {
        TRY(ask(store, "SELECT home FROM home WHERE home > ? AND since > ? ORDER BY home LIMIT 1",
                home[0], above, &found, home, err));
        if (found && !is_opened(reply, home[0])) TRY(withdraw(store, home[0], err));
    }
    return ST_OK;
}

/* A grant that is newer than what is being filled came with an apply that was cut short: if this
 * reply does not name it, it ended since. A book that hears of its homes for the first time, or
 * anew, lets go of whatever none of them holds. */
enum status scope_take(struct store *store, const struct round_request *request,
                       const struct round_reply *reply, struct err *err) {
    bool fresh = request->scope.told == 0 || reply->scope_whole, any = false;
    int64_t ignored[2];
    if (!reply->has_scope && fresh) return ST_OK;
    TRY(ask(store, "SELECT 1 FROM home WHERE since > ? LIMIT 1", request->scope.filling, 0, &any,
            ignored, err));
    if (any) TRY(withdraw_unnamed(store, reply, request->scope.filling, err));
    if (reply->has_scope && reply->scope_whole) TRY(withdraw_unnamed(store, reply, -1, err));
    int64_t all = home_make(HOME_CLASS_ALL, 0);
    if (fresh && reply->scope_whole && !is_opened(reply, all))
        TRY(run(store, "INSERT OR IGNORE INTO leaving(home) VALUES (?)", all, 0, 0, err));
    if (request->scope.filling > request->scope.ready) return ST_OK;
    return run(store, "DELETE FROM lacked", 0, 0, 0, err);
}

enum status scope_filled(struct store *store, struct err *err) {
    TRY(run(store, "UPDATE home SET fills = 0 WHERE fills = 1", 0, 0, 0, err));
    return run(store, "DELETE FROM lacked", 0, 0, 0, err);
}

/* ------------------------------------------------------------------ passes over rows */

typedef enum status judge_row(void *ctx, struct local *local, const struct homes *homes,
                              struct arena *mem, struct err *err);

/* Rows made here that have no receipt are in no home; those on their way out are judged already. */
static enum status judge(struct store *store, const struct entity *e, int64_t id, judge_row *call,
                         void *ctx, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct local local;
    struct homes homes;
    TRY(local_read(store, e, id, &mem, &local, err));
    if (!local.found || local.meta.seq < 0 || local.meta.gone == GONE_DOOMED) return ST_OK;
    TRY(homes_at(store, &local, &mem, 0, &homes, err));
    return call(ctx, &local, &homes, &mem, err);
}

static size_t entity_index(const struct store *store, uint32_t tag) {
    size_t i = 0;
    while (i < store->cat->count && store->cat->entities[i].tag < tag) i++;
    return i;
}

/* ------------------------------------------------------------------ withdrawn homes */

struct leaving {
    struct store *store;
    struct apply_counts *counts;
};

/* A home that was withdrawn and granted again holds nothing until its old rows have gone. */
static enum status is_held(struct store *store, int64_t home, bool *out, struct err *err) {
    int64_t fills[2];
    return ask(store,
               "SELECT fills FROM home WHERE home = ?1 AND NOT EXISTS"
               " (SELECT 1 FROM leaving WHERE home = ?1)",
               home, 0, out, fills, err);
}

static enum status leave_unless_held(void *ctx, struct local *local, const struct homes *homes,
                                     struct arena *mem, struct err *err) {
    struct leaving *l = ctx;
    bool held = false;
    (void)mem;
    for (size_t i = 0; i < homes->count && !held; i++)
        TRY(is_held(l->store, homes->at[i], &held, err));
    return held ? ST_OK : forget_row(l->store, local, l->counts, err);
}

/* Rows whose columns say one home and whose pending cells another are not found by columns. */
static enum status leave_pending(struct leaving *l, struct scope_pass *pass, struct err *err) {
    struct db_stmt *s;
    int64_t rows[STEP_ROWS];
    uint32_t tags[STEP_ROWS];
    size_t count = 0;
    bool row = true;
    TRY(db_prepare(l->store->db,
                   "SELECT row_id, max(entity) FROM pending WHERE row_id > ? GROUP BY row_id"
                   " ORDER BY row_id LIMIT ?",
                   &s, err));
    db_bind_int(s, 1, pass->row);
    db_bind_int(s, 2, STEP_ROWS);
    while (row) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        rows[count] = db_int(s, 0);
        tags[count++] = (uint32_t)db_int(s, 1);
    }
    db_reset(s);
    for (size_t i = 0; i < count; i++) {
        const struct entity *e = catalogue_entity_by_tag(l->store->cat, tags[i]);
        if (e) TRY(judge(l->store, e, rows[i], leave_unless_held, l, err));
    }
    if (count > 0) pass->row = rows[count - 1];
    pass->looked = count < STEP_ROWS;
    return ST_OK;
}

/* To the first home that is leaving; all of them are done when none is left. */
static enum status next_leaving(struct store *store, struct scope_pass *pass, struct err *err) {
    bool found;
    int64_t home[2];
    TRY(ask(store, "SELECT home FROM leaving ORDER BY home LIMIT 1", 0, 0, &found, home, err));
    pass->done = !found;
    pass->home = found ? home[0] : 0;
    pass->entity = 0;
    pass->row = 0;
    return ST_OK;
}

static enum status leave_rows(struct leaving *l, struct scope_pass *pass, size_t *out_count,
                              struct err *err) {
    struct store *store = l->store;
    const struct entity *e = &store->cat->entities[pass->entity];
    int64_t ids[STEP_ROWS];
    TRY(homes_rows(store->db, store->cat, e, pass->home, pass->row, ID_MAX, ids, STEP_ROWS,
                   out_count, err));
    for (size_t i = 0; i < *out_count; i++) TRY(judge(store, e, ids[i], leave_unless_held, l, err));
    if (*out_count == STEP_ROWS) {
        pass->row = ids[STEP_ROWS - 1];
    } else {
        pass->entity++;
        pass->row = 0;
    }
    return ST_OK;
}

static enum status begin_leaving(struct store *store, struct scope_pass *pass, struct err *err) {
    bool found;
    int64_t home[2];
    TRY(ask(store, "SELECT home FROM leaving LIMIT 1", 0, 0, &found, home, err));
    pass->begun = found;
    pass->done = !found;
    return ST_OK;
}

enum status scope_leave_step(struct store *store, struct scope_pass *pass,
                             struct apply_counts *counts, struct err *err) {
    struct leaving l = {store, counts};
    bool everything;
    size_t rows = 0;
    if (pass->home == 0) {
        if (!pass->begun) return begin_leaving(store, pass, err);
        if (!pass->looked) return leave_pending(&l, pass, err);
        TRY(is_held(store, home_make(HOME_CLASS_ALL, 0), &everything, err));
        if (everything) TRY(run(store, "DELETE FROM leaving", 0, 0, 0, err));
        return next_leaving(store, pass, err);
    }
    for (int looks = 0; looks < STEP_LOOKS && rows == 0 && pass->home != 0; looks++) {
        if (pass->entity < store->cat->count) {
            TRY(leave_rows(&l, pass, &rows, err));
            continue;
        }
        TRY(run(store, "DELETE FROM leaving WHERE home = ?", pass->home, 0, 0, err));
        TRY(forget_begin(store, err));
        TRY(next_leaving(store, pass, err));
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ what a page lacks */

struct speaking {
    struct store *store;
    struct scope_pass *pass;
    struct apply_counts *counts;
    int64_t home;
};

static bool key_is_below(const struct fill_key *a, const struct fill_key *b) {
    if (a->home != b->home) return a->home < b->home;
    if (a->entity_tag != b->entity_tag) return a->entity_tag < b->entity_tag;
    return a->row < b->row;
}

static int compare_ids(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static enum status sort_page(const struct round_reply *reply, struct scope_pass *pass,
                             struct err *err) {
    if (pass->ids) return ST_OK;
    pass->ids = calloc(reply->filled_count + 1, sizeof *pass->ids);
    if (!pass->ids) return err_no_memory(err);
    pass->id_count = reply->filled_count;
    for (size_t i = 0; i < reply->filled_count; i++) pass->ids[i] = reply->filled[i].row;
    qsort(pass->ids, pass->id_count, sizeof *pass->ids, compare_ids);
    return ST_OK;
}

static enum status is_lacked(struct store *store, int64_t row, int64_t home, bool *out,
                             struct err *err) {
    int64_t ignored[2];
    return ask(store, "SELECT 1 FROM lacked WHERE row_id = ? AND home = ?", row, home, out, ignored,
               err);
}

enum stays { STAYS_NOT, STAYS_FOR_NOW, STAYS };

/* Another home keeps the row: one that is filled, since the log tells what leaves it; an earlier
 * one whose page did not lack it; or, until its own page comes, a later one. */
static enum status ask_home(struct speaking *sp, int64_t row, int64_t home, enum stays *out,
                            struct err *err) {
    bool held, lacked;
    int64_t fills[2];
    TRY(ask(sp->store, "SELECT fills FROM home WHERE home = ?", home, 0, &held, fills, err));
    if (!held || home == sp->home) return ST_OK;
    if (fills[0] == 0) {
        *out = STAYS;
    } else if (home < sp->home) {
        TRY(is_lacked(sp->store, row, home, &lacked, err));
        if (!lacked) *out = STAYS;
    } else if (*out == STAYS_NOT) {
        *out = STAYS_FOR_NOW;
    }
    return ST_OK;
}

static enum status go_unless_kept(void *ctx, struct local *local, const struct homes *homes,
                                  struct arena *mem, struct err *err) {
    struct speaking *sp = ctx;
    enum stays stays = STAYS_NOT;
    (void)mem;
    if (!homes_have(homes, sp->home) && home_class(sp->home) != HOME_CLASS_ALL) return ST_OK;
    for (size_t i = 0; i < homes->count && stays != STAYS; i++)
        TRY(ask_home(sp, local->id, homes->at[i], &stays, err));
    int64_t all = home_make(HOME_CLASS_ALL, 0); /* no row names it */
    if (stays != STAYS) TRY(ask_home(sp, local->id, all, &stays, err));
    if (stays == STAYS_FOR_NOW)
        return run(sp->store, "INSERT OR IGNORE INTO lacked(row_id, home) VALUES (?,?)", local->id,
                   sp->home, 0, err);
    return stays == STAYS ? ST_OK : forget_row(sp->store, local, sp->counts, err);
}

/* To the first home being filled at or after the place where the pass stands. */
static enum status next_filling(struct store *store, int64_t from, struct scope_pass *pass,
                                struct err *err) {
    bool found;
    int64_t home[2];
    TRY(ask(store, "SELECT home FROM home WHERE fills = 1 AND home >= ? ORDER BY home LIMIT 1",
            from, 0, &found, home, err));
    pass->done = !found;
    if (found && home[0] == pass->home) return ST_OK;
    pass->home = found ? home[0] : 0;
    pass->entity = 0;
    pass->row = 0;
    return ST_OK;
}

static enum status begin_speaking(struct store *store, const struct scope_position *before,
                                  struct scope_pass *pass, struct err *err) {
    pass->begun = true;
    pass->home = before ? before->at.home : 0;
    pass->entity = before ? before->at.entity_tag : 0;
    pass->row = before ? before->at.row : 0;
    return next_filling(store, pass->home, pass, err);
}

/* The rows of one entity in one home, as far as the page goes. */
static enum status speak_rows(struct speaking *sp, const struct round_reply *reply,
                              const struct fill_key *end, size_t *out_count, struct err *err) {
    struct store *store = sp->store;
    struct scope_pass *pass = sp->pass;
    size_t index = entity_index(store, pass->entity);
    if (index == store->cat->count) {
        *out_count = 0;
        return next_filling(store, pass->home + 1, pass, err);
    }
    const struct entity *e = &store->cat->entities[index];
    if (e->tag != pass->entity) pass->row = 0;
    pass->entity = e->tag;
    bool last = end && end->home == pass->home && end->entity_tag == e->tag;
    int64_t ids[STEP_ROWS];
    TRY(homes_rows(store->db, store->cat, e, pass->home, pass->row, last ? end->row : ID_MAX, ids,
                   STEP_ROWS, out_count, err));
    if (*out_count > 0) TRY(sort_page(reply, pass, err));
    for (size_t i = 0; i < *out_count; i++) {
        bool there = bsearch(&ids[i], pass->ids, pass->id_count, sizeof ids[i], compare_ids);
        if (!there) TRY(judge(store, e, ids[i], go_unless_kept, sp, err));
    }
    bool more = *out_count == STEP_ROWS;
    pass->row = more ? ids[STEP_ROWS - 1] : 0;
    pass->entity += !more;
    return ST_OK;
}

enum status scope_speak_step(struct store *store, const struct round_request *request,
                             const struct round_reply *reply, struct scope_pass *pass,
                             struct apply_counts *counts, struct err *err) {
    const struct scope_position *after = &reply->scope;
    const struct fill_key *end = after->filling > after->ready ? &after->at : NULL;
    struct speaking sp = {.store = store, .pass = pass, .counts = counts};
    size_t rows = 0;
    if (!reply->has_scope) {
        pass->done = true;
        return ST_OK;
    }
    const struct scope_position *before = &request->scope;
    bool goes_on = before->filling > before->ready && !reply->scope_whole;
    if (!pass->begun) return begin_speaking(store, goes_on ? before : NULL, pass, err);
    for (int looks = 0; looks < STEP_LOOKS && rows == 0 && !pass->done; looks++) {
        struct fill_key at = {pass->home, pass->entity, pass->row};
        if (end && !key_is_below(&at, end)) {
            pass->done = true;
            break;
        }
        sp.home = pass->home;
        TRY(speak_rows(&sp, reply, end, &rows, err));
    }
    return ST_OK;
}
