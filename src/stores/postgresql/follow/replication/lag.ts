/** Lag of a slot, and how much log the server keeps for it. */
import { SluiceError } from '../../../../shared/errors.ts'
import type { ReplicationSlotLine, SourceLag, StreamStart } from '../../../../model/follow/port.ts'
import type { CopySession } from '../../server/session.ts'
import { commitFence } from '../../server/lsn.ts'
import { findSlots, isOwnSlot } from './slot.ts'

const CLOCK_MS = '(extract(epoch FROM pg_catalog.clock_timestamp())::numeric * 1000::numeric)::bigint'

/** @throws SluiceError SLOT_LOST if the slot does not exist */
export async function sourceLag(session: CopySession, { slot: name }: StreamStart): Promise<SourceLag> {
  const [slot] = await findSlots(session, name)
  if (slot === undefined) {
    throw new SluiceError('SLOT_LOST', `replication slot ${name} no longer exists`, {
      hint: 'begin the copy again: changes since its position are lost',
    })
  }
  const now = await commitFence(session)
  return {
    now,
    heldBytes: slot.heldBytes ?? 0n,
    safeBytes: slot.safeBytes,
    status: slot.status ?? 'unreserved',
    ...(await readerOf(session, slot.activeBy)),
  }
}

/** The server's clock, and whether the walsender of the slot waits for log: it does so only when all log is sent. */
async function readerOf(session: CopySession, pid: number | null): Promise<Pick<SourceLag, 'clockMs' | 'readerWaits'>> {
  const [row] = await session.ask(
    `SELECT ${CLOCK_MS}, coalesce((SELECT pg_catalog.lower(a.wait_event) = 'walsenderwaitforwal' FROM pg_catalog.pg_stat_activity a WHERE a.pid = ${pid ?? 'NULL'}), false)`,
  )
  return { clockMs: Number(row?.[0]), readerWaits: row?.[1] === 't' }
}

/** The server's clock, in ms since the epoch. */
export async function postgresClockMs(session: CopySession): Promise<number> {
  const [row] = await session.ask(`SELECT ${CLOCK_MS}`)
  return Number(row?.[0])
}

export async function replicationSlotLines(session: CopySession): Promise<readonly ReplicationSlotLine[]> {
  const slots = await findSlots(session)
  return slots.map(({ name, plugin, database, activeBy, status, heldBytes, safeBytes, confirmed }) => ({
    name,
    plugin,
    database,
    active: activeBy !== null,
    status,
    heldBytes,
    safeBytes,
    confirmed,
    ours: isOwnSlot(name),
  }))
}
