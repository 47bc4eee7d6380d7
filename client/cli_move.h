/* Private to the commands about attachments and to sync: moving contents from the command line. */
#ifndef ROADBOOK_CLI_MOVE_H
#define ROADBOOK_CLI_MOVE_H

#include "client/cli.h"
#include "syncd/agent/mover.h"

/* Waits until no other program of this home syncs. */
enum status cli_sync_lock(const struct cli *cli, struct platform_lock *out,
                          struct err *err) NODISCARD;
/* Moves contents on an agent and its connection until nothing is left: with only_wanted what
 * somebody asked for, else also what the rules say. Rows that are saved meanwhile go first. */
enum status cli_move_contents(struct cli *cli, struct agent *agent,
                              const struct transport_door *door, bool only_wanted,
                              struct mover_progress *out, struct err *err) NODISCARD;
/* "2 files sent, 1 fetched" with a line feed; nothing when nothing moved. */
void cli_move_say(struct cli *cli, const struct mover_progress *p);

/* The accounts that are here before a sync; NULL: they are too many, or cannot be read. */
struct cli_moved;
struct cli_moved *cli_moved_before(struct cli *cli);
/* Which left, which came, who has those that left: lines, or members of the object with --json. */
void cli_moved_say(struct cli *cli, const struct cli_moved *before);

#endif
