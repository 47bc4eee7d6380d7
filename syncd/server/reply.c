/* The reply of a round: receipts as things stand now, the log after the laptop's cursor, what else
 * is new. Made in one read transaction, so that all of it is of one moment.
 *
 * A row stands at its latest seq and brings the cells changed since a round last said "no more",
 * not since the last page: a cell changed at 11 would be missed when page one ends at 13 and the
 * row, changed again at 14, comes with page two.
 */
#include "syncd/server/org_private.h"

#include <string.h>

enum {
    PAGE_BYTES_MIN = 4096, /* a page that is smaller than most rows gets nowhere */
    LEDGER_BYTES = 64,     /* of an entry beside its values */
    CLOCK_EACH = 32        /* rows between two looks at the clock */
};

/* ------------------------------------------------------------------ receipts */

static enum status find_unknown(const struct centre_row *row, uint32_t tag, struct arena *mem,
                                struct value **out, size_t *out_count, struct err *err) {
    struct record_cell *cells;
    size_t count;
    TRY(centre_more_read(row->more, mem, &cells, &count, err));
    *out = NULL;
    *out_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (cells[i].cell_tag != tag) continue;
        *out = cells[i].values;
        *out_count = cells[i].value_count;
    }
    return ST_OK;
}

/* Counts and elements say what was done, not what is there: only a creation can be compared with
 * the value. */
static enum status differs(struct centre *c, const struct change *change, const struct edit *edit,
                           const struct value *present, size_t count, bool *out, struct err *err) {
    *out = true;
    if (edit->kind != EDIT_SET && change->kind != CHANGE_CREATE) return ST_OK;
    if (edit->value_count < count) return ST_OK;
    for (size_t i = 0; i < count; i++) {
        struct value sent = edit->values[i];
        if (value_equal(sent, present[i])) continue;
        if (sent.kind != VALUE_INT || present[i].kind != VALUE_INT) return ST_OK;
        TRY(centre_alias_resolve(c, sent.number, &sent.number, err));
        if (!value_equal(sent, present[i])) return ST_OK;
    }
    *out = false;
    return ST_OK;
}

static enum status tell_edit(struct centre *c, const struct centre_row *row,
                             const struct change *change, const struct edit *edit,
                             struct arena *mem, struct receipt_edit *out, struct err *err) {
    const struct cell *cell = entity_cell(row->entity, edit->cell_tag);
    struct value *values = cell ? row->values + cell->first : NULL;
    size_t count = cell ? cell->count : 0;
    if (!cell) TRY(find_unknown(row, edit->cell_tag, mem, &values, &count, err));
    out->seq = row_clock_of(&row->clock, cell ? cell->tag : edit->cell_tag)->seq;
    TRY(differs(c, change, edit, values, count, &out->has_values, err));
    if (!out->has_values) return ST_OK;
    out->values = values;
    out->value_count = count;
    return ST_OK;
}

/* Nothing happened to the row since, and everything came in as it was sent. */
static enum status is_as_sent(struct centre *c, const struct entity *e, const struct change *change,
                              const struct outcome_change *o, bool *out, struct err *err) {
    int64_t seq;
    *out = false;
    if (change->kind == CHANGE_DELETE || o->outcome != OUTCOME_APPLIED || o->seq == 0) return ST_OK;
    for (size_t i = 0; i < change->edit_count && change->kind == CHANGE_EDIT; i++)
        if (change->edits[i].kind != EDIT_SET) return ST_OK;
    TRY(centre_row_seq(c, e, o->row, &seq, err));
    *out = seq == o->seq;
    return ST_OK;
}

static enum status tell_unit(struct centre *c, const struct change *change, struct arena *mem,
                             struct receipt_line *line, struct err *err) {
    if (change->kind != CHANGE_DELETE) return ST_OK;
    line->unit = ARENA_ARRAY(mem, change->unit_count + 1, struct unit_state);
    if (!line->unit) return err_no_memory(err);
    for (size_t i = 0; i < change->unit_count; i++) {
        const struct entity *e =
            catalogue_entity_by_tag(centre_catalogue(c), change->unit[i].entity_tag);
        int64_t row;
        bool found, dead;
        if (!e) continue;
        TRY(centre_alias_resolve(c, change->unit[i].row, &row, err));
        TRY(centre_row_probe(c, e, row, &found, &dead, err));
        if (found && !dead)
            line->unit[line->unit_count++] = (struct unit_state){change->unit[i].row, ROW_HERE};
    }
    return ST_OK;
}

static enum status tell_edits(struct centre *c, const struct entity *e, const struct change *change,
                              const struct outcome_change *o, struct arena *mem,
                              struct receipt_line *line, struct err *err) {
    struct centre_row row;
    bool as_sent, found;
    TRY(is_as_sent(c, e, change, o, &as_sent, err));
    if (as_sent) {
        line->state = ROW_HERE;
        for (size_t i = 0; i < line->edit_count; i++) line->edits[i].seq = o->seq;
        return ST_OK;
    }
    TRY(centre_row_read(c, e, line->row, mem, &row, &found, err));
    line->state = !found ? ROW_GONE : row.dead ? ROW_DEAD : ROW_HERE;
    for (size_t i = 0; i < line->edit_count && line->state == ROW_HERE; i++)
        TRY(tell_edit(c, &row, change, &change->edits[i], mem, &line->edits[i], err));
    return ST_OK;
}

static enum status tell_change(struct centre *c, const struct change *change,
                               const struct outcome_change *o, struct arena *mem,
                               struct receipt_line *line, struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(c), change->entity_tag);
    *line = (struct receipt_line){.outcome = o->outcome,
                                  .reason = o->reason,
                                  .state = ROW_GONE,
                                  .prev = o->prev,
                                  .seq = o->seq,
                                  .edit_count = change->edit_count};
    TRY(centre_alias_resolve(c, o->row, &line->row, err));
    line->edits = ARENA_ARRAY(mem, line->edit_count + 1, struct receipt_edit);
    if (!line->edits) return err_no_memory(err);
    for (size_t i = 0; i < line->edit_count; i++)
        line->edits[i] = (struct receipt_edit){.cell_tag = change->edits[i].cell_tag,
                                               .outcome = o->edits[i].outcome,
                                               .reason = o->edits[i].reason};
    if (e) TRY(tell_edits(c, e, change, o, mem, line, err));
    return tell_unit(c, change, mem, line, err);
}

static bool matches(const struct batch *batch, const struct journal_entry *entry) {
    if (batch->change_count != entry->outcome_count) return false;
    for (size_t i = 0; i < batch->change_count; i++)
        if (batch->changes[i].edit_count != entry->outcomes[i].edit_count) return false;
    return true;
}

enum status reply_receipt(struct centre *c, const struct batch *batch,
                          const struct journal_entry *entry, struct arena *mem, struct receipt *out,
                          struct err *err) {
    struct receipt receipt = {.batch = batch->number,
                              .at = entry->last_seq,
                              .time_ms = entry->received_ms,
                              .line_count = batch->change_count};
    if (!matches(batch, entry))
        return err_set(err, ST_CONFLICT, "batch %u is another one in the journal",
                       "第 %u 批与日志簿不符", (unsigned)batch->number);
    receipt.lines = ARENA_ARRAY(mem, receipt.line_count + 1, struct receipt_line);
    if (!receipt.lines) return err_no_memory(err);
    for (size_t i = 0; i < receipt.line_count; i++)
        TRY(tell_change(c, &batch->changes[i], &entry->outcomes[i], mem, &receipt.lines[i], err));
    *out = receipt;
    return ST_OK;
}

static enum status put_receipts(struct centre *c, uint32_t device,
                                const struct round_request *request, struct arena *mem,
                                struct round_reply *out, struct err *err) {
    if (request->batch_count == 0) return ST_OK;
    out->receipts = ARENA_ARRAY(mem, request->batch_count, struct receipt);
    if (!out->receipts) return err_no_memory(err);
    for (size_t i = 0; i < request->batch_count; i++) {
        struct journal_entry entry;
        TRY(centre_journal(c, device, request->batches[i].number, mem, &entry, err));
        TRY(reply_receipt(c, &request->batches[i], &entry, mem, &out->receipts[i], err));
    }
    out->receipt_count = request->batch_count;
    return ST_OK;
}

/* ------------------------------------------------------------------ records */

static bool all_null(const struct value *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (values[i].kind != VALUE_NULL) return false;
    return true;
}

static void put_cell(struct record *record, uint32_t tag, struct value *values, size_t count) {
    size_t at = record->cell_count++;
    for (; at > 0 && record->cells[at - 1].cell_tag > tag; at--)
        record->cells[at] = record->cells[at - 1];
    record->cells[at] = (struct record_cell){tag, values, count};
}

static enum status put_cells(const struct centre_row *row, int64_t since, struct arena *mem,
                             struct record *record, struct err *err) {
    const struct entity *e = row->entity;
    bool whole = record->flags & RECORD_WHOLE;
    struct record_cell *unknown;
    size_t count;
    TRY(centre_more_read(row->more, mem, &unknown, &count, err));
    record->cells = ARENA_ARRAY(mem, e->cell_count + count + 1, struct record_cell);
    if (!record->cells) return err_no_memory(err);
    for (size_t i = 0; i < e->cell_count; i++) {
        const struct cell *cell = &e->cells[i];
        struct value *values = row->values + cell->first;
        if (cell->rule == RULE_DERIVED) continue;
        if (whole ? all_null(values, cell->count)
                  : row_clock_of(&row->clock, cell->tag)->seq <= since)
            continue;
        put_cell(record, cell->tag, values, cell->count);
    }
    for (size_t i = 0; i < count; i++)
        if (whole || row_clock_of(&row->clock, unknown[i].cell_tag)->seq > since)
            put_cell(record, unknown[i].cell_tag, unknown[i].values, unknown[i].value_count);
    return ST_OK;
}

static enum status make_record(const struct centre_row *row, int64_t since, struct arena *mem,
                               struct record *out, struct err *err) {
    *out = (struct record){.entity_tag = row->entity->tag,
                           .row = row->id,
                           .seq = row->seq,
                           .flags = row->whole > since ? RECORD_WHOLE : 0};
    if (row->dead) {
        out->flags = RECORD_DEAD;
        return ST_OK;
    }
    return put_cells(row, since, mem, out, err);
}

/* ------------------------------------------------------------------ pages */

struct page {
    struct centre *c;
    struct arena *mem;
    int64_t since;
    size_t bytes, bytes_max;
    int64_t end;        /* the last seq that is wholly in the page */
    int64_t ledger_end; /* no further: the ledger is full there */
    int64_t started_ms;
    size_t looked_at;
    struct record *records;
    size_t count, room;
    struct ledger_entry *ledger;
    size_t ledger_count, ledger_room, ledger_bytes;
    int64_t after;
};

static int64_t boot_now(struct centre *c) {
    const struct env *env = centre_env(c);
    return env->boot_ms(env->ctx);
}

static enum status grow(struct arena *mem, void **items, size_t count, size_t *room, size_t bytes,
                        struct err *err) {
    if (count < *room) return ST_OK;
    size_t larger = *room ? *room * 2 : 64;
    void *copy = arena_array(mem, larger, bytes);
    if (!copy) return err_no_memory(err);
    if (count > 0) memcpy(copy, *items, count * bytes);
    *items = copy;
    *room = larger;
    return ST_OK;
}

static size_t values_bytes(const struct value *values, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; values && i < count; i++) bytes += 8 + values[i].text.len;
    return bytes;
}

/* Stops in front of the seq at which the ledger's share of the page is full. */
static enum status take_ledger(void *ctx, const struct ledger_entry *entry, struct err *err) {
    struct page *p = ctx;
    void *items = p->ledger;
    p->ledger_bytes += LEDGER_BYTES + values_bytes(entry->loser, entry->value_count) +
                       values_bytes(entry->winner, entry->value_count);
    if (p->ledger_bytes > p->bytes_max / 4 && p->ledger_count > 0 &&
        p->ledger[p->ledger_count - 1].seq < entry->seq) {
        p->ledger_end = entry->seq - 1;
        return ST_CANCELLED;
    }
    TRY(grow(p->mem, &items, p->ledger_count, &p->ledger_room, sizeof *p->ledger, err));
    p->ledger = items;
    p->ledger[p->ledger_count++] = *entry;
    return ST_OK;
}

static enum status take_record(struct page *p, const struct entity *e, int64_t id, bool *out_full,
                               struct err *err) {
    struct centre_row row;
    struct record record;
    bool found;
    void *items = p->records;
    TRY(centre_row_read(p->c, e, id, p->mem, &row, &found, err));
    if (!found) return ST_OK;
    TRY(make_record(&row, p->since, p->mem, &record, err));
    size_t bytes = wire_record_bytes(&record);
    *out_full = p->count > 0 && p->bytes + bytes > p->bytes_max;
    if (*out_full) return ST_OK;
    TRY(grow(p->mem, &items, p->count, &p->room, sizeof *p->records, err));
    p->records = items;
    p->records[p->count++] = record;
    p->bytes += bytes;
    return ST_OK;
}

static enum status take_entry(void *ctx, const struct log_entry *entry, bool *out_stop,
                              struct err *err) {
    struct page *p = ctx;
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(p->c), entry->entity_tag);
    int64_t seq = 0;
    bool full = entry->seq > p->ledger_end;
    if (e && !full) TRY(centre_row_seq(p->c, e, entry->row, &seq, err));
    if (seq == entry->seq) TRY(take_record(p, e, entry->row, &full, err));
    *out_stop = full;
    if (full) return ST_OK;
    p->end = entry->seq;
    if (++p->looked_at % CLOCK_EACH == 0) *out_stop = boot_now(p->c) - p->started_ms > ORG_PAGE_MS;
    return ST_OK;
}

static size_t page_bytes(uint32_t asked) {
    if (asked == 0 || asked > WIRE_PAGE_BYTES) return WIRE_PAGE_BYTES;
    return asked < PAGE_BYTES_MIN ? PAGE_BYTES_MIN : asked;
}

static enum status put_page(struct centre *c, const struct centre_head *head,
                            const struct round_request *request, struct arena *mem,
                            struct round_reply *out, struct err *err) {
    int64_t cursor = request->cursor.seq, since = request->since < cursor ? request->since : cursor;
    struct page p = {.c = c,
                     .mem = mem,
                     .since = since,
                     .bytes_max = page_bytes(request->page_bytes),
                     .end = cursor,
                     .ledger_end = head->position.seq,
                     .started_ms = boot_now(c),
                     .after = cursor};
    TRY(centre_ledger(c, cursor, head->position.seq, 0, mem, take_ledger, &p, err));
    TRY(centre_log_walk(c, cursor, take_entry, &p, err));
    while (p.ledger_count > 0 && p.ledger[p.ledger_count - 1].seq > p.end) p.ledger_count--;
    out->records = p.records;
    out->record_count = p.count;
    out->ledger = p.ledger;
    out->ledger_count = p.ledger_count;
    out->cursor.seq = p.end;
    TRY(centre_log_chain(c, p.end, &out->cursor.chain, err));
    out->more = p.end < head->position.seq;
    out->since = out->more ? since : p.end;
    return ST_OK;
}

/* ------------------------------------------------------------------ the reply */

static enum status put_news(struct centre *c, const struct centre_head *head,
                            const struct round_request *request, struct arena *mem,
                            struct round_reply *out, struct err *err) {
    out->news_version = head->news_version;
    if (request->news_version == head->news_version) return ST_OK;
    out->has_news = true;
    return centre_people(c, mem, &out->people, &out->people_count, err);
}

static enum status check_batches(const struct centre_device *device, const struct round_request *r,
                                 bool *out_cloned, struct err *err) {
    uint64_t last = (uint64_t)r->last_batch + r->batch_count;
    if (last > device->last_batch)
        return err_set(err, ST_INVALID,
                       "the server has batches up to %u only, this laptop says %llu",
                       "服务器只收到第 %u 批，本机却称已到第 %llu 批", (unsigned)device->last_batch,
                       (unsigned long long)last);
    bool same = memcmp(device->chain.bytes, r->last_chain.bytes, CHAIN_BYTES) == 0;
    *out_cloned = last < device->last_batch || (r->batch_count == 0 && !same);
    return ST_OK;
}

static void start_reply(const struct centre_head *head, const struct centre_device *device,
                        const struct round_request *request, int64_t time_ms,
                        struct round_reply *out) {
    *out = (struct round_reply){.kind = REPLY_ROUND,
                                .time_ms = time_ms,
                                .epoch = head->epoch,
                                .head = head->position,
                                .cursor = request->cursor,
                                .since = request->since,
                                .news_version = head->news_version,
                                .last_batch = device->last_batch};
}

static enum status fill_reply(struct centre *c, uint32_t number,
                              const struct round_request *request, struct arena *mem,
                              struct round_reply *out, struct err *err) {
    struct centre_head head;
    struct centre_device device;
    TRY(centre_head(c, &head, err));
    TRY(centre_device(c, number, &device, err));
    start_reply(&head, &device, request, centre_now(c), out);
    TRY(put_receipts(c, number, request, mem, out, err));
    TRY(put_page(c, &head, request, mem, out, err));
    TRY(centre_aliases_after(c, request->cursor.seq, mem, &out->aliases, &out->alias_count, err));
    TRY(centre_held_news(c, number, request->cursor.seq, out->cursor.seq, mem, &out->held,
                         &out->held_count, err));
    return put_news(c, &head, request, mem, out, err);
}

static bool same_position(const struct position *a, const struct position *b) {
    return a->seq == b->seq && memcmp(a->chain.bytes, b->chain.bytes, CHAIN_BYTES) == 0;
}

bool org_round_idle(const struct centre_head *head, const struct centre_device *device,
                    const struct round_request *request, int64_t wall_ms, struct round_reply *out) {
    uint32_t number = device->last_batch;
    bool welcome = !device->revoked && device->user_active && request->epoch == head->epoch;
    bool brings = request->batch_count > 0 || request->last_batch != number ||
                  memcmp(device->chain.bytes, request->last_chain.bytes, CHAIN_BYTES) != 0;
    bool lacks = !same_position(&request->cursor, &head->position) ||
                 !same_position(&request->top, &head->position) ||
                 request->news_version != head->news_version;
    if (!welcome || brings || lacks) return false;
    start_reply(head, device, request, wall_ms > head->time_ms ? wall_ms : head->time_ms, out);
    out->since = head->position.seq;
    return true;
}

enum status org_round(struct org_reader *reader, uint32_t number,
                      const struct round_request *request, struct arena *mem,
                      struct round_reply *out, struct err *err) {
    struct centre *c = reader->c;
    struct centre_head head;
    struct centre_device device;
    struct round_reply reply;
    bool cloned = false;
    TRY(centre_device(c, number, &device, err));
    centre_head_kept(c, &head);
    TRY(org_check_position(c, &head, &device, request, err));
    TRY(check_batches(&device, request, &cloned, err));
    start_reply(&head, &device, request, centre_now(c), &reply);
    if (cloned) {
        *out = (struct round_reply){
            .kind = REPLY_CLONED, .last_batch = device.last_batch, .time_ms = reply.time_ms};
        return ST_OK;
    }
    bool idle = request->batch_count == 0 && request->cursor.seq == head.position.seq &&
                request->news_version == head.news_version;
    if (!idle) {
        TRY(centre_begin(c, false, err));
        enum status status = fill_reply(c, number, request, mem, &reply, err);
        centre_end(c);
        if (status != ST_OK) return status;
    } else {
        reply.since = head.position.seq;
    }
    *out = reply;
    return ST_OK;
}
