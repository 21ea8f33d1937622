/** Statements that grant only the required rights for a catalog in PostgreSQL. */
import type { SqlReader } from '../../model/run/sql-port.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { GrantPlan, GrantOptions } from '../grant-plan.ts'
import { nameForSql } from '../../shared/name-for-sql.ts'
import type { RelationNames } from '../dialect-port.ts'
import { MIGRATIONS_RELATION } from '../relation-names.ts'
import { IMPORT_FUNCTIONS } from './rights.ts'

const quoted = (name: string): string => nameForSql(name, '"')

/** @throws SluiceError BAD_FLAG, NOT_A_CATALOG */
export async function postgresqlGrants(
  reader: SqlReader,
  { level, to }: GrantOptions,
  known: RelationNames,
): Promise<GrantPlan> {
  const place = await placeOf(reader, to)
  const catalog = await catalogOf(reader, known)
  if (level === 'admin') return adminPlan(place, catalog, to)
  if (catalog === null) {
    throw new SluiceError('NOT_A_CATALOG', 'the database has no catalog yet, so rights on it cannot be granted', {
      hint: 'import a table first, as a role that may create tables; sluice grants --role admin --to ROLE prepares such a role',
    })
  }
  const role = quoted(to)
  const { owner, others } = catalog
  const writes = level === 'importer'
  const newRelations = writes ? 'SELECT, INSERT, UPDATE, DELETE' : 'SELECT'
  return {
    statements: [
      ...enter(place, role, 'USAGE'),
      `GRANT SELECT ON TABLE ${onAll(place, [...catalog.tables, ...catalog.views, MIGRATIONS_RELATION])} TO ${role}`,
      ...(writes ? rowStatements(place, catalog, role, 'INSERT, UPDATE, DELETE') : []),
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoted(owner)} IN SCHEMA ${quoted(place.schema)} GRANT ${newRelations} ON TABLES TO ${role}`,
    ],
    notes: others === 0 ? [] : [sharedSchema(place.schema, owner, to)],
    by: `${owner}, who owns the catalog, or a superuser`,
  }
}

type Place = {
  readonly database: string
  readonly schema: string
  readonly exists: boolean
  readonly mayConnect: boolean
}

type Catalog = {
  readonly owner: string
  readonly ownerIsSuperuser: boolean
  readonly tables: readonly string[]
  readonly views: readonly string[]
  /** Functions of the catalog, each with its argument types. */
  readonly functions: readonly { readonly name: string; readonly types: string }[]
  /** Number of relations in the schema that do not belong to the catalog. */
  readonly others: number
}

/** Schema of the existing or future catalog. @throws SluiceError BAD_FLAG if there is no such role */
async function placeOf(reader: SqlReader, role: string): Promise<Place> {
  const [[database, schema, asked, mayConnect] = []] = await reader.all(
    `SELECT current_database()::text, current_schema()::text,
       CASE WHEN current_schema() IS NULL THEN (pg_catalog.parse_ident(pg_catalog.current_setting('search_path'), false))[1] END,
       (SELECT pg_catalog.has_database_privilege(r.oid, current_database(), 'CONNECT')::int FROM pg_catalog.pg_roles r WHERE r.rolname = CAST(? AS text))`,
    [role],
  )
  if (mayConnect === null || mayConnect === undefined) {
    throw new SluiceError('BAD_FLAG', `this server has no role ${role}`, {
      hint: `create it first: CREATE ROLE ${quoted(role)} LOGIN PASSWORD '…';`,
    })
  }
  return {
    database: String(database),
    schema: String(schema ?? asked),
    exists: schema !== null,
    mayConnect: mayConnect === 1,
  }
}

async function catalogOf(reader: SqlReader, known: RelationNames): Promise<Catalog | null> {
  const relations = await reader.all(
    `SELECT c.relname, r.rolname, r.rolsuper::int FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
     WHERE s.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition`,
  )
  const present = new Set(relations.map(([name]) => String(name)))
  const head = relations.find(([name]) => name === MIGRATIONS_RELATION)
  if (head === undefined) return null
  const functions = await reader.all(
    `SELECT p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid) FROM pg_catalog.pg_proc p
       JOIN pg_catalog.pg_namespace s ON s.oid = p.pronamespace WHERE s.nspname = current_schema() ORDER BY 1, 2`,
  )
  const tables = known.tables.filter((name) => present.has(name))
  const views = known.views.filter((name) => present.has(name))
  return {
    owner: String(head[1]),
    ownerIsSuperuser: head[2] === 1,
    tables,
    views,
    functions: functions
      .map(([name, types]) => ({ name: String(name), types: typesOnly(String(types)) }))
      .filter(({ name }) => IMPORT_FUNCTIONS.some((ours) => ours === name)),
    others: present.size - tables.length - views.length - 1,
  }
}

/** Removes the names of arguments: `id text` becomes `text`. */
function typesOnly(identity: string): string {
  return identity
    .split(', ')
    .map((argument) => argument.replace(/^\w+ (?=\w)/, ''))
    .join(', ')
}

function adminPlan(place: Place, catalog: Catalog | null, to: string): GrantPlan {
  const role = quoted(to)
  const schema = [
    ...(place.exists ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoted(place.schema)}`]),
    ...enter(place, role, 'USAGE, CREATE'),
  ]
  if (catalog === null) {
    const note = `the first import as ${to} creates the catalog, and ${to} will own it`
    return { statements: schema, notes: [note], by: 'the owner of the schema or a superuser' }
  }
  const { owner } = catalog
  if (owner === to) {
    return { statements: schema, notes: [`${to} owns the catalog and may do everything with it`], by: owner }
  }
  if (!catalog.ownerIsSuperuser) {
    const note = `only the owner of a relation may upgrade it, so ${to} becomes a member of ${owner}, with all of that role's rights`
    const by = `a superuser, or a role that may administer ${owner}`
    return { statements: [...schema, `GRANT ${quoted(owner)} TO ${role}`], notes: [note], by }
  }
  return {
    statements: [
      ...schema,
      `GRANT SELECT ON TABLE ${onAll(place, [...catalog.views, MIGRATIONS_RELATION])} TO ${role}`,
      ...rowStatements(place, catalog, role, 'ALL'),
    ],
    notes: [
      `the catalog belongs to ${owner}, a superuser, and sluice does not grant membership in a superuser: ${to} can import, but cannot upgrade the catalog`,
      `to allow upgrades, give the catalog to a separate role: ALTER TABLE … OWNER TO, for each relation and function of ${place.schema}, then run grants again`,
    ],
    by: `${owner} or another superuser`,
  }
}

function enter({ database, schema, mayConnect }: Place, role: string, rights: string): readonly string[] {
  return [
    ...(mayConnect ? [] : [`GRANT CONNECT ON DATABASE ${quoted(database)} TO ${role}`]),
    `GRANT ${rights} ON SCHEMA ${quoted(schema)} TO ${role}`,
  ]
}

function rowStatements(place: Place, { tables, functions }: Catalog, role: string, rights: string): readonly string[] {
  const calls = functions.map(({ name, types }) => `${quoted(place.schema)}.${quoted(name)}(${types})`)
  return [
    `GRANT ${rights} ON TABLE ${onAll(place, tables)} TO ${role}`,
    ...(calls.length === 0 ? [] : [`GRANT EXECUTE ON FUNCTION ${calls.join(', ')} TO ${role}`]),
  ]
}

function onAll({ schema }: Place, names: readonly string[]): string {
  return names.map((name) => `${quoted(schema)}.${quoted(name)}`).join(', ')
}

function sharedSchema(schema: string, owner: string, to: string): string {
  return `the schema ${schema} also has other tables: ${to} gets the same rights on later tables of ${owner} there; a catalog in a separate schema (--schema) avoids that`
}
