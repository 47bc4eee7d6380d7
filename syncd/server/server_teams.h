/* Private to the program roadbook-server: what its commands about territories, teams and grants
 * share.
 */
#ifndef ROADBOOK_SERVER_TEAMS_H
#define ROADBOOK_SERVER_TEAMS_H

#include "syncd/server/scope.h"
#include "syncd/server/server.h"

struct teaming { /* one run of such a command */
    struct server *server;
    struct org *org;
    struct api_book book;
    struct centre_scope scope;
};
enum status teaming_open(struct server *server, struct teaming *out, struct err *err) NODISCARD;
void teaming_close(struct teaming *t); /* for SCOPED */
/* ST_CONFLICT in an open org: there are no grants. */
enum status teaming_granted(const struct teaming *t, struct err *err) NODISCARD;

enum status effects_print(struct server *server, const struct scope_effect *effects, size_t count,
                          struct err *err) NODISCARD;
enum status dated_print(struct teaming *t, const struct centre_dated *ops, size_t count,
                        struct err *err) NODISCARD;

#endif
