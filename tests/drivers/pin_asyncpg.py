# The hook of asyncpg, whose pool drops pins when a connection is returned: the hook pins each time that it is acquired.
import ast
import asyncio
import os


async def main():
    scope = {"dsn": None}
    hook = compile(open(os.environ["HOOK"]).read(), "hook", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(hook, scope)
    for _ in range(2):
        async with scope["pool"].acquire() as connection:
            print(await connection.fetchval(os.environ["COUNT"]))
    await scope["pool"].close()


asyncio.run(main())
