import type { Declaration } from '../../../run/operations/declaration.ts'
import { TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'

export type ChangesOperation = {
  readonly kind: 'changes'
  readonly table: string
  readonly catalog?: string
  readonly fromVersion: number
  readonly toVersion: number
}

const EVENTS = ['change', 'log'] as const

export const changes: Declaration<ChangesOperation, (typeof EVENTS)[number]> = {
  kind: 'changes',
  command: {
    ...PAGES.changes,
    takes: [
      TABLE,
      { name: 'from-version', type: 'number', required: true, describe: 'list only changes after this version' },
      { name: 'to-version', type: 'number', required: true, describe: 'version of the last change' },
    ],
  },
  display: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: EVENTS,
}
