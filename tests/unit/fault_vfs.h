/* A disk that fills up or fails when a test wants it, and that counts what is written to it.
 *
 * Linking with rb_fault_vfs and calling fault_vfs_install makes it the disk of every database that this program opens
 * afterwards. The counts also serve the benchmark: bytes written are the program's, not the file system's guess.
 */
#ifndef ROADBOOK_FAULT_VFS_H
#define ROADBOOK_FAULT_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_disk { FAULT_DISK_FULL, FAULT_DISK_BROKEN };

struct fault_vfs_counts {
    int64_t writes, syncs, truncates;                      /* calls */
    int64_t bytes;                                         /* of all writes */
    int64_t wal_bytes;                                     /* of those to write-ahead logs */
};

void fault_vfs_install(void);
/* SQLite takes its memory through this program, so that fault_arm (fault.h) reaches it. Before the first database. */
void fault_vfs_own_memory(void);
/* The n-th write, sync or truncate from now on fails, and with lasting every one after it; n begins with 1. */
void fault_vfs_arm(size_t n, enum fault_disk kind, bool lasting);
void fault_vfs_disarm(void);
bool fault_vfs_fired(void);                                /* since it was armed last */
void fault_vfs_counts(struct fault_vfs_counts *out);       /* since the start or the last reset */
void fault_vfs_counts_reset(void);

#endif
