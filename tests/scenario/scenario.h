/* Shared by the files that run scenarios: README.md beside this file.
 *
 *     scenario_read.c    words, values, places
 *
 *     scenario_act.c     what laptops and head office do
 *
 *     scenario_expect.c  what must be so then
 *
 *     test_scenarios.c   lines and files
 */
#ifndef ROADBOOK_SCENARIO_H
#define ROADBOOK_SCENARIO_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/server/unite.h"
#include "tests/world/world.h"

enum { WORDS_MAX = 40, NAMES_MAX = 200, FORMS_MAX = 20, TEXT_MAX = 4096 };

struct named_row {
    char name[WORLD_NAME_BYTES];
    const struct entity *entity;
    int64_t id;
};
struct named_form {
    char name[WORLD_NAME_BYTES];
    const struct entity *entity;
    struct form form;
};
struct words {
    struct slice at[WORDS_MAX];
    size_t count;
};
struct scenario {
    const char *file;
    int line;
    struct world world;
    struct arena mem;
    struct named_row rows[NAMES_MAX];
    size_t row_count;
    struct named_form forms[FORMS_MAX];
    size_t form_count;
    struct slice during; /* command to run inside the next round */
    struct err *during_err;
    enum status during_status;
};

struct held_wanted {
    int64_t row;
    uint32_t cell_tag;
    bool found;
    struct refusal_id id;
    enum outcome outcome;
    enum reason reason;
    int64_t count;
};

static inline bool is(struct slice s, const char *text) {
    return slice_equal(s, slice_from(text));
}

/* ------------------------------------------------------------------ scenario_read.c */

enum status scenario_wrong(struct err *err, const char *what, struct slice where) NODISCARD;
enum status scenario_split(struct slice line, struct arena *mem, struct words *out,
                           struct err *err) NODISCARD;
struct named_row *scenario_find_row(struct scenario *s, struct slice name);
enum status scenario_name_row(struct scenario *s, struct slice name, const struct entity *e,
                              int64_t id, struct err *err) NODISCARD;
/* The entity as that book knows it now: a laptop's, or with NULL head office's. */
const struct entity *scenario_entity(struct scenario *s, struct world_laptop *l, uint32_t tag);
/* "+10m", "-3y" in milliseconds. */
enum status scenario_read_span(struct slice text, int64_t *out, struct err *err) NODISCARD;
enum status scenario_read_edits(struct scenario *s, const struct entity *e, const struct words *w,
                                size_t from, struct field_edit *out, size_t *out_count,
                                struct err *err) NODISCARD;
/* ROW.FIELD; without a point the field is NULL. */
enum status scenario_read_place(struct scenario *s, struct slice word, struct named_row **out_row,
                                const struct field **out_field, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ scenario_act.c */

enum status scenario_take_held(void *ctx, const struct held *held, struct err *err);
enum status scenario_find_held(struct scenario *s, struct world_laptop *l, struct slice place,
                               bool also_closed, struct held_wanted *out,
                               struct err *err) NODISCARD;
enum status scenario_laptop_acts(struct scenario *s, struct world_laptop *l, const struct words *w,
                                 struct slice line, struct err *err) NODISCARD;
enum status scenario_office_acts(struct scenario *s, const struct words *w, struct slice line,
                                 struct err *err) NODISCARD;

/* ------------------------------------------------------------------ scenario_expect.c */

enum status scenario_differs(struct err *err, const char *who, struct slice what, struct slice want,
                             struct slice have) NODISCARD;
enum status scenario_expects(struct scenario *s, const struct words *w, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ test_scenarios.c */

enum status scenario_run_line(struct scenario *s, struct slice line, struct err *err) NODISCARD;

#endif
