#include "tests/unit/wire_make.h"
#include "protocol/model/home.h"

#include "protocol/wire/coder.h"
#include "tests/unit/check.h"

enum { TEXT_COUNT = 5, CELLS_MAX = 6, EDITS_MAX = 5 };

uint64_t maker_number(struct maker *m, uint64_t below) {
    m->state ^= m->state << 13; /* xorshift64 */
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return m->state % below;
}

static bool maker_chance(struct maker *m, unsigned one_in) {
    return maker_number(m, one_in) == 0;
}

static void *maker_room(struct maker *m, size_t count, size_t bytes) {
    void *room = arena_array(m->mem, count + 1, bytes);
    CHECK(room);
    return room;
}

/* Small, middling and any 64 bits: each way of coding a number. */
static int64_t any_number(struct maker *m) {
    switch (maker_number(m, 5)) {
    case 0: return (int64_t)maker_number(m, 3);
    case 1: return 1700000000000 + (int64_t)maker_number(m, 100) * 60000;
    case 2: return INT64_MIN + (int64_t)maker_number(m, 2);
    case 3: return INT64_MAX - (int64_t)maker_number(m, 2);
    default: return (int64_t)maker_number(m, 1u << 20) - (1 << 19);
    }
}

static struct slice any_text(struct maker *m) {
    static const char *const TEXTS[TEXT_COUNT] = {"visit", "客户反映上一批产品的交货时间延迟",
                                                  "a\nb\nc", "0123456789",
                                                  "Met with the store manager. Stock is low."};
    if (maker_chance(m, 2)) return slice_from(TEXTS[maker_number(m, TEXT_COUNT)]);
    size_t len = 1 + (size_t)maker_number(m, 40);
    uint8_t *bytes = maker_room(m, len, 1);
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)('a' + maker_number(m, 26));
    return slice_of(bytes, len);
}

static struct value any_value(struct maker *m) {
    switch (maker_number(m, 3)) {
    case 0: return value_null();
    case 1: return value_int(any_number(m));
    default: return value_text(any_text(m));
    }
}

static struct value *any_values(struct maker *m, size_t count) {
    struct value *values = maker_room(m, count, sizeof *values);
    for (size_t i = 0; i < count; i++) values[i] = any_value(m);
    return values;
}

static int64_t any_row(struct maker *m) {
    uint32_t device = maker_chance(m, 3) ? (uint32_t)maker_number(m, ID_DEVICE_MAX + 1u) : 17;
    return id_make(device, 1 + (uint32_t)maker_number(m, UINT32_MAX - 1));
}

static struct base any_base(struct maker *m) {
    return (struct base){(int64_t)maker_number(m, 1000000), (uint32_t)maker_number(m, 3)};
}

static struct edit any_edit(struct maker *m, uint32_t tag) {
    struct edit e = {
        .cell_tag = tag, .kind = (enum edit_kind)maker_number(m, 3), .base = any_base(m)};
    e.today = maker_chance(m, 4) ? any_base(m) : e.base;
    e.value_count = e.kind == EDIT_SET     ? 1 + (size_t)maker_number(m, 3)
                    : e.kind == EDIT_COUNT ? 1
                                           : 2;
    e.values = any_values(m, e.value_count);
    if (e.kind == EDIT_COUNT) e.values[0] = value_int(any_number(m));
    for (size_t i = 0; e.kind == EDIT_ELEMENTS && i < 2; i++) {
        e.values[i] = maker_chance(m, 2) ? value_null() : value_text(any_text(m));
    }
    return e;
}

static void any_unit(struct maker *m, struct change *c) {
    c->unit_count = 1 + (size_t)maker_number(m, 3);
    c->unit = maker_room(m, c->unit_count, sizeof *c->unit);
    for (size_t i = 0; i < c->unit_count; i++) {
        struct unit_row *u = &c->unit[i];
        *u = (struct unit_row){any_row(m), (uint32_t)maker_number(m, 9), any_base(m), NULL,
                               (size_t)maker_number(m, 3)};
        u->cells = maker_room(m, u->cell_count, sizeof *u->cells);
        for (size_t j = 0; j < u->cell_count; j++) {
            u->cells[j] = (struct unit_cell){(uint32_t)maker_number(m, 64), any_base(m)};
        }
    }
}

static void any_retries(struct maker *m, struct change *c) {
    c->retry_count = 1 + (size_t)maker_number(m, 2);
    c->retry_of = maker_room(m, c->retry_count, sizeof *c->retry_of);
    for (size_t i = 0; i < c->retry_count; i++) {
        c->retry_of[i] =
            (struct refusal_id){(uint32_t)maker_number(m, 100), (uint32_t)maker_number(m, 9),
                                (uint32_t)maker_number(m, 9)};
    }
}

static struct change any_change(struct maker *m) {
    struct change c = {.kind = (enum change_kind)maker_number(m, 3),
                       .entity_tag = 1 + (uint32_t)maker_number(m, 3),
                       .row = any_row(m)};
    c.edits = maker_room(m, EDITS_MAX, sizeof *c.edits);
    uint32_t tag = 0;
    for (size_t count = (size_t)maker_number(m, EDITS_MAX); c.edit_count < count;) {
        tag += 1 + (uint32_t)maker_number(m, maker_chance(m, 5) ? 70000 : 12);
        c.edits[c.edit_count++] = any_edit(m, tag);
    }
    if (c.kind == CHANGE_DELETE) any_unit(m, &c);
    if (maker_chance(m, 5)) any_retries(m, &c);
    return c;
}

static struct stamp any_stamp(struct maker *m) {
    return (struct stamp){any_number(m), (uint32_t)maker_number(m, 20), any_number(m),
                          any_number(m)};
}

struct batch *maker_batches(struct maker *m, size_t count) {
    struct batch *batches = maker_room(m, count, sizeof *batches);
    for (size_t i = 0; i < count; i++) {
        struct batch *b = &batches[i];
        *b = (struct batch){.number = 41 + (uint32_t)i,
                            .flags = (uint32_t)maker_number(m, 2),
                            .cursor = (int64_t)maker_number(m, 10000),
                            .stamp = any_stamp(m),
                            .import_id = maker_chance(m, 3) ? any_number(m) : 0,
                            .change_count = (size_t)maker_number(m, 4)};
        b->changes = maker_room(m, b->change_count, sizeof *b->changes);
        for (size_t j = 0; j < b->change_count; j++) b->changes[j] = any_change(m);
    }
    return batches;
}

static void any_bytes(struct maker *m, uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)maker_number(m, 256);
}

static struct position any_position(struct maker *m) {
    struct position p = {.seq = (int64_t)maker_number(m, 1000000)};
    any_bytes(m, p.chain.bytes, CHAIN_BYTES);
    return p;
}

static int64_t any_home(struct maker *m) {
    static const enum home_class class[] = {HOME_CLASS_OWN, HOME_CLASS_TEAM, HOME_CLASS_TERRITORY};
    if (maker_chance(m, 4)) return home_make(HOME_CLASS_PUBLIC, 0);
    return home_make(class[maker_number(m, 3)], any_row(m));
}

static struct scope_position any_position_in_scope(struct maker *m) {
    struct scope_position p = {.told = 1 + (int64_t)maker_number(m, 9999),
                               .ready = (int64_t)maker_number(m, 9999)};
    p.filling = p.ready;
    if (maker_chance(m, 2)) return p;
    p.filling += 1 + (int64_t)maker_number(m, 99);
    if (maker_chance(m, 4)) return p;
    p.at = (struct fill_key){any_home(m), (uint32_t)maker_number(m, 12), any_row(m)};
    return p;
}

struct round_request maker_request(struct maker *m, size_t batch_count) {
    struct round_request r = {.epoch = 1 + (int64_t)maker_number(m, 9), .batch_count = batch_count};
    if (maker_chance(m, 2)) {
        r.scope = any_position_in_scope(m);
        r.wants_digest = maker_chance(m, 2);
    }
    if (!maker_chance(m, 4)) r.cursor = any_position(m);
    r.top = maker_chance(m, 2) ? r.cursor : any_position(m);
    r.since = maker_chance(m, 2) ? r.cursor.seq : (int64_t)maker_number(m, 1000);
    r.news_version = (int64_t)maker_number(m, 100);
    if (!maker_chance(m, 4)) {
        r.last_batch = (uint32_t)maker_number(m, 1000);
        any_bytes(m, r.last_chain.bytes, CHAIN_BYTES);
    }
    r.envelope = (struct envelope){any_stamp(m), any_number(m), (uint32_t)maker_number(m, 9)};
    r.page_bytes =
        maker_chance(m, 2) ? (uint32_t)WIRE_PAGE_BYTES : (uint32_t)maker_number(m, 1 << 20);
    r.batches = maker_batches(m, batch_count);
    if (batch_count > 0) any_bytes(m, r.signature, SIGN_BYTES);
    return r;
}

/* ------------------------------------------------------------------ replies */

static struct receipt_line any_line(struct maker *m, int64_t *seq) {
    struct receipt_line l = {.outcome = (enum outcome)maker_number(m, OUTCOME_COUNT),
                             .reason = (enum reason)maker_number(m, REASON_LATE),
                             .state = (enum row_state)maker_number(m, ROW_GONE + 1),
                             .row = any_row(m),
                             .prev = (int64_t)maker_number(m, 1000)};
    l.seq = maker_chance(m, 4) ? 0 : ++*seq;
    l.edits = maker_room(m, EDITS_MAX, sizeof *l.edits);
    uint32_t tag = 0;
    for (size_t count = (size_t)maker_number(m, EDITS_MAX); l.edit_count < count;) {
        struct receipt_edit *e = &l.edits[l.edit_count++];
        tag += 1 + (uint32_t)maker_number(m, 12);
        *e =
            (struct receipt_edit){.cell_tag = tag,
                                  .outcome = (enum outcome)maker_number(m, OUTCOME_COUNT),
                                  .reason = (enum reason)maker_number(m, REASON_LATE),
                                  .seq = maker_chance(m, 3) ? (int64_t)maker_number(m, 100) : l.seq,
                                  .has_values = maker_chance(m, 3)};
        if (e->has_values) e->value_count = (size_t)maker_number(m, 3);
        e->values = any_values(m, e->value_count);
    }
    l.unit_count = maker_chance(m, 4) ? 2 : 0;
    l.unit = maker_room(m, l.unit_count, sizeof *l.unit);
    for (size_t i = 0; i < l.unit_count; i++) {
        l.unit[i] = (struct unit_state){any_row(m), (enum row_state)maker_number(m, ROW_GONE + 1)};
    }
    return l;
}

static void any_receipts(struct maker *m, struct round_reply *r, size_t size) {
    int64_t seq = 5000;
    r->receipt_count = (size_t)maker_number(m, size + 1);
    r->receipts = maker_room(m, r->receipt_count, sizeof *r->receipts);
    for (size_t i = 0; i < r->receipt_count; i++) {
        struct receipt *receipt = &r->receipts[i];
        *receipt = (struct receipt){.batch = 41 + (uint32_t)i,
                                    .time_ms = any_number(m),
                                    .line_count = (size_t)maker_number(m, 5)};
        receipt->lines = maker_room(m, receipt->line_count, sizeof *receipt->lines);
        for (size_t j = 0; j < receipt->line_count; j++) receipt->lines[j] = any_line(m, &seq);
        receipt->at = maker_chance(m, 4) ? ++seq : seq;
    }
}

static struct record *any_records(struct maker *m, size_t count) {
    struct record *records = maker_room(m, count, sizeof *records);
    for (size_t i = 0; i < count; i++) {
        struct record *record = &records[i];
        *record = (struct record){.entity_tag = 1 + (uint32_t)maker_number(m, 3),
                                  .flags = (uint32_t)maker_number(m, 8),
                                  .row = any_row(m),
                                  .seq = 6000 + (int64_t)i * 3};
        record->cells = maker_room(m, CELLS_MAX, sizeof *record->cells);
        uint32_t tag = 0;
        for (size_t most = (size_t)maker_number(m, CELLS_MAX); record->cell_count < most;) {
            tag += 1 + (uint32_t)maker_number(m, 12);
            size_t values = (size_t)maker_number(m, 3);
            record->cells[record->cell_count++] =
                (struct record_cell){tag, any_values(m, values), values};
        }
    }
    return records;
}

static void any_scope(struct maker *m, struct round_reply *r, size_t size) {
    r->has_digest = maker_chance(m, 2);
    if (r->has_digest) r->digest_rows = (int64_t)maker_number(m, 100000);
    for (size_t i = 0; r->has_digest && i < BOOK_DIGEST_BYTES; i++)
        r->digest[i] = (uint8_t)maker_number(m, 256);
    r->has_scope = maker_chance(m, 2);
    if (!r->has_scope) return;
    r->scope = any_position_in_scope(m);
    r->scope_whole = maker_chance(m, 4);
    r->opened_count = (size_t)maker_number(m, size + 1);
    r->opened = maker_room(m, r->opened_count, sizeof *r->opened);
    for (size_t i = 0; i < r->opened_count; i++)
        r->opened[i] =
            (struct grant_news){any_home(m), 1 + (int64_t)maker_number(m, 999), maker_chance(m, 2)};
    r->closed_count = (size_t)maker_number(m, size + 1);
    r->closed = maker_room(m, r->closed_count, sizeof *r->closed);
    for (size_t i = 0; i < r->closed_count; i++) r->closed[i] = any_home(m);
    r->filled_count = (size_t)maker_number(m, size + 1);
    r->filled = any_records(m, r->filled_count);
}

static void any_ledger(struct maker *m, struct round_reply *r, size_t size) {
    r->ledger_count = (size_t)maker_number(m, size + 1);
    r->ledger = maker_room(m, r->ledger_count, sizeof *r->ledger);
    for (size_t i = 0; i < r->ledger_count; i++) {
        size_t values = (size_t)maker_number(m, 3);
        r->ledger[i] = (struct ledger_entry){.seq = 7000 + (int64_t)i,
                                             .entity_tag = 1 + (uint32_t)maker_number(m, 3),
                                             .row = any_row(m),
                                             .cell_tag = (uint32_t)maker_number(m, 9),
                                             .rule = (enum rule)maker_number(m, RULE_COUNT),
                                             .base_seq = (int64_t)maker_number(m, 999),
                                             .loser_device = (uint32_t)maker_number(m, 9),
                                             .winner_device = (uint32_t)maker_number(m, 9),
                                             .loser_batch = (uint32_t)maker_number(m, 99),
                                             .loser_time_ms = any_number(m),
                                             .winner_time_ms = any_number(m),
                                             .winner_is_new = maker_chance(m, 2),
                                             .loser = any_values(m, values),
                                             .winner = any_values(m, values),
                                             .value_count = values};
    }
}

static void any_news(struct maker *m, struct round_reply *r, size_t size) {
    r->has_news = maker_chance(m, 2);
    r->news_version = r->has_news ? (int64_t)maker_number(m, 99) : 0;
    r->people_count = r->has_news ? (size_t)maker_number(m, size + 1) : 0;
    r->people = maker_room(m, r->people_count, sizeof *r->people);
    for (size_t i = 0; i < r->people_count; i++) {
        r->people[i] =
            (struct person){(uint32_t)i, maker_chance(m, 3) ? 0 : any_row(m), any_text(m)};
    }
    r->alias_count = (size_t)maker_number(m, size + 1);
    r->aliases = maker_room(m, r->alias_count, sizeof *r->aliases);
    for (size_t i = 0; i < r->alias_count; i++) {
        r->aliases[i] = (struct alias_news){8000 + (int64_t)i, any_row(m), any_row(m)};
    }
    r->held_count = (size_t)maker_number(m, size + 1);
    r->held = maker_room(m, r->held_count, sizeof *r->held);
    for (size_t i = 0; i < r->held_count; i++) {
        r->held[i] = (struct held_news){9000 + (int64_t)i,
                                        {(uint32_t)i, 2, (uint32_t)maker_number(m, 3)},
                                        (enum held_state)maker_number(m, HELD_DECLINED + 1)};
    }
}

struct round_reply maker_reply(struct maker *m, size_t size) {
    struct round_reply r = {.kind = REPLY_ROUND,
                            .epoch = 1 + (int64_t)maker_number(m, 9),
                            .time_ms = 1700000000000 + (int64_t)maker_number(m, 1000000)};
    r.head = any_position(m);
    r.cursor = maker_chance(m, 2) ? r.head : any_position(m);
    r.since = maker_chance(m, 2) ? r.cursor.seq : 1;
    r.more = maker_chance(m, 2);
    r.retry_ms = (uint32_t)maker_number(m, 3) * 1000;
    r.last_batch = (uint32_t)maker_number(m, 1000);
    any_news(m, &r, size);
    any_receipts(m, &r, size);
    r.record_count = (size_t)maker_number(m, 8 * size + 1);
    r.records = any_records(m, r.record_count);
    any_scope(m, &r, size);
    any_ledger(m, &r, size);
    return r;
}

struct slice stored_form(struct slice message, struct arena *mem) {
    enum { HEADER = 4, NAME = 4, CODING_AT = 3 };
    struct err err;
    if (message.data[CODING_AT] == 0) return message;
    struct reader r =
        reader_of(slice_of(message.data + HEADER + NAME, message.len - HEADER - NAME));
    size_t bytes = (size_t)reader_varint(&r);
    struct slice payload;
    CHECK_OK(deflate_read(reader_take(&r, reader_left(&r)), mem, bytes, &payload, &err));
    uint8_t *stored = arena_alloc(mem, HEADER + bytes);
    CHECK(stored);
    memcpy(stored, message.data, HEADER);
    stored[CODING_AT] = 0;
    memcpy(stored + HEADER, payload.data, bytes);
    return slice_of(stored, HEADER + bytes);
}
