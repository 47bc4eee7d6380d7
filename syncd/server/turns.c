/* Turns: see turns.h. Where two laptops meet in one place, the one whose end lies ahead keeps it;
 * the other is then taken for one that comes for the first time.
 */
#include "syncd/server/turns.h"

int64_t turns_next(struct turns *turns, uint32_t device, int64_t size) {
    struct turn_end *end = &turns->ends[device % TURNS_COUNT];
    bool is_mine = device != 0 && end->device == device;
    int64_t turn = is_mine && end->end > turns->now ? end->end : turns->now;
    if (device != 0 && (is_mine || end->end <= turns->now))
        *end = (struct turn_end){device, turn + size};
    return turn;
}

void turns_served(struct turns *turns, int64_t turn) {
    if (turn > turns->now) turns->now = turn;
}
