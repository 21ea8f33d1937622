/** Progress of a table from no partitions to archived partitions. */
import type { Dec, Int, Ms, Time } from '../run/dec.ts'

/** Lifecycle phases, in order. */
export const LIFECYCLE_PHASES = ['partitioning', 'switch', 'new partitions', 'archiving'] as const
export type LifecyclePhaseName = (typeof LIFECYCLE_PHASES)[number]

/**
 * `done`: nothing to do now. `running`: a program works on it, or waits for a time. `due`: the given command continues
 * it. `blocked`: the user must act first. `not begun`: the previous phase comes first. `not asked for`: not in the
 * config file.
 */
export const LIFECYCLE_STATES = ['blocked', 'due', 'running', 'done', 'not begun', 'not asked for'] as const
export type LifecycleState = (typeof LIFECYCLE_STATES)[number]

/** One phase of one table. Times in ISO, bounds as their system prints them; unknown values are absent. */
export type LifecyclePhaseEvent = {
  type: 'lifecycle.phase'
  table: string
  phase: Int<1, 4>
  name: LifecyclePhaseName
  state: LifecycleState
  detail: string
  /** What prevents the phase, one sentence per cause. */
  blocks?: readonly string[]
  /** A command that can be run as printed. */
  next?: string
  /** Optional commands that can be run now, such as the reversal. */
  also?: readonly string[]
  /** The stream that fills the partitioned table. */
  stream?: string
  chunks?: Dec
  chunksDone?: Dec
  /** Number of partitions with rows, during the copy. */
  periods?: Dec
  periodsDone?: Dec
  /** Rows in the partitioned table, according to its ledger. */
  rows?: Dec
  /** Log of the source that is not applied yet. */
  lagBytes?: Dec
  /** Commit time of the last applied transaction. */
  appliedAt?: Time
  provedAt?: Time
  /** True if the last comparison found both tables equal. */
  equal?: boolean
  signedAt?: Time
  signedBy?: string
  switchedAt?: Time
  /** Longest wait of a writer during the cutover. */
  pauseMs?: Ms
  /** Number of cutovers, reversals included. If it is odd, the partitioned table has the public name. */
  turn?: Int
  /** The table that had the public name before. */
  parked?: string
  /** End of the grace period of the old table. */
  keptUntil?: Time
  partitions?: Dec
  coveredTo?: string
  missing?: Dec
  defaultRows?: Dec
  archived?: Dec
  /** Upper bound of the newest archived period. */
  archivedTo?: string
  due?: Dec
  archive?: string
}

/** Text of the config file with the entry of a table. Without `file`: text of a file that has only this entry. */
export type LifecycleConfigEvent = {
  type: 'lifecycle.config'
  table: string
  /** The file in which the entry was written; absent if the entry is only printed. */
  file?: string
  text: string
}

/** All events of this file. */
export type LifecycleEvents = LifecyclePhaseEvent | LifecycleConfigEvent
