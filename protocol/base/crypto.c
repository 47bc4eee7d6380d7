/* The cryptographic primitives, by libsodium, which only this file includes; SHA-256, which signs
 * every round and chains every batch, by libcrypto, whose assembler takes half the time. Nothing
 * here draws a random number: seeds and secrets come from the caller, who has them from
 * env->random. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain functions allocate nothing and cannot fail */
#include <assert.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <string.h>

#include "protocol/base/base.h"

_Static_assert(HASH_BYTES == SHA256_DIGEST_LENGTH, "SHA-256");
_Static_assert(DIGEST_BYTES_SHORT >= crypto_generichash_BYTES_MIN, "BLAKE2b");
_Static_assert(MAC_BYTES == SHA256_DIGEST_LENGTH, "HMAC-SHA-256");
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
    SHA256_CTX state;
    struct hash hash;
    SHA256_Init(&state);
    if (a.len) SHA256_Update(&state, a.data, a.len);
    if (b.len) SHA256_Update(&state, b.data, b.len);
    SHA256_Final(hash.bytes, &state);
    return hash;
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct hash_run), "the state fits");

static SHA256_CTX *state_of(struct hash_run *run) {
    return (SHA256_CTX *)(void *)run->state;
}

void hash_run_start(struct hash_run *run) {
    SHA256_Init(state_of(run));
}

void hash_run_add(struct hash_run *run, struct slice part) {
    if (part.len) SHA256_Update(state_of(run), part.data, part.len);
}

struct hash hash_run_end(struct hash_run *run) {
    struct hash hash;
    SHA256_Final(hash.bytes, state_of(run));
    return hash;
}

void hash_blake2b(struct slice key, struct slice message, uint8_t out[DIGEST_BYTES_SHORT]) {
    assert(key.len <= crypto_generichash_KEYBYTES_MAX);
    (void)crypto_generichash(out, DIGEST_BYTES_SHORT, message.data, message.len, key.data, key.len);
}

/* RFC 2104: the hash of the padded key and what it keys. */
static void mac_half(const uint8_t block[SHA256_CBLOCK], uint8_t pad, struct slice message,
                     uint8_t out[MAC_BYTES]) {
    SHA256_CTX state;
    uint8_t padded[SHA256_CBLOCK];
    for (size_t i = 0; i < sizeof padded; i++) padded[i] = (uint8_t)(block[i] ^ pad);
    SHA256_Init(&state);
    SHA256_Update(&state, padded, sizeof padded);
    if (message.len) SHA256_Update(&state, message.data, message.len);
    SHA256_Final(out, &state);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(padded, sizeof padded);
}

enum { INNER_PAD = 0x36, OUTER_PAD = 0x5c };

static void mac_block(struct slice key, uint8_t block[SHA256_CBLOCK]) {
    memset(block, 0, SHA256_CBLOCK);
    if (key.len > SHA256_CBLOCK) {
        struct hash hash = hash_sha256(key);
        memcpy(block, hash.bytes, sizeof hash.bytes);
        sodium_memzero(&hash, sizeof hash);
    } else if (key.len) {
        memcpy(block, key.data, key.len);
    }
}

void mac_sha256(struct slice key, struct slice message, uint8_t out[MAC_BYTES]) {
    uint8_t block[SHA256_CBLOCK], inner[MAC_BYTES];
    mac_block(key, block);
    mac_half(block, INNER_PAD, message, inner);
    mac_half(block, OUTER_PAD, slice_of(inner, sizeof inner), out);
    sodium_memzero(block, sizeof block);
    sodium_memzero(inner, sizeof inner);
}

enum { STATE_WORDS = 8, STATE_BYTES = 4 * STATE_WORDS };
_Static_assert(MAC_STATE_BYTES == 2 * STATE_BYTES, "two states of SHA-256");

static void state_keep(const uint8_t block[SHA256_CBLOCK], uint8_t pad, uint8_t *out) {
    SHA256_CTX state;
    uint8_t padded[SHA256_CBLOCK];
    for (size_t i = 0; i < sizeof padded; i++) padded[i] = (uint8_t)(block[i] ^ pad);
    SHA256_Init(&state);
    SHA256_Update(&state, padded, sizeof padded);
    for (size_t i = 0; i < STATE_BYTES; i++)
        out[i] = (uint8_t)(state.h[i / 4] >> (24 - 8 * (i % 4)));
    sodium_memzero(&state, sizeof state);
    sodium_memzero(padded, sizeof padded);
}

/* Goes on behind the one block that the state has seen. */
static void state_end(const uint8_t *kept, struct slice message, uint8_t out[MAC_BYTES]) {
    SHA256_CTX state;
    SHA256_Init(&state);
    for (size_t i = 0; i < STATE_WORDS; i++) {
        const uint8_t *at = kept + 4 * i;
        state.h[i] = (SHA_LONG)at[0] << 24 | (SHA_LONG)at[1] << 16 | (SHA_LONG)at[2] << 8 | at[3];
    }
    state.Nl = SHA256_CBLOCK * 8;
    if (message.len) SHA256_Update(&state, message.data, message.len);
    SHA256_Final(out, &state);
    sodium_memzero(&state, sizeof state);
}

void mac_prepare(struct slice key, uint8_t out[MAC_STATE_BYTES]) {
    uint8_t block[SHA256_CBLOCK];
    mac_block(key, block);
    state_keep(block, INNER_PAD, out);
    state_keep(block, OUTER_PAD, out + STATE_BYTES);
    sodium_memzero(block, sizeof block);
}

void mac_sha256_prepared(const uint8_t state[MAC_STATE_BYTES], struct slice message,
                         uint8_t out[MAC_BYTES]) {
    uint8_t inner[MAC_BYTES];
    state_end(state, message, inner);
    state_end(state + STATE_BYTES, slice_of(inner, sizeof inner), out);
    sodium_memzero(inner, sizeof inner);
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

/* ------------------------------------------------------------------ sealing
 *
 * X25519 of an ephemeral key with the reader's; SHA-256 over both public keys and what they share
 * is the key of one XChaCha20-Poly1305 message, so that the nonce may be zero.
 */

static void seal_key(const uint8_t shared[HASH_BYTES], const uint8_t ephemeral[BOX_PUBLIC_BYTES],
                     const uint8_t reader[BOX_PUBLIC_BYTES], uint8_t out[HASH_BYTES]) {
    struct hash_run run;
    hash_run_start(&run);
    hash_run_add(&run, SLICE("roadbook seal 1"));
    hash_run_add(&run, slice_of(ephemeral, BOX_PUBLIC_BYTES));
    hash_run_add(&run, slice_of(reader, BOX_PUBLIC_BYTES));
    hash_run_add(&run, slice_of(shared, HASH_BYTES));
    struct hash hash = hash_run_end(&run);
    memcpy(out, hash.bytes, HASH_BYTES);
}

_Static_assert(SEAL_BYTES == crypto_scalarmult_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "sealing");
static const uint8_t seal_nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

bool seal_make(const uint8_t to[SIGN_PUBLIC_BYTES], const uint8_t ephemeral[BOX_SECRET_BYTES],
               struct slice message, struct arena *mem, struct slice *out) {
    uint8_t reader[BOX_PUBLIC_BYTES], mine[BOX_PUBLIC_BYTES], shared[HASH_BYTES], key[HASH_BYTES];
    if (crypto_sign_ed25519_pk_to_curve25519(reader, to) != 0) return false;
    box_public(ephemeral, mine);
    if (!box_shared(ephemeral, reader, shared)) return false;
    seal_key(shared, mine, reader, key);
    uint8_t *at = arena_alloc(mem, SEAL_BYTES + message.len);
    if (at) {
        memcpy(at, mine, sizeof mine);
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt(
            at + sizeof mine, NULL, message.data, message.len, NULL, 0, NULL, seal_nonce, key);
        *out = slice_of(at, SEAL_BYTES + message.len);
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(shared, sizeof shared);
    return at != NULL;
}

static bool seal_read(const struct sign_key *to, struct slice sealed, uint8_t *out) {
    uint8_t secret[BOX_SECRET_BYTES], reader[BOX_PUBLIC_BYTES], shared[HASH_BYTES], key[HASH_BYTES];
    struct slice box = slice_of(sealed.data + BOX_PUBLIC_BYTES, sealed.len - BOX_PUBLIC_BYTES);
    (void)crypto_sign_ed25519_sk_to_curve25519(secret, to->secret);
    box_public(secret, reader);
    bool opened = box_shared(secret, sealed.data, shared);
    if (opened) {
        seal_key(shared, sealed.data, reader, key);
        opened = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, box.data, box.len,
                                                            NULL, 0, seal_nonce, key) == 0;
        sodium_memzero(key, sizeof key);
        sodium_memzero(shared, sizeof shared);
    }
    sodium_memzero(secret, sizeof secret);
    return opened;
}

bool seal_open(const struct sign_key *key, struct slice sealed, struct arena *mem,
               struct slice *out) {
    if (sealed.len < SEAL_BYTES) return false;
    size_t bytes = sealed.len - SEAL_BYTES;
    uint8_t *at = arena_alloc(mem, bytes + 1);
    if (!at || !seal_read(key, sealed, at)) return false;
    *out = slice_of(at, bytes);
    return true;
}

struct chain chain_next(const struct chain *chain, struct slice bytes) {
    struct hash hash = hash_sha256_two(slice_of(chain->bytes, sizeof chain->bytes), bytes);
    struct chain next;
    memcpy(next.bytes, hash.bytes, sizeof next.bytes);
    return next;
}
