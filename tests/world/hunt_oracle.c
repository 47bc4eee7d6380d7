/* What must be so when a hunt is at rest. */
#include "tests/world/hunt.h"

#include "syncd/store/lives.h"

struct receipts {
    struct run *r;
    size_t laptop;
};
static enum status take_receipt(void *ctx, const struct receipt_note *note, struct err *err) {
    (void)err;
    struct receipts *want = ctx;
    struct run *r = want->r;
    for (size_t i = 0; i < r->edit_count; i++) {
        struct deed *e = &r->edits[i];
        if (e->laptop != want->laptop || e->batch != note->batch) continue;
        if (e->place && note->cell_tag &&
            entity_cell_of(hunt_entity_of(r, e->place), hunt_field_of(r, e->place))->tag !=
                note->cell_tag)
            continue;
        if (e->fate == FATE_UNDONE)
            hunt_fail(r, "an undone edit has a receipt", (int64_t)i, note->batch);
        e->fate = note->outcome >= OUTCOME_WAITING ? FATE_HELD : FATE_ACCEPTED;
        /* What he edited he could see, and nobody was late. A contact that he made of an account of
         * which he sees only the head is not his to see. */
        bool own = id_device(note->row) == want->laptop + 1;
        if (note->reason == REASON_DENIED && !own)
            hunt_fail(r, "an edit made under a grant was denied", (int64_t)i, note->row);
        SAY(r, "  receipt of e%zu: %s %s\n", i, outcome_name(note->outcome),
            reason_text(note->reason, LANG_EN));
    }
    return ST_OK;
}

/* A text without a receipt was folded into the next one of its cell, and fared as that did. */
static void follow_folded(struct run *r) {
    for (size_t i = r->edit_count; i > 0; i--) {
        struct deed *e = &r->edits[i - 1];
        if (e->kind != KIND_TEXT || e->fate != FATE_PENDING) continue;
        for (size_t k = i; k < r->edit_count && e->fate == FATE_PENDING; k++) {
            const struct deed *next = &r->edits[k];
            if (next->place == e->place && next->row == e->row && next->laptop == e->laptop &&
                next->fate != FATE_UNDONE)
                e->fate = next->fate;
        }
    }
}

struct ledger {
    struct run *r;
    struct mask losers;
    struct mask deletes; /* rows whose delete lost, by edit */
};
static const struct place *place_of(struct run *r, uint32_t entity_tag, uint32_t cell_tag) {
    for (size_t i = 0; i < hunt_place_count; i++) {
        const struct entity *e = hunt_entity_of(r, &hunt_places[i]);
        if (e->tag == entity_tag &&
            entity_cell_of(e, hunt_field_of(r, &hunt_places[i]))->tag == cell_tag)
            return &hunt_places[i];
    }
    return NULL;
}
static enum status take_ledger(void *ctx, const struct ledger_entry *entry, struct err *err) {
    (void)err;
    struct ledger *g = ctx;
    struct run *r = g->r;
    if (!entry->cell_tag) {
        for (size_t i = 0; i < r->edit_count; i++)
            if (r->edits[i].kind == KIND_DELETE && r->edits[i].laptop + 1 == entry->loser_device &&
                r->edits[i].batch == entry->loser_batch &&
                r->edits[i].final == hunt_final(r, entry->row))
                put(&g->deletes, i);
        return ST_OK;
    }
    const struct place *p = place_of(r, entry->entity_tag, entry->cell_tag);
    if (!p || (p->kind != KIND_LAST && p->kind != KIND_GROUP && p->kind != KIND_MAX) ||
        !entry->value_count)
        return ST_OK;
    const struct entity *e = hunt_entity_of(r, p);
    size_t at =
        entity_field_index(e, hunt_field_of(r, p)) - entity_cell_of(e, hunt_field_of(r, p))->first;
    int64_t loser = hunt_edit_in(r, p, entry->loser[at]),
            winner = hunt_edit_in(r, p, entry->winner[at]);
    if (loser < 0) return ST_OK;
    put(&g->losers, (size_t)loser);
    if (winner < 0) return ST_OK;
    SAY(r, "  ledger: e%lld lost to e%lld\n", (long long)loser, (long long)winner);
    if (has(&r->edits[loser].seen, (size_t)winner) && !has(&r->orphans, (size_t)winner))
        hunt_fail(r, "an edit lost to one that it had seen", loser, winner);
    if (!r->rolled && has(&r->edits[winner].seen, (size_t)loser) &&
        r->edits[winner].laptop != r->edits[loser].laptop && p->kind != KIND_MAX)
        hunt_fail(r, "a conflict that was none: the winner had seen the loser", loser, winner);
    return ST_OK;
}

static void check_seen(struct run *r, const struct place *p, const struct row *row,
                       const struct ledger *g) {
    struct mask good = g->losers;
    for (size_t i = 0; i < r->edit_count; i++)
        if (has(&g->losers, i)) hunt_join(&good, &r->edits[i].seen);
    hunt_see(r, p, row->entity, row->values, &good);
    for (size_t i = 0; i < r->edit_count; i++)
        if (r->edits[i].place == p && r->edits[i].final == row->id &&
            r->edits[i].fate == FATE_ACCEPTED && !has(&good, i))
            hunt_fail(r, "an acknowledged edit was lost", (int64_t)i, row->id);
}

static void check_group(struct run *r, const struct place *p, const struct row *row) {
    const struct field *second = entity_field(row->entity, slice_from(p->second));
    struct value a = row->values[entity_field_index(row->entity, hunt_field_of(r, p))],
                 b = row->values[entity_field_index(row->entity, second)];
    if (!value_equal(a, b)) hunt_fail(r, "a group was torn apart", row->id, 0);
}

static void check_count(struct run *r, const struct place *p, const struct row *row) {
    int64_t want = 0;
    for (size_t i = 0; i < r->edit_count; i++)
        if (r->edits[i].place == p && r->edits[i].final == row->id &&
            r->edits[i].fate == FATE_ACCEPTED)
            want += r->edits[i].delta;
    struct value v = row->values[entity_field_index(row->entity, hunt_field_of(r, p))];
    int64_t is = v.kind == VALUE_INT ? v.number : 0;
    if (is != want) hunt_fail(r, "a counter is not the sum of its deltas", is, want);
}

/* Something was done with this element that nobody holds a receipt of. */
static bool is_orphaned(struct run *r, const struct place *p, int64_t row, const char *word) {
    for (size_t i = 0; i < r->edit_count; i++)
        if (has(&r->orphans, i) && r->edits[i].place == p && r->edits[i].row == row &&
            !strcmp(r->edits[i].word, word))
            return true;
    return false;
}

static void check_set(struct run *r, const struct place *p, const struct row *row) {
    struct value v = row->values[entity_field_index(row->entity, hunt_field_of(r, p))];
    for (size_t i = 0; i < r->edit_count; i++) {
        const struct deed *add = &r->edits[i];
        if (add->place != p || add->final != row->id || !add->add || add->fate != FATE_ACCEPTED)
            continue;
        bool removed = false;
        for (size_t k = 0; k < r->edit_count; k++)
            removed |= r->edits[k].place == p && r->edits[k].final == row->id && !r->edits[k].add &&
                       r->edits[k].fate == FATE_ACCEPTED && !strcmp(r->edits[k].word, add->word);
        bool excused = removed && is_orphaned(r, p, row->id, add->word);
        if (set_has(v, slice_from(add->word)) == removed && !excused)
            hunt_fail(r, "a set is not its adds less its removes", (int64_t)i, row->id);
    }
}

static int count_word(struct slice text, const char *word) {
    int n = 0;
    for (struct slice part; slice_cut(&text, '\n', &part);)
        for (struct slice bit; slice_cut(&part, ' ', &bit);)
            n += slice_equal(bit, slice_from(word));
    return n;
}

static void check_text(struct run *r, const struct place *p, const struct row *row) {
    struct value v = row->values[entity_field_index(row->entity, hunt_field_of(r, p))];
    for (size_t i = 0; i < r->edit_count; i++) {
        const struct deed *e = &r->edits[i];
        if (e->place != p || e->final != row->id || e->fate != FATE_ACCEPTED) continue;
        bool removed = false;
        for (size_t k = 0; k < r->edit_count; k++)
            removed |= r->edits[k].place == p && r->edits[k].final == row->id &&
                       !strcmp(r->edits[k].removed, e->word);
        int times = count_word(v.kind == VALUE_TEXT ? v.text : (struct slice){0}, e->word);
        if (times > 1 && !r->rolled) /* old versions of texts went with their life */
            hunt_fail(r, "a word stands twice", (int64_t)i, row->id);
        if (!times && !removed)
            hunt_fail(r, "an acknowledged word was dropped", (int64_t)i, row->id);
    }
}

struct living {
    struct run *r;
    const struct ledger *g;
    int64_t ids[ROWS_MAX];
    size_t count;
};
static enum status check_row(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    struct living *living = ctx;
    struct run *r = living->r;
    if (living->count < ROWS_MAX) living->ids[living->count++] = row->id;
    for (size_t i = 0; i < hunt_place_count; i++) {
        const struct place *p = &hunt_places[i];
        if (hunt_entity_of(r, p) != row->entity || !(r->profile->kinds & BIT(p->kind))) continue;
        if (p->kind == KIND_LAST || p->kind == KIND_GROUP || p->kind == KIND_MAX)
            check_seen(r, p, row, living->g);
        if (p->kind == KIND_GROUP) check_group(r, p, row);
        if (p->kind == KIND_COUNT) check_count(r, p, row);
        if (p->kind == KIND_SET) check_set(r, p, row);
        if (p->kind == KIND_TEXT) check_text(r, p, row);
    }
    return ST_OK;
}

/* A row that is not there was deleted by an accepted delete of it or of its owner, which had seen
 * its last-writer edits. */
static void check_dead(struct run *r, const struct living *living, const struct ledger *g) {
    for (size_t i = 0; i < r->edit_count; i++) {
        const struct deed *e = &r->edits[i];
        bool alive = e->fate != FATE_ACCEPTED || e->kind == KIND_DELETE;
        for (size_t k = 0; k < living->count; k++) alive |= living->ids[k] == e->final;
        if (alive) continue;
        bool deleted = false, seen = has(&g->losers, i);
        for (size_t k = 0; k < r->edit_count; k++) {
            const struct deed *d = &r->edits[k];
            if (d->kind != KIND_DELETE || d->fate != FATE_ACCEPTED || has(&g->deletes, k)) continue;
            deleted = true;
            seen |= has(&d->seen, i) ||
                    d->final != e->final; /* by its owner: what that had seen is not kept here */
        }
        for (size_t k = 0; k < r->edit_count; k++)
            seen |= has(&g->losers, k) && has(&r->edits[k].seen, i);
        if (!deleted)
            hunt_fail(r, "a row vanished that nobody deleted", (int64_t)i, e->row);
        else if (!seen && (e->kind == KIND_LAST || e->kind == KIND_GROUP))
            hunt_fail(r, "a delete took an edit that it had not seen", (int64_t)i, e->row);
    }
}

static void check_held(struct run *r) {
    for (size_t i = 0; i < r->edit_count; i++) {
        const struct deed *e = &r->edits[i];
        if (e->fate == FATE_PENDING)
            hunt_fail(r, "an edit never reached the server", (int64_t)i, e->batch);
        if (e->fate == FATE_HELD && e->kind != KIND_OFFICE && !r->profile->rows)
            hunt_fail(r, "an edit was refused", (int64_t)i, e->row);
    }
}

/* Everybody comes; then head office ends the recovery. */
static void all_give_back(struct run *r) {
    struct err err;
    struct centre_recovery recovery;
    struct agent_result result;
    for (int i = 0; i < 3; i++)
        for (size_t k = 0; k < LAPTOPS; k++)
            if (world_sync(&r->world.laptops[k], &result, &err) != ST_OK)
                hunt_fail_err(r, "give back", &err);
    if (centre_recovery(org_centre(r->world.office), &recovery, &err) != ST_OK)
        hunt_fail_err(r, "recovery", &err);
    if (recovery.recovering && centre_recovery_end(org_centre(r->world.office), &err) != ST_OK)
        hunt_fail_err(r, "recovery", &err);
    if (recovery.missing > 0) hunt_fail(r, "batches are missing", recovery.missing, 0);
}

void hunt_look(struct run *r) {
    struct err err;
    struct buf difference SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    if (r->rolled) all_give_back(r);
    if (world_settle(&r->world, &err) != ST_OK) {
        hunt_fail_err(r, "settle", &err);
        return;
    }
    enum status compared = r->profile->homes ? hunt_compare(r, &difference, &err)
                                             : world_compare(&r->world, &difference, &err);
    if (compared != ST_OK) hunt_fail_err(r, "compare", &err);
    if (difference.len && !r->failure[0])
        snprintf(r->failure, sizeof(r->failure), "the books differ: %.900s", buf_text(&difference));
    for (size_t i = 0; i < LAPTOPS; i++) {
        struct receipts want = {r, i};
        if (store_receipts(r->world.laptops[i].store, 0, take_receipt, &want, &err) != ST_OK)
            hunt_fail_err(r, "receipts", &err);
    }
    for (size_t i = 0; i < r->edit_count; i++)
        r->edits[i].final = hunt_final(r, r->edits[i].row);
    follow_folded(r);
    struct ledger ledger = {.r = r};
    if (centre_ledger(org_centre(r->world.office), 0, INT64_MAX, 0, &r->mem, take_ledger, &ledger,
                      &err) != ST_OK)
        hunt_fail_err(r, "ledger", &err);
    static struct living living;
    living = (struct living){.r = r, .g = &ledger};
    for (size_t i = 0; i < r->world.catalogue.count; i++) {
        struct query query = {.entity = &r->world.catalogue.entities[i]};
        if (store_list(world_office_store(&r->world), &query, check_row, &living, &err) != ST_OK)
            hunt_fail_err(r, "list", &err);
    }
    check_dead(r, &living, &ledger);
    check_held(r);
}
