/** Compares rows that the witness of an archive recorded with their present values. */
import type { ArchivedTable, TableWitness, WitnessRow } from '../ledger/record.ts'
import type { TakenName } from '../types/index.ts'
import type { Column, TableSpec } from '../../model/copy/column-type.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { LARGE, readWitnessRows } from '../work/witness.ts'

/** Digests of the values of a recorded row by column name: current and recorded. */
type NotedValues = { readonly now: WitnessRow['values']; readonly before: WitnessRow['values'] }

/** The recorded rows that still exist. @param columns columns to read, with the key columns */
export async function notedValues(
  store: CopyStore,
  table: TableSpec,
  { rows }: TableWitness,
  columns: readonly Column[],
  signal: AbortSignal,
): Promise<readonly NotedValues[]> {
  await using view = await store.source(signal)
  const range = { by: 'keys', keys: rows.map(({ key }) => key) } as const
  const there = await readWitnessRows(view, table, columns, range, signal)
  const noted = new Map(rows.map(({ key, values }) => [JSON.stringify(key), values]))
  return there.map(({ key, values }) => ({ now: values, before: noted.get(JSON.stringify(key)) ?? {} }))
}

/**
 * Columns that certainly kept their names. A column is compared with each archived column that may have been renamed to
 * its name, in recorded rows in which the two had different values. The column kept its name if at least one of these
 * rows still has its value, and none has the value of the archived column.
 */
export async function keptNames(
  store: CopyStore,
  table: TableSpec,
  { witness }: Pick<ArchivedTable, 'witness'>,
  taken: readonly TakenName[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (witness === null || taken.length === 0 || JSON.stringify(table.key) !== JSON.stringify(witness.key))
    return new Set()
  const doubted = new Set(taken.map(({ column }) => column.name))
  const isRead = ({ name, type }: Column): boolean =>
    table.key.includes(name) || (doubted.has(name) && !LARGE.has(type.kind))
  const there = await notedValues(store, table, witness, table.columns.filter(isRead), signal)
  const isKept = ({ column: { name }, of }: TakenName): boolean =>
    of.every(({ name: other }) => {
      const distinct = there.filter(({ before }) => before[other] !== undefined && before[name] !== before[other])
      return (
        distinct.some(({ now, before }) => now[name] === before[name]) &&
        !distinct.some(({ now, before }) => now[name] === before[other])
      )
    })
  return new Set(taken.filter(isKept).map(({ column }) => column.name))
}
