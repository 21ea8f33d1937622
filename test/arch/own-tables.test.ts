/**
 * The register of tables that the program creates: no statement uses an unregistered one, and the documents name every
 * one.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { relationNames } from '../../src/catalog/relation-names.ts'
import { dialectOf } from '../../src/catalog/dialect.ts'
import { isLedgerTable } from '../../src/stores/common/ledger-tables.ts'
import { OWN_TABLES, ownTable, type OwnTableOwner } from '../../src/stores/common/own-tables.ts'
import { readSources } from './source-files.ts'

const ROOT = join(import.meta.dirname, '../..')

/** A partition in PostgreSQL, and a table that a DuckDB migration drops at its end. */
const PASSING: ReadonlySet<string> = new Set(['delta_files_default', 'migration_status_before'])

test('no name is registered twice', () => {
  expect(new Set(OWN_TABLES.map(({ name }) => name)).size).toBe(OWN_TABLES.length)
})

test('every own table in a statement is registered', () => {
  const used = readSources().flatMap(({ code }) =>
    [
      ...code.matchAll(
        /\b(?:TABLE|TABLE IF NOT EXISTS|INTO|FROM|UPDATE|JOIN) (?:\$\{QUEUE_SCHEMA\}\.(\w+)|((?:migration|sluice_ledger|catalog|delta|cdm)_\w+)\b(?! PARTITION OF))/g,
      ),
    ].map(([, queued, name = '']) => queued ?? name),
  )
  const others = new Set(PASSING)
  for (const dialect of ['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)
    for (const view of relationNames(dialectOf({ dialect })).views) others.add(view)
  const names = [...new Set(used)].filter((name) => !others.has(name))
  expect(names.length).toBeGreaterThan(30)
  expect(names).toContain('sluice_schedules')
  expect(names.filter((name) => ownTable(name) === null)).toEqual([])
})

test.each(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)(
  'the catalog in %s has the tables of the catalog',
  (dialect) => {
    const made = dialectOf({ dialect }).migrations.flatMap(({ sql }) =>
      [...sql.matchAll(/\bCREATE TABLE (?:IF NOT EXISTS )?(?!IF )(\w+)\b(?! PARTITION OF)/g)].map(
        ([, name = '']) => name,
      ),
    )
    const names = new Set(made.filter((name) => !PASSING.has(name)))
    expect([...names].toSorted()).toEqual(relationNames(dialectOf({ dialect })).tables.toSorted())
  },
)

test('a copy by pattern excludes only ledger tables, and no similar name of a user', () => {
  const owners = new Set(OWN_TABLES.filter((table) => isLedgerTable(table)).map(({ owner }) => owner))
  expect([...owners].toSorted()).toEqual(['archive', 'copy', 'ledger log', 'partitions', 'queue', 'streams'])
  expect(isLedgerTable({ name: 'migration_of_birds' })).toBe(false)
  expect(
    ['sluice_keys_16384', 'sluice_aside_16384_rest', 'sluice_12_progress'].every((name) => isLedgerTable({ name })),
  ).toBe(true)
  expect(['sluice_keys_of_birds', 'migration_runs_7', 'sluice_birds'].some((name) => isLedgerTable({ name }))).toBe(
    false,
  )
})

test('the documented statement that drops a copy ledger has exactly its tables', () => {
  const [, statement = ''] =
    /^DROP TABLE IF EXISTS\n(.*?);/ms.exec(readFileSync(join(ROOT, 'docs/reference/LEDGER.md'), 'utf8')) ?? []
  const names = OWN_TABLES.flatMap(({ name, owner }) => (owner === 'copy' ? [name] : []))
  expect(statement.split(',').map((name) => name.trim())).toEqual(names)
})

test('the documents name every table', () => {
  const place: Readonly<Record<OwnTableOwner, string>> = {
    catalog: 'reference/CATALOG.md',
    copy: 'reference/LEDGER.md',
    archive: 'reference/LEDGER.md',
    'ledger log': 'reference/LEDGER.md',
    track: 'guides/cassandra.md',
    partitions: 'reference/LEDGER.md',
    streams: 'guides/follow.md',
    queue: 'guides/workers.md',
  }
  const text = (file: string): string => readFileSync(join(ROOT, 'docs', file), 'utf8')
  const unnamed = OWN_TABLES.filter(({ name, owner }) => !new RegExp(`\\b${name}\\b`).test(text(place[owner])))
  expect(unnamed.map(({ name }) => name)).toEqual([])
})
