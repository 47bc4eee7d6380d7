/* A server with laptops that are nothing but what a test says they send: for test_merge_*.c and test_org.c.
 *
 * A laptop drafts one batch at a time (draft_*), pushes it and gets its receipt. Bases are what the test gives. The
 * time of an edit is the world's clock when its batch was begun.
 */
#ifndef ROADBOOK_CENTRE_WORLD_H
#define ROADBOOK_CENTRE_WORLD_H

#include "syncd/server/org.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHANGES = 8, EDITS = 12, UNIT = 8, LAPTOPS = 5 };

struct laptop {
    uint32_t number;
    struct sign_key key;
    int64_t employee;
    uint32_t counter;
    struct position cursor, top;
    int64_t since, news;
    struct scope_position scope;
    uint32_t last_batch;
    struct chain chain;
    struct batch batch;
    struct change changes[CHANGES];
    struct edit edits[CHANGES][EDITS];
    struct unit_row unit[CHANGES][UNIT];
};

struct world {
    struct env env;
    int64_t now;
    uint8_t dice;
    char path[64];
    struct arena mem;
    struct catalogue cat;
    struct org *org;
    struct org_reader *reader;
    struct laptop laptops[LAPTOPS];
    struct round_reply reply;
    struct org_push push;
};

static int64_t world_ms(void *ctx) {
    return ((struct world *)ctx)->now;
}
static uint64_t world_boot(void *ctx) {
    (void)ctx;
    return 7;
}
static void world_random(void *ctx, void *out, size_t bytes) {
    uint8_t *at = out;
    for (size_t i = 0; i < bytes; i++) at[i] = ((struct world *)ctx)->dice++;
}
static void world_log(void *ctx, enum log_level level, const char *line) {
    (void)ctx;
    (void)level;
    (void)line;
}

static inline struct org_config world_config(struct world *w) {
    return (struct org_config){.path = w->path, .catalogue = &w->cat, .env = &w->env};
}

/* Head office saves one row by text: name, value, name, value ... as people type them. */
static inline int64_t office_row(struct world *w, const char *entity, const char *const *pairs, size_t count) {
    struct err err = {0};
    struct change change = {.kind = CHANGE_CREATE};
    struct edit edits[EDITS] = {0};
    struct receipt receipt;
    const struct entity *e = catalogue_entity(&w->cat, slice_from(entity));
    for (size_t i = 0; i < count; i++) {
        const struct field *f = entity_field(e, slice_from(pairs[2 * i]));
        struct value *v = ARENA_NEW(&w->mem, struct value);
        CHECK_OK(field_parse(f, slice_from(pairs[2 * i + 1]), 0, &w->mem, v, &err));
        edits[i] = (struct edit){.cell_tag = f->tag, .values = v, .value_count = 1};
    }
    change.entity_tag = e->tag;
    change.edits = edits;
    change.edit_count = count;
    CHECK_OK(org_office_id(w->org, &change.row, &err));
    CHECK_OK(org_office_save(w->org, &change, 1, 0, 0, SLICE("office"), &w->mem, &receipt, &err));
    CHECK_INT(receipt.lines[0].outcome, OUTCOME_APPLIED);
    return change.row;
}

static inline void world_enrol(struct world *w, int at, enum user_role role, const char *login) {
    struct err err = {0};
    struct laptop *l = &w->laptops[at];
    struct centre_user user = {.role = role, .active = true};
    struct centre_device device;
    uint8_t seed[SIGN_SEED_BYTES] = {(uint8_t)(at + 1)}, code[16] = {(uint8_t)(at + 1)};
    struct enroll_request request = {.code = slice_of(code, 16), .device_name = SLICE("laptop"),
                                     .release = SLICE("0.1.0")};
    const char *const pairs[] = {"login", login, "name", login};
    int64_t user_id;
    user.employee = l->employee = office_row(w, "employee", pairs, 2);
    (void)snprintf(user.login, sizeof user.login, "%s", login);
    (void)snprintf(user.name, sizeof user.name, "%s", login);
    CHECK_OK(centre_user_add(org_centre(w->org), &user, &user_id, &err));
    CHECK_OK(centre_link_make(org_centre(w->org), user_id, code, w->now + 60000, &err));
    l->key = sign_key_from_seed(seed);
    sign_public(&l->key, request.device_public);
    CHECK_OK(centre_link_take(org_centre(w->org), &request, &device, &err));
    l->number = device.number;
    CHECK_OK(centre_device_key(org_centre(w->org), l->number, (uint8_t[MAC_BYTES]){1}, w->now + 1000000, SLICE("0.1.0"),
                               &w->cat.version, 0, &err));
}

/* Laptops 0 and 1 of two reps, 2 of a manager, 3 of head office. */
static inline void world_open(struct world *w) {
    struct err err = {0};
    memset(w, 0, sizeof *w);
    w->env = (struct env){w, world_ms, world_ms, world_boot, world_random, world_log, NULL};
    w->now = 1000000;
    w->mem = arena_new(ARENA_CAP_DEFAULT);
    (void)snprintf(w->path, sizeof w->path, "/tmp/roadbook-centre-XXXXXX");
    int file = mkstemp(w->path);
    CHECK(file >= 0);
    (void)close(file);
    CHECK(unlink(w->path) == 0);
    CHECK_OK(crypto_start(&err));
    CHECK_OK(catalogue_release(&w->mem, &w->cat, &err));
    struct org_config config = world_config(w);
    CHECK_OK(org_create(&config, SLICE("ACME"), &err));
    CHECK_OK(org_open(&config, &w->org, &err));
    CHECK_OK(org_reader_open(&config, &w->reader, &err));
    world_enrol(w, 0, USER_REP, "wang");
    world_enrol(w, 1, USER_REP, "li");
    world_enrol(w, 2, USER_MANAGER, "zhao");
    world_enrol(w, 3, USER_OFFICE, "qian");
}

/* Every test ends with a file that agrees with itself. */
static inline void world_close(struct world *w) {
    struct err err = {0};
    char other[80];
    struct buf findings = buf_new(BUF_MAX_LINE);
    CHECK_OK(centre_verify_all(org_centre(w->org), NULL, NULL, &findings, &err));
    CHECK_TEXT(buf_text(&findings), "");
    buf_free(&findings);
    org_reader_close(w->reader);
    org_close(w->org);
    arena_clear(&w->mem);
    (void)unlink(w->path);
    (void)snprintf(other, sizeof other, "%s-wal", w->path);
    (void)unlink(other);
    (void)snprintf(other, sizeof other, "%s-shm", w->path);
    (void)unlink(other);
}

/* ------------------------------------------------------------------ drafting */

static inline const struct entity *world_entity(struct world *w, const char *name) {
    return catalogue_entity(&w->cat, slice_from(name));
}

static inline struct change *draft_change(struct world *w, int at, enum change_kind kind, const char *entity, int64_t row) {
    struct laptop *l = &w->laptops[at];
    if (l->batch.change_count == 0)
        l->batch = (struct batch){.number = l->last_batch + 1, .cursor = l->cursor.seq,
                                  .stamp = {.wall_ms = w->now, .boot_number = 1, .boot_ms = w->now},
                                  .changes = l->changes};
    size_t i = l->batch.change_count++;
    l->changes[i] = (struct change){.kind = kind, .entity_tag = world_entity(w, entity)->tag, .row = row,
                                    .edits = l->edits[i], .unit = l->unit[i]};
    return &l->changes[i];
}

static inline struct edit *draft_edit(struct world *w, struct change *c, const char *field, enum edit_kind kind,
                                      struct base base, size_t values) {
    const struct entity *e = catalogue_entity_by_tag(&w->cat, c->entity_tag);
    struct edit *edit = &c->edits[c->edit_count++];
    const struct field *f = entity_field(e, slice_from(field));
    *edit = (struct edit){.cell_tag = entity_cell_of(e, f)->tag, .kind = kind, .base = base, .today = base,
                          .values = ARENA_ARRAY(&w->mem, values, struct value), .value_count = values};
    return edit;
}

static inline struct edit *draft_text(struct world *w, struct change *c, const char *field, const char *text,
                                      struct base base) {
    struct edit *edit = draft_edit(w, c, field, EDIT_SET, base, 1);
    edit->values[0] = value_text(slice_from(text));
    return edit;
}

static inline struct edit *draft_number(struct world *w, struct change *c, const char *field, int64_t number,
                                        struct base base) {
    struct edit *edit = draft_edit(w, c, field, EDIT_SET, base, 1);
    edit->values[0] = value_int(number);
    return edit;
}

static inline struct edit *draft_count(struct world *w, struct change *c, const char *field, int64_t delta,
                                       struct base base) {
    struct edit *edit = draft_edit(w, c, field, EDIT_COUNT, base, 1);
    edit->values[0] = value_int(delta);
    return edit;
}

static inline struct edit *draft_elements(struct world *w, struct change *c, const char *field, const char *adds,
                                          const char *removes, struct base base) {
    struct edit *edit = draft_edit(w, c, field, EDIT_ELEMENTS, base, 2);
    edit->values[0] = value_text(slice_from(adds));
    edit->values[1] = value_text(slice_from(removes));
    return edit;
}

static inline void draft_unit(struct world *w, struct change *c, const char *entity, int64_t row, struct base base) {
    c->unit[c->unit_count++] = (struct unit_row){.row = row, .entity_tag = world_entity(w, entity)->tag, .base = base};
}

static inline struct base on(int64_t seq) {
    return (struct base){seq, 0};
}
static inline struct base on_own(int64_t seq, uint32_t own) {
    return (struct base){seq, own};
}

static inline int64_t new_id(struct world *w, int at) {
    return id_make(w->laptops[at].number, ++w->laptops[at].counter);
}

/* ------------------------------------------------------------------ rounds */

static inline struct round_request request_of(struct world *w, int at) {
    struct laptop *l = &w->laptops[at];
    return (struct round_request){
        .epoch = 1, .cursor = l->cursor, .top = l->top, .since = l->since, .news_version = l->news,
        .scope = l->scope, .last_batch = l->last_batch, .last_chain = l->chain,
        .envelope = {.now = {.wall_ms = w->now, .boot_number = 1, .boot_ms = w->now}}};
}

static inline void sign_request(struct world *w, int at, struct round_request *r, struct chain *out_chain) {
    struct chain chain = r->last_chain;
    for (size_t i = 0; i < r->batch_count; i++) {
        struct buf bytes = buf_new(BUF_MAX_MESSAGE);
        batch_write(&r->batches[i], &bytes);
        chain = chain_next(&chain, buf_slice(&bytes));
        buf_free(&bytes);
    }
    sign_make(&w->laptops[at].key, slice_of(chain.bytes, CHAIN_BYTES), r->signature);
    *out_chain = chain;
}

static inline enum status merge_request(struct world *w, int at, const struct round_request *r, struct err *err) {
    struct centre_device device;
    TRY(org_device(w->reader, w->laptops[at].number, &device, err));
    TRY(org_check_push(&device, r, &w->mem, err));
    TRY(org_merge_begin(w->org, err));
    enum status status = org_merge_batches(w->org, w->laptops[at].number, r, &w->push, err);
    if (status == ST_OK) return org_merge_commit(w->org, err);
    org_merge_abort(w->org);
    return status;
}

/* Pushes the draft; *the receipt's first line. The reply is in w->reply; the cursor does not move. */
static inline const struct receipt_line *push(struct world *w, int at) {
    struct err err = {0};
    struct laptop *l = &w->laptops[at];
    struct round_request r = request_of(w, at);
    struct chain chain;
    r.batches = &l->batch;
    r.batch_count = 1;
    sign_request(w, at, &r, &chain);
    CHECK_OK(merge_request(w, at, &r, &err));
    CHECK_INT(w->push.kind, REPLY_ROUND);
    CHECK_OK(org_round(w->reader, l->number, &r, &w->mem, &w->reply, &err));
    CHECK_INT(w->reply.receipt_count, 1);
    l->last_batch = l->batch.number;
    l->chain = chain;
    l->top = w->reply.head;
    l->batch.change_count = 0;
    return w->reply.receipts[0].lines;
}

/* One round without batches; the cursor moves. */
static inline const struct round_reply *pull(struct world *w, int at, uint32_t page_bytes) {
    struct err err = {0};
    struct laptop *l = &w->laptops[at];
    struct round_request r = request_of(w, at);
    r.page_bytes = page_bytes;
    CHECK_OK(org_round(w->reader, l->number, &r, &w->mem, &w->reply, &err));
    CHECK_INT(w->reply.kind, REPLY_ROUND);
    l->cursor = w->reply.cursor;
    l->since = w->reply.since;
    l->top = w->reply.head;
    l->news = w->reply.news_version;
    if (w->reply.has_scope) l->scope = w->reply.scope;
    return &w->reply;
}

static inline int64_t head_of(struct world *w) {
    struct err err = {0};
    struct centre_head head;
    CHECK_OK(org_head(w->reader, &head, &err));
    return head.position.seq;
}

/* ------------------------------------------------------------------ looking */

static inline struct centre_row row_at(struct world *w, const char *entity, int64_t id) {
    struct err err = {0};
    struct centre_row row = {0};
    bool found;
    CHECK_OK(centre_row_read(org_centre(w->org), world_entity(w, entity), id, &w->mem, &row, &found, &err));
    CHECK(found);
    return row;
}

static inline struct value cell_at(struct world *w, const char *entity, int64_t id, const char *field) {
    struct centre_row row = row_at(w, entity, id);
    return row.values[entity_field_index(row.entity, entity_field(row.entity, slice_from(field)))];
}

static inline const char *text_at(struct world *w, const char *entity, int64_t id, const char *field) {
    struct value v = cell_at(w, entity, id, field);
    return v.kind == VALUE_TEXT ? arena_string(&w->mem, v.text) : "";
}

struct ledger_sum {
    size_t count;
    struct ledger_entry last;
};
static inline enum status sum_ledger(void *ctx, const struct ledger_entry *entry, struct err *err) {
    struct ledger_sum *sum = ctx;
    (void)err;
    sum->count++;
    sum->last = *entry;
    return ST_OK;
}
static inline struct ledger_sum ledger_of(struct world *w, int64_t row) {
    struct err err = {0};
    struct ledger_sum sum = {0};
    CHECK_OK(centre_ledger(org_centre(w->org), 0, INT64_MAX, row, &w->mem, sum_ledger, &sum, &err));
    return sum;
}

/* An account that laptop 0 made; every test begins with one. *out_seq: its seq. */
static inline int64_t account(struct world *w, const char *name, int64_t *out_seq) {
    int64_t id = new_id(w, 0);
    draft_text(w, draft_change(w, 0, CHANGE_CREATE, "account", id), "name", name, on(0));
    const struct receipt_line *line = push(w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    *out_seq = line->seq;
    return id;
}

/* One edit of one field by one laptop. */
static inline const struct receipt_line *say(struct world *w, int at, int64_t id, const char *field, const char *text,
                                             struct base base) {
    draft_text(w, draft_change(w, at, CHANGE_EDIT, "account", id), field, text, base);
    return push(w, at);
}

#endif
