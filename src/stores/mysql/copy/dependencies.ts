/** Dependencies, sequences and generated columns of tables of MySQL and MariaDB. */
import type { Column, Expression, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type { LeftBehind } from '../../../model/copy/dependencies.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import type { DependencyStore, DependencyScope } from '../../../model/copy/dependency-port.ts'
import type { Ask } from '../../common/by-session.ts'
import type { MysqlSession } from '../session.ts'
import { columnsBeyond, plainExpression } from './definitions.ts'
import { listMysqlDependencies } from './dependency-list.ts'
import { isDictionaryName } from './names.ts'

export type AskMysql = Ask<MysqlSession>

export class MysqlDependencies implements DependencyStore {
  readonly #ask: AskMysql
  readonly #database: string

  /** @param database of tables whose name has no schema */
  constructor(ask: AskMysql, database: string) {
    this.#ask = ask
    this.#database = database
  }

  async notCopied(scope: DependencyScope, signal: AbortSignal): Promise<readonly LeftBehind[]> {
    if (scope.tables.length === 0 && !scope.all) return []
    return await this.#ask(signal, (session) => listMysqlDependencies(session, scope, this.#database))
  }

  async sequences(table: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]> {
    const column = table.columns.find(({ identity }) => identity === true)
    if (column === undefined) return []
    const next = await this.#ask(signal, (session) => nextNumber(session, table.table))
    return next === null ? [] : [{ column: column.name, next }]
  }

  async detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
    if (!table.columns.some(({ generated }) => generated === true)) return table
    const { schema, name } = table.table
    return await this.#ask(signal, async (session) => {
      const rows = await session.rows(
        `SELECT COLUMN_NAME, GENERATION_EXPRESSION, EXTRA FROM information_schema.COLUMNS
         WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND GENERATION_EXPRESSION <> ''`,
        [schema ?? null, name],
      )
      const texts = rows.map(([, text]) => text)
      const shown = await columnsBeyond(texts, session, table.table)
      const expressions = new Map(
        rows.map(([column, text, extra]): [string, Expression] => {
          const whole = shown?.get(String(column))?.generated ?? null
          const sql =
            whole === null ? plainExpression(String(text), session.facts.flavour) : plainExpression(whole, 'mariadb')
          const stored = /\b(?:stored|persistent)\b/i.test(String(extra))
          const own = { stored, printedBy: /^\d+\.\d+/.exec(session.facts.version.replace(/^5\.5\.5-/, ''))?.[0] ?? '' }
          return [String(column), sql === null ? { sql: String(text), local: true, ...own } : { sql, ...own }]
        }),
      )
      const columns = table.columns.map((column): Column => {
        const expression = expressions.get(column.name)
        return expression === undefined ? column : { ...column, expression }
      })
      return { ...table, columns }
    })
  }
}

/** The next AUTO_INCREMENT number; null if the table has no such column. */
export async function nextNumber(session: MysqlSession, { schema, name }: TableName): Promise<bigint | null> {
  if (!isDictionaryName(name)) return null
  // MySQL's statistics may be a day old unless this is set.
  if (session.facts.flavour === 'mysql') await session.command('SET SESSION information_schema_stats_expiry = 0')
  const [[next] = []] = await session.rows(
    `SELECT CAST(AUTO_INCREMENT AS CHAR) FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?`,
    [schema ?? null, name],
  )
  return next == null ? null : BigInt(String(next))
}
