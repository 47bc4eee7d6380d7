/* A server that went back in time, as head office sees it: laptops and server in one process, the
 * server's file set back behind its back. */
#include <stdio.h>
#include <string.h>

#include "syncd/agent/bundle.h"
#include "syncd/platform/platform.h"
#include "syncd/server/bundle.h"
#include "syncd/server/org_private.h"
#include "syncd/server/scope.h"
#include "syncd/store/centre_compact.h"
#include "syncd/store/lives.h"
#include "tests/unit/two_laptops.h"

static int64_t behind(const struct centre_device *d) {
    struct err err;
    int64_t entries, ms;
    CHECK_OK(centre_log_behind(org_centre(w.office), d->number, d->cursor, &entries, &ms, &err));
    CHECK(entries == 0 || ms > 0);
    return entries;
}

/* The book as it was when one account less was there; wang knows of it, li does not. */
static void go_back(void) {
    struct err err;
    CHECK_OK(world_backup(&w, false, &err));
    (void)create(wang, "远大集团");
    sync(wang);
    CHECK_OK(world_rollback(&w, &err));
}

TEST(how_far_a_laptop_is_behind_is_counted_in_changes) {
    struct err err;
    start();
    int64_t before = head().position.seq;
    go_back();
    sync(wang); /* the epoch's entry, and what was given back: the account, its creator's grant */
    struct centre_device d = device(li);
    CHECK_INT(d.cursor, before);
    CHECK_INT(behind(&d), head().position.seq - epoch_start(2) + 1);
    CHECK(behind(&d) >= 2 && behind(&d) < 10);
    CHECK_OK(world_settle(&w, &err));
    sync(li);
    d = device(li);
    CHECK_INT(behind(&d), 0);
    world_close(&w);
}

TEST(a_cursor_of_a_life_that_is_forgotten_is_not_noted) {
    struct err err;
    start();
    go_back();
    int64_t common = head().position.seq;
    struct centre_device d = device(wang);
    CHECK(d.cursor <= common);
    sync(wang);
    d = device(wang);
    CHECK(d.cursor <= common || d.cursor >= epoch_start(2));
    int64_t passed;
    CHECK_OK(centre_passed(org_centre(w.office), d.number, common + 1, &passed, &err));
    CHECK_INT(passed, common); /* a book of an earlier release may have noted one */
    CHECK_OK(centre_passed(org_centre(w.office), d.number, epoch_start(2), &passed, &err));
    CHECK_INT(passed, epoch_start(2));
    world_close(&w);
}

static void write(struct world_laptop *l, int64_t id, const char *field, enum field_edit_kind how,
                  struct value value) {
    struct err err;
    struct field_edit edit = {entity_field(account(), slice_from(field)), how, value};
    uint32_t batch;
    bool changed;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, account(), id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
    CHECK(changed);
}

static struct slice stick_of(struct world_laptop *l, struct arena *mem) {
    struct err err;
    struct bundle_made made;
    struct slice file;
    CHECK_OK(bundle_export(l->sync_store, &l->env, mem, &file, &made, &err));
    return file;
}

static void bring(struct slice file, struct arena *mem) {
    struct err err;
    struct bundle_done done;
    struct org_reader *reader;
    struct slice answer;
    CHECK_OK(world_office_reader(&w, &reader, &err));
    CHECK_OK(org_bundle(w.office, reader, "demo", file, mem, &answer, &done, &err));
    CHECK(!done.older);
    CHECK_OK(world_settle(&w, &err));
}

/* As head office has it. */
static struct value value_of(int64_t id, const char *field, struct arena *mem) {
    struct err err;
    struct row row;
    CHECK_OK(store_get(world_office_store(&w), account(), id, mem, &row, &err));
    return row.values[entity_field_index(account(), entity_field(account(), slice_from(field)))];
}

/* In a life that is forgotten wang was told that his tag came in, and takes it off again. His stick
 * brings the tag into the present life before he is there himself. */
TEST(what_came_on_a_stick_is_what_its_author_gives_back) {
    struct err err;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, true, &err));
    write(wang, id, "tags", FIELD_EDIT_ADD, value_text(SLICE("展会")));
    struct slice file = stick_of(wang, &mem);
    sync(wang);
    write(wang, id, "tags", FIELD_EDIT_REMOVE, value_text(SLICE("展会")));
    CHECK_OK(world_rollback(&w, &err));
    (void)create(li, "恒信贸易"); /* it is another life */
    sync(li);
    bring(file, &mem);
    CHECK_INT(value_of(id, "tags", &mem).kind, VALUE_NULL);
    world_close(&w);
}

/* The same of a note: what his stick brought was combined with li's, which his next note, written
 * before on top of his own, has not seen. Seed 22128 of the simulator. */
TEST(a_note_that_a_stick_brought_is_no_longer_what_its_author_wrote) {
    struct err err;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, true, &err));
    write(wang, id, "remarks", FIELD_EDIT_SET, value_text(SLICE("opens at nine")));
    struct slice file = stick_of(wang, &mem);
    sync(wang);
    write(wang, id, "remarks", FIELD_EDIT_SET, value_text(SLICE("opens at ten")));
    CHECK_OK(world_rollback(&w, &err));
    write(li, id, "remarks", FIELD_EDIT_SET, value_text(SLICE("pays late")));
    sync(li);
    bring(file, &mem);
    struct slice text = value_of(id, "remarks", &mem).text;
    CHECK(memmem(text.data, text.len, "pays late", 9) && memmem(text.data, text.len, "ten", 3));
    world_close(&w);
}

/* What wang writes after the server went back has the seq that li's points had before: li's note,
 * written in view of those points, has not seen wang's. */
TEST(a_seq_of_this_life_is_none_of_the_life_before) {
    struct err err;
    struct row row;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    CHECK_OK(world_laptop_add(&w, "qian", &err));
    struct world_laptop *qian = world_laptop(&w, SLICE("qian"));
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, true, &err));
    write(li, id, "points", FIELD_EDIT_COUNT, value_int(2));
    sync(li);
    (void)create(qian, "恒信贸易");
    sync(qian);
    CHECK_OK(world_rollback(&w, &err));
    write(wang, id, "remarks", FIELD_EDIT_SET, value_text(SLICE("of wang")));
    sync(wang);
    sync(qian); /* begins the epoch */
    sync(wang);
    write(li, id, "remarks", FIELD_EDIT_SET, value_text(SLICE("of li")));
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(store_get(world_office_store(&w), account(), id, &mem, &row, &err));
    const struct field *remarks = entity_field(account(), SLICE("remarks"));
    struct slice text = row.values[entity_field_index(account(), remarks)].text;
    CHECK(memmem(text.data, text.len, "of wang", 7) && memmem(text.data, text.len, "of li", 5));
    world_close(&w);
}

/* Saved one after the other, offline: the contact names what only the batch before it brings. */
TEST(new_work_that_stands_on_new_work_does_not_wait_for_others) {
    struct err err;
    struct row row;
    uint32_t batch;
    int64_t id;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    const struct entity *contact = catalogue_entity(&w.catalogue, SLICE("contact"));
    go_back();
    sync(wang); /* a recovery is under way; li is not here yet */
    int64_t owner = create(wang, "恒信贸易");
    struct field_edit edits[] = {
        {entity_field(contact, SLICE("account")), FIELD_EDIT_SET, value_int(owner)},
        {entity_field(contact, SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("王芳"))}};
    CHECK_OK(store_begin(wang->store, &err));
    CHECK_OK(store_create(wang->store, contact, edits, 2, &id, &err));
    CHECK_OK(store_commit(wang->store, &batch, &err));
    sync(wang);
    CHECK_OK(store_get(world_office_store(&w), contact, id, &mem, &row, &err));
    world_close(&w);
}

static enum status count_entry(void *ctx, const struct quarantine_entry *entry, struct err *err) {
    (void)err;
    CHECK_INT(entry->reason, REASON_REVOKED);
    ++*(int *)ctx;
    return ST_OK;
}

/* Of li, revoked since, the server forgot an edit of a row that only wang can bring. */
static void revoke_amid_recovery(bool has_unsent, int entries) {
    struct err err;
    struct agent_result result;
    struct device_order order;
    int found = 0;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    CHECK_OK(world_backup(&w, true, &err));
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    write(li, id, "tags", FIELD_EDIT_ADD, value_text(SLICE("展会")));
    sync(li);
    if (has_unsent) (void)create(li, "恒信贸易");
    CHECK_OK(world_rollback(&w, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), 2, true, &err));
    CHECK_STATUS(world_sync(li, &result, &err), ST_BUSY);
    CHECK(result.progress.rounds < 10);
    CHECK(result.retry_ms >= 1000); /* and is told when to come again */
    sync(wang);
    CHECK_STATUS(world_sync(li, &result, &err), ST_REVOKED);
    CHECK_INT(agent_order(li->agent, &order), ORDER_WIPE);
    CHECK_OK(centre_quarantine_list(org_centre(w.office), true, &mem, count_entry, &found, &err));
    CHECK_INT(found, entries);
    world_close(&w);
}

TEST(a_revoked_laptop_keeps_its_book_until_all_that_it_gives_back_is_taken) {
    revoke_amid_recovery(false, 1);
    revoke_amid_recovery(true, 2);
}

TEST(a_recovery_that_is_over_holds_no_tombstone) {
    struct err err;
    struct centre_horizon horizon;
    start();
    go_back();
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(centre_recovery_end(org_centre(w.office), &err));
    sync(wang); /* reads anew: its last request of this names cursor 0 */
    sync(li);
    struct centre_device d = device(wang);
    CHECK(d.cursor >= epoch_start(2));
    d = device(li);
    CHECK_OK(centre_horizon(org_centre(w.office), &horizon, &err));
    CHECK(horizon.seq >= epoch_start(2));
    CHECK_OK(world_settle(&w, &err));
    sync(wang);
    sync(li);
    d = device(li);
    CHECK_INT(behind(&d), 0);
    CHECK_OK(centre_horizon(org_centre(w.office), &horizon, &err));
    CHECK_INT(horizon.seq, head().position.seq);
    world_close(&w);
}

/* ------------------------------------------------------------------ a book set back by hand */

static const char *head_file(void) {
    static char path[WORLD_PATH_BYTES + 16];
    char dir[WORLD_PATH_BYTES];
    world_server_dir(&w, dir);
    (void)snprintf(path, sizeof path, "%s/demo.head", dir);
    CHECK(platform_exists(path));
    return path;
}

static struct slice text_of(struct world_laptop *l, int64_t id, const char *field) {
    struct err err;
    struct row row;
    CHECK_OK(store_get(l ? l->store : world_office_store(&w), account(), id, &w.mem, &row, &err));
    return row.values[entity_field_index(account(), entity_field(account(), slice_from(field)))]
        .text;
}

TEST(a_book_set_back_where_it_stood_knows_it_before_a_laptop_comes) {
    struct err err;
    start();
    CHECK_OK(world_backup(&w, false, &err));
    int64_t id = create(wang, "远大集团"), common = head().position.seq;
    sync(wang);
    CHECK_OK(world_rollback_here(&w, &err));
    CHECK(org_went_back(w.office) || head().recovering); /* whichever handle came first */
    CHECK_INT(head().epoch, 2);
    CHECK_INT(head().position.seq, epoch_start(2));
    sync(li); /* who had heard of nothing */
    CHECK_OK(world_settle(&w, &err));
    CHECK_SLICE(text_of(li, id, "name"), "远大集团");
    struct centre_recovery r;
    CHECK_OK(centre_recovery(org_centre(w.office), &r, &err));
    CHECK_INT(r.back, common);
    CHECK_INT(r.missing, 0);
    reopen();
    CHECK_INT(head().epoch, 2); /* once */
    world_close(&w);
}

/* Each life has an epoch of its own, so that seqs of one are not taken for seqs of another: what wang
 * knew of the first life says nothing of what li did in the second. */
TEST(of_two_lives_that_are_forgotten_neither_overwrites_the_other) {
    struct err err;
    int64_t taken, left;
    start();
    int64_t id = create(wang, "shared");
    sync(wang);
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    write(wang, id, "city", FIELD_EDIT_SET, value_text(SLICE("太原")));
    write(wang, id, "website", FIELD_EDIT_SET, value_text(SLICE("a.cn")));
    sync(wang);
    CHECK_OK(world_rollback_here(&w, &err));
    write(li, id, "industry", FIELD_EDIT_SET, value_text(SLICE("steel")));
    sync(li);
    CHECK_OK(world_rollback_here(&w, &err));
    CHECK_INT(head().epoch, 3);
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_OK(centre_recovery_end(org_centre(w.office), &err));
    CHECK_OK(world_settle(&w, &err));
    for (struct world_laptop *l = wang;; l = l == wang ? li : NULL) {
        CHECK_SLICE(text_of(l, id, "industry"), "steel");
        CHECK_SLICE(text_of(l, id, "city"), "太原");
        CHECK_SLICE(text_of(l, id, "website"), "a.cn");
        if (!l) break;
    }
    world_close(&w);
}

/* The request after so many replies does not arrive. */
static void lose_after(void *ctx, struct world_laptop *l, struct slice message) {
    int *replies = ctx;
    (void)message;
    if (--*replies == 0) l->fault = WORLD_LOSE_REQUEST;
}

/* wang hears of the new epoch, and before he gives anything back the server is set back again: to a
 * state that knows the epoch and not that he came. It lacks no seq, so that nothing is noticed. */
TEST(who_entered_an_epoch_in_a_life_that_is_forgotten_enters_it_again) {
    struct err err;
    struct agent_result result;
    start();
    CHECK_OK(world_backup(&w, false, &err));
    int64_t id = create(wang, "given back");
    sync(wang);
    CHECK_OK(world_rollback_here(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    int replies = 2; /* that there is another epoch, and where they part */
    wang->replied = lose_after;
    wang->replied_ctx = &replies;
    CHECK_INT(world_sync(wang, &result, &err), ST_OFFLINE);
    int64_t epoch, cursor;
    CHECK_OK(store_cursor(wang->store, &epoch, &cursor, &err));
    CHECK_INT(epoch, 2);
    CHECK_OK(world_rollback_here(&w, &err));
    CHECK_INT(head().epoch, 2);
    sync(wang);
    CHECK_OK(world_settle(&w, &err));
    CHECK_SLICE(text_of(li, id, "name"), "given back");
    struct centre_recovery r;
    CHECK_OK(centre_recovery(org_centre(w.office), &r, &err));
    CHECK(r.epoch == 2 && r.missing == 0);
    world_close(&w);
}

TEST(a_line_that_is_torn_or_of_another_org_sets_nothing_back) {
    struct err err;
    struct slice bytes;
    start();
    CHECK_OK(platform_read_file(head_file(), 4096, &w.mem, &bytes, &err));
    CHECK_INT(bytes.data[bytes.len - 1], '\n');
    static const size_t at[] = {19, 40, 61, 90, 100}; /* org, epoch, seq, chain, sum */
    for (size_t i = 0; i < ARRAY_COUNT(at); i++) {
        SCOPED(buf_free) struct buf other = buf_new(BUF_MAX_LINE);
        buf_put_slice(&other, bytes);
        other.data[at[i]] = other.data[at[i]] == '9' ? '8' : '9';
        world_server_off(&w);
        CHECK_OK(platform_write_file_private(head_file(), buf_slice(&other), &err));
        CHECK_OK(world_server_on(&w, &err));
        CHECK_INT(head().epoch, 1);
        struct slice again;
        CHECK_OK(platform_read_file(head_file(), 4096, &w.mem, &again, &err));
        CHECK(slice_equal(again, bytes)); /* and the book's own is there again */
    }
    world_server_off(&w);
    CHECK_OK(platform_remove(head_file(), &err));
    CHECK_OK(world_server_on(&w, &err));
    CHECK_INT(head().epoch, 1);
    world_close(&w);
}

/* ------------------------------------------------------------------ rows as facts */

static const struct field *name_field(void) {
    return entity_field(account(), SLICE("name"));
}

static int64_t office_set(int64_t id, const char *name) {
    struct err err;
    struct receipt receipt;
    struct field_edit edit = {name_field(), FIELD_EDIT_SET, value_text(slice_from(name))};
    int64_t made;
    CHECK_OK(world_office_save(&w, account(), id, &edit, 1, &receipt, &made, &err));
    return id ? id : made;
}

static void office_is(int64_t id, const char *name) {
    struct err err;
    struct centre_row row;
    bool found;
    CHECK_OK(centre_row_read(org_centre(w.office), account(), id, &w.mem, &row, &found, &err));
    CHECK(found && !row.dead);
    CHECK(slice_equal(row.values[entity_field_index(account(), name_field())].text,
                      slice_from(name)));
}

struct facts_seen {
    size_t count;
    enum fact_state last;
};

static enum status see_fact(void *ctx, const struct fact_line *line, struct err *err) {
    struct facts_seen *seen = ctx;
    (void)err;
    seen->count++;
    seen->last = line->state;
    return ST_OK;
}

static struct facts_seen facts(void) {
    struct err err;
    struct facts_seen seen = {0};
    CHECK_OK(org_facts(org_centre(w.office), 0, see_fact, &seen, &err));
    return seen;
}

TEST(what_head_office_did_is_told_by_who_had_heard_of_it) {
    struct err err;
    int64_t taken, left;
    start();
    int64_t old = office_set(0, "before");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    (void)office_set(old, "after");
    int64_t young = office_set(0, "young");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK_OK(world_settle(&w, &err));
    office_is(old, "before"); /* a claim changes nothing */
    CHECK_INT(facts().count, 2);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_INT(taken, 2);
    CHECK_INT(left, 0);
    office_is(old, "after");
    office_is(young, "young"); /* with its old id */
    CHECK_OK(centre_recovery_end(org_centre(w.office), &err));
    CHECK_OK(world_settle(&w, &err));
    SCOPED(buf_free) struct buf difference = buf_new(BUF_MAX_LINE);
    CHECK_OK(world_compare(&w, &difference, &err));
    CHECK_INT(difference.len, 0);
    world_close(&w);
}

/* What only a revoked laptop knows is told before it goes, and taken when head office names it;
 * what a trusted one says as well needs no name. Seed 7968 of the simulator. */
TEST(a_revoked_laptop_tells_what_it_knows_before_it_goes) {
    struct err err;
    struct agent_result result;
    int64_t taken, left;
    start();
    int64_t old = office_set(0, "before"), both = office_set(0, "before");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, true, &err));
    (void)office_set(both, "known to both");
    CHECK_OK(world_settle(&w, &err));
    (void)office_set(old, "known to li");
    sync(li);
    CHECK_OK(world_rollback(&w, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), 2, true, &err));
    CHECK_STATUS(world_sync(li, &result, &err), ST_REVOKED);
    world_laptop_off(li); /* and deletes its book */
    CHECK_INT(facts().count, 2);
    CHECK_INT(facts().last, FACT_REVOKED);
    sync(wang);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_INT(taken, 1);
    CHECK_INT(left, 1);
    office_is(both, "known to both");
    office_is(old, "before");
    CHECK_INT(facts().last, FACT_REVOKED);
    CHECK_OK(org_facts_take(w.office, 2, &taken, &left, &err));
    CHECK_INT(taken, 1);
    office_is(old, "known to li");
    world_close(&w);
}

/* Where people see what they are granted, who may see a contact is known with its account. */
TEST(a_fact_of_a_row_whose_owner_is_not_here_waits_for_it) {
    struct err err;
    struct receipt receipt;
    int64_t owner = 0, id = 0, taken, left;
    start();
    const struct entity *contact = catalogue_entity(&w.catalogue, SLICE("contact"));
    struct field_edit head[] = {
        {entity_field(account(), SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("young"))},
        {entity_field(account(), SLICE("owner")), FIELD_EDIT_SET, value_int(wang->employee)}};
    CHECK_OK(org_scope_set(w.office, true, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(world_office_save(&w, account(), 0, head, 2, &receipt, &owner, &err));
    struct field_edit below[] = {
        {entity_field(contact, SLICE("account")), FIELD_EDIT_SET, value_int(owner)},
        {entity_field(contact, SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("王芳"))}};
    CHECK_OK(world_office_save(&w, contact, 0, below, 2, &receipt, &id, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(facts().count, 2);
    CHECK_INT(facts().last, FACT_WAITS);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_INT(taken, 2);
    CHECK_INT(left, 0);
    world_close(&w);
}

TEST(a_fact_touches_nothing_that_is_newer) {
    struct err err;
    int64_t taken, left;
    start();
    int64_t id = office_set(0, "before");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    (void)office_set(id, "forgotten");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_rollback(&w, &err));
    sync(wang); /* another epoch */
    (void)office_set(id, "of this life");
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(facts().count, 1);
    CHECK_INT(facts().last, FACT_NEWER);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_INT(taken, 0);
    CHECK_INT(left, 1);
    office_is(id, "of this life");
    world_close(&w);
}

/* Its book is set back by hand overnight, and head office makes an account before the first laptop
 * comes and tells. */
TEST(a_book_that_was_set_back_gives_no_id_again) {
    struct err err;
    int64_t taken, left;
    start();
    int64_t first = office_set(0, "first");
    world_server_off(&w);
    CHECK_OK(world_server_on(&w, &err));
    CHECK_INT(office_set(0, "second"), first + 1); /* within the hour it goes on where it was */
    CHECK_OK(world_backup(&w, false, &err));
    int64_t forgotten = office_set(0, "forgotten");
    CHECK_OK(world_settle(&w, &err));
    w.now_ms += 9 * 3600000;
    CHECK_OK(world_rollback(&w, &err));
    int64_t next = office_set(0, "next");
    CHECK(next != forgotten);
    sync(wang);
    sync(li);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_OK(world_settle(&w, &err));
    office_is(forgotten, "forgotten");
    office_is(next, "next");
    world_close(&w);
}

TEST(a_claim_of_a_laptop_is_kept_only_in_its_bounds) {
    struct err err;
    start();
    struct centre_parting parting = {
        .epoch = 2, .back = {.seq = 5}, .lost_from = 5, .start = epoch_start(2), .settled = true};
    struct value name = value_text(SLICE("lie"));
    struct edit edit = {.cell_tag = entity_cell_of(account(), name_field())->tag,
                        .values = &name,
                        .value_count = 1};
    struct change change = {.kind = CHANGE_EDIT,
                            .entity_tag = account()->tag,
                            .row = id_make(9, 1),
                            .edits = &edit,
                            .edit_count = 1};
    struct batch batch = {.changes = &change, .change_count = 1};
    struct round_request request = {.epoch = 2, .facts = &batch};
    uint32_t told = 0;
    struct centre_device other = device(li), d = device(wang); /* each reopens the server */
    CHECK_OK(centre_parting_put(org_centre(w.office), d.number, &parting, &err));
    CHECK_OK(centre_parting_put(org_centre(w.office), other.number, &parting, &err));
    CHECK_OK(org_facts_put(org_centre(w.office), &d, &request, &told, &err));
    CHECK_INT(told, 0); /* there is no recovery */
    CHECK_OK(centre_recovery_begin(org_centre(w.office), &err));
    const int64_t outside[] = {0, 5, epoch_start(2), epoch_start(2) + 7};
    for (size_t i = 0; i < ARRAY_COUNT(outside); i++) {
        edit.base.seq = outside[i]; /* not of the branch that its laptop lost */
        CHECK_OK(org_facts_put(org_centre(w.office), &d, &request, &told, &err));
        CHECK_INT(facts().count, 0);
    }
    edit.base.seq = 6;
    CHECK_OK(org_facts_put(org_centre(w.office), &d, &request, &told, &err));
    CHECK_INT(facts().count, 1);
    CHECK_INT(facts().last, FACT_NEW);
    d = device(li); /* who says otherwise of the same seq disputes it: neither is taken by itself */
    name = value_text(SLICE("another"));
    CHECK_OK(org_facts_put(org_centre(w.office), &d, &request, &told, &err));
    CHECK_INT(facts().last, FACT_DISPUTED);
    CHECK_OK(centre_facts_drop(org_centre(w.office), d.number, &err));
    CHECK_INT(facts().last, FACT_NEW);
    world_close(&w);
}
