/* The reply of a round: the log after the laptop's cursor, what else is new. Made in one read
 * transaction, so that all of it is of one moment.
 *
 * A row stands at its latest seq and brings the cells changed since a round last said "no more",
 * not since the last page: a cell changed at 11 would be missed when page one ends at 13 and the
 * row, changed again at 14, comes with page two.
 */
#include "syncd/server/reply.h"
#include "syncd/store/centre_added.h"
#include "syncd/store/centre_compact.h"
#include "syncd/store/centre_unite.h"

#include <string.h>

enum {
    PAGE_BYTES_MIN = 4096,   /* a page that is smaller than most rows gets nowhere */
    LEDGER_BYTES = 64,       /* of an entry beside its values */
    CLOCK_EACH = 32,         /* rows between two looks at the clock */
    WAITING_RETRY_MS = 30000 /* of a laptop whose changes wait for others to return */
};

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

enum status reply_record(const struct centre_row *row, int64_t since, struct arena *mem,
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
    const struct view *view;
    struct arena *mem;
    int64_t since;
    int64_t whole_below; /* rows of seqs below it go whole: the laptop may show another life's */
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

enum status reply_grow(struct arena *mem, void **items, size_t count, size_t *room, size_t bytes,
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
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(p->c), entry->entity_tag);
    bool sees = p->view->all;
    int64_t row;
    TRY(centre_alias_resolve(p->c, entry->row, &row, err));
    if (!sees && e) TRY(view_sees_row(p->view, e, row, &sees, err));
    if (!sees) return ST_OK;
    p->ledger_bytes += LEDGER_BYTES + values_bytes(entry->loser, entry->value_count) +
                       values_bytes(entry->winner, entry->value_count);
    if (p->ledger_bytes > p->bytes_max / 4 && p->ledger_count > 0 &&
        p->ledger[p->ledger_count - 1].seq < entry->seq) {
        p->ledger_end = entry->seq - 1;
        return ST_CANCELLED;
    }
    TRY(reply_grow(p->mem, &items, p->ledger_count, &p->ledger_room, sizeof *p->ledger, err));
    p->ledger = items;
    p->ledger[p->ledger_count++] = *entry;
    return ST_OK;
}

/* *out_full: the page has no room for it. */
static enum status put_record(struct page *p, struct record record, bool *out_full,
                              struct err *err) {
    void *items = p->records;
    size_t bytes = wire_record_bytes(&record);
    *out_full = p->count > 0 && p->bytes + bytes > p->bytes_max;
    if (*out_full) return ST_OK;
    TRY(reply_grow(p->mem, &items, p->count, &p->room, sizeof *p->records, err));
    p->records = items;
    p->records[p->count++] = record;
    p->bytes += bytes;
    return ST_OK;
}

/* What became of a row, without cells. */
static struct record bare_record(const struct entity *e, const struct log_entry *entry,
                                 enum record_flags flags) {
    return (struct record){
        .entity_tag = e->tag, .row = entry->row, .seq = entry->seq, .flags = flags};
}

static enum status take_record(struct page *p, const struct entity *e, int64_t id, bool *out_full,
                               struct err *err) {
    struct centre_row row;
    struct record record;
    bool found;
    TRY(centre_row_read(p->c, e, id, p->mem, &row, &found, err));
    if (!found) return ST_OK;
    if (row.seq < p->whole_below && row.whole <= p->since) row.whole = row.seq;
    TRY(reply_record(&row, p->since, p->mem, &record, err));
    return put_record(p, record, out_full, err);
}

static bool meets(const struct view *view, const struct log_entry *entry) {
    return view->all || (entry->homes && view_sees(view, &entry->homes->at));
}

/* An entry of the time when the org was open says nothing of homes: the columns do. */
static enum status is_seen(const struct page *p, const struct entity *e,
                           const struct log_entry *entry, bool *out, struct err *err) {
    *out = meets(p->view, entry);
    if (*out || entry->homes) return ST_OK;
    return view_sees_row(p->view, e, entry->row, out, err);
}

/* It left a home that the laptop holds, and is in none of the others now. */
static enum status take_left(struct page *p, const struct entity *e, const struct log_entry *entry,
                             bool *out_full, struct err *err) {
    bool sees;
    if (p->view->all || !entry->homes || !view_sees(p->view, &entry->homes->left)) return ST_OK;
    TRY(view_sees_row(p->view, e, entry->row, &sees, err));
    if (sees) return ST_OK;
    return put_record(p, bare_record(e, entry, RECORD_LEFT), out_full, err);
}

/* The row is not there. If its tombstone was collected, this is where it died, and a laptop that
 * stands before it has to hear of that. */
static enum status take_gone(struct page *p, const struct entity *e, const struct log_entry *entry,
                             bool *out_full, struct err *err) {
    bool collected;
    TRY(centre_was_collected(p->c, entry->row, entry->seq, &collected, err));
    if (!collected) return take_left(p, e, entry, out_full, err);
    return put_record(p, bare_record(e, entry, RECORD_DEAD), out_full, err);
}

static enum status take_row_entry(struct page *p, const struct log_entry *entry, bool *out_full,
                                  struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(p->c), entry->entity_tag);
    int64_t seq;
    bool sees;
    if (!e) return ST_OK;
    TRY(is_seen(p, e, entry, &sees, err));
    if (!sees) return take_left(p, e, entry, out_full, err);
    TRY(centre_row_seq(p->c, e, entry->row, &seq, err));
    if (seq == entry->seq) return take_record(p, e, entry->row, out_full, err);
    if (seq == 0) return take_gone(p, e, entry, out_full, err);
    return take_left(p, e, entry, out_full, err);
}

static enum status take_entry(void *ctx, const struct log_entry *entry, bool *out_stop,
                              struct err *err) {
    struct page *p = ctx;
    bool full = entry->seq > p->ledger_end;
    if (!full) TRY(take_row_entry(p, entry, &full, err));
    *out_stop = full;
    if (full) return ST_OK;
    p->end = entry->seq;
    if (++p->looked_at % CLOCK_EACH == 0) *out_stop = boot_now(p->c) - p->started_ms > ORG_PAGE_MS;
    return ST_OK;
}

size_t reply_page_bytes(uint32_t asked) {
    if (asked == 0 || asked > WIRE_PAGE_BYTES) return WIRE_PAGE_BYTES;
    return asked < PAGE_BYTES_MIN ? PAGE_BYTES_MIN : asked;
}

static enum status put_page(const struct view *view, const struct centre_head *head,
                            const struct round_request *request, struct arena *mem,
                            struct round_reply *out, struct err *err) {
    int64_t cursor = request->cursor.seq, since = request->since < cursor ? request->since : cursor;
    struct centre *c = view->c;
    struct page p = {.c = c,
                     .view = view,
                     .mem = mem,
                     .since = since,
                     .whole_below =
                         cursor < epoch_start(head->epoch) ? epoch_start(head->epoch) : 0,
                     .bytes_max = reply_page_bytes(request->page_bytes),
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
    TRY(centre_added_news(c, mem, &out->added, &out->added_count, err));
    return centre_people(c, mem, &out->people, &out->people_count, err);
}

/* While the server recovers, batches may wait for rows that are still to be given back. */
static enum status check_batches(const struct centre_device *device, const struct round_request *r,
                                 bool recovering, bool *out_waits, bool *out_cloned,
                                 struct err *err) {
    uint64_t last = (uint64_t)r->last_batch + r->batch_count;
    *out_waits = recovering && last > device->last_batch;
    *out_cloned = false;
    if (*out_waits || r->given) return ST_OK; /* its batches come when all is given back */
    if (last > device->last_batch)
        return err_set(err, ST_INVALID,
                       "the server has batches up to %u only, this laptop says %llu",
                       "服务器只收到第 %u 批，本机却称已到第 %llu 批", (unsigned)device->last_batch,
                       (unsigned long long)last);
    bool same = memcmp(device->chain.bytes, r->last_chain.bytes, CHAIN_BYTES) == 0;
    bool was_other = device->formerly && r->last_batch < device->formerly_batch;
    *out_cloned = !was_other && (last < device->last_batch || (r->batch_count == 0 && !same));
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

/* Whoever sees a row that named the one which is no more has to re-point it. */
static enum status sees_repointed(const struct view *view, int64_t seq, struct arena *mem,
                                  bool *out, struct err *err) {
    struct centre_naming *list;
    size_t count;
    TRY(centre_repointed(view->c, seq, mem, &list, &count, err));
    for (size_t i = 0; i < count && !*out; i++)
        TRY(view_sees_row(view, list[i].entity, list[i].row, out, err));
    return ST_OK;
}

static enum status sees_alias(const struct view *view, const struct centre_device *device,
                              const struct alias_news *news, struct arena *mem, bool *out,
                              struct err *err) {
    struct log_entry entry;
    int64_t row;
    uint32_t maker = id_device(news->from);
    *out = view->all || maker == device->number || (maker && maker == device->formerly);
    if (*out) return ST_OK;
    TRY(centre_log_entry(view->c, news->seq, &entry, err));
    TRY(centre_alias_resolve(view->c, news->to, &row, err));
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(view->c), entry.entity_tag);
    if (e) TRY(view_sees_row(view, e, row, out, err));
    return *out ? ST_OK : sees_repointed(view, news->seq, mem, out, err);
}

/* Of rows that the laptop may see, and of its own ids. */
static enum status put_aliases(const struct view *view, const struct centre_device *device,
                               const struct round_request *request, struct arena *mem,
                               struct round_reply *out, struct err *err) {
    struct alias_news *list;
    size_t count;
    TRY(centre_aliases_after(view->c, request->cursor.seq, mem, &list, &count, err));
    out->aliases = list;
    for (size_t i = 0; i < count; i++) {
        bool sees;
        TRY(sees_alias(view, device, &list[i], mem, &sees, err));
        if (sees) out->aliases[out->alias_count++] = list[i];
    }
    return ST_OK;
}

static enum status fill_reply(struct centre *c, uint32_t number,
                              const struct round_request *request, struct arena *mem,
                              struct round_reply *out, struct err *err) {
    struct centre_head head;
    struct centre_device device;
    struct view view;
    bool filled;
    TRY(centre_head(c, &head, err));
    TRY(centre_device(c, number, &device, err));
    start_reply(&head, &device, request, centre_now(c), out);
    TRY(view_open(c, &device, mem, &view, err));
    TRY(reply_receipts(&view, number, request, mem, out, err));
    out->has_backup = head.backup > 0 || head.epoch > 1;
    out->backup = head.backup;
    out->recovering = head.recovering;
    TRY(org_wants_facts(c, &device, &head, request, &out->wants_facts, err));
    TRY(reply_scope(&view, &device, &head, request, mem, out, &filled, err));
    if (!filled && request->cursor.seq > 0) TRY(put_page(&view, &head, request, mem, out, err));
    TRY(org_tell_backup(c, &head, request, mem, out, err));
    if (!filled && !out->more && !head.recovering) TRY(reply_digest(&view, mem, out, err));
    if (!filled && !out->more) TRY(reply_others(&view, &device, mem, out, err));
    TRY(put_aliases(&view, &device, request, mem, out, err));
    TRY(centre_held_news(c, number, request->cursor.seq, out->cursor.seq, mem, &out->held,
                         &out->held_count, err));
    return put_news(c, &head, request, mem, out, err);
}

static bool same_position(const struct position *a, const struct position *b) {
    return a->seq == b->seq && memcmp(a->chain.bytes, b->chain.bytes, CHAIN_BYTES) == 0;
}

/* It may come, brings nothing, and knows its homes and all who are there. */
static bool is_idle(const struct centre_head *head, const struct centre_device *device,
                    const struct round_request *request) {
    bool welcome = !org_gets_receipts_only(head, device) && device->user_active &&
                   request->epoch == head->epoch;
    bool brings = org_carries(request) || request->last_batch != device->last_batch ||
                  memcmp(device->chain.bytes, request->last_chain.bytes, CHAIN_BYTES) != 0;
    return welcome && !brings && !head->recovering && !request->wants_digest &&
           request->news_version == head->news_version && reply_scope_is_settled(head, request);
}

static void put_idle(const struct centre_head *head, const struct centre_device *device,
                     const struct round_request *request, int64_t wall_ms,
                     struct round_reply *out) {
    start_reply(head, device, request, wall_ms > head->time_ms ? wall_ms : head->time_ms, out);
    out->cursor = head->position;
    out->since = head->position.seq;
}

bool org_round_idle(const struct centre_head *head, const struct centre_device *device,
                    const struct round_request *request, int64_t wall_ms, struct round_reply *out) {
    if (!is_idle(head, device, request) || !same_position(&request->cursor, &head->position) ||
        !same_position(&request->top, &head->position))
        return false;
    put_idle(head, device, request, wall_ms, out);
    return true;
}

bool org_round_quiet(const struct centre_head *head, const struct centre_device *device,
                     const struct round_request *request, int64_t wall_ms,
                     struct round_reply *out) {
    if (!is_idle(head, device, request)) return false;
    put_idle(head, device, request, wall_ms, out);
    return true;
}

enum status org_must_write(struct org_reader *reader, const struct centre_device *device,
                           const struct round_request *request, bool *out, struct err *err) {
    struct centre_head head;
    struct centre_parting parting;
    bool found;
    *out = org_brings(device, request);
    if (*out) return ST_OK;
    TRY(centre_head(reader->c, &head, err));
    TRY(org_is_elsewhere(reader->c, &head, request, out, err));
    if (*out || !head.recovering) return ST_OK;
    /* That it has nothing to give back is noted as well: head office waits for it. */
    TRY(centre_parting(reader->c, device->number, head.epoch, &parting, &found, err));
    *out = found && !parting.settled;
    return ST_OK;
}

/* Where the two logs part the writer has noted, unless another epoch began this moment. */
static enum status tell_epoch(struct centre *c, uint32_t device, const struct centre_head *head,
                              const struct round_request *request, struct round_reply *out,
                              struct err *err) {
    struct centre_parting parting;
    bool found;
    TRY(centre_parting(c, device, head->epoch, &parting, &found, err));
    if (org_claims_more(head, request)) TRY(org_refuse_claim(c, device, err));
    if (!found || request->epoch >= head->epoch)
        return err_set(err, ST_BUSY, "the server begins another epoch: ask again",
                       "服务器正在进入新纪元：请稍后再试");
    *out = (struct round_reply){.kind = REPLY_EPOCH,
                                .epoch = head->epoch,
                                .time_ms = centre_now(c),
                                .cursor = parting.back};
    return ST_OK;
}

/* The log and the homes stay as they are. An old release gets the rest when it is updated. What it
 * knows of a life that is forgotten it may be the only one to know. */
static enum status reply_receipts_only(struct centre *c, const struct centre_head *head,
                                       const struct centre_device *device,
                                       const struct round_request *request, struct arena *mem,
                                       struct round_reply *reply, struct round_reply *out,
                                       struct err *err) {
    struct view view = {.c = c}; /* a revoked laptop sees no row any more */
    reply->more = !device->revoked;
    reply->news_version = request->news_version;
    TRY(centre_begin(c, false, err));
    enum status status = device->revoked ? ST_OK : view_open(c, device, mem, &view, err);
    if (status == ST_OK) status = reply_receipts(&view, device->number, request, mem, reply, err);
    if (status == ST_OK)
        status = org_wants_facts(c, device, head, request, &reply->wants_facts, err);
    centre_end(c);
    if (status == ST_OK) *out = *reply;
    return status;
}

enum status org_round(struct org_reader *reader, uint32_t number,
                      const struct round_request *request, struct arena *mem,
                      struct round_reply *out, struct err *err) {
    struct centre *c = reader->c;
    struct centre_head head;
    struct centre_device device;
    struct round_reply reply;
    bool cloned = false, waits, elsewhere;
    TRY(centre_device(c, number, &device, err));
    centre_head_kept(c, &head);
    TRY(org_check_device(&device, err));
    TRY(org_is_elsewhere(c, &head, request, &elsewhere, err));
    if (elsewhere) return tell_epoch(c, number, &head, request, out, err);
    if (request->last_batch > device.last_batch) TRY(org_refuse_claim(c, number, err));
    TRY(check_batches(&device, request, head.recovering, &waits, &cloned, err));
    start_reply(&head, &device, request, centre_now(c), &reply);
    if (cloned) {
        *out = (struct round_reply){
            .kind = REPLY_CLONED, .last_batch = device.last_batch, .time_ms = reply.time_ms};
        return ST_OK;
    }
    if (waits) reply.retry_ms = WAITING_RETRY_MS;
    if (org_gets_receipts_only(&head, &device))
        return reply_receipts_only(c, &head, &device, request, mem, &reply, out, err);
    bool idle = !org_carries(request) && !request->wants_digest &&
                request->cursor.seq == head.position.seq &&
                request->news_version == head.news_version &&
                reply_scope_is_settled(&head, request);
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
