/* Contents on disk: names, parts, what is refused, walks. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "syncd/platform/platform.h"
#include "syncd/store/attachment.h"
#include "tests/unit/check.h"

struct place {
    struct arena mem;
    const char *dir;
    struct blobs blobs;
};

static void place_open(struct place *p) {
    struct err err;
    p->mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(platform_temp_dir(&p->mem, &p->dir, &err));
    CHECK_OK(blobs_at(arena_printf(&p->mem, "%s/blob", p->dir), &p->blobs, &err));
}

static void place_close(struct place *p) {
    struct err err;
    CHECK_OK(platform_remove_tree(p->dir, &err));
    arena_clear(&p->mem);
}

static struct slice bytes_of(struct place *p, size_t len, unsigned seed) {
    uint8_t *data = arena_alloc(&p->mem, len + 1);
    for (size_t i = 0; i < len; i++) data[i] = (uint8_t)((i * 31 + seed) >> 3 ^ i);
    return slice_of(data, len);
}

static enum status append(struct place *p, const struct hash *hash, struct slice all, size_t from,
                          size_t to, bool *out_whole) {
    struct err err;
    return blob_append(&p->blobs, hash, 7, (int64_t)all.len, (int64_t)from,
                       slice_of(all.data + from, to - from), out_whole, &err);
}

TEST(the_hash_of_parts_is_that_of_the_whole) {
    struct hash_run run;
    struct hash expected = hash_sha256(SLICE("abc"));
    hash_run_start(&run);
    hash_run_add(&run, SLICE("a"));
    hash_run_add(&run, (struct slice){0});
    hash_run_add(&run, SLICE("bc"));
    struct hash is = hash_run_end(&run);
    CHECK(memcmp(is.bytes, expected.bytes, HASH_BYTES) == 0);
}

TEST(names_are_64_small_hexadecimal_digits) {
    static const struct {
        const char *name;
        const char *text;
        bool expected;
    } ROWS[] = {
        {"right", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", true},
        {"capitals", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", false},
        {"short", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a", false},
        {"long", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015adb", false},
        {"a path", "../../../../../../../../../../../../../../../../../../etc/passwd", false},
        {"nothing", "", false},
    };
    for
        EACH (row, ROWS) {
            struct hash hash;
            char back[BLOB_NAME_BYTES + 1];
            CHECK_ROW(row, blob_name_read(slice_from(row->text), &hash) == row->expected);
            if (!row->expected) continue;
            blob_name(&hash, back);
            CHECK_ROW(row, strcmp(back, row->text) == 0);
        }
}

TEST(pieces_in_order_make_a_content) {
    struct place p;
    struct err err;
    struct slice all, read;
    struct platform_file_info info;
    char path[BLOB_PATH_BYTES + 80];
    bool whole = true;
    int64_t bytes;
    place_open(&p);
    all = bytes_of(&p, 100000, 1);
    struct hash hash = hash_sha256(all);
    CHECK_OK(append(&p, &hash, all, 0, 40000, &whole));
    CHECK(!whole);
    CHECK_INT(append(&p, &hash, all, 50000, 60000, &whole), ST_CONFLICT);
    CHECK_OK(blob_part_bytes(&p.blobs, &hash, 7, &bytes, &err));
    CHECK_INT(bytes, 40000);
    CHECK_OK(blob_part_bytes(&p.blobs, &hash, 8, &bytes, &err));
    CHECK_INT(bytes, 0);
    CHECK(!blob_is_here(&p.blobs, &hash));
    CHECK_OK(append(&p, &hash, all, 40000, 100000, &whole));
    CHECK(whole);
    CHECK_OK(blob_bytes(&p.blobs, &hash, &bytes, &err));
    CHECK_INT(bytes, 100000);
    blob_path(&p.blobs, &hash, path);
    CHECK_OK(platform_file_info(path, &info, &err));
    CHECK_OK(blob_read(&p.blobs, &hash, 99990, 100, &p.mem, &read, &err));
    CHECK_SLICES(read, slice_of(all.data + 99990, 10));
    CHECK_OK(blob_read(&p.blobs, &hash, 100000, 100, &p.mem, &read, &err));
    CHECK_INT(read.len, 0);
    CHECK_OK(blob_check(&p.blobs, &hash, &err));
    CHECK_OK(append(&p, &hash, all, 0, 10, &whole)); /* another brings it too: nothing to do */
    CHECK(whole);
    place_close(&p);
}

TEST(wrong_bytes_leave_nothing) {
    struct place p;
    struct err err;
    bool whole = false;
    int64_t bytes;
    place_open(&p);
    struct slice all = bytes_of(&p, 5000, 2), other = bytes_of(&p, 5000, 99);
    struct hash hash = hash_sha256(all);
    CHECK_OK(append(&p, &hash, other, 0, 2500, &whole));
    CHECK_INT(append(&p, &hash, all, 2500, 5000, &whole), ST_DAMAGED);
    CHECK(!whole);
    CHECK_OK(blob_part_bytes(&p.blobs, &hash, 7, &bytes, &err));
    CHECK_INT(bytes, 0);
    CHECK_INT(blob_append(&p.blobs, &hash, 7, 10, 0, all, &whole, &err), ST_INVALID);
    CHECK_INT(blob_append(&p.blobs, &hash, 7, 10, -1, all, &whole, &err), ST_INVALID);
    place_close(&p);
}

TEST(a_part_that_was_complete_when_the_program_died_gets_its_name) {
    struct place p;
    struct err err;
    bool whole = false;
    place_open(&p);
    struct slice all = bytes_of(&p, 3000, 3);
    struct hash hash = hash_sha256(all);
    CHECK_OK(append(&p, &hash, all, 0, 1000, &whole));
    char name[BLOB_NAME_BYTES + 1];
    blob_name(&hash, name);
    CHECK_OK(platform_append(arena_printf(&p.mem, "%s/part/%s-7", p.blobs.dir, name), 1000,
                             slice_of(all.data + 1000, 2000), &err));
    CHECK_OK(append(&p, &hash, all, 3000, 3000, &whole));
    CHECK(whole);
    place_close(&p);
}

/* A file that may not grow is a disk that is full. */
static void disk_room(rlim_t bytes) {
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(a_full_disk_leaves_what_was_there_and_it_goes_on_later) {
    struct place p;
    struct err err;
    struct hash copied;
    bool whole = false;
    int64_t bytes;
    place_open(&p);
    struct slice all = bytes_of(&p, 20000, 12);
    struct hash hash = hash_sha256(all);
    const char *file = arena_printf(&p.mem, "%s/photo", p.dir);
    CHECK_OK(platform_write_file_private(file, all, &err));
    CHECK_OK(append(&p, &hash, all, 0, 8000, &whole));
    disk_room(10000);
    enum status status = append(&p, &hash, all, 8000, 20000, &whole);
    enum status taken = blob_take_file(&p.blobs, file, 1 << 20, &copied, &bytes, &err);
    disk_room(RLIM_INFINITY);
    CHECK_INT(status, ST_DISK);
    CHECK_INT(taken, ST_DISK);
    CHECK_OK(blob_part_bytes(&p.blobs, &hash, 7, &bytes, &err));
    CHECK_INT(bytes, 8000);
    CHECK_OK(append(&p, &hash, all, 8000, 20000, &whole));
    CHECK(whole);
    place_close(&p);
}

TEST(files_of_people_are_copied_or_refused) {
    struct place p;
    struct err err;
    struct hash hash;
    struct slice copy;
    int64_t bytes;
    place_open(&p);
    struct slice all = bytes_of(&p, 3 * 1024 * 1024 + 5, 4);
    const char *path = arena_printf(&p.mem, "%s/photo.jpg", p.dir);
    const char *empty = arena_printf(&p.mem, "%s/empty", p.dir);
    const char *out = arena_printf(&p.mem, "%s/out", p.dir);
    CHECK_OK(platform_write_file_private(path, all, &err));
    CHECK_OK(platform_make_file(empty, true, &err));
    CHECK_OK(blob_take_file(&p.blobs, path, 10 * 1024 * 1024, &hash, &bytes, &err));
    CHECK_INT(bytes, (int64_t)all.len);
    struct hash expected = hash_sha256(all);
    CHECK(memcmp(hash.bytes, expected.bytes, HASH_BYTES) == 0);
    CHECK_INT(blob_take_file(&p.blobs, path, 1024, &hash, &bytes, &err), ST_TOO_LARGE);
    CHECK_INT(blob_take_file(&p.blobs, empty, 1024, &hash, &bytes, &err), ST_INVALID);
    CHECK_INT(blob_take_file(&p.blobs, p.dir, 1024, &hash, &bytes, &err), ST_INVALID);
    CHECK_INT(blob_take_file(&p.blobs, "/dev/zero", 1024, &hash, &bytes, &err), ST_INVALID);
    CHECK_OK(blob_copy_to(&p.blobs, &expected, out, &err));
    CHECK_OK(platform_read_file(out, BUF_MAX_MESSAGE, &p.mem, &copy, &err));
    CHECK_SLICES(copy, all);
    CHECK_INT(blob_copy_to(&p.blobs, &expected, out, &err), ST_CONFLICT);
    place_close(&p);
}

static enum status count(void *ctx, const struct blob_found *found, struct err *err) {
    int64_t *counts = ctx;
    (void)err;
    counts[found->is_part]++;
    CHECK(!found->is_part || found->owner == 7);
    return ST_OK;
}

TEST(a_walk_finds_contents_and_parts_and_passes_over_the_rest) {
    struct place p;
    struct err err;
    struct blob_sum sum;
    struct slice text;
    bool whole;
    int64_t counts[2] = {0};
    place_open(&p);
    CHECK_OK(blob_sum(&p.blobs, &sum, &err));
    CHECK_INT(sum.contents + sum.parts, 0);
    struct slice one = bytes_of(&p, 300, 5), two = bytes_of(&p, 400, 6);
    struct hash first = hash_sha256(one), second = hash_sha256(two);
    CHECK_OK(append(&p, &first, one, 0, 300, &whole));
    CHECK_OK(append(&p, &second, two, 0, 150, &whole));
    CHECK_OK(platform_make_file(arena_printf(&p.mem, "%s/part/stray", p.blobs.dir), true, &err));
    CHECK_OK(blob_mark(&p.blobs, "no", &first, SLICE("why\n"), &err));
    CHECK_OK(blob_walk(&p.blobs, count, counts, &err));
    CHECK_INT(counts[0], 1);
    CHECK_INT(counts[1], 1);
    CHECK_OK(blob_sum(&p.blobs, &sum, &err));
    CHECK_INT(sum.bytes, 300);
    CHECK_INT(sum.part_bytes, 150);
    CHECK(blob_is_marked(&p.blobs, "no", &first, &p.mem, &text));
    CHECK_SLICES(text, SLICE("why\n"));
    CHECK(blob_marked_ms(&p.blobs, "no", &first) > 0);
    blob_unmark(&p.blobs, "no", &first);
    CHECK(!blob_is_marked(&p.blobs, "no", &first, NULL, NULL));
    blob_remove(&p.blobs, &first, 7);
    CHECK(!blob_is_here(&p.blobs, &first));
    place_close(&p);
}

TEST(names_of_files_are_never_paths) {
    static const struct {
        const char *name, *text, *expected;
    } ROWS[] = {
        {"plain", "photo.jpg", "photo.jpg"},
        {"Chinese", "场地 照片.jpg", "场地 照片.jpg"},
        {"a path", "/etc/passwd", "passwd"},
        {"upwards", "../../x", "x"},
        {"only dots", "..", "file"},
        {"hidden", ".ssh", "ssh"},
        {"backslashes", "C:\\a\\b.exe", "b.exe"},
        {"a drive", "C:evil", "evil"},
        {"control characters", "a\x1b[2Jb\n", "a_[2Jb"},
        {"nothing", "", "file"},
        {"a folder", "a/", "file"},
    };
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    for
        EACH (row, ROWS)
            CHECK_ROW(row, strcmp(attachment_safe_name(slice_from(row->text), &mem),
                                  row->expected) == 0);
    arena_clear(&mem);
}

TEST(what_a_file_is_shows_in_its_name) {
    static const struct {
        const char *name, *type;
        enum attachment_kind kind;
    } ROWS[] = {
        {"A.JPG", "image/jpeg", ATTACHMENT_PHOTO},
        {"rec.m4a", "audio/mp4", ATTACHMENT_RECORDING},
        {"sign.svg", "image/svg+xml", ATTACHMENT_SIGNATURE},
        {"jpg", "application/octet-stream", ATTACHMENT_OTHER},
        {"a.b.unknown", "application/octet-stream", ATTACHMENT_OTHER},
        {"", "application/octet-stream", ATTACHMENT_OTHER},
    };
    for
        EACH (row, ROWS) {
            enum attachment_kind kind;
            CHECK_ROW(row, strcmp(attachment_media_type(slice_from(row->name), &kind), row->type) ==
                               0);
            CHECK_ROW_INT(row, kind, row->kind);
        }
}

TEST(tags_are_those_of_the_catalogue) {
    static const struct {
        const char *name;
        enum attachment_tag tag;
    } ROWS[] = {{"account", ATTACHMENT_ACCOUNT},       {"visit", ATTACHMENT_VISIT},
                {"opportunity", ATTACHMENT_OPPORTUNITY}, {"contact", ATTACHMENT_CONTACT},
                {"title", ATTACHMENT_TITLE},           {"file_name", ATTACHMENT_FILE_NAME},
                {"kind", ATTACHMENT_KIND},             {"media_type", ATTACHMENT_MEDIA_TYPE},
                {"size", ATTACHMENT_SIZE},             {"content", ATTACHMENT_CONTENT},
                {"taken_at", ATTACHMENT_TAKEN_AT},     {"author", ATTACHMENT_AUTHOR},
                {"arrived_at", ATTACHMENT_ARRIVED_AT}};
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue cat;
    struct err err;
    CHECK_OK(catalogue_release(&mem, &cat, &err));
    const struct entity *e = attachment_entity(&cat);
    CHECK(strcmp(e->name, "attachment") == 0);
    CHECK_INT(e->field_count, ARRAY_COUNT(ROWS));
    for
        EACH (row, ROWS)
            CHECK_ROW(row, strcmp(attachment_field(e, row->tag)->name, row->name) == 0);
    arena_clear(&mem);
}
