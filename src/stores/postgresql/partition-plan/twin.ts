/** Statements that make the new table beside the old one: nothing refers to the old one, so that they run wherever its types and functions are. */
import type { TwinPartition } from '../../partition-plan-port.ts'
import { quoteName } from '../connect.ts'
import { literal, tableSql } from '../copy/sql.ts'
import { suffixed } from '../archiving/move.ts'
import { type About, objects } from './about.ts'
import { withColumn } from './list-text.ts'
import {
  columnsSql,
  constraintsSql,
  defaultRolesSql,
  indexesSql,
  restSql,
  tableSqlOf,
  type TwinColumn,
  type TwinIndex,
  type TwinSequence,
  type TwinTable,
} from './twin-facts.ts'

type Constraint = {
  readonly kind: string
  readonly name: string
  readonly definition: string
  readonly comment: string | null
}

/** What indexes, statistics and partitions of the new table have at their ends, so that they do not have the names of the old one's. */
const MARK = 'p'

/** @throws what the server says */
export async function twinStatements(
  about: About,
  name: string,
  partitions: readonly TwinPartition[],
): Promise<readonly string[]> {
  const { schema } = about
  const target = tableSql({ schema, name })
  const [table] = await objects<TwinTable>(about, tableSqlOf(about))
  if (table === undefined) return []
  const columns = await objects<TwinColumn>(about, columnsSql(about))
  const constraints = await objects<Constraint>(about, constraintsSql(about))
  const checks = constraints.filter(({ kind }) => kind === 'c')
  const indexes = (await objects<TwinIndex>(about, indexesSql(about))).filter((one) => isTaken(one, about))
  const leaves = [
    ...partitions.map(({ name: leaf, from, to }) => ({
      leaf: tableSql({ schema, name: leaf }),
      bounds: `FOR VALUES FROM (${literal(from)}) TO (${literal(to)})`,
    })),
    { leaf: tableSql({ schema, name: suffixed(name, 'default') }), bounds: 'DEFAULT' },
  ]
  const revoked = (await about.session.ask(defaultRolesSql(about))).map(([role]) => role ?? '')
  const all = [target, ...leaves.map(({ leaf }) => leaf)]
  return [
    ...columns.flatMap(({ sequence, identity }) =>
      sequence === null || identity !== '' ? [] : [sequenceSql(sequence)],
    ),
    createSql(target, columns, checks, about, table),
    ...columns.flatMap((column) => columnStorage(target, column)),
    ...leaves.map(({ leaf, bounds }) => leafSql(leaf, bounds, target, table)),
    ...indexes.flatMap((index) => indexStatements(target, index, about)),
    ...constraints.flatMap(({ kind, name: key, definition }) =>
      kind === 'f' ? [`ALTER TABLE ${target} ADD CONSTRAINT ${quoteName(key)} ${definition}`] : [],
    ),
    ...(table.isMine ? [] : all.map((one) => `ALTER TABLE ${one} OWNER TO ${quoteName(table.owner)}`)),
    ...(table.identity === 'f' || table.identity === 'n'
      ? all.map((one) => `ALTER TABLE ${one} REPLICA IDENTITY ${table.identity === 'f' ? 'FULL' : 'NOTHING'}`)
      : []),
    ...revoked.flatMap((role) => all.map((one) => `REVOKE ALL ON TABLE ${one} FROM ${role}`)),
    ...(await about.session.ask(restSql(about, target))).map(([sql]) => sql ?? ''),
    ...(table.comment === null ? [] : [`COMMENT ON TABLE ${target} IS ${literal(table.comment)}`]),
    ...constraints.flatMap(({ name: key, comment }) =>
      comment === null ? [] : [`COMMENT ON CONSTRAINT ${quoteName(key)} ON ${target} IS ${literal(comment)}`],
    ),
  ]
}

/** Names that something else has: of the new tables, and of their indexes, which share the names of tables. */
export async function takenNames(about: About, tables: readonly string[]): Promise<readonly string[]> {
  const indexes = (await objects<TwinIndex>(about, indexesSql(about))).filter((one) => isTaken(one, about))
  const names = [...tables, ...indexes.map(({ name }) => suffixed(name, MARK))]
  const rows = await about.session.ask(
    `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${literal(about.schema)} AND c.relname IN (${names.map(literal).join(', ')}) ORDER BY 1`,
  )
  return rows.map(([name]) => name ?? '')
}

/** Definitions behind the name of the table, for one that has the same columns: what makes its indexes. */
export async function indexTails(about: About): Promise<readonly ((target: string) => string)[]> {
  const indexes = (await objects<TwinIndex>(about, indexesSql(about))).filter(
    (one) => isTaken(one, about) && !one.exclusion,
  )
  return indexes.map(
    (index) => (target: string) =>
      index.constraint === null
        ? `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ON ${target} ${widened(index.tail ?? '', index, about)}`
        : `ALTER TABLE ${target} ADD ${widened(index.constraint, index, about)}`,
  )
}

/** Keys over time stand nowhere: the server would refuse them. */
function isTaken({ period, exclusion, wide }: TwinIndex, { session }: About): boolean {
  return !period && (!exclusion || (wide && session.version >= 170_000))
}

function widened(definition: string, { unique, wide }: TwinIndex, { by }: About): string {
  return unique && !wide ? withColumn(definition, by) : definition
}

function createSql(
  target: string,
  columns: readonly TwinColumn[],
  checks: readonly Constraint[],
  { by }: About,
  { space }: TwinTable,
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
}: TwinColumn): string {
  const parts = [`${quoteName(name)} ${type}`]
  if (collation !== null) parts.push(`COLLATE ${collation}`)
  if (generated !== null) parts.push(`GENERATED ALWAYS AS (${generated}) ${stored ? 'STORED' : 'VIRTUAL'}`)
  else if (identity !== '') {
    parts.push(
      `GENERATED ${identity === 'a' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY${sequence === null ? '' : ` (${sequenceOptions(sequence)})`}`,
    )
  } else if (own !== null) parts.push(`DEFAULT ${own}`)
  if (notNull) parts.push('NOT NULL')
  return parts.join(' ')
}

function sequenceSql(sequence: TwinSequence): string {
  return `CREATE SEQUENCE IF NOT EXISTS ${sequence.name} AS ${sequence.type} ${sequenceOptions(sequence)}`
}

function sequenceOptions({ start, increment, minimum, maximum, cache, cycle }: TwinSequence): string {
  return `START ${start} INCREMENT ${increment} MINVALUE ${minimum} MAXVALUE ${maximum} CACHE ${cache}${cycle ? ' CYCLE' : ''}`
}

/** Before the partitions are made, which take it from their parent. */
function columnStorage(
  target: string,
  { name, storage, compression, target: statistics, options }: TwinColumn,
): readonly string[] {
  const alter = `ALTER TABLE ${target} ALTER COLUMN ${quoteName(name)}`
  return [
    ...(storage === null ? [] : [`${alter} SET STORAGE ${storage}`]),
    ...(compression === null ? [] : [`${alter} SET COMPRESSION ${compression}`]),
    ...(statistics === null ? [] : [`${alter} SET STATISTICS ${statistics}`]),
    ...(options === null ? [] : [`${alter} SET (${options})`]),
  ]
}

function leafSql(leaf: string, bounds: string, target: string, { unlogged, method, options }: TwinTable): string {
  const using = method === null ? '' : ` USING ${quoteName(method)}`
  const kept = options === null ? '' : ` WITH (${options})`
  return `CREATE ${unlogged ? 'UNLOGGED ' : ''}TABLE ${leaf} PARTITION OF ${target} ${bounds}${using}${kept}`
}

function indexStatements(target: string, index: TwinIndex, about: About): readonly string[] {
  const name = suffixed(index.name, MARK)
  const made =
    index.constraint === null
      ? `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${quoteName(name)} ON ${target} ${widened(index.tail ?? '', index, about)}`
      : `ALTER TABLE ${target} ADD CONSTRAINT ${quoteName(name)} ${widened(index.constraint, index, about)}`
  const whole = tableSql({ schema: about.schema, name })
  return [
    made,
    ...(index.comment === null ? [] : [`COMMENT ON INDEX ${whole} IS ${literal(index.comment)}`]),
    ...(index.constraintComment === null
      ? []
      : [`COMMENT ON CONSTRAINT ${quoteName(name)} ON ${target} IS ${literal(index.constraintComment)}`]),
  ]
}
