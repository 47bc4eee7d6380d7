/* Rows of attachments, as those read them who move contents about: the laptop's agent, the service,
 * the commands. The rows themselves are rows like any other; their contents are in blob.h.
 */
#ifndef ROADBOOK_STORE_ATTACHMENT_H
#define ROADBOOK_STORE_ATTACHMENT_H

#include "syncd/store/blob.h"
#include "syncd/store/store.h"

/* The declaration's numbers; a test compares them with the catalogue. */
enum attachment_tag {
    ATTACHMENT_ENTITY = 13,
    ATTACHMENT_ACCOUNT = 1,
    ATTACHMENT_VISIT,
    ATTACHMENT_OPPORTUNITY,
    ATTACHMENT_CONTACT,
    ATTACHMENT_TITLE,
    ATTACHMENT_FILE_NAME,
    ATTACHMENT_KIND,
    ATTACHMENT_MEDIA_TYPE,
    ATTACHMENT_SIZE,
    ATTACHMENT_CONTENT,
    ATTACHMENT_TAKEN_AT,
    ATTACHMENT_AUTHOR,
    ATTACHMENT_ARRIVED_AT
};
enum attachment_kind {
    ATTACHMENT_PHOTO = 1,
    ATTACHMENT_RECORDING,
    ATTACHMENT_SIGNATURE,
    ATTACHMENT_OTHER
};

struct attachment { /* texts borrowed from the row */
    int64_t row;
    int64_t account;
    int64_t author;     /* 0: nobody */
    int64_t kind;       /* 0: none */
    int64_t bytes;      /* as the row says */
    int64_t taken_ms;   /* 0: unknown */
    int64_t arrived_ms; /* 0: the server does not have the content */
    struct slice title, file_name;
    bool is_sound; /* content is a hash, and the size one that a file can have */
    struct hash content;
};

/* NULL: a catalogue without attachments. */
const struct entity *attachment_entity(const struct catalogue *cat);
/* The field with that tag: never NULL for the tags above. */
const struct field *attachment_field(const struct entity *e, enum attachment_tag tag);
void attachment_read(const struct row *row, struct attachment *out);
/* The laptop that made the row, which had the file then. */
uint32_t attachment_device(int64_t row);

typedef enum status attachment_each(void *ctx, const struct attachment *attachment,
                                    struct err *err);
/* Living rows, by id. content NULL: all; else those that name it. only_waiting: only those whose
 * content is not at the server. ST_CANCELLED from each ends the list and is passed on. */
enum status attachment_list(struct store *store, const struct hash *content, bool only_waiting,
                            attachment_each *each, void *ctx, struct err *err) NODISCARD;
/* Whether a living row names the content. */
enum status attachment_is_named(struct store *store, const struct hash *content, bool *out,
                                struct err *err) NODISCARD;

/* What a person's file is, by its name: "photo.JPG" is image/jpeg, a photo. Never fails: what is
 * not known is application/octet-stream, a file. */
const char *attachment_media_type(struct slice file_name, enum attachment_kind *out_kind);
/* The part of a path behind the last separator of any system, without control characters and
 * leading dots; "file" when nothing is left. In mem; NULL: no memory. What a row says is never more
 * than that to a command that writes a file. */
char *attachment_safe_name(struct slice name, struct arena *mem);

#endif
