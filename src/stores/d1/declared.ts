/** Declares D1: name, schemes of its URLs, and what it offers. */
import type { SystemDeclaration } from '../declaration.ts'

export const d1: SystemDeclaration = {
  name: 'd1',
  title: 'D1',
  schemes: ['d1'],
  example: 'd1://ACCOUNT/DATABASE',
  family: 'sqlite',
  copies: {
    atomic: 'batch',
    offers: ['spellings'],
    open: async ({ url }, options) => (await import('./copy/index.ts')).openD1Copy(url, options),
  },
  unasked:
    'its API runs all statements: D1 has no read-only sessions, so only sluice could prevent a statement from writing',
  inspect: async (checks, url) => (await import('./preflight.ts')).inspectD1(checks, url),
}
