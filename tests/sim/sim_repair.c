/* A bad disk: in one run of ten a row of a laptop is spoilt, at rest. */
#include "tests/sim/sim.h"

#include "syncd/store/db.h"

/* What a bad disk might do: a row that nobody works on shows something else. The laptop finds it by
 * its digests, and gets it again. */
static bool spoil(struct sim *s, struct world_laptop *l) {
    char path[WORLD_PATH_BYTES + 16];
    struct db *db = NULL;
    struct db_stmt *st;
    struct err err;
    int64_t changed = 0;
    bool row = false;
    snprintf(path, sizeof path, "%s/book.db", l->dir);
    enum status status = db_open(path, 0, &db, &err);
    if (status == ST_OK)
        status = db_prepare(db,
                            "UPDATE r_account SET settlement = 'spoilt' WHERE id = (SELECT id FROM"
                            " r_account WHERE id NOT IN (SELECT row_id FROM pending) LIMIT 1)"
                            " RETURNING id",
                            &st, &err);
    if (status == ST_OK) status = db_step(st, &row, &err);
    if (status == ST_OK && row) changed = db_int(st, 0);
    if (status == ST_OK) db_reset(st);
    if (status != ST_OK) sim_fail_err(s, "spoil", &err);
    db_close(db);
    if (changed) SAY(s, "  %s: a bad disk spoils %lld\n", l->name, (long long)changed);
    return changed != 0;
}

void sim_repair(struct sim *s) {
    struct world_laptop *l = &s->world.laptops[sim_draw(s, LAPTOPS)];
    struct agent_result result;
    struct agent_proof proved;
    struct err err;
    if (sim_is_out(s, l) || !spoil(s, l)) return;
    enum status status = store_prove_again(l->sync_store, 0, 1, &err);
    if (status == ST_OK) status = world_sync(l, &result, &err);
    if (status == ST_OK) status = agent_prove(l->agent, l->sync_store, INT64_MAX, &proved, &err);
    if (status == ST_OK && proved.repaired != 1)
        sim_fail(s, "one row was spoilt, so many are repaired", proved.repaired, proved.proof);
    if (status != ST_OK) sim_fail_err(s, "repair", &err);
    sim_count(s, SIM_REPAIRED);
}
