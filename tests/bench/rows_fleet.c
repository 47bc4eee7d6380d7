/* Figures of a fleet: a territory's worth of accounts changes hands, one wrong row is found among many, and what it
 * costs to say that books are equal. Laptops and the server in this process, as tests/world has them, every message
 * as it would travel.
 */
#include "tests/bench/bench.h"

#include <string.h>

#include "syncd/server/scope.h"
#include "tests/world/world.h"

enum { MOVE_ACCOUNTS = 500, MOVE_CHILDREN = 40, ROWS_FULL = 1000000, ROWS_QUICK = 30000, CHUNK = 1000 };

struct fleet {
    struct world w;
    struct world_laptop *wang, *li;
};

static const struct entity *entity(struct fleet *f, const char *name) {
    return catalogue_entity(&f->w.catalogue, slice_from(name));
}

static struct edit *edit_of(struct arena *mem, const struct entity *e, const char *field, struct value v) {
    struct edit *edit = ARENA_NEW(mem, struct edit);
    struct value *value = ARENA_NEW(mem, struct value);
    struct err err = {0};
    if (!edit || !value) MUST(err_no_memory(&err));
    *value = v;
    *edit = (struct edit){
        .cell_tag = entity_cell_of(e, entity_field(e, slice_from(field)))->tag, .values = value, .value_count = 1};
    return edit;
}

/* count rows of head office, each of one field, and of one account if it is given. */
static void office_rows(struct fleet *f, const char *name, const char *owner_field, int64_t owner, const char *title, size_t count, int64_t *ids) {
    struct err err;
    const struct entity *e = entity(f, name);
    for (size_t done = 0; done < count;) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct change *changes = ARENA_ARRAY(&mem, CHUNK, struct change);
        struct receipt receipt;
        size_t made = 0;
        for (; made < CHUNK && done < count; made++, done++) {
            struct edit *edits = ARENA_ARRAY(&mem, 2, struct edit);
            changes[made] = (struct change){.kind = CHANGE_CREATE, .entity_tag = e->tag, .edits = edits};
            MUST(org_office_id(f->w.office, &changes[made].row, &err));
            if (owner) edits[changes[made].edit_count++] = *edit_of(&mem, e, owner_field, value_int(owner));
            char *text = arena_printf(&mem, "%s %zu", title, done);
            edits[changes[made].edit_count++] = *edit_of(&mem, e, "name", value_text(slice_from(text)));
            if (ids) ids[done] = changes[made].row;
        }
        MUST(org_office_save(f->w.office, changes, made, 0, 0, SLICE("bench"), &mem, &receipt, &err));
        arena_clear(&mem);
    }
}

static void fleet_open(struct fleet *f) {
    struct err err;
    MUST(world_open(3, &f->w, &err));
    MUST(world_laptop_add(&f->w, "wang", &err));
    MUST(world_laptop_add(&f->w, "li", &err));
    f->wang = world_laptop(&f->w, SLICE("wang"));
    f->li = world_laptop(&f->w, SLICE("li"));
}

static int64_t employee_of(struct world_laptop *l) {
    struct store_identity identity;
    struct err err;
    MUST(store_identity(l->store, &identity, &err));
    return identity.employee;
}

static struct agent_result synced(struct world_laptop *l) {
    struct agent_result result;
    struct err err;
    MUST(world_sync(l, &result, &err));
    return result;
}

/* ------------------------------------------------------------------ moving */

void rows_move(struct bench *b) {
    struct fleet f;
    struct err err;
    size_t accounts = b->quick ? MOVE_ACCOUNTS / 10 : MOVE_ACCOUNTS;
    int64_t *ids = ARENA_ARRAY(&b->mem, 3 * accounts, int64_t);
    fleet_open(&f);
    office_rows(&f, "account", NULL, 0, "Account", 3 * accounts, ids);
    for (size_t i = 0; i < accounts; i++) ids[i] = ids[3 * i + (i * 2654435761u >> 9) % 3]; /* as irregular as life */
    for (size_t i = 0; i < accounts; i++) office_rows(&f, "contact", "account", ids[i], "Contact", MOVE_CHILDREN, NULL);
    struct centre_dated *ops = ARENA_ARRAY(&b->mem, accounts, struct centre_dated);
    int64_t *numbers = ARENA_ARRAY(&b->mem, accounts, int64_t);
    for (size_t i = 0; i < accounts; i++)
        ops[i] = (struct centre_dated){.kind = DATED_ASSIGN, .due_ms = f.w.now_ms, .account = ids[i], .to = employee_of(f.wang)};
    MUST(org_dated_add_all(f.w.office, ops, accounts, numbers, &err));
    MUST(org_due(f.w.office, NULL, NULL, &err));
    MUST(org_scope_set(f.w.office, true, &err));
    (void)synced(f.wang);
    (void)synced(f.li);
    int64_t number;
    struct centre_dated handover = {.kind = DATED_HANDOVER, .due_ms = f.w.now_ms, .from = employee_of(f.wang), .to = employee_of(f.li)};
    MUST(org_dated_add(f.w.office, &handover, &number, &err));
    double began = wall_us();
    MUST(org_due(f.w.office, NULL, NULL, &err));
    double office_ms = (wall_us() - began) / 1000;
    struct agent_result loser = synced(f.wang), winner = synced(f.li);
    const char *note = bench_note(b, "%zu accounts, %zu children; bodies for the one who loses them (he gained %lld rows, office took %.0f ms)",
                                  accounts, accounts * MOVE_CHILDREN, (long long)winner.counts.rows_changed, office_ms);
    bench_say(b, (struct figure){"move-bytes", (double)loser.progress.bytes_down, 0, 0, 2048, AT_MOST, true, "bytes", note});
    world_close(&f.w);
}

/* ------------------------------------------------------------------ equality and repair */

static void damage(struct world_laptop *l, const char *sql) {
    struct err err;
    struct db *db;
    char path[WORLD_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/book.db", l->dir);
    MUST(db_open(path, 0, &db, &err));
    MUST(db_exec(db, sql, &err));
    db_close(db);
}

static void save_one(struct fleet *f, struct world_laptop *l) {
    struct err err;
    const struct entity *e = entity(f, "account");
    struct field_edit edit = {entity_field(e, SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("one more"))};
    uint32_t batch;
    int64_t id;
    MUST(store_begin(l->store, &err));
    MUST(store_create(l->store, e, &edit, 1, &id, &err));
    MUST(store_commit(l->store, &batch, &err));
}

void rows_repair(struct bench *b) {
    struct fleet f;
    struct err err;
    struct agent_proof proof;
    size_t rows = b->quick ? ROWS_QUICK : ROWS_FULL;
    fleet_open(&f);
    office_rows(&f, "account", NULL, 0, "Account", rows, NULL);
    (void)synced(f.wang);
    save_one(&f, f.wang);
    (void)synced(f.wang);
    double began = cpu_us();
    MUST(agent_prove(f.wang->agent, f.wang->sync_store, INT64_MAX, &proof, &err));
    double count_s = (cpu_us() - began) / 1e6;
    if (proof.proof != BOOK_EQUAL) bench_fail("the books are not equal", NULL);
    damage(f.wang, "UPDATE r_account SET city = 'x' WHERE id = (SELECT min(id) FROM r_account); DELETE FROM home_sum");
    MUST(agent_prove(f.wang->agent, f.wang->sync_store, INT64_MAX, &proof, &err));
    if (proof.proof != BOOK_EQUAL || proof.repaired != 1) bench_fail("the row was not put right", NULL);
    const char *note = bench_note(b, "1 wrong row in %zu; counting all of them again takes %.1f s of CPU", rows, count_s);
    /* One more question finds that nothing is left; it is in both figures. */
    bench_say(b, (struct figure){"repair-bytes", (double)proof.bytes, 0, 0, 8192, AT_MOST, true, "bytes", note});
    bench_say(b, (struct figure){"repair-trips", (double)proof.trips, 0, 0, 4, AT_MOST, true, "", note});
    world_close(&f.w);
}
