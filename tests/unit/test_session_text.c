/* What the conversation reads from people and strangers: paths, problems, enrolment links. */
#include <string.h>

#include "protocol/session/fields.h"
#include "tests/unit/check.h"
#include "tests/unit/fault.h"
#include "tests/unit/session_world.h"

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
    {"/a{/round", false, NULL, NULL},
    {"/a:/round", false, NULL, NULL},
};

TEST(a_path_names_an_org_and_what_is_wanted) {
    for
        EACH (row, PATH_ROWS) {
            char org[SESSION_ORG_BYTES_MAX + 1];
            const char *what = NULL;
            CHECK_ROW_INT(row, session_path(row->name, org, &what), row->fine);
            if (!row->fine) continue;
            CHECK_ROW_TEXT(row, org, row->org);
            CHECK_ROW_TEXT(row, what, row->what);
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
    {"too many requests", 429, NULL, "", ST_LIMITED},
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
    {"a detail that is empty", 403, "application/problem+json",
     "{\"code\":\"DENIED\",\"detail\":\"\",\"detail_zh\":\"\"}", ST_DENIED},
    {"the server's full disk", 507, "application/problem+json",
     "{\"code\":\"DISK\",\"detail\":\"full\"}", ST_DISK},
};

TEST(every_refusal_becomes_a_status_and_a_text) {
    for
        EACH (row, PROBLEM_ROWS) {
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
                                 .body = SLICE("{\"code\":\"DENIED\",\"detail\":\"a\\u001b["
                                               "2Jb\\nc\\u007fd\\u009b2Je\\u00a0f\\u00e9\"}"),
                                 .fields = {{"Content-Type", "application/problem+json"}},
                                 .field_count = 1};
    struct err err = {0};
    CHECK_INT(session_problem(&reply, &err), ST_DENIED);
    CHECK_TEXT(err.text[LANG_EN], "a [2Jb c d  2Je\u00a0f\u00e9");
}

TEST(a_problem_of_many_pages_is_not_read) {
    static char page[17 * 1024];
    struct session_http reply = {.code = 403,
                                 .body = slice_of(page, sizeof page),
                                 .fields = {{"Content-Type", "application/problem+json"}},
                                 .field_count = 1};
    static const char text[] = "{\"code\":\"GONE\"}";
    struct err err = {0};
    memset(page, ' ', sizeof page);
    memcpy(page, text, sizeof text - 1);
    CHECK_INT(session_problem(&reply, &err), ST_DENIED);
    reply.body.len = 16 * 1024;
    CHECK_INT(session_problem(&reply, &err), ST_GONE);
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
    {"a host in capitals, with digits and a hyphen",
     "https://Book-1.EXAMPLE.cn/a_1-b/enroll#" CODE "." KEY, NULL},
    {"an IPv6 address with an IPv4 address in it",
     "https://[::FFFF:1.2.3.4]/acme/enroll#" CODE "." KEY, NULL},
    {"nothing between scheme and enroll", "https://enroll#" CODE "." KEY, "/enroll"},
    {"the scheme alone", "https://#" CODE "." KEY, "/enroll"},
    {"neither host nor org", "https:///enroll#" CODE "." KEY, "address"},
    {"a host with _", "https://b_c.cn/acme/enroll#" CODE "." KEY, "address"},
    {"a host with ;", "https://b;c.cn/acme/enroll#" CODE "." KEY, "address"},
    {"a host with {", "https://b{c.cn/acme/enroll#" CODE "." KEY, "address"},
    {"a port that is a name", "https://b.cn:x/acme/enroll#" CODE "." KEY, "address"},
    {"a port with a letter", "https://b.cn:8x/acme/enroll#" CODE "." KEY, "address"},
    {"a port below the digits", "https://b.cn:-1/acme/enroll#" CODE "." KEY, "address"},
    {"brackets with a comma", "https://[::1,2]/acme/enroll#" CODE "." KEY, "address"},
    {"brackets with a semicolon", "https://[::1;2]/acme/enroll#" CODE "." KEY, "address"},
    {"brackets with an at", "https://[::@1]/acme/enroll#" CODE "." KEY, "address"},
    {"something behind the brackets", "https://[::1]x/acme/enroll#" CODE "." KEY, "address"},
    {"an org with a colon", "https://b.cn/a:b/enroll#" CODE "." KEY, "organisation"},
    {"an org with {", "https://b.cn/a{b/enroll#" CODE "." KEY, "organisation"},
    {"an org that is too long",
     "https://b.cn/abcdefghijklmnopqrstuvwxyz0123456/enroll#" CODE "." KEY, "organisation"},
    {"a cut key", "https://b.cn/acme/enroll#" CODE ".AAAA", "its key"},
    {"a long key", "https://b.cn/acme/enroll#" CODE "." KEY "AAAA", "its key"},
    {"a cut pin", "https://b.cn/acme/enroll#" CODE "." KEY ".AAAA", "certificate pin"},
    {"something behind it", "https://b.cn/acme/enroll#" CODE "." KEY "." KEY ".x",
     "behind the link"},
    {"a comma behind it", "https://b.cn/acme/enroll#" CODE "." KEY ",", "its key"},
};

TEST(each_way_to_spoil_a_link_has_a_text_of_its_own) {
    for
        EACH (row, LINK_ROWS) {
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
