/* What stays out of the book, and what becomes of it: refusals, decisions of head office, retries, withdrawals. */
#include "tests/unit/centre_world.h"

/* ------------------------------------------------------------------ what stays out */

TEST(what_does_not_come_in_says_why_and_does_not_block_the_rest) {
    struct world w;
    int64_t seq;
    struct quarantine_entry held;
    struct err err = {0};
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_text(&w, c, "industry", "steel", on(seq));
    draft_number(&w, c, "parent", 12345, on(seq));
    draft_number(&w, c, "tier", 3, on(seq));
    draft_number(&w, c, "status", 77, on(seq));
    draft_number(&w, c, "open_opportunities", 1, on(seq));
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_REFUSED);
    CHECK_INT(line->seq, seq + 1);
    CHECK_INT(line->edits[0].outcome, OUTCOME_APPLIED);
    CHECK_INT(line->edits[1].reason, REASON_UNKNOWN_REFERENCE);
    CHECK_INT(line->edits[2].outcome, OUTCOME_WAITING);
    CHECK_INT(line->edits[2].reason, REASON_OFFICE);
    CHECK_INT(line->edits[3].reason, REASON_LIMIT);
    CHECK_INT(line->edits[4].outcome, OUTCOME_REFUSED);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "steel");
    struct refusal_id tier = {2, 0, 18};
    CHECK_OK(centre_quarantine(org_centre(w.org), w.laptops[0].number, &tier, &w.mem, &held, &err));
    CHECK_INT(held.base.seq, seq);
    CHECK_INT(held.outcome, OUTCOME_WAITING);
    struct change kept;
    CHECK_OK(change_read(held.content, &w.mem, &kept, &err));
    CHECK_INT(kept.edit_count, 1);
    CHECK_INT(kept.edits[0].values[0].number, 3);
    world_close(&w);
}

TEST(an_edit_of_a_row_that_is_not_there_is_kept) {
    struct world w;
    int64_t seq;
    struct quarantine_entry held;
    struct err err = {0};
    world_open(&w);
    (void)account(&w, "Acme", &seq);
    const struct receipt_line *line = say(&w, 0, id_make(9, 9), "industry", "x", on(seq));
    CHECK_INT(line->reason, REASON_UNKNOWN_ROW);
    CHECK_INT(line->state, ROW_GONE);
    CHECK_INT(head_of(&w), seq + 1);
    struct refusal_id id = {2, 0, 6};
    CHECK_OK(centre_quarantine(org_centre(w.org), w.laptops[0].number, &id, &w.mem, &held, &err));
    world_close(&w);
}

TEST(creations_are_refused_as_a_whole) {
    static const struct {
        const char *name, *entity;
        bool with_name, with_owner, foreign_id;
        enum outcome outcome;
        enum reason reason;
    } rows[] = {
        {"no required field", "account", false, false, false, OUTCOME_REFUSED, REASON_REQUIRED},
        {"owner not there", "contact", true, true, false, OUTCOME_REFUSED, REASON_UNKNOWN_REFERENCE},
        {"an id of another device", "account", true, false, true, OUTCOME_REFUSED, REASON_DENIED},
        {"only head office creates", "product", true, false, false, OUTCOME_WAITING, REASON_OFFICE},
    };
    for EACH(row, rows) {
        struct world w;
        struct err err = {0};
        struct quarantine_entry held;
        world_open(&w);
        int64_t id = row->foreign_id ? id_make(99, 1) : new_id(&w, 0);
        struct change *c = draft_change(&w, 0, CHANGE_CREATE, row->entity, id);
        if (row->with_owner) draft_number(&w, c, "account", 4711, on(0));
        if (strcmp(row->entity, "product") == 0) draft_text(&w, c, "sku", "1", on(0));
        if (row->with_name) draft_text(&w, c, "name", "x", on(0));
        const struct receipt_line *line = push(&w, 0);
        CHECK_ROW_INT(row, line->outcome, row->outcome);
        CHECK_ROW_INT(row, line->reason, row->reason);
        struct refusal_id whole = {1, 0, 0};
        CHECK_OK(centre_quarantine(org_centre(w.org), w.laptops[0].number, &whole, &w.mem, &held, &err));
        CHECK_ROW_INT(row, held.reason, row->reason);
        world_close(&w);
    }
}

TEST(a_text_on_a_refused_text_waits_with_it_and_other_edits_stand_on_its_base) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    char long_text[30000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    CHECK_INT(say(&w, 0, id, "remarks", long_text, on(seq))->reason, REASON_LIMIT);         /* batch 2 */
    CHECK_INT(say(&w, 0, id, "remarks", "short", on_own(seq, 2))->reason, REASON_DEPENDS);
    memset(long_text + 300, 0, 1);
    CHECK_INT(say(&w, 0, id, "industry", long_text, on(seq))->reason, REASON_LIMIT);        /* batch 4 */
    (void)say(&w, 1, id, "industry", "stranger", on(seq));
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    w.laptops[0].batch.stamp.boot_ms -= 60000;
    draft_text(&w, c, "industry", "mine", on_own(head_of(&w), 4));   /* saw what the refused one saw: no stranger */
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_LOST);
    world_close(&w);
}

TEST(of_an_all_or_nothing_batch_nothing_comes_in_when_something_does_not) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq), other = new_id(&w, 0);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "steel", on(seq));
    draft_text(&w, draft_change(&w, 0, CHANGE_CREATE, "account", other), "name", "Other", on(0));
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "status", 77, on(seq));
    w.laptops[0].batch.flags = BATCH_ALL_OR_NOTHING;
    const struct receipt_line *lines = push(&w, 0);
    CHECK_INT(lines[0].reason, REASON_BATCH);
    CHECK_INT(lines[1].reason, REASON_BATCH);
    CHECK_INT(lines[1].state, ROW_GONE);
    CHECK_INT(lines[2].reason, REASON_LIMIT);
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "");
    CHECK_INT(head_of(&w), seq + 3);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "steel", on(seq));
    w.laptops[0].batch.flags = BATCH_ALL_OR_NOTHING;
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    world_close(&w);
}

TEST(a_submitted_visit_is_frozen_and_a_draft_is_its_authors) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t acc = account(&w, "Acme", &seq), visit = new_id(&w, 0);
    struct change *c = draft_change(&w, 0, CHANGE_CREATE, "visit", visit);
    draft_number(&w, c, "account", acc, on(0));
    draft_number(&w, c, "author", w.laptops[0].employee, on(0));
    draft_number(&w, c, "state", 1, on(0));
    int64_t made = push(&w, 0)->seq;
    draft_text(&w, draft_change(&w, 1, CHANGE_EDIT, "visit", visit), "place", "Hall", on(made));
    const struct receipt_line *line = push(&w, 1);
    CHECK_INT(line->outcome, OUTCOME_WAITING);
    CHECK_INT(line->reason, REASON_OWNER);
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "state", 2, on(made));
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "place", "Office", on(made));
    const struct receipt_line *lines = push(&w, 0);        /* in the batch that submits it: belongs to it */
    CHECK_INT(lines[1].outcome, OUTCOME_APPLIED);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "place", "Home", on_own(made, 3));
    CHECK_INT(push(&w, 0)->reason, REASON_FROZEN);
    draft_number(&w, draft_change(&w, 0, CHANGE_EDIT, "visit", visit), "state", 1, on(head_of(&w)));
    CHECK_INT(push(&w, 0)->reason, REASON_FROZEN);
    struct change *d = draft_change(&w, 0, CHANGE_DELETE, "visit", visit);
    draft_unit(&w, d, "visit", visit, on(head_of(&w)));
    CHECK_INT(push(&w, 0)->reason, REASON_FROZEN);
    CHECK_TEXT(text_at(&w, "visit", visit, "place"), "Office");
    world_close(&w);
}

TEST(cells_of_a_later_release_are_kept_and_passed_on) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    while (pull(&w, 1, 0)->more) {}
    struct edit *e = draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "new", on(seq));
    e->cell_tag = 900;
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->edits[0].seq, line->seq);
    const struct round_reply *reply = pull(&w, 1, 0);
    CHECK_INT(reply->record_count, 1);
    CHECK_INT(reply->records[0].cell_count, 1);
    CHECK_INT(reply->records[0].cells[0].cell_tag, 900);
    CHECK_SLICE(reply->records[0].cells[0].values[0].text, "new");
    draft_count(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "points", 1, on(seq))->cell_tag = 901;
    CHECK_INT(push(&w, 0)->reason, REASON_UNKNOWN_FIELD);  /* how to add is not known here */
    world_close(&w);
}

/* ------------------------------------------------------------------ head office */

TEST(head_office_decides_and_the_author_is_told) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    while (pull(&w, 0, 0)->more) {}
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_number(&w, c, "tier", 3, on(seq));
    draft_edit(&w, c, "credit_limit", EDIT_SET, on(seq), 2)->values[0] = value_int(500000);
    (void)push(&w, 0);
    struct refusal_id tier = {2, 0, 18}, credit = {2, 0, 19};
    uint32_t device = w.laptops[0].number;
    CHECK_OK(org_decide(w.org, device, &tier, true, SLICE("Qian"), &err));
    CHECK_OK(org_decide(w.org, device, &credit, false, SLICE("Qian"), &err));
    CHECK_STATUS(org_decide(w.org, device, &tier, false, SLICE("Qian"), &err), ST_CONFLICT);
    CHECK_INT(cell_at(&w, "account", id, "tier").number, 3);
    CHECK_INT(cell_at(&w, "account", id, "credit_limit").kind, VALUE_NULL);
    const struct round_reply *reply = pull(&w, 0, 0);
    CHECK_INT(reply->held_count, 2);
    CHECK_INT(reply->held[0].state, HELD_APPROVED);
    CHECK_INT(reply->held[0].id.cell_tag, 18);
    CHECK_INT(reply->held[1].state, HELD_DECLINED);
    CHECK_INT(pull(&w, 1, 0)->held_count, 0);
    world_close(&w);
}

/* A field of an account that is refused, and sent again with another value. */
static const struct receipt_line *sent_again(struct world *w, const char *field, uint32_t cell_tag,
                                             int64_t first, int64_t again) {
    int64_t seq;
    world_open(w);
    int64_t id = account(w, "Acme", &seq);
    while (pull(w, 0, 0)->more) {}
    draft_number(w, draft_change(w, 0, CHANGE_EDIT, "account", id), field, first, on(seq));
    (void)push(w, 0);
    struct refusal_id old = {2, 0, cell_tag};
    struct change *c = draft_change(w, 0, CHANGE_EDIT, "account", id);
    draft_number(w, c, field, again, on(seq));
    c->retry_of = &old;
    c->retry_count = 1;
    return push(w, 0);
}

TEST(a_retry_releases_its_entry) {
    struct world w;
    CHECK_INT(sent_again(&w, "status", 22, 77, 2)->outcome, OUTCOME_APPLIED);
    CHECK_INT(w.reply.held_count, 1);
    CHECK_INT(w.reply.held[0].state, HELD_RELEASED);
    world_close(&w);
}

/* Head office would decide on the same thing twice, and its author hear of it twice. */
TEST(what_is_sent_again_and_refused_again_waits_once) {
    struct world w;
    CHECK_INT(sent_again(&w, "tier", 18, 3, 4)->outcome, OUTCOME_WAITING);
    CHECK_INT(w.reply.held_count, 1);
    CHECK_INT(w.reply.held[0].id.batch, 2);
    CHECK_INT(w.reply.held[0].state, HELD_RELEASED);
    world_close(&w);
}

TEST(a_withdrawal_closes_what_is_open_and_a_decision_stands) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    while (pull(&w, 0, 0)->more) {}
    struct change *c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    draft_number(&w, c, "tier", 3, on(seq));
    draft_number(&w, c, "status", 77, on(seq));
    draft_edit(&w, c, "credit_limit", EDIT_SET, on(seq), 2)->values[0] = value_int(500000);
    (void)push(&w, 0);
    while (pull(&w, 0, 0)->more) {}
    struct refusal_id given_up[] = {{2, 0, 18}, {2, 0, 19}, {2, 0, 22}, {2, 7, 1}};
    uint32_t device = w.laptops[0].number;
    CHECK_OK(org_decide(w.org, device, &given_up[1], true, SLICE("Qian"), &err));
    int64_t before = row_at(&w, "account", id).seq, head = head_of(&w);
    c = draft_change(&w, 0, CHANGE_EDIT, "account", id);
    c->retry_of = given_up;
    c->retry_count = ARRAY_COUNT(given_up);
    const struct receipt_line *line = push(&w, 0);
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->seq, 0);
    CHECK_INT(head_of(&w), head + 1);
    CHECK_INT(row_at(&w, "account", id).seq, before);
    CHECK_INT(w.reply.held_count, 3);
    CHECK_INT(w.reply.held[0].state, HELD_APPROVED);
    CHECK_INT(w.reply.held[0].id.cell_tag, 19);
    CHECK_INT(w.reply.held[1].state, HELD_WITHDRAWN);
    CHECK_INT(w.reply.held[2].state, HELD_WITHDRAWN);
    CHECK_INT(w.reply.held[2].id.cell_tag, 22);
    CHECK_STATUS(org_decide(w.org, device, &given_up[0], true, SLICE("Qian"), &err), ST_CONFLICT);
    c = draft_change(&w, 0, CHANGE_EDIT, "account", id);   /* once more: nothing is open */
    c->retry_of = given_up;
    c->retry_count = 1;
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    CHECK_INT(w.reply.held[1].seq, head + 1);
    CHECK_INT(ledger_of(&w, id).count, 0);
    world_close(&w);
}

TEST(a_refused_row_and_one_of_a_later_release_can_be_withdrawn_too) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    struct quarantine_entry held;
    world_open(&w);
    (void)account(&w, "Acme", &seq);
    struct change *c = draft_change(&w, 0, CHANGE_CREATE, "account", new_id(&w, 0));
    draft_number(&w, c, "status", 77, on(0));
    int64_t unknown = new_id(&w, 0);
    draft_text(&w, draft_change(&w, 0, CHANGE_CREATE, "account", unknown), "name", "x", on(0));
    w.laptops[0].changes[1].entity_tag = 999;
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_REFUSED);
    for (uint32_t i = 0; i < 2; i++) {
        struct refusal_id id = {2, i, 0};
        c = draft_change(&w, 0, CHANGE_EDIT, "account", unknown);
        if (i == 1) c->entity_tag = 999;
        c->retry_of = &id;
        c->retry_count = 1;
        CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
        CHECK_OK(centre_quarantine(org_centre(w.org), w.laptops[0].number, &id, &w.mem, &held, &err));
        CHECK_INT(held.state, HELD_WITHDRAWN);
    }
    world_close(&w);
}
