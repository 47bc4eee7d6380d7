/* Who sees what in a run: head office gives accounts, teams and territories to people and takes
 * them back; each reply is read for what its laptop must not have; at rest every book is what its
 * person may see. Who may see what is worked out here from the rows as they are, by other code than
 * the product's.
 */
#include "tests/sim/sim.h"

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
static bool look_up(struct sim *s, const char *entity, int64_t id, struct row *out) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, slice_from(entity));
    struct err err;
    return id && store_get(world_office_store(&s->world), e, id, &s->mem, out, &err) == ST_OK;
}

/* The server looks at the date with its next commit, at the latest when the daemon does: in the
 * midst of a step either day may hold. */
struct member {
    int64_t account, employee, days[2];
    bool found;
};
static enum status seek_member(void *ctx, const struct row *row, struct err *err) {
    struct member *m = ctx;
    int64_t from = number(row, "from_on"), until = number(row, "until_on");
    (void)err;
    if (number(row, "account") != m->account || number(row, "employee") != m->employee)
        return ST_OK;
    for (size_t i = 0; i < ARRAY_COUNT(m->days); i++)
        m->found |= from <= m->days[i] && (!until || m->days[i] <= until);
    return ST_OK;
}

static bool is_member(struct sim *s, int64_t account, int64_t employee) {
    struct member m = {account, employee, {s->day, sim_day_now(s)}, false};
    struct err err;
    struct query query = {.entity = catalogue_entity(&s->world.catalogue, SLICE("team_member"))};
    if (store_list(world_office_store(&s->world), &query, seek_member, &m, &err) != ST_OK)
        sim_fail_err(s, "list", &err);
    return m.found;
}

/* ------------------------------------------------------------------ who may see what */

/* Whoever made an account that became this one sees it, and who would not see it otherwise. */
static bool sees_united(struct sim *s, size_t laptop, int64_t account) {
    for (size_t i = 0; i < s->united_count; i++) {
        const struct united *u = &s->united[i];
        if (sim_final(s, u->to) != account) continue;
        if (u->keeps[laptop] || sim_made(s, laptop, u->from)) return true;
    }
    return false;
}

bool sim_sees_team(struct sim *s, const struct world_laptop *l, int64_t account) {
    struct row row;
    size_t laptop = (size_t)(l - s->world.laptops);
    if (!look_up(s, "account", account, &row)) return false;
    account = row.id;
    return number(&row, "owner") == l->employee || sim_made(s, laptop, account) ||
           is_member(s, account, l->employee) || sees_united(s, laptop, account);
}

/* His own territory, or one below it. */
static bool sees_territory(struct sim *s, const struct world_laptop *l, int64_t territory) {
    struct row employee, row;
    if (!look_up(s, "employee", l->employee, &employee)) return false;
    int64_t own = number(&employee, "territory");
    for (int depth = 0; own && territory && depth < 8; depth++) {
        if (territory == own) return true;
        territory = look_up(s, "territory", territory, &row) ? number(&row, "parent") : 0;
    }
    return false;
}

/* What belongs to an account: its team sees it, and managers of its territory. */
bool sim_sees_children(struct sim *s, const struct world_laptop *l, int64_t account) {
    struct row row;
    if (sim_sees_team(s, l, account)) return true;
    return l - s->world.laptops == MANAGER && look_up(s, "account", account, &row) &&
           sees_territory(s, l, number(&row, "territory"));
}

/* What belongs to a person: he sees it, and managers of his territory. */
static bool sees_own(struct sim *s, const struct world_laptop *l, int64_t employee) {
    struct row row;
    if (employee == l->employee) return true;
    return l - s->world.laptops == MANAGER && look_up(s, "employee", employee, &row) &&
           sees_territory(s, l, number(&row, "territory"));
}

bool sim_has_territory(struct sim *s, int64_t account) {
    struct row row;
    return look_up(s, "account", account, &row) && number(&row, "territory");
}

static bool sees(struct sim *s, const struct world_laptop *l, const struct row *row) {
    struct row visit;
    if (is_entity(row, "territory") || is_entity(row, "employee") || is_entity(row, "product"))
        return true;
    if (is_entity(row, "account"))
        return sim_sees_team(s, l, row->id) || sees_territory(s, l, number(row, "territory"));
    if (is_entity(row, "contact") || is_entity(row, "team_member"))
        return sim_sees_children(s, l, number(row, "account"));
    if (is_entity(row, "visit"))
        return sim_sees_children(s, l, number(row, "account")) ||
               sees_own(s, l, number(row, "author"));
    if (is_entity(row, "visit_participant"))
        return look_up(s, "visit", number(row, "visit"), &visit) && sees(s, l, &visit);
    sim_fail(s, "a row of an entity that the model does not know", row->entity->tag, row->id);
    return false;
}

bool sim_sees_row(struct sim *s, const struct world_laptop *l, const char *entity, int64_t id) {
    struct row row;
    return look_up(s, entity, id, &row) && sees(s, l, &row);
}

/* ------------------------------------------------------------------ until when */

static struct sight *sight_of(struct sim *s, int64_t account) {
    for (size_t i = 0; i < s->sight_count; i++)
        if (s->sights[i].account == account) return &s->sights[i];
    return NULL;
}

static enum status note_sight(void *ctx, const struct row *row, struct err *err) {
    struct sim *s = ctx;
    struct sight *sight = sight_of(s, row->id);
    (void)err;
    if (!sight && s->sight_count < SIGHTS_MAX) {
        sight = &s->sights[s->sight_count++];
        sight->account = row->id;
    }
    for (size_t i = 0; sight && i < LAPTOPS; i++)
        if (sees(s, &s->world.laptops[i], row)) sight->ms[i] = s->world.now_ms;
    return ST_OK;
}

void sim_scope_sights(struct sim *s) {
    struct query query = {.entity = catalogue_entity(&s->world.catalogue, SLICE("account"))};
    struct err err;
    if (!s->homes || s->rolled || !(s->leased || s->weight[SIM_DAYS_PASS])) return;
    if (store_list(world_office_store(&s->world), &query, note_sight, s, &err) != ST_OK)
        sim_fail_err(s, "list", &err);
    for (size_t i = 0; i < s->sight_count; i++) { /* a delete takes no grant away */
        struct row row;
        if (!look_up(s, "account", s->sights[i].account, &row) || !row.gone) continue;
        for (size_t k = 0; k < LAPTOPS; k++) s->sights[i].ms[k] = s->world.now_ms;
    }
}

/* What came in so long after its author's sight of the account had ended was too late. */
static void check_lease(struct sim *s, size_t laptop, const struct receipt *receipt) {
    enum { HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };
    struct centre_scope scope;
    centre_scope(org_centre(s->world.office), &scope);
    for (size_t i = 0; i < receipt->line_count && !s->rolled && !s->united_any; i++) {
        const struct receipt_line *line = &receipt->lines[i];
        const struct sight *sight = sight_of(s, line->row);
        if (!sight || !sight->ms[laptop] || line->outcome >= OUTCOME_WAITING) continue;
        struct row row; /* of what is dead nobody says who sees it */
        if (!look_up(s, "account", line->row, &row) || row.gone || line->prev == 0) continue;
        if (sees(s, &s->world.laptops[laptop], &row)) continue; /* it is his again since then */
        if (receipt->time_ms - sight->ms[laptop] > scope.lease_days * DAY_MS + HOUR_MS)
            sim_fail(s, "an edit came in after the lease was over", line->row, receipt->batch);
    }
}

/* ------------------------------------------------------------------ what travels */

static void must_see(struct sim *s, const struct world_laptop *l, uint32_t tag, int64_t id,
                     const char *what) {
    const struct entity *e = catalogue_entity_by_tag(&s->world.catalogue, tag);
    struct row row;
    if (!e || !look_up(s, e->name, id, &row)) return; /* collected, or refused: nothing to see */
    if (sees(s, l, &row)) return;
    SAY(s, "  %s %lld is not to be seen by %s\n", e->name, (long long)id, l->name);
    if (e->owner_field >= 0) SAY(s, "   of %lld\n", (long long)row.values[e->owner_field].number);
    sim_fail(s, what, id, (int64_t)(l - s->world.laptops));
}

static bool tells_values(const struct receipt_line *line) {
    for (size_t i = 0; i < line->edit_count; i++)
        if (line->edits[i].has_values) return true;
    return false;
}

static const struct entity *entity_of_row(struct sim *s, int64_t id) {
    const struct entity *e = NULL;
    int64_t final;
    struct err err;
    if (store_locate(world_office_store(&s->world), id, &e, &final, &err) != ST_OK) return NULL;
    return e;
}

static void check_receipt(struct sim *s, const struct world_laptop *l,
                          const struct receipt *receipt) {
    for (size_t i = 0; i < receipt->line_count; i++) {
        const struct receipt_line *line = &receipt->lines[i];
        const struct entity *e = tells_values(line) ? entity_of_row(s, line->row) : NULL;
        if (e) must_see(s, l, e->tag, line->row, "a receipt tells of a row outside the grants");
    }
}

static void check_record(struct sim *s, const struct world_laptop *l, const struct record *record) {
    if (record->flags & (RECORD_LEFT | RECORD_DEAD)) {
        if (record->cell_count) sim_fail(s, "a leave has content", record->row, record->seq);
        return;
    }
    must_see(s, l, record->entity_tag, record->row, "a row outside the grants was sent");
}

/* What waits of others, of a row that is there. */
static void check_others(struct sim *s, const struct world_laptop *l,
                         const struct others_edit *others, struct arena *mem) {
    struct change change;
    struct err err;
    if (change_read(others->content, mem, &change, &err) != ST_OK) return;
    sim_count(s, SIM_OTHERS_TOLD);
    must_see(s, l, change.entity_tag, sim_final(s, change.row),
             "an edit that waits was told of a row outside the grants");
}

void sim_scope_reply(struct sim *s, struct world_laptop *l, struct slice message) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    uint32_t device = s->device[l - s->world.laptops];
    struct round_reply reply;
    struct err err;
    if (wire_read_round_reply(message, device, &mem, &reply, &err) != ST_OK) return;
    if (reply.kind != REPLY_ROUND) return;
    SAY(s, "   reply: cursor %lld, %zu records, %zu filled, +%zu -%zu homes%s\n",
        (long long)reply.cursor.seq, reply.record_count, reply.filled_count, reply.opened_count,
        reply.closed_count, reply.more ? ", more" : "");
    s->counts[SIM_ROW_SENT] += (int64_t)(reply.record_count + reply.filled_count);
    if (reply.closed_count) sim_count(s, SIM_HOME_CLOSED);
    if (reply.opened_count) sim_count(s, SIM_HOME_OPENED);
    for (size_t i = 0; i < reply.record_count; i++) {
        const struct record *r = &reply.records[i];
        SAY(s, "    row %lld seq %lld%s%s%s\n", (long long)r->row, (long long)r->seq,
            r->flags & RECORD_WHOLE ? " whole" : "", r->flags & RECORD_LEFT ? " left" : "",
            r->flags & RECORD_DEAD ? " dead" : "");
        check_record(s, l, r);
    }
    for (size_t i = 0; i < reply.filled_count; i++)
        SAY(s, "    filled %lld seq %lld\n", (long long)reply.filled[i].row,
            (long long)reply.filled[i].seq);
    for (size_t i = 0; i < reply.opened_count; i++)
        SAY(s, "    opened %lld since %lld%s\n", (long long)reply.opened[i].home,
            (long long)reply.opened[i].since, reply.opened[i].fills ? ", to be filled" : "");
    for (size_t i = 0; i < reply.closed_count; i++)
        SAY(s, "    closed %lld\n", (long long)reply.closed[i]);
    for (size_t i = 0; i < reply.alias_count; i++)
        SAY(s, "    %lld is %lld\n", (long long)reply.aliases[i].from,
            (long long)reply.aliases[i].to);
    for (size_t i = 0; i < reply.filled_count; i++)
        must_see(s, l, reply.filled[i].entity_tag, reply.filled[i].row,
                 "a page held a row outside the grants");
    for (size_t i = 0; i < reply.receipt_count; i++) check_receipt(s, l, &reply.receipts[i]);
    for (size_t i = 0; i < reply.receipt_count; i++)
        check_lease(s, (size_t)(l - s->world.laptops), &reply.receipts[i]);
    for (size_t i = 0; i < reply.ledger_count; i++)
        must_see(s, l, reply.ledger[i].entity_tag, reply.ledger[i].row,
                 "the ledger of a row outside the grants was sent");
    for (size_t i = 0; i < reply.others_count; i++) check_others(s, l, &reply.others[i], &mem);
}

/* ------------------------------------------------------------------ at rest */

struct keeping {
    struct sim *s;
    const struct world_laptop *l;
};
static bool keep(void *ctx, const struct row *row) {
    struct keeping *k = ctx;
    return sees(k->s, k->l, row);
}

enum status sim_scope_compare(struct sim *s, struct buf *out_difference, struct err *err) {
    for (size_t i = 0; i < s->world.laptop_count; i++) {
        struct world_laptop *l = &s->world.laptops[i];
        struct keeping k = {s, l};
        if (sim_is_out(s, l)) continue;
        TRY(world_compare_some(&s->world, l, keep, &k, out_difference, err));
        if (out_difference->len > 0) return ST_OK;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ what head office does */

struct picking {
    struct sim *s;
    uint64_t seen;
    int64_t id;
};
static enum status pick(void *ctx, const struct row *row, struct err *err) {
    struct picking *p = ctx;
    (void)err;
    if (!sim_draw(p->s, ++p->seen)) p->id = row->id;
    return ST_OK;
}
static int64_t any(struct sim *s, const char *entity) {
    struct picking p = {.s = s};
    struct query query = {.entity = catalogue_entity(&s->world.catalogue, slice_from(entity))};
    struct err err;
    if (store_list(world_office_store(&s->world), &query, pick, &p, &err) != ST_OK)
        sim_fail_err(s, "list", &err);
    return p.id;
}

static int64_t any_employee(struct sim *s) {
    return s->world.laptops[sim_draw(s, s->world.laptop_count)].employee;
}

void sim_office_set(struct sim *s, const char *entity, int64_t id, const char *field,
                    int64_t value) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, slice_from(entity));
    struct field_edit edit = {entity_field(e, slice_from(field)), FIELD_EDIT_SET,
                              value ? value_int(value) : value_null()};
    struct receipt receipt;
    struct err err;
    int64_t row;
    if (!id) return;
    SAY(s, "  office sets %s %lld.%s = %lld\n", entity, (long long)id, field, (long long)value);
    if (world_office_save(&s->world, e, id, &edit, 1, &receipt, &row, &err) != ST_OK)
        sim_fail_err(s, "office", &err);
}

/* Days of the org; 0: from the beginning, without end. */
static void office_join(struct sim *s, int64_t account, int64_t employee, int64_t from,
                        int64_t until) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, SLICE("team_member"));
    struct field_edit edits[] = {
        {entity_field(e, SLICE("account")), FIELD_EDIT_SET, value_int(account)},
        {entity_field(e, SLICE("employee")), FIELD_EDIT_SET, value_int(employee)},
        {entity_field(e, SLICE("from_on")), FIELD_EDIT_SET, from ? value_int(from) : value_null()},
        {entity_field(e, SLICE("until_on")), FIELD_EDIT_SET,
         until ? value_int(until) : value_null()}};
    struct receipt receipt;
    struct err err;
    int64_t row;
    if (!account) return;
    SAY(s, "  office puts %lld into the team of %lld, %lld to %lld\n", (long long)employee,
        (long long)account, (long long)from, (long long)until);
    if (world_office_save(&s->world, e, 0, edits, from || until ? 4 : 2, &receipt, &row, &err) !=
        ST_OK)
        sim_fail_err(s, "office", &err);
}

static void office_part(struct sim *s) {
    const struct entity *e = catalogue_entity(&s->world.catalogue, SLICE("team_member"));
    int64_t id = any(s, "team_member");
    struct err err;
    if (!id) return;
    SAY(s, "  office deletes team_member %lld\n", (long long)id);
    if (world_office_delete(&s->world, e, id, &err) != ST_OK) sim_fail_err(s, "office", &err);
}

/* Of head office's orders for a date. */
static void office_order(struct sim *s) {
    int64_t day = sim_day_now(s), from = any_employee(s), to = any_employee(s), until;
    switch (sim_draw(s, 8)) {
    case 0:
    case 1: sim_dated_order(s, any(s, "account"), 0, to); break;
    case 2: sim_dated_order(s, 0, from, to); break;
    case 3: sim_dated_cancel(s); break;
    case 4:
    case 5:
        day += (int64_t)sim_draw(s, 5) - 2;
        until = sim_draw(s, 3) ? day + (int64_t)sim_draw(s, 3) : 0;
        office_join(s, any(s, "account"), to, day, until);
        break;
    case 6: /* the one below the other, or not */
        sim_office_set(s, "territory", s->territories[1], "parent",
                       sim_draw(s, 2) ? s->territories[0] : 0);
        break;
    case 7: /* another last day, or none */
        until = sim_draw(s, 4) ? day + (int64_t)sim_draw(s, 3) - 1 : 0;
        sim_office_set(s, "team_member", any(s, "team_member"), "until_on", until);
        break;
    }
}

void sim_scope_office(struct sim *s) {
    s->regranted = true;
    if (s->dated && sim_draw(s, 2)) {
        office_order(s);
        return;
    }
    int64_t some = sim_draw(s, 4) ? any_employee(s) : 0;
    switch (sim_draw(s, 8)) {
    case 0:
    case 1: sim_office_set(s, "account", any(s, "account"), "owner", some); break;
    case 2:
    case 3: office_join(s, any(s, "account"), any_employee(s), 0, 0); break;
    case 4: office_part(s); break;
    case 5:
        sim_office_set(s, "account", any(s, "account"), "territory",
                       sim_draw(s, 3) ? any(s, "territory") : 0);
        break;
    case 6:
        sim_office_set(s, "employee", any_employee(s), "territory",
                       sim_draw(s, 3) ? any(s, "territory") : 0);
        break;
    case 7: sim_office_set(s, "contact", any(s, "contact"), "account", any(s, "account")); break;
    }
}

/* Two territories, one below the other. */
enum status sim_scope_begin(struct sim *s, struct err *err) {
    struct world *w = &s->world;
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
        s->territories[i] = parent;
    }
    TRY(org_scope_set(w->office, true, err));
    return ST_OK;
}
