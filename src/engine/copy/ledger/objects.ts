/**
 * Records the indexes, constraints and defaults that copies created. To find existing objects, the target itself is
 * queried; of the record only defaults are read back.
 */
import type { ObjectKind } from '../../../model/copy/schema-object.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { RunOwner, TableKey } from './owner.ts'
import { storableError } from './error-text.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { makeLateTable } from './late-tables.ts'
import { runStatement } from './statement.ts'

export type ObjectRow = { readonly name: string; readonly kind: ObjectKind }

export class ObjectLedger {
  readonly #database: LedgerDatabase
  readonly #owner: RunOwner
  /** Creation of `migration_objects`, which older ledgers lack. Null until this run records its first object. */
  #made: Promise<void> | null = null

  constructor(database: LedgerDatabase, owner: RunOwner) {
    this.#database = database
    this.#owner = owner
  }

  /** Records that the creation of an object starts. */
  async begin(table: TableKey, object: ObjectRow): Promise<void> {
    await (this.#made ??= makeLateTable(this.#database, 'migration_objects'))
    await this.#database.batch(this.#beginning(table, object))
  }

  #beginning(table: TableKey, object: ObjectRow): readonly Statement[] {
    const { now } = ledgerDialect(this.#database.dialect)
    return [
      { sql: `DELETE FROM migration_objects WHERE ${OBJECT}`, parameters: parametersOf(table, object) },
      {
        sql: `INSERT INTO migration_objects (schema_name, table_name, kind, object_name, status, run_id, started_ms)
              VALUES (?, ?, ?, ?, 'building', ?, ${now})`,
        parameters: [...parametersOf(table, object), this.#owner.runId],
      },
    ]
  }

  /** @param error why it could not be created; null if it exists */
  async end(table: TableKey, object: ObjectRow, error: string | null): Promise<void> {
    const { now } = ledgerDialect(this.#database.dialect)
    const sql = `UPDATE migration_objects SET status = ?, error_message = ?, ended_ms = ${now} WHERE ${OBJECT}`
    await runStatement(this.#database, sql, [
      error === null ? 'built' : 'failed',
      error === null ? null : storableError(error),
      ...parametersOf(table, object),
    ])
  }

  /** True if a copy created the table and this run has written into it: no other program uses such a table yet. */
  async isOurs(table: TableKey): Promise<boolean> {
    const rows = await this.#database.all(
      `SELECT 1 FROM migration_plans p WHERE p.schema_name = ? AND p.table_name = ? AND p.made_here = 1 AND EXISTS (
         SELECT 1 FROM migration_checkpoints c WHERE c.table_name = ? AND c.schema_name = ? AND c.run_id = ?)`,
      [table.schema, table.name, table.name, table.schema, this.#owner.runId],
    )
    return rows.length > 0
  }

  /**
   * Records objects as built if they exist although their creation was interrupted. A default is recorded also if no
   * copy has created it, so that a later copy recognizes one that a user has changed.
   */
  async recordBuilt(table: TableKey, existing: readonly ObjectRow[]): Promise<void> {
    if (existing.length === 0) return
    await (this.#made ??= makeLateTable(this.#database, 'migration_objects'))
    const defaults = existing.filter(({ kind }) => kind === 'default')
    const built = defaults.length === 0 ? new Set() : await this.builtDefaults(table)
    const { now } = ledgerDialect(this.#database.dialect)
    await this.#database.batch([
      ...defaults.filter(({ name }) => !built.has(name)).flatMap((object) => this.#beginning(table, object)),
      ...existing.map((object) => ({
        sql: `UPDATE migration_objects SET status = 'built', ended_ms = ${now} WHERE ${OBJECT} AND status = 'building'`,
        parameters: parametersOf(table, object),
      })),
    ])
  }

  /** Columns of the target whose default a copy has set, or has found as in the source. */
  async builtDefaults({ schema, name }: TableKey): Promise<ReadonlySet<unknown>> {
    await (this.#made ??= makeLateTable(this.#database, 'migration_objects'))
    const rows = await this.#database.all(
      `SELECT object_name FROM migration_objects
       WHERE schema_name = ? AND table_name = ? AND kind = 'default' AND status = 'built'`,
      [schema, name],
    )
    return new Set(rows.map(([column]) => column))
  }
}

const OBJECT = 'schema_name = ? AND table_name = ? AND kind = ? AND object_name = ?'

function parametersOf({ schema, name }: TableKey, object: ObjectRow): readonly string[] {
  return [schema, name, object.kind, object.name]
}
