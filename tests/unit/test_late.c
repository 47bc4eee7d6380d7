/* A laptop that was away for 400 days, in a world of real laptops: what was deleted meanwhile goes,
 * what it did to such rows waits for head office, and nothing else is moved.
 */
#include <stdio.h>

#include "syncd/server/compact.h"
#include "tests/unit/check.h"
#include "tests/world/world.h"

enum { ALL_ROWS = 1000000 };
static const int64_t DAY = 24 * 3600 * 1000;

static struct world w;
static struct world_laptop *wang, *li, *zhao;

/* ------------------------------------------------------------------ helpers */

static const struct entity *entity(const char *name) {
    return catalogue_entity(&w.catalogue, slice_from(name));
}

static struct field_edit text_edit(const char *of, const char *field, const char *text) {
    return (struct field_edit){entity_field(entity(of), slice_from(field)), FIELD_EDIT_SET,
                               value_text(slice_from(text))};
}

static int64_t create(struct world_laptop *l, const char *of, int64_t owner, const char *name) {
    struct err err;
    struct field_edit edits[2] = {text_edit(of, "name", name)};
    uint32_t batch;
    int64_t id;
    if (owner)
        edits[1] = (struct field_edit){entity_field(entity(of), SLICE("account")), FIELD_EDIT_SET,
                                       value_int(owner)};
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_create(l->store, entity(of), edits, owner ? 2 : 1, &id, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
    return id;
}

static void set(struct world_laptop *l, int64_t id, const char *field, const char *text) {
    struct err err;
    struct field_edit edit = text_edit("account", field, text);
    uint32_t batch;
    bool changed;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, entity("account"), id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
}

static void delete_row(struct world_laptop *l, const char *of, int64_t id) {
    struct err err;
    uint32_t batch;
    size_t rows;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_delete(l->store, entity(of), id, &rows, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
}

static void sync(struct world_laptop *l) {
    struct err err;
    struct agent_result result;
    CHECK_OK(world_sync(l, &result, &err));
    CHECK_OK(world_sync(l, &result, &err));
}

static void check_equal_books(void) {
    struct err err;
    struct buf difference = buf_new(BUF_MAX_LINE);
    CHECK_OK(world_compare(&w, &difference, &err));
    CHECK_TEXT(buf_text(&difference), "");
    buf_free(&difference);
}

static void check_office(void) {
    struct err err;
    struct buf findings = buf_new(BUF_MAX_LINE);
    CHECK_OK(centre_verify_all(org_centre(w.office), NULL, NULL, &findings, &err));
    CHECK_TEXT(buf_text(&findings), "");
    buf_free(&findings);
}

static bool is_on(struct world_laptop *l, const char *of, int64_t id) {
    struct err err;
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct row row;
    enum status status = store_get(l->store, entity(of), id, &mem, &row, &err);
    arena_clear(&mem);
    return status == ST_OK;
}

static int64_t compact_rows(void) {
    struct err err;
    struct compaction *run;
    service_flush(w.service); /* who was there, and what he has */
    CHECK_OK(org_compact_begin(w.office, false, &run, &err));
    for (bool done = false; !done;) CHECK_OK(org_compact_step(w.office, run, &done, &err));
    int64_t rows = compaction_result(run)->rows;
    compaction_end(run);
    return rows;
}

static void start(void) {
    struct err err;
    CHECK_OK(world_open(21, &w, &err));
    CHECK_OK(world_laptop_add(&w, "wang", &err));
    CHECK_OK(world_laptop_add(&w, "li", &err));
    CHECK_OK(world_laptop_add(&w, "zhao", &err));
    wang = world_laptop(&w, SLICE("wang"));
    li = world_laptop(&w, SLICE("li"));
    zhao = world_laptop(&w, SLICE("zhao"));
}

static void settle(void) {
    struct err err;
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_settle(&w, &err));
}

struct held_count {
    size_t open;
    uint32_t device;
    struct refusal_id id;
};

static enum status count_held(void *ctx, const struct quarantine_entry *q, struct err *err) {
    struct held_count *count = ctx;
    (void)err;
    count->open++;
    if (q->id.cell_tag == 0) return ST_OK;
    count->device = q->device;
    count->id = q->id;
    return ST_OK;
}

static struct held_count held(void) {
    struct err err;
    struct held_count count = {0};
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(centre_quarantine_list(org_centre(w.office), false, &mem, count_held, &count, &err));
    arena_clear(&mem);
    return count;
}

/* ------------------------------------------------------------------ 400 days */

TEST(a_laptop_that_was_away_for_400_days_resurrects_nothing_that_it_did_not_edit) {
    struct err err;
    struct agent_proof proof;
    start();
    int64_t edited = create(wang, "account", 0, "edited by the one who is away");
    int64_t parent = create(wang, "account", 0, "gets a child by the one who is away");
    int64_t quiet = create(wang, "account", 0, "nobody touches it");
    int64_t kept = create(wang, "account", 0, "stays");
    (void)create(wang, "contact", quiet, "Chen");
    for (int i = 0; i < 30; i++) (void)create(li, "account", 0, "others");
    settle();
    set(zhao, edited, "city", "Shanghai");
    set(zhao, kept, "city", "Shanghai");
    int64_t child = create(zhao, "contact", parent, "Late");
    delete_row(wang, "account", edited);
    delete_row(wang, "account", parent);
    delete_row(wang, "account", quiet);
    set(li, kept, "website", "kept.cn");
    sync(wang), sync(li), sync(wang);
    CHECK_INT(compact_rows(), 0); /* zhao is within the lease */
    w.now_ms += 400 * DAY;
    sync(wang), sync(li);
    CHECK_INT(compact_rows(), 4);
    CHECK(is_on(zhao, "account", quiet));
    sync(zhao);
    CHECK(!is_on(zhao, "account", quiet));
    CHECK(is_on(zhao, "account", kept));
    CHECK_INT(held().open, 2); /* the edit and the child, none of them lost */
    settle();
    CHECK_OK(agent_prove(zhao->agent, zhao->sync_store, ALL_ROWS, &proof, &err));
    CHECK_INT(proof.proof, BOOK_EQUAL);
    CHECK_INT(proof.repaired, 0); /* the log has said all of it */
    struct held_count open = held();
    CHECK_OK(org_decide(w.office, open.device, &open.id, true, SLICE("office"), &err));
    settle();
    CHECK(is_on(wang, "account", edited) && is_on(zhao, "account", edited));
    CHECK(!is_on(wang, "account", parent) && !is_on(wang, "contact", child));
    check_office();
    world_close(&w);
}

/* ------------------------------------------------------------------ by night */

TEST(the_server_compacts_by_itself_each_night) {
    start();
    int64_t id = create(wang, "account", 0, "gone");
    settle();
    delete_row(wang, "account", id);
    settle();
    service_flush(w.service);
    service_care(w.service); /* the first look: the night is still to come */
    w.now_ms += DAY / 100;
    service_care(w.service);
    struct err err;
    struct centre_counts counts;
    CHECK_OK(centre_counts(org_centre(w.office), &counts, &err));
    CHECK_INT(counts.rows_dead, 1);
    w.now_ms += DAY;
    service_care(w.service);
    CHECK_OK(centre_counts(org_centre(w.office), &counts, &err));
    CHECK_INT(counts.rows_dead, 0);
    settle();
    check_equal_books();
    check_office();
    world_close(&w);
}

/* ------------------------------------------------------------------ meanwhile */

/* Between two slices laptops push, pull, delete and bring back. */
TEST(laptops_work_on_while_the_book_is_compacted) {
    struct err err;
    struct compaction *run;
    bool done = false;
    int64_t ids[160], steps = 0;
    start();
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) ids[i] = create(wang, "account", 0, "one");
    settle();
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) delete_row(wang, "account", ids[i]);
    settle();
    service_flush(w.service);
    CHECK_OK(org_compact_begin(w.office, false, &run, &err));
    for (; !done; steps++) {
        int64_t id = create(li, "account", 0, "meanwhile");
        if (steps % 2) delete_row(li, "account", id);
        sync(li);
        CHECK_OK(org_compact_step(w.office, run, &done, &err));
        sync(zhao);
    }
    CHECK_INT(compaction_result(run)->rows, ARRAY_COUNT(ids));
    CHECK(steps > 3);
    compaction_end(run);
    settle();
    check_equal_books();
    check_office();
    world_close(&w);
}

/* A run that dies between slices leaves a book in order, and the next goes on. */
TEST(a_run_that_ends_half_way_is_taken_up_by_the_next) {
    struct err err;
    struct compaction *run;
    bool done = false;
    int64_t ids[100];
    start();
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) ids[i] = create(wang, "account", 0, "one");
    settle();
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) delete_row(wang, "account", ids[i]);
    settle();
    service_flush(w.service);
    CHECK_OK(org_compact_begin(w.office, false, &run, &err));
    CHECK_OK(org_compact_step(w.office, run, &done, &err));
    int64_t first = compaction_result(run)->rows;
    CHECK(first > 0 && first < (int64_t)ARRAY_COUNT(ids));
    compaction_end(run);
    world_server_off(&w);
    CHECK_OK(world_server_on(&w, &err));
    check_office();
    CHECK_INT(compact_rows(), (int64_t)ARRAY_COUNT(ids) - first);
    settle();
    check_equal_books();
    world_close(&w);
}
