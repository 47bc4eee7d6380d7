/* The copy of the server's book that grows with each commit: when another line of it begins, and
 * that a book made from it is the book. tests/e2e/test_copy.py has the programs. */
#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/centre_copy_private.h"
#include "tests/unit/two_laptops.h"

static char folder[WORLD_PATH_BYTES + 16];

static void start_copy(void) {
    struct err err;
    start();
    (void)snprintf(folder, sizeof folder, "%s/copy", w.dir);
    CHECK_OK(centre_copy_start(org_centre(w.office), folder, NULL, NULL, &err));
    reopen();
}

/* How many there are; the name of the last into last, as base and changes have it. */
static size_t look(char last[COPY_LINE_NAME_BYTES]) {
    struct err err;
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    const char *const *names;
    size_t count, bases = 0;
    CHECK_OK(platform_list_dir(folder, COPY_FILES_MAX, &mem, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if (strncmp(names[i], COPY_BASE, 5) != 0 || strcmp(names[i] + len - 3, ".db") != 0)
            continue;
        (void)snprintf(last, COPY_LINE_NAME_BYTES, "%.*s", (int)len - 8, names[i] + 5);
        bases++;
    }
    arena_clear(&mem);
    return bases;
}

static size_t lines(void) {
    char last[COPY_LINE_NAME_BYTES];
    return look(last);
}

/* Where the log of the book stands that the folder makes. */
static struct position made(int64_t until_ms) {
    static int number;
    char path[WORLD_PATH_BYTES + 32];
    struct copy_read read;
    struct org_reader *reader;
    struct centre_head head;
    struct err err;
    (void)snprintf(path, sizeof path, "%s/made-%d.db", w.dir, number++);
    CHECK_OK(copy_book_at(folder, path, until_ms, &read, &err));
    CHECK_INT(read.conflicts, 0);
    CHECK(!read.gap);
    struct org_config config = {.path = path, .catalogue = &w.catalogue, .env = &w.env};
    CHECK_OK(org_reader_open(&config, &reader, &err));
    CHECK_OK(org_head(reader, &head, &err));
    org_reader_close(reader);
    return head.position;
}

static bool is_made(const struct position *as) {
    struct position is = made(INT64_MAX);
    return is.seq == as->seq && memcmp(is.chain.bytes, as->chain.bytes, CHAIN_BYTES) == 0;
}

static void work(const char *name) {
    (void)create(wang, name);
    sync(wang);
    sync(li);
}

TEST(each_commit_is_in_the_copy_whoever_made_it) {
    start_copy();
    size_t before = lines();
    for (int i = 0; i < 3; i++) {
        work("远大集团");
        struct position at = head().position;
        CHECK(is_made(&at));
    }
    reopen(); /* other handles, other files */
    work("again");
    struct position at = head().position;
    CHECK(is_made(&at));
    CHECK_INT(lines(), before);
    world_close(&w);
}

/* It gives the numbers of its transactions again: what the folder has of them is of another life.
 */
TEST(a_book_that_is_set_back_begins_another_line) {
    struct err err;
    start_copy();
    CHECK_OK(world_backup(&w, false, &err));
    work("of the life that is forgotten");
    work("and another");
    struct position forgotten = head().position;
    int64_t then_ms = w.now_ms;
    w.now_ms += 60000;
    size_t before = lines();
    CHECK_OK(world_rollback_here(&w, &err));
    CHECK_INT(lines(), before + 1);
    (void)create(li, "of this one");
    CHECK_OK(world_settle(&w, &err));
    struct position at = head().position, old = made(then_ms);
    CHECK(is_made(&at));
    CHECK_INT(old.seq, forgotten.seq); /* as it was then, it was */
    CHECK(memcmp(old.chain.bytes, forgotten.chain.bytes, CHAIN_BYTES) == 0);
    reopen();
    CHECK_INT(lines(), before + 1);
    world_close(&w);
}

TEST(a_transaction_that_is_missing_begins_another_line) {
    struct err err;
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    const char *const *names;
    size_t count, before;
    start_copy();
    work("远大集团");
    before = lines();
    world_server_off(&w);
    CHECK_OK(platform_list_dir(folder, COPY_FILES_MAX, &mem, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], COPY_CHANGES, 8) != 0) continue;
        const char *path = arena_printf(&mem, "%s/%s", folder, names[i]);
        CHECK_OK(platform_remove(path, &err));
    }
    arena_clear(&mem);
    CHECK_OK(world_server_on(&w, &err));
    CHECK_INT(lines(), before + 1);
    work("after it");
    struct position at = head().position;
    CHECK(is_made(&at));
    world_close(&w);
}

/* A file with a hole: one entry of 300 MiB, of before the line began. */
static void swell(void) {
    char path[sizeof folder + 64], line[COPY_LINE_NAME_BYTES];
    uint8_t entry[COPY_HEAD_BYTES] = {'R', 'B', 'C', '1'};
    entry[23] = 300 * 1024 * 1024 >> 24;
    CHECK_INT(look(line), 1);
    (void)snprintf(path, sizeof path, "%s/" COPY_CHANGES "%s-big.log", folder, line);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK_INT(fwrite(entry, 1, sizeof entry, file), sizeof entry);
    CHECK_INT(fseek(file, 320 * 1024 * 1024, SEEK_SET), 0);
    CHECK_INT(fputc(0, file), 0);
    CHECK_INT(fclose(file), 0);
}

TEST(a_line_that_is_larger_than_the_book_ends) {
    start_copy();
    size_t before = lines();
    swell();
    reopen();
    CHECK_INT(lines(), before + 1);
    work("in the next line");
    struct position at = head().position;
    CHECK(is_made(&at));
    world_close(&w);
}

TEST(an_update_of_the_tables_begins_another_line) {
    struct err err;
    struct catalogue older;
    start_copy();
    world_server_off(&w);
    size_t before = lines();
    CHECK_OK(catalogue_without(&w.catalogue, account()->tag, 31, &w.mem, &older, &err));
    CHECK_OK(world_server_release(&w, &older, &err));
    CHECK_INT(lines(), before + 1); /* it wrote down another catalogue */
    CHECK_OK(world_server_release(&w, &w.catalogue, &err));
    CHECK_INT(lines(), before + 2);
    work("in the new tables");
    struct position at = head().position;
    CHECK(is_made(&at));
    world_close(&w);
}
