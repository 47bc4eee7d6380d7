/* Private to protocol/wire: numbers of messages and sections. They are part of the protocol: append
 * only. */
#ifndef ROADBOOK_WIRE_MESSAGES_H
#define ROADBOOK_WIRE_MESSAGES_H

#include "protocol/wire/wire.h"

enum message_kind {
    MESSAGE_HELLO_REQUEST = 1,
    MESSAGE_HELLO_REPLY,
    MESSAGE_ENROLL_REQUEST,
    MESSAGE_ENROLL_REPLY,
    MESSAGE_ROUND_REQUEST,
    MESSAGE_ROUND_REPLY,
    MESSAGE_WAIT_REQUEST,
    MESSAGE_CONTENT_REQUEST,
    MESSAGE_CONTENT_REPLY,
    MESSAGE_REPAIR_REQUEST,
    MESSAGE_REPAIR_REPLY,
    MESSAGE_KEYS,
    MESSAGE_KIND_COUNT
};

enum section {
    SECTION_HEAD = 1,
    SECTION_SIGNATURE,
    SECTION_BATCHES,
    SECTION_RECEIPTS,
    SECTION_PEOPLE,
    SECTION_ALIASES,
    SECTION_LEDGER,
    SECTION_HELD,
    SECTION_RECORDS,
    SECTION_SCOPE,  /* request: where it stands with its homes; reply: where it stands now */
    SECTION_OPENED, /* homes granted, homes withdrawn */
    SECTION_CLOSED,
    SECTION_FILLED, /* rows of homes that are being filled */
    SECTION_LATE,   /* round reply: changes that came in late */
    SECTION_OTHERS, /* round reply: edits of others that wait, of rows that are seen here */
    SECTION_ADDED,  /* additions to the catalogue; in a request those that may be forgotten */
    SECTION_DIGEST = 20,
    SECTION_REPORT = 30, /* round request: how the laptop is */
    SECTION_ORDER,       /* round reply: an order of head office to the laptop */
    SECTION_WIPED,       /* hello request: the order was obeyed */
    SECTION_TERMS,       /* hello reply: for how long the book may be used offline */
    SECTION_COPY,        /* enroll request: which book it is a copy of */
    SECTION_KEPT,        /* enroll reply: what the server has of that one */
    SECTION_SAVES,       /* enroll request: its saves */
    SECTION_TAKEN,       /* enroll reply: it has some of them in another form */
    SECTION_MARKS = 40,  /* request: older positions that it was told; reply: one to remember */
    SECTION_GIVEN,       /* request: batches of a life that the server forgot */
    SECTION_BACKUP,      /* reply: what a backup covers */
    SECTION_VOUCHER,     /* the server's word where its log stood */
    SECTION_FACTS,       /* request: rows of a forgotten life; reply: it wants such */
    SECTION_KEYS,        /* changes of the org's key; hello request: how many are known */
    SECTION_PIECE = 24,  /* of an attachment's content */
    SECTION_COUNT = 64
};

/* ------------------------------------------------------------------ report.c */

enum status report_write(const struct device_report *report, struct buf *out,
                         struct err *err) NODISCARD;
enum status report_read(struct slice section, struct device_report *out, struct err *err) NODISCARD;
enum status terms_write(uint32_t lease_days, struct buf *out, struct err *err) NODISCARD;
enum status terms_read(struct slice section, uint32_t *out_lease_days, struct err *err) NODISCARD;
enum status order_write(const struct device_order *order, struct buf *out,
                        struct err *err) NODISCARD;
enum status order_read(struct slice section, struct device_order *out, struct err *err) NODISCARD;
enum status wiped_write(int64_t order_ms, struct buf *out, struct err *err) NODISCARD;
enum status wiped_read(struct slice section, int64_t *out_order_ms, struct err *err) NODISCARD;
enum status copy_write(const struct copied_book *copy, struct buf *out, struct err *err) NODISCARD;
enum status copy_read(struct slice section, struct arena *mem, struct copied_book *out,
                      struct err *err) NODISCARD;
enum status saves_write(const struct copied_book *copy, struct buf *out, struct err *err) NODISCARD;
/* ST_MALFORMED: not one for each batch of the copy. */
enum status saves_read(struct slice section, struct arena *mem, struct copied_book *copy,
                       struct err *err) NODISCARD;
enum status taken_write(const struct chain *chain, struct buf *out, struct err *err) NODISCARD;
enum status taken_read(struct slice section, struct chain *out, struct err *err) NODISCARD;
enum status kept_write(uint32_t batch, struct buf *out, struct err *err) NODISCARD;
enum status kept_read(struct slice section, uint32_t *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ succession.c */

enum status keys_known_write(uint32_t known, struct buf *out, struct err *err) NODISCARD;
enum status keys_known_read(struct slice section, uint32_t *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ messages.c */

struct parts { /* the sections of a message by tag */
    struct slice at[SECTION_COUNT];
    bool has[SECTION_COUNT];
    size_t payload_bytes;
};

void message_put_section(struct buf *payload, enum section section, const struct buf *content);
/* Appends the message with this payload as it is. */
void message_put_stored(struct buf *out, enum message_kind kind, const struct buf *payload);
struct cuts;
/* Appends the message with this payload to out, deflated where that is shorter. */
enum status message_put(enum message_kind kind, const struct buf *payload, const struct cuts *cuts,
                        int level, size_t bytes_max, struct buf *out, struct err *err) NODISCARD;
enum status message_open(struct slice bytes, enum message_kind kind, size_t bytes_max,
                         struct arena *mem, struct parts *out, struct err *err) NODISCARD;
enum status message_kind_of(struct slice bytes, enum message_kind *out, struct err *err) NODISCARD;

#endif
