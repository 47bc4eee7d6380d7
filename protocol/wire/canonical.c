/* Canonical batches: the bytes that are hashed, signed and kept. Reading writes what it read once
 * more and compares, so that a batch has one spelling and no rule of the writer needs a twin in the
 * reader.
 */
#include "protocol/wire/coder.h"

/* The least bytes that one of each takes: what a count may promise of the bytes left. */
enum {
    EDIT_BYTES_MIN = 3,
    UNIT_BYTES_MIN = 5,
    UNIT_CELL_BYTES_MIN = 3,
    RETRY_BYTES_MIN = 3,
    CHANGE_BYTES_MIN = 4
};

/* The first byte of a change and of an edit: the kind, and what follows. */
enum { HEAD_KIND = 3, HEAD_MORE = 4, HEAD_RETRY = 8, HEAD_BITS = 15 };
enum { EDIT_KIND = 3, EDIT_BASE = 4, EDIT_TODAY = 8, EDIT_BITS = 15 };

static bool base_equal(struct base a, struct base b) {
    return a.seq == b.seq && a.own == b.own;
}

static struct base code_base(struct coder *c, struct base base) {
    base.seq = code_seq(c, base.seq);
    base.own = code_u32(c, base.own);
    return base;
}

static bool values_are_sound(const struct value *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool empty_text = values[i].kind == VALUE_TEXT && values[i].text.len == 0;
        if (empty_text) return false;
    }
    return true;
}

static bool edit_is_sound(const struct edit *e) {
    if (!values_are_sound(e->values, e->value_count)) return false;
    switch (e->kind) {
    case EDIT_SET: return e->value_count >= 1;
    case EDIT_COUNT: return e->value_count == 1 && e->values[0].kind == VALUE_INT;
    case EDIT_ELEMENTS:
        return e->value_count == 2 && e->values[0].kind != VALUE_INT &&
               e->values[1].kind != VALUE_INT;
    }
    return false;
}

bool change_is_sound(const struct change *change) {
    if (change->row < 1 || change->row > ID_MAX) return false;
    for (size_t i = 0; i < change->edit_count; i++) {
        if (i > 0 && change->edits[i].cell_tag <= change->edits[i - 1].cell_tag) return false;
        if (!edit_is_sound(&change->edits[i])) return false;
    }
    return true;
}

/* Most edits set one cell to a number on the base of the edit before: the bytes of code_edit in one
 * go. false: this one is not of them. */
static bool put_number_edit(struct buf *out, struct base before, const struct edit *e) {
    enum { BYTES_MAX = 4 + 10 };
    bool plain = e->kind == EDIT_SET && e->value_count == 1 && e->values[0].kind == VALUE_INT &&
                 e->cell_tag < 0x80 && base_equal(e->base, before) && base_equal(e->today, before);
    if (!plain || out->failed || out->cap - out->len <= BYTES_MAX) return false;
    int64_t number = e->values[0].number;
    uint64_t left = (uint64_t)number << 1;
    uint8_t *at = out->data + out->len;
    *at++ = (uint8_t)e->cell_tag;
    *at++ = EDIT_SET;
    *at++ = 1;
    *at++ = VALUE_INT;
    for (left = number < 0 ? ~left : left; left >= 0x80; left >>= 7) *at++ = (uint8_t)(left | 0x80);
    *at++ = (uint8_t)left;
    out->len = (size_t)(at - out->data);
    return true;
}

/* An edit says only what differs: its base from that of the edit before, today from its base. */
static void code_edit(struct coder *c, struct base before, struct edit *e) {
    if (!c->reading && put_number_edit(c->out, before, e)) return;
    unsigned head = (unsigned)e->kind | (base_equal(e->base, before) ? 0 : EDIT_BASE) |
                    (base_equal(e->today, e->base) ? 0 : EDIT_TODAY);
    e->cell_tag = code_u32(c, e->cell_tag);
    head = (unsigned)code_number(c, head, EDIT_BITS);
    if ((head & EDIT_KIND) > EDIT_ELEMENTS) coder_fail(c, ST_MALFORMED);
    e->kind = (enum edit_kind)(head & EDIT_KIND);
    e->base = head & EDIT_BASE ? code_base(c, e->base) : before;
    e->today = head & EDIT_TODAY ? code_base(c, e->today) : e->base;
    e->value_count = code_count(c, e->value_count, 1);
    e->values = code_items(c, e->values, e->value_count, sizeof *e->values);
    for (size_t i = 0; i < e->value_count && !coder_failed(c); i++) {
        e->values[i] = code_value(c, e->values[i]);
    }
}

static void code_unit_row(struct coder *c, struct unit_row *u) {
    u->entity_tag = code_u32(c, u->entity_tag);
    u->row = code_seq(c, u->row);
    u->base = code_base(c, u->base);
    u->cell_count = code_count(c, u->cell_count, UNIT_CELL_BYTES_MIN);
    u->cells = code_items(c, u->cells, u->cell_count, sizeof *u->cells);
    for (size_t i = 0; i < u->cell_count && !coder_failed(c); i++) {
        u->cells[i].cell_tag = code_u32(c, u->cells[i].cell_tag);
        u->cells[i].base = code_base(c, u->cells[i].base);
    }
}

static void code_unit(struct coder *c, struct change *change) {
    change->unit_count = code_count(c, change->unit_count, UNIT_BYTES_MIN);
    if (change->unit_count > UNIT_ROWS_MAX) coder_fail(c, ST_TOO_LARGE);
    change->unit = code_items(c, change->unit, change->unit_count, sizeof *change->unit);
    for (size_t i = 0; i < change->unit_count && !coder_failed(c); i++) {
        code_unit_row(c, &change->unit[i]);
    }
}

static void code_retries(struct coder *c, struct change *change) {
    change->retry_count = code_count(c, change->retry_count, RETRY_BYTES_MIN);
    change->retry_of =
        code_items(c, change->retry_of, change->retry_count, sizeof *change->retry_of);
    for (size_t i = 0; i < change->retry_count && !coder_failed(c); i++) {
        struct refusal_id *id = &change->retry_of[i];
        id->batch = code_u32(c, id->batch);
        id->change = code_u32(c, id->change);
        id->cell_tag = code_u32(c, id->cell_tag);
    }
}

void code_change(struct coder *c, struct change *change) {
    unsigned head = (unsigned)change->kind | (change->unit_count > 0 ? HEAD_MORE : 0) |
                    (change->retry_count > 0 ? HEAD_RETRY : 0);
    head = (unsigned)code_number(c, head, HEAD_BITS);
    if ((head & HEAD_KIND) > CHANGE_DELETE) coder_fail(c, ST_MALFORMED);
    change->kind = (enum change_kind)(head & HEAD_KIND);
    change->entity_tag = code_u32(c, change->entity_tag);
    change->row = code_seq(c, change->row);
    change->edit_count = code_count(c, change->edit_count, EDIT_BYTES_MIN);
    change->edits = code_items(c, change->edits, change->edit_count, sizeof *change->edits);
    struct base before = {0};
    for (size_t i = 0; i < change->edit_count && !coder_failed(c); i++) {
        code_edit(c, before, &change->edits[i]);
        before = change->edits[i].base;
    }
    if (head & HEAD_MORE) code_unit(c, change);
    if (head & HEAD_RETRY) code_retries(c, change);
    if (c->reading && !coder_failed(c) && !change_is_sound(change)) coder_fail(c, ST_MALFORMED);
}

void code_batch(struct coder *c, struct batch *b) {
    b->number = code_u32(c, b->number);
    b->flags = code_u32(c, b->flags);
    b->cursor = code_seq(c, b->cursor);
    b->stamp.wall_ms = code_signed(c, b->stamp.wall_ms);
    b->stamp.boot_number = code_u32(c, b->stamp.boot_number);
    b->stamp.boot_ms = code_signed(c, b->stamp.boot_ms);
    b->stamp.steps_ms = code_signed(c, b->stamp.steps_ms);
    b->import_id = code_signed(c, b->import_id);
    b->change_count = code_count(c, b->change_count, CHANGE_BYTES_MIN);
    b->changes = code_items(c, b->changes, b->change_count, sizeof *b->changes);
    for (size_t i = 0; i < b->change_count && !coder_failed(c); i++) code_change(c, &b->changes[i]);
}

static void code_values(struct coder *c, struct value **values, size_t *count) {
    *count = code_count(c, *count, 1);
    *values = code_items(c, *values, *count, sizeof **values);
    for (size_t i = 0; i < *count && !coder_failed(c); i++)
        (*values)[i] = code_value(c, (*values)[i]);
    bool sound = coder_failed(c) || !c->reading || values_are_sound(*values, *count);
    if (!sound) coder_fail(c, ST_MALFORMED);
}

void batch_write(const struct batch *batch, struct buf *out) {
    struct coder c = coder_writing(out);
    struct batch copy = *batch;
    code_batch(&c, &copy);
}

enum status batch_save(const struct batch *batch, struct chain *out, struct err *err) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_LINE);
    static const struct chain start;
    struct batch save = *batch;
    save.change_count = 0;
    batch_write(&save, &bytes);
    TRY(buf_status(&bytes, err));
    *out = chain_next(&start, buf_slice(&bytes));
    return ST_OK;
}

void change_write(const struct change *change, struct buf *out) {
    struct coder c = coder_writing(out);
    struct change copy = *change;
    code_change(&c, &copy);
}

void values_write(const struct value *values, size_t count, struct buf *out) {
    struct coder c = coder_writing(out);
    struct value *items = (struct value *)(uintptr_t)values;
    code_values(&c, &items, &count);
}

/* again: what was read, written once more. */
static enum status one_spelling(struct slice bytes, const struct buf *again, struct err *err) {
    TRY(buf_status(again, err));
    if (slice_equal(bytes, buf_slice(again))) return ST_OK;
    return err_set(err, ST_MALFORMED, "not the canonical spelling", "不是规范的写法");
}

enum status batch_read(struct slice bytes, struct arena *mem, struct batch *out, struct err *err) {
    struct coder c = coder_reading(bytes, mem);
    struct batch batch = {0};
    code_batch(&c, &batch);
    TRY(coder_end(&c, err));
    SCOPED(buf_free) struct buf again = buf_new(bytes.len);
    batch_write(&batch, &again);
    TRY(one_spelling(bytes, &again, err));
    *out = batch;
    return ST_OK;
}

enum status change_read(struct slice bytes, struct arena *mem, struct change *out,
                        struct err *err) {
    struct coder c = coder_reading(bytes, mem);
    struct change change = {0};
    code_change(&c, &change);
    TRY(coder_end(&c, err));
    SCOPED(buf_free) struct buf again = buf_new(bytes.len);
    change_write(&change, &again);
    TRY(one_spelling(bytes, &again, err));
    *out = change;
    return ST_OK;
}

enum status values_read(struct slice bytes, struct arena *mem, struct value **out,
                        size_t *out_count, struct err *err) {
    struct coder c = coder_reading(bytes, mem);
    struct value *values = NULL;
    size_t count = 0;
    code_values(&c, &values, &count);
    TRY(coder_end(&c, err));
    SCOPED(buf_free) struct buf again = buf_new(bytes.len);
    values_write(values, count, &again);
    TRY(one_spelling(bytes, &again, err));
    *out = values;
    *out_count = count;
    return ST_OK;
}
