/* Any message as JSON, for people: the debugging media type and inspection. Nothing reads it back.
 * Here is which members each message has; member.c writes them.
 */
#include "protocol/model/home.h"
#include "protocol/wire/messages.h"
#include "protocol/wire/member.h"

/* ------------------------------------------------------------------ batches */

static void base(struct view *v, const char *member, struct base b) {
    member_open(v, member, '{');
    member_number(v, "seq", b.seq);
    member_number_unless(v, "own", b.own, 0);
    member_close(v, '}');
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
    member_open(v, NULL, '{');
    member_cell(v, e, edit->cell_tag);
    member_word(v, "kind", edit_word(edit->kind));
    base(v, "base", edit->base);
    if (edit->today.seq != edit->base.seq || edit->today.own != edit->base.own)
        base(v, "today", edit->today);
    member_values(v, "values", edit->kind == EDIT_SET ? e : NULL, edit->cell_tag, edit->values,
                  edit->value_count);
    member_close(v, '}');
}

static void unit_row(struct view *v, const struct unit_row *u) {
    member_open(v, NULL, '{');
    member_entity(v, u->entity_tag);
    member_row_id(v, "row", u->row);
    base(v, "base", u->base);
    if (u->cell_count > 0) {
        member_open(v, "cells", '[');
        for (size_t i = 0; i < u->cell_count; i++) {
            member_open(v, NULL, '{');
            member_cell(v, member_entity_of(v, u->entity_tag), u->cells[i].cell_tag);
            base(v, "base", u->cells[i].base);
            member_close(v, '}');
        }
        member_close(v, ']');
    }
    member_close(v, '}');
}

static void refusal(struct view *v, const char *member, const struct entity *e,
                    struct refusal_id id) {
    member_open(v, member, '{');
    member_number(v, "batch", id.batch);
    member_number(v, "change", id.change);
    if (id.cell_tag != 0) member_cell(v, e, id.cell_tag);
    member_close(v, '}');
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
    const struct entity *e = member_entity_of(v, c->entity_tag);
    member_open(v, NULL, '{');
    member_word(v, "kind", change_word(c->kind));
    member_entity(v, c->entity_tag);
    member_row_id(v, "row", c->row);
    member_open(v, "edits", '[');
    for (size_t i = 0; i < c->edit_count; i++) edit(v, e, &c->edits[i]);
    member_close(v, ']');
    if (c->unit_count > 0) {
        member_open(v, "unit", '[');
        for (size_t i = 0; i < c->unit_count; i++) unit_row(v, &c->unit[i]);
        member_close(v, ']');
    }
    if (c->retry_count > 0) {
        member_open(v, "retry_of", '[');
        for (size_t i = 0; i < c->retry_count; i++) refusal(v, NULL, e, c->retry_of[i]);
        member_close(v, ']');
    }
    member_close(v, '}');
}

static void stamp(struct view *v, const char *member, const struct stamp *s) {
    member_open(v, member, '{');
    member_instant(v, "wall", s->wall_ms);
    member_number(v, "boot_number", s->boot_number);
    member_number(v, "boot_ms", s->boot_ms);
    member_number_unless(v, "steps_ms", s->steps_ms, 0);
    member_close(v, '}');
}

static void batch(struct view *v, const struct batch *b) {
    member_open(v, NULL, '{');
    member_number(v, "number", b->number);
    member_number_unless(v, "flags", b->flags, 0);
    member_number(v, "cursor", b->cursor);
    stamp(v, "stamp", &b->stamp);
    member_number_unless(v, "import_id", b->import_id, 0);
    member_open(v, "changes", '[');
    for (size_t i = 0; i < b->change_count; i++) change(v, &b->changes[i]);
    member_close(v, ']');
    member_close(v, '}');
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
    member_word(v, "outcome", outcome_name(outcome));
    if (reason != REASON_NONE) member_word(v, "reason", reason_text(reason, LANG_EN));
}

static void receipt_line(struct view *v, const struct receipt_line *line) {
    member_open(v, NULL, '{');
    verdict(v, line->outcome, line->reason);
    member_word(v, "state", state_word(line->state));
    member_row_id(v, "row", line->row);
    member_number(v, "prev", line->prev);
    member_number(v, "seq", line->seq);
    member_open(v, "edits", '[');
    for (size_t i = 0; i < line->edit_count; i++) {
        const struct receipt_edit *e = &line->edits[i];
        member_open(v, NULL, '{');
        member_number(v, "cell", e->cell_tag);
        verdict(v, e->outcome, e->reason);
        member_number(v, "seq", e->seq);
        if (e->has_values) member_values(v, "values", NULL, e->cell_tag, e->values, e->value_count);
        member_close(v, '}');
    }
    member_close(v, ']');
    if (line->unit_count > 0) {
        member_open(v, "unit", '[');
        for (size_t i = 0; i < line->unit_count; i++) {
            member_open(v, NULL, '{');
            member_row_id(v, "row", line->unit[i].row);
            member_word(v, "state", state_word(line->unit[i].state));
            member_close(v, '}');
        }
        member_close(v, ']');
    }
    member_close(v, '}');
}

static void receipt(struct view *v, const struct receipt *r) {
    member_open(v, NULL, '{');
    member_number(v, "batch", r->batch);
    member_number(v, "at", r->at);
    member_instant(v, "time", r->time_ms);
    member_open(v, "lines", '[');
    for (size_t i = 0; i < r->line_count; i++) receipt_line(v, &r->lines[i]);
    member_close(v, ']');
    member_close(v, '}');
}

static void record(struct view *v, const struct record *r) {
    const struct entity *e = member_entity_of(v, r->entity_tag);
    member_open(v, NULL, '{');
    member_entity(v, r->entity_tag);
    member_row_id(v, "row", r->row);
    member_number(v, "seq", r->seq);
    member_truth(v, "whole", (r->flags & RECORD_WHOLE) != 0);
    if (r->flags & RECORD_DEAD) member_truth(v, "dead", true);
    if (r->flags & RECORD_LEFT) member_truth(v, "left", true);
    member_open(v, "cells", '[');
    for (size_t i = 0; i < r->cell_count; i++) {
        member_open(v, NULL, '{');
        member_cell(v, e, r->cells[i].cell_tag);
        member_values(v, "values", e, r->cells[i].cell_tag, r->cells[i].values,
                      r->cells[i].value_count);
        member_close(v, '}');
    }
    member_close(v, ']');
    member_close(v, '}');
}

static void ledger_entry(struct view *v, const struct ledger_entry *l) {
    const struct entity *e = member_entity_of(v, l->entity_tag);
    member_open(v, NULL, '{');
    member_number(v, "seq", l->seq);
    member_entity(v, l->entity_tag);
    member_row_id(v, "row", l->row);
    if (l->cell_tag != 0) member_cell(v, e, l->cell_tag);
    member_word(v, "rule", rule_name(l->rule));
    member_number(v, "base_seq", l->base_seq);
    member_number(v, "loser_device", l->loser_device);
    member_number(v, "loser_batch", l->loser_batch);
    member_instant(v, "loser_time", l->loser_time_ms);
    member_number(v, "winner_device", l->winner_device);
    member_instant(v, "winner_time", l->winner_time_ms);
    member_truth(v, "winner_is_new", l->winner_is_new);
    member_values(v, "loser", e, l->cell_tag, l->loser, l->value_count);
    member_values(v, "winner", e, l->cell_tag, l->winner, l->value_count);
    member_close(v, '}');
}

static void labels(struct view *v, const struct slice label[LANG_COUNT]) {
    member_text(v, "label", label[LANG_EN]);
    member_text(v, "label_zh", label[LANG_ZH]);
}

static void added_field(struct view *v, const struct added_field *f) {
    member_open(v, NULL, '{');
    member_entity(v, f->entity);
    member_number(v, "tag", f->tag);
    member_number_unless(v, "group", f->group, 0);
    member_text(v, "name", f->name);
    member_word(v, "type", field_type_name((enum field_type)f->type));
    if (f->type == FIELD_SET) member_word(v, "set_of", field_type_name((enum field_type)f->set_of));
    member_word(v, "rule", rule_name((enum rule)f->rule));
    member_number_unless(v, "scale", f->scale, 0);
    member_number_unless(v, "flags", f->flags, 0);
    member_number_unless(v, "min", f->min, 0);
    member_number_unless(v, "max", f->max, 0);
    labels(v, f->label);
    member_close(v, '}');
}

static void added_value(struct view *v, const struct added_value *a) {
    member_open(v, NULL, '{');
    member_entity(v, a->entity);
    member_number(v, "field", a->field);
    member_number(v, "number", a->number);
    member_number_unless(v, "flags", a->flags, 0);
    member_text(v, "name", a->name);
    labels(v, a->label);
    member_close(v, '}');
}

static void added(struct view *v, const struct signed_additions *lists, size_t count) {
    if (count > 0) member_open(v, "added", '[');
    for (size_t i = 0; i < count; i++) {
        const struct additions *a = &lists[i].added;
        member_open(v, NULL, '{');
        member_open(v, "fields", '[');
        for (size_t k = 0; k < a->field_count; k++) added_field(v, &a->fields[k]);
        member_close(v, ']');
        member_open(v, "values", '[');
        for (size_t k = 0; k < a->value_count; k++) added_value(v, &a->values[k]);
        member_close(v, ']');
        member_hex(v, "signature", lists[i].signature, SIGN_BYTES);
        member_close(v, '}');
    }
    if (count > 0) member_close(v, ']');
}

static void small_news(struct view *v, const struct round_reply *m) {
    added(v, m->added, m->added_count);
    for (size_t i = 0; i < m->people_count; i++) {
        if (i == 0) member_open(v, "people", '[');
        member_open(v, NULL, '{');
        member_number(v, "device", m->people[i].device);
        member_row_id(v, "employee", m->people[i].employee);
        member_text(v, "name", m->people[i].name);
        member_close(v, '}');
    }
    if (m->people_count > 0) member_close(v, ']');
    for (size_t i = 0; i < m->alias_count; i++) {
        if (i == 0) member_open(v, "aliases", '[');
        member_open(v, NULL, '{');
        member_number(v, "seq", m->aliases[i].seq);
        member_row_id(v, "from", m->aliases[i].from);
        member_row_id(v, "to", m->aliases[i].to);
        member_close(v, '}');
    }
    if (m->alias_count > 0) member_close(v, ']');
    for (size_t i = 0; i < m->held_count; i++) {
        if (i == 0) member_open(v, "held", '[');
        member_open(v, NULL, '{');
        member_number(v, "seq", m->held[i].seq);
        refusal(v, "id", NULL, m->held[i].id);
        member_word(v, "state", held_state_name(m->held[i].state));
        member_close(v, '}');
    }
    if (m->held_count > 0) member_close(v, ']');
    for (size_t i = 0; i < m->others_count; i++) {
        const struct others_edit *o = &m->others[i];
        if (i == 0) member_open(v, "others", '[');
        member_open(v, NULL, '{');
        member_number(v, "seq", o->seq);
        member_number(v, "time_ms", o->time_ms);
        member_number(v, "device", o->device);
        refusal(v, "id", NULL, o->id);
        member_word(v, "reason", reason_text(o->reason, LANG_EN));
        member_close(v, '}');
    }
    if (m->others_count > 0) member_close(v, ']');
}

static void home(struct view *v, const char *name, int64_t home) {
    SCOPED(buf_free) struct buf words = buf_new(BUF_MAX_LINE);
    home_write(home, &words);
    member_text(v, name, buf_slice(&words));
    if (words.failed) v->out->failed = true;
}

static void scope_position(struct view *v, const struct scope_position *p) {
    member_open(v, "scope", '{');
    member_number(v, "told", p->told);
    member_number(v, "ready", p->ready);
    if (p->filling > p->ready) {
        member_number(v, "filling", p->filling);
        if (p->at.home != 0) home(v, "at_home", p->at.home);
        if (p->at.entity_tag != 0) member_entity(v, p->at.entity_tag);
        if (p->at.row != 0) member_row_id(v, "at_row", p->at.row);
    }
    member_close(v, '}');
}

static void reply_scope(struct view *v, const struct round_reply *m) {
    if (!m->has_scope) return;
    scope_position(v, &m->scope);
    if (m->scope_whole) member_truth(v, "scope_whole", true);
    if (m->opened_count > 0) member_open(v, "opened", '[');
    for (size_t i = 0; i < m->opened_count; i++) {
        member_open(v, NULL, '{');
        home(v, "home", m->opened[i].home);
        member_number(v, "since", m->opened[i].since);
        member_truth(v, "fills", m->opened[i].fills);
        member_close(v, '}');
    }
    if (m->opened_count > 0) member_close(v, ']');
    if (m->closed_count > 0) member_open(v, "closed", '[');
    for (size_t i = 0; i < m->closed_count; i++) home(v, NULL, m->closed[i]);
    if (m->closed_count > 0) member_close(v, ']');
    if (m->filled_count > 0) member_open(v, "filled", '[');
    for (size_t i = 0; i < m->filled_count; i++) record(v, &m->filled[i]);
    if (m->filled_count > 0) member_close(v, ']');
}

static void reply_parts(struct view *v, const struct round_reply *m) {
    if (m->receipt_count > 0) {
        member_open(v, "receipts", '[');
        for (size_t i = 0; i < m->receipt_count; i++) receipt(v, &m->receipts[i]);
        member_close(v, ']');
        member_hex(v, "receipts_signature", m->receipts_signature, SIGN_BYTES);
    }
    small_news(v, m);
    if (m->ledger_count > 0) {
        member_open(v, "ledger", '[');
        for (size_t i = 0; i < m->ledger_count; i++) ledger_entry(v, &m->ledger[i]);
        member_close(v, ']');
    }
    if (m->record_count > 0) {
        member_open(v, "records", '[');
        for (size_t i = 0; i < m->record_count; i++) record(v, &m->records[i]);
        member_close(v, ']');
    }
    reply_scope(v, m);
    if (!m->has_digest) return;
    member_hex(v, "digest", m->digest, BOOK_DIGEST_BYTES);
    member_number(v, "digest_rows", m->digest_rows);
}

/* ------------------------------------------------------------------ messages */

static void keys(struct view *v, const struct key_changes *m) {
    member_number_unless(v, "key_changes", m->total, 0);
    if (m->count > 0) member_open(v, "keys", '[');
    for (size_t i = 0; i < m->count; i++) {
        const struct key_change *k = &m->items[i];
        member_open(v, NULL, '{');
        member_hex(v, "old", k->old_public, SIGN_PUBLIC_BYTES);
        member_hex(v, "new", k->new_public, SIGN_PUBLIC_BYTES);
        member_instant(v, "time", k->time_ms);
        member_number(v, "seq", k->seq);
        member_hex(v, "by_old", k->by_old, SIGN_BYTES);
        member_hex(v, "by_new", k->by_new, SIGN_BYTES);
        member_close(v, '}');
    }
    if (m->count > 0) member_close(v, ']');
}

static enum status view_keys(struct view *v, struct slice message, struct arena *mem,
                             struct err *err) {
    struct key_changes m;
    TRY(wire_read_keys(message, mem, &m, err));
    member_word(v, "message", "keys");
    keys(v, &m);
    return ST_OK;
}

static enum status view_hello_request(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct hello_request m;
    TRY(wire_read_hello_request(message, mem, &m, err));
    member_word(v, "message", "hello request");
    member_number(v, "device", m.device);
    member_hex(v, "box_public", m.box_public, sizeof m.box_public);
    member_text(v, "release", m.release);
    member_hex(v, "catalogue", m.catalogue.bytes, CHAIN_BYTES);
    member_instant(v, "wall", m.wall_ms);
    if (m.has_wiped) member_instant(v, "wiped_by_order_of", m.wiped_order_ms);
    member_number_unless(v, "key_changes", m.key_changes, 0);
    return ST_OK;
}

static enum status view_hello_reply(struct view *v, struct slice message, struct arena *mem,
                                    struct err *err) {
    struct hello_reply m;
    TRY(wire_read_hello_reply(message, mem, &m, err));
    member_word(v, "message", "hello reply");
    member_hex(v, "box_public", m.box_public, sizeof m.box_public);
    member_instant(v, "time", m.time_ms);
    member_number(v, "key_ms", m.key_ms);
    member_text(v, "nonce", m.nonce);
    member_text(v, "release", m.release);
    member_text(v, "minimum_release", m.minimum_release);
    member_number_unless(v, "lease_days", m.lease_days, 0);
    keys(v, &m.keys);
    return ST_OK;
}

static enum status view_enroll_request(struct view *v, struct slice message, struct arena *mem,
                                       struct err *err) {
    struct enroll_request m;
    TRY(wire_read_enroll_request(message, mem, &m, err));
    member_word(v, "message", "enroll request");
    member_number(v, "code_bytes", (int64_t)m.code.len); /* the code itself is a secret */
    member_hex(v, "device_public", m.device_public, sizeof m.device_public);
    member_text(v, "device_name", m.device_name);
    member_text(v, "release", m.release);
    if (!m.copy) return ST_OK;
    member_number(v, "copy_last_batch", m.copy->last_batch);
    member_number(v, "copy_batches", (int64_t)m.copy->chain_count - 1);
    if (m.copy->save_count > 0) member_number(v, "copy_saves", (int64_t)m.copy->save_count);
    return ST_OK;
}

static enum status view_enroll_reply(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct enroll_reply m;
    TRY(wire_read_enroll_reply(message, mem, &m, err));
    member_word(v, "message", "enroll reply");
    member_number(v, "device", m.device);
    member_row_id(v, "employee", m.employee);
    member_text(v, "user", m.user);
    member_text(v, "org_label", m.org_label);
    member_number(v, "epoch", m.epoch);
    member_instant(v, "time", m.time_ms);
    if (m.has_kept) member_number(v, "kept", m.kept.last);
    if (m.kept.otherwise) member_hex(v, "taken", m.kept.chain.bytes, CHAIN_BYTES);
    keys(v, &m.keys);
    return ST_OK;
}

static void given(struct view *v, const struct give_back *g) {
    member_open(v, "given", '{');
    member_hex(v, "before", g->before.bytes, CHAIN_BYTES);
    member_hex(v, "signature", g->signature, SIGN_BYTES);
    member_open(v, "batches", '[');
    for (size_t i = 0; i < g->batch_count; i++) batch(v, &g->batches[i]);
    member_close(v, ']');
    member_open(v, "receipts", '[');
    for (size_t p = 0; p < g->proof_count; p++)
        for (size_t i = 0; i < g->proofs[p].receipt_count; i++)
            receipt(v, &g->proofs[p].receipts[i]);
    member_close(v, ']');
    member_close(v, '}');
}

static void device_report(struct view *v, const struct device_report *r) {
    static const char *const DISKS[DISK_KIND_COUNT] = {"unknown", "plain", "encrypted"};
    member_open(v, "report", '{');
    member_number(v, "newest_batch", r->newest_batch);
    member_number(v, "used_kib", r->used_kib);
    member_number(v, "free_mib", r->free_mib);
    member_word(v, "disk", DISKS[r->disk]);
    member_close(v, '}');
}

static void device_order(struct view *v, const struct device_order *o) {
    if (o->kind == ORDER_NONE) return;
    member_open(v, "order", '{');
    member_word(v, "kind", o->kind == ORDER_WIPE ? "wipe" : "revoked");
    member_instant(v, "time", o->time_ms);
    member_hex(v, "signature", o->signature, SIGN_BYTES);
    member_close(v, '}');
}

static void view_marks(struct view *v, const struct position *marks, size_t count) {
    member_open(v, "marks", '[');
    for (size_t i = 0; i < count; i++) member_position(v, NULL, &marks[i]);
    member_close(v, ']');
}

static enum status view_round_request(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct round_request m;
    TRY(wire_read_round_request(message, mem, &m, err));
    member_word(v, "message", "round request");
    member_number(v, "epoch", m.epoch);
    member_position(v, "cursor", &m.cursor);
    member_position(v, "top", &m.top);
    member_number(v, "since", m.since);
    member_number(v, "news_version", m.news_version);
    member_number(v, "last_batch", m.last_batch);
    member_hex(v, "last_chain", m.last_chain.bytes, CHAIN_BYTES);
    if (m.scope.told > 0) scope_position(v, &m.scope);
    if (m.wants_digest) member_truth(v, "wants_digest", true);
    stamp(v, "now", &m.envelope.now);
    member_number(v, "expected_offset_ms", m.envelope.expected_offset_ms);
    member_number_unless(v, "suspect_boot", m.envelope.suspect_boot, 0);
    member_number(v, "page_bytes", m.page_bytes);
    if (m.mark_count > 0) view_marks(v, m.marks, m.mark_count);
    if (m.has_voucher) member_number(v, "voucher_batch", m.voucher.last_batch);
    if (m.has_voucher) member_hex(v, "voucher", m.voucher.mac, VOUCHER_BYTES);
    if (m.facts) member_open(v, "facts", '[');
    if (m.facts) batch(v, m.facts);
    if (m.facts) member_close(v, ']');
    added(v, m.added, m.added_count);
    if (m.given) given(v, m.given);
    if (m.has_report) device_report(v, &m.report);
    if (m.batch_count == 0) return ST_OK;
    member_open(v, "batches", '[');
    for (size_t i = 0; i < m.batch_count; i++) batch(v, &m.batches[i]);
    member_close(v, ']');
    member_hex(v, "signature", m.signature, SIGN_BYTES);
    return ST_OK;
}

static void view_round(struct view *v, const struct round_reply *m) {
    member_word(v, "kind", "round");
    member_number(v, "epoch", m->epoch);
    member_instant(v, "time", m->time_ms);
    member_position(v, "head", &m->head);
    member_position(v, "cursor", &m->cursor);
    member_number(v, "since", m->since);
    member_truth(v, "more", m->more);
    member_number_unless(v, "retry_ms", m->retry_ms, 0);
    member_number(v, "last_batch", m->last_batch);
    if (m->has_news) member_number(v, "news_version", m->news_version);
    if (m->has_backup) member_number(v, "backup", m->backup);
    if (m->mark_count > 0) view_marks(v, m->marks, m->mark_count);
    if (m->wants_facts) member_number(v, "facts_taken", m->facts_taken);
    if (m->has_voucher) member_hex(v, "voucher", m->voucher, VOUCHER_BYTES);
    if (m->recovering) member_truth(v, "recovering", true);
    device_order(v, &m->order);
    reply_parts(v, m);
}

static enum status view_round_reply(struct view *v, struct slice message, struct arena *mem,
                                    struct err *err) {
    struct round_reply m;
    TRY(wire_read_round_reply(message, 0, mem, &m, err));
    member_word(v, "message", "round reply");
    switch (m.kind) {
    case REPLY_ROUND: view_round(v, &m); break;
    case REPLY_EPOCH:
        member_word(v, "kind", "epoch");
        member_number(v, "epoch", m.epoch);
        member_position(v, "cursor", &m.cursor);
        break;
    case REPLY_CLONED:
        member_word(v, "kind", "cloned");
        member_number(v, "last_batch", m.last_batch);
        break;
    }
    return ST_OK;
}

static enum status view_wait_request(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct wait_request m;
    TRY(wire_read_wait_request(message, mem, &m, err));
    member_word(v, "message", "wait request");
    member_number(v, "epoch", m.epoch);
    member_number(v, "seq", m.seq);
    return ST_OK;
}

static enum status view_content_request(struct view *v, struct slice message, struct arena *mem,
                                        struct err *err) {
    struct content_request m;
    TRY(wire_read_content_request(message, mem, &m, err));
    member_word(v, "message", "content request");
    member_word(v, "kind", m.wants ? "wants" : "brings");
    member_hex(v, "content", m.content.bytes, sizeof m.content.bytes);
    member_number(v, "bytes", m.bytes);
    member_number(v, "offset", m.offset);
    member_number(v, "bytes_max", m.bytes_max);
    member_number(v, "piece_bytes", (int64_t)m.piece.len);
    return ST_OK;
}

static enum status view_content_reply(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct content_reply m;
    TRY(wire_read_content_reply(message, mem, &m, err));
    member_word(v, "message", "content reply");
    member_number(v, "whole", m.whole);
    member_number(v, "bytes", m.bytes);
    member_number(v, "offset", m.offset);
    member_number(v, "piece_bytes", (int64_t)m.piece.len);
    return ST_OK;
}

static void repair_rows(struct view *v, const char *name, const struct repair_row *rows,
                        size_t count, bool hashes) {
    if (count == 0) return;
    member_open(v, name, '[');
    for (size_t i = 0; i < count; i++) {
        member_open(v, NULL, '{');
        member_entity(v, rows[i].entity_tag);
        member_row_id(v, "row", rows[i].row);
        if (hashes) member_hex(v, "hash", (const uint8_t *)&rows[i].hash, sizeof rows[i].hash);
        member_close(v, '}');
    }
    member_close(v, ']');
}

static void places(struct view *v, const uint32_t *items, size_t count) {
    if (count == 0) return;
    member_open(v, "places", '[');
    for (size_t i = 0; i < count; i++) member_number(v, NULL, items[i]);
    member_close(v, ']');
}

static enum status view_repair_request(struct view *v, struct slice message, struct arena *mem,
                                       struct err *err) {
    static const char *const steps[] = {"", "whole", "parts", "rows"};
    struct repair_request m;
    TRY(wire_read_repair_request(message, mem, &m, err));
    member_word(v, "message", "repair request");
    member_word(v, "step", steps[m.step]);
    places(v, m.places, m.place_count);
    member_number(v, "sums", (int64_t)m.sum_count);
    repair_rows(v, "rows", m.rows, m.row_count, true);
    return ST_OK;
}

static enum status view_repair_reply(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct repair_reply m;
    TRY(wire_read_repair_reply(message, mem, &m, err));
    member_word(v, "message", "repair reply");
    places(v, m.places, m.place_count);
    if (m.record_count > 0) member_open(v, "records", '[');
    for (size_t i = 0; i < m.record_count; i++) record(v, &m.records[i]);
    if (m.record_count > 0) member_close(v, ']');
    repair_rows(v, "drops", m.drops, m.drop_count, false);
    if (m.more) member_truth(v, "more", true);
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
    case MESSAGE_KEYS: return view_keys(v, message, mem, err);
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
