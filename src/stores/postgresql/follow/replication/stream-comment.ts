/** What is noted of a stream at its source, in the comment of its publication or of the schema of its triggers: JSON, each fact under a name of its own. */
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** Of a stream that follows by a publication, or by triggers in a schema. */
export type StreamObject = readonly [kind: 'PUBLICATION' | 'SCHEMA', name: string]

export type StreamComment = Readonly<Record<string, unknown>>

/** @returns without facts where there is no comment, or one of other form */
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
 * Within a transaction of READ COMMITTED, whose end frees the lock.
 * @param change of what stands there once no other transaction writes it; null changes nothing
 * @returns whether it was changed
 * @throws what the server says
 */
export async function changeComment(
  session: CopySession,
  of: StreamObject,
  change: (now: StreamComment) => StreamComment | null,
): Promise<boolean> {
  const write = (comment: StreamComment): Promise<unknown> =>
    session.ask(`COMMENT ON ${of[0]} ${quoteName(of[1])} IS ${literal(JSON.stringify(comment))}`)
  // The first comment locks it: what another transaction writes meanwhile is seen then.
  await write(await readComment(session, of))
  const changed = change(await readComment(session, of))
  if (changed !== null) await write(changed)
  return changed !== null
}
