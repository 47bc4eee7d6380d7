/* Private to protocol/wire: columns in either direction.
 *
 * A set of columns is one section of a message. Whoever describes a section walks over its things
 * and gives each value to its column; written, each column's values end up together, coded by the
 * cheapest way; read, the same walk draws the values again. A column comes to life at its first
 * use, so that both ends meet the columns in the same order and unused ones cost nothing.
 *
 * Bytes of a section: length of the numbers, numbers (what the set's own coder wrote, then the
 * columns in order of first use), texts (of all columns, those of one column together).
 */
#ifndef ROADBOOK_WIRE_COLUMNS_H
#define ROADBOOK_WIRE_COLUMNS_H

#include "protocol/wire/coder.h"

/* How a column of numbers is packed, after differences of an order were taken. */
enum packing {
    PACKING_ZERO,           /* nothing but zeros */
    PACKING_SAME,           /* one number */
    PACKING_VARINTS,        /* least number, then what each is above it */
    PACKING_BITS,           /* at most 16 distinct numbers, then places in 1, 2 or 4 bits */
    PACKING_PLANES,         /* least number, width, then all lowest bytes, all second ... */
    PACKING_SCALED_VARINTS, /* the same two with a scale behind the least number */
    PACKING_SCALED_PLANES,
    PACKING_COUNT
};

/* What stands before a number in the same row or change: an end lies shortly after its start, and
 * the date of a visit is the day of its times. */
struct beside {
    int64_t number; /* the last number before, 0: none */
    int64_t day;    /* of the last instant before in milliseconds, 0: none */
};
enum relation { RELATION_NONE, RELATION_NUMBER, RELATION_DAY, RELATION_COUNT };

struct ints {       /* a column of numbers being read */
    unsigned order; /* 0: as they are, 1: differences, 2: differences of these */
    enum packing packing;
    unsigned width; /* bits or bytes */
    enum relation relation;
    uint64_t low, scale;  /* of the packed numbers */
    uint64_t first, step; /* starts of the differences */
    uint64_t last, slope;
    uint64_t *distinct; /* PACKING_BITS */
    size_t distinct_count, used;
    struct reader in;
};

enum column_kind { COLUMN_UNUSED, COLUMN_INTS, COLUMN_RELATED, COLUMN_TEXTS };

struct column {
    enum column_kind kind;
    struct column *next;    /* in order of first use */
    struct buf gathered;    /* writing: int64_t or struct slice each */
    struct buf beside;      /* writing, COLUMN_RELATED: struct beside each */
    struct ints ints;       /* reading: numbers, or lengths or places of texts */
    struct slice *distinct; /* reading: texts that occur more than once stand once */
    size_t distinct_count;
    struct reader area; /* reading: texts one behind the other */
};

struct value_column {
    struct column kinds, numbers, texts;
};

struct id_column { /* row ids: device, and counter against that device's last one */
    struct column devices, counters;
    uint32_t last[64];
};

struct columns {
    struct coder coder; /* what stands before the columns */
    struct buf prefix;  /* writing: the coder's */
    struct column *first, *last;
    struct reader texts; /* reading */
};

void columns_start(struct columns *set); /* writing */
/* Appends the section's bytes and frees the columns; the struct columns is then done with. Appends
 * to cuts[*cut_count] (room for cut_max) the offsets in out at which large columns begin or end. */
struct cuts;
enum status columns_finish(struct columns *set, struct buf *out, struct cuts *cuts,
                           struct err *err) NODISCARD;
/* reading; room: of the whole message. */
void columns_open(struct columns *set, struct slice section, struct arena *mem, size_t room);
/* Everything read, and each column used up? */
enum status columns_close(struct columns *set, struct err *err) NODISCARD;
bool columns_failed(const struct columns *set);

/* Each takes the value to write and returns the one written or read. */
int64_t column_signed(struct columns *set, struct column *col, int64_t value);
uint64_t column_number(struct columns *set, struct column *col, uint64_t value, uint64_t max);
uint32_t column_u32(struct columns *set, struct column *col, uint32_t value);
/* value as its distance from expected. */
int64_t column_near(struct columns *set, struct column *col, int64_t value, int64_t expected);
uint32_t column_u32_near(struct columns *set, struct column *col, uint32_t value,
                         uint32_t expected);
int64_t column_id(struct columns *set, struct id_column *col, int64_t id);
struct slice column_text(struct columns *set, struct column *col, struct slice text);
/* beside: of the thing at hand; begins as zeros and takes this value's number. */
struct value column_value(struct columns *set, struct value_column *col, struct value value,
                          struct beside *beside);

/* Offsets in a payload at which deflate begins a new block. */
enum { CUTS_MAX = 256, CUT_BYTES_MIN = 4096 };
struct cuts {
    size_t at[CUTS_MAX];
    size_t count;
};
void cuts_add(struct cuts *cuts, size_t offset);

/* ------------------------------------------------------------------ intcode.c: one column of
 * numbers */

/* beside: NULL, or count of them. */
void ints_write(const int64_t *values, const struct beside *beside, size_t count, struct buf *out);
/* false: malformed or no room. Takes the column's bytes off c->in. */
void ints_open(struct ints *ints, struct coder *c);
/* beside: of this number; may be NULL. */
int64_t ints_next(struct ints *ints, const struct beside *beside, bool *failed);
bool ints_done(const struct ints *ints);

/* ------------------------------------------------------------------ repeats.c: all texts of a
 * section */

void repeats_write(struct slice area, struct buf *out);
struct slice repeats_read(struct coder *c, struct slice packed);

/* ------------------------------------------------------------------ shapes.c
 *
 * Things with cells (changes, records, lines of receipts) are grouped by shape: an entity, a kind,
 * and all cells that occur with them. Which of these cells one thing has is its mask. Cells of a
 * shape are in order of tag, then kind, then count.
 */
enum {
    SHAPE_COLUMNS = 8,
    SHAPE_CELL_COLUMNS = 4,
    SHAPE_CELLS_MAX = 4096,
    SHAPES_MAX = 4096,
    MASK_BITS = 32
};

struct cell_key {
    uint32_t tag, kind;
    size_t value_count;
};
struct shape_cell {
    struct cell_key key;
    struct column columns[SHAPE_CELL_COLUMNS];
    struct value_column *values; /* key.value_count of them */
};
struct shape {
    uint32_t entity, kind;
    struct shape_cell *cells;
    struct cell_key *keys; /* writing: while they are collected */
    size_t cell_count, key_max;
    struct column *masks; /* one per MASK_BITS cells */
    uint32_t *mask;       /* of the thing at hand */
    struct id_column rows;
    struct column columns[SHAPE_COLUMNS];
};
struct shapes {
    struct arena *mem;
    struct shape *items;
    size_t count, max;
    struct column which;
};

/* Writing, first walk: makes the cells known. keys ascending by tag, each tag once, else
 * ST_INTERNAL. */
void shapes_learn(struct shapes *shapes, struct coder *c, uint32_t entity, uint32_t kind,
                  const struct cell_key *keys, size_t key_count);
/* Between the walks, and first when reading. */
void shapes_code(struct shapes *shapes, struct coder *c);
/* Second walk: the shape of the next thing; NULL after a failure. */
struct shape *shapes_pick(struct shapes *shapes, struct columns *set, uint32_t entity,
                          uint32_t kind);
/* The mask of a thing. Writing: from keys. Reading: *out_count is the number of its cells. */
void shape_mask(struct shape *shape, struct columns *set, const struct cell_key *keys,
                size_t key_count, size_t *out_count);
/* The next cell of the thing at hand at or after *at, which moves behind it; NULL: no more. */
struct shape_cell *shape_next(struct shape *shape, size_t *at);

/* ------------------------------------------------------------------ sections */

enum status batches_write(const struct batch *batches, size_t count, struct buf *out,
                          struct cuts *cuts, struct err *err) NODISCARD;
enum status batches_read(struct slice section, struct arena *mem, size_t room, struct batch **out,
                         size_t *out_count, struct err *err) NODISCARD;
enum status receipts_write(const struct receipt *receipts, size_t count, struct buf *out,
                           struct err *err) NODISCARD;
enum status receipts_read(struct slice section, struct arena *mem, size_t room,
                          struct receipt **out, size_t *out_count, struct err *err) NODISCARD;
enum status records_write(const struct record *records, size_t count, struct buf *out,
                          struct cuts *cuts, struct err *err) NODISCARD;
enum status records_read(struct slice section, struct arena *mem, size_t room, struct record **out,
                         size_t *out_count, struct err *err) NODISCARD;
enum status ledger_write(const struct ledger_entry *entries, size_t count, struct buf *out,
                         struct err *err) NODISCARD;
enum status ledger_read(struct slice section, struct arena *mem, size_t room,
                        struct ledger_entry **out, size_t *out_count, struct err *err) NODISCARD;
enum status others_write(const struct others_edit *others, size_t count, struct buf *out,
                         struct err *err) NODISCARD;
enum status others_read(struct slice section, struct arena *mem, size_t room,
                        struct others_edit **out, size_t *out_count, struct err *err) NODISCARD;
/* Changes of receipts that came in late; at least one. Reading marks their lines. */
size_t late_count(const struct receipt *receipts, size_t count);
enum status late_write(const struct receipt *receipts, size_t count, struct buf *out,
                       struct err *err) NODISCARD;
enum status late_read(struct slice section, struct arena *mem, size_t room,
                      struct receipt *receipts, size_t count, struct err *err) NODISCARD;
enum status held_write(const struct held_news *held, size_t count, struct buf *out,
                       struct err *err) NODISCARD;
enum status held_read(struct slice section, struct arena *mem, size_t room, struct held_news **out,
                      size_t *out_count, struct err *err) NODISCARD;
enum status aliases_write(const struct alias_news *aliases, size_t count, struct buf *out,
                          struct err *err) NODISCARD;
enum status aliases_read(struct slice section, struct arena *mem, size_t room,
                         struct alias_news **out, size_t *out_count, struct err *err) NODISCARD;
enum status people_write(const struct person *people, size_t count, struct buf *out,
                         struct err *err) NODISCARD;
/* addition.c */
enum status added_write(const struct signed_additions *items, size_t count, struct buf *out,
                        struct err *err) NODISCARD;
enum status added_read(struct slice section, struct arena *mem, size_t room,
                       struct signed_additions **out, size_t *out_count,
                       struct err *err) NODISCARD;
/* recovery.c */
enum status marks_write(const struct position *marks, size_t count, struct buf *out,
                        struct err *err) NODISCARD;
enum status marks_read(struct slice section, struct arena *mem, struct position **out,
                       size_t *out_count, struct err *err) NODISCARD;
enum status given_write(const struct give_back *given, struct buf *out, struct err *err) NODISCARD;
enum status given_read(struct slice section, struct arena *mem, size_t room, struct give_back **out,
                       struct err *err) NODISCARD;
enum status backup_write(int64_t seq, bool recovering, struct buf *out, struct err *err) NODISCARD;
/* Exactly one batch. */
enum status facts_read(struct slice section, struct arena *mem, size_t room, struct batch **out,
                       struct err *err) NODISCARD;
enum status voucher_write(const struct voucher *voucher, struct buf *out,
                          struct err *err) NODISCARD;
enum status voucher_read(struct slice section, struct arena *mem, struct voucher *out,
                         struct err *err) NODISCARD;
enum status backup_read(struct slice section, struct arena *mem, int64_t *out_seq,
                        bool *out_recovering, struct err *err) NODISCARD;
enum status people_read(struct slice section, struct arena *mem, size_t room, struct person **out,
                        size_t *out_count, struct err *err) NODISCARD;
enum status scope_write(const struct scope_position *position, bool whole, struct buf *out,
                        struct err *err) NODISCARD;
enum status scope_read(struct slice section, struct arena *mem, struct scope_position *out,
                       bool *out_whole, struct err *err) NODISCARD;
enum status opened_write(const struct grant_news *opened, size_t count, struct buf *out,
                         struct err *err) NODISCARD;
enum status opened_read(struct slice section, struct arena *mem, size_t room,
                        struct grant_news **out, size_t *out_count, struct err *err) NODISCARD;
enum status closed_write(const int64_t *homes, size_t count, struct buf *out,
                         struct err *err) NODISCARD;
enum status closed_read(struct slice section, struct arena *mem, size_t room, int64_t **out,
                        size_t *out_count, struct err *err) NODISCARD;
enum status digest_write(const uint8_t digest[BOOK_DIGEST_BYTES], int64_t rows, struct buf *out,
                         struct err *err) NODISCARD;
enum status digest_read(struct slice section, struct arena *mem, uint8_t out[BOOK_DIGEST_BYTES],
                        int64_t *out_rows, struct err *err) NODISCARD;

#endif
