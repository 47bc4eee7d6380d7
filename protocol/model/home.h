/* Homes: the scopes in which rows are seen. A device holds a row while it holds one of the row's
 * homes; visibility is decided by homes alone (PROTOCOL.md, "Scope").
 *
 * A home is one number: its kind, then an id of 53 bits. The order of the numbers is the order in
 * which homes are filled: a person's own work, the accounts of his teams, the headers of his
 * territories, the public catalogue.
 */
#ifndef ROADBOOK_HOME_H
#define ROADBOOK_HOME_H

#include "protocol/model/model.h"

enum home_class {
    HOME_CLASS_NONE = 0,
    HOME_CLASS_OWN = 1,       /* of an employee */
    HOME_CLASS_TEAM = 2,      /* of an account */
    HOME_CLASS_TERRITORY = 3, /* of a territory */
    HOME_CLASS_PUBLIC = 4,    /* id 0: everyone of the org */
    HOME_CLASS_OFFICE = 5,    /* id 0: head office */
    HOME_CLASS_ALL = 6,       /* id 0: every row is in it, though none says so */
    HOME_CLASS_COUNT
};

enum { ROW_HOMES_MAX = 6 }; /* a row's own rules, or those of the row that it inherits from */

int64_t home_make(enum home_class class, int64_t id);
enum home_class home_class(int64_t home); /* HOME_CLASS_NONE: not a home */
int64_t home_id(int64_t home);
bool home_is_valid(int64_t home);
/* "team 3-1Z7K", "public"; for people and logs. */
void home_write(int64_t home, struct buf *out);

struct homes { /* ascending, each once */
    int64_t at[ROW_HOMES_MAX];
    size_t count;
};

/* The homes that an entity's rules give a row with these values (one per field). of_owner: the
 * homes of the row through which it is owned, for HOME_INHERIT; NULL: there is none. A rule whose
 * field is empty gives none. */
void homes_of_row(const struct entity *e, int64_t row, const struct value *values,
                  const struct homes *of_owner, struct homes *out);
/* Do the homes of the owner count too? */
bool homes_inherit(const struct entity *e);
/* Can an edit of this cell move a row to other homes? */
bool homes_depend_on(const struct entity *e, const struct cell *cell);
bool homes_have(const struct homes *homes, int64_t home);
bool homes_equal(const struct homes *a, const struct homes *b);
void homes_add(struct homes *homes, int64_t home);

#endif
