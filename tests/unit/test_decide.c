/* What head office decides about what waits: texts keep what others wrote since.
 */
#include "syncd/server/org.h"
#include "syncd/server/unite.h"
#include "tests/unit/check.h"
#include "tests/world/world.h"

static struct world w;
static struct world_laptop *wang, *li;
static int64_t account_id;

static const struct entity *account(void) {
    return catalogue_entity(&w.catalogue, SLICE("account"));
}

static struct field_edit put(const char *field, const char *text) {
    return (struct field_edit){entity_field(account(), slice_from(field)), FIELD_EDIT_SET,
                               value_text(slice_from(text))};
}

static void note(struct world_laptop *l, const char *text) {
    struct err err;
    struct field_edit edit = put("remarks", text);
    uint32_t batch;
    bool changed;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, account(), account_id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
}

static void check_note(const char *want) {
    struct err err;
    struct row row;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(store_get(world_office_store(&w), account(), account_id, &mem, &row, &err));
    size_t at = entity_field_index(account(), entity_field(account(), SLICE("remarks")));
    CHECK_TEXT(arena_string(&mem, row.values[at].text), want);
}

/* Two laptops, an account that both have, and its note. */
static void start(const char *text) {
    struct err err;
    CHECK_OK(world_open(5, &w, &err));
    struct field_edit edits[] = {put("name", "Acme"), put("remarks", text)};
    struct receipt receipt;
    CHECK_OK(world_laptop_add(&w, "wang", &err));
    CHECK_OK(world_laptop_add(&w, "li", &err));
    CHECK_OK(world_office_save(&w, account(), 0, edits, 2, &receipt, &account_id, &err));
    CHECK_OK(world_settle(&w, &err));
    wang = world_laptop(&w, SLICE("wang"));
    li = world_laptop(&w, SLICE("li"));
}

static void sync(struct world_laptop *l) {
    struct err err;
    struct agent_result result;
    CHECK_OK(world_sync(l, &result, &err));
}

/* What wang has not sent goes to quarantine: his laptop is revoked. */
static void revoke_wang(void) {
    struct err err;
    struct agent_result result;
    CHECK_OK(centre_device_revoke(org_centre(w.office), 1, false, &err));
    CHECK_STATUS(world_sync(wang, &result, &err), ST_REVOKED);
}

static enum status take_id(void *ctx, const struct quarantine_entry *entry, struct err *err) {
    struct refusal_id *id = ctx;
    (void)err;
    *id = entry->id;
    return ST_OK;
}

static void approve(void) {
    struct err err;
    struct refusal_id id = {0};
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(centre_quarantine_list(org_centre(w.office), false, &mem, take_id, &id, &err));
    CHECK_OK(org_decide(w.office, 1, &id, true, SLICE("office"), &err));
}

TEST(an_approved_note_stands_beside_what_others_wrote_since) {
    start("opens at nine");
    note(wang, "opens at nine\nasks for a discount");
    note(li, "closed on Mondays\nopens at nine");
    sync(li);
    revoke_wang();
    approve();
    check_note("closed on Mondays\nopens at nine\nasks for a discount");
    world_close(&w);
}

/* The account becomes another one; from here on that is looked at. */
static void merge_into_another(const char *name, const char *text) {
    struct err err;
    struct field_edit edits[] = {put("name", name), put("remarks", text)};
    struct unite_order order = {.loser = account_id, .person = SLICE("office")};
    struct unite_result result;
    struct receipt receipt;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(world_office_save(&w, account(), 0, edits, 2, &receipt, &order.survivor, &err));
    CHECK_OK(org_unite(w.office, &order, false, &mem, &result, &err));
    account_id = order.survivor;
}

/* Seed 109458 of the simulator: head office writes to what the row is now, by whatever name. */
TEST(an_approved_note_of_an_account_that_became_another_comes_in) {
    start("opens at nine");
    note(wang, "opens at nine\nasks for a discount");
    merge_into_another("Acme Ltd", "pays late");
    check_note("pays late\nopens at nine");
    revoke_wang();
    approve();
    check_note("pays late\nopens at nine\nasks for a discount");
    world_close(&w);
}

TEST(an_approved_note_replaces_what_its_author_had_seen) {
    start("opens at nine");
    note(wang, "opens at ten");
    revoke_wang();
    approve();
    check_note("opens at ten");
    world_close(&w);
}

TEST(of_notes_that_overlap_both_stand) {
    start("opens at nine");
    note(wang, "opens at ten");
    note(li, "opens at eight");
    sync(li);
    revoke_wang();
    approve();
    struct err err;
    struct row row;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    CHECK_OK(store_get(world_office_store(&w), account(), account_id, &mem, &row, &err));
    size_t at = entity_field_index(account(), entity_field(account(), SLICE("remarks")));
    const char *is = arena_string(&mem, row.values[at].text);
    CHECK(strstr(is, "ten") && strstr(is, "eight"));
    world_close(&w);
}

/* ------------------------------------------------------------------ laptops that are revoked */

static void save_meanwhile(void *ctx, struct world_laptop *l) {
    note(l, ctx);
}

static enum status count_entry(void *ctx, const struct quarantine_entry *entry, struct err *err) {
    (void)entry;
    (void)err;
    ++*(int *)ctx;
    return ST_OK;
}

TEST(what_is_saved_while_a_laptop_hears_that_it_is_revoked_goes_to_head_office) {
    struct err err;
    struct agent_result result;
    struct device_order order;
    int waiting = 0;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start("opens at nine");
    CHECK_OK(centre_device_revoke(org_centre(w.office), 1, true, &err));
    wang->during = save_meanwhile;
    wang->during_ctx = "opens at nine\nsaved while the answer was on its way";
    CHECK_STATUS(world_sync(wang, &result, &err), ST_REVOKED);
    CHECK_INT(agent_order(wang->agent, &order), ORDER_WIPE);
    bool left = true;
    CHECK_OK(agent_outbox_has_any(wang->store, &left, &err));
    CHECK(!left); /* so that the book may go */
    CHECK_OK(
        centre_quarantine_list(org_centre(w.office), false, &mem, count_entry, &waiting, &err));
    CHECK_INT(waiting, 1);
    approve();
    check_note("opens at nine\nsaved while the answer was on its way");
    world_close(&w);
}
