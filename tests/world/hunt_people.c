/* What people do in a hunt: saves, forms, creates, deletes, undo, rounds that go wrong, clocks that
 * move. */
#include "tests/world/hunt.h"

struct deed *hunt_new_edit(struct run *r, struct world_laptop *l, int64_t row,
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
    if (!row->gone && !hunt_draw(pick->r, ++pick->seen)) pick->id = row->id;
    return ST_OK;
}
int64_t hunt_any_row(struct run *r, struct store *store, const struct entity *e) {
    struct pick pick = {.r = r};
    struct query query = {.entity = e};
    struct err err;
    if (store_list(store, &query, pick_row, &pick, &err) != ST_OK) hunt_fail_err(r, "list", &err);
    return pick.id;
}
static int64_t any_row(struct run *r, struct world_laptop *l, const struct entity *e) {
    return hunt_any_row(r, l->store, e);
}

static const struct place *any_place(struct run *r) {
    for (int i = 0; i < 100; i++) {
        const struct place *p = &hunt_places[hunt_draw(r, hunt_place_count)];
        if (!(r->profile->kinds & BIT(p->kind))) continue;
        if (!strcmp(p->entity, "contact") && !r->profile->rows) continue;
        return p;
    }
    return &hunt_places[0];
}

static struct slice any_part(struct run *r, struct slice text, char separator) {
    struct slice rest = text, part, chosen = {0};
    for (uint64_t n = 1; slice_cut(&rest, separator, &part); n++)
        if (part.len && !hunt_draw(r, n)) chosen = part;
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
    if (shown.kind == VALUE_TEXT && !hunt_draw(r, 3)) gone = any_part(r, shown.text, '\n');
    snprintf(e->removed, sizeof(e->removed), "%.*s", (int)gone.len, (const char *)gone.data);
    uint64_t words = 1;
    for (struct slice count = rest; slice_cut(&count, '\n', &word);) words++;
    uint64_t at = hunt_draw(r, words);
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
    const struct entity *entity = hunt_entity_of(r, p);
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
        e->delta = (int64_t)hunt_draw(r, 9) - 3;
        out[0].kind = FIELD_EDIT_COUNT;
        out[0].value = value_int(e->delta);
        return e->delta != 0;
    case KIND_SET: {
        struct slice gone = shown.kind == VALUE_TEXT && hunt_draw(r, 2)
                                ? any_part(r, shown.text, '\n')
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
        out[0].value =
            value_int((int64_t)(10 + hunt_draw(r, 60)) * EDITS_MAX + (int64_t)r->edit_count);
        return true;
    case KIND_STATE: out[0].value = value_int((int64_t)hunt_draw(r, 5) + 1); return true;
    case KIND_OFFICE: out[0].value = value_int((int64_t)hunt_draw(r, 4) + 1); return true;
    case KIND_REF:
        out[0].value =
            value_int(any_row(r, l, catalogue_entity(&r->world.catalogue, SLICE("account"))));
        return out[0].value.number != 0;
    case KIND_CREATE:
    case KIND_DELETE: break;
    }
    return false;
}

static void save(struct run *r, struct world_laptop *l, const struct place *p, int64_t id,
                 const struct open_form *form) {
    const struct entity *e = hunt_entity_of(r, p);
    struct row row;
    struct err err;
    if (store_get(l->store, e, id, &r->mem, &row, &err) != ST_OK || row.gone) return;
    struct deed *edit = hunt_new_edit(r, l, id, p, p->kind);
    const struct value *shown = form ? form->form.values : row.values;
    struct field_edit edits[2];
    size_t count;
    if (!edit ||
        !make_edit(r, l, p, edit, shown[entity_field_index(e, hunt_field_of(r, p))], edits, &count))
        return;
    hunt_see(r, p, e, shown, &edit->seen);
    if (p->kind == KIND_COUNT || p->kind == KIND_SET) hunt_see(r, p, e, row.values, &edit->seen);
    bool changed = false;
    enum status status = store_begin(l->store, &err);
    if (status == ST_OK)
        status =
            store_edit(l->store, e, id, edits, count, form ? &form->form : NULL, &changed, &err);
    if (status == ST_OK) status = store_commit(l->store, &edit->batch, &err);
    if (status != ST_OK) {
        store_rollback(l->store);
        if (status != ST_INVALID && status != ST_DENIED && status != ST_CONFLICT)
            hunt_fail_err(r, "save", &err);
        return;
    }
    if (!changed) return;
    SAY(r, "  %s %s %lld.%s e%zu %s %+lld batch %u%s\n", l->name,
        p->kind == KIND_SET && !edit->add ? "removes" : "sets", (long long)id, p->field,
        r->edit_count, edit->word, (long long)edit->delta, edit->batch, form ? " from a form" : "");
    r->edit_count++;
}

static void do_edit(struct run *r, struct world_laptop *l) {
    const struct place *p = any_place(r);
    int64_t id = any_row(r, l, hunt_entity_of(r, p));
    if (id) save(r, l, p, id, NULL);
}

static void do_form(struct run *r, struct world_laptop *l) {
    struct open_form *form = &r->forms[l - r->world.laptops];
    struct err err;
    if (form->open) {
        form->open = false;
        const struct place *p = any_place(r);
        if (hunt_entity_of(r, p) == form->entity) save(r, l, p, form->form.row, form);
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
    struct deed *edit = hunt_new_edit(r, l, 0, NULL, KIND_CREATE);
    if (!edit) return;
    snprintf(edit->word, sizeof(edit->word), "e%zu", r->edit_count);
    struct field_edit edits[] = {
        {entity_field(contact, SLICE("account")), FIELD_EDIT_SET, value_int(owner)},
        {entity_field(contact, SLICE("name")), FIELD_EDIT_SET, text_in(r, edit->word)},
        {entity_field(contact, SLICE("title")), FIELD_EDIT_SET, text_in(r, edit->word)}};
    struct field_edit alone = {entity_field(account, SLICE("name")), FIELD_EDIT_SET,
                               text_in(r, edit->word)};
    bool child = owner && hunt_draw(r, 3);
    struct err err;
    enum status status = store_begin(l->store, &err);
    if (status == ST_OK)
        status = child ? store_create(l->store, contact, edits, ARRAY_COUNT(edits), &id, &err)
                       : store_create(l->store, account, &alone, 1, &id, &err);
    if (status == ST_OK) status = store_commit(l->store, &edit->batch, &err);
    if (status != ST_OK) {
        store_rollback(l->store);
        if (status != ST_DENIED) hunt_fail_err(r, "create", &err); /* a clock far off locks the book */
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
    for (size_t i = 0; i < hunt_place_count; i++)
        if (hunt_entity_of(w->r, &hunt_places[i]) == row->entity)
            hunt_see(w->r, &hunt_places[i], row->entity, row->values, w->seen);
    return ST_OK;
}

static void do_delete(struct run *r, struct world_laptop *l) {
    const struct entity *e = catalogue_entity(
        &r->world.catalogue, hunt_draw(r, 2) ? SLICE("account") : SLICE("contact"));
    int64_t id = any_row(r, l, e);
    struct deed *edit = id ? hunt_new_edit(r, l, id, NULL, KIND_DELETE) : NULL;
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
        if (status != ST_DENIED) hunt_fail_err(r, "delete", &err);
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
        if (d->laptop == (size_t)(l - r->world.laptops) && d->batch == undone)
            d->fate = FATE_UNDONE;
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
    switch (hunt_draw(r, 10)) {
    case 0: l->fault = WORLD_LOSE_REQUEST; break;
    case 1:
    case 2: l->fault = WORLD_LOSE_REPLY; break;
    case 3: l->fault = WORLD_REPEAT_REQUEST; break;
    case 4:
        l->fault = WORLD_CUT_SLICES;
        l->slices_left = (int)hunt_draw(r, 3);
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
    if (status != ST_OK && !faulty) hunt_fail_err(r, "sync", &err);
}

static void do_clock(struct run *r, struct world_laptop *l) {
    static const int64_t by_ms[] = {
        0, 0, -7000000, 8000000, -40000, 30000, (int64_t)-86400000 * 700, (int64_t)86400000 * 900};
    int64_t by = by_ms[hunt_draw(r, ARRAY_COUNT(by_ms))];
    struct err err;
    enum status status = hunt_draw(r, 2) ? world_step(l, by, &err) : world_reboot(l, by, &err);
    if (status != ST_OK) hunt_fail_err(r, "clock", &err);
    r->forms[l - r->world.laptops].open = false;
}

struct orphaning {
    struct run *r;
    size_t laptop;
    uint32_t taken; /* the last batch that the server has */
};
static enum status note_orphan(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)err;
    struct orphaning *o = ctx;
    for (size_t i = 0; entry->batch <= o->taken && i < o->r->edit_count; i++)
        if (o->r->edits[i].laptop == o->laptop && o->r->edits[i].batch == entry->batch)
            put(&o->r->orphans, i);
    return ST_OK;
}

static void do_rollback(struct run *r) {
    struct err err;
    enum status status = ST_OK;
    if (r->rolled) return;
    if (hunt_draw(r, 2)) {
        bool announce = hunt_draw(r, 2);
        SAY(r, "  backup%s\n", announce ? ", announced" : "");
        if (world_backup(&r->world, announce, &err) != ST_OK) hunt_fail_err(r, "backup", &err);
        return;
    }
    for (size_t i = 0; i < LAPTOPS && status == ST_OK; i++) {
        struct orphaning o = {.r = r, .laptop = i};
        struct centre_device device;
        status = centre_device(org_centre(r->world.office), (uint32_t)i + 1, &device, &err);
        if (status != ST_OK) break;
        o.taken = device.last_batch;
        status = store_outbox(r->world.laptops[i].store, note_orphan, &o, &err);
    }
    if (status == ST_OK) status = world_rollback(&r->world, &err);
    if (status != ST_OK) hunt_fail_err(r, "rollback", &err);
    r->rolled = true;
    SAY(r, "  the server's disk goes back\n");
}

void hunt_step(struct run *r) {
    struct world_laptop *l = &r->world.laptops[hunt_draw(r, LAPTOPS)];
    r->world.now_ms += 1000 + (int64_t)hunt_draw(r, 60000);
    uint64_t x = hunt_draw(r, 100);
    struct err err;
    if (r->profile->unites && !hunt_draw(r, 9)) {
        hunt_unite(r);
        return;
    }
    if (r->profile->homes && !hunt_draw(r, 5)) {
        hunt_office(r);
        return;
    }
    if (x < 6 && r->profile->unites && !r->profile->homes)
        hunt_take_part(r, l);
    else if (x < 30)
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
        if (world_restart(l, &err) != ST_OK) hunt_fail_err(r, "restart", &err);
    } else if (x < 90 && r->profile->rollback)
        do_create(r, l);
    else if (x < 94 && r->profile->rollback)
        do_rollback(r);
    else if (x < 94 && r->profile->rows)
        do_create(r, l);
    else if (x < 98 && r->profile->rows)
        do_delete(r, l);
    else
        do_edit(r, l);
}
