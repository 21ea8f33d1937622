import type { Declaration } from '../declaration.ts'

export type TokensOperation = {
  readonly kind: 'tokens'
  readonly from: string
  /** Names or patterns. */
  readonly tables: readonly string[]
  /** Equal parts of the ring that are told apart. */
  readonly splits: number
  /** Windows of it that are looked at. */
  readonly sample: number
  /** The same seed looks at the same windows. */
  readonly seed: string
}

export const tokens: Declaration<TokensOperation> = {
  kind: 'tokens',
  command: 'tokens',
  shape: 'listing',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  events: ['ring', 'ring.part', 'ring.host', 'log'],
}
