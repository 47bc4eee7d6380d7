/* What travels only because a server may have gone back in time: a few older positions of the log,
 * by which it finds where two lives part; batches that were acknowledged once, given back with
 * their signed receipts; and the backup below which a laptop need not keep them.
 */
#include "protocol/wire/columns.h"
#include "protocol/wire/messages.h"

static void code_position(struct coder *c, struct position *p) {
    p->seq = code_seq(c, p->seq);
    code_fixed(c, p->chain.bytes, CHAIN_BYTES);
}

/* ------------------------------------------------------------------ marks */

static void code_marks(struct coder *c, struct position **marks, size_t *count) {
    *count = (size_t)code_number(c, *count, WIRE_MARKS_MAX);
    *marks = code_items(c, *marks, *count, sizeof **marks);
    for (size_t i = 0; i < *count && !coder_failed(c); i++) {
        struct position p = (*marks)[i];
        code_position(c, &p);
        if (c->reading) (*marks)[i] = p;
    }
}

enum status marks_write(const struct position *marks, size_t count, struct buf *out,
                        struct err *err) {
    struct coder c = coder_writing(out);
    struct position *items = (struct position *)(uintptr_t)marks;
    code_marks(&c, &items, &count);
    return coder_status(&c, err);
}

enum status marks_read(struct slice section, struct arena *mem, struct position **out,
                       size_t *out_count, struct err *err) {
    struct coder c = coder_reading(section, mem);
    struct position *marks = NULL;
    size_t count = 0;
    code_marks(&c, &marks, &count);
    TRY(coder_end(&c, err));
    *out = marks;
    *out_count = count;
    return ST_OK;
}

/* ------------------------------------------------------------------ what is given back */

static void code_proof(struct coder *c, struct receipt_proof *p) {
    p->bytes = code_text(c, p->bytes);
    code_fixed(c, p->signature, SIGN_BYTES);
}

static void code_given(struct coder *c, struct give_back *g, struct slice *batches) {
    code_fixed(c, g->before.bytes, CHAIN_BYTES);
    code_fixed(c, g->signature, SIGN_BYTES);
    g->proof_count = (size_t)code_number(c, g->proof_count, WIRE_BATCHES_MAX);
    g->proofs = code_items(c, g->proofs, g->proof_count, sizeof *g->proofs);
    for (size_t i = 0; i < g->proof_count && !coder_failed(c); i++) {
        struct receipt_proof p = g->proofs[i];
        code_proof(c, &p);
        if (c->reading) g->proofs[i] = p;
    }
    *batches = code_text(c, *batches);
}

enum status given_write(const struct give_back *given, struct buf *out, struct err *err) {
    SCOPED(buf_free) struct buf batches = buf_new(BUF_MAX_MESSAGE);
    struct coder c = coder_writing(out);
    struct give_back copy = *given;
    TRY(batches_write(given->batches, given->batch_count, &batches, NULL, err));
    TRY(buf_status(&batches, err));
    struct slice section = buf_slice(&batches);
    code_given(&c, &copy, &section);
    return coder_status(&c, err);
}

/* The section of receipts stands behind the number of the device, as the org signed it. */
static enum status read_proof(struct receipt_proof *p, struct arena *mem, size_t room,
                              struct err *err) {
    struct reader r = reader_of(p->bytes);
    p->device = (uint32_t)reader_varint_max(&r, UINT32_MAX);
    if (r.failed) return err_set(err, ST_MALFORMED, "a receipt without a device", "回执缺少设备号");
    return receipts_read(reader_take(&r, reader_left(&r)), mem, room, &p->receipts,
                         &p->receipt_count, err);
}

enum status given_read(struct slice section, struct arena *mem, size_t room, struct give_back **out,
                       struct err *err) {
    struct coder c = coder_reading(section, mem);
    struct give_back *given = ARENA_NEW(mem, struct give_back);
    struct slice batches = {0};
    if (!given) return err_no_memory(err);
    code_given(&c, given, &batches);
    TRY(coder_end(&c, err));
    TRY(batches_read(batches, mem, room, &given->batches, &given->batch_count, err));
    if (given->batch_count == 0)
        return err_set(err, ST_MALFORMED, "nothing is given back", "没有交还任何内容");
    for (size_t i = 0; i < given->proof_count; i++)
        TRY(read_proof(&given->proofs[i], mem, room, err));
    *out = given;
    return ST_OK;
}

enum status facts_read(struct slice section, struct arena *mem, size_t room, struct batch **out,
                       struct err *err) {
    size_t count;
    struct batch *batches;
    TRY(batches_read(section, mem, room, &batches, &count, err));
    if (count != 1)
        return err_set(err, ST_MALFORMED, "rows of a forgotten life come as one batch",
                       "已遗忘的记录须作为一批发送");
    *out = batches;
    return ST_OK;
}

/* ------------------------------------------------------------------ where the log stood */

static void code_voucher(struct coder *c, struct voucher *v) {
    v->last_batch = code_u32(c, v->last_batch);
    code_fixed(c, v->mac, VOUCHER_BYTES);
}

enum status voucher_write(const struct voucher *voucher, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    struct voucher copy = *voucher;
    code_voucher(&c, &copy);
    return coder_status(&c, err);
}

enum status voucher_read(struct slice section, struct arena *mem, struct voucher *out,
                         struct err *err) {
    struct coder c = coder_reading(section, mem);
    struct voucher voucher = {0};
    code_voucher(&c, &voucher);
    TRY(coder_end(&c, err));
    *out = voucher;
    return ST_OK;
}

/* ------------------------------------------------------------------ backup */

enum status backup_write(int64_t seq, bool recovering, struct buf *out, struct err *err) {
    struct coder c = coder_writing(out);
    (void)code_seq(&c, seq);
    (void)code_number(&c, recovering, 1);
    return coder_status(&c, err);
}

enum status backup_read(struct slice section, struct arena *mem, int64_t *out_seq,
                        bool *out_recovering, struct err *err) {
    struct coder c = coder_reading(section, mem);
    int64_t seq = code_seq(&c, 0);
    bool recovering = code_number(&c, 0, 1) != 0;
    TRY(coder_end(&c, err));
    *out_seq = seq;
    *out_recovering = recovering;
    return ST_OK;
}
