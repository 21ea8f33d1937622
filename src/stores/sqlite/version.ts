import { openSqlite } from './sql-database.ts'

/** Version of the SQLite library of this program. */
export async function sqliteVersion(): Promise<string> {
  await using database = openSqlite(':memory:', 'write', 'memory')
  const [[version] = []] = await database.write((transaction) => transaction.all('SELECT sqlite_version()'))
  return String(version)
}
