/** Columns whose stored text decides whether a table accepts a row. */
import type Database from 'better-sqlite3'
import { definitionTokens } from '../../common/definition-text.ts'
import { generatedExpressions } from '../../common/sqlite-dialect/dependency-list.ts'
import { checksIn } from '../archive/unchecked.ts'
import { foldedDefinitionOf } from './shape.ts'

/**
 * Names, in lower case, of columns in the key, in a unique index or in a foreign key, and of those that a CHECK, a
 * generated column or a unique index with an expression mentions. Such a row may be refused with another spelling of
 * the same time. May contain other words of these expressions.
 */
export function comparedTexts(connection: Database.Database, table: string): ReadonlySet<string> {
  const names = connection.prepare(
    `SELECT p.name FROM pragma_index_list(@table) AS i, pragma_index_xinfo(i.name) AS p WHERE i."unique" = 1 AND p.key = 1 AND p.name IS NOT NULL
     UNION SELECT "from" FROM pragma_foreign_key_list(@table)`,
  )
  const indexes = connection.prepare(
    `SELECT s.sql FROM pragma_index_list(?) AS i JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = i.name
     WHERE i."unique" = 1 AND s.sql IS NOT NULL`,
  )
  const definition = foldedDefinitionOf(connection, table) ?? ''
  const expressions = [
    ...checksIn(definition).flatMap(({ violated }) => violated ?? []),
    ...[...generatedExpressions(definition).values()].map(({ sql }) => sql),
    ...(indexes.pluck().all(table) as readonly string[]),
  ]
  const words = expressions.flatMap((sql) => definitionTokens(sql, 'brackets').map(({ text }) => text))
  return new Set([...(names.pluck().all({ table }) as readonly string[]), ...words].map((name) => name.toLowerCase()))
}
