/** Dictionary facts of a table that receives changes: its columns, its unique indexes, and how changes are applied. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import type { MysqlSession } from '../../session.ts'
import { groupBy } from '../../../../shared/group-by.ts'

/** A column of the table itself. */
export type MysqlShapeColumn = {
  readonly name: string
  /** As the dictionary writes it: `varchar(50)`. */
  readonly native: string
  /** Null if the values are not texts. */
  readonly collation: string | null
  readonly generated: boolean
}

export type IndexFacts = {
  readonly name: string
  readonly unique: boolean
  /** True if a statement can name the index in FORCE INDEX. */
  readonly usable: boolean
  /** Columns in order; null for an expression, or for a prefix of a text. */
  readonly columns: readonly (string | null)[]
}

export type ApplyShape = {
  readonly engine: string
  /** `BASE TABLE`, `VIEW`, … */
  readonly kind: string
  /** Columns of the request, in its order; null if the table has no such column. */
  readonly columns: readonly (MysqlShapeColumn | null)[]
  /** `merge`: rows are updated in place, by a unique index on the key. `replace`: deleted, then inserted. */
  readonly way: 'merge' | 'replace'
  /** The index that finds a row by its key; null if there is none. */
  readonly finder: string | null
  readonly indexes: readonly IndexFacts[]
  /**
   * Fingerprint of the columns. If it has changed, a staging table that was created with the earlier shape must be
   * replaced.
   */
  readonly columnsMark: string
}

/** @returns null if there is no such table */
export async function readMysqlApplyShape(
  { table, columns, identity }: ChangeTable,
  session: MysqlSession,
): Promise<ApplyShape | null> {
  const name = [table.table.schema ?? null, table.table.name]
  const here = 'TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?'
  const [[engine, kind] = []] = await session.rows(
    `SELECT ENGINE, TABLE_TYPE FROM information_schema.TABLES WHERE ${here}`,
    name,
  )
  if (kind === undefined) return null
  const found = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS WHERE ${here}`,
    name,
  )
  const known = new Map(
    found.map(([column, native, collation, expression]) => [
      String(column),
      {
        name: String(column),
        native: String(native),
        collation: collation == null ? null : String(collation),
        generated: expression != null && expression !== '',
      },
    ]),
  )
  const indexes = await readIndexes(session, here, name)
  const shaped = columns.map((column) => known.get(column.name) ?? null)
  const hasSecondary = indexes.some((index) => index.unique && !covers(index, identity))
  const arbiter = indexes.find((index) => index.unique && index.usable && isExactly(index, identity))
  const finder = arbiter ?? indexes.find((index) => index.usable && isSelective(index, identity))
  return {
    engine: String(engine ?? ''),
    kind: String(kind),
    columns: shaped,
    way: arbiter !== undefined && !hasSecondary ? 'merge' : 'replace',
    finder: finder?.name ?? null,
    indexes,
    columnsMark: JSON.stringify(shaped),
  }
}

/**
 * Reads the shape of a target table and checks that changes can be applied to it.
 * @throws SluiceError TABLE_REFUSED if the table does not exist, is not an InnoDB table, lacks a column, or has no
 * index that finds a row by its row key
 */
export async function soundMysqlShape(request: ChangeTable, session: MysqlSession): Promise<ApplyShape> {
  const shape = await readMysqlApplyShape(request, session)
  const where = tableText(request.table.table)
  const refused = (message: string, hint: string): SluiceError =>
    new SluiceError('TABLE_REFUSED', message, { where, hint })
  if (shape === null)
    throw refused(`there is no table ${where}`, 'it was renamed or dropped: restore it, or copy the table again')
  if (shape.engine !== 'InnoDB') throw refused(engineText(request, shape), ENGINE_HINT)
  const lacking = lackingColumns(request, shape)
  if (lacking.length > 0)
    throw refused(
      `${where} has no column ${lacking.join(', ')}`,
      'add the column to the target, with the type of the source',
    )
  if (shape.finder === null) throw refused(unindexedText(request), indexHint(request))
  return shape
}

export const ENGINE_HINT = 'ALTER TABLE … ENGINE = InnoDB'

export function engineText({ table }: ChangeTable, { engine, kind }: ApplyShape): string {
  const name = tableText(table.table)
  return engine === ''
    ? `${name} is not a table (${kind.toLowerCase()}): changes can be applied only to tables`
    : `${name} is a table of ${engine}, which has no transactions: its rows and the position of the stream could not be committed together`
}

export function lackingColumns({ columns }: ChangeTable, shape: ApplyShape): readonly string[] {
  return columns.flatMap(({ column, name }, at) =>
    column.generated !== true && shape.columns[at] === null ? [name] : [],
  )
}

function unindexedText({ table, identity }: ChangeTable): string {
  return `no index of ${tableText(table.table)} finds rows by (${identity.join(', ')}): each change would read the whole table`
}

function indexHint({ identity }: ChangeTable): string {
  return `create an index whose first columns are (${identity.join(', ')}), in full length`
}

async function readIndexes(
  session: MysqlSession,
  here: string,
  name: readonly (string | null)[],
): Promise<readonly IndexFacts[]> {
  const hidden = session.facts.flavour === 'mariadb' ? "IGNORED = 'YES'" : "IS_VISIBLE = 'NO'"
  const parts = await session.rows(
    `SELECT INDEX_NAME, NON_UNIQUE, INDEX_TYPE, COLUMN_NAME, SUB_PART, ${hidden} FROM information_schema.STATISTICS
     WHERE ${here} ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    name,
  )
  return [...groupBy(parts, ([index]) => String(index))].map(([index, some]) => {
    const [[, many, type, , , isHidden] = []] = some
    return {
      name: index,
      unique: Number(many) === 0,
      usable: type === 'BTREE' && Number(isHidden) === 0,
      columns: some.map(([, , , column, prefix]) => (column == null || prefix != null ? null : String(column))),
    }
  })
}

/** True if the index columns are exactly the row key. */
function isExactly({ columns }: IndexFacts, identity: readonly string[]): boolean {
  return columns.length === identity.length && identity.every((name) => columns.includes(name))
}

/** True if rows with different keys cannot conflict in this index. */
function covers({ columns }: IndexFacts, identity: readonly string[]): boolean {
  return identity.every((name) => columns.includes(name))
}

/** True if a lookup by the row key reads few rows of this index. */
function isSelective({ unique, columns }: IndexFacts, identity: readonly string[]): boolean {
  if (unique && columns.every((name) => name !== null && identity.includes(name))) return true
  const first = columns.slice(0, identity.length)
  return first.length === identity.length && identity.every((name) => first.includes(name))
}
