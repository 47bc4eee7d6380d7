/* Batches of a request: in order, each exactly once, chained to what the journal has of the device.
 *
 * A job is undone as a whole when it fails; those before and after it in the group commit do not
 * notice.
 */
#include "syncd/server/org_private.h"

#include <string.h>

enum { BATCH_ARENA_CAP = ARENA_CAP_DEFAULT };

/* ------------------------------------------------------------------ before the writer's turn */

static enum status write_batch(const struct batch *batch, struct buf *bytes, struct err *err) {
    buf_reset(bytes);
    batch_write(batch, bytes);
    return buf_status(bytes, err);
}

enum status org_check_push(const struct centre_device *device, const struct round_request *request,
                           struct arena *mem, struct err *err) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    struct chain chain = request->last_chain;
    if (request->batch_count == 0) return ST_OK;
    struct batch_spelling *spelt = ARENA_ARRAY(mem, request->batch_count, struct batch_spelling);
    if (!spelt) return err_no_memory(err);
    for (size_t i = 0; i < request->batch_count; i++) {
        TRY(write_batch(&request->batches[i], &bytes, err));
        chain = chain_next(&chain, buf_slice(&bytes));
        spelt[i] = (struct batch_spelling){arena_copy(mem, buf_slice(&bytes)), chain};
        if (!spelt[i].bytes.data) return err_no_memory(err);
        request->batches[i].spelling = &spelt[i];
    }
    if (sign_check(device->public_key, slice_of(chain.bytes, CHAIN_BYTES), request->signature))
        return ST_OK;
    return err_set(err, ST_UNAUTHENTIC, "the signature of the batches is not this laptop's",
                   "这批数据的签名与本机不符");
}

/* ------------------------------------------------------------------ one job */

struct push {
    struct centre *c;
    struct centre_device device;
    const struct round_request *request;
    struct org_push *out;
    struct buf bytes;
    struct slice spelt; /* the batch at hand */
    struct chain chain; /* after the last batch looked at */
};

static bool same_chain(const struct chain *a, const struct chain *b) {
    return memcmp(a->bytes, b->bytes, CHAIN_BYTES) == 0;
}

/* The chain of the device at one of its batches, as the journal has it. */
static enum status known_chain(struct push *p, uint32_t batch, struct chain *out, struct err *err) {
    if (batch == p->device.last_batch)
        *out = p->device.chain;
    else if (batch == 0)
        *out = (struct chain){{0}};
    else
        return centre_journal_chain(p->c, p->device.number, batch, out, err);
    return ST_OK;
}

/* A laptop whose last batch the server knows better, or as another one, is a copy or was set back.
 */
static enum status check_continuity(struct push *p, bool *out_cloned, struct err *err) {
    const struct round_request *r = p->request;
    struct chain known;
    if (r->last_batch > p->device.last_batch)
        return err_set(err, ST_INVALID, "the batches begin behind a gap: %u follows %u",
                       "批次不连续：%u 接在 %u 之后", (unsigned)r->last_batch + 1,
                       (unsigned)p->device.last_batch);
    for (size_t i = 0; i < r->batch_count; i++)
        if (r->batches[i].number != r->last_batch + 1 + i)
            return err_set(err, ST_INVALID, "batch %u is not numbered in turn",
                           "第 %u 批编号不连续", (unsigned)r->batches[i].number);
    TRY(known_chain(p, r->last_batch, &known, err));
    *out_cloned = !same_chain(&known, &r->last_chain) ||
                  r->last_batch + r->batch_count < p->device.last_batch;
    p->chain = r->last_chain;
    return ST_OK;
}

static enum status check_limits(const struct batch *batch, struct err *err) {
    if (batch->change_count <= BATCH_ROWS_MAX) return ST_OK;
    return err_set(err, ST_TOO_LARGE, "a batch has at most %d changes", "每批最多 %d 项修改",
                   BATCH_ROWS_MAX);
}

/* Before the writer's turn somebody has worked it out already. */
static enum status spell(struct push *p, const struct batch *batch, struct err *err) {
    if (batch->spelling) {
        p->spelt = batch->spelling->bytes;
        p->chain = batch->spelling->chain;
        return ST_OK;
    }
    TRY(write_batch(batch, &p->bytes, err));
    p->spelt = buf_slice(&p->bytes);
    p->chain = chain_next(&p->chain, p->spelt);
    return ST_OK;
}

static void count_outcomes(struct org_push *out, const struct outcome_change *outcomes,
                           size_t count) {
    out->batches++;
    out->changes += count;
    for (size_t i = 0; i < count; i++) out->outcomes[outcomes[i].outcome]++;
}

static enum status merge_one(struct push *p, const struct batch *batch, bool last,
                             struct arena *mem, struct err *err) {
    struct outcome_change *outcomes;
    int64_t first = centre_next_seq(p->c);
    struct merge m = {.c = p->c,
                      .cat = centre_catalogue(p->c),
                      .mem = mem,
                      .author = p->device,
                      .envelope = &p->request->envelope,
                      .batch = batch,
                      .now_ms = centre_now(p->c)};
    TRY(check_limits(batch, err));
    TRY(merge_batch(&m, &outcomes, err));
    struct journal_entry entry = {.device = p->device.number,
                                  .batch = batch->number,
                                  .bytes = p->spelt,
                                  .chain = p->chain,
                                  .first_seq = first,
                                  .last_seq = centre_next_seq(p->c) - 1,
                                  .received_ms = m.now_ms,
                                  .outcomes = outcomes,
                                  .outcome_count = batch->change_count};
    if (last) entry.signature = slice_of(p->request->signature, SIGN_BYTES);
    TRY(centre_journal_add(p->c, &entry, err));
    count_outcomes(p->out, outcomes, batch->change_count);
    p->device.last_batch = batch->number;
    p->device.chain = p->chain;
    return ST_OK;
}

static enum status take_batch(struct push *p, size_t at, bool *out_cloned, struct err *err) {
    const struct batch *batch = &p->request->batches[at];
    struct chain known;
    TRY(spell(p, batch, err));
    if (batch->number <= p->device.last_batch) {
        TRY(known_chain(p, batch->number, &known, err));
        *out_cloned = !same_chain(&known, &p->chain);
        p->out->repeats++;
        return ST_OK;
    }
    struct arena mem = arena_new(BATCH_ARENA_CAP);
    enum status status = merge_one(p, batch, at + 1 == p->request->batch_count, &mem, err);
    arena_clear(&mem);
    return status;
}

static enum status run_push(struct push *p, bool *out_cloned, struct err *err) {
    struct centre_head head;
    TRY(centre_head(p->c, &head, err));
    TRY(org_check_position(p->c, &head, &p->device, p->request, err));
    TRY(check_continuity(p, out_cloned, err));
    for (size_t i = 0; i < p->request->batch_count && !*out_cloned; i++)
        TRY(take_batch(p, i, out_cloned, err));
    if (*out_cloned || p->out->batches == 0) return ST_OK;
    return centre_device_moved(p->c, p->device.number, p->device.last_batch, &p->device.chain, err);
}

enum status org_merge_batches(struct org *org, uint32_t device, const struct round_request *request,
                              struct org_push *out, struct err *err) {
    struct org_push push = {.kind = REPLY_ROUND};
    struct push p = {
        .c = org->c, .request = request, .out = &push, .bytes = buf_new(BUF_MAX_MESSAGE)};
    bool cloned = false;
    TRY(centre_device(org->c, device, &p.device, err));
    TRY(centre_mark_set(org->c, CENTRE_MARK_JOB, err));
    enum status status = run_push(&p, &cloned, err);
    buf_free(&p.bytes);
    if (status != ST_OK || cloned) {
        enum status undone =
            centre_mark_undo(org->c, CENTRE_MARK_JOB, status == ST_OK ? err : NULL);
        if (status == ST_OK) status = undone;
        push = (struct org_push){.kind = REPLY_CLONED};
    } else {
        status = centre_mark_keep(org->c, CENTRE_MARK_JOB, err);
    }
    if (status != ST_OK) return status;
    push.last_batch = p.device.last_batch;
    *out = push;
    return ST_OK;
}

/* ------------------------------------------------------------------ group commits */

enum status org_merge_begin(struct org *org, struct err *err) {
    return centre_begin(org->c, true, err);
}

enum status org_merge_commit(struct org *org, struct err *err) {
    return centre_commit(org->c, err);
}

void org_merge_abort(struct org *org) {
    centre_rollback(org->c);
}
