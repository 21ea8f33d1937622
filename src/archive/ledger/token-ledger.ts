/**
 * Stores ownership tokens of an archive's log in the ledger, each before its commit is written: after a kill between
 * the two, the log shows whether the commit was written.
 */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../model/run/ledger-port.ts'
import type { Origin } from '../../model/copy/identification-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import type { CommitChecksums, TokenStore, TokenIntent, LedgerToken } from '../log/ownership-token.ts'
import type { LedgerName } from '../log/ledger-name.ts'
import { castTexts, filesText, readLedgerJson } from './cells.ts'
import { runStatement } from '../../engine/copy/ledger/statement.ts'
import { ledgerColumns } from './schema.ts'
import { textOrNull } from '../../stores/common/cells.ts'

const TABLE = 'schema_name = ? AND table_name = ?'

export class TokenLedger implements TokenStore {
  readonly #database: LedgerDatabase
  readonly #key: readonly [schema: string, name: string]
  readonly #owner: { readonly id: string; readonly runId: bigint }
  readonly #now: string

  constructor(database: LedgerDatabase, table: TableName, owner: { readonly id: string; readonly runId: bigint }) {
    this.#database = database
    this.#key = [table.schema ?? '', table.name]
    this.#owner = owner
    this.#now = ledgerDialect(database.dialect).now
  }

  async read(): Promise<readonly LedgerToken[]> {
    // A read-only ledger may be from an older program.
    if ((await ledgerColumns(this.#database, 'migration_archive_heads')).size === 0) return []
    const columns = castTexts(this.#database.dialect, ['head', 'delta_version', 'state'])
    const rows = await this.#database.all(`SELECT ${columns} FROM migration_archive_heads WHERE ${TABLE}`, this.#key)
    return rows.map(([head, version, state]) => ({
      head: BigInt(String(head)),
      version: Number(version),
      state: String(state) === 'left' ? 'left' : 'intended',
    }))
  }

  async name(): Promise<LedgerName | null> {
    if (!(await ledgerColumns(this.#database, 'migration_archives')).has('ledger')) return null
    const [row] = await this.#database.all(`SELECT ledger FROM migration_archives WHERE ${TABLE}`, this.#key)
    const text = textOrNull(row?.[0])
    return text === null ? null : (readLedgerJson(text) as LedgerName)
  }

  /** Sets the name of the ledger. If two programs name it, the first name stays. */
  async setName(name: LedgerName): Promise<void> {
    const sql = `UPDATE migration_archives SET ledger = ? WHERE ${TABLE} AND ledger IS NULL`
    await runStatement(this.#database, sql, [JSON.stringify(name), ...this.#key])
  }

  async intend({ head, version, sha256, claim }: TokenIntent): Promise<void> {
    const statements: Statement[] = [this.#insert(head, version), this.#sum(head, version, sha256)]
    if (claim !== null) {
      const where = `${TABLE} AND partition_name = ? AND owner = ? AND fence = ? AND state = ?`
      const mine = [...this.#key, claim.label, this.#owner.id, claim.fence, claim.state]
      if (claim.logged !== null) {
        statements.push({
          sql: `UPDATE migration_archive_partitions SET logged_files = ? WHERE ${where}`,
          parameters: [JSON.stringify(claim.logged), ...mine],
        })
      }
      statements.push({ sql: `SELECT 1 FROM migration_archive_partitions WHERE ${where}`, parameters: mine })
    }
    const answers = await this.#database.batch(statements)
    if (claim === null || (answers.at(-1) ?? []).length > 0) return
    throw new SluiceError(
      'LEASE_LOST',
      `this program no longer owns the partition ${claim.label} in state ${claim.state}`,
      {
        reason:
          'another program works on it, or the database lost a commit after a crash, a failover or a restored backup',
        hint: 'nothing was written into the log; let the other program finish, and run the same command again',
        retryable: true,
      },
    )
  }

  async recordWritten(head: bigint, version: number): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_archive_heads SET state = 'left', delta_version = ? WHERE ${TABLE} AND head = ?`,
        parameters: [version, ...this.#key, head],
      },
      {
        sql: `DELETE FROM migration_archive_heads WHERE ${TABLE} AND head <> ? AND delta_version <= ?`,
        parameters: [...this.#key, head, version],
      },
      {
        sql: `UPDATE migration_archive_commits SET state = 'landed' WHERE ${TABLE} AND head = ?`,
        parameters: [...this.#key, head],
      },
      {
        sql: `DELETE FROM migration_archive_commits WHERE ${TABLE} AND state = 'intended' AND delta_version <= ?`,
        parameters: [...this.#key, version],
      },
    ])
  }

  async checksums(): Promise<ReadonlyMap<number, CommitChecksums>> {
    if ((await ledgerColumns(this.#database, 'migration_archive_commits')).size === 0) return new Map()
    const { castText } = ledgerDialect(this.#database.dialect).types
    const rows = await this.#database.all(
      `SELECT CAST(delta_version AS ${castText}), sha256, state FROM migration_archive_commits WHERE ${TABLE}`,
      this.#key,
    )
    const sums = new Map<number, { readonly sha256: Set<string>; landed: boolean }>()
    for (const [version, sha256, state] of rows) {
      const known = sums.get(Number(version)) ?? { sha256: new Set(), landed: false }
      known.sha256.add(String(sha256))
      known.landed ||= String(state) === 'landed'
      sums.set(Number(version), known)
    }
    return sums
  }

  async forget(versions: readonly number[]): Promise<void> {
    if (versions.length === 0) return
    await this.#database.batch(
      versions.map((version) => ({
        sql: `DELETE FROM migration_archive_commits WHERE ${TABLE} AND delta_version = ?`,
        parameters: [...this.#key, version],
      })),
    )
  }

  /** Makes this the only ownership token that the log may have; other tokens of this ledger are no longer accepted. */
  async begin(head: bigint, version: number, sha256: string, name: LedgerName): Promise<void> {
    await this.#database.batch(this.beginning(head, version, sha256, name))
  }

  /** `begin` as statements for a larger transaction. */
  beginning(head: bigint, version: number, sha256: string, name: LedgerName): Statement[] {
    return [
      {
        sql: `UPDATE migration_archives SET ledger = ? WHERE ${TABLE}`,
        parameters: [JSON.stringify(name), ...this.#key],
      },
      this.#insert(head, version),
      this.#sum(head, version, sha256),
      { sql: `DELETE FROM migration_archive_heads WHERE ${TABLE} AND head <> ?`, parameters: [...this.#key, head] },
    ]
  }

  /** Makes the origin the only database that may write into the archive. */
  async setOrigin(origin: Origin): Promise<void> {
    const sql = `UPDATE migration_archives SET origin = ? WHERE ${TABLE}`
    await runStatement(this.#database, sql, [JSON.stringify(origin), ...this.#key])
  }

  /**
   * Records the files that the log names for a partition. If the partition is published in the ledger, these become its
   * published files.
   * @param fence fence in the log; later claims get higher ones
   * @param outdated further paths in the log, which a later commit may remove
   */
  async takeOver(
    label: string,
    files: readonly ArchivedFile[],
    fence: bigint,
    outdated: readonly string[] = [],
  ): Promise<void> {
    const where = `${TABLE} AND partition_name = ?`
    await this.#database.batch([
      {
        sql: `UPDATE migration_archive_partitions SET fence = ? WHERE ${where} AND fence < ?`,
        parameters: [fence, ...this.#key, label, fence],
      },
      {
        sql: `UPDATE migration_archive_partitions SET logged_files = ? WHERE ${where}`,
        parameters: [JSON.stringify([...files.map(({ path }) => path), ...outdated]), ...this.#key, label],
      },
      {
        sql: `UPDATE migration_archive_partitions SET files = ? WHERE ${where} AND state IN ('PUBLISHED', 'DETACHING', 'DETACHED', 'DROPPED')`,
        parameters: [filesText(files), ...this.#key, label],
      },
    ])
  }

  #sum(head: bigint, version: number, sha256: string): Statement {
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    return {
      sql: `INSERT INTO migration_archive_commits (schema_name, table_name, delta_version, head, sha256, state)
            VALUES (?, ?, ?, ?, ?, 'intended') ${unlessThere}`,
      parameters: [...this.#key, version, head, sha256],
    }
  }

  #insert(head: bigint, version: number): Statement {
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    return {
      sql: `INSERT INTO migration_archive_heads (schema_name, table_name, head, delta_version, state, run_id, at_ms)
            VALUES (?, ?, ?, ?, 'intended', ?, ${this.#now}) ${unlessThere}`,
      parameters: [...this.#key, head, version, this.#owner.runId],
    }
  }
}
