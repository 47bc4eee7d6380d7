/* Private to protocol/session: HTTP Message Signatures (RFC 9421), as far as Roadbook uses them.
 *
 * A message has one signature of ours, under the label "s". What it covers is fixed by the kind of
 * message, so that a reader compares a text instead of judging a list.
 */
#ifndef ROADBOOK_SESSION_SIGNATURE_H
#define ROADBOOK_SESSION_SIGNATURE_H

#include "protocol/session/session.h"

#define SIGNATURE_REQUEST "(\"@method\" \"@path\" \"content-type\" \"content-digest\")"
/* The code of a reply needs no line of its own: 200 is what has a digest, 204 what has none, and no
 * other code is ever believed. */
#define SIGNATURE_REPLY "(\"content-digest\" \"signature\";req)"
#define SIGNATURE_REPLY_EMPTY "(\"signature\";req)"
/* The laptop keeps nothing between an enrolment and its reply: the reply names the device's key
 * instead. */
#define SIGNATURE_ENROLL_REPLY "(\"content-digest\")"

/* Exactly one is set. mac signs and checks, sign signs, public_key checks. */
struct signature_key {
    const uint8_t *mac;          /* [MAC_BYTES], hmac-sha256 */
    const struct sign_key *sign; /* ed25519 */
    const uint8_t *public_key;   /* [SIGN_PUBLIC_BYTES], ed25519 */
};

struct signature_params {
    struct slice nonce; /* data NULL: none */
    uint32_t device;    /* keyid; 0: none */
    int64_t created;    /* 0: none */
};

/* The signature base (RFC 9421, 2.5). input: the member of Signature-Input, from "(" on.
 * Understands fields,
 * "@method", "@path", "@authority", "@status", and ;req of them where request is not NULL.
 * ST_MALFORMED when a component is unknown, absent, there twice, or its value would break the line.
 */
enum status signature_base(const struct session_http *m, const struct session_http *request,
                           struct slice input, struct buf *out, struct err *err) NODISCARD;
/* Makes the signature alone: 32 or 64 bytes. */
size_t signature_make(const struct signature_key *key, struct slice base, uint8_t out[SIGN_BYTES]);
/* Adds Signature-Input and Signature. out_bytes: the raw signature; may be NULL. */
enum status signature_add(struct session_http *m, const struct session_http *request,
                          const char *input, const struct signature_key *key, struct arena *mem,
                          uint8_t *out_bytes, struct err *err) NODISCARD;
/* Our parameters of a message whose components are exactly these; nothing is proved yet.
 * ST_UNAUTHENTIC when there is no such signature or a parameter is not ours. */
enum status signature_read(const struct session_http *m, const char *components,
                           struct signature_params *out, struct err *err) NODISCARD;
/* Proves the message. */
enum status signature_check(const struct session_http *m, const struct session_http *request,
                            const char *components, const struct signature_key *key,
                            struct signature_params *out, struct err *err) NODISCARD;
/* "s=:...:", as the field Signature has it. */
char *signature_text(struct slice bytes, struct arena *mem) NODISCARD;

#endif
