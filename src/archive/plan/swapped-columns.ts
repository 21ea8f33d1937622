/**
 * Detects columns that swapped names, in sources without column identities: rows noted in the witness distinguish this
 * from a changed column order.
 */
import type { ArchivedTable } from '../ledger/record.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { LARGE, readWitnessRows } from '../work/witness.ts'

/**
 * Reads rows only if the column order differs from the archive. If no noted row exists any more, or its values changed,
 * the names count.
 * @throws SluiceError PARTITION_CHANGED if all noted rows that exist have their values under swapped names
 */
export async function refuseSwappedColumns(
  store: CopyStore,
  table: TableSpec,
  { stored, witness }: Pick<ArchivedTable, 'stored' | 'witness'>,
  signal: AbortSignal,
): Promise<void> {
  const moved = movedColumns(table, stored.columns)
  if (witness === null || moved.size === 0 || JSON.stringify(table.key) !== JSON.stringify(witness.key)) return
  const columns = table.columns.filter(
    ({ name, type }) => table.key.includes(name) || (moved.has(name) && !LARGE.has(type.kind)),
  )
  await using view = await store.source(signal)
  const there = await readWitnessRows(
    view,
    table,
    columns,
    { by: 'keys', keys: witness.rows.map(({ key }) => key) },
    signal,
  )
  const noted = new Map(witness.rows.map(({ key, values }) => [JSON.stringify(key), values]))
  const isOf = (name: string, then: string): boolean =>
    there.every(({ key, values }) => values[name] === noted.get(JSON.stringify(key))?.[then])
  const names = columns.flatMap(({ name }) => (table.key.includes(name) ? [] : [name]))
  const others = names.filter((name) => !isOf(name, name))
  const swapped = others.flatMap((name) => {
    const before = others.find((one) => isOf(name, one))
    return before === undefined ? [] : [{ name, before }]
  })
  if (swapped.length < 2 || swapped.length < others.length) return
  const words = swapped.map(({ name, before }) => `${before} is called ${name} now`).join(', ')
  throw new SluiceError('PARTITION_CHANGED', `columns of ${tableText(table.table)} changed names with each other`, {
    where: store.label,
    reason: `by the rows that the ledger noted, ${words}: archived values would be taken for those of the other column`,
    hint: 'give the columns the names that they had when rows were archived',
  })
}

/** Archived columns that are at the position of another archived column. */
function movedColumns(table: TableSpec, before: readonly { readonly name: string }[]): ReadonlySet<string> {
  const now = table.columns.map(({ name }) => name).filter((name) => before.some((one) => one.name === name))
  const then = before.map(({ name }) => name).filter((name) => now.includes(name))
  return new Set(now.filter((name, i) => name !== then[i]))
}
