/* The daemon's loop and what both programs of the laptop need to open its book. */
#ifndef ROADBOOK_DAEMON_H
#define ROADBOOK_DAEMON_H

#include "syncd/agent/agent.h"

enum {
    DAEMON_GATHER_MS = 30,            /* rounds after local writes keep this distance */
    BACKOFF_WAIT_MS = 1000,           /* after a long poll broke, before the next round */
    DAEMON_PERIOD_MS = 5 * 60 * 1000, /* a round at least this often while the line works */
    DAEMON_CLOCK_MS = 60 * 1000       /* the clocks are noted this often: the only idle wake-up */
};

/* Opens HOME/book.db, made if missing. A damaged file is set aside as book.db.damaged-N, and a new
 * one made with what could be rescued: identity, counters, outbox (note says so in words; empty
 * otherwise). The rest comes from the server with the next round. ST_REVOKED: head office has had
 * the book deleted (wipe.h). */
enum status book_open(const char *home, const struct catalogue *catalogue, const struct env *env,
                      struct store **out, struct err *out_note, struct err *err) NODISCARD;
/* After something said ST_DAMAGED: checks the book, and if it is damaged closes it (*store becomes
 * NULL) and does what book_open does with a damaged file. */
enum status book_mend(struct store **store, const char *home, const struct catalogue *catalogue,
                      const struct env *env, struct err *out_note, struct err *err) NODISCARD;
/* A transport for the book's server, with the pin of its enrolment. ST_DENIED when the book is not
 * enrolled. */
enum status book_transport(struct store *store, struct transport **out, struct err *err) NODISCARD;

/* Enrols a book anew that is a copy, or whose identity is lost: it gets a number and a key of its
 * own, and rows made here that the server does not have get ids of that number (store_renumber).
 * The caller holds the sync lock. *store is another handle afterwards, NULL only when it could not
 * be opened again. A lost reply is asked for again with the same link. */
enum status book_enroll_again(struct store **store, struct agent *agent, const char *home,
                              const struct catalogue *catalogue, const struct env *env,
                              const struct session_link *link, struct slice device_name,
                              struct err *err) NODISCARD;

struct daemon_config {
    const char *home;
    const struct catalogue *catalogue;
    const struct env *env;
    const char *trace_dir; /* NULL: none */
    bool once;             /* one sync, then return its status */
    enum lang lang;        /* of log texts */
};
/* Runs until it is told to stop (signal) or, with once, until the sync ended. */
enum status daemon_run(const struct daemon_config *config, struct err *err) NODISCARD;

#endif
