/** The cutover that left an old table. */
import { plainName, tableText } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { isUnderWay, readCutovers, type CutoverRow } from '../../engine/follow/cutover/cutover-row.ts'

/**
 * @param name of the public or the old table, with its schema or without
 * @param label of the database, for messages
 * @returns the last cutover of that table
 * @throws SluiceError NO_SUCH_TABLE if there is none, AMBIGUOUS_TABLE, LEDGER_BUSY while it is being prepared,
 * NOT_SWITCHABLE for a cutover between two databases
 */
export async function switchOfOldTable(database: LedgerDatabase, name: string, label: string): Promise<CutoverRow> {
  const all = await readCutovers(database)
  const called = (text: string): boolean => isNamed(text, name)
  const named = all.filter(({ publicTable, oldTable }) => called(publicTable) || called(oldTable))
  const names = [...new Set(named.map(({ publicTable }) => publicTable))]
  const [only] = names
  if (only === undefined) {
    throw new SluiceError('NO_SUCH_TABLE', `${name} is not the old table of a cutover`, {
      where: label,
      hint: 'name the public table or the old one; --from must be the database of the cutover',
    })
  }
  if (names.length > 1) {
    throw new SluiceError('AMBIGUOUS_TABLE', `${name} matches more than one table: ${names.join(', ')}`, {
      hint: 'name it with its schema',
    })
  }
  const last = all.findLast(({ publicTable }) => publicTable === only)
  if (last === undefined) throw new Error('a switch that was found is gone')
  if (isUnderWay(last.status) || last.switchedMs === null) {
    throw new SluiceError('LEDGER_BUSY', `a cutover of ${only} is under way`, {
      where: label,
      hint: `run sluice cutover ${last.stream}, which completes or abandons the cutover; then run the same command again`,
    })
  }
  if (last.isBetween) throw await betweenDatabases(database, last, label)
  if (called(last.publicTable) || called(last.oldTable)) return last
  throw new SluiceError('NO_SUCH_TABLE', `${name} is no longer an old table`, {
    where: label,
    reason: `the old table of the last cutover of ${only} is ${last.oldTable}`,
    hint: `name ${last.oldTable}`,
  })
}

/**
 * Error for a cutover between two databases, which leaves no old table. The newest stream into the table shows which
 * database is closed to writers: this one if that stream began after the cutover, otherwise the other one.
 */
async function betweenDatabases(database: LedgerDatabase, last: CutoverRow, label: string): Promise<SluiceError> {
  const { publicTable, oldTable, stream, reverse } = last
  const rows = await database.all(
    `SELECT s.stream_id, s.source, s.status, t.schema_name, t.table_name FROM migration_streams s
     JOIN migration_stream_tables t ON t.stream_id = s.stream_id ORDER BY s.created_ms DESC, s.stream_id DESC`,
  )
  const own = rows
    .map(([id, source, status, schema, name]) => ({
      id: String(id),
      source: String(source),
      isOver: status === 'ended',
      table: tableText({ ...(schema === '' ? {} : { schema: String(schema) }), name: String(name) }),
    }))
    .filter(({ table }) => table === publicTable)
  const [newest] = own
  const [here, there] = [shellQuote(label), shellQuote(newest?.source ?? 'URL')]
  const isClosed = newest !== undefined && newest.id !== stream
  const [closed, open] = isClosed ? [here, there] : [there, here]
  const end = `sluice follow ${isClosed ? newest.id : reverse} --from ${open} --to ${closed} --end`
  const isOver = isClosed && newest.isOver
  return new SluiceError(
    'NOT_SWITCHABLE',
    `${publicTable} has no old table to remove: its last cutover was between two databases`,
    {
      where: label,
      reason: isClosed
        ? `the table in this database is closed, and the table in ${newest.source} receives the writes`
        : `the table in this database receives the writes, and ${oldTable} of the other database is closed`,
      hint: `drop the database of the closed table: ${isOver ? '' : `first end the reverse stream with ${end}, then run `}sluice partition decommission --database --from ${closed} --to ${open}`,
    },
  )
}

/** Returns a test that is true if a ledger has a cutover of the table. @param name as in `switchOfOldTable` */
export function knowsOldTable(name: string): (database: LedgerDatabase) => Promise<boolean> {
  return async (database) =>
    (await readCutovers(database)).some(
      ({ publicTable, oldTable }) => isNamed(publicTable, name) || isNamed(oldTable, name),
    )
}

/** True if a user means the table `name` by the name `asked`, which may lack the schema, or be quoted as in SQL. */
export function isNamed(name: string, asked: string): boolean {
  const text = plainName(asked)
  return name === text || name.endsWith(`.${text}`)
}
