/* Orders of head office that outlive a restore: a laptop revoked, a user deactivated. */
#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/orders.h"
#include "tests/unit/two_laptops.h"

static const char *orders_file(void) {
    static char path[ORDERS_PATH_BYTES];
    char dir[WORLD_PATH_BYTES], book[WORLD_PATH_BYTES + 16];
    struct err err;
    world_server_dir(&w, dir);
    (void)snprintf(book, sizeof book, "%s/demo.db", dir);
    CHECK_OK(orders_path(book, path, &err));
    CHECK(strstr(path, "/org/demo.revoked") != NULL);
    return path;
}

static struct slice orders_bytes(void) {
    struct err err;
    struct slice bytes;
    CHECK_OK(platform_read_file(orders_file(), ORDERS_BYTES_MAX, &w.mem, &bytes, &err));
    return bytes;
}

/* NULL: verify has nothing to say. */
static bool verify_says(const char *text) {
    SCOPED(buf_free) struct buf said = buf_new(BUF_MAX_LINE);
    struct err err;
    CHECK_OK(centre_orders_verify(org_centre(w.office), &said, &err));
    return text ? strstr(buf_text(&said), text) != NULL : said.len == 0;
}

TEST(a_laptop_that_was_revoked_stays_so_when_the_server_goes_back) {
    struct err err;
    struct agent_result result;
    start();
    struct centre_device d = device(li), other = device(wang);
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), other.number, true, &err));
    d = device(li);
    CHECK_OK(world_rollback(&w, &err));
    struct centre_device now = device(li);
    CHECK(now.revoked && !now.wipe);
    CHECK_INT(now.revoked_ms, d.revoked_ms); /* the same order, so that it is obeyed once */
    CHECK(device(wang).wipe);
    CHECK_INT(world_sync(li, &result, &err), ST_REVOKED);
    world_close(&w);
}

TEST(a_user_who_was_deactivated_stays_so_until_head_office_says_otherwise) {
    struct err err;
    struct agent_result result;
    start();
    struct centre_device d = device(li);
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(centre_user_activate(org_centre(w.office), d.user, false, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(!device(li).user_active);
    CHECK_INT(world_sync(li, &result, &err), ST_DENIED);
    CHECK_OK(centre_user_activate(org_centre(w.office), d.user, true, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(device(li).user_active);
    sync(li);
    world_close(&w);
}

TEST(orders_name_a_laptop_by_its_key_and_are_written_down_once) {
    struct err err;
    start();
    struct centre_device d = device(li);
    CHECK(!platform_exists(orders_file())); /* nothing was ordered */
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    size_t len = orders_bytes().len;
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    reopen();
    CHECK_INT(orders_bytes().len, len);
    CHECK(verify_says(NULL));
    CHECK_OK(platform_remove(orders_file(), &err)); /* what the book knows is written again */
    reopen();
    CHECK_INT(orders_bytes().len, len);
    world_close(&w);
}

/* li; and what the file says then. */
static struct centre_device revoked_since_the_backup(struct slice *out) {
    struct err err;
    start();
    struct centre_device d = device(li);
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    *out = orders_bytes();
    return d;
}

TEST(a_line_that_is_damaged_or_of_another_key_orders_nothing) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct err err;
    struct slice bytes;
    struct centre_device d = revoked_since_the_backup(&bytes);
    world_server_off(&w);
    buf_put_slice(&text, bytes);
    text.data[text.len - 4] ^= 1; /* a digit of the sum */
    buf_put_text(&text, "device x\nuser 1 2\n\ndevice 1 0 0 zz 0011223344556677");
    CHECK_OK(platform_write_file_private(orders_file(), buf_slice(&text), &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(!device(li).revoked);
    CHECK(verify_says("4 lines"));
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, true, &err)); /* behind them */
    CHECK_OK(world_rollback(&w, &err));
    CHECK(device(li).wipe);
    world_close(&w);
}

TEST(verify_names_an_order_that_the_book_does_not_obey) {
    struct err err;
    struct slice bytes;
    (void)revoked_since_the_backup(&bytes);
    CHECK_OK(platform_remove(orders_file(), &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(!device(li).revoked);
    CHECK_OK(platform_write_file_private(orders_file(), bytes, &err));
    CHECK(verify_says("was revoked"));
    reopen();
    CHECK(device(li).revoked);
    CHECK(verify_says(NULL));
    world_close(&w);
}
