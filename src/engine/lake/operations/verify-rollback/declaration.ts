import type { CheckFiles } from '../rollback/declaration.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { CHECK_FILES, CHECKED_FILES, TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type VerifyRollbackOperation = {
  readonly kind: 'verify-rollback'
  readonly table: string
  readonly catalog: string
  readonly checkFiles: CheckFiles
}

const EVENTS = ['verify.check', 'log'] as const

export const verifyRollback: Declaration<VerifyRollbackOperation, (typeof EVENTS)[number]> = {
  kind: 'verify-rollback',
  command: {
    ...PAGES['verify-rollback'],
    takes: [TABLE, CHECK_FILES],
  },
  words: {
    table: words.text('table'),
    catalog: words.catalog,
    checkFiles: words.choice('check-files', CHECKED_FILES),
  },
  display: 'lines',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: EVENTS,
}
