/* Homes of rows, by the rules of the release's catalogue; expected homes worked out by hand. */
#include "protocol/model/home.h"
#include "tests/unit/check.h"

static struct arena mem;
static struct catalogue cat;

static const struct entity *entity(const char *name) {
    mem = arena_new(ARENA_CAP_DEFAULT);
    struct err err;
    CHECK_OK(catalogue_release(&mem, &cat, &err));
    const struct entity *e = catalogue_entity(&cat, slice_from(name));
    CHECK(e);
    return e;
}

static void put(const struct entity *e, struct value *values, const char *field, int64_t id) {
    const struct field *f = entity_field(e, slice_from(field));
    CHECK(f);
    values[entity_field_index(e, f)] = value_int(id);
}

static void check_homes(const struct homes *homes, const char *expected) {
    struct buf text = buf_new(BUF_MAX_LINE);
    for (size_t i = 0; i < homes->count; i++) {
        if (i > 0) buf_put_text(&text, ", ");
        buf_printf(&text, "%d:%lld", (int)home_class(homes->at[i]),
                   (long long)home_id(homes->at[i]));
    }
    CHECK_TEXT(buf_text(&text), expected);
    buf_free(&text);
    arena_clear(&mem);
}

TEST(an_account_is_in_its_territory_and_its_team) {
    struct value values[ENTITY_FIELDS_MAX] = {0};
    const struct entity *e = entity("account");
    struct homes homes;
    put(e, values, "territory", 7);
    homes_of_row(e, 42, values, NULL, &homes);
    check_homes(&homes, "2:42, 3:7");
}

TEST(an_account_of_no_territory_is_in_its_team_only) {
    struct value values[ENTITY_FIELDS_MAX] = {0};
    const struct entity *e = entity("account");
    struct homes homes;
    homes_of_row(e, 42, values, NULL, &homes);
    check_homes(&homes, "2:42");
}

TEST(a_visit_is_its_authors_own_too) {
    struct value values[ENTITY_FIELDS_MAX] = {0};
    const struct entity *e = entity("visit");
    struct homes homes;
    put(e, values, "account", 42);
    put(e, values, "author", 9);
    homes_of_row(e, 100, values, NULL, &homes);
    check_homes(&homes, "1:9, 2:42");
}

TEST(a_participant_is_where_its_visit_is) {
    struct value values[ENTITY_FIELDS_MAX] = {0};
    const struct entity *e = entity("visit_participant");
    struct homes of_visit = {.count = 0}, homes;
    homes_add(&of_visit, home_make(HOME_CLASS_TEAM, 42));
    homes_add(&of_visit, home_make(HOME_CLASS_OWN, 9));
    CHECK(homes_inherit(e));
    homes_of_row(e, 200, values, &of_visit, &homes);
    check_homes(&homes, "1:9, 2:42");
}

TEST(a_participant_of_no_visit_is_nowhere) {
    struct value values[ENTITY_FIELDS_MAX] = {0};
    const struct entity *e = entity("visit_participant");
    struct homes homes;
    homes_of_row(e, 200, values, NULL, &homes);
    check_homes(&homes, "");
}

TEST(products_are_public) {
    struct value values[ENTITY_FIELDS_MAX] = {0};
    const struct entity *e = entity("product");
    struct homes homes;
    homes_of_row(e, 1, values, NULL, &homes);
    check_homes(&homes, "4:0");
}

TEST(cells_that_move_a_row) {
    static const struct {
        const char *entity, *field;
        bool moves;
    } rows[] = {{"account", "territory", true},
                {"account", "owner", false},
                {"contact", "account", true},
                {"contact", "name", false},
                {"visit", "author", true},
                {"task", "owner", true},
                {"visit_participant", "visit", true},
                {"visit_participant", "role", false}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct entity *e = entity(rows[i].entity);
        const struct field *f = entity_field(e, slice_from(rows[i].field));
        CHECK_INT(homes_depend_on(e, entity_cell_of(e, f)), rows[i].moves);
        arena_clear(&mem);
    }
}

TEST(every_entity_has_a_home) {
    (void)entity("account");
    for (size_t i = 0; i < cat.count; i++) CHECK(cat.entities[i].homes[0].kind != HOME_NONE);
    arena_clear(&mem);
}

TEST(numbers_that_are_no_homes) {
    static const int64_t rows[] = {0, 1, -1, ID_MAX, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) CHECK(!home_is_valid(rows[i]));
    CHECK(!home_is_valid(home_make(HOME_CLASS_TEAM, 0)));
    CHECK(!home_is_valid(home_make(HOME_CLASS_PUBLIC, 5)));
    CHECK(home_is_valid(home_make(HOME_CLASS_PUBLIC, 0)));
    CHECK(home_is_valid(home_make(HOME_CLASS_OWN, ID_MAX)));
}

TEST(homes_stand_in_the_order_in_which_they_are_filled) {
    CHECK(home_make(HOME_CLASS_OWN, ID_MAX) < home_make(HOME_CLASS_TEAM, 1));
    CHECK(home_make(HOME_CLASS_TEAM, 1) < home_make(HOME_CLASS_TEAM, 2));
    CHECK(home_make(HOME_CLASS_TERRITORY, ID_MAX) < home_make(HOME_CLASS_PUBLIC, 0));
    CHECK(home_make(HOME_CLASS_PUBLIC, 0) < home_make(HOME_CLASS_ALL, 0));
}

TEST(a_home_in_words) {
    struct buf text = buf_new(BUF_MAX_LINE);
    char id[ID_TEXT_BYTES];
    id_format(42, id);
    home_write(home_make(HOME_CLASS_TEAM, 42), &text);
    CHECK(strncmp(buf_text(&text), "team ", 5) == 0);
    CHECK_TEXT(buf_text(&text) + 5, id);
    buf_reset(&text);
    home_write(home_make(HOME_CLASS_OFFICE, 0), &text);
    CHECK_TEXT(buf_text(&text), "office");
    buf_free(&text);
}
