import { ACCESS_LEVELS, type AccessLevel } from '../../../../catalog/access-level.ts'
import { QUEUE_ROLES } from '../../../../model/share/queue-rights-port.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import { CONNECT } from '../../../run/operations/shared-options.ts'

export { ACCESS_LEVELS, QUEUE_ROLES }

export type GrantsOperation = {
  readonly kind: 'grants'
  readonly catalog: string
  readonly role: AccessLevel
  /** Name of the role or user, as the database spells it; `name@host` for MySQL. */
  readonly to: string
  readonly apply: boolean
}

const EVENTS = ['statement', 'log'] as const

export const grants: Declaration<GrantsOperation, (typeof EVENTS)[number]> = {
  kind: 'grants',
  command: {
    ...PAGES.grants,
    takes: [
      {
        name: 'role',
        type: 'choice',
        choices: [...ACCESS_LEVELS, ...QUEUE_ROLES],
        required: true,
        describe:
          'for a catalog: reader (queries), importer (writes rows) or admin (creates and upgrades it); for a queue: worker (works, submits and steers runs) or observer (reads)',
      },
      { name: 'to', type: 'text', required: true, describe: 'role or user that gets the rights; name@host for MySQL' },
      CONNECT,
      {
        name: 'apply',
        type: 'flag',
        default: false,
        describe: 'also execute the statements, instead of only printing them',
      },
    ],
  },
  display: 'answer',
  stores: [{ field: 'catalog', family: 'catalog', access: 'write', end: 'target' }],
  events: EVENTS,
}
