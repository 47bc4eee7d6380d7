/* Moves contents of attachments between a laptop and its server: up what the server does not have,
 * down what was asked for or a rule says. One piece at a time, between rounds, on the agent's
 * session and connection; rows never wait for more than one piece.
 *
 * Nothing of its own is durable: rows say what there is, the folder (blob.h) what is here. A crash
 * between pieces costs nothing, one within a piece that piece.
 */
#ifndef ROADBOOK_MOVER_H
#define ROADBOOK_MOVER_H

#include "syncd/agent/agent.h"
#include "syncd/agent/pace.h"
#include "syncd/store/attachment.h"

#define AGENT_BLOB_DIR "blob"  /* below a laptop's home */
#define MOVER_MARK_WANT "want" /* a person asked for it: both ways, whatever the rules say */
#define MOVER_MARK_NO "no"     /* why the server did not take it, or it could not be fetched */

enum {
    MOVER_TASKS_MAX = 2000,             /* planned at once; the rest comes with the next plan */
    MOVER_FAILURES_MAX = 5,             /* lines that broke in a row without any progress */
    MOVER_NO_MS = 24 * 3600 * 1000,     /* what was refused is tried again after that */
    MOVER_ORPHAN_MS = 3600 * 1000,      /* what no row names is kept that long */
    MOVER_PREFETCH_BYTES = 1024 * 1024, /* pictures of own accounts up to that come by themselves */
    MOVER_SAVER_BYTES = 32 * 1024       /* with data saver on, only what is smaller moves */
};

/* What moves by itself; settings of the book on this laptop. */
struct mover_rules {
    bool saver; /* contents move only when asked for, or below saver_bytes */
    int64_t saver_bytes;
    int64_t prefetch_bytes; /* photos and signatures of own accounts up to that; 0: none */
};
enum status mover_rules(struct store *store, struct mover_rules *out, struct err *err) NODISCARD;
enum status mover_rules_set(struct store *store, const struct mover_rules *rules,
                            struct err *err) NODISCARD;
/* The contents of the book at home. */
enum status mover_blobs(const char *home, struct blobs *out, struct err *err) NODISCARD;

struct mover_config {
    struct agent *agent;
    struct store *store;
    const struct transport_door *transport; /* the agent's */
    const struct env *env;
    const char *home;
    bool only_wanted; /* nothing by rule: for a command that was told what to move */
};
struct mover;
enum status mover_open(const struct mover_config *config, struct mover **out,
                       struct err *err) NODISCARD;
void mover_close(struct mover *mover); /* NULL is fine */

struct mover_progress {
    int64_t up, down, refused; /* contents done since mover_open */
    int64_t bytes_up, bytes_down;
    int64_t left;     /* contents still planned */
    int64_t at, size; /* of the one under way; size 0: none is */
};
/* Looks again what there is to do, after rows came or went. Cheap where there are no attachments.
 */
void mover_look(struct mover *mover);
/* At most one exchange. *out_more false: nothing is left to do. A refusal of one content is no
 * failure: it is marked, and the next one follows.
 * ST_OFFLINE, ST_BUSY: come again later; ST_DISK: this laptop's disk. */
enum status mover_step(struct mover *mover, bool *out_more, struct err *err) NODISCARD;
void mover_progress(const struct mover *mover, struct mover_progress *out);

/* Removes contents that no row on this laptop names any more, once nothing waits to be sent. */
enum status mover_sweep(struct mover *mover, int64_t *out_removed, struct err *err) NODISCARD;

#endif
