/** `--exclude` leaves out tables that a pattern names, in copies and comparisons. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { of } from '../fault/copy-kit.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-exclude-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.for(['sqlite', 'postgresql'] as const)('%s', { timeout: 60_000 }, async (system, { skip }) => {
  const why = await missing(system)
  skip(why !== '', why)
  const [source, target] = [await makePlace(system, folder), await makePlace('sqlite', folder)]
  for (const name of ['orders', 'users', 'log_a', 'log_b'])
    await source.sql(`CREATE TABLE ${name} (k INTEGER PRIMARY KEY)`, `INSERT INTO ${name} VALUES (1)`)
  const copy = (exclude: readonly string[]) => ({ ...copyOf(source, target, '', { exclude }), tables: ['*'] })
  const copied = await perform(copy(['users', 'log_*']))
  expect(copied.finished, JSON.stringify(copied.finished.error)).toMatchObject({ exitCode: 0 })
  const made = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('orders', 'users', 'log_a', 'log_b')"
  expect(await target.rows(made)).toEqual([['orders']])

  const { from, to } = copy([])
  const diff: DiffOperation = { kind: 'diff', from, to, tables: ['*'], exclude: ['users', 'log_*'], rename: {}, limit: 9, fix: false, deleteExtra: false, workers: 1 } // prettier-ignore
  const compared = await perform(diff)
  expect(compared.finished, JSON.stringify(compared.finished.error)).toMatchObject({ exitCode: 0 })
  expect(of(compared.events, 'table.finished')).toHaveLength(1)

  // A misspelled name would copy the table.
  expect((await perform(copy(['user']))).finished.error).toMatchObject({ code: 'NO_SUCH_TABLE' })
  const none = (await perform(copy(['*']))).finished.error
  expect(none).toMatchObject({ code: 'NO_SUCH_TABLE', message: '--exclude leaves out every table of *' })
})
