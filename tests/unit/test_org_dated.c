/* Who sees what from which day on: memberships with days, orders for a time, the org's time zone. */
#include "tests/unit/scope_world.h"

/* A world with territories, an empty book and an account of the south that nobody has. */
static int64_t start(struct world *w, struct book *b) {
    struct map map = granted_open(w);
    memset(b, 0, sizeof *b);
    return office_account(w, "Acme", map.south, 0);
}

TEST(a_membership_begins_and_ends_at_its_days_by_itself) {
    enum { DAY = 86400000 };
    struct world w;
    struct err err = {0};
    static struct book b;
    int64_t next = 0, id = start(&w, &b);
    CHECK_OK(org_zone_set(w.org, 480, &err));
    /* The world began on 1970-01-01. Days of the org begin at 16:00 of the day before. */
    (void)member(&w, id, w.laptops[0].employee, "1970-01-03", "1970-01-04");
    sync_book(&w, 0, &b);
    CHECK(!has(&b, id));
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    CHECK_INT(next, 2 * (int64_t)DAY - 8 * 3600000);
    w.now = next - 1;
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    sync_book(&w, 0, &b);
    CHECK(!has(&b, id));
    w.now = next;
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    CHECK_INT(next, 4 * (int64_t)DAY - 8 * 3600000);
    sync_book(&w, 0, &b);
    CHECK(has(&b, id));
    check_grants(&w);
    w.now = next;
    office_set(&w, "account", id, "industry", "steel");   /* the next commit applies it too */
    sync_book(&w, 0, &b);
    CHECK(!has(&b, id));
    check_book(&w, 0, &b);
    world_close(&w);
}

TEST(another_time_zone_is_another_day_at_once) {
    enum { HOUR = 3600000 };
    struct world w;
    struct err err = {0};
    static struct book b;
    int64_t next, id = start(&w, &b);
    w.now = 44 * (int64_t)HOUR;                           /* 20:00 of the 2nd in Greenwich */
    CHECK_OK(org_zone_set(w.org, 480, &err));             /* 04:00 of the 3rd in Peking */
    (void)member(&w, id, w.laptops[0].employee, "1970-01-03", "1970-01-03");
    sync_book(&w, 0, &b);
    CHECK(has(&b, id));
    CHECK_OK(org_zone_set(w.org, -600, &err));            /* 10:00 of the 2nd in Honolulu: not yet */
    sync_book(&w, 0, &b);
    CHECK(!has(&b, id));
    check_grants(&w);
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    CHECK_INT(next, 58 * (int64_t)HOUR);                  /* where the 3rd begins 10:00 in Greenwich */
    CHECK_OK(org_zone_set(w.org, 480, &err));
    sync_book(&w, 0, &b);
    CHECK(has(&b, id));
    CHECK_OK(org_zone_set(w.org, -600, &err));
    w.now = 83 * (int64_t)HOUR;                           /* 01:00 of the 4th in Honolulu: over */
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    sync_book(&w, 0, &b);
    CHECK(!has(&b, id));
    check_grants(&w);
    world_close(&w);
}

TEST(dated_operations_are_applied_at_their_time_together) {
    struct world w;
    struct err err = {0};
    static struct book b[2];
    struct map map = granted_open(&w);
    memset(b, 0, sizeof b);
    int64_t ids[3], op_ids[2], next;
    for (int i = 0; i < 3; i++) ids[i] = office_account(&w, "A", map.country, w.laptops[0].employee);
    for (int at = 0; at < 2; at++) sync_book(&w, at, &b[at]);
    struct centre_dated ops[2] = {
        {.kind = DATED_ASSIGN, .due_ms = w.now + 5000, .account = ids[0], .to = w.laptops[1].employee, .person = "qian"},
        {.kind = DATED_HANDOVER, .due_ms = w.now + 9000, .from = w.laptops[0].employee, .to = w.laptops[1].employee}};
    struct scope_effect *effects;
    size_t count;
    CHECK_OK(org_scope_preview(w.org, NULL, 0, &ops[1], 1, &w.mem, &effects, &count, &err));
    CHECK_INT(count, 2);
    CHECK_TEXT(effects[0].login, "li");
    CHECK_INT(effects[0].opened, 3);
    CHECK_INT(effects[0].gained, 3);
    CHECK_TEXT(effects[1].login, "wang");
    CHECK_INT(effects[1].closed, 3);
    CHECK_INT(effects[1].lost, 3);
    CHECK_OK(org_dated_add_all(w.org, ops, 2, op_ids, &err));
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    CHECK_INT(next, w.now + 5000);
    for (int at = 0; at < 2; at++) sync_book(&w, at, &b[at]);
    CHECK(has(&b[0], ids[0]) && !has(&b[1], ids[0]));
    w.now += 5000;
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    for (int at = 0; at < 2; at++) sync_book(&w, at, &b[at]);
    CHECK(!has(&b[0], ids[0]) && has(&b[1], ids[0]) && has(&b[0], ids[1]));
    w.now += 4000;
    int64_t before = head_of(&w);
    CHECK_OK(org_due(w.org, &next, NULL, &err));
    CHECK_INT(next, 0);
    CHECK_INT(head_of(&w), before + 3);                   /* two accounts, and the grants of both reps at one seq */
    for (int at = 0; at < 2; at++) {
        sync_book(&w, at, &b[at]);
        check_book(&w, at, &b[at]);
    }
    CHECK(has(&b[1], ids[1]) && has(&b[1], ids[2]) && !has(&b[0], ids[2]));
    struct centre_dated *list;
    CHECK_OK(org_dated_list(w.org, true, &w.mem, &list, &count, &err));
    CHECK_INT(count, 2);
    CHECK_INT(list[0].accounts, 1);
    CHECK_INT(list[1].accounts, 2);
    check_grants(&w);
    world_close(&w);
}

