/* For tests of the service: the centre in process, one org, and laptops made of protocol/session's
 * laptop half, without sockets and without a store.
 */
#ifndef ROADBOOK_TESTS_SERVICE_WORLD_H
#define ROADBOOK_TESTS_SERVICE_WORLD_H

#include "protocol/session/session.h"
#include "syncd/platform/platform.h"
#include "syncd/server/org.h"
#include "syncd/server/service.h"
#include "tests/unit/check.h"

struct world {
    struct env env;
    struct arena mem;
    struct catalogue catalogue;
    const char *dir;
    char *path;
    struct service *service;
    int64_t user;
    uint8_t org_public[SIGN_PUBLIC_BYTES];
    struct session_http request;
    uint32_t requests_s, calls_max; /* what one laptop may do */
};

/* requests_s and calls_max take effect with world_serve. */
void world_open(struct world *w);
void world_serve(struct world *w);
void world_close(struct world *w);
/* The org on a handle of its own, as another process has it. */
struct org *world_own_org(struct world *w);
/* Whether the figures have this line. */
bool world_metric_is(struct world *w, const char *line);

struct laptop {
    struct world *w;
    struct session_identity identity;
    struct session session;
    struct session_link link;
    uint32_t last_batch;
    struct chain chain;
    struct position cursor, top;
    int64_t since, epoch, news_version;
    uint32_t counter;
    struct scope_position scope;
};

/* laptop_ready: with a link, enrolled, greeted. The others: each step alone. */
void laptop_link(struct world *w, struct session_link *out);
void laptop_new(struct laptop *l, struct world *w);
enum status laptop_enroll(struct laptop *l, struct err *err);
enum status laptop_hello(struct laptop *l, struct err *err);
void laptop_ready(struct laptop *l, struct world *w);
/* A batch that creates one account; a request with batches, signed; its bytes. */
struct batch laptop_batch(struct laptop *l, uint32_t number, const char *name);
struct round_request laptop_round(struct laptop *l, struct batch *batches, size_t count);
struct slice laptop_encoded(struct laptop *l, const struct round_request *r);
/* A round, and what a store would keep of it. */
enum status laptop_read(struct laptop *l, const struct session_http *reply, struct round_reply *out,
                        struct err *err);
enum status laptop_send(struct laptop *l, const struct round_request *r, struct round_reply *out,
                        struct err *err);
void laptop_push(struct laptop *l, const char *name, struct round_reply *reply);
void laptop_pull(struct laptop *l, struct round_reply *reply);

#endif
