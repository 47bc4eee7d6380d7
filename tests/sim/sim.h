/* The simulator: production code of store, session, agent and server in one process and one thread,
 * and one number from which everything follows: what people and head office do, what the network,
 * the disks and the clocks do. README.md says what it covers; this page is shared by its files:
 *
 *     sim.c          seeds, processes, the summary
 *     sim_run.c      one run: the world that it begins with, what is on in it, its steps
 *     sim_people.c   what people do
 *     sim_office.c   what head office does
 *     sim_scope.c    who sees what, and what must not travel
 *     sim_unite.c    rows that become one
 *     sim_dated.c    what comes at its date
 *     sim_copy.c     the copy of head office's book that grows with each commit
 *     sim_image.c    a laptop that is set back to an image of its disk
 *     sim_life.c     laptops that are revoked, sticks, tombstones that are collected
 *     sim_plot.c     what chance alone brings together too seldom
 *     sim_trouble.c  what the network, the disks and the clocks do
 *     sim_repair.c   a bad disk
 *     sim_status.c   what head office knows of laptops, and laptops of what they sent
 *     sim_model.c    who had seen what; the places where things are written
 *     sim_oracle.c   what must be so at rest
 *     sim_cells.c    what must be so of each cell
 *     disk.c         the disk in memory
 */
#ifndef ROADBOOK_SIM_H
#define ROADBOOK_SIM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/store/centre_scope.h"
#include "tests/sim/disk.h"
#include "tests/world/world.h"

enum {
    EDITS_MAX = 512,
    MASK_WORDS = EDITS_MAX / 64,
    ROWS_MAX = 512,
    LAPTOPS = 3,
    OFFICE = LAPTOPS, /* as author of a deed: head office */
    MANAGER = 2,      /* the last laptop is a manager's, who sees all of his territory */
    FORMS = 2,        /* windows that one person may have open */
    WORD_BYTES = 24,
    PLACES_MAX = 32, /* of one run; one may be there more than once */
    VARIANTS = 4 /* of the beginning: 1, 2, 3 accounts for all; 4, each for whom it is granted */
};

/* ------------------------------------------------------------------ what may happen
 *
 * Events are chosen step by step, faults befall events; the rest is only counted. Each run turns
 * some events and faults off (swarm). ROW(NAME, weight): of 0 events are not chosen by themselves.
 */
/* clang-format off */
#define SIM_EVENT_ROWS(ROW)                                                                        \
    ROW(EDIT, 60) ROW(FORM, 32) ROW(UNDO, 10) ROW(ROUND, 64) ROW(CREATE, 16) ROW(DELETE, 14)       \
    ROW(IMPORT, 3) ROW(IMPORT_REVERT, 4) ROW(RETRY, 12) ROW(DROP, 4) ROW(TAKE_PART, 12)            \
    ROW(OFFICE_EDIT, 14) ROW(OFFICE_DELETE, 4) ROW(OFFICE_DECIDE, 8) ROW(SCOPE_CHANGE, 40)         \
    ROW(UNITE, 24) ROW(RESTART, 1) ROW(REBOOT, 3) ROW(CLOCK_STEP, 8) ROW(RELEASE, 1)               \
    ROW(SETTLE, 2) ROW(BACKUP, 6) ROW(ROLLBACK, 8) ROW(REVOKE, 2) ROW(STICK, 16) ROW(COMPACT, 5)
#define SIM_FAULT_ROWS(ROW)                                                                        \
    ROW(REQUEST_LOST, 4) ROW(REPLY_LOST, 6) ROW(REQUEST_REPEATED, 4) ROW(REQUEST_LATE, 4)          \
    ROW(ONE_WAY, 2) ROW(MEANWHILE, 8) ROW(EDIT_DURING_ROUND, 8) ROW(FORM_DURING_ROUND, 4)          \
    ROW(SLICES_CUT, 4) ROW(LAPTOP_POWER, 3) ROW(LAPTOP_KILLED, 2) ROW(LAPTOP_FULL, 3)              \
    ROW(SERVER_POWER, 4) ROW(SERVER_KILLED, 2) ROW(SERVER_FULL, 6) ROW(SLOW_LAPTOP, 4)             \
    ROW(SLOW_SERVER, 6)                                                                            \
    ROW(SAVE_POWER, 2) ROW(SAVE_FULL, 2) ROW(CLOCK_STANDS, 1) ROW(DAYS_PASS, 1)
#define SIM_COUNT_ROWS(ROW)                                                                        \
    ROW(APPLIED) ROW(MERGED) ROW(LOST) ROW(HELD) ROW(CONFLICT) ROW(DELETE_LOST)                    \
    ROW(ROUND_WORKED) ROW(ROUND_FAILED) ROW(SAVE_IN_DOUBT) ROW(WRITE_LOST) ROW(WRITE_TORN)         \
    ROW(MESSAGE) ROW(ROW_SENT) ROW(HOME_OPENED) ROW(HOME_CLOSED) ROW(DENIED)                       \
    ROW(COLLECTED) ROW(STICK_WRITTEN) ROW(STICK_TAKEN) ROW(STICK_HOME) ROW(LAPTOP_OUT)             \
    ROW(OTHERS_TOLD) ROW(FACT) ROW(PROVED) ROW(ORDER_DUE) ROW(DAY_TURNED)   \
    ROW(SET_BACK) ROW(NUMBERED_AGAIN) ROW(PARTED) ROW(REPAIRED)                                     \
    ROW(TWO_DELETES) ROW(TOO_LATE) ROW(FORMER_NAME) ROW(COUNT_PARTED) ROW(LONG_WAY)                 \
    ROW(REMOVED_FIRST) ROW(ANSWERED_AFTER) ROW(SEQ_AGAIN) ROW(IDS_AFTER)
/* clang-format on */

enum sim_what {
#define ROW(name, weight) SIM_##name,
    SIM_EVENT_ROWS(ROW) SIM_EVENTS,
    SIM_LAST_EVENT = SIM_EVENTS - 1, /* so that the next has the number after it */
    SIM_FAULT_ROWS(ROW) SIM_FAULTS,
    SIM_LAST_FAULT = SIM_FAULTS - 1,
#undef ROW
#define ROW(name) SIM_##name,
    SIM_COUNT_ROWS(ROW) SIM_WHAT_COUNT
#undef ROW
};
/* "reply lost" */
const char *sim_what_name(enum sim_what what);

/* ------------------------------------------------------------------ what is written */

enum kind {
    KIND_CREATE,
    KIND_DELETE,
    KIND_LAST,
    KIND_GROUP,
    KIND_COUNT,
    KIND_SET,
    KIND_TEXT,
    KIND_MAX,
    KIND_STATE,
    KIND_OFFICE,
    KIND_REF,
    KIND_END
};
#define BIT(k) (1u << (k))

struct place {
    const char *entity, *field;
    const char *second; /* of a group: its other field; of a set: the set beside it that names each
                           deed, by which the model knows what an author had been shown */
    enum kind kind;
};
extern const struct place sim_places[];
extern const size_t sim_place_count;

struct mask {
    uint64_t word[MASK_WORDS];
};
enum fate { FATE_PENDING, FATE_ACCEPTED, FATE_HELD, FATE_UNDONE, FATE_NEVER };

/* What somebody did, and what he had been shown. */
struct deed {
    size_t author;   /* a laptop, or OFFICE */
    uint32_t device; /* its number then; 0: head office */
    uint32_t batch;
    int64_t row, final;        /* as it was named; what it is at the end */
    int64_t made_ms;           /* true time */
    const struct place *place; /* NULL: create or delete */
    enum kind kind;
    struct mask seen; /* what its author had been shown, itself included */
    int64_t delta;
    bool add, imported;
    bool part;     /* of somebody in a visit: it may name any contact */
    bool answered, told_lost; /* by its receipt */
    bool timed;    /* by a clock of which the server can tell how it goes */
    bool approved; /* by head office, after it waited */
    size_t approved_step;
    unsigned fact;         /* of head office, in a life that is forgotten: laptops that show it */
    char word[WORD_BYTES]; /* element, or word inserted */
    char removed[WORD_BYTES]; /* text: word taken out */
    enum fate fate;
    struct refusal_id held; /* by which it waited, before it was sent again; batch 0: it did not */
};

/* ------------------------------------------------------------------ a run */

struct open_form {
    bool open;
    const struct entity *entity;
    struct form form;
};

struct united { /* an account that became another */
    int64_t from, to;
    bool keeps[LAPTOPS]; /* who sees the survivor only because he saw the other */
};
enum { UNITED_MAX = 16 };

struct decision { /* of head office, on what waited */
    uint32_t device;
    struct refusal_id id;
    enum held_state state;
};
struct sight { /* of an account: when each laptop's person last saw it */
    int64_t account, ms[LAPTOPS];
};
enum { SIGHTS_MAX = 64 };
enum { STICKS = 4, ORDERS_MAX = 16, DECISIONS_MAX = 64 };
struct stick {
    struct slice file; /* in the run's arena; empty: none */
    size_t laptop;     /* whose */
    bool up;           /* on its way to head office; else back */
};

struct image { /* of a laptop's disk, and what its author had done by then */
    bool there, used;
    size_t laptop, deed_count, put_at; /* so many deeds there were when it was made, put back */
    uint32_t newest;                   /* batch in it */
    struct deed deeds[EDITS_MAX];
};

struct late_request {
    struct session_http request; /* its parts in the run's arena */
    size_t laptop;               /* whose it was */
    bool there;
};

struct sim {
    struct world world;
    struct arena mem;
    uint64_t random;
    bool trace;
    /* swarm: what is on in this run */
    unsigned kinds; /* bits of enum kind */
    const struct place *places[PLACES_MAX];
    size_t place_count;
    size_t accounts, steps;
    int64_t territories[2]; /* the second was below the first */
    bool rows;              /* creates and deletes */
    bool homes;             /* people see only what they are granted, and that changes */
    bool unites;            /* head office merges accounts and contacts */
    bool meets;             /* people work on what was worked on last, one of them for a while */
    bool rollback;          /* the server goes back in time once, unannounced */
    bool loose;   /* it does so at any time and more than once, whatever else happens: who had
                     seen what is not known then, only what holds of every run is looked at */
    bool marked;  /* the server's folder outlives its book: what it finds there tells it at once */
    bool pressed; /* when it went back, something else happens at once */
    bool dated;   /* what is given to people begins and ends at dates as well */
    bool leased;  /* a lease of days: with hours between steps somebody may be late */
    bool imaged;  /* a laptop is set back to an image of its disk */
    bool copied;  /* each commit of the server goes to a second folder, on another disk */
    unsigned trouble; /* of 100 rounds and saves so many meet a fault */
    int weight[SIM_FAULTS];
    bool stands[LAPTOPS];              /* its wall clock stands still */
    struct catalogue old;              /* of the release before */
    const struct catalogue *catalogue; /* of whoever does something now */
    /* what people did */
    struct deed deeds[EDITS_MAX];
    size_t deed_count;
    struct open_form forms[LAPTOPS][FORMS];
    bool opened; /* a form, and goes on */
    size_t last_laptop;
    const struct place *last_place;
    int64_t last_row;
    struct late_request late;
    int64_t import_ids;
    size_t plot_step; /* at which a plot is played; SIZE_MAX: none */
    struct {
        const struct place *place;
        int64_t row;
    } during; /* what is saved during a round; no place: anything */
    bool suspect[LAPTOPS];     /* its clock went otherwise than was expected, in this boot */
    int64_t measured_ms[LAPTOPS]; /* by how much it was off in its last round */
    bool clock_known[LAPTOPS];
    struct united united[UNITED_MAX];
    size_t united_count, backup_united_count;
    struct united backup_united[UNITED_MAX]; /* what there was then */
    bool united_any;
    bool moved;          /* head office did something while a reply was on its way */
    bool regranted;      /* who sees what has changed since a round was slow */
    int64_t united_last; /* the row that became another last */
    bool parted;         /* one is a row of its own again: what was done meanwhile is on either */
    struct stick sticks[STICKS];
    struct image image;
    uint32_t device[LAPTOPS]; /* numbers; one that was set back gets another, */
    uint32_t kept[LAPTOPS];   /* up to this batch the server has it under the former one */
    bool revoked[LAPTOPS], wipes[LAPTOPS];  /* by head office; with the order to delete the book */
    uint32_t had[LAPTOPS];                  /* its last batch at the server then */
    bool out[LAPTOPS];                      /* it was told, and does nothing any more */
    struct centre_dated orders[ORDERS_MAX]; /* that wait for their time */
    size_t order_count;
    struct sight sights[SIGHTS_MAX];
    size_t sight_count;
    struct decision decisions[DECISIONS_MAX];
    size_t decision_count;
    int zone_min;   /* of the org: minutes east of Greenwich */
    int64_t day;    /* there, when the server last looked at what is due */
    bool restored;  /* head office brought something back that was collected */
    bool backed;    /* there is a backup */
    bool announced; /* laptops know where it stands */
    bool rolled;
    bool stick_since; /* came then: what it brought is of the present life, whatever it lost to */
    /* Accepted in the life that is forgotten, but nobody holds the receipt: in the next they are
     * new, and what was made on top of them looks concurrent. Nothing is lost; order may be. */
    struct mask orphans;
    bool out_then[LAPTOPS];           /* when the server went back: it gives nothing back */
    struct mask lost_to[LAPTOPS + 1]; /* what had lost then, by the author of what stood */
    struct mask looked;               /* what stood there, and facts that were taken replaced */
    size_t backup_step;
    struct mask present; /* what was not sent when the server went back */
    size_t backup_deeds, rolled_deeds; /* so many there were then */
    /* how it goes */
    enum sim_what fault;    /* that befalls the round under way; SIM_WHAT_COUNT: none */
    uint32_t newest_before; /* in the outbox, before a save that may fail */
    enum sim_what save_fault;
    int one_way_left[LAPTOPS];
    size_t step;
    int64_t counts[SIM_WHAT_COUNT];
    int64_t cursor[LAPTOPS], epoch[LAPTOPS];
    char failure[1024];
};

#define SAY(s, ...)                                                                                \
    do {                                                                                           \
        if ((s)->trace) printf(__VA_ARGS__);                                                       \
    } while (0)

static inline bool mask_has(const struct mask *m, size_t deed) {
    return m->word[deed / 64] >> deed % 64 & 1;
}
static inline void mask_put(struct mask *m, size_t deed) {
    m->word[deed / 64] |= (uint64_t)1 << deed % 64;
}
static inline void mask_join(struct mask *m, const struct mask *other) {
    for (size_t i = 0; i < MASK_WORDS; i++) m->word[i] |= other->word[i];
}

/* A parting that nobody can place exactly is placed too early, also by a stick, on which nobody can
 * ask back: what stood there then may look newer, and what was seen since count as unseen. */
static inline bool sim_parts_early(const struct sim *s) {
    return s->rolled && (!s->announced || s->stick_since);
}

/* ------------------------------------------------------------------ sim_run.c */

/* A world as every run of this variant begins: laptops enrolled and at rest. */
enum status sim_begin(size_t variant, struct sim *out, struct err *err) NODISCARD;
/* One run in a world that sim_begin made, which is used up by it. failure says what went wrong. */
void sim_run(struct sim *s, uint64_t seed, bool trace);
void sim_end(struct sim *s);
size_t sim_variant_of(uint64_t seed);
bool sim_rolls_back(uint64_t seed);
bool sim_is_loose(uint64_t seed);
bool sim_is_imaged(uint64_t seed);
bool sim_may_unite(uint64_t seed);
/* At which a plot is played; SIZE_MAX: none. */
size_t sim_plot_step(uint64_t seed);

uint64_t sim_draw(struct sim *s, uint64_t below);
bool sim_chance(struct sim *s, unsigned of_100);
void sim_count(struct sim *s, enum sim_what what);
/* The first failure of a run stands. */
void sim_fail(struct sim *s, const char *what, int64_t a, int64_t b);
void sim_fail_err(struct sim *s, const char *what, const struct err *err);
/* In words, without the name of the run's folder: that is another one each time. */
const char *sim_why(const struct err *err);
/* One of those from first to before end, by weight; end: none is on. */
enum sim_what sim_pick(struct sim *s, int first, int end);

/* ------------------------------------------------------------------ sim_model.c */

/* The deed that a value of a place names; -1 for none. */
int64_t sim_deed_in(struct sim *s, const struct place *p, struct value v);
const struct entity *sim_entity(struct sim *s, const char *name);
const struct entity *sim_entity_of(struct sim *s, const struct place *p);
const struct field *sim_field_of(struct sim *s, const struct place *p);
struct value sim_value_of(struct sim *s, const struct place *p, const struct value *values);
/* Joins to out what a shown value has seen: the deeds behind it. */
void sim_see(struct sim *s, const struct place *p, const struct value *values, struct mask *out);
/* The same of all places of a row. */
void sim_see_row(struct sim *s, const struct row *row, struct mask *out);
/* A new deed, not counted yet; NULL: there is no room. sim_deed_done counts it. */
struct deed *sim_deed_new(struct sim *s, size_t author, int64_t row, const struct place *p,
                          enum kind kind);
void sim_deed_done(struct sim *s, const struct deed *deed);
/* It boots, or its clock steps while it runs: then nobody trusts it before the next boot. */
void sim_clock_doubted(struct sim *s, const struct world_laptop *l, bool boots);
/* A round told how much it is off. */
void sim_clock_measured(struct sim *s, const struct world_laptop *l);
struct value sim_text(struct sim *s, const char *text);
/* What somebody does to a cell that shows this; false: nothing to do. any_account: for references.
 */
bool sim_make(struct sim *s, const struct place *p, struct deed *deed, const struct value *shown,
              const struct value *today, int64_t any_account, struct field_edit out[2],
              size_t *out_count);
/* Where this run writes: so many draws of the places that are on; few, and people meet. */
void sim_choose_places(struct sim *s, size_t most);
const struct place *sim_any_place(struct sim *s);
/* A living row of the entity in a book; 0: none. */
int64_t sim_any_row(struct sim *s, struct store *store, const struct entity *e);
struct slice sim_any_part(struct sim *s, struct slice text, char separator);

/* ------------------------------------------------------------------ the rest */

void sim_people_edit(struct sim *s, struct world_laptop *l);
/* Opens a form, or saves one. */
void sim_people_form(struct sim *s, struct world_laptop *l);
/* Somebody at this laptop does what the event says. */
void sim_people_event(struct sim *s, struct world_laptop *l, enum sim_what event);
/* He saves something in that place of that row; account: of references, 0 for any. */
void sim_people_save(struct sim *s, struct world_laptop *l, const struct place *p, int64_t id,
                     int64_t account);
void sim_people_delete(struct sim *s, struct world_laptop *l, const char *entity, int64_t id);
void sim_office_event(struct sim *s, enum sim_what event);
void sim_office_edit(struct sim *s, const struct place *p, int64_t id);
void sim_office_create(struct sim *s); /* an account */
/* Who sees which account now. */
void sim_scope_sights(struct sim *s);
/* Grants instead of everything for everyone. */
enum status sim_scope_begin(struct sim *s, struct err *err) NODISCARD;
/* Head office gives or takes back. */
void sim_scope_office(struct sim *s);
/* It sets a reference, or a day; value 0: to nothing. */
void sim_office_set(struct sim *s, const char *entity, int64_t id, const char *field,
                    int64_t value);
/* A reply on its way: holds it anything that this laptop may not see? */
void sim_scope_reply(struct sim *s, struct world_laptop *l, struct slice message);
/* Each book is what its person may see. */
enum status sim_scope_compare(struct sim *s, struct buf *out_difference, struct err *err) NODISCARD;
/* A living row of head office's, as it is there now. */
bool sim_sees_row(struct sim *s, const struct world_laptop *l, const char *entity, int64_t id);
bool sim_sees_team(struct sim *s, const struct world_laptop *l, int64_t account);
/* What belongs to it: with its team, or as the manager of its territory. */
bool sim_sees_children(struct sim *s, const struct world_laptop *l, int64_t account);
/* Head office merges two accounts, or two contacts. */
void sim_unite(struct sim *s);
void sim_unite_rows(struct sim *s, const struct entity *e, int64_t loser, int64_t survivor);
/* The last of them are two again. */
void sim_part(struct sim *s);
/* Whichever row has them: no count is lost, none twice, when rows are two again. */
void sim_unite_sums(struct sim *s);
/* Somebody notes who took part in a visit: of both contacts of a merge there may be a note.
 * contact 0: any. */
void sim_take_part(struct sim *s, struct world_laptop *l, int64_t contact);
bool sim_has_territory(struct sim *s, int64_t account);
/* The row that an id is now. */
int64_t sim_final(struct sim *s, int64_t id);
/* Head office trusts a laptop no more. */
void sim_life_revoke(struct sim *s, struct world_laptop *l);
/* A round ended so: was it told that it is revoked? Then it is off for good. */
bool sim_life_told(struct sim *s, struct world_laptop *l, enum status status);
/* A reply on its way to a laptop that is revoked holds nothing of the book. */
void sim_life_reply(struct sim *s, struct world_laptop *l, struct slice message);
bool sim_is_out(const struct sim *s, const struct world_laptop *l);
/* A stick is written, comes to head office, or comes back. */
void sim_life_stick(struct sim *s, struct world_laptop *l);
/* One is written now, and comes to head office so long after. */
void sim_life_carry(struct sim *s, struct world_laptop *l, int64_t ms);
void sim_life_compact(struct sim *s);
/* The org's days begin somewhere. */
void sim_dated_begin(struct sim *s, uint64_t draw);
int64_t sim_day_now(const struct sim *s);
/* Between steps hours pass. */
int64_t sim_dated_pause(struct sim *s);
/* In some hours an account, or all of one person, goes to another; or is not to go any more. */
void sim_dated_order(struct sim *s, int64_t account, int64_t from, int64_t to);
void sim_dated_cancel(struct sim *s);
/* What the daemon does when the time comes, and what must be so then. */
void sim_dated_due(struct sim *s);
/* Since then something has come due. */
bool sim_dated_moved(const struct sim *s);
/* Now and then somebody makes an image of his laptop's disk, and once it is put back. */
void sim_image_step(struct sim *s);
/* Did this laptop make the row, under any of its numbers? */
bool sim_made(const struct sim *s, size_t laptop, int64_t id);
/* Is that batch, as the laptop calls it now, the one of this deed? */
bool sim_is_batch(const struct sim *s, const struct deed *d, size_t laptop, uint32_t batch);
/* From here on each commit of the server is copied. */
void sim_copy_begin(struct sim *s);
/* A book made of the copy is head office's. */
void sim_copy_check(struct sim *s);
/* A round without troubles, also of who is out, or hears that he is. */
enum status sim_life_sync(struct sim *s, struct world_laptop *l, struct err *err) NODISCARD;
/* Who is revoked hears of it; all others sync until nothing is left. */
enum status sim_life_settle(struct sim *s, struct err *err) NODISCARD;
/* Some few events in a certain order, where nothing else happens between them. */
void sim_plot(struct sim *s);
/* Time goes by, and what is due then happens. */
void sim_pass(struct sim *s, int64_t ms);
void sim_backup(struct sim *s, bool announce);
void sim_rollback(struct sim *s);
/* A round, a restart, clocks: and what befalls them. */
void sim_trouble_event(struct sim *s, struct world_laptop *l, enum sim_what event);
/* A save of a laptop is about to happen; it may meet a disk that fails. After it, what became of
 * the deed is found out: true when the save is in the book. */
bool sim_trouble_save(struct sim *s, struct world_laptop *l);
bool sim_trouble_saved(struct sim *s, struct world_laptop *l, bool armed, enum status status,
                       uint32_t *batch, const struct err *err);
/* The way of messages. */
enum status sim_trouble_exchange(void *ctx, struct world_laptop *l,
                                 const struct session_http *request, struct arena *mem,
                                 struct session_http *out, struct err *err) NODISCARD;
void sim_trouble_heal(struct sim *s);
/* In runs where the server goes back head office writes only what can come back whole. */
bool sim_may_come_back(const struct sim *s, const struct place *p);

/* All sync until nothing is left; then everything that must be so is looked at. */
void sim_look(struct sim *s);
/* The deeds behind what stands in head office's book. */
struct mask sim_shown_by_office(struct sim *s);
/* A laptop counts its book now and then, as its daemon does, and keeps what it counted. */
void sim_prove(struct sim *s, struct world_laptop *l);
/* After a round that worked: what the centre has of this laptop. */
void sim_status_glance(struct sim *s, struct world_laptop *l);
/* A row of a laptop is spoilt by hand: it finds and mends it. */
void sim_repair(struct sim *s);
/* What must be so after each event. */
void sim_glance(struct sim *s, struct world_laptop *l);

struct sim_ledger {
    struct sim *s;
    struct mask losers;
    struct mask late; /* of them, what lost when it came */
    struct mask deletes;              /* deletes that lost, by deed */
    struct mask lost_to[LAPTOPS + 1]; /* the losers by the author of what stands */
};
/* Who lost, as the server's ledger has it, and whether that may be. */
void sim_ledger_read(struct sim_ledger *out);
void sim_status_receipts(struct sim *s, const struct sim_ledger *ledger);
/* Every cell of a living row against the deeds. */
void sim_cells_check(struct sim *s, const struct row *row, const struct sim_ledger *ledger);

#endif
