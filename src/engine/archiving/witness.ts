/** Tables that have no number, known by what the ledger noted of them when their last run ended: their mark, and some rows that stayed. */
import { createHash } from 'node:crypto'
import { noteWitness } from '../../archive/ledger/note-witness.ts'
import type { ArchivedTable, Witness, WitnessRow } from '../../archive/ledger/record.ts'
import { tableText, type Column, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../model/copy/range.ts'
import { isOneRow, keyPart, rowKeyOf } from '../../model/copy/row-key.ts'
import type { Row } from '../../model/copy/rows.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { TableIdentities } from '../../stores/archive-port.ts'
import type { CopyStore, SourceView } from '../../stores/copy-port.ts'
import { isLedgerTable } from '../../stores/ledger-tables.ts'
import type { Run } from '../run-context.ts'
import type { Opened } from './ledgers.ts'

export type Marks = TableIdentities & { readonly by: 'mark' }

type Noted = ArchivedTable & { readonly witness: Witness }

/** Rows with the lowest keys, beside the last one: several, so that one that is deleted says nothing. */
const FIRST = 3
const SIZE = { rows: FIRST, bytes: 1024 * 1024 }

/**
 * What the tables of these archives are called by now, by `tableText` of what the ledger calls them.
 * Another name is answered only where one table alone can be the noted one: every doubt is decided for the name.
 */
export async function witnessed(
  store: CopyStore,
  marks: Marks,
  archives: readonly ArchivedTable[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TableName>> {
  const noted = archives.filter((one): one is Noted => one.witness !== null)
  const found = new Map<string, TableName>()
  if (noted.length === 0) return found
  const now = await marks.marks(
    noted.map(({ witness }) => witness.table),
    signal,
  )
  /** Listed once, and only where an archive is searched for. */
  let all: Promise<readonly TableSpec[]> | null = null
  const everyTable = (): Promise<readonly TableSpec[]> => (all ??= store.tables('*', signal))
  for (const one of noted) {
    const { table, mark } = one.witness
    const isSame = now.get(tableText(table)) === mark
    found.set(tableText(one.table), isSame ? table : await searched(store, marks, one, everyTable, signal))
  }
  return found
}

async function searched(
  store: CopyStore,
  marks: Marks,
  archived: Noted,
  everyTable: () => Promise<readonly TableSpec[]>,
  signal: AbortSignal,
): Promise<TableName> {
  await using view = await store.source(signal)
  const names = new Set([archived.witness.table, archived.table].map(tableText))
  const named: TableSpec[] = []
  for (const name of names) {
    const table = (await store.tables(name, signal)).find((one) => tableText(one.table) === name)
    if (table === undefined) continue
    if ((await heldRows(view, table, archived, signal)) !== 0) return table.table
    named.push(table)
  }
  const others = (await everyTable()).filter(
    (one) => !names.has(tableText(one.table)) && !isLedgerTable(one.table) && isAlike(one, archived),
  )
  const theirs = marks.lasting
    ? await marks.marks(
        others.map(({ table }) => table),
        signal,
      )
    : null
  const isMarked = ({ table }: TableSpec): boolean =>
    theirs === null || theirs.get(tableText(table)) === archived.witness.mark
  const holder = await onlyHolder(view, others.filter(isMarked), archived, signal)
  if (holder !== null) return holder
  // One statement that renames and alters gives a table another mark, too: where nothing has its name any more, the rows alone say which it is.
  if (named.length === 0 && theirs !== null) {
    const altered = await onlyHolder(view, others, archived, signal)
    if (altered !== null) return altered
  }
  return named[0]?.table ?? archived.table
}

/** The table that has all of the noted rows; null where none has, or several. */
async function onlyHolder(
  view: SourceView,
  tables: readonly TableSpec[],
  archived: Noted,
  signal: AbortSignal,
): Promise<TableName | null> {
  const holders: TableName[] = []
  for (const one of tables)
    if ((await heldRows(view, one, archived, signal)) === archived.witness.rows.length) holders.push(one.table)
  return holders.length === 1 ? (holders[0] ?? null) : null
}

/** Whether it has the key that the table had, and most of its columns, of whichever types: only the rows of such tables are read. */
function isAlike(table: TableSpec, { stored, witness }: Noted): boolean {
  const same = stored.columns.filter(({ name }) => table.columns.some((column) => column.name === name))
  return JSON.stringify(table.key) === JSON.stringify(witness.key) && same.length * 2 >= stored.columns.length
}

/**
 * How many of the noted rows a table has: those with their key and their other values, as far as these are spelled alike by now. A key alone says nothing, since ids begin
 * with 1 in any table. Null where that is not known: it has another key, or this login may not read it.
 */
async function heldRows(
  view: SourceView,
  table: TableSpec,
  { witness: { key, rows }, stored }: Noted,
  signal: AbortSignal,
): Promise<number | null> {
  const isSpelledAlike = ({ name, type, native }: Column): boolean =>
    stored.columns.some(
      ({ name: then, column }) =>
        then === name && (column.native === native || (column.type.kind === type.kind && WHOLE.has(type.kind))),
    )
  const columns = table.columns.filter((column) => key.includes(column.name) || isSpelledAlike(column))
  const isKeyed = key.every((name) => columns.some((column) => column.name === name && isSpelledAlike(column)))
  if (!isKeyed || JSON.stringify(table.key) !== JSON.stringify(key)) return null
  const there = await readRows(view, table, columns, { by: 'keys', keys: rows.map((row) => row.key) }, signal).catch(
    (thrown: unknown) => {
      if (asSluiceError(thrown).code === 'SOURCE_DENIED') return null
      throw thrown
    },
  )
  if (there === null) return null
  const now = new Map(there.map((row) => [JSON.stringify(row.key), row.values]))
  return rows.filter(({ key: one, values }) => {
    const found = now.get(JSON.stringify(one))
    if (found === undefined) return false
    const sums = Object.entries(values)
    const compared = sums.filter(([name]) => found[name] !== undefined)
    return (compared.length > 0 || sums.length === 0) && compared.every(([name, sum]) => found[name] === sum)
  }).length
}

/** Kinds of values that are spelled alike whatever their width. */
const WHOLE: ReadonlySet<string> = new Set(['bool', 'int', 'text', 'uuid', 'date'])

/** Of these no sum is kept: they may be large. */
const LARGE: ReadonlySet<string> = new Set(['bytes', 'json', 'list', 'native'])
const MOST_COLUMNS = 32

/** The columns of a witness: its key, and others beside it. */
function columnsOf({ columns, key }: TableSpec): readonly Column[] {
  const others = columns.filter(({ name, type }) => !key.includes(name) && !LARGE.has(type.kind))
  return [...columns.filter(({ name }) => key.includes(name)), ...others.slice(0, MOST_COLUMNS)]
}

/** A text cannot be told from it, and NULL has one of its own. */
const sumOf = (text: string | null): string =>
  createHash('sha256')
    .update(text === null ? 'NULL' : `=${text}`)
    .digest('hex')
    .slice(0, 16)

/** Rows of a range, or the first few of all in the order of their keys. @param columns the key among them */
async function readRows(
  view: SourceView,
  table: TableSpec,
  columns: readonly Column[],
  range: Range,
  signal: AbortSignal,
): Promise<readonly WitnessRow[]> {
  const read = columns.map((column) => ({ name: column.name, as: column.type, column }))
  const places = table.key.map((name) => columns.findIndex((column) => column.name === name))
  const ordered = range === EVERY_KEY
  const request = { table, columns: read, range, where: null, ordered, aside: () => undefined }
  const found: WitnessRow[] = []
  for await (const { rows } of view.read(request, SIZE, signal)) {
    found.push(...rows.map((row) => ({ key: rowKeyOf(row, places), values: sumsOf(row, columns, places) })))
    if (ordered && found.length >= FIRST) return found.slice(0, FIRST)
  }
  return found
}

/** What tells the values of a row beside its key from others, without the values. */
function sumsOf(row: Row, columns: readonly Column[], key: readonly number[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    columns.flatMap(({ name }, at) => (key.includes(at) ? [] : [[name, sumOf(keyPart(row[at] ?? null))]])),
  )
}

/** Notes the witness of a table whose run has ended, in place of the one before. A failure is a line of the log: the name tells the table then. */
export async function renewWitness(
  { store, database }: Opened,
  table: TableSpec,
  archived: ArchivedTable,
  { emit, interrupt }: Run<'log'>,
): Promise<void> {
  const identities = store.identities?.()
  if (identities?.by !== 'mark') return
  try {
    await noteWitness(database, archived.table, await witnessOf(store, identities, table, interrupt.abort))
  } catch (thrown) {
    throwIfAborted(interrupt.abort)
    const { code, message } = asSluiceError(thrown)
    if (code === 'INTERNAL') throw thrown
    const text = `how the table would be known under another name was not noted: ${message}`
    emit({ type: 'log', level: 'warn', table: tableText(table.table), message: text })
  }
}

async function witnessOf(
  store: CopyStore,
  identities: Marks,
  table: TableSpec,
  signal: AbortSignal,
): Promise<Witness | null> {
  const columns = columnsOf(table)
  const mark = (await identities.marks([table.table], signal)).get(tableText(table.table))
  if (table.key.length === 0 || mark === undefined) return null
  await using view = await store.source(signal)
  const last = await view.last(table, EVERY_KEY, null, signal)
  const rows = [
    ...(await readRows(view, table, columns, EVERY_KEY, signal)),
    ...(last === null ? [] : await readRows(view, table, columns, { by: 'keys', keys: [last] }, signal)),
  ].filter(({ key }) => isOneRow(key))
  const different = [...new Map(rows.map((row) => [JSON.stringify(row.key), row])).values()]
  return different.length === 0 ? null : { table: table.table, mark, key: table.key, rows: different }
}
