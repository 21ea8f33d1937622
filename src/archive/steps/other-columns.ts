/**
 * Handles partitions whose columns differ from their table: refusals and texts for a restore, and a check before
 * removal.
 */
import { digestOfRows } from '../../model/copy/row-hash.ts'
import type { ReadColumn } from '../../model/copy/read-column.ts'
import type { Row } from '../../model/copy/rows.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { SourceView } from '../../model/copy/source-port.ts'
import { isComputedOtherwise, otherMeaning, retypedText, type Unsure } from '../types/index.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { fitNow, archivedReadColumns, partitionRowRequest, type ArchiveContext } from './context.ts'
import { cutCondition } from './cut-condition.ts'
import { restoreCommand, runCommand, partitionError } from './refusals.ts'
import { doubtOf } from './unsure-columns.ts'

/** Text about each changed column in a restore; empty if the columns are the same. */
export function restoredColumns(context: ArchiveContext, partition: ArchivedPartition): string {
  const { shared, lost, fresh } = fitNow(context, partition)
  const isWhole = isFullyInTable(partition)
  return [
    ...lost.map(({ name }) => `${name} is left out, and its values stay only in older versions of the archive`),
    ...shared.flatMap(({ file, now }) => (file.name === now.name ? [] : [`${file.name} is restored as ${now.name}`])),
    ...shared.flatMap(({ file, now }) =>
      file.physical === now.physical && file.stored === now.stored ? [] : [retypedText(file, now)],
    ),
    ...shared.flatMap(({ file, now }) => changedColumnText(file, now)),
    ...fresh.map(({ name, column }) => {
      if (column.generated === true) return `${name} is computed by the database`
      const filled = column.hasDefault === true ? 'its default' : 'NULL'
      const value = column.identity === true ? 'a number that the database generates' : filled
      return isWhole
        ? `${name} is not in the files: rows in the table keep its values, and a restored row gets ${value}`
        : `${name} is not in the files, and gets ${value}`
    }),
  ].join('; ')
}

function changedColumnText(file: StoredColumn, now: StoredColumn): readonly string[] {
  if (!isComputedOtherwise(file, now)) return []
  const { name } = now
  return [
    `${name} was computed as ${file.computed?.sql} and is computed as ${now.computed?.sql}: rows are restored from the files only if both give the same values, or with --without ${name}`,
  ]
}

/**
 * Error if the rows of a partition cannot be restored into the table's columns.
 * @param without columns whose values the user gives up; refused if one of them may have another name in the table now
 */
export function columnRefusal(
  context: ArchiveContext,
  partition: ArchivedPartition,
  { without = new Set(), unsure }: { readonly without?: ReadonlySet<string>; readonly unsure: Unsure | null },
): SluiceError | null {
  const { name, archived } = context
  const doubt = doubtOf(context.table, unsure, null, [partition])
  if (doubt !== null) return doubt
  const { lost } = fitNow(context, partition)
  const now = archived.stored.columns
  const cuts = lost.filter((column) => isCut(context, partition, column))
  const kept = cuts.length > 0 ? cuts : lost.filter((column) => !without.has(column.name))
  if (kept.length === 0) return isFullyInTable(partition) ? null : valuelessRefusal(context, partition)
  const what = kept.map((column) => lostText(now, column)).join(', ')
  const isKey = lost.some((column) => context.table.key.includes(retypedNow(now, column)?.name ?? ''))
  if (isKey && !isFullyInTable(partition)) return refusal(context, partition, what, otherTableHint(context, partition))
  const retyped = kept.flatMap((column) => retypedNow(now, column) ?? [])
  // If the source identifies its columns, a column that is added again is a different column.
  const again =
    retyped.length === kept.length
      ? `make it ${kept.map((column, i) => `${retyped[i]?.name} ${column.column.native}`).join(', ')} again, run the same command, then change the type; or `
      : retyped.length === 0 && archived.stored.numbersOf === undefined
        ? 'add the column again, then run the same command; or '
        : ''
  if (cuts.length > 0) return refusal(context, partition, what, `${again}${intoText(context, partition)}`)
  const needed = isFullyInTable(partition)
    ? []
    : retyped.filter((column) => isNeeded(column, partition)).map((column) => column.name)
  const optional = needed.length === 0 ? '' : `give ${needed.join(', ')} a default, or allow NULL, and `
  const command = restoreCommand(name, partition, ...withoutFlags(lost))
  const hint = `${again}${optional}leave its values in the archive, where older versions have them: ${command}`
  return refusal(context, partition, what, hint)
}

/**
 * True for the partitioning column of a plain table, if a restore must write rows, or if the table's present column
 * cannot select the rows of the partition.
 */
function isCut(context: ArchiveContext, partition: ArchivedPartition, lost: StoredColumn): boolean {
  const { archived, store, table } = context
  const now = retypedNow(archived.stored.columns, lost) ?? lost
  if (partition.native !== null || now.name !== archived.timeColumn) return false
  return !isFullyInTable(partition) || cutCondition(store, table, archived, partition) === null
}

/** True if every restored row needs a value for this column. */
function isNeeded({ column }: StoredColumn, { native }: ArchivedPartition): boolean {
  // Before it is attached, a partition is filled as a separate table, whose columns have no identity yet.
  const isNumbered = column.identity === true && native === null
  return !column.nullable && column.hasDefault !== true && column.generated !== true && !isNumbered
}

/** Error if restored rows would lack a value in a column that needs one; otherwise null. */
export function valuelessRefusal(context: ArchiveContext, partition: ArchivedPartition): SluiceError | null {
  const needed = fitNow(context, partition).fresh.find((column) => isNeeded(column, partition))
  if (needed === undefined) return null
  const hint = context.table.key.includes(needed.name)
    ? otherTableHint(context, partition)
    : needed.column.identity === true
      ? `replace the identity of the column by a default (a sequence), then run the same command; or ${intoText(context, partition)}`
      : 'give the column a default, or allow NULL, then run the same command'
  return refusal(context, partition, `${needed.name} needs a value, and has no default`, hint)
}

/** Error if archived texts would become other values; null if not, or if the members of the type were not recorded. */
export function meaningRefusal(context: ArchiveContext, partition: ArchivedPartition): SluiceError | null {
  for (const { file, now } of fitNow(context, partition).shared) {
    const other = otherMeaning(file, now)
    if (other === null) continue
    const into = restoreCommand(context.name, partition, '--into', 'NEW_TABLE')
    const hint = `give them their earlier names and positions, and run the same command again; or create NEW_TABLE with a text column for ${now.name}, and restore the rows there: ${into}`
    return refusal(context, partition, `in ${now.name}, ${other}`, hint)
  }
  return null
}

/** Hint if the key has changed its type: archived rows cannot be restored into the table. */
function otherTableHint(context: ArchiveContext, partition: ArchivedPartition): string {
  return `give the key its earlier type, then run the same command; or ${intoText(context, partition)}`
}

function intoText({ name }: ArchiveContext, partition: ArchivedPartition): string {
  return `restore the rows into another table: ${restoreCommand(name, partition, '--into', 'NEW_TABLE')}`
}

function refusal({ name }: ArchiveContext, partition: ArchivedPartition, what: string, hint: string): SluiceError {
  return partitionError('PARTITION_CHANGED', name, partition, `cannot be restored: ${what}`, {
    hint,
  })
}

/** True if no archived row was removed from the plain table: then a restore writes no row. */
function isFullyInTable({ state, native, removed, restoring }: ArchivedPartition): boolean {
  return state === 'DETACHED' && native === null && removed.rows === 0n && !restoring
}

function withoutFlags(lost: readonly StoredColumn[]): readonly string[] {
  return lost.flatMap((column) => ['--without', column.name])
}

/** The column of the table that replaced an archived column, with another type. */
function retypedNow(now: readonly StoredColumn[], { physical }: StoredColumn): StoredColumn | undefined {
  return now.find(({ was }) => was?.includes(physical) === true)
}

function lostText(now: readonly StoredColumn[], lost: StoredColumn): string {
  const { name } = lost
  const other = retypedNow(now, lost)
  if (other === undefined)
    return now.some((one) => one.name === name)
      ? `its column ${name} was dropped, and the present column ${name} of the table was added later`
      : `the table no longer has the column ${name}`
  return retypedText(lost, other)
}

/** Columns of the table that the files lack, and the value that all rows of a partition have in them. */
export type FreshValues = { readonly columns: readonly ReadColumn[]; readonly values: Row }

/**
 * Checks, before rows are removed, that restored rows would have the present values. A column that was added since the
 * export must have the same value in all rows if it has a default, and NULL in all rows otherwise. A column whose type
 * was changed since the export must be NULL. Restored rows get the default, which is not compared with the value that
 * the rows have now: a warning says so.
 * @throws SluiceError PARTITION_CHANGED
 */
export async function freshValues(
  context: ArchiveContext,
  partition: ArchivedPartition,
  view: SourceView,
): Promise<FreshValues> {
  const { name, table, interrupt } = context
  const { lost, fresh: all } = fitNow(context, partition)
  const fresh = all.filter(({ column }) => column.generated !== true)
  const columns = archivedReadColumns(fresh)
  if (columns.length === 0) return { columns, values: [] }
  const retyped = fresh.filter(({ was }) => lost.some(({ physical }) => was?.includes(physical) === true))
  const request = { ...partitionRowRequest(context, partition, table), columns }
  let first: Row = []
  for await (const { rows } of view.read(request, { rows: 1, bytes: 1 << 20 }, interrupt.abort)) {
    const [row] = rows
    if (row === undefined) continue
    first = row
    break
  }
  const values = fresh.map((one, i) =>
    one.column.hasDefault === true && !retyped.includes(one) ? (first[i] ?? null) : null,
  )
  const { rows, sum } = await view.digest(request, interrupt.abort)
  if (BigInt(`0x${sum}`) === rows * BigInt(`0x${digestOfRows([values]).sum}`)) {
    const filled = fresh.filter((_, i) => values[i] !== null).map((column) => column.name)
    if (filled.length > 0) {
      const message = `${partition.label}: all its rows have the same value in ${filled.join(', ')}, which the archive lacks; restored rows get the default of the column instead`
      context.emit({ type: 'log', level: 'warn', table: name, message })
    }
    return { columns, values }
  }
  const names = fresh.map((column) => column.name).join(', ')
  throw partitionError('PARTITION_CHANGED', name, partition, `has values in ${names} that are not in the archive`, {
    reason: `${retyped.length > 0 ? 'the column got another type' : 'the column was added'} after the rows were archived, and its values would be removed with them`,
    hint: `nothing was removed; ${restoreCommand(name, partition, ...withoutFlags(lost))}, then ${runCommand(name, partition)}`,
  })
}
