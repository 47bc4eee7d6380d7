/* The operating system: clocks, files, signals, threads, the person's surroundings.
 *
 * This folder is the only place, beside the listener's sockets in syncd/http, that knows POSIX. All
 * else asks here, so that another system needs another folder and nothing more. Paths are
 * zero-terminated UTF-8. Unless a comment says otherwise every function may be called from any
 * thread.
 */
#ifndef ROADBOOK_PLATFORM_H
#define ROADBOOK_PLATFORM_H

#include "protocol/base/base.h"

/* ------------------------------------------------------------------ clocks and the real doors */

/* Fills *out with the real world: wall clock, boot clock (counts sleep), the name of this boot, the
 * kernel's random numbers, and a log that writes lines "ts=... level=info <line>" to standard
 * error. Where the system does not name its boots, each call invents a name: edits then count as
 * made before a restart, which is the careful direction. ctx belongs to this folder. */
void platform_env(struct env *out);

int64_t platform_mono_ms(void); /* never steps; only differences mean something */
int64_t platform_mono_us(void);
void platform_sleep_ms(int64_t ms);

/* ------------------------------------------------------------------ files */

/* The whole file, with a zero behind it that len does not count.
 * Returns ST_NOT_FOUND, ST_DENIED, ST_TOO_LARGE (more than bytes_max), ST_DISK, ST_NO_MEMORY. */
enum status platform_read_file(const char *path, size_t bytes_max, struct arena *mem,
                               struct slice *out, struct err *err) NODISCARD;
/* Replaces the file as one step that survives a power cut: a reader sees the old or the new
 * content. Only this user may read it (mode 0600). */
enum status platform_write_file_private(const char *path, struct slice content,
                                        struct err *err) NODISCARD;
/* Writes one byte into the file, made when it is not there (0600), so that who watches its folder
 * notices. Does not wait for the disk: it says something to the living only. */
enum status platform_touch(const char *path, struct err *err) NODISCARD;
/* Makes an empty file that only this user may read (0600). One that is there already is fine, or
 * ST_CONFLICT with exclusive. */
enum status platform_make_file(const char *path, bool exclusive, struct err *err) NODISCARD;
/* Makes the folder and its parents, for this user alone (0700). An existing folder is fine. */
enum status platform_make_dir(const char *path, struct err *err) NODISCARD;
bool platform_exists(const char *path);
/* Replaces what is at to. Durable when it returns. */
enum status platform_rename(const char *from, const char *to, struct err *err) NODISCARD;
/* Removes a file or an empty folder. ST_NOT_FOUND when there is none. */
enum status platform_remove(const char *path, struct err *err) NODISCARD;
/* Removes a folder with all that is in it, without following links. */
enum status platform_remove_tree(const char *path, struct err *err) NODISCARD;
/* As platform_write_file_private; the bytes of the file that is replaced are written over. */
enum status platform_replace_erased(const char *path, struct slice content,
                                    struct err *err) NODISCARD;
/* Writes over the file's bytes and removes it; none there is fine. */
enum status platform_erase_file(const char *path, struct err *err) NODISCARD;
/* The same with all that is in a folder but the entries of these names. What cannot be removed is
 * told at the end; the rest has gone. */
enum status platform_erase_dir(const char *path, const char *const *keep, size_t keep_count,
                               struct err *err) NODISCARD;
enum platform_disk { PLATFORM_DISK_UNKNOWN, PLATFORM_DISK_PLAIN, PLATFORM_DISK_ENCRYPTED };
/* Whether what stands at path is on an encrypted disk. PLAIN: the system shows none of the kinds of
 * encryption known here (dm-crypt, eCryptfs); a disk that encrypts by itself looks plain. */
enum platform_disk platform_disk_encryption(const char *path);
bool platform_is_dir(const char *path);
/* The names in a folder that do not begin with a dot, in the order of their bytes:
 * out_names[*out_count] in mem. At most names_max of them, else ST_TOO_LARGE. ST_NOT_FOUND when
 * there is no such folder. */
enum status platform_list_dir(const char *path, size_t names_max, struct arena *mem,
                              const char *const **out_names, size_t *out_count,
                              struct err *err) NODISCARD;
/* The path from the root on; what stands there need not exist. */
enum status platform_absolute_path(const char *path, struct arena *mem, const char **out_path,
                                   struct err *err) NODISCARD;
/* Makes a new private folder below $TMPDIR or /tmp; the caller removes it. */
enum status platform_temp_dir(struct arena *mem, const char **out_path, struct err *err) NODISCARD;

struct platform_file_info {
    int64_t bytes;
    int64_t written_ms; /* wall clock of the last write */
    bool is_dir;
};
/* What stands at path, which is not followed when it is a link: ST_INVALID for anything but a file
 * or a folder. */
enum status platform_file_info(const char *path, struct platform_file_info *out,
                               struct err *err) NODISCARD;
/* Up to bytes of the file from offset on into out; *out_got is less at its end only. */
enum status platform_read_at(const char *path, int64_t offset, void *out, size_t bytes,
                             size_t *out_got, struct err *err) NODISCARD;
/* Puts content behind the first offset bytes of the file, which is made when it is not there
 * (0600), and is offset bytes long. All or nothing, and durable when it returns.
 * ST_CONFLICT: it has another length. ST_BUSY: somebody else is just writing to it. */
enum status platform_append(const char *path, int64_t offset, struct slice content,
                            struct err *err) NODISCARD;
/* Bytes that this user can still write where path stands. */
enum status platform_disk_free(const char *path, int64_t *out_bytes, struct err *err) NODISCARD;

struct platform_lock {
    int fd;
};
/* Takes the lock that the file at path stands for, or returns ST_BUSY at once when another process
 * (or another lock of this one) has it. The file is made when missing and stays. Released by
 * platform_unlock, or by the system when the process ends. */
enum status platform_lock_try(const char *path, struct platform_lock *out,
                              struct err *err) NODISCARD;
void platform_unlock(struct platform_lock *lock);

/* ------------------------------------------------------------------ watching a folder */

struct platform_watch;
/* Notices that something in the folder at path was made, written, renamed or removed. With polling,
 * or where the system has no notices, there is no descriptor and changes are found by looking:
 * polling is for network file systems, which only report the writes of this machine. */
enum status platform_watch_open(const char *path, bool polling, struct platform_watch **out,
                                struct err *err) NODISCARD;
int platform_watch_fd(const struct platform_watch *watch); /* for platform_wait; -1: just drain */
/* true when something has changed since the last call (or the opening). */
bool platform_watch_drain(struct platform_watch *watch);
void platform_watch_close(struct platform_watch *watch);

/* ------------------------------------------------------------------ the person's surroundings */

/* $ROADBOOK_HOME, else $XDG_DATA_HOME/roadbook, else ~/.local/share/roadbook. Not created.
 * Returns ST_NOT_FOUND when nothing says where home is. */
enum status platform_data_dir(struct arena *mem, const char **out_path, struct err *err) NODISCARD;
enum lang platform_lang(void); /* Chinese when LC_ALL, LC_MESSAGES or LANG begins with zh */
enum { PLATFORM_STDIN = 0, PLATFORM_STDOUT = 1, PLATFORM_STDERR = 2 };
bool platform_is_terminal(int fd);
unsigned platform_terminal_columns(void); /* $COLUMNS, the terminal's width, else 80 */
/* What this computer is called, as UTF-8, in out[room]; false, and nothing is written, when nothing
 * readable says it. */
bool platform_host_name(char *out, size_t room);
bool platform_is_administrator(void); /* root: programs of the system, not of one person */
/* East of Greenwich is positive; what the zone's rules say for that instant. */
int platform_utc_offset_minutes(int64_t unix_ms);

/* ------------------------------------------------------------------ the process */

enum platform_signal { PLATFORM_SIGNAL_NONE, PLATFORM_SIGNAL_STOP, PLATFORM_SIGNAL_RELOAD };
/* From here on TERM and INT (stop) and HUP (reload) make *out_fd readable instead of ending the
 * process, and writing to a closed connection is an error instead of a signal. Once per process,
 * from main; the signals' dispositions belong to the process, so this is the one place with static
 * state. */
enum status platform_signals_open(int *out_fd, struct err *err) NODISCARD;
enum platform_signal platform_signals_next(int fd); /* NONE when no more are waiting */
void platform_signals_close(int fd);

/* Waits until one of fds[count] is readable. Negative descriptors are skipped, a negative timeout
 * waits for ever. *out_which is the first readable index, or count when the time was over first. */
enum status platform_wait(const int fds[], size_t count, int64_t timeout_ms, size_t *out_which,
                          struct err *err) NODISCARD;

/* Large blocks go back to the system when they are freed: for a program that stays for days and
 * seldom needs much. Before the first thread. */
void platform_return_memory(void);
/* Tells the service manager (systemd's protocol), such as "READY=1". Quietly nothing without one.
 */
void platform_notify(const char *state);
/* Raises the limit of open files towards want and returns what it is now. */
uint64_t platform_raise_fd_limit(uint64_t want);

/* A bell that one thread rings and another, which waits for its descriptor, hears. */
struct platform_bell {
    int read_fd, write_fd;
};
enum status platform_bell_open(struct platform_bell *out, struct err *err) NODISCARD;
void platform_bell_ring(const struct platform_bell *bell);
void platform_bell_drain(const struct platform_bell *bell);
void platform_bell_close(struct platform_bell *bell);

/* ------------------------------------------------------------------ threads */

struct platform_mutex;
struct platform_cond;
struct platform_thread;
struct platform_mutex *platform_mutex_new(void);        /* NULL when memory is exhausted */
void platform_mutex_free(struct platform_mutex *mutex); /* NULL is fine */
void platform_lock(struct platform_mutex *mutex);
void platform_release(struct platform_mutex *mutex);
struct platform_cond *platform_cond_new(void);
void platform_cond_free(struct platform_cond *cond);
void platform_cond_wait(struct platform_cond *cond, struct platform_mutex *mutex);
/* false when timeout_ms passed first. */
bool platform_cond_wait_ms(struct platform_cond *cond, struct platform_mutex *mutex,
                           int64_t timeout_ms);
void platform_cond_signal(struct platform_cond *cond);
void platform_cond_broadcast(struct platform_cond *cond);
/* A thread with all signals blocked, so that they reach main. Joined, and freed, by the caller. */
enum status platform_thread_start(void (*run)(void *ctx), void *ctx, struct platform_thread **out,
                                  struct err *err) NODISCARD;
void platform_thread_join(struct platform_thread *thread); /* NULL is fine */
uint64_t platform_thread_self(void);                       /* names the calling thread */

#endif
