/* The operating system's folder: files, locks, watches, signals, the person's surroundings. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "syncd/platform/platform.h"

struct place {
    struct arena mem;
    const char *dir;
};

static struct place place_open(void) {
    struct err err;
    struct place place = {.mem = arena_new(ARENA_CAP_DEFAULT)};
    CHECK_OK(platform_temp_dir(&place.mem, &place.dir, &err));
    return place;
}

static const char *place_path(struct place *place, const char *name) {
    return arena_printf(&place->mem, "%s/%s", place->dir, name);
}

static void place_close(struct place *place) {
    struct err err;
    CHECK_OK(platform_remove_tree(place->dir, &err));
    CHECK(!platform_exists(place->dir));
    arena_clear(&place->mem);
}

TEST(the_doors_lead_to_a_plausible_world) {
    struct env env;
    platform_env(&env);
    CHECK(env.wall_ms(env.ctx) > 1700000000000);
    int64_t boot_ms = env.boot_ms(env.ctx), mono_ms = platform_mono_ms();
    CHECK(boot_ms > 0);
    platform_sleep_ms(5);
    CHECK(env.boot_ms(env.ctx) >= boot_ms + 5);
    CHECK(platform_mono_ms() >= mono_ms + 5);
    struct env again;
    platform_env(&again);
    CHECK(env.boot_id(env.ctx) == again.boot_id(again.ctx));
    uint8_t a[32] = {0}, b[32] = {0};
    env.random(env.ctx, a, sizeof a);
    env.random(env.ctx, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

TEST(a_log_line_stays_one_line) {
    struct env env;
    int fds[2], kept = dup(STDERR_FILENO);
    char text[256] = {0};
    CHECK(pipe(fds) == 0 && dup2(fds[1], STDERR_FILENO) >= 0);
    platform_env(&env);
    env.log(env.ctx, LOG_WARNING, "event=test\nlevel=error forged=1");
    dup2(kept, STDERR_FILENO);
    close(fds[1]);
    ssize_t len = read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    close(kept);
    CHECK(len > 30);
    CHECK(strncmp(text, "ts=20", 5) == 0);
    CHECK_TEXT(strstr(text, " level="), " level=warning event=test level=error forged=1\n");
}

TEST(a_private_file_is_replaced_whole) {
    struct err err;
    struct place place = place_open();
    const char *path = place_path(&place, "key");
    struct slice content;
    struct stat info;
    CHECK_STATUS(platform_read_file(path, 100, &place.mem, &content, &err), ST_NOT_FOUND);
    CHECK_OK(platform_write_file_private(path, SLICE("one"), &err));
    CHECK_OK(platform_write_file_private(path, SLICE("second"), &err));
    CHECK_OK(platform_read_file(path, 6, &place.mem, &content, &err));
    CHECK_SLICE(content, "second");
    CHECK_INT(content.data[6], 0);
    CHECK_STATUS(platform_read_file(path, 5, &place.mem, &content, &err), ST_TOO_LARGE);
    CHECK(stat(path, &info) == 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    CHECK_STATUS(platform_read_file(place.dir, 5, &place.mem, &content, &err), ST_INVALID);
    CHECK_STATUS(platform_write_file_private(place_path(&place, "no/key"), SLICE("x"), &err),
                 ST_NOT_FOUND);
    place_close(&place);
}

TEST(an_empty_file_has_no_bytes) {
    struct err err;
    struct place place = place_open();
    struct slice content;
    CHECK_OK(platform_write_file_private(place_path(&place, "e"), SLICE(""), &err));
    CHECK_OK(platform_read_file(place_path(&place, "e"), 10, &place.mem, &content, &err));
    CHECK_INT(content.len, 0);
    CHECK_OK(platform_read_file("/proc/self/stat", 100000, &place.mem, &content, &err));
    CHECK(content.len > 10);             /* says that it has size 0 */
    place_close(&place);
}

TEST(folders_are_made_with_their_parents_for_one_user) {
    struct err err;
    struct place place = place_open();
    const char *path = place_path(&place, "a/b/c");
    struct stat info;
    CHECK_OK(platform_make_dir(path, &err));
    CHECK_OK(platform_make_dir(path, &err));
    CHECK(stat(place_path(&place, "a/b"), &info) == 0);
    CHECK_INT(info.st_mode & 0777, 0700);
    CHECK_OK(platform_write_file_private(place_path(&place, "file"), SLICE("x"), &err));
    CHECK_STATUS(platform_make_dir(place_path(&place, "file"), &err), ST_CONFLICT);
    CHECK_STATUS(platform_make_dir("", &err), ST_INVALID);
    CHECK_OK(platform_rename(place_path(&place, "file"), place_path(&place, "a/file"), &err));
    CHECK(platform_exists(place_path(&place, "a/file")));
    CHECK_STATUS(platform_remove(place_path(&place, "a"), &err), ST_CONFLICT);
    CHECK_OK(platform_remove(place_path(&place, "a/file"), &err));
    CHECK_STATUS(platform_remove(place_path(&place, "a/file"), &err), ST_NOT_FOUND);
    place_close(&place);
}

TEST(a_folder_is_listed_in_order) {
    struct err err;
    struct place place = place_open();
    const char *const *names;
    size_t count;
    static const char *const FILES[] = {"b", "a.db", ".hidden", "C"};
    for (size_t i = 0; i < ARRAY_COUNT(FILES); i++)
        CHECK_OK(platform_make_file(place_path(&place, FILES[i]), true, &err));
    CHECK_OK(platform_list_dir(place.dir, 3, &place.mem, &names, &count, &err));
    CHECK_INT(count, 3);
    CHECK_TEXT(names[0], "C");
    CHECK_TEXT(names[1], "a.db");
    CHECK_TEXT(names[2], "b");
    CHECK_INT(platform_list_dir(place.dir, 2, &place.mem, &names, &count, &err), ST_TOO_LARGE);
    CHECK_INT(platform_list_dir(place_path(&place, "none"), 9, &place.mem, &names, &count, &err),
              ST_NOT_FOUND);
    CHECK(platform_is_dir(place.dir) && !platform_is_dir(place_path(&place, "b")));
    place_close(&place);
}

TEST(a_path_is_made_absolute) {
    struct err err;
    struct place place = place_open();
    const char *path;
    CHECK_OK(platform_absolute_path("/a/b", &place.mem, &path, &err));
    CHECK_TEXT(path, "/a/b");
    CHECK_OK(platform_absolute_path("b", &place.mem, &path, &err));
    CHECK(path[0] == '/' && strcmp(path + strlen(path) - 2, "/b") == 0);
    place_close(&place);
}

TEST(this_computer_has_a_name) {
    char name[256] = "", none[1] = "x";
    CHECK(platform_host_name(name, sizeof name) && name[0] != 0);
    CHECK(!platform_host_name(none, sizeof none));
    CHECK(none[0] == 'x');
}

TEST(a_lock_is_held_by_one) {
    struct err err;
    struct place place = place_open();
    struct platform_lock first, second;
    const char *path = place_path(&place, "lock");
    CHECK_OK(platform_lock_try(path, &first, &err));
    CHECK_STATUS(platform_lock_try(path, &second, &err), ST_BUSY);
    platform_unlock(&first);
    CHECK_OK(platform_lock_try(path, &second, &err));
    platform_unlock(&second);
    platform_unlock(&second);
    place_close(&place);
}

TEST(a_watch_notices_writes) {
    static const struct {
        const char *name;
        bool polling;
    } rows[] = {{"by the kernel's notices", false}, {"by looking", true}};
    for EACH(row, rows) {
        struct err err;
        struct place place = place_open();
        struct platform_watch *watch;
        size_t which;
        CHECK_OK(platform_watch_open(place.dir, row->polling, &watch, &err));
        CHECK_ROW(row, (platform_watch_fd(watch) < 0) == row->polling);
        CHECK_ROW(row, !platform_watch_drain(watch));
        CHECK_OK(platform_write_file_private(place_path(&place, "book"), SLICE("1"), &err));
        if (!row->polling) {
            int fd = platform_watch_fd(watch);
            CHECK_OK(platform_wait(&fd, 1, 1000, &which, &err));
            CHECK_ROW_INT(row, which, 0);
        }
        CHECK_ROW(row, platform_watch_drain(watch));
        CHECK_ROW(row, !platform_watch_drain(watch));
        CHECK_OK(platform_remove(place_path(&place, "book"), &err));
        CHECK_ROW(row, platform_watch_drain(watch));
        for (int i = 0; i < 2; i++) { /* made, then there already */
            platform_sleep_ms(20);    /* a file's time goes in steps */
            CHECK_OK(platform_touch(place_path(&place, "now"), &err));
            CHECK_ROW(row, platform_watch_drain(watch));
        }
        CHECK_STATUS(platform_touch(place_path(&place, "no/now"), &err), ST_NOT_FOUND);
        platform_watch_close(watch);
        place_close(&place);
    }
    struct err err;
    struct platform_watch *watch;
    CHECK_STATUS(platform_watch_open("/nowhere/at/all", false, &watch, &err), ST_NOT_FOUND);
}

TEST(the_data_folder_follows_the_environment) {
    static const struct {
        const char *name, *own, *xdg, *home, *path;
    } rows[] = {
        {"the own variable wins", "/r", "/x", "/h", "/r"},
        {"then XDG", NULL, "/x", "/h", "/x/roadbook"},
        {"a relative XDG path is not valid", NULL, "x", "/h", "/h/.local/share/roadbook"},
        {"then home", "", "", "/h", "/h/.local/share/roadbook"},
        {"nothing at all", NULL, NULL, NULL, NULL},
    };
    for EACH(row, rows) {
        struct err err;
        struct arena mem = arena_new(4096);
        const char *path = NULL;
        const char *names[] = {"ROADBOOK_HOME", "XDG_DATA_HOME", "HOME"};
        const char *values[] = {row->own, row->xdg, row->home};
        for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
            if (values[i] != NULL) setenv(names[i], values[i], 1);
            else unsetenv(names[i]);
        }
        enum status status = platform_data_dir(&mem, &path, &err);
        CHECK_ROW_INT(row, status, row->path != NULL ? ST_OK : ST_NOT_FOUND);
        if (row->path != NULL) CHECK_ROW_TEXT(row, path, row->path);
        arena_clear(&mem);
    }
}

TEST(the_language_follows_the_locale) {
    static const struct {
        const char *name, *all, *messages, *lang;
        enum lang expected;
    } rows[] = {
        {"nothing set", "", "", "", LANG_EN},
        {"LANG", "", "", "zh_CN.UTF-8", LANG_ZH},
        {"messages before LANG", "", "en_GB", "zh_CN", LANG_EN},
        {"LC_ALL before all", "zh", "en_GB", "de", LANG_ZH},
    };
    for EACH(row, rows) {
        setenv("LC_ALL", row->all, 1);
        setenv("LC_MESSAGES", row->messages, 1);
        setenv("LANG", row->lang, 1);
        CHECK_ROW_INT(row, platform_lang(), row->expected);
    }
}

TEST(the_offset_is_that_of_the_instant) {
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    CHECK_INT(platform_utc_offset_minutes(1768478400000), 60);       /* 2026-01-15 */
    CHECK_INT(platform_utc_offset_minutes(1784116800000), 120);      /* 2026-07-15 */
    setenv("TZ", "CST-8", 1);
    CHECK_INT(platform_utc_offset_minutes(0), 480);
    CHECK_INT(platform_utc_offset_minutes(-1), 480);
    setenv("TZ", "UTC", 1);
    CHECK_INT(platform_utc_offset_minutes(1768478400000), 0);
    setenv("COLUMNS", "132", 1);
    CHECK_INT(platform_terminal_columns(), 132);
}

TEST(signals_arrive_as_bytes) {
    struct err err;
    int fd;
    size_t which;
    CHECK_OK(platform_signals_open(&fd, &err));
    CHECK_INT(platform_signals_next(fd), PLATFORM_SIGNAL_NONE);
    raise(SIGHUP);
    raise(SIGTERM);
    raise(SIGPIPE);
    int fds[] = {-1, fd};
    CHECK_OK(platform_wait(fds, 2, 1000, &which, &err));
    CHECK_INT(which, 1);
    CHECK_INT(platform_signals_next(fd), PLATFORM_SIGNAL_RELOAD);
    CHECK_INT(platform_signals_next(fd), PLATFORM_SIGNAL_STOP);
    CHECK_INT(platform_signals_next(fd), PLATFORM_SIGNAL_NONE);
    platform_signals_close(fd);
}

TEST(waiting_ends_when_the_time_is_over) {
    struct err err;
    struct platform_bell bell;
    size_t which;
    CHECK_OK(platform_bell_open(&bell, &err));
    int64_t before_ms = platform_mono_ms();
    CHECK_OK(platform_wait(&bell.read_fd, 1, 30, &which, &err));
    CHECK_INT(which, 1);
    CHECK(platform_mono_ms() - before_ms >= 30);
    for (int i = 0; i < 1000; i++) platform_bell_ring(&bell);
    CHECK_OK(platform_wait(&bell.read_fd, 1, -1, &which, &err));
    CHECK_INT(which, 0);
    platform_bell_drain(&bell);
    CHECK_OK(platform_wait(&bell.read_fd, 1, 0, &which, &err));
    CHECK_INT(which, 1);
    platform_bell_close(&bell);
}

TEST(the_service_manager_is_told) {
    struct place place = place_open();
    const char *path = place_path(&place, "notify");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[64] = {0};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    unsetenv("NOTIFY_SOCKET");
    platform_notify("IGNORED=1");
    setenv("NOTIFY_SOCKET", path, 1);
    platform_notify("READY=1");
    CHECK_INT(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 7);
    CHECK_TEXT(text, "READY=1");
    close(fd);
    unsetenv("NOTIFY_SOCKET");
    CHECK(platform_raise_fd_limit(64) >= 64);
    place_close(&place);
}

struct counter {
    struct platform_mutex *mutex;
    struct platform_cond *cond;
    int count;
    uint64_t self;
};

static void count_up(void *ctx) {
    struct counter *counter = ctx;
    platform_lock(counter->mutex);
    counter->count++;
    counter->self = platform_thread_self();
    platform_cond_broadcast(counter->cond);
    platform_release(counter->mutex);
}

TEST(threads_meet_at_a_condition) {
    struct err err;
    struct counter counter = {platform_mutex_new(), platform_cond_new(), 0, 0};
    struct platform_thread *threads[4];
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(platform_thread_start(count_up, &counter, &threads[i], &err));
    platform_lock(counter.mutex);
    while (counter.count < 4) platform_cond_wait(counter.cond, counter.mutex);
    CHECK(counter.self != platform_thread_self());
    CHECK(!platform_cond_wait_ms(counter.cond, counter.mutex, 5));
    platform_release(counter.mutex);
    for (size_t i = 0; i < 4; i++) platform_thread_join(threads[i]);
    platform_cond_free(counter.cond);
    platform_mutex_free(counter.mutex);
}

/* ------------------------------------------------------------------ deleting for good */

TEST(what_is_erased_has_gone_and_its_bytes_too) {
    static const char *const keep[] = {"kept"};
    struct place place = place_open();
    struct err err;
    char secret[16] = "not for a thief", read[16] = "";
    const char *file = place_path(&place, "book"), *kept = place_path(&place, "kept");
    const char *inner = place_path(&place, "files"), *deep = place_path(&place, "files/one");
    CHECK_OK(platform_write_file_private(file, slice_of(secret, sizeof secret), &err));
    CHECK_OK(platform_write_file_private(kept, SLICE("why"), &err));
    CHECK_OK(platform_make_dir(inner, &err));
    CHECK_OK(platform_write_file_private(deep, SLICE("a photo"), &err));
    CHECK_OK(platform_write_file_private(place_path(&place, ".hidden"), SLICE("x"), &err));
    FILE *open_still = fopen(file, "rb"); /* sees what the disk would show */
    CHECK(open_still != NULL);
    CHECK_OK(platform_erase_dir(place.dir, keep, 1, &err));
    CHECK(!platform_exists(file) && !platform_exists(inner) && platform_exists(kept));
    CHECK(!platform_exists(place_path(&place, ".hidden")));
    CHECK_INT(fread(read, 1, sizeof read, open_still), sizeof read);
    CHECK_INT(memcmp(read, (char[16]){0}, sizeof read), 0);
    (void)fclose(open_still);
    CHECK_OK(platform_erase_file(file, &err)); /* twice is fine */
    place_close(&place);
}

/* A link is removed, what it leads to is not touched; nor is a file that has another name. */
TEST(erasing_follows_no_links) {
    struct place place = place_open(), other = place_open();
    struct err err;
    const char *outside = place_path(&other, "outside"), *second = place_path(&other, "second");
    CHECK_OK(platform_write_file_private(outside, SLICE("stays"), &err));
    CHECK_INT(symlink(outside, place_path(&place, "link")), 0);
    CHECK_INT(symlink(other.dir, place_path(&place, "folder")), 0);
    CHECK_OK(platform_write_file_private(second, SLICE("also"), &err));
    CHECK_INT(link(second, place_path(&place, "hard")), 0);
    CHECK_OK(platform_erase_dir(place.dir, NULL, 0, &err));
    struct slice bytes;
    CHECK_OK(platform_read_file(outside, 100, &other.mem, &bytes, &err));
    CHECK_SLICE(bytes, "stays");
    CHECK_OK(platform_read_file(second, 100, &other.mem, &bytes, &err));
    CHECK_SLICE(bytes, "also");
    place_close(&place);
    place_close(&other);
}

TEST(nobody_claims_an_encryption_that_is_not_seen) {
    CHECK_INT(platform_disk_encryption("/proc"), PLATFORM_DISK_UNKNOWN);
    CHECK_INT(platform_disk_encryption("/no/such/place"), PLATFORM_DISK_UNKNOWN);
}
