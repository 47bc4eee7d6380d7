/* A laptop whose server is made up: replies are written by hand, so that only the laptop is measured. */
#include "tests/bench/bench.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_ROWS = 5000 };
static const uint8_t PUBLIC[SIGN_PUBLIC_BYTES] = {1};

/* ------------------------------------------------------------------ replies */

static struct record_cell *cells_of(const struct entity *e, const struct value *values, struct arena *mem, size_t *out_count) {
    struct record_cell *cells = ARENA_ARRAY(mem, e->cell_count, struct record_cell);
    size_t count = 0;
    for (size_t i = 0; i < e->cell_count; i++) {
        const struct cell *c = &e->cells[i];
        bool any = false;
        if (c->rule == RULE_DERIVED) continue;
        for (size_t k = 0; k < c->count; k++) any |= values[c->first + k].kind != VALUE_NULL;
        if (!any) continue;
        struct value *copy = ARENA_ARRAY(mem, c->count, struct value);
        memcpy(copy, &values[c->first], c->count * sizeof copy[0]);
        cells[count++] = (struct record_cell){c->tag, copy, c->count};
    }
    *out_count = count;
    return cells;
}

static struct record record_of(struct lap *l, const struct entity *e, int64_t id, const struct value *values, struct arena *mem) {
    struct record r = {.entity_tag = e->tag, .flags = RECORD_WHOLE, .row = id, .seq = ++l->seq};
    r.cells = cells_of(e, values, mem, &r.cell_count);
    return r;
}

static struct round_reply reply_of(struct lap *l) {
    struct round_reply reply = {.kind = REPLY_ROUND, .epoch = 1, .time_ms = l->b->env.wall_ms(l->b->env.ctx)};
    reply.head.seq = reply.cursor.seq = reply.since = l->seq;
    reply.head.chain.bytes[0] = reply.cursor.chain.bytes[0] = (uint8_t)l->seq;
    return reply;
}

/* CPU microseconds. */
static double apply_reply(struct lap *l, const struct round_request *request, const struct round_reply *reply) {
    struct err err;
    struct apply *apply;
    bool done = false;
    double from = cpu_us();
    MUST(store_apply_begin(l->store, request, reply, &apply, &err));
    while (!done) {
        MUST(store_apply_slice(apply, &done, &err));
        l->slices++;
    }
    store_apply_end(apply);
    return cpu_us() - from;
}

static double take_records(struct lap *l, struct record *records, size_t count, struct arena *mem) {
    struct err err;
    struct round_request request;
    MUST(store_round_request(l->store, mem, &request, &err));
    struct round_reply reply = reply_of(l);
    reply.records = records;
    reply.record_count = count;
    return apply_reply(l, &request, &reply);
}

static double pull_page(struct lap *l, const struct visit *visits, size_t count, int64_t first) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct record *records = ARENA_ARRAY(&mem, count, struct record);
    for (size_t i = 0; i < count; i++)
        records[i] = record_of(l, l->b->visit, first + (int64_t)i, visits[i].values, &mem);
    return take_records(l, records, count, &mem);
}

double lap_pull_again(struct lap *l, const struct visit *visits, size_t count, int64_t first) {
    double sum = 0;
    l->slices = 0;
    for (size_t i = 0; i < count; i += PAGE_ROWS)
        sum += pull_page(l, visits + i, count - i < PAGE_ROWS ? count - i : PAGE_ROWS, first + (int64_t)i);
    return sum;
}

double lap_pull(struct lap *l, const struct visit *visits, size_t count, int64_t *out_first) {
    int64_t first = id_make(LAP_OTHER, l->counter + 1);
    l->counter += (uint32_t)count;
    if (out_first) *out_first = first;
    return lap_pull_again(l, visits, count, first);
}

/* ------------------------------------------------------------------ opening */

static void set(const struct entity *e, struct value *values, const char *field, const char *text) {
    values[entity_field_index(e, entity_field(e, slice_from(field)))] = value_text(slice_from(text));
}

static void pull_office_rows(struct lap *l) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    const struct entity *account = l->b->account, *employee = l->b->employee;
    size_t sites = work_sites(l->b);
    struct record *records = ARENA_ARRAY(&mem, sites + 1, struct record);
    struct value *values = ARENA_ARRAY(&mem, employee->field_count, struct value);
    l->author = id_make(0, 1);
    set(employee, values, "login", "wang");
    set(employee, values, "name", "Wang");
    records[0] = record_of(l, employee, l->author, values, &mem);
    l->accounts = ARENA_ARRAY(&l->b->mem, sites, int64_t);
    for (size_t i = 0; i < sites; i++) {
        l->accounts[i] = id_make(0, (uint32_t)i + 2);
        values = ARENA_ARRAY(&mem, account->field_count, struct value);
        set(account, values, "name", arena_printf(&mem, "Site %zu", i));
        records[i + 1] = record_of(l, account, l->accounts[i], values, &mem);
    }
    (void)take_records(l, records, sites + 1, &mem);
}

void lap_open(struct bench *b, struct lap *l) {
    struct err err;
    *l = (struct lap){.b = b};
    (void)snprintf(l->dir, sizeof l->dir, "%s", bench_dir(b));
    (void)snprintf(l->path, sizeof l->path, "%s/book.db", l->dir);
    struct store_config config = {.path = l->path, .kind = STORE_LAPTOP, .create = true, .catalogue = &b->cat, .env = &b->env};
    MUST(store_open(&config, &l->store, &err));
    struct store_identity identity = {.org = "acme", .base_url = "https://127.0.0.1", .user = "wang", .org_label = "Acme",
                                      .device = LAP_DEVICE, .employee = id_make(0, 1), .key_seed = {3}};
    memcpy(identity.org_public, PUBLIC, sizeof PUBLIC);
    MUST(store_identity_set(l->store, &identity, &err));
    pull_office_rows(l);
}

void lap_close(struct lap *l) {
    struct err ignored;
    store_close(l->store);
    (void)platform_remove_tree(l->dir, &ignored);
}

/* ------------------------------------------------------------------ a person's work */

int64_t lap_save(struct lap *l, const struct visit *v) {
    struct err err;
    struct field_edit edits[BENCH_CELLS];
    size_t count = work_edits(l->b, v->values, edits);
    int64_t id;
    uint32_t batch;
    MUST(store_begin(l->store, &err));
    MUST(store_create(l->store, l->b->visit, edits, count, &id, &err));
    MUST(store_commit(l->store, &batch, &err));
    return id;
}

void lap_edit(struct lap *l, int64_t id, const struct field_edit two[2]) {
    struct err err;
    uint32_t batch;
    bool changed;
    MUST(store_begin(l->store, &err));
    MUST(store_edit(l->store, l->b->visit, id, two, 2, NULL, &changed, &err));
    MUST(store_commit(l->store, &batch, &err));
}

void lap_ask(struct lap *l, struct arena *mem, struct round_request *request, struct buf *message) {
    struct err err;
    MUST(store_round_request(l->store, mem, request, &err));
    MUST(wire_write_round_request(request, 9, message, &err));
}

/* ------------------------------------------------------------------ receipts */

static void fill_line(struct lap *l, const struct change *change, struct receipt_line *line, struct arena *mem) {
    struct err err;
    struct row row;
    MUST(store_get(l->store, l->b->visit, change->row, mem, &row, &err));
    *line = (struct receipt_line){.row = change->row, .prev = row.seq > 0 ? row.seq : 0, .seq = ++l->seq, .state = ROW_HERE,
                                  .edits = ARENA_ARRAY(mem, change->edit_count, struct receipt_edit),
                                  .edit_count = change->edit_count};
    for (size_t k = 0; k < change->edit_count; k++)
        line->edits[k] = (struct receipt_edit){.cell_tag = change->edits[k].cell_tag, .seq = l->seq};
}

void lap_receipts(struct lap *l, const struct round_request *request, struct arena *mem) {
    struct receipt *receipts = ARENA_ARRAY(mem, request->batch_count, struct receipt);
    for (size_t i = 0; i < request->batch_count; i++) {
        const struct batch *b = &request->batches[i];
        receipts[i] = (struct receipt){.batch = b->number, .time_ms = b->stamp.wall_ms, .line_count = b->change_count,
                                       .lines = ARENA_ARRAY(mem, b->change_count, struct receipt_line)};
        for (size_t k = 0; k < b->change_count; k++) fill_line(l, &b->changes[k], &receipts[i].lines[k], mem);
        receipts[i].at = l->seq;
    }
    struct round_reply reply = reply_of(l);
    reply.receipts = receipts;
    reply.receipt_count = request->batch_count;
    reply.has_backup = true; /* else the acknowledged batches stay: they are not of the row */
    reply.backup = l->seq + 1;
    reply.last_batch = request->batch_count ? request->batches[request->batch_count - 1].number : 0;
    (void)apply_reply(l, request, &reply);
}
