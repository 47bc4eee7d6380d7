/* Head office's own edits: batches of device 0, through the same merge as everyone's; and what it
 * decides about edits that wait.
 */
#include "syncd/server/org_private.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what head office looked at */

static int by_tag(const void *a, const void *b) {
    const struct edit *x = a, *y = b;
    return (x->cell_tag > y->cell_tag) - (x->cell_tag < y->cell_tag);
}

/* "As it is now": also what this batch itself did before. */
static void set_base(struct base *base, const struct base *now) {
    if (base->seq == 0) *base = *now;
}

static enum status copy_edits(struct change *change, const struct base *now, struct arena *mem,
                              struct err *err) {
    struct edit *edits = ARENA_ARRAY(mem, change->edit_count + 1, struct edit);
    if (!edits) return err_no_memory(err);
    for (size_t i = 0; i < change->edit_count; i++) {
        edits[i] = change->edits[i];
        if (change->kind == CHANGE_CREATE) continue;
        set_base(&edits[i].base, now);
        set_base(&edits[i].today, now);
    }
    if (change->edit_count > 1) qsort(edits, change->edit_count, sizeof *edits, by_tag);
    change->edits = edits;
    return ST_OK;
}

/* A delete without a unit takes what is there. */
static enum status copy_unit(struct merge *m, struct change *change, const struct base *now,
                             struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(m->cat, change->entity_tag);
    struct centre_ref *tree = NULL;
    size_t count = change->unit_count;
    if (change->kind != CHANGE_DELETE || !e) return ST_OK;
    if (count == 0) TRY(merge_tree(m, e, change->row, &tree, &count, err));
    struct unit_row *unit = ARENA_ARRAY(m->mem, count + 1, struct unit_row);
    if (!unit) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (tree)
            unit[i] = (struct unit_row){.row = tree[i].row, .entity_tag = tree[i].entity->tag};
        else
            unit[i] = change->unit[i];
        set_base(&unit[i].base, now);
    }
    change->unit = unit;
    change->unit_count = count;
    return ST_OK;
}

/* An edit speaks of the row as it is now, by whatever name: a base of now says nothing of a row
 * that became another, for it is a place in the log of that one. A delete means the row it names.
 */
static enum status resolve_row(struct merge *m, struct change *change, struct err *err) {
    bool has_base = change->kind != CHANGE_EDIT;
    for (size_t i = 0; i < change->edit_count; i++) has_base |= change->edits[i].base.seq != 0;
    return has_base ? ST_OK : centre_alias_resolve(m->c, change->row, &change->row, err);
}

static enum status copy_changes(struct merge *m, const struct change *changes, size_t count,
                                const struct base *now, struct change **out, struct err *err) {
    struct change *copy = ARENA_ARRAY(m->mem, count + 1, struct change);
    if (!copy) return err_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        copy[i] = changes[i];
        TRY(resolve_row(m, &copy[i], err));
        TRY(copy_edits(&copy[i], now, m->mem, err));
        TRY(copy_unit(m, &copy[i], now, err));
    }
    *out = copy;
    return ST_OK;
}

/* ------------------------------------------------------------------ a batch of device 0 */

struct office_save {
    const struct change *changes;
    size_t count;
    uint32_t flags;
    int64_t import_id;
    struct slice person;
    bool approved;
    struct batch batch;
    struct journal_entry entry;
};

static enum status write_journal(struct centre *c, const struct centre_device *device,
                                 struct office_save *s, struct err *err) {
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    batch_write(&s->batch, &bytes);
    TRY(buf_status(&bytes, err));
    s->entry.bytes = buf_slice(&bytes);
    s->entry.chain = chain_next(&device->chain, s->entry.bytes);
    TRY(centre_journal_add(c, &s->entry, err));
    TRY(centre_device_moved(c, s->entry.device, s->entry.batch, &s->entry.chain, err));
    s->entry.bytes = (struct slice){0};
    return ST_OK;
}

static enum status save(struct centre *c, struct office_save *s, struct arena *mem,
                        struct err *err) {
    struct centre_head head;
    struct centre_device device;
    struct outcome_change *outcomes;
    TRY(centre_head(c, &head, err));
    TRY(centre_device(c, 0, &device, err));
    s->batch = (struct batch){.number = device.last_batch + 1,
                              .flags = s->flags,
                              .cursor = head.position.seq,
                              .import_id = s->import_id,
                              .change_count = s->count};
    struct merge m = {.c = c,
                      .cat = centre_catalogue(c),
                      .mem = mem,
                      .author = device,
                      .batch = &s->batch,
                      .now_ms = centre_now(c),
                      .approved = s->approved};
    struct base now = {head.position.seq, s->batch.number};
    s->batch.stamp.wall_ms = m.now_ms;
    TRY(org_former(c, 0, head.epoch, mem, &m.former, err));
    TRY(copy_changes(&m, s->changes, s->count, &now, &s->batch.changes, err));
    TRY(merge_batch(&m, &outcomes, err));
    s->entry = (struct journal_entry){.batch = s->batch.number,
                                      .first_seq = head.position.seq + 1,
                                      .last_seq = centre_next_seq(c) - 1,
                                      .received_ms = m.now_ms,
                                      .person = s->person,
                                      .outcomes = outcomes,
                                      .outcome_count = s->count};
    return write_journal(c, &device, s, err);
}

enum status org_office_id(struct org *org, int64_t *out_id, struct err *err) {
    return centre_office_id(org->c, out_id, err);
}

enum status org_office_save(struct org *org, const struct change *changes, size_t count,
                            uint32_t flags, int64_t import_id, struct slice person,
                            struct arena *mem, struct receipt *out_receipt, struct err *err) {
    struct office_save s = {.changes = changes,
                            .count = count,
                            .flags = flags,
                            .import_id = import_id,
                            .person = person};
    struct receipt receipt;
    if (count == 0 || count > BATCH_ROWS_MAX)
        return err_set(err, ST_TOO_LARGE, "a save has 1 to %d changes", "每次保存 1 至 %d 项修改",
                       BATCH_ROWS_MAX);
    TRY(org_merge_begin(org, err));
    enum status status = save(org->c, &s, mem, err);
    if (status == ST_OK) status = reply_receipt(org->c, &s.batch, &s.entry, mem, &receipt, err);
    if (status != ST_OK) {
        centre_rollback(org->c);
        return status;
    }
    TRY(centre_commit(org->c, err));
    *out_receipt = receipt;
    return ST_OK;
}

/* ------------------------------------------------------------------ decisions */

static enum status cannot_approve(const struct outcome_change *o, struct err *err) {
    enum reason reason = o->reason;
    for (size_t i = 0; i < o->edit_count; i++)
        if (!is_taken(o->edits[i].outcome)) reason = o->edits[i].reason;
    return err_set(err, ST_CONFLICT, "it cannot be written as things are: %s%.0s",
                   "现在无法写入：%.0s%s", reason_text(reason, LANG_EN),
                   reason_text(reason, LANG_ZH));
}

enum status office_write(struct centre *c, const struct change *changes, size_t count,
                         struct slice person, struct arena *mem, struct err *err) {
    struct office_save s = {.changes = changes, .count = count, .person = person};
    TRY(save(c, &s, mem, err));
    for (size_t i = 0; i < count; i++)
        if (!is_taken(s.entry.outcomes[i].outcome))
            return cannot_approve(&s.entry.outcomes[i], err);
    return ST_OK;
}

/* A decision replaces what stands there, but for texts: what others wrote into one since stays, as
 * if the edit had come in. */
static enum status keep_words(struct centre *c, const struct quarantine_entry *entry,
                              struct change *change, struct arena *mem, struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(c), change->entity_tag);
    struct batch none = {0};
    struct merge m = {.c = c, .cat = centre_catalogue(c), .mem = mem, .batch = &none};
    struct centre_head head;
    struct centre_row row;
    int64_t id;
    bool found;
    if (!e || change->kind == CHANGE_CREATE) return ST_OK;
    TRY(centre_head(c, &head, err));
    TRY(centre_device(c, entry->device, &m.author, err));
    TRY(org_former(c, entry->device, head.epoch, mem, &m.former, err));
    TRY(centre_alias_resolve(c, change->row, &id, err));
    TRY(centre_row_read(c, e, id, mem, &row, &found, err));
    return found ? edit_keep_words(&m, &row, change, err) : ST_OK;
}

enum status office_take(struct centre *c, const struct change *change, struct slice person,
                        struct arena *mem, bool *out_taken, int64_t *out_seq, struct err *err) {
    struct office_save s = {.changes = change, .count = 1, .person = person, .approved = true};
    TRY(save(c, &s, mem, err));
    *out_taken = is_taken(s.entry.outcomes[0].outcome);
    *out_seq = s.entry.outcomes[0].seq;
    return ST_OK;
}

static enum status check_living(struct centre *c, const struct change *change, struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(centre_catalogue(c), change->entity_tag);
    int64_t id;
    bool found = false, dead = false;
    if (change->kind == CHANGE_CREATE || !e) return ST_OK;
    TRY(centre_alias_resolve(c, change->row, &id, err));
    TRY(centre_row_probe(c, e, id, &found, &dead, err));
    if (!dead) return ST_OK;
    return err_set(err, ST_CONFLICT, "the row was deleted", "该记录已被删除");
}

/* Written with head office's eyes: it looked at the row as it is now. */
static enum status approve_entry(struct centre *c, const struct quarantine_entry *entry,
                                 struct slice person, struct arena *mem, uint32_t *out_batch,
                                 struct err *err) {
    struct change change;
    TRY(change_read(entry->content, mem, &change, err));
    TRY(keep_words(c, entry, &change, mem, err));
    for (size_t i = 0; i < change.edit_count; i++)
        change.edits[i].base = change.edits[i].today = (struct base){0, 0};
    for (size_t i = 0; i < change.unit_count; i++) {
        change.unit[i].base = (struct base){0, 0};
        change.unit[i].cell_count = 0;
    }
    change.retry_count = 0;
    bool is_of_a_cell = entry->id.cell_tag != 0;
    if (is_of_a_cell && change.kind == CHANGE_CREATE)
        change.kind = CHANGE_EDIT; /* the row came in */
    struct office_save s = {.changes = &change, .count = 1, .person = person, .approved = true};
    TRY(check_living(c, &change, err));
    TRY(save(c, &s, mem, err));
    *out_batch = s.batch.number;
    const struct outcome_change *o = &s.entry.outcomes[0];
    return is_taken(o->outcome) ? ST_OK : cannot_approve(o, err);
}

static enum status decide(struct centre *c, uint32_t device, const struct refusal_id *id,
                          bool approve, struct slice person, struct arena *mem, struct err *err) {
    struct quarantine_entry entry;
    uint32_t batch = 0;
    bool closed;
    TRY(centre_quarantine(c, device, id, mem, &entry, err));
    if (entry.state != HELD_OPEN)
        return err_set(err, ST_CONFLICT, "this entry was closed already", "此项已处理");
    if (approve) TRY(approve_entry(c, &entry, person, mem, &batch, err));
    int64_t seq = centre_next_seq(c);
    TRY(centre_quarantine_close(c, device, id, approve ? HELD_APPROVED : HELD_DECLINED, seq,
                                &closed, err));
    struct log_entry log = {.seq = seq,
                            .time_ms = centre_now(c),
                            .kind = LOG_DECIDED,
                            .entity_tag = entry.entity_tag,
                            .row = entry.row,
                            .batch = batch,
                            .outcome = approve ? OUTCOME_APPLIED : OUTCOME_REFUSED};
    return centre_log_add(c, &log, err);
}

enum status org_decide(struct org *org, uint32_t device, const struct refusal_id *id, bool approve,
                       struct slice person, struct err *err) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    enum status status = org_merge_begin(org, err);
    if (status == ST_OK) {
        status = decide(org->c, device, id, approve, person, &mem, err);
        if (status == ST_OK)
            status = centre_commit(org->c, err);
        else
            centre_rollback(org->c);
    }
    arena_clear(&mem);
    return status;
}
