/** Input and result of the checks of a table. */
import type { OperationalTable } from '../../../../model/follow/operational-port.ts'
import type { SignOffCheck } from '../../../../model/follow/sign-off.ts'

export type CheckedTable = OperationalTable & { readonly oid: string; readonly sql: string }

export type OperationalVerdict = Pick<SignOffCheck, 'outcome' | 'found' | 'hint'>
