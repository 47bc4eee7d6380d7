/* The ground that all of Roadbook stands on: results and errors, arenas, buffers, readers, text,
 * the doors to the outside world, and the cryptographic primitives.
 *
 * Nothing here opens a file or a socket, reads a clock, starts a thread or logs. What the program
 * needs of the world it gets through struct env, so that a test can be the world.
 */
#ifndef ROADBOOK_BASE_H
#define ROADBOOK_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An ignored result is written (void). Only clang takes that as an answer, so only clang asks. */
#ifdef __clang__
#define NODISCARD __attribute__((warn_unused_result))
#else
#define NODISCARD
#endif
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SCOPED(release) __attribute__((cleanup(release)))

/* ------------------------------------------------------------------ results and errors
 *
 * A status says what the caller can do; struct err says what happened, for the person who reads it.
 *
 * ROW(name, number, retry, http, exit, English, Chinese). Numbers are stable: they travel on the
 * wire and stand in scripts. retry: the same call may succeed later without anyone doing anything.
 */
/* clang-format off */
#define STATUS_ROWS(ROW)                                                                             \
    ROW(OK, 0, false, 200, 0, "done", "完成")                                                        \
    ROW(INVALID, 1, false, 422, 65, "not valid", "内容无效")                                         \
    ROW(USAGE, 2, false, 400, 64, "wrong usage", "用法错误")                                         \
    ROW(NOT_FOUND, 3, false, 404, 66, "not found", "未找到")                                         \
    ROW(CONFLICT, 4, false, 409, 65, "conflicts with what is there", "与现有内容冲突")               \
    ROW(DENIED, 5, false, 403, 77, "not permitted", "没有权限")                                      \
    ROW(UNAUTHENTIC, 6, false, 401, 77, "not authentic", "身份验证失败")                             \
    ROW(OFFLINE, 7, true, 503, 69, "no connection", "无法连接")                                      \
    ROW(BUSY, 8, true, 503, 75, "busy", "忙")                                                        \
    ROW(TOO_LARGE, 9, false, 413, 65, "too large", "过大")                                           \
    ROW(MALFORMED, 10, false, 400, 76, "malformed message", "消息格式错误")                          \
    ROW(VERSION, 11, false, 426, 76, "version not supported", "版本不受支持")                        \
    ROW(DAMAGED, 12, false, 500, 74, "damaged", "数据损坏")                                          \
    ROW(DISK, 13, true, 507, 74, "disk trouble", "磁盘故障")                                         \
    ROW(NO_MEMORY, 14, true, 503, 71, "out of memory", "内存不足")                                   \
    ROW(INTERNAL, 15, false, 500, 70, "internal error", "内部错误")                                  \
    ROW(GONE, 16, false, 410, 69, "no longer there", "已不存在")                                     \
    ROW(CANCELLED, 17, false, 499, 130, "cancelled", "已取消")                                       \
    ROW(CLONED, 18, false, 409, 78, "this laptop's store was copied or set back",                    \
        "本机数据是副本或被还原过")                                                                  \
    ROW(TRY_AGAIN, 19, true, 401, 75, "try again with a new nonce", "请用新的随机数重试")             \
    ROW(LIMITED, 20, true, 429, 75, "too many requests", "请求过于频繁")                             \
    ROW(REVOKED, 21, false, 403, 78, "head office has shut this laptop out", "本机已被总部停用")

enum status {
#define STATUS_ENUM(name, number, ...) ST_##name = number,
    STATUS_ROWS(STATUS_ENUM)
#undef STATUS_ENUM
};
/* clang-format on */

enum lang { LANG_EN, LANG_ZH, LANG_COUNT };

enum { ERR_TEXT_BYTES = 768 };

/* What happened, in both languages. Set once at the origin; wrapped upward with context. */
struct err {
    enum status status;
    char text[LANG_COUNT][ERR_TEXT_BYTES];
};

/* Sets *err (which may be NULL) and returns status, so that callers can write
 *     return err_set(err, ST_INVALID, "no such field: %s", "没有此字段：%s", name);
 * Both texts take the same arguments in the same order. A text that is too long is cut at a
 * character. */
enum status err_set(struct err *err, enum status status, const char *en, const char *zh, ...)
    PRINTF_LIKE(3, 5) PRINTF_LIKE(4, 5);
/* Puts context before the text ("context: text"); keeps and returns the status. */
enum status err_wrap(struct err *err, enum status status, const char *en, const char *zh, ...)
    PRINTF_LIKE(3, 5) PRINTF_LIKE(4, 5);
enum status err_no_memory(struct err *err);
const char *status_name(enum status status); /* "NOT_FOUND" */
const char *status_text(enum status status, enum lang lang);
bool status_is_retryable(enum status status);
int status_http(enum status status);
int status_exit(enum status status);            /* exit code of a program, after sysexits.h */
enum status status_from_number(int64_t number); /* unknown numbers are ST_INTERNAL */

/* Returns early when expr fails. The only control flow hidden in a macro in this program. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum status try_status_ = (expr);                                                          \
        if (try_status_ != ST_OK) return try_status_;                                              \
    } while (0)

/* ------------------------------------------------------------------ bytes */

/* Bytes that somebody else owns. text slices are UTF-8 without a closing zero. */
struct slice {
    const uint8_t *data;
    size_t len;
};

#define SLICE(literal) ((struct slice){(const uint8_t *)(literal), sizeof(literal) - 1})
struct slice slice_from(const char *zero_terminated); /* NULL gives an empty slice */
struct slice slice_of(const void *data, size_t len);
bool slice_equal(struct slice a, struct slice b);
int slice_compare(struct slice a, struct slice b); /* bytewise, the shorter first */
bool slice_starts(struct slice s, struct slice prefix);
/* Cuts the part before the first separator off *rest and returns it; false when *rest was empty. */
bool slice_cut(struct slice *rest, char separator, struct slice *out_part);
struct slice slice_trim(struct slice s); /* without ASCII and full-width blanks at the ends */

/* ------------------------------------------------------------------ arenas
 *
 * The memory of one operation: everything in it goes at once. An arena has a cap, so that no input
 * can make an operation take more. With ARENA_DEBUG each item is a heap block of its own, so that
 * the sanitizers see every overrun.
 */
struct arena_block;
struct arena {
    struct arena_block *last;
    size_t used, cap; /* bytes handed out; at most cap */
};

enum { ARENA_CAP_DEFAULT = 256 * 1024 * 1024 };

struct arena arena_new(size_t cap);  /* no allocation yet */
void arena_clear(struct arena *mem); /* frees everything; usable again */
/* Zeroed memory, aligned for any type; NULL when the cap or the machine's memory is exhausted. */
void *arena_alloc(struct arena *mem, size_t bytes) NODISCARD;
void *arena_array(struct arena *mem, size_t count,
                  size_t item_bytes) NODISCARD; /* overflow-checked */
/* A copy with a zero behind it, which len does not count. data NULL when memory is exhausted. */
struct slice arena_copy(struct arena *mem, struct slice s) NODISCARD;
char *arena_string(struct arena *mem, struct slice s) NODISCARD;
char *arena_printf(struct arena *mem, const char *format, ...) PRINTF_LIKE(2, 3) NODISCARD;
#define ARENA_NEW(mem, type) ((type *)arena_alloc((mem), sizeof(type)))
#define ARENA_ARRAY(mem, count, type) ((type *)arena_array((mem), (count), sizeof(type)))

/* ------------------------------------------------------------------ growing buffers
 *
 * Append freely, test once: a buffer that fails (memory, or its mandatory maximum) stays failed,
 * swallows what follows, and buf_status says so.
 */
struct buf {
    uint8_t *data;
    size_t len, cap, max;
    bool failed;
    bool too_large; /* failed at the maximum, not for want of memory */
};

/* The maxima of all buffers stand here, each with its reason. */
enum {
    BUF_MAX_LINE = 64 * 1024,           /* one line of output, a URL, a header */
    BUF_MAX_BATCH = 1024 * 1024,        /* four times the largest batch, while it is being built */
    BUF_MAX_MESSAGE = 64 * 1024 * 1024, /* an inflated message; more is an attack or a fault */
    BUF_MAX_FILE = 1024 * 1024 * 1024   /* an exported or imported file held whole */
};

struct buf buf_new(size_t max);
void buf_free(struct buf *buf);  /* NULL and freed buffers are fine */
void buf_reset(struct buf *buf); /* empty again, keeps its memory, clears failed */
void buf_put(struct buf *buf, const void *data, size_t len);
void buf_put_slice(struct buf *buf, struct slice s);
void buf_put_byte(struct buf *buf, uint8_t byte);
void buf_put_text(struct buf *buf, const char *zero_terminated);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_put_varint(struct buf *buf, uint64_t value); /* LEB128, at most 10 bytes */
void buf_put_signed(struct buf *buf, int64_t value);  /* zigzag, then varint */
void buf_put_bytes(struct buf *buf, struct slice s);  /* varint length, then the bytes */
void buf_put_json_string(struct buf *buf,
                         struct slice s); /* quoted and escaped; broken UTF-8 as U+FFFD */
void buf_put_json_text(struct buf *buf, const char *zero_terminated);
struct slice buf_slice(const struct buf *buf); /* borrowed until the next append */
const char *buf_text(struct buf *buf);         /* zero-terminated, borrowed; "" when failed */
enum status buf_status(const struct buf *buf, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ reading
 *
 * Reads never go past the end: a reader that failed stays failed and yields zeros and empty slices.
 */
struct reader {
    const uint8_t *at, *end;
    bool failed;
};

struct reader reader_of(struct slice s);
uint8_t reader_byte(struct reader *r);
uint64_t reader_varint(struct reader *r); /* fails on more than 10 bytes or overflow */
uint64_t reader_varint_max(struct reader *r, uint64_t max); /* fails when greater */
int64_t reader_signed(struct reader *r);
struct slice reader_take(struct reader *r, size_t len);      /* borrowed from the input */
struct slice reader_bytes(struct reader *r, size_t len_max); /* varint length, then the bytes */
size_t reader_left(const struct reader *r);
bool reader_done(const struct reader *r); /* all read, nothing failed */

/* ------------------------------------------------------------------ text */

bool text_is_utf8(struct slice s); /* well-formed, no NUL inside */
/* The longest prefix of at most bytes_max that does not cut a character. */
struct slice text_prefix(struct slice s, size_t bytes_max);
size_t text_length(struct slice s); /* code points */
/* One code point from *s, which moves on; U+FFFD for a broken byte; -1 at the end. */
int32_t text_next(struct slice *s);
void buf_put_code_point(struct buf *buf, int32_t code_point);
/* Unicode normal form C. s must be UTF-8. Borrowed when s is normal already, else placed in mem. */
enum status text_nfc(struct slice s, struct arena *mem, struct slice *out,
                     struct err *err) NODISCARD;
/* For comparing and searching: NFKC with case folded, full-width forms narrowed. */
enum status text_fold(struct slice s, struct arena *mem, struct slice *out,
                      struct err *err) NODISCARD;
size_t text_columns(struct slice s); /* width in a terminal: a Chinese character is 2 */
/* The whole of s as a decimal number: digits, a minus before them if need be; no plus, no blanks.
 * false when it is not one or does not fit. */
bool text_to_int(struct slice s, int64_t *out);
/* "12.345" with scale 3 is 12345. At most scale digits behind the point, at least one on each side.
 */
bool text_to_decimal(struct slice s, unsigned scale, int64_t *out);
void buf_put_decimal(struct buf *buf, int64_t scaled,
                     unsigned scale); /* all scale digits: 12.500 */

/* ------------------------------------------------------------------ calendar (proleptic Gregorian)
 */

int64_t days_from_civil(int year, unsigned month, unsigned day); /* days since 1970-01-01 */
void civil_from_days(int64_t days, int *out_year, unsigned *out_month, unsigned *out_day);
/* Accepts 2026-03-01, 2026/3/1, 20260301, and instants, of which it takes the date as written. */
bool date_parse(struct slice s, int64_t *out_days);
void buf_put_date(struct buf *buf, int64_t days); /* 2026-03-01 */
/* RFC 3339 with or without zone (none means offset_minutes), date alone means midnight. UTC ms. */
bool time_parse(struct slice s, int offset_minutes, int64_t *out_unix_ms);
/* 2026-03-01T09:30:00+08:00, or Z for offset 0. Whole seconds, rounded down. */
void buf_put_time(struct buf *buf, int64_t unix_ms, int offset_minutes);

/* ------------------------------------------------------------------ doors
 *
 * The only ways out of the core. Every object that needs one gets it at creation.
 */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct env {
    void *ctx;
    int64_t (*wall_ms)(void *ctx);  /* Unix time; may jump in either direction */
    int64_t (*boot_ms)(void *ctx);  /* since the machine was started; never steps, counts sleep */
    uint64_t (*boot_id)(void *ctx); /* names this run of the machine; another after a restart */
    void (*random)(void *ctx, void *out, size_t bytes);
    void (*log)(void *ctx, enum log_level level, const char *line);
    /* Minutes east of Greenwich where the person is, at that instant; NULL: China's, 480. */
    int (*utc_offset_min)(void *ctx, int64_t unix_ms);
};

/* ------------------------------------------------------------------ cryptography
 *
 * Thin names over libsodium and libcrypto's SHA-256, which only crypto.c includes. crypto_start
 * once per process (it only picks implementations; it draws no random numbers that matter here).
 */
enum {
    HASH_BYTES = 32, /* SHA-256: chains, digests */
    MAC_BYTES = 32,  /* HMAC-SHA-256 */
    SIGN_BYTES = 64, /* Ed25519 */
    SIGN_PUBLIC_BYTES = 32,
    SIGN_SECRET_BYTES = 64,
    SIGN_SEED_BYTES = 32,
    BOX_PUBLIC_BYTES = 32, /* X25519 */
    BOX_SECRET_BYTES = 32,
    CHAIN_BYTES = 16 /* a chain value: the first half of a SHA-256 */
};

struct hash {
    uint8_t bytes[HASH_BYTES];
};
struct chain {
    uint8_t bytes[CHAIN_BYTES];
};
struct sign_key { /* secret holds seed and public key, as libsodium has it */
    uint8_t secret[SIGN_SECRET_BYTES];
};

enum status crypto_start(struct err *err) NODISCARD;
struct hash hash_sha256(struct slice s);
struct hash hash_sha256_two(struct slice a, struct slice b); /* of a followed by b */
/* SHA-256 of what does not fit into memory: start, any number of parts, end. */
struct hash_run {
    uint64_t state[16]; /* opaque */
};
void hash_run_start(struct hash_run *run);
void hash_run_add(struct hash_run *run, struct slice part);
struct hash hash_run_end(struct hash_run *run);
/* Keyed BLAKE2b with 16 bytes of output: for digests that must be cheap. key: at most 64 bytes. */
enum { DIGEST_BYTES_SHORT = 16 };
void hash_blake2b(struct slice key, struct slice message, uint8_t out[DIGEST_BYTES_SHORT]);
void mac_sha256(struct slice key, struct slice message, uint8_t out[MAC_BYTES]);
/* What HMAC-SHA-256 makes of its key before it sees a message: the states of its two hashes behind
 * their first block. Whoever has it checks and makes codes as if he had the key; the key does not
 * follow from it. */
enum { MAC_STATE_BYTES = 64 };
void mac_prepare(struct slice key, uint8_t out[MAC_STATE_BYTES]);
void mac_sha256_prepared(const uint8_t state[MAC_STATE_BYTES], struct slice message,
                         uint8_t out[MAC_BYTES]);
bool bytes_equal_secret(const void *a, const void *b, size_t bytes); /* in constant time */
void bytes_wipe(void *data, size_t bytes);
struct sign_key sign_key_from_seed(const uint8_t seed[SIGN_SEED_BYTES]);
void sign_public(const struct sign_key *key, uint8_t out[SIGN_PUBLIC_BYTES]);
void sign_make(const struct sign_key *key, struct slice message, uint8_t out[SIGN_BYTES]);
bool sign_check(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct slice message,
                const uint8_t signature[SIGN_BYTES]);
void box_public(const uint8_t secret[BOX_SECRET_BYTES], uint8_t out[BOX_PUBLIC_BYTES]);
/* X25519. false for a public key of low order. */
bool box_shared(const uint8_t secret[BOX_SECRET_BYTES], const uint8_t public_key[BOX_PUBLIC_BYTES],
                uint8_t out[HASH_BYTES]);
/* Sealed to the holder of a signing key (Ed25519, turned into its X25519 form): anyone can write
 * it, only he reads it, and a change shows. ephemeral: 32 fresh random bytes, used for nothing
 * else. *out in mem. false: no such public key, or no room. */
enum { SEAL_BYTES = BOX_PUBLIC_BYTES + 16 }; /* what sealing adds */
bool seal_make(const uint8_t to[SIGN_PUBLIC_BYTES], const uint8_t ephemeral[BOX_SECRET_BYTES],
               struct slice message, struct arena *mem, struct slice *out);
/* false: not sealed to this key, or changed on the way (or no room). */
bool seal_open(const struct sign_key *key, struct slice sealed, struct arena *mem,
               struct slice *out);
/* chain' = first 16 bytes of SHA-256(chain || bytes) */
struct chain chain_next(const struct chain *chain, struct slice bytes);
/* Base64: standard alphabet with padding, or URL-safe without. decode: false when it is not that,
 * then nothing was appended; whether the buffer could hold it is for buf_status. */
void buf_put_base64(struct buf *buf, struct slice s, bool url_safe);
bool base64_decode(struct slice text, bool url_safe, struct buf *out);
void buf_put_hex(struct buf *buf, struct slice s);
bool hex_decode(struct slice text, struct buf *out);

/* ------------------------------------------------------------------ JSON in
 *
 * Parsed by jansson, which only json.c includes. Objects live until json_free of their root.
 */
struct json;
enum status json_parse(struct slice text, struct json **out, struct err *err) NODISCARD;
void json_free(struct json **root); /* usable with SCOPED */
const struct json *json_member(const struct json *object, const char *name); /* NULL when absent */
const struct json *json_item(const struct json *array, size_t index);        /* NULL past the end */
size_t json_count(const struct json *value);                 /* members or items, 0 for others */
bool json_text(const struct json *value, struct slice *out); /* borrowed */
bool json_int(const struct json *value, int64_t *out);

#include "protocol/base/banned.h"

#endif
