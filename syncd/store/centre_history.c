/* Who changed what, when, having seen what: from the log and the journal. */
#include "syncd/store/centre_private.h"

#include <string.h>

enum { HISTORY_SCRATCH = 64 * 1024 * 1024, HISTORY_ENTRIES_MAX = 100000 };

struct history {
    struct centre *c;
    int64_t row;
    uint32_t cell_tag;
    centre_history_row *each;
    void *ctx;
    struct arena mem; /* of one entry */
};

/* ------------------------------------------------------------------ entries of the log that name a
 * row */

static enum status creation_of(struct centre *c, int64_t row, int64_t *out_seq, struct err *err) {
    struct arena mem = arena_new(HISTORY_SCRATCH);
    enum status status = ST_OK;
    *out_seq = 0;
    for (size_t i = 0; i < c->cat->count && status == ST_OK && *out_seq == 0; i++) {
        struct centre_row it;
        bool found;
        status = centre_row_read(c, &c->cat->entities[i], row, &mem, &it, &found, err);
        if (status == ST_OK && found) *out_seq = it.clock.row.seq;
    }
    arena_clear(&mem);
    return status;
}

static enum status entries_of(struct centre *c, int64_t row, struct arena *mem, int64_t **out,
                              size_t *out_count, struct err *err) {
    struct db_stmt *s;
    bool more;
    int64_t created, *seqs = ARENA_ARRAY(mem, HISTORY_ENTRIES_MAX, int64_t);
    size_t count = 0;
    if (!seqs) return err_no_memory(err);
    TRY(creation_of(c, row, &created, err));
    if (created > 0) seqs[count++] = created;
    TRY(db_prepare(c->db,
                   "SELECT seq FROM log WHERE row IN (SELECT ?1 UNION ALL SELECT from_id FROM alias"
                   " WHERE to_id = ?1) AND (kind <> 1 OR outcome <> 0) ORDER BY seq",
                   &s, err));
    db_bind_int(s, 1, row);
    enum status status = db_step(s, &more, err);
    while (status == ST_OK && more && count < HISTORY_ENTRIES_MAX) {
        if (db_int(s, 0) != created) seqs[count++] = db_int(s, 0);
        status = db_step(s, &more, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = seqs;
    *out_count = count;
    return ST_OK;
}

/* ------------------------------------------------------------------ one entry */

static enum status copy_text(struct slice s, struct arena *mem, struct slice *out,
                             struct err *err) {
    *out = arena_copy(mem, s);
    return out->data ? ST_OK : err_no_memory(err);
}

static enum status name_author(struct history *h, struct slice person, struct centre_history *line,
                               struct err *err) {
    struct centre_device device;
    enum status status = centre_device(h->c, line->entry.device, &device, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    if (status != ST_OK) return status;
    TRY(copy_text(slice_from(device.name), &h->mem, &line->device_name, err));
    return copy_text(person.len > 0 ? person : slice_from(device.user_name), &h->mem, &line->person,
                     err);
}

static enum status tell_edits(struct history *h, struct centre_history *line,
                              const struct change *change, const struct outcome_change *outcome,
                              struct err *err) {
    for (size_t i = 0; i < change->edit_count && i < outcome->edit_count; i++) {
        const struct edit *edit = &change->edits[i];
        if (h->cell_tag > 0 && edit->cell_tag != h->cell_tag) continue;
        line->cell_tag = edit->cell_tag;
        line->outcome = outcome->edits[i].outcome;
        line->reason = outcome->edits[i].reason;
        line->base = edit->base;
        line->values = edit->values;
        line->value_count = edit->value_count;
        line->edit_kind = edit->kind;
        TRY(h->each(h->ctx, line, err));
    }
    return ST_OK;
}

static enum status tell_change(struct history *h, struct centre_history *line, struct err *err) {
    struct journal_entry journal;
    struct batch batch;
    uint32_t at = line->entry.change;
    TRY(centre_journal(h->c, line->entry.device, line->entry.batch, &h->mem, &journal, err));
    TRY(name_author(h, journal.person, line, err));
    if (journal.reduced == JOURNAL_BARE) /* that it was stays known, and who did it */
        return h->cell_tag == 0 ? h->each(h->ctx, line, err) : ST_OK;
    TRY(batch_read(journal.bytes, &h->mem, &batch, err));
    if (at >= batch.change_count || at >= journal.outcome_count)
        return err_set(err, ST_DAMAGED, "the journal lacks a change that the log names",
                       "日志簿缺少日志所指的修改");
    const struct change *change = &batch.changes[at];
    line->reason = journal.outcomes[at].reason;
    bool of_row = line->entry.kind != LOG_EDIT;
    if (of_row && h->cell_tag == 0) TRY(h->each(h->ctx, line, err));
    if (line->entry.kind != LOG_EDIT && line->entry.kind != LOG_CREATE) return ST_OK;
    return tell_edits(h, line, change, &journal.outcomes[at], err);
}

/* What was decided about: a decision names its entry of quarantine by the seq alone. */
static enum status tell_decision(struct history *h, struct centre_history *line,
                                 struct err *err) {
    struct quarantine_entry q;
    struct change change;
    bool found;
    TRY(centre_quarantine_closed(h->c, line->entry.seq, &h->mem, &q, &found, err));
    if (found) {
        TRY(change_read(q.content, &h->mem, &change, err));
        line->cell_tag = q.id.cell_tag;
        line->reason = q.state == HELD_DECLINED ? REASON_DECLINED : REASON_NONE;
    }
    if (h->cell_tag > 0 && line->cell_tag != h->cell_tag) return ST_OK;
    if (found && line->cell_tag > 0 && change.edit_count == 1) {
        line->edit_kind = change.edits[0].kind;
        line->values = change.edits[0].values;
        line->value_count = change.edits[0].value_count;
    }
    return h->each(h->ctx, line, err);
}

static enum status tell_entry(struct history *h, int64_t seq, struct err *err) {
    struct centre_history line = {0};
    TRY(centre_log_entry(h->c, seq, &line.entry, err));
    line.edit_ms = line.entry.time_ms;
    line.outcome = line.entry.outcome;
    if (line.entry.batch > 0 && line.entry.kind != LOG_DECIDED) return tell_change(h, &line, err);
    TRY(name_author(h, (struct slice){0}, &line, err));
    if (line.entry.kind == LOG_DECIDED) return tell_decision(h, &line, err);
    return h->cell_tag == 0 ? h->each(h->ctx, &line, err) : ST_OK;
}

enum status centre_history(struct centre *c, int64_t row, uint32_t cell_tag,
                           centre_history_row *each, void *ctx, struct err *err) {
    struct arena mem = arena_new(HISTORY_SCRATCH);
    struct history h = {
        .c = c, .cell_tag = cell_tag, .each = each, .ctx = ctx, .mem = arena_new(HISTORY_SCRATCH)};
    int64_t *seqs = NULL;
    size_t count = 0;
    enum status status = centre_alias_resolve(c, row, &h.row, err);
    if (status == ST_OK) status = entries_of(c, h.row, &mem, &seqs, &count, err);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        arena_clear(&h.mem);
        status = tell_entry(&h, seqs[i], err);
    }
    arena_clear(&h.mem);
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ counts */

static enum status count_of(struct centre *c, const char *sql, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, sql, &s, err));
    TRY(db_step(s, &row, err));
    *out += row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

static enum status count_rows(struct centre *c, struct centre_counts *out, struct err *err) {
    for (size_t i = 0; i < c->cat->count; i++) {
        SCOPED(buf_free) struct buf all = buf_new(BUF_MAX_LINE);
        SCOPED(buf_free) struct buf dead = buf_new(BUF_MAX_LINE);
        buf_printf(&all, "SELECT count(*) FROM \"r_%s\"", c->cat->entities[i].name);
        buf_printf(&dead, "SELECT count(*) FROM \"r_%s\" WHERE _dead IS NOT NULL",
                   c->cat->entities[i].name);
        TRY(count_of(c, buf_text(&all), &out->rows, err));
        TRY(count_of(c, buf_text(&dead), &out->rows_dead, err));
    }
    return ST_OK;
}

enum status centre_counts(struct centre *c, struct centre_counts *out, struct err *err) {
    struct centre_counts n = {0};
    TRY(count_of(c, "SELECT count(*) FROM org_user", &n.users, err));
    TRY(count_of(c, "SELECT count(*) FROM device WHERE number > 0", &n.devices, err));
    TRY(count_of(c, "SELECT count(*) FROM device WHERE revoked = 1", &n.devices_revoked, err));
    TRY(count_of(c, "SELECT coalesce(max(seq), 0) FROM log", &n.log, err));
    TRY(count_of(c, "SELECT count(*) FROM journal", &n.journal, err));
    TRY(count_of(c, "SELECT count(*) FROM ledger", &n.ledger, err));
    TRY(count_of(c, "SELECT count(*) FROM quarantine WHERE state = 0", &n.quarantine_open, err));
    TRY(count_of(c, "SELECT count(*) FROM alias_log", &n.aliases, err));
    TRY(count_of(c, "SELECT count(*) FROM text_version", &n.text_versions, err));
    TRY(count_rows(c, &n, err));
    *out = n;
    return ST_OK;
}
