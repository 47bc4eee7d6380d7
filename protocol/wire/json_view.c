/* Any message as JSON, for people: the debugging media type and inspection. Nothing reads it back.
 * Here is which members each message has; view.c writes them.
 */
#include "protocol/model/home.h"
#include "protocol/wire/messages.h"
#include "protocol/wire/view.h"

/* ------------------------------------------------------------------ batches */

static void base(struct view *v, const char *member, struct base b) {
    view_open(v, member, '{');
    view_number(v, "seq", b.seq);
    view_number_unless(v, "own", b.own, 0);
    view_close(v, '}');
}

static const char *edit_word(enum edit_kind kind) {
    switch (kind) {
    case EDIT_SET: return "set";
    case EDIT_COUNT: return "count";
    case EDIT_ELEMENTS: return "elements";
    }
    return "";
}

static void edit(struct view *v, const struct entity *e, const struct edit *edit) {
    view_open(v, NULL, '{');
    view_cell(v, e, edit->cell_tag);
    view_word(v, "kind", edit_word(edit->kind));
    base(v, "base", edit->base);
    if (edit->today.seq != edit->base.seq || edit->today.own != edit->base.own)
        base(v, "today", edit->today);
    view_values(v, "values", edit->kind == EDIT_SET ? e : NULL, edit->cell_tag, edit->values,
                edit->value_count);
    view_close(v, '}');
}

static void unit_row(struct view *v, const struct unit_row *u) {
    view_open(v, NULL, '{');
    view_entity(v, u->entity_tag);
    view_row_id(v, "row", u->row);
    base(v, "base", u->base);
    if (u->cell_count > 0) {
        view_open(v, "cells", '[');
        for (size_t i = 0; i < u->cell_count; i++) {
            view_open(v, NULL, '{');
            view_cell(v, view_entity_of(v, u->entity_tag), u->cells[i].cell_tag);
            base(v, "base", u->cells[i].base);
            view_close(v, '}');
        }
        view_close(v, ']');
    }
    view_close(v, '}');
}

static void refusal(struct view *v, const char *member, const struct entity *e,
                    struct refusal_id id) {
    view_open(v, member, '{');
    view_number(v, "batch", id.batch);
    view_number(v, "change", id.change);
    if (id.cell_tag != 0) view_cell(v, e, id.cell_tag);
    view_close(v, '}');
}

static const char *change_word(enum change_kind kind) {
    switch (kind) {
    case CHANGE_CREATE: return "create";
    case CHANGE_EDIT: return "edit";
    case CHANGE_DELETE: return "delete";
    }
    return "";
}

static void change(struct view *v, const struct change *c) {
    const struct entity *e = view_entity_of(v, c->entity_tag);
    view_open(v, NULL, '{');
    view_word(v, "kind", change_word(c->kind));
    view_entity(v, c->entity_tag);
    view_row_id(v, "row", c->row);
    view_open(v, "edits", '[');
    for (size_t i = 0; i < c->edit_count; i++) edit(v, e, &c->edits[i]);
    view_close(v, ']');
    if (c->unit_count > 0) {
        view_open(v, "unit", '[');
        for (size_t i = 0; i < c->unit_count; i++) unit_row(v, &c->unit[i]);
        view_close(v, ']');
    }
    if (c->retry_count > 0) {
        view_open(v, "retry_of", '[');
        for (size_t i = 0; i < c->retry_count; i++) refusal(v, NULL, e, c->retry_of[i]);
        view_close(v, ']');
    }
    view_close(v, '}');
}

static void stamp(struct view *v, const char *member, const struct stamp *s) {
    view_open(v, member, '{');
    view_instant(v, "wall", s->wall_ms);
    view_number(v, "boot_number", s->boot_number);
    view_number(v, "boot_ms", s->boot_ms);
    view_number_unless(v, "steps_ms", s->steps_ms, 0);
    view_close(v, '}');
}

static void batch(struct view *v, const struct batch *b) {
    view_open(v, NULL, '{');
    view_number(v, "number", b->number);
    view_number_unless(v, "flags", b->flags, 0);
    view_number(v, "cursor", b->cursor);
    stamp(v, "stamp", &b->stamp);
    view_number_unless(v, "import_id", b->import_id, 0);
    view_open(v, "changes", '[');
    for (size_t i = 0; i < b->change_count; i++) change(v, &b->changes[i]);
    view_close(v, ']');
    view_close(v, '}');
}

/* ------------------------------------------------------------------ replies */

static const char *state_word(enum row_state state) {
    switch (state) {
    case ROW_HERE: return "here";
    case ROW_DEAD: return "dead";
    case ROW_OUT: return "out";
    case ROW_GONE: return "gone";
    }
    return "";
}

static void verdict(struct view *v, enum outcome outcome, enum reason reason) {
    view_word(v, "outcome", outcome_name(outcome));
    if (reason != REASON_NONE) view_word(v, "reason", reason_text(reason, LANG_EN));
}

static void receipt_line(struct view *v, const struct receipt_line *line) {
    view_open(v, NULL, '{');
    verdict(v, line->outcome, line->reason);
    view_word(v, "state", state_word(line->state));
    view_row_id(v, "row", line->row);
    view_number(v, "prev", line->prev);
    view_number(v, "seq", line->seq);
    view_open(v, "edits", '[');
    for (size_t i = 0; i < line->edit_count; i++) {
        const struct receipt_edit *e = &line->edits[i];
        view_open(v, NULL, '{');
        view_number(v, "cell", e->cell_tag);
        verdict(v, e->outcome, e->reason);
        view_number(v, "seq", e->seq);
        if (e->has_values) view_values(v, "values", NULL, e->cell_tag, e->values, e->value_count);
        view_close(v, '}');
    }
    view_close(v, ']');
    if (line->unit_count > 0) {
        view_open(v, "unit", '[');
        for (size_t i = 0; i < line->unit_count; i++) {
            view_open(v, NULL, '{');
            view_row_id(v, "row", line->unit[i].row);
            view_word(v, "state", state_word(line->unit[i].state));
            view_close(v, '}');
        }
        view_close(v, ']');
    }
    view_close(v, '}');
}

static void receipt(struct view *v, const struct receipt *r) {
    view_open(v, NULL, '{');
    view_number(v, "batch", r->batch);
    view_number(v, "at", r->at);
    view_instant(v, "time", r->time_ms);
    view_open(v, "lines", '[');
    for (size_t i = 0; i < r->line_count; i++) receipt_line(v, &r->lines[i]);
    view_close(v, ']');
    view_close(v, '}');
}

static void record(struct view *v, const struct record *r) {
    const struct entity *e = view_entity_of(v, r->entity_tag);
    view_open(v, NULL, '{');
    view_entity(v, r->entity_tag);
    view_row_id(v, "row", r->row);
    view_number(v, "seq", r->seq);
    view_truth(v, "whole", (r->flags & RECORD_WHOLE) != 0);
    if (r->flags & RECORD_DEAD) view_truth(v, "dead", true);
    if (r->flags & RECORD_LEFT) view_truth(v, "left", true);
    view_open(v, "cells", '[');
    for (size_t i = 0; i < r->cell_count; i++) {
        view_open(v, NULL, '{');
        view_cell(v, e, r->cells[i].cell_tag);
        view_values(v, "values", e, r->cells[i].cell_tag, r->cells[i].values,
                    r->cells[i].value_count);
        view_close(v, '}');
    }
    view_close(v, ']');
    view_close(v, '}');
}

static void ledger_entry(struct view *v, const struct ledger_entry *l) {
    const struct entity *e = view_entity_of(v, l->entity_tag);
    view_open(v, NULL, '{');
    view_number(v, "seq", l->seq);
    view_entity(v, l->entity_tag);
    view_row_id(v, "row", l->row);
    if (l->cell_tag != 0) view_cell(v, e, l->cell_tag);
    view_word(v, "rule", rule_name(l->rule));
    view_number(v, "base_seq", l->base_seq);
    view_number(v, "loser_device", l->loser_device);
    view_number(v, "loser_batch", l->loser_batch);
    view_instant(v, "loser_time", l->loser_time_ms);
    view_number(v, "winner_device", l->winner_device);
    view_instant(v, "winner_time", l->winner_time_ms);
    view_truth(v, "winner_is_new", l->winner_is_new);
    view_values(v, "loser", e, l->cell_tag, l->loser, l->value_count);
    view_values(v, "winner", e, l->cell_tag, l->winner, l->value_count);
    view_close(v, '}');
}

static void small_news(struct view *v, const struct round_reply *m) {
    for (size_t i = 0; i < m->people_count; i++) {
        if (i == 0) view_open(v, "people", '[');
        view_open(v, NULL, '{');
        view_number(v, "device", m->people[i].device);
        view_row_id(v, "employee", m->people[i].employee);
        view_text(v, "name", m->people[i].name);
        view_close(v, '}');
    }
    if (m->people_count > 0) view_close(v, ']');
    for (size_t i = 0; i < m->alias_count; i++) {
        if (i == 0) view_open(v, "aliases", '[');
        view_open(v, NULL, '{');
        view_number(v, "seq", m->aliases[i].seq);
        view_row_id(v, "from", m->aliases[i].from);
        view_row_id(v, "to", m->aliases[i].to);
        view_close(v, '}');
    }
    if (m->alias_count > 0) view_close(v, ']');
    for (size_t i = 0; i < m->held_count; i++) {
        if (i == 0) view_open(v, "held", '[');
        view_open(v, NULL, '{');
        view_number(v, "seq", m->held[i].seq);
        refusal(v, "id", NULL, m->held[i].id);
        view_word(v, "state", held_state_name(m->held[i].state));
        view_close(v, '}');
    }
    if (m->held_count > 0) view_close(v, ']');
}

static void home(struct view *v, const char *name, int64_t home) {
    SCOPED(buf_free) struct buf words = buf_new(BUF_MAX_LINE);
    home_write(home, &words);
    view_text(v, name, buf_slice(&words));
}

static void scope_position(struct view *v, const struct scope_position *p) {
    view_open(v, "scope", '{');
    view_number(v, "told", p->told);
    view_number(v, "ready", p->ready);
    if (p->filling > p->ready) {
        view_number(v, "filling", p->filling);
        if (p->at.home != 0) home(v, "at_home", p->at.home);
        if (p->at.entity_tag != 0) view_entity(v, p->at.entity_tag);
        if (p->at.row != 0) view_row_id(v, "at_row", p->at.row);
    }
    view_close(v, '}');
}

static void reply_scope(struct view *v, const struct round_reply *m) {
    if (!m->has_scope) return;
    scope_position(v, &m->scope);
    if (m->scope_whole) view_truth(v, "scope_whole", true);
    if (m->opened_count > 0) view_open(v, "opened", '[');
    for (size_t i = 0; i < m->opened_count; i++) {
        view_open(v, NULL, '{');
        home(v, "home", m->opened[i].home);
        view_number(v, "since", m->opened[i].since);
        view_truth(v, "fills", m->opened[i].fills);
        view_close(v, '}');
    }
    if (m->opened_count > 0) view_close(v, ']');
    if (m->closed_count > 0) view_open(v, "closed", '[');
    for (size_t i = 0; i < m->closed_count; i++) home(v, NULL, m->closed[i]);
    if (m->closed_count > 0) view_close(v, ']');
    if (m->filled_count > 0) view_open(v, "filled", '[');
    for (size_t i = 0; i < m->filled_count; i++) record(v, &m->filled[i]);
    if (m->filled_count > 0) view_close(v, ']');
}

static void reply_parts(struct view *v, const struct round_reply *m) {
    if (m->receipt_count > 0) {
        view_open(v, "receipts", '[');
        for (size_t i = 0; i < m->receipt_count; i++) receipt(v, &m->receipts[i]);
        view_close(v, ']');
        view_hex(v, "receipts_signature", m->receipts_signature, SIGN_BYTES);
    }
    small_news(v, m);
    if (m->ledger_count > 0) {
        view_open(v, "ledger", '[');
        for (size_t i = 0; i < m->ledger_count; i++) ledger_entry(v, &m->ledger[i]);
        view_close(v, ']');
    }
    if (m->record_count > 0) {
        view_open(v, "records", '[');
        for (size_t i = 0; i < m->record_count; i++) record(v, &m->records[i]);
        view_close(v, ']');
    }
    reply_scope(v, m);
    if (!m->has_digest) return;
    view_hex(v, "digest", m->digest, BOOK_DIGEST_BYTES);
    view_number(v, "digest_rows", m->digest_rows);
}

/* ------------------------------------------------------------------ messages */

static enum status view_hello_request(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct hello_request m;
    TRY(wire_read_hello_request(message, mem, &m, err));
    view_word(v, "message", "hello request");
    view_number(v, "device", m.device);
    view_hex(v, "box_public", m.box_public, sizeof m.box_public);
    view_text(v, "release", m.release);
    view_hex(v, "catalogue", m.catalogue.bytes, CHAIN_BYTES);
    view_instant(v, "wall", m.wall_ms);
    if (m.has_wiped) view_instant(v, "wiped_by_order_of", m.wiped_order_ms);
    return ST_OK;
}

static enum status view_hello_reply(struct view *v, struct slice message, struct arena *mem,
                                    struct err *err) {
    struct hello_reply m;
    TRY(wire_read_hello_reply(message, mem, &m, err));
    view_word(v, "message", "hello reply");
    view_hex(v, "box_public", m.box_public, sizeof m.box_public);
    view_instant(v, "time", m.time_ms);
    view_number(v, "key_ms", m.key_ms);
    view_text(v, "nonce", m.nonce);
    view_text(v, "release", m.release);
    view_text(v, "minimum_release", m.minimum_release);
    view_number_unless(v, "lease_days", m.lease_days, 0);
    return ST_OK;
}

static enum status view_enroll_request(struct view *v, struct slice message, struct arena *mem,
                                       struct err *err) {
    struct enroll_request m;
    TRY(wire_read_enroll_request(message, mem, &m, err));
    view_word(v, "message", "enroll request");
    view_number(v, "code_bytes", (int64_t)m.code.len); /* the code itself is a secret */
    view_hex(v, "device_public", m.device_public, sizeof m.device_public);
    view_text(v, "device_name", m.device_name);
    view_text(v, "release", m.release);
    if (!m.copy) return ST_OK;
    view_number(v, "copy_last_batch", m.copy->last_batch);
    view_number(v, "copy_batches", (int64_t)m.copy->chain_count - 1);
    return ST_OK;
}

static enum status view_enroll_reply(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct enroll_reply m;
    TRY(wire_read_enroll_reply(message, mem, &m, err));
    view_word(v, "message", "enroll reply");
    view_number(v, "device", m.device);
    view_row_id(v, "employee", m.employee);
    view_text(v, "user", m.user);
    view_text(v, "org_label", m.org_label);
    view_number(v, "epoch", m.epoch);
    view_instant(v, "time", m.time_ms);
    if (m.has_kept) view_number(v, "kept", m.kept);
    return ST_OK;
}

static void given(struct view *v, const struct give_back *g) {
    view_open(v, "given", '{');
    view_hex(v, "before", g->before.bytes, CHAIN_BYTES);
    view_hex(v, "signature", g->signature, SIGN_BYTES);
    view_open(v, "batches", '[');
    for (size_t i = 0; i < g->batch_count; i++) batch(v, &g->batches[i]);
    view_close(v, ']');
    view_open(v, "receipts", '[');
    for (size_t p = 0; p < g->proof_count; p++)
        for (size_t i = 0; i < g->proofs[p].receipt_count; i++)
            receipt(v, &g->proofs[p].receipts[i]);
    view_close(v, ']');
    view_close(v, '}');
}

static void device_report(struct view *v, const struct device_report *r) {
    static const char *const DISKS[DISK_KIND_COUNT] = {"unknown", "plain", "encrypted"};
    view_open(v, "report", '{');
    view_number(v, "newest_batch", r->newest_batch);
    view_number(v, "used_kib", r->used_kib);
    view_number(v, "free_mib", r->free_mib);
    view_word(v, "disk", DISKS[r->disk]);
    view_close(v, '}');
}

static void device_order(struct view *v, const struct device_order *o) {
    if (o->kind == ORDER_NONE) return;
    view_open(v, "order", '{');
    view_word(v, "kind", o->kind == ORDER_WIPE ? "wipe" : "revoked");
    view_instant(v, "time", o->time_ms);
    view_hex(v, "signature", o->signature, SIGN_BYTES);
    view_close(v, '}');
}

static enum status view_round_request(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct round_request m;
    TRY(wire_read_round_request(message, mem, &m, err));
    view_word(v, "message", "round request");
    view_number(v, "epoch", m.epoch);
    view_position(v, "cursor", &m.cursor);
    view_position(v, "top", &m.top);
    view_number(v, "since", m.since);
    view_number(v, "news_version", m.news_version);
    view_number(v, "last_batch", m.last_batch);
    view_hex(v, "last_chain", m.last_chain.bytes, CHAIN_BYTES);
    if (m.scope.told > 0) scope_position(v, &m.scope);
    if (m.wants_digest) view_truth(v, "wants_digest", true);
    stamp(v, "now", &m.envelope.now);
    view_number(v, "expected_offset_ms", m.envelope.expected_offset_ms);
    view_number_unless(v, "suspect_boot", m.envelope.suspect_boot, 0);
    view_number(v, "page_bytes", m.page_bytes);
    if (m.mark_count > 0) view_open(v, "marks", '[');
    for (size_t i = 0; i < m.mark_count; i++) view_position(v, NULL, &m.marks[i]);
    if (m.mark_count > 0) view_close(v, ']');
    if (m.given) given(v, m.given);
    if (m.has_report) device_report(v, &m.report);
    if (m.batch_count == 0) return ST_OK;
    view_open(v, "batches", '[');
    for (size_t i = 0; i < m.batch_count; i++) batch(v, &m.batches[i]);
    view_close(v, ']');
    view_hex(v, "signature", m.signature, SIGN_BYTES);
    return ST_OK;
}

static void view_round(struct view *v, const struct round_reply *m) {
    view_word(v, "kind", "round");
    view_number(v, "epoch", m->epoch);
    view_instant(v, "time", m->time_ms);
    view_position(v, "head", &m->head);
    view_position(v, "cursor", &m->cursor);
    view_number(v, "since", m->since);
    view_truth(v, "more", m->more);
    view_number_unless(v, "retry_ms", m->retry_ms, 0);
    view_number(v, "last_batch", m->last_batch);
    if (m->has_news) view_number(v, "news_version", m->news_version);
    if (m->has_backup) view_number(v, "backup", m->backup);
    if (m->recovering) view_truth(v, "recovering", true);
    device_order(v, &m->order);
    reply_parts(v, m);
}

static enum status view_round_reply(struct view *v, struct slice message, struct arena *mem,
                                    struct err *err) {
    struct round_reply m;
    TRY(wire_read_round_reply(message, 0, mem, &m, err));
    view_word(v, "message", "round reply");
    switch (m.kind) {
    case REPLY_ROUND: view_round(v, &m); break;
    case REPLY_EPOCH:
        view_word(v, "kind", "epoch");
        view_number(v, "epoch", m.epoch);
        view_position(v, "cursor", &m.cursor);
        break;
    case REPLY_CLONED:
        view_word(v, "kind", "cloned");
        view_number(v, "last_batch", m.last_batch);
        break;
    }
    return ST_OK;
}

static enum status view_wait_request(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct wait_request m;
    TRY(wire_read_wait_request(message, mem, &m, err));
    view_word(v, "message", "wait request");
    view_number(v, "epoch", m.epoch);
    view_number(v, "seq", m.seq);
    return ST_OK;
}

static void content_hash(struct view *v, const struct hash *hash) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    buf_put_hex(&text, slice_of(hash->bytes, sizeof hash->bytes));
    view_word(v, "content", buf_text(&text));
}

static enum status view_content_request(struct view *v, struct slice message, struct arena *mem,
                                        struct err *err) {
    struct content_request m;
    TRY(wire_read_content_request(message, mem, &m, err));
    view_word(v, "message", "content request");
    view_word(v, "kind", m.wants ? "wants" : "brings");
    content_hash(v, &m.content);
    view_number(v, "bytes", m.bytes);
    view_number(v, "offset", m.offset);
    view_number(v, "bytes_max", m.bytes_max);
    view_number(v, "piece_bytes", (int64_t)m.piece.len);
    return ST_OK;
}

static enum status view_content_reply(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct content_reply m;
    TRY(wire_read_content_reply(message, mem, &m, err));
    view_word(v, "message", "content reply");
    view_number(v, "whole", m.whole);
    view_number(v, "bytes", m.bytes);
    view_number(v, "offset", m.offset);
    view_number(v, "piece_bytes", (int64_t)m.piece.len);
    return ST_OK;
}

static void repair_rows(struct view *v, const char *name, const struct repair_row *rows,
                        size_t count, bool hashes) {
    if (count == 0) return;
    view_open(v, name, '[');
    for (size_t i = 0; i < count; i++) {
        view_open(v, NULL, '{');
        view_entity(v, rows[i].entity_tag);
        view_row_id(v, "row", rows[i].row);
        if (hashes) view_hex(v, "hash", (const uint8_t *)&rows[i].hash, sizeof rows[i].hash);
        view_close(v, '}');
    }
    view_close(v, ']');
}

static void places(struct view *v, const uint32_t *items, size_t count) {
    if (count == 0) return;
    view_open(v, "places", '[');
    for (size_t i = 0; i < count; i++) view_number(v, NULL, items[i]);
    view_close(v, ']');
}

static enum status view_repair_request(struct view *v, struct slice message, struct arena *mem,
                                       struct err *err) {
    static const char *const steps[] = {"", "whole", "parts", "rows"};
    struct repair_request m;
    TRY(wire_read_repair_request(message, mem, &m, err));
    view_word(v, "message", "repair request");
    view_word(v, "step", steps[m.step]);
    places(v, m.places, m.place_count);
    view_number(v, "sums", (int64_t)m.sum_count);
    repair_rows(v, "rows", m.rows, m.row_count, true);
    return ST_OK;
}

static enum status view_repair_reply(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct repair_reply m;
    TRY(wire_read_repair_reply(message, mem, &m, err));
    view_word(v, "message", "repair reply");
    places(v, m.places, m.place_count);
    if (m.record_count > 0) view_open(v, "records", '[');
    for (size_t i = 0; i < m.record_count; i++) record(v, &m.records[i]);
    if (m.record_count > 0) view_close(v, ']');
    repair_rows(v, "drops", m.drops, m.drop_count, false);
    if (m.more) view_truth(v, "more", true);
    return ST_OK;
}

static enum status view_message(struct view *v, struct slice message, struct arena *mem,
                                struct err *err) {
    enum message_kind kind;
    TRY(message_kind_of(message, &kind, err));
    switch (kind) {
    case MESSAGE_HELLO_REQUEST: return view_hello_request(v, message, mem, err);
    case MESSAGE_HELLO_REPLY: return view_hello_reply(v, message, mem, err);
    case MESSAGE_ENROLL_REQUEST: return view_enroll_request(v, message, mem, err);
    case MESSAGE_ENROLL_REPLY: return view_enroll_reply(v, message, mem, err);
    case MESSAGE_ROUND_REQUEST: return view_round_request(v, message, mem, err);
    case MESSAGE_ROUND_REPLY: return view_round_reply(v, message, mem, err);
    case MESSAGE_WAIT_REQUEST: return view_wait_request(v, message, mem, err);
    case MESSAGE_CONTENT_REQUEST: return view_content_request(v, message, mem, err);
    case MESSAGE_CONTENT_REPLY: return view_content_reply(v, message, mem, err);
    case MESSAGE_REPAIR_REQUEST: return view_repair_request(v, message, mem, err);
    case MESSAGE_REPAIR_REPLY: return view_repair_reply(v, message, mem, err);
    case MESSAGE_KIND_COUNT: break;
    }
    return ST_INTERNAL;
}

enum status wire_write_json(struct slice message, const struct catalogue *cat, struct buf *out,
                            struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct view v = {.out = out, .cat = cat};
    size_t begin = out->len;
    buf_put_byte(out, '{');
    enum status status = view_message(&v, message, &mem, err);
    buf_put_byte(out, '}');
    if (status == ST_OK) status = buf_status(out, err);
    if (status != ST_OK) out->len = begin;
    return status;
}
