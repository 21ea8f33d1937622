/** Rows of the source that cannot be compared: they are named and counted as errors. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { DiffRun } from './diff-run.ts'
import type { DiffSides } from './sides.ts'

const SHOWN = 200

/** @param row texts that the system returned */
export function reportUnreadRow(
  { sides, run }: { readonly sides: DiffSides; readonly run: DiffRun },
  row: readonly (string | null)[],
  error: SluiceError,
): void {
  const shown = row.map((text) => text ?? 'NULL').join(', ')
  run.emit({
    type: 'log',
    level: 'error',
    table: tableText(sides.plan.source.table),
    message: `a row of the source cannot be read, and is not compared: ${error.message} (${shown.slice(0, SHOWN)})`,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  })
}
