/* Which changes of a reply's receipts came in late: made while their author had access to the row,
 * accepted though that had ended when they came. A section beside the receipts, since an older
 * release fails on a reason that it does not know. In memory it is REASON_LATE of the line, and of
 * each edit, that came in and has no other reason.
 */
#include "protocol/wire/columns.h"

struct late { /* one change */
    uint32_t batch, change;
};
struct late_columns {
    struct columns set;
    struct column batch, change;
};

static bool is_late(const struct receipt_line *line) {
    bool late = line->reason == REASON_LATE;
    for (size_t i = 0; i < line->edit_count; i++) late |= line->edits[i].reason == REASON_LATE;
    return late;
}

size_t late_count(const struct receipt *receipts, size_t count) {
    size_t late = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < receipts[i].line_count; j++) late += is_late(&receipts[i].lines[j]);
    return late;
}

static struct late code_late(struct late_columns *l, struct late late) {
    late.batch = column_u32(&l->set, &l->batch, late.batch);
    late.change = column_u32(&l->set, &l->change, late.change);
    return late;
}

enum status late_write(const struct receipt *receipts, size_t count, struct buf *out,
                       struct err *err) {
    struct late_columns l = {0};
    columns_start(&l.set);
    (void)code_number(&l.set.coder, late_count(receipts, count), WIRE_CHANGES_MAX);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < receipts[i].line_count; j++)
            if (is_late(&receipts[i].lines[j]))
                (void)code_late(&l, (struct late){receipts[i].batch, (uint32_t)j});
    return columns_finish(&l.set, out, NULL, err);
}

static void mark_line(struct receipt_line *line) {
    bool taken = line->outcome < OUTCOME_WAITING;
    if (taken && line->reason == REASON_NONE) line->reason = REASON_LATE;
    for (size_t i = 0; i < line->edit_count; i++) {
        struct receipt_edit *edit = &line->edits[i];
        if (edit->outcome < OUTCOME_WAITING && edit->reason == REASON_NONE)
            edit->reason = REASON_LATE;
    }
}

static bool mark(struct receipt *receipts, size_t count, struct late late) {
    for (size_t i = 0; i < count; i++) {
        if (receipts[i].batch != late.batch) continue;
        if (late.change >= receipts[i].line_count) return false;
        mark_line(&receipts[i].lines[late.change]);
        return true;
    }
    return false;
}

enum status late_read(struct slice section, struct arena *mem, size_t room,
                      struct receipt *receipts, size_t count, struct err *err) {
    struct late_columns l = {0};
    columns_open(&l.set, section, mem, room);
    size_t late = (size_t)code_number(&l.set.coder, 0, WIRE_CHANGES_MAX);
    for (size_t i = 0; i < late && !columns_failed(&l.set); i++) {
        struct late one = code_late(&l, (struct late){0});
        if (!mark(receipts, count, one)) coder_fail(&l.set.coder, ST_MALFORMED);
    }
    return columns_close(&l.set, err);
}
