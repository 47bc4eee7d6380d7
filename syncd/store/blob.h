/* Contents of attachments on disk: a folder beside the book, at the laptop as at the server.
 *
 *   DIR/ab/cdef...        a content, whole, under the SHA-256 of its bytes
 *   DIR/part/NAME-OWNER   the first bytes of one that is still on its way
 *   DIR/want/NAME         the laptop's person asked for it
 *   DIR/no/NAME           why the server did not take it
 *
 * The folder is its own table: what stands there whole is what its name says, since it gets its
 * name only after its bytes were hashed; of a part, the length says how much is there, since pieces
 * come in order and each is durable before it counts. A crash anywhere leaves a shorter part.
 * Names are made here from hashes; nothing that a person or a peer says becomes part of a path.
 */
#ifndef ROADBOOK_STORE_BLOB_H
#define ROADBOOK_STORE_BLOB_H

#include "protocol/base/base.h"

enum {
    BLOB_NAME_BYTES = 2 * HASH_BYTES, /* hexadecimal, as sha256sum prints it */
    BLOB_PATH_BYTES = 4096,
    BLOB_NOTE_BYTES_MAX = 4096,
    BLOB_DIR_FILES_MAX = 1000000 /* names in one folder of the 256 */
};
#define BLOB_BYTES_MAX ((int64_t)4 * 1024 * 1024 * 1024 * 1024) /* that a size field may say */

struct blobs { /* plain value */
    char dir[BLOB_PATH_BYTES];
};

/* Touches nothing. ST_INVALID: the path is too long. */
enum status blobs_at(const char *dir, struct blobs *out, struct err *err) NODISCARD;

void blob_name(const struct hash *hash, char out[BLOB_NAME_BYTES + 1]);
bool blob_name_read(struct slice name, struct hash *out); /* 64 digits 0-9a-f, nothing else */
/* Where a whole content stands, or would. */
void blob_path(const struct blobs *blobs, const struct hash *hash, char out[BLOB_PATH_BYTES + 80]);

/* ST_NOT_FOUND: not here, or not whole. */
enum status blob_bytes(const struct blobs *blobs, const struct hash *hash, int64_t *out,
                       struct err *err) NODISCARD;
bool blob_is_here(const struct blobs *blobs, const struct hash *hash);
/* At most bytes_max from offset on, in mem; empty at the end. */
enum status blob_read(const struct blobs *blobs, const struct hash *hash, int64_t offset,
                      size_t bytes_max, struct arena *mem, struct slice *out,
                      struct err *err) NODISCARD;

/* How much of a content this owner has brought so far; 0: nothing. */
enum status blob_part_bytes(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                            int64_t *out, struct err *err) NODISCARD;
/* Puts a piece behind what is there, durably; the last one (offset + piece = bytes) makes the
 * content whole. *out_whole: it is. Another owner may have made it whole before: fine.
 * ST_CONFLICT: the part has another length than offset. ST_BUSY: the same part is just being
 * written. ST_DAMAGED: all bytes are there and they are not what the name says: the part is
 * removed. ST_DISK. */
enum status blob_append(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                        int64_t bytes, int64_t offset, struct slice piece, bool *out_whole,
                        struct err *err) NODISCARD;
/* Copies a person's file in. ST_INVALID: it is empty, or no plain file; ST_TOO_LARGE: more than
 * bytes_max; ST_DISK. */
enum status blob_take_file(const struct blobs *blobs, const char *path, int64_t bytes_max,
                           struct hash *out_hash, int64_t *out_bytes, struct err *err) NODISCARD;
/* Writes a copy for a person; ST_CONFLICT: something stands at path. ST_DAMAGED: the bytes here are
 * not what the name says any more; then they are removed, and can be fetched again. */
enum status blob_copy_to(const struct blobs *blobs, const struct hash *hash, const char *path,
                         struct err *err) NODISCARD;
/* The content and every part of this owner. Fine when there is none. */
void blob_remove(const struct blobs *blobs, const struct hash *hash, uint32_t owner);

/* Small marks beside a content: "want", "no". text may be empty. */
enum status blob_mark(const struct blobs *blobs, const char *mark, const struct hash *hash,
                      struct slice text, struct err *err) NODISCARD;
void blob_unmark(const struct blobs *blobs, const char *mark, const struct hash *hash);
/* false: no such mark. out_text may be NULL. */
bool blob_is_marked(const struct blobs *blobs, const char *mark, const struct hash *hash,
                    struct arena *mem, struct slice *out_text);
/* When the mark was made, by the wall clock; 0: there is none. */
int64_t blob_marked_ms(const struct blobs *blobs, const char *mark, const struct hash *hash);

struct blob_found {
    struct hash hash;
    int64_t bytes;
    int64_t written_ms;
    bool is_part;
    uint32_t owner; /* of a part */
};
typedef enum status blob_each(void *ctx, const struct blob_found *found, struct err *err);
/* Every whole content by name, then every part. What does not belong there is passed over. */
enum status blob_walk(const struct blobs *blobs, blob_each *each, void *ctx,
                      struct err *err) NODISCARD;
struct blob_sum {
    int64_t contents, bytes, parts, part_bytes;
};
enum status blob_sum(const struct blobs *blobs, struct blob_sum *out, struct err *err) NODISCARD;
/* Checks that a whole content is what its name says. ST_DAMAGED. */
enum status blob_check(const struct blobs *blobs, const struct hash *hash,
                       struct err *err) NODISCARD;
enum status blob_remove_part(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                             struct err *err) NODISCARD;

#endif
