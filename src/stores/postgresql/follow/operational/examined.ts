/** What the checks of a table begin with, and what they answer. */
import type { TableSpec } from '../../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../../model/follow/sign-off.ts'

/** A table as the checks meet it. */
export type CheckedTable = {
  readonly oid: string
  readonly spec: TableSpec
  readonly sql: string
}

/** What a check of one table answers. */
export type OperationalVerdict = Pick<SignOffCheck, 'outcome' | 'found' | 'hint'>
