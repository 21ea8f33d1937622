/**
 * An entry of the log: batches of statements that changed the ledger, in order, and the current time that all of them
 * used.
 *
 * Stored as JSON, with marks for values that JSON lacks. Entries of `DEFLATE_FROM` bytes or more are deflated. The
 * first byte shows whether an entry is deflated.
 */
import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { SluiceError } from '../../../shared/errors.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { doubleText } from '../../../model/copy/canonical.ts'

export type StoredEntry = {
  /** Milliseconds since the epoch by the clock of the cluster. */
  readonly now: number
  readonly batches: readonly EntryBatch[]
}

export type EntryBatch = {
  readonly statements: readonly Statement[]
  /** Number of rows that the batch changed. If a replica changes another number of rows, its content differs. */
  readonly changes: number
}

/** Maximum number of bytes of an entry before it is compressed. */
export const MOST_ENTRY_BYTES = 10_000_000
const DEFLATE_FROM = 512
const PLAIN = 0
const DEFLATED = 1

type Marked = null | string | number | { readonly n: string } | { readonly f: string } | { readonly b: string }

type Stored = readonly [now: number, batches: readonly StoredBatch[]]

type StoredBatch = readonly [changes: number, statements: readonly (readonly [sql: string, ...parameters: Marked[]])[]]

/** @throws SluiceError VALUE_REFUSED if it is larger than `MOST_ENTRY_BYTES` */
export function packEntry({ now, batches }: StoredEntry): Buffer {
  const stored: Stored = [
    now,
    batches.map(({ changes, statements }) => [
      changes,
      statements.map(({ sql, parameters }) => [sql, ...parameters.map(marked)] as const),
    ]),
  ]
  const bytes = Buffer.from(JSON.stringify(stored))
  if (bytes.length > MOST_ENTRY_BYTES) {
    throw new SluiceError(
      'VALUE_REFUSED',
      `a change of the ledger has ${bytes.length} bytes, but the limit for an entry of its log is ${MOST_ENTRY_BYTES}`,
      {
        hint: 'use smaller chunks, or a lower --max-aside',
      },
    )
  }
  if (bytes.length < DEFLATE_FROM) return Buffer.concat([Buffer.of(PLAIN), bytes])
  return Buffer.concat([Buffer.of(DEFLATED), deflateRawSync(bytes, { level: 1 })])
}

/** @throws Error if the bytes are not an entry */
export function unpackEntry(bytes: Buffer): StoredEntry {
  const body = bytes.subarray(1)
  const text = bytes[0] === DEFLATED ? inflateRawSync(body, { maxOutputLength: 2 * MOST_ENTRY_BYTES }) : body
  const [now, batches] = JSON.parse(text.toString()) as Stored
  return {
    now,
    batches: batches.map(([changes, statements]) => ({
      changes,
      statements: statements.map(([sql, ...parameters]) => ({ sql, parameters: parameters.map(unmarked) })),
    })),
  }
}

/** Checksum of the written bytes, to detect damage before they are used. */
export function entryChecksum(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Approximate bytes of statements. */
export function weightOf(statements: readonly Statement[]): number {
  let bytes = 0
  for (const { sql, parameters } of statements) {
    bytes += sql.length
    for (const value of parameters) {
      bytes += typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.length * 1.4 : 20
    }
  }
  return bytes
}

function marked(value: SqlValue): Marked {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'bigint') return { n: value.toString() }
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0) ? value : { f: doubleText(value) }
  return { b: Buffer.from(value).toString('base64') }
}

function unmarked(value: Marked): SqlValue {
  if (value === null || typeof value !== 'object') return value
  if ('n' in value) return BigInt(value.n)
  return 'f' in value ? Number(value.f) : Buffer.from(value.b, 'base64')
}
