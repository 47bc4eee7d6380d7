/* Homes at the laptop: one test for each sentence of PROTOCOL.md, "Scope", that is the laptop's,
 * with replies made by hand.
 */
#include <string.h>

#include "tests/unit/homes_world.h"

/* ------------------------------------------------------------------ filling */

TEST(a_fresh_book_is_filled) {
    struct world w;
    start_with_two_teams(&w);
    CHECK_INT(homes_held(&w), 2);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM home WHERE fills = 1"), 0);
    CHECK_INT(rows(&w, "account"), 2);
    CHECK_TEXT(world_text(&w, "contact", row_of(C2), "name"), "wang");
    CHECK_INT(position(&w).told, 10);
    CHECK_INT(position(&w).ready, 10);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM leaving"), 0);
    world_stop(&w);
}

TEST(rows_come_in_pages_and_the_position_moves_with_each) {
    struct world w;
    world_start(&w);
    struct scope_position at = {.told = 10, .filling = 10, .at = {team(row_of(A1)), 4, row_of(A1)}};
    ask(&w, at);
    open_home(&w, team(row_of(A1)), 3, true);
    open_home(&w, team(row_of(A2)), 4, true);
    fill_account(&w, row_of(A1), 5, "one");
    world_apply(&w);
    CHECK_INT(position(&w).filling, 10);
    CHECK_INT(position(&w).ready, 0);
    CHECK(position(&w).at.home == team(row_of(A1)));
    CHECK_INT(position(&w).at.entity_tag, 4);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM home WHERE fills = 1"), 2);
    ask(&w, done_at(10));
    fill_contact(&w, row_of(C1), row_of(A1), 6, "li");
    fill_account(&w, row_of(A2), 7, "two");
    world_apply(&w);
    CHECK_INT(rows(&w, "account") + rows(&w, "contact"), 3);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM home WHERE fills = 1"), 0);
    CHECK_INT(position(&w).ready, 10);
    world_stop(&w);
}

/* Cut at every slice: the page comes again, and nothing is there twice or missing. */
TEST(a_page_cut_between_slices_comes_again) {
    for (size_t slices = 0; slices < 12; slices++) {
        struct world w;
        struct err err;
        start_with_two_teams(&w);
        for (int tries = 0; tries < 2; tries++) {
            w.boot_step = 20;
            ask(&w, done_at(20));
            CHECK_INT(w.request.scope.told, 10);
            close_home(&w, team(row_of(A1)));
            open_home(&w, team(row_of(A2 + 1)), 15, true);
            fill_account(&w, row_of(A2 + 1), 16, "three");
            fill_contact(&w, row_of(C2 + 1), row_of(A2 + 1), 17, "zhao");
            CHECK_OK(world_try_apply(&w, tries == 0 ? slices : 1000, &err));
            if (tries > 0 || position(&w).told == 20) break;
            world_reopen(&w);
        }
        CHECK_INT(position(&w).told, 20);
        CHECK_INT(homes_held(&w), 2);
        CHECK(!is_here(&w, "account", row_of(A1)) && !is_here(&w, "contact", row_of(C1)));
        CHECK_INT(rows(&w, "account"), 2);
        CHECK_INT(rows(&w, "contact"), 2);
        CHECK_INT(world_number(&w, "SELECT count(*) FROM leaving"), 0);
        world_stop(&w);
    }
}

/* What an apply that was cut took as granted, and the next reply does not name, ended meanwhile. */
TEST(a_grant_that_ended_before_its_reply_was_applied_is_not_kept) {
    struct world w;
    struct err err;
    start_with_two_teams(&w);
    w.boot_step = 20;
    ask(&w, done_at(20));
    open_home(&w, team(row_of(A2 + 1)), 15, true);
    fill_account(&w, row_of(A2 + 1), 16, "three");
    size_t slices = 0;
    while (homes_held(&w) < 3) {
        CHECK(slices < 10);
        CHECK_OK(world_try_apply(&w, ++slices, &err));
    }
    CHECK_INT(position(&w).told, 10);
    world_reopen(&w);
    w.boot_step = 0;
    ask(&w, done_at(25));
    world_apply(&w);
    CHECK_INT(homes_held(&w), 2);
    CHECK(!is_here(&w, "account", row_of(A2 + 1)));
    CHECK_INT(rows(&w, "account"), 2);
    world_stop(&w);
}

/* ------------------------------------------------------------------ withdrawal */

TEST(rows_of_a_withdrawn_home_go) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK_INT(homes_held(&w), 1);
    CHECK(!is_here(&w, "account", row_of(A1)) && !is_here(&w, "contact", row_of(C1)));
    CHECK(is_here(&w, "account", row_of(A2)) && is_here(&w, "contact", row_of(C2)));
    world_stop(&w);
}

TEST(a_row_stays_while_another_home_holds_it) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, done_at(20));
    open_home(&w, own(row_of(E1)), 15, true);
    fill_visit(&w, row_of(V1), row_of(A1), row_of(E1), 12);
    fill_followup(&w, row_of(F1), row_of(V1), 13);
    world_apply(&w);
    ask(&w, done_at(30));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK(!is_here(&w, "account", row_of(A1)) && !is_here(&w, "contact", row_of(C1)));
    CHECK(is_here(&w, "visit", row_of(V1)));
    CHECK(is_here(&w, "followup", row_of(F1))); /* it inherits both homes */
    ask(&w, done_at(40));
    close_home(&w, own(row_of(E1)));
    world_apply(&w);
    CHECK_INT(rows(&w, "visit") + rows(&w, "followup"), 0);
    world_stop(&w);
}

TEST(a_withdrawal_ends_the_filling_of_its_home_only) {
    struct world w;
    world_start(&w);
    struct scope_position at = {.told = 10, .filling = 10, .at = {team(row_of(A1)), 4, row_of(A1)}};
    ask(&w, at);
    open_home(&w, team(row_of(A1)), 3, true);
    open_home(&w, team(row_of(A2)), 4, true);
    fill_account(&w, row_of(A1), 5, "one");
    world_apply(&w);
    ask(&w, done_at(10));
    w.reply.scope.told = 20;
    close_home(&w, team(row_of(A1)));
    fill_account(&w, row_of(A2), 7, "two");
    world_apply(&w);
    CHECK_INT(homes_held(&w), 1);
    CHECK(!is_here(&w, "account", row_of(A1)));
    CHECK(is_here(&w, "account", row_of(A2)));
    world_stop(&w);
}

/* Withdrawn and granted again between two rounds: what was here may be old, and comes anew. */
TEST(a_home_granted_again_is_filled_anew) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, (struct scope_position){
                .told = 20, .ready = 10, .filling = 20, .at = {team(row_of(A1)), 4, row_of(A1)}});
    open_home(&w, team(row_of(A1)), 18, true);
    fill_account(&w, row_of(A1), 17, "one, newer");
    world_apply(&w);
    CHECK_TEXT(world_text(&w, "account", row_of(A1), "name"), "one, newer");
    CHECK(!is_here(&w, "contact", row_of(C1))); /* its page has not come yet */
    CHECK_INT(world_number(&w, "SELECT since FROM home ORDER BY home LIMIT 1"), 18);
    ask(&w, done_at(20));
    fill_contact(&w, row_of(C1), row_of(A1), 6, "li");
    world_apply(&w);
    CHECK(is_here(&w, "contact", row_of(C1)));
    CHECK_INT(rows(&w, "contact"), 2);
    world_stop(&w);
}

/* ------------------------------------------------------------------ what the outbox names */

TEST(a_row_with_an_edit_stays_read_only_until_its_receipt) {
    struct world w;
    struct err err;
    start_with_two_teams(&w);
    world_set(&w, "contact", row_of(C1), "title", "chief");
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK(is_here(&w, "contact", row_of(C1)));
    CHECK(!is_here(&w, "account", row_of(A1)));
    struct row row;
    CHECK_OK(store_get(w.store, world_entity(&w, "contact"), row_of(C1), &w.f.mem, &row, &err));
    CHECK(row.gone && row.pending);
    CHECK_INT(world_try_set(&w, "contact", row_of(C1), "title", "boss", &err), ST_GONE);
    CHECK(strstr(err.text[LANG_EN], "read-only") && strstr(err.text[LANG_ZH], "只读"));
    ask(&w, done_at(20));
    struct receipt *r = world_receipt(&w);
    r->lines[0].state = ROW_OUT;
    world_apply(&w);
    CHECK(!is_here(&w, "contact", row_of(C1)));
    CHECK_INT(world_number(&w, "SELECT count(*) FROM left_row"), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM pending"), 0);
    world_stop(&w);
}

TEST(a_row_with_an_edit_takes_the_whole_row_when_its_home_comes_back) {
    struct world w;
    start_with_two_teams(&w);
    world_set(&w, "contact", row_of(C1), "title", "chief");
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    ask(&w, done_at(30));
    open_home(&w, team(row_of(A1)), 25, true);
    fill_account(&w, row_of(A1), 5, "one");
    fill_contact(&w, row_of(C1), row_of(A1), 6, "li"); /* not newer than what is here */
    world_apply(&w);
    CHECK(world_sees(&w, "contact", row_of(C1)));
    CHECK_TEXT(world_text(&w, "contact", row_of(C1), "title"), "chief");
    CHECK_INT(world_number(&w, "SELECT count(*) FROM left_row"), 0);
    world_sync(&w);
    CHECK_TEXT(world_text(&w, "contact", row_of(C1), "title"), "chief");
    world_stop(&w);
}

/* What a person edited here moves no row: the server's value counts, told or not. */
TEST(an_edit_that_the_server_has_not_seen_moves_no_row) {
    struct world w;
    char text[ID_TEXT_BYTES];
    start_with_two_teams(&w);
    id_format(row_of(A2), text);
    world_set(&w, "contact", row_of(C1), "account", text);
    id_format(row_of(A1), text);
    world_set(&w, "contact", row_of(C2), "account", text);
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT _gone FROM r_contact ORDER BY id LIMIT 1"), 2);
    CHECK(world_sees(&w, "contact", row_of(C2)));
    world_stop(&w);
}

TEST(a_row_made_here_stays_until_its_receipt) {
    struct world w;
    char text[ID_TEXT_BYTES];
    start_with_two_teams(&w);
    id_format(row_of(A1), text);
    int64_t mine = world_add2(&w, "contact", "account", text, "name", "new");
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK(world_sees(&w, "contact", mine));
    ask(&w, done_at(20));
    struct receipt *r = world_receipt(&w);
    r->lines[0].state = ROW_OUT;
    r->lines[0].outcome = OUTCOME_REFUSED;
    r->lines[0].reason = REASON_DENIED;
    r->lines[0].seq = 0;
    world_apply(&w);
    CHECK(!is_here(&w, "contact", mine));
    CHECK_INT(world_number(&w, "SELECT count(*) FROM held WHERE state = 0"), 1);
    ask(&w, done_at(20)); /* head office declines: nothing stays */
    w.reply.held[w.reply.held_count++] =
        (struct held_news){.id = {1, 0, 0}, .state = HELD_DECLINED};
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM held"), 0);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM left_row"), 0);
    world_stop(&w);
}

TEST(a_home_born_by_an_own_account_needs_no_filling) {
    struct world w;
    char text[ID_TEXT_BYTES];
    start_with_two_teams(&w);
    int64_t account = world_add(&w, "account", "name", "new");
    id_format(account, text);
    int64_t contact = world_add2(&w, "contact", "account", text, "name", "first");
    ask(&w, done_at(20));
    open_home(&w, team(account), 19, false);
    world_receipts(&w);
    world_apply(&w);
    CHECK(world_sees(&w, "account", account) && world_sees(&w, "contact", contact));
    CHECK_INT(world_number(&w, "SELECT count(*) FROM home WHERE fills = 1"), 0);
    ask(&w, done_at(30));
    close_home(&w, team(account));
    world_apply(&w);
    CHECK(!is_here(&w, "account", account) && !is_here(&w, "contact", contact));
    world_stop(&w);
}

/* ------------------------------------------------------------------ what a page lacks */

/* Everything is asked for anew; V1 and C1 left meanwhile, and the page says nothing of them. */
static void ask_anew(struct world *w, struct scope_position after) {
    world_ask(w); /* a part of a row that is not here */
    w->reply.has_scope = false;
    (void)world_record(w, "product", row_of(99), 0);
    world_apply(w);
    CHECK_INT(position(w).told, 0);
    ask(w, after);
    CHECK_INT(w->request.cursor.seq, 0);
    CHECK(w->reply.scope_whole);
}

TEST(a_row_in_the_range_of_a_page_that_lacks_it_goes) {
    struct world w;
    start_with_two_teams(&w);
    ask_anew(&w, (struct scope_position){
                     .told = 20, .filling = 20, .at = {team(row_of(A2)), 4, row_of(A2)}});
    open_home(&w, team(row_of(A1)), 3, true);
    open_home(&w, team(row_of(A2)), 4, true);
    fill_account(&w, row_of(A1), 5, "one");
    fill_account(&w, row_of(A2), 7, "two");
    world_apply(&w);
    CHECK(!is_here(&w, "contact", row_of(C1)));
    CHECK(is_here(&w, "account", row_of(A1)) && is_here(&w, "account", row_of(A2)));
    CHECK(is_here(&w, "contact", row_of(C2))); /* beyond the range */
    ask(&w, done_at(20));
    world_apply(&w);
    CHECK(!is_here(&w, "contact", row_of(C2)));
    CHECK_INT(rows(&w, "account"), 2);
    world_stop(&w);
}

TEST(a_row_that_no_home_of_a_fresh_answer_holds_goes) {
    struct world w;
    start_with_two_teams(&w);
    world_set(&w, "account", row_of(A1), "name", "mine");
    ask_anew(&w, done_at(20));
    open_home(&w, team(row_of(A2)), 4, true);
    fill_account(&w, row_of(A2), 7, "two");
    fill_contact(&w, row_of(C2), row_of(A2), 8, "wang");
    world_apply(&w);
    CHECK_INT(homes_held(&w), 1);
    CHECK(!is_here(&w, "contact", row_of(C1)));
    CHECK(is_here(&w, "account", row_of(A1)) && !world_sees(&w, "account", row_of(A1)));
    CHECK(world_sees(&w, "contact", row_of(C2)));
    world_stop(&w);
}

/* It comes with the home that is filled already: that the page lacks it says nothing. */
TEST(a_row_that_a_filled_home_holds_is_not_spoken_away) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, done_at(20));
    open_home(&w, own(row_of(E1)), 15, true);
    fill_visit(&w, row_of(V1), row_of(A1), row_of(E1), 12);
    world_apply(&w);
    ask(&w, done_at(30));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK(is_here(&w, "visit", row_of(V1)));
    ask(&w, done_at(40));
    open_home(&w, team(row_of(A1)), 35, true);
    fill_account(&w, row_of(A1), 5, "one");
    fill_contact(&w, row_of(C1), row_of(A1), 6, "li"); /* V1 is in a home that is ready */
    world_apply(&w);
    CHECK(is_here(&w, "visit", row_of(V1)));
    CHECK(is_here(&w, "contact", row_of(C1)));
    world_stop(&w);
}

/* By its columns it is in both homes that are filled anew; at the server it is in neither. */
TEST(a_row_that_each_of_two_pages_lacks_goes) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, done_at(20));
    open_home(&w, own(row_of(E1)), 15, true);
    fill_visit(&w, row_of(V1), row_of(A1), row_of(E1), 12);
    fill_visit(&w, row_of(V2), row_of(A1), row_of(E1), 13);
    world_apply(&w);
    ask_anew(&w, (struct scope_position){.told = 30, .filling = 30, .at = {own(row_of(E1)), 8, 0}});
    open_home(&w, own(row_of(E1)), 15, true);
    open_home(&w, team(row_of(A1)), 3, true);
    open_home(&w, team(row_of(A2)), 4, true);
    fill_visit(&w, row_of(V2), row_of(A1), row_of(E1), 13);
    world_apply(&w);
    CHECK(is_here(&w, "visit", row_of(V1))); /* the team's page may bring it */
    CHECK_INT(world_number(&w, "SELECT count(*) FROM lacked"), 1);
    ask(&w, done_at(30));
    fill_account(&w, row_of(A1), 5, "one");
    fill_contact(&w, row_of(C1), row_of(A1), 6, "li");
    fill_account(&w, row_of(A2), 7, "two");
    fill_contact(&w, row_of(C2), row_of(A2), 8, "wang");
    world_apply(&w);
    CHECK(!is_here(&w, "visit", row_of(V1)));
    CHECK(is_here(&w, "visit", row_of(V2))); /* it came with the earlier home */
    CHECK_INT(world_number(&w, "SELECT count(*) FROM lacked"), 0);
    world_stop(&w);
}

TEST(a_row_made_here_is_not_spoken_away) {
    struct world w;
    char text[ID_TEXT_BYTES];
    start_with_two_teams(&w);
    id_format(row_of(A1), text);
    int64_t mine = world_add2(&w, "contact", "account", text, "name", "new");
    ask_anew(&w, done_at(20));
    open_home(&w, team(row_of(A1)), 3, true);
    fill_account(&w, row_of(A1), 5, "one");
    world_apply(&w);
    CHECK(world_sees(&w, "contact", mine));
    CHECK(!is_here(&w, "contact", row_of(C1)));
    world_stop(&w);
}

/* ------------------------------------------------------------------ rows that left */

static void apply_left(struct world *w, const char *entity, int64_t row, int64_t seq) {
    world_ask(w);
    world_record(w, entity, row, RECORD_LEFT)->seq = seq;
    w->seq = seq > 30 ? seq : 30;
    world_apply(w);
}

TEST(a_leave_is_taken_unless_the_row_is_newer) {
    struct world w;
    start_with_two_teams(&w);
    apply_left(&w, "contact", row_of(C1), 5); /* it came back with seq 6 */
    CHECK(is_here(&w, "contact", row_of(C1)));
    apply_left(&w, "contact", row_of(C1), 6);
    CHECK(!is_here(&w, "contact", row_of(C1)));
    apply_left(&w, "contact", row_of(C1), 20); /* not here: nothing to do */
    CHECK_INT(rows(&w, "contact"), 1);
    CHECK_INT(position(&w).told, 10);
    world_stop(&w);
}

TEST(what_inherits_its_homes_leaves_with_the_row) {
    struct world w;
    char text[ID_TEXT_BYTES];
    start_with_two_teams(&w);
    ask(&w, done_at(20));
    open_home(&w, own(row_of(E1)), 15, true);
    fill_visit(&w, row_of(V1), row_of(A1), row_of(E1), 12);
    fill_followup(&w, row_of(F1), row_of(V1), 13);
    fill_followup(&w, row_of(F1 + 1), row_of(V1), 14);
    world_apply(&w);
    id_format(row_of(V1), text);
    int64_t mine = world_add2(&w, "followup", "visit", text, "opinion", "mine");
    world_set(&w, "followup", row_of(F1 + 1), "opinion", "edited");
    apply_left(&w, "visit", row_of(V1), 25);
    CHECK(!is_here(&w, "visit", row_of(V1)) && !is_here(&w, "followup", row_of(F1)));
    CHECK(is_here(&w, "followup", row_of(F1 + 1)) && !world_sees(&w, "followup", row_of(F1 + 1)));
    CHECK(world_sees(&w, "followup", mine));
    world_stop(&w);
}

TEST(headers_stay_with_the_territory_and_children_with_the_team) {
    struct world w;
    world_start(&w);
    ask(&w, done_at(10));
    open_home(&w, team(row_of(A1)), 3, true);
    open_home(&w, territory(row_of(T1)), 3, true);
    struct record *r = fill(&w, "account", row_of(A1), 5);
    put_cell(&w, r, "account", "name", "one");
    put_ref(&w, r, "account", "territory", row_of(T1));
    fill_contact(&w, row_of(C1), row_of(A1), 6, "li");
    world_apply(&w);
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK(is_here(&w, "account", row_of(A1)) && !is_here(&w, "contact", row_of(C1)));
    world_stop(&w);
}

/* ------------------------------------------------------------------ merged accounts */

/* The loser's home ends, the survivor's goes on: what the alias re-points is in that one. */
TEST(rows_of_a_merged_account_are_the_survivors_before_its_home_ends) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){15, row_of(A1), row_of(A2)};
    world_apply(&w);
    CHECK(!is_here(&w, "account", row_of(A1)));
    CHECK(world_sees(&w, "contact", row_of(C1)) && world_sees(&w, "contact", row_of(C2)));
    CHECK_INT(world_number(&w, "SELECT count(DISTINCT account) FROM r_contact"), 1);
    world_stop(&w);
}

/* ------------------------------------------------------------------ epochs, older files */

static void enter_epoch_two(struct world *w, int64_t parting) {
    struct err err;
    for (int i = 0; i < 2; i++) { /* once for the marks, then to enter */
        world_ask(w);
        w->reply.kind = REPLY_EPOCH;
        w->reply.epoch = w->epoch = 2;
        w->seq = parting;
        CHECK_OK(world_try_apply(w, 10, &err));
    }
}

TEST(a_new_epoch_asks_for_every_home_anew) {
    struct world w;
    start_with_two_teams(&w);
    enter_epoch_two(&w, 4);
    CHECK_INT(position(&w).told, 0);
    CHECK_INT(homes_held(&w), 2);
    ask(&w, done_at(9));
    open_home(&w, team(row_of(A1)), 3, true); /* the other grant is forgotten */
    fill_account(&w, row_of(A1), 4, "one");
    world_apply(&w);
    CHECK_INT(homes_held(&w), 1);
    CHECK(is_here(&w, "account", row_of(A1)) && !is_here(&w, "account", row_of(A2)));
    CHECK(!is_here(&w, "contact", row_of(C1)) && !is_here(&w, "contact", row_of(C2)));
    world_stop(&w);
}

/* What the merge re-pointed has no new seq by it, and comes at the one that it has here. */
TEST(what_a_forgotten_merge_re_pointed_names_its_own_account_again) {
    struct world w;
    start_with_two_teams(&w);
    ask(&w, done_at(20));
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){15, row_of(A1), row_of(A2)};
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(DISTINCT account) FROM r_contact"), 1);
    enter_epoch_two(&w, 10);
    ask(&w, done_at(10));
    open_home(&w, team(row_of(A1)), 3, true);
    open_home(&w, team(row_of(A2)), 4, true);
    fill_account(&w, row_of(A1), 5, "one");
    fill_contact(&w, row_of(C1), row_of(A1), 6, "li");
    fill_account(&w, row_of(A2), 7, "two");
    fill_contact(&w, row_of(C2), row_of(A2), 8, "wang");
    world_apply(&w);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM r_account"), 2);
    CHECK_INT(world_number(&w, "SELECT count(DISTINCT account) FROM r_contact"), 2);
    CHECK_INT(world_number(&w, "SELECT count(*) FROM alias"), 0);
    world_stop(&w);
}

static void start_with_one_team(struct world *w) {
    world_start(w);
    ask(w, done_at(10));
    open_home(w, team(row_of(A1)), 3, true);
    fill_account(w, row_of(A1), 5, "one");
    fill_contact(w, row_of(C1), row_of(A1), 6, "li");
    world_apply(w);
}

/* The loser's home ends with the reply that tells of the merge, and the survivor's is not held: what
 * the alias re-points would be in no home that could be withdrawn. */
TEST(what_is_re_pointed_into_a_home_that_is_not_held_goes) {
    struct world w;
    start_with_one_team(&w);
    CHECK_INT(rows(&w, "contact"), 1);
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){15, row_of(A1), row_of(A2)};
    world_apply(&w);
    CHECK_INT(rows(&w, "account"), 0);
    CHECK_INT(rows(&w, "contact"), 0);
    world_stop(&w);
}

/* As before, but the home ends only with a later reply. */
TEST(what_was_re_pointed_goes_also_when_the_home_ends_later) {
    struct world w;
    start_with_one_team(&w);
    ask(&w, done_at(20));
    w.reply.aliases[w.reply.alias_count++] = (struct alias_news){15, row_of(A1), row_of(A2)};
    world_apply(&w);
    CHECK_INT(rows(&w, "contact"), 1);
    ask(&w, done_at(30));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    CHECK_INT(rows(&w, "contact"), 0);
    world_stop(&w);
}

/* A server that knows no homes says nothing of them: everything stays. */
TEST(without_homes_nothing_goes) {
    struct world w;
    world_start(&w);
    world_pull(&w, "account", row_of(A1), "name", "one");
    world_sync(&w);
    CHECK(is_here(&w, "account", row_of(A1)));
    CHECK_INT(position(&w).told, 0);
    ask(&w, done_at(20)); /* it learns of them */
    open_home(&w, home_make(HOME_CLASS_ALL, 0), 3, true);
    fill_account(&w, row_of(A1), 1, "one");
    world_apply(&w);
    CHECK(is_here(&w, "account", row_of(A1)));
    ask(&w, done_at(30));
    close_home(&w, home_make(HOME_CLASS_ALL, 0));
    world_apply(&w);
    CHECK_INT(rows(&w, "account"), 0);
    world_stop(&w);
}

/* ------------------------------------------------------------------ what people see */

struct told_homes {
    struct held_home at[4];
    char names[4][32];
    size_t count;
};

static enum status note_home(void *ctx, const struct held_home *home, struct err *err) {
    struct told_homes *told = ctx;
    (void)err;
    CHECK(told->count < 4 && home->name.len < 32);
    if (home->name.len > 0) memcpy(told->names[told->count], home->name.data, home->name.len);
    told->at[told->count++] = *home;
    return ST_OK;
}

TEST(people_are_told_which_homes_are_here_and_which_are_loading) {
    struct world w;
    struct err err;
    struct store_status status;
    struct told_homes told = {.count = 0};
    start_with_two_teams(&w);
    ask(&w, (struct scope_position){
                .told = 20, .ready = 10, .filling = 20, .at = {own(row_of(E1)), 6, row_of(V1)}});
    open_home(&w, own(row_of(E1)), 15, true);
    open_home(&w, home_make(HOME_CLASS_PUBLIC, 0), 15, true);
    fill_visit(&w, row_of(V1), row_of(A1), row_of(E1), 12);
    world_apply(&w);
    CHECK_OK(store_status(w.store, &status, &err));
    CHECK(status.filling && !status.complete);
    CHECK_INT(status.homes, 4);
    CHECK_INT(status.homes_to_fill, 2);
    CHECK_OK(store_homes(w.store, note_home, &told, &err));
    CHECK_INT(told.count, 4);
    CHECK(told.at[0].home == own(row_of(E1)) && told.at[0].fills);
    CHECK_INT(told.at[0].rows, 1);
    CHECK_TEXT(told.names[1], "one");
    CHECK_INT(told.at[1].rows, 3); /* account, contact, visit */
    CHECK(!told.at[1].fills && told.at[3].fills && !told.at[3].entity);
    ask(&w, done_at(20));
    world_apply(&w);
    CHECK_OK(store_status(w.store, &status, &err));
    CHECK(!status.filling && status.homes_to_fill == 0);
    world_stop(&w);
}

static enum status note_gone(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    *(int64_t *)ctx += row->gone ? 100 : 1;
    return ST_OK;
}

TEST(a_row_on_its_way_out_is_listed_and_marked) {
    struct world w;
    struct err err;
    struct store_status status;
    int64_t seen = 0;
    start_with_two_teams(&w);
    world_set(&w, "contact", row_of(C1), "title", "chief");
    ask(&w, done_at(20));
    close_home(&w, team(row_of(A1)));
    world_apply(&w);
    struct query query = {.entity = world_entity(&w, "contact")};
    CHECK_OK(store_list(w.store, &query, note_gone, &seen, &err));
    CHECK_INT(seen, 101);
    CHECK_OK(store_status(w.store, &status, &err));
    CHECK_INT(status.leaving, 1);
    world_stop(&w);
}
