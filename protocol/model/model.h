/* What both ends must agree on about the book: identities, the catalogue, values, what people do to
 * cells, what travels, and the rules by which concurrent edits become one value.
 *
 * Pure: memory in, memory out. The rules are those of PROTOCOL.md ("Merging").
 */
#ifndef ROADBOOK_MODEL_H
#define ROADBOOK_MODEL_H

#include "protocol/base/base.h"

/* ------------------------------------------------------------------ identities
 *
 * A row id is a 53-bit integer: 21 bits of device number, 32 bits of that device's counter. It is
 * made offline and never reused; ids are unique across entities. Device 0 is the server.
 */
enum { ID_COUNTER_BITS = 32, ID_DEVICE_BITS = 21, ID_TEXT_BYTES = 16 };
#define ID_DEVICE_MAX ((1u << ID_DEVICE_BITS) - 1)
#define ID_MAX (((int64_t)1 << (ID_COUNTER_BITS + ID_DEVICE_BITS)) - 1)

int64_t id_make(uint32_t device, uint32_t counter);
uint32_t id_device(int64_t id);
uint32_t id_counter(int64_t id);
bool id_is_valid(int64_t id); /* 1..ID_MAX */
/* The form that can be read over the phone: Crockford base32, device-counter and a check character,
 * "3-1Z7K". Always fits ID_TEXT_BYTES with its closing zero. */
void id_format(int64_t id, char out[ID_TEXT_BYTES]);
/* Takes the short form (any case, O for 0, I and L for 1) or a plain decimal number. */
bool id_parse(struct slice text, int64_t *out);

/* ------------------------------------------------------------------ values */

enum value_kind { VALUE_NULL, VALUE_INT, VALUE_TEXT };

/* A number covers whole numbers, scaled decimals, money in minor units, days, milliseconds,
 * booleans, enum numbers and row ids. A set is a text: its elements sorted bytewise, each once,
 * joined by line feeds; the empty set is NULL. An empty text is NULL too: one spelling for nothing.
 */
struct value {
    enum value_kind kind;
    int64_t number;
    struct slice text;
};

struct value value_null(void);
struct value value_int(int64_t number);
struct value value_text(struct slice text); /* empty becomes NULL */
bool value_equal(struct value a, struct value b);
bool value_copy(struct value v, struct arena *mem, struct value *out); /* false: no memory */

/* Sets in the form above. All results are placed in mem. */
enum status set_make(const struct slice *elements, size_t count, struct arena *mem,
                     struct value *out, struct err *err) NODISCARD;
bool set_has(struct value set, struct slice element);
size_t set_count(struct value set);
enum status set_add(struct value set, struct slice element, struct arena *mem, struct value *out,
                    struct err *err) NODISCARD;
enum status set_remove(struct value set, struct slice element, struct arena *mem, struct value *out,
                       struct err *err) NODISCARD;

/* ------------------------------------------------------------------ catalogue
 *
 * Entities and fields are declared once, in entities.c. DDL, migrations, wire coding, validation,
 * merge, JSON, command line and documents are derived from it. A tag is a stable number: append
 * only, and neither type nor rule of a tag ever changes.
 */
enum field_type {
    FIELD_TEXT, /* one line */
    FIELD_NOTE, /* several lines */
    FIELD_INT,
    FIELD_DECIMAL, /* scaled by 10^scale */
    FIELD_MONEY,   /* minor units; the currency is a field of the group */
    FIELD_DATE,    /* days since 1970-01-01 */
    FIELD_TIME,    /* UTC, ms since 1970 */
    FIELD_BOOL,
    FIELD_ENUM,
    FIELD_REF, /* row id of refers_to */
    FIELD_SET  /* of set_of: text or enum (by name); ref (decimal) has no merge, and is refused */
};

enum rule {
    RULE_LAST,
    RULE_COUNTER,
    RULE_MAX,
    RULE_MIN,
    RULE_SET,
    RULE_TEXT,
    RULE_STATE,
    RULE_OWNER,   /* only the owner writes */
    RULE_OFFICE,  /* only head office writes */
    RULE_FROZEN,  /* the owner's draft, then no more edits */
    RULE_APPEND,  /* given at creation, never edited */
    RULE_DERIVED, /* computed, never sent */
    RULE_COUNT
};

struct enum_value {
    uint32_t number; /* stable, from 1; added ones from FIELD_ADDED_FIRST */
    const char *name;
    const char *label[LANG_COUNT];
    bool retired; /* takes no new entries */
};

/* For state fields the order of values is the precedence: of concurrent steps the later stands. */
struct enumeration {
    const char *name;
    const struct enum_value *values;
    size_t count;
    const uint32_t (*illegal)[2]; /* steps (from, to) that cannot be combined */
    size_t illegal_count;
    bool closed; /* the program itself goes by its values: none can be added */
};

/* Tags of fields, and numbers of enumeration values, that head office adds at run time begin here
 * (addition.h). */
enum { FIELD_ADDED_FIRST = 65536 };

struct field {
    uint32_t tag; /* stable within its entity, from 1 */
    const char *name;
    enum field_type type;
    enum rule rule;
    const char *label[LANG_COUNT];
    const char *group; /* fields of one group are one cell; NULL: alone */
    int64_t min, max;  /* numbers: both 0 means no limit; texts: max code points
                          (0: 200 for a line, 20,000 for a note); sets: max
                          elements (0: 64) */
    unsigned scale;
    bool required;  /* a row cannot be without it */
    bool owns;      /* the reference through which this row is owned */
    bool personal;  /* about a natural person; erasable */
    uint8_t search; /* weight in full-text search; 0: not searched */
    const struct enumeration *values;
    const char *refers_to;  /* entity name */
    const char *written_by; /* RULE_OWNER: the field of the row that names the employee who writes
                               it; NULL: the row's author */
    enum field_type set_of;
    const char *unit;
    const char *derive; /* RULE_DERIVED: SQL over the columns of the row */
    const char *also;   /* further column names that imports know, comma-separated */
    bool retired;       /* added, and hidden for new entries */
    /* Of an added field, at the server: who had not seen the limits, which came at seq since, is
     * bound by the widest that ever held. */
    int64_t loose_min, loose_max, since;
};

static inline bool field_is_added(const struct field *f) {
    return f->tag >= FIELD_ADDED_FIRST;
}

struct cell {     /* the unit of merging: a field or a group */
    uint32_t tag; /* the lowest tag of its fields */
    enum rule rule;
    size_t first, count; /* its fields, neighbours in the entity */
    size_t index;        /* position in the entity, below 64 */
};

enum home_kind {
    HOME_NONE,
    HOME_TERRITORY,
    HOME_TEAM,
    HOME_OWN,
    HOME_PUBLIC,
    HOME_OFFICE,
    HOME_INHERIT
};
struct home_rule {
    enum home_kind kind;
    const char *field; /* the field that names the id, NULL: the row itself */
};
enum { ENTITY_HOMES_MAX = 3, ENTITY_KEY_MAX = 3, ENTITY_COUNT_MAX = 128 };
/* A mask of cells is 64 bits; a part of it is kept free for what head office adds. */
enum { ENTITY_FIELDS_MAX = 64, ENTITY_ADDED_MAX = 24, ENTITY_BUILT_IN_MAX = 40 };

struct entity {
    uint32_t tag;
    const char *name;
    const char *label[LANG_COUNT];
    const char *title;               /* the field that names a row to people */
    const char *key[ENTITY_KEY_MAX]; /* natural key, NULL-terminated or full; key[0] NULL: none */
    const char *author;              /* field naming the owning employee for RULE_OWNER and
                                        RULE_FROZEN; NULL: the row's maker */
    const char *frozen_by;           /* state field that freezes the row ... */
    uint32_t frozen_from;            /* ... once its number is at least this */
    bool office_only;                /* only head office creates and deletes */
    bool append_only;                /* rows are never deleted by reps */
    struct home_rule homes[ENTITY_HOMES_MAX];
    const struct field *fields;
    size_t field_count;
    /* Worked out by catalogue_build: */
    const struct cell *cells;
    size_t cell_count;
    int owner_field;  /* index of the field with owns, or -1 */
    int author_field; /* likewise of author */
    int frozen_field; /* and of frozen_by */
};

struct catalogue {
    const struct entity *entities; /* by tag, ascending */
    size_t count;
    struct chain version; /* changes with any declaration */
    struct chain release; /* the version without what was added at run time */
};

/* Checks the declarations (tags unique and ascending, groups contiguous, at most 64 fields ...) and
 * works out cells. Strings and enumerations stay borrowed. ST_INTERNAL with the place when a
 * declaration is wrong. */
enum status catalogue_build(const struct entity *entities, size_t count, struct arena *mem,
                            struct catalogue *out, struct err *err) NODISCARD;
/* The catalogue of this release. */
enum status catalogue_release(struct arena *mem, struct catalogue *out, struct err *err) NODISCARD;
/* The same catalogue as an older release had it: without the entity's fields from that tag on. For
 * tests of mixed releases. ST_NOT_FOUND: no such entity; ST_INTERNAL when what is left names a
 * field that went. */
enum status catalogue_without(const struct catalogue *cat, uint32_t entity_tag,
                              uint32_t first_tag_left_out, struct arena *mem, struct catalogue *out,
                              struct err *err) NODISCARD;

const struct entity *catalogue_entity(const struct catalogue *cat,
                                      struct slice name); /* NULL: none */
const struct entity *catalogue_entity_by_tag(const struct catalogue *cat, uint32_t tag);
const struct field *entity_field(const struct entity *e, struct slice name); /* NULL: none */
const struct field *entity_field_by_tag(const struct entity *e, uint32_t tag);
size_t entity_field_index(const struct entity *e, const struct field *f);
const struct cell *entity_cell(const struct entity *e,
                               uint32_t tag); /* by any of its fields' tags */
const struct cell *entity_cell_of(const struct entity *e, const struct field *f);
const char *cell_name(const struct entity *e, const struct cell *c); /* group or field name */
/* For people: the labels of its fields, joined by "/". */
void cell_write_label(const struct entity *e, const struct cell *c, enum lang lang,
                      struct buf *out);
const struct enum_value *enum_by_number(const struct enumeration *values, int64_t number);
const struct enum_value *enum_by_text(const struct enumeration *values,
                                      struct slice text); /* name or any label */
const char *rule_name(enum rule rule);
const char *rule_label(enum rule rule, enum lang lang); /* for people */
const char *field_type_name(enum field_type type);
/* Writers of documents: entities and fields as text, JSON or Markdown. */
enum catalogue_form { CATALOGUE_TEXT, CATALOGUE_JSON, CATALOGUE_MARKDOWN };
void catalogue_write_entities(const struct catalogue *cat, enum catalogue_form form, enum lang lang,
                              struct buf *out);
void catalogue_write_fields(const struct entity *e, enum catalogue_form form, enum lang lang,
                            struct buf *out);

/* Values as people write and read them. */
/* Text -> value: trims, NFC, parses by type (enum by name or label in either language; ref only as
 * id: names are resolved by whoever has the rows; money "12.50" in units; a set as elements
 * separated by , or ; or 、 or a line feed), then field_check. ST_INVALID says what would be right.
 * utc_offset_min: of instants without zone. */
enum status field_parse(const struct field *f, struct slice text, int utc_offset_min,
                        struct arena *mem, struct value *out, struct err *err) NODISCARD;
/* Limits, enum membership, one line, UTF-8, canonical set. NULL is fine unless required. */
enum status field_check(const struct field *f, struct value v, struct err *err) NODISCARD;
/* field_check of what edits combined to: two texts or sets, each within the limit, may be beyond it
 * together. */
enum status field_check_merged(const struct field *f, struct value v, struct err *err) NODISCARD;
/* One element of a set, checked and in NFC. */
enum status field_check_element(const struct field *f, struct slice element,
                                struct err *err) NODISCARD;
void field_write_text(const struct field *f, struct value v, enum lang lang, int utc_offset_min,
                      struct buf *out);
/* numbers as numbers (decimals and money as numbers with a point), dates and instants as ISO text,
 * enums by name, sets as arrays, references as numbers */
void field_write_json(const struct field *f, struct value v, struct buf *out);

/* ------------------------------------------------------------------ what people do
 *
 * edit: to one cell. change: the edits of one row in one transaction. batch: the changes of one
 * local transaction, numbered 1, 2, 3 ... per device.
 */

/* What the author of an edit was looking at: a seq, and the author's own batch that the shown value
 * came from, as long as that batch had no receipt, else 0. */
struct base {
    int64_t seq;
    uint32_t own;
};

enum edit_kind {
    EDIT_SET,     /* values: one per field of the cell, in order; of a
                     counter or set (at creation): what is added */
    EDIT_COUNT,   /* values[0]: the delta, a number */
    EDIT_ELEMENTS /* values[0]: set of adds, values[1]: set of removes */
};

struct edit {
    uint32_t cell_tag;
    enum edit_kind kind;
    struct base base;  /* for EDIT_ELEMENTS: what the form showed (for the removes) */
    struct base today; /* the row that the edit was put on; equals base but for
                          EDIT_ELEMENTS from an old form */
    struct value *values;
    size_t value_count;
};

enum change_kind { CHANGE_CREATE, CHANGE_EDIT, CHANGE_DELETE };

/* Names one edit that the server did not take: (batch, position of its change, cell tag; 0: whole
 * change). */
struct refusal_id {
    uint32_t batch;
    uint32_t change;
    uint32_t cell_tag;
};

/* A delete names the row and each owned row in sight with the seq up to which its author had seen
 * it. */
struct unit_cell {
    uint32_t cell_tag;
    struct base base;
};
struct unit_row {
    int64_t row;
    uint32_t entity_tag;
    struct base base; /* of all cells but those below */
    struct unit_cell *cells;
    size_t cell_count;
};

struct change {
    enum change_kind kind;
    uint32_t entity_tag;
    int64_t row;
    struct edit *edits; /* by cell_tag, ascending; create: only cells not NULL */
    size_t edit_count;
    struct unit_row *unit; /* CHANGE_DELETE: the row itself first */
    size_t unit_count;
    struct refusal_id *retry_of; /* quarantine entries that this change releases */
    size_t retry_count;
};

/* When an edit was made, by the laptop's clocks. steps: sum of the steps of the wall clock seen so
 * far. */
struct stamp {
    int64_t wall_ms;
    uint32_t boot_number; /* counts this store's machine starts */
    int64_t boot_ms;
    int64_t steps_ms;
};

/* An edit of nothing that names what is held: its author gives that up. */
bool change_is_withdrawal(const struct change *change);

enum batch_flags { BATCH_ALL_OR_NOTHING = 1 };

struct batch_spelling { /* what was worked out of a batch once */
    struct slice bytes; /* canonical */
    struct chain chain; /* of its device, after it */
};

struct batch {
    uint32_t number;
    uint32_t flags;
    int64_t cursor; /* the device's cursor at the time of the edit */
    struct stamp stamp;
    int64_t import_id; /* 0: not part of an import */
    struct change *changes;
    size_t change_count;
    const struct batch_spelling *spelling; /* NULL: not worked out; does not travel */
};

enum {
    BATCH_ROWS_MAX = 2000,        /* what a group commit takes at once */
    BATCH_BYTES_MAX = 256 * 1024, /* canonical bytes */
    UNIT_ROWS_MAX = 100000        /* rows of one delete */
};

/* ------------------------------------------------------------------ what comes back */

struct record_cell {
    uint32_t cell_tag;
    struct value *values;
    size_t value_count;
};
/* RECORD_LEFT: it is in none of the homes that this laptop holds any more; without cells. */
enum record_flags { RECORD_WHOLE = 1, RECORD_DEAD = 2, RECORD_LEFT = 4 };

/* A row in a pull: at its latest seq, with the cells changed since the last "no more", or whole. */
struct record {
    uint32_t entity_tag;
    uint32_t flags;
    int64_t row;
    int64_t seq;
    struct record_cell *cells; /* by tag; in a whole record absent cells are NULL */
    size_t cell_count;
};

enum outcome {
    OUTCOME_APPLIED,
    OUTCOME_MERGED,
    OUTCOME_LOST,
    OUTCOME_WAITING,
    OUTCOME_REFUSED,
    OUTCOME_COUNT
};
enum row_state { ROW_HERE, ROW_DEAD, ROW_OUT, ROW_GONE }; /* ROW_OUT: not in this device's scope */

/* Why an edit was refused or waits; LATE alone says something of one that came in. ROW(name,
 * number, English, Chinese); numbers are stable. */
/* clang-format off */
#define REASON_ROWS(ROW)                                                                                  \
    ROW(NONE, 0, "", "")                                                                                  \
    ROW(LIMIT, 1, "a value breaks a limit of the catalogue", "内容超出限制")                              \
    ROW(UNKNOWN_ROW, 2, "the row is not there: it was deleted for good, or its creation was refused",     \
        "该记录不存在：已被彻底删除，或其新建被拒绝")                                                     \
    ROW(UNKNOWN_REFERENCE, 3, "it refers to a row that is not there", "所引用的记录不存在")               \
    ROW(UNKNOWN_FIELD, 4, "the server does not know this field yet: update the server, then retry",       \
        "服务器尚不认识此字段：请先升级服务器再重试")                                                     \
    ROW(OFFICE, 5, "only head office writes this field: passed on as a change request",                   \
        "此字段仅总部可改：已作为变更申请提交")                                                           \
    ROW(OWNER, 6, "only the owner writes this field: passed on as a change request",                      \
        "此字段仅负责人可改：已作为变更申请提交")                                                         \
    ROW(FROZEN, 7, "the row was submitted and can no longer be edited: write an amendment",               \
        "该记录已提交，不能再改：请另写更正")                                                             \
    ROW(APPEND, 8, "this field is given once and never edited", "此字段一经填写不可修改")                 \
    ROW(DEPENDS, 9, "it builds on an edit that was refused", "它依赖于一项被拒绝的修改")                  \
    ROW(BATCH, 10, "another change of its all-or-nothing transaction was refused",                        \
        "同一事务（要么全部、要么全不）中的另一项修改被拒绝")                                             \
    ROW(DENIED, 11, "you had no access to this row when you edited it", "修改时您无权访问该记录")         \
    ROW(REQUIRED, 12, "a required field is missing", "缺少必填字段")                                      \
    ROW(DECLINED, 13, "head office declined the change request", "总部未批准该变更申请")                  \
    ROW(CYCLE, 14, "the row would own itself", "该记录会成为自己的上级")                                  \
    ROW(REVOKED, 15, "the laptop was revoked: head office decides", "该笔记本已被吊销：由总部决定")       \
    ROW(LATE, 16, "late: made while you had access, it came after that had ended, and was accepted",      \
        "迟到：修改时您有权访问，送达时权限已结束，仍予接受")

enum reason {
#define REASON_ENUM(name, number, ...) REASON_##name = number,
    REASON_ROWS(REASON_ENUM)
#undef REASON_ENUM
    REASON_COUNT
};
/* clang-format on */
const char *reason_text(enum reason reason, enum lang lang);
const char *outcome_name(enum outcome outcome); /* "applied" */
const char *outcome_label(enum outcome outcome, enum lang lang);

/* Of one edit of a change. seq is the cell's present server seq when the reply was made; values are
 * there only where the present value differs from what was sent (never for a row out of scope). */
struct receipt_edit {
    uint32_t cell_tag;
    enum outcome outcome;
    enum reason reason;
    int64_t seq;
    bool has_values;
    struct value *values;
    size_t value_count;
};

struct unit_state {
    int64_t row;
    enum row_state state;
};

struct receipt_line {     /* of one change, in the order of the batch */
    enum outcome outcome; /* of the change: the worst of its edits */
    enum reason reason;
    enum row_state state;       /* what is so now */
    int64_t row;                /* the row that it reached: another after an alias */
    int64_t prev, seq;          /* the row's seq before and after; 0 if it did not move */
    struct receipt_edit *edits; /* one per edit of the change, same order */
    size_t edit_count;
    struct unit_state *unit; /* of a delete: each of its rows that is not ROW_DEAD/GONE */
    size_t unit_count;
};

struct receipt {
    uint32_t batch;
    int64_t at;      /* seq of the last outcome of the batch */
    int64_t time_ms; /* commit time */
    struct receipt_line *lines;
    size_t line_count;
};

/* Every value that lost a merge. */
struct ledger_entry {
    int64_t seq;
    uint32_t entity_tag;
    int64_t row;
    uint32_t cell_tag; /* 0: the whole row (delete against edit) */
    enum rule rule;
    int64_t base_seq;
    uint32_t loser_device, winner_device; /* 0: the server (also a value merged of several) */
    uint32_t loser_batch;
    int64_t loser_time_ms, winner_time_ms;
    bool winner_is_new;           /* the edit that came in won over what stood there */
    struct value *loser, *winner; /* one per field of the cell */
    size_t value_count;
};

/* What became of an entry of quarantine, or a change request, after its receipt. */
/* HELD_WITHDRAWN: its author gave it up. */
enum held_state { HELD_OPEN, HELD_RELEASED, HELD_APPROVED, HELD_DECLINED, HELD_WITHDRAWN };
const char *held_state_name(enum held_state state); /* "open" */
const char *held_state_label(enum held_state state, enum lang lang);
struct held_news {
    int64_t seq;
    struct refusal_id id;
    enum held_state state;
};

struct alias_news { /* a row that became another */
    int64_t seq;
    int64_t from, to;
};

/* Catalogue news: who works on which device; later custom fields and enum values. Sent whole when
 * its version moved on. */
struct person {
    uint32_t device;
    int64_t employee; /* row id, 0: none */
    struct slice name;
};

/* ------------------------------------------------------------------ merging (PROTOCOL.md,
 * "Merging") */

struct clock_was { /* where a change stood before its row became another */
    int64_t row, seq;
};
enum { CLOCK_WAS_MAX = 16 }; /* rows that became one after another: of more the oldest go */
struct clock { /* of a cell's last change, at the server */
    int64_t seq;
    uint32_t device; /* 0: the server, also as author of a merged value */
    uint32_t batch;
    int64_t time_ms;
    int64_t via; /* the row id that the change named, if not the row's */
    const struct clock_was *was; /* of what came with a row that became this one */
    size_t was_count;
};

/* Each epoch has seqs of its own: none of another life of the log can have issued them. */
#define EPOCH_SEQS ((int64_t)1 << 32)
static inline int64_t epoch_start(int64_t epoch) {
    return (epoch - 1) * EPOCH_SEQS;
}

/* Numbers of a life of the log that the server forgot when it went back: those above back, and
 * below start, where its next life began. */
struct lost_branch {
    int64_t back, start;
};

/* What a merge has to know once a server went back in time. */
struct former_life {
    const struct lost_branch *lost; /* as the author's laptop lived it */
    size_t lost_count;
    int64_t edit_old; /* of an edit that is given back: the seq in its old receipt; else 0 */
    int64_t old;      /* the same of the cell's last change */
    int64_t upto;     /* the old seq up to which the cell's value has seen, or is, everything */
    const int64_t *dot_old; /* of each dot; NULL: none was given back */
    int64_t fact; /* the value holds all that was done up to this old seq: head office took it as a
                     laptop had it; 0 */
};
/* Whether a base is of a lost branch. *out_back (may be NULL): where it parted. */
bool base_is_lost(const struct lost_branch *lost, size_t count, int64_t seq, int64_t *out_back);
/* As clock_is_covered. old: of the change, 0 unless it was given back. A base of a lost branch
 * covers what is given back by the seq in the old receipt, and of the rest only what was there when
 * the lives parted. life NULL: the server never went back. */
bool clock_is_covered_in(const struct clock *clock, int64_t old, struct base base, uint32_t device,
                         int64_t named, int64_t row, const struct former_life *life);

struct dot { /* an add of a set that no later add or remove had seen */
    struct slice element;
    struct clock clock;
};

/* Rule 1: had an author with this base, on this device, who names this row, seen the change? row:
 * the row that the cell belongs to. A base speaks only of what stood on the row that its author
 * names: who names another than row had seen what came with that one, by its seq there. */
bool clock_is_covered(const struct clock *clock, struct base base, uint32_t device, int64_t named,
                      int64_t row);
/* Rule 2: the last change is the author's own though later than the base (two windows). */
bool clock_is_own(const struct clock *clock, uint32_t device, int64_t named, int64_t row);

/* Both clocks of a laptop when a round left it, and what it knows about them. */
struct envelope {
    struct stamp now;
    int64_t expected_offset_ms; /* wall clock less server time at last contact, plus steps since */
    uint32_t suspect_boot;      /* the latest boot that began with the clock set back, else 0 */
};
/* Rule 3: the server's time of an edit, from its age. base_time_ms: commit time of the base.
 * offset_slack_ms: how far the offset may be from the expected one and still count as the same.
 * Result is in [base_time, now]. */
int64_t edit_time(const struct stamp *made, const struct envelope *envelope, int64_t now_ms,
                  int64_t base_time_ms, int64_t offset_slack_ms);

enum ledger_loser { LEDGER_NONE, LEDGER_OLD, LEDGER_NEW, LEDGER_OVERLAP };

struct merge_in {
    const struct entity *entity;
    const struct cell *cell;
    int64_t row;                 /* the row reached */
    int64_t named;               /* the row that the edit names */
    const struct value *present; /* count values of the cell */
    struct clock clock;          /* of the last change of the cell */
    const struct dot *dots;      /* set cells */
    size_t dot_count;
    const struct edit *edit;
    struct clock edit_clock;        /* seq that it will take, device, batch, time */
    const struct former_life *life; /* NULL: the server never went back */
    bool has_base_text;             /* text cells: the version that was shown is known */
    struct value base_text;
};

struct merge_out {
    enum outcome outcome; /* applied, merged or lost */
    struct value *values; /* cell.count values; the present ones when lost */
    struct clock clock;
    struct dot *dots;
    size_t dot_count;
    enum ledger_loser loser;
};

/* One edit meets one cell. The edit must have passed field_check. Results stand in mem; their texts
 * are borrowed from the inputs where nothing had to be made anew. ST_NO_MEMORY; ST_INTERNAL when
 * the kind of the edit or the number of its values does not fit the rule of the cell (a derived
 * cell takes no edit). */
enum status merge_cell(const struct merge_in *in, struct arena *mem, struct merge_out *out,
                       struct err *err) NODISCARD;

/* Three-way merge of texts by line, then by word (a Chinese character is a word). base.data NULL:
 * the old version is gone; then all that differs counts as overlapping. *out_overlap: passages
 * overlapped and both were kept, theirs first. */
enum status text_merge(struct slice base, bool has_base, struct slice mine, struct slice theirs,
                       struct arena *mem, struct slice *out, bool *out_overlap,
                       struct err *err) NODISCARD;

/* Puts one edit on the values that a person sees: what the laptop shows while the edit is pending.
 */
enum status edit_apply(const struct cell *cell, const struct edit *edit,
                       const struct value *present, struct arena *mem, struct value **out_values,
                       struct err *err) NODISCARD;

#endif
