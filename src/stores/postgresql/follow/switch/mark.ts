/**
 * Detects changes of two tables that a stream does not report as row changes. Columns may be altered, partitions added
 * or removed, files truncated or rewritten, and triggers of other tables may write rows into a guarded table.
 */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SwitchMark } from '../../../../model/follow/switch-port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { BY_INDEX, readShapes, type Node } from '../replication/shapes.ts'
import { nestedWrites } from './guard.ts'
import type { CutoverTable } from './sides.ts'

type Tree = {
  readonly oid: string
  readonly nodes: readonly Node[]
  /** Digest of the columns of each node, by OID. */
  readonly columns: Readonly<Record<string, string>>
  readonly nested: Nested
}

/** Older versions of sluice did not note the columns, and did not count writes by triggers of other tables. */
type OldTree = Pick<Tree, 'oid' | 'nodes'> & Partial<Tree>

type Nested = Awaited<ReturnType<typeof nestedWrites>>

/** State of the tables, with which later changes are found. Call it in a transaction. */
export async function cutoverMark(session: CopySession, tables: readonly CutoverTable[]): Promise<SwitchMark> {
  return { text: JSON.stringify(await treesOf(session, tables)) }
}

/**
 * Finds changes since the mark. Both tables must be locked against all other sessions.
 * @param tables the table with the public name, then the table that gets it; or the only table in this database
 * @returns a text for each change; empty if nothing changed
 * @throws SluiceError NOT_SWITCHABLE if a partition of the second table does not exist any more
 */
export async function changesSinceMark(
  session: CopySession,
  mark: SwitchMark,
  tables: readonly CutoverTable[],
): Promise<readonly string[]> {
  const before = JSON.parse(mark.text) as readonly OldTree[]
  const now = await treesOf(session, tables)
  return tables.flatMap((table, at) => {
    const [old, fresh] = [before[at], now[at]]
    if (old === undefined || fresh === undefined || old.oid !== fresh.oid)
      return [`${tableText(table)} is another table`]
    const gone = old.nodes.filter(({ oid }) => !fresh.nodes.some((node) => node.oid === oid))
    const [first] = gone
    if (at === 1 && first !== undefined) throw lost(table, gone)
    // A transaction that was open at the mark may have committed after the rows were compared.
    const isWritten = old.nested !== undefined && (old.nested.isOpen || old.nested.count !== fresh.nested.count)
    return [
      ...(old.nested === undefined ? [`writes of triggers into ${tableText(table)} were not counted`] : []),
      ...(isWritten ? [`a trigger of another table wrote into ${tableText(table)}`] : []),
      ...gone.map(({ name }) => `partition ${name} no longer belongs to ${tableText(table)}`),
      ...fresh.nodes.flatMap((node) => changed(node, old, fresh)),
    ]
  })
}

function changed(node: Node, old: OldTree, fresh: Tree): readonly string[] {
  const { name, oid } = node
  const before = old.nodes.find((one) => one.oid === oid)
  if (before === undefined) return [`partition ${name} is new`]
  if (old.columns !== undefined && old.columns[oid] !== fresh.columns[oid]) return [`columns of ${name} were altered`]
  if (before.file !== node.file) return [`${name} was emptied or rewritten`]
  const isSame = (['parent', 'kind', 'bounds', 'attached'] as const).every((fact) => before[fact] === node[fact])
  return isSame ? [] : [`partition ${name} was attached again`]
}

async function treesOf(session: CopySession, tables: readonly CutoverTable[]): Promise<readonly Tree[]> {
  await session.ask(BY_INDEX)
  const shapes = await readShapes(
    session,
    tables.map(({ oid }) => oid),
  )
  const trees: Tree[] = []
  for (const table of tables) {
    const nodes = shapes.get(table.oid)?.shape.nodes ?? []
    const columns = await columnDigests(session, nodes)
    trees.push({ oid: table.oid, nodes, columns, nested: await nestedWrites(session, table) })
  }
  return trees
}

/**
 * Digests of the number, name, type and generation expression of each column, by OID of the node. The expression is
 * read as it is stored: its text for users depends on the search path.
 */
async function columnDigests(session: CopySession, nodes: readonly Node[]): Promise<Tree['columns']> {
  const rows = await session.ask(
    `SELECT a.attrelid, pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum, pg_catalog.quote_ident(a.attname), a.atttypid, a.atttypmod, a.attgenerated, d.adbin::text), ', ' ORDER BY a.attnum))
     FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated <> ''
     WHERE a.attrelid = ANY (${literal(`{${nodes.map(({ oid }) => oid).join(',')}}`)}::oid[]) AND a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid`,
  )
  return Object.fromEntries(rows.map(([oid, digest]) => [oid ?? '', digest ?? '']))
}

function lost(table: CutoverTable, gone: readonly Node[]): SluiceError {
  const [first, ...more] = gone
  const lostText =
    more.length === 0
      ? `partition ${first?.name} no longer belongs`
      : `partition ${first?.name} and ${more.length} more no longer belong`
  return new SluiceError('NOT_SWITCHABLE', `${lostText} to ${tableText(table)}`, {
    where: tableText(table),
    reason: 'another user detached or dropped it after all rows were compared: its rows would be missing',
    hint: 'attach it again; then the same command compares all rows again',
  })
}
