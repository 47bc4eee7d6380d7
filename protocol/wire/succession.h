/* The org's signing key changes. Each change is a statement, signed with the old key and with the
 * new one: from any of the keys a reader walks the chain both ways, to the newest key, which he
 * trusts from then on, and to the first, which names the org for ever (PROTOCOL.md, 10.1).
 *
 * A statement says: of the org whose first key is this one, in change number n, at that time and
 * that seq of the log, this key was replaced by that one.
 */
#ifndef ROADBOOK_WIRE_SUCCESSION_H
#define ROADBOOK_WIRE_SUCCESSION_H

#include "protocol/wire/wire.h"

enum { KEY_CHANGES_MAX = 64 }; /* one a month for five years */

/* Whom a laptop believes. changes 0: it has heard of none; then now is the key of its link, and
 * first is not looked at. */
struct key_trust {
    uint8_t first[SIGN_PUBLIC_BYTES]; /* names the org, and keys the hashes of rows */
    uint8_t now[SIGN_PUBLIC_BYTES];
    uint32_t changes;
};

/* Fills the keys and signatures of a change, whose time_ms and seq the caller has set. number: from
 * 1 on. */
void key_change_make(struct key_change *change, const uint8_t first[SIGN_PUBLIC_BYTES],
                     uint32_t number, const struct sign_key *from, const struct sign_key *to);
/* Whether both keys signed it. */
bool key_change_is_signed(const struct key_change *change, const uint8_t first[SIGN_PUBLIC_BYTES],
                          uint32_t number);
/* From what is trusted to what the changes lead to. Without changes it stays as it is.
 * ST_UNAUTHENTIC: a signature is wrong, they are of another org, or do not meet a trusted key.
 * ST_CONFLICT: whoever sent them has heard of fewer changes: his is an older key. */
enum status key_trust_follow(const struct key_trust *trust, const struct key_changes *changes,
                             struct key_trust *out, struct err *err) NODISCARD;

/* As a section has them, and as they are kept. ST_TOO_LARGE: more than KEY_CHANGES_MAX. */
enum status keys_write(const struct key_changes *keys, struct buf *out, struct err *err) NODISCARD;
enum status keys_read(struct slice section, struct arena *mem, struct key_changes *out,
                      struct err *err) NODISCARD;

#endif
