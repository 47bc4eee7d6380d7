/* The conversation of a laptop and the server, without input or output: what to send next, and what
 * to do with what came. HTTP is a plain struct here; sockets and stores are elsewhere.
 *
 * Enrolment and hello are signed with Ed25519, rounds with HMAC-SHA-256 under the key that the
 * hello agreed: HTTP Message Signatures (RFC 9421) over Content-Digest (RFC 9530). PROTOCOL.md,
 * "Proof".
 */
#ifndef ROADBOOK_SESSION_H
#define ROADBOOK_SESSION_H

#include "protocol/wire/wire.h"

enum {
    SESSION_FIELDS_MAX = 8,
    SESSION_NONCE_BYTES_MAX = 48,      /* as text */
    SESSION_KEY_MS = 24 * 3600 * 1000, /* a key is renewed daily */
    SESSION_ORG_BYTES_MAX = 32
};

struct session_field {
    const char *name;
    const char *value;
};

/* A request or a reply of HTTP; everything borrowed from the arena of whoever made it. */
struct session_http {
    const char *method;                              /* requests: "POST" */
    const char *path;                                /* requests: "/acme/round" */
    int code;                                        /* replies */
    struct session_field fields[SESSION_FIELDS_MAX]; /* without Host and Content-Length */
    size_t field_count;
    struct slice body;
};
const char *session_http_field(const struct session_http *m,
                               const char *name); /* any case; NULL: absent */
/* As it stood on the line, for traces: start line, fields, empty line, body. */
void session_http_write(const struct session_http *m, struct buf *out);

/* ------------------------------------------------------------------ enrolment link
 *
 * https://HOST[:PORT]/ORG/enroll#CODE.ORGKEY[.TLSPIN]: code 16 random bytes, org key 32, pin 32,
 * all base64url. What stands after # never travels in a request line and never in a log.
 */
struct session_link {
    char base_url[256]; /* https://host:port */
    char org[SESSION_ORG_BYTES_MAX + 1];
    uint8_t code[16];
    uint8_t org_public[SIGN_PUBLIC_BYTES];
    bool has_tls_pin;
    uint8_t tls_pin[HASH_BYTES]; /* SHA-256 of the certificate's public key */
};
enum status session_link_write(const struct session_link *link, struct buf *out,
                               struct err *err) NODISCARD;
enum status session_link_read(struct slice text, struct session_link *out,
                              struct err *err) NODISCARD;

/* ------------------------------------------------------------------ the laptop's end */

struct session_identity { /* what enrolment gave; kept by the store */
    char org[SESSION_ORG_BYTES_MAX + 1];
    uint32_t device; /* 0 before enrolment */
    struct sign_key key;
    uint8_t org_public[SIGN_PUBLIC_BYTES]; /* the newest one that it has heard of */
    uint8_t org_first[SIGN_PUBLIC_BYTES];  /* without changes not looked at */
    uint32_t key_changes;                  /* of the org's key, that it has heard of */
};

/*  NEW --hello sent--> GREETING --its reply--> READY --round sent--> ASKING --its reply--> READY
 *   ^ \________________________________________|______________________/ |
 *   |________ key too old, 401 without nonce ___|________________________|   (401 with a nonce:
 * READY) */
enum session_state {
    SESSION_NEW,
    SESSION_GREETING,
    SESSION_READY,
    SESSION_ASKING,
    SESSION_STATE_COUNT
};

struct session { /* plain value; one at a time per store */
    struct session_identity identity;
    enum session_state state;
    uint8_t key[MAC_BYTES];
    int64_t key_until_boot_ms; /* by the boot clock */
    char nonce[SESSION_NONCE_BYTES_MAX + 1];
    uint8_t box_secret[BOX_SECRET_BYTES]; /* while GREETING */
    char asked_signature[64];             /* of the request under way, which the reply covers */
};

void session_start(struct session *s, const struct session_identity *identity);
/* Whether a hello has to come first. */
bool session_needs_hello(const struct session *s, const struct env *env);

enum status session_enroll_request(const struct session_identity *identity,
                                   const struct session_link *link, struct slice device_name,
                                   struct slice release, struct arena *mem,
                                   struct session_http *out, struct err *err) NODISCARD;
/* The same of a book that is a copy; NULL: it is none. */
enum status session_enroll_again_request(const struct session_identity *identity,
                                         const struct session_link *link, struct slice device_name,
                                         struct slice release, struct copied_book *copy,
                                         struct arena *mem, struct session_http *out,
                                         struct err *err) NODISCARD;
/* identity takes what the reply proves about the org's keys: all changes are in out->keys.
 * ST_UNAUTHENTIC: neither the link's key nor one that follows it, or goes before it, has signed. */
enum status session_enroll_reply(struct session_identity *identity,
                                 const struct session_http *reply, struct arena *mem,
                                 struct enroll_reply *out, struct err *err) NODISCARD;
enum status session_hello_request(struct session *s, struct slice release,
                                  const struct chain *catalogue, const struct env *env,
                                  struct arena *mem, struct session_http *out,
                                  struct err *err) NODISCARD;
/* Where out->keys has changes of the org's key, the session's identity has the newest key, and the
 * caller keeps them before it goes on; if it cannot, it starts the session anew with the identity
 * that it has. ST_CONFLICT: whoever answers has an older key of the org than the laptop. */
enum status session_hello_reply(struct session *s, const struct session_http *reply,
                                const struct env *env, struct arena *mem, struct hello_reply *out,
                                struct err *err) NODISCARD;
/* A greeting that says that the book was deleted by that order. It is made before the keys go, and
 * may be sent again until a reply of 200 comes; nothing else is made of that. */
enum status session_wiped_request(const struct session_identity *identity, int64_t order_ms,
                                  struct slice release, const struct env *env, struct arena *mem,
                                  struct session_http *out, struct err *err) NODISCARD;
/* Whether the org has signed the order, for this laptop and its key. */
bool session_order_is_signed(const struct session_identity *identity,
                             const struct device_order *order);
/* message: the body, from wire_write_round_request, _wait_request or _content_request; what:
 * "round", "wait" or "content". */
enum status session_round_request(struct session *s, const char *what, struct slice message,
                                  struct arena *mem, struct session_http *out,
                                  struct err *err) NODISCARD;
/* Checks the reply's proof and yields its body (empty for 204, the end of a wait). ST_TRY_AGAIN:
 * send the same round again (a new nonce came, or a hello is needed); problem details of the server
 * become *err. */
enum status session_round_reply(struct session *s, const struct session_http *reply,
                                struct arena *mem, struct slice *out_message,
                                struct err *err) NODISCARD;
/* READY only. A copy for a wait on a connection of its own, beside the rounds of s: the next nonce
 * goes with the copy, and s takes the one after it. */
void session_lend(struct session *s, struct session *out);
/* RFC 9457 body -> status and text in both languages. Anything else -> by the HTTP code. */
enum status session_problem(const struct session_http *reply, struct err *err);
void session_problem_write(const struct err *err, struct buf *out);

/* ------------------------------------------------------------------ the server's end
 *
 * Stateless but for what the caller keeps: the device's keys (store) and the nonces
 * (session_nonces).
 */

/* Splits "/acme/round" into org and what; false when it is not of that form. */
bool session_path(const char *path, char org[SESSION_ORG_BYTES_MAX + 1], const char **out_what);
/* The device number that a request names in its signature parameters (keyid); 0 when none. */
uint32_t session_request_device(const struct session_http *request);

enum status session_server_enroll(const struct session_http *request, struct arena *mem,
                                  struct enroll_request *out, struct err *err) NODISCARD;
enum status session_server_enroll_answer(const struct session_http *request,
                                         const struct enroll_reply *reply,
                                         const struct sign_key *org_key, struct arena *mem,
                                         struct session_http *out, struct err *err) NODISCARD;
/* device_public: of the device that the request names. */
enum status session_server_hello(const struct session_http *request,
                                 const uint8_t device_public[SIGN_PUBLIC_BYTES], struct arena *mem,
                                 struct hello_request *out, struct err *err) NODISCARD;
/* Fills reply->box_public, signs with the org's key, and gives the key agreed, for the store to
 * keep. */
enum status session_server_hello_answer(const struct session_http *request,
                                        const struct hello_request *hello,
                                        struct hello_reply *reply, const struct sign_key *org_key,
                                        const struct env *env, struct arena *mem,
                                        uint8_t out_key[MAC_BYTES], struct session_http *out,
                                        struct err *err) NODISCARD;

/* Nonces: each names its device and a number that only grows; each is good once. Valid only for the
 * process that gave it (a fresh key at start), so nothing needs to be stored: after a restart a
 * laptop gets a new one with one extra round trip (ST_TRY_AGAIN). Thread-safe: callers hold a lock
 * of theirs around nonce calls. */
struct session_nonces;
enum status session_nonces_open(const struct env *env, struct session_nonces **out,
                                struct err *err) NODISCARD;
void session_nonces_close(struct session_nonces *nonces);
void session_nonce_give(struct session_nonces *nonces, uint32_t org, uint32_t device,
                        char out[SESSION_NONCE_BYTES_MAX + 1]);
/* ST_TRY_AGAIN when it was used already, is older than one used, or is of another process. */
enum status session_nonce_take(struct session_nonces *nonces, uint32_t org, uint32_t device,
                               const char *nonce, struct err *err) NODISCARD;

/* Checks digest and HMAC of a round or wait; *out_nonce is what to hand to session_nonce_take. */
enum status session_server_round(const struct session_http *request, const uint8_t key[MAC_BYTES],
                                 struct arena *mem, const char **out_nonce,
                                 struct err *err) NODISCARD;
/* code 200 with a message, or 204 with none. */
enum status session_server_answer(const struct session_http *request, const uint8_t key[MAC_BYTES],
                                  int code, struct slice message, const char *next_nonce,
                                  struct arena *mem, struct session_http *out,
                                  struct err *err) NODISCARD;
/* A refusal as problem details; next_nonce NULL: none. */
enum status session_server_problem(const struct err *problem, const char *next_nonce,
                                   struct arena *mem, struct session_http *out,
                                   struct err *err) NODISCARD;

#endif
