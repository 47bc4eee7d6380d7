/* Homes of rows by their columns: which homes a row is in, and which rows are in a home. Nothing is
 * kept beside the columns: what the catalogue's home rules say of them is all there is
 * (protocol/model/home.h). Private to syncd/store; laptop and server ask the same questions here.
 */
#ifndef ROADBOOK_STORE_HOMES_H
#define ROADBOOK_STORE_HOMES_H

#include "protocol/model/home.h"
#include "syncd/store/db.h"

/* The homes of a row with these values (one per field; only those that home rules and ownership
 * name are looked at). The owner's row is looked up where its homes count too; an owner that is not
 * here gives none, a dead one gives its own as if it lived. */
enum status homes_of(struct db *db, const struct catalogue *cat, const struct entity *e,
                     int64_t row, const struct value *values, struct homes *out,
                     struct err *err) NODISCARD;
/* The homes of a row by what its columns hold, whether it lives or not. *out_found false: no such
 * row, and no homes. */
enum status homes_of_stored(struct db *db, const struct catalogue *cat, const struct entity *e,
                            int64_t row, bool *out_found, struct homes *out,
                            struct err *err) NODISCARD;
/* Ids of rows of the entity in the home by what the columns hold, living or not, ascending: those
 * in (after, to], at most room of them into ids. Fewer than room: that is all of the range. A
 * team's and a person's rows are found by index; all and public go through the table in order of
 * id. */
enum status homes_rows(struct db *db, const struct catalogue *cat, const struct entity *e,
                       int64_t home, int64_t after, int64_t to, int64_t *ids, size_t room,
                       size_t *out_count, struct err *err) NODISCARD;
/* Can a row of the entity be in a home of that class at all? */
bool homes_reach(const struct catalogue *cat, const struct entity *e, enum home_class class);

#endif
