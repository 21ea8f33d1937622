/** Errors of the steps that retire an old table, with hints. */
import { isCalled, tableText, type TableName } from '../../model/copy/column-type.ts'
import { SluiceError, type ErrorCode } from '../../shared/errors.ts'
import { isoTime } from '../../shared/clock.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { Ending } from '../../engine/run/run-context.ts'
import type { DecommissionEnd, DecommissionFinding } from '../../model/partition/decommission-port.ts'

/** Error code by subject of a finding; the first match determines the error. */
const CODES: readonly (readonly [string, ErrorCode])[] = [
  ['reverse stream', 'TABLE_FOLLOWED'],
  ['stream', 'TABLE_FOLLOWED'],
  ['hold', 'PARTITION_HELD'],
  ['rights', 'TARGET_DENIED'],
]

/** @throws SluiceError MISSING_CONFIRM unless the name of the old table is confirmed */
export function refuseUnconfirmed(oldTable: TableName, confirm: string | undefined): void {
  if (confirm !== undefined && isCalled(oldTable, confirm)) return
  const name = tableText(oldTable)
  throw new SluiceError('MISSING_CONFIRM', `this drops ${name} permanently: its name is needed as confirmation`, {
    hint: `add --confirm=${shellQuote(name)}, or --dry-run to see what would be dropped`,
  })
}

type DropOptions = { readonly confirm?: string | undefined; readonly inactive: boolean }

/** The command that drops the table or database after its grace period, by its difference from this run's. */
export function commandThatDrops(name: string, { confirm, inactive }: DropOptions): string {
  const changes = [
    ...(inactive ? ['without --inactive'] : []),
    ...(confirm === undefined ? [`with --confirm=${shellQuote(name)}`] : []),
  ]
  return changes.length === 0 ? 'the same command' : `the same command ${changes.join(' and ')}`
}

/**
 * End of a run that has not dropped the table or database: an error if the drop was confirmed, and not excluded.
 * @param graceEndMs end of the grace period, ms; null if it is over, so that the next run drops it
 */
export function endBeforeDrop(
  totals: Ending['totals'],
  name: string,
  { confirm, inactive }: DropOptions,
  graceEndMs: number | null,
): Ending {
  if (confirm === undefined || inactive) return { totals }
  const end = graceEndMs === null ? null : isoTime(graceEndMs)
  const why = end === null ? 'this run has made it inactive' : `its grace period ends at ${end}`
  const error = new SluiceError('PARTITION_STATE', `${name} is not dropped: ${why}`, {
    where: name,
    hint: `run the same command again${end === null ? '' : ` after ${end}`}`,
  })
  return { totals, error }
}

/** Error of a refused step. @param refused at least one finding: the most severe determines the error */
export function decommissionRefusal(name: string, refused: readonly DecommissionFinding[]): SluiceError {
  const [code, lead] = mostSevere(refused)
  const words = refused.map(({ about, object }) => (object === undefined ? about : `${about} ${object}`))
  return new SluiceError(code, `${name} is not decommissioned because of ${words.join(', ')}`, {
    where: name,
    ...(lead === undefined ? {} : { reason: lead.detail }),
    hint: lead?.hint ?? 'see the findings above',
  })
}

function mostSevere(refused: readonly DecommissionFinding[]): readonly [ErrorCode, DecommissionFinding | undefined] {
  for (const [about, code] of CODES) {
    const lead = refused.find((one) => one.about === about)
    if (lead !== undefined) return [code, lead]
  }
  return ['PARTITION_REFUSED', refused[0]]
}

/** Error if another table has the name of the old one. @param name of the old table */
export function otherOldTable(name: string): SluiceError {
  return new SluiceError('PLAN_CHANGED', `${name} is not the old table that the ledger records`, {
    where: name,
    reason: 'another table has this name now, or the database was restored from a dump; nothing was dropped',
    hint: `if the old table has another name now, rename it back to ${name}; if the database was restored from a dump, drop ${name} by hand`,
  })
}

/** @throws SluiceError PLAN_CHANGED, PARTITION_CHANGED */
export function refuseUndone(end: DecommissionEnd, name: string): void {
  if (end === 'done') return
  if (end === 'differs') {
    throw new SluiceError('PARTITION_CHANGED', `rows of ${name} have changed since they were copied`, {
      where: name,
      hint: 'find the program that writes into it; give --archive again to copy its current rows',
    })
  }
  throw new SluiceError(
    'PLAN_CHANGED',
    `${name} ${end === 'gone' ? 'no longer exists' : 'has changed in the meantime'}`,
    {
      where: name,
      reason: 'another program changed it',
      hint: 'run the same command again: it reads the state again',
    },
  )
}
