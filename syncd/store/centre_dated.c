/* What head office ordered for a later date. */
#include <string.h>

#include "syncd/store/centre_private.h"
#include "syncd/store/centre_scope.h"

#define DATED_COLUMNS                                                                              \
    "id, kind, due_ms, account, from_employee, to_employee, person, made_ms, done_seq, cancelled," \
    " accounts, handover"
#define NOT_DONE "done_seq = 0 AND cancelled = 0"
/* Both have signed, or nobody has to. */
#define IS_SIGNED                                                                                  \
    "(handover = 0 OR EXISTS (SELECT 1 FROM r_handover h WHERE h.id = dated.handover AND "         \
    "h._dead IS NULL AND h.signed_from IS NOT NULL AND h.signed_to IS NOT NULL))"

#define LIST_DATED(is_signed)                                                                      \
    "SELECT " DATED_COLUMNS ", " is_signed                                                         \
    " FROM dated WHERE due_ms <= ?1 AND (?2 = 1 OR (" NOT_DONE ")) AND (?3 = 0 OR " is_signed      \
    ") ORDER BY due_ms, id"

static bool has_signatures(const struct centre *c) {
    return catalogue_entity(c->cat, SLICE("handover")) != NULL;
}

enum status centre_dated_add(struct centre *c, const struct centre_dated *op, int64_t *out_id,
                             struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT coalesce(max(id), 0) + 1, count(*) FROM dated", &s, err));
    TRY(db_step(s, &row, err));
    int64_t id = db_int(s, 0);
    bool full = db_int(s, 1) >= CENTRE_DATED_MAX;
    db_reset(s);
    if (full)
        return err_set(err, ST_TOO_LARGE, "at most %d operations can wait for their date",
                       "最多可有 %d 项待生效事项", CENTRE_DATED_MAX);
    TRY(db_prepare(
        c->db, "INSERT INTO dated(" DATED_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?)",
        &s, err));
    db_bind_int(s, 1, id);
    db_bind_int(s, 2, (int64_t)op->kind);
    db_bind_int(s, 3, op->due_ms);
    db_bind_int(s, 4, op->account);
    db_bind_int(s, 5, op->from);
    db_bind_int(s, 6, op->to);
    db_bind_text(s, 7, slice_from(op->person));
    db_bind_int(s, 8, op->made_ms);
    db_bind_int(s, 9, op->handover);
    TRY(db_run(s, err));
    c->due_is_known = false;
    *out_id = id;
    return ST_OK;
}

static void take_dated(struct db_stmt *s, struct centre_dated *out) {
    *out = (struct centre_dated){.id = db_int(s, 0),
                                 .kind = (enum dated_kind)db_int(s, 1),
                                 .due_ms = db_int(s, 2),
                                 .account = db_int(s, 3),
                                 .from = db_int(s, 4),
                                 .to = db_int(s, 5),
                                 .made_ms = db_int(s, 7),
                                 .done_seq = db_int(s, 8),
                                 .cancelled = db_int(s, 9) != 0,
                                 .accounts = db_int(s, 10),
                                 .handover = db_int(s, 11),
                                 .is_signed = db_int(s, 12) != 0};
    text_put(out->person, sizeof out->person, db_text(s, 6));
}

static enum status count_dated(struct centre *c, size_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT count(*) FROM dated", &s, err));
    TRY(db_step(s, &row, err));
    *out = row ? (size_t)db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status centre_dated_list(struct centre *c, int64_t to_ms, bool also_done, struct arena *mem,
                              struct centre_dated **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    size_t count = 0, room;
    bool row;
    TRY(count_dated(c, &room, err));
    struct centre_dated *list = ARENA_ARRAY(mem, room + 1, struct centre_dated);
    if (!list) return err_no_memory(err);
    TRY(db_prepare(c->db, has_signatures(c) ? LIST_DATED(IS_SIGNED) : LIST_DATED("1"), &s, err));
    db_bind_int(s, 1, to_ms);
    db_bind_int(s, 2, also_done);
    db_bind_int(s, 3, to_ms < INT64_MAX); /* those that can be carried out */
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && count < room) {
        take_dated(s, &list[count++]);
        status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = list;
    *out_count = count;
    return ST_OK;
}

enum status centre_dated_done(struct centre *c, int64_t id, int64_t seq, int64_t accounts,
                              struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "UPDATE dated SET done_seq = ?, accounts = ? WHERE id = ?", &s, err));
    db_bind_int(s, 1, seq);
    db_bind_int(s, 2, accounts);
    db_bind_int(s, 3, id);
    c->due_is_known = false;
    return db_run(s, err);
}

static enum status cancel(struct centre *c, void *ctx, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "UPDATE dated SET cancelled = 1 WHERE id = ? AND done_seq = 0 AND cancelled = 0",
                   &s, err));
    db_bind_int(s, 1, *(int64_t *)ctx);
    TRY(db_run(s, err));
    c->due_is_known = false;
    if (db_changes(c->db) > 0) return ST_OK;
    return err_set(err, ST_NOT_FOUND, "no such operation waits for its date",
                   "没有此项待生效事项（可用 dated list 查看）");
}

enum status centre_dated_cancel(struct centre *c, int64_t id, struct err *err) {
    return centre_write(c, cancel, &id, err);
}

enum status centre_dated_next(struct centre *c, int64_t *out_ms, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db,
                   has_signatures(c) ? "SELECT min(due_ms) FROM dated WHERE " NOT_DONE
                                       " AND " IS_SIGNED
                                     : "SELECT min(due_ms) FROM dated WHERE " NOT_DONE,
                   &s, err));
    TRY(db_step(s, &row, err));
    *out_ms = row && !db_is_null(s, 0) ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}
