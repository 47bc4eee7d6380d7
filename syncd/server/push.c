/* Batches of a request: in order, each exactly once, chained to what the journal has of the device.
 *
 * A job is undone as a whole when it fails; those before and after it in the group commit do not
 * notice.
 */
#include "syncd/server/org_private.h"
#include "syncd/store/centre_added.h"

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
    struct org *org;
    struct centre *c;
    struct centre_device device;
    const struct round_request *request;
    struct org_push *out;
    struct buf bytes;
    struct slice spelt; /* the batch at hand */
    struct chain chain; /* after the last batch looked at */
    int64_t epoch;
    bool recovering;
    const struct receipt *receipt; /* of the batch at hand, when it is given back */
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
    bool was_other = p->device.formerly && r->last_batch < p->device.formerly_batch;
    *out_cloned = !same_chain(&known, &r->last_chain) ||
                  (r->last_batch + r->batch_count < p->device.last_batch && !was_other);
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

static enum status former_of(struct push *p, struct arena *mem, const struct former **out,
                             struct err *err) {
    const struct former *base;
    TRY(org_former(p->c, p->device.number, p->epoch, mem, &base, err));
    *out = base;
    if (!base || !p->receipt) return ST_OK;
    struct former *given = ARENA_NEW(mem, struct former);
    if (!given) return err_no_memory(err);
    *given = *base;
    given->receipt = p->receipt;
    *out = given;
    return ST_OK;
}

static enum status merge_one(struct push *p, const struct batch *batch, const uint8_t *signature,
                             struct arena *mem, struct err *err) {
    struct outcome_change *outcomes;
    int64_t first = centre_next_seq(p->c);
    struct merge m = {.c = p->c,
                      .cat = centre_catalogue(p->c),
                      .mem = mem,
                      .author = p->device,
                      .envelope = &p->request->envelope,
                      .batch = batch,
                      .revoked = p->device.revoked,
                      .now_ms = centre_now(p->c)};
    TRY(check_limits(batch, err));
    TRY(former_of(p, mem, &m.former, err));
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
    if (signature) entry.signature = slice_of(signature, SIGN_BYTES);
    TRY(centre_journal_add(p->c, &entry, err));
    count_outcomes(p->out, outcomes, batch->change_count);
    p->device.last_batch = batch->number;
    p->device.chain = p->chain;
    return ST_OK;
}

/* A value that combines it with what was here is none of the other life. */
static enum status note_combined(struct push *p, const struct change *change,
                                 const struct outcome_change *outcome, int64_t old,
                                 struct err *err) {
    for (size_t i = 0; i < change->edit_count && i < outcome->edit_count; i++)
        if (outcome->edits[i].outcome == OUTCOME_MERGED)
            TRY(centre_old_put(p->c, outcome->seq, change->edits[i].cell_tag, 0, old, err));
    return ST_OK;
}

/* What is given back is here already: it came on a stick, say, or the backup had it and nobody can
 * tell that exactly. What its author did on top of it names the seqs of the other life. */
static enum status note_former(struct push *p, const struct batch *batch, struct arena *mem,
                               struct err *err) {
    struct journal_entry entry;
    const struct former *former;
    TRY(former_of(p, mem, &former, err));
    enum status status = centre_journal(p->c, p->device.number, batch->number, mem, &entry, err);
    if (status == ST_NOT_FOUND) return ST_OK; /* one of those that neither end had */
    TRY(status);
    size_t count =
        entry.outcome_count < p->receipt->line_count ? entry.outcome_count : p->receipt->line_count;
    for (size_t i = 0; i < count; i++) {
        int64_t seq = entry.outcomes[i].seq, old = p->receipt->lines[i].seq, known, upto;
        bool lost = former && base_is_lost(former->lost, former->lost_count, old, NULL);
        if (seq <= 0 || !lost) continue; /* a receipt of this life names its seq */
        TRY(centre_old(p->c, seq, 0, &known, &upto, err));
        if (known > 0) continue;
        TRY(centre_old_put(p->c, seq, 0, old, old, err));
        TRY(note_combined(p, &batch->changes[i], &entry.outcomes[i], old, err));
    }
    return ST_OK;
}

static enum status take_again(struct push *p, const struct batch *batch, bool *out_cloned,
                              struct err *err) {
    struct chain known;
    struct arena mem SCOPED(arena_clear) = arena_new(BATCH_ARENA_CAP);
    TRY(known_chain(p, batch->number, &known, err));
    *out_cloned = !same_chain(&known, &p->chain);
    p->out->repeats++;
    return p->receipt && !*out_cloned ? note_former(p, batch, &mem, err) : ST_OK;
}

static enum status take_batch(struct push *p, const struct batch *batch, const uint8_t *signature,
                              bool *out_cloned, struct err *err) {
    TRY(spell(p, batch, err));
    if (batch->number <= p->device.last_batch) return take_again(p, batch, out_cloned, err);
    struct arena mem = arena_new(BATCH_ARENA_CAP);
    enum status status = merge_one(p, batch, signature, &mem, err);
    arena_clear(&mem);
    return status;
}

static enum status take_batches(struct push *p, bool *out_cloned, struct err *err) {
    const struct round_request *r = p->request;
    TRY(check_continuity(p, out_cloned, err));
    for (size_t i = 0; i < r->batch_count && !*out_cloned; i++)
        TRY(take_batch(p, &r->batches[i], i + 1 == r->batch_count ? r->signature : NULL, out_cloned,
                       err));
    return ST_OK;
}

/* ------------------------------------------------------------------ a laptop of a former life */

/* Batches that neither end has any more: the laptop goes on behind them. */
static enum status skip_to(struct push *p, uint32_t last, const struct chain *chain,
                           struct err *err) {
    if (last <= p->device.last_batch) return ST_OK;
    TRY(centre_missing_add(p->c, p->device.number, p->device.last_batch + 1, last, chain, err));
    p->device.last_batch = last;
    p->device.chain = *chain;
    return ST_OK;
}

static enum status check_order(const struct give_back *given, struct err *err) {
    for (size_t i = 1; i < given->batch_count; i++)
        if (given->batches[i].number != given->batches[0].number + i)
            return err_set(err, ST_INVALID, "batch %u is given back out of turn",
                           "交还的第 %u 批编号不连续", (unsigned)given->batches[i].number);
    return ST_OK;
}

/* In the order of the old receipts, as far as the rows are there that they name. */
static enum status take_given(struct push *p, bool *out_cloned, struct err *err) {
    const struct give_back *given = p->request->given;
    struct chain known;
    TRY(check_order(given, err));
    uint32_t first = given->batches[0].number;
    if (first == 0) return err_set(err, ST_INVALID, "there is no batch 0", "没有第 0 批");
    TRY(skip_to(p, first - 1, &given->before, err));
    TRY(known_chain(p, first - 1, &known, err));
    *out_cloned = !same_chain(&known, &given->before);
    p->chain = given->before;
    for (size_t i = 0; i < given->batch_count && !*out_cloned; i++) {
        const struct batch *batch = &given->batches[i];
        bool lacks = false;
        p->receipt = org_old_receipt(given, batch->number);
        if (p->recovering && batch->number > p->device.last_batch)
            TRY(org_lacks(p->c, batch, batch, p->receipt, &lacks, err));
        if (lacks) return ST_OK;
        TRY(take_batch(p, batch, i + 1 == given->batch_count ? given->signature : NULL, out_cloned,
                       err));
    }
    return ST_OK;
}

static enum status take_former(struct push *p, struct centre_parting *parting, bool *out_cloned,
                               struct err *err) {
    const struct round_request *r = p->request;
    uint32_t had = p->device.last_batch;
    if (r->given && r->batch_count > 0)
        return err_set(err, ST_INVALID, "what is given back comes before new batches",
                       "须先交还旧批次，再发送新批次");
    if (r->given)
        TRY(take_given(p, out_cloned, err));
    else
        TRY(skip_to(p, r->last_batch, &r->last_chain, err));
    p->receipt = NULL;
    if (*out_cloned) return ST_OK;
    if (p->device.last_batch != had)
        TRY(centre_device_moved(p->c, p->device.number, p->device.last_batch, &p->device.chain,
                                err));
    parting->settled = p->device.last_batch >= r->last_batch;
    return parting->settled ? centre_parting_put(p->c, p->device.number, parting, err) : ST_OK;
}

/* An outbox that names rows which may still be given back waits as well. */
static enum status outbox_waits(struct push *p, bool *out, struct err *err) {
    *out = false;
    for (size_t i = 0; p->recovering && i < p->request->batch_count && !*out; i++)
        if (p->request->batches[i].number > p->device.last_batch)
            TRY(org_lacks(p->c, p->request->batches, &p->request->batches[i], NULL, out, err));
    return ST_OK;
}

static void key_forget(struct sign_key *key) {
    bytes_wipe(key, sizeof *key);
}

/* Who says that the server went back has to prove it, by the server's own word; else head office
 * decides. Nobody enters what has not begun: org_round refuses. */
static enum status enter_epoch(struct push *p, const struct centre_head *head, struct err *err) {
    SCOPED(key_forget) struct sign_key key = {{0}};
    struct centre_claim claim = {.device = p->device.number,
                                 .epoch = p->request->epoch,
                                 .seq = p->request->top.seq,
                                 .last_batch = p->request->last_batch};
    bool proved = true;
    p->out->kind = REPLY_EPOCH;
    if (org_claims_more(head, p->request)) {
        TRY(org_key(p->org, &key, err));
        TRY(org_claim_is_proved(p->c, &key, &p->device, p->request, &proved, err));
    }
    if (!proved) return centre_claim_note(p->c, &claim, err);
    return org_enter_epoch(p->c, p->device.number, head, p->request, err);
}

/* It was told of this epoch, got nothing of it yet, and gives back: that it entered was forgotten
 * with another life, which took no seq. */
static bool has_entered(const struct push *p) {
    const struct round_request *r = p->request;
    return p->recovering && r->given && !r->has_voucher && r->cursor.seq < epoch_start(p->epoch) &&
           r->last_batch > p->device.last_batch;
}

static enum status run_push(struct push *p, bool *out_cloned, struct err *err) {
    struct centre_head head;
    struct centre_parting parting;
    bool elsewhere, found = false;
    TRY(centre_head(p->c, &head, err));
    TRY(org_check_device(&p->device, err));
    TRY(org_is_elsewhere(p->c, &head, p->request, &elsewhere, err));
    p->epoch = head.epoch;
    p->recovering = head.recovering;
    if (head.epoch > 1)
        TRY(centre_parting(p->c, p->device.number, head.epoch, &parting, &found, err));
    if (!found && !elsewhere && has_entered(p)) {
        TRY(org_enter_again(p->c, p->device.number, &head, p->request, &parting, err));
        found = true;
    }
    /* Empty batches take no seq: that the server forgot them only their number tells. */
    if (p->request->last_batch > p->device.last_batch && !(found && !parting.settled))
        elsewhere = true;
    if (elsewhere) return enter_epoch(p, &head, err);
    TRY(centre_added_return(p->c, p->request->added, p->request->added_count, err));
    if (found && (!parting.settled || p->request->given))
        TRY(take_former(p, &parting, out_cloned, err));
    if (found && !*out_cloned)
        TRY(org_facts_put(p->c, &p->device, p->request, &p->out->facts, err));
    if (*out_cloned || p->request->given) return ST_OK;
    TRY(outbox_waits(p, &p->out->waits, err));
    if (p->out->waits) return ST_OK;
    size_t before = p->out->batches;
    TRY(take_batches(p, out_cloned, err));
    if (*out_cloned || p->out->batches == before) return ST_OK;
    return centre_device_moved(p->c, p->device.number, p->device.last_batch, &p->device.chain, err);
}

static enum status check_given(const struct push *p, struct err *err) {
    return org_check_given(p->c, &p->device, p->request->given, err);
}

enum status org_merge_batches(struct org *org, uint32_t device, const struct round_request *request,
                              struct org_push *out, struct err *err) {
    struct org_push push = {.kind = REPLY_ROUND};
    struct push p = {.org = org,
                     .c = org->c,
                     .request = request,
                     .out = &push,
                     .bytes = buf_new(BUF_MAX_MESSAGE)};
    bool cloned = false;
    TRY(centre_device(org->c, device, &p.device, err));
    if (request->given) TRY(check_given(&p, err));
    TRY(centre_mark_set(org->c, CENTRE_MARK_JOB, err));
    centre_as(org->c, &p.device);
    enum status status = run_push(&p, &cloned, err);
    centre_as(org->c, NULL);
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
    bool done;
    TRY(centre_begin(org->c, true, err));
    enum status status = scope_due(org->c, &done, err);
    if (status != ST_OK) centre_rollback(org->c);
    return status;
}

enum status org_merge_commit(struct org *org, struct err *err) {
    return centre_commit(org->c, err);
}

void org_merge_abort(struct org *org) {
    centre_rollback(org->c);
}
