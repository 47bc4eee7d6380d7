/* Bytes become messages for both ends of the conversation: fields, a body and a code, cut at line
 * ends. Whatever they are, neither end may crash, and neither may take for proved what nobody
 * signed.
 *
 * Form of an input: the code, the path and then lines of "name: value" up to an empty line; the
 * rest is the body. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t zero_clock(void *ctx) {
    (void)ctx;
    return 0;
}

static uint64_t zero_id(void *ctx) {
    (void)ctx;
    return 0;
}

static void sevens(void *ctx, void *out, size_t bytes) {
    (void)ctx;
    memset(out, 7, bytes);
}

static const struct env ENV = {
    .wall_ms = zero_clock, .boot_ms = zero_clock, .boot_id = zero_id, .random = sevens};

static bool next_line(struct slice *rest, struct slice *out) {
    return slice_cut(rest, '\n', out) && out->len > 0;
}

/* false when memory is exhausted. */
static bool message_from(struct slice input, struct arena *mem, struct session_http *out) {
    struct slice line, name;
    *out = (struct session_http){.method = "POST"};
    if (next_line(&input, &line)) {
        int64_t code = 0;
        (void)text_to_int(line, &code);
        out->code = (int)(code % 1000);
    }
    out->path = next_line(&input, &line) ? arena_string(mem, line) : "/";
    while (out->field_count < SESSION_FIELDS_MAX && next_line(&input, &line)) {
        if (!slice_cut(&line, ':', &name)) break;
        struct session_field field = {arena_string(mem, name), arena_string(mem, slice_trim(line))};
        if (!field.name || !field.value) return false;
        out->fields[out->field_count++] = field;
    }
    out->body = input;
    return out->path != NULL;
}

static struct session_identity identity_of_tests(void) {
    uint8_t seed[SIGN_SEED_BYTES] = {1};
    struct session_identity identity = {
        .org = "acme", .device = 12, .key = sign_key_from_seed(seed)};
    sign_public(&identity.key, identity.org_public);
    return identity;
}

static void server_reads(const struct session_http *m, struct arena *mem) {
    uint8_t key[MAC_BYTES] = {5}, public_key[SIGN_PUBLIC_BYTES] = {9};
    char org[SESSION_ORG_BYTES_MAX + 1];
    const char *text;
    struct enroll_request enroll;
    struct hello_request hello;
    struct session_http answer;
    (void)session_path(m->path, org, &text);
    (void)session_request_device(m);
    (void)!session_server_enroll(m, mem, &enroll,
                                 NULL); /* proves only that the sender has the key it names */
    if (session_server_hello(m, public_key, mem, &hello, NULL) == ST_OK) abort();
    if (session_server_round(m, key, mem, &text, NULL) == ST_OK) abort();
    (void)!session_server_answer(m, key, 200, SLICE("x"), "a.1", mem, &answer, NULL);
}

static void laptop_reads(const struct session_http *m, struct arena *mem) {
    struct session_identity identity = identity_of_tests();
    struct session laptop;
    struct session_http request;
    struct hello_reply hello;
    struct enroll_reply enrolled;
    struct slice message;
    struct err err;
    session_start(&laptop, &identity);
    if (session_hello_request(&laptop, SLICE("0"), &(struct chain){{0}}, &ENV, mem, &request,
                              NULL) == ST_OK &&
        session_hello_reply(&laptop, m, &ENV, mem, &hello, &err) == ST_OK) {
        abort();
    }
    if (session_enroll_reply(&identity, m, mem, &enrolled, &err) == ST_OK) abort();
    session_start(&laptop, &identity);
    memset(laptop.key, 3, sizeof laptop.key);
    memcpy(laptop.nonce, "Tag.1", 6);
    laptop.state = SESSION_READY;
    if (session_round_request(&laptop, "round", SLICE("x"), mem, &request, NULL) == ST_OK &&
        session_round_reply(&laptop, m, mem, &message, &err) == ST_OK) {
        abort();
    }
}

static void link_reads(struct slice input) {
    struct session_link link, again;
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    if (session_link_read(input, &link, NULL) != ST_OK) return;
    if (session_link_write(&link, &text, NULL) != ST_OK) return;
    if (session_link_read(buf_slice(&text), &again, NULL) == ST_INVALID) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena mem = arena_new(64 * 1024 * 1024);
    struct session_http message;
    if (crypto_start(NULL) != ST_OK) abort();
    if (message_from(slice_of(data, size), &mem, &message)) {
        server_reads(&message, &mem);
        laptop_reads(&message, &mem);
    }
    link_reads(slice_of(data, size));
    arena_clear(&mem);
    return 0;
}
