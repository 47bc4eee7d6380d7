/* Private to protocol/session: how a nonce is spelled, which both ends know.
 *
 * TAG.NUMBER: the tag belongs to one device and one life of the server's process; the number grows
 * with each request. After a request the laptop takes the next number by itself: a lost reply then
 * costs no round trip, and a reply names a nonce only where the next one is another.
 */
#ifndef ROADBOOK_SESSION_NONCES_H
#define ROADBOOK_SESSION_NONCES_H

#include "protocol/session/session.h"

bool nonces_well_formed(struct slice nonce);
/* The one after a well-formed nonce; out may be nonce. */
void nonces_next(const char *nonce, char out[SESSION_NONCE_BYTES_MAX + 1]);

#endif
