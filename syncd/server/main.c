/* Program roadbook-server. */
#include "syncd/server/server.h"

int main(int argc, char **argv) {
    return server_main(argc, argv);
}
