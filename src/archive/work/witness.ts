/**
 * Identifies tables without a table number by facts recorded at the end of their last run: their schema fingerprint
 * (`mark`), and some rows that stayed.
 */
import { createHash } from 'node:crypto'
import type { ArchivedTable, TableWitness, WitnessRow } from '../ledger/record.ts'
import { tableText, type Column, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../model/copy/range.ts'
import { isOneRow, keyPart, rowKeyOf } from '../../model/copy/row-key.ts'
import type { Row } from '../../model/copy/rows.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError, nullOn } from '../../shared/errors.ts'
import type { TableIdentities } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { Origin } from '../../model/copy/identification-port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { SourceView } from '../../model/copy/source-port.ts'
import { isLedgerTable } from '../../stores/common/ledger-tables.ts'
import type { Run } from '../../engine/run/run-context.ts'
import type { OpenedArchive } from './find-ledger.ts'
import { runStatement } from '../../engine/copy/ledger/statement.ts'

/** Tables that are identified by their schema fingerprint (`mark`), because they have no table number. */
export type MarkedTables = TableIdentities & { readonly by: 'mark' }

type Noted = ArchivedTable & { readonly witness: TableWitness }

/** Number of recorded rows with the lowest keys, in addition to the last row: several, because some may be deleted. */
const FIRST = 3
const SIZE = { rows: FIRST, bytes: 1024 * 1024 }

/**
 * Present names of the tables of these archives, by `tableText` of the name in the ledger. If the ledger was copied
 * into another database, the name in the witness is a name in that database. The first rule that applies identifies a
 * table:
 * 1. The table with the name and the mark of the witness, unless the mark was recent then: a table that was created in
 *    the same second has it, too.
 * 2. The table with the name of the witness, if it has at least one recorded row, or if its rows cannot be compared.
 * Only columns whose values still have the same text are compared.
 * 3. The only other table with the key, all recorded columns, all recorded rows with all values, and, if marks do not
 * change with a rename or the table with the name has the mark, the mark.
 * 4. The only table that meets rule 3 except for the mark, because one statement may rename and alter. This rule
 * applies only if marks do not change with a rename, and no table has the name of the witness.
 * 5. Otherwise the table with the name of the witness if it exists, or else with the name in the ledger.
 */
export async function witnessed(
  store: CopyStore,
  marks: MarkedTables,
  archives: readonly ArchivedTable[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TableName>> {
  const found = new Map<string, TableName>()
  if (archives.every(({ witness }) => witness === null)) return found
  const here = (await store.offers.identification?.origin(signal)) ?? {}
  const noted = archives.flatMap(({ witness, ...one }): readonly Noted[] =>
    witness === null ? [] : [{ ...one, witness: inPresentDatabase(witness, one.origin, here) }],
  )
  const now = await marks.marks(
    noted.map(({ witness }) => witness.table),
    signal,
  )
  /** All tables of the source. They are listed once, and only if the table of an archive must be searched. */
  let all: Promise<readonly TableSpec[]> | null = null
  const everyTable = (): Promise<readonly TableSpec[]> => (all ??= store.tables('*', signal))
  for (const one of noted) {
    const { table, mark, isRecent } = one.witness
    const isMarked = now.get(tableText(table))?.text === mark
    const search = { store, marks, everyTable, comparesMarks: marks.lasting || isMarked }
    found.set(tableText(one.table), isMarked && isRecent !== true ? table : await searched(search, one, signal))
  }
  return found
}

/** The witness with the present database of the ledger: in some systems, table names include the database. */
function inPresentDatabase(witness: TableWitness, noted: Origin | null, { database: now }: Origin): TableWitness {
  const { schema, name } = witness.table
  if (now === undefined || schema === undefined || schema === now || schema !== noted?.['database']) return witness
  return { ...witness, table: { schema: now, name } }
}

/** @property comparesMarks true if the table, under another name, still has the mark of the witness */
type Search = {
  readonly store: CopyStore
  readonly marks: MarkedTables
  readonly everyTable: () => Promise<readonly TableSpec[]>
  readonly comparesMarks: boolean
}

async function searched(
  { store, marks, everyTable, comparesMarks }: Search,
  archived: Noted,
  signal: AbortSignal,
): Promise<TableName> {
  await using view = await store.source(signal)
  const name = tableText(archived.witness.table)
  const own = (await store.tables(name, signal)).find(({ table }) => tableText(table) === name)
  if (own !== undefined && (await countMatches(view, own, archived, signal))?.alike !== 0) return own.table
  const others = (await everyTable()).filter(
    (one) => tableText(one.table) !== name && !isLedgerTable(one.table) && hasRecordedColumns(one, archived),
  )
  const theirs = comparesMarks
    ? await marks.marks(
        others.map(({ table }) => table),
        signal,
      )
    : null
  const isMarked = ({ table }: TableSpec): boolean =>
    theirs === null || theirs.get(tableText(table))?.text === archived.witness.mark
  const holder =
    (await onlyMatch(view, others.filter(isMarked), archived, signal)) ??
    (own === undefined && theirs !== null ? await onlyMatch(view, others, archived, signal) : null)
  return holder ?? own?.table ?? archived.table
}

/** The only table with all recorded rows and all their values; null if there is none, or several. */
async function onlyMatch(
  view: SourceView,
  tables: readonly TableSpec[],
  archived: Noted,
  signal: AbortSignal,
): Promise<TableName | null> {
  const holders: TableName[] = []
  for (const one of tables)
    if ((await countMatches(view, one, archived, signal))?.whole === archived.witness.rows.length)
      holders.push(one.table)
  return holders.length === 1 ? (holders[0] ?? null) : null
}

/** True if a table has at least one recorded row, by the values that can be compared; false without a witness. */
export async function hasRecordedRow(
  store: CopyStore,
  table: TableSpec,
  { witness, ...archived }: ArchivedTable,
  signal: AbortSignal,
): Promise<boolean> {
  if (witness === null) return false
  await using view = await store.source(signal)
  return ((await countMatches(view, table, { ...archived, witness }, signal))?.alike ?? 0) > 0
}

/** True if a table has the key and the recorded columns, or all columns of the archive if only keys were recorded. */
function hasRecordedColumns(table: TableSpec, { stored, witness }: Noted): boolean {
  const noted = Object.keys(witness.rows[0]?.values ?? {})
  const needed = noted.length > 0 ? noted : stored.columns.map(({ name }) => name)
  const has = new Set(table.columns.map(({ name }) => name))
  return JSON.stringify(table.key) === JSON.stringify(witness.key) && needed.every((name) => has.has(name))
}

/** Number of recorded rows that a table has. */
type MatchCounts = {
  /**
   * Rows with the same key, and no different value in a column whose values still have the same text. An equal key
   * alone is not sufficient, because ids begin with 1 in any table.
   */
  readonly alike: number
  /** Rows with the same key and all recorded values. */
  readonly whole: number
}

/** Counts the recorded rows in a table. Null if it has another key, or if this login has no right to read it. */
async function countMatches(
  view: SourceView,
  table: TableSpec,
  { witness: { key, rows }, stored }: Noted,
  signal: AbortSignal,
): Promise<MatchCounts | null> {
  const isSpelledAlike = ({ name, type, native }: Column): boolean =>
    stored.columns.some(
      ({ name: then, column }) =>
        then === name && (column.native === native || (column.type.kind === type.kind && WHOLE.has(type.kind))),
    )
  const noted = new Set(rows.flatMap(({ values }) => Object.keys(values)))
  const columns = table.columns.filter(
    ({ name, type }) => key.includes(name) || (noted.has(name) && !LARGE.has(type.kind)),
  )
  const comparable = new Set(table.columns.filter(isSpelledAlike).map(({ name }) => name))
  if (!key.every((name) => comparable.has(name)) || JSON.stringify(table.key) !== JSON.stringify(key)) return null
  const there = await readWitnessRows(
    view,
    table,
    columns,
    { by: 'keys', keys: rows.map((row) => row.key) },
    signal,
  ).catch(nullOn('SOURCE_DENIED'))
  if (there === null) return null
  const now = new Map(there.map((row) => [JSON.stringify(row.key), row.values]))
  const held = { alike: 0, whole: 0 }
  for (const { key: one, values } of rows) {
    const found = now.get(JSON.stringify(one))
    if (found === undefined) continue
    const sums = Object.entries(values)
    const compared = sums.filter(([name]) => found[name] !== undefined && comparable.has(name))
    if ((compared.length > 0 || sums.length === 0) && compared.every(([name, sum]) => found[name] === sum)) held.alike++
    if (sums.every(([name, sum]) => found[name] === sum)) held.whole++
  }
  return held
}

/** Types whose values have the same text in every size of the type. */
const WHOLE: ReadonlySet<string> = new Set(['bool', 'int', 'text', 'uuid', 'date'])

/** Types whose values are not recorded, because they may be large. */
export const LARGE: ReadonlySet<string> = new Set(['bytes', 'json', 'list', 'native'])
const MOST_COLUMNS = 32

/** Columns of a witness: the key, and up to MOST_COLUMNS others. */
function columnsOf({ columns, key }: TableSpec): readonly Column[] {
  const others = columns.filter(({ name, type }) => !key.includes(name) && !LARGE.has(type.kind))
  return [...columns.filter(({ name }) => key.includes(name)), ...others.slice(0, MOST_COLUMNS)]
}

/** Digest of a value, 16 hexadecimal digits; different for NULL and the text 'NULL'. */
const sumOf = (text: string | null): string =>
  createHash('sha256')
    .update(text === null ? 'NULL' : `=${text}`)
    .digest('hex')
    .slice(0, 16)

/** Rows of a range; for EVERY_KEY the first FIRST rows by key. @param columns columns to read, with the key */
export async function readWitnessRows(
  view: SourceView,
  table: TableSpec,
  columns: readonly Column[],
  range: Range,
  signal: AbortSignal,
): Promise<readonly WitnessRow[]> {
  const read = columns.map((column) => ({ name: column.name, as: column.type, column }))
  const places = table.key.map((name) => columns.findIndex((column) => column.name === name))
  const ordered = range === EVERY_KEY
  const request = { table, columns: read, range, where: null, ordered, onRefused: () => undefined }
  const found: WitnessRow[] = []
  for await (const { rows } of view.read(request, SIZE, signal)) {
    found.push(...rows.map((row) => ({ key: rowKeyOf(row, places), values: sumsOf(row, columns, places) })))
    if (ordered && found.length >= FIRST) return found.slice(0, FIRST)
  }
  return found
}

/** Digests of the values outside of the key: the ledger does not store the values themselves. */
function sumsOf(row: Row, columns: readonly Column[], key: readonly number[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    columns.flatMap(({ name }, at) => (key.includes(at) ? [] : [[name, sumOf(keyPart(row[at] ?? null))]])),
  )
}

/**
 * Replaces the witness of a table at the end of a run. A failure is only logged: the table is then identified by its
 * name.
 */
export async function renewWitness(
  { store, database }: OpenedArchive,
  table: TableSpec,
  archived: ArchivedTable,
  { emit, interrupt }: Run<'log'>,
): Promise<void> {
  const identities = store.offers.identities
  if (identities?.by !== 'mark') return
  try {
    await noteWitness(database, archived.table, await witnessOf(store, identities, table, interrupt.abort))
  } catch (thrown) {
    throwIfAborted(interrupt.abort)
    const { code, message } = asSluiceError(thrown)
    if (code === 'INTERNAL') throw thrown
    const text = `facts that identify the table after a rename were not recorded: ${message}`
    emit({ type: 'log', level: 'warn', table: tableText(table.table), message: text })
  }
}

/** Replaces the witness in the ledger. @param witness null if the table has no rows or no key */
async function noteWitness(
  database: LedgerDatabase,
  { schema, name }: TableName,
  witness: TableWitness | null,
): Promise<void> {
  const sql = 'UPDATE migration_archives SET witness = ? WHERE schema_name = ? AND table_name = ?'
  await runStatement(database, sql, [witness === null ? null : JSON.stringify(witness), schema ?? '', name])
}

async function witnessOf(
  store: CopyStore,
  identities: MarkedTables,
  table: TableSpec,
  signal: AbortSignal,
): Promise<TableWitness | null> {
  const columns = columnsOf(table)
  const mark = (await identities.marks([table.table], signal)).get(tableText(table.table))
  if (table.key.length === 0 || mark === undefined) return null
  await using view = await store.source(signal)
  const last = await view.last(table, EVERY_KEY, null, signal)
  const rows = [
    ...(await readWitnessRows(view, table, columns, EVERY_KEY, signal)),
    ...(last === null ? [] : await readWitnessRows(view, table, columns, { by: 'keys', keys: [last] }, signal)),
  ].filter(({ key }) => isOneRow(key))
  const different = [...new Map(rows.map((row) => [JSON.stringify(row.key), row])).values()]
  const { text, isRecent } = mark
  if (different.length === 0) return null
  return { table: table.table, mark: text, ...(isRecent ? { isRecent } : {}), key: table.key, rows: different }
}
