import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'

export type DoctorOperation = { readonly kind: 'doctor'; readonly catalog?: string; readonly path?: string }

const EVENTS = ['check', 'log'] as const

export const doctor: Declaration<DoctorOperation, (typeof EVENTS)[number]> = {
  kind: 'doctor',
  command: {
    ...PAGES.doctor,
    takes: [
      {
        name: 'path',
        operand: true,
        type: 'text',
        completes: 'path',
        describe: 'a lake or table to check as well, or the URL of a database, such as d1://ACCOUNT/DATABASE',
      },
    ],
  },
  display: 'listing',
  stores: [
    { field: 'path', family: 'lake', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'path',
  events: EVENTS,
}
