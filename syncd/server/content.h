/* Contents of attachments at the centre: where they are, how many there may be, who may have them,
 * what the book says of them. service_content.c moves the pieces; the commands of head office look
 * after the folder.
 */
#ifndef ROADBOOK_SERVER_CONTENT_H
#define ROADBOOK_SERVER_CONTENT_H

#include "syncd/server/org.h"
#include "syncd/store/attachment.h"

enum {
    CONTENT_GC_DAYS = 30,      /* a content that no row names is kept that long */
    CONTENT_ROWS_MAX = 1000000 /* rows of an org that name contents, looked at by a command */
};
#define CONTENT_FILE_BYTES_MAX                                                                     \
    ((int64_t)100 * 1024 * 1024) /* unless head office says otherwise                              \
                                  */
#define CONTENT_ORG_BYTES_MAX ((int64_t)20 * 1024 * 1024 * 1024)
/* The book comes first: contents leave it room on the disk. */
#define CONTENT_DISK_BYTES_FREE ((int64_t)256 * 1024 * 1024)

struct content_limits {
    int64_t file_bytes; /* of one content */
    int64_t org_bytes;  /* of all of them, and of parts */
};

/* ORG.db has its contents in ORG.blob beside it. */
enum status content_folder(const char *org_path, struct blobs *out, struct err *err) NODISCARD;
enum status content_limits(struct store *store, struct content_limits *out,
                           struct err *err) NODISCARD;
enum status content_limits_set(struct store *store, const struct content_limits *limits,
                               struct err *err) NODISCARD;

/* Whether this device may have the content, or bring it: a living row names it that its user sees,
 * or for bringing one that this laptop made (its user may have handed the account over since, and
 * nobody else has the file). The one place where that is decided. ST_NOT_FOUND: nobody tells more.
 */
enum status content_may(struct centre *c, const struct centre_device *device,
                        const struct hash *content, bool brings, struct err *err) NODISCARD;
/* Says in each living row that names the content since when it is here, or with 0 that it is not
 * here any more: laptops that still have the file then bring it again. Rows that say so already are
 * left alone. A save of head office; nothing else may be open on org. */
enum status content_arrived(struct org *org, const struct hash *content, int64_t arrived_ms,
                            struct err *err) NODISCARD;

struct content_swept {
    int64_t removed, bytes; /* contents that no row names, since long enough; parts given up */
    int64_t waiting;        /* contents that no row names, not yet so long */
};
/* Removes what no living row names for days, and parts that nobody went on with for days. dry: only
 * counts. */
enum status content_sweep(struct store *store, const struct blobs *blobs, int64_t now_ms,
                          int64_t days, bool dry, struct content_swept *out,
                          struct err *err) NODISCARD;

#endif
