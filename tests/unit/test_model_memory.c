/* Memory that runs out under the catalogue, values and merges: each operation works or says so,
 * whichever allocation fails and wherever its arena is full. */
#include "protocol/model/addition.h"
#include "tests/unit/check.h"
#include "tests/unit/fault.h"

/* The catalogue stands in an arena of its own; the operations get one that may be too small. */
struct book {
    struct arena mem;
    struct catalogue cat;
};

static void open_book(struct book *book) {
    struct err err = {0};
    book->mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(catalogue_release(&book->mem, &book->cat, &err));
}

static const struct entity *entity_of(const struct book *book, const char *name) {
    const struct entity *e = catalogue_entity(&book->cat, slice_from(name));
    CHECK(e != NULL);
    return e;
}

static const struct field *field_of(const struct book *book, const char *entity, const char *name) {
    const struct field *f = entity_field(entity_of(book, entity), slice_from(name));
    CHECK(f != NULL);
    return f;
}

typedef enum status (*operation)(const struct book *book, struct arena *mem);

/* Every cap up to the one that is enough, in steps of the smallest item; then every allocation
 * once. */
static void check_operation(const struct book *book, const char *name, operation run) {
    enum status status = ST_NO_MEMORY;
    for (size_t cap = 0; status != ST_OK; cap += 8) {
        struct arena mem = arena_new(cap);
        status = run(book, &mem);
        if (status != ST_OK) check_int(CHECK_HERE, name, status, ST_NO_MEMORY);
        arena_clear(&mem);
    }
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        fault_arm(n);
        status = run(book, &mem);
        fired = fault_fired();
        fault_disarm();
        check_int(CHECK_HERE, name, status, fired ? ST_NO_MEMORY : ST_OK);
        arena_clear(&mem);
    }
}

/* ------------------------------------------------------------------ the catalogue */

static enum status build(const struct book *book, struct arena *mem) {
    struct catalogue again, older;
    struct err err = {0};
    TRY(catalogue_release(mem, &again, &err));
    return catalogue_without(&book->cat, entity_of(book, "account")->tag, 20, mem, &older, &err);
}

TEST(a_catalogue_is_built_whole_or_not_at_all) {
    struct book book;
    open_book(&book);
    check_operation(&book, "build", build);
    arena_clear(&book.mem);
}

static enum status extend(const struct book *book, struct arena *mem) {
    struct added_field fields[] = {{.entity = 4,
                                    .tag = FIELD_ADDED_FIRST,
                                    .type = FIELD_ENUM,
                                    .name = SLICE("website"), /* taken: it gets a number */
                                    .label = {SLICE("Grade"), SLICE("评级")}}};
    struct added_value values[] = {{.entity = 4,
                                    .field = FIELD_ADDED_FIRST,
                                    .number = FIELD_ADDED_FIRST + 1,
                                    .name = SLICE("good"),
                                    .label = {SLICE("Good"), SLICE("好")}},
                                   {.entity = 4,
                                    .field = 5,
                                    .number = FIELD_ADDED_FIRST + 2,
                                    .name = SLICE("large"),
                                    .label = {SLICE("Large"), SLICE("大")}}};
    struct additions added = {fields, 1, values, 2};
    struct catalogue cat;
    struct err err = {0};
    return catalogue_add(&book->cat, &added, mem, &cat, &err);
}

TEST(a_catalogue_is_added_to_or_left_alone) {
    struct book book;
    open_book(&book);
    check_operation(&book, "extend", extend);
    arena_clear(&book.mem);
}

/* ------------------------------------------------------------------ values */

static const struct field PARTIES = {
    .name = "parties", .type = FIELD_SET, .set_of = FIELD_REF, .label = {"Parties", "各方"}};

static enum status read_values(const struct book *book, struct arena *mem) {
    static const struct {
        const char *entity, *field, *text;
    } rows[] = {
        {"account", "name", "Cafe\xCC\x81"},
        {"account", "remarks", "a\r\nb\rc"},
        {"account", "employees", "１,２００"},
        {"opportunity", "amount", "¥1,234.50"},
        {"order", "amount", "-$1.25"},
        {"account", "founded_on", "1970-01-02"},
        {"visit", "started_at", "1970-01-01T08:00:01"},
        {"product", "active", "ＹＥＳ"},
        {"account", "kind", "listed"},
        {"account", "tags", "b, a"},
        {"account", "party_roles", "客户, Supplier"},
    };
    struct err err = {0};
    struct value v;
    for
        EACH (row, rows) {
            enum status status = field_parse(field_of(book, row->entity, row->field),
                                             slice_from(row->text), 480, mem, &v, &err);
            if (status == ST_INVALID)
                check_fail(CHECK_HERE, "%s: %s", row->text, err.text[LANG_EN]);
            if (status != ST_OK) return status;
        }
    return field_parse(&PARTIES, SLICE("9; 3-1Z70"), 0, mem, &v, &err);
}

static enum status work_on_sets(const struct book *book, struct arena *mem) {
    struct slice elements[] = {SLICE("b"), SLICE("a")};
    struct err err = {0};
    struct value set;
    (void)book;
    TRY(set_make(elements, 2, mem, &set, &err));
    TRY(set_add(set, SLICE("c"), mem, &set, &err));
    TRY(set_remove(set, SLICE("a"), mem, &set, &err));
    CHECK_SLICE(set.text, "b\nc");
    return value_copy(set, mem, &set) ? ST_OK : ST_NO_MEMORY;
}

/* A text that cannot be read as a number for want of memory is not called wrong. */
TEST(values_are_read_or_want_memory) {
    struct book book;
    open_book(&book);
    check_operation(&book, "values", read_values);
    check_operation(&book, "sets", work_on_sets);
    arena_clear(&book.mem);
}

/* ------------------------------------------------------------------ merges */

static enum status meet(const struct book *book, const char *field, struct value present,
                        struct edit *edit, struct arena *mem, struct value *out) {
    const struct entity *e = entity_of(book, "account");
    const struct cell *cell = entity_cell_of(e, field_of(book, "account", field));
    struct merge_in in = {.entity = e,
                          .cell = cell,
                          .row = 100,
                          .named = 100,
                          .present = &present,
                          .clock = {.seq = 10, .device = 8, .batch = 1, .time_ms = 500},
                          .edit = edit,
                          .edit_clock = {.seq = 20, .device = 7, .batch = 1, .time_ms = 600},
                          .has_base_text = true,
                          .base_text = value_text(SLICE("a b"))};
    struct merge_out merged;
    struct value *shown;
    struct err err = {0};
    TRY(edit_apply(cell, edit, &present, mem, &shown, &err));
    TRY(merge_cell(&in, mem, &merged, &err));
    *out = merged.values[0];
    return ST_OK;
}

static enum status merge_all(const struct book *book, struct arena *mem) {
    struct value parts[] = {value_text(SLICE("a\nd")), value_text(SLICE("b"))},
                 number = value_int(2), out;
    struct value note = value_text(SLICE("a c"));
    struct edit set = {.kind = EDIT_ELEMENTS,
                       .base = {10, 0},
                       .today = {10, 0},
                       .values = parts,
                       .value_count = 2};
    struct edit count = {.kind = EDIT_COUNT, .values = &number, .value_count = 1};
    struct edit last = {.kind = EDIT_SET, .values = &number, .value_count = 1};
    struct edit text = {.kind = EDIT_SET, .values = &note, .value_count = 1};
    TRY(meet(book, "tags", value_text(SLICE("b\nc")), &set, mem, &out));
    CHECK_SLICE(out.text, "a\nc\nd");
    TRY(meet(book, "points", value_int(3), &count, mem, &out));
    CHECK_INT(out.number, 5);
    TRY(meet(book, "kind", value_int(1), &last, mem, &out));
    CHECK_INT(out.number, 2);
    TRY(meet(book, "remarks", value_text(SLICE("x b")), &text, mem, &out));
    CHECK_SLICE(out.text, "x c");
    return ST_OK;
}

TEST(merges_work_or_want_memory) {
    struct book book;
    open_book(&book);
    check_operation(&book, "merges", merge_all);
    arena_clear(&book.mem);
}
