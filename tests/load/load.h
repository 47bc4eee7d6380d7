/* The load: thousands of laptops without stores against the real server, over TLS. What they send is what laptops
 * send: signed rounds of real days of work, through the production code of wire and session.
 *
 *     load.c    options, the phases in order, the report
 *     fleet.c   laptops that wait, laptops that work, laptops that come all at once
 */
#ifndef ROADBOOK_LOAD_H
#define ROADBOOK_LOAD_H

#include <stdatomic.h>

#include "tests/bench/bench.h"

enum { HISTOGRAM_ROWS = 800 };
struct histogram {                                         /* microseconds; a row is 3 % wide */
    atomic_uint rows[HISTOGRAM_ROWS];
    atomic_uint count;
    _Atomic int64_t most_us;
};
void histogram_add(struct histogram *h, double us);
double histogram_quantile(const struct histogram *h, double share);

struct load {
    struct bench *b;
    struct hall h;
    struct work work;
    struct tls_client *client;
    size_t laptops, waiting, per_address;                  /* the first laptops work, those after them wait */
    int64_t days;
    double minutes;
    atomic_size_t visits_told;                             /* whose receipt a laptop holds */
};

/* ------------------------------------------------------------------ laptops that wait */

struct crowd;
struct crowd_counts {
    size_t held, answered, errors;
};
/* Connects all that wait; each goes one round and begins a wait. Memory of the server for one of them, in KB. */
void crowd_open(struct load *l, struct crowd **out, double *out_kb_each);
struct crowd_counts crowd_counts(const struct crowd *c);
void crowd_close(struct crowd *c);

/* ------------------------------------------------------------------ laptops that work */

struct outcome_counts {
    atomic_size_t rounds, later, refused, broken;          /* later: 429 and 503; refused: other codes; broken: no reply */
    struct histogram round_us;
    struct histogram served_us;                            /* from the start until a laptop has all receipts */
    atomic_size_t starved;
    double seconds;
};
/* Each laptop does the work of some days, in rounds spread over the seconds. */
void fleet_work(struct load *l, int64_t days, double seconds, struct outcome_counts *out);
/* Each laptop has the work of a day in its outbox; all come when the server does. */
void fleet_herd(struct load *l, struct outcome_counts *out);

#endif
