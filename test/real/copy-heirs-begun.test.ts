/**
 * Copies of tables with child tables that an earlier version began: it also read the rows of children that have the
 * same columns. Such a copy does not continue with half of its rows; copies of all other tables do.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-heirs-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Copied = { readonly from: Place; readonly to: Place; readonly copy: ReturnType<typeof copyOf> }

/** A copy of three chunks, one of which is done. */
async function begun(context: { skip(condition: boolean, why: string): void }, child: string): Promise<Copied> {
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const from = await makePlace('postgresql', folder)
  const to = await makePlace('sqlite', folder)
  await from.sql(
    'CREATE TABLE t (id int PRIMARY KEY)',
    'INSERT INTO t SELECT generate_series(1, 30)',
    ...(child === '' ? [] : [`CREATE TABLE child (${child}) INHERITS (t)`, 'INSERT INTO child (id) VALUES (7), (27)']),
  )
  const copy = copyOf(from, to, 't', { chunkRows: 10, workers: 1 })
  const interrupt = new Interrupter()
  const { finished } = await perform(copy, {
    interrupt,
    onEvent: ({ type }) => {
      if (type === 'chunk.done') interrupt.requestStop()
    },
  })
  expect(finished).toMatchObject({ exitCode: 75, totals: { proved: '1' } })
  return { from, to, copy }
}

/** Stores the plan exactly as the earlier version wrote it. */
async function asBefore({ to }: Copied): Promise<void> {
  const [[text] = []] = await to.rows('SELECT plan FROM migration_plans')
  const { source, table, columns, key, where, ...rest } = JSON.parse(text ?? '') as Record<string, unknown>
  const plan = JSON.stringify({
    source,
    table,
    'table identity': rest['table identity'],
    columns,
    key,
    where,
    'on-existing': rest['on-existing'],
  })
  const hash = createHash('sha256').update(plan).digest('hex').slice(0, 16)
  await to.sql(`UPDATE migration_plans SET plan = '${plan.replaceAll("'", "''")}', plan_hash = '${hash}'`)
}

const countOf = async ({ to }: Copied): Promise<unknown> => (await to.rows('SELECT count(*) FROM t'))[0]?.[0]

test('a copy of a table with a child of the same columns is not continued without the rows of the child', async (context) => {
  const copied = await begun(context, 'PRIMARY KEY (id)')
  await asBefore(copied)
  const { finished, events } = await perform(copied.copy)
  expect(finished.exitCode).toBe(5)
  const error = events.find((event) => event.type === 'table.finished')?.error
  expect(error).toMatchObject({
    code: 'PLAN_CHANGED',
    reason: 'rows: was nothing, is its own, without those of the tables that inherit from it',
    hint: expect.stringContaining('empty the table of the target'),
  })
  expect(await countOf(copied)).toBe('10')
  // As the hint says.
  await copied.to.sql('DELETE FROM t')
  expect((await perform({ ...copied.copy, restart: true })).finished).toMatchObject({ exitCode: 0 })
  expect(await countOf(copied)).toBe('30')
})

test.for([
  ['no child', ''],
  // For the earlier version, such children were separate tables.
  ['a child of more columns', 'PRIMARY KEY (id), more text'],
])('a copy of a table with %s continues as it was begun', async ([, child = ''], context) => {
  const copied = await begun(context, child)
  await asBefore(copied)
  expect((await perform(copied.copy)).finished).toMatchObject({ exitCode: 0, totals: { proved: '2' } })
  expect(await countOf(copied)).toBe('30')
})

test.for([
  ['stays', 'SELECT 1'],
  ['gets more columns', 'ALTER TABLE child ADD more text'],
  ['is gone', 'DROP TABLE child'],
])('a copy without rows of a child of the same columns continues, if that %s', async ([, statement = ''], context) => {
  const copied = await begun(context, 'PRIMARY KEY (id)')
  await copied.from.sql(statement)
  expect((await perform(copied.copy)).finished).toMatchObject({ exitCode: 0, totals: { proved: '2' } })
  expect(await countOf(copied)).toBe('30')
})
