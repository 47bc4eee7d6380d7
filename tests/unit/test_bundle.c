/* Rounds by stick: the same books as over the network, in any order, repeated or not. */
#include <string.h>

#include "protocol/session/bundle.h"
#include "syncd/agent/bundle.h"
#include "syncd/server/bundle.h"
#include "tests/unit/two_laptops.h"

enum { HOUR_MS = 3600 * 1000 };

static struct arena mem;

static void begin(void) {
    struct err err;
    mem = arena_new((size_t)512 * 1024 * 1024);
    open_two(7);
    CHECK_OK(world_settle(&w, &err));
}

static void end(void) {
    world_close(&w);
    arena_clear(&mem);
}

static struct field_edit put(const char *field, const char *text) {
    return (struct field_edit){entity_field(account(), slice_from(field)), FIELD_EDIT_SET,
                               value_text(slice_from(text))};
}

static void edit(struct world_laptop *l, int64_t id, const char *field, const char *text) {
    struct err err;
    struct field_edit edit = put(field, text);
    uint32_t batch;
    bool changed;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, account(), id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
}

static const char *text_of(struct world_laptop *l, int64_t id, const char *field) {
    struct err err;
    struct row row;
    CHECK_OK(store_get(l->store, account(), id, &mem, &row, &err));
    const struct field *f = entity_field(account(), slice_from(field));
    return arena_string(&mem, row.values[entity_field_index(account(), f)].text);
}

static struct slice up(struct world_laptop *l) {
    struct err err;
    struct bundle_made made;
    struct slice file;
    CHECK_OK(bundle_export(l->sync_store, &l->env, &mem, &file, &made, &err));
    return file;
}

static enum status office(struct slice file, struct slice *out, struct bundle_done *done,
                          struct err *err) {
    struct org_reader *reader;
    CHECK_INT(world_office_reader(&w, &reader, err), ST_OK);
    return org_bundle(w.office, reader, "demo", file, &mem, out, done, err);
}

static struct slice answer(struct slice file) {
    struct err err;
    struct bundle_done done;
    struct slice out;
    CHECK_INT(office(file, &out, &done, &err), ST_OK);
    return out;
}

static struct bundle_taken down(struct world_laptop *l, struct slice file) {
    struct err err;
    struct bundle_taken taken;
    CHECK_OK(bundle_import(l->sync_store, file, NULL, NULL, &taken, &err));
    return taken;
}

static void check_equal_books(void) {
    struct err err;
    struct buf difference = buf_new(BUF_MAX_LINE);
    CHECK_OK(world_compare(&w, &difference, &err));
    CHECK_TEXT(buf_text(&difference), "");
    buf_free(&difference);
}

TEST(a_stick_does_what_a_round_does) {
    begin();
    int64_t id = create(wang, "远大集团");
    struct bundle_taken taken = down(wang, answer(up(wang)));
    CHECK(!taken.stale && !taken.more);
    CHECK_INT(taken.result.counts.applied, 1);
    (void)down(li, answer(up(li)));
    CHECK_TEXT(text_of(li, id, "name"), "远大集团");
    check_equal_books();
    end();
}

TEST(the_same_stick_twice_does_nothing) {
    begin();
    (void)create(wang, "远大集团");
    struct slice file = up(wang), first = answer(file), second = answer(file);
    CHECK(!down(wang, first).stale);
    CHECK(down(wang, first).stale);
    CHECK(down(wang, second).stale);
    (void)down(li, answer(up(li)));
    check_equal_books();
    end();
}

/* The second bundle holds what the first held: whichever comes first, nothing is missing. */
TEST(sticks_in_any_order) {
    begin();
    int64_t id = create(wang, "远大集团");
    struct slice older = up(wang);
    edit(wang, id, "city", "杭州");
    struct slice newer = up(wang);
    struct slice to_newer = answer(newer), to_older;
    struct store_status status;
    struct bundle_done done;
    struct err err;
    CHECK_INT(office(older, &to_older, &done, &err), ST_OK);
    CHECK(done.older);
    CHECK(!down(wang, to_newer).stale);
    CHECK_OK(store_status(wang->store, &status, &err));
    CHECK_INT(status.outbox_batches, 0);
    (void)down(li, answer(up(li)));
    CHECK_TEXT(text_of(li, id, "city"), "杭州");
    check_equal_books();
    end();
}

TEST(the_network_came_first) {
    begin();
    struct err err;
    (void)create(wang, "远大集团");
    struct slice file = up(wang), from_office = answer(file);
    CHECK_OK(world_settle(&w, &err));
    CHECK(down(wang, from_office).stale);
    check_equal_books();
    end();
}

TEST(what_is_saved_while_the_stick_travels_waits) {
    begin();
    int64_t id = create(wang, "远大集团");
    struct slice from_office = answer(up(wang));
    edit(wang, id, "city", "杭州");
    CHECK(!down(wang, from_office).stale);
    CHECK_TEXT(text_of(wang, id, "city"), "杭州");
    struct err err;
    struct store_status status;
    CHECK_OK(store_status(wang->store, &status, &err));
    CHECK_INT(status.outbox_batches, 1);
    CHECK_OK(world_settle(&w, &err));
    check_equal_books();
    end();
}

/* Wang edits at 10:00 and sends a stick; Li edits at 12:00 over the network; the stick arrives at
 * 15:00. Li's edit is the later one, although Wang's came last. */
TEST(the_way_makes_no_edit_younger) {
    begin();
    struct err err;
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    edit(wang, id, "website", "wang.cn");
    struct slice file = up(wang);
    w.now_ms += 2 * HOUR_MS;
    edit(li, id, "website", "li.cn");
    struct agent_result result;
    CHECK_OK(world_sync(li, &result, &err));
    w.now_ms += 3 * HOUR_MS;
    struct bundle_taken taken = down(wang, answer(file));
    CHECK_INT(taken.result.counts.lost, 1);
    CHECK_OK(world_settle(&w, &err));
    CHECK_TEXT(text_of(wang, id, "website"), "li.cn");
    check_equal_books();
    end();
}

/* A stick says nothing about clocks: after it, the age of edits is told as well as before. */
TEST(a_stick_does_not_spoil_the_clock) {
    begin();
    struct err err;
    int64_t id = create(wang, "远大集团");
    struct slice file = up(wang);
    w.now_ms += 5 * HOUR_MS;
    (void)down(wang, answer(file));
    edit(wang, id, "website", "wang.cn");
    w.now_ms += HOUR_MS;
    CHECK_OK(world_sync(li, &(struct agent_result){0}, &err));
    edit(li, id, "website", "li.cn");
    w.now_ms += HOUR_MS;
    CHECK_OK(world_sync(li, &(struct agent_result){0}, &err));
    CHECK_OK(world_reboot(wang, 0, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_TEXT(text_of(wang, id, "website"), "li.cn");
    end();
}

TEST(a_new_laptop_is_filled_by_stick) {
    begin();
    struct err err;
    for (int i = 0; i < 300; i++) (void)create(wang, "客户");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_laptop_add(&w, "zhao", &err));
    struct world_laptop *zhao = world_laptop(&w, SLICE("zhao"));
    struct bundle_taken taken = down(zhao, answer(up(zhao)));
    CHECK(!taken.more);
    CHECK_OK(world_sync(wang, &(struct agent_result){0}, &err));
    CHECK_OK(world_sync(li, &(struct agent_result){0}, &err));
    check_equal_books();
    end();
}

/* ------------------------------------------------------------------ what is not taken */

TEST(only_whom_it_is_for_can_read_it) {
    begin();
    (void)create(wang, "绝密客户名称");
    struct slice file = up(wang), from_office = answer(file);
    struct slice files[] = {file, from_office};
    struct err err;
    struct bundle_taken taken;
    for (size_t i = 0; i < ARRAY_COUNT(files); i++)
        CHECK(!memmem(files[i].data, files[i].len, "绝密", strlen("绝密")));
    CHECK_INT(bundle_import(li->sync_store, from_office, NULL, NULL, &taken, &err), ST_INVALID);
    CHECK_INT(bundle_import(wang->sync_store, file, NULL, NULL, &taken, &err), ST_INVALID);
    end();
}

TEST(a_flipped_bit_or_a_cut_is_seen) {
    begin();
    (void)create(wang, "远大集团");
    struct slice file = up(wang);
    struct bundle_done done;
    struct slice out;
    struct err err;
    for (size_t at = 0; at < file.len; at += 1 + file.len / 97) {
        uint8_t *bad = arena_alloc(&mem, file.len);
        memcpy(bad, file.data, file.len);
        bad[at] ^= 0x40;
        CHECK(office(slice_of(bad, file.len), &out, &done, &err) != ST_OK);
        CHECK(office(slice_of(file.data, at), &out, &done, &err) != ST_OK);
    }
    CHECK_INT(office(file, &out, &done, &err), ST_OK);
    CHECK_INT((int)done.push.batches, 1);
    end();
}

TEST(a_revoked_laptop_gets_no_answer) {
    begin();
    struct err err;
    struct bundle_done done;
    struct slice out, file = up(wang);
    struct store_identity identity;
    CHECK_OK(store_identity(wang->store, &identity, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), identity.device, false, &err));
    CHECK_INT(office(file, &out, &done, &err), ST_DENIED);
    end();
}
