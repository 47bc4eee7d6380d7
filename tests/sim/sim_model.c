/* Who had seen what. Values carry the number of the deed that wrote them ("e17"), so that what a
 * person was shown can be read off the screen; no rule of the product reads it. Sets cannot carry
 * it (their elements meet again), so each deed to a set also adds its number to another set of the
 * row, in the same save: what is shown of that is what was seen.
 */
#include "tests/sim/sim.h"

const struct place sim_places[] = {
    {"account", "website", NULL, KIND_LAST},        {"account", "industry", NULL, KIND_LAST},
    {"account", "city", "street", KIND_GROUP},      {"account", "points", NULL, KIND_COUNT},
    {"account", "tags", "emails", KIND_SET},        {"account", "remarks", NULL, KIND_TEXT},
    {"account", "last_contact_on", NULL, KIND_MAX}, {"account", "status", NULL, KIND_STATE},
    {"account", "tier", NULL, KIND_OFFICE},         {"contact", "title", NULL, KIND_LAST},
    {"contact", "phones", "emails", KIND_SET},      {"contact", "notes", NULL, KIND_TEXT},
    {"contact", "account", NULL, KIND_REF}};
const size_t sim_place_count = ARRAY_COUNT(sim_places);

enum { TAGS = 3 };
enum { SAME_PLACE = 40, SAME_ROW = 60 }; /* of 100 */

/* The deed that a word names: "e17" -> 17; -1 for none. */
static int64_t deed_of(struct slice text) {
    int64_t n;
    if (text.len < 2 || text.data[0] != 'e' ||
        !text_to_int(slice_of(text.data + 1, text.len - 1), &n))
        return -1;
    return n;
}

int64_t sim_deed_in(struct sim *s, const struct place *p, struct value v) {
    int64_t n = -1;
    if ((p->kind == KIND_LAST || p->kind == KIND_GROUP) && v.kind == VALUE_TEXT)
        n = deed_of(v.text);
    if (p->kind == KIND_MAX && v.kind == VALUE_INT) n = v.number % EDITS_MAX;
    return n >= 0 && (size_t)n < s->deed_count ? n : -1;
}

const struct entity *sim_entity(struct sim *s, const char *name) {
    return catalogue_entity(s->catalogue, slice_from(name));
}
const struct entity *sim_entity_of(struct sim *s, const struct place *p) {
    return sim_entity(s, p->entity);
}
const struct field *sim_field_of(struct sim *s, const struct place *p) {
    return entity_field(sim_entity_of(s, p), slice_from(p->field));
}

static struct value value_at(const struct entity *e, const char *field,
                             const struct value *values) {
    return values[entity_field_index(e, entity_field(e, slice_from(field)))];
}
struct value sim_value_of(struct sim *s, const struct place *p, const struct value *values) {
    return value_at(sim_entity_of(s, p), p->field, values);
}

void sim_see(struct sim *s, const struct place *p, const struct value *values, struct mask *out) {
    int64_t n = sim_deed_in(s, p, sim_value_of(s, p, values));
    if (n >= 0) mask_join(out, &s->deeds[n].seen);
    if (p->kind != KIND_SET) return;
    struct value names = value_at(sim_entity_of(s, p), p->second, values);
    struct slice rest = names.kind == VALUE_TEXT ? names.text : (struct slice){0}, word;
    while (slice_cut(&rest, '\n', &word)) {
        int64_t at = deed_of(word);
        if (at >= 0 && (size_t)at < s->deed_count) mask_put(out, (size_t)at);
    }
}

void sim_see_row(struct sim *s, const struct row *row, struct mask *out) {
    for (size_t i = 0; i < sim_place_count; i++)
        if (sim_entity_of(s, &sim_places[i]) == row->entity)
            sim_see(s, &sim_places[i], row->values, out);
}

/* ------------------------------------------------------------------ deeds */

struct deed *sim_deed_new(struct sim *s, size_t author, int64_t row, const struct place *p,
                          enum kind kind) {
    if (s->deed_count == EDITS_MAX) return NULL;
    struct deed *d = &s->deeds[s->deed_count];
    *d = (struct deed){
        .author = author, .row = row, .made_ms = s->world.now_ms, .place = p, .kind = kind};
    snprintf(d->word, sizeof(d->word), "e%zu", s->deed_count);
    if (author != OFFICE) d->device = s->device[author];
    d->timed = author != OFFICE && s->clock_known[author];
    mask_put(&d->seen, s->deed_count);
    return d;
}

/* Whatever is not sent yet was written by a clock of which nobody knows how it goes. */
void sim_clock_doubted(struct sim *s, const struct world_laptop *l, bool boots) {
    size_t author = (size_t)(l - s->world.laptops);
    s->clock_known[author] = false;
    s->suspect[author] = !boots;
    for (size_t i = 0; i < s->deed_count; i++)
        if (s->deeds[i].author == author && s->deeds[i].fate == FATE_PENDING)
            s->deeds[i].timed = false;
}

void sim_clock_measured(struct sim *s, const struct world_laptop *l) {
    size_t i = (size_t)(l - s->world.laptops);
    s->suspect[i] |= s->measured_ms[i] != l->offset_ms;
    s->measured_ms[i] = l->offset_ms;
    s->clock_known[i] = !s->suspect[i] && !s->stands[i];
}

void sim_deed_done(struct sim *s, const struct deed *d) {
    const char *who = d->author == OFFICE ? "office" : s->world.laptops[d->author].name;
    SAY(s, "  %s %s %lld%s%s e%zu %s %+lld batch %u\n", who,
        d->kind == KIND_CREATE           ? "creates"
        : d->kind == KIND_DELETE         ? "deletes"
        : d->kind == KIND_SET && !d->add ? "removes from"
                                         : "sets",
        (long long)d->row, d->place ? "." : "", d->place ? d->place->field : "", s->deed_count,
        d->word, (long long)d->delta, d->batch);
    s->deed_count++;
    s->last_row = d->row;
    if (d->place) s->last_place = d->place;
}

struct value sim_text(struct sim *s, const char *text) {
    char *copy = arena_string(&s->mem, slice_from(text));
    return value_text(slice_from(copy));
}

struct slice sim_any_part(struct sim *s, struct slice text, char separator) {
    struct slice rest = text, part, chosen = {0};
    for (uint64_t n = 1; slice_cut(&rest, separator, &part); n++)
        if (part.len && !sim_draw(s, n)) chosen = part;
    return chosen;
}

/* The words of a text: one a line, or several in a line, so that merges are by line and by word. */
static struct value new_text(struct sim *s, struct deed *d, struct value shown) {
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct slice rest = shown.kind == VALUE_TEXT ? shown.text : (struct slice){0}, word = {0},
                 gone = {0};
    if (shown.kind == VALUE_TEXT && !sim_draw(s, 3)) gone = sim_any_part(s, shown.text, '\n');
    snprintf(d->removed, sizeof(d->removed), "%.*s", (int)gone.len, (const char *)gone.data);
    uint64_t words = 1;
    for (struct slice count = rest; slice_cut(&count, '\n', &word);) words++;
    uint64_t at = sim_draw(s, words);
    for (uint64_t i = 0; slice_cut(&rest, '\n', &word) || i <= at; i++) {
        if (i == at) buf_printf(&out, "%s%s", out.len ? "\n" : "", d->word);
        if (word.len && !slice_equal(word, gone)) {
            buf_put_text(&out, out.len ? "\n" : "");
            buf_put_slice(&out, word);
        }
        word = (struct slice){0};
    }
    return sim_text(s, buf_text(&out));
}

/* One of a few elements, so that two people mean the same one. today: only what changes it. */
static bool make_set(struct sim *s, const struct place *p, struct deed *d, struct value today,
                     struct field_edit out[2]) {
    snprintf(d->word, sizeof(d->word), "t%u", (unsigned)sim_draw(s, TAGS));
    bool there = today.kind == VALUE_TEXT && set_has(today, slice_from(d->word));
    d->add = !there;
    out[0].kind = d->add ? FIELD_EDIT_ADD : FIELD_EDIT_REMOVE;
    out[0].value = sim_text(s, d->word);
    char name[WORD_BYTES];
    snprintf(name, sizeof(name), "e%zu", s->deed_count);
    out[1] = (struct field_edit){entity_field(sim_entity_of(s, p), slice_from(p->second)),
                                 FIELD_EDIT_ADD, sim_text(s, name)};
    return true;
}

bool sim_make(struct sim *s, const struct place *p, struct deed *d, const struct value *shown,
              const struct value *today, int64_t any_account, struct field_edit out[2],
              size_t *out_count) {
    out[0] = (struct field_edit){.field = sim_field_of(s, p)};
    *out_count = p->second ? 2 : 1;
    switch (p->kind) {
    case KIND_GROUP:
        out[1] =
            (struct field_edit){.field = entity_field(sim_entity_of(s, p), slice_from(p->second)),
                                .value = sim_text(s, d->word)};
        out[0].value = sim_text(s, d->word);
        return true;
    case KIND_LAST: out[0].value = sim_text(s, d->word); return true;
    case KIND_COUNT:
        d->delta = (int64_t)sim_draw(s, 9) - 3;
        out[0].kind = FIELD_EDIT_COUNT;
        out[0].value = value_int(d->delta);
        return d->delta != 0;
    case KIND_SET: return make_set(s, p, d, sim_value_of(s, p, today), out);
    case KIND_TEXT: out[0].value = new_text(s, d, sim_value_of(s, p, shown)); return true;
    case KIND_MAX:
        out[0].value =
            value_int((int64_t)(10 + sim_draw(s, 60)) * EDITS_MAX + (int64_t)s->deed_count);
        return true;
    case KIND_STATE: out[0].value = value_int((int64_t)sim_draw(s, 5) + 1); return true;
    case KIND_OFFICE: out[0].value = value_int((int64_t)sim_draw(s, 4) + 1); return true;
    case KIND_REF: out[0].value = value_int(any_account); return any_account != 0;
    case KIND_CREATE:
    case KIND_DELETE:
    case KIND_END: break;
    }
    return false;
}

static bool is_on(const struct sim *s, const struct place *p) {
    bool rows = s->rows || strcmp(p->entity, "contact") != 0;
    return rows && (s->kinds & BIT(p->kind));
}

void sim_choose_places(struct sim *s, size_t most) {
    for (size_t tries = 0; s->place_count < most && tries < 100; tries++) {
        const struct place *p = &sim_places[sim_draw(s, sim_place_count)];
        if (is_on(s, p)) s->places[s->place_count++] = p;
    }
    if (!s->place_count) s->places[s->place_count++] = &sim_places[0];
}

const struct place *sim_any_place(struct sim *s) {
    if (s->meets && s->last_place && sim_chance(s, SAME_PLACE)) return s->last_place;
    return s->places[sim_draw(s, s->place_count)];
}

struct pick {
    struct sim *s;
    uint64_t seen;
    int64_t id;
    bool last; /* the row that was worked on last is here */
};
static enum status pick_row(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    struct pick *pick = ctx;
    if (row->gone) return ST_OK;
    if (!sim_draw(pick->s, ++pick->seen)) pick->id = row->id;
    pick->last |= row->id == pick->s->last_row;
    return ST_OK;
}
int64_t sim_any_row(struct sim *s, struct store *store, const struct entity *e) {
    struct pick pick = {.s = s};
    struct query query = {.entity = e};
    struct err err;
    if (store_list(store, &query, pick_row, &pick, &err) != ST_OK) sim_fail_err(s, "list", &err);
    return s->meets && pick.last && sim_chance(s, SAME_ROW) ? s->last_row : pick.id;
}
