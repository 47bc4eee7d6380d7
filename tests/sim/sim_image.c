/* A laptop whose disk is set back to an image of it, in one run of eight: the server has batches of
 * it that the book does not know, and the book holds some that the server took in another form. It
 * gets another number; what both have is there once, what only the lost disk had is gone.
 */
#include "tests/sim/sim.h"

enum { THE_IMAGE = 1, TAKEN_OF_100 = 20, PUT_BACK_OF_100 = 8 };

/* ------------------------------------------------------------------ whose batch it is */

bool sim_made(const struct sim *s, size_t laptop, int64_t id) {
    return id_device(id) == laptop + 1 || id_device(id) == s->device[laptop];
}

bool sim_is_batch(const struct sim *s, const struct deed *d, size_t laptop, uint32_t batch) {
    bool former = batch <= s->kept[laptop];
    return d->author == laptop && d->batch == batch && former == (d->device != s->device[laptop]);
}

/* ------------------------------------------------------------------ the image */

static enum status newest_of(struct sim *s, struct world_laptop *l, uint32_t *out,
                             struct err *err) {
    struct copied_book copy;
    TRY(store_copy(l->sync_store, &s->mem, &copy, err));
    *out = copy.last_batch + (uint32_t)copy.chain_count - 1;
    return ST_OK;
}

static void take_image(struct sim *s, struct world_laptop *l) {
    struct image *image = &s->image;
    struct err err;
    if (newest_of(s, l, &image->newest, &err) != ST_OK) sim_fail_err(s, "an image", &err);
    disk_copy(l->dir, THE_IMAGE);
    memcpy(image->deeds, s->deeds, s->deed_count * sizeof *s->deeds);
    image->deed_count = s->deed_count;
    image->laptop = (size_t)(l - s->world.laptops);
    image->there = true;
    SAY(s, "  an image is made of %s, with its batches up to %u\n", l->name, image->newest);
}

/* What the lost disk alone knew is gone; what it had changed of what it had not sent, as well. */
static void forget_unsent(struct sim *s, uint32_t device, uint32_t had) {
    for (size_t i = 0; i < s->deed_count; i++) {
        struct deed *d = &s->deeds[i];
        if (d->author != s->image.laptop || d->device != device || d->batch <= had) continue;
        if (i < s->image.deed_count)
            *d = s->image.deeds[i];
        else
            d->fate = FATE_NEVER;
    }
}

static void drop_sticks(struct sim *s, size_t laptop) {
    for (size_t i = 0; i < STICKS; i++)
        if (s->sticks[i].laptop == laptop) s->sticks[i] = (struct stick){0};
    if (s->late.laptop == laptop) s->late.there = false;
}

static enum status put_back(struct sim *s, struct world_laptop *l, struct err *err) {
    size_t at = s->image.laptop;
    sim_clock_doubted(s, l, true);
    s->measured_ms[at] = INT64_MIN; /* the image may know of another error */
    world_laptop_off(l);
    disk_put_back(l->dir, THE_IMAGE);
    l->boot_id++;
    l->boot_start_ms = s->world.now_ms;
    for (size_t i = 0; i < FORMS; i++) s->forms[at][i].open = false;
    s->one_way_left[at] = 0;
    s->cursor[at] = s->epoch[at] = 0;
    drop_sticks(s, at);
    return world_laptop_on(l, err);
}

/* ------------------------------------------------------------------ another number */

static int64_t row_now(const struct sim *s, int64_t id, uint32_t device) {
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].kind == KIND_CREATE && s->deeds[i].device == device &&
            s->deeds[i].row == id)
            return id_make(device, id_counter(id));
    return id;
}

/* Rows that the server does not have get ids of the new number. */
static void renumber(struct sim *s, uint32_t former, uint32_t device, uint32_t had) {
    for (size_t i = 0; i < s->deed_count; i++) {
        struct deed *d = &s->deeds[i];
        bool there = i < s->image.put_at && d->batch <= had;
        if (d->author == s->image.laptop && d->device == former && !there) d->device = device;
    }
    s->last_row = row_now(s, s->last_row, device);
    for (size_t i = s->deed_count; i > 0; i--) { /* creations last: they are what is looked for */
        struct deed *d = &s->deeds[i - 1];
        if (d->device == device) d->row = row_now(s, d->row, device);
    }
}

static enum status number_again(struct sim *s, struct world_laptop *l, uint32_t had,
                                struct err *err) {
    struct kept_batches kept;
    struct store_identity identity;
    size_t at = s->image.laptop;
    uint32_t former = s->device[at], newest = s->image.newest < had ? s->image.newest : had;
    TRY(world_enroll_again(l, disk_rename, &kept, err));
    TRY(store_identity(l->store, &identity, err));
    SAY(s, "  %s gets the number %u, %u of its batches are there%s\n", l->name, identity.device,
        kept.last, kept.otherwise ? ", in another form" : "");
    if (kept.last != newest)
        sim_fail(s, "the server does not know what both have", kept.last, newest);
    s->device[at] = identity.device;
    s->kept[at] = kept.last;
    renumber(s, former, identity.device, had);
    sim_count(s, SIM_NUMBERED_AGAIN);
    return ST_OK;
}

static void set_back(struct sim *s) {
    struct world_laptop *l = &s->world.laptops[s->image.laptop];
    struct centre_device device;
    struct agent_result result;
    struct err err;
    uint32_t number = s->device[s->image.laptop];
    if (s->revoked[s->image.laptop]) return;
    enum status status = centre_device(org_centre(s->world.office), number, &device, &err);
    SAY(s, "  %s is set back to its image; the server has its batches up to %u\n", l->name,
        device.last_batch);
    s->image.used = true;
    s->image.put_at = s->deed_count;
    sim_count(s, SIM_SET_BACK);
    if (status == ST_OK) status = put_back(s, l, &err);
    forget_unsent(s, number, device.last_batch);
    for (uint64_t n = sim_draw(s, 4); status == ST_OK && n > 0; n--)
        sim_people_event(s, l, s->rows && sim_chance(s, 50) ? SIM_CREATE : SIM_EDIT);
    if (status == ST_OK) status = world_sync(l, &result, &err);
    if (status == ST_CLONED) status = number_again(s, l, device.last_batch, &err);
    if (status != ST_OK) sim_fail_err(s, "a laptop that was set back", &err);
}

void sim_image_step(struct sim *s) {
    struct world_laptop *l = &s->world.laptops[sim_draw(s, LAPTOPS)];
    if (s->image.used) return;
    if (s->image.there) {
        if (sim_chance(s, PUT_BACK_OF_100)) set_back(s);
    } else if (!sim_is_out(s, l) && sim_chance(s, TAKEN_OF_100)) {
        take_image(s, l);
    }
}
