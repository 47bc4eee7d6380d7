/* The org's key changes: statements, chains of them, and what a laptop makes of both, without a
 * store and without a server. */
#include "protocol/session/bundle.h"
#include "protocol/wire/succession.h"
#include "tests/unit/check.h"
#include "tests/unit/session_world.h"

#include <string.h>

enum { KEYS = 5 };
static struct sign_key keys[KEYS];
static uint8_t publics[KEYS][SIGN_PUBLIC_BYTES];
static struct key_change changes[KEYS - 1]; /* from each key to the next */
static struct err err;

static struct sign_key key_of(uint8_t seed) {
    uint8_t bytes[SIGN_SEED_BYTES] = {seed};
    return sign_key_from_seed(bytes);
}

/* The org of these tests: five keys one after the other. */
static void begin(void) {
    for (uint8_t i = 0; i < KEYS; i++) {
        keys[i] = key_of((uint8_t)(i == 0 ? 1 : 50 + i)); /* the first is that of session_world.c */
        sign_public(&keys[i], publics[i]);
    }
    for (uint32_t i = 0; i + 1 < KEYS; i++) {
        changes[i] = (struct key_change){.time_ms = 1000 * (i + 1), .seq = 10 * (i + 1)};
        key_change_make(&changes[i], publics[0], i + 1, &keys[i], &keys[i + 1]);
    }
}

/* Changes first + 1 ... total, of which the first total are told. */
static struct key_changes told(uint32_t first, uint32_t total) {
    return (struct key_changes){.total = total, .items = changes + first, .count = total - first};
}

/* A laptop that has heard of so many changes; 0: the key of its link is key number link. */
static struct key_trust trusts(uint32_t heard, int link) {
    struct key_trust trust = {.changes = heard};
    memcpy(trust.first, publics[0], SIGN_PUBLIC_BYTES);
    memcpy(trust.now, publics[heard > 0 ? heard : (uint32_t)link], SIGN_PUBLIC_BYTES);
    return trust;
}

TEST(a_statement_is_what_the_document_says) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    begin();
    buf_put_text(&text, "roadbook key 1\n");
    buf_put(&text, publics[0], SIGN_PUBLIC_BYTES);
    buf_put_varint(&text, 2);
    buf_put(&text, publics[1], SIGN_PUBLIC_BYTES);
    buf_put(&text, publics[2], SIGN_PUBLIC_BYTES);
    buf_put_signed(&text, 2000);
    buf_put_varint(&text, 20);
    CHECK(sign_check(publics[1], buf_slice(&text), changes[1].by_old));
    CHECK(sign_check(publics[2], buf_slice(&text), changes[1].by_new));
}

TEST(from_any_key_a_chain_leads_to_the_newest_and_to_the_first) {
    begin();
    const struct {
        const char *name;
        uint32_t heard;
        int link;
        uint32_t from, total;
    } rows[] = {
        {"a link of the first key", 0, 0, 0, 4},
        {"a link of one between: backwards as well", 0, 2, 0, 4},
        {"a link of the newest: backwards alone", 0, 4, 0, 4},
        {"heard of one", 1, 0, 1, 4},
        {"heard of all but one", 3, 0, 3, 4},
        {"one change", 0, 0, 0, 1},
        {"all of them, to one who knows some", 2, 0, 0, 4},
        {"some that are known", 2, 0, 1, 4},
    };
    for
        EACH (row, rows) {
            struct key_trust trust = trusts(row->heard, row->link), out;
            struct key_changes news = told(row->from, row->total);
            CHECK_ROW_INT(row, key_trust_follow(&trust, &news, &out, &err), ST_OK);
            CHECK_ROW_INT(row, out.changes, row->total);
            CHECK_ROW(row, memcmp(out.now, publics[row->total], SIGN_PUBLIC_BYTES) == 0);
            CHECK_ROW(row, memcmp(out.first, publics[0], SIGN_PUBLIC_BYTES) == 0);
        }
}

TEST(without_news_all_stays_as_it_is) {
    begin();
    struct key_changes none = {0}, nothing_new = {.total = 2};
    struct key_trust trust = trusts(0, 3), out;
    CHECK_OK(key_trust_follow(&trust, &none, &out, &err)); /* never changed: it is the first */
    CHECK_INT(out.changes, 0);
    CHECK(memcmp(out.first, publics[3], SIGN_PUBLIC_BYTES) == 0);
    trust = trusts(2, 0);
    CHECK_OK(key_trust_follow(&trust, &nothing_new, &out, &err));
    CHECK_INT(out.changes, 2);
    CHECK(memcmp(out.now, publics[2], SIGN_PUBLIC_BYTES) == 0);
}

TEST(whoever_knows_fewer_changes_has_an_older_key) {
    begin();
    struct key_trust trust = trusts(3, 0), out;
    for (uint32_t total = 0; total < 3; total++) {
        struct key_changes older = {.total = total};
        CHECK_STATUS(key_trust_follow(&trust, &older, &out, &err), ST_CONFLICT);
        older = told(0, total); /* a thief tells what he has */
        CHECK_STATUS(key_trust_follow(&trust, &older, &out, &err), ST_CONFLICT);
    }
}

static void refused(const struct key_trust *trust, const struct key_changes *news) {
    struct key_trust out = {.changes = 77};
    CHECK_STATUS(key_trust_follow(trust, news, &out, &err), ST_UNAUTHENTIC);
    CHECK_INT(out.changes, 77);
}

TEST(one_wrong_bit_anywhere_is_refused) {
    begin();
    struct key_trust trust = trusts(0, 0);
    for (size_t i = 0; i < 3; i++) {
        uint8_t *at = (uint8_t *)&changes[i];
        for (size_t byte = 0; byte < sizeof changes[i]; byte++) {
            struct key_changes news = told(0, 3);
            at[byte] ^= 4;
            refused(&trust, &news);
            at[byte] ^= 4;
        }
    }
}

/* Who has an old key can sign with it, and with one of his own; not with the one that came. */
TEST(a_thief_of_an_old_key_leads_nobody_away_who_knows_the_next) {
    begin();
    struct sign_key thief = key_of(99);
    struct key_change his[3] = {changes[0], {.time_ms = 1, .seq = 1}};
    struct key_changes news = {.total = 2, .items = his + 1, .count = 1};
    struct key_trust knows_one = trusts(1, 0), knows_none = trusts(0, 0), out;
    key_change_make(&his[1], publics[0], 2, &keys[0], &thief); /* beside the true chain */
    refused(&knows_one, &news);
    memcpy(his[1].old_public, publics[1], SIGN_PUBLIC_BYTES); /* as if from the key that it knows */
    refused(&knows_one, &news);
    news = (struct key_changes){.total = 2, .items = his, .count = 2};
    refused(&knows_none, &news); /* and his does not go on from the true one */
    key_change_make(&his[0], publics[0], 1, &keys[0], &thief);
    news = (struct key_changes){.total = 1, .items = his, .count = 1};
    CHECK_OK(key_trust_follow(&knows_none, &news, &out, &err)); /* SECURITY.md says so */
}

TEST(statements_of_another_org_out_of_turn_or_with_gaps_are_refused) {
    begin();
    struct key_change other[3], mixed[2];
    struct key_trust none = trusts(0, 0), one = trusts(1, 0);
    uint8_t strange[SIGN_PUBLIC_BYTES] = {7};
    for (uint32_t i = 0; i < 3; i++) { /* the same keys, said of an org with another first key */
        other[i] = changes[i];
        key_change_make(&other[i], strange, i + 1, &keys[i], &keys[i + 1]);
    }
    struct key_changes news = {.total = 3, .items = other, .count = 3};
    refused(&none, &news);
    news = (struct key_changes){.total = 3, .items = other + 1, .count = 2};
    refused(&one, &news);
    mixed[0] = changes[0]; /* 1, 3 */
    mixed[1] = changes[2];
    news = (struct key_changes){.total = 2, .items = mixed, .count = 2};
    refused(&none, &news);
    news = told(1, 4); /* from 2 on, to one who knows none */
    refused(&none, &news);
    news = told(2, 4); /* from 3 on, to one who knows one */
    refused(&one, &news);
    news = told(0, 4);
    struct key_trust stranger = trusts(0, 0);
    memcpy(stranger.now, strange, SIGN_PUBLIC_BYTES); /* a key that is not among them */
    refused(&stranger, &news);
}

/* ------------------------------------------------------------------ coding */

TEST(a_chain_comes_back_and_none_that_is_cut) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_LINE);
    begin();
    struct key_changes news = told(1, 4), back;
    CHECK_OK(keys_write(&news, &buf, &err));
    CHECK(buf.len <= 2 + SIGN_PUBLIC_BYTES + 3 * (SIGN_PUBLIC_BYTES + 2 * SIGN_BYTES + 4));
    CHECK_OK(keys_read(buf_slice(&buf), &mem, &back, &err));
    CHECK_INT(back.total, 4);
    CHECK_INT((int)back.count, 3);
    CHECK(memcmp(back.items, changes + 1, 3 * sizeof *changes) == 0);
    for (size_t len = 0; len < buf.len; len++)
        CHECK_STATUS(keys_read(slice_of(buf.data, len), &mem, &back, &err), ST_MALFORMED);
    buf_put_byte(&buf, 0);
    CHECK_STATUS(keys_read(buf_slice(&buf), &mem, &back, &err), ST_MALFORMED);
}

TEST(there_are_64_changes_at_most) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    SCOPED(buf_free) struct buf buf = buf_new(BUF_MAX_LINE);
    static struct key_change many[KEY_CHANGES_MAX + 1];
    struct key_changes news = {.total = 64, .items = many, .count = 64}, back;
    CHECK_INT(KEY_CHANGES_MAX, 64);
    CHECK_OK(keys_write(&news, &buf, &err));
    CHECK_OK(keys_read(buf_slice(&buf), &mem, &back, &err));
    news = (struct key_changes){.total = 65, .items = many, .count = 65};
    CHECK_STATUS(keys_write(&news, &buf, &err), ST_TOO_LARGE);
    CHECK_STATUS(keys_read(SLICE("\x41\x00"), &mem, &back, &err), ST_MALFORMED); /* 65 in all */
    CHECK_STATUS(keys_read(SLICE("\x02\x03"), &mem, &back, &err), ST_MALFORMED); /* 3 of 2 */
}

TEST(an_org_that_never_changed_its_key_costs_no_byte) {
    SCOPED(buf_free) struct buf one = buf_new(BUF_MAX_LINE);
    SCOPED(buf_free) struct buf two = buf_new(BUF_MAX_LINE);
    begin();
    struct hello_reply never = {.release = SLICE("1")}, once = never;
    once.keys = (struct key_changes){.total = 1};
    CHECK_OK(wire_write_hello_reply(&never, &one, &err));
    CHECK_OK(wire_write_hello_reply(&once, &two, &err));
    CHECK_INT((int)(two.len - one.len), 4); /* tag, length, total, none of them new */
    buf_reset(&one);
    buf_reset(&two);
    struct hello_request knows_none = {.device = 1}, knows_one = {.device = 1, .key_changes = 1};
    CHECK_OK(wire_write_hello_request(&knows_none, &one, &err));
    CHECK_OK(wire_write_hello_request(&knows_one, &two, &err));
    CHECK_INT((int)(two.len - one.len), 3);
}

/* ------------------------------------------------------------------ greeting and enrolling */

/* The server of session_world.c signs with the key at place now, and tells from change from on. */
static enum status greet(struct world *w, uint32_t from, uint32_t now) {
    struct session_http request, answer;
    struct hello_request hello;
    struct hello_reply reply = {.key_ms = SESSION_KEY_MS,
                                .nonce = SLICE("x.1"),
                                .release = SLICE("1"),
                                .minimum_release = SLICE("1"),
                                .keys = told(from, now)};
    CHECK_OK(world_ask_hello(w, &request, &err));
    CHECK_OK(session_server_hello(&request, w->device_public, &w->mem, &hello, &err));
    CHECK_INT(hello.key_changes, w->laptop.identity.key_changes);
    CHECK_OK(session_server_hello_answer(&request, &hello, &reply, &keys[now], &w->env, &w->mem,
                                         w->key, &answer, &err));
    return session_hello_reply(&w->laptop, &answer, &w->env, &w->mem, &reply, &err);
}

TEST(a_greeting_brings_the_newest_key_and_none_before_it_is_believed_again) {
    struct world w;
    begin();
    world_open(&w);
    CHECK_OK(greet(&w, 0, 0));
    CHECK_INT(w.laptop.identity.key_changes, 0);
    session_start(&w.laptop, &w.laptop.identity);
    CHECK_OK(greet(&w, 0, 2)); /* two at once */
    CHECK_INT(w.laptop.identity.key_changes, 2);
    CHECK(memcmp(w.laptop.identity.org_public, publics[2], SIGN_PUBLIC_BYTES) == 0);
    CHECK(memcmp(w.laptop.identity.org_first, publics[0], SIGN_PUBLIC_BYTES) == 0);
    session_start(&w.laptop, &w.laptop.identity);
    CHECK_OK(greet(&w, 2, 2)); /* nothing new */
    for (uint32_t old = 0; old < 2; old++) {
        struct session before = w.laptop;
        CHECK_STATUS(greet(&w, 0, old), ST_CONFLICT);
        CHECK_INT(w.laptop.state, SESSION_NEW);
        CHECK(memcmp(&before.identity, &w.laptop.identity, sizeof before.identity) == 0);
    }
    CHECK_OK(greet(&w, 2, 4));
    CHECK_INT(w.laptop.identity.key_changes, 4);
    world_close(&w);
}

/* It tells of the newest key, but cannot sign with it. */
TEST(a_chain_without_its_last_key_proves_nothing) {
    struct world w;
    struct session_http request, answer;
    struct hello_request hello;
    begin();
    world_open(&w);
    struct hello_reply reply = {.key_ms = SESSION_KEY_MS,
                                .nonce = SLICE("x.1"),
                                .release = SLICE("1"),
                                .minimum_release = SLICE("1"),
                                .keys = told(0, 2)};
    for (int old = 0; old < 2; old++) {
        CHECK_OK(world_ask_hello(&w, &request, &err));
        CHECK_OK(session_server_hello(&request, w.device_public, &w.mem, &hello, &err));
        CHECK_OK(session_server_hello_answer(&request, &hello, &reply, &keys[old], &w.env, &w.mem,
                                             w.key, &answer, &err));
        CHECK_STATUS(session_hello_reply(&w.laptop, &answer, &w.env, &w.mem, &reply, &err),
                     ST_UNAUTHENTIC);
        CHECK_INT(w.laptop.identity.key_changes, 0);
    }
    world_close(&w);
}

TEST(a_link_of_any_key_enrols) {
    begin();
    for (int link = 0; link < 3; link++) {
        struct world w;
        struct session_http request, answer;
        struct enroll_request seen;
        struct enroll_reply reply = {.device = 3, .keys = told(0, 2)}, got;
        world_open(&w);
        struct session_identity mine = w.identity;
        memcpy(mine.org_public, publics[link], SIGN_PUBLIC_BYTES);
        CHECK_OK(
            session_enroll_request(&mine, &w.link, SLICE("x"), SLICE("1"), &w.mem, &request, &err));
        CHECK_OK(session_server_enroll(&request, &w.mem, &seen, &err));
        CHECK_OK(session_server_enroll_answer(&request, &reply, &keys[2], &w.mem, &answer, &err));
        CHECK_OK(session_enroll_reply(&mine, &answer, &w.mem, &got, &err));
        CHECK_INT(mine.key_changes, 2);
        CHECK(memcmp(mine.org_public, publics[2], SIGN_PUBLIC_BYTES) == 0);
        CHECK(memcmp(mine.org_first, publics[0], SIGN_PUBLIC_BYTES) == 0);
        mine = w.identity;
        memcpy(mine.org_public, publics[4],
               SIGN_PUBLIC_BYTES); /* of a life that it does not know */
        CHECK_STATUS(session_enroll_reply(&mine, &answer, &w.mem, &got, &err), ST_UNAUTHENTIC);
        CHECK(memcmp(mine.org_public, publics[4], SIGN_PUBLIC_BYTES) == 0);
        world_close(&w);
    }
}

/* ------------------------------------------------------------------ sticks */

static struct slice stick(struct arena *mem, const struct sign_key *author,
                          const struct key_changes *news, const struct sign_key *to) {
    static const uint8_t ephemeral[BOX_SECRET_BYTES] = {5};
    uint8_t reader[SIGN_PUBLIC_BYTES];
    struct slice messages[] = {SLICE("question"), SLICE("answer")}, file;
    struct bundle bundle = {.kind = BUNDLE_DOWN,
                            .org = "acme",
                            .device = 17,
                            .messages = messages,
                            .message_count = 2,
                            .keys = *news};
    sign_public(to, reader);
    CHECK_OK(bundle_write(&bundle, author, reader, ephemeral, mem, &file, &err));
    return file;
}

TEST(a_stick_from_head_office_carries_the_chain) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct sign_key laptop = key_of(9), thief = key_of(99);
    struct key_changes all, none = {0};
    struct bundle bundle;
    begin();
    all = told(0, 3);
    struct slice file = stick(&mem, &keys[3], &all, &laptop);
    for (uint32_t heard = 0; heard < 4; heard++) { /* the whole chain, whatever it knows */
        struct key_trust trust = trusts(heard, 0);
        CHECK_OK(bundle_read_down(file, &laptop, &trust, &mem, &bundle, &err));
        CHECK_INT((int)bundle.message_count, 2);
        CHECK_INT(trust.changes, 3);
    }
    struct key_trust trust = trusts(0, 0);
    file = stick(&mem, &keys[3], &none, &laptop); /* of a key that nobody has told of */
    CHECK_STATUS(bundle_read_down(file, &laptop, &trust, &mem, &bundle, &err), ST_UNAUTHENTIC);
    file = stick(&mem, &thief, &all, &laptop);
    CHECK_STATUS(bundle_read_down(file, &laptop, &trust, &mem, &bundle, &err), ST_UNAUTHENTIC);
    file = stick(&mem, &keys[0], &all, &laptop); /* told of the newest, signed with the oldest */
    CHECK_STATUS(bundle_read_down(file, &laptop, &trust, &mem, &bundle, &err), ST_UNAUTHENTIC);
    trust = trusts(3, 0);
    file = stick(&mem, &keys[0], &none, &laptop); /* an old key, after the change was heard of */
    CHECK_STATUS(bundle_read_down(file, &laptop, &trust, &mem, &bundle, &err), ST_UNAUTHENTIC);
    CHECK_INT(trust.changes, 3);
    CHECK(!bundle_is_sealed_to(file, &keys[0], &mem) && bundle_is_sealed_to(file, &laptop, &mem));
}

/* ------------------------------------------------------------------ vouchers of a key that is gone
 */

TEST(a_prepared_code_is_that_of_its_key) {
    uint8_t key[100], state[MAC_STATE_BYTES], one[MAC_BYTES], two[MAC_BYTES];
    char text[300];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(i * 7 + 1);
    for (size_t key_bytes = 0; key_bytes <= sizeof key; key_bytes += 4)
        for (size_t bytes = 0; bytes <= sizeof text; bytes += 13) {
            mac_sha256(slice_of(key, key_bytes), slice_of(text, bytes), one);
            mac_prepare(slice_of(key, key_bytes), state);
            mac_sha256_prepared(state, slice_of(text, bytes), two);
            CHECK(memcmp(one, two, sizeof one) == 0);
        }
}
