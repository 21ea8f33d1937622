/**
 * The log of a ledger in Cassandra: entries, each with the previous one's id, and a head row with the id of the last.
 *
 * An entry is written first, without effect. It becomes part of the log by one lightweight transaction on the head row,
 * which succeeds only if the head still names the previous entry. So a log has no forks and no gaps, and a program that
 * is behind the trimmed part cannot write.
 */
import { setTimeout as sleepFor } from 'node:timers/promises'
import { types, type QueryOptions } from 'cassandra-driver'
import { SluiceError } from '../../../shared/errors.ts'
import { longBytes } from '../long-bytes.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraFailure } from '../failure.ts'
import { entryChecksum } from './entry.ts'
import { brokenLedger, isCassandraTransient, ledgerError } from './failures.ts'
import { LEDGER, LOG_FORMAT, logTables, makeLogTables, refuseOtherLogTables, type LogTables } from './tables.ts'

export type LedgerPosition = {
  readonly seq: bigint
  /** Id of the entry at this position. */
  readonly id: string
}

export type LedgerSnapshot = {
  /** The last entry that the snapshot includes. */
  readonly position: LedgerPosition
  /** Null before the first snapshot: an empty ledger. */
  readonly id: string | null
  readonly parts: number
  readonly sum: string
  /** The first bucket that may still hold entries. */
  readonly trimmed: bigint
}

export type SnapshotHead = LedgerPosition & {
  readonly snapshot: LedgerSnapshot
  /** Milliseconds since the epoch, by the clock of the cluster, when this was read. */
  readonly now: number
}

export type LedgerLogEntry = LedgerPosition & { readonly prev: string; readonly bytes: Buffer }

/** `taken`: another entry has the position. An error if the outcome is unknown. */
export type AppendOutcome = 'applied' | 'taken' | SluiceError

/** Entries per partition. */
export const BUCKET = 256n
const INLINE_BYTES = 128 * 1024
const PART_BYTES = 256 * 1024
const ATTEMPTS = 100

export class LedgerLog {
  readonly tables: LogTables
  readonly #link: CassandraLink
  readonly #level: { readonly plain: number; readonly serial: number; readonly name: string }
  readonly #clock: string
  readonly #keyspace: string

  constructor(link: CassandraLink, keyspace: string) {
    this.#link = link
    this.#keyspace = keyspace
    this.tables = logTables(keyspace)
    const { consistencies } = types
    // Across data centres only SERIAL gives a single order; LOCAL_SERIAL must be set for all programs of a user.
    const isLocal = link.settings.serialConsistency === 'LOCAL_SERIAL'
    this.#level = isLocal
      ? {
          plain: consistencies.localQuorum,
          serial: consistencies.localSerial,
          name: `LOCAL_SERIAL in ${link.datacenter}`,
        }
      : { plain: consistencies.quorum, serial: consistencies.serial, name: 'SERIAL' }
    const [major = 0, minor = 0] = link.release.split('.').map(Number)
    this.#clock =
      !link.settings.ycql && (major < 2 || (major === 2 && minor < 2)) ? 'dateOf(now())' : 'toTimestamp(now())'
  }

  /** Milliseconds since the epoch by the clock of a node. */
  async now(): Promise<number> {
    const [row] = await this.#run(`SELECT ${this.#clock} AS clock FROM system.local`, [], types.consistencies.one)
    return timeOf(row)
  }

  /**
   * The end of the log, after pending changes were completed or discarded; null if there is no log.
   * @throws SluiceError LEDGER_NEWER
   */
  async head(): Promise<SnapshotHead | null> {
    try {
      const [row] = await this.#run(
        `SELECT ${this.#clock} AS clock, format, level, seq, id, snapshot_seq, snapshot_entry, snapshot_id, snapshot_parts, snapshot_sum, trimmed
         FROM ${this.tables.head} WHERE ledger = ?`,
        [LEDGER],
        this.#level.serial,
      )
      return row === undefined ? null : this.#headOf(row)
    } catch (error) {
      const { kind } = cassandraFailure(error)
      if (kind === 'table' || kind === 'keyspace') return null
      if (kind === 'invalid') await refuseOtherLogTables(this.#link, this.#keyspace)
      throw error
    }
  }

  /** Begins a log, unless there is one. */
  async create(): Promise<void> {
    await makeLogTables(this.#link, this.#keyspace)
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#begin()
        return
      } catch (error) {
        // A server lists a table shortly before it can be used.
        if (cassandraFailure(error).kind !== 'table' || attempt === ATTEMPTS) throw error
        await sleepFor(100)
      }
    }
  }

  async #begin(): Promise<void> {
    const first = types.Uuid.random()
    const begun = await this.#cas(
      `INSERT INTO ${this.tables.head} (ledger, format, level, seq, id, snapshot_seq, snapshot_entry, snapshot_parts, snapshot_sum, trimmed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`,
      [LEDGER, LOG_FORMAT, this.#level.name, longBytes(0n), first, longBytes(0n), first, 0, '', longBytes(0n)],
    )
    if (begun instanceof SluiceError) throw begun
  }

  /** Writes an entry that has no effect yet. */
  async place({ seq, id, prev, bytes }: LedgerLogEntry, now: number): Promise<void> {
    const parts = bytes.length <= INLINE_BYTES ? 0 : await this.writeParts(id, bytes)
    await this.#run(
      `INSERT INTO ${this.tables.log} (ledger, bucket, seq, id, prev, at, parts, sum, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        LEDGER,
        longBytes(seq / BUCKET),
        longBytes(seq),
        uuid(id),
        uuid(prev),
        new Date(now),
        parts,
        entryChecksum(bytes),
        parts === 0 ? bytes : Buffer.alloc(0),
      ],
      this.#level.plain,
    )
  }

  /** Makes a placed entry the last of the log. */
  async append({ seq, id, prev }: Omit<LedgerLogEntry, 'bytes'>): Promise<AppendOutcome> {
    const found = await this.#cas(
      `UPDATE ${this.tables.head} SET seq = ?, id = ? WHERE ledger = ? IF seq = ? AND id = ?`,
      [longBytes(seq), uuid(id), LEDGER, longBytes(seq - 1n), uuid(prev)],
    )
    if (found === null) return 'applied'
    if (found instanceof SluiceError) return found
    // The driver or a server may have sent the update twice: then the first one may have succeeded.
    return String(found.get('id')) === id ? 'applied' : 'taken'
  }

  /** Removes an entry that did not become part of the log. */
  async withdraw({ seq, id }: LedgerPosition, bytes: number): Promise<void> {
    await this.#run(
      `DELETE FROM ${this.tables.log} WHERE ledger = ? AND bucket = ? AND seq = ? AND id = ?`,
      [LEDGER, longBytes(seq / BUCKET), longBytes(seq), uuid(id)],
      this.#level.plain,
    )
    if (bytes > INLINE_BYTES) await this.dropParts(id)
  }

  /**
   * Entries after a position, in order.
   * @returns null if one of them is missing
   * @throws SluiceError LEDGER_DAMAGED if one differs from what was written
   */
  async between(after: LedgerPosition, to: LedgerPosition): Promise<readonly LedgerLogEntry[] | null> {
    const rows = new Map<string, types.Row>()
    for (let bucket = (after.seq + 1n) / BUCKET; bucket <= to.seq / BUCKET; bucket++) {
      const found = await this.#run(
        `SELECT seq, id, prev, parts, sum, entry FROM ${this.tables.log} WHERE ledger = ? AND bucket = ? AND seq > ? AND seq <= ?`,
        [LEDGER, longBytes(bucket), longBytes(after.seq), longBytes(to.seq)],
        this.#level.plain,
      )
      for (const row of found) rows.set(`${String(row.get('seq'))} ${String(row.get('id'))}`, row)
    }
    const chain: LedgerLogEntry[] = []
    let { id } = to
    for (let { seq } = to; seq > after.seq; seq--) {
      const row = rows.get(`${seq} ${id}`)
      if (row === undefined) return null
      const bytes = await this.#bytesOf(row)
      if (bytes === null) return null
      if (entryChecksum(bytes) !== row.get('sum')) throw brokenLedger(`the checksum of entry ${seq} is wrong`)
      const prev = String(row.get('prev'))
      chain.push({ seq, id, prev, bytes })
      id = prev
    }
    if (id !== after.id) throw brokenLedger(`entry ${after.seq + 1n} does not follow the last known entry`)
    return chain.toReversed()
  }

  /** @returns the number of parts */
  async writeParts(id: string, bytes: Buffer): Promise<number> {
    const count = Math.ceil(bytes.length / PART_BYTES)
    for (let part = 0; part < count; part++) {
      await this.#run(
        `INSERT INTO ${this.tables.part} (id, part, bytes) VALUES (?, ?, ?)`,
        [uuid(id), part, bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES)],
        this.#level.plain,
      )
    }
    return count
  }

  /** Joins the parts. @returns null if one is missing */
  async readParts(id: string, count: number): Promise<Buffer | null> {
    const pieces: Buffer[] = []
    for (let part = 0; part < count; part++) {
      const [row] = await this.#run(
        `SELECT bytes FROM ${this.tables.part} WHERE id = ? AND part = ?`,
        [uuid(id), part],
        this.#level.plain,
      )
      const bytes: unknown = row?.get('bytes')
      if (!(bytes instanceof Uint8Array)) return null
      pieces.push(Buffer.from(bytes))
    }
    return Buffer.concat(pieces)
  }

  async dropParts(id: string): Promise<void> {
    await this.#run(`DELETE FROM ${this.tables.part} WHERE id = ?`, [uuid(id)], this.#level.plain)
  }

  /** Replaces the latest snapshot. @returns `applied` if `instead` was still the latest */
  async publish(snapshot: LedgerSnapshot & { readonly id: string }, instead: LedgerSnapshot): Promise<AppendOutcome> {
    const { position, id, parts, sum } = snapshot
    const found = await this.#cas(
      `UPDATE ${this.tables.head} SET snapshot_seq = ?, snapshot_entry = ?, snapshot_id = ?, snapshot_parts = ?, snapshot_sum = ?
       WHERE ledger = ? IF snapshot_seq = ?`,
      [longBytes(position.seq), uuid(position.id), uuid(id), parts, sum, LEDGER, longBytes(instead.position.seq)],
    )
    if (found instanceof SluiceError) return found
    return found === null || String(found.get('snapshot_seq')) === String(position.seq) ? 'applied' : 'taken'
  }

  /** Removes whole buckets that a snapshot covers. @param before first bucket that stays */
  async trim(from: bigint, before: bigint): Promise<void> {
    if (from >= before) return
    for (let bucket = from; bucket < before; bucket++) {
      const rows = await this.#run(
        `SELECT id, parts FROM ${this.tables.log} WHERE ledger = ? AND bucket = ?`,
        [LEDGER, longBytes(bucket)],
        this.#level.plain,
      )
      for (const row of rows) if (Number(row.get('parts')) > 0) await this.dropParts(String(row.get('id')))
      const where = [LEDGER, longBytes(bucket)]
      await this.#run(`DELETE FROM ${this.tables.log} WHERE ledger = ? AND bucket = ?`, where, this.#level.plain)
    }
    await this.#cas(`UPDATE ${this.tables.head} SET trimmed = ? WHERE ledger = ? IF trimmed = ?`, [
      longBytes(before),
      LEDGER,
      longBytes(from),
    ])
  }

  async #bytesOf(row: types.Row): Promise<Buffer | null> {
    const parts = Number(row.get('parts'))
    if (parts > 0) return this.readParts(String(row.get('id')), parts)
    const bytes: unknown = row.get('entry')
    return bytes instanceof Uint8Array ? Buffer.from(bytes) : null
  }

  #headOf(row: types.Row): SnapshotHead {
    const format = Number(row.get('format'))
    if (format > LOG_FORMAT) {
      throw new SluiceError(
        'LEDGER_NEWER',
        `the ledger in the target was written by a newer sluice (format ${format})`,
        {
          where: this.#link.settings.label,
          hint: 'use that version, or copy into another keyspace',
        },
      )
    }
    const level = String(row.get('level'))
    if (level !== this.#level.name) {
      throw new SluiceError(
        'BAD_CONFIG',
        `the ledger was created with serial consistency ${level}, and this program would use ${this.#level.name}`,
        {
          where: this.#link.settings.label,
          reason: 'programs that use different serial consistency levels may not see changes of each other',
          hint: 'set the same serial_consistency and dc in the URLs of all these programs',
        },
      )
    }
    const whole = (name: string): bigint => {
      const value: unknown = row.get(name)
      if (value === null || value === undefined) throw brokenLedger(`the row of its last entry has no ${name}`)
      return BigInt(textOf(value))
    }
    const snapshotId: unknown = row.get('snapshot_id')
    return {
      seq: whole('seq'),
      id: String(row.get('id')),
      now: timeOf(row),
      snapshot: {
        position: { seq: whole('snapshot_seq'), id: String(row.get('snapshot_entry')) },
        id: snapshotId === null ? null : textOf(snapshotId),
        parts: Number(whole('snapshot_parts')),
        sum: String(row.get('snapshot_sum')),
        trimmed: whole('trimmed'),
      },
    }
  }

  /** @returns null if the change was applied, otherwise the stored row; an error if the outcome is unknown */
  async #cas(sql: string, parameters: readonly unknown[]): Promise<types.Row | null | SluiceError> {
    try {
      const [row] = await this.#run(sql, parameters, this.#level.plain, this.#level.serial)
      return row === undefined || row.get('[applied]') === true ? null : row
    } catch (error) {
      if (error instanceof SluiceError && isCassandraTransient(error)) return error
      throw error
    }
  }

  async #run(
    sql: string,
    parameters: readonly unknown[],
    consistency: number,
    serial?: number,
  ): Promise<readonly types.Row[]> {
    const options: QueryOptions = {
      prepare: true,
      consistency,
      // A statement with a condition must not be repeated: after it was applied, its condition is false.
      isIdempotent: serial === undefined,
      fetchSize: 64,
      ...(serial === undefined ? {} : { serialConsistency: serial }),
    }
    try {
      const result = await this.#link.client.execute(sql, [...parameters], options)
      if (typeof result.pageState !== 'string') return result.rows ?? []
      const rows: types.Row[] = []
      for await (const row of result) rows.push(row)
      return rows
    } catch (error) {
      throw ledgerError(error, this.#link.settings)
    }
  }
}

function timeOf(row: types.Row | undefined): number {
  const value: unknown = row?.get('clock')
  if (value instanceof Date) return value.getTime()
  throw new SluiceError('INTERNAL', 'the clock of the cluster cannot be read')
}

/** Text of a number or an id, in any class of the driver. */
function textOf(value: unknown): string {
  return (value as { toString(): string }).toString()
}

function uuid(id: string): types.Uuid {
  return types.Uuid.fromString(id)
}
