/** Every table that the ledger makes is known for one of its own, and is no part of a copy by pattern. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isLedgerTable } from '../../src/stores/ledger-tables.ts'

test('no table of the ledger is taken for one of the user', () => {
  const folder = join(import.meta.dirname, '../../src/engine/copy/ledger')
  const sources = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
  const used = sources.flatMap((text) =>
    [...text.matchAll(/\b(?:TABLE IF NOT EXISTS|INTO|FROM|UPDATE) (migration_\w+)/g)].map(([, name = '']) => name),
  )
  const names = new Set(used)
  expect(names.size).toBeGreaterThan(8)
  expect([...names].filter((name) => !isLedgerTable({ name }))).toEqual([])
  expect(isLedgerTable({ name: 'migration_of_birds' })).toBe(false)
})
