/** Parts of what is wanted of a copy or a comparison: of rings of tokens, of Cassandra, of the tools that sluice stands in for. */
import type { Cdc } from '../../../../model/follow/port.ts'
import type { AlertWish } from '../../../../model/run/alert.ts'
import type { ScriptSizes } from '../../../../model/copy/script-presets.ts'

export type ScriptWish = {
  /** What nobody has set, and the size of the largest table decides. */
  readonly auto?: readonly (keyof ScriptSizes)[]
}

export type RingWish = {
  /** Ranges of a table; by its size when absent. */
  readonly splits?: number
  /** Smallest and largest token, both included, as texts. */
  readonly min?: string
  readonly max?: string
  /** 1 to 100: how much of the beginning of each range is read. */
  readonly coverage?: number
  /** Only these, both ends included, as texts: what a run of another tool has left. They are cut no more. */
  readonly ranges?: readonly { readonly min: string; readonly max: string }[]
}

export type TrackWish = {
  /** Only what this run left NOT_STARTED, STARTED, FAIL or DIFF; the new run names it. */
  readonly previous?: string
  /** Goes on with the latest run, where that did not end well. */
  readonly autoRerun?: true
  /** Its number there; that of the run when absent. */
  readonly runId?: string
}

export type CassandraWish = {
  readonly readConsistency?: string
  readonly writeConsistency?: string
  /** Where a write cannot be had at its level it is done at ONE, told, and listed to be checked again. */
  readonly fallBackToOne?: true
  /** Rows of one batch; batches hold rows of one partition only. */
  readonly batchRows?: number
  /** Rows of one page. */
  readonly pageRows?: number
  /** Seconds that every row lives, instead of what the source says. */
  readonly ttl?: number
  /** Microseconds since 1970 that every row is written with, instead of what the source says. */
  readonly writetime?: string
  /** Values are written without their times. */
  readonly dropStamps?: true
  /** Columns of the target: every value of a row is written at the latest of their times, as CDM's `writetime.names` has it. */
  readonly timesOf?: readonly string[]
  /** The same for how long values live: the longest of these, as `ttl.names` has it. */
  readonly livesOf?: readonly string[]
}

export type FollowWish = {
  /**
   * `caught-up`: ends once every table holds what the source held when the run began to follow. `equal`: ends once every row was found equal as of one moment.
   * Of a sign-off: ends once its comparison, which the ledger asks for, is answered. Goes on until it is stopped when absent.
   */
  readonly until?: 'caught-up' | 'equal' | { readonly signOff: string }
  /** Writers of the tables wait while the slot is made. */
  readonly quiesce?: true
  /** Ms between two rounds in which all rows are compared; none are when absent. */
  readonly proveEveryMs?: number
  /** Who is told of lag, of log that is held back, of errors. */
  readonly alert?: AlertWish
  /** Nothing is copied: changes are applied to what is. Of streams of `partition run`. */
  readonly changesOnly?: true
  /** Sessions that apply changes at the same time; as the stream is divided when absent, one to begin with. */
  readonly lanes?: number
  /** Tables of the stream that are emptied and copied anew while the others keep what they hold. */
  readonly resync?: readonly string[]
  /** The target of the stream has another address, or is another database, than the source has noted: it goes on here from now on. */
  readonly moved?: true
  /** Triggers of the target fire for changes, too. */
  readonly fireTriggers?: true
  /** How the source tells changes; as the stream began, or by a slot, when absent. */
  readonly cdc?: Cdc
}
