/* Contents of attachments at the server, by a laptop of the world: what it may bring and have, what
 * is refused, what the book says then; and the mover over it. */
#include <string.h>

#include "syncd/agent/mover.h"
#include "syncd/platform/platform.h"
#include "syncd/server/content.h"
#include "syncd/server/scope.h"
#include "tests/unit/check.h"
#include "tests/world/world.h"

struct scene {
    struct world w;
    struct world_laptop *lin, *chen;
    const struct entity *e;
    int64_t account;
    struct arena mem;
};

static struct err err;

static void sync_all(struct scene *s) {
    CHECK_OK(world_settle(&s->w, &err));
}

static void scene_open(struct scene *s) {
    struct receipt receipt;
    memset(s, 0, sizeof *s);
    s->mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(world_open(7, &s->w, &err));
    CHECK_OK(world_laptop_add(&s->w, "lin", &err));
    CHECK_OK(world_laptop_add(&s->w, "chen", &err));
    s->lin = world_laptop(&s->w, SLICE("lin"));
    s->chen = world_laptop(&s->w, SLICE("chen"));
    s->e = attachment_entity(&s->w.catalogue);
    const struct entity *account = catalogue_entity(&s->w.catalogue, SLICE("account"));
    struct field_edit name = {.field = entity_field(account, SLICE("name")),
                              .value = value_text(SLICE("Acme"))};
    CHECK_OK(world_office_save(&s->w, account, 0, &name, 1, &receipt, &s->account, &err));
    sync_all(s);
}

static void scene_close(struct scene *s) {
    world_close(&s->w);
    arena_clear(&s->mem);
}

static struct slice content_of(struct scene *s, size_t len, unsigned seed) {
    uint8_t *data = arena_alloc(&s->mem, len + 1);
    for (size_t i = 0; i < len; i++) data[i] = (uint8_t)(i * 131 + seed + (i >> 9));
    return slice_of(data, len);
}

static int64_t row_make(struct scene *s, struct world_laptop *l, const struct hash *hash,
                        int64_t bytes) {
    char name[BLOB_NAME_BYTES + 1];
    int64_t id;
    uint32_t batch;
    blob_name(hash, name);
    struct field_edit edits[] = {
        {.field = attachment_field(s->e, ATTACHMENT_ACCOUNT), .value = value_int(s->account)},
        {.field = attachment_field(s->e, ATTACHMENT_SIZE), .value = value_int(bytes)},
        {.field = attachment_field(s->e, ATTACHMENT_CONTENT),
         .value = value_text(slice_from(name))},
        {.field = attachment_field(s->e, ATTACHMENT_KIND), .value = value_int(ATTACHMENT_PHOTO)}};
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_create(l->store, s->e, edits, ARRAY_COUNT(edits), &id, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
    return id;
}

static enum status ask(struct scene *s, struct world_laptop *l, const struct content_request *m,
                       struct content_reply *out) {
    struct slice answer;
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    CHECK_OK(wire_write_content_request(m, &message, &err));
    enum status status =
        agent_ask(l->agent, "content", buf_slice(&message), &s->mem, &answer, &err);
    if (status != ST_OK) return status;
    return wire_read_content_reply(answer, &s->mem, out, &err);
}

static int64_t arrived(struct scene *s, struct world_laptop *l, int64_t id) {
    struct row row;
    struct attachment a;
    CHECK_OK(store_get(l->store, s->e, id, &s->mem, &row, &err));
    attachment_read(&row, &a);
    return a.arrived_ms;
}

TEST(a_content_goes_up_in_pieces_and_its_row_says_so) {
    struct scene s;
    struct content_reply reply;
    scene_open(&s);
    struct slice all = content_of(&s, 100000, 1);
    struct hash hash = hash_sha256(all);
    struct content_request m = {.content = hash, .bytes = 100000};
    CHECK_INT(ask(&s, s.lin, &m, &reply), ST_NOT_FOUND); /* its row is not there yet */
    int64_t id = row_make(&s, s.lin, &hash, 100000);
    sync_all(&s);
    CHECK_INT(arrived(&s, s.chen, id), 0);
    CHECK_OK(ask(&s, s.lin, &m, &reply));
    CHECK_INT(reply.offset, 0);
    m.piece = slice_of(all.data, 60000);
    CHECK_OK(ask(&s, s.lin, &m, &reply));
    CHECK_INT(reply.offset, 60000);
    CHECK(!reply.whole);
    CHECK_OK(ask(&s, s.lin, &m, &reply)); /* the reply was lost: the same again changes nothing */
    CHECK_INT(reply.offset, 60000);
    struct content_request wants = {.wants = true, .content = hash, .bytes_max = 1000};
    CHECK_INT(ask(&s, s.chen, &wants, &reply), ST_NOT_FOUND); /* only whole contents are had */
    m.offset = 60000;
    m.piece = slice_of(all.data + 60000, 40000);
    CHECK_OK(ask(&s, s.lin, &m, &reply));
    CHECK(reply.whole);
    sync_all(&s);
    CHECK(arrived(&s, s.chen, id) > 0);
    wants.offset = 99500;
    CHECK_OK(ask(&s, s.chen, &wants, &reply));
    CHECK_INT(reply.bytes, 100000);
    CHECK_SLICES(reply.piece, slice_of(all.data + 99500, 500));
    wants.offset = 200000;
    CHECK_OK(ask(&s, s.chen, &wants, &reply));
    CHECK_INT(reply.piece.len, 0);
    scene_close(&s);
}

TEST(what_is_not_right_is_refused_and_leaves_nothing) {
    struct scene s;
    struct content_reply reply;
    scene_open(&s);
    struct slice all = content_of(&s, 5000, 2), other = content_of(&s, 5000, 9);
    struct hash hash = hash_sha256(all), nothing = hash_sha256((struct slice){0});
    (void)row_make(&s, s.lin, &hash, 5000);
    (void)row_make(&s, s.lin, &nothing, 1);
    sync_all(&s);
    const struct {
        const char *name;
        struct content_request m;
        enum status expected;
    } ROWS[] = {
        {"wrong bytes", {.content = hash, .bytes = 5000, .piece = other}, ST_INVALID},
        {"more than it is said to have", {.content = hash, .bytes = 4000, .piece = all}, ST_INVALID},
        {"the hash of nothing", {.content = nothing, .bytes = 0}, ST_INVALID},
        {"too large a file", {.content = hash, .bytes = CONTENT_FILE_BYTES_MAX + 1}, ST_TOO_LARGE},
        {"nobody names it", {.content = {{1}}, .bytes = 5000, .piece = all}, ST_NOT_FOUND},
        {"wanted, not named", {.wants = true, .content = {{1}}, .bytes_max = 10}, ST_NOT_FOUND},
        {"wanted, not there", {.wants = true, .content = hash, .bytes_max = 10}, ST_NOT_FOUND},
    };
    for
        EACH (row, ROWS) {
            CHECK_ROW_INT(row, ask(&s, s.lin, &row->m, &reply), row->expected);
            CHECK_ROW(row, err.text[LANG_EN][0] && err.text[LANG_ZH][0]);
        }
    struct content_request m = {.content = hash, .bytes = 5000};
    CHECK_OK(ask(&s, s.lin, &m, &reply));
    CHECK_INT(reply.offset, 0);
    struct content_limits limits = {CONTENT_FILE_BYTES_MAX, 4000};
    CHECK_OK(content_limits_set(centre_store(org_centre(s.w.office)), &limits, &err));
    CHECK_INT(ask(&s, s.lin, &m, &reply), ST_DISK);
    CHECK_INT(status_http(ST_DISK), 507);
    CHECK_INT(status_http(ST_TOO_LARGE), 413);
    scene_close(&s);
}

TEST(a_message_that_is_not_well_formed_is_refused) {
    struct scene s;
    struct slice answer;
    scene_open(&s);
    CHECK_INT(agent_ask(s.lin->agent, "content", SLICE("\xB7\x01\x08"), &s.mem, &answer, &err),
              ST_MALFORMED);
    CHECK_INT(agent_ask(s.lin->agent, "content", SLICE(""), &s.mem, &answer, &err), ST_MALFORMED);
    scene_close(&s);
}

TEST(each_laptop_has_a_part_of_its_own) {
    struct scene s;
    struct content_reply reply;
    scene_open(&s);
    struct slice all = content_of(&s, 8000, 3), bad = content_of(&s, 8000, 77);
    struct hash hash = hash_sha256(all);
    (void)row_make(&s, s.lin, &hash, 8000);
    (void)row_make(&s, s.chen, &hash, 8000);
    sync_all(&s);
    struct content_request spoils = {
        .content = hash, .bytes = 8000, .piece = slice_of(bad.data, 4000)};
    CHECK_OK(ask(&s, s.chen, &spoils, &reply));
    struct content_request m = {.content = hash, .bytes = 8000, .piece = all};
    CHECK_OK(ask(&s, s.lin, &m, &reply));
    CHECK(reply.whole);
    spoils.offset = 4000;
    CHECK_OK(ask(&s, s.chen, &spoils, &reply)); /* it is here by now */
    CHECK(reply.whole);
    scene_close(&s);
}

TEST(head_office_says_when_a_content_is_lost_and_it_comes_again) {
    struct scene s;
    struct content_reply reply;
    struct blobs blobs;
    scene_open(&s);
    struct slice all = content_of(&s, 3000, 4);
    struct hash hash = hash_sha256(all);
    int64_t id = row_make(&s, s.lin, &hash, 3000);
    sync_all(&s);
    struct content_request m = {.content = hash, .bytes = 3000, .piece = all};
    CHECK_OK(ask(&s, s.lin, &m, &reply));
    sync_all(&s);
    CHECK(arrived(&s, s.chen, id) > 0);
    CHECK_OK(content_folder(arena_printf(&s.mem, "%s/org/demo.db", s.w.dir), &blobs, &err));
    CHECK(blob_is_here(&blobs, &hash));
    blob_remove(&blobs, &hash, 0);
    struct content_request wants = {.wants = true, .content = hash, .bytes_max = 1000};
    CHECK_INT(ask(&s, s.chen, &wants, &reply), ST_NOT_FOUND);
    sync_all(&s);
    CHECK_INT(arrived(&s, s.lin, id), 0);
    scene_close(&s);
}

TEST(only_who_sees_a_row_gets_its_content) {
    struct scene s;
    struct content_reply reply;
    scene_open(&s);
    struct slice all = content_of(&s, 3000, 8);
    struct hash hash = hash_sha256(all);
    (void)row_make(&s, s.lin, &hash, 3000);
    sync_all(&s);
    CHECK_OK(org_scope_set(s.w.office, true, &err)); /* the account has no owner and no team */
    struct content_request m = {.content = hash, .bytes = 3000, .piece = all};
    CHECK_INT(ask(&s, s.chen, &m, &reply), ST_NOT_FOUND);
    CHECK_OK(ask(&s, s.lin, &m, &reply)); /* it has the file, and nobody else */
    CHECK(reply.whole);
    struct content_request wants = {.wants = true, .content = hash, .bytes_max = 5000};
    CHECK_INT(ask(&s, s.chen, &wants, &reply), ST_NOT_FOUND);
    CHECK_INT(ask(&s, s.lin, &wants, &reply), ST_NOT_FOUND);
    CHECK_OK(org_scope_set(s.w.office, false, &err));
    CHECK_OK(ask(&s, s.chen, &wants, &reply));
    CHECK_SLICES(reply.piece, all);
    scene_close(&s);
}

static enum status age(void *ctx, const struct blob_found *found, struct err *problem) {
    (void)problem;
    *(int64_t *)ctx = found->written_ms;
    return ST_OK;
}

TEST(what_no_row_names_goes_after_its_time) {
    struct scene s;
    struct content_reply reply;
    struct content_swept swept;
    struct blobs blobs;
    int64_t written_ms = 0;
    const int64_t day = 24 * 3600 * 1000;
    scene_open(&s);
    struct slice all = content_of(&s, 2000, 10);
    struct hash hash = hash_sha256(all);
    int64_t id = row_make(&s, s.lin, &hash, 2000);
    sync_all(&s);
    struct content_request m = {.content = hash, .bytes = 2000, .piece = all};
    CHECK_OK(ask(&s, s.lin, &m, &reply));
    CHECK_OK(content_folder(arena_printf(&s.mem, "%s/org/demo.db", s.w.dir), &blobs, &err));
    CHECK_OK(blob_walk(&blobs, age, &written_ms, &err));
    struct store *book = world_office_store(&s.w);
    CHECK_OK(content_sweep(book, &blobs, written_ms + 100 * day, 30, false, &swept, &err));
    CHECK_INT(swept.removed + swept.waiting, 0);
    CHECK_OK(world_office_delete(&s.w, s.e, id, &err));
    CHECK_OK(content_sweep(book, &blobs, written_ms, 30, false, &swept, &err));
    CHECK_INT(swept.waiting, 1); /* from now on it is counted */
    CHECK_OK(content_sweep(book, &blobs, written_ms + 29 * day, 30, false, &swept, &err));
    CHECK_INT(swept.removed, 0);
    CHECK_OK(content_sweep(book, &blobs, written_ms + 31 * day, 30, true, &swept, &err));
    CHECK_INT(swept.removed, 1);
    CHECK(blob_is_here(&blobs, &hash)); /* it only said so */
    CHECK_OK(content_sweep(book, &blobs, written_ms + 31 * day, 30, false, &swept, &err));
    CHECK(!blob_is_here(&blobs, &hash));
    scene_close(&s);
}

static struct mover *mover_of(struct scene *s, struct world_laptop *l) {
    struct mover_config config = {.agent = l->agent,
                                  .store = l->sync_store,
                                  .transport = &l->door,
                                  .env = &l->env,
                                  .home = l->dir};
    struct mover *m;
    (void)s;
    CHECK_OK(mover_open(&config, &m, &err));
    return m;
}

static void move_all(struct mover *m) {
    bool more = true;
    mover_look(m);
    for (int i = 0; more; i++) {
        CHECK(i < 1000);
        CHECK_OK(mover_step(m, &more, &err));
    }
}

TEST(the_mover_brings_and_fetches_by_rule_and_by_wish) {
    struct scene s;
    struct blobs mine, theirs;
    struct hash hash;
    struct mover_progress p;
    int64_t bytes;
    scene_open(&s);
    struct slice all = content_of(&s, 400000, 5);
    const char *file = arena_printf(&s.mem, "%s/photo.jpg", s.w.dir);
    CHECK_OK(platform_write_file_private(file, all, &err));
    CHECK_OK(mover_blobs(s.lin->dir, &mine, &err));
    CHECK_OK(mover_blobs(s.chen->dir, &theirs, &err));
    CHECK_OK(blob_take_file(&mine, file, INT64_MAX, &hash, &bytes, &err));
    int64_t id = row_make(&s, s.lin, &hash, bytes);
    sync_all(&s);
    struct mover *up = mover_of(&s, s.lin), *down = mover_of(&s, s.chen);
    move_all(up);
    mover_progress(up, &p);
    CHECK_INT(p.up, 1);
    CHECK_INT(p.bytes_up, 400000);
    sync_all(&s);
    CHECK(arrived(&s, s.chen, id) > 0);
    move_all(down); /* chen neither made it nor owns the account */
    CHECK(!blob_is_here(&theirs, &hash));
    CHECK_OK(blob_mark(&theirs, MOVER_MARK_WANT, &hash, (struct slice){0}, &err));
    move_all(down);
    mover_progress(down, &p);
    CHECK_INT(p.down, 1);
    CHECK_OK(blob_check(&theirs, &hash, &err));
    CHECK(!blob_is_marked(&theirs, MOVER_MARK_WANT, &hash, NULL, NULL));
    mover_close(up);
    mover_close(down);
    scene_close(&s);
}

static int64_t far_from_now(void *ctx) {
    return *(const int64_t *)ctx;
}

TEST(a_laptop_keeps_no_content_that_no_row_names_there) {
    struct scene s;
    struct blobs mine;
    struct hash hash;
    struct mover *m;
    int64_t bytes, removed, written_ms = 0;
    scene_open(&s);
    struct slice all = content_of(&s, 5000, 11);
    const char *file = arena_printf(&s.mem, "%s/photo.jpg", s.w.dir);
    CHECK_OK(platform_write_file_private(file, all, &err));
    CHECK_OK(mover_blobs(s.lin->dir, &mine, &err));
    CHECK_OK(blob_take_file(&mine, file, INT64_MAX, &hash, &bytes, &err));
    CHECK_OK(blob_walk(&mine, age, &written_ms, &err));
    int64_t now_ms = written_ms + MOVER_ORPHAN_MS - 1;
    struct env env = {.ctx = &now_ms, .wall_ms = far_from_now};
    struct mover_config config = {.agent = s.lin->agent,
                                  .store = s.lin->store,
                                  .transport = &s.lin->door,
                                  .env = &env,
                                  .home = s.lin->dir};
    CHECK_OK(mover_open(&config, &m, &err));
    CHECK_OK(mover_sweep(m, &removed, &err)); /* its row may be on its way into the book */
    CHECK_INT(removed, 0);
    int64_t id = row_make(&s, s.lin, &hash, bytes);
    sync_all(&s);
    now_ms += 10 * MOVER_ORPHAN_MS;
    CHECK_OK(mover_sweep(m, &removed, &err));
    CHECK_INT(removed, 0);
    CHECK_OK(world_office_delete(&s.w, s.e, id, &err));
    sync_all(&s);
    CHECK_OK(mover_sweep(m, &removed, &err));
    CHECK_INT(removed, 1);
    CHECK(!blob_is_here(&mine, &hash));
    mover_close(m);
    scene_close(&s);
}

TEST(data_saver_leaves_large_files_where_they_are) {
    struct scene s;
    struct blobs mine;
    struct hash hash;
    struct mover_progress p;
    int64_t bytes;
    struct mover_rules rules;
    scene_open(&s);
    struct slice all = content_of(&s, 50000, 6);
    const char *file = arena_printf(&s.mem, "%s/photo.jpg", s.w.dir);
    CHECK_OK(platform_write_file_private(file, all, &err));
    CHECK_OK(mover_blobs(s.lin->dir, &mine, &err));
    CHECK_OK(blob_take_file(&mine, file, INT64_MAX, &hash, &bytes, &err));
    (void)row_make(&s, s.lin, &hash, bytes);
    sync_all(&s);
    CHECK_OK(mover_rules(s.lin->store, &rules, &err));
    CHECK(!rules.saver);
    rules.saver = true;
    CHECK_OK(mover_rules_set(s.lin->store, &rules, &err));
    struct mover *m = mover_of(&s, s.lin);
    move_all(m);
    mover_progress(m, &p);
    CHECK_INT(p.up, 0);
    rules.saver_bytes = 50000;
    CHECK_OK(mover_rules_set(s.lin->store, &rules, &err));
    move_all(m);
    mover_progress(m, &p);
    CHECK_INT(p.up, 1);
    mover_close(m);
    scene_close(&s);
}
