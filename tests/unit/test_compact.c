/* Tombstones, history and personal data at the server: what goes, what stays, and that everything
 * which stays still agrees with itself (world_close verifies the file). */
#include "syncd/server/compact.h"
#include "tests/unit/scope_world.h"

static const int64_t DAY = 24 * 3600 * 1000;

/* ------------------------------------------------------------------ helpers */

/* What the service notes of a round. */
static void note_seen(struct world *w, int at) {
    struct err err = {0};
    struct centre_contact contact = {
        .device = w->laptops[at].number, .seen_ms = w->now, .cursor = w->laptops[at].cursor.seq};
    CHECK_OK(centre_contacts(org_centre(w->org), &contact, 1, &err));
}

static void pull_all(struct world *w, int at) {
    while (pull(w, at, 0)->more) {}
    note_seen(w, at);
}

static void pull_everyone(struct world *w) {
    for (int at = 0; at < 4; at++) pull_all(w, at);
}

static struct compacted compact_as(struct world *w, bool dry_run) {
    struct err err = {0};
    struct compaction *run;
    CHECK_OK(org_compact_begin(w->org, dry_run, &run, &err));
    for (bool done = false; !done;) CHECK_OK(org_compact_step(w->org, run, &done, &err));
    struct compacted result = *compaction_result(run);
    compaction_end(run);
    return result;
}

static struct compacted compact(struct world *w) {
    return compact_as(w, false);
}

static bool is_there(struct world *w, const char *entity, int64_t id) {
    struct err err = {0};
    bool found, dead;
    CHECK_OK(centre_row_probe(org_centre(w->org), world_entity(w, entity), id, &found, &dead, &err));
    return found;
}

static int64_t contact_of(struct world *w, int at, int64_t acc, const char *name) {
    int64_t id = new_id(w, at);
    struct change *c = draft_change(w, at, CHANGE_CREATE, "contact", id);
    draft_number(w, c, "account", acc, on(0));
    draft_text(w, c, "name", name, on(0));
    CHECK_INT(push(w, at)->outcome, OUTCOME_APPLIED);
    return id;
}

struct family {
    int64_t account, contact, seq;
};

static struct family family(struct world *w) {
    struct family f;
    int64_t seq;
    f.account = account(w, "Acme", &seq);
    f.contact = contact_of(w, 0, f.account, "Chen");
    f.seq = head_of(w);
    return f;
}

static void delete_family(struct world *w, int at, const struct family *f) {
    struct change *c = draft_change(w, at, CHANGE_DELETE, "account", f->account);
    draft_unit(w, c, "account", f->account, on(f->seq));
    draft_unit(w, c, "contact", f->contact, on(f->seq));
    CHECK_INT(push(w, at)->outcome, OUTCOME_APPLIED);
}

static const struct receipt_line *edit(struct world *w, int at, const struct family *f, const char *text) {
    draft_text(w, draft_change(w, at, CHANGE_EDIT, "account", f->account), "industry", text, on(f->seq));
    return push(w, at);
}

/* ------------------------------------------------------------------ tombstones */

TEST(a_delete_is_collected_as_a_whole_when_every_laptop_has_passed_it) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    CHECK_INT(compact(&w).rows, 0); /* laptop 3 has not heard of it */
    CHECK(is_there(&w, "account", f.account));
    pull_all(&w, 3);
    struct compacted dry = compact_as(&w, true);
    CHECK_INT(dry.rows, 2);
    CHECK(is_there(&w, "account", f.account));
    struct compacted done = compact(&w);
    CHECK_INT(done.deletes, 1);
    CHECK_INT(done.rows, 2);
    CHECK_INT(done.horizon.laptops, 4);
    CHECK(!is_there(&w, "account", f.account) && !is_there(&w, "contact", f.contact));
    CHECK_INT(compact(&w).rows, 0);
    world_close(&w);
}

/* What the mutant "collect-too-early" gets wrong. */
TEST(an_edit_made_before_a_laptop_heard_of_the_delete_still_brings_the_row_back) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    (void)compact(&w);
    CHECK_INT(edit(&w, 3, &f, "steel")->outcome, OUTCOME_APPLIED);
    CHECK_INT(row_at(&w, "account", f.account).dead, 0);
    CHECK_INT(row_at(&w, "contact", f.contact).dead, 0);
    CHECK_INT(compact(&w).rows, 0);
    world_close(&w);
}

TEST(a_laptop_that_is_away_longer_than_the_lease_holds_nothing_up) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    w.now += 29 * DAY;
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    CHECK_INT(compact(&w).rows, 0);
    w.now += 2 * DAY;
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    struct compacted done = compact(&w);
    CHECK_INT(done.rows, 2);
    CHECK_INT(done.horizon.away, 1);
    world_close(&w);
}

TEST(a_laptop_that_comes_late_hears_of_the_delete_from_the_log) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    w.now += 400 * DAY;
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    CHECK_INT(compact(&w).rows, 2);
    const struct round_reply *reply = pull(&w, 3, 0);
    CHECK_INT(reply->has_scope, false); /* nothing is filled anew */
    CHECK_INT(reply->record_count, 2);
    CHECK_INT(reply->records[0].row, f.account);
    CHECK_INT(reply->records[0].flags, RECORD_DEAD);
    CHECK_INT(reply->records[1].row, f.contact);
    CHECK_INT(reply->records[1].flags, RECORD_DEAD);
    world_close(&w);
}

TEST(an_edit_of_a_collected_row_waits_for_head_office_who_can_restore_it) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    w.now += 400 * DAY;
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    CHECK_INT(compact(&w).rows, 2);
    const struct receipt_line *line = edit(&w, 3, &f, "steel");
    CHECK_INT(line->outcome, OUTCOME_REFUSED);
    CHECK_INT(line->reason, REASON_UNKNOWN_ROW);
    CHECK_INT(line->state, ROW_GONE);
    CHECK(!is_there(&w, "account", f.account));
    struct refusal_id id = {w.laptops[3].last_batch, 0, line->edits[0].cell_tag};
    CHECK_OK(org_decide(w.org, w.laptops[3].number, &id, true, SLICE("qian"), &err));
    CHECK_TEXT(text_at(&w, "account", f.account, "name"), "Acme");
    CHECK_TEXT(text_at(&w, "account", f.account, "industry"), "steel");
    CHECK_TEXT(text_at(&w, "contact", f.contact, "name"), "Chen");
    const struct round_reply *reply = pull(&w, 0, 0);
    CHECK_INT(reply->record_count, 2);
    CHECK_INT(reply->records[0].flags, RECORD_WHOLE);
    reply = pull(&w, 3, 0); /* not told that they died: they live */
    CHECK_INT(reply->record_count, 2);
    CHECK_INT(reply->records[0].flags & RECORD_DEAD, 0);
    world_close(&w);
}

TEST(a_child_made_for_a_collected_owner_waits_and_brings_it_back) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    w.now += 400 * DAY;
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    CHECK_INT(compact(&w).rows, 2);
    int64_t child = new_id(&w, 3);
    struct change *c = draft_change(&w, 3, CHANGE_CREATE, "contact", child);
    draft_number(&w, c, "account", f.account, on(0));
    draft_text(&w, c, "name", "Late", on(0));
    CHECK_INT(push(&w, 3)->reason, REASON_UNKNOWN_REFERENCE);
    struct refusal_id id = {w.laptops[3].last_batch, 0, 0};
    CHECK_OK(org_decide(w.org, w.laptops[3].number, &id, true, SLICE("qian"), &err));
    CHECK_TEXT(text_at(&w, "contact", child, "name"), "Late");
    CHECK_TEXT(text_at(&w, "account", f.account, "name"), "Acme");
    world_close(&w);
}

TEST(a_row_that_comes_back_brings_its_owner_of_another_delete) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    struct change *c = draft_change(&w, 0, CHANGE_DELETE, "contact", f.contact);
    draft_unit(&w, c, "contact", f.contact, on(f.seq));
    (void)push(&w, 0);
    c = draft_change(&w, 0, CHANGE_DELETE, "account", f.account);
    draft_unit(&w, c, "account", f.account, on(f.seq));
    (void)push(&w, 0);
    w.now += 400 * DAY;
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    CHECK_INT(compact(&w).rows, 2);
    draft_text(&w, draft_change(&w, 3, CHANGE_EDIT, "contact", f.contact), "title", "Late", on(f.seq));
    const struct receipt_line *line = push(&w, 3);
    struct refusal_id id = {w.laptops[3].last_batch, 0, line->edits[0].cell_tag};
    CHECK_OK(org_decide(w.org, w.laptops[3].number, &id, true, SLICE("qian"), &err));
    CHECK_TEXT(text_at(&w, "contact", f.contact, "title"), "Late");
    CHECK_TEXT(text_at(&w, "account", f.account, "name"), "Acme");
    world_close(&w);
}

TEST(what_is_not_kept_any_more_cannot_be_restored) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    w.now += 400 * DAY;
    for (int at = 0; at < 3; at++) pull_all(&w, at);
    CHECK_OK(centre_keep_history_set(org_centre(w.org), 30, &err));
    CHECK_INT(compact(&w).items[COMPACT_CONTENTS], 2);
    const struct receipt_line *line = edit(&w, 3, &f, "steel");
    struct refusal_id id = {w.laptops[3].last_batch, 0, line->edits[0].cell_tag};
    CHECK_INT(org_decide(w.org, w.laptops[3].number, &id, true, SLICE("qian"), &err), ST_CONFLICT);
    CHECK_INT(pull(&w, 3, 0)->records[0].flags, RECORD_DEAD);
    world_close(&w);
}

TEST(nobody_makes_a_row_with_the_id_of_a_collected_one) {
    struct world w;
    int64_t seq;
    world_open(&w);
    int64_t acc = account(&w, "Acme", &seq), id = contact_of(&w, 0, acc, "Chen");
    struct change *c = draft_change(&w, 0, CHANGE_DELETE, "contact", id);
    draft_unit(&w, c, "contact", id, on(head_of(&w)));
    (void)push(&w, 0);
    pull_everyone(&w);
    CHECK_INT(compact(&w).rows, 1);
    c = draft_change(&w, 0, CHANGE_CREATE, "contact", id);
    draft_number(&w, c, "account", acc, on(0));
    draft_text(&w, c, "name", "Again", on(0));
    CHECK_INT(push(&w, 0)->reason, REASON_DENIED);
    world_close(&w);
}

TEST(owned_rows_go_before_their_owners) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    struct family f = family(&w);
    struct change *c = draft_change(&w, 0, CHANGE_DELETE, "contact", f.contact);
    draft_unit(&w, c, "contact", f.contact, on(f.seq));
    (void)push(&w, 0);
    int64_t child = head_of(&w), rows;
    c = draft_change(&w, 0, CHANGE_DELETE, "account", f.account);
    draft_unit(&w, c, "account", f.account, on(f.seq));
    CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    pull_everyone(&w);
    struct centre *centre = org_centre(w.org);
    struct centre_horizon horizon;
    CHECK_OK(centre_horizon(centre, &horizon, &err));
    CHECK_OK(centre_begin(centre, true, &err));
    CHECK_OK(centre_collect(centre, head_of(&w), &horizon, &rows, &err));
    CHECK_INT(rows, 0); /* it owns a row that another delete took */
    CHECK_OK(centre_collect(centre, child, &horizon, &rows, &err));
    CHECK_INT(rows, 1);
    CHECK_OK(centre_collect(centre, child + 1, &horizon, &rows, &err));
    CHECK_INT(rows, 1);
    CHECK_OK(centre_commit(centre, &err));
    world_close(&w);
}

TEST(what_was_not_sent_yet_is_waited_for) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    struct family f = family(&w);
    pull_everyone(&w);
    delete_family(&w, 1, &f);
    pull_everyone(&w);
    struct centre_contact contact = {.device = w.laptops[3].number,
                                     .seen_ms = w.now,
                                     .cursor = w.laptops[3].cursor.seq,
                                     .has_report = true,
                                     .report = {.newest_batch = w.laptops[3].last_batch + 2}};
    CHECK_OK(centre_contacts(org_centre(w.org), &contact, 1, &err));
    CHECK_INT(compact(&w).rows, 0);
    world_close(&w);
}

/* ------------------------------------------------------------------ scope */

/* The log says where the row was seen when it died. */
TEST(only_those_who_could_see_a_collected_row_hear_that_it_died) {
    struct world w;
    struct err err = {0};
    struct map map = granted_open(&w);
    struct receipt receipt;
    int64_t north = office_account(&w, "North", map.north, w.laptops[0].employee);
    pull_everyone(&w);
    struct change gone = {.kind = CHANGE_DELETE, .entity_tag = world_entity(&w, "account")->tag, .row = north};
    CHECK_OK(org_office_save(w.org, &gone, 1, 0, 0, SLICE("office"), &w.mem, &receipt, &err));
    w.now += 400 * DAY;
    for (int at = 2; at < 4; at++) pull_all(&w, at);
    CHECK_INT(compact(&w).rows, 1);
    const struct round_reply *reply = pull(&w, 0, 0);
    CHECK_INT(reply->record_count, 1);
    CHECK_INT(reply->records[0].row, north);
    CHECK_INT(reply->records[0].flags, RECORD_DEAD);
    CHECK_INT(pull(&w, 1, 0)->record_count, 0);
    world_close(&w);
}

/* ------------------------------------------------------------------ history */

static const struct journal_entry *journal_of(struct world *w, int at, uint32_t batch) {
    struct err err = {0};
    struct journal_entry *entry = ARENA_NEW(&w->mem, struct journal_entry);
    CHECK_OK(centre_journal(org_centre(w->org), w->laptops[at].number, batch, &w->mem, entry, &err));
    return entry;
}

TEST(history_stays_whole_until_the_org_says_how_long) {
    struct world w;
    struct err err = {0};
    world_open(&w);
    struct family f = family(&w);
    uint32_t first = w.laptops[0].last_batch;
    (void)edit(&w, 0, &f, "steel");
    w.now += 400 * DAY;
    f.seq = head_of(&w);
    (void)edit(&w, 0, &f, "iron");
    pull_everyone(&w);
    CHECK_INT(compact(&w).items[COMPACT_JOURNAL], 0);
    CHECK_INT(journal_of(&w, 0, first)->reduced, JOURNAL_WHOLE);
    CHECK_INT(centre_keep_history_set(org_centre(w.org), -1, &err), ST_INVALID);
    CHECK_OK(centre_keep_history_set(org_centre(w.org), 365, &err));
    struct compacted done = compact(&w);
    CHECK(done.items[COMPACT_JOURNAL] > 2);
    CHECK_INT(journal_of(&w, 0, first)->reduced, JOURNAL_BARE);
    CHECK_INT(journal_of(&w, 0, first)->bytes.len, 0);
    CHECK_INT(journal_of(&w, 0, w.laptops[0].last_batch)->reduced, JOURNAL_WHOLE);
    CHECK_INT(compact(&w).items[COMPACT_JOURNAL], 0);
    CHECK_TEXT(text_at(&w, "account", f.account, "industry"), "iron");
    world_close(&w); /* every chain is whole */
}

TEST(old_texts_go_when_no_laptop_can_stand_on_them) {
    struct world w;
    world_open(&w);
    struct family f = family(&w);
    struct centre_counts counts = {0};
    struct err err = {0};
    const char *const texts[] = {"one", "one two", "one two three", "four"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", f.contact), "traits", texts[i], on(head_of(&w)));
        CHECK_INT(push(&w, 0)->outcome, OUTCOME_APPLIED);
    }
    pull_everyone(&w);
    CHECK_INT(compact(&w).items[COMPACT_TEXTS], 0); /* younger than the lease */
    w.now += 31 * DAY;
    pull_everyone(&w);
    CHECK(compact(&w).items[COMPACT_TEXTS] > 0);
    CHECK_OK(centre_counts(org_centre(w.org), &counts, &err));
    CHECK_INT(counts.text_versions, 1); /* the newest of those that were replaced */
    world_close(&w);
}

/* ------------------------------------------------------------------ personal data */

static bool file_holds(const char *path, const char *word) {
    static char bytes[4 << 20];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t got = fread(bytes, 1, sizeof bytes, file), len = strlen(word);
    (void)fclose(file);
    for (size_t i = 0; i + len <= got; i++)
        if (memcmp(bytes + i, word, len) == 0) return true;
    return false;
}

static bool book_holds(struct world *w, const char *word) {
    char wal[80];
    (void)snprintf(wal, sizeof wal, "%s-wal", w->path);
    return file_holds(w->path, word) || file_holds(wal, word);
}

TEST(an_erased_person_is_gone_from_row_and_past_and_every_chain_is_whole) {
    struct world w;
    struct err err = {0};
    struct centre_erased erased;
    world_open(&w);
    struct family f = family(&w);
    int64_t id = contact_of(&w, 0, f.account, "Xanthippe");
    int64_t seen = head_of(&w);
    draft_elements(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", id), "phones", "13900000077", "", on(seen));
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", id), "traits", "likes zitherns", on(seen));
    (void)push(&w, 0);
    w.now += 1000;
    draft_text(&w, draft_change(&w, 1, CHANGE_EDIT, "contact", id), "name", "Xanthippe Berg", on(seen));
    (void)push(&w, 1);
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", id), "name", "Xanthippe Tal", on(seen));
    (void)push(&w, 0); /* one of the two is in the ledger */
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", id), "title", "Director", on(seen));
    (void)push(&w, 0);
    char much[5000];
    for (size_t i = 0; i < sizeof much; i++) much[i] = "Xanthippe "[i % 10];
    much[sizeof much - 1] = 0;
    draft_text(&w, draft_change(&w, 0, CHANGE_EDIT, "contact", id), "name", much, on(seen));
    CHECK_INT(push(&w, 0)->reason, REASON_LIMIT); /* in quarantine */
    pull_everyone(&w);
    CHECK(book_holds(&w, "Xanthippe") && book_holds(&w, "13900000077") && book_holds(&w, "zitherns"));
    CHECK_OK(org_erase(w.org, world_entity(&w, "contact"), id, SLICE("qian"), SLICE("asked for it"), &erased, &err));
    CHECK(erased.batches >= 4 && erased.ledger >= 1 && erased.held == 1);
    org_reader_close(w.reader); /* its snapshot */
    struct org_config config = world_config(&w);
    (void)compact(&w);
    CHECK(!book_holds(&w, "Xanthippe"));
    CHECK(!book_holds(&w, "13900000077"));
    CHECK(!book_holds(&w, "zitherns"));
    CHECK(book_holds(&w, "Director"));
    CHECK_OK(org_reader_open(&config, &w.reader, &err));
    CHECK_TEXT(text_at(&w, "contact", id, "name"), "—");
    CHECK_TEXT(text_at(&w, "contact", id, "title"), "Director");
    const struct round_reply *reply = pull(&w, 1, 0);
    CHECK_INT(reply->record_count, 1);
    CHECK_INT(org_erase(w.org, world_entity(&w, "account"), f.account, SLICE("q"), SLICE("?"), &erased, &err), ST_INVALID);
    world_close(&w);
}
