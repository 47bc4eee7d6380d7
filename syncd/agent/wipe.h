/* A book that head office has ordered to be deleted.
 *
 * First a tombstone file is written, which says why, and holds the signed message that the order
 * was obeyed: no secret. Then everything else in the folder is written over and removed: book,
 * keys, files. Then the server is told. A crash between two of these repeats what is not done:
 * whoever opens the folder next goes on.
 */
#ifndef ROADBOOK_WIPE_H
#define ROADBOOK_WIPE_H

#include "syncd/agent/agent.h"

#define WIPE_TOMBSTONE_FILE "revoked.json"

/* Closes *store (NULL then) and deletes the book. The caller holds the sync lock. */
enum status wipe_book(struct store **store, const char *home, const struct device_order *order,
                      const struct env *env, struct err *err) NODISCARD;
/* ST_OK: there is no tombstone. ST_REVOKED: there is one, and *err says why; what was left of the
 * book has gone now. */
enum status wipe_check(const char *home, struct err *err) NODISCARD;
/* Tells the server that it is done, unless it knows. ST_OK also where there is no tombstone;
 * ST_OFFLINE and the like: try again later. */
enum status wipe_tell(const char *home, struct err *err) NODISCARD;
/* A new book may stand here: the tombstone goes. */
enum status wipe_forget(const char *home, struct err *err) NODISCARD;

#endif
