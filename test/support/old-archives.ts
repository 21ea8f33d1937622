/**
 * Archives of programs from before versions of the ledger (or with version 2), in every state in which they can be
 * killed: one copy per test.
 */
import { cpSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { makePlace, type Place } from './copy-systems.ts'

const FIXTURES = resolve(import.meta.dirname, '../../fixtures/archives')

export type OldArchives = { readonly url: string; readonly file: string; readonly archives: string }

/** One table per state, with the name `t_` and the state. */
export function oldSqliteArchives(folder: string): OldArchives {
  const archives = join(folder, 'archive')
  const file = join(folder, 'prod.db')
  cpSync(join(FIXTURES, 'sqlite'), archives, { recursive: true })
  const database = new Database(file)
  database.exec(readFileSync(join(FIXTURES, 'sqlite.sql'), 'utf8'))
  database.exec(`UPDATE migration_archives SET archive = replace(archive, '/sluice/archive', '${archives}')`)
  database.close()
  return { url: `sqlite:///${file}`, file, archives }
}

/**
 * Native partitions, one table per state. The program of `postgresql` wrote neither versions nor ownership tokens; that
 * of `postgresql-heads` wrote version 2.
 * @returns a new database that holds them
 */
export async function oldPostgresArchives(
  folder: string,
  program: 'postgresql' | 'postgresql-heads',
): Promise<{ readonly place: Place; readonly archives: string }> {
  const archives = join(folder, 'archive')
  cpSync(join(FIXTURES, program), archives, { recursive: true })
  const place = await makePlace('postgresql', folder)
  const dump = readFileSync(join(FIXTURES, `${program}.sql`), 'utf8')
  await place.sql(dump.replaceAll('/sluice/archive', archives))
  return { place, archives }
}
