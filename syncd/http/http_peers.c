/* What the listener remembers of each address: how many connections it has, the bytes that it makes
 * the server hold, and buckets of tokens: new connections, requests, proofs.
 *
 * The table is made once and never grows. An address has one place among HTTP_PEER_WAYS; a place is
 * given to another address once nobody holds it, the one that was quiet longest first, so that an
 * attacker with many addresses pushes out only those that ask for nothing. When all ways are held,
 * those who come later share one entry. The half of an IPv6 address that its owner chooses freely
 * does not count.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "http_private.h"

enum {
    HTTP_PEER_SETS = 1024, /* a power of two */
    HTTP_PEER_WAYS = 8,    /* under a megabyte in all */
    BUCKET_S = 20          /* a full bucket holds what comes in so many seconds */
};

struct bucket { /* thousandths of a token; begins full at at_ms 0 */
    int64_t milli, at_ms;
};

struct http_peer {
    uint8_t key[8];
    uint8_t family; /* 0: free, or shared; 4; 6; 1 for what is no address */
    unsigned holders, connections;
    size_t bytes;
    int64_t seen_ms;
    struct bucket connects, purses[HTTP_PURSE_COUNT];
};

struct http_peers {
    struct platform_mutex *mutex;
    struct http_limits limits;
    uint8_t seed[16];
    size_t bytes; /* of all */
    struct http_peer shared;
    struct http_peer sets[HTTP_PEER_SETS][HTTP_PEER_WAYS];
};

/* ------------------------------------------------------------------ finding */

/* The /64 of an IPv6 address; four bytes of IPv4; nothing of anything else. */
static void key_of(const char *address, struct http_peer *out) {
    uint8_t raw[16];
    out->family = 1;
    if (inet_pton(AF_INET, address, raw) == 1) {
        out->family = 4;
        memcpy(out->key, raw, 4);
    } else if (inet_pton(AF_INET6, address, raw) == 1) {
        out->family = 6;
        memcpy(out->key, raw, 8);
    }
}

/* Seeded, so that nobody can choose addresses that meet in one set. */
static size_t set_of(const struct http_peers *peers, const struct http_peer *key) {
    uint8_t text[sizeof peers->seed + sizeof key->key + 1];
    memcpy(text, peers->seed, sizeof peers->seed);
    memcpy(text + sizeof peers->seed, key->key, sizeof key->key);
    text[sizeof text - 1] = key->family;
    struct hash hash = hash_sha256(slice_of(text, sizeof text));
    return ((size_t)hash.bytes[0] | (size_t)hash.bytes[1] << 8) & (HTTP_PEER_SETS - 1);
}

static bool is_same(const struct http_peer *a, const struct http_peer *b) {
    return a->family == b->family && memcmp(a->key, b->key, sizeof a->key) == 0;
}

static struct http_peer *find(struct http_peers *peers, const struct http_peer *key) {
    struct http_peer *set = peers->sets[set_of(peers, key)], *quiet = NULL;
    for (size_t i = 0; i < HTTP_PEER_WAYS; i++) {
        if (is_same(&set[i], key)) return &set[i];
        if (set[i].holders > 0) continue;
        if (quiet == NULL || set[i].seen_ms < quiet->seen_ms) quiet = &set[i];
    }
    if (quiet == NULL) return &peers->shared;
    *quiet = *key;
    return quiet;
}

struct http_peer *http_peer_hold(struct http_peers *peers, const char *address) {
    struct http_peer key = {.family = 0};
    key_of(address, &key);
    platform_lock(peers->mutex);
    struct http_peer *peer = find(peers, &key);
    peer->holders++;
    peer->seen_ms = http_now_ms();
    platform_release(peers->mutex);
    return peer;
}

void http_peer_release(struct http_peers *peers, struct http_peer *peer) {
    if (peer == NULL) return;
    platform_lock(peers->mutex);
    peer->holders--;
    platform_release(peers->mutex);
}

/* ------------------------------------------------------------------ tokens */

/* Takes tokens when there are as many; else the milliseconds until there will be. */
static int64_t take(struct bucket *bucket, unsigned per_s, unsigned tokens) {
    if (per_s == 0) return 0;
    int64_t now = http_now_ms(), full = (int64_t)per_s * BUCKET_S * 1000;
    int64_t want = (int64_t)tokens * 1000;
    int64_t passed = bucket->at_ms == 0 ? BUCKET_S * 1000 : now - bucket->at_ms;
    if (passed > BUCKET_S * 1000) passed = BUCKET_S * 1000;
    bucket->milli += passed * per_s;
    if (bucket->milli > full) bucket->milli = full;
    bucket->at_ms = now;
    if (bucket->milli < want) return (want - bucket->milli) / per_s + 1;
    bucket->milli -= want;
    return 0;
}

int64_t http_peer_charge(struct http_peers *peers, struct http_peer *peer, enum http_purse purse,
                         unsigned tokens) {
    unsigned per_s = peers->limits.address_requests_s;
    if (purse == HTTP_PURSE_PROOFS) per_s = (per_s + 4) / 5;
    platform_lock(peers->mutex);
    int64_t wait_ms = take(&peer->purses[purse], per_s, tokens);
    platform_release(peers->mutex);
    return wait_ms;
}

/* ------------------------------------------------------------------ connections and bytes */

/* Connections of a proxy, by a Unix socket, are of many. */
bool http_peer_connect(struct http_peers *peers, struct http_peer *peer) {
    unsigned max = peers->limits.address_connections_max;
    platform_lock(peers->mutex);
    bool is_one = peer->family > 1;
    bool may = !is_one || ((max == 0 || peer->connections < max) &&
                           take(&peer->connects, peers->limits.address_connects_s, 1) == 0);
    if (may) peer->connections++;
    platform_release(peers->mutex);
    return may;
}

void http_peer_disconnect(struct http_peers *peers, struct http_peer *peer) {
    platform_lock(peers->mutex);
    peer->connections--;
    platform_release(peers->mutex);
}

void http_peer_bytes(struct http_peers *peers, struct http_peer *peer, size_t *held, size_t now) {
    if (*held == now) return;
    platform_lock(peers->mutex);
    peers->bytes = peers->bytes - *held + now;
    peer->bytes = peer->bytes - *held + now;
    platform_release(peers->mutex);
    *held = now;
}

/* Behind a proxy that does not say whose a request is, all come from one. */
bool http_peer_is_full(struct http_peers *peers, const struct http_peer *peer) {
    size_t max = peers->limits.held_bytes_max;
    platform_lock(peers->mutex);
    bool full = peers->bytes > max || (peer->family > 1 && peer->bytes > max / 2);
    platform_release(peers->mutex);
    return full;
}

/* ------------------------------------------------------------------ life */

enum status http_peers_open(const struct http_limits *limits, struct http_peers **out,
                            struct err *err) {
    struct env env;
    struct http_peers *peers = calloc(1, sizeof *peers);
    if (peers == NULL) return err_no_memory(err);
    peers->mutex = platform_mutex_new();
    if (peers->mutex == NULL) {
        free(peers);
        return err_no_memory(err);
    }
    peers->limits = *limits;
    platform_env(&env);
    env.random(env.ctx, peers->seed, sizeof peers->seed);
    *out = peers;
    return ST_OK;
}

void http_peers_close(struct http_peers *peers) {
    if (peers == NULL) return;
    platform_mutex_free(peers->mutex);
    free(peers);
}
