/* What head office and its laptops tell each other about the laptop itself: how it is, for how long
 * it may be used offline, that it is to be wiped and has been, and which book it is a copy of. None
 * of it is the book's; each stands in a section of its own, which other releases pass over.
 */
#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"

/* ------------------------------------------------------------------ how the laptop is */

static void code_report(struct coder *c, struct device_report *r) {
    r->newest_batch = code_u32(c, r->newest_batch);
    r->used_kib = code_seq(c, r->used_kib);
    r->free_mib = code_seq(c, r->free_mib);
    r->disk = (enum disk_kind)code_number(c, r->disk, DISK_KIND_COUNT - 1);
}

enum status report_write(const struct device_report *report, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    struct device_report copy = *report;
    code_report(&c, &copy);
    return coder_status(&c, err);
}

enum status report_read(struct slice section, struct device_report *out, struct err *err) {
    struct coder c = coder_reading(section, NULL);
    struct device_report report = {0};
    code_report(&c, &report);
    if (report.used_kib < 0 || report.free_mib < 0) coder_fail(&c, ST_MALFORMED);
    TRY(coder_end(&c, err));
    *out = report;
    return ST_OK;
}

/* ------------------------------------------------------------------ terms */

static void code_terms(struct coder *c, uint32_t *lease_days) {
    *lease_days = code_u32(c, *lease_days);
}

enum status terms_write(uint32_t lease_days, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    code_terms(&c, &lease_days);
    return coder_status(&c, err);
}

enum status terms_read(struct slice section, uint32_t *out_lease_days, struct err *err) {
    struct coder c = coder_reading(section, NULL);
    uint32_t lease_days = 0;
    code_terms(&c, &lease_days);
    TRY(coder_end(&c, err));
    *out_lease_days = lease_days;
    return ST_OK;
}

/* ------------------------------------------------------------------ orders */

static void code_order(struct coder *c, struct device_order *o) {
    o->kind = (enum order_kind)code_number(c, o->kind, ORDER_KIND_COUNT - 1);
    o->time_ms = code_signed(c, o->time_ms);
    code_fixed(c, o->signature, SIGN_BYTES);
}

enum status order_write(const struct device_order *order, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    struct device_order copy = *order;
    code_order(&c, &copy);
    return coder_status(&c, err);
}

enum status order_read(struct slice section, struct device_order *out, struct err *err) {
    struct coder c = coder_reading(section, NULL);
    struct device_order order = {0};
    code_order(&c, &order);
    if (order.kind == ORDER_NONE) coder_fail(&c, ST_MALFORMED);
    TRY(coder_end(&c, err));
    *out = order;
    return ST_OK;
}

void wire_order_bytes(const struct device_order *order, struct slice org, uint32_t device,
                      const uint8_t device_public[SIGN_PUBLIC_BYTES], struct buf *out) {
    buf_put_text(out, "roadbook order 1\n");
    buf_put_bytes(out, org);
    buf_put_varint(out, device);
    buf_put(out, device_public, SIGN_PUBLIC_BYTES);
    buf_put_varint(out, order->kind);
    buf_put_varint(out, (uint64_t)order->time_ms);
}

enum status wiped_write(int64_t order_ms, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    (void)code_signed(&c, order_ms);
    return coder_status(&c, err);
}

enum status wiped_read(struct slice section, int64_t *out_order_ms, struct err *err) {
    struct coder c = coder_reading(section, NULL);
    int64_t order_ms = code_signed(&c, 0);
    TRY(coder_end(&c, err));
    *out_order_ms = order_ms;
    return ST_OK;
}

/* ------------------------------------------------------------------ copies */

static void code_chains(struct coder *c, struct chain **chains, size_t *count, size_t most) {
    *count = (size_t)code_number(c, *count, most);
    *chains = code_items(c, *chains, *count, sizeof **chains);
    for (size_t i = 0; i < *count && !coder_failed(c); i++)
        code_fixed(c, (*chains)[i].bytes, CHAIN_BYTES);
}

static void code_copy(struct coder *c, struct copied_book *b) {
    b->last_batch = code_u32(c, b->last_batch);
    code_chains(c, &b->chains, &b->chain_count, WIRE_BATCHES_MAX + 1);
}

enum status copy_write(const struct copied_book *copy, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    struct copied_book book = *copy;
    code_copy(&c, &book);
    return coder_status(&c, err);
}

enum status copy_read(struct slice section, struct arena *mem, struct copied_book *out,
                      struct err *err) {
    struct coder c = coder_reading(section, mem);
    struct copied_book book = {0};
    code_copy(&c, &book);
    if (!coder_failed(&c) && book.chain_count == 0) coder_fail(&c, ST_MALFORMED);
    TRY(coder_end(&c, err));
    *out = book;
    return ST_OK;
}

enum status saves_write(const struct copied_book *copy, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    struct copied_book book = *copy;
    code_chains(&c, &book.saves, &book.save_count, WIRE_BATCHES_MAX);
    return coder_status(&c, err);
}

enum status saves_read(struct slice section, struct arena *mem, struct copied_book *copy,
                       struct err *err) {
    struct coder c = coder_reading(section, mem);
    struct copied_book book = *copy;
    code_chains(&c, &book.saves, &book.save_count, WIRE_BATCHES_MAX);
    if (!coder_failed(&c) && book.save_count + 1 != book.chain_count) coder_fail(&c, ST_MALFORMED);
    TRY(coder_end(&c, err));
    *copy = book;
    return ST_OK;
}

enum status taken_write(const struct chain *chain, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    struct chain at = *chain;
    code_fixed(&c, at.bytes, CHAIN_BYTES);
    return coder_status(&c, err);
}

enum status taken_read(struct slice section, struct chain *out, struct err *err) {
    struct coder c = coder_reading(section, NULL);
    struct chain at = {{0}};
    code_fixed(&c, at.bytes, CHAIN_BYTES);
    TRY(coder_end(&c, err));
    *out = at;
    return ST_OK;
}

enum status kept_write(uint32_t batch, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    (void)code_u32(&c, batch);
    return coder_status(&c, err);
}

enum status kept_read(struct slice section, uint32_t *out, struct err *err) {
    struct coder c = coder_reading(section, NULL);
    uint32_t batch = code_u32(&c, 0);
    TRY(coder_end(&c, err));
    *out = batch;
    return ST_OK;
}

/* ------------------------------------------------------------------ releases */

enum { RELEASE_PARTS = 3, RELEASE_PART_MAX = 999999, RELEASE_PART_DIGITS = 6 };

static bool take_part(struct slice *rest, int64_t *number) {
    int64_t part = 0;
    size_t digits = 0;
    while (digits < rest->len && rest->data[digits] >= '0' && rest->data[digits] <= '9') {
        if (digits == RELEASE_PART_DIGITS) return false;
        part = part * 10 + (rest->data[digits++] - '0');
    }
    *number = *number * (RELEASE_PART_MAX + 1) + part;
    *rest = slice_of(rest->data + digits, rest->len - digits);
    return digits > 0;
}

bool wire_release_number(struct slice release, int64_t *out) {
    int64_t number = 0;
    for (int i = 0; i < RELEASE_PARTS; i++) {
        if (i > 0) {
            if (release.len == 0 || release.data[0] != '.') return false;
            release = slice_of(release.data + 1, release.len - 1);
        }
        if (!take_part(&release, &number)) return false;
    }
    bool ends = release.len == 0 || release.data[0] == '-' || release.data[0] == '+';
    if (!ends || number == 0) return false;
    *out = number;
    return true;
}

void wire_release_write(int64_t number, struct buf *out) {
    const int64_t unit = RELEASE_PART_MAX + 1;
    buf_printf(out, "%lld.%lld.%lld", (long long)(number / unit / unit),
               (long long)(number / unit % unit), (long long)(number % unit));
}
