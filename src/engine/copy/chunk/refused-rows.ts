/** Refused rows of a chunk, as the ledger and errors name them. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { readableRow, type RowToQuarantine } from '../ledger/quarantine.ts'

/** The first refused row, at most 500 characters, for the ledger. */
export function refusedText([first]: readonly RowToQuarantine[]): string | null {
  return first === undefined ? null : `${rowKeyText(first.key)}: ${first.message}`.slice(0, 500)
}

/** @param key as the source identifies the row */
export function refusedRowOf(
  plan: TablePlan,
  key: RowKey,
  row: Row,
  { code, message }: SluiceError,
): Omit<RowToQuarantine, 'stage'> {
  return { key, code, message, row: readableCells(plan, row) }
}

/** The written cells, by the source's column names. */
export function readableCells({ columns }: TablePlan, row: Row): RowToQuarantine['row'] {
  return readableRow(
    columns.map(({ from }) => from),
    row,
  )
}

/** Removes one line from a multiset. @returns false if the multiset did not contain the line */
export function removeLine(lines: Map<string, number>, line: string): boolean {
  const left = lines.get(line) ?? 0
  if (left > 0) lines.set(line, left - 1)
  return left > 0
}

/** `begun`: the table is partly copied. `by key`: its ranges cannot be replaced, only rows found by their keys. */
type Occupied = 'begun' | 'by key'

/** Error: the range already contains rows. @param how decides which modes for existing rows are advised */
export function notEmpty(table: string, how?: Occupied): SluiceError {
  const modes = `--on-existing upsert${how === 'by key' ? '' : ', replace-range'} or append`
  return new SluiceError('TARGET_NOT_EMPTY', `the target's ${table} already has rows in the range to be written`, {
    hint:
      how === 'begun'
        ? 'add --again: it copies the rest, compares these rows with the source, and repairs what differs'
        : `choose what happens to these rows: ${modes}`,
  })
}

/**
 * Error for too many refused rows: the cause is then the table, not its rows.
 * @param last cause of the last refused row; set only if its chunk is given up: this row is then not quarantined
 */
export function tooManyQuarantined(table: string, most: number, last?: string): SluiceError {
  return new SluiceError('ROWS_ASIDE', `more than ${most} rows of ${table} were refused: the copy of this table ends`, {
    ...(last === undefined ? {} : { reason: `cause of the last refused row: ${last}` }),
    hint: `${last === undefined ? 'see their causes with sluice quarantine list' : 'correct the rows at the source'}, or allow more refused rows with --max-aside`,
  })
}
