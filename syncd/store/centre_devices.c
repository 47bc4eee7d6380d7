/* What head office knows of its laptops beside their batches: when each was there and how it was,
 * that one is revoked, and that its book was deleted.
 */
#include "syncd/store/centre_private.h"
#include "syncd/store/orders.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ contacts */

struct contacts {
    const struct centre_contact *items;
    size_t count;
};

static void forget_device(struct centre *c, uint32_t number) {
    free(c->devices[number % CENTRE_DEVICES_KEPT]);
    c->devices[number % CENTRE_DEVICES_KEPT] = NULL;
}

static enum status note_report(struct centre *c, const struct centre_contact *k, struct err *err) {
    struct db_stmt *s;
    const struct device_report *r = &k->report;
    if (!k->has_report) return ST_OK;
    TRY(db_prepare(c->db,
                   "UPDATE device SET told_ms = ?, newest = ?, used_kib = ?, free_mib = ?, disk = ?"
                   " WHERE number = ?",
                   &s, err));
    const int64_t numbers[] = {k->seen_ms,  r->newest_batch,  r->used_kib,
                               r->free_mib, (int64_t)r->disk, k->device};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    return db_run(s, err);
}

static enum status note_contacts(struct centre *c, void *ctx, struct err *err) {
    const struct contacts *list = ctx;
    for (size_t i = 0; i < list->count; i++) {
        struct db_stmt *s;
        const struct centre_contact *k = &list->items[i];
        TRY(db_prepare(c->db,
                       "UPDATE device SET seen_ms = ?, cursor = ?, offset_ms = ? WHERE number = ?",
                       &s, err));
        db_bind_int(s, 1, k->seen_ms);
        db_bind_int(s, 2, k->cursor);
        db_bind_int(s, 3, k->offset_ms);
        db_bind_int(s, 4, k->device);
        TRY(db_run(s, err));
        TRY(note_report(c, k, err));
        struct centre_device *kept = c->devices[k->device % CENTRE_DEVICES_KEPT];
        if (!kept || kept->number != k->device) continue;
        kept->seen_ms = k->seen_ms;
        kept->cursor = k->cursor;
        kept->offset_ms = k->offset_ms;
        if (!k->has_report) continue;
        kept->told_ms = k->seen_ms;
        kept->report = k->report;
    }
    return ST_OK;
}

enum status centre_contacts(struct centre *c, const struct centre_contact *contacts, size_t count,
                            struct err *err) {
    struct contacts list = {contacts, count};
    return count > 0 ? centre_write(c, note_contacts, &list, err) : ST_OK;
}

/* ------------------------------------------------------------------ revoking */

struct revocation {
    uint32_t number;
    bool wipe;
};

static enum status no_device(uint32_t number, struct err *err) {
    return err_set(err, ST_NOT_FOUND, "no device %u", "没有设备 %u", (unsigned)number);
}

/* The time of the order stays when it is given again, so that it is answered once. */
static enum status revoke_device(struct centre *c, void *ctx, struct err *err) {
    const struct revocation *r = ctx;
    struct db_stmt *s;
    TRY(db_prepare(
        c->db,
        "UPDATE device SET revoked_ms = CASE WHEN revoked = 0 OR revoked_ms = 0 OR wipe < ?1"
        " THEN ?2 ELSE revoked_ms END, revoked = 1, wipe = max(wipe, ?1)"
        " WHERE number = ?3 AND number > 0",
        &s, err));
    db_bind_int(s, 1, r->wipe);
    db_bind_int(s, 2, c->env->wall_ms(c->env->ctx));
    db_bind_int(s, 3, r->number);
    TRY(db_run(s, err));
    if (db_changes(c->db) == 0) return no_device(r->number, err);
    TRY(centre_news(c, err));
    return centre_order_device(c, r->number, err);
}

enum status centre_device_revoke(struct centre *c, uint32_t number, bool wipe, struct err *err) {
    struct revocation r = {number, wipe};
    return centre_write(c, revoke_device, &r, err);
}

struct wiped {
    uint32_t number;
    int64_t order_ms;
};

static enum status note_wiped(struct centre *c, void *ctx, struct err *err) {
    const struct wiped *w = ctx;
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "UPDATE device SET wiped_ms = ?, session_key = NULL, key_until_ms = 0"
                   " WHERE number = ? AND wipe = 1 AND revoked_ms = ? AND wiped_ms = 0",
                   &s, err));
    db_bind_int(s, 1, c->env->wall_ms(c->env->ctx));
    db_bind_int(s, 2, w->number);
    db_bind_int(s, 3, w->order_ms);
    TRY(db_run(s, err));
    forget_device(c, w->number);
    return ST_OK;
}

enum status centre_device_wiped(struct centre *c, uint32_t number, int64_t order_ms,
                                struct err *err) {
    struct wiped w = {number, order_ms};
    return centre_write(c, note_wiped, &w, err);
}

/* ------------------------------------------------------------------ releases */

struct of_release {
    uint32_t number;
    struct slice release;
};

static enum status note_release(struct centre *c, void *ctx, struct err *err) {
    const struct of_release *r = ctx;
    struct db_stmt *s;
    TRY(db_prepare(c->db, "UPDATE device SET release = ? WHERE number = ?", &s, err));
    db_bind_text(s, 1, text_prefix(r->release, CENTRE_RELEASE_BYTES - 1));
    db_bind_int(s, 2, r->number);
    TRY(db_run(s, err));
    forget_device(c, r->number);
    return ST_OK;
}

enum status centre_device_release(struct centre *c, uint32_t number, struct slice release,
                                  struct err *err) {
    struct of_release r = {number, release};
    return centre_write(c, note_release, &r, err);
}

static enum status set_minimum(struct centre *c, void *ctx, struct err *err) {
    const int64_t *number = ctx;
    TRY(meta_int_set(c->db, "minimum_release", *number, err));
    centre_forget(c);
    return centre_refresh(c, err);
}

enum status centre_minimum_release_set(struct centre *c, struct slice release, struct err *err) {
    int64_t number = 0;
    if (release.len > 0 && !wire_release_number(release, &number))
        return err_set(err, ST_INVALID, "a release is written like 1.2.3", "版本号的写法如 1.2.3");
    return centre_write(c, set_minimum, &number, err);
}
