/* What people do: saves, forms in several windows, creates, deletes, imports, undo, second tries.
 */
#include "tests/sim/sim.h"

static size_t author_of(const struct sim *s, const struct world_laptop *l) {
    return (size_t)(l - s->world.laptops);
}

/* What a person may well be told: the program said no, and why. */
static bool is_refusal(enum status status) {
    return status == ST_INVALID || status == ST_DENIED || status == ST_CONFLICT ||
           status == ST_NOT_FOUND || status == ST_TOO_LARGE;
}

/* ------------------------------------------------------------------ one save
 *
 * Each is between begin and end; end says whether it is in the book.
 */
struct saving {
    struct world_laptop *l;
    enum status status;
    struct err err;
    bool armed; /* its disk may fail */
};

static struct saving begin_save(struct sim *s, struct world_laptop *l) {
    struct saving v = {.l = l};
    v.armed = sim_trouble_save(s, l);
    v.status = store_begin(l->store, &v.err);
    return v;
}

static bool end_save(struct sim *s, struct saving *v, const char *what, uint32_t *batch) {
    if (v->status == ST_OK) v->status = store_commit(v->l->store, batch, &v->err);
    if (v->status != ST_OK) store_rollback(v->l->store);
    bool there = sim_trouble_saved(s, v->l, v->armed, v->status, batch, &v->err);
    if (!there && v->status != ST_OK)
        SAY(s, "  %s: a %s does not come in: %s\n", v->l->name, what, sim_why(&v->err));
    if (!there && !v->armed && !is_refusal(v->status)) sim_fail_err(s, what, &v->err);
    return there;
}

/* ------------------------------------------------------------------ edits */

static void save(struct sim *s, struct world_laptop *l, const struct place *p, int64_t id,
                 const struct form *form, int64_t account) {
    const struct entity *e = sim_entity_of(s, p);
    struct row row;
    struct err err;
    if (store_get(l->store, e, id, &s->mem, &row, &err) != ST_OK || row.gone) return;
    struct deed *d = sim_deed_new(s, author_of(s, l), id, p, p->kind);
    const struct value *shown = form ? form->values : row.values;
    struct field_edit edits[2];
    size_t count;
    if (p->kind == KIND_REF && !account)
        account = sim_any_row(s, l->store, sim_entity(s, "account"));
    if (!d || !sim_make(s, p, d, shown, row.values, account, edits, &count)) return;
    sim_see(s, p, shown, &d->seen);
    if (p->kind == KIND_COUNT || (p->kind == KIND_SET && d->add))
        sim_see(s, p, row.values, &d->seen);
    struct saving v = begin_save(s, l);
    bool changed = false;
    if (v.status == ST_OK)
        v.status = store_edit(l->store, e, id, edits, count, form, &changed, &v.err);
    bool none = v.status == ST_OK && !changed;
    if (!end_save(s, &v, "save", &d->batch) || none) return;
    sim_count(s, form ? SIM_FORM : SIM_EDIT);
    sim_deed_done(s, d);
}

void sim_people_edit(struct sim *s, struct world_laptop *l) {
    s->catalogue = l->catalogue;
    const struct place *p = sim_any_place(s);
    int64_t id = sim_any_row(s, l->store, sim_entity_of(s, p));
    if (id) save(s, l, p, id, NULL, 0);
}

void sim_people_save(struct sim *s, struct world_laptop *l, const struct place *p, int64_t id,
                     int64_t account) {
    s->catalogue = l->catalogue;
    save(s, l, p, id, NULL, account);
}

void sim_people_form(struct sim *s, struct world_laptop *l) {
    s->catalogue = l->catalogue;
    struct open_form *form = &s->forms[author_of(s, l)][sim_draw(s, FORMS)];
    struct err err;
    if (form->open) {
        form->open = sim_chance(s, 20); /* saved, and still open */
        for (int i = 0; i < 8; i++) {
            const struct place *p = sim_any_place(s);
            if (strcmp(form->entity->name, p->entity) != 0) continue;
            SAY(s, " from a form:\n");
            save(s, l, p, form->form.row, &form->form, 0);
            if (form->open && store_form(l->store, form->entity, form->form.row, &s->mem,
                                         &form->form, &err) != ST_OK)
                form->open = false;
            return;
        }
        form->open = false;
        return;
    }
    const char *name = s->rows && sim_chance(s, 40) ? "contact" : "account";
    form->entity = sim_entity(s, name);
    int64_t id = sim_any_row(s, l->store, form->entity);
    form->open = id && store_form(l->store, form->entity, id, &s->mem, &form->form, &err) == ST_OK;
    s->opened = form->open;
}

/* ------------------------------------------------------------------ rows */

static enum status create_one(struct sim *s, struct world_laptop *l, int64_t owner, struct deed *d,
                              struct err *err) {
    const struct entity *account = sim_entity(s, "account");
    const struct entity *contact = sim_entity(s, "contact");
    struct value name = sim_text(s, d->word);
    struct field_edit edits[] = {
        {entity_field(contact, SLICE("account")), FIELD_EDIT_SET, value_int(owner)},
        {entity_field(contact, SLICE("name")), FIELD_EDIT_SET, name},
        {entity_field(contact, SLICE("title")), FIELD_EDIT_SET, name}};
    struct field_edit alone[] = {{entity_field(account, SLICE("name")), FIELD_EDIT_SET, name},
                                 {entity_field(account, SLICE("website")), FIELD_EDIT_SET, name}};
    if (owner) return store_create(l->store, contact, edits, ARRAY_COUNT(edits), &d->row, err);
    return store_create(l->store, account, alone, ARRAY_COUNT(alone), &d->row, err);
}

static void do_create(struct sim *s, struct world_laptop *l) {
    int64_t owner = sim_any_row(s, l->store, sim_entity(s, "account"));
    struct deed *d = sim_deed_new(s, author_of(s, l), 0, NULL, KIND_CREATE);
    if (!d) return;
    if (!sim_draw(s, 3)) owner = 0;
    struct saving v = begin_save(s, l);
    if (v.status == ST_OK) v.status = create_one(s, l, owner, d, &v.err);
    if (!end_save(s, &v, "create", &d->batch)) return;
    sim_count(s, SIM_CREATE);
    SAY(s, "  below %lld:\n", (long long)owner);
    sim_deed_done(s, d);
}

static void do_import(struct sim *s, struct world_laptop *l) {
    enum { ROWS = 40 };
    int64_t owner = sim_any_row(s, l->store, sim_entity(s, "account"));
    if (!owner || s->deed_count + ROWS > EDITS_MAX / 2) return;
    struct saving v = begin_save(s, l);
    size_t first = s->deed_count, count = 0;
    int64_t id = ++s->import_ids;
    if (v.status == ST_OK) store_batch_import(l->store, id);
    for (; count < ROWS && v.status == ST_OK; count++, s->deed_count++) {
        struct deed *d = sim_deed_new(s, author_of(s, l), 0, NULL, KIND_CREATE);
        v.status = create_one(s, l, owner, d, &v.err);
        d->imported = true;
    }
    s->deed_count = first;
    uint32_t batch = 0;
    if (!end_save(s, &v, "import", &batch)) return;
    for (size_t i = 0; i < count; i++) s->deeds[first + i].batch = batch;
    s->deed_count = first + count;
    sim_count(s, SIM_IMPORT);
    SAY(s, "  %s imports e%zu to e%zu batch %u\n", l->name, first, first + count - 1, batch);
}

struct shown_children {
    struct sim *s;
    struct store *store;
    const char *owner_field;
    int64_t owner;
    struct mask *seen;
};

static void see_children(const struct shown_children *c, const char *entity);

/* Under its own name, or that of the row which it became. */
static bool is_row(struct sim *s, int64_t named, int64_t row) {
    return named == row || sim_final(s, named) == row;
}

/* Contacts show what was done to them; of a visit, and of who took part, that it is there. */
static enum status see_child(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    struct shown_children *c = ctx, below = *c;
    const struct entity *e = row->entity;
    size_t at = entity_field_index(e, entity_field(e, slice_from(c->owner_field)));
    if (row->values[at].number != c->owner) return ST_OK;
    sim_see_row(c->s, row, c->seen);
    for (size_t i = 0; i < c->s->deed_count; i++)
        if (c->s->deeds[i].kind == KIND_CREATE && is_row(c->s, c->s->deeds[i].row, row->id))
            mask_put(c->seen, i);
    below.owner = row->id;
    below.owner_field = "visit";
    if (!strcmp(e->name, "visit")) see_children(&below, "visit_participant");
    below.owner_field = "contact";
    if (!strcmp(e->name, "contact")) see_children(&below, "visit_participant");
    return ST_OK;
}

static void see_children(const struct shown_children *children, const char *entity) {
    struct shown_children c = *children;
    struct query query = {.entity = sim_entity(c.s, entity)};
    struct err err;
    if (store_list(c.store, &query, see_child, &c, &err) != ST_OK) sim_fail_err(c.s, "list", &err);
}

void sim_people_delete(struct sim *s, struct world_laptop *l, const char *name, int64_t id) {
    s->catalogue = l->catalogue;
    const struct entity *e = sim_entity(s, name);
    struct deed *d = id ? sim_deed_new(s, author_of(s, l), id, NULL, KIND_DELETE) : NULL;
    struct row row;
    struct err err;
    size_t rows;
    if (!d || store_get(l->store, e, id, &s->mem, &row, &err) != ST_OK) return;
    sim_see_row(s, &row, &d->seen);
    struct shown_children children = {s, l->store, "account", id, &d->seen};
    see_children(&children, "contact");
    see_children(&children, "visit");
    children.owner_field = "contact";
    see_children(&children, "visit_participant");
    SAY(s, "  %s would delete %s %lld\n", l->name, name, (long long)id);
    struct saving v = begin_save(s, l);
    if (v.status == ST_OK) v.status = store_delete(l->store, e, id, &rows, &v.err);
    if (!end_save(s, &v, "delete", &d->batch)) return;
    sim_count(s, SIM_DELETE);
    sim_deed_done(s, d);
}

static void do_delete(struct sim *s, struct world_laptop *l) {
    const char *name = sim_draw(s, 2) ? "account" : "contact";
    sim_people_delete(s, l, name, sim_any_row(s, l->store, sim_entity(s, name)));
}

/* ------------------------------------------------------------------ taking back */

static enum status newest_is_sent(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)err;
    if (entry->content->change_count) *(bool *)ctx = entry->sent;
    return ST_OK;
}

static void forget_batch(struct sim *s, size_t author, uint32_t batch) {
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].author == author && sim_is_batch(s, &s->deeds[i], author, batch) &&
            s->deeds[i].fate == FATE_PENDING)
            s->deeds[i].fate = FATE_UNDONE;
    SAY(s, "  batch %u is undone\n", batch);
}

/* Only what was not sent: undoing what was is a new edit like any other. */
static void do_undo(struct sim *s, struct world_laptop *l) {
    uint32_t undone = 0, batch = 0;
    struct err err;
    bool sent = true;
    if (sim_chance(s, 30)) sim_people_form(s, l); /* that shows what is undone, or stands on it */
    if (store_outbox(l->store, newest_is_sent, &sent, &err) != ST_OK || sent) return;
    if (store_undo(l->store, 0, &undone, &batch, &err) != ST_OK || batch) return;
    sim_count(s, SIM_UNDO);
    forget_batch(s, author_of(s, l), undone);
}

static enum status imports_unsent(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)err;
    int64_t *import = ctx;
    if (entry->content->import_id && entry->content->change_count && !entry->sent)
        *import = entry->content->import_id;
    return ST_OK;
}

/* Only whole ones that were not sent, as with undo. */
static void do_import_revert(struct sim *s, struct world_laptop *l) {
    int64_t id = 0, rows, kept;
    struct err err;
    size_t left = 0, author = author_of(s, l);
    if (store_outbox(l->store, imports_unsent, &id, &err) != ST_OK || !id) return;
    uint32_t batch = 0;
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].author == author && s->deeds[i].imported &&
            s->deeds[i].device == s->device[author] && s->deeds[i].fate == FATE_PENDING)
            batch = s->deeds[i].batch;
    for (size_t i = 0; i < s->deed_count; i++) {
        bool child = false; /* of a row of the import: then it is kept */
        for (size_t k = 0; k < s->deed_count; k++)
            child |= s->deeds[k].row == s->deeds[i].row && s->deeds[k].batch == batch &&
                     s->deeds[k].author == author;
        bool names = s->deeds[i].kind == KIND_DELETE || s->deeds[i].part; /* perhaps one of them */
        names &= s->deeds[i].author == author;
        left += (child || names) && s->deeds[i].batch > batch;
    }
    if (left || !batch) return;
    enum status status = store_import_revert(l->store, id, &rows, &kept, &err);
    if (status != ST_OK) {
        if (!is_refusal(status)) sim_fail_err(s, "revert", &err);
        return;
    }
    if (kept) sim_fail(s, "an import that nobody touched was kept", kept, batch);
    sim_count(s, SIM_IMPORT_REVERT);
    forget_batch(s, author, batch);
}

/* ------------------------------------------------------------------ what the server did not take
 */

struct held_pick {
    struct sim *s;
    uint64_t seen;
    struct refusal_id id;
    int64_t row;
};
static enum status pick_held(void *ctx, const struct held *held, struct err *err) {
    (void)err;
    struct held_pick *pick = ctx;
    if (sim_draw(pick->s, ++pick->seen)) return ST_OK;
    pick->id = held->id;
    pick->row = held->row;
    return ST_OK;
}

static enum status newest_batch(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)err;
    *(uint32_t *)ctx = entry->batch;
    return ST_OK;
}

static struct deed *deed_held(struct sim *s, size_t author, const struct held_pick *pick) {
    struct deed *found = NULL;
    for (size_t i = 0; i < s->deed_count; i++) {
        struct deed *d = &s->deeds[i];
        if (!sim_is_batch(s, d, author, pick->id.batch) || d->row != pick->row) continue;
        if (d->fate == FATE_PENDING || d->fate == FATE_HELD) found = d;
    }
    return found;
}

static void do_held(struct sim *s, struct world_laptop *l, bool again) {
    struct held_pick pick = {.s = s};
    struct err err;
    if (store_held(l->store, false, pick_held, &pick, &err) != ST_OK || !pick.seen) return;
    struct deed *d = deed_held(s, author_of(s, l), &pick);
    bool changes = d && d->kind == KIND_STATE && sim_draw(s, 2);
    struct field_edit other = {.value = value_int((int64_t)sim_draw(s, 5) + 1)};
    if (changes) other.field = sim_field_of(s, d->place);
    enum status status =
        again ? store_held_retry(l->store, &pick.id, changes ? &other : NULL, changes ? 1 : 0, &err)
              : store_held_drop(l->store, &pick.id, &err);
    if (status != ST_OK) {
        if (!is_refusal(status) && status != ST_GONE) sim_fail_err(s, "held", &err);
        return;
    }
    if (again && d && store_outbox(l->store, newest_batch, &d->batch, &err) == ST_OK) {
        d->fate = FATE_PENDING;
        d->device = s->device[d->author];
        d->held = pick.id;
    }
    SAY(s, "  %s %s what was held of batch %u\n", l->name, again ? "sends again" : "gives up",
        pick.id.batch);
    sim_count(s, again ? SIM_RETRY : SIM_DROP);
}

void sim_people_event(struct sim *s, struct world_laptop *l, enum sim_what event) {
    s->catalogue = l->catalogue;
    if (event == SIM_EDIT) sim_people_edit(s, l);
    if (event == SIM_FORM) sim_people_form(s, l);
    if (event == SIM_UNDO) do_undo(s, l);
    if (event == SIM_CREATE) do_create(s, l);
    if (event == SIM_DELETE) do_delete(s, l);
    if (event == SIM_IMPORT) do_import(s, l);
    bool thinks_better = event == SIM_IMPORT && sim_chance(s, 25);
    if (event == SIM_IMPORT_REVERT || thinks_better) do_import_revert(s, l);
    if (event == SIM_RETRY) do_held(s, l, true);
    if (event == SIM_DROP) do_held(s, l, false);
    if (event == SIM_DROP && sim_chance(s, 30)) do_undo(s, l);
    if (event == SIM_TAKE_PART) sim_take_part(s, l, 0);
}
