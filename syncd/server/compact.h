/* Compacting of an org's book while it is used, and the erasing of personal data. The rules are
 * PROTOCOL.md, "Tombstones and history".
 */
#ifndef ROADBOOK_COMPACT_H
#define ROADBOOK_COMPACT_H

#include "syncd/server/org.h"
#include "syncd/store/centre_compact.h"

struct compacted {
    int64_t deletes, rows;             /* collected tombstones: deletes, and rows that they took */
    int64_t stay;                      /* deletes that something still needs */
    int64_t items[COMPACT_PART_COUNT]; /* of each part */
    int64_t bytes_before, bytes_after; /* of the file that hold something */
    struct centre_horizon horizon;
    int64_t done, total; /* progress: steps of the run */
};

struct compaction; /* one run: begin, steps until it is done, end */

/* Reads what may go. dry_run: each step is made, counted and undone. */
enum status org_compact_begin(struct org *org, bool dry_run, struct compaction **out,
                              struct err *err) NODISCARD;
/* The next slice, a write transaction of some milliseconds; others write before and after it. */
enum status org_compact_step(struct org *org, struct compaction *run, bool *out_done,
                             struct err *err) NODISCARD;
/* Borrowed until the end. bytes_after is set when the run is done. */
const struct compacted *compaction_result(const struct compaction *run);
void compaction_end(struct compaction *run); /* NULL is fine; half a run is fine */

/* Is the run of this day due? After two o'clock in the org's night, or when a day was missed. */
enum status org_compact_is_due(struct org *org, bool *out, struct err *err) NODISCARD;

/* Erases the personal fields of a row: the row by an edit of head office, which every laptop gets;
 * then what the past still tells, see centre_erase_personal. Required texts become a dash. why is
 * kept in the journal with the person. ST_NOT_FOUND: no such row; ST_INVALID: its entity has no
 * personal field. */
enum status org_erase(struct org *org, const struct entity *e, int64_t row, struct slice person,
                      struct slice why, struct centre_erased *out, struct err *err) NODISCARD;

#endif
