/* Private to protocol/session: what both ends do alike with messages and keys. */
#ifndef ROADBOOK_SESSION_KEYS_H
#define ROADBOOK_SESSION_KEYS_H

#include "protocol/session/session.h"

#define KEYS_LABEL "roadbook session 1"

/* The key of a session: HMAC-SHA-256 under the X25519 secret that both ends share, over KEYS_LABEL,
 * the device's box key, the server's box key, and the device number as 4 bytes, big end first.
 * false for a peer's key of low order. */
bool keys_agree(const uint8_t own_secret[BOX_SECRET_BYTES],
                const uint8_t peer_public[BOX_PUBLIC_BYTES],
                const uint8_t device_public[BOX_PUBLIC_BYTES],
                const uint8_t server_public[BOX_PUBLIC_BYTES], uint32_t device,
                uint8_t out[MAC_BYTES]);

#endif
