/* The server's half of scope: who is granted which homes, why, and since when; which homes rows
 * have left; what is dated. The rules are PROTOCOL.md, "Scope"; what follows from a change of rows
 * is worked out above, in syncd/server/scope.c.
 *
 * A grant has a seq at which it opened and one at which it ended; its history is kept, since edits
 * are judged by it. In an open org nothing is written here: every user holds the home "all".
 */
#ifndef ROADBOOK_CENTRE_SCOPE_H
#define ROADBOOK_CENTRE_SCOPE_H

#include "protocol/model/home.h"
#include "syncd/store/centre.h"

enum {
    CENTRE_GRANTS_MAX = WIRE_HOMES_MAX, /* open ones of one user */
    CENTRE_LEASE_DAYS = 30,             /* unless head office says otherwise */
    CENTRE_DATED_MAX = 100000           /* operations that wait for their date */
};

/* ------------------------------------------------------------------ the setting */

struct centre_scope {
    bool granted;       /* false: open, every user holds "all" ... */
    int64_t open_since; /* ... since this seq */
    int64_t lease_days; /* how long an edit counts after its author's grant ended */
    int utc_offset_min; /* of the org's days */
    int64_t day;        /* the last day whose beginnings and ends are applied; days since 1970 */
};
/* As the handle saw it last (any call that reads head or device). */
void centre_scope(const struct centre *c, struct centre_scope *out);
/* Inside a write transaction. */
enum status centre_scope_put(struct centre *c, const struct centre_scope *scope,
                             struct err *err) NODISCARD;
/* Does the catalogue have accounts, employees, territories and teams, by which grants are worked
 * out? */
bool centre_scope_is_possible(const struct centre *c);

/* ------------------------------------------------------------------ homes of rows */

/* As homes_of and its kin (syncd/store/homes.h), of this file. */
enum status centre_homes_of(struct centre *c, const struct entity *e, int64_t row,
                            const struct value *values, struct homes *out,
                            struct err *err) NODISCARD;
enum status centre_homes_stored(struct centre *c, const struct entity *e, int64_t row,
                                bool *out_found, struct homes *out, struct err *err) NODISCARD;
enum status centre_home_rows(struct centre *c, const struct entity *e, int64_t home, int64_t after,
                             int64_t *ids, size_t room, size_t *out_count,
                             struct err *err) NODISCARD;
bool centre_home_reaches(struct centre *c, const struct entity *e, enum home_class class);
/* Rows of an entity that its owner field says belong to owner, dead ones too. */
enum status centre_inheriting(struct centre *c, const struct entity *e, int64_t owner,
                              struct arena *mem, int64_t **out_ids, size_t *out_count,
                              struct err *err) NODISCARD;
/* The row moved to other homes at this seq: whole from there on. */
enum status centre_row_moved(struct centre *c, const struct entity *e, int64_t row, int64_t seq,
                             const struct homes *from, const struct homes *to,
                             struct err *err) NODISCARD;

struct log_homes {
    struct homes at;   /* homes of the row at this seq */
    struct homes left; /* those that it left by this change */
};

/* A home that a row left, for judging edits made before. */
enum status centre_leave_add(struct centre *c, int64_t row, int64_t seq, int64_t home,
                             int64_t time_ms, struct err *err) NODISCARD;
struct centre_leave {
    int64_t seq, home, time_ms;
};
/* Of the row, after a seq; newest last. */
enum status centre_leaves(struct centre *c, int64_t row, int64_t after, struct arena *mem,
                          struct centre_leave **out, size_t *out_count, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ grants */

struct centre_grant {
    int64_t user, home;
    int64_t since;               /* the seq at which it opened */
    int64_t until_seq, until_ms; /* 0: it is open */
    bool born;                   /* with the home: the log after since holds all of it */
};

/* Open grants of a user, by home. In an open org: "all". */
enum status centre_grants(struct centre *c, int64_t user, struct arena *mem,
                          struct centre_grant **out, size_t *out_count, struct err *err) NODISCARD;
/* Grants of the user that ended in (after, to], by home; of one home the first. */
enum status centre_grants_ended(struct centre *c, int64_t user, int64_t after, int64_t to,
                                struct arena *mem, struct centre_grant **out, size_t *out_count,
                                struct err *err) NODISCARD;
/* All grants that the user ever had of the home, oldest first. */
enum status centre_grants_of(struct centre *c, int64_t user, int64_t home, struct arena *mem,
                             struct centre_grant **out, size_t *out_count,
                             struct err *err) NODISCARD;
/* Users with an open grant of the home, ascending. */
enum status centre_holders(struct centre *c, int64_t home, struct arena *mem, int64_t **out,
                           size_t *out_count, struct err *err) NODISCARD;
enum status centre_grant_open(struct centre *c, const struct centre_grant *grant,
                              struct err *err) NODISCARD;
enum status centre_grant_end(struct centre *c, int64_t user, int64_t home, int64_t seq,
                             int64_t time_ms, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ reasons */

/* Reasons that no row tells. */
enum reason_kind {
    REASON_KIND_CREATOR = 1, /* made the account */
    REASON_KIND_MERGED = 2   /* held an account that was merged into this one: which, is not known;
                              * where it is, the kind is its id below zero */
};
enum status centre_reason_add(struct centre *c, int64_t user, int64_t home, enum reason_kind kind,
                              struct err *err) NODISCARD;
/* The user held that loser's home, and would not hold this one's by the rules. */
enum status centre_reason_merged(struct centre *c, int64_t user, int64_t home, int64_t loser,
                                 struct err *err) NODISCARD;
/* Of every account that a person made: while the org is open nobody keeps them. Of an account that
 * became another, for that one. */
enum status centre_reasons_of_makers(struct centre *c, struct err *err) NODISCARD;
/* Who should hold the home by the rules, ascending: derived from rows as they are on that day, and
 * the reasons above. Head office's users are not among them: they hold "all". */
enum status centre_entitled(struct centre *c, int64_t home, int64_t day, struct arena *mem,
                            int64_t **out_users, size_t *out_count, struct err *err) NODISCARD;
/* The same from the other side: the homes that a user should hold, ascending. */
enum status centre_entitlements(struct centre *c, const struct centre_user *user, int64_t day,
                                struct arena *mem, int64_t **out_homes, size_t *out_count,
                                struct err *err) NODISCARD;
/* Why, as bits. */
enum grant_reason {
    GRANT_EVERYONE = 1,
    GRANT_OFFICE = 2,
    GRANT_SELF = 4,       /* his own work */
    GRANT_OWNER = 8,      /* of the account */
    GRANT_MEMBER = 16,    /* of its team */
    GRANT_TERRITORY = 32, /* works in it, or above it */
    GRANT_MANAGER = 64,   /* manages the territory of the account or the person */
    GRANT_CREATOR = 128,
    GRANT_MERGED = 256
};
enum status centre_grant_reasons(struct centre *c, const struct centre_user *user, int64_t home,
                                 int64_t day, unsigned *out, struct err *err) NODISCARD;

/* Homes and users whose grants may have to change. born: the seq at which the home came to be, when
 * that was in this transaction: its grants begin there; else 0. */
struct centre_unsettled {
    struct unsettled_home {
        int64_t home, born;
    } * homes;
    int64_t *users;
    size_t home_count, user_count;
};
/* Opens and ends grants until they are what the rules say today: one entry in the log for all of
 * them, if any. Nothing in an open org. Inside a write transaction. */
enum status centre_grants_settle(struct centre *c, const struct centre_unsettled *unsettled,
                                 struct err *err) NODISCARD;
/* The org becomes granted, or open again: what each user holds is worked out at once. Inside a
 * write transaction. ST_INVALID: the catalogue lacks what grants are worked out by. */
enum status centre_scope_change(struct centre *c, bool granted, struct err *err) NODISCARD;
/* Users whose grants changed at this seq, which is of LOG_SCOPE, ascending. */
enum status centre_users_at(struct centre *c, int64_t seq, struct arena *mem, int64_t **out_users,
                            size_t *out_count, struct err *err) NODISCARD;
/* The day that the org has at this time. */
int64_t centre_day(const struct centre_scope *scope, int64_t ms);
/* When something dated happens next; 0: never. Worked out anew only when it may have changed. */
enum status centre_due_next(struct centre *c, int64_t *out_ms, struct err *err) NODISCARD;
/* Rows changed by which something dated may have been added. */
void centre_due_forget(struct centre *c);

/* ------------------------------------------------------------------ whom a change concerns */

/* Accounts whose team changes by its dates in (after, to]. */
enum status centre_teams_turning(struct centre *c, int64_t after, int64_t to, struct arena *mem,
                                 int64_t **out_accounts, size_t *out_count,
                                 struct err *err) NODISCARD;
/* The first day after this one on which a membership begins or is over; 0: none. */
enum status centre_teams_turn_next(struct centre *c, int64_t day, int64_t *out,
                                   struct err *err) NODISCARD;
/* Users who work in the territory or above it. */
enum status centre_users_above(struct centre *c, int64_t territory, struct arena *mem,
                               int64_t **out_users, size_t *out_count, struct err *err) NODISCARD;
enum status centre_users_of(struct centre *c, int64_t employee, struct arena *mem,
                            int64_t **out_users, size_t *out_count, struct err *err) NODISCARD;
enum status centre_user_ids(struct centre *c, struct arena *mem, int64_t **out_users,
                            size_t *out_count, struct err *err) NODISCARD;
/* Living accounts of which the employee is owner, by id. */
enum status centre_accounts_of(struct centre *c, int64_t employee, struct arena *mem,
                               int64_t **out_ids, size_t *out_count, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ dated operations */

enum dated_kind {
    DATED_ASSIGN = 1,  /* account gets another owner */
    DATED_HANDOVER = 2 /* every account of one employee goes to another */
};
struct centre_dated {
    int64_t id; /* given by centre_dated_add */
    enum dated_kind kind;
    int64_t due_ms;
    int64_t account;  /* DATED_ASSIGN */
    int64_t from, to; /* employees; from only for DATED_HANDOVER */
    bool is_signed;   /* given by centre_dated_list */
    int64_t handover; /* the row that both must have signed before; 0: nobody has to */
    char person[CENTRE_LABEL_BYTES]; /* who ordered it */
    int64_t made_ms;
    int64_t done_seq; /* 0: waits */
    bool cancelled;
    int64_t accounts; /* how many it moved, once done */
};
enum status centre_dated_add(struct centre *c, const struct centre_dated *op, int64_t *out_id,
                             struct err *err) NODISCARD;
/* Waiting ones due at to_ms at the latest (INT64_MAX: all that wait), by date; also_done: the
 * others too. */
enum status centre_dated_list(struct centre *c, int64_t to_ms, bool also_done, struct arena *mem,
                              struct centre_dated **out, size_t *out_count,
                              struct err *err) NODISCARD;
enum status centre_dated_done(struct centre *c, int64_t id, int64_t seq, int64_t accounts,
                              struct err *err) NODISCARD;
/* ST_NOT_FOUND: no such operation, or it does not wait any more. */
enum status centre_dated_cancel(struct centre *c, int64_t id, struct err *err) NODISCARD;
/* When the first waiting one is due; 0: none waits. */
enum status centre_dated_next(struct centre *c, int64_t *out_ms, struct err *err) NODISCARD;

#endif
