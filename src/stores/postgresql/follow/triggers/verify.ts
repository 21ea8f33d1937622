/** Checks that a stream by triggers is unchanged: server, logs, functions, triggers, shapes of its tables. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import type { FollowedTable, StreamStart, StreamFault, StreamState } from '../../../../model/follow/port.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { withFullNames } from '../../archive/own.ts'
import { lostSql } from '../../partition/maintenance/key-log.ts'
import { lsnOf, lsnText } from '../../server/lsn.ts'
import { readNotes } from '../replication/partition-notes.ts'
import { BY_INDEX } from '../replication/shapes.ts'
import { faultOfAll, otherTime, tableDifference, type ReportedChanges } from '../replication/verify.ts'
import { postgresLogOf, progressSql, writtenNow, type PostgresTableLog } from './log.ts'
import { firingFault, notedOf, postgresShapeText, readNoted } from './noted-shape.ts'

const GONE = { seen: { shape: { columns: [], types: {}, nodes: [] }, bornInside: new Set<string>(), changedBy: new Map<string, number>() }, firing: {} } // prettier-ignore

/** @param end a position after everything that this check sees */
export async function verifyPostgresTriggers(
  session: CopySession,
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  { reported, end }: { readonly reported: ReportedChanges; readonly end: LogPosition },
): Promise<StreamState> {
  const all = tables.map(({ table }) => tableText(table.table))
  const since = lsnText(applied)
  const whole = faultOfAll(tables, since)
  const other = await otherTime(session, startRecord, applied)
  if (other !== null) return whole('OTHER_SERVER', other)
  const lost = await logsFault(session, startRecord, applied)
  if (lost !== null) return whole('SLOT_LOST', lost)
  const logs = tables.map((table) => postgresLogOf(startRecord, table))
  return await session.rolledBack('ISOLATION LEVEL REPEATABLE READ READ ONLY', BY_INDEX, async () => {
    const befores = tables.map(({ table }) => notedOf(startRecord.shapes[tableText(table.table)]))
    const oids = befores.map(({ shape }) => shape.nodes[0]?.oid ?? '0')
    const seen = await readNoted(session, oids)
    const written = await writtenNow(session, logs)
    const kept = await keptLogs(session, logs)
    const notes = await readNotes(session, ['SCHEMA', startRecord.slot])
    const faults: StreamFault[] = []
    const moved: Record<string, string> = {}
    const unclear: string[] = []
    for (const [at, table] of tables.entries()) {
      const name = all[at] ?? ''
      const halt = (code: StreamFault['code'], reason: string): void =>
        void faults.push({ code, tables: [name], message: `${name}: ${reason}`, since })
      const [before, log] = [befores[at] ?? notedOf(undefined), logs[at]]
      const now = seen.get(oids[at] ?? '0') ?? GONE
      const result = await tableDifference(session, table, before.shape, now.seen, {
        notes,
        end,
        applied,
        reported,
      })
      if (result.type === 'halted') {
        halt('TABLE_CHANGED', result.reason)
        continue
      }
      const wrong =
        (log === undefined ? null : logFault(log, written[at], kept[at])) ??
        firingFault(before.firing, now, startRecord.slot)
      if (wrong !== null) {
        halt('TRIGGERS_CHANGED', wrong)
        continue
      }
      if (result.type === 'unclear') unclear.push(name)
      const [key, text] = [tableText(table.table.table), postgresShapeText(now)]
      if (result.type !== 'unclear' && text !== startRecord.shapes[key]) moved[key] = text
    }
    return { faults, moved, unclear }
  })
}

/** Detects notes that were deleted but not applied: the target was restored, or another program deleted them. */
export async function logsFault(
  session: CopySession,
  { slot }: StreamStart,
  applied: LogPosition,
): Promise<string | null> {
  const [there] = await session.ask(
    `SELECT pg_catalog.to_regclass(${literal(progressSql(slot))}) IS NOT NULL AND pg_catalog.has_schema_privilege(${literal(slot)}, 'USAGE')`,
  )
  if (there?.[0] !== 't') return `the logs of the stream are gone: there is no schema ${slot} with them`
  const [row] = await session.ask(`SELECT forgotten FROM ${progressSql(slot)}`)
  if (row === undefined) return `the row of ${progressSql(slot)} with the applied position of the logs is gone`
  const [forgotten] = row
  if (forgotten == null || lsnOf(forgotten) <= applied) return null
  return `notes up to ${forgotten} were removed from the logs, but changes only up to ${lsnText(applied)} are applied`
}

type Kept = { readonly isLog: boolean; readonly isLost: boolean; readonly isSame: boolean }

/** State of each log, in the order of `logs`. */
async function keptLogs(session: CopySession, logs: readonly PostgresTableLog[]): Promise<readonly Kept[]> {
  const kept: Kept[] = []
  for (const { oid, table, counter, unchanged } of logs) {
    const isLog = await session.isTrue(
      `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = ${oid}::oid AND c.oid = pg_catalog.to_regclass(${literal(tableSql(table))})::oid
         AND c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relhasrules AND NOT c.relrowsecurity)`,
    )
    // The condition was written for an empty search path, so it is evaluated with one.
    const sql = `SELECT ${lostSql(counter)}, coalesce(${unchanged}, false)`
    const [row] = isLog ? await withFullNames(session, () => session.ask(sql)) : []
    kept.push({ isLog, isLost: row?.[0] === 't', isSame: row?.[1] === 't' })
  }
  return kept
}

function logFault(
  { table, note, guard }: PostgresTableLog,
  written: Pick<PostgresTableLog, 'note' | 'guard'> | undefined,
  kept: Kept | undefined,
): string | null {
  const name = tableText(table)
  if (kept?.isLog !== true) return `its log ${name} is gone, or was replaced by another table`
  if (written?.note !== note) return `the function that records its changes in ${name} was replaced or altered`
  if (written.guard !== guard)
    return `the triggers of its log ${name} were changed: notes may have been removed from it`
  if (kept.isLost) return 'a change could not be recorded'
  return kept.isSame ? null : 'the columns of its key have changed, or its log cannot be written'
}
