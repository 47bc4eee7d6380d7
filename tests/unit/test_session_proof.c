/* The conversation's proofs: that nothing changed on the way is believed, that nothing is believed
 * twice, and that signatures are those of RFC 9421. */
#include <string.h>

#include "protocol/session/fields.h"
#include "protocol/session/nonces.h"
#include "protocol/session/signature.h"
#include "tests/unit/check.h"
#include "tests/unit/session_world.h"

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
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
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
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
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
    CHECK_OK(world_ask_hello(&w, &request, &err));
    CHECK_OK(world_serve_hello(&w, &request, &answer, &err));
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
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    CHECK_OK(world_serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
    CHECK_OK(session_round_reply(&w.laptop, &answer, &w.mem, &message, &err));
    CHECK_OK(world_serve_round(&w, &request, 200, BODY_DOWN, &answer, &err));
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
    {"a device of letters", "s=" LIST ";nonce=\"%s\";keyid=\"a\"", false},
    {"a device of eleven digits", "s=" LIST ";nonce=\"%s\";keyid=\"12345678901\"", false},
    {"a time in letters", "s=" LIST ";nonce=\"%s\";keyid=\"12\";created=x", false},
    {"cut in a string", "s=" LIST ";nonce=\"%s\";keyid=\"", false},
    {"our label without a value", "s, s=" LIST ";nonce=\"%s\";keyid=\"12\"", true},
    {"blanks around", "\t s=" LIST ";nonce=\"%s\";keyid=\"12\" \t", true},
    {"a parameter at the end", "s=" LIST ";nonce=\"%s\";keyid=\"12\";nonce=", false},
};

/* Signs with the right key what the row says, as a careless client would. */
static enum status strict_request(struct world *w, const struct strict_row *row,
                                  struct session_http *out, struct err *err) {
    struct signature_key key = {.mac = w->key};
    struct session_http request = {.method = "POST", .path = "/acme/round", .body = world_upload()};
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
    for
        EACH (row, STRICT_ROWS) {
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
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    for (size_t i = 0; i < 4; i++) {
        struct session_http twice = request;
        fields_add(&twice, request.fields[i].name, request.fields[i].value);
        CHECK(session_server_round(&twice, w.key, &w.mem, &nonce, &err) != ST_OK);
    }
    world_close(&w);
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
    char *far = arena_printf(&w.mem, "%.8s.%d", first, (1 << 20) + 3);
    CHECK_STATUS(session_nonce_take(w.nonces, 1, 2, far, &err), ST_TRY_AGAIN);
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
    {"x.1/", false},
    {"x.1:", false},
    {"x[.1", false},
    {"x{.1", false},
    {"x:.1", false},
    {"x/.1", false},
    {"x@.1", false},
    {"x`.1", false},
    {"x.-1", false},
    {"x.1 ", false},
    {"x y.1", false},
    {"x\n.1", false},
    {"x.1.1", false},
    {"", false},
    {"abcdefghijabcdefghijabcdefghijabcdefghijabcdef.1", false},
    {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefg.1", false},
};

TEST(a_nonce_has_one_spelling) {
    for
        EACH (row, SPELLING_ROWS)
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
    {"a list that begins without a name", "(x)", NULL},
    {"a name that only begins", "(\"", NULL},
    {"a value with a tab", "(\"tabbed\")", "\"tabbed\": a\tb\n\"@signature-params\": (\"tabbed\")"},
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
    struct session_http reply = {
        .code = 200,
        .fields = {{"Bent", "a\n\"x\": y"}, {"Host", "Book.EXAMPLE"}, {"Tabbed", "a\tb"}},
        .field_count = 3};
    for
        EACH (row, BASE_ROWS) {
            SCOPED(buf_free) struct buf base = buf_new(BUF_MAX_LINE);
            enum status status =
                signature_base(&reply, &RFC_REQUEST, slice_from(row->input), &base, NULL);
            CHECK_ROW_INT(row, status, row->base ? ST_OK : ST_MALFORMED);
            if (row->base) CHECK_ROW_TEXT(row, buf_text(&base), row->base);
        }
}

TEST(a_message_that_lacks_what_is_signed_has_no_base) {
    static const struct {
        const char *name, *input;
        struct session_http message;
        bool has_request;
    } rows[] = {
        {"no request", "(\"date\";req)", {.code = 200}, false},
        {"an empty path", "(\"@path\")", {.path = ""}, true},
        {"a path with a line end", "(\"@path\")", {.path = "/a\nb"}, true},
        {"a method with a line end", "(\"@method\")", {.method = "GET\n"}, true},
        {"a code below all", "(\"@status\")", {.code = 99}, true},
        {"a code above all", "(\"@status\")", {.code = 1000}, true},
    };
    for
        EACH (row, rows) {
            SCOPED(buf_free) struct buf base = buf_new(BUF_MAX_LINE);
            const struct session_http *request = row->has_request ? &RFC_REQUEST : NULL;
            CHECK_ROW_INT(
                row, signature_base(&row->message, request, slice_from(row->input), &base, NULL),
                ST_MALFORMED);
        }
}

/* A round whose Signature, or another field, stands there in another form. value NULL: the field is
 * missing. */
TEST(only_the_one_form_of_a_proof_is_taken) {
    static const struct {
        const char *name, *field, *value;
    } rows[] = {
        {"no bytes", "Signature", NULL},
        {"bytes of another label", "Signature", "t=:AAAA:"},
        {"nothing behind our label", "Signature", "s="},
        {"one colon", "Signature", "s=:"},
        {"two colons", "Signature", "s=::"},
        {"no colon before", "Signature", "s=AAAA:"},
        {"no colon behind", "Signature", "s=:AAAA"},
        {"not base64", "Signature", "s=:!!!!:"},
        {"too few", "Signature", "s=:AAAA:"},
        {"too many", "Signature",
         "s=:"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAA:"},
        {"no digest", "Content-Digest", NULL},
        {"no input", "Signature-Input", NULL},
        {"no type", "Content-Type", NULL},
    };
    struct world w;
    struct err err = {0};
    struct session_http request;
    const char *nonce;
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    for
        EACH (row, rows) {
            struct session_http bent = request;
            bent.field_count = 0;
            for (size_t i = 0; i < request.field_count; i++) {
                bool same = strcmp(request.fields[i].name, row->field) == 0;
                if (same && !row->value) continue;
                fields_add(&bent, request.fields[i].name,
                           same ? row->value : request.fields[i].value);
            }
            CHECK_ROW(row, session_server_round(&bent, w.key, &w.mem, &nonce, &err) != ST_OK);
        }
    world_close(&w);
}

TEST(a_list_of_signed_components_is_not_longer_than_ours_can_be) {
    struct world w;
    struct err err = {0};
    struct session_http request;
    struct signature_params params;
    static char input[1024];
    world_open(&w);
    CHECK_OK(world_greet(&w, &err));
    CHECK_OK(world_ask_round(&w, &request, &err));
    memset(input, 'a', sizeof input - 1);
    memcpy(input, "s=" LIST ";nonce=\"", strlen("s=" LIST ";nonce=\""));
    input[sizeof input - 2] = '"';
    for (size_t i = 0; i < request.field_count; i++) {
        if (strcmp(request.fields[i].name, "Signature-Input") == 0) request.fields[i].value = input;
    }
    CHECK_STATUS(signature_read(&request, LIST, &params, &err), ST_UNAUTHENTIC);
    world_close(&w);
}
