/* The org's signing key, and how it changes (protocol/wire/succession.h).
 *
 * The book has the newest private key, and of each change the statement, who did it, the state by
 * which vouchers of the old key can still be checked (mac_prepare: the private key does not follow
 * from it), and the greatest number of an addition to the catalogue that it had signed. An old
 * private key is nowhere any more.
 *
 * No restore may take a change back: laptops that have heard of it believe no older key. Beside the
 * book, and in the folder of `copy`, stands a small file with all that (0600), replaced as a whole
 * and on the disk before the change is committed. Each opening applies it to a book that knows
 * less, and writes it where it is missing. There is none before the first change.
 */
#ifndef ROADBOOK_ORG_KEYS_H
#define ROADBOOK_ORG_KEYS_H

#include "protocol/wire/succession.h"
#include "syncd/store/centre.h"

enum { KEYS_PATH_BYTES = 4096, KEYS_FILE_BYTES_MAX = 256 * 1024, KEYS_PERSON_BYTES = 128 };

struct key_record {
    struct key_change change;
    uint8_t voucher[MAC_STATE_BYTES];
    int64_t added; /* the greatest number of an addition then; 0: none */
    char person[KEYS_PERSON_BYTES];
};
struct key_records { /* from the first change on */
    struct key_record *items;
    size_t count;
};

/* The file beside the book at path: its name without ".db", then ".keys". */
enum status keys_path(const char *book_path, char out[KEYS_PATH_BYTES], struct err *err) NODISCARD;

/* All changes, in mem; none is fine. */
enum status centre_keys(struct centre *c, struct arena *mem, struct key_records *out,
                        struct err *err) NODISCARD;
/* Those above the first known ones, for a laptop: in mem. known above what there is: none. */
enum status centre_keys_news(struct centre *c, uint32_t known, struct arena *mem,
                             struct key_changes *out, struct err *err) NODISCARD;
/* The org's first public key, which names it; and the present one. */
enum status centre_key_first(struct centre *c, uint8_t out[SIGN_PUBLIC_BYTES],
                             struct err *err) NODISCARD;
enum status centre_key_now(struct centre *c, uint8_t out[SIGN_PUBLIC_BYTES],
                           struct err *err) NODISCARD;

/* A new key from the kernel's random numbers; the old private key goes. All session keys are
 * forgotten, so that each laptop greets anew and hears of it; the additions are signed anew; the
 * log has an entry. ST_TOO_LARGE: changed KEY_CHANGES_MAX times. */
enum status centre_key_change(struct centre *c, struct slice person, struct key_record *out,
                              struct err *err) NODISCARD;
/* Outside of a transaction: no byte of the private key that went stays in the book's files. Waits a
 * while for readers. *out_clean false: some are there still, for a reader was in the way. */
enum status centre_key_scrub(struct centre *c, const uint8_t seed[SIGN_SEED_BYTES], bool *out_clean,
                             struct err *err) NODISCARD;

/* At each opening for writing. *out_applied: changes that the book did not know. ST_CONFLICT: the
 * file is of another org, or of another life of this one. ST_DAMAGED: it cannot be read. */
enum status centre_keys_ready(struct centre *c, int64_t *out_applied, struct err *err) NODISCARD;
/* Puts the newer one of what stands beside two books beside the second. For restore. */
enum status keys_adopt(const char *from_book, const char *to_book, struct err *err) NODISCARD;
/* Would a book that is put at that place go with the keys that stand beside it? As
 * centre_keys_ready. */
enum status centre_keys_fit(struct centre *c, const char *book_path, struct err *err) NODISCARD;
/* What the copy's folder has, put beside a book made from it. None there is fine. */
enum status keys_from_copy(const char *dir, const char *book_path, struct err *err) NODISCARD;
/* A line for each statement that is not signed, and for each file that knows something else than
 * the book. */
enum status centre_keys_verify(struct centre *c, struct buf *out_findings,
                               struct err *err) NODISCARD;

/* ------------------------------------------------------------------ centre_keys_file.c */

struct keys_file {
    bool is_there, is_sound;
    struct key_records records;
    uint8_t seed[SIGN_SEED_BYTES]; /* of the newest key; the reader wipes it */
};
/* None there is fine. */
enum status keys_file_read(const char *path, struct arena *mem, struct keys_file *out,
                           struct err *err) NODISCARD;
/* Replaces it, and writes over the one before. */
enum status keys_file_write(const char *path, const struct key_records *records,
                            const uint8_t seed[SIGN_SEED_BYTES], struct err *err) NODISCARD;

#endif
