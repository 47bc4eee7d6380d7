/* How large the next piece may be: a line that breaks after so many bytes, played through. */
#include "syncd/agent/pace.h"
#include "tests/unit/check.h"

struct line {
    int64_t breaks_at; /* of one connection; 0: never */
    int64_t ms_per_piece;
    int64_t carried;
    int64_t sent, lost, connections, pieces;
};

enum { OVERHEAD = 700 };

static void line_new(struct line *l) {
    l->carried = 0;
    l->connections++;
}

/* One piece; returns how much of the file it brought. */
static int64_t line_piece(struct line *l, struct pace *p, int64_t left) {
    int64_t piece = (int64_t)pace_next(p);
    if (piece == 0) {
        line_new(l);
        pace_fresh(p);
        piece = (int64_t)pace_next(p);
        CHECK(piece > 0);
    }
    CHECK(piece <= PACE_PIECE_MAX);
    if (piece > left) piece = left;
    int64_t bytes = piece + OVERHEAD;
    l->pieces++;
    if (l->breaks_at && l->carried + bytes > l->breaks_at) {
        l->lost += l->breaks_at - l->carried;
        pace_cut(p, bytes);
        line_new(l);
        return 0;
    }
    l->carried += bytes;
    l->sent += bytes;
    pace_ok(p, bytes, l->ms_per_piece);
    return piece;
}

static void line_file(struct line *l, struct pace *p, int64_t size) {
    line_new(l);
    for (int64_t done = 0; done < size;) {
        CHECK(l->pieces < 100000);
        done += line_piece(l, p, size - done);
    }
}

TEST(what_a_cut_line_loses_stays_below_one_percent) {
    static const struct {
        const char *name;
        int64_t breaks_at, size;
    } ROWS[] = {
        {"every 256 KiB", 256 * 1024, 16 * 1024 * 1024},
        {"every 200,000 bytes", 200000, 16 * 1024 * 1024},
        {"every 64 KiB", 64 * 1024, 16 * 1024 * 1024},
        {"every MiB", 1024 * 1024, 64 * 1024 * 1024},
        {"never", 0, 16 * 1024 * 1024},
    };
    for
        EACH (row, ROWS) {
            struct line line = {.breaks_at = row->breaks_at};
            struct pace pace = {0};
            line_file(&line, &pace, row->size);
            CHECK_ROW(row, line.lost * 100 <= row->size);
        }
}

TEST(a_sound_line_gets_large_pieces) {
    struct line line = {0};
    struct pace pace = {0};
    line_file(&line, &pace, 16 * 1024 * 1024);
    CHECK_INT(pace_next(&pace), PACE_PIECE_MAX);
    CHECK_INT(line.connections, 1);
    CHECK(line.pieces < 120);
}

TEST(a_single_cut_is_forgotten_when_the_line_passes_the_place) {
    struct line line = {.breaks_at = 300000};
    struct pace pace = {0};
    line_new(&line);
    while (line.connections < 2) (void)line_piece(&line, &pace, INT64_MAX);
    line.breaks_at = 0;
    for (int i = 0; i < 100; i++) (void)line_piece(&line, &pace, INT64_MAX);
    CHECK_INT(pace.high, 0);
    CHECK_INT(line.connections, 2);
}

TEST(a_slow_line_gets_small_pieces) {
    struct pace pace = {0};
    for (int i = 0; i < 20; i++) {
        int64_t piece = (int64_t)pace_next(&pace);
        pace_ok(&pace, piece, piece / 20); /* 20 bytes a millisecond: 10,000 in half a second */
    }
    CHECK(pace_next(&pace) >= PACE_PIECE_MIN);
    CHECK(pace_next(&pace) <= 10500);
}

TEST(a_line_that_carries_nothing_is_asked_for_little) {
    struct pace pace = {0};
    for (int i = 0; i < 20; i++) {
        size_t piece = pace_next(&pace);
        if (piece == 0) {
            pace_fresh(&pace);
            piece = pace_next(&pace);
        }
        CHECK(piece > 0);
        pace_cut(&pace, (int64_t)piece);
    }
    CHECK(pace_next(&pace) <= PACE_PIECE_FIRST);
}
