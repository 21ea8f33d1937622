/** Statements that create the new table. They do not name the old table, so they run wherever its types exist. */
import type { NewTableLine, NewTablePartition, NewTableStatements } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { suffixed } from '../../archive/move.ts'
import type { About } from './about.ts'
import { withColumn, withPlace } from './list-text.ts'
import {
  columnsSql,
  constraintsSql,
  defaultRolesSql,
  indexesSql,
  restSql,
  statisticsSql,
  tableSqlOf,
  type NewTableColumn,
  type NewTableIndex,
  type NewTableSequence,
  type NewTableStatistics,
  type NewTableFacts,
} from './new-table-facts.ts'

type Constraint = {
  readonly kind: string
  readonly name: string
  readonly definition: string
  readonly comment: string | null
}

/** Suffix for indexes and statistics of the new table, so that their names differ from the names of the old ones. */
const MARK = 'p'

/** Statements, in execution order. */
export type NewTableParts = {
  readonly made: readonly string[]
  /**
   * The statements of `made` that create unique and exclusion keys other than the primary key. Empty if there is no
   * primary key.
   */
  readonly secondary: readonly string[]
  /** Foreign keys: each blocks writers of the referenced table until the end of the transaction. */
  readonly references: readonly string[]
  readonly rest: readonly string[]
  readonly columns: readonly NewTableLine[]
}

/** @throws errors of the server */
export async function newTableStatements(
  about: About,
  name: string,
  partitions: readonly NewTablePartition[],
): Promise<NewTableStatements> {
  const { made, secondary, references, rest, columns } = await newTableParts(about, name, partitions)
  return { all: [...made, ...references, ...rest], late: [...secondary, ...references], columns }
}

/** @throws errors of the server */
export async function newTableParts(
  about: About,
  name: string,
  partitions: readonly NewTablePartition[],
): Promise<NewTableParts> {
  const { schema } = about
  const target = tableSql({ schema, name })
  const [table] = await about.session.objects<NewTableFacts>(tableSqlOf(about))
  if (table === undefined) return { made: [], secondary: [], references: [], rest: [], columns: [] }
  const columns = await about.session.objects<NewTableColumn>(columnsSql(about))
  const constraints = await about.session.objects<Constraint>(constraintsSql(about))
  const checks = constraints.filter(({ kind }) => kind === 'c')
  const indexes = (await about.session.objects<NewTableIndex>(indexesSql(about))).filter((one) => isTaken(one, about))
  const statistics = await about.session.objects<NewTableStatistics>(statisticsSql(about))
  const tables = [name, suffixed(name, 'default'), ...partitions.map((one) => one.name)]
  const indexNames = ownNames(indexes, tables)
  const statisticsNames = ownNames(statistics, [])
  const leaves = [
    ...partitions.map(({ name: leaf, from, to }) => ({
      leaf: tableSql({ schema, name: leaf }),
      bounds: `FOR VALUES FROM (${literal(from)}) TO (${literal(to)})`,
    })),
    { leaf: tableSql({ schema, name: suffixed(name, 'default') }), bounds: 'DEFAULT' },
  ]
  const revoked = (await about.session.ask(defaultRolesSql(about))).map(([role]) => role ?? '')
  const all = [target, ...leaves.map(({ leaf }) => leaf)]
  const indexed = (some: readonly NewTableIndex[]): readonly string[] =>
    some.flatMap((index) => indexStatements(target, index, about, indexNames.get(index.name) ?? ''))
  // Without a primary key, rows are found by another unique key. Then no key is secondary, because each may be needed.
  const hasPrimary = indexes.some(({ primary }) => primary)
  const secondary = hasPrimary ? indexed(indexes.filter((one) => (one.unique && !one.primary) || one.exclusion)) : []
  const made = [
    ...columns.flatMap(({ sequence, identity }) =>
      sequence === null || identity !== '' ? [] : [sequenceSql(sequence)],
    ),
    createSql(target, columns, checks, about, table),
    ...columns.flatMap((column) => columnStorage(target, column)),
    ...leaves.map(({ leaf, bounds }) => leafSql(leaf, bounds, target, table)),
    ...columns.flatMap((column) =>
      columnStatistics(
        target,
        leaves.map(({ leaf }) => leaf),
        column,
      ),
    ),
    ...indexed(indexes),
    ...statistics.flatMap((one) => statisticsStatements(target, one, statisticsNames.get(one.name) ?? '')),
  ]
  const remarked = ({ name: key, comment }: Constraint): readonly string[] =>
    comment === null ? [] : [`COMMENT ON CONSTRAINT ${quoteName(key)} ON ${target} IS ${literal(comment)}`]
  const references = constraints.flatMap((one) =>
    one.kind === 'f'
      ? [`ALTER TABLE ${target} ADD CONSTRAINT ${quoteName(one.name)} ${one.definition}`, ...remarked(one)]
      : [],
  )
  const rest = [
    ...(table.isMine ? [] : all.map((one) => `ALTER TABLE ${one} OWNER TO ${quoteName(table.owner)}`)),
    ...(table.identity === 'f' || table.identity === 'n'
      ? all.map((one) => `ALTER TABLE ${one} REPLICA IDENTITY ${table.identity === 'f' ? 'FULL' : 'NOTHING'}`)
      : []),
    ...revoked.flatMap((role) => all.map((one) => `REVOKE ALL ON TABLE ${one} FROM ${role}`)),
    ...(await about.session.ask(restSql(about, target))).map(([sql]) => sql ?? ''),
    ...(table.comment === null ? [] : [`COMMENT ON TABLE ${target} IS ${literal(table.comment)}`]),
    ...checks.flatMap(remarked),
  ]
  const lines = columns.map((column) => ({ name: column.name, type: column.type, line: columnSql(column) }))
  return { made, secondary, references, rest, columns: lines }
}

/**
 * Returns which names of the new tables, indexes and statistics are taken by existing objects. Tables and indexes share
 * one namespace.
 * @param tables names of the new table and of its partitions
 */
export async function takenNames(about: About, tables: readonly string[]): Promise<readonly string[]> {
  const indexes = (await about.session.objects<NewTableIndex>(indexesSql(about))).filter((one) => isTaken(one, about))
  const [target = ''] = tables
  const own = [...tables, suffixed(target, 'default')]
  const names = [...own, ...ownNames(indexes, own).values()]
  const statistics = [...ownNames(await about.session.objects<NewTableStatistics>(statisticsSql(about)), []).values()]
  return await about.session.texts(
    `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${literal(about.schema)} AND c.relname IN (${names.map(literal).join(', ')})
     UNION ALL SELECT s.stxname FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
     WHERE n.nspname = ${literal(about.schema)} AND s.stxname IN (${['', ...statistics].map(literal).join(', ')}) ORDER BY 1`,
  )
}

/** New index names by the old ones. @param tables names of the new table and of its partitions */
export async function newIndexNames(about: About, tables: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const indexes = (await about.session.objects<NewTableIndex>(indexesSql(about))).filter((one) => isTaken(one, about))
  const [target = ''] = tables
  return ownNames(indexes, [...tables, suffixed(target, 'default')])
}

/** New names by the old ones, distinct even if they are truncated. @param taken existing names of the same namespace */
function ownNames(old: readonly { readonly name: string }[], taken: readonly string[]): ReadonlyMap<string, string> {
  const used = new Set(taken)
  const names = new Map<string, string>()
  for (const { name } of old) {
    let own = suffixed(name, MARK)
    for (let n = 2; used.has(own); n++) own = suffixed(name, `${MARK}${n}`)
    used.add(own)
    names.set(name, own)
  }
  return names
}

/** Definitions of the table's CHECK constraints, for the new table. */
export async function checkDefinitions(about: About): Promise<readonly string[]> {
  const constraints = await about.session.objects<Constraint>(constraintsSql(about))
  return constraints.flatMap(({ kind, definition }) => (kind === 'c' ? [definition] : []))
}

/** One function for each index: it returns the statement that creates the index on a table with the same columns. */
export async function indexTails(about: About): Promise<readonly ((target: string) => string)[]> {
  const indexes = (await about.session.objects<NewTableIndex>(indexesSql(about))).filter(
    (one) => isTaken(one, about) && !one.exclusion,
  )
  return indexes.map(
    (index) => (target: string) =>
      index.constraint === null
        ? `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ON ${target} ${widened(index.tail ?? '', index, about)}`
        : `ALTER TABLE ${target} ADD ${widened(index.constraint, index, about)}`,
  )
}

/**
 * False for keys that the server would refuse on the partitioned table: temporal keys, and exclusion constraints before
 * PostgreSQL 17 or without the partition column.
 */
function isTaken({ period, exclusion, wide }: NewTableIndex, { session }: About): boolean {
  return !period && (!exclusion || (wide && session.version >= 170_000))
}

function widened(definition: string, { unique, wide }: NewTableIndex, { by }: About): string {
  return unique && !wide ? withColumn(definition, by) : definition
}

function createSql(
  target: string,
  columns: readonly NewTableColumn[],
  checks: readonly Constraint[],
  { by }: About,
  { space }: NewTableFacts,
): string {
  const lines = [
    ...columns.map(columnSql),
    ...checks.map(({ name, definition }) => `CONSTRAINT ${quoteName(name)} ${definition}`),
  ]
  return `CREATE TABLE ${target} (\n  ${lines.join(',\n  ')}\n) PARTITION BY RANGE (${by})${space === null ? '' : ` TABLESPACE ${quoteName(space)}`}`
}

function columnSql({
  name,
  type,
  collation,
  generated,
  stored,
  identity,
  sequence,
  default: own,
  notNull,
  notNullName,
}: NewTableColumn): string {
  const parts = [`${quoteName(name)} ${type}`]
  if (collation !== null) parts.push(`COLLATE ${collation}`)
  if (generated !== null) parts.push(`GENERATED ALWAYS AS (${generated}) ${stored ? 'STORED' : 'VIRTUAL'}`)
  else if (identity !== '') {
    parts.push(
      `GENERATED ${identity === 'a' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY${sequence === null ? '' : ` (${sequenceOptions(sequence)})`}`,
    )
  } else if (own !== null) parts.push(`DEFAULT ${own}`)
  if (notNull) parts.push(`${notNullName === null ? '' : `CONSTRAINT ${quoteName(notNullName)} `}NOT NULL`)
  return parts.join(' ')
}

function sequenceSql(sequence: NewTableSequence): string {
  return `CREATE SEQUENCE IF NOT EXISTS ${sequence.name} AS ${sequence.type} ${sequenceOptions(sequence)}`
}

function sequenceOptions({ start, increment, minimum, maximum, cache, cycle }: NewTableSequence): string {
  return `START ${start} INCREMENT ${increment} MINVALUE ${minimum} MAXVALUE ${maximum} CACHE ${cache}${cycle ? ' CYCLE' : ''}`
}

/** Storage of a column: set before the partitions are created, which inherit it from their parent. */
function columnStorage(target: string, { name, storage, compression }: NewTableColumn): readonly string[] {
  const alter = `ALTER TABLE ${target} ALTER COLUMN ${quoteName(name)}`
  return [
    ...(storage === null ? [] : [`${alter} SET STORAGE ${storage}`]),
    ...(compression === null ? [] : [`${alter} SET COMPRESSION ${compression}`]),
  ]
}

/** Statistics options of a column: set after the partitions are created, which do not inherit them. */
function columnStatistics(
  target: string,
  leaves: readonly string[],
  { name, target: statistics, options }: NewTableColumn,
): readonly string[] {
  const set = (table: string, given: Readonly<Record<string, string>>): string =>
    `ALTER TABLE ${table} ALTER COLUMN ${quoteName(name)} SET (${Object.entries(given)
      .map(([option, value]) => `${quoteName(option)} = ${literal(value)}`)
      .join(', ')})`
  const above =
    options?.['n_distinct'] === undefined ? options : { n_distinct_inherited: options['n_distinct'], ...options }
  return [
    ...(statistics === null
      ? []
      : [`ALTER TABLE ${target} ALTER COLUMN ${quoteName(name)} SET STATISTICS ${statistics}`]),
    ...(above === null ? [] : [set(target, above)]),
    ...(options === null ? [] : leaves.map((leaf) => set(leaf, options))),
  ]
}

function statisticsStatements(
  target: string,
  { schema, body, target: statistics, comment }: NewTableStatistics,
  name: string,
): readonly string[] {
  const own = tableSql({ schema, name })
  return [
    `CREATE STATISTICS ${own}${body} FROM ${target}`,
    ...(statistics === null ? [] : [`ALTER STATISTICS ${own} SET STATISTICS ${statistics}`]),
    ...(comment === null ? [] : [`COMMENT ON STATISTICS ${own} IS ${literal(comment)}`]),
  ]
}

function leafSql(leaf: string, bounds: string, target: string, { unlogged, method, options }: NewTableFacts): string {
  const using = method === null ? '' : ` USING ${quoteName(method)}`
  const kept = options === null ? '' : ` WITH (${options})`
  return `CREATE ${unlogged ? 'UNLOGGED ' : ''}TABLE ${leaf} PARTITION OF ${target} ${bounds}${using}${kept}`
}

function indexStatements(target: string, index: NewTableIndex, about: About, name: string): readonly string[] {
  const place = index.space === null ? '' : ` TABLESPACE ${quoteName(index.space)}`
  const kept = `${index.options === null ? '' : ` WITH (${index.options})`}${place === '' ? '' : ` USING INDEX${place}`}`
  const made =
    index.constraint === null
      ? `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${quoteName(name)} ON ${target} ${withPlace(widened(index.tail ?? '', index, about), place)}`
      : `ALTER TABLE ${target} ADD CONSTRAINT ${quoteName(name)} ${withPlace(widened(index.constraint, index, about), kept)}`
  const whole = tableSql({ schema: about.schema, name })
  return [
    made,
    ...(index.comment === null ? [] : [`COMMENT ON INDEX ${whole} IS ${literal(index.comment)}`]),
    ...(index.constraintComment === null
      ? []
      : [`COMMENT ON CONSTRAINT ${quoteName(name)} ON ${target} IS ${literal(index.constraintComment)}`]),
  ]
}
