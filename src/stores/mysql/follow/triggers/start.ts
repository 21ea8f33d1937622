/**
 * Begins and ends a stream by triggers: removes what an earlier attempt left, then creates the progress row, and a log
 * and triggers for each table.
 */
import { randomUUID } from 'node:crypto'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { lostStreamError } from '../../../../model/follow/lost-stream.ts'
import { WAIT_MS } from '../../../common/wait-for-transactions.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import type { MysqlConfig } from '../../config.ts'
import { openCopySession } from '../../copy/sessions.ts'
import { backquotedTable } from '../../copy/names.ts'
import { awaitMysqlLock, waitMysqlUntil, type MysqlWait } from './busy.ts'
import { keyIndexOf, preparedTransactions } from './preflight.ts'
import {
  isOwnTriggerLog,
  logKeyColumns,
  mysqlLogFact,
  mysqlLogOf,
  logStatements,
  mysqlLogTable,
  progressStatements,
  streamOfTrigger,
  triggerNames,
  triggerStatements,
  type MysqlTableLog,
} from './log.ts'
import { readLogFingerprint, readMysqlTriggerShape, uniqueIndexes } from './shape.ts'
import { TOKEN, streamWideFault } from './verify.ts'

/** Lock timeout, ms, for removing what a failed `begin` has created. */
const CLEARING_MS = 10_000
/**
 * A trigger keeps the sql_mode under which it was created. The empty mode ensures that our triggers do not refuse a
 * user's write: the table has already checked the values that they note. Definitions to compare later are read under
 * `USUAL_MODE`, because the server prints them differently in another mode.
 */
const TRIGGER_MODE = `SET @sluice_mode = @@SESSION.sql_mode, SESSION sql_mode = ''`
const USUAL_MODE = 'SET SESSION sql_mode = @sluice_mode'

/**
 * Creates progress row, logs and triggers. The caller need not wait for transactions: each one that wrote to a table
 * before its triggers existed has ended by then (`busy.ts`), and later writes are noted.
 * @param wait `session` must allow writes; the caller must not use it afterwards
 * @throws SluiceError TARGET_BUSY if a table stays locked, NOT_FOLLOWABLE; the server's errors. What was created is
 * removed then
 */
export async function beginMysqlTriggers(
  config: MysqlConfig,
  name: string,
  tables: readonly FollowedTable[],
  wait: MysqlWait,
): Promise<StreamStart> {
  const { session } = wait
  await endMysqlTriggers(config.database, name, wait)
  try {
    const token = randomUUID()
    for (const statement of progressStatements(config.database, name, token)) await session.command(statement)
    const born = { facts: { [TOKEN]: token } as Record<string, string>, shapes: {} as Record<string, string> }
    for (const [at, table] of tables.entries()) await logged({ database: config.database, name, token, number: at + 1 }, table, born, wait) // prettier-ignore
    await waitForPrepared(wait)
    return { slot: name, publication: name, start: '0', ...born }
  } catch (error) {
    await removeMade(config, name, wait)
    throw error
  }
}

/** Removes triggers and logs; may be repeated. @throws SluiceError TARGET_BUSY if a table stays locked */
export async function endMysqlTriggers(database: string, name: string, wait: MysqlWait): Promise<void> {
  const { session } = wait
  if (!isOwnTriggerLog(name)) return
  const triggers = await session.rows(
    'SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE LEFT(TRIGGER_NAME, ?) = ?',
    [name.length + 1, `${name}_`],
  )
  for (const [schema, trigger, table] of triggers) {
    if (streamOfTrigger(String(trigger), name) === null) continue
    const on = tableText({ schema: String(schema), name: String(table) })
    await awaitMysqlLock(wait, `the trigger on ${on}`, `DROP TRIGGER IF EXISTS ${backquotedTable({ schema: String(schema), name: String(trigger) })}`) // prettier-ignore
  }
  const tables = await session.rows(
    'SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND LEFT(TABLE_NAME, ?) = ?',
    [database, name.length + 1, `${name}_`],
  )
  for (const [table] of tables) {
    const rest = String(table).slice(name.length + 1)
    if (!/^(?:progress|follower|keys_\d+)$/.test(rest)) continue
    await awaitMysqlLock(wait, `table ${String(table)}`, `DROP TABLE IF EXISTS ${backquotedTable({ schema: database, name: String(table) })}`) // prettier-ignore
  }
}

/**
 * Creates logs and triggers again for tables of a stream that are copied again: the new copy already includes the
 * changes in the old notes.
 * @throws SluiceError STREAM_HALTED, SLOT_LOST if all tables of the stream have lost changes; as `beginMysqlTriggers`
 */
export async function renewMysqlTriggers(
  config: MysqlConfig,
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  wait: MysqlWait,
): Promise<StreamStart> {
  const { session } = wait
  const whole = await streamWideFault(session, config.database, startRecord, applied)
  if (whole !== null) {
    throw lostStreamError(whole.code === 'SLOT_LOST' ? 'SLOT_LOST' : 'STREAM_HALTED', whole.message)
  }
  const born = { facts: { ...startRecord.facts }, shapes: { ...startRecord.shapes } }
  for (const table of tables) {
    const { number } = mysqlLogOf(startRecord, table)
    const names = triggerNames(startRecord.slot, number)
    for (const trigger of names)
      await awaitMysqlLock(wait, `the trigger on ${tableText(table.table.table)}`, `DROP TRIGGER IF EXISTS ${backquotedTable({ ...table.table.table, name: trigger })}`) // prettier-ignore
    const log = mysqlLogTable(config.database, startRecord.slot, number)
    await awaitMysqlLock(wait, `log ${log.name}`, `DROP TABLE IF EXISTS ${backquotedTable(log)}`)
    await logged({ database: config.database, name: startRecord.slot, token: startRecord.facts[TOKEN] ?? '', number }, table, born, wait) // prettier-ignore
  }
  await waitForPrepared(wait)
  return { ...startRecord, ...born }
}

type Born = { readonly facts: Record<string, string>; readonly shapes: Record<string, string> }

/** Creates log and triggers of one table, and records in `born` the facts and fingerprint to compare later. */
async function logged(
  { database, name, token, number }: { readonly database: string; readonly name: string; readonly token: string; readonly number: number }, // prettier-ignore
  followed: FollowedTable,
  born: Born,
  wait: MysqlWait,
): Promise<void> {
  const { session } = wait
  const { table } = followed.table
  const where = tableText(table)
  const index = keyIndexOf(await uniqueIndexes(session, table), followed.identity)
  if (index === null) throw changedMeanwhile(`${where} has no unique index on (${followed.identity.join(', ')})`)
  const key = followed.identity.flatMap((one) => followed.table.columns.find((column) => column.name === one) ?? [])
  const columns = await logKeyColumns(session, table, key)
  const log = mysqlLogTable(database, name, number)
  await session.command(TRIGGER_MODE)
  for (const statement of logStatements(log, columns, { stream: name, token, number })) await session.command(statement)
  for (const statement of triggerStatements(table, log, columns, { stream: name, number }))
    await awaitMysqlLock(wait, `the trigger on ${where}`, statement)
  await session.command(USUAL_MODE)
  const shape = await readMysqlTriggerShape(session, table)
  const planned = followed.columns.every(({ name: one }) => shape?.columns.some((text) => text.startsWith(`${one} `)))
  if (shape === null || !planned) throw changedMeanwhile(`${where} was changed while its log was created`)
  const names = { triggers: triggerNames(name, number), guard: `${name}_${number}_guard` }
  const made = await readLogFingerprint(session, table, log, names)
  if (Object.keys(made.triggers).length !== names.triggers.length + 1 || made.id === '')
    throw changedMeanwhile(`triggers and log of ${where} were changed or dropped after their creation`)
  const known: MysqlTableLog = { number, table: log, key: followed.identity, index, made }
  born.facts[mysqlLogFact(table)] = JSON.stringify(known)
  born.shapes[tableText(table)] = JSON.stringify(shape)
}

/**
 * Waits for prepared XA transactions. One that was prepared before a restart of the server holds no table lock any
 * more, and could be committed without a note.
 */
async function waitForPrepared(wait: MysqlWait): Promise<void> {
  const before = new Set((await preparedTransactions(wait.session)) ?? [])
  if (before.size === 0) return
  await waitMysqlUntil(wait, 'the stream', async () => {
    const now = (await preparedTransactions(wait.session)) ?? []
    return !now.some((one) => before.has(one))
  })
}

function changedMeanwhile(reason: string): SluiceError {
  return new SluiceError('NOT_FOLLOWABLE', 'a table was changed while its triggers were created', {
    reason,
    hint: 'run the same command again',
  })
}

/** Removes the objects of a failed `begin`, on a new session. If this fails, the next `begin` removes them. */
async function removeMade(config: MysqlConfig, name: string, { tell }: MysqlWait): Promise<void> {
  try {
    await using session = await openCopySession(config, 'write')
    const signal = AbortSignal.timeout(WAIT_MS)
    await endMysqlTriggers(config.database, name, { session, signal, tell, waitLimitMs: CLEARING_MS })
  } catch {
    // Reported, not thrown: the first error is more useful.
    tell(`triggers and tables ${name} could not be removed, and still record writes: the same command, or one with --restart, removes them`) // prettier-ignore
  }
}
