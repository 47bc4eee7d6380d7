/* Which accounts left this laptop with a sync, and which came: said once, by name. The names are of
 * before the sync and only in memory, since of what left nothing may stay on disk; who has an
 * account now is known where its header is still seen here.
 */
#include <stdlib.h>
#include <string.h>

#include "client/cli_move.h"

enum { NAMED_MAX = 10, ACCOUNTS_MAX = 20000 };

struct known { /* an account as it was before */
    int64_t id;
    struct slice name;
};
struct cli_moved {
    const struct entity *e;
    const struct field *title, *owner;
    struct known *known; /* by id */
    size_t count, room;
    bool complete; /* the book was; else all of it is on its way, which is no news */
    struct arena *mem;
};

static enum status note_account(void *ctx, const struct row *row, struct err *err) {
    struct cli_moved *m = ctx;
    struct value title = row->values[entity_field_index(m->e, m->title)];
    if (m->count == m->room) {
        size_t room = m->room ? m->room * 2 : 256;
        struct known *known = ARENA_ARRAY(m->mem, room, struct known);
        if (!known) return err_no_memory(err);
        if (m->count) memcpy(known, m->known, m->count * sizeof *known);
        m->known = known;
        m->room = room;
    }
    struct slice name = title.kind == VALUE_TEXT ? arena_copy(m->mem, title.text) : SLICE("");
    m->known[m->count++] = (struct known){row->id, name};
    return ST_OK;
}

static int by_id(const void *a, const void *b) {
    const struct known *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static const struct known *known_find(const struct cli_moved *m, int64_t id) {
    struct known key = {.id = id};
    return m->count ? bsearch(&key, m->known, m->count, sizeof key, by_id) : NULL;
}

/* Nothing is said where it would cost too much, or cannot be known. */
static enum status accounts(struct cli *cli, struct cli_moved *m, struct err *err) {
    struct query query = {.entity = m->e};
    int64_t rows;
    TRY(store_count(cli->store, &query, &rows, err));
    if (rows > ACCOUNTS_MAX) return err_set(err, ST_TOO_LARGE, "too many", "过多");
    TRY(store_list(cli->store, &query, note_account, m, err));
    if (m->count) qsort(m->known, m->count, sizeof *m->known, by_id);
    return ST_OK;
}

struct cli_moved *cli_moved_before(struct cli *cli) {
    struct store_status status;
    struct cli_moved *m = ARENA_NEW(&cli->mem, struct cli_moved);
    const struct entity *e = catalogue_entity(cli->cat, SLICE("account"));
    if (!m || !e || !e->title) return NULL;
    *m = (struct cli_moved){.e = e,
                            .mem = &cli->mem,
                            .title = entity_field(e, slice_from(e->title)),
                            .owner = entity_field(e, SLICE("owner"))};
    if (store_status(cli->store, &status, NULL) != ST_OK) return NULL;
    m->complete = status.complete && status.cursor > 0;
    return accounts(cli, m, NULL) == ST_OK ? m : NULL;
}

/* ------------------------------------------------------------------ telling */

/* An account that became one with another is not gone: its id finds the other. */
static bool look_merged(struct cli *cli, const struct cli_moved *m, int64_t id, struct row *row) {
    return store_get(cli->store, m->e, id, m->mem, row, NULL) == ST_OK && row->id != id;
}

/* What is here now of an account: its name, and who has it. */
static void look(struct cli *cli, const struct cli_moved *m, int64_t id, struct slice *name,
                 struct slice *owner) {
    struct row row;
    const struct known *known = known_find(m, id);
    struct slice text;
    *name = known ? known->name : SLICE("");
    *owner = SLICE("");
    if (store_get(cli->store, m->e, id, m->mem, &row, NULL) != ST_OK) return;
    struct value title = row.values[entity_field_index(m->e, m->title)];
    if (title.kind == VALUE_TEXT) *name = title.text;
    struct value who = m->owner ? row.values[entity_field_index(m->e, m->owner)] : value_null();
    if (who.kind == VALUE_INT &&
        api_value_text(&cli->book, m->owner, who, m->mem, &text, NULL) == ST_OK)
        *owner = text;
}

static void put_names(struct cli *cli, const struct cli_moved *m, const int64_t *ids, size_t count,
                      bool with_owner) {
    for (size_t i = 0; i < count && i < NAMED_MAX; i++) {
        struct slice name, owner;
        look(cli, m, ids[i], &name, &owner);
        buf_put_text(&cli->out, i ? cli_pick(cli, ", ", "、") : cli_pick(cli, ": ", "："));
        buf_put_slice(&cli->out, name);
        if (with_owner && owner.len > 0)
            buf_printf(&cli->out, cli_pick(cli, " (now %.*s)", "（现归 %.*s）"), (int)owner.len,
                       (const char *)owner.data);
    }
    if (count > NAMED_MAX)
        cli_say(cli, " and %zu more", " 等 %zu 个",
                cli->lang == LANG_EN ? count - NAMED_MAX : count);
    buf_put_byte(&cli->out, '\n');
}

static void put_json(struct cli *cli, const struct cli_moved *m, const char *key,
                     const int64_t *ids, size_t count) {
    cli_json_key(cli, key, false);
    buf_put_byte(&cli->out, '[');
    for (size_t i = 0; i < count; i++) {
        struct slice name, owner;
        look(cli, m, ids[i], &name, &owner);
        if (i) buf_put_byte(&cli->out, ',');
        cli_json_id(cli, ids[i], true);
        cli_json_text(cli, "name", name, false);
        cli_json_text(cli, "owner", owner, false);
        buf_put_byte(&cli->out, '}');
    }
    buf_put_byte(&cli->out, ']');
}

struct moves_told {
    struct store_moves moves;
    int64_t merged[STORE_MOVES_MAX]; /* they left as themselves, and are here as another */
    size_t merged_count;
};

static void take_out_merged(struct cli *cli, const struct cli_moved *m, struct moves_told *told) {
    struct store_moves *moves = &told->moves;
    size_t left = 0;
    for (size_t i = 0; i < moves->left_count; i++) {
        struct row row;
        if (look_merged(cli, m, moves->left[i], &row))
            told->merged[told->merged_count++] = moves->left[i];
        else
            moves->left[left++] = moves->left[i];
    }
    moves->left_count = left;
}

/* Accounts of which only the header came have no home of their own. */
static enum status note_new(void *ctx, const struct row *row, struct err *err) {
    void **both = ctx;
    const struct cli_moved *before = both[0];
    struct store_moves *moves = both[1];
    (void)err;
    bool there = known_find(before, row->id) != NULL;
    for (size_t i = 0; i < moves->came_count && !there; i++) there = moves->came[i] == row->id;
    if (!there && moves->came_count < STORE_MOVES_MAX) moves->came[moves->came_count++] = row->id;
    return ST_OK;
}

static struct moves_told *moves_now(struct cli *cli, const struct cli_moved *m) {
    struct moves_told *told = ARENA_NEW(&cli->mem, struct moves_told);
    struct query query = {.entity = m->e};
    if (!told) return NULL;
    void *both[] = {(void *)(uintptr_t)m, &told->moves};
    told->moves = *store_moves(cli->store);
    take_out_merged(cli, m, told);
    return store_list(cli->store, &query, note_new, both, NULL) == ST_OK ? told : NULL;
}

static void put_merged(struct cli *cli, const struct cli_moved *m, const struct moves_told *told) {
    struct row row;
    for (size_t i = 0; i < told->merged_count && i < NAMED_MAX; i++) {
        const struct known *known = known_find(m, told->merged[i]);
        if (!known || !look_merged(cli, m, told->merged[i], &row)) continue;
        struct value title = row.values[entity_field_index(m->e, m->title)];
        if (title.kind != VALUE_TEXT) continue;
        cli_say(cli, "%.*s was merged into %.*s\n", "%.*s 已并入 %.*s\n", (int)known->name.len,
                (const char *)known->name.data, (int)title.text.len,
                (const char *)title.text.data);
    }
}

void cli_moved_say(struct cli *cli, const struct cli_moved *m) {
    struct moves_told *told = m && m->complete ? moves_now(cli, m) : NULL;
    const struct store_moves *moves = told ? &told->moves : NULL;
    if (cli->json) {
        size_t left = moves ? moves->left_count : 0, came = moves ? moves->came_count : 0;
        put_json(cli, m, "accounts_left", moves ? moves->left : NULL, left);
        put_json(cli, m, "accounts_came", moves ? moves->came : NULL, came);
        return;
    }
    if (!moves) return;
    put_merged(cli, m, told);
    if (moves->left_count > 0) {
        cli_say(cli,
                moves->left_count == 1 ? "%zu account left this laptop"
                                       : "%zu accounts left this laptop",
                "%zu 个客户已移出本机", moves->left_count);
        cli_say(cli, moves->rows_left == 1 ? " (%lld row)" : " (%lld rows)", "（共 %lld 条记录）",
                (long long)moves->rows_left);
        put_names(cli, m, moves->left, moves->left_count, true);
    }
    if (moves->came_count > 0) {
        cli_say(cli,
                moves->came_count == 1 ? "%zu account is new here" : "%zu accounts are new here",
                "%zu 个客户新到本机", moves->came_count);
        put_names(cli, m, moves->came, moves->came_count, false);
    }
}
