import { openSqlite } from './sql-database.ts'

/** The version of the library that is part of this program. */
export async function sqliteVersion(): Promise<string> {
  await using database = openSqlite(':memory:', 'write', 'memory')
  const [[version] = []] = await database.write((transaction) => transaction.all('SELECT sqlite_version()'))
  return String(version)
}
