/* Scope at the server: who is granted what and when, what a reply brings, what comes in. */
#include "syncd/server/routes.h"
#include "syncd/server/unite.h"
#include "tests/unit/scope_world.h"

TEST(everyone_holds_what_the_rules_give_him_and_nothing_else) {
    struct world w;
    static struct book b[4];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t mine = office_account(&w, "North", map.north, w.laptops[0].employee);
    int64_t other = office_account(&w, "South", map.south, w.laptops[1].employee);
    int64_t nobodys = office_account(&w, "Nowhere", 0, 0);
    for (int at = 0; at < 4; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(has(&b[0], mine) && !has(&b[0], other) && !has(&b[0], nobodys));
    CHECK(!has(&b[1], mine) && has(&b[1], other));
    CHECK(has(&b[MANAGER], mine) && has(&b[MANAGER], other) && !has(&b[MANAGER], nobodys));
    CHECK(has(&b[OFFICE], nobodys));
    CHECK_INT(b[OFFICE].home_count, 1);
    check_grants(&w);
    world_close(&w);
}

static int64_t ticking_ms(void *ctx) {
    return ((struct world *)ctx)->now += 5;
}

/* What is settled meanwhile has a later time than the merge began with. */
TEST(a_merge_that_takes_time_leaves_the_log_in_order) {
    struct world w;
    struct err err = {0};
    struct unite_result result;
    struct buf findings SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct map map = granted_open(&w);
    int64_t north = office_account(&w, "Acme", map.north, w.laptops[0].employee);
    int64_t south = office_account(&w, "Acme Ltd", map.south, w.laptops[1].employee);
    const char *pairs[] = {"account", number(&w, south), "name", "Ms Lin"};
    (void)office_row(&w, "contact", pairs, 2);
    struct unite_order order = {.loser = south, .survivor = north, .person = SLICE("office")};
    w.env.wall_ms = ticking_ms;
    CHECK_OK(org_unite(w.org, &order, false, &w.mem, &result, &err));
    CHECK_OK(centre_verify_all(org_centre(w.org), NULL, NULL, &findings, &err));
    CHECK_SLICE(buf_slice(&findings), "");
    world_close(&w);
}

TEST(an_account_that_changes_hands_goes_from_one_laptop_to_the_other) {
    struct world w;
    static struct book b[4];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.north, w.laptops[0].employee);
    int64_t seen = visit(&w, 0, id, w.laptops[0].employee);
    (void)push(&w, 0);
    const char *pairs[] = {"account", number(&w, id), "name", "Ms Lin"};
    int64_t contact = office_row(&w, "contact", pairs, 2);
    for (int at = 0; at < 4; at++) sync_book(&w, at, &b[at]);
    CHECK(has(&b[0], contact) && !has(&b[1], contact));
    office_set(&w, "account", id, "owner", number(&w, w.laptops[1].employee));
    for (int at = 0; at < 4; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(!has(&b[0], contact) && has(&b[0], id) && has(&b[0], seen)); /* the header by territory, the visit is his own */
    CHECK(has(&b[1], contact) && has(&b[1], id) && has(&b[1], seen));
    CHECK(has(&b[MANAGER], contact));
    check_grants(&w);
    world_close(&w);
}

TEST(a_row_that_moves_leaves_one_laptop_and_comes_whole_to_the_other) {
    struct world w;
    static struct book b[4];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.north, 0);
    for (int at = 0; at < 2; at++) sync_book(&w, at, &b[at]);
    CHECK(has(&b[0], id) && !has(&b[1], id));
    office_set(&w, "account", id, "territory", number(&w, map.south));
    for (int at = 0; at < 2; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK_INT(b[0].left, 1);
    CHECK(!has(&b[0], id) && has(&b[1], id));
    world_close(&w);
}

TEST(what_a_row_owns_moves_with_it) {
    struct world w;
    static struct book b[4];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t from = office_account(&w, "From", map.north, w.laptops[0].employee);
    int64_t to = office_account(&w, "To", map.south, w.laptops[1].employee);
    const char *of_visit[] = {"account", number(&w, from)};
    int64_t v = office_row(&w, "visit", of_visit, 1);
    const char *of_followup[] = {"visit", number(&w, v), "due_on", "2026-01-05"};
    int64_t followup = office_row(&w, "followup", of_followup, 2);
    for (int at = 0; at < 3; at++) sync_book(&w, at, &b[at]);
    CHECK(has(&b[0], followup) && !has(&b[1], followup));
    office_set(&w, "visit", v, "account", number(&w, to));
    for (int at = 0; at < 3; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(!has(&b[0], followup) && has(&b[1], followup));
    CHECK_INT(b[0].left, 2);
    world_close(&w);
}

TEST(several_reasons_keep_a_grant_until_the_last_ends) {
    struct world w;
    static struct book b[4];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[0].employee);
    int64_t m = member(&w, id, w.laptops[0].employee, NULL, NULL);
    sync_book(&w, 0, &b[0]);
    CHECK(has(&b[0], id));
    office_set(&w, "account", id, "owner", number(&w, w.laptops[1].employee));
    sync_book(&w, 0, &b[0]);
    CHECK(has(&b[0], id));
    check_grants(&w);
    struct err err = {0};
    struct change gone = {.kind = CHANGE_DELETE, .entity_tag = world_entity(&w, "team_member")->tag, .row = m};
    struct receipt receipt;
    CHECK_OK(org_office_save(w.org, &gone, 1, 0, 0, SLICE("office"), &w.mem, &receipt, &err));
    sync_book(&w, 0, &b[0]);
    CHECK(!has(&b[0], id));
    check_book(&w, 0, &b[0]);
    check_grants(&w);
    world_close(&w);
}

TEST(a_home_born_on_a_laptop_comes_by_the_log) {
    struct world w;
    static struct book b;
    (void)granted_open(&w);
    memset(&b, 0, sizeof b);
    sync_book(&w, 0, &b);
    int64_t id = new_id(&w, 0);
    struct change *c = draft_change(&w, 0, CHANGE_CREATE, "account", id);
    (void)draft_text(&w, c, "name", "New", on(0));
    int64_t contact = new_id(&w, 0);
    c = draft_change(&w, 0, CHANGE_CREATE, "contact", contact);
    (void)draft_number(&w, c, "account", id, on(0));
    (void)draft_text(&w, c, "name", "Ms Lin", on(0));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    CHECK_INT(w.reply.receipts[0].lines[1].outcome, OUTCOME_APPLIED);
    (void)pull(&w, 0, 0);
    CHECK_INT(w.reply.opened_count, 1);
    CHECK_INT(w.reply.opened[0].home, home_make(HOME_CLASS_TEAM, id));
    CHECK(!w.reply.opened[0].fills);
    CHECK_INT(w.reply.filled_count, 0);
    CHECK_INT(w.reply.record_count, 2);
    CHECK(!w.reply.more);
    take(&w, &b);
    check_book(&w, 0, &b);
    check_grants(&w);
    world_close(&w);
}

TEST(a_transfer_that_is_cut_goes_on_while_things_move) {
    struct world w;
    static struct book b[2];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t ids[200];
    char name[200];
    memset(name, 'x', 190);
    name[190] = 0;
    for (int i = 0; i < 200; i++) ids[i] = office_account(&w, name, map.north, i % 2 ? w.laptops[0].employee : 0);
    sync_book(&w, 1, &b[1]);
    round_of(&w, 0, &b[0], 4096);
    CHECK(w.reply.more);
    for (int i = 0; w.reply.more; i++) {
        office_set(&w, "account", ids[i % 200], "industry", i % 2 ? "steel" : "iron");
        if (i % 3 == 0) office_set(&w, "account", ids[199 - i % 200], "territory", number(&w, i % 2 ? map.north : map.south));
        if (i % 4 == 0) office_set(&w, "account", ids[(7 * i) % 200], "owner", number(&w, w.laptops[i % 2].employee));
        if (i == 5) office_set(&w, "employee", w.laptops[0].employee, "territory", number(&w, map.country));
        if (i == 9) office_set(&w, "employee", w.laptops[0].employee, "territory", number(&w, map.north));
        round_of(&w, 0, &b[0], 4096);
        CHECK(i < 200);
        if (i > 40) break;
    }
    for (int at = 0; at < 2; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(b[0].pages > 10);
    check_grants(&w);
    world_close(&w);
}

static enum status count_late(void *ctx, const struct centre_late *late, struct err *err) {
    int64_t *rows = ctx;
    (void)err;
    *rows = *rows * 1000 + late->row % 1000;
    return ST_OK;
}

/* The rows (their last digits, one behind the other) of which something came late. */
static int64_t late_rows(struct world *w) {
    struct err err = {0};
    int64_t rows = 0;
    CHECK_OK(centre_late(org_centre(w->org), 0, count_late, &rows, &err));
    return rows;
}

static enum status last_reason(void *ctx, const struct centre_history *line, struct err *err) {
    (void)err;
    *(enum reason *)ctx = line->reason;
    return ST_OK;
}

TEST(an_edit_counts_by_what_its_author_knew_and_within_the_lease) {
    enum { DAY = 86400000 };
    struct world w;
    static struct book b;
    struct map map = granted_open(&w);
    memset(&b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[0].employee);
    int64_t far = office_account(&w, "Far", map.south, w.laptops[1].employee);
    sync_book(&w, 0, &b);
    int64_t seq = head_of(&w);

    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", far), "industry", "x", on(seq));
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);        /* never his */
    CHECK_INT(w.reply.receipts[0].lines[0].state, ROW_OUT);
    (void)visit(&w, 0, far, w.laptops[0].employee);
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);

    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "mine", on(seq));
    office_set(&w, "account", id, "owner", number(&w, w.laptops[1].employee));
    office_set(&w, "account", id, "industry", "theirs");
    const struct receipt_line *line = push(&w, 0);        /* made before he could know */
    CHECK_INT(line->outcome, OUTCOME_LOST);
    CHECK_INT(line->state, ROW_OUT);
    CHECK(!line->edits[0].has_values);
    CHECK_INT(line->edits[0].seq, 0);
    CHECK_INT(line->reason, REASON_LATE);
    CHECK_INT(line->edits[0].reason, REASON_LATE);
    CHECK_INT(late_rows(&w), id % 1000);

    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "website", "late", on(seq));
    w.now += 31 * (int64_t)DAY;
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);        /* too late */

    sync_book(&w, 0, &b);
    seq = head_of(&w);
    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "website", "again", on(seq));
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);        /* he was told */
    CHECK_INT(late_rows(&w), id % 1000);                  /* that alone */
    CHECK_TEXT(text_at(&w, "account", id, "website"), "");
    world_close(&w);
}

TEST(an_edit_of_a_row_that_left_counts_within_the_lease) {
    enum { DAY = 86400000 };
    struct world w;
    static struct book b;
    struct map map = granted_open(&w);
    memset(&b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.north, 0);
    sync_book(&w, 0, &b);
    int64_t seq = head_of(&w);
    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "website", "one", on(seq));
    office_set(&w, "account", id, "territory", number(&w, map.south));
    w.now += 29 * (int64_t)DAY;
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->reason, REASON_LATE);
    enum reason reason = REASON_NONE;
    struct err err = {0};
    CHECK_OK(centre_history(org_centre(w.org), id, 0, last_reason, &reason, &err));
    CHECK_INT(reason, REASON_LATE);
    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "website", "two", on(seq));
    w.now += 2 * (int64_t)DAY;
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);
    CHECK_TEXT(text_at(&w, "account", id, "website"), "one");
    world_close(&w);
}

/* An edit comes late only if its author sees the row by nothing else. */
TEST(what_is_seen_by_another_home_as_well_is_not_late) {
    struct world w;
    static struct book b;
    struct map map = granted_open(&w);
    memset(&b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[0].employee);
    sync_book(&w, 0, &b);
    int64_t seq = head_of(&w);
    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "website", "one", on(seq));
    office_set(&w, "account", id, "territory", number(&w, map.north));  /* it comes to him ... */
    office_set(&w, "account", id, "owner", number(&w, w.laptops[1].employee)); /* ... and leaves him */
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->reason, REASON_NONE);
    CHECK_INT(late_rows(&w), 0);
    world_close(&w);
}

/* A visit of an account that went meanwhile: the new row says so too. */
TEST(a_row_that_comes_late_is_marked) {
    struct world w;
    static struct book b;
    struct map map = granted_open(&w);
    memset(&b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[0].employee);
    sync_book(&w, 0, &b);
    int64_t made = visit(&w, 0, id, w.laptops[0].employee);
    office_set(&w, "account", id, "owner", number(&w, w.laptops[1].employee));
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->reason, REASON_LATE);
    CHECK_INT(late_rows(&w), made % 1000);
    world_close(&w);
}

/* What laptop `at` is told of edits of others: how many, and the row of the first. */
static size_t others_told(struct world *w, int at, int64_t *out_row) {
    struct change change;
    struct err err = {0};
    const struct round_reply *reply = pull(w, at, 0);
    CHECK(reply->has_others);
    *out_row = 0;
    if (reply->others_count == 0) return 0;
    CHECK_OK(change_read(reply->others[0].content, &w->mem, &change, &err));
    CHECK_INT(reply->others[0].reason, REASON_DENIED);
    *out_row = change.row;
    return reply->others_count;
}

/* He takes it over by saying the same; whoever does not see the row hears nothing. */
TEST(the_new_owner_hears_of_what_the_former_one_may_not_do_any_more) {
    struct world w;
    static struct book b[3];
    struct map map = granted_open(&w);
    int64_t row, seq;
    memset(b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[0].employee);
    sync_book(&w, 0, &b[0]);
    office_set(&w, "account", id, "owner", number(&w, w.laptops[1].employee));
    for (int at = 0; at < 2; at++) sync_book(&w, at, &b[at]);
    seq = head_of(&w);
    (void)draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "website", "his", on(seq));
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);
    int64_t made = visit(&w, 0, id, w.laptops[0].employee);
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);

    CHECK_INT(others_told(&w, 1, &row), 2);      /* the edit, and the visit that did not come in */
    CHECK(row == id || row == made);
    CHECK_INT(others_told(&w, 0, &row), 0);      /* his own, which he holds himself */
    int64_t far = office_account(&w, "Far", map.north, w.laptops[0].employee);
    (void)draft_text(&w, draft_change(&w, 1, CHANGE_EDIT, "account", far), "website", "x", on(seq));
    CHECK_INT(push(&w, 1)->reason, REASON_DENIED);
    CHECK_INT(others_told(&w, 0, &row), 1);
    CHECK_INT(row, far);
    CHECK_INT(others_told(&w, 1, &row), 2);      /* not that one */

    (void)draft_text(&w, draft_change(&w, 1, CHANGE_EDIT, "account", id), "website", "other", on(seq));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_APPLIED);
    CHECK_INT(others_told(&w, 1, &row), 2);      /* that says something else */
    (void)draft_text(&w, draft_change(&w, 1, CHANGE_EDIT, "account", id), "website", "his", on(head_of(&w)));
    CHECK_INT(push(&w, 1)->outcome, OUTCOME_APPLIED);
    CHECK_INT(others_told(&w, 1, &row), 1);
    CHECK_INT(row, made);
    const struct round_reply *reply = pull(&w, 0, 0);
    CHECK_INT(reply->held_count, 1);             /* and its author hears that it was written */
    CHECK_INT(reply->held[0].state, HELD_APPROVED);
    world_close(&w);
}

TEST(a_grant_that_ends_and_opens_again_is_filled_anew) {
    struct world w;
    static struct book b;
    struct map map = granted_open(&w);
    memset(&b, 0, sizeof b);
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[0].employee);
    const char *pairs[] = {"account", number(&w, id), "name", "Ms Lin"};
    int64_t contact = office_row(&w, "contact", pairs, 2);
    sync_book(&w, 0, &b);
    CHECK(has(&b, contact));
    office_set(&w, "account", id, "owner", number(&w, w.laptops[1].employee));
    office_set(&w, "contact", contact, "name", "Mr Lin");  /* he does not hear of this */
    office_set(&w, "account", id, "owner", number(&w, w.laptops[0].employee));
    (void)pull(&w, 0, 0);
    CHECK_INT(w.reply.closed_count, 0);
    CHECK_INT(w.reply.opened_count, 1);
    CHECK(w.reply.opened[0].fills);
    CHECK_INT(w.reply.filled_count, 2);
    take(&w, &b);
    sync_book(&w, 0, &b);
    check_book(&w, 0, &b);
    world_close(&w);
}

TEST(the_tree_of_territories_moves_grants_with_it) {
    struct world w;
    static struct book b[3];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t town = territory(&w, "T", map.south);
    int64_t id = office_account(&w, "Town", town, 0);
    for (int at = 0; at < 3; at++) sync_book(&w, at, &b[at]);
    CHECK(!has(&b[0], id) && has(&b[1], id) && has(&b[MANAGER], id));
    office_set(&w, "territory", town, "parent", number(&w, map.north));
    for (int at = 0; at < 3; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(has(&b[0], id) && !has(&b[1], id) && has(&b[MANAGER], id));
    office_set(&w, "territory", town, "parent", NULL);
    for (int at = 0; at < 3; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(!has(&b[0], id) && !has(&b[MANAGER], id));
    office_set(&w, "territory", map.country, "parent", number(&w, map.south));  /* a circle ends too */
    check_grants(&w);
    world_close(&w);
}

TEST(an_org_is_granted_and_open_again) {
    struct world w;
    struct err err = {0};
    static struct book b[4];
    memset(b, 0, sizeof b);
    struct map map = granted_open(&w);
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[1].employee);
    for (int at = 0; at < 4; at++) sync_book(&w, at, &b[at]);
    CHECK(!has(&b[0], id));
    CHECK_OK(org_scope_set(w.org, false, &err));
    office_set(&w, "account", id, "industry", "steel");
    for (int at = 0; at < 4; at++) {
        sync_book(&w, at, &b[at]);
        CHECK(has(&b[at], id));
        CHECK_INT(b[at].home_count, 1);
    }
    struct scope_effect *effects;
    size_t count;
    CHECK_OK(org_scope_set_preview(w.org, true, &w.mem, &effects, &count, &err));
    CHECK_INT(count, 3);                                   /* all but head office */
    CHECK_TEXT(effects[1].login, "wang");
    CHECK_INT(effects[1].lost, 1);
    CHECK_INT(effects[0].lost, 0);                         /* li owns it */
    CHECK_OK(org_scope_set(w.org, true, &err));
    for (int at = 0; at < 4; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(!has(&b[0], id) && has(&b[1], id));
    check_grants(&w);
    world_close(&w);
}

/* An account that a rep made while everyone saw everything is his as well as one made later. */
TEST(who_made_an_account_in_an_open_org_keeps_it) {
    struct world w;
    struct err err = {0};
    static struct book b[2];
    memset(b, 0, sizeof b);
    (void)granted_open(&w);
    CHECK_OK(org_scope_set(w.org, false, &err));
    for (int at = 0; at < 2; at++) sync_book(&w, at, &b[at]);
    int64_t id = new_id(&w, 0), office = office_account(&w, "Acme", 0, 0);
    struct change *c = draft_change(&w, 0, CHANGE_CREATE, "account", id);
    (void)draft_text(&w, c, "name", "New", on(0));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    CHECK_OK(org_scope_set(w.org, true, &err));
    for (int at = 0; at < 2; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(has(&b[0], id) && !has(&b[1], id));
    CHECK(!has(&b[0], office));
    check_grants(&w);
    world_close(&w);
}

TEST(a_new_user_is_granted_at_once_and_dead_rows_are_told_to_their_holders) {
    struct world w;
    struct err err = {0};
    static struct book b[5];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    world_enrol(&w, 4, USER_REP, "sun");
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[4].employee);
    for (int at = 0; at < 5; at++) sync_book(&w, at, &b[at]);
    CHECK(has(&b[4], id) && !has(&b[0], id));
    struct change gone = {.kind = CHANGE_DELETE, .entity_tag = world_entity(&w, "account")->tag, .row = id};
    struct receipt receipt;
    CHECK_OK(org_office_save(w.org, &gone, 1, 0, 0, SLICE("office"), &w.mem, &receipt, &err));
    for (int at = 0; at < 5; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK_INT(b[4].dead, 1);
    CHECK_INT(b[0].dead, 0);
    office_set(&w, "account", id, "industry", "steel");    /* it comes back */
    for (int at = 0; at < 5; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(has(&b[4], id) && !has(&b[0], id));
    check_grants(&w);
    world_close(&w);
}

TEST(grants_are_told_in_words) {
    struct world w;
    struct err err = {0};
    struct map map = granted_open(&w);
    int64_t id = office_account(&w, "Acme", map.north, w.laptops[0].employee);
    struct scope_grant *grants;
    size_t count, found = 0;
    struct buf text = buf_new(BUF_MAX_LINE);
    CHECK_OK(org_grants(w.org, 1, &w.mem, &grants, &count, &err));
    CHECK_INT(count, 4);                                   /* own, team, territory, public */
    for (size_t i = 0; i < count; i++) {
        if (grants[i].home != home_make(HOME_CLASS_TEAM, id)) continue;
        found++;
        scope_reasons_write(grants[i].reasons, LANG_EN, &text);
        CHECK_TEXT(buf_text(&text), "owner of the account");
        buf_reset(&text);
        CHECK_OK(org_home_label(w.org, grants[i].home, LANG_EN, &text, &err));
        CHECK_TEXT(buf_text(&text), "team of Acme");
    }
    CHECK_INT(found, 1);
    buf_free(&text);
    world_close(&w);
}

struct watch {
    struct routes *routes;
    int64_t seq;                                           /* where all laptops stand */
    bool concerns[4];
};

static void look(struct world *w, struct watch *watch) {
    struct err err = {0};
    bool there = false;
    for (int i = 0; i < 100 && !there; i++)
        CHECK_OK(routes_follow(watch->routes, org_reader_centre(w->reader), &there, &err));
    CHECK(there);
    for (int at = 0; at < 4; at++) {
        struct centre_device device;
        CHECK_OK(org_device(w->reader, w->laptops[at].number, &device, &err));
        watch->concerns[at] = routes_concern(watch->routes, &device, watch->seq);
    }
    watch->seq = head_of(w);
}

TEST(routes_know_whom_a_change_concerns) {
    struct world w;
    struct err err = {0};
    struct map map = granted_open(&w);
    struct watch watch = {.seq = head_of(&w)};
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[1].employee);
    CHECK_OK(routes_open(&watch.routes, &err));
    look(&w, &watch);
    CHECK(watch.concerns[0] && watch.concerns[1]);         /* of the time before nothing is known */
    office_set(&w, "account", id, "industry", "steel");
    look(&w, &watch);
    CHECK(!watch.concerns[0] && watch.concerns[1] && watch.concerns[MANAGER] && watch.concerns[OFFICE]);
    (void)member(&w, id, w.laptops[0].employee, NULL, NULL);
    look(&w, &watch);
    CHECK(watch.concerns[0]);
    office_set(&w, "territory", map.south, "name", "South");
    look(&w, &watch);
    CHECK(watch.concerns[0] && watch.concerns[1]);         /* everyone sees the tree */
    int64_t other = office_account(&w, "Other", map.north, 0);
    look(&w, &watch);
    CHECK(watch.concerns[0] && !watch.concerns[1]);
    office_set(&w, "account", other, "territory", number(&w, map.south));
    look(&w, &watch);
    CHECK(watch.concerns[0] && watch.concerns[1]);         /* it left the one and came to the other */
    for (int i = 0; i < 600; i++) office_set(&w, "account", id, "industry", i % 2 ? "steel" : "iron");
    look(&w, &watch);
    CHECK(watch.concerns[0]);                              /* a member */
    routes_close(watch.routes);
    world_close(&w);
}

TEST(a_laptop_whom_nothing_concerns_gets_the_head) {
    struct world w;
    static struct book b;
    struct map map = granted_open(&w);
    memset(&b, 0, sizeof b);
    struct err err = {0};
    int64_t id = office_account(&w, "Acme", map.south, w.laptops[1].employee);
    sync_book(&w, 0, &b);
    office_set(&w, "account", id, "industry", "steel");
    struct round_request r = request_of(&w, 0);
    struct centre_head head;
    struct centre_device device;
    struct round_reply reply;
    CHECK_OK(org_head(w.reader, &head, &err));
    CHECK_OK(org_device(w.reader, w.laptops[0].number, &device, &err));
    CHECK(!org_round_idle(&head, &device, &r, w.now, &reply));
    CHECK(org_round_quiet(&head, &device, &r, w.now, &reply));
    CHECK_INT(reply.cursor.seq, head.position.seq);
    CHECK_INT(reply.since, head.position.seq);
    (void)pull(&w, 0, 0);                                  /* and the whole way says the same */
    CHECK_INT(w.reply.record_count, 0);
    CHECK_INT(w.reply.cursor.seq, head.position.seq);
    CHECK(!w.reply.has_scope);
    r = request_of(&w, 0);
    r.scope.filling++;                                     /* homes are being filled */
    CHECK(!org_round_quiet(&head, &device, &r, w.now, &reply));
    world_close(&w);
}
