#include "tests/unit/session_world.h"

#include <string.h>

#include "tests/unit/check.h"

static int64_t world_wall(void *ctx) {
    return ((struct world *)ctx)->wall_ms;
}

static int64_t world_boot(void *ctx) {
    return ((struct world *)ctx)->boot_ms;
}

static uint64_t world_boot_id(void *ctx) {
    (void)ctx;
    return 1;
}

static void world_random(void *ctx, void *out, size_t bytes) {
    struct world *w = ctx;
    uint8_t *at = out;
    for (size_t i = 0; i < bytes; i++) at[i] = (uint8_t)(w->seed * 31 + i * 7 + 1);
    w->seed++;
}

static void world_log(void *ctx, enum log_level level, const char *line) {
    (void)ctx;
    (void)level;
    (void)line;
}

void world_open(struct world *w) {
    struct err err = {0};
    uint8_t seed[SIGN_SEED_BYTES] = {1};
    CHECK_OK(crypto_start(&err));
    *w = (struct world){
        .boot_ms = 1000, .wall_ms = INT64_C(1770000000000), .mem = arena_new(ARENA_CAP_DEFAULT)};
    w->env = (struct env){w, world_wall, world_boot, world_boot_id, world_random, world_log, NULL};
    w->org_key = sign_key_from_seed(seed);
    seed[0] = 2;
    w->identity =
        (struct session_identity){.org = "acme", .device = DEVICE, .key = sign_key_from_seed(seed)};
    sign_public(&w->org_key, w->identity.org_public);
    sign_public(&w->identity.key, w->device_public);
    w->link = (struct session_link){
        .base_url = "https://book.example.com:8443", .org = "acme", .code = {9, 8, 7}};
    memcpy(w->link.org_public, w->identity.org_public, SIGN_PUBLIC_BYTES);
    CHECK_OK(session_nonces_open(&w->env, &w->nonces, &err));
    session_start(&w->laptop, &w->identity);
}

void world_close(struct world *w) {
    session_nonces_close(w->nonces);
    arena_clear(&w->mem);
}

/* The server is started anew: keys are in its store, nonces are not. */
void world_restart(struct world *w) {
    struct err err = {0};
    session_nonces_close(w->nonces);
    CHECK_OK(session_nonces_open(&w->env, &w->nonces, &err));
}

enum status world_refuse(struct world *w, enum status status, const char *nonce,
                         struct session_http *out, struct err *err) {
    struct err problem;
    (void)err_set(&problem, status, "refused", "拒绝");
    return session_server_problem(&problem, nonce, &w->mem, out, err);
}

/* What a server's handler does with a round: proof, nonce, work, answer. */
enum status world_serve_round(struct world *w, const struct session_http *request, int code,
                              size_t body_bytes, struct session_http *out, struct err *err) {
    char next[SESSION_NONCE_BYTES_MAX + 1];
    const char *nonce;
    uint8_t *body = arena_alloc(&w->mem, body_bytes + 1);
    if (!body) return err_no_memory(err);
    memset(body, 'd', body_bytes);
    enum status status = session_server_round(request, w->key, &w->mem, &nonce, err);
    if (status == ST_NO_MEMORY) return status;
    if (status != ST_OK) return world_refuse(w, status, NULL, out, err);
    status = session_nonce_take(w->nonces, ORG_NUMBER, DEVICE, nonce, err);
    if (status == ST_NO_MEMORY) return status;
    session_nonce_give(w->nonces, ORG_NUMBER, DEVICE, next);
    if (status != ST_OK) return world_refuse(w, status, next, out, err);
    return session_server_answer(request, w->key, code, slice_of(body, body_bytes), next, &w->mem,
                                 out, err);
}

enum status world_ask_hello(struct world *w, struct session_http *out, struct err *err) {
    return session_hello_request(&w->laptop, SLICE("0.1.0"), &(struct chain){{3}}, &w->env, &w->mem,
                                 out, err);
}

enum status world_serve_hello(struct world *w, const struct session_http *request,
                              struct session_http *out, struct err *err) {
    struct hello_request hello;
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    TRY(session_server_hello(request, w->device_public, &w->mem, &hello, err));
    session_nonce_give(w->nonces, ORG_NUMBER, hello.device, nonce);
    struct hello_reply reply = {.time_ms = 1,
                                .key_ms = SESSION_KEY_MS,
                                .nonce = slice_from(nonce),
                                .release = SLICE("0.1.0"),
                                .minimum_release = SLICE("0.1.0")};
    return session_server_hello_answer(request, &hello, &reply, &w->org_key, &w->env, &w->mem,
                                       w->key, out, err);
}

enum status world_greet(struct world *w, struct err *err) {
    struct session_http request, answer;
    struct hello_reply reply;
    TRY(world_ask_hello(w, &request, err));
    TRY(world_serve_hello(w, &request, &answer, err));
    return session_hello_reply(&w->laptop, &answer, &w->env, &w->mem, &reply, err);
}

struct slice world_upload(void) {
    static const uint8_t body[BODY_UP] = "a round request, as wire would have written it";
    return slice_of(body, sizeof body);
}

enum status world_ask_round(struct world *w, struct session_http *out, struct err *err) {
    return session_round_request(&w->laptop, "round", world_upload(), &w->mem, out, err);
}

enum status world_go_round(struct world *w, struct slice *out, struct err *err) {
    struct session_http request, answer;
    TRY(world_ask_round(w, &request, err));
    TRY(world_serve_round(w, &request, 200, BODY_DOWN, &answer, err));
    return session_round_reply(&w->laptop, &answer, &w->mem, out, err);
}

enum status world_enroll(struct world *w, struct enroll_reply *out, struct err *err) {
    struct session_http request, answer;
    struct enroll_request seen;
    TRY(session_enroll_request(&w->identity, &w->link, SLICE("lap"), SLICE("0.1.0"), &w->mem,
                               &request, err));
    TRY(session_server_enroll(&request, &w->mem, &seen, err));
    CHECK(slice_equal(seen.code, slice_of(w->link.code, sizeof w->link.code)));
    CHECK(memcmp(seen.device_public, w->device_public, SIGN_PUBLIC_BYTES) == 0);
    struct enroll_reply reply = {.device = DEVICE,
                                 .employee = 5,
                                 .user = SLICE("li"),
                                 .org_label = SLICE("Acme"),
                                 .epoch = 1,
                                 .time_ms = 2};
    TRY(session_server_enroll_answer(&request, &reply, &w->org_key, &w->mem, &answer, err));
    return session_enroll_reply(&w->identity, &answer, &w->mem, out, err);
}
