/* The agreement on a session's key. Both public keys and the device number go into the key, so that
 * neither end can be made to share a key with someone other than it believes. */
#include <string.h>

#include "protocol/session/keys.h"

bool keys_agree(const uint8_t own_secret[BOX_SECRET_BYTES],
                const uint8_t peer_public[BOX_PUBLIC_BYTES],
                const uint8_t device_public[BOX_PUBLIC_BYTES],
                const uint8_t server_public[BOX_PUBLIC_BYTES], uint32_t device,
                uint8_t out[MAC_BYTES]) {
    enum { LABEL_BYTES = sizeof KEYS_LABEL - 1 };
    uint8_t shared[HASH_BYTES];
    uint8_t context[LABEL_BYTES + 2 * BOX_PUBLIC_BYTES + 4];
    if (!box_shared(own_secret, peer_public, shared)) return false;
    uint8_t *at = context;
    memcpy(at, KEYS_LABEL, LABEL_BYTES);
    memcpy(at + LABEL_BYTES, device_public, BOX_PUBLIC_BYTES);
    memcpy(at + LABEL_BYTES + BOX_PUBLIC_BYTES, server_public, BOX_PUBLIC_BYTES);
    at += LABEL_BYTES + 2 * BOX_PUBLIC_BYTES;
    for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(device >> (24 - 8 * i));
    mac_sha256(slice_of(shared, sizeof shared), slice_of(context, sizeof context), out);
    bytes_wipe(shared, sizeof shared);
    return true;
}
