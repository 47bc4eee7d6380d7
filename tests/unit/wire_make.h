/* Messages made for the tests of the wire: random ones from a seed, samples by hand, and equality.
 */
#ifndef ROADBOOK_WIRE_MAKE_H
#define ROADBOOK_WIRE_MAKE_H

#include "protocol/wire/wire.h"

struct maker {
    struct arena *mem;
    uint64_t state;
};

uint64_t maker_number(struct maker *m, uint64_t below);
struct batch *maker_batches(struct maker *m, size_t count);
struct round_request maker_request(struct maker *m, size_t batch_count);
struct round_reply maker_reply(struct maker *m, size_t size);

bool batches_equal(const struct batch *a, const struct batch *b, size_t count);
bool replies_equal(const struct round_reply *a, const struct round_reply *b);
bool requests_equal(const struct round_request *a, const struct round_request *b);

/* The samples: name and whole message, made by hand, the same at each run. */
enum { SAMPLE_COUNT = 36 };
struct sample {
    const char *name;
    struct slice message;
};
void make_samples(struct arena *mem, struct sample out[SAMPLE_COUNT]);

/* The message with its payload stored, so that a byte changed is a byte of the payload changed. */
struct slice stored_form(struct slice message, struct arena *mem);

#endif
