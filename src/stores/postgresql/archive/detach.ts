/** Moves a partition to the schema of archived tables: one short transaction with a short lock timeout, retried. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { OwnPropertiesRecord, DetachLimits, PartitionRequest } from '../../../model/archive/port.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { definitionFingerprint } from '../partition/maintenance/definition.ts'
import type { WantedLock } from '../server/lock-retry.ts'
import { referencedLocks } from '../partition/maintenance/dependencies.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import { hasColumns, type FoundRelation } from '../server/known.ts'
import type { KnownTable } from '../server/locks.ts'
import { moveAway } from './move.ts'
import { readOwn } from './own.ts'
import { postgresReferrers } from './referrers.ts'
import { moveBelow, refuseOtherBelow, tablesBelow } from '../server/tree.ts'

/** Share of `lockTimeoutMs` for the detach; the remaining time is for lock waits. */
const DETACH_SHARE = 0.4

/** Facts for a detach, read before any lock is taken: the queries take longer than all work under the locks. */
export type DetachFacts = {
  readonly pair: Pair
  /** Tables of a partition that is partitioned itself. */
  readonly below: readonly KnownTable[]
  readonly locks: readonly WantedLock[]
  /** Properties of the partition alone, for the ledger; null if they are not recorded there. */
  readonly own: string | null
  /** True if foreign keys refer to the table: the server then checks for referring rows, with all locks held. */
  readonly referred: boolean
  /** Fingerprint: changes if the definition of one of the tables changes. */
  readonly mark: string
}

export type Pair = { readonly parent: FoundRelation; readonly partition: FoundRelation }

/** Reads the facts for a detach, without a lock. */
export async function readDetachFacts(
  session: CopySession,
  pair: Pair,
  { keep }: OwnPropertiesRecord,
): Promise<DetachFacts> {
  const { parent, partition } = pair
  const below = partition.kind === 'p' ? await tablesBelow(session, partition) : []
  const mark = await definitionFingerprint(session, oidsOf(pair, below))
  const own = keep === undefined ? null : await readOwn(session, partition, parent)
  const referred = (await postgresReferrers(session, parent.name)).length > 0
  return { pair, below, own, mark, referred, locks: await detachLocks(session, pair, below) }
}

function oidsOf({ parent, partition }: Pair, below: readonly KnownTable[]): readonly string[] {
  return [parent, partition, ...below].map(({ oid }) => oid)
}

/**
 * Locks to take before a detach, in order. Without them the DETACH itself would wait for the default partition and for
 * the referenced tables, one after the other.
 */
async function detachLocks(
  session: CopySession,
  { parent, partition }: Pair,
  below: readonly KnownTable[],
): Promise<readonly WantedLock[]> {
  const rest = await defaultOf(session, parent)
  const around = await referencedLocks(session, [parent, partition, ...below], true)
  const alone = [parent, ...(rest === null ? [] : [rest]), partition, ...below]
  const [first, ...others] = alone.map((table): WantedLock => ({ table, mode: 'ACCESS EXCLUSIVE' }))
  return first === undefined ? [] : [first, ...around, ...others]
}

/**
 * Records the partition's own properties, then detaches and moves the partition. The caller holds all locks.
 * @returns `differs` if the partition has other columns than the archived ones
 * @throws SluiceError TARGET_BUSY if a definition changed since `readDetachFacts`, TABLE_REFUSED if the server's check
 * for referring rows takes longer than other sessions should wait
 */
export async function detachAndMove(
  session: CopySession,
  { pair, below, own, mark, referred }: DetachFacts,
  {
    columns,
    keep,
    lockTimeoutMs,
  }: Pick<PartitionRequest, 'columns'> & OwnPropertiesRecord & Pick<DetachLimits, 'lockTimeoutMs'>,
): Promise<'done' | 'differs'> {
  const { parent, partition } = pair
  if (partition.kind === 'p') await refuseOtherBelow(session, partition, below)
  if ((await definitionFingerprint(session, oidsOf(pair, below))) !== mark) {
    const what = `another user changed the definition of ${tableText(partition.name)}`
    throw new SluiceError('TARGET_BUSY', what, { retryable: true, hint: 'run the same command again' })
  }
  if (!(await hasColumns(session, partition, columns))) return 'differs'
  if (keep !== undefined && own !== null) {
    const { sql, parameters } = keep(own)
    await session.run(sql, parameters)
  }
  const detach = `ALTER TABLE ${tableSql(parent.name)} DETACH PARTITION ${tableSql(partition.name)}`
  if (referred) await withinTimeout(session, detach, { parent, partition }, lockTimeoutMs)
  else await session.ask(detach)
  await moveAway(session, partition)
  await moveBelow(session, below)
  return 'done'
}

/** Detaches with a statement timeout: all users of the table wait while the server checks for referring rows. */
async function withinTimeout(
  session: CopySession,
  detach: string,
  { parent, partition }: Pair,
  lockTimeoutMs: number,
): Promise<void> {
  const ms = Math.max(1, Math.ceil(lockTimeoutMs * DETACH_SHARE))
  await session.ask(`SET LOCAL statement_timeout = ${ms}`)
  try {
    await session.ask(detach)
  } catch (error) {
    if (!session.alive || sqlStateOf(error) !== '57014') throw error
    const name = tableText(partition.name)
    throw new SluiceError(
      'TABLE_REFUSED',
      `${name} cannot be detached: the search for rows that refer to it took longer than ${ms} ms`,
      {
        where: tableText(parent.name),
        reason: 'other sessions cannot use the table during the search, so it was aborted; nothing was changed',
        hint: 'if other sessions can wait for a second, run the same command with --lock-timeout 2500ms',
        cause: error,
      },
    )
  }
  await session.ask('SET LOCAL statement_timeout = DEFAULT')
}

async function defaultOf(session: CopySession, { oid }: KnownTable): Promise<KnownTable | null> {
  const [row] = await session.ask(
    `SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_class c ON c.oid = p.partdefid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.partrelid = ${literal(oid)}::oid`,
  )
  return row === undefined ? null : { oid: row[0] ?? '', name: { schema: row[1] ?? '', name: row[2] ?? '' } }
}
