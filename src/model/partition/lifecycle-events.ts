/** How far a table is from one without partitions to one whose old partitions are in an archive; part of the union in event.ts. */
import type { Dec } from '../run/dec.ts'

/** In the order in which a table goes through them. */
export const LIFECYCLE_PHASES = ['partitioning', 'switch', 'new partitions', 'archiving'] as const
export type LifecyclePhaseName = (typeof LIFECYCLE_PHASES)[number]

/**
 * `done`: nothing is to be done now. `running`: a program works on it, or waits for time to pass. `due`: the command that is named takes it further.
 * `blocked`: somebody has to look first. `not begun`: the phase before comes first. `not asked for`: the config file says nothing of it.
 */
export const LIFECYCLE_STATES = ['blocked', 'due', 'running', 'done', 'not begun', 'not asked for'] as const
export type LifecycleState = (typeof LIFECYCLE_STATES)[number]

/** One phase of one table. Times in ISO, bounds as their system prints them; what nobody knows is absent. */
export type LifecyclePhaseEvent = {
  type: 'lifecycle.phase'
  table: string
  /** 1 to 4. */
  phase: number
  name: LifecyclePhaseName
  state: LifecycleState
  detail: string
  /** What is in the way, a sentence each. */
  blocks?: readonly string[]
  /** A command that runs as it is printed. */
  next?: string
  /** Others that can be run now, though nothing asks for them: the way back. */
  also?: readonly string[]
  /** The stream that fills the partitioned table. */
  stream?: string
  chunks?: Dec
  chunksDone?: Dec
  /** Partitions with rows, while they are copied. */
  periods?: Dec
  periodsDone?: Dec
  /** Rows that are in the partitioned table, as its ledger counts them. */
  rows?: Dec
  /** Log of the source that is not applied yet. */
  lagBytes?: Dec
  /** When the last transaction was committed that is applied. */
  appliedAt?: string
  provedAt?: string
  /** What the last comparison found. */
  equal?: boolean
  signedAt?: string
  signedBy?: string
  switchedAt?: string
  /** Longest that a writer may have waited for the switch. */
  pauseMs?: number
  /** How often the tables have changed places; odd: the partitioned one has the public name. */
  turn?: number
  /** The table that had the public name before. */
  parked?: string
  /** How long the old table is kept. */
  keptUntil?: string
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

/** The config file with the entry of a table, or with `file` absent what stands in one that has nothing else. */
export type LifecycleConfigEvent = {
  type: 'lifecycle.config'
  table: string
  /** Where it was written; absent where it is only printed. */
  file?: string
  text: string
}
