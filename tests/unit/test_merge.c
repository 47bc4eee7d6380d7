/* The rules of merging: who had seen what, when it was made, and one result for each rule. The expected
 * results are worked out by hand from PROTOCOL.md, "Merging". */
#include "protocol/model/model.h"
#include "tests/unit/check.h"

enum { ROW = 100, LOSER_ROW = 90, ME = 7, OTHER = 8, THIRD = 9 };

static struct catalogue release(struct arena *mem) {
    struct catalogue cat;
    struct err err = {0};
    CHECK_OK(catalogue_release(mem, &cat, &err));
    return cat;
}

static const struct entity *entity_of(const struct catalogue *cat, const char *name) {
    const struct entity *e = catalogue_entity(cat, slice_from(name));
    CHECK(e != NULL);
    return e;
}

static const struct cell *cell_of(const struct entity *e, const char *field) {
    const struct field *f = entity_field(e, slice_from(field));
    CHECK(f != NULL);
    return entity_cell_of(e, f);
}

/* ------------------------------------------------------------------ who had seen what */

TEST(a_base_covers_what_its_author_was_shown) {
    static const struct {
        const char *name;
        struct clock clock;
        struct base base;
        int64_t named;
        bool covered, own;
    } rows[] = {
        {"at the base's seq", {.seq = 5, .device = OTHER, .batch = 1}, {5, 0}, ROW, true, false},
        {"below it", {.seq = 4, .device = OTHER, .batch = 1}, {5, 0}, ROW, true, false},
        {"above it", {.seq = 6, .device = OTHER, .batch = 1}, {5, 0}, ROW, false, false},
        {"own batch at the base's", {.seq = 6, .device = ME, .batch = 3}, {5, 3}, ROW, true, true},
        {"own batch below it", {.seq = 6, .device = ME, .batch = 2}, {5, 3}, ROW, true, true},
        {"own batch above it: two windows", {.seq = 6, .device = ME, .batch = 4}, {5, 3}, ROW, false, true},
        {"own, but the form had no own batch", {.seq = 6, .device = ME, .batch = 4}, {5, 0}, ROW, false, true},
        {"own device, but no batch: the office", {.seq = 6, .device = ME}, {5, 3}, ROW, false, true},
        {"another's batch of that number", {.seq = 6, .device = OTHER, .batch = 3}, {5, 3}, ROW, false, false},
        {"merged by the server", {.seq = 6}, {5, 3}, ROW, false, false},
        {"merged by the server, seen", {.seq = 5}, {5, 3}, ROW, true, false},
        {"another name: a seq says nothing", {.seq = 4, .device = OTHER, .batch = 1}, {5, 0}, LOSER_ROW, false, false},
        {"another name: own change through it",
         {.seq = 6, .device = ME, .batch = 3, .via = LOSER_ROW}, {5, 3}, LOSER_ROW, true, true},
        {"another name: own change by the true name", {.seq = 6, .device = ME, .batch = 3}, {5, 3}, LOSER_ROW, false, false},
        {"own change through another name", {.seq = 6, .device = ME, .batch = 3, .via = LOSER_ROW}, {5, 3}, ROW, false, false},
        {"a stranger's through another name, seen by seq",
         {.seq = 5, .device = OTHER, .batch = 3, .via = LOSER_ROW}, {5, 0}, ROW, true, false},
    };
    for EACH(row, rows) {
        CHECK_ROW_INT(row, clock_is_covered(&row->clock, row->base, ME, row->named, ROW), row->covered);
        CHECK_ROW_INT(row, clock_is_own(&row->clock, ME, row->named, ROW), row->own);
    }
    struct clock server = {.seq = 6};
    CHECK(!clock_is_own(&server, 0, ROW, ROW));
}

TEST(what_came_with_a_row_that_became_this_one_is_covered_by_its_seq_there) {
    static const struct clock_was was[] = {{LOSER_ROW, 4}, {LOSER_ROW + 1, 9}};
    static const struct clock clock = {
        .seq = 20, .device = OTHER, .batch = 1, .was = was, .was_count = ARRAY_COUNT(was)};
    static const struct {
        const char *name;
        int64_t named, seq;
        bool covered;
    } rows[] = {
        {"seen where it stood first", LOSER_ROW, 4, true},
        {"not yet there", LOSER_ROW, 3, false},
        {"by the second name", LOSER_ROW + 1, 9, true},
        {"by the second name, too early", LOSER_ROW + 1, 8, false},
        {"by the row itself, before it came", ROW, 19, false},
        {"by the row itself", ROW, 20, true},
        {"by a row that it never stood on", LOSER_ROW + 2, 30, false},
    };
    for EACH(row, rows)
        CHECK_ROW_INT(row, clock_is_covered(&clock, (struct base){row->seq, 0}, ME, row->named, ROW), row->covered);
}

/* The server was set back to seq 10 while its log stood at 20: 11 to 20 were forgotten, and the new
 * life begins at 50. */
TEST(a_base_of_a_lost_branch_covers_what_was_there_or_given_back) {
    static const struct lost_branch lost = {.back = 10, .start = 50};
    static const struct former_life life = {.lost = &lost, .lost_count = 1};
    static const struct {
        const char *name;
        int64_t base, seq, old; /* of the change: its seq now, and in the receipt of the former life */
        uint32_t device, batch;
        int64_t named;
        bool covered;
    } rows[] = {
        {"before the lives part, seen", 9, 8, 0, OTHER, 1, ROW, true},
        {"before the lives part, not seen", 9, 10, 0, OTHER, 1, ROW, false},
        {"of the new life, seen", 60, 55, 0, OTHER, 1, ROW, true},
        {"lost base, what both lives have", 15, 10, 0, OTHER, 1, ROW, true},
        {"lost base, what the new life made", 15, 55, 0, OTHER, 1, ROW, false},
        {"lost base, given back and seen then", 15, 55, 15, OTHER, 1, ROW, true},
        {"lost base, given back and later then", 15, 55, 16, OTHER, 1, ROW, false},
        {"lost base, an own batch that it had", 15, 55, 0, ME, 3, ROW, true},
        {"lost base, another name", 15, 10, 0, OTHER, 1, LOSER_ROW, false},
    };
    for EACH(row, rows) {
        struct clock clock = {.seq = row->seq, .device = row->device, .batch = row->batch};
        struct base base = {row->base, 3};
        CHECK_ROW_INT(row, clock_is_covered_in(&clock, row->old, base, ME, row->named, ROW, &life), row->covered);
    }
    int64_t back = 0;
    CHECK(base_is_lost(&lost, 1, 49, &back) && back == 10);
    CHECK(base_is_lost(&lost, 1, 11, NULL));
    CHECK(!base_is_lost(&lost, 1, 10, NULL) && !base_is_lost(&lost, 1, 50, NULL) && !base_is_lost(NULL, 0, 11, NULL));
    struct clock clock = {.seq = 8, .device = OTHER, .batch = 1};
    CHECK(clock_is_covered_in(&clock, 0, (struct base){15, 0}, ME, ROW, ROW, NULL));
}

/* ------------------------------------------------------------------ when it was made */

TEST(the_time_of_an_edit_is_its_age) {
    enum { NOW = 1000000 };
    static const struct {
        const char *name;
        struct stamp made, now;
        int64_t expected_offset, base_time, slack, expected;
        uint32_t suspect_boot;
    } rows[] = {
        {"one boot: by the boot clock", {5, 2, 100, 0}, {99, 2, 400, 0}, 0, 0, 0, NOW - 300, 0},
        {"a wall clock off by a year changes nothing", {31536000000, 2, 100, 0}, {5, 2, 400, 0}, 0, 0, 0, NOW - 300, 0},
        {"earlier boot, offset as expected", {NOW + 50 - 700, 1, 9, 0}, {NOW + 50, 2, 4, 0}, 50, 0, 0, NOW - 700, 0},
        {"earlier boot, offset another: on arrival", {NOW + 51 - 700, 1, 9, 0}, {NOW + 51, 2, 4, 0}, 50, 0, 0, NOW, 0},
        {"within the slack", {NOW + 51 - 700, 1, 9, 0}, {NOW + 51, 2, 4, 0}, 50, 0, 1, NOW - 700, 0},
        {"below, within the slack", {NOW + 49 - 700, 1, 9, 0}, {NOW + 49, 2, 4, 0}, 50, 0, 1, NOW - 700, 0},
        {"below, beyond the slack", {NOW + 48 - 700, 1, 9, 0}, {NOW + 48, 2, 4, 0}, 50, 0, 1, NOW, 0},
        {"recorded steps are taken out", {NOW - 700, 1, 9, 10}, {NOW + 30, 2, 4, 40}, 30, 0, 0, NOW - 700, 0},
        {"made before a suspect boot: on arrival", {NOW - 700, 1, 9, 0}, {NOW, 3, 4, 0}, 0, 0, 0, NOW, 1},
        {"made after the suspect boot", {NOW - 700, 2, 9, 0}, {NOW, 3, 4, 0}, 0, 0, 0, NOW - 700, 1},
        {"not before the base", {5, 2, 100, 0}, {99, 2, 400, 0}, 0, NOW - 200, 0, NOW - 200, 0},
        {"not after now", {5, 2, 400, 0}, {99, 2, 100, 0}, 0, 0, 0, NOW, 0},
        {"hostile numbers", {INT64_MIN, 2, INT64_MIN, INT64_MIN}, {INT64_MAX, 2, INT64_MAX, INT64_MAX}, 0, 7, 0, 7, 0},
        {"hostile walls", {INT64_MAX, 1, 0, INT64_MAX}, {INT64_MIN, 2, 0, INT64_MIN}, INT64_MAX, 7, 0, NOW, 0},
    };
    for EACH(row, rows) {
        struct envelope envelope = {row->now, row->expected_offset, row->suspect_boot};
        CHECK_ROW_INT(row, edit_time(&row->made, &envelope, NOW, row->base_time, row->slack), row->expected);
    }
}

/* ------------------------------------------------------------------ last, max, min, state */

/* Numbers stand for values; NONE for NULL. The cell's last change is OTHER's batch 4, seq 10, time 500; mine is
 * batch 6, seq 20. */
enum { NONE = INT32_MIN };

static struct value number_or_null(int64_t n) {
    return n == NONE ? value_null() : value_int(n);
}

struct number_row {
    const char *name, *entity, *field;
    int64_t present, edit;
    uint32_t last_device;
    struct base base;
    int64_t time;
    enum outcome outcome;
    int64_t expected;
    enum ledger_loser loser;
};

static uint32_t check_number_row(const struct catalogue *cat, struct arena *mem, const struct number_row *row) {
    const struct entity *e = entity_of(cat, row->entity);
    const struct cell *cell = cell_of(e, row->field);
    struct value present = number_or_null(row->present), value = number_or_null(row->edit);
    struct edit edit = {.cell_tag = cell->tag, .kind = cell->rule == RULE_COUNTER ? EDIT_COUNT : EDIT_SET,
                        .base = row->base, .today = row->base, .values = &value, .value_count = 1};
    struct merge_in in = {.entity = e, .cell = cell, .row = ROW, .named = ROW, .present = &present,
                          .clock = {.seq = 10, .device = row->last_device, .batch = 4, .time_ms = 500},
                          .edit = &edit,
                          .edit_clock = {.seq = 20, .device = ME, .batch = 6, .time_ms = row->time}};
    struct merge_out out;
    struct err err = {0};
    CHECK_INT(cell->count, 1);
    CHECK_OK(merge_cell(&in, mem, &out, &err));
    CHECK_ROW_INT(row, out.outcome, row->outcome);
    CHECK_ROW(row, value_equal(out.values[0], number_or_null(row->expected)));
    CHECK_ROW_INT(row, out.loser, row->loser);
    bool lost = row->outcome == OUTCOME_LOST;
    CHECK_ROW_INT(row, out.clock.seq, lost ? 10 : 20);
    if (lost) CHECK_ROW_INT(row, out.clock.device, row->last_device);
    return out.clock.device;
}

TEST(each_rule_of_one_winner) {
    static const struct number_row rows[] = {
        /* name, cell, present, edit, last device, base, time, outcome, result, loser */
        {"last: seen", "account", "kind", 1, 2, OTHER, {10, 0}, 1, OUTCOME_APPLIED, 2, LEDGER_NONE},
        {"last: later", "account", "kind", 1, 2, OTHER, {9, 0}, 501, OUTCOME_APPLIED, 2, LEDGER_OLD},
        {"last: earlier", "account", "kind", 1, 2, OTHER, {9, 0}, 499, OUTCOME_LOST, 1, LEDGER_NEW},
        {"last: a tie stays", "account", "kind", 1, 2, OTHER, {9, 0}, 500, OUTCOME_LOST, 1, LEDGER_NEW},
        {"last: two windows, whatever the clocks say", "account", "kind", 1, 2, ME, {9, 3}, 1, OUTCOME_APPLIED, 2, LEDGER_OLD},
        {"last: a sequel of my own", "account", "kind", 1, 2, ME, {9, 4}, 1, OUTCOME_APPLIED, 2, LEDGER_NONE},
        {"last: clearing it, later", "account", "kind", 1, NONE, OTHER, {9, 0}, 501, OUTCOME_APPLIED, NONE, LEDGER_OLD},
        {"last: over nothing, earlier", "account", "kind", NONE, 2, OTHER, {9, 0}, 499, OUTCOME_LOST, NONE, LEDGER_NEW},
        {"office: like last", "account", "tier", 1, 2, OTHER, {9, 0}, 499, OUTCOME_LOST, 1, LEDGER_NEW},
        {"frozen: like last", "visit", "type", 1, 2, OTHER, {9, 0}, 501, OUTCOME_APPLIED, 2, LEDGER_OLD},
        {"append: like last", "order", "ordered_on", 1, 2, OTHER, {9, 0}, 501, OUTCOME_APPLIED, 2, LEDGER_OLD},
        {"max: greater", "account", "last_contact_on", 5, 6, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 6, LEDGER_OLD},
        {"max: smaller", "account", "last_contact_on", 5, 4, OTHER, {9, 0}, 999, OUTCOME_LOST, 5, LEDGER_NEW},
        {"max: the same", "account", "last_contact_on", 5, 5, OTHER, {9, 0}, 999, OUTCOME_LOST, 5, LEDGER_NEW},
        {"max: smaller, but seen", "account", "last_contact_on", 5, 4, OTHER, {10, 0}, 1, OUTCOME_APPLIED, 4, LEDGER_NONE},
        {"max: over nothing", "account", "last_contact_on", NONE, -9, OTHER, {9, 0}, 1, OUTCOME_APPLIED, -9, LEDGER_OLD},
        {"max: nothing never wins", "account", "last_contact_on", -9, NONE, OTHER, {9, 0}, 999, OUTCOME_LOST, -9, LEDGER_NEW},
        {"max: two windows", "account", "last_contact_on", 5, 4, ME, {9, 3}, 1, OUTCOME_APPLIED, 4, LEDGER_OLD},
        {"min: smaller", "account", "first_order_on", 5, 4, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 4, LEDGER_OLD},
        {"min: greater", "account", "first_order_on", 5, 6, OTHER, {9, 0}, 999, OUTCOME_LOST, 5, LEDGER_NEW},
        {"min: over nothing", "account", "first_order_on", NONE, 9, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 9, LEDGER_OLD},
        {"min: nothing never wins", "account", "first_order_on", 9, NONE, OTHER, {9, 0}, 999, OUTCOME_LOST, 9, LEDGER_NEW},
        {"state: further on", "opportunity", "stage", 2, 3, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 3, LEDGER_OLD},
        {"state: back", "opportunity", "stage", 3, 2, OTHER, {9, 0}, 999, OUTCOME_LOST, 3, LEDGER_NEW},
        {"state: back, but seen", "opportunity", "stage", 3, 2, OTHER, {10, 0}, 1, OUTCOME_APPLIED, 2, LEDGER_NONE},
        {"state: won after lost is illegal", "opportunity", "stage", 5, 6, OTHER, {9, 0}, 999, OUTCOME_LOST, 5, LEDGER_NEW},
        {"state: lost after won is illegal", "opportunity", "stage", 6, 5, OTHER, {9, 0}, 999, OUTCOME_LOST, 6, LEDGER_NEW},
        {"state: won after negotiation is legal", "opportunity", "stage", 4, 6, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 6, LEDGER_OLD},
        {"state: a number of a later release after lost", "opportunity", "stage", 5, 77, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 77, LEDGER_OLD},
        {"state: won after lost, but seen", "opportunity", "stage", 5, 6, OTHER, {10, 0}, 1, OUTCOME_APPLIED, 6, LEDGER_NONE},
        {"state: over nothing", "opportunity", "stage", NONE, 1, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 1, LEDGER_OLD},
        {"state: nothing never wins", "opportunity", "stage", 1, NONE, OTHER, {9, 0}, 999, OUTCOME_LOST, 1, LEDGER_NEW},
        {"state: a number of a later release", "opportunity", "stage", 3, 77, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 77, LEDGER_OLD},
        {"state: done wins over cancelled", "followup", "state", 3, 4, OTHER, {9, 0}, 1, OUTCOME_APPLIED, 4, LEDGER_OLD},
    };
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    for EACH(row, rows) (void)check_number_row(&cat, &mem, row);
    arena_clear(&mem);
}

TEST(a_counter_adds_and_says_who_had_a_part) {
    static const struct {
        struct number_row row;
        uint32_t device;
    } rows[] = {
        {{"seen", "account", "points", 10, 5, OTHER, {10, 0}, 1, OUTCOME_APPLIED, 15, LEDGER_NONE}, ME},
        {{"concurrent", "account", "points", 10, -3, OTHER, {9, 0}, 1, OUTCOME_MERGED, 7, LEDGER_NONE}, 0},
        {{"two windows", "account", "points", 10, 5, ME, {9, 3}, 1, OUTCOME_MERGED, 15, LEDGER_NONE}, ME},
        {{"onto nothing", "account", "points", NONE, 5, OTHER, {9, 0}, 1, OUTCOME_MERGED, 5, LEDGER_NONE}, 0},
        {{"does not run under", "account", "points", INT64_MIN, -5, OTHER, {10, 0}, 1, OUTCOME_APPLIED, INT64_MIN, LEDGER_NONE}, ME},
        {{"does not run over", "account", "points", INT64_MAX, 5, OTHER, {10, 0}, 1, OUTCOME_APPLIED, INT64_MAX, LEDGER_NONE}, ME},
    };
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    for EACH(each, rows) CHECK_ROW_INT(&each->row, check_number_row(&cat, &mem, &each->row), each->device);
    arena_clear(&mem);
}

TEST(a_group_wins_or_loses_as_one) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    const struct entity *e = entity_of(&cat, "opportunity");
    const struct cell *cell = cell_of(e, "currency");
    struct value present[] = {value_int(100), value_text(SLICE("CNY"))};
    struct value values[] = {value_int(200), value_text(SLICE("EUR"))};
    struct edit edit = {.cell_tag = cell->tag, .kind = EDIT_SET, .values = values, .value_count = 2};
    struct merge_in in = {.entity = e, .cell = cell, .row = ROW, .named = ROW, .present = present,
                          .clock = {.seq = 10, .device = OTHER, .batch = 1, .time_ms = 500}, .edit = &edit,
                          .edit_clock = {.seq = 20, .device = ME, .batch = 1, .time_ms = 400}};
    struct merge_out out;
    struct err err = {0};
    CHECK_INT(cell->count, 2);
    CHECK_OK(merge_cell(&in, &mem, &out, &err));
    CHECK_INT(out.outcome, OUTCOME_LOST);
    CHECK_INT(out.values[0].number, 100);
    CHECK_SLICE(out.values[1].text, "CNY");
    in.edit_clock.time_ms = 600;
    CHECK_OK(merge_cell(&in, &mem, &out, &err));
    CHECK_INT(out.values[0].number, 200);
    CHECK_SLICE(out.values[1].text, "EUR");
    edit.value_count = 1;
    CHECK_STATUS(merge_cell(&in, &mem, &out, &err), ST_INTERNAL);
    arena_clear(&mem);
}

TEST(an_edit_through_another_name_is_concurrent_and_notes_the_name) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    const struct entity *e = entity_of(&cat, "account");
    struct value present = value_int(1), value = value_int(2);
    struct edit edit = {.kind = EDIT_SET, .base = {50, 0}, .today = {50, 0}, .values = &value, .value_count = 1};
    struct merge_in in = {.entity = e, .cell = cell_of(e, "kind"), .row = ROW, .named = LOSER_ROW, .present = &present,
                          .clock = {.seq = 10, .device = OTHER, .batch = 1, .time_ms = 500}, .edit = &edit,
                          .edit_clock = {.seq = 60, .device = ME, .batch = 1, .time_ms = 600}};
    struct merge_out out;
    struct err err = {0};
    CHECK_OK(merge_cell(&in, &mem, &out, &err));
    CHECK_INT(out.outcome, OUTCOME_APPLIED);
    CHECK_INT(out.loser, LEDGER_OLD);
    CHECK_INT(out.clock.via, LOSER_ROW);
    in.edit_clock.time_ms = 400;
    CHECK_OK(merge_cell(&in, &mem, &out, &err));
    CHECK_INT(out.outcome, OUTCOME_LOST);
    CHECK_INT(out.clock.via, 0);
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ sets */

struct replica {                                           /* one set cell at the server */
    struct value set;
    struct clock clock;
    struct dot *dots;
    size_t dot_count;
};

static enum outcome put_elements(const struct catalogue *cat, struct arena *mem, struct replica *at, const char *adds,
                                 const char *removes, struct base base, struct clock clock) {
    const struct entity *e = entity_of(cat, "account");
    struct value values[] = {value_text(slice_from(adds)), value_text(slice_from(removes))};
    struct edit edit = {.kind = EDIT_ELEMENTS, .base = base, .today = base, .values = values, .value_count = 2};
    struct merge_in in = {.entity = e, .cell = cell_of(e, "tags"), .row = ROW, .named = ROW, .present = &at->set,
                          .clock = at->clock, .dots = at->dots, .dot_count = at->dot_count, .edit = &edit,
                          .edit_clock = clock};
    struct merge_out out;
    struct err err = {0};
    CHECK_OK(merge_cell(&in, mem, &out, &err));
    *at = (struct replica){out.values[0], out.clock, out.dots, out.dot_count};
    return out.outcome;
}

TEST(a_remove_takes_only_the_adds_that_it_had_seen) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    struct replica at = {0};
    CHECK_INT(put_elements(&cat, &mem, &at, "a\nb", "", (struct base){0, 0}, (struct clock){.seq = 1, .device = OTHER, .batch = 1}), OUTCOME_APPLIED);
    CHECK_SLICE(at.set.text, "a\nb");
    CHECK_INT(at.dot_count, 2);
    /* ME adds "a" too without having seen it: two dots, and the value is the server's. */
    CHECK_INT(put_elements(&cat, &mem, &at, "a", "", (struct base){0, 0}, (struct clock){.seq = 2, .device = ME, .batch = 1}), OUTCOME_MERGED);
    CHECK_INT(at.dot_count, 3);
    CHECK_INT(at.clock.device, 0);
    CHECK_INT(at.clock.batch, 0);
    CHECK_INT(at.clock.seq, 2);
    /* THIRD saw only OTHER's adds: "b" goes, "a" stays through ME's add. */
    CHECK_INT(put_elements(&cat, &mem, &at, "", "a\nb", (struct base){1, 0}, (struct clock){.seq = 3, .device = THIRD, .batch = 1}), OUTCOME_MERGED);
    CHECK_SLICE(at.set.text, "a");
    CHECK_INT(at.dot_count, 1);
    CHECK_INT(at.dots[0].clock.device, ME);
    /* Who saw all takes all. */
    CHECK_INT(put_elements(&cat, &mem, &at, "", "a", (struct base){3, 0}, (struct clock){.seq = 4, .device = OTHER, .batch = 2}), OUTCOME_APPLIED);
    CHECK_INT(at.set.kind, VALUE_NULL);
    CHECK_INT(at.dot_count, 0);
    CHECK_INT(at.clock.device, OTHER);
    arena_clear(&mem);
}

TEST(an_old_form_removes_by_what_it_showed) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    const struct entity *e = entity_of(&cat, "account");
    struct value present = value_text(SLICE("a")), values[] = {value_null(), value_text(SLICE("a"))};
    struct dot dot = {SLICE("a"), {.seq = 8, .device = OTHER, .batch = 1}};
    struct edit edit = {.kind = EDIT_ELEMENTS, .base = {5, 0}, .today = {9, 0}, .values = values, .value_count = 2};
    struct merge_in in = {.entity = e, .cell = cell_of(e, "tags"), .row = ROW, .named = ROW, .present = &present,
                          .clock = dot.clock, .dots = &dot, .dot_count = 1, .edit = &edit,
                          .edit_clock = {.seq = 20, .device = ME, .batch = 1}};
    struct merge_out out;
    struct err err = {0};
    CHECK_OK(merge_cell(&in, &mem, &out, &err));
    CHECK_INT(out.outcome, OUTCOME_APPLIED);               /* the row had been seen today ... */
    CHECK_SLICE(out.values[0].text, "a");                  /* ... but the form did not show that add */
    arena_clear(&mem);
}

/* All orders of three edits, each by its own device, all made on the empty cell. */
static const int ORDERS[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

TEST(the_order_of_arrival_never_changes_a_set) {
    static const char *const PARTS[] = {"", "a", "b", "a\nb"};
    enum { PARTS_COUNT = ARRAY_COUNT(PARTS), OPS = PARTS_COUNT * PARTS_COUNT };
    struct arena catalogue_mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&catalogue_mem);
    for (int triple = 0; triple < OPS * OPS * OPS; triple++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        int ops[] = {triple % OPS, triple / OPS % OPS, triple / OPS / OPS};
        struct value first = value_null();
        for (int order = 0; order < 6; order++) {
            struct replica at = {0};
            /* "b" and "c" stand there, and all three saw that. */
            (void)put_elements(&cat, &mem, &at, "b\nc", "", (struct base){0, 0}, (struct clock){.seq = 1, .device = 50, .batch = 1});
            for (int i = 0; i < 3; i++) {
                int who = ORDERS[order][i], op = ops[who];
                (void)put_elements(&cat, &mem, &at, PARTS[op % PARTS_COUNT], PARTS[op / PARTS_COUNT], (struct base){1, 0},
                                   (struct clock){.seq = 2 + i, .device = (uint32_t)(1 + who), .batch = 1});
            }
            if (order == 0) first = at.set;
            CHECK(value_equal(first, at.set));
            CHECK(set_has(at.set, SLICE("c")));
        }
        bool anyone_adds_b = false, anyone_removes_b = false;
        for (int i = 0; i < 3; i++) {
            anyone_adds_b |= ops[i] % PARTS_COUNT >= 2;
            anyone_removes_b |= ops[i] / PARTS_COUNT >= 2;
        }
        CHECK_INT(set_has(first, SLICE("b")), anyone_adds_b || !anyone_removes_b);
        arena_clear(&mem);
    }
    arena_clear(&catalogue_mem);
}

TEST(the_order_of_arrival_never_changes_a_counter) {
    static const int64_t DELTAS[] = {-7, -1, 0, 1, 5};
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    const struct entity *e = entity_of(&cat, "account");
    for (size_t triple = 0; triple < 125; triple++) {
        int64_t deltas[] = {DELTAS[triple % 5], DELTAS[triple / 5 % 5], DELTAS[triple / 25]};
        for (int order = 0; order < 6; order++) {
            struct value total = value_int(100);
            struct clock clock = {.seq = 1, .device = 50, .batch = 1};
            for (int i = 0; i < 3; i++) {
                int who = ORDERS[order][i];
                struct value delta = value_int(deltas[who]);
                struct edit edit = {.kind = EDIT_COUNT, .base = {1, 0}, .today = {1, 0}, .values = &delta, .value_count = 1};
                struct merge_in in = {.entity = e, .cell = cell_of(e, "points"), .row = ROW, .named = ROW,
                                      .present = &total, .clock = clock, .edit = &edit,
                                      .edit_clock = {.seq = 2 + i, .device = (uint32_t)(1 + who), .batch = 1}};
                struct merge_out out;
                struct err err = {0};
                CHECK_OK(merge_cell(&in, &mem, &out, &err));
                CHECK_INT(out.loser, LEDGER_NONE);
                total = out.values[0];
                clock = out.clock;
            }
            CHECK_INT(total.number, 100 + deltas[0] + deltas[1] + deltas[2]);
        }
    }
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ texts */

TEST(a_note_is_merged_and_its_author_is_told_truly) {
    static const struct {
        const char *name, *base, *mine, *present;
        struct base seen;
        enum outcome outcome;
        const char *expected;
        uint32_t device;
        enum ledger_loser loser;
    } rows[] = {
        {"seen: as sent", "a", "b", "c", {10, 0}, OUTCOME_APPLIED, "b", ME, LEDGER_NONE},
        {"concurrent, other lines", "a\nb\nc", "A\nb\nc", "a\nb\nC", {9, 0}, OUTCOME_MERGED, "A\nb\nC", 0, LEDGER_NONE},
        {"concurrent, the same text", "a", "b", "b", {9, 0}, OUTCOME_MERGED, "b", ME, LEDGER_NONE},
        {"overlapping", "a", "b", "c", {9, 0}, OUTCOME_MERGED, "c\nb", 0, LEDGER_OVERLAP},
        {"the base is gone", NULL, "b", "c", {9, 0}, OUTCOME_MERGED, "c\nb", 0, LEDGER_OVERLAP},
        {"their change only", "a", "a", "c", {9, 0}, OUTCOME_MERGED, "c", 0, LEDGER_NONE},
    };
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    const struct entity *e = entity_of(&cat, "account");
    for EACH(row, rows) {
        struct value present = value_text(slice_from(row->present)), mine = value_text(slice_from(row->mine));
        struct edit edit = {.kind = EDIT_SET, .base = row->seen, .today = row->seen, .values = &mine, .value_count = 1};
        struct merge_in in = {.entity = e, .cell = cell_of(e, "remarks"), .row = ROW, .named = ROW, .present = &present,
                              .clock = {.seq = 10, .device = OTHER, .batch = 1, .time_ms = 500}, .edit = &edit,
                              .edit_clock = {.seq = 20, .device = ME, .batch = 2, .time_ms = 600},
                              .has_base_text = row->base != NULL, .base_text = value_text(slice_from(row->base))};
        struct merge_out out;
        struct err err = {0};
        CHECK_OK(merge_cell(&in, &mem, &out, &err));
        CHECK_ROW_INT(row, out.outcome, row->outcome);
        CHECK_ROW_SLICE(row, out.values[0].text, slice_from(row->expected));
        CHECK_ROW_INT(row, out.clock.device, row->device);
        CHECK_ROW_INT(row, out.clock.seq, 20);
        CHECK_ROW_INT(row, out.loser, row->loser);
    }
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ on the laptop */

TEST(a_laptop_shows_its_edits_at_once) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    struct err err = {0};
    const struct entity *e = entity_of(&cat, "account");
    struct value *shown, five = value_int(5), ten = value_int(10), set = value_text(SLICE("b\nc"));
    struct value parts[] = {value_text(SLICE("a")), value_text(SLICE("b\nz"))};
    struct edit count = {.kind = EDIT_COUNT, .values = &five, .value_count = 1};
    struct edit elements = {.kind = EDIT_ELEMENTS, .values = parts, .value_count = 2};
    struct edit value = {.kind = EDIT_SET, .values = &five, .value_count = 1};
    CHECK_OK(edit_apply(cell_of(e, "points"), &count, &ten, &mem, &shown, &err));
    CHECK_INT(shown[0].number, 15);
    CHECK_OK(edit_apply(cell_of(e, "tags"), &elements, &set, &mem, &shown, &err));
    CHECK_SLICE(shown[0].text, "a\nc");
    CHECK_OK(edit_apply(cell_of(e, "employees"), &value, &ten, &mem, &shown, &err));
    CHECK_INT(shown[0].number, 5);
    CHECK_STATUS(edit_apply(cell_of(e, "employees"), &elements, &ten, &mem, &shown, &err), ST_INTERNAL);
    CHECK_STATUS(edit_apply(cell_of(e, "last_visit_on"), &value, &ten, &mem, &shown, &err), ST_INTERNAL);
    arena_clear(&mem);
}

TEST(an_edit_that_does_not_fit_its_rule_is_refused) {
    static const struct {
        const char *name, *field;
        enum edit_kind kind;
        size_t value_count;
        enum status status;
    } rows[] = {
        {"a count for a counter", "points", EDIT_COUNT, 1, ST_OK},
        {"a value for a counter", "points", EDIT_SET, 1, ST_OK},
        {"elements for a counter", "points", EDIT_ELEMENTS, 1, ST_INTERNAL},
        {"two counts", "points", EDIT_COUNT, 2, ST_INTERNAL},
        {"elements for a set", "tags", EDIT_ELEMENTS, 2, ST_OK},
        {"adds alone", "tags", EDIT_ELEMENTS, 1, ST_INTERNAL},
        {"a value for a set", "tags", EDIT_SET, 1, ST_OK},
        {"two values for a set", "tags", EDIT_SET, 2, ST_INTERNAL},
        {"a count for a set", "tags", EDIT_COUNT, 1, ST_INTERNAL},
        {"a count for a text", "remarks", EDIT_COUNT, 1, ST_INTERNAL},
        {"no value", "kind", EDIT_SET, 0, ST_INTERNAL},
    };
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&mem);
    const struct entity *e = entity_of(&cat, "account");
    struct value present = value_null(), values[] = {value_null(), value_null()}, *shown;
    struct merge_out out;
    struct err err = {0};
    for EACH(row, rows) {
        const struct cell *cell = cell_of(e, row->field);
        struct edit edit = {.kind = row->kind, .values = values, .value_count = row->value_count};
        struct merge_in in = {.entity = e, .cell = cell, .row = ROW, .named = ROW, .present = &present,
                              .edit = &edit, .edit_clock = {.seq = 2, .device = ME, .batch = 1}};
        CHECK_ROW_INT(row, merge_cell(&in, &mem, &out, &err), row->status);
        CHECK_ROW_INT(row, edit_apply(cell, &edit, &present, &mem, &shown, &err), row->status);
    }
    struct cell later = {.rule = RULE_COUNT, .count = 1};
    struct edit edit = {.kind = EDIT_SET, .values = values, .value_count = 1};
    CHECK_STATUS(edit_apply(&later, &edit, &present, &mem, &shown, &err), ST_INTERNAL);
    later.rule = (enum rule)99;
    CHECK_STATUS(edit_apply(&later, &edit, &present, &mem, &shown, &err), ST_INTERNAL);
    arena_clear(&mem);
}

TEST(too_little_memory_is_an_error) {
    struct arena catalogue_mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat = release(&catalogue_mem);
    const struct entity *e = entity_of(&cat, "account");
    struct value present = value_text(SLICE("b")), values[] = {value_text(SLICE("a")), value_text(SLICE("b"))};
    struct edit edit = {.kind = EDIT_ELEMENTS, .values = values, .value_count = 2};
    struct merge_in in = {.entity = e, .cell = cell_of(e, "tags"), .row = ROW, .named = ROW, .present = &present,
                          .clock = {.seq = 1}, .edit = &edit, .edit_clock = {.seq = 2, .device = ME, .batch = 1}};
    for (size_t cap = 0; cap < 600; cap += 8) {
        struct arena mem = arena_new(cap);
        struct merge_out out;
        struct err err = {0};
        enum status status = merge_cell(&in, &mem, &out, &err);
        CHECK(status == ST_OK || status == ST_NO_MEMORY);
        if (status == ST_OK) CHECK_SLICE(out.values[0].text, "a");
        arena_clear(&mem);
    }
    arena_clear(&catalogue_mem);
}
