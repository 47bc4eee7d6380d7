/* Equality of messages, field by field. */
#include "tests/unit/wire_make.h"

static bool values_equal(const struct value *a, const struct value *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!value_equal(a[i], b[i])) return false;
    }
    return true;
}

bool batches_equal(const struct batch *a, const struct batch *b, size_t count) {
    SCOPED(buf_free) struct buf left = buf_new(BUF_MAX_MESSAGE), right = buf_new(BUF_MAX_MESSAGE);
    for (size_t i = 0; i < count; i++) {
        batch_write(&a[i], &left);
        batch_write(&b[i], &right);
    }
    bool equal = slice_equal(buf_slice(&left), buf_slice(&right));
    buf_free(&right);
    return equal;
}

static bool positions_equal(const struct position *a, const struct position *b) {
    return a->seq == b->seq && memcmp(a->chain.bytes, b->chain.bytes, CHAIN_BYTES) == 0;
}

static bool stamps_equal(const struct stamp *a, const struct stamp *b) {
    return a->wall_ms == b->wall_ms && a->boot_number == b->boot_number &&
           a->boot_ms == b->boot_ms && a->steps_ms == b->steps_ms;
}

static bool scopes_equal(const struct scope_position *a, const struct scope_position *b) {
    bool same = a->told == b->told && a->ready == b->ready && a->filling == b->filling;
    if (!same || a->filling == a->ready) return same;
    return a->at.home == b->at.home && a->at.entity_tag == b->at.entity_tag &&
           a->at.row == b->at.row;
}

bool requests_equal(const struct round_request *a, const struct round_request *b) {
    return a->epoch == b->epoch && positions_equal(&a->cursor, &b->cursor) &&
           positions_equal(&a->top, &b->top) && a->since == b->since &&
           a->news_version == b->news_version && a->last_batch == b->last_batch &&
           memcmp(a->last_chain.bytes, b->last_chain.bytes, CHAIN_BYTES) == 0 &&
           stamps_equal(&a->envelope.now, &b->envelope.now) &&
           a->envelope.expected_offset_ms == b->envelope.expected_offset_ms &&
           a->envelope.suspect_boot == b->envelope.suspect_boot && a->page_bytes == b->page_bytes &&
           scopes_equal(&a->scope, &b->scope) && a->wants_digest == b->wants_digest &&
           a->batch_count == b->batch_count &&
           batches_equal(a->batches, b->batches, a->batch_count) &&
           memcmp(a->signature, b->signature, SIGN_BYTES) == 0;
}

static bool receipt_edits_equal(const struct receipt_edit *a, const struct receipt_edit *b) {
    return a->cell_tag == b->cell_tag && a->outcome == b->outcome && a->reason == b->reason &&
           a->seq == b->seq && a->has_values == b->has_values && a->value_count == b->value_count &&
           values_equal(a->values, b->values, a->value_count);
}

static bool lines_equal(const struct receipt_line *a, const struct receipt_line *b) {
    bool equal = a->outcome == b->outcome && a->reason == b->reason && a->state == b->state &&
                 a->row == b->row && a->prev == b->prev && a->seq == b->seq &&
                 a->edit_count == b->edit_count && a->unit_count == b->unit_count;
    for (size_t i = 0; equal && i < a->edit_count; i++) {
        equal = receipt_edits_equal(&a->edits[i], &b->edits[i]);
    }
    for (size_t i = 0; equal && i < a->unit_count; i++) {
        equal = a->unit[i].row == b->unit[i].row && a->unit[i].state == b->unit[i].state;
    }
    return equal;
}

static bool receipts_equal(const struct receipt *a, const struct receipt *b) {
    bool equal = a->batch == b->batch && a->at == b->at && a->time_ms == b->time_ms &&
                 a->line_count == b->line_count;
    for (size_t i = 0; equal && i < a->line_count; i++)
        equal = lines_equal(&a->lines[i], &b->lines[i]);
    return equal;
}

static bool records_equal(const struct record *a, const struct record *b) {
    bool equal = a->entity_tag == b->entity_tag && a->flags == b->flags && a->row == b->row &&
                 a->seq == b->seq && a->cell_count == b->cell_count;
    for (size_t i = 0; equal && i < a->cell_count; i++) {
        const struct record_cell *x = &a->cells[i], *y = &b->cells[i];
        equal = x->cell_tag == y->cell_tag && x->value_count == y->value_count &&
                values_equal(x->values, y->values, x->value_count);
    }
    return equal;
}

static bool entries_equal(const struct ledger_entry *a, const struct ledger_entry *b) {
    return a->seq == b->seq && a->entity_tag == b->entity_tag && a->row == b->row &&
           a->cell_tag == b->cell_tag && a->rule == b->rule && a->base_seq == b->base_seq &&
           a->loser_device == b->loser_device && a->winner_device == b->winner_device &&
           a->loser_batch == b->loser_batch && a->loser_time_ms == b->loser_time_ms &&
           a->winner_time_ms == b->winner_time_ms && a->winner_is_new == b->winner_is_new &&
           a->value_count == b->value_count && values_equal(a->loser, b->loser, a->value_count) &&
           values_equal(a->winner, b->winner, a->value_count);
}

static bool news_equal(const struct round_reply *a, const struct round_reply *b) {
    bool equal = a->people_count == b->people_count && a->alias_count == b->alias_count &&
                 a->held_count == b->held_count;
    for (size_t i = 0; equal && i < a->people_count; i++) {
        equal = a->people[i].device == b->people[i].device &&
                a->people[i].employee == b->people[i].employee &&
                slice_equal(a->people[i].name, b->people[i].name);
    }
    for (size_t i = 0; equal && i < a->alias_count; i++) {
        equal = a->aliases[i].seq == b->aliases[i].seq &&
                a->aliases[i].from == b->aliases[i].from && a->aliases[i].to == b->aliases[i].to;
    }
    for (size_t i = 0; equal && i < a->held_count; i++) {
        const struct held_news *x = &a->held[i], *y = &b->held[i];
        equal = x->seq == y->seq && x->state == y->state && x->id.batch == y->id.batch &&
                x->id.change == y->id.change && x->id.cell_tag == y->id.cell_tag;
    }
    return equal;
}

static bool homes_equal_in(const struct round_reply *a, const struct round_reply *b) {
    bool equal = a->has_scope == b->has_scope && a->has_digest == b->has_digest;
    if (equal && a->has_digest)
        equal = memcmp(a->digest, b->digest, BOOK_DIGEST_BYTES) == 0 &&
                a->digest_rows == b->digest_rows;
    if (!equal || !a->has_scope) return equal;
    equal = scopes_equal(&a->scope, &b->scope) && a->scope_whole == b->scope_whole &&
            a->opened_count == b->opened_count && a->closed_count == b->closed_count &&
            a->filled_count == b->filled_count;
    for (size_t i = 0; equal && i < a->opened_count; i++)
        equal = a->opened[i].home == b->opened[i].home &&
                a->opened[i].since == b->opened[i].since &&
                a->opened[i].fills == b->opened[i].fills;
    for (size_t i = 0; equal && i < a->closed_count; i++) equal = a->closed[i] == b->closed[i];
    for (size_t i = 0; equal && i < a->filled_count; i++)
        equal = records_equal(&a->filled[i], &b->filled[i]);
    return equal;
}

bool replies_equal(const struct round_reply *a, const struct round_reply *b) {
    bool equal = a->kind == b->kind && a->epoch == b->epoch && a->time_ms == b->time_ms &&
                 positions_equal(&a->head, &b->head) && positions_equal(&a->cursor, &b->cursor) &&
                 a->since == b->since && a->more == b->more && a->retry_ms == b->retry_ms &&
                 a->last_batch == b->last_batch && a->has_news == b->has_news &&
                 a->news_version == b->news_version && news_equal(a, b) && homes_equal_in(a, b) &&
                 a->receipt_count == b->receipt_count && a->record_count == b->record_count &&
                 a->ledger_count == b->ledger_count;
    for (size_t i = 0; equal && i < a->receipt_count; i++) {
        equal = receipts_equal(&a->receipts[i], &b->receipts[i]);
    }
    for (size_t i = 0; equal && i < a->record_count; i++) {
        equal = records_equal(&a->records[i], &b->records[i]);
    }
    for (size_t i = 0; equal && i < a->ledger_count; i++) {
        equal = entries_equal(&a->ledger[i], &b->ledger[i]);
    }
    return equal;
}
