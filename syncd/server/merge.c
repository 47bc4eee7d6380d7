/* One batch, change by change. Each change takes one seq for its outcome, also when it lost or did
 * not come in, so that cursors, chain and copies of the log say that it is there.
 */
#include "syncd/server/merge.h"

#include <string.h>

/* ------------------------------------------------------------------ time and log */

enum status merge_time(struct merge *m, int64_t base_seq, int64_t *out_ms, struct err *err) {
    int64_t floor = 0;
    if (!m->envelope) {
        *out_ms = m->now_ms;
        return ST_OK;
    }
    bool lost = m->former && base_is_lost(m->former->lost, m->former->lost_count, base_seq, NULL);
    if (base_seq > 0 && !lost) TRY(centre_log_time(m->c, base_seq, &floor, err));
    *out_ms = edit_time(&m->batch->stamp, m->envelope, m->now_ms, floor, ORG_OFFSET_SLACK_MS);
    if (former_line(m) && m->former->receipt->time_ms < *out_ms) /* no later than its receipt */
        *out_ms = m->former->receipt->time_ms;
    return ST_OK;
}

enum status merge_log(struct merge *m, enum log_kind kind, const struct entity *e, int64_t row,
                      enum outcome outcome, struct err *err) {
    struct log_entry entry = {.seq = centre_next_seq(m->c),
                              .time_ms = m->now_ms,
                              .kind = kind,
                              .entity_tag = e ? e->tag : m->change->entity_tag,
                              .row = row,
                              .device = m->author.number,
                              .batch = m->batch->number,
                              .change = m->change_at,
                              .outcome = outcome};
    struct log_homes room;
    TRY(scope_log(m, e, row, &room, &entry.homes, err));
    return centre_log_add(m->c, &entry, err);
}

/* ------------------------------------------------------------------ what does not come in */

enum status merge_hold(struct merge *m, const struct merge_edit *me, struct outcome_edit verdict,
                       struct err *err) {
    struct change only = *m->change;
    struct edit sent;
    SCOPED(buf_free) struct buf content = buf_new(BUF_MAX_MESSAGE);
    struct quarantine_entry entry = {
        .device = m->author.number,
        .id = {m->batch->number, m->change_at, me ? me->edit.cell_tag : 0},
        .seq = centre_next_seq(m->c),
        .time_ms = m->now_ms,
        .entity_tag = m->change->entity_tag,
        .row = m->change->row,
        .outcome = verdict.outcome,
        .reason = verdict.reason};
    if (me) {
        sent = me->edit;
        entry.base = me->edit.base;
        only.edits = &sent;
        only.edit_count = 1;
    }
    change_write(&only, &content);
    TRY(buf_status(&content, err));
    entry.content = buf_slice(&content);
    return centre_quarantine_add(m->c, &entry, err);
}

static enum log_kind kind_of(const struct change *change) {
    switch (change->kind) {
    case CHANGE_CREATE: return LOG_CREATE;
    case CHANGE_EDIT: return LOG_EDIT;
    case CHANGE_DELETE: return LOG_DELETE;
    }
    return LOG_EDIT;
}

enum status merge_refuse(struct merge *m, const struct entity *e, int64_t row,
                         struct outcome_edit verdict, struct outcome_change *out, struct err *err) {
    out->outcome = verdict.outcome;
    out->reason = verdict.reason;
    out->row = row;
    out->prev = out->seq = 0;
    for (size_t i = 0; i < m->change->edit_count; i++) {
        struct merge_edit me = {.edit = m->change->edits[i]};
        out->edits[i] = verdict;
        if (m->change->kind == CHANGE_EDIT) TRY(merge_hold(m, &me, verdict, err));
    }
    if (m->change->kind != CHANGE_EDIT || m->change->edit_count == 0)
        TRY(merge_hold(m, NULL, verdict, err));
    TRY(merge_release(m, err)); /* what was sent again waits once */
    return merge_log(m, kind_of(m->change), e, row, verdict.outcome, err);
}

enum status merge_release(struct merge *m, struct err *err) {
    for (size_t i = 0; i < m->change->retry_count; i++) {
        bool closed;
        TRY(centre_quarantine_close(m->c, m->author.number, &m->change->retry_of[i], HELD_RELEASED,
                                    centre_next_seq(m->c), &closed, err));
    }
    return ST_OK;
}

/* What head office decided meanwhile stands: its author hears of that with the news of held edits.
 */
static enum status merge_withdrawal(struct merge *m, const struct entity *e,
                                    struct outcome_change *out, struct err *err) {
    for (size_t i = 0; i < m->change->retry_count; i++) {
        bool closed;
        TRY(centre_quarantine_close(m->c, m->author.number, &m->change->retry_of[i], HELD_WITHDRAWN,
                                    centre_next_seq(m->c), &closed, err));
    }
    TRY(centre_alias_resolve(m->c, m->change->row, &out->row, err));
    return merge_log(m, LOG_WITHDRAWN, e, out->row, OUTCOME_APPLIED, err);
}

enum status merge_stands_on(struct merge *m, int64_t named, uint32_t cell_tag, struct base *base,
                            struct err *err) {
    bool found = base->own > 0;
    while (found) {
        uint32_t own = base->own;
        TRY(centre_quarantine_find(m->c, m->author.number, own, named, cell_tag, base, &found,
                                   err));
        if (base->own >= own) found = false; /* bases go back in time, or it would not end */
        if (base->own == 0) found = false;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ changes and batches */

/* Of a laptop that head office revoked. */
static enum status merge_put_aside(struct merge *m, const struct entity *e,
                                   struct outcome_change *out, struct err *err) {
    struct outcome_edit verdict = {OUTCOME_WAITING, REASON_REVOKED};
    int64_t row;
    TRY(centre_alias_resolve(m->c, m->change->row, &row, err));
    return merge_refuse(m, e, row, verdict, out, err);
}

static enum status merge_kind(struct merge *m, struct outcome_change *out, struct err *err) {
    const struct change *change = m->change;
    const struct entity *e = catalogue_entity_by_tag(m->cat, change->entity_tag);
    struct outcome_edit unknown = {OUTCOME_REFUSED, REASON_UNKNOWN_FIELD};
    *out = (struct outcome_change){.row = change->row, .edit_count = change->edit_count};
    out->edits = ARENA_ARRAY(m->mem, change->edit_count + 1, struct outcome_edit);
    if (!out->edits) return err_no_memory(err);
    m->when_ms = m->now_ms;
    if (change_is_withdrawal(change)) return merge_withdrawal(m, e, out, err);
    if (!e) return merge_refuse(m, NULL, change->row, unknown, out, err);
    if (m->revoked) return merge_put_aside(m, e, out, err);
    switch (change->kind) {
    case CHANGE_CREATE: return merge_create(m, e, out, err);
    case CHANGE_EDIT: return merge_edits(m, e, out, err);
    case CHANGE_DELETE: return merge_delete(m, e, out, err);
    }
    return err_set(err, ST_MALFORMED, "a change of an unknown kind", "未知的修改类型");
}

static void mark_late(enum outcome outcome, enum reason *reason) {
    if (is_taken(outcome) && *reason == REASON_NONE) *reason = REASON_LATE;
}

/* What came in though its author's sight of the row had ended says so: in the journal, and thus in
 * history and receipt, and in the list of what came late. */
static enum status merge_change(struct merge *m, struct outcome_change *out, struct err *err) {
    struct centre_late late = {.device = m->author.number,
                               .batch = m->batch->number,
                               .change = m->change_at,
                               .time_ms = m->now_ms,
                               .seq = centre_next_seq(m->c),
                               .entity_tag = m->change->entity_tag};
    bool taken;
    m->late = false;
    TRY(merge_kind(m, out, err));
    taken = is_taken(out->outcome);
    for (size_t i = 0; i < out->edit_count; i++) taken |= is_taken(out->edits[i].outcome);
    if (!m->late || !taken) return ST_OK;
    mark_late(out->outcome, &out->reason);
    for (size_t i = 0; i < out->edit_count; i++)
        mark_late(out->edits[i].outcome, &out->edits[i].reason);
    late.row = out->row;
    return centre_late_add(m->c, &late, err);
}

static enum status merge_all(struct merge *m, struct outcome_change *outcomes, struct err *err) {
    for (size_t i = 0; i < m->batch->change_count; i++) {
        m->change = &m->batch->changes[i];
        m->change_at = (uint32_t)i;
        TRY(merge_change(m, &outcomes[i], err));
    }
    return ST_OK;
}

/* Of an all-or-nothing batch of which something did not come in: nothing does. What was refused
 * keeps its reason. */
static enum status refuse_all(struct merge *m, struct outcome_change *outcomes, struct err *err) {
    for (size_t i = 0; i < m->batch->change_count; i++) {
        struct outcome_change *o = &outcomes[i];
        int64_t row;
        enum reason reason =
            is_taken(o->outcome) || o->reason == REASON_NONE ? REASON_BATCH : o->reason;
        m->change = &m->batch->changes[i];
        m->change_at = (uint32_t)i;
        TRY(centre_alias_resolve(m->c, m->change->row, &row, err));
        TRY(merge_refuse(m, catalogue_entity_by_tag(m->cat, m->change->entity_tag), row,
                         (struct outcome_edit){OUTCOME_REFUSED, reason}, o, err));
    }
    return ST_OK;
}

static bool all_are_taken(const struct outcome_change *outcomes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!is_taken(outcomes[i].outcome)) return false;
    return true;
}

static enum status merge_wholly(struct merge *m, struct outcome_change *outcomes, struct err *err) {
    TRY(centre_mark_set(m->c, CENTRE_MARK_BATCH, err));
    TRY(merge_all(m, outcomes, err));
    if (all_are_taken(outcomes, m->batch->change_count))
        return centre_mark_keep(m->c, CENTRE_MARK_BATCH, err);
    TRY(centre_mark_undo(m->c, CENTRE_MARK_BATCH, err));
    return refuse_all(m, outcomes, err);
}

enum status merge_batch(struct merge *m, struct outcome_change **out, struct err *err) {
    size_t count = m->batch->change_count;
    struct outcome_change *outcomes = ARENA_ARRAY(m->mem, count + 1, struct outcome_change);
    if (!outcomes) return err_no_memory(err);
    *out = outcomes;
    scope_begin(m);
    if ((m->batch->flags & BATCH_ALL_OR_NOTHING) && !m->revoked)
        TRY(merge_wholly(m, outcomes, err));
    else
        TRY(merge_all(m, outcomes, err));
    return scope_end(m, err);
}
