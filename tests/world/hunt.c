/* Random runs: one seed makes people, clocks that are off, and a bad network; at rest the oracles
 * look.
 *
 *     hunt [--seed N] [--runs N] [--profile cells|kinds|rows|refused] [--kept FILE] [--trace]
 *
 * Converging is not correct. Each edit is remembered with what its author had been shown: values
 * carry the number of the edit that wrote them ("e17"), so what a person saw can be read off the
 * screen. No rule of the product reads it; only the oracles below do. Of every edit that the server
 * accepted they demand that it is in the value, or in the ledger, or was seen by an edit that is;
 * that nothing loses to an edit that it had seen; that counters are the sum of their deltas, sets
 * their adds less the removes, that no word of a text vanishes or stands twice; that a delete
 * stands only over edits that it had seen; and that all books are equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "tests/world/world.h"

enum { EDITS_MAX = 256, ROWS_MAX = 64, LAPTOPS = 3, STEPS = 34, WORD_BYTES = 24 };
enum { MASK_WORDS = EDITS_MAX / 64 };

struct mask {
    uint64_t word[MASK_WORDS];
};

enum kind {
    KIND_CREATE,
    KIND_DELETE,
    KIND_LAST,
    KIND_GROUP,
    KIND_COUNT,
    KIND_SET,
    KIND_TEXT,
    KIND_MAX,
    KIND_STATE,
    KIND_OFFICE,
    KIND_REF
};

struct place {
    const char *entity, *field, *second; /* second: the other field of a group */
    enum kind kind;
};
static const struct place places[] = {
    {"account", "website", NULL, KIND_LAST}, {"account", "city", "street", KIND_GROUP},
    {"account", "points", NULL, KIND_COUNT}, {"account", "tags", NULL, KIND_SET},
    {"account", "remarks", NULL, KIND_TEXT}, {"account", "last_contact_on", NULL, KIND_MAX},
    {"account", "status", NULL, KIND_STATE}, {"account", "tier", NULL, KIND_OFFICE},
    {"contact", "title", NULL, KIND_LAST},   {"contact", "phones", NULL, KIND_SET},
    {"contact", "account", NULL, KIND_REF}};

/* FATE_GONE: folded into a text that was undone, unless it was sent before: then a receipt says so.
 */
enum fate { FATE_PENDING, FATE_ACCEPTED, FATE_HELD, FATE_UNDONE, FATE_FOLDED, FATE_GONE };

/* What somebody did, and what he had been shown. */
struct deed {
    size_t laptop;
    uint32_t batch;
    int64_t row;
    const struct place *place; /* NULL: create or delete */
    enum kind kind;
    struct mask seen; /* what its author had been shown, itself included */
    int64_t delta;
    bool add;
    char word[WORD_BYTES];    /* element, or word inserted */
    char removed[WORD_BYTES]; /* text: word taken out */
    enum fate fate;
};

struct profile {
    const char *name;
    unsigned kinds; /* bits of enum kind */
    size_t accounts;
    bool rows; /* creates and deletes */
};
#define BIT(k) (1u << (k))
static const struct profile profiles[] = {
    {"cells", BIT(KIND_LAST) | BIT(KIND_GROUP), 1, false},
    {"kinds",
     BIT(KIND_LAST) | BIT(KIND_GROUP) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_TEXT) |
         BIT(KIND_MAX) | BIT(KIND_STATE),
     1, false},
    {"rows", BIT(KIND_LAST) | BIT(KIND_COUNT) | BIT(KIND_SET) | BIT(KIND_REF), 3, true},
    {"refused",
     BIT(KIND_LAST) | BIT(KIND_COUNT) | BIT(KIND_TEXT) | BIT(KIND_SET) | BIT(KIND_OFFICE), 2,
     true}};

struct open_form {
    bool open;
    const struct entity *entity;
    struct form form;
};

struct run {
    struct world world;
    struct arena mem;
    const struct profile *profile;
    uint64_t random;
    bool trace;
    struct deed edits[EDITS_MAX];
    size_t edit_count;
    struct open_form forms[LAPTOPS];
    char failure[1024];
};

/* ------------------------------------------------------------------ small things */

static uint64_t draw(struct run *r, uint64_t below) { /* xorshift64* (Vigna 2016) */
    r->random ^= r->random >> 12;
    r->random ^= r->random << 25;
    r->random ^= r->random >> 27;
    return (r->random * 0x2545f4914f6cdd1du >> 16) % below;
}

static bool has(const struct mask *m, size_t edit) {
    return m->word[edit / 64] >> edit % 64 & 1;
}
static void put(struct mask *m, size_t edit) {
    m->word[edit / 64] |= (uint64_t)1 << edit % 64;
}
static void join(struct mask *m, const struct mask *other) {
    for (size_t i = 0; i < MASK_WORDS; i++) m->word[i] |= other->word[i];
}

static void fail(struct run *r, const char *what, int64_t a, int64_t b) {
    if (!r->failure[0])
        snprintf(r->failure, sizeof(r->failure), "%s (%lld, %lld)", what, (long long)a,
                 (long long)b);
}
static void fail_err(struct run *r, const char *what, const struct err *err) {
    if (!r->failure[0])
        snprintf(r->failure, sizeof(r->failure), "%s: %s: %.700s", what, status_name(err->status),
                 err->text[LANG_EN]);
}

#define SAY(r, ...)                                                                                \
    do {                                                                                           \
        if ((r)->trace) printf(__VA_ARGS__);                                                       \
    } while (0)

/* The edit that a value names: "e17" -> 17; -1 for none. */
static int64_t edit_of(struct slice text) {
    int64_t n;
    if (text.len < 2 || text.data[0] != 'e' ||
        !text_to_int(slice_of(text.data + 1, text.len - 1), &n))
        return -1;
    return n;
}
static int64_t edit_in(struct run *r, const struct place *p, struct value v) {
    int64_t n = -1;
    if (p->kind == KIND_LAST || p->kind == KIND_GROUP) n = edit_of(v.text);
    if (p->kind == KIND_MAX && v.kind == VALUE_INT) n = v.number % EDITS_MAX;
    return n >= 0 && (size_t)n < r->edit_count ? n : -1;
}

static const struct entity *entity_of(struct run *r, const struct place *p) {
    return catalogue_entity(&r->world.catalogue, slice_from(p->entity));
}
static const struct field *field_of(struct run *r, const struct place *p) {
    return entity_field(entity_of(r, p), slice_from(p->field));
}

/* What a shown value has seen: the edits behind it. Sets and texts: all whose elements and words
 * stand there. */
static void see(struct run *r, const struct place *p, const struct entity *e,
                const struct value *values, struct mask *out) {
    struct value v = values[entity_field_index(e, field_of(r, p))];
    int64_t n = edit_in(r, p, v);
    if (n >= 0) join(out, &r->edits[n].seen);
}

/* ------------------------------------------------------------------ people */

static struct deed *new_edit(struct run *r, struct world_laptop *l, int64_t row,
                             const struct place *p, enum kind kind) {
    if (r->edit_count == EDITS_MAX) return NULL;
    struct deed *e = &r->edits[r->edit_count];
    *e = (struct deed){
        .laptop = (size_t)(l - r->world.laptops), .row = row, .place = p, .kind = kind};
    put(&e->seen, r->edit_count);
    return e;
}

struct pick {
    struct run *r;
    uint64_t seen;
    int64_t id;
};
static enum status pick_row(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    struct pick *pick = ctx;
    if (!row->gone && !draw(pick->r, ++pick->seen)) pick->id = row->id;
    return ST_OK;
}
static int64_t any_row(struct run *r, struct world_laptop *l, const struct entity *e) {
    struct pick pick = {.r = r};
    struct query query = {.entity = e};
    struct err err;
    if (store_list(l->store, &query, pick_row, &pick, &err) != ST_OK) fail_err(r, "list", &err);
    return pick.id;
}

static const struct place *any_place(struct run *r) {
    for (int i = 0; i < 100; i++) {
        const struct place *p = &places[draw(r, ARRAY_COUNT(places))];
        if (!(r->profile->kinds & BIT(p->kind))) continue;
        if (!strcmp(p->entity, "contact") && !r->profile->rows) continue;
        return p;
    }
    return &places[0];
}

static struct slice any_part(struct run *r, struct slice text, char separator) {
    struct slice rest = text, part, chosen = {0};
    for (uint64_t n = 1; slice_cut(&rest, separator, &part); n++)
        if (part.len && !draw(r, n)) chosen = part;
    return chosen;
}

static struct value text_in(struct run *r, const char *text) {
    char *copy = arena_string(&r->mem, slice_from(text));
    return value_text(slice_from(copy));
}

/* The words of a text: "start", then inserted ones; one a line, so that merges are by line and by
 * word. */
static struct value new_text(struct run *r, struct deed *e, struct value shown) {
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct slice rest = shown.kind == VALUE_TEXT ? shown.text : (struct slice){0}, word = {0},
                 gone = {0};
    if (shown.kind == VALUE_TEXT && !draw(r, 3)) gone = any_part(r, shown.text, '\n');
    snprintf(e->removed, sizeof(e->removed), "%.*s", (int)gone.len, (const char *)gone.data);
    uint64_t words = 1;
    for (struct slice count = rest; slice_cut(&count, '\n', &word);) words++;
    uint64_t at = draw(r, words);
    for (uint64_t i = 0; slice_cut(&rest, '\n', &word) || i <= at; i++) {
        if (i == at) buf_printf(&out, "%s%s", out.len ? "\n" : "", e->word);
        if (word.len && !slice_equal(word, gone)) {
            buf_put_text(&out, out.len ? "\n" : "");
            buf_put_slice(&out, word);
        }
        word = (struct slice){0};
    }
    return text_in(r, buf_text(&out));
}

/* Fills what a person does to a cell that shows v; false: nothing to do. */
static bool make_edit(struct run *r, struct world_laptop *l, const struct place *p, struct deed *e,
                      struct value shown, struct field_edit out[2], size_t *out_count) {
    const struct entity *entity = entity_of(r, p);
    out[0] = (struct field_edit){.field = entity_field(entity, slice_from(p->field))};
    *out_count = 1;
    snprintf(e->word, sizeof(e->word), "e%zu", r->edit_count);
    switch (p->kind) {
    case KIND_GROUP:
        out[1] = (struct field_edit){.field = entity_field(entity, slice_from(p->second)),
                                     .value = text_in(r, e->word)};
        *out_count = 2;
        out[0].value = text_in(r, e->word);
        return true;
    case KIND_LAST: out[0].value = text_in(r, e->word); return true;
    case KIND_COUNT:
        e->delta = (int64_t)draw(r, 9) - 3;
        out[0].kind = FIELD_EDIT_COUNT;
        out[0].value = value_int(e->delta);
        return e->delta != 0;
    case KIND_SET: {
        struct slice gone = shown.kind == VALUE_TEXT && draw(r, 2) ? any_part(r, shown.text, '\n')
                                                                   : (struct slice){0};
        e->add = !gone.len;
        if (gone.len)
            snprintf(e->word, sizeof(e->word), "%.*s", (int)gone.len, (const char *)gone.data);
        out[0].kind = e->add ? FIELD_EDIT_ADD : FIELD_EDIT_REMOVE;
        out[0].value = text_in(r, e->word);
        return true;
    }
    case KIND_TEXT: out[0].value = new_text(r, e, shown); return true;
    case KIND_MAX:
        out[0].value = value_int((int64_t)(10 + draw(r, 60)) * EDITS_MAX + (int64_t)r->edit_count);
        return true;
    case KIND_STATE: out[0].value = value_int((int64_t)draw(r, 5) + 1); return true;
    case KIND_OFFICE: out[0].value = value_int((int64_t)draw(r, 4) + 1); return true;
    case KIND_REF:
        out[0].value =
            value_int(any_row(r, l, catalogue_entity(&r->world.catalogue, SLICE("account"))));
        return out[0].value.number != 0;
    case KIND_CREATE:
    case KIND_DELETE: break;
    }
    return false;
}

static void fold(struct run *r, const struct deed *e) {
    for (size_t i = 0; i < r->edit_count; i++) {
        struct deed *old = &r->edits[i];
        if (old->place == e->place && old->row == e->row && old->laptop == e->laptop &&
            old->kind == KIND_TEXT && old->fate == FATE_PENDING)
            old->fate = FATE_FOLDED; /* or it was sent: then its receipt says so */
    }
}

static void save(struct run *r, struct world_laptop *l, const struct place *p, int64_t id,
                 const struct open_form *form) {
    const struct entity *e = entity_of(r, p);
    struct row row;
    struct err err;
    if (store_get(l->store, e, id, &r->mem, &row, &err) != ST_OK || row.gone) return;
    struct deed *edit = new_edit(r, l, id, p, p->kind);
    const struct value *shown = form ? form->form.values : row.values;
    struct field_edit edits[2];
    size_t count;
    if (!edit ||
        !make_edit(r, l, p, edit, shown[entity_field_index(e, field_of(r, p))], edits, &count))
        return;
    see(r, p, e, shown, &edit->seen);
    if (p->kind == KIND_COUNT || p->kind == KIND_SET) see(r, p, e, row.values, &edit->seen);
    bool changed = false;
    enum status status = store_begin(l->store, &err);
    if (status == ST_OK)
        status =
            store_edit(l->store, e, id, edits, count, form ? &form->form : NULL, &changed, &err);
    if (status == ST_OK) status = store_commit(l->store, &edit->batch, &err);
    if (status != ST_OK) {
        store_rollback(l->store);
        if (status != ST_INVALID && status != ST_DENIED && status != ST_CONFLICT)
            fail_err(r, "save", &err);
        return;
    }
    if (!changed) return;
    if (p->kind == KIND_TEXT) fold(r, edit);
    SAY(r, "  %s %s %lld.%s e%zu %s %+lld batch %u%s\n", l->name,
        p->kind == KIND_SET && !edit->add ? "removes" : "sets", (long long)id, p->field,
        r->edit_count, edit->word, (long long)edit->delta, edit->batch, form ? " from a form" : "");
    r->edit_count++;
}

static void do_edit(struct run *r, struct world_laptop *l) {
    const struct place *p = any_place(r);
    int64_t id = any_row(r, l, entity_of(r, p));
    if (id) save(r, l, p, id, NULL);
}

static void do_form(struct run *r, struct world_laptop *l) {
    struct open_form *form = &r->forms[l - r->world.laptops];
    struct err err;
    if (form->open) {
        form->open = false;
        const struct place *p = any_place(r);
        if (entity_of(r, p) == form->entity) save(r, l, p, form->form.row, form);
        return;
    }
    form->entity = catalogue_entity(&r->world.catalogue, SLICE("account"));
    int64_t id = any_row(r, l, form->entity);
    form->open = id && store_form(l->store, form->entity, id, &r->mem, &form->form, &err) == ST_OK;
}

static void do_create(struct run *r, struct world_laptop *l) {
    const struct entity *account = catalogue_entity(&r->world.catalogue, SLICE("account"));
    const struct entity *contact = catalogue_entity(&r->world.catalogue, SLICE("contact"));
    int64_t owner = any_row(r, l, account), id;
    struct deed *edit = new_edit(r, l, 0, NULL, KIND_CREATE);
    if (!edit) return;
    snprintf(edit->word, sizeof(edit->word), "e%zu", r->edit_count);
    struct field_edit edits[] = {
        {entity_field(contact, SLICE("account")), FIELD_EDIT_SET, value_int(owner)},
        {entity_field(contact, SLICE("name")), FIELD_EDIT_SET, text_in(r, edit->word)},
        {entity_field(contact, SLICE("title")), FIELD_EDIT_SET, text_in(r, edit->word)}};
    struct field_edit alone = {entity_field(account, SLICE("name")), FIELD_EDIT_SET,
                               text_in(r, edit->word)};
    bool child = owner && draw(r, 3);
    struct err err;
    enum status status = store_begin(l->store, &err);
    if (status == ST_OK)
        status = child ? store_create(l->store, contact, edits, ARRAY_COUNT(edits), &id, &err)
                       : store_create(l->store, account, &alone, 1, &id, &err);
    if (status == ST_OK) status = store_commit(l->store, &edit->batch, &err);
    if (status != ST_OK) {
        store_rollback(l->store);
        fail_err(r, "create", &err);
        return;
    }
    edit->row = id;
    SAY(r, "  %s creates %s %lld e%zu batch %u\n", l->name, child ? "contact" : "account",
        (long long)id, r->edit_count, edit->batch);
    r->edit_count++;
}

struct whole_row {
    struct run *r;
    int64_t owner;
    struct mask *seen;
};
static enum status see_row(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    struct whole_row *w = ctx;
    for (size_t i = 0; i < ARRAY_COUNT(places); i++)
        if (entity_of(w->r, &places[i]) == row->entity)
            see(w->r, &places[i], row->entity, row->values, w->seen);
    return ST_OK;
}

static void do_delete(struct run *r, struct world_laptop *l) {
    const struct entity *e =
        catalogue_entity(&r->world.catalogue, draw(r, 2) ? SLICE("account") : SLICE("contact"));
    int64_t id = any_row(r, l, e);
    struct deed *edit = id ? new_edit(r, l, id, NULL, KIND_DELETE) : NULL;
    struct row row;
    struct err err;
    if (!edit || store_get(l->store, e, id, &r->mem, &row, &err) != ST_OK) return;
    struct whole_row whole = {.r = r, .seen = &edit->seen};
    (void)see_row(&whole, &row, &err);
    size_t rows;
    enum status status = store_begin(l->store, &err);
    if (status == ST_OK) status = store_delete(l->store, e, id, &rows, &err);
    if (status == ST_OK) status = store_commit(l->store, &edit->batch, &err);
    if (status != ST_OK) {
        store_rollback(l->store);
        if (status != ST_DENIED) fail_err(r, "delete", &err);
        return;
    }
    SAY(r, "  %s deletes %lld e%zu batch %u\n", l->name, (long long)id, r->edit_count, edit->batch);
    r->edit_count++;
}

static enum status newest_is_sent(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)err;
    if (entry->content->change_count) *(bool *)ctx = entry->sent;
    return ST_OK;
}

/* Only what was not sent: undoing what was is a new edit like any other. */
static void do_undo(struct run *r, struct world_laptop *l) {
    uint32_t undone = 0, batch = 0;
    struct err err;
    bool sent = true;
    if (store_outbox(l->store, newest_is_sent, &sent, &err) != ST_OK || sent) return;
    if (store_undo(l->store, 0, &undone, &batch, &err) != ST_OK || batch) return;
    for (size_t i = 0; i < r->edit_count; i++) {
        struct deed *d = &r->edits[i];
        if (d->laptop != (size_t)(l - r->world.laptops) || d->batch != undone) continue;
        d->fate = FATE_UNDONE;
        for (size_t k = 0; k < i; k++) /* texts that it had taken in go with it */
            if (r->edits[k].place == d->place && r->edits[k].row == d->row &&
                r->edits[k].laptop == d->laptop && r->edits[k].fate == FATE_FOLDED)
                r->edits[k].fate = FATE_GONE;
    }
    SAY(r, "  %s undoes batch %u\n", l->name, undone);
}

static void edit_during(void *ctx, struct world_laptop *l) {
    SAY((struct run *)ctx, "   during the round:\n");
    do_edit(ctx, l);
}

static void do_round(struct run *r, struct world_laptop *l) {
    struct agent_result result;
    struct err err;
    switch (draw(r, 10)) {
    case 0: l->fault = WORLD_LOSE_REQUEST; break;
    case 1:
    case 2: l->fault = WORLD_LOSE_REPLY; break;
    case 3: l->fault = WORLD_REPEAT_REQUEST; break;
    case 4:
        l->fault = WORLD_CUT_SLICES;
        l->slices_left = (int)draw(r, 3);
        break;
    case 5:
    case 6:
        l->during = edit_during;
        l->during_ctx = r;
        break;
    default: break;
    }
    SAY(r, "  %s syncs, fault %d\n", l->name, (int)l->fault);
    bool faulty = l->fault != WORLD_FAULT_NONE;
    enum status status = world_sync(l, &result, &err);
    l->during = NULL;
    if (status != ST_OK && !faulty) fail_err(r, "sync", &err);
}

static void do_clock(struct run *r, struct world_laptop *l) {
    static const int64_t by_ms[] = {
        0, 0, -7000000, 8000000, -40000, 30000, (int64_t)-86400000 * 700, (int64_t)86400000 * 900};
    int64_t by = by_ms[draw(r, ARRAY_COUNT(by_ms))];
    struct err err;
    enum status status = draw(r, 2) ? world_step(l, by, &err) : world_reboot(l, by, &err);
    if (status != ST_OK) fail_err(r, "clock", &err);
    r->forms[l - r->world.laptops].open = false;
}

static void step(struct run *r) {
    struct world_laptop *l = &r->world.laptops[draw(r, LAPTOPS)];
    r->world.now_ms += 1000 + (int64_t)draw(r, 60000);
    uint64_t x = draw(r, 100);
    struct err err;
    if (x < 30)
        do_edit(r, l);
    else if (x < 44)
        do_form(r, l);
    else if (x < 48)
        do_undo(r, l);
    else if (x < 78)
        do_round(r, l);
    else if (x < 83)
        do_clock(r, l);
    else if (x < 86) {
        if (world_restart(l, &err) != ST_OK) fail_err(r, "restart", &err);
    } else if (x < 94 && r->profile->rows)
        do_create(r, l);
    else if (x < 98 && r->profile->rows)
        do_delete(r, l);
    else
        do_edit(r, l);
}

/* ------------------------------------------------------------------ oracles */

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
            entity_cell_of(entity_of(r, e->place), field_of(r, e->place))->tag != note->cell_tag)
            continue;
        if (e->fate == FATE_UNDONE)
            fail(r, "an undone edit has a receipt", (int64_t)i, note->batch);
        e->fate = note->outcome >= OUTCOME_WAITING ? FATE_HELD : FATE_ACCEPTED;
        SAY(r, "  receipt of e%zu: %s %s\n", i, outcome_name(note->outcome),
            reason_text(note->reason, LANG_EN));
    }
    return ST_OK;
}

struct ledger {
    struct run *r;
    struct mask losers;
    struct mask deletes; /* rows whose delete lost, by edit */
};
static const struct place *place_of(struct run *r, uint32_t entity_tag, uint32_t cell_tag) {
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        const struct entity *e = entity_of(r, &places[i]);
        if (e->tag == entity_tag && entity_cell_of(e, field_of(r, &places[i]))->tag == cell_tag)
            return &places[i];
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
                r->edits[i].batch == entry->loser_batch && r->edits[i].row == entry->row)
                put(&g->deletes, i);
        return ST_OK;
    }
    const struct place *p = place_of(r, entry->entity_tag, entry->cell_tag);
    if (!p || (p->kind != KIND_LAST && p->kind != KIND_GROUP && p->kind != KIND_MAX) ||
        !entry->value_count)
        return ST_OK;
    const struct entity *e = entity_of(r, p);
    size_t at = entity_field_index(e, field_of(r, p)) - entity_cell_of(e, field_of(r, p))->first;
    int64_t loser = edit_in(r, p, entry->loser[at]), winner = edit_in(r, p, entry->winner[at]);
    if (loser < 0) return ST_OK;
    put(&g->losers, (size_t)loser);
    if (winner < 0) return ST_OK;
    SAY(r, "  ledger: e%lld lost to e%lld\n", (long long)loser, (long long)winner);
    if (has(&r->edits[loser].seen, (size_t)winner))
        fail(r, "an edit lost to one that it had seen", loser, winner);
    if (has(&r->edits[winner].seen, (size_t)loser) &&
        r->edits[winner].laptop != r->edits[loser].laptop && p->kind != KIND_MAX)
        fail(r, "a conflict that was none: the winner had seen the loser", loser, winner);
    return ST_OK;
}

static void check_seen(struct run *r, const struct place *p, const struct row *row,
                       const struct ledger *g) {
    struct mask good = g->losers;
    for (size_t i = 0; i < r->edit_count; i++)
        if (has(&g->losers, i)) join(&good, &r->edits[i].seen);
    see(r, p, row->entity, row->values, &good);
    for (size_t i = 0; i < r->edit_count; i++)
        if (r->edits[i].place == p && r->edits[i].row == row->id &&
            r->edits[i].fate == FATE_ACCEPTED && !has(&good, i))
            fail(r, "an acknowledged edit was lost", (int64_t)i, row->id);
}

static void check_group(struct run *r, const struct place *p, const struct row *row) {
    const struct field *second = entity_field(row->entity, slice_from(p->second));
    struct value a = row->values[entity_field_index(row->entity, field_of(r, p))],
                 b = row->values[entity_field_index(row->entity, second)];
    if (!value_equal(a, b)) fail(r, "a group was torn apart", row->id, 0);
}

static void check_count(struct run *r, const struct place *p, const struct row *row) {
    int64_t want = 0;
    for (size_t i = 0; i < r->edit_count; i++)
        if (r->edits[i].place == p && r->edits[i].row == row->id &&
            r->edits[i].fate == FATE_ACCEPTED)
            want += r->edits[i].delta;
    struct value v = row->values[entity_field_index(row->entity, field_of(r, p))];
    int64_t is = v.kind == VALUE_INT ? v.number : 0;
    if (is != want) fail(r, "a counter is not the sum of its deltas", is, want);
}

static void check_set(struct run *r, const struct place *p, const struct row *row) {
    struct value v = row->values[entity_field_index(row->entity, field_of(r, p))];
    for (size_t i = 0; i < r->edit_count; i++) {
        const struct deed *add = &r->edits[i];
        if (add->place != p || add->row != row->id || !add->add || add->fate != FATE_ACCEPTED)
            continue;
        bool removed = false;
        for (size_t k = 0; k < r->edit_count; k++)
            removed |= r->edits[k].place == p && r->edits[k].row == row->id && !r->edits[k].add &&
                       r->edits[k].fate == FATE_ACCEPTED && !strcmp(r->edits[k].word, add->word);
        if (set_has(v, slice_from(add->word)) == removed)
            fail(r, "a set is not its adds less its removes", (int64_t)i, row->id);
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
    struct value v = row->values[entity_field_index(row->entity, field_of(r, p))];
    for (size_t i = 0; i < r->edit_count; i++) {
        const struct deed *e = &r->edits[i];
        if (e->place != p || e->row != row->id ||
            (e->fate != FATE_ACCEPTED && e->fate != FATE_FOLDED))
            continue;
        bool removed = false;
        for (size_t k = 0; k < r->edit_count; k++)
            removed |= r->edits[k].place == p && r->edits[k].row == row->id &&
                       !strcmp(r->edits[k].removed, e->word);
        int times = count_word(v.kind == VALUE_TEXT ? v.text : (struct slice){0}, e->word);
        if (times > 1) fail(r, "a word stands twice", (int64_t)i, row->id);
        if (!times && !removed) fail(r, "an acknowledged word was dropped", (int64_t)i, row->id);
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
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        const struct place *p = &places[i];
        if (entity_of(r, p) != row->entity || !(r->profile->kinds & BIT(p->kind))) continue;
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
        for (size_t k = 0; k < living->count; k++) alive |= living->ids[k] == e->row;
        if (alive) continue;
        bool deleted = false, seen = has(&g->losers, i);
        for (size_t k = 0; k < r->edit_count; k++) {
            const struct deed *d = &r->edits[k];
            if (d->kind != KIND_DELETE || d->fate != FATE_ACCEPTED || has(&g->deletes, k)) continue;
            deleted = true;
            seen |= has(&d->seen, i) ||
                    d->row != e->row; /* by its owner: what that had seen is not kept here */
        }
        for (size_t k = 0; k < r->edit_count; k++)
            seen |= has(&g->losers, k) && has(&r->edits[k].seen, i);
        if (!deleted)
            fail(r, "a row vanished that nobody deleted", (int64_t)i, e->row);
        else if (!seen && (e->kind == KIND_LAST || e->kind == KIND_GROUP))
            fail(r, "a delete took an edit that it had not seen", (int64_t)i, e->row);
    }
}

static void check_held(struct run *r) {
    for (size_t i = 0; i < r->edit_count; i++) {
        const struct deed *e = &r->edits[i];
        if (e->fate == FATE_PENDING && e->kind != KIND_TEXT)
            fail(r, "an edit never reached the server", (int64_t)i, e->batch);
        if (e->fate == FATE_HELD && e->kind != KIND_OFFICE && !r->profile->rows)
            fail(r, "an edit was refused", (int64_t)i, e->row);
    }
}

static void oracles(struct run *r) {
    struct err err;
    struct buf difference SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    if (world_settle(&r->world, &err) != ST_OK) {
        fail_err(r, "settle", &err);
        return;
    }
    if (world_compare(&r->world, &difference, &err) != ST_OK) fail_err(r, "compare", &err);
    if (difference.len && !r->failure[0])
        snprintf(r->failure, sizeof(r->failure), "the books differ: %.900s", buf_text(&difference));
    for (size_t i = 0; i < LAPTOPS; i++) {
        struct receipts want = {r, i};
        if (store_receipts(r->world.laptops[i].store, 0, take_receipt, &want, &err) != ST_OK)
            fail_err(r, "receipts", &err);
    }
    struct ledger ledger = {.r = r};
    if (centre_ledger(org_centre(r->world.office), 0, INT64_MAX, 0, &r->mem, take_ledger, &ledger,
                      &err) != ST_OK)
        fail_err(r, "ledger", &err);
    static struct living living;
    living = (struct living){.r = r, .g = &ledger};
    for (size_t i = 0; i < r->world.catalogue.count; i++) {
        struct query query = {.entity = &r->world.catalogue.entities[i]};
        if (store_list(world_office_store(&r->world), &query, check_row, &living, &err) != ST_OK)
            fail_err(r, "list", &err);
    }
    check_dead(r, &living, &ledger);
    check_held(r);
}

/* ------------------------------------------------------------------ runs */

static enum status begin(struct run *r, uint64_t seed, struct err *err) {
    TRY(world_open(seed, &r->world, err));
    const struct entity *e = catalogue_entity(&r->world.catalogue, SLICE("account"));
    for (size_t i = 0; i < r->profile->accounts; i++) {
        struct field_edit name = {entity_field(e, SLICE("name")), FIELD_EDIT_SET,
                                  value_text(SLICE("account"))};
        struct receipt receipt;
        int64_t id;
        TRY(world_office_save(&r->world, e, 0, &name, 1, &receipt, &id, err));
    }
    static const char *const names[LAPTOPS] = {"A", "B", "C"};
    for (size_t i = 0; i < LAPTOPS; i++) TRY(world_laptop_add(&r->world, names[i], err));
    for (size_t i = 0; i < LAPTOPS; i++)
        r->world.laptops[i].offset_ms = (int64_t)draw(r, 3) * 9000000 - 9000000;
    return world_settle(&r->world, err);
}

static bool one(const struct profile *profile, uint64_t seed, bool trace) {
    static struct run run;
    struct run *r = &run;
    memset(r, 0, sizeof(*r));
    r->profile = profile;
    r->trace = trace;
    r->random = seed * 0x9e3779b97f4a7c15u + 0x1234567;
    r->mem = arena_new(ARENA_CAP_DEFAULT);
    struct err err = {0};
    if (begin(r, seed, &err) != ST_OK) fail_err(r, "begin", &err);
    for (int i = 0; i < STEPS && !r->failure[0]; i++) step(r);
    SAY(r, "--- heal\n");
    if (!r->failure[0]) oracles(r);
    if (r->failure[0] && trace)
        printf("kept: %s\n", r->world.dir);
    else
        world_close(&r->world);
    arena_clear(&r->mem);
    if (r->failure[0])
        printf("FAILED %s seed %llu: %s\n", profile->name, (unsigned long long)seed, r->failure);
    return !r->failure[0];
}

/* Lines "PROFILE SEED": runs that failed once. */
static bool kept_seeds(const char *path, bool trace) {
    FILE *file = fopen(path, "r");
    char name[32];
    unsigned long long seed;
    bool good = file != NULL;
    if (!file) printf("FAILED: cannot read %s\n", path);
    while (file && fscanf(file, "%31s %llu", name, &seed) == 2)
        for (size_t p = 0; p < ARRAY_COUNT(profiles); p++)
            if (!strcmp(name, profiles[p].name)) good = one(&profiles[p], seed, trace) && good;
    if (file) fclose(file);
    return good;
}

int main(int argc, char **argv) {
    uint64_t seed = 1, runs = 40;
    bool kept = true;
    const char *only = NULL;
    bool trace = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--runs") && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--profile") && i + 1 < argc)
            only = argv[++i];
        else if (!strcmp(argv[i], "--kept") && i + 1 < argc)
            kept = kept_seeds(argv[++i], trace) && kept;
        else if (!strcmp(argv[i], "--trace"))
            trace = true;
        else {
            fprintf(stderr, "usage: hunt [--seed N] [--runs N] [--profile "
                            "cells|kinds|rows|refused] [--kept FILE] [--trace]\n");
            return 64;
        }
    }
    uint64_t failed = 0, passed = 0;
    for (size_t p = 0; p < ARRAY_COUNT(profiles); p++) {
        if (only && strcmp(only, profiles[p].name)) continue;
        for (uint64_t i = 0; i < runs; i++)
            one(&profiles[p], seed + i, trace) ? passed++ : failed++;
    }
    printf("%llu passed, %llu failed\n", (unsigned long long)passed, (unsigned long long)failed);
    return failed != 0 || !kept;
}
