/** Distinguishes the ledger's tables from a user's table of the same name. */
import type { TableName, TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../ledger-dialect.ts'
import { isOfLedgers, LEDGER_TABLES, OWN_TABLES, ownTable, type OwnTable } from './own-tables.ts'

const TRACKS = OWN_TABLES.filter(({ owner }) => owner === 'track').map(({ name }) => name)
const NAMES: ReadonlySet<string> = new Set(LEDGER_TABLES.map(({ name }) => name))

/** True if this is a name of a ledger table; such tables are never part of a copy by pattern. */
export function isLedgerTable({ name }: TableName): boolean {
  const own = ownTable(name)
  return own !== null && isOfLedgers(own)
}

/** True if a table for which `isLedgerTable` is true has the ledger's columns, and is not the user's. */
export function isOwnLedgerTable({ table, columns }: Pick<TableSpec, 'table' | 'columns'>): boolean {
  return foreignReason(ownTable(table.name), namesOf(columns)) === null
}

/**
 * Checks every table with a ledger's name, before any of them is created or altered. One statement, which changes
 * nothing.
 * @param names of the tables; default all of the ledger's
 * @throws SluiceError TABLE_REFUSED if one of them is the user's, or belongs to a role that this login does not trust
 */
export async function refuseForeignTables(
  database: LedgerDatabase,
  names: readonly string[] = [...NAMES],
): Promise<void> {
  await database.refuseStrangers?.(names)
  const found = await ledgerColumnNames(database, names)
  for (const name of names) refuseForeign(name, found.get(name) ?? new Set())
}

/**
 * Checks that a ledger has every table of its version, with its columns. One statement, which changes nothing. A
 * missing table must not be recreated empty: that would mean that nothing was copied or archived yet.
 * @param version of the ledger, as recorded
 * @throws SluiceError LEDGER_DAMAGED; TABLE_REFUSED if one of them is the user's
 */
export async function refuseIncomplete(
  database: LedgerDatabase,
  owner: 'copy' | 'archive',
  version: number,
): Promise<void> {
  const all = OWN_TABLES.filter((one) => one.owner === owner)
  const names = all.flatMap((one) => (one.late !== true && one.since <= version ? [one.name] : []))
  const found = await ledgerColumnNames(
    database,
    all.map(({ name }) => name),
  )
  const lost = names.filter((name) => !found.has(name))
  if (lost.length === 0) {
    for (const name of names) refuseForeign(name, found.get(name) ?? new Set())
    return
  }
  const { hidesTables } = ledgerDialect(database.dialect)
  const what = lost.length === 1 ? 'a table' : `${lost.length} tables`
  const left = `drop the remaining tables (${[...found.keys()].toSorted().join(', ')})`
  throw new SluiceError('LEDGER_DAMAGED', `the ledger no longer has ${what}: ${lost.join(', ')}`, {
    where: database.label,
    reason: `${hidesTables ? 'they do not exist, or this login has no right on them' : 'they were dropped, or a backup was restored in part'}; nothing was changed`,
    hint: `${hidesTables ? 'grant this login the required rights on all of its tables; if they do not exist, ' : ''}${
      owner === 'copy'
        ? `restore all tables migration_* of one backup together; without a backup, ${left} and copy into empty tables again`
        : `restore all tables migration_archive* of one backup together; without a backup, ${left} and adopt each archive again with \`sluice archive adopt --table TABLE --confirm=TABLE\``
    }`,
  })
}

/** Column names of the ledger's tables, in lower case; without tables that do not exist. */
export async function ledgerColumnNames(
  database: LedgerDatabase,
  names: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { columnsOfAll } = ledgerDialect(database.dialect)
  const found = new Map<string, Set<string>>()
  for (const [table, column] of await database.all(columnsOfAll(names.length), names)) {
    const columns = found.get(String(table)) ?? new Set()
    found.set(String(table), columns.add(String(column).toLowerCase()))
  }
  return found
}

/** As `refuseForeignTables`, for tables that were already read. @throws SluiceError TABLE_REFUSED */
export function refuseForeignAmong(tables: readonly Pick<TableSpec, 'table' | 'columns'>[]): void {
  for (const { table, columns } of tables) refuseForeign(table.name, namesOf(columns))
}

/**
 * Checks the tables of the Cassandra Data Migrator in a schema. Two statements, which change nothing.
 * @throws SluiceError TABLE_REFUSED if a table lacks a column, or belongs to a role that this login does not trust
 */
export async function refuseForeignTracks(database: LedgerDatabase, schema: string): Promise<void> {
  await database.refuseStrangers?.(TRACKS, schema)
  const places = TRACKS.map((name) => `${quotedName(schema)}.${name}`)
  const found = await ledgerColumnNames(database, places)
  for (const [i, name] of TRACKS.entries()) {
    const columns = found.get(places[i] ?? '')
    const why = columns === undefined ? null : lackingMark(ownTable(name), columns)
    if (why === null) continue
    throw new SluiceError('TABLE_REFUSED', `schema ${schema} has another table under the reserved name ${name}`, {
      where: database.label,
      reason: why,
      hint: 'rename that table, or use another schema; nothing was created or changed',
    })
  }
}

function refuseForeign(table: string, columns: ReadonlySet<string>): void {
  const why = columns.size === 0 ? null : foreignReason(ownTable(table), columns)
  if (why === null) return
  throw new SluiceError('TABLE_REFUSED', `the database has a table ${table} that does not belong to sluice's ledger`, {
    reason: `the ledger uses this table name, and ${why}`,
    hint: 'rename that table, or use another database or schema for the ledger; nothing was created or changed',
  })
}

function namesOf(columns: TableSpec['columns']): ReadonlySet<string> {
  return new Set(columns.map(({ name }) => name.toLowerCase()))
}

/** @returns why a table with this name is not the ledger's; null if it is, or if the ledger has no such name */
function foreignReason(table: OwnTable | null, columns: ReadonlySet<string>): string | null {
  if (table === null || !isOfLedgers(table)) return null
  if (table.oneColumn === true && columns.size > 1) return 'that table has other columns'
  return lackingMark(table, columns)
}

function lackingMark(table: OwnTable | null, columns: ReadonlySet<string>): string | null {
  const missing = table?.marks.find((mark) => !columns.has(mark))
  return missing === undefined ? null : `that table has no column ${missing}`
}
