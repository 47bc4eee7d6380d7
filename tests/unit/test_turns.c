/* Turns of a fair queue, worked out by hand. */
#include "check.h"
#include "syncd/server/turns.h"

TEST(who_comes_first_is_served_first) {
    struct turns turns = {0};
    CHECK_INT(turns_next(&turns, 1, 30), 0);
    CHECK_INT(turns_next(&turns, 2, 30), 0);
}

TEST(a_large_call_puts_the_next_one_back) {
    struct turns turns = {0};
    CHECK_INT(turns_next(&turns, 1, 5000), 0);
    CHECK_INT(turns_next(&turns, 1, 5000), 5000);
    CHECK_INT(turns_next(&turns, 1, 5000), 10000);
    CHECK_INT(turns_next(&turns, 2, 30), 0); /* before the second of the first laptop */
}

/* Two hundred light calls of other laptops, in rounds, stand before the second heavy one. */
TEST(light_ones_do_not_wait_for_a_heavy_one) {
    struct turns turns = {0};
    int64_t heavy = turns_next(&turns, 1, 5000);
    turns_served(&turns, heavy);
    heavy = turns_next(&turns, 1, 5000);
    for (int i = 0; i < 200; i++) {
        int64_t light = turns_next(&turns, 2 + (uint32_t)i % 20, 30);
        CHECK(light < heavy);
        turns_served(&turns, light);
    }
    CHECK_INT(turns.now, 270); /* ten calls of 30 each, the tenth began at 9 * 30 */
}

/* And the heavy one has its turn: light ones that go on and on pass it in the end. */
TEST(nobody_starves) {
    struct turns turns = {0};
    turns_served(&turns, turns_next(&turns, 1, 5000));
    int64_t heavy = turns_next(&turns, 1, 5000), light = 0;
    int calls = 0;
    for (; light <= heavy; calls++) {
        light = turns_next(&turns, 2, 30);
        turns_served(&turns, light);
    }
    CHECK_INT(calls, 168); /* the 168th begins at 167 * 30 = 5010 */
}

TEST(idleness_is_not_saved_up) {
    struct turns turns = {0};
    CHECK_INT(turns_next(&turns, 1, 10), 0);
    turns_served(&turns, 100000);
    CHECK_INT(turns_next(&turns, 1, 10), 100000);
    CHECK_INT(turns_next(&turns, 1, 10), 100010);
}

TEST(laptops_that_share_a_place_forget_but_are_served) {
    struct turns turns = {0};
    CHECK_INT(turns_next(&turns, 1, 500), 0);
    CHECK_INT(turns_next(&turns, 1 + TURNS_COUNT, 500), 0);
    CHECK_INT(turns_next(&turns, 1 + TURNS_COUNT, 500), 0); /* not remembered */
    CHECK_INT(turns_next(&turns, 1, 500), 500);             /* remembered */
    turns_served(&turns, 1000);
    CHECK_INT(turns_next(&turns, 1 + TURNS_COUNT, 500), 1000);
    CHECK_INT(turns_next(&turns, 1 + TURNS_COUNT, 500), 1500);
}

TEST(enrolments_are_not_of_one_laptop) {
    struct turns turns = {0};
    CHECK_INT(turns_next(&turns, 0, 500), 0);
    CHECK_INT(turns_next(&turns, 0, 500), 0);
}
