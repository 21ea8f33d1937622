import { openDuckdb } from './sql-database.ts'

/** The version of the library that is part of this program. */
export async function duckdbVersion(): Promise<string> {
  await using database = await openDuckdb(':memory:', 'write')
  const [[version] = []] = await database.all('SELECT version()')
  return String(version)
}
