/* Edits that were refused because their author had no access to the row any more: the row is
 * somebody else's now. Whoever sees it is told with his rounds, and may take the edit over: an edit
 * of his own that says the same closes it. All of an org's list is looked at, which is short, since
 * head office decides.
 */
#include "syncd/server/merge.h"
#include "syncd/server/reply.h"

#include <string.h>

/* ------------------------------------------------------------------ what is told */

struct telling {
    const struct view *view;
    const struct centre_device *reader;
    struct arena *mem;
    struct round_reply *out;
    size_t room;
};

static enum status is_of_reader(const struct telling *t, uint32_t device, bool *out,
                                struct err *err) {
    struct centre_device author;
    enum status status = centre_device(t->view->c, device, &author, err);
    *out = status == ST_OK && author.user == t->reader->user;
    return status == ST_NOT_FOUND ? ST_OK : status;
}

/* Where a row would be that was not let in. */
static enum status sees_new(const struct telling *t, const struct entity *e,
                            const struct change *change, bool *out, struct err *err) {
    struct homes homes;
    struct value *values = ARENA_ARRAY(t->mem, e->field_count, struct value);
    if (!values) return err_no_memory(err);
    for (size_t i = 0; i < change->edit_count; i++) {
        const struct edit *edit = &change->edits[i];
        const struct cell *cell = entity_cell(e, edit->cell_tag);
        if (cell && edit->kind == EDIT_SET && edit->value_count == cell->count)
            memcpy(values + cell->first, edit->values, cell->count * sizeof *values);
    }
    TRY(centre_homes_of(t->view->c, e, change->row, values, &homes, err));
    *out = view_sees(t->view, &homes);
    return ST_OK;
}

static enum status sees(const struct telling *t, const struct quarantine_entry *q, bool *out,
                        struct err *err) {
    const struct entity *e =
        catalogue_entity_by_tag(centre_catalogue(t->view->c), q->entity_tag);
    struct change change;
    int64_t row;
    *out = false;
    if (!e) return ST_OK;
    TRY(change_read(q->content, t->mem, &change, err));
    if (change.kind == CHANGE_CREATE && q->id.cell_tag == 0)
        return sees_new(t, e, &change, out, err);
    TRY(centre_alias_resolve(t->view->c, q->row, &row, err));
    return view_sees_row(t->view, e, row, out, err);
}

static enum status tell(void *ctx, const struct quarantine_entry *q, struct err *err) {
    struct telling *t = ctx;
    void *items = t->out->others;
    bool own, seen;
    if (t->out->others_count == WIRE_OTHERS_MAX) return ST_OK;
    TRY(is_of_reader(t, q->device, &own, err));
    if (own) return ST_OK;
    TRY(sees(t, q, &seen, err));
    if (!seen) return ST_OK;
    TRY(reply_grow(t->mem, &items, t->out->others_count, &t->room, sizeof *t->out->others, err));
    t->out->others = items;
    t->out->others[t->out->others_count++] = (struct others_edit){.seq = q->seq,
                                                                  .time_ms = q->time_ms,
                                                                  .device = q->device,
                                                                  .id = q->id,
                                                                  .reason = q->reason,
                                                                  .content = q->content};
    return ST_OK;
}

enum status reply_others(const struct view *view, const struct centre_device *device,
                         struct arena *mem, struct round_reply *out, struct err *err) {
    struct telling t = {.view = view, .reader = device, .mem = mem, .out = out};
    struct centre_scope scope;
    centre_scope(view->c, &scope);
    if (!scope.granted) return ST_OK;
    out->has_others = true;
    return centre_quarantine_denied(view->c, 0, mem, tell, &t, err);
}

/* ------------------------------------------------------------------ what is taken over */

static bool says_the_same(const struct edit *a, const struct edit *b) {
    bool same = a->cell_tag == b->cell_tag && a->kind == b->kind &&
                a->value_count == b->value_count;
    for (size_t i = 0; same && i < a->value_count; i++)
        same = value_equal(a->values[i], b->values[i]);
    return same;
}

static enum status take_over(struct merge *m, const struct merge_edit *edits, int64_t row,
                             const struct quarantine_entry *q, struct err *err) {
    struct change change;
    bool same = false, closed;
    if (q->device == m->author.number || q->id.cell_tag == 0) return ST_OK;
    TRY(change_read(q->content, m->mem, &change, err));
    for (size_t i = 0; i < m->change->edit_count && change.edit_count == 1 && !same; i++)
        same = edits[i].verdict.outcome <= OUTCOME_MERGED &&
               says_the_same(&edits[i].edit, &change.edits[0]);
    if (!same) return ST_OK;
    TRY(centre_quarantine_close(m->c, q->device, &q->id, HELD_APPROVED, centre_next_seq(m->c),
                                &closed, err));
    /* An entry of its own: the former author, who does not see the row, hears of it by that. */
    return merge_log(m, LOG_DECIDED, catalogue_entity_by_tag(m->cat, q->entity_tag), row,
                     OUTCOME_APPLIED, err);
}

struct denied {
    struct arena *mem;
    struct quarantine_entry *items;
    size_t count, room;
};

/* Closing them while they are read would not do. */
static enum status note(void *ctx, const struct quarantine_entry *q, struct err *err) {
    struct denied *d = ctx;
    void *items = d->items;
    TRY(reply_grow(d->mem, &items, d->count, &d->room, sizeof *d->items, err));
    d->items = items;
    d->items[d->count++] = *q;
    return ST_OK;
}

enum status others_taken_over(struct merge *m, const struct centre_row *row,
                              const struct merge_edit *edits, struct err *err) {
    struct denied d = {.mem = m->mem};
    if (!m->scope.on || m->approved || m->late) return ST_OK;
    TRY(centre_quarantine_denied(m->c, row->id, m->mem, note, &d, err));
    for (size_t i = 0; i < d.count; i++) TRY(take_over(m, edits, row->id, &d.items[i], err));
    return ST_OK;
}

enum status others_refused_new(struct merge *m, const struct entity *e, const struct value *values,
                               struct log_homes *room, struct err *err) {
    if (!m->scope.on) return ST_OK;
    *room = (struct log_homes){.at = {.count = 0}};
    TRY(centre_homes_of(m->c, e, m->change->row, values, &room->at, err));
    m->scope.homes = room;
    return ST_OK;
}
