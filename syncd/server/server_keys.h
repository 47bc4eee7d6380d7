/* Rows of the command table about what laptops have to go along with: the org's key (server_keys.c)
 * and the oldest release (server_devices.c). */
#ifndef ROADBOOK_SERVER_KEYS_H
#define ROADBOOK_SERVER_KEYS_H

#include "syncd/server/server.h"

command_run server_cmd_org_key;

static const struct command_option org_key_options[] = {
    COMMAND_FLAG("--yes", "-y", "change it without being told what that means", "不再说明，直接更换"),
};

#define SERVER_KEY_COMMANDS                                                                        \
    {.name = "org minimum-release",                                                                \
     .usage = {"[RELEASE | none]", "[版本 | none]"},                                               \
     .run = server_cmd_org_minimum,                                                                \
     .flags = SERVER_NEEDS_HOME,                                                                   \
     COMMAND_WORDS(0, 1, "none"),                                                                  \
     .summary = {"the oldest release that laptops may run", "笔记本允许使用的最低版本"},           \
     .details = {"Older ones are told to update. What they have not sent is taken, and answered; " \
                 "they get nothing else.\n",                                                       \
                 "低于该版本的笔记本会被要求升级。其未发送的修改仍会收下并回复，但收不到其他内容。" \
                 "\n"}},                                                                           \
        {.name = "org key",                                                                        \
         .usage = {"[change]", "[change]"},                                                        \
         .run = server_cmd_org_key,                                                                \
         .flags = SERVER_NEEDS_HOME,                                                               \
         COMMAND_WORDS(0, 1, "change"),                                                            \
         COMMAND_OPTIONS(org_key_options),                                                         \
         .summary = {"show the keys that the org has signed with, or change to a new one",         \
                     "显示组织使用过的签名密钥，或更换为新密钥"},                                  \
         .details = {"change: when somebody may have the old one, from a backup or a machine. The " \
                     "server may go on serving.\nLaptops hear of it with their next contact and "  \
                     "believe no older key from then on. Links given out\nbefore stay good. Keep " \
                     "org/NAME.keys, beside the book, as you keep the book: after a restore from " \
                     "an older\nbackup the server knows the newest key by it.\n",                  \
                     "change：旧密钥可能因备份或机器外泄时使用。服务可继续运行。\n笔记本下次联系" \
                     "时获知新密钥，此后不再接受旧密钥；此前发出的登记链接仍然有效。\n请像账本一" \
                     "样保管旁边的 org/机构名.keys：由旧备份还原后，服务器靠它得知最新密钥。\n"}}

#endif
