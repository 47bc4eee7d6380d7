/* How the book travels: canonical batches (what is hashed, signed and kept), columnar messages
 * (what is sent), deflate with a preset dictionary, and the debugging view of it all as JSON.
 *
 * A decoder needs no catalogue: tags and shapes are in the bytes, so that releases of different age
 * understand each other and pass on what they do not know. Decoders take any bytes at all: they
 * return ST_MALFORMED, ST_TOO_LARGE or ST_VERSION, never crash, and place everything in the arena.
 * PROTOCOL.md ("Messages") describes the bytes.
 */
#ifndef ROADBOOK_WIRE_H
#define ROADBOOK_WIRE_H

#include "protocol/model/addition.h"
#include "protocol/model/model.h"

enum {
    WIRE_VERSION = 1,
    WIRE_REQUEST_BYTES_MAX = 4 * 1024 * 1024, /* a request as it travels */
    WIRE_REPLY_BYTES_MAX = 8 * 1024 * 1024,
    WIRE_INFLATED_BYTES_MAX = 32 * 1024 * 1024, /* a message inflated; the cap of inflating */
    WIRE_BATCHES_MAX = 4096,                    /* batches of one push */
    WIRE_CHANGES_MAX = 20000,                   /* changes of one push */
    WIRE_PUSH_BYTES = 1024 * 1024,              /* canonical bytes a laptop puts into one push */
    WIRE_PAGE_BYTES = 1024 * 1024,              /* what a laptop asks of a page, before deflate */
    WIRE_MARKS_MAX = 16,                        /* older positions of one request */
    WIRE_ADDITIONS_MAX = 8,                     /* lists of additions in one message */
    WIRE_TEXT_BYTES_MAX = 1024 * 1024,          /* one value */
    WIRE_HOMES_MAX = 1000000,                   /* homes of one user */
    WIRE_PIECE_BYTES_MAX = 256 * 1024,          /* of an attachment, in one message */
    BOOK_DIGEST_BYTES = 16
};
#define WIRE_MEDIA_TYPE "application/roadbook"
#define WIRE_MEDIA_TYPE_JSON                                                                       \
    "application/roadbook+json" /* Accept of a request: the reply as JSON */

/* ------------------------------------------------------------------ canonical batches
 *
 * One spelling for one batch: integers in the shortest varint, edits by tag, absent for NULL. The
 * outbox and the journal hold these bytes; the device's chain and signature are over them.
 */
void batch_write(const struct batch *batch, struct buf *out);
/* ST_MALFORMED also when the bytes are not the canonical spelling. Everything placed in mem; texts
 * borrowed from bytes. */
enum status batch_read(struct slice bytes, struct arena *mem, struct batch *out,
                       struct err *err) NODISCARD;
/* What tells a save from all others, whatever became of its changes (folded into a later batch,
 * undone): 16 bytes over the batch without them. */
enum status batch_save(const struct batch *batch, struct chain *out, struct err *err) NODISCARD;
void change_write(const struct change *change, struct buf *out); /* as in a batch: for quarantine */
enum status change_read(struct slice bytes, struct arena *mem, struct change *out,
                        struct err *err) NODISCARD;
/* A list of values alone, as stores keep them in hidden columns: count, then kind and content each.
 */
void values_write(const struct value *values, size_t count, struct buf *out);
enum status values_read(struct slice bytes, struct arena *mem, struct value **out,
                        size_t *out_count, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ messages */

struct position { /* in the org's log */
    int64_t seq;
    struct chain chain;
};

/* What an own order of head office to a laptop is. */
enum order_kind {
    ORDER_NONE,
    ORDER_REVOKED, /* its work was taken into quarantine; it gets nothing any more */
    ORDER_WIPE,    /* likewise, and its book is to be deleted */
    ORDER_KIND_COUNT
};
struct device_order {
    enum order_kind kind;
    int64_t time_ms;               /* when head office gave it */
    uint8_t signature[SIGN_BYTES]; /* by the org's key, of wire_order_bytes */
};
/* What is signed of an order: for this laptop of this org, and its key, alone. */
void wire_order_bytes(const struct device_order *order, struct slice org, uint32_t device,
                      const uint8_t device_public[SIGN_PUBLIC_BYTES], struct buf *out);

enum disk_kind { DISK_UNKNOWN, DISK_PLAIN, DISK_ENCRYPTED, DISK_KIND_COUNT };
struct device_report {     /* how a laptop is; told when it changed notably, and daily */
    uint32_t newest_batch; /* of its outbox, or the last with a receipt */
    int64_t used_kib;      /* the book's files */
    int64_t free_mib;      /* of the disk that they are on */
    enum disk_kind disk;
};

/* A book that is a copy of another, or lost its identity: by the chain of its batches the server
 * finds the laptop that it was; what that one sent folded otherwise, by the saves. */
struct copied_book {
    uint32_t last_batch;  /* with a receipt */
    struct chain *chains; /* there, and after each batch behind it */
    size_t chain_count;   /* at least 1 */
    struct chain *saves;  /* batch_save of each batch behind it */
    size_t save_count;    /* chain_count - 1, or 0: not told */
};
struct kept_batches { /* what the server has of one */
    uint32_t last;
    bool otherwise; /* some in another form: what is new goes on from this chain */
    struct chain chain;
};

/* The org's signing key became another (succession.h). */
struct key_change {
    uint8_t old_public[SIGN_PUBLIC_BYTES], new_public[SIGN_PUBLIC_BYTES];
    int64_t time_ms; /* the server's */
    int64_t seq;     /* of the change in the log: what the old key signed is below it */
    uint8_t by_old[SIGN_BYTES], by_new[SIGN_BYTES];
};
struct key_changes {          /* the newest ones, in order */
    uint32_t total;           /* so often the key was changed; 0: never, or not told */
    struct key_change *items; /* the changes total - count + 1 ... total */
    size_t count;
};

struct hello_request {
    uint32_t device;
    uint8_t box_public[BOX_PUBLIC_BYTES]; /* fresh */
    struct slice release;                 /* "0.1.0" */
    struct chain catalogue;
    int64_t wall_ms;
    bool has_wiped;
    int64_t wiped_order_ms; /* time_ms of the order to wipe that was obeyed */
    uint32_t key_changes;   /* so many changes of the org's key it has heard of */
};
struct hello_reply {
    uint8_t box_public[BOX_PUBLIC_BYTES];
    int64_t time_ms;    /* the server's */
    int64_t key_ms;     /* the key agreed lives that long */
    struct slice nonce; /* for the first round */
    struct slice release;
    struct slice minimum_release;
    uint32_t lease_days;     /* so long the book may be used offline; 0: not told */
    struct key_changes keys; /* those that the laptop has not heard of */
};

struct enroll_request {
    struct slice code; /* the secret of the link */
    uint8_t device_public[SIGN_PUBLIC_BYTES];
    struct slice device_name; /* what the laptop calls itself */
    struct slice release;
    struct copied_book *copy; /* NULL: a new book */
};
struct enroll_reply {
    uint32_t device;
    int64_t employee; /* row id of the user's employee row, 0: none */
    struct slice user;
    struct slice org_label;
    int64_t epoch;
    int64_t time_ms;
    bool has_kept;
    struct kept_batches kept; /* of a copy */
    struct key_changes keys;  /* all */
};

/* Where a laptop stands with the homes that it may see. All zero: it has heard of none yet. While
 * homes are being filled the log does not move; what happened meanwhile comes by the log after. */
struct fill_key { /* rows are filled in this order */
    int64_t home;
    uint32_t entity_tag;
    int64_t row;
};
struct scope_position {
    int64_t told;       /* it knows which grants ended up to this seq */
    int64_t ready;      /* homes granted up to this seq are filled ... */
    int64_t filling;    /* ... those after, up to this seq, are being filled; = ready: none are */
    struct fill_key at; /* it has the rows up to this one; home 0: none */
};
struct grant_news {
    int64_t home;
    int64_t since;
    bool fills; /* false: the log after the cursor holds all of it */
};

/* What head office added to the catalogue, as the org signed it. */
struct signed_additions {
    struct slice bytes; /* as wire_write_additions makes them */
    uint8_t signature[SIGN_BYTES];
    struct additions added; /* read from bytes */
};

/* Receipts as the org signed them: the device's number, then the section as it travelled. */
struct receipt_proof {
    struct slice bytes;
    uint8_t signature[SIGN_BYTES];
    uint32_t device; /* read from bytes, like the receipts */
    struct receipt *receipts;
    size_t receipt_count;
};

/* Batches that a life of the server acknowledged which it has forgotten since, in their order. */
struct give_back {
    struct chain before;           /* the device's chain before the first */
    uint8_t signature[SIGN_BYTES]; /* of the chain after the last */
    struct batch *batches;
    size_t batch_count;
    struct receipt_proof *proofs; /* what that life said to them */
    size_t proof_count;
};

/* The server's word that its log stood at a position when it spoke to a laptop: only the server can
 * make one or check it. By it a laptop proves that it knows more than a server which went back. */
enum { VOUCHER_BYTES = 16 };
struct voucher {
    uint32_t last_batch; /* of the laptop that the server had then */
    uint8_t mac[VOUCHER_BYTES];
};

struct round_request {
    int64_t epoch;
    struct position cursor;
    struct position top;     /* the greatest that this laptop was ever told */
    int64_t since;           /* seq at which a round last said "no more" */
    int64_t news_version;    /* of the catalogue news that it has */
    uint32_t last_batch;     /* last own batch with a receipt, and the chain there: */
    struct chain last_chain; /* the batches below continue it */
    struct scope_position scope;
    bool wants_digest; /* even if nothing changed; only with a scope */
    struct envelope envelope;
    uint32_t page_bytes;   /* how much it wants at most, before deflate */
    struct batch *batches; /* last_batch + 1, + 2, ... */
    size_t batch_count;
    uint8_t signature[SIGN_BYTES]; /* of the chain after the last batch; only with batches */
    struct position *marks;        /* older positions that it was told, ascending */
    size_t mark_count;
    struct give_back *given; /* NULL: nothing is given back */
    bool has_voucher;        /* of top, in this epoch */
    struct voucher voucher;
    /* Rows of a life that the server forgot, as this laptop had them: one batch whose changes set
     * every cell, on the row's seq then as base. NULL: none. */
    struct batch *facts;
    struct signed_additions *added; /* that a server which went back may have forgotten */
    size_t added_count;
    bool has_report;
    struct device_report report;
};

/* An edit of somebody else that was refused because he had no access any more: it waits in
 * quarantine, and whoever sees its row now is told. */
enum { WIRE_OTHERS_MAX = 1000 }; /* the oldest, when more wait */
struct others_edit {
    int64_t seq, time_ms; /* when it was refused */
    uint32_t device;      /* the author's, and there: */
    struct refusal_id id;
    enum reason reason;
    struct slice content; /* the change in canonical bytes (change_read), with that edit only */
};

enum reply_kind { REPLY_ROUND, REPLY_EPOCH, REPLY_CLONED };

struct round_reply {
    enum reply_kind kind; /* REPLY_EPOCH: holds epoch and cursor (where the logs part),
                             nothing else. REPLY_CLONED: last_batch, nothing else */
    int64_t epoch;
    int64_t time_ms;
    struct position head;
    struct position cursor; /* where the log stands for this laptop after this page */
    int64_t since;
    bool more;
    uint32_t retry_ms;   /* 0: come when you have something */
    uint32_t last_batch; /* highest batch of this device that the server has */
    bool has_news;
    int64_t news_version;
    struct person *people;
    size_t people_count;
    struct signed_additions *added; /* with news: the whole of it, in one item; or there is none */
    size_t added_count;
    struct receipt *receipts;
    size_t receipt_count;
    uint8_t receipts_signature[SIGN_BYTES]; /* by the org's key, over receipts_bytes; with receipts
                                               only */
    struct slice receipts_bytes; /* device number and the receipts section as it travelled */
    struct alias_news *aliases;  /* all before records, whatever their seq */
    size_t alias_count;
    struct record *records; /* by seq */
    size_t record_count;
    struct ledger_entry *ledger;
    size_t ledger_count;
    struct held_news *held;
    size_t held_count;
    bool has_others; /* the list is whole, and takes the place of an earlier one */
    struct others_edit *others;
    size_t others_count;
    bool has_backup;
    int64_t backup;         /* a backup holds everything up to this seq */
    bool recovering;        /* the server went back, and head office has not ended it yet */
    struct position *marks; /* to remember: where a server that goes back to that backup and */
    size_t mark_count;      /* the laptop part */
    bool wants_facts;       /* rows of the forgotten life may be told; facts_taken came in */
    uint32_t facts_taken;
    bool has_voucher; /* of head, with this reply's last_batch */
    uint8_t voucher[VOUCHER_BYTES];
    bool has_scope;              /* the rest says something: */
    struct scope_position scope; /* after this reply */
    bool scope_whole;            /* opened is all that there is: other homes are closed */
    struct grant_news *opened;   /* by home */
    size_t opened_count;
    int64_t *closed; /* homes, ascending */
    size_t closed_count;
    /* Whole rows of homes being filled, in the order of fill_key. They speak for the range after
     * the request's scope.at (the beginning, if the request was filling nothing) up to scope.at
     * here, or to the end if nothing is being filled any more: a row in that range that is not
     * among them is not in that home, or comes with another home that the laptop holds. */
    struct record *filled;
    size_t filled_count;
    struct device_order order; /* kind ORDER_NONE: there is none */
    bool has_digest;           /* of all homes held, at head; PROTOCOL.md, "Proof of equality" */
    uint8_t digest[BOOK_DIGEST_BYTES];
    int64_t digest_rows;
};

struct wait_request { /* long poll: answer when the head passes seq */
    int64_t epoch;
    int64_t seq;
};

/* The content of an attachment, piece by piece; PROTOCOL.md, "Contents". Never deflated: photos and
 * recordings are packed already. */
struct content_request {
    bool wants; /* a piece, of at most bytes_max; else it brings one, perhaps empty: then it
                   asks how much is there */
    struct hash content; /* SHA-256 of the whole */
    int64_t bytes;       /* bringing: of the whole, at least 1 */
    int64_t offset;      /* where the piece begins */
    uint32_t bytes_max;  /* wanting: 1 to WIRE_PIECE_BYTES_MAX */
    struct slice piece;  /* bringing */
};
struct content_reply {
    bool whole;         /* the server has all of it */
    int64_t bytes;      /* of the whole */
    int64_t offset;     /* bringing: so much the server has; wanting: where the piece begins */
    struct slice piece; /* wanting; empty at the end */
};

/* Two books that differ find the rows that do (PROTOCOL.md, "Proof of equality"): sums of the 256
 * parts of the whole, then of the 256 buckets of some parts, then the rows of some buckets. A sum
 * is the low 64 bits of the sum of its rows' hashes, each row once. */
enum {
    REPAIR_PARTS_MAX = 8,    /* parts looked into at once */
    REPAIR_BUCKETS_MAX = 64, /* buckets looked into at once */
    REPAIR_ROWS_MAX = 20000
};
enum repair_step { REPAIR_WHOLE = 1, REPAIR_PARTS, REPAIR_ROWS };
struct repair_row {
    uint32_t entity_tag;
    int64_t row;
    uint64_t hash; /* the low 64 bits */
};
struct repair_request {
    enum repair_step step;
    uint32_t *places; /* REPAIR_PARTS: parts; REPAIR_ROWS: buckets; ascending */
    size_t place_count;
    uint64_t *sums; /* 256 of the whole, or 256 of each part */
    size_t sum_count;
    struct repair_row *rows; /* REPAIR_ROWS: all that are here in these buckets */
    size_t row_count;
};
struct repair_reply {
    uint32_t *places; /* parts, or buckets, that differ */
    size_t place_count;
    struct record *records; /* REPAIR_ROWS: whole rows that are missing or differ ... */
    size_t record_count;
    struct repair_row *drops; /* ... and rows that should not be there (without hash) */
    size_t drop_count;
    bool more; /* not all that differs is in this reply: begin anew */
};

/* Additions to the catalogue as bytes, and back. */
enum status wire_write_additions(const struct additions *added, struct buf *out,
                                 struct err *err) NODISCARD;
enum status wire_read_additions(struct slice bytes, struct arena *mem, struct additions *out,
                                struct err *err) NODISCARD;
/* What the org signs of them. */
void wire_additions_signed(struct slice bytes, struct buf *out);

/* Encoders append a whole message: header, payload deflated where that is shorter. level 1..9. */
enum status wire_write_hello_request(const struct hello_request *m, struct buf *out,
                                     struct err *err) NODISCARD;
enum status wire_write_hello_reply(const struct hello_reply *m, struct buf *out,
                                   struct err *err) NODISCARD;
enum status wire_write_enroll_request(const struct enroll_request *m, struct buf *out,
                                      struct err *err) NODISCARD;
enum status wire_write_enroll_reply(const struct enroll_reply *m, struct buf *out,
                                    struct err *err) NODISCARD;
enum status wire_write_round_request(const struct round_request *m, int level, struct buf *out,
                                     struct err *err) NODISCARD;
/* key: the org's, signs the receipts (with device before them) when there are any. */
enum status wire_write_round_reply(const struct round_reply *m, uint32_t device,
                                   const struct sign_key *key, int level, struct buf *out,
                                   struct err *err) NODISCARD;
/* A message of its own, in bundles only. */
enum status wire_write_keys(const struct key_changes *m, struct buf *out,
                            struct err *err) NODISCARD;
enum status wire_read_keys(struct slice bytes, struct arena *mem, struct key_changes *out,
                           struct err *err) NODISCARD;
bool wire_is_keys(struct slice message);
enum status wire_write_wait_request(const struct wait_request *m, struct buf *out,
                                    struct err *err) NODISCARD;
enum status wire_write_content_request(const struct content_request *m, struct buf *out,
                                       struct err *err) NODISCARD;
enum status wire_write_content_reply(const struct content_reply *m, struct buf *out,
                                     struct err *err) NODISCARD;

enum status wire_write_repair_request(const struct repair_request *m, struct buf *out,
                                      struct err *err) NODISCARD;
enum status wire_write_repair_reply(const struct repair_reply *m, int level, struct buf *out,
                                    struct err *err) NODISCARD;
enum status wire_read_repair_request(struct slice bytes, struct arena *mem,
                                     struct repair_request *out, struct err *err) NODISCARD;
enum status wire_read_repair_reply(struct slice bytes, struct arena *mem, struct repair_reply *out,
                                   struct err *err) NODISCARD;

enum status wire_read_hello_request(struct slice bytes, struct arena *mem,
                                    struct hello_request *out, struct err *err) NODISCARD;
enum status wire_read_hello_reply(struct slice bytes, struct arena *mem, struct hello_reply *out,
                                  struct err *err) NODISCARD;
enum status wire_read_enroll_request(struct slice bytes, struct arena *mem,
                                     struct enroll_request *out, struct err *err) NODISCARD;
enum status wire_read_enroll_reply(struct slice bytes, struct arena *mem, struct enroll_reply *out,
                                   struct err *err) NODISCARD;
enum status wire_read_round_request(struct slice bytes, struct arena *mem,
                                    struct round_request *out, struct err *err) NODISCARD;
enum status wire_read_round_reply(struct slice bytes, uint32_t device, struct arena *mem,
                                  struct round_reply *out, struct err *err) NODISCARD;
enum status wire_read_wait_request(struct slice bytes, struct arena *mem, struct wait_request *out,
                                   struct err *err) NODISCARD;
/* Pieces are borrowed from bytes. */
enum status wire_read_content_request(struct slice bytes, struct arena *mem,
                                      struct content_request *out, struct err *err) NODISCARD;
enum status wire_read_content_reply(struct slice bytes, struct arena *mem,
                                    struct content_reply *out, struct err *err) NODISCARD;

/* "1.2.3", with anything behind a dash or plus, as a number that compares like releases: above 0.
 * false: not a release. */
bool wire_release_number(struct slice release, int64_t *out);
void wire_release_write(int64_t number, struct buf *out); /* "1.2.3" */

/* Rough size of a record in a page before deflate, for cutting pages. */
size_t wire_record_bytes(const struct record *record);

/* The preset dictionary and its name: the first 4 bytes of its SHA-256. */
struct slice wire_dictionary(void);
/* Any message as JSON for people (debugging media type, inspection). cat may be NULL: tags instead
 * of names. */
enum status wire_write_json(struct slice message, const struct catalogue *cat, struct buf *out,
                            struct err *err) NODISCARD;

#endif
