/* Whom changes concern, in memory: for each user the seq of the last change that he has to hear of.
 * So an idle laptop costs nothing in an org that is busy elsewhere: a round of one whom nothing
 * concerns is answered with the head, and a wait goes on.
 *
 * Filled from the log, in which every entry of a granted org says where its row was seen; whoever
 * looks brings it up to date first, so that commits of other processes count too. Nothing is known
 * of the time before it was made: then the answer is yes. For one thread at a time.
 */
#ifndef ROADBOOK_ROUTES_H
#define ROADBOOK_ROUTES_H

#include "syncd/store/centre.h"

struct routes;

enum { ROUTES_ENTRIES_MAX = 256 }; /* of the log, at one look: a few milliseconds */

enum status routes_open(struct routes **out, struct err *err) NODISCARD;
void routes_close(struct routes *routes);
/* Reads on in the log, as this read handle sees it. *out_there: it is up to the handle's head. */
enum status routes_follow(struct routes *routes, struct centre *c, bool *out_there,
                          struct err *err) NODISCARD;
/* Has something happened after seq that concerns this user, or may it? Everything does head office,
 * and everyone in an open org. */
bool routes_concern(const struct routes *routes, const struct centre_device *device, int64_t seq);

#endif
