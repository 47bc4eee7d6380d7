/* Does a laptop's book hold what the server says? Books of worlds at rest are equal; a file that
 * was changed behind the program's back is not. */
#include <string.h>

#include "syncd/store/db.h"
#include "tests/unit/two_laptops.h"

enum { ALL_ROWS = 1000000 };

static void set(struct world_laptop *l, int64_t id, const char *field, const char *text) {
    struct err err;
    struct field_edit edit = {entity_field(account(), slice_from(field)), FIELD_EDIT_SET,
                              value_text(slice_from(text))};
    uint32_t batch;
    bool changed;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, account(), id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
}

static void start_with_rows(void) {
    struct err err;
    open_two(11);
    for (int i = 0; i < 20; i++) (void)create(i % 2 ? wang : li, "客户");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_settle(&w, &err));
}

static enum book_proof prove(struct world_laptop *l, bool afresh) {
    struct err err;
    enum book_proof proof;
    CHECK_OK(store_prove(l->sync_store, ALL_ROWS, afresh, &proof, &err));
    return proof;
}

/* Behind the back of every program. */
static void damage(struct world_laptop *l, const char *sql) {
    struct err err;
    struct db *db;
    char path[WORLD_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/book.db", l->dir);
    CHECK_OK(db_open(path, 0, &db, &err));
    CHECK_OK(db_exec(db, sql, &err));
    db_close(db);
}

TEST(books_at_rest_are_equal) {
    start_with_rows();
    CHECK_INT(prove(wang, false), BOOK_EQUAL);
    CHECK_INT(prove(li, false), BOOK_EQUAL);
    world_close(&w);
}

TEST(what_waits_is_not_compared) {
    start_with_rows();
    struct err err;
    (void)create(wang, "新客户");
    CHECK_INT(prove(wang, false), BOOK_NOT_PROVED);
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(prove(wang, false), BOOK_EQUAL);
    world_close(&w);
}

TEST(each_round_that_changes_something_is_followed) {
    start_with_rows();
    struct err err;
    int64_t id = create(wang, "远大");
    const char *const texts[] = {"a.cn", "b.cn", "c.cn"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        set(i % 2 ? li : wang, id, "website", texts[i]);
        CHECK_OK(world_settle(&w, &err));
        CHECK_OK(world_settle(&w, &err));
        CHECK_INT(prove(wang, false), BOOK_EQUAL);
        CHECK_INT(prove(li, false), BOOK_EQUAL);
    }
    world_close(&w);
}

TEST(a_row_that_was_deleted_is_gone_from_the_sum) {
    start_with_rows();
    struct err err;
    int64_t id = create(wang, "远大");
    uint32_t batch;
    size_t rows;
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(prove(li, false), BOOK_EQUAL);
    CHECK_OK(store_begin(wang->store, &err));
    CHECK_OK(store_delete(wang->store, account(), id, &rows, &err));
    CHECK_OK(store_commit(wang->store, &batch, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(prove(wang, false), BOOK_EQUAL);
    CHECK_INT(prove(li, false), BOOK_EQUAL);
    world_close(&w);
}

TEST(a_file_that_was_changed_is_found) {
    static const char *const sql[] = {
        "UPDATE r_account SET city = 'x' WHERE id = (SELECT min(id) FROM r_account)",
        "DELETE FROM r_account WHERE id = (SELECT max(id) FROM r_account)",
        "UPDATE r_account SET _seq = _seq + 1 WHERE id = (SELECT min(id) FROM r_account)",
        "INSERT INTO r_account(id, name, _seq) VALUES (77, 'x', 1)",
        "UPDATE r_account SET phones = '1' WHERE id = (SELECT min(id) FROM r_account)"};
    for (size_t i = 0; i < ARRAY_COUNT(sql); i++) {
        start_with_rows();
        CHECK_INT(prove(wang, false), BOOK_EQUAL);
        damage(wang, sql[i]);
        CHECK_INT(prove(wang, true), BOOK_DIFFERS);
        CHECK_INT(prove(li, true), BOOK_EQUAL);
        world_close(&w);
    }
}

/* Counting stops after so many rows, and goes on there the next time. */
TEST(a_count_in_pieces_ends) {
    start_with_rows();
    struct err err;
    enum book_proof proof = BOOK_NOT_PROVED;
    for (int i = 0; i < 50 && proof == BOOK_NOT_PROVED; i++)
        CHECK_OK(store_prove(wang->sync_store, 1, false, &proof, &err));
    CHECK_INT(proof, BOOK_EQUAL);
    world_close(&w);
}

/* ------------------------------------------------------------------ repair */

static struct agent_proof repair(struct world_laptop *l) {
    struct err err;
    struct agent_proof proof;
    struct agent_result result;
    CHECK_OK(world_sync(l, &result, &err));
    CHECK_OK(agent_prove(l->agent, l->sync_store, ALL_ROWS, &proof, &err));
    return proof;
}

static void check_equal_books(void) {
    struct err err;
    struct buf difference = buf_new(BUF_MAX_LINE);
    CHECK_OK(world_compare(&w, &difference, &err));
    CHECK_TEXT(buf_text(&difference), "");
    buf_free(&difference);
}

TEST(an_equal_book_costs_nothing) {
    start_with_rows();
    struct agent_proof proof = repair(wang);
    CHECK_INT(proof.proof, BOOK_EQUAL);
    CHECK_INT(proof.repaired, 0);
    CHECK_INT(proof.trips, 0);
    world_close(&w);
}

TEST(a_row_that_differs_is_put_right) {
    static const char *const sql[] = {
        "UPDATE r_account SET city = 'x' WHERE id = (SELECT min(id) FROM r_account)",
        "DELETE FROM r_account WHERE id = (SELECT max(id) FROM r_account)",
        "UPDATE r_account SET _seq = _seq + 5 WHERE id = (SELECT min(id) FROM r_account)",
        "INSERT INTO r_account(id, name, _seq) VALUES (77, 'x', 1)"};
    for (size_t i = 0; i < ARRAY_COUNT(sql); i++) {
        start_with_rows();
        CHECK_INT(prove(wang, false), BOOK_EQUAL);
        damage(wang, sql[i]);
        damage(wang, "DELETE FROM home_sum");
        struct agent_proof proof = repair(wang);
        CHECK_INT(proof.proof, BOOK_EQUAL);
        CHECK_INT(proof.repaired, 1);
        CHECK(proof.trips <= 4 + 1); /* three down, and one that finds nothing more */
        CHECK(proof.bytes < 8 * 1024);
        check_equal_books();
        world_close(&w);
    }
}

TEST(many_rows_that_differ_are_all_put_right) {
    start_with_rows();
    struct agent_proof proof;
    damage(wang, "UPDATE r_account SET city = 'x'");
    damage(wang, "DELETE FROM r_employee");
    proof = repair(wang);
    CHECK_INT(proof.proof, BOOK_EQUAL);
    CHECK_INT(proof.repaired, 22);
    check_equal_books();
    world_close(&w);
}

TEST(what_a_person_edits_meanwhile_stays) {
    start_with_rows();
    struct err err;
    struct agent_proof proof;
    int64_t id = create(wang, "远大");
    CHECK_OK(world_settle(&w, &err));
    damage(wang, "UPDATE r_account SET city = 'x'");
    set(wang, id, "website", "mine.cn");
    CHECK_OK(agent_prove(wang->agent, wang->sync_store, ALL_ROWS, &proof, &err));
    CHECK_INT(proof.proof, BOOK_NOT_PROVED);
    proof = repair(wang);
    CHECK_INT(proof.proof, BOOK_EQUAL);
    CHECK_OK(world_settle(&w, &err));
    check_equal_books();
    world_close(&w);
}
