/* Old and new releases talk to each other: fields that one does not know are kept, passed on, and
 * never echoed. */
#include "tests/unit/check.h"
#include "tests/world/world.h"

enum { ACCOUNT_COUNTRY_TAG = 32, ACCOUNT_EXTERNAL_NO_TAG = 31 };

struct releases {
    struct world world;
    struct catalogue old; /* without account's external_no, country and what follows */
    struct world_laptop *a, *b;
    int64_t acme;
    struct err err;
};

static const struct entity *account(struct releases *f, const struct catalogue *cat) {
    (void)f;
    return catalogue_entity(cat, SLICE("account"));
}

static void set_up(struct releases *f) {
    struct err err;
    struct receipt receipt;
    CHECK_OK(world_open(7, &f->world, &err));
    const struct entity *e = account(f, &f->world.catalogue);
    CHECK_OK(catalogue_without(&f->world.catalogue, e->tag, ACCOUNT_EXTERNAL_NO_TAG, &f->world.mem,
                               &f->old, &err));
    struct field_edit name = {entity_field(e, SLICE("name")), FIELD_EDIT_SET,
                              value_text(SLICE("Acme"))};
    CHECK_OK(world_office_save(&f->world, e, 0, &name, 1, &receipt, &f->acme, &err));
    CHECK_OK(world_laptop_add(&f->world, "A", &err));
    CHECK_OK(world_laptop_add(&f->world, "B", &err));
    f->a = &f->world.laptops[0];
    f->b = &f->world.laptops[1];
    CHECK_OK(world_settle(&f->world, &err));
}

static void save_text(struct world_laptop *l, int64_t id, const char *field, const char *text) {
    struct err err;
    bool changed;
    uint32_t batch;
    const struct entity *e = catalogue_entity(l->catalogue, SLICE("account"));
    struct field_edit edit = {entity_field(e, slice_from(field)), FIELD_EDIT_SET,
                              value_text(slice_from(text))};
    CHECK(edit.field);
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, e, id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
}

static void check_text_is(struct releases *f, struct store *store, int64_t id, const char *field,
                          const char *want) {
    struct err err;
    struct row row;
    const struct entity *e = catalogue_entity(store_catalogue(store), SLICE("account"));
    CHECK_OK(store_get(store, e, id, &f->world.mem, &row, &err));
    struct value v = row.values[entity_field_index(e, entity_field(e, slice_from(field)))];
    char *text = arena_string(&f->world.mem, v.kind == VALUE_TEXT ? v.text : (struct slice){0});
    CHECK_TEXT(text, want);
}

TEST(an_old_laptop_keeps_fields_that_it_does_not_know_until_it_is_updated) {
    static struct releases f;
    struct err err;
    set_up(&f);
    CHECK_OK(world_release(f.b, &f.old, &err));
    save_text(f.a, f.acme, "country", "Kenya");
    save_text(f.a, f.acme, "external_no", "K-7");
    CHECK_OK(world_settle(&f.world, &err));
    save_text(f.b, f.acme, "website", "b.example"); /* the old one edits the same row meanwhile */
    CHECK_OK(world_settle(&f.world, &err));
    check_text_is(&f, world_office_store(&f.world), f.acme, "country", "Kenya");
    check_text_is(&f, f.a->store, f.acme, "website", "b.example");
    CHECK_OK(world_release(f.b, &f.world.catalogue, &err));
    check_text_is(&f, f.b->store, f.acme, "country",
                  "Kenya"); /* without another word from the server */
    check_text_is(&f, f.b->store, f.acme, "external_no", "K-7");
    CHECK_OK(world_settle(&f.world, &err));
    world_close(&f.world);
}

TEST(a_row_that_an_old_laptop_first_sees_whole_is_whole_after_its_update) {
    static struct releases f;
    struct err err;
    struct receipt receipt;
    int64_t id;
    set_up(&f);
    CHECK_OK(world_release(f.b, &f.old, &err));
    const struct entity *e = account(&f, &f.world.catalogue);
    struct field_edit edits[] = {
        {entity_field(e, SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("Beta"))},
        {entity_field(e, SLICE("country")), FIELD_EDIT_SET, value_text(SLICE("Peru"))}};
    CHECK_OK(world_office_save(&f.world, e, 0, edits, 2, &receipt, &id, &err));
    CHECK_OK(world_settle(&f.world, &err));
    check_text_is(&f, f.b->store, id, "name", "Beta");
    CHECK_OK(world_release(f.b, &f.world.catalogue, &err));
    check_text_is(&f, f.b->store, id, "country", "Peru");
    world_close(&f.world);
}

TEST(an_old_server_keeps_and_passes_on_what_new_laptops_know) {
    static struct releases f;
    struct err err;
    set_up(&f);
    CHECK_OK(world_server_release(&f.world, &f.old, &err));
    save_text(f.a, f.acme, "country", "Kenya");
    CHECK_OK(world_settle(&f.world, &err));
    check_text_is(&f, f.b->store, f.acme, "country", "Kenya");
    f.world.now_ms += 60000;
    save_text(f.b, f.acme, "country", "Ghana"); /* it had seen Kenya */
    CHECK_OK(world_settle(&f.world, &err));
    check_text_is(&f, f.a->store, f.acme, "country", "Ghana");
    CHECK_OK(world_server_release(&f.world, &f.world.catalogue, &err));
    check_text_is(&f, world_office_store(&f.world), f.acme, "country", "Ghana");
    save_text(f.a, f.acme, "country", "Togo");
    CHECK_OK(world_settle(&f.world, &err));
    check_text_is(&f, f.b->store, f.acme, "country", "Togo");
    check_text_is(&f, world_office_store(&f.world), f.acme, "country", "Togo");
    world_close(&f.world);
}
