/** A plan refuses the types that the run would refuse. */
import { expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { oneLine } from '../../src/shared/visible.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

/** The rest of the first hint that begins with these words. */
function hintIn(events: readonly Event[], words: string): string {
  const hints = JSON.stringify(events).matchAll(/"hint":("(?:[^"\\]|\\.)*")/g)
  const found = [...hints].map(([, hint = '']) => JSON.parse(hint) as string).find((hint) => hint.startsWith(words))
  return found?.slice(words.length) ?? ''
}

/** Creates what the hint of the refusal says, and copies. */
test.for([
  "CREATE TYPE \"mood one\" AS ENUM ('sad', 'it''s')",
  `CREATE TYPE "mood one" AS ENUM ('sad', E'l\\nf\\\\x''q', 'z\u200bw')`,
  `CREATE DOMAIN "mood one" AS VARCHAR(9) DEFAULT 'x' NOT NULL CONSTRAINT "no blank" CHECK (VALUE <> '')`,
])('%s that the target lacks is refused', { timeout: 60_000 }, async (type, { skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', `needs postgresql: ${why}`)
  const source = await makePlace('postgresql', '')
  const target = await makePlace('postgresql', '')
  await source.sql(type, 'CREATE TABLE t (id INT PRIMARY KEY, m "mood one")', "INSERT INTO t VALUES (1, 'sad')")
  let hint = ''
  for (const options of [{ dryRun: true }, {}]) {
    const { finished, events } = await perform(copyOf(source, target, 't', options))
    expect(finished.exitCode).not.toBe(0)
    expect(JSON.stringify(events)).toContain('needs the type')
    hint = hintIn(events, 'create the type in the target first: ')
    expect(hint).toMatch(/^CREATE (TYPE|DOMAIN) /)
    expect(await target.rows('SELECT tablename FROM pg_tables WHERE schemaname = current_schema()')).not.toContainEqual(
      ['t'],
    )
  }
  // What a terminal prints of it.
  expect(oneLine(hint)).toBe(hint)
  await target.sql(hint)
  const planned = await perform(copyOf(source, target, 't', { dryRun: true }))
  expect(planned.finished.exitCode).toBe(0)
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
})

test('the hint for an enum of a schema that the target lacks creates the schema, too', async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', `needs postgresql: ${why}`)
  const source = await makePlace('postgresql', '')
  const target = await makePlace('postgresql', '')
  await source.sql(
    'CREATE SCHEMA "old shop"',
    `CREATE TYPE "old shop".mood AS ENUM ('sad')`,
    'CREATE TABLE "old shop".t (id INT PRIMARY KEY, m "old shop".mood, more "old shop".mood[])',
  )
  for (const options of [{ dryRun: true }, {}]) {
    const { events } = await perform(copyOf(source, target, 'old shop.t', options))
    const text = JSON.stringify(events).replaceAll('\\"', '"')
    const hint = /create the type in the target first: (CREATE .*?)(?:; create the type|",")/.exec(text)?.[1] ?? ''
    expect(hint).toBe(`CREATE SCHEMA IF NOT EXISTS "old shop"; CREATE TYPE "old shop".mood AS ENUM ('sad')`)
    if (options.dryRun === undefined) await target.sql(hint)
  }
  expect((await perform(copyOf(source, target, 'old shop.t'))).finished.exitCode).toBe(0)
})

test('a type in a schema outside of the search_path of the target is named with it, and its hint helps', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  skip(why !== '', `needs postgresql: ${why}`)
  const source = await makePlace('postgresql', '')
  const target = await makePlace('postgresql', '')
  const type = [`CREATE SCHEMA "O.d"`, `CREATE TYPE "O.d".mood AS ENUM ('sad')`]
  await source.sql(...type, 'CREATE TABLE t (id INT PRIMARY KEY, m "O.d".mood)', "INSERT INTO t VALUES (1, 'sad')")
  const [[database] = []] = await source.rows('SELECT pg_catalog.quote_ident(pg_catalog.current_database())')
  await source.sql(`ALTER DATABASE ${String(database)} SET search_path TO "O.d", public`)
  await target.sql(...type)
  const { events } = await perform(copyOf(source, target, 't'))
  expect(JSON.stringify(events)).toContain('which is not in its search_path')
  await target.sql(hintIn(events, 'add the schema to the search_path in the target: '))
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
  expect(await target.rows('SELECT id, m::text FROM t')).toEqual([['1', 'sad']])
})
