/* Replies about homes, and what a laptop's store has of them: for the tests of scope. */
#ifndef ROADBOOK_HOMES_WORLD_H
#define ROADBOOK_HOMES_WORLD_H

#include "protocol/model/home.h"
#include "tests/unit/laptop_world.h"

enum { A1 = 11, A2 = 12, C1 = 21, C2 = 22, V1 = 31, V2 = 32, F1 = 41, E1 = 51, E2 = 52, T1 = 61 };

/* Rows of another device, and homes. */
int64_t row_of(uint32_t counter);
int64_t team(int64_t account);
int64_t own(int64_t employee);
int64_t territory(int64_t id);

/* A round: what the server says of homes. */
void ask(struct world *w, struct scope_position after);
struct scope_position done_at(int64_t seq);
void open_home(struct world *w, int64_t home, int64_t since, bool fills);
void close_home(struct world *w, int64_t home);
void put_cell(struct world *w, struct record *r, const char *entity, const char *field,
              const char *text);
void put_ref(struct world *w, struct record *r, const char *entity, const char *field, int64_t id);
struct record *fill(struct world *w, const char *entity, int64_t row, int64_t seq);
void fill_account(struct world *w, int64_t row, int64_t seq, const char *name);
void fill_contact(struct world *w, int64_t row, int64_t account, int64_t seq, const char *name);
/* An author of 0: nobody. */
void fill_visit(struct world *w, int64_t row, int64_t account, int64_t author, int64_t seq);
void fill_followup(struct world *w, int64_t row, int64_t visit, int64_t seq);

int64_t homes_held(struct world *w);
int64_t rows(struct world *w, const char *entity);
bool is_here(struct world *w, const char *entity, int64_t row);
struct scope_position position(struct world *w);
/* Two teams with an account and a contact each, filled at seq 10. */
void start_with_two_teams(struct world *w);

#endif
