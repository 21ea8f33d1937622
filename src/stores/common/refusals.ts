/** What a target answers where it does not take rows, in the same words whichever it is. */
import { hexDigits } from '../../model/copy/bytes-text.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ChunkRequest } from '../../model/copy/port.ts'

export type Refused = {
  /** As people call it: `SQLite`. */
  readonly system: string
  /** URL without password. */
  readonly label: string
  readonly table: string
  /** What the system said. */
  readonly message: string
  readonly cause: unknown
}

/** @param code what the system calls the refusal, where it has a name for it */
export function rowRefused({ system, label, table, message, cause }: Refused, code?: string): SluiceError {
  return new SluiceError('ROW_REFUSED', `${table}: ${message}`, {
    where: `${label}, ${table}`,
    reason: `${system} refuses the row${code === undefined ? '' : ` (${code})`}`,
    hint: 'mend the row at its source or the constraint of the target; --on-existing says what becomes of rows that are there already',
    cause,
  })
}

/** A value that is no member of the enum of its column. */
export class MemberRefused extends SluiceError {
  /** `'sad' is no member of mood`. */
  readonly what: string
  /** Statement that gives a member this name, with `NEW_NAME` for its name now. */
  readonly rename: string
  /** Statement that makes a further member of this name. */
  readonly add: string

  constructor(
    { what, rename, add }: Pick<MemberRefused, 'what' | 'rename' | 'add'>,
    message: string,
    details: ConstructorParameters<typeof SluiceError>[2],
  ) {
    super('ROW_REFUSED', message, details)
    this.what = what
    this.rename = rename
    this.add = add
  }
}

/** A statement that the system does not understand: the table is not as the plan has it. */
export function tableRefused({ system, label, table, message, cause }: Refused): SluiceError {
  return new SluiceError('TABLE_REFUSED', `${system} does not write into the table: ${message}`, {
    where: `${label}, ${table}`,
    hint: 'compare the table with the plan, which --dry-run shows; an upsert needs a unique key',
    cause,
  })
}

/**
 * Says of an error which value of which row it means.
 * @param at position of the value in the row
 */
export function ofValue(
  error: unknown,
  { table, columns }: Pick<ChunkRequest, 'table' | 'columns'>,
  row: Row,
  at: number,
): unknown {
  if (!(error instanceof SluiceError)) return error
  const key = table.key.map((name) => shown(row[columns.findIndex((one) => one.name === name)] ?? null))
  const ofRow = key.length === 0 ? '' : `, row ${key.length === 1 ? (key[0] ?? '') : `(${key.join(', ')})`}`
  const where = `${table.table.name}.${columns[at]?.name ?? ''}${ofRow}`
  return new SluiceError(error.code, `${where}: ${error.message}`, {
    where,
    cause: error,
    ...(error.reason === undefined ? {} : { reason: error.reason }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  })
}

function shown(cell: Cell): string {
  if (cell === null) return 'NULL'
  return typeof cell === 'object' ? `x'${hexDigits(cell)}'` : String(cell).slice(0, 60)
}
