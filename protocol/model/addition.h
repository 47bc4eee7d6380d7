/* What head office adds to the catalogue at run time: fields of the built-in entities, and values
 * of enumerations. They are told to every device whole, and a device builds its catalogue from its
 * release and from them.
 *
 * A tag names one field for ever: its entity, type, rule, scale and group never change. Label and
 * limits may; what is retired takes no new entries and keeps its old ones.
 */
#ifndef ROADBOOK_ADDITION_H
#define ROADBOOK_ADDITION_H

#include "protocol/model/model.h"

enum {
    ADDITION_FIELDS_MAX = 1024, /* in all: more is a program gone wrong */
    ADDITION_VALUES_MAX = 4096, /* likewise */
    ADDITION_NAME_BYTES = 48,   /* a column's name that still fits a screen */
    ADDITION_LABEL_CHARACTERS = 60
};

enum addition_flags { ADDITION_RETIRED = 1, ADDITION_PERSONAL = 2 };

struct added_field {
    uint32_t entity, tag; /* tag: from FIELD_ADDED_FIRST on */
    uint32_t group;       /* tag of the first field of its cell; 0: it is a cell of its own */
    uint32_t type, set_of, rule; /* as numbers: another release may know more of them */
    uint32_t scale, flags;
    int64_t min, max;
    struct slice name, label[LANG_COUNT];
    /* Only at the server: the widest limits that ever held, and the seq at which these came. */
    int64_t loose_min, loose_max, since;
};

struct added_value {                /* of an enumeration: of a built-in field or of an added one */
    uint32_t entity, field, number; /* number: from FIELD_ADDED_FIRST on */
    uint32_t flags;
    struct slice name, label[LANG_COUNT];
};

struct additions {
    struct added_field *fields;
    size_t field_count;
    struct added_value *values;
    size_t value_count;
};

/* Why head office cannot add this; ST_OK: it can. Names, labels and type against the catalogue as
 * it is. ST_INVALID, ST_CONFLICT (the name is taken), ST_TOO_LARGE (the entity is full). values: of
 * the new field itself. */
enum status addition_check_field(const struct catalogue *cat, const struct added_field *f,
                                 const struct added_value *values, size_t value_count,
                                 struct err *err) NODISCARD;
enum status addition_check_value(const struct catalogue *cat, const struct added_value *v,
                                 struct err *err) NODISCARD;
/* The widest limits that ever held: those of before (NULL: it is new) and the present ones. */
void addition_widen(struct added_field *f, const struct added_field *before);
enum status addition_check_label(const struct slice label[LANG_COUNT], struct err *err) NODISCARD;
/* Files name columns, and people values, by label as well: whether another field of the entity, or
 * another value, has one of the labels. ST_CONFLICT. */
enum status addition_check_field_label(const struct entity *e, const struct added_field *f,
                                       struct err *err) NODISCARD;
enum status addition_check_value_label(const struct enumeration *values,
                                       const struct added_value *v, struct err *err) NODISCARD;
/* Limits and labels alone, of a field that is there. */
enum status addition_check_change(const struct added_field *f, struct err *err) NODISCARD;

/* The release's catalogue and what was added. What this release cannot make sense of is left out,
 * as if it were not known; a name that the release has meanwhile taken gets a number behind it; of
 * two additions of one tag the first counts. Everything is copied into mem. */
enum status catalogue_add(const struct catalogue *release, const struct additions *added,
                          struct arena *mem, struct catalogue *out, struct err *err) NODISCARD;

/* Is every tag and number of b in a as well? */
bool additions_cover(const struct additions *a, const struct additions *b);

/* Whether values of a field may be added to: enums and sets of enums, but no states, whose order is
 * declared, and nothing that the program itself decides. */
bool field_takes_values(const struct field *f);
/* As field_check, with the limits that held when the edit was made: an author who had the catalogue
 * only up to cursor is bound by the widest. */
enum status field_check_since(const struct field *f, struct value v, int64_t cursor,
                              struct err *err) NODISCARD;
/* A value that takes no new entries: of a retired field, or a retired value of an enumeration. */
bool field_is_retired_for(const struct field *f, struct value v);
/* May somebody who writes now put this value in the place of the one before? What is retired stays
 * where it is, and may be emptied. ST_INVALID. */
enum status field_check_entry(const struct field *f, struct value now, struct value before,
                              struct err *err) NODISCARD;

#endif
