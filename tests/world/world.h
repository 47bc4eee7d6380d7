/* A world in one process: laptops and a server, made of the production code of store, agent,
 * session, wire and server, with virtual clocks and a network that does what it is told. Scenario
 * files and random runs drive it.
 *
 * Nothing here waits or draws real random numbers: the same calls give the same bytes.
 */
#ifndef ROADBOOK_WORLD_H
#define ROADBOOK_WORLD_H

#include "syncd/agent/agent.h"
#include "syncd/server/org.h"
#include "syncd/server/service.h"

enum { WORLD_LAPTOPS_MAX = 8, WORLD_PATH_BYTES = 512, WORLD_NAME_BYTES = 32 };

enum world_fault {
    WORLD_FAULT_NONE,
    WORLD_LOSE_REQUEST,   /* the round never reaches the server */
    WORLD_LOSE_REPLY,     /* the server has acted, the laptop does not know */
    WORLD_REPEAT_REQUEST, /* the network sends the round twice */
    WORLD_CUT_SLICES      /* the agent dies after slices_left slices */
};

struct world;
struct world_laptop {
    struct world *world;
    char name[WORLD_NAME_BYTES];
    char dir[WORLD_PATH_BYTES];
    struct env env;
    const struct catalogue
        *catalogue; /* of its release; the world's unless world_release said so */
    uint64_t random_state;
    int64_t offset_ms; /* wall clock less true time */
    int64_t boot_start_ms;
    uint64_t boot_id;
    struct store *store;      /* the person's handle */
    struct store *sync_store; /* the agent's */
    struct agent *agent;
    struct transport_door door;
    enum world_fault fault; /* of the next round; then none */
    int slices_left;
    void (*during)(void *ctx,
                   struct world_laptop *laptop); /* between the reply and its applying; then NULL */
    void *during_ctx;
    int64_t employee; /* row of its user */
    void (*replied)(void *ctx, struct world_laptop *laptop,
                    struct slice message); /* each reply to a round, before it arrives; or NULL */
    void *replied_ctx;
    int64_t slow_ms; /* true time that passes with each look at the machine's boot clock */
};

/* The way of messages, for those who want another than the faults above. */
struct world_network {
    void *ctx;
    enum status (*exchange)(void *ctx, struct world_laptop *laptop,
                            const struct session_http *request, struct arena *mem,
                            struct session_http *out, struct err *err);
};

struct world {
    char dir[WORLD_PATH_BYTES];
    struct arena mem;           /* for the life of the world */
    struct catalogue catalogue; /* of this release */
    const struct catalogue *server_catalogue;
    struct env env; /* the server's */
    uint64_t random_state;
    int64_t now_ms; /* true time */
    int64_t server_offset_ms;
    int64_t server_slow_ms;       /* as slow_ms of a laptop */
    struct world_network network; /* exchange NULL: the world's own */
    struct service *service;      /* NULL: the server is off */
    struct org *office;           /* head office's own handle, as its command line has it */
    struct org_reader *reader;    /* of its command line; NULL until world_office_reader */
    struct world_laptop laptops[WORLD_LAPTOPS_MAX];
    size_t laptop_count;
};

/* In a fresh folder below the temporary one; org "demo" with no users. */
enum status world_open(uint64_t seed, struct world *out, struct err *err) NODISCARD;
void world_close(struct world *w); /* removes its folder */

/* A user of that name (with an employee row) and his enrolled laptop. */
enum status world_laptop_add(struct world *w, const char *name, struct err *err) NODISCARD;
enum status world_laptop_add_as(struct world *w, const char *name, enum user_role role,
                                struct err *err) NODISCARD;
struct world_laptop *world_laptop(struct world *w, struct slice name); /* NULL: none */
enum status world_sync(struct world_laptop *laptop, struct agent_result *out,
                       struct err *err) NODISCARD;
/* All laptops that are not off, until nothing is left to send or to fetch. */
enum status world_settle(struct world *w, struct err *err) NODISCARD;
/* A book that was copied or set back gets a number of its own, as `enroll LINK --again` does it.
 * rename: gives a file the name of another, with all that belongs to it. */
typedef void world_rename(const char *from, const char *to);
enum status world_enroll_again(struct world_laptop *laptop, world_rename *rename,
                               struct kept_batches *out_kept, struct err *err) NODISCARD;
/* The program dies and starts again: handles are closed and opened. */
enum status world_restart(struct world_laptop *laptop, struct err *err) NODISCARD;
/* The same in two steps, for what happens to a disk in between. Off twice is fine. */
void world_laptop_off(struct world_laptop *laptop);
enum status world_laptop_on(struct world_laptop *laptop, struct err *err) NODISCARD;
void world_server_off(struct world *w);
enum status world_server_on(struct world *w, struct err *err) NODISCARD;
/* The folder of the server's files. */
void world_server_dir(const struct world *w, char out[WORLD_PATH_BYTES]);
/* The programs of another release are installed, here or at the server; they know another
 * catalogue. */
enum status world_release(struct world_laptop *laptop, const struct catalogue *catalogue,
                          struct err *err) NODISCARD;
enum status world_server_release(struct world *w, const struct catalogue *catalogue,
                                 struct err *err) NODISCARD;
/* A copy of the server's file aside, and the server set back to it, unannounced: it stops, the copy
 * takes the place of its file, it starts. announce: laptops are told of the copy. Without what the
 * server's folder says of how far the book had come; _here: with it. */
enum status world_backup(struct world *w, bool announce, struct err *err) NODISCARD;
enum status world_rollback(struct world *w, struct err *err) NODISCARD;
enum status world_rollback_here(struct world *w, struct err *err) NODISCARD;
/* While the server is off: how far its book had come is not known any more. */
enum status world_forget_head(struct world *w, struct err *err) NODISCARD;
/* The machine restarts; its wall clock moves by offset meanwhile. */
enum status world_reboot(struct world_laptop *laptop, int64_t offset_ms, struct err *err) NODISCARD;
/* The wall clock steps while the machine runs; the daemon notices. */
enum status world_step(struct world_laptop *laptop, int64_t offset_ms, struct err *err) NODISCARD;

/* Head office creates (id 0) or edits a row through its own save path. */
enum status world_office_save(struct world *w, const struct entity *e, int64_t id,
                              const struct field_edit *edits, size_t count,
                              struct receipt *out_receipt, int64_t *out_id,
                              struct err *err) NODISCARD;
enum status world_office_delete(struct world *w, const struct entity *e, int64_t id,
                                struct err *err) NODISCARD;
/* Head office's book, read by a handle of its own. */
struct store *world_office_store(struct world *w);

/* Its read handle, that sees what is committed; good until the server is off. */
enum status world_office_reader(struct world *w, struct org_reader **out,
                                struct err *err) NODISCARD;

/* All living rows of a book as text, one line a cell, ordered: equal texts are equal books. */
enum status world_dump(struct store *store, struct buf *out, struct err *err) NODISCARD;
/* Head office's rows that keep says yes to are all that the laptop has. */
typedef bool world_keep(void *ctx, const struct row *row);
enum status world_compare_some(struct world *w, struct world_laptop *laptop, world_keep *keep,
                               void *ctx, struct buf *out_difference, struct err *err) NODISCARD;
/* Every laptop's book equals head office's; *out_difference says the first line that differs. */
enum status world_compare(struct world *w, struct buf *out_difference, struct err *err) NODISCARD;

#endif
