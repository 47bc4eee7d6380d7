/* Samples of each message, made by hand: the golden file and the corpus of the fuzz target are from
 * them. */
#include "protocol/model/home.h"
#include "protocol/wire/succession.h"
#include "tests/unit/check.h"
#include "tests/unit/wire_make.h"

static const int64_t NOON = 1767268800000; /* 2026-01-01T12:00:00Z */
static const struct chain CHAIN_A = {{0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9,
                                      0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF}};
static const struct chain CHAIN_B = {{0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9,
                                      0xBA, 0xBB, 0xBC, 0xBD, 0xBE, 0xBF}};

static struct slice kept(struct arena *mem, enum status status, struct buf *buf) {
    CHECK_INT(status, ST_OK);
    struct slice s = arena_copy(mem, buf_slice(buf));
    buf_free(buf);
    return s;
}

static struct slice hello_request(struct arena *mem) {
    struct hello_request m = {.device = 17,
                              .box_public = {1, 2, 3},
                              .release = SLICE("0.1.0"),
                              .catalogue = CHAIN_A,
                              .wall_ms = NOON};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_hello_request(&m, &buf, NULL), &buf);
}

static struct slice hello_reply(struct arena *mem) {
    struct hello_reply m = {.box_public = {4, 5, 6},
                            .time_ms = NOON,
                            .key_ms = 86400000,
                            .nonce = SLICE("n-1"),
                            .release = SLICE("0.1.0"),
                            .minimum_release = SLICE("0.1.0")};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_hello_reply(&m, &buf, NULL), &buf);
}

static struct slice enroll_request(struct arena *mem) {
    struct enroll_request m = {.code = SLICE("0123456789abcdef"),
                               .device_public = {7, 8, 9},
                               .device_name = SLICE("李伟的笔记本"),
                               .release = SLICE("0.1.0")};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_enroll_request(&m, &buf, NULL), &buf);
}

static struct slice enroll_reply(struct arena *mem) {
    struct enroll_reply m = {.device = 17,
                             .employee = id_make(0, 12),
                             .user = SLICE("liwei"),
                             .org_label = SLICE("华东办事处"),
                             .epoch = 1,
                             .time_ms = NOON};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_enroll_reply(&m, &buf, NULL), &buf);
}

static struct slice wait_request(struct arena *mem) {
    struct wait_request m = {.epoch = 1, .seq = 100};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_wait_request(&m, &buf, NULL), &buf);
}

static struct round_request idle(void) {
    struct round_request m = {.epoch = 1,
                              .cursor = {100, CHAIN_A},
                              .top = {100, CHAIN_A},
                              .since = 100,
                              .news_version = 3,
                              .last_batch = 7,
                              .last_chain = CHAIN_B,
                              .envelope = {{NOON, 5, 3600000, 0}, -30, 0},
                              .page_bytes = WIRE_PAGE_BYTES};
    return m;
}

static struct slice request(struct arena *mem, const struct round_request *m) {
    struct buf buf = buf_new(BUF_MAX_MESSAGE);
    return kept(mem, wire_write_round_request(m, 9, &buf, NULL), &buf);
}

/* A visit with its text, a counted and a tagged cell, a delete of a unit, and a retry. */
static struct slice push(struct arena *mem) {
    struct value account = value_int(id_make(0, 40)),
                 note = value_text(SLICE("客户满意，没有新的问题。"));
    struct value period[] = {value_int(NOON), value_int(NOON + 1800000)};
    struct value delta = value_int(-3), tags[] = {value_text(SLICE("vip\n华东")), value_null()};
    struct edit visit[] = {{1, EDIT_SET, {0, 0}, {0, 0}, &account, 1},
                           {5, EDIT_SET, {0, 0}, {0, 0}, period, 2},
                           {14, EDIT_SET, {0, 0}, {0, 0}, &note, 1}};
    struct edit others[] = {{3, EDIT_COUNT, {90, 6}, {90, 6}, &delta, 1},
                            {9, EDIT_ELEMENTS, {80, 0}, {90, 6}, tags, 2}};
    struct unit_cell cell = {4, {70, 0}};
    struct unit_row unit[] = {{id_make(17, 2), 6, {60, 0}, &cell, 1},
                              {id_make(17, 3), 7, {61, 2}, NULL, 0}};
    struct refusal_id retry = {5, 0, 14};
    struct change changes[] = {{CHANGE_CREATE, 6, id_make(17, 9), visit, 3, NULL, 0, NULL, 0},
                               {CHANGE_EDIT, 3, id_make(0, 40), others, 2, NULL, 0, &retry, 1},
                               {CHANGE_DELETE, 6, id_make(17, 2), NULL, 0, unit, 2, NULL, 0}};
    struct batch batches[] = {
        {8, 0, 100, {NOON - 60000, 5, 3540000, 0}, 0, changes, 1, NULL},
        {9, BATCH_ALL_OR_NOTHING, 100, {NOON - 30000, 5, 3570000, 0}, 77, changes + 1, 2, NULL},
        {10, 0, 100, {NOON - 1000, 5, 3599000, 0}, 0, NULL, 0, NULL}};
    struct round_request m = idle();
    m.batches = batches;
    m.batch_count = ARRAY_COUNT(batches);
    memset(m.signature, 0x5A, sizeof m.signature);
    return request(mem, &m);
}

static struct slice reply(struct arena *mem, const struct round_reply *m) {
    uint8_t seed[SIGN_SEED_BYTES] = {1};
    struct sign_key key = sign_key_from_seed(seed);
    struct buf buf = buf_new(BUF_MAX_MESSAGE);
    return kept(mem, wire_write_round_reply(m, 17, &key, 9, &buf, NULL), &buf);
}

static struct slice idle_reply(struct arena *mem) {
    struct round_reply m = {.epoch = 1,
                            .time_ms = NOON,
                            .head = {100, CHAIN_A},
                            .cursor = {100, CHAIN_A},
                            .since = 100,
                            .last_batch = 7};
    return reply(mem, &m);
}

static struct slice receipts_reply(struct arena *mem) {
    struct value now = value_text(SLICE("另一位的备注"));
    struct receipt_edit visit[] = {{1, OUTCOME_APPLIED, REASON_NONE, 101, false, NULL, 0},
                                   {14, OUTCOME_LOST, REASON_NONE, 99, true, &now, 1}};
    struct receipt_edit refused = {3, OUTCOME_REFUSED, REASON_OFFICE, 90, false, NULL, 0};
    struct unit_state state = {id_make(17, 3), ROW_HERE};
    struct receipt_line first = {OUTCOME_LOST, REASON_NONE, ROW_HERE, id_make(17, 9), 0,
                                 101,          visit,       2,        NULL,           0};
    struct receipt_line rest[] = {
        {OUTCOME_REFUSED, REASON_OFFICE, ROW_OUT, id_make(0, 40), 0, 0, &refused, 1, NULL, 0},
        {OUTCOME_LOST, REASON_NONE, ROW_DEAD, id_make(17, 2), 61, 103, NULL, 0, &state, 1}};
    struct receipt receipts[] = {
        {8, 101, NOON, &first, 1}, {9, 103, NOON, rest, 2}, {10, 103, NOON, NULL, 0}};
    struct round_reply m = {.epoch = 1,
                            .time_ms = NOON,
                            .head = {103, CHAIN_B},
                            .cursor = {100, CHAIN_A},
                            .since = 90,
                            .more = true,
                            .retry_ms = 1500,
                            .last_batch = 10,
                            .receipts = receipts,
                            .receipt_count = ARRAY_COUNT(receipts)};
    return reply(mem, &m);
}

static struct slice late_reply(struct arena *mem) {
    struct receipt_edit edits[] = {{8, OUTCOME_APPLIED, REASON_LATE, 0, false, NULL, 0},
                                   {31, OUTCOME_WAITING, REASON_OFFICE, 0, false, NULL, 0}};
    struct receipt_line lines[] = {
        {OUTCOME_WAITING, REASON_OFFICE, ROW_OUT, id_make(0, 40), 99, 101, edits, 2, NULL, 0},
        {OUTCOME_APPLIED, REASON_LATE, ROW_OUT, id_make(0, 41), 98, 102, edits, 1, NULL, 0}};
    struct receipt receipt = {8, 102, NOON, lines, 2};
    struct round_reply m = {.epoch = 1,
                            .time_ms = NOON,
                            .head = {102, CHAIN_B},
                            .cursor = {102, CHAIN_B},
                            .since = 102,
                            .last_batch = 8,
                            .receipts = &receipt,
                            .receipt_count = 1};
    return reply(mem, &m);
}

static struct slice others_reply(struct arena *mem) {
    struct value value = value_text(SLICE("+86 10 5555"));
    struct edit edit = {.cell_tag = 8, .base = {90, 0}, .values = &value, .value_count = 1};
    struct change change = {.kind = CHANGE_EDIT,
                            .entity_tag = 5,
                            .row = id_make(0, 41),
                            .edits = &edit,
                            .edit_count = 1};
    struct buf bytes = buf_new(BUF_MAX_BATCH);
    change_write(&change, &bytes);
    struct others_edit other = {
        98, NOON - 60000, 18, {12, 0, 8}, REASON_DENIED, arena_copy(mem, buf_slice(&bytes))};
    struct round_reply m = {.epoch = 1,
                            .time_ms = NOON,
                            .head = {102, CHAIN_B},
                            .cursor = {102, CHAIN_B},
                            .since = 102,
                            .last_batch = 8,
                            .has_others = true,
                            .others = &other,
                            .others_count = 1};
    buf_free(&bytes);
    return reply(mem, &m);
}

static struct slice page_reply(struct arena *mem) {
    struct value account = value_int(id_make(0, 40)), note = value_text(SLICE("a\nb"));
    struct value period[] = {value_int(NOON), value_int(NOON + 1800000)};
    struct record_cell cells[] = {{1, &account, 1}, {5, period, 2}, {14, &note, 1}, {99, &note, 1}};
    struct record records[] = {{6, RECORD_WHOLE, id_make(17, 9), 101, cells, 4},
                               {6, RECORD_WHOLE, id_make(18, 1), 102, cells, 2},
                               {6, RECORD_DEAD, id_make(17, 2), 103, NULL, 0},
                               {60, 0, id_make(17, 5), 104, cells + 2, 1}};
    struct person people[] = {{17, id_make(0, 12), SLICE("李伟")}, {18, 0, SLICE("Anna")}};
    struct alias_news alias = {98, id_make(17, 1), id_make(0, 40)};
    struct held_news held = {99, {5, 0, 14}, HELD_APPROVED};
    struct ledger_entry ledger = {.seq = 101,
                                  .entity_tag = 6,
                                  .row = id_make(17, 9),
                                  .cell_tag = 14,
                                  .rule = RULE_LAST,
                                  .base_seq = 90,
                                  .loser_device = 17,
                                  .winner_device = 18,
                                  .loser_batch = 8,
                                  .loser_time_ms = NOON - 5,
                                  .winner_time_ms = NOON,
                                  .winner_is_new = true,
                                  .loser = &note,
                                  .winner = &note,
                                  .value_count = 1};
    struct round_reply m = {.epoch = 1,
                            .time_ms = NOON,
                            .head = {104, CHAIN_B},
                            .cursor = {104, CHAIN_B},
                            .since = 104,
                            .last_batch = 10,
                            .has_news = true,
                            .news_version = 4,
                            .people = people,
                            .people_count = 2,
                            .aliases = &alias,
                            .alias_count = 1,
                            .records = records,
                            .record_count = ARRAY_COUNT(records),
                            .ledger = &ledger,
                            .ledger_count = 1,
                            .held = &held,
                            .held_count = 1};
    return reply(mem, &m);
}

static struct slice epoch_reply(struct arena *mem) {
    struct round_reply m = {.kind = REPLY_EPOCH, .epoch = 2, .cursor = {60, CHAIN_A}};
    return reply(mem, &m);
}

static struct slice cloned_reply(struct arena *mem) {
    struct round_reply m = {.kind = REPLY_CLONED, .last_batch = 12};
    return reply(mem, &m);
}

static struct slice content_request(struct arena *mem, bool wants) {
    struct content_request m = {.wants = wants,
                                .content = {{0xC0, 0xC1, 0xC2}},
                                .bytes = wants ? 0 : 300000,
                                .offset = 262144,
                                .bytes_max = wants ? 65536 : 0,
                                .piece = wants ? (struct slice){0} : SLICE("a piece of a photo")};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_content_request(&m, &buf, NULL), &buf);
}

static struct slice content_reply(struct arena *mem) {
    struct content_reply m = {
        .whole = true, .bytes = 300000, .offset = 262144, .piece = SLICE("a piece of a photo")};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_content_reply(&m, &buf, NULL), &buf);
}

/* ------------------------------------------------------------------ late, lost and copied */

static struct slice hello_of_a_wiped(struct arena *mem) {
    struct hello_request m = {.device = 17,
                              .box_public = {1, 2, 3},
                              .release = SLICE("0.1.0"),
                              .wall_ms = NOON,
                              .has_wiped = true,
                              .wiped_order_ms = NOON - 5000};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_hello_request(&m, &buf, NULL), &buf);
}

static struct slice enroll_as_copy(const struct chain *saves, size_t save_count, struct arena *mem) {
    struct chain chains[] = {CHAIN_A, CHAIN_B};
    struct copied_book copy = {
        .last_batch = 7, .chains = chains, .chain_count = 2, .saves = (struct chain *)(uintptr_t)saves, .save_count = save_count};
    struct enroll_request m = {.code = SLICE("0123456789abcdef"),
                               .device_public = {7, 8, 9},
                               .device_name = SLICE("李伟的笔记本"),
                               .release = SLICE("0.1.0"),
                               .copy = &copy};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_enroll_request(&m, &buf, NULL), &buf);
}

static struct slice enroll_of_a_copy(struct arena *mem) {
    return enroll_as_copy(NULL, 0, mem);
}

static struct slice enroll_of_a_copy_and_saves(struct arena *mem) {
    struct chain save = CHAIN_A;
    return enroll_as_copy(&save, 1, mem);
}

static struct slice enroll_reply_otherwise(struct arena *mem) {
    struct enroll_reply m = {.device = 18,
                             .user = SLICE("liwei"),
                             .epoch = 1,
                             .time_ms = NOON,
                             .has_kept = true,
                             .kept = {.last = 8, .otherwise = true, .chain = CHAIN_B}};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_enroll_reply(&m, &buf, NULL), &buf);
}

static struct slice enroll_reply_to_a_copy(struct arena *mem) {
    struct enroll_reply m = {.device = 18,
                             .user = SLICE("liwei"),
                             .epoch = 1,
                             .time_ms = NOON,
                             .has_kept = true,
                             .kept = {.last = 8}};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_enroll_reply(&m, &buf, NULL), &buf);
}

/* A laptop that is being filled gives back what the server forgot, and says how it is. */
static struct slice recovery_request(struct arena *mem) {
    struct err err;
    struct round_reply former;
    CHECK_OK(wire_read_round_reply(receipts_reply(mem), 17, mem, &former, &err));
    struct receipt_proof proof = {.bytes = former.receipts_bytes};
    memcpy(proof.signature, former.receipts_signature, SIGN_BYTES);
    struct value note = value_text(SLICE("ships in spring"));
    struct edit edit = {14, EDIT_SET, {7, 0}, {7, 0}, &note, 1};
    struct change change = {CHANGE_EDIT, 6, id_make(17, 9), &edit, 1, NULL, 0, NULL, 0};
    struct batch batch = {8, 0, 100, {NOON - 60000, 5, 3540000, 0}, 0, &change, 1, NULL};
    struct position marks[] = {{60, CHAIN_A}, {90, CHAIN_B}};
    struct give_back given = {.before = CHAIN_A,
                              .signature = {9},
                              .batches = &batch,
                              .batch_count = 1,
                              .proofs = &proof,
                              .proof_count = 1};
    struct round_request m = idle();
    m.scope = (struct scope_position){
        .told = 90,
        .ready = 80,
        .filling = 90,
        .at = {home_make(HOME_CLASS_TEAM, id_make(0, 40)), 6, id_make(17, 2)}};
    m.wants_digest = true;
    m.marks = marks;
    m.mark_count = ARRAY_COUNT(marks);
    m.given = &given;
    m.has_report = true;
    m.report = (struct device_report){10, 123456, 98765, DISK_ENCRYPTED};
    return request(mem, &m);
}

static struct slice scope_reply(struct arena *mem) {
    struct value note = value_text(SLICE("a\nb"));
    struct record_cell cell = {14, &note, 1};
    struct record filled = {6, RECORD_WHOLE, id_make(17, 9), 70, &cell, 1};
    int64_t north = home_make(HOME_CLASS_TERRITORY, id_make(0, 3));
    struct grant_news opened[] = {{home_make(HOME_CLASS_TEAM, id_make(0, 40)), 88, true},
                                  {home_make(HOME_CLASS_PUBLIC, 0), 12, false}};
    struct round_reply m = {.epoch = 2,
                            .time_ms = NOON,
                            .head = {104, CHAIN_B},
                            .cursor = {104, CHAIN_B},
                            .since = 104,
                            .more = true,
                            .last_batch = 7,
                            .has_backup = true,
                            .backup = 64,
                            .marks = &(struct position){64, CHAIN_A},
                            .mark_count = 1,
                            .recovering = true,
                            .has_scope = true,
                            .scope = {.told = 104, .ready = 80, .filling = 90, .at = {north, 6, 9}},
                            .scope_whole = true,
                            .opened = opened,
                            .opened_count = ARRAY_COUNT(opened),
                            .closed = &north,
                            .closed_count = 1,
                            .filled = &filled,
                            .filled_count = 1,
                            .order = {.kind = ORDER_WIPE, .time_ms = NOON, .signature = {1, 2}},
                            .has_digest = true,
                            .digest = {0xD0, 0xD1},
                            .digest_rows = 12};
    return reply(mem, &m);
}

/* The server's word where its log stood, as a laptop gets it and as it shows it. */
static struct slice voucher_reply(struct arena *mem) {
    struct round_reply m = {.epoch = 1,
                            .time_ms = NOON,
                            .head = {104, CHAIN_B},
                            .cursor = {104, CHAIN_B},
                            .since = 104,
                            .last_batch = 7,
                            .has_voucher = true,
                            .voucher = {0xC0, 0xC1}};
    return reply(mem, &m);
}

static struct slice voucher_request(struct arena *mem) {
    struct round_request m = idle();
    m.has_voucher = true;
    m.voucher = (struct voucher){7, {0xC0, 0xC1}};
    return request(mem, &m);
}

/* A row of a life that the server forgot, as a laptop had it; and the server's wish for such. */
static struct slice facts_request(struct arena *mem) {
    struct value name = value_text(SLICE("远大"));
    struct edit edit = {1, EDIT_SET, {95, 0}, {95, 0}, &name, 1};
    struct change change = {CHANGE_EDIT, 4, id_make(17, 9), &edit, 1, NULL, 0, NULL, 0};
    struct batch batch = {.changes = &change, .change_count = 1};
    struct round_request m = idle();
    m.facts = &batch;
    return request(mem, &m);
}

static struct slice facts_reply(struct arena *mem) {
    struct round_reply m = {.epoch = 2,
                            .time_ms = NOON,
                            .head = {104, CHAIN_B},
                            .cursor = {104, CHAIN_B},
                            .since = 104,
                            .wants_facts = true,
                            .facts_taken = 1};
    return reply(mem, &m);
}

static struct slice repair_request(struct arena *mem) {
    uint32_t places[] = {7, 65535};
    struct repair_row rows[] = {{6, id_make(17, 1), 0x0123456789ABCDEF}, {4, 42, 0}};
    struct repair_request m = {
        .step = REPAIR_ROWS, .places = places, .place_count = 2, .rows = rows, .row_count = 2};
    struct buf buf = buf_new(BUF_MAX_MESSAGE);
    return kept(mem, wire_write_repair_request(&m, &buf, NULL), &buf);
}

static struct slice repair_reply(struct arena *mem) {
    uint32_t places[] = {7};
    struct value name = value_text(SLICE("远大"));
    struct record_cell cell = {1, &name, 1};
    struct record record = {4, RECORD_WHOLE, 42, 9, &cell, 1};
    struct repair_row drop = {6, id_make(17, 1), 0};
    struct repair_reply m = {.places = places,
                             .place_count = 1,
                             .records = &record,
                             .record_count = 1,
                             .drops = &drop,
                             .drop_count = 1,
                             .more = true};
    struct buf buf = buf_new(BUF_MAX_MESSAGE);
    return kept(mem, wire_write_repair_reply(&m, 9, &buf, NULL), &buf);
}

/* A counter, money with its currency, a retired set of an enum's values, and a value of an enum of
 * the release. */
static struct signed_additions additions(struct arena *mem) {
    struct added_field fields[] = {
        {4, 65536, 0, FIELD_INT, 0, RULE_COUNTER, 0, 0, 0, 500, SLICE("fleet"),
         {SLICE("Vehicles"), SLICE("车辆数")}, 0, 0, 0},
        {4, 65537, 65537, FIELD_MONEY, 0, RULE_LAST, 0, 0, -100, 100, SLICE("budget"),
         {SLICE("Budget"), SLICE("预算")}, 0, 0, 0},
        {4, 65538, 65537, FIELD_TEXT, 0, RULE_LAST, 0, 0, 0, 3, SLICE("budget_currency"),
         {SLICE("Currency"), SLICE("币种")}, 0, 0, 0},
        {5, 65539, 0, FIELD_SET, FIELD_ENUM, RULE_SET, 0, ADDITION_RETIRED | ADDITION_PERSONAL, 0,
         0, SLICE("habits"), {SLICE("Habits"), SLICE("习惯")}, 0, 0, 0}};
    struct added_value values[] = {
        {4, 5, 65541, 0, SLICE("startup"), {SLICE("Start-up"), SLICE("初创企业")}},
        {5, 65539, 65540, ADDITION_RETIRED, SLICE("tea"), {SLICE("Tea"), SLICE("茶")}}};
    struct additions added = {fields, ARRAY_COUNT(fields), values, ARRAY_COUNT(values)};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return (struct signed_additions){kept(mem, wire_write_additions(&added, &buf, NULL), &buf),
                                     {0x51, 0x52},
                                     {0}};
}

static struct slice news_reply(struct arena *mem) {
    struct signed_additions added = additions(mem);
    struct person person = {17, id_make(0, 12), SLICE("Li Wei")};
    struct round_reply m = {.epoch = 1,
                            .time_ms = NOON,
                            .head = {104, CHAIN_B},
                            .cursor = {104, CHAIN_B},
                            .since = 104,
                            .last_batch = 7,
                            .has_news = true,
                            .news_version = 12,
                            .people = &person,
                            .people_count = 1,
                            .added = &added,
                            .added_count = 1};
    return reply(mem, &m);
}

static struct slice fields_request(struct arena *mem) {
    struct signed_additions added = additions(mem);
    struct round_request m = idle();
    m.epoch = 2;
    m.added = &added;
    m.added_count = 1;
    return request(mem, &m);
}

/* Two changes of the org's key, as its three keys sign them. */
static struct key_changes two_changes(struct arena *mem) {
    struct key_change *changes = ARENA_ARRAY(mem, 2, struct key_change);
    struct sign_key keys[3];
    uint8_t first[SIGN_PUBLIC_BYTES];
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t seed[SIGN_SEED_BYTES] = {(uint8_t)(0x50 + i)};
        keys[i] = sign_key_from_seed(seed);
    }
    sign_public(&keys[0], first);
    for (uint32_t i = 0; i < 2; i++) {
        changes[i] = (struct key_change){.time_ms = NOON + i, .seq = 100 + i};
        key_change_make(&changes[i], first, i + 1, &keys[i], &keys[i + 1]);
    }
    return (struct key_changes){.total = 2, .items = changes, .count = 2};
}

static struct slice hello_of_one_who_knows(struct arena *mem) {
    struct hello_request m = {.device = 17, .release = SLICE("0.1.0"), .key_changes = 1};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_hello_request(&m, &buf, NULL), &buf);
}

static struct slice hello_reply_with_keys(struct arena *mem) {
    struct hello_reply m = {.box_public = {4, 5, 6},
                            .time_ms = NOON,
                            .key_ms = 86400000,
                            .nonce = SLICE("n-1"),
                            .release = SLICE("0.1.0"),
                            .minimum_release = SLICE("0.1.0"),
                            .lease_days = 30,
                            .keys = two_changes(mem)};
    struct buf buf = buf_new(BUF_MAX_LINE);
    m.keys.items++; /* it knows one */
    m.keys.count--;
    return kept(mem, wire_write_hello_reply(&m, &buf, NULL), &buf);
}

static struct slice enroll_reply_with_keys(struct arena *mem) {
    struct enroll_reply m = {.device = 17, .epoch = 1, .time_ms = NOON, .keys = two_changes(mem)};
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_enroll_reply(&m, &buf, NULL), &buf);
}

static struct slice keys_alone(struct arena *mem) {
    struct key_changes m = two_changes(mem);
    struct buf buf = buf_new(BUF_MAX_LINE);
    return kept(mem, wire_write_keys(&m, &buf, NULL), &buf);
}

void make_samples(struct arena *mem, struct sample out[SAMPLE_COUNT]) {
    struct round_request waiting = idle();
    struct sample samples[SAMPLE_COUNT] = {{"hello-request", hello_request(mem)},
                                           {"hello-reply", hello_reply(mem)},
                                           {"enroll-request", enroll_request(mem)},
                                           {"enroll-reply", enroll_reply(mem)},
                                           {"wait-request", wait_request(mem)},
                                           {"round-request-idle", request(mem, &waiting)},
                                           {"round-request-push", push(mem)},
                                           {"round-reply-idle", idle_reply(mem)},
                                           {"round-reply-receipts", receipts_reply(mem)},
                                           {"round-reply-page", page_reply(mem)},
                                           {"round-reply-epoch", epoch_reply(mem)},
                                           {"round-reply-cloned", cloned_reply(mem)},
                                           {"content-request-brings", content_request(mem, false)},
                                           {"content-request-wants", content_request(mem, true)},
                                           {"content-reply", content_reply(mem)},
                                           {"hello-request-wiped", hello_of_a_wiped(mem)},
                                           {"enroll-request-copy", enroll_of_a_copy(mem)},
                                           {"enroll-reply-copy", enroll_reply_to_a_copy(mem)},
                                           {"enroll-request-saves", enroll_of_a_copy_and_saves(mem)},
                                           {"enroll-reply-taken", enroll_reply_otherwise(mem)},
                                           {"round-request-recovery", recovery_request(mem)},
                                           {"round-reply-scope", scope_reply(mem)},
                                           {"repair-request", repair_request(mem)},
                                           {"repair-reply", repair_reply(mem)},
                                           {"round-reply-late", late_reply(mem)},
                                           {"round-reply-others", others_reply(mem)},
                                           {"round-reply-voucher", voucher_reply(mem)},
                                           {"round-request-voucher", voucher_request(mem)},
                                           {"round-request-facts", facts_request(mem)},
                                           {"round-reply-facts", facts_reply(mem)},
                                           {"round-reply-fields", news_reply(mem)},
                                           {"round-request-fields", fields_request(mem)},
                                           {"hello-request-keys", hello_of_one_who_knows(mem)},
                                           {"hello-reply-keys", hello_reply_with_keys(mem)},
                                           {"enroll-reply-keys", enroll_reply_with_keys(mem)},
                                           {"keys", keys_alone(mem)}};
    memcpy(out, samples, sizeof samples);
}
