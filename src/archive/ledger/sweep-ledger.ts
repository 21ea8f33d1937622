/** Sweeps of older versions in the ledger: who destroys which files, recorded before the first file is destroyed. */
import type { TableName } from '../../model/copy/column-type.ts'
import type { Owner } from '../../shared/owner.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { storedLeaseOwner, LEASE_COLUMNS, ownerColumns, type StoredOwner } from '../../stores/common/lease/columns.ts'
import type { DestroyedFile } from './erasure-ledger.ts'
import { RowLeases } from './leased-row.ts'
import { castTexts } from './cells.ts'
import { runStatement } from '../../engine/copy/ledger/statement.ts'
import { ledgerColumns } from './schema.ts'
import { textOrNull } from '../../stores/common/cells.ts'

/** `partition`: its label; null if the log does not have it. */
export type SweptFile = DestroyedFile & { readonly partition: string | null }

export type ArchiveSweepRecord = {
  readonly id: bigint
  /** Versions before this Delta version have lost files; null if only a checkpoint records the removals. */
  readonly version: number | null
  readonly retentionMs: number
  readonly files: readonly SweptFile[]
  readonly holder: StoredOwner | null
}

const TABLE = 'migration_archive_sweeps'

export class SweepLedger {
  readonly #database: LedgerDatabase
  readonly #table: readonly [schema: string, name: string]
  readonly #now: string
  readonly #leases: RowLeases

  constructor(database: LedgerDatabase, table: TableName, owner: Owner) {
    this.#database = database
    this.#table = [table.schema ?? '', table.name]
    this.#now = ledgerDialect(database.dialect).now
    this.#leases = new RowLeases(database, { name: TABLE, idColumn: 'sweep_id' }, this.#table, owner)
  }

  /** Unfinished sweeps, oldest first. A read-only ledger of an older program has none. */
  async unfinished(): Promise<readonly ArchiveSweepRecord[]> {
    if ((await ledgerColumns(this.#database, TABLE)).size === 0) return []
    const names = ['sweep_id', 'delta_version', 'retention_ms', 'files', ...ownerColumns(LEASE_COLUMNS)]
    const rows = await this.#database.all(
      `SELECT ${castTexts(this.#database.dialect, names)} FROM ${TABLE}
       WHERE schema_name = ? AND table_name = ? AND state = 'destroying' ORDER BY ${TABLE}.sweep_id`,
      this.#table,
    )
    return rows.map((row): ArchiveSweepRecord => {
      const [id, version, retention, files, ...owner] = row.map(textOrNull)
      return {
        id: BigInt(id ?? '0'),
        version: version == null ? null : Number(version),
        retentionMs: Number(retention ?? 0),
        files: JSON.parse(files ?? '[]') as SweptFile[],
        holder: storedLeaseOwner(owner),
      }
    })
  }

  /** Records the files that will be destroyed, so that a run after a kill finds them. */
  async begin(
    { id, version, retentionMs, files }: Omit<ArchiveSweepRecord, 'holder'>,
    { signedBy, tool }: { readonly signedBy: string; readonly tool: string },
  ): Promise<void> {
    const { unlessThere } = ledgerDialect(this.#database.dialect)
    const sql = `INSERT INTO ${TABLE} (schema_name, table_name, sweep_id, state, signed_by, tool, retention_ms, delta_version, files, begun_ms)
              VALUES (?, ?, ?, 'destroying', ?, ?, ?, ?, ?, ${this.#now}) ${unlessThere}`
    const row = [...this.#table, id, signedBy, tool, retentionMs, version, JSON.stringify(files)]
    await runStatement(this.#database, sql, row)
  }

  /** Runs `body` under the lease of the sweep. @throws SluiceError LEDGER_BUSY; errors of `body` */
  underLease<T>({ id, holder }: ArchiveSweepRecord, body: () => Promise<T>): Promise<T> {
    return this.#leases.underLease({ id, holder, what: `the sweep of run ${id}` }, body)
  }

  async end({ id }: ArchiveSweepRecord): Promise<void> {
    const sql = `UPDATE ${TABLE} SET state = 'done', ended_ms = ${this.#now} WHERE schema_name = ? AND table_name = ? AND sweep_id = ?`
    await runStatement(this.#database, sql, [...this.#table, id])
  }
}
