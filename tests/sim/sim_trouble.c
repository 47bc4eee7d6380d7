/* What befalls rounds and saves: the network, disks that are cut off or full, programs that die,
 * clocks; and what a restart makes of it. */
#include "tests/sim/sim.h"

#include "syncd/store/lives.h"

enum {
    SLOW_LAPTOP_MS = 20, /* a slice is over at each look at the clock */
    SLOW_SERVER_MS = 60, /* a page likewise */
    ROUND_CHANGES = 80,  /* of a disk in a round: some are near that */
    SAVE_CHANGES = 14
};
enum { BODY_BYTES_MAX = 2 * 1024 * 1024 }; /* far above what these small books need */

static size_t index_of(const struct sim *s, const struct world_laptop *l) {
    return (size_t)(l - s->world.laptops);
}

/* ------------------------------------------------------------------ machines that die */

static void close_forms(struct sim *s, size_t laptop) {
    for (size_t i = 0; i < FORMS; i++) s->forms[laptop][i].open = false;
}

static void laptop_dies(struct sim *s, struct world_laptop *l, bool power) {
    struct err err;
    if (power) sim_clock_doubted(s, l, true);
    SAY(s, "  %s dies%s\n", l->name, power ? ", its power is cut" : "");
    world_laptop_off(l);
    disk_power_up(l->dir, power);
    if (power) {
        l->boot_id++;
        s->world.now_ms += 1000;
        l->boot_start_ms = s->world.now_ms;
        close_forms(s, index_of(s, l));
    }
    if (world_laptop_on(l, &err) != ST_OK) sim_fail_err(s, "a laptop does not start again", &err);
}

static void server_dies(struct sim *s, bool power) {
    struct err err;
    char dir[WORLD_PATH_BYTES];
    world_server_dir(&s->world, dir);
    SAY(s, "  the server dies%s\n", power ? ", its power is cut" : "");
    world_server_off(&s->world);
    disk_power_up(dir, power);
    if (world_server_on(&s->world, &err) != ST_OK)
        sim_fail_err(s, "the server does not start again", &err);
}

/* ------------------------------------------------------------------ saves */

static enum status newest_batch(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)err;
    if (entry->batch > *(uint32_t *)ctx) *(uint32_t *)ctx = entry->batch;
    return ST_OK;
}
static uint32_t newest_in_outbox(struct sim *s, struct world_laptop *l) {
    uint32_t newest = 0;
    struct err err;
    if (store_outbox(l->store, newest_batch, &newest, &err) != ST_OK)
        sim_fail_err(s, "outbox", &err);
    return newest;
}

bool sim_trouble_save(struct sim *s, struct world_laptop *l) {
    if (s->fault != SIM_WHAT_COUNT || !sim_chance(s, s->trouble / 8)) return false;
    enum sim_what fault = sim_draw(s, 2) ? SIM_SAVE_POWER : SIM_SAVE_FULL;
    if (!s->weight[fault]) return false;
    s->save_fault = fault;
    s->newest_before = newest_in_outbox(s, l);
    disk_arm(l->dir, 1 + sim_draw(s, SAVE_CHANGES), fault == SIM_SAVE_FULL ? DISK_FULL : DISK_CUT);
    return true;
}

/* What a full disk refused in its last page stands in SQLite's log until something is written over
 * it; a crash before would bring it back, and nobody could tell which save that was. */
static void write_over(struct sim *s, struct world_laptop *l) {
    struct err err;
    if (store_setting_set(l->store, "sim.full", SLICE("1"), &err) != ST_OK)
        sim_fail_err(s, "a disk that has space again", &err);
}

bool sim_trouble_saved(struct sim *s, struct world_laptop *l, bool armed, enum status status,
                       uint32_t *batch, const struct err *err) {
    if (!armed) return status == ST_OK;
    bool fired = disk_fired();
    disk_arm(l->dir, 0, DISK_WELL);
    if (!fired) return status == ST_OK;
    sim_count(s, s->save_fault);
    if (status != ST_OK) SAY(s, "  the disk fails: %s\n", sim_why(err));
    if (s->save_fault == SIM_SAVE_FULL) {
        write_over(s, l);
        return status == ST_OK;
    }
    laptop_dies(s, l, true);
    if (s->failure[0]) return false;
    uint32_t newest = newest_in_outbox(s, l);
    bool there = newest > s->newest_before;
    if (status == ST_OK && *batch && !there) sim_fail(s, "a save that was told is gone", *batch, 0);
    if (status != ST_OK && there) {
        sim_count(s, SIM_SAVE_IN_DOUBT);
        *batch = newest;
    }
    return there;
}

/* ------------------------------------------------------------------ messages */

static bool is_round(const struct session_http *request) {
    size_t n = strlen(request->path);
    return n > 6 && !strcmp(request->path + n - 6, "/round");
}

/* A copy that outlives the round, to come to the server much later. */
static void keep_late(struct sim *s, size_t laptop, const struct session_http *from) {
    s->late.laptop = laptop;
    struct session_http *to = &s->late.request;
    *to = *from;
    to->path = arena_string(&s->mem, slice_from(from->path));
    to->method = arena_string(&s->mem, slice_from(from->method));
    to->body = arena_copy(&s->mem, from->body);
    for (size_t i = 0; i < from->field_count; i++) {
        to->fields[i].name = arena_string(&s->mem, slice_from(from->fields[i].name));
        to->fields[i].value = arena_string(&s->mem, slice_from(from->fields[i].value));
    }
    s->late.there = true;
}

static enum status lost(struct err *err, const char *what) {
    return err_set(err, ST_OFFLINE, "%s", "%s", what);
}

static void deliver(struct sim *s, struct world_laptop *l, const struct session_http *request,
                    struct arena *mem, struct session_http *out) {
    service_handle(s->world.service, request, mem, out);
    sim_count(s, SIM_MESSAGE);
    if (request->body.len > BODY_BYTES_MAX || out->body.len > BODY_BYTES_MAX)
        sim_fail(s, "a message is too large", (int64_t)request->body.len, (int64_t)out->body.len);
    if (!is_round(request) || out->code != 200) return;
    sim_life_reply(s, l, out->body);
    if (s->homes) sim_scope_reply(s, l, out->body);
}

static void deliver_again(struct sim *s, struct world_laptop *l, const struct session_http *request,
                          struct arena *mem) {
    struct session_http unheard;
    deliver(s, l, request, mem, &unheard);
    SAY(s, "   an old request comes again: %d\n", unheard.code);
    if (unheard.code == 200) sim_fail(s, "a request was good twice", unheard.code, 0);
}

/* What a disk of the server that failed makes of the reply; true: there is none. */
static bool server_failed(struct sim *s) {
    bool mine = s->fault == SIM_SERVER_POWER || s->fault == SIM_SERVER_KILLED;
    if (!mine || !disk_fired()) return false;
    sim_count(s, s->fault);
    server_dies(s, s->fault == SIM_SERVER_POWER);
    s->fault = SIM_WHAT_COUNT;
    return true;
}

static void happen_during(struct sim *s, struct world_laptop *l) {
    enum sim_what fault = s->fault;
    if (fault != SIM_EDIT_DURING_ROUND && fault != SIM_FORM_DURING_ROUND) return;
    SAY(s, "   during the round:\n");
    sim_count(s, fault);
    if (fault == SIM_EDIT_DURING_ROUND && s->unites && !s->during.place && !sim_draw(s, 4)) {
        s->moved = true; /* the reply says what was before */
        sim_unite(s);
    } else if (s->during.place) {
        sim_people_save(s, l, s->during.place, s->during.row, 0);
    } else if (fault == SIM_EDIT_DURING_ROUND) {
        sim_people_edit(s, l);
    } else {
        sim_people_form(s, l);
    }
    s->fault = SIM_WHAT_COUNT;
}

/* While a request is on its way its author goes on writing, and another's round overtakes it. */
static void happen_meanwhile(struct sim *s, struct world_laptop *l) {
    struct world_laptop *other = &s->world.laptops[sim_draw(s, LAPTOPS)];
    struct agent_result result;
    struct err err;
    if (s->fault != SIM_MEANWHILE) return;
    bool one_way = s->one_way_left[index_of(s, other)] > 0;
    if (other != l && !sim_is_out(s, other) && !s->revoked[index_of(s, other)]) {
        sim_count(s, SIM_MEANWHILE);
        SAY(s, "   meanwhile:\n");
        if (sim_chance(s, 70)) sim_people_edit(s, l);
        s->world.now_ms += 100 + (int64_t)sim_draw(s, 900);
        if (sim_chance(s, 70)) sim_people_edit(s, other);
        s->fault = SIM_WHAT_COUNT;
        SAY(s, "  %s syncs\n", other->name);
        enum status status = world_sync(other, &result, &err);
        if (status == ST_OK) sim_glance(s, other);
        if (status != ST_OK && !one_way) sim_fail_err(s, "sync", &err);
    }
    s->fault = SIM_WHAT_COUNT;
}

enum status sim_trouble_exchange(void *ctx, struct world_laptop *l,
                                 const struct session_http *request, struct arena *mem,
                                 struct session_http *out, struct err *err) {
    struct sim *s = ctx;
    bool round = is_round(request);
    enum sim_what fault = round ? s->fault : SIM_WHAT_COUNT;
    s->world.now_ms += 1 + (int64_t)sim_draw(s, 3) * 20;
    if (fault == SIM_REQUEST_LOST) {
        sim_count(s, fault);
        s->fault = SIM_WHAT_COUNT;
        return lost(err, "the request was lost");
    }
    if (fault == SIM_REQUEST_LATE && s->late.there) {
        sim_count(s, fault);
        deliver_again(s, &s->world.laptops[s->late.laptop], &s->late.request, mem);
        s->late.there = false;
    }
    if (round && !s->late.there && !sim_draw(s, 4)) keep_late(s, index_of(s, l), request);
    if (round) happen_meanwhile(s, l);
    deliver(s, l, request, mem, out);
    if (server_failed(s)) return lost(err, "the server is down");
    if (fault == SIM_REQUEST_REPEATED) {
        sim_count(s, fault);
        deliver_again(s, l, request, mem);
    }
    bool one_way = round && s->one_way_left[index_of(s, l)] > 0;
    if (one_way) s->one_way_left[index_of(s, l)]--;
    if (one_way) sim_count(s, SIM_ONE_WAY);
    if (fault == SIM_REPLY_LOST) sim_count(s, fault);
    if (one_way || fault == SIM_REPLY_LOST) {
        s->fault = SIM_WHAT_COUNT;
        return lost(err, "the reply was lost");
    }
    if (round && out->code == 200) happen_during(s, l);
    return ST_OK;
}

/* ------------------------------------------------------------------ rounds */

static void arm_disk(struct sim *s, const char *dir, enum disk_trouble trouble) {
    disk_arm(dir, 1 + sim_draw(s, 1 + sim_draw(s, ROUND_CHANGES)), trouble);
}

static void prepare(struct sim *s, struct world_laptop *l) {
    char server[WORLD_PATH_BYTES];
    world_server_dir(&s->world, server);
    enum sim_what fault = s->fault;
    if (fault == SIM_LAPTOP_POWER || fault == SIM_LAPTOP_KILLED) arm_disk(s, l->dir, DISK_CUT);
    if (fault == SIM_LAPTOP_FULL) arm_disk(s, l->dir, DISK_FULL);
    if (fault == SIM_SERVER_POWER || fault == SIM_SERVER_KILLED) arm_disk(s, server, DISK_CUT);
    if (fault == SIM_SERVER_FULL) arm_disk(s, server, DISK_FULL);
    if (fault == SIM_ONE_WAY) s->one_way_left[index_of(s, l)] = 1 + (int)sim_draw(s, 3);
    if (fault == SIM_SLOW_SERVER) s->world.server_slow_ms = SLOW_SERVER_MS;
    if (fault == SIM_SLOW_LAPTOP || fault == SIM_SLICES_CUT) l->slow_ms = SLOW_LAPTOP_MS;
    if (fault == SIM_SLICES_CUT) {
        l->fault = WORLD_CUT_SLICES;
        l->slices_left = (int)sim_draw(s, 4);
    }
    if (fault == SIM_SLOW_SERVER || fault == SIM_SLOW_LAPTOP || fault == SIM_SLICES_CUT)
        sim_count(s, fault);
}

/* True when the laptop died in this round. */
static bool mend(struct sim *s, struct world_laptop *l, enum sim_what fault) {
    bool fired = disk_fired();
    bool died = fired && (fault == SIM_LAPTOP_POWER || fault == SIM_LAPTOP_KILLED);
    disk_arm(l->dir, 0, DISK_WELL);
    s->world.server_slow_ms = l->slow_ms = 0;
    s->fault = SIM_WHAT_COUNT;
    if (died || (fired && (fault == SIM_LAPTOP_FULL || fault == SIM_SERVER_FULL)))
        sim_count(s, fault);
    if (died) laptop_dies(s, l, fault == SIM_LAPTOP_POWER);
    return died;
}

static void do_round(struct sim *s, struct world_laptop *l) {
    struct agent_result result;
    struct err err;
    bool one_way = s->one_way_left[index_of(s, l)] > 0;
    enum sim_what fault = SIM_WHAT_COUNT;
    if (sim_chance(s, s->trouble)) fault = sim_pick(s, SIM_EVENTS, SIM_SAVE_POWER);
    if (fault == SIM_SAVE_POWER) fault = SIM_WHAT_COUNT;
    /* Homes that open fill pages: so small ones that the next round goes on in their midst. */
    bool slow = s->regranted && s->weight[SIM_SLOW_SERVER] && !sim_draw(s, 4);
    if (slow && fault == SIM_WHAT_COUNT) fault = SIM_SLOW_SERVER;
    if (slow) s->regranted = false;
    s->fault = fault;
    SAY(s, "  %s syncs%s%s\n", l->name, fault == SIM_WHAT_COUNT ? "" : ": ",
        fault == SIM_WHAT_COUNT ? "" : sim_what_name(fault));
    prepare(s, l);
    enum status status = world_sync(l, &result, &err);
    bool died = mend(s, l, fault);
    sim_count(s, SIM_ROUND);
    sim_count(s, status == ST_OK ? SIM_ROUND_WORKED : SIM_ROUND_FAILED);
    if (status != ST_OK) SAY(s, "   failed: %s\n", sim_why(&err));
    bool restarted = died || fault == SIM_SLICES_CUT; /* and knows of no order any more */
    if (!restarted && sim_life_told(s, l, status)) return;
    one_way |= s->rolled && s->revoked[index_of(s, l)] && status == ST_BUSY; /* rows are to come */
    if (status != ST_OK && fault == SIM_WHAT_COUNT && !one_way) sim_fail_err(s, "sync", &err);
    if (status == ST_OK && !died) sim_glance(s, l);
    if (fault == SIM_SLICES_CUT && sim_chance(s, 60)) sim_people_edit(s, l); /* and goes on */
}

/* ------------------------------------------------------------------ clocks, restarts, releases */

static void do_clock(struct sim *s, struct world_laptop *l, bool reboot) {
    static const int64_t by_ms[] = {0,
                                    0,
                                    -7000000,
                                    8000000,
                                    -40000,
                                    30000,
                                    7000000,
                                    -8000000,
                                    40000,
                                    -30000,
                                    (int64_t)-86400000 * 700,
                                    (int64_t)86400000 * 900};
    int64_t by = by_ms[sim_draw(s, ARRAY_COUNT(by_ms))];
    struct err err;
    sim_clock_doubted(s, l, reboot);
    SAY(s, "  %s %s, its clock goes by %lld s\n", l->name, reboot ? "boots" : "runs",
        (long long)by / 1000);
    enum status status = reboot ? world_reboot(l, by, &err) : world_step(l, by, &err);
    if (status != ST_OK) sim_fail_err(s, "clock", &err);
    if (reboot) close_forms(s, index_of(s, l));
}

static void do_release(struct sim *s, struct world_laptop *l) {
    struct err err;
    bool to_old = l->catalogue != &s->old;
    SAY(s, "  %s gets the %s release\n", l->name, to_old ? "old" : "new");
    if (world_release(l, to_old ? &s->old : &s->world.catalogue, &err) != ST_OK)
        sim_fail_err(s, "release", &err);
    close_forms(s, index_of(s, l));
}

static void do_settle(struct sim *s) {
    struct err err;
    SAY(s, "  all sync\n");
    sim_trouble_heal(s);
    for (size_t i = 0; s->rolled && i < LAPTOPS; i++)
        if (sim_life_sync(s, &s->world.laptops[i], &err) != ST_OK) sim_fail_err(s, "sync", &err);
    if (!s->rolled && sim_life_settle(s, &err) != ST_OK) sim_fail_err(s, "settle", &err);
}

/* ------------------------------------------------------------------ a server that goes back */

enum { THE_BACKUP = 0 };

void sim_backup(struct sim *s, bool announce) {
    char dir[WORLD_PATH_BYTES];
    struct centre_head head;
    struct centre *c = org_centre(s->world.office);
    struct err err;
    if (s->rolled && !s->loose) return;
    world_server_dir(&s->world, dir);
    SAY(s, "  backup%s\n", announce ? ", announced" : "");
    sim_count(s, SIM_BACKUP);
    enum status status = centre_head(c, &head, &err);
    disk_copy(dir, THE_BACKUP);
    s->backed = true;
    s->announced = announce;
    s->backup_deeds = s->deed_count;
    s->backup_united_count = s->united_count;
    memcpy(s->backup_united, s->united, sizeof s->united);
    s->backup_step = s->step;
    if (status == ST_OK && announce) status = centre_backup_announce(c, head.position.seq, &err);
    if (status != ST_OK) sim_fail_err(s, "backup", &err);
}

struct orphaning {
    struct sim *s;
    size_t laptop;
    uint32_t taken; /* the last batch that the server has */
};
static enum status note_orphan(void *ctx, const struct outbox_entry *entry, struct err *err) {
    (void)err;
    struct orphaning *o = ctx;
    for (size_t i = 0; i < o->s->deed_count; i++)
        if (o->s->deeds[i].author == o->laptop && o->s->deeds[i].batch == entry->batch)
            mask_put(entry->batch <= o->taken ? &o->s->orphans : &o->s->present, i);
    return ST_OK;
}

static enum status note_orphans(struct sim *s, struct err *err) {
    for (size_t i = 0; i < LAPTOPS; i++) {
        if (s->out[i]) continue;
        struct orphaning o = {.s = s, .laptop = i};
        struct centre_device device;
        TRY(centre_device(org_centre(s->world.office), s->device[i], &device, err));
        o.taken = device.last_batch;
        TRY(store_outbox(s->world.laptops[i].store, note_orphan, &o, err));
    }
    return ST_OK;
}

bool sim_may_come_back(const struct sim *s, const struct place *p) {
    return !s->rollback || p->kind == KIND_LAST || p->kind == KIND_GROUP || p->kind == KIND_MAX;
}

/* By which laptops, as bits. */
static unsigned shown_by(struct sim *s, const struct deed *d) {
    unsigned by = 0;
    for (size_t i = 0; i < LAPTOPS; i++) {
        struct mask seen = {{0}};
        struct row row;
        struct err err;
        if (s->out[i]) continue;
        if (store_get(s->world.laptops[i].store, sim_entity_of(s, d->place), d->row, &s->mem, &row,
                      &err) != ST_OK)
            continue;
        sim_see(s, d->place, row.values, &seen);
        if (mask_has(&seen, (size_t)(d - s->deeds))) by |= BIT(i);
    }
    return by;
}

/* What head office did since the backup is gone with the disk, unless a laptop shows it. What had
 * lost, itself or with the edit of head office that replaced it, is gone with the ledger that said
 * so: it is not behind what stood. */
static void note_facts(struct sim *s, const struct mask *lost, const struct mask *stood) {
    s->catalogue = &s->world.catalogue;
    s->rolled_deeds = s->deed_count;
    for (size_t i = s->backup_deeds; i < s->deed_count; i++) {
        struct deed *d = &s->deeds[i];
        if (d->author != OFFICE) continue;
        bool gone = mask_has(lost, i) || !mask_has(stood, i) || !d->place;
        d->fact = gone ? 0 : shown_by(s, d);
        if (!d->fact) d->fate = FATE_NEVER;
    }
}

/* What a server meets that has just gone back: an order for a laptop that has not given back what
 * it forgot, sticks that were on their way. */
static void press(struct sim *s) {
    struct world_laptop *l = &s->world.laptops[sim_draw(s, LAPTOPS)];
    if (sim_is_out(s, l)) return;
    if (sim_chance(s, 30)) {
        sim_people_event(s, l, SIM_UNDO);
        return;
    }
    if (sim_draw(s, 2)) {
        sim_life_revoke(s, l);
        return;
    }
    for (int i = 0; i < 3 && !sim_is_out(s, l); i++) {
        sim_life_stick(s, l);
        sim_count(s, SIM_STICK);
    }
}

void sim_rollback(struct sim *s) {
    char dir[WORLD_PATH_BYTES];
    struct err err;
    if (s->rolled && !s->marked) return;
    world_server_dir(&s->world, dir);
    if (s->backed && note_orphans(s, &err) != ST_OK) sim_fail_err(s, "rollback", &err);
    struct sim_ledger before = {.s = s};
    struct centre_head then = {.epoch = 0}, now = {.epoch = 0};
    sim_ledger_read(&before);
    s->catalogue = &s->world.catalogue;
    struct mask stood = sim_shown_by_office(s);
    if (centre_head(org_centre(s->world.office), &then, &err) != ST_OK)
        sim_fail_err(s, "rollback", &err);
    world_server_off(&s->world);
    if (!s->marked && world_forget_head(&s->world, &err) != ST_OK)
        sim_fail_err(s, "rollback", &err);
    bool back = s->backed && disk_put_back(dir, THE_BACKUP);
    s->rolled |= back;
    if (world_server_on(&s->world, &err) != ST_OK) sim_fail_err(s, "rollback", &err);
    SAY(s, "  the server %s\n", back ? "goes back to its backup" : "starts again");
    if (!back) return;
    sim_count(s, SIM_ROLLBACK);
    if (centre_head(org_centre(s->world.office), &now, &err) != ST_OK)
        sim_fail_err(s, "rollback", &err);
    if (s->marked && now.epoch <= then.epoch && now.position.seq < then.position.seq)
        sim_fail(s, "the server does not notice that its book was set back", then.position.seq,
                 now.position.seq);
    s->united_count = s->backup_united_count;
    memcpy(s->united, s->backup_united, sizeof s->united);
    s->order_count = 0; /* those of before are applied when the server says so */
    for (size_t i = 0; s->loose && i < s->deed_count; i++) /* that too is forgotten */
        if (s->deeds[i].approved_step > s->backup_step) s->deeds[i].approved = false;
    memcpy(s->lost_to, before.lost_to, sizeof s->lost_to);
    memcpy(s->out_then, s->out, sizeof s->out_then);
    note_facts(s, &before.losers, &stood);
    if (s->pressed) press(s);
}

void sim_trouble_heal(struct sim *s) {
    s->fault = SIM_WHAT_COUNT;
    for (size_t i = 0; i < LAPTOPS; i++) s->one_way_left[i] = 0;
}

void sim_trouble_event(struct sim *s, struct world_laptop *l, enum sim_what event) {
    struct err err;
    bool counts_itself = event == SIM_ROUND || event == SIM_BACKUP || event == SIM_ROLLBACK ||
                         event == SIM_REVOKE || event == SIM_COMPACT;
    if (event == SIM_BACKUP) sim_backup(s, sim_draw(s, 2));
    if (event == SIM_ROLLBACK) sim_rollback(s);
    if (event == SIM_REVOKE) sim_life_revoke(s, l);
    if (event == SIM_STICK) sim_life_stick(s, l);
    if (event == SIM_COMPACT) sim_life_compact(s);
    if (!counts_itself) sim_count(s, event);
    if (event == SIM_ROUND) do_round(s, l);
    if (event == SIM_REBOOT || event == SIM_CLOCK_STEP) do_clock(s, l, event == SIM_REBOOT);
    if (event == SIM_RELEASE) do_release(s, l);
    if (event == SIM_SETTLE) do_settle(s);
    if (event == SIM_RESTART && world_restart(l, &err) != ST_OK) sim_fail_err(s, "restart", &err);
}
