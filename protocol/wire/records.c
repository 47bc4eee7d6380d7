/* Sections of a page that hold rows: records, and the ledger. */
#include "protocol/wire/columns.h"

/* What one record or one cell takes about, before deflate: heads, tags, seq. */
enum { RECORD_BYTES_ABOUT = 16, CELL_BYTES_ABOUT = 1, NUMBER_BYTES_ABOUT = 3 };

/* Above this many things a message is not of this program. */
enum { RECORDS_MAX = 1000000 };

static struct value *code_values(struct columns *set, struct value_column *cols,
                                 struct value *values, size_t count, struct beside *beside) {
    values = code_items(&set->coder, values, count, sizeof *values);
    for (size_t i = 0; i < count && !columns_failed(set); i++) {
        values[i] = column_value(set, &cols[i], values[i], beside);
    }
    return values;
}

/* ------------------------------------------------------------------ records */

struct record_columns {
    struct columns *set;
    struct shapes shapes;
    struct cell_key *keys; /* writing: of the record at hand */
    struct column seq;
};

static const struct cell_key *keys_of(struct record_columns *r, const struct record *record) {
    for (size_t i = 0; !r->set->coder.reading && i < record->cell_count; i++) {
        r->keys[i] = (struct cell_key){record->cells[i].cell_tag, 0, record->cells[i].value_count};
    }
    return r->keys;
}

static void code_cells(struct record_columns *r, struct shape *shape, struct record *record) {
    struct columns *set = r->set;
    shape_mask(shape, set, keys_of(r, record), record->cell_count, &record->cell_count);
    record->cells =
        code_items(&set->coder, record->cells, record->cell_count, sizeof *record->cells);
    size_t at = 0;
    struct beside beside = {0};
    for (size_t i = 0; i < record->cell_count && !columns_failed(set); i++) {
        struct shape_cell *in_shape = shape_next(shape, &at);
        struct record_cell cell = record->cells[i];
        if (set->coder.reading && in_shape->key.kind != 0) coder_fail(&set->coder, ST_MALFORMED);
        cell.cell_tag = in_shape->key.tag;
        cell.value_count = in_shape->key.value_count;
        cell.values = code_values(set, in_shape->values, cell.values, cell.value_count, &beside);
        if (set->coder.reading) record->cells[i] = cell;
    }
}

static void code_record(struct record_columns *r, struct record *record) {
    struct columns *set = r->set;
    struct shape *shape = shapes_pick(&r->shapes, set, record->entity_tag, record->flags);
    if (!shape) return;
    record->entity_tag = shape->entity;
    record->flags = shape->kind;
    record->row = column_id(set, &shape->rows, record->row);
    record->seq = column_signed(set, &r->seq, record->seq);
    code_cells(r, shape, record);
}

static void code_records(struct record_columns *r, struct record **records, size_t *count) {
    struct columns *set = r->set;
    *count = (size_t)code_number(&set->coder, *count, RECORDS_MAX);
    shapes_code(&r->shapes, &set->coder);
    *records = code_items(&set->coder, *records, *count, sizeof **records);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct record copy = (*records)[i];
        code_record(r, &copy);
        if (set->coder.reading) (*records)[i] = copy;
    }
}

static size_t most_cells(const struct record *records, size_t count) {
    size_t most = 1;
    for (size_t i = 0; i < count; i++) {
        if (records[i].cell_count > most) most = records[i].cell_count;
    }
    return most;
}

enum status records_write(const struct record *records, size_t count, struct buf *out,
                          struct cuts *cuts, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct columns set;
    columns_start(&set);
    struct record_columns r = {.set = &set, .shapes = {.mem = &mem}};
    r.keys = ARENA_ARRAY(&mem, most_cells(records, count), struct cell_key);
    if (!r.keys) coder_fail(&set.coder, ST_NO_MEMORY);
    for (size_t i = 0; i < count && !columns_failed(&set); i++) {
        shapes_learn(&r.shapes, &set.coder, records[i].entity_tag, records[i].flags,
                     keys_of(&r, &records[i]), records[i].cell_count);
    }
    struct record *items = (struct record *)(uintptr_t)records;
    if (!columns_failed(&set)) code_records(&r, &items, &count);
    return columns_finish(&set, out, cuts, err);
}

enum status records_read(struct slice section, struct arena *mem, size_t room, struct record **out,
                         size_t *out_count, struct err *err) {
    struct columns set;
    columns_open(&set, section, mem, room);
    struct record_columns r = {.set = &set, .shapes = {.mem = mem}};
    struct record *records = NULL;
    size_t count = 0;
    code_records(&r, &records, &count);
    TRY(columns_close(&set, err));
    *out = records;
    *out_count = count;
    return ST_OK;
}

size_t wire_record_bytes(const struct record *record) {
    size_t bytes = RECORD_BYTES_ABOUT;
    for (size_t i = 0; i < record->cell_count; i++) {
        const struct record_cell *cell = &record->cells[i];
        bytes += CELL_BYTES_ABOUT;
        for (size_t j = 0; j < cell->value_count; j++) {
            bytes += NUMBER_BYTES_ABOUT + cell->values[j].text.len;
        }
    }
    return bytes;
}

/* ------------------------------------------------------------------ ledger */

struct ledger_columns {
    struct columns *set;
    struct shapes shapes;
    struct column seq, rule, base_seq, loser_device, winner_device, loser_batch, loser_time,
        winner_time, winner_is_new;
};

/* Loser and winner are of one cell: its columns hold both, one after the other. */
static void code_entry(struct ledger_columns *l, struct ledger_entry *e) {
    struct columns *set = l->set;
    struct cell_key key = {e->cell_tag, 0, e->value_count};
    struct shape *shape = shapes_pick(&l->shapes, set, e->entity_tag, 0);
    if (!shape) return;
    size_t cells, at = 0;
    shape_mask(shape, set, &key, 1, &cells);
    if (cells != 1) coder_fail(&set->coder, ST_MALFORMED);
    if (columns_failed(set)) return;
    struct shape_cell *cell = shape_next(shape, &at);
    if (set->coder.reading && (shape->kind != 0 || cell->key.kind != 0)) {
        coder_fail(&set->coder, ST_MALFORMED);
    }
    e->entity_tag = shape->entity;
    e->cell_tag = cell->key.tag;
    e->value_count = cell->key.value_count;
    e->seq = column_signed(set, &l->seq, e->seq);
    e->row = column_id(set, &shape->rows, e->row);
    e->rule = (enum rule)column_number(set, &l->rule, e->rule, RULE_COUNT - 1);
    e->base_seq = column_signed(set, &l->base_seq, e->base_seq);
    e->loser_device = column_u32(set, &l->loser_device, e->loser_device);
    e->winner_device = column_u32(set, &l->winner_device, e->winner_device);
    e->loser_batch = column_u32(set, &l->loser_batch, e->loser_batch);
    e->loser_time_ms = column_signed(set, &l->loser_time, e->loser_time_ms);
    e->winner_time_ms = column_near(set, &l->winner_time, e->winner_time_ms, e->loser_time_ms);
    e->winner_is_new = column_number(set, &l->winner_is_new, e->winner_is_new, 1) != 0;
    struct beside of_loser = {0}, of_winner = {0};
    e->loser = code_values(set, cell->values, e->loser, e->value_count, &of_loser);
    e->winner = code_values(set, cell->values, e->winner, e->value_count, &of_winner);
}

static void code_ledger(struct ledger_columns *l, struct ledger_entry **entries, size_t *count) {
    struct columns *set = l->set;
    *count = (size_t)code_number(&set->coder, *count, RECORDS_MAX);
    shapes_code(&l->shapes, &set->coder);
    *entries = code_items(&set->coder, *entries, *count, sizeof **entries);
    for (size_t i = 0; i < *count && !columns_failed(set); i++) {
        struct ledger_entry copy = (*entries)[i];
        code_entry(l, &copy);
        if (set->coder.reading) (*entries)[i] = copy;
    }
}

enum status ledger_write(const struct ledger_entry *entries, size_t count, struct buf *out,
                         struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct columns set;
    columns_start(&set);
    struct ledger_columns l = {.set = &set, .shapes = {.mem = &mem}};
    for (size_t i = 0; i < count && !columns_failed(&set); i++) {
        struct cell_key key = {entries[i].cell_tag, 0, entries[i].value_count};
        shapes_learn(&l.shapes, &set.coder, entries[i].entity_tag, 0, &key, 1);
    }
    struct ledger_entry *items = (struct ledger_entry *)(uintptr_t)entries;
    if (!columns_failed(&set)) code_ledger(&l, &items, &count);
    return columns_finish(&set, out, NULL, err);
}

enum status ledger_read(struct slice section, struct arena *mem, size_t room,
                        struct ledger_entry **out, size_t *out_count, struct err *err) {
    struct columns set;
    columns_open(&set, section, mem, room);
    struct ledger_columns l = {.set = &set, .shapes = {.mem = mem}};
    struct ledger_entry *entries = NULL;
    size_t count = 0;
    code_ledger(&l, &entries, &count);
    TRY(columns_close(&set, err));
    *out = entries;
    *out_count = count;
    return ST_OK;
}
