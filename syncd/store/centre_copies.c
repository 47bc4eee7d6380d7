/* A laptop whose book was a copy of another's: which that was, up to which batch both are the same,
 * and what that means for the copy. Batches up to there stay where they are, under the number of
 * the original, and count as the copy's own.
 */
#include "syncd/store/centre_private.h"

#include <string.h>

enum { COPIES_DEEP = 16 };

enum status centre_device_then(struct centre *c, uint32_t *device, uint32_t batch,
                               struct err *err) {
    for (int i = 0; i < COPIES_DEEP; i++) {
        struct centre_device d;
        enum status status = centre_device(c, *device, &d, err);
        if (status == ST_NOT_FOUND) return ST_OK;
        TRY(status);
        if (d.formerly == 0 || batch > d.formerly_batch) return ST_OK;
        *device = d.formerly;
    }
    return ST_OK;
}

void centre_as(struct centre *c, const struct centre_device *author) {
    c->as = author && author->formerly ? author->number : 0;
    c->as_formerly = author ? author->formerly : 0;
    c->as_batch = author ? author->formerly_batch : 0;
}

static void relabel(const struct centre *c, struct clock *clock) {
    if (clock->device == c->as_formerly && clock->batch <= c->as_batch) clock->device = c->as;
}

void centre_relabel(const struct centre *c, struct row_clock *clock) {
    if (c->as == 0) return;
    relabel(c, &clock->row);
    for (size_t i = 0; i < clock->count; i++) {
        struct clock_cell *cell = &clock->cells[i];
        relabel(c, &cell->clock);
        for (size_t k = 0; k < cell->dot_count; k++) relabel(c, &cell->dots[k].clock);
    }
}

/* ------------------------------------------------------------------ whose copy it is */

/* A device of the user that has this chain at this batch; 0: none. */
static enum status holder_of(struct centre *c, int64_t user, uint32_t batch,
                             const struct chain *chain, uint32_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(
        c->db,
        "SELECT d.number FROM device d JOIN journal j ON j.device = d.number AND j.batch "
        "= ? WHERE d.user = ? AND j.chain = ? ORDER BY d.number LIMIT 1",
        &s, err));
    db_bind_int(s, 1, batch);
    db_bind_int(s, 2, user);
    db_bind_blob(s, 3, slice_of(chain->bytes, CHAIN_BYTES));
    TRY(db_step(s, &row, err));
    *out = row ? (uint32_t)db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

/* The same for a save that was sent in another form: folded into a later batch, or undone. */
static enum status holder_of_save(struct centre *c, int64_t user, uint32_t batch,
                                  const struct chain *save, uint32_t *out, struct chain *out_chain,
                                  struct err *err) {
    struct db_stmt *s;
    bool row;
    *out = 0;
    TRY(db_prepare(c->db,
                   "SELECT d.number, j.bytes, j.chain FROM device d JOIN journal j ON j.device = "
                   "d.number AND j.batch = ? WHERE d.user = ? ORDER BY d.number",
                   &s, err));
    db_bind_int(s, 1, batch);
    db_bind_int(s, 2, user);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && *out == 0) {
        SCOPED(arena_clear) struct arena mem = arena_new(STORE_SCRATCH_CAP);
        struct batch sent;
        struct chain mark;
        bool whole = db_blob(s, 2).len == CHAIN_BYTES &&
                     batch_read(db_blob(s, 1), &mem, &sent, NULL) == ST_OK &&
                     batch_save(&sent, &mark, NULL) == ST_OK;
        if (whole && memcmp(mark.bytes, save->bytes, CHAIN_BYTES) == 0) {
            *out = (uint32_t)db_int(s, 0);
            memcpy(out_chain->bytes, db_blob(s, 2).data, CHAIN_BYTES);
        }
        status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

enum status centre_copy_find(struct centre *c, int64_t user, const struct copied_book *copy,
                             uint32_t *out_device, uint32_t *out_batch, struct chain *out_chain,
                             struct err *err) {
    size_t at = copy->last_batch > 0 ? 0 : 1;
    *out_device = 0;
    *out_batch = copy->last_batch;
    *out_chain = copy->chains[0];
    for (; at < copy->chain_count; at++) {
        uint32_t holder, batch = copy->last_batch + (uint32_t)at;
        TRY(holder_of(c, user, batch, &copy->chains[at], &holder, err));
        if (holder == 0) break;
        *out_device = holder;
        *out_batch = batch;
        *out_chain = copy->chains[at];
    }
    bool is_one = copy->last_batch == 0 || *out_device != 0;
    for (; is_one && at > 0 && at <= copy->save_count; at++) {
        uint32_t holder, batch = copy->last_batch + (uint32_t)at;
        TRY(holder_of_save(c, user, batch, &copy->saves[at - 1], &holder, out_chain, err));
        if (holder == 0) break;
        *out_device = holder;
        *out_batch = batch;
    }
    if (copy->last_batch == 0 || *out_device != 0) return ST_OK;
    return err_set(
        err, ST_CONFLICT,
        "none of this user's laptops has sent what this book says was sent: the link is of "
        "another user, or the server was set back; ask head office",
        "该用户的笔记本均未发送过此账本所记录的内容：链接属于其他用户，或服务器曾被还原；"
        "请联系总部");
}
