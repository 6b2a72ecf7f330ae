# The hook of SQLAlchemy, with psycopg 2: the pin is there at once, and after the connection was returned.
import os

from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg2://")
exec(open(os.environ["HOOK"]).read())
for _ in range(2):
    with engine.connect() as connection:
        print(connection.execute(text(os.environ["COUNT"])).scalar())
