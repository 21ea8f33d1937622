/** Events of `fsck`. */
import type { Dec } from '../run/dec.ts'

/** Something that `fsck` came upon. */
export type FsckFindingEvent = {
  type: 'fsck.finding'
  table: string
  /** `note`: nothing is wrong with the version that was looked at. */
  level: 'finding' | 'note'
  /** Its kind, of a closed list. */
  finding: string
  path?: string
  column?: string
  /** What the log says, and what is there. */
  log?: string
  found?: string
  detail: string
  bytes?: Dec
  hint: string
}

/** A level of `fsck` has been gone through: of so many files, commits or vectors so many were looked at. */
export type FsckCheckedEvent = {
  type: 'fsck.checked'
  table: string
  check:
    | 'actions'
    | 'listing'
    | 'vectors'
    | 'footers'
    | 'statistics'
    | 'rows'
    | 'checkpoints'
    | 'sidecars'
    | 'checksums'
    | 'compacted'
    | 'history'
  looked: Dec
  of: Dec
  findings: Dec
  detail: string
}

/** How far a step of `fsck` is, a few times a second. */
export type FsckProgressEvent = {
  type: 'fsck.progress'
  table: string
  /** Files: all of them, with the footers and vectors that are opened; sample: those that are opened where not all are. */
  step: 'listing' | 'files' | 'sample' | 'checkpoints' | 'history'
  /** Objects that were listed; files, checkpoints or commits that were gone through. */
  done: Dec
  /** Absent where nobody knows. */
  total?: Dec
  /** Of those files, as the log says, or of the objects; 0 for anything else. */
  bytes: Dec
}
