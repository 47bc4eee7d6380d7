/* Any message as JSON, for people: the debugging media type and inspection. Nothing reads it back.
 *
 * With a catalogue, entities, cells and values stand by name; without one, or for what this release
 * does not know, by tag and as they travel.
 */
#include "protocol/model/home.h"
#include "protocol/wire/coder.h"
#include "protocol/wire/messages.h"

struct view {
    struct buf *out;
    const struct catalogue *cat; /* may be NULL */
};

/* ------------------------------------------------------------------ members */

static void name(struct view *v, const char *member) {
    uint8_t before = v->out->len > 0 && !v->out->failed ? v->out->data[v->out->len - 1] : '{';
    if (before != '{' && before != '[') buf_put_byte(v->out, ',');
    if (!member) return;
    buf_put_json_text(v->out, member);
    buf_put_byte(v->out, ':');
}

static void open(struct view *v, const char *member, char bracket) {
    name(v, member);
    buf_put_byte(v->out, (uint8_t)bracket);
}

static void close(struct view *v, char bracket) {
    buf_put_byte(v->out, (uint8_t)bracket);
}

static void number(struct view *v, const char *member, int64_t value) {
    name(v, member);
    buf_printf(v->out, "%lld", (long long)value);
}

static void number_unless(struct view *v, const char *member, int64_t value, int64_t usual) {
    if (value != usual) number(v, member, value);
}

static void truth(struct view *v, const char *member, bool value) {
    name(v, member);
    buf_put_text(v->out, value ? "true" : "false");
}

static void word(struct view *v, const char *member, const char *value) {
    name(v, member);
    buf_put_json_text(v->out, value);
}

static void text(struct view *v, const char *member, struct slice value) {
    name(v, member);
    buf_put_json_string(v->out, value);
}

static void hex(struct view *v, const char *member, const uint8_t *bytes, size_t count) {
    name(v, member);
    buf_put_byte(v->out, '"');
    buf_put_hex(v->out, slice_of(bytes, count));
    buf_put_byte(v->out, '"');
}

static void instant(struct view *v, const char *member, int64_t unix_ms) {
    name(v, member);
    buf_put_byte(v->out, '"');
    buf_put_time(v->out, unix_ms, 0);
    buf_put_byte(v->out, '"');
}

static void row_id(struct view *v, const char *member, int64_t id) {
    if (!id_is_valid(id)) {
        number(v, member, id);
        return;
    }
    char form[ID_TEXT_BYTES];
    id_format(id, form);
    word(v, member, form);
}

static void position(struct view *v, const char *member, const struct position *p) {
    open(v, member, '{');
    number(v, "seq", p->seq);
    hex(v, "chain", p->chain.bytes, CHAIN_BYTES);
    close(v, '}');
}

/* ------------------------------------------------------------------ entities, cells, values */

static const struct entity *entity_of(const struct view *v, uint32_t tag) {
    return v->cat ? catalogue_entity_by_tag(v->cat, tag) : NULL;
}

static void entity(struct view *v, uint32_t tag) {
    const struct entity *e = entity_of(v, tag);
    if (e) {
        word(v, "entity", e->name);
    } else {
        number(v, "entity", tag);
    }
}

static void cell(struct view *v, const struct entity *e, uint32_t tag) {
    const struct cell *known = e ? entity_cell(e, tag) : NULL;
    if (known) {
        word(v, "cell", cell_name(e, known));
    } else {
        number(v, "cell", tag);
    }
}

static void plain_value(struct view *v, struct value value) {
    switch (value.kind) {
    case VALUE_NULL: buf_put_text(v->out, "null"); break;
    case VALUE_INT: buf_printf(v->out, "%lld", (long long)value.number); break;
    case VALUE_TEXT: buf_put_json_string(v->out, value.text); break;
    }
}

static bool is_text_type(enum field_type type) {
    return type == FIELD_TEXT || type == FIELD_NOTE || type == FIELD_SET;
}

/* By the field's type where the value is of its kind; a peer may send anything. */
static void field_value(struct view *v, const struct field *f, struct value value) {
    bool fits =
        f && value.kind != VALUE_NULL && (value.kind == VALUE_TEXT) == is_text_type(f->type);
    if (fits) {
        field_write_json(f, value, v->out);
    } else {
        plain_value(v, value);
    }
}

static void values(struct view *v, const char *member, const struct entity *e, uint32_t tag,
                   const struct value *items, size_t count) {
    const struct cell *known = e ? entity_cell(e, tag) : NULL;
    open(v, member, '[');
    for (size_t i = 0; i < count; i++) {
        name(v, NULL);
        field_value(v, known && i < known->count ? &e->fields[known->first + i] : NULL, items[i]);
    }
    close(v, ']');
}

/* ------------------------------------------------------------------ batches */

static void base(struct view *v, const char *member, struct base b) {
    open(v, member, '{');
    number(v, "seq", b.seq);
    number_unless(v, "own", b.own, 0);
    close(v, '}');
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
    open(v, NULL, '{');
    cell(v, e, edit->cell_tag);
    word(v, "kind", edit_word(edit->kind));
    base(v, "base", edit->base);
    if (edit->today.seq != edit->base.seq || edit->today.own != edit->base.own)
        base(v, "today", edit->today);
    values(v, "values", edit->kind == EDIT_SET ? e : NULL, edit->cell_tag, edit->values,
           edit->value_count);
    close(v, '}');
}

static void unit_row(struct view *v, const struct unit_row *u) {
    open(v, NULL, '{');
    entity(v, u->entity_tag);
    row_id(v, "row", u->row);
    base(v, "base", u->base);
    if (u->cell_count > 0) {
        open(v, "cells", '[');
        for (size_t i = 0; i < u->cell_count; i++) {
            open(v, NULL, '{');
            cell(v, entity_of(v, u->entity_tag), u->cells[i].cell_tag);
            base(v, "base", u->cells[i].base);
            close(v, '}');
        }
        close(v, ']');
    }
    close(v, '}');
}

static void refusal(struct view *v, const char *member, const struct entity *e,
                    struct refusal_id id) {
    open(v, member, '{');
    number(v, "batch", id.batch);
    number(v, "change", id.change);
    if (id.cell_tag != 0) cell(v, e, id.cell_tag);
    close(v, '}');
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
    const struct entity *e = entity_of(v, c->entity_tag);
    open(v, NULL, '{');
    word(v, "kind", change_word(c->kind));
    entity(v, c->entity_tag);
    row_id(v, "row", c->row);
    open(v, "edits", '[');
    for (size_t i = 0; i < c->edit_count; i++) edit(v, e, &c->edits[i]);
    close(v, ']');
    if (c->unit_count > 0) {
        open(v, "unit", '[');
        for (size_t i = 0; i < c->unit_count; i++) unit_row(v, &c->unit[i]);
        close(v, ']');
    }
    if (c->retry_count > 0) {
        open(v, "retry_of", '[');
        for (size_t i = 0; i < c->retry_count; i++) refusal(v, NULL, e, c->retry_of[i]);
        close(v, ']');
    }
    close(v, '}');
}

static void stamp(struct view *v, const char *member, const struct stamp *s) {
    open(v, member, '{');
    instant(v, "wall", s->wall_ms);
    number(v, "boot_number", s->boot_number);
    number(v, "boot_ms", s->boot_ms);
    number_unless(v, "steps_ms", s->steps_ms, 0);
    close(v, '}');
}

static void batch(struct view *v, const struct batch *b) {
    open(v, NULL, '{');
    number(v, "number", b->number);
    number_unless(v, "flags", b->flags, 0);
    number(v, "cursor", b->cursor);
    stamp(v, "stamp", &b->stamp);
    number_unless(v, "import_id", b->import_id, 0);
    open(v, "changes", '[');
    for (size_t i = 0; i < b->change_count; i++) change(v, &b->changes[i]);
    close(v, ']');
    close(v, '}');
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
    word(v, "outcome", outcome_name(outcome));
    if (reason != REASON_NONE) word(v, "reason", reason_text(reason, LANG_EN));
}

static void receipt_line(struct view *v, const struct receipt_line *line) {
    open(v, NULL, '{');
    verdict(v, line->outcome, line->reason);
    word(v, "state", state_word(line->state));
    row_id(v, "row", line->row);
    number(v, "prev", line->prev);
    number(v, "seq", line->seq);
    open(v, "edits", '[');
    for (size_t i = 0; i < line->edit_count; i++) {
        const struct receipt_edit *e = &line->edits[i];
        open(v, NULL, '{');
        number(v, "cell", e->cell_tag);
        verdict(v, e->outcome, e->reason);
        number(v, "seq", e->seq);
        if (e->has_values) values(v, "values", NULL, e->cell_tag, e->values, e->value_count);
        close(v, '}');
    }
    close(v, ']');
    if (line->unit_count > 0) {
        open(v, "unit", '[');
        for (size_t i = 0; i < line->unit_count; i++) {
            open(v, NULL, '{');
            row_id(v, "row", line->unit[i].row);
            word(v, "state", state_word(line->unit[i].state));
            close(v, '}');
        }
        close(v, ']');
    }
    close(v, '}');
}

static void receipt(struct view *v, const struct receipt *r) {
    open(v, NULL, '{');
    number(v, "batch", r->batch);
    number(v, "at", r->at);
    instant(v, "time", r->time_ms);
    open(v, "lines", '[');
    for (size_t i = 0; i < r->line_count; i++) receipt_line(v, &r->lines[i]);
    close(v, ']');
    close(v, '}');
}

static void record(struct view *v, const struct record *r) {
    const struct entity *e = entity_of(v, r->entity_tag);
    open(v, NULL, '{');
    entity(v, r->entity_tag);
    row_id(v, "row", r->row);
    number(v, "seq", r->seq);
    truth(v, "whole", (r->flags & RECORD_WHOLE) != 0);
    if (r->flags & RECORD_DEAD) truth(v, "dead", true);
    if (r->flags & RECORD_LEFT) truth(v, "left", true);
    open(v, "cells", '[');
    for (size_t i = 0; i < r->cell_count; i++) {
        open(v, NULL, '{');
        cell(v, e, r->cells[i].cell_tag);
        values(v, "values", e, r->cells[i].cell_tag, r->cells[i].values, r->cells[i].value_count);
        close(v, '}');
    }
    close(v, ']');
    close(v, '}');
}

static void ledger_entry(struct view *v, const struct ledger_entry *l) {
    const struct entity *e = entity_of(v, l->entity_tag);
    open(v, NULL, '{');
    number(v, "seq", l->seq);
    entity(v, l->entity_tag);
    row_id(v, "row", l->row);
    if (l->cell_tag != 0) cell(v, e, l->cell_tag);
    word(v, "rule", rule_name(l->rule));
    number(v, "base_seq", l->base_seq);
    number(v, "loser_device", l->loser_device);
    number(v, "loser_batch", l->loser_batch);
    instant(v, "loser_time", l->loser_time_ms);
    number(v, "winner_device", l->winner_device);
    instant(v, "winner_time", l->winner_time_ms);
    truth(v, "winner_is_new", l->winner_is_new);
    values(v, "loser", e, l->cell_tag, l->loser, l->value_count);
    values(v, "winner", e, l->cell_tag, l->winner, l->value_count);
    close(v, '}');
}

static void small_news(struct view *v, const struct round_reply *m) {
    for (size_t i = 0; i < m->people_count; i++) {
        if (i == 0) open(v, "people", '[');
        open(v, NULL, '{');
        number(v, "device", m->people[i].device);
        row_id(v, "employee", m->people[i].employee);
        text(v, "name", m->people[i].name);
        close(v, '}');
    }
    if (m->people_count > 0) close(v, ']');
    for (size_t i = 0; i < m->alias_count; i++) {
        if (i == 0) open(v, "aliases", '[');
        open(v, NULL, '{');
        number(v, "seq", m->aliases[i].seq);
        row_id(v, "from", m->aliases[i].from);
        row_id(v, "to", m->aliases[i].to);
        close(v, '}');
    }
    if (m->alias_count > 0) close(v, ']');
    for (size_t i = 0; i < m->held_count; i++) {
        if (i == 0) open(v, "held", '[');
        open(v, NULL, '{');
        number(v, "seq", m->held[i].seq);
        refusal(v, "id", NULL, m->held[i].id);
        word(v, "state", held_state_name(m->held[i].state));
        close(v, '}');
    }
    if (m->held_count > 0) close(v, ']');
}

static void home(struct view *v, const char *name, int64_t home) {
    SCOPED(buf_free) struct buf words = buf_new(BUF_MAX_LINE);
    home_write(home, &words);
    text(v, name, buf_slice(&words));
}

static void scope_position(struct view *v, const struct scope_position *p) {
    open(v, "scope", '{');
    number(v, "told", p->told);
    number(v, "ready", p->ready);
    if (p->filling > p->ready) {
        number(v, "filling", p->filling);
        if (p->at.home != 0) home(v, "at_home", p->at.home);
        if (p->at.entity_tag != 0) entity(v, p->at.entity_tag);
        if (p->at.row != 0) row_id(v, "at_row", p->at.row);
    }
    close(v, '}');
}

static void reply_scope(struct view *v, const struct round_reply *m) {
    if (!m->has_scope) return;
    scope_position(v, &m->scope);
    if (m->scope_whole) truth(v, "scope_whole", true);
    if (m->opened_count > 0) open(v, "opened", '[');
    for (size_t i = 0; i < m->opened_count; i++) {
        open(v, NULL, '{');
        home(v, "home", m->opened[i].home);
        number(v, "since", m->opened[i].since);
        truth(v, "fills", m->opened[i].fills);
        close(v, '}');
    }
    if (m->opened_count > 0) close(v, ']');
    if (m->closed_count > 0) open(v, "closed", '[');
    for (size_t i = 0; i < m->closed_count; i++) home(v, NULL, m->closed[i]);
    if (m->closed_count > 0) close(v, ']');
    if (m->filled_count > 0) open(v, "filled", '[');
    for (size_t i = 0; i < m->filled_count; i++) record(v, &m->filled[i]);
    if (m->filled_count > 0) close(v, ']');
}

static void reply_parts(struct view *v, const struct round_reply *m) {
    if (m->receipt_count > 0) {
        open(v, "receipts", '[');
        for (size_t i = 0; i < m->receipt_count; i++) receipt(v, &m->receipts[i]);
        close(v, ']');
        hex(v, "receipts_signature", m->receipts_signature, SIGN_BYTES);
    }
    small_news(v, m);
    if (m->ledger_count > 0) {
        open(v, "ledger", '[');
        for (size_t i = 0; i < m->ledger_count; i++) ledger_entry(v, &m->ledger[i]);
        close(v, ']');
    }
    if (m->record_count > 0) {
        open(v, "records", '[');
        for (size_t i = 0; i < m->record_count; i++) record(v, &m->records[i]);
        close(v, ']');
    }
    reply_scope(v, m);
    if (!m->has_digest) return;
    hex(v, "digest", m->digest, BOOK_DIGEST_BYTES);
    number(v, "digest_rows", m->digest_rows);
}

/* ------------------------------------------------------------------ messages */

static enum status view_hello_request(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct hello_request m;
    TRY(wire_read_hello_request(message, mem, &m, err));
    word(v, "message", "hello request");
    number(v, "device", m.device);
    hex(v, "box_public", m.box_public, sizeof m.box_public);
    text(v, "release", m.release);
    hex(v, "catalogue", m.catalogue.bytes, CHAIN_BYTES);
    instant(v, "wall", m.wall_ms);
    if (m.has_wiped) instant(v, "wiped_by_order_of", m.wiped_order_ms);
    return ST_OK;
}

static enum status view_hello_reply(struct view *v, struct slice message, struct arena *mem,
                                    struct err *err) {
    struct hello_reply m;
    TRY(wire_read_hello_reply(message, mem, &m, err));
    word(v, "message", "hello reply");
    hex(v, "box_public", m.box_public, sizeof m.box_public);
    instant(v, "time", m.time_ms);
    number(v, "key_ms", m.key_ms);
    text(v, "nonce", m.nonce);
    text(v, "release", m.release);
    text(v, "minimum_release", m.minimum_release);
    number_unless(v, "lease_days", m.lease_days, 0);
    return ST_OK;
}

static enum status view_enroll_request(struct view *v, struct slice message, struct arena *mem,
                                       struct err *err) {
    struct enroll_request m;
    TRY(wire_read_enroll_request(message, mem, &m, err));
    word(v, "message", "enroll request");
    number(v, "code_bytes", (int64_t)m.code.len); /* the code itself is a secret */
    hex(v, "device_public", m.device_public, sizeof m.device_public);
    text(v, "device_name", m.device_name);
    text(v, "release", m.release);
    if (!m.copy) return ST_OK;
    number(v, "copy_last_batch", m.copy->last_batch);
    number(v, "copy_batches", (int64_t)m.copy->chain_count - 1);
    return ST_OK;
}

static enum status view_enroll_reply(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct enroll_reply m;
    TRY(wire_read_enroll_reply(message, mem, &m, err));
    word(v, "message", "enroll reply");
    number(v, "device", m.device);
    row_id(v, "employee", m.employee);
    text(v, "user", m.user);
    text(v, "org_label", m.org_label);
    number(v, "epoch", m.epoch);
    instant(v, "time", m.time_ms);
    if (m.has_kept) number(v, "kept", m.kept);
    return ST_OK;
}

static void given(struct view *v, const struct give_back *g) {
    open(v, "given", '{');
    hex(v, "before", g->before.bytes, CHAIN_BYTES);
    hex(v, "signature", g->signature, SIGN_BYTES);
    open(v, "batches", '[');
    for (size_t i = 0; i < g->batch_count; i++) batch(v, &g->batches[i]);
    close(v, ']');
    open(v, "receipts", '[');
    for (size_t p = 0; p < g->proof_count; p++)
        for (size_t i = 0; i < g->proofs[p].receipt_count; i++)
            receipt(v, &g->proofs[p].receipts[i]);
    close(v, ']');
    close(v, '}');
}

static void device_report(struct view *v, const struct device_report *r) {
    static const char *const DISKS[DISK_KIND_COUNT] = {"unknown", "plain", "encrypted"};
    open(v, "report", '{');
    number(v, "newest_batch", r->newest_batch);
    number(v, "used_kib", r->used_kib);
    number(v, "free_mib", r->free_mib);
    word(v, "disk", DISKS[r->disk]);
    close(v, '}');
}

static void device_order(struct view *v, const struct device_order *o) {
    if (o->kind == ORDER_NONE) return;
    open(v, "order", '{');
    word(v, "kind", o->kind == ORDER_WIPE ? "wipe" : "revoked");
    instant(v, "time", o->time_ms);
    hex(v, "signature", o->signature, SIGN_BYTES);
    close(v, '}');
}

static enum status view_round_request(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct round_request m;
    TRY(wire_read_round_request(message, mem, &m, err));
    word(v, "message", "round request");
    number(v, "epoch", m.epoch);
    position(v, "cursor", &m.cursor);
    position(v, "top", &m.top);
    number(v, "since", m.since);
    number(v, "news_version", m.news_version);
    number(v, "last_batch", m.last_batch);
    hex(v, "last_chain", m.last_chain.bytes, CHAIN_BYTES);
    if (m.scope.told > 0) scope_position(v, &m.scope);
    if (m.wants_digest) truth(v, "wants_digest", true);
    stamp(v, "now", &m.envelope.now);
    number(v, "expected_offset_ms", m.envelope.expected_offset_ms);
    number_unless(v, "suspect_boot", m.envelope.suspect_boot, 0);
    number(v, "page_bytes", m.page_bytes);
    if (m.mark_count > 0) open(v, "marks", '[');
    for (size_t i = 0; i < m.mark_count; i++) position(v, NULL, &m.marks[i]);
    if (m.mark_count > 0) close(v, ']');
    if (m.given) given(v, m.given);
    if (m.has_report) device_report(v, &m.report);
    if (m.batch_count == 0) return ST_OK;
    open(v, "batches", '[');
    for (size_t i = 0; i < m.batch_count; i++) batch(v, &m.batches[i]);
    close(v, ']');
    hex(v, "signature", m.signature, SIGN_BYTES);
    return ST_OK;
}

static void view_round(struct view *v, const struct round_reply *m) {
    word(v, "kind", "round");
    number(v, "epoch", m->epoch);
    instant(v, "time", m->time_ms);
    position(v, "head", &m->head);
    position(v, "cursor", &m->cursor);
    number(v, "since", m->since);
    truth(v, "more", m->more);
    number_unless(v, "retry_ms", m->retry_ms, 0);
    number(v, "last_batch", m->last_batch);
    if (m->has_news) number(v, "news_version", m->news_version);
    if (m->has_backup) number(v, "backup", m->backup);
    if (m->recovering) truth(v, "recovering", true);
    device_order(v, &m->order);
    reply_parts(v, m);
}

static enum status view_round_reply(struct view *v, struct slice message, struct arena *mem,
                                    struct err *err) {
    struct round_reply m;
    TRY(wire_read_round_reply(message, 0, mem, &m, err));
    word(v, "message", "round reply");
    switch (m.kind) {
    case REPLY_ROUND: view_round(v, &m); break;
    case REPLY_EPOCH:
        word(v, "kind", "epoch");
        number(v, "epoch", m.epoch);
        position(v, "cursor", &m.cursor);
        break;
    case REPLY_CLONED:
        word(v, "kind", "cloned");
        number(v, "last_batch", m.last_batch);
        break;
    }
    return ST_OK;
}

static enum status view_wait_request(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct wait_request m;
    TRY(wire_read_wait_request(message, mem, &m, err));
    word(v, "message", "wait request");
    number(v, "epoch", m.epoch);
    number(v, "seq", m.seq);
    return ST_OK;
}

static void content_hash(struct view *v, const struct hash *hash) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    buf_put_hex(&text, slice_of(hash->bytes, sizeof hash->bytes));
    word(v, "content", buf_text(&text));
}

static enum status view_content_request(struct view *v, struct slice message, struct arena *mem,
                                        struct err *err) {
    struct content_request m;
    TRY(wire_read_content_request(message, mem, &m, err));
    word(v, "message", "content request");
    word(v, "kind", m.wants ? "wants" : "brings");
    content_hash(v, &m.content);
    number(v, "bytes", m.bytes);
    number(v, "offset", m.offset);
    number(v, "bytes_max", m.bytes_max);
    number(v, "piece_bytes", (int64_t)m.piece.len);
    return ST_OK;
}

static enum status view_content_reply(struct view *v, struct slice message, struct arena *mem,
                                      struct err *err) {
    struct content_reply m;
    TRY(wire_read_content_reply(message, mem, &m, err));
    word(v, "message", "content reply");
    number(v, "whole", m.whole);
    number(v, "bytes", m.bytes);
    number(v, "offset", m.offset);
    number(v, "piece_bytes", (int64_t)m.piece.len);
    return ST_OK;
}

static void repair_rows(struct view *v, const char *name, const struct repair_row *rows,
                        size_t count, bool hashes) {
    if (count == 0) return;
    open(v, name, '[');
    for (size_t i = 0; i < count; i++) {
        open(v, NULL, '{');
        entity(v, rows[i].entity_tag);
        row_id(v, "row", rows[i].row);
        if (hashes) hex(v, "hash", (const uint8_t *)&rows[i].hash, sizeof rows[i].hash);
        close(v, '}');
    }
    close(v, ']');
}

static void places(struct view *v, const uint32_t *items, size_t count) {
    if (count == 0) return;
    open(v, "places", '[');
    for (size_t i = 0; i < count; i++) number(v, NULL, items[i]);
    close(v, ']');
}

static enum status view_repair_request(struct view *v, struct slice message, struct arena *mem,
                                       struct err *err) {
    static const char *const steps[] = {"", "whole", "parts", "rows"};
    struct repair_request m;
    TRY(wire_read_repair_request(message, mem, &m, err));
    word(v, "message", "repair request");
    word(v, "step", steps[m.step]);
    places(v, m.places, m.place_count);
    number(v, "sums", (int64_t)m.sum_count);
    repair_rows(v, "rows", m.rows, m.row_count, true);
    return ST_OK;
}

static enum status view_repair_reply(struct view *v, struct slice message, struct arena *mem,
                                     struct err *err) {
    struct repair_reply m;
    TRY(wire_read_repair_reply(message, mem, &m, err));
    word(v, "message", "repair reply");
    places(v, m.places, m.place_count);
    if (m.record_count > 0) open(v, "records", '[');
    for (size_t i = 0; i < m.record_count; i++) record(v, &m.records[i]);
    if (m.record_count > 0) close(v, ']');
    repair_rows(v, "drops", m.drops, m.drop_count, false);
    if (m.more) truth(v, "more", true);
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
