/**
 * Partitions of one table in the ledger. A program works on a partition under a lease, by the clock of the database,
 * with a fence that grows with every claim: an owner that lost its lease cannot change the state any more.
 */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { ArchiveState } from '../../model/archive/state.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Closing, LedgerDatabase, Statement } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { endedOwnerId, LEASE_COLUMNS, type StoredOwner } from '../../stores/common/lease/columns.ts'
import { databaseTimes, LeaseSql } from '../../stores/common/lease/sql.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { filesText } from './cells.ts'
import { clockOf, runStatement } from '../../engine/copy/ledger/statement.ts'
import type { ArchivedTable, NewArchive } from './record.ts'
import {
  PARTITION_LEASE_MS,
  type ArchiveOwner,
  type PartitionClaim,
  type PartitionFacts,
  type NewPartition,
} from './partition-facts.ts'
import { textOrNull } from '../../stores/common/cells.ts'

const TABLE = 'schema_name = ? AND table_name = ?'
const PARTITION = `${TABLE} AND partition_name = ?`

export class PartitionLedger {
  readonly #database: LedgerDatabase
  readonly #key: readonly [schema: string, name: string]
  readonly #owner: ArchiveOwner
  readonly #lease: LeaseSql
  readonly #now: string

  constructor(database: LedgerDatabase, table: TableName, owner: ArchiveOwner) {
    this.#database = database
    this.#key = [table.schema ?? '', table.name]
    this.#owner = owner
    this.#lease = new LeaseSql(LEASE_COLUMNS, databaseTimes(database.dialect, PARTITION_LEASE_MS))
    this.#now = ledgerDialect(database.dialect).now
  }

  /** Adds a table that is archived for the first time; an existing row does not change. */
  async addTable(table: NewArchive, tool: string): Promise<void> {
    const { archive, archiveId, timeColumn, calendar, stored, graceMs, origin } = table
    await this.#add(
      'migration_archives',
      {
        archive,
        archive_id: archiveId,
        time_column: timeColumn,
        calendar,
        stored: JSON.stringify(stored),
        grace_ms: graceMs,
        revision: 0,
        tool,
        origin: origin === null ? null : JSON.stringify(origin),
      },
      'created_ms',
    )
  }

  /**
   * Records new columns of the table. Partitions exported by older programs keep the columns of their export.
   * @param before columns of the archive until now
   */
  async changeColumns(
    before: readonly StoredColumn[],
    { stored, timeColumn }: Pick<ArchivedTable, 'stored' | 'timeColumn'>,
  ): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_archive_partitions SET stored = ?
              WHERE ${TABLE} AND stored IS NULL AND checksum IS NOT NULL`,
        parameters: [JSON.stringify(before), ...this.#key],
      },
      {
        sql: `UPDATE migration_archives SET stored = ?, time_column = ?, revision = revision + 1 WHERE ${TABLE}`,
        parameters: [JSON.stringify(stored), timeColumn, ...this.#key],
      },
    ])
  }

  /**
   * Adds a partition as PLANNED. If nothing of it is published, its facts are updated from the source.
   * @param before its owner as just read; if that owner has ended, its lease is ignored
   */
  async addPartition(
    { label, from, to, native, period = label, part = 1, chosenBy = null }: NewPartition,
    before: StoredOwner | null = null,
  ): Promise<void> {
    const isNew = part > 1 && (await this.#heldFor(label)) === undefined
    const facts = {
      from_bound: from,
      to_bound: to,
      native_schema: native?.table.schema ?? null,
      native_table: native?.table.name ?? null,
      native_identity: native?.identity ?? null,
      chosen_by: chosenBy,
    }
    await this.#add(
      'migration_archive_partitions',
      {
        partition_name: label,
        state: 'PLANNED',
        fence: 0,
        logged_files: '[]',
        ...facts,
        ...(part === 1 ? {} : { period, part }),
      },
      'planned_ms',
    )
    // Read the hold after the part is inserted: a hold is recorded at the first part before the others are updated.
    const reason = isNew ? ((await this.#heldFor(period)) ?? null) : null
    if (reason !== null) await this.hold(label, reason)
    const sets = Object.keys(facts).map((name) => `${name} = ?`)
    const free = this.#lease.free(this.#owner, endedOwnerId(before, this.#owner))
    await this.#database.batch([
      {
        sql: `UPDATE migration_archive_partitions SET ${sets.join(', ')}
              WHERE ${PARTITION} AND ${free.sql} AND (state = 'RESTORED' OR (state IN ('PLANNED', 'FAILED') AND delta_version IS NULL))`,
        parameters: [...Object.values(facts), ...this.#key, label, ...free.parameters],
      },
      ...(native === null ? [] : [this.#renamed(label, native, free)]),
    ])
  }

  /**
   * Updates the name of an attached table, which has the recorded identity. This includes a table whose detach was
   * recorded but has not begun.
   */
  #renamed(label: string, { table, identity }: NonNullable<NewPartition['native']>, free: Statement): Statement {
    return {
      sql: `UPDATE migration_archive_partitions SET native_schema = ?, native_table = ?
            WHERE ${PARTITION} AND ${free.sql} AND native_identity = ? AND coalesce(away, 0) = 0
              AND state IN ('EXPORTING', 'EXPORTED', 'VERIFIED', 'PUBLISHED', 'FAILED')`,
      parameters: [table.schema ?? null, table.name, ...this.#key, label, ...free.parameters, identity],
    }
  }

  /** Current time by the clock of the database, ms since the epoch. */
  now(): Promise<number> {
    return clockOf(this.#database)
  }

  /** Sets the retention of files that the newest version of the archive does not name. */
  async keep(retentionMs: number): Promise<void> {
    await this.#run(`UPDATE migration_archives SET retention_ms = ? WHERE ${TABLE}`, [retentionMs, ...this.#key])
  }

  /** The hold of a partition; undefined if the ledger does not have the partition. */
  async #heldFor(label: string): Promise<string | null | undefined> {
    const sql = `SELECT hold_reason FROM migration_archive_partitions WHERE ${PARTITION}`
    const [row] = await this.#run(sql, [...this.#key, label])
    return row === undefined ? undefined : textOrNull(row[0])
  }

  /** Sets or removes the hold of all parts of a period; later parts inherit it. @param reason null removes the hold */
  async holdPeriod(period: string, reason: string | null): Promise<void> {
    await this.hold(period, reason)
    const sql = `UPDATE migration_archive_partitions SET hold_reason = ? WHERE ${TABLE} AND period = ?`
    await this.#run(sql, [reason, ...this.#key, period])
  }

  /** @param reason null removes the hold */
  async hold(label: string, reason: string | null): Promise<void> {
    const sql = `UPDATE migration_archive_partitions SET hold_reason = ? WHERE ${PARTITION}`
    await this.#run(sql, [reason, ...this.#key, label])
  }

  /**
   * Claims a free partition.
   * @param before its owner as just read; if that owner has ended, its lease is ignored
   * @returns null if another program holds it
   */
  async claim(label: string, before: StoredOwner | null): Promise<PartitionClaim | null> {
    const { id, runId } = this.#owner
    const [taken, free] = [
      this.#lease.taken(this.#owner),
      this.#lease.free(this.#owner, endedOwnerId(before, this.#owner)),
    ]
    const [, rows] = await this.#database.batch([
      {
        sql: `UPDATE migration_archive_partitions SET ${taken.sql}, run_id = ?, fence = fence + 1 WHERE ${PARTITION} AND ${free.sql}`,
        parameters: [...taken.parameters, runId, ...this.#key, label, ...free.parameters],
      },
      {
        sql: `SELECT fence FROM migration_archive_partitions WHERE ${PARTITION} AND owner = ?`,
        parameters: [...this.#key, label, id],
      },
    ])
    const fence = rows?.[0]?.[0]
    return fence == null ? null : { label, fence: BigInt(String(fence)) }
  }

  /** Heartbeat: renews the leases of this program. */
  async renew(): Promise<void> {
    const { sql: sets, parameters } = this.#lease.renewed
    const sql = `UPDATE migration_archive_partitions SET ${sets} WHERE ${TABLE} AND owner = ?`
    await this.#run(sql, [...parameters, ...this.#key, this.#owner.id])
  }

  /** Ends the lease, whatever its fencing token: this program may have claimed the partition more than once. */
  async release({ label }: Pick<PartitionClaim, 'label'>): Promise<void> {
    const sql = `UPDATE migration_archive_partitions SET ${this.#lease.released} WHERE ${PARTITION} AND owner = ?`
    await this.#run(sql, [...this.#key, label, this.#owner.id])
  }

  /**
   * Moves a partition from one state to another, or records facts in its current state.
   * @throws SluiceError LEASE_LOST if another program holds it, or it is in another state
   */
  async move(held: PartitionClaim, from: ArchiveState, to: ArchiveState, noted: PartitionFacts = {}): Promise<void> {
    await this.close(held, this.closing(held, from, to, noted))
  }

  /** Ends a step that changes only the ledger. @throws SluiceError LEASE_LOST as `move` */
  async close({ label }: PartitionClaim, { statements, landed }: Closing): Promise<void> {
    const answers = await this.#database.batch([...statements, landed])
    if ((answers.at(-1) ?? []).length === 0) throw lost(label)
  }

  /** `move` as the end of a transaction of the source: rows and state change together or not at all. */
  closing(held: PartitionClaim, from: ArchiveState, to: ArchiveState, noted: PartitionFacts = {}): Closing {
    const { sets, parameters } = this.#sets(noted)
    const mine = [...this.#key, held.label, this.#owner.id, held.fence]
    const where = `${PARTITION} AND owner = ? AND fence = ?`
    // The hold may have been set after it was last read.
    const stays = removesRows(from, to, noted) || noted.unheld === true ? ' AND hold_reason IS NULL' : ''
    const guard = (state: ArchiveState, more = ''): Statement => ({
      sql: `SELECT 1 FROM migration_archive_partitions WHERE ${where} AND state = ?${more}`,
      parameters: [...mine, state],
    })
    return {
      statements: [
        {
          sql: `UPDATE migration_archive_partitions SET state = ?, changed_ms = ${this.#now}${sets.map((set) => `, ${set}`).join('')}
                WHERE ${where} AND state = ?${stays}`,
          parameters: [to, ...parameters, ...mine, from],
        },
        {
          sql: `UPDATE migration_archives SET revision = revision + 1 WHERE ${TABLE}`,
          parameters: this.#key,
        },
        ...(noted.absorbs === undefined ? [] : [this.#absorbing(held.label, noted.absorbs)]),
        // A transaction that a server runs twice leaves one history row.
        {
          sql: `INSERT INTO migration_archive_history (schema_name, table_name, partition_name, fence, state, num_rows, checksum, delta_version, run_id,
                  error_message, at_ms)
                SELECT schema_name, table_name, partition_name, fence, state, num_rows, checksum, delta_version, run_id, error_message, changed_ms
                FROM migration_archive_partitions p WHERE ${where} AND state = ? AND NOT EXISTS (
                  SELECT 1 FROM migration_archive_history h WHERE h.schema_name = p.schema_name AND h.table_name = p.table_name
                    AND h.partition_name = p.partition_name AND h.fence = p.fence AND h.state = p.state)`,
          parameters: [...mine, to],
        },
      ],
      guard: guard(from, stays),
      landed: this.#landed(guard(to), noted),
    }
  }

  /** Clears rows and files of restored parts whose rows now belong to another part. */
  #absorbing(label: string, period: string): Statement {
    return {
      sql: `UPDATE migration_archive_partitions SET num_rows = NULL, checksum = NULL, files = NULL, file_bytes = NULL
            WHERE ${TABLE} AND COALESCE(period, partition_name) = ? AND partition_name <> ?
              AND state = 'RESTORED' AND retracted = 1 AND native_table IS NULL`,
      parameters: [...this.#key, period, label],
    }
  }

  /** Records the table's own definitions, in the transaction that detaches it. */
  keeping({ label, fence }: PartitionClaim): (own: string) => Statement {
    return (own) => ({
      sql: `UPDATE migration_archive_partitions SET own_ddl = ? WHERE ${PARTITION} AND owner = ? AND fence = ?`,
      parameters: [own, ...this.#key, label, this.#owner.id, fence],
    })
  }

  /**
   * Query that shows whether the step was committed. The state may be unchanged, so it also compares the removed rows.
   */
  #landed({ sql, parameters }: Statement, { removed }: PartitionFacts): Statement {
    if (removed === undefined) return { sql, parameters }
    return { sql: `${sql} AND removed_rows = ?`, parameters: [...parameters, removed.rows] }
  }

  #sets(noted: PartitionFacts): { readonly sets: readonly string[]; readonly parameters: readonly SqlValue[] } {
    const {
      digest,
      sourceBytes,
      files,
      filePrefix,
      version,
      removed,
      restoring,
      retracted,
      point,
      exportMs,
      graceMs,
      error,
      logged,
      columns,
      away,
      expired,
      swept,
      leaving,
    } = noted
    const values: [string, SqlValue][] = []
    if (digest !== undefined) values.push(['num_rows', digest.rows], ['checksum', digest.sum])
    if (sourceBytes !== undefined) values.push(['source_bytes', sourceBytes])
    if (files !== undefined) values.push(['files', filesText(files)], ['file_bytes', bytesOf(files)])
    if (filePrefix !== undefined) values.push(['file_prefix', filePrefix])
    if (version !== undefined) values.push(['delta_version', version])
    if (removed !== undefined) values.push(['removed_rows', removed.rows], ['removed_sum', removed.sum])
    if (restoring !== undefined) values.push(['restoring', restoring ? 1 : 0])
    if (retracted !== undefined) values.push(['retracted', retracted ? 1 : 0])
    if (point !== undefined) values.push(['read_view', point.view], ['read_at', point.at])
    if (exportMs !== undefined) values.push(['export_ms', Math.round(exportMs)])
    if (error !== undefined) values.push(['error_code', error?.code ?? null], ['error_message', error?.message ?? null])
    if (logged !== undefined) values.push(['logged_files', JSON.stringify(logged)])
    if (columns !== undefined) values.push(['stored', JSON.stringify(columns)])
    if (away !== undefined) values.push(['away', away ? 1 : 0])
    if (expired !== undefined) values.push(['expired_by', expired?.by ?? null])
    if (leaving !== undefined) values.push(['leaving', leaving ? 1 : 0])
    const sets = values.map(([name]) => `${name} = ?`)
    if (expired !== undefined) sets.push(`expired_ms = ${expired === null ? 'NULL' : this.#now}`, 'swept_ms = NULL')
    if (swept === true) sets.push(`swept_ms = COALESCE(swept_ms, ${this.#now})`)
    if (graceMs !== undefined) sets.push(`drop_after_ms = ${this.#now} + ${Math.round(graceMs)}`)
    return { sets, parameters: values.map(([, value]) => value) }
  }

  async #add(table: string, values: Readonly<Record<string, SqlValue>>, time: string): Promise<void> {
    const columns = ['schema_name', 'table_name', ...Object.keys(values), time]
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${'?, '.repeat(columns.length - 1)}${this.#now}) ${unlessThere}`
    await this.#run(sql, [...this.#key, ...Object.values(values)])
  }

  #run(sql: string, parameters: SqlRow): Promise<readonly SqlRow[]> {
    return runStatement(this.#database, sql, parameters)
  }
}

/**
 * True if the step deletes rows from the source or the archive, or detaches them; a hold forbids that. A partition that
 * is already detached may finish its steps up to DETACHED.
 */
function removesRows(
  from: ArchiveState,
  to: ArchiveState,
  { removed, restoring, away, leaving }: PartitionFacts,
): boolean {
  if (from === 'DROPPED' && to === 'EXPIRED') return true
  // A restore that is undone deletes the rows that it wrote.
  if ((to === 'DROPPED' && from !== 'EXPIRED' && restoring !== false) || (from === 'PUBLISHED' && to === 'DETACHED'))
    return true
  // A detach that began outside of a transaction is recorded to its end, even if a hold was set meanwhile.
  if (from === 'PUBLISHED' && to === 'DETACHING') return away === true && leaving === undefined
  return from === 'DETACHED' && to === 'DETACHED' && removed !== undefined && restoring === undefined
}

const bytesOf = (files: readonly ArchivedFile[]): bigint => files.reduce((sum, { bytes }) => sum + bytes, 0n)

function lost(label: string): SluiceError {
  return new SluiceError('LEASE_LOST', `another program now works on the partition ${label}`, {
    hint: 'let it finish, or end it and run the same command again',
    retryable: true,
  })
}
