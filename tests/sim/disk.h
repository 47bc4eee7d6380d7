/* A disk in memory under the databases of this program, which loses what was not synced.
 *
 * disk_install makes it the disk of every database that is opened afterwards. Files live in this
 * process and are copied with it by fork, so that a world that was opened once serves many runs.
 *
 * A machine is all files below a folder. It may be cut off in the middle of a write: from then on
 * nothing of it can be read or written until disk_power_up, which decides what became of the writes
 * that were not synced: each was kept, lost, or torn at a sector. Without a power cut (only the
 * programs died) all of them are kept. It may be full, too: some writes fail, then it goes on.
 *
 * Nothing waits, draws real random numbers or reads a real clock: SQLite gets its own from here.
 * One thread only.
 */
#ifndef ROADBOOK_DISK_H
#define ROADBOOK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_trouble { DISK_WELL, DISK_CUT, DISK_FULL };

struct disk_counts {
    int64_t writes, syncs, cuts, full, lost, torn;
};

void disk_install(void);
/* What SQLite draws, and what becomes of unsynced writes, follows from this number. */
void disk_seed(uint64_t seed);
/* The n-th write, sync, truncation or removal below the folder from now on meets the trouble; n
 * begins with 1. One trouble at a time. DISK_WELL: none any more, and what is cut stays cut. */
void disk_arm(const char *folder, size_t n, enum disk_trouble trouble);
/* It has been met since it was armed. */
bool disk_fired(void);
/* After all handles of the machine are closed. power: what was not synced may be lost. */
void disk_power_up(const char *folder, bool power);
/* The files below a folder as they are now are kept as a copy, or become what the copy was: a
 * backup, taken and put back while nothing is open. At most DISK_COPIES_MAX. */
enum { DISK_COPIES_MAX = 8 };
void disk_copy(const char *folder, size_t copy);
bool disk_put_back(const char *folder, size_t copy);
/* A database takes another's name, and that one is gone. Both are closed. */
void disk_rename(const char *from, const char *to);
void disk_counts(struct disk_counts *out);
/* Changes since the program began: how much a step wrote, to aim a fault inside the next one. */
int64_t disk_changes(void);

#endif
