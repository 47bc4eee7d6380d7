/* Private to protocol/session: fields of a message, the little of structured fields (RFC 8941) that
 * proofs need, and Content-Digest (RFC 9530).
 */
#ifndef ROADBOOK_SESSION_FIELDS_H
#define ROADBOOK_SESSION_FIELDS_H

#include "protocol/session/session.h"

/* The one field of that name, without blanks around it. false when it is absent, or there twice:
 * two readers of such a message could take different ones. */
bool fields_single(const struct session_http *m, const char *name, struct slice *out);
/* name and value are borrowed. The message must have room: what is built here is never full. */
void fields_add(struct session_http *m, const char *name, const char *value);
/* The member of a dictionary: the text behind "label=". false when it is absent, there twice, or
 * the dictionary is not well-formed. */
bool fields_member(struct slice dictionary, const char *label, struct slice *out);
/* Adds Content-Digest of the body. */
enum status fields_add_digest(struct session_http *m, struct arena *mem, struct err *err) NODISCARD;
/* The body into the arena, out of the buffer where it was encoded. */
enum status fields_copy_body(const struct buf *encoded, struct arena *mem, struct slice *out,
                             struct err *err) NODISCARD;
/* ST_UNAUTHENTIC when Content-Digest is not the SHA-256 of the body. */
enum status fields_check_digest(const struct session_http *m, struct err *err) NODISCARD;

#endif
