/** Notes about a stream at its source: JSON with named facts, in the comment of its publication or triggers' schema. */
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

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
 * @param change receives the comment once no other transaction writes it; null changes nothing
 * @returns whether it was changed
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
