/* Rounds: exactly once, in order, page by page; receipts as it is now; who may come at all. */
#include "syncd/store/lives.h"
#include "tests/unit/centre_world.h"

TEST(a_batch_that_comes_twice_counts_once_and_gets_its_receipt_again) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct laptop before = w.laptops[0];
    draft_count(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "points", 5, on(seq));
    struct laptop sent = w.laptops[0];
    int64_t at = push(&w, 0)->seq;
    struct chain chain;
    w.laptops[0] = before; /* the reply was lost */
    struct round_request r = request_of(&w, 0);
    sent.batch.changes = sent.changes;
    sent.changes[0].edits = sent.edits[0];
    r.batches = &sent.batch;
    r.batch_count = 1;
    sign_request(&w, 0, &r, &chain);
    CHECK_OK(merge_request(&w, 0, &r, &err));
    CHECK_INT(w.push.repeats, 1);
    CHECK_INT(w.push.batches, 0);
    CHECK_OK(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err));
    CHECK_INT(w.reply.receipts[0].lines[0].seq, at);
    CHECK_INT(w.reply.receipts[0].at, at);
    CHECK_INT(cell_at(&w, "account", id, "points").number, 5);
    w.laptops[0].last_batch = 2;
    w.laptops[0].chain = chain;
    world_close(&w);
}

TEST(a_receipt_says_what_is_so_now) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct laptop before = w.laptops[0];
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "steel", on(seq));
    struct laptop sent = w.laptops[0];
    int64_t mine = push(&w, 0)->seq;
    int64_t later = say(&w, 1, id, "industry", "iron", on(mine))->seq;
    struct chain chain;
    w.laptops[0] = before;
    struct round_request r = request_of(&w, 0);
    sent.batch.changes = sent.changes;
    sent.changes[0].edits = sent.edits[0];
    r.batches = &sent.batch;
    r.batch_count = 1;
    sign_request(&w, 0, &r, &chain);
    CHECK_OK(merge_request(&w, 0, &r, &err));
    CHECK_OK(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err));
    const struct receipt_line *line = &w.reply.receipts[0].lines[0];
    CHECK_INT(line->outcome, OUTCOME_APPLIED);
    CHECK_INT(line->seq, mine);
    CHECK_INT(line->edits[0].seq, later);
    CHECK(line->edits[0].has_values);
    CHECK_SLICE(line->edits[0].values[0].text, "iron");
    world_close(&w);
}

/* What the server told a laptop when its log stood at the request's top. */
static void vouch(struct world *w, int at, struct round_request *r) {
    struct err err = {0};
    struct sign_key key;
    struct round_reply told = {.epoch = r->epoch, .head = r->top, .last_batch = r->last_batch};
    CHECK_OK(org_key(w->org, &key, &err));
    org_vouch(&key, w->laptops[at].number, r, &told);
    CHECK(told.has_voucher);
    r->has_voucher = true;
    r->voucher.last_batch = told.last_batch;
    memcpy(r->voucher.mac, told.voucher, VOUCHER_BYTES);
}

/* A laptop that was told more than this log holds: it is a log that was set back. */
TEST(a_server_that_went_back_begins_another_epoch) {
    enum { BATCH, TOP, CHAIN, COUNT };
    for (int knows = 0; knows < COUNT; knows++) {
        struct world w;
        struct err err = {0};
        int64_t seq;
        world_open(&w);
        (void)account(&w, "Acme", &seq);
        struct round_request r = request_of(&w, 0);
        if (knows == BATCH) r.last_batch = 7;
        if (knows == TOP) r.top.seq = seq + 1;
        if (knows == CHAIN) r.cursor.chain.bytes[0] ^= 1;
        if (knows == CHAIN) r.top.chain.bytes[0] ^= 1;
        vouch(&w, 0, &r);
        CHECK_OK(merge_request(&w, 0, &r, &err));
        CHECK_INT(w.push.kind, REPLY_EPOCH);
        CHECK_OK(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err));
        CHECK_INT(w.reply.kind, REPLY_EPOCH);
        CHECK_INT(w.reply.epoch, 2);
        CHECK(w.reply.cursor.seq <= seq);
        struct centre_head head; /* above all that the life before can have issued */
        CHECK_OK(org_head(w.reader, &head, &err));
        CHECK_INT(head.position.seq, epoch_start(2));
        world_close(&w);
    }
}

static enum status count_claim(void *ctx, const struct centre_claim *claim, struct err *err) {
    struct centre_claim *out = ctx;
    int64_t times = out->times + claim->times;
    (void)err;
    *out = *claim;
    out->times = times;
    return ST_OK;
}

/* Who cannot show the server's own word starts nothing; head office hears of it, and may. */
TEST(a_claim_without_proof_begins_no_epoch) {
    enum { NONE, FORGED, OF_ANOTHER, OLDER, OTHER_EPOCH, AHEAD, COUNT };
    struct world w;
    struct err err = {0};
    struct centre_head head;
    int64_t seq;
    world_open(&w);
    (void)account(&w, "Acme", &seq);
    while (pull(&w, 0, 0)->more) {
    }
    CHECK_OK(org_head(w.reader, &head, &err));
    seq = head.position.seq;
    for (int how = NONE; how < COUNT; how++) {
        struct round_request r = request_of(&w, 0), known = r;
        if (how == OLDER) vouch(&w, 0, &r);
        r.top.seq = seq + 1;
        if (how == AHEAD) r.epoch = 3;
        if (how == FORGED || how == OTHER_EPOCH) vouch(&w, 0, &r);
        if (how == OF_ANOTHER) vouch(&w, 1, &r);
        r.voucher.mac[3] ^= how == FORGED;
        r.epoch += how == OTHER_EPOCH;
        CHECK_OK(merge_request(&w, 0, &r, &err));
        CHECK_INT(w.push.kind, REPLY_EPOCH);
        CHECK_STATUS(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err),
                     ST_CONFLICT);
        CHECK_OK(org_head(w.reader, &head, &err));
        CHECK_INT(head.epoch, 1);
        CHECK_OK(merge_request(&w, 0, &known, &err)); /* what it says else is heard as ever */
        CHECK_INT(w.push.kind, REPLY_ROUND);
    }
    struct centre_claim claim = {0};
    CHECK_OK(centre_claims(org_centre(w.org), count_claim, &claim, &err));
    CHECK_INT(claim.device, w.laptops[0].number);
    CHECK_INT(claim.times, 1); /* within a minute it is noted once */
    CHECK_INT(claim.seq, seq + 1);
    CHECK_OK(centre_recovery_begin(org_centre(w.org), &err));
    CHECK_OK(org_head(w.reader, &head, &err));
    CHECK_INT(head.epoch, 2);
    CHECK(head.recovering);
    struct round_request r = request_of(&w, 0);
    r.top.seq = seq + 1;
    CHECK_OK(merge_request(&w, 0, &r, &err));
    CHECK_OK(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err));
    CHECK_INT(w.reply.epoch, 2); /* head office has decided: now it is told to enter it */
    world_close(&w);
}

/* The server's word that batches came in shows that they are forgotten, though they took no seq. */
TEST(a_voucher_for_more_batches_is_proof) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    (void)account(&w, "Acme", &seq);
    struct round_request r = request_of(&w, 0);
    r.last_batch = w.laptops[0].last_batch + 1;
    vouch(&w, 0, &r);
    r.has_voucher = false;
    CHECK_OK(merge_request(&w, 0, &r, &err));
    CHECK_STATUS(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err), ST_CONFLICT);
    r.has_voucher = true;
    CHECK_OK(merge_request(&w, 0, &r, &err));
    CHECK_OK(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err));
    CHECK_INT(w.reply.epoch, 2);
    world_close(&w);
}

TEST(batches_come_in_order_and_from_one_laptop) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct laptop *l = &w.laptops[0];
    struct chain chain;

    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "x", on(seq));
    l->batch.number = 3; /* a gap */
    struct round_request r = request_of(&w, 0);
    r.batches = &l->batch;
    r.batch_count = 1;
    sign_request(&w, 0, &r, &chain);
    CHECK_STATUS(merge_request(&w, 0, &r, &err), ST_INVALID);

    l->batch.number = 2; /* not signed by this laptop */
    r = request_of(&w, 0);
    r.batches = &l->batch;
    r.batch_count = 1;
    sign_request(&w, 1, &r, &chain);
    CHECK_STATUS(merge_request(&w, 0, &r, &err), ST_UNAUTHENTIC);

    sign_request(&w, 0, &r, &chain); /* another past */
    r.last_chain.bytes[0] ^= 1;
    sign_request(&w, 0, &r, &chain);
    CHECK_OK(merge_request(&w, 0, &r, &err));
    CHECK_INT(w.push.kind, REPLY_CLONED);

    (void)push(&w, 0); /* the server knows a later one */
    r = request_of(&w, 0);
    r.last_batch = 1;
    r.last_chain = (struct chain){{0}};
    CHECK_OK(org_round(w.reader, l->number, &r, &w.mem, &w.reply, &err));
    CHECK_INT(w.reply.kind, REPLY_CLONED);
    CHECK_INT(w.reply.last_batch, 2);
    CHECK_INT(w.reply.record_count, 0);
    world_close(&w);
}

TEST(a_job_that_fails_leaves_nothing_behind_and_hurts_no_other) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct round_request good = request_of(&w, 0), bad = request_of(&w, 1);
    struct batch two[2];
    struct chain chain;
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "account", id), "industry", "good", on(seq));
    draft_text(&w, draft_change(&w, 1, CHANGE_EDIT, "account", id), "website", "bad", on(seq));
    good.batches = &w.laptops[0].batch;
    good.batch_count = 1;
    two[0] = two[1] = w.laptops[1].batch;
    two[1].number = 2;
    struct change *many = ARENA_ARRAY(&w.mem, BATCH_ROWS_MAX + 1, struct change);
    for (size_t i = 0; i <= BATCH_ROWS_MAX; i++) many[i] = two[0].changes[0];
    two[1].changes = many;
    two[1].change_count = BATCH_ROWS_MAX + 1;
    bad.batches = two;
    bad.batch_count = 2;
    sign_request(&w, 0, &good, &chain);
    CHECK_OK(org_merge_begin(w.org, &err));
    CHECK_STATUS(org_merge_batches(w.org, w.laptops[1].number, &bad, &w.push, &err), ST_TOO_LARGE);
    CHECK_OK(org_merge_batches(w.org, w.laptops[0].number, &good, &w.push, &err));
    CHECK_OK(org_merge_commit(w.org, &err));
    CHECK_TEXT(text_at(&w, "account", id, "industry"), "good");
    CHECK_TEXT(text_at(&w, "account", id, "website"), "");
    CHECK_INT(head_of(&w), seq + 1);
    world_close(&w);
}

TEST(pages_bring_every_row_once_more_than_its_last_change) {
    struct world w;
    int64_t seq, ids[40];
    size_t rows = 0, pages = 0;
    world_open(&w);
    for (int i = 0; i < 40; i++) {
        char name[200];
        memset(name, 'a' + i % 26, 190);
        name[190] = 0;
        ids[i] = account(&w, name, &seq);
    }
    (void)say(&w, 0, ids[0], "industry", "late", on_own(seq, 40)); /* filled in the order of ids */
    for (bool more = true; more; pages++) {
        const struct round_reply *reply = pull(&w, 1, 4096);
        more = reply->more;
        if (!more) CHECK_INT(reply->cursor.seq, head_of(&w));
        CHECK_INT(reply->since, head_of(&w)); /* the log is no news to a fresh book */
        for (size_t i = 0; i < reply->filled_count; i++) {
            CHECK_INT(reply->filled[i].flags, RECORD_WHOLE);
            rows += reply->filled[i].entity_tag == 4;
        }
        CHECK_INT(reply->record_count, 0);
    }
    CHECK_INT(rows, 40);
    CHECK(pages >= 2);
    CHECK_INT(pull(&w, 1, 4096)->record_count, 0);
    world_close(&w);
}

TEST(a_cell_changed_before_the_last_page_is_not_missed) {
    struct world w;
    int64_t seq, ids[30];
    world_open(&w);
    for (int i = 0; i < 30; i++) {
        char name[200];
        memset(name, 'b', 190);
        name[190] = 0;
        ids[i] = account(&w, name, &seq);
    }
    while (pull(&w, 1, 0)->more) {
    }
    int64_t first = say(&w, 0, ids[0], "industry", "first", on(seq))->seq;
    char long_text[191];
    memset(long_text, 'c', 190);
    long_text[190] = 0;
    for (int i = 1; i < 30; i++) (void)say(&w, 0, ids[i], "website", long_text, on(seq));
    CHECK(pull(&w, 1, 4096)->more); /* page one holds row 0 and some others */
    (void)say(&w, 0, ids[29], "industry", "also", on(seq));
    (void)say(&w, 0, ids[0], "website", "x", on(first));
    const struct record *last = NULL;
    for (bool more = true; more;) {
        const struct round_reply *reply = pull(&w, 1, 4096);
        more = reply->more;
        for (size_t i = 0; i < reply->record_count; i++) {
            if (reply->records[i].row == ids[29]) CHECK_INT(reply->records[i].cell_count, 2);
            if (reply->records[i].row == ids[0]) last = &reply->records[i];
        }
    }
    CHECK(last && last->cell_count == 2 && last->flags == 0);
    world_close(&w);
}

TEST(dead_rows_are_told_without_cells_and_the_ledger_goes_to_all) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    while (pull(&w, 2, 0)->more) {
    }
    struct change *c = draft_change(&w, 1, CHANGE_EDIT, "account", id);
    draft_text(&w, c, "industry", "lost", on(seq));
    w.now += 1000;
    (void)say(&w, 0, id, "industry", "won", on(seq));
    (void)push(&w, 1);
    draft_unit(&w, draft_change(&w, 0, CHANGE_DELETE, "account", id), "account", id,
               on(head_of(&w)));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    const struct round_reply *reply = pull(&w, 2, 0);
    CHECK_INT(reply->record_count, 1);
    CHECK_INT(reply->records[0].flags, RECORD_DEAD);
    CHECK_INT(reply->records[0].cell_count, 0);
    CHECK_INT(reply->ledger_count, 1);
    CHECK_SLICE(reply->ledger[0].loser[0].text, "lost");
    world_close(&w);
}

TEST(a_log_that_went_back_is_noticed) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    (void)account(&w, "Acme", &seq);
    struct round_request r = request_of(&w, 0);
    r.top.seq = seq + 100;
    CHECK_STATUS(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err), ST_BUSY);
    r = request_of(&w, 0);
    r.cursor = r.top;
    r.cursor.chain.bytes[3] ^= 1;
    CHECK_STATUS(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err), ST_BUSY);
    r = request_of(&w, 0);
    r.epoch = 2;
    CHECK_STATUS(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err), ST_BUSY);
    world_close(&w);
}

/* What differs by one thing from an idle round is for org_round to judge. */
TEST(an_idle_round_is_answered_without_the_file) {
    enum { NOTHING, CURSOR, TOP, CHAIN, NEWS, EPOCH, LAST, LAST_CHAIN, REVOKED, INACTIVE, COUNT };
    struct world w;
    struct err err = {0};
    struct centre_head head;
    struct centre_device device;
    struct round_reply idle = {0};
    int64_t seq;
    world_open(&w);
    (void)account(&w, "Acme", &seq);
    while (pull(&w, 0, 0)->more) {
    }
    (void)pull(&w, 0, 0);
    struct round_request r = request_of(&w, 0);
    CHECK_OK(org_head(w.reader, &head, &err));
    CHECK_OK(org_device(w.reader, w.laptops[0].number, &device, &err));
    CHECK_OK(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err));
    r.cursor = r.top = head.position;
    for (int wrong = NOTHING; wrong < COUNT; wrong++) {
        struct round_request asked = r;
        struct centre_device who = device;
        asked.cursor.seq -= wrong == CURSOR;
        asked.top.seq -= wrong == TOP;
        asked.cursor.chain.bytes[0] ^= wrong == CHAIN;
        asked.news_version -= wrong == NEWS;
        asked.epoch += wrong == EPOCH;
        asked.last_batch -= wrong == LAST;
        asked.last_chain.bytes[0] ^= wrong == LAST_CHAIN;
        who.revoked = wrong == REVOKED;
        who.user_active = wrong != INACTIVE;
        CHECK_INT(org_round_idle(&head, &who, &asked, head.time_ms - 5, &idle), wrong == NOTHING);
    }
    CHECK_INT(idle.kind, REPLY_ROUND);
    CHECK_INT(idle.epoch, w.reply.epoch);
    CHECK_INT(idle.time_ms, head.time_ms); /* never before the last change */
    CHECK_INT(idle.head.seq, head.position.seq);
    CHECK_INT(idle.cursor.seq, head.position.seq);
    CHECK_INT(idle.since, w.reply.since);
    CHECK_INT(idle.news_version, w.reply.news_version);
    CHECK_INT(idle.last_batch, w.reply.last_batch);
    CHECK_INT(idle.record_count + idle.receipt_count + (size_t)idle.more, 0);
    world_close(&w);
}

TEST(people_come_when_they_moved_on) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    const struct round_reply *reply = pull(&w, 0, 0);
    CHECK(reply->has_news);
    CHECK_INT(reply->people_count, 4);
    CHECK_SLICE(reply->people[1].name, "li");
    CHECK_INT(reply->people[1].employee, w.laptops[1].employee);
    while (pull(&w, 0, 0)->more) {
    }
    CHECK(!pull(&w, 0, 0)->has_news);
    CHECK_OK(centre_device_revoke(org_centre(w.org), w.laptops[3].number, false, &err));
    CHECK(pull(&w, 0, 0)->has_news);
    world_close(&w);
}

TEST(revoked_laptops_and_inactive_users_get_nothing) {
    struct world w;
    struct err err = {0};
    struct centre_user user;
    world_open(&w);
    CHECK_OK(centre_device_revoke(org_centre(w.org), w.laptops[0].number, false, &err));
    struct round_request r = request_of(&w, 0);
    CHECK_OK(org_round(w.reader, w.laptops[0].number, &r, &w.mem, &w.reply, &err));
    CHECK_INT(w.reply.record_count + w.reply.filled_count + w.reply.people_count, 0);
    CHECK_STATUS(centre_device_revoke(org_centre(w.org), 77, false, &err), ST_NOT_FOUND);
    CHECK_OK(centre_user_by_login(org_centre(w.org), SLICE("li"), &user, &err));
    CHECK_OK(centre_user_activate(org_centre(w.org), user.id, false, &err));
    r = request_of(&w, 1);
    CHECK_STATUS(org_round(w.reader, w.laptops[1].number, &r, &w.mem, &w.reply, &err), ST_DENIED);
    CHECK_OK(org_merge_begin(w.org, &err));
    CHECK_STATUS(org_merge_batches(w.org, w.laptops[1].number, &r, &w.push, &err), ST_DENIED);
    org_merge_abort(w.org);
    world_close(&w);
}

TEST(a_link_enrols_one_laptop_and_says_what_is_wrong_with_it) {
    struct world w;
    struct err err = {0};
    struct centre_user user;
    struct centre_device device, again;
    uint8_t code[16] = {99}, late[16] = {98};
    struct enroll_request request = {
        .code = slice_of(code, 16), .device_name = SLICE("笔记本"), .release = SLICE("1")};
    world_open(&w);
    struct centre *c = org_centre(w.org);
    CHECK_STATUS(centre_link_take(c, &request, &device, &err), ST_NOT_FOUND);
    CHECK_OK(centre_user_by_login(c, SLICE("wang"), &user, &err));
    CHECK_OK(centre_link_make(c, user.id, code, w.now + 1000, &err));
    CHECK_OK(centre_link_make(c, user.id, late, w.now + 1000, &err));
    CHECK_OK(centre_link_take(c, &request, &device, &err));
    CHECK_INT(device.number, 5);
    CHECK_INT(device.employee, w.laptops[0].employee);
    w.now += 2000;
    CHECK_OK(centre_link_take(c, &request, &again, &err)); /* its reply was lost: the same number */
    CHECK_INT(again.number, 5);
    request.device_public[0] = 1;
    CHECK_STATUS(centre_link_take(c, &request, &again, &err), ST_CONFLICT);
    request.code = slice_of(late, 16);
    CHECK_STATUS(centre_link_take(c, &request, &again, &err), ST_GONE);
    CHECK_OK(centre_device_revoke(c, 5, false, &err));
    request.code = slice_of(code, 16);
    request.device_public[0] = 0;
    CHECK_STATUS(centre_link_take(c, &request, &again, &err), ST_DENIED);
    world_close(&w);
}

TEST(a_session_key_is_kept_until_the_book_is_deleted) {
    struct world w;
    struct err err = {0};
    struct centre_device device;
    uint8_t key[MAC_BYTES] = {1, 2, 3};
    world_open(&w);
    CHECK_OK(
        centre_device_key(org_centre(w.org), 1, key, 5000, SLICE("0.2.0"), &w.cat.version, 0, &err));
    CHECK_OK(org_device(w.reader, 1, &device, &err));
    CHECK(device.has_key && device.key[2] == 3);
    CHECK_INT(device.key_until_ms, 5000);
    CHECK_TEXT(device.release, "0.2.0");
    CHECK_OK(centre_device_revoke(org_centre(w.org), 1, true, &err));
    CHECK_OK(org_device(w.reader, 1, &device, &err));
    CHECK(device.revoked && device.wipe && device.has_key);
    int64_t order_ms = device.revoked_ms;
    CHECK_OK(centre_device_wiped(org_centre(w.org), 1, order_ms - 1, &err)); /* another order */
    CHECK_OK(org_device(w.reader, 1, &device, &err));
    CHECK_INT(device.wiped_ms, 0);
    w.now += 5000;
    CHECK_OK(centre_device_revoke(org_centre(w.org), 1, false, &err)); /* the order stays */
    CHECK_OK(centre_device_wiped(org_centre(w.org), 1, order_ms, &err));
    CHECK_OK(org_device(w.reader, 1, &device, &err));
    CHECK(!device.has_key && device.revoked_ms == order_ms && device.wiped_ms == order_ms + 5000);
    world_close(&w);
}

TEST(there_is_one_org_in_a_file) {
    struct world w;
    struct err err = {0};
    struct sign_key key;
    world_open(&w);
    struct org_config config = world_config(&w);
    CHECK_STATUS(org_create(&config, SLICE("Other"), &err), ST_CONFLICT);
    CHECK_OK(org_key(w.org, &key, &err));
    struct centre_counts n;
    CHECK_OK(centre_counts(org_centre(w.org), &n, &err));
    CHECK_INT(n.users, 4);
    CHECK_INT(n.devices, 4);
    CHECK_INT(n.rows, 4);
    CHECK_INT(n.log, 4);
    world_close(&w);
}

TEST(damage_is_found) {
    struct world w;
    struct err err = {0};
    int64_t seq;
    world_open(&w);
    int64_t id = account(&w, "Acme", &seq);
    struct centre *c = org_centre(w.org);
    struct log_entry entry = {
        .seq = seq + 1, .time_ms = w.now, .kind = LOG_EDIT, .entity_tag = 4, .row = id};
    CHECK_OK(centre_begin(c, true, &err));
    struct centre_row row = row_at(&w, "account", id);
    row.seq = seq + 5;
    CHECK_OK(centre_row_update(c, &row, 0, &err)); /* the log knows nothing of it */
    CHECK_OK(centre_log_add(c, &entry, &err));
    CHECK_STATUS(centre_log_add(c, &entry, &err), ST_INTERNAL);
    CHECK_OK(centre_commit(c, &err));
    struct buf findings = buf_new(BUF_MAX_LINE);
    CHECK_OK(centre_verify_all(c, NULL, NULL, &findings, &err));
    CHECK(strstr(buf_text(&findings), "the log does not name it") != NULL);
    buf_free(&findings);
    CHECK_OK(centre_begin(c, true, &err));
    row.seq = seq + 1;
    CHECK_OK(centre_row_update(c, &row, 0, &err));
    CHECK_OK(centre_commit(c, &err));
    world_close(&w);
}
