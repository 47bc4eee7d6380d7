/* When the agent comes again: its own backing off, and the slot that a busy server names. */
#include "tests/unit/check.h"
#include "tests/world/world.h"

static const char *retry_after; /* what the busy server says; NULL: nothing */

static enum status busy(void *ctx, const struct session_http *request, struct arena *mem,
                        struct session_http *out, struct err *err) {
    struct err problem;
    (void)ctx;
    (void)request;
    (void)err_set(&problem, ST_BUSY, "come again", "请稍后再来");
    CHECK(session_server_problem(&problem, NULL, mem, out, err) == ST_OK);
    if (retry_after)
        out->fields[out->field_count++] = (struct session_field){"Retry-After", retry_after};
    return ST_OK;
}

TEST(a_busy_server_s_slot_is_obeyed_within_an_hour) {
    static const struct {
        const char *name, *says;
        uint32_t retry_ms;
    } rows[] = {{"a slot", "90", 90000},
                {"none", NULL, 0},
                {"far too late", "999999", 3600000},
                {"a date", "Mon, 01 Jan", 0},
                {"negative", "-5", 0}};
    static struct world w;
    struct err err;
    CHECK_OK(world_open(5, &w, &err));
    CHECK_OK(world_laptop_add(&w, "A", &err));
    struct transport_door door = {.exchange = busy};
    struct agent_config config = {.store = w.laptops[0].sync_store,
                                  .catalogue = &w.catalogue,
                                  .env = &w.laptops[0].env,
                                  .transport = &door};
    for
        EACH (row, rows) {
            struct agent *agent;
            struct agent_result result;
            retry_after = row->says;
            CHECK_OK(agent_open(&config, &agent, &err));
            CHECK_STATUS(agent_sync(agent, NULL, NULL, &result, &err), ST_BUSY);
            CHECK_ROW_INT(row, result.retry_ms, row->retry_ms);
            agent_close(agent);
        }
    world_close(&w);
}

TEST(backing_off_grows_to_a_quarter_of_an_hour_with_jitter) {
    static const struct {
        const char *name;
        uint32_t failures, slot_ms;
        uint64_t random;
        int64_t least, most;
    } rows[] = {{"the first failure", 1, 0, 0, 1000, 1000},
                {"with all the jitter", 1, 0, 1023, 1999, 2000},
                {"the fourth", 4, 0, 0, 8000, 8000},
                {"many", 40, 0, 0, 450000, 450000},
                {"many, with jitter", 40, 0, 1023, 890000, 900000},
                {"the server's slot wins", 40, 5000, 0, 5000, 5000}};
    for
        EACH (row, rows) {
            int64_t ms = agent_backoff_ms(row->failures, row->slot_ms, row->random);
            CHECK_ROW(row, ms >= row->least && ms <= row->most);
        }
}
