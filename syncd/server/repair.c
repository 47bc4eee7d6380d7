/* Which rows of a laptop's book are not what they should be? The server counts the rows that the
 * user sees, each once, as the laptop counts those that it has. No state is kept between the steps:
 * each says all that it needs.
 */
#include <string.h>

#include "protocol/wire/digest.h"
#include "syncd/server/reply.h"
#include "syncd/store/centre_digest.h"

enum { WALK_IDS = 512, REPLY_BYTES = 512 * 1024 };

struct repairing {
    struct centre *c;
    const struct view *view;
    const struct repair_request *asked;
    struct arena *mem;
    struct repair_reply *out;
    uint64_t *sums; /* like those of the request */
    bool *met;      /* REPAIR_ROWS: which rows of the request are in scope */
    size_t bytes, room;
};

typedef enum status repair_each(struct repairing *r, const struct centre_row *row, uint64_t hash,
                                struct err *err);

/* ------------------------------------------------------------------ rows in scope, each once */

/* A row is counted in the first of its homes that the user holds. */
static enum status is_first_home(struct repairing *r, const struct centre_row *row, int64_t home,
                                 bool *out, struct err *err) {
    struct homes homes;
    *out = r->view->all;
    if (*out) return ST_OK;
    TRY(centre_homes_of(r->c, row->entity, row->id, row->values, &homes, err));
    for (size_t i = 0; i < r->view->grant_count; i++) {
        if (!homes_have(&homes, r->view->grants[i].home)) continue;
        *out = r->view->grants[i].home == home;
        return ST_OK;
    }
    return ST_OK;
}

static bool is_asked(const struct repair_request *asked, uint32_t bucket) {
    uint32_t place = asked->step == REPAIR_PARTS ? bucket / DIGEST_FAN : bucket;
    if (asked->step == REPAIR_WHOLE) return true;
    for (size_t i = 0; i < asked->place_count; i++)
        if (asked->places[i] == place) return true;
    return false;
}

static enum status walk_row(struct repairing *r, const struct entity *e, int64_t id, int64_t home,
                            repair_each *each, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(ARENA_CAP_DEFAULT);
    struct centre_row row;
    bool found, first;
    uint64_t hash;
    if (!is_asked(r->asked, digest_bucket(e->tag, id))) return ST_OK;
    TRY(centre_row_read(r->c, e, id, &mem, &row, &found, err));
    if (!found || row.dead) return ST_OK;
    TRY(is_first_home(r, &row, home, &first, err));
    if (!first) return ST_OK;
    TRY(centre_row_hash(r->c, &row, &hash, err));
    return each(r, &row, hash, err);
}

static enum status walk_home(struct repairing *r, int64_t home, repair_each *each,
                             struct err *err) {
    const struct catalogue *cat = centre_catalogue(r->c);
    for (size_t i = 0; i < cat->count; i++) {
        const struct entity *e = &cat->entities[i];
        int64_t ids[WALK_IDS], after = 0;
        size_t count = WALK_IDS;
        if (!centre_home_reaches(r->c, e, home_class(home))) continue;
        while (count == WALK_IDS) {
            TRY(centre_home_rows(r->c, e, home, after, ids, WALK_IDS, &count, err));
            for (size_t k = 0; k < count; k++) TRY(walk_row(r, e, ids[k], home, each, err));
            if (count > 0) after = ids[count - 1];
        }
    }
    return ST_OK;
}

static enum status walk(struct repairing *r, repair_each *each, struct err *err) {
    if (r->view->all) return walk_home(r, home_make(HOME_CLASS_ALL, 0), each, err);
    for (size_t i = 0; i < r->view->grant_count; i++)
        TRY(walk_home(r, r->view->grants[i].home, each, err));
    return ST_OK;
}

/* ------------------------------------------------------------------ sums */

static size_t place_at(const struct repair_request *asked, uint32_t bucket) {
    if (asked->step == REPAIR_WHOLE) return bucket / DIGEST_FAN;
    for (size_t i = 0; i < asked->place_count; i++)
        if (asked->places[i] == bucket / DIGEST_FAN) return i * DIGEST_FAN + bucket % DIGEST_FAN;
    return 0;
}

static enum status add_sum(struct repairing *r, const struct centre_row *row, uint64_t hash,
                           struct err *err) {
    (void)err;
    r->sums[place_at(r->asked, digest_bucket(row->entity->tag, row->id))] += hash;
    return ST_OK;
}

static enum status compare_sums(struct repairing *r, struct err *err) {
    const struct repair_request *asked = r->asked;
    size_t most = asked->step == REPAIR_WHOLE ? REPAIR_PARTS_MAX : REPAIR_BUCKETS_MAX;
    r->sums = ARENA_ARRAY(r->mem, asked->sum_count, uint64_t);
    r->out->places = ARENA_ARRAY(r->mem, most, uint32_t);
    if (!r->sums || !r->out->places) return err_no_memory(err);
    TRY(walk(r, add_sum, err));
    for (size_t i = 0; i < asked->sum_count; i++) {
        if (r->sums[i] == asked->sums[i]) continue;
        r->out->more |= r->out->place_count == most;
        if (r->out->more) break;
        uint32_t part = asked->step == REPAIR_WHOLE ? 0 : asked->places[i / DIGEST_FAN];
        r->out->places[r->out->place_count++] = (uint32_t)(part * DIGEST_FAN + i % DIGEST_FAN);
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ rows */

static const struct repair_row *row_asked(struct repairing *r, const struct centre_row *row) {
    for (size_t i = 0; i < r->asked->row_count; i++) {
        const struct repair_row *it = &r->asked->rows[i];
        if (it->row != row->id || it->entity_tag != row->entity->tag) continue;
        r->met[i] = true;
        return it;
    }
    return NULL;
}

static enum status compare_row(struct repairing *r, const struct centre_row *row, uint64_t hash,
                               struct err *err) {
    const struct repair_row *there = row_asked(r, row);
    struct centre_row kept;
    struct record record;
    void *items = r->out->records;
    bool found;
    if (there && there->hash == hash) return ST_OK;
    if (r->bytes > REPLY_BYTES) {
        r->out->more = true;
        return ST_OK;
    }
    TRY(centre_row_read(r->c, row->entity, row->id, r->mem, &kept, &found, err));
    TRY(reply_record(&kept, -1, r->mem, &record, err));
    TRY(reply_grow(r->mem, &items, r->out->record_count, &r->room, sizeof record, err));
    r->out->records = items;
    r->out->records[r->out->record_count++] = record;
    r->bytes += wire_record_bytes(&record);
    return ST_OK;
}

static enum status compare_rows(struct repairing *r, struct err *err) {
    size_t count = r->asked->row_count;
    r->met = ARENA_ARRAY(r->mem, count + 1, bool);
    r->out->drops = ARENA_ARRAY(r->mem, count + 1, struct repair_row);
    if (!r->met || !r->out->drops) return err_no_memory(err);
    TRY(walk(r, compare_row, err));
    for (size_t i = 0; i < count; i++)
        if (!r->met[i]) r->out->drops[r->out->drop_count++] = r->asked->rows[i];
    return ST_OK;
}

static enum status repair_in(struct centre *c, const struct centre_device *device,
                             const struct repair_request *request, struct arena *mem,
                             struct repair_reply *out, struct err *err) {
    struct view view;
    struct centre_head head;
    TRY(centre_head(c, &head, err));
    if (head.recovering)
        return err_set(err, ST_BUSY, "the server recovers: nothing is repaired meanwhile",
                       "服务器正在恢复：期间不作修复");
    TRY(view_open(c, device, mem, &view, err));
    struct repairing r = {.c = c, .view = &view, .asked = request, .mem = mem, .out = out};
    return request->step == REPAIR_ROWS ? compare_rows(&r, err) : compare_sums(&r, err);
}

enum status org_repair(struct org_reader *reader, const struct centre_device *device,
                       const struct repair_request *request, struct arena *mem,
                       struct repair_reply *out, struct err *err) {
    struct repair_reply reply = {.more = false};
    TRY(centre_begin(reader->c, false, err));
    enum status status = repair_in(reader->c, device, request, mem, &reply, err);
    centre_end(reader->c);
    if (status == ST_OK) *out = reply;
    return status;
}
