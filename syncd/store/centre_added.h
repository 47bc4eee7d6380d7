/* What head office adds to the catalogue at run time, as the server has it: rows, each change of
 * them at a seq of the log, and one list of all, signed by the org, for the laptops.
 *
 * Numbers are never given twice, not even by a server that went back in time: each is above all
 * that are here, and above the seconds since 2026 with a step for each epoch. So what a later life
 * gives is above what a forgotten one gave.
 */
#ifndef ROADBOOK_CENTRE_ADDED_H
#define ROADBOOK_CENTRE_ADDED_H

#include "protocol/wire/wire.h"
#include "syncd/store/centre.h"

/* All rows, by tag and by number. In mem. */
enum status centre_added(struct centre *c, struct arena *mem, struct additions *out,
                         struct err *err) NODISCARD;
/* New fields of one entity: fields[count], one cell if there are several; values[value_count] of
 * the first. Tags, numbers and group are set here. What is wrong with them says
 * addition_check_field, which comes first. Of a trial nothing stays. ST_INVALID, ST_CONFLICT,
 * ST_TOO_LARGE. */
enum status centre_added_fields(struct centre *c, struct added_field *fields, size_t count,
                                struct added_value *values, size_t value_count, bool trial,
                                struct err *err) NODISCARD;
/* Labels, limits and flags of a field. ST_NOT_FOUND. */
enum status centre_added_change(struct centre *c, const struct added_field *f, bool trial,
                                struct err *err) NODISCARD;
/* A new value; its number is set. */
enum status centre_added_value(struct centre *c, struct added_value *v, bool trial,
                               struct err *err) NODISCARD;
/* Labels and flags of a value. ST_NOT_FOUND. */
enum status centre_added_value_change(struct centre *c, const struct added_value *v, bool trial,
                                      struct err *err) NODISCARD;
/* The list for the laptops: *out_count is 0 or 1. */
enum status centre_added_news(struct centre *c, struct arena *mem, struct signed_additions **out,
                              size_t *out_count, struct err *err) NODISCARD;
/* What laptops know, and this server has forgotten. ST_DENIED: the org did not sign it. */
enum status centre_added_return(struct centre *c, const struct signed_additions *lists,
                                size_t count, struct err *err) NODISCARD;

#endif
