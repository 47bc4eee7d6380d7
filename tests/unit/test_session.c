/* The conversation of laptop and server, in memory: that it works, that nothing changed on the way
 * is believed, and that nothing is believed twice. */
#include <stdio.h>
#include <string.h>

#include "protocol/session/fields.h"
#include "protocol/session/nonces.h"
#include "protocol/session/session.h"
#include "protocol/session/signature.h"
#include "tests/unit/check.h"
#include "tests/unit/fault.h"

enum { ORG_NUMBER = 7, DEVICE = 12, BODY_UP = 70, BODY_DOWN = 40 };

/* ------------------------------------------------------------------ two ends in one process */

struct world {
    struct env env;
    int64_t boot_ms;
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

static int64_t world_wall(void *ctx) {
    (void)ctx;
    return INT64_C(1770000000000);
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

static void world_open(struct world *w) {
    struct err err = {0};
    uint8_t seed[SIGN_SEED_BYTES] = {1};
    CHECK_OK(crypto_start(&err));
    *w = (struct world){.boot_ms = 1000, .mem = arena_new(ARENA_CAP_DEFAULT)};
    w->env = (struct env){w, world_wall, world_boot, world_boot_id, world_random, world_log};
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

static void world_close(struct world *w) {
    session_nonces_close(w->nonces);
    arena_clear(&w->mem);
}

/* The server is started anew: keys are in its store, nonces are not. */
static void world_restart(struct world *w) {
    struct err err = {0};
    session_nonces_close(w->nonces);
    CHECK_OK(session_nonces_open(&w->env, &w->nonces, &err));
}

static enum status refuse(struct world *w, enum status status, const char *nonce,
                          struct session_http *out, struct err *err) {
    struct err problem;
    (void)err_set(&problem, status, "refused", "拒绝");
    return session_server_problem(&problem, nonce, &w->mem, out, err);
}

/* What a server's handler does with a round: proof, nonce, work, answer. */
static enum status serve_round(struct world *w, const struct session_http *request, int code,
                               size_t body_bytes, struct session_http *out, struct err *err) {
    char next[SESSION_NONCE_BYTES_MAX + 1];
    const char *nonce;
    uint8_t *body = arena_alloc(&w->mem, body_bytes + 1);
    if (!body) return err_no_memory(err);
    memset(body, 'd', body_bytes);
    enum status status = session_server_round(request, w->key, &w->mem, &nonce, err);
    if (status == ST_NO_MEMORY) return status;
    if (status != ST_OK) return refuse(w, status, NULL, out, err);
    status = session_nonce_take(w->nonces, ORG_NUMBER, DEVICE, nonce, err);
    if (status == ST_NO_MEMORY) return status;
    session_nonce_give(w->nonces, ORG_NUMBER, DEVICE, next);
    if (status != ST_OK) return refuse(w, status, next, out, err);
    return session_server_answer(request, w->key, code, slice_of(body, body_bytes), next, &w->mem,
                                 out, err);
}

static enum status ask_hello(struct world *w, struct session_http *out, struct err *err) {
    return session_hello_request(&w->laptop, SLICE("0.1.0"), &(struct chain){{3}}, &w->env, &w->mem,
                                 out, err);
}

static enum status serve_hello(struct world *w, const struct session_http *request,
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

static enum status greet(struct world *w, struct err *err) {
    struct session_http request, answer;
    struct hello_reply reply;
    TRY(ask_hello(w, &request, err));
    TRY(serve_hello(w, &request, &answer, err));
    return session_hello_reply(&w->laptop, &answer, &w->env, &w->mem, &reply, err);
}

static struct slice upload(void) {
    static const uint8_t body[BODY_UP] = "a round request, as wire would have written it";
    return slice_of(body, sizeof body);
}

static enum status ask_round(struct world *w, struct session_http *out, struct err *err) {
    return session_round_request(&w->laptop, "round", upload(), &w->mem, out, err);
}

static enum status go_round(struct world *w, struct slice *out, struct err *err) {
    struct session_http request, answer;
    TRY(ask_round(w, &request, err));
    TRY(serve_round(w, &request, 200, BODY_DOWN, &answer, err));
    return session_round_reply(&w->laptop, &answer, &w->mem, out, err);
}

/* ------------------------------------------------------------------ the conversation */

static enum status enroll(struct world *w, struct enroll_reply *out, struct err *err) {
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

TEST(a_laptop_enrols_greets_asks_and_waits) {
    struct world w;
    struct err err = {0};
    struct enroll_reply enrolled;
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(enroll(&w, &enrolled, &err));
    CHECK_INT(enrolled.device, DEVICE);
    CHECK_SLICE(enrolled.user, "li");
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(greet(&w, &err));
    CHECK(!session_needs_hello(&w.laptop, &w.env));
    CHECK(memcmp(w.key, w.laptop.key, MAC_BYTES) == 0);
    for (int i = 0; i < 12; i++) {
        CHECK_OK(go_round(&w, &message, &err));
        CHECK_INT(message.len, BODY_DOWN);
    }
    CHECK_OK(session_round_request(&w.laptop, "wait", SLICE("until 5"), &w.mem, &request, &err));
    CHECK_TEXT(request.path, "/acme/wait");
    CHECK_INT(session_request_device(&request), DEVICE);
    CHECK_OK(serve_round(&w, &request, 204, 0, &answer, &err));
    CHECK(session_http_field(&answer, "content-digest") == NULL);
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    CHECK_INT(message.len, 0);
    CHECK_OK(go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_key_is_renewed_after_a_day_of_the_boot_clock) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    w.boot_ms = 1000 + SESSION_KEY_MS - 1;
    CHECK(!session_needs_hello(&w.laptop, &w.env));
    w.boot_ms++;
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(greet(&w, &err));
    CHECK(!session_needs_hello(&w.laptop, &w.env));
    world_close(&w);
}

TEST(a_lost_reply_costs_no_extra_round_trip) {
    struct world w;
    struct err err = {0};
    struct session_http request, lost;
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(serve_round(&w, &request, 200, BODY_DOWN, &lost, &err));
    CHECK_OK(go_round(&w, &message, &err)); /* the reply never came; asked again */
    CHECK_STATUS((CHECK_OK(ask_round(&w, &request, &err)),
                  session_round_reply(&w.laptop, &lost, &w.mem, &message, &err)),
                 ST_UNAUTHENTIC); /* it comes late, as the reply to another */
    CHECK_OK(go_round(&w, &message, &err));
    CHECK_OK(ask_hello(&w, &request, &err)); /* a hello whose reply is lost */
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(greet(&w, &err));
    CHECK_OK(go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_wait_beside_the_rounds_disturbs_none) {
    struct world w;
    struct err err = {0};
    struct session waiter;
    struct session_http wait, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    for (int i = 0; i < 3; i++) {
        session_lend(&w.laptop, &waiter);
        CHECK_OK(session_round_request(&waiter, "wait", SLICE("w"), &w.mem, &wait, &err));
        CHECK_OK(serve_round(&w, &wait, 204, 0, &answer, &err));
        CHECK_OK(go_round(&w, &message, &err));
        CHECK_OK(go_round(&w, &message, &err));
        CHECK_OK(session_round_reply(&waiter, &answer, &w.mem, &message, &err));
    }
    world_close(&w);
}

TEST(a_restarted_server_gives_a_new_nonce_and_the_talk_goes_on) {
    struct world w;
    struct err err = {0};
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(go_round(&w, &message, &err));
    world_restart(&w);
    CHECK_STATUS(go_round(&w, &message, &err), ST_TRY_AGAIN);
    CHECK_INT(w.laptop.state, SESSION_READY);
    CHECK_OK(go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_key_that_the_server_lost_means_a_new_hello) {
    struct world w;
    struct err err = {0};
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    w.key[0] ^= 1;
    CHECK_STATUS(go_round(&w, &message, &err), ST_TRY_AGAIN);
    CHECK_INT(w.laptop.state, SESSION_NEW);
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(greet(&w, &err));
    CHECK_OK(go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_server_that_names_another_nonce_is_followed) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(
        session_server_answer(&request, w.key, 200, SLICE("x"), "Other.41", &w.mem, &answer, &err));
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    CHECK_TEXT(w.laptop.nonce, "Other.41");
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(
        session_server_answer(&request, w.key, 200, SLICE("x"), "not one", &w.mem, &answer, &err));
    CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_UNAUTHENTIC);
    world_close(&w);
}

/* ------------------------------------------------------------------ tampering */

/* Copies of a message in which one byte of one part is another. part: a field's number, then body,
 * path, method. */
enum { PARTS_MAX = SESSION_FIELDS_MAX + 3 };

static char *flip_text(struct world *w, const char *text, size_t at) {
    char *copy = arena_string(&w->mem, slice_from(text));
    CHECK(copy != NULL);
    copy[at] = copy[at] == 'x' ? 'y' : 'x';
    return copy;
}

/* false when the part has no byte at. */
static bool tamper(struct world *w, const struct session_http *m, size_t part, size_t at,
                   struct session_http *out) {
    *out = *m;
    if (part < SESSION_FIELDS_MAX) {
        if (part >= m->field_count || at >= strlen(m->fields[part].value)) return false;
        out->fields[part].value = flip_text(w, m->fields[part].value, at);
        return true;
    }
    if (part == SESSION_FIELDS_MAX) {
        if (at >= m->body.len) return false;
        struct slice body = arena_copy(&w->mem, m->body);
        ((uint8_t *)(uintptr_t)body.data)[at] ^= 1;
        out->body = body;
        return true;
    }
    const char **text = part == SESSION_FIELDS_MAX + 1 ? &out->path : &out->method;
    if (!*text || at >= strlen(*text)) return false;
    *text = flip_text(w, *text, at);
    return true;
}

TEST(no_byte_of_a_round_may_change) {
    struct world w;
    struct err err = {0};
    struct session_http request, bent;
    const char *nonce;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(session_server_round(&request, w.key, &w.mem, &nonce, &err));
    for (size_t part = 0; part < PARTS_MAX; part++) {
        for (size_t at = 0; tamper(&w, &request, part, at, &bent); at++) {
            CHECK(session_server_round(&bent, w.key, &w.mem, &nonce, &err) != ST_OK);
        }
    }
    world_close(&w);
}

TEST(no_byte_of_an_answer_may_change) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer, bent;
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
    for (size_t part = 0; part < PARTS_MAX; part++) {
        for (size_t at = 0; tamper(&w, &answer, part, at, &bent); at++) {
            struct session copy = w.laptop;
            CHECK_STATUS(session_round_reply(&copy, &bent, &w.mem, &message, &err), ST_UNAUTHENTIC);
            CHECK_INT(copy.state, SESSION_READY);
        }
    }
    bent = answer;
    bent.code = 204;
    struct session copy = w.laptop;
    CHECK_STATUS(session_round_reply(&copy, &bent, &w.mem, &message, &err), ST_UNAUTHENTIC);
    bent.body = (struct slice){0};
    copy = w.laptop;
    CHECK_STATUS(session_round_reply(&copy, &bent, &w.mem, &message, &err), ST_UNAUTHENTIC);
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    world_close(&w);
}

TEST(no_byte_of_a_hello_or_its_answer_may_change) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer, bent;
    struct hello_request hello;
    struct hello_reply reply;
    world_open(&w);
    CHECK_OK(ask_hello(&w, &request, &err));
    CHECK_OK(serve_hello(&w, &request, &answer, &err));
    for (size_t part = 0; part < PARTS_MAX; part++) {
        for (size_t at = 0; tamper(&w, &request, part, at, &bent); at++) {
            CHECK(session_server_hello(&bent, w.device_public, &w.mem, &hello, &err) != ST_OK);
        }
        for (size_t at = 0; tamper(&w, &answer, part, at, &bent); at++) {
            struct session copy = w.laptop;
            CHECK_STATUS(session_hello_reply(&copy, &bent, &w.env, &w.mem, &reply, &err),
                         ST_UNAUTHENTIC);
            CHECK_INT(copy.state, SESSION_NEW);
        }
    }
    CHECK_OK(session_hello_reply(&w.laptop, &answer, &w.env, &w.mem, &reply, &err));
    world_close(&w);
}

TEST(no_byte_of_an_enrolment_or_its_answer_may_change) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer, bent;
    struct enroll_request seen;
    struct enroll_reply reply = {.device = DEVICE,
                                 .user = SLICE("li"),
                                 .org_label = SLICE("Acme"),
                                 .epoch = 1},
                        got;
    world_open(&w);
    CHECK_OK(session_enroll_request(&w.identity, &w.link, SLICE("lap"), SLICE("0.1.0"), &w.mem,
                                    &request, &err));
    CHECK_OK(session_server_enroll_answer(&request, &reply, &w.org_key, &w.mem, &answer, &err));
    for (size_t part = 0; part < PARTS_MAX; part++) {
        for (size_t at = 0; tamper(&w, &request, part, at, &bent); at++) {
            CHECK(session_server_enroll(&bent, &w.mem, &seen, &err) != ST_OK);
        }
        for (size_t at = 0; tamper(&w, &answer, part, at, &bent); at++) {
            CHECK_STATUS(session_enroll_reply(&w.identity, &bent, &w.mem, &got, &err),
                         ST_UNAUTHENTIC);
        }
    }
    uint8_t seed[SIGN_SEED_BYTES] = {77};
    struct session_identity other = w.identity;
    other.key = sign_key_from_seed(seed);
    CHECK_OK(session_enroll_reply(&w.identity, &answer, &w.mem, &got, &err));
    CHECK_STATUS(session_enroll_reply(&other, &answer, &w.mem, &got, &err), ST_UNAUTHENTIC);
    world_close(&w);
}

TEST(a_captured_request_is_good_once) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    CHECK_OK(serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
    CHECK_INT(answer.code, 401);
    CHECK(session_http_field(&answer, "roadbook-NONCE") != NULL);
    CHECK(session_http_field(&answer, "Signature") == NULL);
    world_close(&w);
}

/* ------------------------------------------------------------------ what is not ours */

struct strict_row {
    const char *name;
    const char *input; /* Signature-Input; %s: the nonce */
    bool fine;
};

#define LIST "(\"@method\" \"@path\" \"content-type\" \"content-digest\")"
static const struct strict_row STRICT_ROWS[] = {
    {"as it is", "s=" LIST ";nonce=\"%s\";keyid=\"12\"", true},
    {"another order of parameters", "s=" LIST ";keyid=\"12\";nonce=\"%s\"", true},
    {"another label before it", "p=(\"date\");created=1, s=" LIST ";nonce=\"%s\";keyid=\"12\"",
     true},
    {"a comma inside another label's string",
     "p=();tag=\"a,s=()\", s=" LIST ";nonce=\"%s\";keyid=\"12\"", true},
    {"a label that begins like ours", "sx=(), s=" LIST ";nonce=\"%s\";keyid=\"12\"", true},
    {"our label twice", "s=" LIST ";nonce=\"%s\";keyid=\"12\", s=()", false},
    {"only another label", "p=" LIST ";nonce=\"%s\";keyid=\"12\"", false},
    {"one component less", "s=(\"@method\" \"@path\" \"content-type\");nonce=\"%s\";keyid=\"12\"",
     false},
    {"a component twice",
     "s=(\"@method\" \"@path\" \"content-type\" \"content-digest\" "
     "\"@path\");nonce=\"%s\";keyid=\"12\"",
     false},
    {"another order of components",
     "s=(\"@path\" \"@method\" \"content-type\" \"content-digest\");nonce=\"%s\";keyid=\"12\"",
     false},
    {"two blanks",
     "s=(\"@method\"  \"@path\" \"content-type\" \"content-digest\");nonce=\"%s\";keyid=\"12\"",
     false},
    {"no nonce", "s=" LIST ";keyid=\"12\"", false},
    {"no device", "s=" LIST ";nonce=\"%s\"", false},
    {"a nonce twice", "s=" LIST ";nonce=\"%s\";nonce=\"a\";keyid=\"12\"", false},
    {"a device twice", "s=" LIST ";nonce=\"%s\";keyid=\"12\";keyid=\"12\"", false},
    {"a device that is no number", "s=" LIST ";nonce=\"%s\";keyid=\"012\"", false},
    {"a device above 32 bits", "s=" LIST ";nonce=\"%s\";keyid=\"4294967296\"", false},
    {"an algorithm", "s=" LIST ";nonce=\"%s\";keyid=\"12\";alg=\"hmac-sha256\"", false},
    {"an expiry", "s=" LIST ";nonce=\"%s\";keyid=\"12\";expires=1", false},
    {"a string without end", "s=" LIST ";nonce=\"%s\";keyid=\"12", false},
    {"a member without name", "s=" LIST ";nonce=\"%s\";keyid=\"12\",,a=()", false},
    {"nothing", "", false},
    {"an empty nonce", "s=" LIST ";nonce=\"\";keyid=\"12\"", false},
    {"an escaped nonce", "s=" LIST ";nonce=\"a\\\"b\";keyid=\"12\"", false},
    {"a nonce that is too long",
     "s=" LIST ";nonce=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\";keyid=\"12\"", false},
    {"a nonce without quotes", "s=" LIST ";nonce=5;keyid=\"12\"", false},
    {"a device without quotes", "s=" LIST ";nonce=\"%s\";keyid=12", false},
    {"a time twice", "s=" LIST ";nonce=\"%s\";keyid=\"12\";created=1;created=1", false},
    {"a time without digits", "s=" LIST ";nonce=\"%s\";keyid=\"12\";created=", false},
    {"a time before 1970", "s=" LIST ";nonce=\"%s\";keyid=\"12\";created=-1", false},
    {"a parameter at the end", "s=" LIST ";nonce=\"%s\";keyid=\"12\";nonce=", false},
};

/* Signs with the right key what the row says, as a careless client would. */
static enum status strict_request(struct world *w, const struct strict_row *row,
                                  struct session_http *out, struct err *err) {
    struct signature_key key = {.mac = w->key};
    struct session_http request = {.method = "POST", .path = "/acme/round", .body = upload()};
    SCOPED(buf_free) struct buf input = buf_new(BUF_MAX_LINE);
    const char *hole = strstr(row->input, "%s");
    if (hole) {
        buf_put(&input, row->input, (size_t)(hole - row->input));
        buf_put_text(&input, "Tag_1234.5");
        buf_put_text(&input, hole + 2);
    } else {
        buf_put_text(&input, row->input);
    }
    fields_add(&request, "Content-Type", WIRE_MEDIA_TYPE);
    TRY(fields_add_digest(&request, &w->mem, err));
    struct slice member;
    const char *signed_input = LIST;
    if (fields_member(buf_slice(&input), "s", &member))
        signed_input = arena_string(&w->mem, member);
    enum status made = signature_add(&request, NULL, signed_input, &key, &w->mem, NULL, err);
    if (made != ST_OK) TRY(signature_add(&request, NULL, LIST, &key, &w->mem, NULL, err));
    for (size_t i = 0; i < request.field_count; i++) {
        if (strcmp(request.fields[i].name, "Signature-Input") != 0) continue;
        request.fields[i].value = arena_string(&w->mem, buf_slice(&input));
    }
    *out = request;
    return ST_OK;
}

TEST(only_the_one_form_of_a_signature_is_taken) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    for EACH(row, STRICT_ROWS) {
        struct session_http request;
        const char *nonce = NULL;
        CHECK_OK(strict_request(&w, row, &request, &err));
        enum status status = session_server_round(&request, w.key, &w.mem, &nonce, &err);
        CHECK_ROW_INT(row, status, row->fine ? ST_OK : ST_UNAUTHENTIC);
        if (row->fine) CHECK_ROW_TEXT(row, nonce, "Tag_1234.5");
    }
    world_close(&w);
}

TEST(a_field_that_comes_twice_is_refused) {
    struct world w;
    struct err err = {0};
    struct session_http request;
    const char *nonce;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    for (size_t i = 0; i < 4; i++) {
        struct session_http twice = request;
        fields_add(&twice, request.fields[i].name, request.fields[i].value);
        CHECK(session_server_round(&twice, w.key, &w.mem, &nonce, &err) != ST_OK);
    }
    world_close(&w);
}

struct path_row {
    const char *name;
    bool fine;
    const char *org, *what;
};

static const struct path_row PATH_ROWS[] = {
    {"/acme/round", true, "acme", "round"},
    {"/a-1_b/enroll", true, "a-1_b", "enroll"},
    {"/abcdefghijklmnopqrstuvwxyz012345/hello", true, "abcdefghijklmnopqrstuvwxyz012345", "hello"},
    {"/abcdefghijklmnopqrstuvwxyz0123456/hello", false, NULL, NULL},
    {"", false, NULL, NULL},
    {"/", false, NULL, NULL},
    {"/acme", false, NULL, NULL},
    {"/acme/", false, NULL, NULL},
    {"//round", false, NULL, NULL},
    {"acme/round", false, NULL, NULL},
    {"/acme/round/", false, NULL, NULL},
    {"/acme/round?x", false, NULL, NULL},
    {"/ACME/round", false, NULL, NULL},
    {"/../round", false, NULL, NULL},
};

TEST(a_path_names_an_org_and_what_is_wanted) {
    for EACH(row, PATH_ROWS) {
        char org[SESSION_ORG_BYTES_MAX + 1];
        const char *what = NULL;
        CHECK_ROW_INT(row, session_path(row->name, org, &what), row->fine);
        if (!row->fine) continue;
        CHECK_ROW_TEXT(row, org, row->org);
        CHECK_ROW_TEXT(row, what, row->what);
    }
}

/* ------------------------------------------------------------------ nonces */

TEST(a_nonce_is_good_once_and_no_older_one_after_it) {
    struct world w;
    struct err err = {0};
    char first[SESSION_NONCE_BYTES_MAX + 1], second[SESSION_NONCE_BYTES_MAX + 1],
        third[SESSION_NONCE_BYTES_MAX + 1];
    world_open(&w);
    session_nonce_give(w.nonces, 1, 2, first);
    nonces_next(first, second);
    nonces_next(second, third);
    CHECK_OK(session_nonce_take(w.nonces, 1, 2, second, &err));
    CHECK_STATUS(session_nonce_take(w.nonces, 1, 2, second, &err), ST_TRY_AGAIN);
    CHECK_STATUS(session_nonce_take(w.nonces, 1, 2, first, &err), ST_TRY_AGAIN);
    CHECK_STATUS(session_nonce_take(w.nonces, 1, 3, third, &err), ST_TRY_AGAIN);
    CHECK_STATUS(session_nonce_take(w.nonces, 2, 2, third, &err), ST_TRY_AGAIN);
    CHECK_STATUS(session_nonce_take(w.nonces, 1, 2, "", &err), ST_TRY_AGAIN);
    CHECK_STATUS(session_nonce_take(w.nonces, 1, 2, "x.1", &err), ST_TRY_AGAIN);
    CHECK_OK(session_nonce_take(w.nonces, 1, 2, third, &err));
    world_restart(&w);
    nonces_next(third, third);
    CHECK_STATUS(session_nonce_take(w.nonces, 1, 2, third, &err), ST_TRY_AGAIN);
    world_close(&w);
}

TEST(a_thousand_devices_do_not_disturb_each_other) {
    struct world w;
    struct err err = {0};
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    world_open(&w);
    for (uint32_t device = 1; device <= 1000; device++) {
        session_nonce_give(w.nonces, 1, device, nonce);
        CHECK_OK(session_nonce_take(w.nonces, 1, device, nonce, &err));
    }
    for (uint32_t device = 1; device <= 1000; device++) {
        session_nonce_give(w.nonces, 1, device, nonce);
        CHECK(strcmp(nonce + strlen(nonce) - 2, ".2") == 0);
        CHECK_OK(session_nonce_take(w.nonces, 1, device, nonce, &err));
        CHECK_STATUS(session_nonce_take(w.nonces, 1, device, nonce, &err), ST_TRY_AGAIN);
    }
    world_close(&w);
}

struct spelling_row {
    const char *name;
    bool fine;
};

static const struct spelling_row SPELLING_ROWS[] = {
    {"Ab-_0912.1", true},
    {"x.999999999999999", true},
    {"x.1000000000000000", false},
    {".1", false},
    {"x.", false},
    {"x", false},
    {"x.01", false},
    {"x.0", false},
    {"x.-1", false},
    {"x.1 ", false},
    {"x y.1", false},
    {"x\n.1", false},
    {"x.1.1", false},
    {"", false},
    {"abcdefghijabcdefghijabcdefghijabcdefghijabcdef.1", false},
};

TEST(a_nonce_has_one_spelling) {
    for EACH(row, SPELLING_ROWS)
        CHECK_ROW_INT(row, nonces_well_formed(slice_from(row->name)), row->fine);
}

/* ------------------------------------------------------------------ RFC 9421, appendix B.2 */

static const struct session_http RFC_REQUEST = {
    .method = "POST",
    .path = "/foo?param=Value&Pet=dog",
    .fields = {{"Host", "example.com"},
               {"Date", "Tue, 20 Apr 2021 02:07:55 GMT"},
               {"Content-Type", "application/json"},
               {"Content-Length", "18"}},
    .field_count = 4,
};

TEST(the_signature_of_rfc_9421_b_2_5_comes_out) {
    static const char secret[] =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    struct err err = {0};
    SCOPED(buf_free)
    struct buf key = buf_new(BUF_MAX_LINE), base = buf_new(BUF_MAX_LINE),
               text = buf_new(BUF_MAX_LINE);
    uint8_t mac[MAC_BYTES];
    CHECK(base64_decode(slice_from(secret), false, &key));
    CHECK_OK(signature_base(&RFC_REQUEST, NULL,
                            SLICE("(\"date\" \"@authority\" \"content-type\");created=1618884473"
                                  ";keyid=\"test-shared-secret\""),
                            &base, &err));
    CHECK_TEXT(buf_text(&base), "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                                "\"@authority\": example.com\n"
                                "\"content-type\": application/json\n"
                                "\"@signature-params\": (\"date\" \"@authority\" \"content-type\")"
                                ";created=1618884473;keyid=\"test-shared-secret\"");
    mac_sha256(buf_slice(&key), buf_slice(&base), mac);
    buf_put_base64(&text, slice_of(mac, sizeof mac), false);
    CHECK_TEXT(buf_text(&text), "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
}

TEST(the_signature_of_rfc_9421_b_2_6_comes_out) {
    struct err err = {0};
    SCOPED(buf_free)
    struct buf seed = buf_new(BUF_MAX_LINE), base = buf_new(BUF_MAX_LINE),
               text = buf_new(BUF_MAX_LINE);
    uint8_t bytes[SIGN_BYTES];
    CHECK_OK(crypto_start(&err));
    CHECK(base64_decode(SLICE("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU"), true, &seed));
    struct sign_key secret = sign_key_from_seed(seed.data);
    struct signature_key key = {.sign = &secret};
    CHECK_OK(signature_base(
        &RFC_REQUEST, NULL,
        SLICE("(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"
              ";created=1618884473;keyid=\"test-key-ed25519\""),
        &base, &err));
    CHECK_INT(signature_make(&key, buf_slice(&base), bytes), SIGN_BYTES);
    buf_put_base64(&text, slice_of(bytes, sizeof bytes), false);
    CHECK_TEXT(
        buf_text(&text),
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==");
}

struct base_row {
    const char *name;
    const char *input;
    const char *base; /* NULL: ST_MALFORMED */
};

static const struct base_row BASE_ROWS[] = {
    {"nothing covered", "();created=1", "\"@signature-params\": ();created=1"},
    {"of the request", "(\"@status\" \"date\";req)",
     "\"@status\": 200\n\"date\";req: Tue, 20 Apr 2021 02:07:55 GMT\n\"@signature-params\": "
     "(\"@status\" \"date\";req)"},
    {"an absent field", "(\"date\")", NULL},
    {"an unknown derived component", "(\"@query\";req)", NULL},
    {"an unknown parameter", "(\"date\";sf)", NULL},
    {"a component twice", "(\"@status\" \"@status\")", NULL},
    {"no list", "\"@status\"", NULL},
    {"a list without end", "(\"@status\"", NULL},
    {"a name without end", "(\"@status)", NULL},
    {"a comma", "(\"@status\",\"x\")", NULL},
    {"a value with a line end", "(\"bent\")", NULL},
    {"an empty name", "(\"\")", NULL},
    {"the code of a request", "(\"@status\";req)", NULL},
    {"the method of a reply", "(\"@method\")", NULL},
    {"the path of a reply", "(\"@path\")", NULL},
    {"a name that is too long",
     "(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")", NULL},
    {"too many components",
     "(\"@status\" \"@path\";req \"@method\";req \"date\";req \"host\";req \"content-type\";req"
     " \"a\" \"b\" \"c\" \"d\" \"e\" \"f\" \"g\" \"h\" \"i\" \"j\" \"k\")",
     NULL},
    {"the authority in capitals", "(\"@authority\")",
     "\"@authority\": book.example\n\"@signature-params\": (\"@authority\")"},
};

TEST(a_signature_base_has_a_line_for_each_component) {
    struct session_http reply = {.code = 200,
                                 .fields = {{"Bent", "a\n\"x\": y"}, {"Host", "Book.EXAMPLE"}},
                                 .field_count = 2};
    for EACH(row, BASE_ROWS) {
        SCOPED(buf_free) struct buf base = buf_new(BUF_MAX_LINE);
        enum status status =
            signature_base(&reply, &RFC_REQUEST, slice_from(row->input), &base, NULL);
        CHECK_ROW_INT(row, status, row->base ? ST_OK : ST_MALFORMED);
        if (row->base) CHECK_ROW_TEXT(row, buf_text(&base), row->base);
    }
}

/* ------------------------------------------------------------------ problems */

TEST(a_problem_arrives_as_it_was_sent) {
    struct world w;
    struct err err = {0}, sent, got = {0};
    struct session_http answer;
    world_open(&w);
    (void)err_set(&sent, ST_NOT_FOUND, "no such \"thing\"", "没有此“内容”");
    CHECK_OK(session_server_problem(&sent, NULL, &w.mem, &answer, &err));
    CHECK_INT(answer.code, 404);
    CHECK_SLICE(answer.body,
                "{\"type\":\"about:blank\",\"title\":\"not found\",\"status\":404,"
                "\"detail\":\"no such "
                "\\\"thing\\\"\",\"detail_zh\":\"没有此“内容”\",\"code\":\"NOT_FOUND\"}");
    CHECK_INT(session_problem(&answer, &got), ST_NOT_FOUND);
    CHECK_TEXT(got.text[LANG_EN], sent.text[LANG_EN]);
    CHECK_TEXT(got.text[LANG_ZH], sent.text[LANG_ZH]);
    CHECK_INT(session_problem(&answer, NULL), ST_NOT_FOUND);
    world_close(&w);
}

struct problem_row {
    const char *name;
    int code;
    const char *type, *body;
    enum status expected;
};

static const struct problem_row PROBLEM_ROWS[] = {
    {"a proxy's page", 502, "text/html", "<h1>Bad gateway</h1>", ST_OFFLINE},
    {"a busy server", 503, NULL, "", ST_BUSY},
    {"too many requests", 429, NULL, "", ST_BUSY},
    {"too large", 413, NULL, "", ST_TOO_LARGE},
    {"a sign-in page", 302, "text/html", "", ST_OFFLINE},
    {"a network that wants a sign-in", 511, NULL, "", ST_OFFLINE},
    {"an unknown code", 418, NULL, "", ST_OFFLINE},
    {"an old server", 426, NULL, "", ST_VERSION},
    {"broken JSON", 403, "application/problem+json", "{\"code\":", ST_DENIED},
    {"JSON of another kind", 403, "application/problem+json", "[1]", ST_DENIED},
    {"no code", 410, "application/problem+json", "{\"title\":\"x\"}", ST_GONE},
    {"an unknown code name", 500, "application/problem+json", "{\"code\":\"WHATEVER\"}",
     ST_INTERNAL},
    {"a problem that says all is well", 500, "application/problem+json", "{\"code\":\"OK\"}",
     ST_INTERNAL},
    {"a code alone", 409, "application/problem+json; charset=utf-8", "{\"code\":\"CLONED\"}",
     ST_CLONED},
    {"the server's full disk", 507, "application/problem+json",
     "{\"code\":\"DISK\",\"detail\":\"full\"}", ST_DISK},
};

TEST(every_refusal_becomes_a_status_and_a_text) {
    for EACH(row, PROBLEM_ROWS) {
        struct session_http reply = {.code = row->code, .body = slice_from(row->body)};
        struct err err = {0};
        if (row->type) fields_add(&reply, "content-type", row->type);
        CHECK_ROW_INT(row, session_problem(&reply, &err), row->expected);
        CHECK_ROW_INT(row, err.status, row->expected);
        CHECK_ROW(row, err.text[LANG_EN][0] && err.text[LANG_ZH][0]);
    }
}

TEST(a_strangers_text_cannot_move_the_cursor) {
    struct session_http reply = {.code = 403,
                                 .body =
                                     SLICE("{\"code\":\"DENIED\",\"detail\":\"a\\u001b[2Jb\\nc\"}"),
                                 .fields = {{"Content-Type", "application/problem+json"}},
                                 .field_count = 1};
    struct err err = {0};
    CHECK_INT(session_problem(&reply, &err), ST_DENIED);
    CHECK_TEXT(err.text[LANG_EN], "a [2Jb c");
}

TEST(a_revoked_laptop_hears_what_the_server_says) {
    static const enum status codes[] = {ST_DENIED, ST_GONE};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        struct world w;
        struct err err = {0};
        struct session_http request, answer;
        struct slice message;
        world_open(&w);
        CHECK_OK(greet(&w, &err));
        CHECK_OK(ask_round(&w, &request, &err));
        CHECK_OK(refuse(&w, codes[i], NULL, &answer, &err));
        CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_DENIED);
        CHECK_TEXT(err.text[LANG_EN], "refused");
        CHECK_INT(err.status, ST_DENIED);
        CHECK_OK(ask_hello(&w, &request, &err));
        CHECK_STATUS(
            session_hello_reply(&w.laptop, &answer, &w.env, &w.mem, &(struct hello_reply){0}, &err),
            codes[i]);
        CHECK_INT(w.laptop.state, SESSION_NEW);
        world_close(&w);
    }
}

/* ------------------------------------------------------------------ links */

TEST(a_link_reads_as_it_was_written) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    for (int pinned = 0; pinned < 2; pinned++) {
        struct session_link got;
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
        w.link.has_tls_pin = pinned;
        w.link.tls_pin[3] = pinned ? 5 : 0;
        CHECK_OK(session_link_write(&w.link, &text, &err));
        CHECK_OK(session_link_read(buf_slice(&text), &got, &err));
        CHECK_TEXT(got.base_url, w.link.base_url);
        CHECK_TEXT(got.org, "acme");
        CHECK(memcmp(got.code, w.link.code, sizeof got.code) == 0);
        CHECK(memcmp(got.org_public, w.link.org_public, sizeof got.org_public) == 0);
        CHECK_INT(got.has_tls_pin, pinned);
        CHECK(memcmp(got.tls_pin, w.link.tls_pin, sizeof got.tls_pin) == 0);
    }
    world_close(&w);
}

struct link_row {
    const char *name;
    const char *text;
    const char *says; /* in the English text; NULL: fine */
};

#define CODE "AAAAAAAAAAAAAAAAAAAAAA"
#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
static const struct link_row LINK_ROWS[] = {
    {"fine", "https://b.cn/acme/enroll#" CODE "." KEY, NULL},
    {"with blanks around", "  https://b.cn:443/acme/enroll#" CODE "." KEY "." KEY "\n", NULL},
    {"an IPv6 address", "https://[2001:db8::1]:8443/acme/enroll#" CODE "." KEY, NULL},
    {"an IPv6 address without port", "https://[::1]/acme/enroll#" CODE "." KEY, NULL},
    {"empty", " ", "empty"},
    {"no #", "https://b.cn/acme/enroll", "too early"},
    {"http", "http://b.cn/acme/enroll#" CODE "." KEY, "https://"},
    {"the code alone", "#" CODE "." KEY, "https://"},
    {"not enroll", "https://b.cn/acme/join#" CODE "." KEY, "/enroll"},
    {"no host", "https:///acme/enroll#" CODE "." KEY, "address"},
    {"a user in the address", "https://me@b.cn/acme/enroll#" CODE "." KEY, "address"},
    {"port 0", "https://b.cn:0/acme/enroll#" CODE "." KEY, "address"},
    {"port 65536", "https://b.cn:65536/acme/enroll#" CODE "." KEY, "address"},
    {"port empty", "https://b.cn:/acme/enroll#" CODE "." KEY, "address"},
    {"brackets open", "https://[::1/acme/enroll#" CODE "." KEY, "address"},
    {"brackets empty", "https://[]/acme/enroll#" CODE "." KEY, "address"},
    {"brackets with a name", "https://[xyz]/acme/enroll#" CODE "." KEY, "address"},
    {"no org", "https://b.cn/enroll#" CODE "." KEY, "organisation"},
    {"an org in capitals", "https://b.cn/ACME/enroll#" CODE "." KEY, "organisation"},
    {"two orgs", "https://b.cn/a/b/enroll#" CODE "." KEY, "organisation"},
    {"cut after #", "https://b.cn/acme/enroll#", "too early"},
    {"cut after the code", "https://b.cn/acme/enroll#" CODE, "too early"},
    {"cut after the dot", "https://b.cn/acme/enroll#" CODE ".", "too early"},
    {"a short code", "https://b.cn/acme/enroll#AAAA." KEY, "its code"},
    {"a code in another alphabet", "https://b.cn/acme/enroll#AAAAAAAAAAAAAAAAAAAA+A." KEY,
     "its code"},
    {"a cut key", "https://b.cn/acme/enroll#" CODE ".AAAA", "its key"},
    {"a long key", "https://b.cn/acme/enroll#" CODE "." KEY "AAAA", "its key"},
    {"a cut pin", "https://b.cn/acme/enroll#" CODE "." KEY ".AAAA", "certificate pin"},
    {"something behind it", "https://b.cn/acme/enroll#" CODE "." KEY "." KEY ".x",
     "behind the link"},
    {"a comma behind it", "https://b.cn/acme/enroll#" CODE "." KEY ",", "its key"},
};

TEST(each_way_to_spoil_a_link_has_a_text_of_its_own) {
    for EACH(row, LINK_ROWS) {
        struct session_link link;
        struct err err = {0};
        enum status status = session_link_read(slice_from(row->text), &link, &err);
        CHECK_ROW_INT(row, status, row->says ? ST_INVALID : ST_OK);
        if (row->says) CHECK_ROW(row, strstr(err.text[LANG_EN], row->says) != NULL);
        CHECK_ROW(row, strstr(err.text[LANG_EN], CODE) == NULL);
    }
}

TEST(a_link_that_is_far_too_long_is_refused) {
    struct session_link link;
    struct err err = {0};
    char text[600];
    memset(text, 'a', sizeof text);
    CHECK_STATUS(session_link_read(slice_of(text, sizeof text), &link, &err), ST_INVALID);
    memcpy(text, "https://", 8);
    memcpy(text + 300, "/o/enroll#", 10);
    CHECK_STATUS(session_link_read(slice_of(text, 400), &link, &err), ST_INVALID);
}

/* ------------------------------------------------------------------ size */

static size_t lines_bytes(const struct session_http *m) {
    size_t bytes = 0;
    for (size_t i = 0; i < m->field_count; i++) {
        bytes += strlen(m->fields[i].name) + 2 + strlen(m->fields[i].value) + 2;
    }
    return bytes;
}

TEST(an_idle_round_takes_at_most_700_bytes_of_http) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    w.identity.device = DEVICE;
    CHECK_OK(greet(&w, &err));
    for (int i = 0; i < 1000; i++) CHECK_OK(go_round(&w, &message, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
    size_t up = strlen("POST  HTTP/1.1\r\n") + strlen(request.path) +
                strlen("Host: book.example.com:8443\r\n") + strlen("Content-Length: 70\r\n") +
                lines_bytes(&request) + strlen("\r\n") + BODY_UP;
    size_t down = strlen("HTTP/1.1 200 OK\r\n") + strlen("Content-Length: 40\r\n") +
                  lines_bytes(&answer) + strlen("\r\n") + BODY_DOWN;
    printf("an idle round: %zu bytes up, %zu down, %zu together\n", up, down, up + down);
    CHECK(up + down <= 700);
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    world_close(&w);
}

/* ------------------------------------------------------------------ memory */

static enum status whole_talk(struct world *w, struct err *err) {
    struct enroll_reply enrolled;
    struct slice message;
    session_start(&w->laptop, &w->identity);
    TRY(enroll(w, &enrolled, err));
    TRY(greet(w, err));
    TRY(go_round(w, &message, err));
    return go_round(w, &message, err);
}

TEST(memory_that_runs_out_anywhere_spoils_nothing) {
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        struct world w;
        struct err err = {0};
        world_open(&w);
        fault_arm(n);
        enum status status = whole_talk(&w, &err);
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(status, fired ? ST_NO_MEMORY : ST_OK);
        CHECK_OK(whole_talk(&w, &err));
        world_close(&w);
    }
}

TEST(memory_that_runs_out_under_links_and_problems_is_said) {
    struct world w;
    struct err err = {0}, problem;
    struct session_link link;
    struct session_http answer;
    bool fired = true;
    world_open(&w);
    (void)err_set(&problem, ST_BUSY, "busy", "忙");
    for (size_t n = 1; fired; n++) {
        SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
        fault_arm(n);
        enum status status = session_link_write(&w.link, &text, &err);
        if (status == ST_OK) status = session_link_read(buf_slice(&text), &link, &err);
        if (status == ST_OK)
            status = session_server_problem(&problem, "x.1", &w.mem, &answer, &err);
        fired = fault_fired();
        fault_disarm();
        CHECK_INT(status, fired ? ST_NO_MEMORY : ST_OK);
    }
    world_close(&w);
}

/* Where no memory is left to read a problem, its HTTP code still says what to do. */
TEST(a_problem_is_understood_without_memory) {
    struct session_http reply = {.code = 503,
                                 .body = SLICE("{\"code\":\"BUSY\",\"detail\":\"busy\"}"),
                                 .fields = {{"Content-Type", "application/problem+json"}},
                                 .field_count = 1};
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        struct err err = {0};
        fault_arm(n);
        enum status status = session_problem(&reply, &err);
        fired = fault_fired();
        fault_disarm();
        CHECK(status == ST_BUSY || (fired && status == ST_NO_MEMORY));
        CHECK_INT(err.status, status);
    }
}

/* An arena that is full at each place in turn. */
TEST(an_arena_that_is_full_anywhere_spoils_nothing) {
    enum status status = ST_NO_MEMORY;
    for (size_t cap = 0; status != ST_OK; cap += 8) {
        struct world w;
        struct err err = {0};
        world_open(&w);
        w.mem.cap = cap;
        status = whole_talk(&w, &err);
        CHECK(status == ST_OK || status == ST_NO_MEMORY);
        w.mem.cap = ARENA_CAP_DEFAULT;
        CHECK_OK(whole_talk(&w, &err));
        world_close(&w);
    }
}

TEST(memory_that_runs_out_under_nonces_is_said) {
    struct world w;
    struct err err = {0};
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    world_open(&w);
    for (size_t n = 1; n <= 2; n++) {
        struct session_nonces *none = NULL;
        fault_arm(n);
        CHECK_STATUS(session_nonces_open(&w.env, &none, &err), ST_NO_MEMORY);
        fault_disarm();
        CHECK(none == NULL);
    }
    uint32_t device = 0;
    enum status status = ST_OK;
    while (status == ST_OK) {
        session_nonce_give(w.nonces, 1, ++device, nonce);
        fault_arm(1);
        status = session_nonce_take(w.nonces, 1, device, nonce, &err);
        fault_disarm();
    }
    CHECK_INT(status, ST_NO_MEMORY);
    CHECK_OK(session_nonce_take(w.nonces, 1, device, nonce, &err));
    CHECK_STATUS(session_nonce_take(w.nonces, 1, device, "AAAAAAAA.9", &err), ST_TRY_AGAIN);
    session_nonces_close(NULL);
    world_close(&w);
}

/* ------------------------------------------------------------------ peers that are well signed and
 * wrong */

TEST(a_server_that_greets_wrongly_is_refused) {
    static const struct {
        const char *name;
        const char *nonce;
        int64_t key_ms;
    } rows[] = {{"no nonce", "", 1000},
                {"a nonce that is none", "x", 1000},
                {"a key without life", "x.1", 0}};
    for EACH(row, rows) {
        struct world w;
        struct err err = {0};
        struct session_http request, answer;
        struct hello_request hello;
        world_open(&w);
        CHECK_OK(ask_hello(&w, &request, &err));
        CHECK_OK(session_server_hello(&request, w.device_public, &w.mem, &hello, &err));
        struct hello_reply reply = {.key_ms = row->key_ms,
                                    .nonce = slice_from(row->nonce),
                                    .release = SLICE("1"),
                                    .minimum_release = SLICE("1")};
        CHECK_OK(session_server_hello_answer(&request, &hello, &reply, &w.org_key, &w.env,
                                             &w.mem, w.key, &answer, &err));
        CHECK_ROW(row, session_hello_reply(&w.laptop, &answer, &w.env, &w.mem, &reply, &err) !=
                           ST_OK);
        CHECK_ROW_INT(row, w.laptop.state, SESSION_NEW);
        world_close(&w);
    }
}

TEST(a_box_key_of_low_order_is_refused) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct hello_request hello;
    struct hello_reply reply = {
        .key_ms = 1, .nonce = SLICE("x.1"), .release = SLICE("1"), .minimum_release = SLICE("1")};
    world_open(&w);
    CHECK_OK(ask_hello(&w, &request, &err));
    CHECK_OK(session_server_hello(&request, w.device_public, &w.mem, &hello, &err));
    memset(hello.box_public, 0, sizeof hello.box_public);
    CHECK_STATUS(session_server_hello_answer(&request, &hello, &reply, &w.org_key, &w.env, &w.mem,
                                             w.key, &answer, &err),
                 ST_MALFORMED);
    world_close(&w);
}

TEST(a_greeting_for_another_device_number_is_refused) {
    struct world w;
    struct err err = {0};
    struct session_http request;
    struct hello_request hello;
    struct signature_key key = {.sign = &w.identity.key};
    world_open(&w);
    CHECK_OK(ask_hello(&w, &request, &err));
    struct session_http other = {
        .method = request.method, .path = request.path, .body = request.body};
    fields_add(&other, "Content-Type", WIRE_MEDIA_TYPE);
    CHECK_OK(fields_add_digest(&other, &w.mem, &err));
    CHECK_OK(signature_add(&other, NULL, LIST ";created=5;keyid=\"13\"", &key, &w.mem, NULL, &err));
    CHECK_INT(session_request_device(&other), 13);
    CHECK_STATUS(session_server_hello(&other, w.device_public, &w.mem, &hello, &err), ST_MALFORMED);
    other.field_count = 1;
    CHECK_INT(session_request_device(&other), 0);
    world_close(&w);
}

TEST(an_enrolment_that_the_server_refuses_says_why) {
    struct world w;
    struct err err = {0};
    struct session_http answer;
    struct enroll_reply got;
    world_open(&w);
    CHECK_OK(refuse(&w, ST_GONE, NULL, &answer, &err));
    CHECK_STATUS(session_enroll_reply(&w.identity, &answer, &w.mem, &got, &err), ST_GONE);
    CHECK_TEXT(err.text[LANG_ZH], "拒绝");
    world_close(&w);
}

TEST(a_busy_server_changes_nothing) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(greet(&w, &err));
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(refuse(&w, ST_BUSY, "not a nonce", &answer, &err));
    CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_BUSY);
    CHECK_INT(w.laptop.state, SESSION_READY);
    CHECK_OK(ask_round(&w, &request, &err));
    CHECK_OK(refuse(&w, ST_TRY_AGAIN, "not a nonce", &answer, &err));
    CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_TRY_AGAIN);
    CHECK_INT(w.laptop.state, SESSION_NEW);
    world_close(&w);
}
