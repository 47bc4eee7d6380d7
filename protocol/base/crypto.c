/* The cryptographic primitives, by libsodium, which only this file includes. Nothing here draws a
 * random number: seeds and secrets come from the caller, who has them from env->random. */
#include <sodium.h>
#include <string.h>

#include "protocol/base/base.h"

_Static_assert(HASH_BYTES == crypto_hash_sha256_BYTES, "SHA-256");
_Static_assert(MAC_BYTES == crypto_auth_hmacsha256_BYTES, "HMAC-SHA-256");
_Static_assert(SIGN_BYTES == crypto_sign_BYTES, "Ed25519 signature");
_Static_assert(SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519 public key");
_Static_assert(SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519 secret key");
_Static_assert(SIGN_SEED_BYTES == crypto_sign_SEEDBYTES, "Ed25519 seed");
_Static_assert(BOX_PUBLIC_BYTES == crypto_scalarmult_BYTES, "X25519 public key");
_Static_assert(BOX_SECRET_BYTES == crypto_scalarmult_SCALARBYTES, "X25519 secret key");

enum status crypto_start(struct err *err) {
    if (sodium_init() >= 0) return ST_OK;
    return err_set(err, ST_INTERNAL, "the cryptographic library does not start", "加密库无法启动");
}

struct hash hash_sha256(struct slice s) {
    return hash_sha256_two(s, (struct slice){0});
}

struct hash hash_sha256_two(struct slice a, struct slice b) {
    crypto_hash_sha256_state state;
    struct hash hash;
    crypto_hash_sha256_init(&state);
    if (a.len) crypto_hash_sha256_update(&state, a.data, a.len);
    if (b.len) crypto_hash_sha256_update(&state, b.data, b.len);
    crypto_hash_sha256_final(&state, hash.bytes);
    return hash;
}

void mac_sha256(struct slice key, struct slice message, uint8_t out[MAC_BYTES]) {
    static const uint8_t nothing[1];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key.len ? key.data : nothing, key.len);
    if (message.len) crypto_auth_hmacsha256_update(&state, message.data, message.len);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

bool bytes_equal_secret(const void *a, const void *b, size_t bytes) {
    return sodium_memcmp(a, b, bytes) == 0;
}

void bytes_wipe(void *data, size_t bytes) {
    sodium_memzero(data, bytes);
}

struct sign_key sign_key_from_seed(const uint8_t seed[SIGN_SEED_BYTES]) {
    struct sign_key key;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    (void)crypto_sign_seed_keypair(public_key, key.secret, seed);
    return key;
}

void sign_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC_BYTES]) {
    (void)crypto_sign_ed25519_sk_to_pk(out, key->secret);
}

void sign_make(const struct sign_key *key, struct slice message, uint8_t out[SIGN_BYTES]) {
    (void)crypto_sign_detached(out, NULL, message.data, message.len, key->secret);
}

bool sign_check(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct slice message,
                const uint8_t signature[SIGN_BYTES]) {
    return crypto_sign_verify_detached(signature, message.data, message.len, public_key) == 0;
}

void box_public(const uint8_t secret[BOX_SECRET_BYTES], uint8_t out[BOX_PUBLIC_BYTES]) {
    (void)crypto_scalarmult_base(out, secret);
}

bool box_shared(const uint8_t secret[BOX_SECRET_BYTES], const uint8_t public_key[BOX_PUBLIC_BYTES],
                uint8_t out[HASH_BYTES]) {
    uint8_t shared[crypto_scalarmult_BYTES];
    if (crypto_scalarmult(shared, secret, public_key) != 0) return false;
    memcpy(out, shared, sizeof shared);
    sodium_memzero(shared, sizeof shared);
    return true;
}

struct chain chain_next(const struct chain *chain, struct slice bytes) {
    struct hash hash = hash_sha256_two(slice_of(chain->bytes, sizeof chain->bytes), bytes);
    struct chain next;
    memcpy(next.bytes, hash.bytes, sizeof next.bytes);
    return next;
}
