/**
 * A key that is twice in the target, repaired by command: the exit code depends on the rows that the stream has
 * written, and not on what was found before.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { DiffFollowedOperation } from '../../src/engine/follow/operations/diff-followed/declaration.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, makePlace, perform, type Place, type Ran, type RunOptions } from '../support/copy-systems.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-hand-doubled-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Stage = { readonly source: Place; readonly target: Place; readonly copy: CopyOperation }

/** A replicated table in which no index of the target keeps the key unique. */
async function stage(more: NonNullable<CopyOperation['follow']> = {}): Promise<Stage> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'PRAGMA journal_mode = wal',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
    "INSERT INTO t VALUES (6, 'six'), (7, 'seven'), (8, 'eight')",
  )
  const copy = { ...copyOf(source, target, 't'), follow: { cdc: 'trigger', until: 'caught-up', ...more } } as const
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  await target.sql(
    'CREATE TABLE u (id INTEGER NOT NULL, v TEXT)',
    'INSERT INTO u SELECT id, v FROM t',
    'DROP TABLE t',
    'ALTER TABLE u RENAME TO t',
    'CREATE INDEX t_id ON t (id)',
  )
  return { source, target, copy }
}

async function byHand(
  { target, copy }: Stage,
  more: Partial<DiffFollowedOperation> = {},
  options: RunOptions = {},
): Promise<Ran> {
  const [[stream] = []] = await target.rows('SELECT stream_id FROM migration_streams')
  const ends = { from: copy.from, to: copy.to }
  const scope = { by: 'key', keys: ['7'] } as const
  return await perform(
    { kind: 'diff-followed', stream: stream ?? '', ...ends, scope, limit: 100, dryRun: false, ...more },
    options,
  )
}

const SCOPES = [
  { by: 'key', keys: ['7'] },
  { by: 'range', low: '6', high: '8' },
] as const

test.each(SCOPES)('the command ends with 0 if the stream has repaired a duplicate row: by $by', async (scope) => {
  const one = await stage()
  await one.target.sql('INSERT INTO t SELECT id, v FROM t WHERE id = 7')
  const seen = await byHand(one, { scope, dryRun: true })
  expect(seen.finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
  const { finished, events } = await byHand(one, { scope })
  expect(await one.target.rows('SELECT id, v FROM t ORDER BY id')).toEqual([
    ['6', 'six'],
    ['7', 'seven'],
    ['8', 'eight'],
  ])
  expect(finished.error).toBeUndefined()
  expect(finished).toMatchObject({ exitCode: 0, status: 'ok', totals: { different: '1', equal: '1' } })
  expect(events.findLast((event) => event.type === 'table.finished')).toMatchObject({ status: 'ok' })
})

test('the command ends with 1 if the row is duplicated again as the stream writes it', async () => {
  const one = await stage({ fireTriggers: true })
  await one.target.sql(
    'INSERT INTO t SELECT id, v FROM t WHERE id = 7',
    "CREATE TRIGGER again AFTER INSERT ON t WHEN NEW.id = 7 BEGIN INSERT INTO t VALUES (7, 'again'); END",
  )
  const { finished } = await byHand(one)
  expect(await one.target.rows('SELECT count(*) FROM t WHERE id = 7')).not.toEqual([['1']])
  expect(finished).toMatchObject({
    exitCode: 1,
    error: { code: 'DIFFERENCES', hint: expect.stringMatching(/^keep one row of each key on both sides, then/) },
  })
})

test('repairs of the stream are reported although the second comparison fails', async () => {
  const one = await stage()
  await one.target.sql('INSERT INTO t SELECT id, v FROM t WHERE id = 7')
  const { finished, events } = await byHand(
    one,
    {},
    { onEvent: ({ type }) => void (type === 'follow.row' && one.source.sql('ALTER TABLE t RENAME TO gone')) },
  )
  expect(finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' }, totals: { fixed: '0', equal: '1' } })
  expect(events.findLast((event) => event.type === 'table.finished')).toMatchObject({
    status: 'failed',
    notes: [expect.any(String), expect.stringMatching(/^0 repaired, 0 removed, 1 already equal/)],
  })
  const ended = 'SELECT status, exit_code FROM migration_runs ORDER BY run_id DESC LIMIT 1'
  expect(await one.target.rows(ended)).toEqual([['failed', '5']])
})
