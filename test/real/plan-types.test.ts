/** A plan refuses the types that the run would refuse. */
import { expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

/** Creates what the hint of the refusal says, and copies. */
test.for([
  "CREATE TYPE \"mood one\" AS ENUM ('sad', 'it''s')",
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
    hint =
      /create the type in the target first: (CREATE .*?)","/.exec(JSON.stringify(events).replaceAll('\\"', '"'))?.[1] ??
      ''
    expect(hint).toMatch(/^CREATE (TYPE|DOMAIN) /)
    expect(await target.rows('SELECT tablename FROM pg_tables WHERE schemaname = current_schema()')).not.toContainEqual(
      ['t'],
    )
  }
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
