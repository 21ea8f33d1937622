/** Findings of `fsck`. */
import type { FindingKind } from '../../model/lake/findings.ts'

/** `finding`: the table cannot be read correctly. `note`: worth knowing, but the checked version is correct. */
export type FindingLevel = 'finding' | 'note'

export type Finding = {
  readonly level: FindingLevel
  readonly kind: FindingKind
  /** Path of the file, spelled as in the log or the listing. */
  readonly path?: string
  /** Physical name, with dots between the parts. */
  readonly column?: string
  /** The value in the log. */
  readonly log?: string
  /** The value found. */
  readonly found?: string
  readonly detail: string
  readonly bytes?: bigint
  /** Path of a missing file below the root. If only an old version needs the file, the finding becomes a note. */
  readonly absent?: string
}
