/* A laptop and a server in one process and one arena, for tests of the conversation. What fails in
 * the fixture itself ends the test; what may fail in a test comes back as a status.
 */
#ifndef ROADBOOK_SESSION_WORLD_H
#define ROADBOOK_SESSION_WORLD_H

#include "protocol/session/session.h"

enum { ORG_NUMBER = 7, DEVICE = 12, BODY_UP = 70, BODY_DOWN = 40 };

struct world {
    struct env env;
    int64_t boot_ms, wall_ms;
    uint8_t seed;
    struct arena mem;
    struct sign_key org_key;
    struct session_identity identity;
    struct session_link link;
    uint8_t device_public[SIGN_PUBLIC_BYTES];
    struct session laptop;
    uint8_t key[MAC_BYTES]; /* what the server's store keeps for the device */
    struct session_nonces *nonces;
};

/* random numbers are a sequence of their own, the clocks are boot_ms and wall_ms. Closing frees all
 * of it.
 */
void world_open(struct world *w);
void world_close(struct world *w);
/* The server is started anew: keys are in its store, nonces are not. */
void world_restart(struct world *w);
enum status world_refuse(struct world *w, enum status status, const char *nonce,
                         struct session_http *out, struct err *err);
/* What a server's handler does with a round: proof, nonce, work, answer. */
enum status world_serve_round(struct world *w, const struct session_http *request, int code,
                              size_t body_bytes, struct session_http *out, struct err *err);
enum status world_ask_hello(struct world *w, struct session_http *out, struct err *err);
enum status world_serve_hello(struct world *w, const struct session_http *request,
                              struct session_http *out, struct err *err);
struct slice world_upload(void);
enum status world_ask_round(struct world *w, struct session_http *out, struct err *err);
/* Whole exchanges: enrolment, hello, a round. */
enum status world_enroll(struct world *w, struct enroll_reply *out, struct err *err);
enum status world_greet(struct world *w, struct err *err);
enum status world_go_round(struct world *w, struct slice *out, struct err *err);

#endif
