/**
 * Notes about a stream at its source: JSON with named facts, in the comment of its publication or triggers' schema.
 * The fact `follower` is the recorded target of the stream.
 */
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import type { RecordedTarget } from '../../../../model/follow/port.ts'
import { followerFrom } from '../../../common/follower-note.ts'

/** The object whose comment is used: the publication of a stream, or the schema of its triggers. */
export type StreamObject = readonly [kind: 'PUBLICATION' | 'SCHEMA', name: string]

export type StreamComment = Readonly<Record<string, unknown>>

/** @returns an empty object if there is no comment, or one of another form */
export async function readComment(session: CopySession, [kind, name]: StreamObject): Promise<StreamComment> {
  const [row] = await session.ask(
    kind === 'PUBLICATION'
      ? `SELECT pg_catalog.obj_description(p.oid, 'pg_publication') FROM pg_catalog.pg_publication p WHERE p.pubname = ${literal(name)}`
      : `SELECT pg_catalog.obj_description(n.oid, 'pg_namespace') FROM pg_catalog.pg_namespace n WHERE n.nspname = ${literal(name)}`,
  )
  try {
    const found: unknown = JSON.parse(row?.[0] ?? '{}')
    return typeof found === 'object' && found !== null && !Array.isArray(found) ? { ...found } : {}
  } catch {
    return {}
  }
}

/**
 * Changes the comment of an object. Call it within a READ COMMITTED transaction, whose end releases the lock.
 * @param change receives the comment when no other transaction can write it; returns the new one, or null to keep it
 * @returns true if the comment was changed
 * @throws errors of the server
 */
export async function changeComment(
  session: CopySession,
  of: StreamObject,
  change: (now: StreamComment) => StreamComment | null,
): Promise<boolean> {
  const write = (comment: StreamComment): Promise<unknown> =>
    session.ask(`COMMENT ON ${of[0]} ${quoteName(of[1])} IS ${literal(JSON.stringify(comment))}`)
  // Writing the comment locks it; the second read then sees what another transaction wrote meanwhile.
  await write(await readComment(session, of))
  const changed = change(await readComment(session, of))
  if (changed !== null) await write(changed)
  return changed !== null
}

export async function readPostgresFollower(session: CopySession, of: StreamObject): Promise<RecordedTarget | null> {
  return followerFrom((await readComment(session, of))['follower'])
}

/**
 * Records the owner of a stream. Does nothing if the current note names an owner other than `was`.
 * @param was owner in the current note; null without a note
 * @param lock statement that locks the notes against concurrent changes
 * @returns false if the note names an owner other than `was`
 * @throws errors of the server
 */
export async function writePostgresFollower(
  session: CopySession,
  of: StreamObject,
  follower: RecordedTarget,
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
