/* Calls that must not be made in this program do not compile (the idea is from git's banned.h).
 *
 * The string calls write past their target or read rubbish as zero; the time calls keep static
 * state and ask the machine for its zone; rand is neither random nor repeatable. What to use
 * instead: slices, buffers and arena_printf; text_to_int; calendar functions; env->random.
 *
 * The system headers that declare these calls come first, so that it does not matter where in the
 * order of includes this file stands.
 */
#ifndef ROADBOOK_BANNED_H
#define ROADBOOK_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(call) sorry_##call##_is_banned

#undef strcpy
#define strcpy(...) BANNED(strcpy)
#undef strcat
#define strcat(...) BANNED(strcat)
#undef strncpy
#define strncpy(...) BANNED(strncpy)
#undef strncat
#define strncat(...) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef strtok
#define strtok(...) BANNED(strtok)
#undef atoi
#define atoi(...) BANNED(atoi)
#undef atol
#define atol(...) BANNED(atol)
#undef atoll
#define atoll(...) BANNED(atoll)
#undef gmtime
#define gmtime(...) BANNED(gmtime)
#undef localtime
#define localtime(...) BANNED(localtime)
#undef ctime
#define ctime(...) BANNED(ctime)
#undef asctime
#define asctime(...) BANNED(asctime)
#undef rand
#define rand(...) BANNED(rand)
#undef srand
#define srand(...) BANNED(srand)

#endif
