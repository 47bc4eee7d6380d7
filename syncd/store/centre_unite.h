/* Rows that became one, on disk: the row that is no more as it was, what named it, whose sight of
 * it goes on. The rules are PROTOCOL.md, "Aliases"; they are applied in syncd/server/unite.c.
 */
#ifndef ROADBOOK_CENTRE_UNITE_H
#define ROADBOOK_CENTRE_UNITE_H

#include "syncd/store/centre_scope.h"

/* ------------------------------------------------------------------ rows */

/* Takes the row out of the book. Inside a write transaction, like all that writes here. */
enum status centre_row_remove(struct centre *c, const struct entity *e, int64_t id,
                              struct err *err) NODISCARD;

struct centre_naming { /* a row that names another by a field, dead ones too */
    const struct entity *entity;
    const struct field *field;
    int64_t row;
};
enum status centre_naming(struct centre *c, const struct entity *e, int64_t id, struct arena *mem,
                          struct centre_naming **out, size_t *out_count, struct err *err) NODISCARD;
/* All that names one row names the other from now on: only the columns change, no clock and no seq.
 * What was re-pointed is kept under that seq. list: as centre_naming gave it. */
enum status centre_repoint(struct centre *c, int64_t seq, const struct centre_naming *list,
                           size_t count, int64_t from, int64_t to, struct err *err) NODISCARD;
/* What a union re-pointed. */
enum status centre_repointed(struct centre *c, int64_t seq, struct arena *mem,
                             struct centre_naming **out, size_t *out_count,
                             struct err *err) NODISCARD;

/* ------------------------------------------------------------------ aliases */

/* from becomes to, and so do rows that had become from. */
enum status centre_alias_unite(struct centre *c, int64_t seq, int64_t from, int64_t to,
                               struct err *err) NODISCARD;
/* from is a row of its own again, and what had become it before, is it. */
enum status centre_alias_part(struct centre *c, int64_t seq, int64_t from,
                              struct err *err) NODISCARD;
/* Ids that are this row now. */
enum status centre_aliases_of(struct centre *c, int64_t to, struct arena *mem, int64_t **out,
                              size_t *out_count, struct err *err) NODISCARD;
/* Reasons that no row tells to see one home are reasons to see the other. */
enum status centre_reasons_move(struct centre *c, int64_t from_home, int64_t to_home,
                                struct err *err) NODISCARD;

/* Of a home from which a loser parts: those that were its own go, with those of its makers; alone:
 * all, as nothing else became this account. */
enum status centre_reasons_part(struct centre *c, int64_t home, int64_t loser, bool alone,
                                struct err *err) NODISCARD;
/* Those that came with a loser go to another home, where it goes. */
enum status centre_reasons_follow(struct centre *c, int64_t home, int64_t loser, int64_t to_home,
                                  struct err *err) NODISCARD;

/* ------------------------------------------------------------------ what was united */

struct centre_united {
    int64_t seq; /* of the entry LOG_UNITED */
    uint32_t entity_tag;
    int64_t from, to;
    int64_t time_ms;
    int64_t cause; /* seq of the union of their owners by which these became one; 0: head office
                      said so */
    struct slice person;
    struct centre_row loser; /* as it was */
    struct value *before;    /* of the survivor, one per field */
    int64_t parted;          /* seq at which it was undone; 0: it stands */
};
enum status centre_united_add(struct centre *c, const struct centre_united *united,
                              struct err *err) NODISCARD;
/* The union that took this row, the latest. ST_NOT_FOUND. */
enum status centre_united(struct centre *c, int64_t from, struct arena *mem,
                          struct centre_united *out, struct err *err) NODISCARD;
/* Unions that were caused by one get its seq once it is known. */
enum status centre_united_cause(struct centre *c, int64_t mark, int64_t cause,
                                struct err *err) NODISCARD;
enum status centre_united_part(struct centre *c, int64_t united, int64_t seq,
                               struct err *err) NODISCARD;
/* Unions that stand, of what another union caused; seq 0: those that head office ordered, newest
 * first, also undone ones. */
typedef enum status centre_united_row(void *ctx, const struct centre_united *united,
                                      struct err *err);
enum status centre_unitings(struct centre *c, int64_t cause, centre_united_row *each, void *ctx,
                            struct err *err) NODISCARD;

/* ------------------------------------------------------------------ what is not the same */

/* Head office says that two rows are two. In a transaction of its own. */
enum status centre_dismiss(struct centre *c, int64_t a, int64_t b, struct slice person,
                           struct err *err) NODISCARD;
enum status centre_is_dismissed(struct centre *c, int64_t a, int64_t b, bool *out,
                                struct err *err) NODISCARD;

#endif
