/* The person's surroundings: where data lives, which language, how wide the terminal is. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "platform_private.h"

/* An empty variable counts as missing, as XDG has it. */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value ? value : NULL;
}

enum status platform_data_dir(struct arena *mem, const char **out_path, struct err *err) {
    const char *given = variable("ROADBOOK_HOME");
    const char *xdg = variable("XDG_DATA_HOME");
    const char *home = variable("HOME");
    char *path;
    if (given != NULL)
        path = arena_printf(mem, "%s", given);
    else if (xdg != NULL && xdg[0] == '/')
        path = arena_printf(mem, "%s/roadbook", xdg);
    else if (home != NULL)
        path = arena_printf(mem, "%s/.local/share/roadbook", home);
    else
        return err_set(err, ST_NOT_FOUND, "neither ROADBOOK_HOME nor HOME is set",
                       "未设置 ROADBOOK_HOME 或 HOME");
    if (path == NULL) return err_no_memory(err);
    *out_path = path;
    return ST_OK;
}

enum lang platform_lang(void) {
    const char *value = variable("LC_ALL");
    if (value == NULL) value = variable("LC_MESSAGES");
    if (value == NULL) value = variable("LANG");
    return value != NULL && strncmp(value, "zh", 2) == 0 ? LANG_ZH : LANG_EN;
}

bool platform_is_terminal(int fd) {
    return isatty(fd) == 1;
}

bool platform_host_name(char *out, size_t room) {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0 || !name[0] || strlen(name) >= room) return false;
    if (!text_is_utf8(slice_from(name))) return false;
    memcpy(out, name, strlen(name) + 1);
    return true;
}

bool platform_is_administrator(void) {
    return geteuid() == 0;
}

unsigned platform_terminal_columns(void) {
    const char *given = variable("COLUMNS");
    int64_t columns = 0;
    if (given != NULL && text_to_int(slice_from(given), &columns) && columns >= 20 &&
        columns <= 10000)
        return (unsigned)columns;
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

int platform_utc_offset_minutes(int64_t unix_ms) {
    int64_t seconds = unix_ms / 1000 - (unix_ms % 1000 < 0);
    time_t instant = (time_t)seconds;
    struct tm local;
    tzset();
    if (localtime_r(&instant, &local) == NULL) return 0;
    return (int)(local.tm_gmtoff / 60);
}
