/* The handles of an org. */
#include "syncd/server/org_private.h"
#include "syncd/store/centre_copy.h"
#include "syncd/store/centre_digest.h"
#include "syncd/store/orders.h"
#include "syncd/store/org_keys.h"

#include <stdlib.h>
#include <string.h>

static enum status open_centre(const struct org_config *config, bool create, bool read_only,
                               struct centre **out, struct err *err) {
    struct centre_config cc = {.path = config->path,
                               .create = create,
                               .read_only = read_only,
                               .catalogue = config->catalogue,
                               .env = config->env};
    return centre_open(&cc, out, err);
}

enum status org_create(const struct org_config *config, struct slice label, struct err *err) {
    struct centre *c;
    TRY(open_centre(config, true, false, &c, err));
    enum status status = centre_org_create(c, label, err);
    centre_close(c);
    return status;
}

enum status org_open(const struct org_config *config, struct org **out, struct err *err) {
    struct centre_org org;
    int64_t applied;
    struct org *o = calloc(1, sizeof *o);
    if (!o) return err_no_memory(err);
    enum status status = open_centre(config, false, false, &o->c, err);
    if (status == ST_OK) status = centre_org(o->c, &org, err);
    if (status == ST_OK) status = centre_copy_ready(o->c, err);
    if (status == ST_OK) status = centre_reached_ready(o->c, &o->went_back, err);
    if (status == ST_OK) status = centre_keys_ready(o->c, &applied, err);
    if (status == ST_OK) status = centre_opening_note(o->c, err);
    if (status == ST_OK) status = centre_orders_ready(o->c, &applied, err);
    if (status == ST_OK) status = centre_digests_ready(o->c, err);
    if (status != ST_OK) {
        org_close(o);
        return status;
    }
    bytes_wipe(&org, sizeof org);
    *out = o;
    return ST_OK;
}

void org_close(struct org *org) {
    if (!org) return;
    centre_close(org->c);
    free(org);
}

bool org_went_back(const struct org *org) {
    return org->went_back;
}

struct centre *org_centre(struct org *org) {
    return org->c;
}

enum status org_key(struct org *org, struct sign_key *out, struct err *err) {
    struct centre_org it;
    TRY(centre_org(org->c, &it, err));
    *out = sign_key_from_seed(it.key_seed);
    bytes_wipe(&it, sizeof it);
    return ST_OK;
}

enum status org_reader_open(const struct org_config *config, struct org_reader **out,
                            struct err *err) {
    struct org_reader *r = calloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    enum status status = open_centre(config, false, true, &r->c, err);
    if (status != ST_OK) {
        free(r);
        return status;
    }
    *out = r;
    return ST_OK;
}

void org_reader_close(struct org_reader *reader) {
    if (!reader) return;
    centre_close(reader->c);
    free(reader);
}

struct centre *org_reader_centre(struct org_reader *reader) {
    return reader->c;
}

enum status org_head(struct org_reader *reader, struct centre_head *out, struct err *err) {
    return centre_head(reader->c, out, err);
}

enum status org_device(struct org_reader *reader, uint32_t number, struct centre_device *out,
                       struct err *err) {
    return centre_device(reader->c, number, out, err);
}

/* ------------------------------------------------------------------ who may */

enum status org_check_device(const struct centre_device *device, struct err *err) {
    if (!device->revoked && !device->user_active)
        return err_set(err, ST_DENIED, "the user of this laptop is inactive", "此电脑的用户已停用");
    return ST_OK;
}

bool org_gets_receipts_only(const struct centre_head *head, const struct centre_device *device) {
    int64_t release;
    if (device->revoked) return true;
    if (head->minimum_release == 0) return false;
    return !wire_release_number(slice_from(device->release), &release) ||
           release < head->minimum_release;
}

void org_order(const struct centre_device *device, struct slice org_name,
               const struct sign_key *key, struct device_order *out) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_LINE);
    struct device_order order = {.kind = ORDER_NONE};
    if (device->revoked) {
        order.kind = device->wipe ? ORDER_WIPE : ORDER_REVOKED;
        order.time_ms = device->revoked_ms;
        wire_order_bytes(&order, org_name, device->number, device->public_key, &bytes);
        sign_make(key, buf_slice(&bytes), order.signature);
    }
    *out = order;
}
