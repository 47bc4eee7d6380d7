#include "tests/unit/laptop_world.h"

#include <stdio.h>
#include <string.h>

static int64_t wall_ms(void *ctx) {
    return ((struct world *)ctx)->wall;
}

static int64_t boot_ms(void *ctx) {
    struct world *w = ctx;
    w->boot += w->boot_step;
    return w->boot;
}

static uint64_t boot_id(void *ctx) {
    return ((struct world *)ctx)->boot_id;
}

static void random_bytes(void *ctx, void *out, size_t bytes) {
    (void)ctx;
    memset(out, 42, bytes);
}

static void write_log(void *ctx, enum log_level level, const char *line) {
    (void)ctx, (void)level, (void)line;
}

static void open_store(struct world *w) {
    struct err err;
    struct store_config config = {.path = w->f.path, .kind = STORE_LAPTOP, .create = true, .catalogue = &w->f.cat,
                                  .env = &w->env};
    CHECK_OK(store_open(&config, &w->store, &err));
}

void world_start(struct world *w) {
    struct err err;
    struct store_identity identity = {.org = "acme", .user = "wang", .device = WORLD_DEVICE};
    *w = (struct world){.wall = INT64_C(1767225600000), .boot = 1000000, .boot_id = 7, .epoch = 1};
    w->env = (struct env){w, wall_ms, boot_ms, boot_id, random_bytes, write_log, NULL};
    fixture_start(&w->f);
    CHECK_OK(crypto_start(&err));
    open_store(w);
    memset(identity.key_seed, 9, sizeof identity.key_seed);
    CHECK_OK(store_identity_set(w->store, &identity, &err));
}

void world_stop(struct world *w) {
    store_close(w->store);
    fixture_stop(&w->f);
}

void world_reopen(struct world *w) {
    store_close(w->store);
    w->store = NULL;
    open_store(w);
}

const struct entity *world_entity(struct world *w, const char *entity) {
    return fixture_entity(&w->f, entity);
}

struct field_edit world_edit(struct world *w, const char *entity, const char *field, enum field_edit_kind kind,
                             const char *text) {
    struct err err;
    struct field_edit edit = {.field = fixture_field(world_entity(w, entity), field), .kind = kind};
    if (kind == FIELD_EDIT_COUNT) {
        int64_t delta;
        CHECK(text_to_int(slice_from(text), &delta));
        edit.value = value_int(delta);
    } else if (text[0]) {
        CHECK_OK(field_parse(edit.field, slice_from(text), 0, &w->f.mem, &edit.value, &err));
    }
    return edit;
}

static int64_t add(struct world *w, const char *entity, const struct field_edit *edits, size_t count) {
    struct err err;
    int64_t id;
    uint32_t batch;
    CHECK_OK(store_begin(w->store, &err));
    CHECK_OK(store_create(w->store, world_entity(w, entity), edits, count, &id, &err));
    CHECK_OK(store_commit(w->store, &batch, &err));
    CHECK(batch > 0);
    return id;
}

int64_t world_add(struct world *w, const char *entity, const char *field, const char *text) {
    struct field_edit edit = world_edit(w, entity, field, FIELD_EDIT_SET, text);
    return add(w, entity, &edit, 1);
}

int64_t world_add2(struct world *w, const char *entity, const char *field, const char *text, const char *field2,
                   const char *text2) {
    struct field_edit edits[] = {world_edit(w, entity, field, FIELD_EDIT_SET, text),
                                 world_edit(w, entity, field2, FIELD_EDIT_SET, text2)};
    return add(w, entity, edits, 2);
}

static enum status try_op(struct world *w, const char *entity, int64_t row, const struct field_edit *edit,
                          const struct form *form, uint32_t *out_batch, struct err *err) {
    bool changed;
    TRY(store_begin(w->store, err));
    enum status status = store_edit(w->store, world_entity(w, entity), row, edit, 1, form, &changed, err);
    if (status == ST_OK) status = store_commit(w->store, out_batch, err);
    if (status != ST_OK) store_rollback(w->store);
    return status;
}

uint32_t world_op(struct world *w, const char *entity, int64_t row, const char *field, enum field_edit_kind kind,
                  const char *text, const struct form *form) {
    struct err err;
    uint32_t batch = 0;
    struct field_edit edit = world_edit(w, entity, field, kind, text);
    CHECK_OK(try_op(w, entity, row, &edit, form, &batch, &err));
    return batch;
}

uint32_t world_set(struct world *w, const char *entity, int64_t row, const char *field, const char *text) {
    return world_op(w, entity, row, field, FIELD_EDIT_SET, text, NULL);
}

enum status world_try_set(struct world *w, const char *entity, int64_t row, const char *field, const char *text,
                          struct err *err) {
    uint32_t batch;
    struct field_edit edit = world_edit(w, entity, field, FIELD_EDIT_SET, text);
    return try_op(w, entity, row, &edit, NULL, &batch, err);
}

uint32_t world_rm(struct world *w, const char *entity, int64_t row) {
    struct err err;
    size_t rows;
    uint32_t batch;
    CHECK_OK(store_begin(w->store, &err));
    CHECK_OK(store_delete(w->store, world_entity(w, entity), row, &rows, &err));
    CHECK_OK(store_commit(w->store, &batch, &err));
    return batch;
}

struct form world_form(struct world *w, const char *entity, int64_t row) {
    struct err err;
    struct form form;
    CHECK_OK(store_form(w->store, world_entity(w, entity), row, &w->f.mem, &form, &err));
    return form;
}

static bool get(struct world *w, const char *entity, int64_t row, struct row *out) {
    struct err err;
    enum status status = store_get(w->store, world_entity(w, entity), row, &w->f.mem, out, &err);
    CHECK(status == ST_OK || status == ST_NOT_FOUND || status == ST_GONE);
    return status == ST_OK;
}

const char *world_text(struct world *w, const char *entity, int64_t row, const char *field) {
    const struct field *f = fixture_field(world_entity(w, entity), field);
    struct row found;
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    if (!get(w, entity, row, &found) || found.gone) return "-";
    struct value v = found.values[entity_field_index(found.entity, f)];
    if (v.kind == VALUE_TEXT) return arena_string(&w->f.mem, v.text);
    field_write_text(f, v, LANG_EN, 0, &out);
    return arena_string(&w->f.mem, buf_slice(&out));
}

int64_t world_seq(struct world *w, const char *entity, int64_t row) {
    struct row found;
    return get(w, entity, row, &found) ? found.seq : -1;
}

bool world_sees(struct world *w, const char *entity, int64_t row) {
    struct row found;
    return get(w, entity, row, &found) && !found.gone;
}

static enum status take_number(void *ctx, const char *const *names, const struct sql_cell *cells, size_t count,
                               struct err *err) {
    (void)names, (void)count, (void)err;
    if (cells) *(int64_t *)ctx = cells[0].number;
    return ST_OK;
}

int64_t world_number(struct world *w, const char *sql) {
    struct err err;
    int64_t number = 0;
    CHECK_OK(store_sql(w->store, sql, take_number, &number, &err));
    return number;
}

/* ------------------------------------------------------------------ rounds */

void world_ask(struct world *w) {
    struct err err;
    CHECK_OK(store_round_request(w->store, &w->f.mem, &w->request, &err));
    w->reply = (struct round_reply){.kind = REPLY_ROUND, .epoch = w->epoch, .time_ms = w->wall,
                                    .receipts = ARENA_ARRAY(&w->f.mem, WORLD_LINES_MAX, struct receipt),
                                    .records = ARENA_ARRAY(&w->f.mem, WORLD_RECORDS_MAX, struct record),
                                    .aliases = ARENA_ARRAY(&w->f.mem, WORLD_LINES_MAX, struct alias_news),
                                    .held = ARENA_ARRAY(&w->f.mem, WORLD_LINES_MAX, struct held_news),
                                    .ledger = ARENA_ARRAY(&w->f.mem, WORLD_LINES_MAX, struct ledger_entry)};
}

/* The row's seq before: that of the last line of this reply that names it, else what the laptop has. */
static int64_t seq_before(struct world *w, const struct change *change) {
    for (size_t i = w->reply.receipt_count; i > 0; i--)
        for (size_t k = w->reply.receipts[i - 1].line_count; k > 0; k--) {
            const struct receipt_line *line = &w->reply.receipts[i - 1].lines[k - 1];
            if (line->row == change->row && line->seq) return line->seq;
        }
    const struct entity *e = catalogue_entity_by_tag(&w->f.cat, change->entity_tag);
    int64_t seq = world_seq(w, e->name, change->row);
    return seq > 0 ? seq : 0;
}

struct receipt *world_receipt(struct world *w) {
    CHECK(w->reply.receipt_count < w->request.batch_count);
    const struct batch *b = &w->request.batches[w->reply.receipt_count];
    struct receipt *r = &w->reply.receipts[w->reply.receipt_count];
    *r = (struct receipt){.batch = b->number, .time_ms = w->wall,
                          .lines = ARENA_ARRAY(&w->f.mem, b->change_count + 1, struct receipt_line)};
    for (size_t i = 0; i < b->change_count; i++) {
        const struct change *change = &b->changes[i];
        struct receipt_line *line = &r->lines[i];
        *line = (struct receipt_line){.row = change->row, .prev = seq_before(w, change), .seq = ++w->seq,
                                      .edits = ARENA_ARRAY(&w->f.mem, change->edit_count + 1, struct receipt_edit),
                                      .edit_count = change->edit_count,
                                      .state = change->kind == CHANGE_DELETE ? ROW_DEAD : ROW_HERE};
        for (size_t k = 0; k < change->edit_count; k++)
            line->edits[k] = (struct receipt_edit){.cell_tag = change->edits[k].cell_tag, .seq = w->seq};
        r->line_count++;
    }
    r->at = w->seq;
    w->reply.receipt_count++;
    return r;
}

void world_receipts(struct world *w) {
    while (w->reply.receipt_count < w->request.batch_count) (void)world_receipt(w);
}

static struct value *cell_values(struct world *w, const struct entity *e, const struct cell *cell, const char *field,
                                 const char *text) {
    struct value *values = ARENA_ARRAY(&w->f.mem, cell->count, struct value);
    size_t at = entity_field_index(e, fixture_field(e, field)) - cell->first;
    values[at] = world_edit(w, e->name, field, FIELD_EDIT_SET, text).value;
    return values;
}

void world_values(struct world *w, struct receipt_edit *edit, const char *entity, const char *field, const char *text) {
    const struct entity *e = world_entity(w, entity);
    const struct cell *cell = entity_cell_of(e, fixture_field(e, field));
    CHECK_INT(edit->cell_tag, cell->tag);
    edit->has_values = true;
    edit->values = cell_values(w, e, cell, field, text);
    edit->value_count = cell->count;
}

struct record *world_record(struct world *w, const char *entity, int64_t row, uint32_t flags) {
    struct record *record = &w->reply.records[w->reply.record_count++];
    *record = (struct record){.entity_tag = world_entity(w, entity)->tag, .row = row, .flags = flags, .seq = ++w->seq,
                              .cells = ARENA_ARRAY(&w->f.mem, ENTITY_FIELDS_MAX, struct record_cell)};
    return record;
}

void world_cell(struct world *w, const char *entity, const char *field, const char *text) {
    struct record *record = &w->reply.records[w->reply.record_count - 1];
    const struct entity *e = world_entity(w, entity);
    const struct cell *cell = entity_cell_of(e, fixture_field(e, field));
    record->cells[record->cell_count++] =
        (struct record_cell){cell->tag, cell_values(w, e, cell, field, text), cell->count};
}

enum status world_try_apply(struct world *w, size_t slices_max, struct err *err) {
    struct apply *apply;
    bool done = false;
    enum status status = ST_OK;
    w->reply.head.seq = w->reply.cursor.seq = w->reply.since = w->seq;
    w->reply.head.chain.bytes[0] = w->reply.cursor.chain.bytes[0] = (uint8_t)w->seq;
    TRY(store_apply_begin(w->store, &w->request, &w->reply, &apply, err));
    for (size_t i = 0; i < slices_max && !done && status == ST_OK; i++) status = store_apply_slice(apply, &done, err);
    store_apply_end(apply);
    return status;
}

void world_apply(struct world *w) {
    struct err err;
    CHECK_OK(world_try_apply(w, 100000, &err));
}

int64_t world_pull(struct world *w, const char *entity, int64_t row, const char *field, const char *text) {
    world_ask(w);
    w->reply.receipt_count = 0;
    (void)world_record(w, entity, row, RECORD_WHOLE);
    world_cell(w, entity, field, text);
    world_apply(w);
    return w->seq;
}

void world_sync(struct world *w) {
    world_ask(w);
    world_receipts(w);
    world_apply(w);
}

const struct edit *world_asked(struct world *w, size_t batch) {
    CHECK(batch < w->request.batch_count);
    CHECK(w->request.batches[batch].change_count > 0);
    return &w->request.batches[batch].changes[0].edits[0];
}

int64_t world_pulled(struct world *w, const char *field, const char *text) {
    int64_t id = id_make(1, 1);
    world_pull(w, "account", id, field, text);
    return id;
}
