"""asyncpg: everything prepared and in binary, types introspected from the catalog, COPY, cursors, a pool."""

import asyncio
import io

import asyncpg


def say(*what):
    print(*what, flush=True)


async def main():
    conn = await asyncpg.connect()
    say(conn.get_settings().client_encoding, conn.get_server_version().major > 14)
    say(await conn.fetch("select b, i2, i4, i8, f4, n, t, v, y, d, tm, ts, tstz, iv, u, j, jb, a, aa, m, ip, mac, bt, r, comp from every_type where i4 = 2147483647"))
    for n in range(3):
        say(await conn.fetchrow("select $1::int + 1 as i, $2::text[] as a, $3::mood as m, $4::point3 as p", n, ["x", None], "ok", (1, 2, 3)))
    statement = await conn.prepare("select id, name, feeling from products where id < $1 order by id")
    say([(a.name, a.type.name) for a in statement.get_attributes()], [p.name for p in statement.get_parameters()])
    say(await statement.fetch(4), await statement.fetchval(2))
    async with conn.transaction():
        say([r["id"] async for r in statement.cursor(30, prefetch=7)])
        cursor = await statement.cursor(30)
        say(await cursor.forward(3), await cursor.fetch(2), await cursor.fetchrow())
    await conn.execute("create table other.apg (i int, t text)")
    await conn.executemany("insert into other.apg values ($1, $2)", [(n, f"t{n}") for n in range(300)])
    say(await conn.copy_records_to_table("apg", schema_name="other", records=[(1000, "r"), (1001, None)]))
    say(await conn.copy_to_table("apg", schema_name="other", source=io.BytesIO(b"1002,csv\n"), format="csv"))
    out = io.BytesIO()
    say(await conn.copy_from_query("select * from other.apg where i > $1 order by i", 297, output=out, format="csv", header=True), out.getvalue())
    for sql, args in (("select 1 / $1::int", (0,)), ("selct", ()), ("select * from nowhere", ()), ("insert into products (name, price) values ('x', -1)", ())):
        try:
            await conn.fetch(sql, *args)
        except asyncpg.PostgresError as error:
            say(type(error).__name__, error.sqlstate, error.message, error.position, error.constraint_name)
    try:
        async with conn.transaction(isolation="serializable"):
            await conn.execute("insert into other.apg values (5000, 'x')")
            async with conn.transaction():
                await conn.execute("insert into other.apg values (5001, 'y')")
            raise RuntimeError("back")
    except RuntimeError:
        say(await conn.fetchval("select count(*) from other.apg where i >= 5000"))
    heard = asyncio.Queue()
    await conn.add_listener("apg", lambda _c, _pid, channel, _payload: heard.put_nowait(channel))
    await conn.execute("notify apg")
    say(await asyncio.wait_for(heard.get(), 10))
    try:
        await conn.fetch("select pg_sleep(60)", timeout=0.3)
    except asyncio.TimeoutError:
        say("timed out, and was cancelled")
    say(await conn.fetchval("select 'goes on'"))
    say(await conn.execute("select 1; select 2"), await conn.reset())
    await conn.execute("drop table other.apg")
    await conn.close()
    async with asyncpg.create_pool(min_size=2, max_size=5) as pool:
        say(await asyncio.gather(*(pool.fetchval("select $1::int * 2", n) for n in range(50))))


asyncio.run(main())
