/* Bytes become a bundle's file, and the inside of one that is sealed and signed as it should be:
 * whatever they are, the reader may not crash, and takes nothing that is not signed. */
#include <assert.h>
#include <string.h>

#include "protocol/session/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 * 1024 * 1024 };

static void read_file(struct slice file, const struct sign_key *key, struct arena *mem) {
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    struct bundle bundle;
    sign_public(key, public_key);
    if (bundle_look(file, &bundle, NULL) == ST_OK)
        assert(bundle_read(file, key, public_key, mem, &bundle, NULL) != ST_OK);
}

/* One message of these bytes goes there and back. */
static void send_through(struct slice bytes, const struct sign_key *key, struct arena *mem) {
    static const uint8_t ephemeral[BOX_SECRET_BYTES] = {3};
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    struct bundle sent = {
        .kind = BUNDLE_DOWN, .org = "acme", .messages = &bytes, .message_count = 1};
    struct bundle bundle;
    struct slice file;
    sign_public(key, public_key);
    if (bundle_write(&sent, key, public_key, ephemeral, mem, &file, NULL) != ST_OK) return;
    if (bundle_read(file, key, public_key, mem, &bundle, NULL) != ST_OK) return;
    assert(bundle.message_count == 1 && slice_equal(bundle.messages[0], bytes));
    struct key_trust trust = {.changes = 0}, before;
    memcpy(trust.now, public_key, SIGN_PUBLIC_BYTES);
    before = trust;
    if (bundle_read_down(file, key, &trust, mem, &bundle, NULL) != ST_OK)
        assert(memcmp(&trust, &before, sizeof trust) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t seed[SIGN_SEED_BYTES] = {7};
    if (crypto_start(NULL) != ST_OK) return 0;
    struct sign_key key = sign_key_from_seed(seed);
    struct arena mem = arena_new(MEMORY);
    read_file(slice_of(data, size), &key, &mem);
    send_through(slice_of(data, size), &key, &mem);
    arena_clear(&mem);
    return 0;
}
