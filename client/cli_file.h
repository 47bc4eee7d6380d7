/* What the two files about imports share: the list of imports that were made on this laptop. */
#ifndef ROADBOOK_CLI_FILE_H
#define ROADBOOK_CLI_FILE_H

#include "client/cli.h"

enum { IMPORTS_KEPT = 200, IMPORT_NAME_BYTES = 256 };

struct import_record {
    int64_t id; /* 0: a dry run */
    int64_t time_ms;
    const struct entity *entity;
    int64_t rows[IMPORT_FATES];
    bool reverted;
    char file[IMPORT_NAME_BYTES]; /* the file's name without its folder */
};

/* One import at a time, so that no two get one number. */
struct import_lock {
    struct platform_lock lock;
    bool held;
};
enum status cli_imports_lock(const struct cli *cli, struct import_lock *out,
                             struct err *err) NODISCARD;
void cli_imports_unlock(struct import_lock *lock);

/* Takes the next number and notes it before the first row is saved: an import that is cut off can
 * be reverted. */
enum status cli_imports_begin(struct cli *cli, const struct entity *e, const char *path,
                              bool dry_run, struct import_record *out, struct err *err) NODISCARD;
/* Notes what became of it. */
enum status cli_imports_note(struct cli *cli, const struct import_record *record,
                             struct err *err) NODISCARD;

#endif
