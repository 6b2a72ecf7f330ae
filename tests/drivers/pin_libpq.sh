#!/bin/bash
# The hook of libpq, compiled as it is printed: the pin is there, and again after PQreset().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/main.c" <<END
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
$(cat "$HOOK")
int main(void)
{
    PGconn *connection = PQconnectdb("");
    for (int round = 0; round < 2; round++) {
        if (!pin_session(connection))
            return 1;
        PGresult *result = PQexec(connection, getenv("COUNT"));
        puts(PQgetvalue(result, 0, 0));
        PQclear(result);
        PQreset(connection);
    }
    PQfinish(connection);
    return 0;
}
END
gcc -Wall -Werror "$folder/main.c" -o "$folder/main" -I"$(pg_config --includedir)" -lpq
"$folder/main"
