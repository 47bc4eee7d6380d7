/* Rows of a life that the server forgot, as laptops told them: what head office did since the
 * backup, and laptops that never came back. They are claims. What was given back with receipts, and
 * what was done in the present life, is never touched: of a cell the fact counts only if nothing
 * here is newer. Head office looks, and takes them as its own edits.
 */
#include <stdio.h>
#include <string.h>

#include "syncd/server/org_private.h"
#include "syncd/server/reply.h"
#include "syncd/store/centre_compact.h"

enum { FACT_SCRATCH = 64 * 1024 * 1024, PASSES_MAX = 8 };

/* ------------------------------------------------------------------ what is told */

/* Where the life that it is of parts from this one: that may have been before another. */
static enum status put_fact(struct centre *c, uint32_t device, const struct lost_branch *lost,
                            size_t lost_count, const struct change *change, struct err *err) {
    SCOPED(buf_free) struct buf content = buf_new(BUF_MAX_MESSAGE);
    struct centre_fact fact = {
        .device = device, .row = change->row, .entity_tag = change->entity_tag};
    bool sound = change->kind == CHANGE_EDIT && change->edit_count > 0 && id_is_valid(change->row);
    if (sound) fact.seq = change->edits[0].base.seq;
    sound = sound && base_is_lost(lost, lost_count, fact.seq, &fact.back);
    if (!sound || !catalogue_entity_by_tag(centre_catalogue(c), change->entity_tag)) return ST_OK;
    change_write(change, &content);
    TRY(buf_status(&content, err));
    fact.content = buf_slice(&content);
    return centre_fact_put(c, &fact, err);
}

enum status org_facts_put(struct centre *c, const struct centre_device *device,
                          const struct round_request *request, uint32_t *out, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(FACT_SCRATCH);
    struct centre_head head;
    struct lost_branch *lost;
    size_t lost_count;
    TRY(centre_head(c, &head, err));
    if (!request->facts || !head.recovering) return ST_OK;
    TRY(centre_lost(c, device->number, &mem, &lost, &lost_count, err));
    for (size_t i = 0; i < request->facts->change_count; i++)
        TRY(put_fact(c, device->number, lost, lost_count, &request->facts->changes[i], err));
    *out = (uint32_t)request->facts->change_count;
    return ST_OK;
}

/* What it gives back may wait for a row that only its facts can bring. */
static bool waits(const struct centre_device *device, const struct round_request *request) {
    const struct give_back *given = request->given;
    return given && device->last_batch < given->batches[given->batch_count - 1].number;
}

enum status org_wants_facts(struct centre *c, const struct centre_device *device,
                            const struct centre_head *head, const struct round_request *request,
                            bool *out, struct err *err) {
    struct centre_parting parting;
    bool found = false;
    if (head->recovering)
        TRY(centre_parting(c, device->number, head->epoch, &parting, &found, err));
    *out = found && (parting.settled || waits(device, request)) &&
           parting.lost_from < parting.start - 1;
    return ST_OK;
}

/* ------------------------------------------------------------------ what it would do */

struct looking {
    struct centre *c;
    struct arena *mem;
    const struct centre_fact *fact;
    const struct entity *e;
    struct centre_row row;
    bool below; /* nothing that was given back of the row stood above the fact */
    struct change *change;
    bool newer;
};

static bool combines(enum rule rule) {
    return rule == RULE_COUNTER || rule == RULE_SET || rule == RULE_TEXT;
}

static bool is_same(const struct value *a, const struct value *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!value_equal(a[i], b[i])) return false;
    return true;
}

/* Does what the fact says of the cell come after all that made it what it is here? Where two rows
 * are one here, and were two in that life, it knows only of what was done to the one. */
static enum status is_older(struct looking *l, const struct cell *cell, bool *out,
                            struct err *err) {
    const struct clock *clock = row_clock_of(&l->row.clock, cell->tag);
    struct centre_head head;
    int64_t old, upto, named = clock->via ? clock->via : l->row.id;
    bool mixed;
    *out = named == l->fact->row && clock->seq <= l->fact->back;
    if (*out || named != l->fact->row) return ST_OK;
    TRY(centre_head(l->c, &head, err));
    TRY(centre_old(l->c, clock->seq, cell->tag, &old, &upto, err));
    TRY(centre_cell_is_mixed(l->c, clock->seq, cell->tag, &mixed, err));
    bool of_this_life = mixed || clock->seq < epoch_start(head.epoch);
    /* Seqs of two forgotten lives say nothing of each other. */
    of_this_life |= (old > 0 ? old : upto) / EPOCH_SEQS != l->fact->seq / EPOCH_SEQS;
    *out = combines(cell->rule) ? l->below && !of_this_life
                                : !of_this_life && old > 0 && old < l->fact->seq;
    return ST_OK;
}

/* From the elements here to those of the fact. */
static enum status set_difference(struct looking *l, struct value from, struct value to,
                                  struct edit *edit, struct err *err) {
    struct value *values = ARENA_ARRAY(l->mem, 2, struct value);
    struct slice element, rest;
    if (!values) return err_no_memory(err);
    values[0] = values[1] = value_null();
    rest = to.kind == VALUE_TEXT ? to.text : (struct slice){0};
    while (slice_cut(&rest, '\n', &element))
        if (!set_has(from, element)) TRY(set_add(values[0], element, l->mem, &values[0], err));
    rest = from.kind == VALUE_TEXT ? from.text : (struct slice){0};
    while (slice_cut(&rest, '\n', &element))
        if (!set_has(to, element)) TRY(set_add(values[1], element, l->mem, &values[1], err));
    edit->kind = EDIT_ELEMENTS;
    edit->values = values;
    edit->value_count = 2;
    return ST_OK;
}

static int64_t number_of(struct value v) {
    return v.kind == VALUE_INT ? v.number : 0;
}

static enum status put_edit(struct looking *l, const struct cell *cell, const struct edit *told,
                            const struct value *here, struct err *err) {
    struct edit *edit = &l->change->edits[l->change->edit_count];
    *edit = (struct edit){.cell_tag = cell->tag,
                          .kind = EDIT_SET,
                          .values = told->values,
                          .value_count = told->value_count};
    if (here && cell->rule == RULE_SET) TRY(set_difference(l, here[0], told->values[0], edit, err));
    if (here && cell->rule == RULE_COUNTER) {
        struct value *delta = ARENA_NEW(l->mem, struct value);
        if (!delta) return err_no_memory(err);
        *delta = value_int(number_of(told->values[0]) - number_of(here[0]));
        edit->kind = EDIT_COUNT;
        edit->values = delta;
    }
    l->change->edit_count++;
    return ST_OK;
}

static enum status look_at_cell(struct looking *l, const struct edit *told, struct err *err) {
    const struct cell *cell = entity_cell(l->e, told->cell_tag);
    struct value nothing[ENTITY_FIELDS_MAX];
    bool older;
    if (!cell || cell->rule == RULE_DERIVED || told->kind != EDIT_SET ||
        told->value_count != cell->count)
        return ST_OK;
    if (l->change->kind == CHANGE_CREATE) {
        memset(nothing, 0, sizeof nothing);
        return is_same(told->values, nothing, cell->count) ? ST_OK
                                                           : put_edit(l, cell, told, NULL, err);
    }
    const struct value *here = l->row.values + cell->first;
    if (is_same(told->values, here, cell->count)) return ST_OK;
    TRY(is_older(l, cell, &older, err));
    l->newer |= !older;
    return older ? put_edit(l, cell, told, here, err) : ST_OK;
}

static enum status may_see(struct looking *l, const struct change *told, bool *out, bool *revoked,
                           struct err *err) {
    struct centre_device device;
    struct view view;
    struct homes homes;
    struct value *values = l->row.values;
    *out = *revoked = false;
    enum status status = centre_device(l->c, l->fact->device, &device, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    TRY(status);
    *revoked = device.revoked;
    TRY(view_open(l->c, &device, l->mem, &view, err));
    if (l->change->kind == CHANGE_EDIT) return view_sees_row(&view, l->e, l->row.id, out, err);
    values = ARENA_ARRAY(l->mem, l->e->field_count, struct value);
    if (!values) return err_no_memory(err);
    for (size_t i = 0; i < told->edit_count; i++) {
        const struct cell *cell = entity_cell(l->e, told->edits[i].cell_tag);
        if (cell && told->edits[i].value_count == cell->count)
            memcpy(values + cell->first, told->edits[i].values, cell->count * sizeof *values);
    }
    TRY(centre_homes_of(l->c, l->e, told->row, values, &homes, err));
    /* An account that is not here is nobody's yet: who makes one may see it. */
    bool own = homes_have(&homes, home_make(HOME_CLASS_TEAM, told->row));
    *out = view.all || own || view_sees(&view, &homes);
    return ST_OK;
}

static struct edit *edit_of(const struct change *change, uint32_t cell_tag) {
    for (size_t i = 0; i < change->edit_count; i++)
        if (change->edits[i].cell_tag == cell_tag) return &change->edits[i];
    return NULL;
}

/* Who may see a row is known only with what it belongs to: when that is taken, it is looked at
 * again. */
static enum status lacks_owner(struct looking *l, const struct change *told, bool *out,
                               struct err *err) {
    const struct entity *e = l->e;
    bool found, dead;
    int64_t owner;
    *out = false;
    if (e->owner_field < 0) return ST_OK;
    const struct field *f = &e->fields[e->owner_field];
    const struct edit *names = edit_of(told, entity_cell_of(e, f)->tag);
    if (!names || names->value_count != 1 || names->values[0].kind != VALUE_INT) return ST_OK;
    const struct entity *of = catalogue_entity(centre_catalogue(l->c), slice_from(f->refers_to));
    if (!of) return ST_OK;
    TRY(centre_alias_resolve(l->c, names->values[0].number, &owner, err));
    TRY(centre_row_probe(l->c, of, owner, &found, &dead, err));
    *out = !found;
    return ST_OK;
}

/* A laptop leaves out what its person had just edited: another may know it. */
static void add_peer(struct change *told, const struct change *peer, bool *disputed) {
    for (size_t i = 0; i < peer->edit_count; i++) {
        const struct edit *theirs = &peer->edits[i];
        const struct edit *ours = edit_of(told, theirs->cell_tag);
        if (!ours)
            told->edits[told->edit_count++] = *theirs;
        else if (ours->value_count != theirs->value_count ||
                 !is_same(ours->values, theirs->values, ours->value_count))
            *disputed = true;
    }
}

static enum status hear_peers(struct centre *c, const struct centre_fact *fact, struct arena *mem,
                              struct change *told, bool *disputed, struct err *err) {
    struct slice contents[CENTRE_FACT_PEERS_MAX];
    struct change peers[CENTRE_FACT_PEERS_MAX];
    size_t count, room = told->edit_count;
    TRY(centre_fact_peers(c, fact, mem, contents, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(change_read(contents[i], mem, &peers[i], err));
        room += peers[i].edit_count;
    }
    struct edit *edits = ARENA_ARRAY(mem, room + 1, struct edit);
    if (!edits) return err_no_memory(err);
    if (told->edit_count > 0) memcpy(edits, told->edits, told->edit_count * sizeof *edits);
    told->edits = edits;
    for (size_t i = 0; i < count; i++) add_peer(told, &peers[i], disputed);
    return ST_OK;
}

static enum status look(struct centre *c, const struct centre_fact *fact, bool alone,
                        struct arena *mem, struct fact_line *out, struct err *err) {
    struct change told;
    struct looking l = {.c = c, .mem = mem, .fact = fact, .change = &out->change};
    bool found, gone, sees, revoked, waits = false, disputed = false;
    int64_t id;
    l.e = catalogue_entity_by_tag(centre_catalogue(c), fact->entity_tag);
    *out = (struct fact_line){
        .device = fact->device, .entity = l.e, .row = fact->row, .seq = fact->seq};
    if (!l.e) return ST_OK;
    TRY(change_read(fact->content, mem, &told, err));
    if (!alone) TRY(hear_peers(c, fact, mem, &told, &disputed, err));
    TRY(centre_alias_resolve(c, fact->row, &id, err));
    TRY(centre_row_read(c, l.e, id, mem, &l.row, &found, err));
    TRY(centre_was_collected(c, id, 0, &gone, err));
    out->change = (struct change){.kind = found ? CHANGE_EDIT : CHANGE_CREATE,
                                  .entity_tag = l.e->tag,
                                  .row = id,
                                  .edits = ARENA_ARRAY(mem, told.edit_count + 1, struct edit)};
    if (!out->change.edits) return err_no_memory(err);
    out->state = FACT_DEAD;
    if (gone || (found && l.row.dead)) return ST_OK;
    if (found) TRY(centre_row_stood_below(c, id, fact->back, fact->seq, &l.below, err));
    for (size_t i = 0; i < told.edit_count; i++) TRY(look_at_cell(&l, &told.edits[i], err));
    out->state = !found                       ? FACT_NEW
                 : out->change.edit_count > 0 ? FACT_CHANGES
                 : l.newer                    ? FACT_NEWER
                                              : FACT_SAME;
    if (out->state != FACT_NEW && out->state != FACT_CHANGES) return ST_OK;
    TRY(may_see(&l, &told, &sees, &revoked, err));
    if (!sees && !found) TRY(lacks_owner(&l, &told, &waits, err));
    if (!sees) out->state = waits ? FACT_WAITS : FACT_DENIED;
    if (sees && revoked && !alone) out->state = FACT_REVOKED;
    if (sees && disputed) out->state = FACT_DISPUTED;
    return ST_OK;
}

enum status org_facts(struct centre *c, uint32_t device, fact_row *row, void *ctx,
                      struct err *err) {
    struct arena mem = arena_new(FACT_SCRATCH);
    struct centre_fact fact = {0};
    bool found = true;
    enum status status = ST_OK;
    while (status == ST_OK && found) {
        struct fact_line line;
        arena_clear(&mem);
        status = centre_fact_next(c, device, &fact, &mem, &fact, &found, err);
        if (status != ST_OK || !found) break;
        status = look(c, &fact, device != 0, &mem, &line, err);
        if (status == ST_OK && line.state != FACT_SAME) status = row(ctx, &line, err);
    }
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ taking */

/* Later give-backs of what it holds go to the ledger only. */
static enum status mark_taken(struct centre *c, const struct fact_line *line, int64_t seq,
                              struct err *err) {
    const struct change *change = &line->change;
    TRY(centre_old_put(c, seq, 0, line->seq, line->seq, err));
    TRY(centre_fact_mark(c, seq, 0, line->seq, false, err));
    for (size_t i = 0; i < change->edit_count; i++) {
        TRY(centre_old_put(c, seq, change->edits[i].cell_tag, line->seq, line->seq, err));
        TRY(centre_fact_mark(c, seq, change->edits[i].cell_tag, line->seq, false, err));
    }
    return ST_OK;
}

struct taking {
    struct centre *c;
    uint32_t device;
    int64_t taken, left;
};

static enum status take_one(struct taking *t, const struct fact_line *line, struct arena *mem,
                            bool *out_taken, struct err *err) {
    struct centre_device device;
    int64_t seq;
    TRY(centre_device(t->c, line->device, &device, err));
    const char *person = arena_printf(mem, "recovered from laptop %u of %s", (unsigned)line->device,
                                      device.user_name);
    if (!person) return err_no_memory(err);
    TRY(centre_mark_set(t->c, CENTRE_MARK_JOB, err));
    TRY(office_take(t->c, &line->change, slice_from(person), mem, out_taken, &seq, err));
    if (!*out_taken) return centre_mark_undo(t->c, CENTRE_MARK_JOB, err);
    TRY(mark_taken(t->c, line, seq, err));
    return centre_mark_keep(t->c, CENTRE_MARK_JOB, err);
}

/* One pass over what is left; owners come in before what they own in the end. */
static enum status take_pass(struct taking *t, bool *out_any, struct err *err) {
    struct arena mem = arena_new(FACT_SCRATCH);
    struct centre_fact fact = {0};
    bool found = true;
    enum status status = ST_OK;
    t->left = 0;
    while (status == ST_OK && found) {
        struct fact_line line;
        bool taken = false;
        arena_clear(&mem);
        status = centre_fact_next(t->c, t->device, &fact, &mem, &fact, &found, err);
        if (status != ST_OK || !found) break;
        status = look(t->c, &fact, t->device != 0, &mem, &line, err);
        bool can = line.state == FACT_NEW || line.state == FACT_CHANGES;
        if (status == ST_OK && can) status = take_one(t, &line, &mem, &taken, err);
        if (status == ST_OK && (taken || line.state == FACT_SAME))
            status = centre_fact_drop(t->c, t->device, &fact, err);
        t->taken += taken;
        t->left += !taken && line.state != FACT_SAME;
        *out_any |= taken;
    }
    arena_clear(&mem);
    return status;
}

enum status org_facts_take(struct org *org, uint32_t device, int64_t *out_taken, int64_t *out_left,
                           struct err *err) {
    struct taking t = {.c = org->c, .device = device};
    bool any = true;
    TRY(org_merge_begin(org, err));
    enum status status = ST_OK;
    for (int pass = 0; status == ST_OK && any && pass < PASSES_MAX; pass++) {
        any = false;
        status = take_pass(&t, &any, err);
    }
    if (status != ST_OK) {
        org_merge_abort(org);
        return status;
    }
    TRY(org_merge_commit(org, err));
    *out_taken = t.taken;
    *out_left = t.left;
    return ST_OK;
}
