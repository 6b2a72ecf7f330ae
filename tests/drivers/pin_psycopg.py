# The hook of psycopg, with its pool: the pin is there at once, and after the connection was returned.
import os

conninfo = ""
exec(open(os.environ["HOOK"]).read())
for _ in range(2):
    with pool.connection() as connection:
        print(connection.execute(os.environ["COUNT"]).fetchone()[0])
pool.close()
