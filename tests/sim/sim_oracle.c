/* What must be so after each round, and at rest: all books are equal, every deed that the server
 * took is in the state, in the ledger or was seen by one that is, what it did not take is in
 * quarantine, nothing lost to what it had seen, and the stores find nothing wrong with themselves.
 */
#include "tests/sim/sim.h"

#include "syncd/store/lives.h"

enum { REPAIR_OF_100 = 10, PROOF_EACH = 4 };

/* ------------------------------------------------------------------ receipts */

struct receipts {
    struct sim *s;
    size_t laptop;
};

static bool is_of(struct sim *s, const struct deed *d, const struct receipt_note *note) {
    if (d->fate == FATE_NEVER) return false;
    if (d->imported && d->row != note->row) return false;
    if (!d->place || !note->cell_tag) return true;
    return entity_cell_of(sim_entity_of(s, d->place), sim_field_of(s, d->place))->tag ==
           note->cell_tag;
}

static void count_outcome(struct sim *s, enum outcome outcome) {
    static const enum sim_what as[OUTCOME_COUNT] = {SIM_APPLIED, SIM_MERGED, SIM_LOST, SIM_HELD,
                                                    SIM_HELD};
    sim_count(s, as[outcome]);
}

/* What he edited he could see, and unless days passed nobody was late. A contact that he made of an
 * account of which he sees only the head is not his to see. A grant since the backup is forgotten
 * with the disk. */
static void check_denied(struct sim *s, const struct deed *d, const struct receipt_note *note) {
    bool own = sim_made(s, d->author, note->row);
    if (note->reason != REASON_DENIED) return;
    sim_count(s, SIM_DENIED);
    if (!own && !s->counts[SIM_DAYS_PASS] && !s->rolled && !(s->dated && s->leased))
        sim_fail(s, "an edit made under a grant was denied", d - s->deeds, note->row);
}

static enum status take_receipt(void *ctx, const struct receipt_note *note, struct err *err) {
    (void)err;
    struct receipts *want = ctx;
    struct sim *s = want->s;
    count_outcome(s, note->outcome);
    for (size_t i = 0; i < s->deed_count; i++) {
        struct deed *d = &s->deeds[i];
        if (!sim_is_batch(s, d, want->laptop, note->batch) || !is_of(s, d, note)) continue;
        if (d->fate == FATE_UNDONE)
            sim_fail(s, "an undone edit has a receipt", (int64_t)i, note->batch);
        d->fate = note->outcome >= OUTCOME_WAITING ? FATE_HELD : FATE_ACCEPTED;
        d->answered = true;
        d->told_lost = note->outcome == OUTCOME_LOST;
        check_denied(s, d, note);
        SAY(s, "  receipt of e%zu: %s %s\n", i, outcome_name(note->outcome),
            reason_text(note->reason, LANG_EN));
    }
    return ST_OK;
}

/* A text without a receipt was folded into the next one of its cell, and fared as that did. */
static void follow_folded(struct sim *s) {
    for (size_t i = s->deed_count; i > 0; i--) {
        struct deed *d = &s->deeds[i - 1];
        if (d->kind != KIND_TEXT || d->fate != FATE_PENDING) continue;
        for (size_t k = i; k < s->deed_count && d->fate == FATE_PENDING; k++) {
            const struct deed *next = &s->deeds[k];
            if (next->place == d->place && next->row == d->row && next->author == d->author &&
                next->fate != FATE_UNDONE) {
                d->fate = next->fate;
                d->batch = next->batch;
            }
        }
    }
}

/* ------------------------------------------------------------------ the ledger */

static const struct place *place_of(struct sim *s, uint32_t entity_tag, uint32_t cell_tag) {
    for (size_t i = 0; i < sim_place_count; i++) {
        const struct entity *e = sim_entity_of(s, &sim_places[i]);
        if (e->tag == entity_tag &&
            entity_cell_of(e, sim_field_of(s, &sim_places[i]))->tag == cell_tag)
            return &sim_places[i];
    }
    return NULL;
}

static bool is_same_delete(const struct deed *d, const struct ledger_entry *entry) {
    return d->kind == KIND_DELETE && d->device == entry->loser_device &&
           d->batch == entry->loser_batch;
}

/* Its author had seen what he had done himself: unless he did more, or another brought it back. */
static void check_lost_delete(struct sim *s, const struct deed *d,
                              const struct ledger_entry *entry) {
    if (!entry->loser_device || entry->loser_device != entry->winner_device) return;
    const struct entity *e = catalogue_entity_by_tag(&s->world.catalogue, entry->entity_tag);
    bool other = s->rolled || s->united_any || /* or he sees the head of the account only */
                 (s->homes && !sim_sees_row(s, &s->world.laptops[d->author], e->name, entry->row));
    for (size_t k = 0; k < s->deed_count; k++) {
        const struct deed *by = &s->deeds[k];
        other |= by->author == d->author ? by->batch > d->batch : by->row == entry->row;
    }
    if (!other)
        sim_fail(s, "a delete lost to what its author had done before", d - s->deeds, d->row);
}

static void take_lost_delete(struct sim_ledger *g, const struct ledger_entry *entry) {
    struct sim *s = g->s;
    bool known = false; /* else it was approved, in a batch of head office's own */
    sim_count(s, SIM_DELETE_LOST);
    for (size_t i = 0; i < s->deed_count; i++) known |= is_same_delete(&s->deeds[i], entry);
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        bool by_office = !known && d->kind == KIND_DELETE && d->approved && !entry->loser_device;
        if (!by_office && !is_same_delete(d, entry)) continue; /* it may name what it owns */
        SAY(s, "  ledger: delete e%zu lost at %lld\n", i, (long long)entry->row);
        if (!by_office) check_lost_delete(s, d, entry);
        mask_put(&g->deletes, i);
    }
}

/* Of one person's two windows the later save stands, of two people's edits the later one; what was
 * told twice, in two lives of the server, keeps the order of the first. Where rows become one, head
 * office says whose values stand. */
static void check_order(struct sim *s, const struct place *p, const struct ledger_entry *entry,
                        const struct deed *loser, const struct deed *winner) {
    int64_t at = loser - s->deeds;
    if (s->rolled || s->united_any || p->kind == KIND_MAX) return;
    if (loser->device == winner->device && loser->author != OFFICE) {
        if (winner->batch < loser->batch)
            sim_fail(s, "a later save lost to an earlier one of its author", at, winner->batch);
    } else if (entry->winner_time_ms < entry->loser_time_ms) {
        sim_fail(s, "the later of two edits lost", at, entry->loser_time_ms);
    }
}

static int64_t rank(const struct enumeration *values, struct value v) {
    for (size_t i = 0; v.kind == VALUE_INT && i < values->count; i++)
        if (values->values[i].number == v.number) return (int64_t)i;
    return -1;
}

/* Of two concurrent steps the further one stands, unless the catalogue forbids to go there. */
static void check_step(struct sim *s, const struct place *p, const struct ledger_entry *entry) {
    const struct enumeration *values = sim_field_of(s, p)->values;
    bool own = entry->loser_device == entry->winner_device, forbidden = false;
    if (own || s->rolled || s->united_any || s->loose || !entry->value_count) return;
    for (size_t i = 0; i < values->illegal_count; i++)
        forbidden |= values->illegal[i][0] == entry->winner[0].number &&
                     values->illegal[i][1] == entry->loser[0].number;
    int64_t lost = rank(values, entry->loser[0]), won = rank(values, entry->winner[0]);
    if (entry->winner_is_new ? won <= lost : won < lost && !forbidden)
        sim_fail(s, "of two steps the one stands that is not as far", lost, won);
}

static enum status take_ledger(void *ctx, const struct ledger_entry *entry, struct err *err) {
    (void)err;
    struct sim_ledger *g = ctx;
    struct sim *s = g->s;
    if (!entry->cell_tag) {
        take_lost_delete(g, entry);
        return ST_OK;
    }
    const struct place *p = place_of(s, entry->entity_tag, entry->cell_tag);
    if (p && p->kind == KIND_STATE) check_step(s, p, entry);
    if (!p || (p->kind != KIND_LAST && p->kind != KIND_GROUP && p->kind != KIND_MAX) ||
        !entry->value_count)
        return ST_OK;
    const struct entity *e = sim_entity_of(s, p);
    size_t at =
        entity_field_index(e, sim_field_of(s, p)) - entity_cell_of(e, sim_field_of(s, p))->first;
    int64_t loser = sim_deed_in(s, p, entry->loser[at]),
            winner = sim_deed_in(s, p, entry->winner[at]);
    if (loser < 0) return ST_OK;
    mask_put(&g->losers, (size_t)loser);
    if (!entry->winner_is_new) mask_put(&g->late, (size_t)loser);
    sim_count(s, SIM_CONFLICT);
    if (winner < 0) return ST_OK;
    mask_put(&g->lost_to[s->deeds[winner].author], (size_t)loser);
    SAY(s, "  ledger: e%lld lost to e%lld\n", (long long)loser, (long long)winner);
    if (s->loose || s->parted) return ST_OK;
    check_order(s, p, entry, &s->deeds[loser], &s->deeds[winner]);
    /* What head office approves, or chooses for a row that was two, it writes now: whoever had seen
     * that value before had not seen this. */
    bool anew = s->deeds[winner].approved ||
                (s->united_any && !entry->winner_device && s->deeds[winner].author != OFFICE);
    if (mask_has(&s->deeds[loser].seen, (size_t)winner) && !anew && !sim_parts_early(s) &&
        !mask_has(&s->orphans, (size_t)winner))
        sim_fail(s, "an edit lost to one that it had seen", loser, winner);
    bool as_told =
        s->rolled || (s->deeds[winner].approved && s->united_any) || s->deeds[loser].approved;
    if (!as_told && mask_has(&s->deeds[winner].seen, (size_t)loser) &&
        s->deeds[winner].author != s->deeds[loser].author && p->kind != KIND_MAX)
        sim_fail(s, "a conflict that was none: the winner had seen the loser", loser, winner);
    return ST_OK;
}

void sim_ledger_read(struct sim_ledger *out) {
    struct sim *s = out->s;
    struct err err;
    if (centre_ledger(org_centre(s->world.office), 0, INT64_MAX, 0, &s->mem, take_ledger, out,
                      &err) != ST_OK)
        sim_fail_err(s, "ledger", &err);
}

/* ------------------------------------------------------------------ rows that are gone */

struct living {
    struct sim *s;
    const struct sim_ledger *ledger;
    int64_t ids[ROWS_MAX];
    size_t count;
    struct {
        int64_t row, contact;
    } parts[ROWS_MAX]; /* who took part in visits */
    size_t part_count;
    int64_t owners[ROWS_MAX]; /* of those that have one */
    size_t owner_count;
};
static enum status check_row(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    struct living *living = ctx;
    const struct entity *e = row->entity;
    int64_t owner = e->owner_field >= 0 ? row->values[e->owner_field].number : 0;
    if (living->count < ROWS_MAX) living->ids[living->count++] = row->id;
    if (!strcmp(e->name, "visit_participant") && living->part_count < ROWS_MAX) {
        size_t at = entity_field_index(e, entity_field(e, SLICE("contact")));
        living->parts[living->part_count].row = row->id;
        living->parts[living->part_count++].contact = row->values[at].number;
    }
    if (owner && living->owner_count < ROWS_MAX) living->owners[living->owner_count++] = owner;
    if (!living->s->parted) sim_cells_check(living->s, row, living->ledger);
    return ST_OK;
}

static bool is_alive(const struct living *living, int64_t id) {
    for (size_t i = 0; i < living->count; i++)
        if (living->ids[i] == id) return true;
    return false;
}

static void check_deletes(struct sim *s, const struct living *living, const struct sim_ledger *g) {
    for (size_t i = 0; !s->rolled && !s->restored && i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        bool stands =
            d->kind == KIND_DELETE && d->fate == FATE_ACCEPTED && !mask_has(&g->deletes, i);
        if (stands && is_alive(living, d->final))
            sim_fail(s, "a delete lost, and nobody is told", (int64_t)i, d->row);
    }
}

static void check_owners(struct sim *s, const struct living *living) {
    for (size_t i = 0; i < living->owner_count; i++)
        if (!is_alive(living, living->owners[i]))
            sim_fail(s, "a living row has a dead owner", living->owners[i], 0);
}

static bool may_see_part(struct sim *s, const struct deed *d, int64_t part) {
    return !s->homes || sim_sees_row(s, &s->world.laptops[d->author], "visit_participant", part);
}

/* Who names a row wants it to live: it is dead only by a delete that had seen him do so, or whose
 * author may not see who it is. */
static void check_named(struct sim *s, const struct living *living) {
    for (size_t i = 0; i < living->part_count; i++) {
        bool seen = is_alive(living, living->parts[i].contact) || s->rolled;
        for (size_t c = 0; c < s->deed_count && !seen; c++) {
            bool made = s->deeds[c].part && s->deeds[c].final == living->parts[i].row;
            for (size_t k = 0; made && k < s->deed_count; k++) {
                const struct deed *d = &s->deeds[k];
                seen |= d->kind == KIND_DELETE && d->fate == FATE_ACCEPTED &&
                        (d->author == OFFICE || mask_has(&d->seen, c) ||
                         !may_see_part(s, d, living->parts[i].row));
            }
        }
        if (!seen)
            sim_fail(s, "a living row names one that was deleted without a look at it",
                     living->parts[i].row, living->parts[i].contact);
    }
}

static bool is_seen_by_delete(struct sim *s, const struct sim_ledger *g, size_t deed,
                              bool *out_deleted) {
    bool seen = mask_has(&g->losers, deed);
    *out_deleted = false;
    for (size_t k = 0; k < s->deed_count; k++) {
        const struct deed *d = &s->deeds[k];
        seen |= mask_has(&g->losers, k) && mask_has(&d->seen, deed);
        if (d->kind != KIND_DELETE || d->fate != FATE_ACCEPTED || mask_has(&g->deletes, k))
            continue;
        *out_deleted = true;
        seen |= mask_has(&d->seen, deed);
    }
    return seen;
}

/* A row that is not there was deleted by an accepted delete of it or of its owner, which had seen
 * what was written there. */
static void check_dead(struct sim *s, const struct living *living, const struct sim_ledger *g) {
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        bool alive = d->fate != FATE_ACCEPTED || d->kind == KIND_DELETE;
        if (alive || is_alive(living, d->final)) continue;
        bool deleted, seen = is_seen_by_delete(s, g, i, &deleted);
        bool shows = d->kind == KIND_LAST || d->kind == KIND_GROUP || d->kind == KIND_SET ||
                     d->kind == KIND_CREATE;
        if (!deleted)
            sim_fail(s, "a row vanished that nobody deleted", (int64_t)i, d->row);
        else if (!seen && shows)
            sim_fail(s, "a delete took an edit that it had not seen", (int64_t)i, d->row);
    }
}

/* ------------------------------------------------------------------ what was not taken */

struct quarantine {
    struct sim *s;
    bool here[EDITS_MAX];
    uint64_t open[LAPTOPS]; /* sums of what is open, to compare with the laptops' own */
    size_t open_count[LAPTOPS];
};

static uint64_t sum_of(const struct refusal_id *id) {
    uint64_t z = (uint64_t)id->batch << 32 ^ (uint64_t)id->change << 16 ^ id->cell_tag;
    return (z ^ z >> 29) * 0xbf58476d1ce4e5b9u;
}

static bool is_same_entry(const struct refusal_id *a, const struct refusal_id *b) {
    return a->batch == b->batch && a->change == b->change && a->cell_tag == b->cell_tag;
}

static void check_open(struct sim *s, size_t laptop, uint32_t device, const struct refusal_id *id) {
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        bool same = d->author == laptop && d->held.batch && is_same_entry(&d->held, id) &&
                    (d->device == device || id->batch <= s->kept[laptop]);
        if (same && d->fate == FATE_ACCEPTED)
            sim_fail(s, "what was sent again and came in still waits", (int64_t)i, id->batch);
    }
}

/* The laptop that shows an entry: one that was set back knows those of its former number up to
 * where both were the same. OFFICE: none. */
static size_t shown_at(const struct sim *s, const struct quarantine_entry *entry) {
    for (size_t i = 0; i < LAPTOPS; i++) {
        bool former = entry->device == i + 1 && entry->id.batch <= s->kept[i];
        if (entry->device == s->device[i] || former) return i;
    }
    return OFFICE;
}

static void check_decision(struct sim *s, const struct quarantine_entry *entry) {
    for (size_t i = 0; i < s->decision_count && !s->rolled; i++) {
        const struct decision *d = &s->decisions[i];
        bool same = d->device == entry->device && is_same_entry(&d->id, &entry->id);
        if (same && d->state != entry->state)
            sim_fail(s, "what head office decided does not stand", entry->id.batch,
                     (int64_t)entry->state);
    }
}

static enum status take_entry(void *ctx, const struct quarantine_entry *entry, struct err *err) {
    (void)err;
    struct quarantine *q = ctx;
    check_decision(q->s, entry);
    for (size_t i = 0; i < q->s->deed_count; i++) {
        const struct deed *d = &q->s->deeds[i];
        if (d->device == entry->device && d->batch == entry->id.batch && d->row == entry->row)
            q->here[i] = true;
    }
    size_t laptop = shown_at(q->s, entry);
    if (laptop == OFFICE || entry->state != HELD_OPEN) return ST_OK;
    q->open[laptop] += sum_of(&entry->id);
    q->open_count[laptop]++;
    check_open(q->s, laptop, entry->device, &entry->id);
    return ST_OK;
}

struct overlay {
    uint64_t sum;
    size_t count;
};
static enum status take_held(void *ctx, const struct held *held, struct err *err) {
    (void)err;
    struct overlay *o = ctx;
    o->sum += sum_of(&held->id);
    o->count++;
    return ST_OK;
}

static void check_overlays(struct sim *s, const struct quarantine *q) {
    for (size_t i = 0; i < LAPTOPS; i++) {
        struct overlay o = {0};
        struct err err;
        if (s->out[i]) continue;
        if (store_held(s->world.laptops[i].store, false, take_held, &o, &err) != ST_OK)
            sim_fail_err(s, "held", &err);
        if (o.sum != q->open[i] || o.count != q->open_count[i])
            sim_fail(s, "a laptop does not show what waits in quarantine", (int64_t)o.count,
                     (int64_t)q->open_count[i]);
    }
}

static void check_held(struct sim *s) {
    static struct quarantine q;
    struct err err;
    q = (struct quarantine){.s = s};
    if (centre_quarantine_list(org_centre(s->world.office), true, &s->mem, take_entry, &q, &err) !=
        ST_OK)
        sim_fail_err(s, "quarantine", &err);
    check_overlays(s, &q);
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        bool gone = d->author != OFFICE && s->out_then[d->author];
        if (d->fate == FATE_PENDING && !gone)
            sim_fail(s, "an edit never reached the server", (int64_t)i, d->batch);
        if (d->author == OFFICE) continue;
        bool late = s->revoked[d->author] && d->batch > s->had[d->author] && !s->rolled &&
                    d->device == s->device[d->author];
        if (late && d->fate == FATE_ACCEPTED && !d->approved)
            sim_fail(s, "what a revoked laptop had not sent was merged", (int64_t)i, d->batch);
        if (d->fate != FATE_HELD) continue;
        if (!q.here[i]) sim_fail(s, "a refused edit is not in quarantine", (int64_t)i, d->batch);
        if (d->kind != KIND_OFFICE && !s->rows && !s->homes && !s->revoked[d->author])
            sim_fail(s, "an edit was refused", (int64_t)i, d->row);
    }
}

/* ------------------------------------------------------------------ stores of their own accord */

static bool go_on(void *ctx, int64_t done, int64_t total) {
    (void)ctx;
    (void)done;
    (void)total;
    return true;
}

static void check_findings(struct sim *s, const char *who, struct buf *findings) {
    if (findings->len && !s->failure[0])
        snprintf(s->failure, sizeof(s->failure), "%s finds in itself: %.800s", who,
                 buf_text(findings));
    buf_reset(findings);
}

static void check_stores(struct sim *s) {
    struct buf findings SCOPED(buf_free) = buf_new(BUF_MAX_FILE);
    struct err err;
    int64_t rows;
    for (size_t i = 0; i < LAPTOPS; i++) {
        struct world_laptop *l = &s->world.laptops[i];
        if (s->out[i]) continue;
        if (store_verify(l->store, go_on, NULL, &findings, &rows, &err) != ST_OK)
            sim_fail_err(s, "verify", &err);
        check_findings(s, l->name, &findings);
    }
    if (centre_verify_all(org_centre(s->world.office), go_on, NULL, &findings, &err) != ST_OK)
        sim_fail_err(s, "verify", &err);
    check_findings(s, "the server", &findings);
}

/* ------------------------------------------------------------------ looking */

/* Where the server went back amid everything else: nothing that a laptop did is unanswered. */
static void check_loose(struct sim *s, const struct living *living) {
    bool deletes = false;
    for (size_t i = 0; i < s->deed_count; i++) deletes |= s->deeds[i].kind == KIND_DELETE;
    for (size_t i = 0; i < s->deed_count; i++) {
        const struct deed *d = &s->deeds[i];
        bool gone = d->author != OFFICE && s->out_then[d->author];
        if (d->fate == FATE_PENDING && !gone)
            sim_fail(s, "an edit never reached the server", (int64_t)i, d->batch);
        bool there = d->fate != FATE_ACCEPTED || d->author == OFFICE || is_alive(living, d->final);
        if (!there && !deletes && !s->parted)
            sim_fail(s, "a row vanished that nobody deleted", (int64_t)i, d->row);
    }
    check_stores(s);
}

void sim_prove(struct sim *s, struct world_laptop *l) {
    enum book_proof proof;
    struct err err;
    if (sim_is_out(s, l) || l->catalogue != &s->world.catalogue) return;
    if (store_prove(l->sync_store, INT64_MAX, false, &proof, &err) != ST_OK)
        sim_fail_err(s, "proof", &err);
    else if (proof == BOOK_DIFFERS)
        sim_fail(s, "a book has another digest than the server told", (int64_t)s->step, 0);
    else
        sim_count(s, SIM_PROVED);
}

void sim_glance(struct sim *s, struct world_laptop *l) {
    size_t i = (size_t)(l - s->world.laptops);
    struct err err;
    struct centre_head head;
    int64_t epoch = 0, cursor = 0;
    if (store_cursor(l->store, &epoch, &cursor, &err) != ST_OK) sim_fail_err(s, "cursor", &err);
    if (centre_head(org_centre(s->world.office), &head, &err) != ST_OK)
        sim_fail_err(s, "head", &err);
    if (epoch == s->epoch[i] && cursor < s->cursor[i])
        sim_fail(s, "a cursor went back", s->cursor[i], cursor);
    if (!s->rolled && epoch != 1) sim_fail(s, "another epoch began for nothing", epoch, cursor);
    if (!s->rolled && !s->moved && cursor != head.position.seq)
        sim_fail(s, "a round that worked left the laptop behind", cursor, head.position.seq);
    s->moved = false;
    s->epoch[i] = epoch;
    s->cursor[i] = cursor;
    sim_clock_measured(s, l);
    if (s->step % PROOF_EACH == 0) sim_prove(s, l);
    sim_status_glance(s, l);
}

static void compare_books(struct sim *s) {
    struct buf difference SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct err err;
    enum status status = s->homes ? sim_scope_compare(s, &difference, &err)
                                  : world_compare(&s->world, &difference, &err);
    if (status != ST_OK) sim_fail_err(s, "compare", &err);
    if (difference.len && !s->failure[0])
        snprintf(s->failure, sizeof(s->failure), "the books differ: %.900s", buf_text(&difference));
}

/* A laptop forgets the receipts of rows that it may not see any more; the server's journal tells.
 */
static void ask_journal(struct sim *s, struct deed *d) {
    struct journal_entry entry;
    struct err err;
    if (d->fate != FATE_PENDING || d->author == OFFICE) return;
    if (centre_journal(org_centre(s->world.office), d->device, d->batch, &s->mem, &entry, &err) !=
        ST_OK)
        return;
    for (size_t i = 0; i < entry.outcome_count; i++)
        if (entry.outcome_count == 1 || entry.outcomes[i].row == d->row)
            d->fate = entry.outcomes[i].outcome >= OUTCOME_WAITING ? FATE_HELD : FATE_ACCEPTED;
}

static void take_receipts(struct sim *s) {
    bool someone_out = false;
    for (size_t i = 0; i < LAPTOPS; i++) {
        struct receipts want = {s, i};
        struct err err;
        someone_out |= s->out[i];
        if (s->out[i]) continue;
        if (store_receipts(s->world.laptops[i].store, 0, take_receipt, &want, &err) != ST_OK)
            sim_fail_err(s, "receipts", &err);
    }
    for (size_t i = 0; (s->homes || someone_out || s->image.used) && i < s->deed_count; i++)
        ask_journal(s, &s->deeds[i]);
    for (size_t i = 0; i < s->deed_count; i++) s->deeds[i].final = sim_final(s, s->deeds[i].row);
    follow_folded(s);
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].approved && s->deeds[i].fate == FATE_HELD) s->deeds[i].fate = FATE_ACCEPTED;
}

struct shown {
    struct sim *s;
    struct mask deeds;
};
static enum status look_at_row(void *ctx, const struct row *row, struct err *err) {
    struct shown *shown = ctx;
    (void)err;
    sim_see_row(shown->s, row, &shown->deeds);
    return ST_OK;
}

struct mask sim_shown_by_office(struct sim *s) {
    struct shown shown = {.s = s};
    struct err err;
    for (size_t i = 0; i < s->world.catalogue.count; i++) {
        struct query query = {.entity = &s->world.catalogue.entities[i]};
        if (store_list(world_office_store(&s->world), &query, look_at_row, &shown, &err) != ST_OK)
            sim_fail_err(s, "list", &err);
    }
    return shown.deeds;
}

/* Head office is shown what it replaces when it takes facts. */
static enum status take_facts(struct sim *s, uint32_t device, int64_t *taken, int64_t *left,
                              struct err *err) {
    struct mask before = sim_shown_by_office(s);
    TRY(org_facts_take(s->world.office, device, taken, left, err));
    struct mask after = sim_shown_by_office(s);
    for (size_t i = 0; i < MASK_WORDS; i++) s->looked.word[i] |= before.word[i] & ~after.word[i];
    return ST_OK;
}

/* After a server went back everybody comes; then head office ends the recovery. */
static void all_give_back(struct sim *s) {
    struct err err;
    struct centre_recovery recovery;
    uint64_t first = sim_draw(s, LAPTOPS);
    for (size_t k = 0; k < 3 * LAPTOPS; k++)
        if (sim_life_sync(s, &s->world.laptops[(first + k) % LAPTOPS], &err) != ST_OK)
            sim_fail_err(s, "give back", &err);
    struct centre *c = org_centre(s->world.office);
    enum status status = centre_recovery(c, &recovery, &err);
    bool over = status != ST_OK || !recovery.recovering;
    int64_t taken, left;
    /* Of all who are trusted; then by name of those who are not. */
    for (uint32_t i = 0; !over && status == ST_OK && i <= LAPTOPS; i++) {
        if (i > 0 && !s->revoked[i - 1]) continue;
        status = take_facts(s, i > 0 ? s->device[i - 1] : 0, &taken, &left, &err);
        if (status == ST_OK) s->counts[SIM_FACT] += taken;
    }
    if (!over && status == ST_OK) status = centre_recovery_end(c, &err);
    if (status != ST_OK) sim_fail_err(s, "recovery", &err);
    if (status == ST_OK && recovery.missing > 0)
        sim_fail(s, "batches are missing", recovery.missing, 0);
}

/* Old releases are brought up to date first: what they did not know must be there then. */
static bool come_to_rest(struct sim *s) {
    struct err err;
    sim_trouble_heal(s);
    s->catalogue = &s->world.catalogue;
    for (size_t i = 0; i < LAPTOPS; i++) {
        struct world_laptop *l = &s->world.laptops[i];
        if (s->out[i] || l->catalogue == s->catalogue) continue;
        if (world_release(l, s->catalogue, &err) != ST_OK) sim_fail_err(s, "release", &err);
    }
    if (s->rolled) all_give_back(s);
    do {
        sim_dated_due(s);
        if (!s->failure[0] && sim_life_settle(s, &err) != ST_OK) sim_fail_err(s, "settle", &err);
    } while (s->dated && !s->failure[0] && sim_dated_moved(s));
    return !s->failure[0];
}

void sim_look(struct sim *s) {
    struct err err;
    if (!come_to_rest(s)) return;
    compare_books(s);
    if (!s->failure[0] && sim_chance(s, REPAIR_OF_100)) {
        sim_repair(s);
        compare_books(s);
    }
    take_receipts(s);
    struct sim_ledger ledger = {.s = s};
    sim_ledger_read(&ledger);
    static struct living living;
    living = (struct living){.s = s, .ledger = &ledger};
    for (size_t i = 0; i < s->world.catalogue.count; i++) {
        struct query query = {.entity = &s->world.catalogue.entities[i]};
        if (store_list(world_office_store(&s->world), &query, check_row, &living, &err) != ST_OK)
            sim_fail_err(s, "list", &err);
    }
    check_owners(s, &living);
    check_named(s, &living);
    sim_copy_check(s);
    if (s->parted && !s->rolled) sim_unite_sums(s);
    if (s->loose || s->parted) {
        check_loose(s, &living);
        return;
    }
    check_deletes(s, &living, &ledger);
    check_dead(s, &living, &ledger);
    check_held(s);
    sim_status_receipts(s, &ledger);
    if (sim_chance(s, 12)) check_stores(s);
}
