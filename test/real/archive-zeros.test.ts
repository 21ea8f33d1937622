/** 0 and -0 in one column are two values: in an archive, after an erasure, and restored in the table. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandsOf, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

test.for(['real', 'double precision'])('%s', { timeout: 120_000 }, async (type, { skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-zeros-'))
  try {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      `CREATE TABLE ${TABLE} (id integer PRIMARY KEY, at timestamp NOT NULL, who integer, x ${type})`,
      // A file stores a few values of many rows in a dictionary, but not many different values.
      `INSERT INTO ${TABLE} SELECT i, '2020-01-02', i % 3, CASE i % 2 WHEN 0 THEN 0 ELSE '-0'::${type} END FROM generate_series(1, 300) i`,
      `INSERT INTO ${TABLE} SELECT i, '2020-04-02', i % 3, CASE WHEN i % 3 = 0 THEN i * 1.7 WHEN i % 2 = 0 THEN 0 ELSE '-0'::${type} END FROM generate_series(301, 4000) i`,
      `INSERT INTO ${TABLE} VALUES (9999, '2090-01-02', 1, 0)`,
    )
    const commands = commandsOf({ place, form: 'plain', to: join(folder, 'archive') })
    const fine = async (operation: Operation): Promise<void> => {
      const { events, finished } = await perform(operation)
      expect(finished, JSON.stringify(events.slice(-4))).toMatchObject({ exitCode: 0 })
    }
    const bytes = `SELECT id, CAST(x AS text) FROM ${TABLE} WHERE who <> 0 ORDER BY id`
    const before = await place.rows(bytes)
    await fine(commands.run)
    await fine(commands.drop)
    const erase = { kind: 'archive-erase', from: place.url, table: TABLE, where: 'who = 0', dryRun: false } as const
    await fine({ ...erase, reason: 'TICKET-4711', confirm: TABLE })
    await fine(commands.restore)
    expect(await place.rows(bytes)).toEqual(before)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
