/** Preflight checks of a PostgreSQL server. */
import type { SqlReader } from '../../../model/run/sql-port.ts'
import { fail, ok, warn, type Verdict } from '../../../model/run/verdict.ts'
import { sizeText } from '../../../shared/figures.ts'
import type { ServerCheck } from '../../common/preflight-port.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { connectionsVerdict, tlsVerdict } from '../../common/server-verdicts.ts'
import { isStranger, TRUSTED } from './trusted-roles.ts'

export const postgresqlChecks: readonly ServerCheck[] = [
  { name: 'server', inspect: serverVerdict },
  {
    name: 'tls',
    inspect: async (reader, options) => {
      const [[isOn, version, cipher] = []] = await reader.all(
        'SELECT ssl::int, version, cipher FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()',
      )
      const words = { full: 'sslmode=verify-full', ca: 'sslrootcert' }
      return tlsVerdict(isOn === 1 ? `${String(version)} ${String(cipher)}` : null, options, words)
    },
  },
  { name: 'writes', inspect: writesVerdict },
  {
    name: 'connections',
    inspect: async (reader, options) => {
      const [[most, reserved, used, ofRole, byRole, ofDatabase, byDatabase] = []] = await reader.all(
        `SELECT pg_catalog.current_setting('max_connections')::int, pg_catalog.current_setting('superuser_reserved_connections')::int,
           (SELECT pg_catalog.sum(numbackends)::int FROM pg_catalog.pg_stat_database),
           r.rolconnlimit, (SELECT count(*)::int FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid),
           d.datconnlimit, (SELECT numbackends FROM pg_catalog.pg_stat_database b WHERE b.datid = d.oid)
         FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = current_user AND d.datname = current_database()`,
      )
      const limits = [
        [Number(most) - Number(reserved), Number(used)],
        [Number(ofRole), Number(byRole)],
        [Number(ofDatabase), Number(byDatabase)],
      ] as const
      const [tightest] = limits
        .filter(([limit]) => limit >= 0)
        .toSorted(([a, usedA], [b, usedB]) => a - usedA - (b - usedB))
      if (tightest === undefined) return null
      return connectionsVerdict(Math.max(0, tightest[0] - tightest[1]), tightest[0], options)
    },
  },
  { name: 'durability', inspect: durabilityVerdict },
  { name: 'search_path', inspect: searchPathVerdict },
  { name: 'timeouts', inspect: (reader, { hasStatementTimeout }) => timeoutsVerdict(reader, hasStatementTimeout) },
  {
    name: 'size',
    inspect: async (reader) => {
      const [[bytes] = []] = await reader.all('SELECT pg_catalog.pg_database_size(current_database())')
      return ok(`the database takes ${sizeText(Number(bytes))}; the server does not report its free disk space`)
    },
  },
]

async function serverVerdict(reader: SqlReader): Promise<Verdict> {
  const [[version, encoding, collation] = []] = await reader.all(
    `SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_encoding_to_char(encoding), datcollate
     FROM pg_catalog.pg_database WHERE datname = current_database()`,
  )
  // The collation does not matter: texts of the catalog are compared by bytes.
  return ok(`PostgreSQL ${String(version)}, ${String(encoding)}, collation ${String(collation)}`)
}

/** Checks if new sessions may write by default. Reads the reset value, because sluice makes this session read-only. */
async function writesVerdict(reader: SqlReader): Promise<Verdict> {
  const [[standby, readOnly, source] = []] = await reader.all(
    `SELECT pg_catalog.pg_is_in_recovery()::int, s.reset_val, s.source FROM pg_catalog.pg_settings s WHERE s.name = 'default_transaction_read_only'`,
  )
  if (standby === 1) {
    return fail('refused: this server is a standby', {
      cause: 'only its primary server accepts writes',
      hint: 'use the primary server to import; queries work here',
    })
  }
  if (readOnly !== 'on') return ok('the server accepts writes')
  return fail('refused: transactions are read-only by default', {
    cause: `default_transaction_read_only is on${source === 'default' ? '' : ' for this server, database or role'}`,
    hint: 'ALTER DATABASE … RESET default_transaction_read_only, or ALTER ROLE … RESET default_transaction_read_only',
  })
}

const DURABILITY = {
  fsync: 'a crash of the server’s machine can damage the whole database',
  full_page_writes: 'a crash of the server’s machine can damage the whole database',
  synchronous_commit: 'a crash of the server can lose the last commits; the import then continues from there',
} as const

async function durabilityVerdict(reader: SqlReader): Promise<Verdict> {
  const values = await resetValues(reader, Object.keys(DURABILITY))
  const off = (Object.keys(DURABILITY) as (keyof typeof DURABILITY)[]).filter((name) => values.get(name) === 'off')
  const [worst] = off
  if (worst === undefined) return ok('commits reach the disk')
  return warn(`${off.join(', ')} ${off.length === 1 ? 'is' : 'are'} off`, {
    cause: DURABILITY[worst],
    hint: `switch ${off.length === 1 ? 'it' : 'them'} on, unless the data may be lost`,
  })
}

/**
 * Warns if untrusted roles may create objects in the search_path: a session checks for planted objects only at its
 * start (`planted.ts`). Null if no such role may create objects.
 */
async function searchPathVerdict(reader: SqlReader): Promise<Verdict | null> {
  const rows = await reader.all(
    `${TRUSTED}
     SELECT DISTINCT n.nspname, CASE x.grantee WHEN 0::pg_catalog.oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END
     FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) x
       LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
     WHERE n.nspname = ANY (pg_catalog.current_schemas(false)) AND x.privilege_type = 'CREATE' AND r.rolname IS DISTINCT FROM 'pg_database_owner'
       AND CASE x.grantee WHEN 0::pg_catalog.oid THEN EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.rolcanlogin AND ${isStranger('o.oid')})
             ELSE ${isStranger('x.grantee')} END
     ORDER BY 1, 2`,
  )
  const [first] = rows
  if (first === undefined) return null
  const [schema, role] = [quotedName(String(first[0])), String(first[1])]
  const others = rows.length === 1 ? '' : `, and ${rows.length - 1} more`
  return warn(`${role} may create in ${schema}${others}, where this login resolves names`, {
    cause: 'an operator that such a role creates there during a command may run with the rights of this login',
    hint: `REVOKE CREATE ON SCHEMA ${schema} FROM ${role}; or give sluice a login that has no other rights than it needs`,
  })
}

const TIMEOUTS = ['statement_timeout', 'transaction_timeout'] as const

/** Warns of timeouts that end long statements. Sessions set lock_timeout and the idle timeout themselves. */
async function timeoutsVerdict(reader: SqlReader, hasStatementTimeout: boolean): Promise<Verdict> {
  const values = await resetValues(reader, TIMEOUTS)
  const set = TIMEOUTS.filter(
    (name) => (values.get(name) ?? '0') !== '0' && !(name === 'statement_timeout' && hasStatementTimeout),
  )
  if (set.length === 0) return ok('timeouts of the server do not end long statements')
  return warn(set.map((name) => `${name} is ${values.get(name) ?? ''} ms`).join(', '), {
    cause: 'index builds and large batches take minutes, and would be cancelled',
    hint: `ALTER ROLE … SET ${set[0] ?? ''} = 0${set[0] === 'statement_timeout' ? ', or write a longer statement_timeout (in ms) in the URL' : ''}`,
  })
}

/** Values that these settings have in a new session of this login on this database. */
async function resetValues(reader: SqlReader, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await reader.all(
    `SELECT name, reset_val FROM pg_catalog.pg_settings WHERE name IN (${names.map(() => '?').join(', ')})`,
    [...names],
  )
  return new Map(rows.map(([name, value]) => [String(name), String(value)]))
}
