/* Private to protocol/model: what its files share and nobody else needs. */
#ifndef ROADBOOK_MODEL_CATALOGUE_H
#define ROADBOOK_MODEL_CATALOGUE_H

#include "protocol/model/model.h"

enum {
    LINE_CHARACTERS_MAX = 200,   /* a line that still fits a form and a report column */
    NOTE_CHARACTERS_MAX = 20000, /* ten printed pages */
    SET_ELEMENTS_MAX = 64,
    ELEMENT_CHARACTERS_MAX = 200, /* an element is a line */
    MONEY_SCALE = 2,              /* minor units of all currencies are hundredths */
    FIELD_SCALE_MAX = 9,
    SEARCH_WEIGHT_MAX = 10
};

/* The declarations of this release, before catalogue_build. Borrowed for ever. */
const struct entity *entities_declared(size_t *out_count);

/* Checks all declarations; catalogue_build then only works out cells. */
enum status declaration_check(const struct entity *entities, size_t count,
                              struct err *err) NODISCARD;
/* What is wrong with a field by itself: name, labels, type and rule; NULL: nothing. first: it opens
 * its cell. */
const char *declaration_wrong_field(const struct field *f, bool first);
bool declaration_is_name(const char *s); /* a-z, then a-z, 0-9 and _ */

/* A chain value over every declaration in a form in which no two catalogues look the same. */
enum status catalogue_digest(const struct catalogue *cat, struct chain *out,
                             struct err *err) NODISCARD;

unsigned field_scale(const struct field *f);  /* digits behind the point when people write it */
bool field_holds_text(const struct field *f); /* values are VALUE_TEXT */
int64_t field_characters_max(const struct field *f); /* of TEXT and NOTE */
int64_t field_elements_max(const struct field *f);   /* of SET */

/* Walks a set in canonical form: false at its end. */
bool set_next(struct slice *rest, struct slice *out_element);
bool set_is_canonical(struct slice set);

#endif
