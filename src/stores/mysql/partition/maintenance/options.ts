/** Partition options as in the server's own declaration. */
import type { MysqlSession } from '../../session.ts'
import type { TableName } from '../../../../model/copy/column-type.ts'
import { backquotedTable } from '../../copy/names.ts'
import { backquotedName } from '../../../../shared/sql-text.ts'

const TEXT = String.raw`'(?:[^'\\]|\\.|'')*'`
const NAME = '"(?:[^"]|"")*"|`(?:[^`]|``)*`'
/** Texts and names match as a whole, so that nothing in them is parsed as syntax. */
const PIECES = new RegExp(
  `PARTITION (${NAME}|[\\w$\\u0080-\\uffff]+) VALUES LESS THAN (?:MAXVALUE|\\((?:${TEXT}|[^()'])*\\))((?:${TEXT}|${NAME}|[^'",()\`])*)|${TEXT}|${NAME}`,
  'g',
)

/**
 * Options after the bounds of each partition, by its name: `DATA DIRECTORY`, `COMMENT`, `TABLESPACE`, `NODEGROUP`, the
 * engine.
 * @param session with ANSI_QUOTES, in which a backslash is an escape
 */
export async function partitionOptions(session: MysqlSession, table: TableName): Promise<ReadonlyMap<string, string>> {
  const [[, created] = []] = await session.command(`SHOW CREATE TABLE ${backquotedTable(table)}`)
  return optionsIn(String(created))
}

/** Parses the options from the output of SHOW CREATE TABLE. */
export function optionsIn(created: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>()
  for (const [, name, behind] of created.matchAll(PIECES)) {
    if (name === undefined || behind === undefined) continue
    options.set(plainName(name), withTicks(behind.replace(/\*\/\s*$/, '').trim()))
  }
  return options
}

function plainName(name: string): string {
  if (name.startsWith('"')) return name.slice(1, -1).replaceAll('""', '"')
  return name.startsWith('`') ? name.slice(1, -1).replaceAll('``', '`') : name
}

function withTicks(sql: string): string {
  return sql.replaceAll(new RegExp(`${TEXT}|${NAME}`, 'g'), (piece) =>
    piece.startsWith('"') ? backquotedName(plainName(piece)) : piece,
  )
}
