/**
 * Events of a cutover: two tables of one database swap names, or writers move to another database. A reverse stream
 * keeps the old table equal to the new one.
 */
import type { Dec, Ms } from '../run/dec.ts'

/** State of a cutover check. `waiting`: the cutover waits until it passes. `refused`: the user must act first. */
export type GateState = 'ok' | 'waiting' | 'refused'

/** Sent when the state of a cutover check changes. */
export type CutoverGateEvent = {
  type: 'cutover.gate'
  /** The public name. */
  table?: string
  name: string
  state: GateState
  detail: string
  hint?: string
}

/** An object that is bound to the old table rather than to its name. */
export type CutoverFindingEvent = {
  type: 'cutover.finding'
  /** `made`: created again for the new table. `left`: stays with the old one. */
  verdict: 'refused' | 'made' | 'left' | 'fine'
  about: string
  object?: string
  detail: string
  hint?: string
}

export type CutoverStepEvent = {
  type: 'cutover.step'
  /**
   * `released`: a try was given up before any change; waiting sessions continue. `again`: changed rows differ, and all
   * rows are compared once more. Steps of a run after a killed program: `went on` opens the target, `taken back` opens
   * the source again.
   */
  step:
    | 'reverse stream'
    | 'trying'
    | 'released'
    | 'again'
    | 'exchanged'
    | 'cleaned up'
    | 'given up'
    | 'done before'
    // Only between two databases.
    | 'closing'
    | 'session ended'
    | 'closed'
    | 'proved'
    | 'opened'
    | 'announced'
    | 'went on'
    | 'taken back'
  detail: string
}

export type CutoverSwitchedEvent = {
  type: 'cutover.switched'
  /** The public name. */
  table: string
  /** The name that the old table has now. */
  parked: string
  /** Only between two databases: the database that takes writes now, and the one that no longer takes writes. */
  database?: string
  closed?: string
  revert: boolean
  /** Longest wait of a session per try, and the total of all tries. */
  pauseMs: Ms
  waitedMs: Ms
  /** Set if both times are lower bounds, because a program was killed during a try. Only between two databases. */
  isLeast?: true
  tries: Dec
  /** Rows of the full comparison, and rows compared again within the cutover. */
  provedRows: Dec
  touchedRows: Dec
  /** The stream that keeps the old table equal to the new one, and its start position. */
  stream: string
  position: string
  /** The command that reverses the cutover. */
  wayBack: string
  /** Only between two databases: why `wayBack` would be refused now; absent if it would be accepted. */
  refusedWhile?: string
}

/** All events of this file. */
export type CutoverEvents = CutoverGateEvent | CutoverFindingEvent | CutoverStepEvent | CutoverSwitchedEvent
