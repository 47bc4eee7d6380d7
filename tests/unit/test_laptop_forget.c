/* What left goes with its bytes: the file, its log and its index for full text are searched for
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/homes_world.h"

static bool file_holds(const char *path, const char *word) {
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    size_t size = 0, room = 1 << 24;
    char *bytes = malloc(room);
    CHECK(bytes != NULL);
    size = fread(bytes, 1, room, f);
    CHECK(size < room);
    bool found = false;
    for (size_t i = 0; i + strlen(word) <= size && !found; i++)
        found = memcmp(bytes + i, word, strlen(word)) == 0;
    free(bytes);
    fclose(f);
    return found;
}

static bool book_holds(struct world *w, const char *word) {
    static const char *const parts[] = {"", "-wal", "-shm"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        char path[160];
        snprintf(path, sizeof path, "%s%s", w->f.path, parts[i]);
        found |= file_holds(path, word);
    }
    return found;
}

static void put_loser(struct world *w, const char *entity, int64_t row, const char *lost,
                      const char *won) {
    struct ledger_entry *l = &w->reply.ledger[w->reply.ledger_count++];
    struct value *values = ARENA_ARRAY(&w->f.mem, 2, struct value);
    values[0] = value_text(slice_from(lost));
    values[1] = value_text(slice_from(won));
    *l = (struct ledger_entry){.seq = w->seq,
                               .entity_tag = world_entity(w, entity)->tag,
                               .row = row,
                               .cell_tag = 1,
                               .loser = &values[0],
                               .winner = &values[1],
                               .value_count = 1};
}

/* Each with a unique word in name, notes, ledger and own edits; pages split and grow between. */
static void fill_wordy(struct world *w, int64_t home_row, uint32_t from, uint32_t count) {
    char text[4096];
    ask(w, done_at(w->seq + 10));
    open_home(w, team(home_row), w->seq - 5, true);
    for (uint32_t i = 0; i < count; i++) {
        struct record *r = fill(w, "contact", row_of(from + i), w->seq);
        snprintf(text, sizeof text, "qname%uz%lld", from + i, (long long)home_row % 1000);
        put_cell(w, r, "contact", "name", text);
        int at = snprintf(text, sizeof text, "qnote%uz%lld ", from + i, (long long)home_row % 1000);
        for (uint32_t k = 0; k < (from + i) * 7 % 60; k++)
            at += snprintf(text + at, sizeof text - (size_t)at, "filler%u ", k);
        put_cell(w, r, "contact", "notes", text);
        put_ref(w, r, "contact", "account", home_row);
    }
    w->reply.filled_count = count;
    world_apply(w);
}

TEST(nothing_of_what_left_stays_in_the_file) {
    struct world w;
    char word[64];
    start_with_two_teams(&w);
    for (uint32_t k = 0; k < 12; k++) fill_wordy(&w, row_of(A1 + 100 + k), 1000 + k * 60, 60);
    world_set(&w, "contact", row_of(1003), "title", "qtitleone");
    world_set(&w, "contact", row_of(1003), "notes", "qlosing and more");
    ask(&w, done_at(w.seq));
    world_receipts(&w);
    world_apply(&w);
    ask(&w, done_at(w.seq));
    put_loser(&w, "contact", row_of(1003), "qledgerlost", "qledgerwon");
    put_loser(&w, "contact", row_of(1063), "qledgerstays", "qledgerwon2");
    world_apply(&w);
    CHECK(book_holds(&w, "qledgerlost") && book_holds(&w, "qname1003z"));
    ask(&w, done_at(w.seq + 5));
    for (uint32_t k = 0; k < 12; k += 2) close_home(&w, team(row_of(A1 + 100 + k)));
    world_apply(&w);
    CHECK_INT(rows(&w, "contact"), 2 + 6 * 60);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM meta WHERE name = 'forget' AND value = 0"), 1);
    for (uint32_t k = 0; k < 12; k += 2)
        for (uint32_t i = 0; i < 60; i++) {
            snprintf(word, sizeof word, "qname%uz", 1000 + k * 60 + i);
            CHECK(!book_holds(&w, word));
            snprintf(word, sizeof word, "qnote%uz", 1000 + k * 60 + i);
            CHECK(!book_holds(&w, word));
        }
    static const char *const gone[] = {"qtitleone", "qlosing", "qledgerlost", "qledgerwon\0"};
    for (size_t i = 0; i < ARRAY_COUNT(gone) - 1; i++) CHECK(!book_holds(&w, gone[i]));
    CHECK(book_holds(&w, "qname1063z") && book_holds(&w, "qledgerstays"));
    world_stop(&w);
}

/* The row waits for its receipt, and a refused edit of it for head office: then they go as well. */
TEST(nothing_of_an_edit_stays_once_it_is_answered) {
    struct world w;
    start_with_two_teams(&w);
    world_set(&w, "contact", row_of(C1), "title", "qtitletwo");
    world_set(&w, "contact", row_of(C1), "notes", "qnotetwo");
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK(book_holds(&w, "qtitletwo") && book_holds(&w, "qnotetwo"));
    ask(&w, done_at(20));
    for (int i = 0; i < 2; i++) {
        struct receipt *r = world_receipt(&w);
        r->lines[0].state = ROW_OUT;
        if (i == 0) continue;
        r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_REFUSED;
        r->lines[0].reason = r->lines[0].edits[0].reason = REASON_DENIED;
    }
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_contact"), 1);
    CHECK(!book_holds(&w, "qtitletwo"));
    CHECK(book_holds(&w, "qnotetwo"));
    uint32_t cell = (uint32_t)world_number(&w, "SELECT cell FROM held");
    ask(&w, done_at(20));
    w.reply.held[w.reply.held_count++] =
        (struct held_news){.id = {2, 0, cell}, .state = HELD_DECLINED};
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM held"), 0);
    CHECK(!book_holds(&w, "qnotetwo"));
    world_stop(&w);
}

/* Deleted before the home was withdrawn: no row leaves with it, and yet nothing may stay. */
TEST(nothing_of_a_deleted_row_stays_when_its_home_is_withdrawn) {
    struct world w;
    world_start(&w);
    ask(&w, done_at(10));
    open_home(&w, own(row_of(E1)), 3, true);
    open_home(&w, own(row_of(E2)), 3, true);
    put_cell(&w, fill(&w, "task", row_of(T1), 5), "task", "title", "qdeadtitle");
    put_ref(&w, &w.reply.filled[0], "task", "owner", row_of(E1));
    put_cell(&w, fill(&w, "task", row_of(T1 + 1), 6), "task", "title", "qlivingtitle");
    put_ref(&w, &w.reply.filled[1], "task", "owner", row_of(E2));
    world_apply(&w);
    w.seq = 10;
    ask(&w, done_at(10));
    put_loser(&w, "task", row_of(T1), "qdeadlost", "qdeadwon");
    put_loser(&w, "task", row_of(T1 + 1), "qlivinglost", "qlivingwon");
    world_apply(&w);
    ask(&w, done_at(10));
    (void)world_record(&w, "task", row_of(T1), RECORD_DEAD);
    world_apply(&w);
    CHECK_INT(rows(&w, "task"), 1);
    CHECK(book_holds(&w, "qdeadlost")); /* the home is still held: the person may look */
    ask(&w, done_at(20));
    close_home(&w, own(row_of(E1)));
    world_apply(&w);
    CHECK(!book_holds(&w, "qdeadtitle") && !book_holds(&w, "qdeadlost"));
    CHECK(book_holds(&w, "qlivingtitle") && book_holds(&w, "qlivinglost"));
    world_stop(&w);
}

/* What lost on a row that became another goes with that other. */
TEST(nothing_of_a_merged_row_stays_when_its_survivor_leaves) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, done_at(10));
    put_loser(&w, "account", row_of(A1), "qmergedlost", "qmergedwon");
    world_apply(&w);
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){15, row_of(A1), row_of(A2)};
    world_apply(&w);
    CHECK(book_holds(&w, "qmergedlost")); /* it is the survivor's now, and that is here */
    ask(&w, done_at(25));
    close_home(&w, team(row_of(A2)));
    world_apply(&w);
    CHECK_INT(rows(&w, "account"), 0);
    CHECK(!book_holds(&w, "qmergedlost") && !book_holds(&w, "qmergedwon"));
    world_stop(&w);
}

/* Seen with its territory only, and now one with an account of another territory. */
TEST(nothing_of_a_merged_row_stays_where_its_survivor_is_not_seen) {
    struct world w;
    world_start(&w);
    ask(&w, done_at(10));
    open_home(&w, territory(row_of(E1)), 3, true);
    fill_account(&w, row_of(A1), 5, "qmergedname");
    put_ref(&w, &w.reply.filled[0], "account", "territory", row_of(E1));
    world_apply(&w);
    CHECK(is_here(&w, "account", row_of(A1)));
    w.seq = 10;
    ask(&w, done_at(10));
    put_loser(&w, "account", row_of(A1), "qterritorylost", "qterritorywon");
    world_apply(&w);
    ask(&w, done_at(20));
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){15, row_of(A1), row_of(A2)};
    world_apply(&w);
    CHECK_INT(rows(&w, "account"), 0);
    CHECK(!book_holds(&w, "qmergedname") && !book_holds(&w, "qterritorylost"));
    world_stop(&w);
}

/* A refused edit that names the row by its former id waits for head office; then nothing stays. */
TEST(nothing_of_a_held_edit_stays_that_names_the_row_by_its_former_id) {
    struct world w;
    start_with_two_teams(&w);
    world_set(&w, "account", row_of(A1), "website", "qheldsite");
    ask(&w, done_at(20));
    struct receipt *r = world_receipt(&w);
    r->lines[0].outcome = r->lines[0].edits[0].outcome = OUTCOME_REFUSED;
    r->lines[0].reason = r->lines[0].edits[0].reason = REASON_DENIED;
    world_apply(&w);
    ask(&w, done_at(21));
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){15, row_of(A1), row_of(A2)};
    world_apply(&w);
    ask(&w, done_at(25));
    close_home(&w, team(row_of(A1)));
    close_home(&w, team(row_of(A2)));
    world_apply(&w);
    CHECK(book_holds(&w, "qheldsite"));
    uint32_t cell = (uint32_t)world_number(&w, "SELECT cell FROM held");
    ask(&w, done_at(25));
    w.reply.held[w.reply.held_count++] =
        (struct held_news){.id = {1, 0, cell}, .state = HELD_DECLINED};
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM held"), 0);
    CHECK(!book_holds(&w, "qheldsite"));
    world_stop(&w);
}
