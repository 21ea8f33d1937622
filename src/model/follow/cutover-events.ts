/** Events of a switch: two tables of one database change places, or writers go to another database; a stream keeps the table that they left equal. */
import type { Dec } from '../run/dec.ts'

/** `waiting`: may pass by itself, and is waited for. `refused`: somebody has to do something first. */
export type GateState = 'ok' | 'waiting' | 'refused'

/** Told when its state changes. */
export type CutoverGateEvent = {
  type: 'cutover.gate'
  /** The public name. */
  table?: string
  name: string
  state: GateState
  detail: string
  hint?: string
}

/** Something that is bound to the old table and not to its name. */
export type CutoverFindingEvent = {
  type: 'cutover.finding'
  /** `made`: is made again for the new table. `left`: stays with the old one. */
  verdict: 'refused' | 'made' | 'left' | 'fine'
  about: string
  object?: string
  detail: string
  hint?: string
}

export type CutoverStepEvent = {
  type: 'cutover.step'
  /** `released`: a try was given up before anything had changed, and those who waited go on. */
  step:
    | 'reverse stream'
    | 'trying'
    | 'released'
    | 'again'
    | 'exchanged'
    | 'cleaned up'
    | 'given up'
    | 'done before'
    // Between two databases.
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
  /** What the table that had it is called now. */
  parked: string
  /** Between two databases: the one that takes the writes now, and the one that is closed. */
  database?: string
  closed?: string
  revert: boolean
  /** Longest that anybody may have waited at a time, and all tries together. */
  pauseMs: number
  waitedMs: number
  tries: Dec
  /** Rows of the comparison of the whole table, and those that were compared again within the switch. */
  provedRows: Dec
  touchedRows: Dec
  /** The stream that keeps the parked table equal, and the position from which it tells. */
  stream: string
  position: string
  /** The command that lets both change places once more. */
  wayBack: string
  /** Between two databases: what that command is refused for as things stand; absent where nothing is. */
  refusedWhile?: string
}
