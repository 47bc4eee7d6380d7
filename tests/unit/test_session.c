/* The conversation of laptop and server, in memory: that it works, that it goes on after what is
 * lost or refused, and that memory which runs out spoils nothing. */
#include <stdio.h>
#include <string.h>

#include "protocol/session/fields.h"
#include "protocol/session/nonces.h"
#include "protocol/session/signature.h"
#include "tests/unit/check.h"
#include "tests/unit/fault.h"
#include "tests/unit/session_world.h"

/* ------------------------------------------------------------------ the conversation */

TEST(a_laptop_enrols_greets_asks_and_waits) {
    struct world w;
    struct err err = {0};
    struct enroll_reply enrolled;
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(world_enroll(&w, &enrolled, &err));
    CHECK_INT(enrolled.device, DEVICE);
    CHECK_SLICE(enrolled.user, "li");
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(world_greet(&w, &err));
    CHECK(!session_needs_hello(&w.laptop, &w.env));
    CHECK(memcmp(w.key, w.laptop.key, MAC_BYTES) == 0);
    for (int i = 0; i < 12; i++) {
        CHECK_OK(world_go_round(&w, &message, &err));
        CHECK_INT(message.len, BODY_DOWN);
    }
    CHECK_OK(session_round_request(&w.laptop, "wait", SLICE("until 5"), &w.mem, &request, &err));
    CHECK_TEXT(request.path, "/acme/wait");
    CHECK_INT(session_request_device(&request), DEVICE);
    CHECK_OK(world_serve_round(&w, &request, 204, 0, &answer, &err));
    CHECK(session_http_field(&answer, "content-digest") == NULL);
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    CHECK_INT(message.len, 0);
    CHECK_OK(world_go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_key_is_renewed_after_a_day_of_the_boot_clock) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    w.boot_ms = 1000 + SESSION_KEY_MS - 1;
    CHECK(!session_needs_hello(&w.laptop, &w.env));
    w.boot_ms++;
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(world_greet(&w, &err));
    CHECK(!session_needs_hello(&w.laptop, &w.env));
    world_close(&w);
}

TEST(a_lost_reply_costs_no_extra_round_trip) {
    struct world w;
    struct err err = {0};
    struct session_http request, lost;
    struct slice message;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_serve_round(&w, &request, 200, BODY_DOWN, &lost, &err));
    CHECK_OK(world_go_round(&w, &message, &err)); /* the reply never came; asked again */
    CHECK_STATUS((CHECK_OK(world_ask_round(&w, &request, &err)),
                  session_round_reply(&w.laptop, &lost, &w.mem, &message, &err)),
                 ST_UNAUTHENTIC); /* it comes late, as the reply to another */
    CHECK_OK(world_go_round(&w, &message, &err));
    CHECK_OK(world_ask_hello(&w, &request, &err)); /* a hello whose reply is lost */
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_wait_beside_the_rounds_disturbs_none) {
    struct world w;
    struct err err = {0};
    struct session waiter;
    struct session_http wait, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    for (int i = 0; i < 3; i++) {
        session_lend(&w.laptop, &waiter);
        CHECK_OK(session_round_request(&waiter, "wait", SLICE("w"), &w.mem, &wait, &err));
        CHECK_OK(world_serve_round(&w, &wait, 204, 0, &answer, &err));
        CHECK_OK(world_go_round(&w, &message, &err));
        CHECK_OK(world_go_round(&w, &message, &err));
        CHECK_OK(session_round_reply(&waiter, &answer, &w.mem, &message, &err));
    }
    world_close(&w);
}

TEST(a_restarted_server_gives_a_new_nonce_and_the_talk_goes_on) {
    struct world w;
    struct err err = {0};
    struct slice message;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_go_round(&w, &message, &err));
    world_restart(&w);
    CHECK_STATUS(world_go_round(&w, &message, &err), ST_TRY_AGAIN);
    CHECK_INT(w.laptop.state, SESSION_READY);
    CHECK_OK(world_go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_key_that_the_server_lost_means_a_new_hello) {
    struct world w;
    struct err err = {0};
    struct slice message;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    w.key[0] ^= 1;
    CHECK_STATUS(world_go_round(&w, &message, &err), ST_TRY_AGAIN);
    CHECK_INT(w.laptop.state, SESSION_NEW);
    CHECK(session_needs_hello(&w.laptop, &w.env));
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_go_round(&w, &message, &err));
    world_close(&w);
}

TEST(a_server_that_names_another_nonce_is_followed) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(
        session_server_answer(&request, w.key, 200, SLICE("x"), "Other.41", &w.mem, &answer, &err));
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    CHECK_TEXT(w.laptop.nonce, "Other.41");
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(
        session_server_answer(&request, w.key, 200, SLICE("x"), "not one", &w.mem, &answer, &err));
    CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_UNAUTHENTIC);
    world_close(&w);
}

TEST(a_revoked_laptop_hears_what_the_server_says) {
    static const enum status codes[] = {ST_DENIED, ST_GONE};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        struct world w;
        struct err err = {0};
        struct session_http request, answer;
        struct slice message;
        world_open(&w);
        CHECK_OK(world_greet(&w, &err));
        CHECK_OK(world_ask_round(&w, &request, &err));
        CHECK_OK(world_refuse(&w, codes[i], NULL, &answer, &err));
        CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_DENIED);
        CHECK_TEXT(err.text[LANG_EN], "refused");
        CHECK_INT(err.status, ST_DENIED);
        CHECK_OK(world_ask_hello(&w, &request, &err));
        CHECK_STATUS(
            session_hello_reply(&w.laptop, &answer, &w.env, &w.mem, &(struct hello_reply){0}, &err),
            codes[i]);
        CHECK_INT(w.laptop.state, SESSION_NEW);
        world_close(&w);
    }
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
    CHECK_OK(world_greet(&w, &err));
    for (int i = 0; i < 1000; i++) CHECK_OK(world_go_round(&w, &message, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
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
    TRY(world_enroll(w, &enrolled, err));
    TRY(world_greet(w, err));
    TRY(world_go_round(w, &message, err));
    return world_go_round(w, &message, err);
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
    for
        EACH (row, rows) {
            struct world w;
            struct err err = {0};
            struct session_http request, answer;
            struct hello_request hello;
            world_open(&w);
            CHECK_OK(world_ask_hello(&w, &request, &err));
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
    CHECK_OK(world_ask_hello(&w, &request, &err));
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
    CHECK_OK(world_ask_hello(&w, &request, &err));
    struct session_http other = {
        .method = request.method, .path = request.path, .body = request.body};
    fields_add(&other, "Content-Type", WIRE_MEDIA_TYPE);
    CHECK_OK(fields_add_digest(&other, &w.mem, &err));
    CHECK_OK(signature_add(&other, NULL, SIGNATURE_REQUEST ";created=5;keyid=\"13\"", &key, &w.mem,
                           NULL, &err));
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
    CHECK_OK(world_refuse(&w, ST_GONE, NULL, &answer, &err));
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
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_refuse(&w, ST_BUSY, "not a nonce", &answer, &err));
    CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_BUSY);
    CHECK_INT(w.laptop.state, SESSION_READY);
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_refuse(&w, ST_TRY_AGAIN, "not a nonce", &answer, &err));
    CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_TRY_AGAIN);
    CHECK_INT(w.laptop.state, SESSION_NEW);
    world_close(&w);
}

/* A request as the device signs it, around any body. */
static struct session_http signed_request(struct world *w, const char *path, struct slice body,
                                          const char *params) {
    struct err err = {0};
    struct signature_key key = {.sign = &w->identity.key};
    struct session_http request = {.method = "POST", .path = path, .body = body};
    char *input = arena_printf(&w->mem, SIGNATURE_REQUEST "%s", params);
    fields_add(&request, "Content-Type", WIRE_MEDIA_TYPE);
    CHECK_OK(fields_add_digest(&request, &w->mem, &err));
    CHECK_OK(signature_add(&request, NULL, input, &key, &w->mem, NULL, &err));
    return request;
}

TEST(a_well_signed_body_that_is_no_message_is_refused) {
    struct world w;
    struct err err = {0};
    struct enroll_request enroll;
    struct hello_request hello;
    struct session_http answer;
    world_open(&w);
    struct session_http request = signed_request(&w, "/acme/enroll", SLICE("rubbish"), "");
    CHECK_STATUS(session_server_enroll(&request, &w.mem, &enroll, &err), ST_MALFORMED);
    struct enroll_reply reply = {.device = 1, .user = SLICE("li"), .org_label = SLICE("A")};
    CHECK_STATUS(session_server_enroll_answer(&request, &reply, &w.org_key, &w.mem, &answer, &err),
                 ST_MALFORMED);
    request = signed_request(&w, "/acme/hello", SLICE("rubbish"), ";created=5;keyid=\"12\"");
    CHECK_STATUS(session_server_hello(&request, w.device_public, &w.mem, &hello, &err),
                 ST_MALFORMED);
    world_close(&w);
}

TEST(a_greeting_of_no_device_is_refused) {
    struct world w;
    struct err err = {0};
    SCOPED(buf_free) struct buf body = buf_new(BUF_MAX_LINE);
    struct hello_request hello = {.device = 0, .release = SLICE("1")};
    world_open(&w);
    CHECK_OK(wire_write_hello_request(&hello, &body, &err));
    struct session_http request = signed_request(&w, "/acme/hello", buf_slice(&body), ";created=5");
    CHECK_STATUS(session_server_hello(&request, w.device_public, &w.mem, &hello, &err),
                 ST_MALFORMED);
    world_close(&w);
}

/* What the org's key signs as the answer to a hello. */
static struct session_http signed_greeting(struct world *w, const struct session_http *request,
                                           struct slice body) {
    struct err err = {0};
    struct signature_key key = {.sign = &w->org_key};
    struct session_http answer = {.code = 200, .body = body};
    CHECK_OK(fields_add_digest(&answer, &w->mem, &err));
    CHECK_OK(signature_add(&answer, request, SIGNATURE_REPLY, &key, &w->mem, NULL, &err));
    return answer;
}

TEST(a_well_signed_greeting_without_content_is_refused) {
    struct world w;
    struct err err = {0};
    SCOPED(buf_free) struct buf body = buf_new(BUF_MAX_LINE);
    struct session_http request;
    struct hello_reply reply = {
        .key_ms = 1, .nonce = SLICE("x.1"), .release = SLICE("1"), .minimum_release = SLICE("1")};
    world_open(&w);
    CHECK_OK(world_ask_hello(&w, &request, &err));
    struct session_http answer = signed_greeting(&w, &request, SLICE("rubbish"));
    CHECK_STATUS(session_hello_reply(&w.laptop, &answer, &w.env, &w.mem, &reply, &err),
                 ST_MALFORMED);
    CHECK_INT(w.laptop.state, SESSION_NEW);
    CHECK_OK(world_ask_hello(&w, &request, &err)); /* the box key of the reply is all zeros */
    CHECK_OK(wire_write_hello_reply(&reply, &body, &err));
    answer = signed_greeting(&w, &request, buf_slice(&body));
    CHECK_STATUS(session_hello_reply(&w.laptop, &answer, &w.env, &w.mem, &reply, &err),
                 ST_MALFORMED);
    CHECK_INT(w.laptop.state, SESSION_NEW);
    world_close(&w);
}

TEST(a_clock_before_1970_greets_all_the_same) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    w.wall_ms = -5000;
    CHECK_OK(world_greet(&w, &err));
    world_close(&w);
}

TEST(an_answer_may_name_no_nonce) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(session_server_answer(&request, w.key, 200, SLICE("x"), NULL, &w.mem, &answer, &err));
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    CHECK_OK(world_go_round(&w, &message, &err));
    struct session_http strange = signed_request(&w, "/acme/round", SLICE("x"), ";nonce=\"y\"");
    CHECK_OK(session_server_answer(&strange, w.key, 200, SLICE("x"), "z.1", &w.mem, &answer, &err));
    CHECK(strstr(session_http_field(&answer, "Signature-Input"), ";nonce=\"z.1\"") != NULL);
    world_close(&w);
}

TEST(a_refusal_of_another_kind_is_no_reason_to_greet_again) {
    struct world w;
    struct err err = {0};
    struct session_http request, answer;
    struct slice message;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_refuse(&w, ST_DENIED, NULL, &answer, &err));
    answer.code = 401;
    CHECK_STATUS(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err), ST_DENIED);
    CHECK_INT(w.laptop.state, SESSION_READY);
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_refuse(&w, ST_GONE, NULL, &answer, &err));
    CHECK_INT(session_round_reply(&w.laptop, &answer, &w.mem, &message, NULL), ST_DENIED);
    world_close(&w);
}

TEST(a_refusal_and_an_answer_need_room_in_the_arena) {
    struct world w;
    struct err err = {0}, problem;
    struct session_http request, answer;
    world_open(&w);
    (void)err_set(&problem, ST_BUSY, "busy", "忙");
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    enum status status = ST_NO_MEMORY;
    for (size_t cap = 0; status != ST_OK; cap += 8) {
        SCOPED(arena_clear) struct arena small = arena_new(cap);
        status = session_server_problem(&problem, "x.1", &small, &answer, &err);
        if (status == ST_OK)
            status = session_server_answer(&request, w.key, 200, SLICE("x"), "Other.41", &small,
                                           &answer, &err);
        CHECK(status == ST_OK || status == ST_NO_MEMORY);
    }
    world_close(&w);
}
