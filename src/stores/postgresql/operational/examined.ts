/** What the checks of a table begin with, and what they answer. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../model/sign-off.ts'

/** A table as the checks meet it. */
export type Examined = {
  readonly oid: string
  readonly table: TableName
  readonly sql: string
  readonly key: readonly string[]
}

/** What a check of one table answers. */
export type Verdict = Pick<SignOffCheck, 'outcome' | 'found' | 'hint'>
