/**
 * Views, triggers, macros and functions that others have created under names of sluice or of the server, in systems
 * whose tables have no owners: each is refused by name, and none runs. For PostgreSQL, which has owners, see
 * `planted-tables`.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'
import { importOf } from './operation-kit.ts'

const ORDERS = join(import.meta.dirname, '../../fixtures/lake/sales/orders')

let folder: Folder
let source: Place
beforeAll(async () => {
  folder = temporaryFolder()
  source = await makePlace('sqlite', folder.path)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
})
afterAll(() => folder[Symbol.dispose]())

type Planted = {
  readonly name: string
  /** What sluice has created before. */
  readonly after?: 'copy' | 'import'
  readonly sql: readonly string[]
  /** Statements that create the object as DROP names it, as in the refusal. */
  readonly what: string
  readonly runs?: readonly Run[]
}
type Run = 'copy' | 'copy from' | 'import' | 'archive list'

const MADE: readonly string[] = ['CREATE TABLE calls (what VARCHAR(60))', 'CREATE TABLE u (id INTEGER PRIMARY KEY)']

function operationOf(run: Run, at: Place): Operation {
  switch (run) {
    case 'copy':
      return copyOf(source, at, 't')
    case 'copy from':
      return copyOf(at, { url: `sqlite:///${folder.path}/taken.db` }, 'u')
    case 'import':
      return importOf(ORDERS, at.url)
    case 'archive list':
      return { kind: 'archive-list', from: at.url, tables: [], count: false }
  }
}

const counted = (table: string): string =>
  `CREATE TRIGGER "hidden" AFTER INSERT ON ${table} BEGIN INSERT INTO calls VALUES ('trigger'); END`

const SQLITE: readonly Planted[] = [
  {
    name: 'a view in the place of the ledger',
    sql: ["CREATE VIEW migration_runs AS SELECT 1 AS run_id, 'x' AS plan_hash"],
    what: 'VIEW "migration_runs"',
    runs: ['copy', 'archive list'],
  },
  {
    name: 'a view in other letters that never ends',
    sql: [
      'CREATE VIEW Delta_Tables AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i AS table_id, i AS location FROM n',
    ],
    what: 'VIEW "Delta_Tables"',
    runs: ['import'],
  },
  {
    name: 'a virtual table',
    sql: ['CREATE VIRTUAL TABLE migration_ledger USING fts5(version)'],
    what: 'TABLE "migration_ledger"',
    runs: ['copy'],
  },
  {
    name: 'a trigger on the ledger',
    after: 'copy',
    sql: [counted('migration_runs')],
    what: 'TRIGGER "hidden"',
    runs: ['copy'],
  },
  {
    name: 'a trigger on the ledger in other letters',
    after: 'copy',
    sql: [counted('/* u */ main."Migration_Runs"')],
    what: 'TRIGGER "hidden"',
    runs: ['copy'],
  },
  {
    name: 'a trigger on the audit',
    after: 'import',
    sql: [counted('catalog_audit')],
    what: 'TRIGGER "hidden"',
    runs: ['import'],
  },
]

const macro = (name: string, more = 'x'): string => `CREATE MACRO ${name}(${more}) AS 42`
const DUCKDB: readonly Planted[] = [
  {
    name: 'a view in the place of the ledger',
    sql: ["CREATE VIEW migration_runs AS SELECT 1 AS run_id, 'x' AS plan_hash"],
    what: 'VIEW "migration_runs"',
    runs: ['copy', 'archive list'],
  },
  {
    name: 'a view in the place of the catalog',
    sql: ["CREATE VIEW delta_tables AS SELECT 'x' AS table_id, 'y' AS location"],
    what: 'VIEW "delta_tables"',
    runs: ['import'],
  },
  ...['count', 'sum', 'md5', 'lower', '"LOWER"', 'current_database'].map((name) => ({
    name: `the macro ${name}`,
    sql: [macro(name, name === 'current_database' ? '' : 'x')],
    what: `MACRO "main".${name.startsWith('"') ? name : `"${name}"`}`,
    runs: ['copy', 'copy from', 'import'] as const,
  })),
  { name: 'the macro ||', sql: [macro('"||"', 'a, b')], what: 'MACRO "main"."||"', runs: ['copy from'] },
  {
    name: 'a macro that reads files',
    sql: ["CREATE MACRO upper(x) AS (SELECT string_agg(content, '') FROM read_text('/etc/hostname'))"],
    what: 'MACRO "main"."upper"',
    runs: ['copy from'],
  },
  {
    name: 'a table macro',
    sql: ['CREATE MACRO duckdb_columns() AS TABLE SELECT 1 AS x'],
    what: 'MACRO TABLE "main"."duckdb_columns"',
    runs: ['copy', 'copy from', 'import'],
  },
]

const triggered = (table: string): string =>
  `CREATE DEFINER = planter@localhost TRIGGER hidden AFTER INSERT ON ${table} FOR EACH ROW INSERT INTO calls VALUES ('trigger')`
const MYSQL: readonly Planted[] = [
  {
    name: 'a view in the place of the ledger',
    sql: ["CREATE SQL SECURITY INVOKER VIEW migration_runs AS SELECT 1 AS run_id, 'x' AS plan_hash"],
    what: 'VIEW `migration_runs`',
    runs: ['copy', 'archive list'],
  },
  {
    name: 'a view in the place of the catalog',
    sql: ["CREATE SQL SECURITY INVOKER VIEW delta_tables AS SELECT 'x' AS table_id, 'y' AS location"],
    what: 'VIEW `delta_tables`',
    runs: ['import'],
  },
  {
    name: 'a trigger on the ledger',
    after: 'copy',
    sql: [triggered('migration_runs')],
    what: 'TRIGGER `hidden`',
    runs: ['copy'],
  },
  {
    name: 'a trigger on the audit',
    after: 'import',
    sql: [triggered('catalog_audit')],
    what: 'TRIGGER `hidden`',
    runs: ['import'],
  },
]

const CASES: readonly (readonly [System, readonly Planted[]])[] = [
  ['sqlite', SQLITE],
  ['duckdb', DUCKDB],
  ['mysql', MYSQL],
]

describe.each(CASES)('%s', (system, cases) => {
  test.each(cases)('$name', { timeout: 60_000 }, async ({ after, sql, what, runs = [] }) => {
    const why = await missing(system)
    if (why !== '') return
    const at = await makePlace(system, folder.path)
    await at.sql(...MADE)
    if (after !== undefined) expect((await perform(operationOf(after, at))).finished.status).toBe('ok')
    await at.sql(...sql)
    for (const run of runs) {
      const { finished } = await perform(operationOf(run, at))
      expect([run, finished.error?.message, finished.error?.hint]).toEqual([
        run,
        expect.stringContaining(what),
        expect.stringContaining(`DROP ${what}`),
      ])
    }
    if (system !== 'duckdb') expect(await at.rows('SELECT what FROM calls')).toEqual([])
  })
})

test('stored functions of MySQL with names of its own are never called', { timeout: 60_000 }, async (context) => {
  const why = await missing('mysql')
  if (why !== '') context.skip(why)
  const at = await makePlace('mysql', folder.path)
  await at.sql(...MADE, 'INSERT INTO u VALUES (1)')
  for (const name of [
    'count',
    'sum',
    'max',
    'min',
    'now',
    'lower',
    'concat',
    'md5',
    'sha2',
    'hex',
    'unix_timestamp',
    'database',
    'coalesce',
    'trim',
    'cast',
    'sysdate',
  ]) {
    await at.sql(
      `CREATE FUNCTION \`${name}\` (x TEXT) RETURNS TEXT SQL SECURITY INVOKER MODIFIES SQL DATA BEGIN INSERT INTO calls VALUES ('${name}'); RETURN 'x'; END`,
    )
  }
  for (const run of ['copy', 'copy from', 'import', 'archive list'] as const) {
    const { finished } = await perform(operationOf(run, at))
    expect([run, finished.status, finished.error]).toEqual([run, 'ok', undefined])
  }
  expect(await at.rows('SELECT what FROM calls')).toEqual([])
})
