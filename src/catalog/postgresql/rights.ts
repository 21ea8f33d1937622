/** Rights of a role on a catalog in PostgreSQL. */
import type { SqlReader } from '../../model/run/sql-port.ts'
import { missingTexts, withLevel, type CatalogRights } from '../access-level.ts'
import type { RelationNames } from '../dialect-port.ts'
import { MIGRATIONS_RELATION } from '../relation-names.ts'

/** Functions that an import calls. They run with their owner's rights. */
export const IMPORT_FUNCTIONS = [
  'catalog_file_partition_add',
  'catalog_file_partition_index',
  'catalog_file_partition_name',
  'catalog_analyze',
] as const

const WRITES = ['INSERT', 'UPDATE', 'DELETE'] as const

/** @param role default: the login; must exist */
export async function postgresqlRights(
  reader: SqlReader,
  { tables, views }: RelationNames,
  role?: string,
): Promise<CatalogRights> {
  const [[login, schema, usage, create, createSchema] = []] = await reader.all(
    `SELECT r.rolname, s.nspname, pg_catalog.has_schema_privilege(r.oid, s.oid, 'USAGE')::int, pg_catalog.has_schema_privilege(r.oid, s.oid, 'CREATE')::int,
       pg_catalog.has_database_privilege(r.oid, current_database(), 'CREATE')::int
     FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = current_schema()
     WHERE r.rolname = coalesce(CAST(? AS text), current_user::text)`,
    [role ?? null],
  )
  const name = String(login)
  const none = { reader: [], importer: [], admin: [] }
  const granted = await relationRights(reader, name)
  if (!granted.has(MIGRATIONS_RELATION)) {
    const may = schema === null ? createSchema === 1 : create === 1
    const lacks = schema === null ? 'CREATE on the database' : `CREATE on schema ${String(schema)}`
    return { login: name, level: may ? 'admin' : null, missing: { ...none, admin: may ? [] : [lacks] }, wanted: [] }
  }
  const reads = new Map<string, readonly string[]>()
  const writes = new Map<string, readonly string[]>()
  let owns = true
  for (const [relation, has] of granted) {
    if (relation !== MIGRATIONS_RELATION && !tables.includes(relation) && !views.includes(relation)) continue
    reads.set(relation, has.privileges.has('SELECT') ? [] : ['SELECT'])
    if (tables.includes(relation))
      writes.set(
        relation,
        WRITES.filter((privilege) => !has.privileges.has(privilege)),
      )
    owns &&= has.owns
  }
  return withLevel({
    login: name,
    missing: {
      reader: [...(usage === 1 ? [] : [`USAGE on schema ${String(schema)}`]), ...missingTexts(reads)],
      importer: missingTexts(writes),
      admin: [
        ...(create === 1 ? [] : [`CREATE on schema ${String(schema)}`]),
        ...(owns ? [] : ["membership in the role that owns the catalog's relations"]),
      ],
    },
    wanted: await functionsMissing(reader, name),
  })
}

type RelationRights = { readonly privileges: ReadonlySet<string>; readonly owns: boolean }

async function relationRights(reader: SqlReader, role: string): Promise<ReadonlyMap<string, RelationRights>> {
  const privileges = ['SELECT', ...WRITES]
  const rows = await reader.all(
    `SELECT c.relname, pg_catalog.pg_has_role(CAST(? AS name), c.relowner, 'USAGE')::int,
       ${privileges.map((privilege) => `pg_catalog.has_table_privilege(CAST(? AS name), c.oid, '${privilege}')::int`).join(', ')}
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
     WHERE s.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition`,
    [role, ...privileges.map(() => role)],
  )
  return new Map(
    rows.map(([name, owns, ...has]) => [
      String(name),
      { owns: owns === 1, privileges: new Set(privileges.filter((_, i) => has[i] === 1)) },
    ]),
  )
}

async function functionsMissing(reader: SqlReader, role: string): Promise<readonly string[]> {
  const rows = await reader.all(
    `SELECT p.proname, pg_catalog.has_function_privilege(CAST(? AS name), p.oid, 'EXECUTE')::int
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace
     WHERE s.nspname = current_schema()`,
    [role],
  )
  const callable = new Set(rows.filter(([, may]) => may === 1).map(([name]) => name))
  const lacks = IMPORT_FUNCTIONS.filter((name) => !callable.has(name))
  return lacks.length === 0 ? [] : [`EXECUTE on ${lacks.join(', ')}`]
}
