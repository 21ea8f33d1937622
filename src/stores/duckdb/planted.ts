/**
 * What a database file brings along under names of DuckDB's own and of ours. A macro of the file goes before the function of that name: it would count, digest and
 * compare in its place, and can read every file that this user may read.
 *
 * The statements name every function by its schema, and compare by `=` and `IN`, which no macro can stand in for.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { SluiceError } from '../../shared/errors.ts'
import { literal, quotedName } from '../../shared/sql-text.ts'
import { PLAIN_NAMES } from '../common/own-tables.ts'
import { plantedOwn } from '../common/planted-own.ts'

const MACROS = `SELECT f.schema_name, f.function_name, f.function_type FROM system.main.duckdb_functions() f
  SEMI JOIN (SELECT system.main.lower(function_name) AS name FROM system.main.duckdb_functions() WHERE internal) s
    ON s.name = system.main.lower(f.function_name)
  WHERE NOT f.internal AND f.database_name = system.main.current_database() AND f.schema_name = 'main' LIMIT 1`

const VIEWS = `SELECT view_name FROM system.main.duckdb_views() WHERE NOT internal AND database_name = system.main.current_database()
  AND schema_name = 'main' AND system.main.lower(view_name) IN (${PLAIN_NAMES.map(literal).join(', ')}) LIMIT 1`

/** @throws SluiceError TARGET_DENIED for a macro, TABLE_REFUSED for a view, each with its name and its DROP */
export async function refusePlanted(connection: DuckDBConnection, label: string): Promise<void> {
  const [macro] = (await connection.runAndReadAll(MACROS)).getRows() as [string, string, string][]
  if (macro !== undefined) throw plantedMacro(macro, label)
  const [view] = (await connection.runAndReadAll(VIEWS)).getRows() as [string][]
  if (view !== undefined) throw plantedOwn({ what: `VIEW ${quotedName(view[0])}` }, label)
}

function plantedMacro([schema, name, type]: readonly [string, string, string], where: string): SluiceError {
  const what = `${type === 'table_macro' ? 'MACRO TABLE' : 'MACRO'} ${quotedName(schema)}.${quotedName(name)}`
  return new SluiceError('TARGET_DENIED', `the file has the ${what}, which stands in for a function of DuckDB`, {
    where,
    reason: 'statements of sluice would run it in place of the function of that name',
    hint: `find out who made it, and DROP ${what}, or give it another name`,
  })
}
