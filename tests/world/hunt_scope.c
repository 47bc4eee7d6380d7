/* Who sees what in a hunt: head office gives accounts, teams and territories to people and takes
 * them back; each reply is read for what its laptop must not have; at rest every book is what its
 * person may see. Who may see what is worked out here from the rows as they are, by other code than
 * the product's.
 */
#include "tests/world/hunt.h"

#include "syncd/server/scope.h"

/* ------------------------------------------------------------------ rows as they are */

static int64_t number(const struct row *row, const char *field) {
    const struct field *f = entity_field(row->entity, slice_from(field));
    struct value v = row->values[entity_field_index(row->entity, f)];
    return v.kind == VALUE_INT ? v.number : 0;
}

static bool is_entity(const struct row *row, const char *name) {
    return strcmp(row->entity->name, name) == 0;
}

/* At head office, living or not. */
static bool look_up(struct run *r, const char *entity, int64_t id, struct row *out) {
    const struct entity *e = catalogue_entity(&r->world.catalogue, slice_from(entity));
    struct err err;
    return id && store_get(world_office_store(&r->world), e, id, &r->mem, out, &err) == ST_OK;
}

struct member {
    int64_t account, employee;
    bool found;
};
static enum status seek_member(void *ctx, const struct row *row, struct err *err) {
    struct member *m = ctx;
    (void)err;
    m->found |= number(row, "account") == m->account && number(row, "employee") == m->employee;
    return ST_OK;
}

static bool is_member(struct run *r, int64_t account, int64_t employee) {
    struct member m = {account, employee, false};
    struct err err;
    struct query query = {.entity = catalogue_entity(&r->world.catalogue, SLICE("team_member"))};
    if (store_list(world_office_store(&r->world), &query, seek_member, &m, &err) != ST_OK)
        hunt_fail_err(r, "list", &err);
    return m.found;
}

/* ------------------------------------------------------------------ who may see what */

/* Whoever made an account that became this one sees it, and who would not see it otherwise. */
static bool sees_united(struct run *r, size_t laptop, int64_t account) {
    for (size_t i = 0; i < r->united_count; i++) {
        const struct united *u = &r->united[i];
        if (hunt_final(r, u->to) != account) continue;
        if (u->keeps[laptop] || id_device(u->from) == laptop + 1) return true;
    }
    return false;
}

bool hunt_sees_team(struct run *r, const struct world_laptop *l, int64_t account) {
    struct row row;
    size_t laptop = (size_t)(l - r->world.laptops);
    if (!look_up(r, "account", account, &row)) return false;
    account = row.id;
    return number(&row, "owner") == l->employee || (size_t)id_device(account) == laptop + 1 ||
           is_member(r, account, l->employee) || sees_united(r, laptop, account);
}

/* His own territory, or one below it. */
static bool sees_territory(struct run *r, const struct world_laptop *l, int64_t territory) {
    struct row employee, row;
    if (!look_up(r, "employee", l->employee, &employee)) return false;
    int64_t own = number(&employee, "territory");
    for (int depth = 0; own && territory && depth < 8; depth++) {
        if (territory == own) return true;
        territory = look_up(r, "territory", territory, &row) ? number(&row, "parent") : 0;
    }
    return false;
}

static bool sees(struct run *r, const struct world_laptop *l, const struct row *row) {
    if (is_entity(row, "territory") || is_entity(row, "employee") || is_entity(row, "product"))
        return true;
    if (is_entity(row, "account"))
        return hunt_sees_team(r, l, row->id) || sees_territory(r, l, number(row, "territory"));
    if (is_entity(row, "contact") || is_entity(row, "team_member"))
        return hunt_sees_team(r, l, number(row, "account"));
    hunt_fail(r, "a row of an entity that hunts do not know", row->entity->tag, row->id);
    return false;
}

/* ------------------------------------------------------------------ what travels */

static void must_see(struct run *r, const struct world_laptop *l, uint32_t tag, int64_t id,
                     const char *what) {
    const struct entity *e = catalogue_entity_by_tag(&r->world.catalogue, tag);
    struct row row;
    if (!e || !look_up(r, e->name, id, &row)) return; /* collected, or refused: nothing to see */
    if (!sees(r, l, &row)) hunt_fail(r, what, id, (int64_t)(l - r->world.laptops));
}

static bool tells_values(const struct receipt_line *line) {
    for (size_t i = 0; i < line->edit_count; i++)
        if (line->edits[i].has_values) return true;
    return false;
}

static const struct entity *entity_of_row(struct run *r, int64_t id) {
    const struct entity *e = NULL;
    int64_t final;
    struct err err;
    if (store_locate(world_office_store(&r->world), id, &e, &final, &err) != ST_OK) return NULL;
    return e;
}

static void check_receipt(struct run *r, const struct world_laptop *l,
                          const struct receipt *receipt) {
    for (size_t i = 0; i < receipt->line_count; i++) {
        const struct receipt_line *line = &receipt->lines[i];
        const struct entity *e = tells_values(line) ? entity_of_row(r, line->row) : NULL;
        if (e) must_see(r, l, e->tag, line->row, "a receipt tells of a row outside the grants");
    }
}

static void check_record(struct run *r, const struct world_laptop *l, const struct record *record) {
    if (record->flags & (RECORD_LEFT | RECORD_DEAD)) {
        if (record->cell_count) hunt_fail(r, "a leave has content", record->row, record->seq);
        return;
    }
    must_see(r, l, record->entity_tag, record->row, "a row outside the grants was sent");
}

static void hunt_reply(void *ctx, struct world_laptop *l, struct slice message) {
    struct run *r = ctx;
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    uint32_t device = (uint32_t)(l - r->world.laptops) + 1;
    struct round_reply reply;
    struct err err;
    if (!r->profile->homes || wire_read_round_reply(message, device, &mem, &reply, &err) != ST_OK)
        return;
    if (reply.kind != REPLY_ROUND) return;
    SAY(r, "   reply: cursor %lld, %zu records, %zu filled, +%zu -%zu homes%s\n",
        (long long)reply.cursor.seq, reply.record_count, reply.filled_count, reply.opened_count,
        reply.closed_count, reply.more ? ", more" : "");
    r->checked += reply.record_count + reply.filled_count;
    for (size_t i = 0; i < reply.record_count; i++) check_record(r, l, &reply.records[i]);
    for (size_t i = 0; i < reply.filled_count; i++)
        must_see(r, l, reply.filled[i].entity_tag, reply.filled[i].row,
                 "a page held a row outside the grants");
    for (size_t i = 0; i < reply.receipt_count; i++) check_receipt(r, l, &reply.receipts[i]);
    for (size_t i = 0; i < reply.ledger_count; i++)
        must_see(r, l, reply.ledger[i].entity_tag, reply.ledger[i].row,
                 "the ledger of a row outside the grants was sent");
}

/* ------------------------------------------------------------------ at rest */

struct keeping {
    struct run *r;
    const struct world_laptop *l;
};
static bool keep(void *ctx, const struct row *row) {
    struct keeping *k = ctx;
    return sees(k->r, k->l, row);
}

enum status hunt_compare(struct run *r, struct buf *out_difference, struct err *err) {
    for (size_t i = 0; i < r->world.laptop_count; i++) {
        struct world_laptop *l = &r->world.laptops[i];
        struct keeping k = {r, l};
        TRY(world_compare_some(&r->world, l, keep, &k, out_difference, err));
        if (out_difference->len > 0) return ST_OK;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ what head office does */

struct picking {
    struct run *r;
    uint64_t seen;
    int64_t id;
};
static enum status pick(void *ctx, const struct row *row, struct err *err) {
    struct picking *p = ctx;
    (void)err;
    if (!hunt_draw(p->r, ++p->seen)) p->id = row->id;
    return ST_OK;
}
static int64_t any(struct run *r, const char *entity) {
    struct picking p = {.r = r};
    struct query query = {.entity = catalogue_entity(&r->world.catalogue, slice_from(entity))};
    struct err err;
    if (store_list(world_office_store(&r->world), &query, pick, &p, &err) != ST_OK)
        hunt_fail_err(r, "list", &err);
    return p.id;
}

static int64_t any_employee(struct run *r) {
    return r->world.laptops[hunt_draw(r, r->world.laptop_count)].employee;
}

static void office_set(struct run *r, const char *entity, int64_t id, const char *field,
                       int64_t value) {
    const struct entity *e = catalogue_entity(&r->world.catalogue, slice_from(entity));
    struct field_edit edit = {entity_field(e, slice_from(field)), FIELD_EDIT_SET,
                              value ? value_int(value) : value_null()};
    struct receipt receipt;
    struct err err;
    int64_t row;
    if (!id) return;
    SAY(r, "  office sets %s %lld.%s = %lld\n", entity, (long long)id, field, (long long)value);
    if (world_office_save(&r->world, e, id, &edit, 1, &receipt, &row, &err) != ST_OK)
        hunt_fail_err(r, "office", &err);
}

static void office_join(struct run *r, int64_t account, int64_t employee) {
    const struct entity *e = catalogue_entity(&r->world.catalogue, SLICE("team_member"));
    struct field_edit edits[] = {
        {entity_field(e, SLICE("account")), FIELD_EDIT_SET, value_int(account)},
        {entity_field(e, SLICE("employee")), FIELD_EDIT_SET, value_int(employee)}};
    struct receipt receipt;
    struct err err;
    int64_t row;
    if (!account) return;
    SAY(r, "  office puts %lld into the team of %lld\n", (long long)employee, (long long)account);
    if (world_office_save(&r->world, e, 0, edits, 2, &receipt, &row, &err) != ST_OK)
        hunt_fail_err(r, "office", &err);
}

static void office_part(struct run *r) {
    const struct entity *e = catalogue_entity(&r->world.catalogue, SLICE("team_member"));
    int64_t id = any(r, "team_member");
    struct err err;
    if (!id) return;
    SAY(r, "  office deletes team_member %lld\n", (long long)id);
    if (world_office_delete(&r->world, e, id, &err) != ST_OK) hunt_fail_err(r, "office", &err);
}

void hunt_office(struct run *r) {
    int64_t some = hunt_draw(r, 4) ? any_employee(r) : 0;
    switch (hunt_draw(r, 8)) {
    case 0:
    case 1: office_set(r, "account", any(r, "account"), "owner", some); break;
    case 2:
    case 3: office_join(r, any(r, "account"), any_employee(r)); break;
    case 4: office_part(r); break;
    case 5:
        office_set(r, "account", any(r, "account"), "territory",
                   hunt_draw(r, 3) ? any(r, "territory") : 0);
        break;
    case 6:
        office_set(r, "employee", any_employee(r), "territory",
                   hunt_draw(r, 3) ? any(r, "territory") : 0);
        break;
    case 7: office_set(r, "contact", any(r, "contact"), "account", any(r, "account")); break;
    }
}

/* Two territories, one below the other; the first laptop's person owns what there is. */
enum status hunt_scope_begin(struct run *r, struct err *err) {
    struct world *w = &r->world;
    const struct entity *e = catalogue_entity(&w->catalogue, SLICE("territory"));
    int64_t parent = 0;
    for (int i = 0; i < 2; i++) {
        struct field_edit edits[] = {
            {entity_field(e, SLICE("code")), FIELD_EDIT_SET,
             value_text(i ? SLICE("N") : SLICE("C"))},
            {entity_field(e, SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("territory"))},
            {entity_field(e, SLICE("parent")), FIELD_EDIT_SET,
             parent ? value_int(parent) : value_null()}};
        struct receipt receipt;
        TRY(world_office_save(w, e, 0, edits, parent ? 3 : 2, &receipt, &parent, err));
    }
    TRY(org_scope_set(w->office, true, err));
    for (size_t i = 0; i < w->laptop_count; i++) {
        w->laptops[i].replied = hunt_reply;
        w->laptops[i].replied_ctx = r;
        for (int k = 0; k < 3; k++) hunt_office(r);
    }
    return ST_OK;
}
