/* SQL of people, on the stable views, read-only. */
#include "syncd/store/store_private.h"

enum { COLUMNS_MAX = 2000 }; /* the engine's own limit */

static struct sql_cell take_cell(struct db_stmt *s, int column) {
    struct sql_cell cell = {.is_null = db_is_null(s, column)};
    if (cell.is_null) return cell;
    cell.is_text = db_is_text(s, column);
    cell.is_real = db_is_real(s, column);
    if (cell.is_text)
        cell.text = db_blob(s, column); /* bytes as they are, also of a blob */
    else if (cell.is_real)
        cell.real = db_real(s, column);
    else
        cell.number = db_int(s, column);
    return cell;
}

static enum status walk(struct db_stmt *s, struct arena *mem, store_sql_row *row, void *ctx,
                        struct err *err) {
    int count = db_column_count(s);
    if (count > COLUMNS_MAX) return err_set(err, ST_TOO_LARGE, "too many columns", "列过多");
    const char **names = ARENA_ARRAY(mem, (size_t)count + 1, const char *);
    struct sql_cell *cells = ARENA_ARRAY(mem, (size_t)count + 1, struct sql_cell);
    bool more;
    if (!names || !cells) return err_no_memory(err);
    for (int i = 0; i < count; i++) {
        names[i] = arena_string(mem, slice_from(db_column_name(s, i)));
        if (!names[i]) return err_no_memory(err);
    }
    TRY(row(ctx, names, NULL, (size_t)count, err));
    for (;;) {
        TRY(db_step(s, &more, err));
        if (!more) return ST_OK;
        for (int i = 0; i < count; i++) cells[i] = take_cell(s, i);
        TRY(row(ctx, names, cells, (size_t)count, err));
    }
}

enum status store_sql(struct store *store, const char *sql, store_sql_row *row, void *ctx,
                      struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct db_stmt *s = NULL;
    enum status status = db_prepare_read_only(store->db, sql, &s, err);
    if (status == ST_OK) status = walk(s, &mem, row, ctx, err);
    db_release(s);
    arena_clear(&mem);
    return status;
}
