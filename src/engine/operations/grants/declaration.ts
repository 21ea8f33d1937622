import type { AccessLevel } from '../../../catalog/access-level.ts'
import type { Declaration } from '../declaration.ts'

export type GrantsOperation = {
  readonly kind: 'grants'
  readonly catalog: string
  readonly role: AccessLevel
  /** Name of the role or user, as the database spells it; `name@host` for MySQL. */
  readonly to: string
  readonly apply: boolean
}

export const grants: Declaration<GrantsOperation> = {
  kind: 'grants',
  command: 'grants',
  shape: 'answer',
  stores: [{ field: 'catalog', family: 'catalog', access: 'write', end: 'target' }],
  events: ['statement', 'log'],
}
