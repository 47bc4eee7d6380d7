/* After a sync: is the book what the server says? If not, the rows that differ are found and put
 * right. It should never have to; what it did is counted and shown.
 */
#include <string.h>

#include "syncd/agent/agent.h"

enum {
    PROVE_BYTES_MAX = 64 * 1024 * 1024,
    REPAIR_CYCLES_MAX = 64 /* each puts up to 64 buckets right */
};

struct proving {
    struct agent *agent;
    struct store *store;
    struct agent_proof *out;
};

static enum status ask(struct proving *p, enum repair_step step, const struct repair_reply *before,
                       struct arena *mem, struct repair_reply *out, struct err *err) {
    struct repair_request request;
    struct slice answer;
    SCOPED(buf_free) struct buf message = buf_new(BUF_MAX_MESSAGE);
    TRY(store_repair_request(p->store, step, before->places, before->place_count, mem, &request,
                             err));
    TRY(wire_write_repair_request(&request, &message, err));
    TRY(agent_ask(p->agent, "repair", buf_slice(&message), mem, &answer, err));
    p->out->trips++;
    p->out->bytes += (int64_t)(message.len + answer.len);
    return wire_read_repair_reply(answer, mem, out, err);
}

/* One way down the tree: what is found is put right. *out_rows 0: nothing could be. */
static enum status repair_once(struct proving *p, struct arena *mem, int64_t *out_rows,
                               struct err *err) {
    struct repair_reply reply = {.place_count = 0};
    *out_rows = 0;
    for (enum repair_step step = REPAIR_WHOLE; step <= REPAIR_ROWS; step++) {
        struct repair_reply next;
        TRY(ask(p, step, &reply, mem, &next, err));
        reply = next;
        if (step < REPAIR_ROWS && reply.place_count == 0) return ST_OK;
    }
    return store_repair(p->store, &reply, out_rows, err);
}

static enum status repair(struct proving *p, struct err *err) {
    for (int i = 0; i < REPAIR_CYCLES_MAX; i++) {
        struct arena mem = arena_new(PROVE_BYTES_MAX);
        int64_t rows;
        enum status status = repair_once(p, &mem, &rows, err);
        arena_clear(&mem);
        if (status != ST_OK || rows == 0) return status;
        p->out->repaired += rows;
    }
    return ST_OK;
}

enum status agent_prove(struct agent *agent, struct store *store, int64_t rows_max,
                        struct agent_proof *out, struct err *err) {
    struct agent_proof proof = {.proof = BOOK_NOT_PROVED};
    struct proving p = {agent, store, &proof};
    enum status status = store_prove(store, rows_max, false, &proof.proof, err);
    if (status == ST_OK && proof.proof == BOOK_DIFFERS)
        status = store_prove(store, INT64_MAX, true, &proof.proof, err);
    if (status == ST_OK && proof.proof == BOOK_DIFFERS) status = repair(&p, err);
    if (status == ST_OK && proof.repaired > 0)
        status = store_prove(store, INT64_MAX, true, &proof.proof, err);
    *out = proof;
    return status;
}
