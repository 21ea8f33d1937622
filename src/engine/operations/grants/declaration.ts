import { ACCESS_LEVELS, type AccessLevel } from '../../../catalog/access-level.ts'
import type { Declaration } from '../declaration.ts'
import { PAGES } from '../pages.ts'
import * as words from '../words.ts'

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
        choices: ACCESS_LEVELS,
        required: true,
        describe: 'reader (asks), importer (writes rows) or admin (makes and upgrades the catalog)',
      },
      { name: 'to', type: 'text', required: true, describe: 'role or user that gets the rights; name@host for MySQL' },
      { name: 'apply', type: 'flag', default: false, describe: 'run the statements too, and not only print them' },
    ],
  },
  words: {
    catalog: words.catalog,
    role: words.choice('role', ACCESS_LEVELS),
    to: words.text('to'),
    apply: words.flag('apply'),
  },
  shape: 'answer',
  stores: [{ field: 'catalog', family: 'catalog', access: 'write', end: 'target' }],
  events: EVENTS,
}
