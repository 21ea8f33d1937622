/** User rights on a catalog in MySQL or MariaDB, from SHOW GRANTS: only administrators may read the grant tables. */
import { regexText } from '../../shared/name-pattern.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'
import { missingTexts, withLevel, type CatalogRights } from '../access-level.ts'
import type { RelationNames } from '../dialect-port.ts'
import { MIGRATIONS_RELATION } from '../relation-names.ts'

const WRITES = ['INSERT', 'UPDATE', 'DELETE'] as const
export const ADMIN_PRIVILEGES = ['CREATE', 'ALTER', 'DROP', 'INDEX', 'CREATE VIEW', 'SHOW VIEW'] as const

export async function mysqlRights(reader: SqlReader, { tables, views }: RelationNames): Promise<CatalogRights> {
  const [[login, database] = []] = await reader.all('SELECT current_user(), database()')
  const grants = parseGrants(await showGrants(reader))
  const name = String(database)
  const has = (privilege: string, relation: string | null): boolean => grants.allows(privilege, name, relation)
  const lacking = (relations: readonly string[], privileges: readonly string[]): ReadonlyMap<string, string[]> =>
    new Map(relations.map((relation) => [relation, privileges.filter((privilege) => !has(privilege, relation))]))
  const admin = ADMIN_PRIVILEGES.filter((privilege) => !has(privilege, null))
  const index = [...lacking(['delta_files'], ['INDEX']).values()].flat()
  return withLevel({
    login: String(login),
    missing: {
      reader: missingTexts(lacking([...tables, ...views, MIGRATIONS_RELATION], ['SELECT'])),
      importer: missingTexts(lacking(tables, WRITES)),
      admin: admin.length === 0 ? [] : [`${admin.join(', ')} on ${name}`],
    },
    wanted: index.length === 0 ? [] : ['INDEX on delta_files'],
  })
}

/** MySQL lists the privileges of roles only if they are named; MariaDB lists the privileges of the current role. */
async function showGrants(reader: SqlReader): Promise<readonly string[]> {
  const texts = (rows: readonly (readonly unknown[])[]): string[] => rows.map(([text]) => String(text))
  const [[version, role] = []] = await reader.all('SELECT version(), current_role()')
  if (/mariadb/i.test(String(version)) || role === null || role === 'NONE')
    return texts(await reader.all('SHOW GRANTS'))
  return texts(await reader.all(`SHOW GRANTS FOR CURRENT_USER() USING ${String(role)}`))
}

type Grant = { readonly privileges: readonly string[]; readonly database: RegExp | null; readonly table: string | null }
export type Grants = { allows(privilege: string, database: string, table: string | null): boolean }

const NAME = String.raw`(\*|(?:\`(?:[^\`]|\`\`)*\`)|(?:"(?:[^"]|"")*"))`
const LINE = new RegExp(String.raw`^(GRANT|REVOKE) (.+?) ON (?:TABLE )?${NAME}\.${NAME} (?:TO|FROM) `, 's')

/** The lines of SHOW GRANTS. Rights on single columns are ignored. */
export function parseGrants(lines: readonly string[]): Grants {
  const granted: Grant[] = []
  const revoked: Grant[] = []
  for (const line of lines) {
    const match = LINE.exec(line)
    if (match === null) continue
    const [, verb, words = '', database = '', table = ''] = match
    const isGlobal = database === '*'
    const onTable = table === '*' ? null : unquoted(table)
    const grant = {
      privileges: words
        .replaceAll(/\w+ \([^)]*\)/g, '')
        .split(',')
        .map((word) => word.trim().toUpperCase()),
      database: isGlobal ? null : onTable === null ? pattern(unquoted(database)) : literally(unquoted(database)),
      table: onTable,
    }
    if (verb === 'GRANT') granted.push(grant)
    else revoked.push(grant)
  }
  const covers = (grant: Grant, privilege: string, database: string, table: string | null): boolean =>
    (grant.privileges.includes(privilege) || grant.privileges.includes('ALL PRIVILEGES')) &&
    (grant.database === null || grant.database.test(database)) &&
    (grant.table === null || grant.table === table)
  return {
    allows: (...what) =>
      granted.some(
        (grant) =>
          covers(grant, ...what) && (grant.database !== null || !revoked.some((taken) => covers(taken, ...what))),
      ),
  }
}

function unquoted(name: string): string {
  const quote = name.charAt(0)
  return name.slice(1, -1).replaceAll(quote + quote, quote)
}

function literally(name: string): RegExp {
  return new RegExp(`^${regexText(name)}$`, 's')
}

/** In a grant on a whole database `_` and `%` are wildcards unless a backslash precedes them. */
function pattern(name: string): RegExp {
  const text = name.replaceAll(/\\?[^]/g, (part) => {
    if (part === '_') return '.'
    if (part === '%') return '.*'
    const plain = part.length === 2 && /[\\_%]/.test(part.charAt(1)) ? part.charAt(1) : part
    return regexText(plain)
  })
  return new RegExp(`^${text}$`, 's')
}
