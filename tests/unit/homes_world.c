#include "tests/unit/homes_world.h"

#include <stdio.h>
#include <string.h>

enum { FILLED_MAX = 64, HOMES_MAX = 16 };

int64_t row_of(uint32_t counter) {
    return id_make(1, counter);
}
int64_t team(int64_t account) {
    return home_make(HOME_CLASS_TEAM, account);
}
int64_t own(int64_t employee) {
    return home_make(HOME_CLASS_OWN, employee);
}
int64_t territory(int64_t id) {
    return home_make(HOME_CLASS_TERRITORY, id);
}

/* ------------------------------------------------------------------ replies */

void ask(struct world *w, struct scope_position after) {
    world_ask(w);
    w->reply.has_scope = true;
    w->reply.scope = after;
    w->reply.opened = ARENA_ARRAY(&w->f.mem, HOMES_MAX, struct grant_news);
    w->reply.closed = ARENA_ARRAY(&w->f.mem, HOMES_MAX, int64_t);
    w->reply.filled = ARENA_ARRAY(&w->f.mem, FILLED_MAX, struct record);
    w->reply.scope_whole = w->request.scope.told == 0;
    w->reply.more = after.ready < after.filling;
    if (after.told > w->seq) w->seq = after.told;
    w->reply.has_backup = true; /* so that no own batch is kept for the server's sake */
    w->reply.backup = w->seq + 1000;
}

struct scope_position done_at(int64_t seq) {
    return (struct scope_position){.told = seq, .ready = seq, .filling = seq};
}

void open_home(struct world *w, int64_t home, int64_t since, bool fills) {
    w->reply.opened[w->reply.opened_count++] = (struct grant_news){home, since, fills};
}

void close_home(struct world *w, int64_t home) {
    w->reply.closed[w->reply.closed_count++] = home;
}

void put_cell(struct world *w, struct record *r, const char *entity, const char *field,
              const char *text) {
    const struct entity *e = world_entity(w, entity);
    const struct cell *cell = entity_cell_of(e, fixture_field(e, field));
    struct value *values = ARENA_ARRAY(&w->f.mem, cell->count, struct value);
    values[entity_field_index(e, fixture_field(e, field)) - cell->first] =
        world_edit(w, entity, field, FIELD_EDIT_SET, text).value;
    size_t at = r->cell_count++;
    for (; at > 0 && r->cells[at - 1].cell_tag > cell->tag; at--) r->cells[at] = r->cells[at - 1];
    r->cells[at] = (struct record_cell){cell->tag, values, cell->count};
}

void put_ref(struct world *w, struct record *r, const char *entity, const char *field, int64_t id) {
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    put_cell(w, r, entity, field, text);
}

struct record *fill(struct world *w, const char *entity, int64_t row, int64_t seq) {
    struct record *r = &w->reply.filled[w->reply.filled_count++];
    *r = (struct record){.entity_tag = world_entity(w, entity)->tag,
                         .flags = RECORD_WHOLE,
                         .row = row,
                         .seq = seq,
                         .cells = ARENA_ARRAY(&w->f.mem, ENTITY_FIELDS_MAX, struct record_cell)};
    if (seq > w->seq) w->seq = seq;
    return r;
}

void fill_account(struct world *w, int64_t row, int64_t seq, const char *name) {
    put_cell(w, fill(w, "account", row, seq), "account", "name", name);
}

void fill_contact(struct world *w, int64_t row, int64_t account, int64_t seq, const char *name) {
    struct record *r = fill(w, "contact", row, seq);
    put_cell(w, r, "contact", "name", name);
    put_ref(w, r, "contact", "account", account);
}

void fill_visit(struct world *w, int64_t row, int64_t account, int64_t author, int64_t seq) {
    struct record *r = fill(w, "visit", row, seq);
    put_ref(w, r, "visit", "account", account);
    if (author) put_ref(w, r, "visit", "author", author);
    put_cell(w, r, "visit", "place", "office");
}

void fill_followup(struct world *w, int64_t row, int64_t visit, int64_t seq) {
    struct record *r = fill(w, "followup", row, seq);
    put_ref(w, r, "followup", "visit", visit);
    put_cell(w, r, "followup", "opinion", "content");
}

/* ------------------------------------------------------------------ looking */

int64_t homes_held(struct world *w) {
    return world_number(w, "SELECT count(*) FROM home");
}
int64_t rows(struct world *w, const char *entity) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM r_%s", entity);
    return world_number(w, sql);
}
bool is_here(struct world *w, const char *entity, int64_t row) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM r_%s WHERE id = %lld", entity, (long long)row);
    return world_number(w, sql) == 1;
}
struct scope_position position(struct world *w) {
    struct round_request request;
    struct err err;
    CHECK_OK(store_round_request(w->store, &w->f.mem, &request, &err));
    return request.scope;
}

void start_with_two_teams(struct world *w) {
    world_start(w);
    ask(w, done_at(10));
    open_home(w, team(row_of(A1)), 3, true);
    open_home(w, team(row_of(A2)), 4, true);
    fill_account(w, row_of(A1), 5, "one");
    fill_contact(w, row_of(C1), row_of(A1), 6, "li");
    fill_account(w, row_of(A2), 7, "two");
    fill_contact(w, row_of(C2), row_of(A2), 8, "wang");
    world_apply(w);
    w->seq = 10;
}
