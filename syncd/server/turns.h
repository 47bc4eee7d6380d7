/* Whose turn it is in a queue that is fair among laptops, whatever they bring: start-time fair
 * queueing (Goyal, Vin and Cheng 1996). Each call gets a turn, and calls are served in the order of
 * their turns; a laptop's next turn lies as far behind its last one as that call was large. One
 * that pushes a month of work again and again stands behind those that bring a visit, and what it
 * did not use while others worked is not saved up for it.
 */
#ifndef ROADBOOK_TURNS_H
#define ROADBOOK_TURNS_H

#include "protocol/base/base.h"

enum { TURNS_COUNT = 1024 }; /* laptops whose last turn is remembered; with more, some forget */

struct turns { /* begins as zeros */
    int64_t now;
    struct turn_end {
        uint32_t device;
        int64_t end;
    } ends[TURNS_COUNT];
};

/* The turn of a call of that size. device 0 has no turn before this one. */
int64_t turns_next(struct turns *turns, uint32_t device, int64_t size);
/* A call of that turn is served. */
void turns_served(struct turns *turns, int64_t turn);

#endif
