/** The program that follows a stream: noted in the comment of the publication, or of the triggers' schema. */
import type { Follower } from '../../../../model/follow/port.ts'
import { followerFrom } from '../../../common/follower-note.ts'
import type { CopySession } from '../../server/session.ts'
import { changeComment, readComment, type StreamObject } from './stream-comment.ts'

export async function readPostgresFollower(session: CopySession, of: StreamObject): Promise<Follower | null> {
  return followerFrom((await readComment(session, of))['follower'])
}

/**
 * @param was owner in the current note; null without a note
 * @param lock statement that locks the notes against concurrent changes
 * @returns false if another owner is noted
 * @throws errors of the server
 */
export async function writePostgresFollower(
  session: CopySession,
  of: StreamObject,
  follower: Follower,
  was: string | null,
  lock = '',
): Promise<boolean> {
  await session.begin('ISOLATION LEVEL READ COMMITTED READ WRITE', lock)
  try {
    const isNoted = await changeComment(session, of, (now) =>
      (followerFrom(now['follower'])?.owner ?? null) === was ? { ...now, follower } : null,
    )
    await session.commit()
    return isNoted
  } catch (error) {
    await session.rollBack()
    throw error
  }
}
