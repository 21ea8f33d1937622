/** DuckDB files as the target of a replication stream. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { inspectedTable, type ApplyRules, type TableState } from '../../../common/apply/examined-table.ts'
import type { PartialPut, SortedBatch } from '../../../common/apply/puts.ts'
import { TurnWriter, type ChangeSteps } from '../../../common/apply/turn-writer.ts'
import type { Statement } from '../../../../model/run/ledger-port.ts'
import type {
  ChangeRequest,
  ChangeTable,
  ChangeTarget,
  ChangeWriter,
  FollowRefusal,
  TargetPreflight,
} from '../../../../model/follow/port.ts'
import { quotedName } from '../../../../shared/sql-text.ts'
import { duckdbTables } from '../../copy/introspect.ts'
import { DuckdbObjects } from '../../copy/objects.ts'
import type { DuckdbCopySession, DuckdbParts } from '../../copy/session.ts'
import { duckdbRefusal } from '../../errors.ts'
import { DuckdbChangedRows } from './rows.ts'

/** DuckDB has no triggers, and always checks foreign keys. Columns are read fast, and joins use no index. */
const RULES: ApplyRules = {
  system: 'DuckDB',
  foreignKeys: 'refused',
  scans: true,
  overwrites: false,
  dropIndex: ({ schema = 'main' }, index) => `DROP INDEX ${quotedName(schema)}.${quotedName(index)}`,
}

export class DuckdbApply implements ChangeTarget {
  readonly #parts: DuckdbParts

  constructor(parts: DuckdbParts) {
    this.#parts = parts
  }

  async inspect(request: ChangeRequest): Promise<TargetPreflight> {
    const refusals: FollowRefusal[] = []
    const notes: string[] = []
    for (const table of request.tables) {
      const state = await this.#inspect(table, request.signal)
      const reported = inspectedTable(table, state, request.fireTriggers, RULES)
      refusals.push(...reported.refusals)
      notes.push(...reported.notes)
    }
    return { refusals, notes }
  }

  async open(request: ChangeRequest): Promise<ChangeWriter> {
    return new TurnWriter(request, new DuckdbSteps(this.#parts, request), this.#parts.turn)
  }

  async #inspect({ table }: ChangeTable, signal: AbortSignal): Promise<TableState> {
    const { reader } = this.#parts
    const { schema = 'main', name } = table.table
    const [kind] = await reader.rows(
      `SELECT table_type FROM information_schema.tables
       WHERE table_catalog = current_database() AND table_schema = ? AND lower(table_name) = lower(?)`,
      [schema, name],
      { signal },
    )
    const found = await duckdbTables(reader, tableText({ schema, name }), signal)
    const spec = found.find((one) => one.table.name.toLowerCase() === name.toLowerCase())
    const referred = await reader.rows(
      `SELECT DISTINCT constraint_name, table_name FROM duckdb_constraints() WHERE database_name = current_database() AND schema_name = ?
         AND constraint_type = 'FOREIGN KEY' AND lower(referenced_table) = lower(?) AND lower(table_name) <> lower(?) ORDER BY 1, 2`,
      [schema, name, name],
      { signal },
    )
    const [objects = []] = await new DuckdbObjects(this.#parts).list([table], signal)
    return {
      kind: kind === undefined ? null : kind[0] === 'BASE TABLE' ? 'table' : String(kind[0]).toLowerCase(),
      columns: (spec?.columns ?? []).map((column) => ({
        name: column.name,
        ...(column.generated === true ? { generated: true } : {}),
        ...(column.collation === undefined || /^(?:binary|c|posix)$/i.test(column.collation)
          ? {}
          : { foldedBy: column.collation }),
      })),
      objects,
      triggers: [],
      referred: referred.map(([key, of]) => `${String(key)} of ${String(of)}`),
    }
  }
}

class DuckdbSteps implements ChangeSteps {
  readonly #parts: DuckdbParts
  readonly #session: DuckdbCopySession
  readonly #request: ChangeRequest
  readonly #tables = new Map<number, DuckdbChangedRows>()

  constructor(parts: DuckdbParts, request: ChangeRequest) {
    this.#parts = parts
    this.#session = parts.writer()
    this.#request = request
  }

  async begin(): Promise<void> {
    await this.#parts.writer().begin()
  }

  apply(table: number, batch: SortedBatch, signal: AbortSignal): Promise<readonly PartialPut[]> {
    return this.#rows(table).apply(batch, signal)
  }

  clear(table: number): Promise<void> {
    return this.#rows(table).clear()
  }

  async commit(statements: readonly Statement[]): Promise<'committed' | 'fenced'> {
    if (!(await this.#session.closesChunk(statements))) {
      await this.#session.rollBack()
      return 'fenced'
    }
    await this.#session.commit()
    return 'committed'
  }

  rollBack(): Promise<void> {
    return this.#session.rollBack()
  }

  named(error: unknown, table: string): unknown {
    return duckdbRefusal(error, this.#parts.label, table === '' ? this.#names : table)
  }

  /** The session belongs to the store, which stays open. */
  async close(): Promise<void> {
    return
  }

  /** Names of all tables, for an error at commit: DuckDB does not name the table of a failed constraint there. */
  get #names(): string {
    return this.#request.tables.map(({ table }) => tableText(table.table)).join(', ')
  }

  #rows(table: number): DuckdbChangedRows {
    const request = this.#request.tables[table]
    if (request === undefined) throw new Error(`there is no table ${table}`)
    let rows = this.#tables.get(table)
    if (rows === undefined) this.#tables.set(table, (rows = new DuckdbChangedRows(this.#session, request)))
    return rows
  }
}
