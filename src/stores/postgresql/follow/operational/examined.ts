/** Input and result of the checks of a table. */
import type { TableSpec } from '../../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../../model/follow/sign-off.ts'

export type CheckedTable = {
  readonly oid: string
  readonly spec: TableSpec
  readonly sql: string
}

export type OperationalVerdict = Pick<SignOffCheck, 'outcome' | 'found' | 'hint'>
