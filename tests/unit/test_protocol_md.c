/* The transcript in PROTOCOL.md is what this program says: a laptop enrols, says hello, has an idle round, pushes
 * one visit, and meets a used nonce. Keys, clocks and random numbers are fixed. UPDATE=1 in the environment writes
 * the transcript anew; the difference is then reviewed like code, and so is the text around it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session/session.h"
#include "tests/unit/check.h"

static const char PATH[] = "protocol/PROTOCOL.md";
#define BEGINS "<!-- transcript: written by tests/unit/test_protocol_md.c -->\n"
#define ENDS "<!-- end of transcript -->\n"

enum { DEVICE = 3, HEX_COLUMNS = 32, ACCOUNT = 5, VISIT_COUNTER = 7 };
static const int64_t NOW_MS = 1767225600000;               /* 2026-01-01T00:00:00Z */

struct talk {
    struct env env;
    int64_t boot_ms;
    uint8_t random;                                        /* every random byte is this one */
    struct arena mem;
    struct buf text;
    struct sign_key org_key;
    struct session_identity identity;
    struct session_link link;
    struct session laptop;
    uint8_t device_public[SIGN_PUBLIC_BYTES];
    uint8_t key[MAC_BYTES];
};

/* ------------------------------------------------------------------ doors */

static int64_t talk_wall(void *ctx) {
    (void)ctx;
    return NOW_MS;
}
static int64_t talk_boot(void *ctx) {
    return ((struct talk *)ctx)->boot_ms;
}
static uint64_t talk_boot_id(void *ctx) {
    (void)ctx;
    return 1;
}
static void talk_random(void *ctx, void *out, size_t bytes) {
    memset(out, ((struct talk *)ctx)->random, bytes);
}
static void talk_log(void *ctx, enum log_level level, const char *line) {
    (void)ctx;
    (void)level;
    (void)line;
}

static struct sign_key key_of(uint8_t byte) {
    uint8_t seed[SIGN_SEED_BYTES];
    memset(seed, byte, sizeof seed);
    return sign_key_from_seed(seed);
}

static void talk_start(struct talk *t) {
    *t = (struct talk){.boot_ms = 60000, .mem = arena_new(ARENA_CAP_DEFAULT), .text = buf_new(BUF_MAX_BATCH)};
    t->env = (struct env){t, talk_wall, talk_boot, talk_boot_id, talk_random, talk_log, NULL};
    t->org_key = key_of(0x0A);
    t->identity = (struct session_identity){.org = "acme", .key = key_of(0x0B)};
    sign_public(&t->org_key, t->identity.org_public);
    sign_public(&t->identity.key, t->device_public);
    t->link = (struct session_link){.base_url = "https://book.example.com:8443", .org = "acme", .has_tls_pin = true};
    memcpy(t->link.org_public, t->identity.org_public, SIGN_PUBLIC_BYTES);
    memset(t->link.code, 0xC0, sizeof t->link.code);
    memset(t->link.tls_pin, 0xF1, sizeof t->link.tls_pin);
}

/* ------------------------------------------------------------------ writing it down */

static void put_hex_lines(struct talk *t, struct slice body) {
    for (size_t i = 0; i < body.len; i += HEX_COLUMNS) {
        size_t left = body.len - i;
        buf_put_hex(&t->text, slice_of(body.data + i, left < HEX_COLUMNS ? left : HEX_COLUMNS));
        buf_put_byte(&t->text, '\n');
    }
}

static void put_message(struct talk *t, const char *title, const struct session_http *m) {
    buf_printf(&t->text, "\n%s:\n\n```http\n", title);
    if (m->method) buf_printf(&t->text, "%s %s HTTP/1.1\n", m->method, m->path);
    else buf_printf(&t->text, "HTTP/1.1 %d\n", m->code);
    for (size_t i = 0; i < m->field_count; i++)
        buf_printf(&t->text, "%s: %s\n", m->fields[i].name, m->fields[i].value);
    buf_put_text(&t->text, "\n");
    if (m->body.len && m->body.data[0] == '{') {
        buf_put_slice(&t->text, m->body);
        buf_put_byte(&t->text, '\n');
    } else {
        put_hex_lines(t, m->body);
    }
    buf_put_text(&t->text, "```\n");
}

static void put_fixed(struct talk *t, const char *what, const void *bytes, size_t count) {
    buf_printf(&t->text, "| %s | `", what);
    buf_put_hex(&t->text, slice_of(bytes, count));
    buf_put_text(&t->text, "` |\n");
}

static void put_repeated(struct talk *t, const char *what, uint8_t byte) {
    uint8_t bytes[HASH_BYTES];
    memset(bytes, byte, sizeof bytes);
    put_fixed(t, what, bytes, sizeof bytes);
}

/* ------------------------------------------------------------------ the conversation */

static void enrol(struct talk *t) {
    struct err err;
    struct session_http request, answer;
    struct enroll_request asked;
    struct enroll_reply reply = {.device = DEVICE, .employee = 1, .user = SLICE("Ada"),
                                 .org_label = SLICE("Acme Ltd"), .epoch = 1, .time_ms = NOW_MS};
    CHECK_OK(session_enroll_request(&t->identity, &t->link, SLICE("ada-laptop"), SLICE("0.1.0"), &t->mem,
                                    &request, &err));
    put_message(t, "Enrolment", &request);
    CHECK_OK(session_server_enroll(&request, &t->mem, &asked, &err));
    CHECK_OK(session_server_enroll_answer(&request, &reply, &t->org_key, &t->mem, &answer, &err));
    put_message(t, "The answer: device 3 of org acme, in epoch 1", &answer);
    CHECK_OK(session_enroll_reply(&t->identity, &answer, &t->mem, &reply, &err));
    t->identity.device = reply.device;
    session_start(&t->laptop, &t->identity);
}

static void hello(struct talk *t) {
    struct err err;
    struct session_http request, answer;
    struct hello_request asked;
    struct chain catalogue = {{0}};
    struct hello_reply reply = {.time_ms = NOW_MS, .key_ms = SESSION_KEY_MS, .nonce = SLICE("Tq3xV9aB.1"),
                                .release = SLICE("0.1.0"), .minimum_release = SLICE("0.1.0")};
    t->random = 0x11;
    CHECK_OK(session_hello_request(&t->laptop, SLICE("0.1.0"), &catalogue, &t->env, &t->mem, &request, &err));
    put_message(t, "Hello", &request);
    CHECK_OK(session_server_hello(&request, t->device_public, &t->mem, &asked, &err));
    t->random = 0x22;
    CHECK_OK(session_server_hello_answer(&request, &asked, &reply, &t->org_key, &t->env, &t->mem, t->key, &answer,
                                         &err));
    put_message(t, "The answer, with the first nonce", &answer);
    CHECK_OK(session_hello_reply(&t->laptop, &answer, &t->env, &t->mem, &reply, &err));
}

static struct chain chain_of(uint8_t byte) {
    struct chain chain;
    memset(chain.bytes, byte, sizeof chain.bytes);
    return chain;
}

static struct round_request idle_request(void) {
    struct position at = {41, chain_of(0x41)};
    return (struct round_request){
        .epoch = 1, .cursor = at, .top = at, .since = 41, .news_version = 2, .page_bytes = WIRE_PAGE_BYTES,
        .envelope = {.now = {.wall_ms = NOW_MS, .boot_number = 1, .boot_ms = 60000}, .expected_offset_ms = 0}};
}

static void round_trip(struct talk *t, const char *asks, const char *answers, const struct round_request *ask,
                       const struct round_reply *reply) {
    struct err err;
    struct session_http request, answer;
    struct buf message = buf_new(BUF_MAX_MESSAGE);
    struct slice body;
    const char *nonce, *next = "Tq3xV9aB.2";
    CHECK_OK(wire_write_round_request(ask, 9, &message, &err));
    CHECK_OK(session_round_request(&t->laptop, "round", arena_copy(&t->mem, buf_slice(&message)), &t->mem, &request,
                                   &err));
    put_message(t, asks, &request);
    CHECK_OK(session_server_round(&request, t->key, &t->mem, &nonce, &err));
    if (strcmp(nonce, "Tq3xV9aB.1") != 0) next = "Tq3xV9aB.3";
    buf_reset(&message);
    CHECK_OK(wire_write_round_reply(reply, DEVICE, &t->org_key, 9, &message, &err));
    CHECK_OK(session_server_answer(&request, t->key, 200, arena_copy(&t->mem, buf_slice(&message)), next, &t->mem,
                                   &answer, &err));
    put_message(t, answers, &answer);
    CHECK_OK(session_round_reply(&t->laptop, &answer, &t->mem, &body, &err));
    buf_free(&message);
}

static void idle_round(struct talk *t) {
    struct round_request ask = idle_request();
    struct round_reply reply = {.epoch = 1, .time_ms = NOW_MS, .head = ask.cursor, .cursor = ask.cursor,
                                .since = 41};
    round_trip(t, "An idle round", "The answer: nothing new", &ask, &reply);
}

/* Cells of the visit: account, author, type, period, talking points, business date, state. */
enum { VISIT_EDITS = 7 };
struct visit {
    struct value values[VISIT_EDITS + 1];
    struct edit edits[VISIT_EDITS];
    struct change change;
    struct batch batch;
};

static void visit_make(struct visit *v) {
    static const uint32_t TAGS[VISIT_EDITS] = {1, 3, 4, 5, 14, 18, 19};
    const struct value values[] = {value_int(ACCOUNT), value_int(1), value_int(1), value_int(NOW_MS - 7200000),
                                   value_int(NOW_MS - 3600000), value_text(SLICE("Wants samples by March.")),
                                   value_int(NOW_MS / 86400000 - 1), value_int(1)};
    memset(v, 0, sizeof *v);
    memcpy(v->values, values, sizeof values);
    for (size_t i = 0, at = 0; i < VISIT_EDITS; i++) {
        size_t count = TAGS[i] == 5 ? 2 : 1;
        v->edits[i] = (struct edit){.cell_tag = TAGS[i], .kind = EDIT_SET, .values = &v->values[at],
                                    .value_count = count};
        at += count;
    }
    v->change = (struct change){.kind = CHANGE_CREATE, .entity_tag = 6, .row = id_make(DEVICE, VISIT_COUNTER),
                                .edits = v->edits, .edit_count = VISIT_EDITS};
    v->batch = (struct batch){.number = 1, .cursor = 41, .changes = &v->change, .change_count = 1,
                              .stamp = {.wall_ms = NOW_MS - 30000, .boot_number = 1, .boot_ms = 30000}};
}

static struct receipt receipt_make(const struct visit *v, struct receipt_edit edits[VISIT_EDITS],
                                   struct receipt_line *line) {
    for (size_t i = 0; i < VISIT_EDITS; i++)
        edits[i] = (struct receipt_edit){.cell_tag = v->edits[i].cell_tag, .seq = 42};
    *line = (struct receipt_line){.row = v->change.row, .seq = 42, .edits = edits, .edit_count = VISIT_EDITS};
    return (struct receipt){.batch = 1, .at = 42, .time_ms = NOW_MS, .lines = line, .line_count = 1};
}

static void push(struct talk *t) {
    struct err err;
    struct visit visit;
    struct receipt_edit edits[VISIT_EDITS];
    struct receipt_line line;
    struct buf batch = buf_new(BUF_MAX_BATCH);
    visit_make(&visit);
    batch_write(&visit.batch, &batch);
    struct chain chain = chain_next(&(struct chain){{0}}, buf_slice(&batch));
    struct round_request ask = idle_request();
    ask.batches = &visit.batch;
    ask.batch_count = 1;
    sign_make(&t->identity.key, slice_of(chain.bytes, CHAIN_BYTES), ask.signature);
    buf_put_text(&t->text, "\nThe canonical bytes of batch 1, which creates one visit:\n\n```hex\n");
    put_hex_lines(t, buf_slice(&batch));
    buf_put_text(&t->text, "```\n\n| | |\n|---|---|\n");
    put_fixed(t, "chain after it", chain.bytes, CHAIN_BYTES);
    put_fixed(t, "signature of the chain", ask.signature, SIGN_BYTES);
    struct receipt receipt = receipt_make(&visit, edits, &line);
    struct value name = value_text(SLICE("Hainan Straits Shipping")), tag = value_text(SLICE("ferry\nport"));
    struct record_cell cells[] = {{1, &name, 1}, {14, &tag, 1}};
    struct record record = {.entity_tag = 4, .flags = RECORD_WHOLE, .row = 6, .seq = 43, .cells = cells,
                            .cell_count = ARRAY_COUNT(cells)};
    struct position head = {43, chain_of(0x43)};
    struct round_reply reply = {.epoch = 1, .time_ms = NOW_MS, .head = head, .cursor = head, .since = 43,
                                .last_batch = 1, .receipts = &receipt, .receipt_count = 1, .records = &record,
                                .record_count = 1};
    round_trip(t, "The round that pushes it", "The answer: a receipt, and an account that head office made", &ask,
               &reply);
    CHECK_OK(buf_status(&batch, &err));
    buf_free(&batch);
}

static void refused_nonce(struct talk *t) {
    struct err problem, err;
    struct session_http answer;
    CHECK_STATUS(err_set(&problem, ST_TRY_AGAIN, "the request's nonce is not good any more; ask again with the new one",
                         "请求的随机数已失效，请用新的随机数重试"), ST_TRY_AGAIN);
    CHECK_OK(session_server_problem(&problem, "kP0s_2Zu.1", &t->mem, &answer, &err));
    put_message(t, "What a round gets whose nonce was used, or is of an earlier life of the server", &answer);
}

static void write_transcript(struct talk *t) {
    buf_put_text(&t->text, "\n| | |\n|---|---|\n");
    struct hash dictionary = hash_sha256(wire_dictionary());
    put_fixed(t, "name of the dictionary", dictionary.bytes, 4);
    put_repeated(t, "seed of the device's key", 0x0B);
    put_fixed(t, "its public key", t->device_public, SIGN_PUBLIC_BYTES);
    put_fixed(t, "the org's public key", t->identity.org_public, SIGN_PUBLIC_BYTES);
    put_fixed(t, "code of the link", t->link.code, sizeof t->link.code);
    put_repeated(t, "X25519 secret of the laptop's hello", 0x11);
    buf_put_text(&t->text, "\nThe link:\n\n```\n");
    CHECK(session_link_write(&t->link, &t->text, NULL) == ST_OK);
    buf_put_text(&t->text, "\n```\n");
    enrol(t);
    hello(t);
    buf_put_text(&t->text, "\n| | |\n|---|---|\n");
    put_fixed(t, "the session's key, which both work out", t->key, MAC_BYTES);
    idle_round(t);
    push(t);
    refused_nonce(t);
    buf_put_text(&t->text, "\n");
}

/* ------------------------------------------------------------------ the document */

static void read_file(struct buf *out) {
    FILE *file = fopen(PATH, "rb");
    char block[4096];
    CHECK(file);
    for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;) buf_put(out, block, got);
    (void)fclose(file);
}

static void write_file(struct slice head, struct slice middle, struct slice tail) {
    FILE *file = fopen(PATH, "wb");
    CHECK(file);
    CHECK(fwrite(head.data, 1, head.len, file) == head.len);
    CHECK(fwrite(middle.data, 1, middle.len, file) == middle.len);
    CHECK(fwrite(tail.data, 1, tail.len, file) == tail.len);
    CHECK(fclose(file) == 0);
}

TEST(the_transcript_in_the_document_is_what_is_said) {
    struct err err;
    struct talk t;
    CHECK_OK(crypto_start(&err));
    talk_start(&t);
    write_transcript(&t);
    CHECK_OK(buf_status(&t.text, &err));
    struct buf document = buf_new(BUF_MAX_MESSAGE);
    read_file(&document);
    const char *text = buf_text(&document), *begin = strstr(text, BEGINS), *end = strstr(text, ENDS);
    CHECK(begin && end && begin < end);
    begin += strlen(BEGINS);
    struct slice there = slice_of(begin, (size_t)(end - begin));
    if (getenv("UPDATE"))
        write_file(slice_of(text, (size_t)(begin - text)), buf_slice(&t.text), slice_from(end));
    else
        CHECK_SLICES(buf_slice(&t.text), there);
    buf_free(&document);
    buf_free(&t.text);
    arena_clear(&t.mem);
}
