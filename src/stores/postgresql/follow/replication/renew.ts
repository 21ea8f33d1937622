/** Tables of a stream that are copied again: published again if missing, and noted with their current shape. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable, StreamBirth } from '../../../../model/follow/port.ts'
import { lostByAll } from '../../../../model/follow/lost-stream.ts'
import type { CopySession } from '../../server/session.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { notedNow } from './birth.ts'
import { findReplicatedTables } from './preflight-tables.ts'
import { commitFence, lsnText } from '../../server/lsn.ts'
import { findPublication, sendsWholeTable, memberFact, publishTableAgain } from './publication.ts'
import { waitForOpen } from './slot.ts'
import { otherServer, publicationFault, slotFault } from './verify.ts'
import { waitPostgresUntil, type PostgresWait } from '../../server/waiting.ts'

/** Longest single wait of a table's writers, in ms. */
const LOCK_MS = 500
const NO_LOCK = '55P03'

/**
 * @param wait its session must allow writes
 * @throws SluiceError SLOT_LOST, STREAM_HALTED, NOT_FOLLOWABLE, SOURCE_BUSY; errors of the server
 */
export async function renewTables(
  birth: StreamBirth,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  wait: PostgresWait,
): Promise<StreamBirth> {
  const { session } = wait
  await refuseLost(session, birth, applied)
  for (const table of tables) await published(birth, table, wait)
  const noted = await notedNow(session, birth.publication, tables)
  const members = tables.map(({ table }) => memberFact(table.table))
  // Wait for commits before this position: later snapshots then contain all changes that the stream leaves out.
  const since = lsnText(await commitFence(session))
  await waitForOpen(wait)
  const names = tables.map(({ table }) => tableText(table.table))
  return {
    ...birth,
    facts: { ...birth.facts, ...Object.fromEntries(members.map((name) => [name, noted.facts[name] ?? ''])) },
    shapes: { ...birth.shapes, ...noted.shapes },
    since: { ...birth.since, ...Object.fromEntries(names.map((name) => [name, since])) },
  }
}

async function refuseLost(session: CopySession, birth: StreamBirth, applied: LogPosition): Promise<void> {
  const lost = await slotFault(session, birth, applied)
  const whole =
    (await otherServer(session, birth)) ??
    lost ??
    publicationFault(birth, (await findPublication(session, birth.publication))?.facts ?? null)
  if (whole !== null) throw lostByAll(whole === lost ? 'SLOT_LOST' : 'STREAM_HALTED', whole)
}

/** @throws SluiceError STREAM_HALTED if the publication itself has changed */
async function published(birth: StreamBirth, { table }: FollowedTable, wait: PostgresWait): Promise<void> {
  const { session } = wait
  const name = tableText(table.table)
  await waitPostgresUntil(
    wait,
    `publishing ${name}`,
    async () => {
      const member = await memberOf(session, birth, table)
      if (member !== undefined && sendsWholeTable(member)) return true
      await session.begin('', `SET LOCAL lock_timeout = ${LOCK_MS}`)
      try {
        await publishTableAgain(session, birth.publication, table.table, member !== undefined)
        await session.commit()
        return true
      } catch (error) {
        await session.rollBack()
        if (sqlStateOf(error) !== NO_LOCK) throw error
        return false
      }
    },
    { of: 'table', table: table.table, lock: 'SHARE UPDATE EXCLUSIVE' },
  )
}

async function memberOf(
  session: CopySession,
  birth: StreamBirth,
  table: FollowedTable['table'],
): Promise<string | undefined> {
  const publication = await findPublication(session, birth.publication)
  const fault = publicationFault(birth, publication?.facts ?? null)
  if (fault !== null) throw new SluiceError('STREAM_HALTED', fault, { hint: 'run the same command again' })
  const [found] = await findReplicatedTables(session, [{ table }])
  return publication?.tables.get(found?.oid ?? '')
}
