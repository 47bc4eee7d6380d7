/* The org's key changes while laptops and a server live: all of it in one process, over the store
 * of both, set back and cut short. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/agent/bundle.h"
#include "syncd/platform/platform.h"
#include "syncd/server/bundle.h"
#include "syncd/server/org_private.h"
#include "syncd/store/centre_added.h"
#include "syncd/store/org_keys.h"
#include "tests/unit/two_laptops.h"

static struct err err;

static enum status try_sync(struct world_laptop *l) {
    struct agent_result result;
    return world_sync(l, &result, &err);
}

static struct key_record change(void) {
    struct key_record record;
    CHECK_OK(centre_key_change(org_centre(w.office), SLICE("the boss"), &record, &err));
    return record;
}

static struct centre_org org(void) {
    struct centre_org it;
    CHECK_OK(centre_org(org_centre(w.office), &it, &err));
    return it;
}

static uint32_t known(const struct world_laptop *l) {
    struct arena mem SCOPED(arena_clear) = arena_new(1024 * 1024);
    struct key_changes keys;
    CHECK_OK(store_org_keys(l->store, &mem, &keys, &err));
    return keys.total;
}

static void proved(struct world_laptop *l) {
    struct agent_proof proof;
    CHECK_OK(agent_prove(l->agent, l->sync_store, INT64_MAX, &proof, &err));
    CHECK_INT(proof.proof, BOOK_EQUAL);
    CHECK_INT(proof.repaired, 0);
}

static const char *book_path(void) {
    static char path[WORLD_PATH_BYTES + 16];
    char dir[WORLD_PATH_BYTES];
    world_server_dir(&w, dir);
    (void)snprintf(path, sizeof path, "%s/demo.db", dir);
    return path;
}

static const char *keys_beside(void) {
    static char path[KEYS_PATH_BYTES];
    CHECK_OK(keys_path(book_path(), path, &err));
    return path;
}

/* NULL: verify has nothing to say. */
static bool verify_says(const char *text) {
    SCOPED(buf_free) struct buf said = buf_new(BUF_MAX_LINE);
    CHECK_OK(centre_keys_verify(org_centre(w.office), &said, &err));
    return text ? said.len > 0 && strstr(buf_text(&said), text) != NULL : said.len == 0;
}

/* ------------------------------------------------------------------ laptops that were there */

TEST(laptops_follow_a_change_with_their_next_round) {
    start();
    (void)create(wang, "before");
    sync(wang);
    struct centre_org before = org();
    struct key_record record = change();
    struct centre_head head;
    struct log_entry entry;
    CHECK_OK(centre_head(org_centre(w.office), &head, &err));
    CHECK_INT(head.key_changes, 1);
    CHECK_OK(centre_log_entry(org_centre(w.office), record.change.seq, &entry, &err));
    CHECK_INT(entry.kind, LOG_KEY);
    CHECK_TEXT(record.person, "the boss");
    (void)create(wang, "after");
    sync(wang); /* its session is over: it greets, and sends the same */
    CHECK_INT(known(wang), 1);
    CHECK_INT(known(li), 0);
    change();
    change();
    sync(li);
    CHECK_INT(known(li), 3);
    sync(wang);
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(known(wang), 3);
    proved(wang);
    proved(li);
    CHECK(memcmp(before.key_seed, org().key_seed, SIGN_SEED_BYTES) != 0);
    CHECK(verify_says(NULL));
    world_close(&w);
}

/* Another program of the laptop has heard of it meanwhile, and of one more after that. */
TEST(a_program_that_sleeps_over_changes_goes_on) {
    start(); /* its agent holds a session and the first key in memory */
    change();
    struct arena mem SCOPED(arena_clear) = arena_new(1024 * 1024);
    struct key_changes news;
    CHECK_OK(centre_keys_news(org_centre(w.office), 0, &mem, &news, &err));
    CHECK_OK(store_org_keys_add(li->store, &news, &err)); /* as the other program took it */
    CHECK_OK(store_org_keys_add(li->store, &news, &err)); /* twice is fine */
    sync(li);
    change();
    CHECK_OK(centre_keys_news(org_centre(w.office), 1, &mem, &news, &err));
    CHECK_INT((int)news.count, 1);
    CHECK_OK(store_org_keys_add(li->store, &news, &err));
    sync(li);
    CHECK_INT(known(li), 2);
    proved(li);
    world_close(&w);
}

TEST(news_that_do_not_meet_what_the_book_knows_change_nothing) {
    struct arena mem SCOPED(arena_clear) = arena_new(1024 * 1024);
    struct key_changes news, other;
    start();
    change();
    change();
    CHECK_OK(centre_keys_news(org_centre(w.office), 1, &mem, &news, &err));
    CHECK_STATUS(store_org_keys_add(li->store, &news, &err), ST_CONFLICT); /* a gap */
    CHECK_INT(known(li), 0);
    sync(li);
    CHECK_OK(centre_keys_news(org_centre(w.office), 0, &mem, &other, &err));
    other.items[1].new_public[3] ^= 1; /* another life of the org */
    CHECK_STATUS(store_org_keys_add(li->store, &other, &err), ST_CONFLICT);
    other.total = 1; /* less than it knows is nothing new */
    other.count = 1;
    CHECK_OK(store_org_keys_add(li->store, &other, &err));
    CHECK_INT(known(li), 2);
    sync(li);
    world_close(&w);
}

/* The settings are lost, or do not fit: the identity counts, and the chain comes anew. */
TEST(a_laptop_that_lost_the_chain_gets_it_again) {
    start();
    (void)create(li, "one");
    change();
    sync(li);
    sync(wang);
    CHECK_OK(store_setting_set(li->store, "org_keys", SLICE(""), &err));
    CHECK(store_org_keys(li->store, &w.mem, &(struct key_changes){0}, &err) != ST_OK);
    CHECK_OK(store_setting_set(li->store, "org_keys", SLICE("\x00\x00"), &err)); /* none */
    CHECK_INT(known(li), 0);
    CHECK_OK(world_restart(li, &err));
    sync(li);
    CHECK_INT(known(li), 1);
    CHECK_OK(world_settle(&w, &err));
    proved(li);
    world_close(&w);
}

TEST(a_key_is_changed_64_times_and_no_more) {
    struct key_record record;
    start();
    for (int i = 0; i < KEY_CHANGES_MAX; i++) change();
    CHECK_STATUS(centre_key_change(org_centre(w.office), SLICE("x"), &record, &err), ST_TOO_LARGE);
    sync(wang);
    CHECK_INT(known(wang), KEY_CHANGES_MAX);
    reopen();
    sync(wang);
    CHECK(verify_says(NULL));
    world_close(&w);
}

/* ------------------------------------------------------------------ cut short */

/* The file is written before the commit: where that fails, the next opening makes the change. */
TEST(a_change_that_is_cut_short_is_made_by_the_next_opening) {
    start();
    CHECK_OK(world_backup(&w, false, &err));
    struct key_record record = change();
    struct centre_org now = org();
    world_server_off(&w); /* the commit is undone, the file is not */
    CHECK_OK(world_rollback(&w, &err));
    CHECK(memcmp(org().key_seed, now.key_seed, SIGN_SEED_BYTES) == 0);
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    CHECK_OK(centre_key_now(org_centre(w.office), public_key, &err));
    CHECK(memcmp(public_key, record.change.new_public, SIGN_PUBLIC_BYTES) == 0);
    sync(wang);
    CHECK_INT(known(wang), 1);
    CHECK(verify_says(NULL));
    world_close(&w);
}

/* The other way: the book has it, the file was lost. */
TEST(the_file_of_keys_is_written_again_from_the_book) {
    struct arena mem SCOPED(arena_clear) = arena_new(4 * KEYS_FILE_BYTES_MAX);
    struct slice before, after;
    start();
    CHECK(!platform_exists(keys_beside()));
    change();
    CHECK_OK(platform_read_file(keys_beside(), KEYS_FILE_BYTES_MAX, &mem, &before, &err));
    CHECK_OK(platform_remove(keys_beside(), &err));
    CHECK(verify_says("is missing"));
    reopen();
    CHECK_OK(platform_read_file(keys_beside(), KEYS_FILE_BYTES_MAX, &mem, &after, &err));
    CHECK(slice_equal(before, after));
    world_close(&w);
}

TEST(a_file_of_keys_that_is_damaged_or_of_another_org_stops_the_opening) {
    struct arena mem SCOPED(arena_clear) = arena_new(4 * KEYS_FILE_BYTES_MAX);
    SCOPED(buf_free) struct buf bent = buf_new(KEYS_FILE_BYTES_MAX);
    struct slice sound;
    start();
    change();
    CHECK_OK(platform_read_file(keys_beside(), KEYS_FILE_BYTES_MAX, &mem, &sound, &err));
    for (size_t at = 0; at < sound.len; at += 97) {
        struct keys_file file;
        buf_reset(&bent);
        buf_put_slice(&bent, sound);
        bent.data[at] ^= 1;
        CHECK_OK(platform_write_file_private(keys_beside(), buf_slice(&bent), &err));
        CHECK_OK(keys_file_read(keys_beside(), &mem, &file, &err));
        CHECK(file.is_there && !file.is_sound);
        CHECK_OK(platform_write_file_private(keys_beside(), slice_of(sound.data, at), &err));
        CHECK_OK(keys_file_read(keys_beside(), &mem, &file, &err));
        CHECK(!file.is_sound);
    }
    CHECK(verify_says("cannot be read"));
    world_server_off(&w);
    CHECK_STATUS(world_server_on(&w, &err), ST_DAMAGED);
    CHECK_OK(platform_write_file_private(keys_beside(), sound, &err));
    CHECK_OK(world_server_on(&w, &err));
    world_close(&w);
}

/* Two lives of one org: a server without its file, restored from before the change, changed anew.
 */
TEST(two_lives_of_the_keys_are_not_mixed) {
    struct arena mem SCOPED(arena_clear) = arena_new(4 * KEYS_FILE_BYTES_MAX);
    struct slice first;
    start();
    CHECK_OK(world_backup(&w, false, &err));
    change();
    sync(wang);
    CHECK_OK(platform_read_file(keys_beside(), KEYS_FILE_BYTES_MAX, &mem, &first, &err));
    CHECK_OK(platform_remove(keys_beside(), &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK_STATUS(try_sync(wang), ST_CONFLICT); /* it signs with the first key */
    CHECK(strstr(err.text[LANG_EN], "older key") != NULL);
    change();
    CHECK_STATUS(try_sync(wang), ST_UNAUTHENTIC); /* as many changes, but others */
    CHECK_INT(known(wang), 1);
    sync(li); /* has not heard of the first */
    world_server_off(&w);
    CHECK_OK(platform_write_file_private(keys_beside(), first, &err));
    CHECK_STATUS(world_server_on(&w, &err), ST_CONFLICT);
    CHECK_OK(platform_remove(keys_beside(), &err));
    CHECK_OK(world_server_on(&w, &err));
    world_close(&w);
}

/* ------------------------------------------------------------------ a server that goes back */

/* The word that the server gave by a key that is gone still shows that it went back; what it had
 * taken then is given back, with receipts of that key. */
TEST(what_a_former_key_signed_counts_in_a_recovery) {
    start();
    CHECK_OK(world_backup(&w, false, &err));
    int64_t id = create(wang, "acknowledged under the first key");
    sync(wang);
    change();
    sync(li);
    int64_t later = create(li, "acknowledged under the second");
    sync(li);
    CHECK_INT(known(wang), 0);
    CHECK_OK(world_rollback(&w, &err));
    sync(wang);
    CHECK_INT(head().epoch, 2);
    sync(li);
    CHECK_OK(world_settle(&w, &err));
    struct row row;
    CHECK_OK(store_get(world_office_store(&w), account(), id, &w.mem, &row, &err));
    CHECK_OK(store_get(world_office_store(&w), account(), later, &w.mem, &row, &err));
    CHECK_OK(centre_recovery_end(org_centre(w.office), &err));
    CHECK_OK(world_settle(&w, &err));
    SCOPED(buf_free) struct buf difference = buf_new(BUF_MAX_LINE);
    CHECK_OK(world_compare(&w, &difference, &err));
    CHECK_TEXT(buf_text(&difference), "");
    world_close(&w);
}

/* A proof of one receipt of device 1, signed with this key. */
static struct receipt_proof proof_of(const struct sign_key *key, int64_t at, int64_t line_seq) {
    struct receipt_line *line = ARENA_NEW(&w.mem, struct receipt_line);
    struct receipt *receipt = ARENA_NEW(&w.mem, struct receipt);
    struct receipt_proof proof = {.device = 1, .receipts = receipt, .receipt_count = 1};
    line->seq = line_seq;
    *receipt = (struct receipt){.batch = 1, .at = at, .lines = line, .line_count = 1};
    proof.bytes = SLICE("whatever the receipts were read from");
    sign_make(key, proof.bytes, proof.signature);
    return proof;
}

static enum status given_with(const struct receipt_proof *proof, const struct sign_key *device) {
    struct centre_device known_device = {.number = 1};
    struct receipt_proof copy = *proof;
    struct edit edit = {0};
    struct change one = {.kind = CHANGE_EDIT, .entity_tag = 4, .row = 1, .edits = &edit};
    struct batch batch = {.number = 1, .changes = &one, .change_count = 1};
    struct give_back given = {
        .batches = &batch, .batch_count = 1, .proofs = &copy, .proof_count = 1};
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_BATCH);
    batch_write(&batch, &bytes);
    struct chain chain = chain_next(&given.before, buf_slice(&bytes));
    sign_make(device, slice_of(chain.bytes, CHAIN_BYTES), given.signature);
    sign_public(device, known_device.public_key);
    return org_check_given(org_centre(w.office), &known_device, &given, &err);
}

TEST(a_former_key_speaks_only_of_what_was_before_it_was_replaced) {
    const uint8_t seed[SIGN_SEED_BYTES] = {3}, strange[SIGN_SEED_BYTES] = {4};
    start();
    struct sign_key device = sign_key_from_seed(seed), stranger = sign_key_from_seed(strange);
    struct sign_key old = sign_key_from_seed(org().key_seed);
    int64_t seq = change().change.seq;
    struct sign_key now = sign_key_from_seed(org().key_seed);
    const struct {
        const char *name;
        const struct sign_key *key;
        int64_t at, line_seq;
        enum status status;
    } rows[] = {
        {"the present key, of any time", &now, seq + 5, seq + 5, ST_OK},
        {"the former key, before", &old, seq - 1, seq - 1, ST_OK},
        {"the former key, at the change itself", &old, seq, seq - 1, ST_DENIED},
        {"the former key, a line that is later", &old, seq - 1, seq, ST_DENIED},
        {"no key of the org", &stranger, 1, 1, ST_DENIED},
    };
    for
        EACH (row, rows) {
            struct receipt_proof proof = proof_of(row->key, row->at, row->line_seq);
            CHECK_ROW_INT(row, given_with(&proof, &device), row->status);
        }
    world_close(&w);
}

/* Vouchers are made by the seed; head office may have replaced it since. */
TEST(a_voucher_of_a_former_key_proves_nothing_above_its_change) {
    const struct {
        const char *name;
        int64_t above; /* of the change's seq */
        bool proved;
    } rows[] = {{"below it", -1, true}, {"at it", 0, false}, {"above it", 100, false}};
    start();
    struct sign_key old = sign_key_from_seed(org().key_seed);
    int64_t seq = change().change.seq;
    struct sign_key now = sign_key_from_seed(org().key_seed);
    struct centre_device device = {.number = 1};
    for
        EACH (row, rows) {
            struct position top = {.seq = seq + row->above, .chain = {{1, 2, 3}}};
            struct round_request none = {.epoch = 1}, claim = {.epoch = 1, .top = top};
            struct round_reply reply = {.kind = REPLY_ROUND, .epoch = 1, .head = top};
            bool proves;
            org_vouch(&old, 1, &none, &reply);
            claim.has_voucher = true;
            memcpy(claim.voucher.mac, reply.voucher, VOUCHER_BYTES);
            CHECK_OK(
                org_claim_is_proved(org_centre(w.office), &now, &device, &claim, &proves, &err));
            CHECK_ROW_INT(row, proves, row->proved);
            claim.voucher.mac[0] ^= 1;
            CHECK_OK(
                org_claim_is_proved(org_centre(w.office), &now, &device, &claim, &proves, &err));
            CHECK_ROW(row, !proves);
        }
    world_close(&w);
}

/* ------------------------------------------------------------------ the old key is gone */

static bool stands_in(const char *path, const uint8_t seed[SIGN_SEED_BYTES]) {
    struct arena mem SCOPED(arena_clear) = arena_new(64 * 1024 * 1024);
    struct slice bytes;
    if (!platform_exists(path)) return false;
    CHECK_OK(platform_read_file(path, 32 * 1024 * 1024, &mem, &bytes, &err));
    return memmem(bytes.data, bytes.len, seed, SIGN_SEED_BYTES) != NULL;
}

TEST(no_byte_of_an_old_private_key_stays) {
    char wal[WORLD_PATH_BYTES + 32];
    bool clean;
    start();
    for (int i = 0; i < 40; i++) (void)create(wang, "many, so that pages are split");
    sync(wang);
    struct centre_org before = org();
    change();
    CHECK_OK(centre_key_scrub(org_centre(w.office), before.key_seed, &clean, &err));
    CHECK(clean);
    CHECK(platform_exists(keys_beside()) && !stands_in(keys_beside(), before.key_seed));
    world_server_off(&w); /* a file of the engine is not opened beside it */
    (void)snprintf(wal, sizeof wal, "%s-wal", book_path());
    CHECK(!stands_in(book_path(), before.key_seed));
    CHECK(!stands_in(wal, before.key_seed));
    CHECK_OK(world_server_on(&w, &err));
    struct centre_org now = org();
    world_server_off(&w);
    CHECK(stands_in(book_path(), now.key_seed)); /* the search finds what is there */
    CHECK_OK(world_server_on(&w, &err));
    world_close(&w);
}

/* ------------------------------------------------------------------ additions */

TEST(fields_that_a_former_key_signed_come_back_and_none_that_are_newer) {
    struct arena mem SCOPED(arena_clear) = arena_new(16 * 1024 * 1024);
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_MESSAGE);
    start();
    struct added_field field = {.entity = account()->tag,
                                .type = FIELD_INT,
                                .rule = RULE_LAST,
                                .name = SLICE("fleet"),
                                .label = {SLICE("Fleet"), SLICE("车队")}};
    struct centre *c = org_centre(w.office);
    CHECK_OK(centre_added_fields(c, &field, 1, NULL, 0, false, &err));
    struct sign_key old = sign_key_from_seed(org().key_seed);
    change();
    struct signed_additions *lists;
    size_t count;
    CHECK_OK(centre_added_news(c, &mem, &lists, &count, &err));
    CHECK_INT((int)count, 1);
    wire_additions_signed(lists[0].bytes, &text);
    uint8_t now[SIGN_PUBLIC_BYTES];
    CHECK_OK(centre_key_now(c, now, &err));
    CHECK(sign_check(now, buf_slice(&text), lists[0].signature)); /* signed anew */
    struct signed_additions back = lists[0];
    sign_make(&old, buf_slice(&text), back.signature); /* as a laptop kept it */
    CHECK_OK(centre_begin(c, true, &err));
    CHECK_OK(centre_added_return(c, &back, 1, &err));
    struct additions later = {.fields = &field, .field_count = 1};
    field = lists[0].added.fields[0];
    field.tag += 1; /* a number that was not given then */
    CHECK_OK(wire_write_additions(&later, &bytes, &err));
    buf_reset(&text);
    wire_additions_signed(buf_slice(&bytes), &text);
    back = (struct signed_additions){.bytes = buf_slice(&bytes), .added = later};
    sign_make(&old, buf_slice(&text), back.signature);
    CHECK_STATUS(centre_added_return(c, &back, 1, &err), ST_DENIED);
    centre_rollback(c);
    world_close(&w);
}
