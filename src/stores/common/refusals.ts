/** Errors of a target that refuses rows, with the same texts for every system. */
import { hexDigits } from '../../model/copy/bytes-text.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import { isWellFormed } from '../../shared/well-formed.ts'
import type { ChunkRequest } from '../../model/copy/target-port.ts'

export type RefusedWrite = {
  /** Display name: `SQLite`. */
  readonly system: string
  /** URL without password. */
  readonly label: string
  readonly table: string
  /** Message of the system. */
  readonly message: string
  readonly cause: unknown
}

/** A row of which another row of the target has a value of a unique index. */
export class ValueTaken extends SluiceError {
  constructor(message: string, details: ConstructorParameters<typeof SluiceError>[2]) {
    super('ROW_REFUSED', message, details)
  }
}

/**
 * @param code the system's name for the refusal, if it has one
 * @param isTaken true if another row has a unique value of the row
 */
export function rowRefused(
  { system, label, table, message, cause }: RefusedWrite,
  code: string | undefined,
  isTaken: boolean,
): SluiceError {
  const details = {
    where: `${label}, ${table}`,
    reason: `${system} refuses the row${code === undefined ? '' : ` (${code})`}`,
    hint: 'correct the row at the source or the constraint of the target; --on-existing decides what happens to existing rows',
    cause,
  }
  const text = `${table}: ${message}`
  return isTaken ? new ValueTaken(text, details) : new SluiceError('ROW_REFUSED', text, details)
}

/** A value that is not a member of its column's enum. */
export class MemberRefused extends SluiceError {
  /** What is wrong, such as `'sad' is no member of mood`. */
  readonly what: string
  /** Statement that renames a member to this name; the user replaces `NEW_NAME` by the member's current name. */
  readonly rename: string
  /** Statement that adds a member of this name. */
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

/**
 * Error for `replace-range` if the range of the source is not a key range in the target.
 * @param system its display name
 */
export function notAKeyRange(system: string, table: string): SluiceError {
  return new SluiceError('UNSUPPORTED_KEY', `a range of ${table} cannot be replaced in ${system}`, {
    reason: 'its key may sort differently in source and target, and rows of other chunks would be removed',
    hint: 'choose another --on-existing',
  })
}

/**
 * Error if a removal of rows would make the system delete or change rows of other tables.
 * @param followers names of these tables
 * @param hint what to do instead; the default is advice for a copy with `replace-range`
 */
export function cascadeRefused(
  followers: readonly string[],
  table: string,
  hint = 'copy with --on-existing upsert, or drop these foreign keys first',
): SluiceError {
  return new SluiceError(
    'TABLE_REFUSED',
    `rows of ${table} cannot be removed: rows of ${followers.join(', ')} would be deleted or changed with them`,
    {
      reason: 'their foreign keys have ON DELETE CASCADE, SET NULL or SET DEFAULT',
      hint,
    },
  )
}

/** Error for a statement that the system does not accept, because the table differs from the plan. */
export function tableRefused({ system, label, table, message, cause }: RefusedWrite): SluiceError {
  return new SluiceError('TABLE_REFUSED', `${system} cannot write to the table: ${message}`, {
    where: `${label}, ${table}`,
    hint: 'compare the table with the plan, which --dry-run shows; an upsert needs a unique key',
    cause,
  })
}

/** Refusals of values that a system would store as other values. @param system its display name */
export function changedBy(system: string) {
  const refuse = (reason: string, cell: Exclude<Cell, null>): never => {
    const text = typeof cell === 'object' ? `${cell.byteLength} bytes` : String(cell).slice(0, 60)
    throw new SluiceError('ROW_REFUSED', `${system} would change this value${text === '' ? '' : `: ${text}`}`, {
      reason,
      hint: 'change the value in the source, or the type of the column in the target',
    })
  }
  const wellFormed = (cell: Exclude<Cell, null>): string => {
    const text = String(cell)
    return isWellFormed(text) ? text : refuse('a surrogate without its pair cannot be stored in UTF-8', '')
  }
  return { refuse, wellFormed }
}

/** Adds to an error the column and the row key of the refused value. @param at index of the value in the row */
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
    reason: error.reason,
    hint: error.hint,
  })
}

/**
 * Makes a refusal retryable if the table has changed, which can be its cause (other column types, or a new unique
 * index): the next attempt reads the table again. Other errors are returned unchanged: if an unchanged table refused a
 * row, a retry would refuse it again, and a busy stream would be opened again without end.
 * @param isOther reads the table; true if it has changed. Called for refusals only
 */
export async function retryableIfChanged(error: unknown, isOther: () => Promise<boolean>): Promise<unknown> {
  if (!(error instanceof SluiceError) || !/^(?:TABLE|ROW)_REFUSED$/.test(error.code) || error.retryable) return error
  try {
    if (!(await isOther())) return error
  } catch {
    // A table that cannot be read counts as changed.
  }
  const { code, message, where, reason, hint, cause } = error
  return new SluiceError(code, message, { retryable: true, where, reason, hint, cause })
}

function shown(cell: Cell): string {
  if (cell === null) return 'NULL'
  return typeof cell === 'object' ? `x'${hexDigits(cell)}'` : String(cell).slice(0, 60)
}

/** Details of a refusal: the fields of a composite type differ between source and target. */
export const OTHER_FIELDS = {
  reason: 'the text of a value does not name its fields, so values could get into other fields',
  hint: 'give the type the same fields in the same order on both sides, or exclude the column with --columns',
} as const
