/* A server that went back in time: how it notices, and what it takes back.
 *
 * Each request names the greatest position that its laptop was ever told. If the log has another
 * chain there, or does not reach that far, the server was set back: it begins a new epoch before it
 * answers anything else. The laptop is told where its log and this one part; its next request is in
 * the new epoch and gives back, in the order of the old receipts, what the server has forgotten.
 */
#include "syncd/server/org_private.h"
#include "syncd/store/centre_compact.h"
#include "syncd/store/org_keys.h"

#include <string.h>

/* ------------------------------------------------------------------ noticing */

enum status org_position_known(struct centre *c, const struct position *at, bool *out,
                               struct err *err) {
    struct chain chain;
    enum status status = centre_log_chain(c, at->seq, &chain, NULL);
    if (status != ST_OK && status != ST_NOT_FOUND) return centre_log_chain(c, at->seq, &chain, err);
    *out = status == ST_OK && memcmp(chain.bytes, at->chain.bytes, CHAIN_BYTES) == 0;
    return ST_OK;
}

enum status org_is_elsewhere(struct centre *c, const struct centre_head *head,
                             const struct round_request *request, bool *out, struct err *err) {
    bool cursor = false, top = false;
    *out = true;
    if (request->epoch != head->epoch) return ST_OK;
    TRY(org_position_known(c, &request->cursor, &cursor, err));
    if (cursor) TRY(org_position_known(c, &request->top, &top, err));
    *out = !cursor || !top;
    return ST_OK;
}

bool org_carries(const struct round_request *request) {
    return request->batch_count > 0 || request->given || request->facts || request->added_count > 0;
}

bool org_brings(const struct centre_device *device, const struct round_request *request) {
    return org_carries(request) || request->last_batch > device->last_batch;
}

/* ------------------------------------------------------------------ proof of it */

static void voucher_text(uint32_t device, int64_t epoch, const struct position *at,
                         uint32_t last_batch, struct buf *out) {
    buf_put_text(out, "roadbook voucher 1\n");
    buf_put_varint(out, device);
    buf_put_varint(out, (uint64_t)epoch);
    buf_put_varint(out, (uint64_t)at->seq);
    buf_put(out, at->chain.bytes, CHAIN_BYTES);
    buf_put_varint(out, last_batch);
}

static void voucher_make(const struct sign_key *key, uint32_t device, int64_t epoch,
                         const struct position *at, uint32_t last_batch,
                         uint8_t out[VOUCHER_BYTES]) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    uint8_t mac[MAC_BYTES];
    voucher_text(device, epoch, at, last_batch, &text);
    mac_sha256(slice_of(key->secret, SIGN_SEED_BYTES), buf_slice(&text), mac);
    memcpy(out, mac, VOUCHER_BYTES);
}

/* By a key that was replaced: its word holds for the log as it stood before that. */
static enum status is_former_voucher(struct centre *c, uint32_t device,
                                     const struct round_request *request, bool *out,
                                     struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(1024 * 1024);
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct key_records former;
    uint8_t mac[MAC_BYTES];
    *out = false;
    TRY(centre_keys(c, &mem, &former, err));
    voucher_text(device, request->epoch, &request->top, request->voucher.last_batch, &text);
    TRY(buf_status(&text, err));
    for (size_t i = 0; i < former.count && !*out; i++) {
        mac_sha256_prepared(former.items[i].voucher, buf_slice(&text), mac);
        *out = request->top.seq < former.items[i].change.seq &&
               bytes_equal_secret(mac, request->voucher.mac, VOUCHER_BYTES);
    }
    return ST_OK;
}

void org_vouch(const struct sign_key *key, uint32_t device, const struct round_request *request,
               struct round_reply *reply) {
    bool has = request->has_voucher && request->epoch == reply->epoch &&
               request->voucher.last_batch == reply->last_batch &&
               request->top.seq == reply->head.seq &&
               memcmp(request->top.chain.bytes, reply->head.chain.bytes, CHAIN_BYTES) == 0;
    if (has || reply->kind != REPLY_ROUND) return;
    reply->has_voucher = true;
    voucher_make(key, device, reply->epoch, &reply->head, reply->last_batch, reply->voucher);
}

bool org_claims_more(const struct centre_head *head, const struct round_request *request) {
    return request->epoch >= head->epoch;
}

/* It is of the epoch that the request names: an earlier one that is over proves nothing here. */
enum status org_claim_is_proved(struct centre *c, const struct sign_key *key,
                                const struct centre_device *device,
                                const struct round_request *request, bool *out, struct err *err) {
    struct centre_head head;
    uint8_t mac[VOUCHER_BYTES];
    bool known, ours;
    *out = false;
    if (!request->has_voucher) return ST_OK;
    voucher_make(key, device->number, request->epoch, &request->top, request->voucher.last_batch,
                 mac);
    ours = bytes_equal_secret(mac, request->voucher.mac, sizeof mac);
    if (!ours) TRY(is_former_voucher(c, device->number, request, &ours, err));
    if (!ours) return ST_OK;
    TRY(centre_head(c, &head, err));
    TRY(org_position_known(c, &request->top, &known, err));
    *out =
        request->epoch > head.epoch || !known || request->voucher.last_batch > device->last_batch;
    return ST_OK;
}

/* Without proof the writer began nothing, but noted it for head office. */
enum status org_refuse_claim(struct centre *c, uint32_t device, struct err *err) {
    bool noted;
    TRY(centre_claim_is_noted(c, device, &noted, err));
    if (!noted) return ST_OK;
    return err_set(
        err, ST_CONFLICT,
        "this laptop knows more than the server, and has no word of the server's to "
        "prove it: nothing was taken and nothing is lost. Head office has to look: "
        "roadbook-server recovery status",
        "本机所知多于服务器，但没有服务器的凭证可以证明：未接收任何内容，也未丢失任何内容。"
        "请总部查看：roadbook-server recovery status");
}

/* ------------------------------------------------------------------ where two lives part */

/* *from: the greatest position that both have; *to: the least that is not the same. */
static enum status compare_marks(struct centre *c, const struct round_request *r, int64_t *from,
                                 int64_t *to, struct err *err) {
    struct position known[WIRE_MARKS_MAX + 2] = {r->cursor, r->top};
    size_t count = 2;
    for (size_t i = 0; i < r->mark_count && i < WIRE_MARKS_MAX; i++) known[count++] = r->marks[i];
    *from = 0;
    *to = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        bool same;
        TRY(org_position_known(c, &known[i], &same, err));
        if (same && known[i].seq > *from) *from = known[i].seq;
        if (!same && known[i].seq < *to) *to = known[i].seq;
    }
    return ST_OK;
}

static enum status part(struct centre *c, const struct round_request *r, int64_t epoch,
                        struct centre_parting *out, struct err *err) {
    bool same;
    int64_t from, to;
    *out = (struct centre_parting){.epoch = epoch, .start = epoch_start(r->epoch + 1)};
    TRY(org_position_known(c, &r->top, &same, err));
    if (same) { /* it knows nothing that was forgotten */
        out->back = r->top;
        out->lost_from = out->start - 1;
        return ST_OK;
    }
    TRY(compare_marks(c, r, &from, &to, err));
    TRY(centre_parting_find(c, from, to, &out->back, err));
    out->lost_from = out->back.seq;
    return ST_OK;
}

static enum status begin_epoch(struct centre *c, const struct centre_head *head,
                               const struct round_request *r, int64_t *out_epoch, struct err *err) {
    *out_epoch = head->epoch;
    if (r->epoch < head->epoch) return ST_OK;
    if (r->epoch - head->epoch > CENTRE_EPOCHS_AHEAD_MAX)
        return err_set(err, ST_INVALID, "no server was ever in epoch %lld",
                       "从未有服务器处于纪元 %lld", (long long)r->epoch);
    *out_epoch = r->epoch + 1;
    return centre_epoch_begin(c, *out_epoch, err);
}

enum status org_enter_epoch(struct centre *c, uint32_t device, const struct centre_head *head,
                            const struct round_request *request, struct err *err) {
    struct centre_parting parting;
    int64_t epoch;
    bool found;
    if (request->epoch < 1)
        return err_set(err, ST_INVALID, "there is no epoch %lld", "没有纪元 %lld",
                       (long long)request->epoch);
    TRY(centre_parting(c, device, head->epoch, &parting, &found, err));
    bool told = found && request->epoch < head->epoch && request->mark_count == 0;
    if (told) return ST_OK;
    struct centre_parting now = {0};
    TRY(part(c, request, 0, &now, err)); /* before the log goes on */
    TRY(begin_epoch(c, head, request, &epoch, err));
    now.epoch = epoch;
    return centre_parting_put(c, device, &now, err);
}

enum status org_enter_again(struct centre *c, uint32_t device, const struct centre_head *head,
                            const struct round_request *request, struct centre_parting *out,
                            struct err *err) {
    *out = (struct centre_parting){.epoch = head->epoch,
                                   .back = request->cursor,
                                   .lost_from = request->cursor.seq,
                                   .start = epoch_start(head->epoch)};
    return centre_parting_put(c, device, out, err);
}

enum status org_tell_backup(struct centre *c, const struct centre_head *head,
                            const struct round_request *request, struct arena *mem,
                            struct round_reply *out, struct err *err) {
    if (head->backup == 0 || head->backup > out->cursor.seq ||
        out->cursor.seq == request->cursor.seq)
        return ST_OK;
    struct position *mark = ARENA_NEW(mem, struct position);
    if (!mark) return err_no_memory(err);
    mark->seq = head->backup;
    enum status status = centre_log_chain(c, mark->seq, &mark->chain, err);
    if (status == ST_NOT_FOUND) return ST_OK; /* that far back the log is collected */
    TRY(status);
    out->marks = mark;
    out->mark_count = 1;
    return ST_OK;
}

/* ------------------------------------------------------------------ what a merge has to know */

enum status org_former(struct centre *c, uint32_t device, int64_t epoch, struct arena *mem,
                       const struct former **out, struct err *err) {
    *out = NULL;
    if (epoch <= 1) return ST_OK;
    struct former *former = ARENA_NEW(mem, struct former);
    struct lost_branch *lost;
    if (!former) return err_no_memory(err);
    TRY(centre_lost(c, device, mem, &lost, &former->lost_count, err));
    former->lost = lost;
    former->start = epoch_start(epoch);
    *out = former;
    return ST_OK;
}

const struct receipt *org_old_receipt(const struct give_back *given, uint32_t batch) {
    for (size_t p = 0; p < given->proof_count; p++)
        for (size_t i = 0; i < given->proofs[p].receipt_count; i++)
            if (given->proofs[p].receipts[i].batch == batch) return &given->proofs[p].receipts[i];
    return NULL;
}

static bool receipt_fits(const struct receipt *receipt, const struct batch *batch) {
    bool fits = receipt->line_count == batch->change_count;
    for (size_t i = 0; fits && i < batch->change_count; i++)
        fits = receipt->lines[i].edit_count == batch->changes[i].edit_count;
    return fits;
}

/* Is everything that the receipts speak of below that seq? */
static bool is_below(const struct receipt_proof *proof, int64_t seq) {
    bool below = true;
    for (size_t i = 0; i < proof->receipt_count; i++) {
        const struct receipt *r = &proof->receipts[i];
        below = below && r->at < seq;
        for (size_t k = 0; k < r->line_count; k++) {
            below = below && r->lines[k].seq < seq && r->lines[k].prev < seq;
            for (size_t e = 0; e < r->lines[k].edit_count; e++)
                below = below && r->lines[k].edits[e].seq < seq;
        }
    }
    return below;
}

/* A key that was replaced speaks only of what was before that: who has it now signs nothing new. */
static bool is_receipt_of_org(const struct receipt_proof *proof,
                              const uint8_t now[SIGN_PUBLIC_BYTES],
                              const struct key_records *former) {
    if (sign_check(now, proof->bytes, proof->signature)) return true;
    for (size_t i = 0; i < former->count; i++)
        if (is_below(proof, former->items[i].change.seq) &&
            sign_check(former->items[i].change.old_public, proof->bytes, proof->signature))
            return true;
    return false;
}

enum status org_check_given(struct centre *c, const struct centre_device *device,
                            const struct give_back *given, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(1024 * 1024);
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    uint8_t now[SIGN_PUBLIC_BYTES];
    struct key_records former;
    struct chain chain = given->before;
    TRY(centre_key_now(c, now, err));
    TRY(centre_keys(c, &mem, &former, err));
    for (size_t i = 0; i < given->batch_count; i++) {
        buf_reset(&bytes);
        batch_write(&given->batches[i], &bytes);
        TRY(buf_status(&bytes, err));
        chain = chain_next(&chain, buf_slice(&bytes));
        const struct receipt *old = org_old_receipt(given, given->batches[i].number);
        if (old && !receipt_fits(old, &given->batches[i]))
            return err_set(err, ST_INVALID, "a receipt is not of the batch that is given back",
                           "回执与交还的批次不符");
    }
    bool sound =
        sign_check(device->public_key, slice_of(chain.bytes, CHAIN_BYTES), given->signature);
    for (size_t i = 0; i < given->proof_count; i++)
        sound = sound && given->proofs[i].device == device->number &&
                is_receipt_of_org(&given->proofs[i], now, &former);
    if (sound) return ST_OK;
    return err_set(err, ST_DENIED,
                   "what is given back is not signed by this laptop, or its receipts not by this "
                   "server: nothing was taken",
                   "交还的批次并非本机签名，或其回执并非本服务器签名：未接收任何内容");
}

/* ------------------------------------------------------------------ what waits */

struct looking {
    struct centre *c;
    const struct batch *first, *last; /* this one, after those before it in the same round */
    bool lacks;
};

static bool is_created_in(const struct batch *batch, int64_t row) {
    for (size_t i = 0; i < batch->change_count; i++)
        if (batch->changes[i].kind == CHANGE_CREATE && batch->changes[i].row == row) return true;
    return false;
}

static bool is_created(const struct looking *l, int64_t row) {
    for (const struct batch *b = l->first; b <= l->last; b++)
        if (is_created_in(b, row)) return true;
    return false;
}

static enum status look(struct looking *l, const struct entity *e, int64_t row, struct err *err) {
    bool found, dead;
    int64_t to;
    if (!e || l->lacks || is_created(l, row)) return ST_OK;
    TRY(centre_alias_resolve(l->c, row, &to, err));
    TRY(centre_row_probe(l->c, e, to, &found, &dead, err));
    if (!found) TRY(centre_was_collected(l->c, to, 0, &found, err)); /* nobody gives that back */
    l->lacks = !found;
    return ST_OK;
}

static enum status look_at_references(struct looking *l, const struct entity *e,
                                      const struct edit *edit, struct err *err) {
    const struct cell *cell = entity_cell(e, edit->cell_tag);
    if (!cell || edit->kind != EDIT_SET || edit->value_count != cell->count) return ST_OK;
    for (size_t i = 0; i < cell->count; i++) {
        const struct field *f = &e->fields[cell->first + i];
        if (f->type != FIELD_REF || edit->values[i].kind != VALUE_INT) continue;
        TRY(look(l, catalogue_entity(centre_catalogue(l->c), slice_from(f->refers_to)),
                 edit->values[i].number, err));
    }
    return ST_OK;
}

/* What did not come in then need not find its rows now. */
static bool was_taken(const struct receipt *old, size_t change) {
    return !old || is_taken(old->lines[change].outcome);
}

enum status org_lacks(struct centre *c, const struct batch *first, const struct batch *batch,
                      const struct receipt *old, bool *out, struct err *err) {
    struct looking l = {.c = c, .first = first, .last = batch};
    for (size_t i = 0; i < batch->change_count && !l.lacks; i++) {
        const struct change *change = &batch->changes[i];
        const struct entity *e = catalogue_entity_by_tag(centre_catalogue(c), change->entity_tag);
        if (!e || !was_taken(old, i)) continue;
        if (change->kind != CHANGE_CREATE) TRY(look(&l, e, change->row, err));
        for (size_t k = 0; k < change->edit_count && !l.lacks; k++)
            TRY(look_at_references(&l, e, &change->edits[k], err));
    }
    *out = l.lacks;
    return ST_OK;
}
