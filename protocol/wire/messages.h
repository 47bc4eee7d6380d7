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
    SECTION_DIGEST = 20,
    SECTION_MARKS = 40, /* request: older positions that it was told */
    SECTION_GIVEN,      /* request: batches of a life that the server forgot */
    SECTION_BACKUP,     /* reply: what a backup covers */
    SECTION_PIECE = 24, /* of an attachment's content */
    SECTION_COUNT = 64
};

enum status message_kind_of(struct slice bytes, enum message_kind *out, struct err *err) NODISCARD;

#endif
