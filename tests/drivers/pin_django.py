# The hook of Django; the application's module is played by this one.
import os

from django.conf import settings

settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": os.environ["PGHOST"], "NAME": os.environ["PGDATABASE"],
    "USER": os.environ["PGUSER"]}})
exec(open(os.environ["HOOK"]).read())
ShopConfig.ready(None)

from django.db import connection

for _ in range(2):
    with connection.cursor() as cursor:
        cursor.execute(os.environ["COUNT"])
        print(cursor.fetchone()[0])
    connection.close()
