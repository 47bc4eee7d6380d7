/* The clocks of a row as bytes.
 *
 * A row is created in one go, so that one clock says it all for most rows; a cell that was edited
 * since has its own. Differences to the row's clock are small numbers. The adds of a set are
 * written down only where they are not what the value and the cell's clock say already.
 */
#include "syncd/store/centre.h"

#include <string.h>

enum {
    CLOCK_VERSION = 1,
    CLOCK_VERSION_WAS = 2,
    CLOCK_CELLS_MAX = 4096,
    CLOCK_DOTS_MAX = 100000,
    CLOCK_ELEMENT_MAX = 4096
};

/* ------------------------------------------------------------------ bytes */

/* Version 1: device << 1 | has via. Version 2, of rows that others became one with: device << 2 |
 * was << 1 | has via. Then batch; seq and time as differences to those of another clock; via; where
 * it was: count, each row and seq. */
static void put_was(struct buf *out, const struct clock *clock, const struct clock *from) {
    buf_put_varint(out, clock->was_count);
    for (size_t i = 0; i < clock->was_count; i++) {
        buf_put_varint(out, (uint64_t)clock->was[i].row);
        buf_put_signed(out, clock->was[i].seq - from->seq);
    }
}

static void put_clock(struct buf *out, int version, const struct clock *clock,
                      const struct clock *from) {
    uint64_t head = clock->device;
    if (version > CLOCK_VERSION) head = head << 1 | (clock->was_count > 0);
    buf_put_varint(out, head << 1 | (clock->via != 0));
    buf_put_varint(out, clock->batch);
    buf_put_signed(out, clock->seq - from->seq);
    buf_put_signed(out, clock->time_ms - from->time_ms);
    if (clock->via) buf_put_varint(out, (uint64_t)clock->via);
    if (clock->was_count > 0) put_was(out, clock, from);
}

static int64_t plus(struct reader *r, int64_t from) {
    int64_t sum;
    if (__builtin_add_overflow(from, reader_signed(r), &sum)) r->failed = true;
    return r->failed ? 0 : sum;
}

struct taking { /* clocks from bytes */
    struct reader r;
    int version;
    struct arena *mem;
};

static void take_was(struct taking *t, const struct clock *from, struct clock *clock) {
    size_t count = (size_t)reader_varint_max(&t->r, CLOCK_WAS_MAX);
    struct clock_was *was = ARENA_ARRAY(t->mem, count + 1, struct clock_was);
    if (!was) t->r.failed = true;
    if (t->r.failed) return;
    for (size_t i = 0; i < count; i++) {
        was[i].row = (int64_t)reader_varint_max(&t->r, (uint64_t)ID_MAX);
        was[i].seq = plus(&t->r, from->seq);
    }
    clock->was = was;
    clock->was_count = count;
}

static struct clock take_clock(struct taking *t, const struct clock *from) {
    struct clock clock = {0};
    struct reader *r = &t->r;
    unsigned flags = t->version > CLOCK_VERSION ? 2 : 1;
    uint64_t head = reader_varint_max(r, ((uint64_t)ID_DEVICE_MAX << flags) | (flags * 2 - 1));
    clock.device = (uint32_t)(head >> flags);
    clock.batch = (uint32_t)reader_varint_max(r, UINT32_MAX);
    clock.seq = plus(r, from->seq);
    clock.time_ms = plus(r, from->time_ms);
    if (head & 1) clock.via = (int64_t)reader_varint_max(r, (uint64_t)ID_MAX);
    if (flags == 2 && head & 2) take_was(t, from, &clock);
    return clock;
}

static const struct clock ZERO;

static int version_of(const struct row_clock *clock) {
    bool was = clock->row.was_count > 0;
    for (size_t i = 0; i < clock->count; i++) {
        const struct clock_cell *cell = &clock->cells[i];
        was |= cell->clock.was_count > 0;
        for (size_t d = 0; cell->has_dots && d < cell->dot_count; d++)
            was |= cell->dots[d].clock.was_count > 0;
    }
    return was ? CLOCK_VERSION_WAS : CLOCK_VERSION;
}

void row_clock_write(const struct row_clock *clock, struct buf *out) {
    int version = version_of(clock);
    buf_put_byte(out, (uint8_t)version);
    put_clock(out, version, &clock->row, &ZERO);
    for (size_t i = 0; i < clock->count; i++) {
        const struct clock_cell *cell = &clock->cells[i];
        buf_put_varint(out, (uint64_t)cell->tag << 1 | cell->has_dots);
        put_clock(out, version, &cell->clock, &clock->row);
        if (!cell->has_dots) continue;
        buf_put_varint(out, cell->dot_count);
        for (size_t d = 0; d < cell->dot_count; d++) {
            buf_put_bytes(out, cell->dots[d].element);
            put_clock(out, version, &cell->dots[d].clock, &clock->row);
        }
    }
}

static enum status take_dots(struct taking *t, const struct clock *from, struct clock_cell *cell,
                             struct err *err) {
    struct reader *r = &t->r;
    cell->dot_count = (size_t)reader_varint_max(r, CLOCK_DOTS_MAX);
    if (cell->dot_count > reader_left(r)) r->failed = true;
    if (r->failed) return ST_OK;
    cell->dots = ARENA_ARRAY(t->mem, cell->dot_count + 1, struct dot);
    if (!cell->dots) return err_no_memory(err);
    for (size_t i = 0; i < cell->dot_count; i++) {
        cell->dots[i].element = reader_bytes(r, CLOCK_ELEMENT_MAX);
        cell->dots[i].clock = take_clock(t, from);
    }
    return ST_OK;
}

static enum status grow(struct row_clock *clock, struct arena *mem, struct err *err) {
    if (clock->count < clock->room) return ST_OK;
    size_t room = clock->room ? clock->room * 2 : 8;
    struct clock_cell *cells = ARENA_ARRAY(mem, room, struct clock_cell);
    if (!cells) return err_no_memory(err);
    if (clock->count > 0) memcpy(cells, clock->cells, clock->count * sizeof *cells);
    clock->cells = cells;
    clock->room = room;
    return ST_OK;
}

enum status row_clock_read(struct slice bytes, struct arena *mem, struct row_clock *out,
                           struct err *err) {
    struct taking t = {.r = reader_of(bytes), .mem = mem};
    struct row_clock clock = {0};
    t.version = reader_byte(&t.r);
    if (t.version < CLOCK_VERSION || t.version > CLOCK_VERSION_WAS) t.r.failed = true;
    clock.row = take_clock(&t, &ZERO);
    while (!t.r.failed && reader_left(&t.r) > 0 && clock.count < CLOCK_CELLS_MAX) {
        TRY(grow(&clock, mem, err));
        struct clock_cell *cell = &clock.cells[clock.count++];
        uint64_t head = reader_varint_max(&t.r, (uint64_t)UINT32_MAX << 1 | 1);
        *cell = (struct clock_cell){.tag = (uint32_t)(head >> 1), .has_dots = head & 1};
        cell->clock = take_clock(&t, &clock.row);
        if (cell->has_dots) TRY(take_dots(&t, &clock.row, cell, err));
    }
    if (!reader_done(&t.r))
        return err_set(err, ST_DAMAGED, "the clocks of a row are damaged", "记录的时钟数据已损坏");
    *out = clock;
    return ST_OK;
}

/* ------------------------------------------------------------------ cells */

static const struct clock_cell *find(const struct row_clock *clock, uint32_t tag) {
    for (size_t i = 0; i < clock->count; i++)
        if (clock->cells[i].tag == tag) return &clock->cells[i];
    return NULL;
}

const struct clock *row_clock_of(const struct row_clock *clock, uint32_t tag) {
    const struct clock_cell *cell = find(clock, tag);
    return cell ? &cell->clock : &clock->row;
}

enum status row_clock_dots(const struct row_clock *clock, uint32_t tag, struct value set,
                           struct arena *mem, struct dot **out, size_t *out_count,
                           struct err *err) {
    const struct clock_cell *cell = find(clock, tag);
    if (cell && cell->has_dots) {
        *out = cell->dots;
        *out_count = cell->dot_count;
        return ST_OK;
    }
    size_t count = 0;
    struct dot *dots = ARENA_ARRAY(mem, set_count(set) + 1, struct dot);
    if (!dots) return err_no_memory(err);
    struct slice rest = set.kind == VALUE_TEXT ? set.text : (struct slice){0}, element;
    while (slice_cut(&rest, '\n', &element))
        dots[count++] = (struct dot){.element = element, .clock = *row_clock_of(clock, tag)};
    *out = dots;
    *out_count = count;
    return ST_OK;
}

static bool same_was(const struct clock *a, const struct clock *b) {
    if (a->was_count != b->was_count) return false;
    for (size_t i = 0; i < a->was_count; i++)
        if (a->was[i].row != b->was[i].row || a->was[i].seq != b->was[i].seq) return false;
    return true;
}

static bool same_clock(const struct clock *a, const struct clock *b) {
    return a->seq == b->seq && a->device == b->device && a->batch == b->batch &&
           a->time_ms == b->time_ms && a->via == b->via && same_was(a, b);
}

/* Whether value and clock say it all: each element once, added by the cell's clock. */
static bool dots_are_plain(const struct clock *clock, const struct dot *dots, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!same_clock(&dots[i].clock, clock)) return false;
        for (size_t j = 0; j < i; j++)
            if (slice_equal(dots[i].element, dots[j].element)) return false;
    }
    return true;
}

static enum status insert(struct row_clock *clock, uint32_t tag, struct arena *mem,
                          struct clock_cell **out, struct err *err) {
    size_t at = 0;
    while (at < clock->count && clock->cells[at].tag < tag) at++;
    if (at == clock->count || clock->cells[at].tag != tag) {
        TRY(grow(clock, mem, err));
        memmove(&clock->cells[at + 1], &clock->cells[at],
                (clock->count - at) * sizeof *clock->cells);
        clock->count++;
    }
    *out = &clock->cells[at];
    return ST_OK;
}

enum status row_clock_put(struct row_clock *clock, uint32_t tag, const struct clock *to,
                          const struct dot *dots, size_t dot_count, struct arena *mem,
                          struct err *err) {
    struct clock_cell *cell;
    bool has_dots = dots && !dots_are_plain(to, dots, dot_count);
    TRY(insert(clock, tag, mem, &cell, err));
    *cell = (struct clock_cell){.tag = tag, .clock = *to, .has_dots = has_dots};
    if (!has_dots) return ST_OK;
    cell->dots = ARENA_ARRAY(mem, dot_count + 1, struct dot);
    if (!cell->dots) return err_no_memory(err);
    memcpy(cell->dots, dots, dot_count * sizeof *dots);
    cell->dot_count = dot_count;
    return ST_OK;
}
