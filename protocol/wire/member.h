/* Private to protocol/wire: how the JSON view writes a member, and how it names what the catalogue
 * knows. member.c writes; json_view.c says which members a message has.
 *
 * A member that stands in a list has the name NULL. Commas are set by what stands before, so that
 * nobody keeps count. Nothing fails but the buffer, which stays failed.
 */
#ifndef ROADBOOK_WIRE_MEMBER_H
#define ROADBOOK_WIRE_MEMBER_H

#include "protocol/wire/wire.h"

struct view {
    struct buf *out;
    const struct catalogue *cat; /* may be NULL: then all stands by tag */
};

/* An object or a list; bracket as it opens ('{', '[') and as it closes. */
void member_open(struct view *v, const char *member, char bracket);
void member_close(struct view *v, char bracket);

void member_number(struct view *v, const char *member, int64_t value);
void member_number_unless(struct view *v, const char *member, int64_t value, int64_t usual);
void member_truth(struct view *v, const char *member, bool value);
void member_word(struct view *v, const char *member, const char *value);
void member_text(struct view *v, const char *member, struct slice value);
void member_hex(struct view *v, const char *member, const uint8_t *bytes, size_t count);
void member_instant(struct view *v, const char *member, int64_t unix_ms);
void member_row_id(struct view *v, const char *member, int64_t id); /* a number if it is none */
void member_position(struct view *v, const char *member, const struct position *p);

/* Members "entity" and "cell": by name where the catalogue knows them, by tag otherwise. */
const struct entity *member_entity_of(const struct view *v, uint32_t tag); /* NULL: not known */
void member_entity(struct view *v, uint32_t tag);
void member_cell(struct view *v, const struct entity *e, uint32_t tag);
/* A list of the values of a cell, each by its field's type where it fits; e may be NULL. */
void member_values(struct view *v, const char *member, const struct entity *e, uint32_t tag,
                   const struct value *items, size_t count);

#endif
