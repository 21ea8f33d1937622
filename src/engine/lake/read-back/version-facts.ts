/** Kinds of facts that are compared for a version, in the order of reporting. */
import type { FactBlocks } from './fact-sums.ts'
import { DOMAIN_FIELDS, FILE_FIELDS, METADATA_FIELDS, PROTOCOL_FIELDS, REMOVE_FIELDS, TXN_FIELDS } from './facts.ts'

export const FIELDS = {
  files: FILE_FIELDS,
  removes: REMOVE_FIELDS,
  protocol: PROTOCOL_FIELDS,
  metadata: METADATA_FIELDS,
  transactions: TXN_FIELDS,
  domains: DOMAIN_FIELDS,
  /** Totals of all files; the totals of the log are known only after its files were read. */
  totals: ['files', 'bytes', 'rows'],
} as const

export type What = keyof typeof FIELDS

export type VersionFacts = Readonly<Record<What, FactBlocks>>
