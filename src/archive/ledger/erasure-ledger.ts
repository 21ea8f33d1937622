/**
 * Erasures in the ledger: certificates of the rows erased from a table and its archive. They hold a ticket, counts and
 * file names, but nothing about the condition: neither its values nor checksums of the erased rows.
 */
import type { TableName } from '../../model/copy/column-type.ts'
import type { Digest } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Owner } from '../../shared/owner.ts'
import type { Closing, LedgerDatabase, Statement } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { storedLeaseOwner, LEASE_COLUMNS, ownerColumns, type StoredOwner } from '../../stores/common/lease/columns.ts'
import type { SqlValue } from '../../model/run/sql-port.ts'
import { RowLeases } from './leased-row.ts'
import { castTexts } from './cells.ts'
import { runStatement } from '../../engine/copy/ledger/statement.ts'
import { ledgerColumns } from './schema.ts'
import { textOrNull } from '../../stores/common/cells.ts'

export type DestroyedFile = { readonly path: string; readonly bytes: string; readonly sha256: string }

export type Erasure = {
  readonly id: bigint
  readonly state: 'erasing' | 'destroying' | 'done'
  readonly reason: string
  /** Names of the columns in the condition. */
  readonly tested: readonly string[]
  readonly signedBy: string
  /** Hash of the condition, see `conditionHash`; null after the erasure has ended. */
  readonly condition: string | null
  readonly holder: StoredOwner | null
  readonly version: number | null
  readonly destroyed: readonly DestroyedFile[]
  /** ms since the epoch, by the clock of the database. */
  readonly begunMs: number
}

/** Rows erased from one place: a partition, or the table for rows in no partition. */
export type Erased = {
  readonly place: string
  readonly archivedRows: bigint
  readonly sourceRows: bigint
}

/** Rows and files of one partition, once they are erased. */
export type ErasedNow = {
  /** Fencing token of the claim, or a number derived from the run id: a repeated statement records nothing twice. */
  readonly fence: bigint
  readonly archivedRows: bigint
  readonly sourceRows: bigint
  /** Digest of the archived rows that remain; null for rows in no partition. */
  readonly left: Digest | null
  readonly version: number | null
}

const KEY = 'schema_name = ? AND table_name = ? AND erasure_id = ?'

export class ErasureLedger {
  readonly #database: LedgerDatabase
  readonly #table: readonly [schema: string, name: string]
  readonly #now: string
  readonly #leases: RowLeases

  constructor(database: LedgerDatabase, table: TableName, owner: Owner) {
    this.#database = database
    this.#table = [table.schema ?? '', table.name]
    this.#now = ledgerDialect(database.dialect).now
    const place = { name: 'migration_archive_erasures', idColumn: 'erasure_id' }
    this.#leases = new RowLeases(database, place, this.#table, owner)
  }

  /** The erasure that has not ended, or null. A table has at most one. */
  async unfinished(): Promise<Erasure | null> {
    return (await this.all()).find(({ state }) => state !== 'done') ?? null
  }

  /** Runs `body` while no other program can list files to destroy. @throws SluiceError LEDGER_BUSY; errors of `body` */
  underLease<T>({ id, holder, reason }: Erasure, body: () => Promise<T>): Promise<T> {
    return this.#leases.underLease({ id, holder, what: `the erasure ${reason}` }, body)
  }

  /** All erasures of the table, newest last. A read-only ledger of an older program has none. */
  async all(): Promise<readonly Erasure[]> {
    if ((await ledgerColumns(this.#database, 'migration_archive_erasures')).size === 0) return []
    const names = [
      'erasure_id',
      'state',
      'reason',
      'tested',
      'signed_by',
      'delta_version',
      'destroyed',
      'begun_ms',
      'condition_hash',
      ...ownerColumns(LEASE_COLUMNS),
    ]
    const rows = await this.#database.all(
      `SELECT ${castTexts(this.#database.dialect, names)} FROM migration_archive_erasures
       WHERE schema_name = ? AND table_name = ? ORDER BY migration_archive_erasures.erasure_id`,
      this.#table,
    )
    return rows.map((row): Erasure => {
      const [id, state, reason, tested, signedBy, version, destroyed, begun, condition, ...owner] = row.map(textOrNull)
      return {
        id: BigInt(id ?? '0'),
        state: state === 'done' || state === 'destroying' ? state : 'erasing',
        reason: reason ?? '',
        tested: JSON.parse(tested ?? '[]') as string[],
        signedBy: signedBy ?? '',
        condition: condition ?? null,
        holder: storedLeaseOwner(owner),
        version: version === null ? null : Number(version),
        destroyed: JSON.parse(destroyed ?? '[]') as DestroyedFile[],
        begunMs: Number(begun ?? 0),
      }
    })
  }

  /**
   * Records the start. If several erasures start at the same time, at most one continues: each is recorded before it
   * searches for others, and is deleted if it finds one.
   * @throws SluiceError LEDGER_BUSY if another erasure has not ended
   */
  async begin(
    { id, reason, tested, signedBy, condition }: Pick<Erasure, 'id' | 'reason' | 'tested' | 'signedBy' | 'condition'>,
    tool: string,
  ): Promise<Erasure> {
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    const insert = `INSERT INTO migration_archive_erasures (schema_name, table_name, erasure_id, state, reason, tested, signed_by, tool, condition_hash, begun_ms)
              VALUES (?, ?, ?, 'erasing', ?, ?, ?, ?, ?, ${this.#now}) ${unlessThere}`
    const row = [...this.#table, id, reason, JSON.stringify(tested), signedBy, tool, condition]
    await runStatement(this.#database, insert, row)
    const open = (await this.all()).filter(({ state }) => state !== 'done')
    const other = open.find((one) => one.id !== id)
    const begun = open.find((one) => one.id === id)
    if (begun === undefined)
      throw new SluiceError('INTERNAL', 'the erasure that this program just recorded is missing in the ledger')
    if (other === undefined) return begun
    // A second run with the same ticket may already have taken it over.
    const remove = `DELETE FROM migration_archive_erasures WHERE ${KEY} AND state = 'erasing' AND owner IS NULL`
    await runStatement(this.#database, remove, [...this.#table, id])
    throw new SluiceError('LEDGER_BUSY', `another erasure of the table (${other.reason}) began at the same time`, {
      where: this.#table.filter((part) => part !== '').join('.'),
      reason: 'a table can have one erasure at a time; this command erased nothing',
      hint: 'run the same command again after the other erasure has ended',
      retryable: true,
    })
  }

  /** Erased rows of each place so far. */
  async erased(id: bigint): Promise<readonly Erased[]> {
    const names = ['place', 'archived_rows', 'source_rows']
    const rows = await this.#database.all(
      `SELECT ${castTexts(this.#database.dialect, names)} FROM migration_archive_erased WHERE ${KEY} ORDER BY migration_archive_erased.place`,
      [...this.#table, id],
    )
    return rows.map((row): Erased => {
      const [place, archived, source] = row.map(textOrNull)
      return {
        place: place ?? '',
        archivedRows: BigInt(archived ?? '0'),
        sourceRows: BigInt(source ?? '0'),
      }
    })
  }

  /**
   * Statements for the transaction that deletes rows of a place. Counts are added to the counts of earlier runs.
   * @param guard returns a row if that transaction does its work; otherwise nothing is recorded
   */
  recordStatements(
    id: bigint,
    place: string,
    { fence, archivedRows, sourceRows, left, version }: ErasedNow,
    guard: Statement,
  ): readonly Statement[] {
    const key: readonly SqlValue[] = [...this.#table, id, place]
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    return [
      {
        sql: `INSERT INTO migration_archive_erased (schema_name, table_name, erasure_id, place, archived_rows, source_rows) VALUES (?, ?, ?, ?, 0, 0) ${unlessThere}`,
        parameters: key,
      },
      {
        sql: `UPDATE migration_archive_erased SET archived_rows = archived_rows + ?, source_rows = source_rows + ?, left_rows = ?, checksum = ?,
                delta_version = ?, fence = ?, at_ms = ${this.#now} WHERE ${KEY} AND place = ? AND (fence IS NULL OR fence <> ?) AND EXISTS (${guard.sql})`,
        parameters: [
          archivedRows,
          sourceRows,
          left?.rows ?? null,
          left?.sum ?? null,
          version,
          fence,
          ...key,
          fence,
          ...guard.parameters,
        ],
      },
    ]
  }

  /** Query that returns a row once the erased rows of the place are recorded. */
  recordedQuery(id: bigint, place: string, fence: bigint): Statement {
    return {
      sql: `SELECT 1 FROM migration_archive_erased WHERE ${KEY} AND place = ? AND fence = ?`,
      parameters: [...this.#table, id, place, fence],
    }
  }

  /** Statements that record erased rows in no partition. If they are repeated, nothing is recorded twice. */
  closing(id: bigint, place: string, fence: bigint, sourceRows: bigint): Closing {
    const key: readonly SqlValue[] = [...this.#table, id]
    const guard = {
      sql: `SELECT 1 FROM migration_archive_erasures WHERE ${KEY} AND state = 'erasing'`,
      parameters: key,
    }
    return {
      guard,
      statements: [
        {
          sql: `UPDATE migration_archive_erasures SET ended_ms = NULL WHERE ${KEY} AND state = 'erasing'`,
          parameters: key,
        },
        ...this.recordStatements(id, place, { fence, archivedRows: 0n, sourceRows, left: null, version: null }, guard),
      ],
      landed: this.recordedQuery(id, place, fence),
    }
  }

  /** Deletes old checksums and error messages that no proof needs any more: they may reveal the erased rows. */
  async forgetChecksums(): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_archive_history SET checksum = NULL, num_rows = NULL, error_message = NULL WHERE schema_name = ? AND table_name = ?`,
        parameters: this.#table,
      },
      {
        sql: `UPDATE migration_archive_partitions SET checksum = NULL, num_rows = NULL, files = NULL, error_message = NULL
              WHERE schema_name = ? AND table_name = ? AND state IN ('PLANNED', 'RESTORED')`,
        parameters: this.#table,
      },
      // Keep num_rows: the number of expired rows is stored nowhere else.
      {
        sql: `UPDATE migration_archive_partitions SET checksum = NULL, files = NULL, error_message = NULL
              WHERE schema_name = ? AND table_name = ? AND state = 'EXPIRED'`,
        parameters: this.#table,
      },
    ])
  }

  /** Records files to destroy, so that a run after a kill finds them. @param expired labels that cannot be restored */
  async destroying(
    id: bigint,
    version: number,
    files: readonly DestroyedFile[],
    expired: readonly string[],
  ): Promise<void> {
    await this.#database.batch([
      ...expired.map((label) => ({
        sql: `UPDATE migration_archive_partitions SET swept_ms = ${this.#now}
              WHERE schema_name = ? AND table_name = ? AND partition_name = ? AND state = 'EXPIRED' AND swept_ms IS NULL`,
        parameters: [...this.#table, label],
      })),
      {
        sql: `UPDATE migration_archive_erasures SET state = 'destroying', delta_version = ?, destroyed = ? WHERE ${KEY}`,
        parameters: [version, JSON.stringify(files), ...this.#table, id],
      },
    ])
  }

  async end(id: bigint): Promise<void> {
    const sql = `UPDATE migration_archive_erasures SET state = 'done', condition_hash = NULL, ended_ms = ${this.#now} WHERE ${KEY}`
    await runStatement(this.#database, sql, [...this.#table, id])
  }
}
