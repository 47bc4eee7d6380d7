/* Private to syncd/api: by which texts the rows of an entity are known. One pass over the entity
 * when it is opened, so that imports and exports ask the store nothing more for references.
 */
#ifndef ROADBOOK_API_DIRECTORY_H
#define ROADBOOK_API_DIRECTORY_H

#include "syncd/store/store.h"

struct directory;

/* Reads all living rows. */
enum status directory_open(struct store *store, const struct entity *e, struct directory **out,
                           struct err *err) NODISCARD;
void directory_close(struct directory *d);
const struct entity *directory_entity(const struct directory *d);
/* A row that came since, or has other values now. id is any number but 0; values[e->field_count].
 */
enum status directory_add(struct directory *d, int64_t id, const struct value *values,
                          struct err *err) NODISCARD;
/* By natural key, then external number, then title, then title in another case or width, then short
 * id. text is trimmed and in NFC. A beginning of a title is not enough here: nobody looks at each
 * row of an import. ST_NOT_FOUND; ST_CONFLICT: several rows are known by it. */
enum status directory_find(const struct directory *d, struct slice text, struct arena *mem,
                           int64_t *out_id, struct err *err) NODISCARD;
/* The shortest certain name: a text by which directory_find gives this row, else its short id. In
 * mem. */
enum status directory_name(const struct directory *d, int64_t id, struct arena *mem,
                           struct slice *out, struct err *err) NODISCARD;

/* The field by which other systems number the rows of an entity; NULL: it has none. */
const struct field *directory_external(const struct entity *e);

#endif
