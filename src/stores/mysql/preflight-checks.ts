/** Preflight checks of a MySQL or MariaDB server. */
import type { SqlReader } from '../../model/run/sql-port.ts'
import { fail, ok, warn, type Verdict } from '../../model/run/verdict.ts'
import { sizeText } from '../../shared/figures.ts'
import type { ServerCheck } from '../common/preflight-port.ts'
import { connectionsVerdict, tlsVerdict } from '../common/server-verdicts.ts'
import { isBinaryCollation } from './charset.ts'

const SMALL_PACKET = 4 << 20

export const mysqlChecks: readonly ServerCheck[] = [
  { name: 'server', inspect: serverVerdict },
  {
    name: 'tls',
    inspect: async (reader, options) => {
      const status = await listed(reader, "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_version', 'Ssl_cipher')")
      const version = status.get('Ssl_version') ?? ''
      const words = { full: 'ssl-mode=VERIFY_IDENTITY', ca: 'ssl-ca' }
      return tlsVerdict(version === '' ? null : `${version} ${status.get('Ssl_cipher') ?? ''}`, options, words)
    },
  },
  { name: 'collation', inspect: collationVerdict },
  { name: 'writes', inspect: writesVerdict },
  {
    name: 'connections',
    inspect: async (reader, options) => {
      const limits = await variables(reader, ['max_connections', 'max_user_connections'])
      const status = await listed(reader, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
      const most = Number(limits.get('max_connections'))
      const ofUser = Number(limits.get('max_user_connections') ?? 0)
      const free = Math.max(0, most - Number(status.get('Threads_connected') ?? 0))
      return connectionsVerdict(ofUser > 0 ? Math.min(free, ofUser) : free, most, options)
    },
  },
  { name: 'packets', inspect: packetsVerdict },
  { name: 'loads', inspect: loadsVerdict },
  { name: 'durability', inspect: durabilityVerdict },
  { name: 'timeouts', inspect: timeoutsVerdict },
  {
    name: 'size',
    inspect: async (reader) => {
      const [[bytes] = []] = await reader.all(
        'SELECT CAST(coalesce(sum(data_length + index_length), 0) AS BIGINT) FROM information_schema.tables WHERE table_schema = database()',
      )
      return ok(`the database takes about ${sizeText(Number(bytes))}; the server does not report its free disk space`)
    },
  },
]

async function serverVerdict(reader: SqlReader): Promise<Verdict> {
  const [[version, charset, collation] = []] = await reader.all(
    'SELECT version(), @@character_set_database, @@collation_database',
  )
  const flavour = /mariadb/i.test(String(version)) ? 'MariaDB' : 'MySQL'
  return ok(`${flavour} ${String(version)}, ${String(charset)}, collation ${String(collation)}`)
}

/** Checks the collation of catalog tables: it is binary at their creation, but a user may have converted them later. */
async function collationVerdict(reader: SqlReader): Promise<Verdict | null> {
  const rows = await reader.all(
    `SELECT DISTINCT table_name, collation_name FROM information_schema.columns WHERE table_schema = database()
       AND (table_name LIKE 'delta|_%' ESCAPE '|' OR table_name = 'migration_status') AND table_name <> 'delta_active_files' AND collation_name IS NOT NULL`,
  )
  if (rows.length === 0) return null
  const wrong = rows.filter(([, collation]) => !isBinaryCollation(String(collation)))
  if (wrong.length === 0) return ok(`texts of the catalog compare by their bytes (${String(rows[0]?.[1])})`)
  return fail(`${String(wrong[0]?.[0])} compares texts by ${String(wrong[0]?.[1])}`, {
    cause: 'two paths that differ in case or in blanks at their end would be equal',
    hint: 'the relations were converted by another program: create a new catalog in another database and import again',
  })
}

async function writesVerdict(reader: SqlReader): Promise<Verdict> {
  const values = await variables(reader, ['read_only', 'super_read_only', 'innodb_read_only'])
  const on = [...values].filter(([, value]) => !/^(?:OFF|0|)$/i.test(value)).map(([name]) => name)
  if (on.length === 0) return ok('the server accepts writes')
  return fail(`refused: ${on.join(', ')} ${on.length === 1 ? 'is' : 'are'} on`, {
    cause: 'replicas are set up like this, so that only their source receives writes',
    hint: 'use the source server to import; queries work here',
  })
}

async function packetsVerdict(reader: SqlReader): Promise<Verdict> {
  const bytes = Number((await variables(reader, ['max_allowed_packet'])).get('max_allowed_packet'))
  const found = `up to ${sizeText(bytes)} (max_allowed_packet)`
  if (bytes >= SMALL_PACKET) return ok(found)
  return warn(found, {
    cause: 'a large commit or schema is one value, and would be refused',
    hint: 'SET GLOBAL max_allowed_packet = 67108864, and in the configuration of the server',
  })
}

async function loadsVerdict(reader: SqlReader): Promise<Verdict> {
  const value = (await variables(reader, ['local_infile'])).get('local_infile')
  if (value === 'ON') return ok('LOAD DATA LOCAL (local_infile is on)')
  return warn('INSERT with many rows: local_infile is off', {
    cause: 'LOAD DATA LOCAL is about twice as fast',
    hint: 'SET GLOBAL local_infile = ON, where the rules of the server allow it',
  })
}

async function durabilityVerdict(reader: SqlReader): Promise<Verdict> {
  const value = (await variables(reader, ['innodb_flush_log_at_trx_commit'])).get('innodb_flush_log_at_trx_commit')
  if (value === '1' || value === undefined) return ok('commits reach the disk')
  return warn(`innodb_flush_log_at_trx_commit is ${value}`, {
    cause: 'a crash of the server’s machine can lose the last second of commits; the import then continues from there',
    hint: 'SET GLOBAL innodb_flush_log_at_trx_commit = 1, unless speed matters more',
  })
}

/** Checks the statement timeouts: sessions set all other timeouts themselves. */
async function timeoutsVerdict(reader: SqlReader): Promise<Verdict> {
  const values = await variables(reader, ['max_statement_time', 'max_execution_time'])
  const set = [...values].filter(([, value]) => Number(value) > 0)
  const [first] = set
  if (first === undefined) return ok('long statements are not limited')
  return warn(set.map(([name, value]) => `${name} is ${value}`).join(', '), {
    cause: 'index builds and long queries take minutes, and would be cancelled',
    hint: `SET GLOBAL ${first[0]} = 0, or set it for this user`,
  })
}

function variables(reader: SqlReader, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  return listed(reader, `SHOW VARIABLES WHERE Variable_name IN (${names.map((name) => `'${name}'`).join(', ')})`)
}

async function listed(reader: SqlReader, sql: string): Promise<ReadonlyMap<string, string>> {
  return new Map((await reader.all(sql)).map(([name, value]) => [String(name), String(value)]))
}
