/**
 * Detects columns that swapped names, or whose name a later column took, in sources without column identities: rows
 * noted in the witness distinguish this from a changed column order.
 */
import type { ArchivedTable } from '../ledger/record.ts'
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { settleCommand } from '../steps/unsure-columns.ts'
import { LARGE } from '../work/witness.ts'
import { notedValues } from './noted-values.ts'

/**
 * Reads rows only if the columns are in another order than in the archive, or a new one is before an archived one. If
 * no noted row exists any more, or its values changed, the names count.
 * @throws SluiceError PARTITION_CHANGED if all noted rows that exist have their values under swapped names, or those of
 * an archived column under a new name
 */
export async function refuseSwappedColumns(
  store: CopyStore,
  table: TableSpec,
  { stored, witness }: Pick<ArchivedTable, 'stored' | 'witness'>,
  signal: AbortSignal,
): Promise<void> {
  const moved = movedColumns(table, stored.columns)
  const fresh = freshColumns(table, stored.columns)
  if (witness === null || moved.size + fresh.length === 0) return
  if (JSON.stringify(table.key) !== JSON.stringify(witness.key)) return
  const thenLike = ({ native }: Column): ReadonlySet<string> =>
    new Set(stored.columns.flatMap(({ name, column }) => (column.native === native ? [name] : [])))
  const perhaps = new Set(fresh.flatMap((one) => [one.name, ...thenLike(one)]))
  const isRead = ({ name, type }: Column): boolean => !LARGE.has(type.kind) && (moved.has(name) || perhaps.has(name))
  const columns = table.columns.filter((one) => table.key.includes(one.name) || isRead(one))
  const there = await notedValues(store, table, witness, columns, signal)
  const isOf = (name: string, former: string): boolean => there.every(({ now, before }) => now[name] === before[former])
  const others = columns.filter(({ name }) => !table.key.includes(name) && !isOf(name, name))
  const exchanged = exchangedNames(
    others.flatMap(({ name }) => (moved.has(name) ? [name] : [])),
    isOf,
  )
  if (exchanged.length > 0)
    throw swappedError(store, table, exchanged, 'rename the columns to their names at the time of archiving')
  // One value in all rows says nothing: another column may have it, too.
  const isTold = (name: string): boolean => new Set(there.map(({ before }) => before[name])).size > 1
  const gone = stored.columns.filter(({ name }) => !table.columns.some((one) => one.name === name))
  for (const { name, native } of others) {
    const now = isTold(name) ? fresh.find((one) => thenLike(one).has(name) && isOf(one.name, name)) : undefined
    if (now !== undefined) throw takenError(store, table, { name: now.name, before: name })
    const before = gone.find((one) => one.column.native === native && isTold(one.name) && isOf(name, one.name))
    if (before !== undefined && moved.has(name)) throw tookError(store, table, { name, before: before.name })
  }
}

/** A new column took the name of a renamed one. */
function takenError(store: CopyStore, table: TableSpec, swapped: Swapped): SluiceError {
  const { name, before } = swapped
  const settle = settleCommand(tableText(table.table), { renamed: [`${before}=${name}`], dropped: [] })
  const hint = `rename the present ${before} to a third name, run ${settle}, then rename it back; if ${name} is a copy of the earlier ${before}, move it behind the archived columns`
  return swappedError(store, table, [swapped], hint)
}

/** A renamed column took the name of a dropped one. */
function tookError(store: CopyStore, table: TableSpec, swapped: Swapped): SluiceError {
  const { name, before } = swapped
  const [dropped, renamed] = [
    settleCommand(tableText(table.table), { renamed: [], dropped: [name] }),
    settleCommand(tableText(table.table), { renamed: [`${before}=${name}`], dropped: [] }),
  ]
  const hint = `rename ${name} to ${before}, run ${dropped}, rename it back to ${name}, then run ${renamed}`
  return swappedError(store, table, [swapped], hint)
}

type Swapped = { readonly name: string; readonly before: string }

/** @param names with other values than noted; empty if these are not all under each other's names */
function exchangedNames(names: readonly string[], isOf: (name: string, then: string) => boolean): readonly Swapped[] {
  const swapped = names.flatMap((name) => {
    const before = names.find((one) => isOf(name, one))
    return before === undefined ? [] : [{ name, before }]
  })
  return swapped.length < 2 || swapped.length < names.length ? [] : swapped
}

function swappedError(
  { label }: CopyStore,
  { table }: TableSpec,
  swapped: readonly Swapped[],
  hint: string,
): SluiceError {
  const words = swapped.map(({ name, before }) => `${before} is called ${name} now`).join(', ')
  return new SluiceError('PARTITION_CHANGED', `columns of ${tableText(table)} exchanged their names`, {
    where: label,
    reason: `the rows recorded in the ledger show that ${words}: archived values would be read as those of the other column`,
    hint,
  })
}

/** New columns before an archived one: adding alone puts them last, and a rename keeps the position. */
function freshColumns(table: TableSpec, before: readonly { readonly name: string }[]): readonly Column[] {
  const isArchived = ({ name }: Column): boolean => before.some((one) => one.name === name)
  const last = table.columns.findLastIndex(isArchived)
  return table.columns.filter((one, at) => at < last && !isArchived(one) && one.generated !== true)
}

/** Archived columns that are at the position of another archived column. */
function movedColumns(table: TableSpec, before: readonly { readonly name: string }[]): ReadonlySet<string> {
  const now = table.columns.map(({ name }) => name).filter((name) => before.some((one) => one.name === name))
  const then = before.map(({ name }) => name).filter((name) => now.includes(name))
  return new Set(now.filter((name, i) => name !== then[i]))
}
