/* Whether a path is on an encrypted disk, as far as the system says so: Linux names the devices
 * below a file system and marks those of dm-crypt, and some file systems encrypt by themselves.
 */
#include "syncd/platform/platform_private.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

enum { DISK_PATH = 512, DISK_LAYERS = 8, ECRYPTFS_MAGIC = 0xF15F };

static bool first_line(const char *path, char *out, size_t room) {
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool got = fgets(out, (int)room, f) != NULL;
    (void)fclose(f);
    return got;
}

/* A volume on a partition on ... : any layer that encrypts will do. */
static bool is_encrypted(const char *block, int layers) {
    char path[DISK_PATH], line[128];
    int n = snprintf(path, sizeof path, "%s/dm/uuid", block);
    if (n <= 0 || n >= DISK_PATH) return false;
    if (first_line(path, line, sizeof line) && strncmp(line, "CRYPT-", 6) == 0) return true;
    n = snprintf(path, sizeof path, "%s/slaves", block);
    DIR *dir = n > 0 && n < DISK_PATH && layers > 0 ? opendir(path) : NULL;
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        n = snprintf(path, sizeof path, "%s/slaves/%s", block, entry->d_name);
        if (n > 0 && n < DISK_PATH) found = is_encrypted(path, layers - 1);
    }
    if (dir) closedir(dir);
    return found;
}

enum platform_disk platform_disk_encryption(const char *path) {
    char block[DISK_PATH];
    struct stat st, there;
    struct statfs fs;
    if (stat(path, &st) != 0 || statfs(path, &fs) != 0) return PLATFORM_DISK_UNKNOWN;
    if (fs.f_type == ECRYPTFS_MAGIC) return PLATFORM_DISK_ENCRYPTED;
    (void)snprintf(block, sizeof block, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
    if (stat(block, &there) != 0) return PLATFORM_DISK_UNKNOWN; /* a network, a container, memory */
    return is_encrypted(block, DISK_LAYERS) ? PLATFORM_DISK_ENCRYPTED : PLATFORM_DISK_PLAIN;
}
