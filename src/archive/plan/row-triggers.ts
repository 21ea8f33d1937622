/** Reports effects of triggers and rules on removed and restored rows, before any row is removed. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { RowTriggers } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { Run } from '../../engine/run/run-context.ts'

/** Warns about tables that a crash of the server may empty, such as unlogged tables: a restore into them is refused. */
export async function reportLosable(
  { table }: TableSpec,
  store: CopyStore,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
): Promise<void> {
  for (const { what, remedy } of (await store.offers.losable?.find([table], interrupt.abort)) ?? []) {
    const message = `${what}: a crash of the server may delete its rows before they are archived, and a restore into it is refused`
    emit({ type: 'log', level: 'warn', table: tableText(table), message, hint: `${remedy} prevents this` })
  }
}

/**
 * Reports the triggers and rules of a table, and whether they run for removed and restored rows.
 * @param inserts false if the command inserts no row; asked only if a trigger or rule may change or reject a row
 * @throws SluiceError TABLE_REFUSED if a trigger or rule may change or reject a row: restored rows would then differ
 * from the archived ones
 */
export async function refuseTriggers(
  { table }: TableSpec,
  store: CopyStore,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
  inserts: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<void> {
  const found = await store.offers.rowTriggers?.list(table, interrupt.abort)
  if (found === undefined) return
  const { changing, firing, quiet, remedy, history, unread } = found
  const name = tableText(table)
  if (history !== undefined) {
    const message = `rows that are removed from the table stay in the database as history (${history.by})`
    emit({ type: 'log', level: 'warn', table: name, message, hint: `${history.remedy} removes them` })
  }
  const all = [...changing, ...firing]
  if (all.length === 0) return
  if (quiet) {
    const message = `${all.join(', ')}: not run for removed or restored rows (session_replication_role is set in these transactions only)`
    return emit({ type: 'log', level: 'note', table: name, message })
  }
  if (changing.length > 0) {
    if (!(await inserts())) return
    throw new SluiceError(
      'TABLE_REFUSED',
      `rows of ${name} cannot be restored unchanged: ${changing.join(', ')} may change or reject them`,
      {
        where: name,
        reason: 'this session cannot disable triggers and rules of the table',
        hint: remedy,
      },
    )
  }
  const other = unread === true ? '; its function was not read, and may change rows that stay' : ''
  const message = `${firing.join(', ')}: run for each removed or restored row${other}`
  emit({ type: 'log', level: 'warn', table: name, message })
}

/**
 * Reports that the system would refuse the removal of rows.
 * @param drop true if the command removes rows
 * @throws the error of the removal, if the command removes rows
 */
export async function refuseRemoval(
  { table }: TableSpec,
  store: CopyStore,
  drop: boolean,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
): Promise<void> {
  const refusal = (await store.offers.removals?.refusal(table, interrupt.abort)) ?? null
  if (refusal === null) return
  if (drop) throw refusal
  const { hint } = refusal
  const message = `a run with --drop would be refused: ${refusalText(refusal)}`
  emit({ type: 'log', level: 'warn', table: tableText(table), message, ...(hint === undefined ? {} : { hint }) })
}

/** An error as part of a sentence. */
export function refusalText({ code, message, reason }: SluiceError): string {
  return `${code}: ${message}${reason === undefined ? '' : `: ${reason}`}`
}

/** A table whose rows an erasure removes. @property attached true for a partition that the table has now */
export type ErasedTable = Pick<TableSpec, 'table'> & { readonly attached?: boolean }

/**
 * Reports triggers and rules that fire for erased rows: rows that they write to other tables stay.
 * @returns text about what the erasure does not cover; null if no trigger fires
 * @throws SluiceError TABLE_REFUSED if the system itself keeps deleted rows
 */
export async function reportErased(
  tables: readonly ErasedTable[],
  store: CopyStore,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
): Promise<string | null> {
  const named = new Set<string>()
  const texts: string[] = []
  for (const { table, attached } of tables) {
    const found = await store.offers.rowTriggers?.list(table, interrupt.abort)
    const name = tableText(table)
    if (found?.history !== undefined) throw keptAsHistory(name, found.history)
    if (found === undefined || found.quiet) continue
    // A partition has clones of the triggers of its table.
    const all = [...found.changing, ...found.firing].filter((one) => attached !== true || !named.has(one))
    if (all.length === 0) continue
    for (const one of all) named.add(one)
    const message = `${all.join(', ')}: may fire for each erased row, and rows that it writes elsewhere are not erased`
    emit({ type: 'log', level: 'warn', table: name, message })
    texts.push(`rows that ${all.join(', ')} of ${name} wrote elsewhere`)
  }
  return texts.length === 0 ? null : texts.join(', ')
}

function keptAsHistory(name: string, { by, remedy }: NonNullable<RowTriggers['history']>): SluiceError {
  return new SluiceError('TABLE_REFUSED', `rows of ${name} cannot be erased: the table keeps deleted rows as history`, {
    where: name,
    reason: by,
    hint: `delete the rows from the table, then run ${remedy}; to erase them from the archive, too, remove the versioning of the table first, then run the same command again`,
  })
}

/** Reports triggers and rules of a target table: they fire, and the restore is refused if rows then differ. */
export async function reportTriggers(
  { table }: Pick<TableSpec, 'table'>,
  store: CopyStore,
  { emit, interrupt }: Pick<Run<'log'>, 'emit' | 'interrupt'>,
): Promise<void> {
  const { changing = [], firing = [] } = (await store.offers.rowTriggers?.list(table, interrupt.abort)) ?? {}
  if (changing.length + firing.length === 0) return
  const change =
    changing.length === 0 ? '' : '; if one of them changes or rejects a row, the restore ends and changes nothing'
  const message = `${[...changing, ...firing].join(', ')}: run for each row that is inserted into the table${change}`
  emit({ type: 'log', level: 'warn', table: tableText(table), message })
}
