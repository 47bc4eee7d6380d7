/* Who sees what, for the commands of head office: the setting of an org, what is dated, what a user
 * holds and why, and what a change would open and close before it is made.
 *
 * Each call is a transaction of its own (not between org_merge_begin and the commit). The rules are
 * PROTOCOL.md, "Scope".
 */
#ifndef ROADBOOK_SCOPE_H
#define ROADBOOK_SCOPE_H

#include "syncd/server/org.h"
#include "syncd/store/centre_scope.h"

/* ------------------------------------------------------------------ settings */

/* granted: every user holds what the rules give him; else open: everyone holds everything.
 * ST_INVALID: the catalogue lacks accounts, territories or teams. */
enum status org_scope_set(struct org *org, bool granted, struct err *err) NODISCARD;
/* For how many days after the end of a grant edits made before it still count: 0 to 3650. */
enum status org_lease_set(struct org *org, int64_t days, struct err *err) NODISCARD;
/* Where the org's days begin: minutes east of Greenwich, -840 to 840. */
enum status org_zone_set(struct org *org, int utc_offset_min, struct err *err) NODISCARD;
/* The settings as they are. */
enum status org_scope(struct org *org, struct centre_scope *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ what is dated */

/* Orders an operation for op->due_ms (id, made_ms and what was done are ignored). One whose time
 * has come is applied by org_due. ST_NOT_FOUND: the account or an employee is not there;
 * ST_INVALID: nothing would change hands. */
enum status org_dated_add(struct org *org, const struct centre_dated *op, int64_t *out_id,
                          struct err *err) NODISCARD;
/* The same for several at once: all or none. ids[count]. */
enum status org_dated_add_all(struct org *org, const struct centre_dated *ops, size_t count,
                              int64_t *out_ids, struct err *err) NODISCARD;
enum status org_dated_list(struct org *org, bool also_done, struct arena *mem,
                           struct centre_dated **out, size_t *out_count, struct err *err) NODISCARD;
/* ST_NOT_FOUND: it does not wait any more. */
enum status org_dated_cancel(struct org *org, int64_t id, struct err *err) NODISCARD;
/* The first millisecond of a day (days since 1970) in the org's zone. */
int64_t org_day_ms(const struct centre_scope *scope, int64_t day);

/* Applies what is due now: memberships that begin or are over today, operations whose time has
 * come, those of one time together in one commit. Group commits and saves of head office do so
 * first. *out_next_ms (may be NULL): when to come again; 0: nothing waits. *out_done (may be NULL):
 * did anything happen? */
enum status org_due(struct org *org, int64_t *out_next_ms, bool *out_done,
                    struct err *err) NODISCARD;

/* ------------------------------------------------------------------ who holds what */

struct scope_grant {
    int64_t home;
    int64_t since;    /* seq */
    int64_t since_ms; /* commit time of that seq; 0: from the beginning */
    unsigned reasons; /* enum grant_reason */
};
/* Open grants of a user, by home. */
enum status org_grants(struct org *org, int64_t user, struct arena *mem, struct scope_grant **out,
                       size_t *out_count, struct err *err) NODISCARD;
/* "owner of the account; member of its team". */
void scope_reasons_write(unsigned reasons, enum lang lang, struct buf *out);
/* "Territory North", by the name of the row. */
enum status org_home_label(struct org *org, int64_t home, enum lang lang, struct buf *out,
                           struct err *err) NODISCARD;

/* ------------------------------------------------------------------ what would change */

struct scope_effect { /* of one user */
    int64_t user;
    char login[CENTRE_LOGIN_BYTES];
    char name[CENTRE_LABEL_BYTES];
    size_t opened, closed; /* grants */
    int64_t gained, lost;  /* living rows that come to this user, and that go */
};
/* What changes of head office (as for org_office_save), then operations as if they were due now,
 * would do: made, counted and undone in one transaction that is never committed. Users to whom
 * nothing happens are left out; by login. ST_CONFLICT: a change would not come in; the text says
 * why. */
enum status org_scope_preview(struct org *org, const struct change *changes, size_t count,
                              const struct centre_dated *ops, size_t op_count, struct arena *mem,
                              struct scope_effect **out, size_t *out_count,
                              struct err *err) NODISCARD;
/* The same with a switch between open and granted. */
enum status org_scope_set_preview(struct org *org, bool granted, struct arena *mem,
                                  struct scope_effect **out, size_t *out_count,
                                  struct err *err) NODISCARD;

#endif
