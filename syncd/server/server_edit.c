/* Single rows by head office: add, set, rm. Written through the same merge as everything else, as
 * device 0. */
#include <stdio.h>

#include "syncd/server/server.h"

struct editing {
    struct server *server;
    struct org *org;
    struct office *office;
    struct api_book book;
    const struct entity *entity;
};

static void editing_close(struct editing *e) {
    office_close(&e->office);
    server_org_release(&e->org);
}

static enum status editing_open(struct server *server, const struct command_line *line,
                                struct editing *out, struct err *err) {
    out->server = server;
    TRY(server_org_open(server, &out->org, err));
    TRY(api_entity(server->cat, slice_from(line->words[0]), &out->entity, err));
    TRY(office_open(server, out->org, 0, &out->office, err));
    out->book = server_book(server, centre_store(org_centre(out->org)));
    return ST_OK;
}

static enum status read_edits(const struct editing *e, const struct command_line *line, size_t from,
                              struct field_edit *out, size_t *out_count, struct err *err) {
    *out_count = 0;
    for (size_t i = from; i < line->word_count; i++) {
        if (*out_count == ENTITY_FIELDS_MAX)
            return err_set(err, ST_USAGE, "too many fields", "字段过多");
        TRY(api_edit(&e->book, e->entity, slice_from(line->words[i]), &e->server->mem,
                     &out[(*out_count)++], err));
    }
    return ST_OK;
}

static enum status say_row(const struct editing *e, int64_t id, struct err *err) {
    struct server *server = e->server;
    SCOPED(buf_free) struct buf out = buf_new(BUF_MAX_MESSAGE);
    struct row row;
    struct slice title;
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    if (server->json) {
        TRY(store_get(e->book.store, e->entity, id, &server->mem, &row, err));
        api_row_json(&e->book, &row, NULL, 0, &out);
        printf("%s\n", buf_text(&out));
        return buf_status(&out, err);
    }
    TRY(store_title(e->book.store, e->entity, id, &server->mem, &title, err));
    server_tell(server, "saved: %.*s (%s)", "已保存：%.*s（%s）", (int)title.len,
                (const char *)title.data, text);
    return ST_OK;
}

enum status server_cmd_add(void *program, const struct command_line *line, struct err *err) {
    SCOPED(editing_close) struct editing e = {0};
    struct field_edit edits[ENTITY_FIELDS_MAX];
    size_t count;
    int64_t id;
    TRY(editing_open(program, line, &e, err));
    TRY(read_edits(&e, line, 1, edits, &count, err));
    struct api_writer writer = office_writer(e.office);
    TRY(writer.begin(writer.ctx, err));
    TRY(writer.create(writer.ctx, e.entity, edits, count, &id, err));
    TRY(writer.commit(writer.ctx, err));
    return say_row(&e, id, err);
}

enum status server_cmd_set(void *program, const struct command_line *line, struct err *err) {
    SCOPED(editing_close) struct editing e = {0};
    struct field_edit edits[ENTITY_FIELDS_MAX];
    size_t count;
    int64_t id;
    bool changed;
    TRY(editing_open(program, line, &e, err));
    TRY(store_resolve(e.book.store, e.entity, slice_from(line->words[1]), &id, err));
    TRY(read_edits(&e, line, 2, edits, &count, err));
    struct api_writer writer = office_writer(e.office);
    TRY(writer.begin(writer.ctx, err));
    TRY(writer.edit(writer.ctx, e.entity, id, edits, count, &changed, err));
    TRY(writer.commit(writer.ctx, err));
    return say_row(&e, id, err);
}

/* ------------------------------------------------------------------ rm */

struct unit {
    struct unit_row *rows;
    size_t count, room;
};

static enum status unit_add(struct server *server, struct unit *unit, const struct entity *e,
                            int64_t row, struct err *err) {
    if (unit->count == unit->room) {
        size_t room = unit->room ? unit->room * 2 : 16;
        struct unit_row *rows = ARENA_ARRAY(&server->mem, room, struct unit_row);
        if (!rows) return err_no_memory(err);
        for (size_t i = 0; i < unit->count; i++) rows[i] = unit->rows[i];
        unit->rows = rows;
        unit->room = room;
    }
    unit->rows[unit->count++] = (struct unit_row){.row = row, .entity_tag = e->tag};
    return ST_OK;
}

/* The row, and what it owns, and what that owns. */
static enum status unit_collect(const struct editing *e, int64_t id, struct unit *out,
                                struct err *err) {
    struct centre *centre = org_centre(e->org);
    TRY(unit_add(e->server, out, e->entity, id, err));
    for (size_t i = 0; i < out->count; i++) {
        const struct entity *owner =
            catalogue_entity_by_tag(e->server->cat, out->rows[i].entity_tag);
        struct centre_ref *owned;
        size_t count;
        TRY(centre_row_owned(centre, owner, out->rows[i].row, &e->server->mem, &owned, &count,
                             err));
        for (size_t k = 0; k < count; k++)
            TRY(unit_add(e->server, out, owned[k].entity, owned[k].row, err));
    }
    return ST_OK;
}

enum status server_cmd_rm(void *program, const struct command_line *line, struct err *err) {
    struct server *server = program;
    SCOPED(editing_close) struct editing e = {0};
    struct unit unit = {0};
    struct receipt receipt;
    int64_t id;
    TRY(editing_open(server, line, &e, err));
    struct slice typed = slice_from(line->words[1]);
    TRY(store_resolve(e.book.store, e.entity, typed, &id, err));
    TRY(store_is_itself(e.book.store, e.entity, typed, id, err));
    TRY(unit_collect(&e, id, &unit, err));
    if (unit.count > 1 && !command_has(line, "--yes"))
        return err_set(err, ST_CONFLICT,
                       "rows belong to it and go with it (%zu): add --yes to delete them all",
                       "有 %zu 条记录隶属于它，将一并删除：确认请加 --yes", unit.count - 1);
    struct change change = {.kind = CHANGE_DELETE,
                            .entity_tag = e.entity->tag,
                            .row = id,
                            .unit = unit.rows,
                            .unit_count = unit.count};
    TRY(org_office_save(e.org, &change, 1, 0, 0, server_person(server), &server->mem, &receipt,
                        err));
    if (receipt.lines[0].outcome != OUTCOME_APPLIED)
        return err_set(err, ST_CONFLICT, "it was edited meanwhile and stays",
                       "期间有人修改，记录保留");
    if (server->json) printf("{\"deleted\":%zu}\n", unit.count);
    server_tell(server, "%zu deleted", "已删除 %zu 条", unit.count);
    return ST_OK;
}
