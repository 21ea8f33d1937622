/**
 * Detects columns that swapped names, or whose name another column has now, in sources without column identities. The
 * rows recorded in the witness distinguish this from a changed column order.
 */
import type { ArchivedTable } from '../ledger/record.ts'
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { recordCommand } from '../steps/unsure-columns.ts'
import { LARGE } from '../work/witness.ts'
import { notedValues } from './noted-values.ts'

/**
 * Compares the recorded rows that still exist. If none exists, or their values were updated, the names are accepted.
 * @param renamed the user's statements; `NAME=NAME` for a column that kept its name
 * @throws SluiceError PARTITION_CHANGED if all recorded rows that exist show one of these changes: columns have
 * exchanged their values; a new column has the values of an archived column; another column has the values of an
 * archived column, and the archived column has different values
 */
export async function refuseSwappedColumns(
  store: CopyStore,
  table: TableSpec,
  { stored, witness }: Pick<ArchivedTable, 'stored' | 'witness'>,
  signal: AbortSignal,
  renamed: readonly string[] = [],
): Promise<void> {
  if (witness === null || JSON.stringify(table.key) !== JSON.stringify(witness.key)) return
  const isValue = ({ name, type }: Column): boolean => !table.key.includes(name) && !LARGE.has(type.kind)
  const values = table.columns.filter(isValue)
  const thenLike = ({ name, native }: Column): readonly string[] =>
    stored.columns.flatMap((one) => (one.column.native === native && one.name !== name ? [one.name] : []))
  const moved = movedColumns(table, stored.columns)
  if (moved.size === 0 && values.every((one) => thenLike(one).length === 0)) return
  const columns = table.columns.filter((one) => table.key.includes(one.name) || isValue(one))
  const there = await notedValues(store, table, witness, columns, signal)
  const isOf = (name: string, former: string): boolean => there.every(({ now, before }) => now[name] === before[former])
  const others = values.filter(({ name }) => !renamed.includes(`${name}=${name}`) && !isOf(name, name))
  const exchanged = exchangedNames(
    others.flatMap(({ name }) => (moved.has(name) ? [name] : [])),
    isOf,
  )
  if (exchanged.length > 0)
    throw swappedError(store, table, exchanged, 'rename the columns to their names at the time of archiving')
  // A value that is equal in all rows is no evidence: another column may have the same value.
  const isReported = (name: string): boolean => new Set(there.map(({ before }) => before[name])).size > 1
  const fresh = freshColumns(table, stored.columns)
  for (const { name } of others.filter((one) => isReported(one.name))) {
    const now = fresh.find((one) => thenLike(one).includes(name) && isOf(one.name, name))
    if (now !== undefined) throw reusedNameError(store, table, { name: now.name, before: name })
  }
  const isThere = (name: string): boolean => table.columns.some((one) => one.name === name)
  // `name` has the values of `before`. That is a rename only if `before` has neither its own archived values nor those
  // of `name`: after an UPDATE that exchanged the values of two columns, `before` has the values of `name`.
  const isAnother = (before: string, name: string): boolean => !isOf(before, before) && !isOf(before, name)
  for (const one of others) {
    const { name } = one
    const before = thenLike(one).find(
      (then) => isReported(then) && isOf(name, then) && (isThere(then) ? isAnother(then, name) : moved.has(name)),
    )
    if (before !== undefined) throw droppedNameError(store, table, { name, before }, isThere(before))
  }
}

/** Error: a new column has the former name of a renamed column. */
function reusedNameError(store: CopyStore, table: TableSpec, swapped: Swapped): SluiceError {
  const { name, before } = swapped
  const settle = recordCommand(tableText(table.table), { renamed: [`${before}=${name}`], dropped: [] })
  const hint = `rename the present ${before} to a third name, run ${settle}, then rename it back; if ${name} is a copy of the earlier ${before}, move it behind the archived columns`
  return swappedError(store, table, [swapped], hint)
}

/** Error: a renamed column has the name of a dropped one. @param isAgain true if a new column has the old name */
function droppedNameError(store: CopyStore, table: TableSpec, swapped: Swapped, isAgain: boolean): SluiceError {
  const { name, before } = swapped
  const settled = (words: { readonly renamed?: readonly string[]; readonly dropped?: readonly string[] }): string =>
    recordCommand(tableText(table.table), { renamed: [], dropped: [], ...words })
  const steps = `rename ${name} to ${before}, run ${settled({ dropped: [name] })}, rename it back to ${name}, then run ${settled({ renamed: [`${before}=${name}`] })}`
  const hint = isAgain
    ? `rename the present ${before} to a third name, ${steps}, then rename the third one to ${before}; if the columns kept their names, and only the values moved, run ${settled({ renamed: [`${name}=${name}`] })}`
    : steps
  return swappedError(store, table, [swapped], hint)
}

type Swapped = { readonly name: string; readonly before: string }

/** Columns that exchanged their values; empty if some name has no partner. @param names columns with changed values */
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
  return new SluiceError(
    'PARTITION_CHANGED',
    `columns of ${tableText(table)} exchanged their names, so archived values would be read into the wrong columns`,
    {
      where: label,
      reason: `the rows recorded in the ledger show that ${words}`,
      hint,
    },
  )
}

/**
 * New columns at a position before an archived column. They may be renamed columns: ADD COLUMN appends a new column.
 */
function freshColumns(table: TableSpec, before: readonly { readonly name: string }[]): readonly Column[] {
  const isArchived = ({ name }: Column): boolean => before.some((one) => one.name === name)
  const last = table.columns.findLastIndex(isArchived)
  return table.columns.filter((one, at) => at < last && !isArchived(one) && one.generated !== true)
}

/** Archived columns at the former position of another archived column. */
function movedColumns(table: TableSpec, before: readonly { readonly name: string }[]): ReadonlySet<string> {
  const now = table.columns.map(({ name }) => name).filter((name) => before.some((one) => one.name === name))
  const then = before.map(({ name }) => name).filter((name) => now.includes(name))
  return new Set(now.filter((name, i) => name !== then[i]))
}
