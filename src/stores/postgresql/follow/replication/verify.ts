/** Checks that a stream is as it was at its start: server, slot, publication, shapes of its tables. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ReportedPartitions } from '../../../common/reported-partitions.ts'
import type { FollowedTable, StreamStart, StreamFault, StreamState } from '../../../../model/follow/port.ts'
import { isConnectionLoss, sqlStateOf } from '../../server/server-errors.ts'
import { originOf } from '../../copy/identity.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { shapeDifference, unreportedNodes, type DatabaseFacts, type ShapeDifference } from './difference.ts'
import { commitFence, lsnOf, lsnText } from '../../server/lsn.ts'
import { readNotes, type PartitionNote } from './partition-notes.ts'
import { findPublication, memberFact } from './publication.ts'
import {
  BY_INDEX,
  readShapes,
  parseReplicatedShape,
  shapeText,
  type SeenShape,
  type ReplicatedShape,
} from './shapes.ts'
import { findSlots, PLUGIN } from './slot.ts'

/** Longest wait for locks on a partition, in ms. */
const POLL_MS = 200

/** Shape of a table that does not exist, or was never noted. */
const NO_SHAPE = '{"columns":[],"types":{},"nodes":[]}'

/** Changes of the stream that this program has received. */
export type ReportedChanges = {
  /** Transactions for which the stream reported a TRUNCATE, by table. */
  readonly truncates: ReadonlyMap<string, ReadonlySet<number>>
  /** New partitions whose rows the stream reported, with their OIDs as ids. */
  readonly partitions: Pick<ReportedPartitions, 'of'>
  /** End of the log when a new file of a partition was first seen, by `oid file`; written by `verifyStream`. */
  readonly unclear: Map<string, LogPosition>
}

export async function verifyStream(
  session: CopySession,
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  reported: ReportedChanges,
): Promise<StreamState> {
  const since = lsnText(applied)
  const whole = faultOfAll(tables, since)
  const other = await otherTime(session, startRecord, applied)
  if (other !== null) return whole('OTHER_SERVER', other)
  const lost = await slotFault(session, startRecord, applied)
  if (lost !== null) return whole('SLOT_LOST', lost)
  return await session.rolledBack('ISOLATION LEVEL REPEATABLE READ READ ONLY', BY_INDEX, async () => {
    const publication = await findPublication(session, startRecord.publication)
    const changed = publicationFault(startRecord, publication?.facts ?? null)
    if (changed !== null) return whole('PUBLICATION_CHANGED', changed)
    const befores = tables.map(({ table }) =>
      parseReplicatedShape(startRecord.shapes[tableText(table.table)] ?? NO_SHAPE),
    )
    const oids = befores.map((shape) => shape.nodes[0]?.oid ?? '0')
    const seen = await readShapes(session, oids)
    const end = await commitFence(session)
    const notes = await readNotes(session, ['PUBLICATION', startRecord.publication])
    const faults: StreamFault[] = []
    const moved: Record<string, string> = {}
    const unclear: string[] = []
    for (const [at, followed] of tables.entries()) {
      const { table } = followed
      const name = tableText(table.table)
      const [before, oid = '0'] = [befores[at] ?? parseReplicatedShape(NO_SHAPE), oids[at]]
      const halt = (code: StreamFault['code'], reason: string): void =>
        void faults.push({ code, tables: [name], message: `${name}: ${reason}`, since })
      if (startRecord.facts[memberFact(table.table)] !== publication?.tables.get(oid)) {
        const how =
          publication?.tables.has(oid) === true
            ? 'has another entry for the table: it was removed and added again, or its row filter or column list changed'
            : 'does not send the table'
        halt('PUBLICATION_CHANGED', `publication ${startRecord.publication} ${how}`)
        continue
      }
      const now = seen.get(oid) ?? {
        shape: parseReplicatedShape(NO_SHAPE),
        bornInside: new Set(),
        changedBy: new Map(),
      }
      const result = await tableDifference(session, followed, before, now, { notes, end, applied, reported })
      if (result.type === 'unclear') unclear.push(name)
      if (result.type === 'moved') moved[tableText(table.table)] = shapeText(result.shape)
      if (result.type === 'halted') halt('TABLE_CHANGED', result.reason)
    }
    return { faults, moved, unclear }
  })
}

/** Makes the state of a stream with one fault, which concerns all of its tables. */
export function faultOfAll(
  tables: readonly FollowedTable[],
  since: string,
): (code: StreamFault['code'], message: string) => StreamState {
  const all = tables.map(({ table }) => tableText(table.table))
  return (code, message) => ({ faults: [{ code, tables: all, message, since }], moved: {}, unclear: [] })
}

/**
 * Why the slot has lost changes; null if it has not. The server keeps the log only after the slot's position: if this
 * is beyond `applied`, the changes between them are lost.
 */
export async function slotFault(
  session: CopySession,
  startRecord: StreamStart,
  applied: LogPosition,
): Promise<string | null> {
  const [slot] = await findSlots(session, startRecord.slot)
  const name = `replication slot ${startRecord.slot}`
  if (slot === undefined) return `${name} no longer exists`
  if (slot.plugin !== PLUGIN || slot.database !== startRecord.facts['slot.database']) {
    return `${name} is another slot: plugin ${slot.plugin ?? 'none'}, database ${slot.database ?? 'none'}`
  }
  if (slot.status === 'lost' || slot.invalidation !== null) {
    return `${name} was invalidated by the server (${slot.invalidation ?? 'wal_removed'}): the log that it needs was removed`
  }
  // A recreated slot begins after everything that was applied before.
  if (slot.confirmed !== null && lsnOf(slot.confirmed) > applied) {
    return `${name} was recreated or advanced, or the target was failed over or restored to an older state: the slot is at ${slot.confirmed}, but changes up to ${lsnText(applied)} are applied`
  }
  return null
}

/** Compares a table with its noted shape. @param context `end`: end of the log when this comparison began */
export async function tableDifference(
  session: CopySession,
  { table, columns, computed = [], unwritten = [] }: FollowedTable,
  before: ReplicatedShape,
  now: SeenShape,
  context: {
    readonly notes: readonly PartitionNote[]
    readonly end: LogPosition
    readonly applied: LogPosition
    readonly reported: ReportedChanges
  },
): Promise<ShapeDifference> {
  const { notes, end, applied, reported } = context
  // A start plans `columns` from the current table. Add noted columns that were dropped, if the target has them.
  const there = new Set(now.shape.columns.map(({ name }) => name))
  const kept = new Set(unwritten.map((name) => name.toLowerCase()))
  const gone = before.columns.flatMap(({ name, dropped }) =>
    dropped !== true && !there.has(name) && kept.has(name.toLowerCase()) ? [name] : [],
  )
  const asked = [...columns.map((column) => column.name), ...computed, ...gone]
  return shapeDifference(before, now, asked, {
    rows: await rowsOf(session, before, now, notes),
    truncatedBy: reported.truncates.get(tableText(table.table)) ?? new Set(),
    reported: reported.partitions.of(tableText(table.table)),
    notes,
    caughtUp: (files) => files.every((file) => isCaughtUp(file, end, applied, reported)),
  })
}

/**
 * Reports that this is not the server at which the stream began, or that it was restored to an earlier state.
 * @returns the reason; null if neither is true
 * @throws as `otherServer`
 */
export async function otherTime(
  session: CopySession,
  startRecord: StreamStart,
  applied: LogPosition,
): Promise<string | null> {
  return (await otherServer(session, startRecord)) ?? (await setBack(session, applied))
}

/**
 * Reports a server that was restored to an earlier time: its log ends before the applied position. Null if it does not.
 * A crash does not cause this, because both kinds of stream report only transactions that are on the source's disk.
 * This does not find a restored server whose log has grown beyond the position again. Its slot was set back, but a
 * crash sets a slot back, too.
 */
async function setBack(session: CopySession, applied: LogPosition): Promise<string | null> {
  const now = (await session.one('SELECT pg_catalog.pg_current_wal_insert_lsn()')) ?? '0/0'
  if (lsnOf(now) >= applied) return null
  return `the server's log ends at ${now}, but changes up to ${lsnText(applied)} are applied: the server was restored to an earlier time`
}

/**
 * Why this is not the server at which the stream began; null if it is.
 * @throws SluiceError CONNECT_FAILED (retryable) for a standby: nothing is lost there, and its timeline is unknown
 * until it is promoted
 */
async function otherServer(session: CopySession, { facts }: StreamStart): Promise<string | null> {
  const now: Record<string, string | undefined> = await originOf(session)
  const words: Readonly<Record<string, string>> = {
    system: 'this is another server, or it was set up again',
    database: 'this is another database of the server',
    timeline: 'the server writes another timeline: it was failed over, or restored to a point in time',
  }
  for (const [fact, message] of Object.entries(words)) {
    const [was, is] = [facts[fact], now[fact]]
    if (was !== undefined && is !== undefined && was !== is) return `${message} (${fact} ${is}, not ${was})`
  }
  await refuseStandby(session)
  return null
}

/** @throws SluiceError CONNECT_FAILED (retryable) */
export async function refuseStandby(session: CopySession): Promise<void> {
  if (!(await session.isTrue('SELECT pg_catalog.pg_is_in_recovery()'))) return
  throw new SluiceError(
    'CONNECT_FAILED',
    'the server is a standby, and changes can be replicated only from a primary',
    {
      where: session.settings.label,
      hint: 'use the primary server; changes are not lost if the stream began at that server',
      retryable: true,
    },
  )
}

export function publicationFault(
  { publication, facts }: StreamStart,
  now: Readonly<Record<string, string>> | null,
): string | null {
  if (now === null) return `publication ${publication} is gone`
  if (now['publication.oid'] !== facts['publication.oid']) return `publication ${publication} was dropped and recreated`
  if (now['publication.sends'] !== facts['publication.sends']) {
    return `publication ${publication} sends ${now['publication.sends']}, not ${facts['publication.sends']}`
  }
  return now['publication.changed'] === facts['publication.changed'] ? null : `publication ${publication} was changed`
}

/** True if the stream has reported everything that was committed when this file was first seen. */
function isCaughtUp(what: string, end: LogPosition, applied: LogPosition, { unclear }: ReportedChanges): boolean {
  const first = unclear.get(what)
  if (first === undefined) unclear.set(what, end)
  return applied >= (first ?? end)
}

/** Whether new partitions hold rows, by OID. Leaves out partitions whose rows the stream reports by itself. */
async function rowsOf(
  session: CopySession,
  before: ReplicatedShape,
  { shape, bornInside }: SeenShape,
  notes: readonly PartitionNote[],
): Promise<DatabaseFacts['rows']> {
  const rows = new Map<string, 'none' | 'some' | 'unclear'>()
  for (const { oid, kind } of unreportedNodes(before, shape, bornInside, notes)) {
    // A partitioned table has no rows of its own.
    if (kind === 'r') rows.set(oid, await rowsIn(session, oid))
  }
  return rows
}

/** Waits for the partition's lock for `POLL_MS` at most, because other sessions queue behind this request. */
async function rowsIn(session: CopySession, oid: string): Promise<'none' | 'some' | 'unclear'> {
  await session.ask('SAVEPOINT verify')
  try {
    const [row] = await session.ask(
      `SET LOCAL lock_timeout = ${POLL_MS};
       SELECT pg_catalog.pg_relation_size(${literal(oid)}::oid) = 0, c.oid::pg_catalog.regclass,
         pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')
       FROM pg_catalog.pg_class c WHERE c.oid = ${literal(oid)}::oid`,
    )
    const [empty, name, readable] = row ?? []
    if (empty === 't') return 'none'
    if (empty == null || readable !== 't') return 'some'
    return (await session.isTrue(`SELECT EXISTS (SELECT FROM ONLY ${name})`)) ? 'some' : 'none'
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    // Locked by another session, or dropped meanwhile: the next check sees it.
    if (!/^(?:55P03|42P01|XX000)$/.test(sqlStateOf(error) ?? '')) throw error
    return 'unclear'
  } finally {
    if (session.alive) await session.ask('ROLLBACK TO verify')
  }
}
