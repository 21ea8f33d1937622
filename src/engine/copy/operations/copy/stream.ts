/** What a copy has to do with streams: its own where it is followed, and those of others that write into its tables. */
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { FollowingParts } from '../../../follow/stream/exam.ts'
import type { Following } from '../../../follow/stream/following.ts'
import { refuseFollowed } from '../../../follow/stream/refuse-followed.ts'
import { refuseTargetUrl } from '../../../follow/stream/refusals.ts'
import type { Within } from '../../../follow/progress/watch.ts'
import type { RunLedger } from '../../ledger/runs.ts'
import type { Steering } from '../../workers/steering.ts'
import type { CopyOperation } from './declaration.ts'

export type { Following, FollowingParts, Within }
export type Wished = FollowingParts['wished']

/** @throws SluiceError NOT_FOLLOWABLE for a followed copy into a system that cannot follow: nothing is opened yet */
export function refuseUnfollowable({ follow, to }: CopyOperation): void {
  if (follow !== undefined) refuseTargetUrl(to)
}

/** The stream that a run goes on with. A plan that is only shown is one of what the command says. */
export async function wishedOf(operation: CopyOperation, from: CopyStore, to: CopyStore): Promise<Wished> {
  if (operation.follow === undefined || operation.dryRun) return null
  return await (await import('../../../follow/stream/wished-stream.ts')).wishedStream(operation, from.identity, to)
}

/** Looks at both sides of a followed copy before anything is made. @throws as `planFollowing` */
export async function examineStream(parts: Pick<FollowingParts, 'operation' | 'planned' | 'run'>): Promise<void> {
  if (parts.operation.follow !== undefined) await (await import('../../../follow/stream/exam.ts')).planFollowing(parts)
}

/** @throws SluiceError TABLE_FOLLOWED for a copy that is not followed, into tables of a stream */
export async function refuseStreams(
  { follow }: CopyOperation,
  ...into: Parameters<typeof refuseFollowed>
): Promise<void> {
  if (follow === undefined) await refuseFollowed(...into)
}

/**
 * Before the first chunk is read: what is committed from here on comes in the stream.
 * @returns null for a copy that is not followed
 * @throws as `Following.open`; the run ends with it
 */
export async function openStream(parts: FollowingParts, runs: RunLedger): Promise<Following | null> {
  if (parts.operation.follow === undefined) return null
  try {
    return await (await import('../../../follow/stream/following.ts')).Following.open(parts)
  } catch (thrown) {
    await runs.broken(thrown)
    throw thrown
  }
}

/** Has lanes heeded once it follows: until then there are chunks, and no lanes. */
export async function heedLanes(steering: Steering, to: CopyStore): Promise<void> {
  const { lanesRefusal } = await import('../../../follow/stream/refusals.ts')
  steering.refusal = (wish) => (wish.act === 'lanes' ? lanesRefusal(wish.lanes, to) : null)
}
