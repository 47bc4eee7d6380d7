/* Rounds without a network: the same messages in a file on a stick (PROTOCOL.md, "Bundles").
 *
 * A bundle up holds a laptop's round request; head office takes it and makes the bundle down, which
 * holds the replies that rounds would have brought. Signed by its author, sealed to its reader: who
 * finds the stick learns which device it is of, and nothing else.
 */
#ifndef ROADBOOK_BUNDLE_H
#define ROADBOOK_BUNDLE_H

#include "protocol/session/session.h"
#include "protocol/wire/succession.h"

enum bundle_kind { BUNDLE_UP = 1, BUNDLE_DOWN = 2 };
enum {
    BUNDLE_VERSION = 1,
    BUNDLE_MESSAGES_MAX = 4096,
    BUNDLE_BYTES_MAX = 256 * 1024 * 1024 /* a file; a first load of a million rows is a fourth */
};

struct bundle {
    enum bundle_kind kind;
    char org[SESSION_ORG_BYTES_MAX + 1];
    uint32_t device;
    int64_t made_ms; /* by its author's wall clock */
    /* Up: round requests. Down: pairs of a request without batches and the reply to it. */
    struct slice *messages;
    size_t message_count;
    /* Down: what became of the org's key; behind the messages as one more. total 0: not told. */
    struct key_changes keys;
};

/* author signs; to: the public signing key of the reader; ephemeral: fresh random bytes. */
enum status bundle_write(const struct bundle *bundle, const struct sign_key *author,
                         const uint8_t to[SIGN_PUBLIC_BYTES],
                         const uint8_t ephemeral[BOX_SECRET_BYTES], struct arena *mem,
                         struct slice *out, struct err *err) NODISCARD;
/* Whose it is, before anything is proved. No messages. ST_MALFORMED: not a bundle, or cut short;
 * ST_VERSION: of a newer release. */
enum status bundle_look(struct slice file, struct bundle *out, struct err *err) NODISCARD;
/* ST_UNAUTHENTIC: sealed to another reader, changed on the way, or not signed by this author.
 * Everything in mem. */
enum status bundle_read(struct slice file, const struct sign_key *reader,
                        const uint8_t author[SIGN_PUBLIC_BYTES], struct arena *mem,
                        struct bundle *out, struct err *err) NODISCARD;

/* As bundle_read of a bundle down, whose author is the org: where it tells of a newer key than is
 * trusted, and proves that, the newest has to have signed it. trust moves only on success.
 * ST_UNAUTHENTIC, ST_CONFLICT as key_trust_follow. */
enum status bundle_read_down(struct slice file, const struct sign_key *reader,
                             struct key_trust *trust, struct arena *mem, struct bundle *out,
                             struct err *err) NODISCARD;
/* Was it sealed to this reader, and not changed since? */
bool bundle_is_sealed_to(struct slice file, const struct sign_key *reader, struct arena *mem);

/* A request that travelled in a bundle: its clocks, as they would be when it arrives, so that the
 * age of its edits counts the way. now_ms: the server's. Left alone where the laptop's wall clock
 * cannot be trusted: then its edits are as old as they were when it was written. */
void bundle_arrive(struct envelope *envelope, int64_t now_ms);

#endif
