/** Events of `fsck`. */
import type { Dec } from '../run/dec.ts'
import type { FindingKind } from './findings.ts'

/** A finding of `fsck`. */
export type FsckFindingEvent = {
  type: 'fsck.finding'
  table: string
  /** `note`: the inspected version is not affected. */
  level: 'finding' | 'note'
  finding: FindingKind
  path?: string
  column?: string
  /** `log`: value according to the log. `found`: actual value. */
  log?: string
  found?: string
  detail: string
  bytes?: Dec
  hint: string
}

/**
 * A level of `fsck` is complete. `looked`: number of inspected files, commits or vectors; `of`: number of all of them.
 * `drawn`: set if the inspected ones were selected at random.
 */
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
  drawn?: true
}

/** Progress of a step of `fsck`, a few times per second. */
export type FsckProgressEvent = {
  type: 'fsck.progress'
  table: string
  /** `files`: all files, and contents of the files that are opened. `sample`: contents of files selected at random. */
  step: 'listing' | 'files' | 'sample' | 'checkpoints' | 'history'
  /** Number of listed objects, or of processed files, checkpoints or commits. */
  done: Dec
  /** Number of objects to process; absent if unknown. */
  total?: Dec
  /** Size of the processed files according to the log, or of the listed objects; 0 in other steps. */
  bytes: Dec
}

/** All events of this file. */
export type FsckEvents = FsckFindingEvent | FsckCheckedEvent | FsckProgressEvent
