/** Events about tables whose rows lie on a ring of tokens. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { RingSpec } from './column-type.ts'
import type { Dec } from '../run/dec.ts'

/** A part of the ring of a table, and what lies in it: counted where `exact`, else what a sample lets expect. */
export type RingPartEvent = {
  type: 'ring.part'
  table: string
  /** Tokens, both included. */
  from: Dec
  to: Dec
  rows: Dec
  partitions: Dec
  /** Of the values. */
  bytes: Dec
  exact: boolean
  /** Estimates of the servers, of those that make them. */
  server?: { partitions: Dec; bytes: Dec }
}

/** A server of the ring, and what it holds of the table. */
export type RingHostEvent = {
  type: 'ring.host'
  table: string
  host: string
  datacenter: string
  rack: string
  up: boolean
  /** Ranges of tokens that are its own. */
  ranges: Dec
  /** Of the whole ring, with what it holds for others: 0 to 1. */
  share: number
  rows: Dec
  bytes: Dec
}

type NamedPart = { from: Dec; to: Dec; rows: Dec; bytes: Dec }

/** The whole ring of a table, behind its parts and hosts. */
export type RingEvent = {
  type: 'ring'
  table: string
  partitioner: RingSpec['partitioner']
  parts: Dec
  rows: Dec
  partitions: Dec
  bytes: Dec
  exact: boolean
  /** Rows that were read for it. */
  seen: Dec
  /** How many times as many rows as parts have on average the fullest one has. */
  skew: number
  /** Fullest first. */
  largest: readonly NamedPart[]
  /** Emptiest first. */
  emptiest: readonly NamedPart[]
  /** The partition with the most rows that was seen; with `more` it was not read to its end. */
  fullest?: { key: readonly string[]; token: Dec; rows: Dec; bytes: Dec; more: boolean }
  server?: { partitions: Dec; bytes: Dec }
}

/** What a comparison came to in one range of tokens. */
export type DiffRangeEvent = {
  type: 'diff.range'
  table: string
  worker: number
  /** Tokens, both included. */
  from: Dec
  to: Dec
  /** `DIFF_CORRECTED`: all that was missing or different was mended. `FAIL`: it could not be compared to its end. */
  status: 'PASS' | 'DIFF' | 'DIFF_CORRECTED' | 'FAIL'
  /** Rows of the source, and how many of them are equal. */
  rows: Dec
  valid: Dec
  missing: Dec
  fixedMissing: Dec
  different: Dec
  fixedDifferent: Dec
  /** Rows that only the target has, and how many of them were removed. */
  extra: Dec
  removed: Dec
  /** Rows that could not be read, or not be mended. */
  errors: Dec
  ms: number
  error?: ErrorInfo
}
