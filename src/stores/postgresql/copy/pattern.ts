/** Names of tables as people write them: `schema.name`, `name`, `*` for any characters; double quotes as in SQL are understood too. */
import { literal } from '../server/sql.ts'

type TablePattern = {
  /** On `n.nspname` and `c.relname`. */
  readonly condition: string
  /** Whether one name was given, and no kind of names. */
  readonly exact: boolean
}

const QUOTED = /^(?:"((?:[^"]|"")+)"|([^".*]+))(?:\.(?:"((?:[^"]|"")+)"|([^".*]+)))?$/

export function tablePattern(pattern: string): TablePattern {
  const readings = [like('c.relname', pattern, 'pg_catalog.pg_table_is_visible(c.oid)')]
  // Names may hold dots themselves: compared as a whole, nobody has to know which dot divides.
  if (pattern.includes('.')) readings.push(like("(n.nspname::text || '.' || c.relname::text)", pattern, 'true'))
  const quoted = pattern.includes('"') ? QUOTED.exec(pattern) : null
  if (quoted !== null) {
    const names = [quoted[1] ?? quoted[2], quoted[3] ?? quoted[4]].flatMap((name) =>
      name === undefined ? [] : [literal(name.replaceAll('""', '"'))],
    )
    const [first, second] = names
    readings.push(
      second === undefined
        ? `c.relname = ${first} AND pg_catalog.pg_table_is_visible(c.oid)`
        : `n.nspname = ${first} AND c.relname = ${second}`,
    )
  }
  return { condition: readings.map((reading) => `(${reading})`).join(' OR '), exact: !pattern.includes('*') }
}

/** Names of the system compare by bytes, whatever the database does. */
function like(name: string, pattern: string, more: string): string {
  if (!pattern.includes('*')) return `${name} = ${literal(pattern)} AND ${more}`
  const escaped = pattern.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll('*', '%')
  return `${name} LIKE ${literal(escaped)}::text AND ${more}`
}
