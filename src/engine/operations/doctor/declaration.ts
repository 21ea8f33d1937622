import type { Declaration } from '../declaration.ts'

export type DoctorOperation = { readonly kind: 'doctor'; readonly catalog?: string; readonly path?: string }

export const doctor: Declaration<DoctorOperation> = {
  kind: 'doctor',
  command: 'doctor',
  shape: 'listing',
  stores: [
    { field: 'path', family: 'lake', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'path',
  events: ['check', 'log'],
}
