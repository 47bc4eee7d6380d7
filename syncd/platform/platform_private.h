/* What the files of this folder share. */
#ifndef ROADBOOK_PLATFORM_PRIVATE_H
#define ROADBOOK_PLATFORM_PRIVATE_H

#include "syncd/platform/platform.h"

/* Turns errno into what the caller can do, and says which path it was about. */
enum status platform_errno(int number, const char *path, struct err *err);

#endif
