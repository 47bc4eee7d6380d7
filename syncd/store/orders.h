/* What no restore may take back: that a laptop was revoked or is to be wiped, and that a user was
 * deactivated. Beside the book stands a small file to which each such order is appended, on the
 * disk before whoever gave it is answered; each opening applies it to a book that does not know,
 * and adds what the book knows and the file does not. Where each commit is copied, the copy's
 * folder has it too.
 *
 * A line each: `device NUMBER WIPE TIME-MS KEY SUM` or `user ACTIVE TIME-MS LOGIN SUM`. A laptop is
 * named by its number and its key, for a server that goes back gives numbers again; KEY and LOGIN
 * are in hex; SUM is the first 16 digits of the SHA-256 of what stands before it. Nothing ever
 * makes a laptop or a user active again but head office's word.
 */
#ifndef ROADBOOK_ORDERS_H
#define ROADBOOK_ORDERS_H

#include "syncd/store/centre.h"

enum {
    ORDERS_BYTES_MAX = 16 * 1024 * 1024, /* a hundred thousand orders */
    ORDERS_PATH_BYTES = 4096
};

/* What stands beside the book at path: its name without ".db", then the suffix. ST_TOO_LARGE. */
enum status book_beside(const char *book_path, const char *suffix, char out[ORDERS_PATH_BYTES],
                        struct err *err) NODISCARD;
/* The file of orders: ".revoked". */
enum status orders_path(const char *book_path, char out[ORDERS_PATH_BYTES],
                        struct err *err) NODISCARD;

/* Inside the transaction that gives the order, which the caller has written to the book already.
 * Durable in the file when it returns, even if the transaction then fails: the next opening
 * applies it. */
enum status centre_order_device(struct centre *c, uint32_t number, struct err *err) NODISCARD;
enum status centre_order_user(struct centre *c, int64_t user, struct err *err) NODISCARD;

/* At each opening for writing. *out_applied: orders that the book did not know. */
enum status centre_orders_ready(struct centre *c, int64_t *out_applied, struct err *err) NODISCARD;
/* Adds the orders beside one book to those beside another; none there is fine. For restore. */
enum status orders_adopt(const char *from_book, const char *to_book, struct err *err) NODISCARD;
/* What the copy's folder has, put beside a book made from it. None there is fine. */
enum status orders_from_copy(const char *dir, const char *book_path, struct err *err) NODISCARD;
/* A line for each order that the book does not obey, and for each line that cannot be read. */
enum status centre_orders_verify(struct centre *c, struct buf *out_findings,
                                 struct err *err) NODISCARD;

#endif
