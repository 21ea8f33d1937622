/** Dumps and restores a database of each system with half-done work, as files or as statements. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { makePlace, type Place, type System } from '../copy-systems.ts'
import { postgresDump } from './postgresql-dump.ts'

export const FIXTURES = resolve(import.meta.dirname, '../../../fixtures/half-done')
/** The newest program version with fixtures; each run of CI tests it. */
export const NEWEST = '0c1cced4'
/** Replaces the folder of the programs in fixtures, so that they name no real folder. */
export const THEIRS = '/sluice/half-done'

/** For MySQL, where names of tables include the name of the database. */
export const DATABASE = 'half_done_database'

/** Suffixes of the files that SQLite and DuckDB keep for a database. */
const BESIDE = ['', '-wal', '-journal', '.wal'] as const

/** A folder with a fixed name, which may be in a fixture. */
export function neutralFolder(): string {
  const neutral = join('/tmp', 'sluice-half-done')
  rmSync(neutral, { recursive: true, force: true })
  mkdirSync(neutral)
  return neutral
}

/** Dumps a database. @param folder of the programs that worked with it; `THEIRS` replaces it in the fixture */
export async function writeDown(
  place: Place,
  fixture: string,
  folder: string,
  form: 'files' | 'text' = 'files',
): Promise<void> {
  mkdirSync(resolve(fixture, '..'), { recursive: true })
  if (isFile(place.system, form)) {
    const file = fileOf(place)
    for (const end of BESIDE) {
      if (existsSync(file + end)) writeFileSync(`${fixture}${end}.gz`, gzipSync(readFileSync(file + end), { level: 9 }))
    }
    return
  }
  const statements = place.system === 'postgresql' ? await postgresDump(place) : await tableDump(place)
  const text = statements
    .map((one) => `${one};\n`)
    .join('')
    .replaceAll(folder, THEIRS)
  const named = place.system === 'mysql' ? text.replaceAll(new URL(place.url).pathname.slice(1), DATABASE) : text
  const neutral = named.replace(/(\w+:\/\/)[^\s'"@/]*@?127\.0\.0\.1:\d+/g, '$1there')
  writeFileSync(`${fixture}.sql.gz`, gzipSync(neutral, { level: 9 }))
}

/**
 * A new database with the restored dump.
 * @param folder replaces `THEIRS`
 * @param here replaces other names in the statements
 */
export async function readBack(
  system: System,
  fixture: string,
  folder: string,
  form: 'files' | 'text' = 'files',
  here: (text: string) => string = (text) => text,
): Promise<Place> {
  const place = await makePlace(system, folder)
  if (isFile(system, form)) {
    for (const end of BESIDE) {
      const packed = `${fixture}${end}.gz`
      if (existsSync(packed)) writeFileSync(fileOf(place) + end, gunzipSync(readFileSync(packed)))
    }
    return place
  }
  const text = here(
    gunzipSync(readFileSync(`${fixture}.sql.gz`))
      .toString('utf8')
      .replaceAll(THEIRS, folder),
  )
  if (system === 'postgresql') await place.sql(text)
  else
    await place.sql(
      ...text
        .replaceAll(DATABASE, new URL(place.url).pathname.slice(1))
        .split(/;\n/)
        .filter((one) => one.trim() !== ''),
    )
  return place
}

function isFile(system: System, form: 'files' | 'text'): boolean {
  return system === 'duckdb' || (system === 'sqlite' && form === 'files')
}

function fileOf({ url }: Place): string {
  return url.replace(/^\w+:\/\/\//, '')
}

/** Tables of SQLite or MySQL, with their indexes and rows. */
async function tableDump(place: Place): Promise<readonly string[]> {
  const tables = place.system === 'mysql' ? await mysqlTables(place) : await sqliteTables(place)
  const statements: string[] = []
  for (const { name, ddl, columns } of tables) {
    statements.push(...ddl)
    if (columns.length === 0) continue
    const quoted = columns.map(({ as }) => as).join(place.system === 'mysql' ? ", ', ', " : " || ', ' || ")
    const line = place.system === 'mysql' ? `concat(${quoted})` : quoted
    for (const [values] of await place.rows(`SELECT ${line} FROM ${name}`)) {
      statements.push(`INSERT INTO ${name} (${columns.map((one) => one.name).join(', ')}) VALUES (${values ?? ''})`)
    }
  }
  return statements
}

type Listed = {
  readonly name: string
  readonly ddl: readonly string[]
  readonly columns: readonly { readonly name: string; readonly as: string }[]
}

async function sqliteTables(place: Place): Promise<readonly Listed[]> {
  const found = await place.rows(
    "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*' ORDER BY rowid",
  )
  const rest = await place.rows("SELECT sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY rowid")
  const listed = await Promise.all(
    found.map(async ([table, sql]) => {
      const name = `"${table}"`
      const columns = await place.rows(`SELECT name FROM pragma_table_info('${table}')`)
      const indexes = await place.rows(
        `SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '${table}' AND sql IS NOT NULL ORDER BY rowid`,
      )
      return {
        name,
        ddl: [sql ?? '', ...indexes.map(([one]) => one ?? '')],
        columns: columns.map(([column]) => ({ name: `"${column}"`, as: `quote("${column}")` })),
      }
    }),
  )
  return [...listed, ...rest.map(([sql]) => ({ name: '', ddl: [sql ?? ''], columns: [] }))]
}

async function mysqlTables(place: Place): Promise<readonly Listed[]> {
  const found = await place.rows(
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY CREATE_TIME, TABLE_NAME",
  )
  const views = await place.rows('SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()')
  const listed = await Promise.all(
    found.map(async ([table]) => {
      const [[, ddl] = []] = await place.rows(`SHOW CREATE TABLE \`${table}\``)
      const columns = await place.rows(
        `SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '${table}'
         AND EXTRA NOT LIKE '%GENERATED%' ORDER BY ORDINAL_POSITION`,
      )
      return {
        name: `\`${table}\``,
        ddl: [ddl ?? ''],
        columns: columns.map(([column, type]) => {
          const name = `\`${column}\``
          const bytes = /blob|binary/.test(type ?? '')
          return { name, as: bytes ? `ifnull(concat('0x', hex(${name}), ''), 'NULL')` : `quote(${name})` }
        }),
      }
    }),
  )
  const [[database] = []] = await place.rows('SELECT DATABASE()')
  const made = await Promise.all(
    views.map(async ([view]) => {
      const [[, ddl] = []] = await place.rows(`SHOW CREATE VIEW \`${view}\``)
      const plain = (ddl ?? '').replace(/ALGORITHM.*?VIEW/, 'VIEW').replaceAll(`\`${database}\`.`, '')
      return { name: '', ddl: [plain], columns: [] }
    }),
  )
  const triggers = await place.rows('SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY CREATED, TRIGGER_NAME') // prettier-ignore
  const firing = await Promise.all(
    triggers.map(async ([trigger]) => {
      const [[, mode, ddl] = []] = await place.rows(`SHOW CREATE TRIGGER \`${trigger}\``)
      const own = (ddl ?? '').replace(/ DEFINER=\S+/, '')
      return { name: '', ddl: [`SET SESSION sql_mode = '${mode}'`, own], columns: [] }
    }),
  )
  return [...listed, ...made, ...firing]
}
