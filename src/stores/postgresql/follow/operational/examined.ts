/** Input and result of the checks of a table. */
import type { TableSpec } from '../../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../../model/follow/sign-off.ts'

/** A table to check. */
export type CheckedTable = {
  readonly oid: string
  readonly spec: TableSpec
  readonly sql: string
}

/** Result of one check of a table. */
export type OperationalVerdict = Pick<SignOffCheck, 'outcome' | 'found' | 'hint'>
