/* roadbook sign: both sides of a handover sign, each for himself. */
#include "client/cli.h"

struct signing {
    struct cli *cli;
    const struct entity *e;
    size_t found;
};

static struct value value_of(const struct row *row, const char *field) {
    const struct field *f = entity_field(row->entity, slice_from(field));
    return f ? row->values[entity_field_index(row->entity, f)] : value_null();
}

static bool is_me(const struct cli *cli, const struct row *row, const char *field) {
    struct value v = value_of(row, field);
    return v.kind == VALUE_INT && v.number == cli->identity.employee;
}

/* The field in which this person signs; NULL: he has no part in it, or signed already. */
static const char *place_to_sign(const struct cli *cli, const struct row *row) {
    enum { ORDERED = 1 };
    struct value state = value_of(row, "state");
    if (state.kind == VALUE_INT && state.number != ORDERED) return NULL;
    if (is_me(cli, row, "from_employee") && value_of(row, "signed_from").kind == VALUE_NULL)
        return "signed_from";
    if (is_me(cli, row, "to_employee") && value_of(row, "signed_to").kind == VALUE_NULL)
        return "signed_to";
    return NULL;
}

static enum status list_row(void *ctx, const struct row *row, struct err *err) {
    struct signing *s = ctx;
    char id[ID_TEXT_BYTES];
    if (!place_to_sign(s->cli, row)) return ST_OK;
    id_format(row->id, id);
    if (s->cli->json) {
        if (s->found > 0) buf_put_text(&s->cli->out, ",\n");
        api_row_json(&s->cli->book, row, NULL, 0, &s->cli->out);
    } else {
        cli_say(s->cli, "%s\n", "%s\n", id);
        TRY(api_row_text(&s->cli->book, row, &s->cli->out, err));
    }
    s->found++;
    return ST_OK;
}

static enum status list_waiting(struct signing *s, struct err *err) {
    struct query query = {.entity = s->e};
    struct cli *cli = s->cli;
    if (cli->json) buf_put_byte(&cli->out, '[');
    TRY(store_list(cli->store, &query, list_row, s, err));
    if (cli->json) buf_put_text(&cli->out, "]\n");
    if (s->found == 0 && !cli->json)
        cli_say(cli, "%s", "%s",
                cli_pick(cli, "no handover waits for your signature\n", "没有待您签字的过户\n"));
    else if (!cli->json)
        cli_say(cli, "%s", "%s",
                cli_pick(cli, "to sign one: roadbook sign ID\n", "签字：roadbook sign 编号\n"));
    return ST_OK;
}

static enum status sign(struct signing *s, int64_t id, struct err *err) {
    struct cli *cli = s->cli;
    struct row row;
    uint32_t batch;
    bool changed;
    TRY(store_get(cli->store, s->e, id, &cli->mem, &row, err));
    const char *place = place_to_sign(cli, &row);
    if (!place)
        return err_set(err, ST_CONFLICT,
                       "there is nothing for you to sign: it is signed, or yours "
                       "is neither side of it",
                       "无需您签字：您已签字，或并非交接双方之一");
    struct field_edit edit = {entity_field(s->e, slice_from(place)), FIELD_EDIT_SET,
                              value_int(cli->env.wall_ms(cli->env.ctx))};
    TRY(store_begin(cli->store, err));
    enum status status = store_edit(cli->store, s->e, id, &edit, 1, NULL, &changed, err);
    if (status == ST_OK) status = store_commit(cli->store, &batch, err);
    if (status != ST_OK) {
        store_rollback(cli->store);
        return status;
    }
    cli_saved(cli);
    if (cli->json)
        buf_printf(&cli->out, "{\"signed\":%lld}\n", (long long)id);
    else
        cli_say(cli, "%s", "%s",
                cli_pick(cli, "signed; it counts once it is at the server\n",
                         "已签字；同步到服务器后生效\n"));
    return ST_OK;
}

enum status cli_handover_sign(void *program, const struct command_line *line, struct err *err) {
    struct cli *cli = program;
    struct signing s = {cli, catalogue_entity(cli->cat, SLICE("handover")), 0};
    int64_t id;
    if (line->word_count == 0) return list_waiting(&s, err);
    TRY(store_resolve(cli->store, s.e, slice_from(cli_word(cli, 0)), &id, err));
    return sign(&s, id, err);
}
