/** Events of tables whose rows lie on a token ring. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { RingSpec } from './column-type.ts'
import type { Dec, Ms } from '../run/dec.ts'

/** A part of a table's ring and its contents: counted if `exact`, otherwise estimated from a sample. */
export type RingPartEvent = {
  type: 'ring.part'
  table: string
  /** Tokens, both inclusive. */
  from: Dec
  to: Dec
  rows: Dec
  partitions: Dec
  /** Size of the values. */
  bytes: Dec
  exact: boolean
  /** Estimates of the servers, if they make any. */
  server?: { partitions: Dec; bytes: Dec }
}

/** A server of the ring, and its share of the table. */
export type RingHostEvent = {
  type: 'ring.host'
  table: string
  host: string
  datacenter: string
  rack: string
  up: boolean
  /** Number of its primary token ranges. */
  ranges: Dec
  /** Share of the whole ring, replicas included: 0 to 1. */
  share: number
  rows: Dec
  bytes: Dec
}

type NamedPart = { from: Dec; to: Dec; rows: Dec; bytes: Dec }

/** Totals of a table's whole ring, sent after its parts and hosts. */
export type RingEvent = {
  type: 'ring'
  table: string
  partitioner: RingSpec['partitioner']
  parts: Dec
  rows: Dec
  partitions: Dec
  bytes: Dec
  exact: boolean
  /** Rows read for the sample. */
  seen: Dec
  /** Rows of the fullest part divided by the mean of all parts. */
  skew: number
  /** The parts with the most rows, fullest first. */
  largest: readonly NamedPart[]
  /** The parts with the fewest rows, emptiest first. */
  emptiest: readonly NamedPart[]
  /** The largest partition seen; with `more` it was not read to its end. */
  fullest?: { key: readonly string[]; token: Dec; rows: Dec; bytes: Dec; more: boolean }
  server?: { partitions: Dec; bytes: Dec }
}

/** Result of a comparison in one token range. */
export type DiffRangeEvent = {
  type: 'diff.range'
  table: string
  worker: number
  /** Tokens, both inclusive. */
  from: Dec
  to: Dec
  /** `DIFF_CORRECTED`: all missing and different rows were repaired. `FAIL`: the comparison did not complete. */
  status: 'PASS' | 'DIFF' | 'DIFF_CORRECTED' | 'FAIL'
  /** Rows of the source, and how many of them are equal. */
  rows: Dec
  valid: Dec
  missing: Dec
  fixedMissing: Dec
  different: Dec
  fixedDifferent: Dec
  /** Surplus rows, and how many of them were removed. */
  extra: Dec
  removed: Dec
  /** Rows that could not be read or repaired. */
  errors: Dec
  ms: Ms
  error?: ErrorInfo
}

/** All events of this file. */
export type RingEvents = RingPartEvent | RingHostEvent | RingEvent | DiffRangeEvent
